//! The columns: which there are, how wide, and their head.

use egui::{Align2, CursorIcon, Popup, Rect, Role, Sense, Ui, WidgetInfo, pos2};
use serde::{Deserialize, Serialize};

use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{Icon, focus_ring};

/// Height of the head.
pub(super) const HEAD: f32 = 24.0;
/// Room at the left for marks and notes.
pub(super) const GUTTER: f32 = 36.0;
const SUMMARY_MIN: f32 = 160.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Column {
    Seq,
    Time,
    Delta,
    Direction,
    Kind,
    Summary,
    Bytes,
    Latency,
}

impl Column {
    pub const ALL: [Self; 8] =
        [Self::Seq, Self::Time, Self::Delta, Self::Direction, Self::Kind, Self::Summary, Self::Bytes, Self::Latency];

    /// In the column menu and for screen readers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seq => "Number",
            Self::Time => "Time",
            Self::Delta => "Delta",
            Self::Direction => "Direction",
            Self::Kind => "Kind",
            Self::Summary => "Summary",
            Self::Bytes => "Bytes",
            Self::Latency => "Latency",
        }
    }

    fn head(self) -> &'static str {
        match self {
            Self::Seq => "#",
            Self::Delta => "Δ",
            other => other.name(),
        }
    }

    /// What a tooltip of the head explains.
    fn help(self) -> &'static str {
        match self {
            Self::Seq => "Place in the log",
            Self::Time => "Local time, or time since the row set as time zero",
            Self::Delta => "Time since the row shown above",
            Self::Direction => "Sent, received, or local to this program",
            Self::Kind => "What the record is",
            Self::Summary => "What it says",
            Self::Bytes => "Length of the payload",
            Self::Latency => "Time since the record that it answers",
        }
    }

    fn default_width(self) -> f32 {
        match self {
            Self::Seq => 58.0,
            Self::Time => 98.0,
            Self::Delta => 74.0,
            Self::Direction => 80.0,
            Self::Kind => 74.0,
            Self::Summary => SUMMARY_MIN,
            Self::Bytes => 66.0,
            Self::Latency => 70.0,
        }
    }

    pub(super) fn is_figure(self) -> bool {
        matches!(self, Self::Seq | Self::Delta | Self::Bytes | Self::Latency)
    }
}

/// Widths and choice of columns, to be remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Columns {
    widths: Vec<(Column, f32)>,
    hidden: Vec<Column>,
}

impl Default for Columns {
    fn default() -> Self {
        Self { widths: Column::ALL.map(|c| (c, c.default_width())).to_vec(), hidden: Vec::new() }
    }
}

impl Columns {
    pub fn width(&self, column: Column) -> f32 {
        self.widths.iter().find(|(c, _)| *c == column).map_or(column.default_width(), |(_, w)| *w).clamp(24.0, 600.0)
    }

    pub fn set_width(&mut self, column: Column, width: f32) {
        self.widths.retain(|(c, _)| *c != column);
        self.widths.push((column, width));
    }

    pub fn is_shown(&self, column: Column) -> bool {
        column == Column::Summary || !self.hidden.contains(&column)
    }

    pub fn set_shown(&mut self, column: Column, shown: bool) {
        self.hidden.retain(|c| *c != column);
        if !shown {
            self.hidden.push(column);
        }
    }

    /// Left and right of each column, in order; none where it is hidden or has no room. The summary takes what is
    /// left; where that is too little, columns give way from the least needed.
    pub(super) fn places(&self, left: f32, right: f32) -> Places {
        let mut shown = Column::ALL.map(|c| self.is_shown(c));
        let fixed = |shown: &[bool; 8]| -> f32 {
            Column::ALL
                .iter()
                .zip(shown)
                .filter(|(c, on)| **on && **c != Column::Summary)
                .map(|(c, _)| self.width(*c))
                .sum()
        };
        for column in [Column::Bytes, Column::Latency, Column::Delta, Column::Kind, Column::Seq] {
            if right - left - fixed(&shown) >= SUMMARY_MIN {
                break;
            }
            shown[column as usize] = false;
        }
        let summary = (right - left - fixed(&shown)).max(24.0);
        let mut x = left;
        let mut places = Places::default();
        for (n, column) in Column::ALL.into_iter().enumerate() {
            if shown[n] {
                let width = if column == Column::Summary { summary } else { self.width(column) };
                places.0[n] = Some((x, x + width));
                x += width;
            }
        }
        places
    }

    /// Paints the head and lets columns be resized (drag an edge, double click for the usual width) and chosen (right
    /// click).
    pub(super) fn head(&mut self, ui: &mut Ui, rect: Rect, places: &Places, relative: bool) {
        let t = tokens(ui);
        ui.painter().rect_filled(rect, 0, t.surface.raised);
        ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, (1.0, t.line.faint));
        for column in Column::ALL {
            let Some(cell) = places.rect(column, rect) else { continue };
            let id = ui.scope_id().with(("head", column));
            let response = ui.interact(cell, id, Sense::CLICK);
            let name = column.name();
            response.widget_info(|| WidgetInfo::labeled(Role::ColumnHeader, true, name));
            let text = if relative && column == Column::Time { "Since zero" } else { column.head() };
            let (anchor, at) = if column.is_figure() {
                (Align2::RIGHT_CENTER, pos2(cell.right() - space::SMALL, cell.center().y))
            } else {
                (Align2::LEFT_CENTER, pos2(cell.left() + space::SMALL, cell.center().y))
            };
            ui.painter().with_clip_rect(cell).text(at, anchor, text, font::small_strong(), t.text.weak);
            Popup::context_menu(&response).show(|ui| self.menu(ui));
            response.on_hover_text(column.help());
        }
        for (n, column) in Column::ALL.into_iter().enumerate() {
            let Some(cell) = places.rect(column, rect) else { continue };
            let last = Column::ALL[n + 1..].iter().all(|c| places.rect(*c, rect).is_none());
            if !last {
                self.edge(ui, column, cell, places, rect);
            }
        }
    }

    /// The edge right of a column. Right of the summary it sizes the column behind it, which then grows to the left.
    fn edge(&mut self, ui: &mut Ui, column: Column, cell: Rect, places: &Places, head: Rect) {
        let behind = Column::ALL[column as usize + 1..].iter().copied().find(|c| places.rect(*c, head).is_some());
        let left_of_summary = (column as usize) < Column::Summary as usize;
        let Some(sized) = (if left_of_summary { Some(column) } else { behind }) else { return };
        let grip = Rect::from_center_size(pos2(cell.right(), cell.center().y), egui::vec2(7.0, cell.height()));
        let response = ui.interact(grip, ui.scope_id().with(("edge", column)), Sense::CLICK | Sense::DRAG);
        let t = tokens(ui);
        let hot = response.hovered() || response.dragged();
        let ink = if hot { t.accent } else { t.line.faint };
        ui.painter().vline(cell.right(), cell.shrink2(egui::vec2(0.0, 5.0)).y_range(), (1.0, ink));
        if hot {
            ui.ctx().set_cursor_icon(CursorIcon::ResizeHorizontal);
        }
        if response.dragged() {
            let by = response.drag_delta().x * if left_of_summary { 1.0 } else { -1.0 };
            self.set_width(sized, (self.width(sized) + by).clamp(24.0, 600.0));
        }
        if response.double_clicked() {
            self.set_width(sized, sized.default_width());
        }
    }

    /// The choice of columns, for a menu.
    pub(super) fn menu(&mut self, ui: &mut Ui) {
        for column in Column::ALL.into_iter().filter(|c| *c != Column::Summary) {
            let mut shown = self.is_shown(column);
            if ui.checkbox(&mut shown, column.name()).changed() {
                self.set_shown(column, shown);
            }
        }
        ui.separator();
        if ui.button("Reset columns").clicked() {
            *self = Self::default();
            ui.close();
        }
    }

    /// A button that opens the choice of columns.
    pub(super) fn button(&mut self, ui: &mut Ui) {
        let response = crate::ui::widgets::icon_button(ui, Icon::Columns, "Columns");
        focus_ring(ui, &response);
        Popup::menu(&response).close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside).show(|ui| self.menu(ui));
    }
}

/// Where the columns stand in this frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Places([Option<(f32, f32)>; 8]);

impl Places {
    /// The cell of a column in a row.
    pub fn rect(&self, column: Column, row: Rect) -> Option<Rect> {
        let (left, right) = self.0[column as usize]?;
        Some(Rect::from_min_max(pos2(left, row.top()), pos2(right, row.bottom())))
    }

    pub fn width(&self, column: Column) -> f32 {
        self.0[column as usize].map_or(0.0, |(left, right)| right - left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_takes_what_is_left_and_others_give_way() {
        let columns = Columns::default();
        let wide = columns.places(0.0, 1000.0);
        assert!(wide.width(Column::Summary) > 400.0);
        let narrow = columns.places(0.0, 420.0);
        assert_eq!(narrow.width(Column::Bytes), 0.0);
        assert!(narrow.width(Column::Summary) >= 100.0);
        assert!(narrow.width(Column::Time) > 0.0 && narrow.width(Column::Direction) > 0.0);
    }

    #[test]
    fn what_was_remembered_by_an_older_version_is_no_trouble() {
        let columns: Columns = serde_json::from_str(r#"{"widths":[["time",-5.0]]}"#).unwrap();
        assert_eq!(columns.width(Column::Time), 24.0);
        assert_eq!(columns.width(Column::Seq), Column::Seq.default_width());
        let back: Columns = serde_json::from_str(&serde_json::to_string(&columns).unwrap()).unwrap();
        assert_eq!(back, columns);
    }
}
