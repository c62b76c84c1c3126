//! A record in a line, for tables.

use super::frames::{Refusal, error_of};
use super::wire::inbound::{
    AttachmentEvent, ConnectionClosed, Content, Frame, GetConfigurationResponse, JwtResponse, Message as Wire,
    PresignedUrl, SessionResponse,
};
use super::wire::lenient::{Audit, Bool};
use super::wire::outbound::Asked;
use crate::dialect::Line;
use crate::model::fact::{Delivery, Expiry, ExpiryEvent, SessionState};
use crate::model::record::{HttpRequest, HttpResponse, SessionStart};
use crate::model::{Direction, Fact, Kind, Record, Wall};

/// Characters of a preview.
const LONGEST: usize = 160;

/// See [`crate::dialect::line`].
pub fn line(record: &Record) -> Line {
    let (name, text) = match record.kind {
        Kind::Text if record.direction == Direction::Sent => sent(record),
        Kind::Text => received(record),
        Kind::Binary => ("binary".to_owned(), format!("{} bytes", record.size)),
        Kind::Ping => ("ping".to_owned(), String::new()),
        Kind::Pong => ("pong".to_owned(), String::new()),
        Kind::Close => ("close".to_owned(), words([&record.code.to_string(), record.text().unwrap_or_default()])),
        Kind::HttpRequest | Kind::SocketOpening => match record.head_as::<HttpRequest>() {
            Some(r) => (format!("{} {}", r.method, path(&r.url)), r.purpose),
            None => (record.kind.word().to_owned(), String::new()),
        },
        Kind::HttpResponse | Kind::SocketOpen | Kind::SocketRefused => match record.head_as::<HttpResponse>() {
            Some(r) => {
                let took = (r.wait_us + r.receive_us) / 1000;
                (words([&r.status.to_string(), &r.reason]), format!("{took} ms"))
            }
            None => fact(record),
        },
        Kind::SessionStart => match record.head_as::<SessionStart>() {
            Some(s) => ("session".to_owned(), words([&s.name, "·", s.dialect.title(), "·", &s.environment])),
            None => ("session".to_owned(), String::new()),
        },
        Kind::HttpFailed
        | Kind::SocketLost
        | Kind::State
        | Kind::Expiry
        | Kind::Delivery
        | Kind::Fault
        | Kind::Skew
        | Kind::Note
        | Kind::Mark
        | Kind::LeftOut => fact(record),
    };
    Line { name: short(&name), text: short(&text) }
}

fn fact(record: &Record) -> (String, String) {
    let Some(fact) = record.fact() else { return (record.kind.word().to_owned(), String::new()) };
    match fact {
        Fact::State(s) => {
            let detail = match &s.to {
                SessionState::Ended(end) => end.sentence(),
                SessionState::Reconnecting { attempt, at } => format!("try {attempt} at {}", clock(*at)),
                _ => String::new(),
            };
            (s.to.word().to_owned(), words_with(" · ", [detail.as_str(), s.why.as_str()]))
        }
        Fact::Expiry(e) => (e.title.clone(), expiry(&e)),
        Fact::Delivery(d) => (delivery(&d.delivery).0.to_owned(), words([&delivery(&d.delivery).1, &d.tracing])),
        Fact::Fault(r) => (r.title, r.what),
        Fact::Skew(s) => {
            let secs = |us: i64| us as f64 / 1e6;
            let jump =
                if s.jump_us == 0 { String::new() } else { format!("; the clock jumped {:+.1} s", secs(s.jump_us)) };
            let text = format!("server {:+.2} s (± {:.2} s){jump}", secs(s.skew_us), secs(s.uncertainty_us));
            ("clock skew".to_owned(), text)
        }
        Fact::Note { text } => ("note".to_owned(), text),
        Fact::Mark { on } => (if on { "marked" } else { "mark taken away" }.to_owned(), String::new()),
        Fact::LeftOut { payloads, bytes } => {
            ("left out".to_owned(), format!("{payloads} payloads, {bytes} bytes: the disk could not keep up"))
        }
    }
}

fn expiry(e: &Expiry) -> String {
    let event = match e.event {
        ExpiryEvent::Started => "started",
        ExpiryEvent::Extended => "extended",
        ExpiryEvent::Refreshed => "refreshed",
        ExpiryEvent::Expired => "expired",
        ExpiryEvent::Refused => "refused",
        ExpiryEvent::Corrupted => "corrupted on purpose",
        ExpiryEvent::Forgotten => "forgotten",
    };
    let until = e.until.map(|u| format!("until {}", clock(u))).unwrap_or_default();
    let assumed = if e.assumed { "(assumed)" } else { "" };
    words([event, "by", &e.by, &until, assumed])
}

fn delivery(d: &Delivery) -> (&'static str, String) {
    match d {
        Delivery::Sent => ("sent", String::new()),
        Delivery::Delivered => ("delivered", String::new()),
        Delivery::Retrying { at, attempt, why } => ("retrying", format!("try {attempt} at {} ({why})", clock(*at))),
        Delivery::Refused { code, text } => ("refused", format!("{code} {text}")),
        Delivery::NotSent { why } => ("not sent", why.clone()),
        Delivery::Unconfirmed { why } => ("unconfirmed", why.clone()),
    }
}

fn sent(record: &Record) -> (String, String) {
    let text = record.text().unwrap_or_default();
    match serde_json::from_str::<Asked<'_>>(text) {
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
        _ => (name_of_cut(record, text, "\"action\""), text.to_owned()),
    }
}

/// The name in a payload of which only the beginning was read, else the kind's word.
fn name_of_cut(record: &Record, text: &str, key: &str) -> String {
    let is_cut = (record.body.len() as u64) < record.size;
    let value = |text: &str| -> Option<String> {
        let after = text.split_once(key)?.1.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
        let name = after.split_once('"')?.0;
        (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| name.to_owned())
    };
    is_cut.then(|| value(text)).flatten().unwrap_or_else(|| "text".to_owned())
}

fn received(record: &Record) -> (String, String) {
    let text = record.text().unwrap_or_default();
    let frame = match Frame::parse(text) {
        Ok(frame) if frame.class.get().is_some() => frame,
        _ => return (name_of_cut(record, text, "\"class\""), text.to_owned()),
    };
    let class = frame.class.or_empty();
    (class.to_owned(), gist(&frame, class))
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

/// Path and query; the whole where it is no address.
fn path(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(u) => match u.query() {
            Some(q) => format!("{}?{q}", u.path()),
            None => u.path().to_owned(),
        },
        Err(_) => url.to_owned(),
    }
}

/// Time of day in UTC, whole seconds.
fn clock(at: Wall) -> String {
    match at.timestamp() {
        Some(_) => at.rfc3339().chars().skip(11).take(8).chain("Z".chars()).collect(),
        None => "never".to_owned(),
    }
}

fn words(all: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    words_with(" ", all)
}

fn words_with(between: &str, all: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut out = String::new();
    for word in all {
        let word = word.as_ref();
        if !out.is_empty() && !word.is_empty() {
            out.push_str(between);
        }
        out.push_str(word);
    }
    out
}

/// One line, not too long.
fn short(text: &str) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut out: String = chars.by_ref().take(LONGEST).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}
