//! Whatever a server or a network brings: no panic, no loop, no token that was not learnt first.

use proptest::prelude::*;

use super::play::*;
use super::*;
use crate::dialect::{Action, BearerNews, CallId, Input};
use crate::model::Report;

fn value() -> impl Strategy<Value = Value> {
    let names = [
        "id",
        "conversationId",
        "sessionToken",
        "guestId",
        "guestToken",
        "expiresIn",
        "expires_in",
        "token",
        "sessions",
        "type",
        "payload",
        "text",
        "sessionId",
        "contactId",
        "clientId",
        "from",
        "message",
        "name",
    ];
    let words = ["greeting", "connected", "message", "error", "typing", "w1", "a.b.c", "", "1e999", "\u{0}\u{202e}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|f| json!(f)),
        proptest::sample::select(words.to_vec()).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((proptest::sample::select(names.to_vec()), inner), 0..7)
                .prop_map(|members| Value::Object(members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

#[derive(Clone, Debug)]
enum Blow {
    Answer(u64, u16, Option<u64>, Vec<u8>),
    Failed(u64),
    Frame(u32, String),
    Bytes(u32, Vec<u8>),
    Opened(u32),
    NotOpened(u32, Option<u16>),
    Closed(u32, u16),
    Lost(u32),
    Bearer(u64, i64),
    Dead(u64),
    Denied,
    Signed(String),
    Connect,
    Leave,
    Say,
    Pass(u32),
}

fn blow() -> impl Strategy<Value = Blow> {
    let body = || prop_oneof![value().prop_map(|v| v.to_string().into_bytes()), any::<Vec<u8>>()];
    let status = prop_oneof![Just(200u16), Just(201), Just(401), Just(429), Just(503), any::<u16>()];
    prop_oneof![
        4 => (0..12u64, status, any::<Option<u64>>(), body()).prop_map(|(c, s, a, b)| Blow::Answer(c, s, a, b)),
        1 => (0..12u64).prop_map(Blow::Failed),
        3 => (0..3u32, value()).prop_map(|(c, v)| Blow::Frame(c, v.to_string())),
        1 => (0..3u32, ".{0,40}").prop_map(|(c, t)| Blow::Frame(c, t)),
        1 => (0..3u32, any::<Vec<u8>>()).prop_map(|(c, b)| Blow::Bytes(c, b)),
        2 => (0..3u32).prop_map(Blow::Opened),
        1 => (0..3u32, any::<Option<u16>>()).prop_map(|(c, s)| Blow::NotOpened(c, s)),
        1 => (0..3u32, any::<u16>()).prop_map(|(c, code)| Blow::Closed(c, code)),
        1 => (0..3u32).prop_map(Blow::Lost),
        3 => (0..6u64, any::<i32>()).prop_map(|(n, l)| Blow::Bearer(n, i64::from(l % 5000))),
        1 => (0..6u64).prop_map(Blow::Dead),
        1 => Just(Blow::Denied),
        1 => ".{0,30}".prop_map(Blow::Signed),
        2 => Just(Blow::Connect),
        1 => Just(Blow::Leave),
        2 => Just(Blow::Say),
        2 => (0..400u32).prop_map(Blow::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_bytes_make_a_flow_panic_or_act_without_end(
        flow in 0..5usize,
        blows in proptest::collection::vec(blow(), 1..40),
    ) {
        let mut p = Play::new(FLOWS[flow]);
        p.connect().bearer(1, 3000);
        for (n, blow) in blows.into_iter().enumerate() {
            p.actions.clear();
            match blow {
                Blow::Answer(call, status, after, body) => {
                    let retry_after = after.map(Duration::from_secs);
                    p.step(Input::Answer { call: CallId(call), status, retry_after, body: &body });
                }
                Blow::Failed(call) => {
                    p.step(Input::CallFailed { call: CallId(call), report: Report::default() });
                }
                Blow::Frame(conn, text) => { p.step(Input::Text { conn, text: &text }); }
                Blow::Bytes(conn, bytes) => { p.step(Input::Bytes { conn, bytes: &bytes }); }
                Blow::Opened(conn) => { p.step(Input::Opened { conn }); }
                Blow::NotOpened(conn, status) => {
                    p.step(Input::NotOpened { conn, status, report: Report::default() });
                }
                Blow::Closed(conn, code) => { p.step(Input::Closed { conn, code, reason: "\u{0}" }); }
                Blow::Lost(conn) => { p.step(Input::Lost { conn, why: "" }); }
                Blow::Bearer(number, life) => { p.bearer(number, life); }
                Blow::Dead(number) => { p.step(Input::Bearer(BearerNews::Dead { number })); }
                Blow::Denied => { p.denied(); }
                Blow::Signed(text) => {
                    p.step(Input::Signed { token: Secret::new(text), kid: String::new() });
                }
                Blow::Connect => { p.connect(); }
                Blow::Leave => { p.leave(); }
                Blow::Say => { p.say(&format!("w{n}"), "hi"); }
                Blow::Pass(secs) => { p.passes(f64::from(secs)); continue; }
            }
            prop_assert!(p.actions.len() < 60, "{} actions", p.actions.len());
        }
    }
}

/// Every text of an action that becomes a record as it is.
fn shown(actions: &[Action]) -> String {
    let facts = actions.iter().filter_map(|a| match a {
        Action::State(fact) => serde_json::to_string(fact).ok(),
        _ => None,
    });
    facts.collect()
}

#[test]
fn no_fact_tells_a_token_before_it_was_learnt() {
    let secret = "very-secret-value";
    let bodies = [
        json!({ "sessionToken": secret }),
        json!({ "conversationId": "c", "sessionToken": secret, "guestToken": secret }),
        json!({ "guestToken": secret, "id": "g" }),
        json!({ "guestToken": secret, "id": "g", "sessions": [{ "id": "s" }] }),
        json!({ "token": secret, "expires_in": -1 }),
    ];
    for flow in FLOWS {
        for body in &bodies {
            let mut p = Play::new(flow);
            p.connect().bearer(1, 3000).actions.clear();
            p.answer(200, body.clone()).passes(1.0);
            let learnt =
                p.actions.iter().position(|a| matches!(a, Action::Learn { value, .. } if value.expose() == secret));
            let told = shown(&p.actions[..learnt.unwrap_or(p.actions.len())]);
            assert!(!told.contains(secret), "{flow:?} {body}: {told}");
        }
    }
}

#[test]
fn tokens_of_an_answer_that_comes_too_late_are_learnt_all_the_same() {
    let mut p = Play::new(DialectId::SessionToken);
    p.connect().bearer(1, 3000).leave().actions.clear();
    p.answer(200, json!({ "conversationId": "c", "sessionToken": "late-secret" }));
    assert!(p.actions.iter().any(|a| matches!(a, Action::Learn { value, .. } if value.expose() == "late-secret")));
}

#[test]
fn opened_twice_and_frames_of_an_old_connection_change_nothing() {
    let mut p = Play::new(DialectId::GuestResource);
    let token = jwt("sig", &json!({ "exp": START + 1800, "routing_hints": { "q": 1 } }));
    p.connect().bearer(1, 3000);
    p.answer(201, json!({ "id": "g", "guestToken": token, "sessions": [{ "id": "s" }] })).opened().actions.clear();
    p.opened().does(&[]);
    p.step(Input::Text { conn: 7, text: r#"{"type":"connected"}"# }).does(&[]);
}
