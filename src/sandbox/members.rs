//! Guests who sign in: who they are, the identity provider's codes and id tokens, and the socket's part of it.
//!
//! Assumed, since the sources do not say: one session per identity, which a sign-in with another session token takes
//! over; a guest's session that is stepped up takes the place of the one that the identity had; a deployment without
//! authentication answers 403; an authenticated session stays one after the logout.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::faults::Faults;
use super::frame::{self, Channel, Entity};
use super::guest::{self, No, Request};
use super::ids;
use super::limits::{MINUTE, Window};
use super::platform;
use super::request;
use super::state::State;
use super::tokens::{Holder, Refused, jwt};
use crate::model::{Now, Wall};

/// A code of the identity provider lives so long.
const CODE: Duration = Duration::from_secs(60);
const ID_TOKEN: Duration = Duration::from_secs(600);
/// A refresh token lives so long: the vendor's page keeps its tokens for a day at most.
const REFRESH_SECS: u32 = 24 * 3600;
/// People and codes that are remembered.
const MANY: usize = 1000;

pub(super) struct Member {
    /// What the identity provider calls it.
    pub(super) subject: String,
    pub(super) first: String,
    pub(super) last: String,
}

/// What the identity provider gave out.
struct Proof {
    member: u32,
    redirect: String,
    /// SHA-256 of the verifier.
    challenge: Option<String>,
    nonce: Option<String>,
    expires: Wall,
    used: bool,
}

#[derive(Default)]
pub(super) struct Members {
    all: BTreeMap<u32, Member>,
    codes: HashMap<String, Proof>,
    id_tokens: HashMap<String, Proof>,
    last: u32,
}

/// What a client asks of the identity provider.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) subject: String,
    pub(super) redirect: String,
    pub(super) challenge: Option<String>,
    pub(super) nonce: Option<String>,
}

/// What a client shows for a sign-in.
#[derive(Default)]
pub(super) struct Shown<'a> {
    pub(super) redirect: &'a str,
    pub(super) verifier: Option<&'a str>,
    pub(super) nonce: Option<&'a str>,
}

impl Members {
    pub(super) fn get(&self, number: u32) -> Option<&Member> {
        self.all.get(&number)
    }

    /// The number of a person, who is made up where nobody has that name.
    fn person(&mut self, subject: &str) -> u32 {
        if let Some((number, _)) = self.all.iter().find(|(_, m)| m.subject == subject) {
            return *number;
        }
        if self.all.len() >= MANY {
            self.all.pop_first();
        }
        self.last += 1;
        let name = subject.split('@').next().unwrap_or(subject);
        let mut words = name.split(['.', ' ', '-']).filter(|w| !w.is_empty()).map(capital);
        let first = words.next().unwrap_or_else(|| "Guest".to_owned());
        let last = words.next().unwrap_or_else(|| "Example".to_owned());
        self.all.insert(self.last, Member { subject: subject.to_owned(), first, last });
        self.last
    }

    /// A code for this person.
    pub(super) fn code(&mut self, asked: Asked, now: Now) -> String {
        let member = self.person(&asked.subject);
        let code = ids::opaque(2);
        trim(&mut self.codes, now);
        let Asked { redirect, challenge, nonce, .. } = asked;
        let proof = Proof { member, redirect, challenge, nonce, expires: now.wall + CODE, used: false };
        self.codes.insert(code.clone(), proof);
        code
    }

    /// An id token for this person, as the implicit grant gives it.
    pub(super) fn id_token(&mut self, asked: Asked, issuer: &str, audience: &str, now: Now) -> String {
        let member = self.person(&asked.subject);
        let iat = now.wall.as_secs();
        let exp = (now.wall + ID_TOKEN).as_secs();
        let mut claims = json!({
            "iss": issuer, "aud": audience, "sub": asked.subject, "iat": iat, "exp": exp, "jti": ids::uuid(),
        });
        if let Some(nonce) = &asked.nonce {
            claims["nonce"] = nonce.as_str().into();
        }
        let token = jwt(&claims);
        trim(&mut self.id_tokens, now);
        let Asked { redirect, challenge, nonce, .. } = asked;
        let proof = Proof { member, redirect, challenge, nonce, expires: Wall::from_secs(exp), used: false };
        self.id_tokens.insert(token.clone(), proof);
        token
    }

    /// Whose code it is; it is used up, whatever comes of it.
    pub(super) fn redeem(&mut self, code: &str, shown: &Shown<'_>, now: Now) -> Result<u32, String> {
        let proof = self.codes.get_mut(code).ok_or("invalid_grant: the authorization code is not known")?;
        if std::mem::replace(&mut proof.used, true) {
            return Err("invalid_grant: the authorization code was used before".to_owned());
        }
        if proof.expires <= now.wall {
            return Err("invalid_grant: the authorization code has expired".to_owned());
        }
        if proof.redirect != shown.redirect {
            return Err("invalid_grant: redirectUri is not the one that the code was made for".to_owned());
        }
        if let Some(challenge) = &proof.challenge
            && shown.verifier.map(hash).as_ref() != Some(challenge)
        {
            return Err("invalid_grant: codeVerifier does not fit the challenge".to_owned());
        }
        check_nonce(proof, shown.nonce)?;
        Ok(proof.member)
    }

    pub(super) fn read(&self, id_token: &str, nonce: Option<&str>, now: Now) -> Result<u32, String> {
        let proof = self.id_tokens.get(id_token).ok_or("invalid_token: idToken is not one of the identity provider")?;
        if proof.expires <= now.wall {
            return Err("invalid_token: idToken has expired".to_owned());
        }
        check_nonce(proof, nonce)?;
        Ok(proof.member)
    }
}

fn check_nonce(proof: &Proof, shown: Option<&str>) -> Result<(), String> {
    match (&proof.nonce, shown) {
        (Some(own), shown) if shown != Some(own) => Err("invalid_grant: nonce is not that of the sign-in".to_owned()),
        _ => Ok(()),
    }
}

fn trim(all: &mut HashMap<String, Proof>, now: Now) {
    all.retain(|_, p| p.expires + CODE * 60 > now.wall);
    if all.len() >= MANY {
        all.clear();
    }
}

fn hash(verifier: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    URL_SAFE_NO_PAD.encode(digest.as_ref())
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|c| c.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A JWT for a member, and a refresh token where the grant has one.
pub(super) fn issue(state: &mut State, member: u32, with_refresh: bool, now: Now) -> Value {
    let ttl = state.deployment.auth_jwt_secs;
    let iat = now.wall.as_secs() + i64::from(state.faults.clock_skew_seconds);
    let subject = state.members.get(member).map(|m| m.subject.clone()).unwrap_or_default();
    let value = jwt(&json!({
        "iss": "sandbox", "sub": subject, "iat": iat, "exp": iat + i64::from(ttl), "jti": ids::uuid(),
    }));
    state.tokens.keep(&value, Holder::Member(member), ttl, now);
    let mut body = json!({ "jwt": value });
    if with_refresh {
        let refresh = ids::opaque(3);
        state.tokens.keep(&refresh, Holder::Renewal(member), REFRESH_SECS, now);
        body["refreshToken"] = refresh.into();
    }
    body
}

/// Ends all tokens of a member; every socket of the session is told.
pub(super) fn log_out(state: &mut State, member: u32, now: Now) {
    state.tokens.forget_member(member);
    let sessions: Vec<u32> =
        state.sessions.iter().filter(|(_, s)| s.member == Some(member)).map(|(id, _)| *id).collect();
    for id in sessions {
        state.broadcast(id, &frame::message("LogoutEvent", json!({}), None), now);
    }
}

/// `configureAuthenticatedSession`.
pub(super) fn configure(state: &mut State, r: &Request) -> Result<(), No> {
    let want: request::ConfigureAuthenticated = request::read(r.value).map_err(No::bad)?;
    let token = guest::token_of(r)?;
    guest::deployment_of(state, want.deployment_id.as_deref())?;
    if !state.deployment.auth_enabled {
        return Err(No::Error(403, "Authentication is not enabled for this deployment".to_owned()));
    }
    if Faults::spend(&mut state.faults.refuse_guest_auth) {
        return Err(No::Error(state.faults.guest_auth_code, state.faults.guest_auth_text.clone()));
    }
    let code = want.data.and_then(|d| d.code).filter(|c| !c.is_empty()).ok_or_else(|| No::missing("data.code"))?;
    let holder = match state.tokens.check(&code, r.now) {
        Ok(token) => token.holder,
        Err(Refused::Expired | Refused::Unknown) => return Err(No::Error(401, "User is unauthorized".to_owned())),
    };
    let Holder::Member(member) = holder else {
        return Err(No::Error(
            403,
            "Session authentication failed: it is no JWT of a guest who has signed in".to_owned(),
        ));
    };
    let live = |state: &State, id: &u32| state.sessions.get(id).is_some_and(|s| !s.expired);
    let known = state.find_session(token);
    if let Some(id) = known {
        guest::count_configure(state, id, r.now)?;
    }
    let own = state.sessions.iter().find(|(id, s)| s.member == Some(member) && live(state, id)).map(|(id, _)| *id);
    let of_known = known.and_then(|id| state.sessions.get(&id)).and_then(|s| s.member);
    if of_known.is_some_and(|m| m != member) {
        return Err(No::Error(403, "Session authentication failed: the session belongs to another guest".to_owned()));
    }
    let start_new = want.start_new.unwrap_or(false);
    let (id, new_session, cleared) = match (known, own) {
        (Some(id), _) if of_known.is_some() && !start_new => {
            if state.sessions.get(&id).is_some_and(|s| s.expired) {
                return Err(No::Expired);
            }
            (id, false, false)
        }
        // A guest's session is stepped up.
        (Some(id), own) if of_known.is_none() && !start_new && live(state, &id) => {
            if !state.deployment.auth_allow_session_upgrade {
                return Err(No::Error(403, "Session upgrade is not allowed for this deployment".to_owned()));
            }
            if let Some(own) = own {
                sign_out(state, own, r);
                platform::left(state, own, "client", r.now);
                state.forget_session(own);
            }
            sign_in(state, id, member, r.now);
            (id, false, own.is_some())
        }
        // The same guest on another device: the conversation goes on there.
        (None, Some(own)) if !start_new => {
            sign_out(state, own, r);
            state.rename_session(own, token);
            (own, false, false)
        }
        (known, own) => {
            let mut configures = Window::default();
            let mut cleared = false;
            if let Some(id) = known {
                cleared = guest::replace(state, id, r, &mut configures);
            } else {
                let _ = configures.take(state.limits.configures_per_minute, MINUTE, r.now.mono);
            }
            if let Some(own) = own.filter(|own| Some(*own) != known) {
                sign_out(state, own, r);
                platform::left(state, own, "client", r.now);
                state.forget_session(own);
                cleared = true;
            }
            let id = state.open_session(token, &want.deployment_id.unwrap_or_default(), configures, r.now);
            if let Some(s) = state.sessions.get_mut(&id) {
                s.member = Some(member);
            }
            (id, true, cleared)
        }
    };
    guest::configured(state, id, new_session, cleared, r);
    Ok(())
}

/// The sockets of a session hear that its guest signed in elsewhere.
fn sign_out(state: &mut State, id: u32, r: &Request) {
    for conn in state.conns_of(id).into_iter().filter(|c| *c != r.conn) {
        state.post(conn, &frame::message("ConnectionClosedEvent", json!({ "reason": "signedIn" }), None), r.now);
        state.close_conn(conn, 1000, "The guest signed in elsewhere", r.now);
    }
}

/// A guest's session becomes a member's; whoever listens is told.
fn sign_in(state: &mut State, id: u32, member: u32, now: Now) {
    if let Some(s) = state.sessions.get_mut(&id) {
        s.member = Some(member);
    }
    let Some(who) = state.members.get(member) else { return };
    let from = json!({ "firstName": who.first, "lastName": who.last });
    let mut message = state.outbound("Event", now);
    message.direction = frame::Way::Inbound;
    message.originating_entity = None;
    let message_id = Some(message.id.clone());
    message.channel = Some(Channel { time: Some(state.iso(now)), message_id, from: Some(from), ..Channel::default() });
    message.events = Some(vec![json!({ "eventType": "Presence", "presence": { "type": "SignIn" } })]);
    state.broadcast(id, &frame::message("StructuredMessage", &message, None), now);
    message.originating_entity = Some(Entity::Human);
    state.remember(id, message);
    platform::signed_in(state, id, now);
}
