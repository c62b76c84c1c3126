//! A keyring that can be told to fail.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use keyring::Error;

use super::store::Backend;

/// In place of the operating system's.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) entries: Mutex<HashMap<String, Vec<u8>>>,
    pub(super) refuses: AtomicBool,
    /// Takes what it is given, and has nothing.
    pub(super) forgets: AtomicBool,
}

impl Fake {
    fn check(&self) -> Result<(), Error> {
        if self.refuses.load(Ordering::Relaxed) { Err(Error::PlatformFailure("refused".into())) } else { Ok(()) }
    }
}

impl Backend for Fake {
    fn status(&self) -> Result<(), Error> {
        self.check()
    }

    fn get(&self, key: &str) -> Result<Vec<u8>, Error> {
        self.check()?;
        self.entries.lock().unwrap().get(key).cloned().ok_or(Error::NoEntry)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.check()?;
        if !self.forgets.load(Ordering::Relaxed) {
            self.entries.lock().unwrap().insert(key.into(), value.into());
        }
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        self.check()?;
        self.entries.lock().unwrap().remove(key).map(drop).ok_or(Error::NoEntry)
    }
}
