//! All integration tests in one binary.

mod support;
mod ui_app;
mod ui_gallery;
mod ui_inspector;
mod ui_look;
mod ui_parts;
mod ui_table;
