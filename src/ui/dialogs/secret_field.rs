//! A field for a secret that goes to the keyring, and what became of it.

use egui::{TextEdit, Ui};

use super::environment_form::{beside, warn};
use super::session::Masked;
use super::{field, field_of, under};
use crate::model::Secret;
use crate::ui::app::{Act, Acts, Keeping, Scene};

#[derive(Debug, Default)]
pub struct SecretField {
    /// A new one; empty leaves what the vault holds as it is.
    pub value: Masked,
    forget: bool,
    /// What stands in the field is with the keyring.
    sent: bool,
}

impl SecretField {
    /// Something was typed, or is to be forgotten, that was not saved.
    pub fn is_unsaved(&self) -> bool {
        self.forget || !self.sent && !self.value.0.trim().is_empty()
    }

    /// The keyring has it; where another one was typed meanwhile, that one stays.
    pub fn kept(&mut self) {
        if std::mem::take(&mut self.sent) {
            self.value = Masked::default();
        }
    }

    /// Hands it to the keyring, or has the kept one forgotten. True where something is on its way there.
    pub fn save(&mut self, key: String, acts: &mut Acts) -> bool {
        if !self.value.0.trim().is_empty() {
            // It stays in the field until the keyring has it.
            acts.push(Act::KeepSecret(key, Secret::new(self.value.0.trim().to_owned())));
            self.sent = true;
            return true;
        }
        if std::mem::take(&mut self.forget) {
            acts.push(Act::ForgetSecret(key));
        }
        false
    }

    /// `stored`: the environment was saved before, so that an earlier run may have kept one.
    pub fn paint(&mut self, ui: &mut Ui, name: &str, key: &str, stored: bool, scene: &Scene<'_>) {
        let keeping = scene.book.secrets.get(key);
        let lasting = scene.book.vault.as_ref().is_none_or(|v| v.lasting);
        // Of an earlier run there is something only in a keyring.
        let earlier = lasting && stored;
        let kept = keeping.is_some() || (earlier && !scene.settings.forget.iter().any(|k| k == key));
        field(ui, name, |ui| {
            ui.horizontal_wrapped(|ui| {
                let width = beside(ui, 150.0);
                let hint = if kept { "unchanged" } else { "none kept" };
                let edit = TextEdit::singleline(&mut self.value.0).password(true).hint_text(hint).desired_width(width);
                if ui.add(edit).accessible_name(name).changed() {
                    self.sent = false;
                }
                if kept {
                    ui.checkbox(&mut self.forget, "Forget the kept one");
                }
            });
        });
        match keeping {
            Some(Keeping::Waiting) if lasting => under(ui, "The keyring is asked to keep it…"),
            Some(Keeping::Waiting) => under(ui, "It is on its way into memory…"),
            Some(Keeping::Failed(report)) => {
                field_of(ui, |ui| warn(ui, &format!("{}: {}", report.title, report.what)));
            }
            Some(Keeping::Kept) if lasting => under(ui, "The secret is kept."),
            Some(Keeping::Kept) => under(ui, "The secret is kept in memory until the window closes."),
            None if !lasting => {
                under(ui, "No keyring is used: a secret is kept in memory until the window closes, never in a file.");
            }
            None => under(ui, "The secret goes to the keyring, never into a file."),
        }
    }
}
