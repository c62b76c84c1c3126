//! Captures in the formats of other programs. The transcript is made elsewhere, from the conversation.
//!
//! Exports are written to a private file beside the target, which takes its place when it is complete. Memory stays
//! bounded: records are read some hundred at a time.

mod har;
mod http;
mod jsonl;
mod sockets;
#[cfg(test)]
mod tests;

use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::Rows;
use super::fault;
use super::files::Pending;
use super::reader::Reader;
use crate::model::record::{Flags, Record};
use crate::model::{Report, SessionId};

pub use har::har;
pub use jsonl::jsonl;

/// Watches a long job and may end it. Closures `FnMut(done, total) -> bool` will do.
pub trait Progress {
    /// Called now and then. False cancels the job.
    fn report(&mut self, done: u64, total: u64) -> bool;
}

impl<F: FnMut(u64, u64) -> bool> Progress for F {
    fn report(&mut self, done: u64, total: u64) -> bool {
        self(done, total)
    }
}

/// The report of a job that the user ended.
pub fn cancelled() -> Report {
    Report::new("cancelled", "Cancelled", "Nothing was written.")
}

/// Records read at a time.
const BATCH: usize = 256;

/// Counts what an export has done, over all its passes.
struct Meter<'a> {
    done: u64,
    told: u64,
    total: u64,
    progress: &'a mut dyn Progress,
}

impl<'a> Meter<'a> {
    fn new(total: u64, progress: &'a mut dyn Progress) -> Self {
        Self { done: 0, told: 0, total, progress }
    }

    /// Tells the progress now and then, and whenever it is asked with zero; in the end all is done.
    fn more(&mut self, records: u64) -> Result<(), Report> {
        self.done = self.done.saturating_add(records).min(self.total);
        if records == 1 && self.done - self.told < BATCH as u64 {
            return Ok(());
        }
        self.told = self.done;
        if self.progress.report(self.done, self.total) { Ok(()) } else { Err(cancelled()) }
    }
}

/// Writes a file by way of a private one.
pub fn to_file(
    to: &Path,
    write: impl FnOnce(&mut BufWriter<std::fs::File>) -> Result<(), Report>,
) -> Result<(), Report> {
    let failed = |e: std::io::Error| fault::io(&e, "exported", to);
    let (pending, file) = Pending::new(to).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 18, file);
    write(&mut out)?;
    let file = out.into_inner().map_err(|e| failed(e.into_error()))?;
    file.sync_all().map_err(failed)?;
    drop(file);
    pending.finish().map_err(failed)
}

/// Calls `each` with all records of `rows`, in order, in constant memory.
fn each_record(
    reader: &Reader,
    rows: &Rows,
    from_seq: u64,
    to_seq: u64,
    mut each: impl FnMut(Record) -> Result<(), Report>,
) -> Result<(), Report> {
    let mut row = rows.row(from_seq);
    loop {
        let mut seqs = rows.seqs(row, BATCH);
        seqs.retain(|seq| *seq <= to_seq);
        let Some(last) = seqs.last().copied() else { return Ok(()) };
        // Large payloads are read one by one.
        for part in seqs.chunks(16) {
            for record in reader.records(part, usize::MAX)? {
                each(record)?;
            }
        }
        row = rows.row(last + 1);
    }
}

fn rows_of(reader: &Reader, session: Option<SessionId>) -> Rows {
    reader.rows(session, true)
}

/// The names of a record's marks, as the filter knows them.
fn flag_words(flags: Flags) -> Vec<&'static str> {
    const WORDS: [(&str, Flags); 8] = [
        ("heartbeat", Flags::HEARTBEAT),
        ("typing", Flags::TYPING),
        ("malformed", Flags::MALFORMED),
        ("unknown", Flags::UNKNOWN),
        ("redacted", Flags::REDACTED),
        ("cut", Flags::CUT),
        ("left-out", Flags::LEFT_OUT),
        ("fault", Flags::FAULT),
    ];
    WORDS.iter().filter(|(_, flag)| flags.has(*flag)).map(|(word, _)| *word).collect()
}

/// The head as JSON; as a string where it is none.
fn head_value(record: &Record) -> Value {
    match record.head.as_str() {
        "" => Value::Null,
        head => serde_json::from_str(head).unwrap_or_else(|_| json!(head)),
    }
}

/// Everything that is known of a record, in the keys that [`jsonl()`] documents.
fn whole(record: &Record) -> Value {
    let mut object = json!({
        "seq": record.seq,
        "time": record.at.wall.rfc3339(),
        "mono_us": record.at.mono.0,
        "session": record.session.0,
        "conn": record.conn,
        "lane": record.kind.lane(),
        "kind": record.kind.word(),
        "dir": record.direction.word(),
        "size": record.size,
    });
    let mut put = |key: &str, value: Value| _ = object.as_object_mut().map(|o| o.insert(key.into(), value));
    if record.code != 0 {
        put("code", record.code.into());
    }
    if record.reply_to != 0 {
        put("reply_to", record.reply_to.into());
    }
    let flags = flag_words(record.flags);
    if !flags.is_empty() {
        put("flags", flags.into());
    }
    if !record.head.is_empty() {
        put("head", head_value(record));
    }
    if !record.body.is_empty() {
        match record.text() {
            Some(text) => put("text", text.into()),
            None => put("base64", base64(&record.body).into()),
        }
    }
    object
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Writes JSON; the only error is that of the file.
fn put_json(out: &mut impl Write, value: &impl serde::Serialize, to: &Path) -> Result<(), Report> {
    serde_json::to_writer(out, value).map_err(|e| fault::io(&e.into(), "exported", to))
}

fn put(out: &mut impl Write, text: &str, to: &Path) -> Result<(), Report> {
    out.write_all(text.as_bytes()).map_err(|e| fault::io(&e, "exported", to))
}
