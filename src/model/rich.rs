//! Pickers and forms: what is offered, what was chosen, and whether the one fits the other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::happening::{Message, Part};
use super::time::Wall;

/// The vendor's own page takes no more in a line and in lines.
pub const LINE: usize = 30;
pub const LINES: usize = 300;

/// The card that stands for an offer, and the words of its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    pub title: String,
    pub subtitle: String,
    pub image: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatePicker {
    /// Within a form.
    pub id: String,
    pub title: String,
    pub subtitle: String,
    pub image: Option<String>,
    pub min: Option<Wall>,
    pub max: Option<Wall>,
    /// In the server's order.
    pub slots: Vec<Slot>,
    /// How a day is written in the answer: `dayMonthYear`, `monthDayYear` or `yearMonthDay`.
    pub format: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// As the server wrote it, which is what goes back.
    pub time: String,
    /// None where it cannot be read.
    pub at: Option<Wall>,
    pub secs: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPicker {
    pub id: String,
    pub prompt: Prompt,
    pub reply: Prompt,
    pub sections: Vec<Section>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    pub title: String,
    pub multiple: bool,
    pub items: Vec<Item>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    pub id: String,
    pub title: String,
    pub subtitle: String,
    pub image: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormOffer {
    /// Of the canned response that it was made from. It goes back.
    pub canned: String,
    pub prompt: Prompt,
    pub reply: Prompt,
    pub introduction: Prompt,
    pub pages: Vec<Page>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub title: String,
    pub subtitle: String,
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    Input {
        id: String,
        title: String,
        subtitle: String,
        hint: String,
        required: bool,
        multiline: bool,
    },
    /// A day of the calendar. The vendor's page wants one always.
    Date(DatePicker),
    List(ListPicker),
    /// One of these or none.
    Wheel {
        id: String,
        items: Vec<Item>,
    },
    /// Of a kind that nobody describes, by its name.
    Other(String),
}

impl Field {
    pub fn id(&self) -> &str {
        match self {
            Self::Input { id, .. } | Self::Wheel { id, .. } => id,
            Self::Date(d) => &d.id,
            Self::List(l) => &l.id,
            Self::Other(_) => "",
        }
    }

    pub fn title(&self) -> &str {
        let (title, id) = match self {
            Self::Input { title, id, .. } => (title.as_str(), id),
            Self::Date(d) => (d.title.as_str(), &d.id),
            Self::List(l) => (l.prompt.title.as_str(), &l.id),
            Self::Wheel { id, .. } => ("", id),
            Self::Other(kind) => (kind.as_str(), kind),
        };
        if title.is_empty() { id } else { title }
    }

    pub fn is_required(&self) -> bool {
        matches!(self, Self::Input { required: true, .. } | Self::Date(_))
    }
}

/// What a guest answered with, as it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// `DatePicker`, `ListPicker` or `Form`.
    pub kind: String,
    /// The message that made the offer, where it is named.
    pub to: Option<String>,
    /// Each with the field of the form that it is for.
    pub choices: Vec<(String, Choice)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Choice {
    pub text: String,
    pub payload: String,
}

/// What a message offers to be answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Offer<'a> {
    Date(&'a DatePicker),
    List(&'a ListPicker),
    Form(&'a FormOffer),
}

/// What was chosen so far, by field: the time of a slot, ids of items, a day (`2026-01-31`), or a text. A picker that is
/// not in a form is the field without a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Draft(pub BTreeMap<String, Vec<String>>);

/// A complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picked {
    Date(Choice),
    List { text: String, chosen: Vec<Choice> },
    Form { text: String, canned: String, response: Vec<(String, Choice)> },
}

/// Whose way of answering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// The web Messenger's.
    #[default]
    Messenger,
    /// The mobile SDK's, which knows the date picker only.
    Sdk,
}

impl Draft {
    pub fn is_empty(&self) -> bool {
        self.0.values().all(|all| all.iter().all(String::is_empty))
    }

    pub fn of(&self, field: &str) -> &[String] {
        self.0.get(field).map_or(&[], Vec::as_slice)
    }

    pub fn first(&self, field: &str) -> &str {
        self.of(field).first().map_or("", String::as_str)
    }

    pub fn has(&self, field: &str, value: &str) -> bool {
        self.of(field).iter().any(|v| v == value)
    }

    /// The one value of a field; an empty one is none.
    pub fn set(&mut self, field: &str, value: impl Into<String>) {
        let value = value.into();
        if value.is_empty() {
            self.0.remove(field);
        } else {
            self.0.insert(field.to_owned(), vec![value]);
        }
    }

    /// Chooses an item of a section, or takes it back: one at most where the section is for one.
    pub fn toggle(&mut self, field: &str, section: &Section, item: &str) {
        let had = self.has(field, item);
        let all = self.0.entry(field.to_owned()).or_default();
        all.retain(|id| id != item && (section.multiple || !section.items.iter().any(|i| i.id == *id)));
        if !had {
            all.push(item.to_owned());
        }
        if all.is_empty() {
            self.0.remove(field);
        }
    }
}

/// The offer of a message, none where it makes none.
pub fn offer(message: &Message) -> Option<Offer<'_>> {
    message.parts.iter().find_map(|part| match part {
        Part::Date(d) => Some(Offer::Date(d)),
        Part::List(l) => Some(Offer::List(l)),
        Part::Form(f) => Some(Offer::Form(f)),
        _ => None,
    })
}

/// The id that an answer names: the message's own, beside that of the channel.
pub fn id_of(message: &Message) -> &str {
    message.also.first().map_or(message.key.as_str(), String::as_str)
}

/// The message that this one answers.
pub fn answers(message: &Message) -> Option<&str> {
    message.parts.iter().find_map(|part| match part {
        Part::Chosen(chosen) => chosen.to.as_deref(),
        _ => None,
    })
}

impl Offer<'_> {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Date(_) => "date picker",
            Self::List(_) => "list picker",
            Self::Form(_) => "form",
        }
    }

    pub fn title(&self) -> &str {
        let title = match self {
            Self::Date(d) => &d.title,
            Self::List(l) => &l.prompt.title,
            Self::Form(f) => {
                if f.prompt.title.is_empty() {
                    &f.introduction.title
                } else {
                    &f.prompt.title
                }
            }
        };
        if title.is_empty() { self.word() } else { title }
    }

    /// The answer that a draft makes, or all that it lacks. `label` writes the instant of a slot for people.
    pub fn answer(&self, draft: &Draft, label: impl Fn(Wall) -> String) -> Result<Picked, Vec<String>> {
        let mut faults = Vec::new();
        let picked = match self {
            Self::Date(date) => Picked::Date(slot(date, draft.first(""), label, &mut faults)),
            Self::List(list) => {
                let chosen = items(list, draft.of(""), "The list", &mut faults);
                if chosen.is_empty() && faults.is_empty() {
                    faults.push("Nothing is chosen: the list wants one item at least.".to_owned());
                }
                Picked::List { text: list.reply.subtitle.clone(), chosen }
            }
            Self::Form(form) => {
                let response = fields(form, draft, &mut faults);
                Picked::Form { text: form.reply.title.clone(), canned: form.canned.clone(), response }
            }
        };
        if faults.is_empty() { Ok(picked) } else { Err(faults) }
    }
}

fn slot(date: &DatePicker, time: &str, label: impl Fn(Wall) -> String, faults: &mut Vec<String>) -> Choice {
    let known = date.slots.iter().find(|s| s.time == time);
    match known {
        _ if date.slots.is_empty() => faults.push("The date picker offers no time at all.".to_owned()),
        None if time.is_empty() => faults.push("No time is chosen.".to_owned()),
        None => faults.push(format!("{time} is not among the {} times that are offered.", date.slots.len())),
        Some(slot) => {
            let text = slot.at.map_or_else(|| slot.time.clone(), label);
            return Choice { text, payload: slot.time.clone() };
        }
    }
    Choice::default()
}

fn items(list: &ListPicker, ids: &[String], name: &str, faults: &mut Vec<String>) -> Vec<Choice> {
    let all = || list.sections.iter().flat_map(|s| s.items.iter());
    for id in ids.iter().filter(|id| !all().any(|i| i.id == **id)) {
        faults.push(format!("{name} does not offer “{id}”."));
    }
    let mut chosen = Vec::new();
    for section in &list.sections {
        let of: Vec<&Item> = section.items.iter().filter(|i| ids.contains(&i.id)).collect();
        if of.len() > 1 && !section.multiple {
            faults.push(format!("“{}” takes one item; {} are chosen.", section.title, of.len()));
        }
        chosen.extend(of.iter().map(|i| Choice { text: i.title.clone(), payload: i.id.clone() }));
    }
    chosen
}

/// Fields in their order. An input that nobody touched is left out; a list or a wheel without a choice is told as empty.
fn fields(form: &FormOffer, draft: &Draft, faults: &mut Vec<String>) -> Vec<(String, Choice)> {
    let all: Vec<&Field> = form.pages.iter().flat_map(|p| p.fields.iter()).collect();
    for unknown in draft.0.keys().filter(|id| !all.iter().any(|f| f.id() == id.as_str())) {
        faults.push(format!("The form has no field “{unknown}”."));
    }
    let mut response = Vec::new();
    for field in all {
        let (id, title, value) = (field.id(), field.title(), draft.first(field.id()));
        let mut put = |text: &str, payload: &str| {
            response.push((id.to_owned(), Choice { text: text.to_owned(), payload: payload.to_owned() }));
        };
        match field {
            Field::Input { required, multiline, .. } => {
                let most = if *multiline { LINES } else { LINE };
                match value.chars().count() {
                    _ if *required && value.trim().is_empty() => faults.push(format!("“{title}” is required.")),
                    0 => {}
                    n if n > most => faults.push(format!("“{title}” has {n} characters; {most} are taken.")),
                    _ => put(value, value),
                }
            }
            Field::Date(date) => match day(date, value) {
                Ok((text, payload)) => put(&text, &payload),
                Err(why) => faults.push(format!("“{title}” {why}")),
            },
            Field::List(list) => match items(list, draft.of(id), &format!("“{title}”"), faults) {
                none if none.is_empty() => put("", ""),
                chosen => chosen.iter().for_each(|c| put(&c.text, &c.payload)),
            },
            Field::Wheel { items, .. } => match items.iter().find(|i| i.id == value) {
                Some(item) => put(&item.title, &item.id),
                None if value.is_empty() => put("", ""),
                None => faults.push(format!("“{title}” does not offer “{value}”.")),
            },
            Field::Other(_) => {}
        }
    }
    response
}

/// A day as people write it here and as the wire has it: midnight in UTC.
fn day(date: &DatePicker, value: &str) -> Result<(String, String), String> {
    if value.is_empty() {
        return Err("is required.".to_owned());
    }
    let day: jiff::civil::Date =
        value.trim().parse().map_err(|_| format!("is no day: write “{value}” as 2026-01-31."))?;
    let midnight = format!("{day}T00:00:00.000Z");
    let of = |at: Wall| at.timestamp().map(|t| t.to_zoned(jiff::tz::TimeZone::UTC).date());
    if let Some(min) = date.min.and_then(of).filter(|min| day < *min) {
        return Err(format!("is before {min}, the first day that is taken."));
    }
    if let Some(max) = date.max.and_then(of).filter(|max| day > *max) {
        return Err(format!("is after {max}, the last day that is taken."));
    }
    let text = match date.format.as_str() {
        "dayMonthYear" => day.strftime("%d/%m/%Y"),
        "yearMonthDay" => day.strftime("%Y/%m/%d"),
        _ => day.strftime("%m/%d/%Y"),
    };
    Ok((text.to_string(), midnight))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, title: &str) -> Item {
        Item { id: id.into(), title: title.into(), ..Item::default() }
    }

    fn list() -> ListPicker {
        ListPicker {
            reply: Prompt { subtitle: "Thanks".into(), ..Prompt::default() },
            sections: vec![
                Section { title: "Colour".into(), multiple: false, items: vec![item("r", "Red"), item("b", "Blue")] },
                Section { title: "Extras".into(), multiple: true, items: vec![item("x", "X"), item("y", "Y")] },
            ],
            ..ListPicker::default()
        }
    }

    fn form() -> FormOffer {
        let input = |id: &str, required| Field::Input {
            id: id.into(),
            title: id.to_uppercase(),
            subtitle: String::new(),
            hint: String::new(),
            required,
            multiline: false,
        };
        let date = DatePicker {
            id: "day".into(),
            min: Wall::parse_rfc3339("2026-01-10T00:00:00Z"),
            max: Wall::parse_rfc3339("2026-01-20T00:00:00Z"),
            format: "dayMonthYear".into(),
            ..DatePicker::default()
        };
        let wheel = Field::Wheel { id: "size".into(), items: vec![item("s", "Small"), item("l", "Large")] };
        let mut list = list();
        list.id = "things".into();
        let fields = vec![input("name", true), input("note", false), Field::Date(date), Field::List(list), wheel];
        FormOffer { canned: "c1".into(), pages: vec![Page { fields, ..Page::default() }], ..FormOffer::default() }
    }

    fn draft(values: &[(&str, &[&str])]) -> Draft {
        Draft(values.iter().map(|(k, v)| ((*k).into(), v.iter().map(|v| (*v).into()).collect())).collect())
    }

    #[test]
    fn a_slot_that_is_not_offered_is_named() {
        let at = Wall::parse_rfc3339("2026-02-01T10:00:00.000Z");
        let slot = Slot { time: "2026-02-01T10:00:00.000Z".into(), at, secs: Some(1800) };
        let date = DatePicker { slots: vec![slot], ..DatePicker::default() };
        let offer = Offer::Date(&date);
        let answer = |time: &str| offer.answer(&draft(&[("", &[time])]), |_| "then".into());
        let good = Choice { text: "then".into(), payload: "2026-02-01T10:00:00.000Z".into() };
        assert_eq!(answer("2026-02-01T10:00:00.000Z"), Ok(Picked::Date(good)));
        assert!(answer("2026-02-01T11:00:00.000Z").unwrap_err()[0].contains("not among the 1 times"));
        assert!(answer("").unwrap_err()[0].contains("No time"));
        let none = DatePicker::default();
        assert!(
            Offer::Date(&none).answer(&Draft::default(), |_| String::new()).unwrap_err()[0].contains("no time at all")
        );
    }

    #[test]
    fn a_list_takes_one_or_many_of_a_section_and_wants_one_at_least() {
        let list = list();
        let offer = Offer::List(&list);
        let mut d = Draft::default();
        assert!(offer.answer(&d, |_| String::new()).unwrap_err()[0].contains("Nothing is chosen"));
        for (section, id) in [(0, "r"), (0, "b"), (1, "y"), (1, "x"), (1, "y")] {
            d.toggle("", &list.sections[section], id);
        }
        let chosen = |text: &str, payload: &str| Choice { text: text.into(), payload: payload.into() };
        let wanted = vec![chosen("Blue", "b"), chosen("X", "x")];
        assert_eq!(offer.answer(&d, |_| String::new()), Ok(Picked::List { text: "Thanks".into(), chosen: wanted }));
        let both = draft(&[("", &["r", "b", "z"])]);
        let faults = offer.answer(&both, |_| String::new()).unwrap_err();
        assert!(faults[0].contains("“z”") && faults[1].contains("“Colour” takes one"), "{faults:?}");
        d.toggle("", &list.sections[0], "b");
        d.toggle("", &list.sections[1], "x");
        assert!(d.is_empty() && d.0.is_empty());
    }

    #[test]
    fn a_form_says_all_that_it_lacks_at_once() {
        let form = form();
        let offer = Offer::Form(&form);
        let faults = offer.answer(&draft(&[("name", &[" "]), ("nobody", &["x"])]), |_| String::new()).unwrap_err();
        assert_eq!(faults.len(), 3, "{faults:?}");
        for (fault, part) in faults.iter().zip(["“nobody”", "“NAME” is required", "“day” is required"]) {
            assert!(fault.contains(part), "{fault}");
        }
        for (day, part) in [("soon", "no day"), ("2026-01-09", "first day"), ("2026-01-21", "last day")] {
            let faults = offer.answer(&draft(&[("name", &["Ada"]), ("day", &[day])]), |_| String::new()).unwrap_err();
            assert!(faults.len() == 1 && faults[0].contains(part), "{faults:?}");
        }
        let long = "x".repeat(31);
        let faults = offer.answer(&draft(&[("name", &[&long]), ("day", &["2026-01-10"])]), |_| String::new());
        assert!(faults.unwrap_err()[0].contains("31 characters; 30"));
    }

    #[test]
    fn a_form_answers_as_the_vendors_page_does() {
        let form = form();
        let d = draft(&[("name", &["Ada"]), ("day", &["2026-01-12"]), ("things", &["x", "y"]), ("size", &["l"])]);
        let Ok(Picked::Form { canned, response, .. }) = Offer::Form(&form).answer(&d, |_| String::new()) else {
            panic!()
        };
        let told: Vec<_> = response.iter().map(|(id, c)| (id.as_str(), c.text.as_str(), c.payload.as_str())).collect();
        // What was left empty: an input is not told, a list and a wheel are.
        let day = ("day", "12/01/2026", "2026-01-12T00:00:00.000Z");
        assert_eq!(
            told,
            [("name", "Ada", "Ada"), day, ("things", "X", "x"), ("things", "Y", "y"), ("size", "Large", "l")]
        );
        assert_eq!(canned, "c1");
        let d = draft(&[("name", &["Ada"]), ("day", &["2026-01-12"])]);
        let Ok(Picked::Form { response, .. }) = Offer::Form(&form).answer(&d, |_| String::new()) else { panic!() };
        assert_eq!(response.len(), 4);
        assert!(response[2..].iter().all(|(_, c)| c.text.is_empty() && c.payload.is_empty()));
    }
}
