//! Faults on demand, each by its order.

use serde_json::{Value, json};
use sessionscope::sandbox::Faults;

use super::client::{Guest, Rig};

async fn texts(guest: &mut Guest, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(guest.next().await["body"]["text"].as_str().unwrap_or("?").to_owned());
    }
    all
}

fn text(s: &str) -> Value {
    json!({ "message": { "type": "Text", "text": s } })
}

#[tokio::test]
async fn sends_are_refused_and_limited_so_many_times() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    rig.order(json!({ "do": "refuse_sends", "count": 2, "code": 4011, "text": "no" }));
    rig.order(json!({ "do": "rate_limit_sends", "count": 1, "retry_after": 3 }));
    let limited = guest.ask("onMessage", text("a")).await;
    assert_eq!((&limited["code"], &limited["body"]["retryAfter"]), (&json!(429), &json!(3)));
    assert_eq!(rig.sandbox.status().faults.refuse_sends, 2);
    for _ in 0..2 {
        let refused = guest.ask("onMessage", text("a")).await;
        assert_eq!(
            (&refused["class"], &refused["code"], &refused["body"]),
            (&json!("string"), &json!(4011), &json!("no"))
        );
    }
    assert_eq!(guest.ask("onMessage", text("a")).await["code"], 200);
}

#[tokio::test]
async fn a_session_is_doomed_at_a_set_time_whatever_is_said() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    rig.order(json!({ "do": "expire_session", "session": "s1", "in_seconds": 10 }));
    rig.clock.advance(std::time::Duration::from_secs(9));
    assert_eq!(guest.ask("onMessage", text("x")).await["code"], 200);
    rig.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(guest.next().await["class"], "SessionExpiredEvent");
    let mut other = rig.configured().await;
    rig.order(json!({ "do": "expire_session" }));
    assert_eq!(other.next().await["class"], "SessionExpiredEvent");
    assert_eq!(rig.sandbox.status().sessions[1].state, "expired");
}

#[tokio::test]
async fn connections_are_closed_with_any_code_or_none() {
    let rig = Rig::new().await;
    let mut one = rig.configured().await;
    let mut two = rig.configured().await;
    let mut three = rig.configured().await;
    rig.order(json!({ "do": "close", "session": "s1", "code": 4001, "reason": "by order" }));
    assert_eq!(one.closed().await, (4001, "by order".to_owned()));
    rig.order(json!({ "do": "drop", "conn": "c2" }));
    two.dropped().await;
    three.nothing_more().await;
    rig.order(json!({ "do": "close", "code": 1011 }));
    assert_eq!(three.closed().await.0, 1011);
    let mut four = rig.guest().await;
    rig.order(json!({ "do": "drop" }));
    four.dropped().await;
}

#[tokio::test]
async fn pings_go_unanswered_while_frames_still_come() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    assert!(guest.pings().await);
    rig.order(json!({ "do": "stop_pongs", "on": true }));
    assert!(!guest.pings().await);
    rig.order(json!({ "do": "stop_pongs", "on": false }));
    assert!(guest.pings().await);
}

#[tokio::test]
async fn a_stalled_server_reads_nothing_and_still_sends() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    rig.order(json!({ "do": "stall", "on": true }));
    guest.say("unheard", "a").await;
    rig.order(json!({ "do": "say", "text": "can you hear me?" }));
    assert_eq!(texts(&mut guest, 1).await, ["can you hear me?"]);
    // A round trip by another way gives it every chance to read.
    for _ in 0..20 {
        let status: Value = rig.get("/control").await.json().await.unwrap();
        assert_eq!(status["sessions"][0]["messages"], 1, "only what was said by order");
    }
    rig.order(json!({ "do": "stall", "on": false }));
    assert_eq!(texts(&mut guest, 1).await, ["unheard"]);
}

#[tokio::test]
async fn frames_come_late_twice_reversed_and_broken() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_limits", "messages_per_second": 100 }));
    let mut guest = rig.configured().await;
    let began = std::time::Instant::now();
    rig.order(json!({ "do": "delay", "millis": 120 }));
    guest.ask("onMessage", text("late")).await;
    assert!(began.elapsed().as_millis() >= 120);
    rig.order(json!({ "do": "delay", "millis": 0 }));
    rig.order(json!({ "do": "duplicate", "count": 1 }));
    guest.say("twice", "a").await;
    guest.say("once", "b").await;
    assert_eq!(texts(&mut guest, 3).await, ["twice", "twice", "once"]);
    rig.order(json!({ "do": "reorder", "count": 3 }));
    for word in ["1", "2", "3", "4"] {
        guest.say(word, word).await;
    }
    assert_eq!(texts(&mut guest, 4).await, ["3", "2", "1", "4"]);
    rig.order(json!({ "do": "malformed", "count": 1 }));
    guest.say("broken", "a").await;
    let broken = guest.text().await;
    assert!(serde_json::from_str::<Value>(&broken).is_err() && broken.starts_with('{'));
    guest.nothing_more().await;
    let over = Faults { partner_paused: true, ..Faults::default() };
    assert_eq!(rig.sandbox.status().faults, over);
}

#[tokio::test]
async fn held_frames_are_sent_when_no_more_come() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    rig.order(json!({ "do": "reorder", "count": 10 }));
    for word in ["1", "2"] {
        guest.say(word, word).await;
    }
    // Both are held once the server has heard both.
    while rig.sandbox.status().faults.reorder != 8 {
        tokio::task::yield_now().await;
    }
    rig.order(json!({ "do": "close", "code": 1000 }));
    assert_eq!(texts(&mut guest, 2).await, ["2", "1"]);
    assert_eq!(guest.closed().await.0, 1000);
}

#[tokio::test]
async fn an_echo_is_dropped_but_remembered() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    rig.order(json!({ "do": "drop_echo", "count": 1 }));
    guest.say("lost", "a").await;
    guest.say("found", "b").await;
    assert_eq!(texts(&mut guest, 1).await, ["found"]);
    assert_eq!(rig.sandbox.status().sessions[0].messages, 2);
}

#[tokio::test]
async fn a_session_response_is_held() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "hold_session_response", "millis": 120 }));
    let began = std::time::Instant::now();
    let mut guest = rig.configured().await;
    assert!(began.elapsed().as_millis() >= 120);
    rig.order(json!({ "do": "hold_session_response", "millis": 0 }));
    guest.nothing_more().await;
}

#[tokio::test]
async fn the_agent_speaks_types_and_sends_anything() {
    let rig = Rig::new().await;
    let mut first = rig.configured().await;
    let mut newest = rig.configured().await;
    rig.order(json!({ "do": "say", "text": "to the newest" }));
    let said = newest.next().await;
    assert_eq!((&said["body"]["text"], &said["body"]["originatingEntity"]), (&json!("to the newest"), &json!("Human")));
    rig.order(json!({ "do": "typing", "session": "s1" }));
    assert_eq!(first.next().await["body"]["events"][0]["typing"]["duration"], 5000);
    let novelty = json!({ "type": "message", "class": "Novelty", "code": 299, "body": [1, null] });
    rig.order(json!({ "do": "send_frame", "session": "s1", "frame": novelty }));
    assert_eq!(first.next().await, novelty);
    rig.order(json!({ "do": "send_frame", "session": "s1", "frame": "not json {" }));
    assert_eq!(first.text().await, "not json {");
    newest.nothing_more().await;
}

#[tokio::test]
async fn a_reset_leaves_nothing_behind() {
    let rig = Rig::new().await;
    let before = rig.sandbox.status();
    let mut guest = rig.configured().await;
    for order in [
        json!({ "do": "delay", "millis": 1 }),
        json!({ "do": "stall", "on": true }),
        json!({ "do": "set_deployment", "typing": false }),
        json!({ "do": "set_limits", "message_bytes": 1 }),
        json!({ "do": "clock_skew", "seconds": 9 }),
    ] {
        rig.order(order);
    }
    assert!(rig.sandbox.status().faulty);
    rig.order(json!({ "do": "reset" }));
    assert_eq!(guest.closed().await.0, 1001);
    guest.goodbye().await;
    while !rig.sandbox.status().connections.is_empty() {
        tokio::task::yield_now().await;
    }
    let after = rig.sandbox.status();
    assert!(!after.faulty && after.sessions.is_empty());
    assert_eq!((after.deployment, after.limits), (before.deployment, before.limits));
    let mut again = rig.guest().await;
    assert_eq!(again.configure(&guest_token()).await["body"]["newSession"], true);
}

fn guest_token() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[tokio::test]
async fn typing_is_refused_where_the_deployment_has_it_off() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    rig.order(json!({ "do": "set_deployment", "typing": false }));
    let typing = json!({ "type": "Event", "events": [{ "eventType": "Typing", "typing": { "type": "On" } }] });
    let refused = guest.ask("onMessage", json!({ "message": typing })).await;
    assert_eq!(refused["code"], 403);
    assert!(refused["body"].as_str().unwrap().starts_with("Turn on the Feature Toggle"));
    guest.nothing_more().await;
}

#[tokio::test]
async fn a_guest_that_never_reads_is_cut_off() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    // Nothing else runs meanwhile: the queue of the connection overflows.
    for k in 0..1025 {
        assert_eq!(rig.sandbox.status().cut_off, 0, "{k}");
        rig.order(json!({ "do": "say", "text": "x" }));
    }
    assert_eq!(rig.sandbox.status().cut_off, 1);
    guest.dropped().await;
}

#[tokio::test]
async fn a_secret_leads_to_the_id_that_orders_take() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    let jwt = guest.ask("getJwt", json!({})).await["body"]["jwt"].as_str().unwrap().to_owned();
    assert_eq!(rig.sandbox.find(&guest.token).as_deref(), Some("s1"));
    assert_eq!(rig.sandbox.find(&jwt), Some(rig.sandbox.status().tokens[0].id.clone()));
    assert_eq!(rig.sandbox.find("anything else"), None);
}
