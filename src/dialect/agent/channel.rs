//! The notification channel: made by REST, subscribed to by REST or by frames, listened to on one socket.
//!
//! A channel lives for a day and is one of twenty; the one that was used longest ago is dropped without a word. So a
//! socket that ends is looked into before it is opened again: the channel still lives (same address), or is gone (a new
//! one), or the token is dead. What was told meanwhile is not told again: everything is read by REST afterwards.

use serde_json::{Value, json};

use super::wire::Notice;
use super::*;
use crate::dialect::backoff::{Backoff, Plan};
use crate::dialect::heartbeat::{Beat, Heartbeat};
use crate::model::Wall;
use crate::model::agents::SubscribeBy;
use crate::model::environment::secs;
use crate::model::fact::{ClockDeed, Expiry, ExpiryEvent};

/// A channel is replaced so long before its end, one that lives shortly at half its life.
const EARLY_SECS: u32 = 300;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Socket {
    None,
    Opening,
    Open,
}

/// What follows the end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// It was not expected: look what became of the channel.
    Look,
    Open,
    /// A new channel is on its way, and brings its own.
    Wait,
}

#[derive(Debug)]
pub(super) struct Channel {
    pub(super) id: Option<String>,
    pub(super) uri: String,
    /// On the server's clock.
    pub(super) expires: Option<Wall>,
    /// Another is asked for then.
    pub(super) renew: Option<Wall>,
    pub(super) socket: Socket,
    /// Number of the newest socket.
    pub(super) conn: u32,
    /// What the channel is subscribed to.
    pub(super) topics: Vec<String>,
    pub(super) watchdog: Heartbeat,
    pub(super) backoff: Backoff,
    /// The next look at the channel.
    pub(super) again: Option<Mono>,
    /// A new channel is asked for.
    pub(super) making: bool,
    pub(super) after: After,
    /// Where the newest socket was opened.
    pub(super) opened_at: String,
    /// Nothing is opened any more.
    pub(super) stopped: bool,
    /// Frames of ours that wait for a result, oldest first: whether conversations are read after it.
    pub(super) asked: u32,
}

impl Channel {
    pub fn new(env: &Environment, seed: u64) -> Self {
        let t = &env.timings;
        let plan = Plan {
            least: Duration::from_millis(200),
            first: secs(t.reconnect_first_secs),
            longest: secs(t.reconnect_longest_secs),
            give_up: secs(t.reconnect_give_up_secs),
            tries: u32::MAX,
        };
        Self {
            id: None,
            uri: String::new(),
            expires: None,
            renew: None,
            socket: Socket::None,
            conn: 0,
            topics: Vec::new(),
            watchdog: Heartbeat::new(secs(env.agents.watchdog_secs), secs(env.agents.pong_secs)),
            backoff: Backoff::new(plan, seed ^ 0x6368_616e),
            again: None,
            making: false,
            after: After::Look,
            opened_at: String::new(),
            stopped: false,
            asked: 0,
        }
    }

    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub fn conn(&self) -> u32 {
        self.conn
    }

    pub fn is_open(&self) -> bool {
        self.socket == Socket::Open
    }

    pub fn stop(&mut self) {
        self.stopped = true;
        self.watchdog.stop();
        self.again = None;
    }

    pub fn wait(&self, at: At) -> Option<Duration> {
        let now = at.now.mono;
        let renewal = self
            .renew
            .filter(|_| !self.making)
            .map(|due| Duration::from_micros(u64::try_from(due.micros_since(at.server)).unwrap_or(0)));
        [self.watchdog.wait(now), self.again.map(|due| due.since(now)), renewal].into_iter().flatten().min()
    }
}

impl Agent {
    pub(super) fn new_channel(&mut self, _cx: &mut Cx<'_>) {
        if std::mem::replace(&mut self.channel.making, true) {
            return;
        }
        self.channel.stopped = false;
        self.channel.again = None;
        self.begin(Job::NewChannel, calls::new_channel(&self.hosts));
    }

    pub(super) fn channel_made(&mut self, cx: &mut Cx<'_>, body: &Value) {
        self.channel.making = false;
        let (Some(id), Some(uri)) = (flow::text_of(body, "id"), flow::text_of(body, "connectUri")) else {
            let report = Report::new("no-channel", "There is no notification channel", "The answer names no address.");
            cx.fault(report);
            return self.look_again(cx, "no channel");
        };
        let until = flow::text_of(body, "expires").and_then(|t| Wall::parse_rfc3339(&t));
        let first = self.channel.id.is_none();
        self.channel.id = Some(id);
        self.channel.uri = uri;
        self.channel.expires = until;
        let life = until.map(|until| until.micros_since(cx.at.server));
        self.channel.renew = match life {
            Some(life @ 1..) => {
                let early = secs(EARLY_SECS).min(Duration::from_micros(life.unsigned_abs() / 2));
                until.map(|until| until - early)
            }
            // It would be replaced for ever.
            Some(_) => {
                let what = "By this session's idea of the server's clock it ended before it began.";
                let report = Report::new("channel-over", "The new channel counts as expired", what)
                    .remedy("Look at the skew of the clocks. The channel is used until the server ends it.");
                cx.fault(report);
                None
            }
            None => None,
        };
        self.channel.topics.clear();
        self.tell_channel(cx, if first { ExpiryEvent::Started } else { ExpiryEvent::Refreshed });
        match self.settings().subscribe_by {
            SubscribeBy::Socket => self.open_socket(cx),
            by => {
                let (id, topics) = (self.channel.id.clone().unwrap_or_default(), self.topics());
                let call = calls::subscribe(&self.hosts, &id, &topics, by == SubscribeBy::RestReplace);
                self.begin(Job::Subscribe { ours: true }, call);
            }
        }
    }

    fn tell_channel(&mut self, cx: &mut Cx<'_>, event: ExpiryEvent) {
        if self.channel.id.is_none() {
            return;
        }
        cx.state(Fact::Expiry(Expiry {
            id: "channel".into(),
            title: "notification channel".into(),
            event,
            by: "server".into(),
            from: cx.at.server,
            until: self.channel.expires,
            margin_secs: EARLY_SECS,
            breaks: "notifications stop".into(),
            assumed: false,
            token: None,
            scope: None,
            claims: None,
            can: vec![ClockDeed::Refresh, ClockDeed::Expire],
        }));
    }

    pub(super) fn forget_clocks(&mut self, cx: &mut Cx<'_>) {
        self.tell_channel(cx, ExpiryEvent::Forgotten);
        self.channel.id = None;
        self.channel.renew = None;
        self.forget_desk_clocks(cx);
    }

    pub(super) fn channel_not_made(&mut self, cx: &mut Cx<'_>, failure: &Failure) {
        self.channel.making = false;
        let report = verdict::report(&Job::NewChannel, failure);
        if failure.is_for_good() || matches!(failure, Failure::NoBearer(_)) {
            let why = report.title.clone();
            cx.fault(report);
            return self.end(cx, End::Failed { why });
        }
        cx.fault(report);
        self.look_again(cx, "no channel");
    }

    // The socket.

    pub(super) fn open_socket(&mut self, cx: &mut Cx<'_>) {
        if self.channel.stopped || self.channel.socket != Socket::None {
            return;
        }
        self.channel.conn += 1;
        self.channel.socket = Socket::Opening;
        self.channel.again = None;
        self.channel.after = After::Look;
        self.channel.opened_at.clone_from(&self.channel.uri);
        if !self.is_ready() {
            self.go(cx, SessionState::Connecting, "opening the notification socket");
        }
        cx.act(Action::Open { conn: self.channel.conn, url: self.channel.uri.clone(), headers: Vec::new() });
    }

    pub(super) fn opened(&mut self, cx: &mut Cx<'_>, conn: u32) {
        if conn != self.channel.conn || self.state.is_ended() {
            return;
        }
        self.channel.socket = Socket::Open;
        if self.channel.opened_at != self.channel.uri {
            return self.reopen(cx, "a new channel took the place of this one meanwhile");
        }
        self.channel.asked = 0;
        self.channel.watchdog.start(cx.now());
        self.go(cx, SessionState::Configuring, "listening");
        if self.settings().subscribe_by == SubscribeBy::Socket {
            self.channel.topics.clear();
            let topics = self.topics();
            self.send_topics(cx, "subscribe", topics);
        } else {
            self.reload_all(cx);
        }
    }

    pub(super) fn not_opened(&mut self, cx: &mut Cx<'_>, conn: u32, status: Option<u16>, report: &Report) {
        if conn != self.channel.conn || self.state.is_ended() {
            return;
        }
        self.channel.socket = Socket::None;
        match status {
            Some(404) => self.gone(cx),
            // The socket bears no token: it is the token that made the channel which is dead. A call finds out.
            _ => self.look_again(cx, &report.title.to_lowercase()),
        }
    }

    /// Closes the socket in order to open another at once.
    pub(super) fn reopen(&mut self, cx: &mut Cx<'_>, why: &str) {
        self.end_socket(cx, After::Open, why);
    }

    pub(super) fn end_socket(&mut self, cx: &mut Cx<'_>, after: After, why: &str) {
        self.channel.after = after;
        self.channel.watchdog.stop();
        self.remark(cx, why);
        cx.act(Action::Close { conn: self.channel.conn, code: 1000, reason: String::new() });
    }

    pub(super) fn closed(&mut self, cx: &mut Cx<'_>, conn: u32, why: &str) {
        if conn != self.channel.conn || self.channel.socket == Socket::None {
            return;
        }
        self.channel.socket = Socket::None;
        self.channel.watchdog.stop();
        if self.state.is_ended() || self.channel.stopped {
            return;
        }
        match std::mem::replace(&mut self.channel.after, After::Look) {
            After::Look => self.look_again(cx, why),
            After::Open => self.open_socket(cx),
            After::Wait => self.go(cx, SessionState::Connecting, "waiting for a new channel"),
        }
    }

    /// Looks at the channel after a while, and opens a socket to it or to a new one.
    pub(super) fn look_again(&mut self, cx: &mut Cx<'_>, why: &str) {
        if !self.settings().reconnect {
            let report = Report::new("no-notifications", "Notifications have stopped", format!("{why}."))
                .remedy("Connect again, or switch reconnecting on for this session.");
            cx.fault(report);
            return self.end(cx, End::Lost);
        }
        match self.channel.backoff.next(cx.now()) {
            Some(wait) => {
                self.channel.again = Some(cx.now() + wait);
                let attempt = self.channel.backoff.attempts();
                self.go(cx, SessionState::Reconnecting { attempt, at: cx.at.now.wall + wait }, why);
            }
            None => {
                let attempts = self.channel.backoff.attempts();
                self.end(cx, End::GaveUp { attempts });
            }
        }
    }

    /// The channel is still there: the socket can be opened again at the same address.
    pub(super) fn channel_lives(&mut self, cx: &mut Cx<'_>) {
        self.open_socket(cx);
    }

    pub(super) fn channel_gone(&mut self, cx: &mut Cx<'_>, failure: &Failure) {
        match failure.status() {
            Some(404 | 410) => self.gone(cx),
            Some(401) => {
                let report = verdict::token_dead(failure);
                let why = report.title.clone();
                cx.fault(report);
                self.end(cx, End::Failed { why });
            }
            _ => self.look_again(cx, &failure.sentence()),
        }
    }

    /// The platform knows the channel no more: another takes its place.
    pub(super) fn gone(&mut self, cx: &mut Cx<'_>) {
        cx.fault(verdict::channel_gone());
        self.new_channel(cx);
    }

    /// The channel is of no use any more.
    pub(super) fn channel_over(&mut self, cx: &mut Cx<'_>, why: &str) {
        self.tell_channel(cx, ExpiryEvent::Expired);
        self.channel.renew = None;
        self.remark(cx, why.to_owned());
        self.new_channel(cx);
    }

    pub(super) fn ping(&mut self, cx: &mut Cx<'_>) {
        if !self.channel.is_open() {
            return flow::not_now("The notification socket is not open", cx.out);
        }
        self.send(cx, &json!({ "message": "ping" }), Flags::HEARTBEAT, None);
    }

    /// Text of a person's own on the socket.
    pub(super) fn raw(&mut self, cx: &mut Cx<'_>, text: String) {
        if !self.channel.is_open() {
            return flow::not_now("The notification socket is not open", cx.out);
        }
        cx.act(Action::Text { conn: self.channel.conn, text, flags: Flags::NONE, tracing: None });
    }

    pub(super) fn tick_channel(&mut self, cx: &mut Cx<'_>) {
        if self.state.is_ended() {
            return;
        }
        match self.channel.watchdog.tick(cx.now()) {
            Beat::Ping => self.ping(cx),
            Beat::Lost => {
                let secs = self.settings().watchdog_secs;
                let what = format!("Neither a heartbeat within {secs} s nor a pong came.");
                cx.fault(Report::new("no-heartbeat", "The notification socket is dead", what));
                cx.act(Action::Close { conn: self.channel.conn, code: 1000, reason: "no heartbeat".into() });
                self.channel.socket = Socket::None;
                self.look_again(cx, "no heartbeat");
            }
            Beat::Nothing => {}
        }
        if self.channel.again.is_some_and(|due| due <= cx.now()) {
            self.channel.again = None;
            match self.channel.id.clone() {
                Some(id) => self.begin(Job::LookAtChannel, calls::look_at_channel(&self.hosts, &id)),
                None => self.new_channel(cx),
            }
        }
        if !self.channel.making && self.channel.renew.is_some_and(|due| due <= cx.at.server) {
            // Asked for once; the answer tells a new end.
            self.channel.renew = None;
            self.remark(cx, "the channel ends soon: another is made");
            self.new_channel(cx);
        }
    }

    // What arrives.

    pub(super) fn frame(&mut self, cx: &mut Cx<'_>, conn: u32, text: &str) -> Seen {
        let Some(notice) = wire::notice(text) else {
            return Seen { flags: Flags::MALFORMED.with(Flags::STORY), ..Seen::default() };
        };
        let current = conn == self.channel.conn && !self.state.is_ended();
        if current {
            // Whatever is heard shows that it lives.
            self.channel.watchdog.start(cx.now());
            self.channel.backoff.reset();
        }
        let mut seen = Seen { flags: Flags::STORY, ..Seen::default() };
        match notice {
            Notice::Heartbeat | Notice::Pong => seen.flags = Flags::HEARTBEAT,
            Notice::Result { code, status, correlation } => {
                seen.code = code.parse().unwrap_or(0);
                seen.answers.clone_from(&correlation);
                if code != "200" {
                    seen.flags = seen.flags.with(Flags::FAULT);
                }
                if current {
                    self.result(cx, &code, &status);
                }
            }
            Notice::Closing(_) if current => self.reopen(cx, "the server closes its sockets: another is opened"),
            Notice::Evicted(why) if current => {
                cx.fault(verdict::evicted(&why));
                self.new_channel(cx);
            }
            Notice::Revoked(why) => {
                seen.flags = seen.flags.with(Flags::FAULT);
                if current {
                    self.revoked(cx, &why);
                }
            }
            Notice::Changed if current => cx.fault(verdict::topics_changed()),
            Notice::Closing(_) | Notice::Evicted(_) | Notice::Changed => {}
            Notice::Event { topic, body } => {
                if topic.ends_with(".typing.event") {
                    // Typing is of interest for a moment only.
                    seen.flags = Flags::TYPING;
                }
                if current {
                    self.event(cx, &topic, &body, &mut seen);
                }
            }
        }
        seen
    }

    fn event(&mut self, cx: &mut Cx<'_>, topic: &str, body: &Value, seen: &mut Seen) {
        if topic.ends_with(".conversations") || topic.ends_with(".conversations.messages") {
            match wire::snapshot(body, false) {
                Some(snapshot) => self.take(cx, &snapshot),
                None => seen.flags = seen.flags.with(Flags::MALFORMED),
            }
        } else if topic.ends_with(".routingStatus") {
            self.routing_told(body);
        } else if !(topic.ends_with(".presence") || topic.ends_with(".typing.event") || self.channel.has(topic)) {
            seen.flags = seen.flags.with(Flags::UNKNOWN);
        }
    }

    /// The server answered a frame of ours.
    fn result(&mut self, cx: &mut Cx<'_>, code: &str, status: &str) {
        match code {
            "200" if self.state == SessionState::Configuring => self.reload_all(cx),
            "200" => {}
            "404" => {
                self.end_socket(cx, After::Wait, "the channel is gone: it expired, was dropped, or its token ended");
                self.gone(cx);
            }
            _ => {
                let what = format!("The server answered {code} {status}.");
                cx.fault(Report::new("not-subscribed", "Topics were not subscribed to", what));
                if self.state == SessionState::Configuring {
                    self.reload_all(cx);
                }
            }
        }
    }

    /// The user's tokens were ended elsewhere: nothing will be taken any more.
    fn revoked(&mut self, cx: &mut Cx<'_>, why: &str) {
        if let Some(number) = self.errands.live(cx.at).map(|b| b.number) {
            self.errands.refuse(number, cx.out);
        }
        let report = verdict::revoked(why);
        let why = report.title.clone();
        cx.fault(report);
        self.end(cx, End::Failed { why });
    }
}

impl Channel {
    /// A topic that somebody subscribed to by hand; those with several events in one name begin alike.
    fn has(&self, topic: &str) -> bool {
        self.topics.iter().any(|t| t == topic || t.split_once('?').is_some_and(|(before, _)| topic.starts_with(before)))
    }
}
