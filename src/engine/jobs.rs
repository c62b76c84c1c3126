//! Long work on threads of its own: saving and exporting captures, with progress and cancelling.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::command::{ExportFormat, JobId};
use super::emitter::Emitter;
use super::event::Event;
use crate::capture::{self, Reader, Writer, export};
use crate::model::{Report, SessionId};
use crate::projection::transcript;

/// Progress is told at most so often.
const BEAT: Duration = Duration::from_millis(100);

/// Told how far a job is; false ends it.
type Watch<'a> = dyn FnMut(u64, u64) -> bool + 'a;

pub struct Jobs {
    emitter: Emitter,
    cancels: HashMap<JobId, Arc<AtomicBool>>,
}

impl Jobs {
    pub fn new(emitter: Emitter) -> Self {
        Self { emitter, cancels: HashMap::new() }
    }

    pub fn cancel(&self, job: JobId) {
        if let Some(cancel) = self.cancels.get(&job) {
            cancel.store(true, Ordering::Relaxed);
        }
    }

    pub fn cancel_all(&self) {
        for cancel in self.cancels.values() {
            cancel.store(true, Ordering::Relaxed);
        }
    }

    /// Copies the running capture, or the one in `from`, to a file.
    pub fn save(&mut self, job: JobId, writer: &Writer, from: Option<PathBuf>, to: PathBuf) {
        let writer = writer.clone();
        self.spawn(job, move |mut progress| {
            let (reader, flushed) = reader(from, &writer)?;
            capture::save(&reader, &to, &mut progress)?;
            Ok(told(&format!("Saved to {}", to.display()), &flushed, &writer))
        });
    }

    /// Exports the running capture, or the one in `from`.
    pub fn export(
        &mut self,
        job: JobId,
        writer: &Writer,
        from: Option<PathBuf>,
        format: ExportFormat,
        session: Option<SessionId>,
        to: PathBuf,
    ) {
        let writer = writer.clone();
        self.spawn(job, move |mut progress| {
            let (reader, flushed) = reader(from, &writer)?;
            match format {
                ExportFormat::Har => export::har(&reader, session, &to, &mut progress)?,
                ExportFormat::JsonLines => export::jsonl(&reader, session, &to, &mut progress)?,
                ExportFormat::Transcript => {
                    export::to_file(&to, |out| transcript::write(&reader, session, out, progress))?;
                }
            }
            Ok(told(&format!("Exported to {}", to.display()), &flushed, &writer))
        });
    }

    fn spawn(&mut self, job: JobId, work: impl FnOnce(&mut Watch<'_>) -> Result<String, Report> + Send + 'static) {
        let cancel = Arc::new(AtomicBool::new(false));
        self.cancels.retain(|_, c| Arc::strong_count(c) > 1);
        self.cancels.insert(job, cancel.clone());
        let emitter = self.emitter.clone();
        tokio::task::spawn_blocking(move || {
            let mut told = Instant::now();
            let mut progress = |done: u64, total: u64| -> bool {
                if told.elapsed() >= BEAT {
                    told = Instant::now();
                    // Progress may be missed; the end may not.
                    emitter.try_emit(Event::Job { job, done, total });
                }
                !cancel.load(Ordering::Relaxed)
            };
            let result = work(&mut progress);
            emitter.emit_blocking(Event::JobDone { job, result });
        });
    }
}

/// Of the file, or of the running capture. What cannot be written there any more is no reason to give up what was.
fn reader(from: Option<PathBuf>, writer: &Writer) -> Result<(Reader, Result<(), Report>), Report> {
    Ok(match from {
        Some(file) => (Reader::open(&file)?, Ok(())),
        None => {
            let flushed = writer.flush();
            (Reader::attach(&writer.opened())?, flushed)
        }
    })
}

/// The end of a job on the running capture: with what it has not, because that could not be written yet.
fn told(done: &str, flushed: &Result<(), Report>, writer: &Writer) -> String {
    match flushed {
        Ok(()) => done.to_owned(),
        Err(report) => format!("{done}, without {} records that wait: {}", writer.status().queued, report.title),
    }
}
