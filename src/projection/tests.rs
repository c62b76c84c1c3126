//! The room as a whole: frames as a server sends them, folded, told as a transcript, and followed by their causes.

use proptest::prelude::*;

use super::causality::{Role, related};
use super::*;
use crate::capture::{Reader, Writer};
use crate::model::fact::{Delivery, SessionState, StateChange};
use crate::model::happening::{AttachmentState, Presence, Side};
use crate::model::record::{HttpRequest, HttpResponse, SessionStart};
use crate::model::{DialectId, Direction, Draft, Fact, Flags, Hosts, Kind, Mono, Now, Record, SessionId, Wall};

/// 2026-01-06T13:26:15Z
const START: i64 = 1_767_705_975_000_000;

fn now(millis: i64) -> Now {
    Now { wall: Wall(START + millis * 1_000), mono: Mono(millis as u64 * 1_000 + 1) }
}

fn draft(millis: i64, kind: Kind, direction: Direction, body: String) -> Draft {
    Draft::new(now(millis), SessionId(1), kind, direction).conn(1).flags(Flags::STORY).body(body)
}

fn start() -> Draft {
    let start = SessionStart {
        name: "one".into(),
        dialect: DialectId::WebMessaging,
        environment: "test".into(),
        hosts: Hosts::default(),
        deployment_id: "d".into(),
        tls_unverified: false,
        limits: crate::model::environment::Limits::default(),
    };
    draft(0, Kind::SessionStart, Direction::Local, String::new()).head(&start)
}

fn sent(millis: i64, text: &str, tracing: &str) -> Draft {
    let body = format!(
        r#"{{"action":"onMessage","token":"[session-token#1]","tracingId":"{tracing}","message":{{"type":"Text","text":"{text}"}}}}"#
    );
    draft(millis, Kind::Text, Direction::Sent, body)
}

/// A message as a server tells it, live and in history alike.
fn message(id: &str, direction: &str, text: &str, millis: i64) -> String {
    let time = Wall(START + millis * 1_000).rfc3339();
    format!(
        r#"{{"id":"{id}","type":"Text","text":"{text}","direction":"{direction}","originatingEntity":"Human","channel":{{"time":"{time}","type":"Private","messageId":"c-{id}","from":{{"nickname":"Sam"}}}}}}"#
    )
}

fn live(millis: i64, message: &str, tracing: Option<&str>) -> Draft {
    let tracing = tracing.map(|t| format!(r#","tracingId":"{t}""#)).unwrap_or_default();
    let body = format!(r#"{{"type":"message","class":"StructuredMessage","code":200,"body":{message}{tracing}}}"#);
    draft(millis, Kind::Text, Direction::Received, body)
}

fn event(id: &str, millis: i64, event: &str) -> String {
    let time = Wall(START + millis * 1_000).rfc3339();
    format!(
        r#"{{"id":"{id}","type":"Event","direction":"Outbound","channel":{{"time":"{time}","messageId":"{id}"}},"events":[{event}],"metadata":{{"readOnly":"true"}}}}"#
    )
}

const DISCONNECT: &str = r#"{"eventType":"Presence","presence":{"type":"Disconnect"}}"#;

/// A page of history, newest first as on the wire.
fn page(millis: i64, newest_first: &[String]) -> Draft {
    let body = format!(
        r#"{{"entities":[{}],"pageSize":25,"pageNumber":1,"total":{n},"pageCount":1}}"#,
        newest_first.join(","),
        n = newest_first.len()
    );
    let head = HttpResponse { status: 200, ..HttpResponse::default() };
    draft(millis, Kind::HttpResponse, Direction::Received, body).head(&head).code(200)
}

fn fold(drafts: &[Draft]) -> Board {
    let mut board = Board::default();
    for (n, draft) in drafts.iter().enumerate() {
        board.fold(&Record { seq: n as u64 + 1, draft: draft.clone() });
    }
    board
}

#[test]
fn a_skew_within_its_uncertainty_does_not_move_lines_behind_what_was_said_later() {
    let fact = |millis: i64, fact: Fact| Draft::fact(now(millis), SessionId(1), &fact);
    let skew =
        |skew_us: i64| fact(20, Fact::Skew(crate::model::fact::Skew { skew_us, uncertainty_us: 500_000, jump_us: 0 }));
    let ready = fact(30, Fact::State(StateChange { to: SessionState::Ready, why: String::new() }));
    let said = |server: i64| live(60, &message("m1", "Outbound", "Hello", server), None);
    let order = |drafts: &[Draft]| {
        let board = fold(drafts);
        let entries = &board.session(SessionId(1)).unwrap().conversation.entries;
        entries.iter().map(|e| matches!(e.what, What::Message(_))).collect::<Vec<_>>()
    };
    for us in [-400_000, 0, 120_000, 500_000] {
        assert_eq!(order(&[start(), skew(us), ready.clone(), said(55)]), [false, true], "skew {us}");
    }
    // Within one millisecond, of which the server tells the beginning.
    let mut late = ready.clone();
    late.at.wall.0 += 900;
    assert_eq!(order(&[start(), late, said(30)]), [false, true]);
    // A server that is a minute ahead for sure.
    assert_eq!(order(&[start(), skew(60_000_000), ready, said(60_055)]), [false, true]);
}

fn shown(board: &Board) -> Vec<String> {
    let of = |e: &std::sync::Arc<Entry>| match (&e.what, &e.state) {
        (What::Message(m), EntryState::Own(Delivery::Delivered, _)) => format!("✓ {}", m.text.as_deref().unwrap_or("")),
        (What::Message(m), EntryState::Own(..)) => format!("… {}", m.text.as_deref().unwrap_or("")),
        (What::Message(m), _) => format!("{} {}", m.side.word(), m.text.as_deref().unwrap_or("")),
        (What::Presence(side, what), _) => format!("{} {what:?}", side.word()),
        (What::State(line), _) => line.clone(),
        (other, _) => format!("{other:?}"),
    };
    board.sessions[0].conversation.entries.iter().map(of).collect()
}

fn conversation() -> Vec<Draft> {
    let (hello, help) = (message("m1", "Inbound", "Hello", 100), message("m2", "Outbound", "How can I help?", 200));
    let (yes, gone) = (message("m3", "Inbound", "Hello", 300), event("d1", 400, DISCONNECT));
    vec![
        start(),
        Draft::fact(now(5), SessionId(1), &Fact::State(StateChange { to: SessionState::Ready, why: "new".into() })),
        sent(50, "Hello", "t1"),
        live(134, &hello, Some("t1")).reply_to(3),
        live(140, &hello, Some("t1")).conn(2),
        live(210, &help, None),
        sent(250, "Hello", "t3"),
        page(330, &[yes.clone(), help.clone(), hello.clone()]),
        live(340, &yes, Some("t3")).reply_to(7),
        live(410, &gone, None),
        page(500, &[gone, yes, help, hello]),
        sent(600, "Anybody?", "t4"),
    ]
}

#[test]
fn a_conversation_told_in_every_way_is_shown_once() {
    let board = fold(&conversation());
    let expected = [
        "configured (new)",
        "✓ Hello",
        "agent How can I help?",
        "✓ Hello",
        "agent Disconnected { read_only: Some(true) }",
        "… Anybody?",
    ];
    assert_eq!(shown(&board), expected);
    let view = &board.sessions[0];
    assert_eq!(view.conversation.entries[1].records, [3, 4, 5, 8, 11]);
    assert_eq!(view.conversation.entries[1].state, EntryState::Own(Delivery::Delivered, Some(84_000)));
    assert_eq!(view.latencies.samples, [(4, 84_000), (9, 90_000)]);
    assert!(view.conversation.read_only);
    assert_eq!(view.meters.get("messages").map(|m| m.used(now(601).mono)), Some(3));
}

#[test]
fn the_transcript_tells_it_once_too() {
    let writer = Writer::private().unwrap();
    conversation().into_iter().for_each(|d| _ = writer.append(d));
    writer.flush().unwrap();
    let mut out = Vec::new();
    transcript::write(&Reader::attach(&writer.opened()).unwrap(), None, &mut out, &mut |_, _| true).unwrap();
    let text = String::from_utf8(out).unwrap();
    let body = text.split("### 2026-01-06\n").nth(1).unwrap();
    let expected = "
*13:26:15.005 configured (new)*

**13:26:15.100 guest (Sam)** Hello ✓ 84 ms

**13:26:15.200 agent (Sam)** How can I help?

**13:26:15.300 guest (Sam)** Hello ✓ 90 ms

*13:26:15.400 agent disconnected, read-only*

**13:26:15.600 guest** Anybody? *(sent, no echo)*

---

4 messages; echo of the last 2: median 84 ms, 95 % within 90 ms, longest 90 ms.
";
    assert_eq!(body, expected);
}

fn upload() -> Vec<Draft> {
    let frame = |millis, direction, body: &str| draft(millis, Kind::Text, direction, body.into());
    let put = HttpRequest {
        method: "PUT".into(),
        url: "http://127.0.0.1:1/upload/b-1?sig=[signature#1]".into(),
        purpose: "upload".into(),
        ..HttpRequest::default()
    };
    vec![
        start(),
        frame(
            10,
            Direction::Sent,
            r#"{"action":"onAttachment","attachmentId":"b-1","fileName":"foo.png","fileType":"image/png","fileSize":42,"tracingId":"u1"}"#,
        ),
        live(15, &message("m1", "Outbound", "meanwhile", 15), None),
        frame(
            20,
            Direction::Received,
            r#"{"type":"response","class":"PresignedUrlResponse","code":200,"body":{"attachmentId":"b-1","url":"http://127.0.0.1:1/upload/b-1","headers":{"x":"y"},"fileName":"foo.png","fileSize":42},"tracingId":"u1"}"#,
        )
        .reply_to(2),
        draft(30, Kind::HttpRequest, Direction::Sent, String::new()).head(&put),
        draft(60, Kind::HttpResponse, Direction::Received, String::new())
            .head(&HttpResponse { status: 200, ..HttpResponse::default() })
            .code(200)
            .reply_to(5),
        frame(
            70,
            Direction::Received,
            r#"{"type":"message","class":"UploadSuccessEvent","code":200,"body":{"attachmentId":"b-1","downloadUrl":"http://127.0.0.1:1/dl/b-1"}}"#,
        ),
    ]
}

#[test]
fn an_upload_is_one_entry_and_one_chain_from_whichever_record() {
    let board = fold(&upload());
    let uploads: Vec<_> = board.sessions[0]
        .conversation
        .entries
        .iter()
        .filter_map(|e| match &e.what {
            What::Upload { name, size, state, .. } => Some((name.as_str(), *size, state.clone(), e.records.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(uploads, [("foo.png", 42, AttachmentState::Uploaded, vec![2, 4, 7])]);

    let writer = Writer::private().unwrap();
    upload().into_iter().for_each(|d| _ = writer.append(d));
    writer.flush().unwrap();
    let reader = Reader::attach(&writer.opened()).unwrap();
    let expected = [
        (2, Role::Request, None),
        (4, Role::Answer, Some(10)),
        (5, Role::Upload, None),
        (6, Role::Answer, Some(30)),
        (7, Role::Event, None),
    ];
    for from in [2, 4, 7] {
        let record = reader.record(from).unwrap().unwrap();
        let chain = related(&reader, DialectId::WebMessaging, &record).unwrap();
        let got: Vec<_> =
            chain.records.iter().map(|r| (r.seq, r.role, r.answers.map(|(_, d)| d.as_millis() as u64))).collect();
        assert_eq!(got, expected, "from {from}");
    }
}

#[test]
fn typing_is_read_from_records_outside_the_story_and_ended_by_a_message() {
    let mut board = fold(&[start()]);
    let typing = event("e1", 100, r#"{"eventType":"Typing","typing":{"type":"On","duration":5000}}"#);
    board.fold_live(&Record { seq: 2, draft: live(110, &typing, None) });
    let typing_at = |board: &Board, millis| board.sessions[0].conversation.typing_now(now(millis).mono);
    assert_eq!(typing_at(&board, 200), Some(Side::Agent));
    assert_eq!(typing_at(&board, 5_111), None);
    board.fold(&Record { seq: 3, draft: live(300, &message("m1", "Outbound", "here", 300), None) });
    assert_eq!(typing_at(&board, 301), None);
    assert_eq!(shown(&board), ["agent here"]);
}

#[test]
fn a_running_capture_shows_who_types_and_a_saved_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(folder.path()).unwrap();
    let run = |reader: Reader| {
        let (tell, calls) = std::sync::mpsc::channel();
        (Projector::start(reader, std::sync::Arc::new(move || _ = tell.send(()))), calls)
    };
    let (projector, calls) = run(Reader::attach(&writer.opened()).unwrap());
    writer.on_commit(Box::new(projector.grown_call()));
    writer.append(start());
    let typing = event("e1", 100, r#"{"eventType":"Typing","typing":{"type":"On","duration":5000}}"#);
    let mut draft = live(110, &typing, None);
    draft.flags = Flags::TYPING;
    writer.append(draft);
    let typing_on = |p: &Projector| p.board().sessions.first().and_then(|s| s.conversation.typing).is_some();
    while !typing_on(&projector) {
        calls.recv_timeout(std::time::Duration::from_secs(10)).expect("a board that shows the typing");
    }
    drop(projector);
    let crate::capture::Opened::File(path) = writer.opened() else { panic!("a file was asked for") };
    writer.close().unwrap();
    let (projector, calls) = run(Reader::open(&path).unwrap());
    while projector.board().sessions.is_empty() {
        calls.recv_timeout(std::time::Duration::from_secs(10)).expect("a board");
    }
    drop(calls);
    assert!(!typing_on(&projector));
}

#[test]
fn a_disconnect_is_the_same_by_key_or_by_moment() {
    let board = fold(&[start(), live(10, &event("d1", 5, DISCONNECT), None), page(20, &[event("", 5, DISCONNECT)])]);
    let presences = board.sessions[0]
        .conversation
        .entries
        .iter()
        .filter(|e| matches!(&e.what, What::Presence(Side::Agent, Presence::Disconnected { .. })));
    assert_eq!(presences.count(), 1);
}

proptest! {
    #[test]
    fn records_in_any_order_with_repetitions_show_the_same_conversation(
        order in prop::collection::vec(any::<u32>(), 12), again in prop::collection::vec(0usize..12, 0..12),
    ) {
        let plain = conversation();
        let texts = |b: &Board| -> Vec<String> {
            shown(b).into_iter().filter(|l| !l.starts_with("configured")).collect()
        };
        // The session's own start stays first, and its state is stated once; its own frames keep their instants, whatever their place in the log.
        let mut mixed: Vec<(u32, Draft)> = plain.iter().cloned().enumerate().skip(1).map(|(n, d)| (order[n], d)).collect();
        let replays = again.iter().filter(|n| **n > 1).map(|n| (order[*n].wrapping_mul(7), plain[*n].clone()));
        mixed.extend(replays);
        mixed.sort_by_key(|(key, _)| *key);
        let mut drafts = vec![plain[0].clone()];
        drafts.extend(mixed.into_iter().map(|(_, d)| d));
        prop_assert_eq!(texts(&fold(&plain)), texts(&fold(&drafts)));
    }
}
