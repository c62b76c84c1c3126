//! Loads the index of a capture, and mends in memory what the file has wrong.
use std::path::Path;

use roaring::RoaringBitmap;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::decode::number;
use super::facets::{State, Traits};
use super::fault;
use super::open::check_untrusted;
use super::schema::{CHUNK, Facet};
use crate::model::record::Flags;
use crate::model::{Report, SessionId};

/// No facet is longer: 4096 places take 8 KiB in their worst form.
const LONGEST_FACET: usize = 64 << 10;

/// What a file's index says, and what was odd about it.
pub struct Loaded {
    pub state: State,
    pub oddities: Vec<String>,
}

/// Loads the index of a file. Reads records only where the stored index is missing or contradicts itself.
pub fn load(db: &Connection) -> rusqlite::Result<Loaded> {
    db.execute_batch("BEGIN")?;
    let loaded = load_in_transaction(db);
    db.execute_batch("COMMIT")?;
    loaded
}

fn load_in_transaction(db: &Connection) -> rusqlite::Result<Loaded> {
    let mut oddities = Vec::new();
    // No record takes less than a dozen bytes: a higher number is an invention that must not cost memory.
    let pages: i64 = db.query_row("PRAGMA page_count", [], |r| r.get(0))?;
    let page_size: i64 = db.query_row("PRAGMA page_size", [], |r| r.get(0))?;
    let bound = pages.saturating_mul(page_size) / 12;
    let highest = "SELECT coalesce(max(seq), 0) FROM record WHERE seq BETWEEN 1 AND ?1";
    let last: i64 = db.query_row(highest, [bound], |r| r.get(0))?;
    let strays = "SELECT EXISTS(SELECT 1 FROM record WHERE seq < 1), EXISTS(SELECT 1 FROM record WHERE seq > ?1)";
    if db.query_row(strays, [bound], |r| Ok(r.get::<_, bool>(0)? || r.get(1)?))? {
        oddities.push("some records have impossible numbers and are not shown".into());
    }
    let mut loading = Loading { db, last: last.max(0) as u64, next: 0, state: State::default(), oddities };
    loading.facets()?;
    loading.without_facets(u64::MAX);
    Ok(Loaded { state: loading.state, oddities: loading.oddities })
}

struct Loading<'a> {
    db: &'a Connection,
    last: u64,
    /// The first chunk that is not loaded yet.
    next: u64,
    state: State,
    oddities: Vec<String>,
}

impl Loading<'_> {
    /// Loads chunks as the file tells them, as far as that can be read.
    fn facets(&mut self) -> rusqlite::Result<()> {
        let mut statement = self.db.prepare("SELECT chunk, facet, bits FROM facet ORDER BY chunk, facet")?;
        let mut rows = statement.query([])?;
        let mut held: Vec<(Facet, RoaringBitmap)> = Vec::new();
        let mut before = (i64::MIN, i64::MIN);
        // Whatever a damaged end of the table held is read from the records.
        while let Ok(Some(row)) = rows.next() {
            let at = (number::<i64>(row.get_ref(0)?).0, number::<i64>(row.get_ref(1)?).0);
            if at <= before {
                break;
            }
            if at.0 != before.0 {
                self.chunk(before.0, &held);
                held.clear();
            }
            before = at;
            if let (Some(facet), ValueRef::Blob(bits)) = (Facet::from_key(at.1), row.get_ref(2)?)
                && bits.len() <= LONGEST_FACET
                && let Ok(bits) = RoaringBitmap::deserialize_from(bits)
            {
                held.push((facet, bits));
            }
        }
        self.chunk(before.0, &held);
        Ok(())
    }

    fn chunk(&mut self, chunk: i64, facets: &[(Facet, RoaringBitmap)]) {
        let Ok(chunk) = u64::try_from(chunk) else { return };
        if chunk > self.last / CHUNK || self.last == 0 {
            return;
        }
        self.without_facets(chunk);
        if !self.state.insert_chunk(chunk, (chunk * CHUNK + CHUNK - 1).min(self.last), facets) {
            self.without_facets(chunk + 1);
        }
        self.next = chunk + 1;
    }

    /// Loads the chunks before `end` from their records.
    fn without_facets(&mut self, end: u64) {
        while self.next < end && self.next * CHUNK <= self.last && self.last > 0 {
            let first = self.next * CHUNK;
            let last = (first + CHUNK - 1).min(self.last);
            rescan(self.db, first, last, &mut self.state, &mut self.oddities);
            self.next += 1;
        }
    }
}

/// Learns the traits of a chunk from its records.
fn rescan(db: &Connection, first: u64, last: u64, state: &mut State, oddities: &mut Vec<String>) {
    let mut found = 0;
    let mut read = || -> rusqlite::Result<()> {
        let mut statement =
            db.prepare_cached("SELECT seq, session, flags, kind FROM record WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq")?;
        let mut rows = statement.query([first.max(1) as i64, last as i64])?;
        let mut before = 0;
        while let Some(row) = rows.next()? {
            let seq: u64 = number(row.get_ref(0)?).0;
            if seq <= before || seq > last {
                break;
            }
            before = seq;
            let traits = Traits::of(
                SessionId(number(row.get_ref(1)?).0),
                Flags(number(row.get_ref(2)?).0),
                number(row.get_ref(3)?).0,
            );
            state.insert(seq, seq, traits);
            found += 1;
        }
        Ok(())
    };
    let failed = read().err();
    let want = last + 1 - first.max(1);
    if found < want {
        let why = failed.map_or_else(String::new, |e| format!(" ({e})"));
        if oddities.len() < 100 {
            oddities.push(format!("{} of the records {} to {last} are missing{why}", want - found, first.max(1)));
        }
    }
}

/// Reads the whole file and compares its parts: SQLite's own check, dense numbers, index against records. Slow.
/// Gives what is wrong, nothing for a sound file.
pub fn integrity_check(path: &Path) -> Result<Vec<String>, Report> {
    let source = check_untrusted(path)?;
    let place = path.display().to_string();
    let failed = |e: rusqlite::Error| fault::report(&e, "checked", &place);
    let mut wrong = Vec::new();
    let mut statement = source.db.prepare("PRAGMA integrity_check(100)").map_err(failed)?;
    let lines = statement.query_map([], |r| r.get::<_, String>(0)).map_err(failed)?;
    for line in lines {
        match line {
            Ok(line) if line == "ok" => {}
            Ok(line) => wrong.push(line),
            Err(e) => wrong.push(e.to_string()),
        }
    }
    let loaded = load(&source.db).map_err(failed)?;
    wrong.extend(loaded.oddities);
    let mut read = State::default();
    let mut notes = Vec::new();
    let mut chunk = 0;
    while chunk * CHUNK <= loaded.state.last() && loaded.state.last() > 0 {
        rescan(&source.db, chunk * CHUNK, (chunk * CHUNK + CHUNK - 1).min(loaded.state.last()), &mut read, &mut notes);
        chunk += 1;
    }
    wrong.extend(notes.into_iter().filter(|n| !wrong.contains(n)).collect::<Vec<_>>());
    if !read.agrees_with(&loaded.state) {
        wrong.push("the index does not agree with the records".into());
    }
    Ok(wrong)
}
