//! A long session with every kind of secret in every place, and then none of them anywhere.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use futures_util::{SinkExt as _, StreamExt as _};
use sessionscope::cli::headless::Headless;
use sessionscope::dialect::Wish;
use sessionscope::engine::console::ConsoleOptions;
use sessionscope::engine::places::Places;
use sessionscope::engine::{Command, Event, ExportFormat, JobId, SessionSpec, Ticket};
use sessionscope::model::environment::ClientSecret;
use sessionscope::model::{DialectId, Environment, Secret, SessionId};
use sessionscope::vault::Vault;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// Secrets that the server or the user knows, each of another kind. Some hold characters that every encoding treats
/// in its own way.
struct Secrets {
    client: String,
    access: String,
    refresh: String,
    session: String,
    jwt: String,
    signature: String,
    amz_token: String,
    cookie: String,
}

impl Secrets {
    fn new() -> Self {
        let id = || uuid::Uuid::new_v4().simple().to_string();
        let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
        Self {
            client: format!("s+e/c&r=e t'{}", id()),
            access: format!("acc_{}-{}", id(), id()),
            refresh: format!("ref/{}+{}==", id(), id()),
            session: uuid::Uuid::new_v4().to_string(),
            jwt: format!(
                "{}.{}.{}",
                part(r#"{"alg":"RS256"}"#),
                part(&format!(r#"{{"exp":1999999999,"sub":"{}"}}"#, id())),
                id()
            ),
            signature: id(),
            amz_token: format!("FwoG{}//{}%", id(), id()),
            cookie: format!("c{}", id()),
        }
    }

    fn all(&self) -> [(&'static str, &str); 8] {
        [
            ("client secret", &self.client),
            ("access token", &self.access),
            ("refresh token", &self.refresh),
            ("session token", &self.session),
            ("JWT", &self.jwt),
            ("upload signature", &self.signature),
            ("security token", &self.amz_token),
            ("cookie", &self.cookie),
        ]
    }
}

fn percent(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Every form in which a secret could stand in a file: plain, encoded for URLs and forms, base64 at each alignment,
/// escaped for JSON.
fn forms(secret: &str) -> Vec<(String, Vec<u8>)> {
    let mut forms = vec![
        ("plain".to_owned(), secret.as_bytes().to_vec()),
        ("URL-encoded".to_owned(), percent(secret).into_bytes()),
        (
            "URL-encoded, lower case".to_owned(),
            percent(secret).replace("%2B", "%2b").replace("%2F", "%2f").into_bytes(),
        ),
        (
            "form-encoded".to_owned(),
            url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>().into_bytes(),
        ),
        ("JSON-escaped".to_owned(), serde_json::to_string(secret).unwrap().trim_matches('"').as_bytes().to_vec()),
        ("JSON-escaped slashes".to_owned(), secret.replace('/', "\\/").into_bytes()),
    ];
    for offset in 0..3usize {
        let padded: Vec<u8> = std::iter::repeat_n(b'x', offset).chain(secret.bytes()).collect();
        for (name, encoded) in
            [("base64", STANDARD_NO_PAD.encode(&padded)), ("base64url", URL_SAFE_NO_PAD.encode(&padded))]
        {
            // Only the characters that depend on nothing but the secret.
            let from = (offset * 8).div_ceil(6);
            let to = (offset + secret.len()) * 8 / 6;
            forms.push((format!("{name} at {offset}"), encoded.as_bytes()[from..to].to_vec()));
        }
    }
    forms
}

/// A server that tells secrets in every place that the protocol has.
async fn hostile(secrets: std::sync::Arc<Secrets>) -> (SocketAddr, SocketAddr) {
    let sockets = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let calls = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = (sockets.local_addr().unwrap(), calls.local_addr().unwrap());
    let s = secrets.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = sockets.accept().await {
            let s = s.clone();
            tokio::spawn(async move {
                let cookie = format!("sid={}; HttpOnly", s.cookie);
                #[allow(clippy::result_large_err)]
                let with_cookie = |_: &Request, mut response: Response| {
                    response.headers_mut().insert("set-cookie", cookie.parse().unwrap());
                    Ok(response)
                };
                let mut socket = tokio_tungstenite::accept_hdr_async(stream, with_cookie).await.unwrap();
                while let Some(Ok(message)) = socket.next().await {
                    let Ok(text) = message.into_text() else { continue };
                    for answer in answers(&s, &text) {
                        let _ = socket.send(Message::text(answer)).await;
                    }
                    if text.contains("tell me all") {
                        let reason = format!("Bearer {}", s.access);
                        let frame = CloseFrame { code: 4001.into(), reason: reason.into() };
                        let _ = socket.close(Some(frame)).await;
                    }
                }
            });
        }
    });
    let answer = move |request: axum::extract::Request| {
        let s = secrets.clone();
        async move {
            let cookie = format!("sid={}", s.cookie);
            let (status, body) = match request.uri().path() {
                "/oauth/token" => (
                    200,
                    serde_json::json!({"access_token": s.access, "refresh_token": s.refresh, "expires_in": 3600})
                        .to_string(),
                ),
                _ => (
                    401,
                    format!("token {} of {} is not valid; try refresh_token={}", s.jwt, s.session, percent(&s.refresh)),
                ),
            };
            axum::http::Response::builder()
                .status(status)
                .header("set-cookie", cookie)
                .header("location", format!("/x?access_token={}", percent(&s.access)))
                .body(axum::body::Body::from(body))
                .unwrap()
        }
    };
    tokio::spawn(async move { axum::serve(calls, axum::Router::new().fallback(answer)).await });
    addresses
}

fn answers(s: &Secrets, asked: &str) -> Vec<String> {
    if asked.contains("configureSession") {
        return vec![r#"{"type":"response","class":"SessionResponse","code":200,"body":{"connected":true,"newSession":true,"readOnly":false,"durationSeconds":900}}"#.into()];
    }
    if asked.contains("getJwt") {
        return vec![
            serde_json::json!({"type":"response","class":"JwtResponse","code":200,"body":{"jwt":s.jwt,"exp":1_999_999_999}}).to_string(),
        ];
    }
    if !asked.contains("tell me all") {
        return Vec::new();
    }
    let url = format!(
        "https://files.example.invalid/a?X-Amz-Signature={}&X-Amz-Security-Token={}",
        s.signature,
        percent(&s.amz_token)
    );
    let string =
        |text: String| serde_json::json!({"type":"response","class":"string","code":400,"body":text}).to_string();
    let mut all = vec![
        serde_json::json!({"type":"response","class":"PresignedUrlResponse","code":200,"body":{"attachmentId":"b1","url":url,"headers":{"x-amz-tagging":"t","cookie":format!("sid={}", s.cookie)}}}).to_string(),
        serde_json::json!({"type":"message","class":"Novelty","code":200,"body":{"refreshToken":s.refresh,"client_secret":s.client,"accessToken":s.access}}).to_string(),
        string(format!("Authorization: Basic {}", STANDARD.encode(format!("client:{}", s.client)))),
        string(format!("Authorization: Bearer {} was refused for session {}", s.access, s.session)),
        string(format!("see https://x.example.invalid/?token={}&jwt={}", s.session, s.jwt)),
        format!("not JSON at all: {} and {}", s.jwt, s.session),
    ];
    // Each once more in each encoding, now that they are known.
    for (_, secret) in s.all() {
        for (_, form) in forms(secret) {
            all.push(string(format!("…{}…", String::from_utf8_lossy(&form))));
        }
        all.push(string(STANDARD.encode(format!("ab{secret}cd"))));
    }
    all
}

fn find(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

#[test]
fn no_secret_reaches_any_file() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let secrets = std::sync::Arc::new(Secrets::new());
    let (sockets, calls) = runtime.block_on(hostile(secrets.clone()));
    let folder = tempfile::tempdir().unwrap();
    let places = Places { config: folder.path().join("config"), captures: folder.path().join("captures") };
    let options = ConsoleOptions { vault: Some(Vault::in_memory()), places: Some(places), ..ConsoleOptions::default() };
    let headless = Headless::start(options).unwrap();
    let base = format!("http://{calls}");
    let environment = Environment {
        id: "hostile".into(),
        name: "Hostile".into(),
        guest_socket: Some(format!("ws://{sockets}/v1")),
        api: Some(base.clone()),
        login: Some(base.clone()),
        cdn: Some(base),
        deployment_id: "d".into(),
        client_id: Some("client".into()),
        client_secret: Some(ClientSecret(Secret::new(secrets.client.clone()))),
        ..Environment::default()
    };
    let engine = &headless.console.engine;
    engine.send(Command::SignIn { environment: environment.clone() }).unwrap();
    let spec = SessionSpec {
        name: "hostile".into(),
        dialect: DialectId::WebMessaging,
        environment,
        token: Some(Secret::new(secrets.session.clone())),
        kept: None,
    };
    engine.send(Command::OpenSession { ticket: Ticket(1), spec, connect: true }).unwrap();
    let session = SessionId(1);
    let wait = |what: &str, fits: &dyn Fn(&[u8]) -> bool| {
        let seen = headless.until(Duration::from_secs(20), |h| {
            h.writer().flush().ok()?;
            fits(&everything(folder.path())).then_some(())
        });
        assert!(seen.is_some(), "{what}");
    };
    wait("configured", &|bytes| find(bytes, b"SessionResponse") && find(bytes, b"oauth:hostile"));
    engine.send(Command::Wish { session, wish: Wish::History { all: true } }).unwrap();
    wait("history refused", &|bytes| find(bytes, b"try refresh_token"));
    engine.send(Command::Note { session, on: 0, text: format!("pasted: Bearer {}", secrets.access) }).unwrap();
    let raw = format!(
        r#"{{"action":"onMessage","token":"{}","message":{{"type":"Text","text":"tell me all"}}}}"#,
        secrets.session
    );
    engine.send(Command::Wish { session, wish: Wish::Raw { text: raw } }).unwrap();
    wait("closed", &|bytes| find(bytes, b"by-server"));
    for (n, format) in [ExportFormat::Har, ExportFormat::JsonLines, ExportFormat::Transcript].into_iter().enumerate() {
        let job = JobId(n as u64);
        let to = folder.path().join(format!("export-{n}"));
        headless
            .console
            .engine
            .send(Command::Export { job, from: None, format, session: None, to: to.clone() })
            .unwrap();
        let done = headless.until(Duration::from_secs(20), |h| {
            while let Some(event) = h.console.engine.poll() {
                if let Event::JobDone { job: done, result } = event
                    && done == job
                {
                    return Some(result);
                }
            }
            None
        });
        done.expect("the export ends").unwrap();
        assert!(std::fs::metadata(&to).unwrap().len() > 100, "export {n} is empty");
    }
    let own_jwt_seen = everything(folder.path());
    assert!(find(&own_jwt_seen, b"[session-token#1]"), "placeholders stand in their place");
    assert!(headless.console.close(Duration::from_secs(5)).unwrap());
    let bytes = everything(folder.path());
    let mut leaks = Vec::new();
    for (kind, secret) in secrets.all() {
        for (form, needle) in forms(secret) {
            if find(&bytes, &needle) {
                leaks.push(format!("{kind}, {form}"));
            }
        }
    }
    assert!(leaks.is_empty(), "found in files: {leaks:#?}");
}

/// All bytes of all files of a folder.
fn everything(folder: &std::path::Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(everything(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            all.extend(bytes);
        }
    }
    all
}
