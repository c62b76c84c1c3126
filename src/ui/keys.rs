//! The sheet of all keys.

use egui::{Grid, RichText, ScrollArea, TextEdit, Ui};

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
            Grid::new(("keys", section.title())).num_columns(3).spacing([16.0, 5.0]).show(ui, |ui| {
                for e in entries {
                    ui.horizontal(|ui| {
                        ui.set_min_width(150.0);
                        for (n, key) in e.keys.iter().enumerate() {
                            if n > 0 {
                                ui.label(RichText::new("or").small().color(t.text.weak));
                            }
                            let text = key_text(ui.ctx(), key);
                            key_caps(ui, &text);
                        }
                    });
                    ui.label(e.title);
                    ui.label(RichText::new(e.tip).small().color(t.text.weak));
                    ui.end_row();
                }
            });
            ui.add_space(space::NORMAL);
        }
    });
}
