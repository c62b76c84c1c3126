//! The guest JWT: fetched over the socket, kept by a keeper, needed for history.

use std::time::Duration;

use super::requests::Ask;
use super::session::epoch;
use super::wire::inbound::JwtResponse;
use super::wire::outbound::Request;
use super::{Cx, WebMessaging, until};
use crate::dialect::backoff::Plan;
use crate::dialect::jwt::Jwt;
use crate::dialect::keeper::{Keeper, Policy, Reason, Then, damaged};
use crate::dialect::{Action, At};
use crate::model::environment::secs;
use crate::model::fact::{ClockDeed, Expiry, ExpiryEvent};
use crate::model::{Environment, Report, Secret, SecretKind, Wall};

pub(super) const GUEST_JWT: &str = "guest-jwt";
/// What the vendor's page says of a JWT that does not say it itself.
const ASSUMED_LIFE: Duration = Duration::from_secs(60);
/// Times that a failed getJwt is repeated.
const RETRIES: u32 = 3;

#[derive(Debug)]
pub(super) struct GuestJwt {
    pub keeper: Keeper<String>,
    /// A person asked for a JWT: a failure is worth a fault of its own.
    wished: bool,
    /// Number of the newest one whose end was told.
    told_dead: u64,
}

impl GuestJwt {
    pub fn new(env: &Environment, seed: u64) -> Self {
        let give_up = secs(env.timings.reconnect_give_up_secs);
        let retry = Plan { least: Duration::ZERO, first: secs(1), longest: secs(5), give_up, tries: RETRIES };
        let margin = secs(env.timings.jwt_margin_secs);
        let keeper = Keeper::new(Policy { margin, keep_alive: false, retry }, seed);
        Self { keeper, wished: false, told_dead: 0 }
    }

    pub fn wait(&self, at: At) -> Option<Duration> {
        let untold = self.keeper.held().filter(|h| h.number > self.told_dead && !h.damaged);
        let dead = untold.and_then(|h| h.until).map(|d| until(at, d));
        [self.keeper.wait(at), dead].into_iter().flatten().min()
    }
}

impl WebMessaging {
    pub(super) fn wish_jwt(&mut self, cx: &mut Cx<'_>) {
        self.jwt.wished = true;
        let then = self.jwt.keeper.renew();
        self.jwt_then(cx, then);
    }

    pub(super) fn jwt_then(&mut self, cx: &mut Cx<'_>, then: Then) {
        match then {
            Then::Wait => {}
            Then::Fetch if self.is_configured() => self.ask(cx, Ask::Jwt, Request::default()),
            Then::Fetch => {
                let why = format!("getJwt needs a configured session on an open socket; it is {}", self.state.word());
                let then = self.jwt.keeper.failed(cx.at, &why, None, true);
                self.jwt_then(cx, then);
            }
            Then::Ready => {
                self.jwt.wished = false;
                if self.awaits_jwt() {
                    self.call_for_page(cx);
                }
            }
            Then::GiveUp(reason) => self.no_jwt(cx, &reason),
        }
    }

    pub(super) fn no_jwt(&mut self, cx: &mut Cx<'_>, reason: &Reason) {
        let report = Report::new("no-jwt", "There is no usable guest JWT", format!("{reason}."));
        let report = match reason {
            Reason::RefusedTwice | Reason::SameAgain => report
                .remedy("Check that the API host belongs to the same region as the socket: tokens are regional.")
                .remedy("Check the skew of the clocks in the status line."),
            Reason::DeadOnArrival => report.remedy("Check the skew of the clocks in the status line."),
            Reason::Failed(_) => report.remedy("Connect and configure the session, then ask again."),
        };
        let wished = std::mem::take(&mut self.jwt.wished);
        if self.awaits_jwt() {
            self.reading_failed(cx, report);
        } else if wished {
            cx.fault(report);
        }
    }

    pub(super) fn jwt_failed(&mut self, cx: &mut Cx<'_>, why: &str, after: Option<Duration>) {
        let for_good = !self.is_configured();
        let then = self.jwt.keeper.failed(cx.at, why, after, for_good);
        self.jwt_then(cx, then);
    }

    pub(super) fn jwt_arrived(&mut self, cx: &mut Cx<'_>, tracing: Option<&str>, r: &JwtResponse<'_>) {
        self.requests.take(tracing, |a| *a == Ask::Jwt);
        let Some(jwt) = r.jwt.filled() else {
            self.jwt_failed(cx, "the JwtResponse holds no jwt", None);
            return;
        };
        cx.act(Action::Learn { kind: SecretKind::Jwt, value: Secret::from(jwt.as_str()) });
        let decoded = Jwt::decode(&jwt);
        let told = epoch(r.exp.value).or_else(|| decoded.as_ref().and_then(Jwt::expires));
        let until = told.unwrap_or(cx.server() + ASSUMED_LIFE);
        let before = self.jwt.keeper.held().map(|h| h.number);
        let event = if before.is_some() { ExpiryEvent::Refreshed } else { ExpiryEvent::Started };
        let then = self.jwt.keeper.got(cx.at, jwt, Some(until));
        if before.is_some() && before == self.jwt.keeper.held().map(|h| h.number) {
            // Told twice, or overtaken by one that lives longer: nothing has changed.
            self.jwt_then(cx, then);
            return;
        }
        let mut fact = self.jwt_fact(cx.at, event, "server", Some(until));
        fact.claims = decoded.map(|d| d.view());
        fact.assumed = told.is_none();
        cx.expiry(fact);
        self.jwt_then(cx, then);
    }

    pub(super) fn jwt_fact(&self, at: At, event: ExpiryEvent, by: &str, until: Option<Wall>) -> Expiry {
        let margin = self.jwt.keeper.held().map(|h| h.margin).unwrap_or_default();
        Expiry {
            id: GUEST_JWT.into(),
            title: "guest JWT".into(),
            event,
            by: by.into(),
            from: at.server,
            until,
            margin_secs: u32::try_from(margin.as_secs()).unwrap_or(u32::MAX),
            breaks: "next history call fetches a new one".into(),
            assumed: false,
            token: None,
            scope: None,
            claims: None,
            can: vec![ClockDeed::Refresh, ClockDeed::Expire, ClockDeed::Corrupt, ClockDeed::Forget],
        }
    }

    pub(super) fn tick_jwt(&mut self, cx: &mut Cx<'_>) {
        if let Some(h) = self.jwt.keeper.held()
            && let Some(until) = h.until.filter(|u| cx.server() >= *u)
            && h.number > self.jwt.told_dead
            && !h.damaged
        {
            self.jwt.told_dead = h.number;
            let fact = self.jwt_fact(cx.at, ExpiryEvent::Expired, "clock", Some(until));
            cx.expiry(fact);
        }
        let then = self.jwt.keeper.tick(cx.at);
        self.jwt_then(cx, then);
    }

    /// What a person does to the guest JWT.
    pub(super) fn jwt_deed(&mut self, cx: &mut Cx<'_>, deed: ClockDeed) -> bool {
        let until = self.jwt.keeper.held().and_then(|h| h.until);
        let number = self.jwt.keeper.held().map(|h| h.number);
        let (done, event) = match deed {
            ClockDeed::Refresh => {
                self.wish_jwt(cx);
                return true;
            }
            ClockDeed::Expire => {
                // It is told here and now, and need not be told again.
                self.jwt.told_dead = number.unwrap_or(self.jwt.told_dead);
                (self.jwt.keeper.expire(cx.at), ExpiryEvent::Expired)
            }
            ClockDeed::Corrupt => (self.jwt.keeper.damage(|t| damaged(t)), ExpiryEvent::Corrupted),
            ClockDeed::Forget => (self.jwt.keeper.forget(), ExpiryEvent::Forgotten),
        };
        if !done {
            return false;
        }
        if event == ExpiryEvent::Corrupted
            && let Some(held) = self.jwt.keeper.held()
        {
            cx.act(Action::Learn { kind: SecretKind::Jwt, value: held.token.clone() });
        }
        let until = if event == ExpiryEvent::Expired { until.map(|u| u.min(cx.server())) } else { until };
        let fact = self.jwt_fact(cx.at, event, "you", until);
        cx.expiry(fact);
        true
    }
}
