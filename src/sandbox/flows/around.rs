//! Around the flows: a broker that holds an access token for clients without a secret, and a CRM that takes events.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::State as Shares;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use super::super::shared::Shared;
use super::super::state::State;
use super::super::tokens::Holder;
use super::super::{api, server};
use super::{No, answer, fields};
use crate::model::Now;

/// With less life than this, in seconds, the broker gets a new token.
const EARLY: i64 = 300;
/// Events kept; the oldest goes.
const EVENTS: usize = 100;
/// Largest event in bytes. Ours: the status tells all of them.
const LARGEST: usize = 16 * 1024;

/// `POST /broker/api/genesys/refresh`. Asks for nothing: only this computer gets here.
pub(in crate::sandbox) async fn broker(Shares(shared): Shares<Arc<Shared>>) -> Response {
    shared.act(|state, now| {
        let left = |state: &State, value: &str| {
            state.tokens.get(value).map(|t| t.expires.micros_since(now.wall).div_euclid(1_000_000))
        };
        let held = state.flows.broker.clone().filter(|v| left(state, v).is_some_and(|s| s >= EARLY));
        let token = held.unwrap_or_else(|| {
            state.tokens.issue_access(Holder::Client, state.flows.lifetimes.oauth_secs, state.flows.client_scopes, now)
        });
        let expires_in = left(state, &token).unwrap_or_default();
        state.flows.broker = Some(Arc::clone(&token));
        server::json(StatusCode::OK, &json!({ "token": &*token, "expires_in": expires_in }))
    })
}

#[derive(Default)]
pub(super) struct Crm {
    /// Time as the server tells it, and the event. Oldest first.
    pub(super) events: VecDeque<(String, Value)>,
    /// How many went for newer ones.
    pub(super) forgotten: u64,
}

/// `POST /crm`.
pub(in crate::sandbox) async fn crm(Shares(shared): Shares<Arc<Shared>>, body: Bytes) -> Response {
    shared.act(|state, now| answer(take(state, &body, now)))
}

fn take(state: &mut State, body: &[u8], now: Now) -> Result<Response, No> {
    if body.len() > LARGEST {
        let text = format!("{} bytes are more than {LARGEST}", body.len());
        return Err(api::error(413, "payload.too.large", &text).into());
    }
    let mut event = fields::object(body)?;
    hide(state, &mut event);
    let at = state.iso(now);
    let crm = &mut state.flows.crm;
    if crm.events.len() >= EVENTS {
        crm.events.pop_front();
        crm.forgotten += 1;
    }
    crm.events.push_back((at, event));
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The status tells events, and never a token.
fn hide(state: &State, value: &mut Value) {
    match value {
        Value::String(text) => {
            let is_jwt = text.starts_with("eyJ") && text.matches('.').count() == 2;
            if is_jwt || state.tokens.get(text).is_some() {
                *text = "[token]".to_owned();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|v| hide(state, v)),
        Value::Object(map) => map.values_mut().for_each(|v| hide(state, v)),
        _ => {}
    }
}
