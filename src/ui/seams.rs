//! What the window is given from outside, behind small traits, so that a test can drive all of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::capture::{Opened, Reader, Writer};
use crate::engine::audit::{self, AuditLog};
use crate::engine::{Command, Engine, Event};
use crate::model::{Report, Secret};
use crate::projection::{Board, Knowledge, Projector};
use crate::vault::Redactor;

/// The engine as the window sees it.
pub trait Backend: Send {
    /// Hands over a command without waiting.
    fn send(&self, command: Command) -> Result<(), Report>;
    /// The next event, if any.
    fn poll(&self) -> Option<Event>;
}

impl Backend for Engine {
    fn send(&self, command: Command) -> Result<(), Report> {
        Engine::send(self, command)
    }

    fn poll(&self) -> Option<Event> {
        Engine::poll(self)
    }
}

impl<B: Backend + Sync> Backend for Arc<B> {
    fn send(&self, command: Command) -> Result<(), Report> {
        (**self).send(command)
    }

    fn poll(&self) -> Option<Event> {
        (**self).poll()
    }
}

/// Figures of a capture for the status bar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogStatus {
    pub records: u64,
    /// On disk, or in memory in private mode.
    pub bytes: u64,
    pub left_out: u64,
    /// Records accepted and not written yet.
    pub queued: u64,
    /// Records that were given no place, because nothing could be written for too long.
    pub not_kept: u64,
    /// Why nothing can be written now.
    pub failed: Option<Report>,
    /// Why the views do not follow the records.
    pub views: Option<Arc<Report>>,
}

/// A capture that the window shows: the running one, or a saved one.
pub trait Log: Send {
    fn board(&self) -> Arc<Board>;
    /// Records folded and to fold, while the projections are behind.
    fn behind(&self) -> Option<(u64, u64)>;
    fn status(&self) -> LogStatus;
    /// None in tests that need no record table.
    fn reader(&self) -> Option<&Reader>;
    /// Where it lies; none in memory.
    fn file(&self) -> Option<&Path>;
    /// It is being recorded now.
    fn is_live(&self) -> bool;
}

/// The running capture.
pub struct LiveLog {
    reader: Reader,
    projector: Projector,
    writer: Writer,
    file: Option<PathBuf>,
}

impl LiveLog {
    pub fn new(writer: Writer, projector: Projector) -> Result<Self, Report> {
        let opened = writer.opened();
        let reader = Reader::attach(&opened)?;
        let file = match opened {
            Opened::File(path) => Some(path),
            Opened::Memory(_) => None,
        };
        Ok(Self { reader, projector, writer, file })
    }
}

impl Log for LiveLog {
    fn board(&self) -> Arc<Board> {
        self.projector.board()
    }

    fn behind(&self) -> Option<(u64, u64)> {
        self.projector.behind()
    }

    fn status(&self) -> LogStatus {
        let s = self.writer.status();
        LogStatus {
            records: s.records,
            bytes: s.bytes,
            left_out: s.left_out,
            queued: s.queued,
            not_kept: s.not_kept,
            failed: s.failed,
            views: self.projector.failed(),
        }
    }

    fn reader(&self) -> Option<&Reader> {
        Some(&self.reader)
    }

    fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// A capture opened from a file.
pub struct SavedLog {
    reader: Reader,
    projector: Projector,
    file: PathBuf,
    bytes: u64,
}

impl SavedLog {
    /// May take long: not for the interface thread.
    pub fn open(file: &Path, knowledge: Arc<Knowledge>, wake: Arc<dyn Fn() + Send + Sync>) -> Result<Self, Report> {
        let reader = Reader::open(file)?;
        let projector = Projector::knowing(knowledge, Reader::open(file)?, wake);
        projector.grown();
        let bytes = std::fs::metadata(file).map_or(0, |m| m.len());
        Ok(Self { reader, projector, file: file.to_owned(), bytes })
    }
}

impl Log for SavedLog {
    fn board(&self) -> Arc<Board> {
        self.projector.board()
    }

    fn behind(&self) -> Option<(u64, u64)> {
        self.projector.behind()
    }

    fn status(&self) -> LogStatus {
        LogStatus {
            records: self.reader.len(),
            bytes: self.bytes,
            left_out: self.projector.board().left_out.0,
            views: self.projector.failed(),
            ..LogStatus::default()
        }
    }

    fn reader(&self) -> Option<&Reader> {
        Some(&self.reader)
    }

    fn file(&self) -> Option<&Path> {
        Some(&self.file)
    }

    fn is_live(&self) -> bool {
        false
    }
}

/// The audit log as the window reads it.
pub trait Audit: Send + Sync {
    /// The file that is written now.
    fn file(&self) -> PathBuf;
    /// Its last lines, oldest first, and its size. Reads the disk: not for the interface thread.
    fn tail(&self, lines: usize) -> Result<(Vec<String>, u64), Report>;
    /// Why nothing could be written the last time it was tried.
    fn trouble(&self) -> Option<Report>;
}

impl Audit for AuditLog {
    fn file(&self) -> PathBuf {
        self.folder().join(audit::FILE)
    }

    fn tail(&self, lines: usize) -> Result<(Vec<String>, u64), Report> {
        audit::tail(self.folder(), lines)
    }

    fn trouble(&self) -> Option<Report> {
        AuditLog::trouble(self)
    }
}

/// The part of the redactor that the window needs.
pub trait Mask: Send + Sync {
    /// Text with every secret replaced: for the clipboard and for what is stored.
    fn text(&self, text: &str) -> String;
    /// Text with every placeholder filled in. An explicit act of the user.
    fn reveal(&self, text: &str) -> Secret<String>;
}

impl Mask for Redactor {
    fn text(&self, text: &str) -> String {
        Redactor::text(self, text).into_owned()
    }

    fn reveal(&self, text: &str) -> Secret<String> {
        self.reveal_all(text)
    }
}

/// Opens a saved capture; called on a thread of its own.
pub type OpenLog = Arc<dyn Fn(&Path) -> Result<Box<dyn Log>, Report> + Send + Sync>;
