//! Guests that bring a token of their own, signed with RS256, as contacts and then in conversations.
//!
//! Assumed, since the description does not say: queue look-ups and repeats count against the rate, too; the same guest
//! may become a contact several times, and its address means the newest of them.

use std::sync::Arc;

use axum::extract::State as Shares;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::super::api::{self, Fault};
use super::super::ids;
use super::super::limits::SECOND;
use super::super::shared::Shared;
use super::super::state::State;
use super::fields::{self, Fields, told};
use super::shelf::Shelf;
use super::{ATTRIBUTES, Answer, No, answer, bearer, idempotency};
use crate::model::{Mono, Now};

/// Contacts and conversations remembered; the oldest goes.
const MANY: usize = 2000;
const CONTACTS: &str = "/api/v2/externalcontacts/contacts";
const CONVERSATIONS: &str = "/api/v2/conversations/messaging";

pub(super) struct SignedContact {
    pub(super) guest_id: String,
    pub(super) opened: Mono,
}

pub(super) struct SignedConversation {
    pub(super) contact_id: String,
    pub(super) opened: Mono,
}

pub(super) fn contacts() -> Shelf<SignedContact> {
    Shelf::new(MANY)
}

pub(super) fn conversations() -> Shelf<SignedConversation> {
    Shelf::new(MANY)
}

fn rate(state: &mut State, now: Now) -> Result<(), No> {
    let most = state.flows.switches.requests_per_second;
    bearer::rate(&mut state.flows.signed_calls, most, SECOND, now)
}

/// Counts a look at a queue with a client's token.
pub(in crate::sandbox) fn count_queue_call(state: &mut State, now: Now) -> Result<(), No> {
    rate(state, now)
}

/// `POST /api/v2/externalcontacts/contacts`.
pub(in crate::sandbox) async fn create_contact(
    Shares(shared): Shares<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.act(|state, now| answer(contact_now(state, &headers, &body, now)))
}

fn contact_now(state: &mut State, headers: &HeaderMap, body: &[u8], now: Now) -> Answer {
    let client = bearer::client(state, headers, now)?;
    rate(state, now)?;
    client.need(&["externalcontacts:create"])?;
    let body = fields::object(body)?;
    idempotency::once(state, CONTACTS, headers, &body, now, |state| {
        let mut fields = Fields::of(&body);
        fields.word("type", "webchat");
        let address = fields.text("address");
        if !address.is_empty() && !address.starts_with("guest-") {
            fields.fault("address", format!("{} does not begin with “guest-”", told(address)));
        }
        let guest_id = fields.text("externalContactId");
        fields.object("customAttributes", Some(ATTRIBUTES));
        let token = fields.secret("customAttributes.guestToken");
        fields.done()?;
        check(state, "customAttributes.guestToken", token, guest_id, "externalContactId", now)?;
        if address.strip_prefix("guest-") != Some(guest_id) {
            let text = format!("{} is not “guest-” and the guestId {}", told(address), told(guest_id));
            return Err(fields::wrong("address", &text));
        }
        if state.flows.switches.unique_contacts
            && state.flows.signed_contacts.iter().any(|(_, _, c)| c.guest_id == guest_id)
        {
            let text = format!("address: {} is a contact already", told(address));
            return Err(api::error(409, "conflict", &text).into());
        }
        let contact = SignedContact { guest_id: guest_id.to_owned(), opened: now.mono };
        let id = ids::uuid();
        state.flows.signed_contacts.insert(id.clone(), contact, |_| false);
        let body = json!({ "id": id, "type": "webchat", "address": address, "externalContactId": guest_id });
        Ok((StatusCode::CREATED, body))
    })
}

/// Checks a signed token and that it is of this guest.
fn check(state: &State, field: &str, token: &str, guest_id: &str, named: &str, now: Now) -> Result<(), No> {
    let flows = &state.flows;
    let checked = flows.keys.check(token, state.wall(now), flows.lifetimes.signed_token_leeway_secs);
    let why = match checked {
        Ok(guest) if guest == guest_id => return Ok(()),
        Ok(_) => format!("guestId does not match {named}"),
        Err(why) => why,
    };
    Err(api::faulty("guest.token.invalid", &[Fault { field: field.to_owned(), text: why }]).into())
}

/// `POST /api/v2/conversations/messaging` with a `contactId`.
pub(super) fn converse(
    state: &mut State,
    client: &bearer::Client,
    headers: &HeaderMap,
    body: &Value,
    now: Now,
) -> Answer {
    rate(state, now)?;
    client.need(&["conversations:messaging"])?;
    idempotency::once(state, CONVERSATIONS, headers, body, now, |state| {
        let mut fields = Fields::of(body);
        let named = fields.text("contactId");
        let queue = fields.text("routingData.queueId");
        fields.list("routingData.skillRequirements");
        fields.object("customAttributes", None);
        let token = fields.secret("customAttributes.sessionToken");
        let target = fields.text("customAttributes.routingTarget");
        let contact = find(state, named);
        if contact.is_none() && !named.is_empty() {
            fields.fault("contactId", format!("{} is neither the id nor the address of a contact", told(named)));
        }
        if !target.is_empty() && !queue.is_empty() && target != queue {
            let text = format!("{} is not routingData.queueId, which is {}", told(target), told(queue));
            fields.fault("customAttributes.routingTarget", text);
        }
        fields.done()?;
        let (contact_id, guest_id) = contact.unwrap_or_default();
        if !state.knows_queue(queue) || state.flows.switches.queue_forbidden {
            let text = format!("routingData.queueId: queue {} may not be used by this client", told(queue));
            return Err(api::error(403, "not.authorized", &text).into());
        }
        check(state, "customAttributes.sessionToken", token, &guest_id, "the contact's externalContactId", now)?;
        let id = ids::uuid();
        let conversation = SignedConversation { contact_id: contact_id.clone(), opened: now.mono };
        state.flows.signed_conversations.insert(id.clone(), conversation, |_| false);
        let body = json!({ "id": id, "contactId": contact_id, "state": "queued", "queueId": queue });
        Ok((StatusCode::CREATED, body))
    })
}

/// Id and guest of a contact, by its id or its address. Of several with an address, the newest.
fn find(state: &State, named: &str) -> Option<(String, String)> {
    let contacts = &state.flows.signed_contacts;
    if let Some(contact) = contacts.find(named) {
        return Some((named.to_owned(), contact.guest_id.clone()));
    }
    let guest = named.strip_prefix("guest-")?;
    let (_, id, contact) = contacts.iter().rev().find(|(_, _, c)| c.guest_id == guest)?;
    Some((id.to_owned(), contact.guest_id.clone()))
}
