//! Conversation by REST with a session token. Unverified: no primary source of the vendor documents it.
//!
//! A conversation is created with an OAuth token; the answer brings ids and a session token of some 15 minutes. Before
//! each message the token is looked at and renewed where it is about to die; a 401 that speaks of it is answered with
//! one renewal, for all who wait, and one more try of the message. The refused token is never sent again. Two forms
//! of the renewal and four of the message are in dispute: which one is used, the environment or the message says.
//! What the other side says is not part of the description: the flow only sends.

use std::time::Duration;

use serde_json::{Value, json};

use super::backoff::Plan;
use super::errands::{Auth, Done, Errand, Errands, Failure, Retry};
use super::flow::{self, Config, GuestToken, Shell, address, check_text, invalid, json_call, millis, text_of};
use super::keeper::{Policy, Then};
use super::seeded::Seeded;
use super::{Action, At, Call, Dialect, FlowWish, Input, Seen, Wish};
use crate::model::environment::{Limits, secs};
use crate::model::fact::{ClockDeed, Delivery, End, SessionState};
use crate::model::flows::{RefreshForm, SendForm, SessionTokenFlow};
use crate::model::{Report, Secret, SecretKind};

const TOKEN: &str = "session-token";

#[derive(Clone, Debug)]
enum Kind {
    Create,
    Refresh,
    Message(String),
    Request,
}

/// A message whose fate is open.
struct Message {
    tracing: String,
    text: String,
    form: SendForm,
    /// The number of the session token that it was sent with; none while it waits for one.
    sent_with: Option<u64>,
    /// It was refused for its token and is sent once more.
    again: bool,
    /// Tries with earlier tokens, which the server was too busy for.
    tries: u32,
}

pub struct SessionToken {
    config: Config,
    shell: Shell,
    errands: Errands<Kind>,
    token: GuestToken,
    conversation: String,
    guest: String,
    messages: Vec<Message>,
    /// For the next renewal only.
    refresh_form: Option<RefreshForm>,
    /// In memory only, never shown and never sent: no description says what it is for.
    _guest_token: Option<Secret<String>>,
}

impl SessionToken {
    pub fn new(config: Config) -> Self {
        let mut chance = Seeded::new(config.seed);
        let flow = &config.environment.flows.session_token;
        let policy = Policy { margin: secs(flow.preflight_secs), keep_alive: false, retry: plan(flow) };
        let can = [ClockDeed::Refresh, ClockDeed::Expire, ClockDeed::Corrupt, ClockDeed::Forget];
        let breaks = "messages are refused with 401";
        let token =
            GuestToken::new(SecretKind::SessionToken, TOKEN, "session token", breaks, &can, policy, chance.number());
        Self {
            errands: Errands::new(chance.number()),
            token,
            shell: Shell::default(),
            conversation: String::new(),
            guest: String::new(),
            messages: Vec::new(),
            refresh_form: None,
            _guest_token: None,
            config,
        }
    }

    fn flow(&self) -> &SessionTokenFlow {
        &self.config.environment.flows.session_token
    }

    fn limits(&self) -> &Limits {
        &self.config.environment.limits
    }

    fn names(&self) -> [(&str, &str); 2] {
        [("conversationId", &self.conversation), ("guestId", &self.guest)]
    }

    fn retry(&self, tried: u32) -> Retry {
        let plan = plan(self.flow());
        Retry {
            plan: Plan { tries: plan.tries.saturating_sub(tried), ..plan },
            rate_limited: true,
            server_error: true,
            no_answer: false,
            unnamed: Duration::ZERO,
        }
    }

    fn wish(&mut self, at: At, wish: Wish, out: &mut Vec<Action>) {
        match wish {
            Wish::Connect if self.shell.is_idle() => self.create(at, out),
            Wish::Connect => self.shell.remark(at, "there is a conversation already", out),
            Wish::Leave { .. } => self.end(at, End::ByUser, out),
            Wish::Text { tracing, text, .. } => {
                let form = self.flow().send_form;
                self.say(at, tracing, text, form, out);
            }
            Wish::Flow(FlowWish::Say { tracing, text, form }) => self.say(at, tracing, text, form, out),
            Wish::Flow(FlowWish::Refresh { form }) if self.shell.is_ready() => {
                self.refresh_form = form;
                let then = self.token.deed(at, ClockDeed::Refresh, out);
                self.follow(at, then, out);
            }
            Wish::Flow(FlowWish::Refresh { .. }) | Wish::Clock { deed: ClockDeed::Refresh, .. }
                if !self.shell.is_ready() =>
            {
                flow::not_now("there is no conversation", out);
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

    fn create(&mut self, at: At, out: &mut Vec<Action>) {
        self.shell.begin(at, &mut self.errands.counts, out);
        let url = address(&self.config.base, &self.flow().create_path, &[]);
        let call = json_call("POST", url, &json!({}), "create the conversation");
        let errand = Errand { retry: self.retry(0), ..Errand::new("session.create", call) };
        self.errands.begin(Kind::Create, errand);
    }

    fn created(&mut self, at: At, body: &[u8], out: &mut Vec<Action>) {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let token = text_of(&body, "sessionToken");
        // Before anything can tell them.
        if let Some(token) = &token {
            out.push(Action::Learn { kind: SecretKind::SessionToken, value: Secret::from(token.as_str()) });
        }
        self._guest_token = text_of(&body, "guestToken").map(Secret::new);
        out.extend(self._guest_token.clone().map(|value| Action::Learn { kind: SecretKind::Jwt, value }));
        let plural = text_of(&body, "conversationsId");
        let Some(conversation) = text_of(&body, "conversationId").or_else(|| plural.clone()) else {
            return self.fail(at, "the answer names no conversationId", out);
        };
        let Some(token) = token else {
            return self.fail(at, "the answer has no sessionToken", out);
        };
        self.conversation = conversation;
        self.guest = text_of(&body, "guestId").unwrap_or_default();
        self.errands.ids.conversation = Some(self.conversation.clone());
        self.errands.ids.guest = Some(self.guest.clone()).filter(|g| !g.is_empty());
        flow::id("conversation", &self.conversation, None, out);
        if !self.guest.is_empty() {
            flow::id("guest", &self.guest, None, out);
        }
        let why = if plural.is_some() { "the server spells it conversationsId" } else { "" };
        let then = self.take_token(at, &token, &body, out);
        self.shell.go(at, SessionState::Ready, why, out);
        self.follow(at, then, out);
    }

    fn take_token(&mut self, at: At, token: &str, body: &Value, out: &mut Vec<Action>) -> Then {
        let told = body.get("expiresIn").and_then(Value::as_u64).and_then(|s| u32::try_from(s).ok());
        let life = told.unwrap_or(self.flow().token_life_secs);
        self.token.take(at, token, Some(at.server + secs(life)), told.is_none(), "server", out)
    }

    fn say(&mut self, at: At, tracing: String, text: String, form: SendForm, out: &mut Vec<Action>) {
        if !self.shell.is_ready() {
            return flow::not_sent(&tracing, "there is no conversation", out);
        }
        if let Err(why) = check_text(&text, self.limits()) {
            return flow::not_sent(&tracing, why, out);
        }
        if self.guest.is_empty() && matches!(form, SendForm::GuestIdWithBearer | SendForm::BothIdsWithBearer) {
            let why = invalid("guestId", "empty", "this form needs it, and the server named none");
            return flow::not_sent(&tracing, why, out);
        }
        self.messages.push(Message { tracing, text, form, sent_with: None, again: false, tries: 0 });
        let then = self.token.need(at);
        self.follow(at, then, out);
    }

    /// Does what the token's keeper wants.
    fn follow(&mut self, at: At, then: Then, out: &mut Vec<Action>) {
        match then {
            Then::Wait => {}
            Then::Ready => self.send_waiting(at),
            Then::Fetch => self.refresh(at, out),
            Then::GiveUp(reason) => {
                let why = format!("there is no session token: {reason}");
                flow::fault(Report::new("no-session-token", "There is no session token", format!("{reason}.")), out);
                self.give_up_waiting(&why, out);
            }
        }
    }

    fn send_waiting(&mut self, at: At) {
        let Some(held) = self.token.live(at) else { return };
        let (number, token) = (held.number, held.token.clone());
        let names = self.names();
        let url = address(&self.config.base, &self.flow().send_path, &names);
        let mut errands = Vec::new();
        for m in self.messages.iter_mut().filter(|m| m.sent_with.is_none()) {
            let body = match m.form {
                SendForm::TokenInBody => json!({ "text": m.text, "sessionToken": token.expose() }),
                SendForm::TextWithBearer | SendForm::TokenAsBearer => json!({ "text": m.text, "type": "text" }),
                SendForm::GuestIdWithBearer => json!({ "type": "text", "text": m.text, "guestId": self.guest }),
                SendForm::BothIdsWithBearer => json!({
                    "type": "text", "text": m.text, "conversationId": self.conversation, "guestId": self.guest,
                }),
            };
            let mut call = json_call("POST", url.clone(), &body, m.form.purpose());
            if m.form == SendForm::TokenAsBearer {
                call.headers.push(("authorization".into(), format!("Bearer {}", token.expose())));
            }
            call.tracing = Some(m.tracing.clone());
            m.sent_with = Some(number);
            let auth = if m.form.has_oauth() { Auth::Oauth } else { Auth::None };
            errands.push((m.tracing.clone(), m.tries, !m.again && m.tries == 0, call, auth));
        }
        for (tracing, tries, message, call, auth) in errands {
            let errand = Errand { action: "message.send", call, auth, retry: self.retry(tries), message };
            self.errands.begin(Kind::Message(tracing), errand);
        }
    }

    /// A message that waits for its next try, with a token in it that is dead or replaced by now, waits for a token
    /// instead.
    fn recall(&mut self, at: At, out: &mut Vec<Action>) {
        let live = self.token.live(at).map(|held| held.number);
        let old = |m: &&mut Message| !m.form.has_oauth() && m.sent_with.is_some() && m.sent_with != live;
        let mut recalled = false;
        for m in self.messages.iter_mut().filter(old) {
            let of = |kind: &Kind| matches!(kind, Kind::Message(tracing) if *tracing == m.tracing);
            for (_, tries) in self.errands.recall(of) {
                m.sent_with = None;
                m.tries += tries;
                recalled = true;
            }
        }
        if recalled {
            let then = self.token.need(at);
            self.follow(at, then, out);
        }
    }

    fn refresh(&mut self, at: At, out: &mut Vec<Action>) {
        if self.conversation.is_empty() {
            let then = self.token.failed(at, "there is no conversation", None, true);
            return self.follow(at, then, out);
        }
        let form = self.refresh_form.take().unwrap_or(self.flow().refresh_form);
        let call = match form {
            RefreshForm::GuestRefresh => Call {
                method: "POST",
                url: address(&self.config.base, &self.flow().refresh_path, &self.names()),
                headers: vec![("content-type".into(), "application/json".into())],
                purpose: form.purpose(),
                ..Call::default()
            },
            RefreshForm::GuestToken => json_call(
                "POST",
                address(&self.config.base, &self.flow().guest_token_path, &self.names()),
                &json!({ "conversationId": self.conversation, "guestId": self.guest }),
                form.purpose(),
            ),
        };
        // What is tried again, and when, is the keeper's business.
        self.errands.begin(Kind::Refresh, Errand::new("token.refresh", call));
    }

    fn refreshed(
        &mut self,
        at: At,
        result: Result<(u16, &[u8]), Failure>,
        after: Option<Duration>,
        out: &mut Vec<Action>,
    ) {
        let then = match result {
            Ok((_, body)) => {
                let body: Value = serde_json::from_slice(body).unwrap_or_default();
                match text_of(&body, "sessionToken").or_else(|| text_of(&body, "guestToken")) {
                    Some(token) => {
                        self.shell.refreshes += 1;
                        self.take_token(at, &token, &body, out)
                    }
                    None => self.token.failed(at, "the refresh's answer has no sessionToken", None, true),
                }
            }
            Err(failure) => {
                let why = format!("the refresh failed: {}", failure.sentence());
                self.token.failed(at, &why, after, failure.is_for_good())
            }
        };
        self.follow(at, then, out);
    }

    fn answered(&mut self, at: At, tracing: &str, result: Result<(u16, &[u8]), Failure>, out: &mut Vec<Action>) {
        let Some(n) = self.messages.iter().position(|m| m.tracing == tracing) else { return };
        let has_oauth = self.messages.get(n).is_some_and(|m| m.form.has_oauth());
        let delivery = match result {
            Ok(_) => {
                if let Some(number) = self.messages.get(n).and_then(|m| m.sent_with) {
                    self.token.accepted(number);
                }
                Delivery::Delivered
            }
            // One that bears no other token is refused for this one, whatever the text.
            Err(Failure::Refused { status: 401, text, .. }) if !has_oauth || is_about_session_token(&text) => {
                return self.refused(at, n, text, out);
            }
            Err(failure) => failure.delivery(),
        };
        self.messages.remove(n);
        self.shell.deliver(tracing, delivery, out);
    }

    /// The session token was refused: a renewal and one more try, where that is wanted and was not done yet.
    fn refused(&mut self, at: At, n: usize, text: String, out: &mut Vec<Action>) {
        let once_more = self.flow().refresh_after_401;
        let Some(m) = self.messages.get_mut(n) else { return };
        let number = m.sent_with.take().unwrap_or_default();
        if once_more && !m.again {
            m.again = true;
            let (tracing, why) = (m.tracing.clone(), format!("401 {text}"));
            let retrying = Delivery::Retrying { at: at.now.wall, attempt: 2, why };
            self.shell.deliver(&tracing, retrying, out);
            let then = self.token.refused(at, number, out);
            return self.follow(at, then, out);
        }
        let m = self.messages.remove(n);
        self.shell.deliver(&m.tracing, Delivery::Refused { code: 401, text }, out);
        if !m.again {
            self.token.abandon(number, out);
        } else if self.token.has(number) {
            // Refused with a fresh token as well.
            let then = self.token.refused(at, number, out);
            self.follow(at, then, out);
        }
    }

    fn give_up_waiting(&mut self, why: &str, out: &mut Vec<Action>) {
        for m in self.messages.extract_if(.., |m| m.sent_with.is_none()) {
            let why = why.to_owned();
            // One that left before was refused, and that is what became of it.
            let delivery = match (m.again, m.tries) {
                (true, _) => Delivery::Refused { code: 401, text: why },
                (false, 0) => Delivery::NotSent { why },
                (false, n) => Delivery::Unconfirmed { why: format!("after {n} tries without success: {why}") },
            };
            self.shell.deliver(&m.tracing, delivery, out);
        }
    }

    fn fail(&mut self, at: At, why: &str, out: &mut Vec<Action>) {
        flow::fault(Report::new("session-not-made", "The conversation was not created", format!("{why}.")), out);
        self.end(at, End::Failed { why: why.to_owned() }, out);
    }

    fn end(&mut self, at: At, end: End, out: &mut Vec<Action>) {
        if self.shell.is_idle() {
            return;
        }
        // Those that never left wait like those that wait for a token.
        for (kind, tries) in self.errands.recall(|kind| matches!(kind, Kind::Message(_))) {
            let Kind::Message(tracing) = kind else { continue };
            for m in self.messages.iter_mut().filter(|m| m.tracing == tracing) {
                m.sent_with = None;
                m.tries += tries;
            }
        }
        self.give_up_waiting("the session ended", out);
        for m in std::mem::take(&mut self.messages) {
            let why = "the session ended before an answer came".to_owned();
            self.shell.deliver(&m.tracing, Delivery::Unconfirmed { why }, out);
        }
        self.errands.end(at, |_| false, out);
        self.token.end(out);
        self.conversation.clear();
        self.guest.clear();
        self._guest_token = None;
        self.refresh_form = None;
        self.shell.end(at, end, self.errands.counts, out);
    }

    fn done(&mut self, at: At, done: Done<'_, Kind>, out: &mut Vec<Action>) {
        if done.late {
            return;
        }
        match (done.kind, done.result) {
            (Kind::Create, Ok((_, body))) => self.created(at, body, out),
            (Kind::Create, Err(failure)) => {
                flow::fault(failure.report("session-not-made", "The conversation was not created"), out);
                self.end(at, End::Failed { why: failure.sentence() }, out);
            }
            (Kind::Refresh, result) => self.refreshed(at, result, done.after, out),
            (Kind::Message(tracing), result) => self.answered(at, &tracing, result, out),
            (Kind::Request, Ok((_, body))) => flow::learn_tokens(body, out),
            (Kind::Request, Err(_)) => {}
        }
    }
}

impl Dialect for SessionToken {
    fn step(&mut self, at: At, input: Input<'_>, out: &mut Vec<Action>) -> Seen {
        match input {
            Input::Wish(wish) => self.wish(at, wish, out),
            Input::Bearer(news) => self.errands.news(at, news, out),
            Input::Tick => {
                let then = self.token.tick(at);
                self.follow(at, then, out);
            }
            other => self.errands.ended(at, &other, out).into_iter().for_each(|done| self.done(at, done, out)),
        }
        loop {
            self.recall(at, out);
            let Some(done) = self.errands.go(at, out) else { break };
            self.done(at, done, out);
        }
        Seen::default()
    }

    fn wait(&self, at: At) -> Option<Duration> {
        [self.errands.wait(at), self.token.wait(at)].into_iter().flatten().min()
    }
}

/// `min(2^n · first, longest)`, with jitter.
fn plan(flow: &SessionTokenFlow) -> Plan {
    Plan {
        least: Duration::ZERO,
        first: millis(flow.backoff_first_millis),
        longest: millis(flow.backoff_longest_millis),
        give_up: Duration::from_secs(300),
        tries: flow.retries,
    }
}

/// The known text of that 401; any other speaks of the OAuth token.
fn is_about_session_token(text: &str) -> bool {
    text.to_ascii_lowercase().contains("session token")
}
