//! What the tests of the five flows share: calls with a token, answers read whole, a bare socket.

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::client::{PATIENCE, Rig};

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Fails unless it is a 400 that names this field first, in its message and in its details.
    #[track_caller]
    pub fn names(&self, field: &str) -> &Self {
        assert_eq!(self.status, 400, "{self:?}");
        assert!(self.message().starts_with(&format!("{field}: ")), "{field}: {self:?}");
        assert_eq!(self.body["details"][0]["fieldName"], field, "{self:?}");
        assert_eq!(self.body["details"][0]["errorCode"], self.body["code"], "{self:?}");
        self
    }

    #[track_caller]
    pub fn is(&self, status: u16, code: &str, message: &str) -> &Self {
        assert_eq!((self.status, self.code(), self.message()), (status, code, message), "{self:?}");
        assert_eq!(self.headers["inin-correlation-id"], self.body["contextId"].as_str().unwrap());
        self
    }

    #[track_caller]
    pub fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.body
    }
}

pub async fn read(answer: reqwest::Response) -> Answer {
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect(&text) };
    Answer { status, headers, body }
}

/// A request with a body as JSON.
pub struct Call<'a> {
    rig: &'a Rig,
    method: Method,
    path: String,
    body: Option<Value>,
    headers: Vec<(&'static str, String)>,
}

impl Call<'_> {
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub async fn send(self) -> Answer {
        let mut request = self.rig.http.request(self.method, format!("{}{}", self.rig.ready.api, self.path));
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        read(request.send().await.unwrap()).await
    }
}

impl Rig {
    pub fn call(&self, method: Method, path: &str, body: Option<Value>) -> Call<'_> {
        Call { rig: self, method, path: path.to_owned(), body, headers: Vec::new() }
    }

    pub fn post(&self, path: &str, body: Value) -> Call<'_> {
        self.call(Method::POST, path, Some(body))
    }

    /// An access token with all scopes of the client.
    pub async fn token(&self) -> String {
        self.token_with("").await.ok(200)["access_token"].as_str().unwrap().to_owned()
    }

    pub async fn token_with(&self, scope: &str) -> Answer {
        self.token_at("/oauth/token", scope).await
    }

    pub async fn token_at(&self, path: &str, scope: &str) -> Answer {
        let mut form = vec![("grant_type", "client_credentials")];
        if !scope.is_empty() {
            form.push(("scope", scope));
        }
        let request = self.http.post(format!("{}{path}", self.ready.login));
        let request = request.basic_auth(&self.ready.client_id, Some(&self.ready.client_secret)).form(&form);
        read(request.send().await.unwrap()).await
    }
}

/// A socket of a flow.
pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    pub async fn open(rig: &Rig, path: &str, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        let mut request = format!("{}{path}", rig.ready.streaming).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(rig.address()).await?;
        tokio_tungstenite::client_async(request, stream).await.map(|(socket, _)| Self(socket))
    }

    /// The status of a refused upgrade.
    pub async fn refused(rig: &Rig, path: &str, headers: &[(&'static str, &str)]) -> u16 {
        match Self::open(rig, path, headers).await {
            Err(Error::Http(answer)) => answer.status().as_u16(),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("{path} was opened"),
        }
    }

    pub async fn send(&mut self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    pub async fn send_text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    async fn message(&mut self) -> Option<Result<Message, Error>> {
        tokio::time::timeout(PATIENCE, self.0.next()).await.expect("nothing came")
    }

    pub async fn text(&mut self) -> String {
        match self.message().await {
            Some(Ok(Message::Text(text))) => text.to_string(),
            other => panic!("not a text: {other:?}"),
        }
    }

    pub async fn next(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    /// The close frame that comes next: code and reason.
    pub async fn closed(&mut self) -> (u16, String) {
        match self.message().await {
            Some(Ok(Message::Close(Some(frame)))) => (frame.code.into(), frame.reason.to_string()),
            other => panic!("not a close: {other:?}"),
        }
    }

    /// Waits for the connection to end without any frame.
    pub async fn dropped(&mut self) {
        match self.message().await {
            None | Some(Err(_)) => {}
            Some(Ok(other)) => panic!("{other:?}"),
        }
    }
}

/// The claims of a JWT, whoever signed it.
pub fn claims(token: &str) -> Value {
    use base64::Engine;
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// A value changed at a path of names with dots between; null takes the member away.
pub fn with(value: &Value, path: &str, new: Value) -> Value {
    let mut value = value.clone();
    let mut at = &mut value;
    let (parents, last) = path.rsplit_once('.').map_or((None, path), |(p, l)| (Some(p), l));
    for name in parents.into_iter().flat_map(|p| p.split('.')) {
        at = match name.parse::<usize>() {
            Ok(k) => &mut at[k],
            Err(_) => &mut at[name],
        };
    }
    if new.is_null() {
        at.as_object_mut().unwrap().remove(last);
    } else {
        at[last] = new;
    }
    value
}

/// A token without one of these scopes, for each of them.
pub async fn without_each(rig: &Rig, scopes: &[&'static str]) -> Vec<(&'static str, String)> {
    let all = rig.sandbox.status().flows.client_scopes;
    let mut tokens = Vec::new();
    for scope in scopes {
        let rest: Vec<&str> = all.iter().map(String::as_str).filter(|s| s != scope).collect();
        assert_eq!(rest.len(), all.len() - 1, "{scope} is one of the client's");
        let answer = rig.token_with(&rest.join(" ")).await.ok(200);
        tokens.push((*scope, answer["access_token"].as_str().unwrap().to_owned()));
    }
    tokens
}

/// Fails unless the bearer is looked at first: missing, unknown, dead.
pub async fn wants_a_live_bearer(rig: &Rig, method: Method, path: &str) {
    let call = || rig.call(method.clone(), path, Some(json!({})));
    let none = call().send().await;
    none.is(401, "authentication.required", "No authentication bearer token specified in authorization header.");
    call().bearer("guess").send().await.is(401, "bad.credentials", "Invalid login credentials.");
    let token = rig.token().await;
    rig.order(json!({ "do": "expire_token", "token": "oauth" }));
    call().bearer(&token).send().await.is(401, "credentials.expired", "The supplied token has expired");
}
