//! What is kept is bounded and counted; what is not decided says what would; and each record about a failure leads to
//! its explanation.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::script::Script;
use crate::model::fact::{Delivery, ExpiryEvent, SessionState};
use crate::model::{DialectId, Direction, Flags, Kind, Record, SessionId};
use crate::projection::finding::FINDINGS_KEPT;
use crate::projection::{Board, Knowledge, Subject};

const BEARER: &str = "Bearer [access-token#1]";
const SEND: &str = "/api/v2/webmessaging/conversations/c1/messages";

fn refused_message(s: &mut Script) -> (u64, u64) {
    let body = json!({"text": "hi", "sessionToken": "[session-token#1]"});
    s.request_with("POST", SEND, &[], body, "message, form (a)");
    let request = s.last();
    s.wait(80).error(401, "session.token.invalid", "Session token is invalid or expired");
    (request, s.last())
}

#[test]
fn times_are_told_as_people_read_them_and_proved_by_records() {
    let mut s = Script::new(DialectId::SessionToken);
    s.skew(3);
    s.token("session-token", "[session-token#1]", ExpiryEvent::Started, 900);
    let told = s.last();
    s.wait(909_400);
    let (_, answer) = refused_message(&mut s);
    let finding = s.finding();
    assert_eq!(finding.subject, Subject::Http { status: 401 });
    let first = &finding.verdicts[0];
    assert_eq!(first.cause, "session-token-expired");
    let says = "By the server's clock, the session-token [session-token#1] had been dead for 12.4 s when it was sent; our clock is 3 s behind.";
    assert!(first.says.starts_with(says), "{}", first.says);
    assert_eq!(first.records, [told, answer - 1, answer]);
    assert!(first.evidence.contains(&("the token: dead when the answer or the end came".into(), "12.5 s".into())));
    assert!(!finding.is_harmless() && finding.told().contains("→ Refresh the session token"));
}

#[test]
fn every_record_about_a_failure_leads_to_it() {
    let mut s = Script::new(DialectId::SessionToken);
    s.token("session-token", "[session-token#1]", ExpiryEvent::Started, 900);
    let (request, answer) = refused_message(&mut s);
    s.delivery(Delivery::Retrying { at: crate::model::Wall(0), attempt: 2, why: "401".into() });
    let retrying = s.last();
    s.token("session-token", "[session-token#1]", ExpiryEvent::Refused, 900);
    let expiry = s.last();
    s.delivery(Delivery::Refused { code: 401, text: "again".into() });
    let refused = s.last();
    s.token("session-token", "[session-token#2]", ExpiryEvent::Refreshed, 900);
    let board = s.fold();
    for seq in [request, answer, retrying, expiry, refused] {
        let found = board.finding(SessionId(1), seq).unwrap_or_else(|| panic!("{seq} is not explained"));
        assert_eq!(found.seq, answer);
    }
    assert!(board.finding(SessionId(1), 1).is_none() && board.finding(SessionId(1), s.last()).is_none());
    assert!(board.finding(SessionId(9), answer).is_none());
    assert_eq!(board.session(SessionId(1)).map(|v| v.findings.told), Some(1));
}

#[test]
fn a_message_that_a_close_took_with_it_leads_to_the_close() {
    let mut s = Script::new(DialectId::ExternalContact);
    s.oauth("[access-token#1]", 60, "");
    s.open("/api/v2/conversations/messaging/external/contacts", BEARER).received(json!({"type": "greeting"}));
    s.wait(59_000).request_with(
        "POST",
        "/x/contacts/k/messages",
        &[("authorization", BEARER)],
        json!({"text": "a"}),
        "message",
    );
    s.answer(202, json!({"id": "m1"}));
    // What was said before comes back after it: that confirms nothing.
    s.received(json!({"type": "message", "id": "m0", "from": "guest"}));
    s.wait(1_000).close(Direction::Received, 1000, "");
    let close = s.last();
    s.delivery(Delivery::Unconfirmed { why: "the socket closed".into() });
    let finding = s.finding();
    assert_eq!((finding.seq, finding.verdicts[0].cause.as_str()), (close, "close-1000-token-died-before-commit"));

    let mut s = Script::new(DialectId::ExternalContact);
    s.oauth("[access-token#1]", 60, "");
    s.open("/api/v2/conversations/messaging/external/contacts", BEARER).received(json!({"type": "greeting"}));
    s.wait(59_000).request_with(
        "POST",
        "/x/contacts/k/messages",
        &[("authorization", BEARER)],
        json!({"text": "a"}),
        "message",
    );
    s.answer(202, json!({"id": "m1"})).received(json!({"type": "message", "id": "m1", "from": "guest"}));
    s.wait(1_000).close(Direction::Received, 1000, "");
    assert_eq!(s.finding().verdicts[0].cause, "close-1000-by-server", "it was committed");
}

#[test]
fn a_goodbye_of_ours_is_no_failure_and_a_success_no_finding() {
    let mut s = Script::new(DialectId::GuestResource);
    s.open("/x", "").close(Direction::Sent, 1000, "Widget disconnect").close(Direction::Received, 1000, "");
    assert!(s.finding().is_harmless());
    let mut s = Script::new(DialectId::SessionToken);
    s.call("POST", "/x", BEARER, json!({})).answer(201, json!({}));
    s.state(SessionState::Ready).delivery(Delivery::Delivered);
    assert_eq!(s.fold().sessions[0].findings.told, 0);
}

#[test]
fn where_the_evidence_does_not_decide_it_says_what_would() {
    let mut s = Script::new(DialectId::SessionToken);
    refused_message(&mut s);
    let finding = s.finding();
    assert!(finding.verdicts.is_empty(), "{}", finding.told());
    let expired = finding.undecided.iter().find(|d| d.cause == "session-token-expired").unwrap();
    assert!(expired.missing.iter().any(|m| m.contains("dead when")), "{expired:?}");
    assert!(expired.would_decide.contains("exp"));
    assert!(finding.told().contains("does not decide"));
    let mut s = Script::new(DialectId::WebMessaging);
    s.opening("/v1", "").refused(403, "");
    let causes: Vec<_> = s.finding().undecided.iter().map(|d| d.cause.clone()).collect();
    assert!(causes.iter().any(|c| c == "origin-not-allowed") && causes.iter().any(|c| c == "deployment-inactive"));
}

#[test]
fn the_first_answer_teaches_the_clock() {
    // No skew is known yet; the Date of the refusal tells that ours is a minute behind.
    let mut s = Script::new(DialectId::ManagedConversation);
    s.oauth("[access-token#1]", 30, "").call("POST", "/x", BEARER, json!({})).wait(100);
    let date = [("date", "Tue, 06 Jan 2026 13:27:15 GMT")];
    s.answer_with(401, &date, json!({"message": "The supplied token has expired"}));
    let finding = s.finding();
    assert_eq!(finding.verdicts[0].cause, "clock-drift-token-dead", "{}", finding.told());
    assert!(finding.verdicts[0].says.contains("behind"));
}

#[test]
fn a_sign_in_remembers_what_was_asked_for() {
    let mut s = Script::new(DialectId::GuestResource);
    let form = json!("grant_type=client_credentials&scope=guest%3Acreate+guest%3Aread");
    s.session(0).request_with("POST", "https://l/oauth/token", &[], form, "token").answer(200, json!({}));
    s.session(1).oauth("[access-token#1]", 900, "guest:read").call("POST", "/api/v2/guests", BEARER, Value::Null);
    s.error(403, "not.authorized", "Missing required scope: guest:create");
    let says = &s.finding().verdicts[0].says;
    for part in [
        "Needed: guest:create.",
        "Granted: guest:read.",
        "Missing: guest:create.",
        "Asked for: guest:create, guest:read.",
    ] {
        assert!(says.contains(part), "{says}");
    }
}

#[test]
fn much_is_forgotten_and_the_count_of_it_is_told() {
    let mut s = Script::new(DialectId::SessionToken);
    for n in 0..200 {
        s.token("session-token", &format!("[session-token#{n}]"), ExpiryEvent::Refreshed, 900);
    }
    for _ in 0..100 {
        s.call("POST", "/x", BEARER, json!({"text": "x".repeat(9_000)}));
    }
    for n in 0..FINDINGS_KEPT + 10 {
        s.wait(10_000).call("POST", &format!("/y/{n}"), BEARER, json!({})).error(500, "", "no");
    }
    let board = s.fold();
    let findings = &board.sessions[0].findings;
    assert_eq!((findings.list.len(), findings.told), (FINDINGS_KEPT, FINDINGS_KEPT as u64 + 10));
    let (tokens, calls) = (200 - 24, 100 - 32);
    assert!(findings.forgotten >= tokens + calls, "{}", findings.forgotten);
    assert!(findings.about(s.last()).is_some() && findings.about(4).is_none());
}

#[test]
fn a_cause_of_a_testers_own_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let own = "causes:\n  - id: teapot\n    title: A teapot\n    of: [http 418]\n    needs: [\"answer.text contains 'short and stout'\"]\n    says: \"It says {answer.text}.\"\n    fix: [Pour.]\n    would_decide: Its handle.\n    source: a tester\n";
    std::fs::write(folder.path().join("own.yaml"), own).unwrap();
    let (knowledge, reports) = Knowledge::with_folder(folder.path());
    assert!(reports.is_empty(), "{reports:?}");
    let mut s = Script::new(DialectId::SessionToken);
    s.call("GET", "/pot", BEARER, Value::Null).answer(418, json!({"message": "Short and stout"}));
    let mut board = Board::knowing(knowledge);
    for (n, draft) in s.drafts.iter().enumerate() {
        board.fold(&Record { seq: n as u64 + 1, draft: draft.clone() });
    }
    let finding = board.finding(SessionId(1), s.last()).unwrap();
    assert_eq!(finding.verdicts[0].says, "It says Short and stout.");
}

fn anything() -> impl Strategy<Value = (u8, u32, u64, i32, &'static str, &'static str)> {
    let heads = prop::sample::select(vec![
        "",
        "{",
        r#"{"method":"POST","url":"https://h/oauth/token","headers":[["Authorization","Bearer [jwt#1]"]],"purpose":"token"}"#,
        r#"{"method":"POST","url":"https://h/conversations/c/guests/g/refresh?token=[access-token#1]","headers":[["Idempotency-Key","k"],["Authorization","Bearer [session-token#1]"]],"purpose":"refresh","tracing":"t"}"#,
        r#"{"status":429,"headers":[["Retry-After","99999999999999999999"],["Date","Tue, 06 Jan 2026 13:26:15 GMT"]],"wait_us":18446744073709551615,"receive_us":0,"reason":"","version":""}"#,
        r#"{"fact":"expiry","id":"session-token","title":"","event":"refreshed","by":"","from":-9223372036854775808,"until":9223372036854775807,"margin_secs":0,"breaks":"","token":"[session-token#1]","scope":"a b","claims":{"header":{"kid":"k"},"claims":{"iat":1e300}}}"#,
        r#"{"fact":"expiry","id":"handshake-token","title":"","event":"refused","by":"","from":0,"until":null,"margin_secs":0,"breaks":"","token":"[access-token#1]"}"#,
        r#"{"fact":"delivery","tracing":"t","delivery":{"delivery":"unconfirmed","why":"x"}}"#,
        r#"{"fact":"id","name":"conversation","value":"c2"}"#,
        r#"{"fact":"skew","skew_us":9223372036854775807,"uncertainty_us":-9223372036854775808,"jump_us":-9223372036854775808}"#,
        r#"{"fact":"state","to":{"state":"ended","end":"lost"}}"#,
        r#"{"fact":"state","to":{"state":"ready"}}"#,
        r#"{"fact":"fault","code":"sign-in-failed","title":"t","what":"w"}"#,
    ]);
    let bodies = prop::sample::select(vec![
        "",
        "[",
        r#"{"message":"maximum [0] within [99999999] scope a:b","details":[{}]}"#,
        r#"{"type":"error","payload":{"code":-9999999999,"message":"[jwt#1]"}}"#,
        r#"{"context":{"heartbeatSequence":1,"capabilities":[1]},"customAttributes":{},"to":[{}],"sessionToken":"[session-token#1]"}"#,
    ]);
    (any::<u8>(), 0u32..3, any::<u64>(), any::<i32>(), heads, bodies)
}

proptest! {
    #[test]
    fn any_records_are_weighed_without_panic(records in prop::collection::vec(anything(), 0..60)) {
        let mut board = Board::default();
        for (n, (kind, session, mono, code, head, body)) in records.into_iter().enumerate() {
            let seq = n as u64 + 1;
            let kind = Kind::ALL[usize::from(kind) % Kind::ALL.len()];
            let now = crate::model::Now { wall: crate::model::Wall(mono as i64), mono: crate::model::Mono(mono) };
            let direction = Direction::from_u8((mono % 3) as u8);
            let mut draft = crate::model::Draft::new(now, SessionId(session), kind, direction).conn(session);
            draft = draft.code(code % 6000).reply_to(mono % (seq + 1)).flags(Flags(mono as u16)).body(body);
            draft.head = head.into();
            board.fold(&Record { seq, draft });
            for view in board.sessions.iter().chain([&board.general]) {
                prop_assert!(view.findings.list.iter().all(|f| f.about.len() <= 20));
            }
        }
        let _ = format!("{:?}", board.snapshot());
    }
}

#[test]
fn what_a_session_keeps_is_small() {
    // Five hundred of them at once must not weigh much: ten kilobytes each.
    let fixed = std::mem::size_of::<super::super::Evidence>();
    let tokens = 24 * (std::mem::size_of::<super::super::tokens::Token>() + 120);
    assert!(fixed + tokens < 12_000, "{fixed} and {tokens}");
}
