//! A server that never stops talking.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use sessionscope::model::Environment;
use sessionscope::model::fact::SessionState;
use tokio_tungstenite::tungstenite::Message;

use crate::support::console::{Desk, LIMIT};

const READY: &str = r#"{"type":"response","class":"SessionResponse","code":200,"body":{"connected":true,"newSession":true,"readOnly":false,"maxCustomDataBytes":2048,"durationSeconds":259200}}"#;
const TYPING: &str = r#"{"type":"message","class":"StructuredMessage","code":200,"body":{"type":"Event","direction":"Outbound","events":[{"eventType":"Typing","typing":{"type":"On","duration":5000}}]}}"#;

/// Configures whoever comes, then floods until a ping comes, and tells that.
fn flooding_server() -> (SocketAddr, Receiver<()>) {
    let (told, address) = sync_channel(1);
    let (pinged, ping) = sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            told.send(listener.local_addr().unwrap()).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            socket.next().await.unwrap().unwrap();
            socket.send(Message::text(READY)).await.unwrap();
            let (mut out, mut incoming) = socket.split();
            let flood = async { while out.feed(Message::text(TYPING)).await.is_ok() {} };
            let watch = async {
                while let Some(Ok(message)) = incoming.next().await {
                    if message.is_ping() {
                        return;
                    }
                }
            };
            tokio::select! {
                () = flood => {}
                () = watch => { let _ = pinged.send(()); }
            }
        });
    });
    (address.recv().unwrap(), ping)
}

#[test]
fn a_socket_that_never_rests_does_not_keep_pings_waiting() {
    let mut desk = Desk::with_paused_clock();
    let (address, pinged) = flooding_server();
    let environment = Environment {
        name: "flood".into(),
        guest_socket: Some(format!("ws://{address}/v1")),
        deployment_id: "d".into(),
        ..Environment::default()
    };
    let session = desk.headless.open_guest("flood", &environment).unwrap();
    desk.until(session, "ready", |v| matches!(v.state, Some(SessionState::Ready)));
    let interval = Duration::from_secs(u64::from(environment.timings.ping_secs));
    desk.clock.as_ref().unwrap().advance(interval + Duration::from_secs(1));
    pinged.recv_timeout(LIMIT).expect("a ping is sent while the flood goes on");
}
