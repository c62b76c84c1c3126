//! The fields of each action.

use egui::{Align, ComboBox, Frame, Layout, RichText, StrokeKind, TextEdit, Ui};

use super::paint::{NEWLINE, send_button, send_width};
use super::{Action, Composer, pick};
use crate::model::DialectId;
use crate::model::environment::Limits;
use crate::model::flows::{RefreshForm, SendForm};
use crate::model::happening::AttachmentState;
use crate::projection::{SessionView, What};
use crate::ui::app::{Act, Acts, FilePurpose};
use crate::ui::commands::Cmd;
use crate::ui::theme::{font, radius, space, tokens};
use crate::ui::widgets::{Icon, Weight, button, disclosure, icon_button};

pub(super) fn paint(
    ui: &mut Ui,
    composer: &mut Composer,
    view: &SessionView,
    limits: &Limits,
    focus: bool,
    acts: &mut Acts,
) {
    let action = composer.action;
    match action {
        Action::Text => {
            let name = if view.dialect() == DialectId::Agent { AGENT } else { "Message" };
            let rows = if composer.is_low() { 1 } else { 2 };
            line(ui, composer, view, acts, |ui, c, width| text_field(ui, c, name, width, rows, false, focus));
            match view.start.as_ref().map(|s| s.dialect).unwrap_or_default() {
                DialectId::WebMessaging => {
                    uploads(ui, composer, view);
                    attributes(ui, composer, limits);
                }
                DialectId::Agent => uploads(ui, composer, view),
                DialectId::SessionToken => send_form(ui, composer),
                _ => {}
            }
        }
        Action::RefreshToken => {
            line(ui, composer, view, acts, |ui, c, _| {
                if view.start.as_ref().is_some_and(|s| s.dialect == DialectId::SessionToken) {
                    refresh_form(ui, c);
                }
            });
        }
        Action::SyncProfile => {
            line(ui, composer, view, acts, profile);
        }
        Action::Request => {
            line(ui, composer, view, acts, |ui, c, width| {
                ui.vertical(|ui| {
                    ui.set_width(width);
                    ui.horizontal(|ui| {
                        method(ui, c);
                        single(ui, c, "Path, from /", width - 100.0, |f| &mut f.path, focus);
                    });
                    text_field(ui, c, "Body, JSON", width, 2, true, false);
                });
            });
        }
        Action::Raw => {
            line(ui, composer, view, acts, |ui, c, width| text_field(ui, c, "Raw frame", width, 5, true, focus));
        }
        Action::QuickReply | Action::Postback => {
            line(ui, composer, view, acts, |ui, c, width| {
                ui.vertical(|ui| {
                    ui.set_width(width);
                    single(ui, c, "Label", width, |f| &mut f.text, focus);
                    single(ui, c, "Payload", width, |f| &mut f.payload, false);
                    if action == Action::QuickReply {
                        let mut on = c.form(action).as_text;
                        if ui.checkbox(&mut on, "As the mobile SDK sends it (type Text, empty text)").changed() {
                            c.form_mut(action).as_text = on;
                        }
                    }
                });
            });
        }
        Action::Pick => line(ui, composer, view, acts, |ui, c, width| pick::paint(ui, c, view, width)),
        Action::Attach => {
            line(ui, composer, view, acts, |ui, c, width| {
                ui.horizontal(|ui| {
                    single(ui, c, "Path of the file", width - 90.0, |f| &mut f.path, focus);
                });
            });
            if button(ui, Some(Icon::Folder), "Choose…", Weight::Normal).clicked() {
                acts.push(Act::AskFile(FilePurpose::Attach(view.id)));
            }
        }
        Action::Configure => flag(ui, composer, view, acts, "Start a new session (startNew)", |f| &mut f.start_new),
        Action::History => flag(ui, composer, view, acts, "All pages, not only the newest", |f| &mut f.all),
        Action::CloseSession => flag(ui, composer, view, acts, "Close all connections of the session", |f| &mut f.all),
        _ => line(ui, composer, view, acts, |_, _, _| {}),
    }
}

/// Fields at the left, the button at the right.
fn line(
    ui: &mut Ui,
    composer: &mut Composer,
    view: &SessionView,
    acts: &mut Acts,
    fields: impl FnOnce(&mut Ui, &mut Composer, f32),
) {
    ui.horizontal_top(|ui| {
        let width = (ui.available_width() - send_width(ui, composer)).max(100.0);
        fields(ui, composer, width);
        ui.with_layout(Layout::right_to_left(Align::Min), |ui| send_button(ui, composer, view.id, acts));
    });
}

fn flag(
    ui: &mut Ui,
    composer: &mut Composer,
    view: &SessionView,
    acts: &mut Acts,
    text: &str,
    field: impl Fn(&mut super::Form) -> &mut bool,
) {
    line(ui, composer, view, acts, |ui, c, _| {
        let action = c.action;
        let mut form = c.form(action).clone();
        if ui.checkbox(field(&mut form), text).changed() {
            *c.form_mut(action) = form;
        }
    });
}

/// Name of the field in which an agent writes.
const AGENT: &str = "Message of the agent";

fn text_field(ui: &mut Ui, c: &mut Composer, name: &str, width: f32, rows: usize, mono: bool, focus: bool) {
    let action = c.action;
    let mut text = c.form(action).text.clone();
    let hint = match mono {
        true => "{\"action\":\"echo\", …}".to_owned(),
        false => {
            let who = if name == AGENT { "agent" } else { "guest" };
            format!("Write as the {who} ({} sends)", Cmd::Send.entry().key_text(ui.ctx()))
        }
    };
    let margin = ui.spacing().button_padding;
    let edit = TextEdit::multiline(&mut text)
        .id_salt(("composer", name))
        .hint_text(hint)
        .frame(Frame::NONE)
        .font(if mono { font::data() } else { font::body() })
        .desired_rows(rows)
        .desired_width(width - 2.0 * margin.x)
        .return_key(NEWLINE);
    // The edge stands around what scrolls: inside, it would scroll away with the text.
    let field = Frame::new().fill(ui.visuals().text_edit_bg_color()).corner_radius(radius::NORMAL).inner_margin(margin);
    let shown = field.show(ui, |ui| {
        let area = egui::ScrollArea::vertical().id_salt(("composer-scroll", name)).max_height(8.0 * 18.0);
        area.show(ui, |ui| ui.add(edit)).inner.accessible_name(name)
    });
    let response = shown.inner;
    let visuals = ui.visuals();
    let edge = if response.has_focus() { visuals.selection.stroke } else { visuals.widgets.style(&response).bg_stroke };
    ui.painter().rect_stroke(shown.response.rect, radius::NORMAL, edge, StrokeKind::Inside);
    if focus {
        response.request_focus();
    }
    if response.changed() {
        c.typed |= action == Action::Text && !text.is_empty();
        c.form_mut(action).text = text;
    }
}

fn single(
    ui: &mut Ui,
    c: &mut Composer,
    name: &str,
    width: f32,
    field: impl Fn(&mut super::Form) -> &mut String,
    focus: bool,
) {
    let action = c.action;
    let mut form = c.form(action).clone();
    let edit = TextEdit::singleline(field(&mut form)).hint_text(name).desired_width(width);
    let response = ui.add(edit).accessible_name(name);
    if focus {
        response.request_focus();
    }
    if response.changed() {
        *c.form_mut(action) = form;
    }
}

/// The disputed form of a message: the session's own, or another for this message.
fn send_form(ui: &mut Ui, c: &mut Composer) {
    let chosen = c.form(Action::Text).send_form;
    let title = chosen.map_or("As the session says", SendForm::title);
    ui.horizontal(|ui| {
        ui.label(RichText::new("Form").small());
        ComboBox::new("send-form", "")
            .selected_text(title)
            .width(ui.available_width().min(320.0))
            .truncate()
            .show_ui(ui, |ui| {
                let mut set = None;
                if ui.selectable_label(chosen.is_none(), "As the session says").clicked() {
                    set = Some(None);
                }
                for form in SendForm::ALL {
                    if ui.selectable_label(chosen == Some(form), form.title()).clicked() {
                        set = Some(Some(form));
                    }
                }
                if let Some(form) = set {
                    c.form_mut(Action::Text).send_form = form;
                }
            })
            .response
            .accessible_name("Form of the message");
    });
}

fn refresh_form(ui: &mut Ui, c: &mut Composer) {
    let chosen = c.form(Action::RefreshToken).refresh_form;
    let title = chosen.map_or("As the session says", RefreshForm::title);
    ComboBox::new("refresh-form", "")
        .selected_text(title)
        .width(240.0)
        .truncate()
        .show_ui(ui, |ui| {
            let mut set = None;
            if ui.selectable_label(chosen.is_none(), "As the session says").clicked() {
                set = Some(None);
            }
            for form in RefreshForm::ALL {
                if ui.selectable_label(chosen == Some(form), form.title()).clicked() {
                    set = Some(Some(form));
                }
            }
            if let Some(form) = set {
                c.form_mut(Action::RefreshToken).refresh_form = form;
            }
        })
        .response
        .accessible_name("Form of the refresh");
}

fn method(ui: &mut Ui, c: &mut Composer) {
    const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
    let now = c.form(Action::Request).method.clone();
    let shown = if now.is_empty() { "GET" } else { &now };
    ComboBox::new("method", "")
        .selected_text(shown)
        .width(80.0)
        .show_ui(ui, |ui| {
            for method in METHODS {
                if ui.selectable_label(shown == method, method).clicked() {
                    c.form_mut(Action::Request).method = method.to_owned();
                }
            }
        })
        .response
        .accessible_name("Method");
}

/// Attributes of the guest's profile, the usual ones proposed.
fn profile(ui: &mut Ui, c: &mut Composer, width: f32) {
    if c.form(Action::SyncProfile).attributes.is_empty() {
        let usual = ["external_provider_id", "external_email", "delegation_verified"];
        c.form_mut(Action::SyncProfile).attributes = usual.map(|name| (name.to_owned(), String::new())).to_vec();
    }
    let mut form = c.form(Action::SyncProfile).clone();
    ui.vertical(|ui| {
        ui.set_width(width);
        if pairs(ui, &mut form.attributes) {
            *c.form_mut(Action::SyncProfile) = form;
        }
    });
}

/// Files that were uploaded and not sent yet.
fn uploads(ui: &mut Ui, composer: &mut Composer, view: &SessionView) {
    let ready: Vec<(&str, &str)> = view
        .conversation
        .entries
        .iter()
        .filter_map(|e| match &e.what {
            What::Upload { id, name, state: AttachmentState::Uploaded, .. } => Some((id.as_str(), name.as_str())),
            _ => None,
        })
        .collect();
    let chosen = &composer.form(Action::Text).attachments;
    if chosen.iter().any(|id| !ready.iter().any(|(r, _)| r == id)) {
        composer.form_mut(Action::Text).attachments.retain(|id| ready.iter().any(|(r, _)| r == id));
    }
    if ready.is_empty() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("Send with it:").small());
        for (id, name) in ready {
            let mut on = composer.form(Action::Text).attachments.iter().any(|a| a == id);
            if ui.checkbox(&mut on, format!("File {name}")).changed() {
                let list = &mut composer.form_mut(Action::Text).attachments;
                list.retain(|a| a != id);
                if on {
                    list.push(id.to_owned());
                }
            }
        }
    });
}

/// Opens and closes the custom attributes, and says how many there are.
pub(super) fn attributes_toggle(ui: &mut Ui, composer: &mut Composer, limits: &Limits) {
    let form = composer.form(Action::Text);
    let (used, rows) = (form.attribute_bytes(), form.attributes.len());
    let title = if used == 0 { "Attributes".to_owned() } else { format!("Attributes: {rows}, {used} B") };
    let mut open = composer.show_attributes;
    let tip = format!("Custom attributes sent with the message: {used} of {} bytes", limits.attribute_bytes);
    ui.scope(|ui| ui.push_id("attributes", |ui| disclosure(ui, &title, &mut open))).response.on_hover_text(tip);
    if open && !composer.show_attributes && rows == 0 {
        composer.form_mut(Action::Text).attributes.push(Default::default());
    }
    composer.show_attributes = open;
}

/// Custom attributes as rows of key and value.
fn attributes(ui: &mut Ui, composer: &mut Composer, limits: &Limits) {
    if !composer.show_attributes {
        return;
    }
    let t = tokens(ui);
    let used = composer.form(Action::Text).attribute_bytes();
    let color = if used > limits.attribute_bytes as usize { t.red.ink } else { t.text.weak };
    let text = format!("Custom attributes: {used} of {} bytes", limits.attribute_bytes);
    ui.label(RichText::new(text).small().color(color));
    let mut form = composer.form(Action::Text).clone();
    if pairs(ui, &mut form.attributes) {
        *composer.form_mut(Action::Text) = form;
    }
}

/// Rows of key and value. True where one was changed.
fn pairs(ui: &mut Ui, attributes: &mut Vec<(String, String)>) -> bool {
    let mut changed = false;
    let mut gone = None;
    egui::ScrollArea::vertical().id_salt("attributes").max_height(110.0).show(ui, |ui| {
        for (n, (key, value)) in attributes.iter_mut().enumerate() {
            ui.horizontal(|ui| {
                let half = ((ui.available_width() - 40.0) / 2.0).clamp(60.0, 260.0);
                let number = n + 1;
                let edit = TextEdit::singleline(key).hint_text("key").desired_width(half - space::NORMAL);
                changed |= ui.add(edit).accessible_name(format!("Key of attribute {number}")).changed();
                let edit = TextEdit::singleline(value).hint_text("value").desired_width(half);
                changed |= ui.add(edit).accessible_name(format!("Value of attribute {number}")).changed();
                if icon_button(ui, Icon::Cross, &format!("Remove attribute {number}")).clicked() {
                    gone = Some(n);
                }
            });
        }
    });
    if let Some(n) = gone {
        attributes.remove(n);
        changed = true;
    }
    if button(ui, Some(Icon::Plus), "Add attribute", Weight::Quiet).clicked() {
        attributes.push(Default::default());
        changed = true;
    }
    changed
}
