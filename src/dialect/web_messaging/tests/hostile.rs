//! Whatever arrives: it is marked, the session goes on, and nothing panics.

use proptest::prelude::*;
use serde_json::json;

use super::fixture::record;
use super::*;
use crate::dialect::{line, read};
use crate::model::{DialectId, Direction, Flags, Kind};

fn flags(text: &str) -> Flags {
    let mut p = Play::ready();
    p.step(Input::Text { conn: 1, text });
    assert_eq!(*p.machine.state(), SessionState::Ready, "{text}");
    p.seen.flags
}

#[test]
fn what_is_not_the_protocol_is_malformed() {
    for text in [
        "",
        "{",
        "\u{0}",
        "null",
        "7",
        "[]",
        "{}",
        r#""StructuredMessage""#,
        r#"{"class":7,"code":200,"type":"message"}"#,
        r#"{"class":"StructuredMessage","code":200,"type":"message"}"#,
        r#"{"class":"StructuredMessage","code":200,"type":"message","body":null}"#,
        r#"{"class":"StructuredMessage","code":200,"type":"message","body":"text"}"#,
        r#"{"class":"StructuredMessage","code":200,"type":"message","body":{"id":"i","direction":"Outbound","text":5}}"#,
        r#"{"class":"StructuredMessage","code":200,"type":"message","body":{"text":"nobody said it"}}"#,
        r#"{"class":"StructuredMessage","code":200,"type":"message","body":{"id":"i","direction":"Outbound","content":{}}}"#,
        r#"{"class":"StructuredMessage","code":200,"type":"message","body":{"id":"i","direction":"Outbound","events":[7]}}"#,
        r#"{"class":"StructuredMessage","code":200,"type":"message","body":{"id":"i","direction":"Outbound","metadata":[]}}"#,
        r#"{"class":"SessionResponse","code":200,"type":"response","body":{}}"#,
        r#"{"class":"SessionResponse","code":200,"type":"response","body":{"connected":true,"durationSeconds":1e999}}"#,
        r#"{"class":"JwtResponse","code":200,"type":"response","body":{"jwt":"x"}}"#,
        r#"{"class":"PresignedUrlResponse","code":200,"type":"response","body":{"url":[]}}"#,
        r#"{"class":"UploadSuccessEvent","code":200,"type":"message","body":{}}"#,
        r#"{"class":"GetConfigurationResponse","code":200,"type":"response","body":[]}"#,
        r#"{"class":"LogoutEvents","code":"x","type":"message","body":{}}"#,
    ] {
        assert!(flags(text).has(Flags::MALFORMED), "{text}");
    }
}

#[test]
fn what_nobody_describes_is_unknown_and_not_malformed() {
    for text in [
        r#"{"class":"Surprise","code":200,"type":"message","body":{}}"#,
        r#"{"class":"StructuredMessage","code":201,"type":"message","body":{"id":"i","direction":"Outbound"}}"#,
        r#"{"class":"StructuredMessage","code":200,"type":"news","body":{"id":"i","direction":"Outbound"}}"#,
        r#"{"class":"StructuredMessage","code":200,"type":"message","more":1,"body":{"id":"i","direction":"Outbound"}}"#,
        r#"{"class":"StructuredMessage","code":200,"type":"message","body":{"id":"i","direction":"Outbound","mood":"good"}}"#,
        r#"{"class":"StructuredMessage","code":200,"type":"message","body":{"id":"i","direction":"Outbound","channel":{"hue":1}}}"#,
        r#"{"class":"StructuredMessage","code":200,"type":"message","body":{"id":"i","direction":"Outbound","events":[{"eventType":"Wave"}]}}"#,
        r#"{"class":"StructuredMessage","code":200,"type":"message","body":{"id":"i","direction":"Outbound","content":[{"contentType":"Hologram"}]}}"#,
        r#"{"class":"StructuredMessage","code":200,"type":"message","body":{"id":"i","direction":"Outbound","content":[{"contentType":"Card","card":{"title":"t","glow":1}}]}}"#,
        r#"{"class":"string","code":4018,"type":"response","body":"what"}"#,
    ] {
        let flags = flags(text);
        assert!(flags.has(Flags::UNKNOWN) && !flags.has(Flags::MALFORMED), "{text} {flags:?}");
    }
    // A free map may hold anything.
    let free = r#"{"class":"StructuredMessage","code":200,"type":"message","body":{"id":"i","direction":"Outbound","metadata":{"any":"thing"}}}"#;
    assert_eq!(flags(free), Flags::STORY);
}

#[test]
fn depth_and_numbers_without_measure_do_no_harm() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    for n in [100, 200, 100_000] {
        flags(&deep(n));
        for body in [deep(n), format!(r#"{{"id":"i","direction":"Outbound","content":{}}}"#, deep(n))] {
            flags(&format!(r#"{{"type":"message","class":"StructuredMessage","code":200,"body":{body}}}"#));
        }
    }
    for n in ["1e999", "-1e999", "99999999999999999999999", "-9223372036854775808", "0.1"] {
        flags(&format!(
            r#"{{"type":"message","class":"StructuredMessage","code":{n},"body":{{"id":"i","direction":"Outbound"}}}}"#
        ));
        let times =
            format!(r#"{{"connected":true,"durationSeconds":{n},"expirationDate":{n},"maxCustomDataBytes":{n}}}"#);
        let mut p = Play::ready();
        p.step(Input::Text {
            conn: 1,
            text: &format!(r#"{{"type":"response","class":"SessionResponse","code":200,"body":{times}}}"#),
        });
        p.passes(100.0);
        p.wish(Wish::GetJwt);
        p.step(Input::Text {
            conn: 1,
            text: &format!(r#"{{"type":"response","class":"JwtResponse","code":200,"body":{{"jwt":"x","exp":{n}}}}}"#),
        });
        p.passes(100.0);
        let patience = format!(r#"{{"retryAfter":{n}}}"#);
        p.say("m", "x");
        p.step(Input::Text { conn: 1, text: &format!(r#"{{"type":"response","class":"TooManyRequestsErrorMessage","code":429,"tracingId":"m","body":{patience}}}"#) });
        p.passes(100.0);
    }
}

#[test]
fn binary_messages_are_malformed() {
    let mut p = Play::ready();
    p.step(Input::Bytes { conn: 1, bytes: &[0xff, 0xfe] });
    assert_eq!(p.seen.flags, Flags::MALFORMED);
}

#[test]
fn escaped_keys_and_strings_are_read_like_plain_ones() {
    let text = r#"{"\u0074ype":"message","clas\u0073":"Structured\u004dessage","code":200,"body":{"id":"i","direction":"Outbound","text":"a\nb"}}"#;
    assert_eq!(flags(text), Flags::STORY);
}

#[test]
fn inputs_for_other_connections_and_calls_change_nothing() {
    let mut p = Play::ready();
    let report = || Report::new("x", "x", "x");
    p.step(Input::Opened { conn: 9 });
    p.done();
    p.step(Input::NotOpened { conn: 9, status: Some(403), report: report() });
    p.step(Input::Closed { conn: 9, code: 1000, reason: "" });
    p.step(Input::Lost { conn: 9, why: "" });
    p.step(Input::Pong { conn: 9 });
    p.step(Input::CallFailed { call: CallId(99), report: report() });
    p.step(Input::Answer { call: CallId(99), status: 200, retry_after: None, body: b"{}" });
    p.step(Input::Text { conn: 9, text: r#"{"type":"message","class":"LogoutEvent","code":200,"body":{}}"# });
    p.does(&[]);
}

/// JSON that looks like the protocol here and there.
fn json_like() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "type",
        "class",
        "code",
        "body",
        "tracingId",
        "id",
        "text",
        "direction",
        "channel",
        "content",
        "events",
        "metadata",
        "eventType",
        "presence",
        "typing",
        "contentType",
        "attachment",
        "card",
        "carousel",
        "cards",
        "actions",
        "quickReply",
        "response",
        "message",
        "StructuredMessage",
        "SessionResponse",
        "JwtResponse",
        "string",
        "TooManyRequestsErrorMessage",
        "GenerateUrlError",
        "PresignedUrlResponse",
        "UploadFailureEvent",
        "ConnectionClosedEvent",
        "Inbound",
        "Outbound",
        "Typing",
        "Presence",
        "Disconnect",
        "Join",
        "Card",
        "Carousel",
        "Attachment",
        "entities",
        "pageNumber",
        "total",
        "action",
        "onMessage",
        "onAttachment",
        "connected",
        "retryAfter",
        "errorCode",
        "jwt",
        "exp",
        "readOnly",
        "w1",
        "é\u{202e}",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec![200i64, 401, 403, 409, 429, 4006, 4011]).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..8).prop_map(|pairs| pairs
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

/// The same, in the envelope of a frame.
fn frame_like() -> impl Strategy<Value = String> {
    let class = prop::sample::select(vec![
        "StructuredMessage",
        "SessionResponse",
        "JwtResponse",
        "string",
        "TooManyRequestsErrorMessage",
        "GenerateUrlError",
        "PresignedUrlResponse",
        "UploadSuccessEvent",
        "UploadFailureEvent",
        "AttachmentDeletedResponse",
        "SessionExpiredEvent",
        "SessionClearedEvent",
        "ConnectionClosedEvent",
        "LogoutEvent",
        "GetConfigurationResponse",
        "ResumeTokenResponse",
        "Error",
        "ErrorMessage",
        "Unknown",
        "Nonsense",
    ]);
    let code = prop::sample::select(vec![0i64, 200, 401, 409, 429, 4006, 4007, 5000, i64::MAX]);
    (class, code, json_like(), any::<bool>(), any::<bool>()).prop_map(|(class, code, body, response, traced)| {
        let mut v = json!({"type":if response { "response" } else { "message" },"class":class,"code":code,"body":body});
        if traced {
            v["tracingId"] = json!("w1");
        }
        v.to_string()
    })
}

/// Steps, reads and lines a text in every place where it may stand, and lets time go by.
fn everywhere(text: &str) {
    let mut p = Play::ready_with(|e| e.reconnect = true);
    p.say("w1", "hello").wish(Wish::History { all: true });
    p.step(Input::Text { conn: 1, text });
    p.jwt("e30.e30.x", 60);
    let call = p.call;
    p.step(Input::Answer { call, status: 200, retry_after: None, body: text.as_bytes() });
    p.step(Input::Closed { conn: 1, code: 1011, reason: text });
    let mut raw = Play::ready();
    let mut out = Vec::new();
    raw.machine.step(at(1), Input::Wish(Wish::Raw { text: text.to_owned() }), &mut out);
    p.passes(2000.0);
    for kind in Kind::ALL {
        for direction in [Direction::Local, Direction::Sent, Direction::Received] {
            let mut record = record(kind, direction, 200, text);
            record.draft.head = text.to_owned();
            read(DialectId::WebMessaging, &record, &mut Vec::new());
            let told = line(&record);
            assert!(!told.text.contains('\n') && told.text.chars().count() <= 161);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        everywhere(&text);
    }

    #[test]
    fn any_json_is_survived(value in json_like()) {
        everywhere(&value.to_string());
    }

    #[test]
    fn any_frame_is_survived(text in frame_like()) {
        everywhere(&text);
    }
}
