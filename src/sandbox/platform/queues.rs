//! Queues, who is in them, and their wrap-up codes. Everybody is a member of both queues.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::flows::fields::{self, Fields};
use super::super::flows::{self, Answer, No};
use super::super::ids;
use super::call::{Call, not_found, ok};
use super::{people, routing};

/// An alert that nobody answers is taken back after so long.
const ALERTING_MS: u32 = 30_000;

pub(in crate::sandbox) struct Queue {
    pub(in crate::sandbox) id: String,
    pub(in crate::sandbox) name: &'static str,
    pub(super) alerting_ms: u32,
    pub(super) wrapup: WrapupPrompt,
}

/// Whether work in a queue must be wrapped up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WrapupPrompt {
    #[default]
    Optional,
    Mandatory,
}

impl WrapupPrompt {
    /// As a queue tells it.
    fn shout(self) -> &'static str {
        match self {
            Self::Optional => "OPTIONAL",
            Self::Mandatory => "MANDATORY",
        }
    }

    /// As a participant tells it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Optional => "optional",
            Self::Mandatory => "mandatory",
        }
    }
}

impl Queue {
    pub(super) fn all(first: &str) -> Vec<Self> {
        let queue = |id, name| Self { id, name, alerting_ms: ALERTING_MS, wrapup: WrapupPrompt::default() };
        vec![queue(first.to_owned(), "Sandbox support"), queue(ids::uuid(), "Sandbox sales")]
    }

    pub(super) fn reset(&mut self) {
        self.alerting_ms = ALERTING_MS;
        self.wrapup = WrapupPrompt::default();
    }

    fn told(&self, members: usize, joined: usize) -> Value {
        json!({
            "id": self.id, "name": self.name, "memberCount": members, "userMemberCount": members,
            "joinedMemberCount": joined,
            "acwSettings": { "wrapupPrompt": self.wrapup.shout() },
            "mediaSettings": { "message": { "alertingTimeoutSeconds": self.alerting_ms.div_ceil(1000) } },
            "selfUri": format!("/api/v2/routing/queues/{}", self.id),
        })
    }
}

/// The code that the platform gives by itself.
pub(super) const SYSTEM_CODE: &str = "7fb334b0-0e9e-11e4-9191-0800200c9a66";

/// A wrap-up code of the organisation: each queue takes all of them.
pub(super) struct Code {
    pub(super) id: String,
    pub(super) name: &'static str,
}

impl Code {
    pub(super) fn all() -> Vec<Self> {
        ["Resolved", "Follow-up needed", "No answer", "Spam"].map(|name| Self { id: ids::uuid(), name }).into()
    }

    pub(super) fn told(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "selfUri": format!("/api/v2/routing/wrapupcodes/{}", self.id) })
    }
}

fn told(call: &Call, place: usize) -> Value {
    let p = &call.state.platform;
    let joined = p.users.iter().filter(|u| u.joined.contains(&place)).count();
    p.queues.get(place).map_or(Value::Null, |q| q.told(p.users.len(), joined))
}

fn queue_of_path(call: &Call, name: &str) -> Result<usize, No> {
    let id = call.part(name);
    call.state.platform.queue(id).ok_or_else(|| not_found("Queue", id))
}

/// `GET /api/v2/routing/queues`.
pub(super) fn list(call: &mut Call) -> Answer {
    call.need(&["routing:queue:view"])?;
    let name = call.asked("name").unwrap_or_default().to_lowercase();
    let queues = call.state.platform.queues.iter().enumerate();
    let all = queues
        .filter(|(_, q)| q.name.to_lowercase().contains(name.trim_matches('*')))
        .map(|(place, _)| told(call, place))
        .collect();
    call.page("/api/v2/routing/queues", all)
}

/// `GET /api/v2/routing/queues/{id}`.
pub(super) fn one(call: &mut Call) -> Answer {
    if call.user.is_none() {
        // The flow of signed guests asks as well, at a rate of its own.
        let id = call.part("id").to_owned();
        flows::count_queue_call(call.state, call.now)?;
        let place = call.state.platform.queue(&id).ok_or_else(|| not_found("Queue", &id))?;
        return ok(&told(call, place));
    }
    call.need(&["routing:queue:view"])?;
    let place = queue_of_path(call, "id")?;
    ok(&told(call, place))
}

/// `GET /api/v2/routing/queues/{id}/members`.
pub(super) fn members(call: &mut Call) -> Answer {
    call.need(&["routing:queue:view", "routing:queueMember:manage"])?;
    let place = queue_of_path(call, "id")?;
    let p = &call.state.platform;
    let wished = call.asked("joined").and_then(|w| w.parse::<bool>().ok());
    let all = p.users.iter().zip(0..).filter(|(u, _)| wished.is_none_or(|w| w == u.joined.contains(&place)));
    let all = all.map(|(u, n)| {
        json!({
            "id": u.id, "name": u.name, "joined": u.joined.contains(&place), "memberBy": "user", "ringNumber": 1,
            "user": { "id": u.id, "name": u.name, "email": u.email }, "routingStatus": people::routing_of(p, n),
            "selfUri": format!("/api/v2/routing/queues/{}/members/{}", call.part("id"), u.id),
        })
    });
    let all = all.collect();
    call.page(&format!("/api/v2/routing/queues/{}/members", call.part("id")), all)
}

/// `GET /api/v2/routing/queues/{id}/wrapupcodes`.
pub(super) fn codes(call: &mut Call) -> Answer {
    queue_of_path(call, "id")?;
    let all = call.state.platform.codes.iter().map(Code::told).collect();
    call.page(&format!("/api/v2/routing/queues/{}/wrapupcodes", call.part("id")), all)
}

/// `GET /api/v2/routing/wrapupcodes`.
pub(super) fn all_codes(call: &mut Call) -> Answer {
    call.need(&["routing:wrapupCode:view"])?;
    let all = call.state.platform.codes.iter().map(Code::told).collect();
    call.page("/api/v2/routing/wrapupcodes", all)
}

fn of(call: &Call, n: u32) -> Vec<Value> {
    let p = &call.state.platform;
    let Some(user) = p.at(n) else { return Vec::new() };
    let wished = call.asked("joined").and_then(|w| w.parse::<bool>().ok());
    let with = |place: usize| {
        let joined = user.joined.contains(&place);
        let mut queue = told(call, place);
        queue["joined"] = joined.into();
        (wished.is_none_or(|w| w == joined)).then_some(queue)
    };
    (0..p.queues.len()).filter_map(with).collect()
}

/// `GET /api/v2/users/{id}/queues`.
pub(super) fn of_user(call: &mut Call) -> Answer {
    let named = call.user_of_path()?;
    let all = of(call, named);
    call.page(&format!("/api/v2/users/{}/queues", call.part("id")), all)
}

/// `GET /api/v2/routing/queues/me`.
pub(super) fn mine(call: &mut Call) -> Answer {
    let me = call.me()?;
    let all = of(call, me);
    call.page("/api/v2/routing/queues/me", all)
}

/// `PATCH /api/v2/users/{id}/queues/{queueId}`: joins a queue, or leaves it.
pub(super) fn join(call: &mut Call) -> Answer {
    let me = call.myself_in_path()?;
    call.need(&["routing:queue:join"])?;
    let place = queue_of_path(call, "queue")?;
    let body = fields::object(call.body)?;
    let mut f = Fields::of(&body);
    let joined = f.at("joined").and_then(Value::as_bool);
    if joined.is_none() {
        f.fault("joined", "is not true or false");
    }
    f.done()?;
    if let Some(user) = call.state.platform.at_mut(me) {
        match joined {
            Some(true) => user.joined.insert(place),
            _ => user.joined.remove(&place),
        };
    }
    routing::settle(call.state, Some(me), call.now);
    let mut queue = told(call, place);
    queue["joined"] = joined.into();
    ok(&queue)
}
