//! From a record to what it means. Works on redacted records, live and from a file alike, and knows nothing but the
//! record.

use super::content::parts;
use super::frames::{Refusal, error_of, is_echo_reply};
use super::wire::TYPING_MILLIS;
use super::wire::body::{asked_without, oddities, oddities_asked};
use super::wire::inbound::{AttachmentEvent, Event, Frame, HistoryPage, Message as Wire, PresignedUrl};
use super::wire::lenient::{Audit, Bool, Pairs, Raw};
use super::wire::outbound::Asked;
use crate::dialect::Strange;
use crate::model::happening::{AttachmentState, Part, Presence, Side, Source};
use crate::model::{Direction, Flags, Happening, Kind, Message, Record, Wall};

/// See [`crate::dialect::read`].
pub fn read(record: &Record, out: &mut Vec<Happening>) {
    match (record.kind, record.direction) {
        (Kind::Text, Direction::Sent) => {
            if let Some(asked) = record.text().and_then(|t| serde_json::from_str::<Asked<'_>>(t).ok()) {
                sent(&asked, out);
            }
        }
        (Kind::Text, Direction::Received) => {
            if let Some(frame) = record.text().and_then(|t| Frame::parse(t).ok()) {
                received(&frame, out);
            }
        }
        (Kind::HttpResponse, _) if (200..300).contains(&record.code) => {
            // A page of history is known by its shape: a list of entities, and the number of the page.
            let raw = record.text().and_then(|t| serde_json::from_str(t).ok());
            let page: HistoryPage<'_> = Raw(raw).read(&mut Audit::default());
            if page.entities.present && page.page_number.value.is_some() {
                history(&page, out);
            }
        }
        _ => {}
    }
}

/// See [`crate::dialect::strange`].
pub fn strange(record: &Record) -> Strange {
    let Some(text) = record.text() else {
        return Strange { names: vec!["no UTF-8".to_owned()], ..Strange::default() };
    };
    // What is cut has no end to be read.
    if (text.len() as u64) < record.size && record.flags.has(Flags::CUT) {
        return Strange::default();
    }
    match record.direction {
        Direction::Sent => match serde_json::from_str::<Asked<'_>>(text) {
            Ok(asked) if asked.present => {
                let (names, more) = oddities_asked(&asked);
                Strange { names, more, lacks: asked_without(&asked) }
            }
            Ok(_) => Strange { names: vec!["JSON, but no object".to_owned()], ..Strange::default() },
            Err(e) => Strange { names: vec![format!("no JSON ({e})")], ..Strange::default() },
        },
        _ => {
            let (names, more) = oddities(text);
            Strange { names, more, lacks: Vec::new() }
        }
    }
}

fn sent(asked: &Asked<'_>, out: &mut Vec<Happening>) {
    let tracing = asked.tracing.filled();
    match asked.action.or_empty() {
        "onMessage" if asked.message.present => {
            let m = &asked.message;
            let told = Told { side: Side::Guest, source: Source::Outgoing, tracing };
            // The two places that the schema has for custom attributes.
            let more = &asked.channel.metadata.attributes;
            tell(m, more, &told, out);
        }
        "onAttachment" => out.push(Happening::Attachment {
            id: asked.attachment.or_empty().to_owned(),
            state: AttachmentState::Asked {
                name: asked.file_name.or_empty().to_owned(),
                size: asked.file_size.value.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            },
        }),
        _ => {}
    }
}

fn received(frame: &Frame<'_>, out: &mut Vec<Happening>) {
    let audit = &mut Audit::default();
    let class = frame.class.or_empty();
    let attachment = |state, audit: &mut Audit| {
        let e: AttachmentEvent<'_> = frame.body.read(audit);
        Happening::Attachment { id: e.attachment.or_empty().to_owned(), state }
    };
    match class {
        "StructuredMessage" => {
            let m: Wire<'_> = frame.body.read(audit);
            if m.present && !is_echo_reply(frame, &m) {
                let tracing = frame.tracing.filled().or_else(|| m.metadata.custom_message_id.filled());
                let told = Told { side: side(&m), source: Source::Live, tracing };
                tell(&m, &Pairs::default(), &told, out);
            }
        }
        "UploadFailureEvent" | "GenerateUrlError" => {
            let e: AttachmentEvent<'_> = frame.body.read(audit);
            let code = e.error_code.value.and_then(|c| i32::try_from(c).ok()).unwrap_or_else(|| frame.code());
            let text = e.error_message.or_empty().to_owned();
            let state = AttachmentState::Failed { code, text };
            out.push(Happening::Attachment { id: e.attachment.or_empty().to_owned(), state });
        }
        "UploadSuccessEvent" => out.push(attachment(AttachmentState::Uploaded, audit)),
        "AttachmentDeletedResponse" => out.push(attachment(AttachmentState::Deleted, audit)),
        "PresignedUrlResponse" if frame.code() < 400 => {
            let r: PresignedUrl<'_> = frame.body.read(audit);
            // An address to put a file has headers to go with it; one to get it has none.
            let refreshed = r.headers.items.is_empty();
            let state = if refreshed { AttachmentState::LinkRefreshed } else { AttachmentState::Granted };
            out.push(Happening::Attachment { id: r.attachment.or_empty().to_owned(), state });
        }
        "SessionClearedEvent" => out.push(Happening::Cleared),
        _ => {
            let is_error =
                frame.code() >= 400 || matches!(class, "Error" | "ErrorMessage" | "TooManyRequestsErrorMessage");
            if let Some(tracing) = frame.tracing.filled().filter(|_| is_error) {
                let Refusal { code, text, .. } = error_of(frame, audit);
                out.push(Happening::Refused { tracing, code, text });
            }
        }
    }
}

/// Newest first on the wire, oldest first here.
fn history(page: &HistoryPage<'_>, out: &mut Vec<Happening>) {
    for m in page.entities.items.iter().rev().filter(|m| m.present) {
        let told = Told { side: side(m), source: Source::History, tracing: m.metadata.custom_message_id.filled() };
        tell(m, &Pairs::default(), &told, out);
    }
    out.push(Happening::HistoryRead { messages: page.entities.items.len() });
}

struct Told {
    side: Side,
    source: Source,
    tracing: Option<String>,
}

fn side(m: &Wire<'_>) -> Side {
    match m.originating_entity.or_empty() {
        _ if m.is_inbound() => Side::Guest,
        "Bot" => Side::Bot,
        // Events of the platform's side come without an entity, as older messages of agents do.
        _ => Side::Agent,
    }
}

fn tell(m: &Wire<'_>, more: &Pairs<'_>, told: &Told, out: &mut Vec<Happening>) {
    let at = m.channel.time.get().and_then(Wall::parse_rfc3339);
    let key = m.key();
    let events = &m.events.items;
    for e in events {
        event(e, m, key, at, told, out);
    }
    let kind = m.kind.or_empty();
    let mut parts = parts(m);
    let text = m.text.filled();
    // Receipts say something about messages, and are none.
    let is_bare = text.is_none() && parts.is_empty();
    if is_bare && (!events.is_empty() || matches!(kind, "Event" | "Receipt")) {
        return;
    }
    if !matches!(kind, "" | "Text" | "Structured" | "Event" | "Receipt" | "Message") {
        parts.push(Part::Other { kind: kind.to_owned(), json: serde_json::Value::Null });
    }
    let id = m.id.or_empty();
    let pairs = m.channel.metadata.attributes.items.iter().chain(&more.items);
    out.push(Happening::Said(Box::new(Message {
        key: key.to_owned(),
        also: if id != key && !id.is_empty() { vec![id.to_owned()] } else { Vec::new() },
        tracing: told.tracing.clone(),
        side: told.side,
        source: told.source,
        at,
        from: name(m),
        text,
        parts,
        authenticated: m.metadata.authenticated.is_true(),
        attributes: pairs.map(|(k, v)| (k.clone().into_owned(), v.clone().into_owned())).collect(),
    })));
}

fn event(e: &Event<'_>, m: &Wire<'_>, key: &str, at: Option<Wall>, told: &Told, out: &mut Vec<Happening>) {
    let what = match e.kind.or_empty() {
        "Typing" => {
            // What history says of typing is long over.
            if told.source != Source::History {
                let millis = e.typing.duration.value.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0);
                out.push(Happening::Typing { side: told.side, millis: millis.unwrap_or(TYPING_MILLIS) });
            }
            return;
        }
        "Presence" => match e.presence.kind.or_empty() {
            "Join" => Presence::Joined,
            "Disconnect" => Presence::Disconnected { read_only: read_only(m.metadata.read_only) },
            "Clear" => Presence::ClearAsked,
            "SignIn" => Presence::SignedIn { name: name(m).unwrap_or_default() },
            other => Presence::Other(other.to_owned()),
        },
        other => Presence::Other(other.to_owned()),
    };
    let key = (!key.is_empty()).then(|| key.to_owned());
    out.push(Happening::Presence { side: told.side, what, key, at, tracing: told.tracing.clone() });
}

fn read_only(b: Bool) -> Option<bool> {
    b.value
}

/// The nickname, else the first and last name.
fn name(m: &Wire<'_>) -> Option<String> {
    let p = &m.channel.from;
    p.nickname.filled().or_else(|| {
        let words: Vec<_> = [p.first_name.get(), p.last_name.get()].into_iter().flatten().collect();
        Some(words.join(" ")).filter(|n| !n.trim().is_empty())
    })
}
