//! The people who can sign in.

use super::super::ids;

/// A user of the organisation.
pub(in crate::sandbox) struct User {
    pub(in crate::sandbox) id: String,
    pub(in crate::sandbox) name: &'static str,
    /// By this one signs in.
    pub(in crate::sandbox) email: &'static str,
}

impl User {
    /// Everybody, with ids made anew.
    pub(super) fn all() -> Vec<Self> {
        let user = |name, email| Self { id: ids::uuid(), name, email };
        vec![
            user("Agent One", "agent1@sandbox.invalid"),
            user("Agent Two", "agent2@sandbox.invalid"),
            user("Agent Three", "agent3@sandbox.invalid"),
        ]
    }
}
