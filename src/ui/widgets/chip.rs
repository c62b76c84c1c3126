//! Small marks: chips, badges, key-caps, dots with a word.

use egui::{Align2, Color32, Rect, Response, Role, Sense, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::icons::Icon;
use crate::model::Direction;
use crate::ui::theme::{State, font, radius, space, tokens};

/// A state told by shape, word and colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Ok,
    Amber,
    Red,
    Dead,
    Plain,
    Accent,
}

impl Tone {
    pub fn ink(self, ui: &Ui) -> Color32 {
        let t = tokens(ui);
        match self {
            Self::Plain => t.text.normal,
            Self::Accent => t.accent,
            _ => self.state(ui).ink,
        }
    }

    pub fn tint(self, ui: &Ui) -> Color32 {
        let t = tokens(ui);
        match self {
            Self::Plain => t.surface.raised,
            Self::Accent => t.surface.selected,
            _ => self.state(ui).tint,
        }
    }

    fn state(self, ui: &Ui) -> &'static State {
        let t = tokens(ui);
        match self {
            Self::Ok => &t.ok,
            Self::Amber => &t.amber,
            Self::Red => &t.red,
            Self::Dead | Self::Plain | Self::Accent => &t.dead,
        }
    }
}

/// A shape and a word on a tint. Not a control.
pub fn badge(ui: &mut Ui, icon: Option<Icon>, text: &str, tone: Tone) -> Response {
    let ink = tone.ink(ui);
    let tint = tone.tint(ui);
    pill(ui, icon, text, ink, tint, Sense::hover(), Role::Label)
}

/// A chip that can be clicked (a filter, a clock, an attachment).
pub fn chip(ui: &mut Ui, icon: Option<Icon>, text: &str, tone: Tone) -> Response {
    let ink = tone.ink(ui);
    let tint = tone.tint(ui);
    pill(ui, icon, text, ink, tint, Sense::click(), Role::Button)
}

/// The stand-in of a secret. Clicking it asks to reveal it.
pub fn placeholder_chip(ui: &mut Ui, text: &str) -> Response {
    let t = tokens(ui);
    pill(ui, Some(Icon::Lock), text, t.placeholder.ink, t.placeholder.fill, Sense::click(), Role::Button)
}

fn pill(
    ui: &mut Ui,
    icon: Option<Icon>,
    text: &str,
    ink: Color32,
    tint: Color32,
    sense: Sense,
    role: Role,
) -> Response {
    let side = if icon.is_some() { 11.0 } else { 0.0 };
    let gap = if icon.is_some() && !text.is_empty() { 5.0 } else { 0.0 };
    let mut galley = ui.painter().layout_no_wrap(text.to_owned(), font::small(), ink);
    // Never beyond the pane that it stands in.
    let room = ui.max_rect().width() - side - gap - 2.0 * space::NORMAL;
    if galley.size().x > room.max(40.0) {
        let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), font::small(), ink);
        job.wrap = egui::text::TextWrapping::truncate_at_width(room.max(40.0));
        galley = ui.painter().layout_job(job);
    }
    let size = vec2(galley.size().x + side + gap + 2.0 * space::NORMAL, 19.0);
    let (rect, response) = ui.allocate_exact_size(size, sense);
    response.widget_info(|| WidgetInfo::labeled(role, ui.is_enabled(), text));
    if ui.is_rect_visible(rect) {
        let painter = ui.painter();
        painter.rect_filled(rect, radius::ROUND, tint);
        if response.hovered() && sense.senses_click() {
            painter.rect_stroke(rect, radius::ROUND, (1.0, ink), StrokeKind::Inside);
        }
        if response.has_focus() {
            painter.rect_stroke(rect, radius::ROUND, (2.0, tokens(ui).focus), StrokeKind::Inside);
        }
        let mut x = rect.left() + space::NORMAL;
        if let Some(icon) = icon {
            icon.paint(painter, Rect::from_center_size(pos2(x + side / 2.0, rect.center().y), Vec2::splat(side)), ink);
            x += side + gap;
        }
        painter.galley(pos2(x, rect.center().y - galley.size().y / 2.0), galley, ink);
    }
    response
}

/// A key as it stands on the keyboard: "Ctrl", "K".
pub fn key_cap(ui: &mut Ui, key: &str) -> Response {
    let t = tokens(ui);
    let galley = ui.painter().layout_no_wrap(key.to_owned(), font::small_data(), t.text.normal);
    let size = vec2((galley.size().x + 10.0).max(20.0), 20.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, key));
    if ui.is_rect_visible(rect) {
        let painter = ui.painter();
        painter.rect(rect, radius::SMALL, t.surface.raised, (1.0, t.line.normal), StrokeKind::Inside);
        let base =
            Rect::from_min_max(pos2(rect.left() + 2.0, rect.bottom() - 2.0), rect.right_bottom() - vec2(2.0, 0.0));
        painter.rect_filled(base, 0, t.line.normal);
        painter.galley(rect.center() - galley.size() / 2.0 - vec2(0.0, 0.5), galley, t.text.normal);
    }
    response
}

/// A combination written as "Ctrl+Shift+K", as caps.
pub fn key_caps(ui: &mut Ui, keys: &str) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        // "Ctrl++" means the plus key.
        let (body, plus) = match keys.strip_suffix("++") {
            Some(body) => (body, true),
            None => (keys, false),
        };
        for key in body.split('+').filter(|k| !k.is_empty()) {
            key_cap(ui, key);
        }
        if plus {
            key_cap(ui, "+");
        }
    });
}

/// Arrow and word of a direction, painted at the left of `rect`.
pub fn paint_direction(ui: &Ui, rect: Rect, direction: Direction, with_word: bool) {
    let color = tokens(ui).direction(direction);
    let icon = direction_icon(direction);
    let spot = Rect::from_center_size(pos2(rect.left() + 6.0, rect.center().y), Vec2::splat(11.0));
    icon.paint(ui.painter(), spot, color);
    if with_word {
        let at = pos2(spot.right() + 5.0, rect.center().y);
        ui.painter().text(at, Align2::LEFT_CENTER, direction.word(), font::small(), color);
    }
}

pub fn direction_icon(direction: Direction) -> Icon {
    match direction {
        Direction::Sent => Icon::ArrowUp,
        Direction::Received => Icon::ArrowDown,
        Direction::Local => Icon::Dot,
    }
}
