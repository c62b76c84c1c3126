//! Every parser that meets the outside, fed with damaged input for a bounded time. Nothing may panic or hang.
//!
//! `FUZZ_SECONDS` (default 2) is the time for each target. A failure prints the seed; `FUZZ_SEED` repeats it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use sessionscope::capture::{Filter, Reader, Writer};
use sessionscope::cli::script::{parse_environment, parse_script};
use sessionscope::dialect::web_messaging::{Config, WebMessaging};
use sessionscope::dialect::{self, At, CallId, Dialect as _, Input, Wish};
use sessionscope::model::record::HttpResponse;
use sessionscope::model::{
    DialectId, Direction, Draft, Environment, Hosts, Kind, Now, Record, Secret, SecretKind, SessionId,
};
use sessionscope::projection::Board;
use sessionscope::vault::Redactor;

/// A small generator (xorshift) so that a seed repeats a run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// Damages some bytes: flips, cuts, repeats, splices from another seed, inserts what parsers stumble over.
    fn damage(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        const TRAPS: [&[u8]; 14] = [
            b"\"",
            b"{",
            b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
            b"\\u0000",
            b"\\ud800",
            b"1e999",
            b"-9223372036854775809",
            b"null",
            b"\xff\xfe",
            b"\xe2\x80\xae",
            b"[session-token#1]",
            b"eyJhbGciOiJub25lIn0.e30.",
            b"&&*a: *a",
            b"\n\t- ",
        ];
        let mut bytes = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len() + 1);
            match self.below(6) {
                0 if !bytes.is_empty() => {
                    let at = self.below(bytes.len());
                    bytes[at] ^= 1 << self.below(8);
                }
                1 => bytes.truncate(at),
                2 => {
                    let end = (at + self.below(40)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
                3 => {
                    let other = &corpus[self.below(corpus.len())];
                    let from = self.below(other.len());
                    let end = (from + self.below(60)).min(other.len());
                    bytes.splice(at..at, other[from..end].iter().copied());
                }
                4 => {
                    let trap = TRAPS[self.below(TRAPS.len())];
                    bytes.splice(at..at, trap.iter().copied());
                }
                _ => {
                    let end = (at + self.below(20)).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
        }
        bytes
    }
}

fn fuzz(what: &str, corpus: &[Vec<u8>], mut one: impl FnMut(&[u8])) {
    let limit = Duration::from_secs(std::env::var("FUZZ_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(2));
    let seed = std::env::var("FUZZ_SEED").ok().and_then(|s| s.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 | 1);
    let mut chance = Chance(seed);
    let start = Instant::now();
    let mut runs = 0u64;
    while start.elapsed() < limit {
        let input = chance.damage(corpus);
        let began = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| one(&input))).is_err() {
            panic!("{what}: panicked, FUZZ_SEED={seed}, run {runs}, input {:?}", String::from_utf8_lossy(&input));
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{what}: hung, FUZZ_SEED={seed}, run {runs}");
        runs += 1;
    }
    println!("{what}: {runs} inputs");
    assert!(runs > 0);
}

fn lines(text: &str) -> Vec<Vec<u8>> {
    text.lines().filter(|l| !l.trim().is_empty()).map(|l| l.as_bytes().to_vec()).collect()
}

fn frames() -> Vec<Vec<u8>> {
    lines(include_str!("../fixtures/guest-frames.jsonl"))
}

fn machine() -> WebMessaging {
    WebMessaging::new(Config {
        hosts: Hosts::of_domain("example.invalid"),
        environment: Environment { deployment_id: "d".into(), ..Environment::default() },
        token: Secret::from("7f0c3a52-3a55-4f2e-9b6d-2a8f2b7c1d10"),
        resumed: false,
        login: None,
        refresh: None,
        seed: 7,
    })
}

#[test]
fn frames_of_a_server() {
    let mut machine = machine();
    let mut out = Vec::new();
    machine.step(At::default(), Input::Wish(Wish::Connect), &mut out);
    machine.step(At::default(), Input::Opened { conn: 1 }, &mut out);
    let mut board = Board::default();
    let mut seq = 0;
    fuzz("frames", &frames(), |input| {
        out.clear();
        match std::str::from_utf8(input) {
            Ok(text) => machine.step(At::default(), Input::Text { conn: 1, text }, &mut out),
            Err(_) => machine.step(At::default(), Input::Bytes { conn: 1, bytes: input }, &mut out),
        };
        seq += 1;
        let draft = Draft::new(Now::default(), SessionId(1), Kind::Text, Direction::Received).body(input.to_vec());
        let record = Record { seq, draft };
        let mut told = Vec::new();
        dialect::read(DialectId::WebMessaging, &record, &mut told);
        let _ = dialect::line(&record);
        board.fold(&record);
    });
}

#[test]
fn answers_of_an_http_server() {
    let mut corpus = lines(
        r#"{"entities":[{"id":"0f6a","type":"Text","text":"Hello","direction":"Inbound","channel":{"time":"2026-01-06T13:26:15.174Z"},"content":[],"originatingEntity":"Human"}],"pageSize":25,"pageNumber":1,"total":1,"pageCount":1}
{"message":"No authentication bearer token specified in authorization header.","code":"authentication.required","status":401}
{"id":"d","version":"1","status":"Active","messenger":{"enabled":true}}"#,
    );
    corpus.extend(frames());
    let mut machine = machine();
    let mut out = Vec::new();
    let mut call = 0;
    fuzz("HTTP answers", &corpus, |input| {
        out.clear();
        call = (call + 1) % 50;
        let status = [200, 401, 403, 429, 500][call % 5];
        machine.step(
            At::default(),
            Input::Answer { call: CallId(call as u64), status, retry_after: None, body: input },
            &mut out,
        );
        machine.step(At::default(), Input::Wish(Wish::History { all: true }), &mut out);
        let head = HttpResponse { status, ..HttpResponse::default() };
        let draft = Draft::new(Now::default(), SessionId(1), Kind::HttpResponse, Direction::Received)
            .head(&head)
            .body(input.to_vec());
        let mut told = Vec::new();
        dialect::read(DialectId::WebMessaging, &Record { seq: 1, draft }, &mut told);
    });
}

#[test]
fn scripts_and_environment_files() {
    let corpus = vec![
        include_bytes!("../fixtures/script.yaml").to_vec(),
        b"name: own\nguest_socket: ws://127.0.0.1:8089/v1\napi: http://127.0.0.1:8089\ndeployment_id: d\nlimits: {messages_per_second: 5}\n".to_vec(),
        br#"{"api":"http://127.0.0.1:1","guest_socket":"ws://127.0.0.1:1/v1","deployment_id":"d","client_secret":"s"}"#.to_vec(),
    ];
    fuzz("scripts and environments", &corpus, |input| {
        let text = String::from_utf8_lossy(input);
        let _ = parse_script(&text, "script");
        if let Ok(environment) = parse_environment(&text, "environment") {
            let _ = environment.hosts();
        }
    });
}

#[test]
fn filters() {
    let corpus = lines(
        "kind:text dir:sent\n\"a b\" -word /re[a-z]+/ code:400-499\nclass:SessionResponse (size:>10 or flag:fault)\nafter:12:30:05 seq:1-5",
    );
    fuzz("filters", &corpus, |input| {
        let _ = Filter::parse(&String::from_utf8_lossy(input));
    });
}

#[test]
fn what_passes_the_redactor() {
    let redactor = Redactor::default();
    redactor.learn(SecretKind::SessionToken, "7f0c3a52-3a55-4f2e-9b6d-2a8f2b7c1d10");
    let mut corpus = frames();
    corpus.push(
        br#"{"headers":[["authorization","Bearer abc.def.ghi"]],"url":"https://u:p@h/x?token=t&X-Amz-Signature=s"}"#
            .to_vec(),
    );
    fuzz("the redactor", &corpus, |input| {
        let draft = Draft::new(Now::default(), SessionId(1), Kind::Text, Direction::Received).body(input.to_vec());
        let once = redactor.scrub(draft);
        assert!(!once.body.windows(36).any(|w| w == b"7f0c3a52-3a55-4f2e-9b6d-2a8f2b7c1d10"));
    });
}

#[test]
fn capture_files() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create_at(&folder.path().join("good.sscope")).unwrap();
    for frame in frames() {
        writer.append(Draft::new(Now::default(), SessionId(1), Kind::Text, Direction::Received).body(frame));
    }
    writer.close().unwrap();
    let good = std::fs::read(folder.path().join("good.sscope")).unwrap();
    let damaged = folder.path().join("damaged.sscope");
    fuzz("capture files", &[good], |input| {
        std::fs::write(&damaged, input).unwrap();
        if let Ok(reader) = Reader::open(&damaged) {
            let seqs: Vec<u64> = (1..=reader.len().min(100)).collect();
            let _ = reader.records(&seqs, 4096);
            let _ = reader.story(0, 100);
        }
    });
}
