//! The writer's thread.
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::facets::Index;
use super::store::Store;
use super::writer::{Opened, Shared};
use super::{fault, files, live};
use crate::model::{Draft, Report};

/// Records and payload bytes of one transaction; a longer queue is cut, so that readers see progress.
const MOST_RECORDS: usize = 4096;
const MOST_BYTES: usize = 16 << 20;
/// Room for drafts that is kept between batches.
const KEPT: usize = 1 << 16;
/// Between tries while nothing can be written.
const RETRY: Duration = Duration::from_millis(500);
/// How often the length of the file is looked up, and that it is still there.
const LOOK: Duration = Duration::from_millis(200);

pub struct Worker {
    shared: Arc<Shared>,
    index: Arc<Index>,
    store: Store,
    opened: Opened,
    looked: Option<Instant>,
}

impl Worker {
    pub fn new(shared: Arc<Shared>, index: Arc<Index>, store: Store, opened: Opened) -> Self {
        Self { shared, index, store, opened, looked: None }
    }
}

/// Runs until the queue is closed and empty.
pub fn run(mut worker: Worker) {
    let _end = End(Arc::clone(&worker.shared), worker.opened.clone());
    let mut batch = Vec::new();
    while let Some(first) = worker.shared.queue.take(&mut batch) {
        let written = worker.write_all(first, &batch);
        batch.clear();
        batch.shrink_to(KEPT);
        if !written {
            break;
        }
    }
    worker.close();
}

/// Whatever way the thread ends, nobody may wait for it afterwards.
struct End(Arc<Shared>, Opened);

impl Drop for End {
    fn drop(&mut self) {
        self.0.queue.end();
        live::remove(&self.1);
    }
}

impl Worker {
    /// Writes a batch, however long it takes. False where it had to be given up because the writer is closing.
    fn write_all(&mut self, first: u64, drafts: &[Draft]) -> bool {
        let mut done = 0;
        while done < drafts.len() {
            let part = &drafts[done..done + cut(&drafts[done..])];
            match self.store.write(first + done as u64, part) {
                Ok(runs) => {
                    done += part.len();
                    self.index.publish(&runs);
                    self.shared.queue.committed(part.len() as u64, part);
                    self.look();
                    self.tell();
                }
                Err(e) => {
                    let report = fault::report(&e, "written", &self.opened.place());
                    let first = self.shared.progress().failed.replace(self.private_full(report)).is_none();
                    if first {
                        self.tell();
                    }
                    if self.shared.queue.failed(RETRY) {
                        return false;
                    }
                }
            }
        }
        true
    }

    fn tell(&self) {
        let calls = self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for call in calls {
            call();
        }
    }

    /// Updates the figures; notices a file that was deleted or moved under our hands.
    fn look(&mut self) {
        let due = self.looked.is_none_or(|at| at.elapsed() >= LOOK);
        let mut progress = self.shared.progress();
        if !due {
            if progress.failed.as_ref().is_some_and(|r| r.code != GONE) {
                progress.failed = None;
            }
            return;
        }
        self.looked = Some(Instant::now());
        (progress.bytes, progress.failed) = match &self.opened {
            Opened::Memory(_) => (self.store.bytes(), None),
            Opened::File(path) => match path.metadata() {
                Ok(meta) => (meta.len() + length(&files::beside(path, "-wal")), None),
                Err(e) => (self.store.bytes(), Some(gone(path, &e))),
            },
        };
    }

    fn private_full(&self, report: Report) -> Report {
        match (&self.opened, report.code.as_str()) {
            (Opened::Memory(_), "disk-full") => Report::new(
                "memory-full",
                "The private capture is full",
                "A capture that is kept in memory only cannot grow beyond 1 GiB.",
            )
            .remedy("Save it to a file, then start the program again."),
            _ => report,
        }
    }

    fn close(self) {
        let figures = self.shared.queue.figures();
        let place = self.opened.place();
        let folded = self.store.close();
        let mut progress = self.shared.progress();
        progress.closed = Some(match folded {
            _ if figures.queued > 0 => {
                let why = progress.failed.clone().unwrap_or_default();
                Err(why.detail(format!("{} records were not kept", figures.queued)))
            }
            Ok(()) => Ok(()),
            Err(e) => Err(fault::report(&e, "closed", &place)),
        });
    }
}

const GONE: &str = "capture-gone";

fn gone(path: &Path, error: &std::io::Error) -> Report {
    Report::new(
        GONE,
        "The capture file is gone",
        format!("{} was deleted or moved while it was written.", path.display()),
    )
    .remedy("Save the capture to another file now; what this program has open can still be read.")
    .detail(error.to_string())
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |m| m.len())
}

/// How many of these drafts go into one transaction.
fn cut(drafts: &[Draft]) -> usize {
    let mut bytes = 0;
    let fits = drafts.iter().take(MOST_RECORDS).take_while(|d| {
        bytes += d.body.len() + d.head.len();
        bytes <= MOST_BYTES
    });
    fits.count().max(1)
}
