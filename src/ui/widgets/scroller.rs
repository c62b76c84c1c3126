//! Scrolling through any number of rows of one height.
//!
//! Positions in egui are 32-bit floats, too coarse for the height of millions of rows. This keeps the first visible
//! row as a 64-bit number and the pixels of it that are scrolled away, and paints its own bar.

use std::ops::Range;

use egui::{Rect, Role, Sense, Ui, WidgetInfo, pos2};

use crate::ui::theme::tokens;

/// Width of the bar, in points.
pub const BAR: f32 = 12.0;

/// How much there is to scroll, and how much of it can be seen.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    pub rows: u64,
    pub row_height: f32,
    pub view_height: f32,
}

impl Extent {
    fn total(&self) -> f64 {
        self.rows as f64 * f64::from(self.row_height)
    }

    /// The furthest that the top can be, in pixels.
    fn end(&self) -> f64 {
        (self.total() - f64::from(self.view_height)).max(0.0)
    }

    /// Whole rows that fit, at least one.
    pub fn page(&self) -> u64 {
        ((self.view_height / self.row_height).floor() as u64).max(1)
    }
}

/// Where the top of the view is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scroller {
    row: u64,
    /// Pixels of `row` that are above the view.
    rest: f32,
    /// Where the handle of the bar was taken, in points from its top.
    grab: Option<f32>,
}

impl Scroller {
    fn pixels(&self, extent: &Extent) -> f64 {
        self.row as f64 * f64::from(extent.row_height) + f64::from(self.rest)
    }

    fn set_pixels(&mut self, pixels: f64, extent: &Extent) {
        let pixels = pixels.clamp(0.0, extent.end());
        let height = f64::from(extent.row_height);
        self.row = (pixels / height).floor() as u64;
        self.rest = (pixels - self.row as f64 * height) as f32;
    }

    /// Moves down by so many points (up where negative).
    pub fn scroll_by(&mut self, points: f32, extent: &Extent) {
        self.set_pixels(self.pixels(extent) + f64::from(points), extent);
    }

    /// Keeps the position inside after rows went away or the view grew.
    pub fn clamp(&mut self, extent: &Extent) {
        if self.pixels(extent) > extent.end() {
            self.set_pixels(extent.end(), extent);
        }
    }

    pub fn to_end(&mut self, extent: &Extent) {
        self.set_pixels(extent.end(), extent);
    }

    pub fn is_at_end(&self, extent: &Extent) -> bool {
        self.pixels(extent) >= extent.end() - 0.5
    }

    /// Distance of a row's top from the top of the view, in points. Only meaningful near the view.
    pub fn y(&self, row: u64, extent: &Extent) -> f32 {
        let rows = row as f64 - self.row as f64;
        (rows * f64::from(extent.row_height)) as f32 - self.rest
    }

    /// Puts a row's top at this distance from the top of the view, as far as the ends allow.
    pub fn place(&mut self, row: u64, y: f32, extent: &Extent) {
        self.set_pixels(row as f64 * f64::from(extent.row_height) - f64::from(y), extent);
    }

    /// Moves as little as is needed to see the whole row; in the middle where it was far away.
    pub fn reveal(&mut self, row: u64, extent: &Extent) {
        let y = self.y(row, extent);
        let bottom = extent.view_height - extent.row_height;
        let near = extent.view_height;
        if y < -near || y > extent.view_height + near {
            self.place(row, bottom / 2.0, extent);
        } else if y < 0.0 {
            self.place(row, 0.0, extent);
        } else if y > bottom {
            self.place(row, bottom.max(0.0), extent);
        }
    }

    pub fn is_visible(&self, row: u64, extent: &Extent) -> bool {
        let y = self.y(row, extent);
        y > -extent.row_height && y < extent.view_height
    }

    /// Rows of which something can be seen.
    pub fn visible(&self, extent: &Extent) -> Range<u64> {
        let last = self.row + ((extent.view_height + self.rest) / extent.row_height).ceil() as u64;
        self.row.min(extent.rows)..last.min(extent.rows)
    }

    /// Takes the wheel while the pointer is over `rect`. Gives the points moved down.
    pub fn wheel(&mut self, ui: &Ui, rect: Rect, extent: &Extent) -> f32 {
        if !ui.is_enabled() || !ui.rect_contains_pointer(rect) {
            return 0.0;
        }
        let delta = ui.input(|i| i.smooth_scroll_delta().y);
        if delta == 0.0 {
            return 0.0;
        }
        let before = self.pixels(extent);
        self.scroll_by(-delta, extent);
        ui.input_mut(|i| i.smooth_scroll_delta.y = 0.0);
        (self.pixels(extent) - before) as f32
    }

    /// The bar at the right of a view: drag the handle, click beside it for a page. Gives true when it moved the view.
    pub fn bar(&mut self, ui: &mut Ui, rect: Rect, name: &str, extent: &Extent) -> bool {
        let id = ui.scope_id().with(("scroll bar", name));
        let needed = extent.end() > 0.0;
        let sense = if needed { Sense::CLICK | Sense::DRAG } else { Sense::hover() };
        let response = ui.interact(rect, id, sense);
        let share = if needed { self.pixels(extent) / extent.end() } else { 0.0 };
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::ScrollBar, ui.is_enabled(), name);
            info.value = Some(share);
            info
        });
        if !needed {
            self.grab = None;
            return false;
        }
        let length = (f64::from(extent.view_height) / extent.total() * f64::from(rect.height())) as f32;
        let length = length.clamp(24.0_f32.min(rect.height()), rect.height());
        let way = rect.height() - length;
        let top = rect.top() + way * share as f32;
        let handle = Rect::from_min_max(pos2(rect.left(), top), pos2(rect.right(), top + length));
        let before = self.pixels(extent);
        let at = response.interact_pointer_pos();
        if response.drag_started()
            && let Some(at) = ui.input(|i| i.pointer.press_origin())
        {
            // Taken beside the handle: it comes under the pointer.
            self.grab = Some(if handle.contains(at) { at.y - top } else { length / 2.0 });
        }
        if response.dragged() {
            if let (Some(at), Some(grab)) = (at, self.grab)
                && way > 0.0
            {
                let share = f64::from((at.y - grab - rect.top()) / way).clamp(0.0, 1.0);
                self.set_pixels(share * extent.end(), extent);
            }
        } else {
            self.grab = None;
        }
        if response.clicked()
            && let Some(at) = at
            && !handle.contains(at)
        {
            let page = (extent.view_height - extent.row_height).max(extent.row_height);
            self.scroll_by(if at.y < top { -page } else { page }, extent);
        }
        let t = tokens(ui);
        ui.painter().rect_filled(rect, 0, t.surface.ground);
        let ink = if response.dragged() || response.hovered() { t.line.strong } else { t.line.normal };
        ui.painter().rect_filled(handle.shrink2(egui::vec2(2.5, 1.0)), 4, ink);
        self.pixels(extent) != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(rows: u64) -> Extent {
        Extent { rows, row_height: 22.0, view_height: 220.0 }
    }

    #[test]
    fn every_row_of_four_thousand_million_has_its_own_pixel() {
        let e = extent(4_000_000_000);
        let mut s = Scroller::default();
        s.to_end(&e);
        assert_eq!(s.visible(&e), 3_999_999_990..4_000_000_000);
        s.scroll_by(-1.0, &e);
        assert_eq!(s.visible(&e), 3_999_999_989..4_000_000_000);
        assert!((s.y(3_999_999_999, &e) - 199.0).abs() < 0.01);
        assert!(!s.is_at_end(&e));
    }

    #[test]
    fn placing_puts_a_row_on_its_pixel_within_the_ends() {
        let e = extent(10_000_000);
        let mut s = Scroller::default();
        s.place(5_000_000, 37.0, &e);
        assert!((s.y(5_000_000, &e) - 37.0).abs() < 1e-3);
        s.place(0, 37.0, &e);
        assert_eq!(s.y(0, &e), 0.0);
        s.place(9_999_999, 0.0, &e);
        assert!((s.y(9_999_999, &e) - 198.0).abs() < 1e-3);
    }

    #[test]
    fn revealing_moves_no_more_than_needed() {
        let e = extent(1000);
        let mut s = Scroller::default();
        s.reveal(3, &e);
        assert_eq!(s.y(0, &e), 0.0);
        s.reveal(10, &e);
        assert_eq!(s.y(10, &e), 198.0);
        s.reveal(500, &e);
        assert!((s.y(500, &e) - 99.0).abs() < 1e-3);
    }

    #[test]
    fn few_rows_do_not_scroll() {
        let e = extent(3);
        let mut s = Scroller::default();
        s.scroll_by(500.0, &e);
        assert_eq!(s.visible(&e), 0..3);
        assert!(s.is_at_end(&e));
        assert_eq!(s.visible(&extent(0)), 0..0);
    }
}
