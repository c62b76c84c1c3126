//! All integration tests in one binary.

mod architecture;
mod capture;
mod cli;
mod engine;
mod engine_flood;
mod engine_sign_in;
mod fuzz;
mod keyring;
mod needs;
mod probe;
mod reach;
mod sandbox;
mod secrets;
mod support;
mod ui_app;
mod ui_forms;
mod ui_gallery;
mod ui_guard;
mod ui_inspector;
mod ui_live;
mod ui_look;
mod ui_parts;
mod ui_secrets;
mod ui_table;
mod ui_trouble;
mod window;
