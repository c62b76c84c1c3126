//! Pings at regular intervals, and what a missing pong means.

use std::time::Duration;

use crate::model::Mono;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    Nothing,
    Ping,
    /// No pong came in time: the connection is dead, whatever the socket says.
    Lost,
}

#[derive(Clone, Debug)]
pub struct Heartbeat {
    every: Duration,
    patience: Duration,
    /// When the next ping is due, or (`waiting`) when a pong is too late. None while stopped.
    due: Option<Mono>,
    waiting: bool,
}

impl Heartbeat {
    /// `every` of zero means no pings at all.
    pub fn new(every: Duration, patience: Duration) -> Self {
        Self { every, patience, due: None, waiting: false }
    }

    pub fn start(&mut self, now: Mono) {
        self.waiting = false;
        self.due = (!self.every.is_zero()).then(|| now + self.every);
    }

    pub fn stop(&mut self) {
        self.due = None;
    }

    pub fn pong(&mut self, now: Mono) {
        if self.waiting && self.due.is_some() {
            self.start(now);
        }
    }

    pub fn tick(&mut self, now: Mono) -> Beat {
        match self.due {
            Some(due) if due <= now && self.waiting => {
                self.stop();
                Beat::Lost
            }
            Some(due) if due <= now => {
                self.waiting = true;
                self.due = Some(now + self.patience);
                Beat::Ping
            }
            _ => Beat::Nothing,
        }
    }

    pub fn wait(&self, now: Mono) -> Option<Duration> {
        self.due.map(|due| due.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;

    #[test]
    fn a_pong_keeps_it_alive_and_a_missing_one_ends_it() {
        let mut h = Heartbeat::new(Duration::from_secs(15), Duration::from_secs(10));
        assert_eq!(h.wait(Mono(0)), None);
        h.start(Mono(0));
        assert_eq!(h.tick(Mono(14 * S)), Beat::Nothing);
        assert_eq!(h.tick(Mono(15 * S)), Beat::Ping);
        assert_eq!(h.tick(Mono(15 * S)), Beat::Nothing);
        h.pong(Mono(16 * S));
        assert_eq!(h.wait(Mono(16 * S)), Some(Duration::from_secs(15)));
        assert_eq!(h.tick(Mono(31 * S)), Beat::Ping);
        assert_eq!(h.tick(Mono(40 * S)), Beat::Nothing);
        assert_eq!(h.tick(Mono(41 * S)), Beat::Lost);
        assert_eq!(h.tick(Mono(500 * S)), Beat::Nothing);
    }

    #[test]
    fn zero_switches_it_off_and_an_unasked_pong_changes_nothing() {
        let mut off = Heartbeat::new(Duration::ZERO, Duration::from_secs(10));
        off.start(Mono(0));
        assert_eq!(off.tick(Mono(900 * S)), Beat::Nothing);
        let mut h = Heartbeat::new(Duration::from_secs(15), Duration::from_secs(10));
        h.start(Mono(0));
        h.pong(Mono(14 * S));
        assert_eq!(h.tick(Mono(15 * S)), Beat::Ping);
    }
}
