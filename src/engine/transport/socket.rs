//! Opening a socket and sending on it. Both go over the HTTP client, so that proxy, authorities and reports are the
//! same as for every other call.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use reqwest::Upgraded;
use reqwest::header::HeaderMap;
use tokio::io::{AsyncWrite, AsyncWriteExt, ReadHalf};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::client::Clients;
use super::frames::{FrameReader, Wire, encode};
use super::{faults, http};
use crate::engine::log::Log;
use crate::model::record::{Headers, HttpRequest, HttpResponse};
use crate::model::{Direction, Draft, Environment, Fact, Flags, Kind, Now, Report, SessionId, Wall};

/// Messages that may wait to be written. A peer that reads nothing for so long is reported.
const OUTGOING: usize = 1024;
/// After the end of a socket, what waits to be written (a close frame, say) has so long to leave.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// An open socket.
pub struct Socket {
    pub reader: FrameReader<ReadHalf<Upgraded>>,
    pub sender: Sender,
    /// `Date` of the 101, with the instants around it.
    pub date: Option<(Wall, Now, Now)>,
}

/// Why no socket is there. `status` where the server answered.
pub struct NotOpened {
    pub status: Option<u16>,
    pub report: Report,
}

/// Hands messages to the task that writes them. Dropping it ends that task and with it the connection.
pub struct Sender {
    queue: mpsc::Sender<Wire>,
    /// Never used: its end tells the writing task, which may be held up by a peer that reads nothing.
    _alive: oneshot::Sender<()>,
}

impl Sender {
    /// Never waits.
    pub fn send(&self, wire: Wire) -> Result<(), Report> {
        self.queue.try_send(wire).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => Report::new(
                "peer-reads-nothing",
                "The server takes nothing any more",
                format!("{OUTGOING} messages wait to be written: the server does not read from the socket."),
            )
            .remedy("Close the session and connect again."),
            mpsc::error::TrySendError::Closed(_) => {
                Report::new("socket-gone", "The socket is gone", "The connection ended before this was written.")
            }
        })
    }
}

/// What is needed to open one.
pub struct Opening {
    pub log: Log,
    pub session: SessionId,
    pub environment: Arc<Environment>,
    pub clients: Clients,
    pub conn: u32,
    pub url: String,
    pub headers: Headers,
}

impl Opening {
    /// Sends the upgrade and records it and its answer.
    pub async fn open(self) -> Result<Socket, NotOpened> {
        let key = base64::engine::general_purpose::STANDARD.encode(uuid::Uuid::new_v4().as_bytes());
        let mut headers: Headers = vec![
            ("Connection".into(), "Upgrade".into()),
            ("Upgrade".into(), "websocket".into()),
            ("Sec-WebSocket-Version".into(), "13".into()),
            ("Sec-WebSocket-Key".into(), key.clone()),
        ];
        headers.extend(self.headers.iter().cloned());
        let headers = http::header_map(&headers).map_err(|report| NotOpened { status: None, report })?;
        let sent = self.log.now();
        let request = self.record_opening(sent, &headers);
        let outcome = tokio::time::timeout(self.clients.connect_within, self.upgrade(headers)).await;
        let response = match outcome {
            Err(_) => return Err(self.no_answer(request, faults::timeout(&faults::host_of(&self.url)))),
            Ok(Err(report)) => return Err(self.no_answer(request, report)),
            Ok(Ok(response)) => response,
        };
        let received = self.log.now();
        let head = head_of(&response, sent, received);
        let status = response.status().as_u16();
        if status != 101 {
            return Err(self.refused(request, head, response).await);
        }
        let accept = response.headers().get("sec-websocket-accept").map(|v| v.as_bytes().to_vec());
        if accept.as_deref() != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
            let report = Report::new(
                "bad-handshake",
                "The server did not finish the WebSocket handshake",
                "It answered 101, but its Sec-WebSocket-Accept does not belong to our key.",
            )
            .remedy("Something between here and the server answers in its place, or it is not a WebSocket server.");
            self.record_answer(Kind::SocketRefused, request, received, &head, Bytes::new());
            self.log.fact(self.session, &Fact::Fault(report.clone()));
            return Err(NotOpened { status: Some(101), report });
        }
        let date = response
            .headers()
            .get("date")
            .and_then(|v| v.to_str().ok())
            .and_then(Wall::parse_http_date)
            .map(|d| (d, sent, received));
        self.record_answer(Kind::SocketOpen, request, received, &head, Bytes::new());
        match response.upgrade().await {
            Ok(io) => {
                let (read, write) = tokio::io::split(io);
                let (queue, waiting) = mpsc::channel(OUTGOING);
                let (alive, dropped) = oneshot::channel();
                tokio::spawn(write_until(write, waiting, dropped, LAST_WORDS));
                Ok(Socket { reader: FrameReader::new(read), sender: Sender { queue, _alive: alive }, date })
            }
            Err(e) => Err(self.no_answer(request, faults::no_answer(&self.environment, &self.url, &e))),
        }
    }

    async fn upgrade(&self, headers: HeaderMap) -> Result<reqwest::Response, Report> {
        let url = http_address(&self.url);
        self.clients
            .upgrade
            .get(&url)
            .headers(headers)
            .send()
            .await
            .map_err(|e| faults::no_answer(&self.environment, &self.url, &e))
    }

    fn record_opening(&self, sent: Now, headers: &HeaderMap) -> u64 {
        let head = HttpRequest {
            method: "GET".into(),
            url: self.url.clone(),
            version: "HTTP/1.1".into(),
            headers: http::sent_headers(&self.url, headers),
            purpose: "socket".into(),
            tracing: None,
        };
        let draft = Draft::new(sent, self.session, Kind::SocketOpening, Direction::Sent);
        self.log.add(draft.conn(self.conn).head(&head).flags(Flags::STORY))
    }

    fn record_answer(&self, kind: Kind, request: u64, at: Now, head: &HttpResponse, body: Bytes) {
        let mut draft = Draft::new(at, self.session, kind, Direction::Received)
            .conn(self.conn)
            .head(head)
            .body(body)
            .code(i32::from(head.status))
            .reply_to(request)
            .flags(Flags::STORY);
        if kind == Kind::SocketRefused {
            draft = draft.flags(Flags::FAULT);
        }
        self.log.add(draft);
    }

    async fn refused(&self, request: u64, head: HttpResponse, mut response: reqwest::Response) -> NotOpened {
        let mut body = Vec::new();
        // A refusal says little; what comes late or long is not waited for.
        let _ = tokio::time::timeout(Duration::from_secs(2), async {
            while let Ok(Some(piece)) = response.chunk().await {
                body.extend_from_slice(&piece);
                if body.len() > 64 << 10 {
                    break;
                }
            }
        })
        .await;
        let text = self.log.redactor().text(&String::from_utf8_lossy(&body)).into_owned();
        let report = faults::upgrade_refused(&self.environment, head.status, &text);
        let received = self.log.now();
        self.record_answer(Kind::SocketRefused, request, received, &head, Bytes::from(body));
        let fault = Draft::fact(received, self.session, &Fact::Fault(report.clone()));
        self.log.add(fault.conn(self.conn).reply_to(request));
        NotOpened { status: Some(head.status), report }
    }

    fn no_answer(&self, request: u64, report: Report) -> NotOpened {
        let mut draft = Draft::fact(self.log.now(), self.session, &Fact::Fault(report.clone()));
        draft.kind = Kind::SocketRefused;
        draft.direction = Direction::Received;
        self.log.add(draft.conn(self.conn).reply_to(request));
        NotOpened { status: None, report }
    }
}

fn head_of(response: &reqwest::Response, sent: Now, received: Now) -> HttpResponse {
    HttpResponse {
        status: response.status().as_u16(),
        reason: response.status().canonical_reason().unwrap_or_default().to_owned(),
        version: http::version_word(response.version()),
        headers: http::headers_of(response.headers()),
        wait_us: received.mono.since(sent.mono).as_micros() as u64,
        receive_us: 0,
        purpose: String::new(),
        tracing: None,
    }
}

fn http_address(url: &str) -> String {
    match url.split_once("://") {
        Some(("ws", rest)) => format!("http://{rest}"),
        Some(("wss", rest)) => format!("https://{rest}"),
        _ => url.to_owned(),
    }
}

/// Writes until the socket is dropped and its last words are out, or have had their time.
async fn write_until(
    io: impl AsyncWrite + Unpin,
    waiting: mpsc::Receiver<Wire>,
    dropped: oneshot::Receiver<()>,
    last_words: Duration,
) {
    let over = async {
        let _ = dropped.await;
        tokio::time::sleep(last_words).await;
    };
    tokio::select! {
        () = write_all(io, waiting) => {}
        () = over => {}
    }
}

/// Writes what comes, as many messages as wait in one go.
async fn write_all(mut io: impl AsyncWrite + Unpin, mut waiting: mpsc::Receiver<Wire>) {
    let mut out = Vec::with_capacity(4096);
    let mut batch = Vec::with_capacity(64);
    while waiting.recv_many(&mut batch, 64).await > 0 {
        for wire in batch.drain(..) {
            encode(&wire, mask(), &mut out);
        }
        // A failed write shows at the reading side, where the end of the connection is recorded.
        if io.write_all(&out).await.is_err() || io.flush().await.is_err() {
            return;
        }
        out.clear();
        out.shrink_to(1 << 20);
    }
    let _ = io.shutdown().await;
}

fn mask() -> [u8; 4] {
    let random = uuid::Uuid::new_v4();
    let [a, b, c, d, ..] = *random.as_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peer_that_reads_nothing_does_not_hold_the_writer() {
        let (ours, _theirs) = tokio::io::duplex(64);
        let (queue, waiting) = mpsc::channel(4);
        let (alive, dropped) = oneshot::channel();
        let writer = tokio::spawn(write_until(ours, waiting, dropped, Duration::from_millis(1)));
        queue.send(Wire::Text(Bytes::from(vec![b'x'; 1000]))).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!writer.is_finished(), "a slow peer is waited for");
        drop((queue, alive));
        tokio::time::timeout(Duration::from_secs(10), writer).await.expect("it ends").unwrap();
    }
}
