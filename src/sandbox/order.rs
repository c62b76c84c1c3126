//! What a sandbox can be told to do, by REST and from the window alike.
//!
//! `POST {control}` with one order as JSON (`content-type: application/json`) answers 200 with the new
//! [`Status`](super::Status), or 400 with `{"error": "…"}` naming the field at fault. `GET {control}` answers the
//! status. Examples:
//!
//! ```json
//! {"do": "refuse_sends", "count": 2, "code": 4011, "text": "too long"}
//! {"do": "expire_token", "token": "jwt", "in_seconds": 10}
//! {"do": "close", "session": "s1", "code": 1001, "reason": "maintenance"}
//! {"do": "send_frame", "frame": {"type": "message", "class": "Novelty", "code": 200, "body": {}}}
//! {"do": "set_deployment", "conversation_clear": false}
//! {"do": "refuse_requests", "count": 3, "status": 429, "path": "/messages", "text": "slow down"}
//! {"do": "slow_requests", "count": 1, "millis": 800, "before": true}
//! {"do": "set_sign_in", "redirect_uris": ["http://localhost:8400/callback"]}
//! {"do": "set_client", "scopes": ["guest:create", "guest:read"]}
//! {"do": "set_queue", "queue": "Sandbox sales", "alerting_timeout_ms": 5000, "wrapup_prompt": "MANDATORY"}
//! {"do": "lose_message", "count": 1, "way": "outbound"}
//! ```
//!
//! Sessions and connections go by the short ids of the status: `s1` of web messaging, `x2` of external contacts, `g3`
//! of guests that are resources, `n5` of notification channels, `c4`. Where `session` is left out, an order that breaks something means all, and one
//! that says something means the newest.
//! Lifetimes go by the clock that the sandbox was given; pauses (`delay`, `hold_session_response`, the partner's
//! typing) by the computer's own.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::deployment::{DeploymentChange, LimitChange};
use super::flows::{FlowChange, LifetimeChange, Scopes};
use super::oauth::SignInChange;
use super::platform::{PlatformChange, WrapupPrompt};

/// An order. Counted faults add up to no more than [`MOST`] and end by themselves; switches last until they are
/// turned off or [`Order::Reset`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Forget all faults and sessions, close their connections, and set the deployment and limits as at the start.
    Reset,
    /// Let a token die: `"oauth"`, `"jwt"`, `"session-token"`, `"guest-token"`, `"guest-auth"` or `"guest-refresh"`
    /// for all of a kind, or one by its id in the status, or those of a user by id or e-mail address.
    ExpireToken {
        token: String,
        /// Now where left out.
        #[serde(default)]
        in_seconds: Option<u32>,
    },
    /// Let a session die, whatever is said in it meanwhile.
    ExpireSession {
        #[serde(default)]
        session: Option<String>,
        /// Now where left out.
        #[serde(default)]
        in_seconds: Option<u32>,
    },
    /// Answer the next `count` guest messages with this error code.
    RefuseSends {
        count: u32,
        code: u16,
        #[serde(default)]
        text: Option<String>,
    },
    /// Answer the next `count` sign-ins on a socket (configureAuthenticatedSession) with this error code.
    RefuseGuestAuth {
        count: u32,
        code: u16,
        #[serde(default)]
        text: Option<String>,
    },
    /// Answer the next `count` guest messages with 429.
    RateLimitSends {
        count: u32,
        /// Seconds.
        retry_after: u32,
    },
    /// Close connections with this WebSocket code (1000 to 4999) and reason (at most 123 bytes).
    Close {
        #[serde(default)]
        session: Option<String>,
        #[serde(default)]
        conn: Option<String>,
        code: u16,
        #[serde(default)]
        reason: String,
    },
    /// End the TCP connection without a close frame.
    Drop {
        #[serde(default)]
        session: Option<String>,
        #[serde(default)]
        conn: Option<String>,
    },
    /// Leave pings unanswered.
    StopPongs { on: bool },
    /// Read nothing from any socket; sending goes on.
    Stall { on: bool },
    /// Send every frame so much later; 0 ends it.
    Delay { millis: u32 },
    /// Send each of the next `count` frames twice.
    Duplicate { count: u32 },
    /// Hold the next `count` frames, then send them in reverse.
    Reorder { count: u32 },
    /// Send this: a JSON value as its text, or a string as it is.
    SendFrame {
        #[serde(default)]
        session: Option<String>,
        frame: Value,
    },
    /// Speak as the agent.
    Say {
        #[serde(default)]
        session: Option<String>,
        text: String,
    },
    /// Show the agent typing.
    Typing {
        #[serde(default)]
        session: Option<String>,
    },
    /// End the conversation from the agent's side.
    Disconnect {
        #[serde(default)]
        session: Option<String>,
        /// As the deployment says where left out.
        #[serde(default)]
        read_only: Option<bool>,
    },
    /// Answer the next `count` socket upgrades with this HTTP status (400 to 599).
    RefuseUpgrades { count: u32, status: u16 },
    /// Answer the next `count` requests to the API and the token endpoint with this HTTP status (400 to 599).
    RefuseRequests {
        count: u32,
        status: u16,
        /// Seconds, as a `Retry-After` header.
        #[serde(default)]
        retry_after: Option<u32>,
        /// Only requests whose path contains this; the broker and the CRM as well. Such orders stand side by side
        /// and come one after the other; a count of 0 ends those of this path.
        #[serde(default)]
        path: Option<String>,
        /// The message.
        #[serde(default)]
        text: Option<String>,
        /// Carry the request out all the same: only its answer is lost, as behind a gateway that waits no longer.
        #[serde(default)]
        after: bool,
    },
    /// Answer the next `count` requests so much later; 0 ends it.
    SlowRequests {
        count: u32,
        millis: u32,
        /// Look at the request only then, as behind a queue; otherwise only the answer is late.
        #[serde(default)]
        before: bool,
        /// Only requests whose path contains this.
        #[serde(default)]
        path: Option<String>,
    },
    /// Cut each of the next `count` frames in half, so that they are not JSON.
    Malformed { count: u32 },
    /// Send every `SessionResponse` so much later; 0 ends it.
    HoldSessionResponse { millis: u32 },
    /// Take the next `count` guest messages without echoing them to anybody.
    DropEcho { count: u32 },
    /// Make all download links that were given out so far stale.
    StaleLinks,
    /// Report every upload as failed with this code (e.g. 4003); 0 ends it.
    RejectUpload { code: u16 },
    /// Change switches of the deployment.
    SetDeployment(DeploymentChange),
    /// Change limits.
    SetLimits(LimitChange),
    /// Let the server's clock be wrong by so many seconds.
    ClockSkew { seconds: i32 },
    /// Keep the scripted partner quiet.
    PausePartner { on: bool },
    /// Let the client have these scopes only, for tokens from now on.
    SetClient { scopes: Vec<String> },
    /// Change how long tokens live from now on.
    SetLifetimes(LifetimeChange),
    /// Change switches of the flows.
    SetFlows(FlowChange),
    /// Call the id of a session-token conversation `conversationsId`.
    SpellConversationsId { on: bool },
    /// Take tokens of guests that were signed with this key, beside those of other keys.
    SetGuestKey {
        kid: String,
        /// SPKI in PEM: RSA with at least 2048 bits. Left out: the one that the kid had before it was removed or
        /// replaced.
        #[serde(default)]
        public_key: Option<String>,
    },
    /// Take no tokens of this key any more.
    RemoveGuestKey { kid: String },
    /// Let the handshake's token die between taking and committing each of the next `count` messages to external
    /// contacts.
    ExpireBeforeCommit { count: u32 },
    /// Refuse a session token so long after its issue, though it says that it lives longer; 0 ends it.
    RefuseSessionTokensAfter { seconds: u32 },
    /// End the next `count` handshakes on sockets of contacts and guests without a close frame.
    BreakHandshakes { count: u32 },
    /// Forget all guests that are resources.
    ForgetGuests,
    /// Let the next `count` new idempotency keys have been used by somebody else before, for another body.
    UseKeys { count: u32 },
    /// Change a queue, by its id or name; the first where left out.
    SetQueue {
        #[serde(default)]
        queue: Option<String>,
        #[serde(default)]
        alerting_timeout_ms: Option<u32>,
        #[serde(default)]
        wrapup_prompt: Option<WrapupPrompt>,
    },
    /// Change switches of the agents' side.
    SetPlatform(PlatformChange),
    /// Announce the end of all notification sockets, and close them so much later.
    SocketClosing { seconds: u32 },
    /// Send no heartbeats on notification sockets.
    StopHeartbeats { on: bool },
    /// Take a notification channel away, as a rule without a word: by its id, or its short id in the status; the newest
    /// where left out.
    EvictChannel {
        #[serde(default)]
        channel: Option<String>,
        /// Tell its sockets that another channel took its place.
        #[serde(default)]
        told: bool,
    },
    /// Reject topics whose names contain one of these; none ends it.
    RejectTopics { topics: Vec<String> },
    /// Lose each of the next `count` notifications on its way.
    DropNotifications { count: u32 },
    /// Hold the next `count` notifications, then send them in reverse.
    ReorderNotifications { count: u32 },
    /// Send each of the next `count` states of a conversation twice.
    RepeatSnapshots { count: u32 },
    /// Send each of the next `count` states of a conversation so much later; newer ones overtake them.
    LateSnapshots { count: u32, millis: u32 },
    /// Lose each of the next `count` messages between guest and agent: `inbound` ones of guests, which the agent never
    /// sees, or `outbound` ones of agents.
    LoseMessage {
        count: u32,
        #[serde(default)]
        way: MessageWay,
    },
    /// Let the other end read another text, as above.
    AlterText {
        count: u32,
        #[serde(default)]
        way: MessageWay,
    },
    /// Let the other end see a message twice, under two ids, as above.
    DuplicateMessage {
        count: u32,
        #[serde(default)]
        way: MessageWay,
    },
    /// End all tokens that a user got by signing in. The user goes by id or e-mail address.
    RevokeUserTokens { user: String },
    /// Let the next `count` people who sign in be denied.
    DenySignIn { count: u32 },
    /// Change switches of signing in.
    SetSignIn(SignInChange),
    /// From now on let the user have all permissions but these, such as `conversation:message:create`.
    SetPermissions { user: String, without: Vec<String> },
}

/// Which messages between guest and agent, from the platform's viewpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageWay {
    /// Of guests.
    #[default]
    Inbound,
    /// Of agents.
    Outbound,
}

/// The highest count that an order takes.
pub const MOST: u32 = 1000;
/// The longest delay in milliseconds.
const LATEST: u32 = 600_000;

impl Order {
    /// Reads an order, or says which field is at fault.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|e| format!("The order is not JSON: {e}"))?;
        let Value::Object(members) = &value else {
            return Err("The order must be a JSON object with the member “do”.".to_owned());
        };
        if !members.contains_key("do") {
            return Err("The member “do” is missing: it names the order.".to_owned());
        }
        let order = match serde_json::from_value::<Self>(value.clone()) {
            Ok(order) => order,
            Err(e) => {
                let text = e.to_string();
                return Err(match culprit(&value, &text) {
                    Some(field) => format!("{field}: {text}"),
                    None => text,
                });
            }
        };
        // An order without members lets any through by itself.
        let bare = matches!(order, Self::Reset | Self::StaleLinks | Self::ForgetGuests);
        if let Some(extra) = members.keys().find(|k| bare && *k != "do") {
            return Err(format!("{extra}: this order has no such member"));
        }
        order.check()?;
        Ok(order)
    }

    /// What no type can hold: ranges.
    pub fn check(&self) -> Result<(), String> {
        let count = match self {
            Self::RefuseSends { count, .. }
            | Self::RefuseGuestAuth { count, .. }
            | Self::RateLimitSends { count, .. }
            | Self::Duplicate { count }
            | Self::Reorder { count }
            | Self::RefuseUpgrades { count, .. }
            | Self::RefuseRequests { count, .. }
            | Self::SlowRequests { count, .. }
            | Self::ExpireBeforeCommit { count }
            | Self::BreakHandshakes { count }
            | Self::UseKeys { count }
            | Self::DropNotifications { count }
            | Self::ReorderNotifications { count }
            | Self::RepeatSnapshots { count }
            | Self::LateSnapshots { count, .. }
            | Self::LoseMessage { count, .. }
            | Self::AlterText { count, .. }
            | Self::DuplicateMessage { count, .. }
            | Self::DenySignIn { count }
            | Self::Malformed { count }
            | Self::DropEcho { count } => *count,
            _ => 0,
        };
        if count > MOST {
            return Err(format!("count: {count} is more than {MOST}"));
        }
        match self {
            Self::Close { code, .. } if !(1000..5000).contains(code) => {
                Err(format!("code: {code} is not between 1000 and 4999"))
            }
            Self::Close { reason, .. } if reason.len() > 123 => {
                Err(format!("reason: {} bytes are more than the 123 of a close frame", reason.len()))
            }
            Self::RefuseUpgrades { status, .. } | Self::RefuseRequests { status, .. }
                if !(400..600).contains(status) =>
            {
                Err(format!("status: {status} is not between 400 and 599"))
            }
            Self::RefuseRequests { path: Some(path), .. } | Self::SlowRequests { path: Some(path), .. }
                if path.is_empty() =>
            {
                Err("path: it is empty, which is in every path; leave it out instead".to_owned())
            }
            Self::SlowRequests { millis, .. } | Self::LateSnapshots { millis, .. } if *millis > LATEST => {
                Err(format!("millis: {millis} is more than {LATEST}"))
            }
            Self::SetFlows(FlowChange { commit_millis: Some(millis), .. }) if *millis > LATEST => {
                Err(format!("commit_millis: {millis} is more than {LATEST}"))
            }
            Self::SetQueue { alerting_timeout_ms: Some(0), .. } => {
                Err("alerting_timeout_ms: 0 leaves no time to answer".to_owned())
            }
            Self::RejectTopics { topics } if topics.iter().any(String::is_empty) => {
                Err("topics: one is empty, which is in every name".to_owned())
            }
            Self::SetClient { scopes } => match scopes.iter().find(|s| !Scopes::is_known(s)) {
                Some(unknown) => Err(format!("scopes: there is no “{unknown}”")),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

/// The member without which the error would be another. An internally tagged enum loses it.
fn culprit(order: &Value, error: &str) -> Option<String> {
    let members = order.as_object()?;
    members.keys().filter(|k| *k != "do").find_map(|key| {
        let mut rest = members.clone();
        rest.remove(key);
        match serde_json::from_value::<Order>(Value::Object(rest)) {
            Err(e) if e.to_string() == error => None,
            _ => Some(key.clone()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_field() {
        let error = |text: &str| Order::parse(text).unwrap_err();
        for (text, part) in [
            ("{", "not JSON"),
            ("[]", "object"),
            ("{}", "“do”"),
            (r#"{"do":"dance"}"#, "dance"),
            (r#"{"do":"delay"}"#, "millis"),
            (r#"{"do":"delay","millis":"x"}"#, "millis: "),
            (r#"{"do":"delay","millis":-1}"#, "millis: "),
            (r#"{"do":"delay","millis":1,"extra":2}"#, "extra"),
            (r#"{"do":"reset","extra":2}"#, "extra: "),
            (r#"{"do":"refuse_sends","count":1,"code":70000}"#, "code: "),
            (r#"{"do":"duplicate","count":1001}"#, "count: "),
            (r#"{"do":"close","code":999}"#, "code: "),
            (r#"{"do":"refuse_upgrades","count":1,"status":200}"#, "status: "),
            (r#"{"do":"set_deployment","auto_start":3}"#, "auto_start: "),
            (r#"{"do":"set_deployment","nonsense":true}"#, "nonsense"),
            (r#"{"do":"refuse_requests","count":1,"status":401,"path":""}"#, "path: "),
            (r#"{"do":"slow_requests","count":1,"millis":600001}"#, "millis: "),
            (r#"{"do":"set_client","scopes":["guest:create","nonsense"]}"#, "scopes: "),
            (r#"{"do":"set_flows","send_form":"e"}"#, "send_form: "),
            (r#"{"do":"set_flows","commit_millis":600001}"#, "commit_millis: "),
            (r#"{"do":"set_lifetimes","oauth_secs":-1}"#, "oauth_secs: "),
            (r#"{"do":"forget_guests","extra":2}"#, "extra: "),
            (r#"{"do":"deny_sign_in","count":1001}"#, "count: "),
            (r#"{"do":"set_sign_in","redirect_uris":3}"#, "redirect_uris: "),
        ] {
            assert!(error(text).contains(part), "{text}: {}", error(text));
        }
    }

    #[test]
    fn orders_read_back_as_they_are_written() {
        for text in [
            r#"{"do":"reset"}"#,
            r#"{"do":"expire_token","token":"jwt","in_seconds":5}"#,
            r#"{"do":"close","session":"s1","conn":null,"code":4001,"reason":"x"}"#,
            r#"{"do":"send_frame","session":null,"frame":{"a":[1,null]}}"#,
        ] {
            let order = Order::parse(text).unwrap();
            let again = serde_json::to_string(&order).unwrap();
            assert_eq!(Order::parse(&again).unwrap(), order);
            assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        }
        assert!(matches!(
            Order::parse(r#"{"do":"set_deployment","active":false}"#).unwrap(),
            Order::SetDeployment(DeploymentChange { active: Some(false), .. })
        ));
    }
}
