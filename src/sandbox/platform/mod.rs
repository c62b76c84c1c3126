//! The platform as agents see it: users, queues, conversations, notifications.

mod users;

pub(super) use users::User;

use super::state::State;
use super::tokens::Holder;
use crate::model::Now;

/// All of it.
pub(super) struct Platform {
    /// [`Holder::User`](super::tokens::Holder::User) holds a place in it.
    pub(super) users: Vec<User>,
}

impl Platform {
    pub(super) fn new() -> Self {
        Self { users: User::all() }
    }
}

/// A token is good no more, before its time.
pub(super) fn token_revoked(_state: &mut State, _holder: Holder, _value: &str, _now: Now) {}
