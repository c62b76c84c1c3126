//! The door of the log.
use std::borrow::Cow;

use bytes::Bytes;

use crate::model::{Draft, Secret, SecretKind};

/// Replaces secrets by placeholders. Shared by all that write records; cheap to clone.
#[derive(Clone, Default)]
pub struct Redactor {}

impl Redactor {
    /// Makes a value known. From now on it is replaced in every encoding that it may appear in.
    /// Gives its placeholder, e.g. `[session-token#1]`; the same value always has the same one.
    pub fn learn(&self, _kind: SecretKind, _value: &str) -> String {
        todo!()
    }

    /// Redacts all fields of a draft and sets [`crate::model::Flags::REDACTED`] where something was replaced.
    pub fn scrub(&self, _draft: Draft) -> Draft {
        todo!()
    }

    /// Redacts text that is not a record: error texts, names, clipboard.
    pub fn text<'a>(&self, _text: &'a str) -> Cow<'a, str> {
        todo!()
    }

    /// Redacts a payload, without a copy where nothing is found.
    pub fn bytes(&self, _bytes: Bytes) -> Bytes {
        todo!()
    }

    /// The value behind a placeholder, as long as this program runs. An explicit act of the user.
    pub fn reveal(&self, _placeholder: &str) -> Option<Secret<String>> {
        todo!()
    }

    /// Text with every placeholder replaced by its value. An explicit act of the user.
    pub fn reveal_all(&self, _text: &str) -> Secret<String> {
        todo!()
    }

    /// The placeholder of a value that is known.
    pub fn placeholder(&self, _value: &str) -> Option<String> {
        todo!()
    }
}
