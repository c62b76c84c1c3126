//! Uploads, links and what is wrong with them.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::client::{Guest, Rig};

fn announce(id: &str) -> Value {
    json!({ "attachmentId": id, "fileName": "foo.png", "fileType": "image/png", "fileSize": 4, "errorsAsJson": true })
}

/// Uploads with exactly what was signed.
async fn put(rig: &Rig, presigned: &Value, bytes: &'static [u8]) -> StatusCode {
    let mut request = rig.http.put(presigned["url"].as_str().unwrap()).header("content-type", "image/png").body(bytes);
    for (name, value) in presigned["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    request.send().await.unwrap().status()
}

async fn uploaded(rig: &Rig, guest: &mut Guest, id: &str) -> Value {
    let presigned = guest.ask("onAttachment", announce(id)).await;
    assert_eq!(put(rig, &presigned["body"], b"\x89PNG").await, StatusCode::OK);
    guest.next().await
}

#[tokio::test]
async fn a_file_goes_up_is_sent_and_comes_down() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    let presigned = guest.ask("onAttachment", announce("b1")).await;
    let body = &presigned["body"];
    assert_eq!((&presigned["type"], &presigned["class"]), (&json!("response"), &json!("PresignedUrlResponse")));
    assert_eq!(
        (&body["attachmentId"], &body["fileSize"], &body["fileName"]),
        (&json!("b1"), &json!(4), &json!("foo.png"))
    );
    assert!(body["headers"]["x-amz-tagging"].is_string() && body["url"].as_str().unwrap().contains("X-Amz-Signature="));
    let early = json!({ "message": { "content": [{ "contentType": "Attachment", "attachment": { "id": "b1" } }] } });
    assert_eq!(guest.ask("onMessage", early.clone()).await["code"], 4010);
    assert_eq!(put(&rig, body, b"\x89PNG").await, StatusCode::OK);
    let event = guest.next().await;
    assert_eq!((&event["type"], &event["class"]), (&json!("message"), &json!("UploadSuccessEvent")));
    assert_eq!(
        (&event["body"]["attachmentId"], &event["body"]["timestamp"]),
        (&json!("b1"), &json!("2026-01-06T13:26:15.174Z"))
    );
    let echo = guest.ask("onMessage", early).await;
    assert_eq!((&echo["body"]["type"], echo["body"].get("text")), (&json!("Text"), None), "a file alone");
    let sent = &echo["body"]["content"][0]["attachment"];
    assert_eq!(
        (&sent["id"], &sent["filename"], &sent["mediaType"]),
        (&json!("b1"), &json!("foo.png"), &json!("Image"))
    );
    for url in [&event["body"]["downloadUrl"], &sent["url"]] {
        let answer = rig.http.get(url.as_str().unwrap()).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "image/png");
        assert_eq!(&answer.bytes().await.unwrap()[..], b"\x89PNG");
    }
    let late = guest.ask("deleteAttachment", json!({ "attachmentId": "b1", "errorsAsJson": true })).await;
    assert_eq!(late["class"], "GenerateUrlError", "what was sent stays");
}

#[tokio::test]
async fn an_upload_with_other_headers_gets_the_storage_error() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_deployment", "idle_secs": 1000 }));
    let mut guest = rig.configured().await;
    let presigned = guest.ask("onAttachment", announce("b1")).await["body"].clone();
    let mut bare = presigned.clone();
    bare["headers"] = json!({});
    let mut wrong = presigned.clone();
    wrong["headers"]["x-amz-tagging"] = json!("organizationId=other");
    let mut more = presigned.clone();
    more["headers"]["x-amz-acl"] = json!("private");
    let mut unsigned = presigned.clone();
    unsigned["url"] = json!(presigned["url"].as_str().unwrap().split('?').next().unwrap());
    for bad in [bare, wrong, more, unsigned] {
        assert_eq!(put(&rig, &bad, b"\x89PNG").await, StatusCode::FORBIDDEN, "{bad}");
    }
    let answer = rig.http.put(presigned["url"].as_str().unwrap()).body("x").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/xml");
    assert!(answer.text().await.unwrap().contains("<Code>SignatureDoesNotMatch</Code>"));
    rig.clock.advance(Duration::from_secs(601));
    assert_eq!(put(&rig, &presigned, b"\x89PNG").await, StatusCode::FORBIDDEN, "too late");
    guest.nothing_more().await;
}

#[tokio::test]
async fn what_cannot_be_uploaded_is_told_why() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "set_limits", "requests_per_minute": 1000 }));
    rig.order(json!({ "do": "set_deployment", "file_types": ["image/*"], "max_file_size_kb": 1 }));
    let mut guest = rig.configured().await;
    let long = format!("{}.png", "x".repeat(1020));
    for (change, code) in [
        (json!({ "fileType": "text/html" }), 4001),
        (json!({ "fileName": "virus.EXE" }), 4001),
        (json!({ "fileSize": 1025 }), 4002),
        (json!({ "fileName": "" }), 4004),
        (json!({ "fileName": "noextension" }), 4004),
        (json!({ "fileName": long }), 4005),
        (json!({ "fileSize": 0 }), 4102),
    ] {
        let mut members = announce("b1");
        members.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = guest.ask("onAttachment", members.clone()).await;
        assert_eq!(
            (&answer["type"], &answer["class"], &answer["code"]),
            (&json!("response"), &json!("GenerateUrlError"), &json!(400))
        );
        assert_eq!(
            (&answer["body"]["attachmentId"], &answer["body"]["errorCode"]),
            (&json!("b1"), &json!(code)),
            "{change}"
        );
        members["errorsAsJson"] = json!(false);
        let plain = guest.ask("onAttachment", members).await;
        assert_eq!((&plain["class"], &plain["code"]), (&json!("string"), &json!(code)), "the form of older clients");
    }
    for missing in ["fileName", "fileType", "fileSize"] {
        let mut members = announce("b1");
        members.as_object_mut().unwrap().remove(missing);
        let answer = guest.ask("onAttachment", members).await;
        assert_eq!(answer["code"], 4020);
        assert!(answer["body"].as_str().unwrap().contains(missing));
    }
    rig.order(json!({ "do": "set_deployment", "file_upload": false }));
    assert_eq!(guest.ask("onAttachment", announce("b1")).await["body"]["errorCode"], 4000);
}

#[tokio::test]
async fn a_failed_upload_is_told_on_the_socket() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    rig.order(json!({ "do": "reject_upload", "code": 4003 }));
    let event = uploaded(&rig, &mut guest, "b1").await;
    assert_eq!((&event["type"], &event["class"]), (&json!("message"), &json!("UploadFailureEvent")));
    assert_eq!((&event["body"]["attachmentId"], &event["body"]["errorCode"]), (&json!("b1"), &json!(4003)));
    rig.order(json!({ "do": "reject_upload", "code": 0 }));
    let presigned = guest.ask("onAttachment", announce("b2")).await;
    assert_eq!(put(&rig, &presigned["body"], b"not four bytes").await, StatusCode::OK);
    assert_eq!(guest.next().await["body"]["errorCode"], 4003, "not the announced size");
    assert_eq!(
        guest.ask("getAttachment", json!({ "attachmentId": "b2", "errorsAsJson": true })).await["body"]["errorCode"],
        4010
    );
}

#[tokio::test]
async fn links_go_stale_and_are_renewed() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    let event = uploaded(&rig, &mut guest, "b1").await;
    let old = event["body"]["downloadUrl"].as_str().unwrap().to_owned();
    let status = async |url: &str| rig.http.get(url).send().await.unwrap().status();
    rig.clock.advance(Duration::from_secs(599));
    assert_eq!(status(&old).await, StatusCode::OK);
    rig.clock.advance(Duration::from_secs(1));
    assert_eq!(status(&old).await, StatusCode::NOT_FOUND);
    // The connection was quiet for ten minutes, too.
    let mut guest = {
        let mut again = rig.guest().await;
        again.configure(&guest.token).await;
        again
    };
    let fresh = guest.ask("getAttachment", json!({ "attachmentId": "b1" })).await;
    assert_eq!((&fresh["class"], &fresh["body"]["headers"]), (&json!("PresignedUrlResponse"), &json!({})));
    assert_eq!(fresh["body"]["fileSize"], 4);
    let url = fresh["body"]["url"].as_str().unwrap();
    assert_eq!(status(url).await, StatusCode::OK);
    rig.order(json!({ "do": "stale_links" }));
    assert_eq!(status(url).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_was_not_sent_can_be_deleted() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    uploaded(&rig, &mut guest, "b1").await;
    assert_eq!(
        guest.ask("deleteAttachment", json!({ "attachmentId": "b1" })).await,
        json!({ "type": "message", "class": "AttachmentDeletedResponse", "code": 200,
            "body": { "attachmentId": "b1" }, "tracingId": "ask" })
    );
    assert_eq!(guest.ask("deleteAttachment", json!({ "attachmentId": "b1" })).await["code"], 4009);
    assert_eq!(guest.ask("getAttachment", json!({})).await["code"], 4020);
}
