//! What records mean to a person, whatever the protocol: said, typed, joined, refused. Dialects read records into
//! happenings; the projections fold them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::desk::{Snapshot, UserNews};
use super::rich::{Chosen, DatePicker, FormOffer, ListPicker};
use super::time::Wall;

/// One thing that the conversation shows or that changes what it shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// A message exists. The same message may be told many times (our own frame, the echo on this and on other
    /// connections, history): the fold keeps one, by `tracing` and by `key`.
    Said(Box<Message>),
    /// The other side types; for this long, in milliseconds, unless a message comes first.
    Typing { side: Side, millis: u64 },
    /// Somebody came, went or cleared. Shown once, by `key` where there is one.
    Presence { side: Side, what: Presence, key: Option<String>, at: Option<Wall>, tracing: Option<String> },
    /// The server's key of the message of this tracing id.
    Named { tracing: String, key: String },
    /// The server refused the request of this tracing id.
    Refused { tracing: String, code: i32, text: String },
    /// An upload changed: its attachment is known under this id.
    Attachment { id: String, state: AttachmentState },
    /// A page of history was read: its messages stand before as [`Happening::Said`] with [`Source::History`].
    HistoryRead { messages: usize },
    /// The guest's conversation was cleared; what was said before stays visible, marked.
    Cleared,
    /// The agent's side of a conversation as it stands.
    Snapshot(Box<Snapshot>),
    /// In one of an agent's conversations, by its id.
    In { conversation: String, what: Box<Happening> },
    /// About the user who is signed in as an agent.
    User(UserNews),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    Guest,
    Agent,
    Bot,
    /// Neither person: the platform.
    System,
}

impl Side {
    pub fn word(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Agent => "agent",
            Self::Bot => "bot",
            Self::System => "system",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    Joined,
    Disconnected {
        read_only: Option<bool>,
    },
    ClearAsked,
    SignedIn {
        name: String,
    },
    /// One that this program does not know, by its name on the wire.
    Other(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Our own frame, before any echo.
    Outgoing,
    /// A frame of the server.
    Live,
    /// Read by REST.
    History,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The server's key: `channel.messageId`, else `id`. Empty before the first echo.
    pub key: String,
    /// Other keys under which the server speaks of it (`id` beside `channel.messageId`).
    pub also: Vec<String>,
    /// The client's key.
    pub tracing: Option<String>,
    pub side: Side,
    pub source: Source,
    /// The server's time.
    pub at: Option<Wall>,
    pub from: Option<String>,
    pub text: Option<String>,
    pub parts: Vec<Part>,
    /// The server says that the guest has signed in.
    pub authenticated: bool,
    /// Custom attributes sent with it.
    pub attributes: Vec<(String, String)>,
}

/// Rich content of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    QuickReply {
        text: String,
        payload: String,
        image: Option<String>,
    },
    /// The guest pressed a quick reply or a button.
    Answer {
        kind: String,
        text: String,
        payload: String,
    },
    Card(Card),
    Carousel(Vec<Card>),
    Attachment(Attachment),
    /// Times to choose one of.
    Date(DatePicker),
    List(ListPicker),
    Form(FormOffer),
    /// The guest answered a picker or a form.
    Chosen(Chosen),
    /// Kept and shown as received.
    Other {
        kind: String,
        json: Value,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    pub title: String,
    pub description: String,
    pub image: Option<String>,
    pub video: Option<String>,
    pub actions: Vec<CardAction>,
    pub default_action: Option<CardAction>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardAction {
    Link { text: String, url: String },
    Postback { text: String, payload: String },
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    pub id: String,
    pub name: String,
    pub mime: String,
    /// Bytes, where told.
    pub size: Option<u64>,
    /// Download address with its signature replaced.
    pub url: Option<String>,
    /// "Image", "File", … as told.
    pub media_type: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttachmentState {
    /// An upload address was asked for.
    Asked {
        name: String,
        size: u64,
    },
    /// The address was given.
    Granted,
    Uploaded,
    Failed {
        code: i32,
        text: String,
    },
    /// A fresh download address was given.
    LinkRefreshed,
    Deleted,
}
