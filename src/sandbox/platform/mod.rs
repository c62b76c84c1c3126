//! The platform as agents see it: users, queues, conversations, notifications.

mod users;

pub(super) use users::User;

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
