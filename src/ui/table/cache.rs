//! Records around the view and their laid-out text, bounded.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use egui::Galley;

use super::source::RecordSource;
use crate::dialect::Line;
use crate::model::{Direction, Flags, Kind, Now, Record, Report, SessionId};
use crate::projection::knowledge::rule::Weight;

/// Rows kept at most.
const LIMIT: usize = 4096;

/// What a row shows of a record, without its payload.
pub(super) struct Cached {
    pub session: SessionId,
    pub at: Now,
    pub kind: Kind,
    pub direction: Direction,
    pub flags: Flags,
    pub size: u64,
    pub line: Line,
    /// Microseconds since the record that it answers.
    pub latency: Option<i64>,
    /// As it was when its text was laid out.
    pub lint: Option<Weight>,
    pub text: Option<Text>,
    /// The difference to the row above, and which row that was (zero for none).
    pub delta: Option<(u64, Option<Arc<Galley>>)>,
    used: u64,
}

/// The laid-out cells.
pub(super) struct Text {
    pub seq: Arc<Galley>,
    pub time: Arc<Galley>,
    pub kind: Arc<Galley>,
    pub summary: Arc<Galley>,
    pub bytes: Option<Arc<Galley>>,
    pub latency: Option<Arc<Galley>>,
}

#[derive(Default)]
pub(super) struct Cache {
    rows: HashMap<u64, Cached>,
    /// As they were read, for dropping the oldest.
    order: VecDeque<u64>,
    identity: u64,
    frame: u64,
    missing: Vec<u64>,
    asked: Vec<u64>,
    /// Asked for and not given; asked again when the number of rows changes.
    absent: HashSet<u64>,
    len: u64,
}

impl Cache {
    /// Starts a frame. Forgets all and gives true where the source is another one.
    pub fn begin(&mut self, identity: u64, len: u64) -> bool {
        self.frame += 1;
        let other = self.identity != identity;
        if other || self.len != len {
            self.len = len;
            self.absent.clear();
        }
        if other {
            self.identity = identity;
            self.rows.clear();
            self.order.clear();
        }
        other
    }

    /// Forgets what was laid out, not what was read.
    pub fn forget_text(&mut self) {
        for row in self.rows.values_mut() {
            row.text = None;
            row.delta = None;
        }
    }

    pub fn get_mut(&mut self, seq: u64) -> Option<&mut Cached> {
        let frame = self.frame;
        let row = self.rows.get_mut(&seq)?;
        row.used = frame;
        Some(row)
    }

    pub fn at(&self, seq: u64) -> Option<Now> {
        self.rows.get(&seq).map(|row| row.at)
    }

    /// Reads what is missing of these records. Gives how many were read.
    pub fn load(&mut self, source: &mut dyn RecordSource, wanted: impl Iterator<Item = u64>) -> Result<usize, Report> {
        self.missing.clear();
        self.missing.extend(wanted.filter(|seq| !self.rows.contains_key(seq) && !self.absent.contains(seq)));
        if self.missing.is_empty() {
            return Ok(0);
        }
        self.missing.sort_unstable();
        self.missing.dedup();
        let records = source.fetch(&self.missing)?;
        let count = records.len();
        // The times of the records that these answer, where they are not at hand.
        self.asked.clear();
        let here = |seq: u64| records.binary_search_by_key(&seq, |r| r.seq).ok();
        self.asked.extend(
            records
                .iter()
                .map(|r| r.answers())
                .filter(|seq| *seq != 0 && here(*seq).is_none() && !self.rows.contains_key(seq)),
        );
        self.asked.sort_unstable();
        self.asked.dedup();
        let asked = if self.asked.is_empty() { Vec::new() } else { source.heads(&self.asked)? };
        for record in &records {
            let asked_at = match record.answers() {
                0 => None,
                seq => here(seq)
                    .map(|n| records[n].at)
                    .or_else(|| self.at(seq))
                    .or_else(|| asked.iter().find(|r| r.seq == seq).map(|r| r.at)),
            };
            let row = self.row(source, record, asked_at);
            if self.rows.insert(record.seq, row).is_none() {
                self.order.push_back(record.seq);
            }
        }
        if count < self.missing.len() {
            self.absent.extend(self.missing.iter().filter(|seq| here(**seq).is_none()));
        }
        self.trim(count);
        Ok(count)
    }

    fn row(&self, source: &dyn RecordSource, record: &Record, asked_at: Option<Now>) -> Cached {
        Cached {
            session: record.session,
            lint: None,
            at: record.at,
            kind: record.kind,
            direction: record.direction,
            flags: record.flags,
            size: record.size,
            line: source.line(record),
            latency: asked_at.map(|from| micros_between(from, record.at)),
            text: None,
            delta: None,
            used: self.frame,
        }
    }

    /// Drops the rows that were read longest ago and are not in use. Only some more than were read: each takes its
    /// laid-out text along, in the middle of a frame.
    fn trim(&mut self, read: usize) {
        for _ in 0..2 * read {
            if self.rows.len() <= LIMIT {
                return;
            }
            let Some(oldest) = self.order.pop_front() else { return };
            match self.rows.get(&oldest) {
                // What the last frame painted is most likely painted in this one.
                Some(row) if row.used + 1 >= self.frame => self.order.push_back(oldest),
                _ => _ = self.rows.remove(&oldest),
            }
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.rows.len()
    }
}

/// From one record to another. The monotonic clock tells it where both have one; imported records have none.
pub(super) fn micros_between(from: Now, to: Now) -> i64 {
    if from.mono.0 == 0 || to.mono.0 == 0 {
        return to.wall.micros_since(from.wall);
    }
    let (from, to) = (from.mono.0, to.mono.0);
    if to >= from {
        i64::try_from(to - from).unwrap_or(i64::MAX)
    } else {
        -i64::try_from(from - to).unwrap_or(i64::MAX)
    }
}
