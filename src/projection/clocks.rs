//! The clock strip: everything that expires.
//!
//! All on the server's clock. A clock is amber inside its margin (it is treated as dead there), red in the last tenth
//! of its life, and dead at zero. Where the margin is shorter than the last tenth, it goes from green to red at once.

use std::cmp::Reverse;
use std::time::Duration;

use super::label;
use crate::model::fact::{Expiry, ExpiryEvent};
use crate::model::{Record, Wall};

/// So many clocks of a session are kept; of more, those that died first go. Each file of a conversation has one.
pub const CLOCKS_KEPT: usize = 200;

/// So many records of a clock's history are kept.
pub const HISTORY_KEPT: usize = 100;

/// The newest fact of one thing that expires, and its history.
#[derive(Clone, Debug, PartialEq)]
pub struct ClockView {
    pub fact: Expiry,
    /// Record that told it.
    pub seq: u64,
    /// Server time when it was told.
    pub told: Wall,
    /// Records of this clock, oldest first: the newest [`HISTORY_KEPT`]; older ones stay in the log.
    pub history: Vec<u64>,
}

/// How a clock stands at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockPhase {
    Fine,
    /// Inside the margin, and not in the last tenth.
    Margin,
    /// The last tenth of its life.
    Last,
    Dead,
    /// The end is not known.
    Open,
}

impl ClockView {
    /// Time left on the server's clock; zero when over, none where the end is not known.
    pub fn left(&self, server_now: Wall) -> Option<Duration> {
        if self.is_over() {
            return Some(Duration::ZERO);
        }
        self.left_micros(server_now).map(|micros| Duration::from_micros(micros.max(0) as u64))
    }

    /// From 1 (full) to 0 (empty); 1 where the end is not known.
    pub fn share(&self, server_now: Wall) -> f32 {
        let (Some(left), Some(life)) = (self.left(server_now), self.life_micros()) else { return 1.0 };
        if life <= 0 {
            return 0.0;
        }
        (left.as_micros() as f64 / life as f64).clamp(0.0, 1.0) as f32
    }

    pub fn phase(&self, server_now: Wall) -> ClockPhase {
        if self.is_over() {
            return ClockPhase::Dead;
        }
        let (Some(left), Some(life)) = (self.left_micros(server_now), self.life_micros()) else {
            return ClockPhase::Open;
        };
        match left {
            ..=0 => ClockPhase::Dead,
            _ if left <= life / 10 => ClockPhase::Last,
            _ if left <= self.margin_micros() => ClockPhase::Margin,
            _ => ClockPhase::Fine,
        }
    }

    /// How long until what the strip paints changes next: the label or the phase. None where no end is
    /// known. Never zero.
    pub fn next_change(&self, server_now: Wall) -> Option<Duration> {
        if let Some(dead_for) = self.dead_for(server_now) {
            return Some(micros(label::until_next_ago(dead_for)));
        }
        let left = self.left_micros(server_now)?.max(1);
        let life = self.life_micros().unwrap_or(0);
        let next_phase = [life / 10, self.margin_micros(), 0].into_iter().filter(|at| *at < left).max().unwrap_or(0);
        Some(micros(left.abs_diff(next_phase).min(label::until_next_left(left as u64)).max(1)))
    }

    /// Writes what the strip says into `out` (emptied first): `23:41`, `expired 0:12 ago`, `refused 3 h ago`.
    pub fn label(&self, server_now: Wall, out: &mut String) {
        out.clear();
        let word = if self.fact.event == ExpiryEvent::Refused { "refused" } else { "expired" };
        match (self.dead_for(server_now), self.left_micros(server_now)) {
            (Some(dead_for), _) => label::ago(word, dead_for, out),
            (None, Some(left)) => label::left(left.max(0) as u64, out),
            (None, None) => out.push_str("end unknown"),
        }
    }

    /// The server's instant of its end: told, or known to come. None where it is not known.
    pub fn end(&self) -> Option<Wall> {
        match self.fact.until {
            Some(until) if self.is_over() => Some(until.min(self.told)),
            None if self.is_over() => Some(self.told),
            until => until,
        }
    }

    /// Microseconds since its end; none while it lives.
    fn dead_for(&self, server_now: Wall) -> Option<u64> {
        let since = self.end().map(|end| server_now.micros_since(end));
        if self.is_over() {
            return Some(since.unwrap_or(0).max(0) as u64);
        }
        since.filter(|n| *n >= 0).map(|n| n as u64)
    }

    /// It died before its time: somebody said so.
    fn is_over(&self) -> bool {
        matches!(self.fact.event, ExpiryEvent::Expired | ExpiryEvent::Refused | ExpiryEvent::Forgotten)
    }

    fn left_micros(&self, server_now: Wall) -> Option<i64> {
        self.fact.until.map(|until| until.micros_since(server_now))
    }

    fn life_micros(&self) -> Option<i64> {
        self.fact.until.map(|until| until.micros_since(self.fact.from).max(0))
    }

    fn margin_micros(&self) -> i64 {
        i64::from(self.fact.margin_secs) * 1_000_000
    }
}

fn micros(n: u64) -> Duration {
    Duration::from_micros(n)
}

/// Sorts places in `clocks` into `out` (emptied first) in the order in which they will break from this instant on:
/// the living by their end, those without a known end, the dead with the latest death first.
pub fn in_order(clocks: &[ClockView], server_now: Wall, out: &mut Vec<usize>) {
    out.clear();
    out.extend(0..clocks.len());
    out.sort_by_key(|n| clocks.get(*n).map(|c| rank(c, Some(server_now))));
}

type Rank = (u8, i64, Reverse<i64>, u64);

fn rank(clock: &ClockView, server_now: Option<Wall>) -> Rank {
    let until = clock.fact.until.map_or(i64::MAX, |u| u.0);
    let dead = match server_now {
        Some(now) => clock.phase(now) == ClockPhase::Dead,
        None => clock.is_over(),
    };
    if dead {
        return (2, 0, Reverse(clock.end().map_or(until, |end| end.0)), clock.seq);
    }
    (u8::from(clock.fact.until.is_none()), until, Reverse(0), clock.seq)
}

/// Takes a fact into a session's clocks. A forgotten clock vanishes.
pub(super) fn take(clocks: &mut Vec<ClockView>, fact: Expiry, record: &Record, told: Wall) {
    let known = clocks.iter().position(|c| c.fact.id == fact.id);
    if fact.event == ExpiryEvent::Forgotten {
        if let Some(n) = known {
            clocks.remove(n);
        }
        return;
    }
    let mut history = known.map(|n| clocks.remove(n).history).unwrap_or_default();
    if history.len() == HISTORY_KEPT {
        history.remove(0);
    }
    history.push(record.seq);
    let clock = ClockView { fact, seq: record.seq, told, history };
    let at = clocks.partition_point(|c| rank(c, None) < rank(&clock, None));
    clocks.insert(at, clock);
    if clocks.len() > CLOCKS_KEPT {
        // Those over stand last; where all live, the one that ends first is the likeliest to be over.
        let n = clocks.iter().rposition(ClockView::is_over).unwrap_or(0);
        clocks.remove(n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Direction, Draft, Kind, Now, SessionId};
    use proptest::prelude::*;

    fn clock(id: &str, from: i64, until: Option<i64>, margin_secs: u32, event: ExpiryEvent) -> ClockView {
        let fact = Expiry {
            id: id.into(),
            title: id.into(),
            event,
            by: "server".into(),
            from: Wall(from),
            until: until.map(Wall),
            margin_secs,
            breaks: String::new(),
            assumed: false,
            token: None,
            scope: None,
            claims: None,
            can: Vec::new(),
        };
        ClockView { fact, seq: 1, told: Wall(from), history: vec![1] }
    }

    fn painted(c: &ClockView, at: Wall) -> (ClockPhase, String) {
        let mut label = String::new();
        c.label(at, &mut label);
        (c.phase(at), label)
    }

    const S: i64 = 1_000_000;

    #[test]
    fn amber_in_the_margin_red_in_the_last_tenth_dead_at_zero() {
        let oauth = clock("oauth", 0, Some(900 * S), 120, ExpiryEvent::Started);
        assert_eq!(oauth.phase(Wall(780 * S - 1)), ClockPhase::Fine);
        assert_eq!(oauth.phase(Wall(780 * S)), ClockPhase::Margin);
        assert_eq!(oauth.phase(Wall(810 * S)), ClockPhase::Last);
        assert_eq!(oauth.phase(Wall(900 * S)), ClockPhase::Dead);
        assert_eq!(oauth.share(Wall(450 * S)), 0.5);
        let short_margin = clock("jwt", 0, Some(60 * S), 5, ExpiryEvent::Started);
        assert_eq!(short_margin.phase(Wall(54 * S - 1)), ClockPhase::Fine);
        assert_eq!(short_margin.phase(Wall(54 * S)), ClockPhase::Last);
    }

    #[test]
    fn the_strip_shows_the_dead_last_and_forgets_the_forgotten() {
        let record = |seq, at: i64| {
            let now = Now { wall: Wall(at), ..Now::default() };
            Record { seq, draft: Draft::new(now, SessionId(1), Kind::Expiry, Direction::Local) }
        };
        let mut clocks = Vec::new();
        let facts = [
            ("late", Some(100), ExpiryEvent::Started),
            ("open", None, ExpiryEvent::Started),
            ("early", Some(50), ExpiryEvent::Started),
            ("killed", Some(70), ExpiryEvent::Started),
            ("killed", Some(70), ExpiryEvent::Refused),
            ("gone", Some(80), ExpiryEvent::Started),
            ("gone", Some(80), ExpiryEvent::Forgotten),
        ];
        for (n, (id, until, event)) in facts.into_iter().enumerate() {
            let fact = clock(id, 0, until, 0, event).fact;
            take(&mut clocks, fact, &record(n as u64 + 1, n as i64), Wall(n as i64));
        }
        let names = |order: &[usize]| order.iter().map(|n| clocks[*n].fact.id.clone()).collect::<Vec<_>>();
        assert_eq!(names(&[0, 1, 2, 3]), ["early", "late", "open", "killed"]);
        assert_eq!(clocks[3].history, [4, 5]);
        let mut order = Vec::new();
        in_order(&clocks, Wall(60), &mut order);
        assert_eq!(names(&order), ["late", "open", "early", "killed"]);
    }

    #[test]
    fn no_more_clocks_are_kept_than_the_bound() {
        let mut clocks = Vec::new();
        for n in 0..=CLOCKS_KEPT as u64 {
            let event = if n == 7 { ExpiryEvent::Expired } else { ExpiryEvent::Started };
            let fact = clock(&format!("link:{n}"), 0, Some(n as i64 + 10), 0, event).fact;
            let draft = Draft::new(Now::default(), SessionId(1), Kind::Expiry, Direction::Local);
            take(&mut clocks, fact, &Record { seq: n + 1, draft }, Wall(0));
        }
        assert_eq!(clocks.len(), CLOCKS_KEPT);
        assert!(clocks.iter().all(|c| c.fact.id != "link:7"));
    }

    proptest! {
        #[test]
        fn what_is_painted_changes_at_the_next_change_and_not_before(
            life in 1i64..400_000, left in -90_000_000_000i64..400_000_000_000, margin in 0u32..2_000,
        ) {
            let c = clock("x", 0, Some(life * S), margin, ExpiryEvent::Started);
            let now = Wall(life * S - left.min(life * S));
            let before = painted(&c, now);
            let wait = c.next_change(now).unwrap();
            prop_assert!(wait > Duration::ZERO);
            prop_assert_ne!(&painted(&c, now + wait), &before);
            prop_assert_eq!(&painted(&c, now + (wait - Duration::from_micros(1))), &before);
        }

        #[test]
        fn absurd_instants_do_not_panic(from: i64, until: Option<i64>, margin: u32, now: i64) {
            let c = clock("x", from, until, margin, ExpiryEvent::Extended);
            let _ = (c.left(Wall(now)), c.share(Wall(now)), painted(&c, Wall(now)));
            if let Some(wait) = c.next_change(Wall(now)) {
                prop_assert!(wait > Duration::ZERO);
            }
        }
    }
}
