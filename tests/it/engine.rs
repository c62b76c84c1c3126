//! The engine against the sandbox: real sockets, real records.

use std::time::Duration;

use sessionscope::dialect::{Button, Wish};
use sessionscope::engine::Command;
use sessionscope::model::fact::{Delivery, End, ExpiryEvent, SessionState};
use sessionscope::model::happening::{Part, Side};
use sessionscope::model::{Flags, Kind};
use sessionscope::projection::What;
use sessionscope::sandbox::Order;

use crate::support::console::{Desk, delivery, texts};

fn order(json: &str) -> Order {
    serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"))
}

#[test]
fn a_conversation_is_said_echoed_and_answered_and_each_frame_is_on_record() {
    let mut desk = Desk::open();
    let s = desk.connect("one");
    let tracing = desk.say(s, "hello there");
    let view = desk.until(s, "echoed and answered", |v| {
        delivery(v, &tracing) == Some(Delivery::Delivered)
            && texts(v).iter().any(|t| t.contains("You said: hello there"))
    });
    assert_eq!(texts(&view).iter().filter(|t| *t == "hello there").count(), 1, "the message stands once");
    let records = desk.records();
    for kind in [Kind::SessionStart, Kind::SocketOpening, Kind::SocketOpen, Kind::Text, Kind::State, Kind::Expiry] {
        assert!(records.iter().any(|r| r.kind == kind), "no {kind:?}");
    }
    let sent = records.iter().find(|r| r.text().is_some_and(|t| t.contains("hello there"))).unwrap();
    let echo = records.iter().find(|r| r.reply_to == sent.seq).expect("the echo is joined to its request");
    assert!(echo.text().unwrap().contains("Inbound"));
    assert!(view.clocks.iter().any(|c| c.fact.id == "session-idle"));
    assert!(records.iter().all(|r| !r.flags.has(Flags::MALFORMED) && !r.flags.has(Flags::UNKNOWN)));
}

#[test]
fn rich_content_comes_and_buttons_are_answered() {
    let mut desk = Desk::open();
    let s = desk.connect("rich");
    for word in ["quick", "card", "carousel", "file"] {
        desk.say(s, word);
    }
    let has = |v: &sessionscope::projection::SessionView, pick: &dyn Fn(&Part) -> bool| {
        v.conversation
            .entries
            .iter()
            .any(|e| matches!(&e.what, What::Message(m) if m.side != Side::Guest && m.parts.iter().any(pick)))
    };
    let view = desk.until(s, "given all four", |v| {
        has(v, &|p| matches!(p, Part::QuickReply { .. }))
            && has(v, &|p| matches!(p, Part::Card(_)))
            && has(v, &|p| matches!(p, Part::Carousel(c) if c.len() > 1))
            && has(v, &|p| matches!(p, Part::Attachment(a) if a.url.is_some()))
    });
    let (text, payload) = view
        .conversation
        .entries
        .iter()
        .find_map(|e| match &e.what {
            What::Message(m) => m.parts.iter().find_map(|p| match p {
                Part::QuickReply { text, payload, .. } => Some((text.clone(), payload.clone())),
                _ => None,
            }),
            _ => None,
        })
        .unwrap();
    let tracing = "answer-1".to_owned();
    desk.wish(s, Wish::Answer { tracing: tracing.clone(), button: Button::QuickReply, text, payload });
    desk.until(s, "answered", |v| delivery(v, &tracing) == Some(Delivery::Delivered));
}

#[test]
fn a_file_goes_up_with_the_headers_that_were_signed_and_into_a_message() {
    let mut desk = Desk::open();
    let s = desk.connect("upload");
    let attachment = uuid::Uuid::new_v4().to_string();
    desk.wish(
        s,
        Wish::Attach {
            attachment: attachment.clone(),
            name: "note.txt".into(),
            mime: "text/plain".into(),
            bytes: bytes::Bytes::from_static(b"some text to send"),
        },
    );
    desk.until(s, "uploaded", |v| {
        v.conversation.entries.iter().any(|e| {
            matches!(&e.what, What::Upload { id, state: sessionscope::model::happening::AttachmentState::Uploaded, .. } if *id == attachment)
        })
    });
    let tracing = "with-file".to_owned();
    desk.wish(
        s,
        Wish::Text {
            tracing: tracing.clone(),
            text: "see file".into(),
            attributes: vec![("plan".into(), "gold".into())],
            attachments: vec![attachment.clone()],
        },
    );
    desk.until(s, "sent with its file", |v| delivery(v, &tracing) == Some(Delivery::Delivered));
    let put =
        desk.records().into_iter().find(|r| r.kind == Kind::HttpRequest && r.head.contains("PUT")).expect("a PUT");
    assert!(put.head.contains("x-amz-tagging"));
}

#[test]
fn history_is_merged_and_never_doubled() {
    let mut desk = Desk::open();
    let s = desk.connect("history");
    for text in ["one", "two", "three"] {
        let tracing = desk.say(s, text);
        desk.until(s, "echoed", |v| delivery(v, &tracing) == Some(Delivery::Delivered));
    }
    desk.until(s, "all answered", |v| texts(v).len() >= 6);
    std::thread::sleep(Duration::from_millis(50));
    let before = texts(&desk.headless.view(s).unwrap());
    desk.wish(s, Wish::History { all: true });
    desk.until(s, "read", |_| {
        desk.records()
            .iter()
            .any(|r| r.kind == Kind::HttpResponse && r.code == 200 && r.text().is_some_and(|t| t.contains("entities")))
    });
    desk.wish(s, Wish::Echo);
    desk.until(s, "settled", |_| {
        desk.records().iter().filter(|r| r.text().is_some_and(|t| t.contains("SGVhbHRo"))).count() >= 2
    });
    assert_eq!(texts(&desk.headless.view(s).unwrap()), before);
}

#[test]
fn refusals_and_endings_are_told_apart() {
    let mut desk = Desk::open();
    let s = desk.connect("refused");
    desk.order(order(
        r#"{"do":"refuse_sends","count":1,"code":4011,"text":"Message length 5000 is larger than 4096"}"#,
    ));
    let tracing = desk.say(s, "too long, they say");
    desk.until(s, "refused", |v| matches!(delivery(v, &tracing), Some(Delivery::Refused { code: 4011, .. })));
    desk.order(order(r#"{"do":"close","code":1000,"reason":"maintenance"}"#));
    let view = desk.until(s, "closed", |v| v.state.as_ref().is_some_and(SessionState::is_ended));
    assert_eq!(view.state, Some(SessionState::Ended(End::ByServer { code: 1000, reason: "maintenance".into() })));

    let t = desk.connect("dropped");
    desk.order(order(r#"{"do":"drop"}"#));
    let view = desk.until(t, "lost", |v| v.state.as_ref().is_some_and(SessionState::is_ended));
    assert_eq!(view.state, Some(SessionState::Ended(End::Lost)));

    let u = desk.connect("expired");
    desk.order(order(r#"{"do":"expire_session"}"#));
    desk.say(u, "anyone there?");
    let view = desk.until(u, "expired", |v| v.state.as_ref().is_some_and(SessionState::is_ended));
    assert_eq!(view.state, Some(SessionState::Ended(End::Expired)));
}

#[test]
fn too_many_requests_are_sent_again_after_the_time_that_was_told() {
    let mut desk = Desk::with_paused_clock();
    let s = desk.connect("429");
    desk.order(order(r#"{"do":"rate_limit_sends","count":1,"retry_after":3}"#));
    let tracing = desk.say(s, "patience");
    desk.until(s, "waiting", |v| matches!(delivery(v, &tracing), Some(Delivery::Retrying { .. })));
    desk.clock.as_ref().unwrap().advance(Duration::from_secs(4));
    desk.until(s, "delivered", |v| delivery(v, &tracing) == Some(Delivery::Delivered));
}

#[test]
fn an_oauth_token_is_refreshed_at_its_margin() {
    let desk = Desk::with_paused_clock();
    desk.headless.console.engine.send(Command::SignIn { environment: desk.environment.clone() }).unwrap();
    let event = |e: ExpiryEvent| {
        desk.headless.until(Duration::from_secs(10), |h| {
            h.board().general.clocks.iter().find(|c| c.fact.id.starts_with("oauth") && c.fact.event == e).cloned()
        })
    };
    let first = event(ExpiryEvent::Started).expect("signed in");
    let life = first.fact.until.unwrap().micros_since(first.fact.from);
    assert!(life > 60_000_000);
    desk.clock.as_ref().unwrap().advance(Duration::from_micros(life as u64 - 59_000_000));
    let second = event(ExpiryEvent::Refreshed).expect("refreshed");
    assert_ne!(first.fact.token, second.fact.token);
    assert!(desk.records().iter().all(|r| !r.head.contains("Basic ey") && !r.head.contains("client_secret=")));
}

#[test]
fn a_lost_socket_is_opened_again_with_the_same_token_where_that_is_switched_on() {
    let mut desk = Desk::open();
    desk.environment.reconnect = true;
    let s = desk.connect("again");
    let before = desk.say(s, "before the drop");
    desk.until(s, "echoed", |v| delivery(v, &before) == Some(Delivery::Delivered));
    desk.order(order(r#"{"do":"drop"}"#));
    desk.until(s, "ready again", |v| {
        matches!(v.state, Some(SessionState::Ready))
            && v.conversation.entries.iter().any(|e| matches!(&e.what, What::State(t) if t.contains("reconnecting")))
    });
    let after = desk.say(s, "after the drop");
    let view = desk.until(s, "echoed", |v| delivery(v, &after) == Some(Delivery::Delivered));
    assert_eq!(texts(&view).iter().filter(|t| *t == "before the drop").count(), 1);
    assert_eq!(desk.records().iter().filter(|r| r.kind == Kind::SocketOpening).count(), 2);
}
