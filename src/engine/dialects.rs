//! Makes the dialect of a session.

use crate::dialect::Dialect;
use crate::dialect::agent::{self, Agent};
use crate::dialect::external_contact::ExternalContact;
use crate::dialect::flow::{Config, Shared};
use crate::dialect::guest_resource::GuestResource;
use crate::dialect::managed_conversation::ManagedConversation;
use crate::dialect::session_token::SessionToken;
use crate::dialect::signed_guest::SignedGuest;
use crate::dialect::web_messaging::{self, WebMessaging};
use crate::model::agents::AgentForm;
use crate::model::environment::{Limits, socket_address};
use crate::model::flows::{GuestForm, OauthUse};
use crate::model::login::Login;
use crate::model::{DialectId, Environment, Hosts, Report, Secret};

/// What a dialect is made from.
pub struct Making {
    pub id: DialectId,
    pub environment: Environment,
    pub hosts: Hosts,
    /// The token, or whatever else an earlier session kept, to resume with.
    pub token: Option<Secret<String>>,
    pub form: GuestForm,
    pub login: Option<Login>,
    /// Of the guest who has signed in, kept with the token.
    pub refresh: Option<Secret<String>>,
    pub agent: AgentForm,
    pub shared: Shared,
    pub bases: Bases,
}

/// Base addresses of the unverified flows.
#[derive(Clone, Debug, Default)]
pub struct Bases {
    pub calls: String,
    pub socket: String,
}

impl Bases {
    pub fn of(dialect: DialectId, environment: &Environment) -> Result<Self, Report> {
        if dialect.is_verified() {
            return Ok(Self::default());
        }
        let calls = environment.org_base()?;
        if calls.is_empty() {
            let what = format!("“{}” has neither a region nor an API address.", environment.name);
            return Err(Report::new("no-api-host", "The environment names no API host", what)
                .remedy("Choose a region, or give the API's address (https://…)."));
        }
        let socket = match dialect {
            DialectId::ExternalContact => environment.webchat_base()?,
            _ => socket_address(&calls),
        };
        Ok(Self { calls, socket })
    }
}

/// The OAuth token that a dialect uses, none where it uses none.
pub fn oauth_use(dialect: DialectId, environment: &Environment) -> Option<OauthUse> {
    let flows = &environment.flows;
    match dialect {
        // An agent has a user's token.
        DialectId::WebMessaging | DialectId::Agent => None,
        DialectId::SessionToken => Some(flows.session_token.oauth.clone()),
        DialectId::ExternalContact => Some(flows.external_contact.oauth.clone()),
        DialectId::SignedGuest => Some(flows.signed_guest.oauth.clone()),
        DialectId::ManagedConversation => Some(flows.managed_conversation.oauth.clone()),
        DialectId::GuestResource => Some(flows.guest_resource.oauth.clone()),
    }
}

/// The limits that the meters of a session show.
pub fn limits(dialect: DialectId, environment: &Environment) -> Limits {
    let mut limits = environment.limits.clone();
    if dialect == DialectId::GuestResource {
        limits.requests_per_minute = environment.flows.guest_resource.requests_per_minute;
    }
    if dialect == DialectId::Agent {
        // Of the user's token; the answers' headers correct it.
        limits.requests_per_minute = 300;
        limits.history_per_minute = environment.agents.lookups_per_minute;
        // Characters here, as the platform counts them.
        limits.message_bytes = environment.agents.text_chars;
    }
    limits
}

pub fn make(making: Making) -> Box<dyn Dialect> {
    let Making { id, environment, hosts, token, form, login, refresh, agent: desk, shared, bases } = making;
    let seed = uuid::Uuid::new_v4().as_u64_pair().0;
    if id == DialectId::WebMessaging {
        let resumed = token.is_some();
        let token = token.unwrap_or_else(|| Secret::new(uuid::Uuid::new_v4().to_string()));
        let config = web_messaging::Config { hosts, environment, token, resumed, login, refresh, seed };
        return Box::new(WebMessaging::new(config));
    }
    if id == DialectId::Agent {
        return Box::new(Agent::new(agent::Config { hosts, environment, form: desk, seed }));
    }
    let config = Config { environment, base: bases.calls, socket_base: bases.socket, form, seed, kept: token, shared };
    match id {
        DialectId::WebMessaging | DialectId::Agent | DialectId::SessionToken => Box::new(SessionToken::new(config)),
        DialectId::ExternalContact => Box::new(ExternalContact::new(config)),
        DialectId::SignedGuest => Box::new(SignedGuest::new(config)),
        DialectId::ManagedConversation => Box::new(ManagedConversation::new(config)),
        DialectId::GuestResource => Box::new(GuestResource::new(config)),
    }
}
