//! All secrets that this program knows, their numbers, and what finds them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};

use super::encodings::{Form, SHORTEST, forms};
use super::needles::Needles;
use super::placeholder::{self, NOT_KEPT};
use crate::model::{Secret, SecretKind};

/// So many values are learnt from traffic. Beyond it they are still replaced where their shape shows, but not kept:
/// a server must not be able to fill the memory by sending tokens.
const MOST_SEEN: usize = 20_000;

/// A secret and how it is spoken of.
pub(super) struct Known {
    pub placeholder: String,
    pub value: Secret<String>,
    /// What is searched for; empty for a value that is only replaced where its shape shows.
    pub forms: Vec<Form>,
}

impl Known {
    pub fn new(kind: SecretKind, number: u32, value: &str, searched: bool) -> Self {
        Self {
            placeholder: placeholder::of(kind, number),
            value: Secret::from(value),
            forms: if searched { forms(value) } else { Vec::new() },
        }
    }
}

/// How a value became known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// This program said that it is a secret.
    Told,
    /// It had the shape of one in some traffic.
    Seen,
}

#[derive(Default)]
pub(super) struct Book {
    pages: Mutex<Pages>,
    sets: ArcSwap<Sets>,
}

#[derive(Default)]
struct Pages {
    /// By placeholder.
    known: HashMap<String, Arc<Known>>,
    /// Placeholders by hash of the value, so that no value is held outside of [`Secret`].
    index: HashMap<u64, Vec<String>>,
    hasher: RandomState,
    numbers: HashMap<SecretKind, u32>,
    seen: usize,
    /// What is searched for, in the order of learning.
    searched: Vec<Arc<Known>>,
    /// How many of these are in the settled set; the others are in the recent one.
    settled: usize,
}

/// What readers search with. Most values are in the settled set, the last few in a second one, so that learning one
/// more value does not build everything anew.
#[derive(Default)]
pub(super) struct Sets {
    pub settled: Arc<Needles>,
    pub recent: Needles,
}

impl Book {
    pub fn sets(&self) -> Guard<Arc<Sets>> {
        self.sets.load()
    }

    /// Enters values and gives what stands for each.
    pub fn enter<'a>(
        &self,
        origin: Origin,
        values: impl IntoIterator<Item = (SecretKind, &'a str)>,
    ) -> Vec<Arc<Known>> {
        let mut pages = self.pages();
        let before = pages.searched.len();
        let out = values.into_iter().map(|(kind, value)| pages.enter(origin, kind, value)).collect();
        if pages.searched.len() > before {
            self.sets.store(Arc::new(pages.build(&self.sets.load().settled)));
        }
        out
    }

    pub fn by_value(&self, value: &str) -> Option<Arc<Known>> {
        let pages = self.pages();
        pages.find(pages.hasher.hash_one(value), value).cloned()
    }

    pub fn by_placeholder(&self, placeholder: &str) -> Option<Arc<Known>> {
        self.pages().known.get(placeholder).cloned()
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn find(&self, hash: u64, value: &str) -> Option<&Arc<Known>> {
        self.index.get(&hash)?.iter().filter_map(|p| self.known.get(p)).find(|k| k.value.expose() == value)
    }

    fn enter(&mut self, origin: Origin, kind: SecretKind, value: &str) -> Arc<Known> {
        let hash = self.hasher.hash_one(value);
        let search = is_searchable(origin, value);
        if let Some(old) = self.find(hash, value).cloned() {
            if search && old.forms.is_empty() {
                let better = Known { forms: forms(value), placeholder: old.placeholder.clone(), value: value.into() };
                return self.keep(better);
            }
            return old;
        }
        if origin == Origin::Seen {
            if self.seen == MOST_SEEN {
                return Arc::new(Known::new(kind, NOT_KEPT, value, false));
            }
            self.seen += 1;
        }
        let number = self.numbers.entry(kind).or_default();
        *number += 1;
        let known = Known::new(kind, *number, value, search);
        self.index.entry(hash).or_default().push(known.placeholder.clone());
        self.keep(known)
    }

    fn keep(&mut self, known: Known) -> Arc<Known> {
        let known = Arc::new(known);
        self.known.insert(known.placeholder.clone(), known.clone());
        if !known.forms.is_empty() {
            self.searched.push(known.clone());
        }
        known
    }

    /// The recent set may grow to the square root of the settled one: that keeps the cost of both low.
    fn build(&mut self, settled: &Arc<Needles>) -> Sets {
        let recent = self.searched.len() - self.settled;
        if recent > 16.max(self.settled.isqrt()) || self.searched.len() <= 64 {
            self.settled = self.searched.len();
            return Sets { settled: Arc::new(Needles::new(&self.searched)), recent: Needles::default() };
        }
        Sets { settled: settled.clone(), recent: Needles::new(&self.searched[self.settled..]) }
    }
}

/// Whether a value is looked for everywhere, or only replaced where its shape shows. Short values are not, nor are
/// plain words and numbers that stood in the place of a secret in some traffic (`"token":"string"`): a server could
/// make the words of the protocol vanish with them.
fn is_searchable(origin: Origin, value: &str) -> bool {
    let plain = (value.len() < 24 && value.bytes().all(|b| b.is_ascii_alphabetic()))
        || (value.len() < 12 && value.bytes().all(|b| b.is_ascii_digit()));
    let holds_placeholder = placeholder::touches(value.as_bytes(), 0, value.len());
    value.len() >= SHORTEST && !holds_placeholder && !(origin == Origin::Seen && plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(book: &Book, origin: Origin, value: &str) -> Arc<Known> {
        book.enter(origin, [(SecretKind::Other, value)]).remove(0)
    }

    #[test]
    fn a_value_has_one_placeholder_whoever_learns_it_first() {
        let book = Book::default();
        let first = enter(&book, Origin::Seen, "value-0001");
        assert_eq!(first.placeholder, "[secret#1]");
        assert_eq!(book.enter(Origin::Told, [(SecretKind::Jwt, "value-0001")])[0].placeholder, "[secret#1]");
        assert_eq!(enter(&book, Origin::Told, "value-0002").placeholder, "[secret#2]");
        assert_eq!(book.enter(Origin::Told, [(SecretKind::Jwt, "value-0003")])[0].placeholder, "[jwt#1]");
    }

    #[test]
    fn a_plain_word_is_searched_for_once_it_was_told() {
        let book = Book::default();
        assert!(enter(&book, Origin::Seen, "SessionResponse").forms.is_empty());
        let told = enter(&book, Origin::Told, "SessionResponse");
        assert_eq!((told.placeholder.as_str(), told.forms.is_empty()), ("[secret#1]", false));
        assert!(!book.by_value("SessionResponse").unwrap().forms.is_empty());
        assert!(enter(&book, Origin::Told, "short").forms.is_empty());
    }

    #[test]
    fn thousands_of_values_are_all_found() {
        let book = Book::default();
        for n in 0..3000 {
            enter(&book, Origin::Told, &format!("{n:04}-secret"));
        }
        let sets = book.sets();
        let mut found = [0, 0];
        for n in 0..3000 {
            let text = format!("{n:04}-secret");
            for (set, count) in [&*sets.settled, &sets.recent].into_iter().zip(&mut found) {
                set.each(text.as_bytes(), |_, known, _| *count += usize::from(*known.value.expose() == text));
            }
        }
        assert_eq!(found[0] + found[1], 3000);
        assert!(found[1] > 0);
    }

    #[test]
    fn traffic_cannot_fill_the_memory() {
        let book = Book::default();
        let values: Vec<String> = (0..MOST_SEEN + 10).map(|n| format!("{n}")).collect();
        let out = book.enter(Origin::Seen, values.iter().map(|v| (SecretKind::Jwt, v.as_str())));
        assert_eq!(out.last().unwrap().placeholder, "[jwt#0]");
        assert!(book.by_value(values.last().unwrap()).is_none());
        // What the program itself says is always learnt.
        assert_ne!(enter(&book, Origin::Told, "told-by-us-1").placeholder, "[secret#0]");
    }
}
