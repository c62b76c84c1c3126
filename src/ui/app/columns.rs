//! The conversations in view: side by side, or one behind the other where that is too narrow.

use std::collections::HashMap;

use egui::{CentralPanel, Frame, Margin, Panel, Rect, Ui, UiBuilder, pos2, vec2};

use super::{Act, Acts, Column, Scene};
use crate::model::agents::Agents;
use crate::model::environment::Limits;
use crate::model::{DialectId, SessionId};
use crate::ui::composer::{self, Composer};
use crate::ui::conversation::{paint_column, paint_session_head, paint_thread};
use crate::ui::desk::{self, DeskPane};
use crate::ui::format;
use crate::ui::theme::{radius, space, tokens};
use crate::ui::widgets::tab_row;

/// A column that would be narrower than this stands behind the other one.
const NARROWEST: f32 = 330.0;
/// Longest name on a tab.
const NAME: usize = 22;

/// What the columns keep of their sessions.
pub(super) struct Work<'a> {
    pub composers: &'a mut HashMap<SessionId, Composer>,
    pub desks: &'a mut HashMap<SessionId, DeskPane>,
    /// Where the composers are painted.
    pub rects: &'a mut Vec<Rect>,
}

/// One or two conversations, each with its composer. True where there is room for the one that has the focus only.
pub(super) fn paint(
    ui: &mut Ui,
    columns: &mut [Column],
    mut work: Work<'_>,
    focus: usize,
    want: bool,
    scene: &Scene<'_>,
    acts: &mut Acts,
) -> bool {
    let room = ui.available_rect_before_wrap();
    let count = columns.len().max(1) as f32;
    let gap = if columns.len() > 1 { space::ROOM } else { 0.0 };
    let width = (room.width() - gap * (count - 1.0)) / count;
    let several = columns.len() > 1;
    if several && width < NARROWEST {
        behind(ui, columns, &mut work, focus, want, scene, acts);
        return true;
    }
    for (n, column) in columns.iter_mut().enumerate() {
        let left = room.left() + n as f32 * (width + gap);
        let rect = Rect::from_min_size(pos2(left, room.top()), vec2(width, room.height()));
        let mut inner = ui.new_child(UiBuilder::new().id_salt(("column", n)).max_rect(rect));
        inner.set_clip_rect(rect.expand(2.0).intersect(ui.clip_rect()));
        if several {
            let t = tokens(ui);
            if n == focus {
                let line = Rect::from_min_size(rect.left_top() - vec2(0.0, 5.0), vec2(width, 2.0));
                ui.painter().rect_filled(line, 0, t.accent);
            } else if (ui.input(|i| i.pointer.primary_pressed()) && ui.rect_contains_pointer(rect))
                || has_keyboard(ui, rect)
            {
                acts.push(Act::Focus(n));
            }
        }
        one(&mut inner, column, &mut work, want && n == focus, scene, acts);
    }
    ui.allocate_rect(room, egui::Sense::hover());
    false
}

/// One behind the other, with tabs.
fn behind(
    ui: &mut Ui,
    columns: &mut [Column],
    work: &mut Work<'_>,
    focus: usize,
    want: bool,
    scene: &Scene<'_>,
    acts: &mut Acts,
) {
    let names: Vec<String> = columns.iter().map(|c| tab_name(c, scene)).collect();
    let tabs: Vec<(usize, &str)> = names.iter().map(String::as_str).enumerate().collect();
    let mut front = focus.min(columns.len() - 1);
    if tab_row(ui, "Conversations in view", &mut front, &tabs) {
        acts.push(Act::Focus(front));
    }
    if let Some(column) = columns.get_mut(front) {
        ui.push_id(("column", front), |ui| one(ui, column, work, want, scene, acts));
    }
}

fn tab_name(column: &Column, scene: &Scene<'_>) -> String {
    let Some(view) = column.session.and_then(|id| scene.board.session(id)) else { return "no session".to_owned() };
    let name = scene.book.name(view);
    let name = format::shown(&name);
    let cut: String = name.chars().take(NAME).collect();
    let rest = if cut.len() < name.len() { "…" } else { "" };
    let unread = scene.book.unread(view);
    if scene.ringing.iter().any(|r| r.session == view.id && !r.in_view) {
        return format!("{cut}{rest} · rings");
    }
    if unread > 0 { format!("{cut}{rest} · {unread} new") } else { format!("{cut}{rest}") }
}

/// What has the keyboard lies in here.
fn has_keyboard(ui: &Ui, rect: Rect) -> bool {
    let focused = ui.memory(|m| m.focused()).and_then(|id| ui.ctx().read_response(id));
    // Dialogs and menus lie over the columns, in layers of their own.
    focused.is_some_and(|r| r.layer_id == ui.layer_id() && rect.contains(r.rect.center()))
}

fn one(ui: &mut Ui, column: &mut Column, work: &mut Work<'_>, want: bool, scene: &Scene<'_>, acts: &mut Acts) {
    let Some(view) = column.session.and_then(|id| scene.board.session(id)) else {
        ui.centered_and_justified(|ui| ui.label("Choose a session at the left."));
        return;
    };
    let environment = scene.book.environments.get(&view.id);
    if view.dialect() == DialectId::Agent {
        let most = environment.map_or_else(|| Agents::default().text_chars, |e| e.agents.text_chars);
        let limits = Limits { message_bytes: most, ..Limits::default() };
        let pane = work.desks.entry(view.id).or_default();
        let drafts = |talk: &str| {
            composer::Composer::new(scene.settings.drafts.of(&super::deeds::talk_key(scene.book, view, talk)))
        };
        work.rects.extend(desk::paint(ui, pane, view, &limits, want, drafts, scene, acts));
        return;
    }
    if scene.is_live(view.id) {
        let key = super::deeds::draft_key(scene.book, view);
        let composer =
            work.composers.entry(view.id).or_insert_with(|| composer::Composer::new(scene.settings.drafts.of(&key)));
        let limits = environment.map_or_else(Limits::default, |e| e.limits.clone());
        let t = tokens(ui);
        let frame = Frame::new()
            .fill(t.surface.raised)
            .corner_radius(radius::NORMAL)
            .inner_margin(Margin::same(8))
            .outer_margin(Margin { top: 6, ..Margin::ZERO });
        let room = composer::most(ui.available_height());
        let panel = Panel::bottom(("composer", view.id.0))
            .frame(frame)
            .resizable(false)
            .show_separator_line(false)
            .max_size(room)
            .show(ui, |ui| {
                composer.utc = scene.settings.utc;
                composer.room = room;
                composer::paint(ui, composer, view, &limits, want, acts);
            });
        work.rects.push(panel.response.rect);
    }
    CentralPanel::default().frame(Frame::new()).show(ui, |ui| {
        // With hardly any room left it shall be cut off, not lie over the composer.
        ui.shrink_clip_rect(ui.max_rect());
        let Some(pair) = scene.board.ends.of(view.id, None) else {
            return paint_column(ui, &mut column.list, view, scene, acts);
        };
        let pane = work.desks.entry(view.id).or_default();
        paint_session_head(ui, view, scene, acts);
        desk::offer(ui, &mut pane.ends, pair, scene);
        ui.add_space(space::TIGHT);
        match pane.ends {
            true => desk::paint_ends(ui, &mut pane.pane, pair, scene, acts),
            false => paint_thread(ui, &mut column.list, view, scene, acts),
        }
    });
}
