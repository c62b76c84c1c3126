//! Sizes and rates.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Rig;

fn text(s: String) -> Value {
    json!({ "message": { "type": "Text", "text": s } })
}

#[tokio::test]
async fn sizes_are_counted_in_bytes() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    assert_eq!(guest.ask("onMessage", text("ä".repeat(2048))).await["code"], 200);
    let answer = guest.ask("onMessage", text("ä".repeat(2500))).await;
    assert_eq!((&answer["code"], &answer["body"]), (&json!(4011), &json!("Message length 5000 is larger than 4096")));
    for place in ["inner", "outer"] {
        let attributes = |bytes: usize| {
            let metadata = json!({ "metadata": { "customAttributes": { "key": "ä".repeat(bytes / 2) } } });
            match place {
                "inner" => json!({ "message": { "type": "Text", "text": "x", "channel": metadata } }),
                _ => json!({ "message": { "type": "Text", "text": "x" }, "channel": metadata }),
            }
        };
        rig.clock.advance(Duration::from_secs(1));
        assert_eq!(guest.ask("onMessage", attributes(2044)).await["code"], 200, "2047 with the key");
        let answer = guest.ask("onMessage", attributes(2046)).await;
        assert_eq!(
            (&answer["code"], &answer["body"]),
            (&json!(4013), &json!("Custom Attributes in channel metadata is larger than 2048 bytes"))
        );
    }
}

#[tokio::test]
async fn a_message_over_the_transport_limit_closes_with_1009() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    guest.say(&"x".repeat(129 * 1024), "a").await;
    assert_eq!(guest.closed().await.0, 1009);
}

#[tokio::test]
async fn five_messages_a_second_are_enough() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    for _ in 0..5 {
        assert_eq!(guest.ask("onMessage", text("x".into())).await["code"], 200);
    }
    assert_eq!(
        guest.ask("onMessage", text("x".into())).await,
        json!({ "type": "response", "class": "TooManyRequestsErrorMessage", "code": 429, "tracingId": "ask", "body": {
            "retryAfter": 1, "errorCode": 4029, "errorMessage": "Message rate too high for this session" } })
    );
    rig.clock.advance(Duration::from_secs(1));
    assert_eq!(guest.ask("onMessage", text("x".into())).await["code"], 200);
}

#[tokio::test]
async fn requests_configures_and_health_checks_have_their_own_rates() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    let ping = json!({ "message": { "type": "Text", "text": "ping" } });
    for code in [200, 200, 429] {
        assert_eq!(guest.ask("echo", ping.clone()).await["code"], code);
    }
    rig.clock.advance(Duration::from_secs(15));
    let answer = guest.ask("echo", ping).await;
    assert_eq!(answer["body"]["retryAfter"], 45);
    // One configure, four echoes, and now as many as are left of sixty.
    for k in 5..60 {
        assert_eq!(guest.ask("getJwt", json!({})).await["code"], 200, "{k}");
    }
    assert_eq!(guest.ask("getJwt", json!({})).await["code"], 429);
    let mut second = rig.guest().await;
    second.configure(&guest.token).await;
    rig.order(json!({ "do": "set_limits", "configures_per_minute": 3 }));
    let id = json!({ "deploymentId": rig.ready.deployment_id });
    assert_eq!(second.ask("configureSession", id.clone()).await["code"], 200);
    assert_eq!(second.ask("configureSession", id).await["code"], 429, "the first counts, too");
}
