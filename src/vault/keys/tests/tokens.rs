//! Signed tokens: only what a key has signed, with RS256 and as it stands, is believed.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{PublicKey, claimed_kid, verify_rs256};
use super::{PAIRS, fixture};
use crate::model::Report;

fn claims() -> Map<String, Value> {
    let claims = json!({ "guestId": "g-1", "iat": 1_790_000_000, "exp": 1_790_000_300, "name": "Zoë" });
    claims.as_object().unwrap().clone()
}

static TOKEN: LazyLock<String> = LazyLock::new(|| PAIRS[0].sign_rs256("k1", &claims()).unwrap().expose().clone());

fn refused(token: &str) -> Report {
    PAIRS[0].public().verify_rs256(token, None).unwrap_err()
}

fn header_of(token: &str) -> Value {
    serde_json::from_slice(&B64.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
}

/// A token with this header, whose signature is as good as the signer can make it.
fn with_header(header: &Value) -> String {
    let signed = format!("{}.{}", B64.encode(header.to_string()), B64.encode(Value::from(claims()).to_string()));
    let signature = PAIRS[0].sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", B64.encode(signature))
}

#[test]
fn a_signed_token_tells_its_claims_to_whoever_has_the_public_key() {
    assert_eq!(header_of(&TOKEN), json!({ "alg": "RS256", "typ": "JWT", "kid": "k1" }));
    assert_eq!(TOKEN.split('.').count(), 3);
    for kid in [None, Some("k1")] {
        assert_eq!(verify_rs256(PAIRS[0].public().to_pem().as_bytes(), &TOKEN, kid).unwrap(), claims());
    }
    assert_eq!(claimed_kid(&TOKEN).unwrap(), "k1");
}

#[test]
fn the_example_of_the_standard_is_verified() {
    let token = concat!(
        "eyJhbGciOiJSUzI1NiJ9.",
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CU",
        "Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d",
        "O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig",
        "cN_IoypGlUPQGe77Rw"
    );
    let public = PublicKey::read(fixture!("rfc7515-a2-public").as_bytes()).unwrap();
    let claims = public.verify_rs256(token, None).unwrap();
    assert_eq!(claims["iss"], "joe");
    assert_eq!(public.verify_rs256(token, Some("k1")).unwrap_err().code, "token-kid");
    assert_eq!(claimed_kid(token).unwrap_err().code, "token-kid");
}

#[test]
fn a_token_of_another_key_is_refused() {
    assert_eq!(PAIRS[1].public().verify_rs256(&TOKEN, None).unwrap_err().code, "token-signature");
    assert_eq!(PAIRS[0].public().verify_rs256(&TOKEN, Some("k2")).unwrap_err().code, "token-kid");
}

#[test]
fn no_other_algorithm_is_believed() {
    let (_, rest) = TOKEN.split_once('.').unwrap();
    for alg in ["none", "None", "", "HS256", "RS512", "PS256", "rs256", "ES256"] {
        // With the signature of the true token, with none, and signed anew by the right key.
        let header = json!({ "alg": alg, "typ": "JWT", "kid": "k1" });
        let first = B64.encode(header.to_string());
        let payload = rest.split('.').next().unwrap();
        for token in [format!("{first}.{rest}"), format!("{first}.{payload}."), with_header(&header)] {
            assert_eq!(refused(&token).code, "token-alg", "{alg}");
        }
    }
    for header in [json!({}), json!({ "alg": null }), json!({ "alg": ["RS256"] })] {
        assert_eq!(refused(&with_header(&header)).code, "token-alg", "{header}");
    }
    // An unsigned token that says RS256.
    let unsigned = TOKEN.rsplit_once('.').unwrap().0;
    assert_eq!(refused(&format!("{unsigned}.")).code, "token-signature");
}

#[test]
fn the_public_key_is_no_shared_secret() {
    let public = PAIRS[0].public();
    let secrets = [public.to_pem().into_bytes(), public.to_pem().trim().as_bytes().to_vec()];
    for secret in secrets {
        let mac = |alg: &str| {
            let header = json!({ "alg": alg, "typ": "JWT", "kid": "k1" });
            let signed =
                format!("{}.{}", B64.encode(header.to_string()), B64.encode(Value::from(claims()).to_string()));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
            format!("{signed}.{}", B64.encode(tag))
        };
        assert_eq!(refused(&mac("HS256")).code, "token-alg");
        assert_eq!(refused(&mac("RS256")).code, "token-signature");
    }
}

#[test]
fn what_is_no_signed_token_is_refused() {
    let [header, payload, signature] = TOKEN.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    for token in [
        "".into(),
        "..".into(),
        "a.b.c".into(),
        format!("{header}.{payload}"),
        format!("{}.x", *TOKEN),
        format!(" {}", *TOKEN),
        format!("{}\n", *TOKEN),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}.{signature}="),
        format!("{}.{payload}.{signature}", B64.encode("[1]")),
        "é.é.é".into(),
        "x".repeat(70_000),
    ] {
        let report = refused(&token);
        assert_eq!(report.code, "token-shape", "{token}");
    }
    // Signed, but not over claims.
    let signed = format!("{header}.{}", B64.encode("\"text\""));
    let token = format!("{signed}.{}", B64.encode(PAIRS[0].sign(signed.as_bytes()).unwrap()));
    assert_eq!(refused(&token).code, "token-shape");
    assert_eq!(refused(&with_header(&json!({ "alg": "RS256", "crit": ["b64"], "b64": false }))).code, "token-crit");
}

#[test]
fn a_report_holds_no_part_of_the_token() {
    let [_, payload, signature] = TOKEN.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    for token in [format!("{}.{payload}.{signature}", B64.encode("{}")), TOKEN.replace('.', ".."), TOKEN.to_lowercase()]
    {
        let text = refused(&token).text();
        assert!(!text.contains(payload) && !text.contains(signature), "{text}");
    }
    let long = with_header(&json!({ "alg": "x".repeat(5000) }));
    assert!(refused(&long).text().len() < 500);
}

#[test]
fn a_kid_is_one_short_word() {
    for kid in ["k", "guest-2026-01", "A.b_c-9", &"x".repeat(64)] {
        assert!(PAIRS[0].sign_rs256(kid, &claims()).is_ok(), "{kid}");
    }
    for kid in ["", " ", "a b", "a/b", "é", "a\n", "\"", &"x".repeat(65)] {
        assert_eq!(PAIRS[0].sign_rs256(kid, &claims()).unwrap_err().code, "kid-invalid", "{kid}");
        assert_eq!(claimed_kid(&with_header(&json!({ "alg": "RS256", "kid": kid }))).unwrap_err().code, "kid-invalid");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_refused(text in ".{0,60}|[A-Za-z0-9_-]{0,20}(\\.[A-Za-z0-9_-]{0,40}){1,4}") {
        prop_assert!(PAIRS[0].public().verify_rs256(&text, None).is_err());
        prop_assert!(claimed_kid(&text).is_err());
    }

    #[test]
    fn a_token_that_was_changed_is_refused(at in 0..TOKEN.len(), c in "[A-Za-z0-9_.=-]") {
        let mut token = TOKEN.clone();
        prop_assume!(token[at..=at] != c);
        token.replace_range(at..=at, &c);
        prop_assert!(PAIRS[0].public().verify_rs256(&token, None).is_err());
    }

    #[test]
    fn claims_that_were_changed_are_refused(name in "[a-z]{1,6}", value in any::<i64>()) {
        let mut changed = claims();
        changed.insert(name, value.into());
        let [header, _, signature] = TOKEN.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
        let token = format!("{header}.{}.{signature}", B64.encode(Value::from(changed).to_string()));
        prop_assert_eq!(refused(&token).code, "token-signature");
    }

    #[test]
    fn a_header_that_was_changed_is_refused(name in "[a-z]{1,6}", value in any::<i64>()) {
        let mut changed = header_of(&TOKEN);
        changed[name] = value.into();
        let (_, rest) = TOKEN.split_once('.').unwrap();
        let token = format!("{}.{rest}", B64.encode(changed.to_string()));
        prop_assert!(PAIRS[0].public().verify_rs256(&token, None).is_err());
    }

    #[test]
    fn only_the_key_that_signed_verifies(guest in ".{0,30}", signer in 0..2usize) {
        let claims = Map::from_iter([("guestId".to_owned(), Value::from(guest))]);
        let token = PAIRS[signer].sign_rs256("k", &claims).unwrap();
        prop_assert_eq!(PAIRS[signer].public().verify_rs256(token.expose(), Some("k")).unwrap(), claims);
        prop_assert!(PAIRS[1 - signer].public().verify_rs256(token.expose(), Some("k")).is_err());
    }
}
