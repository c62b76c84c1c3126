//! The table of causes, as far as they are of agents.

use serde_json::{Value, json};

use super::script::Script;
use crate::model::fact::Delivery;

const BEARER: &str = "Bearer [access-token#1]";
const CHANNELS: &str = "/api/v2/notifications/channels";
const PART: &str = "/api/v2/conversations/messages/c1/participants/p1";
const SAY: &str = "/api/v2/conversations/messages/c1/communications/m1/messages";

fn signed_in(s: &mut Script) -> &mut Script {
    s.oauth("[access-token#1]", 86_400, "")
}

fn me(s: &mut Script) -> &mut Script {
    s.request_with("GET", "/api/v2/users/me", &[("authorization", BEARER)], Value::Null, "user")
}

fn at<'a>(s: &'a mut Script, method: &str, path: &str, purpose: &str) -> &'a mut Script {
    s.request_with(method, path, &[("authorization", BEARER)], json!({}), purpose)
}

fn say<'a>(s: &'a mut Script, text: &str) -> &'a mut Script {
    s.request_with("POST", SAY, &[("authorization", BEARER)], json!({ "textBody": text }), "message")
}

type Tell = fn(&mut Script);

/// What happened, and the cause that is named first.
#[rustfmt::skip]
pub const AGENTS: &[(&str, Tell)] = &[
    ("agent-sign-in-denied", |s| { s.fault("sign-in-denied", "The login page says access_denied."); }),
    ("agent-sign-in-denied", |s| { s.session(0).fault("sign-in-denied", "The login page says access_denied."); }),
    ("agent-sign-in-timed-out", |s| { s.fault("sign-in-timed-out", "Within 300 s no browser came back to http://localhost:1/."); }),
    ("agent-sign-in-cancelled", |s| { s.fault("sign-in-cancelled", "Nobody waits for the browser any more."); }),
    ("agent-redirect-not-registered", |s| { s.fault("sign-in-redirect", "It answered 400 and did not lead back to http://localhost:1/."); }),
    ("agent-redirect-unusable", |s| { s.fault("bad-redirect", "“https://x” must begin with http://."); }),
    ("agent-redirect-port-taken", |s| { s.fault("sign-in-port", "http://localhost:1/: in use."); }),
    ("agent-sign-in-refused", |s| { s.fault("sign-in-refused", "It says login_required."); }),
    ("agent-code-refused", |s| { s.fault("sign-in-code", "It answered 400: the code was used before."); }),
    ("agent-sign-in-again", |s| { s.fault("sign-in-again", "The token cannot be renewed by itself."); }),
    ("agent-client-credentials", |s| { me(signed_in(s)).error(400, "bad.request", "This request requires a user context. Client credentials cannot be used."); }),
    ("agent-wrong-region", |s| { me(signed_in(s)).error(401, "bad.credentials", "Invalid login credentials."); }),
    // One that was pasted.
    ("agent-wrong-region", |s| { me(s).error(401, "bad.credentials", "Invalid login credentials."); }),
    ("agent-token-ended", |s| { me(signed_in(s)).answer(200, json!({"id": "u1"})).wait(60_000); me(s).error(401, "bad.credentials", "Invalid login credentials."); }),
    ("agent-token-ended", |s| { me(signed_in(s)).answer(200, json!({"id": "u1"})).wait(60_000); at(s, "HEAD", "/api/v2/notifications/channels/ch1", "channel check").answer(401, Value::Null); }),
    ("oauth-token-expired", |s| { me(signed_in(s)).answer(200, json!({"id": "u1"})).wait(90_000_000); me(s).error(401, "credentials.expired", "The supplied token has expired"); }),
    ("agent-token-revoked", |s| { s.fault("token-revoked", "The platform says: user_tokens_revoked."); }),
    ("agent-permission-missing", |s| { say(signed_in(s), "x").error(403, "missing.any.permissions", "You must have at least one of the following permissions assigned: [conversation:message:create]"); }),
    ("agent-permission-missing", |s| { say(s.oauth("[access-token#1]", 60, "all"), "x").error(403, "missing.permissions", "You are missing the following permission(s): [conversation:message:create]"); }),
    ("agent-channel-token-dead", |s| { signed_in(s); s.opening("/channels/ch1", "").refused(401, ""); }),
    ("agent-channel-evicted", |s| { s.fault("channel-evicted", "Another channel of the same user and client took its place."); }),
    ("agent-channel-gone", |s| { at(signed_in(s), "HEAD", "/api/v2/notifications/channels/ch1", "channel check").answer(404, Value::Null); }),
    ("agent-channel-gone", |s| { signed_in(s); s.opening("/channels/ch1", "").refused(404, ""); }),
    ("agent-channel-gone", |s| { s.open("/channels/ch1", "").sent(json!({"message": "ping"})).coded(404, json!({"result": "404", "status": "failure", "message": "Channel not found"})); }),
    ("agent-no-heartbeat", |s| { s.fault("no-heartbeat", "Neither a heartbeat within 35 s nor a pong came."); }),
    ("agent-topic-rejected", |s| { s.fault("topic-rejected", "v2.users.u1.presence: Rejected by order."); }),
    ("agent-topic-rejected", |s| { s.open("/channels/ch1", "").sent(json!({"message": "subscribe"})).coded(400, json!({"result": "400", "status": "failure", "message": "Topic x: There is no such topic"})); }),
    ("agent-topics-changed", |s| { s.fault("topics-changed", "Somebody replaced what the channel is subscribed to."); }),
    ("agent-blind", |s| { s.fault("blind", "Both conversation topics were rejected."); }),
    ("agent-channels-too-fast", |s| { at(signed_in(s), "POST", CHANNELS, "channel").error(429, "too.many.requests", "Rate limit exceeded the maximum [15] requests within [1] seconds"); }),
    ("agent-rate-limit", |s| { say(signed_in(s), "x").error(429, "too.many.requests", "Rate limit exceeded the maximum [300] requests within [60] seconds"); }),
    ("agent-rate-limit", |s| { say(signed_in(s), "x").error(429, "too.many.requests", "slow down"); }),
    ("agent-message-too-long", |s| { say(signed_in(s), &"x".repeat(5000)).field("textBody", "5000 characters are more than 4000"); }),
    ("agent-message-too-long", |s| { s.delivery(Delivery::NotSent { why: "text: 5000 characters; at most 4000".into() }); }),
    ("agent-conversation-taken", |s| { s.fault("taken", "Agent Two is with the guest now."); }),
    ("agent-part-over", |s| { at(signed_in(s), "PATCH", PART, "answer").error(409, "conflict", "The participant is disconnected (timeout)"); }),
    ("agent-wrapup-required", |s| { at(signed_in(s), "PATCH", PART, "skip wrap-up").error(400, "wrapup.required", "The queue requires a wrap-up: it cannot be skipped"); }),
];
