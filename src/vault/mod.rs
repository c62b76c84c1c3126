//! Secrets: the OS keyring, and the door that keeps them out of the log.

mod redactor;
mod store;

pub use redactor::Redactor;
pub use store::{Vault, VaultStatus};
