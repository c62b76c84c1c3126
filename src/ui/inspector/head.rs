//! The head of an HTTP record: method, address, status, headers.

use egui::{Grid, Label, Response, RichText, ScrollArea, Sense, Ui};

use super::host::InspectorEvent;
use super::reveal::Desk;
use super::tree::quote;
use crate::model::record::{Headers, HttpRequest, HttpResponse};
use crate::model::{Kind, Record};
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{Icon, Tone, badge, disclosure, format};

/// A head, read once.
pub(super) enum Head {
    Request(HttpRequest),
    Response(HttpResponse),
    /// The record is of another kind, or its head cannot be read.
    None,
}

impl Head {
    pub fn of(record: &Record) -> Self {
        match record.kind {
            Kind::HttpRequest | Kind::SocketOpening => record.head_as().map_or(Self::None, Self::Request),
            Kind::HttpResponse | Kind::SocketOpen | Kind::SocketRefused => {
                record.head_as().map_or(Self::None, Self::Response)
            }
            _ => Self::None,
        }
    }

    /// Method or status, address and headers.
    pub fn show(&self, ui: &mut Ui, open: &mut bool, desk: &mut Desk<'_>) {
        match self {
            Self::Request(head) => {
                ui.horizontal_wrapped(|ui| {
                    badge(ui, Some(Icon::ArrowUp), &head.method, Tone::Accent);
                    ui.label(RichText::new(format::visible_controls(&head.url)).font(font::data()));
                    meta(ui, &head.version, &head.purpose);
                });
                headers(ui, &head.headers, open, desk);
            }
            Self::Response(head) => {
                ui.horizontal_wrapped(|ui| {
                    let (icon, tone) = match head.status {
                        100..400 => (Icon::Check, Tone::Ok),
                        400..500 => (Icon::Warning, Tone::Amber),
                        _ => (Icon::Cross, Tone::Red),
                    };
                    let reason = if head.reason.is_empty() { reason(head.status) } else { &head.reason };
                    badge(ui, Some(icon), format!("{} {reason}", head.status).trim(), tone);
                    meta(ui, &head.version, "");
                });
                headers(ui, &head.headers, open, desk);
            }
            Self::None => {}
        }
    }
}

fn meta(ui: &mut Ui, version: &str, purpose: &str) {
    let t = tokens(ui);
    for text in [version, purpose] {
        if !text.is_empty() {
            ui.label(RichText::new(text).font(font::small()).color(t.text.weak));
        }
    }
}

/// Servers over HTTP/2 send no reason.
fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}

fn headers(ui: &mut Ui, headers: &Headers, open: &mut bool, desk: &mut Desk<'_>) {
    disclosure(ui, &format!("Headers ({})", headers.len()), open);
    if !*open || headers.is_empty() {
        return;
    }
    let t = tokens(ui);
    let height = (ui.available_height() * 0.4).max(60.0);
    ScrollArea::both().id_salt("headers").max_height(height).auto_shrink([false, true]).show(ui, |ui| {
        Grid::new("headers").num_columns(2).min_row_height(space::ROW).spacing([space::WIDE, 0.0]).show(ui, |ui| {
            for (name, value) in headers {
                let text = RichText::new(format::visible_controls(name)).font(font::data()).color(t.syntax.key);
                let label = ui.add(Label::new(text).sense(Sense::click()));
                ui.horizontal(|ui| {
                    ui.spacing_mut().item_spacing.x = space::TIGHT;
                    desk.line(ui, value, t.text.normal);
                });
                if let Some(event) = header_menu(&label, value) {
                    desk.events.push(event);
                }
                ui.end_row();
            }
        });
    });
    ui.separator();
}

fn header_menu(label: &Response, value: &str) -> Option<InspectorEvent> {
    let mut event = None;
    label.context_menu(|ui| {
        if ui.button("Filter by this value").clicked() {
            event = Some(InspectorEvent::FilterBy(quote(value)));
            ui.close();
        }
        if ui.button("Copy value").clicked() {
            event = Some(InspectorEvent::Copy(value.to_owned()));
            ui.close();
        }
    });
    event
}
