//! The inspector's frame: title, tabs, and what each tab is given.

use std::sync::Arc;

use egui::{RichText, Role, Ui, UiBuilder};
use serde::{Deserialize, Serialize};

use super::diff::DiffView;
use super::head::Head;
use super::host::{InspectorEvent, InspectorHost, Subject};
use super::job::{Job, Poll};
use super::json::{JsonError, Tree, parse};
use super::reveal::{Desk, Revealed};
use super::text::{HexView, TextView};
use super::timing;
use super::token::TokenView;
use super::tree::TreeView;
use super::why;
use crate::model::fact::Fact;
use crate::model::record::Lane;
use crate::model::{Flags, Record, Report};
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{
    Icon, Tone, Weight, badge, button, direction_icon, empty_state, format, icon_button, progress, report_card,
    segmented, tab_row,
};

/// Payloads up to this length are parsed at once.
const AT_ONCE: usize = 1024 * 1024;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tab {
    #[default]
    Tree,
    Text,
    Hex,
    Token,
    Timing,
    Diff,
    Why,
}

impl Tab {
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Tree, "Tree"),
        (Self::Text, "Text"),
        (Self::Hex, "Hex"),
        (Self::Token, "Token"),
        (Self::Timing, "Timing"),
        (Self::Diff, "Diff"),
        (Self::Why, "Why"),
    ];
}

/// What the tree tab is about.
#[derive(Default)]
enum Parsed {
    /// Not looked at yet.
    #[default]
    Not,
    /// Too long to be parsed unasked.
    Large,
    Running(Job<Result<Tree, JsonError>>),
    Tree(Box<Tree>, Box<TreeView>),
    NotJson(JsonError),
    /// The work was stopped or its thread died.
    Stopped,
}

/// What is worked out once for a record.
struct Known {
    /// Record, stored bytes and flags that this is about.
    about: (u64, usize, u16),
    /// The payload as text; of a fact, its head.
    text: Arc<str>,
    is_utf8: bool,
    head: Head,
    fault: Option<Report>,
}

impl Known {
    fn of(record: &Record) -> Self {
        let is_utf8 = record.text().is_some();
        let text = if !record.body.is_empty() {
            String::from_utf8_lossy(&record.body).into()
        } else if record.kind.lane() == Lane::Lifecycle {
            record.head.as_str().into()
        } else {
            "".into()
        };
        let fault = match record.fact() {
            Some(Fact::Fault(report)) => Some(report),
            _ => None,
        };
        Self { about: about(record), text, is_utf8, head: Head::of(record), fault }
    }
}

fn about(record: &Record) -> (u64, usize, u16) {
    (record.seq, record.body.len(), record.flags.0)
}

/// The state of an inspector.
pub struct Inspector {
    pub tab: Tab,
    headers_open: bool,
    known: Option<Arc<Known>>,
    parsed: Parsed,
    text: TextView,
    revealed: Revealed,
    hex: HexView,
    token: TokenView,
    diff: DiffView,
    pretty: bool,
    laid_out: Option<String>,
}

impl Default for Inspector {
    fn default() -> Self {
        Self {
            tab: Tab::Tree,
            headers_open: true,
            known: None,
            parsed: Parsed::Not,
            text: TextView::default(),
            revealed: Revealed::default(),
            hex: HexView::default(),
            token: TokenView::default(),
            diff: DiffView::default(),
            pretty: false,
            laid_out: None,
        }
    }
}

impl Inspector {
    /// Shows a record, or what to do where none is selected.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        subject: Option<&Subject<'_>>,
        host: &mut dyn InspectorHost,
    ) -> Vec<InspectorEvent> {
        let mut events = Vec::new();
        let Some(subject) = subject else {
            self.known = None;
            self.forget();
            let keys = [("Move", "J"), ("Filter", "Ctrl+F"), ("All keys", "?")];
            empty_state(ui, Icon::Search, "No record selected", "Select a row or a message.", &keys);
            return events;
        };
        let record = subject.record;
        let known = match &self.known {
            Some(known) if known.about == about(record) => Arc::clone(known),
            _ => {
                self.forget();
                let known = Arc::new(Known::of(record));
                self.known = Some(Arc::clone(&known));
                known
            }
        };
        title(ui, subject, &mut events);
        let tabs = Tab::ALL;
        tab_row(ui, "Inspector tabs", &mut self.tab, &tabs);
        ui.add_space(space::TIGHT);
        if self.tab != Tab::Why && why::banner(ui, subject) {
            self.tab = Tab::Why;
        }
        if let Some(report) = &known.fault {
            report_card(ui, report, Tone::Red, None, false);
            ui.add_space(space::TIGHT);
        }
        let body = UiBuilder::new().accessibility_role(Role::TabPanel).accessibility_label(self.tab_name());
        ui.scope_builder(body, |ui| match self.tab {
            Tab::Tree => self.tree_tab(ui, record, &known, host, &mut events),
            Tab::Text => self.text_tab(ui, record, &known, host, &mut events),
            Tab::Hex => self.hex_tab(ui, record),
            Tab::Token => self.token.show(ui, subject, host),
            Tab::Timing => timing::show(ui, subject, host, &mut events),
            Tab::Diff => self.diff_tab(ui, subject, &mut events),
            Tab::Why => why::show(ui, subject, &mut events),
        });
        events
    }

    fn tab_name(&self) -> &'static str {
        Tab::ALL.iter().find(|(tab, _)| *tab == self.tab).map_or("", |(_, name)| name)
    }

    /// What belongs to one selection; revealed secrets go with it.
    fn forget(&mut self) {
        self.parsed = Parsed::Not;
        self.text = TextView::default();
        self.hex = HexView::default();
        self.token = TokenView::default();
        self.revealed = Revealed::default();
        self.laid_out = None;
    }

    fn tree_tab(
        &mut self,
        ui: &mut Ui,
        record: &Record,
        known: &Known,
        host: &mut dyn InspectorHost,
        events: &mut Vec<InspectorEvent>,
    ) {
        known.head.show(ui, &mut self.headers_open, &mut Desk { revealed: &mut self.revealed, host, events });
        let text = &known.text;
        if text.is_empty() {
            nothing(ui, record);
            return;
        }
        self.parse(text);
        match &mut self.parsed {
            Parsed::Tree(tree, view) => {
                view.show(ui, tree, text, &mut Desk { revealed: &mut self.revealed, host, events })
            }
            Parsed::NotJson(error) => {
                let what = format!("Not JSON: {error}");
                badge(ui, Some(Icon::Info), &what, Tone::Plain);
                self.text.show(ui, text, Some(error.at));
            }
            Parsed::Large | Parsed::Stopped => {
                let label = format!("Parse {}", format::bytes(text.len() as u64));
                ui.label("This payload is large. Its text is one tab further.");
                if button(ui, None, &label, Weight::Normal).clicked() {
                    let (owned, total) = (Arc::clone(text), text.len() as u64);
                    self.parsed = Parsed::Running(Job::start(ui.ctx(), total, move |job| {
                        parse(&owned, &mut |at| job.progress(at as u64))
                    }));
                }
            }
            Parsed::Running(job) => {
                if let Poll::Running(done) = job.poll()
                    && progress(ui, "Parsing", done, job.total)
                {
                    self.parsed = Parsed::Stopped;
                }
                ui.ctx().request_repaint_after(std::time::Duration::from_millis(100));
            }
            Parsed::Not => {}
        }
    }

    fn parse(&mut self, text: &str) {
        let result = match &self.parsed {
            Parsed::Not if text.len() > AT_ONCE => {
                self.parsed = Parsed::Large;
                return;
            }
            Parsed::Not => parse(text, &mut |_| true),
            Parsed::Running(job) => match job.poll() {
                Poll::Done(result) => result,
                Poll::Running(_) => return,
                Poll::Lost => {
                    self.parsed = Parsed::Stopped;
                    return;
                }
            },
            _ => return,
        };
        self.parsed = match result {
            Ok(tree) => {
                let view = TreeView::new(&tree);
                Parsed::Tree(Box::new(tree), Box::new(view))
            }
            Err(error) => Parsed::NotJson(error),
        };
    }

    fn text_tab(
        &mut self,
        ui: &mut Ui,
        record: &Record,
        known: &Known,
        host: &mut dyn InspectorHost,
        events: &mut Vec<InspectorEvent>,
    ) {
        known.head.show(ui, &mut self.headers_open, &mut Desk { revealed: &mut self.revealed, host, events });
        let text = &known.text;
        if text.is_empty() {
            nothing(ui, record);
            return;
        }
        self.parse(text);
        ui.horizontal(|ui| {
            if !known.is_utf8 {
                badge(ui, Some(Icon::Warning), "not UTF-8: what cannot be read is shown as \u{FFFD}", Tone::Amber);
            }
            let before = self.pretty;
            if let Parsed::Tree(..) = self.parsed {
                segmented(ui, "Layout of the text", &mut self.pretty, &[(false, "As received"), (true, "Laid out")]);
            }
            if icon_button(ui, Icon::Copy, "Copy text").clicked() {
                events.push(InspectorEvent::Copy(text.to_string()));
            }
            if before != self.pretty {
                self.text = TextView::default();
            }
        });
        match &self.parsed {
            Parsed::Tree(tree, _) if self.pretty => {
                let laid_out = self.laid_out.get_or_insert_with(|| tree.pretty(text, &|_, _, _| None));
                self.text.show(ui, laid_out, None);
            }
            Parsed::NotJson(error) => self.text.show(ui, text, Some(error.at)),
            _ => self.text.show(ui, text, None),
        }
    }

    fn hex_tab(&mut self, ui: &mut Ui, record: &Record) {
        if record.body.is_empty() {
            nothing(ui, record);
        } else {
            self.hex.show(ui, &record.body);
        }
    }

    fn diff_tab(&mut self, ui: &mut Ui, subject: &Subject<'_>, events: &mut Vec<InspectorEvent>) {
        let Some(other) = subject.other else {
            if button(ui, Some(Icon::Columns), "Choose a second record", Weight::Normal).clicked() {
                events.push(InspectorEvent::ChooseOther);
            }
            let keys = [("Select a second row", "Shift"), ("Difference", "D")];
            empty_state(ui, Icon::Columns, "Nothing to compare with", "Choose a second record.", &keys);
            return;
        };
        let (a, b) = if other.seq < subject.record.seq { (other, subject.record) } else { (subject.record, other) };
        if self.diff.show(ui, a, b) {
            events.push(InspectorEvent::ClearOther);
        }
    }

    /// Goes to the next tab or the one before; for keys of the shell.
    pub fn step_tab(&mut self, by: i32) {
        let at = Tab::ALL.iter().position(|(tab, _)| *tab == self.tab).unwrap_or(0) as i32;
        let next = (at + by).rem_euclid(Tab::ALL.len() as i32);
        self.tab = Tab::ALL[next as usize].0;
    }
}

fn nothing(ui: &mut Ui, record: &Record) {
    let t = tokens(ui);
    let text = if record.flags.has(Flags::LEFT_OUT) {
        "The payload was left out: the disk could not keep up."
    } else {
        "No payload."
    };
    ui.label(RichText::new(text).color(t.text.weak));
}

fn title(ui: &mut Ui, subject: &Subject<'_>, events: &mut Vec<InspectorEvent>) {
    let t = tokens(ui);
    let record = subject.record;
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(egui::vec2(14.0, 20.0), egui::Sense::hover());
        direction_icon(record.direction).paint(ui.painter(), rect, t.direction(record.direction));
        ui.label(RichText::new(record.direction.word()).color(t.direction(record.direction)));
        ui.label(RichText::new(format!("#{}", record.seq)).font(font::data()).color(t.text.weak));
        ui.label(RichText::new(record.kind.word()).color(t.text.weak));
        let name = egui::Label::new(RichText::new(format::visible_controls(&subject.line.name)).font(font::strong()));
        ui.add(name.truncate());
    });
    marks(ui, subject, events);
}

/// Flags, and the way to what belongs to it; no row where there is nothing to tell.
fn marks(ui: &mut Ui, subject: &Subject<'_>, events: &mut Vec<InspectorEvent>) {
    let record = subject.record;
    let told = [Flags::MALFORMED, Flags::UNKNOWN, Flags::LEFT_OUT, Flags::REDACTED, Flags::CUT];
    if !told.iter().any(|f| record.flags.has(*f)) && subject.chain.len() < 2 && record.size <= record.body.len() as u64
    {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        let stored = record.body.len() as u64;
        // A placeholder is shorter than what it stands for: that alone cuts nothing.
        let shorter = stored < record.size && stored > 0 && !record.flags.has(Flags::REDACTED);
        if record.flags.has(Flags::CUT) || shorter {
            let text = format!("cut: {} of {}", format::bytes(stored), format::bytes(record.size));
            badge(ui, Some(Icon::Scissors), &text, Tone::Amber);
        }
        for (flag, icon, word, tone) in [
            (Flags::MALFORMED, Icon::Cross, "malformed", Tone::Red),
            (Flags::UNKNOWN, Icon::Question, "unknown", Tone::Amber),
            (Flags::LEFT_OUT, Icon::Minus, "left out", Tone::Amber),
            (Flags::REDACTED, Icon::Lock, "redacted", Tone::Plain),
        ] {
            if record.flags.has(flag) {
                badge(ui, Some(icon), word, tone);
            }
        }
        if record.reply_to != 0
            && let Some(asked) = subject.chain.iter().find(|l| l.seq == record.reply_to)
        {
            let took = timing::took(asked, record);
            let text = format!("answers record {} after {took}", asked.seq);
            if crate::ui::widgets::chip(ui, Some(Icon::ArrowUp), &text, Tone::Plain).clicked() {
                events.push(InspectorEvent::GoTo(asked.seq));
            }
        }
        for answer in subject.chain.iter().filter(|l| l.seq > record.seq).take(1) {
            let text = format!("then record {}", answer.seq);
            if crate::ui::widgets::chip(ui, Some(Icon::ArrowDown), &text, Tone::Plain).clicked() {
                events.push(InspectorEvent::GoTo(answer.seq));
            }
        }
    });
}
