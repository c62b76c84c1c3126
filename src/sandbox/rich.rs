//! Pickers and forms: what the partner offers, and what is taken as an answer.
//!
//! No source tells what the platform does with an answer that does not fit; here it is refused with 400, naming the
//! member. Assumed, too: an answer that names no message is held against the newest offer of its kind.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::frame::Way;
use super::guest::No;
use super::ids;
use super::state::State;
use crate::model::{Now, Wall};

const DAY: u64 = 24 * 3600;

/// What the partner offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    Date,
    List,
    Form,
}

impl Offer {
    /// Text and content of the message.
    pub(super) fn message(self, state: &State, now: Now) -> (&'static str, Vec<Value>) {
        let (text, kind, member, value) = match self {
            Self::Date => ("Pick a time.", "DatePicker", "datePicker", dates(state.wall(now))),
            Self::List => ("Choose from the list.", "ListPicker", "listPicker", list(None)),
            Self::Form => ("Please fill in the form.", "Form", "form", form(state.wall(now))),
        };
        (text, vec![json!({ "contentType": kind, member: value })])
    }
}

fn iso(at: Wall) -> String {
    at.timestamp().map_or_else(|| at.rfc3339(), |t| format!("{t:.3}"))
}

/// Midnight in UTC, so many days from now.
fn midnight(now: Wall, days: u64) -> Wall {
    Wall::from_secs(now.as_secs() - now.as_secs().rem_euclid(DAY as i64)) + Duration::from_secs(days * DAY)
}

fn dates(now: Wall) -> Value {
    let slot = |days: u64, minutes: u64| {
        let at = midnight(now, days) + Duration::from_secs(minutes * 60);
        json!({ "dateTime": iso(at), "duration": 1800 })
    };
    // Not in order: the vendor does not promise one.
    let times = [slot(2, 14 * 60), slot(1, 10 * 60), slot(1, 10 * 60 + 30), slot(1, 23 * 60 + 30), slot(3, 9 * 60)];
    json!({
        "title": "A time for the visit",
        "subtitle": "Each takes half an hour.",
        "dateMinimum": iso(midnight(now, 1)),
        "dateMaximum": iso(midnight(now, 4)),
        "availableTimes": times,
    })
}

fn list(id: Option<&str>) -> Value {
    let item = |id: &str, title: &str, subtitle: &str| json!({ "id": id, "title": title, "subtitle": subtitle });
    let mut list = json!({
        "receivedMessage": { "title": "What shall it be?", "subtitle": "One colour, any extras." },
        "replyMessage": { "title": "Your choice", "subtitle": "Here is my choice" },
        "sections": [
            { "title": "Colour", "multipleSelection": false, "items": [
                item("red", "Red", "As a rose"), item("blue", "Blue", "As the sea"), item("green", "Green", "As grass"),
            ] },
            { "title": "Extras", "multipleSelection": true, "items": [
                item("wrap", "Gift wrap", ""), item("card", "A card", ""), item("ribbon", "A ribbon", ""),
            ] },
        ],
    });
    if let Some(id) = id {
        list["id"] = id.into();
    }
    list
}

fn form(now: Wall) -> Value {
    let input = |id: &str, title: &str, required: bool, lines: bool| {
        json!({ "formComponentType": "Input", "input": {
            "id": id, "title": title, "isRequired": required, "isMultipleLine": lines, "placeholderText": title,
            "keyboardType": "Default",
        } })
    };
    json!({
        "cannedResponseId": "5a0d0b0e-0f0f-4a4a-8b8b-000000000001",
        "receivedMessage": { "title": "Tell us about the visit", "subtitle": "It takes a minute." },
        "replyMessage": { "title": "The form is filled in" },
        "introduction": { "title": "Before we come", "subtitle": "Two pages.", "buttonText": "Begin" },
        "showSummary": true,
        "formPages": [
            { "title": "You", "subtitle": "Whom do we visit?", "pageComponents": [
                input("name", "Name", true, false),
                input("note", "Anything to know", false, true),
            ] },
            { "title": "The visit", "subtitle": "When, and for what?", "pageComponents": [
                { "formComponentType": "DatePicker", "datePicker": {
                    "id": "day", "title": "Day", "dateDisplayFormat": "yearMonthDay",
                    "dateMinimum": iso(midnight(now, 1)), "dateMaximum": iso(midnight(now, 30)), "availableTimes": [],
                } },
                { "formComponentType": "ListPicker", "listPicker": list(Some("things")) },
                { "formComponentType": "WheelPicker", "wheelPicker": { "id": "floor", "items": [
                    { "id": "0", "title": "Ground floor" }, { "id": "1", "title": "First floor" },
                ] } },
            ] },
        ],
    })
}

/// Refuses an answer to a picker or a form that does not fit what was offered.
pub(super) fn check(
    state: &State,
    session: u32,
    content: &[Value],
    metadata: Option<&BTreeMap<String, String>>,
) -> Result<(), No> {
    let of = |kind: &str| -> Vec<&Value> {
        content.iter().map(|part| &part["buttonResponse"]).filter(|b| b["type"] == kind).collect()
    };
    let parent = metadata.and_then(|m| m.get("parentMessageId")).map(String::as_str);
    let (date, list) = (of("DatePicker"), of("ListPicker"));
    if !date.is_empty() && !list.is_empty() {
        return Err(No::bad("message.content: answers to two pickers in one message"));
    }
    if let Some(first) = date.first() {
        if date.len() > 1 {
            return Err(No::bad("message.content: a date picker takes one time"));
        }
        let offer = offer(state, session, "DatePicker", "datePicker", named(first, parent)?)?;
        let time = payload(first)?;
        if !members(&offer["availableTimes"]).any(|t| t["dateTime"] == time) {
            return Err(No::bad(format!("message.content.buttonResponse.payload: {time} is not an available time")));
        }
    }
    if let Some(first) = list.first() {
        let offer = offer(state, session, "ListPicker", "listPicker", named(first, parent)?)?;
        let ids = list.iter().map(|b| payload(b)).collect::<Result<Vec<_>, _>>()?;
        check_items(offer, &ids).map_err(|why| No::bad(format!("message.content.buttonResponse.payload: {why}")))?;
    }
    content.iter().filter(|part| part["contentType"] == "Form").try_for_each(|part| {
        check_form(state, session, &part["form"]).map_err(|e| match e {
            Err(no) => no,
            Ok(why) => No::bad(format!("message.content.form.{why}")),
        })
    })
}

fn payload(button: &Value) -> Result<&str, No> {
    button["payload"]
        .as_str()
        .filter(|p| !p.is_empty())
        .ok_or_else(|| No::missing("message.content.buttonResponse.payload"))
}

/// The message that an answer names; two names must be the same.
fn named<'a>(button: &'a Value, parent: Option<&'a str>) -> Result<Option<&'a str>, No> {
    match (button["originatingMessageId"].as_str(), parent) {
        (Some(own), Some(parent)) if own != parent => {
            Err(No::bad("message: originatingMessageId and metadata.parentMessageId name two messages"))
        }
        (own, parent) => Ok(own.or(parent)),
    }
}

fn members(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// What was offered in a message of this id, or in the newest that offers such a thing.
fn offer<'a>(state: &'a State, session: u32, kind: &str, member: &str, id: Option<&str>) -> Result<&'a Value, No> {
    let history = state.sessions.get(&session).into_iter().flat_map(|s| s.history.iter().rev());
    let found = history.filter(|m| m.direction == Way::Outbound && id.is_none_or(|id| m.id == id)).find_map(|m| {
        let part = m.content.as_ref()?.iter().find(|part| part["contentType"] == kind)?;
        part.get(member)
    });
    found.ok_or_else(|| match id {
        Some(id) => No::bad(format!("message: there is no {kind} in a message {}", ids::short(id))),
        None => No::bad(format!("message: no {kind} was offered in this conversation")),
    })
}

fn check_items(list: &Value, ids: &[&str]) -> Result<(), String> {
    if let Some(twice) = ids.iter().enumerate().find(|(n, id)| ids[..*n].contains(id)) {
        return Err(format!("{} is chosen twice", twice.1));
    }
    let known = |id: &&str| members(&list["sections"]).flat_map(|s| members(&s["items"])).any(|i| i["id"] == **id);
    if let Some(unknown) = ids.iter().find(|id| !known(id)) {
        return Err(format!("{unknown} is not in the list"));
    }
    for section in members(&list["sections"]).filter(|s| s["multipleSelection"] != true) {
        if members(&section["items"]).filter(|i| ids.iter().any(|id| i["id"] == **id)).count() > 1 {
            return Err(format!("{} takes one item", section["title"].as_str().unwrap_or_default()));
        }
    }
    Ok(())
}

/// What is wrong with a form: a member below `form`, or something of another kind.
fn check_form(state: &State, session: u32, answer: &Value) -> Result<(), Result<String, No>> {
    let Some(id) = answer["originatingMessageId"].as_str() else {
        return Err(Err(No::missing("message.content.form.originatingMessageId")));
    };
    let form = offer(state, session, "Form", "form", Some(id)).map_err(Err)?;
    if answer["cannedResponseId"] != form["cannedResponseId"] {
        return Err(Ok("cannedResponseId: it is not that of the form".to_owned()));
    }
    if !answer["response"].is_array() {
        return Err(Err(No::missing("message.content.form.response")));
    }
    let mut given: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in members(&answer["response"]) {
        let button = &one["component"]["buttonResponse"];
        let (Some(id), Some(value)) = (one["id"].as_str(), button["payload"].as_str()) else {
            return Err(Ok("response: each needs an id and a component.buttonResponse with a payload".to_owned()));
        };
        if one["component"]["contentType"] != "ButtonResponse" || button["type"] != "Form" {
            return Err(Ok(format!("response: the component of {id} is no ButtonResponse of type Form")));
        }
        given.entry(id).or_default().push(value);
    }
    for component in members(&form["formPages"]).flat_map(|p| members(&p["pageComponents"])) {
        check_component(component, &mut given).map_err(|why| Ok(format!("response: {why}")))?;
    }
    match given.keys().next() {
        Some(unknown) => Err(Ok(format!("response: the form has no component {unknown}"))),
        None => Ok(()),
    }
}

/// Takes the values of one component out, and refuses those that do not fit.
fn check_component(component: &Value, given: &mut BTreeMap<&str, Vec<&str>>) -> Result<(), String> {
    let kind = component["formComponentType"].as_str().unwrap_or_default();
    let mut name = kind.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    let of = &component[name.as_str()];
    let id = of["id"].as_str().unwrap_or_default();
    let mut values = given.remove(id).unwrap_or_default();
    values.retain(|v| !v.trim().is_empty());
    let one = values.first().copied();
    if values.len() > 1 && kind != "ListPicker" {
        return Err(format!("{id} takes one value"));
    }
    match (kind, one) {
        ("Input", None) if of["isRequired"] == true => Err(format!("{id} is required")),
        ("DatePicker", None) => Err(format!("{id} is required")),
        ("DatePicker", Some(day)) => {
            let instant = |v: &Value| v.as_str().and_then(Wall::parse_rfc3339);
            let Some(at) = Wall::parse_rfc3339(day) else { return Err(format!("{id} is no ISO time")) };
            let early = instant(&of["dateMinimum"]).is_some_and(|min| at < min);
            let late = instant(&of["dateMaximum"]).is_some_and(|max| at > max);
            if early || late { Err(format!("{id} is out of range")) } else { Ok(()) }
        }
        ("ListPicker", Some(_)) => check_items(of, &values).map_err(|why| format!("{id}: {why}")),
        ("WheelPicker", Some(value)) if !members(&of["items"]).any(|i| i["id"] == value) => {
            Err(format!("{id}: {value} is not on the wheel"))
        }
        _ => Ok(()),
    }
}

/// What was chosen, in words: kind, texts and payloads. None where nothing of it is an answer.
pub(super) fn chosen(content: &[Value]) -> Option<(String, String, String)> {
    let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let buttons: Vec<&Value> = content.iter().filter_map(|p| p.get("buttonResponse")).collect();
    if let Some(first) = buttons.first() {
        let all = |member: &str| buttons.iter().map(|b| word(&b[member])).collect::<Vec<_>>().join(", ");
        return Some((word(&first["type"]), all("text"), all("payload")));
    }
    let form = content.iter().find(|p| p["contentType"] == "Form")?;
    let value = |r: &Value| {
        let text = word(&r["component"]["buttonResponse"]["text"]);
        (!text.is_empty()).then(|| format!("{} = {text}", word(&r["id"])))
    };
    let texts: Vec<String> = members(&form["form"]["response"]).filter_map(value).collect();
    Some(("Form".to_owned(), texts.join(", "), word(&form["form"]["cannedResponseId"])))
}
