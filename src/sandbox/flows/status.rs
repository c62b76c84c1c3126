//! What the flows tell of themselves. Ids and counts, never a token.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::state::State;
use super::super::status::{conn_id, contact_id, resource_id};
use super::switches::{FlowSwitches, Lifetimes};
use super::{managed_conversation, session_token};
use crate::model::{Mono, Now};

/// The flows at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FlowStatus {
    /// Scopes of the client, for tokens from now on.
    pub client_scopes: Vec<String>,
    pub switches: FlowSwitches,
    pub lifetimes: Lifetimes,
    pub conversations: Vec<ConversationStatus>,
    pub contacts: Vec<ContactStatus>,
    pub guests: Vec<ResourceStatus>,
    /// Names of the guests' public keys.
    pub guest_keys: Vec<String>,
    /// What the CRM was sent, oldest first.
    pub crm: Vec<CrmEvent>,
    /// Answers that are kept by their idempotency key.
    pub kept_answers: u64,
    /// Messages to external contacts that were taken and never committed.
    pub lost_messages: u64,
    /// Tokens, conversations, contacts, guests, answers and events that had to go for newer ones.
    pub forgotten: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConversationStatus {
    pub id: String,
    /// `session-token`, `signed-guest` or `managed-conversation`.
    pub flow: String,
    /// `live`, `expired`, `queued`, or why it ended: `idle`, `duration`, `disconnected`.
    pub state: String,
    /// Id of its guest or contact.
    pub guest: String,
    /// Short id of its session token (`session-token-3`), for the order that lets it die.
    pub token: Option<String>,
    /// Messages, or heartbeats.
    pub count: u64,
    pub age_seconds: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContactStatus {
    /// `x1` where it has a socket; an order can be about it.
    pub id: String,
    /// `external-contact` or `signed-guest`.
    pub flow: String,
    /// The contact's own id.
    pub contact: String,
    pub connections: Vec<String>,
    pub messages: u64,
    pub age_seconds: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceStatus {
    /// `g1`; an order can be about it.
    pub id: String,
    /// The guest's own id.
    pub guest: String,
    pub name: String,
    /// Names of its attributes.
    pub attributes: Vec<String>,
    /// Those whose handshake was good.
    pub connections: Vec<String>,
    pub messages: u64,
    pub age_seconds: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CrmEvent {
    pub at: String,
    pub event: Value,
}

impl FlowStatus {
    pub(in crate::sandbox) fn of(state: &State, now: Now) -> Self {
        let f = &state.flows;
        let age = |opened: Mono| now.mono.since(opened).as_secs();
        let conversation = |id: &str, flow: &str, state: &str, guest: &str, count, opened| ConversationStatus {
            id: id.to_owned(),
            flow: flow.to_owned(),
            state: state.to_owned(),
            guest: guest.to_owned(),
            token: None,
            count,
            age_seconds: age(opened),
        };
        let spoken = f.conversations.iter().map(|(_, id, c)| {
            let (stands, token) = session_token::stands(state, c, now);
            let told = conversation(id, "session-token", stands, &c.guest_id, c.messages, c.opened);
            ConversationStatus { token, ..told }
        });
        let signed = f
            .signed_conversations
            .iter()
            .map(|(_, id, c)| conversation(id, "signed-guest", "queued", &c.contact_id, 0, c.opened));
        let managed = f.managed.iter().map(|(_, id, c)| {
            let state = c.ended.map_or("live", managed_conversation::Ended::name);
            conversation(id, "managed-conversation", state, &c.guest_id, c.beats, c.opened)
        });
        let connected = f.contacts.iter().map(|(n, c)| ContactStatus {
            id: contact_id(n),
            flow: "external-contact".to_owned(),
            contact: c.id.clone(),
            connections: vec![conn_id(c.conn)],
            messages: c.talk.messages,
            age_seconds: age(c.opened),
        });
        let known = f.signed_contacts.iter().map(|(_, id, c)| ContactStatus {
            id: id.to_owned(),
            flow: "signed-guest".to_owned(),
            contact: c.guest_id.clone(),
            age_seconds: age(c.opened),
            ..ContactStatus::default()
        });
        let guests = f.guests.iter().map(|(n, id, g)| ResourceStatus {
            id: resource_id(n),
            guest: id.to_owned(),
            name: g.name.clone(),
            attributes: g.attributes.keys().cloned().collect(),
            connections: g.conns.iter().map(|c| conn_id(*c)).collect(),
            messages: g.talk.messages,
            age_seconds: age(g.opened),
        });
        let forgotten = f.conversations.forgotten
            + f.signed_contacts.forgotten
            + f.signed_conversations.forgotten
            + f.managed.forgotten
            + f.guests.forgotten
            + f.answers.forgotten
            + state.tokens.forgotten
            + f.crm.forgotten;
        Self {
            client_scopes: f.client_scopes.names().into_iter().map(str::to_owned).collect(),
            switches: f.switches.clone(),
            lifetimes: f.lifetimes.clone(),
            conversations: spoken.chain(signed).chain(managed).collect(),
            contacts: connected.chain(known).collect(),
            guests: guests.collect(),
            guest_keys: f.keys.kids().map(str::to_owned).collect(),
            crm: f.crm.events.iter().map(|(at, event)| CrmEvent { at: at.clone(), event: event.clone() }).collect(),
            kept_answers: f.answers.len() as u64,
            lost_messages: f.contacts.lost,
            forgotten,
        }
    }
}
