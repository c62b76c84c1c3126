//! People who sign in: the authorization page, codes with PKCE, refresh tokens, and what ends them.

use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Response, redirect};
use serde_json::{Value, json};
use url::Url;

use super::client::Rig;

const BACK: &str = "http://localhost:8400/callback";
const VERIFIER: &str = "0123456789-0123456789_0123456789.0123456789~abc";

/// A browser that goes nowhere by itself.
struct Browser {
    rig: Rig,
    http: reqwest::Client,
}

impl Browser {
    async fn new() -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
        Self { rig: Rig::new().await, http }
    }

    /// What a public client asks for, with more or other words; an empty one leaves a word out.
    fn words(&self, other: &[(&str, &str)]) -> HashMap<String, String> {
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes()));
        let mut words: HashMap<String, String> = [
            ("response_type", "code"),
            ("client_id", self.rig.ready.pkce_client_id.as_str()),
            ("redirect_uri", BACK),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("state", "st ate&1"),
        ]
        .iter()
        .chain(other)
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
        words.retain(|_, v| !v.is_empty());
        words
    }

    async fn authorize(&self, other: &[(&str, &str)]) -> Response {
        let url = format!("{}/oauth/authorize", self.rig.ready.login);
        self.http.get(url).query(&self.words(other)).send().await.unwrap()
    }

    /// A code for a user, without a page.
    async fn code(&self, user: &str, other: &[(&str, &str)]) -> String {
        let more = [&[("prompt", "none"), ("login_hint", user)], other].concat();
        let back = back(&self.authorize(&more).await);
        back["code"].clone()
    }

    async fn token(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let url = format!("{}/oauth/token", self.rig.ready.login);
        let answer = self.http.post(url).form(form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn exchange(&self, code: &str, verifier: &str) -> (u16, Value) {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", verifier),
            ("redirect_uri", BACK),
            ("client_id", &self.rig.ready.pkce_client_id),
        ])
        .await
    }

    async fn status_of(&self, token: &str) -> u16 {
        let url = format!("{}/api/v2/tokens/me", self.rig.ready.api);
        self.http.get(url).bearer_auth(token).send().await.unwrap().status().as_u16()
    }
}

/// The words with which the browser is sent back.
fn back(answer: &Response) -> HashMap<String, String> {
    assert!(matches!(answer.status().as_u16(), 302 | 303), "{}", answer.status());
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let to = Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    assert!(to.as_str().starts_with(BACK), "{to}");
    to.query_pairs().into_owned().collect()
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}"))
}

#[tokio::test]
async fn a_person_signs_in_on_a_page_and_the_code_becomes_a_token() {
    let b = Browser::new().await;
    let page = b.authorize(&[("login_hint", "agent2@sandbox.invalid")]).await;
    assert_eq!(page.status(), 200);
    let header = |name: &str| page.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!((header("cache-control"), header("x-frame-options")), ("no-store".into(), "DENY".into()));
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let html = page.text().await.unwrap();
    assert!(!html.contains("<script"), "{html}");
    let place = |name: &str| html.find(&format!("Continue as {name}")).unwrap_or_else(|| panic!("{html}"));
    assert!(
        place("Agent Two") < place("Agent One") && place("Agent One") < place("Agent Three"),
        "the hinted one first"
    );
    let ticket = html.split("name=request value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();

    let url = format!("{}/oauth/authorize", b.rig.ready.login);
    let user = b.rig.ready.agents[1].id.clone();
    let post = async |origin: &str, ticket: &str| {
        let form = [("request", ticket), ("user", user.as_str())];
        b.http.post(&url).header("origin", origin).form(&form).send().await.unwrap()
    };
    for foreign in ["https://evil.example", "null"] {
        assert_eq!(post(foreign, &ticket).await.status(), 403);
    }
    let own = b.rig.ready.api.clone();
    assert_eq!(post(&own, "guessed").await.status(), 400, "another page of this computer cannot know it");
    let answer = post(&own, &ticket).await;
    assert_eq!(answer.status(), 303);
    let words = back(&answer);
    assert_eq!(words["state"], "st ate&1");
    assert_eq!(post(&own, &ticket).await.status(), 400, "a page is answered once");

    let (status, body) = b.exchange(&words["code"], VERIFIER).await;
    assert_eq!((status, &body["token_type"], &body["expires_in"]), (200, &json!("bearer"), &json!(900)), "{body}");
    assert!(body.get("refresh_token").is_none(), "a public client gets none");
    let token = text(&body, "access_token");
    let info = b.http.get(format!("{}/api/v2/tokens/me", b.rig.ready.api)).bearer_auth(token).send().await.unwrap();
    assert_eq!(info.status(), 200);
    let info: Value = info.json().await.unwrap();
    assert_eq!(info["OAuthClient"]["id"], json!(b.rig.ready.pkce_client_id));
    assert!(info["organization"]["id"].is_string(), "{info}");
    let told = b.rig.sandbox.status();
    let told = told.tokens.last().unwrap();
    assert_eq!((told.kind.as_str(), told.user.as_deref()), ("oauth", Some("agent2@sandbox.invalid")));
    let status = b.rig.get("/control").await.text().await.unwrap();
    assert!(!status.contains(token), "the status never tells a token");
}

#[tokio::test]
async fn without_a_page_a_hint_is_needed_and_who_denies_is_sent_back() {
    let b = Browser::new().await;
    let id = b.rig.ready.agents[0].id.clone();
    for user in ["agent1@sandbox.invalid", "AGENT1@sandbox.invalid", id.as_str()] {
        assert!(!b.code(user, &[]).await.is_empty());
    }
    for hint in ["", "nobody@sandbox.invalid"] {
        let words = back(&b.authorize(&[("prompt", "none"), ("login_hint", hint)]).await);
        assert_eq!((words["error"].as_str(), words["state"].as_str()), ("login_required", "st ate&1"));
    }
    b.rig.order(json!({ "do": "deny_sign_in", "count": 1 }));
    let hinted = [("prompt", "none"), ("login_hint", "agent1@sandbox.invalid")];
    let words = back(&b.authorize(&hinted).await);
    assert_eq!(words["error"], "access_denied");
    assert!(!words["error_description"].is_empty() && !words.contains_key("code"));
    assert!(back(&b.authorize(&hinted).await).contains_key("code"), "once only");
    // And by the page.
    let html = b.authorize(&[]).await.text().await.unwrap();
    let ticket = html.split("name=request value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let url = format!("{}/oauth/authorize", b.rig.ready.login);
    let answer = b.http.post(url).form(&[("request", ticket.as_str()), ("user", "")]).send().await.unwrap();
    assert_eq!(back(&answer)["error"], "access_denied");
}

#[tokio::test]
async fn what_cannot_be_trusted_is_never_redirected() {
    let b = Browser::new().await;
    for (other, part) in [
        (("client_id", "guess"), "Unknown client"),
        (("redirect_uri", ""), "redirect_uri is missing"),
        (("redirect_uri", "https://evil.example/"), "does not lead back to this computer"),
        (("redirect_uri", "http://localhost:1/#<b>"), "&lt;b&gt;"),
    ] {
        let answer = b.authorize(&[other, ("prompt", "none"), ("login_hint", "agent1@sandbox.invalid")]).await;
        assert_eq!(answer.status(), 400, "{other:?}");
        assert!(answer.headers().get("location").is_none());
        let html = answer.text().await.unwrap();
        assert!(html.contains(part), "{html}");
    }
    b.rig.order(json!({ "do": "set_sign_in", "redirect_uris": ["http://localhost:9999/other"] }));
    let answer = b.authorize(&[]).await;
    assert_eq!(answer.status(), 400);
    let html = answer.text().await.unwrap();
    assert!(
        html.contains("does not match") && html.contains(BACK) && html.contains("http://localhost:9999/other"),
        "{html}"
    );
    b.rig.order(json!({ "do": "set_sign_in", "redirect_uris": [BACK] }));
    assert_eq!(b.authorize(&[]).await.status(), 200);
    for (other, error) in [
        (("response_type", "id_token"), "unsupported_response_type"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
    ] {
        assert_eq!(back(&b.authorize(&[other]).await)["error"], error, "{other:?}");
    }
}

#[tokio::test]
async fn a_code_lives_a_minute_is_used_once_and_only_with_its_verifier() {
    let b = Browser::new().await;
    let user = "agent1@sandbox.invalid";
    let refused = |answer: (u16, Value), part: &str| {
        assert_eq!((answer.0, &answer.1["error"]), (400, &json!("invalid_grant")), "{answer:?}");
        assert!(text(&answer.1, "error_description").contains(part), "{answer:?}");
    };
    refused(b.exchange(&b.code(user, &[]).await, "wrong-verifier-wrong-verifier-wrong-verifier").await, "does not fit");
    refused(b.exchange("guess", VERIFIER).await, "not known");
    let code = b.code(user, &[]).await;
    b.rig.clock.advance(Duration::from_secs(60));
    refused(b.exchange(&code, VERIFIER).await, "expired");
    let code = b.code(user, &[]).await;
    let other = b
        .token(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("code_verifier", VERIFIER),
            ("redirect_uri", "http://localhost:8400/other"),
            ("client_id", &b.rig.ready.pkce_client_id),
        ])
        .await;
    refused(other, "redirect_uri");

    let code = b.code(user, &[]).await;
    let (_, first) = b.exchange(&code, VERIFIER).await;
    let token = text(&first, "access_token").to_owned();
    assert_eq!(b.status_of(&token).await, 200);
    refused(b.exchange(&code, VERIFIER).await, "used before");
    assert_eq!(b.status_of(&token).await, 401, "what the first use gave is revoked");
}

#[tokio::test]
async fn refresh_tokens_rotate_and_an_old_one_is_dead() {
    let b = Browser::new().await;
    let user = "agent3@sandbox.invalid";
    b.rig.order(json!({ "do": "set_sign_in", "refresh_tokens": true }));
    let (_, first) = b.exchange(&b.code(user, &[]).await, VERIFIER).await;
    let public = b.rig.ready.pkce_client_id.clone();
    let refresh = async |token: &str| {
        b.token(&[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", &public)]).await
    };
    let old = text(&first, "refresh_token");
    let (status, second) = refresh(old).await;
    assert_eq!(status, 200, "{second}");
    assert_ne!(second["access_token"], first["access_token"]);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    let (status, no) = refresh(old).await;
    assert_eq!((status, &no["error"]), (400, &json!("invalid_grant")));
    let (status, third) = refresh(text(&second, "refresh_token")).await;
    assert_eq!(status, 200, "the newest one is still good");
    b.rig.order(json!({ "do": "revoke_user_tokens", "user": user }));
    for body in [&first, &second, &third] {
        assert_eq!(b.status_of(text(body, "access_token")).await, 401);
    }
    assert_eq!(refresh(text(&third, "refresh_token")).await.0, 400);
}

#[tokio::test]
async fn the_client_with_a_secret_has_the_code_grant_as_well() {
    let b = Browser::new().await;
    let ready = b.rig.ready.clone();
    let words = [("client_id", ready.client_id.as_str()), ("code_challenge", ""), ("code_challenge_method", "")];
    let code = b.code("agent1@sandbox.invalid", &words).await;
    let url = format!("{}/oauth/token", ready.login);
    let form = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", BACK)];
    let public = b.token(&[form[0], form[1], form[2], ("client_id", &ready.pkce_client_id)]).await;
    assert_eq!(public.0, 400, "the code is not the public client's");
    let answer =
        b.http.post(&url).basic_auth(&ready.client_id, Some(&ready.client_secret)).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    assert!(body["refresh_token"].is_string() && b.status_of(text(&body, "access_token")).await == 200);
    let (status, no) = b.token(&[("grant_type", "client_credentials"), ("client_id", &ready.pkce_client_id)]).await;
    assert_eq!((status, &no["error"]), (400, &json!("unauthorized_client")));
    let secret = ("client_secret", "guess");
    let (_, no) = b.token(&[("grant_type", "refresh_token"), ("client_id", &ready.pkce_client_id), secret]).await;
    assert_eq!(no["error"], "invalid_client");
}

#[tokio::test]
async fn the_older_way_gives_the_token_in_the_fragment() {
    let b = Browser::new().await;
    let words = [("response_type", "token"), ("prompt", "none"), ("login_hint", "agent1@sandbox.invalid")];
    let answer = b.authorize(&words).await;
    let to = Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    assert_eq!(to.query(), None, "nothing that a server would see");
    let words: HashMap<String, String> =
        url::form_urlencoded::parse(to.fragment().unwrap().as_bytes()).into_owned().collect();
    assert_eq!((words["state"].as_str(), words["token_type"].as_str()), ("st ate&1", "bearer"));
    assert_eq!(words["expires_in"], "900");
    assert_eq!(b.status_of(&words["access_token"]).await, 200);
}

#[tokio::test]
async fn a_user_s_token_is_revoked_by_its_bearer_and_by_order() {
    let b = Browser::new().await;
    let token = async |user: &str| {
        let (_, body) = b.exchange(&b.code(user, &[]).await, VERIFIER).await;
        text(&body, "access_token").to_owned()
    };
    let (one, two) = (token("agent1@sandbox.invalid").await, token("agent2@sandbox.invalid").await);
    let url = format!("{}/api/v2/tokens/me", b.rig.ready.api);
    assert_eq!(b.http.head(&url).bearer_auth(&one).send().await.unwrap().status(), 200);
    assert_eq!(b.http.delete(&url).bearer_auth(&one).send().await.unwrap().status(), 200);
    assert_eq!((b.status_of(&one).await, b.status_of(&two).await), (401, 200));
    let (one, other) = (token("agent1@sandbox.invalid").await, token("agent1@sandbox.invalid").await);
    b.rig.order(json!({ "do": "revoke_user_tokens", "user": b.rig.ready.agents[0].id }));
    assert_eq!((b.status_of(&one).await, b.status_of(&other).await, b.status_of(&two).await), (401, 401, 200));
    let order = sessionscope::sandbox::Order::parse(r#"{"do":"revoke_user_tokens","user":"x"}"#).unwrap();
    assert!(b.rig.sandbox.order(order).unwrap_err().what.contains("user: "));
    b.rig
        .order(json!({ "do": "set_permissions", "user": b.rig.ready.agents[0].id, "without": ["routing:queue:join"] }));
    b.rig.order(json!({ "do": "reset" }));
    assert_eq!(b.status_of(&two).await, 401);
}
