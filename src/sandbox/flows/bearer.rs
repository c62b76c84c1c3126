//! Who asks, with which scopes, and how often.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

use super::super::api;
use super::super::limits::Window;
use super::super::state::State;
use super::super::tokens::Holder;
use super::{No, Scopes};
use crate::model::Now;

/// The client behind a request.
pub(super) struct Client {
    pub(super) token: Arc<str>,
    scopes: Scopes,
}

impl Client {
    /// Refuses with 403 where the token lacks a scope.
    pub(super) fn need(&self, scopes: &[&str]) -> Result<(), No> {
        match scopes.iter().find(|s| !self.scopes.has(s)) {
            None => Ok(()),
            Some(lacking) => {
                Err(api::error(403, "not.authorized", &format!("Missing required scope: {lacking}")).into())
            }
        }
    }

    pub(super) fn may(&self, scope: &str) -> bool {
        self.scopes.has(scope)
    }
}

/// The OAuth client whose live token the request bears.
pub(super) fn client(state: &mut State, headers: &HeaderMap, now: Now) -> Result<Client, No> {
    let value = api::bearer_value(headers);
    let token = api::authenticate(state, value.as_deref(), now)?;
    if token.holder != Holder::Client {
        return Err(api::error(403, "not.authorized", "A guest's token may not do this").into());
    }
    let scopes = token.scopes;
    Ok(Client { token: Arc::from(value.unwrap_or_default()), scopes })
}

/// Counts a request against a limit of the client's.
pub(in crate::sandbox) fn rate(window: &mut Window, limit: u32, span: Duration, now: Now) -> Result<(), No> {
    window.take(limit, span, now.mono).map_err(|wait| {
        let text = format!("Rate limit exceeded the maximum [{limit}] requests within [{}] seconds", span.as_secs());
        let mut response = api::error(429, "too.many.requests", &text);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
        response.into()
    })
}
