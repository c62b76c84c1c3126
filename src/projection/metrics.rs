//! What a session, or all of them together, tried at servers, and what came of it.
//!
//! Flows state each attempt as an audit fact. Where there are none, the records themselves are counted: HTTP calls with
//! their answers, and messages with the echo that confirms them. Sockets are counted for all.

mod histogram;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

pub use histogram::Histogram;

use crate::model::fact::{AuditOutcome, Delivery, End, ErrorCategory, SessionState};
use crate::model::record::{HttpRequest, HttpResponse};
use crate::model::{DialectId, Fact, Kind, Record, Wall};

/// Actions that are told apart; what comes beyond is counted as [`OTHERS`].
pub const ACTIONS: usize = 32;
pub const OTHERS: &str = "others";
/// Newest samples that are kept, of a session and of all.
pub const SAMPLES: usize = 300;
pub const ALL_SAMPLES: usize = 2_000;
/// Changes of state that are kept; of more, the oldest are counted.
pub const ACTIVITY: usize = 200;
/// Calls without an answer that are remembered.
const IN_FLIGHT: usize = 64;

/// A message and the echo that confirms it.
pub const ECHO: &str = "message.echo";
/// The opening of a socket.
pub const SOCKET: &str = "socket.open";

/// The figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Grows with every change.
    pub changes: u64,
    pub sessions: u64,
    /// Connections that ended while they were up, and not by the user.
    pub disconnections: u64,
    /// How often a call had to wait for a limit, and how long in all.
    pub waits: u64,
    pub waited_ms: u64,
    /// In the order of their first use.
    pub actions: Vec<ActionFigures>,
    /// Errors by category, in the order of [`ErrorCategory::ALL`].
    pub errors: [u64; ErrorCategory::ALL.len()],
    pub all: Histogram,
    /// Newest last.
    pub samples: VecDeque<Sample>,
    samples_kept: usize,
    /// Changes of state, newest last.
    pub activity: VecDeque<Activity>,
    pub activity_left_out: u64,
    /// What the last message and the last renewal of a token were sent as.
    pub forms: [Option<String>; 2],
}

/// One action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionFigures {
    pub name: Arc<str>,
    pub attempts: u64,
    pub errors: u64,
    pub retries: u64,
    pub latency: Histogram,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    pub at: Wall,
    pub micros: u64,
    /// Place in [`Metrics::actions`].
    pub action: u8,
    pub good: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    pub at: Wall,
    pub state: &'static str,
    /// Why, or how it ended; often empty.
    pub why: String,
}

/// Something to be counted.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    Session,
    Disconnected,
    Waited(u64),
    Attempt { at: Wall, action: String, outcome: AuditOutcome, category: Option<ErrorCategory>, micros: Option<u64> },
    State(Activity),
    Form(usize, String),
}

impl Event {
    /// States and forms are of interest only with the session that they are of.
    pub fn is_of_all(&self) -> bool {
        !matches!(self, Self::State(_) | Self::Form(..))
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::keeping(SAMPLES)
    }
}

impl Metrics {
    pub fn keeping(samples: usize) -> Self {
        Self {
            changes: 0,
            sessions: 0,
            disconnections: 0,
            waits: 0,
            waited_ms: 0,
            actions: Vec::new(),
            errors: [0; ErrorCategory::ALL.len()],
            all: Histogram::default(),
            samples: VecDeque::new(),
            samples_kept: samples,
            activity: VecDeque::new(),
            activity_left_out: 0,
            forms: [None, None],
        }
    }

    pub fn attempts(&self) -> u64 {
        self.actions.iter().map(|a| a.attempts).sum()
    }

    pub fn total_errors(&self) -> u64 {
        self.actions.iter().map(|a| a.errors).sum()
    }

    pub fn retries(&self) -> u64 {
        self.actions.iter().map(|a| a.retries).sum()
    }

    pub fn errors_of(&self, category: ErrorCategory) -> u64 {
        ErrorCategory::ALL.iter().zip(&self.errors).find(|(c, _)| **c == category).map_or(0, |(_, n)| *n)
    }

    /// Failed validations of tokens among all errors.
    pub fn validation_failure_rate(&self) -> Option<f64> {
        rate(self.errors_of(ErrorCategory::TokenValidation), self.total_errors())
    }

    pub fn disconnection_rate(&self) -> Option<f64> {
        rate(self.disconnections, self.sessions)
    }

    pub(super) fn take(&mut self, event: Event) {
        self.changes += 1;
        match event {
            Event::Session => self.sessions += 1,
            Event::Disconnected => self.disconnections += 1,
            Event::Waited(millis) => {
                self.waits += 1;
                self.waited_ms = self.waited_ms.saturating_add(millis);
            }
            Event::Attempt { at, action, outcome, category, micros } => {
                self.attempt(at, &action, outcome, category, micros);
            }
            Event::State(activity) => {
                if self.activity.len() == ACTIVITY {
                    self.activity.pop_front();
                    self.activity_left_out += 1;
                }
                self.activity.push_back(activity);
            }
            Event::Form(which, form) => {
                if let Some(place) = self.forms.get_mut(which) {
                    *place = Some(form);
                }
            }
        }
    }

    fn attempt(
        &mut self,
        at: Wall,
        name: &str,
        outcome: AuditOutcome,
        category: Option<ErrorCategory>,
        micros: Option<u64>,
    ) {
        let place = self.place(name);
        let Some(action) = self.actions.get_mut(place) else { return };
        let good = outcome == AuditOutcome::Success;
        action.attempts += 1;
        action.errors += u64::from(!good);
        action.retries += u64::from(outcome == AuditOutcome::Retry);
        if let Some(n) = category.filter(|_| !good).and_then(|c| ErrorCategory::ALL.iter().position(|o| *o == c))
            && let Some(count) = self.errors.get_mut(n)
        {
            *count += 1;
        }
        if let Some(micros) = micros {
            action.latency.add(micros);
            self.all.add(micros);
            if self.samples.len() == self.samples_kept {
                self.samples.pop_front();
            }
            self.samples.push_back(Sample { at, micros, action: place as u8, good });
        }
    }

    /// Where the figures of an action are.
    fn place(&mut self, name: &str) -> usize {
        if let Some(known) = self.actions.iter().position(|a| &*a.name == name) {
            return known;
        }
        if self.actions.len() >= ACTIONS {
            return self.actions.len() - 1;
        }
        // The last place is for whatever comes after it.
        let name = if self.actions.len() + 1 == ACTIONS { OTHERS } else { name };
        self.actions.push(ActionFigures { name: name.into(), ..ActionFigures::default() });
        self.actions.len() - 1
    }
}

fn rate(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// What the fold of a session remembers to read its records.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// Calls on their way: record and what they are for.
    open: VecDeque<(u64, String)>,
    up: bool,
    /// Found in the last record.
    pub events: Vec<Event>,
}

impl Reading {
    /// Looks at a record of a session.
    pub fn record(&mut self, dialect: DialectId, record: &Record) {
        match record.kind {
            Kind::SessionStart => self.events.push(Event::Session),
            Kind::HttpRequest => {
                let Some(head) = record.head_as::<HttpRequest>() else { return };
                for (which, begin) in ["message, ", "refresh, "].into_iter().enumerate() {
                    if let Some(form) = head.purpose.strip_prefix(begin) {
                        self.events.push(Event::Form(which, form.to_owned()));
                    }
                }
                if dialect.is_verified() {
                    if self.open.len() == IN_FLIGHT {
                        self.open.pop_front();
                    }
                    self.open.push_back((record.seq, head.purpose));
                }
            }
            Kind::HttpResponse | Kind::HttpFailed => {
                if let Some(n) = self.open.iter().position(|(seq, _)| *seq == record.reply_to)
                    && let Some((_, purpose)) = self.open.remove(n)
                {
                    self.answer(record, purpose);
                }
            }
            Kind::SocketOpen | Kind::SocketRefused => self.answer(record, SOCKET.to_owned()),
            _ => {}
        }
    }

    /// An answer, or that there was none.
    fn answer(&mut self, record: &Record, action: String) {
        let head = record.head_as::<HttpResponse>();
        let micros = head.as_ref().map(|h| h.wait_us.saturating_add(h.receive_us));
        let failed = match (record.kind, head) {
            (Kind::SocketOpen, _) => None,
            (_, Some(head)) => ErrorCategory::of_status(head.status),
            (_, None) => Some(ErrorCategory::Network),
        };
        self.attempt(record.at.wall, action, failed, micros);
    }

    fn attempt(&mut self, at: Wall, action: String, failed: Option<ErrorCategory>, micros: Option<u64>) {
        let outcome = if failed.is_some() { AuditOutcome::Failed } else { AuditOutcome::Success };
        self.events.push(Event::Attempt { at, action, outcome, category: failed, micros });
    }

    /// The echo of a message of ours.
    pub fn echo(&mut self, dialect: DialectId, at: Wall, micros: u64) {
        if speaks_by_socket(dialect) {
            self.attempt(at, ECHO.to_owned(), None, Some(micros));
        }
    }

    pub fn fact(&mut self, dialect: DialectId, at: Wall, fact: &Fact) {
        match fact {
            Fact::Audit(a) => self.events.push(Event::Attempt {
                at,
                action: a.action.clone(),
                outcome: a.outcome,
                category: a.category,
                // What was refused before it left has taken no time.
                micros: (a.latency_us > 0).then_some(a.latency_us),
            }),
            Fact::State(change) => self.state(at, &change.to, &change.why),
            Fact::Waiting { millis, .. } => self.events.push(Event::Waited(*millis)),
            Fact::Delivery(change) if speaks_by_socket(dialect) => {
                let (outcome, category) = match &change.delivery {
                    Delivery::Sent | Delivery::Delivered => return,
                    Delivery::Retrying { .. } => (AuditOutcome::Retry, ErrorCategory::RateLimit),
                    Delivery::Refused { code, .. } => (AuditOutcome::Failed, category_of(*code)),
                    Delivery::NotSent { .. } => (AuditOutcome::Failed, ErrorCategory::Validation),
                    Delivery::Unconfirmed { .. } => (AuditOutcome::Failed, ErrorCategory::Network),
                };
                let action = ECHO.to_owned();
                self.events.push(Event::Attempt { at, action, outcome, category: Some(category), micros: None });
            }
            _ => {}
        }
    }

    fn state(&mut self, at: Wall, to: &SessionState, why: &str) {
        let mut why = why.to_owned();
        match to {
            SessionState::Connected | SessionState::Configuring | SessionState::Ready | SessionState::ReadOnly => {
                self.up = true;
            }
            SessionState::Reconnecting { .. } | SessionState::Ended(_) => {
                let wanted = matches!(
                    to,
                    SessionState::Ended(End::ByUser | End::LoggedOut | End::Cleared | End::Invalid { .. })
                );
                if std::mem::take(&mut self.up) && !wanted {
                    self.events.push(Event::Disconnected);
                }
                if let SessionState::Ended(end) = to {
                    why = end.sentence();
                }
            }
            SessionState::New | SessionState::Connecting => {}
        }
        self.events.push(Event::State(Activity { at, state: to.word(), why }));
    }
}

/// Messages go over the socket and are confirmed by an echo; no audit fact tells of them.
fn speaks_by_socket(dialect: DialectId) -> bool {
    matches!(dialect, DialectId::WebMessaging | DialectId::GuestResource)
}

/// Codes beyond those of HTTP are of the vendor's own: they refuse what was said.
fn category_of(code: i32) -> ErrorCategory {
    match u16::try_from(code) {
        Ok(4029) => ErrorCategory::RateLimit,
        Ok(status @ 400..600) => ErrorCategory::of_status(status).unwrap_or(ErrorCategory::Validation),
        _ => ErrorCategory::Validation,
    }
}
