//! Sessionscope: a desktop test console for web-messaging sessions.
//!
//! Imports point one way only:
//! `model <- {capture, vault, dialect} <- {projection, sandbox} <- engine <- {ui, cli} <- main`.

pub mod capture;
pub mod cli;
pub mod dialect;
pub mod engine;
pub mod model;
pub mod projection;
pub mod sandbox;
pub mod ui;
pub mod vault;
