//! Bodies, paths and frames that no client should send; and many conversations at once.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::agent::{Agent, Part, guest_who_said};
use super::client::{Guest, Rig};
use super::flows::{Socket, wants_a_live_bearer};

/// Bodies that are JSON, and mean nothing.
fn odd() -> Vec<Value> {
    let deep = (0..100).fold(json!({}), |inner, _| json!({ "state": [inner] }));
    vec![
        Value::Null,
        json!([]),
        json!({}),
        json!(7),
        json!("state"),
        json!([null, {}, []]),
        json!({ "state": null, "held": null, "wrapup": null, "attributes": null }),
        json!({ "state": 7, "held": "x", "wrapup": 7, "wrapupSkipped": [], "attributes": [] }),
        json!({ "state": "", "wrapup": {}, "attributes": { "": "" }, "status": "", "joined": null }),
        json!({ "textBody": { "a": 1 }, "mediaIds": null, "messagingTemplate": "x" }),
        json!({ "mediaIds": [{}, null], "fileName": "", "contentLengthBytes": -1, "typing": [] }),
        json!({ "userId": [], "queueId": 1, "transferType": {}, "code": {}, "presenceDefinition": "x" }),
        deep,
    ]
}

#[tokio::test]
async fn no_body_breaks_any_service() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_limits", "requests_per_token_minute": 10_000 }));
    let agent = Agent::on_queue(&rig, 0).await;
    let mut guest = guest_who_said(&rig, "Hello").await;
    let part = agent.answer().await;
    let user = format!("/api/v2/users/{}", agent.id);
    let channel = agent.channel().await["id"].as_str().unwrap().to_owned();
    let generic = part.path("").replace("/messages/", "/");
    let services = [
        (Method::POST, "/api/v2/users/search".to_owned()),
        (Method::PATCH, format!("{user}/presences/purecloud")),
        (Method::PUT, format!("{user}/routingstatus")),
        (Method::PATCH, format!("{user}/queues/{}", rig.ready.queue_id)),
        (Method::POST, "/api/v2/responsemanagement/responses/query".to_owned()),
        (Method::POST, format!("/api/v2/conversations/messages/{}/messages/bulk", part.conversation)),
        (Method::PATCH, generic.clone()),
        (Method::PATCH, part.path("")),
        (Method::PATCH, part.path("/attributes")),
        (Method::PATCH, part.path("/parkingstate")),
        (Method::POST, part.path("/replace")),
        (Method::POST, format!("{generic}/replace/queue")),
        (Method::POST, format!("{generic}/replace/agent")),
        (Method::PATCH, part.path(&format!("/communications/{}", part.communication))),
        (Method::POST, part.wrapup_path()),
        (Method::POST, part.comm_path("/messages")),
        (Method::POST, part.comm_path("/typing")),
        (Method::POST, part.comm_path("/messages/media/uploads")),
        (Method::POST, format!("/api/v2/notifications/channels/{channel}/subscriptions")),
        (Method::PUT, format!("/api/v2/notifications/channels/{channel}/subscriptions?ignoreErrors=true")),
    ];
    for (method, path) in &services {
        for body in odd() {
            let answer = agent.call(method.clone(), path, Some(body.clone())).await;
            assert!(answer.status < 500, "{method} {path} {body}: {answer:?}");
            let told = answer.status < 400 || (answer.body["contextId"].is_string() && !answer.message().is_empty());
            assert!(told, "{method} {path} {body}: {answer:?}");
        }
        let request = rig.http.request(method.clone(), format!("{}{path}", rig.ready.api)).bearer_auth(&agent.token);
        let answer = request.body("{\"state\":").send().await.unwrap();
        assert_eq!(answer.status(), 400, "{method} {path}");
        let wrong = path.replace(&part.conversation, "%F0%9F%98%80").replace(&agent.id, "..%2F..");
        let answer = agent.call(method.clone(), &wrong, Some(json!({}))).await;
        assert!((200..500).contains(&answer.status), "{wrong}");
    }
    assert_eq!(agent.part().await.state, "connected", "nothing of it did anything");
    agent.say(&part, "still here").await;
    assert_eq!(guest.next().await["body"]["text"], "still here");
}

#[tokio::test]
async fn every_service_wants_a_live_bearer() {
    let rig = Rig::new().await;
    for (method, path) in [
        (Method::GET, "/api/v2/users/me"),
        (Method::GET, "/api/v2/conversations"),
        (Method::POST, "/api/v2/conversations/messages/c1/messages/bulk"),
        (Method::POST, "/api/v2/notifications/channels"),
        (Method::GET, "/api/v2/routing/queues"),
    ] {
        wants_a_live_bearer(&rig, method, path).await;
    }
    let guest = rig.configured().await;
    let mut guest: Guest = guest;
    let jwt = guest.ask("getJwt", json!({})).await["body"]["jwt"].as_str().unwrap().to_owned();
    let answer = rig.call(Method::GET, "/api/v2/users/me", None).bearer(&jwt).send().await;
    answer.is(403, "not.authorized", "A guest's token may not do this");
}

#[tokio::test]
async fn a_notification_socket_survives_any_frame() {
    let rig = Rig::new().await;
    let agent = Agent::sign_in(&rig, 0).await;
    let (_, mut socket) = agent.listen(&rig, &["presence"]).await;
    let frames = ["", "null", "[]", "7", "{", "{\"message\":{}}", "{\"message\":\"subscribe\",\"topics\":[7]}"];
    for frame in frames {
        socket.send_text(frame).await;
        assert_eq!(socket.next().await["result"], "400", "{frame}");
    }
    let many: Vec<String> =
        (0..1001).map(|k| format!("v2.users.{}?presence&activity{}", agent.id, "&activity".repeat(k % 9))).collect();
    let told: BTreeSet<&String> = many.iter().collect();
    assert_eq!(told.len(), 9);
    socket.send(json!({ "message": "subscribe", "topics": many })).await;
    let answer = socket.next().await;
    assert!(answer["result"] == "200" || answer["result"] == "400", "{answer}");
    agent.go("Busy").await;
    assert_eq!(socket.next().await["topicName"], format!("v2.users.{}.presence", agent.id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_conversations_at_once_are_told_whole() {
    const GUESTS: usize = 50;
    const EACH: usize = 4;
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_limits", "requests_per_token_minute": 100_000 }));
    let agent = Agent::on_queue(&rig, 0).await;
    let (_, mut socket): (_, Socket) = agent.listen(&rig, &["conversations.messages"]).await;
    let reading = tokio::spawn(async move {
        let mut seen = BTreeSet::new();
        while seen.len() < GUESTS * EACH {
            let told = socket.next().await["eventBody"].clone();
            for participant in told["participants"].as_array().unwrap() {
                let messages = participant["messages"].as_array().unwrap();
                seen.extend(messages.iter().map(|m| m["message"]["id"].as_str().unwrap().to_owned()));
            }
        }
        seen
    });
    let mut guests = Vec::new();
    for _ in 0..GUESTS {
        guests.push(rig.configured().await);
    }
    let mut said = BTreeSet::new();
    for k in 0..EACH / 2 {
        for guest in &mut guests {
            guest.say(&format!("message {k}"), "m").await;
            loop {
                let body = guest.next().await["body"].clone();
                if body["direction"] == "Inbound" {
                    said.insert(body["id"].as_str().unwrap().to_owned());
                    break;
                }
            }
        }
        for conversation in agent.conversations().await {
            let part = Part::of(&conversation, &agent.id);
            if part.state == "alerting" {
                agent.patch(&part.path(""), json!({ "state": "connected" })).await.ok(202);
            }
            said.insert(agent.say(&part, "answer").await["id"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(said.len(), GUESTS * EACH);
    assert_eq!(reading.await.unwrap(), said, "nothing was missed, nothing made up");
    assert_eq!(rig.sandbox.status().platform.users[0].conversations, 50);
    let full = guest_who_said(&rig, "one too many").await;
    drop(full);
    assert_eq!(rig.sandbox.status().platform.conversations.last().unwrap().state, "partner", "nobody has room");
}
