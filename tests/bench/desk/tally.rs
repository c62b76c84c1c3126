//! What both ends saw of each other, and what the records say.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sessionscope::model::SessionId;
use sessionscope::projection::Board;
use sessionscope::projection::ends::{Journey, Leg, Legs, Odd};

use super::common::Records;

/// Messages of guests and of the agent, counted where they are seen with their text.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Messages {
    pub of_guests: u64,
    pub of_agent: u64,
}

impl Messages {
    /// Those that both ends of these guests' conversations have.
    pub fn seen(board: &Board, guests: &[SessionId]) -> Self {
        let mut seen = Self::default();
        for j in journeys(board, guests) {
            let (guest, agent) = (j.guest.as_ref(), j.agent());
            let texts = guest.and_then(|g| g.text.as_ref()).zip(agent.and_then(|a| a.text.as_ref()));
            let both = guest.is_some_and(|g| g.seen.is_some()) && agent.is_some_and(|a| a.seen.is_some());
            if both && texts.is_some_and(|(a, b)| a == b) {
                *(if j.is_of_guest() { &mut seen.of_guests } else { &mut seen.of_agent }) += 1;
            }
        }
        seen
    }

    pub fn all(self) -> u64 {
        self.of_guests + self.of_agent
    }
}

fn journeys<'a>(board: &'a Board, guests: &'a [SessionId]) -> impl Iterator<Item = &'a Arc<Journey>> {
    board.ends.pairs.iter().filter(|p| guests.contains(&p.guest)).flat_map(|p| &p.journeys)
}

/// What was odd, and how long the ways were.
#[derive(Default)]
pub struct Tally {
    pub lost: u64,
    pub missed: u64,
    pub late: u64,
    /// Whose text came later than it should: look-ups wait for their budget.
    pub late_texts: u64,
    pub other: u64,
    pub legs: Vec<Legs>,
}

impl Tally {
    pub fn of(board: &Board, guests: &[SessionId]) -> Self {
        let mut tally = Self::default();
        for pair in board.ends.pairs.iter().filter(|p| guests.contains(&p.guest)) {
            for oddity in pair.oddities(board.at.mono) {
                *match oddity.odd {
                    Odd::LostToAgent(_) | Odd::LostToGuest(_) => &mut tally.lost,
                    Odd::Missed { .. } => &mut tally.missed,
                    Odd::Late(Leg::Text, _) => &mut tally.late_texts,
                    Odd::Late(..) => &mut tally.late,
                    Odd::Reordered { .. } | Odd::Repeated(_) | Odd::Copied { .. } | Odd::Altered(_) => &mut tally.other,
                } += 1;
            }
        }
        let all: Vec<Arc<Journey>> = journeys(board, guests).cloned().collect();
        tally.legs = Leg::ALL.into_iter().filter_map(|leg| Legs::of(&all, leg)).collect();
        tally
    }

    /// Median and longest of a leg, in milliseconds.
    pub fn leg(&self, leg: Leg) -> (f64, f64) {
        let ms = |d: Duration| d.as_secs_f64() * 1e3;
        self.legs.iter().find(|l| l.leg == leg).map_or((0.0, 0.0), |l| (ms(l.p50), ms(l.max)))
    }
}

/// What the capture says at the end.
#[derive(Default)]
pub struct Facts {
    pub lookups: u64,
    /// Most of them in any minute.
    pub lookups_a_minute: u64,
    pub too_many: u64,
    pub not_delivered: u64,
}

impl Facts {
    pub fn of(file: &Path) -> Self {
        let records = Records::open(file);
        let mut calls = records
            .db()
            .prepare(
                "SELECT mono FROM record WHERE kind = 1 AND head LIKE '%\"purpose\":\"message texts\"%' ORDER BY mono",
            )
            .expect("sql");
        let times = calls.query_map([], |r| r.get::<_, i64>(0)).expect("calls");
        let times: Vec<i64> = times.map(|t| t.expect("time")).collect();
        let within = |from: usize| times[from..].partition_point(|t| t - times[from] < 60_000_000);
        Self {
            lookups: times.len() as u64,
            lookups_a_minute: (0..times.len()).map(within).max().unwrap_or_default() as u64,
            too_many: records.answered_with(429),
            not_delivered: records.not_delivered(),
        }
    }
}
