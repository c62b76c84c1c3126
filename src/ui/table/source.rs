//! What the table reads from, and what it says back.

use serde::{Deserialize, Serialize};

use super::Follow;
use crate::capture::Rows;
use crate::dialect::Line;
use crate::model::{Record, Report, SessionId};
use crate::projection::knowledge::rule::Weight;

/// Where the rows come from: a running capture, a saved one, or a test.
pub trait RecordSource {
    /// Which records are shown, after filter, lanes and folding. Called every frame: must be cheap.
    fn rows(&self) -> Rows;

    /// Records by ascending `seq`, payloads cut to a few hundred bytes. Called for what became visible only; must take
    /// no more than some milliseconds.
    fn fetch(&mut self, seqs: &[u64]) -> Result<Vec<Record>, Report>;

    /// The same without payloads, where only times are asked for.
    fn heads(&mut self, seqs: &[u64]) -> Result<Vec<Record>, Report> {
        self.fetch(seqs)
    }

    /// A record in a line. Called once per fetched record.
    fn line(&self, record: &Record) -> Line;

    /// Names the log: when it changes, all that was cached is forgotten.
    fn identity(&self) -> u64 {
        0
    }

    /// Title and text while there are no rows: what hides them, or what would bring them.
    fn empty_text(&self) -> (&str, &str) {
        ("No records yet", "Open a session: everything that happens shows here.")
    }

    fn is_marked(&self, _seq: u64) -> bool {
        false
    }

    /// The user's note on a record.
    fn note(&self, _seq: u64) -> Option<&str> {
        None
    }

    /// How much it matters that this record of a session breaks a rule of the protocol.
    fn lint(&self, _session: SessionId, _seq: u64) -> Option<Weight> {
        None
    }

    /// Belongs to what is selected elsewhere (a bubble, a clock).
    fn is_lit(&self, _seq: u64) -> bool {
        false
    }
}

/// Which records the user wants to see, beside the filter. The owner of the source obeys it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Show {
    pub http: bool,
    pub socket: bool,
    pub lifecycle: bool,
    /// Heartbeats and typing.
    pub noise: bool,
}

impl Default for Show {
    fn default() -> Self {
        Self { http: true, socket: true, lifecycle: true, noise: false }
    }
}

/// What the user did to the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableEvent {
    /// A row became the selected one (none: the selection was given up).
    Select(Option<u64>),
    /// A second row was added to the selection.
    SelectTwo(u64, u64),
    /// Open it in the inspector, with the keyboard there.
    Open(u64),
    Mark(u64),
    Note(u64),
    /// Compare two; the second is missing where only one row is selected.
    Diff(u64, Option<u64>),
    /// Time zero was set or taken away; the table shows it already.
    TimeZero(Option<u64>),
    /// Copy this text.
    Copy(String),
    /// [`Show`] was changed by its toggles.
    ShowChanged,
    /// The text of the filter changed.
    FilterChanged,
    /// Stop a running search.
    CancelSearch,
    FollowChanged(Follow),
}
