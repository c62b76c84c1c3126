//! Connect, configure, restart, clear, end, reconnect.

use serde_json::json;

use super::*;
use crate::model::SecretKind;
use crate::model::fact::End;

const CONFIGURE: &str = r#"send configureSession {"deploymentId":"d1","startNew":false}"#;
const CONFIGURE_NEW: &str = r#"send configureSession {"deploymentId":"d1","startNew":true}"#;

#[test]
fn a_session_is_opened_and_configured() {
    let mut p = Play::with(|e| {
        e.origin = Some("https://shop.example".into());
        e.application = "a b/1".into();
    });
    p.wish(Wish::Connect);
    let learnt =
        |a: &Action| matches!(a, Action::Learn { kind: SecretKind::SessionToken, value } if value.expose() == TOKEN);
    assert!(p.actions.iter().any(learnt));
    p.does(&[
        "state connecting",
        "open 1 ws://guest/v1?deploymentId=d1&application=a+b%2F1 Origin: https://shop.example",
    ]);
    p.opened().does(&["state connected", "state configuring", CONFIGURE]);
    p.answer(
        "configureSession",
        "SessionResponse",
        json!({"connected":true,"newSession":true,"readOnly":false,"durationSeconds":600,"expirationDate":START + 600}),
    );
    assert_eq!(p.seen.answers.as_ref(), p.last.get("configureSession"));
    p.does(&[
        "keep session-token",
        "clock session-idle Started by server until +600",
        "state ready: new session; join or…",
    ]);
}

#[test]
fn a_second_answer_to_configure_changes_nothing() {
    let mut p = Play::ready();
    p.answer("configureSession", "SessionResponse", json!({"connected":true,"newSession":true,"readOnly":true}))
        .does(&[]);
    assert_eq!(*p.machine.state(), SessionState::Ready);
}

#[test]
fn a_resumed_session_reads_its_newest_history() {
    let mut p = Play::made(true, |_| {});
    p.wish(Wish::Connect).opened().done();
    p.answer("configureSession", "SessionResponse", json!({"connected":true,"newSession":false}));
    p.does(&["keep session-token", "state ready: known session", "send getJwt"]);
    let mut p = Play::made(true, |_| {});
    p.wish(Wish::Connect).opened().done();
    p.answer("configureSession", "SessionResponse", json!({"connected":true,"newSession":true}));
    p.does(&["keep session-token", "state ready: the server does not know the old session…"]);
}

#[test]
fn configuring_again_on_the_open_socket_reads_no_history() {
    let mut p = Play::ready();
    p.wish(Wish::Configure { start_new: false }).does(&["state configuring", CONFIGURE]);
    p.answer("configureSession", "SessionResponse", json!({"connected":true,"newSession":false}));
    p.does(&["state ready: known session"]);
}

#[test]
fn a_refused_upgrade_ends_it_and_is_not_tried_again() {
    for reconnect in [false, true] {
        let mut p = Play::with(|e| e.reconnect = reconnect);
        p.wish(Wish::Connect).done();
        p.not_opened(Some(403));
        p.does(&["state ended (the socket was not opened (upgrade-refused)): The upgrade was refused"]);
        p.passes(1000.0).does(&[]);
        p.wish(Wish::Connect).did("open 2");
    }
}

#[test]
fn a_refused_configure_ends_it() {
    for (code, text) in
        [(401, "User is unauthorized"), (403, "Session authentication failed"), (4017, "no"), (4020, "x")]
    {
        let mut p = Play::with(|e| e.reconnect = true);
        p.wish(Wish::Connect).opened().done();
        let tracing = p.last["configureSession"].clone();
        p.refusal(&tracing, code, text);
        p.does(&["close 1000 session ended", &format!("state ended (configuring was refused with {code}: {text})")]);
        p.closed(1000).passes(1000.0).does(&[]);
    }
    // Without a tracing id it can only mean the configuring.
    let mut p = Play::new();
    p.wish(Wish::Connect).opened().done();
    p.arrives(json!({"type":"response","class":"string","code":401,"body":"User is unauthorized"}));
    p.did("state ended (configuring was refused with 401");
}

#[test]
fn configure_is_repeated_after_429_a_bounded_number_of_times() {
    let mut p = Play::new();
    p.wish(Wish::Connect).opened().done();
    for _ in 0..3 {
        let tracing = p.last["configureSession"].clone();
        let body = json!({"retryAfter":3,"errorCode":4029,"errorMessage":"slow down"});
        p.arrives(
            json!({"type":"response","class":"TooManyRequestsErrorMessage","code":429,"body":body,"tracingId":tracing}),
        );
        p.does(&["state configuring: 429: configuring again in 3 s"]);
        p.passes(2.9).does(&[]).passes(0.2).does(&["state configuring", CONFIGURE]);
    }
    let tracing = p.last["configureSession"].clone();
    p.refusal(&tracing, 429, "slow down").did("state ended (configuring was refused with 429");
}

#[test]
fn an_unanswered_configure_is_told_and_a_late_answer_is_welcome() {
    let mut p = Play::new();
    p.wish(Wish::Connect).opened().done();
    p.passes(11.0).does(&["fault unanswered"]);
    p.answer("configureSession", "SessionResponse", json!({"connected":true,"newSession":true}));
    p.did("state ready");
}

#[test]
fn a_session_that_is_connected_is_not_connected_again() {
    Play::ready().wish(Wish::Connect).does(&["fault already-connected"]);
}

#[test]
fn a_read_only_session_is_restarted_on_the_same_socket() {
    let mut p = Play::ready();
    p.arrives(json!({"type":"message","class":"StructuredMessage","code":200,"body":{"id":"e1","type":"Event",
        "direction":"Outbound","channel":{"time":"2026-01-06T13:30:00.000Z","messageId":"e1"},
        "events":[{"eventType":"Presence","presence":{"type":"Disconnect"}}],"metadata":{"readOnly":"true"}}}));
    p.does(&["state read-only: the other side ended the conversation"]);
    p.say("m1", "hello?").does(&["m1 not sent: the conversation is read-only: start a new session first"]);
    p.wish(Wish::StartNew).does(&[
        r#"send closeSession {"closeAllConnections":true}"#,
        "state configuring: closing the session to start a new one",
    ]);
    p.answer("closeSession", "SessionResponse", json!({"connected":false,"newSession":false,"readOnly":true}));
    p.does(&["state configuring", CONFIGURE_NEW]);
    p.answer("configureSession", "SessionResponse", json!({"connected":true,"newSession":true,"readOnly":false}));
    p.does(&["state ready: new session; join or…"]);
    // The same Disconnect again, as history or another route may bring it, is an old tale.
    p.arrives(json!({"type":"message","class":"StructuredMessage","code":200,"body":{"id":"e1","type":"Event",
        "direction":"Outbound","channel":{"messageId":"e1"},
        "events":[{"eventType":"Presence","presence":{"type":"Disconnect"}}],"metadata":{"readOnly":"true"}}}));
    p.does(&[]);
}

#[test]
fn a_disconnect_that_allows_sending_leaves_the_session_open() {
    for metadata in [json!({"readOnly":"false"}), json!({})] {
        let mut p = Play::ready();
        p.arrives(json!({"type":"message","class":"StructuredMessage","code":200,"body":{"id":"e1","type":"Event",
            "direction":"Outbound","events":[{"eventType":"Presence","presence":{"type":"Disconnect"}}],"metadata":metadata}}));
        assert_eq!(*p.machine.state(), SessionState::Ready);
    }
}

#[test]
fn a_restart_without_an_answer_is_given_up() {
    let mut p = Play::ready();
    p.wish(Wish::StartNew).done();
    p.passes(11.0).does(&[
        "fault unanswered",
        "state connected: the new session was not started: no answer to closeSession for 10 s",
    ]);
    p.wish(Wish::Configure { start_new: true }).does(&["state configuring", CONFIGURE_NEW]);
}

#[test]
fn a_closed_session_leaves_the_socket_open() {
    let mut p = Play::ready();
    p.wish(Wish::CloseSession { all_connections: false }).does(&[r#"send closeSession {"closeAllConnections":false}"#]);
    p.answer("closeSession", "SessionResponse", json!({"connected":false,"newSession":false,"readOnly":true}));
    p.does(&["state connected: the session was closed"]);
    p.say("m1", "x").does(&["m1 not sent: the session is connected"]);
}

#[test]
fn clearing_ends_with_a_close_of_ours() {
    let mut p = Play::ready();
    p.wish(Wish::Clear { tracing: "c1".into() }).does(&[
        r#"send onMessage {"message":{"events":[{"eventType":"Presence","presence":{"type":"Clear"}}],"type":"Event"}}"#,
        "c1 sent",
    ]);
    p.arrives(
        json!({"type":"message","class":"StructuredMessage","code":200,"tracingId":"c1","body":{"id":"x","type":"Event",
        "direction":"Inbound","events":[{"eventType":"Presence","presence":{"type":"Clear"}}]}}),
    );
    p.does(&["c1 delivered"]);
    p.arrives(json!({"type":"message","class":"SessionClearedEvent","code":200,"body":{}})).does(&[]);
    p.arrives(json!({"type":"message","class":"ConnectionClosedEvent","code":200,"body":{}}));
    p.does(&[
        "close 1000 conversation cleared",
        "clock session-idle Forgotten by server until +0",
        "state ended (the conversation was cleared)",
    ]);
    p.closed(1000).passes(1000.0).does(&[]);
}

#[test]
fn a_cleared_session_ends_even_when_the_connection_stays() {
    let mut p = Play::ready();
    p.arrives(json!({"type":"message","class":"SessionClearedEvent","code":200,"body":{}})).done();
    p.passes(10.0).did("state ended (the conversation was cleared): the server sent no");
}

#[test]
fn a_refused_clear_is_a_switched_off_feature() {
    let mut p = Play::ready();
    p.wish(Wish::Clear { tracing: "c1".into() }).done();
    p.refusal("c1", 403, "Presence events Conversation Clear are not supported");
    p.does(&["c1 refused 403 Presence events Conversation Clear are not supported"]);
    assert_eq!(*p.machine.state(), SessionState::Ready);
}

#[test]
fn the_server_s_last_words_tell_how_it_ended() {
    let event = |class: &str, body| json!({"type":"message","class":class,"code":200,"body":body});
    let cases = [
        (event("ConnectionClosedEvent", json!({})), End::ConnectionClosed { reason: String::new() }, false),
        (event("ConnectionClosedEvent", json!({"reason":"signedIn"})), End::SignedInElsewhere, true),
        (event("ConnectionClosedEvent", json!({"reasonCode":"signedIn"})), End::SignedInElsewhere, true),
        (event("LogoutEvent", json!({})), End::LoggedOut, true),
        (event("SessionExpiredEvent", json!({})), End::Expired, true),
        (json!({"type":"response","class":"string","code":4006,"body":"expired"}), End::Expired, true),
        (json!({"type":"response","class":"string","code":4007,"body":"session not found"}), End::Unknown, true),
    ];
    for (frame, end, forgets) in cases {
        let mut p = Play::ready_with(|e| e.reconnect = true);
        p.arrives(frame);
        assert_eq!(*p.machine.state(), SessionState::Ended(end.clone()));
        let done = p.done();
        assert!(done.iter().any(|d| d.starts_with("close 1000")), "{end:?}");
        assert_eq!(done.contains(&"unkeep session-token".to_owned()), forgets, "{end:?}");
        p.closed(1000).passes(2000.0).did_not("open");
    }
}

#[test]
fn a_close_or_a_loss_ends_it_unless_reconnecting_is_switched_on() {
    let mut p = Play::ready();
    p.say("m1", "hi").done();
    p.closed(1001).does(&[
        "m1 unconfirmed: closed by the server with 1001: bye, before an echo",
        "state ended (closed by the server with 1001: bye)",
    ]);
    let mut p = Play::ready();
    p.lost().does(&["state ended (connection lost without a close frame)"]);
}

#[test]
fn leaving_closes_the_socket_with_a_code_and_a_reason() {
    let mut p = Play::ready();
    p.wish(Wish::Leave { code: 4001, reason: "x".repeat(124) }).does(&["fault close-reason-too-long"]);
    p.wish(Wish::Leave { code: 4001, reason: "done".into() });
    p.does(&["close 4001 done", "state ended (closed by you)"]);
    p.closed(4001).does(&[]);
    let mut p = Play::new();
    p.wish(Wish::Connect).wish(Wish::Leave { code: 1000, reason: String::new() }).done();
    p.opened().does(&["close 1000 "]);
}

#[test]
fn a_lost_session_is_resumed_and_doubtful_sends_are_looked_up() {
    let mut p = Play::ready_with(|e| e.reconnect = true);
    for (id, text) in [("m1", "same"), ("m2", "same"), ("m3", "lost"), ("m4", "by id")] {
        p.say(id, text);
    }
    p.done();
    p.lost().does(&["state reconnecting: connection lost without a close frame"]);
    p.passes(1.0).does(&[
        "state connecting: try 1 to reconnect with the same token",
        "open 2 ws://guest/v1?deploymentId=d1&application=test",
    ]);
    p.opened().does(&["state connected", "state configuring", CONFIGURE]);
    p.answer("configureSession", "SessionResponse", json!({"connected":true,"newSession":false}));
    p.does(&["state ready: known session", "send getJwt"]);
    p.jwt("e30.e30.x", 60);
    p.does(&[
        "clock guest-jwt Started by server until +61",
        "call GET http://api/api/v2/webmessaging/messages?pageNumber=1&pageSize=25",
    ]);
    assert!(p.headers.contains(&("Authorization".into(), "bearer e30.e30.x".into())));
    let time = Wall::from_secs(START).rfc3339();
    let old = Wall::from_secs(START - 100).rfc3339();
    let item = |id: &str, text: &str, time: &str, metadata| {
        json!({"id":id,"type":"Text","text":text,"direction":"Inbound",
        "channel":{"time":time},"metadata":metadata})
    };
    p.http(
        200,
        json!({"entities":[
            item("h4", "changed by the server", &time, json!({"customMessageId":"m4"})),
            item("h2", "same", &time, json!({})),
            item("h1", "lost", &old, json!({})),
        ],"pageSize":25,"pageNumber":1,"total":3,"pageCount":1}),
    );
    p.does(&[
        "m4 delivered",
        "m2 delivered",
        "m1 unconfirmed: history does not have it after the connection was lost",
        "m3 unconfirmed: history does not have it after the connection was lost",
        "state ready: 2 of your messages found in history: 1 by id, 1 by equal text after the time of sending, which is a guess",
    ]);
    // A late echo still counts.
    p.echo("m3", "k3", "lost").did("m3 delivered");
}

#[test]
fn reconnecting_is_given_up_in_time_and_each_try_is_seen() {
    let mut p = Play::ready_with(|e| e.reconnect = true);
    p.say("m1", "hi").lost().done();
    let mut opens = 0;
    for _ in 0..1000 {
        if p.machine.state().is_ended() {
            break;
        }
        p.passes(1.0);
        if matches!(p.machine.state(), SessionState::Connecting) {
            opens += 1;
            p.not_opened(Some(503));
        }
    }
    assert!((5..60).contains(&opens), "{opens}");
    assert_eq!(*p.machine.state(), SessionState::Ended(End::GaveUp { attempts: opens }));
    p.did("m1 unconfirmed: gave up after");
    assert!(p.at().now.mono.since(Mono(1)) < Duration::from_secs(400));
}

#[test]
fn a_session_that_breaks_at_once_again_and_again_is_given_up_too() {
    let mut p = Play::ready_with(|e| e.reconnect = true);
    let mut opens = 0;
    while !p.machine.state().is_ended() && opens < 500 {
        p.lost();
        while matches!(p.machine.state(), SessionState::Reconnecting { .. }) {
            p.passes(1.0);
        }
        if p.machine.state().is_ended() {
            break;
        }
        opens += 1;
        p.opened().answer("configureSession", "SessionResponse", json!({"connected":true,"newSession":false}));
    }
    assert!(opens < 100, "{opens}");
    assert!(matches!(p.machine.state(), SessionState::Ended(End::GaveUp { .. })));
}

#[test]
fn reconnecting_can_be_switched_while_it_goes_on() {
    let mut p = Play::ready();
    p.wish(Wish::SetReconnect(true)).does(&["state ready: reconnecting is switched on"]);
    p.lost().done();
    p.wish(Wish::SetReconnect(false)).did("state ended (connection lost");
    p.passes(600.0).does(&[]);
}

#[test]
fn a_normal_close_is_not_answered_with_a_new_socket() {
    let mut p = Play::ready_with(|e| e.reconnect = true);
    p.closed(1000).did("state ended (closed by the server with 1000: bye)");
    let mut p = Play::ready_with(|e| e.reconnect = true);
    p.closed(1011).did("state reconnecting");
}

#[test]
fn a_missing_pong_means_a_lost_connection() {
    let mut p = Play::ready();
    p.pongs = false;
    p.passes(15.0).does(&["ping"]);
    p.step(Input::Pong { conn: 1 }).passes(15.0).does(&["ping"]);
    p.passes(10.0).does(&[
        "fault no-pong",
        "close 1000 no pong",
        "state ended (connection lost without a close frame)",
    ]);
}
