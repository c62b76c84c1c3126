//! Lines between bubbles: states, presence, notes, who types, what is older.

use std::sync::Arc;

use egui::text::LayoutJob;
use egui::{Align, Frame, Galley, Label, Margin, Response, RichText, Sense, Ui, UiBuilder, Vec2};

use super::list::select;
use crate::model::happening::{Presence, Side};
use crate::projection::{Entry, SessionView};
use crate::ui::app::{Acts, Scene};
use crate::ui::format;
use crate::ui::theme::{font, radius, space, tokens};
use crate::ui::widgets::Icon;

/// A line in the middle: shape, text, time. Clicking it selects its records.
fn line(ui: &mut Ui, icon: Icon, text: &str, entry: &Entry, scene: &Scene<'_>, lit: bool, acts: &mut Acts) -> Response {
    let t = tokens(ui);
    let response = ui
        .scope_builder(UiBuilder::new().id_salt("line").sense(Sense::click()), |ui| {
            let fill = if lit { t.lit } else { egui::Color32::PLACEHOLDER };
            let frame = Frame::new().inner_margin(Margin::symmetric(8, 2)).corner_radius(radius::NORMAL);
            let frame = if lit { frame.fill(fill) } else { frame };
            frame.show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.horizontal(|ui| {
                    let time = format::time_of_day(entry.at, scene.settings.utc);
                    let time = ui.painter().layout_no_wrap(time, font::small_data(), t.text.weak);
                    // Shape and time stand beside the text, which is centred however many rows it has.
                    let beside = MARK + time.size().x + 2.0 * ui.spacing().item_spacing.x;
                    let room = ui.available_width();
                    let text = centred(ui, &format::shown(text), (room - beside).max(60.0));
                    ui.add_space(((room - beside - text.size().x) / 2.0).max(0.0));
                    mark(ui, icon, t.text.weak);
                    ui.add(Label::new(text));
                    ui.add(Label::new(time)).on_hover_text(format::full_time(entry.at, scene.settings.utc));
                });
            });
        })
        .response;
    if response.clicked() || response.container_clicked() {
        select(entry, acts);
    }
    response
}

/// Small text at most this wide, each of its rows in the middle.
fn centred(ui: &Ui, text: &str, width: f32) -> Arc<Galley> {
    let mut job = LayoutJob::simple(text.to_owned(), font::small(), tokens(ui).text.weak, width);
    job.halign = Align::Center;
    ui.painter().layout_job(job)
}

/// Side of a small shape.
const MARK: f32 = 12.0;

/// A small shape in a line of text.
pub(super) fn mark(ui: &mut Ui, icon: Icon, color: egui::Color32) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(MARK), Sense::hover());
    icon.paint(ui.painter(), rect, color);
}

pub(super) fn state(ui: &mut Ui, entry: &Entry, text: &str, scene: &Scene<'_>, lit: bool, acts: &mut Acts) {
    line(ui, Icon::Diamond, text, entry, scene, lit, acts);
}

pub(super) fn presence(
    ui: &mut Ui,
    entry: &Entry,
    side: Side,
    what: &Presence,
    scene: &Scene<'_>,
    lit: bool,
    acts: &mut Acts,
) {
    let who = side.word();
    let text = match what {
        Presence::Joined => format!("{who} joined"),
        Presence::Disconnected { read_only: Some(true) } => {
            format!("{who} disconnected; the conversation is read-only")
        }
        Presence::Disconnected { .. } => format!("{who} disconnected"),
        Presence::ClearAsked => format!("{who} asked to clear the conversation"),
        Presence::SignedIn { name } if name.is_empty() => format!("{who} signed in"),
        Presence::SignedIn { name } => format!("{who} signed in as {name}"),
        Presence::Other(name) => format!("{who}: presence “{name}”, not known to this program"),
    };
    line(ui, Icon::ArrowRight, &text, entry, scene, lit, acts);
}

pub(super) fn note(ui: &mut Ui, entry: &Entry, text: &str, scene: &Scene<'_>, lit: bool, acts: &mut Acts) {
    line(ui, Icon::Note, text, entry, scene, lit, acts).on_hover_text("Your note");
}

pub(super) fn older_height(view: &SessionView) -> f32 {
    if view.conversation.older > 0 { 26.0 } else { 0.0 }
}

/// Says what is not in the list any more, and where it is.
pub(super) fn older(ui: &mut Ui, view: &SessionView) {
    let t = tokens(ui);
    ui.vertical_centered(|ui| {
        let n = format::plural(view.conversation.older, "older entry is", "older entries are");
        ui.label(RichText::new(format!("{n} kept in the records, not shown here")).small().color(t.text.weak));
    });
}

fn who_types(view: &SessionView, scene: &Scene<'_>) -> Option<Side> {
    view.conversation.typing_now(scene.now.mono).filter(|_| !scene.situation.saved)
}

pub(super) fn typing_height(view: &SessionView, scene: &Scene<'_>) -> f32 {
    if who_types(view, scene).is_some() { 26.0 } else { 0.0 }
}

pub(super) fn typing(ui: &mut Ui, view: &SessionView, scene: &Scene<'_>) {
    let Some(side) = who_types(view, scene) else { return };
    let t = tokens(ui);
    if let Some((_, until)) = view.conversation.typing {
        ui.ctx().request_repaint_after(until.since(scene.now.mono));
    }
    ui.horizontal(|ui| {
        ui.add_space(space::NORMAL);
        mark(ui, Icon::More, t.side(side).ink);
        ui.label(RichText::new(format!("{} is typing", side.word())).small().color(t.side(side).ink));
    });
}
