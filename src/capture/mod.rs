//! The log: one SQLite file per capture, written in batches, read by what is visible.

mod decode;
pub mod export;
mod facets;
mod fault;
mod files;
mod filter;
mod fold;
mod index;
mod live;
mod load;
mod marks;
mod open;
mod queue;
mod reader;
pub mod retention;
mod save;
mod schema;
mod search;
mod store;
mod worker;
mod writer;

#[cfg(test)]
mod rubbish;
#[cfg(test)]
mod tests;

pub use files::{create_private, make_folder};
pub use filter::{Filter, FilterError, HELP as FILTER_HELP};
pub use index::{RowSet, Rows};
pub use load::integrity_check;
pub use open::Meta;
pub use reader::Reader;
pub use save::save;
pub use search::{Search, SearchStatus};
pub use writer::{Opened, Writer, WriterStatus};
