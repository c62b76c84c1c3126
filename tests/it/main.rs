//! All integration tests in one binary.

mod architecture;
mod capture;
mod cli;
mod engine;
mod fuzz;
mod needs;
mod sandbox;
mod secrets;
mod support;
mod window;
