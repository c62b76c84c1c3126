//! Rate limits as data: so many uses within a sliding window.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Mono;

#[derive(Clone, Debug)]
pub struct Budget {
    limit: u32,
    window: Duration,
    uses: VecDeque<Mono>,
}

impl Budget {
    /// A limit of zero means that there is none.
    pub fn new(limit: u32, window: Duration) -> Self {
        Self { limit, window, uses: VecDeque::new() }
    }

    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// How long until one more use is within the limit; zero for now.
    pub fn wait(&self, now: Mono) -> Duration {
        let recent = self.uses.iter().filter(|u| now.since(**u) < self.window);
        match self.limit {
            0 => Duration::ZERO,
            limit if (recent.count() as u32) < limit => Duration::ZERO,
            // `spend` keeps no more than `limit` uses, so the oldest kept one is the one to outlive.
            _ => self.uses.front().map_or(Duration::ZERO, |oldest| (*oldest + self.window).since(now)),
        }
    }

    /// As [`Budget::wait`], for uses of which there may always be more: a quarter of the limit is free to be used at
    /// once, and what is left then is spread over the time until more comes. So nobody waits for a whole window.
    pub fn wait_in_turn(&self, now: Mono) -> Duration {
        let mut recent = self.uses.iter().filter(|u| now.since(**u) < self.window);
        let (Some(oldest), Some(last)) = (recent.next(), self.uses.back()) else { return Duration::ZERO };
        let used = 1 + recent.count() as u32;
        if self.limit == 0 || used < self.limit / 4 {
            return Duration::ZERO;
        }
        let until_more = (*oldest + self.window).since(now);
        let left = self.limit.saturating_sub(used);
        let pace = (self.window / self.limit).max(until_more / (left + 1));
        self.wait(now).max((*last + pace).since(now))
    }

    /// Notes a use, also one beyond the limit.
    pub fn spend(&mut self, now: Mono) {
        if self.limit == 0 {
            return;
        }
        self.uses.push_back(now);
        while self.uses.len() > self.limit as usize {
            self.uses.pop_front();
        }
    }

    /// Notes a use where the limit allows it, or tells how long to wait.
    pub fn try_spend(&mut self, now: Mono) -> Result<(), Duration> {
        match self.wait(now) {
            Duration::ZERO => {
                self.spend(now);
                Ok(())
            }
            wait => Err(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_the_limit(
            limit in 1u32..6,
            steps in proptest::collection::vec(0u64..2_000_000, 1..80),
        ) {
            let window = Duration::from_secs(1);
            let mut b = Budget::new(limit, window);
            let mut now = Mono(0);
            let mut spent = Vec::new();
            for s in steps {
                now = now + Duration::from_micros(s);
                match b.try_spend(now) {
                    Ok(()) => spent.push(now),
                    Err(wait) => {
                        prop_assert!(!wait.is_zero() && wait <= window);
                        // After the wait that it names, it allows one more.
                        now = now + wait;
                        prop_assert_eq!(b.try_spend(now), Ok(()));
                        spent.push(now);
                    }
                }
            }
            for (i, end) in spent.iter().enumerate() {
                let within = spent[..=i].iter().filter(|u| end.since(**u) < window).count();
                prop_assert!(within <= limit as usize);
            }
        }
    }

    #[test]
    fn what_goes_on_and_on_has_its_turn_without_long_gaps() {
        let window = Duration::from_secs(60);
        let mut b = Budget::new(120, window);
        let (mut now, mut used) = (Mono(1), Vec::new());
        while now < Mono(600_000_000) {
            let wait = b.wait_in_turn(now);
            now = now + wait;
            assert_eq!(b.try_spend(now), Ok(()), "the limit holds");
            used.push(now);
        }
        let gap = |from: usize| used[from..].windows(2).map(|w| w[1].since(w[0])).max().unwrap();
        assert_eq!(used.iter().filter(|u| **u == Mono(1)).count(), 30, "a burst is free");
        assert!(gap(0) < Duration::from_secs(1), "{:?}", gap(0));
        assert!(used.len() > 1_100, "nearly the whole limit is used: {}", used.len());
        // A rest, and all is as at the beginning.
        assert_eq!(b.wait_in_turn(now + window), Duration::ZERO);
    }

    #[test]
    fn no_limit_means_no_wait_and_no_memory() {
        let mut b = Budget::new(0, Duration::from_secs(60));
        for _ in 0..1000 {
            assert_eq!(b.try_spend(Mono(1)), Ok(()));
        }
        assert!(b.uses.is_empty());
    }
}
