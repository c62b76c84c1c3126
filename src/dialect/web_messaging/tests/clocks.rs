//! The clocks, and what a person does to them.

use serde_json::json;

use super::*;
use crate::model::fact::{ClockDeed, Expiry, ExpiryEvent};

const ECHO: &str = r#"send echo {"message":{"text":"ping","type":"Text"}}"#;

fn deed(p: &mut Play, id: &str, deed: ClockDeed) {
    p.wish(Wish::Clock { id: id.into(), deed });
}

fn expiries(p: &Play) -> Vec<&Expiry> {
    p.actions.iter().filter_map(|a| if let Action::State(Fact::Expiry(e)) = a { Some(e) } else { None }).collect()
}

/// A session that lives for this long, by both fields of the answer.
fn lives(secs: i64) -> Play {
    let mut p = Play::new();
    p.wish(Wish::Connect).opened();
    p.answer(
        "configureSession",
        "SessionResponse",
        json!({"connected":true,"newSession":true,"durationSeconds":secs,"expirationDate":START + secs}),
    );
    p.actions.clear();
    p
}

fn pushes(p: &mut Play, key: &str) {
    p.arrives(
        json!({"type":"message","class":"StructuredMessage","code":200,"body":{"id":key,"type":"Text","text":"x",
        "direction":"Outbound","channel":{"time":"2026-01-06T13:26:15.174Z"}}}),
    );
}

fn echoed(p: &mut Play, expires: i64) {
    let metadata = json!({"durationSeconds":"1000","expirationDate":(START + expires).to_string()});
    p.answer(
        "echo",
        "StructuredMessage",
        json!({"id":"echo_id","type":"Text","text":"ping","direction":"Inbound","metadata":metadata}),
    );
}

#[test]
fn the_connection_s_clocks_are_marked_as_assumed() {
    let mut p = Play::new();
    p.wish(Wish::Connect).opened();
    let told: Vec<_> =
        expiries(&p).iter().map(|e| (e.id.clone(), e.assumed, e.until.unwrap().as_secs() - START)).collect();
    assert_eq!(told, [("connection-idle".to_owned(), true, 600), ("connection-life".to_owned(), true, 7200)]);
    p.actions.clear();
    p.lost();
    let gone = expiries(&p).iter().filter(|e| e.event == ExpiryEvent::Forgotten).count();
    assert_eq!(gone, 2);
}

#[test]
fn any_message_lets_the_session_live_on_and_a_flood_is_told_once_a_second() {
    let mut p = lives(1000);
    p.passes(10.0);
    pushes(&mut p, "a");
    p.does(&["clock session-idle Extended by traffic until +1010"]);
    for n in 0..500 {
        p.passes(0.01);
        pushes(&mut p, &n.to_string());
    }
    let told = p.done();
    assert!((4..=6).contains(&told.len()), "{told:?}");
    // The last word is told as well.
    p.passes(2.0).does(&["clock session-idle Extended by traffic until +1015"]);
}

#[test]
fn the_session_is_checked_before_its_end_and_after_it() {
    let mut p = lives(1000);
    p.passes(689.0).did_not("send echo");
    p.passes(2.0).did(ECHO);
    // The server says that it ends as expected: no further check before the end.
    echoed(&mut p, 1000);
    p.does(&["clock session-idle Extended by server until +1000"]);
    assert!(p.seen.flags.has(crate::model::Flags::HEARTBEAT));
    p.passes(308.0).did_not("send echo");
    p.passes(2.0).did("clock session-idle Expired by clock until +1000");
    p.passes(2.0).did(ECHO);
    p.arrives(json!({"type":"response","class":"SessionExpiredEvent","code":200,"body":{}}));
    p.does(&[
        "close 1000 session expired",
        "clock session-idle Expired by server until +1003",
        "unkeep session-token",
        "state ended (the session has expired)",
    ]);
}

#[test]
fn a_check_that_finds_the_session_alive_sets_the_clock() {
    let mut p = lives(1000);
    p.passes(691.0).did(ECHO);
    echoed(&mut p, 5000);
    p.does(&["clock session-idle Extended by server until +5000"]);
    p.passes(3998.0 - 10.0).did_not("send echo");
}

#[test]
fn checks_keep_to_their_limit() {
    let mut p = Play::ready();
    p.wish(Wish::Echo).does(&[ECHO]);
    echoed(&mut p, 9000);
    p.passes(1.0).wish(Wish::Echo).did(ECHO);
    echoed(&mut p, 9000);
    p.done();
    p.wish(Wish::Echo).does(&["fault echo-limit"]);
    p.passes(60.0).done();
    p.wish(Wish::Echo).did(ECHO);
    p.passes(10.0).did("fault unanswered");
}

#[test]
fn a_short_session_is_checked_in_its_second_half() {
    let mut p = lives(20);
    p.passes(9.0).did_not("send echo");
    p.passes(1.5).did(ECHO);
}

#[test]
fn a_person_can_refresh_expire_corrupt_and_forget_the_jwt() {
    let mut p = Play::ready();
    deed(&mut p, "guest-jwt", ClockDeed::Expire);
    p.does(&["fault no-such-clock"]);
    deed(&mut p, "guest-jwt", ClockDeed::Refresh);
    p.does(&["send getJwt"]);
    p.jwt("e30.e30.aaaaaaaa", 60).does(&["clock guest-jwt Started by server until +60"]);

    // Dead by wish: a new one is fetched before it is needed.
    deed(&mut p, "guest-jwt", ClockDeed::Expire);
    p.does(&["clock guest-jwt Expired by you until +0"]);
    p.wish(Wish::History { all: false }).does(&["send getJwt"]);
    p.jwt("e30.e30.bbbbbbbb", 60).done();
    p.http(200, json!({"entities":[],"pageNumber":1})).done();

    // Damaged by wish: sent once, refused, replaced once.
    deed(&mut p, "guest-jwt", ClockDeed::Corrupt);
    p.does(&["clock guest-jwt Corrupted by you until +60"]);
    p.passes(120.0).did_not("clock guest-jwt Expired");
    p.wish(Wish::History { all: false }).did("call GET");
    let sent = p.headers[0].1.clone();
    assert!(sent != "bearer e30.e30.bbbbbbbb" && sent.starts_with("bearer e30.e30.bbbb"), "{sent}");
    p.http(401, json!({})).did("send getJwt");
    p.jwt("e30.e30.cccccccc", 60).did("call GET");
    p.http(200, json!({"entities":[],"pageNumber":1})).done();

    deed(&mut p, "guest-jwt", ClockDeed::Forget);
    p.did("clock guest-jwt Forgotten by you");
    p.wish(Wish::History { all: false }).does(&["send getJwt"]);
}

#[test]
fn a_person_can_expire_the_session_s_clock_and_the_server_is_asked() {
    let mut p = lives(1000);
    p.passes(5.0);
    deed(&mut p, "session-idle", ClockDeed::Expire);
    p.does(&["clock session-idle Expired by you until +5"]);
    p.passes(2.0).does(&[ECHO]);
    echoed(&mut p, 1007);
    p.does(&["clock session-idle Extended by server until +1007"]);
}

#[test]
fn a_forgotten_session_token_is_not_kept_again() {
    let mut p = Play::ready();
    deed(&mut p, "session-idle", ClockDeed::Forget);
    p.does(&["unkeep session-token", "clock session-idle Forgotten by you until +259200"]);
    p.lost().wish(Wish::Connect).opened();
    p.answer("configureSession", "SessionResponse", json!({"connected":true,"newSession":false}));
    p.did_not("keep session-token");
}

#[test]
fn an_unknown_clock_is_said_to_be_unknown() {
    let mut p = Play::ready();
    for id in ["oauth", "link:none", "", "connection-life"] {
        deed(&mut p, id, ClockDeed::Forget);
        p.does(&["fault no-such-clock"]);
    }
}

#[test]
fn a_suspended_machine_sees_a_dead_session_at_its_next_tick() {
    let mut p = lives(1000);
    // The local clocks stood still; the server's went on for an hour.
    let mut now = p.at();
    now.server = now.server + Duration::from_secs(3600);
    let mut out = Vec::new();
    p.machine.step(now, Input::Tick, &mut out);
    let told: Vec<_> = out.iter().filter_map(tell).collect();
    assert_eq!(told, ["clock session-idle Expired by clock until +1000", ECHO]);
}
