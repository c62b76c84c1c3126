//! The sheet of all keys.

use egui::{Align, Label, Layout, RichText, ScrollArea, TextEdit, Ui, vec2};

use super::commands::{ALL, Cmd, Section, key_text};
use super::theme::{font, space, tokens};
use super::widgets::key_caps;

/// The caps of a command's first key.
pub fn caps(ui: &mut Ui, cmd: Cmd) {
    if let Some(key) = cmd.entry().keys.first() {
        let text = key_text(ui.ctx(), key);
        key_caps(ui, &text);
    }
}

fn cell(ui: &mut Ui, width: f32, add: impl FnOnce(&mut Ui)) {
    let size = vec2(width, 24.0);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        ui.set_min_size(size);
        add(ui);
    });
}

/// Paints every key with its command, narrowed by a filter.
pub fn paint(ui: &mut Ui, filter: &mut String) {
    let t = tokens(ui);
    ui.add(TextEdit::singleline(filter).hint_text("Filter keys").desired_width(f32::INFINITY))
        .accessible_name("Filter keys");
    ui.add_space(space::SMALL);
    let wanted = filter.to_lowercase();
    ScrollArea::vertical().id_salt("keys").max_height(ui.ctx().content_rect().height() * 0.6).show(ui, |ui| {
        for section in Section::ALL {
            let entries: Vec<_> = ALL
                .iter()
                .filter(|e| e.section == section && !e.keys.is_empty())
                .filter(|e| e.title.to_lowercase().contains(&wanted) || e.tip.to_lowercase().contains(&wanted))
                .collect();
            if entries.is_empty() {
                continue;
            }
            ui.label(RichText::new(section.title()).font(font::strong()).color(t.text.strong));
            for e in entries {
                ui.horizontal(|ui| {
                    ui.set_height(24.0);
                    cell(ui, 170.0, |ui| {
                        for (n, key) in e.keys.iter().enumerate() {
                            if n > 0 {
                                ui.label(RichText::new("or").small().color(t.text.weak));
                            }
                            let text = key_text(ui.ctx(), key);
                            key_caps(ui, &text);
                        }
                    });
                    cell(ui, 230.0, |ui| {
                        ui.add(Label::new(e.title).truncate());
                    });
                    ui.add(Label::new(RichText::new(e.tip).small().color(t.text.weak)).truncate());
                });
            }
            ui.add_space(space::NORMAL);
        }
    });
}
