//! Opens captures for reading. A file may come from anywhere: it is never altered, and nothing in it is believed.
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use roaring::RoaringBitmap;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::decode::{bytes, number};
use super::facets::{State, Traits};
use super::schema::{self, CHUNK, Facet, Step};
use super::writer::Opened;
use super::{fault, files, store};
use crate::model::record::Flags;
use crate::model::{Report, SessionId};

/// No value in a capture is longer than this.
const LONGEST_VALUE: i32 = 300 << 20;
/// No facet is longer: 4096 places take 512 bytes as bits and 8 KiB in the worst form.
const LONGEST_FACET: usize = 64 << 10;

/// A connection for reading, and what was found on the way.
pub struct Source {
    pub db: Connection,
    /// Where further connections lead to.
    pub place: Place,
}

/// What a further connection opens.
#[derive(Clone)]
pub enum Place {
    Memory(String),
    File { path: PathBuf, immutable: bool, copy: Option<Arc<Copy>> },
}

/// A migrated copy of an old capture, deleted when nobody reads it any more.
pub struct Copy(PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let _ = fs::remove_file(files::beside(&self.0, suffix));
        }
    }
}

impl Place {
    pub fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let db = match self {
            Self::Memory(name) => {
                Connection::open_with_flags(store::memory_uri(name), flags | OpenFlags::SQLITE_OPEN_READ_WRITE)?
            }
            Self::File { path, immutable, .. } => {
                let flags = flags | OpenFlags::SQLITE_OPEN_READ_ONLY;
                Connection::open_with_flags(file_uri(path, *immutable), flags)?
            }
        };
        harden(&db)?;
        db.pragma_update(None, "query_only", true)?;
        Ok(db)
    }
}

/// Files are data, not programs: no triggers, no views, no functions from the schema.
fn harden(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(Duration::from_secs(5))?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    db.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
    db.pragma_update(None, "cell_size_check", true)?;
    db.pragma_update(None, "temp_store", "MEMORY")
}

fn file_uri(path: &Path, immutable: bool) -> String {
    const ODD: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#').add(b'"');
    let text = path.to_string_lossy();
    let text = if cfg!(windows) { text.replace('\\', "/") } else { text.into_owned() };
    let root = if cfg!(windows) && !text.starts_with('/') { "/" } else { "" };
    let tail = if immutable { "?immutable=1" } else { "" };
    format!("file:{root}{}{tail}", utf8_percent_encode(&text, ODD))
}

/// Checks what can be checked cheaply of a file that may be anything, and opens it. The file is not changed.
///
/// Reports `file-missing`, `file-is-folder`, `not-a-file`, `capture-empty`, `not-a-capture`, `capture-newer`,
/// `capture-damaged`, `capture-in-use`, `capture-read-only`, `capture-denied`, `capture-io`.
pub fn check_untrusted(path: &Path) -> Result<Source, Report> {
    check_with(path, schema::VERSION, schema::STEPS)
}

fn check_with(path: &Path, version: i32, steps: &[Step]) -> Result<Source, Report> {
    let place = path.display().to_string();
    let meta = fs::metadata(path).map_err(|e| fault::io(&e, "opened", path))?;
    if meta.is_dir() {
        return Err(fault::io(&std::io::ErrorKind::IsADirectory.into(), "opened", path));
    }
    if !meta.is_file() {
        return Err(Report::new("not-a-file", "This is not a capture", format!("{place} is not a regular file.")));
    }
    if meta.len() == 0 {
        return Err(Report::new("capture-empty", "This is not a capture", format!("{place} is empty."))
            .remedy("Choose a file that this program has written (.sscope)."));
    }
    let path = files::canonical(path);
    let source = connect_somehow(path).map_err(|e| fault::report(&e, "opened", &place))?;
    let failed = |e: rusqlite::Error| fault::report(&e, "opened", &place);
    let id: i32 = source.db.query_row("PRAGMA application_id", [], |r| r.get(0)).map_err(failed)?;
    let found: i32 = source.db.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(failed)?;
    if id != schema::APPLICATION_ID {
        return Err(fault::not_ours(&place));
    }
    if found > version {
        return Err(fault::newer(&place, found, version));
    }
    let source = if found == version { source } else { migrated(source, found, version, steps, &place)? };
    if has_tables(&source.db).map_err(failed)? { Ok(source) } else { Err(fault::damaged(&place)) }
}

/// Opens a file read-only. Where SQLite cannot make its helper files because the folder is read-only, and no WAL
/// waits to be read, the file is opened as one that nobody changes.
fn connect_somehow(path: PathBuf) -> rusqlite::Result<Source> {
    let probe = |place: Place| -> rusqlite::Result<Source> {
        let db = place.connect()?;
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(Source { db, place })
    };
    let first = probe(Place::File { path: path.clone(), immutable: false, copy: None });
    match first {
        Err(e)
            if matches!(e.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
                && fs::metadata(files::beside(&path, "-wal")).map_or(0, |m| m.len()) == 0 =>
        {
            probe(Place::File { path, immutable: true, copy: None }).map_err(|_| e)
        }
        other => other,
    }
}

/// Copies an old capture and takes the copy to the version of today. The file itself stays as it is.
fn migrated(source: Source, from: i32, to: i32, steps: &[Step], place: &str) -> Result<Source, Report> {
    let damaged = || fault::damaged(place).detail(format!("schema version {from} never existed"));
    if from < 1 || (from..to).any(|v| !steps.iter().any(|s| s.from == v)) {
        return Err(damaged());
    }
    let path = std::env::temp_dir().join(format!("sessionscope-{}.{}", uuid::Uuid::new_v4(), files::EXTENSION));
    files::create_private(&path).map_err(|e| fault::io(&e, "copied", &path))?;
    let copy = Arc::new(Copy(path.clone()));
    let failed = |e: rusqlite::Error| fault::report(&e, "brought to the present version", place);
    let mut db = Connection::open(&path).map_err(failed)?;
    rusqlite::backup::Backup::new(&source.db, &mut db)
        .and_then(|b| b.run_to_completion(1000, Duration::ZERO, None))
        .map_err(failed)?;
    harden(&db).map_err(failed)?;
    db.query_row("PRAGMA journal_mode=DELETE", [], |_| Ok(())).map_err(failed)?;
    if !schema::migrate(&db, from, to, steps).map_err(failed)? {
        return Err(damaged());
    }
    drop(db);
    let place = Place::File { path, immutable: false, copy: Some(copy) };
    let db = place.connect().map_err(failed)?;
    Ok(Source { db, place })
}

/// True where the three tables are tables and have their columns.
fn has_tables(db: &Connection) -> rusqlite::Result<bool> {
    let mut list = db.prepare(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('record', 'meta', 'facet')
         AND rootpage > 0",
    )?;
    let tables: i64 = list.query_row([], |r| r.get(0))?;
    let columns = [
        format!("SELECT {}, body FROM record", super::decode::COLUMNS),
        "SELECT key, value FROM meta".into(),
        "SELECT chunk, facet, bits FROM facet".into(),
    ];
    Ok(tables == 3 && columns.iter().all(|sql| db.prepare(sql).is_ok()))
}

/// What a file's index says, and what was odd about it.
pub struct Loaded {
    pub state: State,
    pub oddities: Vec<String>,
}

/// Opens another connection to what a writer of this process writes.
pub fn attach(opened: &Opened) -> rusqlite::Result<Source> {
    let place = match opened {
        Opened::Memory(name) => Place::Memory(name.clone()),
        Opened::File(path) => Place::File { path: path.clone(), immutable: false, copy: None },
    };
    Ok(Source { db: place.connect()?, place })
}

/// Loads the index of a file. Reads records only where the stored index is missing or contradicts itself.
pub fn load(db: &Connection) -> rusqlite::Result<Loaded> {
    db.execute_batch("BEGIN")?;
    let loaded = load_in_transaction(db);
    db.execute_batch("COMMIT")?;
    loaded
}

fn load_in_transaction(db: &Connection) -> rusqlite::Result<Loaded> {
    let mut oddities = Vec::new();
    // No record takes less than a dozen bytes: a higher number is an invention that must not cost memory.
    let pages: i64 = db.query_row("PRAGMA page_count", [], |r| r.get(0))?;
    let page_size: i64 = db.query_row("PRAGMA page_size", [], |r| r.get(0))?;
    let bound = pages.saturating_mul(page_size) / 12;
    let highest = "SELECT coalesce(max(seq), 0) FROM record WHERE seq BETWEEN 1 AND ?1";
    let last: i64 = db.query_row(highest, [bound], |r| r.get(0))?;
    let strays = "SELECT EXISTS(SELECT 1 FROM record WHERE seq < 1), EXISTS(SELECT 1 FROM record WHERE seq > ?1)";
    if db.query_row(strays, [bound], |r| Ok(r.get::<_, bool>(0)? || r.get(1)?))? {
        oddities.push("some records have impossible numbers and are not shown".into());
    }
    let last = last.max(0) as u64;
    let mut state = State::default();
    let mut next = 0;
    let mut statement = db.prepare("SELECT chunk, facet, bits FROM facet ORDER BY chunk, facet")?;
    let mut rows = statement.query([])?;
    let mut held: Vec<(Facet, RoaringBitmap)> = Vec::new();
    let mut before = (i64::MIN, i64::MIN);
    let mut finish = |state: &mut State, upto: u64, held: &mut Vec<_>| {
        while next < upto {
            let end = (next * CHUNK + CHUNK - 1).min(last);
            if end >= 1 && (held.is_empty() || !state.insert_chunk(next, end, held)) {
                rescan(db, next * CHUNK, end, state, &mut oddities);
            }
            held.clear();
            next += 1;
        }
    };
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => break,
            // What the damaged part of the index held is read from the records.
            Err(_) => break,
        };
        let (chunk, facet) = (number::<i64>(row.get_ref(0)?).0, number::<i64>(row.get_ref(1)?).0);
        if (chunk, facet) <= before {
            break;
        }
        if chunk != before.0 {
            let upto = u64::try_from(before.0).map_or(0, |c| c.saturating_add(1)).min(last / CHUNK + 1);
            finish(&mut state, upto, &mut held);
        }
        before = (chunk, facet);
        let (Some(facet), ValueRef::Blob(bits)) = (Facet::from_key(facet), row.get_ref(2)?) else { continue };
        if bits.len() <= LONGEST_FACET
            && let Ok(bits) = RoaringBitmap::deserialize_from(bits)
        {
            held.push((facet, bits));
        }
    }
    finish(&mut state, u64::try_from(before.0).map_or(0, |c| c.saturating_add(1)).min(last / CHUNK + 1), &mut held);
    finish(&mut state, if last == 0 { 0 } else { last / CHUNK + 1 }, &mut Vec::new());
    Ok(Loaded { state, oddities })
}

/// Learns the traits of a chunk from its records.
fn rescan(db: &Connection, first: u64, last: u64, state: &mut State, oddities: &mut Vec<String>) {
    let mut found = 0;
    let mut read = || -> rusqlite::Result<()> {
        let mut statement =
            db.prepare_cached("SELECT seq, session, flags, kind FROM record WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq")?;
        let mut rows = statement.query([first.max(1) as i64, last as i64])?;
        let mut before = 0;
        while let Some(row) = rows.next()? {
            let seq: u64 = number(row.get_ref(0)?).0;
            if seq <= before || seq > last {
                break;
            }
            before = seq;
            let traits = Traits::of(
                SessionId(number(row.get_ref(1)?).0),
                Flags(number(row.get_ref(2)?).0),
                number(row.get_ref(3)?).0,
            );
            state.insert(seq, seq, traits);
            found += 1;
        }
        Ok(())
    };
    let failed = read().err();
    let want = last + 1 - first.max(1);
    if found < want {
        let why = failed.map_or_else(String::new, |e| format!(" ({e})"));
        if oddities.len() < 100 {
            oddities.push(format!("{} of the records {} to {last} are missing{why}", want - found, first.max(1)));
        }
    }
}

/// Reads the whole file and compares its parts: SQLite's own check, dense numbers, index against records. Slow.
/// Gives what is wrong, nothing for a sound file.
pub fn integrity_check(path: &Path) -> Result<Vec<String>, Report> {
    let source = check_untrusted(path)?;
    let place = path.display().to_string();
    let failed = |e: rusqlite::Error| fault::report(&e, "checked", &place);
    let mut wrong = Vec::new();
    let mut statement = source.db.prepare("PRAGMA integrity_check(100)").map_err(failed)?;
    let lines = statement.query_map([], |r| r.get::<_, String>(0)).map_err(failed)?;
    for line in lines {
        match line {
            Ok(line) if line == "ok" => {}
            Ok(line) => wrong.push(line),
            Err(e) => wrong.push(e.to_string()),
        }
    }
    let loaded = load(&source.db).map_err(failed)?;
    wrong.extend(loaded.oddities);
    let mut read = State::default();
    let mut notes = Vec::new();
    let mut chunk = 0;
    while chunk * CHUNK <= loaded.state.last() && loaded.state.last() > 0 {
        rescan(&source.db, chunk * CHUNK, (chunk * CHUNK + CHUNK - 1).min(loaded.state.last()), &mut read, &mut notes);
        chunk += 1;
    }
    wrong.extend(notes.into_iter().filter(|n| !wrong.contains(n)).collect::<Vec<_>>());
    if !read.agrees_with(&loaded.state) {
        wrong.push("the index does not agree with the records".into());
    }
    Ok(wrong)
}

/// What a capture says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Program and version that wrote it.
    pub program: String,
    /// RFC 3339.
    pub created: String,
    /// A UUID; a saved copy has the same.
    pub capture: String,
}

pub fn meta(db: &Connection) -> Meta {
    let get = |key: &str| {
        db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |r| {
            Ok(String::from_utf8_lossy(bytes(r.get_ref(0)?)).chars().take(200).collect())
        })
        .unwrap_or_default()
    };
    Meta { program: get("program"), created: get("created"), capture: get("capture") }
}
