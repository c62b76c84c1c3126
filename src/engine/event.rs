//! What the engine tells the window. Few and small: traffic is read from the log.
use crate::model::{Environment, Report, SessionId};
use crate::sandbox;
use crate::vault::VaultStatus;

use super::command::{JobId, Ticket};

#[derive(Clone, Debug)]
pub enum Event {
    SessionMade {
        ticket: Ticket,
        result: Result<SessionId, Report>,
    },
    SessionClosed {
        session: SessionId,
    },
    Sandbox(SandboxState),
    /// After an order or on change of its sessions, at most some times a second.
    SandboxStatus(sandbox::Status),
    Vault(VaultStatus),
    Job {
        job: JobId,
        done: u64,
        total: u64,
    },
    JobDone {
        job: JobId,
        result: Result<String, Report>,
    },
    /// One line per check, good or bad.
    Probed {
        ticket: Ticket,
        checks: Vec<Result<String, Report>>,
    },
    /// Something failed that belongs to no session.
    Fault(Report),
    /// The capture cannot be written any more.
    CaptureFailed(Report),
}

#[derive(Clone, Debug)]
pub enum SandboxState {
    Stopped,
    Starting,
    Running { environment: Box<Environment>, ready: Box<sandbox::Ready> },
    Failed(Report),
}
