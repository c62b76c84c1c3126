//! Things of a kind, found by id and by number, and never more of them than there is room for.

use std::collections::{BTreeMap, HashMap};

pub(in crate::sandbox) struct Shelf<T> {
    by_id: HashMap<String, u32>,
    /// Oldest first.
    all: BTreeMap<u32, (String, T)>,
    most: usize,
    last: u32,
    /// How many had to go for others.
    pub(in crate::sandbox) forgotten: u64,
}

impl<T> Shelf<T> {
    pub(in crate::sandbox) fn new(most: usize) -> Self {
        Self { by_id: HashMap::new(), all: BTreeMap::new(), most, last: 0, forgotten: 0 }
    }

    /// Takes in a new thing; its number. Where all places are taken, the oldest that `may_go` makes room, or the
    /// oldest of all.
    pub(in crate::sandbox) fn insert(&mut self, id: String, thing: T, may_go: impl Fn(&T) -> bool) -> u32 {
        let number = self.last + 1;
        self.insert_at(number, id, thing, may_go);
        number
    }

    /// As [`Self::insert`], with a number of the caller's choice, higher than all before.
    pub(in crate::sandbox) fn insert_at(&mut self, number: u32, id: String, thing: T, may_go: impl Fn(&T) -> bool) {
        if self.all.len() >= self.most {
            let oldest = self.all.iter().find(|(_, (_, t))| may_go(t)).or_else(|| self.all.iter().next());
            if let Some(number) = oldest.map(|(n, _)| *n) {
                self.remove(number);
                self.forgotten += 1;
            }
        }
        self.last = number;
        self.by_id.insert(id.clone(), number);
        self.all.insert(number, (id, thing));
    }

    pub(in crate::sandbox) fn number(&self, id: &str) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    pub(in crate::sandbox) fn find(&self, id: &str) -> Option<&T> {
        self.at(self.number(id)?)
    }

    pub(in crate::sandbox) fn find_mut(&mut self, id: &str) -> Option<&mut T> {
        self.at_mut(self.number(id)?)
    }

    pub(in crate::sandbox) fn at(&self, number: u32) -> Option<&T> {
        self.all.get(&number).map(|(_, t)| t)
    }

    pub(in crate::sandbox) fn at_mut(&mut self, number: u32) -> Option<&mut T> {
        self.all.get_mut(&number).map(|(_, t)| t)
    }

    /// With its id.
    pub(in crate::sandbox) fn entry_mut(&mut self, number: u32) -> Option<(&str, &mut T)> {
        self.all.get_mut(&number).map(|(id, t)| (id.as_str(), t))
    }

    pub(in crate::sandbox) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.all.values_mut().map(|(_, t)| t)
    }

    pub(in crate::sandbox) fn remove(&mut self, number: u32) -> Option<T> {
        let (id, thing) = self.all.remove(&number)?;
        // A newer thing may have the same id by now.
        if self.by_id.get(&id) == Some(&number) {
            self.by_id.remove(&id);
        }
        Some(thing)
    }

    /// Number, id and thing, oldest first.
    pub(in crate::sandbox) fn iter(&self) -> impl DoubleEndedIterator<Item = (u32, &str, &T)> {
        self.all.iter().map(|(n, (id, t))| (*n, id.as_str(), t))
    }

    pub(in crate::sandbox) fn clear(&mut self) {
        self.by_id.clear();
        self.all.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_go_makes_room_and_is_counted() {
        let mut shelf = Shelf::new(2);
        let busy = |t: &&str| t.starts_with("idle");
        shelf.insert("a".into(), "busy", busy);
        shelf.insert("b".into(), "idle", busy);
        assert_eq!(shelf.insert("c".into(), "busy", busy), 3);
        assert!(shelf.find("b").is_none() && shelf.find("a").is_some());
        shelf.insert("d".into(), "busy", busy);
        assert!(shelf.find("a").is_none(), "the oldest where none may go");
        assert_eq!((shelf.forgotten, shelf.iter().count()), (2, 2));
        assert_eq!(
            shelf.iter().map(|(n, id, _)| (n, id.to_owned())).collect::<Vec<_>>(),
            [(3, "c".into()), (4, "d".into())]
        );
    }
}
