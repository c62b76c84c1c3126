use super::*;
use crate::model::fact::{Audit, DeliveryChange, StateChange};
use crate::model::record::SessionStart;
use crate::model::{Direction, Draft, Mono, Now, Report, SessionId};
use crate::projection::Board;

struct Book {
    board: Board,
    seq: u64,
}

impl Book {
    fn new() -> Self {
        Self { board: Board::default(), seq: 0 }
    }

    fn put(&mut self, session: u32, kind: Kind, reply_to: u64, head: &impl serde::Serialize) -> u64 {
        self.seq += 1;
        let now = Now { wall: Wall(1_000_000 * self.seq as i64), mono: Mono(1_000_000 * self.seq) };
        let draft = Draft::new(now, SessionId(session), kind, Direction::Local).head(head).reply_to(reply_to);
        self.board.fold(&Record { seq: self.seq, draft });
        self.seq
    }

    fn start(&mut self, session: u32, dialect: DialectId) {
        let start = serde_json::json!({
            "name": "x", "dialect": dialect, "environment": "e", "deployment_id": "d",
            "hosts": crate::model::Hosts::default(),
        });
        assert!(serde_json::from_value::<SessionStart>(start.clone()).is_ok());
        self.put(session, Kind::SessionStart, 0, &start);
    }

    fn fact(&mut self, session: u32, fact: &Fact) {
        self.put(session, fact.kind(), 0, fact);
    }

    fn state(&mut self, session: u32, to: SessionState) {
        self.fact(session, &Fact::State(StateChange { to, why: String::new() }));
    }

    fn audit(&mut self, session: u32, action: &str, outcome: AuditOutcome, category: Option<ErrorCategory>, ms: u64) {
        let audit = Audit { action: action.into(), outcome, category, latency_us: ms * 1000, ..Audit::default() };
        self.fact(session, &Fact::Audit(audit));
    }

    fn call(&mut self, session: u32, purpose: &str, status: Option<u16>) {
        let head = HttpRequest { purpose: purpose.into(), ..HttpRequest::default() };
        let request = self.put(session, Kind::HttpRequest, 0, &head);
        match status {
            Some(status) => {
                let head = HttpResponse { status, wait_us: 80_000, receive_us: 4_000, ..HttpResponse::default() };
                self.put(session, Kind::HttpResponse, request, &head);
            }
            None => {
                let fault = Fact::Fault(Report::new("f", "No answer", "came"));
                self.put(session, Kind::HttpFailed, request, &fault);
            }
        }
    }

    fn of(&self, session: u32) -> &Metrics {
        &self.board.session(SessionId(session)).unwrap().metrics
    }
}

fn action<'a>(m: &'a Metrics, name: &str) -> &'a ActionFigures {
    m.actions.iter().find(|a| &*a.name == name).unwrap_or_else(|| panic!("{name} in {m:?}"))
}

#[test]
fn attempts_errors_and_retries_are_counted_by_action_and_category() {
    use AuditOutcome::{Failed, Retry, Success};
    let mut b = Book::new();
    b.start(1, DialectId::SignedGuest);
    b.audit(1, "contact.create", Retry, Some(ErrorCategory::RateLimit), 20);
    b.audit(1, "contact.create", Success, None, 40);
    b.audit(1, "token.sign", Failed, Some(ErrorCategory::TokenValidation), 0);
    b.audit(1, "conversation.create", Failed, Some(ErrorCategory::Auth), 60);
    // The call behind an audit fact is the same attempt.
    b.call(1, "create the contact", Some(201));
    let m = b.of(1);
    assert_eq!((m.attempts(), m.total_errors(), m.retries(), m.sessions), (4, 3, 1, 1));
    let by = |c| m.errors_of(c);
    use ErrorCategory::{Auth, Network, RateLimit, TokenValidation};
    assert_eq!((by(RateLimit), by(TokenValidation), by(Auth), by(Network)), (1, 1, 1, 0));
    assert_eq!(m.validation_failure_rate(), Some(1.0 / 3.0));
    assert_eq!((m.all.count, m.all.average_us()), (3, Some(40_000)), "what took no time is not in the average");
    assert_eq!(action(m, "contact.create").latency.most_us, 40_000);
    assert_eq!(*b.board.metrics, Metrics { samples_kept: ALL_SAMPLES, ..m.clone() });
}

#[test]
fn without_audit_facts_calls_sockets_and_echoes_are_counted() {
    let mut b = Book::new();
    b.start(1, DialectId::WebMessaging);
    b.put(1, Kind::SocketOpen, 0, &HttpResponse { status: 101, wait_us: 9_000, ..HttpResponse::default() });
    b.call(1, "history", Some(200));
    b.call(1, "history", Some(401));
    b.call(1, "history", None);
    b.call(0, "token", Some(200));
    let refused = Delivery::Refused { code: 4029, text: "slow down".into() };
    b.fact(1, &Fact::Delivery(DeliveryChange { tracing: "t".into(), delivery: refused }));
    let m = b.of(1);
    assert_eq!((action(m, SOCKET).attempts, action(m, SOCKET).latency.most_us), (1, 9_000));
    let history = action(m, "history");
    assert_eq!((history.attempts, history.errors, history.latency.count), (3, 2, 2));
    assert_eq!(history.latency.most_us, 84_000);
    assert_eq!((m.errors_of(ErrorCategory::Auth), m.errors_of(ErrorCategory::Network)), (1, 1));
    assert_eq!((action(m, ECHO).errors, m.errors_of(ErrorCategory::RateLimit)), (1, 1));
    assert_eq!(b.board.general.metrics.attempts(), 1);
    assert_eq!(b.board.metrics.attempts(), m.attempts() + 1);
}

#[test]
fn only_what_ends_without_the_user_is_a_disconnection() {
    let mut b = Book::new();
    for session in 1..=4 {
        b.start(session, DialectId::ManagedConversation);
        b.state(session, SessionState::Connecting);
    }
    b.state(1, SessionState::Ready);
    b.state(1, SessionState::Ended(End::ByUser));
    b.state(2, SessionState::Ready);
    b.state(2, SessionState::Reconnecting { attempt: 1, at: Wall(0) });
    b.state(2, SessionState::Reconnecting { attempt: 2, at: Wall(0) });
    b.state(2, SessionState::Ended(End::GaveUp { attempts: 2 }));
    b.state(3, SessionState::Ended(End::NotOpened { report: "no host".into() }));
    b.state(4, SessionState::Ready);
    b.state(4, SessionState::Ended(End::Over { why: "three heartbeats failed".into() }));
    let all = &b.board.metrics;
    assert_eq!((all.sessions, all.disconnections), (4, 2));
    assert_eq!(all.disconnection_rate(), Some(0.5));
    assert!(all.activity.is_empty(), "states stand with their session");
    let log: Vec<_> = b.of(4).activity.iter().map(|a| (a.state, a.why.as_str())).collect();
    assert_eq!(log, [("connecting", ""), ("ready", ""), ("ended", "three heartbeats failed")]);
    assert_eq!(Metrics::default().disconnection_rate(), None);
}

#[test]
fn the_forms_that_were_used_last_are_known() {
    let mut b = Book::new();
    b.start(1, DialectId::SessionToken);
    b.call(1, "message, form (b)", Some(401));
    b.call(1, "refresh, guests/refresh", Some(200));
    b.call(1, "message, form (a)", Some(200));
    let forms = [Some("form (a)".to_owned()), Some("guests/refresh".to_owned())];
    assert_eq!(b.of(1).forms, forms);
    assert_eq!(b.of(1).attempts(), 0, "their attempts are told by audit facts");
}

#[test]
fn whatever_comes_memory_is_bounded_and_nothing_is_uncounted() {
    let mut b = Book::new();
    b.start(1, DialectId::SessionToken);
    for n in 0..3_000u64 {
        b.audit(1, &format!("action {}", n % 50), AuditOutcome::Success, None, n);
        b.state(1, SessionState::Ready);
        let head = HttpRequest { purpose: "never answered".into(), ..HttpRequest::default() };
        b.put(2, Kind::HttpRequest, 0, &head);
    }
    let m = b.of(1);
    assert_eq!((m.actions.len(), m.attempts()), (ACTIONS, 3_000));
    assert_eq!(action(m, OTHERS).attempts, 3_000 / 50 * (50 - ACTIONS as u64 + 1));
    assert_eq!((m.samples.len(), b.board.metrics.samples.len()), (SAMPLES, ALL_SAMPLES));
    assert_eq!((m.activity.len() as u64 + m.activity_left_out, m.activity.len()), (3_000, ACTIVITY));
    let newest = m.samples.back().unwrap();
    assert_eq!((newest.micros, newest.good), (2_999_000, true));
}
