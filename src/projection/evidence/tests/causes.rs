//! The table of causes: what happened, and the cause that is named first. It covers every cause that the descriptions
//! of the flows list.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::agents::AGENTS;
use super::script::Script;
use crate::model::fact::{Delivery, End, ExpiryEvent, SessionState};
use crate::model::{DialectId, Direction};
use crate::projection::knowledge::{DESCRIBED, Knowledge};

use DialectId::{Agent, ExternalContact, GuestResource, ManagedConversation, SessionToken, SignedGuest, WebMessaging};

const BEARER: &str = "Bearer [access-token#1]";
const SEND: &str = "/api/v2/webmessaging/conversations/c1/messages";
const CONTACT: &str = "/api/v2/conversations/messaging/external/contacts/k1/messages";
const CONTACTS: &str = "/api/v2/externalcontacts/contacts";
const CONVERSATIONS: &str = "/api/v2/conversations/messaging";
const SOCKET: &str = "/api/v2/guests/g1/sessions/s1/ws";
const INVALID: &str = "Session token is invalid or expired";

/// A conversation by REST: OAuth token, ids, and a session token that lives for so long.
fn conversation(s: &mut Script, life: i64) {
    s.oauth("[access-token#1]", 1800, "webmessaging:conversation:write");
    s.id("conversation", "c1").id("guest", "g1");
    s.token("session-token", "[session-token#1]", ExpiryEvent::Started, life);
}

fn message(s: &mut Script) {
    let body = json!({"text": "hi", "sessionToken": "[session-token#1]"});
    s.request_with("POST", SEND, &[("content-type", "application/json")], body, "message, form (a)");
}

fn token_refused(s: &mut Script) {
    s.wait(80).error(401, "session.token.invalid", INVALID);
}

/// A socket of an external contact, greeted, with a token that lives for so long.
fn contact(s: &mut Script, life: i64) {
    s.oauth("[access-token#1]", life, "");
    s.open("/api/v2/conversations/messaging/external/contacts", BEARER);
    s.received(json!({"type": "greeting", "sessionId": "s1", "contactId": "s1", "expires_in": life}));
    s.id("session", "s1").id("contact", "k1");
}

fn contact_message(s: &mut Script) {
    s.request_with("POST", CONTACT, &[("authorization", BEARER)], json!({"to": "q", "text": "hi"}), "message");
}

fn accepted(s: &mut Script) {
    s.wait(30).answer(202, json!({"id": "m1", "status": "queued"}));
}

/// A signed guest asks for a contact.
fn signed(s: &mut Script, key: &str, attributes: Value) {
    let mut attributes = attributes;
    attributes["guestToken"] = json!("[jwt#1]");
    let body =
        json!({"type": "webchat", "address": "guest-g1", "externalContactId": "g1", "customAttributes": attributes});
    let headers = [("authorization", BEARER), ("idempotency-key", key)];
    s.oauth("[access-token#1]", 1800, "externalcontacts:create conversations:messaging");
    s.request_with("POST", CONTACTS, &headers, body, "contact");
}

fn managed(s: &mut Script, secs: i64, capabilities: &[&str]) {
    s.oauth("[access-token#1]", 1800, "conversation:write conversation:view webchat:write");
    let body = json!({
        "id": "c1", "from": {"id": "g1"}, "to": [{"id": "q1", "type": "queue"}],
        "context": {"capabilities": capabilities}, "metadata": {"sessionDurationLimit": secs},
    });
    s.call("POST", CONVERSATIONS, BEARER, body);
}

fn heartbeat(s: &mut Script, n: i64) {
    let body = json!({"context": {"heartbeatSequence": n, "lastActivityTimestamp": "2026-01-06T13:26:15Z"}});
    s.wait(30_000).call("PATCH", "/api/v2/conversations/messaging/c1", BEARER, body).wait(20);
}

/// A guest's socket with its handshake frame, whose token lives for so long.
fn guest_socket(s: &mut Script, life: i64, scope: &str) {
    s.oauth("[access-token#1]", 1800, scope);
    s.call("POST", "/api/v2/guests", BEARER, json!({"name": "x"})).answer(201, json!({"id": "g1"}));
    s.token("guest-token", "[jwt#1]", ExpiryEvent::Started, life);
}

fn handshake(s: &mut Script) {
    s.open(SOCKET, "").sent(json!({"type": "handshake", "token": "[jwt#1]"})).wait(15);
}

fn connected(s: &mut Script) {
    s.received(json!({"type": "connected", "payload": {"sessionId": "s1", "guestId": "g1"}}));
}

const SCOPES: &str = "guest:create guest:read webchat:send user:read";

fn limited(s: &mut Script, requests: usize, text: &str) {
    s.oauth("[access-token#1]", 1800, "");
    for _ in 0..requests {
        s.call("GET", "/api/v2/routing/queues/q1", BEARER, Value::Null).answer(200, json!({}));
    }
    s.call("GET", "/api/v2/routing/queues/q1", BEARER, Value::Null);
    s.answer_with(429, &[("Retry-After", "2")], json!({"message": text, "code": "too.many.requests"}));
}

fn sign_in(s: &mut Script, status: u16, code: &str) {
    s.session(0).request_with(
        "POST",
        "https://login.example/oauth/token",
        &[("authorization", "Basic [client-secret#1]")],
        json!("grant_type=client_credentials&scope=guest%3Acreate"),
        "token",
    );
    s.answer(status, json!({"error": code, "error_description": "no"}));
}

fn socket_message(s: &mut Script) {
    s.open("/v1?deploymentId=d", "").sent(json!({"action": "configureSession", "token": "[session-token#1]"}));
    s.sent(json!({"action": "onMessage", "token": "[session-token#1]", "message": {"type": "Text", "text": "hi"}}));
}

type Case = (&'static str, DialectId, fn(&mut Script));

#[rustfmt::skip]
const TABLE: &[Case] = &[
    // 400
    ("session-token-as-bearer", SessionToken, |s| { conversation(s, 900); s.call("POST", SEND, "Bearer [session-token#1]", json!({"text": "hi"})).error(400, "bad.request", "A session token is not a bearer token"); }),
    ("idempotency-key-missing", SignedGuest, |s| { signed(s, "", json!({})); s.field("Idempotency-Key", "the header is missing"); }),
    ("idempotency-key-too-old", SignedGuest, |s| { signed(s, "k-contact", json!({})); s.no_answer("timeout").wait(90_000_000); signed(s, "k-contact", json!({})); s.error(409, "conflict", "the contact is there already"); }),
    ("idempotency-key-reused", SignedGuest, |s| { signed(s, "k-contact", json!({})); s.answer(201, json!({"id": "x"})); signed(s, "k-contact", json!({"tier": "gold"})); s.error(422, "idempotency.key.reused", "Idempotency-Key: “k-contact” was used for another body"); }),
    ("attributes-refused", SignedGuest, |s| { signed(s, "k", json!({})); s.field("customAttributes.tier", "3 is not a text"); }),
    ("attributes-too-large", SignedGuest, |s| { signed(s, "k", json!({"big": "x".repeat(10_300)})); s.field("customAttributes", "10340 bytes are more than 10240"); }),
    ("capabilities-missing", ManagedConversation, |s| { managed(s, 1800, &["typing-indicator"]); s.field("context.capabilities", "“read-receipts” is not among them"); }),
    ("duration-out-of-range", ManagedConversation, |s| { managed(s, 3600, &["typing-indicator", "read-receipts"]); s.field("metadata.sessionDurationLimit", "3600 is not a whole number from 1 to 2700"); }),
    ("text-too-long", SessionToken, |s| { conversation(s, 900); s.call("POST", SEND, BEARER, json!({"text": "x".repeat(5000)})).field("text", "5000 bytes are more than 4096"); }),
    ("field-refused", ManagedConversation, |s| { managed(s, 1800, &["typing-indicator", "read-receipts"]); s.field("from.name", "is missing"); }),
    ("request-refused", SessionToken, |s| { conversation(s, 900); s.call("POST", SEND, BEARER, json!({"text": "x"})).error(400, "bad.request", "The body is not JSON"); }),
    ("content-type-refused", SessionToken, |s| { conversation(s, 900); message(s); s.error(415, "unsupported.media.type", "no"); }),
    ("payload-too-large", GuestResource, |s| { s.call("PUT", "/api/v2/guests/g1", BEARER, json!({"name": "x"})).error(413, "payload.too.large", "too large"); }),
    ("id-in-use", ManagedConversation, |s| { managed(s, 1800, &[]); s.error(409, "conflict", "id: “c1” is in use"); }),
    ("scope-refused-at-sign-in", GuestResource, |s| sign_in(s, 400, "invalid_scope")),
    // 401
    ("session-token-expired", SessionToken, |s| { conversation(s, 900); s.wait(912_000); message(s); token_refused(s); }),
    ("session-token-expired", SessionToken, |s| { conversation(s, 900); s.wait(899_950); message(s); token_refused(s); }),
    ("session-token-revoked", SessionToken, |s| { conversation(s, 900); s.wait(30_000); message(s); token_refused(s); }),
    ("refresh-won-the-race", SessionToken, |s| { conversation(s, 900); message(s); s.token("session-token", "[session-token#2]", ExpiryEvent::Refreshed, 900); token_refused(s); }),
    ("replaced-token-sent", SessionToken, |s| { conversation(s, 900); s.token("session-token", "[session-token#2]", ExpiryEvent::Refreshed, 900).wait(2000); message(s); token_refused(s); }),
    ("refused-token-sent-again", SessionToken, |s| { conversation(s, 900); message(s); token_refused(s); s.token("session-token", "[session-token#1]", ExpiryEvent::Refused, 900).wait(500); message(s); token_refused(s); }),
    ("token-corrupted", SessionToken, |s| { conversation(s, 900); s.token("session-token", "[session-token#1]", ExpiryEvent::Corrupted, 900); message(s); token_refused(s); }),
    ("token-expired-by-hand", SessionToken, |s| { conversation(s, 900); s.token("session-token", "[session-token#1]", ExpiryEvent::Expired, 0).wait(500); message(s); token_refused(s); }),
    ("conversation-id-stale", SessionToken, |s| { conversation(s, 900); s.id("conversation", "c2"); message(s); token_refused(s); }),
    ("guest-id-wrong", SessionToken, |s| { conversation(s, 900); s.call("POST", SEND, BEARER, json!({"text": "hi", "type": "text", "guestId": "g9"})); token_refused(s); }),
    ("refresh-refused", SessionToken, |s| { conversation(s, 900); s.request_with("POST", "/api/v2/webmessaging/conversations/c1/guests/g1/refresh", &[("authorization", BEARER)], Value::Null, "refresh, guests/refresh").error(401, "bad.credentials", "Refused by order"); }),
    ("oauth-token-expired", ManagedConversation, |s| { s.oauth("[access-token#1]", 60, "").wait(73_000); s.call("POST", CONVERSATIONS, BEARER, json!({})).error(401, "credentials.expired", "The supplied token has expired"); }),
    ("oauth-token-expired", ManagedConversation, |s| { s.oauth("[access-token#1]", 60, "").wait(59_960); s.call("POST", CONVERSATIONS, BEARER, json!({})).wait(100).error(401, "credentials.expired", "The supplied token has expired"); }),
    ("oauth-token-revoked", ManagedConversation, |s| { s.oauth("[access-token#1]", 1800, ""); s.call("POST", CONVERSATIONS, BEARER, json!({})).error(401, "bad.credentials", "Invalid login credentials."); }),
    ("oauth-token-of-unknown-origin", ManagedConversation, |s| { s.call("POST", CONVERSATIONS, BEARER, json!({})).error(401, "bad.credentials", "Invalid login credentials."); }),
    ("no-bearer", ManagedConversation, |s| { s.call("POST", CONVERSATIONS, "", json!({})).error(401, "authentication.required", "No authentication bearer token"); }),
    ("client-credentials-wrong", GuestResource, |s| sign_in(s, 401, "invalid_client")),
    ("broker-refused", ExternalContact, |s| { s.session(0).request_with("POST", "https://broker.example/api/genesys/refresh", &[], Value::Null, "token, by broker").answer(418, json!({"message": "no"})); }),
    ("refresh-had-failed", ExternalContact, |s| { contact(s, 1800); s.call("POST", CONTACT, BEARER, json!({"expires_in": 60})).error(403, "", "no").wait(9_000).received(json!({"type": "typing"})).close(Direction::Received, 1000, ""); }),
    ("no-oauth-token", GuestResource, |s| { s.delivery(Delivery::NotSent { why: "no OAuth token: refused".into() }); }),
    ("no-session-token", SessionToken, |s| { s.fault("no-session-token", "The session token could not be renewed."); }),
    ("clock-drift-token-dead", SessionToken, |s| { s.skew(90); conversation(s, 900); s.wait(850_000); message(s); token_refused(s); }),
    // 403
    ("scope-missing", GuestResource, |s| { s.oauth("[access-token#1]", 1800, "guest:read"); s.call("POST", "/api/v2/guests", BEARER, json!({})).error(403, "not.authorized", "Missing required scope: guest:create"); }),
    ("scope-perhaps-missing", GuestResource, |s| { s.oauth("[access-token#1]", 1800, ""); s.call("POST", "/api/v2/guests", BEARER, json!({})).error(403, "not.authorized", "Missing required scope: guest:create"); }),
    ("scope-said-missing-though-granted", GuestResource, |s| { s.oauth("[access-token#1]", 1800, SCOPES); s.call("POST", "/api/v2/guests", BEARER, json!({})).error(403, "not.authorized", "Missing required scope: guest:create"); }),
    ("queue-forbidden", SignedGuest, |s| { s.call("POST", CONVERSATIONS, BEARER, json!({"contactId": "x", "routingData": {"queueId": "q9"}})).error(403, "not.authorized", "routingData.queueId: queue “q9” may not be used by this client"); }),
    ("guest-token-instead-of-client", GuestResource, |s| { s.call("PUT", "/api/v2/guests/g1", "Bearer [jwt#1]", json!({})).error(403, "not.authorized", "A guest's token may not do this"); }),
    ("upload-headers-differ", WebMessaging, |s| { s.request_with("PUT", "https://store.example/x", &[], Value::Null, "upload").error(403, "", "SignatureDoesNotMatch"); }),
    // 404 and the like
    ("guest-gone", GuestResource, |s| { s.id("guest", "g1"); s.call("PUT", "/api/v2/guests/g1", BEARER, json!({})).error(404, "not.found", "Guest not found"); }),
    ("queue-unknown", SignedGuest, |s| { s.call("GET", "/api/v2/routing/queues/q9", BEARER, Value::Null).error(404, "not.found", "Queue “q9” not found"); }),
    ("conversation-idle-ended", ManagedConversation, |s| { s.call("POST", "/api/v2/conversations/messaging/c1", BEARER, json!({})).error(404, "not.found", "Conversation “c1” has ended (idle: no heartbeat for 90 s)"); }),
    ("conversation-duration-over", ManagedConversation, |s| { s.call("POST", "/api/v2/conversations/messaging/c1", BEARER, json!({})).error(404, "not.found", "Conversation “c1” has ended (duration: its 60 s are over)"); }),
    ("conversation-disconnected", ManagedConversation, |s| { s.call("POST", "/api/v2/conversations/messaging/c1", BEARER, json!({})).error(404, "not.found", "Conversation “c1” has ended (disconnected: by a request)"); }),
    ("contact-not-session", ExternalContact, |s| { contact(s, 1800); contact_message(s); s.error(404, "not.found", "Contact “k1” is not the session of an open handshake; the newest one is s1"); }),
    ("contact-without-socket", ExternalContact, |s| { contact_message(s); s.error(404, "not.found", "Contact “k1” has no open socket"); }),
    ("not-found", SessionToken, |s| { s.call("GET", "/api/v9/x", BEARER, Value::Null).error(404, "not.found", "The requested resource was not found"); }),
    // 429
    ("rate-limit-reached", SignedGuest, |s| limited(s, 10, "Rate limit exceeded the maximum [10] requests within [1] seconds")),
    ("rate-limit-shared", SignedGuest, |s| limited(s, 3, "Rate limit exceeded the maximum [100] requests within [1] seconds")),
    ("rate-limit-unnamed", SignedGuest, |s| limited(s, 3, "Refused by order")),
    ("retry-after-not-obeyed", SignedGuest, |s| { limited(s, 1, "Refused by order"); s.wait(500); limited(s, 0, "Refused by order"); }),
    ("retry-after-obeyed", SignedGuest, |s| { limited(s, 1, "Refused by order"); s.wait(2_500); limited(s, 0, "Refused by order"); }),
    ("concurrent-sessions", ManagedConversation, |s| { s.state(SessionState::Ready); managed(s, 60, &[]); s.error(429, "too.many.sessions", "Concurrent sessions (500) reached maximum (500)"); }),
    ("history-limit", WebMessaging, |s| { for n in 0..11 { s.request_with("GET", "/api/v2/webmessaging/messages", &[("authorization", "Bearer [jwt#1]")], Value::Null, "history"); if n < 10 { s.answer(200, json!({})); } } s.error(429, "too.many.requests", "slow down"); }),
    // 5xx and no answer
    ("server-error", SignedGuest, |s| { s.call("POST", CONTACTS, BEARER, json!({})).error(500, "internal.server.error", "Refused by order"); }),
    ("server-unavailable", SignedGuest, |s| { s.call("POST", CONTACTS, BEARER, json!({})).error(503, "service.unavailable", "Refused by order"); }),
    ("call-timed-out", SignedGuest, |s| { s.call("POST", CONTACTS, BEARER, json!({})).no_answer("timeout"); }),
    ("host-not-found", SignedGuest, |s| { s.call("POST", CONTACTS, BEARER, json!({})).no_answer("dns"); }),
    ("not-listening", SignedGuest, |s| { s.call("POST", CONTACTS, BEARER, json!({})).no_answer("refused"); }),
    ("tls-refused", SignedGuest, |s| { s.call("POST", CONTACTS, BEARER, json!({})).no_answer("tls"); }),
    ("proxy-failed", SignedGuest, |s| { s.call("POST", CONTACTS, BEARER, json!({})).no_answer("proxy"); }),
    ("call-broken", SignedGuest, |s| { s.call("POST", CONTACTS, BEARER, json!({})).no_answer("connection-broken"); }),
    ("webhook-failed", SignedGuest, |s| { s.request_with("POST", "https://crm.example/x", &[], json!({}), "webhook").error(418, "", ""); }),
    // Closed
    ("close-1000-token-died-before-commit", ExternalContact, |s| { contact(s, 60); s.wait(59_900); contact_message(s); accepted(s); s.wait(100).close(Direction::Received, 1000, ""); }),
    ("close-1000-before-commit", ExternalContact, |s| { contact(s, 1800); s.wait(1_000); contact_message(s); accepted(s); s.wait(100).close(Direction::Received, 1000, ""); }),
    ("close-by-us", GuestResource, |s| { guest_socket(s, 1800, SCOPES); handshake(s); connected(s); s.close(Direction::Sent, 1000, "Widget disconnect").close(Direction::Received, 1000, "Widget disconnect"); }),
    ("close-after-error", ExternalContact, |s| { contact(s, 1800); s.received(json!({"type": "error", "code": 400, "message": "Nothing is taken on this socket"})).close(Direction::Received, 1000, ""); }),
    ("close-1000-connection-closed", WebMessaging, |s| { socket_message(s); s.state(SessionState::Ended(End::ConnectionClosed { reason: String::new() })).close(Direction::Received, 1000, ""); }),
    ("close-1000-idle", WebMessaging, |s| { socket_message(s); s.wait(700_000).close(Direction::Received, 1000, ""); }),
    ("close-1000-by-server", ExternalContact, |s| { contact(s, 1800); s.wait(20_000).close(Direction::Received, 1000, "bye"); }),
    ("close-1001-going-away", WebMessaging, |s| { socket_message(s); s.close(Direction::Received, 1001, ""); }),
    ("close-policy", WebMessaging, |s| { socket_message(s); s.close(Direction::Received, 1008, "no"); }),
    ("close-server-error", WebMessaging, |s| { socket_message(s); s.close(Direction::Received, 1011, ""); }),
    ("close-of-its-own-code", GuestResource, |s| { guest_socket(s, 1800, SCOPES); handshake(s); s.close(Direction::Received, 4401, ""); }),
    // Lost: 1006
    ("lost-handshake-token-dead", GuestResource, |s| { guest_socket(s, 60, SCOPES); s.wait(75_000); handshake(s); s.lost(); }),
    ("lost-handshake-scope", GuestResource, |s| { guest_socket(s, 1800, "guest:create guest:read"); handshake(s); s.lost(); }),
    ("lost-token-dead", GuestResource, |s| { guest_socket(s, 60, SCOPES); handshake(s); connected(s); s.wait(61_000).lost(); }),
    ("lost-network", GuestResource, |s| { guest_socket(s, 1800, SCOPES); handshake(s); connected(s); s.wait(5_000).lost(); }),
    ("lost-network-many", GuestResource, |s| { guest_socket(s, 1800, SCOPES); handshake(s); connected(s); s.session(2); handshake(s); connected(s); s.wait(5_000).lost(); s.session(1).lost(); }),
    ("lost-at-handshake", GuestResource, |s| { guest_socket(s, 1800, SCOPES); handshake(s); s.lost(); }),
    ("lost-without-token", WebMessaging, |s| { socket_message(s); s.received(json!({"class": "SessionResponse"})).wait(9_000).lost(); }),
    ("clock-jumped", WebMessaging, |s| { socket_message(s); s.received(json!({"class": "SessionResponse"})).fact(&crate::model::Fact::Skew(crate::model::fact::Skew { skew_us: 0, uncertainty_us: 0, jump_us: 40_000_000 })).wait(100).lost(); }),
    // The upgrade
    ("upgrade-token-dead", ExternalContact, |s| { s.oauth("[access-token#1]", 60, "").wait(80_000).opening("/api/v2/conversations/messaging/external/contacts?token=%5Baccess-token%231%5D", "").refused(401, "The supplied token has expired"); }),
    ("upgrade-token-refused", ExternalContact, |s| { s.oauth("[access-token#1]", 600, "").opening("/api/v2/conversations/messaging/external/contacts", BEARER).refused(401, "Invalid login credentials."); }),
    ("upgrade-without-token", ExternalContact, |s| { s.opening("/api/v2/conversations/messaging/external/contacts", "").refused(401, "No authentication bearer token"); }),
    ("upgrade-gone", GuestResource, |s| { s.opening(SOCKET, "").refused(404, "Guest or session not found"); }),
    ("upgrade-refused", WebMessaging, |s| { s.opening("/v1", "").refused(503, "later"); }),
    ("origin-not-allowed", WebMessaging, |s| { s.session(0).fault("origin-not-allowed", "https://x is not on the list."); s.session(1).opening("/v1", "").refused(403, ""); }),
    ("deployment-inactive", WebMessaging, |s| { s.session(0).fault("inactive-deployment", "It is off."); s.session(1).opening("/v1", "").refused(403, ""); }),
    ("deployment-unknown", WebMessaging, |s| { s.session(0).fault("wrong-region", "It is elsewhere."); s.session(1).opening("/v1", "").refused(403, ""); }),
    // Heartbeats
    ("heartbeats-failed", ManagedConversation, |s| { managed(s, 1800, &[]); s.answer(201, json!({})); for n in 1..=3 { heartbeat(s, n); s.error(500, "internal.server.error", "Refused by order"); } }),
    ("heartbeat-failed", ManagedConversation, |s| { managed(s, 1800, &[]); s.answer(201, json!({})); heartbeat(s, 1); s.error(500, "internal.server.error", "Refused by order"); }),
    // Keys and signed tokens
    ("key-unknown", SignedGuest, |s| { s.signed("[jwt#1]", "k1", "g1", 0, 300); signed(s, "k", json!({})); s.error(400, "guest.token.invalid", "customAttributes.guestToken: unknown kid “k1”"); }),
    ("key-signature", SignedGuest, |s| { s.signed("[jwt#1]", "k1", "g1", 0, 300); signed(s, "k", json!({})); s.error(400, "guest.token.invalid", "customAttributes.guestToken: signature verification failed (kid “k1”)"); }),
    ("key-rotated", SignedGuest, |s| { s.signed("[jwt#1]", "k1", "g1", 0, 300); signed(s, "k", json!({})); s.answer(201, json!({"id": "x"})); signed(s, "k2", json!({})); s.error(400, "guest.token.invalid", "customAttributes.guestToken: unknown kid “k1”"); }),
    ("signed-token-expired", SignedGuest, |s| { s.signed("[jwt#1]", "k1", "g1", 0, 300).wait(330_000); signed(s, "k", json!({})); s.error(400, "guest.token.invalid", "customAttributes.guestToken: expired"); }),
    ("signed-token-from-the-future", SignedGuest, |s| { s.skew(-120).signed("[jwt#1]", "k1", "g1", 0, 300); signed(s, "k", json!({})); s.error(400, "guest.token.invalid", "customAttributes.guestToken: issued in the future"); }),
    ("signed-token-other-guest", SignedGuest, |s| { s.signed("[jwt#1]", "k1", "g7", 0, 300); signed(s, "k", json!({})); s.error(400, "guest.token.invalid", "customAttributes.guestToken: guestId does not match externalContactId"); }),
    ("signed-token-algorithm", SignedGuest, |s| { s.signed("[jwt#1]", "k1", "g1", 0, 300); signed(s, "k", json!({})); s.error(400, "guest.token.invalid", "customAttributes.guestToken: alg must be RS256"); }),
    ("no-signing-key", SignedGuest, |s| { s.fault("no-signing-key", "The environment has no key to sign with."); }),
    ("guest-token-flawed", GuestResource, |s| { s.state(SessionState::Ended(End::Failed { why: "guest token: routing_hints is missing".into() })); }),
    // Never left
    ("refused-here", ManagedConversation, |s| { s.delivery(Delivery::NotSent { why: "text: 5000 bytes – at most 4096 bytes of UTF-8".into() }); }),
    ("unconfirmed", WebMessaging, |s| { s.delivery(Delivery::Unconfirmed { why: "no echo came".into() }); }),
    ("refused-here", ManagedConversation, |s| { s.state(SessionState::Ended(End::Invalid { why: "metadata.sessionDurationLimit: 3600 – 1 to 2700 seconds".into() })); }),
    ("concurrent-sessions", ManagedConversation, |s| { s.state(SessionState::Ended(End::Invalid { why: "concurrent sessions: 500 – at most 500".into() })); }),
    ("session-not-ready", SessionToken, |s| { s.delivery(Delivery::NotSent { why: "there is no conversation".into() }); }),
    // Frames of the vendor's socket
    ("message-too-long", WebMessaging, |s| { socket_message(s); s.frame_error(4011, "Message length 5000 is larger than 4096"); }),
    ("attributes-too-large-on-socket", WebMessaging, |s| { socket_message(s); s.frame_error(4013, "Custom Attributes in channel metadata is larger than 2048 bytes"); }),
    ("session-expired", WebMessaging, |s| { socket_message(s); s.frame_error(4006, "Session has expired"); }),
    ("session-not-found", WebMessaging, |s| { socket_message(s); s.frame_error(4007, "session not found"); }),
    ("downgrade-refused", WebMessaging, |s| { socket_message(s); s.frame_error(4017, "no"); }),
    ("upload-off", WebMessaging, |s| { socket_message(s); s.frame_error(4000, "off"); }),
    ("file-refused", WebMessaging, |s| { socket_message(s); s.frame_error(4002, "too large"); }),
    ("attachment-not-there", WebMessaging, |s| { socket_message(s); s.frame_error(4009, "not found"); }),
    ("parameter-missing", WebMessaging, |s| { socket_message(s); s.frame_error(4020, "token"); }),
    ("conversation-read-only", WebMessaging, |s| { socket_message(s); s.frame_error(409, "read-only"); }),
    ("guest-not-authenticated", WebMessaging, |s| { socket_message(s); s.frame_error(401, "unauthenticated"); }),
    ("login-needed", WebMessaging, |s| { socket_message(s); s.frame_error(403, "Session authentication failed"); }),
    ("feature-off", WebMessaging, |s| { socket_message(s); s.frame_error(403, "Turn on the Feature Toggle or fix the configuration."); }),
    ("platform-error", WebMessaging, |s| { socket_message(s); s.frame_error(5000, "unexpected"); }),
    ("frames-too-fast", WebMessaging, |s| { socket_message(s); for _ in 0..5 { s.sent(json!({"action": "onMessage", "message": {"type": "Text", "text": "x"}})); } s.frame_error(429, "too many"); }),
    ("frames-limited", WebMessaging, |s| { socket_message(s); s.frame_error(4029, "too many"); }),
    // Guests who sign in
    ("guest-auth-off", WebMessaging, |s| { socket_message(s); s.frame_error(403, "Authentication is not enabled for this deployment"); }),
    ("guest-auth-off", WebMessaging, |s| { s.request_with("POST", "/api/v2/webdeployments/token/oauthcodegrantjwtexchange", &[], json!({}), "sign-in").error(403, "bad.request", "Authentication is not enabled for this deployment"); }),
    ("step-up-off", WebMessaging, |s| { socket_message(s); s.frame_error(403, "Session upgrade is not allowed for this deployment"); }),
    ("guest-auth-expired", WebMessaging, |s| { s.token("guest-auth", "[jwt#1]", ExpiryEvent::Started, 60); socket_message(s); s.wait(65_000).frame_error(401, "User is unauthorized"); }),
    ("guest-auth-refused", WebMessaging, |s| { s.token("guest-auth", "[jwt#1]", ExpiryEvent::Started, 60); socket_message(s); s.wait(5_000).frame_error(401, "User is unauthorized"); }),
    ("guest-not-authenticated", WebMessaging, |s| { s.token("guest-auth", "[jwt#1]", ExpiryEvent::Started, 60).token("guest-auth", "[jwt#1]", ExpiryEvent::Corrupted, 60); socket_message(s); s.frame_error(401, "User is unauthorized"); }),
    ("guest-code-used", WebMessaging, |s| { s.request_with("POST", "/api/v2/webdeployments/token/oauthcodegrantjwtexchange", &[], json!({}), "sign-in").error(400, "bad.request", "invalid_grant: the authorization code was used before"); }),
    ("guest-code-refused", WebMessaging, |s| { s.request_with("POST", "/api/v2/webdeployments/token/oauthcodegrantjwtexchange", &[], json!({}), "sign-in").error(400, "bad.request", "invalid_grant: codeVerifier does not fit"); }),
    ("guest-refresh-dead", WebMessaging, |s| { s.request_with("POST", "/api/v2/webdeployments/token/refresh", &[], json!({"refreshToken": "[refresh-token#1]"}), "sign-in refresh").error(401, "bad.request", "The supplied token has expired"); }),
    ("guest-sign-in-again", WebMessaging, |s| { s.fault("guest-must-sign-in", "the guest has to sign in again: there is no refresh token."); }),
    ("guest-jwt-expired", WebMessaging, |s| { s.token("guest-jwt", "[jwt#1]", ExpiryEvent::Started, 60).wait(65_000).request_with("GET", "/api/v2/webmessaging/messages", &[("authorization", "Bearer [jwt#1]")], Value::Null, "history").error(401, "", "Unauthorized"); }),
    ("guest-jwt-refused", WebMessaging, |s| { s.token("guest-jwt", "[jwt#1]", ExpiryEvent::Started, 60).wait(5_000).request_with("GET", "/api/v2/webmessaging/messages", &[("authorization", "Bearer [jwt#1]")], Value::Null, "history").error(401, "", "Unauthorized"); }),
];

#[test]
fn each_cause_is_named_first_where_it_happened() {
    let mut wrong = Vec::new();
    let agents = AGENTS.iter().map(|(cause, tell)| (cause, &Agent, tell));
    for (cause, dialect, tell) in TABLE.iter().map(|(c, d, t)| (c, d, t)).chain(agents) {
        let mut s = Script::new(*dialect);
        tell(&mut s);
        let finding = s.finding();
        let named: Vec<_> = finding.verdicts.iter().map(|v| v.cause.as_str()).collect();
        if named.first() != Some(cause) {
            wrong.push(format!("{cause}: {named:?}\n{}", finding.told()));
        }
        let said = finding.verdicts.iter().any(|v| v.says.contains("(not known)") || v.says.trim().is_empty());
        if said {
            wrong.push(format!("{cause}: a sentence names what is not known\n{}", finding.told()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_covers_every_cause_that_is_known_and_every_one_that_the_flows_describe() {
    let agents = AGENTS.iter().map(|(cause, _)| *cause);
    let covered: BTreeSet<&str> = TABLE.iter().map(|(cause, ..)| *cause).chain(agents).collect();
    let all = Knowledge::embedded();
    let missing: Vec<_> = all.ids().filter(|id| !covered.contains(id)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    let unknown: Vec<_> = DESCRIBED.iter().filter(|id| !all.ids().any(|known| known == **id)).collect();
    assert!(unknown.is_empty(), "no cause {unknown:?}");
}
