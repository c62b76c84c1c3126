//! What a user reads when something fails.

use serde::{Deserialize, Serialize};

/// One failure, told to a person. It is stored, shown and printed in this one form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// A stable word for tests and scripts, e.g. `upgrade-refused`.
    pub code: String,
    /// One line: what failed.
    pub title: String,
    /// What happened and where, with the evidence.
    pub what: String,
    /// What to do, most likely first. Empty where nothing can be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<String>,
    /// What was checked, and raw error texts; folded at first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl Report {
    pub fn new(code: &str, title: impl Into<String>, what: impl Into<String>) -> Self {
        Self { code: code.to_owned(), title: title.into(), what: what.into(), ..Self::default() }
    }

    pub fn remedy(mut self, text: impl Into<String>) -> Self {
        self.remedies.push(text.into());
        self
    }

    pub fn detail(mut self, text: impl Into<String>) -> Self {
        self.details.push(text.into());
        self
    }

    /// The whole report as text, for a terminal or the clipboard.
    pub fn text(&self) -> String {
        let mut out = format!("{}\n  {}\n", self.title, self.what);
        for r in &self.remedies {
            out.push_str(&format!("  → {r}\n"));
        }
        for d in &self.details {
            out.push_str(&format!("    {d}\n"));
        }
        out
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.title, self.what)
    }
}

impl std::error::Error for Report {}
