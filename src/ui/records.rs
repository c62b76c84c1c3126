//! The pane of records: the table over what the capture, the filter and the lanes leave.

use std::collections::HashSet;
use std::sync::Arc;

use egui::{Event, Key, Modifiers, Ui};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::app::{Act, Acts, Scene};
use super::commands::SAVED;
use super::dialogs::Dialog;
use super::table::{Columns, FilterBox, RecordSource, RecordTable, Show, TableEvent};
use super::widgets::{Icon, empty_state};
use crate::capture::{Filter, Reader, Rows, Search};
use crate::dialect::Line;
use crate::model::{Record, Report, SessionId};
use crate::projection::Board;
use crate::projection::knowledge::rule::Weight;

/// Payload bytes read for a row: of nearly all frames the whole, so that they can be told in a line.
const PREVIEW: usize = 16 << 10;

/// Head and a row need so much.
const LEAST: f32 = 60.0;

/// What of the pane survives a restart.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    filter: String,
    show: Show,
    columns: Columns,
}

/// State of the pane.
#[derive(Default)]
pub struct RecordsPane {
    pub table: RecordTable,
    filter: FilterBox,
    search: Option<Search>,
    /// The filter at work, as text; none before the first.
    applied: Option<String>,
    rows: Rows,
    identity: u64,
    /// Keys pressed by a menu or the palette in the table's stead.
    keys: Vec<Key>,
    want_filter: bool,
}

impl RecordsPane {
    pub fn restored(kept: &Value) -> Self {
        let kept: Kept = serde_json::from_value(kept.clone()).unwrap_or_default();
        let mut pane = Self::default();
        pane.table.show = kept.show;
        pane.table.columns = kept.columns;
        pane.filter.text = kept.filter;
        pane
    }

    /// What shall survive. `mask` replaces secrets: who looks for a token types it into the filter.
    pub fn kept(&self, mask: &dyn Fn(&str) -> String) -> Value {
        let kept = Kept { filter: mask(&self.filter.text), show: self.table.show, columns: self.table.columns.clone() };
        serde_json::to_value(kept).unwrap_or(Value::Null)
    }

    /// Another capture is shown.
    pub fn other_log(&mut self) {
        self.identity += 1;
        self.search = None;
        self.applied = None;
        self.rows = Rows::None;
        self.table.clear_selection();
        self.table.follow_tail();
    }

    /// Puts the keyboard into the filter at the next paint.
    pub fn find(&mut self) {
        self.want_filter = true;
    }

    pub fn set_filter(&mut self, text: String) {
        self.filter.text = text;
        self.applied = None;
    }

    /// Presses a key of the table from elsewhere.
    pub fn press(&mut self, key: Key) {
        self.keys.push(key);
    }

    pub fn toggle_noise(&mut self) {
        self.table.show.noise = !self.table.show.noise;
        self.applied = None;
    }

    /// Brings a record that was selected elsewhere into view.
    pub fn select(&mut self, seq: Option<u64>) {
        match seq {
            Some(seq) => self.table.select(seq, &self.rows),
            None => self.table.clear_selection(),
        }
    }

    /// Paints bar and table; `lead` paints what stands before the bar. `over` is true under a dialog: the keyboard is
    /// not the table's then.
    pub fn paint(
        &mut self,
        ui: &mut Ui,
        lead: &mut dyn FnMut(&mut Ui),
        reader: Option<&Reader>,
        scene: &Scene<'_>,
        over: bool,
        acts: &mut Acts,
    ) {
        let Some(reader) = reader else {
            lead(ui);
            empty_state(ui, Icon::Bubble, "No records to read", "This view has no capture behind it.", &[]);
            return;
        };
        self.table.zone = if scene.settings.utc { jiff::tz::TimeZone::UTC } else { jiff::tz::TimeZone::system() };
        self.table.read_only = scene.situation.saved.then_some(SAVED);
        self.refresh(reader, ui.ctx());
        let held = over.then(|| ui.ctx().input_mut(|i| std::mem::take(&mut i.events)));
        if !self.keys.is_empty() {
            let id = self.table.focus_id();
            ui.memory_mut(|m| m.request_focus(id));
            let keys = std::mem::take(&mut self.keys);
            ui.ctx().input_mut(|i| i.events.extend(keys.into_iter().map(press)));
        }
        let noise = reader.noise(None);
        let mut events = self.table.bar(ui, lead, &mut self.filter, &self.rows, (reader.len(), noise));
        if std::mem::take(&mut self.want_filter) {
            let id = self.table.filter_id();
            ui.memory_mut(|m| m.request_focus(id));
        }
        if ui.available_height() < LEAST {
            ui.label("Drag the edge up to see records.");
        } else if self.rows.is_empty() {
            self.nothing(ui, reader);
        } else {
            let lit: HashSet<u64> = scene.selection.seqs().iter().copied().collect();
            let mut source =
                Source { reader, rows: &self.rows, board: scene.board, lit: &lit, identity: self.identity };
            events.extend(self.table.show(ui, &mut source));
        }
        if let Some(held) = held {
            ui.ctx().input_mut(|i| i.events = held);
        }
        for event in events {
            self.event(event, scene, acts);
        }
    }

    fn nothing(&self, ui: &mut Ui, reader: &Reader) {
        if reader.is_empty() {
            empty_state(ui, Icon::Bubble, "No records yet", "Open a session: every frame will stand here.", &[]);
        } else if self.filter.busy.is_some() {
            ui.centered_and_justified(|ui| ui.label("Searching…"));
        } else {
            let keys = [("Change the filter", "Ctrl+F")];
            empty_state(ui, Icon::Filter, "Nothing fits", "No record passes the filter and the lanes.", &keys);
        }
    }

    fn event(&mut self, event: TableEvent, scene: &Scene<'_>, acts: &mut Acts) {
        match event {
            TableEvent::Select(seq) => acts.push(Act::SelectedInTable(seq.into_iter().collect())),
            TableEvent::SelectTwo(a, b) => acts.push(Act::SelectedInTable(vec![b, a])),
            TableEvent::Open(seq) => acts.push(Act::Inspect(seq)),
            TableEvent::Mark(seq) => acts.push(Act::Mark(seq)),
            TableEvent::Note(_) if scene.situation.saved => acts.push(Act::Info(SAVED.into())),
            TableEvent::Note(seq) => {
                let session = scene.session.map_or(SessionId::NONE, |s| s.id);
                acts.push(Act::Open(Box::new(Dialog::note(session, seq))));
            }
            TableEvent::Diff(a, b) => acts.push(Act::Diff(a, b)),
            TableEvent::Copy(text) => acts.push(Act::Copy(text)),
            TableEvent::ShowChanged | TableEvent::FilterChanged => self.applied = None,
            TableEvent::CancelSearch => {
                self.search = None;
                self.filter.busy = None;
            }
            TableEvent::TimeZero(_) | TableEvent::FollowChanged(_) => {}
        }
    }

    /// Brings the rows up to date; starts a search where the filter changed.
    fn refresh(&mut self, reader: &Reader, ctx: &egui::Context) {
        let wanted = self.wanted();
        if self.applied.as_ref() != Some(&wanted) {
            self.apply(reader, ctx, wanted);
        }
        if let Some(search) = &self.search {
            let status = search.status();
            self.filter.busy = (status.done < status.total).then_some((status.done, status.total));
            if let Some(report) = status.failed {
                self.filter.error = Some(report.what);
            }
            self.rows = status.rows;
        } else if wanted_is_all(&self.table.show, &self.filter.text) {
            self.rows = reader.rows(None, self.table.show.noise);
        }
    }

    /// Filter and lanes as one text in the filter language, with the folding before it.
    fn wanted(&self) -> String {
        let show = &self.table.show;
        let noise = if show.noise { "+" } else { "-" };
        format!("{noise}{}", with_lanes(show, &self.filter.text))
    }

    fn apply(&mut self, reader: &Reader, ctx: &egui::Context, wanted: String) {
        self.filter.error = None;
        self.filter.busy = None;
        let text = self.filter.text.trim();
        if let Err(e) = Filter::parse(text) {
            // The rows of the last good filter stay while this one is being written.
            self.filter.error = Some(format!("{e}. The rows are those of the filter before."));
            self.applied = Some(wanted);
            return;
        }
        self.search = None;
        if !wanted_is_all(&self.table.show, text) {
            let started = Filter::parse(&with_lanes(&self.table.show, text))
                .map_err(|e| Report::new("bad-filter", "The filter cannot be read", e.to_string()))
                .and_then(|f| {
                    let ctx = ctx.clone();
                    reader.search(f, (None, self.table.show.noise), Arc::new(move || ctx.request_repaint()))
                });
            match started {
                Ok(search) => self.search = Some(search),
                Err(report) => self.filter.error = Some(report.what),
            }
        }
        self.applied = Some(wanted);
    }
}

fn wanted_is_all(show: &Show, text: &str) -> bool {
    show.http && show.socket && show.lifecycle && text.trim().is_empty()
}

fn with_lanes(show: &Show, text: &str) -> String {
    let lanes: Vec<&str> = [(show.http, "http"), (show.socket, "socket"), (show.lifecycle, "lifecycle")]
        .into_iter()
        .filter_map(|(on, name)| on.then_some(name))
        .collect();
    let text = text.trim();
    match (lanes.len(), text.is_empty()) {
        (3, _) => text.to_owned(),
        // No lane at all: nothing is in the log under zero.
        (0, _) => "seq:0-0".to_owned(),
        (_, true) => format!("lane:{}", lanes.join(",")),
        (_, false) => format!("lane:{} ({text})", lanes.join(",")),
    }
}

fn press(key: Key) -> Event {
    Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers: Modifiers::NONE }
}

struct Source<'a> {
    reader: &'a Reader,
    rows: &'a Rows,
    board: &'a Board,
    lit: &'a HashSet<u64>,
    identity: u64,
}

impl RecordSource for Source<'_> {
    fn rows(&self) -> Rows {
        self.rows.clone()
    }

    fn fetch(&mut self, seqs: &[u64]) -> Result<Vec<Record>, Report> {
        self.reader.records(seqs, PREVIEW)
    }

    fn heads(&mut self, seqs: &[u64]) -> Result<Vec<Record>, Report> {
        self.reader.records(seqs, 0)
    }

    fn line(&self, record: &Record) -> Line {
        crate::dialect::line(record)
    }

    fn identity(&self) -> u64 {
        self.identity
    }

    fn is_marked(&self, seq: u64) -> bool {
        self.board.marks.contains(&seq)
    }

    fn note(&self, seq: u64) -> Option<&str> {
        self.board.notes.get(&seq).and_then(|n| n.last()).map(|(_, text)| text.as_str())
    }

    fn lint(&self, session: SessionId, seq: u64) -> Option<Weight> {
        self.board.view(session).filter(|v| v.lints.told > 0)?.lints.weight(seq)
    }

    fn is_lit(&self, seq: u64) -> bool {
        self.lit.contains(&seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_and_text_make_one_filter_that_can_be_read() {
        let all = Show::default();
        assert_eq!(with_lanes(&all, " a "), "a");
        let socket = Show { http: false, lifecycle: false, ..all };
        assert_eq!(with_lanes(&socket, ""), "lane:socket");
        assert_eq!(with_lanes(&socket, "a or b"), "lane:socket (a or b)");
        let none = Show { socket: false, ..socket };
        for show in [all, socket, none] {
            for text in ["", "a or b", "kind:text -x"] {
                Filter::parse(&with_lanes(&show, text)).unwrap();
            }
        }
    }

    #[test]
    fn filter_lanes_and_columns_survive() {
        let mut pane = RecordsPane::default();
        pane.filter.text = "kind:text".into();
        pane.table.show.http = false;
        let back = RecordsPane::restored(&pane.kept(&str::to_owned));
        assert_eq!(back.filter.text, "kind:text");
        assert!(!back.table.show.http);
        assert_eq!(RecordsPane::restored(&Value::from(7)).filter.text, "");
    }
}
