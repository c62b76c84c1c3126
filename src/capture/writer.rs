//! Appends records in batches on a thread of its own.
use std::path::{Path, PathBuf};

use crate::model::{Draft, Report};

/// Where the new capture lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    File(PathBuf),
    /// Private mode: memory only, gone when the last reader and the writer are.
    Memory(String),
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
    /// Why nothing is written any more (disk full, file gone). Records are then counted and not kept.
    pub failed: Option<Report>,
}

/// The one writer of a capture. Cheap to clone.
#[derive(Clone)]
pub struct Writer {}

impl Writer {
    /// Makes a new capture file in `folder` (created 0700, the file 0600).
    pub fn create(_folder: &Path) -> Result<Self, Report> {
        todo!()
    }

    /// Makes a capture in memory.
    pub fn private() -> Result<Self, Report> {
        todo!()
    }

    pub fn opened(&self) -> Opened {
        todo!()
    }

    /// Takes a record, already redacted, and gives its place. Never blocks on the disk.
    pub fn append(&self, _draft: Draft) -> u64 {
        todo!()
    }

    /// True while the queue is longer than the writer can soon write: readers of sockets should wait.
    pub fn is_pressed(&self) -> bool {
        todo!()
    }

    /// Registers a call made after each commit, from the writer's thread: records can be read now.
    pub fn on_commit(&self, _call: Box<dyn Fn() + Send + Sync>) {
        todo!()
    }

    /// Waits until all that was appended before is committed. Blocks: not for the interface thread.
    pub fn flush(&self) -> Result<(), Report> {
        todo!()
    }

    pub fn status(&self) -> WriterStatus {
        todo!()
    }

    /// Commits what is left, folds the WAL into the file and ends the thread.
    pub fn close(&self) -> Result<(), Report> {
        todo!()
    }
}
