//! An HTTP proxy on loopback: tunnels by CONNECT, passes plain requests on, or refuses.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Default)]
pub struct Manner {
    /// Answer everything with this status.
    pub refuse: Option<u16>,
    /// Ask for this user and password.
    pub login: Option<(String, String)>,
}

pub struct Proxy {
    pub address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Proxy {
    pub fn start(manner: Manner) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let seen = heads.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that goes away in the middle is no concern of a proxy.
                let (manner, seen) = (manner.clone(), seen.clone());
                tokio::spawn(async move { _ = serve(stream, manner, seen).await });
            }
        });
        Self { address, heads, _runtime: runtime }
    }

    /// First lines of the requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.heads.lock().unwrap().iter().filter_map(|h| h.lines().next().map(str::to_owned)).collect()
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, seen: Arc<Mutex<Vec<String>>>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    seen.lock().unwrap().push(head.clone());
    let allowed = manner.login.is_none_or(|(user, password)| {
        let wanted = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        head.lines().any(|l| l.to_ascii_lowercase().starts_with("proxy-authorization:") && l.ends_with(&wanted))
    });
    if let Some(status) = manner.refuse.or((!allowed).then_some(407)) {
        let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return stream.write_all(answer.as_bytes()).await;
    }
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let authority = match target.split_once("://") {
        Some((_, rest)) => rest.split('/').next().unwrap_or_default(),
        None => target,
    };
    let mut server = TcpStream::connect(authority).await?;
    if method == "CONNECT" {
        stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
        server.write_all(&bytes[end..]).await?;
    } else {
        server.write_all(&bytes).await?;
    }
    tokio::io::copy_bidirectional(&mut stream, &mut server).await.map(|_| ())
}
