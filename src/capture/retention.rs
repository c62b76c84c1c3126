//! Old captures: where they lie, how large they are, and their end.
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{fault, files, live, open, schema};
use crate::model::{Report, Wall};

/// A capture in the folder of captures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub path: PathBuf,
    /// When it was last written to.
    pub changed: Wall,
    /// With its WAL.
    pub bytes: u64,
    /// None where it cannot be read or is no capture.
    pub records: Option<u64>,
    /// A writer of this process writes it.
    pub running: bool,
}

/// What [`sweep`] did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Swept {
    pub deleted: Vec<Kept>,
    /// Old, but open in this or another program.
    pub in_use: Vec<PathBuf>,
    /// Old, but not deleted: not a capture that can be read, or the system refused.
    pub failed: Vec<(PathBuf, Report)>,
}

impl Swept {
    pub fn freed(&self) -> u64 {
        self.deleted.iter().map(|k| k.bytes).sum()
    }
}

/// The captures of a folder, oldest first. A folder that does not exist holds none.
pub fn list(folder: &Path) -> Result<Vec<Kept>, Report> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(fault::io(&e, "listed", folder)),
    };
    let mut kept = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if !meta.is_file() || path.extension().is_none_or(|e| e != files::EXTENSION) {
            continue;
        }
        let wal = fs::symlink_metadata(files::beside(&path, "-wal")).ok().filter(|m| m.len() > 0);
        let changed = [Some(&meta), wal.as_ref()].into_iter().flatten().filter_map(|m| m.modified().ok()).max();
        kept.push(Kept {
            changed: changed.map_or(Wall(0), wall),
            bytes: meta.len() + wal.map_or(0, |m| m.len()),
            records: count(&path),
            running: live::is_written(&path),
            path,
        });
    }
    kept.sort_by(|a, b| (a.changed, &a.path).cmp(&(b.changed, &b.path)));
    Ok(kept)
}

/// Deletes captures in `folder` that were last written to more than `days` days before `now`: only files that are
/// captures, and neither the running one nor any that is open somewhere.
pub fn sweep(folder: &Path, days: u32, now: Wall) -> Result<Swept, Report> {
    let limit = now.plus_micros(-i64::from(days) * 86_400_000_000);
    let mut swept = Swept::default();
    for kept in list(folder)? {
        if kept.changed >= limit {
            continue;
        }
        if kept.running {
            swept.in_use.push(kept.path);
            continue;
        }
        match claim(&kept.path) {
            Claim::Ours(_lock) => match delete(&kept.path) {
                Ok(()) => swept.deleted.push(kept),
                Err(e) => {
                    let report = fault::io(&e, "deleted", &kept.path);
                    swept.failed.push((kept.path, report));
                }
            },
            Claim::InUse => swept.in_use.push(kept.path),
            Claim::Not(report) => swept.failed.push((kept.path, report)),
        }
    }
    Ok(swept)
}

enum Claim {
    /// With a lock, where the system has them.
    Ours(Option<File>),
    InUse,
    Not(Report),
}

/// Finds out whether a file is a capture that nobody has open. Writers, and readers of what is being written, keep a
/// shared lock of SQLite on it, so that an exclusive one is only to be had alone; readers of a file at rest keep a
/// shared lock of the system.
fn claim(path: &Path) -> Claim {
    let place = path.display().to_string();
    let get = || -> rusqlite::Result<i32> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        db.busy_timeout(std::time::Duration::ZERO)?;
        db.query_row("PRAGMA locking_mode=EXCLUSIVE", [], |_| Ok(()))?;
        let id = db.query_row("PRAGMA application_id", [], |r| r.get(0))?;
        db.execute_batch("BEGIN EXCLUSIVE; ROLLBACK")?;
        Ok(id)
    };
    match get() {
        // Only now may the file be opened otherwise: closing it would end locks that SQLite has in this process.
        Ok(schema::APPLICATION_ID) => match File::open(path).map(|file| (file.try_lock(), file)) {
            Ok((Err(TryLockError::WouldBlock), _)) => Claim::InUse,
            Ok((Ok(()), file)) => Claim::Ours(Some(file)),
            _ => Claim::Ours(None),
        },
        Ok(_) => Claim::Not(fault::not_ours(&place)),
        Err(e) => match e.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Claim::InUse,
            _ => Claim::Not(fault::report(&e, "deleted", &place)),
        },
    }
}

fn delete(path: &Path) -> std::io::Result<()> {
    // The file first: a WAL without its file harms nobody, a file without its WAL lacks its end.
    fs::remove_file(path)?;
    for suffix in ["-wal", "-shm", "-journal"] {
        match fs::remove_file(files::beside(path, suffix)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// How many records a capture holds, without reading them.
fn count(path: &Path) -> Option<u64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let db = Connection::open_with_flags(open::file_uri(path, open::is_at_rest(path)), flags).ok()?;
    let id: i32 = db.query_row("PRAGMA application_id", [], |r| r.get(0)).ok()?;
    if id != schema::APPLICATION_ID {
        return None;
    }
    let last: i64 = db.query_row("SELECT coalesce(max(seq), 0) FROM record", [], |r| r.get(0)).ok()?;
    u64::try_from(last).ok()
}

fn wall(time: SystemTime) -> Wall {
    let micros = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_micros());
    Wall(i64::try_from(micros).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::capture::tests::draft;
    use crate::capture::{Opened, Reader, Writer};

    fn make(folder: &Path, records: usize, age_days: u64) -> PathBuf {
        let writer = Writer::create(folder).unwrap();
        for _ in 0..records {
            writer.append(draft(1, "x"));
        }
        writer.close().unwrap();
        let Opened::File(path) = writer.opened() else { panic!() };
        age(&path, age_days);
        path
    }

    fn age(path: &Path, days: u64) {
        let then = SystemTime::now() - Duration::from_secs(days * 86_400);
        fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn only_old_captures_that_nobody_uses_are_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let folder = files::canonical(dir.path());
        let old = make(&folder, 3, 20);
        let young = make(&folder, 5, 5);
        let read = make(&folder, 7, 20);
        let running = Writer::create(&folder).unwrap();
        running.append(draft(1, "x"));
        running.flush().unwrap();
        let foreign = folder.join("other.sscope");
        Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE a(b)").unwrap();
        age(&foreign, 20);
        let text = folder.join("text.sscope");
        fs::write(&text, "not a database at all").unwrap();
        age(&text, 20);
        fs::write(folder.join("notes.txt"), "mine").unwrap();
        age(&folder.join("notes.txt"), 20);
        let reader = Reader::open(&read).unwrap();

        let now = wall(SystemTime::now());
        let listed = list(&folder).unwrap();
        let records = |path: &Path| listed.iter().find(|k| k.path == path).unwrap().records;
        assert_eq!((records(&old), records(&young), records(&foreign)), (Some(3), Some(5), None));
        assert_eq!(listed.len(), 6);
        assert_eq!(listed.iter().filter(|k| k.running).count(), 1);

        let swept = sweep(&folder, 14, now).unwrap();
        assert_eq!(swept.deleted.iter().map(|k| &k.path).collect::<Vec<_>>(), [&old]);
        assert!(swept.freed() > 0);
        assert_eq!(swept.in_use, std::slice::from_ref(&read));
        assert_eq!(swept.failed.len(), 2);
        assert!(!old.exists() && young.exists() && read.exists() && foreign.exists() && text.exists());
        assert_eq!(reader.len(), 7);
        drop(reader);
        // Even with no days to keep, the running one stays.
        let later = now.plus_micros(90 * 86_400_000_000);
        let swept = sweep(&folder, 0, later).unwrap();
        assert_eq!((swept.deleted.len(), swept.in_use.len()), (2, 1));
        running.append(draft(1, "y"));
        running.close().unwrap();
        assert_eq!(list(Path::new("/nowhere/at/all")).unwrap(), []);
    }
}
