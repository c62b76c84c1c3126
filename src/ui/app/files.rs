//! Files: asking for them, reading and opening them on threads of their own.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::{App, FilePurpose};
use crate::dialect::Wish;
use crate::engine::{Command, ExportFormat, JobId};
use crate::model::{Report, SessionId};
use crate::ui::app::Job;
use crate::ui::composer::Action;
use crate::ui::dialogs::PathDialog;
use crate::ui::picker::{Answer, Question};
use crate::ui::seams::Log;

/// Attachments larger than this are not read into memory. The vendor's limit is far below.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What a thread of ours has finished.
pub enum Done {
    Opened(PathBuf, Result<Box<dyn Log>, Report>),
    Read(SessionId, String, Result<Attachment, Report>),
    FolderSize(u64, u64),
}

/// A file read for an upload.
pub struct Attachment {
    pub name: String,
    pub mime: String,
    pub bytes: Bytes,
}

impl App {
    /// Asks for a file: by the system's dialog, or by our path field where there is none.
    pub(super) fn ask_file(&mut self, purpose: FilePurpose, ctx: &egui::Context) {
        if self.asked.is_some() {
            self.toasts.info("A file dialog is open already.");
            return;
        }
        self.picker.ask(question(&purpose), waker(ctx));
        self.asked = Some(purpose);
    }

    pub(super) fn take_files(&mut self, ctx: &egui::Context) {
        if let Some(answer) = self.picker.poll()
            && let Some(purpose) = self.asked.take()
        {
            match answer {
                Answer::Chosen(path) => self.file_chosen(purpose, path, ctx),
                Answer::Cancelled => {}
                Answer::Nobody(why) => self.path = Some(PathDialog::new(question(&purpose), purpose, why)),
            }
        }
        while let Ok(done) = self.done.try_recv() {
            match done {
                Done::Opened(path, Ok(log)) => self.show_saved(path, log),
                Done::Opened(_, Err(report)) => self.toasts.report(report),
                Done::Read(session, path, result) => self.attach(session, &path, result),
                Done::FolderSize(files, bytes) => self.folder_size = Some((files, bytes)),
            }
        }
        if let Some(report) = self.store.trouble() {
            self.toasts.report(report);
        }
    }

    pub(super) fn file_chosen(&mut self, purpose: FilePurpose, path: PathBuf, ctx: &egui::Context) {
        match purpose {
            FilePurpose::OpenCapture => self.perform_open(path, Some(ctx)),
            FilePurpose::SaveCapture => {
                let job = self.job("Saving the capture");
                if self.send(Command::SaveCapture { job, to: path.clone() }) {
                    self.settings.remember(path);
                } else {
                    self.book.jobs.retain(|j| j.id != job);
                }
            }
            FilePurpose::Export { format, session } => {
                let job = self.job("Exporting");
                let from = self.saved_log.as_ref().and_then(|l| l.file().map(Path::to_owned));
                if !self.send(Command::Export { job, from, format, session, to: path }) {
                    self.book.jobs.retain(|j| j.id != job);
                }
            }
            FilePurpose::Attach(session) => {
                let composer = self.composer(session);
                composer.form_mut(Action::Attach).path = path.display().to_string();
            }
            FilePurpose::CaFile => {
                if let Some(dialog) = &mut self.dialog {
                    dialog.ca_file(&path);
                }
            }
        }
    }

    fn job(&mut self, title: &str) -> JobId {
        let id = JobId(self.book.number());
        self.book.jobs.push(Job { id, title: title.to_owned(), done: 0, total: 0 });
        id
    }

    /// Opens a saved capture on a thread.
    pub(super) fn perform_open(&mut self, path: PathBuf, ctx: Option<&egui::Context>) {
        let (open, sender) = (self.open_log.clone(), self.sender.clone());
        let wake = ctx.map(waker);
        let thread = std::thread::Builder::new().name("open-capture".into()).spawn(move || {
            let result = open(&path);
            let _ = sender.send(Done::Opened(path, result));
            if let Some(wake) = wake {
                wake();
            }
        });
        if let Err(e) = thread {
            self.fail("no-thread", "The capture could not be opened", e.to_string());
        }
    }

    fn show_saved(&mut self, path: PathBuf, log: Box<dyn Log>) {
        self.toasts.info(format!("Opened {}", path.display()));
        self.settings.remember(path);
        self.saved_log = Some(log);
        self.other_log();
    }

    /// Reads the file of an attach form; the wish follows when it is read.
    pub(super) fn read_attachment(&mut self, session: SessionId, path: String, ctx: &egui::Context) {
        let (sender, wake) = (self.sender.clone(), waker(ctx));
        let thread = std::thread::Builder::new().name("read-file".into()).spawn(move || {
            let result = read(Path::new(&path));
            let _ = sender.send(Done::Read(session, path, result));
            wake();
        });
        if let Err(e) = thread {
            self.fail("no-thread", "The file could not be read", e.to_string());
        }
    }

    fn attach(&mut self, session: SessionId, path: &str, result: Result<Attachment, Report>) {
        let composer = self.composer(session);
        composer.reading = false;
        match result {
            Err(report) => composer.failed = Some(report),
            Ok(file) => {
                let wish = Wish::Attach {
                    attachment: uuid::Uuid::new_v4().to_string(),
                    name: file.name,
                    mime: file.mime,
                    bytes: file.bytes,
                };
                match self.backend.send(Command::Wish { session, wish }) {
                    Ok(()) => {
                        let form = self.composer(session).form_mut(Action::Attach);
                        if form.path == path {
                            form.path.clear();
                        }
                    }
                    Err(report) => self.composer(session).failed = Some(report),
                }
            }
        }
    }

    /// Measures the folder of the captures, for the settings.
    pub(super) fn measure_folder(&mut self, ctx: &egui::Context) {
        let Some(folder) = self.captures.clone() else { return };
        let (sender, wake) = (self.sender.clone(), waker(ctx));
        // A size that cannot be measured is not shown; nothing else depends on it.
        let _ = std::thread::Builder::new().name("folder-size".into()).spawn(move || {
            let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let sizes: Vec<u64> =
                files.filter_map(|e| e.metadata().ok()).filter(|m| m.is_file()).map(|m| m.len()).collect();
            let _ = sender.send(Done::FolderSize(sizes.len() as u64, sizes.iter().sum()));
            wake();
        });
    }
}

/// Wakes the window from another thread.
pub(super) fn waker(ctx: &egui::Context) -> Arc<dyn Fn() + Send + Sync> {
    let ctx = ctx.clone();
    Arc::new(move || ctx.request_repaint())
}

fn question(purpose: &FilePurpose) -> Question {
    let q =
        |title: &str, save: bool, name: &str| Question { title: title.into(), save, name: name.into(), filter: None };
    match purpose {
        FilePurpose::OpenCapture => q("Open a capture", false, ""),
        FilePurpose::SaveCapture => q("Save the capture as", true, "session.capture"),
        FilePurpose::Export { format: ExportFormat::Har, .. } => q("Export as HAR", true, "session.har"),
        FilePurpose::Export { format: ExportFormat::JsonLines, .. } => q("Export as JSON Lines", true, "session.jsonl"),
        FilePurpose::Export { format: ExportFormat::Transcript, .. } => {
            q("Export the transcript", true, "transcript.md")
        }
        FilePurpose::Attach(_) => q("Choose a file to attach", false, ""),
        FilePurpose::CaFile => q("Choose a file with certificate authorities (PEM)", false, ""),
    }
}

fn read(path: &Path) -> Result<Attachment, Report> {
    let failed = |e: String| {
        Report::new("file-unreadable", "The file could not be read", format!("{}: {e}", path.display()))
            .remedy("Check the path, and that you may read the file.")
    };
    let meta = std::fs::metadata(path).map_err(|e| failed(e.to_string()))?;
    if !meta.is_file() {
        return Err(failed("this is not a file".into()));
    }
    let file = std::fs::File::open(path).map_err(|e| failed(e.to_string()))?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|e| failed(e.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(failed(format!("it is larger than {}", crate::ui::format::bytes(LARGEST))));
    }
    let mime = mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream").to_owned();
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    Ok(Attachment { name, mime, bytes: bytes.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_with_their_kind_and_failures_name_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let png = dir.path().join("a b.png");
        std::fs::write(&png, b"x").unwrap();
        let file = read(&png).map_err(|r| r.text()).unwrap();
        assert_eq!((file.name.as_str(), file.mime.as_str(), file.bytes.len()), ("a b.png", "image/png", 1));
        for bad in [dir.path().to_owned(), dir.path().join("missing")] {
            let report = read(&bad).err().unwrap();
            assert_eq!(report.code, "file-unreadable");
            assert!(report.what.contains(&bad.display().to_string()));
        }
    }
}
