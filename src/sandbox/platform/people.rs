//! Users, as others see them and as they see themselves.
//!
//! Assumed: `PUT routingstatus` takes `IDLE` on queue, and `OFF_QUEUE`; the other statuses are the platform's to set.

use serde_json::{Value, json};

use super::super::flows::fields::{self, Fields};
use super::super::flows::{Answer, No};
use super::Platform;
use super::call::{Call, no, not_found, ok};
use super::presence;
use super::routing;
use super::users::Routing;

impl Call<'_> {
    /// The user that the path names.
    pub(super) fn user_of_path(&self) -> Result<u32, No> {
        let id = self.part("id");
        self.state.platform.user(id).ok_or_else(|| not_found("User", id))
    }

    /// As [`Self::user_of_path`], who must be the one who asks.
    pub(super) fn myself_in_path(&self) -> Result<u32, No> {
        let (me, named) = (self.me()?, self.user_of_path()?);
        if me == named {
            return Ok(me);
        }
        Err(no(403, "not.authorized", "Only the user may do this, with a token of the user's own"))
    }
}

/// A user with the members that were asked for.
fn told(call: &Call, n: u32) -> Value {
    let p = &call.state.platform;
    let Some(user) = p.at(n) else { return Value::Null };
    let mut all = json!({
        "id": user.id, "name": user.name, "email": user.email, "username": user.email, "state": "active",
        "version": 1, "acdAutoAnswer": false, "preferredName": user.name,
        "primaryContactInfo": [{ "address": user.email, "mediaType": "EMAIL", "type": "PRIMARY" }],
        "division": { "id": call.state.me.organization_id, "name": "", "selfUri": "" },
        "selfUri": format!("/api/v2/users/{}", user.id),
    });
    if call.lists("expand", "presence") {
        all["presence"] = presence::told(p, n);
    }
    if call.lists("expand", "routingStatus") {
        all["routingStatus"] = routing_of(p, n);
    }
    if call.lists("expand", "organization") {
        all["organization"] = json!({ "id": call.state.me.organization_id, "name": "Sandbox" });
    }
    all
}

pub(super) fn routing_of(p: &Platform, n: u32) -> Value {
    match p.at(n) {
        Some(user) => json!({ "userId": user.id, "status": user.routing.word(), "startTime": user.routing_since }),
        None => Value::Null,
    }
}

/// `GET /api/v2/users/me`.
pub(super) fn me(call: &mut Call) -> Answer {
    let me = call.me()?;
    ok(&told(call, me))
}

/// `GET /api/v2/users/{id}`.
pub(super) fn one(call: &mut Call) -> Answer {
    let named = call.user_of_path()?;
    ok(&told(call, named))
}

fn everybody(call: &Call, fits: impl Fn(&super::User) -> bool) -> Vec<Value> {
    let users = call.state.platform.users.iter().zip(0..);
    users.filter(|(u, _)| fits(u)).map(|(_, n)| told(call, n)).collect()
}

/// `GET /api/v2/users`.
pub(super) fn list(call: &mut Call) -> Answer {
    let wished = |u: &super::User| call.asked("id").is_none() || call.lists("id", &u.id);
    let all = everybody(call, wished);
    call.page("/api/v2/users", all)
}

/// `POST /api/v2/users/search`: users whose name or e-mail address has the value of any criterion in it.
pub(super) fn search(call: &mut Call) -> Answer {
    let body = fields::object(call.body)?;
    let mut f = Fields::of(&body);
    let criteria = if f.at("query").is_some() { f.list("query") } else { &[] };
    f.done()?;
    let words: Vec<String> =
        criteria.iter().filter_map(|c| c["value"].as_str()).map(|v| v.trim().to_lowercase()).collect();
    let fits = |u: &super::User| {
        words.is_empty()
            || words.iter().any(|w| u.name.to_lowercase().contains(w) || u.email.to_lowercase().contains(w))
    };
    let results = everybody(call, fits);
    ok(&json!({
        "total": results.len(), "pageCount": 1, "pageSize": 25, "pageNumber": 1, "types": ["users"],
        "results": results,
    }))
}

/// `GET /api/v2/users/{id}/routingstatus`.
pub(super) fn routing_status(call: &mut Call) -> Answer {
    let named = call.user_of_path()?;
    ok(&routing_of(&call.state.platform, named))
}

/// `PUT /api/v2/users/{id}/routingstatus`: back to work after a missed alert.
pub(super) fn set_routing_status(call: &mut Call) -> Answer {
    let me = call.myself_in_path()?;
    let body = fields::object(call.body)?;
    let mut f = Fields::of(&body);
    let word = f.text("status").to_ascii_uppercase();
    f.done()?;
    let on_queue = call.state.platform.at(me).is_some_and(super::User::is_on_queue);
    let wished = match word.as_str() {
        "IDLE" if on_queue => Routing::Idle,
        "IDLE" => return Err(no(409, "conflict", "The user is not on queue: its presence must be On Queue first")),
        "OFF_QUEUE" => Routing::OffQueue,
        "INTERACTING" | "COMMUNICATING" | "NOT_RESPONDING" => {
            return Err(fields::wrong("status", &format!("“{word}” is set by the platform only")));
        }
        other => return Err(fields::wrong("status", &format!("{} is not a routing status", fields::told(other)))),
    };
    presence::set_routing(call.state, me, wished, call.now);
    routing::settle(call.state, Some(me), call.now);
    ok(&routing_of(&call.state.platform, me))
}
