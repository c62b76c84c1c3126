//! The capture against the world: killed, read by several, saved, of an older version.
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sessionscope::capture::{Opened, Reader, Rows, Writer, integrity_check, save};
use sessionscope::model::record::{Direction, Draft, Flags, HttpRequest, Kind};
use sessionscope::model::{Fact, Mono, Now, Record, SessionId, Wall};

/// Tells the child where to write.
const FOLDER: &str = "SESSIONSCOPE_TEST_CAPTURE_FOLDER";
/// The child lets no more than this wait for the disk; a kill may lose it, and the batch in flight.
const MOST_LOST: u64 = 4096 + 4096;
/// Nothing accepted longer than this before the kill may be lost: the writer's few milliseconds, and a slow machine.
const LOST_WITHIN: Duration = Duration::from_secs(1);

fn draft(session: u32, text: impl Into<String>) -> Draft {
    let now = Now { wall: Wall(1_795_162_932_123_456), mono: Mono(1) };
    Draft::new(now, SessionId(session), Kind::Text, Direction::Received).conn(1).body(text.into())
}

fn file_of(writer: &Writer) -> PathBuf {
    match writer.opened() {
        Opened::File(path) => path,
        Opened::Memory(_) => panic!("not a file"),
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// The child of the test below: writes as fast as the writer takes it until it is killed. Every hundred records it
/// prints the last number that was accepted, and when.
#[test]
fn child_that_writes_until_it_is_killed() {
    // Only a child of the test below writes, until it is killed.
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let writer = Writer::create(Path::new(&folder)).unwrap();
    println!("\nfile {}", file_of(&writer).display());
    let mut out = std::io::stdout();
    for n in 1u64.. {
        let noise = if n % 7 == 0 { Flags::HEARTBEAT } else { Flags::NONE };
        let seq = writer.append(draft((n % 3) as u32, n.to_string()).flags(noise));
        assert_eq!(seq, n);
        if n % 100 == 0 {
            writeln!(out, "at {seq} {}", since_epoch().as_micros()).unwrap();
            out.flush().unwrap();
            while writer.status().queued > 4000 {
                thread::yield_now();
            }
        }
    }
}

#[test]
fn a_killed_program_loses_at_most_the_batch_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let mut longest = 0;
    for round in 0..20u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "capture::child_that_writes_until_it_is_killed", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Moments spread over the first quarter of a second of writing, checkpoints of the WAL included.
        let moment = Duration::from_micros((round * 7919 * 1361) % 250_000);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut file = PathBuf::new();
        for line in lines.by_ref().map_while(Result::ok) {
            if let Some(path) = line.strip_prefix("file ") {
                file = path.into();
            }
            if line.starts_with("at ") {
                break;
            }
        }
        let reading = thread::spawn(move || {
            let points = lines.map_while(Result::ok).filter_map(|line| {
                let mut words = line.strip_prefix("at ")?.split(' ').map(|w| w.parse::<u64>().ok());
                Some((words.next()??, words.next()??))
            });
            points.collect::<Vec<_>>()
        });
        thread::sleep(moment);
        let killed = since_epoch();
        child.kill().unwrap();
        child.wait().unwrap();
        let points = reading.join().unwrap();

        assert_eq!(integrity_check(&file).unwrap(), [""; 0], "round {round}");
        let reader = Reader::open(&file).unwrap();
        let len = reader.len();
        let seqs: Vec<u64> = (1..=len).collect();
        let records = reader.records(&seqs, usize::MAX).unwrap();
        assert_eq!(records.len() as u64, len);
        assert!(records.iter().all(|r| r.text() == Some(&r.seq.to_string())), "round {round}");
        assert_eq!(reader.rows(Some(SessionId(1)), true).len(), len.div_ceil(3));
        assert_eq!(reader.noise(None), len / 7);
        let accepted = points.last().map_or(0, |(seq, _)| *seq);
        assert!(accepted <= len + MOST_LOST, "round {round}: {len} of {accepted} records are there");
        for (seq, at) in points {
            let age = killed.saturating_sub(Duration::from_micros(at));
            assert!(seq <= len || age < LOST_WITHIN, "round {round}: {seq} was lost after {age:?}");
        }
        longest = longest.max(len);
    }
    assert!(longest > 5000, "the load was too small to prove anything: {longest}");
}

#[test]
fn two_readers_see_a_growing_log_without_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(folder.path()).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (opened, done) = (writer.opened(), Arc::clone(&done));
            thread::spawn(move || {
                let reader = Reader::attach(&opened).unwrap();
                let (mut seen, mut looks) = (0, 0);
                loop {
                    let last_look = done.load(Ordering::Acquire);
                    let len = reader.len();
                    assert!(len >= seen, "the log became shorter");
                    let rows = reader.rows(None, true);
                    assert!(rows.len() >= len);
                    for record in reader.records(&(seen + 1..=len).collect::<Vec<_>>(), 100).unwrap() {
                        seen += 1;
                        assert_eq!((record.seq, record.text()), (seen, Some(&*seen.to_string())));
                    }
                    assert_eq!(seen, len);
                    looks += 1;
                    if last_look {
                        return (seen, looks);
                    }
                }
            })
        })
        .collect();
    for n in 1..=30_000u64 {
        writer.append(draft(1, n.to_string()));
        if n % 1000 == 0 {
            writer.flush().unwrap();
        }
    }
    done.store(true, Ordering::Release);
    for reader in readers {
        let (seen, looks) = reader.join().unwrap();
        assert_eq!(seen, 30_000);
        assert!(looks > 1);
    }
    writer.close().unwrap();
}

#[cfg(unix)]
#[test]
fn captures_and_exports_are_for_their_owner_only() {
    use sessionscope::capture::export;
    use std::os::unix::fs::PermissionsExt;

    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = tempfile::tempdir().unwrap();
    let captures = folder.path().join("state/captures");
    let writer = Writer::create(&captures).unwrap();
    writer.append(draft(1, "x"));
    writer.flush().unwrap();
    let file = file_of(&writer);
    assert_eq!(mode(&captures), 0o700);
    let beside = std::fs::read_dir(&captures).unwrap().map(|e| e.unwrap().path()).collect::<Vec<_>>();
    assert!(beside.iter().any(|p| p.to_string_lossy().ends_with("-wal")), "{beside:?}");
    for path in &beside {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    let reader = Reader::attach(&writer.opened()).unwrap();
    let out = |name: &str| folder.path().join(name);
    let mut go_on = |_: u64, _: u64| true;
    export::har(&reader, None, &out("a.har"), &mut go_on).unwrap();
    export::jsonl(&reader, None, &out("a.jsonl"), &mut go_on).unwrap();
    save(&reader, &out("a.sscope"), &mut go_on).unwrap();
    for name in ["a.har", "a.jsonl", "a.sscope"] {
        assert_eq!(mode(&out(name)), 0o600, "{name}");
    }
    drop(reader);
    writer.close().unwrap();
    // One plain file is left.
    assert_eq!(std::fs::read_dir(&captures).unwrap().map(|e| e.unwrap().path()).collect::<Vec<_>>(), [file]);
}

#[test]
fn a_private_capture_leaves_no_file_and_can_be_saved() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::private().unwrap();
    for n in 1..=5000u64 {
        writer.append(draft(1, n.to_string()));
    }
    writer.flush().unwrap();
    let reader = Reader::attach(&writer.opened()).unwrap();
    assert_eq!(reader.len(), 5000);
    let to = folder.path().join("kept.sscope");
    save(&reader, &to, &mut |_, _| true).unwrap();
    assert_eq!(integrity_check(&to).unwrap(), [""; 0]);
    let saved = Reader::open(&to).unwrap();
    let seqs: Vec<u64> = (1..=5000).collect();
    assert_eq!(saved.records(&seqs, usize::MAX).unwrap(), reader.records(&seqs, usize::MAX).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_wal_stays_small_however_much_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(folder.path()).unwrap();
    let mut wal = file_of(&writer).into_os_string();
    wal.push("-wal");
    let text = "x".repeat(4000);
    for n in 1..=20_000u64 {
        writer.append(draft(1, text.clone()));
        if n % 1000 == 0 {
            writer.flush().unwrap();
            let len = std::fs::metadata(&wal).unwrap().len();
            assert!(len < 40 << 20, "{len} bytes after {n} records");
        }
    }
    assert_eq!(writer.status().left_out, 0);
    writer.close().unwrap();
    assert!(!Path::new(&wal).exists());
}

#[test]
fn commits_come_within_milliseconds_of_a_lonely_record() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(folder.path()).unwrap();
    let (tx, rx) = std::sync::mpsc::channel();
    let tx = std::sync::Mutex::new(tx);
    writer.on_commit(Box::new(move || _ = tx.lock().unwrap().send(Instant::now())));
    let reader = Reader::attach(&writer.opened()).unwrap();
    writer.append(draft(1, "alone"));
    rx.recv_timeout(Duration::from_secs(10)).expect("nobody asked for it, and yet it must be committed");
    assert_eq!(reader.record(1).unwrap().unwrap().text(), Some("alone"));
}

#[cfg(unix)]
#[test]
fn a_capture_that_may_only_be_read_opens_and_wrong_files_stay_as_they_are() {
    use std::os::unix::fs::PermissionsExt;

    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("archive");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("old.sscope");
    std::fs::copy(fixture(), &file).unwrap();
    let newer = folder.join("newer.sscope");
    let mut bytes = std::fs::read(fixture()).unwrap();
    // The schema's version, big-endian, in the head of a database.
    bytes[60..64].copy_from_slice(&99u32.to_be_bytes());
    std::fs::write(&newer, &bytes).unwrap();
    let text = folder.join("text.sscope");
    std::fs::write(&text, "not a capture\n").unwrap();
    let all = [&file, &newer, &text];
    let before = all.map(|f| std::fs::read(f).unwrap());
    for file in all {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o400)).unwrap();
    }
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o500)).unwrap();
    let reader = Reader::open(&file).unwrap();
    assert_eq!(reader.records(&(1..=reader.len()).collect::<Vec<_>>(), usize::MAX).unwrap(), old_records());
    let code = |file: &Path| Reader::open(file).err().map(|r| r.code);
    assert_eq!(code(&newer).as_deref(), Some("capture-newer"));
    assert_eq!(code(&text).as_deref(), Some("not-a-capture"));
    drop(reader);
    assert!(all.map(|f| std::fs::read(f).unwrap()) == before, "a file was changed");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3);
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
}

/// Tells the child below where to write.
#[cfg(unix)]
const FULL: &str = "SESSIONSCOPE_TEST_FULL_FOLDER";

/// The child of the test below: files of 4 MiB are the largest that the system gives it.
#[cfg(unix)]
#[test]
fn child_whose_files_cannot_grow() {
    use sessionscope::capture::export;

    let Some(folder) = std::env::var_os(FULL).map(PathBuf::from) else { return };
    let code = |result: Result<(), sessionscope::model::Report>| match result {
        Ok(()) => "done".to_owned(),
        Err(report) => {
            assert!(!report.remedies.is_empty(), "{report:?}");
            report.code
        }
    };
    let long = Writer::private().unwrap();
    for n in 0..8000 {
        long.append(draft(1, format!("{n:0>1000}")));
    }
    long.flush().unwrap();
    let reader = Reader::attach(&long.opened()).unwrap();
    let mut go_on = |_: u64, _: u64| true;
    println!("\nhar {}", code(export::har(&reader, None, &folder.join("old.har"), &mut go_on)));
    println!("jsonl {}", code(export::jsonl(&reader, None, &folder.join("old.jsonl"), &mut go_on)));
    println!("save {}", code(save(&reader, &folder.join("old.sscope"), &mut go_on)));
    let writer = Writer::create_at(&folder.join("running.sscope")).unwrap();
    for n in 0..8000 {
        writer.append(draft(1, format!("{n:0>1000}")));
        if n % 100 == 0 && writer.flush().is_err() {
            break;
        }
    }
    println!("written {}", code(writer.flush()));
    println!("kept {}", writer.status().records);
    std::process::exit(0);
}

#[cfg(unix)]
#[test]
fn where_no_file_can_grow_the_old_ones_stay_and_the_capture_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let old = ["old.har", "old.jsonl", "old.sscope"];
    for name in old {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    // A limit of the process stands for a full disk; without the trap its signal would end the child.
    let output = Command::new("bash")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 4096; exec \"$0\" --exact capture::child_whose_files_cannot_grow --nocapture",
        ])
        .arg(std::env::current_exe().unwrap())
        .env(FULL, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let told = |word: &str| said.lines().find_map(|l| l.strip_prefix(word)).unwrap_or_default().trim().to_owned();
    assert_eq!((told("har "), told("jsonl ")), ("disk-full".into(), "disk-full".into()), "{said}");
    for word in ["save ", "written "] {
        assert!(["disk-full", "capture-io"].contains(&told(word).as_str()), "{said}");
    }
    for name in old {
        assert_eq!(std::fs::read_to_string(folder.path().join(name)).unwrap(), name, "it was overwritten");
    }
    let running = folder.path().join("running.sscope");
    assert_eq!(integrity_check(&running).unwrap(), [""; 0]);
    let kept: u64 = told("kept ").parse().unwrap();
    assert!(kept > 0 && Reader::open(&running).unwrap().len() >= kept, "{said}");
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(files.iter().all(|f| !f.to_string_lossy().ends_with(".part")), "{files:?}");
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/version-1.sscope")
}

/// What lies in the fixture of version 1.
fn old_records() -> Vec<Record> {
    let head = HttpRequest {
        method: "GET".into(),
        url: "https://api.example.org/api/v2/webmessaging/messages?pageSize=25".into(),
        version: "HTTP/1.1".into(),
        headers: vec![("Accept".into(), "application/json".into())],
        purpose: "history".into(),
        tracing: None,
    };
    let mut request = draft(1, "").head(&head);
    (request.kind, request.direction, request.conn) = (Kind::HttpRequest, Direction::Sent, 0);
    let mut close = draft(2, "going away").code(1001);
    close.kind = Kind::Close;
    let mut binary = draft(2, "").body(vec![0u8, 255, 1, 254]);
    binary.kind = Kind::Binary;
    let at = request.at;
    let drafts = vec![
        request,
        draft(1, r#"{"action":"configureSession","deploymentId":"d"}"#),
        draft(1, r#"{"type":"response","class":"SessionResponse","code":200}"#).reply_to(2).flags(Flags::STORY),
        draft(1, r#"{"class":"string","body":"ping"}"#).flags(Flags::HEARTBEAT),
        draft(2, "Grüße, 你好, שלום 😀").flags(Flags::MALFORMED),
        binary,
        close,
        Draft::fact(at, SessionId(1), &Fact::Note { text: "look here".into() }).reply_to(5),
        Draft::fact(at, SessionId(1), &Fact::Mark { on: true }).reply_to(5),
    ];
    (1..).zip(drafts).map(|(seq, draft)| Record { seq, draft }).collect()
}

/// The file was written once, when version 1 came to be, and stands for all files of that version.
#[test]
fn a_capture_of_version_1_opens_for_ever() {
    let before = std::fs::read(fixture()).unwrap();
    assert_eq!(integrity_check(&fixture()).unwrap(), [""; 0]);
    let reader = Reader::open(&fixture()).unwrap();
    assert_eq!(reader.oddities(), [""; 0]);
    let records = reader.records(&(1..=reader.len()).collect::<Vec<_>>(), usize::MAX).unwrap();
    assert_eq!(records, old_records());
    assert_eq!(reader.sessions(), [SessionId(1), SessionId(2)]);
    assert_eq!(reader.rows(Some(SessionId(2)), true), [5, 6, 7].into_iter().collect::<Rows>());
    assert_eq!(reader.noise(None), 1);
    assert_eq!(reader.marked().unwrap().seqs(0, 9), [5]);
    let story: Vec<u64> = reader.story(0, 9).unwrap().iter().map(|r| r.seq).collect();
    assert_eq!(story, [3, 8, 9]);
    assert_eq!(reader.meta().program, "sessionscope 0.1.0");
    drop(reader);
    assert!(std::fs::read(fixture()).unwrap() == before, "opening changed the file");
}
