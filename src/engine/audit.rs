//! The audit log: JSON Lines beside the captures, one line per attempt at a server, per change of state and per change
//! of a token.
//!
//! Append-only, for the owner only, rotated at [`ROTATE_AT`] bytes. It is written from records that have passed the
//! redactor, on a thread of its own. When that cannot keep up, lines are left out and counted, and a line says so.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde_json::{Map, Value, json};

use crate::capture::make_folder;
use crate::model::fact::{Audit, Expiry, ExpiryEvent, SessionState, StateChange};
use crate::model::record::SessionStart;
use crate::model::{Draft, Fact, Kind, Report, SessionId, Wall};

/// Name of the file that is written now.
pub const FILE: &str = "audit.jsonl";
/// A file that has grown to this is put aside, under a name with the time.
pub const ROTATE_AT: u64 = 8 << 20;
/// Files put aside that are kept; the oldest goes.
pub const KEPT: usize = 20;
/// Lines that may wait for the disk.
const WAITING: usize = 4096;
/// Sessions whose names are remembered.
const SESSIONS: usize = 10_000;

/// Cheap to clone. The file is closed when the last one is dropped.
#[derive(Clone)]
pub struct AuditLog(Arc<Shared>);

struct Shared {
    folder: PathBuf,
    lines: Mutex<Option<SyncSender<String>>>,
    left_out: Arc<AtomicU64>,
    names: Mutex<HashMap<SessionId, Named>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    trouble: Arc<Mutex<Option<Report>>>,
}

#[derive(Clone)]
struct Named {
    name: String,
    dialect: &'static str,
    environment: String,
}

impl AuditLog {
    /// Begins to write into this folder. A folder that cannot be written to is told by [`AuditLog::trouble`], again
    /// and again tried, and the lines meanwhile are counted as left out.
    pub fn start(folder: PathBuf) -> Result<Self, Report> {
        let (lines, lines_in) = sync_channel(WAITING);
        let left_out = Arc::new(AtomicU64::new(0));
        let trouble = Arc::new(Mutex::new(None));
        let kept = folder.clone();
        let writer = Writer { folder, file: None, size: 0, left_out: left_out.clone(), trouble: trouble.clone() };
        let thread = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || writer.run(&lines_in))
            .map_err(|e| Report::new("audit", "The audit log cannot be written", e.to_string()))?;
        Ok(Self(Arc::new(Shared {
            folder: kept,
            lines: Mutex::new(Some(lines)),
            left_out,
            names: Mutex::default(),
            thread: Mutex::new(Some(thread)),
            trouble,
        })))
    }

    /// Takes a record that has passed the redactor; most are of no interest here.
    pub fn take(&self, draft: &Draft) {
        let line = match draft.kind {
            Kind::SessionStart => return self.name(draft),
            Kind::Audit | Kind::State | Kind::Expiry => match serde_json::from_str::<Fact>(&draft.head) {
                Ok(Fact::Audit(audit)) => self.line(draft, attempt(&audit)),
                Ok(Fact::State(change)) => self.line(draft, state(&change)),
                Ok(Fact::Expiry(expiry)) if expiry.event != ExpiryEvent::Extended => self.line(draft, token(&expiry)),
                _ => return,
            },
            _ => return,
        };
        let lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = lines.as_ref()
            && let Err(TrySendError::Full(_)) = lines.try_send(line)
        {
            self.0.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// Copies all of it, oldest first, into a new file.
    pub fn export(&self, to: &Path) -> Result<u64, Report> {
        export(&self.0.folder, to)
    }

    /// Why nothing could be written the last time it was tried.
    pub fn trouble(&self) -> Option<Report> {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn name(&self, draft: &Draft) {
        let Ok(start) = serde_json::from_str::<SessionStart>(&draft.head) else { return };
        let mut names = self.0.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= SESSIONS {
            names.clear();
        }
        let named = Named { name: start.name, dialect: start.dialect.key(), environment: start.environment };
        names.insert(draft.session, named);
    }

    fn line(&self, draft: &Draft, event: Map<String, Value>) -> String {
        let mut all = Map::new();
        all.insert("time".into(), json!(draft.at.wall.rfc3339()));
        if draft.session != SessionId::NONE {
            all.insert("session".into(), json!(draft.session.0));
        }
        let named = self.0.names.lock().unwrap_or_else(PoisonError::into_inner).get(&draft.session).cloned();
        if let Some(named) = named {
            all.insert("name".into(), json!(named.name));
            all.insert("dialect".into(), json!(named.dialect));
            all.insert("environment".into(), json!(named.environment));
        }
        all.extend(event);
        Value::Object(all).to_string()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // It writes what waits, and ends.
            let _ = thread.join();
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map.into_iter().filter(|(_, v)| !v.is_null()).collect(),
        _ => Map::new(),
    }
}

fn attempt(a: &Audit) -> Map<String, Value> {
    object(json!({
        "event": "attempt",
        "action": a.action,
        "status": a.outcome.word(),
        "attempt": a.attempt,
        "httpStatus": a.status,
        "latencyMs": a.latency_us as f64 / 1e3,
        "guest": a.ids.guest,
        "queue": a.ids.queue,
        "contactId": a.ids.contact,
        "conversationId": a.ids.conversation,
        "idempotencyKey": a.idempotency_key,
        "errorCategory": a.category.map(|c| c.word()),
        "error": a.error,
    }))
}

fn state(change: &StateChange) -> Map<String, Value> {
    let detail = match &change.to {
        SessionState::Ended(end) => Some(end.sentence()),
        _ => None,
    };
    let why = Some(&change.why).filter(|w| !w.is_empty());
    object(json!({ "event": "state", "state": change.to.word(), "detail": detail, "why": why }))
}

fn token(e: &Expiry) -> Map<String, Value> {
    let event = format!("{:?}", e.event).to_lowercase();
    object(json!({
        "event": "token",
        "what": e.title,
        "token": e.token,
        "change": event,
        "by": e.by,
        "until": e.until.map(Wall::rfc3339),
        "scope": e.scope,
    }))
}

struct Writer {
    folder: PathBuf,
    file: Option<File>,
    size: u64,
    left_out: Arc<AtomicU64>,
    trouble: Arc<Mutex<Option<Report>>>,
}

impl Writer {
    fn run(mut self, lines: &Receiver<String>) {
        while let Ok(line) = lines.recv() {
            // What waits goes out in one write.
            let mut text = line;
            text.push('\n');
            let mut count = 1;
            while let Ok(more) = lines.try_recv() {
                text.push_str(&more);
                text.push('\n');
                count += 1;
            }
            let left_out = self.left_out.swap(0, Ordering::Relaxed);
            if left_out > 0 {
                let now = jiff::Timestamp::now();
                let note = json!({ "time": now.to_string(), "event": "left-out", "lines": left_out });
                text.push_str(&format!("{note}\n"));
            }
            let written = self.write(text.as_bytes());
            if written.is_err() {
                self.file = None;
                self.left_out.fetch_add(left_out + count, Ordering::Relaxed);
            }
            let report = written.err().map(|e| {
                let place = self.folder.join(FILE).display().to_string();
                Report::new("audit", "The audit log cannot be written", format!("{place}: {e}."))
                    .remedy("Make room, or give yourself the right to write there; lines are left out until then.")
            });
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = report;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.open()?;
        if self.size > 0 && self.size + bytes.len() as u64 > ROTATE_AT {
            drop(file);
            self.rotate()?;
            file = self.open()?;
        }
        file.write_all(bytes)?;
        self.size += bytes.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// The file at its end; whoever takes it puts it back.
    fn open(&mut self) -> io::Result<File> {
        if let Some(file) = self.file.take() {
            return Ok(file);
        }
        make_folder(&self.folder)?;
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(self.folder.join(FILE))?;
        self.size = file.seek(SeekFrom::End(0))?;
        Ok(file)
    }

    /// Puts the file aside, and removes the oldest of those put aside.
    fn rotate(&mut self) -> io::Result<()> {
        self.size = 0;
        let stamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%S%.3fZ");
        std::fs::rename(self.folder.join(FILE), self.folder.join(format!("audit-{stamp}.jsonl")))?;
        let old = put_aside(&self.folder)?;
        for path in old.iter().take(old.len().saturating_sub(KEPT)) {
            std::fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// Files that were put aside, oldest first.
fn put_aside(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            name.starts_with("audit-") && name.ends_with(".jsonl")
        })
        .collect();
    all.sort();
    Ok(all)
}

/// The last lines of the file that is written now, oldest first, and how many bytes it has. Reads at most a megabyte.
pub fn tail(folder: &Path, lines: usize) -> Result<(Vec<String>, u64), Report> {
    let path = folder.join(FILE);
    let read = || -> io::Result<(Vec<String>, u64)> {
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
            Err(e) => return Err(e),
        };
        let size = file.seek(SeekFrom::End(0))?;
        let from = size.saturating_sub(1 << 20);
        file.seek(SeekFrom::Start(from))?;
        let mut all: Vec<String> = Vec::new();
        let mut bytes = Vec::new();
        file.take(1 << 20).read_to_end(&mut bytes)?;
        for line in BufReader::new(bytes.as_slice()).split(b'\n').skip(usize::from(from > 0)) {
            all.push(String::from_utf8_lossy(&line?).into_owned());
        }
        let skip = all.len().saturating_sub(lines);
        Ok((all.split_off(skip), size))
    };
    read().map_err(|e| {
        Report::new("audit-unread", "The audit log cannot be read", format!("{}: {e}.", path.display()))
            .remedy("Check that you may read it.")
    })
}

/// Writes all of the log, oldest first, into a new file for the owner only.
fn export(folder: &Path, to: &Path) -> Result<u64, Report> {
    let copy = || -> io::Result<u64> {
        let mut out = crate::capture::create_private(to)?;
        let mut bytes = 0;
        let mut all = if folder.is_dir() { put_aside(folder)? } else { Vec::new() };
        all.push(folder.join(FILE));
        for path in all {
            match File::open(&path) {
                Ok(mut file) => bytes += io::copy(&mut file, &mut out)?,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(bytes)
    };
    copy().map_err(|e| {
        Report::new("audit-not-exported", "The audit log was not exported", format!("{}: {e}.", to.display()))
            .remedy("Choose another name: a file that exists is not overwritten.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::{AuditIds, AuditOutcome, ErrorCategory};
    use crate::model::{Direction, Mono, Now};

    fn draft(kind: Kind, fact: &Fact) -> Draft {
        let at = Now { wall: Wall::from_secs(1_767_705_975), mono: Mono(5) };
        Draft::new(at, SessionId(3), kind, Direction::Local).head(fact)
    }

    fn audit(n: u32) -> Draft {
        let fact = Fact::Audit(Audit {
            action: "session.create".into(),
            outcome: AuditOutcome::Failed,
            attempt: n,
            status: Some(403),
            latency_us: 12_345,
            error: Some("no scope".into()),
            category: Some(ErrorCategory::Auth),
            ids: AuditIds { guest: Some("g".into()), queue: Some("q".into()), ..AuditIds::default() },
            idempotency_key: None,
        });
        draft(Kind::Audit, &fact)
    }

    #[test]
    fn a_line_tells_an_attempt_a_state_and_a_token() {
        let dir = tempfile::tempdir().unwrap();
        let log = AuditLog::start(dir.path().join("audit")).unwrap();
        log.take(&audit(2));
        let ended = StateChange { to: SessionState::Ended(crate::model::fact::End::ByUser), why: String::new() };
        log.take(&draft(Kind::State, &Fact::State(ended)));
        log.take(&draft(Kind::Note, &Fact::Note { text: "not here".into() }));
        drop(log);
        let (lines, size) = tail(&dir.path().join("audit"), 10).unwrap();
        assert_eq!(lines.len(), 2, "{lines:?}");
        let first: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(first["action"], "session.create");
        assert_eq!(first["status"], "failed");
        assert_eq!(first["httpStatus"], 403);
        assert_eq!(first["latencyMs"], 12.345);
        assert_eq!((&first["guest"], &first["session"], &first["attempt"]), (&json!("g"), &json!(3), &json!(2)));
        assert!(first.get("contactId").is_none());
        let second: Value = serde_json::from_str(&lines[1]).unwrap();
        assert_eq!((&second["event"], &second["detail"]), (&json!("state"), &json!("closed by you")));
        assert_eq!(size, std::fs::metadata(dir.path().join("audit").join(FILE)).unwrap().len());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&dir.path().join("audit").join(FILE)), 0o600);
        }
    }

    #[test]
    fn it_goes_on_where_it_ended_and_is_put_aside_when_it_is_large() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().to_owned();
        for run in 0..2 {
            let log = AuditLog::start(folder.clone()).unwrap();
            log.take(&audit(run));
        }
        assert_eq!(tail(&folder, 10).unwrap().0.len(), 2);
        std::fs::write(folder.join(FILE), vec![b'x'; ROTATE_AT as usize - 10]).unwrap();
        let log = AuditLog::start(folder.clone()).unwrap();
        log.take(&audit(7));
        drop(log);
        let log = AuditLog::start(folder.clone()).unwrap();
        log.take(&audit(8));
        drop(log);
        assert_eq!(put_aside(&folder).unwrap().len(), 1, "one file was put aside");
        let to = folder.join("all.jsonl");
        let bytes = export(&folder, &to).unwrap();
        assert!(bytes > ROTATE_AT);
        assert!(export(&folder, &to).is_err(), "nothing is overwritten");
    }

    #[test]
    fn only_so_many_files_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..KEPT + 5 {
            std::fs::write(dir.path().join(format!("audit-2026-01-{:02}.jsonl", n + 1)), "x").unwrap();
        }
        std::fs::write(dir.path().join(FILE), "x").unwrap();
        let trouble = Arc::default();
        let left_out = Arc::default();
        let mut w = Writer { folder: dir.path().to_owned(), file: None, size: 1, left_out, trouble };
        w.rotate().unwrap();
        let left = put_aside(dir.path()).unwrap();
        assert_eq!(left.len(), KEPT);
        assert!(left[0].ends_with("audit-2026-01-07.jsonl"), "the oldest go: {left:?}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let blocked = dir.path().join("file");
        std::fs::write(&blocked, "x").unwrap();
        let log = AuditLog::start(blocked.join("audit")).unwrap();
        log.take(&audit(1));
        let until = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while log.trouble().is_none() && std::time::Instant::now() < until {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(log.trouble().unwrap().code, "audit");
    }
}
