//! The index of a capture in memory: which records belong to which session, are noise, or matter to the projections.
//!
//! One [`Index`] is shared by the writer and all readers of a running capture; a reader of a saved file has its own.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use roaring::RoaringBitmap;

use super::index::{PART, RowSet, Rows};
use super::schema::{CHUNK, Facet};
use crate::model::SessionId;
use crate::model::record::{Flags, Kind};

/// What a record adds to the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    pub session: u32,
    pub noise: bool,
    pub story: bool,
    pub mark: bool,
}

impl Traits {
    pub fn of(session: SessionId, flags: Flags, kind: u8) -> Self {
        Self {
            session: session.0,
            noise: flags.is_noise(),
            story: flags.has(Flags::STORY),
            mark: kind == Kind::Mark as u8,
        }
    }

    pub fn facets(self) -> impl Iterator<Item = Facet> {
        [
            Some(Facet::Session(self.session)),
            self.noise.then_some(Facet::Noise),
            self.story.then_some(Facet::Story),
            self.mark.then_some(Facet::Mark),
        ]
        .into_iter()
        .flatten()
    }
}

/// Rows of one scope (all records, or a session): with noise and without.
#[derive(Clone, Debug, Default)]
struct Scope {
    all: Arc<RowSet>,
    quiet: Arc<RowSet>,
}

impl Scope {
    fn insert(&mut self, first: u64, last: u64, noise: bool) {
        Arc::make_mut(&mut self.all).insert_range(first, last);
        if !noise {
            Arc::make_mut(&mut self.quiet).insert_range(first, last);
        }
    }

    fn insert_part(&mut self, part: usize, bits: &RoaringBitmap, noise: &RoaringBitmap) {
        Arc::make_mut(&mut self.all).insert_part(part, bits);
        Arc::make_mut(&mut self.quiet).insert_part(part, &(bits - noise));
    }
}

#[derive(Clone, Debug, Default)]
pub struct State {
    /// The highest record.
    len: u64,
    /// Records are missing below `len` (a damaged file): "all" is then a set of its own.
    holes: bool,
    whole: Scope,
    sessions: BTreeMap<u32, Scope>,
    story: Arc<RowSet>,
    marks: Arc<RowSet>,
}

impl State {
    /// Takes `first..=last`, which are alike. Ranges come in ascending order.
    pub fn insert(&mut self, first: u64, last: u64, traits: Traits) {
        self.holes |= first != self.len + 1;
        self.len = self.len.max(last);
        self.whole.insert(first, last, traits.noise);
        self.sessions.entry(traits.session).or_default().insert(first, last, traits.noise);
        if traits.story {
            Arc::make_mut(&mut self.story).insert_range(first, last);
        }
        if traits.mark {
            Arc::make_mut(&mut self.marks).insert_range(first, last);
        }
    }

    /// Takes a chunk as the file tells it. False where it contradicts itself: it must then be read record by record.
    pub fn insert_chunk(&mut self, chunk: u64, last: u64, facets: &[(Facet, RoaringBitmap)]) -> bool {
        let first = (chunk * CHUNK).max(1);
        let inside = (first % PART) as u32..=(last % PART) as u32;
        let mut seen = RoaringBitmap::new();
        let mut sum = 0;
        let mut noise = RoaringBitmap::new();
        for (facet, bits) in facets {
            match facet {
                Facet::Session(_) => {
                    sum += bits.len();
                    seen |= bits;
                }
                Facet::Noise => noise.clone_from(bits),
                Facet::Story | Facet::Mark => {}
            }
        }
        let want = last + 1 - first;
        let fits = |bits: &RoaringBitmap| {
            bits.min().is_none_or(|n| inside.contains(&n)) && bits.max().is_none_or(|n| inside.contains(&n))
        };
        if sum != want || seen.len() != want || !facets.iter().all(|(_, bits)| fits(bits)) {
            return false;
        }
        self.holes |= first != self.len + 1;
        self.len = last;
        let part = (first / PART) as usize;
        self.whole.insert_part(part, &seen, &noise);
        for (facet, bits) in facets {
            match facet {
                Facet::Session(id) => self.sessions.entry(*id).or_default().insert_part(part, bits, &noise),
                Facet::Story => Arc::make_mut(&mut self.story).insert_part(part, bits),
                Facet::Mark => Arc::make_mut(&mut self.marks).insert_part(part, bits),
                Facet::Noise => {}
            }
        }
        true
    }

    pub fn last(&self) -> u64 {
        self.len
    }

    /// True where both know the same records and the same of each.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let scopes =
            |s: &Self| -> Vec<_> { s.sessions.iter().map(|(id, s)| (*id, ids(&s.all), ids(&s.quiet))).collect() };
        ids(&self.whole.all) == ids(&other.whole.all)
            && ids(&self.story) == ids(&other.story)
            && ids(&self.marks) == ids(&other.marks)
            && scopes(self) == scopes(other)
    }

    fn scope(&self, session: Option<SessionId>) -> Option<&Scope> {
        match session {
            None => Some(&self.whole),
            Some(id) => self.sessions.get(&id.0),
        }
    }

    fn rows(&self, session: Option<SessionId>, noise: bool) -> Rows {
        let Some(scope) = self.scope(session) else { return Rows::None };
        let set = if noise { &scope.all } else { &scope.quiet };
        match (session, set.is_empty()) {
            (_, true) => Rows::None,
            (None, false) if !self.holes && set.len() == self.len => Rows::All(self.len),
            _ => Rows::Some(Arc::clone(set)),
        }
    }
}

/// The members of a set in a form that does not depend on how it was built.
fn ids(set: &RowSet) -> RoaringBitmap {
    set.from(0).filter_map(|seq| u32::try_from(seq).ok()).collect()
}

/// The shared index.
#[derive(Debug, Default)]
pub struct Index {
    state: Mutex<State>,
    grown: Condvar,
}

impl Index {
    pub fn new(state: State) -> Self {
        Self { state: Mutex::new(state), grown: Condvar::new() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes records that were committed; ranges ascend.
    pub fn publish(&self, runs: &[(u64, u64, Traits)]) {
        let mut state = self.lock();
        for &(first, last, traits) in runs {
            state.insert(first, last, traits);
        }
        drop(state);
        self.grown.notify_all();
    }

    pub fn len(&self) -> u64 {
        self.lock().len
    }

    pub fn rows(&self, session: Option<SessionId>, noise: bool) -> Rows {
        self.lock().rows(session, noise)
    }

    pub fn noise(&self, session: Option<SessionId>) -> u64 {
        self.lock().scope(session).map_or(0, |s| s.all.len() - s.quiet.len())
    }

    pub fn sessions(&self) -> Vec<SessionId> {
        self.lock().sessions.keys().map(|id| SessionId(*id)).collect()
    }

    pub fn story(&self) -> Arc<RowSet> {
        Arc::clone(&self.lock().story)
    }

    pub fn marks(&self) -> Arc<RowSet> {
        Arc::clone(&self.lock().marks)
    }

    /// Waits until there are more than `len` records, somebody calls [`Index::nudge`], or the time is over.
    pub fn wait_beyond(&self, len: u64, at_most: Duration) {
        let state = self.lock();
        if state.len <= len {
            drop(self.grown.wait_timeout(state, at_most));
        }
    }

    /// Wakes all who wait.
    pub fn nudge(&self) {
        drop(self.lock());
        self.grown.notify_all();
    }
}

/// The facets of the chunk that is being written.
#[derive(Clone, Debug, Default)]
pub struct Current {
    chunk: u64,
    facets: BTreeMap<i64, RoaringBitmap>,
    touched: BTreeSet<i64>,
}

impl Current {
    /// Notes a record; `store` gets the finished bits whenever a chunk is full.
    pub fn note<E>(
        &mut self,
        seq: u64,
        traits: Traits,
        store: impl FnMut(u64, i64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if seq / CHUNK != self.chunk {
            self.store(store)?;
            self.chunk = seq / CHUNK;
            self.facets.clear();
        }
        for facet in traits.facets() {
            let key = facet.key();
            self.facets.entry(key).or_default().insert((seq % PART) as u32);
            self.touched.insert(key);
        }
        Ok(())
    }

    /// Hands over what has changed since the last call.
    pub fn store<E>(&mut self, mut store: impl FnMut(u64, i64, &[u8]) -> Result<(), E>) -> Result<(), E> {
        for key in std::mem::take(&mut self.touched) {
            let Some(bits) = self.facets.get_mut(&key) else { continue };
            bits.optimize();
            let mut bytes = Vec::with_capacity(bits.serialized_size());
            // Writing into memory cannot fail.
            let _ = bits.serialize_into(&mut bytes);
            store(self.chunk, key, &bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits(session: u32, noise: bool) -> Traits {
        Traits { session, noise, story: !noise, mark: false }
    }

    #[test]
    fn rows_of_all_sessions_and_noise_come_from_the_index() {
        let index = Index::default();
        index.publish(&[(1, 3, traits(1, false)), (4, 4, traits(2, true)), (5, 9, traits(2, false))]);
        assert_eq!(index.rows(None, true), Rows::All(9));
        assert_eq!(index.rows(None, false), [1, 2, 3, 5, 6, 7, 8, 9].into_iter().collect());
        assert_eq!(index.rows(Some(SessionId(2)), true), (4..=9).collect());
        assert_eq!(index.rows(Some(SessionId(2)), false), (5..=9).collect());
        assert_eq!(index.rows(Some(SessionId(7)), true), Rows::None);
        assert_eq!((index.noise(None), index.noise(Some(SessionId(1)))), (1, 0));
    }

    #[test]
    fn a_stored_chunk_loads_to_what_was_noted() {
        let mut current = Current::default();
        let mut stored = BTreeMap::new();
        let mut put = |chunk: u64, key: i64, bytes: &[u8]| -> Result<(), ()> {
            stored.insert((chunk, key), bytes.to_vec());
            Ok(())
        };
        let live = Index::default();
        for seq in 1..=10_000 {
            let t = traits((seq % 3) as u32, seq % 5 == 0);
            current.note(seq, t, &mut put).unwrap();
            live.publish(&[(seq, seq, t)]);
        }
        current.store(&mut put).unwrap();
        let mut state = State::default();
        for chunk in 0..=10_000 / CHUNK {
            let facets: Vec<_> = stored
                .iter()
                .filter(|((c, _), _)| *c == chunk)
                .map(|((_, key), bytes)| {
                    (Facet::from_key(*key).unwrap(), RoaringBitmap::deserialize_from(&bytes[..]).unwrap())
                })
                .collect();
            assert!(state.insert_chunk(chunk, (chunk * CHUNK + CHUNK - 1).min(10_000), &facets));
        }
        let loaded = Index::new(state);
        for session in [None, Some(SessionId(0)), Some(SessionId(1)), Some(SessionId(2))] {
            for noise in [true, false] {
                let (a, b) = (loaded.rows(session, noise), live.rows(session, noise));
                assert_eq!(a.seqs(0, 20_000), b.seqs(0, 20_000));
            }
        }
    }

    #[test]
    fn a_chunk_that_contradicts_itself_is_refused() {
        let bits = |range: std::ops::Range<u32>| RoaringBitmap::from_iter(range);
        let mut state = State::default();
        let overlap = [(Facet::Session(1), bits(1..60)), (Facet::Session(2), bits(50..90))];
        assert!(!state.insert_chunk(0, 99, &overlap));
        assert!(!state.insert_chunk(0, 99, &[(Facet::Session(1), bits(1..60))]));
        let outside = [(Facet::Session(1), bits(1..100)), (Facet::Noise, bits(90..5000))];
        assert!(!state.insert_chunk(0, 99, &outside));
        assert!(state.insert_chunk(0, 99, &[(Facet::Session(1), bits(1..100))]));
    }
}
