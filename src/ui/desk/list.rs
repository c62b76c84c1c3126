//! The head of the desk and its list of conversations.

use std::sync::Arc;

use egui::{ComboBox, Label, Popup, Rect, RichText, Role, ScrollArea, Sense, Ui, UiBuilder, Vec2, pos2, vec2};

use super::within;
use crate::dialect::{Deed, DeskWish, Wish};
use crate::model::desk::Stage;
use crate::projection::{ClockView, Desk, SessionView, Talk, What};
use crate::ui::app::{Acts, Scene};
use crate::ui::format;
use crate::ui::theme::{font, radius, space, tokens};
use crate::ui::widgets::{Icon, Tone, Weight, badge, button, format as figures, icon_button, paint_ring};

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

/// Who is signed in, what they are, which queues they work for.
pub fn head(ui: &mut Ui, view: &SessionView, desk: &Desk, live: bool, scene: &Scene<'_>, acts: &mut Acts) {
    let t = tokens(ui);
    let name = desk.user.as_ref().map_or("not signed in", |(_, name, _)| name.as_str());
    ui.horizontal(|ui| {
        ui.set_height(space::CONTROL);
        ui.add(Label::new(RichText::new(format::shown(name)).font(font::small_strong())).truncate());
    });
    let wish = |acts: &mut Acts, wish: DeskWish| acts.wish(view.id, Wish::Desk(wish));
    ui.add_enabled_ui(live && !desk.presences.is_empty(), |ui| {
        ComboBox::from_id_salt("presence")
            .selected_text(if desk.presence.is_empty() { "presence" } else { &desk.presence })
            .width(ui.available_width())
            .truncate()
            .show_ui(ui, |ui| {
                for p in &desk.presences {
                    if ui.selectable_label(p.name == desk.presence, &p.name).clicked() {
                        wish(acts, DeskWish::Presence { is: p.id.clone() });
                    }
                }
            })
            .response
            .accessible_name("Presence")
            .on_hover_text("On queue, the platform routes conversations here");
    });
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::TIGHT, space::HAIR);
        if !desk.routing.is_empty() {
            let (icon, tone) = match desk.routing.as_str() {
                "IDLE" => (Icon::Ring, Tone::Ok),
                "INTERACTING" | "COMMUNICATING" => (Icon::Dot, Tone::Ok),
                "NOT_RESPONDING" => (Icon::Warning, Tone::Red),
                _ => (Icon::Square, Tone::Plain),
            };
            badge(ui, Some(icon), &desk.routing.to_lowercase().replace('_', " "), tone).on_hover_text("Routing status");
        }
        let waits = |t: &&Arc<Talk>| t.is_kept_waiting(scene.shown_at.mono) && desk.stage(t) != Stage::Ended;
        let waiting = desk.talks.iter().filter(waits).count();
        if live && waiting > 0 {
            badge(ui, Some(Icon::Clock), &format!("texts wait in {waiting}"), Tone::Amber)
                .on_hover_text("Look-ups of texts have a budget, and conversations take turns");
        }
        if live && desk.routing == "NOT_RESPONDING" && button(ui, None, "Back to idle", Weight::Primary).clicked() {
            wish(acts, DeskWish::Routing { status: "IDLE".into() });
        }
        if !desk.queues.is_empty() {
            let joined = desk.queues.iter().filter(|q| q.joined).count();
            let text = format!("{joined} of {}", format::plural(desk.queues.len() as u64, "queue", "queues"));
            let response = button(ui, None, &text, Weight::Quiet).on_hover_text("Queues of this agent");
            Popup::menu(&response).show(|ui| {
                ui.label(RichText::new("Joined queues").small().color(t.text.weak));
                for q in &desk.queues {
                    let mut on = q.joined;
                    let name = if q.name.is_empty() { &q.id } else { &q.name };
                    if ui.add_enabled(live, egui::Checkbox::new(&mut on, format::shown(name).as_ref())).clicked() {
                        wish(acts, DeskWish::Queue { id: q.id.clone(), joined: on });
                    }
                }
            });
        }
        let response = icon_button(ui, Icon::More, "More about the desk");
        Popup::menu(&response).show(|ui| {
            for (text, deed) in [
                ("Read everything again by REST", DeskWish::Reload),
                ("Make a new notification channel", DeskWish::NewChannel),
                ("Ping the notification socket", DeskWish::Ping),
                ("Fetch ready-made replies", DeskWish::Replies),
                ("Check the token", DeskWish::CheckToken),
                ("Revoke the token", DeskWish::RevokeToken),
            ] {
                if ui.add_enabled(live, egui::Button::new(text)).clicked() {
                    wish(acts, deed);
                    ui.close();
                }
            }
        });
    });
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
        let text = match desk.presence.as_str() {
            "OnQueue" => "On queue. Conversations come here.",
            _ => "No conversation yet. Go on queue, and let a guest write.",
        };
        ui.label(RichText::new(text).small().color(t.text.weak));
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
