//! Private keys in PEM and what is written like it: `-----BEGIN … PRIVATE KEY-----`, base64, an END line.

use zeroize::Zeroizing;

use super::placeholder::len_at;
use super::views::{undo, unescape, unpercent};

/// What stands at the middle of the first line; see [`private_key`].
pub(super) const WORD: &[u8] = b"PRIVATE";

const DASHES: &[u8] = b"-----";
/// A run of base64 that is long enough to be worth something. Words of a sentence are shorter.
const MATERIAL: usize = 24;
/// JSON in JSON in JSON: its line breaks are escaped so many times.
const MOST_ESCAPED: usize = 4;

/// The block around the [`WORD`] at `at`, from its first dash to its last. Where it is cut off, to the end of what
/// belongs to it; where it holds nothing like a key, none.
///
/// Line breaks may be escaped, as in JSON or in a form.
pub(super) fn private_key(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let start = begins(text, at)?;
    let body = line_ends(text, at + WORD.len())?;
    let (end, is_whole) = body_ends(text, body);
    if is_whole {
        let material = text[body..end].split(|b| !is_material(*b)).any(|run| run.len() >= MATERIAL);
        return material.then_some((start, end));
    }
    cut_off(text, body).map(|end| (start, end))
}

/// A block without its escapes, where it has any; base64 itself has none.
pub(super) fn plain(block: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Zeroizing<Vec<u8>>> = None;
    for _ in 0..MOST_ESCAPED {
        let now = out.as_ref().map_or(block, |o| o.as_slice());
        match undo(unescape, now).or_else(|| undo(unpercent, now)) {
            Some(next) => out = Some(Zeroizing::new(next)),
            None => break,
        }
    }
    out.map(|mut o| std::mem::take(&mut *o))
}

/// Where the dashes before `BEGIN … PRIVATE` are.
fn begins(text: &[u8], at: usize) -> Option<usize> {
    let is_label = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b" +".contains(&b);
    let label = text[..at].iter().rev().take(40).take_while(|b| is_label(**b)).count();
    let (before, label) = text[..at].split_at(at - label);
    let begins = label.strip_prefix(b"BEGIN")?.first().is_some_and(|b| is_blank(*b));
    (begins && before.ends_with(DASHES)).then(|| before.len() - DASHES.len())
}

/// Where ` KEY-----` ends.
fn line_ends(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let (blank, rest) = rest.split_first()?;
    let rest = rest.strip_prefix(b"KEY")?;
    // PGP.
    let rest = match rest.split_first() {
        Some((b, block)) if is_blank(*b) => block.strip_prefix(b"BLOCK")?,
        _ => rest,
    };
    let rest = rest.strip_prefix(DASHES)?;
    is_blank(*blank).then(|| text.len() - rest.len())
}

/// Where the END line ends, and true; else where something stands that belongs to no key.
fn body_ends(text: &[u8], body: usize) -> (usize, bool) {
    let mut at = body;
    while let Some(&b) = text.get(at) {
        if text[at..].starts_with(DASHES) {
            let label = at + DASHES.len();
            let len = text[label..].iter().take(40).take_while(|b| **b != b'-').count();
            let close = label + len;
            let is_end = text[label..close].starts_with(b"END") && text[close..].starts_with(DASHES);
            return if is_end { (close + DASHES.len(), true) } else { (at, false) };
        }
        match len_at(&text[at..]) {
            0 if is_material(b) || b.is_ascii_whitespace() || b":,-.()".contains(&b) => at += 1,
            0 => return (at, false),
            placeholder => at += placeholder,
        }
    }
    (at, false)
}

/// Where the last long run of base64 ends, if one begins here.
fn cut_off(text: &[u8], body: usize) -> Option<usize> {
    let mut end = body;
    loop {
        let from = end + text[end..].iter().take_while(|b| b.is_ascii_whitespace()).count();
        let run = text[from..].iter().take_while(|b| is_material(**b)).count();
        if run < MATERIAL {
            return (end > body).then_some(end);
        }
        end = from + run;
    }
}

/// Base64, and escapes of JSON and of forms.
fn is_material(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"+/=\\%".contains(&b)
}

/// In forms a blank is a plus.
fn is_blank(b: u8) -> bool {
    b == b' ' || b == b'+'
}
