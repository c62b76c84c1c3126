//! What can be turned in the flows: forms that are disputed, and lives of tokens.

use serde::{Deserialize, Serialize};

use super::super::change::change;

/// How a message of a session-token conversation may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendForm {
    /// All of them.
    #[default]
    Any,
    /// `{text, sessionToken}`.
    #[serde(alias = "a")]
    SessionToken,
    /// `{type, text}` with the client's token.
    #[serde(alias = "b")]
    Bearer,
    /// `{type, text, guestId}` with the client's token.
    #[serde(alias = "c")]
    BearerGuest,
    /// `{type, text, conversationId, guestId}` with the client's token.
    #[serde(alias = "d")]
    BearerIds,
}

/// Which external contacts may be posted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactRule {
    /// Any id: the message reaches the socket with that id, or the newest one of the token.
    #[default]
    Any,
    /// Only the session id of an open handshake.
    Session,
}

/// What is wrong with the tokens that new guests get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestTokenFlaw {
    #[default]
    None,
    /// Its signature is missing.
    TwoParts,
    NoExp,
    Expired,
    NoHints,
    EmptyHints,
}

/// Switches of the flows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FlowSwitches {
    pub send_form: SendForm,
    /// A new session-token conversation gets a `guestToken` as well.
    pub give_guest_token: bool,
    /// The id of a session-token conversation is called `conversationsId`.
    pub spell_conversations_id: bool,
    pub contact_rule: ContactRule,
    /// Between taking a message to an external contact and committing it; by the computer's own clock.
    pub commit_millis: u32,
    pub guest_token_flaw: GuestTokenFlaw,
    /// The client may not use the queue, though it may look at it.
    pub queue_forbidden: bool,
    /// A signed guest becomes a contact once only: its address is in use then.
    pub unique_contacts: bool,
    /// Requests of signed guests in a second.
    pub requests_per_second: u32,
    /// Requests of guests as resources in a minute.
    pub requests_per_minute: u32,
    /// Managed conversations at once.
    pub most_conversations: u32,
    /// Largest body of a request to the API.
    pub body_bytes: u32,
}

impl FlowSwitches {
    pub(super) fn at_start() -> Self {
        Self {
            commit_millis: 100,
            requests_per_second: 100,
            requests_per_minute: 200,
            most_conversations: 500,
            body_bytes: 512_000,
            ..Self::default()
        }
    }
}

change! {
    /// Switches of the flows to change; what is left out stays.
    FlowChange of FlowSwitches {
        send_form: SendForm,
        give_guest_token: bool,
        contact_rule: ContactRule,
        commit_millis: u32,
        guest_token_flaw: GuestTokenFlaw,
        queue_forbidden: bool,
        unique_contacts: bool,
        requests_per_second: u32,
        requests_per_minute: u32,
        most_conversations: u32,
        body_bytes: u32,
    }
}

/// How long things live that are made from now on, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lifetimes {
    pub oauth_secs: u32,
    pub session_token_secs: u32,
    pub guest_token_secs: u32,
    /// A signed guest token may be issued so far in the future.
    pub signed_token_leeway_secs: u32,
    /// A guest's socket without a handshake for so long is ended.
    pub handshake_secs: u32,
}

impl Lifetimes {
    pub(super) fn at_start(oauth_secs: u32) -> Self {
        Self {
            oauth_secs,
            session_token_secs: 15 * 60,
            guest_token_secs: 30 * 60,
            signed_token_leeway_secs: 60,
            handshake_secs: 10,
        }
    }
}

change! {
    /// Lives to change; what is left out stays.
    LifetimeChange of Lifetimes {
        oauth_secs: u32,
        session_token_secs: u32,
        guest_token_secs: u32,
        signed_token_leeway_secs: u32,
        handshake_secs: u32,
    }
}
