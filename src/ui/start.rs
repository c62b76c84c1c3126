//! Puts the window together with a running console, and takes both apart again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::app::Parts;
use super::picker::{self, SystemPicker};
use super::seams::{Audit, LiveLog, Log, OpenLog, SavedLog};
use super::settings::Store;
use super::window::{self, Wake};
use crate::capture::{Opened, retention};
use crate::engine::console::{Console, ConsoleOptions, LogPlace, discard_empty};
use crate::engine::places::Places;
use crate::engine::signals;
use crate::model::Report;

/// How long sessions may take to say goodbye when the window is closed.
const GOODBYE: Duration = Duration::from_secs(3);
/// How long the portal may take to say that it is there.
const PORTAL: Duration = Duration::from_secs(2);

/// Shows the window, with a saved capture in it or not, until it is closed.
pub fn show(file: Option<&Path>) -> Result<(), Report> {
    window::preflight()?;
    let places = Places::find()?;
    let (store, settings, report) = Store::open(&places.config);
    let wake = Wake::default();
    let place = if settings.private_mode { LogPlace::Memory } else { LogPlace::Folder };
    let console =
        Console::start(ConsoleOptions { place, wake: wake.call(), places: Some(places), ..ConsoleOptions::default() })?;
    let Console { engine, projector, writer, redactor, clock, places, vault: _, audit, knowledge, reports } = console;
    let engine = Arc::new(engine);
    let opened = writer.opened();
    let captures = matches!(opened, Opened::File(_)).then(|| places.captures.clone());
    delete_old(places.captures, settings.keep_days, clock.now().wall);
    let call = wake.call();
    let open_log: OpenLog =
        Arc::new(move |file| Ok(Box::new(SavedLog::open(file, knowledge.clone(), call.clone())?) as Box<dyn Log>));
    let parts = Parts {
        backend: Box::new(engine.clone()),
        clock,
        log: Box::new(LiveLog::new(writer.clone(), projector)?),
        open_log,
        mask: Arc::new(redactor),
        audit: audit.map(|log| Arc::new(log) as Arc<dyn Audit>),
        settings,
        store,
        picker: Box::new(SystemPicker::default()),
        vault: None,
        captures,
        reports: report.into_iter().chain(reports).collect(),
        open: file.map(Path::to_owned),
    };
    let close = wake.clone();
    signals::watch(move |_| close.close())?;
    let outcome = window::run(parts, wake);
    engine.shutdown(GOODBYE);
    writer.close()?;
    discard_empty(&writer);
    outcome
}

/// Makes a window, draws one picture with OpenGL, and tells what drew it.
pub fn probe() -> Result<String, Report> {
    window::probe()
}

/// Tells whether file dialogs can be shown.
pub fn dialogs() -> Result<String, Report> {
    match picker::probe(PORTAL) {
        Ok(()) => Ok("the system's own".into()),
        Err(why) => Err(Report::new("no-file-dialogs", "No file dialogs; a path field takes their place", why)
            .remedy("Debian, Ubuntu: apt install xdg-desktop-portal xdg-desktop-portal-gtk")),
    }
}

/// Deletes captures older than the days that the settings allow; zero keeps them for ever.
fn delete_old(folder: std::path::PathBuf, days: u32, now: crate::model::Wall) {
    if days == 0 {
        return;
    }
    let sweep = move || {
        if let Err(report) = retention::sweep(&folder, days, now) {
            eprint!("{}", report.text());
        }
    };
    // Nobody waits for it; what is not deleted now is deleted at the next start.
    let _ = std::thread::Builder::new().name("retention".into()).spawn(sweep);
}
