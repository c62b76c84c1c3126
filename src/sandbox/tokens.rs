//! Tokens that the sandbox gave out: access tokens of the OAuth client, JWTs of guests, and the tokens of the other
//! flows' conversations and guests.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::flows::Scopes;
use super::ids;
use super::limits::Window;
use super::oauth::Client;
use crate::model::{Now, Wall};

/// A dead token is told from one that never was for so long.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// Tokens remembered at once; the one that ends first goes.
const MANY: usize = 20_000;

/// Whose a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// The OAuth client.
    Client,
    /// A user who signed in, by its number among the platform's users.
    User(u32),
    /// A guest's session of web messaging.
    Guest(u32),
    /// A conversation that is spoken in with a session token.
    Conversation(u32),
    /// A guest that is a resource of its own.
    Resource(u32),
    /// A guest who has signed in, by its number among the members.
    Member(u32),
    /// The same, for renewing the sign-in.
    Renewal(u32),
}

impl Holder {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Client | Self::User(_) => "oauth",
            Self::Guest(_) => "jwt",
            Self::Conversation(_) => "session-token",
            Self::Resource(_) => "guest-token",
            Self::Member(_) => "guest-auth",
            Self::Renewal(_) => "guest-refresh",
        }
    }
}

/// What is known of a token. Bears its value, so it has no `Debug`.
pub(super) struct Token {
    /// `oauth-1`, `jwt-2`.
    pub(super) id: String,
    value: Arc<str>,
    pub(super) holder: Holder,
    /// Through which it was got.
    pub(super) client: Client,
    /// What a client's token may do; the others may do one thing only.
    pub(super) scopes: Scopes,
    pub(super) expires: Wall,
    pub(super) requests: Window,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Unknown,
    Expired,
}

#[derive(Default)]
pub(super) struct Tokens {
    by_value: HashMap<Arc<str>, u32>,
    /// By number, in the order in which they were given out.
    all: BTreeMap<u32, Token>,
    by_end: BTreeSet<(Wall, u32)>,
    last: u32,
    /// How many went before their time.
    pub(super) forgotten: u64,
}

/// A JWT in its compact form. The signature is random: only this sandbox checks it, by remembering the whole.
pub(super) fn jwt(claims: &Value) -> String {
    let part = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
    format!("{}.{}.{}", part(&json!({ "alg": "HS256", "typ": "JWT" })), part(claims), ids::opaque(2))
}

impl Tokens {
    /// A new access token.
    pub(super) fn issue_access(&mut self, holder: Holder, ttl_secs: u32, scopes: Scopes, now: Now) -> Arc<str> {
        self.issue(holder, Client::WithSecret, ttl_secs, scopes, now)
    }

    /// A new access token of a user, who signed in to this client.
    pub(super) fn issue_user(&mut self, user: u32, client: Client, ttl_secs: u32, now: Now) -> Arc<str> {
        self.issue(Holder::User(user), client, ttl_secs, Scopes::NONE, now)
    }

    fn issue(&mut self, holder: Holder, client: Client, ttl_secs: u32, scopes: Scopes, now: Now) -> Arc<str> {
        let value = Arc::from(ids::opaque(4));
        let expires = now.wall + Duration::from_secs(ttl_secs.into());
        self.insert(Arc::clone(&value), holder, scopes, expires, now);
        if let Some(token) = self.all.get_mut(&self.last) {
            token.client = client;
        }
        value
    }

    /// A new JWT for a guest and the end of its life. Its times are those of the server's clock, `skew_secs` off.
    pub(super) fn issue_jwt(&mut self, session: u32, ttl_secs: u32, skew_secs: i32, now: Now) -> (String, i64) {
        let iat = now.wall.as_secs() + i64::from(skew_secs);
        let exp = iat + i64::from(ttl_secs);
        let value = jwt(&json!({
            "iss": "sandbox", "sub": format!("s{session}"), "iat": iat, "exp": exp, "jti": ids::uuid(),
        }));
        self.keep(&value, Holder::Guest(session), ttl_secs, now);
        (value, exp)
    }

    /// Takes in a token with whole seconds of life, as a JWT's `exp` has them.
    pub(super) fn keep(&mut self, value: &str, holder: Holder, ttl_secs: u32, now: Now) -> Arc<str> {
        let value: Arc<str> = Arc::from(value);
        let expires = Wall::from_secs(now.wall.as_secs() + i64::from(ttl_secs));
        self.insert(Arc::clone(&value), holder, Scopes::NONE, expires, now);
        value
    }

    fn insert(&mut self, value: Arc<str>, holder: Holder, scopes: Scopes, expires: Wall, now: Now) {
        if self.all.len() >= MANY {
            self.prune(now);
        }
        if self.all.len() >= MANY
            && let Some((_, number)) = self.by_end.first().copied()
        {
            self.remove(number);
            self.forgotten += 1;
        }
        self.last += 1;
        let id = format!("{}-{}", holder.kind(), self.last);
        self.by_value.insert(Arc::clone(&value), self.last);
        self.by_end.insert((expires, self.last));
        self.all.insert(
            self.last,
            Token { id, value, holder, client: Client::WithSecret, scopes, expires, requests: Window::default() },
        );
    }

    fn remove(&mut self, number: u32) {
        if let Some(token) = self.all.remove(&number) {
            self.by_value.remove(&token.value);
            self.by_end.remove(&(token.expires, number));
        }
    }

    /// The token, if it lives.
    pub(super) fn check(&mut self, value: &str, now: Now) -> Result<&mut Token, Refused> {
        let token = self.by_value.get(value).and_then(|number| self.all.get_mut(number));
        match token {
            None => Err(Refused::Unknown),
            Some(t) if t.expires <= now.wall => Err(Refused::Expired),
            Some(t) => Ok(t),
        }
    }

    /// The token, alive or dead.
    pub(super) fn get(&self, value: &str) -> Option<&Token> {
        self.by_value.get(value).and_then(|number| self.all.get(number))
    }

    pub(super) fn revoke(&mut self, value: &str) {
        if let Some(number) = self.by_value.get(value).copied() {
            self.remove(number);
        }
    }

    /// Those of this holder, dead or alive.
    pub(super) fn values_of(&self, holder: Holder) -> Vec<Arc<str>> {
        self.all.values().filter(|t| t.holder == holder).map(|t| Arc::clone(&t.value)).collect()
    }

    pub(super) fn id_of(&self, value: &str) -> Option<String> {
        self.get(value).map(|t| t.id.clone())
    }

    /// Lets tokens end at `at`: all of a kind, or one by its id. How many there were.
    pub(super) fn expire(&mut self, which: &str, at: Wall) -> usize {
        self.expire_all(at, |t| t.holder.kind() == which || t.id == which)
    }

    /// As [`Self::expire`], those of this holder.
    pub(super) fn expire_held(&mut self, holder: Holder, at: Wall) -> usize {
        self.expire_all(at, |t| t.holder == holder)
    }

    fn expire_all(&mut self, at: Wall, hit: impl Fn(&Token) -> bool) -> usize {
        let hit: Vec<u32> = self.all.iter().filter(|(_, t)| hit(t)).map(|(n, _)| *n).collect();
        for number in &hit {
            self.end(*number, at);
        }
        hit.len()
    }

    /// Lets the token with this value end at `at`.
    pub(super) fn expire_value(&mut self, value: &str, at: Wall) {
        if let Some(number) = self.by_value.get(value).copied() {
            self.end(number, at);
        }
    }

    /// Never later than it would end anyway: a dead token stays dead.
    fn end(&mut self, number: u32, at: Wall) {
        if let Some(token) = self.all.get_mut(&number) {
            let at = at.min(token.expires);
            self.by_end.remove(&(token.expires, number));
            token.expires = at;
            self.by_end.insert((at, number));
        }
    }

    pub(super) fn forget_session(&mut self, session: u32) {
        self.forget(|holder| holder == Holder::Guest(session));
    }

    pub(super) fn forget_member(&mut self, member: u32) {
        self.forget(|holder| matches!(holder, Holder::Member(n) | Holder::Renewal(n) if n == member));
    }

    fn forget(&mut self, of: impl Fn(Holder) -> bool) {
        let gone: Vec<u32> = self.all.iter().filter(|(_, t)| of(t.holder)).map(|(n, _)| *n).collect();
        for number in gone {
            self.remove(number);
        }
    }

    pub(super) fn prune(&mut self, now: Now) {
        while let Some((end, number)) = self.by_end.first().copied()
            && end + REMEMBERED <= now.wall
        {
            self.remove(number);
        }
    }

    /// All of them, in the order in which they were given out.
    pub(super) fn list(&self) -> impl Iterator<Item = &Token> {
        self.all.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Mono;

    fn at(secs: i64) -> Now {
        Now { wall: Wall::from_secs(secs), mono: Mono(secs as u64 * 1_000_000) }
    }

    #[test]
    fn a_token_lives_until_its_end_and_is_known_as_dead_after_it() {
        let mut tokens = Tokens::default();
        let value = tokens.issue_access(Holder::Client, 60, Scopes::ALL, at(1000));
        assert!(tokens.check(&value, at(1059)).is_ok());
        assert_eq!(tokens.check(&value, at(1060)).err(), Some(Refused::Expired));
        assert_eq!(tokens.check("other", at(1000)).err(), Some(Refused::Unknown));
        tokens.prune(at(1060));
        assert_eq!(tokens.check(&value, at(1060)).err(), Some(Refused::Expired));
        tokens.prune(at(9000));
        assert_eq!(tokens.check(&value, at(9000)).err(), Some(Refused::Unknown));
        assert!(tokens.by_end.is_empty() && tokens.by_value.is_empty());
    }

    #[test]
    fn a_jwt_has_three_parts_and_tells_its_own_life() {
        let mut tokens = Tokens::default();
        let (jwt, exp) = tokens.issue_jwt(7, 60, 5, at(1000));
        assert_eq!(exp, 1065);
        let parts: Vec<&str> = jwt.split('.').collect();
        assert_eq!(parts.len(), 3);
        let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        assert_eq!((claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(1005), Some(1065)));
        assert!(tokens.check(&jwt, at(1059)).is_ok(), "lives by the true clock");
        assert_eq!(tokens.expire("oauth", at(0).wall), 0);
        assert_eq!(tokens.expire("jwt", at(1001).wall), 1);
        assert_eq!(tokens.check(&jwt, at(1001)).err(), Some(Refused::Expired));
        assert_eq!(tokens.expire("jwt", at(2000).wall), 1);
        assert_eq!(tokens.check(&jwt, at(1002)).err(), Some(Refused::Expired), "no order brings it back");
    }

    #[test]
    fn the_token_that_ends_first_makes_room() {
        let mut tokens = Tokens::default();
        let long = tokens.issue_access(Holder::Client, 9000, Scopes::ALL, at(0));
        let short = tokens.issue_access(Holder::Client, 100, Scopes::ALL, at(0));
        for _ in 2..MANY {
            tokens.issue_access(Holder::Client, 500, Scopes::ALL, at(0));
        }
        assert!(tokens.get(&short).is_some());
        tokens.issue_access(Holder::Client, 500, Scopes::ALL, at(0));
        assert!(tokens.get(&short).is_none() && tokens.get(&long).is_some());
        assert_eq!((tokens.all.len(), tokens.by_end.len(), tokens.by_value.len()), (MANY, MANY, MANY));
        assert_eq!(tokens.forgotten, 1);
    }
}
