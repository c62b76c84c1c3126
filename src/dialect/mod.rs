//! Protocols as pure state machines: input in, actions out. No clock, no socket, no async.
//!
//! A dialect does not know whether it talks to a server, to a test or to a random schedule. The engine carries out
//! what it asks for, records everything, and tells it what came of it.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::model::agents::SubscribeBy;
use crate::model::flows::{RefreshForm, SendForm};
use crate::model::login::Login;
use crate::model::rich::{Picked, Way};
use crate::model::{DialectId, Fact, Flags, Happening, Now, Record, Report, Secret, SecretKind, Wall};

pub mod agent;
pub mod backoff;
pub mod budget;
pub mod credential;
mod cx;
pub mod errands;
pub mod external_contact;
pub mod flow;
pub mod guest_resource;
pub mod heartbeat;
pub mod jwt;
pub mod keeper;
mod line;
pub mod managed_conversation;
pub mod seeded;
pub mod session_token;
pub mod sign_in;
pub mod signed_guest;
pub mod web_messaging;

/// The instant of a step: both local clocks and what the server's clock says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    pub now: Now,
    pub server: Wall,
}

/// Names an HTTP call of a dialect, so that its answer finds back. Counted by the dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// What reaches a dialect.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A person or a script wants something.
    Wish(Wish),
    /// The socket asked for by [`Action::Open`] is open.
    Opened {
        conn: u32,
    },
    /// It could not be opened. `status` where the server answered the upgrade.
    NotOpened {
        conn: u32,
        status: Option<u16>,
        report: Report,
    },
    Text {
        conn: u32,
        text: &'a str,
    },
    /// A binary message, or a text message that is not UTF-8.
    Bytes {
        conn: u32,
        bytes: &'a [u8],
    },
    Pong {
        conn: u32,
    },
    /// The server's close frame (also where it answers ours).
    Closed {
        conn: u32,
        code: u16,
        reason: &'a str,
    },
    /// The connection ended without a close frame.
    Lost {
        conn: u32,
        why: &'a str,
    },
    /// An HTTP answer, whatever its status.
    Answer {
        call: CallId,
        status: u16,
        retry_after: Option<Duration>,
        body: &'a [u8],
    },
    /// No HTTP answer came.
    CallFailed {
        call: CallId,
        report: Report,
    },
    /// How the OAuth token stands that [`Action::NeedBearer`] asked for; also told when it changes later.
    Bearer(BearerNews),
    /// The token that [`Action::Sign`] asked for.
    Signed {
        token: Secret<String>,
        kid: String,
    },
    NotSigned {
        report: Report,
    },
    /// Time went by.
    Tick,
}

/// What the engine shall do, in this order.
#[derive(Clone, Debug)]
pub enum Action {
    /// Open a socket under the next connection number.
    Open {
        conn: u32,
        url: String,
        headers: Vec<(String, String)>,
    },
    /// Send a text message. `tracing` is the id under which an answer will come.
    Text {
        conn: u32,
        text: String,
        flags: Flags,
        tracing: Option<String>,
    },
    Ping {
        conn: u32,
    },
    /// Start the closing handshake; the engine drops the connection when the answer stays out.
    Close {
        conn: u32,
        code: u16,
        reason: String,
    },
    Call {
        call: CallId,
        request: Call,
    },
    /// Tell how the OAuth token stands, and get one where there is none that lives.
    NeedBearer,
    /// The server refused the OAuth token of this number; another is needed.
    BearerRefused {
        number: u64,
    },
    /// Another than the OAuth token of this number is needed, though no server refused it.
    BearerReplace {
        number: u64,
    },
    /// The server took it.
    BearerAccepted {
        number: u64,
    },
    /// Sign these claims (RS256) with the environment's active key, and verify the result with its public part.
    Sign {
        claims: Map<String, Value>,
    },
    /// Keep this out of every record from now on.
    Learn {
        kind: SecretKind,
        value: Secret<String>,
    },
    /// Put a secret into the vault under the session's key, or take it out.
    Keep {
        key: &'static str,
        value: Option<Secret<String>>,
    },
    /// State a fact; it becomes a record.
    State(Fact),
}

/// An OAuth token, as it is handed to those who share it.
#[derive(Clone, Debug, PartialEq)]
pub struct Bearer {
    /// Counted from 1 by its keeper; names it in [`Action::BearerRefused`].
    pub number: u64,
    pub token: Secret<String>,
    /// On the server's clock; none where its end is not known.
    pub until: Option<Wall>,
    /// Treated as dead this early.
    pub margin: Duration,
    /// What it was granted for, separated by spaces, where the server told.
    pub scope: Option<String>,
}

impl Bearer {
    pub fn is_alive(&self, server: Wall) -> bool {
        self.until.is_none_or(|until| server < until - self.margin)
    }
}

/// How an OAuth token stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum BearerNews {
    /// None was asked for yet.
    #[default]
    None,
    Granted(Bearer),
    /// The one of this number was refused, expired by hand or forgotten: it must not be sent any more.
    Dead {
        number: u64,
    },
    /// There is none, and there will be none without being asked again.
    Denied {
        report: Report,
    },
}

/// An HTTP call to make.
#[derive(Clone, Debug, Default)]
pub struct Call {
    pub method: &'static str,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// For the record: "history", "upload".
    pub purpose: &'static str,
    /// The request of the guest that it carries, for the record.
    pub tracing: Option<String>,
    /// Given up after this long; none for the environment's own limit.
    pub within: Option<Duration>,
}

/// What a dialect made of the input that it was given, for the record of that input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub flags: Flags,
    /// The server's own code in a frame (200, 4011 …); zero for none.
    pub code: i32,
    /// Tracing id of the request that it answers.
    pub answers: Option<String>,
}

/// What a person or a script wants of a session. Tracing ids are made by the one who wishes, so that the wish can be
/// followed; a dialect refuses with [`crate::model::fact::Delivery::NotSent`] what cannot be done now.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// Open the socket and configure the session.
    Connect,
    /// Configure again on the open socket.
    Configure {
        start_new: bool,
    },
    Text {
        tracing: String,
        text: String,
        attributes: Vec<(String, String)>,
        attachments: Vec<String>,
    },
    /// Press a quick reply or a button of a card.
    Answer {
        tracing: String,
        button: Button,
        text: String,
        payload: String,
    },
    /// Answer a picker or a form. What it holds was checked against the offer by whoever wishes.
    Pick {
        tracing: String,
        /// The message that made the offer; may be empty, where nothing names it.
        to: String,
        way: Way,
        picked: Box<Picked>,
    },
    Typing {
        tracing: String,
    },
    Join {
        tracing: String,
    },
    Clear {
        tracing: String,
    },
    /// Leave a read-only conversation: close the session and configure a new one on the same socket.
    StartNew,
    /// Sign the guest in: at once where the session is configured, else as it is opened.
    SignIn(Login),
    /// Revoke the sign-in.
    SignOut,
    /// Close the socket.
    Leave {
        code: u16,
        reason: String,
    },
    CloseSession {
        all_connections: bool,
    },
    Echo,
    GetJwt,
    /// Read history by REST, with a fresh JWT where the one at hand is dead. All pages, or the newest only.
    History {
        all: bool,
    },
    GetConfiguration,
    /// Ask for an upload address, put the bytes there, wait for the event.
    Attach {
        attachment: String,
        name: String,
        mime: String,
        bytes: Bytes,
    },
    RefreshLink {
        attachment: String,
    },
    DeleteAttachment {
        attachment: String,
    },
    /// Send this text as it is.
    Raw {
        text: String,
    },
    Clock {
        id: String,
        deed: crate::model::fact::ClockDeed,
    },
    SetReconnect(bool),
    /// What only some dialects know.
    Flow(FlowWish),
    /// What only an agent does.
    Desk(DeskWish),
}

/// What a person or a script wants of an agent's desk.
#[derive(Clone, Debug, PartialEq)]
pub enum DeskWish {
    /// Be this: the id of a presence definition, or a system presence (`OnQueue`, `Available`).
    Presence {
        is: String,
    },
    /// `IDLE` brings an agent back who did not answer.
    Routing {
        status: String,
    },
    Queue {
        id: String,
        joined: bool,
    },
    Reload,
    /// Another notification channel; the one at hand is left alone.
    NewChannel,
    Subscribe {
        topics: Vec<String>,
        by: SubscribeBy,
    },
    Unsubscribe {
        topics: Vec<String>,
    },
    /// A ping by a frame on the notification socket.
    Ping,
    CheckToken,
    /// Fetches ready-made answers.
    Replies,
    /// Looks for users whom a conversation could be handed to, by a part of their name or e-mail address.
    FindUsers {
        text: String,
    },
    /// Ends the token at the server.
    RevokeToken,
    /// A person looks at this conversation: its texts come before those of others.
    Look {
        conversation: String,
    },
    /// In one conversation.
    In {
        conversation: String,
        deed: Deed,
    },
}

/// What an agent does in a conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    Answer,
    /// `files`: of earlier [`Deed::Attach`].
    Say {
        tracing: String,
        text: String,
        files: Vec<String>,
    },
    /// Uploads a file, so that a message can carry it. Its id is the asker's own.
    Attach {
        attachment: String,
        name: String,
        mime: String,
        bytes: Bytes,
    },
    DropFile {
        attachment: String,
    },
    Typing {
        tracing: String,
    },
    Hold {
        on: bool,
    },
    Park {
        on: bool,
    },
    Transfer {
        to: Target,
    },
    Attributes {
        attributes: Vec<(String, String)>,
    },
    Disconnect,
    /// Asks which codes there are.
    WrapupCodes,
    /// None skips it.
    WrapUp {
        code: Option<String>,
        notes: String,
    },
    /// Ends it for everybody.
    End,
    Reload,
}

/// Whom a conversation is handed to, blindly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Queue(String),
    User(String),
}

/// What a person or a script wants of an unverified flow.
#[derive(Clone, Debug, PartialEq)]
pub enum FlowWish {
    /// A message in this form instead of the environment's.
    Say { tracing: String, text: String, form: SendForm },
    /// Renew the guest's token now, in this form instead of the environment's.
    Refresh { form: Option<RefreshForm> },
    /// Look whether the queue is known.
    CheckQueue,
    /// A heartbeat now.
    Heartbeat,
    /// Write attributes into the guest's profile.
    SyncProfile { attributes: Vec<(String, String)> },
    /// Any other call, with the flow's bearer. The path may hold the flow's names in braces.
    Request { method: String, path: String, body: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// `QuickReply`, as the web Messenger sends it (`type:"Structured"`).
    QuickReply,
    /// `QuickReply`, as the mobile SDK sends it (`type:"Text"`, empty text).
    QuickReplyAsText,
    /// `Button`: postback of a card.
    Postback,
}

/// A protocol.
pub trait Dialect: Send {
    /// Takes one input and appends what to do. Never panics, whatever the input holds.
    fn step(&mut self, at: At, input: Input<'_>, out: &mut Vec<Action>) -> Seen;

    /// How long until it wants a [`Input::Tick`], none for never.
    fn wait(&self, at: At) -> Option<Duration>;
}

/// One record in a line, for tables: what it is, and what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// "onMessage", "SessionResponse", "GET /api/v2/…".
    pub name: String,
    /// A preview of at most some hundred characters, without line breaks.
    pub text: String,
}

/// Tells what a record means. Called with redacted records, live and from a file alike.
pub fn read(dialect: DialectId, record: &Record, out: &mut Vec<Happening>) {
    match dialect {
        DialectId::WebMessaging => web_messaging::read(record, out),
        DialectId::Agent => agent::read(record, out),
        _ => flow::read(record, out),
    }
}

/// What no source describes in a frame, what it lacks, and what is of the wrong type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strange {
    /// For people: `member mood of Message`, `class Surprise`. The first few.
    pub names: Vec<String>,
    /// How many are not named.
    pub more: u32,
    /// Members that a request must have.
    pub lacks: Vec<&'static str>,
}

/// Looks through a frame whose shape is known: all that web messaging sends and gets, and what reaches an agent marked
/// as strange. Called with redacted records.
pub fn strange(dialect: DialectId, record: &Record) -> Strange {
    match dialect {
        DialectId::WebMessaging => web_messaging::strange(record),
        DialectId::Agent => agent::strange(record),
        _ => Strange::default(),
    }
}

/// Tells a record in a line, whatever its dialect.
pub fn line(record: &Record) -> Line {
    line::line(record)
}
