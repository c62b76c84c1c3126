//! `onMessage` in all its variants: text, files, answers to buttons, typing, join, clear.

use std::collections::BTreeMap;

use serde_json::Value;

use super::attach;
use super::faults::Faults;
use super::frame::{self, Channel, Entity, Structured, Way};
use super::guest::{No, Request, count_message, session_of};
use super::ids;
use super::outbound::is_typing;
use super::partner::Said;
use super::platform;
use super::request::{self, GuestChannel, GuestMessage};
use super::rich;
use super::state::State;

/// Custom attributes kept per session. Ours: a sandbox must not grow without end.
const ATTRIBUTES: usize = 1000;

pub(super) fn take(state: &mut State, r: &Request) -> Result<(), No> {
    let id = session_of(state, r)?;
    let want: request::Send = request::read(r.value).map_err(No::bad)?;
    let Some(mut message) = want.message else { return Err(No::missing("message")) };
    let events = message.events.take().unwrap_or_default();
    let of_events = match message.kind.as_deref() {
        Some(kind) => kind == "Event",
        None => !events.is_empty(),
    };
    if of_events && events.is_empty() {
        return Err(No::missing("message.events"));
    }
    if !of_events {
        ordered_refusal(state)?;
        count_message(state, id, r.now)?;
    }
    let mut attributes = want.channel.map(GuestChannel::attributes).unwrap_or_default();
    attributes.extend(message.channel.take().map(GuestChannel::attributes).unwrap_or_default());
    check_attributes(state, &attributes)?;
    if let Some(text) = &message.text {
        let most = state.limits.message_bytes as usize;
        if text.len() > most {
            return Err(No::Error(4011, format!("Message length {} is larger than {most}", text.len())));
        }
    }
    if state.sessions.get(&id).is_some_and(|s| s.read_only) {
        return Err(No::Error(409, "Conversation is read-only".to_owned()));
    }
    if let Some(s) = state.sessions.get_mut(&id) {
        if s.attributes.len() + attributes.len() > ATTRIBUTES {
            return Err(No::bad(format!("The session has more than {ATTRIBUTES} custom attributes")));
        }
        s.attributes.extend(attributes);
    }
    if of_events { take_events(state, id, message, events, r) } else { take_message(state, id, message, r) }
}

/// Refusals that were ordered.
fn ordered_refusal(state: &mut State) -> Result<(), No> {
    let faults = &mut state.faults;
    if Faults::spend(&mut faults.rate_limit_sends) {
        return Err(No::TooMany(faults.retry_after, "Message rate too high for this session"));
    }
    if Faults::spend(&mut faults.refuse_sends) {
        return Err(No::Error(faults.refuse_code, faults.refuse_text.clone()));
    }
    Ok(())
}

fn check_attributes(state: &State, attributes: &BTreeMap<String, Value>) -> Result<(), No> {
    let most = state.limits.attribute_bytes as usize;
    let bytes: usize = attributes
        .iter()
        .map(|(key, value)| key.len() + value.as_str().map_or_else(|| value.to_string().len(), str::len))
        .sum();
    if bytes > most {
        return Err(No::Error(4013, format!("Custom Attributes in channel metadata is larger than {most} bytes")));
    }
    Ok(())
}

fn take_message(state: &mut State, id: u32, message: GuestMessage, r: &Request) -> Result<(), No> {
    let mut content = message.content.unwrap_or_default();
    let kind = match message.kind.as_deref() {
        // A file alone comes without a type and goes back as text without text.
        None => "Text",
        Some(kind @ ("Text" | "Structured")) => kind,
        // Named in the schema; treated as text. Assumed: no client sends them.
        Some("Message" | "Receipt") => "Text",
        Some(other) => return Err(No::bad(format!("Unknown message type: {other}"))),
    };
    let text = message.text.filter(|t| !t.is_empty());
    if text.is_none() && content.is_empty() {
        return Err(No::missing("message.text"));
    }
    for part in &content {
        match part.get("contentType").and_then(Value::as_str) {
            None => return Err(No::missing("message.content.contentType")),
            Some("Attachment") => attach::check(state, id, part)?,
            Some("ButtonResponse") if !part["buttonResponse"].is_object() => {
                return Err(No::missing("message.content.buttonResponse"));
            }
            Some(_) => {}
        }
    }
    rich::check(state, id, &content, message.metadata.as_ref())?;
    for part in &mut content {
        attach::refer(state, id, part, r.now);
    }
    let said = Said::of(text.as_deref(), &content);
    let message = inbound(state, kind, text, content, Vec::new(), message.metadata, r);
    send_back(state, id, message.clone(), r);
    if platform::said(state, id, &message, r.now) {
        tell_partner(state, id, said);
    }
    Ok(())
}

fn take_events(state: &mut State, id: u32, message: GuestMessage, events: Vec<Value>, r: &Request) -> Result<(), No> {
    let mut joined = false;
    let mut cleared = false;
    for event in &events {
        match event.get("eventType").and_then(Value::as_str) {
            None => return Err(No::missing("message.events.eventType")),
            Some("Typing") if !state.deployment.typing => {
                let text = "Turn on the Feature Toggle or fix the configuration.";
                return Err(No::Error(403, text.to_owned()));
            }
            Some("Presence") => match event["presence"]["type"].as_str() {
                Some("Join") => joined = true,
                Some("Clear") if !state.deployment.conversation_clear => {
                    let text = "Presence events Conversation Clear are not supported";
                    return Err(No::Error(403, text.to_owned()));
                }
                Some("Clear") => cleared = true,
                Some(other) => return Err(No::bad(format!("Presence events {other} are not supported"))),
                None => return Err(No::missing("message.events.presence.type")),
            },
            // Typing, and kinds that only an agent could do something with.
            Some(_) => {}
        }
    }
    let message = inbound(state, "Event", None, Vec::new(), events, message.metadata, r);
    send_back(state, id, message.clone(), r);
    if cleared {
        platform::cleared(state, id, &message, r.now);
        clear(state, id, r);
    } else if joined {
        if platform::said(state, id, &message, r.now) {
            tell_partner(state, id, Said::Joined);
        }
    } else {
        platform::typed(state, id, message.events.as_deref().unwrap_or_default(), r.now);
    }
    Ok(())
}

/// The conversation is forgotten: all connections are told and closed.
fn clear(state: &mut State, id: u32, r: &Request) {
    state.broadcast(id, &frame::message("SessionClearedEvent", serde_json::json!({}), None), r.now);
    state.broadcast(id, &frame::connection_closed(), r.now);
    for conn in state.conns_of(id) {
        state.close_conn(conn, 1000, "Conversation was cleared", r.now);
    }
    state.forget_session(id);
}

fn inbound(
    state: &State,
    kind: &str,
    text: Option<String>,
    content: Vec<Value>,
    events: Vec<Value>,
    metadata: Option<BTreeMap<String, String>>,
    r: &Request,
) -> Structured {
    let mut all = metadata.unwrap_or_default();
    all.extend(ids::correlation());
    Structured {
        id: ids::hex32(),
        kind: kind.to_owned(),
        text,
        direction: Way::Inbound,
        originating_entity: None,
        channel: Some(Channel { time: Some(state.iso(r.now)), message_id: Some(ids::uuid()), ..Channel::default() }),
        content: Some(content).filter(|c| !c.is_empty()),
        events: Some(events).filter(|e| !e.is_empty()),
        metadata: Some(all),
    }
}

/// Sends a guest's message back to every connection of the session; only the sender's frame bears its tracing id.
fn send_back(state: &mut State, id: u32, mut message: Structured, r: &Request) {
    state.slide(id, r.now);
    if state.sessions.get(&id).is_some_and(|s| s.member.is_some()) {
        message.metadata.get_or_insert_default().insert("authenticated".to_owned(), "true".to_owned());
    }
    if !Faults::spend(&mut state.faults.drop_echo) {
        for conn in state.conns_of(id) {
            let tracing_id = r.tracing_id.filter(|_| conn == r.conn);
            state.post(conn, &frame::message("StructuredMessage", &message, tracing_id), r.now);
        }
    }
    if !is_typing(&message) {
        state.remember(id, Structured { originating_entity: Some(Entity::Human), ..message });
    }
}

fn tell_partner(state: &mut State, id: u32, said: Said) {
    if state.faults.partner_paused {
        return;
    }
    if let Some(s) = state.sessions.get(&id) {
        // A partner that is far behind leaves a message unanswered, as people do.
        let _ = s.partner.try_send(said);
    }
}
