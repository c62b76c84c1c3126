//! Files: asking for them, reading and opening them on threads of their own.

use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::{App, FilePurpose};
use crate::dialect::Wish;
use crate::engine::{Command, ExportFormat, JobId, KeyOrder};
use crate::model::{Report, SessionId, Wall};
use crate::ui::app::Job;
use crate::ui::composer::Action;
use crate::ui::desk::in_talk;
use crate::ui::dialogs::PathDialog;
use crate::ui::picker::{Answer, Question};
use crate::ui::seams::Log;

/// Of captures.
const EXTENSION: &str = "sscope";

/// Attachments larger than this are not read into memory. The vendor's limit is far below.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What a thread of ours has finished.
pub enum Done {
    Opened(PathBuf, Result<Box<dyn Log>, Report>),
    Read(SessionId, String, Result<Attachment, Report>),
    FolderSize(u64, u64),
    Written(Result<PathBuf, Report>),
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
        let question = self.question(&purpose);
        self.picker.ask(question, waker(ctx));
        self.asked = Some(purpose);
    }

    fn question(&self, purpose: &FilePurpose) -> Question {
        let session = match purpose {
            FilePurpose::Export { session: Some(id), .. } | FilePurpose::ExportReport(id) => {
                self.log().board().session(*id).cloned()
            }
            _ => None,
        };
        let name = session.map(|view| self.mask.text(&self.book.name(&view)));
        let folder = self.captures.clone().filter(|_| *purpose == FilePurpose::OpenCapture);
        Question { folder, ..question(purpose, name.as_deref(), self.clock.now().wall, self.settings.utc) }
    }

    pub(super) fn take_files(&mut self, ctx: &egui::Context) {
        if let Some(answer) = self.picker.poll()
            && let Some(purpose) = self.asked.take()
        {
            match answer {
                Answer::Chosen(path) => self.file_chosen(purpose, path, ctx),
                Answer::Cancelled => {}
                Answer::Nobody(why) => self.path = Some(PathDialog::new(self.question(&purpose), purpose, why)),
            }
        }
        while let Ok(done) = self.done.try_recv() {
            match done {
                Done::Opened(path, Ok(log)) => self.show_saved(path, log),
                Done::Opened(path, Err(report)) => {
                    if report.code == "file-missing" {
                        self.settings.recent.retain(|r| *r != path);
                    }
                    self.toasts.report(report);
                }
                Done::Read(session, path, result) => self.attach(session, &path, result),
                Done::FolderSize(files, bytes) => self.folder_size = Some((files, bytes)),
                Done::Written(Ok(path)) => self.toasts.info(format!("Exported to {}", path.display())),
                Done::Written(Err(report)) => self.toasts.report(report),
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
                let from = self.saved_file();
                if self.send(Command::SaveCapture { job, from, to: path.clone() }) {
                    self.settings.remember(path);
                } else {
                    self.book.jobs.retain(|j| j.id != job);
                }
            }
            FilePurpose::Export { format, session } => {
                let job = self.job("Exporting");
                let from = self.saved_file();
                if !self.send(Command::Export { job, from, format, session, to: path }) {
                    self.book.jobs.retain(|j| j.id != job);
                }
            }
            FilePurpose::Attach(session) => {
                let composer = self.composer(session);
                composer.form_mut(Action::Attach).path = path.display().to_string();
            }
            FilePurpose::ImportKey { environment, kid, overlap } => {
                self.key_file(&environment, KeyOrder::ImportFile { kid, from: path, overlap });
            }
            FilePurpose::ExportKey { environment, kid, private: true } => {
                self.key_file(&environment, KeyOrder::ExportPrivate { kid, to: path });
            }
            FilePurpose::ExportKey { environment, kid, private: false } => {
                self.key_file(&environment, KeyOrder::ExportPublic { kid, to: path });
            }
            FilePurpose::ExportAudit => {
                let job = self.job("Exporting the audit log");
                if !self.send(Command::ExportAudit { job, to: path }) {
                    self.book.jobs.retain(|j| j.id != job);
                }
            }
            FilePurpose::ExportReport(session) => self.write_report(session, path, ctx),
            FilePurpose::CaFile => {
                if let Some(dialog) = &mut self.dialog {
                    dialog.ca_file(&path);
                }
            }
        }
    }

    /// Writes the final report of a session on a thread, masked as it is shown.
    fn write_report(&mut self, session: SessionId, to: PathBuf, ctx: &egui::Context) {
        let board = self.log().board();
        let Some(view) = board.session(session) else {
            return self.fail("no-session", "The report was not written", "The session is not in this capture.");
        };
        let at = if self.saved_log.is_some() { board.at.wall } else { self.clock.now().wall };
        let text = self.mask.text(&crate::projection::report::write(view, &self.book.name(view), at));
        let (sender, wake) = (self.sender.clone(), waker(ctx));
        let thread = std::thread::Builder::new().name("write-report".into()).spawn(move || {
            let written = crate::capture::export::to_file(&to, |out| {
                out.write_all(text.as_bytes()).map_err(|e| {
                    Report::new("export-failed", "The report was not written", format!("{}: {e}.", to.display()))
                        .remedy("Check that the disk has room and the folder can be written to.")
                })
            });
            let _ = sender.send(Done::Written(written.map(|()| to)));
            wake();
        });
        if let Err(e) = thread {
            self.fail("no-thread", "The report was not written", e.to_string());
        }
    }

    /// What a file is for in the keys of an environment.
    fn key_file(&mut self, environment_id: &str, order: KeyOrder) {
        let stored = self.settings.environment(environment_id).or_else(|| self.book.sandbox_environment()).cloned();
        let Some(environment) = stored.filter(|e| e.id == environment_id) else {
            return self.fail("no-environment", "The environment is gone", "It was deleted meanwhile.");
        };
        self.engine(Command::Keys { environment: Box::new(environment), order });
    }

    /// The file of the saved capture that is shown.
    fn saved_file(&self) -> Option<PathBuf> {
        self.saved_log.as_ref().and_then(|l| l.file().map(Path::to_owned))
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
        let odd = log.reader().map_or_else(String::new, |reader| reader.oddities().join("; "));
        if odd.is_empty() {
            self.toasts.info(format!("Opened {}", path.display()));
        } else {
            let what = format!("{}: {odd}.", path.display());
            self.toasts.report(Report::new("capture-odd", "Something is wrong with this capture", what));
        }
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
                let wish = self.talk_of(session).iter().fold(wish, |wish, talk| in_talk(wish, talk));
                match self.backend.send(Command::Wish { session, wish }) {
                    Ok(()) => {
                        let composer = self.composer(session);
                        let form = composer.form_mut(Action::Attach);
                        if form.path == path {
                            form.path.clear();
                        }
                        // The message that takes the file along is written there.
                        composer.action = Action::Text;
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
            let (mut captures, mut bytes) = (0, 0);
            for (file, meta) in files.filter_map(|e| Some((e.path(), e.metadata().ok().filter(|m| m.is_file())?))) {
                // What SQLite keeps beside a capture is a part of it.
                captures += u64::from(file.extension().is_some_and(|e| e == EXTENSION));
                bytes += meta.len();
            }
            let _ = sender.send(Done::FolderSize(captures, bytes));
            wake();
        });
    }
}

/// Wakes the window from another thread.
pub(super) fn waker(ctx: &egui::Context) -> Arc<dyn Fn() + Send + Sync> {
    let ctx = ctx.clone();
    Arc::new(move || ctx.request_repaint())
}

/// Names begin with the session where there is one, and bear the time: two exports of a day do not meet.
fn question(purpose: &FilePurpose, name: Option<&str>, at: Wall, utc: bool) -> Question {
    let stem = name.map(plain).filter(|n| !n.is_empty()).unwrap_or_else(|| "sessionscope".to_owned());
    let named = |ending: &str| format!("{stem}-{}.{ending}", stamp(at, utc));
    let kind =
        |name: &str, endings: &[&str]| Some((name.to_owned(), endings.iter().map(|e| (*e).to_owned()).collect()));
    let captures = kind("Sessionscope captures", &[EXTENSION]);
    let (title, save, ending, filter) = match purpose {
        FilePurpose::OpenCapture => ("Open a capture", false, "", captures),
        FilePurpose::SaveCapture => ("Save the capture as", true, EXTENSION, captures),
        FilePurpose::Export { format: ExportFormat::Har, .. } => {
            ("Export as HAR", true, "har", kind("HTTP archives", &["har"]))
        }
        FilePurpose::Export { format: ExportFormat::JsonLines, .. } => {
            ("Export as JSON Lines", true, "jsonl", kind("JSON Lines", &["jsonl"]))
        }
        FilePurpose::Export { format: ExportFormat::Transcript, .. } => {
            ("Export the transcript", true, "md", kind("Markdown", &["md"]))
        }
        FilePurpose::ImportKey { .. } => ("Choose a private key (PEM)", false, "", kind("Keys", &["pem", "key"])),
        FilePurpose::ExportKey { .. } => ("Export the key", true, "pem", kind("Keys", &["pem"])),
        FilePurpose::ExportReport(_) => ("Export the report", true, "md", kind("Markdown", &["md"])),
        FilePurpose::ExportAudit => ("Export the audit log", true, "jsonl", kind("JSON Lines", &["jsonl"])),
        FilePurpose::Attach(_) => ("Choose a file to attach", false, "", None),
        FilePurpose::CaFile => (
            "Choose a file with certificate authorities (PEM)",
            false,
            "",
            kind("Certificates", &["pem", "crt", "cer"]),
        ),
    };
    let name = match purpose {
        FilePurpose::ExportKey { kid, private, .. } => {
            format!("{kid}-{}.pem", if *private { "private" } else { "public" })
        }
        FilePurpose::ExportAudit => format!("audit-{}.{ending}", stamp(at, utc)),
        FilePurpose::ExportReport(_) => named(&format!("report.{ending}")),
        _ if save => named(ending),
        _ => String::new(),
    };
    Question { title: title.into(), save, folder: None, name, filter }
}

/// `20260106-132615`, which every file system takes.
fn stamp(at: Wall, utc: bool) -> String {
    let text = crate::ui::format::day_and_time(at, utc);
    let seconds = crate::ui::format::time_of_day(at, utc);
    let digits = |t: &str| t.chars().filter(char::is_ascii_digit).collect::<String>();
    format!("{}-{}", digits(text.get(..10).unwrap_or_default()), digits(seconds.get(..8).unwrap_or_default()))
}

/// Letters, digits and hyphens of a name, not too many.
fn plain(name: &str) -> String {
    let parts: Vec<String> =
        name.split(|c: char| !c.is_alphanumeric()).filter(|p| !p.is_empty()).map(str::to_lowercase).collect();
    parts.join("-").chars().take(40).collect()
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
    fn files_to_write_have_a_name_with_a_date_and_their_ending() {
        let at = Wall::from_secs(1_767_705_975);
        let ask = |purpose: &FilePurpose, name| question(purpose, name, at, true);
        let save = ask(&FilePurpose::SaveCapture, None);
        assert_eq!(save.name, "sessionscope-20260106-132615.sscope");
        assert_eq!(save.filter.unwrap().1, ["sscope"]);
        let har = FilePurpose::Export { format: ExportFormat::Har, session: Some(SessionId(1)) };
        assert_eq!(ask(&har, Some("Guest 1 / München: ../x")).name, "guest-1-münchen-x-20260106-132615.har");
        assert_eq!(ask(&har, Some("…")).filter.unwrap().1, ["har"]);
        let open = ask(&FilePurpose::OpenCapture, None);
        assert_eq!((open.name.as_str(), open.filter.unwrap().1), ("", vec!["sscope".to_owned()]));
    }

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
