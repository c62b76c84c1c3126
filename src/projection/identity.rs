//! By what a message is known again, in eight bytes each.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A hash of one name of a message. Sixty-four bits: among a hundred million names a false match is improbable, and
/// a capture holds far fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Name(u64);

impl Name {
    /// The server's key (`channel.messageId` or `id`).
    pub fn key(key: &str) -> Self {
        Self::of(b'k', key)
    }

    /// An event of this kind in the frame of this key.
    pub fn event(key: &str, kind: &str) -> Self {
        Self::of(b'e', (key, kind))
    }

    /// The client's key.
    pub fn tracing(tracing: &str) -> Self {
        Self::of(b't', tracing)
    }

    pub fn attachment(id: &str) -> Self {
        Self::of(b'a', id)
    }

    /// A presence by what it is and when it was: history may tell it without the key that the live frame had.
    pub fn moment(what: &str, micros: i64) -> Self {
        Self::of(b'p', (what, micros))
    }

    fn of(space: u8, value: impl Hash) -> Self {
        let mut h = DefaultHasher::new();
        (space, value).hash(&mut h);
        Self(h.finish())
    }
}

/// A set that holds the newest `limit` names and forgets the oldest first.
#[derive(Clone, Debug)]
pub(super) struct Known {
    set: HashSet<Name>,
    order: VecDeque<Name>,
    limit: usize,
}

impl Known {
    pub fn new(limit: usize) -> Self {
        Self { set: HashSet::new(), order: VecDeque::new(), limit }
    }

    pub fn insert(&mut self, name: Name) {
        if self.set.insert(name) {
            self.order.push_back(name);
        }
        while self.order.len() > self.limit {
            if let Some(old) = self.order.pop_front() {
                self.set.remove(&old);
            }
        }
    }

    pub fn contains(&self, name: Name) -> bool {
        self.set.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_names_are_forgotten_first() {
        let mut known = Known::new(3);
        for k in ["a", "b", "c", "c", "d"] {
            known.insert(Name::key(k));
        }
        assert!(!known.contains(Name::key("a")));
        assert!(["b", "c", "d"].iter().all(|k| known.contains(Name::key(k))));
    }

    #[test]
    fn the_same_text_in_another_role_is_another_name() {
        assert_ne!(Name::key("x"), Name::tracing("x"));
        assert_ne!(Name::key("x"), Name::attachment("x"));
    }
}
