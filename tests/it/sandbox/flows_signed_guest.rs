//! Guests that sign their own tokens: contacts, conversations, keys, idempotency.

use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};
use sessionscope::model::Clock;
use sessionscope::sandbox::Order;

use super::client::Rig;
use super::flows::{Answer, wants_a_live_bearer, with, without_each};

const CONTACTS: &str = "/api/v2/externalcontacts/contacts";
const CONVERSATIONS: &str = "/api/v2/conversations/messaging";

const SMALL: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDRVHjx4EXNdjUSnhsY2sXr/WRE
aRfVtQPJrov8GwH66RNPemBu1i2QpWXugbGRvjzs6ekq8b1CA+JKs+7Co6NxjuOF
0qggKven5+AQSvhbuc5GjF4w5OvoQ1OcsUik41LT/0d4JBAw4Ypu9KvJ7DSC9IV6
ekFueKo92MMx45oV4QIDAQAB
-----END PUBLIC KEY-----
";

const ELLIPTIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEm5Vu7FZts0PevY3toqltyIInAMLP
7eW18OzukvYJ7yUquXtuwdkGVnJ7bczCoWEuSeFW8bZeDjQkzM4kgGxvrw==
-----END PUBLIC KEY-----
";

struct Signer {
    kid: &'static str,
    pair: KeyPair,
}

impl Signer {
    fn new(kid: &'static str) -> Self {
        Self { kid, pair: KeyPair::generate(KeySize::Rsa2048).unwrap() }
    }

    fn pem(&self) -> String {
        let der: PublicKeyX509Der = self.pair.public_key().as_der().unwrap();
        let text = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|c| std::str::from_utf8(c).unwrap()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    fn upload(&self, rig: &Rig) {
        rig.order(json!({ "do": "set_guest_key", "kid": self.kid, "public_key": self.pem() }));
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn header(&self) -> Value {
        json!({ "alg": "RS256", "typ": "JWT", "kid": self.kid })
    }

    /// A good token of this guest.
    fn token(&self, rig: &Rig, guest: &str) -> String {
        self.sign(&self.header(), &claims(rig, guest))
    }
}

fn claims(rig: &Rig, guest: &str) -> Value {
    let now = rig.clock.now().wall.as_secs();
    json!({ "guestId": guest, "iat": now, "exp": now + 300, "tier": "gold" })
}

fn contact(token: &str) -> Value {
    json!({
        "type": "webchat", "address": "guest-7", "externalContactId": "7",
        "customAttributes": { "guestToken": token, "plan": "gold" },
    })
}

fn conversation(rig: &Rig, contact: &str, token: &str) -> Value {
    json!({
        "contactId": contact,
        "routingData": { "queueId": rig.ready.queue_id, "skillRequirements": ["billing"] },
        "customAttributes": { "sessionToken": token, "routingTarget": rig.ready.queue_id },
    })
}

/// A sandbox with a key and a client's token.
struct Desk {
    rig: Rig,
    signer: Signer,
    bearer: String,
    keys: std::cell::Cell<u32>,
}

impl Desk {
    async fn new() -> Self {
        let rig = Rig::new().await;
        let signer = Signer::new("key-1");
        signer.upload(&rig);
        let bearer = rig.token().await;
        Self { rig, signer, bearer, keys: std::cell::Cell::new(0) }
    }

    fn token(&self) -> String {
        self.signer.token(&self.rig, "7")
    }

    /// Posts with a key of its own.
    async fn post(&self, path: &str, body: Value) -> Answer {
        self.keys.set(self.keys.get() + 1);
        self.post_as(path, body, &format!("key-{}", self.keys.get())).await
    }

    async fn post_as(&self, path: &str, body: Value, key: &str) -> Answer {
        self.rig.post(path, body).bearer(&self.bearer).key(key).send().await
    }

    async fn contact(&self) -> String {
        let made = self.post(CONTACTS, contact(&self.token())).await.ok(201);
        made["id"].as_str().unwrap().to_owned()
    }

    async fn refused(&self, token: &str) -> String {
        let answer = self.post(CONTACTS, contact(token)).await;
        assert_eq!(answer.code(), "guest.token.invalid", "{answer:?}");
        answer.names("customAttributes.guestToken");
        answer.message().strip_prefix("customAttributes.guestToken: ").unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_queue_is_told_before_anything_is_made() {
    let desk = Desk::new().await;
    let path = format!("/api/v2/routing/queues/{}", desk.rig.ready.queue_id);
    let known = desk.rig.call(Method::GET, &path, None).bearer(&desk.bearer).send().await.ok(200);
    assert_eq!(known["id"], desk.rig.ready.queue_id);
    assert!(known["name"].is_string());
    let unknown = desk.rig.call(Method::GET, "/api/v2/routing/queues/q9", None).bearer(&desk.bearer).send().await;
    unknown.is(404, "not.found", "Queue “q9” not found");
    wants_a_live_bearer(&desk.rig, Method::GET, &path).await;
}

#[tokio::test]
async fn a_signed_guest_becomes_a_contact_and_converses() {
    let desk = Desk::new().await;
    let made = desk.post(CONTACTS, contact(&desk.token())).await.ok(201);
    let id = made["id"].as_str().unwrap();
    assert_eq!(made, json!({ "id": id, "type": "webchat", "address": "guest-7", "externalContactId": "7" }));
    for named in [id, "guest-7"] {
        let queued = desk.post(CONVERSATIONS, conversation(&desk.rig, named, &desk.token())).await.ok(201);
        assert_eq!(
            (&queued["contactId"], &queued["state"], &queued["queueId"]),
            (&json!(id), &json!("queued"), &json!(desk.rig.ready.queue_id)),
            "by id or address"
        );
        assert!(uuid::Uuid::try_parse(queued["id"].as_str().unwrap()).is_ok());
    }
    let status = desk.rig.sandbox.status();
    assert_eq!(status.flows.guest_keys, ["key-1"]);
    assert_eq!((status.flows.contacts[0].id.as_str(), status.flows.contacts[0].flow.as_str()), (id, "signed-guest"));
    assert_eq!(status.flows.conversations.len(), 2);
    let text = serde_json::to_string(&status).unwrap();
    assert!(!text.contains(&desk.token()) && !text.contains("BEGIN"));
}

#[tokio::test]
async fn every_call_wants_a_live_bearer_with_its_scope() {
    let desk = Desk::new().await;
    for path in [CONTACTS, CONVERSATIONS] {
        wants_a_live_bearer(&desk.rig, Method::POST, path).await;
    }
    for (path, scope, body) in [
        (CONTACTS, "externalcontacts:create", json!({})),
        (CONVERSATIONS, "conversations:messaging", json!({ "contactId": "x" })),
    ] {
        for (scope, token) in without_each(&desk.rig, &[scope]).await {
            let refused = desk.rig.post(path, body.clone()).bearer(&token).send().await;
            refused.is(403, "not.authorized", &format!("Missing required scope: {scope}"));
        }
    }
}

#[tokio::test]
async fn every_field_of_a_contact_is_checked() {
    let desk = Desk::new().await;
    let good = contact(&desk.token());
    for (field, wrong) in [
        ("type", vec![Value::Null, json!("email"), json!(7)]),
        ("address", vec![Value::Null, json!("7"), json!("guest-8"), json!("guest-")]),
        ("externalContactId", vec![Value::Null, json!(""), json!(7)]),
        ("customAttributes", vec![Value::Null, json!([]), json!("x")]),
        ("customAttributes.guestToken", vec![Value::Null, json!(""), json!(7)]),
    ] {
        for value in wrong {
            let answer = desk.post(CONTACTS, with(&good, field, value)).await;
            answer.names(field);
            assert_eq!(answer.code(), "invalid.value");
        }
    }
    let padded = |size: usize| {
        let mut body = with(&good, "customAttributes.pad", json!(""));
        let short = body["customAttributes"].to_string().len();
        body["customAttributes"]["pad"] = "y".repeat(size - short).into();
        body
    };
    assert_eq!(desk.post(CONTACTS, padded(10_240)).await.status, 201, "at the limit");
    let large = desk.post(CONTACTS, padded(10_241)).await;
    assert_eq!(large.names("customAttributes").message(), "customAttributes: 10241 bytes are more than 10240");
    assert!(!format!("{large:?}").contains(&desk.token()), "no answer tells a token");
}

#[tokio::test]
async fn every_fault_of_a_signed_token_is_told_apart() {
    let desk = Desk::new().await;
    let (rig, signer) = (&desk.rig, &desk.signer);
    let (header, good) = (signer.header(), claims(rig, "7"));
    let now = rig.clock.now().wall.as_secs();
    let stranger = Signer::new("key-1");
    assert_eq!(desk.refused(&stranger.token(rig, "7")).await, "signature verification failed (kid “key-1”)");
    let mut torn = desk.token();
    torn.truncate(torn.len() - 4);
    assert_eq!(desk.refused(&torn).await, "signature verification failed (kid “key-1”)");
    let token = desk.token();
    let [head, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let forged = URL_SAFE_NO_PAD.encode(with(&good, "tier", json!("platinum")).to_string());
    assert_eq!(
        desk.refused(&format!("{head}.{forged}.{signature}")).await,
        "signature verification failed (kid “key-1”)"
    );
    let sign = |header: &Value, claims: &Value| signer.sign(header, claims);
    for (token, why) in [
        (sign(&with(&header, "kid", json!("key-9")), &good), "unknown kid “key-9”"),
        (sign(&with(&header, "kid", Value::Null), &good), "kid is missing"),
        (sign(&with(&header, "alg", json!("HS256")), &good), "alg must be RS256"),
        (sign(&with(&header, "alg", json!("none")), &good), "alg must be RS256"),
        (sign(&with(&header, "alg", Value::Null), &good), "alg must be RS256"),
        (sign(&header, &with(&good, "exp", json!(now))), "expired 0 s ago"),
        (sign(&header, &with(&good, "exp", json!(now - 100))), "expired 100 s ago"),
        (sign(&header, &with(&good, "exp", Value::Null)), "exp is missing or not a number"),
        (sign(&header, &with(&good, "iat", json!("now"))), "iat is missing or not a number"),
        (sign(&header, &with(&good, "iat", json!(now + 62))), "issued in the future: 62 s, more than 60 s"),
        (sign(&header, &with(&good, "guestId", json!("8"))), "guestId does not match externalContactId"),
        (sign(&header, &with(&good, "guestId", Value::Null)), "guestId is missing"),
        (sign(&header, &json!([])), "its claims part is not a JSON object"),
        ("a.b".to_owned(), "a JWT has three parts, this has 2"),
        ("?.b.c".to_owned(), "its header is not base64url"),
    ] {
        assert_eq!(desk.refused(&token).await, why);
    }
    let ahead = sign(&header, &with(&good, "iat", json!(now + 60)));
    assert_eq!(desk.post(CONTACTS, contact(&ahead)).await.status, 201, "a clock may be a minute ahead");
    rig.order(json!({ "do": "set_lifetimes", "signed_token_leeway_secs": 5 }));
    assert_eq!(desk.refused(&ahead).await, "issued in the future: 60 s, more than 5 s");
}

#[tokio::test]
async fn signed_times_are_judged_by_the_clock_that_the_server_tells() {
    let desk = Desk::new().await;
    desk.rig.order(json!({ "do": "clock_skew", "seconds": 301 }));
    assert_eq!(desk.refused(&desk.token()).await, "expired 1 s ago");
    desk.rig.order(json!({ "do": "clock_skew", "seconds": -120 }));
    assert!(desk.refused(&desk.token()).await.starts_with("issued in the future"));
}

#[tokio::test]
async fn keys_stand_side_by_side_while_they_are_rotated() {
    let desk = Desk::new().await;
    let new = Signer::new("key-2");
    let fresh = new.token(&desk.rig, "7");
    assert_eq!(desk.refused(&fresh).await, "unknown kid “key-2”");
    new.upload(&desk.rig);
    for token in [desk.token(), fresh.clone()] {
        assert_eq!(desk.post(CONTACTS, contact(&token)).await.status, 201);
    }
    assert_eq!(desk.rig.sandbox.status().flows.guest_keys, ["key-1", "key-2"]);
    desk.rig.order(json!({ "do": "remove_guest_key", "kid": "key-1" }));
    assert_eq!(desk.refused(&desk.token()).await, "unknown kid “key-1”");
    assert_eq!(desk.post(CONTACTS, contact(&fresh)).await.status, 201);
}

#[tokio::test]
async fn a_key_that_was_removed_or_replaced_can_be_put_back() {
    let desk = Desk::new().await;
    let back = || Order::SetGuestKey { kid: "key-1".to_owned(), public_key: None };
    let refused = desk.rig.sandbox.order(back()).unwrap_err().what;
    assert_eq!(refused, "public_key: “key-1” had no other key before");
    desk.rig.order(json!({ "do": "remove_guest_key", "kid": "key-1" }));
    desk.rig.sandbox.order(back()).unwrap();
    desk.contact().await;
    Signer::new("key-1").upload(&desk.rig);
    assert!(desk.refused(&desk.token()).await.starts_with("signature verification failed"));
    desk.rig.sandbox.order(back()).unwrap();
    desk.contact().await;
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_for_the_same_key() {
    let desk = Desk::new().await;
    let body = contact(&desk.token());
    desk.rig.order(json!({ "do": "set_flows", "unique_contacts": true }));
    desk.rig.order(json!({
        "do": "refuse_requests", "count": 1, "status": 504, "after": true, "path": "/externalcontacts",
    }));
    assert_eq!(desk.post_as(CONTACTS, body.clone(), "k").await.status, 504);
    desk.post_as(CONTACTS, body.clone(), "k").await.ok(201);
    assert_eq!(desk.post_as(CONTACTS, body, "another").await.status, 409, "it had been carried out");
}

#[tokio::test]
async fn a_key_that_somebody_else_used_is_refused_and_nothing_is_made() {
    let desk = Desk::new().await;
    let body = contact(&desk.token());
    desk.rig.order(json!({ "do": "use_keys", "count": 1 }));
    let answer = desk.post_as(CONTACTS, body.clone(), "k").await;
    assert_eq!((answer.status, answer.code()), (422, "idempotency.key.reused"));
    desk.post_as(CONTACTS, body, "k").await.ok(201);
}

#[tokio::test]
async fn only_large_enough_rsa_keys_are_taken() {
    let rig = Rig::new().await;
    let set = |kid: &str, pem: &str| {
        let order = Order::SetGuestKey { kid: kid.to_owned(), public_key: Some(pem.to_owned()) };
        rig.sandbox.order(order).unwrap_err().what
    };
    assert_eq!(set("k", SMALL), "public_key: 1024 bits are fewer than 2048");
    assert_eq!(set("k", ELLIPTIC), "public_key: it is not an RSA key");
    for text in ["", "nonsense", "-----BEGIN PUBLIC KEY-----\n!!!\n-----END PUBLIC KEY-----\n"] {
        assert_eq!(set("k", text), "public_key: it is not a PEM section “PUBLIC KEY”");
    }
    let private = SMALL.replace("PUBLIC", "PRIVATE");
    assert_eq!(set("k", &private), "public_key: it is not a PEM section “PUBLIC KEY”");
    let empty = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    assert_eq!(set("k", empty), "public_key: it is not an RSA key");
    assert_eq!(set(" ", &Signer::new("x").pem()), "kid: it is empty");
    let order = Order::RemoveGuestKey { kid: "k".to_owned() };
    assert_eq!(rig.sandbox.order(order).unwrap_err().what, "kid: there is no key “k”");
    assert!(rig.sandbox.status().flows.guest_keys.is_empty());
}

#[tokio::test]
async fn every_field_of_a_conversation_is_checked() {
    let desk = Desk::new().await;
    let id = desk.contact().await;
    let good = conversation(&desk.rig, &id, &desk.token());
    for (field, wrong) in [
        ("contactId", vec![json!("other"), json!("guest-8"), json!(""), json!(7)]),
        ("routingData.queueId", vec![Value::Null, json!("")]),
        ("routingData.skillRequirements", vec![Value::Null, json!("billing"), json!({})]),
        ("customAttributes", vec![Value::Null]),
        ("customAttributes.sessionToken", vec![Value::Null, json!("")]),
        ("customAttributes.routingTarget", vec![Value::Null, json!("other")]),
    ] {
        for value in wrong {
            let answer = desk.post(CONVERSATIONS, with(&good, field, value)).await;
            answer.names(field);
        }
    }
    let other = with(&with(&good, "routingData.queueId", json!("q9")), "customAttributes.routingTarget", json!("q9"));
    let refused = desk.post(CONVERSATIONS, other).await;
    refused.is(403, "not.authorized", "routingData.queueId: queue “q9” may not be used by this client");
    let foreign = desk.signer.token(&desk.rig, "8");
    let refused = desk.post(CONVERSATIONS, with(&good, "customAttributes.sessionToken", json!(foreign))).await;
    assert_eq!(refused.code(), "guest.token.invalid");
    assert_eq!(
        refused.names("customAttributes.sessionToken").message(),
        "customAttributes.sessionToken: guestId does not match the contact's externalContactId"
    );
    let neither = desk.post(CONVERSATIONS, with(&good, "contactId", Value::Null)).await;
    assert!(neither.names("from").message().contains("contactId"));
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer_for_a_day() {
    let desk = Desk::new().await;
    let body = contact(&desk.token());
    let missing = desk.rig.post(CONTACTS, body.clone()).bearer(&desk.bearer).send().await;
    missing.names("Idempotency-Key");
    desk.post_as(CONTACTS, body.clone(), &"k".repeat(256)).await.names("Idempotency-Key");
    let first = desk.post_as(CONTACTS, body.clone(), "a-contact").await;
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let again = desk.post_as(CONTACTS, body.clone(), "a-contact").await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!((again.status, &again.body), (201, &first.body), "the very same answer");
    assert_eq!(desk.rig.sandbox.status().flows.contacts.len(), 1, "made once");
    let other = desk.post_as(CONTACTS, with(&body, "customAttributes.plan", json!("lead")), "a-contact").await;
    assert_eq!((other.status, other.code()), (422, "idempotency.key.reused"));
    let id = first.body["id"].as_str().unwrap().to_owned();
    let elsewhere = desk.post_as(CONVERSATIONS, conversation(&desk.rig, &id, &desk.token()), "a-contact").await;
    assert_eq!(elsewhere.status, 201, "a key counts for its path");

    let day = Duration::from_secs(24 * 3600);
    desk.rig.clock.advance(day - Duration::from_secs(1));
    let bearer = desk.rig.token().await;
    let again = desk.rig.post(CONTACTS, body.clone()).bearer(&bearer).key("a-contact").send().await;
    assert_eq!((again.status, &again.body), (201, &first.body), "though its signed token is long dead");
    desk.rig.clock.advance(Duration::from_secs(1));
    let bearer = desk.rig.token().await;
    let body = contact(&desk.token());
    let anew = desk.rig.post(CONTACTS, body).bearer(&bearer).key("a-contact").send().await;
    assert_eq!(anew.status, 201);
    assert_ne!(anew.body["id"], first.body["id"]);
    assert!(!anew.headers.contains_key("idempotency-replayed"));
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let desk = Desk::new().await;
    desk.rig.order(json!({ "do": "remove_guest_key", "kid": "key-1" }));
    let body = contact(&desk.token());
    assert_eq!(desk.post_as(CONTACTS, body.clone(), "k").await.status, 400);
    desk.signer.upload(&desk.rig);
    assert_eq!(desk.post_as(CONTACTS, body.clone(), "k").await.status, 201);
    assert_eq!(desk.rig.sandbox.status().flows.kept_answers, 1);
    desk.rig.order(json!({ "do": "refuse_requests", "count": 1, "status": 503, "path": "externalcontacts" }));
    assert_eq!(desk.post_as(CONTACTS, body.clone(), "k").await.status, 503);
    assert_eq!(desk.post_as(CONTACTS, body, "k").await.status, 201);
}

#[tokio::test]
async fn a_hundred_requests_a_second_are_enough() {
    let desk = Desk::new().await;
    let body = contact(&desk.token());
    for k in 1..=100 {
        assert_eq!(desk.post_as(CONTACTS, body.clone(), "k").await.status, 201, "{k}: a replay counts as well");
    }
    let path = format!("/api/v2/routing/queues/{}", desk.rig.ready.queue_id);
    let queue = desk.rig.call(Method::GET, &path, None).bearer(&desk.bearer).send().await;
    let conversation = desk.post(CONVERSATIONS, conversation(&desk.rig, "guest-7", &desk.token())).await;
    for answer in [desk.post_as(CONTACTS, body.clone(), "k").await, queue, conversation] {
        answer.is(429, "too.many.requests", "Rate limit exceeded the maximum [100] requests within [1] seconds");
        assert_eq!(answer.headers["retry-after"], "1");
    }
    desk.rig.clock.advance(Duration::from_secs(1));
    assert_eq!(desk.post_as(CONTACTS, body, "k").await.status, 201);
}
