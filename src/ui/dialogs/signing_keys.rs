//! The keys that sign guest tokens: made, imported, exported, rotated.

use std::time::Duration;

use egui::{Label, RichText, TextEdit, Ui};

use super::session::Masked;
use super::{Confirm, field, field_of, hint, text, under};
use crate::engine::{Command, KeyOrder};
use crate::model::{Environment, KeyInfo, KeyState, Now, Secret};
use crate::ui::app::{Act, Acts, FilePurpose, Scene};
use crate::ui::format;
use crate::ui::settings::SANDBOX;
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{Icon, Tone, Weight, badge, button};

#[derive(Debug)]
pub struct SigningKeys {
    environment: Environment,
    kid: String,
    /// How long the key before stays good; none until it is retired by hand.
    overlap_minutes: u32,
    pasted: Masked,
    /// Keys that there were when `kid` was proposed.
    known: Option<usize>,
}

impl SigningKeys {
    pub fn new(environment: Environment) -> Self {
        Self { environment, kid: String::new(), overlap_minutes: 0, pasted: Masked::default(), known: None }
    }

    pub fn paint(&mut self, ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) -> bool {
        let sandbox = self.environment.id == SANDBOX;
        let stored = scene.settings.environment(&self.environment.id);
        let keys: &[KeyInfo] = match stored {
            _ if sandbox => &scene.book.sandbox_keys,
            Some(environment) => &environment.signing_keys,
            None => &[],
        };
        // The engine works on what is stored, not on what was stored when this opened.
        self.environment.signing_keys = keys.to_vec();
        ui.label(RichText::new(format!("Environment: {}", self.environment.name)).font(font::strong()));
        if sandbox {
            hint(ui, "The sandbox's keys live in memory and are registered with it at once; they go with it.");
        } else {
            hint(ui, "Private parts live in the keyring. Give the public part to the administrator of the other side.");
        }
        ui.add_space(space::NORMAL);
        for (n, key) in keys.iter().enumerate().rev() {
            ui.push_id(n, |ui| self.row(ui, key, scene.now, scene.settings.utc, acts));
        }
        if keys.is_empty() {
            ui.label("There is no key yet. Make one, or import one that you have.");
        }
        ui.add_space(space::NORMAL);
        ui.separator();
        self.propose(keys, scene.now);
        self.add(ui, scene.book.keys_pending, acts);
        false
    }

    fn row(&self, ui: &mut Ui, key: &KeyInfo, now: Now, utc: bool, acts: &mut Acts) {
        let t = tokens(ui);
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(&key.kid).font(font::data()).color(t.text.strong));
            match key.state {
                KeyState::Active => badge(ui, Some(Icon::Check), "signs", Tone::Accent),
                KeyState::Overlapping { .. } if key.is_good(now.wall) => badge(ui, None, "still good", Tone::Plain),
                _ => badge(ui, Some(Icon::Cross), "retired", Tone::Dead),
            };
            let until = match key.state {
                KeyState::Overlapping { until: Some(until) } => format!(" · until {}", format::full_time(until, utc)),
                _ => String::new(),
            };
            ui.label(RichText::new(format!("made {}{until}", format::day_and_time(key.made, utc))).small());
        });
        ui.horizontal_wrapped(|ui| {
            let kid = || key.kid.clone();
            if button(ui, Some(Icon::Copy), "Copy public key", Weight::Quiet).clicked() {
                acts.push(Act::Copy(key.public_pem.clone()));
            }
            if button(ui, None, "Export public key…", Weight::Quiet).clicked() {
                acts.push(Act::AskFile(self.file(kid(), false)));
            }
            if button(ui, None, "Export private key…", Weight::Quiet).clicked() {
                acts.push(Act::Ask(Confirm::ExportPrivateKey(self.file(kid(), true))));
            }
            if key.state != KeyState::Active {
                if button(ui, None, "Let it sign", Weight::Quiet).clicked() {
                    self.order(KeyOrder::Activate { kid: kid(), overlap: self.overlap() }, acts);
                }
                if key.state != KeyState::Retired && button(ui, None, "Retire", Weight::Quiet).clicked() {
                    self.order(KeyOrder::Retire { kid: kid() }, acts);
                }
                if button(ui, Some(Icon::Trash), "Delete", Weight::Quiet).clicked() {
                    self.order(KeyOrder::Delete { kid: kid() }, acts);
                }
            }
        });
    }

    fn add(&mut self, ui: &mut Ui, pending: bool, acts: &mut Acts) {
        text(ui, "Key id (kid)", &mut self.kid, "key-2026-01-06");
        field(ui, "Previous key", |ui| {
            let drag = egui::DragValue::new(&mut self.overlap_minutes).suffix(" min").range(0..=525_600);
            ui.add(drag).accessible_name("Previous key stays good");
            hint(ui, "How long it stays good beside the new one; 0 until it is retired by hand.");
        });
        field(ui, "Private key", |ui| {
            let edit = TextEdit::multiline(&mut self.pasted.0).password(true).desired_rows(2);
            let edit = edit.hint_text("-----BEGIN PRIVATE KEY-----");
            ui.add(edit.desired_width(super::field_width(ui))).accessible_name("Private key");
        });
        under(ui, "Only to import one: PKCS#8 in PEM. It goes to the keyring, never into a file.");
        field_of(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                if pending {
                    ui.spinner();
                    ui.add(Label::new("Working on the keys…"));
                    return;
                }
                let overlap = self.overlap();
                if button(ui, Some(Icon::Plus), "Make a key", Weight::Primary).clicked() {
                    self.order(KeyOrder::Generate { kid: self.kid.trim().to_owned(), overlap }, acts);
                }
                let pasted = !self.pasted.0.trim().is_empty();
                ui.add_enabled_ui(pasted, |ui| {
                    if button(ui, None, "Import what is pasted", Weight::Normal).clicked() {
                        let pem = Secret::new(std::mem::take(&mut self.pasted.0));
                        self.order(KeyOrder::Import { kid: self.kid.trim().to_owned(), pem, overlap }, acts);
                    }
                });
                if button(ui, Some(Icon::Folder), "Import a file…", Weight::Normal).clicked() {
                    acts.push(Act::AskFile(FilePurpose::ImportKey {
                        environment: self.environment.id.clone(),
                        kid: self.kid.trim().to_owned(),
                        overlap,
                    }));
                }
            });
        });
    }

    fn overlap(&self) -> Option<Duration> {
        (self.overlap_minutes > 0).then(|| Duration::from_secs(u64::from(self.overlap_minutes) * 60))
    }

    fn order(&self, order: KeyOrder, acts: &mut Acts) {
        acts.push(Act::Engine(Box::new(Command::Keys { environment: Box::new(self.environment.clone()), order })));
    }

    fn file(&self, kid: String, private: bool) -> FilePurpose {
        FilePurpose::ExportKey { environment: self.environment.id.clone(), kid, private }
    }

    /// Fills in a kid that is free, whenever the keys have changed.
    fn propose(&mut self, keys: &[KeyInfo], now: Now) {
        if self.known == Some(keys.len()) {
            return;
        }
        self.known = Some(keys.len());
        let day: String = now.wall.rfc3339().chars().take(10).collect();
        let taken = |kid: &str| keys.iter().any(|k| k.kid == kid);
        let first = format!("key-{day}");
        let more = (2..1000).map(|n| format!("{first}-{n}"));
        self.kid = std::iter::once(first.clone()).chain(more).find(|kid| !taken(kid)).unwrap_or(first);
    }
}
