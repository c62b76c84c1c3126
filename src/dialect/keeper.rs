//! Keeps one token fresh for all who need it.
//!
//! One fetch serves everybody who waits. A token is treated as dead a margin early, by the server's clock. A refused
//! token is never handed out again: one refresh, one retry, then it gives up and says why. It fetches nothing itself:
//! it tells its owner to.

use std::collections::VecDeque;
use std::time::Duration;

use zeroize::Zeroize;

use super::At;
use super::backoff::{Backoff, Plan};
use super::errands::LONGEST_WAIT;
use crate::model::{Mono, Secret, Wall};

/// Refused values remembered, so that one that a server hands out again is known.
const REMEMBERED: usize = 8;

#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Treated as dead this early, but never for more than half of a token's life.
    pub margin: Duration,
    /// Fetch a new one at the margin without being asked.
    pub keep_alive: bool,
    /// Between failed fetches.
    pub retry: Plan,
}

/// What follows from an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing to do now; where a fetch goes on or will be tried again, its end will be told.
    Wait,
    /// Fetch one, then tell [`Keeper::got`] or [`Keeper::failed`].
    Fetch,
    /// A live token is at hand: all who wait may go on.
    Ready,
    /// All who wait must be told that there will be none.
    GiveUp(Reason),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("a fresh token was refused as well")]
    RefusedTwice,
    #[error("the server gave the very token again that it had refused")]
    SameAgain,
    #[error("the token was dead on arrival")]
    DeadOnArrival,
    #[error("{0}")]
    Failed(String),
}

#[derive(Debug)]
pub struct Keeper<T: Zeroize + PartialEq> {
    policy: Policy,
    backoff: Backoff,
    held: Option<Held<T>>,
    counted: u64,
    fetching: bool,
    retry_at: Option<Mono>,
    /// A refusal of the token of this number was answered with a fetch, and no later token was accepted since.
    refused: Option<u64>,
    refused_values: VecDeque<Secret<T>>,
    /// Earlier tokens, whose refusal may still be told.
    past: VecDeque<(u64, Secret<T>)>,
}

/// A token and when it dies, on the server's clock.
#[derive(Debug)]
pub struct Held<T: Zeroize> {
    pub token: Secret<T>,
    /// Counted from 1; names it in [`Keeper::refused`].
    pub number: u64,
    pub until: Option<Wall>,
    /// Treated as dead this early.
    pub margin: Duration,
    /// Damaged on purpose: it is handed out once, whatever its age.
    pub damaged: bool,
    /// Expired on purpose: it stays so until somebody needs a token.
    pub expired: bool,
}

impl<T: Zeroize> Held<T> {
    pub fn is_alive(&self, server: Wall) -> bool {
        self.damaged || !self.expired && self.until.is_none_or(|u| server < u - self.margin)
    }
}

impl<T: Zeroize + PartialEq> Keeper<T> {
    pub fn new(policy: Policy, seed: u64) -> Self {
        Self {
            policy,
            backoff: Backoff::new(policy.retry, seed),
            held: None,
            counted: 0,
            fetching: false,
            retry_at: None,
            refused: None,
            refused_values: VecDeque::new(),
            past: VecDeque::new(),
        }
    }

    /// Tokens that come from now on are treated as dead so early, and renewed then without being asked, or not.
    pub fn set_policy(&mut self, margin: Duration, keep_alive: bool) {
        self.policy.margin = margin;
        self.policy.keep_alive = keep_alive;
    }

    /// The token at hand, where it may be sent now.
    pub fn live(&self, at: At) -> Option<&Held<T>> {
        self.held.as_ref().filter(|h| h.is_alive(at.server))
    }

    /// The token at hand, dead or alive.
    pub fn held(&self) -> Option<&Held<T>> {
        self.held.as_ref()
    }

    pub fn is_fetching(&self) -> bool {
        self.fetching
    }

    /// Somebody needs a token.
    pub fn need(&mut self, at: At) -> Then {
        if self.live(at).is_some() { Then::Ready } else { self.renew() }
    }

    /// Somebody wants a fresh one, whatever is at hand.
    pub fn renew(&mut self) -> Then {
        if self.fetching || self.retry_at.is_some() {
            return Then::Wait;
        }
        self.fetching = true;
        Then::Fetch
    }

    /// A token came, asked for or not.
    pub fn got(&mut self, at: At, token: T, until: Option<Wall>) -> Then {
        let token = Secret::new(token);
        let asked = std::mem::take(&mut self.fetching);
        self.retry_at = None;
        self.backoff.reset();
        if self.refused_values.contains(&token) {
            return self.give_up(Reason::SameAgain);
        }
        let life = until.map(|u| u.micros_since(at.server));
        if life.is_some_and(|l| l <= 0) {
            return self.give_up(Reason::DeadOnArrival);
        }
        let half = life.map_or(Duration::MAX, |l| Duration::from_micros(l.unsigned_abs() / 2));
        // A late answer does not push aside a token that lives longer.
        let longer = self.live(at).is_some_and(|h| !h.damaged && h.until.is_none_or(|u| until.is_some_and(|n| n < u)));
        if longer && !asked {
            return Then::Ready;
        }
        // The very token at hand, told twice, stays the same one.
        let again = self.held.as_ref().is_some_and(|h| h.token == token && !h.damaged && !h.expired);
        self.counted += u64::from(!again);
        let margin = self.policy.margin.min(half);
        if !again {
            self.retire();
        }
        self.held = Some(Held { token, number: self.counted, until, margin, damaged: false, expired: false });
        Then::Ready
    }

    /// The server accepted the token of this number.
    pub fn accepted(&mut self, number: u64) {
        if self.refused.is_some_and(|refused| number > refused) {
            self.refused = None;
        }
    }

    /// The server refused the token of this number. It is never handed out again; another is fetched once.
    pub fn refused(&mut self, at: At, number: u64) -> Then {
        let number = self.now_numbered(number);
        if !self.drop_refused(number) {
            // Somebody was faster, and a newer one is at hand or on its way.
            return self.need(at);
        }
        let again = self.refused.replace(number).is_some();
        // Another that is on its way was asked for before this one was refused.
        if again && !self.fetching {
            return self.give_up(Reason::RefusedTwice);
        }
        self.renew()
    }

    /// As [`Keeper::refused`], where whoever had used it gives up: nothing is fetched, and whoever needs a token
    /// later begins anew.
    pub fn abandon(&mut self, number: u64) {
        let number = self.now_numbered(number);
        self.drop_refused(number);
        self.refused = None;
    }

    /// The token of this number is at hand, perhaps got again since under another one.
    pub fn has(&self, number: u64) -> bool {
        let is_past = |held: &Held<T>| self.past.iter().any(|(n, token)| *n == number && *token == held.token);
        self.held.as_ref().is_some_and(|held| held.number == number || is_past(held))
    }

    /// The number under which a refused token is at hand, where the very same was got again since. An earlier one is
    /// remembered as refused.
    fn now_numbered(&mut self, number: u64) -> u64 {
        let Some(n) = self.past.iter().position(|(past, _)| *past == number) else { return number };
        let Some((_, token)) = self.past.remove(n) else { return number };
        match self.held.as_ref().filter(|h| h.token == token) {
            Some(held) => held.number,
            None => {
                self.remember_refused(token);
                number
            }
        }
    }

    fn remember_refused(&mut self, token: Secret<T>) {
        self.refused_values.push_back(token);
        if self.refused_values.len() > REMEMBERED {
            self.refused_values.pop_front();
        }
    }

    /// Lets go of the token at hand; a late refusal of it can still be told.
    fn retire(&mut self) -> bool {
        let Some(held) = self.held.take() else { return false };
        self.past.push_back((held.number, held.token));
        if self.past.len() > REMEMBERED {
            self.past.pop_front();
        }
        true
    }

    /// False where the token of this number is not the one at hand.
    fn drop_refused(&mut self, number: u64) -> bool {
        if self.held.as_ref().is_none_or(|h| h.number != number) {
            return false;
        }
        if let Some(held) = self.held.take() {
            self.remember_refused(held.token);
        }
        true
    }

    /// A fetch failed. `after` is the server's word on when to try again; `for_good` means that trying again is of
    /// no use (wrong client, no connection).
    pub fn failed(&mut self, at: At, why: &str, after: Option<Duration>, for_good: bool) -> Then {
        if !std::mem::take(&mut self.fetching) {
            return Then::Wait;
        }
        let after = after.unwrap_or_default();
        if !for_good && after > LONGEST_WAIT {
            let (after, most) = (after.as_secs(), LONGEST_WAIT.as_secs());
            return self.give_up(Reason::Failed(format!(
                "{why} (to be tried again in {after} s; at most {most} s are waited)"
            )));
        }
        let wait = if for_good { None } else { self.backoff.next(at.now.mono) };
        match wait {
            Some(wait) => {
                self.retry_at = Some(at.now.mono + wait.max(after));
                Then::Wait
            }
            None => self.give_up(Reason::Failed(why.to_owned())),
        }
    }

    /// Does not wait any longer before a failed fetch is tried again.
    pub fn hurry(&mut self) {
        self.retry_at = None;
        self.backoff.reset();
    }

    /// The server told another end of the token at hand. False where there is none, or a person did something to it:
    /// then that counts.
    pub fn lasts(&mut self, at: At, until: Wall) -> bool {
        let Some(held) = self.held.as_mut().filter(|h| !h.damaged && !h.expired) else { return false };
        let half = until.micros_since(at.server).max(0).unsigned_abs() / 2;
        held.until = Some(until);
        held.margin = self.policy.margin.min(Duration::from_micros(half));
        true
    }

    pub fn tick(&mut self, at: At) -> Then {
        if self.retry_at.is_some_and(|r| r <= at.now.mono) {
            self.retry_at = None;
            return self.renew();
        }
        let at_margin = self.held.as_ref().is_some_and(|h| !h.is_alive(at.server) && !h.expired);
        if self.policy.keep_alive && at_margin { self.renew() } else { Then::Wait }
    }

    /// How long until it wants [`Keeper::tick`].
    pub fn wait(&self, at: At) -> Option<Duration> {
        let retry = self.retry_at.map(|r| r.since(at.now.mono));
        let margin = self.held.as_ref().filter(|h| self.policy.keep_alive && !h.damaged && !h.expired).and_then(|h| {
            let left = (h.until? - h.margin).micros_since(at.server);
            (!self.fetching && self.retry_at.is_none()).then(|| Duration::from_micros(left.max(0) as u64))
        });
        [retry, margin].into_iter().flatten().min()
    }

    /// When a failed fetch will be tried again.
    pub fn retries_at(&self) -> Option<Mono> {
        self.retry_at
    }

    /// Treats the token at hand as dead from now on, and leaves it so until somebody needs one. False where there is
    /// none.
    pub fn expire(&mut self, at: At) -> bool {
        match &mut self.held {
            Some(held) => {
                held.until = Some(held.until.map_or(at.server, |u| u.min(at.server)));
                held.damaged = false;
                held.expired = true;
                true
            }
            None => false,
        }
    }

    /// Replaces the token at hand by a damaged one, to be refused once on purpose. False where there is none.
    pub fn damage(&mut self, damage: impl FnOnce(&T) -> T) -> bool {
        match &mut self.held {
            Some(held) => {
                // Another value is another token: what was said of the good one does not hold for it.
                self.counted += 1;
                let damaged = Secret::new(damage(held.token.expose()));
                let good = std::mem::replace(&mut held.token, damaged);
                self.past.push_back((std::mem::replace(&mut held.number, self.counted), good));
                held.damaged = true;
                held.expired = false;
                true
            }
            None => false,
        }
    }

    pub fn forget(&mut self) -> bool {
        self.retire()
    }

    /// Whoever needed tokens is gone: nothing is held, awaited or tried again.
    pub fn stop(&mut self) {
        self.retire();
        self.fetching = false;
        self.retry_at = None;
        self.refused = None;
        self.backoff.reset();
    }

    fn give_up(&mut self, reason: Reason) -> Then {
        self.stop();
        Then::GiveUp(reason)
    }
}

/// Changes one character of a token, in the middle of its signature where it has one: the last character may hold bits
/// that nobody reads.
pub fn damaged(token: &str) -> String {
    let signature = token.rfind('.').map_or(0, |dot| dot + 1);
    let middle = signature + (token.len() - signature) / 2;
    let mut done = false;
    let mut change = |c: char| match c {
        _ if std::mem::replace(&mut done, true) => c,
        'A' => 'B',
        _ => 'A',
    };
    token.char_indices().map(|(i, c)| if i >= middle { change(c) } else { c }).collect()
}

#[cfg(test)]
mod tests;
