//! HTTP calls of a flow, each with its bearer and its retries: an errand ends in an answer or in a failure with its
//! reason, never in silence.
//!
//! A bearer is looked at before each call leaves: one that is dead by the server's clock, or was refused, is never
//! sent. After a 401 the credential is told, and the call is made once more with another token. What is retried beside
//! that, how often and after what wait, the flow says. Every attempt is stated as an audit fact.
//!
//! Nothing leaves before the flow has taken in all that a step brought: it calls [`Errands::go`] as the last thing of
//! each step.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Duration;

use super::backoff::{Backoff, Plan};
use super::flow::{SharedBudget, learn_tokens};
use super::seeded::Seeded;
use super::{Action, At, Bearer, BearerNews, Call, CallId};
use crate::model::fact::{Audit, AuditIds, AuditOutcome, Delivery, DeliveryChange, ErrorCategory};
use crate::model::{Fact, Mono, Now, Report, Secret};

/// What a call carries to show who makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Nothing, or what stands in its headers already.
    None,
    /// The OAuth token as bearer.
    Oauth,
}

/// Which failures are tried again.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// `tries` counts those after the first.
    pub plan: Plan,
    pub rate_limited: bool,
    pub server_error: bool,
    pub no_answer: bool,
    /// The least wait after a 429 without `Retry-After`.
    pub unnamed: Duration,
}

impl Retry {
    /// Nothing is tried again.
    pub const NEVER: Self = Self {
        plan: Plan {
            least: Duration::ZERO,
            first: Duration::ZERO,
            longest: Duration::ZERO,
            give_up: Duration::ZERO,
            tries: 0,
        },
        rate_limited: false,
        server_error: false,
        no_answer: false,
        unnamed: Duration::ZERO,
    };
}

/// A `Retry-After` beyond this is not waited for: the errand fails and says so.
pub const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// A token that is dead by our clock, though its keeper thinks that it lives, is asked for again so often …
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// … and for so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Refused values remembered.
const REMEMBERED: usize = 8;

/// A call to make.
#[derive(Clone, Debug)]
pub struct Errand {
    /// For the audit: `session.create`.
    pub action: &'static str,
    pub call: Call,
    pub auth: Auth,
    pub retry: Retry,
    /// It carries a message of the guest, which is told as sent when it leaves for the first time.
    pub message: bool,
}

/// How an errand ended.
#[derive(Debug)]
pub struct Done<'a, K> {
    pub kind: K,
    pub attempts: u32,
    /// From the first attempt's begin to this end.
    pub took: Duration,
    pub result: Result<(u16, &'a [u8]), Failure>,
    /// The session that wanted it is over.
    pub late: bool,
}

/// Why an errand failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// There is no OAuth token to be had.
    NoBearer(Report),
    /// The server refused it, for the last time.
    Refused { status: u16, text: String, attempts: u32 },
    /// No answer came, for the last time.
    NoAnswer(Report),
}

impl Failure {
    /// A sentence for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::NoBearer(report) => format!("no OAuth token: {}", report.what),
            Self::Refused { status, text, attempts: 1 } => format!("{status} {text}"),
            Self::Refused { status, text, attempts } => format!("{status} {text} (after {attempts} tries)"),
            Self::NoAnswer(report) => report.to_string(),
        }
    }

    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// As a report, with what usually helps against it.
    pub fn report(&self, code: &str, title: &str) -> Report {
        let report = Report::new(code, title, format!("{}.", self.sentence().trim_end_matches('.')));
        match (self, self.status()) {
            (Self::NoBearer(why), _) => why.remedies.iter().fold(report, |report, remedy| report.remedy(remedy.clone())),
            (_, Some(400)) => report.remedy("Look at the field that the answer names."),
            (_, Some(401)) => report.remedy("Look at the token of the call: whose it is, and when it ended."),
            (_, Some(403)) => report.remedy("Compare the scopes that were granted with what the call needs, and look whether the client may use the queue."),
            (_, Some(404)) => report.remedy("Look at the ids in the address: the server does not know one of them."),
            (_, Some(429)) => report.remedy("Wait, or spread the calls: the limit was still reached after the last try."),
            (_, Some(500..)) => report.remedy("The server failed. Try again later, and quote the answer's contextId to whoever runs it."),
            (Self::NoAnswer(why), _) => why.remedies.iter().fold(report, |report, remedy| report.remedy(remedy.clone())),
            _ => report,
        }
    }

    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::NoBearer(_) => ErrorCategory::Auth,
            Self::Refused { status, .. } => ErrorCategory::of_status(*status).unwrap_or(ErrorCategory::Server),
            Self::NoAnswer(_) => ErrorCategory::Network,
        }
    }
}

#[derive(Debug)]
enum Stage {
    /// It waits for a bearer.
    Bearer,
    /// Until it may be tried again, or the budget allows it.
    Pause(Mono),
    Flight {
        call: CallId,
        sent: Now,
        bearer: Option<Carried>,
    },
}

/// The bearer that a call left with.
type Carried = (u64, Secret<String>);

#[derive(Debug)]
struct Open<K> {
    kind: K,
    errand: Errand,
    stage: Stage,
    begun: Option<Now>,
    attempts: u32,
    backoff: Backoff,
    /// A bearer was refused for it already.
    refused: bool,
    /// Status and text of the answer after which it is tried again.
    last: Option<(u16, String)>,
    /// Its wait for the budget was told.
    told: bool,
    /// The session that wanted it is over: it is not tried again.
    orphan: bool,
}

/// The errands of one session.
#[derive(Debug)]
pub struct Errands<K> {
    open: Vec<Open<K>>,
    last_call: u64,
    bearer: Option<Bearer>,
    /// The newest bearer that must not be sent any more: it was refused, or taken back.
    dead: u64,
    /// What a server refused is not sent again, whatever number it has: a refusal may come late, and the very token
    /// may have been given again since.
    refused: VecDeque<Secret<String>>,
    /// A bearer was asked for, and no news came since.
    asked: bool,
    /// The bearer that was given is dead by our clock.
    stale: Option<Stale>,
    /// The newest bearer that the server took.
    accepted: u64,
    chance: Seeded,
    /// What audit facts say of the session.
    pub ids: AuditIds,
    /// Shared by all who call for the same client.
    budget: Option<SharedBudget>,
    /// Those that failed without an answer of their own.
    fallen: VecDeque<Done<'static, K>>,
    pub counts: Counts,
}

#[derive(Clone, Copy, Debug)]
struct Stale {
    since: Mono,
    again: Mono,
}

/// What was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub requests: u64,
    pub failures: u64,
    pub retries: u64,
    /// Messages of the guest that left as calls.
    pub messages: u64,
}

impl<K: Clone> Errands<K> {
    pub fn new(seed: u64) -> Self {
        Self {
            open: Vec::new(),
            last_call: 0,
            bearer: None,
            dead: 0,
            refused: VecDeque::new(),
            asked: false,
            stale: None,
            accepted: 0,
            chance: Seeded::new(seed),
            ids: AuditIds::default(),
            budget: None,
            fallen: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// Calls wait until this allows them.
    pub fn with_budget(mut self, budget: SharedBudget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Begins an errand, which leaves with the next [`Errands::go`].
    pub fn begin(&mut self, kind: K, errand: Errand) {
        self.open.push(Open {
            kind,
            backoff: Backoff::new(errand.retry.plan, self.chance.number()),
            errand,
            stage: Stage::Bearer,
            begun: None,
            attempts: 0,
            refused: false,
            last: None,
            told: false,
            orphan: false,
        });
    }

    /// The OAuth token at hand, where it may be sent now.
    pub fn live(&self, at: At) -> Option<&Bearer> {
        self.bearer.as_ref().filter(|b| b.is_alive(at.server))
    }

    /// Some errand of this kind is under way.
    pub fn any(&self, of: impl Fn(&K) -> bool) -> bool {
        self.open.iter().any(|o| !o.orphan && of(&o.kind))
    }

    /// The server refused the bearer of this number for something that is no errand.
    pub fn refuse(&mut self, number: u64, out: &mut Vec<Action>) {
        self.bury(number);
        out.push(Action::BearerRefused { number });
    }

    /// The server refused this very token, which may be the bearer at hand: then its number is given.
    pub fn spurn(&mut self, token: &Secret<String>) -> Option<u64> {
        if !self.refused.contains(token) {
            self.refused.push_back(token.clone());
            if self.refused.len() > REMEMBERED {
                self.refused.pop_front();
            }
        }
        let number = self.bearer.as_ref().filter(|b| b.token == *token)?.number;
        self.bury(number);
        Some(number)
    }

    /// Another bearer than that of this number is needed, though nobody refused it.
    pub fn replace(&mut self, number: u64, out: &mut Vec<Action>) {
        self.bury(number);
        out.push(Action::BearerReplace { number });
    }

    /// The bearer of this number was refused or taken back.
    pub fn is_dead(&self, number: u64) -> bool {
        number <= self.dead
    }

    /// News of the OAuth token.
    pub fn news(&mut self, at: At, news: BearerNews, out: &mut Vec<Action>) {
        match news {
            BearerNews::None => {}
            // Told before its refusal was heard of: better news follow.
            BearerNews::Granted(bearer) if self.is_dead(bearer.number) => {}
            BearerNews::Granted(bearer) if self.refused.contains(&bearer.token) => self.refuse(bearer.number, out),
            BearerNews::Granted(bearer) => {
                self.asked = false;
                self.stale = (!bearer.is_alive(at.server)).then(|| Stale {
                    since: self.stale.map_or(at.now.mono, |stale| stale.since),
                    again: at.now.mono + ASK_AGAIN,
                });
                self.bearer = Some(bearer);
            }
            BearerNews::Dead { number } => {
                self.bury(number);
                // It may have taken the place of the news that were asked for.
                self.asked = false;
            }
            BearerNews::Denied { report } => {
                self.asked = false;
                self.fail_waiting(at, &report, out);
            }
        }
    }

    /// An answer to one of the calls; none where the call is not ours, or goes on.
    pub fn answer<'a>(
        &mut self,
        at: At,
        (call, status, retry_after): (CallId, u16, Option<Duration>),
        body: &'a [u8],
        out: &mut Vec<Action>,
    ) -> Option<Done<'a, K>> {
        let (mut open, sent, bearer) = self.landed(call)?;
        let latency = at.now.mono.since(sent.mono);
        let orphan = open.orphan;
        let done = if (200..300).contains(&status) {
            if let Some((number, _)) = bearer.filter(|(number, _)| *number > self.accepted) {
                self.accepted = number;
                out.push(Action::BearerAccepted { number });
            }
            if orphan {
                learn_tokens(body, out);
            }
            self.audit(&open, AuditOutcome::Success, Some(status), latency, None, out);
            let took = open.begun.map_or(latency, |b| at.now.mono.since(b.mono));
            Done { kind: open.kind, attempts: open.attempts, took, result: Ok((status, body)), late: orphan }
        } else {
            let text = message_of(status, body);
            let again = match (status, bearer) {
                (401, Some(carried)) => self.another_bearer(&mut open, &carried, body, out),
                (401, None) => {
                    self.own_token_refused(&open, body, out);
                    false
                }
                _ if orphan => false,
                (429, _) if open.errand.retry.rate_limited => {
                    let least = retry_after.unwrap_or(open.errand.retry.unnamed);
                    pause(&mut open, at, least)
                }
                (500.., _) if open.errand.retry.server_error => pause(&mut open, at, retry_after.unwrap_or_default()),
                _ => false,
            };
            if again && !orphan {
                self.counts.retries += 1;
                self.audit(&open, AuditOutcome::Retry, Some(status), latency, Some(text.clone()), out);
                open.last = Some((status, text));
                self.open.push(open);
                return None;
            }
            let attempts = open.attempts;
            self.failed(at, open, Failure::Refused { status, text, attempts }, latency, out)
        };
        Some(done)
    }

    /// No answer came to one of the calls.
    pub fn no_answer(
        &mut self,
        at: At,
        call: CallId,
        report: &Report,
        out: &mut Vec<Action>,
    ) -> Option<Done<'static, K>> {
        let (mut open, sent, _) = self.landed(call)?;
        let latency = at.now.mono.since(sent.mono);
        if !open.orphan && open.errand.retry.no_answer && pause(&mut open, at, Duration::ZERO) {
            self.counts.retries += 1;
            self.audit(&open, AuditOutcome::Retry, None, latency, Some(report.to_string()), out);
            self.open.push(open);
            return None;
        }
        Some(self.failed(at, open, Failure::NoAnswer(report.clone()), latency, out))
    }

    pub fn wait(&self, at: At) -> Option<Duration> {
        let pauses = self.open.iter().filter_map(|o| match o.stage {
            Stage::Pause(until) => Some(until.since(at.now.mono)),
            _ => None,
        });
        let stale = self.stale.filter(|_| self.open.iter().any(waits_for_bearer)).map(|stale| {
            let end = stale.since + PATIENCE;
            if self.asked { end } else { stale.again.min(end) }.since(at.now.mono)
        });
        pauses.chain(stale).min()
    }

    /// Takes back what has not left yet, with the tries that were made of it.
    pub fn recall(&mut self, of: impl Fn(&K) -> bool) -> Vec<(K, u32)> {
        let goes = |o: &Open<K>| !matches!(o.stage, Stage::Flight { .. }) && of(&o.kind);
        let (gone, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.open).into_iter().partition(goes);
        self.open = rest;
        gone.into_iter().map(|o| (o.kind, o.attempts)).collect()
    }

    /// The session is over. What has not left is dropped, and told as failed; what has left is not tried again, and its
    /// end is told as [`Done::late`]. Those to `keep` go on.
    pub fn end(&mut self, at: At, keep: impl Fn(&K) -> bool, out: &mut Vec<Action>) {
        for mut open in std::mem::take(&mut self.open) {
            if keep(&open.kind) {
                self.open.push(open);
            } else if matches!(open.stage, Stage::Flight { .. }) {
                open.orphan = true;
                self.open.push(open);
            } else {
                let report = Report::new("ended", "It was not sent", "The session ended first.");
                self.failed(at, open, Failure::NoAnswer(report), Duration::ZERO, out);
            }
        }
        self.fallen.retain(|done| keep(&done.kind));
    }

    /// Sends whatever may leave now, and gives an errand that failed without an answer of its own. To be called until
    /// it gives none.
    pub fn go(&mut self, at: At, out: &mut Vec<Action>) -> Option<Done<'static, K>> {
        let waits = self.open.iter().any(waits_for_bearer);
        self.stale = self.stale.filter(|_| waits);
        if let Some(stale) = self.stale.filter(|stale| at.now.mono.since(stale.since) >= PATIENCE) {
            let report = self.clocks_differ(at, stale);
            self.stale = None;
            self.fail_waiting(at, &report, out);
        }
        self.send(at, out);
        self.fallen.pop_front()
    }

    fn send(&mut self, at: At, out: &mut Vec<Action>) {
        let live = self.bearer.as_ref().filter(|b| b.is_alive(at.server));
        for open in &mut self.open {
            match open.stage {
                Stage::Flight { .. } => continue,
                Stage::Pause(until) if until > at.now.mono => continue,
                Stage::Pause(_) | Stage::Bearer => open.stage = Stage::Bearer,
            }
            let bearer = live.filter(|_| open.errand.auth == Auth::Oauth);
            if bearer.is_none() && open.errand.auth == Auth::Oauth {
                if !self.asked && self.stale.is_none_or(|stale| stale.again <= at.now.mono) {
                    self.asked = true;
                    out.push(Action::NeedBearer);
                }
                continue;
            }
            if let Some(budget) = &self.budget {
                let taken = budget.lock().unwrap_or_else(PoisonError::into_inner).try_spend(at.now.mono);
                if let Err(wait) = taken {
                    open.stage = Stage::Pause(at.now.mono + wait);
                    if !std::mem::replace(&mut open.told, true) {
                        let why = format!("{}: the limit of requests per minute is reached", open.errand.action);
                        out.push(Action::State(Fact::Waiting { why, millis: wait.as_millis() as u64 }));
                    }
                    continue;
                }
            }
            let mut request = open.errand.call.clone();
            if let Some(bearer) = bearer {
                request.headers.push(("authorization".into(), format!("Bearer {}", bearer.token.expose())));
            }
            self.last_call += 1;
            let call = CallId(self.last_call);
            open.begun.get_or_insert(at.now);
            open.attempts += 1;
            open.told = false;
            open.stage = Stage::Flight { call, sent: at.now, bearer: bearer.map(|b| (b.number, b.token.clone())) };
            self.counts.requests += 1;
            if let (true, 1, Some(tracing)) = (open.errand.message, open.attempts, &request.tracing) {
                self.counts.messages += 1;
                let sent = DeliveryChange { tracing: tracing.clone(), delivery: Delivery::Sent };
                out.push(Action::State(Fact::Delivery(sent)));
            }
            out.push(Action::Call { call, request });
        }
    }

    /// The bearer of this number, and all before it, must not be sent any more.
    fn bury(&mut self, number: u64) {
        self.dead = self.dead.max(number);
        self.bearer = self.bearer.take().filter(|b| b.number > self.dead);
    }

    fn fail_waiting(&mut self, at: At, report: &Report, out: &mut Vec<Action>) {
        let (gone, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.open).into_iter().partition(waits_for_bearer);
        self.open = rest;
        for mut open in gone {
            let attempts = open.attempts;
            let failure = match open.last.take() {
                Some((status, text)) => {
                    let text = format!("{text} – and then there was no OAuth token: {}", report.what);
                    Failure::Refused { status, text, attempts }
                }
                None => Failure::NoBearer(report.clone()),
            };
            let done = self.failed(at, open, failure, Duration::ZERO, out);
            self.fallen.push_back(done);
        }
    }

    fn clocks_differ(&self, at: At, stale: Stale) -> Report {
        let until = self.bearer.as_ref().and_then(|b| b.until);
        let dead = until.map_or(0, |until| at.server.micros_since(until) / 1_000_000);
        let asked = at.now.mono.since(stale.since).as_secs();
        let end = match dead {
            0.. => format!("ended {dead} s ago"),
            _ => format!("has {} s left, less than is kept in reserve", -dead),
        };
        let what =
            format!("By this session's idea of the server's clock the token that it was given {end}, for {asked} s.");
        Report::new("token-stale", "The OAuth token is dead by this session's clock", what).remedy(
            "Look at the skew of the clocks: the server that gives tokens and the one that takes them may differ.",
        )
    }

    fn landed(&mut self, id: CallId) -> Option<(Open<K>, Now, Option<Carried>)> {
        let n = self.open.iter().position(|o| matches!(o.stage, Stage::Flight { call, .. } if call == id))?;
        let open = self.open.remove(n);
        let Stage::Flight { sent, bearer, .. } = open.stage else { return None };
        Some((Open { stage: Stage::Bearer, ..open }, sent, bearer))
    }

    /// After a 401: the credential is told, and the call waits for another token, once.
    fn another_bearer(
        &mut self,
        open: &mut Open<K>,
        (number, token): &Carried,
        body: &[u8],
        out: &mut Vec<Action>,
    ) -> bool {
        if !is_about_bearer(body) {
            return false;
        }
        // The very same may be at hand under another number by now.
        let again = self.spurn(token);
        self.refuse(again.unwrap_or(*number), out);
        // The news of a token will come for this too.
        self.asked = true;
        !std::mem::replace(&mut open.refused, true)
    }

    /// After a 401 for a token that the flow put into the call itself: it may be the OAuth token.
    fn own_token_refused(&mut self, open: &Open<K>, body: &[u8], out: &mut Vec<Action>) {
        let headers = &open.errand.call.headers;
        let bearer = headers.iter().filter(|(name, _)| name == "authorization");
        let Some(token) = bearer.filter_map(|(_, value)| value.strip_prefix("Bearer ")).next() else { return };
        if !is_about_bearer(body) {
            return;
        }
        let number = self.spurn(&Secret::from(token));
        // What follows for a session that lives, its flow knows.
        out.extend(number.filter(|_| open.orphan).map(|number| Action::BearerRefused { number }));
    }

    fn failed(
        &mut self,
        at: At,
        open: Open<K>,
        failure: Failure,
        latency: Duration,
        out: &mut Vec<Action>,
    ) -> Done<'static, K> {
        self.counts.failures += 1;
        let mut fact = self.audit_of(&open, AuditOutcome::Failed, failure.status(), latency);
        fact.error = Some(failure.sentence());
        fact.category = Some(failure.category());
        out.push(Action::State(Fact::Audit(fact)));
        let took = open.begun.map_or(Duration::ZERO, |b| at.now.mono.since(b.mono));
        Done { kind: open.kind, attempts: open.attempts, took, result: Err(failure), late: open.orphan }
    }

    fn audit(
        &self,
        open: &Open<K>,
        outcome: AuditOutcome,
        status: Option<u16>,
        latency: Duration,
        error: Option<String>,
        out: &mut Vec<Action>,
    ) {
        let mut fact = self.audit_of(open, outcome, status, latency);
        fact.category = match (&error, status) {
            (None, _) => None,
            (_, Some(status)) => ErrorCategory::of_status(status),
            (_, None) => Some(ErrorCategory::Network),
        };
        fact.error = error;
        out.push(Action::State(Fact::Audit(fact)));
    }

    fn audit_of(&self, open: &Open<K>, outcome: AuditOutcome, status: Option<u16>, latency: Duration) -> Audit {
        let key = open.errand.call.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("idempotency-key"));
        Audit {
            action: open.errand.action.to_owned(),
            outcome,
            attempt: open.attempts,
            status,
            latency_us: latency.as_micros() as u64,
            error: None,
            category: None,
            ids: self.ids.clone(),
            idempotency_key: key.map(|(_, value)| value.clone()),
        }
    }
}

fn waits_for_bearer<K>(open: &Open<K>) -> bool {
    matches!(open.stage, Stage::Bearer) && open.errand.auth == Auth::Oauth
}

/// Lets it wait for its next try; false where there is none.
fn pause<K>(open: &mut Open<K>, at: At, least: Duration) -> bool {
    if least > LONGEST_WAIT {
        return false;
    }
    match open.backoff.next(at.now.mono) {
        Some(wait) => {
            open.stage = Stage::Pause(at.now.mono + wait.max(least));
            true
        }
        None => false,
    }
}

/// A 401 may be about a token in the body instead; the known text says so.
fn is_about_bearer(body: &[u8]) -> bool {
    !String::from_utf8_lossy(body).to_ascii_lowercase().contains("session token")
}

/// What an error's body says, in few words.
pub fn message_of(status: u16, body: &[u8]) -> String {
    let json = serde_json::from_slice::<serde_json::Value>(body).ok();
    let member = |name: &str| json.as_ref().and_then(|v| v.get(name)).and_then(|v| v.as_str());
    let told = member("message").or_else(|| member("error_description")).or_else(|| member("error"));
    let text = match told {
        Some(text) => text.to_owned(),
        None => String::from_utf8_lossy(body).into_owned(),
    };
    let text: String = text.trim().chars().take(300).collect();
    if text.is_empty() { format!("(no text with the {status})") } else { text }
}
