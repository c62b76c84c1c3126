//! Messages that come over the window: short ones go by themselves, failures stay until they are read or their cause
//! is over.

use std::time::Duration;

use crate::model::{Mono, Report};
use crate::projection::Board;

/// How long a short message stays.
const STAY: Duration = Duration::from_secs(6);
/// How long a failure stays that came of one moment.
const LINGER: Duration = Duration::from_secs(20);
/// Older ones are counted.
const KEPT: usize = 20;

#[derive(Debug)]
pub enum Toast {
    Info { text: String, until: Option<Mono> },
    Failed(Failed),
}

#[derive(Debug)]
pub struct Failed {
    pub report: Report,
    /// The record that tells it, where there is one.
    pub record: Option<u64>,
    cause: Cause,
    until: Option<Mono>,
}

/// When a failure is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Nothing tells.
    Lasting,
    /// At once: something was busy or gone.
    Moment,
    /// When a sandbox works.
    Sandbox,
    /// When a token is there that is newer than this record; none before the first look.
    Token(Option<u64>),
}

impl Cause {
    fn of(report: &Report, record: Option<u64>) -> Self {
        match report.code.as_str() {
            "engine-busy" | "session-busy" | "session-gone" | "vault-busy" | "sandbox-order" | "sign-in-cancelled" => {
                Self::Moment
            }
            "no-sandbox" | "sandbox-gone" | "sandbox-not-bound" | "sandbox-tls" | "both-ends" => Self::Sandbox,
            "not-signed-in" => Self::Token(None),
            code if code.starts_with("sign-in") => Self::Token(None),
            code if record.is_some() && !code.starts_with("keyring") => Self::Token(record),
            _ => Self::Lasting,
        }
    }
}

#[derive(Debug, Default)]
pub struct Toasts {
    pub list: Vec<Toast>,
    /// Failures that fell out of the list.
    pub dropped: u64,
}

impl Toast {
    fn until(&self) -> Option<Mono> {
        match self {
            Self::Info { until, .. } | Self::Failed(Failed { until, .. }) => *until,
        }
    }
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
        self.list.retain(|t| !matches!(t, Toast::Failed(f) if f.report == report));
        let cause = Cause::of(&report, record);
        self.push(Toast::Failed(Failed { report, record, cause, until: None }));
    }

    /// A sandbox works: what failed for want of one is over.
    pub fn sandbox_works(&mut self) {
        self.list.retain(|t| !matches!(t, Toast::Failed(Failed { cause: Cause::Sandbox, .. })));
    }

    /// Lets go of what failed for want of a token where there is a newer one.
    pub fn settle(&mut self, board: &Board, now: crate::model::Now) {
        if !self.list.iter().any(|t| matches!(t, Toast::Failed(Failed { cause: Cause::Token(_), .. }))) {
            return;
        }
        let general = &board.general;
        let server = general.server_now(now);
        let live = |c: &&crate::projection::ClockView| c.phase(server) != crate::projection::ClockPhase::Dead;
        let newest = general.clocks.iter().filter(live).map(|c| c.seq).max().unwrap_or(0);
        self.list.retain_mut(|t| match t {
            Toast::Failed(Failed { cause: Cause::Token(since @ None), .. }) => {
                *since = Some(newest);
                true
            }
            Toast::Failed(Failed { cause: Cause::Token(Some(since)), .. }) => newest <= *since,
            _ => true,
        });
    }

    /// Somebody reads: what would go by itself has its whole time again.
    pub fn hold(&mut self) {
        for toast in &mut self.list {
            match toast {
                Toast::Info { until, .. } => *until = None,
                Toast::Failed(failed) => failed.until = None,
            }
        }
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
            self.dropped += u64::from(matches!(gone, Toast::Failed(_)));
        }
    }

    /// Lets go of what is over; gives the time until the next one is.
    pub fn expire(&mut self, now: Mono) -> Option<Duration> {
        for toast in &mut self.list {
            match toast {
                Toast::Info { until: until @ None, .. } => *until = Some(now + STAY),
                Toast::Failed(Failed { cause: Cause::Moment, until: until @ None, .. }) => *until = Some(now + LINGER),
                _ => {}
            }
        }
        self.list.retain(|t| t.until().is_none_or(|until| until > now));
        self.list.iter().filter_map(Toast::until).map(|until| until.since(now)).min()
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
    fn what_came_of_a_moment_goes_unless_somebody_reads() {
        let mut t = Toasts::default();
        t.report(Report::new("engine-busy", "Busy", "full"));
        assert_eq!(t.expire(Mono(0)), Some(LINGER));
        t.hold();
        t.expire(Mono(0) + LINGER);
        assert_eq!(t.list.len(), 1, "it has its whole time again");
        t.expire(Mono(0) + LINGER + LINGER);
        assert!(t.list.is_empty());
    }

    #[test]
    fn what_failed_for_want_of_a_sandbox_is_over_when_one_works() {
        let mut t = Toasts::default();
        t.report(Report::new("sandbox-gone", "Gone", "It has stopped."));
        t.report(Report::new("x", "X", "failed"));
        t.expire(Mono(0));
        t.expire(Mono(0) + LINGER);
        assert_eq!(t.list.len(), 2);
        t.sandbox_works();
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
