//! Feeds the inspector: the selected record, what it belongs to, what to compare it with.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use egui::Ui;
use serde_json::Value;

use super::app::{Act, Acts, Scene};
use super::inspector::{Inspector, InspectorEvent, InspectorHost, Link, Subject, Tab};
use super::widgets::{Tone, report_card};
use crate::capture::Reader;
use crate::dialect::{self, Line};
use crate::model::{DialectId, Record, Report, Secret, Wall};

/// So many records before one are looked at for another of its kind.
const LOOK_BACK: u64 = 400;

#[derive(Default)]
pub struct InspectorPane {
    inspector: Inspector,
    shown: Option<Shown>,
    failed: Option<Report>,
    other: Option<Record>,
    /// Compare with the one before of its kind, as soon as the record is read.
    want_other: bool,
    belonging: Belonging,
    related: Option<Related>,
    identity: u64,
}

/// What belongs to the record shown.
#[derive(Default)]
struct Belonging {
    chain: Vec<Link>,
    searched_to: Option<u64>,
}

struct Shown {
    record: Record,
    line: Line,
    identity: u64,
}

impl InspectorPane {
    /// Another capture is shown.
    pub fn other_log(&mut self) {
        self.identity += 1;
        self.shown = None;
        self.other = None;
        self.related = None;
    }

    /// Shows the explanation of what is selected.
    pub fn explain(&mut self) {
        self.inspector.tab = Tab::Why;
    }

    /// Shows the difference; with `find`, to the record before of the same kind.
    pub fn compare(&mut self, find: bool) {
        self.inspector.tab = Tab::Diff;
        self.want_other = find;
    }

    pub fn paint(&mut self, ui: &mut Ui, reader: Option<&Reader>, scene: &Scene<'_>, acts: &mut Acts) {
        if let Some(reader) = reader {
            self.follow(reader, scene, ui.ctx());
        }
        if let Some(report) = &self.failed {
            report_card(ui, report, Tone::Red, None, false);
            return;
        }
        let subject = self.shown.as_ref().map(|s| Subject {
            record: &s.record,
            line: &s.line,
            other: self.other.as_ref(),
            chain: &self.belonging.chain,
            searched_to: self.belonging.searched_to,
            finding: scene.board.finding(s.record.session, s.record.seq).map(AsRef::as_ref),
            lints: scene.board.view(s.record.session).map(|v| v.lints.as_ref()),
        });
        let mut host = Host { scene };
        for event in self.inspector.show(ui, subject.as_ref(), &mut host) {
            match event {
                InspectorEvent::GoTo(seq) => acts.push(Act::Select(vec![seq])),
                InspectorEvent::FilterBy(text) => acts.push(Act::Filter(text)),
                InspectorEvent::Copy(text) => acts.push(Act::Copy(text)),
                InspectorEvent::CopySecret(placeholder) => acts.push(Act::CopySecret(placeholder)),
                InspectorEvent::ChooseOther => {
                    acts.push(Act::Info(
                        "Hold Shift and move or click in the records to select the second one.".into(),
                    ));
                }
                InspectorEvent::ClearOther => self.other = None,
            }
        }
    }

    /// Reads what is selected now, and looks for what belongs to it on a thread.
    fn follow(&mut self, reader: &Reader, scene: &Scene<'_>, ctx: &egui::Context) {
        let lead = scene.selection.lead();
        let known = self.shown.as_ref().filter(|s| s.identity == self.identity).map(|s| s.record.seq);
        if lead != known {
            self.read(reader, lead, scene, ctx);
        }
        let second = match scene.selection.seqs() {
            [other, lead] if Some(*lead) == self.shown.as_ref().map(|s| s.record.seq) => Some(*other),
            _ => None,
        };
        if let Some(seq) = second
            && self.other.as_ref().map(|r| r.seq) != Some(seq)
        {
            self.other = reader.record(seq).ok().flatten();
        }
        if std::mem::take(&mut self.want_other)
            && second.is_none()
            && let Some(shown) = &self.shown
        {
            self.other = before(reader, &shown.record);
        }
        if let (Some(related), Some(shown)) = (&mut self.related, &self.shown)
            && let Some(found) = related.poll(shown.record.seq)
        {
            self.belonging = found;
        }
    }

    fn read(&mut self, reader: &Reader, seq: Option<u64>, scene: &Scene<'_>, ctx: &egui::Context) {
        self.shown = None;
        self.failed = None;
        self.other = None;
        self.belonging = Belonging::default();
        let Some(seq) = seq else { return };
        match reader.record(seq) {
            Ok(Some(record)) => {
                let line = dialect::line(&record);
                if self.related.is_none() {
                    self.related = Related::start(reader, ctx);
                }
                if let Some(related) = &mut self.related {
                    related.wanted = Some((record.clone(), dialect_of(scene, &record)));
                }
                self.shown = Some(Shown { record, line, identity: self.identity });
            }
            // Appended and not committed yet: the next frame tries again.
            Ok(None) => {}
            Err(report) => self.failed = Some(report),
        }
    }
}

/// The dialect of the session that a record belongs to.
fn dialect_of(scene: &Scene<'_>, record: &Record) -> DialectId {
    let start = scene.board.session(record.session).and_then(|view| view.start.as_ref());
    start.map(|s| s.dialect).unwrap_or_default()
}

/// Finds requests and answers that belong to a record, on a thread with a reader of its own: it may take some ten
/// milliseconds.
struct Related {
    /// To be asked for as soon as the thread has done with the one before.
    wanted: Option<(Record, DialectId)>,
    ask: Option<SyncSender<(Record, DialectId)>>,
    found: Option<Receiver<(u64, Belonging)>>,
    thread: Option<JoinHandle<()>>,
}

impl Related {
    fn start(reader: &Reader, ctx: &egui::Context) -> Option<Self> {
        let reader = reader.again().ok()?;
        let ctx = ctx.clone();
        let (ask, asked) = sync_channel::<(Record, DialectId)>(1);
        let (tell, found) = sync_channel(1);
        let work = move || {
            while let Ok(asked_for) = asked.recv() {
                let (record, dialect) = asked.try_iter().last().unwrap_or(asked_for);
                let found = crate::projection::causality::related(&reader, dialect, &record);
                let found = found.unwrap_or_default();
                let seqs: Vec<u64> = found.records.iter().map(|r| r.seq).collect();
                let chain = reader.records(&seqs, 4096).unwrap_or_default().iter().map(link).collect();
                if tell.send((record.seq, Belonging { chain, searched_to: found.searched_to })).is_err() {
                    return;
                }
                ctx.request_repaint();
            }
        };
        let thread = std::thread::Builder::new().name("related".into()).spawn(work).ok()?;
        Some(Self { wanted: None, ask: Some(ask), found: Some(found), thread: Some(thread) })
    }

    /// What belongs to this record, once, when it is found. What was found for another is of no use any more.
    fn poll(&mut self, seq: u64) -> Option<Belonging> {
        let found = self.found.as_ref()?.try_iter().filter(|(of, _)| *of == seq).last().map(|(_, found)| found);
        if let (Some(record), Some(ask)) = (self.wanted.take(), &self.ask)
            && let Err(TrySendError::Full(wanted)) = ask.try_send(record)
        {
            self.wanted = Some(wanted);
        }
        found
    }
}

/// Its reader must be closed before the capture is.
impl Drop for Related {
    fn drop(&mut self) {
        // Without its ends of the channels the thread has nothing more to do.
        self.ask = None;
        self.found = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn link(record: &Record) -> Link {
    let line = dialect::line(record);
    let title = if line.text.is_empty() { line.name } else { format!("{} {}", line.name, line.text) };
    Link { seq: record.seq, at: record.at, direction: record.direction, title }
}

/// The newest record before this one that is of its kind and says the same sort of thing.
fn before(reader: &Reader, record: &Record) -> Option<Record> {
    let name = dialect::line(record).name;
    let from = record.seq.saturating_sub(LOOK_BACK).max(1);
    let seqs: Vec<u64> = (from..record.seq).collect();
    let found = reader.records(&seqs, 2048).ok()?.into_iter().rev().find(|r| {
        r.kind == record.kind
            && r.direction == record.direction
            && r.session == record.session
            && dialect::line(r).name == name
    })?;
    reader.record(found.seq).ok().flatten()
}

struct Host<'a> {
    scene: &'a Scene<'a>,
}

impl InspectorHost for Host<'_> {
    fn reveal(&mut self, placeholder: &str) -> Option<Secret<String>> {
        let value = self.scene.mask.reveal(placeholder);
        (value.expose() != placeholder).then_some(value)
    }

    fn claims(&mut self, placeholder: &str) -> Option<Value> {
        let all = self.scene.board.sessions.iter().chain(std::iter::once(&self.scene.board.general));
        let views: Vec<Arc<_>> = all.cloned().collect();
        views
            .iter()
            .flat_map(|v| v.clocks.iter())
            .find(|c| c.fact.token.as_deref() == Some(placeholder) && c.fact.claims.is_some())
            .and_then(|c| c.fact.claims.clone())
    }

    fn server_now(&self) -> Wall {
        let view = self.scene.session.unwrap_or(&self.scene.board.general);
        view.server_now(self.scene.now)
    }

    fn zone(&self) -> jiff::tz::TimeZone {
        if self.scene.settings.utc { jiff::tz::TimeZone::UTC } else { jiff::tz::TimeZone::system() }
    }
}
