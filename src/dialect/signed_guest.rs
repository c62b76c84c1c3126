//! Signed guest: the guest's token is made here, with a key of one's own. Unverified: no primary source of the vendor
//! documents it.
//!
//! The queue is looked up first, so that an unknown one is told before a session is made. The token (RS256, five
//! minutes) is verified with the public key, and its guest compared, before it is used. Then a contact is made, and a
//! conversation for it; each step has an idempotency key of its own, which stays the same on every retry of the step.
//! 429 and 5xx are tried again, three times, after 1 to 5 seconds. How the guest then talks is no part of the
//! description.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::backoff::Plan;
use super::errands::{Done, Errand, Errands, Failure, Retry};
use super::flow::{self, Config, GuestToken, Shell, address, failed_check, invalid, json_call, millis, text_of};
use super::jwt::Jwt;
use super::keeper::{Policy, Then};
use super::seeded::Seeded;
use super::{Action, At, Call, Dialect, FlowWish, Input, Seen, Wish};
use crate::model::fact::{ClockDeed, End, ErrorCategory, SessionState};
use crate::model::flows::SignedGuestFlow;
use crate::model::{Report, Secret, SecretKind};

const TOKEN: &str = "signed-token";

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// Before the session is made, or later on a person's wish.
    Queue {
        first: bool,
    },
    Contact,
    Conversation,
    Webhook,
    Request,
}

pub struct SignedGuest {
    config: Config,
    chance: Seeded,
    shell: Shell,
    errands: Errands<Kind>,
    token: GuestToken,
    guest: String,
    /// Base of the idempotency keys of this session.
    key: String,
    contact: String,
    conversation: String,
    /// Signatures that are awaited, the newest of them by this session.
    unsigned: u32,
    /// Those that an earlier session had asked for, which come first.
    late: u32,
    /// The number of the token that the step under way carries.
    carried: Option<u64>,
}

impl SignedGuest {
    pub fn new(config: Config) -> Self {
        let mut chance = Seeded::new(config.seed);
        let policy = Policy { margin: Duration::ZERO, keep_alive: false, retry: Retry::NEVER.plan };
        let can = [ClockDeed::Refresh, ClockDeed::Expire, ClockDeed::Forget];
        let breaks = "a new contact with it is refused with 400";
        let token =
            GuestToken::new(SecretKind::Jwt, TOKEN, "signed guest token", breaks, &can, policy, chance.number());
        Self {
            errands: Errands::new(chance.number()),
            token,
            chance,
            shell: Shell::default(),
            guest: String::new(),
            key: String::new(),
            contact: String::new(),
            conversation: String::new(),
            unsigned: 0,
            late: 0,
            carried: None,
            config,
        }
    }

    fn flow(&self) -> &SignedGuestFlow {
        &self.config.environment.flows.signed_guest
    }

    fn queue(&self) -> &str {
        self.config.queue()
    }

    fn names(&self) -> [(&str, &str); 4] {
        [
            ("queueId", self.queue()),
            ("guestId", &self.guest),
            ("contactId", &self.contact),
            ("conversationId", &self.conversation),
        ]
    }

    fn retry(&self) -> Retry {
        let flow = self.flow();
        let plan = Plan {
            least: millis(flow.retry_first_millis),
            // The first wait may already lie between both ends.
            first: millis(flow.retry_first_millis.saturating_mul(2).min(flow.retry_longest_millis)),
            longest: millis(flow.retry_longest_millis),
            give_up: Duration::from_secs(300),
            tries: flow.retries,
        };
        Retry { plan, rate_limited: true, server_error: true, no_answer: true, unnamed: Duration::ZERO }
    }

    fn wish(&mut self, at: At, wish: Wish, out: &mut Vec<Action>) {
        match wish {
            Wish::Connect if self.shell.is_idle() => self.begin(at, out),
            Wish::Connect => self.shell.remark(at, "there is a session already", out),
            Wish::Leave { .. } => self.end(at, End::ByUser, out),
            Wish::Flow(FlowWish::CheckQueue) if self.queue().is_empty() => {
                flow::fault(Report::new("no-queue", "There is no queue to check", "queueId: it is empty."), out);
            }
            Wish::Flow(FlowWish::CheckQueue) => self.check_queue(false),
            Wish::Flow(FlowWish::Refresh { .. }) | Wish::Clock { deed: ClockDeed::Refresh, .. }
                if !self.shell.is_ready() =>
            {
                flow::not_now("there is no session whose token could be signed anew", out);
            }
            Wish::Flow(FlowWish::Refresh { .. }) => {
                let then = self.token.renew();
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
            other => flow::refuse(&other, "this flow's description knows no way to send a message", out),
        }
    }

    fn begin(&mut self, at: At, out: &mut Vec<Action>) {
        self.shell.begin(at, &mut self.errands.counts, out);
        self.guest = self.config.form.guest_id.trim().to_owned();
        self.contact.clear();
        self.conversation.clear();
        self.key = format!("webchat-session-{}", self.chance.uuid());
        self.errands.ids.guest = Some(self.guest.clone());
        self.errands.ids.queue = Some(self.queue().to_owned());
        self.errands.ids.contact = None;
        self.errands.ids.conversation = None;
        if let Err(why) = self.check() {
            let end = flow::refuse_start(why, &self.errands.ids, out);
            return self.end(at, end, out);
        }
        flow::id("guest", &self.guest, None, out);
        flow::id("queue", self.queue(), None, out);
        self.check_queue(true);
    }

    /// What can be told before anything is sent: the field, its value and the limit.
    fn check(&self) -> Result<(), String> {
        if self.guest.is_empty() {
            return Err(invalid("guestId", "empty", "the guest must be named"));
        }
        if self.queue().is_empty() {
            return Err(invalid("queueId", "empty", "a queue must be chosen"));
        }
        if let Some((name, _)) = self
            .config
            .form
            .attributes
            .iter()
            .find(|(k, _)| matches!(k.as_str(), "guestId" | "iat" | "exp" | "guestToken"))
        {
            return Err(invalid("customAttributes", format_args!("“{name}”"), "this name is the token's own"));
        }
        Ok(())
    }

    fn check_queue(&mut self, first: bool) {
        let call = Call {
            method: "GET",
            url: address(&self.config.base, &self.flow().queue_path, &self.names()),
            headers: vec![("accept".into(), "application/json".into())],
            purpose: "check the queue",
            ..Call::default()
        };
        let errand = Errand { retry: self.retry(), ..Errand::new("queue.check", call) };
        self.errands.begin(Kind::Queue { first }, errand);
    }

    /// `guestId`, times and extra claims, to be signed by the active key.
    fn sign(&mut self, at: At, out: &mut Vec<Action>) {
        let now = at.server.as_secs();
        let mut claims = Map::new();
        claims.insert("guestId".into(), json!(self.guest));
        for (name, value) in &self.config.form.attributes {
            claims.insert(name.clone(), json!(value));
        }
        claims.insert("iat".into(), json!(now));
        claims.insert("exp".into(), json!(now + i64::from(self.flow().token_life_secs)));
        self.unsigned += 1;
        out.push(Action::Sign { claims });
    }

    /// True where a signature that comes now was asked for by this session.
    fn is_awaited(&mut self) -> bool {
        if self.late > 0 {
            self.late -= 1;
            return false;
        }
        let awaited = self.unsigned > 0;
        self.unsigned = self.unsigned.saturating_sub(1);
        awaited
    }

    fn signed(&mut self, at: At, token: &str, kid: &str, out: &mut Vec<Action>) {
        out.push(Action::Learn { kind: SecretKind::Jwt, value: Secret::from(token) });
        // The signature was verified with the public key; what it says is compared before it is used.
        let jwt = Jwt::decode(token);
        let guest = jwt.as_ref().and_then(|j| j.claims.get("guestId")).and_then(Value::as_str);
        if guest != Some(self.guest.as_str()) {
            let why = format!("the signed token's guestId is {}, not {}", guest.unwrap_or("missing"), self.guest);
            return self.not_signed(at, &Report::new("guest-mismatch", "The token is of another guest", why), out);
        }
        flow::id("key", kid, None, out);
        let first = self.contact.is_empty();
        match self.token.take(at, token, None, false, "you", out) {
            Then::GiveUp(reason) => {
                let report = Report::new("token-dead", "The signed token cannot be used", reason.to_string());
                self.not_signed(at, &report, out);
            }
            _ if first => self.make_contact(at, out),
            _ => self.shell.refreshes += 1,
        }
    }

    fn not_signed(&mut self, at: At, report: &Report, out: &mut Vec<Action>) {
        failed_check("token.sign", ErrorCategory::TokenValidation, &report.what, &self.errands.ids, out);
        flow::fault(report.clone(), out);
        self.token.failed(at, &report.what, None, true);
        if !self.shell.is_ready() {
            self.end(at, End::Failed { why: report.title.clone() }, out);
        }
    }

    fn attributes(&self) -> Map<String, Value> {
        let mut map = Map::new();
        if let Some(held) = self.token.held() {
            map.insert("guestToken".into(), json!(held.token.expose()));
        }
        map.extend(self.config.form.attributes.iter().map(|(k, v)| (k.clone(), json!(v))));
        map
    }

    fn make_contact(&mut self, at: At, out: &mut Vec<Action>) {
        let attributes = Value::Object(self.attributes());
        let (size, most) = (attributes.to_string().len(), self.flow().attribute_bytes);
        if size > most as usize {
            let limit = format!("at most {most} bytes of JSON");
            let why = invalid("customAttributes", format_args!("{size} bytes"), &limit);
            let end = flow::refuse_start(why, &self.errands.ids, out);
            return self.end(at, end, out);
        }
        let body = json!({
            "type": "webchat",
            "address": format!("guest-{}", self.guest),
            "externalContactId": self.guest,
            "customAttributes": attributes,
        });
        let url = address(&self.config.base, &self.flow().contact_path, &self.names());
        self.step(Kind::Contact, "contact.create", "create the contact", url, &body, out);
    }

    fn make_conversation(&mut self, at: At, out: &mut Vec<Action>) {
        let Some(token) = self.token.live(at).map(|held| held.token.expose().clone()) else {
            return self.outdated(at, "the signed token died before the conversation was made", out);
        };
        let body = json!({
            "contactId": self.contact,
            "routingData": { "queueId": self.queue(), "skillRequirements": self.skills() },
            "customAttributes": { "sessionToken": token, "routingTarget": self.queue() },
        });
        let url = address(&self.config.base, &self.flow().conversation_path, &self.names());
        self.step(Kind::Conversation, "conversation.create", "create the conversation", url, &body, out);
    }

    fn skills(&self) -> Vec<&str> {
        self.config.form.skill.split(',').map(str::trim).filter(|s| !s.is_empty()).collect()
    }

    /// A step that the server shall do once, however often it is asked.
    fn step(
        &mut self,
        kind: Kind,
        action: &'static str,
        purpose: &'static str,
        url: String,
        body: &Value,
        out: &mut Vec<Action>,
    ) {
        let key = match kind {
            Kind::Contact => format!("{}-contact", self.key),
            _ => format!("{}-conversation", self.key),
        };
        flow::id("idempotency key", &key, None, out);
        let mut call = json_call("POST", url, body, purpose);
        call.headers.push(("idempotency-key".into(), key));
        self.carried = self.token.held().map(|held| held.number);
        let errand = Errand { retry: self.retry(), ..Errand::new(action, call) };
        self.errands.begin(kind, errand);
    }

    /// A step that waits while the token in it dies does not leave any more.
    fn give_up_outdated(&mut self, at: At, out: &mut Vec<Action>) {
        let live = self.token.live(at).map(|held| held.number);
        if self.carried.is_none() || self.carried == live {
            return;
        }
        let recalled = self.errands.recall(|kind| matches!(kind, Kind::Contact | Kind::Conversation));
        if let Some((kind, tries)) = recalled.first() {
            let step = if *kind == Kind::Contact { "contact" } else { "conversation" };
            let why = format!("the signed token died before the {step} was made, after {tries} tries");
            self.outdated(at, &why, out);
        }
    }

    fn outdated(&mut self, at: At, why: &str, out: &mut Vec<Action>) {
        failed_check("token.check", ErrorCategory::TokenValidation, why, &self.errands.ids, out);
        self.fail(at, why, out);
    }

    fn done(&mut self, at: At, done: Done<'_, Kind>, out: &mut Vec<Action>) {
        if done.late {
            return;
        }
        let body = match done.result {
            Ok((_, body)) if done.kind == Kind::Request => return flow::learn_tokens(body, out),
            Ok((_, body)) => serde_json::from_slice::<Value>(body).unwrap_or_default(),
            Err(failure) => return self.failed(at, &done.kind, &failure, out),
        };
        match done.kind {
            Kind::Queue { first: true } => self.sign(at, out),
            Kind::Queue { first: false } => {
                let name = text_of(&body, "name").unwrap_or_default();
                flow::id("queue", self.queue(), None, out);
                self.shell.remark(at, &format!("the queue is known: {name}"), out);
            }
            Kind::Contact => match text_of(&body, "id") {
                Some(id) => {
                    flow::id("contact", &id, None, out);
                    self.errands.ids.contact = Some(id.clone());
                    self.contact = id;
                    self.make_conversation(at, out);
                }
                None => self.fail(at, "the contact's answer has no id", out),
            },
            Kind::Conversation => match text_of(&body, "id") {
                Some(id) => {
                    flow::id("conversation", &id, None, out);
                    self.errands.ids.conversation = Some(id.clone());
                    self.conversation = id;
                    self.shell.go(at, SessionState::Ready, "", out);
                    self.notify(at);
                }
                None => self.fail(at, "the conversation's answer has no id", out),
            },
            Kind::Webhook | Kind::Request => {}
        }
    }

    /// Tells the customer system; nothing depends on it.
    fn notify(&mut self, at: At) {
        let event = json!({
            "event": "webchat.session.created",
            "timestamp": at.now.wall.rfc3339(),
            "data": {
                "contactId": self.contact,
                "conversationId": self.conversation,
                "guestId": self.guest,
                "initializationLatencyMs": self.shell.duration(at).as_millis() as u64,
            },
        });
        self.errands.begin(Kind::Webhook, flow::webhook(&self.config.environment.flows.webhook, &event));
    }

    fn failed(&mut self, at: At, kind: &Kind, failure: &Failure, out: &mut Vec<Action>) {
        let queue = self.queue().to_owned();
        match (kind, failure.status()) {
            (Kind::Webhook | Kind::Request, _) => {}
            (Kind::Queue { first }, Some(404)) => {
                let why = invalid("queueId", format_args!("“{queue}”"), "the server knows no such queue");
                let report = Report::new("unknown-queue", "The queue is not known", why.clone())
                    .remedy("Look up the queue's id in the administration; ids differ between organisations.");
                flow::fault(report, out);
                if *first {
                    self.end(at, End::Failed { why }, out);
                }
            }
            (Kind::Queue { first: false }, _) => {
                flow::fault(failure.report("queue-not-checked", "The queue was not checked"), out);
            }
            _ => {
                flow::fault(failure.report("session-not-made", "The session was not made"), out);
                self.end(at, End::Failed { why: failure.sentence() }, out);
            }
        }
    }

    fn fail(&mut self, at: At, why: &str, out: &mut Vec<Action>) {
        flow::fault(Report::new("session-not-made", "The session was not made", format!("{why}.")), out);
        self.end(at, End::Failed { why: why.to_owned() }, out);
    }

    fn follow(&mut self, at: At, then: Then, out: &mut Vec<Action>) {
        if then == Then::Fetch {
            self.sign(at, out);
        }
    }

    fn end(&mut self, at: At, end: End, out: &mut Vec<Action>) {
        if self.shell.is_idle() {
            return;
        }
        self.errands.end(at, |kind| matches!(kind, Kind::Webhook | Kind::Queue { first: false }), out);
        self.token.end(out);
        self.late += std::mem::take(&mut self.unsigned);
        self.carried = None;
        self.shell.end(at, end, self.errands.counts, out);
    }
}

impl Dialect for SignedGuest {
    fn step(&mut self, at: At, input: Input<'_>, out: &mut Vec<Action>) -> Seen {
        match input {
            Input::Wish(wish) => self.wish(at, wish, out),
            Input::Bearer(news) => self.errands.news(at, news, out),
            Input::Signed { .. } | Input::NotSigned { .. } if !self.is_awaited() => {}
            Input::Signed { token, kid } => self.signed(at, token.expose(), &kid, out),
            Input::NotSigned { report } => self.not_signed(at, &report, out),
            Input::Tick => drop(self.token.tick(at)),
            other => self.errands.ended(at, &other, out).into_iter().for_each(|done| self.done(at, done, out)),
        }
        loop {
            self.give_up_outdated(at, out);
            let Some(done) = self.errands.go(at, out) else { break };
            self.done(at, done, out);
        }
        Seen::default()
    }

    fn wait(&self, at: At) -> Option<Duration> {
        [self.errands.wait(at), self.token.wait(at)].into_iter().flatten().min()
    }
}
