//! Blind transfers, to a queue or a user.
//!
//! Assumed: a user who is neither available nor on queue cannot be transferred to; an address is for other media.

use serde_json::Value;

use super::super::flows::Answer;
use super::super::flows::fields::{self, Fields};
use super::call::{Call, accepted, no, not_found};
use super::conversation::Stage;
use super::{desk, presence, routing};

enum Target {
    Queue(usize),
    User(u32),
}

/// `POST …/participants/{id}/replace`, with a queue or a user in the body.
pub(super) fn replace(call: &mut Call) -> Answer {
    let body = fields::object(call.body)?;
    let mut f = Fields::of(&body);
    let named: Vec<&str> = ["userId", "queueId", "address"].into_iter().filter(|n| f.at(n).is_some()).collect();
    match named[..] {
        ["queueId"] => to_queue_of(call, &body),
        ["userId"] => to_user_of(call, &body),
        ["address"] => Err(no(400, "bad.request", "address: web messages are transferred to queues and users only")),
        _ => {
            f.fault("userId", "exactly one of userId, queueId and address must be there");
            f.done()?;
            accepted()
        }
    }
}

/// `POST …/participants/{id}/replace/queue`.
pub(super) fn to_queue(call: &mut Call) -> Answer {
    let body = fields::object(call.body)?;
    to_queue_of(call, &body)
}

/// `POST …/participants/{id}/replace/agent`.
pub(super) fn to_user(call: &mut Call) -> Answer {
    let body = fields::object(call.body)?;
    to_user_of(call, &body)
}

fn to_queue_of(call: &mut Call, body: &Value) -> Answer {
    let mut f = Fields::of(body);
    let id = f.text("queueId").to_owned();
    f.done()?;
    let queue = call.state.platform.queue(&id).ok_or_else(|| not_found("Queue", &id))?;
    transfer(call, body, Target::Queue(queue))
}

fn to_user_of(call: &mut Call, body: &Value) -> Answer {
    let mut f = Fields::of(body);
    let id = f.text("userId").to_owned();
    f.done()?;
    let p = &call.state.platform;
    let user = p.user(&id).ok_or_else(|| not_found("User", &id))?;
    if call.user == Some(user) {
        return Err(fields::wrong("userId", "the user has the conversation already"));
    }
    let ready = p.at(user).is_some_and(|u| u.presence == presence::AVAILABLE || u.is_on_queue());
    if !ready {
        let text = format!("The user cannot be transferred to: its presence is {}", presence::label(p, user));
        return Err(no(409, "transfer.notavailable", &text));
    }
    transfer(call, body, Target::User(user))
}

fn transfer(call: &mut Call, body: &Value, target: Target) -> Answer {
    call.need(&["conversation:communication:blindTransfer"])?;
    if body["transferType"].as_str().is_some_and(|t| !t.eq_ignore_ascii_case("unattended")) {
        return Err(fields::wrong("transferType", "web messages are transferred unattended only"));
    }
    let (number, place) = desk::own(call)?;
    let stage = desk::of(call, number)?.participants.get(place).map(|p| p.stage);
    match stage {
        Some(Stage::Connected) => {}
        Some(Stage::Alerting) => return Err(no(409, "conflict", "Only a connected participant can transfer")),
        _ => return Err(desk::gone(call, number, place)),
    }
    let now = call.now;
    // The next one first, or the conversation would be over with the last agent.
    match target {
        Target::User(user) => routing::alert(call.state, number, user, None, now),
        Target::Queue(queue) => routing::wait(call.state, number, queue, now),
    }
    desk::leave(call.state, number, place, "transfer", now);
    accepted()
}
