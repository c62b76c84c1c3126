//! Decoded views of a payload: JSON escapes undone, percent escapes undone, and both in turn.
//!
//! Secrets are looked for in each view and what is found is mapped back to the bytes as they came, whole escapes at a
//! time. So it does not matter which characters a writer chose to escape, nor how often.

use memchr::memchr;

/// Escapes within escapes are followed this deep.
const DEEPEST: usize = 3;

/// A text and how it came from its parent, the text before decoding. The payload itself has no parent.
pub(super) struct View<'a> {
    pub text: &'a [u8],
    parent: Option<(&'a View<'a>, &'a [Escape])>,
}

/// An escape that was undone.
#[derive(Clone, Copy)]
pub(super) struct Escape {
    /// Place and length of what it means, in the decoded text.
    at: usize,
    means: usize,
    /// Place and length of the escape, in the parent.
    from: usize,
    len: usize,
}

impl<'a> View<'a> {
    pub fn of(text: &'a [u8]) -> Self {
        Self { text, parent: None }
    }

    pub fn is_decoded(&self) -> bool {
        self.parent.is_some()
    }

    /// The bytes of the payload that `start..end` stands for.
    pub fn origin(&self, start: usize, end: usize) -> (usize, usize) {
        let Some((parent, escapes)) = self.parent else { return (start, end) };
        let first = match before(escapes, start + 1) {
            None => start,
            Some(e) if start < e.at + e.means => e.from,
            Some(e) => e.from + e.len + (start - e.at - e.means),
        };
        let last = match before(escapes, end) {
            None => end,
            Some(e) if end <= e.at + e.means => e.from + e.len,
            Some(e) => e.from + e.len + (end - e.at - e.means),
        };
        parent.origin(first, last)
    }

    /// How many bytes of the payload stand for the one at `at`: 1 for a plain one.
    pub fn weight(&self, at: usize) -> usize {
        let (start, end) = self.origin(at, at + 1);
        end - start
    }

    /// Calls `look` with this view and every view that can be decoded from it.
    pub fn each(&self, look: &mut dyn FnMut(&View<'_>)) {
        self.descend(0, look);
    }

    fn descend(&self, depth: usize, look: &mut dyn FnMut(&View<'_>)) {
        look(self);
        if depth == DEEPEST {
            return;
        }
        for decode in [unescape, unpercent] {
            let (text, escapes) = decode(self.text);
            if !escapes.is_empty() {
                View { text: &text, parent: Some((self, &escapes)) }.descend(depth + 1, look);
            }
        }
    }
}

/// Widens `start..end` so that it cuts no escape in two.
pub(super) fn widen(escapes: &[Escape], start: usize, end: usize) -> (usize, usize) {
    let around = |at: usize| {
        let last = escapes[..escapes.partition_point(|e| e.from < at)].last();
        last.filter(|e| at < e.from + e.len)
    };
    (around(start).map_or(start, |e| e.from), around(end).map_or(end, |e| e.from + e.len))
}

/// The last escape that starts before `at`.
fn before(escapes: &[Escape], at: usize) -> Option<&Escape> {
    escapes[..escapes.partition_point(|e| e.at < at)].last()
}

/// The text without the escapes that `decode` knows; none where it has none.
pub(super) fn undo(decode: impl Fn(&[u8]) -> (Vec<u8>, Vec<Escape>), text: &[u8]) -> Option<Vec<u8>> {
    let (out, escapes) = decode(text);
    (!escapes.is_empty()).then_some(out)
}

/// Undoes JSON escapes; gives nothing of use where there are none. What is no escape stays as it is.
pub(super) fn unescape(text: &[u8]) -> (Vec<u8>, Vec<Escape>) {
    decode(text, b'\\', json_escape)
}

/// Undoes percent escapes, likewise.
pub(super) fn unpercent(text: &[u8]) -> (Vec<u8>, Vec<Escape>) {
    decode(text, b'%', |text, out| match text {
        [_, high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            out.push((hex(&text[1..3]).unwrap_or_default() & 0xff) as u8);
            3
        }
        _ => 0,
    })
}

/// `undo` gets the text from a mark on, appends what the escape means and gives its length, zero for no escape.
fn decode(text: &[u8], mark: u8, undo: impl Fn(&[u8], &mut Vec<u8>) -> usize) -> (Vec<u8>, Vec<Escape>) {
    let (mut out, mut escapes, mut copied) = (Vec::new(), Vec::new(), 0);
    let mut from = memchr(mark, text);
    while let Some(start) = from {
        out.extend_from_slice(&text[copied..start]);
        let at = out.len();
        let len = undo(&text[start..], &mut out);
        if len == 0 {
            out.push(mark);
        } else {
            escapes.push(Escape { at, means: out.len() - at, from: start, len });
        }
        copied = start + len.max(1);
        from = memchr(mark, &text[copied..]).map(|n| copied + n);
    }
    if !escapes.is_empty() {
        out.extend_from_slice(&text[copied..]);
    }
    (out, escapes)
}

fn json_escape(text: &[u8], out: &mut Vec<u8>) -> usize {
    let plain = match text.get(1) {
        Some(c @ (b'"' | b'\\' | b'/')) => *c,
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'u') => return unicode_escape(text, out),
        _ => return 0,
    };
    out.push(plain);
    2
}

fn unicode_escape(text: &[u8], out: &mut Vec<u8>) -> usize {
    let Some(first) = text.get(2..6).and_then(hex) else { return 0 };
    let second = match text.get(6..12) {
        Some([b'\\', b'u', low @ ..]) => hex(low),
        _ => None,
    };
    let (code, len) = match (first, second) {
        (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => (0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00), 12),
        _ => (first, 6),
    };
    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    len
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |n, d| Some(n * 16 + char::from(*d).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of the payload behind the first `needle` in any view.
    fn find<'a>(payload: &'a str, needle: &str) -> Option<&'a str> {
        let mut found = None;
        View::of(payload.as_bytes()).each(&mut |view| {
            if let Some(at) = memchr::memmem::find(view.text, needle.as_bytes()) {
                found.get_or_insert(view.origin(at, at + needle.len()));
            }
        });
        found.map(|(start, end)| &payload[start..end])
    }

    #[test]
    fn escapes_map_back_as_a_whole() {
        assert_eq!(find(r#"x\u0061b\/c\"y"#, "ab/c\""), Some(r#"\u0061b\/c\""#));
        assert_eq!(find("q=a%2fb%2Fc&d", "a/b/c"), Some("a%2fb%2Fc"));
        assert_eq!(find(r"\ud83d\ude00!", "😀"), Some(r"\ud83d\ude00"));
    }

    #[test]
    fn escapes_within_escapes_are_followed() {
        assert_eq!(find(r#"{"a":"{\"b\":\"c\\\"d\"}"}"#, "c\"d"), Some(r#"c\\\"d"#));
        assert_eq!(find(r"u=a\u002520b", "a b"), Some(r"a\u002520b"));
        assert_eq!(find("a%252520b", "a b"), Some("a%252520b"));
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        for text in [r"\", r"\u12", r"\x41", "%", "%4", "%zz", r"100% \q"] {
            let mut views = 0;
            View::of(text.as_bytes()).each(&mut |_| views += 1);
            assert_eq!(views, 1, "{text}");
        }
        assert_eq!(find(r"\ud800x", "\u{fffd}x"), Some(r"\ud800x"));
    }

    #[test]
    fn a_cut_within_an_escape_is_widened() {
        let (_, escapes) = unescape(br"ab\ncd\u0041ef");
        assert_eq!(widen(&escapes, 3, 9), (2, 12));
        assert_eq!(widen(&escapes, 0, 2), (0, 2));
        assert_eq!(widen(&escapes, 4, 6), (4, 6));
    }
}
