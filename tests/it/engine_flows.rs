//! Many sessions of the unverified flows at once, which share what they can.

use sessionscope::engine::{Command, SessionSpec, Ticket};
use sessionscope::model::fact::SessionState;
use sessionscope::model::flows::GuestForm;
use sessionscope::model::{DialectId, Kind};

use crate::support::console::{Desk, LIMIT};

/// Opens so many at once, and waits until all are ready.
fn open(desk: &Desk, dialect: DialectId, count: u32) {
    for n in 0..count {
        let form = GuestForm { guest_id: format!("guest-{n}"), skill: "support".into(), ..GuestForm::default() };
        let environment = desk.environment.clone();
        let spec = SessionSpec { name: format!("Guest {n}"), dialect, environment, form, ..SessionSpec::default() };
        desk.headless
            .console
            .engine
            .send(Command::OpenSession { ticket: Ticket(u64::from(n)), spec: Box::new(spec), connect: true })
            .unwrap();
    }
    let ready = desk.headless.until(LIMIT, |h| {
        let board = h.board();
        let ready = board.sessions.iter().filter(|s| s.state == Some(SessionState::Ready)).count();
        (ready == count as usize).then_some(())
    });
    let board = desk.headless.board();
    let states: Vec<_> = board.sessions.iter().map(|s| s.state.clone()).collect();
    assert!(ready.is_some(), "{states:?}");
}

#[test]
fn signed_guests_that_begin_together_sign_with_one_key() {
    let desk = Desk::open();
    open(&desk, DialectId::SignedGuest, 20);
    let keys: std::collections::BTreeSet<String> = desk
        .records()
        .iter()
        .filter(|r| r.kind == Kind::Id && r.head.contains("\"name\":\"key\""))
        .map(|r| r.head.clone())
        .collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
}

#[test]
fn sessions_that_begin_together_share_one_oauth_token() {
    for dialect in [DialectId::SessionToken, DialectId::ExternalContact, DialectId::ManagedConversation] {
        let desk = Desk::open();
        open(&desk, dialect, 30);
        let calls = desk.records();
        let calls = calls.iter().filter(|r| r.kind == Kind::HttpRequest && r.head.contains("/oauth/token"));
        assert_eq!(calls.count(), 1, "{dialect:?}: one fetch serves all who wait");
    }
}
