//! What a dialect that keeps no shell works with during a step.

use std::time::Duration;

use super::{Action, At};
use crate::model::fact::{Delivery, DeliveryChange, Expiry, NamedId};
use crate::model::{Fact, Mono, Report, Wall};

/// The instant of a step, and where its actions go.
pub(super) struct Cx<'a> {
    pub at: At,
    pub out: &'a mut Vec<Action>,
}

impl Cx<'_> {
    pub fn now(&self) -> Mono {
        self.at.now.mono
    }

    pub fn server(&self) -> Wall {
        self.at.server
    }

    /// The local wall clock after a wait.
    pub fn wall_in(&self, wait: Duration) -> Wall {
        self.at.now.wall + wait
    }

    pub fn act(&mut self, action: Action) {
        self.out.push(action);
    }

    pub fn state(&mut self, fact: Fact) {
        self.act(Action::State(fact));
    }

    pub fn id(&mut self, name: &str, value: &str) {
        self.state(Fact::Id(NamedId { name: name.to_owned(), value: value.to_owned(), mismatch: None }));
    }

    pub fn fault(&mut self, report: Report) {
        self.state(Fact::Fault(report));
    }

    pub fn expiry(&mut self, expiry: Expiry) {
        self.state(Fact::Expiry(expiry));
    }

    pub fn delivery(&mut self, tracing: &str, delivery: Delivery) {
        self.state(Fact::Delivery(DeliveryChange { tracing: tracing.to_owned(), delivery }));
    }
}
