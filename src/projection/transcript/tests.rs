use super::*;
use crate::capture::Writer;
use crate::model::fact::{End, StateChange};
use crate::model::happening::{Attachment, Source};
use crate::model::record::SessionStart;
use crate::model::{Direction, Draft, Hosts, Mono, Now};
use crate::projection::merge::tests::message;

/// 2026-01-06T13:26:15.174Z
const START: i64 = 1_767_705_975_174_000;

fn now(micros: i64) -> Now {
    Now { wall: Wall(START + micros), mono: Mono(micros as u64 + 1) }
}

fn start(session: u32, name: &str) -> Draft {
    let start = SessionStart {
        name: name.into(),
        dialect: Default::default(),
        environment: "staging *1*".into(),
        hosts: Hosts::of_domain("example.invalid"),
        deployment_id: "d-1".into(),
        tls_unverified: false,
        limits: crate::model::environment::Limits::default(),
    };
    Draft::new(now(0), SessionId(session), Kind::SessionStart, Direction::Local).flags(Flags::STORY).head(&start)
}

fn fact(session: u32, micros: i64, fact: Fact) -> Draft {
    Draft::fact(now(micros), SessionId(session), &fact)
}

fn written(drafts: Vec<Draft>, session: Option<SessionId>) -> Result<String, Report> {
    let writer = Writer::private().unwrap();
    for draft in drafts {
        writer.append(draft);
    }
    writer.flush().unwrap();
    let reader = Reader::attach(&writer.opened()).unwrap();
    let (mut out, mut last) = (Vec::new(), 0);
    write(&reader, session, &mut out, &mut |done, total| {
        assert!(done > last && done <= total);
        last = done;
        true
    })?;
    Ok(String::from_utf8(out).unwrap())
}

fn ended(how: End) -> Fact {
    Fact::State(StateChange { to: SessionState::Ended(how), why: String::new() })
}

#[test]
fn the_head_names_the_session_and_how_it_ended() {
    let text = written(
        vec![
            start(1, "checkout"),
            fact(1, 1_000, Fact::Note { text: "a note\n# not a heading".into() }),
            fact(1, 2_000, ended(End::ByServer { code: 1001, reason: "*going*".into() })),
        ],
        None,
    )
    .unwrap();
    let expected = "# Transcript

Times are the server's where it told them, in UTC.

## Session 1 checkout

- Protocol: Web Messaging (Guest API socket)
- Environment: staging \\*1\\*
- Guest socket: wss://webmessaging.example.invalid/v1
- Deployment: d-1
- Began: 2026-01-06T13:26:15.174000Z
- Last record: 2026-01-06T13:26:15.176000Z
- Ended: closed by the server with 1001: \\*going\\*

### 2026-01-06

**13:26:15.175 note** a note\\
\\# not a heading

*13:26:15.176 ended: closed by the server with 1001: \\*going\\**

---

0 messages.
";
    assert_eq!(text, expected);
}

#[test]
fn one_session_or_all_can_be_written() {
    let drafts = || vec![start(1, "one"), start(2, "two"), fact(1, 5, Fact::Note { text: "late".into() })];
    let all = written(drafts(), None).unwrap();
    assert!(all.contains("## Session 1 one") && all.contains("## Session 2 two"));
    assert!(all.find("late") < all.find("## Session 2"), "each session stands together");
    let second = written(drafts(), Some(SessionId(2))).unwrap();
    assert!(!second.contains("Session 1") && second.contains("## Session 2 two"));
    assert!(second.contains("not told among the last records"));
    assert!(written(Vec::new(), None).unwrap().contains("no session"));
}

#[test]
fn more_entries_than_the_window_are_all_there_in_order() {
    let count = WINDOW as i64 + WINDOW as i64 / 10 + 100;
    let mut drafts = vec![start(1, "long")];
    drafts.extend((1..=count).map(|n| fact(1, n, Fact::Note { text: format!("note {n}.") })));
    let text = written(drafts, None).unwrap();
    let notes: Vec<i64> = text
        .lines()
        .filter_map(|l| l.split("note** note ").nth(1).and_then(|n| n.trim_end_matches('.').parse().ok()))
        .collect();
    assert_eq!(notes, (1..=count).collect::<Vec<_>>());
}

#[test]
fn it_can_be_cancelled_and_says_when_it_cannot_write() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let writer = Writer::private().unwrap();
    writer.append(start(1, "one"));
    writer.flush().unwrap();
    let reader = Reader::attach(&writer.opened()).unwrap();
    let cancelled = write(&reader, None, &mut Vec::new(), &mut |_, _| false).unwrap_err();
    assert_eq!(cancelled.code, "cancelled");
    let full = write(&reader, None, &mut Full, &mut |_, _| true).unwrap_err();
    assert_eq!(full.code, "export-failed");
}

#[test]
fn rich_content_reads_as_text() {
    let mut m = message("k", None, Source::Live, None);
    m.text = Some("choose <b>one</b>".into());
    let action = CardAction::Link { text: "More".into(), url: "https://example.invalid/a_b".into() };
    m.parts = vec![
        Part::QuickReply { text: "Yes".into(), payload: "yes".into(), image: None },
        Part::Card(Card { title: "A".into(), description: "First".into(), actions: vec![action], ..Card::default() }),
        Part::Attachment(Attachment {
            name: "f\u{202E}gnp.exe".into(),
            mime: "image/png".into(),
            size: Some(42),
            ..Attachment::default()
        }),
    ];
    m.attributes = vec![("plan".into(), "gold".into())];
    let expected = [
        r" choose \<b\>one\</b\>\",
        r"↳ quick reply: Yes (yes)\",
        r"↳ card: A: First\",
        r"↳ link of the card: More (https://example.invalid/a\_b)\",
        r"↳ file: f‹U+202E›gnp.exe, image/png, 42 bytes\",
        r"↳ attribute plan = gold",
    ];
    assert_eq!(body(&m), expected.join("\n"));
    let refused = EntryState::Own(Delivery::Refused { code: 4011, text: "too long".into() }, None);
    assert_eq!(delivery_mark(&refused), " ✗ *refused with 4011: too long*");
    assert_eq!(delivery_mark(&EntryState::Own(Delivery::Delivered, Some(84_200))), " ✓ 84 ms");
}

#[test]
fn a_session_that_a_crash_cut_off_is_told_as_such() {
    let ready = Fact::State(StateChange { to: SessionState::Ready, why: String::new() });
    let drafts = vec![start(1, "checkout"), fact(1, 1_000, ready)];
    let live = written(drafts.clone(), None).unwrap();
    assert!(live.contains("- Ended: not yet; the last state is “ready”"), "{live}");
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(folder.path()).unwrap();
    let crate::capture::Opened::File(path) = writer.opened() else { panic!("in memory") };
    for draft in drafts {
        writer.append(draft);
    }
    writer.close().unwrap();
    let mut out = Vec::new();
    write(&Reader::open(&path).unwrap(), None, &mut out, &mut |_, _| true).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("- Ended: cut off; the capture ends in the state “ready”"), "{text}");
    assert_eq!([0, 1, 2].map(count), ["0 messages", "1 message", "2 messages"]);
}
