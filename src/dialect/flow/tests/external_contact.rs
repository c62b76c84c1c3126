//! S1, external-contact socket.

use super::play::*;
use super::*;
use crate::dialect::FlowWish;
use crate::model::fact::ClockDeed;
use crate::model::flows::{HandshakeToken, RenewBy};

const MESSAGES: &str = "POST http://api/api/v2/conversations/messaging/external/contacts/s1/messages";

fn greeting(session: &str, left: i64) -> Value {
    json!({ "type": "greeting", "sessionId": session, "contactId": session, "expires_in": left })
}

fn with(change: impl FnOnce(&mut Config)) -> Play {
    let mut p = Play::with(DialectId::ExternalContact, change);
    p.connect().bearer(1, 300).opened().frame(greeting("s1", 300));
    p.actions.clear();
    p
}

#[test]
fn s1_1_the_socket_is_opened_with_the_token_and_greeted() {
    let mut p = Play::new(DialectId::ExternalContact);
    p.connect().does(&["connecting", "needs a bearer"]);
    p.bearer(1, 300).does(&[
        "clock handshake-token Started by the credential",
        "open 1 ws://api/api/v2/conversations/messaging/external/contacts",
    ]);
    p.opened().does(&["bearer 1 was taken", "connected"]);
    p.frame(greeting("s1", 300)).does(&["session id s1", "contact id s1", "ready"]);
}

#[test]
fn s1_1_the_token_may_stand_in_the_address_instead() {
    let mut p = Play::with(DialectId::ExternalContact, |c| {
        c.environment.flows.external_contact.handshake_token = HandshakeToken::Query;
    });
    p.connect().bearer(1, 300).did("open 1 ws://api/api/v2/conversations/messaging/external/contacts?token=oauth1");
}

#[test]
fn s1_2_a_message_is_posted_and_delivered_when_the_socket_tells_it() {
    let mut p = with(|_| {});
    p.say("m1", "hi").does(&["m1 sent", MESSAGES]);
    assert_eq!((p.body(), p.header("authorization")), (json!({ "to": "agent", "text": "hi" }), Some("Bearer oauth1")));
    p.answer(202, json!({ "id": "x" })).does(&[]);
    p.frame(json!({ "type": "message", "id": "x", "from": "guest", "text": "hi" })).does(&["m1 delivered"]);
}

#[test]
fn s1_2_a_frame_that_overtakes_the_answer_to_the_post_is_understood() {
    let mut p = with(|_| {});
    p.say("m1", "hi").frame(json!({ "type": "message", "id": "x" })).answer(202, json!({ "id": "x" }));
    p.did("m1 delivered");
}

#[test]
fn s1_2_a_contact_id_that_is_not_the_session_s_is_used_and_marked() {
    let mut p = Play::with(DialectId::ExternalContact, |c| c.form.contact_id = "other".into());
    p.connect().bearer(1, 300).opened().actions.clear();
    p.frame(greeting("s1", 300));
    p.does(&["session id s1", "contact id other, but the handshake's session id is s1", "ready"]);
    p.say("m1", "hi").did("POST http://api/api/v2/conversations/messaging/external/contacts/other/messages");
}

#[test]
fn s1_3_a_close_with_1000_right_after_a_post_is_told_as_a_lost_message_and_a_fresh_token_is_asked_for() {
    let mut p = with(|_| {});
    p.say("m1", "hi").answer(202, json!({ "id": "x" })).passes(0.2).actions.clear();
    p.closed(1000).does(&[
        "m1 unconfirmed: accepted, but the socket closed 1000 200 ms after the POST, before it was committed",
        "fault closed-after-post: The close frame came 200 ms after the POST was sent…",
        "reconnecting (closed by the server with 1000, no reason given)",
        "clock handshake-token Forgotten by a close with 1000",
        "another bearer than 1 is wanted",
    ]);
    p.bearer(2, 300).passes(2.0);
    p.did("open 2 ws://api/api/v2/conversations/messaging/external/contacts");
}

#[test]
fn s1_4_thirty_seconds_before_its_end_the_token_is_renewed_by_a_post_to_the_messages_path() {
    let mut p = with(|_| {});
    p.passes(269.0).does(&[]);
    p.passes(2.0).does(&[MESSAGES]);
    assert_eq!((p.body(), p.header("authorization")), (json!({ "expires_in": 3600 }), Some("Bearer oauth1")));
    p.answer(200, json!({ "token": "renewed", "expires_in": 3600 }))
        .does(&["clock handshake-token Refreshed by refresh"]);
    p.say("m1", "hi");
    assert_eq!(p.header("authorization"), Some("Bearer renewed"));
}

#[test]
fn s1_4_a_shorter_life_that_the_greeting_tells_counts() {
    let mut p = Play::new(DialectId::ExternalContact);
    p.connect().bearer(1, 3600).opened().frame(greeting("s1", 60)).actions.clear();
    p.passes(29.0).does(&[]);
    p.passes(2.0).does(&[MESSAGES]);
}

#[test]
fn s1_4_a_401_during_the_refresh_ends_it_without_a_loop() {
    let mut p = with(|_| {});
    p.flow(FlowWish::Refresh { form: None }).answer(401, json!({ "message": "no" })).does(&[
        MESSAGES,
        "bearer 1 was refused",
        "close 1000",
        "clock handshake-token Forgotten by end of the session",
        "ended: the refresh was refused with 401: no",
        "final report",
    ]);
    p.passes(4000.0).sent_nothing();
}

#[test]
fn s1_4_a_token_from_the_credential_needs_a_new_socket() {
    let mut p = with(|c| c.environment.flows.external_contact.renew_by = RenewBy::Credential);
    p.passes(271.0).does(&["needs a bearer"]);
    p.bearer(2, 300).does(&[
        "clock handshake-token Refreshed by the credential",
        "close 1000 token renewed",
        "connecting (a new socket for the renewed token)",
        "open 2 ws://api/api/v2/conversations/messaging/external/contacts",
    ]);
    assert_eq!(p.opened().frame(greeting("s2", 300)).say("m1", "hi").header("authorization"), Some("Bearer oauth2"));
}

#[test]
fn s1_4_a_message_refused_with_401_is_sent_once_more_with_another_token_on_a_new_socket() {
    let mut p = with(|_| {});
    p.say("m1", "hi").answer(401, json!({ "message": "expired" })).does(&[
        "m1 sent",
        MESSAGES,
        "m1 retrying as try 2: 401 expired",
        "clock handshake-token Refused by server",
        "bearer 1 was refused",
    ]);
    p.bearer(2, 300).did("open 2");
    p.opened().frame(greeting("s1", 300)).actions.retain(|a| matches!(a, crate::dialect::Action::Call { .. }));
    p.does(&[MESSAGES]);
    p.answer(401, json!({ "message": "expired" }));
    p.does(&["m1 refused 401 expired", "clock handshake-token Refused by server", "bearer 2 was refused"]);
    p.passes(20.0).sent_nothing();
}

#[test]
fn s1_4_after_an_unexpected_drop_the_socket_is_opened_again_until_it_is_given_up() {
    let mut p = with(|_| {});
    p.lost().did("reconnecting");
    let mut opened = 0;
    for _ in 0..60 {
        p.passes(30.0);
        let told = p.done();
        if told.iter().any(|l| l.starts_with("ended: gave up after 8 tries")) {
            assert!((1..=8).contains(&opened));
            return;
        }
        if told.iter().any(|l| l.starts_with("open ")) {
            opened += 1;
            p.not_opened(Some(503));
        }
    }
    panic!("never given up");
}

#[test]
fn s1_4_a_socket_that_greets_and_breaks_at_once_again_and_again_is_given_up_too() {
    let mut p = with(|_| {});
    for _ in 0..20 {
        p.lost();
        if p.done().iter().any(|l| l.starts_with("ended: gave up")) {
            return;
        }
        p.passes(30.0);
        if p.done().iter().any(|l| l.starts_with("open ")) {
            p.opened().frame(greeting("s1", 300));
        }
    }
    panic!("never given up");
}

#[test]
fn s1_4_nobody_renews_where_nobody_shall_and_a_dead_token_is_not_sent() {
    let mut p = with(|c| c.environment.flows.external_contact.renew_by = RenewBy::Nobody);
    p.passes(301.0).does(&[]);
    p.say("m1", "hi").sent_nothing();
    p.does(&["m1 not sent: the handshake's token is dead, and nobody renews it"]);
}

#[test]
fn a_refused_upgrade_is_tried_once_more_with_another_token() {
    let mut p = Play::new(DialectId::ExternalContact);
    p.connect().bearer(1, 300).actions.clear();
    p.not_opened(Some(401)).does(&["clock handshake-token Refused by server", "bearer 1 was refused"]);
    p.bearer(2, 300).did("open 2");
    p.not_opened(Some(401)).did("ended: the socket was not opened");
    p.passes(600.0).sent_nothing();
}

#[test]
fn a_token_whose_refusal_came_after_the_session_was_left_is_not_sent_by_the_next_one() {
    let mut p = with(|_| {});
    p.flow(FlowWish::Refresh { form: None }).leave().closed(1000).actions.clear();
    p.answer(401, json!({ "message": "dead" })).does(&["bearer 1 was refused"]);
    p.connect().does(&["connecting", "needs a bearer"]);
    p.bearer(2, 300).did("open 2");
}

#[test]
fn a_token_whose_refusal_came_when_the_next_session_had_it_is_not_sent_any_more() {
    let mut p = with(|_| {});
    p.say("m1", "hi").leave().closed(1000).connect().opened().frame(greeting("s1", 300)).actions.clear();
    p.answer(401, json!({ "message": "dead" }));
    p.does(&["bearer 1 was refused", "clock handshake-token Refused by server"]);
    p.say("m2", "hi").does(&["needs a bearer"]);
    p.bearer(2, 300).did("open 3");
}

#[test]
fn the_very_token_that_was_refused_is_not_sent_under_another_number() {
    let mut p = with(|_| {});
    p.say("m1", "hi").answer(401, json!({ "message": "expired" })).actions.clear();
    p.granted(2, "oauth1", 300).does(&["bearer 2 was refused"]);
    p.bearer(3, 300).did("open 2");
}

#[test]
fn a_late_refusal_counts_for_the_very_token_that_was_given_again_since() {
    let mut p = with(|_| {});
    p.say("m1", "hi").deed("handshake-token", ClockDeed::Forget).lost().passes(2.0).did("needs a bearer");
    p.granted(2, "oauth1", 300).did("open 2");
    p.answer(401, json!({ "message": "expired" })).does(&[
        "m1 refused 401 expired",
        "clock handshake-token Refused by server",
        "bearer 2 was refused",
    ]);
}

#[test]
fn a_socket_that_opens_after_the_session_was_left_is_closed() {
    let mut p = Play::new(DialectId::ExternalContact);
    p.connect().bearer(1, 300).leave().actions.clear();
    p.opened().does(&["close 1000"]);
    p.frame(greeting("s1", 300)).does(&[]);
}

#[test]
fn news_that_were_overtaken_by_the_death_of_the_token_are_asked_for_again() {
    let mut p = Play::new(DialectId::ExternalContact);
    p.connect().actions.clear();
    p.step(Input::Bearer(BearerNews::Dead { number: 1 })).does(&["needs a bearer"]);
}

#[test]
fn bad_texts_are_refused_before_anything_is_sent() {
    let mut p = with(|_| {});
    p.say("m1", "").sent_nothing().does(&["m1 not sent: text: empty – a message says something"]);
    p.say("m2", &"ü".repeat(2049)).sent_nothing();
    p.does(&["m2 not sent: text: 4098 bytes – at most 4096 bytes of UTF-8"]);
    p.leave().actions.clear();
    p.say("m3", "hi").sent_nothing().does(&["m3 not sent: the socket is not open"]);
}

#[test]
fn what_a_tester_does_to_the_handshake_s_token_is_told() {
    let mut p = with(|_| {});
    p.deed("handshake-token", ClockDeed::Corrupt).does(&["clock handshake-token Corrupted by you"]);
    assert_ne!(p.say("m1", "hi").header("authorization"), Some("Bearer oauth1"));
    p.deed("handshake-token", ClockDeed::Forget).did("clock handshake-token Forgotten by you");
}
