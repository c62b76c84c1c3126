//! Notification channels: subscriptions, what they tell and in which shape, limits, ends, and faults on their way.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::agent::{Agent, guest_who_said, of_purpose};
use super::client::Rig;
use super::flows::Socket;

const CHANNELS: &str = "/api/v2/notifications/channels";
const BOTH: [&str; 2] = ["conversations", "conversations.messages"];

fn topic(agent: &Agent, end: &str) -> String {
    format!("v2.users.{}.{end}", agent.id)
}

/// The next frame of this topic; others are let through.
async fn next_on(socket: &mut Socket, topic: &str) -> Value {
    loop {
        let frame = socket.next().await;
        if frame["topicName"] == topic {
            return frame["eventBody"].clone();
        }
    }
}

fn mine<'a>(told: &'a Value, purpose: &str) -> &'a Value {
    of_purpose(told, purpose).last().unwrap_or_else(|| panic!("no {purpose} in {told}"))
}

#[tokio::test]
async fn an_alert_is_told_in_both_shapes_without_any_text() {
    let rig = Rig::new().await;
    let agent = Agent::on_queue(&rig, 0).await;
    let (_, mut socket) = agent.listen(&rig, &BOTH).await;
    let _guest = guest_who_said(&rig, "Hello").await;
    let first = socket.next().await;
    assert_eq!(
        (&first["topicName"], &first["version"]),
        (&json!(topic(&agent, BOTH[0])), &json!("2")),
        "generic first"
    );
    assert!(first["metadata"]["CorrelationId"].is_string());
    let part = agent.part().await;
    let generic = first["eventBody"].clone();
    assert_eq!(generic["id"], part.conversation);
    let communication = &mine(&generic, "agent")["messages"][0];
    assert_eq!((&communication["id"], &communication["state"]), (&json!(part.communication), &json!("alerting")));
    let media = socket.next().await;
    assert_eq!(media["topicName"], topic(&agent, BOTH[1]));
    let participant = mine(&media["eventBody"], "agent");
    assert_eq!((&participant["id"], &participant["state"]), (&json!(part.participant), &json!("alerting")));
    assert_eq!(participant["alertingTimeoutMs"], 30_000);
    let said = &mine(&media["eventBody"], "customer")["messages"][0];
    assert!(said["message"]["id"].is_string() && said.get("messageId").is_none(), "{said}");
    assert!(!format!("{first}{media}").contains("Hello"), "texts are fetched");

    agent.answer().await;
    let connected = next_on(&mut socket, &topic(&agent, BOTH[1])).await;
    assert_eq!(mine(&connected, "agent")["state"], "connected");
    assert_eq!(mine(&connected, "acd")["disconnectType"], "transfer");
    agent.patch(&part.path(""), json!({ "state": "disconnected" })).await.ok(202);
    let over = next_on(&mut socket, &topic(&agent, BOTH[1])).await;
    assert_eq!(mine(&over, "agent")["state"], "disconnected", "the end is told");
}

#[tokio::test]
async fn presence_routing_and_typing_are_told_to_whoever_subscribed() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let ends = ["presence", "routingStatus", "activity", "conversations.inbound.typing.event"];
    let (_, mut socket) = agent.listen(&rig, &ends).await;
    agent.go("OnQueue").await;
    let presence = socket.next().await["eventBody"].clone();
    assert_eq!(presence["presenceDefinition"]["systemPresence"], "ON_QUEUE");
    let activity = socket.next().await;
    assert_eq!(activity["topicName"], topic(&agent, "activity"));
    let routing = next_on(&mut socket, &topic(&agent, "routingStatus")).await;
    assert_eq!((&routing["id"], &routing["routingStatus"]["status"]), (&json!(agent.id), &json!("IDLE")));
    let mut guest = guest_who_said(&rig, "Hello").await;
    agent.answer().await;
    let routing = next_on(&mut socket, &topic(&agent, "routingStatus")).await;
    assert_eq!(routing["routingStatus"]["status"], "INTERACTING");
    let typing = json!({ "message": { "type": "Event", "events": [{ "eventType": "Typing", "typing": { "type": "On", "duration": 4000 } }] } });
    guest.ask("onMessage", typing).await;
    let told = next_on(&mut socket, &topic(&agent, ends[3])).await;
    assert_eq!(told["conversationId"], agent.part().await.conversation);
    assert_eq!(told["normalizedMessage"]["events"][0]["typing"]["duration"], 4000);
    assert_eq!(told["normalizedMessage"]["direction"], "Inbound");
}

#[tokio::test]
async fn queues_and_undelivered_messages_are_told() {
    let rig = Rig::new().await;
    let agent = Agent::on_queue(&rig, 0).await;
    let channel = agent.channel().await;
    let id = channel["id"].as_str().unwrap();
    let queue = format!("v2.routing.queues.{}.conversations.messages", rig.ready.queue_id);
    let undelivered = format!("v2.webmessaging.deployments.{}.undelivered.messages", rig.ready.deployment_id);
    let topics = json!([{ "id": queue }, { "id": undelivered }]);
    agent.post(&format!("{CHANNELS}/{id}/subscriptions"), topics).await.ok(200);
    let mut socket = Socket::open(&rig, &format!("/channels/{id}"), &[]).await.unwrap();
    let guest = guest_who_said(&rig, "Hello").await;
    assert_eq!(mine(&next_on(&mut socket, &queue).await, "acd")["queue"]["id"], rig.ready.queue_id);
    let part = agent.answer().await;
    guest.goodbye().await;
    let sent = agent.say(&part, "Where are you?").await;
    let told = next_on(&mut socket, &undelivered).await;
    assert_eq!((&told["messages"][0]["id"], &told["conversationId"]), (&sent["id"], &json!(part.conversation)));
    assert_eq!(told["communicationId"], part.communication);
}

#[tokio::test]
async fn subscriptions_are_added_replaced_listed_and_cleared() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let channel = agent.channel().await;
    let id = channel["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("streaming-5-"));
    assert_eq!(channel["connectUri"], format!("{}/channels/{id}", rig.ready.streaming));
    assert_eq!(channel["expires"], "2026-01-07T13:26:15.174Z");
    let path = format!("{CHANNELS}/{id}/subscriptions");
    let names = async || {
        let all = agent.get(&path).await["entities"].as_array().unwrap().clone();
        all.iter().map(|t| t["id"].as_str().unwrap().rsplit('.').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let ask = |method, ends: &[&str]| {
        let topics: Vec<Value> = ends.iter().map(|e| json!({ "id": topic(&agent, e) })).collect();
        agent.call(method, &path, Some(topics.into()))
    };
    let told = ask(Method::POST, &["presence"]).await.ok(200);
    assert_eq!(told["entities"][0]["state"], "Permitted");
    ask(Method::POST, &["presence", "activity"]).await.ok(200);
    assert_eq!(names().await, ["presence", "activity"], "none is there twice");
    ask(Method::PUT, &["conversations"]).await.ok(200);
    assert_eq!(names().await, ["conversations"], "PUT loses what others subscribed to");
    let bad = ask(Method::POST, &["presence", "nonsense"]).await;
    assert_eq!((bad.status, bad.code()), (400, "invalid.value"));
    assert_eq!(names().await, ["conversations"], "nothing of a list with a wrong one");
    let topics = json!([{ "id": topic(&agent, "presence") }, { "id": topic(&agent, "nonsense") }]);
    let partly = agent.post(&format!("{path}?ignoreErrors=true"), topics).await.ok(200);
    assert_eq!(partly["entities"][1]["state"], "Rejected");
    assert!(partly["entities"][1]["rejectionReason"].is_string());
    assert_eq!(names().await, ["conversations", "presence"]);
    let other = json!([{ "id": format!("v2.users.{}.conversations", rig.ready.agents[1].id) }]);
    let foreign = agent.post(&path, other).await;
    assert_eq!((foreign.status, foreign.code()), (403, "not.authorized"));
    rig.order(json!({ "do": "reject_topics", "topics": [".activity"] }));
    assert_eq!(ask(Method::POST, &["activity"]).await.status, 400);
    rig.order(json!({ "do": "reject_topics", "topics": [] }));
    ask(Method::POST, &["activity"]).await.ok(200);
    assert_eq!(agent.call(Method::DELETE, &path, None).await.status, 200);
    assert!(names().await.is_empty());
    let many = |n: usize| (0..n).map(|_| json!({ "id": topic(&agent, "presence") })).collect::<Vec<_>>();
    assert_eq!(agent.call(Method::PUT, &path, Some(json!([{ "id": 7 }]))).await.status, 400);
    agent.call(Method::PUT, &path, Some(many(3).into())).await.ok(200);
    let head = agent.call(Method::HEAD, &format!("{CHANNELS}/{id}"), None).await;
    assert_eq!((head.status, head.body), (200, Value::Null));
    assert_eq!(agent.call(Method::HEAD, &format!("{CHANNELS}/c9"), None).await.status, 404);
    let stranger = Agent::sign_in(&rig, 1).await;
    assert_eq!(stranger.call(Method::HEAD, &format!("{CHANNELS}/{id}"), None).await.status, 404, "another's is none");
    let topics = agent.get("/api/v2/notifications/availabletopics").await;
    assert!(topics["entities"].as_array().unwrap().iter().any(|t| t["id"] == "v2.users.{id}.conversations"));
}

#[tokio::test]
async fn a_socket_takes_subscriptions_and_pings() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let id = agent.channel().await["id"].as_str().unwrap().to_owned();
    let mut socket = Socket::open(&rig, &format!("/channels/{id}"), &[]).await.unwrap();
    socket.send(json!({ "message": "ping" })).await;
    assert_eq!(socket.next().await, json!({ "topicName": "channel.metadata", "eventBody": { "message": "pong" } }));
    let both = format!("v2.users.{}?presence&routingStatus", agent.id);
    socket.send(json!({ "message": "subscribe", "topics": [both], "correlationId": "k1" })).await;
    let told = socket.next().await;
    assert_eq!(
        (&told["result"], &told["status"], &told["correlationId"]),
        (&json!("200"), &json!("subscribed"), &json!("k1"))
    );
    agent.go("Busy").await;
    assert_eq!(socket.next().await["topicName"], topic(&agent, "presence"), "under its own name");
    socket.send(json!({ "message": "unsubscribe", "topics": [both] })).await;
    assert_eq!(socket.next().await["status"], "unsubscribed");
    for (wrong, status) in [
        (json!({ "message": "subscribe", "topics": ["v2.nonsense"], "correlationId": "k2" }), "failure"),
        (json!({ "message": "subscribe", "correlationId": "k2" }), "error"),
        (json!({ "message": "dance", "correlationId": "k2" }), "error"),
    ] {
        socket.send(wrong.clone()).await;
        let told = socket.next().await;
        assert_eq!(
            (&told["result"], &told["status"], &told["correlationId"]),
            (&json!("400"), &json!(status), &json!("k2")),
            "{wrong}"
        );
    }
    socket.send_text("not json").await;
    assert_eq!(socket.next().await["result"], "400");
    assert_eq!(Socket::refused(&rig, "/channels/c9", &[]).await, 404);
}

#[tokio::test]
async fn hearts_beat_until_they_are_stopped() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_platform", "heartbeat_secs": 1 }));
    let agent = Agent::sign_in(&rig, 0).await;
    let (_, mut socket) = agent.listen(&rig, &["presence"]).await;
    let beat = json!({ "topicName": "channel.metadata", "eventBody": { "message": "WebSocket Heartbeat" } });
    assert_eq!(socket.next().await, beat);
    assert_eq!(socket.next().await, beat);
    rig.order(json!({ "do": "stop_heartbeats", "on": true }));
    assert!(rig.sandbox.status().faulty);
    tokio::time::sleep(Duration::from_millis(1300)).await;
    agent.go("Busy").await;
    assert_eq!(socket.next().await["topicName"], topic(&agent, "presence"), "no beat came before it");
    rig.order(json!({ "do": "stop_heartbeats", "on": false }));
    assert_eq!(socket.next().await, beat, "they go on");
}

#[tokio::test]
async fn the_twenty_first_channel_takes_the_oldest_idle_one_away_in_silence() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let (first, mut socket) = agent.listen(&rig, &["presence"]).await;
    let mut ids = vec![first.clone()];
    for k in 1..20 {
        rig.clock.advance(Duration::from_secs(1));
        let made = agent.channel().await["id"].as_str().unwrap().to_owned();
        assert_eq!(agent.get(CHANNELS).await["entities"].as_array().unwrap().len(), k + 1);
        ids.push(made);
    }
    rig.clock.advance(Duration::from_secs(1));
    agent.channel().await;
    let head = async |id: &str| agent.call(Method::HEAD, &format!("{CHANNELS}/{id}"), None).await.status;
    assert_eq!((head(&ids[0]).await, head(&ids[1]).await), (200, 404), "connected ones go last");
    rig.order(json!({ "do": "evict_channel", "channel": first }));
    agent.go("Busy").await;
    socket.send(json!({ "message": "ping", "correlationId": "p" })).await;
    let told = socket.next().await;
    assert_eq!((&told["result"], &told["correlationId"]), (&json!("404"), &json!("p")), "and nothing before");
    assert_eq!(Socket::refused(&rig, &format!("/channels/{first}"), &[]).await, 404);
    assert_eq!(rig.sandbox.status().platform.evicted, 2);
}

#[tokio::test]
async fn channels_made_in_a_burst_are_refused() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    for _ in 0..15 {
        agent.channel().await;
    }
    let refused = agent.post(CHANNELS, json!({})).await;
    assert_eq!(
        (refused.status, refused.code(), &refused.headers["retry-after"]),
        (429, "too.many.requests", &"1".parse().unwrap())
    );
    rig.clock.advance(Duration::from_secs(1));
    agent.channel().await;
}

#[tokio::test]
async fn a_channel_expires_unless_it_is_subscribed_again() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_lifetimes", "oauth_secs": 200_000 }));
    let agent = Agent::sign_in(&rig, 0).await;
    let (id, mut socket) = agent.listen(&rig, &["presence"]).await;
    let path = format!("{CHANNELS}/{id}/subscriptions");
    rig.clock.advance(Duration::from_secs(23 * 3600));
    agent.post(&path, json!([{ "id": topic(&agent, "activity") }])).await.ok(200);
    rig.clock.advance(Duration::from_secs(23 * 3600));
    assert_eq!(agent.call(Method::HEAD, &format!("{CHANNELS}/{id}"), None).await.status, 200);
    rig.clock.advance(Duration::from_secs(3600));
    assert_eq!(agent.call(Method::HEAD, &format!("{CHANNELS}/{id}"), None).await.status, 404);
    socket.send(json!({ "message": "subscribe", "topics": [] })).await;
    assert_eq!(socket.next().await["result"], "404");
}

#[tokio::test]
async fn a_revoked_token_ends_its_channels() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let (id, mut socket) = agent.listen(&rig, &["presence"]).await;
    let same = Agent::sign_in(&rig, 0).await;
    let (_, mut other) = same.listen(&rig, &["presence"]).await;
    assert_eq!(agent.call(Method::DELETE, "/api/v2/tokens/me", None).await.status, 200);
    let told = socket.next().await;
    assert_eq!(told["topicName"], format!("v2.system.token_revoked.{id}"));
    assert_eq!(
        (&told["eventBody"]["systemTopicType"], &told["eventBody"]["userId"]),
        (&json!("token_revoked"), &json!(agent.id))
    );
    assert!(!told.to_string().contains(&agent.token));
    assert_eq!(socket.closed().await.0, 1000);
    assert_eq!(agent.call(Method::GET, "/api/v2/users/me", None).await.status, 401);
    assert_eq!(Socket::refused(&rig, &format!("/channels/{id}"), &[]).await, 401);
    same.go("Busy").await;
    assert_eq!(other.next().await["topicName"], topic(&same, "presence"), "another token's goes on");
    rig.order(json!({ "do": "revoke_user_tokens", "user": agent.id }));
    assert!(other.next().await["topicName"].as_str().unwrap().starts_with("v2.system.token_revoked."));
}

#[tokio::test]
async fn a_dead_token_is_told_nothing_more() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let (id, mut socket) = agent.listen(&rig, &["presence"]).await;
    rig.order(json!({ "do": "expire_token", "token": "oauth" }));
    Agent::sign_in(&rig, 0).await.go("Busy").await;
    socket.send(json!({ "message": "ping" })).await;
    assert_eq!(socket.next().await["result"], "404");
    assert_eq!(Socket::refused(&rig, &format!("/channels/{id}"), &[]).await, 401);
}

#[tokio::test]
async fn maintenance_is_announced_before_the_sockets_close_and_the_channel_stays() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let (id, mut socket) = agent.listen(&rig, &["presence"]).await;
    let begin = Instant::now();
    rig.order(json!({ "do": "socket_closing", "seconds": 1 }));
    let told = socket.next().await;
    assert_eq!(told["topicName"], "v2.system.socket_closing");
    assert!(told["eventBody"]["message"].is_string());
    let mut again = Socket::open(&rig, &format!("/channels/{id}"), &[]).await.unwrap();
    assert_eq!(socket.closed().await.0, 1001);
    assert!(begin.elapsed() >= Duration::from_secs(1));
    agent.go("Busy").await;
    assert_eq!(again.next().await["topicName"], topic(&agent, "presence"), "its topics as well");
}

#[tokio::test]
async fn notifications_are_lost_repeated_late_and_reversed_by_order() {
    let rig = Rig::new().await;
    let agent = Agent::on_queue(&rig, 0).await;
    let (_, mut socket) = agent.listen(&rig, &["conversations.messages"]).await;
    let mut guest = guest_who_said(&rig, "0").await;
    socket.next().await;
    let mut said = 1;
    let mut say = async |n: usize| {
        for _ in 0..n {
            guest.say("x", "x").await;
            guest.next().await;
            said += 1;
        }
        said
    };
    let count = |told: &Value| mine(&told["eventBody"], "customer")["messages"].as_array().unwrap().len();
    rig.order(json!({ "do": "drop_notifications", "count": 2 }));
    let all = say(3).await;
    assert_eq!(count(&socket.next().await), all, "two were lost");
    assert_eq!(rig.sandbox.status().platform.dropped, 2);
    let media = agent.get("/api/v2/conversations/messages").await;
    assert_eq!(mine(&media["entities"][0], "customer")["messages"].as_array().unwrap().len(), all, "REST knows all");
    rig.clock.advance(Duration::from_secs(1));
    rig.order(json!({ "do": "repeat_snapshots", "count": 1 }));
    let all = say(1).await;
    assert_eq!((count(&socket.next().await), count(&socket.next().await)), (all, all));
    rig.order(json!({ "do": "reorder_notifications", "count": 2 }));
    let all = say(2).await;
    assert_eq!((count(&socket.next().await), count(&socket.next().await)), (all, all - 1));
    rig.clock.advance(Duration::from_secs(1));
    rig.order(json!({ "do": "late_snapshots", "count": 1, "millis": 300 }));
    let all = say(2).await;
    assert_eq!((count(&socket.next().await), count(&socket.next().await)), (all, all - 1), "overtaken");
    assert!(!rig.sandbox.status().faulty);
    rig.order(json!({ "do": "set_platform", "snapshot_messages": 2 }));
    say(1).await;
    assert_eq!(count(&socket.next().await), 2, "the newest only");
}

#[tokio::test]
async fn the_status_tells_all_of_it_and_no_token() {
    let rig = Rig::new().await;
    let agent = Agent::on_queue(&rig, 0).await;
    let (id, _socket) = agent.listen(&rig, &BOTH).await;
    let _guest = guest_who_said(&rig, "Hello").await;
    let status = rig.sandbox.status();
    let p = &status.platform;
    let user = &p.users[0];
    assert_eq!((user.presence.as_str(), user.routing.as_str(), user.conversations), ("On Queue", "IDLE", 1));
    assert_eq!(user.joined, ["Sandbox support", "Sandbox sales"]);
    assert_eq!((p.conversations[0].state.as_str(), p.conversations[0].session.as_deref()), ("alerting", Some("s1")));
    let purposes: Vec<&str> = p.conversations[0].participants.iter().map(|p| p.purpose.as_str()).collect();
    assert_eq!(purposes, ["customer", "acd", "agent"]);
    assert_eq!((p.channels[0].topics, p.channels[0].connections, p.channels[0].live), (2, 1, true));
    assert_eq!(status.connections.iter().filter(|c| c.session.as_deref() == Some("n1")).count(), 1);
    let text = serde_json::to_string(&status).unwrap();
    assert!(!text.contains(&agent.token) && !text.contains(&id), "whoever has the channel's id may listen");
}

#[tokio::test]
async fn a_notification_socket_is_closed_and_spoken_on_by_order() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let (_, mut socket) = agent.listen(&rig, &["presence"]).await;
    rig.order(json!({ "do": "send_frame", "session": "n1", "frame": { "topicName": "v2.novelty" } }));
    assert_eq!(socket.next().await["topicName"], "v2.novelty");
    let refused = |order: Value| rig.sandbox.order(sessionscope::sandbox::Order::parse(&order.to_string()).unwrap());
    let say = refused(json!({ "do": "say", "session": "n1", "text": "x" })).unwrap_err();
    assert!(format!("{say:?}").contains("nobody talks on a notification channel"));
    for wrong in [
        json!({ "do": "evict_channel", "channel": "n9" }),
        json!({ "do": "set_queue", "queue": "Nowhere" }),
        json!({ "do": "close", "session": "n9", "code": 1001 }),
        json!({ "do": "set_permissions", "user": "Nobody", "without": [] }),
    ] {
        assert!(refused(wrong.clone()).is_err(), "{wrong}");
    }
    rig.order(json!({ "do": "close", "session": "n1", "code": 1011, "reason": "by order" }));
    assert_eq!(socket.closed().await, (1011, "by order".to_owned()));
}

#[tokio::test]
async fn a_channel_whose_place_another_took_is_told_so_by_order() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let (id, mut socket) = agent.listen(&rig, &["presence"]).await;
    rig.order(json!({ "do": "evict_channel", "channel": id, "told": true }));
    let told = socket.next().await;
    assert_eq!(told["topicName"], format!("v2.system.no_longer_subscribed.{id}"));
    let body = &told["eventBody"];
    assert_eq!(
        (&body["channelId"], &body["systemTopicType"], &body["reason"], &body["userId"]),
        (&json!(id), &json!("no_longer_subscribed"), &json!("another_channel_subscribed"), &json!(agent.id))
    );
    assert_eq!(agent.call(Method::HEAD, &format!("{CHANNELS}/{id}"), None).await.status, 404);
}

#[tokio::test]
async fn topics_that_a_put_drops_are_told_on_the_channel() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let (id, mut socket) = agent.listen(&rig, &["presence", "activity"]).await;
    let path = format!("{CHANNELS}/{id}/subscriptions");
    let put = async |ends: &[&str]| {
        let all: Vec<Value> = ends.iter().map(|e| json!({ "id": topic(&agent, e) })).collect();
        agent.call(Method::PUT, &path, Some(all.into())).await.ok(200);
    };
    // Nothing is lost by this one.
    put(&["activity", "presence", "routingStatus"]).await;
    put(&["routingStatus"]).await;
    let told = socket.next().await;
    assert_eq!(told["topicName"], format!("v2.system.subscription_changed.{id}"));
    assert_eq!(told["eventBody"]["systemTopicType"], "subscription_changed");
    assert_eq!(told["eventBody"]["data"]["topics"], json!([topic(&agent, "activity"), topic(&agent, "presence")]));
}

#[tokio::test]
async fn every_topic_that_is_available_can_be_subscribed_to() {
    let rig = Rig::new().await;
    let agent = Agent::on_queue(&rig, 0).await;
    let _guest = guest_who_said(&rig, "Hello").await;
    let part = agent.answer().await;
    let id = agent.channel().await["id"].as_str().unwrap().to_owned();
    let path = format!("{CHANNELS}/{id}/subscriptions");
    let all = agent.get("/api/v2/notifications/availabletopics?expand=description").await;
    let all = all["entities"].as_array().unwrap();
    assert_eq!(all.len(), 14);
    for told in all {
        let name = told["id"].as_str().unwrap();
        let of = match name {
            _ if name.starts_with("v2.users.") => &agent.id,
            _ if name.starts_with("v2.routing.") => &rig.ready.queue_id,
            _ if name.contains("deployments") => &rig.ready.deployment_id,
            _ => &part.conversation,
        };
        let good = name.replace("{id}", of).replace('*', "customer.end");
        agent.post(&path, json!([{ "id": good }])).await.ok(200);
        let refused = agent.post(&path, json!([{ "id": name.replace("{id}", "nobody") }])).await;
        assert_eq!((refused.status, refused.code()), (400, "invalid.value"), "{name}");
    }
    let none = format!("v2.conversations.{}.messages", part.conversation);
    assert_eq!(agent.post(&path, json!([{ "id": none }])).await.status, 400, "there is none such");
    let other = format!("v2.users.{}.tokens", rig.ready.agents[1].id);
    assert_eq!(agent.post(&path, json!([{ "id": other }])).await.status, 403);
}
