//! How people sign in as agents, and how their desk behaves. An environment may override any of it.

use serde::{Deserialize, Serialize};

use super::Report;

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

/// An address of this computer to which browsers come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loopback {
    /// `localhost`: either of them.
    Any,
    V4,
    V6,
}

/// Where the browser comes back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    pub host: Loopback,
    /// Zero for one of the system's choice.
    pub port: u16,
    pub path: String,
    /// As it was given, to the letter: so it is registered.
    uri: Option<String>,
}

impl Redirect {
    /// As it is told to the login page.
    pub fn uri(&self, port: u16) -> String {
        self.uri.clone().unwrap_or_else(|| format!("http://localhost:{port}/"))
    }
}

impl Agents {
    /// # Errors
    /// `bad-redirect` where no browser could come back to it.
    pub fn redirect(&self) -> Result<Redirect, Report> {
        let Some(uri) = self.redirect_uri.as_deref().map(str::trim).filter(|u| !u.is_empty()) else {
            return Ok(Redirect { host: Loopback::Any, port: self.redirect_port, path: "/".to_owned(), uri: None });
        };
        let bad = |what: &str| {
            Report::new("bad-redirect", "The redirect URI cannot be used", format!("“{uri}” {what}."))
                .remedy("Write it as it is registered with the client, such as http://localhost:8400/callback.")
        };
        let url = url::Url::parse(uri).map_err(|_| bad("is no address"))?;
        if url.scheme() != "http" {
            return Err(bad("must begin with http://: the browser comes back to this program itself"));
        }
        let host = match url.host() {
            Some(url::Host::Domain("localhost")) => Loopback::Any,
            Some(url::Host::Ipv4(ip)) if ip == std::net::Ipv4Addr::LOCALHOST => Loopback::V4,
            Some(url::Host::Ipv6(ip)) if ip == std::net::Ipv6Addr::LOCALHOST => Loopback::V6,
            _ => return Err(bad("must lead to this computer: localhost, 127.0.0.1 or [::1]")),
        };
        if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(bad("must hold neither a fragment nor a user"));
        }
        let port = url.port_or_known_default().unwrap_or(80);
        Ok(Redirect { host, port, path: url.path().to_owned(), uri: Some(uri.to_owned()) })
    }

    /// The client by which people sign in: the one for agents, else the environment's own.
    pub fn client<'a>(&'a self, own: Option<&'a str>) -> Option<&'a str> {
        [self.client_id.as_deref(), own].into_iter().flatten().map(str::trim).find(|id| !id.is_empty())
    }
}

/// Key of a user's pasted token in the vault; without a person, for everybody who has none of their own.
pub fn user_token_key(environment_id: &str, person: &str) -> String {
    format!("{environment_id}/user-token/{person}")
}

/// Key of a user's refresh token in the vault.
pub fn user_refresh_key(environment_id: &str, person: &str) -> String {
    format!("{environment_id}/user-refresh/{person}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_comes_back_to_this_computer_only() {
        let of = |uri: &str| Agents { redirect_uri: Some(uri.into()), ..Agents::default() }.redirect();
        let good = of("http://localhost:8400/callback").unwrap();
        assert_eq!((good.host, good.port, good.path.as_str()), (Loopback::Any, 8400, "/callback"));
        assert_eq!(good.uri(1), "http://localhost:8400/callback");
        assert_eq!(of("http://localhost:8400").unwrap().uri(1), "http://localhost:8400", "to the letter");
        assert_eq!(of("http://127.0.0.1/").unwrap().port, 80);
        assert_eq!(of("http://[::1]:1/").unwrap().host, Loopback::V6);
        for bad in [
            "https://localhost:8400/",
            "http://evil.example/",
            "http://localhost.evil.example/",
            "http://127.0.0.2/",
            "http://me@localhost/",
            "http://localhost/#x",
            "nonsense",
        ] {
            assert_eq!(of(bad).unwrap_err().code, "bad-redirect", "{bad}");
        }
        let any = Agents { redirect_port: 7000, ..Agents::default() }.redirect().unwrap();
        assert_eq!((any.port, any.uri(7000)), (7000, "http://localhost:7000/".to_owned()));
    }

    #[test]
    fn agents_have_a_client_of_their_own_or_that_of_the_environment() {
        let mut agents = Agents::default();
        assert_eq!(agents.client(None), None);
        assert_eq!(agents.client(Some("own")), Some("own"));
        agents.client_id = Some(" ".into());
        assert_eq!(agents.client(Some("own")), Some("own"));
        agents.client_id = Some(" theirs ".into());
        assert_eq!(agents.client(Some("own")), Some("theirs"));
    }
}
