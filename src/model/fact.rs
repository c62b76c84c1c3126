//! Facts: what this program knows beyond the traffic. Each is a record of its own kind.

use serde::{Deserialize, Serialize};

use super::record::Kind;
use super::report::Report;
use super::time::Wall;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum Fact {
    State(StateChange),
    Expiry(Expiry),
    Delivery(DeliveryChange),
    Fault(Report),
    Skew(Skew),
    Note {
        text: String,
    },
    Mark {
        on: bool,
    },
    LeftOut {
        /// Payloads not stored since the last such record.
        payloads: u64,
        bytes: u64,
    },
    Audit(Audit),
    Id(NamedId),
    Waiting {
        /// What waits, and for what, in a few words.
        why: String,
        millis: u64,
    },
    Summary(Summary),
}

impl Fact {
    pub fn kind(&self) -> Kind {
        match self {
            Self::State(_) => Kind::State,
            Self::Expiry(_) => Kind::Expiry,
            Self::Delivery(_) => Kind::Delivery,
            Self::Fault(_) => Kind::Fault,
            Self::Skew(_) => Kind::Skew,
            Self::Note { .. } => Kind::Note,
            Self::Mark { .. } => Kind::Mark,
            Self::LeftOut { .. } => Kind::LeftOut,
            Self::Audit(_) => Kind::Audit,
            Self::Id(_) => Kind::Id,
            Self::Waiting { .. } => Kind::Waiting,
            Self::Summary(_) => Kind::Summary,
        }
    }
}

/// Where a session is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum SessionState {
    /// Nothing was tried yet.
    New,
    Connecting,
    /// The socket is open; the session is not configured.
    Connected,
    Configuring,
    /// Messages can be sent.
    Ready,
    /// The server refuses messages until a new session is started.
    ReadOnly,
    /// Waiting to open another socket with the same token.
    Reconnecting {
        attempt: u32,
        /// Local wall time of the next try.
        at: Wall,
    },
    Ended(End),
}

impl SessionState {
    /// One word for rails and tables.
    pub fn word(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Configuring => "configuring",
            Self::Ready => "ready",
            Self::ReadOnly => "read-only",
            Self::Reconnecting { .. } => "reconnecting",
            Self::Ended(_) => "ended",
        }
    }

    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum End {
    /// The user closed it.
    ByUser,
    /// A close frame of the server, without a word before it.
    ByServer {
        code: u16,
        reason: String,
    },
    /// The connection broke without a close frame.
    Lost,
    /// The socket could not be opened; the report says why.
    NotOpened {
        report: String,
    },
    /// Configuring was refused.
    NotConfigured {
        code: i32,
        text: String,
    },
    /// The server says that the session has expired (SessionExpiredEvent, 4006).
    Expired,
    /// The server does not know the session (4007).
    Unknown,
    /// ConnectionClosedEvent, with its reason where it gave one.
    ConnectionClosed {
        reason: String,
    },
    /// The guest signed in elsewhere with the same identity.
    SignedInElsewhere,
    LoggedOut,
    /// The conversation was cleared on the guest's wish.
    Cleared,
    /// A step that the session cannot do without failed for good.
    Failed {
        why: String,
    },
    /// What was given is out of range, so nothing was sent.
    Invalid {
        why: String,
    },
    /// Its own length, or the number of failed heartbeats, was reached.
    Over {
        why: String,
    },
    /// Reconnecting was given up.
    GaveUp {
        attempts: u32,
    },
}

impl End {
    /// A sentence for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::ByUser => "closed by you".into(),
            Self::ByServer { code, reason } if reason.is_empty() => {
                format!("closed by the server with {code}, no reason given")
            }
            Self::ByServer { code, reason } => format!("closed by the server with {code}: {reason}"),
            Self::Lost => "connection lost without a close frame".into(),
            Self::NotOpened { report } => format!("the socket was not opened ({report})"),
            Self::NotConfigured { code, text } => format!("configuring was refused with {code}: {text}"),
            Self::Expired => "the session has expired".into(),
            Self::Unknown => "the server does not know this session".into(),
            Self::ConnectionClosed { reason } if reason.is_empty() => "the server closed this connection".into(),
            Self::ConnectionClosed { reason } => format!("the server closed this connection: {reason}"),
            Self::SignedInElsewhere => "the guest signed in elsewhere".into(),
            Self::LoggedOut => "logged out".into(),
            Self::Cleared => "the conversation was cleared".into(),
            Self::Failed { why } => why.clone(),
            Self::Invalid { why } => format!("not started: {why}"),
            Self::Over { why } => why.clone(),
            Self::GaveUp { attempts } => format!("gave up after {attempts} tries to reconnect"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateChange {
    pub to: SessionState,
    /// Why, in a few words; empty where it is plain.
    #[serde(default)]
    pub why: String,
}

/// Something that expires: a token, an idle session, a link. The clock strip shows the newest fact of each `id`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expiry {
    /// Stable within the session: `guest-jwt`, `session-idle`, `oauth`, `link:<attachment>`.
    pub id: String,
    /// For people: "guest JWT".
    pub title: String,
    pub event: ExpiryEvent,
    /// Who did it: "server", "you", "token keeper".
    pub by: String,
    /// On the server's clock.
    pub from: Wall,
    /// On the server's clock; none where the end is not known.
    pub until: Option<Wall>,
    /// It is treated as dead this many seconds early.
    pub margin_secs: u32,
    /// What fails then, in a few words: "next history call".
    pub breaks: String,
    /// The length was not told by the server but assumed; the window says so.
    #[serde(default)]
    pub assumed: bool,
    /// The placeholder of the token that this is about, as it stands in other records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What it was granted for, separated by spaces, where the server told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Header and claims of a token that can be decoded, without its signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<serde_json::Value>,
    /// What the menu may offer.
    #[serde(default)]
    pub can: Vec<ClockDeed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpiryEvent {
    /// A new one.
    Started,
    /// The same one lives longer.
    Extended,
    /// Replaced by a fresh one.
    Refreshed,
    /// Its time is over.
    Expired,
    /// The server refused it though it should have lived.
    Refused,
    /// Damaged on purpose.
    Corrupted,
    /// Gone from memory and keyring, or no longer of interest.
    Forgotten,
}

/// What a person can do to a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockDeed {
    Refresh,
    /// Treat it as dead from now on (and ask the sandbox to do the same, where it is one).
    Expire,
    /// Damage the kept copy, so that the server refuses it.
    Corrupt,
    Forget,
}

/// What became of a message or another request of the guest, found by its tracing id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryChange {
    pub tracing: String,
    pub delivery: Delivery,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "delivery", rename_all = "kebab-case")]
pub enum Delivery {
    /// On the wire, no echo yet.
    Sent,
    /// The server echoed it (or history has it).
    Delivered,
    /// Will be sent again at this local wall time.
    Retrying { at: Wall, attempt: u32, why: String },
    /// The server refused it.
    Refused { code: i32, text: String },
    /// It never left: the reason is ours.
    NotSent { why: String },
    /// It left, but the connection ended before an echo, and history does not have it.
    Unconfirmed { why: String },
}

/// How far the server's clock is from ours, as [`super::ServerTime`] knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skew {
    /// Server minus local, in microseconds.
    pub skew_us: i64,
    pub uncertainty_us: i64,
    /// The local wall clock jumped by this much against the monotonic one; zero in ordinary life.
    #[serde(default)]
    pub jump_us: i64,
}

/// One attempt of a session to do something at a server. The audit log has a line for each, the metrics count them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// What was tried: `session.create`, `message.send`, `token.refresh`.
    pub action: String,
    pub outcome: AuditOutcome,
    /// From 1.
    pub attempt: u32,
    /// HTTP status, where an answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    pub latency_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<ErrorCategory>,
    #[serde(flatten)]
    pub ids: AuditIds,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// Whom and what an attempt was about, as far as known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditIds {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditOutcome {
    #[default]
    Success,
    /// It failed and is tried again.
    Retry,
    Failed,
}

impl AuditOutcome {
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Retry => "retry",
            Self::Failed => "failed",
        }
    }
}

/// What an error counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCategory {
    /// A token that is malformed, wrongly signed or does not say what it must.
    TokenValidation,
    /// 429.
    RateLimit,
    /// 401 and 403.
    Auth,
    /// No answer, or a socket that broke.
    Network,
    /// A value out of range: refused here, or by the server with 400.
    Validation,
    /// 404, 409, 410, 422.
    Conflict,
    /// 5xx.
    Server,
}

impl ErrorCategory {
    pub const ALL: [Self; 7] = [
        Self::TokenValidation,
        Self::RateLimit,
        Self::Auth,
        Self::Network,
        Self::Validation,
        Self::Conflict,
        Self::Server,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::TokenValidation => "token validation",
            Self::RateLimit => "rate limit",
            Self::Auth => "auth",
            Self::Network => "network",
            Self::Validation => "validation",
            Self::Conflict => "conflict",
            Self::Server => "server",
        }
    }

    /// What an HTTP status counts as; none for success.
    pub fn of_status(status: u16) -> Option<Self> {
        match status {
            0..=399 => None,
            401 | 403 => Some(Self::Auth),
            429 => Some(Self::RateLimit),
            404 | 409 | 410 | 422 => Some(Self::Conflict),
            400..=499 => Some(Self::Validation),
            _ => Some(Self::Server),
        }
    }
}

/// A name by which a server knows something of the session. Shown with the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedId {
    /// `conversation`, `guest`, `contact`, `session`, `idempotency key`.
    pub name: String,
    pub value: String,
    /// Does not fit what it should be equal to: says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<String>,
}

/// What became of a session, told at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub duration_us: u64,
    pub requests: u64,
    pub failures: u64,
    pub retries: u64,
    pub refreshes: u64,
    pub sent: u64,
    pub delivered: u64,
    pub heartbeats: u64,
    /// States with the local wall time at which each began, oldest first.
    pub states: Vec<(Wall, String)>,
    /// States that were left out because there were too many.
    #[serde(default)]
    pub states_left_out: u64,
}
