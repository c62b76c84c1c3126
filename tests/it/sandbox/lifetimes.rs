//! What ends when, by a clock that a test moves.

use std::time::Duration;

use serde_json::{Value, json};
use sessionscope::model::Clock;
use sessionscope::sandbox::Options;

use super::client::Rig;

#[tokio::test]
async fn a_session_expires_without_a_message_and_any_message_puts_it_off() {
    let rig = Rig::with(Options { session_ttl_secs: 100, ..Options::default() }).await;
    rig.order(json!({ "do": "pause_partner", "on": true }));
    let mut guest = rig.configured().await;
    rig.clock.advance(Duration::from_secs(99));
    guest.say("still here", "ask").await;
    assert_eq!(guest.next().await["code"], 200);
    rig.clock.advance(Duration::from_secs(99));
    rig.order(json!({ "do": "say", "text": "so am I" }));
    assert_eq!(guest.next().await["body"]["text"], "so am I");
    rig.clock.advance(Duration::from_secs(99));
    guest.nothing_more().await;
    rig.clock.advance(Duration::from_secs(1));
    // The sweeper does it: nothing else happens.
    assert_eq!(
        guest.next().await,
        json!({ "type": "message", "class": "SessionExpiredEvent", "code": 200, "body": {} })
    );
    let ping = json!({ "message": { "type": "Text", "text": "ping" } });
    assert_eq!(
        guest.ask("echo", ping).await,
        json!({ "type": "response", "class": "SessionExpiredEvent", "code": 200, "body": {}, "tracingId": "ask" })
    );
    let text = json!({ "message": { "type": "Text", "text": "x" } });
    assert_eq!(guest.ask("onMessage", text).await["code"], 4006);
    let id = rig.ready.deployment_id.clone();
    assert_eq!(guest.ask("configureSession", json!({ "deploymentId": id })).await["code"], 4006);
    let fresh = guest.ask("configureSession", json!({ "deploymentId": id, "startNew": true })).await;
    assert_eq!((&fresh["body"]["newSession"], &fresh["body"]["clearedExistingSession"]), (&json!(true), &json!(false)));
    assert_eq!(fresh["body"]["durationSeconds"], 100);
}

#[tokio::test]
async fn quiet_and_old_connections_are_closed() {
    let rig = Rig::new().await;
    let mut quiet = rig.configured().await;
    rig.clock.advance(Duration::from_secs(599));
    assert!(quiet.pings().await, "a ping is a sign of life");
    rig.clock.advance(Duration::from_secs(599));
    quiet.nothing_more().await;
    rig.clock.advance(Duration::from_secs(600));
    assert_eq!(quiet.closed().await.0, 1001);
    rig.order(json!({ "do": "set_deployment", "connection_secs": 900 }));
    let mut old = rig.configured().await;
    rig.clock.advance(Duration::from_secs(500));
    old.nothing_more().await;
    rig.clock.advance(Duration::from_secs(400));
    assert_eq!(old.closed().await.0, 1001);
}

#[tokio::test]
async fn the_history_is_read_with_a_jwt_while_it_lives() {
    let rig = Rig::with(Options { jwt_ttl_secs: 60, ..Options::default() }).await;
    rig.order(json!({ "do": "pause_partner", "on": true }));
    let mut guest = rig.configured().await;
    for k in 1..=3 {
        guest.say(&format!("message {k}"), "ask").await;
        assert_eq!(guest.next().await["code"], 200);
    }
    let typing = json!({ "type": "Event", "events": [{ "eventType": "Typing", "typing": { "type": "On" } }] });
    guest.ask("onMessage", json!({ "message": typing })).await;
    let answer = guest.ask("getJwt", json!({})).await;
    assert_eq!((&answer["type"], &answer["class"]), (&json!("response"), &json!("JwtResponse")));
    assert_eq!(answer["body"]["exp"], rig.clock.now().wall.as_secs() + 60);
    let jwt = answer["body"]["jwt"].as_str().unwrap().to_owned();
    assert_eq!(jwt.split('.').count(), 3);
    let page = async |query: &str, token: &str| {
        let url = format!("{}/api/v2/webmessaging/messages{query}", rig.ready.api);
        let answer = rig.http.get(url).header("authorization", format!("bearer {token}")).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, first) = page("?pageNumber=1&pageSize=2", &jwt).await;
    assert_eq!(status, 200);
    assert_eq!(
        (&first["total"], &first["pageCount"], &first["pageSize"], &first["pageNumber"]),
        (&json!(3), &json!(2), &json!(2), &json!(1))
    );
    let texts = |page: &Value| -> Vec<String> {
        page["entities"].as_array().unwrap().iter().map(|e| e["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(texts(&first), ["message 3", "message 2"], "newest first");
    let entity = &first["entities"][0];
    assert_eq!(
        (&entity["direction"], &entity["content"], &entity["originatingEntity"]),
        (&json!("Inbound"), &json!([]), &json!("Human"))
    );
    assert_eq!(texts(&page("?pageNumber=2&pageSize=2", &jwt).await.1), ["message 1"]);
    assert!(texts(&page("?pageNumber=3&pageSize=2", &jwt).await.1).is_empty());
    assert_eq!(page("?pageSize=0", &jwt).await.1["code"], "invalid.value");

    let mut broken = jwt.clone();
    broken.pop();
    assert_eq!(page("", &broken).await.1["code"], "bad.credentials");
    rig.clock.advance(Duration::from_secs(59));
    assert_eq!(page("", &jwt).await.0, 200);
    rig.clock.advance(Duration::from_secs(1));
    let (status, body) = page("", &jwt).await;
    assert_eq!((status, &body["code"], &body["status"]), (401, &json!("credentials.expired"), &json!(401)));

    let jwt = guest.ask("getJwt", json!({})).await["body"]["jwt"].as_str().unwrap().to_owned();
    rig.clock.advance(Duration::from_secs(30));
    rig.order(json!({ "do": "expire_token", "token": "jwt", "in_seconds": 10 }));
    assert_eq!(page("", &jwt).await.0, 200);
    rig.clock.advance(Duration::from_secs(10));
    assert_eq!(page("", &jwt).await.0, 401);
}

#[tokio::test]
async fn ten_pages_of_history_a_minute_are_enough() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    let jwt = guest.ask("getJwt", json!({})).await["body"]["jwt"].as_str().unwrap().to_owned();
    let url = format!("{}/api/v2/webmessaging/messages", rig.ready.api);
    for k in 1..=11 {
        let answer = rig.http.get(&url).bearer_auth(&jwt).send().await.unwrap();
        if k <= 10 {
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.headers()["inin-ratelimit-allowed"], "300");
            assert_eq!(answer.headers()["inin-ratelimit-count"], k.to_string().as_str());
            assert!(answer.headers().contains_key("inin-ratelimit-reset"));
        } else {
            assert_eq!(answer.status(), 429);
            assert_eq!(answer.headers()["retry-after"], "60");
            assert_eq!(answer.json::<Value>().await.unwrap()["code"], "too.many.requests");
        }
    }
}

#[tokio::test]
async fn a_wrong_clock_shows_everywhere_and_changes_no_life() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "clock_skew", "seconds": -3600 }));
    let mut guest = rig.guest().await;
    let answer = guest.configure("7f0c3a52-3a55-4f2e-9b6d-2a8f2b7c1d10").await;
    assert_eq!(answer["body"]["expirationDate"], 1_767_705_975 + 259_200 - 3600);
    guest.say("x", "ask").await;
    assert_eq!(guest.next().await["body"]["channel"]["time"], "2026-01-06T12:26:15.174Z");
    let answer = rig.get("/control").await;
    assert_eq!(answer.headers()["date"], "Tue, 06 Jan 2026 12:26:15 GMT");
    rig.order(json!({ "do": "clock_skew", "seconds": 0 }));
    assert_eq!(rig.get("/nowhere").await.headers()["date"], "Tue, 06 Jan 2026 13:26:15 GMT");
    let mut socket = super::client::Guest::open(&rig, &[]).await.unwrap();
    assert_eq!(socket.1.headers()["date"], "Tue, 06 Jan 2026 13:26:15 GMT", "on the upgrade, too");
    socket.0.nothing_more().await;
}
