//! Pickers and forms: what is offered, and which answers are taken.

use serde_json::{Value, json};
use sessionscope::sandbox::Options;

use super::client::{Guest, Rig};

/// With a partner that answers, and no limit to what is said.
async fn rig() -> Rig {
    let rig = Rig::with(Options::default()).await;
    rig.order(json!({ "do": "set_limits", "messages_per_second": 1000, "requests_per_minute": 1000 }));
    rig
}

/// Says a word and gives the id of the message that offers something, and what it offers.
async fn offered(guest: &mut Guest, word: &str) -> (String, Value) {
    guest.say(word, word).await;
    loop {
        let frame = guest.next().await;
        let body = &frame["body"];
        if body["direction"] == "Outbound" && body["content"].as_array().is_some_and(|c| !c.is_empty()) {
            return (body["id"].as_str().unwrap().to_owned(), body["content"][0].clone());
        }
    }
}

/// Sends an answer; its code, and its text or the echo's text.
async fn answer(guest: &mut Guest, message: Value) -> (u16, Value) {
    guest.act("onMessage", "answer", json!({ "message": message })).await;
    loop {
        let frame = guest.next().await;
        if frame["tracingId"] == "answer" {
            return (frame["code"].as_u64().unwrap() as u16, frame["body"].clone());
        }
    }
}

fn button(kind: &str, payload: &str, to: Option<&str>) -> Value {
    let mut button = json!({ "type": kind, "text": "T", "payload": payload });
    if let Some(to) = to {
        button["originatingMessageId"] = to.into();
    }
    json!({ "contentType": "ButtonResponse", "buttonResponse": button })
}

fn structured(content: Value, parent: Option<&str>) -> Value {
    let mut message = json!({ "type": "Structured", "content": content });
    if let Some(parent) = parent {
        message["metadata"] = json!({ "parentMessageId": parent });
    }
    message
}

async fn refused(guest: &mut Guest, message: Value, part: &str) {
    let (code, body) = answer(guest, message.clone()).await;
    assert!(code == 400 && body.as_str().unwrap().contains(part), "{message}: {code} {body}");
}

#[tokio::test]
async fn a_date_picker_takes_one_of_its_times() {
    let rig = rig().await;
    let mut guest = rig.configured().await;
    refused(&mut guest, structured(json!([button("DatePicker", "x", None)]), None), "no DatePicker was offered").await;
    let (id, content) = offered(&mut guest, "date").await;
    let times = content["datePicker"]["availableTimes"].as_array().unwrap();
    let time = times[0]["dateTime"].as_str().unwrap();
    assert!(times.len() > 3 && times.iter().all(|t| t["duration"] == 1800));
    let date = |payload: &str, to| json!([button("DatePicker", payload, to)]);
    refused(&mut guest, structured(date("2020-01-01T10:00:00.000Z", None), Some(&id)), "not an available time").await;
    refused(&mut guest, structured(date(time, None), Some("0")), "no DatePicker in a message 0").await;
    refused(&mut guest, structured(date(time, Some("0")), Some(&id)), "two messages").await;
    let two = json!([button("DatePicker", time, None), button("DatePicker", time, None)]);
    refused(&mut guest, structured(two, Some(&id)), "one time").await;
    let mixed = json!([button("DatePicker", time, None), button("ListPicker", "red", None)]);
    refused(&mut guest, structured(mixed, Some(&id)), "two pickers").await;
    // Both ways of the vendor's clients, and one that names no message.
    for message in [
        structured(date(time, None), Some(&id)),
        structured(date(time, Some(&id)), None),
        structured(date(time, None), None),
    ] {
        let (code, body) = answer(&mut guest, message.clone()).await;
        assert_eq!((code, &body["content"]), (200, &message["content"]));
        assert_eq!(body["metadata"]["parentMessageId"], message["metadata"]["parentMessageId"]);
    }
}

#[tokio::test]
async fn a_list_picker_takes_its_items_as_its_sections_allow() {
    let rig = rig().await;
    let mut guest = rig.configured().await;
    let (id, _) = offered(&mut guest, "list").await;
    let list = |ids: &[&str]| {
        let content: Vec<Value> = ids.iter().map(|i| button("ListPicker", i, Some(&id))).collect();
        structured(json!(content), Some(&id))
    };
    refused(&mut guest, list(&["red", "blue"]), "takes one item").await;
    refused(&mut guest, list(&["red", "card", "card"]), "twice").await;
    refused(&mut guest, list(&["purple"]), "not in the list").await;
    assert_eq!(answer(&mut guest, list(&[""])).await.0, 4020);
    assert_eq!(answer(&mut guest, list(&["red", "card", "wrap"])).await.0, 200);
}

#[tokio::test]
async fn a_form_is_taken_when_it_is_whole() {
    let rig = rig().await;
    let mut guest = rig.configured().await;
    let (id, content) = offered(&mut guest, "form").await;
    let canned = content["form"]["cannedResponseId"].as_str().unwrap().to_owned();
    let value = |id: &str, payload: &str| {
        json!({ "id": id, "component": { "contentType": "ButtonResponse",
            "buttonResponse": { "type": "Form", "text": payload, "payload": payload } } })
    };
    let form = |response: Vec<Value>| {
        structured(
            json!([{ "contentType": "Form", "form": {
                "originatingMessageId": id, "cannedResponseId": canned, "response": response } }]),
            None,
        )
    };
    // The sandbox's day is 2026-01-06.
    let (name, day) = (value("name", "Ada"), value("day", "2026-01-08T00:00:00.000Z"));
    for (response, part) in [
        (vec![day.clone()], "name is required"),
        (vec![value("name", "  "), day.clone()], "name is required"),
        (vec![name.clone()], "day is required"),
        (vec![name.clone(), value("day", "tomorrow")], "no ISO time"),
        (vec![name.clone(), value("day", "2026-03-08T00:00:00.000Z")], "out of range"),
        (vec![name.clone(), day.clone(), value("floor", "9")], "not on the wheel"),
        (vec![name.clone(), day.clone(), value("things", "purple")], "not in the list"),
        (vec![name.clone(), day.clone(), value("shoe", "42")], "no component shoe"),
        (vec![name.clone(), name.clone(), day.clone()], "one value"),
        (vec![json!({ "id": "name" })], "component.buttonResponse"),
    ] {
        refused(&mut guest, form(response), part).await;
    }
    let mut other = form(vec![name.clone(), day.clone()]);
    other["content"][0]["form"]["cannedResponseId"] = "x".into();
    refused(&mut guest, other, "cannedResponseId").await;
    let mut nameless = form(vec![name.clone(), day.clone()]);
    nameless["content"][0]["form"].as_object_mut().unwrap().remove("originatingMessageId");
    let (code, body) = answer(&mut guest, nameless).await;
    assert!(code == 4020 && body.as_str().unwrap().contains("originatingMessageId"), "{code} {body}");
    let whole = vec![name, day, value("things", "green"), value("things", "wrap"), value("floor", "")];
    assert_eq!(answer(&mut guest, form(whole)).await.0, 200);
}
