//! External contacts: what is posted comes back on the socket, once it is committed.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::client::Rig;
use super::flows::{Answer, Socket, wants_a_live_bearer, with};

const CONTACTS: &str = "/api/v2/conversations/messaging/external/contacts";

fn messages(id: &str) -> String {
    format!("{CONTACTS}/{id}/messages")
}

/// A socket and the id in its greeting.
async fn open(rig: &Rig, token: &str) -> (Socket, String) {
    let bearer = format!("Bearer {token}");
    let mut socket = Socket::open(rig, CONTACTS, &[("authorization", &bearer)]).await.unwrap();
    let greeting = socket.next().await;
    assert_eq!(greeting["type"], "greeting", "{greeting}");
    (socket, greeting["sessionId"].as_str().unwrap().to_owned())
}

async fn post(rig: &Rig, id: &str, token: &str, text: &str) -> Answer {
    rig.post(&messages(id), json!({ "to": "agent", "text": text })).bearer(token).send().await
}

/// At once, so that tests need not wait.
async fn hasty() -> Rig {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_flows", "commit_millis": 0 }));
    rig
}

#[tokio::test]
async fn the_token_comes_in_a_header_or_in_the_address() {
    let rig = Rig::new().await;
    let token = rig.token().await;
    rig.clock.advance(Duration::from_secs(100));
    let bearer = format!("Bearer {token}");
    for (path, headers) in [
        (CONTACTS.to_owned(), vec![("authorization", bearer.as_str())]),
        (format!("{CONTACTS}?token={token}"), vec![]),
        (format!("{CONTACTS}?access_token={token}"), vec![]),
    ] {
        let mut socket = Socket::open(&rig, &path, &headers).await.unwrap();
        let greeting = socket.next().await;
        assert_eq!((&greeting["type"], &greeting["expires_in"]), (&json!("greeting"), &json!(800)));
        assert_eq!(greeting["sessionId"], greeting["contactId"]);
        assert!(greeting["text"].is_string());
    }
    let broker = rig.call(Method::POST, "/broker/api/genesys/refresh", None).send().await.ok(200);
    open(&rig, broker["token"].as_str().unwrap()).await;
}

#[tokio::test]
async fn a_dead_or_unknown_token_opens_nothing() {
    let rig = Rig::new().await;
    assert_eq!(Socket::refused(&rig, CONTACTS, &[]).await, 401);
    assert_eq!(Socket::refused(&rig, &format!("{CONTACTS}?token=guess"), &[]).await, 401);
    let token = rig.token().await;
    let conversation = rig.post("/api/v2/webmessaging/conversations", json!({})).bearer(&token).send().await.ok(200);
    let foreign = conversation["sessionToken"].as_str().unwrap();
    assert_eq!(Socket::refused(&rig, &format!("{CONTACTS}?token={foreign}"), &[]).await, 401, "of another kind");
    rig.clock.advance(Duration::from_secs(900));
    assert_eq!(Socket::refused(&rig, &format!("{CONTACTS}?token={token}"), &[]).await, 401);
    let token = rig.token().await;
    rig.order(json!({ "do": "refuse_upgrades", "count": 1, "status": 503 }));
    assert_eq!(Socket::refused(&rig, &format!("{CONTACTS}?token={token}"), &[]).await, 503);
    assert_eq!(rig.get(&format!("{CONTACTS}?token={token}")).await.status(), 426);
    open(&rig, &token).await;
}

#[tokio::test]
async fn a_posted_message_is_queued_then_committed_and_answered() {
    let rig = Rig::with(Default::default()).await;
    let token = rig.token().await;
    let (mut socket, id) = open(&rig, &token).await;
    let began = Instant::now();
    let queued = post(&rig, &id, &token, "hello").await.ok(202);
    assert_eq!(queued["status"], "queued");
    assert_eq!(
        socket.next().await,
        json!({ "type": "message", "id": queued["id"], "from": "guest", "text": "hello",
            "timestamp": "2026-01-06T13:26:15.174Z" })
    );
    assert!(began.elapsed() >= Duration::from_millis(100), "a moment later");
    assert_eq!(socket.next().await, json!({ "type": "typing", "from": "agent" }));
    let answer = socket.next().await;
    assert_eq!((&answer["from"], &answer["text"]), (&json!("agent"), &json!("You said: hello")));
    let status = rig.sandbox.status();
    let told = &status.flows.contacts[0];
    assert_eq!((told.id.as_str(), &told.contact, told.messages), ("x1", &id, 2));
    assert_eq!(told.connections, ["c1"]);
    assert_eq!(status.connections[0].session.as_deref(), Some("x1"));
    assert!(!serde_json::to_string(&status).unwrap().contains(&token));
}

#[tokio::test]
async fn answers_come_in_the_order_of_the_messages() {
    let rig = Rig::with(Default::default()).await;
    rig.order(json!({ "do": "set_flows", "commit_millis": 0 }));
    let token = rig.token().await;
    let (mut socket, id) = open(&rig, &token).await;
    for text in ["one", "two", "help"] {
        post(&rig, &id, &token, text).await.ok(202);
    }
    let mut said = Vec::new();
    while said.len() < 3 {
        let frame = socket.next().await;
        if frame["from"] == "agent" && frame["type"] == "message" {
            said.push(frame["text"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(said[..2], ["You said: one", "You said: two"]);
    assert!(said[2].starts_with("Words that do something"), "{said:?}");
}

#[tokio::test]
async fn fields_and_bearer_are_checked() {
    let rig = hasty().await;
    wants_a_live_bearer(&rig, Method::POST, &messages("any")).await;
    let token = rig.token().await;
    let (_socket, id) = open(&rig, &token).await;
    let good = json!({ "to": "agent", "text": "x" });
    for (field, value) in [("to", Value::Null), ("to", json!("")), ("text", json!(7)), ("text", json!(""))] {
        let answer = rig.post(&messages(&id), with(&good, field, value)).bearer(&token).send().await;
        answer.names(field);
    }
    rig.post(&messages(&id), json!([])).bearer(&token).send().await.is(
        400,
        "bad.request",
        "The body is not a JSON object",
    );
}

#[tokio::test]
async fn any_contact_reaches_the_newest_socket_of_the_token() {
    let rig = hasty().await;
    let (token, other) = (rig.token().await, rig.token().await);
    let nobody = post(&rig, "contact-7", &token, "x").await;
    assert_eq!((nobody.status, nobody.code()), (404, "not.found"));
    let (mut first, id) = open(&rig, &token).await;
    let (mut second, _) = open(&rig, &token).await;
    let (mut third, foreign) = open(&rig, &other).await;
    post(&rig, "contact-7", &token, "to the newest").await.ok(202);
    assert_eq!(second.next().await["text"], "to the newest");
    post(&rig, &id, &token, "by id").await.ok(202);
    assert_eq!(first.next().await["text"], "by id");
    post(&rig, &foreign, &token, "by id, with another token").await.ok(202);
    assert_eq!(third.next().await["text"], "by id, with another token");
}

#[tokio::test]
async fn only_the_session_may_be_posted_to_where_that_is_ordered() {
    let rig = hasty().await;
    rig.order(json!({ "do": "set_flows", "contact_rule": "session" }));
    let token = rig.token().await;
    let none = post(&rig, "contact-7", &token, "x").await;
    assert_eq!(none.status, 404);
    let (mut socket, id) = open(&rig, &token).await;
    let refused = post(&rig, "contact-7", &token, "x").await;
    assert_eq!((refused.status, refused.code()), (404, "not.found"));
    assert!(refused.message().contains("contact-7") && refused.message().contains(&id), "{refused:?}");
    post(&rig, &id, &token, "good").await.ok(202);
    assert_eq!(socket.next().await["text"], "good");
    rig.order(json!({ "do": "close", "session": "x1", "code": 4000 }));
    assert_eq!(socket.closed().await.0, 4000);
    assert_eq!(post(&rig, &id, &token, "late").await.status, 404, "the handshake is no longer open");
}

#[tokio::test]
async fn a_token_that_dies_before_the_commit_closes_with_1000_and_without_a_word() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_flows", "commit_millis": 1500 }));
    rig.order(json!({ "do": "set_lifetimes", "oauth_secs": 60 }));
    let token = rig.token().await;
    let (mut socket, id) = open(&rig, &token).await;
    post(&rig, &id, &token, "lost").await.ok(202);
    rig.clock.advance(Duration::from_secs(60));
    assert_eq!(socket.closed().await, (1000, String::new()));
    assert_eq!(rig.sandbox.status().flows.lost_messages, 1);

    // Nor does a fresh token at the POST help a socket that was opened with an old one.
    let old = rig.token().await;
    let (mut socket, id) = open(&rig, &old).await;
    rig.clock.advance(Duration::from_secs(61));
    let fresh = rig.token().await;
    post(&rig, &id, &fresh, "lost, too").await.ok(202);
    assert_eq!(socket.closed().await, (1000, String::new()));
}

#[tokio::test]
async fn the_same_can_be_ordered_and_a_refresh_mends_it() {
    let rig = hasty().await;
    rig.order(json!({ "do": "expire_before_commit", "count": 1 }));
    let token = rig.token().await;
    let (mut socket, id) = open(&rig, &token).await;
    post(&rig, &id, &token, "lost").await.ok(202);
    assert_eq!(socket.closed().await, (1000, String::new()));
    assert_eq!(post(&rig, &id, &token, "x").await.code(), "credentials.expired");
    assert!(!rig.sandbox.status().faulty, "it is spent");

    let token = rig.token().await;
    let fresh = rig.post(&messages(&id), json!({ "expires_in": 600 })).bearer(&token).send().await.ok(200);
    let fresh = fresh["token"].as_str().unwrap();
    let (mut socket, id) = open(&rig, fresh).await;
    post(&rig, &id, fresh, "found").await.ok(202);
    assert_eq!(socket.next().await["text"], "found");
}

#[tokio::test]
async fn a_refresh_gives_the_open_socket_a_new_token() {
    let rig = hasty().await;
    let token = rig.token_with("guest:create").await.ok(200)["access_token"].as_str().unwrap().to_owned();
    let (mut socket, id) = open(&rig, &token).await;
    rig.clock.advance(Duration::from_secs(870));
    let refresh = async |body: Value| rig.post(&messages(&id), body).bearer(&token).send().await;
    let answer = refresh(json!({ "expires_in": 5000 })).await.ok(200);
    assert_eq!(answer["expires_in"], 3600, "no longer than an hour");
    let fresh = answer["token"].as_str().unwrap().to_owned();
    assert_eq!(
        rig.http
            .get(format!("{}/api/v2/tokens/me", rig.ready.api))
            .bearer_auth(&fresh)
            .send()
            .await
            .unwrap()
            .json::<Value>()
            .await
            .unwrap()["authorizedScope"],
        json!(["guest:create"]),
        "the same scopes"
    );
    assert_eq!(post(&rig, "any", &fresh, "a").await.status, 202, "the socket goes by the new token");
    assert_eq!(socket.next().await["text"], "a");
    assert_eq!(post(&rig, &id, &token, "b").await.status, 202, "the old one lives to its end");
    assert_eq!(socket.next().await["text"], "b");
    rig.clock.advance(Duration::from_secs(30));
    post(&rig, &id, &fresh, "c").await.ok(202);
    assert_eq!(socket.next().await["text"], "c", "the end of the old one means nothing");
    refresh(json!({ "expires_in": 60 })).await.is(401, "credentials.expired", "The supplied token has expired");
    let refresh = async |body: Value| rig.post(&messages(&id), body).bearer(&fresh).send().await;
    for wrong in [json!(0), json!(-1), json!("60"), json!(1.5)] {
        refresh(json!({ "expires_in": wrong })).await.names("expires_in");
    }
}

#[tokio::test]
async fn a_handshake_is_broken_by_order_before_any_frame() {
    let rig = hasty().await;
    rig.order(json!({ "do": "break_handshakes", "count": 1 }));
    let token = rig.token().await;
    let mut broken = Socket::open(&rig, &format!("{CONTACTS}?token={token}"), &[]).await.unwrap();
    broken.dropped().await;
    open(&rig, &token).await;
}

#[tokio::test]
async fn orders_about_sockets_work_here_too() {
    let rig = hasty().await;
    let token = rig.token().await;
    let (mut first, id) = open(&rig, &token).await;
    let (mut second, _) = open(&rig, &token).await;
    rig.order(json!({ "do": "say", "text": "to the newest" }));
    let said = second.next().await;
    assert_eq!((&said["from"], &said["text"]), (&json!("agent"), &json!("to the newest")));
    rig.order(json!({ "do": "typing", "session": "x1" }));
    assert_eq!(first.next().await, json!({ "type": "typing", "from": "agent" }));
    rig.order(json!({ "do": "send_frame", "session": "x1", "frame": "not json {" }));
    assert_eq!(first.text().await, "not json {");
    rig.order(json!({ "do": "duplicate", "count": 1 }));
    rig.order(json!({ "do": "say", "session": "x1", "text": "twice" }));
    for _ in 0..2 {
        assert_eq!(first.next().await["text"], "twice");
    }
    rig.order(json!({ "do": "reorder", "count": 2 }));
    rig.order(json!({ "do": "say", "session": "x1", "text": "1" }));
    rig.order(json!({ "do": "say", "session": "x1", "text": "2" }));
    assert_eq!(first.next().await["text"], "2");
    assert_eq!(first.next().await["text"], "1");
    rig.order(json!({ "do": "malformed", "count": 1 }));
    rig.order(json!({ "do": "say", "session": "x1", "text": "broken" }));
    assert!(serde_json::from_str::<Value>(&first.text().await).is_err());
    rig.order(json!({ "do": "drop_echo", "count": 1 }));
    post(&rig, &id, &token, "unheard").await.ok(202);
    let began = Instant::now();
    rig.order(json!({ "do": "delay", "millis": 120 }));
    rig.order(json!({ "do": "say", "session": "x1", "text": "late" }));
    assert_eq!(first.next().await["text"], "late");
    assert!(began.elapsed() >= Duration::from_millis(120));
    rig.order(json!({ "do": "delay", "millis": 0 }));
    second.send(json!({ "type": "message", "text": "x" })).await;
    assert_eq!(second.next().await["type"], "error", "nothing is taken on this socket");
    rig.order(json!({ "do": "drop", "session": "x2" }));
    second.dropped().await;
    rig.order(json!({ "do": "close", "session": "x1", "code": 1011, "reason": "by order" }));
    assert_eq!(first.closed().await, (1011, "by order".to_owned()));
}

#[tokio::test]
async fn a_stalled_socket_still_brings_frames() {
    let rig = hasty().await;
    let token = rig.token().await;
    let (mut socket, _) = open(&rig, &token).await;
    rig.order(json!({ "do": "stall", "on": true }));
    socket.send(json!({})).await;
    rig.order(json!({ "do": "say", "text": "still here" }));
    assert_eq!(socket.next().await["text"], "still here");
    rig.order(json!({ "do": "stall", "on": false }));
    assert_eq!(socket.next().await["type"], "error");
}

#[tokio::test]
async fn names_of_sessions_that_are_not_there_are_told() {
    let rig = Rig::new().await;
    let order = |order: Value| {
        let order = sessionscope::sandbox::Order::parse(&order.to_string()).unwrap();
        rig.sandbox.order(order).unwrap_err().what
    };
    for name in ["x1", "g1", "s1", "x", "y1"] {
        assert!(order(json!({ "do": "say", "session": name, "text": "x" })).starts_with("session: "), "{name}");
        assert!(order(json!({ "do": "close", "session": name, "code": 1000 })).starts_with("session: "), "{name}");
    }
    assert_eq!(order(json!({ "do": "say", "text": "x" })), "session: there is none yet");
}
