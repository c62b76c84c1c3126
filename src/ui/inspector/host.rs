//! What the inspector asks of the window, and what it says back.

use serde_json::Value;

use crate::dialect::Line;
use crate::model::{Direction, Now, Record, Secret, Wall};
use crate::projection::{Finding, Lints};

/// What the inspector cannot know by itself.
pub trait InspectorHost {
    /// The value behind a placeholder. Called only after the user asked for it.
    fn reveal(&mut self, placeholder: &str) -> Option<Secret<String>>;

    /// Header and claims of the token behind a placeholder, where it can be decoded: `{"header": …, "claims": …}` or
    /// the claims alone. Nothing of the signature.
    fn claims(&mut self, placeholder: &str) -> Option<Value>;

    /// The server's clock now, for what is left of a token.
    fn server_now(&self) -> Wall;

    /// The zone in which times are told.
    fn zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::system()
    }
}

/// What is inspected.
pub struct Subject<'a> {
    /// The record with its whole stored payload.
    pub record: &'a Record,
    /// The record in a line, as the table shows it.
    pub line: &'a Line,
    /// The record to compare with.
    pub other: Option<&'a Record>,
    /// Requests and answers that belong together with it, oldest first, itself among them.
    pub chain: &'a [Link],
    /// What explains it, where it failed.
    pub finding: Option<&'a Finding>,
    /// What its session has broken of the protocol; what it breaks itself is told.
    pub lints: Option<&'a Lints>,
    /// The search for them was given up before this record.
    pub searched_to: Option<u64>,
}

/// One record of a chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    pub seq: u64,
    pub at: Now,
    pub direction: Direction,
    /// "onMessage Hello".
    pub title: String,
}

/// What the user asked of the inspector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InspectorEvent {
    /// Show this record.
    GoTo(u64),
    /// Add this to the filter of the table.
    FilterBy(String),
    /// Put this redacted text into the clipboard.
    Copy(String),
    /// Put the value behind a placeholder into the clipboard: it was revealed, and asked for by a button of its own.
    CopySecret(String),
    /// Choose a record to compare with.
    ChooseOther,
    /// Compare with nothing.
    ClearOther,
}
