//! HTTP requests: where they go, how long their bodies are, and how many there were.

use std::collections::VecDeque;

use serde_json::Value;

use super::fold::Scene;
use crate::model::record::HttpRequest;
use crate::model::{Mono, Record};
use crate::projection::evidence::Gathered;
use crate::projection::evidence::calls::{host_of, path_of};
use crate::projection::evidence::tokens::TokenRef;
use crate::projection::evidence::words;
use crate::projection::session::SessionView;

/// So many typing requests of an agent are remembered.
const TYPING: usize = 256;
const MINUTE: u64 = 60_000_000;

#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// Conversation and instant.
    typing: VecDeque<(Box<str>, Mono)>,
}

impl Requests {
    pub fn asked(&mut self, scene: &mut Scene<'_>, found: &mut Gathered) {
        let record = scene.record;
        let Some(head) = record.head_as::<HttpRequest>() else { return };
        let seq = record.seq;
        let path = path_of(&head.url);
        let query = head.url.split_once('?').map_or("", |(_, q)| q);
        found.text("request.method", &head.method, seq);
        found.text("request.path", path, seq);
        found.text("request.query", query, seq);
        found.text("request.host", host_of(&head.url), seq);
        found.text("request.purpose", &head.purpose, seq);
        found.number("request.bytes", record.size as f64, seq);
        if path.ends_with("/oauth/token")
            && let Some(scopes) = words::scope_asked(&record.body)
        {
            found.list("scope.asked", scopes.split_whitespace().map(str::to_owned).collect(), seq);
        }
        let bearer = head.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("authorization"));
        let token = bearer.and_then(|(_, v)| TokenRef::find(v.as_bytes()));
        scene.common.channels.asked(record, &head, token, found);
        scene.common.parties.asked(path, seq, found);
        self.agent(scene, &head, path, found);
        self.meters(scene.view, record, found);
    }

    fn agent(&mut self, scene: &Scene<'_>, head: &HttpRequest, path: &str, found: &mut Gathered) {
        let record = scene.record;
        if head.method != "POST" || !path.contains("/conversations/messages/") {
            return;
        }
        if path.ends_with("/typing") {
            if self.typing.len() == TYPING {
                self.typing.pop_front();
            }
            self.typing.push_back((path.into(), record.at.mono));
            let now = record.at.mono.0;
            let lately = |(p, at): &&(Box<str>, Mono)| **p == *path && now.saturating_sub(at.0) < MINUTE;
            found.number("typing.minute", self.typing.iter().filter(lately).count() as f64, record.seq);
            return;
        }
        if path.ends_with("/messages/bulk") {
            if let Some(ids) = words::json(&record.body).as_ref().and_then(Value::as_array) {
                found.number("body.ids", ids.len() as f64, record.seq);
            }
            return;
        }
        if path.ends_with("/messages")
            && let Some(body) = words::json(&record.body)
            && let Some(text) = body.get("textBody").and_then(Value::as_str)
        {
            found.number("body.text_chars", text.chars().count() as f64, record.seq);
            if let Some(start) = &scene.view.start {
                found.number("limit.message_chars", f64::from(start.limits.message_bytes), 0);
            }
        }
    }

    /// The limit that this record goes over, the one with the shortest window first.
    pub fn meters(&self, view: &SessionView, record: &Record, found: &mut Gathered) {
        let now = record.at.mono;
        let over = view
            .meters
            .meters
            .iter()
            .filter(|m| m.window_secs > 0 && m.uses.last() == Some(&now) && m.used(now) > m.limit)
            .min_by_key(|m| m.window_secs);
        if let Some(meter) = over {
            found.text("meter.name", meter.name, record.seq);
            found.number("meter.used", f64::from(meter.used(now)), record.seq);
            found.number("meter.limit", f64::from(meter.limit), 0);
            found.number("meter.window_s", f64::from(meter.window_secs), 0);
            found.number("meter.wait_s", meter.wait(now).as_secs_f64().min(3600.0), 0);
        }
    }
}
