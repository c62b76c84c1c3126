//! Messages that come over the window: short ones go by themselves, failures stay until they are read.

use std::time::Duration;

use crate::model::{Mono, Report};

/// How long a short message stays.
const STAY: Duration = Duration::from_secs(6);
/// Older ones are counted.
const KEPT: usize = 20;

#[derive(Debug)]
pub enum Toast {
    Info {
        text: String,
        until: Option<Mono>,
    },
    /// With the record that tells it, where there is one.
    Failed(Report, Option<u64>),
}

#[derive(Debug, Default)]
pub struct Toasts {
    pub list: Vec<Toast>,
    /// Failures that fell out of the list.
    pub dropped: u64,
}

impl Toasts {
    pub fn info(&mut self, text: impl Into<String>) {
        self.push(Toast::Info { text: text.into(), until: None });
    }

    /// Shows a failure. The same one again replaces the older card.
    pub fn report(&mut self, report: Report) {
        self.failed(report, None);
    }

    /// As [`Toasts::report`], with the record that tells it.
    pub fn fault(&mut self, report: Report, record: u64) {
        self.failed(report, Some(record));
    }

    fn failed(&mut self, report: Report, record: Option<u64>) {
        self.list.retain(|t| !matches!(t, Toast::Failed(r, _) if *r == report));
        self.push(Toast::Failed(report, record));
    }

    /// Every failure was read.
    pub fn dismiss_all(&mut self) {
        self.list.clear();
        self.dropped = 0;
    }

    fn push(&mut self, toast: Toast) {
        self.list.push(toast);
        if self.list.len() > KEPT {
            // Short messages go before failures.
            let info = self.list.iter().position(|t| matches!(t, Toast::Info { .. }));
            let gone = self.list.remove(info.unwrap_or(0));
            self.dropped += u64::from(matches!(gone, Toast::Failed(..)));
        }
    }

    /// Lets go of what is over; gives the time until the next one is.
    pub fn expire(&mut self, now: Mono) -> Option<Duration> {
        for toast in &mut self.list {
            if let Toast::Info { until: until @ None, .. } = toast {
                *until = Some(now + STAY);
            }
        }
        self.list.retain(|t| !matches!(t, Toast::Info { until: Some(u), .. } if *u <= now));
        self.list
            .iter()
            .filter_map(|t| match t {
                Toast::Info { until: Some(u), .. } => Some(u.since(now)),
                _ => None,
            })
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_messages_go_and_failures_stay() {
        let mut t = Toasts::default();
        t.info("saved");
        t.report(Report::new("x", "X", "failed"));
        t.report(Report::new("x", "X", "failed"));
        assert_eq!(t.list.len(), 2, "the same failure is one card");
        assert_eq!(t.expire(Mono(0)), Some(STAY));
        assert_eq!(t.expire(Mono(0) + STAY), None);
        assert_eq!(t.list.len(), 1);
    }

    #[test]
    fn the_list_is_bounded_and_counts_what_fell_out() {
        let mut t = Toasts::default();
        for n in 0..30 {
            t.report(Report::new("x", format!("{n}"), "failed"));
        }
        assert_eq!((t.list.len(), t.dropped), (KEPT, 10));
    }
}
