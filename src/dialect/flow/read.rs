//! From a record of an unverified flow to what it means. No description fixes the frames of their sockets, so they are
//! read by what they have: a text says something, a type names it.

use serde_json::Value;

use crate::dialect::errands::message_of;
use crate::model::happening::{Part, Side, Source};
use crate::model::record::{HttpRequest, HttpResponse};
use crate::model::{Direction, Happening, Kind, Message, Record, Wall};

/// How long a typing indication lasts that does not say so.
const TYPING_MILLIS: u64 = 5_000;

/// See [`crate::dialect::read`].
pub fn read(record: &Record, out: &mut Vec<Happening>) {
    match (record.kind, record.direction) {
        (Kind::HttpRequest, _) => {
            let Some(head) = record.head_as::<HttpRequest>() else { return };
            let (Some(tracing), true) = (head.tracing, head.purpose.starts_with("message")) else { return };
            let Some(body) = json(record) else { return };
            if let Some(text) = body.get("text").and_then(Value::as_str) {
                out.push(said(text, Some(tracing), String::new(), Side::Guest, Source::Outgoing, None, &Value::Null));
            }
        }
        (Kind::HttpResponse, _) => {
            let Some(HttpResponse { status: 200..300, tracing: Some(tracing), .. }) = record.head_as() else { return };
            if let Some(key) = json(record).as_ref().and_then(|body| body.get("id")?.as_str()) {
                out.push(Happening::Named { tracing, key: key.to_owned() });
            }
        }
        (Kind::Text, Direction::Sent) => {
            let Some(frame) = json(record) else { return };
            let payload = payload(&frame);
            if let Some(text) = payload.get("text").and_then(Value::as_str) {
                let tracing = payload.get("id").and_then(Value::as_str).map(str::to_owned);
                out.push(said(text, tracing, String::new(), Side::Guest, Source::Outgoing, None, &Value::Null));
            }
        }
        (Kind::Text, Direction::Received) => {
            if let Some(frame) = json(record) {
                received(&frame, out);
            }
        }
        _ => {}
    }
}

fn received(frame: &Value, out: &mut Vec<Happening>) {
    let payload = payload(frame);
    let word = |name: &str| payload.get(name).or_else(|| frame.get(name)).and_then(Value::as_str);
    let side = side(word("from").or_else(|| word("direction")).unwrap_or_default());
    let kind = frame.get("type").and_then(Value::as_str).unwrap_or_default();
    if kind.eq_ignore_ascii_case("typing") {
        let millis = payload.get("duration").and_then(Value::as_u64).filter(|n| *n > 0).unwrap_or(TYPING_MILLIS);
        out.push(Happening::Typing { side, millis });
        return;
    }
    if matches!(kind.to_ascii_lowercase().as_str(), "error" | "handshake") {
        return;
    }
    if let Some(text) = word("text") {
        let at = word("timestamp").and_then(Wall::parse_rfc3339);
        let key = word("id").unwrap_or_default().to_owned();
        let tracing = word("clientId").map(str::to_owned);
        let attachment = payload.get("content").cloned().unwrap_or(Value::Null);
        out.push(said(text, tracing, key, side, Source::Live, at, &attachment));
    }
}

/// The part of a frame that holds its content: `payload` where there is one.
pub fn payload(frame: &Value) -> &Value {
    frame.get("payload").filter(|p| p.is_object()).unwrap_or(frame)
}

fn side(word: &str) -> Side {
    match word.to_ascii_lowercase().as_str() {
        "guest" | "customer" | "inbound" | "user" => Side::Guest,
        "bot" => Side::Bot,
        "system" => Side::System,
        _ => Side::Agent,
    }
}

fn said(
    text: &str,
    tracing: Option<String>,
    key: String,
    side: Side,
    source: Source,
    at: Option<Wall>,
    content: &Value,
) -> Happening {
    let parts = match content {
        Value::Null => Vec::new(),
        other => vec![Part::Other { kind: "content".to_owned(), json: other.clone() }],
    };
    Happening::Said(Box::new(Message {
        key,
        also: Vec::new(),
        tracing,
        side,
        source,
        at,
        from: None,
        text: Some(text.to_owned()),
        parts,
        authenticated: false,
        attributes: Vec::new(),
    }))
}

fn json(record: &Record) -> Option<Value> {
    serde_json::from_slice(&record.body).ok().filter(Value::is_object)
}

/// Name and gist of a frame; none where it has no type.
pub fn frame_line(record: &Record) -> Option<(String, String)> {
    let frame = json(record)?;
    let kind = frame.get("type").and_then(Value::as_str).filter(|k| !k.is_empty())?;
    let payload = payload(&frame);
    let word = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default();
    let gist = match kind {
        "error" => message_of(0, payload.to_string().as_bytes()),
        _ => match (word("from"), word("text")) {
            ("", "") => ["sessionId", "contactId", "guestId", "status"]
                .into_iter()
                .map(word)
                .find(|w| !w.is_empty())
                .unwrap_or_default()
                .to_owned(),
            ("", text) => text.to_owned(),
            (from, text) => format!("{from}: {text}"),
        },
    };
    Some((kind.to_owned(), gist))
}
