//! Conversations whose id the client makes, kept alive by heartbeats and limited in time.
//!
//! Assumed, since the description does not say: sequences of heartbeats may have gaps; an id is used once, also after
//! its conversation has ended, for as long as that is remembered; nobody says anything in these conversations.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State as Shares};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::super::shared::Shared;
use super::super::state::State;
use super::super::{api, server};
use super::fields::{self, Fields, told};
use super::shelf::Shelf;
use super::{Answer, No, answer, bearer, signed_guest};
use crate::model::{Mono, Now};

/// Active conversations at once.
const ACTIVE: usize = 500;
/// All that are remembered; the oldest that has ended goes.
const MANY: usize = 3 * ACTIVE;
/// Longest life in seconds.
const LONGEST: i64 = 2700;
/// Longest time between two heartbeats.
const BEAT: Duration = Duration::from_secs(30);
/// So many heartbeats may be missed.
const MISSED: u32 = 3;
const SCOPES: [&str; 2] = ["conversation:write", "webchat:write"];
const CAPABILITIES: [&str; 2] = ["typing-indicator", "read-receipts"];

/// Why a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Idle,
    Duration,
    Disconnected,
}

impl Ended {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Duration => "duration",
            Self::Disconnected => "disconnected",
        }
    }
}

pub(super) struct Managed {
    pub(super) guest_id: String,
    pub(super) opened: Mono,
    life: Duration,
    beaten: Mono,
    /// The highest sequence of a heartbeat.
    sequence: Option<i64>,
    pub(super) beats: u64,
    pub(super) ended: Option<Ended>,
}

impl Managed {
    /// Without a heartbeat it ends as idle after so long.
    fn patience(&self) -> Duration {
        BEAT.min(self.life / 10) * MISSED
    }

    /// Until it ends, and why it would.
    fn left(&self, now: Now) -> (Duration, Ended) {
        let idle = self.patience().saturating_sub(now.mono.since(self.beaten));
        let life = self.life.saturating_sub(now.mono.since(self.opened));
        if life <= idle { (life, Ended::Duration) } else { (idle, Ended::Idle) }
    }
}

pub(super) fn shelf() -> Shelf<Managed> {
    Shelf::new(MANY)
}

/// Ends what is over; the time until the next end.
pub(super) fn sweep(shelf: &mut Shelf<Managed>, now: Now) -> Option<Duration> {
    let mut next: Option<Duration> = None;
    for conversation in shelf.iter_mut().filter(|c| c.ended.is_none()) {
        let (left, why) = conversation.left(now);
        if left.is_zero() {
            conversation.ended = Some(why);
        } else {
            next = Some(next.map_or(left, |n| n.min(left)));
        }
    }
    next
}

/// `POST /api/v2/conversations/messaging`: of signed guests by `contactId`, of managed conversations by `from`.
pub(in crate::sandbox) async fn create(
    Shares(shared): Shares<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.act(|state, now| {
        answer(bearer::client(state, &headers, now).and_then(|client| {
            let body = fields::object(&body)?;
            match () {
                () if body.get("contactId").is_some() => signed_guest::converse(state, &client, &headers, &body, now),
                () if body.get("from").is_some() => create_now(state, &client, &body, now),
                () => Err(fields::wrong("from", "is missing, and so is contactId: one of them is needed")),
            }
        }))
    })
}

fn create_now(state: &mut State, client: &bearer::Client, body: &Value, now: Now) -> Answer {
    client.need(&SCOPES)?;
    let mut fields = Fields::of(body);
    let id = fields.text("id");
    if !id.is_empty() && uuid::Uuid::try_parse(id).is_err() {
        fields.fault("id", format!("{} is not a UUID", told(id)));
    }
    let guest_id = fields.text("from.id");
    let name = fields.text("from.name");
    fields.word("from.type", "user");
    let queues = queues(&mut fields);
    fields.word("type", "messaging");
    fields.word("channelAddress", "web");
    fields.text("context.locale");
    fields.text("context.userAgent");
    let capabilities = fields.list("context.capabilities");
    for needed in CAPABILITIES {
        if fields.at("context.capabilities").is_some_and(Value::is_array)
            && !capabilities.iter().any(|c| c.as_str() == Some(needed))
        {
            fields.fault("context.capabilities", format!("“{needed}” is not among them"));
        }
    }
    let seconds = fields.whole("metadata.sessionDurationLimit", 1..=LONGEST).unwrap_or_default();
    fields.secret("metadata.guestIdToken");
    fields.time("metadata.initiatedAt");
    fields.done()?;
    if let Some(unknown) = queues.iter().find(|q| !state.knows_queue(q)) {
        return Err(api::error(404, "not.found", &format!("to.id: queue {} not found", told(unknown))).into());
    }
    let shelf = &mut state.flows.managed;
    if shelf.find(id).is_some() {
        return Err(api::error(409, "conflict", &format!("id: {} is in use", told(id))).into());
    }
    let active = shelf.iter().filter(|(_, _, c)| c.ended.is_none()).count();
    let most = ACTIVE.min(state.flows.switches.most_conversations as usize);
    if active >= most {
        let text = format!("Concurrent sessions ({active}) reached maximum ({most})");
        return Err(api::error(429, "too.many.sessions", &text).into());
    }
    let life = Duration::from_secs(seconds.unsigned_abs());
    let conversation = Managed {
        guest_id: guest_id.to_owned(),
        opened: now.mono,
        life,
        beaten: now.mono,
        sequence: None,
        beats: 0,
        ended: None,
    };
    let left = conversation.left(now).0;
    shelf.insert(id.to_owned(), conversation, |c| c.ended.is_some());
    state.ends_within(left, now);
    let mut participants = vec![json!({ "id": guest_id, "name": name, "purpose": "customer" })];
    participants.extend(queues.iter().map(|q| json!({ "id": q, "purpose": "acd" })));
    let expires = state.iso(Now { wall: now.wall + life, ..now });
    let body = json!({ "id": id, "state": "connected", "participants": participants, "expiresAt": expires });
    Ok(server::json(StatusCode::CREATED, &body))
}

/// Ids of the queues that a conversation is for: at least one.
fn queues<'a>(fields: &mut Fields<'a>) -> Vec<&'a str> {
    let to = fields.list("to");
    if fields.at("to").is_some_and(Value::is_array) && to.is_empty() {
        fields.fault("to", "[] is empty; at least one queue is needed");
    }
    let mut all = Vec::new();
    for (k, entry) in to.iter().enumerate() {
        if entry.get("type").and_then(Value::as_str) != Some("queue") {
            fields.fault(&format!("to[{k}].type"), "is not “queue”");
        }
        match entry.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()) {
            Some(id) => all.push(id),
            None => fields.fault(&format!("to[{k}].id"), "is missing, or not a text"),
        }
    }
    all
}

/// `PATCH /api/v2/conversations/messaging/{id}`: a heartbeat, or the end.
pub(in crate::sandbox) async fn patch(
    Shares(shared): Shares<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.act(|state, now| answer(patch_now(state, &id, &headers, &body, now)))
}

fn patch_now(state: &mut State, id: &str, headers: &HeaderMap, body: &[u8], now: Now) -> Answer {
    bearer::client(state, headers, now)?.need(&SCOPES)?;
    let body = fields::object(body)?;
    let conversation = active(state, id)?;
    let mut fields = Fields::of(&body);
    if fields.at("status").is_some() {
        fields.word("status", "disconnected");
        fields.done()?;
        conversation.ended = Some(Ended::Disconnected);
        return Ok(server::json(StatusCode::OK, &json!({ "id": id, "state": "disconnected" })));
    }
    fields.time("context.lastActivityTimestamp");
    let sequence = fields.whole("context.heartbeatSequence", 0..=i64::MAX);
    if let (Some(sequence), Some(last)) = (sequence, conversation.sequence)
        && sequence <= last
    {
        fields.fault("context.heartbeatSequence", format!("{sequence} is not greater than the last, {last}"));
    }
    fields.done()?;
    conversation.sequence = sequence;
    conversation.beats += 1;
    conversation.beaten = now.mono;
    let body = json!({ "id": id, "state": "connected", "heartbeatSequence": sequence });
    Ok(server::json(StatusCode::OK, &body))
}

fn active<'a>(state: &'a mut State, id: &str) -> Result<&'a mut Managed, No> {
    let gone = |text: String| api::error(404, "not.found", &text).into();
    let Some(conversation) = state.flows.managed.find_mut(id) else {
        return Err(gone(format!("Conversation {} not found", told(id))));
    };
    let Some(ended) = conversation.ended else { return Ok(conversation) };
    let patience = conversation.patience().as_secs_f64();
    let life = conversation.life.as_secs();
    let why = match ended {
        Ended::Idle => format!("idle: no heartbeat for {patience} s"),
        Ended::Duration => format!("duration: its {life} s are over"),
        Ended::Disconnected => "disconnected: by a request".to_owned(),
    };
    Err(gone(format!("Conversation {} has ended ({why})", told(id))))
}
