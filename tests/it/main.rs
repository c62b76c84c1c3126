//! All integration tests in one binary.

mod support;
mod ui_gallery;
mod ui_inspector;
mod ui_parts;
mod ui_table;
