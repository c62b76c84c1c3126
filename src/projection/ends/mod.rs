//! Both ends of a conversation: what the guest's session saw and what an agent's session saw of the same messages.
//!
//! Two lanes are joined by evidence only. The strongest is a message that both ends know under the same id, then the
//! conversation's own id told to the guest; the weakest, several texts that both ends saw at about the same time and
//! nobody else did. What the join rests on is kept and shown ([`Proof`]).
//!
//! Each message is one [`Journey`] with two halves. Times are of this computer's monotonic clock: both ends live in
//! one program, so no skew comes between them.

mod findings;
mod fold;
mod halves;
mod journey;
mod likeness;
#[cfg(test)]
mod tests;

pub use findings::{Difference, Odd, Oddity};
pub use journey::{AgentHalf, GuestHalf, Journey, Leg, Legs, Moment};

pub(super) use fold::{EndsFold, Sighting, What};

use std::sync::Arc;

use crate::model::{Now, SessionId};

/// Pairs that are shown; the oldest goes.
pub const PAIRS: usize = 200;
/// Journeys that a pair keeps; older ones are counted.
pub const JOURNEYS: usize = 5_000;

/// All pairs of a capture.
#[derive(Clone, Debug, Default)]
pub struct Ends {
    /// In the order in which they were found.
    pub pairs: Vec<Arc<Pair>>,
}

impl Ends {
    /// The newest pair that this session is an end of; of an agent's, in this conversation.
    pub fn of(&self, session: SessionId, conversation: Option<&str>) -> Option<&Arc<Pair>> {
        self.pairs.iter().rev().find(|p| {
            let guest = p.guest == session && conversation.is_none();
            guest || (p.agents.contains(&session) && conversation.is_none_or(|c| p.conversation == c))
        })
    }
}

/// One conversation with both its ends.
#[derive(Clone, Debug)]
pub struct Pair {
    pub guest: SessionId,
    pub conversation: String,
    /// Several where it was handed over between sessions of this program.
    pub agents: Vec<SessionId>,
    /// The first records of the guest's end and of the agents'.
    pub since: (u64, u64),
    pub proof: Proof,
    /// In the order in which they were first seen.
    pub journeys: Vec<Arc<Journey>>,
    /// Journeys and events that are not kept any more.
    pub older: u64,
    /// What happened beside messages: transfers, ends, clears, reconnects.
    pub events: Vec<Event>,
    /// The newest thing seen at either end.
    pub last: Now,
}

/// What a join rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Messages that both ends know under one id.
    pub same_ids: u32,
    /// The first of them, with its record at the guest's and at the agent's end.
    pub first: Option<(String, u64, u64)>,
    /// The server told the guest's side this conversation's id.
    pub told: Option<u64>,
    /// Texts that both ends saw within seconds and nobody else.
    pub same_texts: u32,
}

impl Proof {
    /// It rests on ids, not on likeness.
    pub fn is_certain(&self) -> bool {
        self.same_ids > 0 || self.told.is_some()
    }

    /// Why the window believes that the two are one.
    pub fn sentence(&self) -> String {
        let mut parts = Vec::new();
        match self.same_ids {
            0 => {}
            1 => parts.push("one message has the same id at both ends".to_owned()),
            n => parts.push(format!("{n} messages have the same id at both ends")),
        }
        if self.told.is_some() {
            parts.push("the server told the guest's side the conversation's id".to_owned());
        }
        match self.same_texts {
            0 => {}
            n => parts.push(format!("{n} texts were seen at both ends within seconds, and nowhere else")),
        }
        parts.join("; ")
    }
}

/// Something on the timeline that is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub at: Now,
    pub seq: u64,
    /// The end that told it.
    pub session: SessionId,
    pub guest: bool,
    pub text: String,
}
