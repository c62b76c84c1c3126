//! The pane of the lint: which rules of the protocol were broken, by which records, and what to do.

use std::collections::BTreeSet;
use std::sync::Arc;

use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Align, Color32, Galley, Painter, Rect, Role, Sense, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::app::{Act, Acts, Scene};
use super::format;
use super::theme::{Tokens, font, space, tokens};
use super::widgets::{Icon, Scroller, Stamp, Tone, copy_button, empty_state, row_list, segmented};
use crate::model::SessionId;
use crate::projection::knowledge::rule::{Rule, Weight};
use crate::projection::{Lint, Lints, SessionView};

const ROW: f32 = 24.0;
const ICON: f32 = 12.0;
/// Records stand so far within their rule.
const INDENT: f32 = 30.0;

#[derive(Default)]
pub struct LintPane {
    /// Rules whose records are shown, by their ids.
    open: BTreeSet<String>,
    scroller: Scroller,
    laid: Option<(Stamp<Key>, Arc<Vec<Row>>)>,
}

/// What the rows tell: of which session, changes, how many rules are open (they are opened and closed one at a time: no
/// two states of one length follow each other), zone.
type Key = (Option<SessionId>, u64, usize, bool);

struct Row {
    text: Arc<Galley>,
    spoken: String,
    what: What,
}

enum What {
    Rule {
        id: String,
        weight: Weight,
        open: bool,
    },
    Record {
        session: SessionId,
        lint: Arc<Lint>,
    },
    /// What to do, and older ones that are not kept.
    Words,
}

/// Shape and colour of a weight.
pub fn sign(weight: Weight) -> (Icon, Tone) {
    match weight {
        Weight::Error => (Icon::Cross, Tone::Red),
        Weight::Warning => (Icon::Warning, Tone::Amber),
        Weight::Note => (Icon::Info, Tone::Plain),
    }
}

impl LintPane {
    /// Paints what the session shown has broken, or all where that is chosen or none is shown; `lead` paints what
    /// stands before the bar.
    pub fn paint(
        &mut self,
        ui: &mut Ui,
        lead: &mut dyn FnMut(&mut Ui),
        all: &mut bool,
        scene: &Scene<'_>,
        acts: &mut Acts,
    ) {
        let session = scene.session;
        ui.horizontal_wrapped(|ui| {
            lead(ui);
            let mut whole = *all || session.is_none();
            ui.add_enabled_ui(session.is_some(), |ui| {
                if segmented(ui, "Lint of", &mut whole, &[(false, "This session"), (true, "All sessions")]) {
                    *all = whole;
                }
            });
        });
        let session = session.filter(|_| !*all);
        let views = || views(session, scene);
        let told: u64 = views().map(|v| v.lints.told).sum();
        if told == 0 {
            let text = "Each frame and each request is held against the rules of the protocol as it comes: order, \
                        ids, lengths, rates, units, names.";
            return empty_state(ui, Icon::Check, "Nothing was broken", text, &[]);
        }
        let forgotten: u64 = views().map(|v| v.lints.forgotten).sum();
        if forgotten > 0 {
            let text = format!("{forgotten} connections, channels or conversations were too many to be remembered.");
            ui.label(egui::RichText::new(text).small());
        }
        let rows = self.laid(ui, session, scene);
        let t = tokens(ui);
        let mut toggled = None;
        row_list(ui, &mut self.scroller, "Lint", Role::List, rows.len() as u64, ROW, |ui, n, rect| {
            let Some(row) = rows.get(n as usize) else { return };
            let id = ui.scope_id().with(("lint", n));
            let sense = if matches!(row.what, What::Words) { Sense::hover() } else { Sense::click() };
            let response = ui.interact(rect, id, sense);
            response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, row.spoken.as_str()));
            ui.ctx().accesskit_node_builder(id, |node| {
                node.set_position_in_set(n as usize + 1);
                node.set_size_of_set(rows.len());
            });
            if (response.hovered() || response.has_focus()) && sense.senses_click() {
                ui.painter().rect_filled(rect, 0, t.surface.hover);
            }
            paint(ui, rect, row);
            if response.clicked() {
                match &row.what {
                    What::Rule { id, .. } => toggled = Some(id.clone()),
                    What::Record { session, lint } => {
                        if *session != SessionId::NONE {
                            acts.push(Act::Show(*session));
                        }
                        let others = lint.records.iter().copied().filter(|seq| *seq != lint.seq);
                        acts.push(Act::Select(std::iter::once(lint.seq).chain(others).collect()));
                    }
                    What::Words => {}
                }
            }
            if response.hovered() {
                response.on_hover_text(row.spoken.as_str());
            }
        });
        if let Some(id) = toggled
            && !self.open.remove(&id)
        {
            self.open.insert(id);
        }
    }

    fn laid(&mut self, ui: &Ui, session: Option<&SessionView>, scene: &Scene<'_>) -> Arc<Vec<Row>> {
        let changes = views(session, scene).map(|v| v.lints.changes).sum();
        let utc = scene.settings.utc;
        let stamp = Stamp::new(ui, (session.map(|v| v.id), changes, self.open.len(), utc));
        match &self.laid {
            Some((old, rows)) if *old == stamp => rows.clone(),
            _ => {
                let width = (ui.available_width() - 2.0 * INDENT).max(60.0);
                let rows = lay_out(views(session, scene), &self.open, (width, utc), ui.painter(), tokens(ui));
                let rows = Arc::new(rows);
                self.laid = Some((stamp, rows.clone()));
                rows
            }
        }
    }
}

/// The session shown, or all with what belongs to none.
fn views<'a>(session: Option<&'a SessionView>, scene: &'a Scene<'_>) -> impl Iterator<Item = &'a SessionView> {
    let all = session.is_none();
    let others = scene.board.sessions.iter().chain([&scene.board.general]).map(AsRef::as_ref);
    session.into_iter().chain(others.filter(move |_| all))
}

fn lay_out<'a>(
    views: impl Iterator<Item = &'a SessionView>,
    open: &BTreeSet<String>,
    (width, utc): (f32, bool),
    painter: &Painter,
    t: &Tokens,
) -> Vec<Row> {
    let views: Vec<&SessionView> = views.filter(|v| v.lints.told > 0).collect();
    let mut rules: Vec<Arc<Rule>> = Vec::new();
    for broken in views.iter().flat_map(|v| &v.lints.broken) {
        if !rules.iter().any(|r| r.id == broken.rule.id) {
            rules.push(Arc::clone(&broken.rule));
        }
    }
    rules.sort_by_key(|r| r.weight);
    let mut rows = Vec::new();
    let line = |parts: &[(&str, egui::FontId, Color32)], width: f32| {
        let mut job = LayoutJob::default();
        for (n, (text, font, ink)) in parts.iter().enumerate() {
            let format = TextFormat { font_id: font.clone(), color: *ink, valign: Align::Center, ..Default::default() };
            job.append(&format::shown(text), if n == 0 { 0.0 } else { space::NORMAL }, format);
        }
        job.break_on_newline = false;
        job.wrap = TextWrapping::truncate_at_width(width);
        painter.layout_job(job)
    };
    for rule in rules {
        let of = |v: &&SessionView| v.lints.broken.iter().find(|b| b.rule.id == rule.id).map(|b| (v.id, Arc::clone(b)));
        let broken: Vec<_> = views.iter().filter_map(of).collect();
        let count: u64 = broken.iter().map(|(_, b)| b.count).sum();
        let mut lints: Vec<(SessionId, Arc<Lint>)> =
            broken.iter().flat_map(|(id, b)| b.lints.iter().map(|l| (*id, Arc::clone(l)))).collect();
        lints.sort_by_key(|(_, l)| l.seq);
        let times = format!("{}×", format::count(count));
        let says = lints.last().map(|(_, l)| l.says.clone()).unwrap_or_default();
        let is_open = open.contains(&rule.id);
        let parts = [
            (times.as_str(), font::small_data(), t.text.normal),
            (rule.title.as_str(), font::strong(), t.text.strong),
            (says.as_str(), font::small(), t.text.weak),
        ];
        rows.push(Row {
            text: line(&parts, width),
            spoken: format!("{}, {} times: {}. {says}", rule.weight, count, rule.title),
            what: What::Rule { id: rule.id.clone(), weight: rule.weight, open: is_open },
        });
        if !is_open {
            continue;
        }
        let fixes = lints.last().map(|(_, l)| l.fix.as_slice()).unwrap_or_default();
        let about = format!("{} · {}", rule.id, rule.source);
        for fix in fixes.iter().map(|f| format!("→ {f}")).chain([about]) {
            rows.push(Row {
                text: line(&[(&fix, font::small(), t.text.normal)], width - INDENT),
                spoken: fix,
                what: What::Words,
            });
        }
        let older = count - (lints.len() as u64).min(count);
        for (session, lint) in lints.into_iter().rev() {
            let (seq, time) = (format!("#{}", lint.seq), format::time_of_day(lint.at.wall, utc));
            let parts = [
                (seq.as_str(), font::small_data(), t.accent),
                (time.as_str(), font::small_data(), t.text.normal),
                (lint.says.as_str(), font::small(), t.text.normal),
            ];
            rows.push(Row {
                text: line(&parts, width - INDENT),
                spoken: format!("record {} at {time}: {}", lint.seq, lint.says),
                what: What::Record { session, lint },
            });
        }
        if older > 0 {
            let text = format!("{} older ones stand in the records", format::count(older));
            rows.push(Row {
                text: line(&[(&text, font::small(), t.text.weak)], width - INDENT),
                spoken: text,
                what: What::Words,
            });
        }
    }
    rows
}

fn paint(ui: &Ui, rect: Rect, row: &Row) {
    let middle = rect.center().y;
    let mut x = rect.left() + space::SMALL;
    let mut icon = |icon: Icon, ink: Color32| {
        let spot = Rect::from_min_size(pos2(x, middle - ICON / 2.0), Vec2::splat(ICON));
        icon.paint(ui.painter(), spot, ink);
        x += ICON + space::SMALL;
    };
    match &row.what {
        What::Rule { weight, open, .. } => {
            icon(if *open { Icon::ChevronDown } else { Icon::ChevronRight }, tokens(ui).text.weak);
            let (shape, tone) = sign(*weight);
            icon(shape, tone.ink(ui));
        }
        What::Record { .. } | What::Words => x += INDENT,
    }
    let at = vec2(x, middle - row.text.size().y / 2.0).to_pos2();
    ui.painter().galley(at, row.text.clone(), Color32::PLACEHOLDER);
}

/// What a record breaks, for the inspector. True where there was something to show.
pub fn about(ui: &mut Ui, lints: &Lints, seq: u64, mut go: impl FnMut(u64)) -> bool {
    let mut any = false;
    for lint in lints.about(seq) {
        any = true;
        ui.push_id(&lint.rule.id, |ui| one(ui, lint, &mut go));
        ui.add_space(space::NORMAL);
    }
    any
}

fn one(ui: &mut Ui, lint: &Lint, go: &mut impl FnMut(u64)) {
    use egui::{Label, RichText};
    let t = tokens(ui);
    let (icon, tone) = sign(lint.rule.weight);
    ui.horizontal_wrapped(|ui| {
        super::widgets::badge(ui, Some(icon), lint.rule.weight.word(), tone);
        ui.add(Label::new(RichText::new(&lint.rule.title).font(font::strong()).color(t.text.strong)).wrap());
        copy_button(ui, "Copy lint", || lint.told());
    });
    ui.add(Label::new(format::shown(&lint.says).as_ref()).wrap());
    for fix in &lint.fix {
        ui.horizontal_top(|ui| {
            ui.label(RichText::new("→").font(font::data()));
            ui.add(Label::new(fix).wrap());
        });
    }
    for (name, value) in &lint.evidence {
        let mut job = LayoutJob::default();
        job.append(&format!("{name}: "), 0.0, TextFormat::simple(font::small(), t.text.weak));
        job.append(&format::shown(value), 0.0, TextFormat::simple(font::small_data(), t.text.strong));
        ui.add(Label::new(job).wrap());
    }
    ui.horizontal_wrapped(|ui| {
        for seq in &lint.records {
            if super::widgets::chip(ui, None, &format!("record {seq}"), Tone::Plain).clicked() {
                go(*seq);
            }
        }
    });
    let about = format!("{} · {}", lint.rule.id, lint.rule.source);
    ui.add(Label::new(RichText::new(about).font(font::small()).color(t.text.weak)).wrap());
}
