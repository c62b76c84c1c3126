//! Part one: frames per second.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use sessionscope::capture::{Opened, Reader};
use sessionscope::engine::console::{Console, ConsoleOptions};
use sessionscope::engine::places::Places;
use sessionscope::engine::{Command, SessionSpec, Ticket};
use sessionscope::model::{DialectId, Environment};
use sessionscope::vault::Vault;
use tokio_tungstenite::tungstenite::Message;

pub fn run() {
    let frames = crate::setting("FLOOD_FRAMES", 3_000_000);
    let rounds = crate::setting("FLOOD_ROUNDS", 3);
    println!("flood: {frames} text frames of {} bytes over loopback, best of {rounds} rounds", frame(0).len());
    let best = |what: &str, one: &dyn Fn() -> f64| {
        let rates: Vec<f64> = (0..rounds).map(|_| one()).collect();
        let best = rates.iter().copied().fold(0.0, f64::max);
        let all: Vec<String> = rates.iter().map(|r| format!("{:.0}", r / 1e3)).collect();
        println!("  {what:<58} {:>6.0} k/s   (rounds: {} k/s)", best / 1e3, all.join(", "));
        best
    };
    let bare = best("(a) bare tokio-tungstenite loop that only counts", &|| bare(frames));
    let commits = AtomicU64::new(0);
    let ours = best("sessionscope: redacted, stored on disk, readable", &|| ours(frames, &commits));
    // The same rows in the same batches, on average.
    let batch = (rounds * frames).div_ceil(commits.load(Ordering::Relaxed).max(1));
    let insert =
        best(&format!("(b) loop that only inserts the same rows, {batch} at a time"), &|| insert(frames, batch));
    println!("  ratio to (a): {:.3}   ratio to (b): {:.3}\n", ours / bare, ours / insert);
}

/// A typing event of the other side, padded to 200 bytes: what a flood of real traffic would be made of.
fn frame(n: u64) -> String {
    let head = format!(
        r#"{{"type":"message","class":"StructuredMessage","code":200,"body":{{"id":"{n:08x}","type":"Event","direction":"Outbound","events":[{{"eventType":"Typing","typing":{{"type":"On","duration":5000}}}}],"p":""#
    );
    let tail = r#""}}"#;
    let pad = 200usize.saturating_sub(head.len() + tail.len());
    format!("{head}{}{tail}", "x".repeat(pad))
}

/// Serves one connection: handshake, the answer to `configureSession` where one comes, then the flood.
fn server(frames: u64) -> (SocketAddr, Receiver<Instant>) {
    let (told, address) = sync_channel(1);
    let (began, begin) = sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
            told.send(listener.local_addr().expect("address")).expect("told");
            let (stream, _) = listener.accept().await.expect("a client");
            let mut socket = tokio_tungstenite::accept_async(stream).await.expect("handshake");
            // The client speaks first: it says "go", or it configures a session.
            let first = socket.next().await.expect("a word").expect("readable").into_text().expect("text");
            if first.contains("configureSession") {
                let answer = r#"{"type":"response","class":"SessionResponse","code":200,"body":{"connected":true,"newSession":true,"readOnly":false,"maxCustomDataBytes":2048,"durationSeconds":259200}}"#;
                socket.send(Message::text(answer)).await.expect("answered");
            }
            let text = tokio_tungstenite::tungstenite::Utf8Bytes::from(frame(1));
            began.send(Instant::now()).expect("begun");
            for n in 0..frames {
                socket.feed(Message::Text(text.clone())).await.expect("fed");
                if n % 1000 == 999 {
                    socket.flush().await.expect("flushed");
                }
            }
            socket.flush().await.expect("flushed");
            // Held open until the client goes.
            while let Some(Ok(_)) = socket.next().await {}
        });
    });
    (address.recv().expect("address"), begin)
}

fn bare(frames: u64) -> f64 {
    let (address, begin) = server(frames);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    runtime.block_on(async move {
        let stream = tokio::net::TcpStream::connect(address).await.expect("connected");
        let (mut socket, _) =
            tokio_tungstenite::client_async(format!("ws://{address}/v1"), stream).await.expect("open");
        socket.send(Message::text("go")).await.expect("sent");
        let mut seen = 0;
        while seen < frames {
            if socket.next().await.expect("more").expect("readable").is_text() {
                seen += 1;
            }
        }
        frames as f64 / begin.recv().expect("begun").elapsed().as_secs_f64()
    })
}

/// The rows that ours writes, by a loop that does nothing else.
fn insert(frames: u64, batch: u64) -> f64 {
    let folder = tempfile::tempdir().expect("folder");
    let db = rusqlite::Connection::open(folder.path().join("rows.sqlite")).expect("open");
    db.pragma_update(None, "journal_mode", "WAL").expect("wal");
    db.pragma_update(None, "synchronous", "NORMAL").expect("sync");
    db.execute_batch(
        "CREATE TABLE record(seq INTEGER PRIMARY KEY, wall INTEGER, mono INTEGER, session INTEGER, conn INTEGER,
         kind INTEGER, direction INTEGER, flags INTEGER, code INTEGER, reply INTEGER, size INTEGER, head, body)",
    )
    .expect("table");
    let body = frame(1).into_bytes();
    let start = Instant::now();
    let mut n = 0u64;
    while n < frames {
        db.execute_batch("BEGIN").expect("begin");
        {
            let mut row = db.prepare_cached("INSERT INTO record VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)").expect("sql");
            for _ in 0..batch.min(frames - n) {
                n += 1;
                let t = n as i64;
                let wall = 1_790_000_000_000_000 + t;
                let numbers = [t, wall, t, 1, 1, 13, 2, 2, 200, 0, 200];
                for (at, number) in numbers.into_iter().enumerate() {
                    row.raw_bind_parameter(at + 1, number).expect("bound");
                }
                row.raw_bind_parameter(12, "").expect("bound");
                row.raw_bind_parameter(13, &body[..]).expect("bound");
                row.raw_execute().expect("row");
            }
        }
        db.execute_batch("COMMIT").expect("commit");
    }
    frames as f64 / start.elapsed().as_secs_f64()
}

fn ours(frames: u64, commits: &AtomicU64) -> f64 {
    let folder = tempfile::tempdir().expect("folder");
    let (address, begin) = server(frames);
    let console = Console::start(ConsoleOptions {
        vault: Some(Vault::in_memory()),
        places: Some(Places { config: folder.path().join("config"), captures: folder.path().join("captures") }),
        wake: Arc::new(|| {}),
        ..ConsoleOptions::default()
    })
    .expect("console");
    let counted = Arc::new(AtomicU64::new(0));
    let count = counted.clone();
    console.writer.on_commit(Box::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let environment = Environment {
        name: "flood".into(),
        guest_socket: Some(format!("ws://{address}/v1")),
        deployment_id: "d".into(),
        ..Environment::default()
    };
    let spec = SessionSpec {
        name: "flood".into(),
        dialect: DialectId::WebMessaging,
        environment,
        form: Default::default(),
        ..SessionSpec::default()
    };
    console.engine.send(Command::OpenSession { ticket: Ticket(1), spec: Box::new(spec), connect: true }).expect("sent");
    let began = begin.recv_timeout(Duration::from_secs(20)).expect("the flood begins");
    let reader = Reader::attach(&console.writer.opened()).expect("reader");
    // Some records of opening and configuring stand before the flood.
    while reader.len() < frames {
        std::thread::sleep(Duration::from_millis(1));
        assert!(began.elapsed() < Duration::from_secs(600), "stuck at {} of {frames}", reader.len());
    }
    let took = began.elapsed();
    commits.fetch_add(counted.load(Ordering::Relaxed), Ordering::Relaxed);
    let status = console.writer.status();
    assert_eq!(status.left_out, 0, "payloads were left out");
    let opened = console.writer.opened();
    drop(reader);
    console.close(Duration::from_secs(5)).expect("closed");
    nothing_lost(&opened, frames);
    frames as f64 / took.as_secs_f64()
}

fn nothing_lost(opened: &Opened, frames: u64) {
    let Opened::File(file) = opened else { panic!("not a file") };
    let db = rusqlite::Connection::open(Path::new(file)).expect("open");
    let kept = db
        .query_row("SELECT count(*) FROM record WHERE kind = 13 AND direction = 2 AND length(body) = 200", [], |r| {
            r.get::<_, i64>(0)
        })
        .expect("count");
    assert_eq!(kept as u64, frames, "frames were lost");
}
