//! The guest JWT and history by REST.

use serde_json::json;

use super::*;
use crate::model::{Flags, SecretKind};

const JWT: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJndWVzdCJ9.c2lnbmF0dXJl";

fn page(n: i64, of: i64, ids: &[&str]) -> Value {
    let items: Vec<_> = ids
        .iter()
        .map(|id| json!({"id":id,"type":"Text","text":"x","direction":"Outbound","channel":{"time":"2026-01-06T13:26:15.174Z"}}))
        .collect();
    json!({"entities":items,"pageSize":ids.len(),"pageNumber":n,"total":of,"pageCount":9})
}

const NEWEST: &str = "call GET http://api/api/v2/webmessaging/messages?pageNumber=1&pageSize=25";

#[test]
fn history_gets_a_jwt_first_and_uses_it_while_it_lives() {
    let mut p = Play::ready_with(|e| e.origin = Some("https://shop.example".into()));
    p.wish(Wish::History { all: false }).does(&["send getJwt"]);
    p.jwt(JWT, 60);
    assert!(
        p.actions.iter().any(|a| matches!(a, Action::Learn { kind: SecretKind::Jwt, value } if value.expose() == JWT))
    );
    let claims = p.actions.iter().find_map(|a| match a {
        Action::State(Fact::Expiry(e)) => e.claims.clone(),
        _ => None,
    });
    assert_eq!(claims, Some(json!({"header":{"alg":"none"},"claims":{"sub":"guest"}})));
    p.does(&["clock guest-jwt Started by server until +60", NEWEST]);
    assert_eq!(
        p.headers,
        [
            ("Authorization", &*format!("bearer {JWT}")),
            ("Accept", "application/json"),
            ("Origin", "https://shop.example")
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
    );
    p.http(200, page(1, 40, &["a"])).does(&[]);
    assert_eq!(p.seen.flags, Flags::STORY);
    p.passes(54.0).done();
    p.wish(Wish::History { all: false }).does(&[NEWEST]);
    p.http(200, page(1, 40, &["a"])).done();
    // Five seconds early it counts as dead.
    p.passes(1.5).done();
    p.wish(Wish::History { all: false }).does(&["send getJwt"]);
    p.jwt("e30.e30.y", 60).does(&["clock guest-jwt Refreshed by server until +115", NEWEST]);
}

#[test]
fn all_pages_are_read_until_the_total_or_an_empty_page() {
    for last in [page(3, 5, &["e"]), page(3, 99, &[])] {
        let total = last["total"].as_i64().unwrap();
        let mut p = Play::ready();
        p.wish(Wish::History { all: true }).jwt(JWT, 60);
        p.did("call GET http://api/api/v2/webmessaging/messages?pageNumber=1&pageSize=100");
        p.http(200, page(1, total, &["a", "b"])).did("call GET http://api/api/v2/webmessaging/messages?pageNumber=2");
        p.http(200, page(2, total, &["c", "d"])).did("call GET http://api/api/v2/webmessaging/messages?pageNumber=3");
        p.http(200, last).does(&[]);
    }
}

#[test]
fn the_limit_of_calls_is_waited_for_and_the_wait_is_told() {
    let mut p = Play::ready_with(|e| e.limits.history_per_minute = 2);
    p.wish(Wish::History { all: true }).jwt(JWT, 600);
    p.http(200, page(1, 99, &["a"])).done();
    p.http(200, page(2, 99, &["b"])).does(&["state ready: history waits 61 s: 2 calls a minute are allowed"]);
    p.passes(59.0).did_not("call");
    p.passes(2.0).did("call GET http://api/api/v2/webmessaging/messages?pageNumber=3");
}

#[test]
fn a_401_leads_to_one_new_jwt_and_one_retry() {
    let mut p = Play::ready();
    p.wish(Wish::History { all: false }).jwt(JWT, 60).done();
    p.http(401, json!({})).does(&["clock guest-jwt Refused by server until +60", "send getJwt"]);
    p.jwt("e30.e30.y", 60).did(NEWEST);
    p.http(401, json!({})).does(&["clock guest-jwt Refused by server until +60", "fault no-jwt"]);
    p.passes(600.0).did_not("call");
    // A new wish begins anew; a refused token that comes again is not sent.
    p.wish(Wish::History { all: false }).jwt(JWT, 60).did("fault no-jwt");
}

#[test]
fn two_refusals_end_it_even_where_a_newer_jwt_was_at_hand() {
    let mut p = Play::ready();
    p.wish(Wish::History { all: false }).jwt(JWT, 60).done();
    p.wish(Wish::GetJwt).jwt("e30.e30.y", 60).done();
    p.http(401, json!({})).did(NEWEST);
    p.http(401, json!({})).does(&["clock guest-jwt Refused by server until +60", "fault no-jwt"]);
    p.wish(Wish::History { all: false }).does(&["send getJwt"]);
}

#[test]
fn a_jwt_that_is_dead_on_arrival_is_not_sent() {
    let mut p = Play::ready();
    p.wish(Wish::History { all: false }).jwt(JWT, -5).did("fault no-jwt");
}

#[test]
fn the_server_s_clock_decides_not_ours() {
    // Our clock is half an hour behind the server's: by it, this JWT would live for ages.
    let mut p = Play::ready();
    p.wish(Wish::GetJwt).jwt(JWT, 60).passes(60.0).did("clock guest-jwt Expired by clock until +60");
    p.wish(Wish::History { all: false }).does(&["send getJwt"]);
}

#[test]
fn a_jwt_without_exp_lives_by_its_claims_or_by_assumption() {
    let mut p = Play::ready();
    // {"exp":1767705950}
    let claims = "e30.eyJleHAiOjE3Njc3MDU5NTB9.x";
    p.wish(Wish::GetJwt).answer("getJwt", "JwtResponse", json!({"jwt":claims}));
    p.does(&["send getJwt", "clock guest-jwt Started by server until +50"]);
    assert!(p.seen.flags.has(Flags::MALFORMED));
    p.wish(Wish::GetJwt).answer("getJwt", "JwtResponse", json!({"jwt":"opaque-token","exp":null}));
    let assumed = p.actions.iter().any(|a| matches!(a, Action::State(Fact::Expiry(e)) if e.assumed));
    assert!(assumed);
    p.does(&["send getJwt", "clock guest-jwt Refreshed by server until +60"]);
}

#[test]
fn failing_answers_are_tried_three_times_and_patience_is_obeyed() {
    let mut p = Play::ready();
    p.wish(Wish::History { all: false }).jwt(JWT, 600).done();
    p.http_after(429, Some(20), json!({})).does(&["state ready: history was answered with 429; try 2 of 3 in 20.0 s"]);
    p.passes(19.0).did_not("call");
    p.passes(1.0).did(NEWEST);
    let call = p.call;
    p.step(Input::CallFailed { call, report: Report::new("timeout", "No answer", "") })
        .did("state ready: history was not answered");
    p.passes(10.0).did(NEWEST);
    p.http(503, json!({})).does(&["fault history-failed"]);
    p.passes(60.0).did_not("call");
    // And one that is beyond all patience.
    p.wish(Wish::History { all: false }).http_after(429, Some(86_400), json!({})).did("fault history-failed");
}

#[test]
fn what_cannot_be_read_is_marked_and_told() {
    for body in ["not json", "[]", "null", "{}", r#"{"entities":{}}"#] {
        let mut p = Play::ready();
        p.wish(Wish::History { all: false }).jwt(JWT, 60).done();
        let call = p.call;
        p.step(Input::Answer { call, status: 200, retry_after: None, body: body.as_bytes() });
        assert!(p.seen.flags.has(Flags::MALFORMED), "{body}");
        p.does(&["fault history-malformed"]);
    }
    let mut p = Play::ready();
    p.wish(Wish::History { all: false }).jwt(JWT, 60).done();
    p.http(403, json!({"message":"no"})).does(&["fault history-refused"]);
}

#[test]
fn an_unanswered_get_jwt_is_repeated_a_bounded_number_of_times() {
    let mut p = Play::ready();
    p.wish(Wish::History { all: false }).passes(200.0);
    let done = p.done();
    assert_eq!(done.iter().filter(|d| *d == "send getJwt").count(), 4, "{done:?}");
    assert!(done.contains(&"fault no-jwt".to_owned()));
}

#[test]
fn a_refused_get_jwt_waits_as_told_and_then_gives_up() {
    let mut p = Play::ready();
    p.wish(Wish::GetJwt).done();
    for _ in 0..3 {
        let tracing = p.last["getJwt"].clone();
        let body = json!({"retryAfter":30,"errorCode":4029,"errorMessage":"slow down"});
        p.arrives(
            json!({"type":"response","class":"TooManyRequestsErrorMessage","code":429,"body":body,"tracingId":tracing}),
        );
        p.does(&["fault too-many-requests"]).passes(29.0).did_not("send getJwt");
        p.passes(2.0).did("send getJwt");
    }
    let tracing = p.last["getJwt"].clone();
    p.refusal(&tracing, 400, "no").does(&["fault refused", "fault no-jwt"]);
}

#[test]
fn without_a_session_a_live_jwt_still_reads_history_and_a_dead_one_does_not() {
    let mut p = Play::ready();
    p.wish(Wish::GetJwt).jwt(JWT, 60).wish(Wish::Leave { code: 1000, reason: String::new() }).done();
    p.wish(Wish::History { all: false }).does(&[NEWEST]);
    p.http(200, page(1, 1, &["a"])).passes(60.0).done();
    p.wish(Wish::History { all: false }).does(&["fault no-jwt"]);
}

#[test]
fn wishes_during_a_reading_are_served_after_it() {
    let mut p = Play::ready();
    p.wish(Wish::History { all: false }).jwt(JWT, 60).done();
    p.wish(Wish::History { all: false }).wish(Wish::History { all: true }).does(&[]);
    p.http(200, page(1, 40, &["a"]))
        .does(&["call GET http://api/api/v2/webmessaging/messages?pageNumber=1&pageSize=100"]);
}

#[test]
fn without_an_api_host_history_is_not_asked_for() {
    let mut p = Play::ready_with(|e| e.reconnect = true);
    p.machine.hosts.api.clear();
    p.wish(Wish::History { all: true }).does(&["fault no-api-host"]);
    p.wish(Wish::GetJwt).does(&["send getJwt"]);
    p.jwt(JWT, 60).done();
    // What is in doubt after a lost connection comes to an end all the same.
    p.say("m1", "hello").lost().passes(2.0).opened();
    p.answer("configureSession", "SessionResponse", json!({"connected":true,"newSession":false}));
    let done = p.done();
    assert!(done.iter().any(|d| d.contains("m1") && d.contains("unconfirmed")), "{done:?}");
    assert!(!done.iter().any(|d| d.starts_with("call") || d.starts_with("fault no-api")), "{done:?}");
}
