//! Notification channels over REST: made, listed, subscribed.
//!
//! Assumed: more than 15 channels of a user within a second are a burst; a channel that went is told to nobody, its
//! sockets only fall silent; topics that a PUT drops are told on the channel (`subscription_changed`), with their names
//! in `data`.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::super::api;
use super::super::flows::{self, Answer, No};
use super::super::ids;
use super::super::limits::SECOND;
use super::super::oauth::Client;
use super::super::state::State;
use super::call::{Call, no, not_found, ok};
use super::{stream, topics};
use crate::model::{Mono, Now, Wall};

/// Channels of a user and a client together. One more evicts another.
pub(super) const CHANNELS: usize = 20;
/// Topics of a channel.
pub(super) const TOPICS: usize = 1000;
/// Channels made in a second.
const BURST: u32 = 15;
/// Channels of everybody.
pub(super) const MANY: usize = 500;

pub(in crate::sandbox) struct Channel {
    pub(super) user: Option<u32>,
    pub(super) client: Client,
    pub(super) token: Arc<str>,
    pub(super) expires: Wall,
    used: Mono,
    /// Names as they were given, with the topics behind them.
    topics: Vec<(String, Vec<String>)>,
    pub(in crate::sandbox) conns: Vec<u32>,
}

impl Channel {
    pub(super) fn hears(&self, topic: &str) -> bool {
        self.topics.iter().any(|(_, all)| all.iter().any(|t| t == topic))
    }

    pub(super) fn is_alive(&self, state: &State, now: Now) -> bool {
        self.expires > now.wall && state.tokens.get(&self.token).is_some_and(|t| t.expires > now.wall)
    }

    pub(super) fn topics(&self) -> usize {
        self.topics.len()
    }

    /// Adds names. False, and nothing added, where there would be too many.
    pub(super) fn add(&mut self, more: Vec<(String, Vec<String>)>) -> bool {
        let fresh: Vec<_> = more.into_iter().filter(|(name, _)| self.topics.iter().all(|(n, _)| n != name)).collect();
        if self.topics.len() + fresh.len() > TOPICS {
            return false;
        }
        self.topics.extend(fresh);
        true
    }

    pub(super) fn remove(&mut self, names: &[String]) {
        self.topics.retain(|(name, _)| !names.contains(name));
    }
}

fn told(state: &State, id: &str, channel: &Channel) -> Value {
    let at = channel.expires.plus_micros(i64::from(state.faults.clock_skew_seconds) * 1_000_000);
    let expires = at.timestamp().map_or_else(|| at.rfc3339(), |t| format!("{t:.3}"));
    json!({ "id": id, "connectUri": format!("{}/channels/{id}", state.me.ws()), "expires": expires })
}

fn life(state: &State) -> Duration {
    Duration::from_secs(u64::from(state.platform.switches.channel_hours) * 3600)
}

/// The number of a channel of whoever asks.
fn mine(call: &Call) -> Result<u32, No> {
    let id = call.part("id");
    let channels = &call.state.platform.channels;
    let known = channels.number(id).filter(|n| channels.at(*n).is_some_and(|c| c.user == call.user));
    known.filter(|n| alive(call.state, *n, call.now)).ok_or_else(|| not_found("Channel", id))
}

/// True for a channel that was not evicted, has not expired, and whose token lives.
pub(super) fn alive(state: &State, number: u32, now: Now) -> bool {
    state.platform.channels.at(number).is_some_and(|c| c.is_alive(state, now))
}

/// `POST /api/v2/notifications/channels`.
pub(super) fn create(call: &mut Call) -> Answer {
    let now = call.now;
    let id = format!("streaming-5-{}", ids::opaque(1));
    let expires = now.wall + life(call.state);
    let p = &mut call.state.platform;
    if let Some(user) = call.user.and_then(|n| p.at_mut(n)) {
        flows::rate(&mut user.creations, BURST, SECOND, now)?;
    }
    let (who, through) = (call.user, call.client);
    let own = |c: &Channel| c.user == who && c.client == through;
    while p.channels.iter().filter(|(.., c)| own(c)).count() >= CHANNELS {
        let channels = p.channels.iter().filter(|(.., c)| own(c));
        let oldest = channels.min_by_key(|(_, _, c)| (!c.conns.is_empty(), c.used)).map(|(n, ..)| n);
        let Some(oldest) = oldest else { break };
        p.channels.remove(oldest);
        p.evicted += 1;
    }
    let channel = Channel {
        user: call.user,
        client: call.client,
        token: Arc::clone(&call.token),
        expires,
        used: now.mono,
        topics: Vec::new(),
        conns: Vec::new(),
    };
    let number = p.channels.insert(id.clone(), channel, |c| c.conns.is_empty());
    call.state.ends_within(life(call.state), now);
    let channel = call.state.platform.channels.at(number);
    ok(&channel.map_or(Value::Null, |c| told(call.state, &id, c)))
}

/// `GET /api/v2/notifications/channels`.
pub(super) fn list(call: &mut Call) -> Answer {
    let all = call.state.platform.channels.iter().filter(|(.., c)| c.user == call.user && c.client == call.client);
    let all: Vec<Value> =
        all.filter(|(.., c)| c.is_alive(call.state, call.now)).map(|(_, id, c)| told(call.state, id, c)).collect();
    ok(&json!({ "entities": all }))
}

/// `HEAD /api/v2/notifications/channels/{id}`.
pub(super) fn head(call: &mut Call) -> Answer {
    mine(call)?;
    Ok(StatusCode::OK.into_response())
}

fn entity(channel: &str, name: &str) -> Value {
    let uri = format!("/api/v2/notifications/channels/{channel}/subscriptions/{name}");
    json!({ "id": name, "state": "Permitted", "selfUri": uri })
}

/// `GET …/channels/{id}/subscriptions`.
pub(super) fn subscriptions(call: &mut Call) -> Answer {
    let number = mine(call)?;
    let channel = call.state.platform.channels.at(number);
    let all = channel.map(|c| c.topics.iter().map(|(name, _)| entity(call.part("id"), name)).collect::<Vec<_>>());
    ok(&json!({ "entities": all }))
}

/// `POST …/channels/{id}/subscriptions`: adds.
pub(super) fn add(call: &mut Call) -> Answer {
    subscribe(call, false)
}

/// `PUT …/channels/{id}/subscriptions`: replaces.
pub(super) fn replace(call: &mut Call) -> Answer {
    subscribe(call, true)
}

/// `DELETE …/channels/{id}/subscriptions`.
pub(super) fn clear(call: &mut Call) -> Answer {
    let number = mine(call)?;
    if let Some(channel) = call.state.platform.channels.at_mut(number) {
        channel.topics.clear();
    }
    Ok(StatusCode::OK.into_response())
}

fn subscribe(call: &mut Call, replace: bool) -> Answer {
    let number = mine(call)?;
    let body: Vec<Value> = serde_json::from_slice(call.body)
        .map_err(|e| no(400, "bad.request", &format!("The body is not a JSON list: {e}")))?;
    let names: Option<Vec<&str>> = body.iter().map(|t| t["id"].as_str().filter(|id| !id.is_empty())).collect();
    let names = names.ok_or_else(|| no(400, "invalid.value", "id: is missing or not a text"))?;
    let ignore = call.asked("ignoreErrors") == Some("true");
    let (mut good, mut entities, mut bad) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        match topics::check(call.state, call.user, name) {
            Ok(all) => {
                entities.push(entity(call.part("id"), name));
                good.push((name.to_owned(), all));
            }
            Err(why) => {
                let mut rejected = entity(call.part("id"), name);
                rejected["state"] = "Rejected".into();
                rejected["rejectionReason"] = why.text().into();
                if let topics::Refused::Lacks(permission) = why {
                    rejected["missingPermissions"] = json!([permission]);
                }
                entities.push(rejected);
                bad.push((name, why));
            }
        }
    }
    if let Some((name, why)) = bad.first().filter(|_| !ignore) {
        let text = format!("Topic {name}: {}", why.text());
        let details: Vec<Value> =
            bad.iter().map(|(name, why)| json!({ "fieldName": name, "errorCode": why.text() })).collect();
        let (status, code) = if why.is_of_permission() { (403, "not.authorized") } else { (400, "invalid.value") };
        return Err(api::told(status, code, &text, json!({ "details": details })).into());
    }
    let until = call.now.wall + life(call.state);
    let mut lost: Vec<String> = Vec::new();
    if let Some(channel) = call.state.platform.channels.at_mut(number) {
        let before = if replace { std::mem::take(&mut channel.topics) } else { Vec::new() };
        if !channel.add(good) {
            if replace {
                channel.topics = before;
            }
            return Err(no(400, "bad.request", &format!("A channel has at most {TOPICS} topics")));
        }
        channel.used = call.now.mono;
        channel.expires = until;
        let kept = |name: &String| channel.topics.iter().any(|(n, _)| n == name);
        lost = before.into_iter().map(|(name, _)| name).filter(|name| !kept(name)).collect();
    }
    if !lost.is_empty() {
        let more = json!({ "message": "The topics of this channel were replaced", "data": { "topics": lost } });
        stream::notice(call.state, number, "subscription_changed", &more, call.now);
    }
    ok(&json!({ "entities": entities }))
}

/// `GET /api/v2/notifications/availabletopics`.
pub(super) fn available(_: &mut Call) -> Answer {
    ok(&topics::available())
}

/// Forgets channels that are over; the time until the next is.
pub(super) fn sweep(state: &mut State, now: Now) -> Option<Duration> {
    let channels = &mut state.platform.channels;
    let over: Vec<u32> = channels.iter().filter(|(.., c)| c.expires <= now.wall).map(|(n, ..)| n).collect();
    over.into_iter().for_each(|n| drop(channels.remove(n)));
    let left = channels.iter().map(|(.., c)| c.expires.micros_since(now.wall).max(0) as u64);
    left.min().map(Duration::from_micros)
}
