//! Answers kept by their `Idempotency-Key`: the same request gets the same answer for a day.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use aws_lc_rs::digest;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::Value;

use super::super::faults::Faults;
use super::super::state::State;
use super::super::{api, server};
use super::{No, fields};
use crate::model::{Now, Wall};

const HEADER: &str = "idempotency-key";
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// Answers kept at once; the oldest goes.
const MANY: usize = 10_000;
/// Longest key in bytes. Ours: no source names one.
const LONGEST: usize = 255;

/// Path and key. There is one client only.
type Key = (&'static str, String);

struct Answer {
    at: Wall,
    /// Of the body that it answered.
    digest: [u8; 32],
    status: StatusCode,
    body: Value,
}

#[derive(Default)]
pub(super) struct Answers {
    by_key: HashMap<Key, Answer>,
    /// Oldest first.
    order: VecDeque<Key>,
    /// How many went before their time.
    pub(super) forgotten: u64,
}

impl Answers {
    fn prune(&mut self, now: Now) {
        while let Some(key) = self.order.front() {
            let dead = self.by_key.get(key).is_none_or(|a| a.at + KEPT <= now.wall);
            let full = self.order.len() > MANY;
            if !dead && !full {
                return;
            }
            self.forgotten += u64::from(!dead);
            if let Some(key) = self.order.pop_front() {
                self.by_key.remove(&key);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }
}

/// Members sorted and without spaces, so that only what a body says counts.
fn digest(body: &Value) -> [u8; 32] {
    let mut out = [0; 32];
    let digest = digest::digest(&digest::SHA256, body.to_string().as_bytes());
    for (to, from) in out.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    out
}

/// Does a deed once for its key; only what succeeded is remembered.
pub(super) fn once(
    state: &mut State,
    path: &'static str,
    headers: &HeaderMap,
    body: &Value,
    now: Now,
    deed: impl FnOnce(&mut State) -> Result<(StatusCode, Value), No>,
) -> Result<Response, No> {
    let key = headers.get(HEADER).and_then(|v| v.to_str().ok()).map(str::trim).unwrap_or_default();
    if key.is_empty() {
        return Err(fields::wrong("Idempotency-Key", "the header is missing"));
    }
    if key.len() > LONGEST {
        return Err(fields::wrong("Idempotency-Key", &format!("{} bytes are more than {LONGEST}", key.len())));
    }
    let key = (path, key.to_owned());
    let digest = digest(body);
    state.flows.answers.prune(now);
    let reused = || {
        let text = format!("Idempotency-Key: {} was used for another body", fields::told(&key.1));
        api::error(422, "idempotency.key.reused", &text)
    };
    if let Some(kept) = state.flows.answers.by_key.get(&key) {
        if kept.digest != digest {
            return Err(reused().into());
        }
        let mut response = server::json(kept.status, &kept.body);
        response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
        return Ok(response);
    }
    if Faults::spend(&mut state.faults.use_keys) {
        return Err(reused().into());
    }
    let (status, answer) = deed(state)?;
    let response = server::json(status, &answer);
    let answers = &mut state.flows.answers;
    answers.order.push_back(key.clone());
    answers.by_key.insert(key, Answer { at: now.wall, digest, status, body: answer });
    answers.prune(now);
    Ok(response)
}
