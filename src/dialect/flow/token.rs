//! A guest's own token: kept fresh, and shown as a clock.

use std::time::Duration;

use crate::dialect::jwt::Jwt;
use crate::dialect::keeper::{Held, Keeper, Policy, Then, damaged};
use crate::dialect::{Action, At};
use crate::model::fact::{ClockDeed, Expiry, ExpiryEvent};
use crate::model::{Fact, Secret, SecretKind, Wall};

/// A token with its keeper and its clock.
pub struct GuestToken {
    keeper: Keeper<String>,
    kind: SecretKind,
    clock: Expiry,
    shown: bool,
}

impl GuestToken {
    /// `id` and `title` of its clock; what `breaks` when it dies; what a person `can` do to it.
    pub fn new(
        kind: SecretKind,
        id: &str,
        title: &str,
        breaks: &str,
        can: &[ClockDeed],
        policy: Policy,
        seed: u64,
    ) -> Self {
        let clock = Expiry {
            id: id.to_owned(),
            title: title.to_owned(),
            event: ExpiryEvent::Started,
            by: String::new(),
            from: Wall::default(),
            until: None,
            margin_secs: policy.margin.as_secs() as u32,
            breaks: breaks.to_owned(),
            assumed: false,
            token: None,
            scope: None,
            claims: None,
            can: can.to_vec(),
        };
        Self { keeper: Keeper::new(policy, seed), kind, clock, shown: false }
    }

    /// A token came. Its end is what it says itself (`exp`), else `until`; `assumed` where neither was told.
    pub fn take(
        &mut self,
        at: At,
        token: &str,
        until: Option<Wall>,
        assumed: bool,
        by: &str,
        out: &mut Vec<Action>,
    ) -> Then {
        out.push(Action::Learn { kind: self.kind, value: Secret::from(token) });
        let jwt = Jwt::decode(token);
        let exp = jwt.as_ref().and_then(Jwt::expires);
        let until = exp.or(until);
        let then = self.keeper.got(at, token.to_owned(), until);
        // One that lives longer was not pushed aside.
        if then == Then::Ready && self.holds(token) {
            self.clock.event = if self.shown { ExpiryEvent::Refreshed } else { ExpiryEvent::Started };
            self.clock.from = at.server;
            self.clock.until = until;
            self.clock.assumed = assumed && exp.is_none();
            self.clock.claims = jwt.map(|jwt| jwt.view());
            self.clock.margin_secs = self.keeper.held().map_or(0, |h| h.margin.as_secs() as u32);
            self.tell(by, out);
        }
        then
    }

    /// The server told another end of the token at hand.
    pub fn lasts(&mut self, at: At, until: Wall, by: &str, out: &mut Vec<Action>) {
        if !self.keeper.lasts(at, until) {
            return;
        }
        self.clock.margin_secs = self.keeper.held().map_or(0, |h| h.margin.as_secs() as u32);
        self.clock.event = ExpiryEvent::Extended;
        self.clock.until = Some(until);
        self.clock.assumed = false;
        self.tell(by, out);
    }

    /// The token at hand, where it may be sent now.
    pub fn live(&self, at: At) -> Option<&Held<String>> {
        self.keeper.live(at)
    }

    /// The token at hand, dead or alive.
    pub fn held(&self) -> Option<&Held<String>> {
        self.keeper.held()
    }

    /// This very token is the one at hand.
    pub fn holds(&self, token: &str) -> bool {
        self.keeper.held().is_some_and(|held| held.token.expose() == token)
    }

    /// The token of this number is the one at hand, perhaps under another number by now.
    pub fn has(&self, number: u64) -> bool {
        self.keeper.has(number)
    }

    pub fn need(&mut self, at: At) -> Then {
        self.keeper.need(at)
    }

    pub fn renew(&mut self) -> Then {
        self.keeper.renew()
    }

    pub fn accepted(&mut self, number: u64) {
        self.keeper.accepted(number);
    }

    /// The server refused the token of this number; another is fetched once.
    pub fn refused(&mut self, at: At, number: u64, out: &mut Vec<Action>) -> Then {
        self.tell_refused(number, out);
        self.keeper.refused(at, number)
    }

    /// The server refused it, and nothing is done about that now.
    pub fn abandon(&mut self, number: u64, out: &mut Vec<Action>) {
        self.tell_refused(number, out);
        self.keeper.abandon(number);
    }

    fn tell_refused(&mut self, number: u64, out: &mut Vec<Action>) {
        if self.keeper.has(number) {
            self.clock.event = ExpiryEvent::Refused;
            self.tell("server", out);
        }
    }

    pub fn failed(&mut self, at: At, why: &str, after: Option<Duration>, for_good: bool) -> Then {
        self.keeper.failed(at, why, after, for_good)
    }

    pub fn is_fetching(&self) -> bool {
        self.keeper.is_fetching()
    }

    pub fn tick(&mut self, at: At) -> Then {
        self.keeper.tick(at)
    }

    pub fn wait(&self, at: At) -> Option<Duration> {
        self.keeper.wait(at)
    }

    /// It is gone: the clock goes too.
    pub fn forget(&mut self, by: &str, out: &mut Vec<Action>) {
        if self.keeper.forget() || self.shown && self.clock.event != ExpiryEvent::Forgotten {
            self.clock.event = ExpiryEvent::Forgotten;
            self.tell(by, out);
        }
    }

    /// The session is over: it is gone, and no other is awaited.
    pub fn end(&mut self, out: &mut Vec<Action>) {
        self.forget("end of the session", out);
        self.keeper.stop();
    }

    /// What a person asks for; [`Then::Wait`] where nothing follows.
    pub fn deed(&mut self, at: At, deed: ClockDeed, out: &mut Vec<Action>) -> Then {
        match deed {
            ClockDeed::Refresh => {
                self.keeper.hurry();
                return self.keeper.renew();
            }
            ClockDeed::Expire => {
                if self.keeper.expire(at) {
                    self.clock.event = ExpiryEvent::Expired;
                    self.clock.until = Some(at.server);
                    self.tell("you", out);
                }
            }
            ClockDeed::Corrupt => {
                if self.keeper.damage(|token| damaged(token)) {
                    if let Some(held) = self.keeper.held() {
                        out.push(Action::Learn { kind: self.kind, value: held.token.clone() });
                    }
                    self.clock.event = ExpiryEvent::Corrupted;
                    self.tell("you", out);
                }
            }
            ClockDeed::Forget => self.forget("you", out),
        }
        Then::Wait
    }

    fn tell(&mut self, by: &str, out: &mut Vec<Action>) {
        self.shown = true;
        self.clock.by = by.to_owned();
        out.push(Action::State(Fact::Expiry(self.clock.clone())));
    }
}
