//! Buttons: icon buttons, the one filled button of a pane, and copying.

use egui::{Color32, Response, Role, Sense, Ui, Vec2, WidgetInfo, vec2};

use super::icons::Icon;
use crate::ui::theme::{font, radius, space, tokens};

/// How loud a button is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The one thing to do here: filled with the accent.
    Primary,
    Normal,
    /// No frame until the pointer is over it.
    Quiet,
    /// Something is lost by it.
    Danger,
}

/// A button with an icon and no text. The name is its tooltip and what a screen reader says.
pub fn icon_button(ui: &mut Ui, icon: Icon, name: &str) -> Response {
    draw(ui, Some(icon), None, name, Weight::Quiet, None)
}

/// An icon button that stays down while `on`.
pub fn icon_toggle(ui: &mut Ui, icon: Icon, name: &str, on: &mut bool) -> Response {
    let response = draw(ui, Some(icon), None, name, Weight::Quiet, Some(*on));
    if response.clicked() {
        *on = !*on;
    }
    response
}

/// A button with text, and an icon where one helps.
pub fn button(ui: &mut Ui, icon: Option<Icon>, text: &str, weight: Weight) -> Response {
    draw(ui, icon, Some(text), text, weight, None)
}

/// A button with text that stays down while `on`.
pub fn text_toggle(ui: &mut Ui, icon: Option<Icon>, text: &str, on: &mut bool) -> Response {
    named_toggle(ui, icon, text, text, on)
}

/// As [`text_toggle`], where what is shown is too short to be a name.
pub fn named_toggle(ui: &mut Ui, icon: Option<Icon>, text: &str, name: &str, on: &mut bool) -> Response {
    let response = draw(ui, icon, Some(text), name, Weight::Normal, Some(*on));
    if response.clicked() {
        *on = !*on;
    }
    response
}

/// Copies `text()` when clicked. `name` says what: "Copy path".
pub fn copy_button(ui: &mut Ui, name: &str, text: impl FnOnce() -> String) -> Response {
    let response = icon_button(ui, Icon::Copy, name);
    if response.clicked() {
        ui.ctx().copy_text(text());
    }
    response
}

/// How wide a button with this text is.
pub fn button_width(ui: &Ui, with_icon: bool, text: &str) -> f32 {
    let text = ui.painter().layout_no_wrap(text.to_owned(), font::body(), Color32::PLACEHOLDER).size().x;
    2.0 * (space::NORMAL + 2.0) + if with_icon { SIDE + space::SMALL } else { 0.0 } + text
}

/// Side of an icon.
const SIDE: f32 = 15.0;

fn draw(ui: &mut Ui, icon: Option<Icon>, text: Option<&str>, name: &str, weight: Weight, on: Option<bool>) -> Response {
    let t = tokens(ui);
    let galley = text.map(|text| ui.painter().layout_no_wrap(text.to_owned(), font::body(), Color32::PLACEHOLDER));
    let side = SIDE;
    let pad = if galley.is_some() { space::NORMAL + 2.0 } else { 4.5 };
    let gap = if icon.is_some() && galley.is_some() { space::SMALL } else { 0.0 };
    let width = pad * 2.0 + if icon.is_some() { side } else { 0.0 } + gap + galley.as_ref().map_or(0.0, |g| g.size().x);
    let (rect, response) = ui.allocate_exact_size(vec2(width, space::CONTROL), Sense::click());
    let enabled = ui.is_enabled();
    response.widget_info(|| match on {
        Some(on) => WidgetInfo::selected(Role::Button, enabled, on, name),
        None => WidgetInfo::labeled(Role::Button, enabled, name),
    });
    if ui.is_rect_visible(rect) {
        let hot = response.hovered() || response.is_pointer_button_down_on();
        let (toggles, on) = (on.is_some(), on.unwrap_or(false));
        let (fill, edge, ink) = match weight {
            Weight::Primary => {
                let fill = if hot { t.accent_fill_hover } else { t.accent_fill };
                (Some(fill), None, t.text.on_accent)
            }
            // Down: filled, with a bar at its foot. Up: an outline only.
            _ if on => (Some(t.surface.selected_quiet), Some(t.line.strong), t.text.strong),
            Weight::Normal if toggles && !hot => (None, Some(t.line.normal), t.text.weak),
            Weight::Danger => (Some(if hot { t.surface.hover } else { t.red.tint }), Some(t.red.ink), t.red.ink),
            Weight::Normal if hot => (Some(t.surface.hover), Some(t.line.strong), t.text.strong),
            Weight::Normal => (Some(t.surface.raised), Some(t.line.normal), t.text.normal),
            Weight::Quiet if hot => (Some(t.surface.hover), None, t.text.strong),
            Weight::Quiet => (None, None, t.text.normal),
        };
        let painter = ui.painter();
        if let Some(fill) = fill {
            painter.rect_filled(rect, radius::NORMAL, fill);
        }
        if let Some(edge) = edge {
            painter.rect_stroke(rect, radius::NORMAL, (1.0, edge), egui::StrokeKind::Inside);
        }
        if on {
            let foot = egui::Rect::from_min_max(egui::pos2(rect.left() + 5.0, rect.bottom() - 3.0), rect.max);
            painter.rect_filled(foot.with_max_x(rect.right() - 5.0), 1, t.accent);
        }
        focus_ring(ui, &response);
        let painter = ui.painter();
        let mut x = rect.left() + pad;
        if let Some(icon) = icon {
            let spot = egui::Rect::from_center_size(egui::pos2(x + side / 2.0, rect.center().y), Vec2::splat(side));
            icon.paint(painter, spot, ink);
            x += side + gap;
        }
        if let Some(galley) = galley {
            let y = rect.center().y - galley.size().y / 2.0;
            painter.galley_with_override_text_color(egui::pos2(x, y), galley, ink);
        }
    }
    if text.is_none() { response.on_hover_text(name) } else { response }
}

/// Shows that a widget has the keyboard.
pub fn focus_ring(ui: &Ui, response: &Response) {
    if response.has_focus() {
        let t = tokens(ui);
        ui.painter().rect_stroke(response.rect, radius::NORMAL, (2.0, t.focus), egui::StrokeKind::Inside);
    }
}
