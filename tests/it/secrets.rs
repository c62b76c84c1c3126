//! A long session with every kind of secret in every place, and then none of them anywhere.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use futures_util::{SinkExt as _, StreamExt as _};
use sessionscope::dialect::Wish;
use sessionscope::engine::console::LogPlace;
use sessionscope::engine::{Command, ExportFormat, JobId, SessionSpec, Ticket};
use sessionscope::model::{DialectId, Environment, Secret, SessionId};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::cli::{ready_sandbox, sessionscope};
use crate::support::live::{Home, Window};
use crate::support::proxy::{Manner, Proxy};

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
    proxy: String,
    /// Tokens that the clients made themselves.
    others: Mutex<Vec<String>>,
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
            proxy: format!("p@s/s:w%rd+{}", id()),
            others: Mutex::default(),
        }
    }

    fn all(&self) -> [(&'static str, &str); 9] {
        [
            ("client secret", &self.client),
            ("access token", &self.access),
            ("refresh token", &self.refresh),
            ("session token", &self.session),
            ("JWT", &self.jwt),
            ("upload signature", &self.signature),
            ("security token", &self.amz_token),
            ("cookie", &self.cookie),
            ("proxy password", &self.proxy),
        ]
    }

    /// Every form of a secret that stands in these bytes.
    fn leaks(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let others = self.others.lock().unwrap().clone();
        let all = self.all().into_iter().chain(others.iter().map(|o| ("session token of the client", o.as_str())));
        let mut leaks = Vec::new();
        for (kind, secret) in all {
            for (form, needle) in forms(secret) {
                if find(bytes, &needle) {
                    leaks.push(format!("{place}: {kind}, {form}"));
                }
            }
        }
        leaks
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
async fn hostile(secrets: Arc<Secrets>) -> (SocketAddr, SocketAddr) {
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
                    let frame: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                    if let Some(token) = frame["token"].as_str().filter(|t| *t != s.session) {
                        s.others.lock().unwrap().push(token.to_owned());
                    }
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

fn environment(sockets: SocketAddr, calls: SocketAddr) -> Environment {
    let base = format!("http://{calls}");
    Environment {
        id: "hostile".into(),
        name: "Hostile".into(),
        guest_socket: Some(format!("ws://{sockets}/v1")),
        api: Some(base.clone()),
        login: Some(base.clone()),
        cdn: Some(base),
        deployment_id: "d".into(),
        client_id: Some("client".into()),
        ..Environment::default()
    }
}

/// A proxy that wants the password, and its address with it.
fn proxy(secrets: &Secrets) -> (Proxy, String) {
    let login = Some(("me".to_owned(), secrets.proxy.clone()));
    let proxy = Proxy::start(Manner { login, ..Manner::default() });
    let address = format!("http://me:{}@{}", percent(&secrets.proxy), proxy.address);
    (proxy, address)
}

#[test]
fn no_secret_reaches_a_file_or_the_clipboard() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let secrets = Arc::new(Secrets::new());
    let (sockets, calls) = runtime.block_on(hostile(secrets.clone()));
    let (proxy, proxy_address) = proxy(&secrets);
    let environments = vec![environment(sockets, calls)];
    let home = Home { place: LogPlace::Folder, environments, ..Home::default() };
    let folder = home.folder.path();
    let mut w = home.open();

    // A person enters the secrets that a person has.
    w.command("Environments…");
    w.fill("Proxy", &proxy_address);
    w.h.get_by_role_and_label(Role::PasswordInput, "Client secret").focus();
    w.h.run_ok();
    w.h.get_by_role_and_label(Role::PasswordInput, "Client secret").type_text(&secrets.client);
    w.h.run_ok();
    w.press("Save");
    w.press("Close dialog");
    let environment = w.h.state().settings().environments[0].clone();
    assert_eq!(environment.proxy, Some(format!("http://me@{}", proxy.address)));

    let spec = SessionSpec {
        name: "hostile".into(),
        dialect: DialectId::WebMessaging,
        environment: environment.clone(),
        token: Some(Secret::new(secrets.session.clone())),
        form: Default::default(),
        ..SessionSpec::default()
    };
    w.engine.send(Command::SignIn { environment }).unwrap();
    w.engine.send(Command::OpenSession { ticket: Ticket(1), spec: Box::new(spec), connect: true }).unwrap();
    let session = SessionId(1);
    let wait = |w: &mut Window, what: &str, parts: &[&str]| {
        w.until(what, |w| {
            w.writer.flush().unwrap();
            let bytes = everything(folder);
            parts.iter().all(|part| find(&bytes, part.as_bytes()))
        });
    };
    wait(&mut w, "configured", &["SessionResponse", "oauth:hostile"]);
    w.engine.send(Command::Wish { session, wish: Wish::History { all: true } }).unwrap();
    wait(&mut w, "history refused", &["try refresh_token"]);
    assert!(proxy.asked().iter().any(|l| l.starts_with("CONNECT") || l.contains("http://")), "{:?}", proxy.asked());
    w.engine.send(Command::Note { session, on: 0, text: format!("pasted: Bearer {}", secrets.access) }).unwrap();
    w.engine.send(Command::Note { session, on: 0, text: format!("the proxy is {proxy_address}") }).unwrap();
    // What is typed and not sent lies in the settings.
    w.write(&format!("my token is {} or {}", secrets.access, STANDARD.encode(&secrets.access)));
    w.fill("Filter", "hostile");
    let raw = format!(
        r#"{{"action":"onMessage","token":"{}","message":{{"type":"Text","text":"tell me all"}}}}"#,
        secrets.session
    );
    w.engine.send(Command::Wish { session, wish: Wish::Raw { text: raw } }).unwrap();
    wait(&mut w, "closed", &["by-server"]);
    for (n, format) in [ExportFormat::Har, ExportFormat::JsonLines, ExportFormat::Transcript].into_iter().enumerate() {
        let to = home.path(&format!("export-{n}"));
        let job = JobId(900 + n as u64);
        w.engine.send(Command::Export { job, from: None, format, session: None, to: to.clone() }).unwrap();
        w.until("exported", |_| to.exists());
        assert!(std::fs::metadata(&to).unwrap().len() > 100, "export {n} is empty");
    }
    let copied = copy_everything(&mut w);
    assert!(copied.len() > 20 && copied.iter().any(|c| c.contains("[session-token#1]")), "{copied:?}");
    assert!(find(&everything(folder), b"[session-token#1]"), "placeholders stand in their place");
    // What was searched for last lies in the settings.
    w.fill("Filter", &secrets.session);
    w.close();
    let settings = std::fs::read(home.places().settings_file()).unwrap();
    assert!(find(&settings, b"my token is [access-token#"), "{}", String::from_utf8_lossy(&settings));
    let mut leaks = secrets.leaks("files", &everything(folder));
    leaks.extend(secrets.leaks("clipboard", copied.join("\n").as_bytes()));
    assert!(leaks.is_empty(), "found: {leaks:#?}");
}

/// Goes through the records and presses whatever copies, but for what reveals a value on purpose.
fn copy_everything(w: &mut Window) -> Vec<String> {
    w.press("Clear filter");
    w.until("rows", |w| w.h.query_all_by_role(Role::ListBoxOption).next().is_some());
    w.h.get_all_by_role(Role::ListBoxOption).last().unwrap().click_accesskit();
    w.await_label("Hex");
    w.h.get_by_role_and_label(Role::Tab, "Text").click_accesskit();
    w.h.run_ok();
    w.h.get_all_by_role(Role::ListBoxOption).last().unwrap().click_accesskit();
    w.h.run_ok();
    let mut copied = Vec::new();
    // From both ends: what each kind of record holds, and the long list of encodings.
    let way = |end: Key, step: Key| std::iter::once(end).chain(std::iter::repeat_n(step, 39));
    for key in way(Key::Home, Key::J).chain(way(Key::End, Key::K)) {
        w.keys(Modifiers::NONE, key);
        let buttons = w.h.query_all_by_role(Role::Button).filter_map(|b| b.accesskit_node().label());
        let buttons: Vec<String> =
            buttons.filter(|l| l.starts_with("Copy") && !l.starts_with("Copy the value of")).collect();
        for button in buttons {
            if let Some(node) = w.h.query_all_by_label(&button).next() {
                node.click_accesskit();
            }
            w.h.run_ok();
        }
        copied.extend(w.copied());
    }
    copied
}

/// Standard output and standard error of one run of the program.
fn said(output: &std::process::Output) -> Vec<u8> {
    [&output.stdout[..], &output.stderr[..]].concat()
}

#[test]
fn no_secret_reaches_the_terminal() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let secrets = Arc::new(Secrets::new());
    let (sockets, calls) = runtime.block_on(hostile(secrets.clone()));
    let (_proxy, proxy_address) = proxy(&secrets);
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let file = home.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let mut file = serde_json::to_value(environment(sockets, calls)).unwrap();
    file["client_secret"] = secrets.client.clone().into();
    file["proxy"] = proxy_address.into();
    let environment = write("environment.json", file.to_string());
    let script =
        write("script.yaml", "scenarios:\n  All:\n    - say: tell me all\n    - waitForReplyContaining: x\n".into());
    let capture = home.path().join("run.sscope");
    let output = sessionscope(home.path())
        .arg("run")
        .args([
            &script,
            std::path::Path::new("--environment"),
            &environment,
            std::path::Path::new("--capture"),
            &capture,
        ])
        .args(["--timeout", "5s"])
        .output()
        .unwrap();
    let text = said(&output);
    assert!(find(&text, b"session ready") && find(&text, b"FAILS"), "{}", String::from_utf8_lossy(&text));
    assert!(!secrets.others.lock().unwrap().is_empty(), "the token was seen");
    let mut leaks = secrets.leaks("terminal", &text);
    leaks.extend(secrets.leaks("capture", &std::fs::read(&capture).unwrap()));
    let audit = std::fs::read(home.path().join("audit/audit.jsonl")).unwrap();
    assert!(find(&audit, b"\"event\":\"state\""));
    leaks.extend(secrets.leaks("audit log", &audit));
    // The client made a token of its own. What the server calls one here is to the client a UUID like any other.
    leaks.retain(|leak| !leak.contains(": session token, "));
    // And a sandbox of its own: the one secret that is told is in the ready line.
    let (mut child, ready) = ready_sandbox(home.path());
    let environment = write("sandbox.json", ready.to_string());
    let play = sessionscope(home.path())
        .arg("run")
        .args([std::path::Path::new("tests/fixtures/script.yaml"), std::path::Path::new("--environment"), &environment])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(play.status.success(), "{}", String::from_utf8_lossy(&said(&play)));
    child.kill().unwrap();
    let mut log = Vec::new();
    child.stderr.take().unwrap().read_to_end(&mut log).unwrap();
    child.wait().unwrap();
    for (form, needle) in forms(ready["client_secret"].as_str().unwrap()) {
        for (place, bytes) in [("run", &said(&play)), ("sandbox", &log)] {
            if find(bytes, &needle) {
                leaks.push(format!("{place}: sandbox's client secret, {form}"));
            }
        }
    }
    let own = sessionscope(home.path())
        .args(["run", "tests/fixtures/script.yaml", "--sandbox"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let own = String::from_utf8_lossy(&said(&own)).into_owned();
    assert!(own.contains("scenarios hold"), "{own}");
    let is_token = |w: &str| uuid::Uuid::parse_str(w).is_ok() || w.starts_with("eyJ") || w.starts_with("Bearer");
    let odd: Vec<_> = own.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter(|w| is_token(w)).collect();
    assert!(odd.is_empty(), "{odd:?} in {own}");
    assert!(leaks.is_empty(), "found: {leaks:#?}");
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
