//! Appends records in batches on a thread of its own.
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::facets::Index;
use super::queue::{Queue, Waited};
use super::store::Store;
use super::worker::{self, Worker};
use super::{fault, files, live};
use crate::model::{Draft, Report};

/// Where the new capture lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Opened {
    File(PathBuf),
    /// Private mode: memory only, gone when the last reader and the writer are.
    Memory(String),
}

impl Opened {
    /// For people.
    pub fn place(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Memory(_) => "memory".into(),
        }
    }
}

/// Figures of a running writer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriterStatus {
    /// Records committed.
    pub records: u64,
    /// Bytes on disk (or in memory).
    pub bytes: u64,
    /// Records accepted and not yet committed.
    pub queued: u64,
    pub queued_bytes: u64,
    /// Payloads left out so far.
    pub left_out: u64,
    /// Records that were given no place because nothing could be written for too long.
    pub not_kept: u64,
    /// Why nothing is written (disk full, file gone). Writing is tried again now and then; what was accepted waits.
    pub failed: Option<Report>,
}

/// What the writer and its thread share.
#[derive(Default)]
pub struct Shared {
    pub queue: Queue,
    pub progress: Mutex<Progress>,
    pub calls: Mutex<Vec<Arc<dyn Fn() + Send + Sync>>>,
}

#[derive(Default)]
pub struct Progress {
    pub bytes: u64,
    pub failed: Option<Report>,
    /// How closing went, once it is done.
    pub closed: Option<Result<(), Report>>,
}

impl Shared {
    pub fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one writer of a capture. Cheap to clone. When the last clone is dropped, what waits is committed and the
/// thread ends; [`Writer::close`] does the same and tells how it went.
#[derive(Clone)]
pub struct Writer {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    opened: Opened,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Makes a new capture file in `folder` (created 0700, the file 0600).
    pub fn create(folder: &Path) -> Result<Self, Report> {
        files::make_folder(folder).map_err(|e| fault::io(&e, "created", folder))?;
        let path =
            files::create_capture(folder, jiff::Timestamp::now()).map_err(|e| fault::io(&e, "created", folder))?;
        Self::start(Opened::File(files::canonical(&path)))
    }

    /// Makes a new capture at a path that must not exist yet; the file is 0600.
    pub fn create_at(path: &Path) -> Result<Self, Report> {
        files::create_private(path).map_err(|e| fault::io(&e, "created", path))?;
        Self::start(Opened::File(files::canonical(path)))
    }

    /// Makes a capture in memory. SQLite holds at most 1 GiB there; beyond that, [`WriterStatus::failed`] says so.
    pub fn private() -> Result<Self, Report> {
        Self::start(Opened::Memory(format!("sessionscope-{}", uuid::Uuid::new_v4().simple())))
    }

    fn start(opened: Opened) -> Result<Self, Report> {
        let store = Store::create(&opened).map_err(|e| {
            if let Opened::File(path) = &opened {
                // Ours, empty, and of no use to anybody.
                let _ = std::fs::remove_file(path);
            }
            fault::report(&e, "created", &opened.place())
        })?;
        Self::with_store(opened, store)
    }

    fn with_store(opened: Opened, store: Store) -> Result<Self, Report> {
        let shared = Arc::<Shared>::default();
        let index = Arc::<Index>::default();
        live::add(&opened, &index);
        let worker = Worker::new(Arc::clone(&shared), index, store, opened.clone());
        let thread = thread::Builder::new()
            .name("capture-writer".into())
            .spawn(move || worker::run(worker))
            .map_err(|e| Report::new("no-thread", "The capture could not be started", e.to_string()))?;
        Ok(Self { handle: Arc::new(Handle { shared, opened, thread: Mutex::new(Some(thread)) }) })
    }

    pub fn opened(&self) -> Opened {
        self.handle.opened.clone()
    }

    /// Takes a record, already redacted, and gives its place. Never blocks on the disk.
    ///
    /// Gives zero where the record could not be kept: after the writer was closed, or when nothing could be written
    /// for so long that the bound of the queue is reached. [`WriterStatus::not_kept`] counts these.
    pub fn append(&self, draft: Draft) -> u64 {
        self.handle.shared.queue.push(draft)
    }

    /// True while the queue is longer than the writer can soon write: readers of sockets should wait.
    pub fn is_pressed(&self) -> bool {
        self.handle.shared.queue.is_pressed()
    }

    /// Registers a call made after each commit, from the writer's thread: records can be read now. It is also made when
    /// writing begins to fail.
    /// It must be quick, and must not hold a clone of this writer.
    pub fn on_commit(&self, call: Box<dyn Fn() + Send + Sync>) {
        lock(&self.handle.shared.calls).push(call.into());
    }

    /// Waits until all that was appended before is committed. Blocks: not for the interface thread.
    pub fn flush(&self) -> Result<(), Report> {
        match self.handle.shared.queue.wait_committed() {
            Waited::Committed => Ok(()),
            Waited::Failed | Waited::Ended => Err(self.failure()),
        }
    }

    pub fn status(&self) -> WriterStatus {
        let figures = self.handle.shared.queue.figures();
        let progress = self.handle.shared.progress();
        WriterStatus {
            records: figures.committed,
            bytes: progress.bytes,
            queued: figures.queued,
            queued_bytes: figures.queued_bytes,
            left_out: figures.left_out,
            not_kept: figures.dropped,
            failed: progress.failed.clone(),
        }
    }

    /// Commits what is left, folds the WAL into the file and ends the thread. Blocks. Closing again gives the same
    /// answer.
    pub fn close(&self) -> Result<(), Report> {
        self.handle.end();
        self.handle.shared.progress().closed.clone().unwrap_or_else(|| Err(self.failure()))
    }

    fn failure(&self) -> Report {
        self.handle.shared.progress().failed.clone().unwrap_or_else(|| {
            Report::new(
                "capture-closed",
                "The capture is not written any more",
                format!("Writing to {} has ended.", self.handle.opened.place()),
            )
        })
    }
}

impl Handle {
    fn end(&self) {
        self.shared.queue.close();
        let mut thread = lock(&self.thread);
        if let Some(thread) = thread.take_if(|t| t.thread().id() != thread::current().id()) {
            // A panic there was already reported by the panic hook; what it left is told by `failure`.
            let _ = thread.join();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end();
    }
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::capture::tests::draft;
    use crate::capture::{Reader, integrity_check};

    /// A writer whose disk can be filled.
    fn writer() -> (tempfile::TempDir, Writer, PathBuf, Arc<AtomicBool>) {
        let folder = tempfile::tempdir().unwrap();
        let path = files::create_capture(folder.path(), jiff::Timestamp::now()).unwrap();
        let opened = Opened::File(files::canonical(&path));
        let store = Store::create(&opened).unwrap();
        let full = Arc::clone(&store.full);
        let writer = Writer::with_store(opened, store).unwrap();
        (folder, writer, path, full)
    }

    fn fill(writer: &Writer, records: std::ops::Range<u64>) {
        for n in records {
            assert_eq!(writer.append(draft(1, &format!("{n:0>200}"))), n);
        }
    }

    fn check(path: &Path, records: u64) {
        let reader = Reader::open(path).unwrap();
        assert_eq!(reader.len(), records);
        let list = reader.records(&(1..=records).collect::<Vec<_>>(), usize::MAX).unwrap();
        assert!(list.iter().all(|r| r.text() == Some(&format!("{:0>200}", r.seq))));
    }

    #[test]
    fn a_full_disk_is_told_and_nothing_accepted_is_lost_when_there_is_space_again() {
        let (_folder, writer, path, full) = writer();
        fill(&writer, 1..5000);
        writer.flush().unwrap();
        assert_eq!(writer.status().failed, None);
        full.store(true, Ordering::Relaxed);
        fill(&writer, 5000..15_000);
        let report = writer.flush().unwrap_err();
        assert_eq!(report.code, "disk-full");
        assert!(!report.remedies.is_empty());
        let status = writer.status();
        assert_eq!(status.failed.unwrap().code, "disk-full");
        assert!(status.queued > 0 && status.records + status.queued == 14_999);
        fill(&writer, 15_000..16_000);
        full.store(false, Ordering::Relaxed);
        while writer.flush().is_err() {}
        assert_eq!((writer.status().failed, writer.status().not_kept), (None, 0));
        writer.close().unwrap();
        check(&path, 15_999);
        assert_eq!(integrity_check(&path).unwrap(), [""; 0]);
    }

    #[test]
    fn closing_on_a_full_disk_says_what_was_not_kept_and_leaves_a_sound_file() {
        let (_folder, writer, path, full) = writer();
        fill(&writer, 1..1000);
        writer.flush().unwrap();
        full.store(true, Ordering::Relaxed);
        fill(&writer, 1000..9000);
        let report = writer.close().unwrap_err();
        assert_eq!(report.code, "disk-full");
        assert!(report.details.iter().any(|d| d.contains("not kept")));
        let status = writer.status();
        assert_eq!(status.records + status.not_kept, 8999);
        check(&path, status.records);
        assert_eq!(integrity_check(&path).unwrap(), [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_deleted_is_noticed() {
        let (_folder, writer, path, _) = writer();
        fill(&writer, 1..10);
        writer.flush().unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut n = 10;
        let status = loop {
            writer.append(draft(1, "x"));
            writer.flush().unwrap();
            let status = writer.status();
            if status.failed.is_some() || n > 1_000_000 {
                break status;
            }
            n += 1;
        };
        assert_eq!(status.failed.unwrap().code, "capture-gone");
    }
}
