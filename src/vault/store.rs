//! The OS keyring, or memory where there is none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyring::{Entry, Error};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::reports::{Failure, PLACE, report};
use super::worker::Worker;
use crate::model::{Report, Secret};

/// Under this name entries stand in the keyring; the user of each is its key.
const SERVICE: &str = "sessionscope";

/// How long a call waits for the keyring, which may wait for a person.
const LIMIT: Duration = Duration::from_secs(30);

const MEMORY: &str = "memory only";

/// Where secrets are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultStatus {
    /// "Secret Service", "Keychain", "Credential Manager" or "memory only".
    pub place: String,
    /// True where secrets outlive the program.
    pub lasting: bool,
    /// Why the keyring is not used, or what went wrong with it last, and how to mend it.
    pub report: Option<Report>,
}

/// Keeps secrets by key. Calls may block for long (a prompt of the keyring): never on the interface thread. They may
/// be made from any other, of a runtime too: the keyring itself is called on a thread of its own.
///
/// A secret that the keyring refuses stays in memory; nothing is ever written to a file.
pub struct Vault {
    keyring: Option<Keyring>,
    /// What the keyring does not have (or was not asked to have); none for what it failed to delete.
    held: Mutex<HashMap<String, Option<Secret<String>>>>,
    status: Mutex<VaultStatus>,
}

struct Keyring {
    worker: Worker,
    backend: Arc<dyn Backend>,
}

/// What we ask of a keyring.
pub(super) trait Backend: Send + Sync {
    fn status(&self) -> Result<(), Error>;
    fn get(&self, key: &str) -> Result<Vec<u8>, Error>;
    fn set(&self, key: &str, value: &[u8]) -> Result<(), Error>;
    fn delete(&self, key: &str) -> Result<(), Error>;
}

/// The keyring of the operating system.
struct System;

impl Backend for System {
    fn status(&self) -> Result<(), Error> {
        // The error lives in a static and cannot be cloned, so it is told again.
        match Entry::store_status() {
            Ok(()) => Ok(()),
            Err(Error::NoStorageAccess(e)) => Err(Error::NoStorageAccess(e.to_string().into())),
            Err(Error::PlatformFailure(e)) => Err(Error::PlatformFailure(e.to_string().into())),
            Err(e) => Err(Error::PlatformFailure(e.to_string().into())),
        }
    }

    fn get(&self, key: &str) -> Result<Vec<u8>, Error> {
        Entry::new(SERVICE, key)?.get_secret()
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        Entry::new(SERVICE, key)?.set_secret(value)
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        Entry::new(SERVICE, key)?.delete_credential()
    }
}

impl Vault {
    /// Tries the OS keyring (a write, a read and a delete) and falls back to memory; [`Vault::status`] says why.
    pub fn open() -> Self {
        Self::over(Arc::new(System), LIMIT)
    }

    /// Memory only, for tests and for the private mode.
    pub fn in_memory() -> Self {
        Self::with(None, VaultStatus { place: MEMORY.into(), lasting: false, report: None })
    }

    /// Reads an entry of the keyring that another program keeps; none where there is none. May block for long.
    pub fn foreign(service: &str, user: &str) -> Result<Option<Secret<String>>, Report> {
        let (service, user) = (service.to_owned(), user.to_owned());
        let read = Worker::start(LIMIT).map_err(Failure::NoThread).and_then(|worker| {
            let job = move || match Entry::new(&service, &user).and_then(|entry| entry.get_password()) {
                Ok(password) => Ok(Some(Secret::new(password))),
                Err(Error::NoEntry) => Ok(None),
                Err(e) => Err(e.into()),
            };
            worker.run(job).map_err(Failure::NoAnswer)?
        });
        read.map_err(|failure| report(&failure, "read an entry of the keyring"))
    }

    pub(super) fn over(backend: Arc<dyn Backend>, limit: Duration) -> Self {
        let opened = Worker::start(limit).map_err(Failure::NoThread).and_then(|worker| {
            let keyring = Keyring { worker, backend };
            keyring.call(|backend| probe(backend)).map(|()| keyring)
        });
        match opened {
            Ok(keyring) => Self::with(Some(keyring), VaultStatus { place: PLACE.into(), lasting: true, report: None }),
            Err(failure) => {
                let report = Some(report(&failure, "open the keyring"));
                Self::with(None, VaultStatus { place: MEMORY.into(), lasting: false, report })
            }
        }
    }

    fn with(keyring: Option<Keyring>, status: VaultStatus) -> Self {
        Self { keyring, held: Mutex::default(), status: Mutex::new(status) }
    }

    pub fn status(&self) -> VaultStatus {
        lock(&self.status).clone()
    }

    /// The secret under a key, none where there is none. An error where the keyring could not be read.
    pub fn get(&self, key: &str) -> Result<Option<Secret<String>>, Report> {
        if let Some(held) = lock(&self.held).get(key) {
            return Ok(held.clone());
        }
        let Some(keyring) = &self.keyring else { return Ok(None) };
        let owned = key.to_owned();
        let found = keyring.call(move |backend| match backend.get(&owned) {
            Ok(bytes) => {
                let bytes = Zeroizing::new(bytes);
                let text = std::str::from_utf8(&bytes).map_err(|_| Error::BadEncoding(Vec::new()))?;
                Ok(Some(Secret::from(text)))
            }
            Err(Error::NoEntry) => Ok(None),
            Err(e) => Err(e.into()),
        });
        self.told(found, "read a secret")
    }

    /// Keeps a secret under a key. Where the keyring fails it is kept in memory, and the error says so.
    pub fn set(&self, key: &str, value: &Secret<String>) -> Result<(), Report> {
        let Some(keyring) = &self.keyring else {
            lock(&self.held).insert(key.to_owned(), Some(value.clone()));
            return Ok(());
        };
        let (owned, secret) = (key.to_owned(), value.clone());
        let done = keyring.call(move |backend| Ok(backend.set(&owned, secret.expose().as_bytes())?));
        if done.is_ok() {
            lock(&self.held).remove(key);
        } else {
            lock(&self.held).insert(key.to_owned(), Some(value.clone()));
        }
        self.told(done, "store a secret")
    }

    /// Forgets what is kept under a key. No error where there was nothing.
    pub fn delete(&self, key: &str) -> Result<(), Report> {
        let Some(keyring) = &self.keyring else {
            lock(&self.held).remove(key);
            return Ok(());
        };
        let owned = key.to_owned();
        let done = keyring.call(move |backend| match backend.delete(&owned) {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(e) => Err(e.into()),
        });
        if done.is_ok() {
            lock(&self.held).remove(key);
        } else {
            lock(&self.held).insert(key.to_owned(), None);
        }
        self.told(done, "delete a secret")
    }

    /// Turns a failure into a report, and lets the status say how the last call went.
    fn told<T>(&self, result: Result<T, Failure>, doing: &str) -> Result<T, Report> {
        let result = result.map_err(|failure| report(&failure, doing));
        lock(&self.status).report = result.as_ref().err().cloned();
        result
    }
}

impl Keyring {
    fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&dyn Backend) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let backend = self.backend.clone();
        self.worker.run(move || job(&*backend)).map_err(Failure::NoAnswer)?
    }
}

/// Writes, reads and deletes an entry. A locked keyring can take a secret and then say that there is none.
fn probe(backend: &dyn Backend) -> Result<(), Failure> {
    backend.status()?;
    let key = format!("probe-{}", Uuid::new_v4());
    let value = Uuid::new_v4();
    backend.set(&key, value.as_bytes())?;
    let read = backend.get(&key);
    let deleted = backend.delete(&key);
    match read {
        Ok(read) if read == value.as_bytes() => Ok(deleted?),
        Ok(_) | Err(Error::NoEntry) => Err(Failure::Lost),
        Err(e) => Err(e.into()),
    }
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::super::fake::Fake;
    use super::*;

    fn value(vault: &Vault, key: &str) -> Option<String> {
        vault.get(key).unwrap().map(|s| s.expose().clone())
    }

    #[test]
    fn secrets_go_to_the_keyring_and_the_probe_leaves_nothing() {
        let fake = Arc::new(Fake::default());
        let vault = Vault::over(fake.clone(), LIMIT);
        assert!(lock(&fake.entries).is_empty());
        assert_eq!(vault.status(), VaultStatus { place: PLACE.into(), lasting: true, report: None });
        vault.set("k", &"s3cret".into()).unwrap();
        assert_eq!(lock(&fake.entries)["k"], b"s3cret");
        assert!(lock(&vault.held).is_empty());
        assert_eq!(value(&vault, "k").as_deref(), Some("s3cret"));
        vault.delete("k").unwrap();
        vault.delete("k").unwrap();
        assert_eq!(value(&vault, "k"), None);
    }

    #[test]
    fn a_keyring_that_takes_and_does_not_give_is_locked() {
        let fake = Arc::new(Fake::default());
        fake.forgets.store(true, Ordering::Relaxed);
        let vault = Vault::over(fake, LIMIT);
        let status = vault.status();
        assert_eq!((status.place.as_str(), status.lasting), (MEMORY, false));
        assert_eq!(status.report.unwrap().code, "keyring-locked");
        vault.set("k", &"s3cret".into()).unwrap();
        assert_eq!(value(&vault, "k").as_deref(), Some("s3cret"));
    }

    #[test]
    fn what_the_keyring_refuses_stays_in_memory_and_is_told() {
        let fake = Arc::new(Fake::default());
        let vault = Vault::over(fake.clone(), LIMIT);
        vault.set("k", &"old-value".into()).unwrap();
        fake.refuses.store(true, Ordering::Relaxed);
        let report = vault.set("k", &"new-value".into()).unwrap_err();
        assert!(!format!("{report:?}").contains("new-value"));
        assert_eq!(vault.status().report, Some(report));
        assert_eq!(value(&vault, "k").as_deref(), Some("new-value"));
        assert!(vault.get("other").is_err());
        vault.delete("k").unwrap_err();
        assert_eq!(value(&vault, "k"), None);

        fake.refuses.store(false, Ordering::Relaxed);
        vault.set("k", &"newest".into()).unwrap();
        assert_eq!(vault.status().report, None);
        assert_eq!(lock(&fake.entries)["k"], b"newest");
    }

    #[test]
    fn a_vault_in_memory_needs_no_keyring() {
        let vault = Vault::in_memory();
        vault.set("k", &"v".into()).unwrap();
        assert_eq!(value(&vault, "k").as_deref(), Some("v"));
        vault.delete("k").unwrap();
        assert_eq!(value(&vault, "k"), None);
        assert_eq!(vault.status().report, None);
    }
}
