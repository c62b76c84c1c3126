//! The two shapes of a conversation. The media one has no communication ids, the generic one calls communications
//! `messages`; neither has a text.
//!
//! Assumed: an `attributes` member of the guest begins with `context.`; notifications tell the newest messages of each
//! participant only, REST tells all.

use serde_json::{Map, Value, json};

use super::Platform;
use super::conversation::{Conversation, Message, Participant, Purpose, Stage};

/// Who is told.
#[derive(Clone, Copy)]
pub(super) enum To {
    Rest,
    /// A notification, with at most so many messages of each participant.
    Push(usize),
}

const PROVIDER: &str = "Webmessaging";

/// Sets what is there.
fn set(map: &mut Value, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        map[key] = value.into();
    }
}

fn name<'a>(p: &'a Platform, part: &Participant) -> &'a str {
    match part.purpose {
        Purpose::Customer => "Guest",
        Purpose::Workflow => "Sandbox",
        Purpose::Acd => part.queue.and_then(|q| p.queues.get(q)).map_or("Queue", |q| q.name),
        Purpose::Agent => part.user.and_then(|n| p.at(n)).map_or("Agent", |u| u.name),
    }
}

/// Members that both shapes have, of the participant itself.
fn common(p: &Platform, part: &Participant) -> Value {
    let mut all = json!({
        "id": part.id, "name": name(p, part), "purpose": part.purpose.word(), "startTime": part.started,
        "attributes": part.attributes, "mediaRoles": ["full"],
    });
    if part.is_agent() {
        all["wrapupRequired"] = part.wrapup_required().into();
        all["wrapupPrompt"] = part.wrapup_prompt.word().into();
        all["alertingTimeoutMs"] = part.alerting_ms.into();
    }
    set(&mut all, "connectedTime", part.connected.as_deref());
    set(&mut all, "endTime", part.ended.as_deref());
    set(&mut all, "wrapup", part.wrapup.clone());
    set(&mut all, "wrapupSkipped", part.wrapup_skipped.then_some(true));
    set(&mut all, "startAcwTime", part.acw_started.as_deref());
    set(&mut all, "endAcwTime", part.acw_ended.as_deref());
    all
}

/// The communication at the other end.
fn peer<'a>(c: &'a Conversation, part: &Participant) -> Option<&'a str> {
    match part.purpose {
        Purpose::Customer => {
            c.participants.iter().rfind(|p| p.purpose != Purpose::Customer).map(|p| p.communication.as_str())
        }
        _ => c.customer().map(|p| p.communication.as_str()),
    }
}

fn addresses(c: &Conversation, part: &Participant) -> (Value, Value) {
    let guest = json!({ "name": "Guest", "addressNormalized": c.customer().map(|p| p.id.as_str()) });
    let here = json!({ "name": "Sandbox" });
    if part.purpose == Purpose::Customer { (guest, here) } else { (here, guest) }
}

/// Media of a message that bears files.
pub(super) fn media(content: &[Value]) -> Vec<Value> {
    let files = content.iter().filter(|c| c["contentType"] == "Attachment").map(|c| &c["attachment"]);
    files
        .map(|a| {
            json!({
                "id": a["id"], "name": a["filename"], "url": a["url"], "mediaType": a["mime"],
                "contentLengthBytes": a["fileSize"],
            })
        })
        .collect()
}

fn reference(c: &Conversation, m: &Message, to: To) -> Value {
    let mut metadata = json!({ "type": m.kind });
    if !m.events.is_empty() {
        metadata["events"] =
            m.events.iter().map(|e| json!({ "eventType": e["eventType"], "subType": e["presence"]["type"] })).collect();
    }
    if !m.content.is_empty() {
        metadata["content"] = m.content.iter().map(|c| json!({ "contentType": c["contentType"] })).collect();
    }
    let mut all = json!({
        "messageTime": m.at, "messageStatus": m.status, "messageSegmentCount": 1, "media": media(&m.content),
        "messageMetadata": metadata,
    });
    match to {
        To::Push(_) => all["message"] = json!({ "id": m.id }),
        To::Rest => {
            all["messageId"] = m.id.as_str().into();
            all["messageURI"] = format!("/api/v2/conversations/messages/{}/messages/{}", c.id, m.id).into();
        }
    }
    all
}

fn messages(c: &Conversation, part: &Participant, to: To) -> Vec<Value> {
    let skip = match to {
        To::Rest => 0,
        To::Push(most) => part.messages.len().saturating_sub(most),
    };
    part.messages.iter().skip(skip).map(|m| reference(c, m, to)).collect()
}

fn state(part: &Participant, parked_is_a_state: bool) -> &'static str {
    match part.stage {
        Stage::Alerting => "alerting",
        Stage::Connected if parked_is_a_state && part.parked.is_some() => "parked",
        Stage::Connected => "connected",
        Stage::Disconnected => "disconnected",
    }
}

/// `/conversations/messages/{id}`, and its topics.
pub(super) fn of_media(p: &Platform, c: &Conversation, to: To) -> Value {
    let participants = c.participants.iter().map(|part| {
        let (from, here) = addresses(c, part);
        let mut all = common(p, part);
        let more = json!({
            "state": state(part, false), "direction": "inbound", "held": part.held.is_some(), "type": "webmessaging",
            "provider": PROVIDER, "authenticated": part.authenticated, "peer": peer(c, part), "fromAddress": from,
            "toAddress": here, "messages": messages(c, part, to),
        });
        extend(&mut all, more);
        set(&mut all, "disconnectType", part.disconnect_type);
        set(&mut all, "startHoldTime", part.held.as_deref());
        set(&mut all, "parkTime", part.parked.as_deref());
        set(&mut all, "startAlertingTime", part.is_agent().then_some(part.started.as_str()));
        set(&mut all, "user", part.user.and_then(|n| p.at(n)).map(|u| json!({ "id": u.id })));
        set(&mut all, "queue", part.queue.and_then(|q| p.queues.get(q)).map(|q| json!({ "id": q.id })));
        all
    });
    let participants: Vec<Value> = participants.collect();
    let mut all = json!({ "id": c.id, "participants": participants, "otherMediaUris": [] });
    if let To::Rest = to {
        all["selfUri"] = format!("/api/v2/conversations/messages/{}", c.id).into();
    }
    all
}

/// `/conversations/{id}`, and its topic.
pub(super) fn generic(p: &Platform, c: &Conversation, to: To) -> Value {
    let participants = c.participants.iter().map(|part| {
        let mut all = common(p, part);
        let queue = part.queue.and_then(|q| p.queues.get(q));
        set(&mut all, "userId", part.user.and_then(|n| p.at(n)).map(|u| u.id.as_str()));
        set(&mut all, "queueId", queue.map(|q| q.id.as_str()));
        set(&mut all, "queueName", queue.map(|q| q.name));
        all["messages"] = json!([communication(c, part, to)]);
        all
    });
    let participants: Vec<Value> = participants.collect();
    let mut all = json!({ "id": c.id, "startTime": c.started, "participants": participants });
    set(&mut all, "endTime", c.ended.as_deref());
    if let To::Rest = to {
        all["selfUri"] = format!("/api/v2/conversations/{}", c.id).into();
    }
    all
}

fn communication(c: &Conversation, part: &Participant, to: To) -> Value {
    let (from, here) = addresses(c, part);
    let mut all = json!({
        "id": part.communication, "state": state(part, true), "direction": "inbound", "held": part.held.is_some(),
        "type": "webmessaging", "provider": PROVIDER, "authenticated": part.authenticated, "peerId": peer(c, part),
        "initialState": if part.is_agent() { "alerting" } else { "connected" }, "segments": [],
        "fromAddress": from, "toAddress": here, "messages": messages(c, part, to),
    });
    if part.is_agent() {
        all["afterCallWorkRequired"] = part.wrapup_required().into();
    }
    set(&mut all, "startAlertingTime", part.is_agent().then_some(part.started.as_str()));
    set(&mut all, "connectedTime", part.connected.as_deref());
    set(&mut all, "disconnectedTime", part.ended.as_deref());
    set(&mut all, "disconnectType", part.disconnect_type);
    set(&mut all, "startHoldTime", part.held.as_deref());
    set(&mut all, "parkTime", part.parked.as_deref());
    set(&mut all, "wrapup", part.wrapup.clone());
    if let Some(start) = &part.acw_started {
        let state = if part.acw_ended.is_some() { "complete" } else { "pending" };
        all["afterCallWork"] = json!({ "state": state, "startTime": start, "endTime": part.acw_ended });
    }
    all
}

fn extend(all: &mut Value, more: Value) {
    if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
        all.extend::<Map<String, Value>>(more);
    }
}
