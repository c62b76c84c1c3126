//! The clock strip: everything that expires.
use std::time::Duration;

use crate::model::Wall;
use crate::model::fact::Expiry;

/// The newest fact of one thing that expires, and its history.
#[derive(Clone, Debug, PartialEq)]
pub struct ClockView {
    pub fact: Expiry,
    /// Record that told it.
    pub seq: u64,
    /// Records of this clock, oldest first (at most some hundred; older ones stay in the log).
    pub history: Vec<u64>,
}

/// How a clock stands at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockPhase {
    Fine,
    /// Inside the margin or the last tenth, whichever comes first… see [`ClockView::phase`].
    Margin,
    /// The last tenth of its life.
    Last,
    Dead,
    /// The end is not known.
    Open,
}

impl ClockView {
    /// Time left on the server's clock; zero when over, none where the end is not known.
    pub fn left(&self, _server_now: Wall) -> Option<Duration> {
        todo!()
    }

    /// From 1 (full) to 0 (empty).
    pub fn share(&self, _server_now: Wall) -> f32 {
        todo!()
    }

    pub fn phase(&self, _server_now: Wall) -> ClockPhase {
        todo!()
    }

    /// How long until what the strip paints changes next: the next second, or the next phase.
    pub fn next_change(&self, _server_now: Wall) -> Option<Duration> {
        todo!()
    }
}
