//! The conversation: each message once, in the server's order, with what became of it. What is shown lives here; how
//! it is folded, in [`super::thread`].

use std::sync::Arc;

use crate::model::fact::Delivery;
use crate::model::happening::{AttachmentState, Presence, Side};
use crate::model::{Message, Mono, Wall};

/// So many entries of a conversation are kept at least; up to a tenth more until they are cut in one go. Five
/// thousand bubbles are more than a person scrolls through, and a copy of their addresses for a snapshot takes some
/// ten microseconds.
pub const KEPT: usize = 5_000;

/// Fewer are kept where they weigh more than this together, in bytes.
pub const KEPT_BYTES: usize = 32 << 20;

/// Of a longer text only so many bytes stand in the conversation, and a line that says so. The record has all.
pub const LONGEST_TEXT: usize = 64 << 10;

/// An entry names at most so many records: the first half and the newest half of them. A message that a server
/// repeats without end must not grow without end.
pub const RECORDS_PER_ENTRY: usize = 32;

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

impl Conversation {
    /// Who types at this instant.
    pub fn typing_now(&self, now: Mono) -> Option<Side> {
        self.typing.and_then(|(side, until)| (now < until).then_some(side))
    }

    /// The entry that a record belongs to, from the newest back.
    pub fn entry_of(&self, record: u64) -> Option<(usize, &Arc<Entry>)> {
        self.entries.iter().enumerate().rev().find(|(_, e)| e.records.contains(&record))
    }
}

/// One bubble or one line between bubbles.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub what: What,
    pub state: EntryState,
    /// Server time where told, else local time corrected by the skew known then.
    pub at: Wall,
    /// Records that it came from, oldest first, at most [`RECORDS_PER_ENTRY`].
    pub records: Vec<u64>,
    /// It was said before the guest cleared the conversation.
    pub cleared: bool,
}

impl Entry {
    pub(super) fn add_record(&mut self, seq: u64) {
        if let Err(at) = self.records.binary_search(&seq) {
            self.records.insert(at, seq);
            if self.records.len() > RECORDS_PER_ENTRY {
                self.records.remove(RECORDS_PER_ENTRY / 2);
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Message(Message),
    Presence(Side, Presence),
    /// An upload, until a message refers to it.
    Upload {
        id: String,
        /// Empty where only the server spoke of it.
        name: String,
        size: u64,
        state: AttachmentState,
    },
    /// A state of the session worth a line: connected, read-only, ended and why.
    State(String),
    /// A note of the user.
    Note(String),
}

impl What {
    /// Whose lane it belongs to; lines between the bubbles belong to the system's.
    pub fn side(&self) -> Side {
        match self {
            Self::Message(m) => m.side,
            Self::Presence(side, _) => *side,
            Self::Upload { .. } => Side::Guest,
            Self::State(_) | Self::Note(_) => Side::System,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// Nothing to tell: it came from the server.
    Received,
    /// The guest's own: what became of it, and how long the echo took, in microseconds.
    Own(Delivery, Option<u64>),
}
