//! Waits between tries: exponential, with full jitter, bounded in number and in time.

use std::time::Duration;

use super::seeded::Seeded;
use crate::model::Mono;

/// How to wait and when to stop.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// No wait is shorter.
    pub least: Duration,
    /// Upper end of the first wait; it doubles with each try.
    pub first: Duration,
    /// It grows no further than this.
    pub longest: Duration,
    /// No try begins later than this after the first was asked for.
    pub give_up: Duration,
    pub tries: u32,
}

#[derive(Clone, Debug)]
pub struct Backoff {
    plan: Plan,
    chance: Seeded,
    attempts: u32,
    since: Option<Mono>,
}

impl Backoff {
    pub fn new(plan: Plan, seed: u64) -> Self {
        Self { plan, chance: Seeded::new(seed), attempts: 0, since: None }
    }

    /// The wait before the next try, anywhere between the least and the growing upper end. None when it is time to
    /// give up.
    pub fn next(&mut self, now: Mono) -> Option<Duration> {
        let since = *self.since.get_or_insert(now);
        if self.attempts >= self.plan.tries || now.since(since) >= self.plan.give_up {
            return None;
        }
        let most = self.plan.first.saturating_mul(2u32.saturating_pow(self.attempts)).min(self.plan.longest);
        self.attempts += 1;
        let least = self.plan.least.min(most);
        let micros = self.chance.up_to((most - least).as_micros().min(u128::from(u64::MAX)) as u64);
        Some(least + Duration::from_micros(micros))
    }

    /// Tries since the last [`Backoff::reset`].
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// It works again.
    pub fn reset(&mut self) {
        self.attempts = 0;
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAN: Plan = Plan {
        least: Duration::ZERO,
        first: Duration::from_secs(1),
        longest: Duration::from_secs(30),
        give_up: Duration::from_secs(300),
        tries: u32::MAX,
    };

    proptest! {
        #[test]
        fn waits_grow_within_bounds_and_end(seed: u64) {
            let mut b = Backoff::new(PLAN, seed);
            let mut now = Mono(5);
            let mut n = 0u32;
            while let Some(wait) = b.next(now) {
                prop_assert!(wait <= PLAN.longest.min(PLAN.first * 2u32.saturating_pow(n)));
                n += 1;
                prop_assert!(n < 1_000, "no end");
                // A try takes some time itself.
                now = now + wait + Duration::from_millis(500);
            }
            prop_assert!(now.since(Mono(5)) >= PLAN.give_up);
            prop_assert_eq!(b.attempts(), n);
            b.reset();
            prop_assert!(b.next(now).is_some());
        }
    }

    #[test]
    fn the_number_of_tries_is_bounded_too() {
        let mut b = Backoff::new(Plan { tries: 3, ..PLAN }, 1);
        assert_eq!((0..10).filter_map(|_| b.next(Mono(0))).count(), 3);
    }

    #[test]
    fn no_wait_is_shorter_than_the_least() {
        let least = Duration::from_secs(2);
        for seed in 0..50 {
            let mut b = Backoff::new(Plan { least, tries: 4, ..PLAN }, seed);
            let waits: Vec<_> = (0..4).filter_map(|_| b.next(Mono(0))).collect();
            assert_eq!(waits[0], PLAN.first, "the upper end wins where it is lower");
            assert!(waits[1..].iter().all(|w| *w >= least), "{waits:?}");
        }
    }

    #[test]
    fn waits_differ_between_seeds() {
        let run = |seed| {
            let mut b = Backoff::new(PLAN, seed);
            (0..5).filter_map(|_| b.next(Mono(0))).collect::<Vec<_>>()
        };
        assert_ne!(run(1), run(2));
    }
}
