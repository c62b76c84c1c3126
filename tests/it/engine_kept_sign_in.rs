//! Guests who sign in, from one run to the next: what is kept in the keyring signs a resumed session in again.

use sessionscope::dialect::Wish;
use sessionscope::engine::console::LogPlace;
use sessionscope::engine::{Event, SessionSpec};
use sessionscope::model::fact::{End, SessionState};
use sessionscope::model::login::Login;
use sessionscope::model::{Kind, SessionId};

use crate::support::console::{Desk, LIMIT};

fn ada() -> Login {
    Login::Sandbox { person: "ada.lovelace@x".into(), implicit: false }
}

/// Opens a session that signs in, or one that was kept; and waits until it is ready.
fn open(desk: &mut Desk, login: Option<Login>, kept: Option<String>) -> SessionId {
    let environment = desk.environment.clone();
    let spec = SessionSpec { name: "Ada".into(), environment, login, kept, ..SessionSpec::default() };
    let session = desk.headless.open(spec, true).unwrap();
    desk.until(session, "ready", |v| v.state == Some(SessionState::Ready));
    session
}

/// What the engine tells of the keyring next: the key, and whether something is there.
fn told(desk: &Desk) -> (String, bool) {
    let told = desk.headless.until(LIMIT, |h| {
        std::iter::from_fn(|| h.console.engine.poll()).find_map(|event| match event {
            Event::Kept { key, kept, .. } => Some((key, kept)),
            _ => None,
        })
    });
    told.expect("it is told")
}

fn vault(desk: &Desk, key: &str) -> Option<String> {
    desk.headless.console.vault.get(key).unwrap().map(|s| s.expose().clone())
}

fn exchanges(desk: &Desk) -> usize {
    let asks = |r: &sessionscope::model::Record| r.kind == Kind::HttpRequest && r.head.contains("jwtexchange");
    desk.records().into_iter().filter(asks).count()
}

fn leave(desk: &Desk, session: SessionId) {
    desk.wish(session, Wish::Leave { code: 1000, reason: "done".into() });
    desk.until(session, "left", |v| v.state == Some(SessionState::Ended(End::ByUser)));
}

#[test]
fn a_resumed_session_of_a_guest_who_had_signed_in_needs_no_person() {
    let mut desk = Desk::open();
    let first = open(&mut desk, Some(ada()), None);
    let (key, kept) = told(&desk);
    assert!(kept && key.contains("/session-token/"), "{key}");
    let entry = desk.headless.until(LIMIT, |_| vault(&desk, &key)).unwrap();
    assert!(entry.contains("refreshToken"), "beside the session token");
    desk.say(first, "Hello");
    leave(&desk, first);
    assert!(vault(&desk, &key).is_some(), "it can be resumed");
    let before = exchanges(&desk);
    assert_eq!(before, 1);

    let second = open(&mut desk, None, Some(key.clone()));
    desk.say(second, "It is me again");
    let view = desk.until(second, "echoed", |v| {
        v.conversation.entries.iter().any(|e| {
            let said = format!("{:?}", e.what);
            said.contains("It is me again") && said.contains("authenticated: true")
        })
    });
    assert!(view.faults.is_empty(), "{:?}", view.faults);
    assert_eq!(exchanges(&desk), before, "by the refresh token alone");
    // No secret is in what was written.
    let parts: serde_json::Value = serde_json::from_str(&entry).unwrap();
    for secret in [parts["token"].as_str().unwrap(), parts["refreshToken"].as_str().unwrap()] {
        for (file, bytes) in desk.written() {
            assert!(memchr::memmem::find(&bytes, secret.as_bytes()).is_none(), "{} holds a secret", file.display());
        }
    }
}

#[test]
fn a_logout_leaves_nothing_in_the_keyring() {
    let mut desk = Desk::open();
    let session = open(&mut desk, Some(ada()), None);
    let (key, _) = told(&desk);
    desk.wish(session, Wish::SignOut);
    desk.until(session, "logged out", |v| v.state == Some(SessionState::Ended(End::LoggedOut)));
    let gone = desk.headless.until(LIMIT, |_| vault(&desk, &key).is_none().then_some(()));
    assert!(gone.is_some(), "neither the session token nor the refresh token");
}

#[test]
fn in_private_mode_nothing_of_a_sign_in_is_kept() {
    let mut desk = Desk::with(None, LogPlace::Memory);
    let session = open(&mut desk, Some(ada()), None);
    leave(&desk, session);
    let kept = std::iter::from_fn(|| desk.headless.console.engine.poll()).any(|e| matches!(e, Event::Kept { .. }));
    assert!(!kept);
}
