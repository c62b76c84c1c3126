//! Learns the server's clock from its answers, watches our own, and writes both into the log.

use super::log::Log;
use crate::model::fact::Skew;
use crate::model::{Fact, Now, ServerTime, SessionId, Wall, clock};

/// A change of the measured skew that is worth a record.
const WORTH_TELLING_US: i64 = 100_000;
/// A jump of the wall clock against the monotonic one that is worth a record.
const JUMP_US: i64 = 2_000_000;

pub struct SkewWatch {
    session: SessionId,
    server: ServerTime,
    told: Option<i64>,
    looked: Now,
}

impl SkewWatch {
    pub fn new(session: SessionId, now: Now) -> Self {
        Self { session, server: ServerTime::default(), told: None, looked: now }
    }

    /// The server's clock.
    pub fn server_at(&self, now: Now) -> Wall {
        self.server.at(now)
    }

    /// Takes in the `Date` of an answer.
    pub fn learn(&mut self, log: &Log, date: Wall, sent: Now, received: Now) {
        self.server.observe(date, sent, received);
        let (Some(skew_us), Some(uncertainty_us)) = (self.server.skew_micros(), self.server.uncertainty_micros())
        else {
            return;
        };
        if self.told.is_none_or(|told| (told - skew_us).abs() > WORTH_TELLING_US) {
            self.told = Some(skew_us);
            log.fact(self.session, &Fact::Skew(Skew { skew_us, uncertainty_us, jump_us: 0 }));
        }
    }

    /// Notices that the wall clock was set, or that the machine slept. True where it did.
    pub fn look(&mut self, log: &Log) -> bool {
        let now = log.now();
        let jump_us = clock::jump(self.looked, now);
        self.looked = now;
        if jump_us.abs() <= JUMP_US {
            return false;
        }
        // The skew is now measured against a clock that was moved: the server's own time did not move with it.
        let skew_us = self.server.at(now).micros_since(now.wall);
        self.told = Some(skew_us);
        let uncertainty_us = self.server.uncertainty_micros().unwrap_or(0);
        log.fact(self.session, &Fact::Skew(Skew { skew_us, uncertainty_us, jump_us }));
        true
    }
}
