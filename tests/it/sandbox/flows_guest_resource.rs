//! Guests as resources, and their socket with a handshake.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sessionscope::model::Clock;

use super::client::Rig;
use super::flows::{Answer, Socket, claims, wants_a_live_bearer, with, without_each};

const GUESTS: &str = "/api/v2/guests";

fn body(rig: &Rig) -> Value {
    json!({
        "name": "Ada", "attributes": { "plan": "gold" },
        "routing": { "queue": { "id": rig.ready.queue_id }, "skill": { "id": "billing" }, "language": "en-US" },
    })
}

struct Guest {
    id: String,
    session: String,
    token: String,
}

impl Guest {
    async fn new(rig: &Rig, bearer: &str) -> Self {
        let made = rig.post(GUESTS, body(rig)).bearer(bearer).send().await.ok(201);
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        Self { id: text(&made["id"]), session: text(&made["sessions"][0]["id"]), token: text(&made["guestToken"]) }
    }

    async fn open(&self, rig: &Rig) -> Socket {
        Socket::open(rig, &format!("{GUESTS}/{}/sessions/{}/ws", self.id, self.session), &[]).await.unwrap()
    }

    /// A socket whose handshake was good.
    async fn shaken(&self, rig: &Rig) -> Socket {
        let mut socket = self.open(rig).await;
        socket.send(json!({ "type": "handshake", "token": self.token })).await;
        assert_eq!(
            socket.next().await,
            json!({ "type": "connected", "payload": { "sessionId": self.session, "guestId": self.id } })
        );
        socket
    }
}

/// An attribute so long that all of them have this size as JSON without spaces.
fn attributes_of(size: usize) -> Value {
    let empty = json!({ "x": "" }).to_string().len();
    let value = json!({ "x": "y".repeat(size - empty) });
    assert_eq!(value.to_string().len(), size);
    value
}

async fn put(rig: &Rig, bearer: &str, id: &str, attributes: Value) -> Answer {
    let body = json!({ "attributes": attributes });
    rig.call(Method::PUT, &format!("{GUESTS}/{id}"), Some(body)).bearer(bearer).send().await
}

#[tokio::test]
async fn a_guest_has_a_token_with_hints_and_attributes() {
    let rig = Rig::new().await;
    let bearer = rig.token().await;
    let made = rig.post(GUESTS, body(&rig)).bearer(&bearer).send().await.ok(201);
    assert_eq!(made["attributes"], json!({ "plan": "gold" }));
    assert_eq!(made["sessions"].as_array().unwrap().len(), 1);
    let token = made["guestToken"].as_str().unwrap();
    let now = rig.clock.now().wall.as_secs();
    let told = claims(token);
    assert_eq!((&told["sub"], &told["iat"], &told["exp"]), (&made["id"], &json!(now), &json!(now + 1800)));
    assert_eq!(told["routing_hints"], json!({ "queue": rig.ready.queue_id, "skill": "billing", "language": "en-US" }));
    assert_eq!(told["attributes"], json!({ "plan": "gold" }));
    let status = rig.sandbox.status();
    let guest = &status.flows.guests[0];
    assert_eq!(
        (guest.id.as_str(), guest.name.as_str(), &guest.attributes[..]),
        ("g1", "Ada", &["plan".to_owned()][..])
    );
    assert_eq!(status.tokens[1].session.as_deref(), Some("g1"));
    assert!(!serde_json::to_string(&status).unwrap().contains(token));
    rig.order(json!({ "do": "set_lifetimes", "guest_token_secs": 60 }));
    let made = rig.post(GUESTS, body(&rig)).bearer(&bearer).send().await.ok(201);
    assert_eq!(claims(made["guestToken"].as_str().unwrap())["exp"], now + 60);
}

#[tokio::test]
async fn every_call_wants_a_live_bearer_with_its_scopes() {
    let rig = Rig::new().await;
    let guest = Guest::new(&rig, &rig.token().await).await;
    wants_a_live_bearer(&rig, Method::POST, GUESTS).await;
    wants_a_live_bearer(&rig, Method::PUT, &format!("{GUESTS}/{}", guest.id)).await;
    for (scope, token) in without_each(&rig, &["guest:create"]).await {
        let refused = rig.post(GUESTS, body(&rig)).bearer(&token).send().await;
        refused.is(403, "not.authorized", &format!("Missing required scope: {scope}"));
    }
    for (scope, token) in without_each(&rig, &["guest:read", "user:read"]).await {
        let refused = put(&rig, &token, &guest.id, json!({})).await;
        refused.is(403, "not.authorized", &format!("Missing required scope: {scope}"));
    }
    let own = rig.post(GUESTS, body(&rig)).bearer(&guest.token).send().await;
    own.is(403, "not.authorized", "A guest's token may not do this");
}

#[tokio::test]
async fn every_field_of_a_new_guest_is_checked() {
    let rig = Rig::new().await;
    let bearer = rig.token().await;
    let create = async |body: Value| rig.post(GUESTS, body).bearer(&bearer).send().await;
    for (field, wrong) in [
        ("name", vec![Value::Null, json!(""), json!(" "), json!(7)]),
        ("attributes", vec![Value::Null, json!("x"), json!([]), attributes_of(10_241)]),
        ("routing.queue.id", vec![Value::Null, json!(""), json!(7)]),
        ("routing.skill.id", vec![Value::Null, json!("")]),
        ("routing.language", vec![Value::Null, json!("")]),
    ] {
        for value in wrong {
            create(with(&body(&rig), field, value)).await.names(field);
        }
    }
    assert_eq!(create(with(&body(&rig), "attributes", attributes_of(10_240))).await.status, 201, "at the limit");
    let large = create(with(&body(&rig), "attributes", attributes_of(10_241))).await;
    assert_eq!(large.message(), "attributes: 10241 bytes are more than 10240");
    let unknown = create(with(&body(&rig), "routing.queue.id", json!("queue-9"))).await;
    unknown.is(404, "not.found", "routing.queue.id: queue “queue-9” not found");
    let both = create(with(&with(&body(&rig), "name", Value::Null), "routing.language", Value::Null)).await;
    assert_eq!(both.body["details"].as_array().unwrap().len(), 2, "all faults are told");
}

#[tokio::test]
async fn a_good_handshake_opens_the_conversation() {
    let rig = Rig::with(Default::default()).await;
    let guest = Guest::new(&rig, &rig.token().await).await;
    let mut socket = guest.shaken(&rig).await;
    assert_eq!(socket.next().await, json!({ "type": "typing", "payload": { "from": "agent" } }));
    let hello = socket.next().await;
    assert_eq!((&hello["type"], &hello["payload"]["from"]), (&json!("message"), &json!("agent")));
    socket.send(json!({ "type": "message", "payload": { "id": "mine-1", "text": "hello" } })).await;
    let echo = socket.next().await;
    let payload = &echo["payload"];
    assert_eq!(
        (&payload["from"], &payload["text"], &payload["clientId"], &payload["timestamp"]),
        (&json!("guest"), &json!("hello"), &json!("mine-1"), &json!("2026-01-06T13:26:15.174Z"))
    );
    assert_ne!(payload["id"], "mine-1", "the server has ids of its own");
    assert_eq!(socket.next().await["type"], "typing");
    let answer = socket.next().await;
    assert_eq!((&answer["payload"]["from"], &answer["payload"]["text"]), (&json!("agent"), &json!("You said: hello")));
    socket.send(json!({ "type": "message", "payload": { "text": "attributes" } })).await;
    assert!(socket.next().await["payload"].get("clientId").is_none());
    socket.next().await;
    assert_eq!(socket.next().await["payload"]["text"], r#"Attributes: {"plan":"gold"}"#);
    assert_eq!(rig.sandbox.status().flows.guests[0].messages, 5);
    assert_eq!(rig.sandbox.status().connections[0].session.as_deref(), Some("g1"));
}

#[tokio::test]
async fn a_second_socket_of_the_session_is_not_greeted_again() {
    let rig = Rig::with(Default::default()).await;
    let guest = Guest::new(&rig, &rig.token().await).await;
    let mut first = guest.shaken(&rig).await;
    first.next().await;
    first.next().await;
    drop(first);
    let mut second = guest.shaken(&rig).await;
    second.send(json!({ "type": "message", "payload": { "text": "back again" } })).await;
    assert_eq!(second.next().await["payload"]["text"], "back again");
}

#[tokio::test]
async fn a_bad_handshake_ends_without_a_close_frame() {
    let rig = Rig::new().await;
    let bearer = rig.token().await;
    let (guest, other) = (Guest::new(&rig, &bearer).await, Guest::new(&rig, &bearer).await);
    let handshake = |token: &str| json!({ "type": "handshake", "token": token });
    for first in [
        handshake("guess"),
        handshake(&other.token),
        handshake(&bearer),
        json!({ "type": "handshake" }),
        json!({ "type": "message", "payload": { "text": "too soon" } }),
        json!([]),
    ] {
        let mut socket = guest.open(&rig).await;
        socket.send(first).await;
        socket.dropped().await;
    }
    let mut socket = guest.open(&rig).await;
    socket.send_text("not json").await;
    socket.dropped().await;
    rig.clock.advance(Duration::from_secs(1800));
    let mut socket = guest.open(&rig).await;
    socket.send(handshake(&guest.token)).await;
    socket.dropped().await;
    let lacking = without_each(&rig, &["webchat:send"]).await.remove(0).1;
    let mute = Guest::new(&rig, &lacking).await;
    let mut socket = mute.open(&rig).await;
    socket.send(handshake(&mute.token)).await;
    socket.dropped().await;
    assert!(rig.sandbox.status().flows.guests.iter().all(|g| g.connections.is_empty()));
}

#[tokio::test]
async fn a_handshake_must_come_in_time() {
    let rig = Rig::new().await;
    let guest = Guest::new(&rig, &rig.token().await).await;
    let mut late = guest.open(&rig).await;
    let mut shaken = guest.shaken(&rig).await;
    while rig.sandbox.status().connections.len() < 2 {
        tokio::task::yield_now().await;
    }
    rig.clock.advance(Duration::from_millis(9_999));
    let mut soon = guest.open(&rig).await;
    rig.clock.advance(Duration::from_millis(1));
    late.dropped().await;
    soon.send(json!({ "type": "handshake", "token": guest.token })).await;
    assert_eq!(soon.next().await["type"], "connected");
    shaken.send(json!({ "type": "message", "payload": { "text": "x" } })).await;
    assert_eq!(shaken.next().await["payload"]["text"], "x", "who has shaken hands stays");
    rig.order(json!({ "do": "set_lifetimes", "handshake_secs": 2 }));
    let mut late = guest.open(&rig).await;
    while rig.sandbox.status().connections.len() < 3 {
        tokio::task::yield_now().await;
    }
    rig.clock.advance(Duration::from_secs(2));
    late.dropped().await;
}

#[tokio::test]
async fn unknown_guests_and_sessions_open_nothing() {
    let rig = Rig::new().await;
    let guest = Guest::new(&rig, &rig.token().await).await;
    for path in
        [format!("{GUESTS}/{}/sessions/other/ws", guest.id), format!("{GUESTS}/other/sessions/{}/ws", guest.session)]
    {
        assert_eq!(Socket::refused(&rig, &path, &[]).await, 404, "{path}");
    }
    rig.order(json!({ "do": "refuse_upgrades", "count": 1, "status": 502 }));
    let path = format!("{GUESTS}/{}/sessions/{}/ws", guest.id, guest.session);
    assert_eq!(Socket::refused(&rig, &path, &[]).await, 502);
}

#[tokio::test]
async fn what_is_no_message_is_answered_by_an_error() {
    let rig = Rig::new().await;
    let guest = Guest::new(&rig, &rig.token().await).await;
    let mut socket = guest.shaken(&rig).await;
    for (frame, part) in [
        (json!({ "type": "dance" }), "dance"),
        (json!({ "type": "handshake", "token": guest.token }), "handshake"),
        (json!({ "payload": {} }), "type"),
        (json!([]), "type"),
        (json!({ "type": "message" }), "payload.text"),
        (json!({ "type": "message", "payload": { "text": "" } }), "payload.text"),
        (json!({ "type": "message", "payload": { "text": 7 } }), "payload.text"),
    ] {
        socket.send(frame.clone()).await;
        let error = socket.next().await;
        assert_eq!((&error["type"], &error["payload"]["code"]), (&json!("error"), &json!(400)), "{frame}: {error}");
        assert!(error["payload"]["message"].as_str().unwrap().contains(part), "{frame}: {error}");
    }
    socket.send(json!({ "type": "typing", "payload": {} })).await;
    socket.send(json!({ "type": "message", "payload": { "text": "still here" } })).await;
    assert_eq!(socket.next().await["payload"]["text"], "still here");
}

#[tokio::test]
async fn tokens_come_with_the_flaw_that_was_ordered() {
    let rig = Rig::new().await;
    let bearer = rig.token().await;
    let made = async |flaw: &str| {
        rig.order(json!({ "do": "set_flows", "guest_token_flaw": flaw }));
        Guest::new(&rig, &bearer).await
    };
    assert_eq!(made("two_parts").await.token.split('.').count(), 2);
    assert!(claims(&made("no_exp").await.token).get("exp").is_none());
    assert!(claims(&made("no_hints").await.token).get("routing_hints").is_none());
    assert_eq!(claims(&made("empty_hints").await.token)["routing_hints"], json!({}));
    let expired = made("expired").await;
    assert!(claims(&expired.token)["exp"].as_i64().unwrap() < rig.clock.now().wall.as_secs());
    let mut socket = expired.open(&rig).await;
    socket.send(json!({ "type": "handshake", "token": expired.token })).await;
    socket.dropped().await;
    made("none").await.shaken(&rig).await;
}

#[tokio::test]
async fn attributes_are_merged_up_to_their_limit() {
    let rig = Rig::new().await;
    let bearer = rig.token().await;
    let guest = Guest::new(&rig, &bearer).await;
    let merged = put(&rig, &bearer, &guest.id, json!({ "external_email": "a@b.example" })).await.ok(200);
    let all = json!({ "plan": "gold", "external_email": "a@b.example" });
    assert_eq!(merged, json!({ "id": guest.id, "attributes": all }));
    let changed = put(&rig, &bearer, &guest.id, json!({ "plan": "silver" })).await.ok(200);
    assert_eq!(changed["attributes"]["plan"], "silver");
    let frame = json!({ "external_email": "a@b.example", "plan": "silver", "z": "" }).to_string().len();
    let fill = |n: usize| json!({ "z": "y".repeat(n - frame) });
    let large = put(&rig, &bearer, &guest.id, fill(10_241)).await;
    assert_eq!(large.names("attributes").message(), "attributes: 10241 bytes are more than 10240");
    assert_eq!(put(&rig, &bearer, &guest.id, fill(10_240)).await.status, 200);
    put(&rig, &bearer, &guest.id, json!("x")).await.names("attributes");
    put(&rig, &bearer, &guest.id, Value::Null).await.names("attributes");
    put(&rig, &bearer, "other", json!({})).await.is(404, "not.found", "Guest not found");
}

#[tokio::test]
async fn forgotten_guests_are_gone() {
    let rig = Rig::new().await;
    let bearer = rig.token().await;
    let guest = Guest::new(&rig, &bearer).await;
    let mut socket = guest.shaken(&rig).await;
    rig.order(json!({ "do": "forget_guests" }));
    put(&rig, &bearer, &guest.id, json!({})).await.is(404, "not.found", "Guest not found");
    socket.send(json!({ "type": "message", "payload": { "text": "x" } })).await;
    let error = socket.next().await;
    assert_eq!((&error["payload"]["code"], &error["payload"]["message"]), (&json!(404), &json!("Guest not found")));
    let path = format!("{GUESTS}/{}/sessions/{}/ws", guest.id, guest.session);
    assert_eq!(Socket::refused(&rig, &path, &[]).await, 404);
    assert!(rig.sandbox.status().flows.guests.is_empty());
    Guest::new(&rig, &bearer).await.shaken(&rig).await;
}

#[tokio::test]
async fn two_hundred_requests_a_minute_are_enough() {
    let rig = Rig::new().await;
    let bearer = rig.token().await;
    let guest = Guest::new(&rig, &bearer).await;
    for k in 2..=200 {
        if k == 150 {
            rig.clock.advance(Duration::from_secs(40));
            rig.token().await;
        }
        assert_eq!(put(&rig, &bearer, &guest.id, json!({})).await.status, 200, "{k}");
    }
    for call in
        [put(&rig, &bearer, &guest.id, json!({})).await, rig.post(GUESTS, body(&rig)).bearer(&bearer).send().await]
    {
        call.is(429, "too.many.requests", "Rate limit exceeded the maximum [200] requests within [60] seconds");
        assert_eq!(call.headers["retry-after"], "20", "until the oldest is a minute old");
    }
    let other = rig.token().await;
    assert_eq!(put(&rig, &other, &guest.id, json!({})).await.status, 429, "of the client, not of its token");
    rig.clock.advance(Duration::from_secs(20));
    assert_eq!(put(&rig, &bearer, &guest.id, json!({})).await.status, 200);
}

#[tokio::test]
async fn handshakes_are_broken_and_sockets_obey_by_order() {
    let rig = Rig::new().await;
    let bearer = rig.token().await;
    let guest = Guest::new(&rig, &bearer).await;
    rig.order(json!({ "do": "break_handshakes", "count": 1 }));
    let mut broken = guest.open(&rig).await;
    broken.send(json!({ "type": "handshake", "token": guest.token })).await;
    broken.dropped().await;
    let refused = sessionscope::sandbox::Order::parse(r#"{"do":"say","session":"g1","text":"x"}"#).unwrap();
    assert_eq!(rig.sandbox.order(refused).unwrap_err().what, "session: g1 has no open socket");

    let mut socket = guest.shaken(&rig).await;
    rig.order(json!({ "do": "say", "text": "to the newest" }));
    assert_eq!(socket.next().await["payload"]["from"], "agent");
    rig.order(json!({ "do": "typing", "session": "g1" }));
    assert_eq!(socket.next().await, json!({ "type": "typing", "payload": { "from": "agent" } }));
    rig.order(json!({ "do": "duplicate", "count": 1 }));
    rig.order(json!({ "do": "drop_echo", "count": 1 }));
    for text in ["no echo", "echo"] {
        socket.send(json!({ "type": "message", "payload": { "text": text } })).await;
    }
    for _ in 0..2 {
        assert_eq!(socket.next().await["payload"]["text"], "echo");
    }
    rig.order(json!({ "do": "close", "session": "g1", "code": 1000, "reason": "done" }));
    assert_eq!(socket.closed().await, (1000, "done".to_owned()));
    let mut socket = guest.shaken(&rig).await;
    rig.order(json!({ "do": "drop", "session": "g1" }));
    socket.dropped().await;
}
