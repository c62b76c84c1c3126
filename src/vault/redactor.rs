//! The door of the log: nothing is stored, shown in an error or copied before it went through here.
//!
//! Two things are replaced by placeholders: values that are known, in every encoding, and values that betray
//! themselves by their shape or by the name before them. The latter become known at once. What is one secret has one
//! placeholder for as long as the program runs, so that flows stay readable.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use memchr::memchr;
use zeroize::Zeroizing;

use super::book::{Book, Origin};
use super::placeholder;
use super::sweep::{Keep, sweep};
use crate::model::{Draft, Flags, Report, Secret, SecretKind};

/// Replaces secrets by placeholders. Shared by all that write records; cheap to clone.
///
/// Works on text, JSON and bytes alike: JSON stays JSON, and scrubbing twice is scrubbing once. A number in JSON is
/// never a secret, nor is a name of this program's own in the head of a record.
#[derive(Clone, Default)]
pub struct Redactor {
    book: Arc<Book>,
}

impl Redactor {
    /// Makes a value known. From now on it is replaced in every encoding that it may appear in: plain, percent- and
    /// JSON-escaped (in any mixture), base64 at any place of a longer text.
    ///
    /// Gives its placeholder, e.g. `[session-token#1]`; the same value always has the same one. A value of less than
    /// six bytes gets a placeholder too, but is replaced only where its name stands before it (`password=abc`):
    /// else a word like "a" would vanish from everything.
    pub fn learn(&self, kind: SecretKind, value: &str) -> String {
        if value.is_empty() {
            return String::new();
        }
        self.book.enter(Origin::Told, [(kind, value)]).iter().map(|known| known.placeholder.as_str()).collect()
    }

    /// Redacts head and body of a draft, and sets [`Flags::REDACTED`] where something was replaced. `size` stays the
    /// length of the payload as it was.
    pub fn scrub(&self, mut draft: Draft) -> Draft {
        if !draft.head.is_empty()
            && let Some(head) = sweep(&self.book, draft.head.as_bytes(), Keep::Head)
        {
            draft.head = text_of(head);
            draft.flags = draft.flags.with(Flags::REDACTED);
        }
        if let Some(body) = sweep(&self.book, &draft.body, Keep::Form) {
            draft.body = Bytes::from(body);
            draft.flags = draft.flags.with(Flags::REDACTED);
        }
        draft
    }

    /// Redacts text that is not a record: error texts, names, addresses, clipboard.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        sweep(&self.book, text.as_bytes(), Keep::Form).map_or(Cow::Borrowed(text), |out| Cow::Owned(text_of(out)))
    }

    /// Redacts a payload, without a copy where nothing is found.
    pub fn bytes(&self, bytes: Bytes) -> Bytes {
        sweep(&self.book, &bytes, Keep::Form).map_or(bytes, Bytes::from)
    }

    /// Redacts every text of a report, for reports that do not become records.
    pub fn report(&self, mut report: Report) -> Report {
        let texts = [&mut report.title, &mut report.what].into_iter();
        for text in texts.chain(&mut report.remedies).chain(&mut report.details) {
            if let Cow::Owned(clean) = self.text(text) {
                *text = clean;
            }
        }
        report
    }

    /// The value behind a placeholder, as long as this program runs. An explicit act of the user.
    pub fn reveal(&self, placeholder: &str) -> Option<Secret<String>> {
        self.book.by_placeholder(placeholder).map(|known| known.value.clone())
    }

    /// Text with every placeholder replaced by its value. An explicit act of the user. The values are put in as they
    /// are, without escapes.
    pub fn reveal_all(&self, text: &str) -> Secret<String> {
        // Grown once: what is wiped later shall not lie in buffers that were left behind.
        let pieces = self.pieces(text);
        let mut out = String::with_capacity(pieces.iter().map(|p| p.len()).sum());
        pieces.iter().for_each(|piece| out.push_str(piece));
        Secret::new(out)
    }

    fn pieces(&self, text: &str) -> Vec<Zeroizing<String>> {
        let (mut out, mut rest) = (Vec::new(), text);
        while let Some(at) = memchr(b'[', rest.as_bytes()) {
            out.push(Zeroizing::new(rest[..at].to_owned()));
            let len = placeholder::len_at(&rest.as_bytes()[at..]).max(1);
            let word = &rest[at..at + len];
            let known = self.book.by_placeholder(word);
            out.push(Zeroizing::new(known.map_or_else(|| word.to_owned(), |k| k.value.expose().clone())));
            rest = &rest[at + len..];
        }
        out.push(Zeroizing::new(rest.to_owned()));
        out
    }

    /// The placeholder of a value that is known.
    pub fn placeholder(&self, value: &str) -> Option<String> {
        self.book.by_value(value).map(|known| known.placeholder.clone())
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(…)")
    }
}

/// What was text stays text: spans begin and end between characters.
fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

#[cfg(test)]
mod private_keys;
#[cfg(test)]
mod tests;
