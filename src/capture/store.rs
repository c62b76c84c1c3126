//! The writer's connection: batches in, transactions out.
use rusqlite::{Connection, OpenFlags, Statement, TransactionBehavior, params};

use super::facets::{Current, Traits};
use super::schema;
use super::writer::Opened;
use crate::model::Draft;

/// Pages of the WAL at which SQLite moves them into the file, after a commit: 16 MiB, so that the file is synced
/// rarely and the WAL stays small.
const CHECKPOINT_PAGES: i32 = (16 << 20) / schema::PAGE_SIZE;
/// The WAL is cut back to this length after a long reader has made it grow.
const WAL_LIMIT: i64 = 64 << 20;

const INSERT: &str = "INSERT INTO record(seq, wall, mono, session, conn, kind, direction, flags, code, reply, size, \
                      head, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
const PUT_FACET: &str = "INSERT OR REPLACE INTO facet(chunk, facet, bits) VALUES (?1, ?2, ?3)";

/// `first..=last` of records that are alike to the index.
pub type Run = (u64, u64, Traits);

pub struct Store {
    db: Connection,
    facets: Current,
    /// While this is set, the disk is full.
    #[cfg(test)]
    pub full: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

/// How a connection names a capture in memory.
pub fn memory_uri(name: &str) -> String {
    format!("file:/{name}?vfs=memdb")
}

impl Store {
    /// Opens the empty file, or makes the memory, and its tables.
    pub fn create(opened: &Opened) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = match opened {
            Opened::File(path) => Connection::open_with_flags(path, flags)?,
            Opened::Memory(name) => Connection::open_with_flags(
                memory_uri(name),
                flags | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI,
            )?,
        };
        db.busy_timeout(std::time::Duration::from_secs(5))?;
        db.pragma_update(None, "page_size", schema::PAGE_SIZE)?;
        match opened {
            Opened::File(_) => {
                db.pragma_update(None, "journal_mode", "WAL")?;
                db.pragma_update(None, "synchronous", "NORMAL")?;
                db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
                db.pragma_update(None, "journal_size_limit", WAL_LIMIT)?;
            }
            Opened::Memory(_) => {
                db.pragma_update(None, "journal_mode", "MEMORY")?;
                db.pragma_update(None, "synchronous", "OFF")?;
            }
        }
        db.pragma_update(None, "temp_store", "MEMORY")?;
        // Rows are only appended; few pages are looked at again.
        db.pragma_update(None, "cache_size", -4096)?;
        schema::create(&db, &jiff::Timestamp::now().to_string())?;
        // A file that is taken along without its WAL is then at least known as a capture.
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(Self {
            db,
            facets: Current::default(),
            #[cfg(test)]
            full: Default::default(),
        })
    }

    /// Writes drafts as records from `first` on in one transaction. After an error nothing of them is in the file.
    pub fn write(&mut self, first: u64, drafts: &[Draft]) -> rusqlite::Result<Vec<Run>> {
        #[cfg(test)]
        self.obey_full()?;
        let mut facets = self.facets.clone();
        let mut runs: Vec<Run> = Vec::new();
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = tx.prepare_cached(INSERT)?;
            let mut put = tx.prepare_cached(PUT_FACET)?;
            let mut store = |chunk: u64, key: i64, bits: &[u8]| put.execute(params![chunk as i64, key, bits]).map(drop);
            for (seq, draft) in (first..).zip(drafts) {
                insert_row(&mut insert, seq, draft)?;
                let traits = Traits::of(draft.session, draft.flags, draft.kind as u8);
                facets.note(seq, traits, &mut store)?;
                match runs.last_mut() {
                    Some((_, last, of)) if *of == traits => *last = seq,
                    _ => runs.push((seq, seq, traits)),
                }
            }
            facets.store(&mut store)?;
        }
        tx.commit()?;
        self.facets = facets;
        Ok(runs)
    }

    /// SQLite says that the disk is full when the file may not grow any more.
    #[cfg(test)]
    fn obey_full(&self) -> rusqlite::Result<()> {
        let full = self.full.load(std::sync::atomic::Ordering::Relaxed);
        let most = if full { 1 } else { 1 << 30 };
        self.db.query_row(&format!("PRAGMA max_page_count={most}"), [], |_| Ok(()))
    }

    /// Bytes of the database without its WAL.
    pub fn bytes(&self) -> u64 {
        let pages = self.db.query_row("PRAGMA page_count", [], |r| r.get::<_, i64>(0));
        pages.map_or(0, |n| n.max(0) as u64 * schema::PAGE_SIZE as u64)
    }

    /// Folds the WAL into the file and closes it.
    pub fn close(self) -> rusqlite::Result<()> {
        // Not an error when a reader keeps part of it: the WAL stays beside the file and nothing is lost.
        self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        self.db.close().map_err(|(_, e)| e)
    }
}

/// Binds each column on its own: a slice of `dyn ToSql` costs a quarter more for each row.
fn insert_row(insert: &mut Statement<'_>, seq: u64, draft: &Draft) -> rusqlite::Result<()> {
    insert.raw_bind_parameter(1, seq as i64)?;
    insert.raw_bind_parameter(2, draft.at.wall.0)?;
    insert.raw_bind_parameter(3, draft.at.mono.0 as i64)?;
    insert.raw_bind_parameter(4, draft.session.0)?;
    insert.raw_bind_parameter(5, draft.conn)?;
    insert.raw_bind_parameter(6, draft.kind as u8)?;
    insert.raw_bind_parameter(7, draft.direction as u8)?;
    insert.raw_bind_parameter(8, draft.flags.0)?;
    insert.raw_bind_parameter(9, draft.code)?;
    insert.raw_bind_parameter(10, draft.reply_to as i64)?;
    insert.raw_bind_parameter(11, draft.size as i64)?;
    insert.raw_bind_parameter(12, draft.head.as_str())?;
    insert.raw_bind_parameter(13, &draft.body[..])?;
    insert.raw_execute().map(drop)
}
