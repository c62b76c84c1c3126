//! Theme, recording, size and time. Changes are at work at once.

use egui::{DragValue, Label, RichText, Ui};

use super::{field, hint};
use crate::ui::app::{Act, Acts, Scene};
use crate::ui::format;
use crate::ui::settings::{KEPT, Settings};
use crate::ui::theme::{Choice, font, space, tokens};
use crate::ui::widgets::{Icon, Weight, button, copy_button, segmented};

pub(super) fn paint(ui: &mut Ui, settings: &mut Settings, scene: &Scene<'_>, acts: &mut Acts) {
    ui.spacing_mut().item_spacing.y = space::NORMAL;
    section(ui, "Look");
    field(ui, "Theme", |ui| {
        let options = Choice::ALL.map(|c| (c, c.word()));
        segmented(ui, "Theme", &mut settings.theme, &options);
    });
    field(ui, "Size", |ui| {
        let mut percent = (settings.scale * 100.0).round();
        let drag = DragValue::new(&mut percent).range(50.0..=300.0).speed(1.0).suffix(" %");
        if ui.add(drag.update_while_editing(false)).accessible_name("Size in percent").changed() {
            settings.scale = percent / 100.0;
        }
    });
    field(ui, "Motion", |ui| {
        ui.checkbox(&mut settings.reduced_motion, "Reduced: nothing slides or fades");
        if !settings.reduced_motion {
            hint(ui, "Switching motion on again takes effect at the next start.");
        }
    });
    section(ui, "Time");
    field(ui, "Zone", |ui| {
        segmented(ui, "Time zone", &mut settings.utc, &[(false, "local"), (true, "UTC")]);
    });
    section(ui, "Agents");
    field(ui, "Typing", |ui| {
        ui.checkbox(&mut settings.tell_typing, "Tell the guest while an agent's message is written");
        hint(ui, "At most once in five seconds. Each is a request of the agent's token.");
    });
    section(ui, "Captures");
    field(ui, "Private mode", |ui| {
        ui.checkbox(&mut settings.private_mode, "Keep captures in memory only");
        hint(ui, "Takes effect at the next start. The running capture stays where it is.");
    });
    field(ui, "Keep for", |ui| {
        ui.horizontal(|ui| {
            let drag = DragValue::new(&mut settings.keep_days).range(0..=3650).suffix(" days");
            ui.add(drag).accessible_name("Days to keep captures");
            if settings.keep_days == 0 {
                ui.label("for ever");
            }
        });
        hint(
            ui,
            "Older captures in the folder below are deleted when the program starts. Saved copies elsewhere stay.",
        );
    });
    field(ui, "Folder", |ui| match scene.captures {
        Some(folder) => {
            ui.horizontal(|ui| {
                let path = folder.display().to_string();
                copy_button(ui, "Copy path of the captures", || path.clone());
                ui.add(Label::new(RichText::new(&path).font(font::small_data())).truncate());
            });
            if let Some((files, bytes)) = scene.folder_size {
                hint(ui, &format!("{}, {}", format::plural(files, "capture", "captures"), format::bytes(bytes)));
            }
        }
        None => {
            ui.horizontal(|ui| {
                ui.set_height(space::CONTROL);
                ui.label("In memory only");
            });
            hint(ui, "Nothing of this run is written to disk. Save the capture where it shall stay.");
        }
    });
    field(ui, "Kept sessions", |ui| {
        let kept = settings.kept.len();
        ui.horizontal(|ui| {
            ui.label(format!("{kept} of at most {KEPT}"));
            ui.add_enabled_ui(kept > 0, |ui| {
                if button(ui, Some(Icon::Trash), "Forget all", Weight::Quiet).clicked() {
                    acts.push(Act::ForgetKept);
                }
            });
        });
        let place = match &scene.book.vault {
            Some(vault) if !vault.lasting => "in memory, until the window closes",
            _ => "in the keyring",
        };
        hint(ui, &format!("They can be resumed: their tokens are {place}. Of more, the oldest are forgotten."));
        if !settings.forget.is_empty() {
            let keys = format::plural(settings.forget.len() as u64, "secret waits", "secrets wait");
            hint(ui, &format!("{keys} to be taken out of the keyring."));
        }
    });
}

fn section(ui: &mut Ui, title: &str) {
    let t = tokens(ui);
    ui.add_space(space::TIGHT);
    ui.label(RichText::new(title).font(font::strong()).color(t.text.strong));
}
