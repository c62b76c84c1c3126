//! What the guest's side does to a conversation: clear, expiry, leaving, coming back, typing; and how ends are told.

use std::time::Duration;

use serde_json::{Value, json};

use super::agent::{Agent, guest_who_said, of_purpose};
use super::client::{Guest, Rig};

async fn media(agent: &Agent, conversation: &str) -> Value {
    agent.get(&format!("/api/v2/conversations/messages/{conversation}")).await
}

fn ends<'a>(conversation: &'a Value, purpose: &str) -> Vec<&'a str> {
    of_purpose(conversation, purpose).iter().map(|p| p["disconnectType"].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn a_join_makes_the_conversation_before_a_word_is_said() {
    let rig = Rig::new().await;
    let agent = Agent::on_queue(&rig, 0).await;
    let mut guest = rig.configured().await;
    assert!(agent.conversations().await.is_empty(), "a configured session is none");
    let join = json!({ "message": { "type": "Event", "events": [{ "eventType": "Presence", "presence": { "type": "Join" } }] } });
    let echo = guest.ask("onMessage", join).await;
    let part = agent.answer().await;
    let told = media(&agent, &part.conversation).await;
    let message = &of_purpose(&told, "customer")[0]["messages"][0];
    assert_eq!(message["messageId"], echo["body"]["id"]);
    assert_eq!(
        message["messageMetadata"],
        json!({ "type": "Event", "events": [{ "eventType": "Presence", "subType": "Join" }] })
    );
}

#[tokio::test]
async fn a_cleared_conversation_ends_for_the_agent_and_the_next_is_another() {
    let rig = Rig::new().await;
    let agent = Agent::on_queue(&rig, 0).await;
    let mut guest = guest_who_said(&rig, "Hello").await;
    let part = agent.answer().await;
    let clear = json!({ "message": { "type": "Event", "events": [{ "eventType": "Presence", "presence": { "type": "Clear" } }] } });
    guest.act("onMessage", "c", clear).await;
    let token = guest.token.clone();
    guest.goodbye().await;
    let told = media(&agent, &part.conversation).await;
    assert_eq!((ends(&told, "customer"), ends(&told, "agent")), (vec!["client"], vec!["peer"]));
    let late = agent.post(&part.comm_path("/messages"), json!({ "textBody": "wait" })).await;
    assert_eq!((late.status, late.code()), (409, "conflict"));
    let mut again = rig.guest().await;
    again.configure(&token).await;
    again.say("me again", "d").await;
    again.next().await;
    assert_ne!(agent.part().await.conversation, part.conversation);
}

#[tokio::test]
async fn an_expired_session_ends_the_conversation_and_coming_back_in_time_finds_it_again() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_lifetimes", "oauth_secs": 86_400 }));
    let agent = Agent::on_queue(&rig, 0).await;
    let mut guest = guest_who_said(&rig, "Hello").await;
    let part = agent.answer().await;
    rig.order(json!({ "do": "expire_session" }));
    assert_eq!(guest.next().await["class"], "SessionExpiredEvent");
    let told = media(&agent, &part.conversation).await;
    assert_eq!((ends(&told, "customer"), ends(&told, "agent")), (vec!["session.expired"], vec!["peer"]));
    let back = async |token: &str| {
        let mut guest = rig.guest().await;
        guest.token = token.to_owned();
        let deployment = guest.deployment_id.clone();
        guest.ask("configureSession", json!({ "deploymentId": deployment, "startNew": true })).await;
        guest.say("back", "e").await;
        guest.next().await;
        guest
    };
    let token = guest.token.clone();
    let _again = back(&token).await;
    let next = agent.answer().await;
    assert_eq!(next.conversation, part.conversation, "within the threading window");
    let told = media(&agent, &part.conversation).await;
    assert_eq!((ends(&told, "customer"), ends(&told, "agent")), (vec!["session.expired", "-"], vec!["peer", "-"]));
    assert!(agent.get(&format!("/api/v2/conversations/{}", part.conversation)).await.get("endTime").is_none());
    rig.order(json!({ "do": "set_platform", "threading_hours": 1 }));
    rig.order(json!({ "do": "expire_session" }));
    rig.clock.advance(Duration::from_secs(3600));
    let _later = back(&token).await;
    assert_ne!(agent.part().await.conversation, part.conversation, "after it");
}

#[tokio::test]
async fn the_agents_end_is_told_as_the_deployment_says() {
    let rig = Rig::new().await;
    let agent = Agent::on_queue(&rig, 0).await;
    for (mode, told) in [("off", None), ("send", Some("false")), ("read_only", Some("true"))] {
        rig.order(json!({ "do": "set_deployment", "conversation_disconnect": mode }));
        let mut guest = guest_who_said(&rig, "Hello").await;
        let part = agent.answer().await;
        agent.patch(&part.path(""), json!({ "state": "disconnected" })).await.ok(202);
        match told {
            Some(read_only) => assert_eq!(guest.next().await["body"]["metadata"]["readOnly"], read_only),
            None => guest.nothing_more().await,
        }
        guest.say("one more thing", "x").await;
        let answer = guest.next().await;
        assert_eq!(answer["code"], if mode == "read_only" { 409 } else { 200 }, "{mode}");
        if mode != "read_only" {
            let next = agent.answer().await;
            assert_eq!(next.conversation, part.conversation, "{mode}: it goes on");
            assert_ne!(next.participant, part.participant, "by a new participant");
            agent.patch(&next.path(""), json!({ "state": "disconnected" })).await.ok(202);
        }
    }
}

#[tokio::test]
async fn a_guest_who_reconnects_or_leaves_is_known() {
    let rig = Rig::new().await;
    let agent = Agent::on_queue(&rig, 0).await;
    let guest = guest_who_said(&rig, "Hello").await;
    let part = agent.answer().await;
    let token = guest.token.clone();
    guest.goodbye().await;
    agent.say(&part, "Are you there?").await;
    let mut again = rig.guest().await;
    again.configure(&token).await;
    again.say("Yes", "b").await;
    again.next().await;
    assert_eq!(agent.part().await.conversation, part.conversation);
    assert_eq!(agent.part().await.state, "connected");
    again.ask("closeSession", json!({ "closeAllConnections": true })).await;
    let told = media(&agent, &part.conversation).await;
    assert_eq!((ends(&told, "customer"), ends(&told, "agent")), (vec!["client"], vec!["peer"]));
    assert_eq!(agent.routing().await, "IDLE");
}

#[tokio::test]
async fn an_end_by_order_ends_it_for_the_agent_too() {
    let rig = Rig::new().await;
    let agent = Agent::on_queue(&rig, 0).await;
    let mut guest = guest_who_said(&rig, "Hello").await;
    let part = agent.answer().await;
    rig.order(json!({ "do": "say", "text": "by order" }));
    assert_eq!(guest.next().await["body"]["text"], "by order");
    rig.order(json!({ "do": "disconnect" }));
    assert_eq!(guest.next().await["body"]["events"][0]["presence"]["type"], "Disconnect");
    let told = media(&agent, &part.conversation).await;
    assert_eq!((ends(&told, "customer"), ends(&told, "agent")), (vec!["peer"], vec!["system"]));
    let said = of_purpose(&told, "agent")[0]["messages"].as_array().unwrap().clone();
    assert_eq!(said.len(), 2, "what was ordered is in it: {said:?}");
}

#[tokio::test]
async fn two_guests_are_two_conversations() {
    let rig = Rig::new().await;
    let agent = Agent::on_queue(&rig, 0).await;
    let mut guests: Vec<Guest> = Vec::new();
    for k in 0..3 {
        guests.push(guest_who_said(&rig, &format!("guest {k}")).await);
    }
    let all = agent.conversations().await;
    let ids: std::collections::BTreeSet<&str> = all.iter().map(|c| c["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3);
    let sessions: Vec<_> = rig.sandbox.status().platform.conversations.into_iter().map(|c| c.session).collect();
    assert_eq!(sessions, [Some("s1".to_owned()), Some("s2".into()), Some("s3".into())]);
    rig.order(json!({ "do": "reset" }));
    assert!(rig.sandbox.status().platform.conversations.is_empty());
    assert_eq!(rig.sandbox.status().platform.users[0].presence, "Offline");
}
