//! What the window knows beside the log: which sessions are live, what they are called here, what runs.

use std::collections::{HashMap, HashSet};

use crate::engine::{JobId, SandboxState, Ticket};
use crate::model::{Environment, Report, SessionId};
use crate::projection::{Board, SessionView};
use crate::sandbox;
use crate::vault::VaultStatus;

/// A long job on its way.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: JobId,
    pub title: String,
    pub done: u64,
    pub total: u64,
}

/// What an answer of the engine is for.
#[derive(Debug)]
pub enum Pending {
    Session(Box<Environment>),
    Probe,
}

#[derive(Debug)]
pub struct Book {
    /// Sessions that the engine made in this run and has not closed.
    pub live: HashSet<SessionId>,
    /// Closed by the user: their records stay, their row goes.
    pub closed: HashSet<SessionId>,
    pub names: HashMap<SessionId, String>,
    /// The environment that each live session was made with.
    pub environments: HashMap<SessionId, Environment>,
    pub reconnect: HashSet<SessionId>,
    /// Entries of the conversation that were in view, to tell how many are new.
    pub seen: HashMap<SessionId, u64>,
    pub sandbox: SandboxState,
    pub sandbox_status: Option<sandbox::Status>,
    /// It was asked for and has not come, and how much was on record then.
    pub sandbox_asked: bool,
    pub sandbox_seen: u64,
    /// Open a session as soon as the sandbox runs.
    pub after_sandbox: bool,
    pub vault: Option<VaultStatus>,
    pub jobs: Vec<Job>,
    pub pending: HashMap<Ticket, Pending>,
    pub probe: Probe,
    /// Why the capture is not written any more.
    pub capture_failed: Option<Report>,
    counter: u64,
}

/// The last test of an environment.
#[derive(Debug, Default)]
pub enum Probe {
    #[default]
    None,
    Running(Ticket),
    Done(Vec<Result<String, Report>>),
}

impl Default for Book {
    fn default() -> Self {
        Self {
            live: HashSet::new(),
            closed: HashSet::new(),
            names: HashMap::new(),
            environments: HashMap::new(),
            reconnect: HashSet::new(),
            seen: HashMap::new(),
            sandbox: SandboxState::Stopped,
            sandbox_status: None,
            sandbox_asked: false,
            sandbox_seen: 0,
            after_sandbox: false,
            vault: None,
            jobs: Vec::new(),
            pending: HashMap::new(),
            probe: Probe::None,
            capture_failed: None,
            counter: 0,
        }
    }
}

impl Book {
    /// A fresh number for a ticket or a job.
    pub fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub fn name(&self, session: &SessionView) -> String {
        self.names.get(&session.id).cloned().unwrap_or_else(|| match &session.start {
            Some(start) if !start.name.is_empty() => start.name.clone(),
            _ => format!("Session {}", session.id.0),
        })
    }

    /// Sessions of the list, in the order of their making. A session that the engine has made and the log does not
    /// tell yet comes when the log does.
    pub fn listed<'a>(&self, board: &'a Board) -> Vec<&'a SessionView> {
        board.sessions.iter().map(AsRef::as_ref).filter(|s| !self.closed.contains(&s.id)).collect()
    }

    /// Entries that came in since the session was last in view.
    pub fn unread(&self, session: &SessionView) -> u64 {
        entries(session).saturating_sub(self.seen.get(&session.id).copied().unwrap_or(0))
    }

    pub fn sandbox_environment(&self) -> Option<&Environment> {
        match &self.sandbox {
            SandboxState::Running { environment, .. } => Some(environment),
            _ => None,
        }
    }
}

pub fn entries(session: &SessionView) -> u64 {
    session.conversation.older + session.conversation.entries.len() as u64
}
