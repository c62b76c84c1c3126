//! Pickers and forms that were offered, and what the guest chose. They are answered in the composer.

use egui::{Frame, Label, Margin, RichText, Ui};

use super::lines::mark;
use crate::model::Message;
use crate::model::rich::{self, Chosen, DatePicker, Field, FormOffer, ListPicker, Offer, Prompt};
use crate::projection::SessionView;
use crate::ui::app::{Act, Acts, Scene};
use crate::ui::composer::{Pick, is_answered, rich_days, slot_tip};
use crate::ui::format;
use crate::ui::theme::{font, radius, space, tokens};
use crate::ui::widgets::{Icon, Weight, button};

/// Times of a day that are shown before “more”.
const SHOWN: usize = 12;

pub(super) fn paint(
    ui: &mut Ui,
    message: &Message,
    offer: &Offer<'_>,
    view: &SessionView,
    scene: &Scene<'_>,
    acts: &mut Acts,
) {
    let (t, live) = (tokens(ui), scene.is_live(view.id));
    let id = rich::id_of(message);
    let mut pick = |what| acts.push(Act::Pick { session: view.id, to: id.to_owned(), what });
    Frame::new()
        .fill(t.surface.overlay)
        .stroke((1.0, t.line.normal))
        .corner_radius(radius::NORMAL)
        .inner_margin(Margin::same(8))
        .show(ui, |ui| {
            ui.set_max_width(ui.available_width().min(420.0));
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = space::TIGHT;
                match offer {
                    Offer::Date(date) => {
                        words(ui, &date.title, &date.subtitle);
                        bounds(ui, date, scene);
                        slots(ui, date, scene.settings.utc, live, &mut pick);
                    }
                    Offer::List(list) => {
                        prompt(ui, &list.prompt);
                        items(ui, list, live, &mut pick);
                    }
                    Offer::Form(form) => fields(ui, form),
                }
                let answered = is_answered(view, id);
                ui.horizontal(|ui| {
                    ui.add_enabled_ui(live, |ui| {
                        let verb = if answered { "Answer again…" } else { "Answer…" };
                        if button(ui, None, verb, Weight::Normal).clicked() {
                            pick(Pick::Open);
                        }
                    });
                    if answered {
                        mark(ui, Icon::Check, t.ok.ink);
                        ui.label(RichText::new("answered").small().color(t.ok.ink));
                    }
                });
            });
        });
}

fn words(ui: &mut Ui, title: &str, more: &str) {
    let t = tokens(ui);
    if !title.is_empty() {
        ui.add(Label::new(RichText::new(format::shown(title)).font(font::strong())).wrap());
    }
    if !more.is_empty() {
        ui.add(Label::new(RichText::new(format::shown(more)).color(t.text.normal)).wrap());
    }
}

fn prompt(ui: &mut Ui, prompt: &Prompt) {
    words(ui, &prompt.title, &prompt.subtitle);
}

fn bounds(ui: &mut Ui, date: &DatePicker, scene: &Scene<'_>) {
    let day = |at| format::day(at, scene.settings.utc);
    let text = match (date.min.map(day), date.max.map(day)) {
        (None, None) => return,
        (Some(min), Some(max)) => format!("from {min} to {max}"),
        (Some(min), None) => format!("from {min}"),
        (None, Some(max)) => format!("until {max}"),
    };
    ui.add(Label::new(RichText::new(text).small().color(tokens(ui).text.weak)).wrap());
}

fn slots(ui: &mut Ui, date: &DatePicker, utc: bool, live: bool, pick: &mut impl FnMut(Pick)) {
    let t = tokens(ui);
    if date.slots.is_empty() {
        ui.label(RichText::new("no time is offered").small().color(t.amber.ink));
    }
    for (day, slots) in rich_days(date, utc) {
        ui.label(RichText::new(day).small().color(t.text.weak));
        ui.horizontal_wrapped(|ui| {
            for slot in slots.iter().take(SHOWN) {
                let text = slot.at.map_or_else(|| format::shown(&slot.time).into_owned(), |at| format::minute(at, utc));
                ui.push_id(&slot.time, |ui| {
                    ui.add_enabled_ui(live, |ui| {
                        if button(ui, None, &text, Weight::Normal).on_hover_text(slot_tip(slot)).clicked() {
                            pick(Pick::Slot(slot.time.clone()));
                        }
                    });
                });
            }
            if slots.len() > SHOWN {
                let more = format!("{} more", slots.len() - SHOWN);
                ui.label(RichText::new(more).small().color(t.text.weak));
            }
        });
    }
}

fn items(ui: &mut Ui, list: &ListPicker, live: bool, pick: &mut impl FnMut(Pick)) {
    let t = tokens(ui);
    for (n, section) in list.sections.iter().enumerate() {
        let kind = if section.multiple { "choose any" } else { "choose one" };
        let title = format!("{} · {kind}", format::shown(&section.title));
        ui.label(RichText::new(title).small().color(t.text.weak));
        ui.push_id(n, |ui| {
            ui.horizontal_wrapped(|ui| {
                for (k, item) in section.items.iter().enumerate() {
                    ui.push_id(k, |ui| {
                        ui.add_enabled_ui(live, |ui| {
                            let tip = format!("{}\nId: {}", format::shown(&item.subtitle), item.id);
                            let label = format::shown(&item.title);
                            if button(ui, None, &label, Weight::Normal).on_hover_text(tip.trim_start()).clicked() {
                                pick(Pick::Item(Box::new(section.clone()), item.id.clone()));
                            }
                        });
                    });
                }
            });
        });
    }
}

fn fields(ui: &mut Ui, form: &FormOffer) {
    let t = tokens(ui);
    prompt(ui, &form.prompt);
    if form.introduction.title != form.prompt.title {
        prompt(ui, &form.introduction);
    }
    for page in &form.pages {
        words(ui, &page.title, &page.subtitle);
        for field in &page.fields {
            let kind = match field {
                Field::Input { multiline: true, .. } => "lines",
                Field::Input { .. } => "text",
                Field::Date(_) => "day",
                Field::List(_) => "list",
                Field::Wheel { .. } => "wheel",
                Field::Other(_) => "not known",
            };
            let star = if field.is_required() { ", required" } else { "" };
            ui.horizontal_wrapped(|ui| {
                ui.label(format::shown(field.title()).into_owned());
                ui.label(RichText::new(format!("{kind}{star}")).small().color(t.text.weak));
            });
        }
    }
}

/// The guest's own answer.
pub(super) fn chosen(ui: &mut Ui, chosen: &Chosen, utc: bool) {
    let t = tokens(ui);
    for (n, (field, choice)) in chosen.choices.iter().enumerate() {
        ui.push_id(n, |ui| {
            ui.horizontal_wrapped(|ui| {
                mark(ui, Icon::Check, t.accent);
                let of = if field.is_empty() { String::new() } else { format!("{}: ", format::shown(field)) };
                let text = if choice.text.is_empty() { "nothing" } else { choice.text.as_str() };
                ui.label(RichText::new(format!("{of}{}", format::shown(text))).font(font::strong()));
                if choice.payload != choice.text {
                    let payload = RichText::new(format::shown(&choice.payload)).font(font::small_data());
                    let response = ui.label(payload.color(t.text.weak));
                    if let Some(at) = crate::model::Wall::parse_rfc3339(&choice.payload) {
                        response.on_hover_text(format::full_time(at, utc));
                    }
                }
            });
        });
    }
}
