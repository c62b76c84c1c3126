//! Lint of the protocol: what a frame or a request must not be, though no server may have refused it. A fold that
//! remembers what the [rules](super::knowledge::rule) ask for, and tells which of them a record breaks.
//!
//! It keeps little and bounded: of each connection the newest ids and times, of each channel its topics, of each
//! conversation the ids of its parties. What it let go can no more be told; see [`Lints::forgotten`].

mod channels;
mod fold;
mod frames;
mod parties;
mod requests;
#[cfg(test)]
mod tests;
mod units;

use std::collections::VecDeque;
use std::sync::Arc;

pub(super) use self::fold::{Common, Heard, LintFold, Scene};
pub(super) use self::parties::Named;
use super::evidence::Gathered;
use super::finding::rests_on;
use super::knowledge::rule::{Rule, Weight};
use crate::model::{Now, Record};

/// So many of the newest records that break a rule are kept with it.
pub const KEPT: usize = 100;

/// What a session's records break.
#[derive(Clone, Debug, Default)]
pub struct Lints {
    /// The worst first, then as they were broken first.
    pub broken: Vec<Arc<Broken>>,
    /// All that was ever told.
    pub told: u64,
    /// Changes with each; what is laid out of it is good as long as it stays.
    pub changes: u64,
    /// Connections, channels and conversations that were let go because there were too many.
    pub forgotten: u64,
}

/// A rule and who broke it.
#[derive(Clone, Debug)]
pub struct Broken {
    pub rule: Arc<Rule>,
    /// All there ever were.
    pub count: u64,
    /// The newest [`KEPT`], newest last.
    pub lints: VecDeque<Arc<Lint>>,
}

/// A record that breaks a rule.
#[derive(Clone, Debug)]
pub struct Lint {
    pub rule: Arc<Rule>,
    pub seq: u64,
    pub at: Now,
    pub says: String,
    pub fix: Vec<String>,
    /// What it rests on: name and value, as people read them.
    pub evidence: Vec<(String, String)>,
    /// The records that show it.
    pub records: Vec<u64>,
}

impl Lint {
    fn of(rule: &Arc<Rule>, record: &Record, found: &Gathered) -> Self {
        let names = rule.needs.iter().flat_map(|c| c.names()).chain(rule.says.names());
        let (evidence, records) = rests_on(names, record.seq, found);
        Self {
            rule: Arc::clone(rule),
            seq: record.seq,
            at: record.at,
            says: rule.says.say(found),
            fix: rule.fix.iter().map(|f| f.say(found)).collect(),
            evidence,
            records,
        }
    }

    /// The whole as text, for a terminal or the clipboard.
    pub fn told(&self) -> String {
        let mut out = format!(
            "Record {}: {} ({}, {})\n  {}\n",
            self.seq, self.rule.title, self.rule.weight, self.rule.id, self.says
        );
        self.evidence.iter().for_each(|(name, value)| out.push_str(&format!("  {name}: {value}\n")));
        self.fix.iter().for_each(|f| out.push_str(&format!("  → {f}\n")));
        out
    }
}

impl Lints {
    /// What a record breaks, the worst first.
    pub fn about(&self, seq: u64) -> impl Iterator<Item = &Arc<Lint>> {
        self.broken.iter().filter_map(move |b| {
            let at = b.lints.binary_search_by_key(&seq, |l| l.seq).ok()?;
            b.lints.get(at)
        })
    }

    /// The worst weight of what a record breaks.
    pub fn weight(&self, seq: u64) -> Option<Weight> {
        self.about(seq).next().map(|l| l.rule.weight)
    }

    pub fn worst(&self) -> Option<Weight> {
        self.broken.first().map(|b| b.rule.weight)
    }

    /// How often a rule was broken.
    pub fn count(&self, rule: &str) -> u64 {
        self.broken.iter().find(|b| b.rule.id == rule).map_or(0, |b| b.count)
    }

    fn add(&mut self, lint: Lint) {
        self.told += 1;
        self.changes += 1;
        if let Some(broken) = self.broken.iter_mut().find(|b| b.rule.id == lint.rule.id) {
            let broken = Arc::make_mut(broken);
            broken.count += 1;
            if broken.lints.len() == KEPT {
                broken.lints.pop_front();
            }
            broken.lints.push_back(Arc::new(lint));
            return;
        }
        let weight = lint.rule.weight;
        let place = self.broken.partition_point(|b| b.rule.weight <= weight);
        let broken = Broken { rule: Arc::clone(&lint.rule), count: 1, lints: VecDeque::from([Arc::new(lint)]) };
        self.broken.insert(place, Arc::new(broken));
    }
}
