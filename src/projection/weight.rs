//! What an entry weighs in memory, about, and how a heavy one is made lighter.

use serde_json::Value;

use super::conversation::What;
use crate::model::Message;
use crate::model::happening::{AttachmentState, Card, CardAction, Part, Presence};
use crate::model::rich::{Choice, DatePicker, Field, Item, ListPicker, Prompt, Section};

/// What each entry weighs beside its texts.
const FRAME: usize = 400;

pub(super) fn of(what: &What) -> usize {
    FRAME
        + match what {
            What::Message(m) => {
                let names = m.key.len() + m.also.iter().map(|k| k.len() + 24).sum::<usize>();
                let attributes = m.attributes.iter().map(|(k, v)| k.len() + v.len() + 48).sum::<usize>();
                names + len(&m.text) + len(&m.from) + attributes + m.parts.iter().map(part).sum::<usize>()
            }
            What::Upload { id, name, state, .. } => {
                let why = if let AttachmentState::Failed { text, .. } = state { text.len() } else { 0 };
                id.len() + name.len() + why
            }
            What::State(text) | What::Note(text) => text.len(),
            What::Presence(_, Presence::SignedIn { name } | Presence::Other(name)) => name.len(),
            What::Presence(..) => 0,
        }
}

/// Cuts a message to about `longest` bytes of text and as many of parts. What is left out is said in its place.
pub(super) fn cut(message: &mut Message, longest: usize) {
    if let Some(text) = &mut message.text {
        cut_text(text, longest);
    }
    let mut room = longest;
    let fits = message.parts.iter().take_while(|p| take(&mut room, part(p))).count();
    let parts = message.parts.len() - fits;
    message.parts.truncate(fits);
    let mut room = longest;
    let fits = message.attributes.iter().take_while(|(k, v)| take(&mut room, k.len() + v.len() + 48)).count();
    let attributes = message.attributes.len() - fits;
    message.attributes.truncate(fits);
    for (more, what) in [(parts, "parts"), (attributes, "attributes")] {
        if more > 0 {
            let told = Value::String(format!("{more} more {what} in the record"));
            message.parts.push(Part::Other { kind: "left out".into(), json: told });
        }
    }
}

/// Cuts what is too long and says so.
pub(super) fn cut_text(text: &mut String, longest: usize) {
    if text.len() > longest {
        let end = (0..=longest).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0);
        let more = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("… [{more} more bytes in the record]"));
    }
}

fn take(room: &mut usize, weight: usize) -> bool {
    match room.checked_sub(weight) {
        Some(rest) => {
            *room = rest;
            true
        }
        None => false,
    }
}

fn len(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

fn part(part: &Part) -> usize {
    48 + match part {
        Part::QuickReply { text, payload, image } => text.len() + payload.len() + len(image),
        Part::Answer { kind, text, payload } => kind.len() + text.len() + payload.len(),
        Part::Card(c) => card(c),
        Part::Carousel(cards) => cards.iter().map(card).sum(),
        Part::Attachment(a) => a.id.len() + a.name.len() + a.mime.len() + len(&a.url) + a.media_type.len() + 100,
        Part::Date(d) => date(d),
        Part::List(l) => list(l),
        Part::Form(f) => {
            let fields = f.pages.iter().flat_map(|p| p.fields.iter()).map(field).sum::<usize>();
            let pages = f.pages.iter().map(|p| 72 + p.title.len() + p.subtitle.len()).sum::<usize>();
            f.canned.len() + prompt(&f.prompt) + prompt(&f.reply) + prompt(&f.introduction) + pages + fields
        }
        Part::Chosen(c) => {
            let one = |(field, c): &(String, Choice)| 72 + field.len() + c.text.len() + c.payload.len();
            c.kind.len() + len(&c.to) + c.choices.iter().map(one).sum::<usize>()
        }
        Part::Other { kind, json } => kind.len() + value(json),
    }
}

fn prompt(p: &Prompt) -> usize {
    72 + p.title.len() + p.subtitle.len() + len(&p.image)
}

fn date(d: &DatePicker) -> usize {
    let slots = d.slots.iter().map(|s| 56 + s.time.len()).sum::<usize>();
    180 + d.id.len() + d.title.len() + d.subtitle.len() + len(&d.image) + d.format.len() + slots
}

fn item(i: &Item) -> usize {
    96 + i.id.len() + i.title.len() + i.subtitle.len() + len(&i.image)
}

fn list(l: &ListPicker) -> usize {
    let section = |s: &Section| 56 + s.title.len() + s.items.iter().map(item).sum::<usize>();
    l.id.len() + prompt(&l.prompt) + prompt(&l.reply) + l.sections.iter().map(section).sum::<usize>()
}

fn field(f: &Field) -> usize {
    match f {
        Field::Input { id, title, subtitle, hint, .. } => 104 + id.len() + title.len() + subtitle.len() + hint.len(),
        Field::Date(d) => date(d),
        Field::List(l) => list(l),
        Field::Wheel { id, items } => 56 + id.len() + items.iter().map(item).sum::<usize>(),
        Field::Other(kind) => 32 + kind.len(),
    }
}

fn card(card: &Card) -> usize {
    let action = |a: &CardAction| match a {
        CardAction::Link { text, url: more } | CardAction::Postback { text, payload: more } => {
            48 + text.len() + more.len()
        }
    };
    let actions = card.actions.iter().chain(&card.default_action).map(action).sum::<usize>();
    120 + card.title.len() + card.description.len() + len(&card.image) + len(&card.video) + actions
}

fn value(json: &Value) -> usize {
    32 + match json {
        Value::String(s) => s.len(),
        Value::Array(items) => items.iter().map(value).sum(),
        Value::Object(map) => map.iter().map(|(k, v)| k.len() + 48 + value(v)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::happening::Source;
    use crate::projection::merge::tests::message;

    #[test]
    fn a_heavy_message_is_cut_and_says_so() {
        let mut m = message("k", None, Source::Live, None);
        m.text = Some("ä".repeat(100));
        let reply = Part::QuickReply { text: "yes".into(), payload: "yes".into(), image: None };
        m.parts = vec![reply; 5];
        m.attributes = vec![("k".into(), "v".repeat(200))];
        cut(&mut m, 121);
        assert_eq!(m.text.as_deref(), Some(format!("{}… [80 more bytes in the record]", "ä".repeat(60)).as_str()));
        assert_eq!(m.parts.len(), 4);
        assert!(matches!(&m.parts[2], Part::Other { json, .. } if json == "3 more parts in the record"));
        assert!(matches!(&m.parts[3], Part::Other { json, .. } if json == "1 more attributes in the record"));
        assert!(m.attributes.is_empty());
        let again = m.clone();
        cut(&mut m, 1_000);
        assert_eq!(m, again);
    }
}
