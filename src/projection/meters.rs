//! Rate meters: how much of each limit is used.
use crate::model::Mono;

/// Counts of the sliding windows of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meters {
    pub meters: Vec<Meter>,
}

/// One limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Meter {
    /// "messages", "requests", "history", "echo", "configure".
    pub name: &'static str,
    pub limit: u32,
    /// Length of the window, in seconds.
    pub window_secs: u32,
    /// Instants of the newest uses, oldest first, at most `limit + 1` of them.
    pub uses: Vec<Mono>,
}

impl Meter {
    pub fn used(&self, _now: Mono) -> u32 {
        todo!()
    }

    /// How long until one more is within the limit; zero for now.
    pub fn wait(&self, _now: Mono) -> std::time::Duration {
        todo!()
    }
}
