//! Who may come in: the token endpoint, the authorization page where a person signs in, and what they gave out.
//!
//! Two clients are known. One has a secret (`client_credentials`, `authorization_code`, `refresh_token`), the other
//! one is public and proves itself by PKCE (RFC 7636). Browsers are sent back to this computer only.

mod authorize;
mod grants;
mod page;
mod token;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

use super::change::change;
use super::platform;
use super::shared::Shared;
use super::state::State;
use super::tokens::Holder;
use crate::model::Now;

/// Authorization pages that may be open at once; the oldest stops to work.
const PAGES: usize = 64;

/// Which of the two clients asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    WithSecret,
    Public,
}

/// What the organisation asks of those who sign in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignInSwitches {
    /// Exactly these are registered with the clients; any of this computer where there is none.
    pub redirect_uris: Vec<String>,
    /// The public client gets a refresh token as well.
    pub refresh_tokens: bool,
    /// Life of a code.
    pub code_secs: u32,
}

impl SignInSwitches {
    fn at_start() -> Self {
        Self { redirect_uris: Vec::new(), refresh_tokens: false, code_secs: 60 }
    }
}

change! {
    /// Switches of signing in to change; what is left out stays.
    SignInChange of SignInSwitches {
        redirect_uris: Vec<String>,
        refresh_tokens: bool,
        code_secs: u32,
    }
}

/// All that is known of signing in.
pub(super) struct SignIns {
    pub(super) switches: SignInSwitches,
    grants: grants::Grants,
    /// Requests whose page is open, by what its forms bear.
    pages: VecDeque<(String, authorize::Asked)>,
    /// Permissions that users lack, by their number.
    lacking: BTreeMap<u32, BTreeSet<String>>,
}

impl SignIns {
    pub(super) fn new() -> Self {
        Self {
            switches: SignInSwitches::at_start(),
            grants: grants::Grants::default(),
            pages: VecDeque::new(),
            lacking: BTreeMap::new(),
        }
    }

    /// Whether this user has a permission, such as `conversation:message:create`.
    pub(super) fn may(&self, user: u32, permission: &str) -> bool {
        self.lacking.get(&user).is_none_or(|lacking| !lacking.contains(permission))
    }

    /// What this user may not do.
    pub(super) fn lacking(&self, user: u32) -> impl Iterator<Item = &String> {
        self.lacking.get(&user).into_iter().flatten()
    }

    /// From now on the user has all permissions but these.
    pub(super) fn set_lacking(&mut self, user: u32, permissions: Vec<String>) {
        self.lacking.insert(user, permissions.into_iter().collect());
    }
}

impl State {
    /// The number of a user, by id or e-mail address.
    pub(super) fn find_user(&self, name: &str) -> Option<u32> {
        let named = |u: &platform::User| u.id == name || u.email.eq_ignore_ascii_case(name);
        self.platform.users.iter().position(named).and_then(|n| u32::try_from(n).ok())
    }

    /// Ends a token at once: whoever listens with it is told.
    pub(super) fn revoke_token(&mut self, value: &str, now: Now) {
        let Some(holder) = self.tokens.get(value).map(|t| t.holder) else { return };
        self.tokens.revoke(value);
        platform::token_revoked(self, holder, value, now);
    }

    /// Ends all that a user got by signing in. How many access tokens that were.
    pub(super) fn revoke_user(&mut self, user: u32, now: Now) -> usize {
        self.sign_ins.grants.forget_user(user);
        let values = self.tokens.values_of(Holder::User(user));
        for value in &values {
            self.revoke_token(value, now);
        }
        values.len()
    }
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/oauth/authorize", get(authorize::ask).post(authorize::answer))
        .route("/oauth/token", post(token::token))
        .route("/api/v2/oauth/token", post(token::token))
        .route("/api/v2/tokens/me", get(token::info).delete(token::revoke))
}
