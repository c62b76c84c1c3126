//! A failure, told in place: what happened, what to do, details folded.

use egui::{
    Align, Frame, Id, Label, Layout, Margin, Rect, RichText, Role, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use super::button::{Weight, button, copy_button};
use super::chip::Tone;
use super::icons::Icon;
use crate::model::Report;
use crate::ui::theme::{font, radius, space, tokens};

/// What was asked of a report card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportAction {
    /// Show the record that tells it.
    GoTo(u64),
    Dismiss,
}

/// Shows a report. `record` leads to its evidence; `dismissible` cards have a closing cross.
pub fn report_card(
    ui: &mut Ui,
    report: &Report,
    tone: Tone,
    record: Option<u64>,
    dismissible: bool,
) -> Option<ReportAction> {
    let t = tokens(ui);
    let (ink, tint) = (tone.ink(ui), tone.tint(ui));
    let mut action = None;
    let builder = UiBuilder::new().accessibility_role(Role::Alert).accessibility_label(report.title.as_str());
    ui.scope_builder(builder, |ui| {
        Frame::new()
            .fill(tint)
            .stroke((1.0, ink))
            .corner_radius(radius::NORMAL)
            .inner_margin(Margin::symmetric(12, 10))
            .show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.spacing_mut().item_spacing.y = space::SMALL;
                // The buttons stand in the right upper corner; the title takes the rest and wraps.
                let room = if dismissible { 2.0 * space::CONTROL + space::HAIR } else { space::CONTROL };
                let row = ui.available_rect_before_wrap();
                ui.horizontal_top(|ui| {
                    let (rect, _) = ui.allocate_exact_size(vec2(16.0, 20.0), Sense::hover());
                    Icon::Warning.paint(ui.painter(), rect, ink);
                    ui.vertical(|ui| {
                        ui.set_width((ui.available_width() - room).max(60.0));
                        ui.label(RichText::new(&report.title).font(font::strong()).color(t.text.strong));
                    });
                });
                let corner =
                    Rect::from_min_max(pos2(row.right() - room, row.top()), pos2(row.right(), row.top() + 20.0));
                let layout = Layout::right_to_left(Align::Center);
                let mut buttons = ui.new_child(UiBuilder::new().id_salt("buttons").max_rect(corner).layout(layout));
                buttons.spacing_mut().item_spacing.x = space::HAIR;
                if dismissible && super::icon_button(&mut buttons, Icon::Cross, "Dismiss report").clicked() {
                    action = Some(ReportAction::Dismiss);
                }
                copy_button(&mut buttons, "Copy report", || report.text());
                ui.label(RichText::new(&report.what).color(t.text.normal));
                for remedy in &report.remedies {
                    ui.horizontal_top(|ui| {
                        let (rect, _) = ui.allocate_exact_size(vec2(12.0, 18.0), Sense::hover());
                        Icon::ArrowRight.paint(ui.painter(), rect, ink);
                        // In a row, a label would rather widen the card than wrap.
                        ui.add(Label::new(RichText::new(remedy).color(t.text.strong)).wrap());
                    });
                }
                if !report.details.is_empty() {
                    details(ui, report);
                }
                if let Some(seq) = record
                    && button(ui, None, &format!("Go to record {seq}"), Weight::Normal).clicked()
                {
                    action = Some(ReportAction::GoTo(seq));
                }
            });
    });
    action
}

/// A report in one line, with buttons at its end: where there is no room for a card.
pub fn report_line(ui: &mut Ui, report: &Report, buttons: impl FnOnce(&mut Ui)) {
    let (ink, tint) = (Tone::Red.ink(ui), Tone::Red.tint(ui));
    let builder = UiBuilder::new().accessibility_role(Role::Alert).accessibility_label(report.title.as_str());
    ui.scope_builder(builder, |ui| {
        Frame::new().fill(tint).corner_radius(radius::NORMAL).inner_margin(Margin::symmetric(8, 1)).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal(|ui| {
                let (rect, _) = ui.allocate_exact_size(vec2(13.0, 13.0), Sense::hover());
                Icon::Warning.paint(ui.painter(), rect, ink);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    buttons(ui);
                    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                        let text = format!("{}: {}", report.title, report.what);
                        ui.add(Label::new(RichText::new(text).color(ink)).truncate());
                    });
                });
            });
        });
    });
}

/// Folded at first.
fn details(ui: &mut Ui, report: &Report) {
    let t = tokens(ui);
    let id: Id = ui.scope_id().with(("details", &report.code, &report.title));
    let mut open = ui.data(|d| d.get_temp::<bool>(id)).unwrap_or(false);
    if disclosure(ui, "Details", &mut open) {
        ui.data_mut(|d| d.insert_temp(id, open));
    }
    if open {
        for line in &report.details {
            ui.label(RichText::new(line).font(font::small_data()).color(t.text.weak));
        }
    }
}

/// A small triangle with a word that opens and closes what follows. Gives true when clicked.
pub fn disclosure(ui: &mut Ui, text: &str, open: &mut bool) -> bool {
    let t = tokens(ui);
    let galley = ui.painter().layout_no_wrap(text.to_owned(), font::body(), t.text.weak);
    let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x + 18.0, 20.0), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::DisclosureTriangle, ui.is_enabled(), *open, text));
    let ink = if response.hovered() { t.text.strong } else { t.text.weak };
    let spot = egui::Rect::from_min_size(rect.min, vec2(14.0, rect.height()));
    let icon = if *open { Icon::ChevronDown } else { Icon::ChevronRight };
    icon.paint(ui.painter(), spot, ink);
    let at = egui::pos2(rect.left() + 18.0, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley_with_override_text_color(at, galley, ink);
    super::focus_ring(ui, &response);
    if response.clicked() {
        *open = !*open;
    }
    response.clicked()
}
