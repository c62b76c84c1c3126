//! Settings of the flows that no primary source of the vendor documents: where they call, when they renew, what they
//! check. Each value is what the flow's description says; an environment may override any of them.
//!
//! A path may hold names in braces (`{conversationId}`), which are filled in. It is put behind the environment's base
//! address; one that begins with `http` or `ws` stands for itself.

use serde::{Deserialize, Serialize};

/// All of them, by the dialect's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flows {
    pub session_token: SessionTokenFlow,
    pub external_contact: ExternalContactFlow,
    pub signed_guest: SignedGuestFlow,
    pub managed_conversation: ManagedConversationFlow,
    pub guest_resource: GuestResourceFlow,
    pub webhook: Webhook,
}

/// How an OAuth token is got for a flow.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OauthUse {
    /// Two are in use: `/oauth/token` and `/api/v2/oauth/token`. The first stands on the login host, the second on the
    /// API's.
    pub path: String,
    /// Asked for, separated by spaces; empty for none.
    pub scope: String,
    /// Renewed this early, in seconds.
    pub early_secs: u32,
    /// Asked for so often in a row, the first time included.
    pub tries: u32,
}

impl Default for OauthUse {
    fn default() -> Self {
        Self { path: LOGIN_TOKEN.to_owned(), scope: String::new(), early_secs: 60, tries: 6 }
    }
}

const LOGIN_TOKEN: &str = "/oauth/token";
const API_TOKEN: &str = "/api/v2/oauth/token";

fn oauth(path: &str, scope: &str, early_secs: u32) -> OauthUse {
    OauthUse { path: path.to_owned(), scope: scope.to_owned(), early_secs, ..OauthUse::default() }
}

/// The form in which a message is sent; descriptions dispute it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SendForm {
    /// `{text, sessionToken}`.
    TokenInBody,
    /// `{text, type}` with the OAuth token as bearer.
    #[default]
    TextWithBearer,
    /// `{type, text, guestId}` with the OAuth token as bearer.
    GuestIdWithBearer,
    /// `{type, text, conversationId, guestId}` with the OAuth token as bearer.
    BothIdsWithBearer,
    /// The session token as bearer: known to be refused with 400, to be tried on purpose.
    TokenAsBearer,
}

impl SendForm {
    pub const ALL: [Self; 5] = [
        Self::TokenInBody,
        Self::TextWithBearer,
        Self::GuestIdWithBearer,
        Self::BothIdsWithBearer,
        Self::TokenAsBearer,
    ];

    /// For people: the letter by which it is spoken of, and what goes over the wire.
    pub fn title(self) -> &'static str {
        match self {
            Self::TokenInBody => "(a) text and sessionToken in the body",
            Self::TextWithBearer => "(b) text, OAuth bearer",
            Self::GuestIdWithBearer => "(c) text and guestId, OAuth bearer",
            Self::BothIdsWithBearer => "(d) text and both ids, OAuth bearer",
            Self::TokenAsBearer => "session token as bearer (refused with 400)",
        }
    }

    /// For the record of the call.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::TokenInBody => "message, form (a)",
            Self::TextWithBearer => "message, form (b)",
            Self::GuestIdWithBearer => "message, form (c)",
            Self::BothIdsWithBearer => "message, form (d)",
            Self::TokenAsBearer => "message, session token as bearer",
        }
    }

    /// The OAuth token goes with it as bearer.
    pub fn has_oauth(self) -> bool {
        matches!(self, Self::TextWithBearer | Self::GuestIdWithBearer | Self::BothIdsWithBearer)
    }
}

/// How the session token is renewed; descriptions dispute it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefreshForm {
    /// `POST …/{conversationId}/guests/{guestId}/refresh`.
    #[default]
    GuestRefresh,
    /// `POST …/{conversationId}/guest-token` with both ids in the body.
    GuestToken,
}

impl RefreshForm {
    pub const ALL: [Self; 2] = [Self::GuestRefresh, Self::GuestToken];

    pub fn title(self) -> &'static str {
        match self {
            Self::GuestRefresh => "guests/{guestId}/refresh",
            Self::GuestToken => "guest-token with both ids",
        }
    }

    pub fn purpose(self) -> &'static str {
        match self {
            Self::GuestRefresh => "refresh, guests/refresh",
            Self::GuestToken => "refresh, guest-token",
        }
    }
}

/// Conversation REST with a session token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionTokenFlow {
    pub oauth: OauthUse,
    pub create_path: String,
    pub send_path: String,
    pub refresh_path: String,
    pub guest_token_path: String,
    pub send_form: SendForm,
    pub refresh_form: RefreshForm,
    /// Before a message leaves, the session token is renewed when less than this is left; zero switches that off.
    pub preflight_secs: u32,
    /// After a 401 the token is renewed and the message sent once more.
    pub refresh_after_401: bool,
    /// Life of a token that does not tell its own.
    pub token_life_secs: u32,
    pub backoff_first_millis: u32,
    pub backoff_longest_millis: u32,
    /// Further tries after the first.
    pub retries: u32,
}

impl Default for SessionTokenFlow {
    fn default() -> Self {
        Self {
            oauth: oauth(LOGIN_TOKEN, "webmessaging:conversation:write", 60),
            create_path: "/api/v2/webmessaging/conversations".into(),
            send_path: "/api/v2/webmessaging/conversations/{conversationId}/messages".into(),
            refresh_path: "/api/v2/webmessaging/conversations/{conversationId}/guests/{guestId}/refresh".into(),
            guest_token_path: "/api/v2/webmessaging/conversations/{conversationId}/guest-token".into(),
            send_form: SendForm::default(),
            refresh_form: RefreshForm::default(),
            preflight_secs: 60,
            refresh_after_401: true,
            token_life_secs: 900,
            backoff_first_millis: 100,
            backoff_longest_millis: 5000,
            retries: 5,
        }
    }
}

/// Where the token of a handshake stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HandshakeToken {
    /// `Authorization: Bearer`.
    #[default]
    Header,
    /// `?token=` in the address, as a browser has to.
    Query,
}

/// Who renews the token of the socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RenewBy {
    /// A POST to the messages path with nothing but `expires_in`.
    #[default]
    Messages,
    /// A fresh token from the credential (client credentials or broker), then a new socket.
    Credential,
    /// Nobody: the token dies.
    Nobody,
}

impl RenewBy {
    pub const ALL: [Self; 3] = [Self::Messages, Self::Credential, Self::Nobody];

    pub fn title(self) -> &'static str {
        match self {
            Self::Messages => "POST to the messages path",
            Self::Credential => "the credential",
            Self::Nobody => "nobody",
        }
    }
}

/// External-contact socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExternalContactFlow {
    pub oauth: OauthUse,
    pub socket_path: String,
    pub send_path: String,
    pub handshake_token: HandshakeToken,
    pub renew_by: RenewBy,
    /// Renewed this long before `expires_in` is over.
    pub early_secs: u32,
    /// Life asked for when renewing.
    pub expires_in_secs: u32,
    /// A socket that closes this soon after a message was accepted has lost that message.
    pub commit_millis: u32,
    /// Open the socket again after an unexpected end, with a fresh token where the old one is dead.
    pub reconnect: bool,
}

impl Default for ExternalContactFlow {
    fn default() -> Self {
        Self {
            oauth: oauth(LOGIN_TOKEN, "", 30),
            socket_path: "/api/v2/conversations/messaging/external/contacts".into(),
            send_path: "/api/v2/conversations/messaging/external/contacts/{contactId}/messages".into(),
            handshake_token: HandshakeToken::default(),
            renew_by: RenewBy::default(),
            early_secs: 30,
            expires_in_secs: 3600,
            commit_millis: 2000,
            reconnect: true,
        }
    }
}

/// Signed guest: the guest's token is made here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignedGuestFlow {
    pub oauth: OauthUse,
    pub queue_path: String,
    pub contact_path: String,
    pub conversation_path: String,
    /// Life of a signed token.
    pub token_life_secs: u32,
    /// Largest `customAttributes` with the token in it, in bytes of JSON.
    pub attribute_bytes: u32,
    pub retries: u32,
    pub retry_first_millis: u32,
    pub retry_longest_millis: u32,
}

impl Default for SignedGuestFlow {
    fn default() -> Self {
        Self {
            oauth: oauth(API_TOKEN, "externalcontacts:create conversations:messaging", 60),
            queue_path: "/api/v2/routing/queues/{queueId}".into(),
            contact_path: "/api/v2/externalcontacts/contacts".into(),
            conversation_path: "/api/v2/conversations/messaging".into(),
            token_life_secs: 300,
            attribute_bytes: 10_240,
            retries: 3,
            retry_first_millis: 1000,
            retry_longest_millis: 5000,
        }
    }
}

/// Managed conversation, kept alive by heartbeats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ManagedConversationFlow {
    pub oauth: OauthUse,
    pub create_path: String,
    pub conversation_path: String,
    /// Sessions at once.
    pub most_sessions: u32,
    pub longest_secs: u32,
    pub required_capabilities: Vec<String>,
    /// A heartbeat every so often, or every so-and-so-many-th part of the session's length, whichever is shorter.
    pub heartbeat_secs: u32,
    pub heartbeat_parts: u32,
    /// So many failures in a row end the session.
    pub heartbeat_failures: u32,
    pub retries: u32,
    pub retry_first_millis: u32,
}

impl Default for ManagedConversationFlow {
    fn default() -> Self {
        Self {
            oauth: oauth(LOGIN_TOKEN, "conversation:write conversation:view webchat:write", 5),
            create_path: "/api/v2/conversations/messaging".into(),
            conversation_path: "/api/v2/conversations/messaging/{conversationId}".into(),
            most_sessions: 500,
            longest_secs: 2700,
            required_capabilities: vec!["typing-indicator".into(), "read-receipts".into()],
            heartbeat_secs: 30,
            heartbeat_parts: 10,
            heartbeat_failures: 3,
            retries: 3,
            retry_first_millis: 1000,
        }
    }
}

/// Guest resource with a handshake socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuestResourceFlow {
    pub oauth: OauthUse,
    pub create_path: String,
    pub guest_path: String,
    pub socket_path: String,
    /// Largest `attributes`, in bytes of JSON.
    pub attribute_bytes: u32,
    /// A kept session is resumed only where more than this is left of its token.
    pub resume_secs: u32,
    pub requests_per_minute: u32,
    /// After a 429 without `Retry-After`.
    pub retry_after_secs: u32,
    pub retries: u32,
    pub close_reason: String,
}

impl Default for GuestResourceFlow {
    fn default() -> Self {
        Self {
            oauth: OauthUse { tries: 3, ..oauth(LOGIN_TOKEN, "guest:create guest:read webchat:send user:read", 30) },
            create_path: "/api/v2/guests".into(),
            guest_path: "/api/v2/guests/{guestId}".into(),
            socket_path: "/api/v2/guests/{guestId}/sessions/{sessionId}/ws".into(),
            attribute_bytes: 10_240,
            resume_secs: 300,
            requests_per_minute: 200,
            retry_after_secs: 2,
            retries: 3,
            close_reason: "Widget disconnect".into(),
        }
    }
}

/// Where session events are told to a customer system; empty for nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhook {
    pub url: String,
    /// It is given up after this long; the session goes on all the same.
    pub within_millis: u32,
}

impl Default for Webhook {
    fn default() -> Self {
        Self { url: String::new(), within_millis: 3000 }
    }
}

/// What a guest's session is made with. A dialect uses what it needs; empty fields mean the flow's own default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuestForm {
    /// Who the guest is to the caller's own system.
    pub guest_id: String,
    pub name: String,
    pub queue_id: String,
    pub skill: String,
    pub language: String,
    pub locale: String,
    /// Where messages go by REST; empty for the session id that the greeting tells.
    pub contact_id: String,
    /// The member `to` of a message.
    pub to: String,
    pub capabilities: Option<Vec<String>>,
    /// Length of the session, in seconds.
    pub duration_secs: Option<u32>,
    pub attributes: Vec<(String, String)>,
    /// Does not resume a kept session.
    pub fresh: bool,
}

/// Fills the names in braces of a path, each encoded for a path segment. A name without a value stays as it is.
pub fn fill(path: &str, values: &[(&str, &str)]) -> String {
    let mut out = path.to_owned();
    for (name, value) in values {
        let encoded = percent_encoding::utf8_percent_encode(value, SEGMENT).to_string();
        out = out.replace(&format!("{{{name}}}"), &encoded);
    }
    out
}

/// Everything but the unreserved characters of RFC 3986, 2.3.
const SEGMENT: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_paths_are_filled_and_encoded() {
        let path = fill("/a/{x}/b/{y}?z={x}", &[("x", "1/2 ü"), ("y", "")]);
        assert_eq!(path, "/a/1%2F2%20%C3%BC/b/?z=1%2F2%20%C3%BC");
        assert_eq!(fill("/a/{unknown}", &[("x", "1")]), "/a/{unknown}");
    }

    #[test]
    fn the_defaults_read_back_and_a_part_of_them_is_enough() {
        let all = serde_json::to_string(&Flows::default()).unwrap();
        assert_eq!(serde_json::from_str::<Flows>(&all).unwrap(), Flows::default());
        let part = r#"{"session_token":{"preflight_secs":0,"send_form":"token-in-body"}}"#;
        let flows: Flows = serde_json::from_str(part).unwrap();
        assert_eq!(flows.session_token.preflight_secs, 0);
        assert_eq!(flows.session_token.send_form, SendForm::TokenInBody);
        assert_eq!(flows.session_token.create_path, SessionTokenFlow::default().create_path);
        assert!(serde_json::from_str::<Flows>(r#"{"session_token":{"preflight":0}}"#).is_err());
    }
}
