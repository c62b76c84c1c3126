//! Reads a capture while it is being written, or a saved one.
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode};

use super::facets::Index;
use super::marks::Marks;
use super::open::{self, Meta, Place, Source};
use super::search::{self, Search};
use super::{Filter, Opened, Rows, decode, fault, files, live, load};
use crate::model::{Record, Report, SessionId};

/// One connection to a capture for reading; each thread has its own.
pub struct Reader {
    db: Connection,
    place: Place,
    index: Arc<Index>,
    opened: Opened,
    running: bool,
    oddities: Vec<String>,
}

impl Reader {
    /// Opens a saved capture read-only. Says plainly what is wrong with a file that cannot be opened.
    ///
    /// The file is not altered: one of an older version is read through a migrated copy. A capture that another
    /// process is writing is read as it stands at this moment.
    pub fn open(file: &Path) -> Result<Self, Report> {
        let opened = Opened::File(files::canonical(file));
        if live::find(&opened).is_some() {
            return Self::attach(&opened);
        }
        let Source { db, place } = open::check_untrusted(file)?;
        let mut loaded = load::load(&db).map_err(|e| fault::report(&e, "opened", &opened.place()))?;
        // Whoever writes it keeps a WAL beside it, and an empty capture is thrown away in the end.
        if loaded.state.last() == 0 && open::is_at_rest(file) {
            let missing = "it holds no records. Where the program that wrote it was cut off, they lie in a second file \
                           beside the original, with -wal at the end of its name: copy both";
            loaded.oddities.push(missing.into());
        }
        let index = Arc::new(Index::new(loaded.state));
        Ok(Self { db, place, index, opened, running: false, oddities: loaded.oddities })
    }

    /// Opens what a writer of this program writes.
    pub fn attach(opened: &Opened) -> Result<Self, Report> {
        match (live::find(opened), opened) {
            (Some(index), _) => {
                let Source { db, place } =
                    open::attach(opened).map_err(|e| fault::report(&e, "opened", &opened.place()))?;
                let opened = opened.clone();
                Ok(Self { db, place, index, opened, running: true, oddities: Vec::new() })
            }
            (None, Opened::File(path)) => Self::open(path),
            (None, Opened::Memory(_)) => Err(Report::new(
                "capture-gone",
                "The private capture is gone",
                "It was kept in memory only and has ended.",
            )),
        }
    }

    /// What this reader reads.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// True where a writer of this process was adding records when it was opened.
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// What was wrong with the file though it could be opened, for people. Empty for a sound one.
    pub fn oddities(&self) -> &[String] {
        &self.oddities
    }

    pub fn meta(&self) -> Meta {
        open::meta(&self.db)
    }

    /// Records that can be read now.
    pub fn len(&self) -> u64 {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A record with its whole payload, none where there is no such record.
    pub fn record(&self, seq: u64) -> Result<Option<Record>, Report> {
        Ok(self.records(&[seq], usize::MAX)?.pop())
    }

    /// Records by ascending `seq`; payloads are cut to `body_limit` bytes so that a screenful of rows stays cheap.
    ///
    /// A payload shorter than `body_limit` is all that is stored; one of exactly `body_limit` bytes may go on: ask
    /// [`Reader::stored_len`], or [`Reader::record`] for the whole. Numbers that do not exist are left out; a record
    /// that should exist but is missing or damaged in the file is given as a malformed fault.
    pub fn records(&self, seqs: &[u64], body_limit: usize) -> Result<Vec<Record>, Report> {
        let mut out = Vec::with_capacity(seqs.len());
        for run in seqs.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
            let kept = out.len();
            let Err(error) = self.run(run, body_limit, &mut out) else {
                if out.len() - kept < run.len() {
                    self.fill(run, kept, &mut out);
                }
                continue;
            };
            if error.sqlite_error_code() != Some(ErrorCode::DatabaseCorrupt) {
                return Err(self.failed(&error));
            }
            out.truncate(kept);
            for seq in run {
                if let Err(error) = self.run(&[*seq], body_limit, &mut out) {
                    out.push(decode::unreadable(*seq, &error.to_string()));
                }
            }
        }
        Ok(out)
    }

    /// Puts a word in the place of records that the index knows and the file lacks.
    fn fill(&self, run: &[u64], kept: usize, out: &mut Vec<Record>) {
        let known = self.index.rows(None, true);
        let mut found = out.split_off(kept).into_iter().peekable();
        for seq in run {
            match found.next_if(|r| r.seq == *seq) {
                Some(record) => out.push(record),
                None if known.contains(*seq) => out.push(decode::unreadable(*seq, "there is no such row")),
                None => {}
            }
        }
    }

    /// Which records from `from` to `to` answer one of those from `first` to `last`, ascending. No payload is read.
    pub fn answering(&self, (first, last): (u64, u64), (from, to): (u64, u64)) -> Result<Vec<u64>, Report> {
        let sql = "SELECT seq FROM record WHERE seq BETWEEN ?1 AND ?2 AND reply BETWEEN ?3 AND ?4 ORDER BY seq";
        let bounds = [from, to, first.max(1), last].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        let get = || {
            let mut statement = self.db.prepare_cached(sql)?;
            let rows = statement.query_map(bounds, |r| Ok(decode::number::<u64>(r.get_ref(0)?).0))?;
            rows.collect::<rusqlite::Result<Vec<u64>>>()
        };
        get().map_err(|e| self.failed(&e))
    }

    /// Bytes that are stored of a record's payload.
    pub fn stored_len(&self, seq: u64) -> Result<u64, Report> {
        let sql = "SELECT octet_length(body) FROM record WHERE seq = ?1";
        let get = || self.db.prepare_cached(sql)?.query_row([seq as i64], |r| Ok(decode::number(r.get_ref(0)?).0));
        match get() {
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(0),
            other => other.map_err(|e| self.failed(&e)),
        }
    }

    /// Reads consecutive records.
    fn run(&self, run: &[u64], body_limit: usize, out: &mut Vec<Record>) -> rusqlite::Result<()> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(()) };
        let (Ok(first), Ok(last)) = (i64::try_from(*first), i64::try_from(*last)) else { return Ok(()) };
        let limit = i64::try_from(body_limit).unwrap_or(i64::MAX);
        // `octet_length` does not read the payload. Of a long one the first bytes are read; only where it is very much
        // longer, reading it whole would cost more than opening it as a stream.
        let mut statement = self.db.prepare_cached(concat!(
            "SELECT seq, wall, mono, session, conn, kind, direction, flags, code, reply, size, head, ",
            "octet_length(body), CASE WHEN octet_length(body) <= ?3 THEN body ",
            "WHEN octet_length(body) <= 8 * ?3 THEN substr(body, 1, ?3) END ",
            "FROM record WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq"
        ))?;
        let mut rows = statement.query([first, last, limit])?;
        let mut before = first - 1;
        while let Some(row) = rows.next()? {
            let seq: i64 = decode::number(row.get_ref(0)?).0;
            if seq <= before {
                return Err(corrupt());
            }
            before = seq;
            let long = decode::number::<usize>(row.get_ref(12)?).0 > body_limit;
            let body = match row.get_ref(13)? {
                ValueRef::Null if long && body_limit > 0 => self.beginning(seq, body_limit),
                value => Bytes::copy_from_slice(decode::bytes(value)),
            };
            out.push(decode::record(row, body)?);
        }
        Ok(())
    }

    /// The first bytes of a long payload.
    fn beginning(&self, seq: i64, len: usize) -> Bytes {
        let read = || -> rusqlite::Result<Bytes> {
            let blob = self.db.blob_open("main", "record", "body", seq, true)?;
            let mut bytes = vec![0; len.min(blob.len())];
            let got = blob.read_at(&mut bytes, 0)?;
            bytes.truncate(got);
            Ok(bytes.into())
        };
        read().unwrap_or_default()
    }

    /// Records that the projections need, after `after`, at most `limit`, with whole payloads.
    pub fn story(&self, after: u64, limit: usize) -> Result<Vec<Record>, Report> {
        let seqs: Vec<u64> = self.index.story().from(after.saturating_add(1)).take(limit).collect();
        self.records(&seqs, usize::MAX)
    }

    /// All records, or all of a session, with or without noise, from the index: no scan.
    pub fn rows(&self, session: Option<SessionId>, noise: bool) -> Rows {
        self.index.rows(session, noise)
    }

    /// How many records [`Reader::rows`] leaves out as noise.
    pub fn noise(&self, session: Option<SessionId>) -> u64 {
        self.index.noise(session)
    }

    /// Sessions that have records, with [`SessionId::NONE`] where some belong to none.
    pub fn sessions(&self) -> Vec<SessionId> {
        self.index.sessions()
    }

    /// The records that the user has marked, and not unmarked since.
    pub fn marked(&self) -> Result<Rows, Report> {
        let mut marks = Marks::default();
        marks.read(&self.db, &self.index).map_err(|e| self.failed(&e))?;
        Ok(if marks.set.is_empty() { Rows::None } else { Rows::Some(Arc::new(marks.set)) })
    }

    /// Starts a search on a thread of its own, newest first. It goes on with new records until it is dropped.
    /// `wake` is called from that thread whenever [`Search::status`] has something new.
    pub fn search(
        &self,
        filter: Filter,
        base: (Option<SessionId>, bool),
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Search, Report> {
        let db = self.place.connect().map_err(|e| self.failed(&e))?;
        let (place, index) = (self.place.clone(), Arc::clone(&self.index));
        search::start(search::Job { db, place, index, running: self.running, filter, base, wake })
    }

    /// Another reader of the same capture, for another thread.
    pub fn again(&self) -> Result<Self, Report> {
        Ok(Self {
            db: self.place.connect().map_err(|e| self.failed(&e))?,
            place: self.place.clone(),
            index: Arc::clone(&self.index),
            opened: self.opened.clone(),
            running: self.running,
            oddities: self.oddities.clone(),
        })
    }

    /// True where that file is the one that is read.
    pub(super) fn is_of_file(&self, path: &Path) -> bool {
        matches!(&self.opened, Opened::File(own) if *own == files::canonical(path))
    }

    pub(super) fn db(&self) -> &Connection {
        &self.db
    }

    fn failed(&self, error: &rusqlite::Error) -> Report {
        fault::report(error, "read", &self.opened.place())
    }
}

/// The error of SQLite for a damaged file, for damage that only we can see.
pub(super) fn corrupt() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
        Some("records are not in order".into()),
    )
}
