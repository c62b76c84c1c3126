//! One bubble: who, when, what, and what became of it.

use egui::{Align, Frame, Label, Layout, Margin, Response, RichText, Sense, Ui, UiBuilder};

use super::lines::mark;
use super::list::{bubble_width, list_item, select};
use super::parts;
use crate::dialect::Wish;
use crate::model::DialectId;
use crate::model::Message;
use crate::model::fact::Delivery;
use crate::model::happening::{AttachmentState, Side};
use crate::projection::knowledge::rule::Weight;
use crate::projection::{Entry, EntryState, SessionView, What};
use crate::ui::app::{Act, Acts, Scene};
use crate::ui::format;
use crate::ui::lint::sign;
use crate::ui::theme::{font, radius, space, tokens};
use crate::ui::widgets::{Icon, Tone, chip, focus_ring, icon_button};

#[expect(clippy::too_many_arguments, reason = "plain data of one entry and where it stands")]
pub(super) fn message(
    ui: &mut Ui,
    entry: &Entry,
    message: &Message,
    view: &SessionView,
    scene: &Scene<'_>,
    lit: bool,
    place: (usize, usize),
    acts: &mut Acts,
) {
    let who = match &message.from {
        Some(name) if !name.is_empty() => format!("{} · {name}", title(message.side)),
        _ => title(message.side).to_owned(),
    };
    let response = frame(ui, message.side, lit, |ui| {
        head(ui, &who, message.side, entry, scene);
        if let Some(text) = message.text.as_deref().filter(|t| !t.is_empty()) {
            let t = tokens(ui);
            let color = if entry.cleared { t.text.weak } else { t.text.strong };
            ui.add(Label::new(RichText::new(format::shown(text)).font(font::body()).color(color)).wrap());
        } else if message.text.is_none() && message.parts.is_empty() && view.dialect() == DialectId::Agent {
            // A notification told of it; its text is looked up.
            ui.label(RichText::new("The text is not here yet.").small().color(tokens(ui).text.weak));
        }
        parts::paint(ui, message, view, scene, acts);
        if !message.attributes.is_empty() {
            attributes(ui, &message.attributes);
        }
        foot(ui, entry, scene, acts);
        lint(ui, entry, view, acts);
    });
    let text = message.text.as_deref().unwrap_or("no text");
    let mut label = format!("{who}: {text}, {}", format::time_of_day(entry.at, scene.settings.utc));
    if let EntryState::Own(delivery, took) = &entry.state {
        label.push_str(&format!(", {}", fate(delivery, *took, scene).1));
    }
    list_item(ui, &response, &label, place);
    if response.clicked() || response.container_clicked() {
        select(entry, acts);
    }
}

fn title(side: Side) -> &'static str {
    match side {
        Side::Guest => "Guest",
        Side::Agent => "Agent",
        Side::Bot => "Bot",
        Side::System => "System",
    }
}

/// The coloured box, as wide as its content, at its side of the list. How wide that is is known after the first paint.
fn frame(ui: &mut Ui, side: Side, lit: bool, add: impl FnOnce(&mut Ui)) -> Response {
    let t = tokens(ui);
    let most = bubble_width(ui);
    let id = ui.scope_id().with("bubble width");
    let known = ui.data(|d| d.get_temp::<f32>(id));
    let mut place = ui.available_rect_before_wrap();
    if side == Side::Guest {
        place.min.x = place.max.x - known.unwrap_or(most).min(most);
    }
    place.set_width(most);
    let builder =
        UiBuilder::new().id_salt("bubble").max_rect(place).layout(Layout::top_down(Align::Min)).sense(Sense::click());
    let response = ui
        .scope_builder(builder, |ui| {
            let edge = if lit { (2.0, t.focus) } else { (1.0, t.line.faint) };
            Frame::new()
                .fill(t.side(side).bubble)
                .stroke(edge)
                .corner_radius(radius::ROUND)
                .inner_margin(Margin::symmetric(10, 7))
                .show(ui, |ui| {
                    ui.spacing_mut().item_spacing.y = space::TIGHT;
                    add(ui);
                });
        })
        .response;
    focus_ring(ui, &response);
    let width = response.rect.width();
    if known.is_none_or(|k| (k - width).abs() > 0.5) {
        ui.data_mut(|d| d.insert_temp(id, width));
        ui.ctx().request_repaint();
    }
    response
}

fn head(ui: &mut Ui, who: &str, side: Side, entry: &Entry, scene: &Scene<'_>) {
    let t = tokens(ui);
    ui.horizontal(|ui| {
        ui.label(RichText::new(format::shown(who)).font(font::small_strong()).color(t.side(side).ink));
        ui.label(
            RichText::new(format::time_of_day(entry.at, scene.settings.utc))
                .font(font::small_data())
                .color(t.text.weak),
        )
        .on_hover_text(format::full_time(entry.at, scene.settings.utc));
        if matches!(&entry.what, What::Message(m) if m.authenticated) {
            ui.label(RichText::new("signed in").small().color(t.text.weak)).on_hover_text(
                "The server says with this message that the guest has signed in (metadata.authenticated).",
            );
        }
        if entry.cleared {
            ui.label(RichText::new("cleared").small().color(t.text.weak))
                .on_hover_text("Said before the guest cleared the conversation.");
        }
    });
}

/// What a record of the message breaks of the protocol; notes stand in the records only.
fn lint(ui: &mut Ui, entry: &Entry, view: &SessionView, acts: &mut Acts) {
    if view.lints.told == 0 {
        return;
    }
    let all = entry.records.iter().flat_map(|seq| view.lints.about(*seq));
    let Some(worst) = all.filter(|l| l.rule.weight < Weight::Note).min_by_key(|l| l.rule.weight) else { return };
    let (icon, tone) = sign(worst.rule.weight);
    if chip(ui, Some(icon), &worst.rule.title, tone).on_hover_text(&worst.says).clicked() {
        acts.push(Act::Select(vec![worst.seq]));
    }
}

/// What became of a message of the guest: shape and word.
fn foot(ui: &mut Ui, entry: &Entry, scene: &Scene<'_>, acts: &mut Acts) {
    let EntryState::Own(delivery, took) = &entry.state else { return };
    let (icon, text, tone) = fate(delivery, *took, scene);
    if let Delivery::Retrying { at, .. } = delivery {
        let left = at.micros_since(scene.now.wall).max(0) as u64;
        let next = if left > 0 { left % 1_000_000 + 1_000 } else { 1_000_000 };
        ui.ctx().request_repaint_after(std::time::Duration::from_micros(next));
    }
    let color = if tone == Tone::Plain { tokens(ui).text.weak } else { tone.ink(ui) };
    ui.horizontal(|ui| {
        mark(ui, icon, color);
        let response = ui.add(Label::new(RichText::new(text).small().color(color)).wrap().sense(Sense::click()));
        if response.on_hover_text("Show the records").clicked() {
            select(entry, acts);
        }
    });
}

pub(super) fn fate(delivery: &Delivery, took: Option<u64>, scene: &Scene<'_>) -> (Icon, String, Tone) {
    match delivery {
        Delivery::Sent => (Icon::Ring, "sending".into(), Tone::Plain),
        Delivery::Delivered => {
            let text = took.map_or_else(|| "delivered".into(), |us| format!("delivered {}", format::span(us)));
            (Icon::Check, text, Tone::Ok)
        }
        Delivery::Retrying { at, attempt, why } => {
            let left = at.micros_since(scene.now.wall).max(0) as u64;
            let secs = left.div_ceil(1_000_000);
            (Icon::Refresh, format!("retrying in {secs} s, attempt {attempt}: {why}"), Tone::Amber)
        }
        Delivery::Refused { code, text } => (Icon::Cross, format!("refused {code}: {text}"), Tone::Red),
        Delivery::NotSent { why } => (Icon::Cross, format!("not sent: {why}"), Tone::Red),
        Delivery::Unconfirmed { why } => (Icon::Question, format!("unconfirmed: {why}"), Tone::Amber),
    }
}

fn attributes(ui: &mut Ui, attributes: &[(String, String)]) {
    let t = tokens(ui);
    let text: Vec<String> = attributes.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let text = format::shown(&text.join("  ")).into_owned();
    ui.add(Label::new(RichText::new(text).font(font::small_data()).color(t.text.weak)).wrap())
        .on_hover_text("Custom attributes sent with this message");
}

/// An upload, until a message refers to it.
pub(super) fn upload(
    ui: &mut Ui,
    entry: &Entry,
    (id, name, size, state): (&str, &str, u64, &AttachmentState),
    view: &SessionView,
    scene: &Scene<'_>,
    lit: bool,
    acts: &mut Acts,
) {
    let (icon, text, tone) = match state {
        AttachmentState::Asked { .. } => (Icon::Ring, "asked for an upload address".to_owned(), Tone::Plain),
        AttachmentState::Granted => (Icon::ArrowUp, "uploading".to_owned(), Tone::Plain),
        AttachmentState::Uploaded => (Icon::Check, "uploaded, not sent yet".to_owned(), Tone::Ok),
        AttachmentState::Failed { code, text } => (Icon::Cross, format!("refused {code}: {text}"), Tone::Red),
        AttachmentState::LinkRefreshed => (Icon::Refresh, "link refreshed".to_owned(), Tone::Ok),
        AttachmentState::Deleted => (Icon::Trash, "deleted".to_owned(), Tone::Dead),
    };
    let agent = view.dialect() == DialectId::Agent;
    let (side, title) = if agent { (Side::Agent, "Agent · file") } else { (Side::Guest, "Guest · file") };
    let response = frame(ui, side, lit, |ui| {
        head(ui, title, side, entry, scene);
        ui.horizontal(|ui| {
            mark(ui, Icon::Clip, tokens(ui).text.normal);
            ui.add(Label::new(format::shown(name)).truncate());
            ui.label(RichText::new(format::bytes(size)).small());
            let usable = matches!(state, AttachmentState::Uploaded | AttachmentState::LinkRefreshed);
            if usable && !agent && scene.is_live(view.id) {
                if icon_button(ui, Icon::Refresh, "Get a fresh download link").clicked() {
                    acts.wish(view.id, Wish::RefreshLink { attachment: id.to_owned() });
                }
                if icon_button(ui, Icon::Trash, "Delete this upload").clicked() {
                    acts.wish(view.id, Wish::DeleteAttachment { attachment: id.to_owned() });
                }
            }
        });
        ui.horizontal(|ui| {
            let color = if tone == Tone::Plain { tokens(ui).text.weak } else { tone.ink(ui) };
            mark(ui, icon, color);
            ui.add(Label::new(RichText::new(text).small().color(color)).wrap());
        });
    });
    if response.clicked() || response.container_clicked() {
        select(entry, acts);
    }
}
