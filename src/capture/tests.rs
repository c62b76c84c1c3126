//! The room as a whole, in small: write, read, open again.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::model::record::{Direction, Draft, Flags, Kind};
use crate::model::{Fact, Mono, Now, SessionId, Wall};

pub fn draft(session: u32, text: &str) -> Draft {
    let at = Now { wall: Wall(1_795_162_932_123_456), mono: Mono(77) };
    Draft::new(at, SessionId(session), Kind::Text, Direction::Received).conn(1).body(text.to_owned())
}

#[test]
fn what_was_written_is_read_live_and_again_after_closing() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(folder.path()).unwrap();
    let commits = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&commits);
    writer.on_commit(Box::new(move || _ = seen.fetch_add(1, Ordering::Relaxed)));
    let reader = Reader::attach(&writer.opened()).unwrap();
    assert!(reader.is_empty() && reader.is_running());
    let mut drafts = Vec::new();
    for n in 0..9000u32 {
        let mut d = draft(n % 3, &format!("message {n}"));
        if n % 10 == 0 {
            d = d.flags(Flags::HEARTBEAT);
        }
        if n % 7 == 0 {
            d = Draft::fact(d.at, d.session, &Fact::Note { text: n.to_string() });
        }
        assert_eq!(writer.append(d.clone()), u64::from(n) + 1);
        drafts.push(d);
    }
    writer.flush().unwrap();
    assert!(commits.load(Ordering::Relaxed) > 0);
    let check = |reader: &Reader| {
        assert_eq!(reader.len(), 9000);
        let seqs: Vec<u64> = (1..=9000).collect();
        let records = reader.records(&seqs, usize::MAX).unwrap();
        assert!(records.iter().zip(&drafts).all(|(r, d)| r.draft == *d));
        let quiet = drafts.iter().filter(|d| !d.flags.is_noise()).count() as u64;
        assert_eq!(reader.rows(None, true), Rows::All(9000));
        assert_eq!(reader.rows(None, false).len(), quiet);
        assert_eq!(reader.noise(None), 9000 - quiet);
        let second = reader.rows(Some(SessionId(2)), true);
        assert_eq!((second.len(), second.seq(0), second.seq(1)), (3000, Some(3), Some(6)));
        let story = reader.story(4000, 10).unwrap();
        assert_eq!(story.len(), 10);
        assert!(story.iter().all(|r| r.flags.has(Flags::STORY) && r.seq > 4000));
        assert_eq!(reader.record(9001).unwrap(), None);
    };
    check(&reader);
    let Opened::File(path) = writer.opened() else { panic!() };
    writer.close().unwrap();
    writer.close().unwrap();
    assert_eq!(writer.append(draft(1, "late")), 0);
    assert_eq!(writer.status().not_kept, 1);
    check(&reader);
    drop(reader);
    let reader = Reader::open(&path).unwrap();
    assert!(!reader.is_running());
    assert_eq!(reader.oddities(), [""; 0]);
    assert!(reader.meta().program.starts_with("sessionscope "));
    check(&reader);
    assert_eq!(integrity_check(&path).unwrap(), [""; 0]);
}

#[test]
fn a_private_capture_is_read_while_it_is_written_and_then_gone() {
    let writer = Writer::private().unwrap();
    let reader = Reader::attach(&writer.opened()).unwrap();
    for n in 0..3000 {
        writer.append(draft(1, &format!("secret {n}")));
        if n % 1000 == 999 {
            writer.flush().unwrap();
            assert_eq!(reader.record(n + 1).unwrap().unwrap().text(), Some(&*format!("secret {n}")));
        }
    }
    assert!(writer.status().bytes == 0 || writer.status().bytes > 4096);
    writer.close().unwrap();
    assert_eq!(reader.len(), 3000);
    assert_eq!(reader.record(1).unwrap().unwrap().text(), Some("secret 0"));
    let Err(report) = Reader::attach(&writer.opened()) else { panic!("it should be gone") };
    assert_eq!(report.code, "capture-gone");
}

#[test]
fn a_row_shows_the_beginning_of_a_long_payload_and_the_record_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(folder.path()).unwrap();
    let long: String = (0..300_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    writer.append(draft(1, "short"));
    writer.append(draft(1, &long));
    writer.flush().unwrap();
    let reader = Reader::attach(&writer.opened()).unwrap();
    let rows = reader.records(&[1, 2], 100).unwrap();
    assert_eq!((rows[0].body.len(), rows[1].body.len()), (5, 100));
    assert_eq!(rows[1].text(), Some(&long[..100]));
    assert_eq!((rows[1].size, reader.stored_len(2).unwrap()), (300_000, 300_000));
    assert_eq!(reader.record(2).unwrap().unwrap().text(), Some(&*long));
}

#[test]
fn dropping_the_last_clone_commits_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(folder.path()).unwrap();
    let Opened::File(path) = writer.opened() else { panic!() };
    let clone = writer.clone();
    for n in 0..100 {
        clone.append(draft(1, &n.to_string()));
    }
    drop(writer);
    drop(clone);
    assert_eq!(Reader::open(&path).unwrap().len(), 100);
}

#[test]
fn whoever_closes_last_leaves_one_plain_file() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(folder.path()).unwrap();
    let reader = Reader::attach(&writer.opened()).unwrap();
    writer.append(draft(1, "x"));
    writer.flush().unwrap();
    assert_eq!(reader.record(1).unwrap().unwrap().text(), Some("x"));
    writer.close().unwrap();
    assert_eq!(reader.record(1).unwrap().unwrap().text(), Some("x"));
    drop(reader);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let Err(report) = Writer::create(&file.join("captures")) else { panic!("it is a file") };
    assert!(!report.code.is_empty() && report.what.contains("captures"), "{report:?}");
    let Err(report) = Writer::create_at(&file) else { panic!("it exists") };
    assert_eq!(report.code, "file-exists");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x");
}

#[test]
fn records_of_many_threads_each_get_their_own_place() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(folder.path()).unwrap();
    let threads: Vec<_> = (1..=4u32)
        .map(|session| {
            let writer = writer.clone();
            std::thread::spawn(move || (0..5000).map(|_| writer.append(draft(session, "x"))).collect::<Vec<_>>())
        })
        .collect();
    let places: Vec<Vec<u64>> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    writer.flush().unwrap();
    let reader = Reader::attach(&writer.opened()).unwrap();
    assert_eq!(reader.rows(None, true), Rows::All(20_000));
    for (session, places) in (1..).zip(places) {
        assert_eq!(reader.rows(Some(SessionId(session)), true).seqs(0, 20_000), places);
    }
}
