//! What several tests need.

pub mod console;
