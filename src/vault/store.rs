//! The OS keyring, or memory where there is none.
use crate::model::{Report, Secret};

/// Where secrets are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultStatus {
    /// "Secret Service", "Keychain", "Credential Manager" or "memory only".
    pub place: String,
    /// True where secrets outlive the program.
    pub lasting: bool,
    /// Why the keyring is not used, and how to mend it.
    pub report: Option<Report>,
}

/// Keeps secrets by key. Calls may block for long (a prompt of the keyring): never on the interface thread.
pub struct Vault {}

impl Vault {
    /// Tries the OS keyring (a write, a read and a delete) and falls back to memory.
    pub fn open() -> Self {
        todo!()
    }

    /// Memory only, for tests and for the private mode.
    pub fn in_memory() -> Self {
        todo!()
    }

    pub fn status(&self) -> VaultStatus {
        todo!()
    }

    pub fn get(&self, _key: &str) -> Result<Option<Secret<String>>, Report> {
        todo!()
    }

    pub fn set(&self, _key: &str, _value: &Secret<String>) -> Result<(), Report> {
        todo!()
    }

    pub fn delete(&self, _key: &str) -> Result<(), Report> {
        todo!()
    }
}
