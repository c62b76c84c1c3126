//! What the engine tells the window. Few and small: traffic is read from the log.

use super::command::{JobId, Ticket};
use crate::model::{Environment, KeyInfo, Mono, Report, SessionId};
use crate::sandbox;
use crate::vault::VaultStatus;

#[derive(Clone, Debug)]
pub enum Event {
    SessionMade {
        ticket: Ticket,
        result: Result<SessionId, Report>,
    },
    SessionClosed {
        session: SessionId,
    },
    /// A session token was put into the vault under this key (or taken out): it can be resumed (or not any more).
    Kept {
        session: SessionId,
        environment_id: String,
        key: String,
        kept: bool,
    },
    Sandbox(SandboxState),
    /// After an order, and as the answer to [`super::Command::AskSandbox`].
    SandboxStatus(Box<sandbox::Status>),
    Vault(VaultStatus),
    /// A secret was kept or forgotten, or could not be.
    SecretKept {
        key: String,
        result: Result<(), Report>,
    },
    /// What came of [`super::Command::Keys`]: the keys as they stand, to be stored with the environment, and a sentence.
    Keys {
        environment_id: String,
        result: Result<(Vec<KeyInfo>, String), Report>,
    },
    /// How far a job is.
    Job {
        job: JobId,
        done: u64,
        total: u64,
    },
    /// A job's end: what to tell the user.
    JobDone {
        job: JobId,
        result: Result<String, Report>,
    },
    /// One line per check, good or bad.
    Probed {
        ticket: Ticket,
        checks: Vec<Result<String, Report>>,
    },
    /// A person is awaited from the browser, or not any more.
    SignIn {
        /// Of the clock: `oauth:…`.
        id: String,
        waiting: Option<Box<SignInWait>>,
    },
    /// Something failed that belongs to no session.
    Fault(Report),
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInWait {
    /// Empty for whoever signs in.
    pub person: String,
    pub environment: String,
    /// Of the login page. Good once, and of no use to others: only this program can exchange what comes of it.
    pub address: String,
    /// On the local clock.
    pub until: Mono,
}

#[derive(Clone, Debug)]
pub enum SandboxState {
    Stopped,
    Starting,
    Running { environment: Box<Environment>, ready: Box<sandbox::Ready> },
    Failed(Report),
}
