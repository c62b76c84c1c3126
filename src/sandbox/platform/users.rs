//! The people who can sign in.

use std::collections::BTreeSet;

use super::super::ids;
use super::super::limits::Window;
use super::presence;

/// A user of the organisation.
pub(in crate::sandbox) struct User {
    pub(in crate::sandbox) id: String,
    pub(in crate::sandbox) name: &'static str,
    /// By this one signs in.
    pub(in crate::sandbox) email: &'static str,
    /// A request bore a token of this user.
    pub(super) seen: bool,
    /// Place among the definitions.
    pub(super) presence: usize,
    pub(super) presence_message: String,
    pub(super) presence_since: String,
    pub(super) routing: Routing,
    pub(super) routing_since: String,
    /// Places of queues that are joined. Everybody is a member of all.
    pub(super) joined: BTreeSet<usize>,
    /// Notification channels made within the last second.
    pub(super) creations: Window,
}

/// `routingStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Routing {
    OffQueue,
    Idle,
    Interacting,
    NotResponding,
}

impl Routing {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::OffQueue => "OFF_QUEUE",
            Self::Idle => "IDLE",
            Self::Interacting => "INTERACTING",
            Self::NotResponding => "NOT_RESPONDING",
        }
    }
}

impl User {
    /// Everybody, with ids made anew.
    pub(super) fn all() -> Vec<Self> {
        let user = |name, email| {
            let mut user = Self {
                id: ids::uuid(),
                name,
                email,
                seen: false,
                presence: presence::OFFLINE,
                presence_message: String::new(),
                presence_since: String::new(),
                routing: Routing::OffQueue,
                routing_since: String::new(),
                joined: BTreeSet::new(),
                creations: Window::default(),
            };
            user.reset();
            user
        };
        vec![
            user("Agent One", "agent1@sandbox.invalid"),
            user("Agent Two", "agent2@sandbox.invalid"),
            user("Agent Three", "agent3@sandbox.invalid"),
        ]
    }

    /// As at the start: offline, joined to both queues.
    pub(super) fn reset(&mut self) {
        self.seen = false;
        self.presence = presence::OFFLINE;
        self.presence_message.clear();
        self.presence_since.clear();
        self.routing = Routing::OffQueue;
        self.routing_since.clear();
        self.joined = BTreeSet::from([0, 1]);
        self.creations = Window::default();
    }

    pub(super) fn is_on_queue(&self) -> bool {
        self.presence == presence::ON_QUEUE
    }
}
