//! Conversations that live by heartbeats.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::client::Rig;
use super::flows::{Answer, wants_a_live_bearer, with, without_each};

const CONVERSATIONS: &str = "/api/v2/conversations/messaging";

fn body(rig: &Rig, id: &str, seconds: u32) -> Value {
    json!({
        "id": id,
        "from": { "id": "guest-1", "name": "Ada", "type": "user" },
        "to": [{ "id": rig.ready.queue_id, "type": "queue" }],
        "type": "messaging", "channelAddress": "web",
        "context": {
            "locale": "en-US", "capabilities": ["typing-indicator", "read-receipts", "cards"], "userAgent": "test/1",
        },
        "metadata": {
            "sessionDurationLimit": seconds, "guestIdToken": "a-token", "initiatedAt": "2026-01-06T13:26:15.174Z",
        },
    })
}

fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

struct Desk {
    rig: Rig,
    bearer: String,
}

impl Desk {
    async fn new() -> Self {
        let rig = Rig::new().await;
        // So long that no test but one meets its end.
        rig.order(json!({ "do": "set_lifetimes", "oauth_secs": 86_400 }));
        let bearer = rig.token().await;
        Self { rig, bearer }
    }

    async fn create(&self, body: Value) -> Answer {
        self.rig.post(CONVERSATIONS, body).bearer(&self.bearer).send().await
    }

    async fn made(&self, seconds: u32) -> String {
        let id = new_id();
        self.create(body(&self.rig, &id, seconds)).await.ok(201);
        id
    }

    async fn patch(&self, id: &str, body: Value) -> Answer {
        let path = format!("{CONVERSATIONS}/{id}");
        self.rig.call(Method::PATCH, &path, Some(body)).bearer(&self.bearer).send().await
    }

    async fn beat(&self, id: &str, sequence: i64) -> Answer {
        self.patch(id, heartbeat(sequence)).await
    }
}

fn heartbeat(sequence: i64) -> Value {
    json!({ "context": { "lastActivityTimestamp": "2026-01-06T13:26:16Z", "heartbeatSequence": sequence } })
}

#[tokio::test]
async fn a_conversation_has_the_id_that_the_client_made() {
    let desk = Desk::new().await;
    let id = new_id();
    let made = desk.create(body(&desk.rig, &id, 600)).await.ok(201);
    assert_eq!((&made["id"], &made["state"]), (&json!(id), &json!("connected")));
    assert_eq!(made["expiresAt"], "2026-01-06T13:36:15.174Z");
    assert_eq!(made["participants"][0], json!({ "id": "guest-1", "name": "Ada", "purpose": "customer" }));
    assert_eq!(made["participants"][1]["id"], desk.rig.ready.queue_id);
    let status = desk.rig.sandbox.status();
    let told = &status.flows.conversations[0];
    assert_eq!((&told.id, told.flow.as_str(), told.state.as_str()), (&id, "managed-conversation", "live"));
    let again = desk.create(body(&desk.rig, &id, 600)).await;
    again.is(409, "conflict", &format!("id: “{id}” is in use"));
    desk.patch(&id, json!({ "status": "disconnected" })).await.ok(200);
    assert_eq!(desk.create(body(&desk.rig, &id, 600)).await.status, 409, "nor may it be used again");
}

#[tokio::test]
async fn every_call_wants_a_live_bearer_with_both_scopes() {
    let desk = Desk::new().await;
    let id = desk.made(600).await;
    let path = format!("{CONVERSATIONS}/{id}");
    for (scope, token) in without_each(&desk.rig, &["conversation:write", "webchat:write"]).await {
        let text = format!("Missing required scope: {scope}");
        let create = desk.rig.post(CONVERSATIONS, body(&desk.rig, &new_id(), 60)).bearer(&token).send().await;
        create.is(403, "not.authorized", &text);
        let beat = desk.rig.call(Method::PATCH, &path, Some(heartbeat(1))).bearer(&token).send().await;
        beat.is(403, "not.authorized", &text);
    }
    wants_a_live_bearer(&desk.rig, Method::POST, CONVERSATIONS).await;
    wants_a_live_bearer(&desk.rig, Method::PATCH, &path).await;
}

#[tokio::test]
async fn every_field_is_checked_and_named_with_value_and_limit() {
    let desk = Desk::new().await;
    let good = body(&desk.rig, &new_id(), 60);
    for (field, wrong) in [
        ("id", vec![Value::Null, json!("7"), json!(7)]),
        ("from.id", vec![Value::Null, json!(""), json!(" "), json!(7)]),
        ("from.name", vec![Value::Null, json!("")]),
        ("from.type", vec![Value::Null, json!("agent")]),
        ("to", vec![Value::Null, json!([]), json!({}), json!("queue")]),
        ("type", vec![Value::Null, json!("chat")]),
        ("channelAddress", vec![Value::Null, json!("phone")]),
        ("context.locale", vec![Value::Null, json!("")]),
        ("context.userAgent", vec![Value::Null, json!("")]),
        (
            "context.capabilities",
            vec![Value::Null, json!("x"), json!([]), json!(["typing-indicator"]), json!(["read-receipts"])],
        ),
        ("metadata.sessionDurationLimit", vec![Value::Null, json!(0), json!(2701), json!(-1), json!("60"), json!(1.5)]),
        ("metadata.guestIdToken", vec![Value::Null, json!("")]),
        ("metadata.initiatedAt", vec![Value::Null, json!("yesterday"), json!(7)]),
    ] {
        for value in wrong {
            desk.create(with(&good, field, value)).await.names(field);
        }
    }
    for (field, value) in
        [("to[0].type", json!([{ "id": "x", "type": "user" }])), ("to[0].id", json!([{ "type": "queue" }]))]
    {
        desk.create(with(&good, "to", value)).await.names(field);
    }
    let long = desk.create(with(&good, "metadata.sessionDurationLimit", json!(3000))).await;
    assert_eq!(long.message(), "metadata.sessionDurationLimit: “3000” is not a whole number from 1 to 2700");
    let lacking = desk.create(with(&good, "context.capabilities", json!(["typing-indicator"]))).await;
    assert_eq!(lacking.message(), "context.capabilities: “read-receipts” is not among them");
    let queue = desk.create(with(&good, "to.0.id", json!("q9"))).await;
    queue.is(404, "not.found", "to.id: queue “q9” not found");
    for seconds in [1, 2700] {
        assert_eq!(desk.create(body(&desk.rig, &new_id(), seconds)).await.status, 201, "at the limit");
    }
    assert_eq!(desk.create(good).await.status, 201, "what was refused has left nothing behind");
}

#[tokio::test]
async fn heartbeats_count_upwards() {
    let desk = Desk::new().await;
    let id = desk.made(600).await;
    let beat = desk.beat(&id, 1).await.ok(200);
    assert_eq!(beat, json!({ "id": id, "state": "connected", "heartbeatSequence": 1 }));
    assert_eq!(desk.beat(&id, 5).await.status, 200, "gaps are no fault");
    for wrong in [5, 4, 0] {
        let answer = desk.beat(&id, wrong).await;
        let text = format!("context.heartbeatSequence: {wrong} is not greater than the last, 5");
        assert_eq!(answer.names("context.heartbeatSequence").message(), text);
    }
    let good = heartbeat(6);
    for value in [Value::Null, json!("6"), json!(6.5), json!(-1)] {
        desk.patch(&id, with(&good, "context.heartbeatSequence", value)).await.names("context.heartbeatSequence");
    }
    for value in [Value::Null, json!("now"), json!(6)] {
        desk.patch(&id, with(&good, "context.lastActivityTimestamp", value))
            .await
            .names("context.lastActivityTimestamp");
    }
    desk.patch(&id, json!({ "status": "connected" })).await.names("status");
    desk.patch(&id, json!({})).await.names("context.lastActivityTimestamp");
    assert_eq!(desk.beat(&id, 6).await.status, 200, "refusals count for nothing");
    assert_eq!(desk.rig.sandbox.status().flows.conversations[0].count, 3);
}

#[tokio::test]
async fn three_missed_heartbeats_end_a_conversation() {
    let desk = Desk::new().await;
    let (long, short) = (desk.made(2700).await, desk.made(100).await);
    let ended = |id: &str, why: &str| format!("Conversation “{id}” has ended ({why})");
    rig_advance(&desk, 29_999);
    assert_eq!(desk.beat(&short, 1).await.status, 200, "3 x 10 s are not over");
    rig_advance(&desk, 30_000);
    desk.beat(&short, 2).await.is(404, "not.found", &ended(&short, "idle: no heartbeat for 30 s"));
    rig_advance(&desk, 30_000);
    assert_eq!(desk.beat(&long, 1).await.status, 200, "3 x 30 s are not over");
    for k in 2..10 {
        rig_advance(&desk, 89_999);
        assert_eq!(desk.beat(&long, k).await.status, 200);
    }
    rig_advance(&desk, 90_000);
    let states: Vec<String> = desk.rig.sandbox.status().flows.conversations.into_iter().map(|c| c.state).collect();
    assert_eq!(states, ["idle", "idle"]);
    desk.beat(&long, 10).await.is(404, "not.found", &ended(&long, "idle: no heartbeat for 90 s"));
}

fn rig_advance(desk: &Desk, millis: u64) {
    desk.rig.clock.advance(Duration::from_millis(millis));
}

#[tokio::test]
async fn a_conversation_ends_when_its_time_is_over_or_by_request() {
    let desk = Desk::new().await;
    let id = desk.made(50).await;
    for k in 1..=4 {
        rig_advance(&desk, 10_000);
        assert_eq!(desk.beat(&id, k).await.status, 200);
    }
    rig_advance(&desk, 9_999);
    assert_eq!(desk.beat(&id, 5).await.status, 200);
    rig_advance(&desk, 1);
    let over = format!("Conversation “{id}” has ended (duration: its 50 s are over)");
    desk.beat(&id, 6).await.is(404, "not.found", &over);
    let id = desk.made(60).await;
    let bye = desk.patch(&id, json!({ "status": "disconnected" })).await.ok(200);
    assert_eq!(bye, json!({ "id": id, "state": "disconnected" }));
    let over = format!("Conversation “{id}” has ended (disconnected: by a request)");
    desk.beat(&id, 1).await.is(404, "not.found", &over);
    desk.patch(&id, json!({ "status": "disconnected" })).await.is(404, "not.found", &over);
    desk.beat("nowhere", 1).await.is(404, "not.found", "Conversation “nowhere” not found");
}

#[tokio::test]
async fn five_hundred_conversations_at_once_are_enough() {
    let desk = Desk::new().await;
    let first = desk.made(2700).await;
    for _ in 1..500 {
        desk.made(2700).await;
    }
    let refused = desk.create(body(&desk.rig, &new_id(), 60)).await;
    refused.is(429, "too.many.sessions", "Concurrent sessions (500) reached maximum (500)");
    desk.patch(&first, json!({ "status": "disconnected" })).await.ok(200);
    desk.made(60).await;
    assert_eq!(desk.create(body(&desk.rig, &new_id(), 60)).await.status, 429);
    rig_advance(&desk, 90_000);
    for _ in 0..500 {
        desk.made(60).await;
    }
    assert_eq!(desk.rig.sandbox.status().flows.conversations.len(), 1001, "those that ended are still told");
}

#[tokio::test]
async fn bursts_of_429_come_with_and_without_a_time_to_wait() {
    let desk = Desk::new().await;
    let id = desk.made(600).await;
    let path = "/conversations/messaging";
    desk.rig.order(json!({ "do": "refuse_requests", "count": 1, "status": 429, "path": path, "retry_after": 2 }));
    desk.rig.order(json!({ "do": "refuse_requests", "count": 2, "status": 429, "path": path, "text": "slow down" }));
    let first = desk.create(body(&desk.rig, &new_id(), 60)).await;
    assert_eq!((first.status, &first.headers["retry-after"]), (429, &"2".parse().unwrap()));
    for k in 1..=2 {
        let answer = desk.beat(&id, k).await;
        answer.is(429, "too.many.requests", "slow down");
        assert!(!answer.headers.contains_key("retry-after"));
    }
    assert_eq!(desk.beat(&id, 1).await.status, 200);
    let own = format!("messaging/{id}");
    desk.rig.order(json!({ "do": "refuse_requests", "count": 3, "status": 500, "path": own }));
    for k in 2..=4 {
        assert_eq!(desk.beat(&id, k).await.status, 500, "three heartbeats that fail");
    }
    desk.patch(&id, json!({ "status": "disconnected" })).await.ok(200);
}
