//! The log: one SQLite file per capture, written in batches, read by what is visible.

mod decode;
mod facets;
mod fault;
mod files;
mod filter;
mod index;
mod live;
mod marks;
mod open;
mod queue;
mod reader;
mod schema;
mod search;
mod store;
mod worker;
mod writer;

#[cfg(test)]
mod tests;

pub use filter::{Filter, FilterError, HELP as FILTER_HELP};
pub use index::{RowSet, Rows};
pub use open::{Meta, integrity_check};
pub use reader::Reader;
pub use search::{Search, SearchStatus};
pub use writer::{Opened, Writer, WriterStatus};
