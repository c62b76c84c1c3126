//! A secret that was found by its shape, and what its value is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::armour;
use super::views::{undo, unescape, unpercent};
use crate::model::{Secret, SecretKind};

/// How a value is written where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    /// Between quotes, perhaps with JSON escapes.
    Quoted,
    /// Perhaps with percent escapes.
    Percent,
    /// Base64 of `user:password`.
    Basic,
    /// Lines of base64, whose breaks may be escaped more than once.
    Armoured,
}

/// A secret by its shape: where it stands in the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub start: usize,
    pub end: usize,
    pub kind: SecretKind,
    pub style: Style,
}

impl Shape {
    /// The value itself, then other values that it gives away.
    pub fn values(&self, text: &[u8]) -> Vec<(SecretKind, Secret<String>)> {
        let raw = &text[self.start..self.end];
        let decoded = match self.style {
            Style::Quoted => undo(unescape, raw),
            Style::Percent => undo(unpercent, raw),
            Style::Armoured => armour::plain(raw),
            Style::Plain | Style::Basic => None,
        };
        let decoded = decoded.map(Secret::new);
        let value = decoded.as_ref().map_or(raw, |d| d.expose().as_slice());
        let value = Secret::new(String::from_utf8_lossy(value).into_owned());
        let mut out = Vec::with_capacity(2);
        if self.style == Style::Percent && value.expose().contains('+') {
            out.push((self.kind, Secret::new(value.expose().replace('+', " "))));
        }
        if let Some(password) = (self.style == Style::Basic).then(|| password_of(raw)).flatten() {
            out.push((SecretKind::ClientSecret, password));
        }
        out.insert(0, (self.kind, value));
        out
    }
}

/// The password in base64 of `user:password`.
pub(super) fn password_of(base64: &[u8]) -> Option<Secret<String>> {
    let text = Secret::new(STANDARD.decode(base64).ok()?);
    let (_, password) = std::str::from_utf8(text.expose()).ok()?.split_once(':')?;
    Some(Secret::from(password)).filter(|p| !p.expose().is_empty())
}
