//! S0, conversation by REST with a session token.

use super::play::*;
use super::*;
use crate::dialect::FlowWish;
use crate::model::fact::ClockDeed;
use crate::model::flows::{RefreshForm, SendForm};

const STALE: &str = "Session token is invalid or expired";

fn play() -> Play {
    with(|_| {})
}

fn token(name: &str) -> String {
    jwt(name, &json!({ "exp": START + 900 }))
}

fn with(change: impl FnOnce(&mut Config)) -> Play {
    let mut p = Play::with(DialectId::SessionToken, change);
    p.connect().bearer(1, 3000);
    p.answer(200, json!({ "conversationId": "c1", "sessionToken": token("first"), "guestId": "g1" }));
    p.actions.clear();
    p
}

fn in_body() -> Play {
    with(|c| c.environment.flows.session_token.send_form = SendForm::TokenInBody)
}

#[test]
fn s0_1_a_conversation_is_made_with_the_oauth_bearer_and_brings_ids_and_a_session_token() {
    let mut p = Play::new(DialectId::SessionToken);
    p.connect().does(&["connecting", "needs a bearer"]);
    p.bearer(1, 3000).does(&["POST http://api/api/v2/webmessaging/conversations"]);
    assert_eq!(p.header("authorization"), Some("Bearer oauth1"));
    p.answer(200, json!({ "conversationId": "c1", "sessionToken": token("first"), "guestId": "g1" })).does(&[
        "bearer 1 was taken",
        "conversation id c1",
        "guest id g1",
        "clock session-token Started by server",
        "ready",
    ]);
}

#[test]
fn s0_1_the_other_spelling_of_the_conversation_id_is_understood_and_told() {
    let mut p = Play::new(DialectId::SessionToken);
    p.connect().bearer(1, 3000);
    p.answer(200, json!({ "conversationsId": "c1", "sessionToken": "opaque", "guestId": "g1" }));
    p.did("ready (the server spells it conversationsId)");
}

#[test]
fn s0_1_an_answer_without_ids_or_token_ends_the_session_and_says_what_is_missing() {
    for (body, what) in
        [(json!({ "sessionToken": "x" }), "conversationId"), (json!({ "conversationId": "c" }), "sessionToken")]
    {
        let mut p = Play::new(DialectId::SessionToken);
        p.connect().bearer(1, 3000).answer(200, body);
        let told = p.done().join("\n");
        assert!(told.contains("fault session-not-made: the answer") && told.contains(what), "{told}");
        assert!(told.contains("ended: ") && told.contains("final report"), "{told}");
    }
}

#[test]
fn s0_2_each_form_of_a_message_has_its_own_body_and_bearer() {
    let first = token("first");
    for (form, body, bearer) in [
        (SendForm::TokenInBody, json!({ "text": "hi", "sessionToken": first }), None),
        (SendForm::TextWithBearer, json!({ "text": "hi", "type": "text" }), Some("Bearer oauth1".to_owned())),
        (
            SendForm::GuestIdWithBearer,
            json!({ "type": "text", "text": "hi", "guestId": "g1" }),
            Some("Bearer oauth1".into()),
        ),
        (
            SendForm::BothIdsWithBearer,
            json!({ "type": "text", "text": "hi", "conversationId": "c1", "guestId": "g1" }),
            Some("Bearer oauth1".into()),
        ),
        (SendForm::TokenAsBearer, json!({ "text": "hi", "type": "text" }), Some(format!("Bearer {first}"))),
    ] {
        let mut p = play();
        p.flow(FlowWish::Say { tracing: "m1".into(), text: "hi".into(), form });
        p.does(&["m1 sent", "POST http://api/api/v2/webmessaging/conversations/c1/messages"]);
        assert_eq!((p.body(), p.header("authorization").map(str::to_owned)), (body, bearer), "{form:?}");
        assert_eq!(p.call.purpose, form.purpose());
        p.answer(200, json!({ "id": "x" })).did("m1 delivered");
    }
}

#[test]
fn s0_2_the_session_token_as_bearer_is_refused_with_400_and_not_tried_again() {
    let mut p = with(|c| c.environment.flows.session_token.send_form = SendForm::TokenAsBearer);
    p.say("m1", "hi").answer(400, json!({ "message": "this is no OAuth token" }));
    p.does(&["m1 sent", "POST…", "m1 refused 400 this is no OAuth token"]);
}

#[test]
fn s0_3_after_the_known_401_the_token_is_renewed_once_and_the_message_sent_once_more() {
    let mut p = in_body();
    p.say("m1", "hi").answer(401, json!({ "message": STALE })).does(&[
        "m1 sent",
        "POST http://api/api/v2/webmessaging/conversations/c1/messages",
        "m1 retrying as try 2: 401 Session token is invalid or expired",
        "clock session-token Refused by server",
        "POST http://api/api/v2/webmessaging/conversations/c1/guests/g1/refresh",
    ]);
    p.answer(200, json!({ "sessionToken": token("second") }));
    p.does(&[
        "clock session-token Refreshed by server",
        "POST http://api/api/v2/webmessaging/conversations/c1/messages",
    ]);
    assert_eq!(p.body()["sessionToken"], token("second"), "never the refused one again");
    p.answer(401, json!({ "message": STALE }));
    p.does(&[
        "m1 refused 401 Session token is invalid or expired",
        "clock session-token Refused by server",
        "fault no-session-token…",
    ]);
    p.passes(600.0).sent_nothing();
}

#[test]
fn s0_3_a_refresh_that_itself_answers_401_ends_in_a_refusal_with_its_reason() {
    let mut p = in_body();
    p.say("m1", "hi").answer(401, json!({ "message": STALE })).answer(401, json!({ "message": STALE }));
    p.did("m1 refused 401 there is no session token: the refresh failed: 401 Session token is invalid or expired");
    p.passes(600.0).sent_nothing();
}

#[test]
fn s0_4_both_forms_of_the_refresh_go_out_as_they_are_described() {
    let mut p = play();
    p.flow(FlowWish::Refresh { form: Some(RefreshForm::GuestToken) });
    p.does(&["POST http://api/api/v2/webmessaging/conversations/c1/guest-token"]);
    assert_eq!(p.body(), json!({ "conversationId": "c1", "guestId": "g1" }));
    assert_eq!(p.header("authorization"), Some("Bearer oauth1"));
    p.answer(200, json!({ "sessionToken": token("second") })).did("clock session-token Refreshed");
    p.flow(FlowWish::Refresh { form: None });
    p.does(&["POST http://api/api/v2/webmessaging/conversations/c1/guests/g1/refresh"]);
    assert!(p.call.body.is_empty() && p.header("authorization") == Some("Bearer oauth1"));
}

#[test]
fn s0_5_before_a_message_leaves_with_less_than_a_minute_left_the_token_is_renewed() {
    let mut p = in_body();
    p.passes(839.0).say("m1", "hi").does(&["m1 sent", "POST…"]);
    p.answer(200, json!({})).did("m1 delivered");
    p.passes(2.0).say("m2", "hi").does(&["POST http://api/api/v2/webmessaging/conversations/c1/guests/g1/refresh"]);
    p.answer(200, json!({ "sessionToken": "fresh", "expiresIn": 900 }));
    p.does(&["clock session-token Refreshed by server", "m2 sent", "POST…"]);
    assert_eq!(p.body()["sessionToken"], "fresh");
}

#[test]
fn s0_6_one_refresh_serves_all_messages_that_wait() {
    let mut p = in_body();
    p.passes(850.0);
    for n in 0..5 {
        p.say(&format!("m{n}"), "hi");
    }
    p.does(&["POST http://api/api/v2/webmessaging/conversations/c1/guests/g1/refresh"]);
    p.answer(200, json!({ "sessionToken": "fresh", "expiresIn": 900 }));
    let told = p.done();
    assert_eq!(told.iter().filter(|l| l.ends_with(" sent")).count(), 5, "{told:?}");
    assert_eq!(told.iter().filter(|l| l.ends_with("/messages")).count(), 5, "{told:?}");
}

#[test]
fn s0_6_a_failing_refresh_backs_off_within_bounds_and_then_the_messages_are_told() {
    let mut p = in_body();
    p.passes(850.0).say("m1", "hi");
    let mut tries = 0;
    for _ in 0..20 {
        if p.done().iter().any(|l| l.contains("not sent: there is no session token: the refresh failed: 503")) {
            break;
        }
        tries += 1;
        p.answer(503, json!({ "message": "down" })).passes(5.0);
    }
    assert_eq!(tries, 6, "the first and five more");
}

#[test]
fn s0_6_a_message_that_waits_to_be_tried_again_does_not_leave_with_a_token_that_died_meanwhile() {
    let mut p = in_body();
    p.passes(830.0).say("m1", "hi").answer_after(429, Some(20), json!({})).actions.clear();
    p.passes(30.0).does(&["POST http://api/api/v2/webmessaging/conversations/c1/guests/g1/refresh"]);
    p.answer(200, json!({ "sessionToken": "fresh", "expiresIn": 900 }));
    p.does(&[
        "clock session-token Refreshed by server",
        "POST http://api/api/v2/webmessaging/conversations/c1/messages",
    ]);
    assert_eq!(p.body()["sessionToken"], "fresh");
    p.answer(200, json!({})).did("m1 delivered");
}

#[test]
fn s0_7_the_guest_token_is_learnt_and_never_kept_shown_or_sent() {
    let mut p = Play::new(DialectId::SessionToken);
    p.connect().bearer(1, 3000).actions.clear();
    p.answer(200, json!({ "conversationId": "c", "sessionToken": "st", "guestId": "g", "guestToken": "very-secret" }));
    let learnt = |a: &crate::dialect::Action| matches!(a, crate::dialect::Action::Learn { value, .. } if value.expose() == "very-secret");
    assert!(p.actions.iter().any(learnt));
    assert!(!p.actions.iter().any(|a| matches!(a, crate::dialect::Action::Keep { .. })));
    p.actions.retain(|a| !learnt(a));
    p.say("m1", "hi");
    assert!(!format!("{:?}", p.actions).contains("very-secret"));
}

#[test]
fn bad_texts_are_refused_with_field_value_and_limit_and_nothing_is_sent() {
    let mut p = play();
    p.say("m1", " \n").sent_nothing().does(&["m1 not sent: text: empty – a message says something"]);
    p.say("m2", &"x".repeat(4097)).sent_nothing();
    p.does(&["m2 not sent: text: 4097 bytes – at most 4096 bytes of UTF-8"]);
    let mut p = Play::new(DialectId::SessionToken);
    p.say("m3", "hi").sent_nothing().does(&["m3 not sent: there is no conversation"]);
}

#[test]
fn leaving_tells_what_became_of_each_message_and_a_late_answer_changes_nothing() {
    let mut p = in_body();
    p.say("m1", "hi").leave();
    p.does(&[
        "m1 sent",
        "POST…",
        "m1 unconfirmed: the session ended before an answer came",
        "clock session-token Forgotten by end of the session",
        "ended: closed by you",
        "final report",
    ]);
    p.answer(200, json!({ "id": "x" })).does(&[]);
    p.connect().did("POST http://api/api/v2/webmessaging/conversations");
}

#[test]
fn a_token_that_was_expired_by_hand_is_renewed_before_the_next_message() {
    let mut p = in_body();
    p.deed("session-token", ClockDeed::Expire).does(&["clock session-token Expired by you"]);
    p.say("m1", "hi").does(&["POST http://api/api/v2/webmessaging/conversations/c1/guests/g1/refresh"]);
}
