//! `/oauth/authorize`: a person lets a client in, or does not, and the browser is sent back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Form, Query, State as Shares};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::Url;

use super::super::faults::Faults;
use super::super::shared::Shared;
use super::super::state::State;
use super::super::{guard, ids};
use super::grants::Terms;
use super::{Client, PAGES, page};
use crate::model::Now;

/// A request that can be answered.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    terms: Terms,
    back: Url,
    state: Option<String>,
    /// The token itself in the fragment, as older clients want it.
    implicit: bool,
}

type Words = HashMap<String, String>;

/// `GET`: who shall sign in?
pub(super) async fn ask(Shares(shared): Shares<Arc<Shared>>, Query(words): Query<Words>) -> Response {
    shared.act(|state, now| {
        let asked = match read(state, &words) {
            Ok(asked) => asked,
            Err(no) => return no.into_response(&words),
        };
        let hint = words.get("login_hint").map(|h| h.trim()).unwrap_or_default();
        let user = state.find_user(hint);
        if words.get("prompt").is_some_and(|p| p == "none") {
            return match user {
                Some(user) => let_in(state, asked, user, StatusCode::FOUND, now),
                None => {
                    let text = "Nobody is signed in here, and login_hint names no user";
                    refuse(&asked.back, asked.state.as_deref(), "login_required", text, StatusCode::FOUND)
                }
            };
        }
        // Its forms bear this: no other page can know it, and what was asked cannot be changed on the way.
        let ticket = ids::opaque(2);
        let response = page::who(&ticket, &state.platform.users, user, asked.terms.client, asked.back.as_str());
        if state.sign_ins.pages.len() >= PAGES {
            state.sign_ins.pages.pop_front();
        }
        state.sign_ins.pages.push_back((ticket, asked));
        response
    })
}

/// `POST`: what the person chose.
pub(super) async fn answer(Shares(shared): Shares<Arc<Shared>>, Form(words): Form<Words>) -> Response {
    shared.act(|state, now| {
        let ticket = words.get("request").map(String::as_str).unwrap_or_default();
        let pages = &mut state.sign_ins.pages;
        let asked = pages.iter().position(|(t, _)| t == ticket).and_then(|at| pages.remove(at));
        let Some((_, asked)) = asked else {
            return page::trouble("This page is not good any more", "Begin again where you came from.");
        };
        // The browser shall GET what comes now.
        let status = StatusCode::SEE_OTHER;
        match words.get("user").and_then(|user| state.find_user(user)) {
            Some(user) => let_in(state, asked, user, status, now),
            None => denied(&asked, status),
        }
    })
}

/// Why a request cannot be answered.
enum No {
    /// The browser must not be sent anywhere.
    Page(&'static str, String),
    Back {
        to: Url,
        error: &'static str,
        text: &'static str,
    },
}

impl No {
    fn into_response(self, words: &Words) -> Response {
        match self {
            Self::Page(title, text) => page::trouble(title, &text),
            Self::Back { to, error, text } => {
                refuse(&to, words.get("state").map(String::as_str), error, text, StatusCode::FOUND)
            }
        }
    }
}

fn read(state: &State, words: &Words) -> Result<Asked, No> {
    let word = |name: &str| words.get(name).map(String::as_str).unwrap_or_default();
    let client = match word("client_id") {
        id if id == state.me.client_id => Client::WithSecret,
        id if id == state.me.pkce_client_id => Client::Public,
        _ => return Err(No::Page("Unknown client", "client_id is none of this sandbox's clients.".to_owned())),
    };
    let back = redirect(word("redirect_uri"), &state.sign_ins.switches.redirect_uris)
        .map_err(|why| No::Page("The redirect URI is not allowed", why))?;
    let no = |error, text| No::Back { to: back.clone(), error, text };
    let implicit = match word("response_type") {
        "code" => false,
        "token" => true,
        _ => return Err(no("unsupported_response_type", "response_type must be code or token")),
    };
    let challenge = words.get("code_challenge").filter(|c| !c.is_empty());
    match challenge {
        Some(_) if word("code_challenge_method") != "S256" => {
            return Err(no("invalid_request", "code_challenge_method must be S256"));
        }
        // 32 bytes in base64url.
        Some(c) if c.len() != 43 || !c.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') => {
            return Err(no("invalid_request", "code_challenge is not a SHA-256 in base64url"));
        }
        None if client == Client::Public && !implicit => {
            return Err(no("invalid_request", "code_challenge is missing: this client has no secret"));
        }
        _ => {}
    }
    let terms = Terms {
        client,
        redirect_uri: word("redirect_uri").to_owned(),
        challenge: challenge.cloned(),
        scope: word("scope").trim().to_owned(),
    };
    Ok(Asked { terms, back, state: words.get("state").cloned(), implicit })
}

/// Where the browser may be sent: to this computer, and where URIs are registered, to one of them to the letter.
fn redirect(uri: &str, registered: &[String]) -> Result<Url, String> {
    if uri.is_empty() {
        return Err("redirect_uri is missing.".to_owned());
    }
    let local = |u: &Url| {
        matches!(u.scheme(), "http" | "https")
            && u.host_str().is_some_and(guard::is_loopback_host)
            && u.username().is_empty()
            && u.password().is_none()
            && u.fragment().is_none()
    };
    let Some(url) = Url::parse(uri).ok().filter(local) else {
        return Err(format!(
            "“{uri}” does not lead back to this computer. The sandbox sends browsers to http://localhost, \
             http://127.0.0.1 and http://[::1] only, without a fragment."
        ));
    };
    if !registered.is_empty() && !registered.iter().any(|r| r == uri) {
        let all = registered.join(", ");
        return Err(format!("“{uri}” does not match the client's registered redirect URIs: {all}."));
    }
    Ok(url)
}

/// The person is in, unless it was ordered otherwise.
fn let_in(state: &mut State, asked: Asked, user: u32, status: StatusCode, now: Now) -> Response {
    if Faults::spend(&mut state.faults.deny_sign_in) {
        return denied(&asked, status);
    }
    let mut words = url::form_urlencoded::Serializer::new(String::new());
    let mut back = asked.back;
    if asked.implicit {
        let ttl = state.flows.lifetimes.oauth_secs;
        let value = state.tokens.issue_user(user, asked.terms.client, ttl, now);
        words.append_pair("access_token", &value).append_pair("expires_in", &ttl.to_string());
        words.append_pair("token_type", "bearer");
        if let Some(state) = &asked.state {
            words.append_pair("state", state);
        }
        back.set_fragment(Some(&words.finish()));
        return sent(&back, status);
    }
    let life = Duration::from_secs(state.sign_ins.switches.code_secs.into());
    let code = state.sign_ins.grants.code(asked.terms, user, life, now);
    back.query_pairs_mut().append_pair("code", &code);
    if let Some(state) = &asked.state {
        back.query_pairs_mut().append_pair("state", state);
    }
    sent(&back, status)
}

fn denied(asked: &Asked, status: StatusCode) -> Response {
    refuse(&asked.back, asked.state.as_deref(), "access_denied", "The person did not let the client in", status)
}

fn refuse(to: &Url, state: Option<&str>, error: &str, text: &str, status: StatusCode) -> Response {
    let mut to = to.clone();
    to.query_pairs_mut().append_pair("error", error).append_pair("error_description", text);
    if let Some(state) = state {
        to.query_pairs_mut().append_pair("state", state);
    }
    sent(&to, status)
}

fn sent(to: &Url, status: StatusCode) -> Response {
    let mut response = status.into_response();
    let headers = response.headers_mut();
    if let Ok(to) = HeaderValue::from_str(to.as_str()) {
        headers.insert(header::LOCATION, to);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_sent_to_this_computer_only() {
        for good in
            ["http://localhost:8400/callback", "http://127.0.0.1/", "http://[::1]:9/x?y=1", "https://a.localhost/"]
        {
            assert!(redirect(good, &[]).is_ok(), "{good}");
        }
        for bad in [
            "",
            "nonsense",
            "https://evil.example/",
            "http://localhost.evil.example/",
            "http://evil.example@localhost/",
            "http://localhost/#x",
            "javascript:alert(1)",
            "custom://localhost/",
        ] {
            assert!(redirect(bad, &[]).is_err(), "{bad}");
        }
        let registered = ["http://localhost:8400/callback".to_owned()];
        assert!(redirect(&registered[0], &registered).is_ok());
        for near in
            ["http://localhost:8400/callback/", "http://localhost:8401/callback", "http://127.0.0.1:8400/callback"]
        {
            assert!(redirect(near, &registered).unwrap_err().contains("does not match"), "{near}");
        }
    }
}
