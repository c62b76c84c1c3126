//! The engine without a window: for scripts and for the first conversation in a terminal.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::capture::Writer;
use crate::engine::console::{Console, ConsoleOptions};
use crate::engine::{Command, Event, SandboxState, SessionSpec, Ticket};
use crate::model::{DialectId, Environment, Report, SessionId};
use crate::projection::{Board, SessionView};
use crate::sandbox;

/// A console, and a way to wait for what happens in it.
pub struct Headless {
    pub console: Console,
    signal: Arc<(Mutex<u64>, Condvar)>,
    tickets: u64,
}

impl Headless {
    /// Starts a console whose `wake` is taken over.
    pub fn start(options: ConsoleOptions) -> Result<Self, Report> {
        let signal = Arc::new((Mutex::new(0u64), Condvar::new()));
        let told = signal.clone();
        let wake = Arc::new(move || {
            *told.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            told.1.notify_all();
        });
        let console = Console::start(ConsoleOptions { wake, ..options })?;
        Ok(Self { console, signal, tickets: 0 })
    }

    pub fn writer(&self) -> &Writer {
        &self.console.writer
    }

    pub fn board(&self) -> Arc<Board> {
        self.console.projector.board()
    }

    /// Looks until `look` finds something, anew whenever something happened.
    pub fn until<T>(&self, limit: Duration, mut look: impl FnMut(&Self) -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        loop {
            let seen = *self.signal.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = look(self) {
                return Some(found);
            }
            let mut count = self.signal.0.lock().unwrap_or_else(PoisonError::into_inner);
            while *count == seen {
                let now = Instant::now();
                if now >= end {
                    return None;
                }
                count = self.signal.1.wait_timeout(count, end - now).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    /// Waits for an event that `pick` takes. A fault that belongs to nothing else ends the wait.
    fn event<T>(
        &self,
        limit: Duration,
        what: &str,
        mut pick: impl FnMut(Event) -> Option<Result<T, Report>>,
    ) -> Result<T, Report> {
        let found = self.until(limit, |h| {
            while let Some(event) = h.console.engine.poll() {
                if let Event::Fault(report) = event {
                    return Some(Err(report));
                }
                if let Some(found) = pick(event) {
                    return Some(found);
                }
            }
            None
        });
        found.unwrap_or_else(|| {
            Err(Report::new("timeout", format!("{what} took too long"), "The engine did not answer in time."))
        })
    }

    /// Starts the sandbox and gives the environment that leads to it.
    pub fn start_sandbox(&self) -> Result<Environment, Report> {
        self.console.engine.send(Command::StartSandbox { options: sandbox::Options::default() })?;
        self.event(Duration::from_secs(15), "Starting the sandbox", |event| match event {
            Event::Sandbox(SandboxState::Running { environment, .. }) => Some(Ok(*environment)),
            Event::Sandbox(SandboxState::Failed(report)) => Some(Err(report)),
            _ => None,
        })
    }

    /// Makes a session and opens it.
    pub fn open(&mut self, name: &str, environment: &Environment) -> Result<SessionId, Report> {
        self.tickets += 1;
        let mine = Ticket(self.tickets);
        let spec = SessionSpec {
            name: name.to_owned(),
            dialect: DialectId::WebMessaging,
            environment: environment.clone(),
            token: None,
            kept: None,
        };
        self.console.engine.send(Command::OpenSession { ticket: mine, spec, connect: true })?;
        self.event(Duration::from_secs(30), "Making the session", |event| match event {
            Event::SessionMade { ticket, result } if ticket == mine => Some(result),
            _ => None,
        })
    }

    /// What is known of a session now.
    pub fn view(&self, session: SessionId) -> Option<Arc<SessionView>> {
        self.board().session(session).cloned()
    }
}
