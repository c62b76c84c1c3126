//! Files that are not what they seem. Every one must end in a report or in data, never in a panic or a hang.
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use super::tests::draft;
use super::*;
use crate::model::record::{Flags, Kind};
use crate::model::{Fact, SessionId};

fn capture(folder: &Path, records: u32) -> PathBuf {
    let writer = Writer::create(folder).unwrap();
    for n in 0..records {
        let mut d = draft(n % 3, &format!("{{\"class\":\"string\",\"n\":{n}}}"));
        if n % 11 == 0 {
            d = d.flags(Flags::TYPING).head(&serde_json::json!({ "n": n }));
        }
        writer.append(d);
    }
    writer.close().unwrap();
    let Opened::File(path) = writer.opened() else { panic!() };
    path
}

/// Reads everything that can be read, as the program would.
fn use_all(reader: &Reader) {
    let rows = reader.rows(None, true);
    let mut row = 0;
    while row < rows.len().min(20_000) {
        let seqs = rows.seqs(row, 500);
        let _ = reader.records(&seqs, 300);
        row += seqs.len().max(1) as u64;
    }
    let _ = reader.story(0, 5000);
    for session in reader.sessions().into_iter().take(100) {
        let rows = reader.rows(Some(session), false);
        let _ = (rows.len(), rows.seq(0), rows.row(7), reader.noise(Some(session)));
    }
    let _ = (reader.meta(), reader.marked(), reader.record(1), reader.stored_len(1));
}

fn sql(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

fn code(path: &Path) -> String {
    match Reader::open(path) {
        Ok(_) => "opened".into(),
        Err(report) => {
            assert!(!report.title.is_empty() && !report.what.is_empty());
            report.code
        }
    }
}

#[test]
fn each_kind_of_wrong_file_has_its_own_report() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    assert_eq!(code(&path("missing")), "file-missing");
    assert_eq!(code(folder.path()), "file-is-folder");
    fs::write(path("empty"), "").unwrap();
    assert_eq!(code(&path("empty")), "capture-empty");
    for text in ["x", "hello, this is a text\n", &"long text ".repeat(1000)] {
        fs::write(path("text"), text).unwrap();
        assert_eq!(code(&path("text")), "not-a-capture");
    }
    sql(&path("other"), "CREATE TABLE record(a)");
    assert_eq!(code(&path("other")), "not-a-capture");
    let good = capture(folder.path(), 5000);
    fs::copy(&good, path("newer")).unwrap();
    sql(&path("newer"), "PRAGMA user_version=99");
    assert_eq!(code(&path("newer")), "capture-newer");
    fs::copy(&good, path("ancient")).unwrap();
    sql(&path("ancient"), "PRAGMA user_version=0");
    assert_eq!(code(&path("ancient")), "capture-damaged");
    let bytes = fs::read(&good).unwrap();
    fs::write(path("short"), &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(code(&path("short")), "capture-damaged");
    for change in [
        "DROP TABLE record; CREATE VIEW record AS SELECT 1 seq",
        "ALTER TABLE record DROP COLUMN head",
        "DROP TABLE facet",
    ] {
        fs::copy(&good, path("changed")).unwrap();
        sql(&path("changed"), change);
        assert_eq!(code(&path("changed")), "capture-damaged", "{change}");
    }
    assert_eq!(code(&good), "opened");
    #[cfg(unix)]
    {
        let fifo = path("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&fifo).unwrap();
        assert_eq!(code(&fifo), "not-a-file");
    }
}

#[test]
fn opening_a_file_changes_neither_it_nor_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = capture(folder.path(), 500);
    let before = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
    let reader = Reader::open(&path).unwrap();
    use_all(&reader);
    drop(reader);
    assert!((fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap()) == before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn rows_of_rubbish_are_shown_and_marked() {
    let folder = tempfile::tempdir().unwrap();
    let path = capture(folder.path(), 100);
    sql(
        &path,
        "PRAGMA ignore_check_constraints=1;
         UPDATE record SET kind=250 WHERE seq=1;
         UPDATE record SET session=-5, conn=99999999999, mono=-1, size=-7, reply=-9 WHERE seq=2;
         UPDATE record SET head='not json' WHERE seq=3;
         UPDATE record SET body='text where bytes should be' WHERE seq=4;
         UPDATE record SET head=x'ff00fe', flags='abc', code=1e300, wall=9223372036854775807 WHERE seq=5;
         UPDATE record SET direction=77, kind=-1 WHERE seq=6;
         DELETE FROM record WHERE seq BETWEEN 50 AND 59;
         INSERT INTO record SELECT -3, wall, mono, session, conn, kind, direction, flags, code, reply, size, head, body
           FROM record WHERE seq=10;
         INSERT INTO record SELECT 9000000000000000000, wall, mono, session, conn, kind, direction, flags, code, reply,
           size, head, body FROM record WHERE seq=10;",
    );
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.len(), 100);
    assert_eq!(reader.oddities().len(), 1, "{:?}", reader.oddities());
    let records = reader.records(&(1..=200).collect::<Vec<_>>(), usize::MAX).unwrap();
    assert_eq!(records.iter().map(|r| r.seq).collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
    for n in [0, 1, 2, 4, 5, 49, 58] {
        assert!(records[n].flags.has(Flags::MALFORMED), "{:?}", records[n]);
    }
    assert!(!records[7].flags.has(Flags::MALFORMED));
    let Some(Fact::Fault(report)) = records[0].fact() else { panic!() };
    assert!(report.what.contains("250"));
    assert_eq!(records[0].kind, Kind::Fault);
    assert_eq!(records[3].text(), Some("text where bytes should be"));
    assert_eq!((records[1].session, records[1].reply_to), (SessionId(0), 0));
    use_all(&reader);
    assert!(!integrity_check(&path).unwrap().is_empty());
}

#[test]
fn an_absurd_or_missing_index_is_replaced_by_reading_the_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = capture(folder.path(), 9000);
    let rows = |path: &Path| {
        let reader = Reader::open(path).unwrap();
        use_all(&reader);
        (reader.rows(Some(SessionId(1)), true).seqs(0, 10_000), reader.rows(None, false).seqs(0, 10_000))
    };
    let right = rows(&path);
    for change in [
        "DELETE FROM facet",
        "DELETE FROM facet WHERE chunk=1",
        "UPDATE facet SET bits=x'00'",
        "UPDATE facet SET bits=zeroblob(100000) WHERE chunk=0",
        "UPDATE facet SET bits='text' WHERE facet=257",
        "INSERT INTO facet VALUES(1000000000000, 257, x'3a300000'), (-4, 1, x'')",
        "UPDATE facet SET facet=300 WHERE facet=257",
        "INSERT OR REPLACE INTO facet SELECT chunk, 258, bits FROM facet WHERE facet=257",
    ] {
        let copy = folder.path().join("copy.sscope");
        fs::copy(&path, &copy).unwrap();
        sql(&copy, change);
        let got = rows(&copy);
        if change.contains("facet=300") {
            // The index contradicts only the records, not itself; the long check tells.
            assert!(integrity_check(&copy).unwrap().iter().any(|w| w.contains("index")));
        } else {
            assert_eq!(got, right, "{change}");
        }
    }
}

#[test]
fn a_missing_chunk_of_the_index_does_not_take_the_place_of_another() {
    let folder = tempfile::tempdir().unwrap();
    // Chunks 1 and 17 lie at the same place within their parts of a row set.
    let path = capture(folder.path(), 75_000);
    sql(&path, "DELETE FROM facet WHERE chunk BETWEEN 1 AND 16; UPDATE facet SET bits = bits WHERE chunk = 17");
    let reader = Reader::open(&path).unwrap();
    assert_eq!(integrity_check(&path).unwrap(), [""; 0]);
    assert_eq!(reader.rows(Some(SessionId(0)), true).len(), 25_000);
    assert_eq!(reader.rows(None, true), Rows::All(75_000));
}

#[test]
fn a_session_for_every_record_is_no_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(folder.path()).unwrap();
    for n in 0..20_000 {
        writer.append(draft(n * 7919, "x"));
    }
    writer.close().unwrap();
    let Opened::File(path) = writer.opened() else { panic!() };
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.sessions().len(), 20_000);
    assert_eq!(reader.rows(Some(SessionId(7919 * 9000)), false).seq(0), Some(9001));
}

#[test]
fn a_file_with_random_damage_gives_a_report_or_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = capture(folder.path(), 1000);
    let good = fs::read(&path).unwrap();
    let copy = folder.path().join("damaged.sscope");
    // Splitmix64: the same damage in every run.
    let mut seed = 7u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    };
    let (mut opened, mut refused) = (0, 0);
    for round in 0..300 {
        let mut bytes = good.clone();
        // From a single bit to whole stretches, often at the beginning of a page where the structure lies.
        for _ in 0..1 + random(20) {
            let at = if random(2) == 0 { random(good.len()) } else { random(good.len() / 8192) * 8192 + random(120) };
            let len = if round % 3 == 0 { 1 } else { 1 + random(40) };
            for byte in bytes.iter_mut().skip(at).take(len) {
                *byte = random(256) as u8;
            }
        }
        if round % 10 == 0 {
            bytes.truncate(random(good.len()));
        }
        fs::write(&copy, &bytes).unwrap();
        match Reader::open(&copy) {
            Ok(reader) => {
                opened += 1;
                use_all(&reader);
                let (tx, rx) = std::sync::mpsc::channel();
                let tx = std::sync::Mutex::new(tx);
                let wake = Arc::new(move || _ = tx.lock().unwrap().send(()));
                let search = reader.search(Filter::parse("n -needle").unwrap(), (None, true), wake).unwrap();
                // The search of a file ends, and with it the sender.
                while rx.recv_timeout(std::time::Duration::from_secs(30)).is_ok() {}
                let status = search.status();
                assert!(status.failed.is_some() || status.done == status.total, "round {round}: {status:?}");
                let _ = export::jsonl(&reader, None, &folder.path().join("out"), &mut |_, _| true);
                let _ = export::har(&reader, None, &folder.path().join("out"), &mut |_, _| true);
            }
            Err(report) => {
                refused += 1;
                assert!(!report.code.is_empty());
            }
        }
        let _ = integrity_check(&copy);
    }
    assert!(opened > 20 && refused > 20, "{opened} opened, {refused} refused");
}
