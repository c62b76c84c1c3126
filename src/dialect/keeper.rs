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
mod tests {
    use super::*;
    use crate::model::Now;
    use proptest::prelude::*;

    fn at(secs: u64) -> At {
        // The server is an hour ahead.
        let wall = Wall::from_secs(secs as i64);
        At { now: Now { wall, mono: Mono(secs * 1_000_000) }, server: wall + Duration::from_secs(3600) }
    }

    fn server(secs: u64) -> Option<Wall> {
        Some(at(secs).server)
    }

    fn keeper(keep_alive: bool) -> Keeper<String> {
        let retry = Plan {
            least: Duration::ZERO,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(10),
            give_up: Duration::from_secs(60),
            tries: 2,
        };
        Keeper::new(Policy { margin: Duration::from_secs(5), keep_alive, retry }, 1)
    }

    #[test]
    fn one_fetch_serves_all_who_wait() {
        let mut k = keeper(false);
        assert_eq!(k.need(at(0)), Then::Fetch);
        assert_eq!(k.need(at(0)), Then::Wait);
        assert_eq!(k.got(at(1), "a".into(), server(61)), Then::Ready);
        assert_eq!(k.need(at(55)), Then::Ready);
        assert!(k.live(at(56)).is_none(), "inside the margin");
        assert_eq!(k.need(at(56)), Then::Fetch);
    }

    #[test]
    fn a_refused_token_is_replaced_once_and_then_given_up() {
        let mut k = keeper(false);
        k.need(at(0));
        k.got(at(0), "a".into(), server(60));
        assert_eq!(k.refused(at(1), 1), Then::Fetch);
        assert_eq!(k.refused(at(1), 1), Then::Wait, "another who had used it waits for the same fetch");
        k.got(at(2), "b".into(), server(60));
        assert_eq!(k.refused(at(2), 1), Then::Ready, "a late refusal of the old one does not harm the new one");
        assert_eq!(k.refused(at(3), 2), Then::GiveUp(Reason::RefusedTwice));
        assert!(k.held().is_none());
        // One that is on its way already is waited for, and its refusal is the last.
        k.need(at(3));
        k.got(at(3), "y".into(), server(60));
        k.refused(at(3), 3);
        k.got(at(3), "z".into(), server(60));
        assert_eq!(k.renew(), Then::Fetch);
        assert_eq!(k.refused(at(4), 4), Then::Wait);
        assert!(k.is_fetching());
        k.got(at(4), "w".into(), server(60));
        assert_eq!(k.refused(at(4), 5), Then::GiveUp(Reason::RefusedTwice));
        // Nobody waits: it is gone, nothing is fetched, and the next refusal is a first one.
        k.need(at(3));
        k.got(at(3), "x".into(), server(60));
        k.abandon(6);
        assert!(k.held().is_none() && !k.is_fetching());
        // Accepted in between, a later refusal is a first one again.
        k.need(at(4));
        k.got(at(4), "c".into(), server(60));
        k.accepted(7);
        assert_eq!(k.refused(at(5), 7), Then::Fetch);
        k.got(at(5), "d".into(), server(60));
        k.accepted(8);
        assert_eq!(k.refused(at(6), 8), Then::Fetch);
    }

    #[test]
    fn a_token_told_twice_is_one_token() {
        let mut k = keeper(false);
        k.need(at(0));
        k.got(at(0), "a".into(), server(60));
        k.refused(at(1), 1);
        k.got(at(1), "b".into(), server(60));
        k.got(at(1), "b".into(), server(60));
        k.accepted(2);
        assert_eq!(k.refused(at(2), 2), Then::Fetch);
    }

    #[test]
    fn the_same_token_again_is_not_taken() {
        let mut k = keeper(false);
        k.need(at(0));
        k.got(at(0), "a".into(), None);
        k.refused(at(1), 1);
        assert_eq!(k.got(at(2), "a".into(), None), Then::GiveUp(Reason::SameAgain));
        assert!(k.live(at(2)).is_none());
    }

    #[test]
    fn a_token_that_lives_shorter_than_the_margin_is_still_used() {
        let mut k = keeper(false);
        k.need(at(0));
        assert_eq!(k.got(at(0), "a".into(), server(4)), Then::Ready);
        assert!(k.live(at(1)).is_some() && k.live(at(2)).is_none());
        k.need(at(3));
        assert_eq!(k.got(at(3), "b".into(), server(3)), Then::GiveUp(Reason::DeadOnArrival));
    }

    #[test]
    fn failed_fetches_are_repeated_with_bounds_and_obey_the_server() {
        let mut k = keeper(false);
        k.need(at(0));
        assert_eq!(k.failed(at(0), "503", Some(Duration::from_secs(30)), false), Then::Wait);
        assert_eq!(k.wait(at(0)), Some(Duration::from_secs(30)));
        assert_eq!(k.need(at(1)), Then::Wait);
        assert_eq!(k.tick(at(29)), Then::Wait);
        assert_eq!(k.tick(at(30)), Then::Fetch);
        k.failed(at(30), "503", None, false);
        assert_eq!(k.tick(at(32)), Then::Fetch);
        assert_eq!(k.failed(at(32), "503", None, false), Then::GiveUp(Reason::Failed("503".into())));
        k.need(at(40));
        assert_eq!(
            k.failed(at(40), "no such client", None, true),
            Then::GiveUp(Reason::Failed("no such client".into()))
        );
    }

    #[test]
    fn kept_alive_it_fetches_at_the_margin_and_goes_on_with_the_old_one_meanwhile() {
        let mut k = keeper(true);
        k.need(at(0));
        k.got(at(0), "a".into(), server(60));
        assert_eq!(k.wait(at(0)), Some(Duration::from_secs(55)));
        assert_eq!(k.tick(at(55)), Then::Fetch);
        assert_eq!(k.tick(at(55)), Then::Wait);
        assert_eq!(k.wait(at(55)), None);
    }

    #[test]
    fn a_late_refusal_is_of_the_value_whatever_its_number_is_by_now() {
        let mut k = keeper(false);
        k.need(at(0));
        k.got(at(0), "a".into(), server(60));
        k.forget();
        assert_eq!(k.refused(at(1), 1), Then::Fetch, "nothing is at hand");
        assert_eq!(k.got(at(1), "a".into(), server(60)), Then::GiveUp(Reason::SameAgain));
        k.need(at(2));
        k.got(at(2), "b".into(), server(60));
        k.forget();
        k.need(at(3));
        k.got(at(3), "b".into(), server(60));
        assert_eq!(k.refused(at(4), 2), Then::Fetch, "it is at hand again under another number");
        assert!(k.held().is_none());
    }

    #[test]
    fn a_wait_that_the_server_wants_is_not_waited_for_without_end() {
        let mut k = keeper(false);
        k.need(at(0));
        let then = k.failed(at(0), "429", Some(Duration::from_secs(301)), false);
        assert!(matches!(&then, Then::GiveUp(Reason::Failed(why)) if why.contains("301 s")), "{then:?}");
        assert_eq!((k.wait(at(0)), k.is_fetching()), (None, false));
    }

    #[test]
    fn a_shorter_end_that_the_server_tells_later_counts_and_disturbs_no_fetch() {
        let mut k = keeper(true);
        k.need(at(0));
        k.got(at(0), "a".into(), server(600));
        assert_eq!(k.renew(), Then::Fetch);
        k.lasts(at(0), at(20).server);
        assert!(k.is_fetching());
        assert!(k.live(at(14)).is_some() && k.live(at(15)).is_none());
        k.lasts(at(14), at(13).server);
        assert!(k.live(at(13)).is_none(), "an end in the past");
    }

    #[test]
    fn once_stopped_nothing_is_awaited_or_tried_again() {
        let mut k = keeper(true);
        k.need(at(0));
        k.failed(at(0), "503", None, false);
        k.stop();
        assert_eq!((k.wait(at(0)), k.tick(at(100))), (None, Then::Wait));
        assert_eq!(k.need(at(100)), Then::Fetch);
    }

    #[test]
    fn a_damaged_token_differs_in_one_character_of_its_signature() {
        assert_eq!(damaged("aa.bb.cccc"), "aa.bb.ccAc");
        assert_eq!(damaged("AAA"), "ABA");
        assert_eq!(damaged("äöü"), "äöA");
        assert_eq!(damaged(""), "");
    }

    #[test]
    fn deeds_of_a_tester() {
        let mut k = keeper(false);
        assert!(!k.expire(at(0)) && !k.forget() && !k.damage(Clone::clone));
        k.need(at(0));
        k.got(at(0), "a".into(), server(60));
        assert!(k.damage(|t| format!("{t}x")));
        assert_eq!(k.live(at(90)).unwrap().token.expose(), "ax", "a damaged one is sent whatever its age");
        assert_eq!(k.refused(at(90), 1), Then::Ready, "a late refusal of the good one says nothing of it");
        assert_eq!(k.refused(at(90), 2), Then::Fetch);
        k.got(at(91), "b".into(), server(150));
        assert!(k.expire(at(92)));
        assert!(k.live(at(92)).is_none());
        assert!(k.forget() && k.held().is_none());
        assert!(!format!("{k:?}").contains("\"b\""));
    }

    #[test]
    fn what_a_tester_expired_stays_dead_until_somebody_needs_it() {
        let mut k = keeper(true);
        k.need(at(0));
        k.got(at(0), "a".into(), server(60));
        assert!(k.expire(at(1)));
        assert_eq!(k.tick(at(2)), Then::Wait);
        assert_eq!(k.wait(at(2)), None);
        let back = At { server: at(0).server - Duration::from_secs(60), ..at(2) };
        assert!(k.live(back).is_none(), "whatever the clock says later");
        assert_eq!(k.need(at(3)), Then::Fetch);
        k.got(at(3), "b".into(), server(63));
        assert_eq!(k.tick(at(60)), Then::Fetch, "the next one is kept alive again");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Need,
        Got(u8, u8),
        Refused,
        Failed,
        Expire,
        Forget,
        Pass(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Need),
            (0..6u8, 0..80u8).prop_map(|(t, l)| Step::Got(t, l)),
            Just(Step::Refused),
            Just(Step::Failed),
            Just(Step::Expire),
            Just(Step::Forget),
            (0..30u8).prop_map(Step::Pass),
        ]
    }

    proptest! {
        #[test]
        fn never_hands_out_a_dead_or_refused_token_and_never_fetches_twice_at_once(
            steps in proptest::collection::vec(step(), 1..60),
            keep_alive: bool,
        ) {
            let mut k = keeper(keep_alive);
            let mut t = 0;
            let mut refused = Vec::new();
            let mut fetching = false;
            for s in steps {
                let then = match s {
                    Step::Need => k.need(at(t)),
                    Step::Got(token, life) => {
                        fetching = false;
                        k.got(at(t), token.to_string(), server(t + u64::from(life)))
                    }
                    Step::Refused => match k.live(at(t)).map(|h| (h.token.expose().clone(), h.number)) {
                        Some((token, number)) => {
                            refused.push(token);
                            k.refused(at(t), number)
                        }
                        None => continue,
                    },
                    Step::Failed => {
                        fetching = false;
                        k.failed(at(t), "no", None, false)
                    }
                    Step::Expire => { k.expire(at(t)); Then::Wait }
                    Step::Forget => { k.forget(); Then::Wait }
                    Step::Pass(n) => { t += u64::from(n); k.tick(at(t)) }
                };
                match then {
                    Then::Fetch => {
                        prop_assert!(!fetching, "two fetches at once");
                        fetching = true;
                    }
                    Then::GiveUp(_) => fetching = false,
                    _ => {}
                }
                if let Some(held) = k.live(at(t)) {
                    prop_assert!(held.until.is_none_or(|u| at(t).server < u));
                    prop_assert!(refused.len() > REMEMBERED || !refused.contains(held.token.expose()));
                }
            }
        }
    }
}
