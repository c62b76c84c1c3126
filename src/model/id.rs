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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialectId {
    /// The vendor's Web Messaging Guest API over one socket.
    #[default]
    WebMessaging,
    /// The vendor's Platform API as an agent uses it: REST and a notification socket.
    Agent,
    /// A conversation by REST with a session token.
    SessionToken,
    /// A socket for external contacts, messages by REST.
    ExternalContact,
    /// A guest whose token is signed here (RS256).
    SignedGuest,
    /// A conversation that heartbeats keep alive.
    ManagedConversation,
    /// A guest as a resource, with a socket and a handshake.
    GuestResource,
}

impl DialectId {
    /// Verified ones first.
    pub const ALL: [Self; 7] = [
        Self::WebMessaging,
        Self::Agent,
        Self::SessionToken,
        Self::ExternalContact,
        Self::SignedGuest,
        Self::ManagedConversation,
        Self::GuestResource,
    ];

    /// The name in files and on the command line.
    pub fn key(self) -> &'static str {
        match self {
            Self::WebMessaging => "web-messaging",
            Self::Agent => "agent",
            Self::SessionToken => "session-token",
            Self::ExternalContact => "external-contact",
            Self::SignedGuest => "signed-guest",
            Self::ManagedConversation => "managed-conversation",
            Self::GuestResource => "guest-resource",
        }
    }

    /// The name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::WebMessaging => "Web Messaging (Guest API socket)",
            Self::Agent => "Agent (Platform API and notifications)",
            Self::SessionToken => "Conversation REST with session token",
            Self::ExternalContact => "External-contact socket",
            Self::SignedGuest => "Signed guest (RS256)",
            Self::ManagedConversation => "Managed conversation (heartbeat)",
            Self::GuestResource => "Guest resource with handshake socket",
        }
    }

    /// The one with this name in files.
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.key() == key)
    }

    /// A primary source of the vendor documents it.
    pub fn is_verified(self) -> bool {
        matches!(self, Self::WebMessaging | Self::Agent)
    }
}

/// Said wherever an unverified dialect is offered or shown.
pub const UNVERIFIED: &str = "No primary vendor source documents this endpoint.";
