//! How people sign in as agents, and how their desk behaves. An environment may override any of it.

use serde::{Deserialize, Serialize};

/// Settings of the `agent` dialect.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Agents {
    /// OAuth client whose grant is “code authorization (PKCE)”. The environment's own where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Where a user's token comes from.
    pub sign_in: SignIn,
    /// Where the browser comes back to, as it is registered with the client: `http://localhost:8400/callback`. Where
    /// there is none, `http://localhost:{redirect_port}/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
    /// Port on the loopback address; 0 for any that is free.
    pub redirect_port: u16,
    /// The browser has so long to come back.
    pub sign_in_secs: u32,
    /// The organisation's short name and its identity provider, where the login page shall not ask for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_org: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Asked for, separated by spaces; empty for all that the client has.
    pub scope: String,
    /// A token that can be renewed is renewed this early, in seconds.
    pub early_secs: u32,
    /// Opens a lost notification socket again, and reads by REST what was missed.
    pub reconnect: bool,
    /// How topics are subscribed to.
    pub subscribe_by: SubscribeBy,
    /// Nothing heard for so long means that the notification socket is dead: a ping asks, and so long it may take.
    pub watchdog_secs: u32,
    pub pong_secs: u32,
    /// Look-ups of message texts in a minute; the token has 300 requests for everything.
    pub lookups_per_minute: u32,
    /// Ids are gathered for so long before they are looked up together.
    pub gather_millis: u32,
    /// Messages in one look-up; the vendor takes 1000.
    pub lookup_size: u32,
    /// Longest text of an agent, in characters. The vendor's limits page says 4000, its model's description 2000.
    pub text_chars: u32,
    /// Pause between disconnecting and wrapping up, as the vendor's own interface has it.
    pub wrapup_pause_millis: u32,
    /// Tries of a call that failed with 429, 5xx or no answer, the first included.
    pub tries: u32,
}

impl Default for Agents {
    fn default() -> Self {
        Self {
            client_id: None,
            sign_in: SignIn::default(),
            redirect_uri: None,
            redirect_port: 0,
            sign_in_secs: 300,
            login_org: None,
            provider: None,
            scope: String::new(),
            early_secs: 300,
            reconnect: true,
            subscribe_by: SubscribeBy::default(),
            watchdog_secs: 35,
            pong_secs: 10,
            lookups_per_minute: 120,
            gather_millis: 150,
            lookup_size: 100,
            text_chars: 4000,
            wrapup_pause_millis: 2000,
            tries: 4,
        }
    }
}

/// Where the token of a user comes from. Client credentials have no user and cannot act as an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignIn {
    /// Authorization code with PKCE (RFC 7636) through the system's browser and a loopback listener (RFC 8252).
    #[default]
    Browser,
    /// A user's token, typed in by a person.
    Pasted,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubscribeBy {
    /// `PUT …/subscriptions`: replaces what another writer subscribed to.
    RestReplace,
    /// `POST …/subscriptions`: adds.
    #[default]
    RestAdd,
    /// A frame on the socket itself.
    Socket,
}

/// What an agent's session is made with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentForm {
    /// Who signs in, as a hint to the login page (an e-mail address). Sessions with the same hint share one token.
    pub user: String,
    /// Goes on queue as soon as the desk is ready.
    pub on_queue: bool,
    /// Joins these queues then; empty for those that the user has joined already.
    pub queues: Vec<String>,
    /// Answers every alert by itself.
    pub auto_answer: bool,
}
