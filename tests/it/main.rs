//! All integration tests in one binary.

mod architecture;
mod engine;
mod support;
