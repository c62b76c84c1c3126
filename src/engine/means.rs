//! What sessions, sign-ins and probes need before they can begin: clients, passwords, kept tokens. All of it may have
//! to be waited for: a file is read, and a keyring may ask a person.

use std::sync::Arc;

use super::LazyVault;
use super::command::SessionSpec;
use super::dialects::Bases;
use super::log::Log;
use super::transport::client::Clients;
use crate::dialect::web_messaging::Kept;
use crate::model::agents::USER_TOKEN;
use crate::model::environment::{PROXY_PASSWORD, join_password, proxy_key, split_password, wants_password};
use crate::model::{DialectId, Environment, Hosts, Report, Secret, SecretKind};
use crate::vault::Vault;

/// A session to make, with what had to be waited for.
pub struct Prepared {
    pub spec: SessionSpec,
    pub hosts: Hosts,
    pub clients: Clients,
    /// The token to resume with.
    pub token: Option<Secret<String>>,
    /// The refresh token of its guest, where one is kept.
    pub refresh: Option<Secret<String>>,
    pub bases: Bases,
}

pub async fn prepared(log: &Log, vault: Arc<LazyVault>, mut spec: SessionSpec) -> Result<Prepared, Report> {
    let hosts = spec.environment.hosts()?;
    if spec.dialect == DialectId::WebMessaging && hosts.guest_socket.is_empty() {
        let what = format!("“{}” has neither a region nor a guest_socket address.", spec.environment.name);
        return Err(Report::new("no-host", "The environment names no guest socket", what)
            .remedy("Choose a region, or give the guest socket's address (wss://…/v1)."));
    }
    let clients = clients_of(log, vault.clone(), Arc::new(spec.environment.clone())).await?;
    let (token, refresh) = match (spec.token.take(), &spec.kept) {
        (Some(token), _) => (Some(token), None),
        (None, Some(key)) => {
            let text = kept_token(vault, key.clone()).await?;
            match spec.dialect {
                DialectId::WebMessaging => {
                    let Kept { token, refresh } = Kept::read(&text);
                    (Some(token), refresh)
                }
                _ => (Some(text), None),
            }
        }
        (None, None) => (None, None),
    };
    let bases = Bases::of(spec.dialect, &spec.environment)?;
    Ok(Prepared { spec, hosts, clients, token, refresh, bases })
}

/// Builds clients off the loop: a CA file is read, and the vault is asked for the proxy's password.
pub async fn clients_of(log: &Log, vault: Arc<LazyVault>, environment: Arc<Environment>) -> Result<Clients, Report> {
    let log = log.clone();
    tokio::task::spawn_blocking(move || Clients::of(&with_proxy_password(&log, &vault, &environment)?))
        .await
        .unwrap_or_else(|e| Err(Report::new("http-client", "HTTP cannot be set up", e.to_string())))
}

/// The environment with the whole address of its proxy; the password is learnt before anything can tell it.
fn with_proxy_password(log: &Log, vault: &LazyVault, environment: &Environment) -> Result<Environment, Report> {
    let mut environment = environment.clone();
    let Some(address) = environment.proxy.as_deref() else { return Ok(environment) };
    let password = if wants_password(address) {
        vault.get(&proxy_key(&environment.id))?
    } else {
        split_password(address).map(|(_, password)| password)
    };
    if let Some(password) = password {
        learn_password(log, &password);
        environment.proxy = Some(join_password(address, password.expose()).unwrap_or_else(|| address.to_owned()));
    }
    Ok(environment)
}

/// Makes a secret known that is kept under this key.
pub fn learn(log: &Log, key: &str, value: &Secret<String>) {
    if key.ends_with(PROXY_PASSWORD) {
        learn_password(log, value);
    } else if key.contains(USER_TOKEN) {
        log.learn(SecretKind::AccessToken, value.expose());
    } else {
        log.learn(SecretKind::ClientSecret, value.expose());
    }
}

/// A proxy's password as it is written in an address, and as it is meant.
fn learn_password(log: &Log, password: &Secret<String>) {
    log.learn(SecretKind::Password, password.expose());
    if let Ok(plain) = percent_encoding::percent_decode_str(password.expose()).decode_utf8() {
        log.learn(SecretKind::Password, &plain);
    }
}

async fn kept_token(vault: Arc<LazyVault>, key: String) -> Result<Secret<String>, Report> {
    read(vault, key).await?.ok_or_else(|| {
        Report::new("no-kept-token", "The session token is not in the keyring any more", "There is nothing to resume.")
            .remedy("Open a new session.")
    })
}

/// Asks the vault off the loop: it may wait for a person.
pub async fn read(vault: Arc<LazyVault>, key: String) -> Result<Option<Secret<String>>, Report> {
    tokio::task::spawn_blocking(move || vault.get(&key))
        .await
        .unwrap_or_else(|e| Err(Report::new("vault", "The keyring could not be asked", e.to_string())))
}

/// Reads an entry of the system's keyring that is not ours.
pub async fn foreign(service: String, user: String) -> Result<Option<Secret<String>>, Report> {
    tokio::task::spawn_blocking(move || Vault::foreign(&service, &user))
        .await
        .unwrap_or_else(|e| Err(Report::new("vault", "The keyring could not be asked", e.to_string())))
}

/// Puts a secret into the vault, or takes it out. May block for long.
pub fn change(vault: &LazyVault, key: &str, value: Option<Secret<String>>) -> Result<(), Report> {
    match value {
        Some(value) => vault.set(key, &value),
        None => vault.delete(key),
    }
}
