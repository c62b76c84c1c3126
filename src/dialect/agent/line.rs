//! A notification in a line.

use super::wire::{self, Notice};
use crate::dialect::flow::text_of;
use crate::model::Record;
use crate::model::desk::{Purpose, Stage};

/// Name and gist of a frame of the notification socket; none where it is something else.
pub fn frame_line(record: &Record) -> Option<(String, String)> {
    let text = record.text()?;
    Some(match wire::notice(text) {
        Some(Notice::Heartbeat) => ("heartbeat".into(), String::new()),
        Some(Notice::Pong) => ("pong".into(), String::new()),
        Some(Notice::Closing(text)) => ("socket_closing".into(), text),
        Some(Notice::Evicted(why)) => ("no_longer_subscribed".into(), why),
        Some(Notice::Changed) => ("subscription_changed".into(), String::new()),
        Some(Notice::Revoked(why)) => ("token_revoked".into(), why),
        Some(Notice::Result { code, status, .. }) => (format!("result {code}"), status),
        Some(Notice::Event { topic, body }) => {
            let mut parts = topic.split('.').skip(3);
            let name = match parts.next() {
                Some(first) => parts.fold(first.to_owned(), |all, part| format!("{all}.{part}")),
                None => topic.clone(),
            };
            (name, gist(&body))
        }
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
