//! Tests of the unverified flows: playbooks that read like their descriptions, one file for each flow and one for the
//! credentials that they share; random schedules of all of them together; hostile input.

mod credential;
mod external_contact;
mod guest_resource;
mod hostile;
mod managed_conversation;
mod play;
mod schedules;
mod server;
mod session_token;
mod signed_guest;
mod world;

use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};

use super::{Config, Shared};
use crate::dialect::external_contact::ExternalContact;
use crate::dialect::guest_resource::GuestResource;
use crate::dialect::managed_conversation::ManagedConversation;
use crate::dialect::session_token::SessionToken;
use crate::dialect::signed_guest::SignedGuest;
use crate::dialect::{BearerNews, Dialect, Input};
use crate::model::flows::GuestForm;
use crate::model::{DialectId, Environment, Report, Secret};

pub const FLOWS: [DialectId; 5] = [
    DialectId::SessionToken,
    DialectId::ExternalContact,
    DialectId::SignedGuest,
    DialectId::ManagedConversation,
    DialectId::GuestResource,
];

/// What is different from [`config`].
pub type Change = fn(&mut Config);

/// All that each flow needs, and nothing else.
pub fn config(seed: u64) -> Config {
    let environment = Environment {
        name: "test".into(),
        client_id: Some("client".into()),
        queue_id: Some("queue-1".into()),
        application: "test".into(),
        ..Environment::default()
    };
    let form = GuestForm { guest_id: "anna".into(), skill: "sales".into(), ..GuestForm::default() };
    Config {
        environment,
        base: "http://api".into(),
        socket_base: "ws://api".into(),
        form,
        seed,
        kept: None,
        shared: Shared::default(),
    }
}

pub fn make(id: DialectId, config: Config) -> Box<dyn Dialect> {
    match id {
        DialectId::ExternalContact => Box::new(ExternalContact::new(config)),
        DialectId::SignedGuest => Box::new(SignedGuest::new(config)),
        DialectId::ManagedConversation => Box::new(ManagedConversation::new(config)),
        DialectId::GuestResource => Box::new(GuestResource::new(config)),
        _ => Box::new(SessionToken::new(config)),
    }
}

/// A token of three parts; its signature tells `name`.
pub fn jwt(name: &str, claims: &Value) -> String {
    let e = |text: String| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{name}", e(json!({ "alg": "RS256" }).to_string()), e(claims.to_string()))
}
