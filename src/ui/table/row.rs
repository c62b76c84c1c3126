//! One row: laying out its text once, painting it every frame.

use std::sync::Arc;

use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Align, Color32, Galley, Painter, Rect, Vec2, pos2};

use super::cache::{Cached, Text, micros_between};
use super::columns::{Column, Places};
use crate::model::{Flags, Kind, Now};
use crate::projection::knowledge::rule::Weight;
use crate::ui::theme::{Tokens, font, space};
use crate::ui::widgets::{Icon, direction_icon, format};

/// A flag of a record as shape and word.
pub(super) const FLAGS: [(Flags, Icon, &str); 6] = [
    (Flags::FAULT, Icon::Warning, "fault"),
    (Flags::MALFORMED, Icon::Cross, "malformed"),
    (Flags::UNKNOWN, Icon::Question, "unknown"),
    (Flags::LEFT_OUT, Icon::Minus, "left out"),
    (Flags::CUT, Icon::Scissors, "cut"),
    (Flags::REDACTED, Icon::Lock, "redacted"),
];

const FLAG_ICON: f32 = 11.0;

/// What is laid out once for all rows.
pub(super) struct Stock {
    pub flags: [Arc<Galley>; 6],
    pub lint: Arc<Galley>,
    pub sent: Arc<Galley>,
    pub received: Arc<Galley>,
    pub local: Arc<Galley>,
}

impl Stock {
    pub fn new(painter: &Painter) -> Self {
        let word = |text: &str| painter.layout_no_wrap(text.to_owned(), font::small(), Color32::PLACEHOLDER);
        Self {
            flags: FLAGS.map(|(_, _, text)| word(text)),
            lint: word("lint"),
            sent: word("sent"),
            received: word("received"),
            local: word("local"),
        }
    }

    fn flags_width(&self, flags: Flags, lint: bool) -> f32 {
        let lint = lint.then_some(&self.lint);
        FLAGS
            .iter()
            .zip(&self.flags)
            .filter(|((flag, ..), _)| flags.has(*flag))
            .map(|(_, galley)| galley)
            .chain(lint)
            .map(|galley| galley.size().x + FLAG_ICON + space::TIGHT + space::NORMAL)
            .sum()
    }
}

/// What the layout of all rows depends on.
pub(super) struct Setting<'a> {
    pub tokens: &'static Tokens,
    pub zero: Option<Now>,
    pub zone: &'a jiff::tz::TimeZone,
    pub summary_width: f32,
}

/// `13:26:15.174` in local time.
pub(super) fn clock_time(at: Now, zone: &jiff::tz::TimeZone) -> String {
    at.wall
        .timestamp()
        .map_or_else(|| at.wall.rfc3339(), |t| t.to_zoned(zone.clone()).strftime("%H:%M:%S%.3f").to_string())
}

/// Local and server-style time in full, for a tooltip.
pub(super) fn full_time(at: Now, zone: &jiff::tz::TimeZone) -> String {
    let utc = at.wall.rfc3339();
    at.wall.timestamp().map_or(utc.clone(), |t| {
        let local = t.to_zoned(zone.clone());
        format!("{}\n{utc}", local.strftime("%A, %-d %B %Y, %H:%M:%S%.6f %:z"))
    })
}

pub(super) fn lay_out(painter: &Painter, seq: u64, row: &Cached, stock: &Stock, setting: &Setting<'_>) -> Text {
    let t = setting.tokens;
    let data = |text: String, ink: Color32| painter.layout_no_wrap(text, font::small_data(), ink);
    let time = match setting.zero {
        Some(zero) => format::signed_span(micros_between(zero, row.at)),
        None => clock_time(row.at, setting.zone),
    };
    let bad = row.flags.has(Flags::FAULT);
    let mut job = LayoutJob::default();
    let part = |ink| TextFormat { font_id: font::body(), color: ink, valign: Align::Center, ..TextFormat::default() };
    job.append(&format::visible_controls(&row.line.name), 0.0, part(if bad { t.red.ink } else { t.text.strong }));
    if !row.line.text.is_empty() {
        job.append(&format::visible_controls(&row.line.text), space::NORMAL, part(t.text.normal));
    }
    job.break_on_newline = false;
    let flags = stock.flags_width(row.flags, row.lint.is_some());
    job.wrap = TextWrapping::truncate_at_width((setting.summary_width - 2.0 * space::SMALL - flags).max(8.0));
    Text {
        seq: data(seq.to_string(), t.text.weak),
        time: data(time, t.text.normal),
        kind: painter.layout_no_wrap(row.kind.word().to_owned(), font::small(), t.text.normal),
        summary: painter.layout_job(job),
        bytes: has_payload(row).then(|| data(size(row.size), t.text.normal)),
        latency: row.latency.map(|us| {
            let text = if us < 0 { format::signed_span(us) } else { format::span(us as u64) };
            data(text, t.text.normal)
        }),
    }
}

/// The time since the row above.
pub(super) fn delta(painter: &Painter, above: Now, at: Now, t: &Tokens) -> Arc<Galley> {
    painter.layout_no_wrap(format::signed_span(micros_between(above, at)), font::small_data(), t.text.weak)
}

fn has_payload(row: &Cached) -> bool {
    row.size > 0 || matches!(row.kind, Kind::Text | Kind::Binary)
}

/// Exact while it is short: a byte more or less matters.
fn size(n: u64) -> String {
    if n < 100_000 { format::count(n) } else { format::bytes(n) }
}

/// How a row stands out.
#[derive(Clone, Copy, Default)]
pub(super) struct Look {
    pub selected: bool,
    pub second: bool,
    pub hovered: bool,
    pub lit: bool,
    pub marked: bool,
    pub noted: bool,
    pub zero: bool,
    pub odd: bool,
    pub focused: bool,
}

pub(super) fn paint_background(painter: &Painter, rect: Rect, look: Look, t: &Tokens) {
    let fill = match look {
        Look { selected: true, focused: true, .. } => Some(t.surface.selected),
        Look { selected: true, .. } | Look { second: true, .. } => Some(t.surface.selected_quiet),
        Look { lit: true, .. } => Some(t.lit),
        Look { hovered: true, .. } => Some(t.surface.hover),
        Look { odd: true, .. } => Some(t.surface.stripe),
        _ => None,
    };
    if let Some(fill) = fill {
        painter.rect_filled(rect, 0, fill);
    }
    if look.selected || look.second {
        let edge = Rect::from_min_max(rect.min, pos2(rect.left() + 3.0, rect.bottom()));
        painter.rect_filled(edge, 0, if look.selected { t.accent } else { t.line.strong });
    }
}

pub(super) fn paint(painter: &Painter, rect: Rect, places: &Places, row: &Cached, stock: &Stock, t: &Tokens) {
    let Some(text) = &row.text else { return };
    let figure = |column: Column, galley: &Arc<Galley>| {
        if let Some(cell) = places.rect(column, rect) {
            let x = (cell.right() - space::SMALL - galley.size().x).max(cell.left());
            cell_text(painter, cell, x, galley);
        }
    };
    let word = |column: Column, galley: &Arc<Galley>| {
        if let Some(cell) = places.rect(column, rect) {
            cell_text(painter, cell, cell.left() + space::SMALL, galley);
        }
    };
    figure(Column::Seq, &text.seq);
    word(Column::Time, &text.time);
    word(Column::Kind, &text.kind);
    word(Column::Summary, &text.summary);
    if let Some(galley) = &text.bytes {
        figure(Column::Bytes, galley);
    }
    if let Some(galley) = &text.latency {
        figure(Column::Latency, galley);
    }
    if let Some((_, Some(galley))) = &row.delta {
        figure(Column::Delta, galley);
    }
    if let Some(cell) = places.rect(Column::Direction, rect) {
        direction(painter, cell, row, stock, t);
    }
    if let Some(cell) = places.rect(Column::Summary, rect) {
        flags(painter, cell, row, stock, t);
    }
}

fn cell_text(painter: &Painter, cell: Rect, x: f32, galley: &Arc<Galley>) {
    let at = pos2(x, cell.center().y - galley.size().y / 2.0);
    if galley.size().x <= cell.width() {
        painter.galley(at, Arc::clone(galley), Color32::PLACEHOLDER);
    } else {
        let clip = painter.clip_rect().intersect(cell);
        painter.with_clip_rect(clip).galley(at, Arc::clone(galley), Color32::PLACEHOLDER);
    }
}

fn direction(painter: &Painter, cell: Rect, row: &Cached, stock: &Stock, t: &Tokens) {
    use crate::model::Direction;
    let ink = t.direction(row.direction);
    let center = pos2(cell.left() + space::SMALL + 5.5, cell.center().y);
    let side = if row.direction == Direction::Local { 7.0 } else { 11.0 };
    direction_icon(row.direction).paint(painter, Rect::from_center_size(center, Vec2::splat(side)), ink);
    let galley = match row.direction {
        Direction::Sent => &stock.sent,
        Direction::Received => &stock.received,
        Direction::Local => &stock.local,
    };
    let x = center.x + 5.5 + space::TIGHT;
    if x + galley.size().x <= cell.right() {
        painter.galley_with_override_text_color(
            pos2(x, cell.center().y - galley.size().y / 2.0),
            Arc::clone(galley),
            ink,
        );
    }
}

fn flags(painter: &Painter, cell: Rect, row: &Cached, stock: &Stock, t: &Tokens) {
    let mut x = cell.right() - space::TIGHT;
    let mut mark = |icon: Icon, galley: &Arc<Galley>, ink: Color32| {
        x -= galley.size().x;
        let at = pos2(x, cell.center().y - galley.size().y / 2.0);
        painter.galley_with_override_text_color(at, Arc::clone(galley), ink);
        x -= space::TIGHT + FLAG_ICON;
        let spot = Rect::from_min_size(pos2(x, cell.center().y - FLAG_ICON / 2.0), Vec2::splat(FLAG_ICON));
        icon.paint(painter, spot, ink);
        x -= space::NORMAL;
    };
    for (n, (flag, icon, _)) in FLAGS.iter().enumerate().rev() {
        if !row.flags.has(*flag) {
            continue;
        }
        let ink = match *flag {
            Flags::FAULT | Flags::MALFORMED => t.red.ink,
            Flags::REDACTED => t.text.weak,
            _ => t.amber.ink,
        };
        mark(*icon, &stock.flags[n], ink);
    }
    match row.lint {
        Some(Weight::Error) => mark(Icon::Cross, &stock.lint, t.red.ink),
        Some(Weight::Warning) => mark(Icon::Warning, &stock.lint, t.amber.ink),
        Some(Weight::Note) => mark(Icon::Info, &stock.lint, t.text.weak),
        None => {}
    }
}

/// Mark, note and time zero, left of the columns.
pub(super) fn paint_gutter(painter: &Painter, rect: Rect, look: Look, t: &Tokens) {
    let mut x = rect.left() + 4.5;
    for (on, icon, ink) in
        [(look.zero, Icon::Clock, t.accent), (look.marked, Icon::Flag, t.amber.ink), (look.noted, Icon::Note, t.accent)]
    {
        if on {
            icon.paint(painter, Rect::from_min_size(pos2(x, rect.center().y - 5.0), Vec2::splat(10.0)), ink);
            x += 10.5;
        }
    }
}

/// What a screen reader says of a row.
pub(super) fn label(seq: u64, row: &Cached, look: Look, setting: &Setting<'_>) -> String {
    use std::fmt::Write as _;
    let mut out = format!("record {seq}, {} {}", row.direction.word(), row.kind.word());
    for part in [&row.line.name, &row.line.text] {
        if !part.is_empty() {
            let _ = write!(out, ", {part}");
        }
    }
    let _ = write!(out, ", {}", clock_time(row.at, setting.zone));
    for (flag, _, word) in FLAGS {
        if row.flags.has(flag) {
            let _ = write!(out, ", {word}");
        }
    }
    if let Some(weight) = row.lint {
        let _ = write!(out, ", lint {weight}");
    }
    for (on, word) in [(look.marked, "marked"), (look.noted, "with a note"), (look.zero, "time zero")] {
        if on {
            let _ = write!(out, ", {word}");
        }
    }
    out
}
