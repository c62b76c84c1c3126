//! Engine and sandbox over one clock that is put forward: whoever waits notices at once.

use std::sync::Arc;
use std::time::Duration;

use sessionscope::capture::Reader;
use sessionscope::cli::headless::Headless;
use sessionscope::dialect::Wish;
use sessionscope::engine::Command;
use sessionscope::engine::console::{ConsoleOptions, LogPlace};
use sessionscope::engine::places::Places;
use sessionscope::model::fact::{Delivery, ExpiryEvent, SessionState};
use sessionscope::model::{Environment, Kind, SessionId, SteppedClock, Wall};
use sessionscope::projection::SessionView;
use sessionscope::vault::Vault;

use crate::support::console::{LIMIT, delivery};

const MINUTE: Duration = Duration::from_secs(60);

struct Desk {
    headless: Headless,
    environment: Environment,
    clock: Arc<SteppedClock>,
    _folder: tempfile::TempDir,
}

impl Desk {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = SteppedClock::shared();
        let options = ConsoleOptions {
            place: LogPlace::Memory,
            clock: clock.clone(),
            vault: Some(Vault::in_memory()),
            places: Some(Places { config: folder.path().join("config"), captures: folder.path().join("captures") }),
            ..ConsoleOptions::default()
        };
        let headless = Headless::start(options).unwrap();
        let environment = headless.start_sandbox().unwrap();
        Self { headless, environment, clock, _folder: folder }
    }

    fn connect(&mut self) -> SessionId {
        let session = self.headless.open_guest("guest", &self.environment.clone()).unwrap();
        self.until(session, "ready", |v| v.state == Some(SessionState::Ready));
        session
    }

    fn until(&self, session: SessionId, what: &str, fits: impl Fn(&SessionView) -> bool) {
        let found = self.headless.until(LIMIT, |h| h.view(session).filter(|v| fits(v)));
        assert!(found.is_some(), "never {what}: {:?}", self.headless.view(session).map(|v| v.state.clone()));
    }

    /// Waits for the OAuth clock; gives the end of its token.
    fn signed_in(&self, event: ExpiryEvent) -> Option<Wall> {
        let found = self.headless.until(LIMIT, |h| {
            let board = h.board();
            let clock = board.general.clocks.iter().map(|c| &c.fact).find(|f| f.id.starts_with("oauth"))?;
            (clock.event == event).then_some(clock.until)
        });
        found.unwrap_or_else(|| panic!("never {event:?}: {:?}", self.headless.board().general.clocks))
    }
}

#[test]
fn a_token_that_ends_within_the_step_is_renewed_at_once() {
    let desk = Desk::open();
    desk.headless.console.engine.send(Command::SignIn { environment: desk.environment.clone() }).unwrap();
    let first = desk.signed_in(ExpiryEvent::Started).unwrap();
    desk.clock.step(16 * MINUTE);
    let second = desk.signed_in(ExpiryEvent::Refreshed).unwrap();
    let gained = second.micros_since(first);
    assert!((15 * 60_000_000..18 * 60_000_000).contains(&gained), "both sides went on by the step: {gained}");
    let skews = desk.headless.board().general.skew.as_ref().map(|s| s.skew_us.abs());
    assert!(skews.is_none_or(|us| us < 2_000_000), "nobody sees a skew: {skews:?}");
}

#[test]
fn a_session_and_its_sandbox_notice_a_step() {
    let mut desk = Desk::open();
    let session = desk.connect();
    // Longer than it is from ping to ping, shorter than a guest may be silent.
    desk.clock.step(5 * MINUTE);
    let pong = desk.headless.until(LIMIT, |h| {
        h.writer().flush().unwrap();
        let reader = Reader::attach(&h.writer().opened()).unwrap();
        let mut kinds = (1..=reader.len()).map(|seq| reader.record(seq).unwrap().unwrap().kind);
        kinds.any(|kind| kind == Kind::Pong).then_some(())
    });
    assert!(pong.is_some(), "the ping that was due is sent, and answered");
    let say = Wish::Text {
        tracing: "t-1".into(),
        text: "still there?".into(),
        attributes: Vec::new(),
        attachments: Vec::new(),
    };
    desk.headless.console.engine.send(Command::Wish { session, wish: say }).unwrap();
    desk.until(session, "delivered", |v| matches!(delivery(v, "t-1"), Some(Delivery::Delivered)));
    // Now the guest was silent for too long.
    desk.clock.step(11 * MINUTE);
    desk.until(session, "ended by the server", |v| v.state != Some(SessionState::Ready));
}
