//! One search for all known values and all triggers of shapes.
//!
//! The automaton knows only the first [`HEAD`] bytes of each form; the rest is compared where one is found. That keeps
//! it small with thousands of secrets, whatever their length, and keeps whole secrets out of memory that is not wiped.

use std::sync::Arc;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use super::book::Known;
use super::encodings::{Form, SHORTEST};
use super::shapes::Trigger;

/// Bytes of a form that the automaton sees. No trigger is longer.
const HEAD: usize = SHORTEST;

pub(super) struct Automaton {
    search: Option<AhoCorasick>,
    /// What to do where the pattern of the same number is found.
    entries: Vec<Entry>,
    /// All forms, sorted by their bytes.
    needles: Vec<Needle>,
}

/// What begins with the bytes of one pattern.
struct Entry {
    pattern: Vec<u8>,
    triggers: Vec<Trigger>,
    /// Range in `needles`.
    first: usize,
    last: usize,
}

struct Needle {
    known: Arc<Known>,
    form: usize,
    /// The longest other needle that this one begins with.
    shorter: Option<usize>,
}

impl Needle {
    fn form(&self) -> &Form {
        &self.known.forms[self.form]
    }

    fn bytes(&self) -> &[u8] {
        self.form().bytes.expose()
    }
}

/// Where a pattern was found.
pub(super) struct Hit<'a> {
    pub start: usize,
    pub triggers: &'a [Trigger],
    entry: &'a Entry,
}

impl Automaton {
    pub fn new(known: &[Arc<Known>], triggers: &[Trigger]) -> Self {
        let mut needles: Vec<Needle> = known
            .iter()
            .flat_map(|k| (0..k.forms.len()).map(|form| Needle { known: k.clone(), form, shorter: None }))
            .collect();
        needles.sort_by(|a, b| a.bytes().cmp(b.bytes()));
        needles.dedup_by(|b, a| a.bytes() == b.bytes());
        link(&mut needles);

        let mut entries: Vec<Entry> = Vec::new();
        for (i, needle) in needles.iter().enumerate() {
            let head = &needle.bytes()[..HEAD];
            match entries.last_mut() {
                Some(entry) if entry.pattern == head => entry.last = i + 1,
                _ => entries.push(Entry { pattern: head.to_vec(), triggers: Vec::new(), first: i, last: i + 1 }),
            }
        }
        for t in triggers {
            if !entries.iter().any(|e| e.pattern == t.literal()) {
                entries.push(Entry { pattern: t.literal().to_vec(), triggers: Vec::new(), first: 0, last: 0 });
            }
        }
        // The longest pattern is reported, so it carries the triggers that it begins with.
        for entry in &mut entries {
            entry.triggers = triggers.iter().copied().filter(|t| entry.pattern.starts_with(t.literal())).collect();
        }
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(entries.iter().map(|e| &e.pattern))
            .ok();
        Self { search, entries, needles }
    }

    /// The next hit at or after `from`.
    pub fn find(&self, text: &[u8], from: usize) -> Option<Hit<'_>> {
        let (start, entry) = match &self.search {
            Some(search) => {
                let found = search.find(Input::new(text).range(from..))?;
                (found.start(), &self.entries[found.pattern().as_usize()])
            }
            // Too many patterns for one automaton. Slow, and nothing slips through.
            None => self
                .entries
                .iter()
                .filter_map(|e| Some((from + memchr::memmem::find(&text[from..], &e.pattern)?, e)))
                .min_by_key(|(start, e)| (*start, usize::MAX - e.pattern.len()))?,
        };
        Some(Hit { start, triggers: &entry.triggers, entry })
    }

    /// The longest known form that `text` begins with, where `hit` is a hit at its start.
    pub fn longest(&self, hit: &Hit<'_>, text: &[u8]) -> Option<(&Arc<Known>, &Form)> {
        let range = &self.needles[hit.entry.first..hit.entry.last];
        // Whatever `text` begins with also begins the greatest needle that is not greater than `text`.
        let below = range.partition_point(|n| n.bytes() <= text);
        let mut next = below.checked_sub(1).map(|i| hit.entry.first + i);
        while let Some(needle) = next.map(|i| &self.needles[i]) {
            if text.starts_with(needle.bytes()) {
                return Some((&needle.known, needle.form()));
            }
            next = needle.shorter;
        }
        None
    }
}

/// Finds for each needle the longest other one that it begins with. The needles are sorted.
fn link(needles: &mut [Needle]) {
    let mut path: Vec<usize> = Vec::new();
    for i in 0..needles.len() {
        while path.last().is_some_and(|p| !needles[i].bytes().starts_with(needles[*p].bytes())) {
            path.pop();
        }
        needles[i].shorter = path.last().copied();
        path.push(i);
    }
}

#[cfg(test)]
mod tests {
    use super::super::shapes::TRIGGERS;
    use super::*;
    use crate::model::SecretKind;

    fn known(values: &[&str]) -> Vec<Arc<Known>> {
        values.iter().zip(1..).map(|(v, n)| Arc::new(Known::new(SecretKind::Other, n, v, true))).collect()
    }

    fn all<'a>(automaton: &'a Automaton, text: &str) -> Vec<&'a str> {
        let (mut out, mut at) = (Vec::new(), 0);
        while let Some(hit) = automaton.find(text.as_bytes(), at) {
            if let Some((k, _)) = automaton.longest(&hit, &text.as_bytes()[hit.start..]) {
                out.push(k.value.expose().as_str());
            }
            at = hit.start + 1;
        }
        out
    }

    #[test]
    fn the_longest_of_nested_values_is_found() {
        let values = known(&["abcdef", "abcdefgh", "abcdefghij", "abcdefzz", "token-1234"]);
        let mut automaton = Automaton::new(&values, &TRIGGERS);
        for _ in 0..2 {
            assert_eq!(all(&automaton, "abcdefgzz"), ["abcdef"]);
            assert_eq!(all(&automaton, "abcdefghix"), ["abcdefgh"]);
            assert_eq!(all(&automaton, "-abcdefghij-abcdefzz"), ["abcdefghij", "abcdefzz"]);
            assert_eq!(all(&automaton, "abcde token-1234"), ["token-1234"]);
            // The same without the automaton.
            automaton.search = None;
        }
    }

    #[test]
    fn triggers_are_reported_where_a_known_value_only_begins_alike() {
        let values = known(&["eyJhbGciOi-known", "://secret-host"]);
        let automaton = Automaton::new(&values, &TRIGGERS);
        for text in ["eyJhbGciOi-other", "://secret-other"] {
            let hit = automaton.find(text.as_bytes(), 0).unwrap();
            assert!(automaton.longest(&hit, text.as_bytes()).is_none());
            assert_eq!(hit.triggers.len(), 1, "{text}");
        }
    }

    #[test]
    fn no_trigger_is_longer_than_what_the_automaton_sees() {
        assert!(TRIGGERS.iter().all(|t| t.literal().len() <= HEAD));
    }
}
