//! What is said on the guest's socket, frame by frame.

use serde_json::{Value, json};
use sessionscope::sandbox::Options;

use super::client::{Guest, Rig};

const TIME: &str = "2026-01-06T13:26:15.174Z";

fn is_hex32(v: &Value) -> bool {
    v.as_str().is_some_and(|s| s.len() == 32 && s.chars().all(|c| c.is_ascii_hexdigit()))
}

fn is_uuid(v: &Value) -> bool {
    v.as_str().is_some_and(|s| s.len() == 36 && uuid::Uuid::parse_str(s).is_ok())
}

#[tokio::test]
async fn a_new_session_is_answered_with_all_that_clients_need() {
    let rig = Rig::new().await;
    let mut guest = rig.guest().await;
    let answer = guest.configure("7f0c3a52-3a55-4f2e-9b6d-2a8f2b7c1d10").await;
    assert_eq!(
        answer,
        json!({ "type": "response", "class": "SessionResponse", "code": 200, "tracingId": "ask", "body": {
            "connected": true, "newSession": true, "readOnly": false, "maxCustomDataBytes": 2048,
            "allowedMedia": { "inbound": { "fileTypes": [{ "type": "*/*" }], "maxFileSizeKB": 10240 } },
            "blockedExtensions": answer["body"]["blockedExtensions"],
            "clearedExistingSession": false, "durationSeconds": 259_200, "expirationDate": 1_767_705_975 + 259_200,
        } })
    );
    assert!(answer["body"]["blockedExtensions"].as_array().unwrap().contains(&json!(".exe")));
    guest.goodbye().await;

    let mut again = rig.guest().await;
    let answer = again.configure("7f0c3a52-3a55-4f2e-9b6d-2a8f2b7c1d10").await;
    assert_eq!(answer["body"]["newSession"], false);
    let start_new = json!({ "deploymentId": rig.ready.deployment_id, "startNew": true });
    let answer = again.ask("configureSession", start_new).await;
    assert_eq!(answer["body"]["newSession"], true);
    assert_eq!(answer["body"]["clearedExistingSession"], true, "a live session made way");
}

#[tokio::test]
async fn all_three_official_ways_to_configure_are_taken() {
    let rig = Rig::new().await;
    let id = &rig.ready.deployment_id;
    let journey =
        json!({ "customer": { "id": "t", "idType": "cookie" }, "customerSession": { "id": "", "type": "web" } });
    for request in [
        json!({ "action": "configureSession", "deploymentId": id, "token": "bare" }),
        json!({ "action": "configureSession", "deploymentId": id, "token": "mobile", "startNew": false,
                "tracingId": "t", "journeyContext": journey }),
        json!({ "action": "configureSession", "deploymentId": id, "token": "java", "startNew": null,
                "resumeToken": null, "tracingId": null, "novelty": [1] }),
    ] {
        let mut guest = rig.guest().await;
        let tracing = request.get("tracingId").cloned().filter(|t| !t.is_null());
        guest.send(request).await;
        let answer = guest.next().await;
        assert_eq!(answer["body"]["connected"], true, "{answer}");
        assert_eq!(answer.get("tracingId").cloned(), tracing);
    }
}

#[tokio::test]
async fn what_cannot_be_configured_is_told_why() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    let id = rig.ready.deployment_id.clone();
    for (request, code, text) in [
        (json!({ "action": "configureSession", "token": "x" }), 4020, "deploymentId"),
        (json!({ "action": "configureSession", "deploymentId": id }), 4020, "token"),
        (json!({ "action": "configureSession", "deploymentId": "other", "token": "new" }), 404, "Deployment"),
        (json!({ "action": "configureSession", "deploymentId": "other", "token": guest.token }), 400, "deployment"),
        (json!({ "action": "configureSession", "deploymentId": 7, "token": "x" }), 400, "not valid"),
        (json!({ "action": "configureSession", "deploymentId": id, "token": 7 }), 400, "not valid"),
        (json!({ "action": "configureAuthenticatedSession", "deploymentId": id, "token": "x" }), 4020, "data.code"),
        (json!({ "action": "dance", "token": "x" }), 400, "dance"),
        (json!({ "token": "x" }), 4020, "action"),
        (json!([1]), 400, "object"),
    ] {
        guest.send(request.clone()).await;
        let answer = guest.next().await;
        assert_eq!((&answer["class"], &answer["code"]), (&json!("string"), &json!(code)), "{request}: {answer}");
        assert!(answer["body"].as_str().unwrap().contains(text), "{request}: {answer}");
    }
    guest.raw("{not json".into()).await;
    assert_eq!(guest.next().await["code"], 400);
    guest.raw(vec![0xff, 0xfe].into()).await;
    assert_eq!(guest.next().await["code"], 400);
    guest.nothing_more().await;
}

#[tokio::test]
async fn a_message_is_echoed_to_every_connection_of_its_session() {
    let rig = Rig::new().await;
    let mut one = rig.configured().await;
    let mut two = rig.guest().await;
    two.configure(&one.token).await;
    let mut stranger = rig.configured().await;
    one.say("Hello", "a3").await;
    let own = one.next().await;
    let body = &own["body"];
    assert!(
        is_hex32(&body["id"]) && is_uuid(&body["channel"]["messageId"]) && is_uuid(&body["metadata"]["correlationId"])
    );
    assert_eq!(
        own,
        json!({ "type": "message", "class": "StructuredMessage", "code": 200, "tracingId": "a3", "body": {
            "id": body["id"], "type": "Text", "text": "Hello", "direction": "Inbound",
            "channel": { "time": TIME, "messageId": body["channel"]["messageId"] },
            "metadata": { "correlationId": body["metadata"]["correlationId"] },
        } })
    );
    let mut other = two.next().await;
    assert_eq!(other.get("tracingId"), None, "only the sender's frame bears it");
    other["tracingId"] = json!("a3");
    assert_eq!(other, own);
    stranger.nothing_more().await;
}

#[tokio::test]
async fn every_variant_of_a_message_is_taken() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    let button = |kind: &str, more: Value| {
        let mut b = json!({ "type": kind, "text": "Yes", "payload": "yes" });
        b.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([{ "contentType": "ButtonResponse", "buttonResponse": b }])
    };
    let variants = [
        ("Text", json!({ "type": "Text", "text": "", "content": button("QuickReply", json!({})) })),
        ("Structured", json!({ "type": "Structured", "text": "Yes", "content": button("QuickReply", json!({})) })),
        ("Structured", json!({ "type": "Structured", "text": "Pick", "content": button("Button", json!({})) })),
        ("Event", json!({ "type": "Event", "events": [{ "eventType": "Typing", "typing": { "type": "On" } }] })),
        (
            "Event",
            json!({ "type": "Event", "events": [{ "eventType": "Typing", "typing": { "type": "On", "duration": 5000 } }] }),
        ),
        ("Event", json!({ "type": "Event", "events": [{ "eventType": "Presence", "presence": { "type": "Join" } }] })),
        ("Event", json!({ "events": [{ "eventType": "CoBrowse", "coBrowse": { "type": "Offering" } }] })),
        ("Text", json!({ "text": "without a type" })),
        ("Text", json!({ "type": "Text", "text": "old", "metadata": { "customMessageId": "m1" }, "id": "x" })),
    ];
    for (kind, message) in variants {
        rig.clock.advance(std::time::Duration::from_secs(1));
        let echo = guest.ask("onMessage", json!({ "message": message, "time": TIME })).await;
        let body = &echo["body"];
        assert_eq!((&body["type"], &body["direction"]), (&json!(kind), &json!("Inbound")), "{echo}");
        for part in ["content", "events"] {
            assert_eq!(body.get(part), message.get(part), "{part}");
        }
        for (key, value) in message["metadata"].as_object().into_iter().flatten() {
            assert_eq!(&body["metadata"][key], value, "the client's own metadata come back");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_said_is_told_why() {
    let rig = Rig::new().await;
    let mut unknown = rig.guest().await;
    unknown.token = "nobody".to_owned();
    unknown.say("Hello", "ask").await;
    assert_eq!(
        unknown.next().await,
        json!({ "type": "response", "class": "string", "code": 4007, "body": "session not found", "tracingId": "ask" })
    );
    let mut guest = rig.configured().await;
    let event = |e: Value| json!({ "type": "Event", "events": [e] });
    for (members, code) in [
        (json!({}), 4020),
        (json!({ "message": {} }), 4020),
        (json!({ "message": { "type": "Text", "text": "" } }), 4020),
        (json!({ "message": { "type": "Event" } }), 4020),
        (json!({ "message": { "type": "Song", "text": "la" } }), 400),
        (json!({ "message": { "type": "Text", "text": 7 } }), 400),
        (json!({ "message": event(json!({})) }), 4020),
        (json!({ "message": event(json!({ "eventType": "Presence" })) }), 4020),
        (json!({ "message": event(json!({ "eventType": "Presence", "presence": { "type": "SignIn" } })) }), 400),
        (json!({ "message": { "content": [{ "contentType": "Attachment", "attachment": { "id": "b9" } }] } }), 4009),
        (json!({ "message": { "content": [{ "contentType": "Attachment" }] } }), 4020),
        (json!({ "message": { "content": [{ "contentType": "ButtonResponse" }] } }), 4020),
        (json!({ "message": { "content": [{}] } }), 4020),
        (json!({ "token": "somebody else", "message": { "type": "Text", "text": "x" } }), 4007),
        (json!({ "token": null, "message": { "type": "Text", "text": "x" } }), 4020),
    ] {
        rig.clock.advance(std::time::Duration::from_secs(1));
        let answer = guest.ask("onMessage", members.clone()).await;
        assert_eq!((&answer["class"], &answer["code"]), (&json!("string"), &json!(code)), "{members}: {answer}");
    }
    guest.nothing_more().await;
}

#[tokio::test]
async fn custom_attributes_are_taken_in_both_places() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    let inner = json!({ "message": { "type": "Text", "text": "a",
        "channel": { "metadata": { "customAttributes": { "plan": "gold" } } } } });
    let outer = json!({ "message": { "type": "Text", "text": "b" },
        "channel": { "metadata": { "customAttributes": { "city": "Oslo" } } } });
    for members in [inner, outer] {
        assert_eq!(guest.ask("onMessage", members).await["code"], 200);
    }
    assert_eq!(rig.sandbox.status().sessions[0].attributes, ["city", "plan"]);
}

#[tokio::test]
async fn a_health_check_tells_the_session_life_as_strings() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    rig.clock.advance(std::time::Duration::from_secs(100));
    let ping = json!({ "tracingId": "SGVhbHRoQ2hlY2tNZXNzYWdlSWQ=", "message": { "type": "Text", "text": "ping" } });
    guest.act("echo", "", ping).await;
    assert_eq!(
        guest.next().await,
        json!({ "type": "response", "class": "StructuredMessage", "code": 200,
            "tracingId": "SGVhbHRoQ2hlY2tNZXNzYWdlSWQ=", "body": {
                "id": "echo_id", "type": "Text", "text": "ping", "direction": "Inbound",
                "metadata": { "durationSeconds": "259200", "expirationDate": (1_767_705_975 + 259_200).to_string() },
        } })
    );
    let answer = guest.ask("echo", json!({ "message": { "type": "Text", "text": "ping" } })).await;
    assert_eq!(answer["body"]["id"], "echo_id", "any tracing id does");
}

#[tokio::test]
async fn the_configuration_is_told_without_a_session() {
    let rig = Rig::new().await;
    let mut guest = rig.guest().await;
    let answer = guest.ask("getConfiguration", json!({ "deploymentId": rig.ready.deployment_id })).await;
    let body = &answer["body"];
    assert_eq!((&answer["type"], &answer["class"]), (&json!("response"), &json!("GetConfigurationResponse")));
    assert_eq!((&body["messageRoutingEnabled"], &body["sessionDurationSeconds"]), (&json!(true), &json!(259_200)));
    assert_eq!(body["maxCustomDataBytes"], 2048);
    assert_eq!(guest.ask("getConfiguration", json!({})).await["code"], 4020);
}

#[tokio::test]
async fn clearing_ends_the_session_step_by_step() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    let mut second = rig.guest().await;
    second.configure(&guest.token).await;
    let clear = json!({ "message": { "type": "Event",
        "events": [{ "eventType": "Presence", "presence": { "type": "Clear" } }] } });
    rig.order(json!({ "do": "set_deployment", "conversation_clear": false }));
    let refused = guest.ask("onMessage", clear.clone()).await;
    assert_eq!(
        (&refused["code"], &refused["body"]),
        (&json!(403), &json!("Presence events Conversation Clear are not supported"))
    );
    rig.order(json!({ "do": "set_deployment", "conversation_clear": true }));
    let echo = guest.ask("onMessage", clear).await;
    assert_eq!((&echo["code"], &echo["body"]["events"][0]["presence"]["type"]), (&json!(200), &json!("Clear")));
    second.next().await;
    for guest in [&mut guest, &mut second] {
        for class in ["SessionClearedEvent", "ConnectionClosedEvent"] {
            assert_eq!(guest.next().await, json!({ "type": "message", "class": class, "code": 200, "body": {} }));
        }
        assert_eq!(guest.closed().await.0, 1000);
    }
    let mut again = rig.guest().await;
    assert_eq!(again.configure(&guest.token).await["body"]["newSession"], true);
}

#[tokio::test]
async fn a_read_only_conversation_starts_anew_on_the_same_socket() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    let mut other = rig.guest().await;
    other.configure(&guest.token).await;
    rig.order(json!({ "do": "disconnect" }));
    let event = guest.next().await;
    assert_eq!(event["body"]["events"], json!([{ "eventType": "Presence", "presence": { "type": "Disconnect" } }]));
    assert_eq!(event["body"]["metadata"]["readOnly"], "true", "a string");
    assert_eq!(event["body"]["channel"]["messageId"], event["body"]["id"]);
    other.next().await;
    let refused = guest.ask("onMessage", json!({ "message": { "type": "Text", "text": "still there?" } })).await;
    assert_eq!(refused["code"], 409);
    let id = json!({ "deploymentId": rig.ready.deployment_id });
    let resumed = guest.ask("configureSession", id).await;
    assert_eq!((&resumed["body"]["readOnly"], &resumed["body"]["newSession"]), (&json!(true), &json!(false)));

    assert_eq!(guest.ask("closeSession", json!({})).await["code"], 4020);
    let closed = guest.ask("closeSession", json!({ "closeAllConnections": true })).await;
    assert_eq!(closed["body"], json!({ "connected": false, "newSession": false, "readOnly": true }));
    assert_eq!(other.next().await["class"], "ConnectionClosedEvent");
    assert_eq!(other.closed().await.0, 1000);
    let start = json!({ "deploymentId": rig.ready.deployment_id, "startNew": true });
    let fresh = guest.ask("configureSession", start).await;
    assert_eq!(
        (&fresh["body"]["newSession"], &fresh["body"]["readOnly"], &fresh["body"]["clearedExistingSession"]),
        (&json!(true), &json!(false), &json!(false))
    );
    guest.say("Hello", "ask").await;
    assert_eq!(guest.next().await["code"], 200);

    rig.order(json!({ "do": "disconnect", "read_only": false }));
    assert_eq!(guest.next().await["body"]["metadata"]["readOnly"], "false");
    guest.say("one more thing", "ask").await;
    assert_eq!(guest.next().await["code"], 200, "where it is not read-only, the next message goes on");
}

#[tokio::test]
async fn the_fourth_connection_pushes_the_oldest_out() {
    let rig = Rig::new().await;
    let mut guests: Vec<Guest> = Vec::new();
    for _ in 0..4 {
        let mut guest = rig.guest().await;
        guest.configure("7f0c3a52-3a55-4f2e-9b6d-2a8f2b7c1d10").await;
        guests.push(guest);
    }
    assert_eq!(guests[0].next().await["class"], "ConnectionClosedEvent");
    assert_eq!(guests[0].closed().await.0, 1000);
    for guest in &mut guests[1..] {
        guest.nothing_more().await;
    }
    assert_eq!(rig.sandbox.status().sessions[0].connections, ["c2", "c3", "c4"]);
}

/// Says something and gives what the partner does: typing is checked and left out.
async fn answers(guest: &mut Guest, text: &str, count: usize) -> Vec<Value> {
    guest.say(text, "said").await;
    assert_eq!(guest.next().await["tracingId"], "said");
    let mut all = Vec::new();
    let mut typed = false;
    while all.len() < count {
        let frame = guest.next().await;
        assert_eq!((&frame["type"], &frame["code"]), (&json!("message"), &json!(200)), "{frame}");
        assert_eq!(frame["body"]["direction"], "Outbound");
        if frame["body"]["events"][0]["eventType"] == "Typing" {
            assert_eq!(frame["body"]["events"][0]["typing"], json!({ "type": "On", "duration": 5000 }));
            typed = true;
        } else {
            assert!(typed, "it types before it answers");
            all.push(frame["body"].clone());
        }
    }
    all
}

#[tokio::test]
async fn the_partner_holds_up_its_end_of_the_conversation() {
    let rig = Rig::with(Options::default()).await;
    rig.order(json!({ "do": "set_limits", "messages_per_second": 100 }));
    let mut guest = rig.configured().await;
    let hello = answers(&mut guest, "Hello", 2).await;
    assert!(hello[0]["text"].as_str().unwrap().contains("help"), "greets on the first message");
    assert_eq!(hello[1]["text"], "You said: Hello");
    assert_eq!(
        hello[1]["channel"],
        json!({ "time": TIME, "type": "Private", "from": { "nickname": "Sandbox" }, "to": {} })
    );
    assert_eq!(hello[1]["originatingEntity"], "Bot");
    let quick = answers(&mut guest, "quick", 1).await;
    assert_eq!(quick[0]["type"], "Structured");
    assert_eq!(
        quick[0]["content"][0],
        json!({ "contentType": "QuickReply", "quickReply": { "text": "Yes", "payload": "yes", "action": "Message" } })
    );
    let card = answers(&mut guest, "card", 1).await;
    assert_eq!(card[0]["content"][0]["card"]["actions"][0]["type"], "Postback");
    let carousel = answers(&mut guest, "carousel", 1).await;
    assert_eq!(carousel[0]["content"][0]["carousel"]["cards"].as_array().unwrap().len(), 3);
    let agent = answers(&mut guest, "agent", 1).await;
    assert_eq!(agent[0]["originatingEntity"], "Human");
    let files = answers(&mut guest, "file", 2).await;
    let picture = &files[0]["content"][0]["attachment"];
    assert_eq!((&picture["mediaType"], &picture["mime"]), (&json!("Image"), &json!("image/png")));
    let bytes = rig.http.get(picture["url"].as_str().unwrap()).send().await.unwrap().bytes().await.unwrap();
    assert!(bytes.starts_with(b"\x89PNG") && json!(bytes.len()) == picture["fileSize"]);
    let bye = answers(&mut guest, "bye", 2).await;
    assert_eq!(bye[1]["events"][0]["presence"]["type"], "Disconnect");
}

#[tokio::test]
async fn with_conversation_disconnect_off_the_guest_never_learns_of_the_end() {
    let rig = Rig::with(Options::default()).await;
    rig.order(json!({ "do": "set_deployment", "conversation_disconnect": "off" }));
    let mut guest = rig.configured().await;
    let bye = answers(&mut guest, "bye", 2).await;
    assert_eq!(bye[1]["text"], "Goodbye.");
    assert_eq!(answers(&mut guest, "still there?", 1).await[0]["text"], "You said: still there?");
}

#[tokio::test]
async fn the_partner_greets_on_a_join_and_answers_buttons() {
    let rig = Rig::with(Options::default()).await;
    let mut guest = rig.configured().await;
    let join = json!({ "type": "Event", "events": [{ "eventType": "Presence", "presence": { "type": "Join" } }] });
    let echo = guest.ask("onMessage", json!({ "message": join })).await;
    assert_eq!(echo["body"]["direction"], "Inbound");
    assert_eq!(guest.next().await["body"]["events"][0]["eventType"], "Typing");
    assert!(guest.next().await["body"]["text"].as_str().unwrap().starts_with("Hello"));
    let press = json!({ "type": "Structured", "text": "Pick", "content": [{ "contentType": "ButtonResponse",
        "buttonResponse": { "type": "Button", "text": "Pick", "payload": "pick-a" } }] });
    guest.ask("onMessage", json!({ "message": press })).await;
    guest.next().await;
    let answer = guest.next().await;
    assert!(answer["body"]["text"].as_str().unwrap().contains("pick-a"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_guests_at_once_each_hear_their_own() {
    let rig = std::sync::Arc::new(Rig::new().await);
    let mut tasks = tokio::task::JoinSet::new();
    for k in 0..50 {
        let rig = std::sync::Arc::clone(&rig);
        tasks.spawn(async move {
            let mut guest = rig.configured().await;
            for n in 0..5 {
                let text = format!("{k}.{n}");
                guest.say(&text, &text).await;
                let echo = guest.next().await;
                assert_eq!((&echo["body"]["text"], &echo["tracingId"]), (&json!(text), &json!(text)));
            }
            guest.goodbye().await;
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(rig.sandbox.status().sessions.len(), 50);
}
