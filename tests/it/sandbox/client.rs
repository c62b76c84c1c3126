//! A sandbox whose clock stands still, and a bare guest.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sessionscope::model::{ManualClock, Wall};
use sessionscope::sandbox::{Options, Order, Ready, Sandbox};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

/// Long enough for a busy machine; never waited for where all is well.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub struct Rig {
    pub sandbox: Sandbox,
    pub ready: Ready,
    pub clock: Arc<ManualClock>,
    pub http: reqwest::Client,
}

impl Rig {
    /// With a partner that keeps quiet.
    pub async fn new() -> Self {
        let rig = Self::with(Options::default()).await;
        rig.order(json!({ "do": "pause_partner", "on": true }));
        rig
    }

    pub async fn with(options: Options) -> Self {
        let clock = ManualClock::starting_at(Wall::parse_rfc3339("2026-01-06T13:26:15.174Z").unwrap());
        let sandbox = Sandbox::start(options, clock.clone()).await.unwrap();
        let ready = sandbox.ready();
        // Straight to the sandbox, whatever proxy this computer uses.
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { sandbox, ready, clock, http }
    }

    pub fn order(&self, order: Value) {
        let order = Order::parse(&order.to_string()).unwrap();
        self.sandbox.order(order).unwrap();
    }

    pub fn address(&self) -> &str {
        self.ready.api.strip_prefix("http://").unwrap()
    }

    pub async fn guest(&self) -> Guest {
        Guest::open(self, &[]).await.unwrap().0
    }

    /// A guest with a new session and its token.
    pub async fn configured(&self) -> Guest {
        let mut guest = self.guest().await;
        guest.configure(&uuid::Uuid::new_v4().to_string()).await;
        guest
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.ready.api)).send().await.unwrap()
    }
}

pub struct Guest {
    socket: WebSocketStream<TcpStream>,
    pub deployment_id: String,
    pub token: String,
}

impl Guest {
    pub async fn open(rig: &Rig, headers: &[(&'static str, &str)]) -> Result<(Self, Response), Error> {
        let query = format!("deploymentId={}&application=bare-1", rig.ready.deployment_id);
        Self::open_with(rig, &query, headers).await
    }

    pub async fn open_with(
        rig: &Rig,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Self, Response), Error> {
        let mut request = format!("{}?{query}", rig.ready.guest_socket).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(rig.address()).await?;
        let (socket, response) = tokio_tungstenite::client_async(request, stream).await?;
        let deployment_id = rig.ready.deployment_id.clone();
        Ok((Self { socket, deployment_id, token: String::new() }, response))
    }

    pub async fn raw(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    pub async fn send(&mut self, value: Value) {
        self.raw(Message::text(value.to_string())).await;
    }

    /// Sends an action with the session's token.
    pub async fn act(&mut self, action: &str, tracing: &str, members: Value) {
        let mut request = json!({ "action": action, "token": self.token, "tracingId": tracing });
        request.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        self.send(request).await;
    }

    pub async fn say(&mut self, text: &str, tracing: &str) {
        self.act("onMessage", tracing, json!({ "message": { "type": "Text", "text": text } })).await;
    }

    async fn message(&mut self) -> Message {
        let next = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("nothing came");
        next.expect("the connection ended").expect("the connection broke")
    }

    /// The next frame as it is.
    pub async fn text(&mut self) -> String {
        match self.message().await {
            Message::Text(text) => text.to_string(),
            other => panic!("not a text: {other:?}"),
        }
    }

    pub async fn next(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    /// Sends an action and gives the answer that bears its tracing id; nothing else may come before.
    pub async fn ask(&mut self, action: &str, members: Value) -> Value {
        self.act(action, "ask", members).await;
        let answer = self.next().await;
        assert_eq!(answer["tracingId"], "ask", "{answer}");
        answer
    }

    pub async fn configure(&mut self, token: &str) -> Value {
        self.token = token.to_owned();
        let deployment = self.deployment_id.clone();
        let answer = self.ask("configureSession", json!({ "deploymentId": deployment })).await;
        assert_eq!((&answer["class"], &answer["code"]), (&json!("SessionResponse"), &json!(200)), "{answer}");
        answer
    }

    /// Fails where anything was sent before the answer to a harmless question.
    pub async fn nothing_more(&mut self) {
        let deployment = self.deployment_id.clone();
        let answer = self.ask("getConfiguration", json!({ "deploymentId": deployment })).await;
        assert_eq!(answer["class"], "GetConfigurationResponse", "{answer}");
    }

    /// Sends a ping. True where it is answered before anything else comes.
    pub async fn pings(&mut self) -> bool {
        self.raw(Message::Ping(Bytes::from_static(b"there?"))).await;
        let deployment = self.deployment_id.clone();
        self.act("getConfiguration", "after", json!({ "deploymentId": deployment })).await;
        let mut ponged = false;
        loop {
            match self.message().await {
                Message::Pong(payload) => {
                    assert_eq!(&payload[..], b"there?");
                    ponged = true;
                }
                Message::Text(text) if text.contains("\"after\"") => return ponged,
                other => panic!("{other:?}"),
            }
        }
    }

    /// The close frame that comes next: code and reason.
    pub async fn closed(&mut self) -> (u16, String) {
        match self.message().await {
            Message::Close(Some(frame)) => (frame.code.into(), frame.reason.to_string()),
            other => panic!("not a close: {other:?}"),
        }
    }

    /// Waits for the connection to end without a close frame.
    pub async fn dropped(&mut self) {
        let next = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("nothing came");
        match next {
            None | Some(Err(_)) => {}
            Some(Ok(other)) => panic!("{other:?}"),
        }
    }

    /// Closes, or answers the server's close, and waits for the end.
    pub async fn goodbye(mut self) {
        // An error says that the server was first.
        let _ = self.socket.close(None).await;
        while let Some(Ok(_)) = self.socket.next().await {}
    }
}
