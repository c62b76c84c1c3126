//! Looks into a signed token without verifying it: what it is, for whom, and until when.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use crate::model::Wall;

/// Tolerant of padding and of stray bits: this is for looking, not for trusting.
const LOOSE: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Longer ones are not looked into.
const LONGEST: usize = 64 * 1024;

/// Header and claims. The signature is not kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Jwt {
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
}

impl Jwt {
    /// None where it is not three parts of which the first two are JSON objects.
    pub fn decode(token: &str) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let mut parts = token.trim().split('.');
        let header = part(parts.next()?)?;
        let claims = part(parts.next()?)?;
        parts.next()?;
        parts.next().is_none().then_some(Self { header, claims })
    }

    /// `exp`, in seconds since the epoch on the wire (RFC 7519, 4.1.4).
    pub fn expires(&self) -> Option<Wall> {
        instant(self.claims.get("exp")?)
    }

    /// `iat`, in seconds since the epoch on the wire (RFC 7519, 4.1.6).
    pub fn issued(&self) -> Option<Wall> {
        instant(self.claims.get("iat")?)
    }

    /// Header and claims as one value, for showing.
    pub fn view(&self) -> Value {
        serde_json::json!({ "header": self.header, "claims": self.claims })
    }
}

fn part(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&LOOSE.decode(text).ok()?).ok()
}

/// Whole or broken seconds, or a string of them.
fn instant(value: &Value) -> Option<Wall> {
    let secs = match value {
        Value::Number(n) => match n.as_i64() {
            Some(whole) => return Some(Wall::from_secs(whole)),
            None => n.as_f64()?,
        },
        Value::String(s) => s.trim().parse().ok()?,
        _ => return None,
    };
    // `as` saturates, and NaN was never a JSON number.
    secs.is_finite().then_some(Wall((secs * 1e6) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(claims: &str) -> String {
        let e = |s: &str| LOOSE.encode(s).trim_end_matches('=').to_owned();
        format!("{}.{}.c2lnbmF0dXJl", e(r#"{"alg":"RS256"}"#), e(claims))
    }

    #[test]
    fn tells_claims_and_times_but_never_the_signature() {
        let jwt = Jwt::decode(&token(r#"{"exp":1767705975,"iat":1767705915.5,"sub":"é"}"#)).unwrap();
        assert_eq!(jwt.expires(), Some(Wall::from_secs(1_767_705_975)));
        assert_eq!(jwt.issued(), Some(Wall(1_767_705_915_500_000)));
        assert_eq!(jwt.view()["claims"]["sub"], "é");
        assert!(!format!("{jwt:?}{}", jwt.view()).contains("c2ln"));
    }

    #[test]
    fn takes_times_as_they_come() {
        for (exp, wanted) in [
            ("\"1767705975\"", Some(Wall::from_secs(1_767_705_975))),
            ("null", None),
            ("[1]", None),
            ("\"soon\"", None),
            ("1e300", Some(Wall(i64::MAX))),
            ("9223372036854775807", Some(Wall(i64::MAX))),
            ("-5", Some(Wall::from_secs(-5))),
        ] {
            assert_eq!(Jwt::decode(&token(&format!("{{\"exp\":{exp}}}"))).unwrap().expires(), wanted, "{exp}");
        }
    }

    #[test]
    fn what_is_no_token_is_none() {
        for text in ["", ".", "..", "a.b.c", "eyJ…", "e30.e30", "e30.e30.x.y", "e30.W10.x", "[jwt#1]"] {
            assert_eq!(Jwt::decode(text), None, "{text}");
        }
        assert!(Jwt::decode("e30=.e30=.x").is_some());
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,80}") {
            let _ = Jwt::decode(&text);
            if let Some(jwt) = Jwt::decode(&format!("e30.{}.x", LOOSE.encode(&text))) {
                let _ = (jwt.expires(), jwt.issued());
            }
        }
    }
}
