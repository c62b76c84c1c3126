//! Tells subscribers what has changed. Notifications are states, not changes.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::faults::Faults;
use super::super::flows::Later;
use super::super::ids;
use super::super::state::State;
use super::conversation::{Conversation, Participant};
use super::shape::{self, To};
use super::{people, presence as presences};
use crate::model::Now;

/// A conversation has changed: both shapes go to everybody whose work it is, the media one to its queue as well.
pub(super) fn conversation(state: &mut State, number: u32, now: Now) {
    let p = &state.platform;
    let Some(c) = p.conversations.at(number) else { return };
    let mut users: Vec<u32> = c.participants.iter().filter(|p| p.is_work() || !p.told).filter_map(|p| p.user).collect();
    users.sort_unstable();
    users.dedup();
    let topics: Vec<String> =
        users.iter().filter_map(|n| p.at(*n)).map(|u| format!("v2.users.{}.conversations", u.id)).collect();
    let queue = p.queues.get(c.queue).map(|q| format!("v2.routing.queues.{}.conversations.messages", q.id));
    let to = To::Push(p.switches.snapshot_messages as usize);
    let generic: Vec<&String> = topics.iter().filter(|t| is_wanted(state, t, now)).collect();
    if !generic.is_empty() {
        let body = shape::generic(p, c, to).to_string();
        let frames: Vec<String> = generic.into_iter().cloned().collect();
        frames.iter().for_each(|t| push(state, t, &body, true, now));
    }
    let media = topics.iter().map(|t| format!("{t}.messages")).chain(queue);
    let media: Vec<String> = media.filter(|t| is_wanted(state, t, now)).collect();
    if !media.is_empty()
        && let Some(c) = state.platform.conversations.at(number)
    {
        let body = shape::of_media(&state.platform, c, to).to_string();
        media.iter().for_each(|t| push(state, t, &body, true, now));
    }
    if let Some(c) = state.platform.conversations.at_mut(number) {
        c.participants.iter_mut().filter(|p| !p.is_work()).for_each(|p| p.told = true);
    }
}

fn of_user(state: &mut State, n: u32, what: &str, body: &Value, now: Now) {
    let Some(user) = state.platform.at(n) else { return };
    let topic = format!("v2.users.{}.{what}", user.id);
    push(state, &topic, &body.to_string(), false, now);
}

/// A user's presence has changed.
pub(super) fn presence(state: &mut State, n: u32, now: Now) {
    let body = presences::pushed(&state.platform, n);
    of_user(state, n, "presence", &body, now);
    activity(state, n, now);
}

/// A user's routing status has changed.
pub(super) fn routing(state: &mut State, n: u32, now: Now) {
    let Some(user) = state.platform.at(n) else { return };
    let body = json!({ "id": user.id, "routingStatus": status(state, n) });
    of_user(state, n, "routingStatus", &body, now);
    activity(state, n, now);
}

fn status(state: &State, n: u32) -> Value {
    let told = people::routing_of(&state.platform, n);
    json!({ "status": told["status"], "startTime": told["startTime"] })
}

fn activity(state: &mut State, n: u32, now: Now) {
    let Some(user) = state.platform.at(n) else { return };
    let queues: Vec<&str> =
        user.joined.iter().filter_map(|q| state.platform.queues.get(*q)).map(|q| q.id.as_str()).collect();
    let body = json!({
        "id": user.id, "routingStatus": status(state, n), "presence": presences::pushed(&state.platform, n),
        "activeQueueIds": queues,
    });
    of_user(state, n, "activity", &body, now);
}

/// The guest types: to the agents who are with it.
pub(super) fn typing(state: &mut State, c: &str, users: &[u32], events: &[Value], now: Now) {
    let body = json!({ "conversationId": c, "normalizedMessage": {
        "type": "Event", "direction": "Inbound", "channel": { "time": state.iso(now) }, "events": events,
    } });
    for n in users {
        of_user(state, *n, "conversations.inbound.typing.event", &body, now);
    }
}

/// A message to a guest without an open socket.
pub(super) fn undelivered(state: &mut State, number: u32, part: usize, message: &str, now: Now) {
    let topic = format!("v2.webmessaging.deployments.{}.undelivered.messages", state.me.deployment_id);
    let Some(c) = state.platform.conversations.at(number) else { return };
    let party: Option<&Participant> = c.participants.get(part);
    let millis = state.wall(now).0 / 1000;
    let expiry = c.session.and_then(|s| state.sessions.get(&s)).map(|s| state.told_secs(s.ends()));
    let body = json!({
        "conversationId": c.id, "deploymentId": state.me.deployment_id, "participantId": party.map(|p| &p.id),
        "communicationId": party.map(|p| &p.communication), "sessionExpiry": expiry,
        "messages": [{ "id": message, "eventTimeMs": millis }], "eventTimeMs": millis,
    });
    push(state, &topic, &body.to_string(), false, now);
}

/// Agents who are with a guest.
pub(super) fn connected(c: &Conversation) -> Vec<u32> {
    c.participants.iter().filter(|p| p.is_agent() && p.is_connected()).filter_map(|p| p.user).collect()
}

fn is_wanted(state: &State, topic: &str, now: Now) -> bool {
    state.platform.channels.iter().any(|(.., c)| c.hears(topic) && !c.conns.is_empty() && c.is_alive(state, now))
}

/// A frame to every socket whose channel has this topic.
fn push(state: &mut State, topic: &str, body: &str, is_snapshot: bool, now: Now) {
    let channels = state.platform.channels.iter().filter(|(.., c)| c.hears(topic) && c.is_alive(state, now));
    let conns: Vec<u32> = channels.flat_map(|(.., c)| c.conns.clone()).collect();
    if conns.is_empty() {
        return;
    }
    let text = frame(topic, body);
    for conn in conns {
        send(state, conn, &text, is_snapshot, now);
    }
}

pub(super) fn frame(topic: &str, body: &str) -> String {
    let name = Value::from(topic);
    format!(
        "{{\"topicName\":{name},\"version\":\"2\",\"eventBody\":{body},\"metadata\":{{\"CorrelationId\":\"{}\"}}}}",
        ids::uuid()
    )
}

/// Through the faults that are about notifications.
fn send(state: &mut State, conn: u32, text: &str, is_snapshot: bool, now: Now) {
    let f = &mut state.faults;
    if Faults::spend(&mut f.drop_notifications) {
        state.platform.dropped += 1;
        return;
    }
    let copies = if is_snapshot && Faults::spend(&mut f.repeat_snapshots) { 2 } else { 1 };
    let late = is_snapshot && Faults::spend(&mut f.late_snapshots);
    for _ in 0..copies {
        let f = &mut state.faults;
        if late {
            let due = Instant::now() + Duration::from_millis(f.late_millis.into());
            // Where there is no room for one more, it is not late.
            if state.flows.later(due, Later::Frame(conn, text.to_owned())) {
                continue;
            }
        } else if f.reorder_notifications > 0 {
            f.reorder_notifications -= 1;
            state.platform.held.push((conn, text.to_owned()));
            release(state, now);
            continue;
        }
        state.post(conn, text, now);
    }
}

/// Sends what was held back, last first, once no more shall be.
pub(in crate::sandbox) fn release(state: &mut State, now: Now) {
    if state.faults.reorder_notifications == 0 {
        let mut held = std::mem::take(&mut state.platform.held);
        held.reverse();
        held.iter().for_each(|(conn, text)| state.post(*conn, text, now));
    }
}
