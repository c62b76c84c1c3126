//! What the unverified flows have in common: a session made by HTTP calls, with a token of its own beside the OAuth
//! token, told in the same records. Each flow is one file beside this folder; it says what it calls, when it renews
//! and what it checks, and leaves the rest to this.

mod read;
#[cfg(test)]
mod tests;
mod token;

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

pub use read::{frame_line, payload, read};
pub use token::GuestToken;

use super::budget::Budget;
use super::errands::{Auth, Counts, Errand};
use super::{Action, At, Call, Deed, DeskWish, FlowWish, Wish};
use crate::model::environment::{Environment, Limits};
use crate::model::fact::{Audit, AuditIds, AuditOutcome, DeliveryChange, ErrorCategory, NamedId, StateChange, Summary};
use crate::model::fact::{Delivery, End, SessionState};
use crate::model::flows::{GuestForm, Webhook, fill};
use crate::model::{Fact, Report, Secret, SecretKind, Wall};

/// What a flow is made with.
pub struct Config {
    pub environment: Environment,
    /// Base of its calls, without a slash at the end.
    pub base: String,
    /// Base of its socket.
    pub socket_base: String,
    pub form: GuestForm,
    pub seed: u64,
    /// What an earlier session kept, to be resumed.
    pub kept: Option<Secret<String>>,
    pub shared: Shared,
}

impl Config {
    /// The form's queue, else the environment's.
    pub fn queue(&self) -> &str {
        let own = self.form.queue_id.trim();
        if own.is_empty() { self.environment.queue_id.as_deref().unwrap_or_default().trim() } else { own }
    }
}

/// What all sessions of this program share.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    /// Managed conversations that are under way.
    pub managed: Arc<AtomicU32>,
    budgets: Arc<Mutex<Vec<(String, SharedBudget)>>>,
}

/// Requests that may be made, by all together.
pub type SharedBudget = Arc<Mutex<Budget>>;

/// Budgets remembered; the oldest goes.
const BUDGETS: usize = 64;

impl Shared {
    /// The budget of a client's requests a minute to one server; zero for no limit.
    pub fn budget(&self, base: &str, client: &str, per_minute: u32) -> SharedBudget {
        let key = format!("{base} {client} {per_minute}");
        let mut all = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, budget)) = all.iter().find(|(known, _)| *known == key) {
            return budget.clone();
        }
        if all.len() >= BUDGETS {
            all.remove(0);
        }
        let budget = Arc::new(Mutex::new(Budget::new(per_minute, Duration::from_secs(60))));
        all.push((key, budget.clone()));
        budget
    }
}

/// States remembered for the final report.
const STATES: usize = 200;

/// The state of a session and what it tells of itself.
#[derive(Debug)]
pub struct Shell {
    pub state: SessionState,
    begun: Option<At>,
    states: Vec<(Wall, String)>,
    left_out: u64,
    pub sent: u64,
    pub delivered: u64,
    pub refreshes: u64,
    pub heartbeats: u64,
}

impl Default for Shell {
    fn default() -> Self {
        Self {
            state: SessionState::New,
            begun: None,
            states: Vec::new(),
            left_out: 0,
            sent: 0,
            delivered: 0,
            refreshes: 0,
            heartbeats: 0,
        }
    }
}

impl Shell {
    /// A new attempt begins: what was counted before belongs to the one before.
    pub fn begin(&mut self, at: At, counts: &mut Counts, out: &mut Vec<Action>) {
        *counts = Counts::default();
        *self = Self { begun: Some(at), ..Self::default() };
        self.go(at, SessionState::Connecting, "", out);
    }

    pub fn go(&mut self, at: At, to: SessionState, why: &str, out: &mut Vec<Action>) {
        if self.state == to && why.is_empty() {
            return;
        }
        if self.state != to {
            if self.states.len() < STATES {
                self.states.push((at.now.wall, to.word().to_owned()));
            } else {
                self.left_out += 1;
            }
        }
        self.state = to.clone();
        out.push(Action::State(Fact::State(StateChange { to, why: why.to_owned() })));
    }

    /// Something worth a line while the state stays as it is. Of a session that is over, nothing is told any more.
    pub fn remark(&mut self, at: At, why: &str, out: &mut Vec<Action>) {
        if self.is_idle() {
            return;
        }
        let state = self.state.clone();
        self.go(at, state, why, out);
    }

    /// It is over. Told once, with the final report.
    pub fn end(&mut self, at: At, end: End, counts: Counts, out: &mut Vec<Action>) {
        if self.state.is_ended() {
            return;
        }
        self.go(at, SessionState::Ended(end), "", out);
        out.push(Action::State(Fact::Summary(Summary {
            duration_us: self.duration(at).as_micros() as u64,
            requests: counts.requests,
            failures: counts.failures,
            retries: counts.retries,
            refreshes: self.refreshes,
            sent: self.sent + counts.messages,
            delivered: self.delivered,
            heartbeats: self.heartbeats,
            states: self.states.clone(),
            states_left_out: self.left_out,
        })));
    }

    /// Since it began.
    pub fn duration(&self, at: At) -> Duration {
        self.begun.map_or(Duration::ZERO, |begun| at.now.mono.since(begun.now.mono))
    }

    /// Nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.state == SessionState::New || self.state.is_ended()
    }

    pub fn is_ready(&self) -> bool {
        self.state == SessionState::Ready
    }

    /// What became of a message of the guest.
    pub fn deliver(&mut self, tracing: &str, delivery: Delivery, out: &mut Vec<Action>) {
        match delivery {
            Delivery::Sent => self.sent += 1,
            Delivery::Delivered => self.delivered += 1,
            _ => {}
        }
        deliver(tracing, delivery, out);
    }
}

fn deliver(tracing: &str, delivery: Delivery, out: &mut Vec<Action>) {
    out.push(Action::State(Fact::Delivery(DeliveryChange { tracing: tracing.to_owned(), delivery })));
}

/// A message that never left, and why.
pub fn not_sent(tracing: &str, why: impl Into<String>, out: &mut Vec<Action>) {
    deliver(tracing, Delivery::NotSent { why: why.into() }, out);
}

pub fn fault(report: Report, out: &mut Vec<Action>) {
    out.push(Action::State(Fact::Fault(report)));
}

/// Tells a name by which the server knows the session.
pub fn id(name: &str, value: &str, mismatch: Option<String>, out: &mut Vec<Action>) {
    out.push(Action::State(Fact::Id(NamedId { name: name.to_owned(), value: value.to_owned(), mismatch })));
}

/// Something was refused here, before anything was sent: the field, its value and the limit.
pub fn invalid(field: &str, value: impl std::fmt::Display, limit: &str) -> String {
    format!("{field}: {value} – {limit}")
}

/// States that a check failed, with what it counts as.
pub fn failed_check(action: &str, category: ErrorCategory, why: &str, ids: &AuditIds, out: &mut Vec<Action>) {
    out.push(Action::State(Fact::Audit(Audit {
        action: action.to_owned(),
        outcome: AuditOutcome::Failed,
        attempt: 1,
        error: Some(why.to_owned()),
        category: Some(category),
        ids: ids.clone(),
        ..Audit::default()
    })));
}

/// A check failed before anything was sent: that is told, and is the session's end.
pub fn refuse_start(why: String, ids: &AuditIds, out: &mut Vec<Action>) -> End {
    failed_check("session.check", ErrorCategory::Validation, &why, ids, out);
    fault(Report::new("invalid", "Nothing was sent", format!("{why}.")), out);
    End::Invalid { why }
}

/// A path behind a base, its names filled in; an address stands for itself.
pub fn address(base: &str, path: &str, values: &[(&str, &str)]) -> String {
    let path = fill(path, values);
    let is_address = ["http://", "https://", "ws://", "wss://"].iter().any(|scheme| path.starts_with(scheme));
    if is_address { path } else { format!("{base}{path}") }
}

/// What was given, else what is usual.
pub fn or(given: &str, usual: &str) -> String {
    if given.trim().is_empty() { usual.to_owned() } else { given.trim().to_owned() }
}

/// A call with a JSON body.
pub fn json_call(method: &'static str, url: String, body: &Value, purpose: &'static str) -> Call {
    Call {
        method,
        url,
        headers: vec![("content-type".into(), "application/json".into()), ("accept".into(), "application/json".into())],
        body: Bytes::from(body.to_string()),
        purpose,
        ..Call::default()
    }
}

/// The errand of telling an event to the customer system; none where there is no address for it. It is tried once, has
/// a time limit of its own, and what comes of it changes nothing for the session.
pub fn webhook(hook: &Webhook, event: &Value) -> Option<Errand> {
    let url = hook.url.trim();
    if url.is_empty() {
        return None;
    }
    let mut call = json_call("POST", url.to_owned(), event, "webhook");
    call.within = Some(Duration::from_millis(u64::from(hook.within_millis)));
    Some(Errand { auth: Auth::None, ..Errand::new("crm.notify", call) })
}

/// Any other call that a person asks for; where it cannot be made, that is told and there is none.
pub fn request(
    base: &str,
    (method, path, body): (&str, &str, &str),
    values: &[(&str, &str)],
    out: &mut Vec<Action>,
) -> Option<Errand> {
    match request_call(base, method, path, body, values) {
        Ok(call) => Some(Errand::new("request", call)),
        Err(what) => {
            fault(Report::new("bad-request", "The request was not sent", what), out);
            None
        }
    }
}

fn request_call(base: &str, method: &str, path: &str, body: &str, values: &[(&str, &str)]) -> Result<Call, String> {
    let method = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
        .into_iter()
        .find(|m| m.eq_ignore_ascii_case(method.trim()))
        .ok_or_else(|| format!("method: “{method}” is none of GET, HEAD, POST, PUT, PATCH, DELETE."))?;
    if !path.starts_with('/') {
        // Elsewhere the session's bearer has no business.
        return Err(format!("path: “{path}” must begin with /: it stands behind {base}."));
    }
    let url = address(base, path, values);
    if body.trim().is_empty() {
        return Ok(Call { method, url, purpose: "request", ..Call::default() });
    }
    let json = serde_json::from_str::<Value>(body).map_err(|e| format!("body: not JSON: {e}."))?;
    Ok(json_call(method, url, &json, "request"))
}

/// A member of an answer as text; numbers too.
pub fn text_of(value: &Value, name: &str) -> Option<String> {
    match value.get(name)? {
        Value::String(s) if !s.is_empty() => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

/// Whatever calls itself a token in an answer that nobody reads, before anything can tell it.
pub fn learn_tokens(body: &[u8], out: &mut Vec<Action>) {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
    for name in ["sessionToken", "guestToken", "token", "access_token"] {
        let value = body.get(name).and_then(Value::as_str).filter(|v| !v.is_empty()).map(Secret::from);
        out.extend(value.map(|value| Action::Learn { kind: SecretKind::Other, value }));
    }
}

/// Text that cannot be sent, and why.
pub fn check_text(text: &str, limits: &Limits) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err(invalid("text", "empty", "a message says something"));
    }
    let most = limits.message_bytes as usize;
    if most > 0 && text.len() > most {
        return Err(invalid("text", format_args!("{} bytes", text.len()), &format!("at most {most} bytes of UTF-8")));
    }
    Ok(())
}

/// Answers a wish that only an unverified flow could fulfil.
pub fn not_mine(wish: &FlowWish, out: &mut Vec<Action>) {
    match wish {
        FlowWish::Say { tracing, .. } => not_sent(tracing, "this dialect has one form of message only", out),
        _ => fault(no_such_action(), out),
    }
}

/// Answers a wish that this flow's description knows nothing of. `saying`: why a message cannot be sent.
pub fn refuse(wish: &Wish, saying: &str, out: &mut Vec<Action>) {
    match wish {
        Wish::Text { tracing, .. }
        | Wish::Answer { tracing, .. }
        | Wish::Pick { tracing, .. }
        | Wish::Typing { tracing }
        | Wish::Join { tracing }
        | Wish::Clear { tracing }
        | Wish::Flow(FlowWish::Say { tracing, .. })
        | Wish::Desk(DeskWish::In { deed: Deed::Say { tracing, .. } | Deed::Typing { tracing }, .. }) => {
            not_sent(tracing, saying, out);
        }
        _ => fault(no_such_action(), out),
    }
}

/// Answers a wish that comes at the wrong time.
pub fn not_now(why: &str, out: &mut Vec<Action>) {
    fault(Report::new("not-now", "That cannot be done now", format!("{why}.")).remedy("Connect first."), out);
}

fn no_such_action() -> Report {
    Report::new("no-such-action", "This flow cannot do that", "Its description knows no such action.")
}

/// Milliseconds of a setting as a duration.
pub fn millis(n: u32) -> Duration {
    Duration::from_millis(u64::from(n))
}
