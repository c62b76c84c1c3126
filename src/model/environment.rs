//! An environment: which servers, which deployment, and how to behave towards them.
//!
//! The same shape is stored in the settings, written by hand as a YAML or JSON file, and printed by
//! `sessionscope sandbox`, so that a ready line is an environment file.

use std::time::Duration;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Serialize};

use super::agents::Agents;
use super::flows::Flows;
use super::hosts::{Hosts, Region};
use super::login::GuestAuth;
use super::report::Report;
use super::secret::Secret;
use super::signing::KeyInfo;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Environment {
    /// Key of its secrets in the keyring; made once, never shown. Empty in files written by hand.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    pub name: String,
    /// A region's domain or SDK key. Single hosts below win over it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest_socket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cdn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streaming: Option<String>,
    /// Where a sandbox takes its orders; only a sandbox has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    #[serde(alias = "deploymentId")]
    pub deployment_id: String,
    /// Sent as `Origin` where the deployment has an allow-list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// OAuth client for client credentials. Its secret lives in the keyring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Accepted in files written by hand and given by the sandbox. Kept in memory with the environment and wiped with
    /// it, never written: neither to the settings nor to the keyring. Where there is none, a sign-in asks the vault.
    #[serde(skip_serializing)]
    pub client_secret: Option<ClientSecret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_id: Option<String>,
    /// `http://host:port`, `https://…` or `socks5://…`. Empty means none, whatever the system says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// PEM file with certificate authorities to trust beside those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Certificate authorities to trust as well, in PEM: a sandbox tells its own so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
    /// Off means that any certificate is believed; the window says so.
    pub verify_tls: bool,
    /// Open a lost socket again with the same token. Off at first: it hides what a tester wants to see.
    pub reconnect: bool,
    /// Send a message that was refused with 429 again after `retryAfter`, a bounded number of times.
    pub retry_after_429: bool,
    /// Send a Presence Join as soon as a new session is configured. The vendor's clients do so where the deployment
    /// starts conversations by itself.
    pub auto_join: bool,
    /// Custom attributes go into the top-level `channel` instead of `message.channel`. The schema has both.
    pub attributes_at_top: bool,
    /// `application` in the socket's address.
    pub application: String,
    pub limits: Limits,
    pub timings: Timings,
    /// The organisation's name in host names (`https://{org}.mypurecloud.com`), which some flows use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// Where OAuth tokens come from.
    pub token_source: TokenSource,
    /// How agents sign in and work. A ready line lists its users there, which are of no use here.
    #[serde(skip_serializing_if = "is_default", deserialize_with = "agents_or_users")]
    pub agents: Agents,
    /// How guests sign in.
    #[serde(skip_serializing_if = "is_default")]
    pub guest_auth: GuestAuth,
    /// Of a ready line: the client of [`Agents::client_id`].
    #[serde(skip_serializing)]
    pub pkce_client_id: Option<String>,
    /// Of a ready line, and of no use here.
    #[serde(skip_serializing)]
    pub queues: IgnoredAny,
    /// Paths, thresholds and forms of the unverified flows.
    #[serde(skip_serializing_if = "is_default")]
    pub flows: Flows,
    /// Keys that sign guest tokens; their private parts live in the keyring.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signing_keys: Vec<KeyInfo>,
}

fn is_default<T: Default + PartialEq>(settings: &T) -> bool {
    *settings == T::default()
}

fn agents_or_users<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Agents, D::Error> {
    struct Either;
    impl<'de> Visitor<'de> for Either {
        type Value = Agents;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("settings of agents")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Agents, A::Error> {
            Agents::deserialize(MapAccessDeserializer::new(map))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut users: A) -> Result<Agents, A::Error> {
            while users.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Agents::default())
        }
    }
    d.deserialize_any(Either)
}

/// Where an OAuth token comes from. What is secret of it lives in the keyring.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TokenSource {
    /// Client id and secret, at the token endpoint.
    #[default]
    ClientCredentials,
    /// A server of one's own that holds the client's secret: `POST {url}/api/genesys/refresh` → `{token, expires_in?}`.
    Broker {
        url: String,
        /// It is asked again when less than this is left, in seconds.
        #[serde(default = "broker_early")]
        early_secs: u32,
    },
    /// Typed in by a person; kept under the environment's key.
    Pasted,
    /// An entry of the system's keyring that another program keeps.
    Keyring { service: String, user: String },
}

/// The broker that is described renews at five minutes.
fn broker_early() -> u32 {
    300
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            region: None,
            api: None,
            login: None,
            guest_socket: None,
            cdn: None,
            streaming: None,
            control: None,
            deployment_id: String::new(),
            origin: None,
            client_id: None,
            client_secret: None,
            queue_id: None,
            proxy: None,
            ca_file: None,
            ca_pem: None,
            verify_tls: true,
            reconnect: false,
            retry_after_429: true,
            auto_join: false,
            attributes_at_top: false,
            application: concat!("sessionscope-", env!("CARGO_PKG_VERSION")).to_owned(),
            limits: Limits::default(),
            timings: Timings::default(),
            org: None,
            token_source: TokenSource::default(),
            agents: Agents::default(),
            guest_auth: GuestAuth::default(),
            pkce_client_id: None,
            queues: IgnoredAny,
            flows: Flows::default(),
            signing_keys: Vec::new(),
        }
    }
}

/// A client secret in a file written by hand. Masked in `Debug`, never serialised.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientSecret(pub super::Secret<String>);

impl<'de> Deserialize<'de> for ClientSecret {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(|s| Self(super::Secret::new(s)))
    }
}

/// Rate limits as data: they change. Source: the vendor's limits page as quoted in 2026-10.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub messages_per_second: u32,
    pub requests_per_minute: u32,
    pub configures_per_minute: u32,
    pub history_per_minute: u32,
    pub echoes_per_minute: u32,
    pub connections_per_session: u32,
    /// Bytes of UTF-8.
    pub message_bytes: u32,
    /// Bytes of UTF-8 over all keys and values.
    pub attribute_bytes: u32,
    /// Requests to the Platform API with one access token.
    pub requests_per_token_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            messages_per_second: 5,
            requests_per_minute: 60,
            configures_per_minute: 60,
            history_per_minute: 10,
            echoes_per_minute: 2,
            connections_per_session: 3,
            message_bytes: 4096,
            attribute_bytes: 2048,
            requests_per_token_minute: 300,
        }
    }
}

/// Intervals and margins, in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timings {
    /// Between WebSocket pings of ours; zero for none. The vendor's client uses 15.
    pub ping_secs: u32,
    /// A pong that is this late means that the connection is dead.
    pub pong_secs: u32,
    /// A send without an echo for this long is shown as unconfirmed.
    pub echo_secs: u32,
    /// A JWT is treated as dead this early. The vendor's client uses 5.
    pub jwt_margin_secs: u32,
    /// An OAuth token is renewed this early.
    pub oauth_margin_secs: u32,
    /// The session is checked with an `echo` this long before it would expire. The vendor's client uses 310.
    pub idle_check_secs: u32,
    /// First and longest wait before a socket is opened again, and when to give up.
    pub reconnect_first_secs: u32,
    pub reconnect_longest_secs: u32,
    pub reconnect_give_up_secs: u32,
    /// Assumed life of a download link; the vendor's is about ten minutes.
    pub link_secs: u32,
    pub connect_timeout_secs: u32,
    pub http_timeout_secs: u32,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            ping_secs: 15,
            pong_secs: 10,
            echo_secs: 10,
            jwt_margin_secs: 5,
            oauth_margin_secs: 60,
            idle_check_secs: 310,
            reconnect_first_secs: 1,
            reconnect_longest_secs: 30,
            reconnect_give_up_secs: 300,
            link_secs: 600,
            connect_timeout_secs: 15,
            http_timeout_secs: 60,
        }
    }
}

/// Seconds of a [`Timings`] field as a duration.
pub fn secs(n: u32) -> Duration {
    Duration::from_secs(u64::from(n))
}

impl Environment {
    /// Where its services live: the region's hosts, each overridden by the environment's own.
    pub fn hosts(&self) -> Result<Hosts, Report> {
        let base = match &self.region {
            Some(name) => {
                let domain = match Region::find(name) {
                    Some(r) => r.domain.to_owned(),
                    None => plain_domain(name)?,
                };
                Some(Hosts::of_domain(&domain))
            }
            None => None,
        };
        let base = base.unwrap_or_default();
        let pick = |own: &Option<String>, of_region: String| match own {
            Some(s) if !s.trim().is_empty() => s.trim().trim_end_matches('/').to_owned(),
            _ => of_region,
        };
        let hosts = Hosts {
            api: pick(&self.api, base.api),
            login: pick(&self.login, base.login),
            guest_socket: pick(&self.guest_socket, base.guest_socket),
            cdn: pick(&self.cdn, base.cdn),
            streaming: pick(&self.streaming, base.streaming),
        };
        if hosts.guest_socket.is_empty() && hosts.api.is_empty() {
            return Err(Report::new(
                "no-host",
                "The environment names no server",
                format!("“{}” has neither a region nor an address of its own.", self.name),
            )
            .remedy("Choose a region, or give the guest socket's address (wss://…/v1) or the API's (https://…)."));
        }
        for (key, value) in [
            ("api", &hosts.api),
            ("login", &hosts.login),
            ("guest_socket", &hosts.guest_socket),
            ("cdn", &hosts.cdn),
            ("streaming", &hosts.streaming),
        ] {
            check_address(key, value)?;
        }
        self.check_proxy()?;
        Ok(hosts)
    }

    /// Whether a browser would send the origin, where there is one.
    pub fn check_origin(&self) -> Result<(), Report> {
        let Some(origin) = self.origin.as_deref().map(str::trim).filter(|o| !o.is_empty()) else { return Ok(()) };
        let parsed = url::Url::parse(origin).ok();
        let whole = |u: &url::Url| u.origin().ascii_serialization();
        let fits = parsed.as_ref().is_some_and(|u| matches!(u.scheme(), "http" | "https") && whole(u) == origin);
        if fits {
            return Ok(());
        }
        let meant = match parsed.filter(|u| matches!(u.scheme(), "http" | "https")) {
            Some(u) => whole(&u),
            None => "https://www.example.com".to_owned(),
        };
        let what = format!(
            "An origin is a scheme and a host as a browser sends them, like {meant}, with no path or slash behind."
        );
        Err(Report::new("bad-origin", "The origin is not one that a browser would send", what))
    }

    /// Whether the proxy's address can be used, where there is one.
    pub fn check_proxy(&self) -> Result<(), Report> {
        match self.proxy.as_deref().map(str::trim) {
            None | Some("") => Ok(()),
            Some(address) => check_proxy(address),
        }
    }

    /// True where the environment is on the loopback interface.
    pub fn is_loopback(&self) -> bool {
        self.hosts().is_ok_and(|h| {
            let first = if h.guest_socket.is_empty() { &h.api } else { &h.guest_socket };
            url::Url::parse(first).is_ok_and(|u| match u.host() {
                Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
                Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
                Some(url::Host::Domain(d)) => d == "localhost" || d.ends_with(".localhost"),
                None => false,
            })
        })
    }
}

impl Environment {
    /// Base of the calls of unverified flows: `https://{org}.{domain}` where both are known and no API host is given,
    /// else the API host.
    pub fn org_base(&self) -> Result<String, Report> {
        match (&self.org, &self.api, self.domain()) {
            (Some(org), None, Some(domain)) if !org.trim().is_empty() => {
                let org = org.trim();
                let ok = org.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
                if ok {
                    return Ok(format!("https://{org}.{domain}"));
                }
                Err(Report::new("bad-org", "The organisation's name cannot stand in a host name", format!("“{org}”."))
                    .remedy("Letters, digits and hyphens only, such as acme in acme.mypurecloud.com."))
            }
            _ => Ok(self.hosts()?.api),
        }
    }

    /// Base of the external contacts' socket: `wss://webchat.{org}.{domain}`, else the API host as a socket's address.
    pub fn webchat_base(&self) -> Result<String, Report> {
        let base = self.org_base()?;
        Ok(match (&self.api, base.split_once("://")) {
            (None, Some((_, host))) if self.org.is_some() => format!("wss://webchat.{host}"),
            _ => socket_address(&base),
        })
    }

    fn domain(&self) -> Option<String> {
        let name = self.region.as_deref()?;
        Region::find(name).map(|r| r.domain.to_owned()).or_else(|| plain_domain(name).ok())
    }
}

/// The same address for a socket: `http` becomes `ws`.
pub fn socket_address(url: &str) -> String {
    url.strip_prefix("http").map_or_else(|| url.to_owned(), |rest| format!("ws{rest}"))
}

/// Key of a pasted OAuth token in the vault.
pub fn pasted_key(environment_id: &str) -> String {
    format!("{environment_id}/oauth-token")
}

/// How the key of a proxy's password ends in the vault.
pub const PROXY_PASSWORD: &str = "/proxy-password";

/// Key of an environment's proxy password in the vault.
pub fn proxy_key(environment_id: &str) -> String {
    format!("{environment_id}{PROXY_PASSWORD}")
}

/// Takes the password off a proxy's address: `http://me:pw@host` becomes `http://me@host`. Gives it as it stood there,
/// which is percent-encoded.
pub fn split_password(address: &str) -> Option<(String, Secret<String>)> {
    let mut url = url::Url::parse(address.trim()).ok()?;
    let password = Secret::new(url.password().filter(|p| !p.is_empty())?.to_owned());
    url.set_password(None).ok()?;
    Some((url.as_str().trim_end_matches('/').to_owned(), password))
}

/// Puts it back. None where the address takes none: it names no user, or has a password already.
pub fn join_password(address: &str, password: &str) -> Option<String> {
    let mut url = url::Url::parse(address.trim()).ok()?;
    if !wants_password(address) {
        return None;
    }
    url.set_password(Some(password)).ok()?;
    Some(url.into())
}

/// The address names a user and no password.
pub fn wants_password(address: &str) -> bool {
    url::Url::parse(address.trim()).is_ok_and(|u| !u.username().is_empty() && u.password().is_none())
}

fn plain_domain(name: &str) -> Result<String, Report> {
    let name = name.trim();
    let ok = name.contains('.') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-');
    if ok {
        return Ok(name.to_ascii_lowercase());
    }
    Err(Report::new("unknown-region", "Unknown region", format!("“{name}” is neither a region's domain nor its SDK key."))
        .remedy("Use a domain such as mypurecloud.ie or a key such as eu_west_1. The messenger's own names (prod-euw1) are not regions."))
}

fn check_address(key: &str, value: &str) -> Result<(), Report> {
    if value.is_empty() {
        return Ok(());
    }
    let allowed: &[&str] = match key {
        "guest_socket" | "streaming" => &["ws", "wss"],
        _ => &["http", "https"],
    };
    let problem = match url::Url::parse(value) {
        Err(url::ParseError::InvalidPort) => BAD_PORT.to_owned(),
        Ok(u) if !u.username().is_empty() || u.password().is_some() => {
            "must not hold a user name or password".to_owned()
        }
        Ok(u) if allowed.contains(&u.scheme()) && u.host().is_some() => return Ok(()),
        _ => format!("must begin with {}://, then the host", allowed.join(":// or ")),
    };
    let example = if allowed.contains(&"wss") { "wss://host:port/path" } else { "https://host:port" };
    let name = match key {
        "guest_socket" => "Guest socket",
        "streaming" => "Streaming",
        "api" => "API",
        "login" => "Login",
        _ => "CDN",
    };
    // It may hold a password, so it is not repeated.
    Err(Report::new("bad-address", format!("{key} is not a usable address"), format!("{name}: {problem}."))
        .remedy(format!("Write it as {example}.")))
}

fn check_proxy(value: &str) -> Result<(), Report> {
    let problem = match url::Url::parse(value) {
        Ok(u) if matches!(u.scheme(), "http" | "https" | "socks5" | "socks5h") && u.has_host() => return Ok(()),
        Err(url::ParseError::InvalidPort) => BAD_PORT,
        _ => "must begin with http://, https:// or socks5://, then host:port",
    };
    // It may hold a password, so it is not repeated.
    Err(Report::new("bad-proxy", "The proxy address cannot be used", format!("Proxy: {problem}."))
        .remedy("Write it as http://host:port, https://host:port or socks5://host:port."))
}

const BAD_PORT: &str = "the port must be a number, at most 65535";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::hosts::REGIONS;

    #[test]
    fn every_region_gives_hosts_by_domain_and_key() {
        for r in REGIONS {
            for name in [r.domain, r.key] {
                let env = Environment { region: Some(name.into()), ..Environment::default() };
                assert_eq!(env.hosts().unwrap().guest_socket, format!("wss://webmessaging.{}/v1", r.domain));
            }
        }
    }

    #[test]
    fn a_proxy_s_password_is_taken_off_and_put_back() {
        for (full, bare) in [
            ("http://me:p%40s%2Fs@proxy.example:3128", "http://me@proxy.example:3128"),
            ("socks5://me:x%25y@proxy.example:1080", "socks5://me@proxy.example:1080"),
        ] {
            let (address, password) = split_password(full).unwrap();
            assert_eq!(address, bare);
            assert_eq!(join_password(&address, password.expose()).unwrap().trim_end_matches('/'), full);
        }
        for none in ["http://proxy.example:3128", "http://me@proxy.example", "", "nonsense"] {
            assert!(split_password(none).is_none(), "{none}");
        }
        assert!(join_password("http://proxy.example", "x").is_none(), "no user");
        assert!(join_password("http://me:y@proxy.example", "x").is_none(), "has one");
    }

    #[test]
    fn a_proxy_address_is_checked_and_not_repeated() {
        let mut env = Environment { region: Some("mypurecloud.ie".into()), ..Environment::default() };
        for (proxy, fits) in [
            ("", true),
            ("http://proxy.example:3128", true),
            ("http://joe:hunter2@proxy.example:3128", true),
            ("socks5://127.0.0.1:1080", true),
            ("proxy.example:3128", false),
            ("ftp://joe:hunter2@proxy.example", false),
            ("http://joe:hunter2@", false),
        ] {
            env.proxy = Some(proxy.into());
            match env.hosts() {
                Ok(_) => assert!(fits, "{proxy}"),
                Err(report) => {
                    assert!(!fits && report.code == "bad-proxy" && !report.text().contains("hunter2"));
                    assert_eq!(report.what, "Proxy: must begin with http://, https:// or socks5://, then host:port.");
                }
            }
        }
        env.proxy = Some("http://joe:hunter2@proxy.example:99999".into());
        let report = env.hosts().unwrap_err();
        assert!(report.what.starts_with("Proxy: the port") && !report.text().contains("hunter2"));
    }

    #[test]
    fn an_origin_is_as_a_browser_sends_it() {
        let check = |origin: &str| Environment { origin: Some(origin.into()), ..Environment::default() }.check_origin();
        for good in ["https://shop.example", "http://localhost:8080", " https://shop.example ", ""] {
            assert!(check(good).is_ok(), "{good}");
        }
        for (bad, meant) in [
            ("shop.example", "https://www.example.com"),
            ("https://shop.example/", "https://shop.example,"),
            ("https://Shop.example:443/chat", "https://shop.example,"),
            ("ftp://shop.example", "https://www.example.com"),
        ] {
            let told = check(bad).unwrap_err().what;
            assert!(told.contains(meant), "{bad}: {told}");
        }
    }

    #[test]
    fn own_hosts_win_and_are_checked() {
        let mut env = Environment {
            region: Some("mypurecloud.ie".into()),
            guest_socket: Some("ws://127.0.0.1:8089/v1/".into()),
            ..Environment::default()
        };
        assert_eq!(env.hosts().unwrap().guest_socket, "ws://127.0.0.1:8089/v1");
        assert!(env.is_loopback());
        env.guest_socket = Some("http://127.0.0.1/v1".into());
        assert_eq!(env.hosts().unwrap_err().code, "bad-address");
        env.guest_socket = Some("wss://joe:hunter2@host/v1".into());
        assert!(!env.hosts().unwrap_err().text().contains("hunter2"));
        env.guest_socket = Some("host/v1".into());
        assert_eq!(env.hosts().unwrap_err().what, "Guest socket: must begin with ws:// or wss://, then the host.");
        env.region = Some("prod-euw1".into());
        assert_eq!(env.hosts().unwrap_err().code, "unknown-region");
    }
}
