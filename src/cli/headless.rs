//! The engine without a window: for scripts and for the first conversation in a terminal.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::out::{Ended, Out};
use crate::capture::{Opened, Writer, WriterStatus, retention};
use crate::dialect::Wish;
use crate::engine::console::{Console, ConsoleOptions, LogPlace};
use crate::engine::places::Places;
use crate::engine::signals;
use crate::engine::stored::Stored;
use crate::engine::{Command, Event, SandboxState, SessionSpec, SignInWait, Ticket};
use crate::model::fact::SessionState;
use crate::model::{Clock, Environment, Report, SessionId};
use crate::projection::{Board, SessionView};
use crate::sandbox;
use crate::vault::Vault;

/// How long sessions may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// A console, and a way to wait for what happens in it.
pub struct Headless {
    pub console: Console,
    signal: Arc<(Mutex<u64>, Condvar)>,
    /// The status to end with, once the system has asked for the end; zero before.
    stopped: Arc<AtomicU8>,
    tickets: u64,
    /// Key of what a session kept last.
    kept: RefCell<Option<String>>,
    /// The person who is awaited from the browser, by the id of the sign-in.
    awaited: RefCell<Option<(String, SignInWait)>>,
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
        let stopped = Arc::new(AtomicU8::new(0));
        let (stop, call) = (stopped.clone(), wake.clone());
        signals::watch(move |status| {
            stop.store(status, Ordering::Release);
            call();
        })?;
        let console = Console::start(ConsoleOptions { wake, ..options })?;
        Ok(Self { console, signal, stopped, tickets: 0, kept: RefCell::default(), awaited: RefCell::default() })
    }

    pub fn writer(&self) -> &Writer {
        &self.console.writer
    }

    pub fn board(&self) -> Arc<Board> {
        self.console.projector.board()
    }

    /// The status to end with, where the system has asked for the end.
    pub fn stopped(&self) -> Option<u8> {
        Some(self.stopped.load(Ordering::Acquire)).filter(|s| *s != 0)
    }

    /// Looks until `look` finds something, anew whenever something happened. Gives up when the program shall end.
    pub fn until<T>(&self, limit: Duration, mut look: impl FnMut(&Self) -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        loop {
            let seen = *self.signal.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = look(self) {
                return Some(found);
            }
            if self.stopped().is_some() {
                return None;
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
                h.note(&event);
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

    fn note(&self, event: &Event) {
        match event {
            Event::Kept { key, kept, .. } => *self.kept.borrow_mut() = kept.then(|| key.clone()),
            Event::SignIn { id, waiting: Some(waiting) } => {
                *self.awaited.borrow_mut() = Some((id.clone(), SignInWait::clone(waiting)));
            }
            Event::SignIn { id, waiting: None } => {
                self.awaited.borrow_mut().take_if(|(of, _)| of == id);
            }
            _ => {}
        }
    }

    fn note_all(&self) {
        while let Some(event) = self.console.engine.poll() {
            self.note(&event);
        }
    }

    /// Key of what a session kept last, of all that was told so far.
    pub fn kept(&self) -> Option<String> {
        self.note_all();
        self.kept.borrow().clone()
    }

    /// Who is awaited from the browser now.
    pub fn awaited(&self) -> Option<SignInWait> {
        self.note_all();
        self.awaited.borrow().as_ref().map(|(_, waiting)| waiting.clone())
    }

    /// Gives the sandbox an order, and waits until it is carried out.
    pub fn order(&self, order: &sandbox::Order) -> Result<(), Report> {
        self.console.engine.send(Command::Order { order: order.clone() })?;
        self.event(Duration::from_secs(15), "The sandbox's order", |event| match event {
            Event::SandboxStatus(_) => Some(Ok(())),
            _ => None,
        })
    }

    /// Makes a session of web messaging and opens it.
    pub fn open_guest(&mut self, name: &str, environment: &Environment) -> Result<SessionId, Report> {
        let spec = SessionSpec { name: name.to_owned(), environment: environment.clone(), ..SessionSpec::default() };
        self.open(spec, true)
    }

    /// Makes a session; opens it where `connect` is true.
    pub fn open(&mut self, spec: SessionSpec, connect: bool) -> Result<SessionId, Report> {
        self.tickets += 1;
        let mine = Ticket(self.tickets);
        self.console.engine.send(Command::OpenSession { ticket: mine, spec: Box::new(spec), connect })?;
        self.event(Duration::from_secs(30), "Making the session", |event| match event {
            Event::SessionMade { ticket, result } if ticket == mine => Some(result),
            _ => None,
        })
    }

    /// Says it; what becomes of it shows in the conversation.
    pub fn say(&self, session: SessionId, tracing: String, text: &str) -> Result<(), Report> {
        let wish = Wish::Text { tracing, text: text.to_owned(), attributes: Vec::new(), attachments: Vec::new() };
        self.console.engine.send(Command::Wish { session, wish })
    }

    /// Waits until messages can be sent.
    pub fn ready(&self, session: SessionId, limit: Duration) -> Result<(), Report> {
        let outcome = self.until(limit, |h| match h.view(session)?.state.as_ref()? {
            SessionState::Ready => Some(Ok(())),
            SessionState::Ended(end) => {
                let report = h.view(session)?.faults.last().map(|(_, report)| Report::clone(report));
                Some(Err(report.unwrap_or_else(|| Report::new("ended", "The session ended", end.sentence()))))
            }
            _ => None,
        });
        outcome.unwrap_or_else(|| {
            Err(Report::new(
                "timeout",
                "The session was not configured in time",
                format!("No SessionResponse came within {} s.", limit.as_secs()),
            ))
        })
    }

    /// Ends a session and waits for its goodbye.
    pub fn end(&self, session: SessionId) -> Result<(), Report> {
        self.console.engine.send(Command::CloseSession { session })?;
        self.until(GOODBYE, |h| h.view(session)?.state.as_ref().filter(|s| s.is_ended()).map(|_| ()));
        Ok(())
    }

    /// What is known of a session now.
    pub fn view(&self, session: SessionId) -> Option<Arc<SessionView>> {
        self.board().session(session).cloned()
    }
}

/// Does something with a console that leaves no trace but its capture: session tokens stay in memory, and a run in
/// which nothing happened leaves no file, however it ends. Then tells where the capture lies.
pub fn with_console<T>(
    out: &mut Out,
    places: Places,
    (place, clock): (LogPlace, Arc<dyn Clock>),
    keep_days: u32,
    work: impl FnOnce(&mut Out, &mut Headless) -> Result<T, Ended>,
) -> Result<(T, Kept), Ended> {
    let options = ConsoleOptions {
        place,
        clock,
        vault: Some(Vault::in_memory()),
        places: Some(places.clone()),
        ..ConsoleOptions::default()
    };
    let mut headless = Headless::start(options)?;
    out.redact_by(&headless.console.redactor);
    for report in std::mem::take(&mut headless.console.reports) {
        out.complain(&report.text());
    }
    let now = headless.console.clock.now().wall;
    // Old captures go while other things are waited for.
    let sweep =
        move || if keep_days == 0 { Ok(()) } else { retention::sweep(&places.captures, keep_days, now).map(drop) };
    let sweeping = std::thread::Builder::new().name("retention".into()).spawn(sweep);
    let result = work(out, &mut headless);
    let (writer, stopped) = (headless.writer().clone(), headless.stopped());
    let closed = headless.console.close(GOODBYE);
    if let Ok(Ok(Err(report))) = sweeping.map(std::thread::JoinHandle::join) {
        out.complain(&report.text());
    }
    let result = match (result, stopped) {
        // What was waited for did not fail; nobody waited any longer.
        (Err(_), Some(status)) => {
            out.complain(&format!("Interrupted before its work was done; the capture: {}", writer.opened().place()));
            return Err(Ended::Interrupted(status));
        }
        (result, _) => result?,
    };
    if !closed? {
        out.complain("The engine did not end in time; the capture is complete up to here.");
    }
    Ok((result, Kept { opened: writer.opened(), status: writer.status(), stopped }))
}

/// What is left of a run.
pub struct Kept {
    pub opened: Opened,
    pub status: WriterStatus,
    /// The status to end with, where the system asked for the end.
    pub stopped: Option<u8>,
}

/// The stored settings. Where they cannot be read that is said, and the usual ones hold.
pub fn settings(out: &Out, places: &Places) -> Stored {
    Stored::read(places).unwrap_or_else(|report| {
        out.complain(&report.text());
        Stored::default()
    })
}

/// Where a capture goes if nothing else is asked for.
pub fn usual_place(stored: &Stored) -> LogPlace {
    if stored.private_mode { LogPlace::Memory } else { LogPlace::Folder }
}
