//! Conversations over REST that are spoken in with a session token.
//!
//! The client makes a conversation with its OAuth token and gets a short-lived session token for it. How a message is
//! sent, and how the session token is renewed, is told differently by different people: all forms are taken, unless
//! [`SendForm`] restricts them.
//!
//! Assumed, since the descriptions do not say: a text has as many bytes as in web messaging; nobody answers, since
//! there is no way back to the guest; a bearer token that comes with a session token in the body must be good, too.

use std::sync::Arc;

use axum::extract::{Path, State as Shares};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::super::shared::Shared;
use super::super::state::State;
use super::super::tokens::{self, Holder};
use super::super::{api, ids, server};
use super::fields::{self, Fields};
use super::shelf::Shelf;
use super::switches::SendForm;
use super::{Answer, No, answer, bearer};
use crate::model::{Mono, Now, Wall};

const SCOPE: &str = "webmessaging:conversation:write";
/// Conversations remembered; the oldest goes.
const MANY: usize = 2000;

pub(super) struct Conversation {
    pub(super) guest_id: String,
    /// The session token that is good now, if it still lives.
    token: Arc<str>,
    issued: Wall,
    pub(super) opened: Mono,
    pub(super) messages: u64,
}

pub(super) fn shelf() -> Shelf<Conversation> {
    Shelf::new(MANY)
}

pub(in crate::sandbox) async fn create(
    Shares(shared): Shares<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.act(|state, now| answer(create_now(state, &headers, &body, now)))
}

fn create_now(state: &mut State, headers: &HeaderMap, body: &[u8], now: Now) -> Answer {
    client(state, headers, now)?;
    fields::object_or_nothing(body)?;
    let (id, guest_id) = (ids::uuid(), ids::uuid());
    let conversation = Conversation {
        guest_id: guest_id.clone(),
        token: Arc::from(""),
        issued: now.wall,
        opened: now.mono,
        messages: 0,
    };
    let number = state.flows.conversations.insert(id.clone(), conversation, |_| false);
    let token = renew(state, number, &id, now);
    let spelling = if state.flows.switches.spell_conversations_id { "conversationsId" } else { "conversationId" };
    let mut body = json!({ spelling: id, "sessionToken": &*token, "guestId": guest_id });
    if state.flows.switches.give_guest_token {
        // Good for nothing but to be carried along: no endpoint of this flow takes it.
        body["guestToken"] = json!(ids::opaque(3));
    }
    Ok(server::json(StatusCode::OK, &body))
}

/// Gives a conversation a new session token; the one before is dead from now on.
fn renew(state: &mut State, number: u32, id: &str, now: Now) -> Arc<str> {
    let life = state.flows.lifetimes.session_token_secs;
    let iat = state.wall(now).as_secs();
    let Some(conversation) = state.flows.conversations.at_mut(number) else { return Arc::from("") };
    let value = tokens::jwt(&json!({
        "iss": "sandbox", "sub": conversation.guest_id, "conversationId": id, "iat": iat,
        "exp": iat + i64::from(life), "ExpiresIn": life, "jti": ids::uuid(),
    }));
    let token = state.tokens.keep(&value, Holder::Conversation(number), life, now);
    let before = std::mem::replace(&mut conversation.token, Arc::clone(&token));
    conversation.issued = now.wall;
    state.tokens.expire_value(&before, now.wall);
    token
}

/// The client's token. A session token in its place is a mistake of its own.
fn client(state: &mut State, headers: &HeaderMap, now: Now) -> Result<(), No> {
    let value = api::bearer_value(headers);
    let holder = value.as_deref().and_then(|v| state.tokens.get(v)).map(|t| t.holder);
    if matches!(holder, Some(Holder::Conversation(_))) {
        let text = "A session token is not a bearer token: it goes into the body, or the client's access token \
                    into the Authorization header";
        return Err(api::error(400, "bad.request", text).into());
    }
    bearer::client(state, headers, now)?.need(&[SCOPE])
}

fn dead() -> No {
    api::error(401, "session.token.invalid", "Session token is invalid or expired").into()
}

/// The conversation with this id, if its session token lives.
fn alive(state: &mut State, id: &str, now: Now) -> Result<u32, No> {
    let number = state.flows.conversations.number(id).ok_or_else(dead)?;
    let conversation = state.flows.conversations.at(number).ok_or_else(dead)?;
    let early = i64::from(state.faults.refuse_session_tokens_after);
    if early > 0 && now.wall.micros_since(conversation.issued) >= early * 1_000_000 {
        return Err(dead());
    }
    match state.tokens.check(&conversation.token, now) {
        Ok(_) => Ok(number),
        Err(_) => Err(dead()),
    }
}

pub(in crate::sandbox) async fn send(
    Shares(shared): Shares<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.act(|state, now| answer(send_now(state, &id, &headers, &body, now)))
}

fn send_now(state: &mut State, id: &str, headers: &HeaderMap, body: &[u8], now: Now) -> Answer {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case("application/json") {
        let text = format!("Content-Type: {} is not application/json", fields::told(kind));
        return Err(api::error(415, "unsupported.media.type", &text).into());
    }
    if api::bearer_value(headers).is_some() {
        // Whatever the form is, a bearer token that is there must be good.
        client(state, headers, now)?;
    }
    let body = fields::object(body)?;
    let form = form_of(&body);
    let only = state.flows.switches.send_form;
    if only != SendForm::Any && only != form {
        return Err(match form {
            SendForm::SessionToken => fields::wrong("sessionToken", "is not taken in the body"),
            _ => dead(),
        });
    }
    if form != SendForm::SessionToken && api::bearer_value(headers).is_none() {
        client(state, headers, now)?;
    }
    let number = alive(state, id, now)?;
    let Some(conversation) = state.flows.conversations.at_mut(number) else { return Err(dead()) };
    let says = |name: &str, value: &str| body.get(name).and_then(Value::as_str) == Some(value);
    let matches = match form {
        SendForm::SessionToken => says("sessionToken", &conversation.token),
        SendForm::Any | SendForm::Bearer => true,
        SendForm::BearerGuest => says("guestId", &conversation.guest_id),
        SendForm::BearerIds => says("guestId", &conversation.guest_id) && says("conversationId", id),
    };
    if !matches {
        return Err(dead());
    }
    let most = state.limits.message_bytes as usize;
    let mut fields = Fields::of(&body);
    let text = fields.text("text");
    if text.len() > most {
        fields.fault("text", format!("{} bytes are more than {most}", text.len()));
    }
    if form != SendForm::SessionToken {
        fields.word("type", "text");
    }
    fields.done()?;
    conversation.messages += 1;
    let body = json!({ "id": ids::uuid(), "conversationId": id, "timestamp": state.iso(now) });
    Ok(server::json(StatusCode::OK, &body))
}

/// Which form a message has, by its members.
fn form_of(body: &Value) -> SendForm {
    let has = |name: &str| body.get(name).is_some();
    match () {
        () if has("sessionToken") => SendForm::SessionToken,
        () if has("conversationId") => SendForm::BearerIds,
        () if has("guestId") => SendForm::BearerGuest,
        () => SendForm::Bearer,
    }
}

/// `…/guests/{guestId}/refresh`.
pub(in crate::sandbox) async fn refresh(
    Shares(shared): Shares<Arc<Shared>>,
    Path((id, guest_id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    shared.act(|state, now| answer(client(state, &headers, now).and_then(|()| fresh(state, &id, &guest_id, now))))
}

/// `…/guest-token`.
pub(in crate::sandbox) async fn guest_token(
    Shares(shared): Shares<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.act(|state, now| answer(guest_token_now(state, &id, &headers, &body, now)))
}

fn guest_token_now(state: &mut State, id: &str, headers: &HeaderMap, body: &[u8], now: Now) -> Answer {
    client(state, headers, now)?;
    let body = fields::object_or_nothing(body)?;
    let mut fields = Fields::of(&body);
    let (named, guest_id) = (fields.text("conversationId"), fields.text("guestId"));
    fields.done()?;
    if named != id {
        return Err(dead());
    }
    fresh(state, id, guest_id, now)
}

fn fresh(state: &mut State, id: &str, guest_id: &str, now: Now) -> Answer {
    let number = state.flows.conversations.number(id).ok_or_else(dead)?;
    if state.flows.conversations.at(number).is_none_or(|c| c.guest_id != guest_id) {
        return Err(dead());
    }
    let token = renew(state, number, id, now);
    let body = json!({
        "sessionToken": &*token, "guestId": guest_id, "conversationId": id,
        "expiresIn": state.flows.lifetimes.session_token_secs,
    });
    Ok(server::json(StatusCode::OK, &body))
}

/// `live`, or `expired` where its session token is dead; and the short id of that token.
pub(super) fn stands(state: &State, conversation: &Conversation, now: Now) -> (&'static str, Option<String>) {
    match state.tokens.get(&conversation.token) {
        Some(token) if token.expires > now.wall => ("live", Some(token.id.clone())),
        other => ("expired", other.map(|t| t.id.clone())),
    }
}
