//! All sessions of a capture.
use std::sync::Arc;

use super::{ClockView, Conversation, Meters};
use crate::model::fact::{SessionState, Skew};
use crate::model::record::SessionStart;
use crate::model::{Now, Record, Report, SessionId, Wall};

/// What the window shows of a whole capture. Cloning is cheap: parts are shared until they change.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// In the order of their making.
    pub sessions: Vec<Arc<SessionView>>,
    /// Facts outside any session: OAuth, sandbox.
    pub general: Arc<SessionView>,
    /// The last record folded.
    pub seq: u64,
}

/// What the window shows of one session.
#[derive(Clone, Debug, Default)]
pub struct SessionView {
    pub id: SessionId,
    pub start: Option<SessionStart>,
    pub started: Now,
    pub state: Option<SessionState>,
    /// Record of the last state change.
    pub state_seq: u64,
    pub conversation: Conversation,
    /// In the order in which they will break; dead and forgotten ones last.
    pub clocks: Vec<ClockView>,
    pub meters: Meters,
    pub skew: Option<Skew>,
    /// Local instant at which `skew` was learnt.
    pub skew_at: Now,
    /// Newest last, with the record that told them.
    pub faults: Vec<(u64, Report)>,
    pub records: u64,
}

impl Board {
    /// Takes the next record. Records must come in order; gaps are allowed (noise is not needed).
    pub fn fold(&mut self, _record: &Record) {
        todo!()
    }

    pub fn session(&self, id: SessionId) -> Option<&Arc<SessionView>> {
        self.sessions.iter().find(|s| s.id == id)
    }
}

impl SessionView {
    /// The server's clock at a local instant.
    pub fn server_now(&self, _now: Now) -> Wall {
        todo!()
    }
}
