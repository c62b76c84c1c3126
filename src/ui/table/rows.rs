//! The visible rows of a frame: painting them and what is done to them with the mouse.

use std::sync::Arc;

use egui::{Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::Column;
use super::columns::Places;
use super::row::{self, Look, Setting};
use super::source::{RecordSource, TableEvent};
use super::view::RecordTable;
use crate::capture::Rows;
use crate::model::Now;
use crate::ui::theme::tokens;

impl RecordTable {
    /// Paints what is visible and takes clicks on it.
    pub(super) fn rows(
        &mut self,
        ui: &mut Ui,
        body: Rect,
        source: &dyn RecordSource,
        rows: &Rows,
        places: &Places,
        events: &mut Vec<TableEvent>,
    ) {
        let Some(stock) = self.stock.as_ref().map(|(_, stock)| Arc::clone(stock)) else { return };
        let t = tokens(ui);
        let zone = self.zone.clone();
        let setting = Setting {
            tokens: t,
            zero: self.zero.map(|(_, at)| at),
            zone: &zone,
            summary_width: places.width(Column::Summary),
        };
        let extent = self.extent;
        let focused = ui.memory(|m| m.has_focus(self.focus_id()));
        let painter = ui.painter().clone();
        let mut above = self.scroller.visible(&extent).start.checked_sub(1).and_then(|row| rows.seq(row));
        for n in self.scroller.visible(&extent) {
            let Some(seq) = rows.seq(n) else { break };
            let top = body.top() + self.scroller.y(n, &extent);
            let rect = Rect::from_min_size(pos2(body.left(), top), vec2(body.width(), extent.row_height));
            let response = ui.interact(rect, self.focus_id().with(("row", seq)), Sense::CLICK);
            let look = Look {
                selected: self.selected == Some(seq),
                second: self.second == Some(seq),
                hovered: response.hovered(),
                lit: source.is_lit(seq),
                marked: source.is_marked(seq),
                noted: source.note(seq).is_some(),
                zero: self.time_zero() == Some(seq),
                odd: n % 2 == 1,
                focused,
            };
            let before = above.and_then(|seq| self.cache.at(seq).map(|at| (seq, at)));
            row::paint_background(&painter, rect, look, t);
            if let Some(cached) = self.cache.get_mut(seq) {
                let lint = source.lint(cached.session, seq);
                if cached.text.is_none() || cached.lint != lint {
                    cached.lint = lint;
                    cached.text = Some(row::lay_out(&painter, seq, cached, &stock, &setting));
                }
                let above_seq = before.map_or(0, |(seq, _)| seq);
                if cached.delta.as_ref().is_none_or(|(of, _)| *of != above_seq) {
                    let galley = before.map(|(_, at)| row::delta(&painter, at, cached.at, t));
                    cached.delta = Some((above_seq, galley));
                }
                row::paint(&painter, rect, places, cached, &stock, t);
                row::paint_gutter(&painter, rect, look, t);
                response.widget_info(|| {
                    WidgetInfo::labeled(Role::ListBoxOption, true, row::label(seq, cached, look, &setting))
                });
                ui.ctx().accesskit_node_builder(response.id, |node| {
                    node.set_position_in_set(n as usize);
                    node.set_size_of_set(extent.rows as usize);
                    node.set_selected(look.selected || look.second);
                });
                if response.hovered() {
                    let tip = tip(&response, rect, places, cached.at, &zone, source.note(seq));
                    if let Some(text) = tip {
                        response.clone().on_hover_text_at_pointer(text);
                    }
                }
            }
            self.row_clicks(ui, &response, seq, rows, events);
            above = Some(seq);
        }
    }

    fn row_clicks(&mut self, ui: &Ui, response: &egui::Response, seq: u64, rows: &Rows, events: &mut Vec<TableEvent>) {
        if response.clicked() || response.secondary_clicked() {
            self.want_focus = true;
            // What is being looked at must not run away.
            if self.follow.is_following() {
                self.hold(rows);
                events.push(TableEvent::FollowChanged(self.follow));
            }
            let extend = ui.input(|i| i.modifiers.shift || i.modifiers.command) && response.clicked();
            match self.selected {
                Some(first) if extend && first != seq => self.choose_two(first, seq, events),
                // A right click within a selection of two keeps it: the menu compares them.
                Some(_) if response.secondary_clicked() && self.second == Some(seq) => {}
                _ => self.choose(seq, events),
            }
        }
        if response.double_clicked() {
            events.push(TableEvent::Open(seq));
        }
        if response.secondary_clicked() {
            self.menu = Some(seq);
        }
        if self.menu == Some(seq) {
            response.context_menu(|ui| self.row_menu(ui, seq, events));
        }
    }

    fn row_menu(&mut self, ui: &mut Ui, seq: u64, events: &mut Vec<TableEvent>) {
        let mut item = |ui: &mut Ui, text: &str, keys: &str, why: &str, event: Option<TableEvent>| {
            let response = ui.add_enabled(event.is_some(), egui::Button::new(text).shortcut_text(keys));
            if response.on_disabled_hover_text(why).clicked() {
                events.extend(event);
                ui.close();
                return true;
            }
            false
        };
        let (free, why) = (self.read_only.is_none(), self.read_only.unwrap_or_default());
        item(ui, "Mark", "M", why, free.then_some(TableEvent::Mark(seq)));
        item(ui, "Note…", "N", why, free.then_some(TableEvent::Note(seq)));
        let other = if self.second == Some(seq) { self.selected } else { self.second };
        let why = "Hold Shift and click to select another row.";
        item(ui, "Difference to the other row", "D", why, other.map(|other| TableEvent::Diff(seq, Some(other))));
        let text = if self.time_zero() == Some(seq) { "Clear time zero" } else { "Set time zero" };
        if ui.add(egui::Button::new(text).shortcut_text("T")).clicked() {
            self.selected = Some(seq);
            events.extend(self.toggle_time_zero());
            ui.close();
        }
        ui.separator();
        if let Some(cached) = self.cache.get_mut(seq) {
            let line = format!("{} {}", cached.line.name, cached.line.text);
            let time = cached.at.wall.rfc3339();
            if ui.button("Copy line").clicked() {
                events.push(TableEvent::Copy(line.trim().to_owned()));
                ui.close();
            }
            if ui.button("Copy time").clicked() {
                events.push(TableEvent::Copy(time));
                ui.close();
            }
        }
    }

    pub(super) fn choose(&mut self, seq: u64, events: &mut Vec<TableEvent>) {
        self.selected = Some(seq);
        self.second = None;
        events.push(TableEvent::Select(Some(seq)));
    }

    pub(super) fn choose_two(&mut self, first: u64, second: u64, events: &mut Vec<TableEvent>) {
        self.selected = Some(first);
        self.second = Some(second);
        events.push(TableEvent::SelectTwo(first, second));
    }
}

/// The full date over the time, the note elsewhere.
fn tip(
    response: &egui::Response,
    rect: Rect,
    places: &Places,
    at: Now,
    zone: &jiff::tz::TimeZone,
    note: Option<&str>,
) -> Option<String> {
    let pointer = response.hover_pos()?;
    if places.rect(Column::Time, rect).is_some_and(|cell| cell.contains(pointer)) {
        return Some(row::full_time(at, zone));
    }
    note.map(str::to_owned)
}
