//! Texts of messages and how they are found, files of agents and guests, ready-made answers, typing, limits.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::agent::{Agent, Part, guest_who_said, of_purpose};
use super::client::{Guest, Rig};

async fn meet(rig: &Rig) -> (Agent, Guest, Part) {
    let agent = Agent::on_queue(rig, 0).await;
    let guest = guest_who_said(rig, "Hello").await;
    let part = agent.answer().await;
    (agent, guest, part)
}

fn ids(media: &Value, purpose: &str) -> Vec<String> {
    let parts = of_purpose(media, purpose);
    let all = parts.iter().flat_map(|p| p["messages"].as_array().unwrap());
    all.map(|m| m["messageId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn texts_are_found_one_by_one_in_bulk_and_by_id_alone() {
    let rig = Rig::new().await;
    let (agent, mut guest, part) = meet(&rig).await;
    guest.say("second", "b").await;
    guest.next().await;
    agent.say(&part, "third").await;
    let base = format!("/api/v2/conversations/messages/{}", part.conversation);
    let media = agent.get(&base).await;
    let (said, answered) = (ids(&media, "customer"), ids(&media, "agent"));
    assert_eq!((said.len(), answered.len()), (2, 1));
    let wished = json!([answered[0], said[0], "m9", said[1]]);
    let found = agent.post(&format!("{base}/messages/bulk"), wished).await.ok(200);
    let texts: Vec<&str> =
        found["entities"].as_array().unwrap().iter().map(|m| m["textBody"].as_str().unwrap()).collect();
    assert_eq!(texts, ["third", "Hello", "second"], "those that there are, in the order of the question");
    let many: Vec<String> = (0..1001).map(|k| format!("m{k}")).collect();
    assert_eq!(agent.post(&format!("{base}/messages/bulk"), json!(many)).await.status, 400);
    assert_eq!(agent.post(&format!("{base}/messages/bulk"), json!({})).await.code(), "bad.request");
    let details = format!("/api/v2/conversations/messages/{}/details", said[1]);
    assert_eq!(agent.get(&details).await["conversationId"], part.conversation);
    let client = rig.token().await;
    let told = rig.call(Method::GET, &details, None).bearer(&client).send().await.ok(200);
    assert_eq!(told["textBody"], "second", "the client itself may look");
    let unknown = agent.call(Method::GET, &format!("{base}/messages/m9"), None).await;
    unknown.is(404, "not.found", "Message “m9” not found");
    rig.order(json!({ "do": "set_permissions", "user": agent.id, "without": ["conversation:message:view"] }));
    assert_eq!(agent.post(&format!("{base}/messages/bulk"), json!([])).await.status, 200, "one of the two is enough");
}

#[tokio::test]
async fn a_message_has_exactly_one_body() {
    let rig = Rig::new().await;
    let (agent, mut guest, part) = meet(&rig).await;
    let send = part.comm_path("/messages");
    for wrong in [json!({}), json!({ "textBody": "" }), json!({ "textBody": "x", "mediaIds": ["m"] })] {
        let answer = agent.post(&send, wrong.clone()).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid.message.structure"), "{wrong}");
    }
    agent.post(&send, json!({ "textBody": "ä".repeat(4001) })).await.names("textBody");
    agent.post(&send, json!({ "textBody": "ä".repeat(4000) })).await.ok(200);
    rig.order(json!({ "do": "set_platform", "text_chars": 2000 }));
    agent.post(&send, json!({ "textBody": "ä".repeat(2001) })).await.names("textBody");
    agent.post(&send, json!({ "mediaIds": ["nonsense"] })).await.names("mediaIds");
    assert_eq!(agent.post(&send, json!({ "messagingTemplate": { "responseId": "r9" } })).await.status, 404);
    guest.next().await;
    let library =
        agent.get("/api/v2/responsemanagement/libraries").await["entities"][0]["id"].as_str().unwrap().to_owned();
    let replies = agent.get(&format!("/api/v2/responsemanagement/responses?libraryId={library}")).await;
    let id = &replies["entities"][0]["id"];
    agent.post(&send, json!({ "messagingTemplate": { "responseId": id } })).await.ok(200);
    assert_eq!(guest.next().await["body"]["text"], "Hello, thank you for your message. How can I help?");
    let rig_user = &agent.id;
    rig.order(json!({ "do": "set_permissions", "user": rig_user,
        "without": ["conversation:message:create", "conversation:webmessaging:create"] }));
    let refused = agent.post(&send, json!({ "textBody": "x" })).await;
    assert_eq!((refused.status, refused.code()), (403, "missing.any.permissions"));
    guest.nothing_more().await;
}

#[tokio::test]
async fn a_file_of_an_agent_is_uploaded_checked_and_reaches_the_guest() {
    let rig = Rig::new().await;
    let (agent, mut guest, part) = meet(&rig).await;
    let uploads = part.comm_path("/messages/media/uploads");
    agent.post(&uploads, json!({ "fileName": "a/b.png", "contentLengthBytes": 4 })).await.names("fileName");
    agent.post(&uploads, json!({ "fileName": "b.png", "contentLengthBytes": 0 })).await.names("contentLengthBytes");
    let ticket = agent.post(&uploads, json!({ "fileName": "b.png", "contentLengthBytes": 4 })).await.ok(200);
    let id = ticket["id"].as_str().unwrap();
    let media = part.comm_path(&format!("/messages/media/{id}"));
    assert_eq!(agent.get(&media).await["status"], "uploading");
    let send = part.comm_path("/messages");
    agent.post(&send, json!({ "mediaIds": [id] })).await.names("mediaIds");
    let put = |signed: bool| {
        let mut request = rig.http.put(ticket["uploadUrl"].as_str().unwrap()).body("four");
        for (name, value) in ticket["uploadHeaders"].as_object().unwrap().iter().filter(|_| signed) {
            request = request.header(name, value.as_str().unwrap());
        }
        request.send()
    };
    assert_eq!(put(false).await.unwrap().status(), 403, "exactly the signed headers");
    assert_eq!(put(true).await.unwrap().status(), 200);
    let told = agent.get(&media).await;
    assert_eq!((&told["status"], &told["mediaType"]), (&json!("valid"), &json!("image/png")));
    guest.nothing_more().await;
    let sent = agent.post(&send, json!({ "mediaIds": [id] })).await.ok(200);
    assert_eq!((&sent["media"][0]["name"], &sent["textBody"]), (&json!("b.png"), &Value::Null));
    let heard = guest.next().await["body"].clone();
    let file = &heard["content"][0]["attachment"];
    assert_eq!((&heard["id"], &file["filename"], &file["mediaType"]), (&sent["id"], &json!("b.png"), &json!("Image")));
    let bytes = rig.http.get(file["url"].as_str().unwrap()).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(&bytes[..], b"four");
    rig.order(json!({ "do": "reject_upload", "code": 4003 }));
    let ticket = agent.post(&uploads, json!({ "fileName": "c.png", "contentLengthBytes": 4 })).await.ok(200);
    let mut request = rig.http.put(ticket["uploadUrl"].as_str().unwrap()).body("four");
    for (name, value) in ticket["uploadHeaders"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    request.send().await.unwrap();
    let media = part.comm_path(&format!("/messages/media/{}", ticket["id"].as_str().unwrap()));
    assert_eq!(agent.get(&media).await["status"], "invalid");
}

#[tokio::test]
async fn a_file_goes_the_deprecated_way_as_well() {
    let rig = Rig::new().await;
    let (agent, mut guest, part) = meet(&rig).await;
    let old = part.comm_path("/messages/media");
    let made = agent.call(Method::POST, &old, None).await.ok(200);
    let id = made["id"].as_str().unwrap();
    assert_eq!(made["status"], "uploading");
    let url = made["uploadUrl"].as_str().unwrap();
    let send = part.comm_path("/messages");
    agent.post(&send, json!({ "mediaIds": [id] })).await.names("mediaIds");
    let put = |name: &'static str| rig.http.put(url).header(name, "image/png").body("four").send();
    assert_eq!(put("x-amz-tagging").await.unwrap().status(), 403, "no header is signed");
    assert_eq!(put("content-type").await.unwrap().status(), 200);
    let told = agent.get(&format!("{old}/{id}")).await;
    assert_eq!(
        (&told["status"], &told["mediaType"], &told["contentLengthBytes"]),
        (&json!("valid"), &json!("image/png"), &json!(4))
    );
    agent.post(&send, json!({ "mediaIds": [id] })).await.ok(200);
    assert_eq!(guest.next().await["body"]["content"][0]["attachment"]["mediaType"], "Image");
    rig.order(json!({ "do": "set_permissions", "user": agent.id,
        "without": ["conversation:message:create", "conversation:webmessaging:create"] }));
    assert_eq!(agent.call(Method::POST, &old, None).await.status, 403);
}

#[tokio::test]
async fn a_file_of_a_guest_is_media_for_the_agent_with_a_fresh_link_each_time() {
    let rig = Rig::new().await;
    let (agent, mut guest, part) = meet(&rig).await;
    let ask = json!({ "attachmentId": "b1", "fileName": "foo.txt", "fileType": "text/plain", "fileSize": 3 });
    let ticket = guest.ask("onAttachment", ask).await["body"].clone();
    let mut put = rig.http.put(ticket["url"].as_str().unwrap()).body("abc");
    for (name, value) in ticket["headers"].as_object().unwrap() {
        put = put.header(name, value.as_str().unwrap());
    }
    put.send().await.unwrap();
    assert_eq!(guest.next().await["class"], "UploadSuccessEvent");
    let message = json!({ "message": { "type": "Text", "content": [{ "contentType": "Attachment", "attachment": { "id": "b1" } }] } });
    let id = guest.ask("onMessage", message).await["body"]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v2/conversations/messages/{}/messages/{id}", part.conversation);
    let first = agent.get(&path).await["media"][0].clone();
    assert_eq!(
        (&first["name"], &first["contentLengthBytes"], &first["mediaType"]),
        (&json!("foo.txt"), &json!(3), &json!("text/plain"))
    );
    rig.clock.advance(Duration::from_secs(601));
    assert_eq!(rig.http.get(first["url"].as_str().unwrap()).send().await.unwrap().status(), 404, "stale");
    let fresh = agent.get(&path).await["media"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(rig.http.get(fresh).send().await.unwrap().text().await.unwrap(), "abc");
}

#[tokio::test]
async fn agents_type_so_often_in_a_minute() {
    let rig = Rig::new().await;
    let (agent, mut guest, part) = meet(&rig).await;
    let typing = part.comm_path("/typing");
    agent.post(&typing, json!({ "typing": { "type": "Off" } })).await.names("typing.type");
    agent.post(&typing, json!({})).await.names("typing.type");
    for _ in 0..12 {
        agent.post(&typing, json!({ "typing": { "type": "On" } })).await.ok(200);
        let event = guest.next().await["body"].clone();
        assert_eq!(event["events"][0]["typing"]["duration"], 5000);
        assert_eq!(event["channel"]["from"]["nickname"], "Agent One");
    }
    let refused = agent.post(&typing, json!({ "typing": { "type": "On" } })).await;
    assert_eq!((refused.status, &refused.headers["retry-after"]), (429, &"60".parse().unwrap()));
    rig.clock.advance(Duration::from_secs(60));
    assert_eq!(agent.post(&typing, json!({ "typing": { "type": "On" } })).await.status, 200);
}

#[tokio::test]
async fn messages_are_lost_altered_and_doubled_by_order_each_way() {
    let rig = Rig::new().await;
    let (agent, mut guest, part) = meet(&rig).await;
    let base = format!("/api/v2/conversations/messages/{}", part.conversation);
    let read = async |purpose: &str| {
        let all = ids(&agent.get(&base).await, purpose);
        let found = agent.post(&format!("{base}/messages/bulk"), json!(all)).await.ok(200);
        let texts = found["entities"].as_array().unwrap().iter().map(|m| m["textBody"].as_str().unwrap().to_owned());
        texts.collect::<Vec<_>>()
    };
    for (order, text, seen) in [
        ("lose_message", "lost", vec![]),
        ("alter_text", "true", vec!["true (altered on its way)"]),
        ("duplicate_message", "twice", vec!["twice", "twice"]),
    ] {
        let before = read("customer").await.len();
        rig.order(json!({ "do": order, "count": 1 }));
        assert!(rig.sandbox.status().faulty);
        guest.say(text, "x").await;
        assert_eq!(guest.next().await["body"]["text"], text, "the guest's own echo is true");
        assert_eq!(read("customer").await[before..], seen, "{order}");
        assert!(!rig.sandbox.status().faulty, "{order} is spent");

        rig.order(json!({ "do": order, "count": 1, "way": "outbound" }));
        assert_eq!(agent.say(&part, text).await["textBody"], text);
        for seen in seen {
            assert_eq!(guest.next().await["body"]["text"], seen);
        }
        guest.nothing_more().await;
    }
    assert_eq!(read("agent").await, ["lost", "true", "twice"], "what the agent said stays what it was");
}
