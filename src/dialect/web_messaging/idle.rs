//! Clocks of the session (it expires when nobody says anything) and of the connection (assumed).

use std::time::Duration;

use super::requests::Ask;
use super::session::epoch;
use super::{Cx, Socket, WebMessaging, until};
use crate::dialect::At;
use crate::dialect::budget::Budget;
use crate::model::environment::secs;
use crate::model::fact::{ClockDeed, End, Expiry, ExpiryEvent};
use crate::model::{Environment, Mono, Report, Wall};

pub(super) const SESSION_IDLE: &str = "session-idle";
const CONNECTION_IDLE: &str = "connection-idle";
const CONNECTION_LIFE: &str = "connection-life";

/// No source tells when the server drops a quiet or an old connection. The design looks like a gateway service whose
/// fixed limits are these (AWS API Gateway, WebSocket quotas). Pings are not counted as traffic, to be on the safe
/// side.
const ASSUMED_IDLE: Duration = Duration::from_secs(600);
const ASSUMED_LIFE: Duration = Duration::from_secs(7200);
/// The vendor's client looks this long after the expected end whether the session is really over.
const CHECK_AFTER: Duration = Duration::from_secs(2);
/// Checks in a row that may stay unanswered before no more are made.
const CHECKS: u32 = 3;
const MINUTE: Duration = Duration::from_secs(60);

/// Something that lives on with each use.
#[derive(Clone, Copy, Debug)]
struct Running {
    life: Duration,
    until: Wall,
    /// What the last fact said, and when.
    told: Wall,
    told_at: Mono,
    /// A fact is stated at most this often.
    quiet: Duration,
}

impl Running {
    fn new(at: At, life: Duration, until: Wall, quiet: Duration) -> Self {
        Self { life, until, told: until, told_at: at.now.mono, quiet }
    }

    fn used(&mut self, at: At) {
        self.until = self.until.max(at.server + self.life);
    }

    /// True once whenever a fact is to be stated.
    fn tell(&mut self, at: At) -> bool {
        let due = self.until != self.told && at.now.mono.since(self.told_at) >= self.quiet;
        if due {
            self.told = self.until;
            self.told_at = at.now.mono;
        }
        due
    }

    fn wait(&self, at: At) -> Option<Duration> {
        (self.until != self.told).then(|| (self.told_at + self.quiet).since(at.now.mono))
    }
}

#[derive(Debug)]
pub(super) struct Idle {
    session: Option<Running>,
    connection: Option<Running>,
    /// How long before the end the session is checked with an echo.
    lead: Duration,
    echoes: Budget,
    /// The expected ends for which the check before, the check after, and the end itself were made.
    checked: Option<Wall>,
    checked_after: Option<Wall>,
    told_dead: Option<Wall>,
    /// Checks without an answer, since the last one that had one.
    missed: u32,
}

impl Idle {
    pub fn new(env: &Environment) -> Self {
        Self {
            session: None,
            connection: None,
            lead: secs(env.timings.idle_check_secs),
            echoes: Budget::new(env.limits.echoes_per_minute, MINUTE),
            checked: None,
            checked_after: None,
            told_dead: None,
            missed: 0,
        }
    }

    /// A frame went over the connection, either way.
    pub fn traffic(&mut self, cx: &mut Cx<'_>) {
        if let Some(c) = &mut self.connection {
            c.used(cx.at);
        }
        self.tell(cx);
    }

    /// Somebody said something: the session lives on.
    pub fn said(&mut self, cx: &mut Cx<'_>) {
        if let Some(s) = &mut self.session {
            s.used(cx.at);
        }
        self.tell(cx);
    }

    fn tell(&mut self, cx: &mut Cx<'_>) {
        if let Some(s) = &mut self.session
            && s.tell(cx.at)
        {
            let fact = session_fact(cx.at, ExpiryEvent::Extended, "traffic", Some(s.until));
            cx.expiry(fact);
        }
        if let Some(c) = &mut self.connection
            && c.tell(cx.at)
        {
            let fact = connection_fact(cx.at, CONNECTION_IDLE, ExpiryEvent::Extended, Some(c.until));
            cx.expiry(fact);
        }
    }

    pub fn connected(&mut self, cx: &mut Cx<'_>) {
        let until = cx.server() + ASSUMED_IDLE;
        self.connection = Some(Running::new(cx.at, ASSUMED_IDLE, until, Duration::from_secs(5)));
        for (id, until) in [(CONNECTION_IDLE, until), (CONNECTION_LIFE, cx.server() + ASSUMED_LIFE)] {
            cx.expiry(connection_fact(cx.at, id, ExpiryEvent::Started, Some(until)));
        }
    }

    pub fn disconnected(&mut self, cx: &mut Cx<'_>) {
        if self.connection.take().is_some() {
            for id in [CONNECTION_IDLE, CONNECTION_LIFE] {
                cx.expiry(connection_fact(cx.at, id, ExpiryEvent::Forgotten, None));
            }
        }
    }

    /// What a SessionResponse says of the session's life, both in seconds.
    pub fn configured(&mut self, cx: &mut Cx<'_>, life: Option<i64>, expires: Option<i64>) {
        let life = life.and_then(|l| u64::try_from(l).ok()).filter(|l| *l > 0).map(Duration::from_secs);
        let until = epoch(expires);
        let (life, until) = match (life, until) {
            (Some(life), until) => (life, until.unwrap_or(cx.server() + life)),
            (None, Some(until)) => (Duration::from_micros(until.micros_since(cx.server()).max(1) as u64), until),
            (None, None) => return,
        };
        let event = if self.session.is_some() { ExpiryEvent::Extended } else { ExpiryEvent::Started };
        self.session = Some(Running::new(cx.at, life, until, Duration::from_secs(1)));
        self.note_checks(cx.at);
        cx.expiry(session_fact(cx.at, event, "server", Some(until)));
    }

    /// What the answer to a health check says of it.
    pub fn checked(&mut self, cx: &mut Cx<'_>, life: Option<i64>, expires: Option<i64>) {
        self.missed = 0;
        if epoch(expires).is_some() {
            self.configured(cx, life, expires);
        }
    }

    /// A check that was just answered need not be made again for the same end.
    fn note_checks(&mut self, at: At) {
        let Some(s) = self.session else { return };
        let begun = at.server >= s.until - self.lead(s);
        self.checked = begun.then_some(s.until);
        self.checked_after = (at.server >= s.until + CHECK_AFTER).then_some(s.until);
    }

    /// A check had no answer: it is made again, but not for ever.
    pub fn missed(&mut self) {
        self.missed += 1;
        if self.missed < CHECKS {
            self.checked = None;
            self.checked_after = None;
        }
    }

    /// Never more than half of the session's life.
    fn lead(&self, s: Running) -> Duration {
        self.lead.min(s.life / 2)
    }

    /// When the next check is due, if one is.
    fn check_due(&self) -> Option<Wall> {
        let s = self.session?;
        let before =
            (self.checked != Some(s.until) && self.checked_after != Some(s.until)).then(|| s.until - self.lead(s));
        let after = (self.checked_after != Some(s.until)).then(|| s.until + CHECK_AFTER);
        before.or(after)
    }

    pub fn ended(&mut self, cx: &mut Cx<'_>, end: &End) {
        let event = match end {
            End::Expired | End::Unknown => ExpiryEvent::Expired,
            End::LoggedOut | End::SignedInElsewhere | End::Cleared => ExpiryEvent::Forgotten,
            // It lives on at the server, and can be resumed.
            _ => return,
        };
        if self.session.take().is_some() {
            cx.expiry(session_fact(cx.at, event, "server", Some(cx.server())));
        }
    }

    pub fn wait(&self, at: At, can_check: bool) -> Option<Duration> {
        let tell = [self.session, self.connection].into_iter().flatten().filter_map(|r| r.wait(at)).min();
        let dead = self.session.filter(|s| self.told_dead != Some(s.until)).map(|s| until(at, s.until));
        let check = self.check_due().filter(|_| can_check);
        let check = check.map(|due| until(at, due).max(self.echoes.wait(at.now.mono)));
        [tell, dead, check].into_iter().flatten().min()
    }

    /// The user treats the session as over from now on.
    pub fn expire(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(s) = &mut self.session else { return false };
        s.until = s.until.min(cx.server());
        s.told = s.until;
        self.told_dead = Some(s.until);
        let until = s.until;
        cx.expiry(session_fact(cx.at, ExpiryEvent::Expired, "you", Some(until)));
        true
    }

    pub fn forget(&mut self, cx: &mut Cx<'_>) {
        let until = self.session.map(|s| s.until);
        cx.expiry(session_fact(cx.at, ExpiryEvent::Forgotten, "you", until));
    }
}

impl WebMessaging {
    pub(super) fn can_check(&self) -> bool {
        self.is_configured() && !self.requests.has(|a| *a == Ask::Echo)
    }

    pub(super) fn wish_echo(&mut self, cx: &mut Cx<'_>) {
        if !self.needs_socket(cx, "echo") {
            return;
        }
        match self.idle.echoes.try_spend(cx.now()) {
            Ok(()) => self.ask_echo(cx),
            Err(wait) => cx.fault(
                Report::new(
                    "echo-limit",
                    "The health check was not sent",
                    format!(
                        "{} in a minute are allowed; the next one in {} s.",
                        self.idle.echoes.limit(),
                        wait.as_secs() + 1
                    ),
                )
                .remedy("Send it as a raw frame to see what the server says to one too many."),
            ),
        }
    }

    pub(super) fn tick_idle(&mut self, cx: &mut Cx<'_>) {
        self.idle.tell(cx);
        if let Some(s) = self.idle.session
            && cx.server() >= s.until
            && self.idle.told_dead != Some(s.until)
        {
            self.idle.told_dead = Some(s.until);
            cx.expiry(session_fact(cx.at, ExpiryEvent::Expired, "clock", Some(s.until)));
        }
        if self.socket != Socket::Open || !self.can_check() {
            return;
        }
        if let Some(due) = self.idle.check_due()
            && cx.server() >= due
            && self.idle.echoes.try_spend(cx.now()).is_ok()
        {
            self.idle.note_checks(cx.at);
            self.ask_echo(cx);
        }
    }
}

fn session_fact(at: At, event: ExpiryEvent, by: &str, until: Option<Wall>) -> Expiry {
    Expiry {
        id: SESSION_IDLE.into(),
        title: "session idle".into(),
        event,
        by: by.into(),
        from: at.server,
        until,
        margin_secs: 0,
        breaks: "sending, and the session's history".into(),
        assumed: false,
        token: None,
        scope: None,
        claims: None,
        can: vec![ClockDeed::Refresh, ClockDeed::Expire, ClockDeed::Forget],
    }
}

fn connection_fact(at: At, id: &str, event: ExpiryEvent, until: Option<Wall>) -> Expiry {
    let (title, breaks) = match id {
        CONNECTION_IDLE => ("connection idle", "the socket, when nothing is sent either way"),
        _ => ("connection life", "the socket, whatever is sent"),
    };
    Expiry {
        id: id.into(),
        title: title.into(),
        event,
        by: "assumption".into(),
        from: at.server,
        until,
        margin_secs: 0,
        breaks: breaks.into(),
        assumed: true,
        token: None,
        scope: None,
        claims: None,
        can: Vec::new(),
    }
}
