//! Secrets: the OS keyring, and the door that keeps them out of the log.

mod armour;
mod book;
mod encodings;
#[cfg(test)]
mod fake;
mod harden;
pub mod keys;
mod names;
mod needles;
mod placeholder;
mod redactor;
mod reports;
mod shape;
mod shapes;
mod store;
mod sweep;
mod views;
mod worker;

pub use harden::harden;
pub use redactor::Redactor;
pub use store::{Vault, VaultStatus};
