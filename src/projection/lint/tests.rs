//! Each rule is broken here, and each is kept within its bounds.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::environment::Limits;
use crate::model::fact::{Expiry, ExpiryEvent};
use crate::model::record::{HttpRequest, HttpResponse, SessionStart};
use crate::model::{DialectId, Direction, Draft, Fact, Flags, Hosts, Kind, Mono, SessionId, Wall};
use crate::projection::{Board, Knowledge};

const START: i64 = 1_767_705_975_000;
const TOKEN: &str = "[session-token#1]";

/// Records as the engine writes them.
struct Script {
    board: Board,
    session: u32,
    conn: u32,
    millis: i64,
    seq: u64,
}

impl Script {
    fn new(dialect: DialectId) -> Self {
        let mut s = Self { board: Board::default(), session: 1, conn: 1, millis: 0, seq: 0 };
        s.session(1, dialect);
        s
    }

    fn session(&mut self, id: u32, dialect: DialectId) -> &mut Self {
        self.session = id;
        let mut limits = Limits::default();
        if dialect == DialectId::Agent {
            limits.message_bytes = 4_000;
            limits.requests_per_minute = 300;
        }
        let start = SessionStart {
            name: format!("session {id}"),
            dialect,
            environment: "test".into(),
            hosts: Hosts::default(),
            deployment_id: "d1".into(),
            tls_unverified: false,
            limits,
        };
        let draft = self.draft(Kind::SessionStart, Direction::Local).head(&start);
        self.add(draft)
    }

    fn wait(&mut self, millis: i64) -> &mut Self {
        self.millis += millis;
        self
    }

    fn draft(&self, kind: Kind, direction: Direction) -> Draft {
        let now = Now { wall: Wall::from_millis(START + self.millis), mono: Mono(self.millis as u64 * 1_000 + 1) };
        Draft::new(now, SessionId(self.session), kind, direction).flags(Flags::STORY)
    }

    fn add(&mut self, draft: Draft) -> &mut Self {
        self.seq += 1;
        self.board.fold(&Record { seq: self.seq, draft });
        self.millis += 1;
        self
    }

    fn frame(&mut self, direction: Direction, flags: Flags, body: &Value) -> &mut Self {
        let code = body.get("code").and_then(Value::as_i64).unwrap_or(0) as i32;
        let draft = self.draft(Kind::Text, direction).conn(self.conn).flags(flags).code(code).body(body.to_string());
        self.add(draft)
    }

    fn sends(&mut self, body: &Value) -> &mut Self {
        self.frame(Direction::Sent, Flags::NONE, body)
    }

    fn gets(&mut self, body: &Value) -> &mut Self {
        self.frame(Direction::Received, Flags::NONE, body)
    }

    fn opens(&mut self, conn: u32) -> &mut Self {
        self.conn = conn;
        let draft = self.draft(Kind::SocketOpen, Direction::Received).conn(conn);
        self.add(draft)
    }

    /// Opens a connection and has it configured.
    fn configured(&mut self, conn: u32) -> &mut Self {
        self.opens(conn);
        self.sends(&json!({"action": "configureSession", "token": TOKEN, "deploymentId": "d1"}));
        self.gets(&session(true))
    }

    fn says(&mut self, text: &str) -> &mut Self {
        self.sends(&json!({"action": "onMessage", "token": TOKEN, "message": {"type": "Text", "text": text}}))
    }

    fn hears(&mut self, key: &str, time: &str) -> &mut Self {
        self.gets(&message(key, time))
    }

    fn calls(&mut self, method: &str, path: &str, body: &Value) -> &mut Self {
        let headers = vec![("Authorization".to_owned(), "Bearer [access-token#1]".to_owned())];
        let url = format!("https://api.example{path}");
        let head = HttpRequest { method: method.into(), url, headers, ..HttpRequest::default() };
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let draft = self.draft(Kind::HttpRequest, Direction::Sent).head(&head).body(text);
        self.add(draft)
    }

    /// Answers the call before.
    fn answered(&mut self, status: u16, body: &Value) -> &mut Self {
        let head = HttpResponse { status, ..HttpResponse::default() };
        let draft = self.draft(Kind::HttpResponse, Direction::Received).head(&head).reply_to(self.seq);
        self.add(draft.code(i32::from(status)).body(body.to_string()))
    }

    /// A conversation is asked for, and told.
    fn told(&mut self, conversation: &Value) {
        let head = HttpResponse { status: 200, purpose: "conversation".into(), ..HttpResponse::default() };
        let draft = self.draft(Kind::HttpResponse, Direction::Received).head(&head).code(200);
        self.add(draft.body(conversation.to_string()));
    }

    fn lints(&self) -> &Lints {
        &self.board.session(SessionId(self.session)).unwrap().lints
    }

    fn broken(&self) -> Vec<&str> {
        self.lints().broken.iter().map(|b| b.rule.id.as_str()).collect()
    }

    /// What the newest record of a rule says.
    fn said(&self, rule: &str) -> String {
        let broken = self.lints().broken.iter().find(|b| b.rule.id == rule);
        broken.and_then(|b| b.lints.back()).map(|l| l.told()).unwrap_or_default()
    }
}

fn session(new: bool) -> Value {
    json!({"type": "response", "class": "SessionResponse", "code": 200,
        "body": {"connected": true, "newSession": new, "readOnly": false, "maxCustomDataBytes": 100}})
}

fn message(key: &str, time: &str) -> Value {
    json!({"type": "message", "class": "StructuredMessage", "code": 200, "body": {
        "id": key, "type": "Text", "text": key, "direction": "Outbound", "channel": {"time": time, "type": "Private"}}})
}

fn time(second: u32) -> String {
    format!("2026-01-06T13:26:{second:02}.000Z")
}

fn guest() -> Script {
    let mut s = Script::new(DialectId::WebMessaging);
    s.configured(1);
    s
}

#[test]
fn an_ordinary_conversation_breaks_nothing() {
    let mut s = guest();
    s.sends(&json!({"action": "onMessage", "token": TOKEN,
        "message": {"type": "Event", "events": [{"eventType": "Presence", "presence": {"type": "Join"}}]}}));
    for n in 0..20u32 {
        s.wait(1_100).says("hello").hears(&format!("k{n}"), &time(n));
    }
    s.wait(31_000).sends(&json!({"action": "echo", "token": TOKEN, "message": {"type": "Text", "text": "ping"}}));
    s.wait(31_000).sends(&json!({"action": "echo", "token": TOKEN, "message": {"type": "Text", "text": "ping"}}));
    assert_eq!(s.broken(), [""; 0], "{}", s.lints().broken.iter().map(|b| b.lints[0].told()).collect::<String>());
}

#[test]
fn order_ids_and_times_of_messages() {
    let mut s = guest();
    s.hears("a", &time(10)).hears("b", &time(8)).hears("c", &time(9)).hears("d", &time(11));
    assert_eq!(s.broken(), ["out-of-order"]);
    assert_eq!(s.lints().count("out-of-order"), 2);
    let told = s.said("out-of-order");
    assert!(told.contains("1 s before message a") && told.contains("Record 7"), "{told}");
    s.hears("d", &time(11));
    assert!(s.said("repeated-id").contains("brought message d before"));
    s.hears("e", &time(11));
    assert!(s.said("same-time").contains("Messages e and d have the channel.time 2026-01-06T13:26:11"));
    let lint = s.lints().about(s.seq).next().unwrap();
    assert_eq!(lint.records, [8, 10], "the other message is shown too");
    // Another connection of the same session brings everything again, and may.
    s.configured(2).hears("d", &time(11)).hears("e", &time(12));
    assert_eq!((s.lints().count("repeated-id"), s.lints().count("same-time")), (1, 1));
}

#[test]
fn lengths_of_texts_and_attributes_are_counted_in_bytes() {
    let mut s = guest();
    s.says(&"ä".repeat(2_048));
    assert_eq!(s.broken(), [""; 0]);
    s.wait(1_000).says(&"ä".repeat(2_049));
    assert!(s.said("text-too-long").contains("4098 bytes as UTF-8, and 4096 bytes are taken"));
    let with = |key: &str, inner: bool| {
        let channel = json!({"metadata": {"customAttributes": {key: "x".repeat(90)}}});
        match inner {
            true => {
                json!({"action": "onMessage", "token": TOKEN, "message": {"type": "Text", "text": "x", "channel": channel}})
            }
            false => {
                json!({"action": "onMessage", "token": TOKEN, "channel": channel, "message": {"type": "Text", "text": "x"}})
            }
        }
    };
    s.wait(1_000).sends(&with("ten bytes.", true)).wait(1_000);
    assert_eq!(s.lints().count("attributes-over-limit"), 0, "a hundred are taken, as the server told");
    s.sends(&with("eleven byte", true)).wait(1_000).sends(&with("eleven byte", false));
    assert_eq!(s.lints().count("attributes-over-limit"), 2, "wherever they stand");
}

#[test]
fn rates_and_cool_downs() {
    let mut s = guest();
    s.wait(2_000);
    (0..5).for_each(|_| _ = s.says("x"));
    assert_eq!(s.broken(), [""; 0]);
    s.says("x");
    assert!(s.said("rate-over-limit").contains("“messages” allows 5 in 1 s"), "{}", s.said("rate-over-limit"));
    let echo = json!({"action": "echo", "token": TOKEN, "message": {"type": "Text", "text": "ping"}});
    s.wait(2_000).sends(&echo).wait(29_000).sends(&echo);
    assert!(
        s.said("echo-too-soon").contains("29 s after the one before; 30 s must lie"),
        "{}",
        s.said("echo-too-soon")
    );
    let typing = json!({"action": "onMessage", "token": TOKEN,
        "message": {"type": "Event", "events": [{"eventType": "Typing", "typing": {"type": "On"}}]}});
    s.wait(2_000).sends(&typing).wait(5_000).sends(&typing);
    assert_eq!(s.lints().count("typing-too-often"), 0);
    s.wait(4_000).sends(&typing);
    assert_eq!(s.lints().count("typing-too-often"), 1);
}

#[test]
fn connections_are_counted_by_token_over_all_sessions() {
    let mut s = guest();
    s.configured(2).session(2, DialectId::WebMessaging).configured(1);
    assert_eq!(s.broken(), [""; 0]);
    s.session(3, DialectId::WebMessaging).configured(1);
    assert!(s.said("fourth-connection").contains("makes 4 connections"), "{}", s.said("fourth-connection"));
    // One that is closed counts no more.
    let close = s.draft(Kind::Close, Direction::Received).conn(1);
    s.add(close);
    s.session = 1;
    let close = s.draft(Kind::SocketLost, Direction::Received).conn(2);
    s.add(close).session(4, DialectId::WebMessaging).configured(1);
    assert_eq!(s.broken(), [""; 0]);
    s.opens(2).sends(&json!({"action": "configureSession", "token": TOKEN, "deploymentId": "d2"}));
    assert!(s.said("other-deployment").contains("with deployment d1 before"));
}

#[test]
fn units_are_told_wherever_they_stand() {
    let mut s = guest();
    let expiry = |n: i64| {
        json!({"type": "response", "class": "SessionResponse", "code": 200,
            "body": {"connected": true, "newSession": true, "durationSeconds": 259_200, "expirationDate": n}})
    };
    s.gets(&expiry(1_791_139_139));
    assert_eq!(s.broken(), [""; 0]);
    s.gets(&expiry(1_791_139_139_000));
    assert!(s.said("wrong-unit").contains("“expirationDate” is told in seconds since 1970, and 1791139139000 seems"));
    let mut off = |body: Value| {
        let before = s.lints().count("wrong-unit");
        s.gets(&json!({"type": "response", "class": "JwtResponse", "code": 200, "body": body}));
        s.lints().count("wrong-unit") > before
    };
    assert!(off(json!({"jwt": "x", "exp": 1_767_705_975_000i64})));
    assert!(off(json!({"metadata": {"expirationDate": "1791139139000"}})));
    assert!(off(json!({"durationSeconds": 259_200_000})));
    assert!(off(json!({"retryAfter": 3000})));
    assert!(off(json!({"events": [{"typing": {"type": "On", "duration": 5}}]})));
    assert!(!off(json!({"events": [{"typing": {"type": "On", "duration": 5000}}]})));
    assert!(!off(json!({"availableTimes": [{"duration": 5}]})), "seconds, as they should be");
    let mut token = |exp: i64| {
        let expiry = Expiry {
            id: "guest-jwt".into(),
            title: "guest JWT".into(),
            event: ExpiryEvent::Started,
            by: "server".into(),
            from: Wall(0),
            until: None,
            margin_secs: 0,
            breaks: String::new(),
            assumed: false,
            token: None,
            scope: None,
            claims: Some(json!({"header": {"alg": "RS256"}, "claims": {"exp": exp}})),
            can: Vec::new(),
        };
        let before = s.lints().count("wrong-unit");
        let now = s.draft(Kind::Expiry, Direction::Local).at;
        s.add(Draft::fact(now, SessionId(1), &Fact::Expiry(expiry)));
        s.lints().count("wrong-unit") > before
    };
    assert!(token(1_767_705_975_000) && !token(1_767_705_975));
}

#[test]
fn what_nobody_describes_is_named() {
    let mut s = guest();
    let strange = json!({"type": "message", "class": "Surprise", "code": 200, "body": {}});
    s.frame(Direction::Received, Flags::UNKNOWN, &strange);
    assert!(s.said("not-described").contains("class Surprise"));
    s.sends(&json!({"action": "closeAllConnections", "token": TOKEN, "colour": 1}));
    let told = s.said("not-described-by-us");
    assert!(told.contains("member colour of the request, action closeAllConnections"), "{told}");
    s.sends(&json!({"action": "closeSession", "token": TOKEN}));
    assert!(s.said("member-missing").contains("closeSession must have closeAllConnections"));
}

#[test]
fn what_comes_too_early_or_again() {
    let mut s = Script::new(DialectId::WebMessaging);
    s.opens(1).says("hello");
    assert_eq!(s.broken(), ["before-configured"]);
    s.sends(&json!({"action": "configureSession", "token": TOKEN, "deploymentId": "d1"})).gets(&session(false));
    s.says("hello").sends(&json!({"action": "onMessage", "token": TOKEN,
        "message": {"type": "Event", "events": [{"eventType": "Presence", "presence": {"type": "Join"}}]}}));
    assert_eq!(s.broken(), ["before-configured", "join-again"]);
    assert_eq!(s.lints().told, 2);
}

fn conversation() -> Value {
    json!({"id": "c1", "participants": [
        {"id": "p-agent", "purpose": "agent", "messages": [{"id": "m-agent", "state": "connected", "messages": []}]},
        {"id": "p-guest", "purpose": "customer", "messages": [{"id": "m-guest", "state": "connected", "messages": []}]}]})
}

#[test]
fn communications_are_no_participants() {
    let mut s = Script::new(DialectId::Agent);
    s.told(&conversation());
    let base = "/api/v2/conversations/messages/c1";
    s.calls("PATCH", &format!("{base}/participants/p-agent"), &json!({"state": "connected"}));
    s.calls("POST", &format!("{base}/communications/m-agent/messages"), &json!({"textBody": "hi"}));
    s.calls("POST", "/api/v2/conversations/messages/c1/participants/p-agent/communications/m-agent/wrapup", &json!({}));
    assert_eq!(s.broken(), [""; 0]);
    s.calls("POST", &format!("{base}/communications/p-agent/messages"), &json!({"textBody": "hi"}));
    let told = s.said("wrong-id");
    assert!(told.contains("has p-agent where a communication belongs"), "{told}");
    assert!(told.contains("names a participant") && told.contains("The right one is m-agent"), "{told}");
    s.calls("PATCH", &format!("{base}/participants/m-guest"), &json!({"state": "disconnected"}));
    assert!(s.said("wrong-id").contains("The right one is p-guest"));
    // The same ids, told by a notification.
    let mut s = Script::new(DialectId::Agent);
    s.gets(&json!({"topicName": "v2.users.u1.conversations", "eventBody": conversation()}));
    s.calls("PATCH", &format!("{base}/participants/m-agent"), &json!({"state": "disconnected"}));
    assert_eq!(s.broken(), ["wrong-id"]);
}

#[test]
fn lists_that_lose_topics() {
    let mut s = Script::new(DialectId::Agent);
    let of = |topics: &[&str]| json!(topics.iter().map(|t| json!({"id": t})).collect::<Vec<_>>());
    let permitted = json!({"entities": [{"id": "a", "state": "Permitted"}, {"id": "b", "state": "Rejected"}]});
    let path = "/api/v2/notifications/channels/ch1/subscriptions";
    s.calls("PUT", path, &of(&["a", "b"])).answered(200, &permitted);
    s.calls("POST", path, &of(&["c"])).answered(200, &json!({"entities": [{"id": "c", "state": "Permitted"}]}));
    s.calls("PUT", path, &of(&["a", "c", "d"])).answered(200, &json!({}));
    assert_eq!(s.broken(), [""; 0], "b was rejected");
    // Another session with the same channel.
    s.session(2, DialectId::Agent).calls("PUT", path, &of(&["c"]));
    assert!(s.said("topics-lost").contains("not in the new list: a, d"), "{}", s.said("topics-lost"));
    s.answered(403, &json!({}));
    let many: Vec<String> = (0..1_001).map(|n| format!("t{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    s.calls("POST", path, &of(&many[..998])).answered(200, &json!({}));
    assert_eq!(s.lints().count("too-many-topics"), 1, "998 and the three that are there");
    let long = "x".repeat(201);
    s.calls("POST", path, &of(&[&long]));
    s.sends(&json!({"message": "subscribe", "topics": [long]}));
    assert_eq!(s.lints().count("topic-too-long"), 2);
}

#[test]
fn limits_and_old_ways_of_the_platform() {
    let mut s = Script::new(DialectId::Agent);
    s.calls("GET", "/api/v2/presence/definitions", &Value::Null);
    s.calls("POST", "/api/v2/conversations/messages/c/communications/m/messages/media/uploads", &json!({}));
    assert_eq!(s.broken(), [""; 0]);
    s.calls("GET", "/api/v2/presencedefinitions?pageSize=100", &Value::Null);
    s.calls("POST", "/api/v2/conversations/messages/c/communications/m/messages/media", &json!({}));
    s.calls("POST", "/api/v2/conversations/messaging/guests", &json!({}));
    let say = |n: usize| json!({"textBody": "ä".repeat(n)});
    let messages = "/api/v2/conversations/messages/c/communications/m/messages";
    s.calls("POST", messages, &say(2_000));
    assert_eq!(s.lints().count("agent-text-near-limit"), 0);
    s.calls("POST", messages, &say(2_001)).calls("POST", messages, &say(4_001));
    let ids: Vec<String> = (0..1_001).map(|n| n.to_string()).collect();
    s.calls("POST", "/api/v2/conversations/messages/c/messages/bulk", &json!(ids));
    s.calls("POST", "/api/v2/anything", &json!("x".repeat(512_000)));
    (0..13).for_each(|_| {
        _ = s.wait(1_000).calls("POST", &format!("{}/typing", &messages[..messages.len() - 9]), &json!({}));
    });
    (0..21).for_each(|_| _ = s.calls("POST", "/api/v2/notifications/channels", &Value::Null));
    let form = "grant_type=client_credentials&scope=webmessaging%3Aguest%3Aread";
    let head = HttpRequest {
        method: "POST".into(),
        url: "https://login.example/oauth/token".into(),
        ..HttpRequest::default()
    };
    let draft = s.draft(Kind::HttpRequest, Direction::Sent).head(&head).body(form);
    s.add(draft);
    let expected = [
        "invented-endpoint",
        "agent-text-too-long",
        "too-many-ids",
        "body-too-large",
        "too-many-channels",
        "deprecated-presences",
        "deprecated-media",
        "agent-typing-too-often",
        "invented-scope",
        "agent-text-near-limit",
    ];
    assert_eq!(s.broken(), expected, "the worst first");
    assert_eq!(s.lints().count("agent-typing-too-often"), 1);
}

/// A rule that no test breaks may never hold.
#[test]
fn every_rule_is_broken_by_a_test_above() {
    let source = include_str!("tests.rs");
    let known = Knowledge::embedded();
    let untested: Vec<&str> =
        known.rules.iter().map(|r| r.id.as_str()).filter(|id| !source.contains(&format!("\"{id}\""))).collect();
    assert!(untested.is_empty(), "{untested:?}");
    let ids: BTreeSet<&str> = known.rules.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(ids.len(), known.rules.len());
}

#[test]
fn what_is_kept_is_bounded_and_counted() {
    let mut s = guest();
    for n in 0..300 {
        s.hears(&format!("k{n}"), &time(1));
    }
    assert_eq!(s.lints().count("same-time"), 299);
    assert_eq!(s.lints().broken[0].lints.len(), KEPT);
    for conn in 2..40 {
        s.opens(conn);
    }
    assert!(s.lints().forgotten > 0);
}

#[test]
fn what_a_server_calls_things_is_told_in_a_few_letters() {
    let mut s = guest();
    let long = "x".repeat(100_000);
    let strange = json!({"type": "message", "class": long, "code": 200, "body": {}, long.as_str(): 1});
    s.frame(Direction::Received, Flags::UNKNOWN, &strange);
    assert!(s.said("not-described").len() < 2_000);
    s.hears(&long, &time(1)).hears(&long, &time(1));
    assert_eq!(s.broken(), ["not-described"]);
    let path = "/api/v2/notifications/channels/ch1/subscriptions";
    let many: Vec<Value> = (0..900).map(|n| json!({"id": format!("topic-{n}")})).collect();
    s.calls("PUT", path, &json!(many)).answered(200, &json!({})).calls("PUT", path, &json!([]));
    assert!(s.said("topics-lost").contains("and 876 more"), "{}", s.said("topics-lost"));
}

#[test]
fn a_tester_s_own_rule_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let own = "rules:
  - id: no-shouting
    title: Too loud
    of: [sent frame]
    weight: note
    needs: [sent.text_bytes > 10]
    says: It has {sent.text_bytes}.
    fix: [Whisper.]
    source: a tester
";
    std::fs::write(folder.path().join("own.yaml"), own).unwrap();
    let (knowledge, reports) = Knowledge::with_folder(folder.path());
    assert!(reports.is_empty(), "{reports:?}");
    let mut s = guest();
    s.board = Board::knowing(knowledge);
    s.seq = 0;
    s.session(1, DialectId::WebMessaging).configured(1).says("eleven bytes");
    assert_eq!(s.broken(), ["no-shouting"]);
    for (from, to) in [
        ("sent frame", "frame"),
        ("weight: note", "weight: huge"),
        ("sent.text_bytes > 10", "sent.txt > 1"),
        ("[Whisper.]", "[]"),
    ] {
        std::fs::write(folder.path().join("own.yaml"), own.replace(from, to)).unwrap();
        let (all, reports) = Knowledge::with_folder(folder.path());
        assert_eq!((reports.len(), all.rules.len()), (1, Knowledge::embedded().rules.len()), "{to}");
        assert!(reports[0].what.contains("own.yaml"), "{}", reports[0].what);
    }
}

proptest! {
    #[test]
    fn any_payload_is_looked_at_without_panic(
        bodies in prop::collection::vec(("[ -~]{0,60}", 0u8..3, any::<bool>(), 0u32..4), 0..30),
    ) {
        let shapes = [
            r#"{"action":"onMessage","token":"[session-token#1]","message":"#,
            r#"{"topicName":"v2.users.u.conversations","eventBody":{"id":"c","participants":[{"id":"p","messages":"#,
            r#"{"class":"SessionResponse","code":200,"body":{"expirationDate":"#,
        ];
        for dialect in [DialectId::WebMessaging, DialectId::Agent, DialectId::SignedGuest] {
            let mut s = Script::new(dialect);
            for (body, shape, sent, conn) in &bodies {
                s.conn = *conn;
                let text = format!("{}{body}}}", shapes[usize::from(*shape)]);
                let direction = if *sent { Direction::Sent } else { Direction::Received };
                let draft = s.draft(Kind::Text, direction).conn(*conn).flags(Flags::UNKNOWN).body(text);
                s.add(draft);
                s.calls("PUT", &format!("/api/v2/notifications/channels/{body}/subscriptions"), &json!([body, {"id": body}]));
                s.answered(200, &json!({"entities": [body]}));
                s.calls("POST", &format!("/api/v2/conversations/c/participants/{body}"), &Value::Null);
            }
        }
    }
}
