//! The ring clock: a ring that empties, the time left, and what breaks then.

use std::time::Duration;

use egui::{Painter, Rect, Response, Role, Sense, Shape, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::chip::Tone;
use super::format;
use super::icons::{Icon, arc_points};
use crate::projection::ClockPhase;
use crate::ui::theme::{font, radius, space, tokens};

/// What a ring clock shows.
#[derive(Clone, Debug)]
pub struct RingClock<'a> {
    /// "guest JWT".
    pub title: &'a str,
    /// None where the end is not known.
    pub left: Option<Duration>,
    /// From 1 (full) to 0 (empty).
    pub share: f32,
    pub phase: ClockPhase,
    /// What fails then: "next reconnect".
    pub breaks: &'a str,
    /// The length was assumed, not told by the server.
    pub assumed: bool,
}

/// The word of a phase, shown beside the time where it is not plain.
pub fn phase_word(phase: ClockPhase) -> &'static str {
    match phase {
        ClockPhase::Fine => "running",
        ClockPhase::Margin => "due",
        ClockPhase::Last => "last tenth",
        ClockPhase::Dead => "dead",
        ClockPhase::Open => "no end known",
    }
}

fn tone(phase: ClockPhase) -> Tone {
    match phase {
        ClockPhase::Fine => Tone::Ok,
        ClockPhase::Margin => Tone::Amber,
        ClockPhase::Last => Tone::Red,
        ClockPhase::Dead => Tone::Dead,
        ClockPhase::Open => Tone::Plain,
    }
}

impl RingClock<'_> {
    fn left_text(&self) -> String {
        match (self.phase, self.left) {
            (ClockPhase::Dead, _) => "00:00".to_owned(),
            (_, Some(left)) => format!("{}{}", if self.assumed { "~" } else { "" }, format::countdown(left)),
            (_, None) => "—".to_owned(),
        }
    }

    /// What a screen reader says.
    pub fn label(&self) -> String {
        let left = match (self.phase, self.left) {
            (ClockPhase::Dead, _) => String::new(),
            (_, Some(left)) => format!(", {} left", format::countdown(left)),
            (_, None) => String::new(),
        };
        let assumed = if self.assumed { ", length assumed" } else { "" };
        let breaks = if self.breaks.is_empty() { String::new() } else { format!(", breaks: {}", self.breaks) };
        format!("clock {}{left}, {}{assumed}{breaks}", self.title, phase_word(self.phase))
    }

    /// A chip that can be clicked; its menu and claims are the caller's.
    pub fn show(&self, ui: &mut Ui) -> Response {
        let t = tokens(ui);
        let tone = tone(self.phase);
        let ink = tone.ink(ui);
        let dead = self.phase == ClockPhase::Dead;
        let text_ink = if dead { t.dead.ink } else { t.text.normal };
        let left_ink = match self.phase {
            ClockPhase::Fine | ClockPhase::Open => t.text.strong,
            _ => ink,
        };
        let painter = ui.painter();
        let title = painter.layout_no_wrap(format::visible_controls(self.title).into_owned(), font::body(), text_ink);
        let left = painter.layout_no_wrap(self.left_text(), font::data(), left_ink);
        let tail = match self.phase {
            ClockPhase::Fine | ClockPhase::Open => String::new(),
            ClockPhase::Dead if self.breaks.is_empty() => phase_word(self.phase).to_owned(),
            ClockPhase::Dead => format!("{} · {}", phase_word(self.phase), self.breaks),
            ClockPhase::Margin | ClockPhase::Last if self.breaks.is_empty() => phase_word(self.phase).to_owned(),
            ClockPhase::Margin | ClockPhase::Last => format!("{} · then: {}", phase_word(self.phase), self.breaks),
        };
        let tail = (!tail.is_empty()).then(|| painter.layout_no_wrap(tail, font::small(), ink));
        let ring = 16.0;
        let width = space::NORMAL
            + ring
            + space::SMALL
            + title.size().x
            + space::SMALL
            + left.size().x
            + tail.as_ref().map_or(0.0, |g| space::NORMAL + g.size().x)
            + space::NORMAL;
        let (rect, response) = ui.allocate_exact_size(vec2(width, 28.0), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), self.label()));
        if !ui.is_rect_visible(rect) {
            return response;
        }
        let fill = match self.phase {
            ClockPhase::Fine | ClockPhase::Open => t.surface.raised,
            _ => tone.tint(ui),
        };
        let edge = if response.hovered() {
            t.line.strong
        } else if matches!(self.phase, ClockPhase::Margin | ClockPhase::Last) {
            ink
        } else {
            t.line.faint
        };
        let painter = ui.painter();
        painter.rect(rect, radius::ROUND, fill, (1.0, edge), StrokeKind::Inside);
        if response.has_focus() {
            painter.rect_stroke(rect, radius::ROUND, (2.0, t.focus), StrokeKind::Inside);
        }
        let mid = rect.center().y;
        let mut x = rect.left() + space::NORMAL;
        let spot = Rect::from_center_size(pos2(x + ring / 2.0, mid), Vec2::splat(ring));
        paint_ring(painter, spot, self.share, self.phase, Stroke::new(2.5, t.line.normal), ink);
        x += ring + space::SMALL;
        for galley in [title, left] {
            let size = galley.size();
            painter.galley(pos2(x, mid - size.y / 2.0), galley, text_ink);
            if dead {
                painter.hline(x..=x + size.x, mid + 0.5, Stroke::new(1.0, t.dead.ink));
            }
            x += size.x + space::SMALL;
        }
        if let Some(tail) = tail {
            painter.galley(pos2(x + space::HAIR, mid - tail.size().y / 2.0), tail, ink);
        }
        response
    }
}

/// The ring on its own, for rails. The phase shows in its shape too: a dot in the middle inside the margin, a bar in
/// the last tenth, a cross when dead.
pub fn paint_ring(painter: &Painter, rect: Rect, share: f32, phase: ClockPhase, track: Stroke, ink: egui::Color32) {
    let (center, r) = (rect.center(), rect.width().min(rect.height()) / 2.0 - 1.25);
    painter.circle_stroke(center, r, track);
    let share = share.clamp(0.0, 1.0);
    let unit = rect.width() / 16.0;
    match phase {
        ClockPhase::Dead => Icon::Cross.paint(painter, rect.shrink(4.0 * unit), ink),
        ClockPhase::Open => {
            for k in 0..6 {
                let from = k as f32 / 6.0;
                painter.add(Shape::line(arc_points(center, r, from, from + 0.09), Stroke::new(2.5, ink)));
            }
        }
        _ => {
            if share >= 0.999 {
                painter.circle_stroke(center, r, Stroke::new(2.5, ink));
            } else if share > 0.0 {
                // What is left stands before twelve, so that the ring empties clockwise.
                painter.add(Shape::line(arc_points(center, r, 1.0 - share, 1.0), Stroke::new(2.5, ink)));
            }
            match phase {
                ClockPhase::Margin => {
                    painter.circle_filled(center, 2.0 * unit, ink);
                }
                ClockPhase::Last => {
                    let bar = Rect::from_center_size(center, vec2(2.0, 6.5) * unit);
                    painter.rect_filled(bar, 1, ink);
                }
                _ => {}
            }
        }
    }
}
