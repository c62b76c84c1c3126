//! Frames of a guest's socket: what was sent when, and in which order messages came.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::fold::{Heard, Scene};
use crate::model::environment::Limits;
use crate::model::{Mono, Record, SessionId, Wall};
use crate::projection::evidence::Gathered;
use crate::projection::evidence::tokens::TokenRef;
use crate::projection::evidence::words;

/// So many connections of a session are remembered, the newest.
const CONNECTIONS: usize = 8;
/// So many of the newest messages of a connection.
const MESSAGES: usize = 256;
/// A longer key is no id that anybody uses.
const LONGEST_KEY: usize = 256;
/// So many tokens of all sessions, and connections of each.
const TOKENS: usize = 256;
const OPEN: usize = 32;
/// The vendor's own clients send typing at most once in five seconds (genesys-messenger-transport-mobile-sdk,
/// `UserTypingProvider`).
const TYPING_EVERY: f64 = 5.0;

#[derive(Clone, Debug, Default)]
pub struct Frames {
    connections: VecDeque<Connection>,
    /// As the newest SessionResponse tells, in bytes.
    attribute_bytes: Option<f64>,
    pub forgotten: u64,
}

#[derive(Clone, Debug, Default)]
struct Connection {
    number: u32,
    /// The server has answered configureSession.
    configured: bool,
    /// It says so, and whether the session is a new one.
    new: Option<bool>,
    echo: Option<(Mono, u64)>,
    typing: Option<(Mono, u64)>,
    /// The latest `channel.time`, and the message that had it.
    newest: Option<(Wall, Seen)>,
    messages: VecDeque<Seen>,
}

#[derive(Clone, Debug)]
struct Seen {
    hash: u64,
    key: Box<str>,
    seq: u64,
    at: Option<Wall>,
}

impl Frames {
    pub fn opened(&mut self, number: u32) {
        self.connection(number);
    }

    pub fn closed(&mut self, number: u32) {
        self.connections.retain(|c| c.number != number);
    }

    /// The session says that it is ready: the newest connection is configured, whether or not the answer is at hand.
    pub fn ready(&mut self) {
        if let Some(newest) = self.connections.back_mut() {
            newest.configured = true;
        }
    }

    fn connection(&mut self, number: u32) -> &mut Connection {
        let place = match self.connections.iter().position(|c| c.number == number) {
            Some(place) => place,
            None => {
                if self.connections.len() == CONNECTIONS {
                    self.connections.pop_front();
                    self.forgotten += 1;
                }
                self.connections.push_back(Connection { number, ..Connection::default() });
                self.connections.len() - 1
            }
        };
        &mut self.connections[place]
    }

    pub fn sent(&mut self, scene: &mut Scene<'_>, found: &mut Gathered) {
        let record = scene.record;
        let Some(frame) = words::json(&record.body) else { return };
        let limits = scene.view.start.as_ref().map_or_else(Limits::default, |s| s.limits.clone());
        let text = |path: &[&str]| path.iter().try_fold(&frame, |v, name| v.get(name)).and_then(Value::as_str);
        let action = text(&["action"]).unwrap_or_default();
        found.text("sent.action", action, record.seq);
        let attribute_bytes = self.attribute_bytes.unwrap_or(f64::from(limits.attribute_bytes));
        let (seq, now) = (record.seq, record.at.mono);
        let c = self.connection(record.conn);
        match action {
            "onMessage" => {
                found.flag("sent.before_configured", !c.configured, seq);
                if let Some(said) = text(&["message", "text"]) {
                    found.number("sent.text_bytes", said.len() as f64, seq);
                    found.number("limit.message_bytes", f64::from(limits.message_bytes), 0);
                }
                let bytes = attributes(&frame) + attributes(frame.get("message").unwrap_or(&Value::Null));
                if bytes > 0 {
                    found.number("sent.attribute_bytes", bytes as f64, seq);
                    found.number("limit.attribute_bytes", attribute_bytes, 0);
                }
                c.events(&frame, seq, now, found);
            }
            "echo" => {
                if let Some((before, at)) = c.echo {
                    found.number("echo.since_s", now.since(before).as_secs_f64(), at);
                    found.number("echo.every_s", 60.0 / f64::from(limits.echoes_per_minute.max(1)), 0);
                }
                c.echo = Some((now, seq));
            }
            "configureSession" | "configureAuthenticatedSession" => {
                let Some(token) = TokenRef::find(text(&["token"]).unwrap_or_default().as_bytes()) else { return };
                let deployment = text(&["deploymentId"]).unwrap_or_default();
                let of = scene.common.tokens.of(token);
                if of.deployment.as_ref().is_some_and(|(known, _)| **known != *deployment) && !deployment.is_empty() {
                    let (known, at) = of.deployment.as_ref().map_or(("", 0), |(known, at)| (known, *at));
                    found.text("sent.deployment_before", known, at);
                } else if of.deployment.is_none() {
                    of.deployment = Some((deployment.into(), seq));
                }
                let here = (record.session, record.conn);
                if !of.open.contains(&here) && of.open.len() < OPEN {
                    of.open.push(here);
                    found.number("connections.open", of.open.len() as f64, seq);
                    found.number("connections.limit", f64::from(limits.connections_per_session), 0);
                }
            }
            _ => {}
        }
    }

    pub fn received(&mut self, scene: &Scene<'_>, found: &mut Gathered) {
        let record = scene.record;
        found.number("frame.bytes", record.size as f64, record.seq);
        if memchr::memmem::find(&record.body, b"\"SessionResponse\"").is_none() {
            return;
        }
        let Some(frame) = words::json(&record.body) else { return };
        let Some(body) = frame.get("body").filter(|_| frame.get("class").is_some_and(|c| c == "SessionResponse"))
        else {
            return;
        };
        let connected = body.get("connected").and_then(Value::as_bool).unwrap_or(false);
        let new = body.get("newSession").and_then(Value::as_bool).unwrap_or(false);
        let c = self.connection(record.conn);
        (c.configured, c.new) = (connected, connected.then_some(new));
        self.attribute_bytes = body.get("maxCustomDataBytes").and_then(Value::as_f64).or(self.attribute_bytes);
    }

    /// A message that a frame brought, against those before it on the same connection.
    pub fn heard(&mut self, record: &Record, message: &Heard, found: &mut Gathered) {
        if message.key.len() > LONGEST_KEY {
            return;
        }
        let seq = record.seq;
        let c = self.connection(record.conn);
        found.text("message.key", &message.key, seq);
        if let Some(at) = message.at {
            found.text("message.time", &at.rfc3339(), seq);
        }
        let hash = hash(&message.key);
        let before = c.messages.iter().find(|m| m.hash == hash && m.key == message.key && !m.key.is_empty());
        found.flag("message.repeats", before.is_some(), before.map_or(seq, |m| m.seq));
        let seen = Seen { hash, key: message.key.clone(), seq, at: message.at };
        let is_known = before.is_some();
        if let Some(at) = message.at.filter(|_| !is_known) {
            if let Some((newest, other)) = &c.newest
                && at < *newest
            {
                found.number("message.behind_s", newest.micros_since(at) as f64 / 1e6, seq);
                found.text("message.before", &other.key, other.seq);
            }
            if let Some(twin) = c.messages.iter().rev().find(|m| m.at == Some(at)) {
                found.text("message.twin", &twin.key, twin.seq);
            }
            if c.newest.as_ref().is_none_or(|(newest, _)| at > *newest) {
                c.newest = Some((at, seen.clone()));
            }
        }
        if !is_known {
            if c.messages.len() == MESSAGES {
                c.messages.pop_front();
            }
            c.messages.push_back(seen);
        }
    }
}

impl Connection {
    fn events(&mut self, frame: &Value, seq: u64, now: Mono, found: &mut Gathered) {
        let events = frame.get("message").and_then(|m| m.get("events")).and_then(Value::as_array);
        for event in events.into_iter().flatten() {
            let word = |name: &str| event.get(name).and_then(|e| e.get("type")).and_then(Value::as_str);
            if word("typing").is_some() {
                if let Some((before, at)) = self.typing {
                    found.number("typing.since_s", now.since(before).as_secs_f64(), at);
                    found.number("typing.every_s", TYPING_EVERY, 0);
                }
                self.typing = Some((now, seq));
            }
            if word("presence") == Some("Join") {
                found.flag("sent.join_again", self.new == Some(false), seq);
            }
        }
    }
}

/// Bytes of the keys and values of custom attributes, which stand in either of two places.
fn attributes(of: &Value) -> usize {
    let map = of.get("channel").and_then(|c| c.get("metadata")).and_then(|m| m.get("customAttributes"));
    let value = |v: &Value| v.as_str().map_or_else(|| v.to_string().len(), str::len);
    map.and_then(Value::as_object).into_iter().flatten().map(|(k, v)| k.len() + value(v)).sum()
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Session tokens of all sessions: with which deployment each was used, and where it is connected now.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    list: VecDeque<(TokenRef, Used)>,
}

#[derive(Clone, Debug, Default)]
pub struct Used {
    deployment: Option<(Box<str>, u64)>,
    open: Vec<(SessionId, u32)>,
}

impl Tokens {
    fn of(&mut self, token: TokenRef) -> &mut Used {
        let place = match self.list.iter().position(|(known, _)| *known == token) {
            Some(place) => place,
            None => {
                if self.list.len() == TOKENS {
                    self.list.pop_front();
                }
                self.list.push_back((token, Used::default()));
                self.list.len() - 1
            }
        };
        &mut self.list[place].1
    }

    pub fn closed(&mut self, session: SessionId, conn: u32) {
        for (_, used) in &mut self.list {
            used.open.retain(|open| *open != (session, conn));
        }
    }
}
