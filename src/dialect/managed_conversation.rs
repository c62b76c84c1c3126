//! Managed conversation: made with an id of our own and kept alive by heartbeats. Unverified: no primary source of the
//! vendor documents it.
//!
//! What the description limits is checked before the request leaves: sessions at once, length, the guest, the
//! capabilities. A heartbeat goes out every 30 seconds or every tenth part of the session's length, whichever is
//! shorter; three failures in a row, or the end of its length, end the session with a goodbye. 429 is tried again, as
//! `Retry-After` says or after a wait that doubles; nothing else is. State changes are told to a webhook.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::backoff::Plan;
use super::errands::{Done, Errand, Errands, Failure, Retry};
use super::flow::{self, Config, Shell, address, invalid, json_call, millis, or, text_of};
use super::seeded::Seeded;
use super::{Action, At, Dialect, FlowWish, Input, Seen, Wish};
use crate::model::environment::secs;
use crate::model::fact::{End, Expiry, ExpiryEvent, SessionState};
use crate::model::flows::ManagedConversationFlow;
use crate::model::{Fact, Mono, Report, Secret, SecretKind};

const LENGTH: &str = "session-length";
/// Length of a session whose form names none.
const USUAL_SECS: u32 = 1800;

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// With the id that was asked for.
    Create(String),
    Heartbeat,
    Disconnect,
    /// Of a conversation that was made when nobody wanted it any more.
    LateDisconnect,
    Webhook,
    Request,
}

pub struct ManagedConversation {
    config: Config,
    chance: Seeded,
    shell: Shell,
    errands: Errands<Kind>,
    /// Counted among the sessions at once.
    counted: bool,
    conversation: String,
    guest: String,
    over_at: Option<Mono>,
    beat_at: Option<Mono>,
    sequence: i64,
    failures: u32,
    /// Why it ends, while the goodbye is on its way.
    ending: Option<End>,
    clock: Option<Expiry>,
}

impl ManagedConversation {
    pub fn new(config: Config) -> Self {
        let mut chance = Seeded::new(config.seed);
        Self {
            errands: Errands::new(chance.number()),
            chance,
            shell: Shell::default(),
            counted: false,
            conversation: String::new(),
            guest: String::new(),
            over_at: None,
            beat_at: None,
            sequence: 0,
            failures: 0,
            ending: None,
            clock: None,
            config,
        }
    }

    fn flow(&self) -> &ManagedConversationFlow {
        &self.config.environment.flows.managed_conversation
    }

    fn queue(&self) -> &str {
        self.config.queue()
    }

    fn length(&self) -> u32 {
        self.config.form.duration_secs.unwrap_or(USUAL_SECS)
    }

    fn capabilities(&self) -> &[String] {
        self.config.form.capabilities.as_deref().unwrap_or(&self.flow().required_capabilities)
    }

    /// `min(30 s, length / 10)`.
    fn interval(&self) -> Duration {
        let part = secs(self.length()) / self.flow().heartbeat_parts.max(1);
        secs(self.flow().heartbeat_secs).min(part).max(Duration::from_millis(100))
    }

    fn names(&self) -> [(&str, &str); 3] {
        [("conversationId", &self.conversation), ("guestId", &self.guest), ("queueId", self.queue())]
    }

    fn retry(&self) -> Retry {
        let flow = self.flow();
        let plan = Plan {
            least: millis(flow.retry_first_millis),
            first: millis(flow.retry_first_millis),
            longest: Duration::from_secs(60),
            give_up: Duration::from_secs(300),
            // The description counts the first one too.
            tries: flow.retries.saturating_sub(1),
        };
        Retry { plan, rate_limited: true, server_error: false, no_answer: false, unnamed: Duration::ZERO }
    }

    fn wish(&mut self, at: At, wish: Wish, out: &mut Vec<Action>) {
        match wish {
            Wish::Connect if self.shell.is_idle() => self.begin(at, out),
            Wish::Connect => self.shell.remark(at, "there is a session already", out),
            Wish::Leave { .. } if self.shell.is_ready() && self.ending.is_none() => self.say_goodbye(End::ByUser),
            Wish::Leave { .. } => self.end(at, End::ByUser, out),
            Wish::Flow(FlowWish::Heartbeat) if self.shell.is_ready() && self.ending.is_none() => self.beat(at),
            Wish::Flow(FlowWish::Heartbeat) => flow::not_now("there is no session to keep alive", out),
            Wish::Flow(FlowWish::Request { method, path, body }) => {
                let errand = flow::request(&self.config.base, (&method, &path, &body), &self.names(), out);
                self.errands.begin(Kind::Request, errand);
            }
            other => flow::refuse(&other, "this flow's description knows no way to send a message", out),
        }
    }

    fn begin(&mut self, at: At, out: &mut Vec<Action>) {
        self.shell.begin(at, &mut self.errands.counts, out);
        self.conversation = self.chance.uuid();
        self.guest = self.config.form.guest_id.trim().to_owned();
        self.sequence = 0;
        self.failures = 0;
        self.ending = None;
        self.errands.ids.guest = Some(self.guest.clone()).filter(|g| !g.is_empty());
        self.errands.ids.queue = Some(self.queue().to_owned());
        self.errands.ids.conversation = Some(self.conversation.clone());
        if let Err(why) = self.check() {
            let end = flow::refuse_start(why, &self.errands.ids, out);
            return self.end(at, end, out);
        }
        flow::id("conversation", &self.conversation, None, out);
        flow::id("guest", &self.guest, None, out);
        self.create(at, out);
    }

    /// What can be told before anything is sent: the field, its value and the limit. Takes a place among the sessions
    /// at once where all is well.
    fn check(&mut self) -> Result<(), String> {
        let flow = &self.config.environment.flows.managed_conversation;
        let (most, longest) = (flow.most_sessions, flow.longest_secs);
        if self.guest.is_empty() {
            return Err(invalid("from.id", "empty", "the guest must be named"));
        }
        if self.queue().is_empty() {
            return Err(invalid("to[0].id", "empty", "a queue must be chosen"));
        }
        let length = self.length();
        if !(1..=longest).contains(&length) {
            let limit = format!("from 1 to {longest} seconds");
            return Err(invalid("metadata.sessionDurationLimit", format_args!("{length} s"), &limit));
        }
        let given = self.capabilities();
        let missing: Vec<&str> =
            flow.required_capabilities.iter().filter(|c| !given.contains(c)).map(String::as_str).collect();
        if !missing.is_empty() {
            let value = if given.is_empty() { "none".to_owned() } else { given.join(", ") };
            return Err(invalid("context.capabilities", value, &format!("must include {}", missing.join(", "))));
        }
        let room = |n: u32| (n < most).then_some(n + 1);
        if !self.counted {
            let taken = self.config.shared.managed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room);
            if let Err(active) = taken {
                return Err(invalid("sessions at once", active, &format!("at most {most}")));
            }
            self.counted = true;
        }
        Ok(())
    }

    fn create(&mut self, at: At, out: &mut Vec<Action>) {
        // Made here, as the description does: nobody signed it, and it is not the guest's name.
        let token = format!("jwt_{}", self.chance.uuid().replace('-', ""));
        out.push(Action::Learn { kind: SecretKind::Other, value: Secret::from(token.as_str()) });
        let form = &self.config.form;
        let body = json!({
            "id": self.conversation,
            "from": { "id": self.guest, "name": or(&form.name, "Guest"), "type": "user" },
            "to": [{ "id": self.queue(), "type": "queue" }],
            "type": "messaging",
            "channelAddress": "web",
            "context": {
                "locale": or(&form.locale, "en-US"),
                "capabilities": self.capabilities(),
                "userAgent": self.config.environment.application,
            },
            "metadata": {
                "sessionDurationLimit": self.length(),
                "guestIdToken": token,
                "initiatedAt": at.now.wall.rfc3339(),
            },
        });
        let url = address(&self.config.base, &self.flow().create_path, &self.names());
        let call = json_call("POST", url, &body, "create the conversation");
        let errand = Errand { retry: self.retry(), ..Errand::new("session.create", call) };
        self.errands.begin(Kind::Create(self.conversation.clone()), errand);
    }

    fn created(&mut self, at: At, body: &Value, out: &mut Vec<Action>) {
        if let Some(id) = text_of(body, "id").filter(|id| *id != self.conversation) {
            flow::id("conversation", &id, Some(format!("{} was asked for", self.conversation)), out);
            self.errands.ids.conversation = Some(id.clone());
            self.conversation = id;
        }
        let length = secs(self.length());
        self.over_at = Some(at.now.mono + length);
        self.beat_at = Some(at.now.mono + self.interval());
        self.clock = Some(Expiry {
            id: LENGTH.to_owned(),
            title: "session length".to_owned(),
            event: ExpiryEvent::Started,
            by: "you".to_owned(),
            from: at.server,
            until: Some(at.server + length),
            margin_secs: 0,
            breaks: "the session is disconnected".to_owned(),
            assumed: false,
            token: None,
            scope: None,
            claims: None,
            can: Vec::new(),
        });
        out.extend(self.clock.clone().map(|clock| Action::State(Fact::Expiry(clock))));
        self.shell.go(at, SessionState::Ready, "", out);
        self.notify(at, "connected");
    }

    fn beat(&mut self, at: At) {
        self.beat_at = Some(at.now.mono + self.interval());
        // One that is still on its way speaks for this one too.
        if self.errands.any(|kind| *kind == Kind::Heartbeat) {
            return;
        }
        // Milliseconds by our clock, and never twice the same.
        self.sequence = (at.now.wall.0 / 1000).max(self.sequence + 1);
        let body = json!({
            "context": { "lastActivityTimestamp": at.now.wall.rfc3339(), "heartbeatSequence": self.sequence },
        });
        self.patch(Kind::Heartbeat, "heartbeat", &self.conversation.clone(), &body);
    }

    fn patch(&mut self, kind: Kind, action: &'static str, conversation: &str, body: &Value) {
        let purpose = if kind == Kind::Heartbeat { "heartbeat" } else { "goodbye" };
        let url = address(&self.config.base, &self.flow().conversation_path, &[("conversationId", conversation)]);
        let call = json_call("PATCH", url, body, purpose);
        self.errands.begin(kind, Errand::new(action, call));
    }

    fn disconnect(&mut self, kind: Kind, conversation: &str) {
        self.patch(kind, "session.disconnect", conversation, &json!({ "status": "disconnected" }));
    }

    fn missed(&mut self, at: At, failure: &Failure, out: &mut Vec<Action>) {
        self.failures += 1;
        let most = self.flow().heartbeat_failures.max(1);
        let (n, why) = (self.failures, failure.sentence());
        self.shell.remark(at, &format!("heartbeat failure {n} of {most}: {why}"), out);
        if n >= most {
            let why = format!("{n} heartbeats in a row failed, the last with {why}");
            let report = Report::new("heartbeats-failed", "The session is given up", format!("{why}."))
                .remedy("Look at the first of the failed heartbeats: its answer says why.");
            flow::fault(report, out);
            self.say_goodbye(End::Over { why });
        }
    }

    fn say_goodbye(&mut self, end: End) {
        self.beat_at = None;
        self.over_at = None;
        self.ending = Some(end);
        self.disconnect(Kind::Disconnect, &self.conversation.clone());
    }

    fn notify(&mut self, at: At, state: &str) {
        let event = json!({
            "conversationId": self.conversation,
            "state": state,
            "timestamp": at.now.wall.rfc3339(),
            "metadata": { "guestId": self.guest },
        });
        self.errands.begin(Kind::Webhook, flow::webhook(&self.config.environment.flows.webhook, &event));
    }

    fn done(&mut self, at: At, done: Done<'_, Kind>, out: &mut Vec<Action>) {
        match (done.kind, done.result) {
            (Kind::Create(id), Ok((_, body))) if done.late => {
                // It was left before it was made, and would count among the server's sessions until it is idle.
                let body: Value = serde_json::from_slice(body).unwrap_or_default();
                self.disconnect(Kind::LateDisconnect, &text_of(&body, "id").unwrap_or(id));
            }
            _ if done.late => {}
            (Kind::Create(_), Ok((_, body))) => {
                let body = serde_json::from_slice(body).unwrap_or_default();
                self.created(at, &body, out);
            }
            (Kind::Create(_), Err(failure)) => {
                flow::fault(failure.report("session-not-made", "The session was not made"), out);
                self.end(at, End::Failed { why: failure.sentence() }, out);
            }
            (Kind::Heartbeat, Ok(_)) => {
                self.failures = 0;
                self.shell.heartbeats += 1;
            }
            (Kind::Heartbeat, Err(failure)) if self.shell.is_ready() && self.ending.is_none() => {
                self.missed(at, &failure, out);
            }
            (Kind::Disconnect | Kind::LateDisconnect, Err(failure)) => {
                let what = format!("The server may still think that it lives: {}.", failure.sentence());
                flow::fault(Report::new("goodbye-failed", "The goodbye was not heard", what), out);
                if let Some(end) = self.ending.take() {
                    self.end(at, end, out);
                }
            }
            (Kind::Disconnect, Ok(_)) => {
                let end = self.ending.take().unwrap_or(End::ByUser);
                self.end(at, end, out);
            }
            (Kind::Request, Ok((_, body))) => flow::learn_tokens(body, out),
            (Kind::Heartbeat | Kind::LateDisconnect | Kind::Webhook | Kind::Request, _) => {}
        }
    }

    fn end(&mut self, at: At, end: End, out: &mut Vec<Action>) {
        if self.shell.is_idle() {
            return;
        }
        self.beat_at = None;
        self.over_at = None;
        let was_ready = self.shell.is_ready();
        self.ending = None;
        self.errands.end(at, |kind| matches!(kind, Kind::LateDisconnect | Kind::Webhook), out);
        if let Some(mut clock) = self.clock.take() {
            clock.event = ExpiryEvent::Forgotten;
            clock.by = "end of the session".to_owned();
            out.push(Action::State(Fact::Expiry(clock)));
        }
        self.release();
        self.shell.end(at, end, self.errands.counts, out);
        if was_ready {
            self.notify(at, "terminated");
        }
    }

    /// Gives the place among the sessions at once back.
    fn release(&mut self) {
        if std::mem::take(&mut self.counted) {
            let less = |n: u32| Some(n.saturating_sub(1));
            let _ = self.config.shared.managed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }
}

impl Drop for ManagedConversation {
    fn drop(&mut self) {
        self.release();
    }
}

impl Dialect for ManagedConversation {
    fn step(&mut self, at: At, input: Input<'_>, out: &mut Vec<Action>) -> Seen {
        match input {
            Input::Wish(wish) => self.wish(at, wish, out),
            Input::Bearer(news) => self.errands.news(at, news, out),
            Input::Tick => {
                let due = |at_: Option<Mono>| at_.is_some_and(|due| due <= at.now.mono);
                if due(self.over_at) {
                    let why = format!("its length of {} s is over", self.length());
                    self.say_goodbye(End::Over { why });
                } else if due(self.beat_at) {
                    self.beat(at);
                }
            }
            other => self.errands.ended(at, &other, out).into_iter().for_each(|done| self.done(at, done, out)),
        }
        while let Some(done) = self.errands.go(at, out) {
            self.done(at, done, out);
        }
        Seen::default()
    }

    fn wait(&self, at: At) -> Option<Duration> {
        let timers = [self.over_at, self.beat_at].into_iter().flatten().map(|due| due.since(at.now.mono));
        timers.chain(self.errands.wait(at)).min()
    }
}
