//! The one way into the capture: every record passes the redactor here.

use std::sync::Arc;

use super::audit::AuditLog;
use crate::capture::Writer;
use crate::model::{Clock, Draft, Fact, Now, SecretKind, SessionId};
use crate::vault::Redactor;

/// What is stored of one payload; longer ones are cut and flagged.
pub const MAX_STORED: usize = 16 << 20;

/// Cheap to clone; every task has one.
#[derive(Clone)]
pub struct Log {
    writer: Writer,
    redactor: Redactor,
    clock: Arc<dyn Clock>,
    audit: Option<AuditLog>,
}

impl Log {
    pub fn new(writer: Writer, redactor: Redactor, clock: Arc<dyn Clock>) -> Self {
        Self { writer, redactor, clock, audit: None }
    }

    /// Tells the audit log as well.
    pub fn audited(self, audit: Option<AuditLog>) -> Self {
        Self { audit, ..self }
    }

    pub fn now(&self) -> Now {
        self.clock.now()
    }

    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    pub fn learn(&self, kind: SecretKind, value: &str) -> String {
        self.redactor.learn(kind, value)
    }

    /// Redacts and appends; gives the record's place.
    pub fn add(&self, draft: Draft) -> u64 {
        let mut draft = self.redactor.scrub(draft);
        if draft.body.len() > MAX_STORED {
            draft.body.truncate(MAX_STORED);
            draft.flags = draft.flags.with(crate::model::Flags::CUT);
        }
        if let Some(audit) = &self.audit {
            audit.take(&draft);
        }
        self.writer.append(draft)
    }

    pub fn fact(&self, session: SessionId, fact: &Fact) -> u64 {
        self.add(Draft::fact(self.now(), session, fact))
    }

    /// True while the disk is behind: sockets should be read more slowly.
    pub fn is_pressed(&self) -> bool {
        self.writer.is_pressed()
    }

    pub fn writer(&self) -> &Writer {
        &self.writer
    }
}
