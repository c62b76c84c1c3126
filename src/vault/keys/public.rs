//! The public part of a key pair: what an administrator gets, and what tokens are verified with.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use super::refusals::Want;
use super::{input, pem};
use crate::model::Report;

/// A public RSA key of 2048 bits or more.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// SPKI, DER.
    spki: Vec<u8>,
}

impl PublicKey {
    /// Reads SPKI, as PEM or DER.
    pub fn read(bytes: &[u8]) -> Result<Self, Report> {
        // A sequence of more than 127 bytes; no text begins so.
        if matches!(bytes, [0x30, 0x80..=0xff, ..]) {
            input::check_der(bytes, Want::Public)?;
            return Self::of(bytes);
        }
        Self::of(input::from_pem(bytes, Want::Public)?.expose())
    }

    fn of(spki: &[u8]) -> Result<Self, Report> {
        let key = rsa::PublicKey::from_der(spki).map_err(|e| Want::Public.damaged(e.description_()))?;
        Self::from_pair(&key).map_err(|_| Want::Public.damaged("it cannot be written again"))
    }

    pub(super) fn from_pair(key: &rsa::PublicKey) -> Result<Self, aws_lc_rs::error::Unspecified> {
        Ok(Self { spki: key.as_der()?.as_ref().to_vec() })
    }

    /// SPKI: `-----BEGIN PUBLIC KEY-----`.
    pub fn to_pem(&self) -> String {
        pem::write(Want::Public.label(), &self.spki).expose().clone()
    }

    /// SHA-256 over the SPKI, in hexadecimal, as `openssl pkey -pubin -outform DER | sha256sum` tells it.
    pub fn fingerprint(&self) -> String {
        let hash = digest::digest(&digest::SHA256, &self.spki);
        hash.as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Whether `signature` (RSASSA-PKCS1-v1_5 with SHA-256) is one of `text` by this key.
    pub(super) fn has_signed(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.spki).verify(text, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}
