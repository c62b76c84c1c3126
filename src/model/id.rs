//! Names of things.

use serde::{Deserialize, Serialize};

/// A session within one capture, counted from 1. Zero stands for "no session" (the sandbox, OAuth on its own).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub u32);

impl SessionId {
    pub const NONE: Self = Self(0);
}

/// A protocol that a session speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialectId {
    /// The vendor's Web Messaging Guest API over one socket.
    #[default]
    WebMessaging,
}

impl DialectId {
    pub const ALL: [Self; 1] = [Self::WebMessaging];

    /// The name in files and on the command line.
    pub fn key(self) -> &'static str {
        match self {
            Self::WebMessaging => "web-messaging",
        }
    }

    /// The name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::WebMessaging => "Web Messaging (Guest API socket)",
        }
    }
}
