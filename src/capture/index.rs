//! Which rows a view shows, in constant memory per million.
use std::sync::{Arc, LazyLock};

use roaring::RoaringBitmap;

/// Records of one part of a [`RowSet`].
pub const PART: u64 = 1 << 16;

/// Stands for all parts that hold nothing, so that a set of few records far apart stays small.
static EMPTY: LazyLock<Arc<RoaringBitmap>> = LazyLock::new(Arc::default);

/// An ordered set of records, addressed by row. Cloning is cheap.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Rows {
    /// All records from 1 to this one.
    All(u64),
    #[default]
    None,
    Some(Arc<RowSet>),
}

impl Rows {
    pub fn len(&self) -> u64 {
        match self {
            Self::All(n) => *n,
            Self::None => 0,
            Self::Some(set) => set.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The record at a row.
    pub fn seq(&self, row: u64) -> Option<u64> {
        match self {
            Self::All(n) => (row < *n).then_some(row + 1),
            Self::None => None,
            Self::Some(set) => set.seq(row),
        }
    }

    /// The row of a record, or of the next one that is shown; the number of rows where none follows.
    pub fn row(&self, seq: u64) -> u64 {
        match self {
            Self::All(n) => seq.saturating_sub(1).min(*n),
            Self::None => 0,
            Self::Some(set) => set.row(seq),
        }
    }

    pub fn contains(&self, seq: u64) -> bool {
        match self {
            Self::All(n) => (1..=*n).contains(&seq),
            Self::None => false,
            Self::Some(set) => set.contains(seq),
        }
    }

    /// The records from a row on, at most `limit`.
    pub fn seqs(&self, from_row: u64, limit: usize) -> Vec<u64> {
        match self {
            Self::All(n) => (from_row..*n).take(limit).map(|row| row + 1).collect(),
            Self::None => Vec::new(),
            Self::Some(set) => match set.seq(from_row) {
                Some(first) => set.from(first).take(limit).collect(),
                None => Vec::new(),
            },
        }
    }
}

impl FromIterator<u64> for Rows {
    fn from_iter<I: IntoIterator<Item = u64>>(seqs: I) -> Self {
        let mut set = RowSet::default();
        let mut list: Vec<u64> = seqs.into_iter().collect();
        list.sort_unstable();
        set.extend_sorted(&list);
        if set.is_empty() { Self::None } else { Self::Some(Arc::new(set)) }
    }
}

/// A set of sequence numbers with row lookup.
///
/// It is cut into parts of 65,536 numbers that are shared between clones, so that a set which grows at its end is
/// published without copying what is already there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowSet {
    /// Part `k` holds the numbers from `k * PART` on, each less that start.
    parts: Vec<Arc<RoaringBitmap>>,
    /// Rows before part `k`; one more entry than parts, or empty.
    before: Vec<u64>,
}

impl RowSet {
    pub fn len(&self) -> u64 {
        self.before.last().copied().unwrap_or(0)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn contains(&self, seq: u64) -> bool {
        self.part(seq).is_some_and(|part| part.contains((seq % PART) as u32))
    }

    /// The number at a row.
    pub fn seq(&self, row: u64) -> Option<u64> {
        if row >= self.len() {
            return None;
        }
        let k = self.before.partition_point(|&n| n <= row).checked_sub(1)?;
        let within = u32::try_from(row - self.before.get(k)?).ok()?;
        Some(k as u64 * PART + u64::from(self.parts.get(k)?.select(within)?))
    }

    /// How many numbers are smaller: the row of `seq`, or of the next one.
    pub fn row(&self, seq: u64) -> u64 {
        let k = (seq / PART) as usize;
        let (Some(part), Some(before)) = (self.parts.get(k), self.before.get(k)) else { return self.len() };
        match (seq % PART) as u32 {
            0 => *before,
            within => before + part.rank(within - 1),
        }
    }

    /// How many numbers lie in `first..=last`.
    pub fn count(&self, first: u64, last: u64) -> u64 {
        self.row(last.saturating_add(1)).saturating_sub(self.row(first))
    }

    /// The numbers from `first` on.
    pub fn from(&self, first: u64) -> impl Iterator<Item = u64> + '_ {
        let skip = (first / PART) as usize;
        self.parts.iter().enumerate().skip(skip).flat_map(move |(k, part)| {
            let start = if k == skip { (first % PART) as u32 } else { 0 };
            part.range(start..).map(move |n| k as u64 * PART + u64::from(n))
        })
    }

    /// Adds `first..=last`.
    pub fn insert_range(&mut self, first: u64, last: u64) {
        let mut at = first;
        while at <= last {
            let k = (at / PART) as usize;
            let end = last.min(k as u64 * PART + PART - 1);
            self.reach(k);
            let part = Arc::make_mut(&mut self.parts[k]);
            let added = part.insert_range((at % PART) as u32..=(end % PART) as u32);
            if end % PART == PART - 1 {
                part.optimize();
            }
            self.shift(k, added as i64);
            at = end + 1;
        }
    }

    /// Adds members of part `k`, each given less the start of the part.
    pub fn insert_part(&mut self, k: usize, bits: &RoaringBitmap) {
        if bits.is_empty() {
            return;
        }
        self.reach(k);
        let part = Arc::make_mut(&mut self.parts[k]);
        let before = part.len();
        *part |= bits;
        if part.contains(PART as u32 - 1) {
            part.optimize();
        }
        let added = part.len() - before;
        self.shift(k, added as i64);
    }

    /// Adds ascending numbers.
    pub fn extend_sorted(&mut self, seqs: &[u64]) {
        for same in seqs.chunk_by(|a, b| a / PART == b / PART) {
            let bits: RoaringBitmap = same.iter().map(|seq| (seq % PART) as u32).collect();
            self.insert_part((same[0] / PART) as usize, &bits);
        }
    }

    pub fn remove(&mut self, seq: u64) {
        let k = (seq / PART) as usize;
        if self.contains(seq) {
            Arc::make_mut(&mut self.parts[k]).remove((seq % PART) as u32);
            self.shift(k, -1);
        }
    }

    fn part(&self, seq: u64) -> Option<&RoaringBitmap> {
        self.parts.get((seq / PART) as usize).map(|part| &**part)
    }

    fn reach(&mut self, k: usize) {
        if self.before.is_empty() {
            self.before.push(0);
        }
        while self.parts.len() <= k {
            self.parts.push(Arc::clone(&EMPTY));
            self.before.push(self.len());
        }
    }

    fn shift(&mut self, k: usize, by: i64) {
        for before in &mut self.before[k + 1..] {
            *before = before.saturating_add_signed(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_row_set_agrees_with_a_plain_set(
            ranges in prop::collection::vec((1u64..300_000, 0u64..3_000), 0..12),
            gone in prop::collection::vec(1u64..300_000, 0..20),
            probes in prop::collection::vec(0u64..310_000, 1..30),
        ) {
            let mut set = RowSet::default();
            let mut plain = BTreeSet::new();
            for (first, more) in ranges {
                set.insert_range(first, first + more);
                plain.extend(first..=first + more);
            }
            for seq in gone {
                set.remove(seq);
                plain.remove(&seq);
            }
            let list: Vec<u64> = plain.iter().copied().collect();
            prop_assert_eq!(set.len(), list.len() as u64);
            let again: Rows = list.iter().rev().copied().collect();
            prop_assert_eq!(again.seqs(0, usize::MAX), list.clone());
            for probe in probes {
                prop_assert_eq!(set.contains(probe), plain.contains(&probe));
                prop_assert_eq!(set.row(probe), plain.range(..probe).count() as u64);
                prop_assert_eq!(set.seq(probe), list.get(probe as usize).copied());
                prop_assert_eq!(set.from(probe).take(3).collect::<Vec<_>>(),
                    plain.range(probe..).take(3).copied().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_clone_does_not_change_when_the_set_grows() {
        let mut set = RowSet::default();
        set.insert_range(1, 100_000);
        let shown = Rows::Some(Arc::new(set.clone()));
        set.insert_range(100_001, 200_000);
        assert_eq!((shown.len(), set.len()), (100_000, 200_000));
        assert_eq!(shown.seq(99_999), Some(100_000));
        assert_eq!(shown.seq(100_000), None);
    }

    #[test]
    fn rows_past_the_end_are_the_number_of_rows() {
        for rows in [Rows::All(5), (1..=5).collect()] {
            assert_eq!((rows.row(1), rows.row(5), rows.row(99)), (0, 4, 5));
            assert_eq!(rows.seq(5), None);
            assert_eq!(rows.seqs(3, 9), [4, 5]);
        }
        assert_eq!(Rows::All(3).row(9), 3);
    }
}
