//! What an agent does with its part of a conversation: answer, hold, park, disconnect, wrap up, attributes.
//!
//! Assumed: an answer that comes too late is a conflict (409) that names who has the conversation; where a wrap-up is
//! mandatory, skipping it is refused; the emergency end gives a code of the system to whoever owes one.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::deployment::DisconnectMode;
use super::super::flows::fields::{self, Fields};
use super::super::flows::{Answer, No};
use super::super::server;
use super::super::state::State;
use super::call::{Call, accepted, no, not_found, ok};
use super::conversation::{Conversation, Participant, Purpose, Stage};
use super::queues::Code;
use super::shape::{self, To};
use super::{guest, notify, routing};
use crate::model::Now;

pub(super) const VIEW: [&str; 2] = ["conversation:message:view", "conversation:webmessaging:view"];
/// Attributes of a participant.
const ATTRIBUTES: usize = 1000;

/// The conversation that the path names.
pub(super) fn conversation(call: &Call) -> Result<u32, No> {
    let id = call.part("id");
    call.state.platform.conversations.number(id).ok_or_else(|| not_found("Conversation", id))
}

pub(super) fn of<'a>(call: &'a Call, number: u32) -> Result<&'a Conversation, No> {
    call.state.platform.conversations.at(number).ok_or_else(|| not_found("Conversation", call.part("id")))
}

/// The conversation and participant that the path names.
pub(super) fn party(call: &Call) -> Result<(u32, usize), No> {
    let number = conversation(call)?;
    let (c, id) = (of(call, number)?, call.part("participant"));
    let place = c.place(|p| p.id == id).ok_or_else(|| match c.place(|p| p.communication == id) {
        Some(_) => no(404, "not.found", &format!("Participant {} not found: it is a communication", fields::told(id))),
        None => not_found("Participant", id),
    })?;
    Ok((number, place))
}

/// As [`party`], which must be the part of whoever asks.
pub(super) fn own(call: &Call) -> Result<(u32, usize), No> {
    let me = call.me()?;
    let (number, place) = party(call)?;
    let part = of(call, number)?.participants.get(place);
    match part.is_some_and(|p| p.user == Some(me)) {
        true => Ok((number, place)),
        false => Err(no(403, "not.authorized", "The participant is not the user who asks")),
    }
}

/// As [`own`], with the communication that the path names as well.
fn own_communication(call: &Call) -> Result<(u32, usize), No> {
    let (number, place) = own(call)?;
    let id = call.part("communication");
    if of(call, number)?.participants.get(place).is_none_or(|p| p.communication != id) {
        return Err(not_found("Communication", id));
    }
    Ok((number, place))
}

fn part_mut(state: &mut State, number: u32, place: usize) -> Option<&mut Participant> {
    state.platform.conversations.at_mut(number)?.at_mut(place)
}

/// Why nothing more can be done with a part that has ended.
pub(super) fn gone(call: &Call, number: u32, place: usize) -> No {
    let p = &call.state.platform;
    let Some(c) = p.conversations.at(number) else { return not_found("Conversation", call.part("id")) };
    let why = c.participants.get(place).and_then(|p| p.disconnect_type).unwrap_or("client");
    let other = c.participants.iter().rfind(|p| p.is_agent() && p.is_connected()).and_then(|p| p.user);
    let text = match other.filter(|n| call.user != Some(*n)).and_then(|n| p.at(n)) {
        Some(user) => format!("The participant is disconnected ({why}): the conversation is with {} now", user.name),
        None => format!("The participant is disconnected ({why})"),
    };
    no(409, "conflict", &text)
}

/// `GET /api/v2/conversations` and `/api/v2/conversations/messages`: those in which the user has work.
fn mine(call: &Call, shape: fn(&super::Platform, &Conversation, To) -> Value) -> Answer {
    let p = &call.state.platform;
    let has_work = |c: &Conversation| c.participants.iter().any(|p| p.is_work() && p.user == call.user);
    let all = p.conversations.iter().filter(|(.., c)| call.user.is_some() && has_work(c));
    let all: Vec<Value> = all.map(|(_, _, c)| shape(p, c, To::Rest)).collect();
    let total = all.len();
    ok(&json!({
        "entities": all, "pageSize": total.max(25), "pageNumber": 1, "total": total,
        "pageCount": usize::from(total > 0),
    }))
}

pub(super) fn my_conversations(call: &mut Call) -> Answer {
    mine(call, shape::generic)
}

pub(super) fn my_message_conversations(call: &mut Call) -> Answer {
    mine(call, shape::of_media)
}

/// `GET /api/v2/conversations/{id}`.
pub(super) fn one(call: &mut Call) -> Answer {
    call.need(&VIEW)?;
    let number = conversation(call)?;
    ok(&shape::generic(&call.state.platform, of(call, number)?, To::Rest))
}

/// `GET /api/v2/conversations/messages/{id}`.
pub(super) fn one_of_media(call: &mut Call) -> Answer {
    call.need(&VIEW)?;
    let number = conversation(call)?;
    ok(&shape::of_media(&call.state.platform, of(call, number)?, To::Rest))
}

/// `PATCH …/participants/{id}`: state, hold, wrap-up.
pub(super) fn patch(call: &mut Call) -> Answer {
    let (number, place) = own(call)?;
    let body = fields::object(call.body)?;
    let mut f = Fields::of(&body);
    let word = if f.at("state").is_some() { f.text("state").to_ascii_lowercase() } else { String::new() };
    let held = flag(&mut f, "held");
    let skipped = flag(&mut f, "wrapupSkipped");
    let wrapup = f.at("wrapup").and_then(|_| f.object("wrapup", None)).cloned();
    f.done()?;
    match word.as_str() {
        "" => {}
        "connected" => answer(call, number, place)?,
        "disconnected" => disconnect(call, number, place),
        other => {
            return Err(fields::wrong("state", &format!("{} is not connected or disconnected", fields::told(other))));
        }
    }
    if let Some(held) = held {
        hold(call, number, place, held)?;
    }
    if let Some(wrapup) = wrapup {
        wrap_up(call, number, place, &wrapup)?;
    } else if skipped == Some(true) {
        skip_wrap_up(call, number, place)?;
    }
    accepted()
}

fn flag(f: &mut Fields, name: &str) -> Option<bool> {
    let value = f.at(name)?;
    if !value.is_boolean() {
        f.fault(name, "is not true or false");
    }
    value.as_bool()
}

fn answer(call: &mut Call, number: u32, place: usize) -> Result<(), No> {
    let at = call.state.iso(call.now);
    let Some(part) = part_mut(call.state, number, place) else { return Ok(()) };
    match part.stage {
        Stage::Connected => return Ok(()),
        Stage::Disconnected => return Err(gone(call, number, place)),
        Stage::Alerting => {}
    }
    part.stage = Stage::Connected;
    part.connected = Some(at.clone());
    part.alert_by = None;
    let user = part.user;
    if let Some(c) = call.state.platform.conversations.at_mut(number) {
        let leads = |p: &&mut Participant| matches!(p.purpose, Purpose::Acd | Purpose::Workflow);
        c.participants.iter_mut().filter(leads).for_each(|p| p.end("transfer", &at));
    }
    notify::conversation(call.state, number, call.now);
    routing::settle(call.state, user, call.now);
    Ok(())
}

fn disconnect(call: &mut Call, number: u32, place: usize) {
    let stage = part_mut(call.state, number, place).map(|p| p.stage);
    match stage {
        Some(Stage::Alerting) => routing::missed(call.state, number, place, "client", call.now),
        Some(Stage::Connected) => leave(call.state, number, place, "client", call.now),
        Some(Stage::Disconnected) | None => {}
    }
}

/// An agent leaves. With the last one, the conversation is over, and the guest is told as the deployment says.
pub(super) fn leave(state: &mut State, number: u32, place: usize, kind: &'static str, now: Now) {
    let at = state.iso(now);
    let Some(part) = part_mut(state, number, place) else { return };
    part.end(kind, &at);
    let user = part.user;
    let Some(c) = state.platform.conversations.at(number) else { return };
    let session = c.session;
    if c.has_agent() || c.live(Purpose::Acd).is_some() {
        notify::conversation(state, number, now);
        return routing::settle(state, user, now);
    }
    guest::end_all(state, number, "peer", kind, now);
    if let Some(session) = session.filter(|_| state.deployment.conversation_disconnect != DisconnectMode::Off) {
        state.push_disconnect(session, None, now);
    }
    routing::settle(state, user, now);
}

/// `PATCH …/participants/{id}/communications/{id}`: the end without a wrap-up.
pub(super) fn patch_communication(call: &mut Call) -> Answer {
    let (number, place) = own_communication(call)?;
    let body = fields::object(call.body)?;
    let mut f = Fields::of(&body);
    let word = f.text("state").to_ascii_lowercase();
    f.done()?;
    if word != "disconnected" {
        return Err(fields::wrong("state", &format!("{} is not disconnected", fields::told(&word))));
    }
    disconnect(call, number, place);
    accepted()
}

fn hold(call: &mut Call, number: u32, place: usize, held: bool) -> Result<(), No> {
    let at = call.state.iso(call.now);
    let Some(part) = part_mut(call.state, number, place) else { return Ok(()) };
    if !part.is_connected() {
        return Err(no(409, "conflict", "Only a connected participant can be held"));
    }
    part.held = held.then_some(at);
    notify::conversation(call.state, number, call.now);
    Ok(())
}

/// `PATCH …/participants/{id}/parkingstate`: `parked` and back to `connected`.
pub(super) fn park(call: &mut Call) -> Answer {
    let (number, place) = own(call)?;
    let body = fields::object(call.body)?;
    let mut f = Fields::of(&body);
    let word = f.text("state").to_ascii_lowercase();
    f.done()?;
    let at = call.state.iso(call.now);
    let Some(part) = part_mut(call.state, number, place) else { return accepted() };
    if !part.is_connected() {
        return Err(no(409, "conflict", "Only a connected participant can be parked"));
    }
    let user = part.user;
    part.parked = match word.as_str() {
        "parked" => Some(at),
        "connected" => None,
        other => return Err(fields::wrong("state", &format!("{} is not parked or connected", fields::told(other)))),
    };
    notify::conversation(call.state, number, call.now);
    routing::settle(call.state, user, call.now);
    accepted()
}

/// `PATCH …/participants/{id}/attributes`, of any participant.
pub(super) fn attributes(call: &mut Call) -> Answer {
    call.me()?;
    let (number, place) = party(call)?;
    let body = fields::object(call.body)?;
    let mut f = Fields::of(&body);
    let given = f.object("attributes", None);
    for (key, value) in given.into_iter().flatten() {
        if !value.is_string() {
            f.fault(&format!("attributes.{key}"), "is not a text");
        }
    }
    f.done()?;
    let Some(part) = part_mut(call.state, number, place) else { return accepted() };
    if part.attributes.len() + given.map_or(0, Map::len) > ATTRIBUTES {
        return Err(fields::wrong("attributes", &format!("a participant has at most {ATTRIBUTES}")));
    }
    for (key, value) in given.into_iter().flatten() {
        part.attributes.insert(key.clone(), value.as_str().unwrap_or_default().to_owned());
    }
    let told = json!({ "attributes": part.attributes });
    notify::conversation(call.state, number, call.now);
    ok(&told)
}

/// `GET …/participants/{id}/wrapupcodes`.
pub(super) fn codes(call: &mut Call) -> Answer {
    party(call)?;
    ok(&call.state.platform.codes.iter().map(Code::told).collect())
}

/// `GET …/wrapup`.
pub(super) fn wrapup_of(call: &mut Call) -> Answer {
    let (number, place) = party(call)?;
    let wrapup = of(call, number)?.participants.get(place).and_then(|p| p.wrapup.clone());
    ok(&wrapup.unwrap_or_else(|| json!({})))
}

/// `POST …/participants/{id}/communications/{id}/wrapup`.
pub(super) fn post_wrapup(call: &mut Call) -> Answer {
    let (number, place) = own_communication(call)?;
    let body = fields::object(call.body)?;
    wrap_up(call, number, place, body.as_object().unwrap_or(&Map::new()))?;
    accepted()
}

fn wrap_up(call: &mut Call, number: u32, place: usize, given: &Map<String, Value>) -> Result<(), No> {
    call.need(&["conversation:participant:wrapup"])?;
    let given = Value::Object(given.clone());
    let mut f = Fields::of(&given);
    let code = f.text("code").to_owned();
    f.done()?;
    let Some(known) = call.state.platform.codes.iter().find(|c| c.id == code) else {
        return Err(fields::wrong("code", &format!("{} is not a wrap-up code of the queue", fields::told(&code))));
    };
    let at = call.state.iso(call.now);
    let mut wrapup = json!({ "code": code, "name": known.name, "endTime": at });
    for name in ["notes", "tags", "durationSeconds", "provisional"] {
        if let Some(value) = given.get(name).filter(|v| !v.is_null()) {
            wrapup[name] = value.clone();
        }
    }
    let Some(part) = part_mut(call.state, number, place) else { return Ok(()) };
    if part.connected.is_none() {
        return Err(no(409, "conflict", "The participant was never connected: there is nothing to wrap up"));
    }
    part.wrapup = Some(wrapup);
    done(call, number, place);
    Ok(())
}

fn skip_wrap_up(call: &mut Call, number: u32, place: usize) -> Result<(), No> {
    let Some(part) = part_mut(call.state, number, place) else { return Ok(()) };
    if part.wrapup_required() {
        return Err(no(400, "wrapup.required", "The queue requires a wrap-up: it cannot be skipped"));
    }
    part.wrapup_skipped = true;
    done(call, number, place);
    Ok(())
}

/// The work after the end is done.
fn done(call: &mut Call, number: u32, place: usize) {
    let at = call.state.iso(call.now);
    let Some(part) = part_mut(call.state, number, place) else { return };
    part.told = false;
    if part.acw_started.is_some() {
        part.acw_ended = Some(at);
    }
    let user = part.user;
    notify::conversation(call.state, number, call.now);
    routing::settle(call.state, user, call.now);
}

/// `POST /api/v2/conversations/{id}/disconnect`: everything ends, in an emergency.
pub(super) fn end(call: &mut Call) -> Answer {
    call.me()?;
    let number = conversation(call)?;
    let (state, now) = (&mut *call.state, call.now);
    let at = state.iso(now);
    let Some(c) = state.platform.conversations.at_mut(number) else { return accepted() };
    let (id, session, ended) = (c.id.clone(), c.session, c.ended.is_some());
    c.participants.iter_mut().for_each(|p| p.end("system", &at));
    let mut users = Vec::new();
    for part in c.participants.iter_mut().filter(|p| p.is_agent()) {
        users.extend(part.user);
        if part.owes_wrapup() {
            part.wrapup = Some(json!({ "code": super::queues::SYSTEM_CODE, "name": "System", "endTime": at }));
            part.acw_ended = Some(at.clone());
            part.told = false;
        }
    }
    guest::end_all(state, number, "system", "system", now);
    if let Some(session) = session.filter(|_| !ended && state.deployment.conversation_disconnect != DisconnectMode::Off)
    {
        state.push_disconnect(session, None, now);
    }
    users.into_iter().for_each(|user| routing::settle(state, Some(user), now));
    Ok(server::json(StatusCode::ACCEPTED, &id))
}
