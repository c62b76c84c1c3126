//! Guest as a resource, with a handshake socket. Unverified: no primary source of the vendor documents it.
//!
//! The guest is made by REST, and the answer brings a token that is checked before it is used: three parts, an end in
//! the future, routing hints. Then the socket: its first frame is the handshake with the token. A connection that ends
//! before the handshake was answered (1006) is told with what is known of the token. The session is kept for the next
//! start and resumed then, unless its token has less than five minutes left. The profile can be written; a 404 means
//! that the guest is gone. All requests together stay within the client's limit: they wait, and the wait is shown.

mod token;

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::backoff::Plan;
use super::errands::{Done, Errand, Errands, Failure, Retry};
use super::flow::{
    self, Config, GuestToken, Shell, address, check_text, failed_check, invalid, json_call, or, text_of,
};
use super::heartbeat::{Beat, Heartbeat};
use super::keeper::{Policy, Then};
use super::seeded::Seeded;
use super::{Action, At, Dialect, FlowWish, Input, Seen, Wish};
use crate::model::environment::secs;
use crate::model::fact::{ClockDeed, Delivery, End, ErrorCategory, SessionState};
use crate::model::flows::GuestResourceFlow;
use crate::model::{Flags, Mono, Report, Secret, SecretKind};

use token::{KeptSession, check_token};

const TOKEN: &str = "guest-token";
/// Key under which the session is kept for the next start.
pub const KEPT: &str = "guest-session";

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Create,
    Profile,
    Request,
}

struct Message {
    tracing: String,
    late_at: Mono,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Socket {
    None,
    Opening,
    /// Open; the handshake is on its way.
    Handshake,
    Ready,
    Closing,
}

pub struct GuestResource {
    config: Config,
    shell: Shell,
    errands: Errands<Kind>,
    token: GuestToken,
    guest: String,
    session: String,
    conn: u32,
    socket: Socket,
    heartbeat: Heartbeat,
    messages: Vec<Message>,
}

impl GuestResource {
    pub fn new(config: Config) -> Self {
        let mut chance = Seeded::new(config.seed);
        let env = &config.environment;
        let policy = Policy { margin: Duration::ZERO, keep_alive: false, retry: Retry::NEVER.plan };
        let can = [ClockDeed::Expire, ClockDeed::Corrupt, ClockDeed::Forget];
        let breaks = "the next handshake ends in 1006";
        let token = GuestToken::new(SecretKind::Jwt, TOKEN, "guest token", breaks, &can, policy, chance.number());
        let client = env.client_id.clone().unwrap_or_default();
        let budget = config.shared.budget(&config.base, &client, env.flows.guest_resource.requests_per_minute);
        Self {
            errands: Errands::new(chance.number()).with_budget(budget),
            token,
            heartbeat: Heartbeat::new(secs(env.timings.ping_secs), secs(env.timings.pong_secs)),
            shell: Shell::default(),
            guest: String::new(),
            session: String::new(),
            conn: 0,
            socket: Socket::None,
            messages: Vec::new(),
            config,
        }
    }

    fn flow(&self) -> &GuestResourceFlow {
        &self.config.environment.flows.guest_resource
    }

    fn queue(&self) -> &str {
        self.config.queue()
    }

    fn names(&self) -> [(&str, &str); 2] {
        [("guestId", &self.guest), ("sessionId", &self.session)]
    }

    fn retry(&self) -> Retry {
        let flow = self.flow();
        let plan = Plan {
            least: Duration::ZERO,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            give_up: Duration::from_secs(300),
            // The description counts the first one too.
            tries: flow.retries.saturating_sub(1),
        };
        let unnamed = secs(flow.retry_after_secs);
        Retry { plan, rate_limited: true, server_error: false, no_answer: false, unnamed }
    }

    fn wish(&mut self, at: At, wish: Wish, out: &mut Vec<Action>) {
        match wish {
            Wish::Connect if self.shell.is_idle() => self.begin(at, out),
            Wish::Connect => self.shell.remark(at, "there is a session already", out),
            Wish::Leave { code, reason } => self.leave(at, code, reason, out),
            Wish::Text { tracing, text, .. } => self.say(at, tracing, text, out),
            Wish::Raw { text } if self.is_open() => {
                out.push(Action::Text { conn: self.conn, text, flags: Flags::NONE, tracing: None });
            }
            Wish::Raw { .. } => flow::not_now("the socket is not open", out),
            Wish::Flow(FlowWish::SyncProfile { attributes }) if !self.guest.is_empty() => {
                self.sync_profile(at, attributes, out);
            }
            Wish::Flow(FlowWish::SyncProfile { .. }) => flow::not_now("there is no guest yet", out),
            Wish::Flow(FlowWish::Request { method, path, body }) => {
                let errand = flow::request(&self.config.base, (&method, &path, &body), &self.names(), out);
                self.errands.begin(Kind::Request, errand);
            }
            Wish::Clock { id, deed } if id == TOKEN => {
                self.token.deed(at, deed, out);
                if deed == ClockDeed::Forget {
                    out.push(Action::Keep { key: KEPT, value: None });
                }
            }
            other => flow::refuse(&other, "this flow has no such message", out),
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.socket, Socket::Handshake | Socket::Ready)
    }

    fn begin(&mut self, at: At, out: &mut Vec<Action>) {
        self.shell.begin(at, &mut self.errands.counts, out);
        self.errands.ids.queue = Some(self.queue().to_owned());
        // Connecting again within a run goes on with the guest that is there.
        let kept = match self.config.kept.take() {
            Some(kept) if !self.config.form.fresh => Some(kept),
            _ => None,
        };
        if let Some(kept) = kept {
            match serde_json::from_str::<KeptSession>(kept.expose()) {
                Ok(kept) => return self.resume(at, kept, out),
                Err(_) => self.shell.remark(at, "what was kept of an earlier session cannot be read: a new guest", out),
            }
        } else if let Some(held) = self.token.live(at)
            && held.until.is_none_or(|u| u.micros_since(at.server) >= secs_micros(self.flow().resume_secs))
        {
            return self.open(at, out);
        }
        self.create(at, out);
    }

    fn create(&mut self, at: At, out: &mut Vec<Action>) {
        if let Err(why) = self.check() {
            let end = flow::refuse_start(why, &self.errands.ids, out);
            return self.end(at, end, out);
        }
        let form = &self.config.form;
        let body = json!({
            "name": or(&form.name, "Web Guest"),
            "attributes": attributes(&form.attributes),
            "routing": {
                "queue": { "id": self.queue() },
                "skill": { "id": form.skill.trim() },
                "language": or(&form.language, "en-US"),
            },
        });
        let url = address(&self.config.base, &self.flow().create_path, &[]);
        let call = json_call("POST", url, &body, "create the guest");
        let errand = Errand { retry: self.retry(), ..Errand::new("session.create", call) };
        self.errands.begin(Kind::Create, errand);
    }

    /// What can be told before anything is sent: the field, its value and the limit.
    fn check(&self) -> Result<(), String> {
        if self.queue().is_empty() {
            return Err(invalid("routing.queue.id", "empty", "a queue must be chosen"));
        }
        if self.config.form.skill.trim().is_empty() {
            return Err(invalid("routing.skill.id", "empty", "a skill must be named"));
        }
        self.check_attributes(&attributes(&self.config.form.attributes))
    }

    fn check_attributes(&self, attributes: &Value) -> Result<(), String> {
        let (size, most) = (attributes.to_string().len(), self.flow().attribute_bytes);
        if size > most as usize {
            return Err(invalid("attributes", format_args!("{size} bytes"), &format!("at most {most} bytes of JSON")));
        }
        Ok(())
    }

    fn created(&mut self, at: At, body: &Value, out: &mut Vec<Action>) {
        let token = text_of(body, "guestToken").unwrap_or_default();
        if !token.is_empty() {
            // Before anything can tell it.
            out.push(Action::Learn { kind: SecretKind::Jwt, value: Secret::from(token.as_str()) });
        }
        let session = body.get("sessions").and_then(|s| s.get(0)).and_then(|s| text_of(s, "id"));
        let (Some(guest), Some(session)) = (text_of(body, "id"), session) else {
            return self.fail(at, "the answer names no guest or no session", out);
        };
        let until = match check_token(&token, at.server) {
            Ok(until) => until,
            Err(why) => {
                failed_check("token.check", ErrorCategory::TokenValidation, &why, &self.errands.ids, out);
                let report = Report::new("guest-token", "The guest token does not hold", format!("{why}."))
                    .remedy("The session was discarded. Look at the token in the record of the answer.");
                flow::fault(report, out);
                return self.end(at, End::Failed { why }, out);
            }
        };
        if let Then::GiveUp(reason) = self.token.take(at, &token, Some(until), false, "server", out) {
            return self.fail(at, &format!("the guest token cannot be used: {reason}"), out);
        }
        self.guest = guest;
        self.session = session;
        self.tell_ids(out);
        let kept = KeptSession {
            guest_id: self.guest.clone(),
            session_id: self.session.clone(),
            guest_token: token,
            created_at: at.server,
            expires_at: until,
        };
        if let Ok(text) = serde_json::to_string(&kept) {
            out.push(Action::Keep { key: KEPT, value: Some(Secret::new(text)) });
        }
        self.open(at, out);
    }

    fn tell_ids(&mut self, out: &mut Vec<Action>) {
        self.errands.ids.guest = Some(self.guest.clone());
        self.errands.ids.conversation = Some(self.session.clone());
        flow::id("guest", &self.guest, None, out);
        flow::id("session", &self.session, None, out);
    }

    fn open(&mut self, at: At, out: &mut Vec<Action>) {
        // A dead one is not sent: the handshake could only end in 1006.
        if self.token.live(at).is_none() {
            return self.create(at, out);
        }
        let url = address(&self.config.socket_base, &self.flow().socket_path, &self.names());
        let headers = self.config.environment.origin.iter().map(|o| ("origin".to_owned(), o.clone())).collect();
        self.conn += 1;
        self.socket = Socket::Opening;
        out.push(Action::Open { conn: self.conn, url, headers });
    }

    fn opened(&mut self, at: At, out: &mut Vec<Action>) {
        match self.socket {
            Socket::Opening => {}
            Socket::Handshake | Socket::Ready | Socket::Closing => return,
            // Nobody waits for it any more.
            Socket::None => return out.push(Action::Close { conn: self.conn, code: 1000, reason: String::new() }),
        }
        let Some(token) = self.token.live(at).map(|h| h.token.clone()) else {
            out.push(Action::Close { conn: self.conn, code: 1000, reason: "the token is dead".into() });
            return self.end(at, End::Failed { why: "the guest token died before the handshake".into() }, out);
        };
        self.socket = Socket::Handshake;
        self.heartbeat.start(at.now.mono);
        let text = json!({ "type": "handshake", "token": token.expose() }).to_string();
        out.push(Action::Text { conn: self.conn, text, flags: Flags::NONE, tracing: None });
        self.shell.go(at, SessionState::Connected, "", out);
        self.shell.go(at, SessionState::Configuring, "", out);
    }

    fn frame(&mut self, at: At, text: &str, out: &mut Vec<Action>) -> Seen {
        let Ok(frame) = serde_json::from_str::<Value>(text) else {
            return Seen { flags: Flags::MALFORMED.with(Flags::STORY), ..Seen::default() };
        };
        let kind = text_of(&frame, "type").unwrap_or_default();
        let flags = match kind.as_str() {
            "typing" => Flags::TYPING,
            "error" => Flags::STORY.with(Flags::FAULT),
            "connected" | "message" | "handshake" => Flags::STORY,
            _ => Flags::STORY.with(Flags::UNKNOWN),
        };
        // Whatever comes first but an error: the server took the handshake.
        if self.socket == Socket::Handshake && kind != "error" {
            self.socket = Socket::Ready;
            self.shell.go(at, SessionState::Ready, "", out);
        }
        let echo = text_of(flow::payload(&frame), "clientId");
        if let Some(n) = echo.as_deref().and_then(|id| self.messages.iter().position(|m| m.tracing == id)) {
            let m = self.messages.remove(n);
            self.shell.deliver(&m.tracing, Delivery::Delivered, out);
        }
        Seen { flags, answers: echo, ..Seen::default() }
    }

    fn say(&mut self, at: At, tracing: String, text: String, out: &mut Vec<Action>) {
        if self.socket != Socket::Ready {
            return flow::not_sent(&tracing, "the handshake is not done, or the socket is closed", out);
        }
        if let Err(why) = check_text(&text, &self.config.environment.limits) {
            return flow::not_sent(&tracing, why, out);
        }
        let frame = json!({ "type": "message", "payload": { "id": tracing, "text": text } }).to_string();
        let late_at = at.now.mono + secs(self.config.environment.timings.echo_secs);
        self.messages.push(Message { tracing: tracing.clone(), late_at });
        out.push(Action::Text { conn: self.conn, text: frame, flags: Flags::NONE, tracing: Some(tracing.clone()) });
        self.shell.deliver(&tracing, Delivery::Sent, out);
    }

    fn sync_profile(&mut self, at: At, attributes_given: Vec<(String, String)>, out: &mut Vec<Action>) {
        let mut map = Map::new();
        for (name, value) in attributes_given {
            map.insert(name, if value == "true" || value == "false" { json!(value == "true") } else { json!(value) });
        }
        map.entry("synced_at").or_insert_with(|| json!(at.now.wall.rfc3339()));
        let attributes = Value::Object(map);
        if let Err(why) = self.check_attributes(&attributes) {
            failed_check("profile.sync", ErrorCategory::Validation, &why, &self.errands.ids, out);
            return flow::fault(Report::new("invalid", "The profile was not sent", format!("{why}.")), out);
        }
        let url = address(&self.config.base, &self.flow().guest_path, &self.names());
        let call = json_call("PUT", url, &json!({ "attributes": attributes }), "profile");
        let errand = Errand { retry: self.retry(), ..Errand::new("profile.sync", call) };
        self.errands.begin(Kind::Profile, errand);
    }

    fn done(&mut self, at: At, done: Done<'_, Kind>, out: &mut Vec<Action>) {
        if done.late {
            return;
        }
        match (done.kind, done.result) {
            (Kind::Create, Ok((_, body))) => {
                let body = serde_json::from_slice(body).unwrap_or_default();
                self.created(at, &body, out);
            }
            (Kind::Create, Err(failure)) => {
                flow::fault(failure.report("session-not-made", "The guest was not made"), out);
                self.end(at, End::Failed { why: failure.sentence() }, out);
            }
            (Kind::Profile, Ok(_)) => self.shell.remark(at, "the profile is written", out),
            (Kind::Profile, Err(Failure::Refused { status: 404, text, .. })) => {
                let report = Report::new("guest-gone", "The guest is gone", format!("404 {text}"))
                    .remedy("The session may have expired: connect anew for another guest.");
                flow::fault(report, out);
                self.discard(out);
            }
            (Kind::Profile, Err(failure)) => {
                flow::fault(failure.report("profile-not-written", "The profile was not written"), out);
            }
            (Kind::Request, Ok((_, body))) => flow::learn_tokens(body, out),
            (Kind::Request, Err(_)) => {}
        }
    }

    fn not_opened(&mut self, at: At, status: Option<u16>, report: Report, out: &mut Vec<Action>) {
        if self.socket != Socket::Opening {
            return;
        }
        if status == Some(404) {
            let what = "The upgrade was answered with 404: the server does not know the guest or its session.";
            let gone = Report::new("guest-gone", "The guest is gone", what).remedy("Connect anew for another guest.");
            flow::fault(gone, out);
            self.discard(out);
        }
        self.end(at, End::NotOpened { report: report.title }, out);
    }

    fn fail(&mut self, at: At, why: &str, out: &mut Vec<Action>) {
        flow::fault(Report::new("session-not-made", "The guest was not made", format!("{why}.")), out);
        self.end(at, End::Failed { why: why.to_owned() }, out);
    }

    /// The connection ended.
    fn ended(&mut self, at: At, end: End, out: &mut Vec<Action>) {
        let was = std::mem::replace(&mut self.socket, Socket::None);
        self.heartbeat.stop();
        match was {
            Socket::None | Socket::Opening => return,
            Socket::Closing => return self.end(at, End::ByUser, out),
            Socket::Handshake => {
                let report = self.handshake_report(at, &end);
                flow::fault(report, out);
                self.discard(out);
            }
            Socket::Ready => {}
        }
        self.end(at, end, out);
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
        for m in self.messages.extract_if(.., |m| m.late_at <= at.now.mono) {
            let why = "no echo came in time; a gateway may send none".to_owned();
            self.shell.deliver(&m.tracing, Delivery::Unconfirmed { why }, out);
        }
        self.token.tick(at);
    }

    fn leave(&mut self, at: At, code: u16, reason: String, out: &mut Vec<Action>) {
        match self.socket {
            Socket::Handshake | Socket::Ready => {
                self.socket = Socket::Closing;
                let own = self.flow().close_reason.clone();
                let reason = if code == 1000 && !own.is_empty() { own } else { reason };
                out.push(Action::Close { conn: self.conn, code, reason });
            }
            Socket::Closing => {}
            _ => self.end(at, End::ByUser, out),
        }
    }

    fn end(&mut self, at: At, end: End, out: &mut Vec<Action>) {
        self.socket = Socket::None;
        self.heartbeat.stop();
        for m in std::mem::take(&mut self.messages) {
            let why = "the session ended before an echo came".to_owned();
            self.shell.deliver(&m.tracing, Delivery::Unconfirmed { why }, out);
        }
        self.errands.end(at, |kind| *kind == Kind::Profile, out);
        if self.shell.state != SessionState::New {
            self.shell.end(at, end, self.errands.counts, out);
        }
    }
}

fn attributes(given: &[(String, String)]) -> Value {
    Value::Object(given.iter().map(|(k, v)| (k.clone(), json!(v))).collect())
}

fn secs_micros(n: u32) -> i64 {
    i64::from(n) * 1_000_000
}

impl Dialect for GuestResource {
    fn step(&mut self, at: At, input: Input<'_>, out: &mut Vec<Action>) -> Seen {
        let mut seen = Seen::default();
        match input {
            Input::Wish(wish) => self.wish(at, wish, out),
            Input::Bearer(news) => self.errands.news(at, news, out),
            Input::Opened { conn } if conn == self.conn => self.opened(at, out),
            Input::NotOpened { conn, status, report } if conn == self.conn => self.not_opened(at, status, report, out),
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
        while let Some(done) = self.errands.go(at, out) {
            self.done(at, done, out);
        }
        seen
    }

    fn wait(&self, at: At) -> Option<Duration> {
        let late = self.messages.iter().map(|m| m.late_at.since(at.now.mono));
        let waits = [self.errands.wait(at), self.token.wait(at), self.heartbeat.wait(at.now.mono)];
        waits.into_iter().flatten().chain(late).min()
    }
}
