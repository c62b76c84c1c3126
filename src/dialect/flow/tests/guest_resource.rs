//! S4, guest as a resource with a handshake socket.

use super::play::*;
use super::*;
use crate::dialect::{Action, FlowWish};
use crate::model::fact::ClockDeed;

const SOCKET: &str = "open 1 ws://api/api/v2/guests/g1/sessions/s1/ws";

fn hints() -> Value {
    json!({ "exp": START + 1800, "routing_hints": { "queue": "queue-1" } })
}

fn guest(token: &str) -> Value {
    json!({ "id": "g1", "guestToken": token, "sessions": [{ "id": "s1" }], "attributes": {} })
}

fn created(change: impl FnOnce(&mut Config)) -> Play {
    let mut p = Play::with(DialectId::GuestResource, change);
    p.connect().bearer(1, 30_000).answer(201, guest(&jwt("sig", &hints())));
    p.actions.clear();
    p
}

fn ready() -> Play {
    let mut p = created(|_| {});
    p.opened().frame(json!({ "type": "connected", "payload": {} })).actions.clear();
    p
}

fn kept(left: i64) -> Option<Secret<String>> {
    let token = jwt("kept", &json!({ "exp": START + left, "routing_hints": { "q": 1 } }));
    let at = |secs: i64| (START + secs) * 1_000_000;
    let kept =
        json!({ "guestId": "g0", "sessionId": "s0", "guestToken": token, "createdAt": at(-60), "expiresAt": at(left) });
    Some(Secret::new(kept.to_string()))
}

#[test]
fn s4_1_the_scopes_are_asked_for() {
    let flow = Environment::default().flows.guest_resource;
    assert_eq!(flow.oauth.scope, "guest:create guest:read webchat:send user:read");
}

#[test]
fn s4_1_429_is_obeyed_with_two_seconds_where_it_names_none_three_times_in_all() {
    let mut p = Play::new(DialectId::GuestResource);
    p.connect().bearer(1, 3000).actions.clear();
    p.answer(429, json!({})).passes(1.9).does(&[]);
    p.passes(0.2).does(&["POST http://api/api/v2/guests"]);
    p.answer_after(429, Some(9), json!({})).passes(8.9).does(&[]);
    p.passes(0.2).does(&["POST http://api/api/v2/guests"]);
    p.answer(429, json!({ "message": "busy" })).did("ended: 429 busy (after 3 tries)");
}

#[test]
fn s4_2_a_guest_is_made_with_name_attributes_and_routing() {
    let mut p = Play::with(DialectId::GuestResource, |c| c.form.attributes = vec![("tier".into(), "gold".into())]);
    p.connect().does(&["connecting", "needs a bearer"]);
    p.bearer(1, 3000).does(&["POST http://api/api/v2/guests"]);
    let routing = json!({ "queue": { "id": "queue-1" }, "skill": { "id": "sales" }, "language": "en-US" });
    assert_eq!(p.body(), json!({ "name": "Web Guest", "attributes": { "tier": "gold" }, "routing": routing }));
    p.answer(201, guest(&jwt("sig", &hints()))).does(&[
        "bearer 1 was taken",
        "clock guest-token Started by server",
        "guest id g1",
        "session id s1",
        "keep guest-session",
        SOCKET,
    ]);
}

#[test]
fn s4_3_each_flaw_of_the_guest_token_discards_the_session_and_is_named() {
    let cases = [
        ("two.parts".to_owned(), "guestToken has 2 parts – a JWT has three"),
        ("a.b.c".to_owned(), "guestToken: unreadable"),
        (jwt("s", &json!({ "routing_hints": { "q": 1 } })), "guestToken.exp: missing"),
        (jwt("s", &json!({ "exp": START - 7, "routing_hints": { "q": 1 } })), "guestToken.exp: 2026-"),
        (jwt("s", &json!({ "exp": START + 60 })), "guestToken.routing_hints: missing"),
        (jwt("s", &json!({ "exp": START + 60, "routing_hints": {} })), "guestToken.routing_hints: empty"),
        (jwt("s", &json!({ "exp": START + 60, "routing_hints": 7 })), "guestToken.routing_hints: not an object"),
    ];
    for (token, what) in cases {
        let mut p = Play::new(DialectId::GuestResource);
        p.connect().bearer(1, 3000).actions.clear();
        p.answer(201, guest(&token)).sent_nothing();
        assert!(!p.actions.iter().any(|a| matches!(a, Action::Keep { .. })), "{what}");
        p.did(&format!("fault guest-token: {what}"));
    }
}

#[test]
fn s4_4_the_first_frame_is_the_handshake_and_what_comes_next_makes_it_ready() {
    let mut p = created(|_| {});
    let handshake = json!({ "type": "handshake", "token": jwt("sig", &hints()) });
    p.opened().does(&[&format!("send {handshake}"), "connected", "configuring"]);
    p.say("m0", "hi").sent_nothing().did("m0 not sent: the handshake is not done");
    p.frame(json!({ "type": "connected", "payload": { "sessionId": "s1" } })).does(&["ready"]);
    p.say("m1", "hi").does(&[r#"send {"payload":{"id":"m1","text":"hi"},"type":"message"}"#, "m1 sent"]);
    p.frame(json!({ "type": "message", "payload": { "id": "x", "clientId": "m1", "text": "hi" } }))
        .does(&["m1 delivered"]);
}

#[test]
fn s4_4_1006_at_the_handshake_is_told_with_what_is_known_of_the_token_and_that_guest_is_not_used_again() {
    let mut p = created(|_| {});
    p.passes(100.0).opened().lost();
    p.did("fault handshake-refused: The connection ended before the handshake was answered (connection lost without a close frame); by the server's clock the token had 1700 s left.");
    p.connect().did("POST http://api/api/v2/guests");
}

#[test]
fn s4_4_a_token_that_died_before_the_socket_was_open_is_not_sent() {
    let mut p = created(|_| {});
    p.passes(1801.0).opened().sent_nothing().did("ended: the guest token died before the handshake");
}

#[test]
fn s4_4_a_socket_that_opens_after_the_session_was_left_is_closed_without_a_handshake() {
    let mut p = created(|_| {});
    p.leave().actions.clear();
    p.opened().does(&["close 1000"]);
}

#[test]
fn s4_5_a_kept_session_is_resumed_unless_less_than_five_minutes_are_left() {
    let mut p = Play::with(DialectId::GuestResource, |c| c.kept = kept(300));
    p.connect().does(&[
        "connecting",
        "connecting (the kept session is resumed)",
        "clock guest-token Started by the keyring",
        "guest id g0",
        "session id s0",
        "open 1 ws://api/api/v2/guests/g0/sessions/s0/ws",
    ]);
    let mut p = Play::with(DialectId::GuestResource, |c| c.kept = kept(299));
    p.connect().does(&[
        "connecting",
        "connecting (the kept session's token has 299 s left, less than 300 s: a new guest)",
        "unkeep guest-session",
        "needs a bearer",
    ]);
    for change in [|c: &mut Config| c.form.fresh = true, |c: &mut Config| c.kept = Some(Secret::from("no json"))] {
        let mut p = Play::with(DialectId::GuestResource, |c| {
            c.kept = kept(1000);
            change(c);
        });
        p.connect().did("needs a bearer");
    }
}

#[test]
fn s4_6_the_profile_is_written_with_what_is_given_and_the_time() {
    let mut p = ready();
    let given = vec![("external_email".into(), "a@b".into()), ("delegation_verified".into(), "true".into())];
    p.flow(FlowWish::SyncProfile { attributes: given }).does(&["PUT http://api/api/v2/guests/g1"]);
    let attributes = p.body()["attributes"].clone();
    assert_eq!((&attributes["external_email"], &attributes["delegation_verified"]), (&json!("a@b"), &json!(true)));
    assert!(attributes["synced_at"].is_string());
    p.answer(200, json!({})).does(&["ready (the profile is written)"]);
}

#[test]
fn s4_6_a_404_means_that_the_guest_is_gone_and_the_next_connect_makes_another() {
    let mut p = ready();
    p.flow(FlowWish::SyncProfile { attributes: vec![] }).answer(404, json!({ "message": "Guest not found" }));
    p.did("fault guest-gone: 404 Guest not found");
    p.leave().closed(1000).connect().did("POST http://api/api/v2/guests");
}

#[test]
fn s4_6_attributes_over_ten_kilobytes_are_refused_with_size_and_limit_before_anything_is_sent() {
    let mut p = ready();
    p.flow(FlowWish::SyncProfile { attributes: vec![("big".into(), "x".repeat(10_240))] }).sent_nothing();
    p.did("audit profile.sync failed");
    let cases: [(Change, &str); 3] = [
        (
            |c| c.form.attributes = vec![("big".into(), "x".repeat(10_240))],
            "attributes: 10250 bytes – at most 10240 bytes of JSON",
        ),
        (|c| c.form.skill.clear(), "routing.skill.id: empty – a skill must be named"),
        (|c| c.environment.queue_id = None, "routing.queue.id: empty – a queue must be chosen"),
    ];
    for (change, what) in cases {
        let mut p = Play::with(DialectId::GuestResource, change);
        p.connect().sent_nothing().did(&format!("ended: not started: {what}"));
    }
}

#[test]
fn s4_7_leaving_closes_with_the_widget_s_words_and_reports_what_was_done() {
    let mut p = ready();
    p.say("m1", "hi").frame(json!({ "type": "message", "payload": { "clientId": "m1" } })).actions.clear();
    p.leave().does(&["close 1000 Widget disconnect"]);
    p.say("m2", "hi").sent_nothing().did("m2 not sent");
    p.passes(3.0).closed(1000);
    let summary = p.actions.iter().find_map(|a| match a {
        Action::State(crate::model::Fact::Summary(s)) => Some(s.clone()),
        _ => None,
    });
    let s = summary.unwrap();
    assert_eq!((s.sent, s.delivered, s.requests, s.duration_us), (1, 1, 1, 3_000_000));
    let states: Vec<_> = s.states.iter().map(|(_, word)| word.as_str()).collect();
    assert_eq!(states, ["connecting", "connected", "configuring", "ready", "ended"]);
}

#[test]
fn s4_7_a_message_without_an_echo_is_unconfirmed() {
    let mut p = ready();
    p.say("m1", "hi").passes(11.0).did("m1 unconfirmed: no echo came in time");
}

#[test]
fn s4_8_the_client_s_limit_of_requests_lets_calls_wait_and_shows_the_wait_once() {
    let shared = Shared::default();
    let limit = |c: &mut Config| {
        c.shared = shared.clone();
        c.environment.flows.guest_resource.requests_per_minute = 1;
    };
    let mut first = Play::with(DialectId::GuestResource, limit);
    first.connect().bearer(1, 3000).did("POST http://api/api/v2/guests");
    let mut second = Play::with(DialectId::GuestResource, limit);
    second.connect().bearer(1, 3000).passes(59.9);
    second.does(&[
        "connecting",
        "needs a bearer",
        "waits 60000 ms: session.create: the limit of requests per minute is reached",
    ]);
    second.passes(0.2).does(&["POST http://api/api/v2/guests"]);
}

#[test]
fn what_a_tester_does_to_the_guest_token_is_told_and_a_forgotten_one_is_not_kept() {
    let mut p = ready();
    p.deed("guest-token", ClockDeed::Expire).does(&["clock guest-token Expired by you"]);
    p.deed("guest-token", ClockDeed::Forget).does(&["clock guest-token Forgotten by you", "unkeep guest-session"]);
}
