//! Writes the settings on a thread of its own: late, whole, and readable by nobody else.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Settings;
use crate::model::Report;

/// Changes within this time become one write.
const PATIENCE: Duration = Duration::from_millis(400);

/// Where settings are kept. Dropping it writes what is left.
pub struct Store {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    file: Option<PathBuf>,
}

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    bell: Condvar,
}

#[derive(Default)]
struct Inner {
    waiting: Option<Box<Settings>>,
    closing: bool,
    trouble: Option<Report>,
}

impl Store {
    /// Reads the settings in `folder` and starts the writer. A file that cannot be read is set aside under another
    /// name, never overwritten; the report says so.
    pub fn open(folder: &Path) -> (Self, Settings, Option<Report>) {
        let file = folder.join("settings.json");
        let (settings, report) = read(&file);
        let shared = Arc::new(Shared::default());
        let thread = {
            let (shared, file) = (shared.clone(), file.clone());
            std::thread::Builder::new().name("settings".into()).spawn(move || shared.run(&file)).ok()
        };
        (Self { shared, thread, file: Some(file) }, settings, report)
    }

    /// Keeps nothing. For tests and for the private mode without a home.
    pub fn nowhere() -> Self {
        Self { shared: Arc::default(), thread: None, file: None }
    }

    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Hands over the settings as they are now. Never waits for the disk.
    pub fn put(&self, settings: Settings) {
        self.shared.lock().waiting = Some(Box::new(settings));
        self.shared.bell.notify_one();
    }

    /// Why the last write failed, told once.
    pub fn trouble(&self) -> Option<Report> {
        self.shared.lock().trouble.take()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.bell.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, file: &Path) {
        loop {
            let mut inner = self.lock();
            while inner.waiting.is_none() && !inner.closing {
                inner = self.bell.wait(inner).unwrap_or_else(PoisonError::into_inner);
            }
            if !inner.closing {
                inner = self
                    .bell
                    .wait_timeout_while(inner, PATIENCE, |i| !i.closing)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
            let closing = inner.closing;
            let settings = inner.waiting.take();
            drop(inner);
            if let Some(s) = settings
                && let Err(e) = write(file, s.to_json().as_bytes())
            {
                self.lock().trouble = Some(
                    Report::new(
                        "settings-not-written",
                        "The settings could not be saved",
                        format!("{}: {e}", file.display()),
                    )
                    .remedy("Check that the folder exists and can be written to, and that the disk is not full."),
                );
            }
            if closing {
                return;
            }
        }
    }
}

fn read(file: &Path) -> (Settings, Option<Report>) {
    let text = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return (Settings::default(), None),
        Err(e) => return set_aside(file, &e.to_string()),
    };
    let parsed = String::from_utf8(text).map_err(|e| e.to_string());
    match parsed.and_then(|t| Settings::from_json(&t).map_err(|e| e.to_string())) {
        Ok((settings, bad)) if bad.is_empty() => (settings, None),
        Ok((settings, bad)) => {
            let mut report = Report::new(
                "settings-partly-read",
                "Some settings could not be read",
                format!("{}: the rest was read, these have their usual values.", file.display()),
            );
            report.details = bad;
            (settings, Some(report))
        }
        Err(e) => set_aside(file, &e),
    }
}

fn set_aside(file: &Path, why: &str) -> (Settings, Option<Report>) {
    let mut to = file.with_extension("json.bad");
    let mut n = 1;
    while to.exists() && n < 1000 {
        n += 1;
        to = file.with_extension(format!("json.bad{n}"));
    }
    let what = match std::fs::rename(file, &to) {
        Ok(()) => format!("{}: {why}. The file was set aside as {}.", file.display(), to.display()),
        Err(e) => format!("{}: {why}. It could not be set aside either: {e}.", file.display()),
    };
    let report = Report::new("settings-unreadable", "The settings could not be read", what)
        .remedy("The window starts with the usual settings. Mend the file that was set aside and put it back.");
    (Settings::default(), Some(report))
}

/// Writes beside the file and renames, so that a crash leaves the old or the new one, never half of it.
fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let temp = folder.join(format!(".settings.{}.tmp", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let outcome = options.open(&temp).and_then(|mut f| {
        f.write_all(bytes)?;
        f.sync_all()
    });
    let outcome = outcome.and_then(|()| std::fs::rename(&temp, file));
    if outcome.is_err() {
        let _ = std::fs::remove_file(&temp);
    }
    outcome
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_the_store_writes_the_last_state_for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("new");
        let (store, mut settings, report) = Store::open(&folder);
        assert!(report.is_none());
        for n in 0..50 {
            settings.keep_days = n;
            store.put(settings.clone());
        }
        drop(store);
        let (_store, back, report) = Store::open(&folder);
        assert!(report.is_none());
        assert_eq!(back.keep_days, 49);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(folder.join("settings.json")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_said_so() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("settings.json");
        for n in 0..2 {
            std::fs::write(&file, b"{ not json \xff").unwrap();
            let (store, settings, report) = Store::open(dir.path());
            assert_eq!(settings, Settings::default());
            let report = report.unwrap();
            assert_eq!(report.code, "settings-unreadable");
            assert!(report.what.contains("json.bad"), "{}", report.what);
            store.put(settings);
            drop(store);
            assert!(file.exists());
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2 + n);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let blocked = dir.path().join("file");
        std::fs::write(&blocked, b"").unwrap();
        let (store, settings, _) = Store::open(&blocked.join("sub"));
        store.put(settings);
        let shared = store.shared.clone();
        drop(store);
        let report = shared.lock().trouble.take().unwrap();
        assert_eq!(report.code, "settings-not-written");
    }
}
