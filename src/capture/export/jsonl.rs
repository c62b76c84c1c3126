//! JSON Lines: one record a line, in their order.
use std::path::Path;

use super::{Meter, Progress, each_record, put, put_json, rows_of, to_file, whole};
use crate::capture::Reader;
use crate::model::{Report, SessionId};

/// Writes all records, or those of a session, one JSON object a line. Progress counts records.
///
/// | key | value |
/// |---|---|
/// | `seq` | place in the log, from 1 |
/// | `time` | RFC 3339 in UTC with microseconds |
/// | `mono_us` | monotonic clock, microseconds from an arbitrary start |
/// | `session`, `conn` | numbers; 0 for none |
/// | `lane` | `http`, `socket`, `lifecycle` |
/// | `kind`, `dir` | the words of the filter: `text`, `request` …; `sent`, `received`, `local` |
/// | `size` | bytes of the whole payload, also where less is stored |
/// | `code` | HTTP status or close code; absent for none |
/// | `reply_to` | `seq` of the record that this one answers or speaks of; absent for none |
/// | `flags` | list of `heartbeat`, `typing`, `malformed`, `unknown`, `redacted`, `cut`, `left-out`, `fault`; absent where empty |
/// | `head` | what is known beside the payload (request line and headers, a fact), an object; absent for none |
/// | `text` or `base64` | the payload, by whether it is UTF-8; absent where empty |
pub fn jsonl(
    reader: &Reader,
    session: Option<SessionId>,
    to: &Path,
    progress: &mut dyn Progress,
) -> Result<(), Report> {
    let rows = rows_of(reader, session);
    let mut meter = Meter::new(rows.len(), progress);
    to_file(to, |out| {
        each_record(reader, &rows, 0, u64::MAX - 1, |record| {
            put_json(out, &whole(&record), to)?;
            put(out, "\n", to)?;
            meter.more(1)
        })?;
        meter.more(u64::MAX)
    })
}
