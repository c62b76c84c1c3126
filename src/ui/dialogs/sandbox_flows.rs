//! What the sandbox knows of the unverified flows: conversations, contacts, guests, their keys, and what the CRM was
//! told.

use egui::{CollapsingHeader, Grid, Label, RichText, Ui};

use super::hint;
use crate::sandbox::{CrmEvent, FlowStatus};
use crate::ui::app::{Act, Acts};
use crate::ui::format;
use crate::ui::theme::font;
use crate::ui::widgets::{Icon, icon_button};

/// So many of the newest events are shown; the status tells more.
const EVENTS: usize = 20;

pub(super) fn paint(ui: &mut Ui, flows: &FlowStatus, acts: &mut Acts) {
    let fold =
        |n: usize, one: &str, many: &str| CollapsingHeader::new(format::plural(n as u64, one, many)).id_salt(many);
    if !flows.conversations.is_empty() {
        fold(flows.conversations.len(), "conversation", "conversations").show(ui, |ui| {
            grid(ui, "conversations", |ui| {
                for c in &flows.conversations {
                    name(ui, &c.id, acts);
                    word(ui, &c.flow);
                    word(ui, &c.state);
                    let unit =
                        if c.flow == "managed-conversation" { ["beat", "beats"] } else { ["message", "messages"] };
                    word(ui, &format::plural(c.count, unit[0], unit[1]));
                    ui.end_row();
                }
            });
        });
    }
    if !flows.contacts.is_empty() {
        fold(flows.contacts.len(), "contact", "contacts").show(ui, |ui| {
            grid(ui, "contacts", |ui| {
                for c in &flows.contacts {
                    word(ui, if c.id.is_empty() { "–" } else { &c.id });
                    name(ui, &c.contact, acts);
                    word(ui, &c.flow);
                    word(ui, &format::plural(c.messages, "message", "messages"));
                    ui.end_row();
                }
            });
        });
    }
    if !flows.guests.is_empty() {
        fold(flows.guests.len(), "guest", "guests").show(ui, |ui| {
            grid(ui, "flow guests", |ui| {
                for g in &flows.guests {
                    word(ui, &g.id);
                    name(ui, &g.guest, acts);
                    word(ui, &g.name);
                    word(ui, &format::plural(g.connections.len() as u64, "connection", "connections"));
                    ui.end_row();
                }
            });
        });
    }
    if !flows.guest_keys.is_empty() {
        fold(flows.guest_keys.len(), "guest key", "guest keys").show(ui, |ui| {
            for kid in &flows.guest_keys {
                ui.label(RichText::new(kid).font(font::small_data()));
            }
        });
    }
    if !flows.crm.is_empty() {
        fold(flows.crm.len(), "event at the CRM", "events at the CRM").show(ui, |ui| events(ui, &flows.crm));
    }
    let gone = flows.forgotten;
    if gone > 0 {
        hint(ui, &format!("{} had to go for newer ones.", format::plural(gone, "of these", "of these")));
    }
    if flows.lost_messages > 0 {
        let lost = format::plural(flows.lost_messages, "message was taken", "messages were taken");
        hint(ui, &format!("{lost} and never committed."));
    }
}

/// The newest first.
fn events(ui: &mut Ui, events: &[CrmEvent]) {
    for (n, e) in events.iter().rev().take(EVENTS).enumerate() {
        let kind = e.event.get("event").and_then(|k| k.as_str()).unwrap_or("event");
        let time = e.at.get(11..19).unwrap_or(&e.at);
        CollapsingHeader::new(format!("{time} {kind}")).id_salt(("crm", events.len() - n)).show(ui, |ui| {
            let text = serde_json::to_string_pretty(&e.event).unwrap_or_default();
            ui.add(Label::new(RichText::new(format::shown(&text)).font(font::small_data())).wrap());
        });
    }
    if events.len() > EVENTS {
        hint(ui, &format!("and {} older", events.len() - EVENTS));
    }
}

fn grid(ui: &mut Ui, salt: &str, add: impl FnOnce(&mut Ui)) {
    egui::ScrollArea::horizontal().id_salt(("scroll", salt)).show(ui, |ui| {
        Grid::new(salt).striped(true).spacing([12.0, 3.0]).show(ui, add);
    });
}

fn word(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(format::shown(text)).font(font::small()));
}

/// A long name, cut, with a button that copies the whole.
fn name(ui: &mut Ui, id: &str, acts: &mut Acts) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        if icon_button(ui, Icon::Copy, &format!("Copy {id}")).clicked() {
            acts.push(Act::Copy(id.to_owned()));
        }
        let short: String = id.chars().take(14).collect();
        let cut = if short.len() < id.len() { format!("{short}…") } else { short };
        ui.label(RichText::new(format::shown(&cut)).font(font::small_data())).on_hover_text(id);
    });
}
