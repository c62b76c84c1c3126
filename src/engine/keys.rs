//! Signing keys of environments: made, imported, changed and used off the loop.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use super::LazyVault;
use super::log::Log;
use super::session::Signed;
use crate::capture::create_private;
use crate::model::{Environment, KeyInfo, Report, Secret, SecretKind, Wall};
use crate::vault::Vault;
use crate::vault::keys::{KeyRing, SigningKey};

/// What is done to the keys of an environment.
#[derive(Clone, Debug)]
pub enum KeyOrder {
    /// Makes an RSA-2048 pair; it signs from then on, and the one before stays good for so long.
    Generate {
        kid: String,
        overlap: Option<Duration>,
    },
    /// Takes a private key in PEM (PKCS#8).
    Import {
        kid: String,
        pem: Secret<String>,
        overlap: Option<Duration>,
    },
    /// As [`KeyOrder::Import`], from a file.
    ImportFile {
        kid: String,
        from: PathBuf,
        overlap: Option<Duration>,
    },
    Activate {
        kid: String,
        overlap: Option<Duration>,
    },
    Retire {
        kid: String,
    },
    Delete {
        kid: String,
    },
    /// Writes the public part (SPKI PEM), for the administrator of the other side.
    ExportPublic {
        kid: String,
        to: PathBuf,
    },
    /// Writes the private part (PKCS#8 PEM), readable by its owner only.
    ExportPrivate {
        kid: String,
        to: PathBuf,
    },
}

/// The sandbox's environment is made anew at each start, and so are its keys: they live in memory.
#[derive(Clone)]
pub struct SandboxKeys(Arc<(Vault, Mutex<Vec<KeyInfo>>, Mutex<()>)>);

impl Default for SandboxKeys {
    fn default() -> Self {
        Self(Arc::new((Vault::in_memory(), Mutex::default(), Mutex::default())))
    }
}

impl SandboxKeys {
    pub fn keys(&self) -> Vec<KeyInfo> {
        self.0.1.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn keep(&self, keys: Vec<KeyInfo>) {
        *self.0.1.lock().unwrap_or_else(PoisonError::into_inner) = keys;
    }
}

/// Where the keys of an environment are.
#[derive(Clone)]
pub enum Place {
    Kept(Arc<LazyVault>),
    Sandbox(SandboxKeys),
}

impl Place {
    /// Where it is the sandbox's and there is no key yet, one is made, by whoever comes first; all others wait for it.
    pub fn with_first_key(&self, make: impl FnOnce() -> Result<(), Report>) -> Result<(), Report> {
        let Self::Sandbox(keys) = self else { return Ok(()) };
        let _one = keys.0.2.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.keys().is_empty() { make() } else { Ok(()) }
    }

    fn vault(&self) -> &Vault {
        match self {
            Self::Kept(vault) => vault,
            Self::Sandbox(keys) => &keys.0.0,
        }
    }

    fn ring(&self, environment: &Environment) -> KeyRing {
        let keys = match self {
            Self::Kept(_) => environment.signing_keys.clone(),
            Self::Sandbox(keys) => keys.keys(),
        };
        KeyRing::new(&environment.id, keys)
    }
}

/// Carries out an order. Gives the keys as they stand then, and what to tell the user. May block for long.
pub fn obey(
    log: &Log,
    place: &Place,
    environment: &Environment,
    order: KeyOrder,
) -> Result<(Vec<KeyInfo>, String), Report> {
    let vault = place.vault();
    let mut ring = place.ring(environment);
    let now = log.now().wall;
    ring.settle(now);
    let told = match order {
        KeyOrder::Generate { kid, overlap } => {
            let key = SigningKey::generate()?;
            learn(log, &key)?;
            ring.add(vault, &kid, &key, now, overlap)?;
            format!("The key {kid} was made and signs from now on.")
        }
        KeyOrder::Import { kid, pem, overlap } => {
            import(log, vault, &mut ring, &kid, pem.expose().as_bytes(), now, overlap)?
        }
        KeyOrder::ImportFile { kid, from, overlap } => {
            let bytes = zeroize::Zeroizing::new(read(&from)?);
            import(log, vault, &mut ring, &kid, &bytes, now, overlap)?
        }
        KeyOrder::Activate { kid, overlap } => {
            ring.activate(vault, &kid, now, overlap)?;
            format!("The key {kid} signs from now on.")
        }
        KeyOrder::Retire { kid } => {
            ring.retire(&kid)?;
            format!("Nothing that the key {kid} signed is believed any more.")
        }
        KeyOrder::Delete { kid } => {
            ring.delete(vault, &kid)?;
            format!("The key {kid} is gone.")
        }
        KeyOrder::ExportPublic { kid, to } => {
            let pem = ring.get(&kid).map(|k| k.public_pem.clone()).ok_or_else(|| unknown(&kid))?;
            write(&to, pem.as_bytes())?;
            format!("The public part of {kid} was written to {}.", to.display())
        }
        KeyOrder::ExportPrivate { kid, to } => {
            let key = ring.load(vault, &kid)?;
            write(&to, key.to_pem()?.expose().as_bytes())?;
            format!("The private part of {kid} was written to {}. Whoever has that file can sign as you.", to.display())
        }
    };
    if let Place::Sandbox(keys) = place {
        keys.keep(ring.keys().to_vec());
    }
    Ok((ring.keys().to_vec(), told))
}

fn import(
    log: &Log,
    vault: &Vault,
    ring: &mut KeyRing,
    kid: &str,
    pem: &[u8],
    now: Wall,
    overlap: Option<Duration>,
) -> Result<String, Report> {
    let key = SigningKey::from_pem(pem)?;
    learn(log, &key)?;
    let known = ring.get(kid).is_some_and(|k| k.public_pem == key.public().to_pem());
    if known {
        ring.put_back(vault, kid, &key)?;
        return Ok(format!("The private part of {kid} is there again."));
    }
    ring.add(vault, kid, &key, now, overlap)?;
    Ok(format!("The key {kid} was imported and signs from now on."))
}

fn learn(log: &Log, key: &SigningKey) -> Result<(), Report> {
    log.learn(SecretKind::PrivateKey, key.to_pem()?.expose().trim());
    Ok(())
}

/// Signs claims with the active key and verifies the result with its public part before anybody uses it.
pub fn sign(
    log: &Log,
    place: &Place,
    environment: &Environment,
    claims: &Map<String, Value>,
) -> Result<Signed, Report> {
    let vault = place.vault();
    let mut ring = place.ring(environment);
    let now = log.now().wall;
    ring.settle(now);
    let (kid, key) = ring.signer(vault)?;
    let token = key.sign_rs256(&kid, claims)?;
    log.learn(SecretKind::Jwt, token.expose());
    let read = ring.verify(token.expose(), now)?;
    if read != *claims {
        return Err(Report::new(
            "token-differs",
            "The signed token says something else",
            "Its claims are not those that were to be signed.",
        ));
    }
    Ok((token, kid))
}

fn read(file: &Path) -> Result<Vec<u8>, Report> {
    /// A private key is far smaller.
    const MOST: u64 = 1 << 20;
    let bad = |what: String| {
        Report::new("no-file", "The file cannot be read", format!("{}: {what}", file.display()))
            .remedy("Check the path, and that you may read it.")
    };
    let size = std::fs::metadata(file).map_err(|e| bad(e.to_string()))?.len();
    if size > MOST {
        return Err(bad(format!("{size} bytes are no key.")));
    }
    std::fs::read(file).map_err(|e| bad(e.to_string()))
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Report> {
    let written = create_private(file).and_then(|mut f| std::io::Write::write_all(&mut f, bytes));
    written.map_err(|e| {
        Report::new("not-written", "The file was not written", format!("{}: {e}.", file.display()))
            .remedy("Choose another name: a file that exists is not overwritten.")
    })
}

fn unknown(kid: &str) -> Report {
    Report::new("unknown-key", "There is no such key", format!("This environment has no key “{kid}”."))
}
