//! From the wire's rich content to the model's.

use serde_json::Value;

use super::offers;
use super::wire::inbound::{self, Content, Message as Wire};
use super::wire::lenient::{Audit, Audited, Str};
use crate::model::happening::{Attachment, Card, CardAction, Part};

/// The parts of a message. What cannot be read as what it says it is, is kept as it stands.
pub(super) fn parts(m: &Wire<'_>) -> Vec<Part> {
    let pieces = m.content(&mut Audit::default());
    if pieces.is_empty()
        && let Some(odd) = m.content.text().filter(|t| *t != "[]")
    {
        // Content that is no list.
        return vec![other("content", odd)];
    }
    let mut parts = pieces.iter().map(|(text, piece)| part(text, piece)).collect();
    offers::join_answers(&mut parts, &pieces, m.metadata.parent_message.filled());
    parts
}

/// The parts of a normalised message that came by another way, from its `content`.
pub fn parts_of(content: &Value) -> Vec<Part> {
    let one = |v: &Value| {
        let text = v.to_string();
        serde_json::from_str::<Content<'_>>(&text).map_or_else(|_| other("content", &text), |c| part(&text, &c))
    };
    content.as_array().into_iter().flatten().map(one).collect()
}

fn part(text: &str, c: &Content<'_>) -> Part {
    let mut audit = Audit::default();
    c.audit(&mut audit);
    let kind = c.kind.or_empty();
    match kind {
        _ if audit.wrong > 0 => other(kind, text),
        "Attachment" if c.attachment.present => Part::Attachment(attachment(&c.attachment)),
        "QuickReply" if c.quick_reply.present => Part::QuickReply {
            text: owned(&c.quick_reply.text),
            payload: owned(&c.quick_reply.payload),
            image: c.quick_reply.image.filled(),
        },
        "ButtonResponse" if c.button_response.present => Part::Answer {
            kind: owned(&c.button_response.kind),
            text: owned(&c.button_response.text),
            payload: owned(&c.button_response.payload),
        },
        "Card" if c.card.present => Part::Card(card(&c.card)),
        "Carousel" if c.carousel.present => Part::Carousel(c.carousel.cards.items.iter().map(card).collect()),
        "DatePicker" if c.date_picker.present => Part::Date(offers::date(&c.date_picker)),
        "ListPicker" if c.list_picker.present => Part::List(offers::list(&c.list_picker)),
        "Form" if c.form.present => offers::form(&c.form),
        _ => other(kind, text),
    }
}

/// Kept and shown as received; text that is too deep for a tree stays text.
fn other(kind: &str, text: &str) -> Part {
    let json = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    Part::Other { kind: kind.to_owned(), json }
}

fn attachment(a: &inbound::Attachment<'_>) -> Attachment {
    Attachment {
        id: owned(&a.id),
        name: owned(&a.name),
        mime: owned(&a.mime),
        size: a.size.value.and_then(|n| u64::try_from(n).ok()),
        url: a.url.filled(),
        media_type: owned(&a.media_type),
    }
}

fn card(c: &inbound::Card<'_>) -> Card {
    Card {
        title: owned(&c.title),
        description: owned(&c.description),
        image: c.image.filled(),
        video: c.video.filled(),
        actions: c.actions.items.iter().map(action).collect(),
        default_action: c.default_action.present.then(|| action(&c.default_action)),
    }
}

/// `Link` opens an address; anything else sends its payload back.
fn action(a: &inbound::CardAction<'_>) -> CardAction {
    match a.kind.or_empty() {
        "Link" => CardAction::Link { text: owned(&a.text), url: owned(&a.url) },
        _ => CardAction::Postback { text: owned(&a.text), payload: owned(&a.payload) },
    }
}

fn owned(s: &Str<'_>) -> String {
    s.or_empty().to_owned()
}
