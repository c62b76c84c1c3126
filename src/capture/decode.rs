//! From a row of the file to a record. Rows may hold anything: what cannot be right is clamped and marked, never fatal.
use bytes::Bytes;
use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde::de::IgnoredAny;

use crate::model::record::{Direction, Draft, Flags, Kind, Record};
use crate::model::{Fact, Mono, Now, Report, SessionId, Wall};

/// The columns that [`record`] reads, in their order. The body is not among them.
pub const COLUMNS: &str = "seq, wall, mono, session, conn, kind, direction, flags, code, reply, size, head";

/// An integer of a column, and whether it was one and within its range.
pub fn number<T: TryFrom<i64> + Default>(value: ValueRef<'_>) -> (T, bool) {
    match value {
        ValueRef::Integer(n) => T::try_from(n).map_or((T::default(), false), |n| (n, true)),
        _ => (T::default(), false),
    }
}

/// Bytes of a column, whether it is text or a blob.
pub fn bytes(value: ValueRef<'_>) -> &[u8] {
    match value {
        ValueRef::Text(b) | ValueRef::Blob(b) => b,
        _ => &[],
    }
}

/// Builds a record from [`COLUMNS`]; the body comes from elsewhere.
pub fn record(row: &Row<'_>, body: Bytes) -> rusqlite::Result<Record> {
    let mut sound = true;
    let mut take = |n: usize| -> rusqlite::Result<i64> {
        let (value, ok) = number::<i64>(row.get_ref(n)?);
        sound &= ok;
        Ok(value)
    };
    let (seq, wall, mono) = (take(0)?, take(1)?, take(2)?);
    let (session, conn, kind, direction) = (take(3)?, take(4)?, take(5)?, take(6)?);
    let (flags, code, reply, size) = (take(7)?, take(8)?, take(9)?, take(10)?);
    let mut narrow = |fits: bool| sound &= fits;
    narrow(mono >= 0 && reply >= 0 && size >= 0 && (0..=2).contains(&direction));
    narrow(u32::try_from(session).is_ok() && u32::try_from(conn).is_ok());
    narrow(u16::try_from(flags).is_ok() && i32::try_from(code).is_ok());
    let head = row.get_ref(11)?;
    let text = String::from_utf8_lossy(bytes(head)).into_owned();
    narrow(matches!(head, ValueRef::Text(_)) && (text.is_empty() || is_json(&text)));
    let known = u8::try_from(kind).ok().and_then(Kind::from_u8);
    let mut draft = Draft {
        at: Now { wall: Wall(wall), mono: Mono(mono.max(0) as u64) },
        session: SessionId(u32::try_from(session).unwrap_or(0)),
        conn: u32::try_from(conn).unwrap_or(0),
        kind: known.unwrap_or(Kind::Fault),
        direction: u8::try_from(direction).map_or(Direction::Local, Direction::from_u8),
        flags: Flags(u16::try_from(flags).unwrap_or(0)),
        code: i32::try_from(code).unwrap_or(0),
        reply_to: reply.max(0) as u64,
        size: size.max(0) as u64,
        head: text,
        body,
    };
    if known.is_none() {
        let report = Report::new(
            "unknown-record",
            "A record of an unknown kind",
            format!("This record has kind {kind}, which this version of the program does not know."),
        )
        .detail(format!("head: {}", draft.head.chars().take(2000).collect::<String>()));
        draft = draft.head(&Fact::Fault(report)).flags(Flags::FAULT);
    }
    if !sound || known.is_none() {
        draft = draft.flags(Flags::MALFORMED);
    }
    Ok(Record { seq: seq.max(0) as u64, draft })
}

/// Stands for a record that lies in a damaged part of the file.
pub fn unreadable(seq: u64, error: &rusqlite::Error) -> Record {
    let report = Report::new(
        "unreadable-record",
        "This record cannot be read",
        "It lies in a damaged part of the capture file.",
    )
    .detail(format!("SQLite: {error}"));
    let draft = Draft::fact(Now::default(), SessionId::NONE, &Fact::Fault(report)).flags(Flags::MALFORMED);
    Record { seq, draft }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}
