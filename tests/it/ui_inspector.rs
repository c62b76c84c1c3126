//! The inspector, by accessible label.

use egui::{Key, Role, Theme};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use serde_json::{Value, json};
use sessionscope::dialect::Line;
use sessionscope::model::fact::{Expiry, ExpiryEvent, Fact};
use sessionscope::model::record::{HttpRequest, HttpResponse};
use sessionscope::model::{Direction, Draft, Flags, Kind, Record, Report, Secret, SessionId, Wall};
use sessionscope::ui::inspector::{Inspector, InspectorEvent, InspectorHost, Link, Subject, Tab};

use crate::support::records::instant;
use crate::support::{THEMES, builder, says};

pub struct Host {
    pub revealed: Vec<String>,
}

impl InspectorHost for Host {
    fn reveal(&mut self, placeholder: &str) -> Option<Secret<String>> {
        self.revealed.push(placeholder.to_owned());
        Some(Secret::from("e0f1c2d3"))
    }

    fn claims(&mut self, placeholder: &str) -> Option<Value> {
        (placeholder == "[jwt#1]")
            .then(|| json!({"header": {"alg": "RS256"}, "claims": {"exp": 1_767_706_000, "sub": "guest"}}))
    }

    fn server_now(&self) -> Wall {
        Wall::from_secs(1_767_705_958)
    }

    fn zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::UTC
    }
}

pub struct Bench {
    pub inspector: Inspector,
    pub record: Option<Record>,
    pub other: Option<Record>,
    pub chain: Vec<Link>,
    pub host: Host,
    pub events: Vec<InspectorEvent>,
}

pub fn show(ui: &mut egui::Ui, b: &mut Bench) {
    let line = Line { name: "StructuredMessage".to_owned(), text: String::new() };
    let subject = b.record.as_ref().map(|record| Subject {
        lints: None,
        finding: None,
        record,
        line: &line,
        other: b.other.as_ref(),
        chain: &b.chain,
        searched_to: None,
    });
    b.events.extend(b.inspector.show(ui, subject.as_ref(), &mut b.host));
}

pub fn bench(record: Record, tab: Tab) -> Bench {
    let mut inspector = Inspector::default();
    inspector.tab = tab;
    Bench {
        inspector,
        record: Some(record),
        other: None,
        chain: Vec::new(),
        host: Host { revealed: Vec::new() },
        events: Vec::new(),
    }
}

fn harness(b: Bench) -> Harness<'static, Bench> {
    builder((460.0, 520.0), Theme::Dark).build_ui_state(show, b)
}

pub fn text(seq: u64, body: impl Into<Vec<u8>>) -> Record {
    let mut draft = Draft::new(instant(seq), SessionId(1), Kind::Text, Direction::Received).body(body.into());
    draft.conn = 1;
    Record { seq, draft }
}

pub const MESSAGE: &str = r#"{"type":"message","class":"StructuredMessage","code":200,"body":{"text":"Hello there","type":"Text","direction":"Outbound","id":"6a8b2c1e-0d3f-4e57-8b9a-1c2d3e4f5a6b","channel":{"time":"2026-01-06T13:26:15.174Z","messageId":"12345678901234567890123"},"content":[],"metadata":{"token":"[session-token#1]","ok":true,"none":null}}}"#;

/// A request and its answer.
pub fn chain() -> Vec<Link> {
    let link = |seq, direction, title: &str| Link { seq, at: instant(seq), direction, title: title.to_owned() };
    vec![link(7, Direction::Sent, "onMessage Hello"), link(9, Direction::Received, "StructuredMessage")]
}

/// A token, an HTTP request, broken JSON, a failure: each with the tab that shows it.
pub fn samples() -> Vec<(Record, Tab)> {
    let expiry = Expiry {
        id: "guest-jwt".into(),
        title: "guest JWT".into(),
        event: ExpiryEvent::Started,
        by: "server".into(),
        from: Wall::from_secs(1_767_705_940),
        until: Some(Wall::from_secs(1_767_706_000)),
        margin_secs: 10,
        breaks: "next history call".into(),
        assumed: false,
        token: Some("[jwt#1]".into()),
        scope: None,
        claims: Some(json!({"exp": 1_767_706_000, "iss": "sandbox"})),
        can: vec![],
    };
    let draft = Draft::fact(instant(3), SessionId(1), &Fact::Expiry(expiry));
    let token = Record { seq: 3, draft };
    let head = HttpRequest {
        method: "POST".into(),
        url: "https://api.example.org/oauth/token".into(),
        version: "HTTP/2".into(),
        headers: vec![("authorization".into(), "Basic [client-secret#1]".into())],
        purpose: "token".into(),
        tracing: None,
    };
    let draft = Draft::new(instant(1), SessionId(1), Kind::HttpRequest, Direction::Sent).head(&head);
    let request = Record { seq: 1, draft };
    let broken = text(4, "{\"a\": 1,\n \"b\": tru}");
    let report = Report::new("rate", "Too many messages", "The server refused it.").remedy("Wait 3 seconds.");
    let draft = Draft::fact(instant(3), SessionId(1), &Fact::Fault(report));
    let fault = Record { seq: 5, draft };
    vec![(token, Tab::Token), (request, Tab::Tree), (broken, Tab::Tree), (fault, Tab::Tree)]
}

#[test]
fn the_tree_shows_values_opens_closes_and_copies() {
    let mut h = harness(bench(text(7, MESSAGE), Tab::Tree));
    h.run();
    h.get_by_label("class: \"StructuredMessage\"");
    h.get_by_label("code: 200");
    h.get_by_label("body: { 7 keys }").click();
    h.run();
    assert!(h.query_by_label("direction: \"Outbound\"").is_none(), "closed");
    h.get_by_label("body: { 7 keys }").click();
    h.run();
    h.get_by_label("direction: \"Outbound\"").click_secondary();
    h.run();
    h.get_by_label("Copy path").click();
    h.run();
    assert_eq!(h.state().events, [InspectorEvent::Copy("$.body.direction".to_owned())]);
    h.get_by_label("direction: \"Outbound\"").click_secondary();
    h.run();
    h.get_by_label("Filter by this value").click();
    h.run();
    assert_eq!(h.state().events[1], InspectorEvent::FilterBy("\"Outbound\"".to_owned()));
}

#[test]
fn a_secret_is_revealed_on_request_only_and_forgotten_with_the_selection() {
    let mut h = harness(bench(text(7, MESSAGE), Tab::Tree));
    h.run();
    assert!(h.state().host.revealed.is_empty());
    assert!(!says(&h, "e0f1c2d3"));
    h.get_by_label("Reveal [session-token#1]").click();
    h.run();
    assert_eq!(h.state().host.revealed, ["[session-token#1]"]);
    assert!(says(&h, "e0f1c2d3"));
    let again = h.state_mut().record.take();
    h.run();
    assert!(says(&h, "No record selected"));
    h.state_mut().record = again;
    h.run();
    assert!(!says(&h, "e0f1c2d3"));
}

#[test]
fn what_is_not_json_is_shown_with_the_place_where_it_breaks() {
    let mut h = harness(bench(text(7, "{\"a\": 1,\n \"b\": tru}"), Tab::Tree));
    h.run();
    assert!(says(&h, "Not JSON: expected a value at line 2, column 7"));
    assert!(says(&h, " \"b\": tru}"));
}

#[test]
fn text_that_is_long_shows_its_head_first_and_all_on_request() {
    let body = "line of text\n".repeat(100_000);
    let mut h = harness(bench(text(7, body), Tab::Text));
    h.run();
    assert!(says(&h, "first 64.0 KB of 1.2 MB"));
    h.get_by_label("Show all 1.2 MB").click();
    h.run();
    assert!(h.query_by_label("Show all 1.2 MB").is_none());
    h.get_by_label("Lines of the payload").click();
    h.run();
    h.key_press(Key::End);
    h.run();
    assert!(h.get_by_label("Scroll Lines of the payload").rect().height() > 100.0);
}

#[test]
fn controls_that_turn_text_around_are_shown() {
    let mut h = harness(bench(text(7, "abc\u{202E}def"), Tab::Text));
    h.run();
    assert!(says(&h, "abc‹U+202E›def"));
}

#[test]
fn bytes_are_shown_in_rows_as_wide_as_the_pane() {
    let mut h = harness(bench(text(7, b"Hello\x00\xff world, and more".to_vec()), Tab::Hex));
    h.run();
    assert!(says(&h, "00000000  48 65 6c 6c 6f 00 ff 20  Hello·· "));
    assert!(says(&h, "00000010  6e 64 20 6d 6f 72 65     nd more"));
}

#[test]
fn a_large_payload_is_parsed_on_request_without_freezing() {
    let body = format!("[{}1]", "{\"a\":[1,2,3]},".repeat(120_000));
    let mut h = harness(bench(text(7, body), Tab::Tree));
    h.run();
    h.get_by_label("Parse 1.6 MB").click();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !says(&h, "600,002 values") {
        assert!(std::time::Instant::now() < deadline, "never parsed");
        h.step();
        std::thread::yield_now();
    }
    h.get_by_label(": [ 120,001 items ]");
}

#[test]
fn the_token_tab_tells_claims_and_what_is_left() {
    let (record, tab) = samples().remove(0);
    let mut h = harness(bench(record, tab));
    h.step();
    assert!(says(&h, "00:42 left"));
    assert!(says(&h, "iss  (issuer)"));
    assert!(says(&h, "1767706000   2026-01-06 13:26:40 +00:00"));
    // A pasted token is decoded and does not stay in its field.
    h.get_by_label("Token to decode").focus();
    h.step();
    h.get_by_label("Token to decode").type_text("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln");
    h.step();
    h.step();
    assert!(says(&h, "ann"));
    assert!(!says(&h, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln"));
}

#[test]
fn timing_leads_to_related_records() {
    let mut b = bench(text(9, "{}"), Tab::Timing);
    b.chain = chain();
    if let Some(record) = &mut b.record {
        record.draft.reply_to = 7;
    }
    let mut h = harness(b);
    h.run();
    assert!(says(&h, "74 ms after record 7"));
    h.get_by_label("record 7, sent, onMessage Hello").click();
    h.run();
    assert_eq!(h.state().events, [InspectorEvent::GoTo(7)]);
}

#[test]
fn the_difference_leaves_out_ids_and_times_unless_asked() {
    let mut b = bench(text(9, r#"{"id":"a","text":"one"}"#), Tab::Diff);
    b.other = Some(text(7, r#"{"id":"b","text":"two"}"#));
    let mut h = harness(b);
    h.run();
    h.get_by_label("added:   \"text\": \"one\"");
    h.get_by_label("removed:   \"text\": \"two\"");
    assert!(h.query_by_label("added:   \"id\": \"a\",").is_none());
    h.get_by_label("Ignore ids and times").click();
    h.run();
    h.get_by_label("added:   \"id\": \"a\",");
}

#[test]
fn heads_and_failures_are_told() {
    let (record, tab) = samples().remove(1);
    let mut h = harness(bench(record, tab));
    h.run();
    assert!(says(&h, "https://api.example.org/oauth/token"));
    assert!(says(&h, "Basic "));
    h.get_by_label("Reveal [client-secret#1]");
    h.get_by_label("Headers (1)").click();
    h.run();
    assert!(!says(&h, "Basic "));
    let head = HttpResponse { status: 429, ..HttpResponse::default() };
    let draft = Draft::new(instant(2), SessionId(1), Kind::HttpResponse, Direction::Received).head(&head);
    h.state_mut().record = Some(Record { seq: 2, draft });
    h.run();
    assert!(says(&h, "429 Too Many Requests"));
    let report = Report::new("rate", "Too many messages", "The server refused it.").remedy("Wait 3 seconds.");
    let draft = Draft::fact(instant(3), SessionId(1), &Fact::Fault(report));
    h.state_mut().record = Some(Record { seq: 3, draft });
    h.run();
    h.get_by_role_and_label(Role::Alert, "Too many messages");
    assert!(says(&h, "Wait 3 seconds."));
}

#[test]
fn tabs_have_names_and_roles() {
    let mut h = harness(bench(text(7, MESSAGE), Tab::Tree));
    h.run();
    for (tab, name) in Tab::ALL {
        h.get_by_role_and_label(Role::Tab, name).click();
        h.run_ok();
        assert_eq!(h.state().inspector.tab, tab);
    }
}

#[test]
fn the_inspector_looks_as_it_did() {
    let mut pictures = egui_kittest::SnapshotResults::new();
    for (name, theme) in THEMES {
        let mut record = text(7, MESSAGE);
        record.draft.flags = Flags::REDACTED.with(Flags::UNKNOWN);
        let mut h = builder((460.0, 520.0), theme).build_ui_state(show, bench(record, Tab::Tree));
        h.run();
        h.snapshot(format!("inspector_tree_{name}"));
        pictures.extend_harness(&mut h);
    }
}

#[test]
fn odd_payloads_are_shown_in_every_tab() {
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(16 << 20));
    let bodies: [Vec<u8>; 8] = [
        vec![0xFF, 0xFE, 0x00, 0x80],
        deep.into_bytes(),
        long.into_bytes(),
        b"\"\\ud800 lone\"".to_vec(),
        b"[1e999999, -0, 123456789012345678901234567890]".to_vec(),
        "\u{202E}{}\u{0}".into(),
        b"\r\n\r\n\n".to_vec(),
        b"   ".to_vec(),
    ];
    let mut h = builder((460.0, 520.0), Theme::Dark)
        .allow_missing_glyphs()
        .build_ui_state(show, bench(text(1, "{}"), Tab::Tree));
    for (n, body) in bodies.into_iter().enumerate() {
        h.state_mut().record = Some(text(10 + n as u64, body));
        h.state_mut().other = Some(text(5, "{}"));
        // A difference of megabytes is worked out on a thread; starting and dropping it is what is tried here.
        for (tab, _) in Tab::ALL {
            h.state_mut().inspector.tab = tab;
            h.step();
            h.step();
        }
    }
}

#[test]
fn bytes_that_are_not_text_say_so() {
    let mut h = builder((460.0, 520.0), Theme::Dark)
        .allow_missing_glyphs()
        .build_ui_state(show, bench(text(1, vec![b'a', 0xFF]), Tab::Text));
    h.run();
    assert!(says(&h, "not UTF-8: what cannot be read is shown as \u{FFFD}"));
}
