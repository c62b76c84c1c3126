//! The socket of external contacts: it only brings messages; what the guest says is posted over REST.
//!
//! A message is taken first and committed a moment later. Where the token of the socket's handshake is dead by then,
//! the socket is closed with 1000 and without a word, and the message is gone.
//!
//! Assumed, since the description does not say: a refresh needs no open socket, so that one that was dropped can come
//! back with the new token; a frame of the client is answered by an error; no scope is needed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, Query, Request, State as Shares};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::faults::Faults;
use super::super::partner::Said;
use super::super::server::Permit;
use super::super::shared::Shared;
use super::super::socket::{self, Admitted};
use super::super::state::{Peer, State};
use super::super::tokens::Holder;
use super::super::{api, ids, server};
use super::agenda::Deed;
use super::fields::{self, Fields};
use super::switches::ContactRule;
use super::talk::{self, Talk};
use super::{Answer, No, answer, bearer};
use crate::model::{Mono, Now};

/// Longest life of a token that a refresh asks for.
const LONGEST: i64 = 3600;

/// A contact whose socket is open.
pub(in crate::sandbox) struct Contact {
    /// Session and contact alike.
    pub(in crate::sandbox) id: String,
    pub(in crate::sandbox) conn: u32,
    /// The token of the handshake, or what a refresh made of it.
    token: Arc<str>,
    pub(super) opened: Mono,
    pub(super) talk: Talk,
}

/// The contacts with an open socket: no more than there are connections.
#[derive(Default)]
pub(in crate::sandbox) struct Contacts {
    by_id: HashMap<String, u32>,
    by_token: HashMap<Arc<str>, BTreeSet<u32>>,
    all: std::collections::BTreeMap<u32, Contact>,
    /// Messages that were taken and never committed.
    pub(super) lost: u64,
}

impl Contacts {
    pub(in crate::sandbox) fn at(&self, number: u32) -> Option<&Contact> {
        self.all.get(&number)
    }

    pub(super) fn at_mut(&mut self, number: u32) -> Option<&mut Contact> {
        self.all.get_mut(&number)
    }

    pub(in crate::sandbox) fn iter(&self) -> impl DoubleEndedIterator<Item = (u32, &Contact)> {
        self.all.iter().map(|(n, c)| (*n, c))
    }

    fn insert(&mut self, number: u32, contact: Contact) {
        self.by_id.insert(contact.id.clone(), number);
        self.by_token.entry(Arc::clone(&contact.token)).or_default().insert(number);
        self.all.insert(number, contact);
    }

    fn unlist(&mut self, token: &str, number: u32) {
        if let Some(of_token) = self.by_token.get_mut(token) {
            of_token.remove(&number);
            if of_token.is_empty() {
                self.by_token.remove(token);
            }
        }
    }

    pub(in crate::sandbox) fn remove(&mut self, number: u32) {
        if let Some(contact) = self.all.remove(&number) {
            self.by_id.remove(&contact.id);
            self.unlist(&contact.token, number);
        }
    }

    fn give_token(&mut self, number: u32, token: &Arc<str>) {
        let Some(contact) = self.all.get_mut(&number) else { return };
        let before = std::mem::replace(&mut contact.token, Arc::clone(token));
        self.unlist(&before, number);
        self.by_token.entry(Arc::clone(token)).or_default().insert(number);
    }

    /// The socket with this id, or the newest one of the token.
    fn reached(&self, id: &str, token: &str) -> Option<u32> {
        let newest = || self.by_token.get(token).and_then(|t| t.last());
        self.by_id.get(id).or_else(newest).copied()
    }
}

pub(in crate::sandbox) async fn upgrade(
    Shares(shared): Shares<Arc<Shared>>,
    Extension(permit): Extension<Permit>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    let header = api::bearer_value(request.headers());
    let value = header.or_else(|| query.get("token").or_else(|| query.get("access_token")).cloned());
    socket::accept(&shared, permit, request, |state, now| {
        let token = api::authenticate(state, value.as_deref(), now)?;
        match token.holder {
            Holder::Client => Ok(Admitted::Contact(Arc::from(value.unwrap_or_default()))),
            _ => Err(api::error(401, "bad.credentials", "Invalid login credentials.").into()),
        }
    })
}

/// Takes in an open socket and greets. False where it shall end at once.
pub(in crate::sandbox) fn opened(state: &mut State, conn: u32, number: u32, token: Arc<str>, now: Now) -> bool {
    if Faults::spend(&mut state.faults.break_handshakes) {
        return false;
    }
    let id = ids::uuid();
    let left = state.tokens.get(&token).map_or(0, |t| t.expires.micros_since(now.wall).max(0) / 1_000_000);
    let greeting = json!({
        "type": "greeting", "sessionId": id, "contactId": id, "expires_in": left,
        "text": "Hello, this is the sandbox. What you post comes back on this socket.",
    });
    let contact = Contact { id, conn, token, opened: now.mono, talk: Talk::default() };
    state.flows.contacts.insert(number, contact);
    state.tell(Peer::Contact(number), &greeting.to_string(), now);
    true
}

/// A frame of the client: nothing is said on this socket.
pub(in crate::sandbox) fn heard(state: &mut State, conn: u32, now: Now) {
    let text = "Nothing is taken on this socket; post to the contact's messages";
    state.post(conn, &json!({ "type": "error", "code": 400, "message": text }).to_string(), now);
}

pub(in crate::sandbox) async fn post(
    Shares(shared): Shares<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.act(|state, now| answer(post_now(state, &id, &headers, &body, now)))
}

fn post_now(state: &mut State, id: &str, headers: &HeaderMap, body: &[u8], now: Now) -> Answer {
    let client = bearer::client(state, headers, now)?;
    let body = fields::object(body)?;
    if body.get("expires_in").is_some() && body.get("text").is_none() {
        return refresh(state, id, &client.token, &body, now);
    }
    let mut fields = Fields::of(&body);
    fields.text("to");
    let text = fields.text("text");
    fields.done()?;
    let number = receiver(state, id, &client.token)?;
    let message = ids::uuid();
    let at = Instant::now() + Duration::from_millis(state.flows.switches.commit_millis.into());
    let commit = Commit { contact: number, id: message.clone(), text: text.to_owned() };
    if !state.flows.agenda.add(at, Deed::Commit(commit)) {
        return Err(api::error(503, "service.unavailable", "Too many messages wait to be committed").into());
    }
    Ok(server::json(StatusCode::ACCEPTED, &json!({ "id": message, "status": "queued" })))
}

/// Whose socket a message goes to.
fn receiver(state: &State, id: &str, token: &str) -> Result<u32, No> {
    let contacts = &state.flows.contacts;
    let reached = contacts.reached(id, token);
    let session = reached.and_then(|n| contacts.at(n)).map(|c| c.id.as_str());
    match (state.flows.switches.contact_rule, reached, session) {
        (_, Some(number), Some(session)) if session == id => Ok(number),
        (ContactRule::Any, Some(number), _) => Ok(number),
        (ContactRule::Session, _, Some(session)) => {
            let text = format!(
                "Contact {} is not the session of an open handshake; the newest one of this token is {session}",
                fields::told(id)
            );
            Err(api::error(404, "not.found", &text).into())
        }
        _ => {
            let text = format!("Contact {} has no open socket, and this token has none either", fields::told(id));
            Err(api::error(404, "not.found", &text).into())
        }
    }
}

/// A new token, which an open socket goes on with. Needs no open socket: one that was dropped comes back with it.
fn refresh(state: &mut State, id: &str, token: &str, body: &Value, now: Now) -> Answer {
    let mut fields = Fields::of(body);
    let wanted = fields.whole("expires_in", 1..=i64::from(u32::MAX));
    fields.done()?;
    let life = u32::try_from(wanted.unwrap_or(LONGEST).min(LONGEST)).unwrap_or_default();
    let Ok(scopes) = state.tokens.check(token, now).map(|t| t.scopes) else {
        return Err(api::error(401, "credentials.expired", "The supplied token has expired").into());
    };
    let fresh = state.tokens.issue_access(Holder::Client, life, scopes, now);
    if let Some(number) = state.flows.contacts.reached(id, token) {
        state.flows.contacts.give_token(number, &fresh);
    }
    Ok(server::json(StatusCode::OK, &json!({ "token": &*fresh, "expires_in": life })))
}

/// A message that was taken and is not committed yet.
pub(super) struct Commit {
    contact: u32,
    id: String,
    text: String,
}

pub(super) fn commit(state: &mut State, commit: Commit, now: Now) {
    let Some((conn, token)) = state.flows.contacts.at(commit.contact).map(|c| (c.conn, Arc::clone(&c.token))) else {
        state.flows.contacts.lost += 1;
        return;
    };
    if Faults::spend(&mut state.faults.expire_before_commit) {
        state.tokens.expire_value(&token, now.wall);
    }
    if state.tokens.check(&token, now).is_err() {
        state.flows.contacts.lost += 1;
        state.close_conn(conn, 1000, "", now);
        return;
    }
    let peer = Peer::Contact(commit.contact);
    if !Faults::spend(&mut state.faults.drop_echo) {
        talk::message(state, peer, &commit.id, None, "guest", &commit.text, now);
    }
    talk::hear(state, peer, &Said::Text(commit.text), false);
}
