//! HAR 1.2 with socket messages, as Chrome's developer tools read it.
//!
//! Messages have Chrome's four fields and no others; how a socket ended stands in `_webSocketClose` (HTTP Toolkit's
//! shape). All else that the capture knows is under one private field, `_sessionscope`: in an entry what belongs to it
//! (record numbers, control frames), in the log what belongs to none (states, expiries, notes, marks).
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::http;
use super::sockets::{Entry, Socket, entries};
use super::{Meter, Progress, base64, each_record, flag_words, put, put_json, rows_of, to_file, whole};
use crate::capture::{Reader, Rows};
use crate::model::record::{Direction, HttpRequest, HttpResponse, Kind, Lane, Record};
use crate::model::{Fact, Report, SessionId};

/// Times that a record is read at most: to find the entries, for its message, for what we know of it, and for the rest.
const PASSES: u64 = 4;

/// Writes all traffic, or that of a session, as one HAR file. Progress counts records read: each is read some times.
///
/// Memory: 16 bytes an exchange and about 100 a socket; messages are streamed.
pub fn har(reader: &Reader, session: Option<SessionId>, to: &Path, progress: &mut dyn Progress) -> Result<(), Report> {
    let rows = rows_of(reader, session);
    let mut meter = Meter::new(rows.len().saturating_mul(PASSES), progress);
    to_file(to, |out| {
        let entries = entries(reader, &rows, |n| meter.more(n))?;
        let creator = json!({ "name": "sessionscope", "version": env!("CARGO_PKG_VERSION") });
        put(out, r#"{"log":{"version":"1.2","creator":"#, to)?;
        put_json(out, &creator, to)?;
        put(out, ",\"pages\":[],\"entries\":[", to)?;
        let mut export = Export { reader, rows: &rows, out, to, meter: &mut meter };
        for (k, entry) in entries.iter().enumerate() {
            export.text(if k == 0 { "\n" } else { ",\n" })?;
            match entry {
                Entry::Http { request, answer } => export.exchange(*request, *answer)?,
                Entry::Socket(socket) => export.socket(socket)?,
            }
            export.meter.more(0)?;
        }
        export.text("\n],\"_sessionscope\":")?;
        export.rest()?;
        put(out, "}}\n", to)?;
        meter.more(u64::MAX)
    })
}

struct Export<'a, 'm, W> {
    reader: &'a Reader,
    rows: &'a Rows,
    out: &'a mut W,
    to: &'a Path,
    meter: &'a mut Meter<'m>,
}

impl<W: Write> Export<'_, '_, W> {
    fn text(&mut self, text: &str) -> Result<(), Report> {
        put(self.out, text, self.to)
    }

    fn json(&mut self, value: &Value) -> Result<(), Report> {
        put_json(self.out, value, self.to)
    }

    /// Members of an object without its braces.
    fn members(&mut self, value: &Value) -> Result<(), Report> {
        let text = value.to_string();
        self.text(text.get(1..text.len().saturating_sub(1)).unwrap_or_default())
    }

    fn get(&self, seq: u64) -> Result<Option<Record>, Report> {
        if seq == 0 { Ok(None) } else { self.reader.record(seq) }
    }

    fn exchange(&mut self, request: u64, answer: u64) -> Result<(), Report> {
        let (request, answer) = (self.get(request)?, self.get(answer)?);
        let members = exchange_members(request.as_ref(), answer.as_ref());
        let mut private = json!({});
        if let Some(o) = private.as_object_mut() {
            for (key, record) in [("request", &request), ("response", &answer)] {
                if let Some(record) = record {
                    o.insert(key.into(), own(record));
                }
            }
            if let Some(data) = request.as_ref().and_then(http::binary_request) {
                o.insert("requestBase64".into(), data.into());
            }
        }
        // Without it, developer tools take JSON for a script.
        self.text("{\"_resourceType\":\"fetch\",")?;
        self.members(&members)?;
        self.text(",\"_sessionscope\":")?;
        self.json(&private)?;
        self.text("}")
    }

    fn socket(&mut self, socket: &Socket) -> Result<(), Report> {
        let (opening, answer) = (self.get(socket.opening)?, self.get(socket.answer)?);
        let first = self.get(socket.first)?;
        let members = exchange_members(opening.as_ref().or(first.as_ref()), answer.as_ref());
        self.text("{\"_resourceType\":\"websocket\",")?;
        self.members(&members)?;
        if let Some(close) = self.close(socket)? {
            self.text(",\"_webSocketClose\":")?;
            self.json(&close)?;
        }
        self.text(",\"_webSocketMessages\":[")?;
        let mut comma = "\n";
        self.each_of(socket, |export, record| {
            let Some(message) = message(&record) else { return Ok(()) };
            export.text(std::mem::replace(&mut comma, ",\n"))?;
            export.json(&message)
        })?;
        self.text("],\"_sessionscope\":{")?;
        self.members(&json!({ "session": socket.session.0, "conn": socket.conn }))?;
        self.text(",\"records\":[")?;
        let mut comma = "\n";
        self.each_of(socket, |export, record| {
            export.text(std::mem::replace(&mut comma, ",\n"))?;
            let known = matches!(record.kind, Kind::Text | Kind::Binary) && record.direction != Direction::Local;
            export.json(&if known { own(&record) } else { whole(&record) })
        })?;
        self.text("]}}")
    }

    /// Calls `each` with the records of a socket, in order.
    fn each_of(
        &mut self,
        socket: &Socket,
        mut each: impl FnMut(&mut Self, Record) -> Result<(), Report>,
    ) -> Result<(), Report> {
        let rows = self.reader.rows(Some(socket.session), true);
        each_record(self.reader, &rows, socket.first, socket.last, |record| {
            if record.conn == socket.conn && record.kind.lane() == Lane::Socket {
                each(self, record)?;
            }
            self.meter.more(1)
        })
    }

    /// How the socket ended, in HTTP Toolkit's shape; none while it was open.
    fn close(&self, socket: &Socket) -> Result<Option<Value>, Report> {
        Ok(match self.get(socket.close)? {
            Some(record) => Some(json!({
                "code": record.code,
                "reason": String::from_utf8_lossy(&record.body),
                "timestamp": record.at.wall.as_secs_f64(),
            })),
            None if socket.lost => Some(json!("aborted")),
            None => None,
        })
    }

    /// What belongs to no entry.
    fn rest(&mut self) -> Result<(), Report> {
        let meta = self.reader.meta();
        self.text("{")?;
        self.members(&json!({
            "capture": meta.capture, "created": meta.created, "program": meta.program,
            "oddities": self.reader.oddities(),
        }))?;
        self.text(",\"records\":[")?;
        let mut comma = "\n";
        let (reader, rows) = (self.reader, self.rows);
        each_record(reader, rows, 0, u64::MAX - 1, |record| {
            if record.kind.lane() == Lane::Lifecycle {
                self.text(std::mem::replace(&mut comma, ",\n"))?;
                self.json(&whole(&record))?;
            }
            self.meter.more(1)
        })?;
        self.text("]}")
    }
}

/// A message in Chrome's four fields.
fn message(record: &Record) -> Option<Value> {
    let kind = match record.direction {
        Direction::Sent => "send",
        Direction::Received => "receive",
        Direction::Local => return None,
    };
    let time = record.at.wall.as_secs_f64();
    Some(match (record.kind, record.text()) {
        (Kind::Text, Some(text)) => json!({ "type": kind, "time": time, "opcode": 1, "data": text }),
        // A text message that is not UTF-8 is against the protocol; Chrome's importer can only hold its bytes so.
        (Kind::Text | Kind::Binary, _) => {
            json!({ "type": kind, "time": time, "opcode": 2, "data": base64(&record.body) })
        }
        _ => return None,
    })
}

/// What we know of a record beyond what HAR says of it.
fn own(record: &Record) -> Value {
    json!({
        "seq": record.seq,
        "session": record.session.0,
        "mono_us": record.at.mono.0,
        "size": record.size,
        "reply_to": record.reply_to,
        "flags": flag_words(record.flags),
    })
}

/// The members of an entry that HAR asks for.
fn exchange_members(request: Option<&Record>, answer: Option<&Record>) -> Value {
    let nothing = HttpRequest { method: "GET".into(), ..HttpRequest::default() };
    let asked: HttpRequest = request.and_then(Record::head_as).unwrap_or(nothing);
    let answered: Option<HttpResponse> = answer.and_then(Record::head_as);
    let started = request.or(answer).map_or_else(String::new, |r| r.at.wall.rfc3339());
    let between = match (request, answer) {
        (Some(a), Some(b)) => b.at.mono.since(a.at.mono).as_micros() as u64,
        _ => 0,
    };
    let (wait, receive) = answered.as_ref().map_or((between, 0), |a| match (a.wait_us, a.receive_us) {
        (0, 0) => (between, 0),
        known => known,
    });
    let response = match (&answered, answer) {
        (Some(head), Some(record)) => http::response(head, record),
        _ => http::no_response(&why(answer)),
    };
    let request = match request {
        Some(record) if matches!(record.kind, Kind::HttpRequest | Kind::SocketOpening) => http::request(&asked, record),
        _ => http::request(&asked, &empty(answer)),
    };
    json!({
        "startedDateTime": started,
        "time": http::millis(wait + receive),
        "request": request,
        "response": response,
        "cache": {},
        "timings": http::timings(wait, receive),
    })
}

fn why(answer: Option<&Record>) -> String {
    match answer.and_then(Record::fact) {
        Some(Fact::Fault(report)) => report.to_string(),
        _ => "no answer is in the capture".into(),
    }
}

/// Stands for a request that the capture does not have.
fn empty(answer: Option<&Record>) -> Record {
    let (at, session) = answer.map_or_else(Default::default, |r| (r.at, r.session));
    let draft = crate::model::Draft::new(at, session, Kind::HttpRequest, Direction::Sent);
    Record { seq: 0, draft }
}
