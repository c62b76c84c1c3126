//! The token endpoint, and what a token tells of itself.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State as Shares;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::api::{self, Bearer};
use super::super::flows::Scopes;
use super::super::shared::Shared;
use super::super::state::State;
use super::super::tokens::Holder;
use super::super::{ids, server};
use super::Client;
use super::grants::No;
use crate::model::Now;

type Words = HashMap<String, String>;

/// `POST /oauth/token` and `/api/v2/oauth/token`; the client by Basic or in the form.
pub(super) async fn token(Shares(shared): Shares<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    let form: Words = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    shared.act(|state, now| {
        let Some(client) = client(state, &headers, &form) else {
            return refuse("invalid_client", "client not found: invalid_client");
        };
        match form.get("grant_type").map(String::as_str) {
            Some("client_credentials") if client == Client::WithSecret => by_credentials(state, &form, now),
            Some("client_credentials") => refuse("unauthorized_client", "this client has no secret"),
            Some("authorization_code") => by_code(state, client, &form, now),
            Some("refresh_token") => by_refresh(state, client, &form, now),
            None => refuse("invalid_request", "grant_type is missing"),
            Some(_) => refuse(
                "unsupported_grant_type",
                "grant_type must be client_credentials, authorization_code or refresh_token",
            ),
        }
    })
}

fn refuse(code: &str, text: &str) -> Response {
    let body = json!({ "error": code, "description": text, "error_description": text });
    server::json(StatusCode::BAD_REQUEST, &body)
}

/// Who asks: one with its secret, or the public one, which has none.
fn client(state: &State, headers: &HeaderMap, form: &Words) -> Option<Client> {
    let in_form = || Some((form.get("client_id")?.clone(), form.get("client_secret").cloned().unwrap_or_default()));
    let (id, secret) = basic(headers).or_else(in_form)?;
    if id == state.me.client_id && secret == *state.me.client_secret.expose() {
        return Some(Client::WithSecret);
    }
    (id == state.me.pkce_client_id && secret.is_empty()).then_some(Client::Public)
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, value) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let plain = |s: &str| percent_encoding::percent_decode_str(s).decode_utf8_lossy().into_owned();
    Some((plain(id), plain(secret)))
}

fn by_credentials(state: &mut State, form: &Words, now: Now) -> Response {
    let wished = form.get("scope").map(|s| s.trim()).filter(|s| !s.is_empty());
    let all = state.flows.client_scopes;
    let granted = wished.map_or(all, |w| Scopes::known(w.split_whitespace()).and(all));
    if granted.is_empty() {
        return refuse("invalid_scope", "none of the requested scopes is granted to this client");
    }
    let ttl = state.flows.lifetimes.oauth_secs;
    let value = state.tokens.issue_access(Holder::Client, ttl, granted, now);
    let body = json!({
        "access_token": &*value, "token_type": "bearer", "expires_in": ttl, "scope": granted.names().join(" "),
    });
    server::json(StatusCode::OK, &body)
}

fn by_code(state: &mut State, client: Client, form: &Words, now: Now) -> Response {
    let word = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let verifier = form.get("code_verifier").map(String::as_str);
    let State { sign_ins, tokens, flows, .. } = &mut *state;
    let grant = match sign_ins.grants.exchange(client, word("code"), word("redirect_uri"), verifier, now) {
        Ok(grant) => grant,
        Err(No::Unknown) => return refuse("invalid_grant", "the authorization code is not known"),
        Err(No::Because(why)) => return refuse("invalid_grant", why),
        Err(No::UsedBefore(given)) => {
            given.iter().for_each(|value| state.revoke_token(value, now));
            return refuse("invalid_grant", "the authorization code was used before; what it gave is revoked");
        }
    };
    let renewable = client == Client::WithSecret || sign_ins.switches.refresh_tokens;
    let ttl = flows.lifetimes.oauth_secs;
    let access = tokens.issue_user(grant.user, client, ttl, now);
    grant.access.push(Arc::clone(&access));
    grant.refresh = renewable.then(|| Arc::from(ids::opaque(4)));
    granted(&access, ttl, grant.refresh.as_deref(), &grant.scope)
}

fn by_refresh(state: &mut State, client: Client, form: &Words, now: Now) -> Response {
    let token = form.get("refresh_token").map(String::as_str).unwrap_or_default();
    let State { sign_ins, tokens, flows, .. } = state;
    let Some(grant) = sign_ins.grants.refresh(client, token) else {
        return refuse("invalid_grant", "the refresh token is not known, or was used before");
    };
    let ttl = flows.lifetimes.oauth_secs;
    let access = tokens.issue_user(grant.user, client, ttl, now);
    grant.access.retain(|value| tokens.get(value).is_some());
    grant.access.push(Arc::clone(&access));
    grant.refresh = Some(Arc::from(ids::opaque(4)));
    granted(&access, ttl, grant.refresh.as_deref(), &grant.scope)
}

fn granted(access: &str, ttl: u32, refresh: Option<&str>, scope: &str) -> Response {
    let mut body = json!({ "access_token": access, "token_type": "bearer", "expires_in": ttl });
    if let Some(refresh) = refresh {
        body["refresh_token"] = Value::from(refresh);
    }
    if !scope.is_empty() {
        body["scope"] = Value::from(scope);
    }
    server::json(StatusCode::OK, &body)
}

/// `GET` and `HEAD /api/v2/tokens/me`.
pub(super) async fn info(Shares(shared): Shares<Arc<Shared>>, headers: HeaderMap) -> Response {
    shared.act(|state, now| match api::bearer(state, &headers, now) {
        Ok(Bearer { holder: Holder::Client | Holder::User(_), scopes, level, client, .. }) => {
            let organization = json!({ "id": state.me.organization_id, "name": "Sandbox" });
            let id = match client {
                Client::WithSecret => &state.me.client_id,
                Client::Public => &state.me.pkce_client_id,
            };
            let body = json!({
                "organization": organization,
                "homeOrganization": organization,
                "authorizedScope": scopes.names(),
                "OAuthClient": { "id": id, "organization": { "id": state.me.organization_id } },
            });
            api::rated(server::json(StatusCode::OK, &body), level)
        }
        Ok(_) => api::error(403, "not.authorized", "A guest's token may not do this"),
        Err(response) => *response,
    })
}

/// `DELETE /api/v2/tokens/me`.
pub(super) async fn revoke(Shares(shared): Shares<Arc<Shared>>, headers: HeaderMap) -> Response {
    shared.act(|state, now| match api::bearer(state, &headers, now) {
        Ok(bearer) => {
            state.revoke_token(&bearer.value, now);
            api::rated(StatusCode::OK.into_response(), bearer.level)
        }
        Err(response) => *response,
    })
}
