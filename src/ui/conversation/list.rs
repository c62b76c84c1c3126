//! The list of entries: only what is visible is laid out, whatever its height.

use std::collections::HashSet;
use std::sync::Arc;

use egui::{Rect, Role, ScrollArea, Ui, UiBuilder, Vec2, vec2};

use super::{bubble, lines};
use crate::projection::{Entry, SessionView, What};
use crate::ui::app::{Act, Acts, Scene};
use crate::ui::theme::space;
use crate::ui::widgets::{Icon, Weight, button};

/// Assumed height of an entry that was never laid out.
const GUESS: f32 = 62.0;
const GAP: f32 = space::SMALL;

/// Where a conversation is scrolled to, and how high its entries are.
#[derive(Default)]
pub struct ConversationList {
    heights: Vec<Height>,
    width: f32,
    /// Bring this entry into view at the next paint.
    jump: Option<usize>,
    to_end: bool,
    /// Entries above the view changed their height by this much.
    slip: f32,
    offset: f32,
    /// Entries when the end was last in view.
    seen: usize,
}

#[derive(Clone, Copy)]
struct Height {
    /// Which entry was measured; zero for none.
    of: usize,
    points: f32,
}

impl ConversationList {
    /// Brings the first entry that came from one of these records into view.
    pub fn reveal(&mut self, view: &SessionView, seqs: &[u64]) {
        let found = view.conversation.entries.iter().position(|e| e.records.iter().any(|r| seqs.contains(r)));
        if found.is_some() {
            self.jump = found;
        }
    }

    fn prepare(&mut self, entries: usize, width: f32) {
        self.heights.resize(entries, Height { of: 0, points: GUESS });
        if (self.width - width).abs() > 0.5 {
            self.width = width;
            for h in &mut self.heights {
                h.of = 0;
            }
        }
    }

    fn top_of(&self, index: usize) -> f32 {
        self.heights.iter().take(index).map(|h| h.points + GAP).sum()
    }

    /// Paints the list into what is left of `ui`.
    pub fn paint(&mut self, ui: &mut Ui, view: &SessionView, scene: &Scene<'_>, acts: &mut Acts) {
        let entries = &view.conversation.entries;
        let room = ui.available_size();
        self.prepare(entries.len(), room.x);
        let lit: HashSet<u64> = scene.selection.seqs().iter().copied().collect();
        let head = lines::older_height(view);
        let mut area = ScrollArea::vertical()
            .id_salt(("conversation", view.id.0))
            .auto_shrink([false, false])
            .stick_to_bottom(self.jump.is_none());
        if let Some(target) = self.jump.take() {
            let in_view = self.top_of(target) + head;
            if in_view < self.offset || in_view > self.offset + room.y - GUESS {
                area = area.vertical_scroll_offset((in_view - room.y / 3.0).max(0.0));
            }
        } else if std::mem::take(&mut self.to_end) {
            area = area.vertical_scroll_offset(f32::MAX / 4.0);
        } else if self.slip != 0.0 {
            area = area.vertical_scroll_offset((self.offset + self.slip).max(0.0));
        }
        self.slip = 0.0;
        let output = area.show_viewport(ui, |ui, viewport| {
            let total = head + self.top_of(entries.len());
            let typing = lines::typing_height(view, scene);
            ui.set_width(ui.available_width());
            ui.set_height(total + typing);
            let origin = ui.max_rect().min;
            let width = ui.available_width() - space::NORMAL;
            if head > 0.0 && viewport.min.y < head {
                lines::older(&mut child(ui, "older", origin, width, head), view);
            }
            self.visible(ui, view, scene, &lit, viewport, (head, width), acts);
            if typing > 0.0 {
                lines::typing(&mut child(ui, "typing", origin + vec2(0.0, total), width, typing), view, scene);
            }
            viewport.max.y >= total + typing - GUESS
        });
        self.offset = output.state.clamped_offset().y;
        let at_end = output.inner;
        if at_end {
            self.seen = entries.len();
        } else if entries.len() > self.seen {
            self.pill(ui, output.inner_rect, entries.len() - self.seen);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one pass over what is visible, all of it plain data")]
    fn visible(
        &mut self,
        ui: &mut Ui,
        view: &SessionView,
        scene: &Scene<'_>,
        lit: &HashSet<u64>,
        viewport: Rect,
        (head, width): (f32, f32),
        acts: &mut Acts,
    ) {
        let entries = &view.conversation.entries;
        let origin = ui.max_rect().min;
        let (mut y, mut moved) = (head, false);
        for (index, entry) in entries.iter().enumerate() {
            let Height { of, points } = self.heights[index];
            if y + points < viewport.min.y {
                y += points + GAP;
                continue;
            }
            if y > viewport.max.y {
                break;
            }
            let at = origin + vec2(0.0, y);
            let mut inner = child(ui, id_of(entry, index), at, width, points);
            let place = (index + 1, entries.len());
            paint_entry(&mut inner, entry, view, scene, is_lit(entry, lit), place, acts);
            let real = inner.min_rect().height().max(8.0);
            let identity = Arc::as_ptr(entry) as usize;
            if (real - points).abs() > 0.5 || of != identity {
                moved |= (real - points).abs() > 0.5;
                if y < viewport.min.y {
                    self.slip += real - points;
                }
                self.heights[index] = Height { of: identity, points: real };
            }
            y += points + GAP;
        }
        if moved {
            ui.ctx().request_repaint();
        }
    }

    fn pill(&mut self, ui: &mut Ui, list: Rect, new: usize) {
        let rect = Rect::from_center_size(list.center_bottom() - vec2(0.0, 22.0), vec2(110.0, 26.0));
        let mut over = ui.new_child(UiBuilder::new().id_salt("pill").max_rect(rect));
        if button(&mut over, Some(Icon::ArrowDown), &format!("{new} new"), Weight::Primary).clicked() {
            self.to_end = true;
        }
    }
}

fn child(ui: &mut Ui, salt: impl egui::AsIdSalt, at: egui::Pos2, width: f32, height: f32) -> Ui {
    let rect = Rect::from_min_size(at, vec2(width, height.max(1.0)));
    ui.new_child(UiBuilder::new().id_salt(salt).max_rect(rect).layout(egui::Layout::top_down(egui::Align::Min)))
}

fn id_of(entry: &Entry, index: usize) -> (u8, String) {
    match &entry.what {
        What::Message(m) => match &m.tracing {
            Some(t) => (0, t.clone()),
            None if !m.key.is_empty() => (1, m.key.clone()),
            None => (2, format!("{:?}/{index}", entry.records.first())),
        },
        What::Upload { id, .. } => (3, id.clone()),
        _ => (4, format!("{:?}/{index}", entry.records.first())),
    }
}

fn is_lit(entry: &Entry, lit: &HashSet<u64>) -> bool {
    !lit.is_empty() && entry.records.iter().any(|r| lit.contains(r))
}

fn paint_entry(
    ui: &mut Ui,
    entry: &Entry,
    view: &SessionView,
    scene: &Scene<'_>,
    lit: bool,
    place: (usize, usize),
    acts: &mut Acts,
) {
    match &entry.what {
        What::Message(message) => bubble::message(ui, entry, message, view, scene, lit, place, acts),
        What::Upload { id, name, size, state } => {
            bubble::upload(ui, entry, (id, name, *size, state), view, scene, lit, acts);
        }
        What::Presence(side, presence) => lines::presence(ui, entry, *side, presence, scene, lit, acts),
        What::State(text) => lines::state(ui, entry, text, scene, lit, acts),
        What::Note(text) => lines::note(ui, entry, text, scene, lit, acts),
    }
}

/// Selects what an entry came from.
pub(super) fn select(entry: &Entry, acts: &mut Acts) {
    if !entry.records.is_empty() {
        acts.push(Act::Select(entry.records.clone()));
    }
}

/// Tells assistive software what an entry says and where in the list it stands.
pub(super) fn list_item(ui: &Ui, response: &egui::Response, label: &str, place: (usize, usize)) {
    response.widget_info(|| egui::WidgetInfo::labeled(Role::ListItem, ui.is_enabled(), label));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_position_in_set(place.0);
        node.set_size_of_set(place.1);
    });
}

/// Widest a bubble may be.
pub(super) fn bubble_width(ui: &Ui) -> f32 {
    let room: Vec2 = ui.available_size();
    (room.x * 0.78).clamp(140.0, 640.0).min(room.x)
}
