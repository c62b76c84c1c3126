//! Makes a capture whole whose writer was killed: its last records lie in the `-wal` file beside it.
use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{files, open, schema};

/// Folds the WAL of a capture into its file, and removes both files beside it. True where that was done.
///
/// Only of a capture that nobody has open, in this program or another: writers, and readers of what is being written,
/// keep a shared lock of SQLite on it, so that an exclusive one is only to be had alone. Whatever is no capture of a
/// known version stays as it is, and so does a WAL in which nothing can be read.
pub fn fold(path: &Path) -> rusqlite::Result<bool> {
    let there = |suffix: &str| fs::symlink_metadata(files::beside(path, suffix)).ok();
    let waits = there("-wal").map_or(0, |m| m.len());
    let beside = [there("-wal"), there("-shm")];
    // A link or a folder of that name was put there by somebody else.
    if beside.iter().all(Option::is_none)
        || beside.iter().flatten().any(|m| !m.is_file())
        || there("-journal").is_some()
    {
        return Ok(false);
    }
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    open::harden(&db)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.busy_timeout(Duration::ZERO)?;
    // From the first look on: the index beside the file is not used then, and whoever has the file open keeps us out.
    db.query_row("PRAGMA locking_mode=EXCLUSIVE", [], |_| Ok(()))?;
    let id: i32 = db.query_row("PRAGMA application_id", [], |r| r.get(0))?;
    let version: i32 = db.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    if id != schema::APPLICATION_ID || !(1..=schema::VERSION).contains(&version) {
        return Ok(false);
    }
    db.execute_batch("BEGIN EXCLUSIVE; ROLLBACK")?;
    let (busy, frames): (i32, i64) = db.query_row("PRAGMA wal_checkpoint(FULL)", [], |r| Ok((r.get(0)?, r.get(1)?)))?;
    if busy != 0 || (frames <= 0 && waits > 0) {
        return Ok(false);
    }
    // While the lock is ours, nobody maps it.
    let _ = fs::remove_file(files::beside(path, "-shm"));
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    db.close().map_err(|(_, e)| e)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::capture::tests::draft;
    use crate::capture::{Opened, Reader, Writer, integrity_check, save};

    /// A capture of 300 records as a killed program leaves it: a file, and a WAL beside it.
    fn cut_off(folder: &Path) -> PathBuf {
        let writer = Writer::create(&folder.join("running")).unwrap();
        for n in 0..300 {
            writer.append(draft(1, &n.to_string()));
        }
        writer.flush().unwrap();
        let Opened::File(path) = writer.opened() else { panic!() };
        let copy = folder.join("cut off.sscope");
        fs::copy(&path, &copy).unwrap();
        fs::copy(files::beside(&path, "-wal"), files::beside(&copy, "-wal")).unwrap();
        writer.close().unwrap();
        copy
    }

    #[test]
    fn a_capture_that_was_cut_off_is_one_file_as_soon_as_it_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let file = cut_off(folder.path());
        let reader = Reader::open(&file).unwrap();
        assert_eq!((reader.len(), reader.oddities().len()), (300, 0));
        assert!(open::is_at_rest(&file), "something is left beside it");
        // What a person takes along is the one file.
        let taken = folder.path().join("taken.sscope");
        fs::copy(&file, &taken).unwrap();
        assert_eq!(Reader::open(&taken).unwrap().len(), 300);
        assert_eq!(integrity_check(&taken).unwrap(), [""; 0]);
    }

    #[test]
    fn a_capture_that_is_written_is_left_to_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::create(folder.path()).unwrap();
        writer.append(draft(1, "x"));
        writer.flush().unwrap();
        let Opened::File(path) = writer.opened() else { panic!() };
        let before = fs::metadata(files::beside(&path, "-wal")).unwrap().len();
        assert!(before > 0);
        assert!(!matches!(fold(&path), Ok(true)));
        assert_eq!(fs::metadata(files::beside(&path, "-wal")).unwrap().len(), before);
        assert!(files::beside(&path, "-shm").exists());
        writer.append(draft(1, "y"));
        writer.close().unwrap();
        assert_eq!(Reader::open(&path).unwrap().len(), 2);
    }

    #[test]
    fn a_wal_in_which_nothing_can_be_read_is_not_thrown_away() {
        let folder = tempfile::tempdir().unwrap();
        let file = cut_off(folder.path());
        let wal = files::beside(&file, "-wal");
        let junk = vec![7; 70_000];
        fs::write(&wal, &junk).unwrap();
        assert!(!fold(&file).unwrap());
        assert!(fs::read(&wal).unwrap() == junk);
    }

    #[test]
    fn a_database_of_another_program_keeps_its_wal() {
        let folder = tempfile::tempdir().unwrap();
        let (file, copy) = (folder.path().join("a.db"), folder.path().join("b.db"));
        let db = Connection::open(&file).unwrap();
        db.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(())).unwrap();
        db.execute_batch("CREATE TABLE t(a); INSERT INTO t VALUES (1)").unwrap();
        fs::copy(&file, &copy).unwrap();
        fs::copy(files::beside(&file, "-wal"), files::beside(&copy, "-wal")).unwrap();
        let before = (fs::read(&copy).unwrap(), fs::read(files::beside(&copy, "-wal")).unwrap());
        assert_eq!(Reader::open(&copy).err().unwrap().code, "not-a-capture");
        assert!((fs::read(&copy).unwrap(), fs::read(files::beside(&copy, "-wal")).unwrap()) == before);
    }

    #[cfg(unix)]
    #[test]
    fn where_nothing_can_be_written_it_is_read_and_saved_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = cut_off(folder.path());
        // Stands for a folder that cannot be written: SQLite can make no index there.
        std::os::unix::fs::symlink("/nonexistent/shm", files::beside(&file, "-shm")).unwrap();
        let before = fs::read(files::beside(&file, "-wal")).unwrap();
        let reader = Reader::open(&file).unwrap();
        assert_eq!(reader.len(), 300);
        assert_eq!(reader.record(300).unwrap().unwrap().text(), Some("299"));
        assert!(fs::read(files::beside(&file, "-wal")).unwrap() == before);
        let whole = folder.path().join("whole.sscope");
        save(&reader, &whole, &mut |_, _| true).unwrap();
        assert!(open::is_at_rest(&whole));
        assert_eq!(Reader::open(&whole).unwrap().len(), 300);
        assert_eq!(save(&reader, &file, &mut |_, _| true).unwrap_err().code, "capture-in-use");
    }

    #[test]
    fn a_lone_file_is_known_as_a_capture_and_the_missing_part_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = cut_off(folder.path());
        fs::remove_file(files::beside(&file, "-wal")).unwrap();
        let reader = Reader::open(&file).unwrap();
        assert_eq!(reader.len(), 0);
        assert!(reader.oddities().iter().any(|o| o.contains("-wal")), "{:?}", reader.oddities());
        // As versions before left it, and as an empty database is.
        for bytes in [Vec::new(), empty_database(folder.path())] {
            fs::write(&file, bytes).unwrap();
            let report = Reader::open(&file).err().unwrap();
            assert_eq!(report.code, "capture-empty");
            assert!(report.remedies.iter().any(|r| r.contains("cut off.sscope-wal")), "{report:?}");
        }
    }

    /// A database of one page, as a WAL leaves it before its first checkpoint.
    fn empty_database(folder: &Path) -> Vec<u8> {
        let path = folder.join("empty.db");
        let db = Connection::open(&path).unwrap();
        db.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(())).unwrap();
        db.execute_batch("CREATE TABLE t(a)").unwrap();
        fs::read(&path).unwrap()
    }
}
