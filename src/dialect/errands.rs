//! HTTP calls of a flow, each with its bearer and its retries: an errand ends in an answer or in a failure with its
//! reason, never in silence.
//!
//! A bearer is looked at before each call leaves: one that is dead by the server's clock, or was refused, is never
//! sent. After a 401 the credential is told, and the call is made once more with another token. What is retried beside
//! that, how often and after what wait, the flow says. Every attempt is stated as an audit fact.
//!
//! Nothing leaves before the flow has taken in all that a step brought: it calls [`Errands::go`] as the last thing of
//! each step.

mod bearer;
mod failure;

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Duration;

use super::backoff::{Backoff, Plan};
use super::flow::{SharedBudget, learn_tokens};
use super::seeded::Seeded;
use super::{Action, At, Bearer, BearerNews, Call, CallId, Input};
use crate::model::fact::{Audit, AuditIds, AuditOutcome, Delivery, DeliveryChange, ErrorCategory};
use crate::model::{Fact, Mono, Now, Report, Secret};

use bearer::{PATIENCE, Stale};
pub use failure::{Failure, code_of, message_of};

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

impl Errand {
    /// With the OAuth token, and tried once.
    pub fn new(action: &'static str, call: Call) -> Self {
        Self { action, call, auth: Auth::Oauth, retry: Retry::NEVER, message: false }
    }
}

/// How an errand ended.
#[derive(Debug)]
pub struct Done<'a, K> {
    pub kind: K,
    pub attempts: u32,
    /// From the first attempt's begin to this end.
    pub took: Duration,
    pub result: Result<(u16, &'a [u8]), Failure>,
    /// The last answer's word on when to try again.
    pub after: Option<Duration>,
    /// The session that wanted it is over.
    pub late: bool,
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
    /// Status, text and code of the answer after which it is tried again.
    last: Option<(u16, String, String)>,
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

    /// Begins an errand, where there is one; it leaves with the next [`Errands::go`].
    pub fn begin(&mut self, kind: K, errand: impl Into<Option<Errand>>) {
        let Some(errand) = errand.into() else { return };
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

    /// Some errand of this kind is under way.
    pub fn any(&self, of: impl Fn(&K) -> bool) -> bool {
        self.open.iter().any(|o| !o.orphan && of(&o.kind))
    }

    /// What an input ended: the answer to one of the calls, or that none came. None where it is something else, the call
    /// is not ours, or goes on.
    pub fn ended<'a>(&mut self, at: At, input: &Input<'a>, out: &mut Vec<Action>) -> Option<Done<'a, K>> {
        match input {
            Input::Answer { call, status, retry_after, body } => {
                let done = self.answer(at, (*call, *status, *retry_after), body, out)?;
                Some(Done { after: *retry_after, ..done })
            }
            Input::CallFailed { call, report } => self.no_answer(at, *call, report, out),
            _ => None,
        }
    }

    fn answer<'a>(
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
            Done {
                kind: open.kind,
                attempts: open.attempts,
                took,
                result: Ok((status, body)),
                after: None,
                late: orphan,
            }
        } else {
            let (text, code) = (message_of(status, body), code_of(body));
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
                open.last = Some((status, text, code));
                self.open.push(open);
                return None;
            }
            let attempts = open.attempts;
            self.failed(at, open, Failure::Refused { status, text, code, attempts }, latency, out)
        };
        Some(done)
    }

    fn no_answer(&mut self, at: At, call: CallId, report: &Report, out: &mut Vec<Action>) -> Option<Done<'static, K>> {
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
        self.open.extract_if(.., |o| goes(o)).map(|o| (o.kind, o.attempts)).collect()
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

    fn landed(&mut self, id: CallId) -> Option<(Open<K>, Now, Option<Carried>)> {
        let n = self.open.iter().position(|o| matches!(o.stage, Stage::Flight { call, .. } if call == id))?;
        let open = self.open.remove(n);
        let Stage::Flight { sent, bearer, .. } = open.stage else { return None };
        Some((Open { stage: Stage::Bearer, ..open }, sent, bearer))
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
        Done { kind: open.kind, attempts: open.attempts, took, result: Err(failure), after: None, late: open.orphan }
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
