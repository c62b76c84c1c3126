//! All integration tests in one binary.

mod support;
mod ui_parts;
mod ui_table;
