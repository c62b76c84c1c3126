//! Why a connection could not be made, told to a person.

use std::error::Error;
use std::io;

use crate::model::{Environment, Report};

/// All messages of an error and its causes, each once.
pub fn chain(e: &dyn Error) -> String {
    let mut out = e.to_string();
    let mut next = e.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !out.contains(&text) {
            out.push_str(": ");
            out.push_str(&text);
        }
        next = cause.source();
    }
    out
}

/// Looks through an error and its causes, also those that an `io::Error` wraps.
fn find<'a, T: Error + 'static>(e: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(e);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(found) = find::<T>(inner)
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Why a call to `url` got no answer.
pub fn no_answer(environment: &Environment, url: &str, e: &reqwest::Error) -> Report {
    let host = host_of(url);
    let text = chain(e);
    let mut report = if let Some(tls) = find::<rustls::Error>(e) {
        tls_report(environment, &host, tls)
    } else if e.is_connect() {
        connect_report(environment, &host, &text, find::<io::Error>(e).map(io::Error::kind))
    } else if e.is_timeout() {
        timeout(&host)
    } else {
        Report::new(
            "connection-broken",
            format!("The connection to {host} broke"),
            "It ended before a whole answer came.",
        )
        .remedy("Try again; if it happens each time, look whether a proxy or firewall on the way cuts it.")
    };
    report = report.detail(format!("address: {}", without_query(url))).detail(text);
    if let Some(proxy) = environment.proxy.as_deref().filter(|p| !p.trim().is_empty()) {
        report = report.detail(format!("proxy: {}", host_of(proxy)));
    }
    report
}

fn connect_report(environment: &Environment, host: &str, text: &str, kind: Option<io::ErrorKind>) -> Report {
    let lower = text.to_ascii_lowercase();
    if lower.contains("tunnel") || lower.contains("proxy") || lower.contains("socks") {
        return proxy_report(environment, host, text);
    }
    if lower.contains("dns error") || lower.contains("failed to lookup") {
        if environment.proxy.as_deref().is_some_and(|p| !p.trim().is_empty()) {
            return proxy_report(environment, host, text);
        }
        return Report::new("dns", format!("No such host: {host}"), "The name was looked up and not found.")
            .remedy("Check the region or the host in the environment.")
            .remedy("Check that this computer is online, and that a VPN is up where one is needed.");
    }
    let by_proxy = environment.proxy.as_deref().is_some_and(|p| !p.trim().is_empty());
    if by_proxy {
        return proxy_report(environment, host, text);
    }
    match kind {
        Some(io::ErrorKind::ConnectionRefused) => Report::new(
            "refused",
            format!("Nothing listens at {host}"),
            "The connection was refused: the computer is there, but no server is on that port.",
        )
        .remedy("Check host and port in the environment; start the server (the sandbox has a new port at each start)."),
        Some(io::ErrorKind::TimedOut) => timeout(host),
        _ if lower.contains("timed out") => timeout(host),
        _ => Report::new("unreachable", format!("{host} cannot be reached"), "No connection could be made.")
            .remedy("Check that this computer is online, and whether a firewall is in the way."),
    }
}

/// A time limit passed before an answer came.
pub fn timeout(host: &str) -> Report {
    Report::new("timeout", format!("{host} does not answer"), "The time limit passed without an answer.")
        .remedy("Check the network and the server; the limit can be raised in the environment (timings).")
}

fn proxy_report(environment: &Environment, host: &str, text: &str) -> Report {
    let proxy = environment.proxy.as_deref().map(host_of).unwrap_or_else(|| "the system's proxy".into());
    let what = if text.contains("407") || text.to_ascii_lowercase().contains("auth") {
        format!("{proxy} wants a user name and password.")
    } else {
        format!("{proxy} could not be used to reach {host}.")
    };
    Report::new("proxy", "The proxy did not connect", what)
        .remedy("Check the proxy address in the environment; leave it empty there to go without one.")
        .remedy("Ask whether the proxy allows CONNECT to this host.")
}

fn tls_report(environment: &Environment, host: &str, e: &rustls::Error) -> Report {
    use rustls::CertificateError as C;
    let (what, remedy) = match e {
        rustls::Error::InvalidCertificate(c) => match c {
            C::UnknownIssuer => (
                "Its certificate was issued by an authority that this computer does not trust.",
                "A company proxy or a private server? Name its CA file in the environment.",
            ),
            C::Expired | C::ExpiredContext { .. } => {
                ("Its certificate has expired.", "Check this computer's clock; else tell the server's owner.")
            }
            C::NotValidYet | C::NotValidYetContext { .. } => {
                ("Its certificate is not valid yet.", "Check this computer's clock.")
            }
            C::NotValidForName | C::NotValidForNameContext { .. } => {
                ("Its certificate is for another name.", "Check the host in the environment.")
            }
            C::Revoked => ("Its certificate was revoked.", "Do not go on; tell the server's owner."),
            _ => (
                "Its certificate is not acceptable.",
                "See the details; an own CA file can be named in the environment.",
            ),
        },
        rustls::Error::AlertReceived(_) => (
            "The server ended the TLS handshake.",
            "Check host and port; it may want another TLS version or a client certificate.",
        ),
        rustls::Error::InvalidMessage(_) => {
            ("It does not speak TLS on this port.", "Use ws:// and http:// for a server without TLS.")
        }
        _ => ("The TLS handshake failed.", "See the details."),
    };
    let mut report = Report::new("tls", format!("No secure connection to {host}"), what).remedy(remedy);
    if environment.verify_tls {
        report = report
            .remedy("To test against such a server on purpose, switch TLS verification off for this environment.");
    }
    report.detail(e.to_string())
}

/// Why an upgrade was answered with something else than 101.
pub fn upgrade_refused(environment: &Environment, status: u16, body: &str) -> Report {
    let mut report = match status {
        403 => Report::new(
            "upgrade-refused",
            "The server denied access to the socket (403)",
            "The upgrade was answered with 403. The vendor answers so for a wrong deployment id, an inactive \
             deployment, an origin that is not on its allow-list, and a deployment of another region alike.",
        )
        .remedy(format!("Check the deployment id: {}", shown(&environment.deployment_id)))
        .remedy(format!(
            "Check the region ({}) and the origin ({}).",
            shown(environment.region.as_deref().unwrap_or("own hosts")),
            shown(environment.origin.as_deref().unwrap_or("none"))
        ))
        .remedy("“Test connection” in the environment reads config.json and domains.json and tells which it is."),
        401 | 407 => Report::new(
            "upgrade-refused",
            format!("The socket wants a login ({status})"),
            "The guest socket itself asks for none: something on the way does.",
        )
        .remedy("Check for a proxy or gateway between this computer and the server."),
        404 => Report::new("upgrade-refused", "No socket at this address (404)", "The host answers, but has no such path.")
            .remedy("Check the guest socket's address; the vendor's ends in /v1."),
        429 => Report::new("upgrade-refused", "Too many new connections (429)", "The server limits how many sockets are opened.")
            .remedy("Wait a minute, then try again."),
        500..=599 => Report::new("upgrade-refused", format!("The server failed ({status})"), "It could not open the socket.")
            .remedy("Try again later."),
        200..=399 => Report::new(
            "upgrade-refused",
            format!("No socket at this address ({status})"),
            "The server answered as for an ordinary page: it does not speak WebSocket there, or something on the way took the request apart.",
        )
        .remedy("Check the guest socket's address, and for a proxy that does not pass upgrades."),
        _ => Report::new("upgrade-refused", format!("The upgrade was refused ({status})"), "The server did not open the socket."),
    };
    if !body.trim().is_empty() {
        report = report.detail(format!("answer: {}", body.trim().chars().take(500).collect::<String>()));
    }
    report
}

fn shown(text: &str) -> &str {
    if text.trim().is_empty() { "(empty)" } else { text }
}

/// `host:port` of an address, for people.
pub fn host_of(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(u) => match (u.host_str(), u.port()) {
            (Some(h), Some(p)) => format!("{h}:{p}"),
            (Some(h), None) => h.to_owned(),
            _ => "the server".to_owned(),
        },
        Err(_) => "the server".to_owned(),
    }
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}
