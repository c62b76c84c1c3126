//! The door as a whole: examples of every shape and encoding, then properties over random payloads.

use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use base64::prelude::*;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::record::{HttpRequest, HttpResponse};
use crate::model::{Direction, Kind, Now, SessionId};

const TOKEN: &str = "7f0c3a52-3a55-4f2e-9b6d-2a8f2b7c1d10";
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJndWVzdCJ9.c2lnbmF0dXJl-_x";

/// Of no key; of the form of one.
pub(super) const PEM: &str = concat!(
    "-----BEGIN PRIVATE KEY-----\n",
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXO\n",
    "eyJhbGciOiJub25lIn0ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop/+\n",
    "k3Qu3U=\n",
    "-----END PRIVATE KEY-----"
);

pub(super) fn clean(text: &str) -> String {
    let redactor = Redactor::default();
    let out = redactor.text(text).into_owned();
    assert_eq!(redactor.text(&out), out, "a second time");
    out
}

fn draft(kind: Kind) -> Draft {
    Draft::new(Now::default(), SessionId(1), kind, Direction::Sent)
}

#[test]
fn shapes_are_replaced_where_they_stand() {
    let j = |seg: &str| JWT.replace(".c2lnbmF0dXJl-_x", seg);
    let cases = [
        (format!(r#"{{"action":"echo","token":"{TOKEN}"}}"#), r#"{"action":"echo","token":"[session-token#1]"}"#),
        (format!(r#"{{"jwt":"{JWT}","exp":1}}"#), r#"{"jwt":"[jwt#1]","exp":1}"#),
        (format!("see {} here", j(".")), "see [jwt#1] here"),
        (format!("see {}.", j(".sig")), "see [jwt#1]."),
        (
            r#"{"access_token":"tok","token_type":"bearer"}"#.into(),
            r#"{"access_token":"[access-token#1]","token_type":"bearer"}"#,
        ),
        (
            r#"{"jwt" : "a\"b\\c", "refreshToken":"r1"}"#.into(),
            r#"{"jwt" : "[jwt#1]", "refreshToken":"[refresh-token#1]"}"#,
        ),
        ("Authorization: Bearer abc123def456".into(), "Authorization: Bearer [access-token#1]"),
        ("authorization: abc123".into(), "authorization: [access-token#1]"),
        ("it said 'Bearer abc123def456', then".into(), "it said 'Bearer [access-token#1]', then"),
        (
            "Proxy-Authorization: Basic dXNlcjpwYXNz\r\nHost: x".into(),
            "Proxy-Authorization: Basic [client-secret#1]\r\nHost: x",
        ),
        ("Cookie: a=1; sid=\"x y\"; flag\r\n".into(), "Cookie: a=[cookie#1]; sid=[cookie#2]; [cookie#3]\r\n"),
        ("Set-Cookie: sid=abc; Path=/; HttpOnly".into(), "Set-Cookie: sid=[cookie#1]; Path=/; HttpOnly"),
        (
            "grant_type=refresh_token&refresh_token=a%2Fb&client_id=c".into(),
            "grant_type=refresh_token&refresh_token=[refresh-token#1]&client_id=c",
        ),
        (
            "grant_type=authorization_code&code=Xy-1&code_verifier=v9v9".into(),
            "grant_type=authorization_code&code=[secret#1]&code_verifier=[secret#2]",
        ),
        ("http://127.0.0.1:9/?code=Xy-1&state=s".into(), "http://127.0.0.1:9/?code=[secret#1]&state=s"),
        (
            r#"{"oauth":{"code":"aB3","redirectUri":"x"}}"#.into(),
            r#"{"oauth":{"code":"[secret#1]","redirectUri":"x"}}"#,
        ),
        (
            "https://b.s3/k?X-Amz-Credential=AK%2F1&X-Amz-Date=2&X-Amz-Signature=00ff&sig=9".into(),
            "https://b.s3/k?X-Amz-Credential=[signature#1]&X-Amz-Date=2&X-Amz-Signature=[signature#2]&sig=[signature#3]",
        ),
        ("socks5://me:p%40ss@proxy:1080/".into(), "socks5://me:[password#1]@proxy:1080/"),
        (
            r#"{"name":"authorization","value":"Bearer abc"}"#.into(),
            r#"{"name":"authorization","value":"Bearer [access-token#1]"}"#,
        ),
        (r#"{"set-cookie":["a=1; Path=/","b=2"]}"#.into(), r#"{"set-cookie":["a=[cookie#1]; Path=/","b=[cookie#2]"]}"#),
        (
            r#"{"text":"{\"token\":\"abc\\\"d\",\"n\":1}"}"#.into(),
            r#"{"text":"{\"token\":\"[session-token#1]\",\"n\":1}"}"#,
        ),
        ("next=%2Fcb%3Faccess_token%3Dabc%26x%3D1".into(), "next=%2Fcb%3Faccess_token%3D[access-token#1]%26x%3D1"),
        ("{\n  \"Authorization\": \"\\\\\"\n  }".into(), "{\n  \"Authorization\": \"[access-token#1]\"\n  }"),
        ("client_secret: hunter22\n".into(), "client_secret: [client-secret#1]\n"),
        (r#"{"password":"cut off in the mid"#.into(), r#"{"password":"[password#1]"#),
        (
            "Authorization: AWS4-HMAC-SHA256 Credential=A/b, Signature=00".into(),
            "Authorization: AWS4-HMAC-SHA256 [access-token#1]",
        ),
    ];
    for (input, wanted) in cases {
        assert_eq!(clean(&input), wanted);
    }
}

#[test]
fn what_is_no_secret_stays() {
    for text in [
        r#"{"type":"response","class":"JwtResponse","code":200,"body":{"text":"my token is lost"},"tracingId":"a1"}"#,
        r#"{"message":"No authentication bearer token specified in authorization header.","code":"authentication.required","status":401}"#,
        r#"{"code":"invalid.redirect_uri","message":"redirect_uri is wrong"}"#,
        r#"{"code":"sign-in-timed-out","what":"Register the redirect URI."}"#,
        r#"{"headers":{"x-amz-tagging":"organizationId=1234"},"url":"http://127.0.0.1:8089/upload/b1"}"#,
        r#"{"token":null,"password":"","secret":12345678,"jwt":true}"#,
        r#"["url","https://login.mypurecloud.de/oauth/token","purpose"]"#,
        "Wrong password: try again. The token: none.",
        "100% of cookies: taken \\o/ https://user@host/path",
        "nextPageToken=abc&page=2",
        "[session-token#1] and [jwt#22]",
    ] {
        assert_eq!(clean(text), text);
    }
}

#[test]
fn a_value_seen_once_is_found_in_every_encoding_afterwards() {
    let redactor = Redactor::default();
    let value = r#"s3cr3t/with+"odd" &chars<ü>"#;
    let head = redactor.text(&json!({ "client_secret": value }).to_string()).into_owned();
    assert_eq!(head, r#"{"client_secret":"[client-secret#1]"}"#);
    for (name, encoded) in encodings(value) {
        let out = redactor.text(&format!("<{encoded}>")).into_owned();
        assert!(out.contains("[client-secret#1]") && !out.contains(&encoded), "{name}: {out}");
    }
    let basic = BASE64_STANDARD.encode(format!("id-of-client:{value}"));
    assert_eq!(redactor.text(&format!("Basic {basic}")), "Basic [client-secret#2]");
    assert!(!redactor.text(&format!("x={basic};")).contains(&basic));
}

#[test]
fn a_backslash_that_escapes_nothing_is_part_of_the_value() {
    let redactor = Redactor::default();
    redactor.text(r#"password='ab\q cdefgh'"#);
    assert_eq!(redactor.text(r"it was ab\q cdefgh!"), "it was [password#1]!");
}

#[test]
fn a_basic_header_gives_its_password_away() {
    let redactor = Redactor::default();
    redactor.text(&format!("Authorization: Basic {}", BASE64_STANDARD.encode("id:s3cr3t-of-id")));
    assert_eq!(redactor.text("it was s3cr3t-of-id!"), "it was [client-secret#2]!");
}

#[test]
fn heads_stay_what_they_were() {
    let redactor = Redactor::default();
    redactor.learn(SecretKind::Password, "headers");
    redactor.learn(SecretKind::Password, "1234567");
    let request = HttpRequest {
        method: "GET".into(),
        url: "https://api.x/y?access_token=abc\"def&z=1#f".into(),
        version: "HTTP/1.1".into(),
        headers: vec![
            ("Authorization".into(), format!("Bearer {JWT}")),
            ("cookie".into(), "a=\"q\"; b=c".into()),
            ("X-Note".into(), "headers\nheaders".into()),
            ("x-amz-tagging".into(), "organizationId=1234".into()),
        ],
        purpose: "token".into(),
        tracing: None,
    };
    let out = redactor.scrub(draft(Kind::HttpRequest).head(&request).body(format!("a {JWT}")));
    assert!(out.flags.has(Flags::REDACTED));
    assert_eq!(out.size, JWT.len() as u64 + 2);
    assert_eq!(&out.body[..], b"a [jwt#1]");
    let back: HttpRequest = serde_json::from_str(&out.head).unwrap();
    assert_eq!(back.url, "https://api.x/y?access_token=[access-token#1]\"def&z=1#f");
    assert_eq!(back.headers[0].1, "Bearer [jwt#1]");
    assert_eq!(back.headers[1].1, "a=[cookie#1]; b=[cookie#2]");
    assert_eq!(back.headers[2].1, "[password#1]\n[password#1]");
    assert_eq!((&back.headers[3], back.purpose.as_str()), (&request.headers[3], "token"));

    let answer = HttpResponse { wait_us: 1_234_567, reason: "1234567".into(), ..HttpResponse::default() };
    let out = redactor.scrub(draft(Kind::HttpResponse).head(&answer));
    let back: HttpResponse = serde_json::from_str(&out.head).unwrap();
    assert_eq!((back.wait_us, back.reason.as_str()), (1_234_567, "[password#2]"));
}

#[test]
fn a_payload_without_secrets_is_given_back_as_it_is() {
    let redactor = Redactor::default();
    redactor.learn(SecretKind::SessionToken, TOKEN);
    let body = Bytes::from_static(br#"{"type":"message","code":200,"body":{"text":"tok%20en \"x\" \u00e4"}}"#);
    let out = redactor.bytes(body.clone());
    assert_eq!(out.as_ptr(), body.as_ptr());
    assert!(matches!(redactor.text("nothing here"), Cow::Borrowed(_)));
    assert!(!redactor.scrub(draft(Kind::Text).body(body)).flags.has(Flags::REDACTED));
}

#[test]
fn binary_payloads_lose_plain_and_base64_forms() {
    let redactor = Redactor::default();
    redactor.learn(SecretKind::SessionToken, TOKEN);
    let mut body = vec![0xff, 0x00, 0x80];
    body.extend_from_slice(TOKEN.as_bytes());
    body.extend_from_slice(&[0xfe, b'\\', b'%']);
    body.extend_from_slice(BASE64_STANDARD.encode(format!("x{TOKEN}")).as_bytes());
    body.resize(200_000, 0xff);
    let out = redactor.bytes(body.into());
    assert!(memchr::memmem::find(&out, TOKEN.as_bytes()).is_none());
    assert_eq!(memchr::memmem::find_iter(&out, b"[session-token#1]").count(), 2);
}

#[test]
fn overlapping_values_leave_no_rest() {
    let redactor = Redactor::default();
    redactor.learn(SecretKind::Other, "abcdefgh");
    redactor.learn(SecretKind::Other, "efghijklmn");
    redactor.learn(SecretKind::Other, "cdefgh");
    assert_eq!(redactor.text("-abcdefghijklmn-"), "-[secret#2]-");
    assert_eq!(redactor.text("-cdefgh-abcdefgh"), "-[secret#3]-[secret#1]");
    redactor.learn(SecretKind::Jwt, "aaaaaaaa");
    assert_eq!(redactor.text("aaaaaaaaaaaaaaaaaaaa!"), "[jwt#1]!");
}

#[test]
fn a_secret_in_quotes_of_its_own_is_found_where_it_is_all() {
    let redactor = Redactor::default();
    redactor.learn(SecretKind::Other, "\"quoted secret\"");
    assert_eq!(redactor.text("\"quoted secret\" "), "[secret#1] ");
    assert_eq!(redactor.text(r#"["\"quoted secret\""]"#), r#"["[secret#1]"]"#);
}

#[test]
fn short_values_vanish_only_beside_their_name() {
    let redactor = Redactor::default();
    assert_eq!(redactor.learn(SecretKind::Password, "abc"), "[password#1]");
    assert_eq!(redactor.text("abc password=abc abc"), "abc password=[password#1] abc");
    assert_eq!(redactor.learn(SecretKind::Password, ""), "");
}

#[test]
fn placeholders_are_revealed_by_an_explicit_act() {
    let redactor = Redactor::default();
    redactor.learn(SecretKind::SessionToken, TOKEN);
    assert_eq!(redactor.placeholder(TOKEN).as_deref(), Some("[session-token#1]"));
    assert_eq!(redactor.reveal("[session-token#1]").unwrap().expose(), TOKEN);
    assert!(redactor.reveal("[session-token#2]").is_none());
    let all = redactor.reveal_all("é[[session-token#1]] [jwt#1]");
    assert_eq!(all.expose(), &format!("é[{TOKEN}] [jwt#1]"));
    assert!(!format!("{redactor:?}").contains("7f0c"));
}

#[test]
fn a_learnt_value_that_looks_like_a_placeholder_does_no_harm() {
    let redactor = Redactor::default();
    for value in ["session-token", "[jwt#1]x", "token#1]", "jwt#1]secret", "on#1][jwt"] {
        redactor.learn(SecretKind::Other, value);
    }
    let text = "[session-token#1][jwt#1]secret token#1] [jwt#1]x";
    let out = redactor.text(text).into_owned();
    assert!(out.starts_with("[session-token#1][jwt#1]secret "), "{out}");
    assert_eq!(redactor.text(&out), out);
}

#[test]
fn reports_are_redacted_in_every_text() {
    let redactor = Redactor::default();
    redactor.learn(SecretKind::Password, "hunter22");
    let report = Report::new("x", "hunter22", "hunter22").remedy("hunter22").detail("http://u:hunter22@h");
    let out = redactor.report(report);
    assert_eq!((out.title.as_str(), out.what.as_str()), ("[password#1]", "[password#1]"));
    assert_eq!((out.remedies[0].as_str(), out.details[0].as_str()), ("[password#1]", "http://u:[password#1]@h"));
}

#[test]
fn a_flood_of_triggers_is_read_in_linear_time() {
    // Quadratic reading of any of these would take minutes.
    let redactor = Redactor::default();
    for piece in [
        "eyJ",
        "token=",
        "\"token\":\"",
        "://",
        "grant_type=",
        "Bearer ",
        "\\\"",
        "%2525",
        "[jwt#1",
        "cookie:",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----MIIEvQIBADANBgkqhkiG9w0BA",
        "PRIVATE",
    ] {
        let text = piece.repeat(1_000_000 / piece.len());
        redactor.text(&text);
    }
    redactor.learn(SecretKind::Other, "abababababab");
    redactor.text(&"ab".repeat(300_000));
    redactor.text(&format!("{{\"a\":\"{}\"}}", "123456\\n".repeat(50_000)));
}

/// A value as other programs write it.
fn encodings(value: &str) -> Vec<(&'static str, String)> {
    const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'\'').add(b'&').add(b'%');
    let url = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    let quoted = serde_json::to_string(value).unwrap();
    let json = quoted[1..quoted.len() - 1].to_owned();
    let html_safe: String = json
        .chars()
        .map(|c| match c {
            '&' | '<' | '>' | '\'' => format!("\\u{:04X}", c as u32),
            c if !c.is_ascii() => c.encode_utf16(&mut [0; 2]).iter().map(|u| format!("\\u{u:04x}")).collect(),
            c => c.to_string(),
        })
        .collect();
    vec![
        ("plain", value.to_owned()),
        ("upper hex", url.clone()),
        ("lower hex", lower_hex(&url)),
        ("query", utf8_percent_encode(value, QUERY).to_string()),
        ("form", url::form_urlencoded::byte_serialize(value.as_bytes()).collect()),
        ("json", json.clone()),
        ("json with slashes escaped", json.replace('/', "\\/")),
        ("html-safe json", html_safe),
        ("base64", BASE64_STANDARD.encode(value)),
        ("base64 without padding", BASE64_STANDARD_NO_PAD.encode(value)),
        ("url-safe base64", URL_SAFE.encode(value)),
        ("base64 in a longer text", STANDARD.encode(format!("id:{value}/x"))),
        ("url-safe base64 in a longer text", URL_SAFE_NO_PAD.encode(format!("i:{value}"))),
        ("base64, percent-escaped", utf8_percent_encode(&STANDARD.encode(value), NON_ALPHANUMERIC).to_string()),
        ("base64, in json", STANDARD.encode(value).replace('/', "\\/")),
    ]
}

fn lower_hex(url: &str) -> String {
    let mut out = String::new();
    let mut hex = 0;
    for c in url.chars() {
        hex = if c == '%' { 3 } else { hex };
        out.push(if hex > 0 { c.to_ascii_lowercase() } else { c });
        hex -= i32::from(hex > 0);
    }
    out
}

/// Text that does not end in the middle of an escape, which would change what follows it.
fn surroundings() -> impl Strategy<Value = String> {
    proptest::string::string_regex(r#"([ -~äé漢😀]{0,20}[ ,:;<>|!])?"#)
        .unwrap()
        .prop_filter("ends in an escape", |s| !s.contains('\\') && !s.contains('%'))
}

fn secret() -> impl Strategy<Value = String> {
    proptest::string::string_regex(r#"[A-Za-z0-9 "\\/&<>%+=?#.~'_\-äß€😀\n]{8,40}"#).unwrap()
}

fn json_value() -> impl Strategy<Value = Value> {
    let names = prop_oneof![
        "[a-z]{1,8}",
        Just("token".into()),
        Just("jwt".into()),
        Just("cookie".into()),
        Just("Authorization".into()),
        Just("code".into()),
        Just("redirect_uri".into()),
        Just("password".into()),
    ];
    let texts = prop_oneof![
        r#"[ -~\\"é\n]{0,30}"#,
        Just("sec\"ret\\val/ue".to_owned()),
        Just("12345678".to_owned()),
        Just(format!("https://a:b@c/?token={TOKEN}&sig=x#y")),
        Just(format!("Bearer {JWT}")),
        Just(PEM.to_owned()),
        Just(r#"{"token":"a\"b","n":[1]}"#.to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(12345678)),
        texts.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((names.clone(), inner), 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

/// Pieces that mean something to the redactor, and noise.
fn messy() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        r#"[ -~é]{0,6}"#,
        proptest::sample::select(vec![
            "token",
            "\"token\":\"",
            "jwt=",
            "cookie: ",
            "set-cookie: a=",
            "Authorization: ",
            "Bearer ",
            "Basic aWQ6c2VjcmV0",
            "eyJhbGciOiJub25lIn0.e30.",
            "-----BEGIN PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----\\n",
            "-----END PRIVATE KEY-----",
            "MIIEvQIBADANBgkqhkiG9w0BAQEF",
            "\n",
            "://a:b@",
            "?code=",
            "&state=",
            "grant_type=",
            "[jwt#1]",
            "[session-token#2]",
            "[",
            "]",
            "\\",
            "\\\"",
            "%",
            "%22",
            "%5B",
            "\\u005b",
            "known-1",
            "wn-1[j",
            "1]ab",
            "{\"",
            "\":\"",
            "\"}",
            ";",
            "; ",
            "&",
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|p| p.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_encoding_of_a_known_value_comes_through(value in secret(), before in surroundings(), after in surroundings()) {
        let redactor = Redactor::default();
        redactor.learn(SecretKind::Other, &value);
        for (name, encoded) in encodings(&value) {
            let out = redactor.text(&format!("{before}{encoded} {after}")).into_owned();
            prop_assert!(!out.contains(&encoded), "{}: {}", name, out);
            // Nor deeper in JSON.
            let nested = json!([{ "x": json!({ "y": format!("{before}{encoded} {after}") }).to_string() }]).to_string();
            let out = redactor.text(&nested).into_owned();
            let back: Value = serde_json::from_str(&out).unwrap();
            let inner: Value = serde_json::from_str(back[0]["x"].as_str().unwrap()).unwrap();
            prop_assert!(!inner["y"].as_str().unwrap().contains(&encoded), "nested {}: {}", name, out);
        }
    }

    #[test]
    fn scrubbing_twice_is_scrubbing_once(known in proptest::collection::vec("[ -~]{6,12}", 0..3), text in messy()) {
        let redactor = Redactor::default();
        redactor.learn(SecretKind::Other, "known-1");
        redactor.learn(SecretKind::Other, "wn-1[jwt");
        for value in &known {
            redactor.learn(SecretKind::Other, value);
        }
        let once = redactor.text(&text).into_owned();
        prop_assert_eq!(redactor.text(&once).into_owned(), once);
    }

    #[test]
    fn json_stays_json_of_the_same_form(value in json_value(), pretty in any::<bool>()) {
        let redactor = Redactor::default();
        for known in ["sec\"ret\\val/ue", "12345678", "\",\"", "null,null", "nabcdef", "}}]]}}"] {
            redactor.learn(SecretKind::Other, known);
        }
        // A number that is all of a payload is a text like any other.
        let value = json!([value]);
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let out = redactor.text(&text).into_owned();
        let back: Value = serde_json::from_str(&out).map_err(|e| TestCaseError::fail(format!("{e}: {text} -> {out}")))?;
        prop_assert!(same_form(&value, &back), "{} -> {}", text, out);
        prop_assert!(!out.contains(TOKEN) && !out.contains(JWT) && !out.contains("MIIE"));
    }

    #[test]
    fn any_bytes_can_be_scrubbed(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let redactor = Redactor::default();
        redactor.learn(SecretKind::Other, "known-1");
        redactor.bytes(bytes.into());
    }
}

/// Equal but for texts.
fn same_form(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(_), Value::String(_)) => true,
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_form(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same_form(v, w)))
        }
        _ => a == b,
    }
}
