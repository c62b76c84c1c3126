//! The record: one thing that happened. The capture is a list of them and nothing else.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::clock::Now;
use super::fact::Fact;
use super::id::SessionId;

/// What a record is. The numbers are stored in capture files: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Kind {
    /// Head [`HttpRequest`], body as sent.
    HttpRequest = 1,
    /// Head [`HttpResponse`], body as received after content decoding. `code` is the status.
    HttpResponse = 2,
    /// No answer came. Head [`Fact::Fault`].
    HttpFailed = 3,
    /// The upgrade request of a socket. Head [`HttpRequest`].
    SocketOpening = 10,
    /// 101. Head [`HttpResponse`].
    SocketOpen = 11,
    /// The upgrade was refused or nobody answered. Head [`HttpResponse`] where there was an answer, with its body;
    /// else [`Fact::Fault`].
    SocketRefused = 12,
    /// A text message. No head.
    Text = 13,
    /// A binary message. No head.
    Binary = 14,
    Ping = 15,
    Pong = 16,
    /// A close frame. `code` is its code, the body its reason.
    Close = 17,
    /// The connection ended without a close frame. Head [`Fact::Fault`].
    SocketLost = 18,
    /// A session was made. Head [`SessionStart`].
    SessionStart = 30,
    /// Head [`Fact::State`].
    State = 31,
    /// Head [`Fact::Expiry`].
    Expiry = 32,
    /// Head [`Fact::Delivery`].
    Delivery = 33,
    /// Head [`Fact::Fault`].
    Fault = 34,
    /// Head [`Fact::Skew`].
    Skew = 35,
    /// Head [`Fact::Note`], by the user.
    Note = 36,
    /// Head [`Fact::Mark`], by the user.
    Mark = 37,
    /// Payloads were left out because the disk could not keep up. Head [`Fact::LeftOut`].
    LeftOut = 38,
    /// One attempt to do something at a server, and what came of it. Head [`Fact::Audit`].
    Audit = 39,
    /// A name by which a server knows the session. Head [`Fact::Id`].
    Id = 40,
    /// Something waits for its turn. Head [`Fact::Waiting`].
    Waiting = 41,
    /// The final report of a session. Head [`Fact::Summary`].
    Summary = 42,
}

impl Kind {
    pub const ALL: [Self; 25] = [
        Self::HttpRequest,
        Self::HttpResponse,
        Self::HttpFailed,
        Self::SocketOpening,
        Self::SocketOpen,
        Self::SocketRefused,
        Self::Text,
        Self::Binary,
        Self::Ping,
        Self::Pong,
        Self::Close,
        Self::SocketLost,
        Self::SessionStart,
        Self::State,
        Self::Expiry,
        Self::Delivery,
        Self::Fault,
        Self::Skew,
        Self::Note,
        Self::Mark,
        Self::LeftOut,
        Self::Audit,
        Self::Id,
        Self::Waiting,
        Self::Summary,
    ];

    pub fn from_u8(n: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|k| *k as u8 == n)
    }

    /// The word in the table's kind column and in filters (`kind:text`).
    pub fn word(self) -> &'static str {
        match self {
            Self::HttpRequest => "request",
            Self::HttpResponse => "response",
            Self::HttpFailed => "http-failed",
            Self::SocketOpening => "opening",
            Self::SocketOpen => "open",
            Self::SocketRefused => "refused",
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Close => "close",
            Self::SocketLost => "lost",
            Self::SessionStart => "session",
            Self::State => "state",
            Self::Expiry => "expiry",
            Self::Delivery => "delivery",
            Self::Fault => "fault",
            Self::Skew => "skew",
            Self::Note => "note",
            Self::Mark => "mark",
            Self::LeftOut => "left-out",
            Self::Audit => "audit",
            Self::Id => "id",
            Self::Waiting => "waiting",
            Self::Summary => "summary",
        }
    }

    pub fn lane(self) -> Lane {
        match self {
            Self::HttpRequest | Self::HttpResponse | Self::HttpFailed => Lane::Http,
            Self::SocketOpening
            | Self::SocketOpen
            | Self::SocketRefused
            | Self::Text
            | Self::Binary
            | Self::Ping
            | Self::Pong
            | Self::Close
            | Self::SocketLost => Lane::Socket,
            _ => Lane::Lifecycle,
        }
    }
}

/// The three families that the record table can show and hide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    Http,
    Socket,
    Lifecycle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Direction {
    /// Neither: something within this program.
    Local = 0,
    /// From us to the server.
    Sent = 1,
    /// From the server to us.
    Received = 2,
}

impl Direction {
    pub fn from_u8(n: u8) -> Self {
        match n {
            1 => Self::Sent,
            2 => Self::Received,
            _ => Self::Local,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Sent => "sent",
            Self::Received => "received",
        }
    }
}

/// A set of marks on a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flags(pub u16);

impl Flags {
    pub const NONE: Self = Self(0);
    /// A ping, pong or health check: folded away at first.
    pub const HEARTBEAT: Self = Self(1);
    /// A typing indication: folded away at first.
    pub const TYPING: Self = Self(1 << 1);
    /// Not what the protocol says at all (not JSON, not UTF-8, a required field missing).
    pub const MALFORMED: Self = Self(1 << 2);
    /// Well formed, but with a class, code or field that no source describes.
    pub const UNKNOWN: Self = Self(1 << 3);
    /// Something was replaced by a placeholder.
    pub const REDACTED: Self = Self(1 << 4);
    /// The payload was longer than what is stored; `size` tells the whole length.
    pub const CUT: Self = Self(1 << 5);
    /// The payload was not stored because the disk could not keep up.
    pub const LEFT_OUT: Self = Self(1 << 6);
    /// The projections need this record (see [`crate::projection`]).
    pub const STORY: Self = Self(1 << 7);
    /// Something went wrong here.
    pub const FAULT: Self = Self(1 << 8);

    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Folded away at first.
    pub const fn is_noise(self) -> bool {
        self.0 & (Self::HEARTBEAT.0 | Self::TYPING.0) != 0
    }
}

/// A record before it has its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub at: Now,
    pub session: SessionId,
    /// Number of the socket within the session, from 1; zero where no socket is meant.
    pub conn: u32,
    pub kind: Kind,
    pub direction: Direction,
    pub flags: Flags,
    /// HTTP status or close code; zero for none.
    pub code: i32,
    /// `seq` of the record that this one answers or speaks of; zero for none.
    pub reply_to: u64,
    /// Length of the whole payload in bytes, also where less is stored.
    pub size: u64,
    /// JSON by kind, see [`Kind`]; empty for none.
    pub head: String,
    pub body: Bytes,
}

impl Draft {
    pub fn new(at: Now, session: SessionId, kind: Kind, direction: Direction) -> Self {
        Self {
            at,
            session,
            conn: 0,
            kind,
            direction,
            flags: Flags::NONE,
            code: 0,
            reply_to: 0,
            size: 0,
            head: String::new(),
            body: Bytes::new(),
        }
    }

    /// The record of a fact. Facts always matter to the projections.
    pub fn fact(at: Now, session: SessionId, fact: &Fact) -> Self {
        let mut draft = Self::new(at, session, fact.kind(), Direction::Local).head(fact);
        draft.flags = Flags::STORY;
        if let Fact::Fault(_) = fact {
            draft.flags = draft.flags.with(Flags::FAULT);
        }
        draft
    }

    pub fn conn(mut self, conn: u32) -> Self {
        self.conn = conn;
        self
    }

    pub fn flags(mut self, flags: Flags) -> Self {
        self.flags = self.flags.with(flags);
        self
    }

    pub fn code(mut self, code: i32) -> Self {
        self.code = code;
        self
    }

    pub fn reply_to(mut self, seq: u64) -> Self {
        self.reply_to = seq;
        self
    }

    /// The record that this one answers; zero for none. Notes and marks speak of a record without answering it.
    pub fn answers(&self) -> u64 {
        if self.kind.lane() == Lane::Lifecycle { 0 } else { self.reply_to }
    }

    pub fn head(mut self, head: &impl Serialize) -> Self {
        self.head = serde_json::to_string(head).unwrap_or_default();
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.size = self.body.len() as u64;
        self
    }
}

/// A record in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Place in the log, from 1 without gaps.
    pub seq: u64,
    pub draft: Draft,
}

impl std::ops::Deref for Record {
    type Target = Draft;
    fn deref(&self) -> &Draft {
        &self.draft
    }
}

impl Record {
    /// The head as the type that [`Kind`] names; none where it is missing or of another shape.
    pub fn head_as<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.draft.head).ok()
    }

    pub fn fact(&self) -> Option<Fact> {
        self.head_as()
    }

    /// The payload as text, none where it is not UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.draft.body).ok()
    }
}

/// Header lines in their order, names as they were on the wire.
pub type Headers = Vec<(String, String)>;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    pub method: String,
    pub url: String,
    pub version: String,
    pub headers: Headers,
    /// What the call is for, in a few words: "history", "upload", "token".
    pub purpose: String,
    /// The request of the guest that it carries, where it carries one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracing: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpResponse {
    pub status: u16,
    /// Reason phrase, often empty.
    pub reason: String,
    pub version: String,
    pub headers: Headers,
    /// From the first byte of the request to the head of the answer, in microseconds.
    pub wait_us: u64,
    /// From the head of the answer to its end, in microseconds.
    pub receive_us: u64,
    /// Of the request that it answers, as [`HttpRequest::purpose`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub purpose: String,
    /// Of the request that it answers, as [`HttpRequest::tracing`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracing: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStart {
    pub name: String,
    pub dialect: super::id::DialectId,
    /// Name of the environment, and the hosts that it stood for.
    pub environment: String,
    pub hosts: super::hosts::Hosts,
    pub deployment_id: String,
    /// TLS verification was switched off for this environment.
    #[serde(default)]
    pub tls_unverified: bool,
    /// Those of the environment, for the meters.
    #[serde(default)]
    pub limits: super::environment::Limits,
}
