//! Feeds the inspector: the selected record, what it belongs to, what to compare it with.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

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
    chain: Vec<Link>,
    looking: Option<Receiver<Vec<Link>>>,
    identity: u64,
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
            chain: &self.chain,
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
            self.read(reader, lead, ctx);
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
        if let Some(looking) = &self.looking {
            match looking.try_recv() {
                Ok(chain) => {
                    self.chain = chain;
                    self.looking = None;
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => self.looking = None,
            }
        }
    }

    fn read(&mut self, reader: &Reader, seq: Option<u64>, ctx: &egui::Context) {
        self.shown = None;
        self.failed = None;
        self.other = None;
        self.chain.clear();
        self.looking = None;
        let Some(seq) = seq else { return };
        match reader.record(seq) {
            Ok(Some(record)) => {
                let line = dialect::line(DialectId::WebMessaging, &record);
                self.looking = look(reader, &record, ctx);
                self.shown = Some(Shown { record, line, identity: self.identity });
            }
            // Appended and not committed yet: the next frame tries again.
            Ok(None) => {}
            Err(report) => self.failed = Some(report),
        }
    }
}

/// Finds requests and answers that belong to a record. It may take some ten milliseconds, so not here.
fn look(reader: &Reader, record: &Record, ctx: &egui::Context) -> Option<Receiver<Vec<Link>>> {
    let reader = reader.again().ok()?;
    let (record, ctx) = (record.clone(), ctx.clone());
    let (sender, receiver) = sync_channel(1);
    let work = move || {
        let chain =
            crate::projection::causality::related(&reader, DialectId::WebMessaging, &record).unwrap_or_default();
        let seqs: Vec<u64> = chain.records.iter().map(|r| r.seq).collect();
        let links = reader.records(&seqs, 4096).unwrap_or_default().iter().map(link).collect();
        // The asker may have gone on to another record.
        let _ = sender.try_send(links);
        ctx.request_repaint();
    };
    std::thread::Builder::new().name("related".into()).spawn(work).ok().map(|_| receiver)
}

fn link(record: &Record) -> Link {
    let line = dialect::line(DialectId::WebMessaging, record);
    let title = if line.text.is_empty() { line.name } else { format!("{} {}", line.name, line.text) };
    Link { seq: record.seq, at: record.at, direction: record.direction, title }
}

/// The newest record before this one that is of its kind and says the same sort of thing.
fn before(reader: &Reader, record: &Record) -> Option<Record> {
    let name = dialect::line(DialectId::WebMessaging, record).name;
    let from = record.seq.saturating_sub(LOOK_BACK).max(1);
    let seqs: Vec<u64> = (from..record.seq).collect();
    let found = reader.records(&seqs, 2048).ok()?.into_iter().rev().find(|r| {
        r.kind == record.kind
            && r.direction == record.direction
            && r.session == record.session
            && dialect::line(DialectId::WebMessaging, r).name == name
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
