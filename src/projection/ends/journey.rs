//! One message on its way from one end to the other.

use std::sync::Arc;
use std::time::Duration;

use crate::model::happening::Side;
use crate::model::{Mono, Now, SessionId, Wall};

/// When something was seen, and in which record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    pub seq: u64,
    pub at: Now,
}

impl Moment {
    pub fn since(&self, earlier: &Self) -> Duration {
        self.at.mono.since(earlier.at.mono)
    }
}

/// What the guest's end saw of a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GuestHalf {
    pub session: SessionId,
    /// Our frame or call left.
    pub sent: Option<Moment>,
    /// Its echo came, or the other side's message.
    pub seen: Option<Moment>,
    /// Live frames of the same message after the first.
    pub again: u32,
    pub text: Option<Arc<str>>,
    /// History told it, no frame did.
    pub by_history: bool,
}

/// What one agent's end saw of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentHalf {
    pub session: SessionId,
    /// Our call left.
    pub sent: Option<Moment>,
    /// The platform took it.
    pub taken: Option<Moment>,
    /// The first notification, or the first answer, that has it.
    pub seen: Option<Moment>,
    /// It was found by REST, no notification told it.
    pub by_rest: bool,
    /// Its text came.
    pub fetched: Option<Moment>,
    pub text: Option<Arc<str>>,
}

/// A message with its two halves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Journey {
    /// Counted from 1 in the order of first sight.
    pub number: u64,
    /// Ids under which servers know it.
    pub keys: Vec<String>,
    /// Who said it; a message of the platform's flow is of the bot.
    pub side: Option<Side>,
    pub guest: Option<GuestHalf>,
    pub agents: Vec<AgentHalf>,
    /// The server's time.
    pub told_at: Option<Wall>,
    /// It was refused or never left.
    pub failed: bool,
}

impl Journey {
    pub fn is_of_guest(&self) -> bool {
        self.side == Some(Side::Guest)
    }

    /// What was said, as the end that said it knows it.
    pub fn text(&self) -> Option<&Arc<str>> {
        let guest = self.guest.as_ref().and_then(|g| g.text.as_ref());
        let agent = self.agents.iter().find_map(|a| a.text.as_ref());
        if self.is_of_guest() { guest.or(agent) } else { agent.or(guest) }
    }

    /// When it began: the earliest moment that is known.
    pub fn begin(&self) -> Option<Moment> {
        let guest = self.guest.iter().flat_map(|g| [g.sent, g.seen]);
        let agents = self.agents.iter().flat_map(|a| [a.sent, a.taken, a.seen, a.fetched]);
        guest.chain(agents).flatten().min_by_key(|m| (m.at.mono, m.seq))
    }

    /// When the newest thing of it was seen.
    pub fn end(&self) -> Option<Mono> {
        let guest = self.guest.iter().flat_map(|g| [g.sent, g.seen]);
        let agents = self.agents.iter().flat_map(|a| [a.sent, a.taken, a.seen, a.fetched]);
        guest.chain(agents).flatten().map(|m| m.at.mono).max()
    }

    /// The first agent's half that has seen something.
    pub fn agent(&self) -> Option<&AgentHalf> {
        self.agents.iter().min_by_key(|a| a.seen.or(a.sent).map_or(u64::MAX, |m| m.seq))
    }

    /// How long each leg took, where both of its ends are known.
    pub fn leg(&self, leg: Leg) -> Option<Duration> {
        let guest = self.guest.as_ref();
        let agent = self.agent();
        let (from, to) = match leg {
            Leg::GuestEcho if self.is_of_guest() => (guest?.sent?, guest?.seen?),
            Leg::ToAgent if self.is_of_guest() => (guest?.sent.or(guest?.seen)?, agent.filter(|a| !a.by_rest)?.seen?),
            Leg::Text if self.is_of_guest() => (agent?.seen?, agent?.fetched?),
            Leg::AgentTaken if !self.is_of_guest() => (agent?.sent?, agent?.taken?),
            Leg::ToGuest if !self.is_of_guest() => (agent?.sent?, guest.filter(|g| !g.by_history)?.seen?),
            _ => return None,
        };
        Some(to.since(&from))
    }
}

/// A part of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leg {
    /// Guest's frame to its echo.
    GuestEcho,
    /// Guest's frame to the agent's notification.
    ToAgent,
    /// Notification to the text.
    Text,
    /// Agent's call to its answer.
    AgentTaken,
    /// Agent's call to the guest's frame.
    ToGuest,
}

impl Leg {
    pub const ALL: [Self; 5] = [Self::GuestEcho, Self::ToAgent, Self::Text, Self::AgentTaken, Self::ToGuest];

    pub fn title(self) -> &'static str {
        match self {
            Self::GuestEcho => "guest send → guest echo",
            Self::ToAgent => "guest send → agent notified",
            Self::Text => "agent notified → text fetched",
            Self::AgentTaken => "agent send → platform took it",
            Self::ToGuest => "agent send → guest frame",
        }
    }
}

/// Figures of one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Legs {
    pub leg: Leg,
    pub count: usize,
    pub p50: Duration,
    pub p95: Duration,
    pub max: Duration,
}

impl Legs {
    /// Over these journeys, by nearest rank; none where no journey has this leg.
    pub fn of(journeys: &[Arc<Journey>], leg: Leg) -> Option<Self> {
        let mut all: Vec<Duration> = journeys.iter().filter_map(|j| j.leg(leg)).collect();
        all.sort_unstable();
        let max = *all.last()?;
        let rank = |percent: usize| all.get((all.len() * percent).div_ceil(100).max(1) - 1).copied().unwrap_or(max);
        Some(Self { leg, count: all.len(), p50: rank(50), p95: rank(95), max })
    }
}
