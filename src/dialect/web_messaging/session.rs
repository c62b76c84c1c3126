//! From opening the socket to the end of the session: configure, restart, clear, close, reconnect.

use std::time::Duration;

use super::requests::Ask;
use super::wire::inbound::{GetConfigurationResponse, SessionResponse};
use super::wire::outbound::Request;
use super::{Cx, Socket, WebMessaging};
use crate::dialect::backoff::{Backoff, Plan};
use crate::dialect::{Action, At};
use crate::model::environment::secs;
use crate::model::fact::{End, SessionState};
use crate::model::{Environment, Mono, Report, SecretKind, Wall};

/// Times that configureSession is sent again after a 429.
const CONFIGURE_TRIES: u32 = 3;
/// Longest reason of a close frame in bytes (RFC 6455, 5.5: 125 less the code).
const LONGEST_REASON: usize = 123;

/// The piece of state that this file owns.
#[derive(Debug)]
pub(super) struct Session {
    reconnect: bool,
    backoff: Backoff,
    /// When the next socket is opened.
    open_at: Option<Mono>,
    /// The session was ready once, or is a resumed one: the server should know it.
    known: bool,
    /// The socket is new: what was missed without it is not known yet.
    fresh: bool,
    /// Ready since.
    ready_since: Option<Mono>,
    /// A 429 asks for patience before configuring again: when, and whether with `startNew`.
    configure_at: Option<(Mono, bool)>,
    configure_tries: u32,
    /// Tracing id of the last answered configureSession: a second answer to it changes nothing.
    answered: Option<String>,
    clear_asked: bool,
    /// SessionClearedEvent came; how long to wait for the ConnectionClosedEvent.
    cleared: Option<Mono>,
    /// The user wants the token forgotten.
    pub(super) forgotten: bool,
    /// What is in the vault.
    pub(super) kept: Option<super::Kept>,
    /// That it is there was said.
    pub(super) kept_told: bool,
}

impl Session {
    /// `kept`: as an earlier run left it in the vault.
    pub fn new(env: &Environment, resumed: bool, kept: Option<super::Kept>, seed: u64) -> Self {
        let plan = Plan {
            least: Duration::ZERO,
            first: secs(env.timings.reconnect_first_secs),
            longest: secs(env.timings.reconnect_longest_secs),
            give_up: secs(env.timings.reconnect_give_up_secs),
            tries: u32::MAX,
        };
        Self {
            reconnect: env.reconnect,
            backoff: Backoff::new(plan, seed),
            open_at: None,
            known: resumed,
            fresh: false,
            ready_since: None,
            configure_at: None,
            configure_tries: 0,
            answered: None,
            clear_asked: false,
            cleared: None,
            forgotten: false,
            kept,
            kept_told: false,
        }
    }

    pub fn wait(&self, at: At) -> Option<Duration> {
        let due = [self.open_at, self.configure_at.map(|(t, _)| t), self.cleared];
        due.into_iter().flatten().min().map(|t| t.since(at.now.mono))
    }
}

impl WebMessaging {
    pub(super) fn connect(&mut self, cx: &mut Cx<'_>) {
        let idle = matches!(self.state, SessionState::New | SessionState::Ended(_) | SessionState::Reconnecting { .. });
        if !idle {
            cx.fault(Report::new(
                "already-connected",
                "Already connected",
                format!("The session is {}.", self.state.word()),
            ));
            return;
        }
        cx.act(Action::Learn { kind: SecretKind::SessionToken, value: self.token.clone() });
        self.auth.learn_kept(cx);
        self.session.backoff.reset();
        self.session.open_at = None;
        self.session.clear_asked = false;
        self.open(cx, "");
    }

    fn open(&mut self, cx: &mut Cx<'_>, why: &str) {
        self.conn += 1;
        self.socket = Socket::Opening;
        self.session.cleared = None;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("deploymentId", &self.env.deployment_id);
        if !self.env.application.is_empty() {
            query.append_pair("application", &self.env.application);
        }
        let url = format!("{}?{}", self.hosts.guest_socket, query.finish());
        let headers = self.origin();
        self.go(cx, SessionState::Connecting, why);
        cx.act(Action::Open { conn: self.conn, url, headers });
    }

    /// The `Origin` header, where the deployment restricts domains.
    pub(super) fn origin(&self) -> Vec<(String, String)> {
        self.env.origin.iter().filter(|o| !o.is_empty()).map(|o| ("Origin".to_owned(), o.clone())).collect()
    }

    pub(super) fn opened(&mut self, cx: &mut Cx<'_>, conn: u32) {
        if conn != self.conn || self.socket != Socket::Opening {
            // Nobody waits for it any more.
            cx.act(Action::Close { conn, code: 1000, reason: String::new() });
            return;
        }
        self.socket = Socket::Open;
        self.session.fresh = true;
        self.heartbeat.start(cx.now());
        self.idle.connected(cx);
        self.go(cx, SessionState::Connected, "");
        self.configure(cx, false);
    }

    pub(super) fn not_opened(&mut self, cx: &mut Cx<'_>, conn: u32, status: Option<u16>, report: &Report) {
        if conn != self.conn || self.socket != Socket::Opening {
            return;
        }
        self.socket = Socket::None;
        // The vendor's client stops at 403 as well: asking again does not help.
        let forbidden = matches!(status, Some(401 | 403));
        if self.session.reconnect && self.session.backoff.attempts() > 0 && !forbidden {
            self.plan_reconnect(cx, &report.title);
        } else {
            self.end(cx, End::NotOpened { report: report.code.clone() }, &report.title);
        }
    }

    pub(super) fn wish_configure(&mut self, cx: &mut Cx<'_>, start_new: bool) {
        if self.needs_socket(cx, "configureSession") {
            self.session.configure_tries = 0;
            self.configure(cx, start_new);
        }
    }

    pub(super) fn configure(&mut self, cx: &mut Cx<'_>, start_new: bool) {
        self.session.configure_at = None;
        if self.auth.is_wanted() {
            self.go(cx, SessionState::Configuring, "as a guest who has signed in");
            return self.configure_with_jwt(cx, start_new, false);
        }
        self.go(cx, SessionState::Configuring, "");
        let beyond = Request { start_new: Some(start_new), ..Request::default() };
        self.ask(cx, Ask::Configure { start_new, auth: None, step_up: false }, beyond);
    }

    pub(super) fn start_new(&mut self, cx: &mut Cx<'_>) {
        self.close_session(cx, true, true);
    }

    pub(super) fn close_session(&mut self, cx: &mut Cx<'_>, all: bool, restart: bool) {
        if !self.needs_session(cx, "closeSession") || self.requests.has(|a| matches!(a, Ask::CloseSession { .. })) {
            return;
        }
        let beyond = Request { close_all_connections: Some(all), ..Request::default() };
        self.ask(cx, Ask::CloseSession { restart }, beyond);
        if restart {
            self.go(cx, SessionState::Configuring, "closing the session to start a new one");
        }
    }

    pub(super) fn restart_failed(&mut self, cx: &mut Cx<'_>, why: &str) {
        if self.socket == Socket::Open && self.state == SessionState::Configuring {
            self.go(cx, SessionState::Connected, format!("the new session was not started: {why}"));
        }
    }

    pub(super) fn session_response(&mut self, cx: &mut Cx<'_>, tracing: Option<&str>, r: &SessionResponse<'_>) {
        let connected = r.connected.value.unwrap_or(true);
        let asked = self.requests.take(tracing, |a| match a {
            Ask::Configure { .. } => connected,
            Ask::CloseSession { .. } => !connected,
            _ => false,
        });
        let restarting = self.requests.has(|a| matches!(a, Ask::CloseSession { restart: true }));
        match asked {
            Some(Ask::CloseSession { restart: true }) => {
                self.session.configure_tries = 0;
                self.configure(cx, true);
            }
            // A second answer to the same request, or an old one overtaken by a restart.
            None if restarting || (tracing.is_some() && tracing == self.session.answered.as_deref()) => {}
            _ if !connected => {
                // Whoever asked for it (a raw frame may have): the socket is open, the session is not.
                if self.is_configured() {
                    self.go(cx, SessionState::Connected, "the session was closed");
                }
            }
            asked => {
                if let Some(Ask::Configure { auth: Some(number), .. }) = asked {
                    self.signed_in(cx, number);
                }
                if asked.is_some() {
                    self.session.answered = tracing.map(str::to_owned);
                }
                // An answer that came too late to be awaited makes the request done all the same.
                while self.requests.take(None, |a| matches!(a, Ask::Configure { .. })).is_some() {}
                self.session.configure_at = None;
                let stepped_up = matches!(asked, Some(Ask::Configure { step_up: true, .. }));
                let started_new = matches!(asked, Some(Ask::Configure { start_new: true, .. }));
                self.ready(cx, r, started_new, stepped_up);
                if asked.is_some() && self.wants_step_up() && self.is_configured() {
                    self.step_up(cx);
                }
            }
        }
    }

    fn ready(&mut self, cx: &mut Cx<'_>, r: &SessionResponse<'_>, started_new: bool, stepped_up: bool) {
        let again = self.is_configured();
        let fresh = std::mem::take(&mut self.session.fresh);
        let resuming = std::mem::replace(&mut self.session.known, true) && fresh && !started_new;
        self.session.ready_since.get_or_insert(cx.now());
        self.session.configure_tries = 0;
        if let Some(bytes) = r.max_custom_data_bytes.value {
            self.outbox.attribute_bytes = usize::try_from(bytes).unwrap_or(0);
        }
        self.keep(cx);
        self.idle.configured(cx, r.duration_seconds.value, r.expiration_date.value);
        let to = if r.read_only.is_true() { SessionState::ReadOnly } else { SessionState::Ready };
        if again && to == self.state && !stepped_up {
            return;
        }
        let new = r.new_session.value;
        let mut why = match new {
            _ if stepped_up => "the guest has signed in on this session".to_owned(),
            Some(true) if resuming => "the server does not know the old session and began a new one".to_owned(),
            Some(true) if self.env.auto_join => "new session; joining".to_owned(),
            Some(true) => "new session; join or say something to begin".to_owned(),
            Some(false) => "known session".to_owned(),
            None => String::new(),
        };
        for (told, words) in [
            (&r.cleared_existing, "the session elsewhere was cleared"),
            (&r.auto_started, "the conversation was started by the server"),
        ] {
            if told.is_true() {
                why.push_str(if why.is_empty() { "" } else { "; " });
                why.push_str(words);
            }
        }
        self.go(cx, to, why);
        if new == Some(true) && self.env.auto_join && self.state == SessionState::Ready && !stepped_up {
            let tracing = self.chance.uuid();
            self.join(cx, &tracing);
        }
        match (resuming, new) {
            (true, Some(true)) => self.doubts_end(cx, "the server began a new session after the connection was lost"),
            (true, _) => self.catch_up(cx),
            (false, _) => {}
        }
    }

    pub(super) fn configuration(&mut self, tracing: Option<&str>, r: &GetConfigurationResponse<'_>) {
        self.requests.take(tracing, |a| *a == Ask::Configuration);
        if let Some(bytes) = r.max_custom_data_bytes.value {
            self.outbox.attribute_bytes = usize::try_from(bytes).unwrap_or(0);
        }
    }

    /// A 429 to configureSession: patience, a bounded number of times.
    pub(super) fn configure_later(&mut self, cx: &mut Cx<'_>, start_new: bool, after: Duration, text: &str) {
        self.session.configure_tries += 1;
        if self.session.configure_tries > CONFIGURE_TRIES || !self.env.retry_after_429 {
            self.end(cx, End::NotConfigured { code: 429, text: text.to_owned() }, "");
        } else {
            self.session.configure_at = Some((cx.now() + after, start_new));
            self.remark(cx, format!("429: configuring again in {} s", after.as_secs()));
        }
    }

    /// Where the server refused a request of the session itself; true where that ended it.
    pub(super) fn refused_for_good(&mut self, cx: &mut Cx<'_>, code: i32, text: &str, configuring: bool) -> bool {
        let end = match code {
            4006 => End::Expired,
            4007 => End::Unknown,
            _ if configuring => End::NotConfigured { code, text: text.to_owned() },
            _ => return false,
        };
        let why = if matches!(end, End::NotConfigured { .. }) { "" } else { text };
        if code == 4017 {
            // The server will not have this token of a guest again.
            self.unkeep(cx);
        }
        self.end(cx, end, why);
        true
    }

    pub(super) fn read_only(&mut self, cx: &mut Cx<'_>, why: &str) {
        if self.state == SessionState::Ready {
            self.go(cx, SessionState::ReadOnly, why);
        }
    }

    pub(super) fn clear_asked(&mut self, asked: bool) {
        self.session.clear_asked = asked;
    }

    /// SessionClearedEvent: the ConnectionClosedEvent follows, or stays out.
    pub(super) fn session_cleared(&mut self, cx: &mut Cx<'_>) {
        if !self.state.is_ended() && self.session.cleared.is_none() {
            self.session.cleared = Some(cx.now() + secs(self.env.timings.echo_secs));
        }
    }

    pub(super) fn connection_closed(&mut self, cx: &mut Cx<'_>, reason: &str) {
        let end = if reason.eq_ignore_ascii_case("signedIn") {
            End::SignedInElsewhere
        } else if self.session.cleared.is_some() || self.session.clear_asked {
            End::Cleared
        } else {
            End::ConnectionClosed { reason: reason.to_owned() }
        };
        self.end(cx, end, "");
    }

    pub(super) fn leave(&mut self, cx: &mut Cx<'_>, code: u16, reason: String) {
        if reason.len() > LONGEST_REASON {
            cx.fault(Report::new(
                "close-reason-too-long",
                "The socket was not closed",
                format!("The reason has {} bytes; a close frame holds {LONGEST_REASON}.", reason.len()),
            ));
            return;
        }
        match self.state {
            SessionState::New | SessionState::Ended(_) => {}
            _ => self.end_with(cx, End::ByUser, "", code, &reason),
        }
    }

    /// A close frame of the server, or the end of a connection that the server had announced.
    pub(super) fn closed(&mut self, cx: &mut Cx<'_>, conn: u32, end: End) {
        if conn != self.conn {
            return;
        }
        self.socket = Socket::None;
        self.heartbeat.stop();
        // 1000 and 1008 are said on purpose; a new socket would get the same (assumed: no source tells the codes).
        let on_purpose = matches!(end, End::ByServer { code: 1000 | 1008, .. });
        if self.state.is_ended() {
            return;
        }
        if self.session.cleared.is_some() {
            self.end(cx, End::Cleared, "");
        } else if on_purpose || !self.session.reconnect || !self.session.known {
            self.end(cx, end, "");
        } else {
            let why = end.sentence();
            self.socket_gone(cx, &why);
            self.outbox.doubt_all();
            self.plan_reconnect(cx, &why);
        }
    }

    /// The engine has recorded why.
    pub(super) fn lost(&mut self, cx: &mut Cx<'_>, conn: u32) {
        self.closed(cx, conn, End::Lost);
    }

    pub(super) fn no_pong(&mut self, cx: &mut Cx<'_>) {
        cx.fault(
            Report::new(
                "no-pong",
                "The server does not answer pings",
                format!("No pong came within {} s: the connection counts as lost.", self.env.timings.pong_secs),
            )
            .remedy("Connect again with the same token, or switch reconnecting on."),
        );
        // Frees the socket, should it still be there.
        cx.act(Action::Close { conn: self.conn, code: 1000, reason: "no pong".into() });
        self.closed(cx, self.conn, End::Lost);
    }

    fn plan_reconnect(&mut self, cx: &mut Cx<'_>, why: &str) {
        // A session that held for a while begins its count anew; one that breaks at once does not.
        let held = self.session.ready_since.take().map(|t| cx.now().since(t));
        if held.is_some_and(|h| h >= secs(self.env.timings.reconnect_longest_secs)) {
            self.session.backoff.reset();
        }
        match self.session.backoff.next(cx.now()) {
            Some(wait) => {
                self.session.open_at = Some(cx.now() + wait);
                let attempt = self.session.backoff.attempts();
                let at = cx.wall_in(wait);
                self.go(cx, SessionState::Reconnecting { attempt, at }, why);
            }
            None => {
                let attempts = self.session.backoff.attempts();
                self.end(cx, End::GaveUp { attempts }, why);
            }
        }
    }

    pub(super) fn set_reconnect(&mut self, cx: &mut Cx<'_>, on: bool) {
        if self.session.reconnect != on {
            self.session.reconnect = on;
            self.remark(cx, if on { "reconnecting is switched on" } else { "reconnecting is switched off" });
        }
        if !on && matches!(self.state, SessionState::Reconnecting { .. }) {
            self.end(cx, End::Lost, "reconnecting was switched off");
        }
    }

    pub(super) fn end(&mut self, cx: &mut Cx<'_>, end: End, why: &str) {
        // 1000 with a text is what the vendor's clients send.
        let reason = match &end {
            End::Cleared => "conversation cleared",
            End::Expired => "session expired",
            End::LoggedOut => "logged out",
            _ => "session ended",
        };
        self.end_with(cx, end, why, 1000, reason);
    }

    fn end_with(&mut self, cx: &mut Cx<'_>, end: End, why: &str, code: u16, reason: &str) {
        if self.state.is_ended() {
            return;
        }
        if self.socket != Socket::None {
            cx.act(Action::Close { conn: self.conn, code, reason: reason.to_owned() });
            self.socket = Socket::None;
        }
        self.session.open_at = None;
        self.session.ready_since = None;
        self.session.cleared = None;
        self.session.clear_asked = false;
        let sentence = end.sentence();
        self.socket_gone(cx, &sentence);
        self.session_over(cx, &sentence);
        self.idle.ended(cx, &end);
        // What the server will not know again need not be kept.
        if matches!(end, End::SignedInElsewhere | End::LoggedOut | End::Expired | End::Unknown) {
            self.unkeep(cx);
        }
        if end == End::LoggedOut {
            self.auth_over(cx, "server");
        }
        self.go(cx, SessionState::Ended(end), why);
    }

    /// What hangs on the socket falls with it. The outbox is the caller's matter.
    fn socket_gone(&mut self, cx: &mut Cx<'_>, why: &str) {
        self.heartbeat.stop();
        self.session.configure_at = None;
        for ask in self.requests.take_all() {
            self.ask_failed(cx, ask, why, None);
        }
        self.idle.disconnected(cx);
        self.auth_disconnected();
    }

    pub(super) fn tick_session(&mut self, cx: &mut Cx<'_>) {
        let due = |t: Option<Mono>, now| t.is_some_and(|t| t <= now);
        if due(self.session.cleared, cx.now()) {
            self.end(cx, End::Cleared, "the server sent no ConnectionClosedEvent");
        }
        if due(self.session.open_at, cx.now()) {
            self.session.open_at = None;
            let why = format!("try {} to reconnect with the same token", self.session.backoff.attempts());
            self.open(cx, &why);
        }
        if let Some((t, start_new)) = self.session.configure_at
            && t <= cx.now()
        {
            self.configure(cx, start_new);
        }
    }
}

/// Seconds since the epoch as an instant; none for nonsense (zero and before).
pub(super) fn epoch(secs: Option<i64>) -> Option<Wall> {
    secs.filter(|s| *s > 0).map(Wall::from_secs)
}
