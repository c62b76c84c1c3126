//! What can be refused, and what is said then.

use serde_json::json;

use super::world::World;
use crate::dialect::{Deed, DeskWish, Dialect, Wish};
use crate::model::fact::{Delivery, End, SessionState};

fn alerted() -> World {
    let mut w = World::ready();
    w.platform.alert("c1");
    w.run(0.5);
    w
}

fn answered() -> World {
    let mut w = alerted();
    w.deed("c1", Deed::Answer);
    w.run(0.5);
    w
}

fn starting(refuse: &'static str, status: u16, body: serde_json::Value) -> World {
    let mut w = World::new(1, |_| {});
    w.refuse.push((refuse, status, body.clone()));
    w.refuse.push((refuse, status, body));
    w.wish(Wish::Connect);
    w.run(30.0);
    w
}

#[test]
fn nobody_signed_in() {
    let mut w = World::new(1, |_| {});
    w.denied = true;
    w.wish(Wish::Connect);
    w.run(1.0);
    assert_eq!(w.faults(), ["sign-in-denied"]);
    assert!(matches!(w.agent.state, SessionState::Ended(End::Failed { .. })));
}

#[test]
fn the_wrong_region_is_named() {
    let body = json!({ "message": "Invalid login credentials.", "code": "bad.credentials" });
    let w = starting("/users/me", 401, body);
    assert!(w.report("agent-wrong-region").remedies[0].contains("region"));
    assert!(w.agent.state.is_ended());
}

#[test]
fn a_token_without_a_user_is_named() {
    let w = starting(
        "/users/me",
        400,
        json!({ "message": "This request requires a user context.", "code": "bad.request" }),
    );
    assert!(w.report("no-user").remedies[0].contains("client credentials"));
}

#[test]
fn a_missing_permission_is_named() {
    let mut w = answered();
    w.refuse.push((
        "/messages?",
        403,
        json!({ "message": "Unable to perform the requested action. You must have at least one of the following permissions assigned: [conversation:webmessaging:create]",
                "code": "missing.any.permissions" }),
    ));
    w.say("c1", "t", "Hello");
    w.run(0.5);
    assert_eq!(w.report("missing-permission").title, "The permission conversation:webmessaging:create is missing");
    assert!(matches!(w.delivery("t"), Some(Delivery::Refused { code: 403, .. })));
}

#[test]
fn a_conversation_that_somebody_else_took_is_told_as_that() {
    let mut w = alerted();
    let mut other = w.platform.party("agent", "connected", Some("u2"));
    other.connected = true;
    // Nobody told us.
    w.platform.socket = false;
    w.platform.change("c1", |t| {
        t.parties[1].state = "disconnected";
        t.parties.push(other);
    });
    w.deed("c1", Deed::Answer);
    w.run(1.0);
    assert_eq!(w.faults(), ["taken"]);
    // Known by now: not even tried.
    let before = w.calls.len();
    w.deed("c1", Deed::Answer);
    assert_eq!((w.calls.len(), w.faults()), (before, vec!["taken", "taken"]));
}

#[test]
fn a_wrap_up_that_is_required_cannot_be_skipped() {
    let mut w = answered();
    w.platform.change("c1", |t| t.mandatory = true);
    w.deed("c1", Deed::Disconnect);
    w.run(1.0);
    w.deed("c1", Deed::WrapUp { code: None, notes: String::new() });
    w.run(5.0);
    assert!(w.report("wrapup-required").remedies.iter().any(|r| r.contains("codes")));
}

#[test]
fn a_revoked_token_ends_it_and_says_so() {
    let mut w = answered();
    w.frame(&json!({ "topicName": "v2.system.token_revoked.t1", "eventBody":
        { "systemTopicType": "token_revoked", "reason": "user_tokens_revoked" } }));
    w.run(1.0);
    assert!(w.report("token-revoked").what.contains("user_tokens_revoked"));
    assert!(w.agent.state.is_ended());
    w.say("c1", "late", "x");
    assert!(matches!(w.delivery("late"), Some(Delivery::NotSent { .. })), "nothing is lost without a word");
}

#[test]
fn a_token_that_dies_is_replaced_and_the_call_made_again() {
    let mut w = answered();
    w.token += 1;
    w.say("c1", "t", "Hello");
    w.run(2.0);
    assert_eq!(w.delivery("t"), Some(&Delivery::Delivered));
    assert!(w.faults().is_empty());
}

#[test]
fn rejected_topics_are_told_with_what_they_need() {
    let mut w = World::new(1, |_| {});
    w.platform.rejected = vec![".routingStatus"];
    w.wish(Wish::Connect);
    w.run(2.0);
    assert!(w.report("topic-rejected").remedies[0].contains("some:permission"));
    assert_eq!(w.agent.state, SessionState::Ready);
    w.platform.rejected = vec![".conversations", ".conversations.messages", ".typing.event"];
    w.wish(Wish::Desk(DeskWish::NewChannel));
    w.run(2.0);
    assert!(w.faults().contains(&"blind"));
}

#[test]
fn what_cannot_be_said_is_not_sent_and_says_why() {
    let mut w = alerted();
    w.say("nowhere", "t1", "x");
    w.say("c1", "t2", "x");
    w.run(0.2);
    w.deed("c1", Deed::Answer);
    w.run(0.5);
    w.say("c1", "t3", "  ");
    w.say("c1", "t4", &"ä".repeat(4001));
    let why = |w: &World, t: &str| match w.delivery(t) {
        Some(Delivery::NotSent { why }) => why.clone(),
        other => panic!("{other:?}"),
    };
    for (t, part) in
        [("t1", "nowhere"), ("t2", "not answered yet"), ("t3", "empty"), ("t4", "4001 characters; at most 4000")]
    {
        assert!(why(&w, t).contains(part), "{t}: {}", why(&w, t));
    }
}

#[test]
fn typing_is_limited() {
    let mut w = answered();
    for n in 0..13 {
        w.deed("c1", Deed::Typing { tracing: format!("t{n}") });
    }
    w.run(1.0);
    assert_eq!(w.called("POST", "/typing"), 12);
    assert!(matches!(w.delivery("t12"), Some(Delivery::NotSent { why }) if why.contains("12 a minute")));
}

#[test]
fn a_text_that_is_not_stored_yet_is_asked_for_again_and_then_given_up() {
    let mut w = answered();
    let id = w.platform.guest_says("c1", "x");
    let stored = w.platform.store.remove(&id).unwrap();
    w.run(0.4);
    w.platform.store.insert(id, stored);
    w.run(5.0);
    assert_eq!(w.texts.len(), 1);
    let id = w.platform.guest_says("c1", "y");
    let stored = w.platform.store.remove(&id).unwrap();
    w.run(20.0);
    assert!(w.report("text-not-found").what.contains(&id));
    w.platform.store.insert(id, stored);
    w.run(20.0);
    assert_eq!(w.texts.len(), 1, "nobody asks");
    w.wish(Wish::Desk(DeskWish::Reload));
    w.run(5.0);
    assert_eq!(w.texts.len(), 2, "whoever reads everything again gets it");
}

#[test]
fn without_reconnecting_a_lost_socket_is_the_end() {
    let mut w = World::ready_with(|c| c.environment.agents.reconnect = false);
    w.lose_socket();
    assert_eq!(w.agent.state, SessionState::Ended(End::Lost));
    w.wish(Wish::Connect);
    w.run(2.0);
    assert_eq!(w.agent.state, SessionState::Ready, "it can be begun again");
}

#[test]
fn whatever_a_server_sends_it_goes_on() {
    let mut w = answered();
    for text in [
        "",
        "[]",
        "{}",
        "nonsense",
        r#"{"topicName":5}"#,
        r#"{"topicName":"v2.users.u1.conversations"}"#,
        r#"{"topicName":"v2.users.u1.conversations","eventBody":{"id":"c1","participants":[{"id":7,"messages":"x"},5,null]}}"#,
        r#"{"topicName":"v2.users.u1.conversations.messages","eventBody":{"id":"c1","participants":{"a":1}}}"#,
        r#"{"topicName":"v2.users.u1.novelty","eventBody":null}"#,
        r#"{"result":404.5}"#,
        r#"{"result":"400","status":"failure"}"#,
    ] {
        let mut out = Vec::new();
        w.agent.step(w.at(), crate::dialect::Input::Text { conn: 1, text }, &mut out);
    }
    w.say("c1", "t", "still here");
    w.run(1.0);
    assert_eq!(w.delivery("t"), Some(&Delivery::Delivered));
}

#[test]
fn a_refused_message_asks_who_has_the_conversation_now() {
    let mut w = answered();
    let mut other = w.platform.party("agent", "connected", Some("u2"));
    other.connected = true;
    w.platform.socket = false;
    w.platform.change("c1", |t| {
        t.parties[1].state = "disconnected";
        t.parties.push(other);
    });
    w.refuse.push(("/messages?", 409, json!({ "message": "The participant is disconnected", "code": "conflict" })));
    w.say("c1", "t", "Are you there?");
    w.run(1.0);
    assert_eq!(w.faults(), ["taken"]);
    assert!(matches!(w.delivery("t"), Some(Delivery::Refused { code: 409, .. })), "the text goes back to its draft");
}

#[test]
fn the_limits_of_the_platform_have_reports_of_their_own() {
    let mut w = answered();
    let long = json!({ "message": "textBody: 5000 characters are more than 4000", "code": "invalid.value" });
    w.refuse.push(("/messages?", 400, long));
    w.say("c1", "long", "text");
    w.run(1.0);
    assert!(w.report("message-too-long").remedies.iter().any(|r| r.contains("2000")));
    let slow = json!({ "message": "Rate limit exceeded", "code": "too.many.requests" });
    for _ in 0..9 {
        w.refuse.push(("/messages?", 429, slow.clone()));
    }
    w.say("c1", "fast", "text");
    w.run(200.0);
    let report = w.report("agent-rate-limit");
    assert_eq!(report.details, ["The message was not sent"], "and what was not done for it");
    assert!(matches!(w.delivery("fast"), Some(Delivery::Refused { code: 429, .. })));
}

#[test]
fn a_channel_that_is_gone_is_told_and_replaced() {
    let mut w = answered();
    w.platform.channel_lives = false;
    w.lose_socket();
    w.run(30.0);
    assert!(w.report("channel-gone").remedies[0].contains("another is made"));
    assert_eq!(w.agent.state, SessionState::Ready);
}
