//! A frame in a line, for tables.

use super::frames::{Refusal, error_of};
use super::wire::inbound::{
    AttachmentEvent, ConnectionClosed, Content, Frame, GetConfigurationResponse, JwtResponse, Message as Wire,
    PresignedUrl, SessionResponse,
};
use super::wire::lenient::{Audit, Bool};
use super::wire::outbound::Asked;
use crate::dialect::line::{clock, words, words_with};
use crate::model::{Direction, Record, Wall};

/// Name and gist of a frame; none where it is not one of this protocol.
pub fn frame_line(record: &Record) -> Option<(String, String)> {
    if record.direction == Direction::Sent { sent(record) } else { received(record) }
}

fn sent(record: &Record) -> Option<(String, String)> {
    let text = record.text().unwrap_or_default();
    Some(match serde_json::from_str::<Asked<'_>>(text) {
        Ok(a) if a.present && a.action.get().is_some() => {
            let gist = match a.action.or_empty() {
                "onMessage" | "echo" => message(&a.message),
                "configureSession" | "configureAuthenticatedSession" if a.start_new.is_true() => "start new".to_owned(),
                "closeSession" if a.close_all.is_true() => "all connections".to_owned(),
                "onAttachment" => {
                    let size = a.file_size.value.map(|n| format!("{n} bytes")).unwrap_or_default();
                    words([a.file_name.or_empty(), &size, a.file_type.or_empty()])
                }
                "getAttachment" | "deleteAttachment" => a.attachment.or_empty().to_owned(),
                _ => String::new(),
            };
            (a.action.or_empty().to_owned(), gist)
        }
        _ => return name_of_cut(record, text, "\"action\"").map(|name| (name, text.to_owned())),
    })
}

/// The name in a payload of which only the beginning was read.
fn name_of_cut(record: &Record, text: &str, key: &str) -> Option<String> {
    let is_cut = (record.body.len() as u64) < record.size;
    let value = |text: &str| -> Option<String> {
        let after = text.split_once(key)?.1.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
        let name = after.split_once('"')?.0;
        (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| name.to_owned())
    };
    is_cut.then(|| value(text)).flatten()
}

fn received(record: &Record) -> Option<(String, String)> {
    let text = record.text().unwrap_or_default();
    let frame = match Frame::parse(text) {
        Ok(frame) if frame.class.get().is_some() => frame,
        _ => return name_of_cut(record, text, "\"class\"").map(|name| (name, text.to_owned())),
    };
    let class = frame.class.or_empty();
    Some((class.to_owned(), gist(&frame, class)))
}

fn gist(frame: &Frame<'_>, class: &str) -> String {
    let audit = &mut Audit::default();
    match class {
        "StructuredMessage" => message(&frame.body.read(audit)),
        "UploadSuccessEvent" | "UploadFailureEvent" | "AttachmentDeletedResponse" | "GenerateUrlError" => {
            let e: AttachmentEvent<'_> = frame.body.read(audit);
            let code = e.error_code.value.map(|c| c.to_string()).unwrap_or_default();
            words([&code, e.error_message.or_empty(), e.attachment.or_empty()])
        }
        _ if frame.code() >= 400 => {
            let Refusal { code, text, retry_after } = error_of(frame, audit);
            let patience = retry_after.map(|s| format!("· retry after {s} s")).unwrap_or_default();
            words([&code.to_string(), &text, &patience])
        }
        "SessionResponse" => {
            let r: SessionResponse<'_> = frame.body.read(audit);
            let said = [
                told(r.connected, "connected", "not connected"),
                told(r.new_session, "new session", "known session"),
                told(r.read_only, "read-only", ""),
                told(r.cleared_existing, "cleared elsewhere", ""),
            ];
            words_with(" · ", said)
        }
        "JwtResponse" => {
            let r: JwtResponse<'_> = frame.body.read(audit);
            r.exp.value.map(|e| format!("until {}", clock(Wall::from_secs(e)))).unwrap_or_default()
        }
        "GetConfigurationResponse" => {
            let r: GetConfigurationResponse<'_> = frame.body.read(audit);
            r.duration_seconds.value.map(|s| format!("session lives {s} s")).unwrap_or_default()
        }
        "PresignedUrlResponse" => {
            let r: PresignedUrl<'_> = frame.body.read(audit);
            let what = if r.headers.items.is_empty() { "download" } else { "upload" };
            words([what, r.file_name.or_empty(), r.attachment.or_empty()])
        }
        "ConnectionClosedEvent" => {
            let e: ConnectionClosed<'_> = frame.body.read(audit);
            e.reason.or_empty().to_owned()
        }
        _ => match frame.body.text() {
            None | Some("{}") => String::new(),
            Some(body) => body.trim_matches('"').to_owned(),
        },
    }
}

fn told(b: Bool, yes: &'static str, no: &'static str) -> &'static str {
    match b.value {
        Some(true) => yes,
        Some(false) => no,
        None => "",
    }
}

/// Who says what.
fn message(m: &Wire<'_>) -> String {
    let audit = &mut Audit::default();
    let who = match (m.is_inbound(), m.originating_entity.or_empty()) {
        _ if m.direction.get().is_none() => "",
        (true, _) => "guest:",
        (_, "Bot") => "bot:",
        _ => "agent:",
    };
    let mut said = vec![who.to_owned(), m.text.or_empty().to_owned()];
    for e in &m.events.items {
        let kind = e.kind.or_empty();
        said.push(match kind {
            "Typing" => "typing".to_owned(),
            "Presence" => e.presence.kind.or_empty().to_owned(),
            _ => kind.to_owned(),
        });
    }
    let kinds: Vec<String> = m.content(audit).iter().map(|(_, c)| piece(c)).collect();
    if !kinds.is_empty() {
        said.push(format!("[{}]", kinds.join(", ")));
    }
    words(said)
}

fn piece(c: &Content<'_>) -> String {
    match c.kind.or_empty() {
        "QuickReply" => words(["QuickReply", c.quick_reply.text.or_empty()]),
        "ButtonResponse" => words([c.button_response.kind.or_empty(), c.button_response.text.or_empty()]),
        "Attachment" => words(["Attachment", c.attachment.name.or_empty()]),
        "Card" => words(["Card", c.card.title.or_empty()]),
        "Carousel" => format!("Carousel of {}", c.carousel.cards.items.len()),
        kind => kind.to_owned(),
    }
}
