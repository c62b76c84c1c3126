//! Leads conversations to people: who is free, who is rung for, what happens if nobody answers.
//!
//! Assumed: the one with the fewest conversations is rung for, the first of several; an alert that is declined is one
//! that was missed; what was transferred to a user who does not answer goes to the queue that it came from.

use std::time::Duration;

use super::super::state::State;
use super::conversation::{Participant, Purpose, Stage};
use super::notify;
use super::presence;
use super::users::Routing;
use crate::model::Now;

/// The user of this queue who takes the next conversation, if any: rather another than `last`.
pub(super) fn free(state: &State, queue: usize, last: Option<u32>) -> Option<u32> {
    let p = &state.platform;
    let capacity = p.switches.capacity as usize;
    let ready = p.users.iter().zip(0..).filter(|(u, _)| {
        u.is_on_queue() && u.joined.contains(&queue) && matches!(u.routing, Routing::Idle | Routing::Interacting)
    });
    let loads = ready.map(|(_, n)| (p.load(n), n));
    loads.filter(|(load, _)| *load < capacity).min_by_key(|(load, n)| (last == Some(*n), *load, *n)).map(|(_, n)| n)
}

/// Puts a conversation into a queue and rings for whoever is free.
pub(super) fn enqueue(state: &mut State, number: u32, queue: usize, now: Now) {
    wait(state, number, queue, now);
    notify::conversation(state, number, now);
    route(state, now);
}

/// Puts a conversation into a queue.
pub(super) fn wait(state: &mut State, number: u32, queue: usize, now: Now) {
    let at = state.iso(now);
    let Some(c) = state.platform.conversations.at_mut(number) else { return };
    c.queue = queue;
    let mut acd = Participant::new(Purpose::Acd, Stage::Connected, &at);
    acd.queue = Some(queue);
    c.participants.push(acd);
}

/// Rings for whoever is free, for each conversation that waits, the longest waiting first.
pub(super) fn route(state: &mut State, now: Now) {
    let all = state.platform.conversations.iter().filter(|(.., c)| c.waits());
    let waiting: Vec<(u32, usize, Option<u32>)> = all.map(|(n, _, c)| (n, c.queue, c.last_agent())).collect();
    for (number, queue, last) in waiting {
        if let Some(user) = free(state, queue, last) {
            alert(state, number, user, Some(queue), now);
        }
    }
}

/// Rings for a user.
pub(super) fn alert(state: &mut State, number: u32, user: u32, queue: Option<usize>, now: Now) {
    let at = state.iso(now);
    let p = &mut state.platform;
    let Some(c) = p.conversations.at_mut(number) else { return };
    let Some(q) = p.queues.get(queue.unwrap_or(c.queue)) else { return };
    let mut part = Participant::new(Purpose::Agent, Stage::Alerting, &at);
    part.user = Some(user);
    part.queue = queue;
    part.alerting_ms = q.alerting_ms;
    part.wrapup_prompt = q.wrapup;
    let within = Duration::from_millis(q.alerting_ms.into());
    part.alert_by = Some(now.mono + within);
    c.participants.push(part);
    state.ends_within(within, now);
    notify::conversation(state, number, now);
}

/// An alert that was not answered, or was declined: the conversation goes back to its queue.
pub(super) fn missed(state: &mut State, number: u32, place: usize, kind: &'static str, now: Now) {
    let at = state.iso(now);
    let Some(c) = state.platform.conversations.at_mut(number) else { return };
    let queue = c.queue;
    let queued = c.live(Purpose::Acd).is_some();
    let Some(part) = c.at_mut(place) else { return };
    part.end(kind, &at);
    let user = part.user;
    // Whoever is not on queue was asked by a person, and owes nothing.
    if let Some(user) = user.filter(|n| state.platform.at(*n).is_some_and(super::User::is_on_queue)) {
        presence::set_routing(state, user, Routing::NotResponding, now);
    }
    match queued {
        true => {
            notify::conversation(state, number, now);
            route(state, now);
        }
        false => enqueue(state, number, queue, now),
    }
}

/// Takes back alerts whose time is over; the time until the next one's is.
pub(in crate::sandbox) fn sweep(state: &mut State, now: Now) -> Option<Duration> {
    let alerts = |state: &State| -> Vec<(u32, usize, Duration)> {
        let all = state.platform.conversations.iter();
        let parts = all.flat_map(|(n, _, c)| c.participants.iter().enumerate().map(move |(place, p)| (n, place, p)));
        parts.filter_map(|(n, place, p)| Some((n, place, p.alert_by?.since(now.mono)))).collect()
    };
    for (number, place, left) in alerts(state) {
        if left.is_zero() {
            missed(state, number, place, "timeout", now);
        }
    }
    alerts(state).into_iter().map(|(.., left)| left).min()
}

/// Brings all statuses and queues in line after something has changed.
pub(super) fn settle(state: &mut State, user: Option<u32>, now: Now) {
    if let Some(user) = user {
        presence::settle(state, user, now);
    }
    route(state, now);
}
