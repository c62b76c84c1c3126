//! What the window knows beside the log: which sessions are live, what they are called here, what runs.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::engine::{JobId, SandboxState, SignInWait, Ticket};
use crate::model::{Environment, KeyInfo, Report, SessionId};
use crate::projection::{Board, SessionView};
use crate::sandbox;
use crate::sandbox::AgentUser;
use crate::ui::settings::SANDBOX;
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

impl Pending {
    pub fn is_in_sandbox(&self) -> bool {
        matches!(self, Self::Session(environment) if environment.id == SANDBOX)
    }
}

#[derive(Debug)]
pub struct Book {
    /// Sessions that the engine made in this run and has not closed.
    pub live: HashSet<SessionId>,
    /// What the list of the running capture knows, and that of the saved one.
    live_list: Listing,
    saved_list: Listing,
    /// A saved capture is shown.
    saved: bool,
    /// The environment that each live session was made with.
    pub environments: HashMap<SessionId, Environment>,
    pub reconnect: HashSet<SessionId>,
    pub sandbox: SandboxState,
    pub sandbox_status: Option<sandbox::Status>,
    /// It was asked for and has not come, and how much was on record then.
    pub sandbox_asked: bool,
    pub sandbox_seen: u64,
    /// Open a session as soon as the sandbox runs.
    pub after_sandbox: bool,
    pub vault: Option<VaultStatus>,
    /// People who are awaited from the browser, by the ids of their tokens' clocks.
    pub sign_ins: BTreeMap<String, SignInWait>,
    pub jobs: Vec<Job>,
    pub pending: HashMap<Ticket, Pending>,
    pub probe: Probe,
    /// Why the capture is not written any more.
    pub capture_failed: Option<Report>,
    /// What became of client secrets that the keyring was asked to keep, by their keys.
    pub secrets: HashMap<String, Keeping>,
    /// Sessions of the sandbox whose JWTs shall die as soon as it tells their ids.
    pub doomed_jwts: Vec<String>,
    /// What the sandbox calls live sessions, and the record that told it.
    pub sandbox_names: HashMap<SessionId, (String, u64)>,
    /// Keys of the running sandbox, which are made anew with it.
    pub sandbox_keys: Vec<KeyInfo>,
    /// The engine works on signing keys.
    pub keys_pending: bool,
    counter: u64,
}

/// What the window knows of the sessions of one capture. The same number is another session in another capture.
#[derive(Debug, Default)]
pub struct Listing {
    /// Closed by the user: their records stay, their row goes.
    pub closed: HashSet<SessionId>,
    pub names: HashMap<SessionId, String>,
    /// Entries of the conversation that were in view, to tell how many are new.
    pub seen: HashMap<SessionId, u64>,
    /// Faults up to this record were read.
    pub read_faults: HashMap<SessionId, u64>,
}

/// How far the keyring is with a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeping {
    Waiting,
    Kept,
    Failed(Report),
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
            live_list: Listing::default(),
            saved_list: Listing::default(),
            saved: false,
            environments: HashMap::new(),
            reconnect: HashSet::new(),
            sandbox: SandboxState::Stopped,
            sandbox_status: None,
            sandbox_asked: false,
            sandbox_seen: 0,
            after_sandbox: false,
            vault: None,
            sign_ins: BTreeMap::new(),
            jobs: Vec::new(),
            pending: HashMap::new(),
            probe: Probe::None,
            capture_failed: None,
            secrets: HashMap::new(),
            doomed_jwts: Vec::new(),
            sandbox_names: HashMap::new(),
            sandbox_keys: Vec::new(),
            keys_pending: false,
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

    /// Another capture is shown: a saved one, of which nothing is known yet, or the running one again.
    pub fn show(&mut self, saved: bool) {
        self.saved = saved;
        self.saved_list = Listing::default();
    }

    /// Of the capture that is shown.
    pub fn list(&self) -> &Listing {
        if self.saved { &self.saved_list } else { &self.live_list }
    }

    pub fn list_mut(&mut self) -> &mut Listing {
        if self.saved { &mut self.saved_list } else { &mut self.live_list }
    }

    /// Name of a session of the capture that is shown.
    pub fn name(&self, session: &SessionView) -> String {
        self.list().name(session)
    }

    /// Name of a session of the running capture.
    pub fn live_name(&self, session: &SessionView) -> String {
        self.live_list.name(session)
    }

    /// Sessions of the list, in the order of their making. A session that the engine has made and the log does not
    /// tell yet comes when the log does.
    pub fn listed<'a>(&self, board: &'a Board) -> Vec<&'a SessionView> {
        board.sessions.iter().map(AsRef::as_ref).filter(|s| !self.list().closed.contains(&s.id)).collect()
    }

    /// Entries that came in since the session was last in view. In a saved capture nothing comes in.
    pub fn unread(&self, session: &SessionView) -> u64 {
        if self.saved {
            return 0;
        }
        entries(session).saturating_sub(self.list().seen.get(&session.id).copied().unwrap_or(0))
    }

    /// True where the sandbox that the session was made in runs no more.
    pub fn is_orphan(&self, session: SessionId) -> bool {
        let Some(of) = self.environments.get(&session).filter(|e| e.id == SANDBOX) else { return false };
        match &self.sandbox {
            SandboxState::Running { environment, .. } => environment.guest_socket != of.guest_socket,
            _ => true,
        }
    }

    /// Remembers the sandbox's name for a session: its JWTs bear it, and are gone after a minute.
    pub fn learn_sandbox_name(&mut self, session: &SessionView) {
        let claims = session.clocks.iter().filter_map(|c| Some((c.seq, c.fact.claims.as_ref()?)));
        for (seq, claims) in claims {
            if claims.pointer("/claims/iss").is_some_and(|iss| iss == "sandbox")
                && let Some(name) = claims.pointer("/claims/sub").and_then(|sub| sub.as_str())
                && self.sandbox_names.get(&session.id).is_none_or(|(_, known)| *known < seq)
            {
                self.sandbox_names.insert(session.id, (name.to_owned(), seq));
            }
        }
    }

    pub fn sandbox_environment(&self) -> Option<&Environment> {
        match &self.sandbox {
            SandboxState::Running { environment, .. } => Some(environment),
            _ => None,
        }
    }

    /// Who can sign in as an agent of the sandbox.
    pub fn sandbox_agents(&self) -> &[AgentUser] {
        match &self.sandbox {
            SandboxState::Running { ready, .. } => &ready.agents,
            _ => &[],
        }
    }
}

impl Listing {
    fn name(&self, session: &SessionView) -> String {
        self.names.get(&session.id).cloned().unwrap_or_else(|| match &session.start {
            Some(start) if !start.name.is_empty() => start.name.clone(),
            _ => format!("Session {}", session.id.0),
        })
    }
}

pub fn entries(session: &SessionView) -> u64 {
    session.conversation.older + session.conversation.entries.len() as u64
}
