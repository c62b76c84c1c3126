//! Tokens that the sandbox gave out: access tokens of the OAuth client, JWTs of guests.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::ids;
use super::limits::Window;
use crate::model::{Now, Wall};

/// A dead token is told from one that never was for so long.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// Tokens remembered at once; the one that ends first goes.
const MANY: usize = 2000;

/// Whose a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// The OAuth client.
    Client,
    /// A guest's session.
    Guest(u32),
}

impl Holder {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Client => "oauth",
            Self::Guest(_) => "jwt",
        }
    }
}

/// What is known of a token; its value is the key.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// `oauth-1`, `jwt-2`.
    pub(super) id: String,
    pub(super) holder: Holder,
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
    by_value: HashMap<String, Token>,
    last: u32,
}

impl Tokens {
    /// A new access token.
    pub(super) fn issue_access(&mut self, ttl_secs: u32, now: Now) -> String {
        let value = ids::opaque(4);
        self.insert(value.clone(), Holder::Client, ttl_secs, now);
        value
    }

    /// A new JWT for a guest and the end of its life. Its times are those of the server's clock, `skew_secs` off.
    /// The signature is random: only this sandbox checks it, by remembering the whole.
    pub(super) fn issue_jwt(&mut self, session: u32, ttl_secs: u32, skew_secs: i32, now: Now) -> (String, i64) {
        let iat = now.wall.as_secs() + i64::from(skew_secs);
        let exp = iat + i64::from(ttl_secs);
        let part = |v: serde_json::Value| URL_SAFE_NO_PAD.encode(v.to_string());
        let value = format!(
            "{}.{}.{}",
            part(json!({ "alg": "HS256", "typ": "JWT" })),
            part(json!({ "iss": "sandbox", "sub": format!("s{session}"), "iat": iat, "exp": exp, "jti": ids::uuid() })),
            ids::opaque(2)
        );
        self.insert(value.clone(), Holder::Guest(session), ttl_secs, now);
        (value, exp)
    }

    fn insert(&mut self, value: String, holder: Holder, ttl_secs: u32, now: Now) {
        if self.by_value.len() >= MANY {
            if let Some(key) = self.by_value.iter().min_by_key(|(_, t)| t.expires).map(|(k, _)| k.clone()) {
                self.by_value.remove(&key);
            }
        }
        self.last += 1;
        // A JWT's `exp` has whole seconds; it ends with them.
        let expires = match holder {
            Holder::Client => now.wall + Duration::from_secs(ttl_secs.into()),
            Holder::Guest(_) => Wall::from_secs(now.wall.as_secs() + i64::from(ttl_secs)),
        };
        let id = format!("{}-{}", holder.kind(), self.last);
        self.by_value.insert(value, Token { id, holder, expires, requests: Window::default() });
    }

    /// The token, if it lives.
    pub(super) fn check(&mut self, value: &str, now: Now) -> Result<&mut Token, Refused> {
        match self.by_value.get_mut(value) {
            None => Err(Refused::Unknown),
            Some(t) if t.expires <= now.wall => Err(Refused::Expired),
            Some(t) => Ok(t),
        }
    }

    pub(super) fn revoke(&mut self, value: &str) {
        self.by_value.remove(value);
    }

    /// Lets tokens end at `at`: all of a kind, or one by id or value. How many there were.
    pub(super) fn expire(&mut self, which: &str, at: Wall) -> usize {
        let mut hit = 0;
        for (value, token) in &mut self.by_value {
            if token.holder.kind() == which || token.id == which || value == which {
                token.expires = at;
                hit += 1;
            }
        }
        hit
    }

    pub(super) fn forget_session(&mut self, session: u32) {
        self.by_value.retain(|_, t| t.holder != Holder::Guest(session));
    }

    pub(super) fn prune(&mut self, now: Now) {
        self.by_value.retain(|_, t| t.expires + REMEMBERED > now.wall);
    }

    /// All of them, without their values, in the order in which they were given out.
    pub(super) fn list(&self) -> Vec<&Token> {
        let mut all: Vec<&Token> = self.by_value.values().collect();
        all.sort_by_key(|t| t.id.rsplit('-').next().and_then(|n| n.parse::<u32>().ok()));
        all
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
        let value = tokens.issue_access(60, at(1000));
        assert!(tokens.check(&value, at(1059)).is_ok());
        assert_eq!(tokens.check(&value, at(1060)).unwrap_err(), Refused::Expired);
        assert_eq!(tokens.check("other", at(1000)).unwrap_err(), Refused::Unknown);
        tokens.prune(at(1060));
        assert_eq!(tokens.check(&value, at(1060)).unwrap_err(), Refused::Expired);
        tokens.prune(at(9000));
        assert_eq!(tokens.check(&value, at(9000)).unwrap_err(), Refused::Unknown);
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
        assert_eq!(tokens.check(&jwt, at(1001)).unwrap_err(), Refused::Expired);
    }
}
