//! Everything that a run needs, put together once: clock, redactor, vault, capture, engine, projections.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::audit::AuditLog;
use super::places::{HOME_VARIABLE, Places};
use super::{Engine, LazyVault, OpenUrl, Parts, system_browser};
use crate::capture::{Opened, Reader, Writer};
use crate::model::{Clock, Report, SystemClock};
use crate::projection::{Knowledge, Projector};
use crate::vault::{Redactor, Vault};

/// Where the capture of this run goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogPlace {
    /// A new file in the captures folder.
    #[default]
    Folder,
    /// This new file.
    File(PathBuf),
    /// Private mode: memory only.
    Memory,
}

/// How to start.
pub struct ConsoleOptions {
    pub place: LogPlace,
    /// Called from any thread when there is something new to look at.
    pub wake: Arc<dyn Fn() + Send + Sync>,
    pub clock: Arc<dyn Clock>,
    /// None for the OS keyring.
    pub vault: Option<Vault>,
    /// None for the system's places.
    pub places: Option<Places>,
    /// Shows a login page to a person.
    pub open_url: OpenUrl,
}

impl Default for ConsoleOptions {
    fn default() -> Self {
        Self {
            place: LogPlace::Folder,
            wake: Arc::new(|| {}),
            clock: SystemClock::shared(),
            vault: None,
            places: None,
            open_url: system_browser(),
        }
    }
}

/// A running console. Fields are dropped in this order: first the engine, which says goodbye, then the log.
pub struct Console {
    pub engine: Engine,
    pub projector: Projector,
    pub writer: Writer,
    pub redactor: Redactor,
    pub vault: Arc<LazyVault>,
    /// None in private mode.
    pub audit: Option<AuditLog>,
    pub clock: Arc<dyn Clock>,
    pub places: Places,
    /// Causes of failures, with those that a tester added.
    pub knowledge: Arc<Knowledge>,
    /// What went wrong and does not keep it from working.
    pub reports: Vec<Report>,
}

/// Where the usual folder cannot be written: the ways out.
fn elsewhere(report: Report, places: &Places) -> Report {
    let settings = places.settings_file();
    report.remedy(format!("Name a folder that can be written in the variable {HOME_VARIABLE}.")).remedy(format!(
        "Or turn on private mode, which keeps the capture in memory: \"private_mode\": true in {}.",
        settings.display()
    ))
}

impl Console {
    pub fn start(options: ConsoleOptions) -> Result<Self, Report> {
        let places = match &options.places {
            Some(places) => places.clone(),
            None => Places::find()?,
        };
        let writer = match &options.place {
            LogPlace::Folder => Writer::create(&places.captures).map_err(|report| elsewhere(report, &places))?,
            LogPlace::File(file) => Writer::create_at(file)?,
            LogPlace::Memory => Writer::private()?,
        };
        // A start that fails leaves no empty file behind.
        Self::with_writer(writer.clone(), places, options).inspect_err(|_| {
            let _ = writer.close();
            discard_empty(&writer);
        })
    }

    fn with_writer(writer: Writer, places: Places, options: ConsoleOptions) -> Result<Self, Report> {
        let redactor = Redactor::default();
        let own = options.vault;
        let vault: Arc<LazyVault> = Arc::new(LazyVault::new(Box::new(move || own.unwrap_or_else(Vault::open))));
        // Causes that a tester added. A file that cannot be read is told, and the rest works.
        let (knowledge, reports) = Knowledge::with_folder(&places.knowledge());
        let projector = Projector::knowing(knowledge.clone(), Reader::attach(&writer.opened())?, options.wake.clone());
        let (grown, wake) = (projector.grown_call(), options.wake.clone());
        writer.on_commit(Box::new(move || {
            grown();
            // The record table shows also what the projections have no use for.
            wake();
        }));
        let private = options.place == LogPlace::Memory;
        let audit = if private { None } else { Some(AuditLog::start(places.audit())?) };
        let engine = Engine::start(Parts {
            clock: options.clock.clone(),
            writer: writer.clone(),
            redactor: redactor.clone(),
            vault: vault.clone(),
            keep_tokens: !private,
            audit: audit.clone(),
            open_url: options.open_url.clone(),
            wake: options.wake.clone(),
        })?;
        Ok(Self { engine, projector, writer, redactor, vault, audit, knowledge, reports, clock: options.clock, places })
    }

    /// Says goodbye everywhere and folds the capture into one file. True where the engine ended in time.
    pub fn close(self, deadline: Duration) -> Result<bool, Report> {
        let ended = self.engine.shutdown(deadline);
        // The last reader must be gone before the writer, or the WAL stays beside the file.
        drop(self.projector);
        self.writer.close()?;
        discard_empty(&self.writer);
        Ok(ended)
    }
}

/// A run in which nothing happened leaves no file.
pub fn discard_empty(writer: &Writer) {
    if let Opened::File(file) = writer.opened()
        && writer.status().records == 0
    {
        // A file that cannot be deleted does no harm; it goes with the old ones.
        let _ = std::fs::remove_file(file);
    }
}
