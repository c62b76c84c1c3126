//! The last lines of the audit log. They are read on a thread: the file may lie on a slow disk.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use egui::text::{LayoutJob, TextFormat};
use egui::{Color32, Galley, Label, RichText, Role, Sense, TextEdit, Ui, UiBuilder, WidgetInfo, pos2};
use serde_json::{Map, Value};

use super::hint;
use crate::model::{Report, Wall};
use crate::ui::app::{Act, Acts, FilePurpose, Scene};
use crate::ui::format;
use crate::ui::seams::Audit;
use crate::ui::theme::{Tokens, font, space, tokens};
use crate::ui::widgets::{Icon, Scroller, Tone, Weight, button, copy_button, report_card, row_list};

/// So many of the last lines are shown.
const LINES: usize = 1_000;

#[derive(Default)]
pub struct AuditDialog {
    filter: String,
    lines: Vec<Line>,
    /// Places in `lines` that pass the filter.
    shown: Vec<usize>,
    bytes: u64,
    reading: Option<Receiver<Read>>,
    asked: bool,
    failed: Option<Report>,
    chosen: Option<usize>,
    scroller: Scroller,
    to_end: bool,
    /// What the lines were laid out for: fonts, theme and width.
    canary: Option<(Arc<Galley>, (bool, f32))>,
}

impl std::fmt::Debug for AuditDialog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditDialog").field("lines", &self.lines.len()).finish_non_exhaustive()
    }
}

/// What a look at the file found: its last lines and its size.
type Read = Result<(Vec<Line>, u64), Report>;

/// A line of the log. What is not as this program writes it is shown as it stands.
struct Line {
    raw: String,
    /// Small letters, for the filter.
    sought: String,
    time: Option<Wall>,
    who: String,
    what: String,
    outcome: String,
    rest: String,
    tone: Tone,
    laid: Option<Arc<Galley>>,
}

impl AuditDialog {
    pub fn paint(&mut self, ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) -> bool {
        let Some(audit) = scene.audit else {
            hint(ui, "No audit log is written in private mode: nothing of this run is kept on disk.");
            ui.add_space(space::NORMAL);
            return button(ui, None, "Close", Weight::Normal).clicked();
        };
        if !std::mem::replace(&mut self.asked, true) {
            self.read(audit, ui);
        }
        self.take();
        if let Some(report) = audit.trouble() {
            report_card(ui, &report, Tone::Red, None, false);
            ui.add_space(space::SMALL);
        }
        self.head(ui, audit, acts);
        if let Some(report) = &self.failed {
            report_card(ui, report, Tone::Red, None, false);
        }
        let height = (ui.ctx().content_rect().height() - 290.0).clamp(120.0, 520.0);
        let builder = UiBuilder::new().id_salt("lines");
        ui.scope_builder(builder, |ui| {
            ui.set_height(height);
            if self.shown.is_empty() {
                let text = match (self.reading.is_some(), self.lines.is_empty()) {
                    (true, _) => "Reading…",
                    (false, true) => "Nothing was written yet.",
                    (false, false) => "No line passes the filter.",
                };
                ui.centered_and_justified(|ui| ui.label(text));
            } else {
                self.list(ui, scene.settings.utc);
            }
        });
        self.detail(ui, acts);
        false
    }

    fn head(&mut self, ui: &mut Ui, audit: &Arc<dyn Audit>, acts: &mut Acts) {
        ui.horizontal_wrapped(|ui| {
            let path = audit.file().display().to_string();
            copy_button(ui, "Copy path of the audit log", || path.clone());
            ui.add(Label::new(RichText::new(&path).font(font::small_data())).truncate());
            ui.label(RichText::new(format::bytes(self.bytes)).font(font::small()));
        });
        hint(
            ui,
            "One line for each attempt, each change of state and of a token; for you only, with placeholders instead \
             of secrets.",
        );
        ui.horizontal_wrapped(|ui| {
            let edit = TextEdit::singleline(&mut self.filter).hint_text("Filter: words, all must occur");
            let edit = edit.desired_width((ui.available_width() - 260.0).clamp(140.0, 360.0));
            if ui.add(edit).accessible_name("Filter the audit log").changed() {
                self.choose();
            }
            let busy = self.reading.is_some();
            ui.add_enabled_ui(!busy, |ui| {
                if button(ui, Some(Icon::Refresh), "Refresh", Weight::Normal).clicked() {
                    self.read(audit, ui);
                }
            });
            if button(ui, Some(Icon::Save), "Export…", Weight::Normal).clicked() {
                acts.push(Act::AskFile(FilePurpose::ExportAudit));
            }
            let all = format::plural(self.lines.len() as u64, "line", "lines");
            let text = match self.shown.len() == self.lines.len() {
                true if self.lines.len() == LINES => format!("the last {all}"),
                true => all,
                false => format!("{} of {all}", format::count(self.shown.len() as u64)),
            };
            ui.label(RichText::new(text).font(font::small()));
        });
        ui.add_space(space::TIGHT);
    }

    fn list(&mut self, ui: &mut Ui, utc: bool) {
        let t = tokens(ui);
        let canary = ui.painter().layout_no_wrap("0123456789:".to_owned(), font::small_data(), Color32::PLACEHOLDER);
        let now = (t.dark, ui.available_width());
        let same = self.canary.as_ref().is_some_and(|(old, then)| Arc::ptr_eq(old, &canary) && *then == now);
        if !same {
            self.lines.iter_mut().for_each(|l| l.laid = None);
            self.canary = Some((canary, now));
        }
        if std::mem::take(&mut self.to_end) {
            let rows = self.shown.len() as u64;
            self.scroller.to_end(&crate::ui::widgets::Extent {
                rows,
                row_height: space::ROW,
                view_height: ui.available_height(),
            });
        }
        let (lines, shown, chosen) = (&mut self.lines, &self.shown, &mut self.chosen);
        let count = shown.len() as u64;
        row_list(ui, &mut self.scroller, "Audit lines", Role::List, count, space::ROW, |ui, row, rect| {
            let Some(place) = shown.get(row as usize).copied() else { return };
            let Some(line) = lines.get_mut(place) else { return };
            let response = ui.interact(rect, ui.scope_id().with(("line", place)), Sense::click());
            response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, *chosen == Some(place), line.spoken()));
            if response.clicked() {
                *chosen = if *chosen == Some(place) { None } else { Some(place) };
            }
            let fill = match (*chosen == Some(place), response.hovered(), row % 2) {
                (true, ..) => Some(t.surface.selected),
                (_, true, _) => Some(t.surface.hover),
                (.., 1) => Some(t.surface.stripe),
                _ => None,
            };
            if let Some(fill) = fill {
                ui.painter().rect_filled(rect, 0, fill);
            }
            let ink = line.tone.ink(ui);
            if line.laid.is_none() {
                let mut job = parts(line, utc, ink, t);
                job.wrap = egui::text::TextWrapping::truncate_at_width(rect.width() - 2.0 * space::TIGHT);
                line.laid = Some(ui.painter().layout_job(job));
            }
            let Some(galley) = line.laid.clone() else { return };
            let at = pos2(rect.left() + space::TIGHT, rect.center().y - galley.size().y / 2.0);
            ui.painter().with_clip_rect(rect.intersect(ui.clip_rect())).galley(at, galley, Color32::PLACEHOLDER);
        });
    }

    /// The whole of the chosen line.
    fn detail(&mut self, ui: &mut Ui, acts: &mut Acts) {
        let Some(line) = self.chosen.and_then(|n| self.lines.get(n)) else { return };
        ui.add_space(space::TIGHT);
        ui.horizontal_top(|ui| {
            if button(ui, Some(Icon::Copy), "Copy line", Weight::Quiet).clicked() {
                acts.push(Act::Copy(line.raw.clone()));
            }
            ui.add(Label::new(RichText::new(format::shown(&line.raw)).font(font::small_data())).wrap());
        });
    }

    fn read(&mut self, audit: &Arc<dyn Audit>, ui: &Ui) {
        let (sender, receiver) = sync_channel(1);
        let (audit, ctx) = (audit.clone(), ui.ctx().clone());
        let thread = std::thread::Builder::new().name("audit-tail".into()).spawn(move || {
            let read = audit.tail(LINES).map(|(lines, bytes)| (lines.into_iter().map(Line::read).collect(), bytes));
            let _ = sender.send(read);
            ctx.request_repaint();
        });
        match thread {
            Ok(_) => self.reading = Some(receiver),
            Err(e) => self.failed = Some(Report::new("no-thread", "The audit log could not be read", e.to_string())),
        }
    }

    fn take(&mut self) {
        match self.reading.as_ref().map(Receiver::try_recv) {
            Some(Ok(read)) => {
                self.reading = None;
                self.failed = None;
                match read {
                    Ok((lines, bytes)) => {
                        (self.lines, self.bytes) = (lines, bytes);
                        self.chosen = None;
                        self.choose();
                    }
                    Err(report) => self.failed = Some(report),
                }
            }
            Some(Err(TryRecvError::Disconnected)) => self.reading = None,
            Some(Err(TryRecvError::Empty)) | None => {}
        }
    }

    /// Which lines pass the filter; the newest come into view.
    fn choose(&mut self) {
        let filter = self.filter.to_lowercase();
        let words: Vec<&str> = filter.split_whitespace().collect();
        let passes = |line: &Line| words.iter().all(|w| line.sought.contains(w));
        self.shown = self.lines.iter().enumerate().filter(|(_, l)| passes(l)).map(|(n, _)| n).collect();
        self.chosen = self.chosen.filter(|n| self.shown.contains(n));
        self.to_end = true;
    }
}

/// A line of the list, its outcome in the ink of its tone.
fn parts(line: &Line, utc: bool, ink: Color32, t: &Tokens) -> LayoutJob {
    let mut job = LayoutJob::default();
    let mut put = |text: &str, id: egui::FontId, ink: Color32, columns: usize| {
        // Columns of a fixed count of letters, in the font whose letters are alike.
        let text = format::shown(text);
        let mut cut: String = text.chars().take(columns).collect();
        if cut.len() < text.len() {
            cut.pop();
            cut.push('…');
        }
        let pad = columns.saturating_sub(cut.chars().count());
        job.append(&cut, 0.0, TextFormat::simple(id.clone(), ink));
        job.append(&" ".repeat(pad + 2), 0.0, TextFormat::simple(id, ink));
    };
    let time = line.time.map_or_else(String::new, |at| format::time_of_day(at, utc));
    put(&time, font::small_data(), t.text.weak, 12);
    put(&line.who, font::small_data(), t.text.normal, 14);
    put(&line.what, font::small_data(), t.text.strong, 20);
    put(&line.outcome, font::small_data(), ink, 12);
    job.append(&format::shown(&line.rest), 0.0, TextFormat::simple(font::small_data(), t.text.normal));
    job
}

impl Line {
    fn read(raw: String) -> Self {
        let mut out = Self {
            sought: raw.to_lowercase(),
            raw,
            time: None,
            who: String::new(),
            what: String::new(),
            outcome: String::new(),
            rest: String::new(),
            tone: Tone::Plain,
            laid: None,
        };
        match serde_json::from_str::<Map<String, Value>>(&out.raw) {
            Ok(map) => out.told(map),
            Err(_) => out.rest.clone_from(&out.raw),
        }
        out
    }

    fn told(&mut self, mut map: Map<String, Value>) {
        let mut word = |name: &str| match map.remove(name) {
            Some(Value::String(s)) => s,
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        self.time = Wall::parse_rfc3339(&word("time"));
        let (session, name) = (word("session"), word("name"));
        self.who = if name.is_empty() { session } else { name };
        let event = word("event");
        (self.what, self.outcome) = match event.as_str() {
            "attempt" => (word("action"), word("status")),
            "state" => ("state".to_owned(), word("state")),
            "token" => (word("what"), word("change")),
            _ => (event, String::new()),
        };
        self.tone = match self.outcome.as_str() {
            "failed" | "refused" => Tone::Red,
            "retry" | "expired" | "reconnecting" => Tone::Amber,
            "success" | "ready" => Tone::Ok,
            "ended" | "forgotten" => Tone::Dead,
            _ => Tone::Plain,
        };
        let (http, latency, error) = (word("httpStatus"), word("latencyMs"), word("error"));
        let parts = [
            if http.is_empty() { String::new() } else { format!("HTTP {http}") },
            latency.parse::<f64>().ok().map_or_else(String::new, |ms| format::span((ms * 1e3) as u64)),
            error,
            word("detail"),
            word("why"),
        ];
        // What stands in a place of its own, or with every line of a session, is not told again.
        for gone in ["dialect", "environment"] {
            word(gone);
        }
        let mut rest: Vec<String> = parts.into_iter().filter(|p| !p.is_empty()).collect();
        rest.extend(map.iter().map(|(k, v)| match v {
            Value::String(s) => format!("{k} {s}"),
            other => format!("{k} {other}"),
        }));
        self.rest = rest.join(" · ");
    }

    fn spoken(&self) -> String {
        let parts = [&self.who, &self.what, &self.outcome, &self.rest];
        parts.into_iter().filter(|p| !p.is_empty()).map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_in_their_places_and_what_is_strange_stands_as_it_is() {
        let raw = r#"{"time":"2026-01-06T13:26:15.174Z","session":3,"name":"Guest 1","dialect":"session-token",
            "event":"attempt","action":"message.send","status":"failed","httpStatus":401,"latencyMs":12.3,
            "error":"Session token is invalid or expired","errorCategory":"auth","attempt":1}"#;
        let line = Line::read(raw.replace('\n', " "));
        assert_eq!(
            line.spoken(),
            "Guest 1, message.send, failed, HTTP 401 · 12 ms · Session token is invalid or expired · attempt 1 · \
             errorCategory auth"
        );
        assert_eq!((line.tone, line.time.is_some()), (Tone::Red, true));
        for strange in ["", "{", "[1]", "not JSON at all", r#"{"time":7}"#] {
            assert!(Line::read(strange.into()).spoken().contains(if strange == r#"{"time":7}"# {
                ""
            } else {
                strange
            }));
        }
    }

    #[test]
    fn all_words_of_the_filter_must_occur() {
        let mut dialog = AuditDialog {
            lines: ["a one", "B one", "two"].map(|l| Line::read(l.into())).into(),
            ..AuditDialog::default()
        };
        for (filter, shown) in [("", vec![0, 1, 2]), ("ONE b", vec![1]), ("three", vec![])] {
            dialog.filter = filter.into();
            dialog.choose();
            assert_eq!(dialog.shown, shown);
        }
    }
}
