//! Switches of the agents' side, and the orders that are about it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

use super::super::change::change;
use super::super::state::{Peer, State};
use super::{WrapupPrompt, stream};
use crate::model::Now;

/// Switches of the agents' side. A [`PlatformChange`] has the same names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlatformSwitches {
    /// Between heartbeats of a notification socket, by the computer's own clock.
    pub heartbeat_secs: u32,
    /// Life of a notification channel; a subscription renews it.
    pub channel_hours: u32,
    /// A guest who comes back within so long after the end comes back to the same conversation.
    pub threading_hours: u32,
    /// Conversations of one agent at once.
    pub capacity: u32,
    /// Longest text of an agent in characters. The vendor's pages name 4000 and 2000.
    pub text_chars: u32,
    /// Typing of agents in one conversation.
    pub typing_per_minute: u32,
    /// Messages of each participant in a notification; REST tells all.
    pub snapshot_messages: u32,
}

impl Default for PlatformSwitches {
    fn default() -> Self {
        Self {
            heartbeat_secs: 30,
            channel_hours: 24,
            threading_hours: 72,
            capacity: 50,
            text_chars: 4000,
            typing_per_minute: 12,
            snapshot_messages: 50,
        }
    }
}

change! {
    /// Switches to change; what is left out stays.
    PlatformChange of PlatformSwitches {
        heartbeat_secs: u32,
        channel_hours: u32,
        threading_hours: u32,
        capacity: u32,
        text_chars: u32,
        typing_per_minute: u32,
        snapshot_messages: u32,
    }
}

/// The place of a queue: by its id or name, the first where none is named.
fn queue(state: &State, named: Option<&str>) -> Result<usize, String> {
    let Some(name) = named else { return Ok(0) };
    let place = state.platform.queues.iter().position(|q| q.id == name || q.name.eq_ignore_ascii_case(name));
    place.ok_or_else(|| format!("queue: there is no “{name}”"))
}

pub(in crate::sandbox) fn set_queue(
    state: &mut State,
    named: Option<&str>,
    alerting_timeout_ms: Option<u32>,
    wrapup_prompt: Option<WrapupPrompt>,
) -> Result<(), String> {
    let place = queue(state, named)?;
    if let Some(queue) = state.platform.queues.get_mut(place) {
        queue.alerting_ms = alerting_timeout_ms.unwrap_or(queue.alerting_ms);
        queue.wrapup = wrapup_prompt.unwrap_or(queue.wrapup);
    }
    Ok(())
}

/// Open sockets of all channels.
fn sockets(state: &State) -> Vec<u32> {
    let open = state.conns.iter().filter(|(_, c)| !c.closing && matches!(c.peer, Some(Peer::Channel(_))));
    open.map(|(id, _)| *id).collect()
}

/// Announces the end of all notification sockets, and ends them then.
pub(in crate::sandbox) fn socket_closing(state: &mut State, seconds: u32, now: Now) {
    let conns = sockets(state);
    let body = json!({ "message": format!("closing for maintenance in {seconds} seconds") });
    stream::system(state, &conns, "v2.system.socket_closing", &body, now);
    let due = Instant::now() + Duration::from_secs(seconds.into());
    for conn in conns {
        stream::close_later(state, due, conn, (1001, "Closing for maintenance"), now);
    }
}

/// Takes a channel away, as if its user had made too many: nobody is told, unless it is `told` by order. The newest
/// where none is named.
pub(in crate::sandbox) fn evict(state: &mut State, channel: Option<&str>, told: bool, now: Now) -> Result<(), String> {
    let p = &state.platform;
    let number = match channel {
        Some(name) => p.channels.number(name).or_else(|| name.strip_prefix('n')?.parse().ok()),
        None => p.channels.iter().next_back().map(|(n, ..)| n),
    };
    if let Some(number) = number.filter(|_| told) {
        let more = json!({ "reason": "another_channel_subscribed", "message": "Another channel has subscribed" });
        stream::notice(state, number, "no_longer_subscribed", &more, now);
    }
    let p = &mut state.platform;
    match number.and_then(|n| p.channels.remove(n)) {
        Some(_) => {
            p.evicted += 1;
            Ok(())
        }
        None => Err(match channel {
            Some(name) => format!("channel: there is no {}", name.chars().take(12).collect::<String>()),
            None => "channel: there is none yet".to_owned(),
        }),
    }
}
