//! How a script answers a picker or a form.

use serde::Deserialize;
use serde::de;
use serde_json::{Map, Value};

use crate::model::Wall;
use crate::model::rich::{Draft, Field, ListPicker, Offer, Picked, Way};

/// `{slot: 2}`, `{choose: [Red]}` or `{fields: {name: Ada, day: +2}}`. Items go by title or id, slots by number in the
/// order of their times or by time, days as `2026-01-31` or so many days from now.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    slot: Option<Value>,
    choose: Vec<String>,
    fields: Map<String, Value>,
    #[serde(rename = "as")]
    way: Way,
    /// The answer must not fit the offer, and this must be said of it.
    pub fails: Option<String>,
}

impl Answer {
    /// Refuses what answers nothing, or more than one thing.
    pub fn check<E: de::Error>(self) -> Result<Self, E> {
        let given = [self.slot.is_some(), !self.choose.is_empty(), !self.fields.is_empty()];
        match given.iter().filter(|g| **g).count() {
            1 => Ok(self),
            _ => Err(E::custom("answer: write one of slot, choose and fields")),
        }
    }

    pub fn way(&self) -> Way {
        self.way
    }

    /// What it answers.
    pub fn kind(&self) -> &'static str {
        match self {
            Self { slot: Some(_), .. } => "date picker",
            Self { choose, .. } if !choose.is_empty() => "list picker",
            _ => "form",
        }
    }

    /// The complete answer, or all that does not fit.
    pub fn to(&self, offer: &Offer<'_>, now: Wall) -> Result<Picked, Vec<String>> {
        let mut draft = Draft::default();
        match offer {
            Offer::Date(date) => {
                let mut times: Vec<_> = date.slots.iter().collect();
                times.sort_by_key(|s| s.at);
                let time = match &self.slot {
                    Some(Value::String(time)) => time.clone(),
                    Some(number) => {
                        let n = number.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
                        let slot = n.checked_sub(1).and_then(|n| times.get(n));
                        slot.map_or_else(|| format!("Slot {number}"), |s| s.time.clone())
                    }
                    None => String::new(),
                };
                draft.set("", time);
            }
            Offer::List(list) => drop(draft.0.insert(String::new(), ids(list, self.choose.iter().cloned()))),
            Offer::Form(form) => {
                let known: Vec<&Field> = form.pages.iter().flat_map(|p| p.fields.iter()).collect();
                for (name, value) in &self.fields {
                    let field = known.iter().find(|f| f.id() == name);
                    draft.0.insert(name.clone(), values(field.copied(), value, now));
                }
            }
        }
        let label = |at: Wall| at.timestamp().map(|t| t.strftime("%A, %-d %B %Y, %H:%M UTC").to_string());
        offer.answer(&draft, |at| label(at).unwrap_or_else(|| at.rfc3339()))
    }
}

fn ids(list: &ListPicker, names: impl Iterator<Item = String>) -> Vec<String> {
    let items = || list.sections.iter().flat_map(|s| s.items.iter());
    let id = |name: String| match items().find(|i| i.id == name || i.title == name) {
        Some(item) => item.id.clone(),
        None => name,
    };
    names.map(id).collect()
}

fn values(field: Option<&Field>, value: &Value, now: Wall) -> Vec<String> {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let all: Vec<String> = match value {
        Value::Array(all) => all.iter().map(text).collect(),
        one => vec![text(one)],
    };
    match field {
        Some(Field::List(list)) => ids(list, all.into_iter()),
        Some(Field::Wheel { items, .. }) => {
            let id = |name: String| {
                items.iter().find(|i| i.id == name || i.title == name).map(|i| i.id.clone()).unwrap_or(name)
            };
            all.into_iter().map(id).collect()
        }
        // YAML reads +2 as a number.
        Some(Field::Date(_)) if value.is_i64() => {
            all.into_iter().filter_map(|n| from_now(&format!("+{n}"), now)).collect()
        }
        Some(Field::Date(_)) => all.into_iter().map(|day| from_now(&day, now).unwrap_or(day)).collect(),
        _ => all,
    }
}

/// `+2`: the day after tomorrow, in UTC.
fn from_now(day: &str, now: Wall) -> Option<String> {
    let days: i64 = day.strip_prefix('+')?.parse().ok()?;
    let at = Wall::from_secs(now.as_secs().checked_add(days.checked_mul(86_400)?)?);
    at.timestamp().map(|t| t.strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::rich::{Choice, DatePicker, FormOffer, Page, Slot};

    fn read(text: &str) -> Result<Answer, String> {
        let answer: Answer = serde_json::from_str(text).map_err(|e| e.to_string())?;
        answer.check::<serde_json::Error>().map_err(|e| e.to_string())
    }

    #[test]
    fn an_answer_is_to_one_thing() {
        for text in [
            "{}",
            r#"{"as":"sdk"}"#,
            r#"{"slot":1,"choose":["x"]}"#,
            r#"{"slot":1,"when":2}"#,
            r#"{"slot":1,"as":"x"}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read(r#"{"slot":1,"as":"sdk"}"#).unwrap().way(), Way::Sdk);
        assert_eq!(read(r#"{"fields":{"a":1}}"#).unwrap().kind(), "form");
    }

    #[test]
    fn slots_go_by_the_order_of_their_times_and_days_by_their_distance() {
        let slot = |time: &str| Slot { time: time.into(), at: Wall::parse_rfc3339(time), secs: None };
        let date = DatePicker {
            slots: vec![slot("2026-02-02T10:00:00Z"), slot("2026-02-01T10:00:00Z")],
            ..DatePicker::default()
        };
        let offer = Offer::Date(&date);
        let now = Wall::parse_rfc3339("2026-01-30T12:00:00Z").unwrap();
        let Ok(Picked::Date(Choice { payload, text })) = read(r#"{"slot":1}"#).unwrap().to(&offer, now) else {
            panic!()
        };
        assert_eq!((payload.as_str(), text.as_str()), ("2026-02-01T10:00:00Z", "Sunday, 1 February 2026, 10:00 UTC"));
        for text in [r#"{"slot":0}"#, r#"{"slot":3}"#, r#"{"slot":"2026-02-03T10:00:00Z"}"#] {
            assert!(read(text).unwrap().to(&offer, now).unwrap_err()[0].contains("not among the 2"), "{text}");
        }
        let day = Field::Date(DatePicker { id: "day".into(), ..DatePicker::default() });
        let form = FormOffer { pages: vec![Page { fields: vec![day], ..Page::default() }], ..FormOffer::default() };
        let Ok(Picked::Form { response, .. }) =
            read(r#"{"fields":{"day":"+2"}}"#).unwrap().to(&Offer::Form(&form), now)
        else {
            panic!()
        };
        assert_eq!(response[0].1.payload, "2026-02-01T00:00:00.000Z");
    }
}
