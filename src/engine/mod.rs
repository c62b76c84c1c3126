//! Owns the runtime: drives dialects, HTTP, sockets, OAuth and the sandbox, and writes every record.
//!
//! Seen from outside it is a handle with two queues: commands go in without waiting, events come out. Traffic takes
//! neither: it goes through [`log`] into the capture.

pub mod audit;
mod command;
pub mod console;
mod core;
pub mod dialects;
mod emitter;
mod event;
mod jobs;
mod keys;
pub mod log;
mod means;
mod oauth;
pub mod places;
pub mod probe;
mod session;
mod sign_in;
pub mod signals;
mod skew;
pub mod stored;
mod transport;

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

pub use command::{Command, ExportFormat, JobId, SessionSpec, Ticket};
pub use event::{Event, SandboxState, SignInWait};
pub use keys::KeyOrder;
pub use oauth::{secret_key, uses_clock};
pub use sign_in::{OpenUrl, system_browser};

use crate::capture::Writer;
use crate::model::{Clock, Report};
use crate::vault::{Redactor, Vault};

/// Commands that may wait for the engine.
const COMMANDS: usize = 64;
/// Events that may wait for the window. Beyond it the engine waits: events must arrive.
const EVENTS: usize = 1024;

/// A vault that is opened when it is first needed: the keyring may ask a person for a password, and the window shall
/// not wait for that. Look into it only where blocking is allowed.
pub type LazyVault = LazyLock<Vault, Box<dyn FnOnce() -> Vault + Send>>;

/// What an engine works with.
pub struct Parts {
    pub clock: Arc<dyn Clock>,
    pub writer: Writer,
    pub redactor: Redactor,
    pub vault: Arc<LazyVault>,
    /// Session tokens go into the vault, so that sessions can be resumed by a later run. Off in private mode.
    pub keep_tokens: bool,
    /// The audit log. None in private mode.
    pub audit: Option<audit::AuditLog>,
    /// Shows a login page to a person.
    pub open_url: OpenUrl,
    /// Called when an event waits; may be called from any thread.
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

/// A running engine, seen from another thread. Dropping it ends all sessions.
pub struct Engine {
    commands: Mutex<Option<mpsc::Sender<Command>>>,
    events: Mutex<mpsc::Receiver<Event>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    ended: Arc<(Mutex<bool>, std::sync::Condvar)>,
}

impl Engine {
    /// Starts the runtime on threads of its own.
    pub fn start(parts: Parts) -> Result<Self, Report> {
        let failed = |e: std::io::Error| Report::new("runtime", "The engine cannot start", e.to_string());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("engine")
            .enable_all()
            .build()
            .map_err(failed)?;
        let (commands, commands_in) = mpsc::channel(COMMANDS);
        let (events_out, events) = mpsc::channel(EVENTS);
        let ended = Arc::new((Mutex::new(false), std::sync::Condvar::new()));
        let told = ended.clone();
        let thread = std::thread::Builder::new()
            .name("engine-main".into())
            .spawn(move || {
                runtime.block_on(core::run(parts, commands_in, events_out));
                runtime.shutdown_timeout(Duration::from_secs(1));
                *told.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
                told.1.notify_all();
            })
            .map_err(failed)?;
        Ok(Self {
            commands: Mutex::new(Some(commands)),
            events: Mutex::new(events),
            thread: Mutex::new(Some(thread)),
            ended,
        })
    }

    /// Hands over a command without waiting. A full queue is an error to be shown, never waited for.
    pub fn send(&self, command: Command) -> Result<(), Report> {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = |what: &str| Report::new("engine-busy", "The engine did not take this", what);
        let Some(commands) = commands.as_ref() else { return Err(busy("It is not running any more.")) };
        commands.try_send(command).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => busy("Too much is waiting already. Try again in a moment."),
            mpsc::error::TrySendError::Closed(_) => busy("It is not running any more."),
        })
    }

    /// The next event, if any.
    pub fn poll(&self) -> Option<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).try_recv().ok()
    }

    /// Closes sockets, flushes the capture, ends the runtime, within a deadline. True where all of it ended in time.
    pub fn shutdown(&self, deadline: Duration) -> bool {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).take();
        let until = std::time::Instant::now() + deadline;
        let (ended, signal) = &*self.ended;
        let mut done = ended.lock().unwrap_or_else(PoisonError::into_inner);
        while !*done {
            // Events that nobody will read must not hold up the end.
            while self.poll().is_some() {}
            let now = std::time::Instant::now();
            if now >= until {
                return false;
            }
            let step = (until - now).min(Duration::from_millis(50));
            done = signal.wait_timeout(done, step).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(done);
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
        true
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shutdown(Duration::from_secs(3));
    }
}
