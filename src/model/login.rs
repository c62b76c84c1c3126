//! How a guest signs in (OpenID Connect).

use serde::{Deserialize, Serialize};

use super::environment::ClientSecret;
use super::secret::Secret;

/// What the identity provider gave, or whom to ask for it. Of one use.
#[derive(Clone, Debug, PartialEq)]
pub enum Login {
    /// An authorization code. What is none is taken from the environment.
    Code { code: Secret<String>, verifier: Option<Secret<String>>, nonce: Option<String> },
    /// An id token, as the implicit grant gives it; there is no refresh then.
    IdToken { token: Secret<String>, nonce: Option<String> },
    /// The sandbox's own identity provider, as this person; `implicit` for an id token instead of a code.
    Sandbox { person: String, implicit: bool },
}

/// What an environment knows of its identity provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuestAuth {
    /// The one that the codes are made for. It must be registered with the identity provider, and is sent with each.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub redirect_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Of PKCE, where it is always the same. Accepted in files written by hand, never written.
    #[serde(skip_serializing)]
    pub code_verifier: Option<ClientSecret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
}
