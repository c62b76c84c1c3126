//! The shapes that the vendor's sources show are understood: nothing about them is odd, and each tells something.

use super::*;
use crate::dialect::{line, read};
use crate::model::{DialectId, Direction, Draft, Flags, Kind, Record, SessionId};

const FRAMES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/guest-frames.jsonl"));

/// A record with this body.
pub fn record(kind: Kind, direction: Direction, code: i32, body: &str) -> Record {
    let draft = Draft::new(Now::default(), SessionId(1), kind, direction).code(code).body(body.as_bytes().to_vec());
    Record { seq: 1, draft }
}

pub fn frames() -> impl Iterator<Item = (String, Value)> {
    FRAMES.lines().map(|l| {
        let mut v: Value = serde_json::from_str(l).unwrap();
        (v["from"].as_str().unwrap().to_owned(), v["frame"].take())
    })
}

#[test]
fn every_recorded_shape_is_understood() {
    let odd = Flags::UNKNOWN.0 | Flags::MALFORMED.0;
    let mut counts = std::collections::BTreeMap::new();
    for (from, frame) in frames() {
        let text = frame.to_string();
        let (kind, direction) = match from.as_str() {
            "client" => (Kind::Text, Direction::Sent),
            "server" => (Kind::Text, Direction::Received),
            _ => (Kind::HttpResponse, Direction::Received),
        };
        let mut p = Play::ready();
        match from.as_str() {
            "server" => drop(p.arrives(frame.clone())),
            "rest" => {
                p.wish(Wish::History { all: false }).jwt("e30.e30.x", 60);
                p.http(200, frame.clone());
            }
            _ => {}
        }
        assert_eq!(p.seen.flags.0 & odd, 0, "{text}");
        let record = record(kind, direction, 200, &text);
        let told = line(&record);
        if kind == Kind::Text {
            let name = frame["class"].as_str().or(frame["action"].as_str()).unwrap();
            assert_eq!(told.name, name, "{text}");
        }
        let mut happenings = Vec::new();
        read(DialectId::WebMessaging, &record, &mut happenings);
        // What tells something is marked for the projections, or is typing.
        if from != "client" {
            let story = p.seen.flags.has(Flags::STORY);
            let typing = p.seen.flags.has(Flags::TYPING);
            assert!(story || typing || happenings.is_empty(), "{text} {happenings:?}");
        }
        if kind == Kind::Text {
            let strange = crate::dialect::strange(DialectId::WebMessaging, &record);
            assert_eq!(strange, crate::dialect::Strange::default(), "{text}");
        }
        *counts.entry(from).or_insert(0) += 1;
    }
    assert!(counts["client"] >= 15 && counts["server"] >= 35 && counts["rest"] == 1, "{counts:?}");
}
