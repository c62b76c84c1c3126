//! What people granted: codes that are exchanged once, and refresh tokens that are replaced at each use.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::super::ids;
use super::Client;
use crate::model::{Now, Wall};

/// Grants remembered at once; the oldest goes.
const MANY: usize = 1000;

/// A person let a client in.
pub(super) struct Grant {
    pub(super) client: Client,
    /// Number of the user.
    pub(super) user: u32,
    /// Asked for, as it was written.
    pub(super) scope: String,
    code: String,
    redirect_uri: String,
    challenge: Option<String>,
    code_until: Wall,
    used: bool,
    /// What it gave so far.
    pub(super) access: Vec<Arc<str>>,
    pub(super) refresh: Option<Arc<str>>,
}

/// How a code is asked for.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) client: Client,
    pub(super) redirect_uri: String,
    /// S256.
    pub(super) challenge: Option<String>,
    pub(super) scope: String,
}

/// Why a code or a refresh token is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum No {
    Unknown,
    /// It was used before. These tokens came of it.
    UsedBefore(Vec<Arc<str>>),
    Because(&'static str),
}

#[derive(Default)]
pub(super) struct Grants {
    /// Oldest first.
    all: VecDeque<Grant>,
}

impl Grants {
    /// A new code.
    pub(super) fn code(&mut self, terms: Terms, user: u32, life: Duration, now: Now) -> String {
        if self.all.len() >= MANY {
            self.all.pop_front();
        }
        let code = ids::opaque(2);
        self.all.push_back(Grant {
            client: terms.client,
            user,
            scope: terms.scope,
            code: code.clone(),
            redirect_uri: terms.redirect_uri,
            challenge: terms.challenge,
            code_until: now.wall + life,
            used: false,
            access: Vec::new(),
            refresh: None,
        });
        code
    }

    /// Exchanges a code, once.
    pub(super) fn exchange(
        &mut self,
        client: Client,
        code: &str,
        redirect_uri: &str,
        verifier: Option<&str>,
        now: Now,
    ) -> Result<&mut Grant, No> {
        let Some(at) = self.all.iter().position(|g| g.code == code && g.client == client) else {
            return Err(No::Unknown);
        };
        if self.all.get(at).is_some_and(|g| g.used) {
            // Somebody else has it as well: nothing that came of it can be trusted (RFC 6749, 4.1.2).
            return Err(No::UsedBefore(self.all.remove(at).map(|g| g.access).unwrap_or_default()));
        }
        let Some(grant) = self.all.get_mut(at) else { return Err(No::Unknown) };
        // Whatever is wrong with this attempt: there is no second one.
        grant.used = true;
        if grant.code_until <= now.wall {
            return Err(No::Because("the authorization code has expired"));
        }
        if grant.redirect_uri != redirect_uri {
            return Err(No::Because("redirect_uri is not the one that the code was asked for with"));
        }
        match (&grant.challenge, verifier) {
            (Some(challenge), Some(verifier)) if s256(verifier) == *challenge => {}
            (None, None) => {}
            (Some(_), None) => return Err(No::Because("code_verifier is missing")),
            (Some(_), Some(_)) => return Err(No::Because("code_verifier does not fit the code_challenge")),
            (None, Some(_)) => return Err(No::Because("code_verifier without a code_challenge")),
        }
        Ok(grant)
    }

    /// The grant with this refresh token, which is not good any more.
    pub(super) fn refresh(&mut self, client: Client, token: &str) -> Option<&mut Grant> {
        let is = |g: &&mut Grant| g.client == client && g.refresh.as_deref() == Some(token);
        let grant = self.all.iter_mut().find(is)?;
        grant.refresh = None;
        Some(grant)
    }

    pub(super) fn forget_user(&mut self, user: u32) {
        self.all.retain(|g| g.user != user);
    }
}

/// `S256` of RFC 7636.
fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Mono;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn at(secs: i64) -> Now {
        Now { wall: Wall::from_secs(secs), mono: Mono(secs as u64 * 1_000_000) }
    }

    fn terms() -> Terms {
        let challenge = Some(CHALLENGE.to_owned());
        Terms { client: Client::Public, redirect_uri: "http://localhost:1/".into(), challenge, scope: String::new() }
    }

    fn give(grants: &mut Grants) -> String {
        grants.code(terms(), 0, Duration::from_secs(60), at(0))
    }

    #[test]
    fn a_code_is_bound_to_its_client_its_redirect_and_its_challenge() {
        let mut grants = Grants::default();
        let uri = "http://localhost:1/";
        let code = give(&mut grants);
        assert_eq!(grants.exchange(Client::WithSecret, &code, uri, Some(VERIFIER), at(1)).err(), Some(No::Unknown));
        assert!(
            grants.exchange(Client::Public, &code, uri, Some(VERIFIER), at(1)).is_ok(),
            "the other one's try is none"
        );
        for (uri, verifier, now) in [
            ("http://localhost:2/", Some(VERIFIER), 1),
            (uri, Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK"), 1),
            (uri, None, 1),
            (uri, Some(VERIFIER), 60),
        ] {
            let code = give(&mut grants);
            let no = grants.exchange(Client::Public, &code, uri, verifier, at(now)).err();
            assert!(matches!(no, Some(No::Because(_))), "{no:?}");
        }
    }

    #[test]
    fn a_code_that_is_used_again_tells_what_came_of_it_and_is_forgotten() {
        let mut grants = Grants::default();
        let uri = "http://localhost:1/";
        let code = give(&mut grants);
        let grant = grants.exchange(Client::Public, &code, uri, Some(VERIFIER), at(1)).ok().unwrap();
        grant.access.push("a".into());
        grant.refresh = Some("r".into());
        let no = grants.exchange(Client::Public, &code, uri, Some(VERIFIER), at(2)).err();
        assert_eq!(no, Some(No::UsedBefore(vec!["a".into()])));
        assert!(grants.refresh(Client::Public, "r").is_none(), "its refresh token went with it");
    }

    #[test]
    fn a_refresh_token_is_good_once_and_for_its_client() {
        let mut grants = Grants::default();
        let code = give(&mut grants);
        let grant = grants.exchange(Client::Public, &code, "http://localhost:1/", Some(VERIFIER), at(1)).ok().unwrap();
        grant.refresh = Some("r".into());
        assert!(grants.refresh(Client::WithSecret, "r").is_none());
        assert!(grants.refresh(Client::Public, "r").is_some());
        assert!(grants.refresh(Client::Public, "r").is_none());
    }
}
