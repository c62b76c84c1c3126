//! Files.

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::model::fact::ClockDeed;
use crate::model::{Flags, SecretKind};

fn attach(p: &mut Play) {
    p.wish(Wish::Attach {
        attachment: "b1".into(),
        name: "foo.png".into(),
        mime: "image/png".into(),
        bytes: Bytes::from_static(b"pixels"),
    });
}

fn granted(p: &mut Play, headers: Value) {
    let url = "http://files/up/b1?X-Amz-Signature=0123456789abcdef&part=1";
    p.answer(
        "onAttachment",
        "PresignedUrlResponse",
        json!({"attachmentId":"b1","url":url,"headers":headers,"fileName":"foo.png"}),
    );
}

#[test]
fn a_file_is_put_with_exactly_the_given_headers_and_awaited() {
    let mut p = Play::ready();
    attach(&mut p);
    p.does(&[
        r#"send onAttachment {"attachmentId":"b1","errorsAsJson":true,"fileName":"foo.png","fileSize":6,"fileType":"image/png"}"#,
    ]);
    granted(&mut p, json!({"x-amz-tagging":"organizationId=1234"}));
    let learnt = |a: &Action| matches!(a, Action::Learn { kind: SecretKind::Signature, value } if value.expose() == "0123456789abcdef");
    assert!(p.actions.iter().any(learnt));
    let body = p
        .actions
        .iter()
        .find_map(|a| if let Action::Call { request, .. } = a { Some(request.body.clone()) } else { None });
    assert_eq!(body.as_deref(), Some(&b"pixels"[..]));
    p.does(&["call PUT http://files/up/b1?X-Amz-Signature=0123456789abcdef&part=1"]);
    let pairs = [("x-amz-tagging", "organizationId=1234"), ("Content-Type", "image/png")];
    assert_eq!(p.headers, pairs.map(|(k, v)| (k.to_owned(), v.to_owned())));
    p.http(200, json!("")).does(&[]);
    p.arrives(json!({"type":"message","class":"UploadSuccessEvent","code":200,"body":{"attachmentId":"b1",
        "downloadUrl":"http://files/dl/b1","timestamp":"2026-01-06T13:27:00.000Z"}}));
    p.does(&["clock link:b1 Started by server until +600"]);
    p.passes(100.0).did_not("fault");
}

#[test]
fn a_content_type_that_is_given_is_not_given_twice() {
    let mut p = Play::ready();
    attach(&mut p);
    granted(&mut p, json!({"content-type":"application/x"}));
    assert_eq!(p.headers, [("content-type".to_owned(), "application/x".to_owned())]);
}

#[test]
fn failures_of_each_step_are_told() {
    let mut p = Play::ready();
    attach(&mut p);
    p.done();
    for (kind, code) in [("message", 200), ("response", 400)] {
        p.answer_with("onAttachment", kind, "GenerateUrlError", code, json!({"errorCode":4001,"errorMessage":"type"}));
        assert!(p.seen.flags.has(Flags::STORY.with(Flags::FAULT)));
        p.does(&["fault attachment-refused"]);
        attach(&mut p);
        p.done();
    }
    granted(&mut p, json!({"a":"b"}));
    p.http(403, json!("")).did("fault upload-refused");
    attach(&mut p);
    granted(&mut p, json!({"a":"b"}));
    let call = p.call;
    p.step(Input::CallFailed { call, report: Report::new("timeout", "No answer", "") }).did("fault upload-failed");
    attach(&mut p);
    granted(&mut p, json!({"a":"b"}));
    p.http(200, json!("")).done();
    p.arrives(json!({"type":"message","class":"UploadFailureEvent","code":200,"body":{"attachmentId":"b1",
        "errorCode":4003,"errorMessage":"File content is invalid"}}));
    p.does(&["fault attachment-refused"]);
    attach(&mut p);
    granted(&mut p, json!({"a":"b"}));
    p.http(200, json!("")).done();
    p.passes(61.0).did("fault upload-unconfirmed");
    attach(&mut p);
    p.done();
    p.passes(11.0).does(&["fault unanswered", "fault no-upload-address"]);
}

#[test]
fn an_event_that_overtakes_the_answer_to_the_put_is_understood() {
    let mut p = Play::ready();
    attach(&mut p);
    granted(&mut p, json!({"a":"b"}));
    p.arrives(json!({"type":"message","class":"UploadSuccessEvent","code":200,"body":{"attachmentId":"b1","downloadUrl":"http://files/dl/b1"}}));
    p.done();
    p.http(200, json!("")).passes(100.0).did_not("fault");
}

#[test]
fn a_stale_link_is_refreshed_and_a_file_deleted() {
    let mut p = Play::ready();
    p.arrives(json!({"type":"message","class":"StructuredMessage","code":200,"body":{"id":"m","type":"Text","direction":"Outbound",
        "content":[{"contentType":"Attachment","attachment":{"id":"b9","filename":"i.png","mediaType":"Image","url":"http://files/dl/b9"}}]}}));
    p.does(&["clock link:b9 Started by server until +600"]);
    p.passes(700.0).done();
    p.wish(Wish::Clock { id: "link:b9".into(), deed: ClockDeed::Refresh })
        .does(&[r#"send getAttachment {"attachmentId":"b9"}"#]);
    p.answer(
        "getAttachment",
        "PresignedUrlResponse",
        json!({"attachmentId":"b9","url":"http://files/dl/b9?2","headers":{}}),
    );
    p.does(&["clock link:b9 Refreshed by server until +1300"]);
    p.wish(Wish::DeleteAttachment { attachment: "b9".into() })
        .does(&[r#"send deleteAttachment {"attachmentId":"b9"}"#]);
    p.answer("deleteAttachment", "AttachmentDeletedResponse", json!({"attachmentId":"b9"}));
    p.does(&["clock link:b9 Forgotten by server"]);
}

#[test]
fn an_upload_falls_with_its_socket() {
    let mut p = Play::ready();
    attach(&mut p);
    p.lost().did("fault no-upload-address");
    attach(&mut p);
    p.does(&["fault not-connected"]);
}

#[test]
fn the_clock_of_a_link_names_its_file() {
    let mut p = Play::ready();
    let titles = |p: &Play| -> Vec<String> {
        let facts = p.actions.iter().filter_map(|a| match a {
            Action::State(crate::model::Fact::Expiry(e)) if e.id.starts_with("link:") => Some(e.title.clone()),
            _ => None,
        });
        facts.collect()
    };
    let names = ["note.txt", "", "a picture of the broken thing in the kitchen.png"];
    for (n, name) in names.into_iter().enumerate() {
        p.arrives(json!({"type":"message","class":"StructuredMessage","code":200,"body":{"id":format!("m{n}"),"type":"Text","direction":"Outbound",
            "content":[{"contentType":"Attachment","attachment":{"id":format!("b{n}"),"filename":name,"mediaType":"File","url":"http://files/dl"}}]}}));
        let expected = ["link note.txt", "download link", "link a picture of…kitchen.png"];
        assert_eq!(titles(&p), [expected[n]]);
        p.done();
    }
    attach(&mut p);
    granted(&mut p, json!({"a":"b"}));
    p.http(200, json!("")).done();
    p.arrives(json!({"type":"message","class":"UploadSuccessEvent","code":200,"body":{"attachmentId":"b1","downloadUrl":"http://files/dl/b1"}}));
    assert_eq!(titles(&p), ["link foo.png"]);
}
