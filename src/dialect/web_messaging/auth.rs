//! Guests who sign in: a code or an id token becomes a JWT by REST, the JWT configures the session, and a refresh token
//! keeps it alive.
//!
//! A code is of one use, so that an exchange without an answer is not repeated by itself: the code may be used up.

mod calls;

use std::time::Duration;

use super::requests::Ask;
use super::wire::outbound::{Data, Request};
use super::{Cx, WebMessaging, until};
use crate::dialect::backoff::Plan;
use crate::dialect::keeper::{Keeper, Policy, Reason, Then, damaged};
use crate::dialect::{Action, At, Call, CallId};
use crate::model::environment::secs;
use crate::model::fact::{ClockDeed, End, Expiry, ExpiryEvent, SessionState};
use crate::model::login::Login;
use crate::model::{Environment, Report, Secret, SecretKind, Wall};
use calls::Errand;

pub(super) const GUEST_AUTH: &str = "guest-auth";
/// Times that a session is configured with another JWT after a 401, as the vendor's client does.
const TRIES: u32 = 3;
/// Times that a refresh that failed on its way is repeated.
const RETRIES: u32 = 3;
/// Nothing renews a JWT of the implicit grant, or one whose refresh token was refused.
const NO_REFRESH: &str = "the guest has to sign in again: there is no refresh token";

/// What is done as soon as there is a live JWT.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Configure { start_new: bool, step_up: bool },
    Revoke { again: bool },
}

// No `Debug`: it holds what signs a guest in.
pub(super) struct Auth {
    keeper: Keeper<String>,
    proof: Option<Login>,
    refresh: Option<Secret<String>>,
    /// The session shall be that of a guest who has signed in.
    wanted: bool,
    /// The server has it so.
    on: bool,
    /// The server had it so once: the session is of a guest who has signed in, and goes on only as that.
    known: bool,
    call: Option<(CallId, Errand)>,
    next: Option<Next>,
    /// 401s in a row to configureAuthenticatedSession.
    tries: u32,
    told_dead: u64,
}

impl Auth {
    /// `refresh`: kept by an earlier run; what the guest signs in with now takes its place.
    pub fn new(env: &Environment, login: Option<Login>, refresh: Option<Secret<String>>, seed: u64) -> Self {
        let refresh = refresh.filter(|_| login.is_none());
        let give_up = secs(env.timings.reconnect_give_up_secs);
        let retry = Plan { least: Duration::ZERO, first: secs(1), longest: secs(10), give_up, tries: RETRIES };
        let margin = secs(env.timings.oauth_margin_secs);
        Self {
            keeper: Keeper::new(Policy { margin, keep_alive: true, retry }, seed),
            wanted: login.is_some() || refresh.is_some(),
            known: refresh.is_some(),
            proof: login,
            refresh,
            on: false,
            call: None,
            next: None,
            tries: 0,
            told_dead: 0,
        }
    }

    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// What a later run needs beside the session token.
    pub fn kept_refresh(&self) -> Option<&Secret<String>> {
        self.refresh.as_ref().filter(|_| self.known)
    }

    /// A kept refresh token is a secret before it is used.
    pub fn learn_kept(&self, cx: &mut Cx<'_>) {
        if let Some(refresh) = &self.refresh {
            cx.act(Action::Learn { kind: SecretKind::RefreshToken, value: refresh.clone() });
        }
    }

    /// Another JWT can be had without a person.
    fn can_renew(&self) -> bool {
        self.refresh.is_some() || self.proof.is_some()
    }

    pub fn wait(&self, at: At) -> Option<Duration> {
        let untold = self.keeper.held().filter(|h| h.number > self.told_dead && !h.damaged);
        let dead = untold.and_then(|h| h.until).map(|d| until(at, d));
        let renew = self.keeper.wait(at).filter(|_| self.can_renew());
        [renew, dead].into_iter().flatten().min()
    }

    fn forget(&mut self) {
        self.keeper.stop();
        self.proof = None;
        self.refresh = None;
        self.on = false;
        self.call = None;
        self.next = None;
        self.tries = 0;
    }
}

impl WebMessaging {
    pub(super) fn sign_in(&mut self, cx: &mut Cx<'_>, login: Login) {
        if self.hosts.api.is_empty() {
            let what = "The environment names a guest socket, but no API host that exchanges codes.";
            cx.fault(Report::new("no-api-host", "No API host given", what).remedy("Add it to the environment (api)."));
            return;
        }
        learn(cx, &login);
        self.auth.forget();
        self.keep_again(cx);
        self.auth.proof = Some(login);
        self.auth.wanted = true;
        match self.state {
            SessionState::New | SessionState::Ended(_) => self.connect(cx),
            SessionState::Connected => self.configure(cx, false),
            SessionState::Ready | SessionState::ReadOnly => self.step_up(cx),
            // It is on its way to be ready, and goes on from there.
            _ => {}
        }
    }

    /// A guest's session is ready, and shall be that of one who has signed in.
    pub(super) fn step_up(&mut self, cx: &mut Cx<'_>) {
        self.remark(cx, "signing the guest in on this session");
        self.configure_with_jwt(cx, false, true);
    }

    pub(super) fn configure_with_jwt(&mut self, cx: &mut Cx<'_>, start_new: bool, step_up: bool) {
        self.auth.next = Some(Next::Configure { start_new, step_up });
        let then = self.auth.keeper.need(cx.at);
        self.auth_then(cx, then);
    }

    /// True where the session is to be signed in and is not yet.
    pub(super) fn wants_step_up(&self) -> bool {
        self.auth.wanted && !self.auth.on
    }

    fn auth_then(&mut self, cx: &mut Cx<'_>, then: Then) {
        match then {
            Then::Wait => {}
            Then::Fetch => self.fetch_auth(cx),
            Then::Ready => self.go_on_signed_in(cx),
            Then::GiveUp(reason) => self.not_signed_in(cx, &reason),
        }
    }

    fn go_on_signed_in(&mut self, cx: &mut Cx<'_>) {
        let Some(held) = self.auth.keeper.live(cx.at) else { return };
        let (number, token) = (held.number, held.token.clone());
        match self.auth.next.take() {
            // The socket may have gone meanwhile: then the next one begins anew.
            Some(Next::Configure { .. }) if self.socket != super::Socket::Open => {}
            Some(Next::Configure { start_new, step_up }) => {
                let data = Some(Data { code: token.expose() });
                let beyond = Request { start_new: Some(start_new), data, ..Request::default() };
                self.ask(cx, Ask::Configure { start_new, auth: Some(number), step_up }, beyond);
            }
            Some(Next::Revoke { again }) => {
                let authorization = ("Authorization".to_owned(), format!("bearer {}", token.expose()));
                let call = Call { method: "DELETE", headers: vec![authorization], ..Call::default() };
                self.call_auth(cx, Errand::Revoke(number, again), "revoke", "log out", call);
            }
            None => {}
        }
    }

    fn auth_fact(&self, at: At, event: ExpiryEvent, by: &str, until: Option<Wall>) -> Expiry {
        let margin = self.auth.keeper.held().map(|h| h.margin).unwrap_or_default();
        let breaks = match self.auth.refresh {
            Some(_) => "it is refreshed for the next configureAuthenticatedSession",
            None => "the guest has to sign in again to reconnect",
        };
        Expiry {
            id: GUEST_AUTH.into(),
            title: "guest sign-in".into(),
            event,
            by: by.into(),
            from: at.server,
            until,
            margin_secs: u32::try_from(margin.as_secs()).unwrap_or(u32::MAX),
            breaks: breaks.into(),
            assumed: false,
            token: None,
            scope: None,
            claims: None,
            can: vec![ClockDeed::Refresh, ClockDeed::Expire, ClockDeed::Corrupt, ClockDeed::Forget],
        }
    }

    fn not_signed_in(&mut self, cx: &mut Cx<'_>, reason: &Reason) {
        let next = self.auth.next.take();
        let code = match reason {
            Reason::Failed(why) if why == NO_REFRESH => "guest-must-sign-in",
            _ => "not-signed-in-guest",
        };
        let report = Report::new(code, "The guest is not signed in", format!("{reason}."))
            .remedy("Sign in again with a fresh code or id token; each is of one use.");
        match next {
            Some(Next::Configure { step_up: false, .. }) if !self.state.is_ended() => {
                cx.fault(report);
                self.end(cx, End::Failed { why: format!("the guest is not signed in: {reason}") }, "");
            }
            Some(Next::Configure { .. }) => {
                // The session goes on as a guest's.
                self.auth.wanted = self.auth.on;
                cx.fault(report);
            }
            Some(Next::Revoke { .. }) => self.not_logged_out(cx, &reason.to_string()),
            None => cx.fault(report),
        }
    }

    /// The session was configured with the JWT of this number.
    pub(super) fn signed_in(&mut self, cx: &mut Cx<'_>, number: u64) {
        self.auth.keeper.accepted(number);
        self.auth.on = true;
        self.auth.known = true;
        self.auth.tries = 0;
        self.keep_again(cx);
    }

    /// configureAuthenticatedSession was refused. True where the session lives on, or another try is made.
    pub(super) fn auth_refused(
        &mut self,
        cx: &mut Cx<'_>,
        (code, text): (i32, &str),
        number: u64,
        (start_new, step_up): (bool, bool),
    ) -> bool {
        let login_needed = super::frames::needs_login(code, text);
        if code == 401 || login_needed {
            let until = self.auth.keeper.held().and_then(|h| h.until);
            let fact = self.auth_fact(cx.at, ExpiryEvent::Refused, "server", until);
            cx.expiry(fact);
            self.auth.told_dead = self.auth.told_dead.max(number);
            self.auth.keeper.abandon(number);
        }
        if code == 401 && self.auth.can_renew() && self.auth.tries + 1 < TRIES {
            self.auth.tries += 1;
            let tries = self.auth.tries;
            self.remark(cx, format!("401: configuring again with another JWT, try {} of {TRIES}", tries + 1));
            self.configure_with_jwt(cx, start_new, step_up);
            return true;
        }
        if login_needed {
            self.auth.refresh = None;
            self.auth.proof = None;
            self.keep_again(cx);
        }
        if step_up {
            self.auth.wanted = false;
            let what = format!("configureAuthenticatedSession: {code} {text}. The session goes on as a guest's.");
            let report = Report::new("step-up-refused", format!("The server answered with {code}"), what);
            cx.fault(report.remedy("Sign in again, or switch session upgrades on in the deployment."));
        }
        step_up
    }

    /// The server wants a new sign-in in the middle of a session.
    pub(super) fn sign_in_is_over(&mut self, cx: &mut Cx<'_>) {
        if let Some(held) = self.auth.keeper.held() {
            let (number, until) = (held.number, held.until);
            let fact = self.auth_fact(cx.at, ExpiryEvent::Refused, "server", until);
            cx.expiry(fact);
            self.auth.keeper.abandon(number);
            self.auth.refresh = None;
            self.keep_again(cx);
        }
    }

    // Logging out.

    pub(super) fn sign_out(&mut self, cx: &mut Cx<'_>) {
        if self.auth.keeper.held().is_none() && !self.auth.can_renew() {
            let what = "There is no JWT and no refresh token: this guest has not signed in here.";
            cx.fault(Report::new("not-now", "Nobody is signed in", what));
            return;
        }
        self.auth.next = Some(Next::Revoke { again: false });
        let then = self.auth.keeper.need(cx.at);
        self.auth_then(cx, then);
    }

    fn revoke_refused(&mut self, cx: &mut Cx<'_>, status: u16, number: u64, again: bool, why: &str) {
        if status == 401 && !again && self.auth.can_renew() {
            self.auth.keeper.abandon(number);
            self.auth.next = Some(Next::Revoke { again: true });
            let then = self.auth.keeper.need(cx.at);
            return self.auth_then(cx, then);
        }
        self.not_logged_out(cx, why);
    }

    fn not_logged_out(&mut self, cx: &mut Cx<'_>, why: &str) {
        let report = Report::new("not-logged-out", "The guest was not logged out", format!("{why}."));
        cx.fault(report.remedy("Try again; the tokens stay as they are until then."));
    }

    fn revoked(&mut self, cx: &mut Cx<'_>) {
        self.auth_over(cx, "you");
        self.remark(cx, "the sign-in was revoked; the server tells the session's sockets");
    }

    /// Nothing of the sign-in is of use any more.
    pub(super) fn auth_over(&mut self, cx: &mut Cx<'_>, by: &str) {
        if let Some(until) = self.auth.keeper.held().map(|h| h.until) {
            let fact = self.auth_fact(cx.at, ExpiryEvent::Forgotten, by, until);
            cx.expiry(fact);
        }
        self.auth.forget();
        self.auth.wanted = false;
        self.keep_again(cx);
    }

    /// The socket is gone: the next one has to be configured anew.
    pub(super) fn auth_disconnected(&mut self) {
        self.auth.on = false;
        if matches!(self.auth.next, Some(Next::Configure { .. })) {
            self.auth.next = None;
        }
    }

    pub(super) fn tick_auth(&mut self, cx: &mut Cx<'_>) {
        if let Some(h) = self.auth.keeper.held()
            && let Some(until) = h.until.filter(|u| cx.server() >= *u)
            && h.number > self.auth.told_dead
            && !h.damaged
        {
            self.auth.told_dead = h.number;
            let fact = self.auth_fact(cx.at, ExpiryEvent::Expired, "clock", Some(until));
            cx.expiry(fact);
        }
        // Without a refresh token it dies at its end, and that is told then.
        if self.auth.can_renew() {
            let then = self.auth.keeper.tick(cx.at);
            self.auth_then(cx, then);
        }
    }

    /// What a person does to the sign-in.
    pub(super) fn auth_deed(&mut self, cx: &mut Cx<'_>, deed: ClockDeed) -> bool {
        let held = self.auth.keeper.held().map(|h| (h.number, h.until));
        let (done, event) = match deed {
            ClockDeed::Refresh => {
                if self.auth.keeper.held().is_none() && !self.auth.can_renew() {
                    return false;
                }
                let then = self.auth.keeper.renew();
                self.auth_then(cx, then);
                return true;
            }
            ClockDeed::Expire => {
                self.auth.told_dead = held.map_or(self.auth.told_dead, |(number, _)| number);
                (self.auth.keeper.expire(cx.at), ExpiryEvent::Expired)
            }
            ClockDeed::Corrupt => (self.auth.keeper.damage(|t| damaged(t)), ExpiryEvent::Corrupted),
            ClockDeed::Forget => {
                self.auth.refresh = None;
                self.auth.proof = None;
                self.keep_again(cx);
                (self.auth.keeper.forget(), ExpiryEvent::Forgotten)
            }
        };
        if !done {
            return false;
        }
        if event == ExpiryEvent::Corrupted
            && let Some(held) = self.auth.keeper.held()
        {
            cx.act(Action::Learn { kind: SecretKind::AccessToken, value: held.token.clone() });
        }
        let until = held.and_then(|(_, until)| until);
        let until = if event == ExpiryEvent::Expired { until.map(|u| u.min(cx.server())) } else { until };
        let fact = self.auth_fact(cx.at, event, "you", until);
        cx.expiry(fact);
        true
    }
}

fn learn(cx: &mut Cx<'_>, login: &Login) {
    let mut learn = |kind, value: &Secret<String>| cx.act(Action::Learn { kind, value: value.clone() });
    match login {
        Login::Code { code, verifier, .. } => {
            learn(SecretKind::Other, code);
            if let Some(verifier) = verifier {
                learn(SecretKind::Other, verifier);
            }
        }
        Login::IdToken { token, .. } => learn(SecretKind::Jwt, token),
        Login::Sandbox { .. } => {}
    }
}
