//! How long echoes took.

use std::collections::VecDeque;
use std::time::Duration;

/// So many of the newest are kept, for a plot and its figures.
pub const LATENCIES_KEPT: usize = 1_000;

/// The newest latencies of a session's own messages, from our frame to its first live echo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// Record of the echo, and microseconds; oldest first.
    pub samples: VecDeque<(u64, u64)>,
    /// All that were ever measured.
    pub count: u64,
}

/// Figures over [`Latencies::samples`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencyFigures {
    pub count: usize,
    pub p50: Duration,
    pub p95: Duration,
    pub max: Duration,
}

impl Latencies {
    pub(super) fn add(&mut self, seq: u64, micros: u64) {
        if self.samples.len() == LATENCIES_KEPT {
            self.samples.pop_front();
        }
        self.samples.push_back((seq, micros));
        self.count += 1;
    }

    /// Percentiles by nearest rank; none before the first echo.
    pub fn figures(&self) -> Option<LatencyFigures> {
        let mut sorted: Vec<u64> = self.samples.iter().map(|(_, micros)| *micros).collect();
        sorted.sort_unstable();
        let max = *sorted.last()?;
        let rank = |percent: usize| {
            let nth = (sorted.len() * percent).div_ceil(100).max(1);
            Duration::from_micros(sorted.get(nth - 1).copied().unwrap_or(max))
        };
        Some(LatencyFigures { count: sorted.len(), p50: rank(50), p95: rank(95), max: Duration::from_micros(max) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_by_nearest_rank() {
        let mut all = Latencies::default();
        assert_eq!(all.figures(), None);
        for n in (1..=100).rev() {
            all.add(n, n * 1_000);
        }
        let f = all.figures().unwrap();
        assert_eq!((f.p50, f.p95, f.max).0, Duration::from_millis(50));
        assert_eq!((f.p95, f.max), (Duration::from_millis(95), Duration::from_millis(100)));
    }

    #[test]
    fn only_the_newest_are_kept() {
        let mut all = Latencies::default();
        (0..LATENCIES_KEPT as u64 + 5).for_each(|n| all.add(n, n));
        assert_eq!(all.samples.front(), Some(&(5, 5)));
        assert_eq!((all.samples.len(), all.count), (LATENCIES_KEPT, LATENCIES_KEPT as u64 + 5));
    }
}
