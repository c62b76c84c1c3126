//! Reads a capture while it is being written, or a saved one.
use std::path::Path;
use std::sync::Arc;

use super::{Filter, Opened, Rows};
use crate::model::{Record, Report, SessionId};

/// One connection to a capture for reading; each thread has its own.
pub struct Reader {}

impl Reader {
    /// Opens a saved capture read-only. Says plainly what is wrong with a file that cannot be opened.
    pub fn open(_file: &Path) -> Result<Self, Report> {
        todo!()
    }

    /// Opens what a writer of this program writes.
    pub fn attach(_opened: &Opened) -> Result<Self, Report> {
        todo!()
    }

    /// Records that can be read now.
    pub fn len(&self) -> u64 {
        todo!()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn record(&self, _seq: u64) -> Result<Option<Record>, Report> {
        todo!()
    }

    /// Records by ascending `seq`; payloads are cut to `body_limit` bytes so that a screenful of rows stays cheap.
    pub fn records(&self, _seqs: &[u64], _body_limit: usize) -> Result<Vec<Record>, Report> {
        todo!()
    }

    /// Records that the projections need, after `after`, at most `limit`.
    pub fn story(&self, _after: u64, _limit: usize) -> Result<Vec<Record>, Report> {
        todo!()
    }

    /// All records, or all of a session, with or without noise, from the index: no scan.
    pub fn rows(&self, _session: Option<SessionId>, _noise: bool) -> Rows {
        todo!()
    }

    /// How many records [`Reader::rows`] leaves out as noise.
    pub fn noise(&self, _session: Option<SessionId>) -> u64 {
        todo!()
    }

    /// Starts a search on a thread of its own, newest first. It goes on with new records until it is dropped.
    pub fn search(
        &self,
        _filter: Filter,
        _base: (Option<SessionId>, bool),
        _wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Search, Report> {
        todo!()
    }
}

/// A running search. Dropping it ends it.
pub struct Search {}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchStatus {
    /// Records looked at and to look at.
    pub done: u64,
    pub total: u64,
    pub rows: Rows,
    pub failed: Option<Report>,
}

impl Search {
    pub fn status(&self) -> SearchStatus {
        todo!()
    }
}
