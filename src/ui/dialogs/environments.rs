//! The environments: a list at the left, the form of the chosen one at the right.

use std::mem::{Discriminant, discriminant};
use std::path::Path;

use egui::{Align, Label, Response, RichText, ScrollArea, Ui};

use super::environment_form::Form;
use super::{Confirm, steady};
use crate::model::environment::{proxy_key, split_password};
use crate::model::{Environment, Report};
use crate::ui::app::{Act, Acts, Probe, Scene};
use crate::ui::dialogs::hint;
use crate::ui::settings::{SANDBOX, Settings, new_id};
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{Icon, Tone, Weight, button, report_card};

#[derive(Debug)]
pub struct Environments {
    form: Option<Form>,
    /// The form holds an environment that is not in the list yet.
    creating: bool,
    /// Saved, and not in the list before the next paint.
    saved: bool,
    /// Forms that were left before they were saved, and whether they were new.
    left: Vec<(Form, bool)>,
    /// A test was asked for, and how far it was when it was painted last: what comes is scrolled to, once.
    tested: Option<Discriminant<Probe>>,
}

impl Environments {
    pub fn showing(settings: &Settings) -> Self {
        let first = settings.environment(&settings.chosen).or(settings.environments.first());
        Self::of(first.cloned(), false)
    }

    pub fn creating() -> Self {
        Self::of(Some(fresh()), true)
    }

    fn of(environment: Option<Environment>, creating: bool) -> Self {
        Self { form: environment.map(Form::of), creating, saved: false, left: Vec::new(), tested: None }
    }

    /// Something is filled in that was not saved.
    pub fn is_unsaved(&self, settings: &Settings) -> bool {
        !self.left.is_empty() || self.form.as_ref().is_some_and(|form| is_changed(form, self.creating, settings))
    }

    /// Shows another form; what was not saved of this one can be come back to.
    fn go(&mut self, (form, creating): (Form, bool), settings: &Settings) {
        if let Some(form) = self.form.replace(form)
            && is_changed(&form, self.creating, settings)
        {
            self.left.push((form, self.creating));
        }
        (self.creating, self.saved, self.tested) = (creating, false, None);
    }

    pub fn secret_kept(&mut self, key: &str) {
        if let Some(form) = &mut self.form {
            form.secret_kept(key);
        }
    }

    pub fn ca_file(&mut self, path: &Path) {
        if let Some(form) = &mut self.form {
            form.environment.ca_file = Some(path.display().to_string());
        }
    }

    pub fn paint(&mut self, ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) -> bool {
        let height = (ui.ctx().content_rect().height() - 150.0).clamp(200.0, 640.0);
        let size = egui::vec2(ui.available_width(), height);
        ui.allocate_ui_with_layout(size, egui::Layout::left_to_right(egui::Align::Min), |ui| {
            ui.vertical(|ui| {
                ui.set_width((size.x * 0.26).min(190.0));
                ui.set_height(height);
                self.list(ui, scene);
            });
            ui.separator();
            ui.vertical(|ui| {
                ui.set_height(height);
                self.right(ui, scene, acts, height);
            });
        });
        false
    }

    fn list(&mut self, ui: &mut Ui, scene: &Scene<'_>) {
        if button(ui, Some(Icon::Plus), "New environment", Weight::Normal).clicked() {
            self.go((Form::of(fresh()), true), scene.settings);
        }
        ui.add_space(space::TIGHT);
        ScrollArea::vertical().id_salt("environments").auto_shrink([false, false]).show(ui, |ui| {
            // What was deleted meanwhile is gone.
            self.left.retain(|(form, new)| *new || scene.settings.environment(&form.environment.id).is_some());
            let open = self.form.as_ref().filter(|_| !self.creating).map(|f| f.environment.id.clone());
            let mut next = None;
            for e in &scene.settings.environments {
                let chosen = open.as_deref() == Some(e.id.as_str());
                let left = self.left.iter().position(|(form, _)| form.environment.id == e.id);
                let name = if left.is_some() { format!("{} · not saved", e.name) } else { e.name.clone() };
                if ui.add(egui::Button::selectable(chosen, name).truncate()).clicked() && !chosen {
                    next = Some(left.map_or_else(|| (Form::of(e.clone()), false), |n| self.left.remove(n)));
                }
            }
            let mut new = None;
            for (n, (form, _)) in self.left.iter().enumerate().filter(|(_, (_, creating))| *creating) {
                let name = match form.environment.name.trim() {
                    "" => "New · not saved".to_owned(),
                    name => format!("{name} · not saved"),
                };
                if ui.push_id(n, |ui| ui.add(egui::Button::selectable(false, name).truncate())).inner.clicked() {
                    new = Some(n);
                }
            }
            let next = next.or_else(|| new.map(|n| self.left.remove(n)));
            if let Some(next) = next {
                self.go(next, scene.settings);
            }
            if scene.settings.environments.is_empty() {
                hint(ui, "No deployment yet. The sandbox needs none.");
            }
        });
    }

    fn right(&mut self, ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts, height: f32) {
        let Some(form) = &mut self.form else {
            ui.label("Choose an environment at the left, or make a new one.");
            return;
        };
        ScrollArea::vertical().id_salt("environment").max_height(height - 44.0).auto_shrink([false, false]).show(
            ui,
            |ui| {
                // A form of its own for each: what was typed into another one cannot be brought back here.
                let id = form.environment.id.clone();
                steady(ui, &id, |ui| form.paint(ui, scene, acts));
                let found = steady(ui, "last test", |ui| probe(ui, &scene.book.probe));
                let stage = discriminant(&scene.book.probe);
                if self.tested.as_mut().is_some_and(|t| std::mem::replace(t, stage) != stage) {
                    found.scroll_to_me(Some(Align::Min));
                }
            },
        );
        ui.add_space(space::SMALL);
        ui.horizontal_wrapped(|ui| {
            let problem = form.problem(scene.settings);
            let title = if self.creating { "Create" } else { "Save" };
            ui.add_enabled_ui(problem.is_none(), |ui| {
                let response = button(ui, None, title, Weight::Primary);
                let why = problem.as_ref().map_or("", |r| r.what.as_str());
                if response.on_disabled_hover_text(why).clicked() {
                    (self.creating, self.saved) = (false, true);
                    save(form, scene.book.vault.as_ref().is_none_or(|v| v.lasting), acts);
                }
                if button(ui, Some(Icon::Play), "Test connection", Weight::Normal).clicked() {
                    self.tested = Some(discriminant(&Probe::None));
                    acts.push(Act::Probe(Box::new(form.environment.clone())));
                }
            });
            if !self.creating {
                let environment = form.environment.clone();
                if button(ui, Some(Icon::Copy), "Duplicate", Weight::Quiet).clicked() {
                    let name = format!("{} copy", environment.name);
                    *form = Form::of(Environment { id: new_id(), name, ..environment });
                    self.creating = true;
                } else if button(ui, Some(Icon::Trash), "Delete…", Weight::Quiet).clicked() {
                    let Environment { id, name, .. } = environment;
                    let kept = scene.settings.kept.iter().filter(|k| k.environment_id == id).count();
                    acts.push(Act::Ask(Confirm::DeleteEnvironment { id, name, kept }));
                }
            }
        });
        // What was deleted meanwhile is shown no more.
        let id = &form.environment.id;
        if scene.settings.environment(id).is_some() {
            self.saved = false;
        } else if !self.creating && !self.saved && id != SANDBOX {
            *self = Self::of(scene.settings.environments.first().cloned(), false);
        }
    }
}

fn is_changed(form: &Form, creating: bool, settings: &Settings) -> bool {
    let e = &form.environment;
    let saved =
        if creating { Some(Environment { id: e.id.clone(), ..fresh() }) } else { settings.environment(&e.id).cloned() };
    form.has_unsaved_secrets() || saved.is_some_and(|saved| saved != *e)
}

fn fresh() -> Environment {
    Environment { id: new_id(), region: Some("mypurecloud.com".into()), ..Environment::default() }
}

fn save(form: &mut Form, lasting: bool, acts: &mut Acts) {
    let more = match form.save_secrets(acts) {
        true if lasting => " Its secret is on the way to the keyring.",
        _ => "",
    };
    if let Some((address, value)) = form.environment.proxy.as_deref().and_then(split_password) {
        form.environment.proxy = Some(address);
        let key = proxy_key(&form.environment.id);
        acts.push(Act::KeepSecret(key, value));
    }
    acts.push(Act::SaveEnvironment(Box::new(form.environment.clone())));
    acts.push(Act::Info(format!("Environment “{}” is saved.{more}", form.environment.name)));
}

/// What the last test of the connection found.
fn probe(ui: &mut Ui, probe: &Probe) -> Response {
    ui.scope(|ui| checks(ui, probe)).response
}

fn checks(ui: &mut Ui, probe: &Probe) {
    let t = tokens(ui);
    let checks: &[Result<String, Report>] = match probe {
        Probe::None => return,
        Probe::Running(_) => {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label("Testing the connection…");
            });
            return;
        }
        Probe::Done(checks) => checks,
    };
    ui.add_space(space::NORMAL);
    ui.label(RichText::new("Last test").font(font::strong()));
    for (n, check) in checks.iter().enumerate() {
        ui.push_id(n, |ui| match check {
            Ok(text) => {
                ui.horizontal_top(|ui| {
                    let (rect, _) = ui.allocate_exact_size(egui::Vec2::splat(14.0), egui::Sense::hover());
                    Icon::Check.paint(ui.painter(), rect, t.ok.ink);
                    ui.add(Label::new(text).wrap());
                });
            }
            Err(report) => {
                report_card(ui, report, Tone::Red, None, false);
            }
        });
    }
}
