//! Authorization code with PKCE (RFC 7636): what is asked of the browser, and what it may bring back.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::{Report, Secret};

/// What the login page is told, beside where to go back to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asking {
    /// `https://login…/oauth/authorize`.
    pub url: String,
    pub client_id: String,
    pub scope: String,
    pub org: String,
    pub provider: String,
    /// Who signs in.
    pub hint: String,
}

/// A browser came back and may be believed.
#[derive(Clone, Debug)]
pub struct Back {
    pub code: Secret<String>,
    pub verifier: Secret<String>,
    pub redirect_uri: String,
}

/// `S256` of a verifier.
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

impl Asking {
    /// The address of the login page. None where the environment names none that can be one.
    pub fn address(&self, redirect_uri: &str, state: &str, challenge: &str) -> Option<String> {
        let mut url = url::Url::parse(&self.url).ok()?;
        let mut words = url.query_pairs_mut();
        words
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("state", state);
        for (name, value) in
            [("scope", &self.scope), ("org", &self.org), ("provider", &self.provider), ("login_hint", &self.hint)]
        {
            if !value.trim().is_empty() {
                words.append_pair(name, value.trim());
            }
        }
        drop(words);
        Some(url.into())
    }
}

/// What a request to the loopback listener is.
#[derive(Debug, PartialEq, Eq)]
pub enum Visit {
    /// Not what was waited for, such as a browser's wish for an icon.
    Elsewhere,
    /// The right place, and not our answer: forged, or of an earlier try.
    Foreign,
    /// The code.
    Code(Secret<String>),
    /// `error` and `error_description`.
    Refused { error: String, text: String },
}

/// Reads `path?query` of a request.
pub fn visit(target: &str, path: &str, state: &str) -> Visit {
    let (at, query) = target.split_once('?').unwrap_or((target, ""));
    if at != path {
        return Visit::Elsewhere;
    }
    let mut words = std::collections::HashMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if words.insert(name.into_owned(), value.into_owned()).is_some() {
            return Visit::Foreign;
        }
    }
    if words.get("state").is_none_or(|told| !is_same(told, state)) {
        return Visit::Foreign;
    }
    match (words.remove("error"), words.remove("code")) {
        (Some(error), _) => Visit::Refused { error, text: words.remove("error_description").unwrap_or_default() },
        (None, Some(code)) if !code.is_empty() => Visit::Code(Secret::new(code)),
        _ => Visit::Foreign,
    }
}

/// Compares without telling by its time where two texts part.
fn is_same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// What the login page's refusal means.
pub fn refusal(error: &str, text: &str) -> Report {
    let said = if text.is_empty() { error.to_owned() } else { format!("{error}: {text}") };
    if error == "access_denied" {
        return Report::new("sign-in-denied", "The sign-in was denied", format!("The login page says {said}."))
            .remedy("Sign in again, and let the client in.")
            .remedy("Where it was not you: this person may not use the client. Ask who administers it.");
    }
    let report = Report::new("sign-in-refused", "The login page refused the sign-in", format!("It says {said}."));
    match error {
        "login_required" | "interaction_required" => {
            report.remedy("Sign in by the browser: the login page does not know who asks.")
        }
        "unauthorized_client" | "unsupported_response_type" => {
            report.remedy("Give the client the grant type “code authorization (PKCE)”.")
        }
        "invalid_scope" => report.remedy("Check the scope in the environment against those of the client."),
        "server_error" | "temporarily_unavailable" => report.remedy("Try again in a moment."),
        _ => report.remedy("Check the client id for agents, its grant type and its redirect URIs."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_standard_s_example() {
        assert_eq!(
            challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn the_address_tells_what_is_known_and_nothing_else() {
        let bare =
            Asking { url: "https://login.example/oauth/authorize".into(), client_id: "c".into(), ..Asking::default() };
        assert_eq!(
            bare.address("http://localhost:1/", "s&t", "x").unwrap(),
            "https://login.example/oauth/authorize?response_type=code&client_id=c&redirect_uri=http%3A%2F%2Flocalhost%3A1%2F\
             &code_challenge=x&code_challenge_method=S256&state=s%26t"
        );
        let full =
            Asking { org: "acme".into(), provider: "okta".into(), hint: "a@b.c".into(), scope: "x y".into(), ..bare };
        let address = full.address("http://localhost:1/", "s", "x").unwrap();
        assert!(address.ends_with("&scope=x+y&org=acme&provider=okta&login_hint=a%40b.c"), "{address}");
        assert_eq!(Asking::default().address("http://localhost:1/", "s", "x"), None);
    }

    #[test]
    fn only_the_right_place_with_the_right_state_counts() {
        let read = |target: &str| visit(target, "/callback", "right");
        assert_eq!(read("/callback?code=c&state=right"), Visit::Code("c".into()));
        for foreign in [
            "/callback",
            "/callback?code=c",
            "/callback?code=c&state=wrong",
            "/callback?code=c&state=righ",
            "/callback?code=c&state=right&state=right",
            "/callback?code=&state=right",
            "/callback?error=access_denied",
            "/callback?state=right",
        ] {
            assert_eq!(read(foreign), Visit::Foreign, "{foreign}");
        }
        for elsewhere in ["/", "/favicon.ico", "/callback/?code=c&state=right", "/Callback?code=c&state=right", ""] {
            assert_eq!(read(elsewhere), Visit::Elsewhere, "{elsewhere}");
        }
        let refused = Visit::Refused { error: "access_denied".into(), text: "no way".into() };
        assert_eq!(read("/callback?error=access_denied&error_description=no+way&state=right"), refused);
    }

    #[test]
    fn a_denial_is_told_apart_from_a_refusal() {
        assert_eq!(refusal("access_denied", "").code, "sign-in-denied");
        let report = refusal("invalid_scope", "what?");
        assert_eq!((report.code.as_str(), report.what.as_str()), ("sign-in-refused", "It says invalid_scope: what?."));
    }
}
