//! The record table: every record as a row, any number of them.
//!
//! Only what can be seen is read and painted: the source tells which rows there are, a bounded cache holds the records
//! around the view with their laid-out text, and the scroller keeps a 64-bit position. A frame costs the same with
//! ten thousand rows and with ten million.

mod bar;
mod cache;
mod columns;
mod follow;
mod keys;
mod row;
mod rows;
mod source;
#[cfg(test)]
mod tests;
mod view;

pub use bar::FilterBox;
pub use columns::{Column, Columns};
pub use follow::Follow;
pub use source::{RecordSource, Show, TableEvent};
pub use view::RecordTable;
