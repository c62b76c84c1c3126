//! Looks for records, newest first, on a thread of its own.
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, InterruptHandle, Row};

use super::decode::{bytes, number};
use super::facets::Index;
use super::filter::{Columns, Raw};
use super::index::RowSet;
use super::marks::Marks;
use super::open::Place;
use super::reader::corrupt;
use super::{Filter, Rows, fault};
use crate::model::{Report, SessionId};

/// Records of the first step: few, so that hits among the newest come at once.
const FIRST_STEP: u64 = 1024;
/// Records of the largest step.
const STEP: u64 = 16_384;
/// Where fewer than one in so many records of a step can be hits, they are read one by one.
const SPARSE: u64 = 32;
/// Between two publications of what was found.
const PUBLISH: Duration = Duration::from_millis(30);
/// Growth is announced; this is only a net below.
const WAIT: Duration = Duration::from_secs(60);

/// A running search. Dropping it ends it.
pub struct Search {
    shared: Arc<Shared>,
    index: Arc<Index>,
    interrupt: InterruptHandle,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchStatus {
    /// Records looked at and to look at.
    pub done: u64,
    pub total: u64,
    pub rows: Rows,
    /// Why the search ended early.
    pub failed: Option<Report>,
}

#[derive(Default)]
struct Shared {
    status: Mutex<SearchStatus>,
    cancelled: AtomicBool,
}

impl Shared {
    fn status(&self) -> MutexGuard<'_, SearchStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

impl Search {
    /// Cheap enough for every frame.
    pub fn status(&self) -> SearchStatus {
        self.shared.status().clone()
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.shared.cancelled.store(true, Ordering::Relaxed);
        self.interrupt.interrupt();
        self.index.nudge();
    }
}

/// What a search works with.
pub struct Job {
    pub db: Connection,
    /// Held as long as the search lasts, see [`super::open::Keep`].
    #[expect(dead_code, reason = "held for what it keeps")]
    pub place: Place,
    pub index: Arc<Index>,
    /// The capture may still grow.
    pub running: bool,
    pub filter: Filter,
    pub base: (Option<SessionId>, bool),
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

pub fn start(job: Job) -> Result<Search, Report> {
    let shared = Arc::<Shared>::default();
    shared.status().total = job.index.len();
    let search =
        Search { shared: Arc::clone(&shared), index: Arc::clone(&job.index), interrupt: job.db.get_interrupt_handle() };
    thread::Builder::new()
        .name("capture-search".into())
        .spawn(move || Scan::new(job, shared).run())
        .map_err(|e| Report::new("no-thread", "The search could not be started", e.to_string()))?;
    Ok(search)
}

struct Scan {
    job: Job,
    shared: Arc<Shared>,
    columns: Columns,
    sql: String,
    marks: Marks,
    found: RowSet,
    done: u64,
    total: u64,
    published: Option<Instant>,
    dirty: bool,
}

impl Scan {
    fn new(job: Job, shared: Arc<Shared>) -> Self {
        let columns = job.filter.columns();
        Self {
            sql: sql(columns),
            columns,
            job,
            shared,
            marks: Marks::default(),
            found: RowSet::default(),
            done: 0,
            total: 0,
            published: None,
            dirty: false,
        }
    }

    fn run(mut self) {
        let result = self.back().and_then(|()| self.follow());
        if let Err(error) = result {
            let interrupted = error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted);
            if !(interrupted && self.shared.is_cancelled()) {
                self.shared.status().failed = Some(fault::report(&error, "searched", "the capture"));
                self.publish();
            }
        }
    }

    /// From the newest record to the oldest.
    fn back(&mut self) -> rusqlite::Result<()> {
        self.total = self.job.index.len();
        if self.columns.has(Columns::MARKS) {
            self.marks.read(&self.job.db, &self.job.index)?;
        }
        let mut step = FIRST_STEP;
        let mut damage = None;
        let mut high = self.total;
        while high > 0 && !self.shared.is_cancelled() {
            // Steps end at multiples of their length, as the index is cut.
            let low = (high - 1) / step * step + 1;
            match self.step(low, high) {
                // What lies beyond the damage can still be searched.
                Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => damage = Some(e),
                other => other?,
            }
            self.done += high - low + 1;
            high = low - 1;
            step = (step * 2).min(STEP);
            if high > 0 {
                self.publish_now_and_then();
            }
        }
        self.publish();
        damage.map_or(Ok(()), Err)
    }

    /// With what comes in from now on.
    fn follow(&mut self) -> rusqlite::Result<()> {
        while self.job.running && !self.shared.is_cancelled() {
            self.job.index.wait_beyond(self.total, WAIT);
            let len = self.job.index.len();
            while self.total < len && !self.shared.is_cancelled() {
                let (low, high) = (self.total + 1, len.min(self.total + STEP));
                let before = self.total;
                (self.total, self.done) = (high, high);
                if self.columns.has(Columns::MARKS) {
                    self.look_again(before)?;
                }
                self.step(low, high)?;
                self.dirty = true;
                self.publish_now_and_then();
            }
            if self.dirty {
                self.publish();
            }
        }
        Ok(())
    }

    /// Marks that were set or taken back change what was found among the records up to `upto`.
    fn look_again(&mut self, upto: u64) -> rusqlite::Result<()> {
        for seq in self.marks.read(&self.job.db, &self.job.index)? {
            if seq <= upto {
                self.found.remove(seq);
                self.step(seq, seq)?;
            }
        }
        Ok(())
    }

    /// Looks at records `low..=high`.
    fn step(&mut self, low: u64, high: u64) -> rusqlite::Result<()> {
        let base = self.job.index.rows(self.job.base.0, self.job.base.1);
        let (from, to) = (base.row(low), base.row(high + 1));
        let mut hits = Vec::new();
        if to.saturating_sub(from) < (high - low + 1) / SPARSE {
            for seq in base.seqs(from, (to - from) as usize) {
                self.scan(seq, seq, &base, &mut hits)?;
            }
        } else if from < to {
            self.scan(low, high, &base, &mut hits)?;
        }
        self.dirty |= !hits.is_empty();
        self.found.extend_sorted(&hits);
        Ok(())
    }

    fn scan(&self, low: u64, high: u64, base: &Rows, hits: &mut Vec<u64>) -> rusqlite::Result<()> {
        let mut statement = self.job.db.prepare_cached(&self.sql)?;
        let mut rows = statement.query([low as i64, high as i64])?;
        let mut before = low - 1;
        while let Some(row) = rows.next()? {
            let raw = raw(row, self.columns)?;
            if raw.seq <= before {
                return Err(corrupt());
            }
            before = raw.seq;
            if self.job.filter.matches_raw(&raw, &self.marks.set) && base.contains(raw.seq) {
                hits.push(raw.seq);
            }
        }
        Ok(())
    }

    fn publish_now_and_then(&mut self) {
        let first = self.dirty && self.shared.status().rows.is_empty() && !self.found.is_empty();
        if first || self.published.is_none_or(|at| at.elapsed() >= PUBLISH) {
            self.publish();
        }
    }

    fn publish(&mut self) {
        {
            let mut status = self.shared.status();
            (status.done, status.total) = (self.done, self.total);
            if self.dirty {
                status.rows = if self.found.is_empty() { Rows::None } else { Rows::Some(Arc::new(self.found.clone())) };
            }
        }
        self.dirty = false;
        self.published = Some(Instant::now());
        if !self.shared.is_cancelled() {
            (self.job.wake)();
        }
    }
}

fn sql(columns: Columns) -> String {
    let names = Columns::NAMED.iter().filter(|(column, _)| columns.has(*column)).map(|(_, name)| *name);
    let list = std::iter::once("seq").chain(names).collect::<Vec<_>>().join(", ");
    format!("SELECT {list} FROM record WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq")
}

/// The row of [`sql`] without a copy.
fn raw<'a>(row: &'a Row<'_>, columns: Columns) -> rusqlite::Result<Raw<'a>> {
    let mut raw = Raw { seq: number(row.get_ref(0)?).0, ..Raw::default() };
    let wanted = Columns::NAMED.iter().filter(|(column, _)| columns.has(*column));
    for (at, (column, _)) in (1..).zip(wanted) {
        let value = row.get_ref(at)?;
        match *column {
            Columns::WALL => raw.wall = number(value).0,
            Columns::SESSION => raw.session = number(value).0,
            Columns::CONN => raw.conn = number(value).0,
            Columns::KIND => raw.kind = number(value).0,
            Columns::DIRECTION => raw.direction = number(value).0,
            Columns::FLAGS => raw.flags = number(value).0,
            Columns::CODE => raw.code = number(value).0,
            Columns::SIZE => raw.size = number(value).0,
            Columns::HEAD => raw.head = bytes(value),
            _ => raw.body = bytes(value),
        }
    }
    Ok(raw)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::capture::tests::draft;
    use crate::capture::{Opened, Reader, Writer};
    use crate::model::Fact;
    use crate::model::record::{Draft, Flags};

    /// Starts a search and gives a function that waits for a status.
    fn begin(reader: &Reader, filter: &str, base: (Option<SessionId>, bool)) -> (Search, mpsc::Receiver<()>) {
        let (tx, rx) = mpsc::channel();
        let tx = Mutex::new(tx);
        let wake = Arc::new(move || _ = tx.lock().unwrap().send(()));
        (reader.search(Filter::parse(filter).unwrap(), base, wake).unwrap(), rx)
    }

    fn until(search: &(Search, mpsc::Receiver<()>), holds: impl Fn(&SearchStatus) -> bool) -> SearchStatus {
        loop {
            let status = search.0.status();
            if holds(&status) {
                return status;
            }
            search.1.recv_timeout(Duration::from_secs(20)).expect("the search should have gone on");
        }
    }

    fn finished(status: &SearchStatus) -> bool {
        status.done == status.total && status.total > 0
    }

    fn filled() -> (tempfile::TempDir, Writer, Reader) {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::create(folder.path()).unwrap();
        for n in 1..=70_000u32 {
            let text = if n % 1000 == 0 { format!("needle {n}") } else { format!("hay {n}") };
            let flags = if n % 2000 == 0 { Flags::HEARTBEAT } else { Flags::NONE };
            writer.append(draft(if n > 69_900 { 9 } else { 1 }, &text).flags(flags));
        }
        writer.flush().unwrap();
        let reader = Reader::attach(&writer.opened()).unwrap();
        (folder, writer, reader)
    }

    #[test]
    fn a_search_finds_all_old_and_new_records_and_no_others() {
        let (_folder, writer, reader) = filled();
        let search = begin(&reader, "needle", (None, true));
        let status = until(&search, finished);
        assert_eq!(status.rows.seqs(0, 100), (1..=70).map(|n| n * 1000).collect::<Vec<u64>>());
        let quiet = begin(&reader, "needle", (None, false));
        assert_eq!(until(&quiet, finished).rows.len(), 35);
        let session = begin(&reader, "needle", (Some(SessionId(9)), true));
        assert_eq!(until(&session, finished).rows.seqs(0, 100), [70_000]);
        let all = begin(&reader, "", (Some(SessionId(1)), true));
        assert_eq!(until(&all, finished).rows.len(), 69_900);
        for n in 0..2000 {
            writer.append(draft(1, if n == 1234 { "one more needle" } else { "hay" }));
        }
        let status = until(&search, |s| s.rows.len() == 71);
        assert_eq!(status.rows.seq(70), Some(71_235));
        until(&search, |s| s.done == 72_000);
    }

    #[test]
    fn marks_come_and_go_while_a_search_runs() {
        let (_folder, writer, reader) = filled();
        let mark = |on: u64, set: bool| {
            let fact = Draft::fact(draft(1, "").at, SessionId(1), &Fact::Mark { on: set });
            writer.append(fact.reply_to(on));
        };
        mark(500, true);
        mark(60_000, true);
        mark(u64::MAX >> 1, true);
        writer.flush().unwrap();
        let search = begin(&reader, "marked kind:text", (None, true));
        assert_eq!(until(&search, finished).rows.seqs(0, 9), [500, 60_000]);
        mark(500, false);
        mark(70_000, true);
        let status = until(&search, |s| s.rows.contains(70_000) && !s.rows.contains(500));
        assert_eq!(status.rows.len(), 2);
        assert_eq!(reader.marked().unwrap().seqs(0, 9), [60_000, 70_000]);
    }

    #[test]
    fn first_hits_come_before_the_whole_is_searched_and_the_rest_can_be_cancelled() {
        let (_folder, _writer, reader) = filled();
        // Each announcement holds the search up until it is let go.
        let (tell, told) = mpsc::channel();
        let (go, held) = mpsc::channel::<()>();
        let both = Mutex::new((tell, held));
        let wake = Arc::new(move || {
            let both = both.lock().unwrap();
            both.0.send(()).unwrap();
            let _ = both.1.recv();
        });
        let search = reader.search(Filter::parse("needle").unwrap(), (None, true), wake).unwrap();
        told.recv_timeout(Duration::from_secs(20)).unwrap();
        let first = search.status();
        assert_eq!(first.rows.seqs(0, 9), [70_000], "the newest hit");
        assert_eq!(first.total, 70_000);
        assert!(first.done <= STEP, "{} were looked at before", first.done);
        drop(search);
        go.send(()).unwrap();
        // It ends without another word.
        assert_eq!(told.recv_timeout(Duration::from_secs(20)), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_dropped_search_ends_its_thread() {
        let (_folder, writer, reader) = filled();
        let search = begin(&reader, "-/(hay|x)+y \\d*$/", (None, true));
        let shared = Arc::downgrade(&search.0.shared);
        drop(search.0);
        let deadline = Instant::now() + Duration::from_secs(20);
        while shared.strong_count() > 0 {
            assert!(Instant::now() < deadline);
            thread::yield_now();
        }
        writer.close().unwrap();
    }

    #[test]
    fn a_search_in_a_saved_capture_ends_by_itself() {
        let (_folder, writer, reader) = filled();
        let Opened::File(path) = writer.opened() else { panic!() };
        drop(reader);
        writer.close().unwrap();
        let reader = Reader::open(&path).unwrap();
        let search = begin(&reader, "kind:text -needle", (None, true));
        assert_eq!(until(&search, finished).rows.len(), 69_930);
        while search.1.recv().is_ok() {}
    }
}
