//! The sessions, grouped by environment: state, next clock, what is new.

use egui::style::ScrollAnimation;
use egui::{Label, Popup, Rect, RichText, Role, ScrollArea, Sense, Ui, UiBuilder, Vec2, pos2, vec2};

use super::app::{Act, Acts, Scene};
use super::commands::{Cmd, SAVED};
use super::dialogs::Dialog;
use super::format;
use super::ringing;
use super::theme::{font, radius, space, tokens};
use super::widgets::{Icon, Tone, icon_button, paint_ring};
use crate::dialect::Wish;
use crate::model::fact::SessionState;
use crate::model::{DialectId, SessionId, UNVERIFIED};
use crate::projection::{ClockPhase, ClockView, SessionView};

/// Height of a session's row.
const ROW: f32 = 42.0;

/// Shape, word and tone of a session's state. In a `saved` capture nothing goes on: a session without an end was cut
/// off with it.
pub fn state_mark(view: &SessionView, saved: bool) -> (Icon, &'static str, Tone) {
    let Some(state) = &view.state else { return (Icon::Ring, "new", Tone::Plain) };
    if saved && !state.is_ended() && *state != SessionState::New {
        return (Icon::Unplug, "cut off", Tone::Dead);
    }
    let (icon, tone) = match state {
        SessionState::New => (Icon::Ring, Tone::Plain),
        SessionState::Connecting | SessionState::Connected | SessionState::Configuring => (Icon::Play, Tone::Amber),
        SessionState::Ready => (Icon::Dot, Tone::Ok),
        SessionState::ReadOnly => (Icon::Lock, Tone::Amber),
        SessionState::Reconnecting { .. } => (Icon::Refresh, Tone::Amber),
        SessionState::Ended(_) => (Icon::Square, Tone::Dead),
    };
    (icon, state.word(), tone)
}

pub fn paint(ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) {
    let t = tokens(ui);
    ui.horizontal(|ui| {
        ui.label(RichText::new("Sessions").font(font::small_strong()).color(t.text.weak));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if icon_button(ui, Icon::Plus, "New session").clicked() {
                acts.run(Cmd::NewSession);
            }
        });
    });
    let sessions = scene.book.listed(scene.board);
    let mut groups: Vec<&str> = Vec::new();
    for s in &sessions {
        let name = environment(s);
        if !groups.contains(&name) {
            groups.push(name);
        }
    }
    ScrollArea::vertical().id_salt("rail").auto_shrink([false, false]).show(ui, |ui| {
        let builder = UiBuilder::new().accessibility_role(Role::List).accessibility_label("Sessions");
        ui.scope_builder(builder, |ui| {
            ui.spacing_mut().item_spacing.y = space::HAIR;
            // One row more on either side, so that the keyboard can go there.
            let view = ui.clip_rect().y_range().expand(ROW);
            let to_show = newly_chosen(ui, scene);
            for group in groups {
                ui.add_space(space::TIGHT);
                let text = RichText::new(format::shown(group)).small().color(t.text.weak);
                ui.add(Label::new(text).truncate());
                let mut hidden = 0;
                for (place, s) in sessions.iter().enumerate().filter(|(_, s)| environment(s) == group) {
                    let top = ui.cursor().top() + hidden as f32 * (ROW + space::HAIR);
                    if to_show == Some(s.id) {
                        let row = Rect::from_x_y_ranges(ui.clip_rect().x_range(), top..=top + ROW);
                        ui.scroll_to_rect_animation(row, None, ScrollAnimation::none());
                    }
                    if top > view.max || top + ROW < view.min {
                        hidden += 1;
                        continue;
                    }
                    skip(ui, std::mem::take(&mut hidden));
                    row(ui, s, (place + 1, sessions.len()), scene, acts);
                }
                skip(ui, hidden);
            }
        });
    });
}

/// The session in front, where it was another one before: its row shall come into view.
fn newly_chosen(ui: &Ui, scene: &Scene<'_>) -> Option<SessionId> {
    let chosen = scene.session.map(|s| s.id);
    let id = ui.scope_id().with("chosen");
    let before = ui.data_mut(|d| std::mem::replace(d.get_temp_mut_or_default::<Option<SessionId>>(id), chosen));
    chosen.filter(|_| chosen != before)
}

/// Room for so many rows that are out of view.
fn skip(ui: &mut Ui, rows: usize) {
    if rows > 0 {
        ui.add_space(rows as f32 * (ROW + space::HAIR));
    }
}

fn environment(view: &SessionView) -> &str {
    view.start.as_ref().map_or("", |s| s.environment.as_str())
}

/// One session: two lines, the whole of it is a button.
fn row(ui: &mut Ui, view: &SessionView, place: (usize, usize), scene: &Scene<'_>, acts: &mut Acts) {
    let t = tokens(ui);
    let (_, rect) = ui.allocate_space(vec2(ui.available_width(), ROW));
    // Of its own, whatever is painted before it: the keyboard stays with it when the list scrolls.
    let response = ui.interact(rect, ui.scope_id().with(view.id), Sense::click());
    let chosen = scene.session.is_some_and(|s| s.id == view.id);
    let (mut icon, mut word, mut tone) = state_mark(view, scene.situation.saved);
    let rings = scene.ringing.iter().find(|r| r.session == view.id);
    if rings.is_some() {
        (icon, word, tone) = (Icon::Play, "rings", Tone::Amber);
    }
    let name = scene.book.name(view);
    let unread = if chosen { 0 } else { scene.book.unread(view) };
    let news = if unread > 0 { format!(", {unread} new") } else { String::new() };
    let unverified = !view.dialect().is_verified();
    let doubt = if unverified { ", unverified" } else { "" };
    response.widget_info(|| {
        egui::WidgetInfo::selected(Role::Button, true, chosen, format!("Session {name}, {word}{doubt}{news}"))
    });
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_position_in_set(place.0);
        node.set_size_of_set(place.1);
    });
    if response.clicked() {
        acts.push(Act::Show(view.id));
    }
    if response.gained_focus() {
        // At once: the next row must be there when the next key comes.
        response.scroll_to_me_animation(None, ScrollAnimation::none());
    }
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    if chosen {
        painter.rect_filled(rect, radius::NORMAL, t.surface.selected);
    } else if response.hovered() {
        painter.rect_filled(rect, radius::NORMAL, t.surface.hover);
    }
    if response.has_focus() {
        painter.rect_stroke(rect, radius::NORMAL, (2.0, t.focus), egui::StrokeKind::Inside);
    }
    let left = rect.left() + space::NORMAL;
    let (upper, lower) = (rect.top() + 13.0, rect.bottom() - 12.0);
    let spot = |x: f32, y: f32, side: f32| Rect::from_center_size(pos2(x, y), Vec2::splat(side));
    icon.paint(&painter, spot(left + 6.0, upper, 11.0), tone.ink(ui));
    let text_at = left + 18.0;
    let right = rect.right() - space::NORMAL;
    let number = if place.0 <= 9 { place.0.to_string() } else { String::new() };
    let mark = if unread > 0 { format!("{unread} new") } else { number };
    let color = if unread > 0 { t.accent } else { t.text.weak };
    let mark = painter.layout_no_wrap(mark, font::small_data(), color);
    let room = right - text_at - mark.size().x - space::SMALL;
    painter.galley(pos2(right - mark.size().x, upper - mark.size().y / 2.0), mark, color);
    let title = cut(ui, &format::shown(&name), font::strong(), t.text.strong, room);
    painter.galley(pos2(text_at, upper - title.size().y / 2.0), title, t.text.strong);
    let ink = if tone == Tone::Plain { t.text.weak } else { tone.ink(ui) };
    let word = painter.layout_no_wrap(word.to_owned(), font::small(), ink);
    let mut x = text_at + word.size().x + space::NORMAL;
    painter.galley(pos2(text_at, lower - word.size().y / 2.0), word, ink);
    let clock = rings.and_then(|r| ringing::clock(view, &r.talk)).or_else(|| next_clock(view, scene));
    if let Some(clock) = clock {
        let now = view.server_now(scene.shown_at);
        let phase = clock.phase(now);
        let ink = if rings.is_some() { t.amber.ink } else { clock_ink(ui, phase) };
        let ring = spot(x + 6.0, lower, 12.0);
        paint_ring(&painter, ring, clock.share(now), phase, egui::Stroke::new(2.0, t.line.normal), ink);
        x += 16.0;
        let left = clock.left(now).map_or_else(String::new, super::widgets::format::countdown);
        let galley = painter.layout_no_wrap(left, font::small_data(), ink);
        let width = galley.size().x;
        painter.galley(pos2(x, lower - galley.size().y / 2.0), galley, ink);
        x += width + space::NORMAL;
    }
    if unverified {
        let mark = painter.layout_no_wrap("unverified".to_owned(), font::small(), t.amber.ink);
        // Where there is no room for the word, the shape tells it; the hint says it in full.
        let (width, worded) = (mark.size().x, right - mark.size().x - 14.0 >= x);
        let shape = if worded { right - width - 8.0 } else { right - 6.0 };
        Icon::Warning.paint(&painter, spot(shape, lower, 11.0), t.amber.ink);
        if worded {
            painter.galley(pos2(right - width, lower - mark.size().y / 2.0), mark, t.amber.ink);
        }
    }
    let open = view.state.as_ref().is_some_and(|s| !s.is_ended());
    let cut = if scene.situation.saved && open { ", when the capture ended" } else { "" };
    let response = response.on_hover_ui(|ui| {
        let mut hint = format!("{name}: {}{cut}", view.state.as_ref().map_or("new".to_owned(), sentence));
        if unverified {
            hint.push_str(&format!("\n{}, unverified: {UNVERIFIED}", view.dialect().title()));
        }
        ui.label(hint);
    });
    Popup::context_menu(&response).show(|ui| menu_items(ui, view, scene, acts));
}

fn cut(ui: &Ui, text: &str, id: egui::FontId, color: egui::Color32, room: f32) -> std::sync::Arc<egui::Galley> {
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), id, color);
    job.wrap = egui::text::TextWrapping::truncate_at_width(room.max(20.0));
    ui.painter().layout_job(job)
}

fn sentence(state: &SessionState) -> String {
    match state {
        SessionState::Ended(end) => end.sentence(),
        other => other.word().to_owned(),
    }
}

fn clock_ink(ui: &Ui, phase: ClockPhase) -> egui::Color32 {
    let t = tokens(ui);
    match phase {
        ClockPhase::Fine => t.text.weak,
        ClockPhase::Margin => t.amber.ink,
        ClockPhase::Last => t.red.ink,
        ClockPhase::Dead | ClockPhase::Open => t.dead.ink,
    }
}

/// The clock of a session that will break next.
fn next_clock<'a>(view: &'a SessionView, scene: &Scene<'_>) -> Option<&'a ClockView> {
    let now = view.server_now(scene.shown_at);
    view.clocks.iter().find(|c| !matches!(c.phase(now), ClockPhase::Dead | ClockPhase::Open))
}

/// The button with all that can be done to a session.
pub fn session_menu(ui: &mut Ui, view: &SessionView, scene: &Scene<'_>, acts: &mut Acts) {
    let response = icon_button(ui, Icon::More, "Session menu");
    Popup::menu(&response).show(|ui| menu_items(ui, view, scene, acts));
}

fn menu_items(ui: &mut Ui, view: &SessionView, scene: &Scene<'_>, acts: &mut Acts) {
    let before = acts.0.len();
    session_items(ui, view, scene, acts);
    if acts.0.len() > before {
        // Also where it was chosen by the keyboard.
        ui.close();
    }
}

fn session_items(ui: &mut Ui, view: &SessionView, scene: &Scene<'_>, acts: &mut Acts) {
    let live = scene.is_live(view.id);
    ui.set_min_width(190.0);
    let open = view.state.as_ref().is_some_and(|s| !s.is_ended() && *s != SessionState::New);
    ui.add_enabled_ui(live, |ui| {
        if open {
            if ui.button("Disconnect").clicked() {
                acts.wish(view.id, Wish::Leave { code: 1000, reason: "closed by the tester".into() });
            }
        } else if ui.button("Connect").clicked() {
            acts.wish(view.id, Wish::Connect);
        }
        if ui.button("Start a new conversation").clicked() {
            acts.wish(view.id, Wish::StartNew);
        }
        if view.dialect() == DialectId::WebMessaging {
            let signed_in = view.clocks.iter().any(|c| c.fact.id == "guest-auth");
            if ui.button("Sign the guest in…").clicked() {
                acts.push(Act::Open(Box::new(Dialog::sign_in(view.id))));
            }
            if signed_in && ui.button("Log the guest out").clicked() {
                acts.wish(view.id, Wish::SignOut);
            }
        }
        let mut reconnect = scene.book.reconnect.contains(&view.id);
        if ui.checkbox(&mut reconnect, "Reconnect by itself").on_hover_text(Cmd::Reconnect.entry().tip).clicked() {
            acts.push(Act::Show(view.id));
            acts.run(Cmd::Reconnect);
        }
    });
    ui.separator();
    if ui.button("Show only its records").clicked() {
        acts.push(Act::Filter(format!("session:{}", view.id.0)));
    }
    if ui.button("Rename…").clicked() {
        acts.push(Act::Open(Box::new(Dialog::rename(view.id, scene.book.name(view)))));
    }
    if ui.button("Final report…").clicked() {
        acts.push(Act::Open(Box::new(Dialog::final_report(view.id))));
    }
    if ui.button("Export…").clicked() {
        acts.push(Act::Open(Box::new(Dialog::export(Some(view.id)))));
    }
    ui.separator();
    let close = ui.add_enabled(!scene.situation.saved, egui::Button::new("Close session"));
    let close = close.on_disabled_hover_text(SAVED);
    if close.on_hover_text(Cmd::CloseSession.entry().tip).clicked() {
        acts.push(Act::Close(view.id));
    }
}
