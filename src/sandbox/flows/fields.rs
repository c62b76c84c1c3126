//! Checks of a body, field by field. Each fault names the field, the value and the limit; all of them are told.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::super::api::{self, Fault};
use super::No;
use crate::model::Wall;

/// Longest part of a value that is told.
const TOLD: usize = 60;

/// A body whose fields are looked at, and what was found wrong with them.
pub(in crate::sandbox) struct Fields<'a> {
    body: &'a Value,
    faults: Vec<Fault>,
}

/// Reads a body as a JSON object.
pub(in crate::sandbox) fn object(body: &[u8]) -> Result<Value, No> {
    match serde_json::from_slice::<Value>(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(api::error(400, "bad.request", "The body is not a JSON object").into()),
        Err(e) => Err(api::error(400, "bad.request", &format!("The body is not JSON: {e}")).into()),
    }
}

/// As [`object`]; an empty body is an empty object.
pub(in crate::sandbox) fn object_or_nothing(body: &[u8]) -> Result<Value, No> {
    if body.iter().all(u8::is_ascii_whitespace) { Ok(Value::Object(Map::new())) } else { object(body) }
}

/// A single fault as the whole answer.
pub(in crate::sandbox) fn wrong(field: &str, text: &str) -> No {
    api::invalid(&[Fault { field: field.to_owned(), text: text.to_owned() }]).into()
}

/// Enough of a text to know it again.
pub(in crate::sandbox) fn told(text: &str) -> String {
    match text.char_indices().nth(TOLD) {
        Some((end, _)) => format!("“{}…”", text.get(..end).unwrap_or_default()),
        None => format!("“{text}”"),
    }
}

fn told_value(value: &Value) -> String {
    match value {
        Value::String(text) => told(text),
        other => told(&other.to_string()),
    }
}

impl<'a> Fields<'a> {
    pub(in crate::sandbox) fn of(body: &'a Value) -> Self {
        Self { body, faults: Vec::new() }
    }

    /// The value at a path of names with dots between; none where it is missing or null.
    pub(in crate::sandbox) fn at(&self, path: &str) -> Option<&'a Value> {
        let mut value = self.body;
        for name in path.split('.') {
            value = value.get(name)?;
        }
        Some(value).filter(|v| !v.is_null())
    }

    pub(in crate::sandbox) fn fault(&mut self, path: &str, text: impl Into<String>) {
        self.faults.push(Fault { field: path.to_owned(), text: text.into() });
    }

    fn needed(&mut self, path: &str) -> Option<&'a Value> {
        let value = self.at(path);
        if value.is_none() {
            self.fault(path, "is missing");
        }
        value
    }

    /// A text that is not empty.
    pub(in crate::sandbox) fn text(&mut self, path: &str) -> &'a str {
        match self.needed(path) {
            None => "",
            Some(Value::String(text)) if text.trim().is_empty() => {
                self.fault(path, "“” is empty");
                ""
            }
            Some(Value::String(text)) => text,
            Some(other) => {
                self.fault(path, format!("{} is not a text", told_value(other)));
                ""
            }
        }
    }

    /// As [`Self::text`], of what must not be told.
    pub(in crate::sandbox) fn secret(&mut self, path: &str) -> &'a str {
        match self.needed(path) {
            None => "",
            Some(Value::String(text)) if !text.trim().is_empty() => text,
            Some(_) => {
                self.fault(path, "is not a text, or empty");
                ""
            }
        }
    }

    /// Exactly this word.
    pub(in crate::sandbox) fn word(&mut self, path: &str, word: &str) {
        match self.needed(path) {
            Some(value) if value.as_str() != Some(word) => {
                self.fault(path, format!("{} is not “{word}”", told_value(value)));
            }
            _ => {}
        }
    }

    /// A whole number within a range.
    pub(in crate::sandbox) fn whole(&mut self, path: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.needed(path)?;
        let number = value.as_i64().filter(|n| range.contains(n));
        if number.is_none() {
            let (low, high) = (range.start(), range.end());
            self.fault(path, format!("{} is not a whole number from {low} to {high}", told_value(value)));
        }
        number
    }

    /// An instant as of RFC 3339.
    pub(in crate::sandbox) fn time(&mut self, path: &str) {
        if let Some(value) = self.needed(path)
            && value.as_str().and_then(Wall::parse_rfc3339).is_none()
        {
            self.fault(path, format!("{} is not a time such as 2026-01-06T13:26:15.174Z", told_value(value)));
        }
    }

    pub(in crate::sandbox) fn list(&mut self, path: &str) -> &'a [Value] {
        match self.needed(path) {
            None => &[],
            Some(Value::Array(list)) => list,
            Some(other) => {
                self.fault(path, format!("{} is not a list", told_value(other)));
                &[]
            }
        }
    }

    /// An object of at most so many bytes, as JSON without spaces.
    pub(in crate::sandbox) fn object(&mut self, path: &str, most: Option<usize>) -> Option<&'a Map<String, Value>> {
        let value = self.needed(path)?;
        let Value::Object(map) = value else {
            // It may hold a token.
            self.fault(path, "is not an object");
            return None;
        };
        if let (Some(most), size) = (most, value.to_string().len())
            && size > most
        {
            self.fault(path, format!("{size} bytes are more than {most}"));
        }
        Some(map)
    }

    /// The end of the checks: all faults as one answer.
    pub(in crate::sandbox) fn done(self) -> Result<(), No> {
        if self.faults.is_empty() { Ok(()) } else { Err(api::invalid(&self.faults).into()) }
    }
}
