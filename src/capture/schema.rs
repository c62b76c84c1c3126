//! Tables, versions, migrations.
//!
//! A capture is a SQLite file with its own `application_id`; `user_version` holds the version of its schema.
//!
//! | table | what it holds |
//! |---|---|
//! | `record` | the log, dense from `seq` 1; columns as in [`crate::model::Draft`], instants in microseconds |
//! | `meta` | `program`, `created` (RFC 3339), `capture` (a UUID) |
//! | `facet` | per chunk of 4096 records and facet, which of them have it: a serialised Roaring bitmap of `seq % 65536` |
//!
//! Facets take the place of secondary indexes: they cost next to nothing to write and load whole on opening.

use rusqlite::Connection;

/// "SScp", in the header of every capture file.
pub const APPLICATION_ID: i32 = 0x5353_6370;
/// Version of the schema that this program writes.
pub const VERSION: i32 = 1;
/// Records of a row of `facet`.
pub const CHUNK: u64 = 4096;

/// Larger than the default of 4096: fewer, fuller pages are quicker to write and to scan.
pub const PAGE_SIZE: i32 = 8192;

const TABLES: &str = "
CREATE TABLE record(
  seq INTEGER PRIMARY KEY,
  wall INTEGER NOT NULL,
  mono INTEGER NOT NULL,
  session INTEGER NOT NULL,
  conn INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  direction INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  code INTEGER NOT NULL,
  reply INTEGER NOT NULL,
  size INTEGER NOT NULL,
  head TEXT NOT NULL,
  body BLOB NOT NULL
);
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE facet(
  chunk INTEGER NOT NULL,
  facet INTEGER NOT NULL,
  bits BLOB NOT NULL,
  PRIMARY KEY(chunk, facet)
) WITHOUT ROWID;
";

/// Brings a capture from one version to the next.
pub struct Step {
    pub from: i32,
    pub sql: &'static str,
}

/// Every version that ever was, oldest first. A step is never changed once released.
pub const STEPS: &[Step] = &[];

/// Makes the tables in an empty database.
pub fn create(db: &Connection, created: &str) -> rusqlite::Result<()> {
    db.execute_batch(&format!(
        "BEGIN; PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={VERSION}; {TABLES} COMMIT;"
    ))?;
    let mut put = db.prepare("INSERT INTO meta(key, value) VALUES (?1, ?2)")?;
    put.execute(["program", concat!("sessionscope ", env!("CARGO_PKG_VERSION"))])?;
    put.execute(["created", created])?;
    put.execute(["capture", &uuid::Uuid::new_v4().to_string()])?;
    Ok(())
}

/// Takes the steps from `from` to `to`, each in its own transaction. False where a step is missing.
pub fn migrate(db: &Connection, from: i32, to: i32, steps: &[Step]) -> rusqlite::Result<bool> {
    let mut at = from;
    while at < to {
        let Some(step) = steps.iter().find(|s| s.from == at) else { return Ok(false) };
        at += 1;
        db.execute_batch(&format!("BEGIN; {} ; PRAGMA user_version={at}; COMMIT;", step.sql))?;
    }
    Ok(true)
}

/// Numbers of facets in the file. Never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Facet {
    Noise,
    Story,
    /// Records of kind mark.
    Mark,
    Session(u32),
}

impl Facet {
    const FIRST_SESSION: i64 = 256;

    pub fn key(self) -> i64 {
        match self {
            Self::Noise => 1,
            Self::Story => 2,
            Self::Mark => 3,
            Self::Session(id) => Self::FIRST_SESSION + i64::from(id),
        }
    }

    pub fn from_key(key: i64) -> Option<Self> {
        match key {
            1 => Some(Self::Noise),
            2 => Some(Self::Story),
            3 => Some(Self::Mark),
            n => u32::try_from(n.checked_sub(Self::FIRST_SESSION)?).ok().map(Self::Session),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_taken_one_by_one_and_a_missing_one_is_told() {
        let steps = [
            Step { from: 1, sql: "CREATE TABLE one(a)" },
            Step { from: 2, sql: "ALTER TABLE one ADD COLUMN b; INSERT INTO one VALUES (1, 2)" },
        ];
        let db = Connection::open_in_memory().unwrap();
        create(&db, "now").unwrap();
        assert!(migrate(&db, 1, 3, &steps).unwrap());
        let version: i32 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap();
        assert_eq!(version, 3);
        assert_eq!(db.query_row("SELECT b FROM one", [], |r| r.get::<_, i32>(0)).unwrap(), 2);
        assert!(!migrate(&db, 3, 4, &steps).unwrap());
    }

    #[test]
    fn every_version_before_this_one_has_its_step() {
        let from: Vec<i32> = STEPS.iter().map(|s| s.from).collect();
        assert_eq!(from, (1..).take(VERSION as usize - 1).collect::<Vec<_>>());
    }

    #[test]
    fn facet_numbers_survive_the_way_there_and_back() {
        for facet in [Facet::Noise, Facet::Story, Facet::Mark, Facet::Session(0), Facet::Session(u32::MAX)] {
            assert_eq!(Facet::from_key(facet.key()), Some(facet));
        }
        for absurd in [0, -1, 255, i64::MIN, i64::MAX] {
            assert_eq!(Facet::from_key(absurd), None);
        }
    }
}
