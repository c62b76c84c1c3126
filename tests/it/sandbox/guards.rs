//! Who is kept out.

use serde_json::{Value, json};
use sessionscope::sandbox::{Options, Sandbox};
use tokio_tungstenite::tungstenite::Error;

use super::client::{Guest, Rig};

/// The HTTP status with which an upgrade is refused.
async fn refused(rig: &Rig, query: &str, headers: &[(&'static str, &str)]) -> u16 {
    match Guest::open_with(rig, query, headers).await {
        Err(Error::Http(answer)) => answer.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the upgrade was taken"),
    }
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let options = Options { listen: listen.parse().unwrap(), ..Options::default() };
        let report = Sandbox::start(options, sessionscope::model::SystemClock::shared()).await.err().unwrap();
        assert_eq!(report.code, "sandbox-not-loopback");
    }
    let rig = Rig::new().await;
    let options = Options { listen: rig.address().parse().unwrap(), ..Options::default() };
    let report = Sandbox::start(options, rig.clock.clone()).await.err().unwrap();
    assert_eq!(report.code, "sandbox-not-bound", "the port is taken");
}

#[tokio::test]
async fn a_foreign_host_is_refused_everywhere() {
    let rig = Rig::new().await;
    let port = rig.address().rsplit(':').next().unwrap().to_owned();
    let query = format!("deploymentId={}", rig.ready.deployment_id);
    for host in [format!("evil.example:{port}"), "127.0.0.1:1".to_owned(), "192.168.1.1".to_owned()] {
        for path in ["/control", "/api/v2/tokens/me", "/nowhere"] {
            let answer = rig.http.get(format!("{}{path}", rig.ready.api)).header("host", &host).send().await.unwrap();
            assert_eq!(answer.status(), 403);
            assert!(answer.text().await.unwrap().contains(&host), "the body says why");
        }
        assert_eq!(refused(&rig, &query, &[("host", &host)]).await, 403);
    }
    for host in [format!("localhost:{port}"), format!("API.localhost:{port}"), format!("127.9.9.9:{port}")] {
        let answer = rig.http.get(&rig.ready.control).header("host", &host).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        Guest::open(&rig, &[("host", &host)]).await.unwrap().0.nothing_more().await;
    }
}

#[tokio::test]
async fn pages_of_foreign_sites_are_refused() {
    let options = Options { allow_origins: vec!["https://app.example.com".to_owned()], ..Options::default() };
    let rig = Rig::with(options).await;
    let query = format!("deploymentId={}", rig.ready.deployment_id);
    for origin in ["https://evil.example", "null", "http://127.0.0.1.evil.example", "file://"] {
        let answer = rig.http.get(&rig.ready.control).header("origin", origin).send().await.unwrap();
        assert_eq!(answer.status(), 403);
        assert!(answer.headers().get("access-control-allow-origin").is_none());
        assert_eq!(refused(&rig, &query, &[("origin", origin)]).await, 403);
    }
    for origin in ["http://localhost:5173", "https://app.example.com", "https://127.0.0.1"] {
        let url = format!("{}/oauth/token", rig.ready.login);
        let preflight = rig
            .http
            .request(reqwest::Method::OPTIONS, url)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,x-novelty")
            .send()
            .await
            .unwrap();
        assert_eq!(preflight.status(), 204);
        assert_eq!(preflight.headers()["access-control-allow-origin"], origin);
        assert_eq!(preflight.headers()["access-control-allow-headers"], "authorization,x-novelty");
        let answer = rig.http.get(&rig.ready.control).header("origin", origin).send().await.unwrap();
        assert_eq!(answer.headers()["access-control-allow-origin"], origin);
        Guest::open(&rig, &[("origin", origin)]).await.unwrap();
    }
    // As the vendor's mobile SDK sends it.
    Guest::open(&rig, &[("origin", "webmessaging.mypurecloud.ie")]).await.unwrap();
}

#[tokio::test]
async fn an_upgrade_needs_a_known_active_deployment_and_an_allowed_origin() {
    let rig = Rig::new().await;
    let query = format!("deploymentId={}", rig.ready.deployment_id);
    assert_eq!(refused(&rig, "deploymentId=other", &[]).await, 403);
    assert_eq!(refused(&rig, "", &[]).await, 403);
    rig.order(json!({ "do": "set_deployment", "active": false }));
    assert_eq!(refused(&rig, &query, &[]).await, 403);
    rig.order(json!({ "do": "set_deployment", "active": true, "allow_all_domains": false, "allowed_domains": ["example.com"] }));
    assert_eq!(refused(&rig, &query, &[]).await, 403, "none is not on the list");
    assert_eq!(refused(&rig, &query, &[("origin", "webmessaging.mypurecloud.ie")]).await, 403);
    Guest::open(&rig, &[("origin", "shop.Example.com")]).await.unwrap();
    rig.order(json!({ "do": "refuse_upgrades", "count": 2, "status": 503 }));
    for _ in 0..2 {
        assert_eq!(refused(&rig, &query, &[("origin", "example.com")]).await, 503);
    }
    // What else the fault list wants: without `application`, and with a header of the Java SDK.
    let headers = [("origin", "example.com"), ("deploymentid", rig.ready.deployment_id.as_str())];
    let (mut guest, answer) = Guest::open_with(&rig, &query, &headers).await.unwrap();
    assert_eq!(answer.status(), 101);
    guest.nothing_more().await;
}

#[tokio::test]
async fn what_is_no_handshake_is_told_so() {
    let rig = Rig::new().await;
    assert_eq!(rig.get("/v1").await.status(), 426);
    let upgrade = |version: &'static str, key: &'static str| {
        rig.http
            .get(format!("{}/v1?deploymentId={}", rig.ready.api, rig.ready.deployment_id))
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "WebSocket")
            .header("sec-websocket-version", version)
            .header("sec-websocket-key", key)
            .send()
    };
    assert_eq!(upgrade("8", "dGhlIHNhbXBsZSBub25jZQ==").await.unwrap().status(), 400);
    assert_eq!(upgrade("13", "short").await.unwrap().status(), 400);
    let answer = upgrade("13", "dGhlIHNhbXBsZSBub25jZQ==").await.unwrap();
    assert_eq!(answer.status(), 101);
    // The example of RFC 6455.
    assert_eq!(answer.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[tokio::test]
async fn orders_need_a_json_content_type() {
    let rig = Rig::new().await;
    let post = async |kind: &str, body: &str| {
        let request = rig.http.post(&rig.ready.control).header("content-type", kind).body(body.to_owned());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let order = r#"{"do":"delay","millis":0}"#;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        assert_eq!(post(kind, order).await.0, 415);
    }
    assert_eq!(post("application/json; charset=utf-8", order).await.0, 200);
    let (status, body) = post("application/json", r#"{"do":"delay","millis":"soon"}"#).await;
    assert_eq!(status, 400);
    assert!(body["error"].as_str().unwrap().starts_with("millis: "), "{body}");
    let (status, body) = post("application/json", r#"{"do":"say","session":"s9","text":"x"}"#).await;
    assert_eq!((status, &body["error"]), (400, &json!("session: there is no s9")));
}
