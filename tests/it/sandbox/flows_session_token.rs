//! Conversations over REST with a session token.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sessionscope::model::Clock;

use super::client::Rig;
use super::flows::{Answer, claims, wants_a_live_bearer, with, without_each};

const CONVERSATIONS: &str = "/api/v2/webmessaging/conversations";
const DEAD: &str = "Session token is invalid or expired";

/// A conversation, with the client's token.
struct Talk<'a> {
    rig: &'a Rig,
    bearer: String,
    id: String,
    guest: String,
    token: String,
}

impl<'a> Talk<'a> {
    async fn new(rig: &'a Rig) -> Self {
        let bearer = rig.token().await;
        let body = rig.post(CONVERSATIONS, json!({})).bearer(&bearer).send().await.ok(200);
        let member = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("{name}: {body}")).to_owned();
        Self { rig, bearer, id: member("conversationId"), guest: member("guestId"), token: member("sessionToken") }
    }

    fn path(&self, rest: &str) -> String {
        format!("{CONVERSATIONS}/{}/{rest}", self.id)
    }

    fn forms(&self) -> [(&'static str, Value); 4] {
        [
            ("session_token", json!({ "text": "hello", "sessionToken": self.token })),
            ("bearer", json!({ "text": "hello", "type": "text" })),
            ("bearer_guest", json!({ "text": "hello", "type": "text", "guestId": self.guest })),
            (
                "bearer_ids",
                json!({ "text": "hello", "type": "text", "guestId": self.guest, "conversationId": self.id }),
            ),
        ]
    }

    /// Sends as a form demands: only the first one goes without a bearer.
    async fn send(&self, body: Value) -> Answer {
        let call = self.rig.post(&self.path("messages"), body.clone());
        match body.get("sessionToken") {
            Some(_) => call.send().await,
            None => call.bearer(&self.bearer).send().await,
        }
    }

    async fn refresh(&self) -> Answer {
        let path = self.path(&format!("guests/{}/refresh", self.guest));
        self.rig.call(Method::POST, &path, None).bearer(&self.bearer).send().await
    }
}

#[tokio::test]
async fn a_conversation_has_a_token_of_fifteen_minutes() {
    let rig = Rig::new().await;
    let talk = Talk::new(&rig).await;
    let now = rig.clock.now().wall.as_secs();
    let told = claims(&talk.token);
    assert_eq!(
        (&told["sub"], &told["conversationId"], &told["iat"], &told["exp"], &told["ExpiresIn"]),
        (&json!(talk.guest), &json!(talk.id), &json!(now), &json!(now + 900), &json!(900))
    );
    assert!(uuid::Uuid::try_parse(&talk.id).is_ok() && uuid::Uuid::try_parse(&talk.guest).is_ok());
    let empty = rig.call(Method::POST, CONVERSATIONS, None).bearer(&talk.bearer).send().await;
    assert_eq!(empty.status, 200, "an empty body will do");
    let list = rig.post(CONVERSATIONS, json!([])).bearer(&talk.bearer).send().await;
    list.is(400, "bad.request", "The body is not a JSON object");
    let status = rig.sandbox.status();
    let told = &status.flows.conversations[0];
    assert_eq!(
        (told.flow.as_str(), &told.id, &told.guest, told.state.as_str()),
        ("session-token", &talk.id, &talk.guest, "live")
    );
    assert!(!serde_json::to_string(&status).unwrap().contains(&talk.token), "the status never tells a token");
    assert_eq!(rig.sandbox.find(&talk.token).unwrap(), "session-token-2");
    assert_eq!(told.token.as_deref(), Some("session-token-2"));
}

#[tokio::test]
async fn every_call_wants_a_live_bearer_with_the_scope() {
    let rig = Rig::new().await;
    let talk = Talk::new(&rig).await;
    let paths = [
        CONVERSATIONS.to_owned(),
        talk.path("messages"),
        talk.path("guest-token"),
        talk.path(&format!("guests/{}/refresh", talk.guest)),
    ];
    for path in &paths {
        wants_a_live_bearer(&rig, Method::POST, path).await;
        for (scope, token) in without_each(&rig, &["webmessaging:conversation:write"]).await {
            let refused = rig.post(path, json!({})).bearer(&token).send().await;
            refused.is(403, "not.authorized", &format!("Missing required scope: {scope}"));
        }
    }
}

#[tokio::test]
async fn all_disputed_forms_send() {
    let rig = Rig::new().await;
    let talk = Talk::new(&rig).await;
    for (form, body) in talk.forms() {
        let sent = talk.send(body).await.ok(200);
        assert_eq!(
            (&sent["conversationId"], &sent["timestamp"]),
            (&json!(talk.id), &json!("2026-01-06T13:26:15.174Z")),
            "{form}"
        );
        assert!(uuid::Uuid::try_parse(sent["id"].as_str().unwrap()).is_ok());
    }
    assert_eq!(rig.sandbox.status().flows.conversations[0].count, 4);
}

#[tokio::test]
async fn one_form_only_is_taken_where_that_is_ordered() {
    let rig = Rig::new().await;
    let talk = Talk::new(&rig).await;
    for (only, _) in talk.forms() {
        rig.order(json!({ "do": "set_flows", "send_form": only }));
        for (form, body) in talk.forms() {
            let answer = talk.send(body).await;
            match form {
                form if form == only => assert_eq!(answer.status, 200, "{form}"),
                "session_token" => {
                    answer.names("sessionToken");
                }
                _ => {
                    answer.is(401, "session.token.invalid", DEAD);
                }
            }
        }
    }
    rig.order(json!({ "do": "set_flows", "send_form": "a" }));
    assert_eq!(talk.send(talk.forms()[0].1.clone()).await.status, 200, "by its letter, too");
}

#[tokio::test]
async fn a_message_has_a_text_of_limited_size_and_a_content_type() {
    let rig = Rig::new().await;
    let talk = Talk::new(&rig).await;
    for (_, body) in talk.forms() {
        for text in [Value::Null, json!(""), json!("  "), json!(7)] {
            talk.send(with(&body, "text", text)).await.names("text");
        }
        assert_eq!(talk.send(with(&body, "text", json!("ä".repeat(2048)))).await.status, 200);
        let long = talk.send(with(&body, "text", json!("x".repeat(4097)))).await;
        assert_eq!(long.names("text").message(), "text: 4097 bytes are more than 4096");
    }
    talk.send(json!({ "text": "x" })).await.names("type");
    talk.send(json!({ "text": "x", "type": "image" })).await.names("type");
    for kind in ["text/plain", "application/json; charset=utf-8"] {
        let call = rig.http.post(format!("{}{}", rig.ready.api, talk.path("messages")));
        let body = talk.forms()[0].1.to_string();
        let answer = call.header("content-type", kind).body(body).send().await.unwrap();
        assert_eq!(super::flows::read(answer).await.status, 415, "{kind}");
    }
}

#[tokio::test]
async fn ids_and_tokens_of_other_conversations_are_refused() {
    let rig = Rig::new().await;
    let (talk, other) = (Talk::new(&rig).await, Talk::new(&rig).await);
    let refused = async |body: Value| {
        talk.send(body).await.is(401, "session.token.invalid", DEAD);
    };
    refused(json!({ "text": "x", "sessionToken": other.token })).await;
    refused(json!({ "text": "x", "sessionToken": "guess" })).await;
    refused(json!({ "text": "x", "sessionToken": 7 })).await;
    refused(json!({ "text": "x", "type": "text", "guestId": other.guest })).await;
    refused(json!({ "text": "x", "type": "text", "guestId": talk.guest, "conversationId": other.id })).await;
    refused(json!({ "text": "x", "type": "text", "guestId": other.guest, "conversationId": talk.id })).await;
    refused(json!({ "text": "x", "type": "text", "conversationId": talk.id })).await;
    let unknown = format!("{CONVERSATIONS}/{}/messages", uuid::Uuid::new_v4());
    for (_, body) in talk.forms() {
        let stale = rig.post(&unknown, body).bearer(&talk.bearer).send().await;
        stale.is(401, "session.token.invalid", DEAD);
    }
}

#[tokio::test]
async fn a_session_token_as_the_bearer_is_a_mistake_of_its_own() {
    let rig = Rig::new().await;
    let talk = Talk::new(&rig).await;
    for path in [talk.path("messages"), talk.path("guest-token"), CONVERSATIONS.to_owned()] {
        for (_, body) in talk.forms() {
            let answer = rig.post(&path, body).bearer(&talk.token).send().await;
            assert_eq!((answer.status, answer.code()), (400, "bad.request"));
            assert!(answer.message().contains("session token is not a bearer token"), "{answer:?}");
        }
    }
    rig.order(json!({ "do": "expire_token", "token": "session-token" }));
    let dead = rig.post(&talk.path("messages"), talk.forms()[1].1.clone()).bearer(&talk.token).send().await;
    assert_eq!(dead.status, 400, "dead or alive");
}

#[tokio::test]
async fn the_token_dies_in_time_and_by_order() {
    let rig = Rig::new().await;
    let talk = Talk::new(&rig).await;
    rig.clock.advance(Duration::from_secs(898));
    assert_eq!(talk.send(talk.forms()[0].1.clone()).await.status, 200);
    let fresh = rig.token().await;
    rig.clock.advance(Duration::from_secs(2));
    for (form, body) in talk.forms() {
        let call = rig.post(&talk.path("messages"), body);
        let call = if form == "session_token" { call } else { call.bearer(&fresh) };
        call.send().await.is(401, "session.token.invalid", DEAD);
    }
    assert_eq!(rig.sandbox.status().flows.conversations[0].state, "expired");

    let talk = Talk::new(&rig).await;
    let id = rig.sandbox.find(&talk.token).unwrap();
    rig.order(json!({ "do": "expire_token", "token": id }));
    talk.send(talk.forms()[0].1.clone()).await.is(401, "session.token.invalid", DEAD);
    rig.order(json!({ "do": "set_lifetimes", "session_token_secs": 7 }));
    let talk = Talk::new(&rig).await;
    assert_eq!(claims(&talk.token)["ExpiresIn"], 7);
    rig.clock.advance(Duration::from_secs(7));
    talk.send(talk.forms()[0].1.clone()).await.is(401, "session.token.invalid", DEAD);
}

#[tokio::test]
async fn both_forms_of_a_refresh_replace_the_token() {
    let rig = Rig::new().await;
    let mut talk = Talk::new(&rig).await;
    let first = talk.forms();
    rig.order(json!({ "do": "expire_token", "token": "session-token" }));
    let body = talk.refresh().await.ok(200);
    assert_eq!(
        (&body["guestId"], &body["conversationId"], &body["expiresIn"]),
        (&json!(talk.guest), &json!(talk.id), &json!(900))
    );
    talk.token = body["sessionToken"].as_str().unwrap().to_owned();
    talk.send(first[0].1.clone()).await.is(401, "session.token.invalid", DEAD);
    for (_, body) in talk.forms() {
        assert_eq!(talk.send(body).await.status, 200);
    }
    let both = json!({ "conversationId": talk.id, "guestId": talk.guest });
    let again = rig.post(&talk.path("guest-token"), both.clone()).bearer(&talk.bearer).send().await.ok(200);
    talk.send(talk.forms()[0].1.clone()).await.is(401, "session.token.invalid", DEAD);
    talk.token = again["sessionToken"].as_str().unwrap().to_owned();
    assert_eq!(talk.send(talk.forms()[0].1.clone()).await.status, 200);
    rig.order(json!({ "do": "expire_token", "token": "session-token", "in_seconds": 60 }));
    talk.send(first[0].1.clone()).await.is(401, "session.token.invalid", DEAD);

    let ask = async |body: Value| rig.post(&talk.path("guest-token"), body).bearer(&talk.bearer).send().await;
    ask(with(&both, "guestId", Value::Null)).await.names("guestId");
    ask(with(&both, "conversationId", Value::Null)).await.names("conversationId");
    ask(with(&both, "guestId", json!("other"))).await.is(401, "session.token.invalid", DEAD);
    ask(with(&both, "conversationId", json!("other"))).await.is(401, "session.token.invalid", DEAD);
    let foreign = talk.path("guests/other/refresh");
    rig.call(Method::POST, &foreign, None).bearer(&talk.bearer).send().await.is(401, "session.token.invalid", DEAD);
    let unknown = format!("{CONVERSATIONS}/other/guests/{}/refresh", talk.guest);
    rig.call(Method::POST, &unknown, None).bearer(&talk.bearer).send().await.is(401, "session.token.invalid", DEAD);
}

#[tokio::test]
async fn a_token_is_refused_early_where_that_is_ordered() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "refuse_session_tokens_after", "seconds": 30 }));
    let talk = Talk::new(&rig).await;
    rig.clock.advance(Duration::from_secs(29));
    assert_eq!(talk.send(talk.forms()[0].1.clone()).await.status, 200);
    rig.clock.advance(Duration::from_secs(1));
    for (_, body) in talk.forms() {
        talk.send(body).await.is(401, "session.token.invalid", DEAD);
    }
    assert!(claims(&talk.token)["exp"].as_i64().unwrap() > rig.clock.now().wall.as_secs(), "it says that it lives");
    let fresh = talk.refresh().await.ok(200)["sessionToken"].clone();
    assert_eq!(talk.send(json!({ "text": "x", "sessionToken": fresh })).await.status, 200);
    rig.clock.advance(Duration::from_secs(31));
    rig.order(json!({ "do": "refuse_session_tokens_after", "seconds": 0 }));
    assert_eq!(talk.send(json!({ "text": "x", "sessionToken": fresh })).await.status, 200);
}

#[tokio::test]
async fn the_id_is_spelt_in_two_ways_and_a_guest_token_may_come() {
    let rig = Rig::new().await;
    let token = rig.token().await;
    let create = async || rig.post(CONVERSATIONS, json!({})).bearer(&token).send().await.ok(200);
    rig.order(json!({ "do": "spell_conversations_id", "on": true }));
    rig.order(json!({ "do": "set_flows", "give_guest_token": true }));
    let body = create().await;
    assert!(body["conversationsId"].is_string() && body.get("conversationId").is_none());
    assert!(body["guestToken"].is_string());
    rig.order(json!({ "do": "spell_conversations_id", "on": false }));
    rig.order(json!({ "do": "set_flows", "give_guest_token": false }));
    let body = create().await;
    assert!(body["conversationId"].is_string() && body.get("conversationsId").is_none());
    assert!(body.get("guestToken").is_none());
}

#[tokio::test]
async fn a_refresh_can_be_made_to_answer_401_itself() {
    let rig = Rig::new().await;
    let talk = Talk::new(&rig).await;
    rig.order(json!({ "do": "refuse_requests", "count": 2, "status": 401, "path": "/refresh", "text": "no" }));
    rig.order(json!({ "do": "refuse_requests", "count": 1, "status": 401, "path": "/guest-token" }));
    for _ in 0..2 {
        assert_eq!(talk.send(talk.forms()[0].1.clone()).await.status, 200, "other paths go on");
        talk.refresh().await.is(401, "bad.credentials", "no");
    }
    let both = json!({ "conversationId": talk.id, "guestId": talk.guest });
    let other = rig.post(&talk.path("guest-token"), both).bearer(&talk.bearer).send().await;
    other.is(401, "bad.credentials", "Refused by order");
    assert_eq!(talk.refresh().await.status, 200);
}

#[tokio::test]
async fn a_wrong_clock_shows_in_times_and_claims() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "clock_skew", "seconds": 3600 }));
    let talk = Talk::new(&rig).await;
    assert_eq!(claims(&talk.token)["iat"], rig.clock.now().wall.as_secs() + 3600);
    let sent = talk.send(talk.forms()[0].1.clone()).await;
    assert_eq!(sent.headers["date"], "Tue, 06 Jan 2026 14:26:15 GMT");
    assert_eq!(sent.ok(200)["timestamp"], "2026-01-06T14:26:15.174Z");
}
