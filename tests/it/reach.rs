//! Servers that cannot be reached: each cause has a report of its own, and each cure works.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sessionscope::model::fact::SessionState;
use sessionscope::model::{Environment, Kind, Report};
use tokio_tungstenite::tungstenite::Message;

use crate::support::console::Desk;
use crate::support::proxy::{Manner, Proxy};

/// Certificates for tests, valid until 2120: an authority, a server's at 127.0.0.1 that it signed, and an authority
/// that has signed nothing.
fn tls(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

/// A server with TLS that configures every session.
fn secure_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = vec![CertificateDer::from_pem_file(tls("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(tls("server.key")).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            std::thread::spawn(move || {
                let stream = rustls::StreamOwned::new(connection, stream);
                // A client that does not trust us goes away.
                let Ok(mut socket) = tokio_tungstenite::tungstenite::accept(stream) else { return };
                while let Ok(message) = socket.read() {
                    if message.to_text().is_ok_and(|t| t.contains("configureSession")) {
                        let answer = r#"{"type":"response","class":"SessionResponse","code":200,"body":{"connected":true,"newSession":true,"readOnly":false}}"#;
                        _ = socket.send(Message::text(answer));
                    }
                }
            });
        }
    });
    address
}

fn at(address: impl std::fmt::Display) -> Environment {
    Environment {
        id: "there".into(),
        name: "There".into(),
        guest_socket: Some(format!("wss://{address}/v1")),
        deployment_id: "d1111111-2222-4333-8444-555555555555".into(),
        ..Environment::default()
    }
}

/// Opens a session: none where it becomes ready, the report of its failure otherwise.
fn outcome(desk: &mut Desk, environment: &Environment) -> Option<Report> {
    let session = match desk.headless.open_guest("try", environment) {
        Ok(session) => session,
        Err(report) => return Some(report),
    };
    let settled = |s: &SessionState| s.is_ended() || *s == SessionState::Ready;
    let view = desk.until(session, "settled", |v| v.state.as_ref().is_some_and(settled));
    (view.state != Some(SessionState::Ready)).then(|| view.faults.last().expect("a report").1.as_ref().clone())
}

#[track_caller]
fn told(report: &Option<Report>, code: &str, words: &[&str]) {
    let Some(report) = report else { panic!("it opened, and should have failed with {code}") };
    assert_eq!(report.code, code, "{report:?}");
    assert!(!report.remedies.is_empty(), "what to do about it? {report:?}");
    for word in words {
        assert!(report.text().contains(word), "no “{word}” in {report:?}");
    }
}

#[test]
fn an_authority_of_ones_own_opens_a_secure_socket_and_no_other_does() {
    let server = secure_server();
    let mut desk = Desk::open();
    let with_ca = |file: PathBuf| Environment { ca_file: Some(file.display().to_string()), ..at(server) };
    told(&outcome(&mut desk, &at(server)), "tls", &["authority", "CA file", &server.to_string()]);
    told(&outcome(&mut desk, &with_ca(tls("other-ca.pem"))), "tls", &["authority"]);
    assert_eq!(outcome(&mut desk, &with_ca(tls("ca.pem"))), None);
    let unverified = Environment { verify_tls: false, ..at(server) };
    assert_eq!(outcome(&mut desk, &unverified), None);
    let started = desk.records().into_iter().rfind(|r| r.kind == Kind::SessionStart).unwrap();
    assert!(started.head.contains(r#""tls_unverified":true"#), "it is on record: {}", started.head);
    // Another name than the certificate's.
    let by_name =
        Environment { guest_socket: Some(format!("wss://localhost:{}/v1", server.port())), ..with_ca(tls("ca.pem")) };
    told(&outcome(&mut desk, &by_name), "tls", &["another name"]);
    // A key is no authority, and neither is nothing.
    told(&outcome(&mut desk, &with_ca(tls("server.key"))), "bad-ca-file", &["server.key", "PEM"]);
    told(&outcome(&mut desk, &with_ca(tls("missing.pem"))), "bad-ca-file", &["missing.pem"]);
    // A port without TLS.
    let plain = desk.environment.guest_socket.clone().unwrap().replace("ws://", "wss://");
    let plain = Environment { guest_socket: Some(plain), ..at(server) };
    told(&outcome(&mut desk, &plain), "tls", &["ws://"]);
}

#[test]
fn a_proxy_that_works_is_used_and_each_refusal_is_told() {
    let server = secure_server();
    let mut desk = Desk::open();
    let through = |proxy: String| Environment {
        proxy: Some(proxy),
        ca_file: Some(tls("ca.pem").display().to_string()),
        ..at(server)
    };
    let plain = Proxy::start(Manner::default());
    assert_eq!(outcome(&mut desk, &through(format!("http://{}", plain.address))), None);
    assert_eq!(plain.asked(), [format!("CONNECT {server} HTTP/1.1")]);
    // The sandbox has no TLS; it is reached all the same.
    let sandbox = Environment { proxy: Some(format!("http://{}", plain.address)), ..desk.environment.clone() };
    assert_eq!(outcome(&mut desk, &sandbox), None);
    assert!(plain.asked().len() > 1, "{:?}", plain.asked());

    let strict = Proxy::start(Manner { login: Some(("me".into(), "pass/word".into())), ..Manner::default() });
    let address = strict.address.to_string();
    assert_eq!(outcome(&mut desk, &through(format!("http://me:pass%2Fword@{address}"))), None);
    let report = outcome(&mut desk, &through(format!("http://{address}")));
    told(&report, "proxy", &["user name and password", &address]);
    let report = outcome(&mut desk, &through(format!("http://me:wrong-password@{address}")));
    told(&report, "proxy", &["user name and password"]);
    assert!(!report.unwrap().text().contains("wrong-password"));

    for status in [403, 502] {
        let refusing = Proxy::start(Manner { refuse: Some(status), ..Manner::default() });
        let report = outcome(&mut desk, &through(format!("http://{}", refusing.address)));
        told(&report, "proxy", &["could not be used to reach", &refusing.address.to_string(), "CONNECT"]);
    }
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    told(&outcome(&mut desk, &through(format!("http://{gone}"))), "proxy", &[&gone.to_string()]);
    told(&outcome(&mut desk, &through("no proxy at all".into())), "bad-proxy", &["http://host:port"]);
}

#[test]
fn hosts_that_are_not_there_and_upgrades_that_are_refused_are_told_apart() {
    let mut desk = Desk::open();
    told(&outcome(&mut desk, &at("no-such-host.invalid")), "dns", &["no-such-host.invalid", "region"]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    told(&outcome(&mut desk, &at(nobody)), "refused", &[&nobody.to_string()]);
    let sandbox = desk.environment.clone();
    for (status, words) in [(403, ["deployment id", "origin"]), (503, ["failed", "503"]), (429, ["Wait", "429"])] {
        let order = format!(r#"{{"do":"refuse_upgrades","count":1,"status":{status}}}"#);
        desk.order(serde_json::from_str(&order).unwrap());
        told(&outcome(&mut desk, &sandbox), "upgrade-refused", &words);
    }
    let wrong = Environment { deployment_id: "00000000-0000-4000-8000-000000000000".into(), ..sandbox.clone() };
    told(&outcome(&mut desk, &wrong), "upgrade-refused", &["403", "00000000-0000-4000-8000-000000000000"]);
    let page = Environment { guest_socket: sandbox.guest_socket.map(|s| s.replace("/v1", "/nothing")), ..wrong };
    told(&outcome(&mut desk, &page), "upgrade-refused", &["404", "/v1"]);
}
