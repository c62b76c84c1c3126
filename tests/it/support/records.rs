//! Records out of nothing, for tables of any length.

use std::collections::HashSet;

use sessionscope::capture::Rows;
use sessionscope::dialect::Line;
use sessionscope::model::{Direction, Draft, Flags, Kind, Mono, Now, Record, Report, SessionId, Wall};
use sessionscope::ui::table::RecordSource;

/// A log in which every record can be computed from its number.
pub struct FakeLog {
    pub rows: Rows,
    /// Numbers read so far.
    pub fetched: usize,
    pub marked: HashSet<u64>,
    pub broken: Option<Report>,
    pub identity: u64,
}

impl FakeLog {
    pub fn new(records: u64) -> Self {
        Self { rows: Rows::All(records), fetched: 0, marked: HashSet::new(), broken: None, identity: 0 }
    }

    /// Shows only these.
    pub fn filter(&mut self, seqs: impl IntoIterator<Item = u64>) {
        self.rows = Rows::from_iter(seqs);
    }
}

/// 2026-01-06T13:26:15.174Z and 37 ms more for every record.
pub fn instant(seq: u64) -> Now {
    let micros = seq as i64 * 37_000;
    Now { wall: Wall(1_767_705_975_174_000).plus_micros(micros), mono: Mono(1_000_000 + micros as u64) }
}

pub fn record(seq: u64) -> Record {
    let (kind, direction) = match seq % 12 {
        0 => (Kind::HttpRequest, Direction::Sent),
        1 => (Kind::HttpResponse, Direction::Received),
        2 | 7 => (Kind::Text, Direction::Sent),
        5 => (Kind::State, Direction::Local),
        9 => (Kind::Fault, Direction::Local),
        11 => (Kind::Close, Direction::Received),
        _ => (Kind::Text, Direction::Received),
    };
    let mut draft = Draft::new(instant(seq), SessionId(1), kind, direction);
    if kind == Kind::Text {
        let body = format!(r#"{{"class":"StructuredMessage","body":{{"text":"Hello {seq}"}}}}"#);
        draft = draft.body(body);
    }
    if matches!(seq % 12, 1 | 8) {
        draft = draft.reply_to(seq - 1);
    }
    draft.flags = match seq % 12 {
        0 | 2 => Flags::REDACTED,
        3 => Flags::UNKNOWN,
        4 => Flags::MALFORMED,
        6 => Flags::CUT,
        9 => Flags::FAULT,
        10 => Flags::LEFT_OUT,
        _ => Flags::NONE,
    };
    Record { seq, draft }
}

pub fn line(record: &Record) -> Line {
    let name = match record.kind {
        Kind::HttpRequest => "POST /oauth/token".to_owned(),
        Kind::HttpResponse => "200 OK".to_owned(),
        Kind::State => "ready".to_owned(),
        Kind::Fault => "The server refused the message".to_owned(),
        Kind::Close => "1000 normal closure".to_owned(),
        _ if record.direction == Direction::Sent => "onMessage".to_owned(),
        _ => "StructuredMessage".to_owned(),
    };
    let text = if record.kind == Kind::Text {
        format!("Hello {}, and a sentence that does not end where the column ends", record.seq)
    } else {
        String::new()
    };
    Line { name, text }
}

impl RecordSource for FakeLog {
    fn rows(&self) -> Rows {
        self.rows.clone()
    }

    fn fetch(&mut self, seqs: &[u64]) -> Result<Vec<Record>, Report> {
        if let Some(report) = &self.broken {
            return Err(report.clone());
        }
        self.fetched += seqs.len();
        Ok(seqs.iter().map(|seq| record(*seq)).collect())
    }

    fn line(&self, record: &Record) -> Line {
        line(record)
    }

    fn identity(&self) -> u64 {
        self.identity
    }

    fn is_marked(&self, seq: u64) -> bool {
        self.marked.contains(&seq)
    }
}
