//! What must hold after a schedule, whatever happened in it.

use std::collections::BTreeSet;

use super::fixture::record;
use super::schedules::{Run, SECOND};
use super::*;
use crate::dialect::read;
use crate::model::{DialectId, Happening};

impl Run {
    /// Some time after a session has ended, nothing may be left hanging.
    pub fn judge_ended(&mut self) {
        let quiet = self.now - self.last_wish > 11 * SECOND;
        if !(quiet && self.machine.state().is_ended()) {
            return;
        }
        for tracing in &self.wished {
            if let Some(Delivery::Sent | Delivery::Retrying { .. }) | None = self.ends.get(tracing) {
                self.broken.push(format!("{tracing} hangs in an ended session"));
            }
        }
    }

    pub fn judge(&mut self) {
        let mut broken = Vec::new();
        for tracing in &self.wished {
            let taken = self.server.taken.get(tracing).copied().unwrap_or(0);
            if taken > 1 {
                broken.push(format!("{tracing} was delivered {taken} times"));
            }
            if self.sends.get(tracing).copied().unwrap_or(0) > 3 {
                broken.push(format!("{tracing} was sent more than three times"));
            }
            match self.ends.get(tracing) {
                Some(Delivery::Delivered) if taken == 0 => {
                    broken.push(format!("{tracing} is called delivered, but is not"))
                }
                Some(Delivery::NotSent { why }) if taken > 0 || why.is_empty() => {
                    broken.push(format!("{tracing} was sent all the same, or has no reason"))
                }
                Some(Delivery::Refused { .. }) if taken > 0 => {
                    broken.push(format!("{tracing} is called refused, but was taken"))
                }
                Some(Delivery::Unconfirmed { why }) if why.is_empty() => {
                    broken.push(format!("{tracing} has no reason"))
                }
                Some(Delivery::Sent | Delivery::Retrying { .. }) | None => {
                    broken.push(format!("{tracing} has no end: {:?}", self.ends.get(tracing)))
                }
                Some(_) => {}
            }
        }
        if self.opens > 80 || self.calls > 120 {
            broken.push(format!("{} opens, {} calls", self.opens, self.calls));
        }
        self.judge_conversation(&mut broken);
        self.broken.extend(broken);
    }

    /// Folds what was seen as the projections do: one entry by tracing id and by key.
    fn judge_conversation(&self, broken: &mut Vec<String>) {
        let mut entries: Vec<BTreeSet<String>> = Vec::new();
        let mut out = Vec::new();
        for (kind, direction, text) in &self.frames {
            read(DialectId::WebMessaging, &record(*kind, *direction, 200, text), &mut out);
        }
        for happening in out {
            let Happening::Said(m) = happening else { continue };
            let mut names: BTreeSet<String> = m.also.into_iter().chain([m.key]).filter(|k| !k.is_empty()).collect();
            names.extend(m.tracing.map(|t| format!("tracing {t}")));
            let (same, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(|e| !e.is_disjoint(&names));
            entries = others;
            names.extend(same.into_iter().flatten());
            entries.push(names);
        }
        for stored in &self.server.stored {
            let count = entries.iter().filter(|e| e.contains(&stored.id)).count();
            if count != 1 {
                broken.push(format!("{} is {count} times in the conversation", stored.id));
            }
        }
    }

    pub fn tally(&self) -> Tally {
        let count = |fits: fn(&Delivery) -> bool| self.ends.values().filter(|d| fits(d)).count() as u64;
        Tally {
            delivered: count(|d| *d == Delivery::Delivered),
            refused: count(|d| matches!(d, Delivery::Refused { .. })),
            not_sent: count(|d| matches!(d, Delivery::NotSent { .. })),
            unconfirmed: count(|d| matches!(d, Delivery::Unconfirmed { .. })),
            reconnects: u64::from(self.opens.saturating_sub(1)),
            refused_jwts: self.server.refused_jwts.len() as u64,
            stored: self.server.stored.len() as u64,
        }
    }
}

/// What the schedules came across, so that a test that tests nothing is noticed.
#[derive(Debug, Default)]
pub struct Tally {
    pub delivered: u64,
    pub refused: u64,
    pub not_sent: u64,
    pub unconfirmed: u64,
    pub reconnects: u64,
    pub refused_jwts: u64,
    pub stored: u64,
}
