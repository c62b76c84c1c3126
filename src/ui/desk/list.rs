//! The list of a desk's conversations.

use egui::{Label, Popup, Rect, RichText, Role, ScrollArea, Sense, Ui, UiBuilder, Vec2, pos2, vec2};

use super::within;
use crate::dialect::Deed;
use crate::model::desk::Stage;
use crate::projection::{ClockView, Desk, SessionView, Talk, What};
use crate::ui::app::{Acts, Scene};
use crate::ui::format;
use crate::ui::theme::{font, radius, space, tokens};
use crate::ui::widgets::{Icon, Tone, Weight, button, format as figures, paint_ring};

/// Height of a conversation's row.
const ROW: f32 = 44.0;

/// Shape, word and tone of how far the agent is in a conversation.
pub fn stage_mark(desk: &Desk, talk: &Talk) -> (Icon, &'static str, Tone) {
    let mine = talk.of_user(desk.me());
    match mine.map_or(Stage::Unknown, |p| p.state) {
        Stage::Alerting => (Icon::Play, "alerting", Tone::Amber),
        Stage::Connected if mine.is_some_and(|p| p.held == Some(true)) => (Icon::Pause, "on hold", Tone::Amber),
        Stage::Connected => (Icon::Dot, "connected", Tone::Ok),
        Stage::Parked => (Icon::Square, "parked", Tone::Amber),
        Stage::Ended if mine.is_some_and(|p| p.owes_wrapup()) => (Icon::Note, "wrap-up due", Tone::Amber),
        Stage::Ended => (Icon::Square, "ended", Tone::Dead),
        Stage::Coming => (Icon::Play, "coming", Tone::Plain),
        Stage::Unknown => (Icon::Ring, "in the queue", Tone::Plain),
    }
}

/// What stands where there is no conversation.
pub fn nothing(desk: &Desk) -> &'static str {
    match desk.presence.as_str() {
        "OnQueue" => "On queue. Conversations come here.",
        _ => "No conversation yet. Go on queue, and let a guest write.",
    }
}

/// All conversations, the newest first. The one that is chosen.
pub fn paint(
    ui: &mut Ui,
    view: &SessionView,
    desk: &Desk,
    chosen: Option<&str>,
    scene: &Scene<'_>,
    acts: &mut Acts,
) -> Option<String> {
    let t = tokens(ui);
    if desk.talks.is_empty() {
        ui.add_space(space::ROOM);
        ui.label(RichText::new(nothing(desk)).small().color(t.text.weak));
        return None;
    }
    let mut choose = None;
    let builder = UiBuilder::new().accessibility_role(Role::List).accessibility_label("Conversations of the desk");
    ui.scope_builder(builder, |ui| {
        ui.spacing_mut().item_spacing.y = space::HAIR;
        ScrollArea::vertical().id_salt(("desk", view.id.0)).auto_shrink([false, false]).show_rows(
            ui,
            ROW,
            desk.talks.len(),
            |ui, rows| {
                for n in rows {
                    let Some(talk) = desk.talks.len().checked_sub(n + 1).and_then(|k| desk.talks.get(k)) else {
                        continue;
                    };
                    let place = (n + 1, desk.talks.len());
                    if row(ui, view, desk, talk, chosen == Some(talk.id.as_str()), place, scene, acts) {
                        choose = Some(talk.id.clone());
                    }
                }
            },
        );
        if desk.gone > 0 {
            ui.label(RichText::new(format!("{} older are not shown", desk.gone)).small().color(t.text.weak));
        }
    });
    choose
}

/// The same behind a button that names the one in front, where there is no room for a list.
pub fn chooser(
    ui: &mut Ui,
    view: &SessionView,
    desk: &Desk,
    front: &Talk,
    width: f32,
    scene: &Scene<'_>,
    acts: &mut Acts,
) -> Option<String> {
    let mut text: String = format::shown(front.title()).chars().take(((width / 9.0) as usize).max(4)).collect();
    if desk.talks.len() > 1 {
        text = format!("{text} +{}", desk.talks.len() - 1);
    }
    let response = button(ui, Some(Icon::ChevronDown), &text, Weight::Normal);
    let response = response.on_hover_text("Choose another conversation of this desk");
    let shown = Popup::menu(&response).show(|ui| {
        let rows = desk.talks.len().min(6) as f32;
        ui.set_width(230.0);
        ui.set_height(rows * (ROW + space::HAIR));
        let chosen = paint(ui, view, desk, Some(&front.id), scene, acts);
        if chosen.is_some() {
            ui.close();
        }
        chosen
    });
    shown.and_then(|s| s.inner)
}

#[expect(clippy::too_many_arguments, reason = "one row, all of it plain data")]
fn row(
    ui: &mut Ui,
    view: &SessionView,
    desk: &Desk,
    talk: &Talk,
    chosen: bool,
    place: (usize, usize),
    scene: &Scene<'_>,
    acts: &mut Acts,
) -> bool {
    let t = tokens(ui);
    let (_, rect) = ui.allocate_space(vec2(ui.available_width(), ROW));
    let response = ui.interact(rect, ui.scope_id().with(&talk.id), Sense::click());
    let (icon, word, tone) = stage_mark(desk, talk);
    let title = format::shown(talk.title());
    response.widget_info(|| {
        egui::WidgetInfo::selected(Role::Button, true, chosen, format!("Conversation {title}, {word}"))
    });
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_position_in_set(place.0);
        node.set_size_of_set(place.1);
    });
    if !ui.is_rect_visible(rect) {
        return response.clicked();
    }
    let fill = match (chosen, response.hovered()) {
        (true, _) => t.surface.selected,
        (_, true) => t.surface.hover,
        _ => t.surface.ground,
    };
    ui.painter().rect_filled(rect, radius::NORMAL, fill);
    if response.has_focus() {
        ui.painter().rect_stroke(rect, radius::NORMAL, (2.0, t.focus), egui::StrokeKind::Inside);
    }
    let inner = rect.shrink2(vec2(space::SMALL, 4.0));
    let spot = Rect::from_center_size(pos2(inner.left() + 6.0, inner.top() + 9.0), Vec2::splat(11.0));
    icon.paint(ui.painter(), spot, tone.ink(ui));
    let alerting = word == "alerting" && scene.is_live(view.id);
    let right = if alerting { 74.0 } else { 0.0 };
    let line = |ui: &mut Ui, y: f32, left: f32, right: f32, text: RichText| {
        let place = Rect::from_min_max(pos2(inner.left() + left, y), pos2(inner.right() - right, y + 18.0));
        let mut cell = ui.new_child(UiBuilder::new().id_salt((&talk.id, y as i32)).max_rect(place));
        cell.add(Label::new(text).truncate().selectable(false));
    };
    line(ui, inner.top(), 18.0, right, RichText::new(title.as_ref()).color(t.text.strong));
    let below = match last_text(talk) {
        Some(text) if !alerting => format::shown(text).into_owned(),
        _ => word.to_owned(),
    };
    line(ui, inner.top() + 18.0, 18.0, right, RichText::new(below).small().color(t.text.weak));
    if alerting {
        let place = Rect::from_min_size(pos2(inner.right() - 70.0, rect.center().y - 13.0), vec2(70.0, 26.0));
        let mut cell = ui.new_child(UiBuilder::new().id_salt((&talk.id, "answer")).max_rect(place));
        if button(&mut cell, None, "Answer", Weight::Primary).clicked() {
            acts.wish(view.id, within(&talk.id, Deed::Answer));
            return true;
        }
    }
    response.clicked()
}

/// What was said last.
fn last_text(talk: &Talk) -> Option<&str> {
    talk.conversation.entries.iter().rev().take(20).find_map(|e| match &e.what {
        What::Message(m) => m.text.as_deref(),
        _ => None,
    })
}

/// A small clock of an alert or a wrap-up, with the time left.
pub fn small_clock(ui: &mut Ui, clock: &ClockView, view: &SessionView, scene: &Scene<'_>, word: &str) {
    let t = tokens(ui);
    let server = view.server_now(scene.shown_at);
    let (phase, left) = (clock.phase(server), clock.left(server));
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(15.0), Sense::hover());
    paint_ring(
        ui.painter(),
        rect.shrink(1.5),
        clock.share(server),
        phase,
        egui::Stroke::new(2.0, t.line.normal),
        t.amber.ink,
    );
    let text = left.map_or_else(String::new, figures::countdown);
    ui.label(RichText::new(format!("{word} {text}")).font(font::small_data()).color(t.amber.ink));
    if scene.is_live(view.id) {
        ui.ctx().request_repaint_after(std::time::Duration::from_millis(500));
    }
}
