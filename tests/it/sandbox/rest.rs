//! Tokens, public files, and the platform's manners.

use std::time::Duration;

use serde_json::{Value, json};
use sessionscope::sandbox::Options;

use super::client::Rig;

async fn body(answer: reqwest::Response) -> (u16, Value) {
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn access_token(rig: &Rig) -> String {
    let answer = rig
        .http
        .post(format!("{}/oauth/token", rig.ready.login))
        .basic_auth(&rig.ready.client_id, Some(&rig.ready.client_secret))
        .form(&[("grant_type", "client_credentials")])
        .send()
        .await
        .unwrap();
    assert!(answer.headers().contains_key("inin-correlation-id"));
    let (status, body) = body(answer).await;
    assert_eq!((status, &body["token_type"], &body["expires_in"]), (200, &json!("bearer"), &json!(900)));
    body["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_client_gets_a_token_by_basic_or_form() {
    let rig = Rig::new().await;
    let url = format!("{}/oauth/token", rig.ready.login);
    let first = access_token(&rig).await;
    assert!(first.len() > 60);
    let form = |secret: &str, grant: &str| {
        rig.http
            .post(&url)
            .form(&[("grant_type", grant), ("client_id", &rig.ready.client_id), ("client_secret", secret)])
            .send()
    };
    let (status, good) = body(form(&rig.ready.client_secret, "client_credentials").await.unwrap()).await;
    assert_eq!(status, 200);
    assert_ne!(good["access_token"], json!(first));
    let (status, wrong) = body(form("guess", "client_credentials").await.unwrap()).await;
    assert_eq!((status, &wrong["error"]), (400, &json!("invalid_client")));
    assert!(wrong["description"].is_string() && wrong["error_description"].is_string());
    let (_, grant) = body(form(&rig.ready.client_secret, "password").await.unwrap()).await;
    assert_eq!(grant["error"], "unsupported_grant_type");
    let (_, none) = body(rig.http.post(&url).send().await.unwrap()).await;
    assert_eq!(none["error"], "invalid_client");
}

#[tokio::test]
async fn an_access_token_is_checked_expires_and_is_revoked() {
    let rig = Rig::new().await;
    let url = format!("{}/api/v2/tokens/me", rig.ready.api);
    let token = access_token(&rig).await;
    let get = async |token: &str| rig.http.get(&url).bearer_auth(token).send().await.unwrap();
    let good = get(&token).await;
    for name in ["inin-correlation-id", "inin-ratelimit-count", "inin-ratelimit-allowed", "inin-ratelimit-reset"] {
        assert!(good.headers().contains_key(name), "{name}");
    }
    assert_eq!(body(good).await.1["OAuthClient"]["id"], json!(rig.ready.client_id));
    assert_eq!(rig.http.head(&url).bearer_auth(&token).send().await.unwrap().status(), 200);
    let none = rig.http.get(&url).send().await.unwrap();
    let id = none.headers()["inin-correlation-id"].to_str().unwrap().to_owned();
    assert_eq!(
        body(none).await,
        (
            401,
            json!({ "message": "No authentication bearer token specified in authorization header.",
            "code": "authentication.required", "status": 401, "contextId": id, "details": [], "errors": [] })
        )
    );
    assert_eq!(body(get("guess").await).await.1["code"], "bad.credentials");
    rig.clock.advance(Duration::from_secs(899));
    assert_eq!(get(&token).await.status(), 200);
    rig.clock.advance(Duration::from_secs(1));
    assert_eq!(body(get(&token).await).await.1["code"], "credentials.expired");
    assert_eq!(rig.http.head(&url).bearer_auth(&token).send().await.unwrap().status(), 401);

    let token = access_token(&rig).await;
    assert_eq!(rig.http.delete(&url).bearer_auth(&token).send().await.unwrap().status(), 200);
    assert_eq!(body(get(&token).await).await.1["code"], "bad.credentials");

    let token = access_token(&rig).await;
    rig.order(json!({ "do": "expire_token", "token": "oauth" }));
    assert_eq!(get(&token).await.status(), 401);
    let token = access_token(&rig).await;
    let id = rig.sandbox.status().tokens.last().unwrap().id.clone();
    rig.order(json!({ "do": "expire_token", "token": id }));
    assert_eq!(get(&token).await.status(), 401);
}

#[tokio::test]
async fn requests_are_refused_by_order() {
    let rig = Rig::new().await;
    rig.order(json!({ "do": "refuse_requests", "count": 1, "status": 503, "retry_after": 7 }));
    let answer = rig.get("/api/v2/tokens/me").await;
    assert_eq!(answer.headers()["retry-after"], "7");
    assert_eq!(body(answer).await.1["code"], "service.unavailable");
    access_token(&rig).await;
}

#[tokio::test]
async fn the_deployment_is_public_and_unknown_ones_are_denied() {
    let rig = Rig::new().await;
    let base = format!("/webdeployments/v1/deployments/{}", rig.ready.deployment_id);
    let (status, config) = body(rig.get(&format!("{base}/config.json")).await).await;
    assert_eq!((status, &config["id"], &config["status"]), (200, &json!(rig.ready.deployment_id), &json!("Active")));
    let app = &config["messenger"]["apps"]["conversations"];
    assert_eq!((&app["autoStart"]["enabled"], &app["conversationClear"]["enabled"]), (&json!(true), &json!(true)));
    assert_eq!(app["conversationDisconnect"], json!({ "enabled": true, "type": "ReadOnly" }));
    assert_eq!(config["messenger"]["fileUpload"]["modes"][0]["maxFileSizeKB"], 10_240);
    let (_, domains) = body(rig.get(&format!("{base}/domains.json")).await).await;
    assert_eq!(domains, json!({ "allowAllDomains": true, "allowedDomains": [] }));
    rig.order(json!({ "do": "set_deployment", "active": false, "auto_start": false, "conversation_disconnect": "off",
        "allow_all_domains": false, "allowed_domains": ["example.com"] }));
    let (_, config) = body(rig.get(&format!("{base}/config.json")).await).await;
    let app = &config["messenger"]["apps"]["conversations"];
    assert_eq!((&config["status"], &app["autoStart"]["enabled"]), (&json!("Inactive"), &json!(false)));
    assert_eq!(app["conversationDisconnect"]["enabled"], false);
    let (_, domains) = body(rig.get(&format!("{base}/domains.json")).await).await;
    assert_eq!(domains["allowedDomains"], json!(["example.com"]));
    for file in ["config.json", "domains.json"] {
        assert_eq!(rig.get(&format!("/webdeployments/v1/deployments/other/{file}")).await.status(), 403);
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_in_the_platform_form() {
    let rig = Rig::new().await;
    let (status, error) = body(rig.get("/api/v2/nowhere").await).await;
    assert_eq!((status, &error["code"], &error["status"]), (404, &json!("not.found"), &json!(404)));
    let answer = rig.http.post(format!("{}/api/v2/tokens/me", rig.ready.api)).send().await.unwrap();
    assert_eq!(answer.status(), 405);
}

#[tokio::test]
async fn ids_are_made_anew_and_the_secret_is_in_the_ready_line_only() {
    let rig = Rig::new().await;
    let other = Rig::with(Options::default()).await;
    for (a, b) in [
        (&rig.ready.deployment_id, &other.ready.deployment_id),
        (&rig.ready.client_id, &other.ready.client_id),
        (&rig.ready.client_secret, &other.ready.client_secret),
    ] {
        assert_ne!(a, b);
    }
    let mut guest = rig.configured().await;
    let jwt = guest.ask("getJwt", json!({})).await["body"]["jwt"].as_str().unwrap().to_owned();
    let token = access_token(&rig).await;
    let status = rig.get("/control").await.text().await.unwrap();
    let debug = format!("{:?}", rig.ready);
    for secret in [&rig.ready.client_secret, &guest.token, &jwt, &token] {
        assert!(!status.contains(secret.as_str()) && !debug.contains(secret.as_str()));
    }
    let env = rig.sandbox.environment();
    assert!(env.name == "Sandbox" && env.client_secret.is_none());
    assert_eq!(env.hosts().unwrap().guest_socket, rig.ready.guest_socket);
    let line: Value = serde_json::to_value(&rig.ready).unwrap();
    let keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "agents",
            "api",
            "cdn",
            "client_id",
            "client_secret",
            "control",
            "deployment_id",
            "guest_socket",
            "login",
            "pkce_client_id",
            "queue_id",
            "queues",
            "streaming"
        ]
    );
}

#[tokio::test]
async fn stopping_says_goodbye_and_frees_the_port() {
    let rig = Rig::new().await;
    let mut guest = rig.configured().await;
    let address = rig.address().to_owned();
    let stopped = tokio::spawn(rig.sandbox.stop());
    assert_eq!(guest.closed().await.0, 1001);
    guest.goodbye().await;
    tokio::time::timeout(super::client::PATIENCE, stopped).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
