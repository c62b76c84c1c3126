//! The sandbox beside the conversation: state, addresses, sessions, and orders.

use std::collections::HashMap;
use std::time::Duration;

use egui::{CollapsingHeader, ComboBox, Context, Label, RichText, ScrollArea, TextEdit, Ui, Window, vec2};

use super::order_forms::{FORMS, Kind, OrderForm, build, first};
use super::{hint, steady};
use crate::engine::{Command, SandboxState};
use crate::model::Mono;
use crate::sandbox::{Faults, Ready, Status};
use crate::ui::app::{Act, Acts, Scene};
use crate::ui::format;
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{Icon, Tone, Weight, badge, button, copy_button, report_card};

#[derive(Debug, Default)]
pub struct SandboxPanel {
    pub open: bool,
    /// What stands in the fields of each order.
    values: HashMap<&'static str, Vec<String>>,
    problem: Option<(&'static str, String)>,
    /// When it was last asked how it stands.
    asked: Option<Mono>,
}

/// While the panel is open, the sandbox is asked so often.
const ASK: Duration = Duration::from_secs(1);

impl SandboxPanel {
    /// Paints the panel as a window beside everything else, so that what an order does can be watched.
    pub fn paint(&mut self, ctx: &Context, scene: &Scene<'_>, acts: &mut Acts) {
        if scene.book.sandbox_environment().is_some() {
            if self.asked.is_none_or(|at| scene.now.mono.since(at) >= ASK) {
                self.asked = Some(scene.now.mono);
                acts.push(Act::Engine(Box::new(Command::AskSandbox)));
            }
            ctx.request_repaint_after(ASK);
        }
        let mut open = self.open;
        let screen = ctx.content_rect();
        Window::new("Sandbox")
            .open(&mut open)
            .default_pos(screen.right_top() + vec2(-388.0, 84.0))
            .default_width(380.0)
            .default_height((screen.height() - 170.0).clamp(240.0, 740.0))
            .min_width(320.0)
            .collapsible(false)
            .show(ctx, |ui| {
                ScrollArea::vertical().id_salt("sandbox").auto_shrink([false, false]).show(ui, |ui| {
                    self.body(ui, scene, acts);
                });
            });
        self.open = open;
    }

    fn body(&mut self, ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) {
        ui.spacing_mut().item_spacing.y = space::SMALL;
        match &scene.book.sandbox {
            SandboxState::Stopped => {
                hint(
                    ui,
                    "A server on this computer's loopback interface that speaks the server's side of the protocol.",
                );
                if button(ui, Some(Icon::Play), "Start sandbox", Weight::Primary).clicked() {
                    acts.push(Act::Sandbox(true));
                }
            }
            SandboxState::Starting => {
                ui.horizontal(|ui| {
                    ui.spinner();
                    ui.label("Starting…");
                });
            }
            SandboxState::Failed(report) => {
                report_card(ui, report, Tone::Red, None, false);
                if button(ui, Some(Icon::Play), "Try again", Weight::Primary).clicked() {
                    acts.push(Act::Sandbox(true));
                }
            }
            SandboxState::Running { ready, .. } => {
                ui.horizontal(|ui| {
                    badge(ui, Some(Icon::Dot), "running", Tone::Ok);
                    if button(ui, Some(Icon::Stop), "Stop", Weight::Quiet).clicked() {
                        acts.push(Act::Sandbox(false));
                    }
                });
                addresses(ui, ready);
                if let Some(status) = &scene.book.sandbox_status {
                    sessions(ui, status);
                    super::sandbox_flows::paint(ui, &status.flows, acts);
                    faults(ui, &status.faults, acts);
                }
                self.orders(ui, scene.book.sandbox_status.as_ref(), acts);
            }
        }
    }

    fn orders(&mut self, ui: &mut Ui, status: Option<&Status>, acts: &mut Acts) {
        let mut group = "";
        for form in FORMS {
            if form.group != group {
                group = form.group;
                ui.add_space(space::TIGHT);
                ui.label(RichText::new(group).font(font::small_strong()).color(tokens(ui).text.weak));
            }
            steady(ui, form.key, |ui| self.order(ui, form, status, acts));
        }
    }

    fn order(&mut self, ui: &mut Ui, form: &'static OrderForm, status: Option<&Status>, acts: &mut Acts) {
        if form.fields.is_empty() {
            if button(ui, None, form.title, Weight::Normal).on_hover_text(form.about).clicked() {
                self.give(form, acts);
            }
            return;
        }
        let header = CollapsingHeader::new(form.title).id_salt(form.key);
        let shown = header.show(ui, |ui| {
            hint(ui, form.about);
            let usual = || form.fields.iter().map(|f| first(f.kind)).collect();
            let values = self.values.entry(form.key).or_insert_with(usual);
            for (field, value) in form.fields.iter().zip(values) {
                ui.horizontal(|ui| {
                    ui.allocate_ui(vec2(130.0, space::CONTROL), |ui| {
                        ui.set_min_width(130.0);
                        ui.add(Label::new(field.title).truncate());
                    });
                    one(ui, &format!("{}: {}", form.title, field.title), field.kind, value, status);
                });
            }
            if let Some((_, problem)) = self.problem.as_ref().filter(|(key, _)| *key == form.key) {
                ui.label(RichText::new(problem).small().color(tokens(ui).red.ink));
            }
            if button(ui, None, form.title, Weight::Normal).clicked() {
                self.give(form, acts);
            }
        });
        // Open, it says so below its title.
        if shown.body_response.is_none() {
            shown.header_response.on_hover_text(form.about);
        }
    }

    fn give(&mut self, form: &'static OrderForm, acts: &mut Acts) {
        let none = Vec::new();
        let values = self.values.get(form.key).unwrap_or(&none);
        match build(form, values) {
            Ok(order) => {
                self.problem = None;
                acts.push(Act::Engine(Box::new(Command::Order { order })));
            }
            Err(problem) => self.problem = Some((form.key, problem)),
        }
    }
}

fn one(ui: &mut Ui, name: &str, kind: Kind, value: &mut String, status: Option<&Status>) {
    let words: Vec<(String, String)> = match kind {
        Kind::Switch(_) => {
            let mut on = value == "true";
            if ui.checkbox(&mut on, "").accessible_name(name).changed() {
                *value = on.to_string();
            }
            return;
        }
        Kind::Maybe => [("", "leave"), ("true", "yes"), ("false", "no")].map(|(v, t)| (v.into(), t.into())).to_vec(),
        Kind::Word(words) => {
            words.iter().map(|w| ((*w).into(), if w.is_empty() { "leave" } else { w }.into())).collect()
        }
        Kind::Session => {
            let mut words: Vec<_> = vec![(String::new(), "not named".to_owned())];
            words.extend(status.into_iter().flat_map(nameable));
            words
        }
        Kind::Json(_) => {
            let edit = TextEdit::multiline(value).font(font::small_data()).desired_rows(3);
            ui.add(edit.desired_width(ui.available_width())).accessible_name(name);
            return;
        }
        _ => {
            let width = if matches!(kind, Kind::Text(_) | Kind::Optional(_)) { ui.available_width() } else { 90.0 };
            ui.add(TextEdit::singleline(value).desired_width(width)).accessible_name(name);
            return;
        }
    };
    let shown = words.iter().find(|(v, _)| v == value).map_or(value.clone(), |(_, t)| t.clone());
    ComboBox::new(("word", name), "")
        .selected_text(shown)
        .width(120.0)
        .show_ui(ui, |ui| {
            for (v, text) in words {
                ui.selectable_value(value, v, text);
            }
        })
        .response
        .accessible_name(name);
}

/// Sessions, contacts with a socket and guests: whatever an order can be about, and how it is shown.
fn nameable(status: &Status) -> Vec<(String, String)> {
    let sessions = status.sessions.iter().map(|g| (g.id.clone(), g.id.clone()));
    let contacts = status.flows.contacts.iter().filter(|c| !c.id.is_empty()).map(|c| (&c.id, c.contact.as_str()));
    let guests = status.flows.guests.iter().map(|g| (&g.id, g.name.as_str()));
    let of_flows = contacts.chain(guests).map(|(id, what)| (id.clone(), format!("{id} · {what}")));
    sessions.chain(of_flows).collect()
}

fn addresses(ui: &mut Ui, ready: &Ready) {
    CollapsingHeader::new("Addresses").show(ui, |ui| {
        for (name, value) in [
            ("guest_socket", &ready.guest_socket),
            ("api", &ready.api),
            ("login", &ready.login),
            ("cdn", &ready.cdn),
            ("streaming", &ready.streaming),
            ("control", &ready.control),
            ("deployment_id", &ready.deployment_id),
            ("client_id", &ready.client_id),
            ("queue_id", &ready.queue_id),
        ] {
            ui.horizontal(|ui| {
                copy_button(ui, &format!("Copy {name}"), || value.clone());
                ui.add(Label::new(RichText::new(name).small()).truncate());
                ui.add(Label::new(RichText::new(value).font(font::small_data())).truncate());
            });
        }
    });
}

fn sessions(ui: &mut Ui, status: &Status) {
    let title = format::plural(status.sessions.len() as u64, "session", "sessions");
    CollapsingHeader::new(title).id_salt("sessions").show(ui, |ui| {
        egui::Grid::new("guests").num_columns(4).striped(true).spacing([12.0, 3.0]).show(ui, |ui| {
            for g in &status.sessions {
                ui.label(&g.id);
                ui.label(&g.state);
                ui.label(format::plural(g.messages, "message", "messages"));
                ui.label(format::plural(g.connections.len() as u64, "connection", "connections"));
                ui.end_row();
            }
        });
    });
}

/// What is at work now, in words.
pub fn at_work(f: &Faults) -> Vec<String> {
    let mut out = Vec::new();
    let mut count = |n: u32, text: String| {
        if n > 0 {
            out.push(text);
        }
    };
    count(f.refuse_sends, format!("next {} messages refused with {}", f.refuse_sends, f.refuse_code));
    count(f.rate_limit_sends, format!("next {} messages answered with 429", f.rate_limit_sends));
    count(f.refuse_guest_auth, format!("next {} sign-ins refused with {}", f.refuse_guest_auth, f.guest_auth_code));
    count(f.drop_echo, format!("next {} echoes dropped", f.drop_echo));
    count(f.duplicate, format!("next {} frames doubled", f.duplicate));
    count(f.reorder, format!("{} frames held for reordering", f.reorder));
    count(f.malformed, format!("next {} frames cut", f.malformed));
    count(f.delay_millis, format!("frames delayed by {} ms", f.delay_millis));
    let held = f.hold_session_response_millis;
    count(held, format!("SessionResponse held for {held} ms"));
    count(f.refuse_upgrades, format!("next {} upgrades refused with {}", f.refuse_upgrades, f.upgrade_status));
    count(f.refuse_requests, format!("next {} requests refused with {}", f.refuse_requests, f.request_status));
    for r in &f.refusals {
        count(r.count, format!("next {} requests to …{}… refused with {}", r.count, r.path, r.status));
    }
    for s in &f.slow {
        count(s.count, format!("next {} requests answered {} ms late", s.count, s.millis));
    }
    count(f.expire_before_commit, format!("next {} messages never committed", f.expire_before_commit));
    count(f.use_keys, format!("next {} idempotency keys used up", f.use_keys));
    count(f.break_handshakes, format!("next {} handshakes broken", f.break_handshakes));
    let early = f.refuse_session_tokens_after;
    count(early, format!("session tokens refused after {early} s"));
    count(u32::from(f.reject_upload), format!("uploads fail with {}", f.reject_upload));
    count(f.clock_skew_seconds.unsigned_abs(), format!("clock wrong by {} s", f.clock_skew_seconds));
    count(u32::from(f.stop_pongs), "pings unanswered".into());
    count(u32::from(f.stall), "sockets not read".into());
    count(u32::from(f.partner_paused), "partner quiet".into());
    out
}

fn faults(ui: &mut Ui, faults: &Faults, acts: &mut Acts) {
    let list = at_work(faults);
    if list.is_empty() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        for text in list {
            badge(ui, Some(Icon::Scissors), &text, Tone::Amber);
        }
    });
    if button(ui, None, "End all faults and sessions", Weight::Normal).clicked() {
        acts.push(Act::Engine(Box::new(Command::Order { order: crate::sandbox::Order::Reset })));
    }
}
