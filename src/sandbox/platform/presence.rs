//! What users are doing, and whether work is led to them.
//!
//! Assumed: a user is offline until its first token is used, and available from then on.

use serde_json::{Value, json};

use super::super::flows::Answer;
use super::super::flows::fields::{self, Fields};
use super::super::ids;
use super::super::state::State;
use super::Platform;
use super::call::{Call, not_found, ok};
use super::users::Routing;
use super::{notify, routing};
use crate::model::Now;

/// A presence of the organisation: one for each of the system's.
pub(super) struct Definition {
    id: String,
    /// As one word: `OnQueue`.
    word: &'static str,
    /// As the old endpoint has it, and people: `On Queue`.
    label: &'static str,
    /// As notifications have it: `ON_QUEUE`.
    shout: &'static str,
}

const ALL: [(&str, &str, &str); 10] = [
    ("Available", "Available", "AVAILABLE"),
    ("Away", "Away", "AWAY"),
    ("Break", "Break", "BREAK"),
    ("Busy", "Busy", "BUSY"),
    ("Idle", "Idle", "IDLE"),
    ("Meal", "Meal", "MEAL"),
    ("Meeting", "Meeting", "MEETING"),
    ("Offline", "Offline", "OFFLINE"),
    ("OnQueue", "On Queue", "ON_QUEUE"),
    ("Training", "Training", "TRAINING"),
];
pub(super) const AVAILABLE: usize = 0;
pub(super) const OFFLINE: usize = 7;
pub(super) const ON_QUEUE: usize = 8;

impl Definition {
    pub(super) fn all() -> Vec<Self> {
        ALL.iter().map(|(word, label, shout)| Self { id: ids::uuid(), word, label, shout }).collect()
    }
}

fn definition(p: &Platform, n: u32) -> Option<&Definition> {
    p.presences.get(p.at(n)?.presence)
}

/// The label of a user's presence: `On Queue`.
pub(super) fn label(p: &Platform, n: u32) -> &'static str {
    definition(p, n).map_or("Offline", |d| d.label)
}

/// A user's presence, as REST tells it.
pub(super) fn told(p: &Platform, n: u32) -> Value {
    let (Some(user), Some(d)) = (p.at(n), definition(p, n)) else { return Value::Null };
    json!({
        "id": user.id, "source": "PURECLOUD", "primary": true, "message": user.presence_message,
        "presenceDefinition": {
            "id": d.id, "systemPresence": d.label, "selfUri": format!("/api/v2/presence/definitions/{}", d.id),
        },
        "modifiedDate": user.presence_since,
        "selfUri": format!("/api/v2/users/{}/presences/PURECLOUD", user.id),
    })
}

/// A user's presence, as notifications tell it.
pub(super) fn pushed(p: &Platform, n: u32) -> Value {
    let (Some(user), Some(d)) = (p.at(n), definition(p, n)) else { return Value::Null };
    json!({
        "source": "PURECLOUD", "presenceDefinition": { "id": d.id, "systemPresence": d.shout }, "primary": true,
        "message": user.presence_message, "modifiedDate": user.presence_since,
    })
}

/// A token of this user was used.
pub(super) fn seen(state: &mut State, n: u32, now: Now) {
    let at = state.iso(now);
    if let Some(user) = state.platform.at_mut(n).filter(|u| !u.seen) {
        user.seen = true;
        user.presence = AVAILABLE;
        user.presence_since.clone_from(&at);
        user.routing_since = at;
    }
}

/// Sets a routing status, whatever it was.
pub(super) fn set_routing(state: &mut State, n: u32, routing: Routing, now: Now) {
    let at = state.iso(now);
    if let Some(user) = state.platform.at_mut(n).filter(|u| u.routing != routing) {
        user.routing = routing;
        user.routing_since = at;
        notify::routing(state, n, now);
    }
}

/// Brings the routing status in line with the presence and the work of a user.
pub(super) fn settle(state: &mut State, n: u32, now: Now) {
    let p = &state.platform;
    let Some(user) = p.at(n) else { return };
    let wished = match user.routing {
        _ if !user.is_on_queue() => Routing::OffQueue,
        kept @ (Routing::NotResponding | Routing::OffQueue) => kept,
        _ if p.works(n) => Routing::Interacting,
        _ => Routing::Idle,
    };
    set_routing(state, n, wished, now);
}

/// `GET /api/v2/presence/definitions`.
pub(super) fn definitions(call: &mut Call) -> Answer {
    let all = call.state.platform.presences.iter().map(|d| {
        json!({
            "id": d.id, "type": "System", "languageLabels": { "en_US": d.label }, "systemPresence": d.word,
            "divisionId": "*", "deactivated": false, "selfUri": format!("/api/v2/presence/definitions/{}", d.id),
        })
    });
    let all: Vec<Value> = all.collect();
    ok(&json!({ "total": all.len(), "entities": all, "selfUri": "/api/v2/presence/definitions" }))
}

/// `GET /api/v2/presencedefinitions`, the old endpoint with the old spelling.
pub(super) fn old_definitions(call: &mut Call) -> Answer {
    let all = call.state.platform.presences.iter().map(|d| {
        json!({
            "id": d.id, "name": d.label, "languageLabels": { "en_US": d.label }, "systemPresence": d.label,
            "deactivated": false, "primary": true, "selfUri": format!("/api/v2/presencedefinitions/{}", d.id),
        })
    });
    let all = all.collect();
    call.page("/api/v2/presencedefinitions", all)
}

/// `GET /api/v2/systempresences`.
pub(super) fn system(call: &mut Call) -> Answer {
    let all = call.state.platform.presences.iter().map(|d| json!({ "id": d.word, "name": d.label }));
    ok(&all.collect())
}

fn source(call: &Call) -> Result<(), super::super::flows::No> {
    let source = call.part("source");
    if source.eq_ignore_ascii_case("purecloud") { Ok(()) } else { Err(not_found("Presence source", source)) }
}

/// `GET /api/v2/users/{id}/presences/purecloud`.
pub(super) fn get(call: &mut Call) -> Answer {
    source(call)?;
    let named = call.user_of_path()?;
    ok(&told(&call.state.platform, named))
}

/// `PATCH /api/v2/users/{id}/presences/purecloud`: on queue and off it.
pub(super) fn set(call: &mut Call) -> Answer {
    source(call)?;
    let me = call.myself_in_path()?;
    let body = fields::object(call.body)?;
    let mut f = Fields::of(&body);
    let wished = f.text("presenceDefinition.id").to_owned();
    let message = f.at("message").map(|_| f.text("message").to_owned());
    f.done()?;
    let p = &call.state.platform;
    let Some(presence) = p.presences.iter().position(|d| d.id == wished) else {
        let text = format!("{} is not a presence definition", fields::told(&wished));
        return Err(fields::wrong("presenceDefinition.id", &text));
    };
    change(call.state, me, presence, message, call.now);
    ok(&told(&call.state.platform, me))
}

/// Gives a user a presence. Whoever goes on queue is ready for work, whatever was missed before.
pub(super) fn change(state: &mut State, n: u32, presence: usize, message: Option<String>, now: Now) {
    let at = state.iso(now);
    if let Some(user) = state.platform.at_mut(n) {
        user.presence = presence;
        user.presence_since = at;
        user.presence_message = message.unwrap_or_default();
    }
    notify::presence(state, n, now);
    let routing = if presence == ON_QUEUE { Routing::Idle } else { Routing::OffQueue };
    set_routing(state, n, routing, now);
    routing::settle(state, Some(n), now);
}
