//! Answers to pickers and forms: which offer, and what is chosen of it.

use std::sync::Arc;

use egui::{ComboBox, Label, RichText, ScrollArea, TextEdit, Ui};

use super::{Action, Composer};
use crate::model::Wall;
use crate::model::happening::Side;
use crate::model::rich::{self, DatePicker, Draft, Field, FormOffer, ListPicker, Offer, Section, Way};
use crate::projection::{Entry, SessionView, What};
use crate::ui::format;
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::text_toggle;

/// How much of the window's height the fields may take before they scroll.
const SHARE: f32 = 0.2;
/// They never take less.
const LEAST: f32 = 44.0;
/// Of the composer, above and below.
const MARGINS: f32 = 28.0;

/// What a bubble of the conversation wants of the composer.
#[derive(Clone, Debug, PartialEq)]
pub enum Pick {
    /// Answer this one.
    Open,
    /// This time of a date picker.
    Slot(String),
    /// This item of a section of a list.
    Item(Box<Section>, String),
}

/// The offers of a conversation, newest first.
pub fn offers(view: &SessionView) -> impl Iterator<Item = &Arc<Entry>> {
    view.conversation.entries.iter().rev().filter(|e| match &e.what {
        What::Message(m) => m.side != Side::Guest && rich::offer(m).is_some(),
        _ => false,
    })
}

/// True where a message of the guest that came over answers this one.
pub fn is_answered(view: &SessionView, id: &str) -> bool {
    let answers = |e: &Arc<Entry>| match &e.what {
        What::Message(m) => m.side == Side::Guest && rich::answers(m) == Some(id),
        _ => false,
    };
    view.conversation.entries.iter().rev().any(answers)
}

/// The entry that the draft answers: the one that was chosen, else the newest offer.
pub(super) fn target(composer: &Composer, view: &SessionView) -> Option<Arc<Entry>> {
    let wanted = &composer.form(Action::Pick).pick;
    let is_it = |e: &Arc<Entry>| matches!(&e.what, What::Message(m) if rich::id_of(m) == wanted);
    let mut all = offers(view).peekable();
    let newest = all.peek().map(|e| Arc::clone(e));
    all.find(|e| is_it(e)).cloned().or(newest)
}

/// A slot's time for people: what goes back as its text.
pub(super) fn label(at: Wall, utc: bool) -> String {
    format!("{}, {}", format::day(at, utc), format::minute(at, utc))
}

/// The choice of the offer, and the fields.
pub(super) fn paint(ui: &mut Ui, c: &mut Composer, view: &SessionView, width: f32) {
    ui.vertical(|ui| {
        ui.set_width(width);
        let Some(entry) = c.target.clone() else {
            let t = tokens(ui);
            let text = "No picker and no form was offered yet. The sandbox's partner offers them at the words “date”, \
                        “list” and “form”.";
            ui.add(Label::new(RichText::new(text).color(t.text.weak)).wrap());
            return;
        };
        let What::Message(message) = &entry.what else { return };
        let (Some(offer), id) = (rich::offer(message), rich::id_of(message).to_owned()) else { return };
        head(ui, c, view, &id, &offer);
        let mut draft = c.form(Action::Pick).picks.get(&id).cloned().unwrap_or_default();
        let before = draft.clone();
        // The panel grows with what asks for room; what asks for none stays as small as it was.
        let left = c.room - (ui.cursor().top() - c.top) - MARGINS;
        let height = (ui.ctx().content_rect().height() * SHARE).min(left).max(LEAST);
        let area = ScrollArea::vertical().id_salt(("pick", &id)).max_height(height).min_scrolled_height(height);
        area.auto_shrink([false, true]).show(ui, |ui| match offer {
            Offer::Date(d) => slots(ui, d, "", &mut draft, c.utc),
            Offer::List(l) => items(ui, l, "", &mut draft),
            Offer::Form(f) => form(ui, f, &mut draft),
        });
        if draft != before {
            let form = c.form_mut(Action::Pick);
            form.pick.clone_from(&id);
            form.picks.insert(id, draft);
        }
    });
}

fn head(ui: &mut Ui, c: &mut Composer, view: &SessionView, id: &str, offer: &Offer<'_>) {
    let name = |message: &crate::model::Message, at: Wall| {
        let title = rich::offer(message).map(|o| o.title().to_owned()).unwrap_or_default();
        let done = if is_answered(view, rich::id_of(message)) { ", answered" } else { "" };
        format!("{} · {}{done}", format::shown(&title), format::minute(at, c.utc))
    };
    let mut all = offers(view).filter_map(|e| match &e.what {
        What::Message(m) => Some((rich::id_of(m).to_owned(), name(m, e.at))),
        _ => None,
    });
    let list: Vec<(String, String)> = all.by_ref().take(20).collect();
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("Answer").small());
        let shown = list.iter().find(|(of, _)| of == id).map_or_else(|| offer.title().to_owned(), |(_, n)| n.clone());
        let mut wanted = None;
        ComboBox::new("offer", "")
            .selected_text(shown)
            .width((ui.available_width() - 40.0).clamp(80.0, 260.0))
            .truncate()
            .show_ui(ui, |ui| {
                for (of, title) in &list {
                    if ui.selectable_label(of == id, title).clicked() {
                        wanted = Some(of.clone());
                    }
                }
            })
            .response
            .accessible_name("Offer to answer");
        if let Some(of) = wanted {
            c.form_mut(Action::Pick).pick = of;
        }
        if matches!(offer, Offer::Date(_)) {
            let mut sdk = c.form(Action::Pick).way == Way::Sdk;
            let tip = "The offer is named with the button (originatingMessageId) instead of in the metadata \
                       (parentMessageId), and the label is the message's text as well.";
            if ui.checkbox(&mut sdk, "As the mobile SDK sends it").on_hover_text(tip).changed() {
                c.form_mut(Action::Pick).way = if sdk { Way::Sdk } else { Way::Messenger };
            }
        }
    });
}

/// Slots by the day that they are on here.
fn slots(ui: &mut Ui, date: &DatePicker, field: &str, draft: &mut Draft, utc: bool) {
    if date.slots.is_empty() {
        ui.label(RichText::new("It offers no time.").color(tokens(ui).text.weak));
    }
    for (day, slots) in rich_days(date, utc) {
        ui.label(RichText::new(&day).font(font::small_strong()));
        ui.horizontal_wrapped(|ui| {
            for slot in slots {
                let mut on = draft.has(field, &slot.time);
                let text = slot.at.map_or_else(|| slot.time.clone(), |at| format::minute(at, utc));
                let button = ui.push_id(&slot.time, |ui| text_toggle(ui, None, &text, &mut on)).inner;
                if button.on_hover_text(slot_tip(slot)).clicked() {
                    draft.set(field, if on { slot.time.as_str() } else { "" });
                }
            }
        });
    }
}

/// Days with their slots, both in their order. What cannot be read as a time stands at the end.
pub fn rich_days(date: &DatePicker, utc: bool) -> Vec<(String, Vec<&rich::Slot>)> {
    let mut slots: Vec<&rich::Slot> = date.slots.iter().collect();
    slots.sort_by_key(|s| (s.at.is_none(), s.at));
    let mut days: Vec<(String, Vec<&rich::Slot>)> = Vec::new();
    for slot in slots {
        let day = slot.at.map_or_else(|| "no time that can be read".to_owned(), |at| format::day(at, utc));
        match days.last_mut() {
            Some((last, all)) if *last == day => all.push(slot),
            _ => days.push((day, vec![slot])),
        }
    }
    days
}

/// The instant as the server wrote it, and how long the slot is.
pub fn slot_tip(slot: &rich::Slot) -> String {
    let long = slot.secs.map(|s| format!("\n{} min", s.div_ceil(60))).unwrap_or_default();
    format!("{}{long}", format::shown(&slot.time))
}

fn items(ui: &mut Ui, list: &ListPicker, field: &str, draft: &mut Draft) {
    for (n, section) in list.sections.iter().enumerate() {
        let kind = if section.multiple { "any" } else { "one" };
        let title = format!("{} ({kind})", format::shown(&section.title));
        ui.push_id(n, |ui| {
            ui.label(RichText::new(title).font(font::small_strong()));
            ui.horizontal_wrapped(|ui| {
                for item in &section.items {
                    let mut on = draft.has(field, &item.id);
                    let text = format::shown(&item.title).into_owned();
                    let response = if section.multiple { ui.checkbox(&mut on, text) } else { ui.radio(on, text) };
                    let tip =
                        if item.subtitle.is_empty() { item.id.clone() } else { format::shown(&item.subtitle).into() };
                    if response.on_hover_text(tip).clicked() {
                        draft.toggle(field, section, &item.id);
                    }
                }
            });
        });
    }
}

fn form(ui: &mut Ui, form: &FormOffer, draft: &mut Draft) {
    for (n, page) in form.pages.iter().enumerate() {
        ui.push_id(n, |ui| {
            if !page.title.is_empty() {
                let several = form.pages.len() > 1;
                let of = if several { format!("Page {}: ", n + 1) } else { String::new() };
                let title = format!("{of}{}", format::shown(&page.title));
                ui.label(RichText::new(title).font(font::small_strong())).on_hover_text(&page.subtitle);
            }
            for (k, one) in page.fields.iter().enumerate() {
                ui.push_id(k, |ui| field(ui, one, draft));
            }
        });
    }
}

fn field(ui: &mut Ui, field: &Field, draft: &mut Draft) {
    let t = tokens(ui);
    let (id, title) = (field.id(), format::shown(field.title()).into_owned());
    let star = if field.is_required() { " *" } else { "" };
    if matches!(field, Field::List(_)) {
        ui.label(RichText::new(&title).small());
        if let Field::List(list) = field {
            items(ui, list, id, draft);
        }
        return;
    }
    ui.horizontal(|ui| {
        let room = (ui.available_width() * 0.32).clamp(70.0, 170.0);
        let label = RichText::new(format!("{title}{star}")).small();
        ui.allocate_ui(egui::vec2(room, space::CONTROL), |ui| {
            ui.set_width(room);
            ui.add(Label::new(label).truncate());
        });
        let width = (ui.available_width() - space::NORMAL).min(360.0);
        match field {
            Field::Input { hint, subtitle, multiline, .. } => {
                let mut text = draft.first(id).to_owned();
                let edit = if *multiline {
                    TextEdit::multiline(&mut text).desired_rows(2)
                } else {
                    TextEdit::singleline(&mut text)
                };
                let response = ui.add(edit.hint_text(hint.as_str()).desired_width(width)).accessible_name(&title);
                let response = if subtitle.is_empty() { response } else { response.on_hover_text(subtitle.as_str()) };
                if response.changed() {
                    draft.set(id, text);
                }
            }
            Field::Date(date) => {
                let mut text = draft.first(id).to_owned();
                let bound = |at: Option<Wall>| at.map_or_else(|| "…".to_owned(), format::day_of);
                let hint = match (date.min, date.max) {
                    (None, None) => "2026-01-31".to_owned(),
                    (min, max) => format!("{} to {}", bound(min), bound(max)),
                };
                let edit = TextEdit::singleline(&mut text).hint_text(hint).desired_width(width.min(200.0));
                if ui.add(edit).accessible_name(&title).changed() {
                    draft.set(id, text);
                }
            }
            Field::Wheel { items, .. } => {
                let chosen = draft.first(id).to_owned();
                let shown = items.iter().find(|i| i.id == chosen).map_or("none", |i| i.title.as_str());
                ComboBox::new(("wheel", id), "")
                    .selected_text(format::shown(shown).into_owned())
                    .width(width.min(200.0))
                    .truncate()
                    .show_ui(ui, |ui| {
                        if ui.selectable_label(chosen.is_empty(), "none").clicked() {
                            draft.set(id, "");
                        }
                        for item in items {
                            if ui.selectable_label(item.id == chosen, format::shown(&item.title).into_owned()).clicked()
                            {
                                draft.set(id, item.id.as_str());
                            }
                        }
                    })
                    .response
                    .accessible_name(&title);
            }
            Field::Other(kind) => {
                let text = format!("a field of kind “{kind}”, not known to this program");
                ui.label(RichText::new(text).small().color(t.amber.ink));
            }
            Field::List(_) => {}
        }
    });
}
