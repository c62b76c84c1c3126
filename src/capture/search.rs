//! Looks for records, newest first, on a thread of its own.
use std::sync::Arc;

use rusqlite::Connection;

use super::facets::Index;
use super::open::Place;
use super::{Filter, Rows};
use crate::model::{Report, SessionId};

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

pub fn start(
    _db: Connection,
    _place: Place,
    _index: Arc<Index>,
    _running: bool,
    _filter: Filter,
    _base: (Option<SessionId>, bool),
    _wake: Arc<dyn Fn() + Send + Sync>,
) -> Result<Search, Report> {
    todo!()
}
