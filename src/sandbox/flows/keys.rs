//! Public keys of guests' tokens, several side by side, and the checks of what was signed with them.

use std::collections::BTreeMap;

use aws_lc_rs::rsa::PublicKey;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaParameters};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use super::fields::told;
use crate::model::Wall;

/// Keys at once.
const MANY: usize = 100;
/// Smallest key in bits.
const BITS: u32 = 2048;

#[derive(Default)]
pub(in crate::sandbox) struct Keys {
    by_kid: BTreeMap<String, ParsedPublicKey>,
    /// What was removed or replaced last, so that it can be put back.
    before: BTreeMap<String, ParsedPublicKey>,
}

impl Keys {
    /// Takes in a key (SPKI in PEM), or says what is wrong with it.
    pub(in crate::sandbox) fn set(&mut self, kid: &str, pem: &str) -> Result<(), String> {
        if kid.trim().is_empty() {
            return Err("kid: it is empty".to_owned());
        }
        if self.by_kid.len() >= MANY && !self.by_kid.contains_key(kid) {
            return Err(format!("kid: there are {MANY} keys already; remove one first"));
        }
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "public_key: it is not a PEM section “PUBLIC KEY”".to_owned())?;
        let not_rsa = |_| "public_key: it is not an RSA key".to_owned();
        let rsa = PublicKey::from_der(&der).map_err(not_rsa)?;
        let bits = RsaParameters::public_modulus_len(rsa.as_ref())
            .map_err(|_| "public_key: its size cannot be told".to_owned())?;
        if bits < BITS {
            return Err(format!("public_key: {bits} bits are fewer than {BITS}"));
        }
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &der).map_err(not_rsa)?;
        let replaced = self.by_kid.insert(kid.to_owned(), key);
        self.remember(kid, replaced);
        Ok(())
    }

    pub(in crate::sandbox) fn remove(&mut self, kid: &str) -> Result<(), String> {
        let removed = self.by_kid.remove(kid).ok_or_else(|| format!("kid: there is no key {}", told(kid)))?;
        self.remember(kid, Some(removed));
        Ok(())
    }

    /// The key that the kid had before the last change.
    pub(in crate::sandbox) fn put_back(&mut self, kid: &str) -> Result<(), String> {
        let none = || format!("public_key: {} had no other key before", told(kid));
        let key = self.before.remove(kid).ok_or_else(none)?;
        let replaced = self.by_kid.insert(kid.to_owned(), key);
        self.remember(kid, replaced);
        Ok(())
    }

    fn remember(&mut self, kid: &str, key: Option<ParsedPublicKey>) {
        if self.before.len() < MANY || self.before.contains_key(kid) {
            key.and_then(|key| self.before.insert(kid.to_owned(), key));
        }
    }

    pub(in crate::sandbox) fn kids(&self) -> impl Iterator<Item = &str> {
        self.by_kid.keys().map(String::as_str)
    }

    /// Checks a token of a guest; its `guestId`, or what is wrong with it. The times are judged at `at`.
    pub(super) fn check(&self, token: &str, at: Wall, leeway_secs: u32) -> Result<String, String> {
        let parts: Vec<&str> = token.split('.').collect();
        let [head, claims, signature] = parts[..] else {
            return Err(format!("a JWT has three parts, this has {}", parts.len()));
        };
        let read = |part: &str, name: &str| -> Result<Value, String> {
            let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| format!("its {name} is not base64url"))?;
            match serde_json::from_slice(&bytes) {
                Ok(value @ Value::Object(_)) => Ok(value),
                _ => Err(format!("its {name} is not a JSON object")),
            }
        };
        let header = read(head, "header")?;
        if header.get("alg").and_then(Value::as_str) != Some("RS256") {
            return Err("alg must be RS256".to_owned());
        }
        let Some(kid) = header.get("kid").and_then(Value::as_str).filter(|k| !k.is_empty()) else {
            return Err("kid is missing".to_owned());
        };
        let key = self.by_kid.get(kid).ok_or_else(|| format!("unknown kid {}", told(kid)))?;
        let failed = || format!("signature verification failed (kid {})", told(kid));
        let bytes = URL_SAFE_NO_PAD.decode(signature).map_err(|_| failed())?;
        key.verify_sig(format!("{head}.{claims}").as_bytes(), &bytes).map_err(|_| failed())?;
        let claims = read(claims, "claims part")?;
        let seconds = |name: &str| {
            claims.get(name).and_then(Value::as_f64).ok_or_else(|| format!("{name} is missing or not a number"))
        };
        let (exp, iat, now) = (seconds("exp")?, seconds("iat")?, at.as_secs_f64());
        if exp <= now {
            return Err(format!("expired {:.0} s ago", (now - exp).floor()));
        }
        if iat > now + f64::from(leeway_secs) {
            let ahead = (iat - now).ceil();
            return Err(format!("issued in the future: {ahead:.0} s, more than {leeway_secs} s"));
        }
        match claims.get("guestId").and_then(Value::as_str).filter(|g| !g.is_empty()) {
            Some(guest) => Ok(guest.to_owned()),
            None => Err("guestId is missing".to_owned()),
        }
    }
}
