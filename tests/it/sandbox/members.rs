//! Guests who sign in: the identity provider, the three token calls, and what the socket makes of them.

use std::time::Duration;

use serde_json::{Value, json};

use super::agent::{Agent, guest_who_said, of_purpose};
use super::client::{Guest, Rig};

const CALLS: &str = "/api/v2/webdeployments/token";
const BACK: &str = "http://localhost:7777/back";

/// A code for this person, as a browser would get it.
async fn code(rig: &Rig, person: &str, more: &[(&str, &str)]) -> String {
    let mut query = vec![("response_type", "code"), ("redirect_uri", BACK), ("login_hint", person), ("state", "s1")];
    query.extend(more);
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let url = reqwest::Url::parse_with_params(&format!("{}/idp/authorize", rig.ready.api), query).unwrap();
    let answer = http.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    let to = reqwest::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    assert!(to.as_str().starts_with(BACK), "{to}");
    let pair = |name: &str| to.query_pairs().find(|(k, _)| k == name).map(|(_, v)| v.into_owned());
    assert_eq!(pair("state").as_deref(), Some("s1"));
    pair("code").unwrap()
}

async fn post(rig: &Rig, path: &str, body: Value) -> (u16, Value) {
    let answer = rig.http.post(format!("{}{CALLS}/{path}", rig.ready.api)).body(body.to_string());
    let answer = answer.header("content-type", "application/json").send().await.unwrap();
    assert!(answer.headers().contains_key("inin-correlation-id"));
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn exchange(rig: &Rig, oauth: Value) -> (u16, Value) {
    let deployment = &rig.ready.deployment_id;
    post(rig, "oauthcodegrantjwtexchange", json!({ "deploymentId": deployment, "oauth": oauth })).await
}

/// JWT and refresh token of this person.
async fn signed_in(rig: &Rig, person: &str) -> (String, String) {
    let code = code(rig, person, &[]).await;
    let (status, body) = exchange(rig, json!({ "code": code, "redirectUri": BACK })).await;
    assert_eq!(status, 200, "{body}");
    let of = |name: &str| body[name].as_str().unwrap().to_owned();
    (of("jwt"), of("refreshToken"))
}

async fn configure(guest: &mut Guest, token: &str, jwt: &str) -> Value {
    guest.token = token.to_owned();
    let deployment = guest.deployment_id.clone();
    let members = json!({ "deploymentId": deployment, "startNew": false, "data": { "code": jwt } });
    guest.act("configureAuthenticatedSession", "auth", members).await;
    loop {
        let frame = guest.next().await;
        if frame["tracingId"] == "auth" {
            return frame;
        }
    }
}

#[tokio::test]
async fn a_code_is_of_one_use_and_bound_to_what_it_was_made_for() {
    let rig = Rig::new().await;
    let first = code(&rig, "ada@x", &[]).await;
    let (status, body) = exchange(&rig, json!({ "code": first, "redirectUri": BACK })).await;
    assert_eq!(status, 200);
    assert_eq!(body["jwt"].as_str().unwrap().split('.').count(), 3);
    let refused = async |oauth: Value, part: &str| {
        let (status, body) = exchange(&rig, oauth).await;
        assert!(status == 400 && body["message"].as_str().unwrap().contains(part), "{status} {body}");
    };
    refused(json!({ "code": first, "redirectUri": BACK }), "used before").await;
    refused(json!({ "code": "made up", "redirectUri": BACK }), "not known").await;
    refused(json!({ "code": code(&rig, "a", &[]).await, "redirectUri": "http://localhost/" }), "redirectUri").await;
    refused(json!({ "code": code(&rig, "a", &[]).await }), "oauth.redirectUri").await;
    refused(json!({ "code": code(&rig, "a", &[("nonce", "n")]).await, "redirectUri": BACK }), "nonce").await;
    refused(json!({ "redirectUri": BACK }), "oauth.code").await;
    // RFC 7636, appendix B.
    let (verifier, challenge) =
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let pkce = [("code_challenge", challenge), ("code_challenge_method", "S256")];
    refused(json!({ "code": code(&rig, "a", &pkce).await, "redirectUri": BACK }), "codeVerifier").await;
    let good = json!({ "code": code(&rig, "a", &pkce).await, "redirectUri": BACK, "codeVerifier": verifier });
    assert_eq!(exchange(&rig, good).await.0, 200);
    let late = code(&rig, "a", &[]).await;
    rig.clock.advance(Duration::from_secs(61));
    refused(json!({ "code": late, "redirectUri": BACK }), "expired").await;
    let (status, _) = post(&rig, "oauthcodegrantjwtexchange", json!({ "deploymentId": "other", "oauth": {} })).await;
    assert_eq!(status, 404);
    rig.order(json!({ "do": "set_deployment", "auth_enabled": false }));
    assert_eq!(exchange(&rig, json!({ "code": "x", "redirectUri": BACK })).await.0, 403);
}

#[tokio::test]
async fn the_identity_provider_leads_to_this_computer_only() {
    let rig = Rig::new().await;
    for query in [
        "response_type=code&redirect_uri=https://evil.example/",
        "response_type=code",
        "response_type=password&redirect_uri=http://localhost/",
        "response_type=code&redirect_uri=http://localhost/&code_challenge=x&code_challenge_method=plain",
    ] {
        let answer = rig.get(&format!("/idp/authorize?{query}")).await;
        assert_eq!(answer.status(), 400, "{query}");
    }
    let own: Value = rig
        .get("/idp/authorize?response_type=id_token&response_mode=json&redirect_uri=https://shop.example/&nonce=n1")
        .await
        .json()
        .await
        .unwrap();
    let token = own["id_token"].as_str().unwrap();
    let (status, _) = exchange(&rig, json!({ "idToken": token, "nonce": "other" })).await;
    assert_eq!(status, 400);
    let (status, body) = exchange(&rig, json!({ "idToken": token, "nonce": "n1" })).await;
    assert_eq!(status, 200);
    assert!(body.get("refreshToken").is_none(), "the implicit grant has none");
    assert_eq!(exchange(&rig, json!({ "idToken": "e30.e30.x", "nonce": "n1" })).await.0, 400);
}

#[tokio::test]
async fn refresh_tokens_stay_or_rotate() {
    let rig = Rig::new().await;
    let (_, refresh) = signed_in(&rig, "ada").await;
    let renew = async |token: &str| post(&rig, "refresh", json!({ "refreshToken": token })).await;
    let (status, body) = renew(&refresh).await;
    assert!(status == 200 && body.get("refreshToken").is_none(), "{body}");
    rig.order(json!({ "do": "set_deployment", "auth_refresh_rotates": true }));
    let (_, body) = renew(&refresh).await;
    let next = body["refreshToken"].as_str().unwrap();
    assert_eq!(renew(&refresh).await.0, 401, "the old one is dead");
    assert_eq!(renew(next).await.0, 200);
    assert_eq!(renew("made up").await.0, 401);
    let (jwt, _) = signed_in(&rig, "ada").await;
    assert_eq!(renew(&jwt).await.0, 401, "a JWT renews nothing");
    rig.order(json!({ "do": "expire_token", "token": "guest-refresh" }));
    assert_eq!(post(&rig, "refresh", json!({})).await.0, 400);
    let status = rig.sandbox.status();
    assert!(
        status.tokens.iter().any(|t| t.kind == "guest-auth") && status.tokens.iter().any(|t| t.kind == "guest-refresh")
    );
}

#[tokio::test]
async fn an_authenticated_session_is_that_of_its_guest() {
    let rig = Rig::new().await;
    let (jwt, _) = signed_in(&rig, "ada.lovelace@x").await;
    let mut one = rig.guest().await;
    let answer = configure(&mut one, "token-1", &jwt).await;
    assert_eq!((&answer["class"], &answer["body"]["newSession"]), (&json!("SessionResponse"), &json!(true)));
    one.say("hello", "m1").await;
    assert_eq!(one.next().await["body"]["metadata"]["authenticated"], "true");
    // A tab of the same browser.
    let mut tab = rig.guest().await;
    assert_eq!(configure(&mut tab, "token-1", &jwt).await["body"]["newSession"], false);
    // A session that was signed in is no guest's any more.
    let mut guest = rig.guest().await;
    guest.token = "token-1".into();
    let deployment = guest.deployment_id.clone();
    let answer = guest.ask("configureSession", json!({ "deploymentId": deployment })).await;
    assert_eq!(answer["code"], 4017, "{answer}");
    // Nor another guest's.
    let (other, _) = signed_in(&rig, "grace").await;
    let answer = configure(&mut guest, "token-1", &other).await;
    assert_eq!(answer["code"], 403);
    assert!(answer["body"].as_str().unwrap().starts_with("Session authentication failed"));
    // The same guest on another device: the conversation goes on there, and the first one hears why.
    let mut phone = rig.guest().await;
    assert_eq!(configure(&mut phone, "token-2", &jwt).await["body"]["newSession"], false);
    for first in [&mut one, &mut tab] {
        let frame = first.next().await;
        assert_eq!((&frame["class"], &frame["body"]["reason"]), (&json!("ConnectionClosedEvent"), &json!("signedIn")));
        first.closed().await;
    }
    assert_eq!(rig.sandbox.status().sessions[0].member.as_deref(), Some("ada.lovelace@x"));
    for (jwt, code) in [("", 4020), ("made.up.jwt", 401)] {
        assert_eq!(configure(&mut guest, "token-3", jwt).await["code"], code, "{jwt}");
    }
    rig.order(json!({ "do": "expire_token", "token": "guest-auth" }));
    assert_eq!(configure(&mut guest, "token-3", &jwt).await["code"], 401);
}

#[tokio::test]
async fn a_guests_session_is_stepped_up_where_the_deployment_allows_it() {
    let rig = Rig::new().await;
    let (jwt, _) = signed_in(&rig, "ada.lovelace@x").await;
    let mut laptop = rig.guest().await;
    configure(&mut laptop, "token-1", &jwt).await;
    let mut guest = rig.configured().await;
    guest.say("before", "m1").await;
    assert_eq!(guest.next().await["body"]["metadata"].get("authenticated"), None);
    let token = guest.token.clone();
    rig.order(json!({ "do": "set_deployment", "auth_allow_session_upgrade": false }));
    let answer = configure(&mut guest, &token, &jwt).await;
    assert!(answer["code"] == 403 && answer["body"].as_str().unwrap().contains("upgrade"), "{answer}");
    rig.order(json!({ "do": "set_deployment", "auth_allow_session_upgrade": true }));
    let deployment = guest.deployment_id.clone();
    guest
        .act(
            "configureAuthenticatedSession",
            "up",
            json!({ "deploymentId": deployment, "startNew": false, "data": { "code": jwt } }),
        )
        .await;
    let event = guest.next().await;
    assert_eq!(event["body"]["events"][0]["presence"]["type"], "SignIn", "{event}");
    assert_eq!(event["body"]["channel"]["from"], json!({ "firstName": "Ada", "lastName": "Lovelace" }));
    let answer = guest.next().await;
    assert_eq!((&answer["tracingId"], &answer["body"]["clearedExistingSession"]), (&json!("up"), &json!(true)));
    assert_eq!(laptop.next().await["body"]["reason"], "signedIn");
    guest.say("after", "m2").await;
    assert_eq!(guest.next().await["body"]["metadata"]["authenticated"], "true");
}

#[tokio::test]
async fn a_logout_reaches_every_socket_and_ends_the_tokens() {
    let rig = Rig::new().await;
    let (jwt, refresh) = signed_in(&rig, "ada").await;
    let (mut one, mut two) = (rig.guest().await, rig.guest().await);
    configure(&mut one, "token-1", &jwt).await;
    configure(&mut two, "token-1", &jwt).await;
    let revoke = async |token: &str| {
        let url = format!("{}{CALLS}/revoke", rig.ready.api);
        rig.http.delete(url).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    assert_eq!(revoke("made up").await, 401);
    assert_eq!(revoke(&jwt).await, 200);
    assert_eq!(one.next().await["class"], "LogoutEvent");
    assert_eq!(two.next().await["class"], "LogoutEvent");
    assert_eq!(revoke(&jwt).await, 401);
    assert_eq!(post(&rig, "refresh", json!({ "refreshToken": refresh })).await.0, 401);
    assert_eq!(configure(&mut one, "token-1", &jwt).await["code"], 401);
}

#[tokio::test]
async fn sign_ins_are_refused_by_order_and_the_deployment_says_what_it_allows() {
    let rig = Rig::new().await;
    let path = format!("/webdeployments/v1/deployments/{}/config.json", rig.ready.deployment_id);
    let config: Value = rig.get(&path).await.json().await.unwrap();
    assert_eq!(config["auth"], json!({ "enabled": true, "allowSessionUpgrade": true }));
    let (jwt, _) = signed_in(&rig, "ada").await;
    let mut guest = rig.guest().await;
    rig.order(json!({ "do": "refuse_guest_auth", "count": 1, "code": 403, "text": "Try to authenticate again" }));
    let answer = configure(&mut guest, "t", &jwt).await;
    assert_eq!((&answer["code"], &answer["body"]), (&json!(403), &json!("Try to authenticate again")));
    assert_eq!(configure(&mut guest, "t", &jwt).await["code"], 200);
    rig.order(json!({ "do": "set_deployment", "auth_enabled": false }));
    let config: Value = rig.get(&path).await.json().await.unwrap();
    assert_eq!(config["auth"]["enabled"], false);
    assert_eq!(configure(&mut guest, "t", &jwt).await["code"], 403);
}

#[tokio::test]
async fn agents_see_whether_a_guest_has_signed_in() {
    let rig = Rig::new().await;
    let agent = Agent::on_queue(&rig, 0).await;
    let mut guest = guest_who_said(&rig, "Hello").await;
    let part = agent.answer().await;
    let told = async |conversation: &str| {
        let media = agent.get(&format!("/api/v2/conversations/messages/{conversation}")).await;
        let generic = agent.get(&format!("/api/v2/conversations/{conversation}")).await;
        let own = of_purpose(&media, "customer")[0]["authenticated"].clone();
        assert_eq!(of_purpose(&generic, "customer")[0]["messages"][0]["authenticated"], own);
        assert_eq!(of_purpose(&media, "agent")[0]["authenticated"], false);
        own
    };
    assert_eq!(told(&part.conversation).await, false);
    let (_, mut socket) = agent.listen(&rig, &["conversations.messages"]).await;
    let (jwt, _) = signed_in(&rig, "ada.lovelace@x").await;
    let token = guest.token.clone();
    configure(&mut guest, &token, &jwt).await;
    let pushed = socket.next().await["eventBody"].clone();
    assert_eq!(of_purpose(&pushed, "customer")[0]["authenticated"], true, "it is told at once");
    assert_eq!(told(&part.conversation).await, true);
    // One who signs in before a word is said.
    let (jwt, _) = signed_in(&rig, "grace").await;
    let mut other = rig.guest().await;
    configure(&mut other, "token-9", &jwt).await;
    other.say("hello", "m1").await;
    other.next().await;
    let all = agent.conversations().await;
    let second = all.iter().find(|c| c["id"] != part.conversation).unwrap();
    assert_eq!(told(second["id"].as_str().unwrap()).await, true);
}
