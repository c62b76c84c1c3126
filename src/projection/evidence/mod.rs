//! Looks at the evidence: a fold that remembers of each session what explains a failure, and when one comes, weighs
//! it against what is known of failures ([`super::knowledge`]).
//!
//! It keeps little and bounded: tokens with their ends and fates, calls on their way, sockets with their token and
//! their last words, counts of requests, ids, heartbeats. Payloads are looked into only when something has failed,
//! and frames never twice.

pub(super) mod calls;
mod gather;
mod gathered;
mod sockets;
pub(super) mod tokens;
pub(super) mod words;

use self::calls::{Auth, Call, Calls, Rates};
pub(super) use self::gathered::Gathered;
use self::sockets::{Around, Sockets};
use self::tokens::{Moment, TokenRef, Tokens};
use super::finding::{Finding, Subject};
use super::knowledge::Knowledge;
use super::session::SessionView;
use crate::model::fact::{AuditOutcome, Delivery, DeliveryChange, Expiry, NamedId, SessionState};
use crate::model::{DialectId, Direction, Fact, Flags, Kind, Now, Record, SessionId};

/// Clocks of a guest's own token.
const GUEST: [&str; 3] = ["session-token", "guest-token", "signed-token"];
/// The clock of a socket's token that is renewed while the socket stays open.
const HANDSHAKE: &str = "handshake-token";
/// So many ids that were told before and hold no longer.
const IDS_KEPT: usize = 8;
/// So many keys by which accepted tokens were signed.
const KIDS_KEPT: usize = 16;
/// What follows a failure within this many microseconds speaks of it.
const FOLLOWS: u64 = 2_000_000;
/// Faults that dialects state after a failure that is a record of its own.
const ECHOES: [&str; 24] = [
    "sign-in-failed",
    "no-session-token",
    "session-not-made",
    "not-opened",
    "connection-lost",
    "history-refused",
    "history-failed",
    "refused",
    "too-many-requests",
    "not-signed-in-guest",
    "step-up-refused",
    "not-logged-out",
    "agent-rate-limit",
    "agent-wrong-region",
    "channel-gone",
    "message-too-long",
    "missing-permission",
    "no-channel",
    "no-user",
    "not-done",
    "not-sent",
    "not-subscribed",
    "user-token-dead",
    "wrapup-required",
];

/// What all sessions share.
#[derive(Clone, Debug, Default)]
pub(super) struct Common {
    /// OAuth tokens.
    tokens: Tokens,
    rates: Rates,
    around: Around,
    /// Sessions under way, by dialect.
    active: [u32; DialectId::ALL.len()],
    /// What the newest sign-in asked for.
    asked: Option<Box<str>>,
    /// Keys whose tokens were accepted.
    kids: Vec<Box<str>>,
    /// What the newest test of a connection found.
    probe: Option<(u64, Box<str>)>,
}

/// What is remembered of one session.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    tokens: Tokens,
    calls: Calls,
    sockets: Sockets,
    post: Option<Post>,
    /// The bearer that was used last.
    bearer: Option<TokenRef>,
    /// Names and values that were told before others took their place.
    ids_before: Vec<(Box<str>, Box<str>)>,
    jump: Option<(Moment, i64)>,
    beats: Beats,
    refresh_failed: Option<(Moment, Option<i32>)>,
    active: Option<DialectId>,
}

/// The newest message that was sent by POST.
#[derive(Clone, Debug)]
struct Post {
    sent: Moment,
    answered: Option<(u64, i32)>,
    /// By which the server's frames speak of it.
    id: Option<Box<str>>,
    tracing: Option<Box<str>>,
    confirmed: bool,
}

#[derive(Clone, Debug, Default)]
struct Beats {
    failures: u32,
    last: Option<Moment>,
}

/// What is at hand for one record.
pub(super) struct Scene<'a> {
    pub common: &'a mut Common,
    pub knowledge: &'a Knowledge,
    pub view: &'a mut SessionView,
    pub record: &'a Record,
}

impl Scene<'_> {
    fn now(&self) -> Moment {
        Moment { seq: self.record.seq, at: self.record.at }
    }

    /// Weighs the evidence and keeps what was found.
    fn conclude(
        &mut self,
        subject: Subject,
        about: Vec<u64>,
        tracing: Option<&str>,
        token: Option<TokenRef>,
        found: &Gathered,
    ) {
        let dialect = self.view.start.as_ref().map(|s| s.dialect);
        let mut finding = Finding::weigh(self.knowledge, self.record, subject, dialect, found);
        finding.about.extend(about.into_iter().filter(|seq| *seq != 0 && *seq != self.record.seq));
        finding.tracing = tracing.map(Into::into);
        finding.token = token.map(|t| t.to_string());
        let told_elsewhere = matches!(
            finding.subject,
            Subject::NotSent | Subject::Refused | Subject::Unconfirmed | Subject::Fault { .. } | Subject::Ended
        );
        // What became of a message is told with it; only what explains it is worth a finding.
        if !told_elsewhere || !finding.is_empty() {
            self.view.findings_mut().add(finding);
        }
    }
}

impl Evidence {
    /// Takes the next record of its session, before the view has taken it.
    pub fn take(&mut self, scene: &mut Scene<'_>, fact: Option<&Fact>) {
        match scene.record.kind {
            Kind::HttpRequest => self.request(scene),
            Kind::HttpResponse => self.answer(scene),
            Kind::HttpFailed => self.no_answer(scene, fact),
            Kind::SocketOpening => self.opening(scene),
            Kind::SocketOpen => self.opened(scene),
            Kind::SocketRefused => self.refused(scene, fact),
            Kind::Text | Kind::Binary => self.frame(scene),
            Kind::Close => self.close(scene),
            Kind::SocketLost => self.lost(scene, fact),
            _ => {
                if let Some(fact) = fact {
                    self.fact(scene, fact);
                }
            }
        }
        let shared = if scene.view.id == SessionId::NONE { scene.common.tokens.dropped } else { 0 };
        let forgotten = self.tokens.dropped + self.calls.dropped + shared;
        if forgotten != scene.view.findings.forgotten {
            scene.view.findings_mut().forgotten = forgotten;
        }
    }

    fn request(&mut self, scene: &mut Scene<'_>) {
        let Some(mut call) = Call::read(scene.record) else { return };
        if let Auth::Bearer(token) = call.auth {
            self.bearer = Some(token);
        }
        call.guest = self.tokens.newest(&GUEST, call.sent.at).map(|t| t.name);
        if call.is_signin() {
            scene.common.asked = words::scope_asked(&call.body).map(Into::into);
        } else {
            scene.common.rates.count(call.host(), call.sent.at);
        }
        if call.is_post() {
            let tracing = call.tracing.clone();
            self.post = Some(Post { sent: call.sent, answered: None, id: None, tracing, confirmed: false });
        }
        self.calls.begin(call);
    }

    fn answer(&mut self, scene: &mut Scene<'_>) {
        let (record, now) = (scene.record, scene.now());
        scene.common.around.answered = Some(now);
        let call = self.calls.end(record.reply_to);
        if let Some(call) = &call {
            self.calls.outcome(call, record.code >= 400);
        }
        if let (Some(post), Some(call)) = (&mut self.post, &call)
            && post.sent.seq == call.sent.seq
        {
            post.answered = Some((record.seq, record.code));
            post.id = words::id_of(&record.body);
        }
        if record.code < 400 {
            if let (Some(call), 200..300) = (&call, record.code) {
                self.accepted(scene, call);
            }
            return;
        }
        let beat = call.as_ref().is_some_and(Call::is_heartbeat);
        self.beats.failures = self.beats.failures.saturating_add(u32::from(beat));
        let found = gather::answer(self, scene, call.as_ref());
        if let Some(call) = &call {
            if record.code == 429 {
                self.calls.limit(call, now, found.retry_after);
            }
            if call.is_refresh() {
                self.refresh_failed = Some((now, Some(record.code)));
            }
        }
        let tracing = call.as_ref().and_then(|c| c.tracing.clone());
        let about = vec![record.reply_to];
        scene.conclude(Subject::Http { status: record.code }, about, tracing.as_deref(), found.token, &found);
    }

    fn accepted(&mut self, scene: &mut Scene<'_>, call: &Call) {
        let now = scene.now();
        if call.is_heartbeat() {
            self.beats = Beats { failures: 0, last: Some(now) };
        }
        let bearer = if let Auth::Bearer(token) = call.auth { Some(token) } else { None };
        for name in [bearer, call.token].into_iter().flatten() {
            for tokens in [&mut self.tokens, &mut scene.common.tokens] {
                let Some(token) = tokens.get_mut(name) else { continue };
                token.accepted = token.accepted.or(Some(now));
                if let Some(kid) = &token.kid
                    && !scene.common.kids.contains(kid)
                {
                    if scene.common.kids.len() == KIDS_KEPT {
                        scene.common.kids.remove(0);
                    }
                    scene.common.kids.push(kid.clone());
                }
            }
        }
    }

    fn no_answer(&mut self, scene: &mut Scene<'_>, fact: Option<&Fact>) {
        let now = scene.now();
        scene.common.around.call_failed(now.at);
        let call = self.calls.end(scene.record.reply_to);
        if let Some(call) = &call {
            self.calls.outcome(call, true);
        }
        let beat = call.as_ref().is_some_and(Call::is_heartbeat);
        self.beats.failures = self.beats.failures.saturating_add(u32::from(beat));
        let found = gather::no_answer(self, scene, call.as_ref(), fact);
        if call.as_ref().is_some_and(Call::is_refresh) {
            self.refresh_failed = Some((now, None));
        }
        let tracing = call.as_ref().and_then(|c| c.tracing.clone());
        scene.conclude(Subject::NoAnswer, vec![scene.record.reply_to], tracing.as_deref(), None, &found);
    }

    fn opening(&mut self, scene: &mut Scene<'_>) {
        let Some(call) = Call::read(scene.record) else { return };
        let token = match call.auth {
            Auth::Bearer(token) => Some(token),
            _ => call.token,
        };
        self.sockets.opening(scene.record, token);
        self.calls.begin(call);
    }

    fn opened(&mut self, scene: &mut Scene<'_>) {
        self.calls.end(scene.record.reply_to);
        let now = scene.now();
        scene.common.around.answered = Some(now);
        if let Some(socket) = self.sockets.get_mut(scene.record.conn) {
            socket.opened = Some(now);
            scene.common.around.opened();
        }
    }

    fn refused(&mut self, scene: &mut Scene<'_>, fact: Option<&Fact>) {
        let record = scene.record;
        let call = self.calls.end(record.reply_to);
        let found = gather::upgrade(self, scene, call.as_ref(), fact);
        if let Some(socket) = self.sockets.get_mut(record.conn) {
            socket.ended = true;
        }
        let status = (record.code != 0).then_some(record.code);
        scene.conclude(Subject::Upgrade { status }, vec![record.reply_to], None, found.token, &found);
    }

    fn frame(&mut self, scene: &mut Scene<'_>) {
        let record = scene.record;
        self.sockets.frame(record);
        if record.direction != Direction::Received {
            return;
        }
        if let Some(post) = &mut self.post
            && !post.confirmed
            && post.answered.is_some()
        {
            let id = post.id.as_deref();
            post.confirmed = id.is_none_or(|id| memchr::memmem::find(&record.body, id.as_bytes()).is_some());
        }
        let dialect = scene.view.start.as_ref().map(|s| s.dialect).unwrap_or_default();
        let error = match dialect {
            // Its own dialect has read it, and marked what is one.
            DialectId::WebMessaging if record.flags.has(Flags::FAULT) => words::frame_error(record),
            DialectId::WebMessaging => None,
            _ => words::frame_error(record),
        };
        let Some(error) = error else { return };
        let now = scene.now();
        if let Some(socket) = self.sockets.get_mut(record.conn) {
            socket.error = Some((now, error.text.as_str().into()));
        }
        let found = gather::frame(self, scene, &error);
        scene.conclude(Subject::Frame { code: error.code }, vec![record.reply_to], None, found.token, &found);
    }

    fn close(&mut self, scene: &mut Scene<'_>) {
        let (record, now) = (scene.record, scene.now());
        if record.direction == Direction::Sent {
            if let Some(socket) = self.sockets.get_mut(record.conn) {
                socket.closed_by_us = socket.closed_by_us.or(Some(now));
            }
            return;
        }
        self.end(scene);
        let found = gather::close(self, scene);
        let (about, tracing) = self.lost_post(scene);
        scene.conclude(Subject::Close { code: record.code }, about, tracing.as_deref(), found.token, &found);
    }

    fn lost(&mut self, scene: &mut Scene<'_>, fact: Option<&Fact>) {
        let now = scene.now();
        self.end(scene);
        // One that ended at its handshake says nothing of the network.
        if self.sockets.get(scene.record.conn).is_some_and(|s| s.confirmed.is_some()) {
            scene.common.around.lost(scene.view.id, now.at);
        }
        let found = gather::lost(self, scene, fact);
        let (about, tracing) = self.lost_post(scene);
        scene.conclude(Subject::Lost, about, tracing.as_deref(), found.token, &found);
    }

    fn end(&mut self, scene: &mut Scene<'_>) {
        if let Some(socket) = self.sockets.get_mut(scene.record.conn)
            && !std::mem::replace(&mut socket.ended, true)
            && socket.opened.is_some()
        {
            scene.common.around.ended();
        }
    }

    /// The message that the end of a socket may have taken with it.
    fn lost_post(&self, scene: &Scene<'_>) -> (Vec<u64>, Option<Box<str>>) {
        let near = |p: &&Post| !p.confirmed && scene.record.at.mono.0.abs_diff(p.sent.at.mono.0) <= 5 * FOLLOWS;
        match self.post.as_ref().filter(near) {
            Some(post) => {
                let answer = post.answered.map(|(seq, _)| seq);
                (std::iter::once(post.sent.seq).chain(answer).collect(), post.tracing.clone())
            }
            None => (Vec::new(), None),
        }
    }

    fn fact(&mut self, scene: &mut Scene<'_>, fact: &Fact) {
        let now = scene.now();
        match fact {
            Fact::Expiry(expiry) => self.expiry(scene, expiry),
            Fact::Skew(skew) if skew.jump_us != 0 => self.jump = Some((now, skew.jump_us)),
            Fact::Id(id) => self.id(scene, id),
            Fact::State(change) => self.state(scene, &change.to),
            Fact::Delivery(change) => self.delivery(scene, change),
            Fact::Audit(audit) if audit.outcome != AuditOutcome::Success => {
                let (at, status) = (scene.record.at, audit.status.map(i32::from));
                scene.view.join(scene.record, |f| {
                    let same = match &f.subject {
                        Subject::Http { status: told } => Some(*told) == status,
                        Subject::NoAnswer => status.is_none(),
                        _ => false,
                    };
                    same && f.was_before(at, FOLLOWS)
                });
            }
            Fact::Fault(report) => {
                if matches!(
                    report.code.as_str(),
                    "origin-not-allowed" | "inactive-deployment" | "wrong-region" | "no-such-deployment"
                ) {
                    scene.common.probe = Some((now.seq, report.code.as_str().into()));
                }
                let (of, at) = (scene.record.reply_to, scene.record.at);
                let meant = |f: &Finding| match of {
                    0 => ECHOES.contains(&report.code.as_str()) && f.subject.is_traffic() && f.was_before(at, FOLLOWS),
                    of => f.is_about(of),
                };
                if scene.view.join(scene.record, meant) {
                    return;
                }
                if scene.knowledge.knows_fault(&report.code) {
                    let found = gather::fault(self, scene, report);
                    scene.conclude(Subject::Fault { code: report.code.clone() }, Vec::new(), None, None, &found);
                }
            }
            _ => {}
        }
    }

    fn expiry(&mut self, scene: &mut Scene<'_>, expiry: &Expiry) {
        let now = scene.now();
        if scene.view.id == SessionId::NONE {
            let asked = scene.common.asked.take();
            scene.common.tokens.take(expiry, now, asked.as_deref());
        } else {
            self.tokens.take(expiry, now, None);
        }
        let name = expiry.token.as_deref().and_then(|t| TokenRef::find(t.as_bytes()));
        if expiry.id == HANDSHAKE
            && let Some(name) = name
        {
            self.sockets.give_token(name, now);
        }
        if expiry.event == crate::model::fact::ExpiryEvent::Refused
            && let Some(token) = &expiry.token
        {
            let at = scene.record.at;
            let follows = |f: &Finding| f.token.as_deref() == Some(token) && f.was_before(at, FOLLOWS);
            scene.view.join(scene.record, follows);
        }
    }

    fn id(&mut self, scene: &Scene<'_>, id: &NamedId) {
        let Some(before) = scene.view.ids.iter().find(|k| k.name == id.name && k.value != id.value) else { return };
        if self.ids_before.len() == IDS_KEPT {
            self.ids_before.remove(0);
        }
        self.ids_before.push((before.name.as_str().into(), before.value.as_str().into()));
    }

    fn state(&mut self, scene: &mut Scene<'_>, to: &SessionState) {
        let dialect = scene.view.start.as_ref().map(|s| s.dialect).unwrap_or_default();
        let is_active = !matches!(to, SessionState::New | SessionState::Ended(_));
        let mut count = |dialect: DialectId, up: bool| {
            if let Some(n) = scene.common.active.get_mut(dialect as usize) {
                *n = if up { n.saturating_add(1) } else { n.saturating_sub(1) };
            }
        };
        match (self.active, is_active) {
            (None, true) => {
                self.active = Some(dialect);
                count(dialect, true);
            }
            (Some(before), false) => {
                self.active = None;
                count(before, false);
            }
            _ => {}
        }
        if matches!(to, SessionState::Ready | SessionState::ReadOnly) {
            // Not every frame is part of the story; this says that the handshake was taken.
            self.sockets.confirm(scene.now());
        }
        let SessionState::Ended(end) = to else { return };
        let at = scene.record.at;
        let joined = scene.view.join(scene.record, |f| f.was_before(at, FOLLOWS));
        let found = gather::ended(self, scene, end);
        let finding = Finding::weigh(scene.knowledge, scene.record, Subject::Ended, Some(dialect), &found);
        // The end of a session is a failure only where something says so.
        if !finding.verdicts.is_empty() && !joined {
            scene.view.findings_mut().add(finding);
        }
    }

    fn delivery(&mut self, scene: &mut Scene<'_>, change: &DeliveryChange) {
        let at = scene.record.at;
        let (subject, why) = match &change.delivery {
            Delivery::Refused { text, .. } => (Subject::Refused, text),
            Delivery::NotSent { why } => (Subject::NotSent, why),
            Delivery::Unconfirmed { why } => (Subject::Unconfirmed, why),
            Delivery::Retrying { .. } => {
                scene.view.join(scene.record, |f| f.tracing.as_deref() == Some(&change.tracing));
                return;
            }
            Delivery::Sent | Delivery::Delivered => return,
        };
        let same = |f: &Finding| f.tracing.as_deref() == Some(&change.tracing);
        let ended =
            |f: &Finding| matches!(f.subject, Subject::Close { .. } | Subject::Lost) && f.was_before(at, 5 * FOLLOWS);
        let view = &mut scene.view;
        let joined = view.join(scene.record, same)
            || (subject == Subject::Unconfirmed && view.join(scene.record, ended))
            || (subject == Subject::Refused
                && view
                    .join(scene.record, |f| matches!(f.subject, Subject::Frame { .. }) && f.was_before(at, FOLLOWS)));
        if !joined {
            let found = gather::delivery(self, scene, why);
            scene.conclude(subject, Vec::new(), Some(&change.tracing), None, &found);
        }
    }
}

/// Between two instants, by the clock that never goes back.
pub(super) fn micros_between(a: Now, b: Now) -> u64 {
    a.mono.0.abs_diff(b.mono.0)
}

#[cfg(test)]
mod tests;
