//! What a pane says while it has nothing to show: what to do next, and the keys.

use egui::{Align, Layout, RichText, Ui, vec2};

use super::chip::key_caps;
use super::icons::Icon;
use crate::ui::theme::{font, space, tokens};

/// `keys`: what a key does, and the key: `("New session", "Ctrl+N")`.
pub fn empty_state(ui: &mut Ui, icon: Icon, title: &str, text: &str, keys: &[(&str, &str)]) {
    let t = tokens(ui);
    let size = ui.available_size();
    let (_, rect) = ui.allocate_space(size);
    let height = 96.0 + keys.len() as f32 * 26.0;
    let top = rect.top() + ((rect.height() - height) / 2.0).max(0.0);
    let area = egui::Rect::from_min_max(egui::pos2(rect.left(), top), rect.max).intersect(ui.clip_rect());
    let builder = egui::UiBuilder::new().max_rect(area.shrink2(vec2(space::ROOM, 0.0)));
    ui.scope_builder(builder.layout(Layout::top_down(Align::Center)), |ui| {
        let (spot, _) = ui.allocate_exact_size(vec2(28.0, 28.0), egui::Sense::hover());
        icon.paint(ui.painter(), spot, t.line.strong);
        ui.add_space(space::SMALL);
        ui.label(RichText::new(title).font(font::title()).color(t.text.strong));
        ui.label(RichText::new(text).color(t.text.weak));
        ui.add_space(space::NORMAL);
        for (what, keys) in keys {
            ui.allocate_ui_with_layout(vec2(260.0, 24.0), Layout::left_to_right(Align::Center), |ui| {
                // One width for all, so that they stand under each other.
                ui.set_min_width(260.0_f32.min(ui.available_width()));
                ui.allocate_ui_with_layout(vec2(150.0, 24.0), Layout::left_to_right(Align::Center), |ui| {
                    ui.set_width(150.0);
                    ui.label(RichText::new(*what).color(t.text.normal));
                });
                key_caps(ui, keys);
            });
        }
    });
}
