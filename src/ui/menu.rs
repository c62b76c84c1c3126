//! The menu, made from the list of commands.

use egui::Ui;

use super::app::{Acts, Scene};
use super::commands::{ALL, Cmd, Section};

pub fn paint(ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) {
    ui.menu_button("Menu", |ui| {
        ui.set_min_width(150.0);
        for section in Section::ALL {
            ui.menu_button(section.title(), |ui| {
                ui.set_min_width(270.0);
                for entry in ALL.iter().filter(|e| e.section == section) {
                    if matches!(entry.cmd, Cmd::Session(_)) {
                        continue;
                    }
                    let enabled = entry.enabled(&scene.situation);
                    let item = egui::Button::new(entry.title).shortcut_text(entry.key_text(ui.ctx()));
                    let response = ui.add_enabled(enabled, item).on_hover_text(entry.tip);
                    if response.on_disabled_hover_text(entry.why_not(&scene.situation)).clicked() {
                        acts.run(entry.cmd);
                        ui.close();
                    }
                }
            });
        }
    })
    .response
    .on_hover_text("All commands");
}
