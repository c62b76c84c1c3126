//! Rich content: quick replies, cards, carousels, files, answers, and what nobody knows.

use egui::{CollapsingHeader, Frame, Label, Margin, RichText, Ui};

use super::lines::mark;
use super::offers;
use crate::dialect::{Button, Wish};
use crate::model::Message;
use crate::model::happening::{Attachment, Card, CardAction, Part};
use crate::model::rich::Offer;
use crate::projection::SessionView;
use crate::ui::app::{Act, Acts, Scene};
use crate::ui::format;
use crate::ui::theme::{font, radius, space, tokens};
use crate::ui::widgets::{Icon, Weight, button, icon_button};

pub(super) fn paint(ui: &mut Ui, message: &Message, view: &SessionView, scene: &Scene<'_>, acts: &mut Acts) {
    let live = scene.is_live(view.id);
    let replies: Vec<&Part> = message.parts.iter().filter(|p| matches!(p, Part::QuickReply { .. })).collect();
    for (n, part) in message.parts.iter().enumerate() {
        ui.push_id(n, |ui| match part {
            Part::QuickReply { .. } => {}
            Part::Answer { kind, text, payload } => answer(ui, kind, text, payload),
            Part::Card(one) => card(ui, one, view, live, acts),
            Part::Carousel(cards) => carousel(ui, cards, view, live, acts),
            Part::Attachment(file) => attachment(ui, file, view, live, acts),
            Part::Date(d) => offers::paint(ui, message, &Offer::Date(d), view, scene, acts),
            Part::List(l) => offers::paint(ui, message, &Offer::List(l), view, scene, acts),
            Part::Form(f) => offers::paint(ui, message, &Offer::Form(f), view, scene, acts),
            Part::Chosen(chosen) => offers::chosen(ui, chosen, scene.settings.utc),
            Part::Other { kind, json } => other(ui, kind, json),
        });
    }
    if !replies.is_empty() {
        ui.horizontal_wrapped(|ui| {
            for part in replies {
                let Part::QuickReply { text, payload, .. } = part else { continue };
                ui.add_enabled_ui(live, |ui| {
                    let label = format::shown(text);
                    if button(ui, None, &label, Weight::Normal).on_hover_text(format!("Payload: {payload}")).clicked() {
                        press(view, Button::QuickReply, text, payload, acts);
                    }
                });
            }
        });
    }
}

fn press(view: &SessionView, button: Button, text: &str, payload: &str, acts: &mut Acts) {
    let tracing = uuid::Uuid::new_v4().to_string();
    let (text, payload) = (text.to_owned(), payload.to_owned());
    acts.wish(view.id, Wish::Answer { tracing, button, text, payload });
}

fn answer(ui: &mut Ui, kind: &str, text: &str, payload: &str) {
    let t = tokens(ui);
    ui.horizontal_wrapped(|ui| {
        mark(ui, Icon::Check, t.accent);
        ui.label(RichText::new(format::shown(&format!("{kind}: {text}"))).font(font::strong()));
        ui.label(RichText::new(format::shown(payload)).font(font::small_data()).color(t.text.weak));
    });
}

fn card(ui: &mut Ui, card: &Card, view: &SessionView, live: bool, acts: &mut Acts) {
    let t = tokens(ui);
    Frame::new()
        .fill(t.surface.overlay)
        .stroke((1.0, t.line.normal))
        .corner_radius(radius::NORMAL)
        .inner_margin(Margin::same(8))
        .show(ui, |ui| {
            ui.set_max_width(ui.available_width().min(260.0));
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = space::TIGHT;
                ui.add(Label::new(RichText::new(format::shown(&card.title)).font(font::strong())).wrap());
                if !card.description.is_empty() {
                    ui.add(Label::new(RichText::new(format::shown(&card.description)).color(t.text.normal)).wrap());
                }
                for (word, url) in [("Image", &card.image), ("Video", &card.video)] {
                    if let Some(url) = url {
                        link(ui, word, url, acts);
                    }
                }
                let default = card.default_action.iter().map(|a| (a, true));
                for (n, (action, is_default)) in card.actions.iter().map(|a| (a, false)).chain(default).enumerate() {
                    ui.push_id(n, |ui| action_button(ui, action, is_default, view, live, acts));
                }
            });
        });
}

fn action_button(ui: &mut Ui, action: &CardAction, default: bool, view: &SessionView, live: bool, acts: &mut Acts) {
    let tail = if default { " (default)" } else { "" };
    match action {
        CardAction::Link { text, url } => link(ui, &format!("{text}{tail}"), url, acts),
        CardAction::Postback { text, payload } => {
            ui.add_enabled_ui(live, |ui| {
                let label = format!("{}{tail}", format::shown(text));
                if button(ui, None, &label, Weight::Normal).on_hover_text(format!("Payload: {payload}")).clicked() {
                    press(view, Button::Postback, text, payload, acts);
                }
            });
        }
    }
}

/// An address of others: it is shown before it is opened.
fn link(ui: &mut Ui, text: &str, url: &str, acts: &mut Acts) {
    let text = if text.is_empty() { "Link" } else { text };
    if ui.link(format::shown(text).into_owned()).on_hover_text(format::shown(url).into_owned()).clicked() {
        acts.push(Act::Link(url.to_owned()));
    }
}

fn carousel(ui: &mut Ui, cards: &[Card], view: &SessionView, live: bool, acts: &mut Acts) {
    egui::ScrollArea::horizontal().id_salt("carousel").auto_shrink([true, true]).show(ui, |ui| {
        ui.horizontal_top(|ui| {
            for (n, one) in cards.iter().enumerate() {
                ui.push_id(n, |ui| {
                    ui.allocate_ui(egui::vec2(210.0, 0.0), |ui| card(ui, one, view, live, acts));
                });
            }
        });
    });
}

fn attachment(ui: &mut Ui, file: &Attachment, view: &SessionView, live: bool, acts: &mut Acts) {
    let t = tokens(ui);
    ui.horizontal(|ui| {
        mark(ui, Icon::Clip, t.text.normal);
        let name = if file.name.is_empty() { file.id.as_str() } else { file.name.as_str() };
        ui.add(Label::new(RichText::new(format::shown(name)).font(font::strong())).truncate());
        let mut facts = vec![if file.mime.is_empty() { file.media_type.clone() } else { file.mime.clone() }];
        facts.extend(file.size.map(format::bytes));
        facts.retain(|f| !f.is_empty());
        ui.label(RichText::new(facts.join(", ")).small().color(t.text.weak));
    });
    ui.horizontal(|ui| {
        match &file.url {
            Some(url) => {
                if button(ui, Some(Icon::ArrowDown), "Download…", Weight::Quiet).on_hover_text(url.as_str()).clicked()
                {
                    acts.push(Act::Link(url.clone()));
                }
            }
            None => {
                ui.label(RichText::new("no download link").small().color(t.text.weak));
            }
        }
        if live && icon_button(ui, Icon::Refresh, "Get a fresh download link").clicked() {
            acts.wish(view.id, Wish::RefreshLink { attachment: file.id.clone() });
        }
    });
}

fn other(ui: &mut Ui, kind: &str, json: &serde_json::Value) {
    CollapsingHeader::new(format!("{kind} (shown as received)")).show(ui, |ui| {
        let text = serde_json::to_string_pretty(json).unwrap_or_default();
        ui.add(Label::new(RichText::new(format::shown(&text)).font(font::small_data())).wrap());
    });
}
