//! What the flows share: scopes, the broker, the CRM, refusals by path, late answers, a reset, many at once.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use sessionscope::model::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::Rig;
use super::flows::{Socket, read, with};

const BROKER: &str = "/broker/api/genesys/refresh";

async fn broker(rig: &Rig) -> (String, i64) {
    let body = rig.call(Method::POST, BROKER, None).send().await.ok(200);
    (body["token"].as_str().unwrap().to_owned(), body["expires_in"].as_i64().unwrap())
}

async fn is_alive(rig: &Rig, token: &str) -> bool {
    rig.http.get(format!("{}/api/v2/tokens/me", rig.ready.api)).bearer_auth(token).send().await.unwrap().status() == 200
}

#[tokio::test]
async fn scopes_are_what_was_asked_for_and_is_granted() {
    let rig = Rig::new().await;
    for path in ["/oauth/token", "/api/v2/oauth/token"] {
        let all = rig.token_at(path, "").await.ok(200);
        assert_eq!(all["scope"].as_str().unwrap().split(' ').count(), 11);
        assert_eq!((&all["token_type"], &all["expires_in"]), (&json!("bearer"), &json!(900)));
        let some = rig.token_at(path, "webchat:send guest:create nonsense").await.ok(200);
        assert_eq!(some["scope"], "guest:create webchat:send");
        let none = rig.token_at(path, "nonsense").await;
        assert_eq!((none.status, &none.body["error"]), (400, &json!("invalid_scope")));
    }
    let before = rig.token().await;
    rig.order(json!({ "do": "set_client", "scopes": ["guest:read", "webchat:send"] }));
    assert_eq!(rig.sandbox.status().flows.client_scopes, ["guest:read", "webchat:send"]);
    assert_eq!(rig.token_with("").await.ok(200)["scope"], "guest:read webchat:send");
    assert_eq!(rig.token_with("guest:read guest:create").await.ok(200)["scope"], "guest:read");
    assert_eq!(rig.token_with("guest:create").await.body["error"], "invalid_scope");
    let made = rig.post("/api/v2/webmessaging/conversations", json!({})).bearer(&before).send().await;
    assert_eq!(made.status, 200, "a token keeps what it was given");
    let me = rig.http.get(format!("{}/api/v2/tokens/me", rig.ready.api)).bearer_auth(rig.token().await).send();
    assert_eq!(read(me.await.unwrap()).await.ok(200)["authorizedScope"], json!(["guest:read", "webchat:send"]));
    rig.order(json!({ "do": "set_client", "scopes": [] }));
    assert_eq!(rig.token_with("").await.body["error"], "invalid_scope");
}

#[tokio::test]
async fn lives_are_changed_for_what_comes_after() {
    let rig = Rig::new().await;
    let before = rig.token().await;
    rig.order(json!({ "do": "set_lifetimes", "oauth_secs": 1800 }));
    let after = rig.token_with("").await.ok(200);
    assert_eq!(after["expires_in"], 1800);
    rig.clock.advance(Duration::from_secs(900));
    assert!(!is_alive(&rig, &before).await);
    assert!(is_alive(&rig, after["access_token"].as_str().unwrap()).await);
    assert_eq!(rig.sandbox.status().flows.lifetimes.oauth_secs, 1800);
}

#[tokio::test]
async fn the_broker_holds_one_token_and_renews_it_in_time() {
    let rig = Rig::new().await;
    let (first, left) = broker(&rig).await;
    assert_eq!(left, 900);
    assert!(is_alive(&rig, &first).await);
    rig.clock.advance(Duration::from_secs(600));
    assert_eq!(broker(&rig).await, (first.clone(), 300), "300 s are enough");
    rig.clock.advance(Duration::from_secs(1));
    let (second, left) = broker(&rig).await;
    assert!(second != first && left == 900);
    assert!(is_alive(&rig, &first).await, "the old one lives on");
    rig.order(json!({ "do": "expire_token", "token": "oauth" }));
    let (third, _) = broker(&rig).await;
    assert!(third != second && is_alive(&rig, &third).await);
    rig.order(json!({ "do": "refuse_requests", "count": 1, "status": 503, "path": "/broker" }));
    assert_eq!(rig.call(Method::POST, BROKER, None).send().await.status, 503);
    assert_eq!(broker(&rig).await.0, third);
}

#[tokio::test]
async fn the_crm_keeps_the_last_events_without_tokens() {
    let rig = Rig::new().await;
    let token = rig.token().await;
    let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2ln";
    let event = json!({ "event": "webchat.session.created", "data": { "list": [token, "plain"], "jwt": jwt } });
    rig.post("/crm", event).send().await.ok(204);
    let kept = rig.sandbox.status().flows.crm;
    assert_eq!(kept[0].at, "2026-01-06T13:26:15.174Z");
    let hidden = json!({ "list": ["[token]", "plain"], "jwt": "[token]" });
    assert_eq!(kept[0].event, json!({ "event": "webchat.session.created", "data": hidden }));
    for k in 1..=100 {
        rig.post("/crm", json!({ "k": k })).send().await.ok(204);
    }
    let status = rig.sandbox.status();
    assert_eq!((status.flows.crm.len(), &status.flows.crm[0].event), (100, &json!({ "k": 1 })));
    assert_eq!(status.flows.forgotten, 1, "what went is counted");
    assert_eq!(rig.post("/crm", json!([1])).send().await.status, 400);
    let at_most = json!({ "x": "y".repeat(16 * 1024 - 8) });
    assert_eq!(rig.post("/crm", at_most).send().await.status, 204);
    let large = rig.post("/crm", json!({ "x": "y".repeat(16 * 1024 - 7) })).send().await;
    assert_eq!((large.status, large.code()), (413, "payload.too.large"));
    rig.order(json!({ "do": "refuse_requests", "count": 1, "status": 500, "path": "/crm" }));
    assert_eq!(rig.post("/crm", json!({})).send().await.status, 500);
    assert_eq!(rig.post("/crm", json!({})).send().await.status, 204);
}

#[tokio::test]
async fn foreign_pages_reach_neither_the_broker_nor_the_flows() {
    let rig = Rig::new().await;
    for path in [BROKER, "/crm", "/api/v2/guests"] {
        let url = format!("{}{path}", rig.ready.api);
        let foreign = rig.http.post(&url).header("origin", "https://evil.example").body("{}").send().await.unwrap();
        assert_eq!(foreign.status(), 403, "{path}");
        let renamed = rig.http.post(&url).header("host", "evil.example").body("{}").send().await.unwrap();
        assert_eq!(renamed.status(), 403, "{path}");
    }
    assert!(rig.sandbox.status().tokens.is_empty() && rig.sandbox.status().flows.crm.is_empty());
}

#[tokio::test]
async fn a_preflight_allows_what_the_flows_send() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "refuse_requests", "count": 1, "status": 503, "path": "/messaging" }));
    let url = format!("{}/api/v2/conversations/messaging/x", rig.ready.api);
    let page = "http://localhost:3000";
    let answer = rig.http.request(Method::OPTIONS, url).header("origin", page).send().await.unwrap();
    assert_eq!(answer.status(), 204, "and no refusal is spent on it");
    assert!(answer.headers()["access-control-allow-methods"].to_str().unwrap().contains("PATCH"));
    assert!(answer.headers()["access-control-allow-headers"].to_str().unwrap().contains("idempotency-key"));
}

#[tokio::test]
async fn refusals_for_all_paths_and_for_some_stand_side_by_side() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "refuse_requests", "count": 1, "status": 503, "text": "closed" }));
    rig.order(json!({ "do": "refuse_requests", "count": 2, "status": 429, "retry_after": 9, "path": "oauth" }));
    for _ in 0..2 {
        let answer = rig.token_with("").await;
        assert_eq!((answer.status, &answer.headers["retry-after"]), (429, &"9".parse().unwrap()));
    }
    rig.token_with("").await.is(503, "service.unavailable", "closed");
    rig.token_with("").await.ok(200);
    rig.order(json!({ "do": "refuse_requests", "count": 9, "status": 500, "path": "oauth" }));
    assert!(rig.sandbox.status().faulty);
    rig.order(json!({ "do": "refuse_requests", "count": 0, "status": 500, "path": "oauth" }));
    assert!(!rig.sandbox.status().faulty, "a count of 0 ends it");
    for k in 0..16 {
        rig.order(json!({ "do": "refuse_requests", "count": 1, "status": 500, "path": format!("/{k}") }));
    }
    let more = r#"{"do":"refuse_requests","count":1,"status":500,"path":"/x"}"#;
    let order = sessionscope::sandbox::Order::parse(more).unwrap();
    assert!(rig.sandbox.order(order).unwrap_err().what.starts_with("path: "));
}

#[tokio::test]
async fn answers_come_late_for_their_path_though_the_deed_is_done() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "slow_requests", "count": 1, "millis": 300, "path": "/crm" }));
    let call = rig.post("/crm", json!({})).send();
    let began = Instant::now();
    let (_, token) = tokio::join!(call, rig.token());
    assert!(began.elapsed() >= Duration::from_millis(300) && is_alive(&rig, &token).await);
    assert!(!rig.sandbox.status().faulty, "spent");
    rig.order(json!({ "do": "slow_requests", "count": 1, "millis": 600_000 }));
    let url = format!("{}/crm", rig.ready.api);
    let gives_up = tokio::spawn(rig.http.post(&url).body("{}").send());
    while rig.sandbox.status().flows.crm.len() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(!gives_up.is_finished(), "it is heard before it is answered");
    gives_up.abort();
    // A sandbox ends though an answer is still awaited.
    rig.order(json!({ "do": "slow_requests", "count": 1, "millis": 600_000 }));
    let waiting = tokio::spawn(rig.http.post(url).body("{}").send());
    while rig.sandbox.status().flows.crm.len() < 3 {
        tokio::task::yield_now().await;
    }
    tokio::time::timeout(Duration::from_secs(8), rig.sandbox.stop()).await.unwrap();
    assert!(waiting.await.unwrap().is_err());
}

#[tokio::test]
async fn a_reset_leaves_nothing_of_the_flows() {
    let rig = Rig::with(Default::default()).await;
    let before = rig.sandbox.status();
    let token = rig.token().await;
    let contacts = format!("/api/v2/conversations/messaging/external/contacts?token={token}");
    let mut socket = Socket::open(&rig, &contacts, &[]).await.unwrap();
    socket.next().await;
    rig.post("/api/v2/webmessaging/conversations", json!({})).bearer(&token).send().await.ok(200);
    let routing = json!({ "queue": { "id": rig.ready.queue_id }, "skill": { "id": "x" }, "language": "en" });
    let guest = json!({ "name": "Ada", "attributes": {}, "routing": routing });
    rig.post("/api/v2/guests", guest).bearer(&token).send().await.ok(201);
    rig.post("/crm", json!({})).send().await.ok(204);
    broker(&rig).await;
    for order in [
        json!({ "do": "set_client", "scopes": ["guest:read"] }),
        json!({ "do": "set_lifetimes", "oauth_secs": 1, "handshake_secs": 1 }),
        json!({ "do": "set_flows", "send_form": "bearer", "contact_rule": "session", "guest_token_flaw": "no_exp" }),
        json!({ "do": "spell_conversations_id", "on": true }),
        json!({ "do": "refuse_requests", "count": 1, "status": 500, "path": "/x" }),
        json!({ "do": "slow_requests", "count": 1, "millis": 5 }),
        json!({ "do": "expire_before_commit", "count": 1 }),
        json!({ "do": "refuse_session_tokens_after", "seconds": 5 }),
        json!({ "do": "break_handshakes", "count": 1 }),
    ] {
        rig.order(order);
    }
    assert!(rig.sandbox.status().faulty);
    rig.order(json!({ "do": "reset" }));
    assert_eq!(socket.closed().await.0, 1001);
    drop(socket);
    while !rig.sandbox.status().connections.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.sandbox.status(), before);
    assert!(!is_alive(&rig, &token).await);
}

#[tokio::test]
async fn the_newest_of_all_kinds_hears_what_is_said() {
    let rig = Rig::new().await;
    let token = rig.token().await;
    let contacts = format!("/api/v2/conversations/messaging/external/contacts?token={token}");
    let mut guest = rig.configured().await;
    let mut contact = Socket::open(&rig, &contacts, &[]).await.unwrap();
    contact.next().await;
    rig.order(json!({ "do": "say", "text": "to the contact" }));
    assert_eq!(contact.next().await["text"], "to the contact");
    rig.order(json!({ "do": "say", "session": "s1", "text": "to the guest" }));
    assert_eq!(guest.next().await["body"]["text"], "to the guest");
    let mut newest = rig.configured().await;
    rig.order(json!({ "do": "say", "text": "to the newest" }));
    assert_eq!(newest.next().await["body"]["text"], "to the newest");
    assert_eq!(rig.sandbox.status().sessions[1].id, "s3", "numbers are shared");
    rig.order(json!({ "do": "close", "code": 4000 }));
    assert_eq!((contact.closed().await.0, guest.closed().await.0, newest.closed().await.0), (4000, 4000, 4000));
}

#[tokio::test]
async fn limits_of_the_deployment_end_no_socket_of_a_flow() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_deployment", "active": false, "idle_secs": 10, "connection_secs": 20 }));
    rig.order(json!({ "do": "set_lifetimes", "oauth_secs": 7200 }));
    let token = rig.token().await;
    let contacts = format!("/api/v2/conversations/messaging/external/contacts?token={token}");
    let mut contact = Socket::open(&rig, &contacts, &[]).await.unwrap();
    contact.next().await;
    rig.clock.advance(Duration::from_secs(3600));
    rig.order(json!({ "do": "say", "text": "still here" }));
    assert_eq!(contact.next().await["text"], "still here");
}

/// Paths of all members of a value, with dots between.
fn paths(value: &Value, before: &str, all: &mut Vec<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        let path = if before.is_empty() { name.clone() } else { format!("{before}.{name}") };
        paths(member, &path, all);
        all.push(path);
    }
}

#[tokio::test]
async fn whatever_is_sent_gets_an_answer_in_the_platform_form() {
    let rig = Rig::new().await;
    let token = rig.token().await;
    let queue = &rig.ready.queue_id;
    let conversations = "/api/v2/webmessaging/conversations";
    let made = rig.post(conversations, json!({})).bearer(&token).send().await.ok(200);
    let (id, guest_id) = (made["conversationId"].as_str().unwrap(), &made["guestId"]);
    let routing = json!({ "queue": { "id": queue }, "skill": { "id": "x" }, "language": "en" });
    let guest = json!({ "name": "Ada", "attributes": { "a": "b" }, "routing": routing });
    let made = rig.post("/api/v2/guests", guest.clone()).bearer(&token).send().await.ok(201);
    let managed = uuid::Uuid::new_v4().to_string();
    let calls = [
        (Method::POST, conversations.to_owned(), json!({ "a": 1 })),
        (Method::POST, format!("{conversations}/{id}/messages"), json!({ "text": "x", "sessionToken": "y" })),
        (
            Method::POST,
            format!("{conversations}/{id}/messages"),
            json!({ "text": "x", "type": "text", "conversationId": id, "guestId": guest_id }),
        ),
        (
            Method::POST,
            format!("{conversations}/{id}/guest-token"),
            json!({ "conversationId": id, "guestId": guest_id }),
        ),
        (
            Method::POST,
            "/api/v2/conversations/messaging/external/contacts/c/messages".to_owned(),
            json!({ "to": "a", "text": "b", "expires_in": 5 }),
        ),
        (
            Method::POST,
            "/api/v2/externalcontacts/contacts".to_owned(),
            json!({ "type": "webchat", "address": "guest-1", "externalContactId": "1",
                "customAttributes": { "guestToken": "eyJhIjoxfQ.eyJhIjoxfQ.eyJhIjoxfQ" } }),
        ),
        (
            Method::POST,
            "/api/v2/conversations/messaging".to_owned(),
            json!({ "contactId": "guest-1", "routingData": { "queueId": queue, "skillRequirements": [] },
                "customAttributes": { "sessionToken": "a.b.c", "routingTarget": queue } }),
        ),
        (
            Method::POST,
            "/api/v2/conversations/messaging".to_owned(),
            json!({ "id": managed, "from": { "id": "g", "name": "n", "type": "user" },
                "to": [{ "id": queue, "type": "queue" }], "type": "messaging", "channelAddress": "web",
                "context": { "locale": "en", "capabilities": ["typing-indicator", "read-receipts"], "userAgent": "u" },
                "metadata": { "sessionDurationLimit": 60, "guestIdToken": "t", "initiatedAt": "2026-01-06T13:26:15Z" } }),
        ),
        (
            Method::PATCH,
            format!("/api/v2/conversations/messaging/{managed}"),
            json!({ "status": "x", "context": { "lastActivityTimestamp": "2026-01-06T13:26:15Z", "heartbeatSequence": 1 } }),
        ),
        (
            Method::PUT,
            format!("/api/v2/guests/{}", made["id"].as_str().unwrap()),
            json!({ "attributes": { "c": "d" } }),
        ),
        (Method::POST, "/api/v2/guests".to_owned(), guest),
        (Method::POST, BROKER.to_owned(), json!({})),
        (Method::POST, "/crm".to_owned(), json!({ "a": "b" })),
    ];
    let junk = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("ä".repeat(3000)),
        json!([]),
        json!([[{}], null, 1]),
        json!({}),
        json!({ "id": { "id": [] } }),
    ];
    let mut k = 0;
    for (method, path, body) in calls {
        let mut bodies: Vec<Vec<u8>> =
            ["", "{", "null", "[]", "7", "\u{feff}{}"].map(|t| t.as_bytes().to_vec()).to_vec();
        bodies.push(vec![0xff, 0xfe]);
        bodies.push("[".repeat(5000).into_bytes());
        let mut members = Vec::new();
        paths(&body, "", &mut members);
        for path in members {
            bodies.extend(junk.iter().map(|j| with(&body, &path, j.clone()).to_string().into_bytes()));
        }
        for body in bodies {
            k += 1;
            // No limit on a rate shall hide what lies behind it.
            rig.clock.advance(Duration::from_millis(301));
            let shown = String::from_utf8_lossy(&body).chars().take(300).collect::<String>();
            let call = rig.http.request(method.clone(), format!("{}{path}", rig.ready.api)).bearer_auth(&token);
            let call = call.header("content-type", "application/json").header("idempotency-key", k.to_string());
            let answer = read(call.body(body).send().await.unwrap()).await;
            match answer.status {
                200 | 201 | 202 | 204 => {}
                400 | 401 | 403 | 404 | 409 | 413 => {
                    assert_eq!(answer.body["status"], answer.status, "{method} {path} {shown}");
                    assert!(!answer.message().is_empty() && !answer.code().is_empty(), "{method} {path} {shown}");
                }
                _ => panic!("{method} {path} {shown}: {answer:?}"),
            }
        }
    }
    assert!(k > 500, "{k}");
    assert!(rig.clock.now().mono.0 < 900_000_000, "the token lived all the time");
}

/// An HTTP connection that is kept.
async fn kept(rig: &Rig) -> TcpStream {
    let mut stream = TcpStream::connect(rig.address()).await.unwrap();
    let host = rig.address();
    stream.write_all(format!("GET /nowhere HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 404");
    stream
}

#[tokio::test]
async fn five_hundred_sockets_and_kept_connections_are_served_at_once() {
    #[cfg(unix)]
    {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        if limit.maximum.is_some_and(|hard| hard < 3000) {
            eprintln!("This system allows too few open files for both ends of a thousand connections.");
            return;
        }
    }
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_flows", "commit_millis": 0 }));
    let token = rig.token().await;
    let contacts = format!("/api/v2/conversations/messaging/external/contacts?token={token}");
    let (mut sockets, mut connections) = (Vec::new(), Vec::new());
    for _ in 0..500 {
        let mut socket = Socket::open(&rig, &contacts, &[]).await.unwrap();
        let id = socket.next().await["sessionId"].as_str().unwrap().to_owned();
        sockets.push((socket, id));
        connections.push(kept(&rig).await);
    }
    assert_eq!(rig.sandbox.status().flows.contacts.len(), 500);
    for (socket, id) in &mut sockets {
        let path = format!("/api/v2/conversations/messaging/external/contacts/{id}/messages");
        rig.post(&path, json!({ "to": "agent", "text": id })).bearer(&token).send().await.ok(202);
        assert_eq!(socket.next().await["text"], json!(id));
    }
    assert_eq!(rig.sandbox.status().connections.len(), 500);
}
