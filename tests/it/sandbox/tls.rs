//! A sandbox that speaks TLS with an authority of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Certificate;
use serde_json::{Value, json};
use sessionscope::engine::Command;
use sessionscope::model::{Environment, SystemClock};
use sessionscope::sandbox::{Options, Ready, Sandbox};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::Message;

use crate::support::console::{Desk, LIMIT};

async fn secure() -> (Sandbox, Ready, SocketAddr) {
    let options = Options { tls: true, ..Options::default() };
    let sandbox = Sandbox::start(options, SystemClock::shared()).await.unwrap();
    let ready = sandbox.ready();
    let address = ready.api.strip_prefix("https://").unwrap().parse().unwrap();
    (sandbox, ready, address)
}

/// A client that trusts this authority only, and finds all names under `localhost` here.
fn trusting(pem: &str, address: SocketAddr) -> reqwest::Client {
    let names = ["api.localhost", "login.localhost", "a.b.localhost", "example.com"];
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([Certificate::from_pem(pem.as_bytes()).unwrap()]);
    names.iter().fold(client, |client, name| client.resolve(name, address)).build().unwrap()
}

#[tokio::test]
async fn whoever_trusts_its_authority_reaches_it_by_every_name_of_this_computer() {
    let (sandbox, ready, address) = secure().await;
    let pem = ready.ca_pem.clone().unwrap();
    let client = trusting(&pem, address);
    let port = address.port();
    for host in ["127.0.0.1", "localhost", "api.localhost", "login.localhost", "a.b.localhost"] {
        let answer = client.get(format!("https://{host}:{port}/control")).send().await;
        assert_eq!(answer.unwrap_or_else(|e| panic!("{host}: {e:?}")).status(), 200);
    }
    assert!(client.get(format!("https://example.com:{port}/control")).send().await.is_err(), "for nobody else");
    let own: Vec<&String> = vec![&ready.api, &ready.login, &ready.cdn, &ready.control];
    assert!(own.iter().all(|url| url.starts_with("https://")), "{own:?}");
    assert!(ready.guest_socket.starts_with("wss://") && ready.streaming.starts_with("wss://"));
    let base = format!("{}/webdeployments/v1/deployments/{}", ready.cdn, ready.deployment_id);
    let config: Value = client.get(format!("{base}/config.json")).send().await.unwrap().json().await.unwrap();
    let endpoint = config["messenger"]["apps"]["conversations"]["messagingEndpoint"].as_str().unwrap();
    assert!(endpoint.starts_with("wss://"), "{endpoint}");
    assert!(!pem.contains("PRIVATE"), "{pem}");
    sandbox.stop().await;
}

#[tokio::test]
async fn whoever_does_not_trust_it_is_not_connected() {
    let (_sandbox, ready, address) = secure().await;
    let (_other, others, _) = secure().await;
    assert_ne!(ready.ca_pem, others.ca_pem, "made anew at each start");
    for client in [
        reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap(),
        trusting(&others.ca_pem.unwrap(), address),
    ] {
        let error = client.get(&ready.control).send().await.unwrap_err();
        assert!(error.is_connect(), "{error:?}");
    }
}

#[tokio::test]
async fn sockets_are_secured_as_well() {
    let (_sandbox, ready, address) = secure().await;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ready.ca_pem.as_ref().unwrap().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("webmessaging.localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let url = format!("wss://webmessaging.localhost:{}/v1?deploymentId={}", address.port(), ready.deployment_id);
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    let ask =
        json!({ "action": "getConfiguration", "token": uuid::Uuid::new_v4(), "deploymentId": ready.deployment_id });
    socket.send(Message::text(ask.to_string())).await.unwrap();
    let answer: Value = match socket.next().await.unwrap().unwrap() {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(answer["class"], "GetConfigurationResponse");
}

#[tokio::test]
async fn whoever_speaks_plainly_is_told_so_and_harms_nobody() {
    let (_sandbox, ready, address) = secure().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.get(format!("http://{address}/control")).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("speaks TLS"));
    for nonsense in [&b"\x16\x03\x01nonsense that is no handshake"[..], b"", b"\x16"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(nonsense).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    }
    let client = trusting(ready.ca_pem.as_ref().unwrap(), address);
    assert_eq!(client.get(&ready.control).send().await.unwrap().status(), 200);
}

#[test]
fn an_environment_with_its_authority_is_connected_and_one_without_is_told_why_not() {
    let mut desk = Desk::open();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (sandbox, ready, _) = runtime.block_on(secure());
    let environment = Environment { id: "e1".into(), ..sandbox.environment() };
    assert_eq!(environment.ca_pem, ready.ca_pem);
    desk.environment = environment.clone();
    let session = desk.connect("Guest");
    desk.say(session, "hello");
    desk.until(session, "an answer", |v| v.conversation.entries.len() > 4);
    desk.headless.console.engine.send(Command::CloseSession { session }).unwrap();

    let bare = Environment { id: "e2".into(), ca_pem: None, ..environment };
    let session = desk.headless.open_guest("Stranger", &bare).unwrap();
    let told = desk.headless.until(LIMIT, |h| {
        let view = h.view(session)?;
        view.faults.last().map(|(_, report)| report.as_ref().clone())
    });
    let report = told.expect("a fault is told");
    assert!(matches!(report.code.as_str(), "tls" | "no-ca-store"), "{report:?}");
}
