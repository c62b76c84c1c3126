//! Pickers and forms: from the wire to the model, and the answer back.
//!
//! Shapes: schema `ContentDatePicker`, `ContentListPicker`, `ContentForm` and `ConversationForm*` of
//! web-messaging-sdk-java; the answers are those that the vendor's web Messenger sends.

use super::wire::inbound::{self as wire, Content};
use super::wire::lenient::Str;
use super::wire::outbound::{FormAnswer, FormValue, Parent, Piece, Pressed, Say, Valued};
use crate::dialect::Wish;
use crate::model::Wall;
use crate::model::happening::Part;
use crate::model::rich::{
    Choice, Chosen, DatePicker, Field, FormOffer, Item, ListPicker, Page, Picked, Prompt, Section, Slot, Way,
};

pub(super) fn date(d: &wire::DatePicker<'_>) -> DatePicker {
    let instant = |s: &Str<'_>| s.get().and_then(Wall::parse_rfc3339);
    let slot = |t: &wire::AvailableTime<'_>| Slot {
        time: owned(&t.time),
        at: instant(&t.time),
        secs: t.duration.value.and_then(|n| u64::try_from(n).ok()),
    };
    DatePicker {
        id: owned(&d.id),
        title: owned(&d.title),
        subtitle: owned(&d.subtitle),
        image: d.image.filled(),
        min: instant(&d.min),
        max: instant(&d.max),
        slots: d.times.items.iter().map(slot).collect(),
        format: owned(&d.format),
    }
}

pub(super) fn list(l: &wire::ListPicker<'_>) -> ListPicker {
    let section = |s: &wire::ListSection<'_>| Section {
        title: owned(&s.title),
        multiple: s.multiple.is_true(),
        items: s.items.items.iter().map(item).collect(),
    };
    ListPicker {
        id: owned(&l.id),
        prompt: prompt(&l.received),
        reply: prompt(&l.reply),
        sections: l.sections.items.iter().map(section).collect(),
    }
}

/// The offer, or the answer to one.
pub(super) fn form(f: &wire::Form<'_>) -> Part {
    if f.response.present {
        let choice = |r: &wire::FormResponse<'_>| (owned(&r.id), pressed(&r.component.button_response));
        return Part::Chosen(Chosen {
            kind: "Form".to_owned(),
            to: f.originating_message.filled(),
            choices: f.response.items.iter().map(choice).collect(),
        });
    }
    let page = |p: &wire::FormPage<'_>| Page {
        title: owned(&p.title),
        subtitle: owned(&p.subtitle),
        fields: p.components.items.iter().map(field).collect(),
    };
    Part::Form(FormOffer {
        canned: owned(&f.canned),
        prompt: prompt(&f.received),
        reply: prompt(&f.reply),
        introduction: prompt(&f.introduction),
        pages: f.pages.items.iter().map(page).collect(),
    })
}

fn field(c: &wire::PageComponent<'_>) -> Field {
    match c.kind.or_empty() {
        "Input" => Field::Input {
            id: owned(&c.input.id),
            title: owned(&c.input.title),
            subtitle: owned(&c.input.subtitle),
            hint: owned(&c.input.hint),
            required: c.input.required.is_true(),
            multiline: c.input.multiline.is_true(),
        },
        "DatePicker" => Field::Date(date(&c.date_picker)),
        "ListPicker" => Field::List(list(&c.list_picker)),
        "WheelPicker" => {
            Field::Wheel { id: owned(&c.wheel_picker.id), items: c.wheel_picker.items.items.iter().map(item).collect() }
        }
        other => Field::Other(other.to_owned()),
    }
}

/// Answers to pickers: all buttons of one message are one answer. `parent`: the message that its metadata names.
pub(super) fn join_answers(parts: &mut Vec<Part>, pieces: &[(&str, Content<'_>)], parent: Option<String>) {
    let is_picked = |kind: &str| matches!(kind, "DatePicker" | "ListPicker");
    let of = |c: &Content<'_>| c.button_response.present && is_picked(c.button_response.kind.or_empty());
    let picked: Vec<&Content<'_>> = pieces.iter().map(|(_, c)| c).filter(|c| of(c)).collect();
    let Some(first) = picked.first() else { return };
    let originating = picked.iter().find_map(|c| c.button_response.originating_message.filled());
    let chosen = Chosen {
        kind: owned(&first.button_response.kind),
        to: originating.or(parent),
        choices: picked.iter().map(|c| (String::new(), pressed(&c.button_response))).collect(),
    };
    parts.retain(|p| !matches!(p, Part::Answer { kind, .. } if is_picked(kind)));
    parts.push(Part::Chosen(chosen));
}

fn pressed(b: &wire::ButtonResponse<'_>) -> Choice {
    Choice { text: owned(&b.text), payload: owned(&b.payload) }
}

fn prompt(p: &wire::Prompt<'_>) -> Prompt {
    Prompt { title: owned(&p.title), subtitle: owned(&p.subtitle), image: p.image.filled() }
}

fn item(i: &wire::ListItem<'_>) -> Item {
    Item { id: owned(&i.id), title: owned(&i.title), subtitle: owned(&i.subtitle), image: i.image.filled() }
}

fn owned(s: &Str<'_>) -> String {
    s.or_empty().to_owned()
}

/// What is sent for an answer, and whether its metadata names the offer. None where the wish is another one.
///
/// The web Messenger names the message of a date picker in the metadata only, that of a list picker there and with each
/// choice, that of a form within the form only. The mobile SDK names that of a date picker with the choice; that it
/// wraps it as it does a card's button (`Structured`, the label as text) is assumed, and it has no lists and forms.
pub(super) fn say(wish: &Wish) -> Option<(Say<'_>, Option<Parent<'_>>)> {
    let Wish::Pick { to, way, picked, .. } = wish else { return None };
    let named = Some(to.as_str()).filter(|to| !to.is_empty());
    let piece = |pressed| Piece::ButtonResponse { button_response: pressed };
    let structured = |text, content| Say { kind: Some("Structured"), text, content, ..Say::default() };
    let parent = named.map(|parent_message_id| Parent { parent_message_id });
    Some(match picked.as_ref() {
        Picked::Date(choice) if *way == Way::Sdk => {
            (structured(Some(choice.text.as_str()), vec![piece(press_of("DatePicker", choice, named))]), None)
        }
        Picked::Date(choice) => (structured(None, vec![piece(press_of("DatePicker", choice, None))]), parent),
        Picked::List { text, chosen } => {
            let content = chosen.iter().map(|c| piece(press_of("ListPicker", c, named))).collect();
            (structured(Some(text.as_str()), content), parent)
        }
        Picked::Form { text, canned, response } => {
            let response = response.iter().map(|(id, c)| FormValue { id, component: Valued::of(c) }).collect();
            let form = FormAnswer { originating_message_id: named, canned_response_id: canned, response };
            (structured(Some(text.as_str()), vec![Piece::Form { form }]), None)
        }
    })
}

fn press_of<'a>(kind: &'static str, choice: &'a Choice, to: Option<&'a str>) -> Pressed<'a> {
    Pressed { to, ..Pressed::new(kind, &choice.text, &choice.payload) }
}
