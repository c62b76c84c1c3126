//! When it happened, how long it took, and what belongs to it.

use egui::{Grid, Rect, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2};

use super::host::{InspectorEvent, InspectorHost, Link, Subject};
use crate::model::record::HttpResponse;
use crate::model::{Kind, Now, Record};
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{Icon, direction_icon, format};

pub(super) fn show(ui: &mut Ui, subject: &Subject<'_>, host: &dyn InspectorHost, events: &mut Vec<InspectorEvent>) {
    let record = subject.record;
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let zone = host.zone();
        Grid::new("times").num_columns(2).min_row_height(20.0).spacing([space::WIDE, 0.0]).show(ui, |ui| {
            let local = record.at.wall.timestamp().map_or_else(
                || record.at.wall.rfc3339(),
                |t| t.to_zoned(zone).strftime("%A, %-d %B %Y, %H:%M:%S%.6f %:z").to_string(),
            );
            row(ui, "Local time", &local);
            row(ui, "UTC", &record.at.wall.rfc3339());
            row(ui, "Record", &format!("{} of session {}", record.seq, record.session.0));
            if record.conn > 0 {
                row(ui, "Connection", &record.conn.to_string());
            }
            let stored = record.body.len() as u64;
            let size = if stored < record.size {
                format!("{} bytes, {} of them stored", format::count(record.size), format::count(stored))
            } else {
                format!("{} bytes", format::count(record.size))
            };
            row(ui, "Payload", &size);
            if record.answers() != 0
                && let Some(asked) = subject.chain.iter().find(|l| l.seq == record.answers())
            {
                let text = format!("{} after record {}", format::span(micros(asked.at, record.at)), asked.seq);
                row(ui, "Latency", &text);
            }
        });
        if matches!(record.kind, Kind::HttpResponse | Kind::SocketOpen | Kind::SocketRefused)
            && let Some(head) = record.head_as::<HttpResponse>()
        {
            phases(ui, &head);
        }
        if subject.chain.len() > 1 || subject.searched_to.is_some() {
            chain(ui, subject, events);
        }
    });
}

fn micros(from: Now, to: Now) -> u64 {
    if from.mono.0 == 0 || to.mono.0 == 0 {
        to.wall.micros_since(from.wall).max(0) as u64
    } else {
        to.mono.0.saturating_sub(from.mono.0)
    }
}

/// From a request to its answer.
pub(super) fn took(asked: &Link, record: &Record) -> String {
    format::span(micros(asked.at, record.at))
}

fn row(ui: &mut Ui, key: &str, value: &str) {
    let t = tokens(ui);
    ui.label(RichText::new(key).color(t.text.weak));
    ui.label(RichText::new(value).font(font::data()).color(t.text.normal));
    ui.end_row();
}

/// Waiting and receiving as bars of one scale.
fn phases(ui: &mut Ui, head: &HttpResponse) {
    let t = tokens(ui);
    ui.add_space(space::WIDE);
    ui.label(RichText::new("Where the time went").font(font::strong()));
    let total = (head.wait_us + head.receive_us).max(1) as f32;
    let mut from = 0.0;
    for (name, part, ink) in
        [("Waiting for the answer", head.wait_us, t.sent), ("Receiving it", head.receive_us, t.received)]
    {
        ui.horizontal(|ui| {
            ui.allocate_ui(vec2(150.0, 18.0), |ui| {
                ui.set_min_width(150.0);
                ui.label(RichText::new(name).color(t.text.weak));
            });
            let width = (ui.available_width() - 90.0).clamp(60.0, 360.0);
            let (rect, response) = ui.allocate_exact_size(vec2(width, 10.0), Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Meter, true, format!("{name}: {}", format::span(part))));
            ui.painter().rect_filled(rect, 2, t.surface.raised);
            let share = part as f32 / total;
            let left = rect.left() + rect.width() * from;
            let bar = Rect::from_min_size(pos2(left, rect.top()), vec2((rect.width() * share).max(1.5), rect.height()));
            ui.painter().rect_filled(bar, 2, ink);
            from += share;
            ui.label(RichText::new(format::span(part)).font(font::data()));
        });
    }
}

/// Requests and answers that belong together, with the time between them.
fn chain(ui: &mut Ui, subject: &Subject<'_>, events: &mut Vec<InspectorEvent>) {
    let t = tokens(ui);
    ui.add_space(space::WIDE);
    ui.label(RichText::new("Related records").font(font::strong()));
    let mut before: Option<&Link> = None;
    for link in subject.chain {
        if let Some(before) = before {
            ui.horizontal(|ui| {
                ui.add_space(space::ROOM);
                let text = format!("{} later", format::span(micros(before.at, link.at)));
                ui.label(RichText::new(text).font(font::small_data()).color(t.text.weak));
            });
        }
        if link_row(ui, link, link.seq == subject.record.seq) {
            events.push(InspectorEvent::GoTo(link.seq));
        }
        before = Some(link);
    }
    if let Some(to) = subject.searched_to {
        let text = format!("Looked for up to record {}; more may follow.", format::count(to.saturating_sub(1)));
        ui.label(RichText::new(text).font(font::small()).color(t.text.weak));
    }
}

fn link_row(ui: &mut Ui, link: &Link, current: bool) -> bool {
    let t = tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), space::ROW), Sense::click());
    let name = format!("record {}, {}, {}", link.seq, link.direction.word(), link.title);
    response.widget_info(|| WidgetInfo::selected(Role::Link, true, current, &name));
    let fill = match (current, response.hovered()) {
        (true, _) => Some(t.surface.selected),
        (_, true) => Some(t.surface.hover),
        _ => None,
    };
    if let Some(fill) = fill {
        ui.painter().rect_filled(rect, 3, fill);
    }
    crate::ui::widgets::focus_ring(ui, &response);
    let ink = t.direction(link.direction);
    let spot = Rect::from_center_size(pos2(rect.left() + 12.0, rect.center().y), vec2(12.0, 12.0));
    direction_icon(link.direction).paint(ui.painter(), spot, ink);
    let mut x = rect.left() + 26.0;
    for (text, font, ink) in [
        (link.direction.word().to_owned(), font::small(), ink),
        (link.seq.to_string(), font::small_data(), t.text.weak),
        (format::visible_controls(&link.title).into_owned(), font::body(), t.text.normal),
    ] {
        let galley = ui.painter().layout_no_wrap(text, font, ink);
        let width = galley.size().x;
        let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(rect));
        painter.galley(pos2(x, rect.center().y - galley.size().y / 2.0), galley, ink);
        x += width + space::NORMAL;
    }
    if !current && response.hovered() {
        let spot = Rect::from_center_size(pos2(rect.right() - 12.0, rect.center().y), vec2(12.0, 12.0));
        Icon::ArrowRight.paint(ui.painter(), spot, t.text.weak);
    }
    response.clicked()
}
