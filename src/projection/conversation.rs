//! The conversation: each message once, in the server's order, with what became of it.
use std::sync::Arc;

use crate::model::fact::Delivery;
use crate::model::happening::{AttachmentState, Presence, Side};
use crate::model::{Message, Mono, Wall};

/// What was said, in order. Bounded: the newest are kept, older ones are counted (they stay in the log).
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    pub entries: Vec<Arc<Entry>>,
    /// Entries that fell out of the bound.
    pub older: u64,
    /// Who types, until when (local monotonic time).
    pub typing: Option<(Side, Mono)>,
    pub read_only: bool,
}

/// One bubble or one line between bubbles.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub what: What,
    pub state: EntryState,
    /// Server time where told, else local.
    pub at: Wall,
    /// Records that it came from, oldest first.
    pub records: Vec<u64>,
    /// It was said before the guest cleared the conversation.
    pub cleared: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Message(Message),
    Presence(Side, Presence),
    /// An upload, until a message refers to it.
    Upload {
        id: String,
        name: String,
        size: u64,
        state: AttachmentState,
    },
    /// A state of the session worth a line: connected, read-only, ended and why.
    State(String),
    /// A note of the user.
    Note(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// Nothing to tell: it came from the server.
    Received,
    /// The guest's own: what became of it, and how long the echo took, in microseconds.
    Own(Delivery, Option<u64>),
}
