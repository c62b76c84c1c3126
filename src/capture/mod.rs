//! The log: one SQLite file per capture, written in batches, read by what is visible.

mod filter;
mod index;
mod reader;
mod schema;
mod writer;

pub use filter::{Filter, FilterError};
pub use index::Rows;
pub use reader::{Reader, Search, SearchStatus};
pub use writer::{Opened, Writer, WriterStatus};
