//! What of a session is kept in the vault, so that a later run can go on with it: the session token, and with it the
//! refresh token of a guest who has signed in. Both are one entry: they go in and out together.

use serde::{Deserialize, Serialize};

use super::{Cx, WebMessaging};
use crate::dialect::Action;
use crate::model::Secret;

/// Under which name it is kept.
const KEPT: &str = "session-token";

/// What a later run goes on with.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    pub token: Secret<String>,
    /// Of a guest who has signed in: such a session is not opened again without a JWT.
    pub refresh: Option<Secret<String>>,
}

/// A session of a guest who has signed in. One of a guest who has not is the bare token.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedIn<'a> {
    token: std::borrow::Cow<'a, str>,
    refresh_token: std::borrow::Cow<'a, str>,
}

impl Kept {
    /// Reads an entry.
    pub fn read(text: &Secret<String>) -> Self {
        match serde_json::from_str::<SignedIn<'_>>(text.expose()) {
            Ok(both) => Self { token: Secret::from(&*both.token), refresh: Some(Secret::from(&*both.refresh_token)) },
            Err(_) => Self { token: text.clone(), refresh: None },
        }
    }

    fn write(&self) -> Secret<String> {
        let Some(refresh) = &self.refresh else { return self.token.clone() };
        let both = SignedIn { token: self.token.expose().into(), refresh_token: refresh.expose().into() };
        // Two texts can always be written.
        serde_json::to_string(&both).map_or_else(|_| self.token.clone(), Secret::new)
    }
}

impl WebMessaging {
    /// The session is ready: a later run can go on with it.
    pub(super) fn keep(&mut self, cx: &mut Cx<'_>) {
        if !self.session.forgotten && !std::mem::replace(&mut self.session.kept_told, true) {
            self.session.kept = None;
            self.put_away(cx);
        }
    }

    /// The refresh token is another one, or none any more.
    pub(super) fn keep_again(&mut self, cx: &mut Cx<'_>) {
        if self.session.kept.is_some() {
            self.put_away(cx);
        }
    }

    fn put_away(&mut self, cx: &mut Cx<'_>) {
        let refresh = self.auth.kept_refresh().cloned();
        let kept = Kept { token: self.token.clone(), refresh };
        if self.session.kept.as_ref() != Some(&kept) {
            cx.act(Action::Keep { key: KEPT, value: Some(kept.write()) });
            self.session.kept = Some(kept);
        }
    }

    /// The server will not know the session again.
    pub(super) fn unkeep(&mut self, cx: &mut Cx<'_>) {
        self.session.kept_told = false;
        if self.session.kept.take().is_some() {
            cx.act(Action::Keep { key: KEPT, value: None });
        }
    }

    /// The user wants the token gone from the vault. It lives on in this machine, so that the session can go on.
    pub(super) fn forget_token(&mut self, cx: &mut Cx<'_>) {
        self.session.forgotten = true;
        self.session.kept = None;
        cx.act(Action::Keep { key: KEPT, value: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_a_bare_token_is_one() {
        for refresh in [None, Some(Secret::from("r-\"1\""))] {
            let kept = Kept { token: Secret::from("7f0c3a52"), refresh };
            assert_eq!(Kept::read(&kept.write()), kept);
        }
        let odd = Secret::from("{\"token\":\"x\"}");
        assert_eq!(Kept::read(&odd), Kept { token: odd.clone(), refresh: None }, "a token of somebody's own choice");
    }
}
