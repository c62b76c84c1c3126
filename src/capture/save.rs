//! Copies a capture to a file of its own.
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::export::Progress;
use super::files::{self, Pending};
use super::reader::Reader;
use super::{fault, live, schema};
use crate::model::Report;

/// Pages copied between two looks at the progress: 8 MiB.
const PAGES: i32 = (8 << 20) / schema::PAGE_SIZE;

/// Copies what `from` reads, as it stands now, to the file `to`: one plain file without a WAL, for the owner only.
///
/// An older file of that name is replaced when the copy is complete, and left alone otherwise. Refused where a writer
/// of this process writes `to`, or another program has it open. Progress counts pages.
pub fn save(from: &Reader, to: &Path, progress: &mut dyn Progress) -> Result<(), Report> {
    if live::is_written(to) || from.is_of_file(to) {
        return Err(Report::new(
            "capture-in-use",
            "The capture could not be saved",
            format!("{} is the capture itself.", to.display()),
        )
        .remedy("Choose another name."));
    }
    if files::beside(to, "-wal").exists() {
        return Err(Report::new(
            "capture-in-use",
            "The capture could not be saved",
            format!("{} is a capture that is in use.", to.display()),
        )
        .remedy("Choose another name."));
    }
    let (pending, file) = Pending::new(to).map_err(|e| fault::io(&e, "saved", to))?;
    drop(file);
    let failed = |e: rusqlite::Error| fault::report(&e, "saved", &to.display().to_string());
    let mut target = Connection::open(pending.part()).map_err(failed)?;
    // One state of the log, however long the copy takes.
    from.db().execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;").map_err(failed)?;
    let copied = copy(from.db(), &mut target, progress);
    from.db().execute_batch("COMMIT").map_err(failed)?;
    if !copied.map_err(failed)? {
        return Err(super::export::cancelled());
    }
    target.query_row("PRAGMA journal_mode=DELETE", [], |_| Ok(())).map_err(failed)?;
    target.close().map_err(|(_, e)| failed(e))?;
    pending.finish().map_err(|e| fault::io(&e, "saved", to))
}

/// False where it was cancelled.
fn copy(from: &Connection, to: &mut Connection, progress: &mut dyn Progress) -> rusqlite::Result<bool> {
    let backup = Backup::new(from, to)?;
    loop {
        let step = backup.step(PAGES)?;
        let state = backup.progress();
        let total = u64::try_from(state.pagecount).unwrap_or(0);
        let left = u64::try_from(state.remaining).unwrap_or(0);
        if !progress.report(total.saturating_sub(left), total) {
            return Ok(false);
        }
        match step {
            StepResult::Done => return Ok(true),
            StepResult::More => {}
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}
