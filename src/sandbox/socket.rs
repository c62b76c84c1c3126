//! Sockets, of web messaging and of the flows: from the upgrade to the last frame.
//!
//! The upgrade is answered by hand, so that its 101 bears our `Date` and that any other status can be sent instead.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, Request, State as Shares};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::faults::Faults;
use super::flows;
use super::guard::{self, Origin};
use super::guest;
use super::platform;
use super::server::Permit;
use super::shared::Shared;
use super::state::{Item, Opened, Out, Peer, State, Stop};
use super::wire::{self, Incoming, WireError, WireReader};
use crate::model::Now;

/// A longer message is refused with 1009. The vendor's limit is not known; this is that of the gateway which it
/// looks like.
const LARGEST: usize = 128 * 1024;
/// How long the peer may take to answer our close frame.
const GOODBYE: Duration = Duration::from_secs(2);
/// Bytes of frames that are written at once.
const BATCH: usize = 64 * 1024;

/// Who was let in, before the connection is one.
pub(super) enum Admitted {
    /// A guest of web messaging, with the application that it says it is.
    Web(Option<String>),
    /// An external contact, with the token of its handshake.
    Contact(Arc<str>),
    /// A guest that is a resource, by its number.
    Guest(u32),
    /// An agent's notification channel, by its number.
    Channel(u32),
}

/// The guest's socket of web messaging.
pub(super) async fn upgrade(
    Shares(shared): Shares<Arc<Shared>>,
    Extension(permit): Extension<Permit>,
    Query(mut query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    let origin = origin(&shared, request.headers());
    accept(&shared, permit, request, |state, _| {
        let deployment = &state.deployment;
        let known = query.get("deploymentId") == Some(&state.me.deployment_id) && deployment.active;
        let host = origin.as_ref().map(Origin::host);
        let allowed = deployment.allow_all_domains || host.is_some_and(|h| deployment.allows_host(&h));
        match known && allowed {
            true => Ok(Admitted::Web(query.remove("application"))),
            false => Err(StatusCode::FORBIDDEN.into_response().into()),
        }
    })
}

fn origin(shared: &Shared, headers: &HeaderMap) -> Option<Origin> {
    let origin = headers.get(header::ORIGIN).and_then(|o| o.to_str().ok());
    guard::check_origin(origin, &shared.allow_origins).unwrap_or_default()
}

/// Answers an upgrade: whom `admit` lets in becomes a connection.
pub(super) fn accept(
    shared: &Arc<Shared>,
    permit: Permit,
    mut request: Request,
    admit: impl FnOnce(&mut State, Now) -> Result<Admitted, Box<Response>>,
) -> Response {
    let key = match handshake_key(request.headers()) {
        Ok(key) => key,
        Err((status, text)) => return (status, text).into_response(),
    };
    let admitted = shared.act(|state, now| {
        if Faults::spend(&mut state.faults.refuse_upgrades) {
            let status = StatusCode::from_u16(state.faults.upgrade_status).unwrap_or(StatusCode::FORBIDDEN);
            return Err(status.into_response().into());
        }
        admit(state, now)
    });
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(response) => return *response,
    };
    let origin = origin(shared, request.headers()).map(|o| match o {
        Origin::Page(o) | Origin::Bare(o) => o,
    });
    let Some(on_upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return (StatusCode::UPGRADE_REQUIRED, "This connection cannot be upgraded").into_response();
    };
    // A connection from here on: what is told once the answer is out must not be missed.
    let opened = shared.act(|state, now| open(state, origin, admitted, now));
    let task = Arc::clone(shared);
    shared.spawn(async move {
        match (on_upgrade.await, opened) {
            (Ok(upgraded), Some(opened)) => serve(task, upgraded, opened).await,
            // Ended before any frame.
            (Ok(_), None) | (Err(_), None) => {}
            (Err(_), Some((conn, ..))) => task.act(|state, _| state.forget_conn(conn)),
        }
        drop(permit);
    });
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, key)
        .body(Body::empty());
    response.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Checks a handshake (RFC 6455, 4.2.1) and gives the answer to its key.
fn handshake_key(headers: &HeaderMap) -> Result<String, (StatusCode, &'static str)> {
    let has = |name: header::HeaderName, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .any(|v| v.split(',').any(|w| w.trim().eq_ignore_ascii_case(word)))
    };
    if !has(header::UPGRADE, "websocket") || !has(header::CONNECTION, "upgrade") {
        return Err((StatusCode::UPGRADE_REQUIRED, "This address is for WebSocket connections"));
    }
    if !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err((StatusCode::BAD_REQUEST, "Sec-WebSocket-Version must be 13"));
    }
    match headers.get(header::SEC_WEBSOCKET_KEY) {
        Some(key) if key.len() == 24 => Ok(derive_accept_key(key.as_bytes())),
        _ => Err((StatusCode::BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64")),
    }
}

/// Takes in a connection. None where it shall end before any frame.
fn open(state: &mut State, origin: Option<String>, admitted: Admitted, now: Now) -> Option<Opened> {
    match admitted {
        Admitted::Web(application) => Some(state.open_conn(None, origin, application, now)),
        Admitted::Contact(token) => {
            let number = state.next_number();
            let opened = state.open_conn(Some(Peer::Contact(number)), origin, None, now);
            if flows::contact_opened(state, opened.0, number, token, now) {
                return Some(opened);
            }
            state.forget_conn(opened.0);
            None
        }
        Admitted::Guest(number) => {
            let opened = state.open_conn(Some(Peer::Guest(number)), origin, None, now);
            flows::guest_opened(state, opened.0, now);
            Some(opened)
        }
        Admitted::Channel(number) => {
            let opened = state.open_conn(Some(Peer::Channel(number)), origin, None, now);
            platform::opened(state, opened.0, number);
            Some(opened)
        }
    }
}

async fn serve(shared: Arc<Shared>, upgraded: Upgraded, (conn, items, stop): Opened) {
    let (read, write) = tokio::io::split(TokioIo::new(upgraded));
    let (pongs_in, pongs) = mpsc::channel(8);
    let mut reading = std::pin::pin!(read_all(&shared, conn, WireReader::new(read, LARGEST), pongs_in));
    let mut writing = std::pin::pin!(write_all(write, items, pongs, stop));
    tokio::select! {
        // The peer has gone, or said goodbye: what answers that is still written.
        () = &mut reading => {
            let _ = timeout(GOODBYE, &mut writing).await;
        }
        said_goodbye = &mut writing => if said_goodbye {
            // Our close frame is out: the peer may still answer it.
            let _ = timeout(GOODBYE, &mut reading).await;
        },
        () = shared.ended() => {
            shared.act(|state, now| state.close_conn(conn, 1001, "Sandbox is shutting down", now));
            let _ = timeout(GOODBYE / 4, &mut writing).await;
        }
    }
    shared.act(|state, _| state.forget_conn(conn));
}

async fn read_all<R: AsyncRead + Unpin>(
    shared: &Arc<Shared>,
    conn: u32,
    mut reader: WireReader<R>,
    pongs: mpsc::Sender<Bytes>,
) {
    let mut stalled = shared.act(|state, _| state.stalled.subscribe());
    loop {
        // A stalled server leaves what comes in to the system's buffers.
        if !until(&mut stalled, false).await {
            return;
        }
        let incoming = tokio::select! {
            biased;
            _ = until(&mut stalled, true) => continue,
            incoming = reader.next() => incoming,
        };
        match incoming {
            Ok(Incoming::Text(text)) => take(shared, conn, text.as_bytes()),
            Ok(Incoming::Binary(bytes)) => take(shared, conn, &bytes),
            Ok(Incoming::Ping(payload)) => {
                let answer = shared.act(|state, now| {
                    touch(state, conn, now);
                    !state.faults.stop_pongs
                });
                if answer {
                    // More pings than can be answered at once: the latest answers count for all.
                    let _ = pongs.try_send(payload);
                }
            }
            Ok(Incoming::Pong) => shared.act(|state, now| touch(state, conn, now)),
            Ok(Incoming::Close(code)) => {
                shared.act(|state, _| state.stop_conn(conn, Stop::PeerClosed(code)));
                return;
            }
            Err(WireError::Broken { code, reason }) => {
                shared.act(|state, now| state.close_conn(conn, code, reason, now));
                return;
            }
            Err(WireError::Eof | WireError::Io(_)) => {
                shared.act(|state, _| state.stop_conn(conn, Stop::Now));
                return;
            }
        }
    }
}

/// Waits until a switch stands so. False where nobody can turn it any more.
async fn until(switch: &mut watch::Receiver<bool>, on: bool) -> bool {
    switch.wait_for(|now| *now == on).await.is_ok()
}

/// Waits for an order that overtakes the queue.
async fn stopped(stop: &mut watch::Receiver<Stop>) -> Stop {
    stop.wait_for(|s| *s != Stop::Not).await.map_or(Stop::Now, |s| *s)
}

/// Waits for the order to end without a word.
async fn dropped(stop: &mut watch::Receiver<Stop>) {
    let _ = stop.wait_for(|s| *s == Stop::Now).await;
}

fn touch(state: &mut State, conn: u32, now: Now) {
    if let Some(c) = state.conns.get_mut(&conn) {
        c.active = now.mono;
    }
}

fn take(shared: &Arc<Shared>, conn: u32, text: &[u8]) {
    shared.act(|state, now| {
        touch(state, conn, now);
        // What comes after our close frame is not heard.
        let Some(peer) = state.conns.get(&conn).filter(|c| !c.closing).map(|c| c.peer) else { return };
        match peer {
            None => guest::take(state, conn, text, now),
            Some(Peer::Contact(_)) => flows::contact_heard(state, conn, now),
            Some(Peer::Guest(number)) => flows::guest_heard(state, conn, number, text, now),
            Some(Peer::Channel(_)) => platform::heard(state, conn, text, now),
        }
    });
}

/// Writes what is queued, when it is due. True where a close frame was the last of it.
async fn write_all<W: AsyncWrite + Unpin>(
    mut stream: W,
    mut items: mpsc::Receiver<Item>,
    mut pongs: mpsc::Receiver<Bytes>,
    mut stop: watch::Receiver<Stop>,
) -> bool {
    let mut waiting: Option<Item> = None;
    loop {
        let due = waiting.as_ref().map_or_else(Instant::now, |i| i.due);
        let mut bytes = Vec::new();
        let mut last = false;
        tokio::select! {
            biased;
            stopped = stopped(&mut stop) => match stopped {
                Stop::PeerClosed(code) => {
                    // Codes that stand for "none" are never sent.
                    let code = code.filter(|c| !matches!(c, 1005 | 1006 | 1015));
                    let _ = write_out(&mut stream, &wire::close_frame(code, "")).await;
                    let _ = stream.shutdown().await;
                    return true;
                }
                _ => return false,
            },
            Some(payload) = pongs.recv() => bytes = wire::pong_frame(payload),
            () = sleep_until(due), if waiting.is_some() => {
                let mut next = waiting.take();
                while let Some(item) = next.take() {
                    last = encode(&item, &mut bytes);
                    if last || bytes.len() >= BATCH {
                        break;
                    }
                    match items.try_recv() {
                        Ok(item) if item.due <= Instant::now() => next = Some(item),
                        Ok(item) => waiting = Some(item),
                        Err(_) => {}
                    }
                }
            }
            item = items.recv(), if waiting.is_none() => match item {
                Some(item) => waiting = Some(item),
                None => return false,
            },
        }
        if !bytes.is_empty() {
            // A peer that does not read must not keep a connection alive that shall end.
            tokio::select! {
                written = write_out(&mut stream, &bytes) => if written.is_err() {
                    return false;
                },
                () = dropped(&mut stop) => return false,
            }
        }
        if last {
            return true;
        }
    }
}

/// True for the last frame of a connection.
fn encode(item: &Item, bytes: &mut Vec<u8>) -> bool {
    match &item.out {
        Out::Text(text) => {
            bytes.extend(wire::text_frame(text));
            false
        }
        Out::Close { code, reason } => {
            bytes.extend(wire::close_frame(Some(*code), reason));
            true
        }
    }
}

async fn write_out<W: AsyncWrite + Unpin>(stream: &mut W, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}
