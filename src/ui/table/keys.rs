//! The keyboard within the table.

use egui::{EventFilter, Key, Modifiers, Ui};

use super::source::{RecordSource, TableEvent};
use super::view::RecordTable;
use crate::capture::Rows;

/// Where a key leads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    By(i64),
    First,
    Last,
}

impl RecordTable {
    /// Takes the keys while the table has the keyboard, or nobody has it.
    pub(super) fn keyboard(
        &mut self,
        ui: &Ui,
        source: &mut dyn RecordSource,
        rows: &Rows,
        events: &mut Vec<TableEvent>,
    ) {
        let id = self.focus_id();
        let focus = ui.memory(|m| m.focused());
        let covered = ui.memory(|m| m.top_modal_layer().is_some()) || egui::Popup::is_any_open(ui.ctx());
        if focus.is_some_and(|focused| focused != id) || covered || !ui.is_enabled() {
            return;
        }
        let filter = EventFilter { vertical_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|m| m.set_focus_lock_filter(id, filter));
        let page = self.extent.page().saturating_sub(1).max(1) as i64;
        let steps = [
            (Key::ArrowDown, Step::By(1)),
            (Key::ArrowUp, Step::By(-1)),
            (Key::J, Step::By(1)),
            (Key::K, Step::By(-1)),
            (Key::PageDown, Step::By(page)),
            (Key::PageUp, Step::By(-page)),
            (Key::Home, Step::First),
            (Key::End, Step::Last),
        ];
        for (key, step) in steps {
            for (modifiers, extend) in [(Modifiers::SHIFT, true), (Modifiers::NONE, false)] {
                let times = ui.input_mut(|i| i.count_and_consume_key(modifiers, key));
                for _ in 0..times {
                    self.step(step, extend, rows, events);
                }
            }
        }
        let pressed = |key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
        if pressed(Key::Space) {
            if self.follow.is_following() {
                self.hold(rows);
            } else {
                self.follow_tail();
            }
            events.push(TableEvent::FollowChanged(self.follow));
        }
        let Some(selected) = self.selected else { return };
        if pressed(Key::Enter) {
            events.push(TableEvent::Open(selected));
        }
        if pressed(Key::M) {
            events.push(TableEvent::Mark(selected));
        }
        if pressed(Key::N) {
            events.push(TableEvent::Note(selected));
        }
        if pressed(Key::D) {
            events.push(TableEvent::Diff(selected, self.second));
        }
        if pressed(Key::T) {
            // It may have been selected from elsewhere and not be read yet.
            let _ = self.cache.load(source, std::iter::once(selected));
            events.extend(self.toggle_time_zero());
        }
    }

    fn step(&mut self, step: Step, extend: bool, rows: &Rows, events: &mut Vec<TableEvent>) {
        let Some(last) = rows.len().checked_sub(1) else { return };
        let from = if extend { self.second.or(self.selected) } else { self.selected };
        let from = from.map(|seq| rows.row(seq).min(last));
        let to = match (step, from) {
            (Step::First, _) => 0,
            (Step::Last, _) => last,
            (Step::By(n), Some(row)) => row.saturating_add_signed(n).min(last),
            // Nothing is selected: begin with what is seen.
            (Step::By(n), None) if n < 0 => self.visible().end.saturating_sub(1).min(last),
            (Step::By(_), None) => self.visible().start.min(last),
        };
        let Some(seq) = rows.seq(to) else { return };
        let was = self.follow;
        if step == Step::Last && !extend {
            self.follow_tail();
        } else if self.follow.is_following() {
            self.hold(rows);
        }
        if was != self.follow {
            events.push(TableEvent::FollowChanged(self.follow));
        }
        match self.selected {
            Some(first) if extend && first != seq => self.choose_two(first, seq, events),
            _ => self.choose(seq, events),
        }
        let extent = self.extent;
        self.scroller.reveal(to, &extent);
    }
}
