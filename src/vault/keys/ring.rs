//! The keys of one environment: what is known of them here, private parts in the vault.
//!
//! Whatever fails, the ring stays as it was, with the active key that it had: a private part is stored and read back
//! before anything else changes, and what is known of a key goes only after its private part went.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{PublicKey, SigningKey, claimed_kid};
use crate::model::{KeyInfo, KeyState, Report, Wall};
use crate::vault::Vault;

/// The keys of one environment. Whoever changes it stores [`KeyRing::keys`] with the environment; where that fails,
/// the ring of before is still good, since no change takes away what it needs (but [`KeyRing::delete`]).
///
/// Calls with a [`Vault`] may block for long, as it may.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyRing {
    environment: String,
    keys: Vec<KeyInfo>,
}

impl KeyRing {
    pub fn new(environment_id: &str, keys: Vec<KeyInfo>) -> Self {
        Self { environment: environment_id.to_owned(), keys }
    }

    /// What is known of all keys, oldest first. No secret.
    pub fn keys(&self) -> &[KeyInfo] {
        &self.keys
    }

    pub fn get(&self, kid: &str) -> Option<&KeyInfo> {
        self.keys.iter().find(|k| k.kid == kid)
    }

    /// The key that signs: the newest that is active.
    pub fn active(&self) -> Option<&KeyInfo> {
        self.keys.iter().rev().find(|k| k.state == KeyState::Active)
    }

    /// A `kid` that is not in use, after the day.
    pub fn free_kid(&self, now: Wall) -> String {
        let day: String = now.rfc3339().chars().take(10).collect();
        let first = format!("key-{day}");
        let more = (2..).map(|n| format!("{first}-{n}"));
        std::iter::once(first.clone()).chain(more).find(|kid| self.get(kid).is_none()).unwrap_or(first)
    }

    /// Adds a key and lets it sign from now on. The one that signed until now stays good for `overlap`, or until it
    /// is retired where there is none.
    pub fn add(
        &mut self,
        vault: &Vault,
        kid: &str,
        key: &SigningKey,
        now: Wall,
        overlap: Option<Duration>,
    ) -> Result<(), Report> {
        check_kid(kid)?;
        if self.get(kid).is_some() {
            return Err(refuse("kid-taken", format!("This environment has a key \"{kid}\" already."))
                .remedy(format!("Choose another kid, for example {}.", self.free_kid(now))));
        }
        self.store(vault, kid, key).inspect_err(|_| {
            // The vault keeps in memory what the keyring refused. The report of the first failure is the one to read.
            let _ = self.vault_key(kid).and_then(|at| vault.delete(&at));
        })?;
        self.hand_over(now, overlap);
        let public_pem = key.public().to_pem();
        self.keys.push(KeyInfo { kid: kid.to_owned(), public_pem, made: now, state: KeyState::Active });
        Ok(())
    }

    /// Lets another key of the ring sign from now on, for example the one of before.
    pub fn activate(&mut self, vault: &Vault, kid: &str, now: Wall, overlap: Option<Duration>) -> Result<(), Report> {
        self.load(vault, kid)?;
        if self.active().is_some_and(|active| active.kid == kid) {
            return Ok(());
        }
        self.hand_over(now, overlap);
        self.set_state(kid, KeyState::Active)
    }

    /// From now on nothing that the key signed is believed. The active one cannot be retired.
    pub fn retire(&mut self, kid: &str) -> Result<(), Report> {
        if self.active().is_some_and(|active| active.kid == kid) {
            return Err(still_active(kid));
        }
        self.set_state(kid, KeyState::Retired)
    }

    /// Removes a key, its private part from the vault first. The active one can be deleted only where it is the last.
    pub fn delete(&mut self, vault: &Vault, kid: &str) -> Result<(), Report> {
        self.known(kid)?;
        if self.keys.len() > 1 && self.active().is_some_and(|active| active.kid == kid) {
            return Err(still_active(kid));
        }
        vault.delete(&self.vault_key(kid)?)?;
        self.keys.retain(|k| k.kid != kid);
        Ok(())
    }

    /// Retires keys whose overlap is over. True where there were any.
    pub fn settle(&mut self, now: Wall) -> bool {
        let mut changed = false;
        for key in self.keys.iter_mut().filter(|k| k.state != KeyState::Retired && !k.is_good(now)) {
            key.state = KeyState::Retired;
            changed = true;
        }
        changed
    }

    /// The active key with its private part.
    pub fn signer(&self, vault: &Vault) -> Result<(String, SigningKey), Report> {
        let active = self.active().ok_or_else(|| {
            refuse("no-active-key", "This environment has no key that signs.").remedy("Make a key, or import one.")
        })?;
        Ok((active.kid.clone(), self.load(vault, &active.kid)?))
    }

    /// A key with its private part.
    pub fn load(&self, vault: &Vault, kid: &str) -> Result<SigningKey, Report> {
        let info = self.known(kid)?;
        let key = self.stored(vault, kid)?;
        if *key.public() != PublicKey::read(info.public_pem.as_bytes())? {
            return Err(refuse(
                "key-mixed-up",
                format!("The private part of \"{kid}\" belongs to another public key."),
            )
            .remedy("Import the right private key under this kid again, or make a new one."));
        }
        Ok(key)
    }

    /// Gives a key whose private part was lost (kept in memory only, another computer) its private part again. What
    /// the keyring refuses stays in memory, as in [`Vault::set`].
    pub fn put_back(&self, vault: &Vault, kid: &str, key: &SigningKey) -> Result<(), Report> {
        if *key.public() != PublicKey::read(self.known(kid)?.public_pem.as_bytes())? {
            return Err(refuse("key-mixed-up", format!("This is not the private part of \"{kid}\"."))
                .remedy("Choose the file of that key, or add this one under a kid of its own.")
                .detail(format!("the public key has the fingerprint {}", key.public().fingerprint())));
        }
        self.store(vault, kid, key)
    }

    /// The claims of a token that a key of this ring has signed, if that key is good at `now`.
    pub fn verify(&self, token: &str, now: Wall) -> Result<Map<String, Value>, Report> {
        let kid = claimed_kid(token)?;
        let key = self.known(&kid)?;
        if !key.is_good(now) {
            return Err(refuse("key-retired", format!("The key \"{kid}\" is retired."))
                .remedy("Sign a new token with the active key."));
        }
        PublicKey::read(key.public_pem.as_bytes())?.verify_rs256(token, Some(&kid))
    }

    /// Stores a private part and makes sure that it can be read again.
    fn store(&self, vault: &Vault, kid: &str, key: &SigningKey) -> Result<(), Report> {
        vault.set(&self.vault_key(kid)?, &key.to_pem()?)?;
        if self.stored(vault, kid)?.public() == key.public() {
            return Ok(());
        }
        Err(refuse("key-mixed-up", "The keyring gave another key back than it took.")
            .remedy("Look into the keyring for an entry of this name, and delete it."))
    }

    fn stored(&self, vault: &Vault, kid: &str) -> Result<SigningKey, Report> {
        let text = vault.get(&self.vault_key(kid)?)?.ok_or_else(|| {
            let place = vault.status().place;
            refuse("key-lost", format!("The private part of \"{kid}\" is not there ({place})."))
                .remedy("Import the same private key again, or make a new one.")
                .remedy("Private keys that were kept in memory only are gone when the program ends; export them first.")
        })?;
        SigningKey::from_pem(text.expose().as_bytes())
    }

    /// The one that signs does so no more, and is good for a while.
    fn hand_over(&mut self, now: Wall, overlap: Option<Duration>) {
        let until = overlap.map(|overlap| now + overlap);
        for key in self.keys.iter_mut().filter(|k| k.state == KeyState::Active) {
            key.state = KeyState::Overlapping { until };
        }
    }

    fn set_state(&mut self, kid: &str, state: KeyState) -> Result<(), Report> {
        let key = self.keys.iter_mut().find(|k| k.kid == kid).ok_or_else(|| unknown(kid))?;
        key.state = state;
        Ok(())
    }

    fn known(&self, kid: &str) -> Result<&KeyInfo, Report> {
        self.get(kid).ok_or_else(|| unknown(kid))
    }

    fn vault_key(&self, kid: &str) -> Result<String, Report> {
        if self.environment.is_empty() {
            return Err(refuse(
                "environment-not-stored",
                "Keys belong to a stored environment; this one comes from a file.",
            )
            .remedy("Open it in the window and save it; it gets an id of its own then."));
        }
        Ok(format!("{}/signing-key/{kid}", self.environment))
    }
}

/// A `kid` is a word of 1 to 64 letters, digits, `.`, `_` and `-`.
pub fn check_kid(kid: &str) -> Result<(), Report> {
    let good = kid.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if good && (1..=64).contains(&kid.len()) {
        return Ok(());
    }
    let what = match kid.len() {
        0 => "It is empty.".to_owned(),
        65.. => format!("It has {} bytes; 64 is the most.", kid.len()),
        _ => {
            let other = kid.chars().find(|c| !(c.is_ascii_alphanumeric() || "._-".contains(*c)));
            format!("It holds {:?}.", other.unwrap_or_default())
        }
    };
    Err(Report::new("kid-invalid", "This kid cannot be used", what)
        .remedy("Use 1 to 64 letters, digits, dots, underscores and hyphens, for example guest-2026-01."))
}

fn unknown(kid: &str) -> Report {
    let shown: String = kid.chars().take(64).collect();
    refuse("kid-unknown", format!("This environment has no key {shown:?}."))
        .remedy("Choose one of its keys, or make one.")
}

fn still_active(kid: &str) -> Report {
    refuse("key-active", format!("\"{kid}\" is the key that signs now."))
        .remedy("Make a new key, or let another one sign, and come back.")
}

fn refuse(code: &str, what: impl Into<String>) -> Report {
    Report::new(code, "The signing key cannot be used so", what)
}
