//! The top bar: where to, new session, recording, find, commands, theme.

use egui::{ComboBox, RichText, Ui};

use super::app::{Act, Acts, Scene};
use super::commands::Cmd;
use super::settings::SANDBOX;
use super::theme::{Choice, font, space, tokens};
use super::widgets::{Icon, Tone, Weight, badge, button, chip, icon_button};
use crate::engine::SandboxState;

pub fn paint(ui: &mut Ui, scene: &Scene<'_>, live_file: Option<&std::path::Path>, acts: &mut Acts) {
    let narrow = ui.available_width() < 960.0;
    // What is said here besides the usual takes the room of words.
    let rings = scene.ringing.iter().any(|r| !r.in_view);
    let short = narrow && (scene.situation.saved || unverified(scene) || faulty(scene) || rings);
    ui.horizontal(|ui| {
        ui.set_height(space::BAR - 6.0);
        super::menu::paint(ui, scene, acts);
        ui.separator();
        environment(ui, scene, if short { 110.0 } else { 150.0 }, acts);
        let tip = Cmd::NewSession.entry().tooltip(ui.ctx());
        let response = match short {
            true => icon_button(ui, Icon::Plus, "New session"),
            false => button(ui, Some(Icon::Plus), "New session", Weight::Normal),
        };
        if response.on_hover_text(tip).clicked() {
            acts.run(Cmd::NewSession);
        }
        recording(ui, scene, live_file, narrow, acts);
        super::ringing::paint(ui, scene, narrow, acts);
        warnings(ui, scene, short, acts);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = space::TIGHT;
            let (icon, word) = match scene.settings.theme {
                Choice::System => (Icon::System, "system"),
                Choice::Light => (Icon::Sun, "light"),
                Choice::Dark => (Icon::Moon, "dark"),
            };
            if icon_button(ui, icon, &format!("Theme: {word}. Switch")).clicked() {
                acts.run(Cmd::Theme);
            }
            for (cmd, icon) in [(Cmd::Settings, Icon::Gear), (Cmd::Sandbox, Icon::Plug)] {
                let entry = cmd.entry();
                let name = format!("{}  ({})", entry.title, entry.key_text(ui.ctx()));
                if icon_button(ui, icon, &name).clicked() {
                    acts.run(cmd);
                }
            }
            let narrow = narrow || ui.available_width() < 240.0;
            for (cmd, text, icon) in [(Cmd::Palette, "Commands", Icon::ChevronRight), (Cmd::Find, "Find", Icon::Search)]
            {
                let tip = cmd.entry().tooltip(ui.ctx());
                let response =
                    if narrow { icon_button(ui, icon, text) } else { button(ui, Some(icon), text, Weight::Quiet) };
                if response.on_hover_text(tip).clicked() {
                    acts.run(cmd);
                }
            }
        });
    });
}

fn environment(ui: &mut Ui, scene: &Scene<'_>, width: f32, acts: &mut Acts) {
    let chosen = &scene.settings.chosen;
    let name = match scene.settings.environment(chosen) {
        Some(e) => e.name.clone(),
        None => "Sandbox".to_owned(),
    };
    ComboBox::new("environment", "")
        .selected_text(name)
        .width(width)
        .truncate()
        .show_ui(ui, |ui| {
            let mut entry = |ui: &mut Ui, id: &str, name: &str| {
                if ui.selectable_label(chosen == id, name).clicked() {
                    acts.push(Act::ChooseEnvironment(id.to_owned()));
                    ui.close();
                }
            };
            entry(ui, SANDBOX, "Sandbox");
            for e in &scene.settings.environments {
                entry(ui, &e.id, &e.name);
            }
            ui.separator();
            if ui.button("Environments…").clicked() {
                acts.run(Cmd::Environments);
                ui.close();
            }
        })
        .response
        .accessible_name("Environment");
}

fn recording(ui: &mut Ui, scene: &Scene<'_>, live_file: Option<&std::path::Path>, narrow: bool, acts: &mut Acts) {
    if scene.situation.saved {
        let text = if narrow { "saved" } else { "saved capture" };
        badge(ui, Some(Icon::Folder), text, Tone::Accent)
            .on_hover_text("A saved capture is shown. Recording of the live one goes on.");
        if button(ui, Some(Icon::ArrowLeft), "Back to live", Weight::Normal).clicked() {
            acts.run(Cmd::BackToLive);
        }
    } else if let Some(report) = &scene.book.capture_failed {
        badge(ui, Some(Icon::Warning), "not recording", Tone::Red).on_hover_text(&report.what);
    } else if let Some(file) = live_file {
        badge(ui, Some(Icon::Dot), "recording", Tone::Ok).on_hover_text(file.display().to_string());
    } else {
        let text = if narrow { "private" } else { "private: in memory only" };
        badge(ui, Some(Icon::Lock), text, Tone::Accent)
            .on_hover_text("Nothing is written to disk. The capture is gone when the window closes, unless saved.");
    }
}

fn unverified(scene: &Scene<'_>) -> bool {
    scene.session.and_then(|s| s.start.as_ref()).is_some_and(|s| s.tls_unverified)
        || scene.settings.environment(&scene.settings.chosen).is_some_and(|e| !e.verify_tls)
}

fn faulty(scene: &Scene<'_>) -> bool {
    scene.book.sandbox_status.as_ref().is_some_and(|s| s.faulty)
}

/// What a tester must not forget: unverified TLS, faults.
fn warnings(ui: &mut Ui, scene: &Scene<'_>, short: bool, acts: &mut Acts) {
    if unverified(scene) {
        let text = if short { "TLS" } else { "TLS not verified" };
        badge(ui, Some(Icon::Warning), text, Tone::Amber)
            .on_hover_text("Any certificate is believed in this environment.");
    }
    if faulty(scene)
        && chip(ui, Some(Icon::Scissors), if short { "faults" } else { "faults on" }, Tone::Amber)
            .on_hover_text("The sandbox breaks things on purpose. Click for which.")
            .clicked()
    {
        acts.run(Cmd::Sandbox);
    }
    if matches!(scene.book.sandbox, SandboxState::Starting) {
        let t = tokens(ui);
        ui.label(RichText::new("sandbox starting…").font(font::small()).color(t.text.weak));
    }
}
