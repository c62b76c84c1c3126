//! The filter language of the record table.
//!
//! | you type | it shows records… |
//! |---|---|
//! | `hello` | with this text in the payload or in the head (URL, headers, report), in any case |
//! | `hello world` | with both |
//! | `"hello world"` | with this text; `\"` for a quotation mark, `\\` for a backslash |
//! | `/qty":\d+/` | that match the regular expression, in any case; `\/` for a slash |
//! | `-hello`, `-kind:ping` | without it |
//! | `hello or world` | with either; binds less than the blank |
//! | `(a or b) c` | parentheses group |
//! | `kind:text` | of a kind: request, response, http-failed, opening, open, refused, text, binary, ping, pong, close, lost, session, state, expiry, delivery, fault, skew, note, mark, left-out |
//! | `lane:socket` | of a lane: http, socket, lifecycle |
//! | `dir:sent` | of a direction: sent, received, local |
//! | `session:2`, `conn:1`, `seq:100-200` | of a session, a connection, a place in the log |
//! | `code:4011`, `code:400-499`, `code:>=400` | with an HTTP status, a close code, or a `code` in a frame |
//! | `size:>1000` | with a payload of so many bytes |
//! | `flag:malformed` | marked: malformed, unknown, fault, heartbeat, typing, redacted, cut, left-out |
//! | `after:12:30:05`, `before:2026-11-20T12:30:05Z` | from an instant on, or before it: a local time of day (of any day) or RFC 3339 |
//! | `class:SessionResponse` | whose JSON payload has this `class` |
//! | `action:onMessage` | whose JSON payload has this `action` |
//! | `url:/api/v2/` | whose URL contains it |
//! | `marked` | that you have marked |
//!
//! `kind:`, `lane:`, `dir:` and `flag:` take several words: `kind:text,close`. Words after a field may be quoted:
//! `class:"a b"`. Case never matters.

mod json;
mod matching;
mod parse;
mod text;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use matching::Node;
pub use matching::{Columns, Raw};

use super::index::RowSet;
use crate::model::Record;

/// The filter language in short, for the window: what one types, and what it shows.
pub const HELP: &[(&str, &str)] = &[
    ("hello world", "both words, in payload, URL, headers or reports"),
    ("\"hello world\"", "this very text"),
    ("/qty\":\\d+/", "a regular expression"),
    ("-hello", "without it; works before every term"),
    ("a or b", "either; ( ) group"),
    (
        "kind:text,close",
        "kind: request response http-failed opening open refused text binary ping pong close lost session state expiry delivery fault skew note mark left-out",
    ),
    ("lane:socket", "lane: http socket lifecycle"),
    ("dir:sent", "direction: sent received local"),
    ("session:2  conn:1", "of a session or connection"),
    ("seq:100-200", "by place in the log"),
    ("code:4011  code:>=400", "HTTP status, close code, or code in a frame; also 400-499"),
    ("size:>1000", "bytes of the payload"),
    ("flag:malformed", "flag: malformed unknown fault heartbeat typing redacted cut left-out"),
    ("after:12:30:05", "from a local time of day, or RFC 3339, on; before: the other way"),
    ("class:SessionResponse", "JSON member class"),
    ("action:onMessage", "JSON member action"),
    ("url:/api/v2/", "part of the URL"),
    ("marked", "what you have marked"),
];

/// A parsed filter. Cheap to clone; equal to another where the text is the same.
#[derive(Clone, Default)]
pub struct Filter {
    text: String,
    root: Option<Arc<Node>>,
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Filter").field(&self.text).finish()
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Where a filter could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} (at character {at})")]
pub struct FilterError {
    /// Character, from 1.
    pub at: usize,
    pub what: String,
}

impl Filter {
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let text = text.trim_end();
        Ok(Self { text: text.to_owned(), root: parse::parse(text)?.map(Arc::new) })
    }

    /// True where it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// What was parsed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True where it lets a record through. `marked` are the records that the user has marked.
    pub fn matches(&self, record: &Record, marked: &RowSet) -> bool {
        self.matches_raw(&Raw::of(record), marked)
    }

    /// The columns that it needs to see.
    pub(super) fn columns(&self) -> Columns {
        self.root.as_ref().map_or_else(Columns::default, |n| n.columns())
    }

    pub(super) fn matches_raw(&self, raw: &Raw<'_>, marked: &RowSet) -> bool {
        self.root.as_ref().is_none_or(|n| n.matches(raw, marked))
    }
}
