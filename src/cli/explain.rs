//! Steps that ask what was found out: why something failed, and what the records break of the protocol.

use std::sync::Arc;

use super::play::Player;
use crate::model::Report;
use crate::projection::knowledge::rule::Weight;
use crate::projection::{Finding, Lint, SessionView};

/// What a scenario's records must or must not break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LintStep {
    /// Nothing but notes.
    Clean,
    /// A rule, by its id.
    Broken(String),
}

impl LintStep {
    pub fn parse(value: &str) -> Result<Self, String> {
        match value.trim() {
            "" => Err("lint: write “clean”, or the id of a rule that must be broken".to_owned()),
            "clean" => Ok(Self::Clean),
            rule => Ok(Self::Broken(rule.to_owned())),
        }
    }
}

impl std::fmt::Display for LintStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Clean => "clean",
            Self::Broken(rule) => rule,
        })
    }
}

impl Player<'_> {
    /// Something that failed is explained by this cause before all others.
    pub(super) fn why(&self, cause: &str) -> Result<(), Report> {
        let found = self.headless.until(self.limit, |_| self.explained(cause));
        found.map(drop).ok_or_else(|| {
            let findings = self.findings();
            let what = format!("No failure of this scenario was explained by {cause} before all else.");
            let limit = self.limit.as_secs();
            let report = if findings.is_empty() {
                let what = format!("Nothing failed in this scenario that could be explained, for {limit} s.");
                Report::new("no-cause", "No cause was found", what)
            } else {
                Report::new("other-cause", "Another cause was found", what)
            };
            findings.iter().rev().take(5).fold(report, |r, f| r.detail(f.told()))
        })
    }

    /// What was found in this scenario, in its sessions and outside any: sign-ins belong to none.
    fn findings(&self) -> Vec<Arc<Finding>> {
        let board = self.headless.board();
        let agents = self.agents.iter().filter(|a| **a != self.session);
        let sessions = std::iter::once(&self.session).chain(agents);
        let views = sessions.filter_map(|id| board.session(*id)).chain([&board.general]);
        let all = views.flat_map(|v| v.findings.list.iter().filter(|f| f.seq > self.from));
        all.cloned().collect()
    }

    pub(super) fn explained(&self, cause: &str) -> Option<Arc<Finding>> {
        self.findings().into_iter().rev().find(|f| f.verdicts.first().is_some_and(|v| v.cause == cause))
    }

    pub(super) fn lint(&mut self, step: &LintStep) -> Result<(), Report> {
        match step {
            LintStep::Clean => {
                // What is on its way may break something yet.
                self.settle()?;
                let broken: Vec<Arc<Lint>> = self.lints(|l| l.rule.weight < Weight::Note);
                if broken.is_empty() {
                    return Ok(());
                }
                let what = format!("{} records of this scenario break rules of the protocol.", broken.len());
                let report = Report::new("not-clean", "The protocol was not kept", what);
                Err(broken.iter().take(5).fold(report, |r, l| r.detail(l.told())))
            }
            LintStep::Broken(rule) => {
                let found = self.headless.until(self.limit, |_| self.broken(rule));
                found.map(drop).ok_or_else(|| {
                    let what = format!("Nothing in this scenario broke {rule} for {} s.", self.limit.as_secs());
                    let report = Report::new("not-broken", "The rule was not broken", what);
                    self.lints(|_| true).iter().take(5).fold(report, |r, l| r.detail(l.told()))
                })
            }
        }
    }

    /// The newest record of this scenario that breaks a rule.
    pub(super) fn broken(&self, rule: &str) -> Option<Arc<Lint>> {
        self.lints(|l| l.rule.id == rule).pop()
    }

    fn lints(&self, wanted: impl Fn(&Lint) -> bool) -> Vec<Arc<Lint>> {
        let board = self.headless.board();
        let agents = self.agents.iter().filter(|a| **a != self.session);
        let own = std::iter::once(&self.session).chain(agents).filter_map(|id| board.session(*id));
        let of = |view: &Arc<SessionView>| -> Vec<Arc<Lint>> {
            view.lints.broken.iter().flat_map(|b| b.lints.iter().cloned()).collect()
        };
        let all = own.chain([&board.general]).flat_map(of);
        let mut all: Vec<_> = all.filter(|l| l.seq > self.from && wanted(l)).collect();
        all.sort_by_key(|l| l.seq);
        all
    }
}
