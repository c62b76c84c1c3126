//! What must not reach a session: keys under a dialog, and what is done in a saved capture.

use egui::{Key, Modifiers, Theme};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use sessionscope::capture::{Opened, Writer};
use sessionscope::dialect::Wish;
use sessionscope::engine::{Command, Event};
use sessionscope::model::fact::{ClockDeed, End, Expiry, ExpiryEvent, SessionState, StateChange};
use sessionscope::model::{Fact, SessionId};
use sessionscope::sandbox::{Order, Status, TokenStatus};
use sessionscope::ui::app::App;
use sessionscope::ui::picker::Answer;

use crate::support::scene::{Desk, START, until};
use crate::support::tells;
use crate::ui_app::{SIZE, keys, live, open, press, sees, write};

#[test]
fn keys_of_the_window_do_nothing_under_a_dialog() {
    let desk = Desk::default();
    let (mut h, _) = live(&desk);
    write(&mut h, "Message", "draft");
    desk.listener.take();
    keys(&mut h, Modifiers::COMMAND, Key::Comma);
    assert!(sees(&h, "Private mode"));
    for (modifiers, key) in [
        (Modifiers::COMMAND, Key::W),
        (Modifiers::COMMAND, Key::N),
        (Modifiers::COMMAND, Key::Enter),
        (Modifiers::COMMAND | Modifiers::SHIFT, Key::N),
        (Modifiers::COMMAND, Key::K),
        (Modifiers::NONE, Key::F2),
    ] {
        keys(&mut h, modifiers, key);
    }
    assert!(desk.listener.take().is_empty());
    assert!(sees(&h, "Private mode"), "the same dialog is open");
    keys(&mut h, Modifiers::NONE, Key::Escape);
    assert!(!sees(&h, "Private mode"));
    assert!(h.query_all_by_label_contains("Session Guest 1").next().is_some(), "nothing was closed");
    keys(&mut h, Modifiers::COMMAND, Key::Enter);
    assert_eq!(desk.listener.take().len(), 1);
}

/// A saved capture with a session of the same number as the live one, in view.
fn with_saved(desk: Desk) -> (Harness<'static, App>, Desk, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let saved = Writer::create(folder.path()).unwrap();
    let Opened::File(file) = saved.opened() else { panic!("in memory") };
    let old = Desk { writer: saved, ..Desk::default() };
    old.session(1, "Old guest", "Archive", SessionState::Ready);
    old.writer.close().unwrap();
    let desk = Desk { picker: Answer::Chosen(file), ..desk };
    let (mut h, _) = live(&desk);
    keys(&mut h, Modifiers::COMMAND, Key::O);
    until(&mut h, "the old session", |h| h.query_all_by_label_contains("Session Old guest").next().is_some());
    desk.listener.take();
    (h, desk, folder)
}

#[test]
fn commands_in_a_saved_capture_do_not_reach_the_live_session_of_the_same_number() {
    let (mut h, desk, _folder) = with_saved(Desk::default());
    keys(&mut h, Modifiers::COMMAND, Key::W);
    assert!(tells(&h, "A saved capture is read-only"), "why it does not go is said");
    keys(&mut h, Modifiers::NONE, Key::N);
    assert!(!sees(&h, "Keep note"));
    h.get_by_label_contains("record 1,").click();
    h.run_ok();
    keys(&mut h, Modifiers::NONE, Key::N);
    keys(&mut h, Modifiers::NONE, Key::M);
    assert!(!sees(&h, "Keep note"));
    assert!(desk.listener.take().is_empty());
    // A new name is this capture's own.
    keys(&mut h, Modifiers::NONE, Key::F2);
    crate::ui_app::fill(&mut h, "Name", " renamed");
    press(&mut h, "Rename");
    until(&mut h, "the name", |h| h.query_all_by_label_contains("Session Old guest renamed").next().is_some());
    press(&mut h, "Back to live");
    until(&mut h, "the live one", |h| h.query_all_by_label_contains("Session Guest 1").next().is_some());
    assert!(h.query_all_by_label_contains("renamed").next().is_none());
    keys(&mut h, Modifiers::COMMAND, Key::W);
    assert!(matches!(desk.listener.take()[..], [Command::CloseSession { session: SessionId(1) }]));
}

#[test]
fn what_was_closed_live_is_still_there_in_a_saved_capture() {
    let desk = Desk::default();
    let (mut h, desk, _folder) = with_saved(desk);
    press(&mut h, "Back to live");
    until(&mut h, "the live one", |h| h.query_all_by_label_contains("Session Guest 1").next().is_some());
    keys(&mut h, Modifiers::COMMAND, Key::W);
    assert!(h.query_all_by_label_contains("Session Guest 1").next().is_none());
    keys(&mut h, Modifiers::COMMAND, Key::O);
    until(&mut h, "the old session", |h| h.query_all_by_label_contains("Session Old guest").next().is_some());
    drop(desk);
}

#[test]
fn a_session_without_an_end_is_cut_off_in_a_saved_capture() {
    let (mut h, _desk, _folder) = with_saved(Desk::default());
    assert!(tells(&h, "cut off") && !tells(&h, "Session Old guest, ready"));
    press(&mut h, "Back to live");
    until(&mut h, "the live one", |h| h.query_all_by_label_contains("Session Guest 1").next().is_some());
    assert!(!tells(&h, "cut off"));
}

#[test]
fn records_stay_in_view_when_the_last_session_is_closed() {
    let desk = Desk::default();
    let (mut h, _) = live(&desk);
    keys(&mut h, Modifiers::COMMAND, Key::W);
    assert!(sees(&h, "Start a conversation in the sandbox"));
    assert!(h.query_all_by_label_contains("record 1,").next().is_some());
}

#[test]
fn an_expired_session_is_not_offered_what_the_server_would_refuse() {
    let desk = Desk::default();
    let (mut h, session) = live(&desk);
    for (end, again) in [(End::Lost, true), (End::Expired, false)] {
        let to = SessionState::Ended(end);
        desk.fact(session, 5, Fact::State(StateChange { to, why: String::new() }));
        desk.writer.flush().unwrap();
        until(&mut h, "the way out", |h| sees(h, "Connect again") == again);
    }
    desk.listener.take();
}

/// A session that was made in the sandbox, with a JWT of the session that the sandbox calls `s1`.
fn in_sandbox(desk: &Desk) -> (Harness<'static, App>, SessionId) {
    let mut h = open(desk);
    desk.sandbox_running();
    h.run_ok();
    press(&mut h, "Start a conversation in the sandbox");
    let commands = desk.listener.take();
    let [Command::OpenSession { ticket, .. }] = &commands[..] else { panic!("{commands:?}") };
    let session = desk.session(1, "Guest 1", "Sandbox", SessionState::Ready);
    desk.listener.tell(Event::SessionMade { ticket: *ticket, result: Ok(session) });
    (h, session)
}

fn jwt(desk: &Desk, session: SessionId) {
    let fact = Expiry {
        id: "guest-jwt".into(),
        title: "guest JWT".into(),
        event: ExpiryEvent::Started,
        by: "server".into(),
        from: START,
        until: Some(START.plus_micros(60_000_000)),
        margin_secs: 5,
        breaks: String::new(),
        assumed: false,
        token: None,
        scope: None,
        claims: Some(serde_json::json!({"header": {}, "claims": {"iss": "sandbox", "sub": "s1"}})),
        can: vec![ClockDeed::Expire, ClockDeed::Forget],
    };
    desk.fact(session, 50, Fact::Expiry(fact));
    desk.writer.flush().unwrap();
}

fn expire(h: &mut Harness<'_, App>, clock: &str, title: &str) {
    until(h, "the clock", |h| h.query_all_by_label_contains(clock).next().is_some());
    h.get_by_label_contains(clock).click_secondary();
    h.run_ok();
    press(h, title);
}

#[test]
fn expiring_a_jwt_of_the_sandbox_kills_it_at_the_server_too() {
    let desk = Desk::default();
    let (mut h, session) = in_sandbox(&desk);
    jwt(&desk, session);
    expire(&mut h, "clock guest JWT", "Expire now");
    let commands = desk.listener.take();
    let deed = Wish::Clock { id: "guest-jwt".into(), deed: ClockDeed::Expire };
    assert!(
        matches!(&commands[..], [Command::AskSandbox, Command::Wish { wish, .. }] if *wish == deed),
        "{commands:?}"
    );
    let token = |id: &str, session: &str| TokenStatus {
        id: id.into(),
        kind: "jwt".into(),
        session: Some(session.into()),
        user: None,
        remaining_seconds: 30,
    };
    let status = Status { tokens: vec![token("jwt-1", "s1"), token("jwt-2", "s2")], ..Status::default() };
    desk.listener.tell(Event::SandboxStatus(Box::new(status)));
    h.run_ok();
    let commands = desk.listener.take();
    let [Command::Order { order }] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(*order, Order::ExpireToken { token: "jwt-1".into(), in_seconds: None }, "not that of another session");
}

#[test]
fn expiring_a_session_and_the_oauth_token_of_the_sandbox_orders_it() {
    let desk = Desk::default();
    let (mut h, session) = in_sandbox(&desk);
    jwt(&desk, session);
    desk.clock_fact(session, "session-idle", "session idle", 600, 5, "the session");
    desk.clock_fact(SessionId::NONE, "oauth:sandbox", "OAuth sandbox", 600, 5, "calls");
    desk.writer.flush().unwrap();
    expire(&mut h, "clock session idle", "Expire now");
    let commands = desk.listener.take();
    let [Command::Order { order }, Command::Wish { .. }] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(*order, Order::ExpireSession { session: Some("s1".into()), in_seconds: None });
    expire(&mut h, "clock OAuth sandbox", "Expire now");
    let commands = desk.listener.take();
    let [Command::Order { order }, Command::OauthClock { deed: ClockDeed::Expire, .. }] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(*order, Order::ExpireToken { token: "oauth".into(), in_seconds: None });
}

#[test]
fn a_vendors_token_can_only_be_treated_as_expired() {
    let desk = Desk::default();
    desk.sandbox_running();
    let session = desk.session(1, "Guest 1", "Staging", SessionState::Ready);
    jwt(&desk, session);
    let mut h = desk.harness(SIZE, Theme::Light);
    h.state_mut().adopt(session);
    expire(&mut h, "clock guest JWT", "Treat as expired");
    let commands = desk.listener.take();
    assert!(matches!(&commands[..], [Command::Wish { .. }]), "{commands:?}");
}
