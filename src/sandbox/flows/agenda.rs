//! What is to be done a little later, by the computer's own clock: commits, what the partner says, heartbeats.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::super::partner::Step;
use super::super::platform;
use super::super::state::{Peer, State};
use super::{external_contact, talk};
use crate::model::Now;

/// Deeds at once; a further one is refused.
const MANY: usize = 10_000;

pub(super) enum Deed {
    Commit(external_contact::Commit),
    Speak(Peer, VecDeque<Step>),
    Platform(Later),
}

/// What a notification socket gets later.
pub(in crate::sandbox) enum Later {
    /// Its heartbeat.
    Beat(u32),
    Frame(u32, String),
    /// Its end, as it was announced.
    Close(u32, u16, &'static str),
}

#[derive(Default)]
pub(super) struct Agenda {
    due: BTreeMap<(Instant, u64), Deed>,
    last: u64,
}

impl Agenda {
    /// False where there is no room.
    pub(super) fn add(&mut self, at: Instant, deed: Deed) -> bool {
        if self.due.len() >= MANY {
            return false;
        }
        self.last += 1;
        self.due.insert((at, self.last), deed);
        true
    }

    fn take(&mut self, at: Instant) -> Option<Deed> {
        let first = self.due.first_entry()?;
        (first.key().0 <= at).then(|| first.remove())
    }
}

/// Does what is due; the time until the next, if any.
pub(in crate::sandbox) fn run(state: &mut State, now: Now) -> Option<Duration> {
    while let Some(first) = state.flows.agenda.due.first_key_value() {
        let at = Instant::now();
        let wait = first.0.0.saturating_duration_since(at);
        if !wait.is_zero() {
            return Some(wait);
        }
        match state.flows.agenda.take(at) {
            Some(Deed::Commit(commit)) => external_contact::commit(state, commit, now),
            Some(Deed::Speak(peer, steps)) => talk::speak(state, peer, steps, now),
            Some(Deed::Platform(Later::Beat(conn))) => platform::beat(state, conn, now),
            Some(Deed::Platform(Later::Frame(conn, text))) => state.post(conn, &text, now),
            Some(Deed::Platform(Later::Close(conn, code, why))) => state.close_conn(conn, code, why, now),
            None => {}
        }
    }
    None
}
