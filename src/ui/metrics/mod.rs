//! The pane of metrics: what was tried, how often it failed, how long it took.

mod figures;

use std::sync::Arc;

use egui::{Align, Color32, Galley, Label, Rect, Role, ScrollArea, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use super::app::{Act, Acts, Scene};
use super::dialogs::Dialog;
use super::plot;
use super::theme::{font, space, tokens};
use super::widgets::{Icon, Stamp, Weight, button, disclosure, empty_state, segmented};
use crate::model::SessionId;
use crate::projection::{Meter, Metrics, SessionView};
use figures::{About, HEADS as COLUMNS, Laid, lay_out};

/// Between two columns of the table.
const GAP: f32 = 12.0;
/// With so much room beside the table, the plot stands there.
const PLOT: f32 = 190.0;

#[derive(Default)]
pub struct MetricsPane {
    laid: Option<(Stamp<Key>, Arc<Laid>)>,
    activity: bool,
}

/// What the figures tell: of which session, changes, seconds that it goes on, zone.
type Key = (Option<SessionId>, u64, Option<u64>, bool);

impl MetricsPane {
    /// Paints the figures of the session shown, or of all where that is chosen or none is shown; `lead` paints what
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
                if segmented(ui, "Metrics of", &mut whole, &[(false, "This session"), (true, "All sessions")]) {
                    *all = whole;
                }
            });
            if let Some(view) = session.filter(|_| !*all)
                && button(ui, Some(Icon::Note), "Final report…", Weight::Quiet).clicked()
            {
                acts.push(Act::Open(Box::new(Dialog::final_report(view.id))));
            }
        });
        let session = session.filter(|_| !*all);
        let metrics = session.map_or(&scene.board.metrics, |view| &view.metrics);
        if metrics.actions.is_empty() {
            let text = "Figures stand here as soon as a call is made, a socket opened or a message sent.";
            return empty_state(ui, Icon::Clock, "Nothing was tried yet", text, &[]);
        }
        let laid = self.laid(ui, session, metrics, scene);
        ScrollArea::vertical().id_salt("metrics").auto_shrink([false, false]).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = space::SMALL;
            tiles(ui, &laid);
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = vec2(space::WIDE, space::HAIR);
                for kind in &laid.errors {
                    ui.add(Label::new(kind.clone()).selectable(false));
                }
            });
            let width = table_width(&laid);
            if ui.available_width() >= width + PLOT {
                ui.horizontal_top(|ui| {
                    ui.allocate_ui(vec2(width, 0.0), |ui| table(ui, &laid));
                    ui.add_space(space::NORMAL);
                    ui.vertical(|ui| plotted(ui, &laid, scene.settings.utc));
                });
            } else {
                ScrollArea::horizontal().id_salt("actions").show(ui, |ui| table(ui, &laid));
                ui.add_space(space::TIGHT);
                plotted(ui, &laid, scene.settings.utc);
            }
            if let Some(view) = session {
                if !view.meters.meters.is_empty() {
                    limits(ui, &view.meters.meters, scene);
                }
                self.log(ui, view, &laid);
            }
        });
    }

    fn laid(&mut self, ui: &Ui, session: Option<&SessionView>, metrics: &Metrics, scene: &Scene<'_>) -> Arc<Laid> {
        let duration_us = session.map(|view| lasted(view, scene));
        if let Some(duration) = duration_us
            && session.is_some_and(|v| !v.state.as_ref().is_some_and(|s| s.is_ended()))
            && !scene.situation.saved
        {
            let next = 1_000_000 - duration % 1_000_000;
            ui.ctx().request_repaint_after(std::time::Duration::from_micros(next.max(1_000)));
        }
        let seconds = duration_us.map(|d| d / 1_000_000);
        let stamp = Stamp::new(ui, (session.map(|v| v.id), metrics.changes, seconds, scene.settings.utc));
        match &self.laid {
            Some((old, laid)) if *old == stamp => laid.clone(),
            _ => {
                let width = ui.available_width() - space::ROOM;
                let about = About { duration_us, utc: scene.settings.utc, width };
                let laid = Arc::new(lay_out(metrics, &about, ui.painter(), tokens(ui)));
                self.laid = Some((stamp, laid.clone()));
                laid
            }
        }
    }

    fn log(&mut self, ui: &mut Ui, view: &SessionView, laid: &Laid) {
        disclosure(ui, "Activity", &mut self.activity);
        if !self.activity {
            return;
        }
        ui.spacing_mut().item_spacing.y = space::HAIR;
        for line in &laid.activity {
            ui.add(Label::new(line.clone()));
        }
        let older = view.metrics.activity_left_out;
        if older > 0 {
            ui.label(egui::RichText::new(format!("{older} older ones stand in the records")).small());
        }
    }
}

/// How long a session has gone on, or went on.
pub fn lasted(view: &SessionView, scene: &Scene<'_>) -> u64 {
    let ended = view.state.as_ref().is_some_and(|s| s.is_ended());
    let last = view.metrics.activity.back().filter(|_| ended).map_or(scene.shown_at.wall, |a| a.at);
    last.micros_since(view.started.wall).max(0) as u64
}

fn tiles(ui: &mut Ui, laid: &Laid) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::HALL, space::TIGHT);
        for tile in &laid.tiles {
            let width = tile.name.size().x.max(tile.value.size().x);
            let height = tile.name.size().y + tile.value.size().y;
            let (rect, response) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Label, true, tile.spoken.as_str()));
            let below = rect.top() + tile.value.size().y;
            ui.painter().galley(rect.min, tile.value.clone(), Color32::PLACEHOLDER);
            ui.painter().galley(pos2(rect.left(), below), tile.name.clone(), Color32::PLACEHOLDER);
            response.on_hover_text(tile.help);
        }
    });
}

fn plotted(ui: &mut Ui, laid: &Laid, utc: bool) {
    if laid.series.iter().all(|s| s.points.is_empty()) {
        ui.label(egui::RichText::new("No latency was measured yet.").small().color(tokens(ui).text.weak));
        return;
    }
    ui.add(Label::new(laid.caption.clone()).selectable(false));
    plot::paint(ui, &laid.series, &laid.plot, utc);
}

fn table_width(laid: &Laid) -> f32 {
    laid.widths.iter().sum::<f32>() + GAP * COLUMNS.len() as f32
}

fn table(ui: &mut Ui, laid: &Laid) {
    let t = tokens(ui);
    let builder = UiBuilder::new().accessibility_role(Role::List).accessibility_label("Latencies by action");
    ui.scope_builder(builder, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.vertical(|ui| {
            let width = table_width(laid);
            let (rect, _) = ui.allocate_exact_size(vec2(width, space::ROW), Sense::hover());
            cells_at(ui, rect, laid, &laid.heads);
            ui.painter().hline(rect.x_range(), rect.bottom() - 1.0, (1.0, t.line.normal));
            for (n, row) in laid.rows.iter().enumerate() {
                let (rect, response) = ui.allocate_exact_size(vec2(width, space::ROW), Sense::hover());
                response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, row.spoken.as_str()));
                if n % 2 == 1 {
                    ui.painter().rect_filled(rect, 0, t.surface.stripe);
                }
                cells_at(ui, rect, laid, &row.cells);
            }
        });
    });
}

fn cells_at(ui: &Ui, rect: Rect, laid: &Laid, cells: &[Arc<Galley>]) {
    let mut left = rect.left() + GAP / 2.0;
    for (n, (cell, width)) in cells.iter().zip(laid.widths).enumerate() {
        let x = if n == 0 { left } else { left + width - cell.size().x };
        let y = rect.center().y - cell.size().y / 2.0;
        ui.painter().galley(pos2(x, y), cell.clone(), Color32::PLACEHOLDER);
        left += width + GAP;
    }
}

/// How much of each limit is used, as the status bar counts it.
fn limits(ui: &mut Ui, meters: &[Meter], scene: &Scene<'_>) {
    let t = tokens(ui);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::ROOM;
        for meter in meters {
            let used = if scene.situation.saved && meter.window_secs > 0 { 0 } else { meter.used(scene.now.mono) };
            ui.allocate_ui_with_layout(vec2(120.0, 26.0), egui::Layout::top_down(Align::Min), |ui| {
                ui.set_width(120.0);
                ui.spacing_mut().item_spacing.y = space::HAIR;
                let ink = if used >= meter.limit { t.amber.ink } else { t.text.weak };
                let told = super::status_bar::told(meter, used);
                ui.add(Label::new(egui::RichText::new(told).font(font::small()).color(ink)).truncate());
                let (rect, _) = ui.allocate_exact_size(vec2(120.0, 4.0), Sense::hover());
                let share = if meter.limit == 0 { 1.0 } else { (used as f32 / meter.limit as f32).min(1.0) };
                ui.painter().rect_filled(rect, 2, t.line.faint);
                let full = Rect::from_min_size(rect.min, vec2(rect.width() * share, rect.height()));
                ui.painter().rect_filled(full, 2, if used >= meter.limit { t.amber.ink } else { t.accent });
            });
        }
    });
}
