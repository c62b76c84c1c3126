//! Owns the runtime: drives dialects, HTTP, sockets, OAuth and the sandbox, and writes every record.

mod command;
mod event;

pub use command::{Command, ExportFormat, JobId, SessionSpec, Ticket};
pub use event::{Event, SandboxState};

use std::sync::Arc;

use crate::capture::Writer;
use crate::model::{Clock, Report};
use crate::vault::{Redactor, Vault};

/// What an engine works with.
pub struct Parts {
    pub clock: Arc<dyn Clock>,
    pub writer: Writer,
    pub redactor: Redactor,
    pub vault: Arc<Vault>,
    /// Called when an event waits; may be called from any thread.
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

/// A running engine, seen from another thread. Dropping it ends all sessions.
pub struct Engine {}

impl Engine {
    pub fn start(_parts: Parts) -> Result<Self, Report> {
        todo!()
    }

    /// Hands over a command without waiting. A full queue is an error to be shown, never waited for.
    pub fn send(&self, _command: Command) -> Result<(), Report> {
        todo!()
    }

    /// The next event, if any.
    pub fn poll(&self) -> Option<Event> {
        todo!()
    }

    /// Closes sockets, flushes the capture, ends the runtime, within a deadline.
    pub fn shutdown(&self, _deadline: std::time::Duration) {
        todo!()
    }
}
