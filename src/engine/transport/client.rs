//! HTTP clients of an environment: its proxy, its authorities, its time limits.

use std::path::Path;
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, Proxy, redirect};

use crate::model::environment::secs;
use crate::model::{Environment, Hosts, Report};

/// `User-Agent` of all calls.
pub const USER_AGENT: &str = concat!("sessionscope/", env!("CARGO_PKG_VERSION"));

/// The two clients of an environment. Cheap to clone.
#[derive(Clone)]
pub struct Clients {
    pub http: Client,
    /// For sockets: an upgrade needs HTTP/1.1.
    pub upgrade: Client,
    pub answer_within: Duration,
    pub connect_within: Duration,
}

impl Clients {
    /// Reads the CA file; may block for a moment.
    pub fn of(environment: &Environment) -> Result<Self, Report> {
        let hosts = environment.hosts()?;
        let http = configured(environment, &hosts)?;
        let upgrade = configured(environment, &hosts)?.http1_only();
        Ok(Self {
            http: build(http)?,
            upgrade: build(upgrade)?,
            answer_within: secs(environment.timings.http_timeout_secs.max(1)),
            connect_within: secs(environment.timings.connect_timeout_secs.max(1)),
        })
    }
}

fn configured(environment: &Environment, hosts: &Hosts) -> Result<ClientBuilder, Report> {
    // Redirects are answers to be seen, not to be followed behind the tester's back.
    let mut b = Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(secs(environment.timings.connect_timeout_secs.max(1)));
    b = match environment.proxy.as_deref().map(str::trim) {
        None if environment.is_loopback() => b.no_proxy(),
        None => b,
        Some("") => b.no_proxy(),
        Some(address) => b.no_proxy().proxy(Proxy::all(address).map_err(|e| {
            Report::new(
                "bad-proxy",
                "The proxy address cannot be used",
                format!("The environment “{}” names a proxy: {e}.", environment.name),
            )
            .remedy("Write it as http://host:port, https://host:port or socks5://host:port.")
        })?),
    };
    let mut authorities = match environment.ca_file.as_deref().map(str::trim) {
        None | Some("") => Vec::new(),
        Some(file) => of_file(Path::new(file))?,
    };
    if let Some(pem) = environment.ca_pem.as_deref() {
        authorities.extend(of_pem(pem.as_bytes(), "ca_pem")?);
    }
    if !environment.verify_tls {
        return Ok(b.tls_danger_accept_invalid_certs(true));
    }
    // Without TLS the system's store is not needed, and a bare machine may have none.
    let plain = [&hosts.api, &hosts.login, &hosts.guest_socket, &hosts.cdn]
        .into_iter()
        .all(|h| h.is_empty() || h.starts_with("http://") || h.starts_with("ws://"));
    // Nor is it for a server of this computer that brought its own authority.
    let own = environment.ca_pem.is_some() && environment.is_loopback();
    Ok(if plain || own { b.tls_certs_only(authorities) } else { b.tls_certs_merge(authorities) })
}

fn of_file(file: &Path) -> Result<Vec<Certificate>, Report> {
    let place = file.display().to_string();
    let pem = std::fs::read(file).map_err(|e| bad_ca(&place, &e.to_string()))?;
    of_pem(&pem, &place)
}

fn of_pem(pem: &[u8], place: &str) -> Result<Vec<Certificate>, Report> {
    let found = Certificate::from_pem_bundle(pem).map_err(|e| bad_ca(place, &e.to_string()))?;
    if found.is_empty() {
        return Err(bad_ca(place, "it holds no certificate"));
    }
    Ok(found)
}

fn bad_ca(place: &str, what: &str) -> Report {
    Report::new("bad-ca-file", "The CA file cannot be used", format!("{place}: {what}"))
        .remedy("Give a PEM file that holds one or more certificates (-----BEGIN CERTIFICATE-----).")
}

fn build(b: ClientBuilder) -> Result<Client, Report> {
    b.build().map_err(|e| {
        let text = super::faults::chain(&e);
        if text.contains("No CA certificates were loaded") {
            return Report::new(
                "no-ca-store",
                "This system has no certificate authorities",
                "No certificate could be loaded from the system's store, so that no server can be verified.",
            )
            .remedy("Debian, Ubuntu: apt install ca-certificates")
            .remedy("Or name a CA file in the environment.")
            .detail(text);
        }
        Report::new("http-client", "HTTP cannot be set up", text)
    })
}
