//! Rules of the protocol, for the lint: what a frame or a request must not be, though no server may have refused it.
//! Data, beside the causes of failures and in the same language.
//!
//! ```yaml
//! rules:
//!   - id: echo-too-soon                     # a stable word
//!     title: A health check within its cool-down
//!     of: [sent frame]                      # what is looked at, see [`Spot`]
//!     dialects: [web-messaging]             # these only; left out for all
//!     weight: warning                       # error, warning or note
//!     needs: [echo.since_s < echo.every_s]  # all must hold
//!     says: It came {echo.since_s} after the one before.
//!     fix: [Space them by {echo.every_s}.]
//!     source: vendor facts, limits
//! ```

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::condition::{Condition, Holds, Look};
use super::sentence::Sentence;
use super::{is_word, parse_dialects, parse_needs, wrong};
use crate::model::{DialectId, Report};

#[derive(Clone, Debug)]
pub struct Rule {
    pub id: String,
    pub title: String,
    pub of: Vec<Spot>,
    pub dialects: Vec<DialectId>,
    pub weight: Weight,
    pub needs: Vec<Condition>,
    pub says: Sentence,
    pub fix: Vec<Sentence>,
    pub source: String,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// A text frame of ours.
    Sent,
    /// A text frame of the server.
    Received,
    /// An HTTP request.
    Request,
    /// An HTTP answer.
    Answer,
    /// A token that was told with its claims.
    Token,
}

impl Spot {
    const ALL: [Self; 5] = [Self::Sent, Self::Received, Self::Request, Self::Answer, Self::Token];

    fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent frame",
            Self::Received => "received frame",
            Self::Request => "request",
            Self::Answer => "answer",
            Self::Token => "token",
        }
    }
}

/// How much it matters. Ordered: the worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// A server refuses it, or something is lost.
    Error,
    /// It works by luck, or with some clients only.
    Warning,
    /// Allowed, and worth knowing.
    Note,
}

impl Weight {
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Rule {
    /// It is broken by what the evidence tells. What the evidence does not tell breaks nothing.
    pub fn is_broken(&self, spot: Spot, dialect: DialectId, found: &impl Look) -> bool {
        self.of.contains(&spot)
            && (self.dialects.is_empty() || self.dialects.contains(&dialect))
            && self.needs.iter().all(|c| c.holds(found) == Holds::Yes)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleShape {
    pub id: Spanned<String>,
    title: String,
    of: Vec<Spanned<String>>,
    #[serde(default)]
    dialects: Vec<Spanned<String>>,
    weight: Weight,
    needs: Vec<Spanned<String>>,
    says: Spanned<String>,
    fix: Vec<Spanned<String>>,
    source: String,
}

pub(super) fn rule(file: &str, shape: RuleShape) -> Result<Arc<Rule>, Report> {
    let id = shape.id.value.clone();
    let wrong = |at: &Spanned<String>, why: &str| wrong(file, at, "rule", &id, why);
    if !is_word(&id) {
        return Err(wrong(&shape.id, "an id is of small letters, digits and hyphens"));
    }
    let mut of = Vec::new();
    for text in &shape.of {
        let known = Spot::ALL.into_iter().find(|s| s.word() == text.value.trim());
        of.push(known.ok_or_else(|| {
            let known = Spot::ALL.map(Spot::word).join(", ");
            wrong(text, &format!("of: “{}” is none of {known}", text.value))
        })?);
    }
    if of.is_empty() || shape.needs.is_empty() || shape.fix.is_empty() {
        return Err(wrong(&shape.id, "“of”, “needs” and “fix” each name something"));
    }
    let sentence =
        |at: &Spanned<String>| Sentence::parse(&at.value).map_err(|e| wrong(at, &format!("“{}”: {e}", at.value)));
    Ok(Arc::new(Rule {
        title: shape.title,
        of,
        dialects: parse_dialects(&shape.dialects, &wrong)?,
        weight: shape.weight,
        needs: parse_needs(&shape.needs, &wrong)?,
        says: sentence(&shape.says)?,
        fix: shape.fix.iter().map(sentence).collect::<Result<_, _>>()?,
        source: shape.source,
        id,
    }))
}
