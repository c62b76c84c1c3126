//! A bare agent: signs in as the vendor's clients do, calls, and listens on a notification channel.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, redirect};
use serde_json::{Value, json};
use url::Url;

use super::client::{Guest, Rig};
use super::flows::{Answer, Socket, read};

const BACK: &str = "http://localhost:8400/callback";
const VERIFIER: &str = "0123456789-0123456789_0123456789.0123456789~abc";

pub struct Agent {
    pub token: String,
    pub id: String,
    api: String,
    http: reqwest::Client,
}

impl Agent {
    /// The user with this number, by the authorization code grant with PKCE.
    pub async fn sign_in(rig: &Rig, number: usize) -> Self {
        let user = &rig.ready.agents[number];
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes()));
        let words = [
            ("response_type", "code"),
            ("client_id", &rig.ready.pkce_client_id),
            ("redirect_uri", BACK),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("prompt", "none"),
            ("login_hint", &user.email),
        ];
        let browser = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
        let page = browser.get(format!("{}/oauth/authorize", rig.ready.login)).query(&words).send().await.unwrap();
        let back = Url::parse(page.headers()["location"].to_str().unwrap()).unwrap();
        let code = back.query_pairs().find(|(k, _)| k == "code").unwrap().1.into_owned();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("code_verifier", VERIFIER),
            ("redirect_uri", BACK),
            ("client_id", &rig.ready.pkce_client_id),
        ];
        let answer = rig.http.post(format!("{}/oauth/token", rig.ready.login)).form(&form).send().await.unwrap();
        let token = read(answer).await.ok(200)["access_token"].as_str().unwrap().to_owned();
        Self { token, id: user.id.clone(), api: rig.ready.api.clone(), http: rig.http.clone() }
    }

    /// Signed in and on queue.
    pub async fn on_queue(rig: &Rig, number: usize) -> Self {
        let agent = Self::sign_in(rig, number).await;
        agent.go("OnQueue").await;
        agent
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.api)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        read(request.send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await.ok(200)
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    /// The id of a presence by its word: `OnQueue`.
    pub async fn presence(&self, word: &str) -> String {
        let all = self.get("/api/v2/presence/definitions").await;
        let all = all["entities"].as_array().unwrap();
        all.iter().find(|d| d["systemPresence"] == word).unwrap()["id"].as_str().unwrap().to_owned()
    }

    pub async fn go(&self, word: &str) {
        let id = self.presence(word).await;
        let path = format!("/api/v2/users/{}/presences/purecloud", self.id);
        self.patch(&path, json!({ "presenceDefinition": { "id": id } })).await.ok(200);
    }

    pub async fn routing(&self) -> String {
        let status = self.get(&format!("/api/v2/users/{}/routingstatus", self.id)).await;
        status["status"].as_str().unwrap().to_owned()
    }

    /// Conversations in which there is work, in the generic shape.
    pub async fn conversations(&self) -> Vec<Value> {
        self.get("/api/v2/conversations").await["entities"].as_array().unwrap().clone()
    }

    /// The only conversation with work.
    pub async fn part(&self) -> Part {
        let all = self.conversations().await;
        assert_eq!(all.len(), 1, "{all:?}");
        Part::of(&all[0], &self.id)
    }

    /// Answers the only alert.
    pub async fn answer(&self) -> Part {
        let part = self.part().await;
        assert_eq!(part.state, "alerting");
        self.patch(&part.path(""), json!({ "state": "CONNECTED" })).await.ok(202);
        part
    }

    pub async fn say(&self, part: &Part, text: &str) -> Value {
        self.post(&part.comm_path("/messages"), json!({ "textBody": text })).await.ok(200)
    }

    pub async fn channel(&self) -> Value {
        self.post("/api/v2/notifications/channels", json!({})).await.ok(200)
    }

    /// A socket that hears these topics of the user.
    pub async fn listen(&self, rig: &Rig, ends: &[&str]) -> (String, Socket) {
        let channel = self.channel().await;
        let id = channel["id"].as_str().unwrap().to_owned();
        let topics: Vec<Value> = ends.iter().map(|e| json!({ "id": format!("v2.users.{}.{e}", self.id) })).collect();
        let path = format!("/api/v2/notifications/channels/{id}/subscriptions");
        self.call(Method::PUT, &path, Some(topics.into())).await.ok(200);
        let socket = Socket::open(rig, &format!("/channels/{id}"), &[]).await.unwrap();
        (id, socket)
    }
}

/// An agent's part of a conversation.
#[derive(Debug)]
pub struct Part {
    pub conversation: String,
    pub participant: String,
    pub communication: String,
    pub state: String,
}

impl Part {
    /// The part of this user that is active, or the last.
    pub fn of(generic: &Value, user: &str) -> Self {
        let all = generic["participants"].as_array().unwrap();
        let mine: Vec<&Value> = all.iter().filter(|p| p["userId"] == user).collect();
        let live = mine.iter().find(|p| p["messages"][0]["state"] != "disconnected");
        let p = live.or(mine.last()).unwrap_or_else(|| panic!("{user} is not in {generic}"));
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        let communication = &p["messages"][0];
        Self {
            conversation: text(&generic["id"]),
            participant: text(&p["id"]),
            communication: text(&communication["id"]),
            state: text(&communication["state"]),
        }
    }

    pub fn path(&self, end: &str) -> String {
        format!("/api/v2/conversations/messages/{}/participants/{}{end}", self.conversation, self.participant)
    }

    pub fn comm_path(&self, end: &str) -> String {
        format!("/api/v2/conversations/messages/{}/communications/{}{end}", self.conversation, self.communication)
    }

    pub fn wrapup_path(&self) -> String {
        self.path(&format!("/communications/{}/wrapup", self.communication))
    }
}

/// A guest that has said something, and heard its own echo.
pub async fn guest_who_said(rig: &Rig, text: &str) -> Guest {
    let mut guest = rig.configured().await;
    guest.say(text, "first").await;
    assert_eq!(guest.next().await["body"]["text"], text);
    guest
}

/// The participants of a purpose.
pub fn of_purpose<'a>(conversation: &'a Value, purpose: &str) -> Vec<&'a Value> {
    conversation["participants"].as_array().unwrap().iter().filter(|p| p["purpose"] == purpose).collect()
}
