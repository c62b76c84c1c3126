//! The table itself: its state between frames, and a frame.

use std::sync::Arc;

use egui::{Color32, Galley, Rect, Role, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use super::cache::{Cache, micros_between};
use super::columns::{Columns, GUTTER, HEAD, Places};
use super::row::Stock;
use super::source::{RecordSource, Show, TableEvent};
use super::{Column, Follow};
use crate::capture::Rows;
use crate::model::{Now, Report};
use crate::ui::theme::{font, radius, space, tokens};
use crate::ui::widgets::{BAR, Extent, Icon, Scroller, Tone, Weight, button, empty_state, report_card};

/// Rows read beyond the view on both sides.
const MARGIN: u64 = 24;

/// The state of a record table. One per capture shown.
pub struct RecordTable {
    /// To be remembered between runs.
    pub columns: Columns,
    /// To be remembered between runs; the owner of the source obeys it.
    pub show: Show,
    /// Times are told in this zone.
    pub zone: jiff::tz::TimeZone,
    /// Why nothing can be written on a record, where that is so.
    pub read_only: Option<&'static str>,
    pub(super) follow: Follow,
    pub(super) scroller: Scroller,
    pub(super) selected: Option<u64>,
    pub(super) second: Option<u64>,
    pub(super) zero: Option<(u64, Now)>,
    pub(super) cache: Cache,
    /// The row that must not move when rows come and go: record, row then, and distance from the top.
    anchor: Option<Anchor>,
    /// Where the selected row was when it was last seen, for when a filter hides it and gives it back.
    selected_y: Option<(u64, f32)>,
    /// Scroll to this record in the next frame.
    goal: Option<u64>,
    pub(super) extent: Extent,
    /// First and one past the last visible row of the last frame.
    visible: (u64, u64),
    pub(super) stock: Option<(Stamp, Arc<Stock>)>,
    failed: Option<(u64, Report)>,
    pub(super) menu: Option<u64>,
    pub(super) want_focus: bool,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    seq: u64,
    row: u64,
    y: f32,
}

/// Laid-out text is good as long as this stays the same. The canary is laid out every frame: egui hands out another
/// one when fonts, scale or atlas changed.
pub(super) struct Stamp {
    canary: Arc<Galley>,
    dark: bool,
    zero: Option<u64>,
    summary: f32,
}

impl Stamp {
    fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.canary, &other.canary)
            && self.dark == other.dark
            && self.zero == other.zero
            && self.summary == other.summary
    }
}

impl Default for RecordTable {
    fn default() -> Self {
        Self {
            columns: Columns::default(),
            show: Show::default(),
            zone: jiff::tz::TimeZone::system(),
            read_only: None,
            follow: Follow::Following,
            scroller: Scroller::default(),
            selected: None,
            second: None,
            zero: None,
            cache: Cache::default(),
            anchor: None,
            selected_y: None,
            goal: None,
            extent: Extent { rows: 0, row_height: space::ROW, view_height: 0.0 },
            visible: (0, 0),
            stock: None,
            failed: None,
            menu: None,
            want_focus: false,
        }
    }
}

impl RecordTable {
    pub fn follow(&self) -> Follow {
        self.follow
    }

    /// Runs with the tail from now on.
    pub fn follow_tail(&mut self) {
        self.follow = Follow::Following;
    }

    /// Stays where it is.
    pub fn hold(&mut self, rows: &Rows) {
        let seen = rows.len().checked_sub(1).and_then(|last| rows.seq(last)).unwrap_or(0);
        self.follow = Follow::Held { seen };
    }

    /// The selected record, and the second one of two.
    pub fn selection(&self) -> (Option<u64>, Option<u64>) {
        (self.selected, self.second)
    }

    /// Selects a record from elsewhere (a bubble, a clock, a report) and scrolls to it.
    pub fn select(&mut self, seq: u64, rows: &Rows) {
        self.selected = Some(seq);
        self.second = None;
        self.goal = Some(seq);
        self.hold(rows);
    }

    pub fn clear_selection(&mut self) {
        self.selected = None;
        self.second = None;
    }

    /// The record that times are measured from.
    pub fn time_zero(&self) -> Option<u64> {
        self.zero.map(|(seq, _)| seq)
    }

    /// Makes the selected record time zero, or takes time zero away where it is that one already.
    pub fn toggle_time_zero(&mut self) -> Option<TableEvent> {
        let seq = self.selected?;
        self.zero = match self.zero {
            Some((zero, _)) if zero == seq => None,
            _ => Some((seq, self.cache.at(seq)?)),
        };
        Some(TableEvent::TimeZero(self.time_zero()))
    }

    /// Rows that can be seen, by the last frame.
    pub fn visible(&self) -> std::ops::Range<u64> {
        self.visible.0..self.visible.1
    }

    /// Time between the two selected rows, in microseconds, from the earlier to the later.
    pub fn gap(&self) -> Option<i64> {
        let (a, b) = (self.selected?, self.second?);
        Some(micros_between(self.cache.at(a.min(b))?, self.cache.at(a.max(b))?))
    }

    /// Id of what takes the keyboard.
    pub fn focus_id(&self) -> egui::Id {
        egui::Id::unique("record table")
    }

    /// Shows the table in what is left of `ui`.
    pub fn show(&mut self, ui: &mut Ui, source: &mut dyn RecordSource) -> Vec<TableEvent> {
        let mut events = Vec::new();
        let (_, mut rect) = ui.allocate_space(ui.available_size());
        // Something above may have grown the pane beyond what can be seen.
        rect.max.x = rect.max.x.min(ui.clip_rect().right()).max(rect.min.x + 2.0 * BAR);
        let rows = source.rows();
        if self.cache.begin(source.identity(), rows.len()) {
            // Times and places of another log mean nothing here.
            self.zero = None;
            self.anchor = None;
            self.selected_y = None;
            self.failed = None;
        }
        let head = Rect::from_min_max(rect.min, pos2(rect.right(), rect.top() + HEAD));
        let body = Rect::from_min_max(pos2(rect.left(), head.bottom()), pos2(rect.right() - BAR, rect.bottom()));
        self.extent = Extent { rows: rows.len(), row_height: space::ROW, view_height: body.height().max(1.0) };
        let t = tokens(ui);
        ui.painter().rect_filled(rect, 0, t.surface.sunken);
        let places = self.columns.places(body.left() + GUTTER, body.right());
        self.columns.head(ui, head, &places, self.zero.is_some());
        self.keep_place(&rows);
        let moved = self.scroller.wheel(ui, body, &self.extent);
        self.after_user_scroll(moved, &rows, &mut events);
        let builder = UiBuilder::new()
            .scope_id(self.focus_id())
            .max_rect(body)
            .sense(Sense::click())
            .accessibility_role(Role::ListBox);
        let list = ui.scope_builder(builder, |ui| {
            ui.set_clip_rect(ui.clip_rect().intersect(body));
            ui.set_min_size(body.size());
            self.keyboard(ui, source, &rows, &mut events);
            self.reach_goal(&rows);
            let extent = self.extent;
            ui.ctx().accesskit_node_builder(ui.unique_id(), |node| node.set_size_of_set(extent.rows as usize));
            if rows.is_empty() {
                let (title, text) = source.empty_text();
                let keys = [("New session", "Ctrl+N"), ("Filter", "Ctrl+F")];
                empty_state(ui, Icon::Columns, title, text, &keys);
            } else if self.prepare(ui, source, &rows, &places) {
                self.rows(ui, body, source, &rows, &places, &mut events);
            } else {
                self.failure(ui, body);
            }
        });
        // Only now: the click was "elsewhere" for the list under the row, which gives the keyboard away for that.
        if std::mem::take(&mut self.want_focus) {
            ui.memory_mut(|m| m.request_focus(self.focus_id()));
        }
        list.response.widget_info(|| WidgetInfo::labeled(Role::ListBox, true, "Records"));
        let bar = Rect::from_min_max(pos2(body.right(), body.top()), rect.max);
        let extent = self.extent;
        if self.scroller.bar(ui, bar, "Scroll records", &extent) {
            let to_end = self.scroller.is_at_end(&extent);
            self.after_user_scroll(if to_end { 1.0 } else { -1.0 }, &rows, &mut events);
            ui.ctx().request_repaint();
        }
        self.pill(ui, body, &rows, &mut events);
        self.remember_place(&rows);
        events
    }

    /// Wheel and bar: up lets go of the tail, reaching the end takes it again.
    fn after_user_scroll(&mut self, moved: f32, rows: &Rows, events: &mut Vec<TableEvent>) {
        if moved == 0.0 {
            return;
        }
        self.anchor = None;
        if moved < 0.0 && self.follow.is_following() {
            self.hold(rows);
            events.push(TableEvent::FollowChanged(self.follow));
        } else if moved > 0.0 && !self.follow.is_following() && self.scroller.is_at_end(&self.extent) {
            self.follow_tail();
            events.push(TableEvent::FollowChanged(self.follow));
        }
    }

    /// Before anything moves: the tail, or the anchor where rows came or went above it.
    fn keep_place(&mut self, rows: &Rows) {
        let extent = self.extent;
        if self.follow.is_following() {
            self.scroller.to_end(&extent);
            return;
        }
        self.scroller.clamp(&extent);
        let Some(anchor) = self.anchor else { return };
        if rows.seq(anchor.row) == Some(anchor.seq) {
            return;
        }
        // Rows changed under us. The selected row goes back to its pixel, else the old anchor does.
        match (self.selected, self.selected_y) {
            (Some(seq), Some((of, y))) if of == seq && rows.contains(seq) => {
                self.scroller.place(rows.row(seq), y, &extent);
            }
            _ => self.scroller.place(rows.row(anchor.seq), anchor.y, &extent),
        }
    }

    fn remember_place(&mut self, rows: &Rows) {
        let extent = self.extent;
        let visible = self.scroller.visible(&extent);
        self.visible = (visible.start, visible.end);
        let spot = |row: u64, seq: u64| Anchor { seq, row, y: self.scroller.y(row, &extent) };
        let selected = self.selected.filter(|seq| rows.contains(*seq)).map(|seq| spot(rows.row(seq), seq));
        let on_screen = selected.filter(|a| self.scroller.is_visible(a.row, &extent));
        if let Some(anchor) = on_screen {
            self.selected_y = Some((anchor.seq, anchor.y));
        } else if selected.is_some() {
            self.selected_y = None;
        }
        self.anchor = on_screen.or_else(|| rows.seq(visible.start).map(|seq| spot(visible.start, seq)));
    }

    fn reach_goal(&mut self, rows: &Rows) {
        if let Some(seq) = self.goal.take()
            && !rows.is_empty()
        {
            let row = rows.row(seq).min(rows.len() - 1);
            let extent = self.extent;
            self.scroller.reveal(row, &extent);
        }
    }

    /// Reads and lays out what will be seen. False where reading fails.
    fn prepare(&mut self, ui: &Ui, source: &mut dyn RecordSource, rows: &Rows, places: &Places) -> bool {
        if self.failed.as_ref().is_some_and(|(len, _)| *len == rows.len()) {
            return false;
        }
        let visible = self.scroller.visible(&self.extent);
        let here = |seq: &u64| rows.contains(*seq);
        let extra = [self.selected, self.second].into_iter().flatten().filter(here);
        let wide = visible.start.saturating_sub(MARGIN)..(visible.end + MARGIN).min(rows.len());
        // The margin is read only when something visible is missing: then at once, and not a row per frame. What runs by
        // at the tail is not read at all.
        let wide = if self.follow.is_following() { visible.clone() } else { wide };
        let missing = visible.clone().any(|row| rows.seq(row).is_some_and(|seq| self.cache.at(seq).is_none()));
        let above = visible.start.checked_sub(1).and_then(|row| rows.seq(row));
        let wanted = if missing { wide } else { 0..0 };
        let wanted = wanted.filter_map(|row| rows.seq(row)).chain(above).chain(extra);
        if let Err(report) = self.cache.load(source, wanted) {
            self.failed = Some((rows.len(), report));
            return false;
        }
        self.failed = None;
        let stamp = Stamp {
            canary: ui.painter().layout_no_wrap("0123456789:.".to_owned(), font::small_data(), Color32::PLACEHOLDER),
            dark: ui.visuals().dark_mode,
            zero: self.time_zero(),
            summary: places.width(Column::Summary),
        };
        if !self.stock.as_ref().is_some_and(|(old, _)| old.same(&stamp)) {
            self.stock = Some((stamp, Arc::new(Stock::new(ui.painter()))));
            self.cache.forget_text();
        }
        true
    }

    /// "128 new ↓": back to the tail.
    fn pill(&mut self, ui: &mut Ui, body: Rect, rows: &Rows, events: &mut Vec<TableEvent>) {
        let Follow::Held { seen } = self.follow else { return };
        let new = rows.len().saturating_sub(rows.row(seen.saturating_add(1)));
        if new == 0 {
            return;
        }
        let t = tokens(ui);
        let text = format!("{} new", crate::ui::widgets::format::count(new));
        let galley = ui.painter().layout_no_wrap(text.clone(), font::strong(), t.text.on_accent);
        let size = galley.size() + vec2(2.0 * space::WIDE + 16.0, 10.0);
        let rect = Rect::from_center_size(pos2(body.center().x, body.bottom() - size.y / 2.0 - 10.0), size);
        let response = ui.interact(rect, self.focus_id().with("new"), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{text}, follow")));
        let fill = if response.hovered() { t.accent_fill_hover } else { t.accent_fill };
        let painter = ui.painter().with_clip_rect(body);
        painter.rect_filled(rect, radius::ROUND + 4, fill);
        painter.galley(pos2(rect.left() + space::WIDE, rect.center().y - galley.size().y / 2.0), galley, fill);
        let spot = Rect::from_center_size(pos2(rect.right() - space::WIDE - 5.0, rect.center().y), vec2(12.0, 12.0));
        Icon::ArrowDown.paint(&painter, spot, t.text.on_accent);
        if response.on_hover_text("Follow the newest record (End)").clicked() {
            self.follow_tail();
            events.push(TableEvent::FollowChanged(self.follow));
            ui.ctx().request_repaint();
        }
    }

    /// Says why nothing can be read, in place of the rows.
    fn failure(&mut self, ui: &mut Ui, body: Rect) {
        let Some((_, report)) = &self.failed else { return };
        let mut again = false;
        ui.scope_builder(UiBuilder::new().max_rect(body.shrink(space::ROOM)), |ui| {
            report_card(ui, report, Tone::Red, None, false);
            again = button(ui, Some(Icon::Refresh), "Read again", Weight::Normal).clicked();
        });
        if again {
            self.failed = None;
        }
    }
}
