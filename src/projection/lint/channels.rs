//! Notification channels: which topics each has, so that a list that loses some is told.

use std::collections::{BTreeSet, VecDeque};

use serde_json::Value;

use crate::model::record::{HttpRequest, HttpResponse};
use crate::model::{Mono, Record};
use crate::projection::evidence::Gathered;
use crate::projection::evidence::calls::path_of;
use crate::projection::evidence::tokens::TokenRef;
use crate::projection::evidence::words;

/// So many channels are remembered, the newest used.
const CHANNELS: usize = 64;
/// Topics of a channel beyond this are not counted; a channel takes 1000.
const TOPICS: usize = 2_000;
/// Requests whose answer is awaited.
const PENDING: usize = 64;
/// Channels made, by token.
const MADE: usize = 256;
/// A channel lives for a day.
const DAY_US: u64 = 24 * 3600 * 1_000_000;

#[derive(Clone, Debug, Default)]
pub struct Channels {
    list: VecDeque<Channel>,
    pending: VecDeque<Asked>,
    made: VecDeque<(Option<TokenRef>, Mono)>,
    pub forgotten: u64,
}

#[derive(Clone, Debug, Default)]
struct Channel {
    id: Box<str>,
    topics: BTreeSet<Box<str>>,
}

#[derive(Clone, Debug)]
struct Asked {
    seq: u64,
    channel: Box<str>,
    replaces: bool,
    topics: Vec<Box<str>>,
}

/// `…/notifications/channels/{id}/subscriptions`
fn channel_of(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once("/notifications/channels/")?;
    let (id, rest) = rest.split_once('/')?;
    (rest.trim_end_matches('/') == "subscriptions" && !id.is_empty()).then_some(id)
}

impl Channels {
    fn channel(&mut self, id: &str) -> &mut Channel {
        let known = self.list.iter().position(|c| &*c.id == id).and_then(|n| self.list.remove(n));
        if known.is_none() && self.list.len() == CHANNELS {
            self.list.pop_front();
            self.forgotten += 1;
        }
        self.list.push_back(known.unwrap_or_else(|| Channel { id: id.into(), topics: BTreeSet::new() }));
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    pub fn asked(&mut self, record: &Record, head: &HttpRequest, token: Option<TokenRef>, found: &mut Gathered) {
        let path = path_of(&head.url);
        if head.method == "POST" && path.trim_end_matches('/').ends_with("/notifications/channels") {
            if self.made.len() == MADE {
                self.made.pop_front();
            }
            self.made.push_back((token, record.at.mono));
            let lately = |(t, at): &&(Option<TokenRef>, Mono)| {
                *t == token && record.at.mono.0 - at.0.min(record.at.mono.0) < DAY_US
            };
            found.number("channels.made", self.made.iter().filter(lately).count() as f64, record.seq);
        }
        let Some(id) = channel_of(path) else { return };
        if head.method == "DELETE" {
            self.awaits(record.seq, id, true, Vec::new());
            return;
        }
        if !matches!(head.method.as_str(), "PUT" | "POST") {
            return;
        }
        let topics: Vec<Box<str>> = words::json(&record.body)
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|t| t.get("id").and_then(Value::as_str).map(Into::into))
            .take(TOPICS)
            .collect();
        self.weigh(record, id, &topics, head.method == "PUT", found);
        self.awaits(record.seq, id, head.method == "PUT", topics);
    }

    /// A frame on a notification socket; it names no channel, but the address of its socket does.
    pub fn sent(&mut self, record: &Record, found: &mut Gathered) {
        let Some(frame) = words::json(&record.body) else { return };
        if frame.get("message").and_then(Value::as_str) != Some("subscribe") {
            return;
        }
        let topics = frame.get("topics").and_then(Value::as_array).into_iter().flatten();
        let longest = topics.filter_map(Value::as_str).map(|t| t.chars().count()).max();
        if let Some(longest) = longest {
            found.number("topics.longest", longest as f64, record.seq);
        }
    }

    fn weigh(&mut self, record: &Record, id: &str, topics: &[Box<str>], replaces: bool, found: &mut Gathered) {
        let known = &self.channel(id).topics;
        if replaces {
            let lost: Vec<String> = known.iter().filter(|t| !topics.contains(t)).map(|t| t.to_string()).collect();
            found.list("topics.lost", lost, record.seq);
        }
        let more = topics.iter().filter(|t| replaces || !known.contains(*t)).count();
        let kept = if replaces { 0 } else { known.len() };
        found.number("topics.count", (kept + more) as f64, record.seq);
        if let Some(longest) = topics.iter().map(|t| t.chars().count()).max() {
            found.number("topics.longest", longest as f64, record.seq);
        }
    }

    fn awaits(&mut self, seq: u64, channel: &str, replaces: bool, topics: Vec<Box<str>>) {
        if self.pending.len() == PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back(Asked { seq, channel: channel.into(), replaces, topics });
    }

    /// What the server took of what was asked.
    pub fn answered(&mut self, record: &Record) {
        let Some(place) = self.pending.iter().position(|a| a.seq == record.reply_to) else { return };
        let Some(asked) = self.pending.remove(place) else { return };
        let status = record.head_as::<HttpResponse>().map_or(0, |h| h.status);
        if !(200..300).contains(&status) {
            return;
        }
        let rejected: Vec<Box<str>> = words::json(&record.body)
            .as_ref()
            .and_then(|b| b.get("entities")?.as_array())
            .into_iter()
            .flatten()
            .filter(|e| e.get("state").and_then(Value::as_str).is_some_and(|s| s.eq_ignore_ascii_case("rejected")))
            .filter_map(|e| e.get("id").and_then(Value::as_str).map(Into::into))
            .collect();
        let channel = self.channel(&asked.channel);
        if asked.replaces {
            channel.topics.clear();
        }
        let room = TOPICS.saturating_sub(channel.topics.len());
        channel.topics.extend(asked.topics.into_iter().filter(|t| !rejected.contains(t)).take(room));
    }
}
