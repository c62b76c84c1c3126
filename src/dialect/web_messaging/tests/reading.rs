//! From records to happenings and lines.

use serde_json::json;

use super::fixture::record;
use super::*;
use crate::dialect::{line, read};
use crate::model::fact::{Expiry, ExpiryEvent};
use crate::model::happening::{AttachmentState, Card, CardAction, Part, Presence, Side, Source};
use crate::model::record::{HttpRequest, HttpResponse};
use crate::model::{DialectId, Direction, Draft, Flags, Happening, Kind, Message, SessionId};

fn told(direction: Direction, frame: Value) -> Vec<Happening> {
    let mut out = Vec::new();
    read(DialectId::WebMessaging, &record(Kind::Text, direction, 0, &frame.to_string()), &mut out);
    out
}

fn said(h: &[Happening]) -> &Message {
    match h {
        [Happening::Said(m)] => m,
        other => panic!("{other:?}"),
    }
}

fn push(body: Value) -> Value {
    json!({"type":"message","class":"StructuredMessage","code":200,"body":body})
}

#[test]
fn a_sent_text_and_its_echo_share_the_tracing_id() {
    let out = told(
        Direction::Sent,
        json!({"action":"onMessage","token":"[session-token#1]","tracingId":"t","channel":{"metadata":{"customAttributes":{"b":"2"}}},
            "message":{"type":"Text","text":"Hi","channel":{"metadata":{"customAttributes":{"a":"1"}}}}}),
    );
    let m = said(&out);
    assert_eq!(
        (m.source, m.side, m.key.as_str(), m.tracing.as_deref()),
        (Source::Outgoing, Side::Guest, "", Some("t"))
    );
    assert_eq!(m.attributes, [("a".into(), "1".into()), ("b".into(), "2".into())]);
    let mut frame = push(json!({"id":"i","type":"Text","text":"Hi","direction":"Inbound",
        "channel":{"messageId":"k","time":"2026-01-06T13:26:15.174Z"}}));
    frame["tracingId"] = json!("t");
    let out = told(Direction::Received, frame);
    let m = said(&out);
    assert_eq!(
        (m.source, m.side, m.key.as_str(), m.also.as_slice()),
        (Source::Live, Side::Guest, "k", &["i".to_owned()][..])
    );
    assert_eq!(m.at, Wall::parse_rfc3339("2026-01-06T13:26:15.174Z"));
}

#[test]
fn sides_and_names_are_told_apart() {
    for (entity, from, side, name) in [
        (json!("Human"), json!({"nickname":"Sam"}), Side::Agent, Some("Sam")),
        (json!("Bot"), json!({"firstName":"A","lastName":"B"}), Side::Bot, Some("A B")),
        (json!(null), json!({}), Side::Agent, None),
    ] {
        let out = told(
            Direction::Received,
            push(json!({"id":"i","type":"Text","text":"x","direction":"Outbound",
            "originatingEntity":entity,"channel":{"from":from}})),
        );
        assert_eq!((said(&out).side, said(&out).from.as_deref()), (side, name));
    }
}

#[test]
fn rich_content_is_read_piece_by_piece() {
    let content = json!([
        {"contentType":"QuickReply","quickReply":{"text":"Yes","payload":"y"}},
        {"contentType":"ButtonResponse","buttonResponse":{"type":"QuickReply","text":"Yes","payload":"y"}},
        {"contentType":"Carousel","carousel":{"cards":[{"title":"A","description":"B","image":"i","actions":[
            {"type":"Link","text":"l","url":"u"},{"type":"Postback","text":"p","payload":"q"}]}]}},
        {"contentType":"Attachment","attachment":{"id":"b","filename":"f","fileSize":3,"mime":"m","mediaType":"Image","url":"w"}},
        {"contentType":"DatePicker","datePicker":{"title":"Slots"}},
        {"contentType":"Hologram","hologram":[1]},
        {"contentType":"Card","card":7},
        "bare",
    ]);
    let out =
        told(Direction::Received, push(json!({"id":"i","type":"Structured","direction":"Outbound","content":content})));
    let parts = &said(&out).parts;
    assert_eq!(parts[0], Part::QuickReply { text: "Yes".into(), payload: "y".into(), image: None });
    assert_eq!(parts[1], Part::Answer { kind: "QuickReply".into(), text: "Yes".into(), payload: "y".into() });
    let card = Card {
        title: "A".into(),
        description: "B".into(),
        image: Some("i".into()),
        actions: vec![
            CardAction::Link { text: "l".into(), url: "u".into() },
            CardAction::Postback { text: "p".into(), payload: "q".into() },
        ],
        ..Card::default()
    };
    assert_eq!(parts[2], Part::Carousel(vec![card]));
    assert!(matches!(&parts[3], Part::Attachment(a) if a.id == "b" && a.size == Some(3) && a.name == "f"));
    for (n, kind, whole) in [(5, "Hologram", &content[5]), (6, "Card", &content[6]), (7, "", &content[7])] {
        assert_eq!(parts[n], Part::Other { kind: kind.into(), json: whole.clone() });
    }
}

#[test]
fn pickers_and_forms_are_offers() {
    let content = json!([
        {"contentType":"DatePicker","datePicker":{"title":"Slots","subtitle":"s","imageUrl":"i",
            "dateMinimum":"2026-02-01T00:00:00.000Z","dateMaximum":"soon",
            "availableTimes":[{"dateTime":"2026-02-01T10:00:00.000Z","duration":1800},{"dateTime":"odd"}]}},
        {"contentType":"ListPicker","listPicker":{"id":"l","receivedMessage":{"title":"Choose","header":"h"},
            "replyMessage":{"subtitle":"Chosen"},
            "sections":[{"title":"A","multipleSelection":true,"items":[{"id":"1","title":"One","subtitle":"x"}]}]}},
        {"contentType":"Form","form":{"cannedResponseId":"c","introduction":{"title":"Hi","buttonText":"Go"},
            "showSummary":true,"formPages":[{"title":"P","subtitle":"","pageComponents":[
                {"formComponentType":"Input","input":{"id":"n","title":"Name","isRequired":true,"isMultipleLine":false,
                    "keyboardType":"Email","autoCompleteType":"Name"}},
                {"formComponentType":"WheelPicker","wheelPicker":{"id":"w","items":[{"id":"1","title":"One","value":1}]}},
                {"formComponentType":"Slider"}]}]}},
        {"contentType":"ListPicker","listPicker":{"sections":"none"}},
    ]);
    let frame = push(json!({"id":"i","type":"Structured","direction":"Outbound","content":content}));
    // The last one is broken, and the rest is not odd.
    let mut p = Play::ready();
    p.arrives(frame.clone());
    assert!(p.seen.flags.has(Flags::MALFORMED) && !p.seen.flags.has(Flags::UNKNOWN));
    let out = told(Direction::Received, frame);
    let parts = &said(&out).parts;
    let Part::Date(date) = &parts[0] else { panic!("{parts:?}") };
    assert_eq!((date.slots.len(), date.slots[0].secs, date.slots[1].at), (2, Some(1800), None));
    assert!(date.min.is_some() && date.max.is_none());
    let Part::List(list) = &parts[1] else { panic!("{parts:?}") };
    assert_eq!((list.prompt.title.as_str(), list.reply.subtitle.as_str()), ("Choose", "Chosen"));
    assert!(list.sections[0].multiple && list.sections[0].items[0].title == "One");
    let Part::Form(form) = &parts[2] else { panic!("{parts:?}") };
    let titles: Vec<_> = form.pages[0].fields.iter().map(|f| (f.title(), f.is_required())).collect();
    assert_eq!(titles, [("Name", true), ("w", false), ("Slider", false)]);
    assert!(matches!(&parts[3], Part::Other { kind, .. } if kind == "ListPicker"));
}

#[test]
fn an_answer_to_a_picker_names_what_it_answers() {
    let button = |kind: &str, payload: &str, to: Option<&str>| {
        let mut b = json!({"type":kind,"text":payload.to_uppercase(),"payload":payload});
        if let Some(to) = to {
            b["originatingMessageId"] = to.into();
        }
        json!({"contentType":"ButtonResponse","buttonResponse":b})
    };
    let chosen = |content, parent: Option<&str>| {
        let metadata = parent.map(|p| json!({"parentMessageId":p,"authenticated":"true"})).unwrap_or(json!({}));
        let body = json!({"id":"i","type":"Structured","direction":"Inbound","content":content,"metadata":metadata});
        let out = told(Direction::Received, push(body));
        assert_eq!(said(&out).authenticated, parent.is_some());
        match &said(&out).parts[..] {
            [Part::Chosen(c)] => c.clone(),
            other => panic!("{other:?}"),
        }
    };
    let web = chosen(json!([button("DatePicker", "t", None)]), Some("m1"));
    assert_eq!((web.kind.as_str(), web.to.as_deref(), web.choices.len()), ("DatePicker", Some("m1"), 1));
    let sdk = chosen(json!([button("DatePicker", "t", Some("m2"))]), None);
    assert_eq!(sdk.to.as_deref(), Some("m2"));
    let list =
        chosen(json!([button("ListPicker", "a", Some("m3")), button("ListPicker", "b", Some("m3"))]), Some("m3"));
    assert_eq!(list.choices.iter().map(|(_, c)| c.payload.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let response = json!([{"id":"n","component":{"contentType":"ButtonResponse",
        "buttonResponse":{"type":"Form","text":"Ada","payload":"Ada"}}}]);
    let form =
        json!([{"contentType":"Form","form":{"originatingMessageId":"m4","cannedResponseId":"c","response":response}}]);
    let form = chosen(form, None);
    assert_eq!((form.kind.as_str(), form.to.as_deref()), ("Form", Some("m4")));
    assert_eq!((form.choices[0].0.as_str(), form.choices[0].1.text.as_str()), ("n", "Ada"));
}

#[test]
fn content_that_is_too_deep_or_no_list_is_kept_as_it_stands() {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let text = format!(
        r#"{{"type":"message","class":"StructuredMessage","code":200,"body":{{"id":"i","type":"Text","text":"x","direction":"Outbound","content":[{{"contentType":"Deep","deep":{deep}}}]}}}}"#
    );
    let mut out = Vec::new();
    read(DialectId::WebMessaging, &record(Kind::Text, Direction::Received, 0, &text), &mut out);
    assert!(
        matches!(&said(&out).parts[..], [Part::Other { kind, json: Value::String(s) }] if kind == "Deep" && s.contains("[[["))
    );
    let out = told(Direction::Received, push(json!({"id":"i","type":"Text","direction":"Outbound","content":{"a":1}})));
    assert_eq!(said(&out).parts, [Part::Other { kind: "content".into(), json: json!({"a":1}) }]);
}

#[test]
fn events_are_told_once_each() {
    let event = |events, metadata| {
        push(json!({"id":"e","type":"Event","direction":"Outbound","events":events,"metadata":metadata}))
    };
    let out = told(Direction::Received, event(json!([{"eventType":"Typing","typing":{"type":"On"}}]), json!({})));
    assert_eq!(out, [Happening::Typing { side: Side::Agent, millis: 5000 }]);
    for (kind, metadata, what) in [
        ("Disconnect", json!({"readOnly":"true"}), Presence::Disconnected { read_only: Some(true) }),
        ("Disconnect", json!({}), Presence::Disconnected { read_only: None }),
        ("Join", json!({}), Presence::Joined),
        ("Teleport", json!({}), Presence::Other("Teleport".into())),
    ] {
        let out =
            told(Direction::Received, event(json!([{"eventType":"Presence","presence":{"type":kind}}]), metadata));
        let wanted = Happening::Presence { side: Side::Agent, what, key: Some("e".into()), at: None, tracing: None };
        assert_eq!(out, [wanted]);
    }
    let out = told(
        Direction::Sent,
        json!({"action":"onMessage","tracingId":"t","message":{"type":"Event",
        "events":[{"eventType":"Presence","presence":{"type":"Clear"}}]}}),
    );
    assert!(matches!(&out[..], [Happening::Presence { side: Side::Guest, what: Presence::ClearAsked, key: None, .. }]));
}

#[test]
fn health_checks_and_receipts_are_no_messages() {
    let reply = |kind: &str, tracing: &str| {
        json!({"type":kind,"class":"StructuredMessage","code":200,"tracingId":tracing,
        "body":{"id":"echo_id","type":"Text","text":"ping","direction":"Inbound"}})
    };
    assert_eq!(told(Direction::Received, reply("response", "by hand")), []);
    assert_eq!(told(Direction::Received, reply("message", super::super::wire::ECHO_TRACING)), []);
    // A guest may well say "ping".
    assert_eq!(told(Direction::Received, reply("message", "m1")).len(), 1);
    let receipt = push(json!({"id":"r","type":"Receipt","status":"Delivered","direction":"Outbound"}));
    assert_eq!(told(Direction::Received, receipt), []);
}

#[test]
fn a_file_alone_is_a_message() {
    let out = told(
        Direction::Sent,
        json!({"action":"onMessage","tracingId":"t","message":{
        "content":[{"contentType":"Attachment","attachment":{"id":"b1"}}]}}),
    );
    assert!(matches!(&said(&out).parts[..], [Part::Attachment(a)] if a.id == "b1"));
    let out = told(Direction::Received, push(json!({"id":"i","type":"Text","direction":"Inbound"})));
    assert_eq!(said(&out).text, None);
}

#[test]
fn uploads_refusals_and_clearing_are_told() {
    let states: Vec<_> = super::fixture::frames()
        .flat_map(|(from, frame)| told(if from == "client" { Direction::Sent } else { Direction::Received }, frame))
        .collect();
    let attachments: Vec<_> = states
        .iter()
        .filter_map(|h| if let Happening::Attachment { id, state } = h { Some((id.as_str(), state)) } else { None })
        .collect();
    assert!(attachments.iter().all(|(id, _)| *id == "b1"));
    let failed = AttachmentState::Failed { code: 4003, text: "File content is invalid".into() };
    for state in [
        AttachmentState::Asked { name: "foo.png".into(), size: 4242 },
        AttachmentState::Granted,
        AttachmentState::LinkRefreshed,
        AttachmentState::Uploaded,
        AttachmentState::Deleted,
        failed,
    ] {
        assert!(attachments.contains(&("b1", &state)), "{state:?}");
    }
    assert!(states.contains(&Happening::Cleared));
    let refused = |code, tracing: &str| {
        states.iter().any(|h| matches!(h, Happening::Refused { tracing: t, code: c, .. } if *c == code && t == tracing))
    };
    assert!(refused(4011, "a3") && refused(429, "a3") && refused(403, "a7") && !refused(4001, "a9"));
}

#[test]
fn history_is_told_oldest_first_whatever_the_call_was_for() {
    let page = json!({"pageNumber":1,"entities":[
        {"id":"3","type":"Event","direction":"Outbound","events":[{"eventType":"Presence","presence":{"type":"Disconnect"}}]},
        {"id":"2","type":"Text","text":"b","direction":"Outbound","status":"Sent","originatingEntity":"Bot"},
        {"id":"1","type":"Text","text":"a","direction":"Inbound","metadata":{"customMessageId":"m1"}},
        {"id":"0","type":"Event","direction":"Inbound","events":[{"eventType":"Typing","typing":{"type":"On"}}]},
    ]});
    let mut out = Vec::new();
    read(DialectId::WebMessaging, &record(Kind::HttpResponse, Direction::Received, 200, &page.to_string()), &mut out);
    let [Happening::Said(a), Happening::Said(b), Happening::Presence { .. }, Happening::HistoryRead { messages: 4 }] =
        &out[..]
    else {
        panic!("{out:?}");
    };
    assert_eq!((a.key.as_str(), a.source, a.tracing.as_deref(), b.side), ("1", Source::History, Some("m1"), Side::Bot));
    for other in ["{}", "[]", r#"{"entities":[]}"#, "no", r#"{"pageNumber":1}"#] {
        out.clear();
        read(DialectId::WebMessaging, &record(Kind::HttpResponse, Direction::Received, 200, other), &mut out);
        assert_eq!(out, []);
    }
}

#[test]
fn every_kind_of_record_has_a_line() {
    let told = |draft: Draft| {
        let l = line(&Record { seq: 1, draft });
        (l.name, l.text)
    };
    use crate::model::Record;
    let draft = |kind, direction| Draft::new(Now::default(), SessionId(1), kind, direction);
    let owned = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    for kind in Kind::ALL {
        for direction in [Direction::Local, Direction::Sent, Direction::Received] {
            let (name, _) = told(draft(kind, direction));
            assert!(!name.is_empty(), "{kind:?}");
        }
    }
    let request = HttpRequest {
        method: "GET".into(),
        url: "https://api.example/api/v2/x?pageNumber=1".into(),
        purpose: "history".into(),
        ..HttpRequest::default()
    };
    let response = HttpResponse {
        status: 200,
        reason: "OK".into(),
        wait_us: 80_000,
        receive_us: 4_900,
        ..HttpResponse::default()
    };
    assert_eq!(
        told(draft(Kind::HttpRequest, Direction::Sent).head(&request)),
        owned("GET /api/v2/x?pageNumber=1", "history")
    );
    assert_eq!(told(draft(Kind::HttpResponse, Direction::Received).head(&response)), owned("200 OK", "84 ms"));
    assert_eq!(told(draft(Kind::Close, Direction::Received).code(1001).body("bye")), owned("close", "1001 bye"));
    assert_eq!(told(draft(Kind::Text, Direction::Received).body("not\njson")), owned("text", "not json"));
    let fact = Fact::Expiry(Expiry {
        id: "guest-jwt".into(),
        title: "guest JWT".into(),
        event: ExpiryEvent::Refreshed,
        by: "server".into(),
        from: Wall::default(),
        until: Some(Wall::from_secs(START)),
        margin_secs: 5,
        breaks: String::new(),
        assumed: true,
        token: None,
        scope: None,
        claims: None,
        can: Vec::new(),
    });
    let fact = Draft::fact(Now::default(), SessionId(1), &fact);
    assert_eq!(told(fact), owned("guest JWT", "refreshed by server until 2026-01-06 13:25:00Z (assumed)"));
    let gist = |direction, frame: Value| told(draft(Kind::Text, direction).body(frame.to_string())).1;
    assert_eq!(gist(Direction::Sent, json!({"action":"onMessage","message":{"type":"Text","text":"Hi"}})), "Hi");
    let quick = json!([{"contentType":"QuickReply","quickReply":{"text":"Yes","payload":"y"}}]);
    let bot = json!({"id":"1","text":"So?","direction":"Outbound","originatingEntity":"Bot","content":quick});
    assert_eq!(gist(Direction::Received, push(bot)), "bot: So? [QuickReply Yes]");
    let refused = json!({"type":"response","class":"string","code":4011,"body":"too long"});
    assert_eq!(gist(Direction::Received, refused), "4011 too long");
    let beginning = r#"{"type":"message","class":"StructuredMessage","code":200,"body":{"text":"xxx"#;
    let mut cut = draft(Kind::Text, Direction::Received).body(beginning);
    cut.size = 600;
    assert_eq!(told(cut).0, "StructuredMessage", "a payload of which the beginning was read");
    let long = gist(Direction::Received, push(json!({"text":"x".repeat(500),"direction":"Inbound"})));
    assert!(long.chars().count() < 200 && long.ends_with('…'));
}
