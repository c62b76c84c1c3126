//! Rate limits: at most so many in a sliding window.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Mono;

/// Remembers when things happened within the last window.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    seen: VecDeque<Mono>,
}

impl Window {
    /// Counts one, or says in how many whole seconds (at least one) it would be allowed. A refused one is not
    /// counted. A limit of zero refuses for a whole window.
    pub(super) fn take(&mut self, limit: u32, span: Duration, now: Mono) -> Result<(), u32> {
        while self.seen.front().is_some_and(|t| now.since(*t) >= span) {
            self.seen.pop_front();
        }
        if self.seen.len() < limit as usize {
            self.seen.push_back(now);
            return Ok(());
        }
        let wait = self.seen.front().map_or(span, |t| span.saturating_sub(now.since(*t)));
        Err(wait.as_secs_f64().ceil().max(1.0) as u32)
    }

    /// How many are in the window, and the whole seconds until the oldest leaves it.
    pub(super) fn level(&self, span: Duration, now: Mono) -> (usize, u32) {
        let wait = self.seen.front().map_or(span, |t| span.saturating_sub(now.since(*t)));
        (self.seen.len(), wait.as_secs_f64().ceil() as u32)
    }
}

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_slides() {
        let mut w = Window::default();
        let at = |ms: u64| Mono(ms * 1000);
        for k in 0..5 {
            assert_eq!(w.take(5, SECOND, at(k * 100)), Ok(()));
        }
        assert_eq!(w.take(5, SECOND, at(500)), Err(1));
        assert_eq!(w.take(5, SECOND, at(999)), Err(1));
        assert_eq!(w.take(5, SECOND, at(1000)), Ok(()), "the first has left");
        assert_eq!(w.take(5, SECOND, at(1001)), Err(1));
        let mut slow = Window::default();
        assert_eq!(slow.take(2, MINUTE, at(0)), Ok(()));
        assert_eq!(slow.take(2, MINUTE, at(1000)), Ok(()));
        assert_eq!(slow.take(2, MINUTE, at(2500)), Err(58));
        assert_eq!(slow.take(0, MINUTE, at(70_000)), Err(60));
    }
}
