//! A notification in a line.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::wire::{self, Notice};
use crate::dialect::flow::text_of;
use crate::model::Record;
use crate::model::desk::{Purpose, Stage};

/// Name and gist of a frame of the notification socket; none where it is something else.
pub fn frame_line(record: &Record) -> Option<(String, String)> {
    let text = record.text()?;
    if (record.body.len() as u64) < record.size {
        return of_cut(text);
    }
    if let Some(line) = at_a_glance(text) {
        return Some(line);
    }
    Some(match wire::notice(text) {
        Some(Notice::Heartbeat) => ("heartbeat".into(), String::new()),
        Some(Notice::Pong) => ("pong".into(), String::new()),
        Some(Notice::Closing(text)) => ("socket_closing".into(), text),
        Some(Notice::Evicted(why)) => ("no_longer_subscribed".into(), why),
        Some(Notice::Changed) => ("subscription_changed".into(), String::new()),
        Some(Notice::Revoked(why)) => ("token_revoked".into(), why),
        Some(Notice::Result { code, status, .. }) => (format!("result {code}"), status),
        Some(Notice::Event { topic, body }) => (name_of(&topic), gist(&body)),
        None => {
            let frame: serde_json::Value = serde_json::from_str(text).ok()?;
            // A frame of ours: `subscribe`, `unsubscribe`, `ping`.
            let message =
                text_of(&frame, "message").filter(|m| matches!(m.as_str(), "subscribe" | "unsubscribe" | "ping"))?;
            let topics = frame.get("topics").and_then(serde_json::Value::as_array).map_or(0, Vec::len);
            let gist = if topics == 0 { String::new() } else { format!("{topics} topics") };
            (message, gist)
        }
    })
}

/// What a topic is about: `v2.users.{id}.conversations.messages` is `conversations.messages`.
fn name_of(topic: &str) -> String {
    match topic.splitn(4, '.').nth(3) {
        Some(rest) => rest.to_owned(),
        None => topic.to_owned(),
    }
}

/// Of a long notification only the beginning was read: its topic, and the conversation.
fn of_cut(text: &str) -> Option<(String, String)> {
    let value = |key: &str| {
        let after = text.split_once(key)?.1.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
        after.split_once('"').map(|(value, _)| value).filter(|v| !v.is_empty())
    };
    let conversation = value("\"id\"").map(|id| format!("conversation {id}"));
    Some((name_of(value("\"topicName\"")?), conversation.unwrap_or_default()))
}

/// A conversation that is told of, read without its messages: they are told again and again, and are many. None where
/// it is anything else, or not quite as usual.
fn at_a_glance(text: &str) -> Option<(String, String)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Frame<'a> {
        #[serde(borrow)]
        topic_name: Cow<'a, str>,
        #[serde(borrow)]
        event_body: Body<'a>,
    }
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        participants: Vec<Party<'a>>,
    }
    #[derive(Deserialize)]
    struct Party<'a> {
        #[serde(borrow, default)]
        purpose: Cow<'a, str>,
        #[serde(borrow, default)]
        state: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        messages: Vec<Said<'a>>,
    }
    /// A message; in the generic shape a communication with a state and its messages.
    #[derive(Deserialize)]
    struct Said<'a> {
        #[serde(borrow, default)]
        state: Option<Cow<'a, str>>,
        #[serde(default)]
        messages: Vec<IgnoredAny>,
    }
    let frame: Frame<'_> = serde_json::from_str(text).ok()?;
    let mut messages = 0;
    let people = frame.event_body.participants.iter().filter_map(|p| {
        let communication = p.messages.iter().rfind(|m| m.state.is_some());
        messages += communication.map_or(p.messages.len(), |c| c.messages.len());
        let state = communication.map_or(p.state.as_deref(), |c| c.state.as_deref());
        let (purpose, state) = (Purpose::of(&p.purpose), Stage::of(state.unwrap_or_default()));
        let told = purpose != Purpose::Unknown && state != Stage::Unknown;
        told.then(|| format!("{} {}", purpose.word(), state.word()))
    });
    let people: Vec<String> = people.collect();
    Some((name_of(&frame.topic_name), format!("{} · {messages} messages", people.join(", "))))
}

fn gist(body: &serde_json::Value) -> String {
    if let Some(snapshot) = wire::snapshot(body, false) {
        let people =
            snapshot.participants.iter().filter(|p| p.purpose != Purpose::Unknown && p.state != Stage::Unknown);
        let people: Vec<String> = people.map(|p| format!("{} {}", p.purpose.word(), p.state.word())).collect();
        let messages: usize = snapshot.participants.iter().map(|p| p.messages.len()).sum();
        return format!("{} · {messages} messages", people.join(", "));
    }
    if let Some((_, word)) = wire::presence_of(body) {
        return word;
    }
    if body.get("normalizedMessage").is_some() {
        return "guest types".into();
    }
    wire::routing_of(body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Both readings of a frame.
    fn lines(frame: &Value) -> [Option<(String, String)>; 2] {
        let slow = match wire::notice(&frame.to_string()) {
            Some(Notice::Event { topic, body }) => Some((name_of(&topic), gist(&body))),
            _ => None,
        };
        [at_a_glance(&frame.to_string()), slow]
    }

    #[test]
    fn a_glance_tells_what_a_whole_reading_tells() {
        let refs = json!([{ "message": { "id": "m1" }, "messageStatus": "received" }, { "message": { "id": "m2" } }]);
        let media = json!({ "topicName": "v2.users.u1.conversations.messages", "eventBody": { "id": "c", "participants": [
            { "id": "p1", "purpose": "customer", "state": "connected", "messages": refs },
            { "id": "p2", "purpose": "agent", "state": "alerting", "user": { "id": "u1" } },
            { "id": "p3", "purpose": "somewhat" } ] } });
        let generic = json!({ "topicName": "v2.users.u1.conversations", "eventBody": { "id": "c", "participants": [
            { "id": "p1", "purpose": "customer", "messages": [{ "id": "x", "state": "connected", "messages": refs }] },
            { "id": "p2", "purpose": "agent", "userId": "u1", "messages": [
                { "id": "y", "state": "disconnected" }, { "id": "z", "state": "parked", "messages": [] }] } ] } });
        for (frame, name, people) in [
            (media, "conversations.messages", "customer connected, agent alerting · 2 messages"),
            (generic, "conversations", "customer connected, agent parked · 2 messages"),
        ] {
            let expected = Some((name.to_owned(), people.to_owned()));
            assert_eq!(lines(&frame), [expected.clone(), expected]);
        }
        let presence = json!({ "topicName": "v2.users.u1.presence", "eventBody": { "presenceDefinition": {} } });
        assert!(at_a_glance(&presence.to_string()).is_none() && at_a_glance("[").is_none());
    }

    #[test]
    fn the_beginning_of_a_long_one_tells_its_topic() {
        let text = r#"{"topicName":"v2.users.u1.conversations","eventBody":{"id":"c1","participants":[{"id"#;
        assert_eq!(of_cut(text), Some(("conversations".into(), "conversation c1".into())));
        assert_eq!(of_cut("{\"a"), None);
    }
}
