//! What agents say and read: texts, ready-made answers, typing; texts of messages by their ids.
//!
//! Assumed: a ready-made answer goes as the text of its response; ids that a bulk look-up does not know are left out;
//! a message cannot be sent while the conversation is parked.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::super::attach;
use super::super::faults::Faults;
use super::super::flows::fields::{self, Fields};
use super::super::flows::{self, Answer, No};
use super::super::frame::{Channel, Entity, Structured};
use super::super::ids;
use super::super::limits::MINUTE;
use super::super::state::State;
use super::call::{Call, no, not_found, ok};
use super::conversation::{Conversation, Message};
use super::{desk, guest, notify, shape};
use crate::model::Now;

pub(super) const SEND: [&str; 2] = ["conversation:message:create", "conversation:webmessaging:create"];
/// Ids in one look-up.
const BULK: usize = 1000;

/// The conversation and the agent's part of it that the path's communication is, and its guest's session.
pub(super) fn mine(call: &Call) -> Result<(u32, usize, u32), No> {
    let me = call.me()?;
    let number = desk::conversation(call)?;
    let (c, id) = (desk::of(call, number)?, call.part("communication"));
    let place = c.place(|p| p.communication == id).ok_or_else(|| match c.place(|p| p.id == id) {
        Some(_) => {
            let text = format!("Communication {} not found: it is a participant", fields::told(id));
            no(404, "not.found", &text)
        }
        None => not_found("Communication", id),
    })?;
    let part = c.participants.get(place).ok_or_else(|| not_found("Communication", id))?;
    if part.user != Some(me) {
        return Err(no(403, "not.authorized", "The communication is not the user's who asks"));
    }
    if !part.is_live() {
        return Err(desk::gone(call, number, place));
    }
    if !part.is_connected() || part.parked.is_some() {
        let text = "The communication is not connected: answer it, or take it back from where it is parked, first";
        return Err(no(409, "message.not.allowed", text));
    }
    let session = c.session.filter(|s| call.state.sessions.contains_key(s));
    let session = session.ok_or_else(|| no(409, "message.not.allowed", "The guest is gone"))?;
    Ok((number, place, session))
}

/// `POST …/communications/{id}/messages`.
pub(super) fn send(call: &mut Call) -> Answer {
    call.need(&SEND)?;
    let (number, place, session) = mine(call)?;
    let body = fields::object(call.body)?;
    let (text, content) = said(call, session, &body)?;
    let (state, now) = (&mut *call.state, call.now);
    let name = call.user.and_then(|n| state.platform.at(n)).map_or("Agent", |u| u.name);
    let mut message = state.outbound("Text", now);
    message.text = text;
    message.originating_entity = Some(Entity::Human);
    message.content = Some(content);
    message.channel = Some(Channel {
        time: Some(state.iso(now)),
        kind: Some("Private"),
        message_id: Some(ids::uuid()),
        from: Some(json!({ "nickname": name })),
        to: Some(json!({})),
    });
    let kept = Message::of(&message, call.user);
    let id = kept.id.clone();
    if let Some(c) = state.platform.conversations.at_mut(number) {
        c.say(place, kept);
    }
    let reached = state.sessions.get(&session).is_some_and(|s| !s.conns.is_empty());
    deliver(state, session, message, now);
    notify::conversation(state, number, now);
    if !reached {
        notify::undelivered(state, number, place, &id, now);
    }
    let told = data(call, number, &id).unwrap_or_default();
    ok(&told)
}

/// Text and content of what is to be sent: exactly one of the body's ways to say something.
fn said(call: &mut Call, session: u32, body: &Value) -> Result<(Option<String>, Vec<Value>), No> {
    let mut f = Fields::of(body);
    let there = |name: &str| body.get(name).is_some_and(|v| !v.is_null() && *v != "" && *v != json!([]));
    let given: Vec<&str> = ["textBody", "mediaIds", "messagingTemplate"].into_iter().filter(|n| there(n)).collect();
    match given[..] {
        ["textBody"] => {
            let text = f.text("textBody").to_owned();
            let (length, most) = (text.chars().count(), call.state.platform.switches.text_chars as usize);
            if length > most {
                f.fault("textBody", format!("{length} characters are more than {most}"));
            }
            f.done()?;
            Ok((Some(text), Vec::new()))
        }
        ["mediaIds"] => {
            let media = f.list("mediaIds");
            f.done()?;
            let content = media.iter().map(|id| {
                let id = id.as_str().unwrap_or_default();
                let part = json!({ "attachment": { "id": id } });
                if attach::check(call.state, session, &part).is_err() {
                    let text = format!("{} is not the id of a file that was uploaded", fields::told(id));
                    return Err(fields::wrong("mediaIds", &text));
                }
                let mut part = part;
                attach::refer(call.state, session, &mut part, call.now);
                Ok(part)
            });
            Ok((None, content.collect::<Result<_, _>>()?))
        }
        ["messagingTemplate"] => {
            let id = f.text("messagingTemplate.responseId").to_owned();
            f.done()?;
            let text = call.state.platform.replies.text(&id).ok_or_else(|| not_found("Response", &id))?;
            Ok((Some(text.to_owned()), Vec::new()))
        }
        [] => {
            Err(no(400, "invalid.message.structure", "One of textBody, mediaIds and messagingTemplate must be there"))
        }
        _ => {
            let text = format!("Only one of {} can be in a message", given.join(", "));
            Err(no(400, "invalid.message.structure", &text))
        }
    }
}

/// To the guest, through the faults that make it another message.
fn deliver(state: &mut State, session: u32, mut message: Structured, now: Now) {
    let f = &mut state.faults;
    if Faults::spend(&mut f.lose.outbound) {
        return;
    }
    if message.text.is_some() && Faults::spend(&mut f.alter.outbound) {
        message.text = message.text.map(|t| guest::altered(&t));
    }
    if Faults::spend(&mut f.twice.outbound) {
        state.push_as_agent(session, message.clone(), now);
        message.id = ids::hex32();
    }
    state.push_as_agent(session, message, now);
}

/// `POST …/communications/{id}/typing`.
pub(super) fn typing(call: &mut Call) -> Answer {
    call.need(&SEND)?;
    let (number, _, session) = mine(call)?;
    let body = fields::object(call.body)?;
    let mut f = Fields::of(&body);
    if f.text("typing.type") != "On" && f.at("typing.type").is_some() {
        f.fault("typing.type", "is not “On”");
    }
    let duration = if f.at("typing.duration").is_some() { f.whole("typing.duration", 1..=60_000) } else { None };
    f.done()?;
    let most = call.state.platform.switches.typing_per_minute;
    if let Some(c) = call.state.platform.conversations.at_mut(number) {
        flows::rate(&mut c.typing, most, MINUTE, call.now)?;
    }
    let name = call.user.and_then(|n| call.state.platform.at(n)).map_or("Agent", |u| u.name);
    call.state.push_agent_typing(session, name, duration.unwrap_or(5000), call.now);
    Ok(StatusCode::OK.into_response())
}

/// A message with its text, as REST tells it; its files with fresh links.
fn data(call: &mut Call, number: u32, id: &str) -> Option<Value> {
    let (state, now) = (&mut *call.state, call.now);
    let c = state.platform.conversations.at(number)?;
    let (m, conversation, session) = (c.message(id)?.clone(), c.id.clone(), c.session);
    let mut content = m.content.clone();
    if let Some(session) = session {
        for part in content.iter_mut().filter(|p| p["contentType"] == "Attachment") {
            if let Some(id) = part["attachment"]["id"].as_str().map(str::to_owned)
                && state.files.get(session, &id).is_some()
            {
                *part = attach::content(state, session, &id, now);
            }
        }
    }
    let user = m.user.and_then(|n| state.platform.at(n));
    let (way, small) = if m.inbound { ("Inbound", "inbound") } else { ("Outbound", "outbound") };
    let from = user.map_or(json!({}), |u| json!({ "nickname": u.name }));
    let mut normalized = json!({
        "id": m.id, "type": m.kind, "text": m.text, "direction": way, "originatingEntity": m.entity,
        "channel": {
            "platform": "WebMessaging", "type": "Private", "messageId": m.channel_message_id, "time": m.at,
            "from": from, "to": {},
        },
        "content": content, "metadata": m.metadata,
    });
    if !m.events.is_empty() {
        normalized["events"] = m.events.clone().into();
    }
    let mut all = json!({
        "id": m.id, "providerMessageId": m.channel_message_id, "timestamp": m.at, "direction": small,
        "messengerType": "webmessaging", "textBody": m.text, "status": m.status, "media": shape::media(&content),
        "normalizedMessage": normalized, "conversationId": conversation,
        "selfUri": format!("/api/v2/conversations/messages/{conversation}/messages/{id}"),
    });
    if let Some(user) = user {
        all["createdBy"] = json!({ "id": user.id });
    }
    Some(all)
}

/// `GET /api/v2/conversations/messages/{id}/messages/{message}`.
pub(super) fn one(call: &mut Call) -> Answer {
    call.need(&desk::VIEW)?;
    let number = desk::conversation(call)?;
    let id = call.part("message").to_owned();
    let told = data(call, number, &id).ok_or_else(|| not_found("Message", &id))?;
    ok(&told)
}

/// `POST /api/v2/conversations/messages/{id}/messages/bulk`.
pub(super) fn bulk(call: &mut Call) -> Answer {
    call.need(&desk::VIEW)?;
    let number = desk::conversation(call)?;
    let wished: Vec<String> = serde_json::from_slice(call.body)
        .map_err(|e| no(400, "bad.request", &format!("The body is not a JSON list of ids: {e}")))?;
    if wished.len() > BULK {
        return Err(no(400, "invalid.value", &format!("{} ids are more than {BULK}", wished.len())));
    }
    let found: Vec<Value> = wished.iter().filter_map(|id| data(call, number, id)).collect();
    ok(&json!({ "entities": found }))
}

/// `GET /api/v2/conversations/messages/{message}/details`: also tells which conversation it is of.
pub(super) fn details(call: &mut Call) -> Answer {
    call.need(&desk::VIEW)?;
    let id = call.part("id").to_owned();
    let known = |c: &Conversation| c.message(&id).is_some();
    let number = call.state.platform.conversations.iter().find(|(.., c)| known(c)).map(|(n, ..)| n);
    let told = number.and_then(|n| data(call, n, &id)).ok_or_else(|| not_found("Message", &id))?;
    ok(&told)
}
