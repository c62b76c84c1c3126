//! The search for known values, whatever their number.
//!
//! Each form of a value is found by its first [`HEAD`] bytes, and those by a sample: of every text that holds them, one
//! piece of [`PIECE`] bytes at a multiple of [`STEP`] lies wholly within them. So only every third place of a payload
//! is looked at, and most places are ruled out by one bit. Only heads lie in memory that is not wiped.

use std::sync::Arc;

use super::book::Known;
use super::encodings::{Form, SHORTEST};

/// Bytes of a form that are looked up before the rest is compared.
const HEAD: usize = SHORTEST;
/// Bytes of a sample.
const PIECE: usize = 4;
/// Bytes from one sample to the next.
const STEP: usize = HEAD - PIECE + 1;

#[derive(Default)]
pub(super) struct Needles {
    /// A bit for each piece that a head has at its first [`STEP`] places, by hash. A power of two of words.
    pieces: Vec<u64>,
    /// Sorted, with the range of each in `all`.
    heads: Vec<([u8; HEAD], usize, usize)>,
    /// All forms, sorted by their bytes.
    all: Vec<Needle>,
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

impl Needles {
    pub fn new(known: &[Arc<Known>]) -> Self {
        let mut all: Vec<Needle> = known
            .iter()
            .flat_map(|k| (0..k.forms.len()).map(|form| Needle { known: k.clone(), form, shorter: None }))
            .collect();
        all.sort_by(|a, b| a.bytes().cmp(b.bytes()));
        all.dedup_by(|b, a| a.bytes() == b.bytes());
        link(&mut all);

        let mut heads: Vec<([u8; HEAD], usize, usize)> = Vec::new();
        for (i, needle) in all.iter().enumerate() {
            let Some(head) = needle.bytes().first_chunk::<HEAD>() else { continue };
            match heads.last_mut() {
                Some((last, _, end)) if last == head => *end = i + 1,
                _ => heads.push((*head, i, i + 1)),
            }
        }
        // Sparse, so that few places are looked at in vain, and within reach of a processor's cache.
        let words = (8 * heads.len()).next_power_of_two().clamp(64, 1 << 15);
        let mut needles = Self { pieces: vec![0; words], heads, all };
        for i in 0..needles.heads.len() {
            for piece in needles.heads[i].0.windows(PIECE) {
                let (word, bit) = needles.place(piece);
                needles.pieces[word] |= bit;
            }
        }
        needles
    }

    /// The word and bit of a piece.
    fn place(&self, piece: &[u8]) -> (usize, u64) {
        let number = piece.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
        // The upper half of the product depends on all four bytes.
        let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        ((hash >> 6) as usize & (self.pieces.len() - 1), 1 << (hash & 63))
    }

    /// Calls `found` with each place where a known form begins, and the longest form that does.
    pub fn each(&self, text: &[u8], mut found: impl FnMut(usize, &Arc<Known>, &Form)) {
        if self.heads.is_empty() {
            return;
        }
        for at in (0..text.len().saturating_sub(PIECE - 1)).step_by(STEP) {
            let (word, bit) = self.place(&text[at..at + PIECE]);
            if self.pieces[word] & bit == 0 {
                continue;
            }
            for start in at.saturating_sub(STEP - 1)..=at {
                if let Some((known, form)) = self.longest(&text[start..]) {
                    found(start, known, form);
                }
            }
        }
    }

    /// The longest known form that `text` begins with.
    fn longest(&self, text: &[u8]) -> Option<(&Arc<Known>, &Form)> {
        let head = text.first_chunk::<HEAD>()?;
        let i = self.heads.binary_search_by_key(head, |(head, ..)| *head).ok()?;
        let (_, first, last) = self.heads[i];
        // Whatever `text` begins with also begins the greatest needle that is not greater than `text`.
        let below = self.all[first..last].partition_point(|n| n.bytes() <= text);
        let mut next = below.checked_sub(1).map(|i| first + i);
        while let Some(needle) = next.map(|i| &self.all[i]) {
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
    use proptest::prelude::*;

    use super::*;
    use crate::model::SecretKind;

    fn needles<S: AsRef<str>>(values: &[S]) -> Needles {
        let known = values.iter().zip(1..).map(|(v, n)| Arc::new(Known::new(SecretKind::Other, n, v.as_ref(), true)));
        Needles::new(&known.collect::<Vec<_>>())
    }

    fn all(needles: &Needles, text: &str) -> Vec<(usize, String)> {
        let mut out = Vec::new();
        needles.each(text.as_bytes(), |at, known, _| out.push((at, known.value.expose().clone())));
        out
    }

    #[test]
    fn the_longest_of_nested_values_is_found() {
        let needles = needles(&["abcdef", "abcdefgh", "abcdefghij", "abcdefzz"]);
        assert_eq!(all(&needles, "abcdefgzz"), [(0, "abcdef".into())]);
        assert_eq!(all(&needles, "abcdefghix"), [(0, "abcdefgh".into())]);
        assert_eq!(all(&needles, "-abcdefghij-abcdefzz"), [(1, "abcdefghij".into()), (12, "abcdefzz".into())]);
        assert_eq!(all(&needles, "abcde"), []);
        assert_eq!(all(&Needles::new(&[]), "abcdef"), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_is_missed_at_any_place(values in proptest::collection::vec("[ab]{6,9}", 1..6), text in "[abc]{0,40}") {
            let plain: Vec<(usize, String)> = (0..text.len())
                .filter_map(|at| {
                    let here = values.iter().filter(|v| text[at..].starts_with(v.as_str()));
                    Some((at, here.max_by_key(|v| v.len())?.clone()))
                })
                .collect();
            prop_assert_eq!(all(&needles(&values), &text), plain);
        }
    }
}
