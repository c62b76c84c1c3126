//! Who may speak to a sandbox: only this computer, and no web page that was not allowed.
//!
//! A page of a foreign site must not reach a sandbox through a browser on this computer, neither directly (its
//! `Origin`) nor by a name that it lets point here (its `Host`).

use std::net::{IpAddr, SocketAddr};

use crate::model::Report;

/// True for `127.0.0.0/8`, `::1`, `localhost` and what ends in `.localhost`. `host` may be in brackets.
pub(super) fn is_loopback_host(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(&host);
    bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Refuses to listen where others could connect.
pub(super) fn check_listen(addr: SocketAddr) -> Result<(), Report> {
    if addr.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(Report::new(
        "sandbox-not-loopback",
        "The sandbox listens on this computer only",
        format!("{addr} is not an address of the loopback interface."),
    )
    .remedy("Use 127.0.0.1:0, or another port of 127.0.0.1 or [::1]."))
}

/// Checks a `Host` header: a loopback name with our port, which may be left out where it is the usual one.
pub(super) fn check_host(host: Option<&str>, port: u16, secure: bool) -> Result<(), String> {
    let Some(host) = host else { return Err("The request has no Host header.".to_owned()) };
    // From the right, and never inside the brackets of an IPv6 address.
    let (name, given) = match host.rsplit_once(':') {
        Some((name, digits)) if !digits.contains(']') => (name, digits.parse::<u16>().ok()),
        _ => (host, Some(if secure { 443 } else { 80 })),
    };
    if !is_loopback_host(name) {
        return Err(format!(
            "The Host “{host}” is not this computer. The sandbox answers to 127.0.0.1, ::1 and localhost."
        ));
    }
    if given != Some(port) {
        return Err(format!("The Host “{host}” names another port than {port}."));
    }
    Ok(())
}

/// What an `Origin` is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A page of this computer, or one that was allowed: its whole origin.
    Page(String),
    /// A bare host, as the vendor's mobile SDK sends it. No browser does.
    Bare(String),
}

impl Origin {
    /// The host, for a deployment's allow-list.
    pub(super) fn host(&self) -> String {
        match self {
            Self::Page(origin) => {
                url::Url::parse(origin).ok().and_then(|u| u.host_str().map(str::to_owned)).unwrap_or_default()
            }
            Self::Bare(host) => host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name).to_owned(),
        }
    }
}

/// Checks an `Origin` header. None where there is none.
pub(super) fn check_origin(origin: Option<&str>, allowed: &[String]) -> Result<Option<Origin>, String> {
    let Some(origin) = origin.map(str::trim) else { return Ok(None) };
    if !origin.contains("://") {
        let bare = !origin.is_empty()
            && origin != "null"
            && origin.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'));
        return match bare {
            true => Ok(Some(Origin::Bare(origin.to_owned()))),
            false => Err(format!("The Origin “{origin}” tells nothing about where the request comes from.")),
        };
    }
    let same = |a: &str| a.trim_end_matches('/').eq_ignore_ascii_case(origin);
    let here = url::Url::parse(origin)
        .is_ok_and(|u| matches!(u.scheme(), "http" | "https") && u.host_str().is_some_and(is_loopback_host));
    if here || allowed.iter().any(|a| same(a)) {
        return Ok(Some(Origin::Page(origin.to_owned())));
    }
    Err(format!("Pages of “{origin}” may not use the sandbox. Start it with this origin allowed if they should."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_listened_on() {
        for good in ["127.0.0.1:0", "127.9.9.9:80", "[::1]:0", "[::ffff:127.0.0.1]:0"] {
            assert!(check_listen(good.parse().unwrap()).is_ok(), "{good}");
        }
        for bad in ["0.0.0.0:0", "[::]:0", "192.168.1.2:0", "8.8.8.8:80"] {
            assert_eq!(check_listen(bad.parse().unwrap()).unwrap_err().code, "sandbox-not-loopback");
        }
    }

    #[test]
    fn hosts_must_be_loopback_with_our_port() {
        for good in ["127.0.0.1:8089", "127.1.2.3:8089", "[::1]:8089", "localhost:8089", "api.LOCALHOST:8089"] {
            assert_eq!(check_host(Some(good), 8089, false), Ok(()), "{good}");
        }
        for bad in [
            "127.0.0.1",
            "127.0.0.1:80",
            "[::1]",
            "evil.example:8089",
            "127.0.0.1.evil.example:8089",
            "notlocalhost:8089",
            "128.0.0.1:8089",
            "",
            ":8089",
            "127.0.0.1:8089x",
        ] {
            assert!(check_host(Some(bad), 8089, false).is_err(), "{bad}");
        }
        assert!(check_host(None, 8089, false).is_err());
        assert_eq!(check_host(Some("localhost"), 80, false), Ok(()));
        assert_eq!(check_host(Some("api.localhost"), 443, true), Ok(()));
        assert!(check_host(Some("localhost"), 80, true).is_err() && check_host(Some("localhost"), 443, false).is_err());
    }

    #[test]
    fn origins_of_foreign_pages_are_refused() {
        let allowed = vec!["https://app.example.com/".to_owned()];
        let check = |o: &str| check_origin(Some(o), &allowed);
        assert_eq!(check_origin(None, &allowed), Ok(None));
        for page in ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:1", "https://App.example.com"] {
            assert_eq!(check(page), Ok(Some(Origin::Page(page.into()))), "{page}");
        }
        for bare in ["webmessaging.mypurecloud.ie", "127.0.0.1:8089"] {
            assert_eq!(check(bare), Ok(Some(Origin::Bare(bare.into()))));
        }
        for bad in
            ["null", "https://evil.example", "http://app.example.com", "file://", "", "a b", "chrome-extension://x"]
        {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert_eq!(Origin::Page("https://App.example.com:444".into()).host(), "app.example.com");
        assert_eq!(Origin::Bare("example.com:1".into()).host(), "example.com");
    }
}
