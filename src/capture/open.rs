//! Opens captures for reading. A file may come from anywhere: nothing in it is believed, and it is not altered, but for
//! one thing: where a killed program left a WAL, that is folded into it first ([`super::fold`]).
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::decode::bytes;
use super::schema::{self, Step};
use super::writer::Opened;
use super::{fault, files, fold, store};
use crate::model::Report;

/// No value in a capture is longer than this.
const LONGEST_VALUE: i32 = 300 << 20;

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
    File {
        path: PathBuf,
        access: Access,
        #[expect(dead_code, reason = "held for what it keeps")]
        keep: Option<Arc<Keep>>,
    },
}

/// How SQLite opens a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// As one that nobody changes: without locks, and without helper files beside it.
    AtRest,
    /// Read-only, while another program may write it, or after one was killed.
    ReadOnly,
    /// What this process writes. The connection may write, but is told not to: whichever closes last can then fold
    /// the WAL into the file and remove it.
    Running,
}

/// What lasts as long as a file is read.
pub enum Keep {
    /// A migrated copy of an old capture, deleted in the end.
    Copy(PathBuf),
    /// A shared lock, which tells other programs that the file is in use.
    Lock(#[expect(dead_code, reason = "held for its lock")] File),
}

impl Drop for Keep {
    fn drop(&mut self) {
        if let Self::Copy(path) = self {
            for suffix in ["", "-journal", "-wal", "-shm"] {
                let _ = fs::remove_file(files::beside(path, suffix));
            }
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
            Self::File { path, access, keep: _ } => {
                let flags = match access {
                    Access::Running => flags | OpenFlags::SQLITE_OPEN_READ_WRITE,
                    _ => flags | OpenFlags::SQLITE_OPEN_READ_ONLY,
                };
                Connection::open_with_flags(file_uri(path, *access == Access::AtRest), flags)?
            }
        };
        harden(&db)?;
        db.pragma_update(None, "query_only", true)?;
        Ok(db)
    }
}

/// Files are data, not programs: no triggers, no views, no functions from the schema.
pub fn harden(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(Duration::from_secs(5))?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    db.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
    db.pragma_update(None, "cell_size_check", true)?;
    db.pragma_update(None, "temp_store", "MEMORY")
}

/// A path as an address for SQLite.
pub fn file_uri(path: &Path, immutable: bool) -> String {
    const ODD: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#').add(b'"');
    let mut bytes = path.as_os_str().as_encoded_bytes().to_vec();
    let mut root = "";
    if cfg!(windows) {
        bytes.iter_mut().filter(|b| **b == b'\\').for_each(|b| *b = b'/');
        // `C:/x` becomes `/C:/x`, and `//server/share` keeps its slashes behind an empty host.
        root = if bytes.starts_with(b"//") { "//" } else { "/" };
    }
    let tail = if immutable { "?immutable=1" } else { "" };
    format!("file:{root}{}{tail}", percent_encode(&bytes, ODD))
}

/// Checks what can be checked cheaply of a file that may be anything, and opens it.
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
        return Err(fault::empty(path));
    }
    let source = connect_somehow(files::canonical(path)).map_err(|e| fault::report(&e, "opened", &place))?;
    let failed = |e: rusqlite::Error| fault::report(&e, "opened", &place);
    let id: i32 = source.db.query_row("PRAGMA application_id", [], |r| r.get(0)).map_err(failed)?;
    let found: i32 = source.db.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(failed)?;
    if id != schema::APPLICATION_ID {
        let tables: i64 =
            source.db.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0)).map_err(failed)?;
        // SQLite takes the shortest of texts for an empty database.
        let nothing = id == 0 && found == 0 && tables == 0 && meta.len() >= 512;
        return Err(if nothing { fault::empty(path) } else { fault::not_ours(&place) });
    }
    if found > version {
        return Err(fault::newer(&place, found, version));
    }
    let source = if found == version { source } else { migrated(source, found, version, steps, &place)? };
    if has_tables(&source.db).map_err(failed)? { Ok(source) } else { Err(fault::damaged(&place)) }
}

/// True where no program can be writing the file: SQLite keeps its helper files beside it as long as one does.
pub fn is_at_rest(path: &Path) -> bool {
    ["-wal", "-shm", "-journal"].iter().all(|suffix| fs::symlink_metadata(files::beside(path, suffix)).is_err())
}

/// Opens a file read-only. One at rest is opened as a file that nobody changes, so that nothing is left beside it.
fn connect_somehow(path: PathBuf) -> rusqlite::Result<Source> {
    let probe = |place: Place| -> rusqlite::Result<Source> {
        let db = place.connect()?;
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(Source { db, place })
    };
    // Where that cannot be done, the WAL is read from where it lies.
    let _ = fold::fold(&path);
    if is_at_rest(&path) {
        let lock = File::open(&path).ok().filter(|file| file.try_lock_shared().is_ok());
        let keep = lock.map(|file| Arc::new(Keep::Lock(file)));
        return probe(Place::File { path, access: Access::AtRest, keep });
    }
    let first = probe(Place::File { path: path.clone(), access: Access::ReadOnly, keep: None });
    match first {
        // A folder that cannot be written, where SQLite cannot make its helper files.
        Err(e) if matches!(e.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)) => {
            if fs::metadata(files::beside(&path, "-wal")).map_or(0, |m| m.len()) == 0 {
                return probe(Place::File { path, access: Access::AtRest, keep: None }).map_err(|_| e);
            }
            let Ok((path, keep)) = copied(&path) else { return Err(e) };
            probe(Place::File { path, access: Access::ReadOnly, keep: Some(Arc::new(keep)) })
        }
        other => other,
    }
}

/// Copies a file and its WAL to where both can be read.
fn copied(path: &Path) -> std::io::Result<(PathBuf, Keep)> {
    let to = temporary();
    let keep = Keep::Copy(to.clone());
    for suffix in ["", "-wal"] {
        let mut target = files::create_private(&files::beside(&to, suffix))?;
        std::io::copy(&mut File::open(files::beside(path, suffix))?, &mut target)?;
    }
    Ok((to, keep))
}

fn temporary() -> PathBuf {
    std::env::temp_dir().join(format!("sessionscope-{}.{}", uuid::Uuid::new_v4(), files::EXTENSION))
}

/// Copies an old capture and takes the copy to the version of today. The file itself stays as it is.
fn migrated(source: Source, from: i32, to: i32, steps: &[Step], place: &str) -> Result<Source, Report> {
    let damaged = || fault::damaged(place).detail(format!("schema version {from} never existed"));
    if from < 1 || (from..to).any(|v| !steps.iter().any(|s| s.from == v)) {
        return Err(damaged());
    }
    let path = temporary();
    files::create_private(&path).map_err(|e| fault::io(&e, "copied", &path))?;
    let copy = Arc::new(Keep::Copy(path.clone()));
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
    let place = Place::File { path, access: Access::ReadOnly, keep: Some(copy) };
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

/// Opens another connection to what a writer of this process writes.
pub fn attach(opened: &Opened) -> rusqlite::Result<Source> {
    let place = match opened {
        Opened::Memory(name) => Place::Memory(name.clone()),
        Opened::File(path) => Place::File { path: path.clone(), access: Access::Running, keep: None },
    };
    Ok(Source { db: place.connect()?, place })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::tests::draft;
    use crate::capture::{Reader, Writer};

    #[test]
    fn a_capture_of_an_older_version_is_migrated_in_a_copy() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::create(folder.path()).unwrap();
        for n in 0..300 {
            writer.append(draft(1, &n.to_string()));
        }
        writer.close().unwrap();
        let Opened::File(path) = writer.opened() else { panic!() };
        let before = fs::read(&path).unwrap();
        let steps = [
            Step { from: 1, sql: "ALTER TABLE record ADD COLUMN lane INTEGER NOT NULL DEFAULT 3" },
            Step { from: 2, sql: "UPDATE record SET lane = 4 WHERE seq = 7" },
        ];
        let source = check_with(&path, 3, &steps).unwrap();
        let sum: i64 = source.db.query_row("SELECT sum(lane) FROM record", [], |r| r.get(0)).unwrap();
        assert_eq!(sum, 901);
        assert_eq!(super::super::load::load(&source.db).unwrap().state.last(), 300);
        let Place::File { path: copy, .. } = source.place.clone() else { panic!() };
        assert!(copy != path && copy.exists());
        let again = source.place.connect().unwrap();
        drop(source);
        assert!(!copy.exists(), "the copy should go with its last reader");
        drop(again);
        assert!(fs::read(&path).unwrap() == before, "the file was changed");
        assert_eq!(Reader::open(&path).unwrap().len(), 300);
        let Err(report) = check_with(&path, 4, &steps) else { panic!("a step is missing") };
        assert_eq!(report.code, "capture-damaged");
    }

    #[test]
    fn paths_with_odd_characters_become_addresses_that_lead_back() {
        let path = Path::new("/a b/c?d#e%20f/ü.sscope");
        assert_eq!(file_uri(path, true), "file:/a%20b/c%3Fd%23e%2520f/%C3%BC.sscope?immutable=1");
    }
}
