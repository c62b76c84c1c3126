//! Which rows a view shows, in constant memory per million.
use roaring::RoaringBitmap;

/// An ordered set of records, addressed by row. Sequence numbers fit 32 bits: four thousand million records.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Rows {
    /// All records from 1 to this one.
    All(u64),
    #[default]
    None,
    Some(std::sync::Arc<RoaringBitmap>),
}

impl Rows {
    pub fn len(&self) -> u64 {
        todo!()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The record at a row.
    pub fn seq(&self, _row: u64) -> Option<u64> {
        todo!()
    }

    /// The row of a record, or of the next one that is shown.
    pub fn row(&self, _seq: u64) -> u64 {
        todo!()
    }

    pub fn contains(&self, _seq: u64) -> bool {
        todo!()
    }
}
