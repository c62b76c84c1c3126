//! One payload through the door: find secrets in all views of it, put placeholders in their place.

use std::cell::OnceCell;
use std::sync::Arc;

use memchr::memchr_iter;

use super::book::{Book, Known, Origin};
use super::needles::Needles;
use super::placeholder;
use super::shape::Shape;
use super::shapes::shapes;
use super::views::{Escape, View, unescape, widen};
use crate::model::{Secret, SecretKind};

/// Longer payloads that are not text are looked at as they are, without decoded views.
const LONG: usize = 64 * 1024;

/// A pass may bring something to light that the next one replaces. More passes than this are not made: each follows
/// from a value that ends where another one began.
const MOST_PASSES: usize = 16;

/// What a payload must still be afterwards.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// JSON where it is JSON now.
    Form,
    /// The head of a record: JSON whose member names are this program's own.
    Head,
}

/// The payload without its secrets; none where it holds none.
pub(super) fn sweep(book: &Book, payload: &[u8], keep: Keep) -> Option<Vec<u8>> {
    let mut out = pass(book, payload, keep)?;
    for _ in 1..MOST_PASSES {
        match pass(book, &out, keep) {
            Some(next) => out = next,
            None => break,
        }
    }
    Some(out)
}

/// A secret in the payload.
struct Span {
    start: usize,
    end: usize,
    known: Arc<Known>,
}

/// A value that was known by its shape, perhaps for the first time.
struct Fresh {
    start: usize,
    end: usize,
    /// The value, then others that it gives away.
    values: Vec<(SecretKind, Secret<String>)>,
}

fn pass(book: &Book, payload: &[u8], keep: Keep) -> Option<Vec<u8>> {
    let sets = book.sets();
    let frame = Frame::of(payload, keep);
    let (mut spans, mut fresh, mut covered) = (Vec::new(), Vec::new(), Vec::new());
    let mut look = |view: &View<'_>| {
        let first = spans.len();
        search(&sets.settled, view, &frame, &mut spans);
        search(&sets.recent, view, &frame, &mut spans);
        let shapes = shapes(view, frame.json);
        take_shapes(view, &frame, &shapes, &mut spans[first..], &mut fresh, &mut covered);
    };
    let raw = View::of(payload);
    if payload.len() <= LONG || std::str::from_utf8(payload).is_ok() {
        raw.each(&mut look);
    } else {
        look(&raw);
    }
    if !fresh.is_empty() {
        let values = fresh.iter().flat_map(|f: &Fresh| f.values.iter().map(|(kind, v)| (*kind, v.expose().as_str())));
        let mut known = book.enter(Origin::Seen, values).into_iter();
        for f in &fresh {
            // The first of its values is what stands there.
            let mut own = known.by_ref().take(f.values.len());
            spans.extend(own.next().map(|known| Span { start: f.start, end: f.end, known }));
            own.for_each(drop);
        }
    }
    if spans.is_empty() { None } else { Some(replace(payload, spans)) }
}

/// Finds known values.
fn search(needles: &Needles, view: &View<'_>, frame: &Frame<'_>, spans: &mut Vec<Span>) {
    let text = view.text;
    let is_base64 = |at: usize| text.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || b"+/-_".contains(b));
    needles.each(text, |mut start, known, form| {
        let mut end = start + form.bytes.expose().len();
        if form.lead && start > 0 && is_base64(start - 1) {
            start -= 1;
        }
        if form.trail && is_base64(end) {
            end += 1;
        }
        if placeholder::touches(text, start, end) {
            return;
        }
        let (start, end) = view.origin(start, end);
        if let Some((start, end)) = frame.admit(start, end, form.bare) {
            push(spans, Span { start, end, known: known.clone() });
        }
    });
}

/// Adds a span. One value that overlaps itself (`aaaaaaaa`) makes one.
fn push(spans: &mut Vec<Span>, span: Span) {
    match spans.last_mut() {
        Some(last) if Arc::ptr_eq(&last.known, &span.known) && last.start <= span.start && span.start < last.end => {
            last.end = last.end.max(span.end);
        }
        _ => spans.push(span),
    }
}

/// Keeps the shapes that are no known value, and that no view before has seen as part of another.
fn take_shapes(
    view: &View<'_>,
    frame: &Frame<'_>,
    shapes: &[Shape],
    known: &mut [Span],
    fresh: &mut Vec<Fresh>,
    covered: &mut Vec<(usize, usize)>,
) {
    if shapes.is_empty() {
        return;
    }
    known.sort_unstable_by_key(|s| (s.start, s.end));
    let before = covered.len();
    for shape in shapes {
        let (start, end) = view.origin(shape.start, shape.end);
        // Undoing escapes twice can eat a quote of the outer form, and then all that follows looks like a value.
        let Some((start, end)) = frame.admit(start, end, view.is_decoded()) else { continue };
        let i = covered[..before].partition_point(|c: &(usize, usize)| c.0 <= start);
        if i > 0 && covered[i - 1].1 >= end {
            continue;
        }
        covered.push((start, end));
        if known.binary_search_by_key(&(start, end), |s| (s.start, s.end)).is_err() {
            fresh.push(Fresh { start, end, values: shape.values(view.text) });
        }
    }
    covered.sort_unstable();
    // A range within another says nothing more.
    covered.dedup_by(|next, last| next.1 <= last.1);
}

/// Puts placeholders into the payload. Where secrets overlap, the longest gives its name to all of it.
fn replace(payload: &[u8], mut spans: Vec<Span>) -> Vec<u8> {
    spans.sort_unstable_by_key(|s| s.start);
    let mut out = Vec::with_capacity(payload.len());
    let mut copied = 0;
    let mut rest = spans.iter().peekable();
    while let Some(first) = rest.next() {
        let (mut longest, mut end) = (first, first.end);
        while let Some(next) = rest.next_if(|next| next.start < end) {
            end = end.max(next.end);
            if next.end - next.start > longest.end - longest.start {
                longest = next;
            }
        }
        out.extend_from_slice(&payload[copied..first.start]);
        out.extend_from_slice(longest.known.placeholder.as_bytes());
        copied = end;
    }
    out.extend_from_slice(&payload[copied..]);
    out
}

/// The payload's outer form, which replacing must not break. Looked at only where something was found.
struct Frame<'a> {
    payload: &'a [u8],
    keep: Keep,
    /// Begins like JSON.
    json: bool,
    valid: OnceCell<bool>,
    escapes: OnceCell<Vec<Escape>>,
    /// Places of the quotes that begin and end strings.
    quotes: OnceCell<Vec<usize>>,
}

impl<'a> Frame<'a> {
    fn of(payload: &'a [u8], keep: Keep) -> Self {
        let json = matches!(payload.trim_ascii_start().first(), Some(b'{' | b'[' | b'"'));
        Self { payload, keep, json, valid: OnceCell::new(), escapes: OnceCell::new(), quotes: OnceCell::new() }
    }

    /// Whether these bytes may be replaced, and which: whole escapes, within one string. `bare` where they could also
    /// stand outside of strings, as a number or a word of JSON itself; numbers are never secrets.
    fn admit(&self, start: usize, end: usize, bare: bool) -> Option<(usize, usize)> {
        if !self.json {
            return Some((start, end));
        }
        let (start, end) = self.whole_escapes(start, end);
        let crosses = || memchr_iter(b'"', &self.payload[start..end]).any(|n| self.is_quote(start + n));
        let breaks = crosses()
            || bare && self.quotes().partition_point(|q| *q < start) % 2 == 0
            || self.keep == Keep::Head && self.is_member_name(end);
        // A payload that is one string could as well be a secret in quotes: then the form counts less.
        let is_string = self.payload.trim_ascii_start().first() == Some(&b'"');
        if breaks && !is_string && self.is_valid() { None } else { Some((start, end)) }
    }

    fn is_valid(&self) -> bool {
        *self.valid.get_or_init(|| serde_json::from_slice::<serde::de::IgnoredAny>(self.payload).is_ok())
    }

    fn whole_escapes(&self, start: usize, end: usize) -> (usize, usize) {
        widen(self.escapes.get_or_init(|| unescape(self.payload).1), start, end)
    }

    fn quotes(&self) -> &[usize] {
        self.quotes.get_or_init(|| {
            let all = memchr_iter(b'"', self.payload);
            all.filter(|at| self.whole_escapes(*at, *at).0 == *at).collect()
        })
    }

    fn is_quote(&self, at: usize) -> bool {
        self.quotes().binary_search(&at).is_ok()
    }

    /// Whether the string around `at` is the name of a member.
    fn is_member_name(&self, at: usize) -> bool {
        let quotes = self.quotes();
        let close = quotes.get(quotes.partition_point(|q| *q < at));
        close.is_some_and(|q| self.payload[q + 1..].trim_ascii_start().first() == Some(&b':'))
    }
}
