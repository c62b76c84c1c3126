//! Which records the user has marked: the fold of all marks in the log.
use rusqlite::Connection;

use super::decode::{bytes, number};
use super::facets::Index;
use super::index::RowSet;
use crate::model::Fact;

/// The marked records, as far as the log was read.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    pub set: RowSet,
    upto: u64,
}

impl Marks {
    /// Reads marks that were set or taken back since the last call. Gives the records that they speak of.
    pub fn read(&mut self, db: &Connection, index: &Index) -> rusqlite::Result<Vec<u64>> {
        let mut changed = Vec::new();
        let len = index.len();
        let mut get = db.prepare_cached("SELECT reply, head FROM record WHERE seq = ?1")?;
        for seq in index.marks().from(self.upto + 1) {
            let mut rows = get.query([seq as i64])?;
            if let Some(row) = rows.next()? {
                let on: u64 = number(row.get_ref(0)?).0;
                let fact = serde_json::from_slice(bytes(row.get_ref(1)?));
                if let (1.., true, Ok(Fact::Mark { on: set })) = (on, on <= len, fact) {
                    if set {
                        self.set.insert_range(on, on);
                    } else {
                        self.set.remove(on);
                    }
                    changed.push(on);
                }
            }
            self.upto = seq;
        }
        changed.sort_unstable();
        changed.dedup();
        Ok(changed)
    }
}
