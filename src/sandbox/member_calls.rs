//! What guests who sign in call by HTTP: the sandbox's own identity provider, and the platform's three token calls.
//!
//! The identity provider gives a code (or an id token) at once: `GET /idp/authorize` with `response_type`,
//! `redirect_uri`, `state`, `nonce`, `code_challenge` (S256) and `login_hint`, which names the person. It redirects to
//! this computer only; with `response_mode=json`, which is its own, it answers with the code instead.
//!
//! Assumed of the token calls: a code or id token that does not do is answered with 400 and the provider's words, a
//! dead refresh token with 401.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State as Shares};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{self, Fault, authenticate, bearer_value, error};
use super::members::{self, Asked, Shown};
use super::server;
use super::shared::Shared;
use super::state::State;
use super::tokens::Holder;
use super::{guard, ids};
use crate::model::Now;

/// Who signs in where nobody is named.
const ANYBODY: &str = "ada.guest@example.invalid";
const LONGEST_NAME: usize = 100;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/idp/authorize", get(authorize))
        .route("/api/v2/webdeployments/token/oauthcodegrantjwtexchange", post(exchange))
        .route("/api/v2/webdeployments/token/refresh", post(refresh))
        .route("/api/v2/webdeployments/token/revoke", delete(revoke))
}

async fn authorize(Shares(shared): Shares<Arc<Shared>>, Query(query): Query<HashMap<String, String>>) -> Response {
    let given = |name: &str| query.get(name).map(String::as_str).filter(|v| !v.is_empty());
    let refuse = |text: &str| {
        server::json(StatusCode::BAD_REQUEST, &json!({ "error": "invalid_request", "error_description": text }))
    };
    let subject = given("login_hint").unwrap_or(ANYBODY);
    if subject.chars().count() > LONGEST_NAME {
        return refuse("login_hint is longer than 100 characters");
    }
    if given("code_challenge").is_some() && given("code_challenge_method") != Some("S256") {
        return refuse("code_challenge_method must be S256");
    }
    let redirect = given("redirect_uri").unwrap_or_default();
    let asked = Asked {
        subject: subject.to_owned(),
        redirect: redirect.to_owned(),
        challenge: given("code_challenge").map(str::to_owned),
        nonce: given("nonce").map(str::to_owned),
    };
    let mode = given("response_mode");
    let target = url::Url::parse(redirect)
        .ok()
        .filter(|u| matches!(u.scheme(), "http" | "https") && u.host_str().is_some_and(guard::is_loopback_host));
    if mode != Some("json") && target.is_none() {
        return refuse("redirect_uri must lead to this computer (http://localhost or http://127.0.0.1)");
    }
    let (name, value) = match given("response_type") {
        Some("code") => ("code", shared.act(|state, now| state.members.code(asked, now))),
        Some("id_token") => {
            let audience = given("client_id").unwrap_or("sandbox").to_owned();
            let token = shared.act(|state, now| {
                let issuer = format!("{}/idp", state.me.http());
                state.members.id_token(asked, &issuer, &audience, now)
            });
            ("id_token", token)
        }
        _ => return refuse("response_type must be code or id_token"),
    };
    let Some(mut target) = target.filter(|_| mode != Some("json")) else {
        return server::json(
            StatusCode::OK,
            &json!({ name: value, "redirect_uri": redirect, "state": given("state") }),
        );
    };
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.append_pair(name, &value);
    if let Some(state) = given("state") {
        pairs.append_pair("state", state);
    }
    let answer = pairs.finish();
    // A token goes behind the #, where no server sees it.
    if name == "id_token" {
        target.set_fragment(Some(&answer));
    } else {
        let before = target.query().filter(|q| !q.is_empty()).map(|q| format!("{q}&")).unwrap_or_default();
        target.set_query(Some(&format!("{before}{answer}")));
    }
    let mut response = StatusCode::FOUND.into_response();
    if let Ok(to) = HeaderValue::from_str(target.as_str()) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Exchange {
    deployment_id: Option<String>,
    oauth: Option<Oauth>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Oauth {
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
    nonce: Option<String>,
    id_token: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Refresh {
    deployment_id: Option<String>,
    refresh_token: Option<String>,
}

fn missing(field: &str) -> Response {
    api::invalid(&[Fault { field: field.to_owned(), text: "is missing".to_owned() }])
}

fn read<T: serde::de::DeserializeOwned>(body: &str) -> Result<T, Box<Response>> {
    serde_json::from_str(body)
        .map_err(|e| Box::new(error(400, "bad.request", &format!("The body cannot be read: {e}"))))
}

/// The deployment that is named must be ours, and let guests sign in.
fn check_deployment(state: &State, given: Option<&str>) -> Result<(), Box<Response>> {
    match given {
        Some(id) if id != state.me.deployment_id || !state.deployment.active => {
            Err(Box::new(error(404, "not.found", "The deployment is not known or not active")))
        }
        _ if !state.deployment.auth_enabled => {
            let text = "Authentication is not enabled for this deployment";
            Err(Box::new(error(403, "not.authorized", text)))
        }
        _ => Ok(()),
    }
}

/// `POST …/oauthcodegrantjwtexchange`: a code, or an id token of the implicit grant, for a JWT.
async fn exchange(Shares(shared): Shares<Arc<Shared>>, body: String) -> Response {
    let want: Exchange = match read(&body) {
        Ok(want) => want,
        Err(no) => return *no,
    };
    shared.act(|state, now| exchanged(state, want, now).unwrap_or_else(|no| *no))
}

fn exchanged(state: &mut State, want: Exchange, now: Now) -> Result<Response, Box<Response>> {
    if want.deployment_id.is_none() {
        return Err(Box::new(missing("deploymentId")));
    }
    check_deployment(state, want.deployment_id.as_deref())?;
    let Some(oauth) = want.oauth else { return Err(Box::new(missing("oauth"))) };
    let nonce = oauth.nonce.as_deref();
    let (member, with_refresh) = match (&oauth.code, &oauth.id_token) {
        (Some(code), None) => {
            let redirect = oauth.redirect_uri.as_deref().ok_or_else(|| Box::new(missing("oauth.redirectUri")))?;
            let shown = Shown { redirect, verifier: oauth.code_verifier.as_deref(), nonce };
            (state.members.redeem(code, &shown, now), true)
        }
        (None, Some(token)) => (state.members.read(token, nonce, now), false),
        (None, None) => return Err(Box::new(missing("oauth.code"))),
        (Some(_), Some(_)) => {
            return Err(Box::new(error(400, "bad.request", "oauth holds both a code and an idToken")));
        }
    };
    let member = member.map_err(|why| Box::new(error(400, "bad.request", &why)))?;
    Ok(server::json(StatusCode::OK, &members::issue(state, member, with_refresh, now)))
}

/// `POST …/refresh`.
async fn refresh(Shares(shared): Shares<Arc<Shared>>, body: String) -> Response {
    let want: Refresh = match read(&body) {
        Ok(want) => want,
        Err(no) => return *no,
    };
    shared.act(|state, now| refreshed(state, want, now).unwrap_or_else(|no| *no))
}

fn refreshed(state: &mut State, want: Refresh, now: Now) -> Result<Response, Box<Response>> {
    check_deployment(state, want.deployment_id.as_deref())?;
    let Some(value) = want.refresh_token else { return Err(Box::new(missing("refreshToken"))) };
    let Holder::Renewal(member) = authenticate(state, Some(&value), now)?.holder else {
        return Err(Box::new(error(401, "bad.credentials", "It is no refresh token")));
    };
    let rotates = state.deployment.auth_refresh_rotates;
    if rotates {
        state.tokens.revoke(&value);
    }
    let body: Value = members::issue(state, member, rotates, now);
    Ok(server::json(StatusCode::OK, &body))
}

/// `DELETE …/revoke`: the guest logs out.
async fn revoke(Shares(shared): Shares<Arc<Shared>>, headers: HeaderMap) -> Response {
    shared.act(|state, now| {
        let member = match authenticate(state, bearer_value(&headers).as_deref(), now) {
            Ok(token) => token.holder,
            Err(no) => return *no,
        };
        let Holder::Member(member) = member else {
            return error(403, "not.authorized", "Only the JWT of a guest who has signed in may do this");
        };
        members::log_out(state, member, now);
        let mut response = StatusCode::OK.into_response();
        if let Ok(id) = HeaderValue::from_str(&ids::uuid()) {
            response.headers_mut().insert(api::CORRELATION, id);
        }
        response
    })
}
