//! HTTP calls of a flow, each with its bearer and its retries: an errand ends in an answer or in a failure with its
//! reason, never in silence.
//!
//! A bearer is looked at before each call leaves: one that is dead by the server's clock is never sent. After a 401
//! the credential is told, and the call is made once more with another token. What is retried beside that, how often
//! and after what wait, the flow says. Every attempt is stated as an audit fact.

use std::sync::PoisonError;
use std::time::Duration;

use super::backoff::{Backoff, Plan};
use super::flow::SharedBudget;
use super::seeded::Seeded;
use super::{Action, At, Bearer, BearerNews, Call, CallId};
use crate::model::fact::{Audit, AuditIds, AuditOutcome, ErrorCategory};
use crate::model::{Fact, Mono, Now, Report};

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
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// A call to make.
#[derive(Clone, Debug)]
pub struct Errand {
    /// For the audit: `session.create`.
    pub action: &'static str,
    pub call: Call,
    pub auth: Auth,
    pub retry: Retry,
}

/// How an errand ended.
#[derive(Debug)]
pub struct Done<'a, K> {
    pub kind: K,
    pub attempts: u32,
    /// From the first attempt's begin to this end.
    pub took: Duration,
    pub result: Result<(u16, &'a [u8]), Failure>,
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
        bearer: Option<u64>,
    },
}

#[derive(Debug)]
struct Open<K> {
    kind: K,
    errand: Errand,
    stage: Stage,
    begun: Option<Now>,
    attempts: u32,
    backoff: Backoff,
    /// The bearer of this number was refused for it.
    refused: Option<u64>,
}

/// The errands of one session.
#[derive(Debug)]
pub struct Errands<K> {
    open: Vec<Open<K>>,
    last_call: u64,
    bearer: Option<Bearer>,
    /// A bearer was asked for, and no news came since.
    asked: bool,
    /// The newest bearer that the server took.
    accepted: u64,
    chance: Seeded,
    /// What audit facts say of the session.
    pub ids: AuditIds,
    /// Shared by all who call for the same client.
    budget: Option<SharedBudget>,
    pub counts: Counts,
}

/// What was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub requests: u64,
    pub failures: u64,
    pub retries: u64,
}

impl<K: Clone> Errands<K> {
    pub fn new(seed: u64) -> Self {
        Self {
            open: Vec::new(),
            last_call: 0,
            bearer: None,
            asked: false,
            accepted: 0,
            chance: Seeded::new(seed),
            ids: AuditIds::default(),
            budget: None,
            counts: Counts::default(),
        }
    }

    /// Calls wait until this allows them.
    pub fn with_budget(mut self, budget: SharedBudget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Begins an errand. An OAuth token is asked for where it needs one and there is none.
    pub fn begin(&mut self, at: At, kind: K, errand: Errand, out: &mut Vec<Action>) {
        let backoff = Backoff::new(errand.retry.plan, self.chance.number());
        self.open.push(Open { kind, errand, stage: Stage::Bearer, begun: None, attempts: 0, backoff, refused: None });
        self.pump(at, out);
    }

    /// Asks for an OAuth token though no call needs one now.
    pub fn want_bearer(&mut self, at: At, out: &mut Vec<Action>) {
        if self.live(at).is_none() && !self.asked {
            self.asked = true;
            out.push(Action::NeedBearer);
        }
    }

    /// The OAuth token at hand, where it may be sent now.
    pub fn live(&self, at: At) -> Option<&Bearer> {
        self.bearer.as_ref().filter(|b| b.is_alive(at.server))
    }

    pub fn bearer(&self) -> Option<&Bearer> {
        self.bearer.as_ref()
    }

    /// Some errand of this kind is under way.
    pub fn any(&self, of: impl Fn(&K) -> bool) -> bool {
        self.open.iter().any(|o| of(&o.kind))
    }

    /// News of the OAuth token. Gives the errands that failed of it.
    pub fn news(&mut self, at: At, news: BearerNews, out: &mut Vec<Action>) -> Vec<Done<'static, K>> {
        let mut failed = Vec::new();
        match news {
            BearerNews::None => {}
            BearerNews::Granted(bearer) => {
                self.asked = false;
                self.bearer = Some(bearer);
            }
            BearerNews::Dead { number } => {
                if self.bearer.as_ref().is_some_and(|b| b.number == number) {
                    self.bearer = None;
                }
            }
            BearerNews::Denied { report } => {
                self.asked = false;
                let waits = |o: &Open<K>| matches!(o.stage, Stage::Bearer) && o.errand.auth == Auth::Oauth;
                let (gone, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.open).into_iter().partition(waits);
                self.open = rest;
                for open in gone {
                    failed.push(self.failed(at, open, Failure::NoBearer(report.clone()), out));
                }
            }
        }
        self.pump(at, out);
        failed
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
        let done = if (200..300).contains(&status) {
            if let Some(number) = bearer.filter(|number| *number > self.accepted) {
                self.accepted = number;
                out.push(Action::BearerAccepted { number });
            }
            self.audit(&open, AuditOutcome::Success, Some(status), latency, None, out);
            let took = open.begun.map_or(latency, |b| at.now.mono.since(b.mono));
            Some(Done { kind: open.kind, attempts: open.attempts, took, result: Ok((status, body)) })
        } else {
            let text = message_of(status, body);
            let again = match (status, bearer) {
                (401, Some(number)) => self.another_bearer(&mut open, number, body, out),
                (429, _) if open.errand.retry.rate_limited => {
                    let least = retry_after.unwrap_or(open.errand.retry.unnamed);
                    pause(&mut open, at, least)
                }
                (500.., _) if open.errand.retry.server_error => pause(&mut open, at, retry_after.unwrap_or_default()),
                _ => false,
            };
            if again {
                self.counts.retries += 1;
                self.audit(&open, AuditOutcome::Retry, Some(status), latency, Some(text), out);
                self.open.push(open);
                None
            } else {
                let attempts = open.attempts;
                Some(self.failed_at(at, open, Failure::Refused { status, text, attempts }, latency, out))
            }
        };
        self.pump(at, out);
        done
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
        let done = if open.errand.retry.no_answer && pause(&mut open, at, Duration::ZERO) {
            self.counts.retries += 1;
            self.audit(&open, AuditOutcome::Retry, None, latency, Some(report.to_string()), out);
            self.open.push(open);
            None
        } else {
            Some(self.failed_at(at, open, Failure::NoAnswer(report.clone()), latency, out))
        };
        self.pump(at, out);
        done
    }

    pub fn tick(&mut self, at: At, out: &mut Vec<Action>) {
        self.pump(at, out);
    }

    pub fn wait(&self, at: At) -> Option<Duration> {
        self.open
            .iter()
            .filter_map(|o| match o.stage {
                Stage::Pause(until) => Some(until.since(at.now.mono)),
                _ => None,
            })
            .min()
    }

    /// Drops all of some kind that are not in flight; whoever waits for them is told by the owner.
    pub fn drop_waiting(&mut self, of: impl Fn(&K) -> bool) -> Vec<K> {
        let goes = |o: &Open<K>| !matches!(o.stage, Stage::Flight { .. }) && of(&o.kind);
        let (gone, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.open).into_iter().partition(goes);
        self.open = rest;
        gone.into_iter().map(|o| o.kind).collect()
    }

    /// Sends whatever may leave now.
    fn pump(&mut self, at: At, out: &mut Vec<Action>) {
        for n in 0..self.open.len() {
            let Some(open) = self.open.get_mut(n) else { break };
            match open.stage {
                Stage::Flight { .. } => continue,
                Stage::Pause(until) if until > at.now.mono => continue,
                Stage::Pause(_) | Stage::Bearer => open.stage = Stage::Bearer,
            }
            let bearer = match open.errand.auth {
                Auth::None => None,
                Auth::Oauth => match self.bearer.as_ref().filter(|b| b.is_alive(at.server)) {
                    // Never the one that was refused.
                    Some(bearer) if open.refused.is_none_or(|refused| bearer.number > refused) => Some(bearer),
                    _ => {
                        if !self.asked {
                            self.asked = true;
                            out.push(Action::NeedBearer);
                        }
                        continue;
                    }
                },
            };
            if let Some(budget) = &self.budget {
                let taken = budget.lock().unwrap_or_else(PoisonError::into_inner).try_spend(at.now.mono);
                if let Err(wait) = taken {
                    open.stage = Stage::Pause(at.now.mono + wait);
                    let why = format!("{}: the limit of requests per minute is reached", open.errand.action);
                    out.push(Action::State(Fact::Waiting { why, millis: wait.as_millis() as u64 }));
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
            open.stage = Stage::Flight { call, sent: at.now, bearer: bearer.map(|b| b.number) };
            self.counts.requests += 1;
            out.push(Action::Call { call, request });
        }
    }

    fn landed(&mut self, id: CallId) -> Option<(Open<K>, Now, Option<u64>)> {
        let n = self.open.iter().position(|o| matches!(o.stage, Stage::Flight { call, .. } if call == id))?;
        let open = self.open.remove(n);
        let Stage::Flight { sent, bearer, .. } = open.stage else { return None };
        Some((Open { stage: Stage::Bearer, ..open }, sent, bearer))
    }

    /// After a 401: the credential is told, and the call waits for another token, once.
    fn another_bearer(&mut self, open: &mut Open<K>, number: u64, body: &[u8], out: &mut Vec<Action>) -> bool {
        if !is_about_bearer(body) {
            return false;
        }
        if self.bearer.as_ref().is_some_and(|b| b.number == number) {
            self.bearer = None;
        }
        out.push(Action::BearerRefused { number });
        // The news of a token will come for this too.
        self.asked = true;
        open.refused.replace(number).is_none()
    }

    fn failed(&mut self, at: At, open: Open<K>, failure: Failure, out: &mut Vec<Action>) -> Done<'static, K> {
        self.failed_at(at, open, failure, Duration::ZERO, out)
    }

    fn failed_at(
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
        Done { kind: open.kind, attempts: open.attempts, took, result: Err(failure) }
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
