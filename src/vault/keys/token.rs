//! Signed tokens: compact JWS with RS256 (RFC 7515, RFC 7518) over a JSON object.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{PublicKey, SigningKey, check_kid};
use crate::model::{Report, Secret};

const RS256: &str = "RS256";

/// Longer ones are not looked into.
const LONGEST: usize = 64 * 1024;

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

impl SigningKey {
    /// A token with these claims.
    pub fn sign_rs256(&self, kid: &str, claims: &Map<String, Value>) -> Result<Secret<String>, Report> {
        let failed = |why: &str| {
            Report::new("token-not-signed", "The token could not be signed", "The key refused to sign it.")
                .remedy("Make a new key, or import this one again.")
                .detail(why)
        };
        check_kid(kid)?;
        let header = serde_json::to_vec(&Header { alg: RS256, typ: "JWT", kid }).map_err(|e| failed(&e.to_string()))?;
        let claims = Secret::new(serde_json::to_vec(claims).map_err(|e| failed(&e.to_string()))?);
        // Grown once, for three parts and two dots.
        let mut token = String::with_capacity((header.len() + claims.expose().len() + 1024) * 4 / 3 + 8);
        URL_SAFE_NO_PAD.encode_string(header, &mut token);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims.expose(), &mut token);
        let signature = self.sign(token.as_bytes()).ok_or_else(|| failed("the cryptography library gave no reason"))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(Secret::new(token))
    }
}

impl PublicKey {
    /// The claims of a token that this key has signed with RS256. Where `kid` is given, the token must name it.
    ///
    /// Only algorithm and signature are looked at: whom the token is for and until when is for the caller to compare.
    pub fn verify_rs256(&self, token: &str, kid: Option<&str>) -> Result<Map<String, Value>, Report> {
        let parts = Parts::of(token)?;
        let header = parts.header()?;
        let alg = header.get("alg").and_then(Value::as_str);
        if alg != Some(RS256) {
            let told = alg.map_or("no algorithm".into(), |alg| format!("alg {}", shown(alg)));
            return Err(refuse("token-alg", format!("Its header names {told}; only {RS256} is believed."))
                .remedy("Sign it with RS256 and the private part of this key."));
        }
        if header.contains_key("crit") {
            return Err(refuse("token-crit", "Its header demands extensions (crit) that nobody here understands.")
                .remedy("Sign it without them."));
        }
        if let Some(kid) = kid
            && header.get("kid").and_then(Value::as_str) != Some(kid)
        {
            let told = header.get("kid").map_or("none".into(), |kid| shown(&kid.to_string()));
            return Err(refuse("token-kid", format!("Its header names kid {told}; the key is \"{kid}\"."))
                .remedy("Verify it with the key that it names, or sign it with this one."));
        }
        let signature = URL_SAFE_NO_PAD.decode(parts.signature).map_err(|_| bad_part("signature"))?;
        if !self.has_signed(parts.signed.as_bytes(), &signature) {
            let what = format!("Its signature is not one of the key {}.", self.fingerprint());
            return Err(refuse("token-signature", what)
                .remedy("Check that the public key belongs to the private key that signs, and that kid names it.")
                .remedy("If they belong together, the token was changed on its way."));
        }
        part(parts.claims, "claims")
    }
}

/// Verifies with a public key in SPKI, PEM or DER; see [`PublicKey::verify_rs256`].
pub fn verify_rs256(public: &[u8], token: &str, kid: Option<&str>) -> Result<Map<String, Value>, Report> {
    PublicKey::read(public)?.verify_rs256(token, kid)
}

/// The key that a token says it was signed with. Nothing is verified: good only to find the key to verify it with.
pub fn claimed_kid(token: &str) -> Result<String, Report> {
    let header = Parts::of(token)?.header()?;
    match header.get("kid").and_then(Value::as_str) {
        Some(kid) => check_kid(kid).map(|()| kid.to_owned()),
        None => Err(refuse("token-kid", "Its header names no kid.").remedy("Sign it with a kid, the name of its key.")),
    }
}

struct Parts<'a> {
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
    /// Header and claims with the dot between them.
    signed: &'a str,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, Report> {
        if token.len() > LONGEST {
            return Err(refuse("token-shape", "It is longer than 64 KiB."));
        }
        let found = token.rsplit_once('.').and_then(|(signed, signature)| {
            let (header, claims) = signed.split_once('.')?;
            (!claims.contains('.')).then_some(Self { header, claims, signature, signed })
        });
        found.ok_or_else(|| {
            let parts = token.split('.').count();
            refuse("token-shape", format!("It has {parts} parts between dots; a signed token has three."))
                .remedy("Check that all of it was copied.")
        })
    }

    fn header(&self) -> Result<Map<String, Value>, Report> {
        part(self.header, "header")
    }
}

/// Base64url without padding of a JSON object.
fn part(text: &str, name: &str) -> Result<Map<String, Value>, Report> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad_part(name))?;
    serde_json::from_slice(&bytes).map_err(|_| {
        refuse("token-shape", format!("Its {name} is not a JSON object.")).remedy("Check that all of it was copied.")
    })
}

fn bad_part(name: &str) -> Report {
    refuse("token-shape", format!("Its {name} is not base64url.")).remedy("Check that all of it was copied.")
}

fn refuse(code: &str, what: impl Into<String>) -> Report {
    Report::new(code, "The signed token is not believed", what)
}

/// A word of the token's header, which anybody may have written.
fn shown(word: &str) -> String {
    format!("{:?}", word.chars().take(40).collect::<String>())
}
