//! Signing in at the sandbox's token endpoint, with right and wrong credentials.

use std::time::Duration;

use sessionscope::engine::{Command, secret_key};
use sessionscope::model::fact::{ClockDeed, Expiry, ExpiryEvent};
use sessionscope::model::{Environment, Kind, Report, Secret};

use crate::support::console::{Desk, LIMIT};

fn sign_in(desk: &Desk, environment: &Environment) {
    desk.headless.console.engine.send(Command::SignIn { environment: environment.clone() }).unwrap();
}

fn deed(desk: &Desk, deed: ClockDeed) {
    let id = format!("oauth:{}", desk.environment.id);
    desk.headless.console.engine.send(Command::OauthClock { id, deed }).unwrap();
}

/// The OAuth clock, as soon as it fits.
fn clock(desk: &Desk, what: &str, fits: impl Fn(&Expiry) -> bool) -> Expiry {
    let found = desk.headless.until(LIMIT, |h| {
        let board = h.board();
        board.general.clocks.iter().map(|c| &c.fact).find(|f| f.id.starts_with("oauth") && fits(f)).cloned()
    });
    found.unwrap_or_else(|| panic!("never {what}: {:?}", desk.headless.board().general.clocks))
}

/// The newest fault that belongs to no session, as soon as there are so many.
fn fault(desk: &Desk, count: u64) -> Report {
    let found = desk.headless.until(LIMIT, |h| {
        let board = h.board();
        let general = &board.general;
        general.faults.last().filter(|_| general.faults_told >= count).map(|(_, report)| report.as_ref().clone())
    });
    found.expect("a fault is told")
}

fn token_calls(desk: &Desk) -> usize {
    desk.records().iter().filter(|r| r.kind == Kind::HttpRequest && r.head.contains("/oauth/token")).count()
}

#[test]
fn a_token_that_was_expired_by_hand_stays_dead_until_it_is_needed() {
    let desk = Desk::with_paused_clock();
    sign_in(&desk, &desk.environment);
    let first = clock(&desk, "signed in", |f| f.event == ExpiryEvent::Started);
    deed(&desk, ClockDeed::Expire);
    clock(&desk, "expired", |f| f.event == ExpiryEvent::Expired);
    desk.clock.as_ref().unwrap().advance(Duration::from_secs(30));
    deed(&desk, ClockDeed::Expire);
    assert_eq!(token_calls(&desk), 1, "nobody renewed it behind the tester's back");
    sign_in(&desk, &desk.environment);
    let second = clock(&desk, "refreshed", |f| f.event == ExpiryEvent::Refreshed);
    assert_ne!(first.token, second.token);
}

#[test]
fn a_sign_in_that_fails_says_so_and_begins_anew_when_the_secret_is_mended() {
    let desk = Desk::open();
    let right = desk.environment.client_secret.clone().unwrap();
    let environment = Environment { client_secret: None, ..desk.environment.clone() };
    sign_in(&desk, &environment);
    assert_eq!(fault(&desk, 1).code, "no-client-secret");

    let keep = |value: Secret<String>| {
        let key = secret_key(&environment.id);
        desk.headless.console.engine.send(Command::KeepSecret { key, value }).unwrap();
    };
    // A wrong one is refused by the server, and the report does not repeat it.
    keep(Secret::from("wrong-secret-wrong"));
    let report = fault(&desk, 2);
    assert_eq!(report.code, "sign-in-failed");
    assert!(report.text().contains("401") || report.text().contains("400"), "{report:?}");
    assert!(!report.text().contains("wrong-secret-wrong"));
    // The right one is taken up without being asked again.
    keep(right.0);
    clock(&desk, "signed in", |f| f.event == ExpiryEvent::Started);
}

#[test]
fn a_sign_in_knows_the_servers_clock_and_ends_with_its_sandbox() {
    let desk = Desk::open();
    desk.order(serde_json::from_str(r#"{"do":"clock_skew","seconds":90}"#).unwrap());
    sign_in(&desk, &desk.environment);
    let first = clock(&desk, "signed in", |f| f.event == ExpiryEvent::Started);
    let ahead = first.from.micros_since(desk.headless.console.clock.now().wall);
    assert!((80_000_000..100_000_000).contains(&ahead), "{ahead} µs");
    let told = desk.headless.until(LIMIT, |_| desk.records().into_iter().find(|r| r.head.contains("skew_us")));
    assert!(told.is_some(), "the skew is on record");
    desk.headless.console.engine.send(Command::StopSandbox).unwrap();
    let gone = desk.headless.until(LIMIT, |h| h.board().general.clocks.is_empty().then_some(()));
    assert!(gone.is_some(), "its clock goes with it");
    assert!(desk.records().iter().any(|r| r.head.contains("forgotten")), "and the end is on record");
}
