//! From a record of an agent's session to what it means.

use serde_json::Value;

use super::wire::{self, Notice};
use super::{calls, plain};
use crate::dialect::Strange;
use crate::dialect::flow::text_of;
use crate::model::desk::UserNews;
use crate::model::happening::{AttachmentState, Side, Source};
use crate::model::record::{HttpRequest, HttpResponse};
use crate::model::{Direction, Flags, Happening, Kind, Message, Record};

/// How long a typing indication lasts that does not say so.
const TYPING_MILLIS: u64 = 5_000;

/// See [`crate::dialect::read`].
pub fn read(record: &Record, out: &mut Vec<Happening>) {
    match (record.kind, record.direction) {
        (Kind::HttpRequest, _) => {
            if let Some(head) = record.head_as::<HttpRequest>() {
                asked(&head, record, out);
            }
        }
        (Kind::HttpResponse, _) => {
            if let Some(head) = record.head_as::<HttpResponse>() {
                answered(&head, record, out);
            }
        }
        (Kind::Text, Direction::Received) => {
            if let Some(notice) = record.text().and_then(wire::notice) {
                told(notice, out);
            }
        }
        _ => {}
    }
}

/// See [`crate::dialect::strange`].
pub fn strange(record: &Record) -> Strange {
    let is = |flag| record.direction == Direction::Received && record.flags.has(flag);
    let names = match record.text().map(wire::notice) {
        Some(Some(Notice::Event { topic, .. })) if is(Flags::UNKNOWN) => {
            vec![format!("topic {topic}, which the channel is not subscribed to")]
        }
        Some(Some(Notice::Event { topic, .. })) if is(Flags::MALFORMED) => vec![format!("body of {topic}")],
        None | Some(None) if is(Flags::MALFORMED) => vec!["no notification".to_owned()],
        _ => Vec::new(),
    };
    Strange { names, ..Strange::default() }
}

/// The conversation in an address: `…/conversations/messages/{id}/…`.
fn conversation_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("/conversations/messages/")?;
    let id = rest.split(['/', '?']).next()?;
    (!id.is_empty()).then(|| percent_encoding::percent_decode_str(id).decode_utf8_lossy().into_owned())
}

fn within(conversation: String, what: Happening) -> Happening {
    Happening::In { conversation, what: Box::new(what) }
}

fn asked(head: &HttpRequest, record: &Record, out: &mut Vec<Happening>) {
    let (Some(tracing), Some(conversation)) = (&head.tracing, conversation_of(&head.url)) else { return };
    let Ok(body) = serde_json::from_slice::<Value>(&record.body) else { return };
    match head.purpose.as_str() {
        calls::MESSAGE => {
            let said = Message {
                key: String::new(),
                also: Vec::new(),
                tracing: Some(tracing.clone()),
                side: Side::Agent,
                source: Source::Outgoing,
                at: None,
                from: None,
                text: text_of(&body, "textBody"),
                parts: Vec::new(),
                authenticated: false,
                attributes: Vec::new(),
            };
            out.push(within(conversation, Happening::Said(Box::new(said))));
        }
        "media" => {
            let name = text_of(&body, "fileName").unwrap_or_default();
            let size = body.get("contentLengthBytes").and_then(Value::as_u64).unwrap_or(0);
            let what = Happening::Attachment { id: tracing.clone(), state: AttachmentState::Asked { name, size } };
            out.push(within(conversation, what));
        }
        _ => {}
    }
}

fn answered(head: &HttpResponse, record: &Record, out: &mut Vec<Happening>) {
    let body = serde_json::from_slice::<Value>(&record.body).unwrap_or_default();
    if !(200..300).contains(&head.status) {
        if let Some(tracing) = head.tracing.clone().filter(|_| head.purpose == calls::MESSAGE) {
            let text = crate::dialect::errands::message_of(head.status, &record.body);
            out.push(Happening::Refused { tracing, code: i32::from(head.status), text });
        }
        if let Some(id) = head.tracing.clone().filter(|_| matches!(head.purpose.as_str(), "media" | "upload")) {
            let text = crate::dialect::errands::message_of(head.status, &record.body);
            let state = AttachmentState::Failed { code: i32::from(head.status), text };
            out.push(Happening::Attachment { id, state });
        }
        return;
    }
    match head.purpose.as_str() {
        calls::ME => {
            if let Some(id) = text_of(&body, "id") {
                let name = text_of(&body, "name").unwrap_or_default();
                let email = text_of(&body, "email").or_else(|| text_of(&body, "username")).unwrap_or_default();
                out.push(Happening::User(UserNews::Me { id, name, email }));
            }
            out.extend(body.get("presence").and_then(presence));
            out.extend(body.get("routingStatus").and_then(routing));
        }
        calls::PRESENCES => out.push(Happening::User(UserNews::Presences(wire::presences(&body)))),
        calls::PRESENCE => out.extend(presence(&body)),
        calls::ROUTING => out.extend(routing(&body)),
        calls::QUEUES | calls::JOIN => {
            let list = if body.get("entities").is_some() { body } else { Value::Array(vec![body]) };
            out.push(Happening::User(UserNews::Queues(wire::queues(&list))));
        }
        calls::REPLIES => out.push(Happening::User(UserNews::CannedReplies(wire::replies(&body)))),
        calls::USERS => out.push(Happening::User(UserNews::Found(wire::users(&body)))),
        calls::CONVERSATION => out.extend(wire::snapshot(&body, true).map(|s| Happening::Snapshot(Box::new(s)))),
        calls::CONVERSATIONS => out.extend(wire::snapshots(&body).map(|s| Happening::Snapshot(Box::new(s)))),
        calls::CODES => {
            let codes = wire::named(&body);
            let news = head.tracing.clone().map(|conversation| UserNews::WrapupCodes { conversation, codes });
            out.extend(news.map(Happening::User));
        }
        calls::TEXTS => {
            for message in wire::entities(&body) {
                out.extend(said(message, None));
            }
        }
        calls::MESSAGE => out.extend(said(&body, head.tracing.clone())),
        "media check" => {
            let state = match text_of(&body, "status").unwrap_or_default().to_ascii_lowercase().as_str() {
                "valid" => AttachmentState::Uploaded,
                "invalid" => AttachmentState::Failed { code: 0, text: "refused by the platform".into() },
                _ => AttachmentState::Granted,
            };
            out.extend(head.tracing.clone().map(|id| Happening::Attachment { id, state }));
        }
        _ => {}
    }
}

/// A stored message; one without a conversation cannot be placed.
fn said(body: &Value, tracing: Option<String>) -> Option<Happening> {
    let (conversation, mut message) = wire::message(body)?;
    message.tracing = tracing;
    conversation.map(|c| within(c, Happening::Said(Box::new(message))))
}

fn presence(body: &Value) -> Option<Happening> {
    let (id, word) = wire::presence_of(body)?;
    Some(Happening::User(UserNews::Presence { id, word }))
}

fn routing(body: &Value) -> Option<Happening> {
    wire::routing_of(body).map(|word| Happening::User(UserNews::Routing { word }))
}

fn told(notice: Notice, out: &mut Vec<Happening>) {
    let Notice::Event { topic, body } = notice else { return };
    if topic.ends_with(".conversations") || topic.ends_with(".conversations.messages") {
        out.extend(wire::snapshot(&body, false).map(|s| Happening::Snapshot(Box::new(s))));
    } else if topic.ends_with(".typing.event") {
        out.extend(typing(&body));
    } else if topic.ends_with(".presence") {
        out.extend(presence(&body));
    } else if topic.ends_with(".routingStatus") {
        out.extend(routing(&body));
    }
}

fn typing(body: &Value) -> Option<Happening> {
    let conversation = text_of(body, "conversationId")?;
    let message = body.get("normalizedMessage")?;
    let events = message.get("events").and_then(Value::as_array).into_iter().flatten();
    let typing = events.filter_map(|e| e.get("typing")).next()?;
    let millis = typing.get("duration").and_then(Value::as_u64).filter(|n| *n > 0).unwrap_or(TYPING_MILLIS);
    let inbound = text_of(message, "direction").is_none_or(|d| plain(&d) == "Inbound");
    let side = if inbound { Side::Guest } else { Side::Agent };
    Some(within(conversation, Happening::Typing { side, millis }))
}
