use proptest::prelude::*;

use super::*;
use crate::capture::tests::draft;
use crate::model::record::{Direction, Draft, Flags, HttpRequest, Kind};
use crate::model::{SessionId, Wall};

fn record(seq: u64, draft: Draft) -> Record {
    Record { seq, draft }
}

fn hit(filter: &str, record: &Record) -> bool {
    let mut marked = RowSet::default();
    marked.insert_range(7, 7);
    Filter::parse(filter).unwrap().matches(record, &marked)
}

#[test]
fn words_must_all_occur_in_any_case_in_head_or_body() {
    let frame = record(1, draft(2, r#"{"class":"StructuredMessage","body":{"text":"Hello World"}}"#));
    for yes in [
        "hello",
        "WORLD hello",
        "\"hello world\"",
        "hello -bye",
        "bye or hello",
        "(bye or world) text",
        "/h.llo/",
        "",
        "  ",
    ] {
        assert!(hit(yes, &frame), "{yes}");
    }
    for no in ["bye", "hello bye", "-hello", "\"world hello\"", "/^hello/", "(bye or world) -text"] {
        assert!(!hit(no, &frame), "{no}");
    }
    let head =
        HttpRequest { method: "GET".into(), url: "https://api.example.org/api/v2/x?a=1".into(), ..Default::default() };
    let mut request = draft(1, "").head(&head);
    request.kind = Kind::HttpRequest;
    let request = record(2, request);
    for yes in
        ["example.org", "url:/api/v2/", "https://api.example.org", "/api/v2/x", "lane:http", "kind:request,close"]
    {
        assert!(hit(yes, &request), "{yes}");
    }
    for no in ["url:\"GET\"", "lane:socket", "-lane:http,socket"] {
        assert!(!hit(no, &request), "{no}");
    }
}

#[test]
fn fields_test_what_they_name() {
    let mut d = draft(2, r#"{"class":"string","code":4011,"body":{"code":1}}"#).flags(Flags::FAULT.with(Flags::TYPING));
    d.at.wall = Wall::parse_rfc3339("2026-11-20T12:30:05.5Z").unwrap();
    let frame = record(7, d);
    for yes in [
        "kind:text",
        "dir:received",
        "session:2",
        "conn:1",
        "code:4011",
        "code:4000-4999",
        "code:>=4011",
        "size:>10",
        "size:<=48",
        "flag:typing",
        "flag:malformed,fault",
        "seq:1-7",
        "class:String",
        "marked",
        "KIND:Text",
        "after:2026-11-20T12:30:05Z",
        "before:2026-11-20T12:30:06Z",
        "class:\"string\"",
    ] {
        assert!(hit(yes, &frame), "{yes}");
    }
    for no in [
        "kind:close",
        "dir:sent",
        "session:3",
        "conn:>1",
        "code:1",
        "code:<4011",
        "size:0",
        "flag:redacted",
        "seq:8",
        "class:strin",
        "-marked",
        "action:string",
        "before:2026-11-20T12:30:05Z",
        "url:string",
    ] {
        assert!(!hit(no, &frame), "{no}");
    }
}

#[test]
fn a_time_of_day_is_local() {
    let mut d = draft(1, "x");
    let zone = jiff::tz::TimeZone::system();
    let local = jiff::civil::date(2026, 11, 20).at(12, 30, 5, 0).to_zoned(zone).unwrap();
    d.at.wall = Wall(local.timestamp().as_microsecond());
    let r = record(1, d);
    assert!(hit("after:12:30:05", &r) && hit("after:12:30", &r) && hit("before:12:30:05.001", &r));
    assert!(!hit("before:12:30:05", &r) && !hit("after:12:31", &r));
}

#[test]
fn codes_of_http_and_close_frames_are_found_too() {
    let close = Draft { code: 1006, kind: Kind::Close, direction: Direction::Received, ..draft(1, r#"{"code":5}"#) };
    assert!(hit("code:1000-1999", &record(1, close.clone())));
    assert!(!hit("code:5", &record(1, close)));
    assert!(!hit("code:0-9", &record(1, Draft { session: SessionId(1), ..draft(1, "no json") })));
}

#[test]
fn errors_tell_the_character() {
    for (text, at) in [
        ("kind:txet", 6),
        ("ä \"open", 3),
        ("a (b", 3),
        ("a)", 2),
        ("a or", 5),
        ("code:x", 6),
        ("seq:9-3", 5),
        ("after:25:00", 7),
        ("flag:typing,foo", 13),
        ("fild:x", 1),
        ("a ()", 3),
        ("x /(/", 3),
        ("kind:", 6),
        ("\"\"", 1),
    ] {
        let e = Filter::parse(text).expect_err(text);
        assert_eq!(e.at, at, "{text}: {e}");
        assert!(!e.what.is_empty());
    }
}

#[test]
fn the_help_shows_only_what_parses() {
    for (example, meaning) in HELP {
        assert!(Filter::parse(example).is_ok(), "{example}");
        assert!(!meaning.is_empty());
    }
}

#[test]
fn a_needless_blank_makes_no_other_filter() {
    assert_eq!(Filter::parse("a ").unwrap(), Filter::parse("a").unwrap());
    assert!(Filter::parse("   ").unwrap().is_empty());
    assert!(!Filter::parse("a").unwrap().is_empty());
}

proptest! {
    #[test]
    fn nothing_that_is_typed_panics(text in ".{0,60}", body in ".{0,60}") {
        if let Ok(filter) = Filter::parse(&text) {
            let _ = filter.matches(&record(1, draft(1, &body)), &RowSet::default());
        }
    }

    #[test]
    fn nothing_that_looks_like_a_filter_panics(
        parts in prop::collection::vec(prop_oneof![
            Just("kind:"), Just("text"), Just(" "), Just("or"), Just("("), Just(")"), Just("-"), Just("\""), Just("/"),
            Just("code:"), Just(">="), Just("4"), Just("class:"), Just("\\"), Just("after:"), Just("12:30"), Just(","),
        ], 0..20),
    ) {
        let text = parts.concat();
        match Filter::parse(&text) {
            Ok(filter) => _ = filter.matches(&record(1, draft(1, "text")), &RowSet::default()),
            Err(e) => prop_assert!(e.at >= 1 && e.at <= text.chars().count() + 1, "{}", e),
        }
    }

    #[test]
    fn a_quoted_text_finds_itself(text in "[^\u{0}]{1,30}") {
        let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let r = record(1, draft(1, &format!("before {text} after")));
        prop_assert!(hit(&quoted, &r));
        let json = record(1, draft(1, &serde_json::json!({ "text": text }).to_string()));
        prop_assert!(hit(&quoted, &json));
    }
}
