//! External-contact socket: what is said goes by REST, what is heard comes by a socket. Unverified: no primary source
//! of the vendor documents it.
//!
//! The socket is opened with a token, from the credential that the environment names. The greeting that follows tells
//! the session's id, under which messages are posted unless the tester gives another contact id; a difference is
//! marked. A message is committed a moment after its POST was accepted. Where the handshake's token has died by then,
//! the server closes with 1000 and says nothing, so that such a message is told as lost, not as delivered. The token is
//! therefore renewed ahead of its end, by a POST to the messages path or by the credential, and after an unexpected
//! end the socket is opened with a fresh one. A token that comes from the credential needs a new socket: only the POST
//! renews that of the handshake. A message that is refused with 401 is sent once more with another token; a 401 while
//! renewing ends the session: there is no loop.

mod calls;

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;

use calls::{Message, Stage, closed_after_post, renewals};

use super::backoff::{Backoff, Plan};
use super::errands::{Done, Errands};
use super::flow::{self, Config, GuestToken, Shell, address, millis, text_of};
use super::heartbeat::{Beat, Heartbeat};
use super::keeper::{Policy, Then};
use super::seeded::Seeded;
use super::{Action, At, Dialect, FlowWish, Input, Seen, Wish};
use crate::model::environment::{Timings, secs};
use crate::model::fact::{ClockDeed, Delivery, End, SessionState};
use crate::model::flows::{ExternalContactFlow, HandshakeToken, RenewBy};
use crate::model::{Flags, Mono, Report, Secret, SecretKind};

const TOKEN: &str = "handshake-token";
/// Ids of frames that came before the answer to their POST.
const EARLY: usize = 64;
/// Without a greeting for this long, the contact id that the tester gave is used.
const GREETING: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
enum Kind {
    Message(String),
    Renew,
    Request,
}

pub struct ExternalContact {
    config: Config,
    shell: Shell,
    errands: Errands<Kind>,
    token: GuestToken,
    /// The number of the credential's token that the handshake token is; none where it was renewed since.
    bearer: Option<u64>,
    /// The credential is asked for the next token.
    asking: bool,
    /// What the newest handshake was made with.
    shook: Shook,
    /// A token was refused at the handshake, and this is the second try.
    refused_once: bool,
    conn: u32,
    socket: Socket,
    heartbeat: Heartbeat,
    backoff: Backoff,
    session: String,
    contact: String,
    messages: Vec<Message>,
    early: VecDeque<String>,
    posted_at: Option<Mono>,
    ready_since: Option<Mono>,
}

#[derive(Default)]
struct Shook {
    token: Option<Secret<String>>,
    number: u64,
    /// The credential's number of it.
    bearer: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Socket {
    None,
    /// It waits for a token, or for the time of the next try.
    Token,
    Pause(Mono),
    Opening,
    /// Open; a greeting is awaited until then.
    Open {
        greeting: Option<Mono>,
    },
    Closing,
}

impl ExternalContact {
    pub fn new(config: Config) -> Self {
        let mut chance = Seeded::new(config.seed);
        let flow = &config.environment.flows.external_contact;
        let keep_alive = flow.renew_by != RenewBy::Nobody;
        let margin = if keep_alive { secs(flow.early_secs) } else { Duration::ZERO };
        let policy = Policy { margin, keep_alive, retry: renewals() };
        let breaks = "the socket closes 1000 right after the next message";
        let can = [ClockDeed::Refresh, ClockDeed::Expire, ClockDeed::Corrupt, ClockDeed::Forget];
        let token =
            GuestToken::new(SecretKind::AccessToken, TOKEN, "handshake token", breaks, &can, policy, chance.number());
        let t = &config.environment.timings;
        Self {
            errands: Errands::new(chance.number()),
            token,
            heartbeat: Heartbeat::new(secs(t.ping_secs), secs(t.pong_secs)),
            backoff: Backoff::new(reconnects(t), chance.number()),
            shell: Shell::default(),
            bearer: None,
            asking: false,
            shook: Shook::default(),
            refused_once: false,
            conn: 0,
            socket: Socket::None,
            session: String::new(),
            contact: String::new(),
            messages: Vec::new(),
            early: VecDeque::new(),
            posted_at: None,
            ready_since: None,
            config,
        }
    }

    fn flow(&self) -> &ExternalContactFlow {
        &self.config.environment.flows.external_contact
    }

    fn names(&self) -> [(&str, &str); 2] {
        [("contactId", &self.contact), ("sessionId", &self.session)]
    }

    fn wish(&mut self, at: At, wish: Wish, out: &mut Vec<Action>) {
        match wish {
            Wish::Connect if self.shell.is_idle() => {
                self.shell.begin(at, &mut self.errands.counts, out);
                self.refused_once = false;
                self.backoff.reset();
                self.socket = Socket::Token;
                self.open_with_token(at, out);
            }
            Wish::Connect => self.shell.remark(at, "there is a socket already", out),
            Wish::Leave { code, reason } => self.leave(at, code, reason, out),
            Wish::Text { tracing, text, .. } => self.say(at, tracing, text, out),
            Wish::Raw { text } if self.is_open() => {
                out.push(Action::Text { conn: self.conn, text, flags: Flags::NONE, tracing: None });
            }
            Wish::Raw { .. } => flow::not_now("the socket is not open", out),
            Wish::Flow(FlowWish::Refresh { .. }) | Wish::Clock { deed: ClockDeed::Refresh, .. }
                if self.shell.is_idle() =>
            {
                flow::not_now("there is no session whose token could be renewed", out);
            }
            Wish::Flow(FlowWish::Refresh { .. }) => {
                let then = self.token.deed(at, ClockDeed::Refresh, out);
                self.follow(at, then, out);
            }
            Wish::Flow(FlowWish::Request { method, path, body }) => {
                let errand = flow::request(&self.config.base, (&method, &path, &body), &self.names(), out);
                self.errands.begin(Kind::Request, errand);
            }
            Wish::Clock { id, deed } if id == TOKEN => {
                let then = self.token.deed(at, deed, out);
                self.follow(at, then, out);
            }
            other => flow::refuse(&other, "this flow has no such message", out),
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.socket, Socket::Open { .. })
    }

    /// Opens the socket, as soon as there is a token for it.
    fn open_with_token(&mut self, at: At, out: &mut Vec<Action>) {
        let Some((number, token)) = self.token.live(at).map(|held| (held.number, held.token.clone())) else {
            return self.ask(at, out);
        };
        self.shook = Shook { token: Some(token.clone()), number, bearer: self.bearer };
        let mut url = address(&self.config.socket_base, &self.flow().socket_path, &[]);
        let mut headers = Vec::new();
        match self.flow().handshake_token {
            HandshakeToken::Header => headers.push(("authorization".to_owned(), format!("Bearer {}", token.expose()))),
            HandshakeToken::Query => {
                let pair =
                    url::form_urlencoded::Serializer::new(String::new()).append_pair("token", token.expose()).finish();
                url.push(if url.contains('?') { '&' } else { '?' });
                url.push_str(&pair);
            }
        }
        if let Some(origin) = &self.config.environment.origin {
            headers.push(("origin".to_owned(), origin.clone()));
        }
        self.conn += 1;
        self.socket = Socket::Opening;
        out.push(Action::Open { conn: self.conn, url, headers });
    }

    /// The socket still bears an old token: a new handshake is what renews it.
    fn open_another(&mut self, at: At, out: &mut Vec<Action>) {
        self.socket = Socket::Token;
        self.heartbeat.stop();
        self.ready_since = None;
        out.push(Action::Close { conn: self.conn, code: 1000, reason: "token renewed".into() });
        self.shell.go(at, SessionState::Connecting, "a new socket for the renewed token", out);
        self.open_with_token(at, out);
    }

    fn opened(&mut self, at: At, out: &mut Vec<Action>) {
        match self.socket {
            Socket::Opening => {}
            Socket::Open { .. } | Socket::Closing => return,
            // Nobody waits for it any more.
            _ => return out.push(Action::Close { conn: self.conn, code: 1000, reason: String::new() }),
        }
        self.socket = Socket::Open { greeting: Some(at.now.mono + GREETING) };
        self.heartbeat.start(at.now.mono);
        out.extend(self.shook.bearer.map(|number| Action::BearerAccepted { number }));
        self.shell.go(at, SessionState::Connected, "", out);
        if self.token.live(at).is_some_and(|held| held.number != self.shook.number) {
            // It was renewed while the socket was opening.
            self.open_another(at, out);
        }
    }

    fn not_opened(&mut self, at: At, status: Option<u16>, report: &Report, out: &mut Vec<Action>) {
        let refused = self.shook.bearer.filter(|_| status == Some(401));
        if let (Some(401), Some(token)) = (status, &self.shook.token) {
            self.errands.spurn(token);
        }
        if self.socket != Socket::Opening {
            // Nobody waits for it any more, but its token shall not be sent again.
            return refused.into_iter().for_each(|number| self.errands.refuse(number, out));
        }
        self.socket = Socket::Token;
        match status {
            Some(401) if !self.refused_once => {
                self.refused_once = true;
                self.token.abandon(self.shook.number, out);
                refused.into_iter().for_each(|number| self.errands.refuse(number, out));
                if self.token.live(at).is_some() {
                    // It was renewed while the socket was opening.
                    self.open_with_token(at, out);
                } else if refused.is_some() {
                    self.asking = true;
                } else {
                    self.ask(at, out);
                }
            }
            None | Some(429 | 500..) => {
                self.try_again(at, &report.title, End::NotOpened { report: report.title.clone() }, out)
            }
            _ => {
                refused.into_iter().for_each(|number| self.errands.refuse(number, out));
                self.end(at, End::NotOpened { report: report.title.clone() }, out);
            }
        }
    }

    /// The socket ended. Whatever was accepted a moment ago is lost where the end was clean and unexplained.
    fn ended(&mut self, at: At, end: End, out: &mut Vec<Action>) {
        let leaving = self.socket == Socket::Closing;
        if !leaving && !self.is_open() {
            return;
        }
        self.socket = Socket::Token;
        self.heartbeat.stop();
        let held = self.ready_since.take().map(|since| at.now.mono.since(since));
        let code = match &end {
            End::ByServer { code, .. } => Some(*code),
            _ => None,
        };
        let after_post = self.posted_at.map(|posted| at.now.mono.since(posted));
        let soon = after_post.is_some_and(|after| after <= millis(self.flow().commit_millis));
        self.lose_accepted(at, code, out);
        if leaving {
            return self.end(at, End::ByUser, out);
        }
        let silent = code == Some(1000) && soon;
        if silent {
            flow::fault(closed_after_post(after_post.unwrap_or_default()), out);
        }
        if !self.flow().reconnect {
            return self.end(at, end, out);
        }
        // One that held for a while begins its count anew; one that breaks at once does not.
        if held.is_some_and(|held| held >= secs(self.config.environment.timings.reconnect_longest_secs)) {
            self.backoff.reset();
        }
        let why = end.sentence();
        self.try_again(at, &why, end, out);
        if silent && !self.shell.state.is_ended() {
            // Whatever its end says, the server may not believe in the token any more.
            self.token.forget("a close with 1000", out);
            self.ask_another(at, Errands::replace, out);
        }
    }

    fn try_again(&mut self, at: At, why: &str, end: End, out: &mut Vec<Action>) {
        match self.backoff.next(at.now.mono) {
            Some(wait) => {
                self.socket = Socket::Pause(at.now.mono + wait);
                let attempt = self.backoff.attempts();
                self.shell.go(at, SessionState::Reconnecting { attempt, at: at.now.wall + wait }, why, out);
            }
            None if self.backoff.attempts() > 0 => self.end(at, End::GaveUp { attempts: self.backoff.attempts() }, out),
            None => self.end(at, end, out),
        }
    }

    fn frame(&mut self, at: At, text: &str, out: &mut Vec<Action>) -> Seen {
        let Ok(frame) = serde_json::from_str::<Value>(text) else {
            return Seen { flags: Flags::MALFORMED.with(Flags::STORY), ..Seen::default() };
        };
        let kind = text_of(&frame, "type").unwrap_or_default();
        let flags = match kind.as_str() {
            "typing" => Flags::TYPING,
            "greeting" | "message" | "error" => Flags::STORY,
            _ => Flags::STORY.with(Flags::UNKNOWN),
        };
        let body = flow::payload(&frame);
        let greeting = matches!(self.socket, Socket::Open { greeting: Some(_) });
        if greeting && (kind == "greeting" || text_of(body, "sessionId").is_some()) {
            self.greeted(at, body, out);
        } else if let Some(id) = text_of(body, "id").filter(|_| kind == "message") {
            self.committed(&id, out);
        }
        Seen { flags, ..Seen::default() }
    }

    fn greeted(&mut self, at: At, frame: &Value, out: &mut Vec<Action>) {
        self.session = text_of(frame, "sessionId").unwrap_or_default();
        if let Some(secs) = frame.get("expires_in").and_then(Value::as_i64) {
            let until = at.server.plus_micros(secs.saturating_mul(1_000_000));
            // Told late or early by a second at most: only a shorter life is news.
            let known = self.token.held().map(|h| h.until);
            if known.is_some_and(|known| known.is_none_or(|u| u.micros_since(until) > 2_000_000)) {
                self.token.lasts(at, until, "greeting", out);
            }
        }
        let told = text_of(frame, "contactId").unwrap_or_else(|| self.session.clone());
        let given = self.config.form.contact_id.trim().to_owned();
        self.contact = if given.is_empty() { told } else { given };
        self.ready(at, out);
    }

    fn ready(&mut self, at: At, out: &mut Vec<Action>) {
        self.socket = Socket::Open { greeting: None };
        self.ready_since = Some(at.now.mono);
        self.refused_once = false;
        self.errands.ids.contact = Some(self.contact.clone());
        self.errands.ids.conversation = Some(self.session.clone()).filter(|s| !s.is_empty());
        if !self.session.is_empty() {
            flow::id("session", &self.session, None, out);
        }
        let differs = !self.session.is_empty() && self.session != self.contact;
        let mismatch = differs.then(|| format!("the handshake's session id is {}", self.session));
        flow::id("contact", &self.contact, mismatch, out);
        self.shell.go(at, SessionState::Ready, "", out);
        let then = if self.token.live(at).is_some() { Then::Ready } else { Then::Wait };
        self.follow(at, then, out);
    }

    fn tick(&mut self, at: At, out: &mut Vec<Action>) {
        match self.heartbeat.tick(at.now.mono) {
            Beat::Ping => out.push(Action::Ping { conn: self.conn }),
            Beat::Lost => {
                out.push(Action::Close { conn: self.conn, code: 1001, reason: "no pong".into() });
                self.ended(at, End::Lost, out);
            }
            Beat::Nothing => {}
        }
        let given = !self.config.form.contact_id.trim().is_empty();
        match self.socket {
            Socket::Pause(until) if until <= at.now.mono => {
                self.socket = Socket::Token;
                if !self.asking {
                    self.open_with_token(at, out);
                }
            }
            Socket::Open { greeting: Some(until) } if until <= at.now.mono => {
                if given {
                    self.contact = self.config.form.contact_id.trim().to_owned();
                    self.ready(at, out);
                } else {
                    self.socket = Socket::Open { greeting: Some(at.now.mono + Duration::from_secs(3600)) };
                    let what =
                        format!("No greeting came within {} s, and no contact id was given.", GREETING.as_secs());
                    let report = Report::new("no-greeting", "The server did not greet", what)
                        .remedy("Give a contact id, so that messages have an address.");
                    flow::fault(report, out);
                }
            }
            _ => {}
        }
        self.settle_accepted(at, out);
        let then = self.token.tick(at);
        self.follow(at, then, out);
    }

    fn done(&mut self, at: At, done: Done<'_, Kind>, out: &mut Vec<Action>) {
        if done.late {
            return;
        }
        match done.kind {
            Kind::Message(tracing) => self.answered(at, &tracing, done.result, out),
            Kind::Renew => self.renewed(at, done.result, done.after, out),
            Kind::Request => done.result.iter().for_each(|(_, body)| flow::learn_tokens(body, out)),
        }
    }

    fn leave(&mut self, at: At, code: u16, reason: String, out: &mut Vec<Action>) {
        match self.socket {
            Socket::Open { .. } => {
                self.socket = Socket::Closing;
                out.push(Action::Close { conn: self.conn, code, reason });
            }
            Socket::Closing => {}
            _ => self.end(at, End::ByUser, out),
        }
    }

    fn end(&mut self, at: At, end: End, out: &mut Vec<Action>) {
        if self.is_open() {
            out.push(Action::Close { conn: self.conn, code: 1000, reason: String::new() });
        }
        self.socket = Socket::None;
        self.asking = false;
        self.heartbeat.stop();
        self.ready_since = None;
        self.posted_at = None;
        self.early.clear();
        self.give_up_waiting("the session ended", out);
        for m in std::mem::take(&mut self.messages) {
            let why = "the session ended before it was confirmed".to_owned();
            self.shell.deliver(&m.tracing, Delivery::Unconfirmed { why }, out);
        }
        self.errands.end(at, |_| false, out);
        self.token.end(out);
        self.bearer = None;
        if self.shell.state != SessionState::New {
            self.shell.end(at, end, self.errands.counts, out);
        }
    }
}

impl Dialect for ExternalContact {
    fn step(&mut self, at: At, input: Input<'_>, out: &mut Vec<Action>) -> Seen {
        let mut seen = Seen::default();
        match input {
            Input::Wish(wish) => self.wish(at, wish, out),
            Input::Bearer(news) => self.news(at, news, out),
            Input::Opened { conn } if conn == self.conn => self.opened(at, out),
            Input::NotOpened { conn, status, report } if conn == self.conn => self.not_opened(at, status, &report, out),
            Input::Text { conn, text } if conn == self.conn => seen = self.frame(at, text, out),
            Input::Bytes { .. } => seen.flags = Flags::MALFORMED,
            Input::Pong { conn } if conn == self.conn => self.heartbeat.pong(at.now.mono),
            Input::Closed { conn, code, reason } if conn == self.conn => {
                self.ended(at, End::ByServer { code, reason: reason.to_owned() }, out);
            }
            Input::Lost { conn, .. } if conn == self.conn => self.ended(at, End::Lost, out),
            Input::Tick => self.tick(at, out),
            other => self.errands.ended(at, &other, out).into_iter().for_each(|done| self.done(at, done, out)),
        }
        self.drop_refused(out);
        while let Some(done) = self.errands.go(at, out) {
            self.done(at, done, out);
        }
        seen
    }

    fn wait(&self, at: At) -> Option<Duration> {
        let socket = match self.socket {
            Socket::Pause(until) | Socket::Open { greeting: Some(until) } => Some(until.since(at.now.mono)),
            _ => None,
        };
        let commits = self.messages.iter().filter_map(|m| match &m.stage {
            Stage::Accepted { until, .. } => Some(until.since(at.now.mono)),
            _ => None,
        });
        let waits = [self.errands.wait(at), self.token.wait(at), self.heartbeat.wait(at.now.mono), socket];
        waits.into_iter().flatten().chain(commits).min()
    }
}

fn reconnects(t: &Timings) -> Plan {
    Plan {
        least: Duration::ZERO,
        first: secs(t.reconnect_first_secs),
        longest: secs(t.reconnect_longest_secs),
        give_up: secs(t.reconnect_give_up_secs),
        tries: 8,
    }
}
