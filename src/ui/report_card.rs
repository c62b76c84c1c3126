//! A failure, told in place: what, evidence, what to do, and details on demand.

use egui::{CollapsingHeader, Frame, Label, Margin, RichText, Ui, Vec2};

use crate::model::Report;
use crate::ui::theme::{font, radius, space, tokens};
use crate::ui::widgets::{Icon, copy_button, icon_button};

/// Paints a report. True where the user waved it away (only with `closable`).
pub fn paint(ui: &mut Ui, report: &Report, closable: bool) -> bool {
    let t = tokens(ui);
    let mut closed = false;
    Frame::new()
        .fill(t.red.tint)
        .stroke((1.0, t.red.ink))
        .corner_radius(radius::NORMAL)
        .inner_margin(Margin::symmetric(10, 8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = space::TIGHT;
            ui.horizontal(|ui| {
                let (rect, _) = ui.allocate_exact_size(Vec2::splat(15.0), egui::Sense::hover());
                Icon::Warning.paint(ui.painter(), rect, t.red.ink);
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    if closable && icon_button(ui, Icon::Cross, "Dismiss").clicked() {
                        closed = true;
                    }
                    copy_button(ui, "Copy report", || report.text());
                    ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                        let title = RichText::new(&report.title).font(font.strong()).color(t.text.strong);
                        ui.add(Label::new(title).truncate());
                    });
                });
            });
            ui.add(Label::new(RichText::new(&report.what).color(t.text.normal)).wrap());
            for remedy in &report.remedies {
                ui.horizontal_top(|ui| {
                    ui.label(RichText::new("→").color(t.text.weak));
                    ui.add(Label::new(RichText::new(remedy).color(t.text.normal)).wrap());
                });
            }
            if !report.details.is_empty() {
                CollapsingHeader::new("Details").id_salt(("details", &report.code)).show(ui, |ui| {
                    for line in &report.details {
                        ui.add(Label::new(RichText::new(line).font(font.small_data())).wrap());
                    }
                });
            }
        });
    closed
}
