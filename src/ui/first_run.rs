//! What a person sees who has no session yet.

use egui::{Align, Layout, RichText, ScrollArea, Ui, vec2};

use super::app::{Act, Acts, FilePurpose, Scene};
use super::commands::Cmd;
use super::dialogs::Dialog;
use super::format;
use super::theme::{font, space, tokens};
use super::widgets::{Icon, Weight, button};
use crate::engine::SandboxState;

/// About the height of all of it.
const TALL: f32 = 345.0;
/// So many recent captures stand there.
const RECENT: usize = 3;

/// The one thing to do when nothing is there yet.
pub fn paint(ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) {
    let above = ((ui.available_height() - TALL) * 0.4).max(space::ROOM);
    let area = ScrollArea::vertical().id_salt("first run").auto_shrink([false, false]);
    area.show(ui, |ui| ui.vertical_centered(|ui| content(ui, above, scene, acts)));
}

fn content(ui: &mut Ui, above: f32, scene: &Scene<'_>, acts: &mut Acts) {
    let t = tokens(ui);
    ui.add_space(above);
    ui.label(
        RichText::new("A live conversation, with every frame on record").font(font::heading()).color(t.text.strong),
    );
    ui.add_space(space::TIGHT);
    ui.label(
        RichText::new(
            "The sandbox is a server inside this program. It needs no account and no network, and answers you.",
        )
        .color(t.text.weak),
    );
    ui.add_space(space::HALL);
    let starting = scene.book.after_sandbox || matches!(scene.book.sandbox, SandboxState::Starting);
    let waiting = starting || !scene.book.pending.is_empty();
    if waiting {
        ui.horizontal(|ui| {
            ui.add_space(ui.available_width() / 2.0 - 70.0);
            ui.spinner();
            ui.label("Starting the sandbox…");
        });
    } else {
        let response = button(ui, Some(Icon::Play), Cmd::StartInSandbox.title(), Weight::Primary);
        if response.on_hover_text(Cmd::StartInSandbox.entry().tip).clicked() {
            acts.run(Cmd::StartInSandbox);
        }
        ui.add_space(space::TIGHT);
        let response = button(ui, Some(Icon::Columns), Cmd::BothEnds.title(), Weight::Normal);
        if response.on_hover_text(Cmd::BothEnds.entry().tip).clicked() {
            acts.run(Cmd::BothEnds);
        }
    }
    ui.add_space(space::NORMAL);
    if button(ui, None, "Connect to a deployment…", Weight::Quiet).clicked() {
        acts.push(Act::Open(Box::new(Dialog::new_environment())));
    }
    ui.add_space(space::NORMAL);
    ui.label(RichText::new("Guided tours").color(t.text.weak));
    for cmd in [Cmd::TourRefused, Cmd::TourClosed] {
        if button(ui, Some(Icon::Question), cmd.title(), Weight::Quiet).clicked() {
            acts.run(cmd);
        }
    }
    if !scene.settings.recent.is_empty() {
        ui.add_space(space::NORMAL);
        ui.label(RichText::new("Recent captures").color(t.text.weak));
        for file in scene.settings.recent.iter().take(RECENT) {
            let title = format::capture(file, scene.settings.utc);
            if button(ui, None, &title, Weight::Quiet).on_hover_text(file.display().to_string()).clicked() {
                acts.push(Act::File(FilePurpose::OpenCapture, file.clone()));
            }
        }
    }
    ui.add_space(space::HALL);
    let keys = [Cmd::StartInSandbox, Cmd::Palette, Cmd::OpenCapture, Cmd::Keys];
    for cmd in keys {
        let width = 360.0_f32.min(ui.available_width());
        ui.allocate_ui_with_layout(vec2(width, 24.0), Layout::left_to_right(Align::Center), |ui| {
            ui.label(RichText::new(cmd.title()).color(t.text.weak));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.allocate_ui_with_layout(vec2(120.0, 24.0), Layout::left_to_right(Align::Center), |ui| {
                    super::keys::caps(ui, cmd);
                });
            });
        });
    }
}
