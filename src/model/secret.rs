//! What must never be printed, and the names under which it is spoken of.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// A value that does not show itself: `Debug` is masked, memory is wiped on drop, and the one way to the value is
/// [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Every call is a place to look at in a review.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<&str> for Secret<String> {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

/// What a secret is. Gives its placeholder the name: `[session-token#1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretKind {
    /// The guest's identity in web messaging; a UUID made by the client.
    SessionToken,
    /// An OAuth access token.
    AccessToken,
    RefreshToken,
    ClientSecret,
    /// A signed token of three parts.
    Jwt,
    /// What signs an upload or download address.
    Signature,
    Cookie,
    Password,
    /// What signs tokens: the private part of a key pair.
    PrivateKey,
    /// Anything else that looks like one.
    Other,
}

impl SecretKind {
    pub const ALL: [Self; 10] = [
        Self::SessionToken,
        Self::AccessToken,
        Self::RefreshToken,
        Self::ClientSecret,
        Self::Jwt,
        Self::Signature,
        Self::Cookie,
        Self::Password,
        Self::PrivateKey,
        Self::Other,
    ];

    /// The word in placeholders and in the window.
    pub fn word(self) -> &'static str {
        match self {
            Self::SessionToken => "session-token",
            Self::AccessToken => "access-token",
            Self::RefreshToken => "refresh-token",
            Self::ClientSecret => "client-secret",
            Self::Jwt => "jwt",
            Self::Signature => "signature",
            Self::Cookie => "cookie",
            Self::Password => "password",
            Self::PrivateKey => "private-key",
            Self::Other => "secret",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::from("hunter2")), "Secret(…)");
    }
}
