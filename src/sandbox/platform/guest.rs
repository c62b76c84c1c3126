//! What the guest's side tells: it spoke, typed, left; and what was said to it by others than agents.
//!
//! Assumed: whoever comes back within the threading window comes back to the same conversation as a new participant;
//! one that was cleared is never come back to.

use std::time::Duration;

use serde_json::Value;

use super::super::deployment::Partner;
use super::super::faults::Faults;
use super::super::frame::Structured;
use super::super::ids;
use super::super::outbound::is_typing;
use super::super::state::State;
use super::conversation::{Conversation, Message, Participant, Purpose, Stage};
use super::{notify, routing};
use crate::model::Now;

/// Conversations start in the first queue.
const FIRST: usize = 0;
/// A guest says this to the scripted partner to be led to a person.
const WORD: &str = "agent";

/// A guest spoke or joined: makes the conversation where there is none. True where the scripted partner answers.
pub(in crate::sandbox) fn said(state: &mut State, session: u32, message: &Structured, now: Now) -> bool {
    let (number, begins) = match live(state, session) {
        Some(number) => (number, false),
        None => match begin(state, session, now) {
            Some(number) => (number, true),
            None => return true,
        },
    };
    take_attributes(state, number, session);
    hear(state, number, message);
    if begins {
        match state.deployment.partner {
            Partner::Agents => routing::enqueue(state, number, FIRST, now),
            Partner::Auto if routing::free(state, FIRST, None).is_some() => routing::enqueue(state, number, FIRST, now),
            Partner::Auto | Partner::Bot => {
                let at = state.iso(now);
                if let Some(c) = state.platform.conversations.at_mut(number) {
                    c.participants.push(Participant::new(Purpose::Workflow, Stage::Connected, &at));
                }
                notify::conversation(state, number, now);
            }
        }
    } else {
        notify::conversation(state, number, now);
    }
    let asks = message.text.as_deref().is_some_and(|t| t.trim().eq_ignore_ascii_case(WORD));
    if asks && state.deployment.partner != Partner::Bot {
        hand_over(state, number, now);
    }
    is_with_partner(state, session)
}

/// The scripted partner leads a guest to a person, where one is free.
fn hand_over(state: &mut State, number: u32, now: Now) {
    if routing::free(state, FIRST, None).is_none() {
        return;
    }
    let at = state.iso(now);
    let Some(c) = state.platform.conversations.at_mut(number) else { return };
    let Some(place) = c.live(Purpose::Workflow) else { return };
    if let Some(part) = c.at_mut(place) {
        part.end("transfer", &at);
    }
    routing::enqueue(state, number, FIRST, now);
}

/// The conversation of a session that goes on.
fn live(state: &State, session: u32) -> Option<u32> {
    let p = &state.platform;
    let number = p.by_session.get(&session).copied()?;
    p.conversations.at(number).filter(|c| c.ended.is_none()).map(|_| number)
}

/// True where nobody but the scripted partner is with the guest.
pub(in crate::sandbox) fn is_with_partner(state: &State, session: u32) -> bool {
    match live(state, session).and_then(|n| state.platform.conversations.at(n)) {
        Some(c) => c.live(Purpose::Workflow).is_some(),
        None => true,
    }
}

/// A conversation that begins, or begins again.
fn begin(state: &mut State, session: u32, now: Now) -> Option<u32> {
    let at = state.iso(now);
    let s = state.sessions.get(&session)?;
    let (token, authenticated) = (s.token.clone(), s.member.is_some());
    let p = &mut state.platform;
    let window = Duration::from_secs(u64::from(p.switches.threading_hours) * 3600);
    let back = |c: &Conversation| {
        !c.cleared
            && c.token.expose() == token.expose()
            && c.ended_mono.is_some_and(|ended| now.mono.since(ended) < window)
    };
    let known = p.conversations.iter().rev().find(|(.., c)| back(c)).map(|(n, ..)| n);
    let number = match known {
        Some(number) => number,
        None => {
            let c = Conversation::new(session, token, FIRST, &at);
            p.conversations.insert(c.id.clone(), c, |c| c.ended.is_some())
        }
    };
    let c = p.conversations.at_mut(number)?;
    c.session = Some(session);
    c.ended = None;
    c.ended_mono = None;
    let mut guest = Participant::new(Purpose::Customer, Stage::Connected, &at);
    guest.authenticated = authenticated;
    c.participants.push(guest);
    p.by_session.insert(session, number);
    Some(number)
}

/// The guest has signed in while its conversation goes on.
pub(in crate::sandbox) fn signed_in(state: &mut State, session: u32, now: Now) {
    let Some(number) = live(state, session) else { return };
    let c = state.platform.conversations.at_mut(number);
    if let Some(part) = c.and_then(|c| c.live(Purpose::Customer).and_then(|place| c.at_mut(place))) {
        part.authenticated = true;
    }
    notify::conversation(state, number, now);
}

/// The guest's custom attributes are attributes of its participant.
fn take_attributes(state: &mut State, number: u32, session: u32) {
    let Some(s) = state.sessions.get(&session) else { return };
    let Some(c) = state.platform.conversations.at_mut(number) else { return };
    let Some(part) = c.live(Purpose::Customer).and_then(|place| c.at_mut(place)) else { return };
    for (key, value) in &s.attributes {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        part.attributes.insert(format!("context.{key}"), text);
    }
}

/// A guest's message, as agents get it: through the faults that make it another.
fn hear(state: &mut State, number: u32, said: &Structured) {
    let f = &mut state.faults;
    let is_text = said.events.is_none();
    if is_text && Faults::spend(&mut f.lose.inbound) {
        return;
    }
    let mut message = Message::of(said, None);
    if is_text && message.text.is_some() && Faults::spend(&mut f.alter.inbound) {
        message.text = message.text.map(|t| altered(&t));
    }
    let twice = is_text && Faults::spend(&mut f.twice.inbound);
    let Some(c) = state.platform.conversations.at_mut(number) else { return };
    let Some(place) = c.live(Purpose::Customer) else { return };
    c.say(place, message.clone());
    if twice {
        c.say(place, Message { id: ids::hex32(), ..message });
    }
}

/// Another text than was sent.
pub(super) fn altered(text: &str) -> String {
    format!("{text} (altered on its way)")
}

/// The guest types: whoever is with it is shown it.
pub(in crate::sandbox) fn typed(state: &mut State, session: u32, events: &[Value], now: Now) {
    let typing: Vec<Value> = events.iter().filter(|e| e["eventType"] == "Typing").cloned().collect();
    let Some(number) = live(state, session).filter(|_| !typing.is_empty()) else { return };
    let Some(c) = state.platform.conversations.at(number) else { return };
    let (id, users) = (c.id.clone(), notify::connected(c));
    notify::typing(state, &id, &users, &typing, now);
}

/// The guest had its conversation forgotten.
pub(in crate::sandbox) fn cleared(state: &mut State, session: u32, message: &Structured, now: Now) {
    if let Some(number) = live(state, session) {
        hear(state, number, message);
    }
    if let Some(number) = state.platform.by_session.get(&session).copied()
        && let Some(c) = state.platform.conversations.at_mut(number)
    {
        c.cleared = true;
    }
    left(state, session, "client", now);
}

/// The guest is gone: its session ended, or begins anew.
pub(in crate::sandbox) fn left(state: &mut State, session: u32, kind: &'static str, now: Now) {
    if let Some(number) = live(state, session) {
        end_all(state, number, kind, "peer", now);
    }
}

/// A session is forgotten.
pub(in crate::sandbox) fn forgotten(state: &mut State, session: u32) {
    if let Some(number) = state.platform.by_session.remove(&session)
        && let Some(c) = state.platform.conversations.at_mut(number).filter(|c| c.session == Some(session))
    {
        c.session = None;
    }
}

/// Ends a conversation for everybody in it.
pub(super) fn end_all(state: &mut State, number: u32, guest: &'static str, others: &'static str, now: Now) {
    let at = state.iso(now);
    let Some(c) = state.platform.conversations.at_mut(number) else { return };
    let mut users = Vec::new();
    for part in c.participants.iter_mut().filter(|p| p.is_live()) {
        part.end(if part.purpose == Purpose::Customer { guest } else { others }, &at);
        users.extend(part.user);
    }
    c.ended = Some(at);
    c.ended_mono = Some(now.mono);
    notify::conversation(state, number, now);
    for user in users {
        routing::settle(state, Some(user), now);
    }
}

/// Others than agents said something to the guest: the scripted partner, or whoever orders it.
pub(in crate::sandbox) fn answered(state: &mut State, session: u32, message: &Structured, now: Now) {
    if is_typing(message) {
        return;
    }
    let p = &mut state.platform;
    let Some(number) = p.by_session.get(&session).copied() else { return };
    let Some(c) = p.conversations.at_mut(number) else { return };
    let last = || c.participants.iter().rposition(|p| p.purpose != Purpose::Customer);
    let Some(place) = c.live(Purpose::Workflow).or_else(last) else { return };
    c.say(place, Message::of(message, None));
    notify::conversation(state, number, now);
}

/// The guest was told that its conversation is over.
pub(in crate::sandbox) fn over(state: &mut State, session: u32, now: Now) {
    if let Some(number) = live(state, session) {
        end_all(state, number, "peer", "system", now);
    }
}
