//! Whether the table runs with the tail of the log.

/// `Following` shows the newest row as it comes; `Held` stays where it is and counts what came since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    #[default]
    Following,
    Held {
        /// The newest record that was there when it let go.
        seen: u64,
    },
}

impl Follow {
    pub fn is_following(self) -> bool {
        self == Self::Following
    }
}
