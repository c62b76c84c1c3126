//! Guests as resources, with a socket whose first frame is a handshake.
//!
//! Assumed, since the description does not say: a token that dies after the handshake leaves the socket open; a
//! guest's typing is taken and shown to nobody; several sockets of a session all get its messages.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, Request, State as Shares};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::super::faults::Faults;
use super::super::limits::MINUTE;
use super::super::partner::Said;
use super::super::server::Permit;
use super::super::shared::Shared;
use super::super::socket::{self, Admitted};
use super::super::state::{Peer, State, Stop};
use super::super::tokens::{self, Holder};
use super::super::{api, ids, server};
use super::fields::{self, Fields, told};
use super::shelf::Shelf;
use super::switches::GuestTokenFlaw;
use super::talk::{self, Talk};
use super::{ATTRIBUTES, Answer, No, answer, bearer};
use crate::model::{Mono, Now};

/// Guests remembered; the oldest without a socket goes.
const MANY: usize = 2000;

pub(in crate::sandbox) struct Guest {
    session_id: String,
    pub(super) name: String,
    pub(super) attributes: Map<String, Value>,
    /// The client that made it has the scope to talk.
    may_talk: bool,
    /// Sockets whose handshake was good.
    pub(in crate::sandbox) conns: Vec<u32>,
    pub(super) opened: Mono,
    pub(super) talk: Talk,
}

pub(super) fn shelf() -> Shelf<Guest> {
    Shelf::new(MANY)
}

fn rate(state: &mut State, now: Now) -> Result<(), No> {
    let most = state.flows.switches.requests_per_minute;
    bearer::rate(&mut state.flows.guest_calls, most, MINUTE, now)
}

/// `POST /api/v2/guests`.
pub(in crate::sandbox) async fn create(
    Shares(shared): Shares<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.act(|state, now| answer(create_now(state, &headers, &body, now)))
}

fn create_now(state: &mut State, headers: &HeaderMap, body: &[u8], now: Now) -> Answer {
    let client = bearer::client(state, headers, now)?;
    rate(state, now)?;
    client.need(&["guest:create"])?;
    let body = fields::object(body)?;
    let mut fields = Fields::of(&body);
    let name = fields.text("name");
    let attributes = fields.object("attributes", Some(ATTRIBUTES));
    let queue = fields.text("routing.queue.id");
    let skill = fields.text("routing.skill.id");
    let language = fields.text("routing.language");
    fields.done()?;
    if !state.knows_queue(queue) {
        let text = format!("routing.queue.id: queue {} not found", told(queue));
        return Err(api::error(404, "not.found", &text).into());
    }
    let (id, session_id) = (ids::uuid(), ids::uuid());
    let guest = Guest {
        session_id: session_id.clone(),
        name: name.to_owned(),
        attributes: attributes.cloned().unwrap_or_default(),
        may_talk: client.may("webchat:send"),
        conns: Vec::new(),
        opened: now.mono,
        talk: Talk::default(),
    };
    let number = state.next_number();
    state.flows.guests.insert_at(number, id.clone(), guest, |g| g.conns.is_empty());
    let hints = json!({ "queue": queue, "skill": skill, "language": language });
    let token = issue(state, number, &id, hints, now);
    let attributes = state.flows.guests.at(number).map(|g| &g.attributes);
    let body = json!({ "id": id, "guestToken": token, "sessions": [{ "id": session_id }], "attributes": attributes });
    Ok(server::json(StatusCode::CREATED, &body))
}

/// A new guest's token, with the flaw that was ordered.
fn issue(state: &mut State, number: u32, id: &str, hints: Value, now: Now) -> String {
    let flaw = state.flows.switches.guest_token_flaw;
    let life = if flaw == GuestTokenFlaw::Expired { 0 } else { state.flows.lifetimes.guest_token_secs };
    let iat = state.wall(now).as_secs();
    let mut claims = json!({
        "iss": "sandbox", "sub": id, "iat": iat, "exp": iat + i64::from(life), "jti": ids::uuid(),
        "routing_hints": hints,
        "attributes": state.flows.guests.at(number).map(|g| g.attributes.clone()),
    });
    match flaw {
        GuestTokenFlaw::NoExp => {
            claims.as_object_mut().map(|c| c.remove("exp"));
        }
        GuestTokenFlaw::Expired => {
            claims["iat"] = json!(iat - 60);
            claims["exp"] = json!(iat - 30);
        }
        GuestTokenFlaw::NoHints => {
            claims.as_object_mut().map(|c| c.remove("routing_hints"));
        }
        GuestTokenFlaw::EmptyHints => claims["routing_hints"] = json!({}),
        GuestTokenFlaw::None | GuestTokenFlaw::TwoParts => {}
    }
    let mut value = tokens::jwt(&claims);
    if flaw == GuestTokenFlaw::TwoParts
        && let Some(end) = value.rfind('.')
    {
        value.truncate(end);
    }
    state.tokens.keep(&value, Holder::Resource(number), life, now).to_string()
}

/// `PUT /api/v2/guests/{id}`: attributes are added to those that are there.
pub(in crate::sandbox) async fn update(
    Shares(shared): Shares<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.act(|state, now| answer(update_now(state, &id, &headers, &body, now)))
}

fn update_now(state: &mut State, id: &str, headers: &HeaderMap, body: &[u8], now: Now) -> Answer {
    let client = bearer::client(state, headers, now)?;
    rate(state, now)?;
    client.need(&["guest:read", "user:read"])?;
    let body = fields::object(body)?;
    let Some(guest) = state.flows.guests.find_mut(id) else {
        return Err(api::error(404, "not.found", "Guest not found").into());
    };
    let mut fields = Fields::of(&body);
    let mut merged = guest.attributes.clone();
    if let Some(attributes) = fields.object("attributes", None) {
        merged.extend(attributes.clone());
    }
    let merged = Value::Object(merged);
    let size = merged.to_string().len();
    if size > ATTRIBUTES {
        fields.fault("attributes", format!("{size} bytes are more than {ATTRIBUTES}"));
    }
    fields.done()?;
    let answer = json!({ "id": id, "attributes": merged });
    if let Value::Object(merged) = merged {
        guest.attributes = merged;
    }
    Ok(server::json(StatusCode::OK, &answer))
}

/// `/api/v2/guests/{guest}/sessions/{session}/ws`. Who it is shows only at the first frame.
pub(in crate::sandbox) async fn upgrade(
    Shares(shared): Shares<Arc<Shared>>,
    Extension(permit): Extension<Permit>,
    Path((guest, session)): Path<(String, String)>,
    request: Request,
) -> Response {
    socket::accept(&shared, permit, request, |state, _| {
        let number = state.flows.guests.number(&guest);
        let known = number.filter(|n| state.flows.guests.at(*n).is_some_and(|g| g.session_id == session));
        known.map(Admitted::Guest).ok_or_else(|| api::error(404, "not.found", "Guest or session not found").into())
    })
}

/// A socket without a handshake so far: it has so long to make it.
pub(in crate::sandbox) fn opened(state: &mut State, conn: u32, now: Now) {
    let patience = Duration::from_secs(state.flows.lifetimes.handshake_secs.into());
    if let Some(c) = state.conns.get_mut(&conn) {
        c.handshake_by = Some(now.mono + patience);
    }
    state.ends_within(patience, now);
}

/// A frame of the client.
pub(in crate::sandbox) fn heard(state: &mut State, conn: u32, number: u32, text: &[u8], now: Now) {
    let frame = serde_json::from_slice::<Value>(text).unwrap_or_default();
    let kind = frame.get("type").and_then(Value::as_str);
    if state.conns.get(&conn).is_some_and(|c| c.handshake_by.is_some()) {
        let token = frame.get("token").and_then(Value::as_str).filter(|_| kind == Some("handshake"));
        let broken = kind == Some("handshake") && Faults::spend(&mut state.faults.break_handshakes);
        if broken || !token.is_some_and(|t| greet(state, conn, number, t, now)) {
            // Without a close frame: the client sees 1006 and has to guess.
            state.stop_conn(conn, Stop::Now);
        }
        return;
    }
    let refuse = |state: &mut State, code: u16, text: &str| {
        let frame = json!({ "type": "error", "payload": { "code": code, "message": text } });
        state.post(conn, &frame.to_string(), now);
    };
    if state.flows.guests.at(number).is_none() {
        return refuse(state, 404, "Guest not found");
    }
    match kind {
        Some("message") => {
            let payload = &frame["payload"];
            match payload["text"].as_str().filter(|t| !t.is_empty()) {
                Some(text) => said(state, number, payload["id"].as_str(), text, now),
                None => refuse(state, 400, "payload.text: is missing, empty or not a text"),
            }
        }
        Some("typing") => {}
        Some(other) => refuse(state, 400, &format!("type: {} is not known", told(other))),
        None => refuse(state, 400, "type: is missing, or the frame is not a JSON object"),
    }
}

/// True where the handshake is good.
fn greet(state: &mut State, conn: u32, number: u32, token: &str, now: Now) -> bool {
    let own = state.tokens.check(token, now).is_ok_and(|t| t.holder == Holder::Resource(number));
    let Some((id, guest)) = state.flows.guests.entry_mut(number).filter(|(_, g)| own && g.may_talk) else {
        return false;
    };
    guest.conns.push(conn);
    let payload = json!({ "sessionId": guest.session_id, "guestId": id });
    let first = !std::mem::replace(&mut guest.talk.greeted, true);
    if let Some(c) = state.conns.get_mut(&conn) {
        c.handshake_by = None;
    }
    state.post(conn, &json!({ "type": "connected", "payload": payload }).to_string(), now);
    if first {
        talk::hear(state, Peer::Guest(number), &Said::Joined, true);
    }
    true
}

fn said(state: &mut State, number: u32, client_id: Option<&str>, text: &str, now: Now) {
    let peer = Peer::Guest(number);
    if !Faults::spend(&mut state.faults.drop_echo) {
        talk::message(state, peer, &ids::uuid(), client_id, "guest", text, now);
    }
    talk::hear(state, peer, &Said::Text(text.to_owned()), false);
}
