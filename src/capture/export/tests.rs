use serde_json::Value;

use super::*;
use crate::capture::tests::draft;
use crate::capture::{Writer, save};
use crate::model::record::{Direction, Draft, HttpRequest, HttpResponse, Kind};
use crate::model::{Fact, Mono, Now, Wall};

const START: i64 = 1_795_162_932_123_456;

fn at(kind: Kind, direction: Direction, micros: u64) -> Draft {
    let now = Now { wall: Wall(START + micros as i64), mono: Mono(1000 + micros) };
    Draft::new(now, SessionId(1), kind, direction)
}

fn lines(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

/// One call, one socket with everything, one call without an answer, a second socket that was lost.
fn talk(writer: &Writer) {
    use Direction::{Local, Received, Sent};
    let ask = HttpRequest {
        method: "POST".into(),
        url: "https://api.example.org/x?a=1&b=two%20words".into(),
        version: "HTTP/2.0".into(),
        headers: lines(&[("Content-Type", "application/json"), ("Cookie", "one=1; two=2")]),
        purpose: "test".into(),
        tracing: None,
    };
    let answer = HttpResponse {
        status: 201,
        reason: "Created".into(),
        version: "HTTP/2.0".into(),
        headers: lines(&[
            ("content-type", "image/png"),
            ("set-cookie", "id=7; Path=/; HttpOnly; Expires=Tue, 06 Jan 2026 13:26:15 GMT"),
        ]),
        wait_us: 30_000,
        receive_us: 1_500,
        ..HttpResponse::default()
    };
    let opening =
        HttpRequest { method: "GET".into(), url: "wss://ws.example.org/v1?deploymentId=d".into(), ..ask.clone() };
    let open = HttpResponse { status: 101, reason: "Switching Protocols".into(), ..HttpResponse::default() };
    let lost = Report::new("lost", "Connection lost", "no close frame");
    let drafts = [
        at(Kind::HttpRequest, Sent, 0).head(&ask).body(r#"{"q":1}"#),
        at(Kind::SocketOpening, Sent, 1000).conn(1).head(&opening),
        at(Kind::HttpResponse, Received, 32_000).head(&answer).code(201).reply_to(1).body(vec![0xff, 0, 1]),
        at(Kind::SocketOpen, Received, 40_000).conn(1).head(&open).code(101).reply_to(2),
        at(Kind::Text, Sent, 50_000).conn(1).body(r#"{"action":"echo"}"#),
        at(Kind::Ping, Received, 51_000).conn(1).body("p").flags(Flags::HEARTBEAT),
        at(Kind::Text, Received, 60_000).conn(1).body(r#"{"class":"string"}"#).reply_to(5),
        at(Kind::State, Local, 61_000).head(&Fact::Note { text: "hm".into() }),
        at(Kind::Binary, Received, 70_000).conn(1).body(vec![0, 1, 2]),
        at(Kind::Close, Received, 80_000).conn(1).code(1000).body("bye"),
        at(Kind::HttpRequest, Sent, 90_000).head(&ask).body(vec![0xfe, 0xff]),
        at(Kind::SocketOpening, Sent, 91_000).conn(2).head(&opening),
        at(Kind::SocketLost, Local, 95_000).conn(2).head(&Fact::Fault(lost)),
    ];
    for draft in drafts {
        writer.append(draft);
    }
    writer.flush().unwrap();
}

fn capture() -> (tempfile::TempDir, Writer, Reader) {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(&folder.path().join("captures")).unwrap();
    talk(&writer);
    let reader = Reader::attach(&writer.opened()).unwrap();
    (folder, writer, reader)
}

fn watch(_: u64, _: u64) -> bool {
    true
}

#[test]
fn har_has_chromes_fields_and_nothing_of_the_log_is_lost() {
    let (folder, _writer, reader) = capture();
    let to = folder.path().join("out.har");
    let mut seen = (0, 0);
    har(&reader, None, &to, &mut |done, total| {
        assert!(done >= seen.0 && done <= total);
        seen = (done, total);
        true
    })
    .unwrap();
    assert_eq!(seen, (52, 52));
    let har: Value = serde_json::from_slice(&std::fs::read(&to).unwrap()).unwrap();
    let log = &har["log"];
    assert_eq!((&log["version"], &log["creator"]["name"]), (&json!("1.2"), &json!("sessionscope")));
    let entries = log["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 4);

    let call = &entries[0];
    assert_eq!(call["_resourceType"], "fetch");
    assert_eq!(call["startedDateTime"], "2026-11-20T08:22:12.123456Z");
    assert_eq!((&call["time"], &call["timings"]["wait"]), (&json!(31.5), &json!(30.0)));
    assert_eq!(call["request"]["postData"], json!({"mimeType": "application/json", "text": "{\"q\":1}"}));
    assert_eq!(call["request"]["queryString"][1], json!({"name": "b", "value": "two words"}));
    assert_eq!(call["request"]["cookies"][1], json!({"name": "two", "value": "2"}));
    assert_eq!(call["response"]["status"], 201);
    assert_eq!(
        call["response"]["content"],
        json!({"size": 3, "mimeType": "image/png", "text": "/wAB", "encoding": "base64"})
    );
    let cookie = &call["response"]["cookies"][0];
    assert_eq!((&cookie["value"], &cookie["httpOnly"]), (&json!("7"), &json!(true)));
    assert_eq!(cookie["expires"], "2026-01-06T13:26:15.000000Z");
    assert_eq!(call["_sessionscope"]["request"]["seq"], 1);

    let socket = &entries[1];
    assert_eq!((&socket["_resourceType"], &socket["response"]["status"]), (&json!("websocket"), &json!(101)));
    assert_eq!((&socket["time"], &socket["request"]["method"]), (&json!(39.0), &json!("GET")));
    let messages = socket["_webSocketMessages"].as_array().unwrap();
    assert_eq!(messages.len(), 3);
    assert_eq!(
        messages[0],
        json!({"type": "send", "time": (START + 50_000) as f64 / 1e6, "opcode": 1, "data": "{\"action\":\"echo\"}"})
    );
    assert_eq!((&messages[1]["type"], &messages[2]["opcode"]), (&json!("receive"), &json!(2)));
    assert_eq!(messages[2]["data"], "AAEC");
    let close = &socket["_webSocketClose"];
    assert_eq!((&close["code"], &close["reason"]), (&json!(1000), &json!("bye")));
    assert_eq!(close["timestamp"], (START + 80_000) as f64 / 1e6);
    let own = &socket["_sessionscope"];
    let records = own["records"].as_array().unwrap();
    assert_eq!(records.iter().map(|r| r["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 4, 5, 6, 7, 9, 10]);
    assert_eq!((&records[4]["reply_to"], &records[4]["text"]), (&json!(5), &Value::Null));
    let other: Vec<&str> = records.iter().filter_map(|r| r["kind"].as_str()).collect();
    assert_eq!(other, ["opening", "open", "ping", "close"]);

    let unanswered = &entries[2];
    assert_eq!(unanswered["response"]["status"], 0);
    assert_eq!(unanswered["_sessionscope"]["requestBase64"], "/v8=");
    assert_eq!(entries[3]["_webSocketClose"], "aborted");
    assert_eq!(entries[3]["_webSocketMessages"], json!([]));
    assert_eq!(log["_sessionscope"]["records"][0]["kind"], "state");
    // What strict readers ask for.
    for entry in entries {
        for side in ["request", "response"] {
            assert!(entry[side]["headersSize"].is_i64() && entry[side]["bodySize"].is_i64(), "{entry}");
            assert!(entry[side]["httpVersion"].is_string() && entry[side]["cookies"].is_array());
        }
        assert!(entry["response"]["content"]["size"].is_i64() && entry["cache"].is_object());
        for time in ["send", "wait", "receive"] {
            assert!(entry["timings"][time].as_f64().unwrap() >= 0.0);
        }
    }
}

#[test]
fn json_lines_hold_every_record_once() {
    let (folder, writer, reader) = capture();
    for n in 0..1000 {
        writer.append(draft(2, &format!("n {n}")));
    }
    writer.flush().unwrap();
    let to = folder.path().join("out.jsonl");
    jsonl(&reader, None, &to, &mut watch).unwrap();
    let text = std::fs::read_to_string(&to).unwrap();
    let list: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(list.len(), 1013);
    assert!(list.iter().zip(1..).all(|(value, seq)| value["seq"] == seq));
    assert_eq!(list[2]["base64"], "/wAB");
    assert_eq!(list[2]["head"]["status"], 201);
    assert_eq!((&list[5]["flags"], &list[5]["lane"]), (&json!(["heartbeat"]), &json!("socket")));
    assert_eq!((&list[9]["code"], &list[9]["text"]), (&json!(1000), &json!("bye")));
    jsonl(&reader, Some(SessionId(2)), &to, &mut watch).unwrap();
    assert_eq!(std::fs::read_to_string(&to).unwrap().lines().count(), 1000);
}

#[test]
fn a_cancelled_export_leaves_nothing_and_keeps_the_old_file() {
    let (folder, _writer, reader) = capture();
    let to = folder.path().join("out.har");
    std::fs::write(&to, "old").unwrap();
    let cancel = |_: u64, _: u64| false;
    assert_eq!(har(&reader, None, &to, &mut { cancel }).unwrap_err().code, "cancelled");
    assert_eq!(jsonl(&reader, None, &to, &mut { cancel }).unwrap_err().code, "cancelled");
    assert_eq!(save(&reader, &to, &mut { cancel }).unwrap_err().code, "cancelled");
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "old");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_saved_capture_is_one_plain_file_with_the_same_records() {
    let (folder, writer, reader) = capture();
    let to = folder.path().join("saved #1 100%?.sscope");
    save(&reader, &to, &mut watch).unwrap();
    let copy = Reader::open(&to).unwrap();
    let all: Vec<u64> = (1..=reader.len()).collect();
    assert_eq!(copy.records(&all, usize::MAX).unwrap(), reader.records(&all, usize::MAX).unwrap());
    assert_eq!(copy.meta(), reader.meta());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    let crate::capture::Opened::File(running) = writer.opened() else { panic!() };
    assert_eq!(save(&copy, &running, &mut watch).unwrap_err().code, "capture-in-use");
    assert_eq!(save(&copy, &to, &mut watch).unwrap_err().code, "capture-in-use");
    assert_eq!(save(&copy, folder.path(), &mut watch).unwrap_err().code, "file-is-folder");
    let nowhere = folder.path().join("no/such/folder/x.sscope");
    assert_eq!(save(&copy, &nowhere, &mut watch).unwrap_err().code, "file-missing");
    let private = Writer::private().unwrap();
    talk(&private);
    let reader = Reader::attach(&private.opened()).unwrap();
    let to = folder.path().join("private.sscope");
    save(&reader, &to, &mut watch).unwrap();
    assert_eq!(Reader::open(&to).unwrap().len(), 13);
    talk(&private);
    assert_eq!(reader.len(), 26);
}
