//! The listener on the loopback address to which the browser comes back (RFC 8252, 7.3): good for one answer.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::dialect::sign_in::{Visit, visit};
use crate::model::Report;
use crate::model::agents::{Loopback, Redirect};

/// A request's first lines may be so long, and take so long.
const HEAD: usize = 16 << 10;
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Connections at once: browsers open some in advance.
const CONNECTIONS: usize = 16;
/// A port of the system's choice must be free under both addresses.
const PORTS: u32 = 8;

pub struct Listener {
    sockets: Vec<TcpListener>,
    path: String,
    pub redirect_uri: String,
}

impl Listener {
    /// # Errors
    /// `sign-in-port` where the port is taken.
    pub async fn bind(redirect: &Redirect) -> Result<Self, Report> {
        let mut tries = 0;
        let (sockets, port) = loop {
            tries += 1;
            match sockets(redirect).await {
                Ok(bound) => break bound,
                Err(e) if redirect.port == 0 && tries < PORTS && e.kind() == io::ErrorKind::AddrInUse => {}
                Err(e) => return Err(not_bound(redirect, &e)),
            }
        };
        Ok(Self { sockets, path: redirect.path.clone(), redirect_uri: redirect.uri(port) })
    }

    /// Waits for the browser. Whoever asks for something else, or does not know `state`, is told so and changes
    /// nothing.
    pub async fn wait(self, state: String) -> Visit {
        let (tell, mut told) = mpsc::channel(1);
        let door = Arc::new(Door { path: self.path, state, used: AtomicBool::new(false), tell });
        // They end with this call.
        let mut open = JoinSet::new();
        for socket in self.sockets {
            open.spawn(accept(socket, door.clone()));
        }
        drop(door);
        told.recv().await.unwrap_or(Visit::Elsewhere)
    }
}

async fn sockets(redirect: &Redirect) -> io::Result<(Vec<TcpListener>, u16)> {
    let mut all = Vec::new();
    let mut port = redirect.port;
    if redirect.host != Loopback::V6 {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        port = first.local_addr()?.port();
        all.push(first);
    }
    if redirect.host != Loopback::V4 {
        match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            Ok(second) => {
                port = second.local_addr()?.port();
                all.push(second);
            }
            // Somebody else there would be given the code.
            Err(e) if e.kind() == io::ErrorKind::AddrInUse || all.is_empty() => return Err(e),
            // This computer has no such address.
            Err(_) => {}
        }
    }
    Ok((all, port))
}

fn not_bound(redirect: &Redirect, e: &io::Error) -> Report {
    let what = match redirect.port {
        0 => format!("No port of the loopback address could be had: {e}."),
        port => format!("The browser would come back to {}, but port {port} cannot be had: {e}.", redirect.uri(port)),
    };
    Report::new("sign-in-port", "The sign-in cannot listen for the browser", what)
        .remedy("Close the program that uses the port, perhaps another console that waits for a browser.")
        .remedy("Or give the environment another redirect URI or port, and register it with the client.")
}

struct Door {
    path: String,
    state: String,
    used: AtomicBool,
    tell: mpsc::Sender<Visit>,
}

async fn accept(socket: TcpListener, door: Arc<Door>) {
    let mut guests = JoinSet::new();
    loop {
        while guests.len() >= CONNECTIONS {
            guests.join_next().await;
        }
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, from)) => drop(guests.spawn(serve(stream, from, door.clone()))),
                // Out of descriptors, mostly.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = guests.join_next(), if !guests.is_empty() => {}
        }
    }
}

async fn serve(mut stream: TcpStream, from: SocketAddr, door: Arc<Door>) {
    let Ok(Ok(head)) = timeout(HEAD_WITHIN, read_head(&mut stream)).await else { return };
    let seen = match target(&head).filter(|_| from.ip().to_canonical().is_loopback()) {
        Some(target) => visit(target, &door.path, &door.state),
        None => Visit::Elsewhere,
    };
    let first = !matches!(seen, Visit::Elsewhere | Visit::Foreign) && !door.used.swap(true, Ordering::AcqRel);
    let (status, title, text) = match &seen {
        Visit::Elsewhere => ("404 Not Found", "Nothing is here", "Sessionscope waits here for a sign-in only."),
        Visit::Code(_) if first => ("200 OK", "Signed in", "You can close this window and go back to Sessionscope."),
        Visit::Refused { .. } if first => {
            ("200 OK", "Not signed in", "You can close this window. Sessionscope tells what the login page said.")
        }
        _ => (
            "400 Bad Request",
            "This is not the sign-in that was waited for",
            "It may be of an earlier try. Begin again in Sessionscope.",
        ),
    };
    let _ = stream.write_all(page(status, title, text).as_bytes()).await;
    let _ = stream.shutdown().await;
    if first {
        // The first one only: there is room.
        let _ = door.tell.send(seen).await;
    }
}

async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(1024);
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        if head.len() >= HEAD || stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(head)
}

/// `path?query` of a GET.
fn target(head: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(head.split(|b| *b == b'\r').next()?).ok()?;
    let mut words = line.split(' ');
    (words.next() == Some("GET")).then(|| words.next()).flatten()
}

fn page(status: &str, title: &str, text: &str) -> String {
    let body = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{title}</title><style>body{{font:16px/1.5 system-ui,sans-serif;max-width:30rem;margin:4rem auto;\
         padding:0 1rem}}@media(prefers-color-scheme:dark){{body{{background:#14181f;color:#e4e8ee}}}}</style>\
         <h1>{title}</h1><p>{text}</p></html>\n"
    );
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\nx-content-type-options: nosniff\r\n\
         content-security-policy: default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'\
         \r\n\r\n{body}",
        body.len()
    )
}
