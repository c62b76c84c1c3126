//! A whole console in a folder of its own, and the waits that tests need.

use std::sync::Arc;
use std::time::Duration;

use sessionscope::capture::Reader;
use sessionscope::cli::headless::Headless;
use sessionscope::dialect::Wish;
use sessionscope::engine::console::{ConsoleOptions, LogPlace};
use sessionscope::engine::places::Places;
use sessionscope::engine::{Command, OpenUrl};
use sessionscope::model::fact::{Delivery, SessionState};
use sessionscope::model::{Clock, Environment, ManualClock, Record, SessionId, SystemClock, Wall};
use sessionscope::projection::{EntryState, SessionView, What};
use sessionscope::sandbox::Order;
use sessionscope::vault::Vault;

pub const LIMIT: Duration = Duration::from_secs(20);

/// A console with its sandbox.
pub struct Desk {
    pub headless: Headless,
    pub environment: Environment,
    pub clock: Option<Arc<ManualClock>>,
    _folder: tempfile::TempDir,
}

impl Desk {
    /// With the clocks of this computer.
    pub fn open() -> Self {
        Self::with(None, LogPlace::Folder)
    }

    /// With a clock that stands still until it is moved.
    pub fn with_paused_clock() -> Self {
        Self::with(Some(ManualClock::starting_at(Wall::from_secs(1_790_000_000))), LogPlace::Folder)
    }

    pub fn with(clock: Option<Arc<ManualClock>>, place: LogPlace) -> Self {
        let nobody: OpenUrl = Arc::new(|_| Err("no browser in this test".to_owned()));
        Self::with_browser(clock, place, nobody)
    }

    /// With somebody to whom login pages are shown.
    pub fn with_browser(clock: Option<Arc<ManualClock>>, place: LogPlace, open_url: OpenUrl) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { config: folder.path().join("config"), captures: folder.path().join("captures") };
        let source: Arc<dyn Clock> = match &clock {
            Some(clock) => clock.clone(),
            None => SystemClock::shared(),
        };
        let options = ConsoleOptions {
            place,
            clock: source,
            vault: Some(Vault::in_memory()),
            places: Some(places),
            open_url,
            ..ConsoleOptions::default()
        };
        let headless = Headless::start(options).unwrap();
        let environment = headless.start_sandbox().unwrap();
        Self { headless, environment, clock, _folder: folder }
    }

    pub fn connect(&mut self, name: &str) -> SessionId {
        let environment = self.environment.clone();
        let session = self.headless.open_guest(name, &environment).unwrap();
        self.until(session, "ready", |v| matches!(v.state, Some(SessionState::Ready)));
        session
    }

    pub fn wish(&self, session: SessionId, wish: Wish) {
        self.headless.console.engine.send(Command::Wish { session, wish }).unwrap();
    }

    pub fn order(&self, order: Order) {
        self.headless.console.engine.send(Command::Order { order }).unwrap();
    }

    /// Says it; gives its tracing id.
    pub fn say(&self, session: SessionId, text: &str) -> String {
        let tracing = uuid::Uuid::new_v4().to_string();
        self.wish(
            session,
            Wish::Text { tracing: tracing.clone(), text: text.into(), attributes: Vec::new(), attachments: Vec::new() },
        );
        tracing
    }

    /// Waits until what is known of a session fits; panics with what is known otherwise.
    pub fn until(&self, session: SessionId, what: &str, fits: impl Fn(&SessionView) -> bool) -> Arc<SessionView> {
        let found = self.headless.until(LIMIT, |h| h.view(session).filter(|v| fits(v)));
        found.unwrap_or_else(|| {
            let view = self.headless.view(session);
            let state = view.as_ref().map(|v| (v.state.clone(), v.faults.clone()));
            let said: Vec<String> = view
                .iter()
                .flat_map(|v| v.conversation.entries.iter())
                .map(|e| format!("{:?} {:?}", e.what, e.state))
                .collect();
            panic!("never {what}: {state:?}\n{}", said.join("\n"))
        })
    }

    pub fn reader(&self) -> Reader {
        self.headless.writer().flush().unwrap();
        Reader::attach(&self.headless.writer().opened()).unwrap()
    }

    /// All records so far.
    pub fn records(&self) -> Vec<Record> {
        let reader = self.reader();
        (1..=reader.len()).map(|seq| reader.record(seq).unwrap().unwrap()).collect()
    }
}

pub fn delivery(view: &SessionView, tracing: &str) -> Option<Delivery> {
    view.conversation.entries.iter().find_map(|e| match (&e.what, &e.state) {
        (What::Message(m), EntryState::Own(d, _)) if m.tracing.as_deref() == Some(tracing) => Some(d.clone()),
        _ => None,
    })
}

pub fn texts(view: &SessionView) -> Vec<String> {
    view.conversation
        .entries
        .iter()
        .filter_map(|e| match &e.what {
            What::Message(m) => m.text.clone(),
            _ => None,
        })
        .collect()
}
