//! The orders of the sandbox as forms: a table of names and fields, from which the order's JSON is made and read.

use serde_json::{Map, Value};

use crate::sandbox::Order;

/// What a field of an order holds, with the value that stands in it first.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A whole number and its bounds.
    Number(i64, i64, i64),
    Text(&'static str),
    /// Left out where empty.
    Optional(&'static str),
    /// A number that is left out where empty.
    MaybeNumber,
    /// JSON, or the text itself where it is not.
    Json(&'static str),
    Switch(bool),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Left out, true or false.
    Maybe,
    /// A session of the sandbox, or all of them.
    Session,
}

#[derive(Debug)]
pub struct Field {
    pub key: &'static str,
    pub title: &'static str,
    pub kind: Kind,
}

#[derive(Debug)]
pub struct OrderForm {
    /// The value of `do`.
    pub key: &'static str,
    pub title: &'static str,
    pub about: &'static str,
    pub group: &'static str,
    pub fields: &'static [Field],
}

const fn f(key: &'static str, title: &'static str, kind: Kind) -> Field {
    Field { key, title, kind }
}

const fn order(
    group: &'static str,
    key: &'static str,
    title: &'static str,
    about: &'static str,
    fields: &'static [Field],
) -> OrderForm {
    OrderForm { key, title, about, group, fields }
}

use Kind as K;

const COUNT: Field = f("count", "Times", K::Number(1, 1, 1000));
const WAY: Field = f("way", "Whose", K::Word(&["inbound", "outbound"]));
const SESSION: Field = f("session", "Session", K::Session);

/// All orders. A test holds that none is missing.
pub const FORMS: &[OrderForm] = &[
    order(
        "Partner",
        "say",
        "Say as the agent",
        "The agent writes this.",
        &[SESSION, f("text", "Text", K::Text("Hello, this is the agent."))],
    ),
    order("Partner", "typing", "Show typing", "The agent types.", &[SESSION]),
    order(
        "Partner",
        "disconnect",
        "Disconnect",
        "The agent ends the conversation.",
        &[SESSION, f("read_only", "Read-only", K::Maybe)],
    ),
    order(
        "Partner",
        "pause_partner",
        "Pause partner",
        "The scripted partner keeps quiet.",
        &[f("on", "Paused", K::Switch(true))],
    ),
    order(
        "Tokens and sessions",
        "expire_token",
        "Expire token",
        "Tokens die now, or in some seconds.",
        &[
            f(
                "token",
                "Token",
                K::Word(&["jwt", "oauth", "session-token", "guest-token", "guest-auth", "guest-refresh"]),
            ),
            f("in_seconds", "In seconds", K::MaybeNumber),
        ],
    ),
    order(
        "Tokens and sessions",
        "expire_session",
        "Expire session",
        "A session dies now, or in some seconds.",
        &[SESSION, f("in_seconds", "In seconds", K::MaybeNumber)],
    ),
    order("Tokens and sessions", "stale_links", "Stale links", "All download links given so far stop to work.", &[]),
    order(
        "Tokens and sessions",
        "clock_skew",
        "Clock skew",
        "The server's clock is wrong by so much.",
        &[f("seconds", "Seconds", K::Number(30, -86_400, 86_400))],
    ),
    order(
        "Answers",
        "refuse_sends",
        "Refuse messages",
        "The next messages are refused with this code.",
        &[COUNT, f("code", "Code", K::Number(4011, 0, 65_535)), f("text", "Text", K::Optional(""))],
    ),
    order(
        "Answers",
        "rate_limit_sends",
        "Rate limit",
        "The next messages are answered with 429.",
        &[COUNT, f("retry_after", "Retry after, seconds", K::Number(3, 0, 3600))],
    ),
    order(
        "Answers",
        "refuse_guest_auth",
        "Refuse sign-ins",
        "The next guests who sign in on a socket are refused with this code.",
        &[
            COUNT,
            f("code", "Code", K::Number(403, 0, 65_535)),
            f("text", "Text", K::Optional("Session authentication failed")),
        ],
    ),
    order("Answers", "drop_echo", "Drop echoes", "The next messages get no echo.", &[COUNT]),
    order(
        "Answers",
        "reject_upload",
        "Reject uploads",
        "Every upload fails with this code; 0 ends it.",
        &[f("code", "Code", K::Number(4003, 0, 65_535))],
    ),
    order(
        "Answers",
        "refuse_requests",
        "Refuse HTTP",
        "The next HTTP requests get this status.",
        &[
            COUNT,
            f("status", "Status", K::Number(503, 400, 599)),
            f("retry_after", "Retry after, seconds", K::MaybeNumber),
            f("path", "Path contains", K::Optional("")),
            f("text", "Text", K::Optional("")),
        ],
    ),
    order(
        "Answers",
        "slow_requests",
        "Slow HTTP",
        "The next HTTP requests are answered late.",
        &[COUNT, f("millis", "Milliseconds", K::Number(3000, 0, 600_000)), f("path", "Path contains", K::Optional(""))],
    ),
    order(
        "Answers",
        "hold_session_response",
        "Hold SessionResponse",
        "It comes so much later; 0 ends it.",
        &[f("millis", "Milliseconds", K::Number(3000, 0, 600_000))],
    ),
    order(
        "Connection",
        "close",
        "Close",
        "Connections are closed with this code.",
        &[SESSION, f("code", "Code", K::Number(1001, 1000, 4999)), f("reason", "Reason", K::Text(""))],
    ),
    order("Connection", "drop", "Drop", "The connection ends without a close frame.", &[SESSION]),
    order(
        "Connection",
        "refuse_upgrades",
        "Refuse upgrades",
        "The next sockets are not opened.",
        &[COUNT, f("status", "Status", K::Number(403, 400, 599))],
    ),
    order("Connection", "stop_pongs", "Stop pongs", "Pings are left unanswered.", &[f("on", "On", K::Switch(true))]),
    order("Connection", "stall", "Stall", "Nothing is read from any socket.", &[f("on", "On", K::Switch(true))]),
    order(
        "Frames",
        "delay",
        "Delay",
        "Every frame comes so much later; 0 ends it.",
        &[f("millis", "Milliseconds", K::Number(1500, 0, 600_000))],
    ),
    order("Frames", "duplicate", "Duplicate", "The next frames come twice.", &[COUNT]),
    order(
        "Frames",
        "reorder",
        "Reorder",
        "The next frames come in reverse.",
        &[f("count", "Frames", K::Number(3, 1, 1000))],
    ),
    order("Frames", "malformed", "Malformed", "The next frames are cut in half.", &[COUNT]),
    order(
        "Frames",
        "send_frame",
        "Send a frame",
        "This goes to the guest as it is.",
        &[SESSION, f("frame", "Frame", K::Json(r#"{"type":"message","class":"Novelty","code":200,"body":{}}"#))],
    ),
    order(
        "Flows",
        "set_client",
        "Scopes",
        "The client has these scopes only, for tokens from now on.",
        &[f("scopes", "Scopes", K::Json(r#"["guest:create", "guest:read", "webchat:send", "user:read"]"#))],
    ),
    order(
        "Flows",
        "set_lifetimes",
        "Token lives",
        "How long tokens live from now on; what is left out stays.",
        &[
            f("oauth_secs", "Access token, seconds", K::MaybeNumber),
            f("session_token_secs", "Session token, seconds", K::MaybeNumber),
            f("guest_token_secs", "Guest token, seconds", K::MaybeNumber),
            f("signed_token_leeway_secs", "Signed token ahead, seconds", K::MaybeNumber),
            f("handshake_secs", "Handshake within, seconds", K::MaybeNumber),
        ],
    ),
    order(
        "Flows",
        "set_flows",
        "Disputed forms",
        "Which forms are taken and given; what is left out stays.",
        &[
            f(
                "send_form",
                "Form of messages",
                K::Word(&["", "any", "session_token", "bearer", "bearer_guest", "bearer_ids"]),
            ),
            f("give_guest_token", "Guest token given", K::Maybe),
            f("contact_rule", "Contact posted to", K::Word(&["", "any", "session"])),
            f("commit_millis", "Commit after, milliseconds", K::MaybeNumber),
            f(
                "guest_token_flaw",
                "Flaw of guest tokens",
                K::Word(&["", "none", "two_parts", "no_exp", "expired", "no_hints", "empty_hints"]),
            ),
        ],
    ),
    order(
        "Flows",
        "spell_conversations_id",
        "Spell conversationsId",
        "New conversations name their id so.",
        &[f("on", "On", K::Switch(true))],
    ),
    order(
        "Flows",
        "set_guest_key",
        "Set a guest key",
        "Guests' tokens signed with this key are taken.",
        &[f("kid", "Key id", K::Text("key-1")), f("public_key", "Public key, PEM", K::Text(""))],
    ),
    order(
        "Flows",
        "remove_guest_key",
        "Remove a guest key",
        "Its tokens are taken no more.",
        &[f("kid", "Key id", K::Text("key-1"))],
    ),
    order(
        "Flows",
        "expire_before_commit",
        "Expire before commit",
        "The token dies before the next posted messages are committed.",
        &[COUNT],
    ),
    order(
        "Flows",
        "refuse_session_tokens_after",
        "Refuse tokens early",
        "Session tokens are refused so long after their issue; 0 ends it.",
        &[f("seconds", "Seconds", K::Number(30, 0, 86_400))],
    ),
    order("Flows", "break_handshakes", "Break handshakes", "The next handshakes end with 1006.", &[COUNT]),
    order(
        "Flows",
        "use_keys",
        "Use up idempotency keys",
        "The next new idempotency keys were used by somebody else before.",
        &[COUNT],
    ),
    order("Flows", "forget_guests", "Forget guests", "All guests that are resources are gone.", &[]),
    order("Sign-in", "deny_sign_in", "Deny sign-ins", "The next people who sign in are denied.", &[COUNT]),
    order(
        "Sign-in",
        "set_sign_in",
        "Change sign-in",
        "Redirect URIs that are registered (none: any of this computer), refresh tokens, life of a code.",
        &[
            f("redirect_uris", "Redirect URIs", K::Json("[]")),
            f("refresh_tokens", "Refresh tokens for all", K::Maybe),
            f("code_secs", "Life of a code, seconds", K::MaybeNumber),
        ],
    ),
    order(
        "Sign-in",
        "revoke_user_tokens",
        "Revoke a user's tokens",
        "All that the user got by signing in is dead now.",
        &[f("user", "User", K::Text("agent1@sandbox.invalid"))],
    ),
    order(
        "Sign-in",
        "set_permissions",
        "Take permissions away",
        "The user has all permissions but these.",
        &[
            f("user", "User", K::Text("agent1@sandbox.invalid")),
            f("without", "Without", K::Json("[\"conversation:message:create\"]")),
        ],
    ),
    order(
        "Agents",
        "set_queue",
        "Change a queue",
        "How long an alert rings, and whether work must be wrapped up; the first queue where none is named.",
        &[
            f("queue", "Queue, by name or id", K::Optional("")),
            f("alerting_timeout_ms", "Alert rings, milliseconds", K::MaybeNumber),
            f("wrapup_prompt", "Wrap-up", K::Word(&["", "OPTIONAL", "MANDATORY"])),
        ],
    ),
    order(
        "Agents",
        "set_platform",
        "Change the agents' side",
        "Switches of conversations and notifications; what is left out stays.",
        &[
            f("heartbeat_secs", "Heartbeat every, seconds", K::MaybeNumber),
            f("channel_hours", "Channel life, hours", K::MaybeNumber),
            f("threading_hours", "Threading window, hours", K::MaybeNumber),
            f("capacity", "Conversations of an agent", K::MaybeNumber),
            f("text_chars", "Longest text, characters", K::MaybeNumber),
            f("typing_per_minute", "Typing per minute", K::MaybeNumber),
            f("snapshot_messages", "Messages in a notification", K::MaybeNumber),
        ],
    ),
    order(
        "Agents",
        "lose_message",
        "Lose messages",
        "The other end never sees the next messages of guests (inbound) or agents (outbound).",
        &[COUNT, WAY],
    ),
    order("Agents", "alter_text", "Alter texts", "The other end reads another text than was sent.", &[COUNT, WAY]),
    order(
        "Agents",
        "duplicate_message",
        "Duplicate messages",
        "The other end sees the next messages twice, under two ids.",
        &[COUNT, WAY],
    ),
    order(
        "Notifications",
        "socket_closing",
        "Announce maintenance",
        "Notification sockets are told that they close, and then are closed.",
        &[f("seconds", "In seconds", K::Number(60, 0, 3600))],
    ),
    order(
        "Notifications",
        "stop_heartbeats",
        "Stop heartbeats",
        "Notification sockets fall silent.",
        &[f("on", "On", K::Switch(true))],
    ),
    order(
        "Notifications",
        "evict_channel",
        "Evict a channel",
        "It is gone, as a rule without a word; the newest where none is named.",
        &[
            f("channel", "Channel, by its short id", K::Optional("")),
            f("told", "Its sockets are told", K::Switch(false)),
        ],
    ),
    order(
        "Notifications",
        "reject_topics",
        "Reject topics",
        "Those whose names contain one of these; an empty list ends it.",
        &[f("topics", "Topics", K::Json("[\".conversations\"]"))],
    ),
    order(
        "Notifications",
        "drop_notifications",
        "Lose notifications",
        "The next notifications are lost on their way.",
        &[COUNT],
    ),
    order(
        "Notifications",
        "reorder_notifications",
        "Reverse notifications",
        "The next notifications are held, then sent last first.",
        &[COUNT],
    ),
    order(
        "Notifications",
        "repeat_snapshots",
        "Repeat snapshots",
        "The next states of conversations come twice.",
        &[COUNT],
    ),
    order(
        "Notifications",
        "late_snapshots",
        "Delay snapshots",
        "The next states of conversations come late; newer ones overtake them.",
        &[COUNT, f("millis", "Milliseconds", K::Number(2000, 0, 600_000))],
    ),
    order(
        "Deployment",
        "set_deployment",
        "Change deployment",
        "Switches of the deployment; what is left out stays.",
        &[
            f("active", "Active", K::Maybe),
            f("auto_start", "Auto-start", K::Maybe),
            f("conversation_clear", "Clear allowed", K::Maybe),
            f("conversation_disconnect", "On disconnect", K::Word(&["", "off", "send", "read_only"])),
            f("typing", "Typing shown", K::Maybe),
            f("file_upload", "Uploads allowed", K::Maybe),
            f("allow_all_domains", "All domains allowed", K::Maybe),
            f("max_file_size_kb", "Largest file, kB", K::MaybeNumber),
            f("session_secs", "Session life, seconds", K::MaybeNumber),
            f("link_secs", "Link life, seconds", K::MaybeNumber),
            f("idle_secs", "Idle close after, seconds", K::MaybeNumber),
            f("auth_enabled", "Guests may sign in", K::Maybe),
            f("auth_allow_session_upgrade", "Session upgrade allowed", K::Maybe),
            f("auth_jwt_secs", "Sign-in's life, seconds", K::MaybeNumber),
            f("auth_refresh_rotates", "Refresh tokens rotate", K::Maybe),
            f("partner", "Who answers", K::Word(&["", "auto", "bot", "agents"])),
        ],
    ),
    order(
        "Deployment",
        "set_limits",
        "Change limits",
        "Rate and size limits; what is left out stays.",
        &[
            f("messages_per_second", "Messages per second", K::MaybeNumber),
            f("requests_per_minute", "Requests per minute", K::MaybeNumber),
            f("message_bytes", "Bytes of a message", K::MaybeNumber),
            f("attribute_bytes", "Bytes of attributes", K::MaybeNumber),
            f("connections_per_session", "Connections per session", K::MaybeNumber),
            f("requests_per_token_minute", "API requests per token and minute", K::MaybeNumber),
        ],
    ),
    order("Deployment", "reset", "Reset everything", "Forget all faults and sessions.", &[]),
];

/// What stands in a field first.
pub fn first(kind: Kind) -> String {
    match kind {
        K::Number(n, ..) => n.to_string(),
        K::Text(t) | K::Optional(t) | K::Json(t) => t.to_owned(),
        K::Switch(on) => on.to_string(),
        K::Word(words) => words.first().copied().unwrap_or_default().to_owned(),
        K::MaybeNumber | K::Maybe | K::Session => String::new(),
    }
}

/// Makes the order from what stands in its fields, or says which field is wrong.
pub fn build(form: &OrderForm, values: &[String]) -> Result<Order, String> {
    let mut map = Map::new();
    map.insert("do".into(), Value::from(form.key));
    for (field, text) in form.fields.iter().zip(values) {
        let text = text.trim();
        let value = match field.kind {
            K::Number(_, low, high) => {
                let n: i64 = text.parse().map_err(|_| format!("{} must be a whole number.", field.title))?;
                if !(low..=high).contains(&n) {
                    return Err(format!("{} must be between {low} and {high}.", field.title));
                }
                Value::from(n)
            }
            K::MaybeNumber | K::Optional(_) | K::Session | K::Maybe | K::Word(_) if text.is_empty() => continue,
            K::MaybeNumber => {
                Value::from(text.parse::<u32>().map_err(|_| format!("{} must be a whole number.", field.title))?)
            }
            K::Text(_) | K::Optional(_) | K::Word(_) | K::Session => Value::from(text),
            K::Json(_) => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
            K::Switch(_) | K::Maybe => Value::from(text == "true"),
        };
        map.insert(field.key.into(), value);
    }
    Order::parse(&Value::Object(map).to_string())
}

/// The word of an order in its JSON.
pub fn order_name(order: &Order) -> String {
    let value = serde_json::to_value(order).unwrap_or(Value::Null);
    value.get("do").and_then(Value::as_str).unwrap_or("order").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn defaults(form: &OrderForm) -> Vec<String> {
        form.fields.iter().map(|f| first(f.kind)).collect()
    }

    #[test]
    fn every_form_makes_its_order_as_it_stands() {
        for form in FORMS {
            let order = build(form, &defaults(form)).unwrap_or_else(|e| panic!("{}: {e}", form.key));
            assert_eq!(order_name(&order), form.key);
        }
    }

    #[test]
    fn every_order_has_one_form() {
        // The reader of orders names all that it knows when it meets an unknown one.
        let error = serde_json::from_str::<Order>(r#"{"do":"?"}"#).unwrap_err().to_string();
        let known: BTreeSet<&str> = error.split('`').skip(3).step_by(2).collect();
        let forms: BTreeSet<&str> = FORMS.iter().map(|f| f.key).collect();
        assert!(known.len() > 20, "{error}");
        assert_eq!(forms, known);
        assert_eq!(forms.len(), FORMS.len());
    }

    #[test]
    fn wrong_fields_are_named() {
        let form = FORMS.iter().find(|f| f.key == "delay").unwrap();
        assert!(build(form, &["x".into()]).unwrap_err().contains("Milliseconds"));
        assert!(build(form, &["-1".into()]).unwrap_err().contains("between"));
        let frame = FORMS.iter().find(|f| f.key == "send_frame").unwrap();
        let order = build(frame, &["s1".into(), "{oops".into()]).unwrap();
        assert_eq!(serde_json::to_value(order).unwrap()["frame"], "{oops");
    }

    #[test]
    fn every_field_of_every_order_is_accepted_when_filled() {
        for form in FORMS {
            let filled: Vec<String> = form
                .fields
                .iter()
                .map(|f| match f.kind {
                    K::Optional(_) => "x".into(),
                    K::MaybeNumber => "5".into(),
                    K::Maybe => "true".into(),
                    K::Session => "s1".into(),
                    K::Word(words) => words.last().copied().unwrap_or_default().to_owned(),
                    kind => first(kind),
                })
                .collect();
            build(form, &filled).unwrap_or_else(|e| panic!("{}: {e}", form.key));
        }
    }
}
