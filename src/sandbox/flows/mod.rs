//! The server's side of five flows that no primary source of the vendor documents, each in a file of its own.
//!
//! They share the client's [`bearer`] token with its scopes, the checks of [`fields`], answers kept by
//! [`idempotency`] key, the [`keys`] of signed guests, and the scripted partner ([`talk`]). Access tokens live by the
//! true clock, as everything the sandbox gives out; what others signed is judged by the clock that it tells.

mod agenda;
mod around;
mod bearer;
mod external_contact;
pub(super) mod fields;
mod guest_resource;
mod idempotency;
mod keys;
mod managed_conversation;
mod scope;
mod session_token;
pub(super) mod shelf;
mod signed_guest;
mod status;
mod switches;
mod talk;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use axum::routing::{any, patch, post, put};
use tokio::time::Instant;

use super::limits::Window;
use super::shared::Shared;
use super::state::State;
use crate::model::Now;

pub(super) use agenda::{Later, run};
pub(super) use bearer::rate;
pub(super) use scope::Scopes;
pub use status::{ContactStatus, ConversationStatus, CrmEvent, FlowStatus, ResourceStatus};
pub use switches::{ContactRule, FlowChange, FlowSwitches, GuestTokenFlaw, LifetimeChange, Lifetimes, SendForm};
pub(super) use {
    external_contact::heard as contact_heard, external_contact::opened as contact_opened,
    guest_resource::heard as guest_heard, guest_resource::opened as guest_opened, signed_guest::count_queue_call,
    talk::say, talk::typing,
};

/// Largest attributes of a guest in bytes, as JSON without spaces.
const ATTRIBUTES: usize = 10 * 1024;

/// An answer that is not the one that was asked for.
pub(super) type No = Box<Response>;
pub(super) type Answer = Result<Response, No>;

pub(super) fn answer(result: Answer) -> Response {
    result.unwrap_or_else(|no| *no)
}

/// What the flows know.
pub(super) struct Flows {
    oauth_secs: u32,
    pub(super) client_scopes: Scopes,
    pub(super) switches: FlowSwitches,
    pub(super) lifetimes: Lifetimes,
    pub(super) keys: keys::Keys,
    conversations: shelf::Shelf<session_token::Conversation>,
    pub(super) contacts: external_contact::Contacts,
    signed_contacts: shelf::Shelf<signed_guest::SignedContact>,
    signed_conversations: shelf::Shelf<signed_guest::SignedConversation>,
    signed_calls: Window,
    managed: shelf::Shelf<managed_conversation::Managed>,
    pub(super) guests: shelf::Shelf<guest_resource::Guest>,
    guest_calls: Window,
    answers: idempotency::Answers,
    agenda: agenda::Agenda,
    crm: around::Crm,
    /// The broker's access token.
    broker: Option<Arc<str>>,
}

impl Flows {
    /// `oauth_secs` is the life of access tokens at the start.
    pub(super) fn new(oauth_secs: u32) -> Self {
        Self {
            oauth_secs,
            client_scopes: Scopes::ALL,
            switches: FlowSwitches::at_start(),
            lifetimes: Lifetimes::at_start(oauth_secs),
            keys: keys::Keys::default(),
            conversations: session_token::shelf(),
            contacts: external_contact::Contacts::default(),
            signed_contacts: signed_guest::contacts(),
            signed_conversations: signed_guest::conversations(),
            signed_calls: Window::default(),
            managed: managed_conversation::shelf(),
            guests: guest_resource::shelf(),
            guest_calls: Window::default(),
            answers: idempotency::Answers::default(),
            agenda: agenda::Agenda::default(),
            crm: around::Crm::default(),
            broker: None,
        }
    }

    /// As at the start.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.oauth_secs);
    }

    /// Does something for a notification socket at `at`. False where there is no room.
    pub(super) fn later(&mut self, at: Instant, later: Later) -> bool {
        self.agenda.add(at, agenda::Deed::Platform(later))
    }

    /// Ends what is over; the time until the next end.
    pub(super) fn sweep(&mut self, now: Now) -> Option<Duration> {
        managed_conversation::sweep(&mut self.managed, now)
    }
}

impl State {
    fn knows_queue(&self, id: &str) -> bool {
        self.platform.knows_queue(id)
    }
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    const S0: &str = "/api/v2/webmessaging/conversations";
    const S1: &str = "/api/v2/conversations/messaging/external/contacts";
    Router::new()
        .route(S0, post(session_token::create))
        .route(&format!("{S0}/{{id}}/messages"), post(session_token::send))
        .route(&format!("{S0}/{{id}}/guests/{{guest}}/refresh"), post(session_token::refresh))
        .route(&format!("{S0}/{{id}}/guest-token"), post(session_token::guest_token))
        .route(S1, any(external_contact::upgrade))
        .route(&format!("{S1}/{{id}}/messages"), post(external_contact::post))
        .route("/api/v2/externalcontacts/contacts", post(signed_guest::create_contact))
        .route("/api/v2/conversations/messaging", post(managed_conversation::create))
        .route("/api/v2/conversations/messaging/{id}", patch(managed_conversation::patch))
        .route("/api/v2/guests", post(guest_resource::create))
        .route("/api/v2/guests/{id}", put(guest_resource::update))
        .route("/api/v2/guests/{guest}/sessions/{session}/ws", any(guest_resource::upgrade))
        .route("/broker/api/genesys/refresh", post(around::broker))
        .route("/crm", post(around::crm))
}
