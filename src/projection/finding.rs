//! What was found out about a failure.

use std::sync::Arc;

use super::evidence::{Gathered, micros_between};
use super::knowledge::condition::{Holds, Look};
use super::knowledge::names::{self, NameId};
use super::knowledge::{Cause, Knowledge, Of};
use crate::model::{DialectId, Now, Record};

/// So many of a session's newest findings are kept.
pub const FINDINGS_KEPT: usize = 48;
/// So many records are remembered as being about a finding.
const ABOUT_KEPT: usize = 16;
/// So many causes are offered where none is decided.
const DOUBTS: usize = 5;

/// A failure and what explains it.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The record that failed.
    pub seq: u64,
    pub at: Now,
    pub subject: Subject,
    /// The causes that the evidence shows, the most specific first.
    pub verdicts: Vec<Verdict>,
    /// Where there is none: what it may have been, and what would decide it.
    pub undecided: Vec<Doubt>,
    /// Other records about it: the request, what became of the message, the end of the token.
    pub about: Vec<u64>,
    /// The request of the guest that failed.
    pub tracing: Option<Box<str>>,
    /// The placeholder of the token that it is about.
    pub token: Option<String>,
}

/// What failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Http { status: i32 },
    NoAnswer,
    Upgrade { status: Option<i32> },
    Close { code: i32 },
    Lost,
    Frame { code: i32 },
    Fault { code: String },
    NotSent,
    Refused,
    Unconfirmed,
    Ended,
}

impl Subject {
    /// For people.
    pub fn title(&self) -> String {
        match self {
            Self::Http { status } => format!("answered with {status}"),
            Self::NoAnswer => "no answer came".to_owned(),
            Self::Upgrade { status: Some(status) } => format!("the socket was refused with {status}"),
            Self::Upgrade { status: None } => "the socket was not opened".to_owned(),
            Self::Close { code } => format!("closed with {code}"),
            Self::Lost => "lost without a close frame (1006)".to_owned(),
            Self::Frame { code } => format!("refused with {code}"),
            Self::Fault { code } => format!("fault {code}"),
            Self::NotSent => "not sent".to_owned(),
            Self::Refused => "refused".to_owned(),
            Self::Unconfirmed => "unconfirmed".to_owned(),
            Self::Ended => "the session ended".to_owned(),
        }
    }

    /// Something that came from a server, or did not.
    pub(super) fn is_traffic(&self) -> bool {
        !matches!(self, Self::Fault { .. } | Self::NotSent | Self::Refused | Self::Unconfirmed | Self::Ended)
    }

    /// How closely a cause is made for this: zero for not at all.
    fn fits(&self, of: &Of) -> u8 {
        use super::knowledge::Code;
        let code = |known: Code, code: Option<i32>| match (known.matches(code), known) {
            (false, _) => 0,
            (true, Code::Any) => 1,
            (true, Code::Hundred(_)) => 2,
            (true, _) => 3,
        };
        match (self, of) {
            (Self::Http { status }, Of::Http(known)) => code(*known, Some(*status)),
            (Self::Upgrade { status }, Of::Upgrade(known)) => code(*known, *status),
            (Self::Close { code: c }, Of::Close(known)) => code(*known, Some(*c)),
            (Self::Frame { code: c }, Of::Frame(known)) => code(*known, Some(*c)),
            (Self::Fault { code }, Of::Fault(known)) => 3 * u8::from(code == known),
            (Self::NoAnswer, Of::NoAnswer)
            | (Self::Lost, Of::Lost)
            | (Self::NotSent, Of::NotSent)
            | (Self::Refused, Of::Refused)
            | (Self::Unconfirmed, Of::Unconfirmed)
            | (Self::Ended, Of::Ended) => 3,
            _ => 0,
        }
    }
}

/// A cause that the evidence shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub cause: String,
    pub title: String,
    pub says: String,
    pub fix: Vec<String>,
    /// What it rests on: name and value, as people read them.
    pub evidence: Vec<(String, String)>,
    /// The records that prove it.
    pub records: Vec<u64>,
    pub source: String,
    /// An ordinary end, no failure.
    pub harmless: bool,
}

/// A cause that the evidence neither shows nor excludes.
#[derive(Clone, Debug, PartialEq)]
pub struct Doubt {
    pub cause: String,
    pub title: String,
    /// What to look at, or to do.
    pub would_decide: String,
    /// The evidence that is missing, as people read it.
    pub missing: Vec<String>,
}

impl Finding {
    pub(super) fn weigh(
        knowledge: &Knowledge,
        record: &Record,
        subject: Subject,
        dialect: Option<DialectId>,
        found: &Gathered,
    ) -> Self {
        let mut decided: Vec<(usize, &Arc<Cause>)> = Vec::new();
        let mut open: Vec<(usize, usize, &Arc<Cause>)> = Vec::new();
        for cause in &knowledge.causes {
            let fits = cause.of.iter().map(|of| subject.fits(of)).max().unwrap_or(0);
            let dialect_fits = cause.dialects.is_empty() || dialect.is_some_and(|d| cause.dialects.contains(&d));
            let text_fits = cause.text.is_empty() || cause.text.iter().any(|t| found.text.contains(t.as_str()));
            if fits == 0 || !dialect_fits || !text_fits {
                continue;
            }
            let holds: Vec<Holds> = cause.needs.iter().map(|c| c.holds(found)).collect();
            if holds.contains(&Holds::No) {
                continue;
            }
            let unknown = holds.iter().filter(|h| **h == Holds::Unknown).count();
            let guards = cause.needs.iter().filter(|c| c.is_guard()).count();
            let sure = (holds.len() - unknown).saturating_sub(guards) * 4;
            let weight = sure
                + 4 * usize::from(!cause.text.is_empty())
                + usize::from(!cause.dialects.is_empty())
                + usize::from(fits);
            match unknown {
                0 => decided.push((weight, cause)),
                _ => open.push((unknown, weight, cause)),
            }
        }
        let all: Vec<String> = decided.iter().map(|(_, c)| c.id.clone()).collect();
        decided.retain(|(_, c)| !c.yields_to.iter().any(|y| all.contains(y)));
        // Stable: those of the same weight stay in the order of their files.
        decided.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        let verdicts: Vec<Verdict> = decided.iter().map(|(_, c)| Verdict::of(c, record, found)).collect();
        let mut undecided = Vec::new();
        if verdicts.is_empty() {
            open.sort_by_key(|(unknown, weight, _)| (std::cmp::Reverse(*weight), *unknown));
            undecided.extend(open.iter().take(DOUBTS).map(|(_, _, c)| Doubt::of(c, found)));
        }
        Self {
            seq: record.seq,
            at: record.at,
            subject,
            verdicts,
            undecided,
            about: Vec::new(),
            tracing: None,
            token: None,
        }
    }

    /// Nothing is known that could explain it.
    pub fn is_empty(&self) -> bool {
        self.verdicts.is_empty() && self.undecided.is_empty()
    }

    /// It explains this record.
    pub fn is_about(&self, seq: u64) -> bool {
        self.seq == seq || self.about.contains(&seq)
    }

    /// Every cause is an ordinary one: nothing failed.
    pub fn is_harmless(&self) -> bool {
        !self.verdicts.is_empty() && self.verdicts.iter().all(|v| v.harmless)
    }

    /// The whole as text, for a terminal or the clipboard.
    pub fn told(&self) -> String {
        let mut out = format!("Record {}: {}\n", self.seq, self.subject.title());
        for v in &self.verdicts {
            out.push_str(&format!("  {} ({})\n    {}\n", v.title, v.cause, v.says));
            v.evidence.iter().for_each(|(name, value)| out.push_str(&format!("    {name}: {value}\n")));
            v.fix.iter().for_each(|f| out.push_str(&format!("    → {f}\n")));
        }
        if self.verdicts.is_empty() {
            out.push_str("  The evidence does not decide what it was.\n");
        }
        for d in &self.undecided {
            let missing = d.missing.join(", ");
            out.push_str(&format!(
                "  perhaps: {} ({}) – missing: {missing}\n    {}\n",
                d.title, d.cause, d.would_decide
            ));
        }
        out
    }

    pub(super) fn was_before(&self, now: Now, micros: u64) -> bool {
        micros_between(self.at, now) <= micros
    }
}

impl Verdict {
    /// What it was and what to do, without the evidence.
    pub fn lines(&self) -> Vec<String> {
        let fixes = self.fix.iter().map(|f| format!("→ {f}"));
        [format!("{}: {}", self.title, self.says)].into_iter().chain(fixes).collect()
    }

    fn of(cause: &Cause, record: &Record, found: &Gathered) -> Self {
        let names = cause.needs.iter().flat_map(|c| c.names()).chain(cause.says.names());
        let (evidence, records) = rests_on(names, record.seq, found);
        Self {
            cause: cause.id.clone(),
            title: cause.title.clone(),
            says: cause.says.say(found),
            fix: cause.fix.clone(),
            evidence,
            records,
            source: cause.source.clone(),
            harmless: cause.harmless,
        }
    }
}

/// Name and value of each piece of evidence, as people read them, and the records that show it, this one among them.
pub(super) fn rests_on(
    names: impl Iterator<Item = NameId>,
    seq: u64,
    found: &Gathered,
) -> (Vec<(String, String)>, Vec<u64>) {
    let mut named: Vec<NameId> = Vec::new();
    let mut records = vec![seq];
    let mut evidence = Vec::new();
    for name in names {
        if named.contains(&name) {
            continue;
        }
        named.push(name);
        let (Some(value), Some(about)) = (found.look(name), names::of(name)) else { continue };
        evidence.push((about.title.clone(), names::shown(about.sort, value)));
        if let Some(seq) = found.seq(name)
            && !records.contains(&seq)
        {
            records.push(seq);
        }
    }
    records.sort_unstable();
    (evidence, records)
}

impl Doubt {
    fn of(cause: &Cause, found: &Gathered) -> Self {
        let mut missing: Vec<String> = Vec::new();
        for condition in cause.needs.iter().filter(|c| c.holds(found) == Holds::Unknown) {
            for name in condition.names().filter(|n| found.look(*n).is_none()) {
                let title = names::of(name).map(|n| n.title.clone()).unwrap_or_default();
                if !missing.contains(&title) {
                    missing.push(title);
                }
            }
        }
        Self { cause: cause.id.clone(), title: cause.title.clone(), would_decide: cause.would_decide.clone(), missing }
    }
}

/// The findings of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// The newest [`FINDINGS_KEPT`], newest last.
    pub list: Vec<Arc<Finding>>,
    /// All there ever were.
    pub told: u64,
    /// Tokens, calls and bodies that were let go before they could explain anything, because there were too many.
    pub forgotten: u64,
}

impl Findings {
    /// What explains a record: itself the failure, its request, or a fact about it.
    pub fn about(&self, seq: u64) -> Option<&Arc<Finding>> {
        let own = self.list.iter().rev().find(|f| f.seq == seq);
        own.or_else(|| self.list.iter().rev().find(|f| f.is_about(seq)))
    }

    pub(super) fn add(&mut self, finding: Finding) {
        if self.list.len() == FINDINGS_KEPT {
            self.list.remove(0);
        }
        self.list.push(Arc::new(finding));
        self.told += 1;
    }

    /// A record speaks of the newest finding that is meant; false where there is none.
    pub(super) fn join(&mut self, record: &Record, meant: impl Fn(&Finding) -> bool) -> bool {
        let Some(finding) = self.list.iter_mut().rev().find(|f| meant(f)) else { return false };
        if finding.about.len() < ABOUT_KEPT {
            Arc::make_mut(finding).about.push(record.seq);
        }
        true
    }
}
