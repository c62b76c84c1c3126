//! What the guest says, and what becomes of it.

use serde_json::json;

use super::*;
use crate::dialect::Button;
use crate::model::rich::{Choice, Picked, Way};
use crate::model::{Flags, SecretKind};

#[test]
fn a_text_is_sent_and_its_echo_delivers_it() {
    let mut p = Play::ready();
    p.say("m1", "Hello").does(&[r#"send onMessage {"message":{"text":"Hello","type":"Text"}}"#, "m1 sent"]);
    p.echo("m1", "k1", "Hello").does(&["m1 delivered"]);
    assert_eq!((p.seen.flags, p.seen.code), (Flags::STORY, 200));
    // On a socket, nothing comes twice; should it, it says nothing new.
    p.echo("m1", "k1", "Hello").does(&[]);
}

#[test]
fn messages_carry_their_key_in_the_metadata_too_so_that_history_has_it() {
    let mut p = Play::ready();
    p.say("m1", "Hello");
    let key = p.actions.iter().find_map(|a| match a {
        Action::Text { text, .. } => {
            serde_json::from_str::<Value>(text).ok()?["message"]["metadata"].get("customMessageId").cloned()
        }
        _ => None,
    });
    assert_eq!(key, Some(json!("m1")));
}

#[test]
fn an_older_client_s_key_in_the_metadata_delivers_as_well() {
    let mut p = Play::ready();
    p.say("m1", "Hello").done();
    p.arrives(
        json!({"type":"message","class":"StructuredMessage","code":200,"body":{"id":"x","type":"Text","text":"Hello",
        "direction":"Inbound","metadata":{"customMessageId":"m1"}}}),
    );
    p.does(&["m1 delivered"]);
}

#[test]
fn custom_attributes_go_where_the_environment_says() {
    let wish = || Wish::Text {
        tracing: "m1".into(),
        text: "Hi".into(),
        attributes: vec![("plan".into(), "gold".into())],
        attachments: Vec::new(),
    };
    let channel = r#""channel":{"metadata":{"customAttributes":{"plan":"gold"}}}"#;
    let inside = format!(r#"send onMessage {{"message":{{{channel},"text":"Hi","type":"Text"}}}}"#);
    Play::ready().wish(wish()).does(&[&inside, "m1 sent"]);
    let top = format!(r#"send onMessage {{{channel},"message":{{"text":"Hi","type":"Text"}}}}"#);
    Play::ready_with(|e| e.attributes_at_top = true).wish(wish()).does(&[&top, "m1 sent"]);
}

#[test]
fn files_go_with_a_text_or_alone() {
    let wish = |text: &str| Wish::Text {
        tracing: "m1".into(),
        text: text.into(),
        attributes: Vec::new(),
        attachments: vec!["b1".into()],
    };
    let content = r#""content":[{"attachment":{"id":"b1"},"contentType":"Attachment"}]"#;
    let both = format!(r#"send onMessage {{"message":{{{content},"text":"See","type":"Text"}}}}"#);
    Play::ready().wish(wish("See")).does(&[&both, "m1 sent"]);
    let alone = format!(r#"send onMessage {{"message":{{{content}}}}}"#);
    Play::ready().wish(wish("")).does(&[&alone, "m1 sent"]);
}

#[test]
fn buttons_are_pressed_in_all_three_forms() {
    let press = |button| {
        let mut p = Play::ready();
        p.wish(Wish::Answer { tracing: "m1".into(), button, text: "Yes".into(), payload: "y".into() });
        p.done().remove(0)
    };
    let form = |kind: &str, text: &str, pressed: &str| {
        format!(
            r#"send onMessage {{"message":{{"content":[{{"buttonResponse":{{"payload":"y","text":"Yes","type":"{pressed}"}},"contentType":"ButtonResponse"}}],"text":"{text}","type":"{kind}"}}}}"#
        )
    };
    assert_eq!(press(Button::QuickReply), form("Structured", "Yes", "QuickReply"));
    assert_eq!(press(Button::QuickReplyAsText), form("Text", "", "QuickReply"));
    assert_eq!(press(Button::Postback), form("Structured", "Yes", "Button"));
}

#[test]
fn pickers_and_forms_are_answered_as_the_vendors_clients_do() {
    let choice = |text: &str, payload: &str| Choice { text: text.into(), payload: payload.into() };
    let sent = |way, picked| {
        let mut p = Play::ready();
        p.wish(Wish::Pick { tracing: "m1".into(), to: "o1".into(), way, picked: Box::new(picked) });
        let text = p.actions.iter().find_map(|a| match a {
            Action::Text { text, .. } => Some(serde_json::from_str::<Value>(text).unwrap()["message"].clone()),
            _ => None,
        });
        p.did("m1 sent");
        text.unwrap()
    };
    let button = |kind: &str, text: &str, payload: &str, named: bool| {
        let mut b = json!({"type":kind,"text":text,"payload":payload});
        if named {
            b["originatingMessageId"] = "o1".into();
        }
        json!({"contentType":"ButtonResponse","buttonResponse":b})
    };
    let metadata = json!({"customMessageId":"m1","parentMessageId":"o1"});
    let date = || Picked::Date(choice("Ten", "2026-02-01T10:00:00.000Z"));
    let content = |named| json!([button("DatePicker", "Ten", "2026-02-01T10:00:00.000Z", named)]);
    assert_eq!(sent(Way::Messenger, date()), json!({"type":"Structured","content":content(false),"metadata":metadata}));
    assert_eq!(
        sent(Way::Sdk, date()),
        json!({"type":"Structured","text":"Ten","content":content(true),"metadata":{"customMessageId":"m1"}})
    );
    let list = Picked::List { text: "Mine".into(), chosen: vec![choice("A", "a"), choice("B", "b")] };
    let content = json!([button("ListPicker", "A", "a", true), button("ListPicker", "B", "b", true)]);
    assert_eq!(
        sent(Way::Messenger, list),
        json!({"type":"Structured","text":"Mine","content":content,"metadata":metadata})
    );
    let response = vec![("n".to_owned(), choice("Ada", "Ada"))];
    let form = Picked::Form { text: String::new(), canned: "c".into(), response };
    let value = json!({"id":"n","component":{"contentType":"ButtonResponse","buttonResponse":{"type":"Form","text":"Ada","payload":"Ada"}}});
    let content =
        json!([{"contentType":"Form","form":{"originatingMessageId":"o1","cannedResponseId":"c","response":[value]}}]);
    assert_eq!(
        sent(Way::Messenger, form),
        json!({"type":"Structured","text":"","content":content,"metadata":{"customMessageId":"m1"}})
    );
    // As any other message, not before the session is ready.
    let mut p = Play::new();
    p.wish(Wish::Pick { tracing: "m1".into(), to: String::new(), way: Way::Messenger, picked: Box::new(date()) });
    p.does(&["m1 not sent: the session is new"]);
}

#[test]
fn typing_is_sent_at_most_once_in_five_seconds() {
    let mut p = Play::ready();
    let typing = |t: &str| Wish::Typing { tracing: t.into() };
    p.wish(typing("t1")).does(&[
        r#"send onMessage {"message":{"events":[{"eventType":"Typing","typing":{"type":"On"}}],"type":"Event"}}"#,
        "t1 sent",
    ]);
    p.passes(4.0).wish(typing("t2")).does(&["t2 not sent: typing is sent at most once in 5 s; 1000 ms to go"]);
    p.passes(1.0).wish(typing("t3")).did("t3 sent");
    // No echo is promised for typing, and none is missed.
    p.passes(12.0).did_not("t1 unconfirmed");
    p.wish(typing("t4")).done();
    p.refusal("t4", 403, "Turn on the Feature Toggle or fix the configuration.").does(&["t4 refused 403 Turn on…"]);
    assert_eq!(*p.machine.state(), SessionState::Ready);
}

#[test]
fn join_is_an_event() {
    Play::ready().wish(Wish::Join { tracing: "j1".into() }).does(&[
        r#"send onMessage {"message":{"events":[{"eventType":"Presence","presence":{"type":"Join"}}],"type":"Event"}}"#,
        "j1 sent",
    ]);
}

#[test]
fn what_is_too_long_is_not_sent_and_the_limit_is_named() {
    let mut p = Play::ready();
    p.say("m1", &"é".repeat(2048)).did("m1 sent");
    p.say("m2", &format!("{}x", "é".repeat(2048)));
    p.does(&["m2 not sent: text has 4097 bytes of UTF-8; the limit is 4096"]);
    p.wish(Wish::Text {
        tracing: "m3".into(),
        text: "x".into(),
        attributes: vec![("k".into(), "v".repeat(2048))],
        attachments: Vec::new(),
    });
    p.does(&["m3 not sent: custom attributes have 2049 bytes of UTF-8; the limit is 2048"]);
}

#[test]
fn nothing_is_said_before_the_session_is_configured() {
    let mut p = Play::new();
    p.say("m1", "x").does(&["m1 not sent: the session is new"]);
    p.wish(Wish::Connect).opened().done();
    p.say("m2", "x").does(&["m2 not sent: the session is configuring"]);
}

#[test]
fn a_429_is_waited_for_and_obeyed_three_times_at_most() {
    let mut p = Play::ready();
    let too_many = |p: &mut Play| {
        p.arrives(json!({"type":"response","class":"TooManyRequestsErrorMessage","code":429,"tracingId":"m1",
            "body":{"retryAfter":3,"errorCode":4029,"errorMessage":"slow down"}}));
    };
    p.say("m1", "Hello").done();
    too_many(&mut p);
    p.does(&["m1 retrying as try 2"]);
    p.passes(2.9)
        .does(&[])
        .passes(0.1)
        .does(&[r#"send onMessage {"message":{"text":"Hello","type":"Text"}}"#, "m1 sent"]);
    too_many(&mut p);
    p.does(&["m1 retrying as try 3"]).passes(3.0).did("m1 sent");
    too_many(&mut p);
    p.does(&["m1 refused 429 slow down"]).passes(60.0).did_not("send onMessage");
}

#[test]
fn a_429_without_the_switch_or_with_endless_patience_is_a_refusal() {
    for (switch, after) in [(false, 3), (true, 86_400)] {
        let mut p = Play::ready_with(|e| e.retry_after_429 = switch);
        p.say("m1", "Hello").done();
        p.arrives(json!({"type":"response","class":"TooManyRequestsErrorMessage","code":429,"tracingId":"m1",
            "body":{"retryAfter":after,"errorCode":4029,"errorMessage":"slow down"}}));
        p.does(&["m1 refused 429 slow down"]);
    }
}

#[test]
fn what_waits_for_a_retry_is_refused_when_the_session_ends() {
    let mut p = Play::ready();
    p.say("m1", "Hello").done();
    p.refusal("m1", 429, "slow down").lost();
    p.did("m1 refused 429 connection lost without a close frame, before the next try");
}

#[test]
fn refusals_carry_code_and_text() {
    for (code, text) in
        [(4011, "Message length 5000 is larger than 4096"), (4013, "too large"), (4010, "not uploaded"), (5000, "?")]
    {
        let mut p = Play::ready();
        p.say("m1", "Hello").done();
        p.refusal("m1", code, text).does(&[&format!("m1 refused {code} {text}")]);
        assert_eq!(p.seen.code, code);
        assert!(p.seen.flags.has(Flags::FAULT.with(Flags::STORY)) && !p.seen.flags.has(Flags::UNKNOWN));
        assert_eq!(*p.machine.state(), SessionState::Ready);
    }
    let mut p = Play::ready();
    p.say("m1", "Hello").done();
    p.refusal("m1", 4014, "what is this").did("m1 refused 4014");
    assert!(p.seen.flags.has(Flags::UNKNOWN));
}

#[test]
fn a_409_makes_the_conversation_read_only() {
    let mut p = Play::ready();
    p.say("m1", "Hello").done();
    p.refusal("m1", 409, "read-only").does(&["m1 refused 409 read-only", "state read-only: the server says…"]);
}

#[test]
fn a_401_is_told_in_its_own_right() {
    let mut p = Play::ready();
    p.say("m1", "Hello").done();
    p.refusal("m1", 401, "User is unauthorized").does(&["m1 refused 401 User is unauthorized", "fault refused"]);
    assert_eq!(*p.machine.state(), SessionState::Ready);
}

#[test]
fn a_send_without_an_echo_is_unconfirmed_until_a_late_one_comes() {
    let mut p = Play::ready();
    p.say("m1", "Hello").done();
    p.passes(10.0).does(&["m1 unconfirmed: no echo for 10 s"]);
    p.passes(60.0);
    p.done();
    p.echo("m1", "k1", "Hello").did("m1 delivered");
}

#[test]
fn an_error_without_a_tracing_id_belongs_to_nobody() {
    let mut p = Play::ready();
    p.say("m1", "Hello").done();
    p.arrives(json!({"type":"response","class":"string","code":400,"body":"Request failed."})).does(&["fault refused"]);
    p.echo("m1", "k", "Hello").does(&["m1 delivered"]);
}

#[test]
fn a_raw_frame_is_sent_as_it_is_and_followed() {
    let mut p = Play::ready();
    let raw = r#"{ "action":"onMessage","token":"11111111-2222-4333-8444-555555555555","tracingId":"r1","message":{"type":"Text"} }"#;
    p.wish(Wish::Raw { text: raw.into() });
    let texts: Vec<_> = p
        .actions
        .iter()
        .filter_map(|a| if let Action::Text { text, .. } = a { Some(text.as_str()) } else { None })
        .collect();
    assert_eq!(texts, [raw]);
    assert!(p.actions.iter().any(|a| matches!(a, Action::Learn { kind: SecretKind::SessionToken, .. })));
    p.did("r1 sent");
    p.arrives(json!({"type":"response","class":"SomethingNew","code":200,"body":1,"tracingId":"r1"}))
        .does(&["r1 delivered"]);
    assert!(p.seen.flags.has(Flags::UNKNOWN));
    p.wish(Wish::Raw { text: "not json".into() });
    assert!(matches!(&p.actions[..], [Action::Text { text, tracing: None, .. }] if text == "not json"));
    p.actions.clear();
    let mut p = Play::new();
    p.wish(Wish::Raw { text: raw.into() }).did("r1 not sent: there is no open socket");
    p.wish(Wish::Raw { text: "x".into() }).does(&["fault not-connected"]);
}

#[test]
fn sent_frames_carry_their_marks() {
    let mut p = Play::ready();
    p.wish(Wish::Echo).wish(Wish::Typing { tracing: "t".into() }).say("m", "x");
    let flags: Vec<_> =
        p.actions.iter().filter_map(|a| if let Action::Text { flags, .. } = a { Some(*flags) } else { None }).collect();
    assert_eq!(flags, [Flags::HEARTBEAT, Flags::TYPING, Flags::STORY]);
}
