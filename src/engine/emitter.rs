//! The one way out of the engine: every event passes the redactor here.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::event::{Event, SandboxState};
use crate::vault::Redactor;

/// Cheap to clone; every task has one.
#[derive(Clone)]
pub struct Emitter {
    events: mpsc::Sender<Event>,
    redactor: Redactor,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Emitter {
    pub fn new(events: mpsc::Sender<Event>, redactor: Redactor, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self { events, redactor, wake }
    }

    /// Waits until there is room: an event must arrive.
    pub async fn emit(&self, event: Event) {
        // Nobody listens any more only when the program ends.
        let _ = self.events.send(self.redacted(event)).await;
        (self.wake)();
    }

    /// As [`Emitter::emit`], from a thread that may block.
    pub fn emit_blocking(&self, event: Event) {
        let _ = self.events.blocking_send(self.redacted(event));
        (self.wake)();
    }

    /// For what may be missed, such as progress.
    pub fn try_emit(&self, event: Event) {
        if self.events.try_send(self.redacted(event)).is_ok() {
            (self.wake)();
        }
    }

    fn redacted(&self, event: Event) -> Event {
        let r = &self.redactor;
        match event {
            Event::SessionMade { ticket, result } => {
                Event::SessionMade { ticket, result: result.map_err(|e| r.report(e)) }
            }
            Event::SecretKept { key, result } => Event::SecretKept { key, result: result.map_err(|e| r.report(e)) },
            Event::Sandbox(SandboxState::Failed(report)) => Event::Sandbox(SandboxState::Failed(r.report(report))),
            Event::JobDone { job, result } => {
                let result = result.map(|text| r.text(&text).into_owned()).map_err(|e| r.report(e));
                Event::JobDone { job, result }
            }
            Event::Probed { ticket, checks } => {
                let clean =
                    |check: Result<String, _>| check.map(|text| r.text(&text).into_owned()).map_err(|e| r.report(e));
                Event::Probed { ticket, checks: checks.into_iter().map(clean).collect() }
            }
            Event::Keys { environment_id, result } => {
                let result = result.map(|(keys, text)| (keys, r.text(&text).into_owned())).map_err(|e| r.report(e));
                Event::Keys { environment_id, result }
            }
            Event::Fault(report) => Event::Fault(r.report(report)),
            // Numbers, names and what the window itself has said.
            Event::SessionClosed { .. }
            | Event::Kept { .. }
            | Event::SignIn { .. }
            | Event::Sandbox(SandboxState::Stopped | SandboxState::Starting | SandboxState::Running { .. })
            | Event::SandboxStatus(_)
            | Event::Vault(_)
            | Event::Job { .. } => event,
        }
    }
}
