//! A key pair that signs.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};

use super::public::PublicKey;
use super::refusals::Want;
use super::{input, pem};
use crate::model::{Report, Secret};

/// An RSA key pair. Its private part lies in memory of the cryptography library, which wipes whatever it frees; it
/// comes out only as a [`Secret`].
pub struct SigningKey {
    pair: KeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// A new pair of 2048 bits. Takes from a tenth of a second to some seconds: for a thread that may wait.
    pub fn generate() -> Result<Self, Report> {
        KeyPair::generate(KeySize::Rsa2048).ok().and_then(Self::of).ok_or_else(|| {
            Report::new("key-not-made", "No key could be made", "The cryptography library refused to make an RSA key.")
                .remedy("Try again; else make one with openssl and import it.")
        })
    }

    /// Imports PKCS#8 PEM (`-----BEGIN PRIVATE KEY-----`) with an RSA key of 2048 bits or more.
    pub fn from_pem(text: &[u8]) -> Result<Self, Report> {
        let der = input::from_pem(text, Want::Private)?;
        let pair = KeyPair::from_pkcs8(der.expose()).map_err(|e| Want::Private.damaged(e.description_()))?;
        Self::of(pair).ok_or_else(|| Want::Private.damaged("its public part cannot be told"))
    }

    fn of(pair: KeyPair) -> Option<Self> {
        let public = PublicKey::from_pair(pair.public_key()).ok()?;
        Some(Self { pair, public })
    }

    /// PKCS#8 PEM, for the keyring and for export.
    pub fn to_pem(&self) -> Result<Secret<String>, Report> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().map_err(|_| {
            Report::new("key-not-written", "The key cannot be written", "The cryptography library refused to write it.")
                .remedy("Make a new key.")
        })?;
        Ok(pem::write(Want::Private.label(), der.as_ref()))
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256.
    pub(super) fn sign(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).ok()?;
        Some(signature)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(…, {:?})", self.public)
    }
}
