//! Notification sockets: upgrade, heartbeat, ping, subscriptions by frame.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, Request, State as Shares};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::flows::Later;
use super::super::oauth::Client;
use super::super::server::Permit;
use super::super::shared::Shared;
use super::super::socket::{self, Admitted};
use super::super::state::{Peer, State};
use super::super::tokens::Holder;
use super::channels;
use super::{notify, topics};
use crate::model::Now;

/// How much later than its cause the end of a token is told.
const MOMENT: Duration = Duration::from_millis(50);

/// `GET /channels/{id}`, without any authorization: who knows the id may listen.
pub(super) async fn upgrade(
    Shares(shared): Shares<Arc<Shared>>,
    Extension(permit): Extension<Permit>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    socket::accept(&shared, permit, request, |state, now| {
        let channels = &state.platform.channels;
        let number = channels.number(&id).ok_or_else(|| Box::new(StatusCode::NOT_FOUND.into_response()))?;
        match channels::alive(state, number, now) {
            true => Ok(Admitted::Channel(number)),
            false => Err(StatusCode::UNAUTHORIZED.into_response().into()),
        }
    })
}

/// A socket is open.
pub(in crate::sandbox) fn opened(state: &mut State, conn: u32, number: u32) {
    if let Some(channel) = state.platform.channels.at_mut(number) {
        channel.conns.push(conn);
    }
    beat_later(state, conn);
}

fn beat_later(state: &mut State, conn: u32) {
    let every = Duration::from_secs(state.platform.switches.heartbeat_secs.max(1).into());
    // Where there is no room, the heart stops, and the client sees it.
    let _ = state.flows.later(Instant::now() + every, Later::Beat(conn));
}

fn metadata(text: &str) -> String {
    json!({ "topicName": "channel.metadata", "eventBody": { "message": text } }).to_string()
}

/// The number of a connection's channel, if both live.
fn channel_of(state: &State, conn: u32, now: Now) -> Option<u32> {
    match state.conns.get(&conn).filter(|c| !c.closing)?.peer {
        Some(Peer::Channel(number)) if channels::alive(state, number, now) => Some(number),
        _ => None,
    }
}

/// A heartbeat is due. The sockets of a channel that is gone have none.
pub(in crate::sandbox) fn beat(state: &mut State, conn: u32, now: Now) {
    if channel_of(state, conn, now).is_none() {
        return;
    }
    if !state.faults.stop_heartbeats {
        state.post(conn, &metadata("WebSocket Heartbeat"), now);
    }
    beat_later(state, conn);
}

/// Takes in a frame of a client.
pub(in crate::sandbox) fn heard(state: &mut State, conn: u32, text: &[u8], now: Now) {
    let value: Value = serde_json::from_slice(text).unwrap_or_default();
    let word = value["message"].as_str().unwrap_or_default();
    let answer = |result: &str, status: &str, more: Value| {
        let mut all = json!({ "result": result, "status": status });
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
            all.extend(more);
        }
        if let Some(id) = value.get("correlationId") {
            all["correlationId"] = id.clone();
        }
        all.to_string()
    };
    let Some(number) = channel_of(state, conn, now) else {
        let text = answer("404", "failure", json!({ "message": "Channel not found" }));
        return state.post(conn, &text, now);
    };
    let names: Option<Vec<String>> =
        value["topics"].as_array().and_then(|all| all.iter().map(|t| t.as_str().map(str::to_owned)).collect());
    let text = match (word, names) {
        ("ping", _) => metadata("pong"),
        ("subscribe", Some(names)) => match subscribe(state, number, &names) {
            Ok(()) => answer("200", "subscribed", json!({ "topics": names })),
            Err(why) => answer("400", "failure", json!({ "message": why })),
        },
        ("unsubscribe", Some(names)) => {
            if let Some(channel) = state.platform.channels.at_mut(number) {
                channel.remove(&names);
            }
            answer("200", "unsubscribed", json!({ "topics": names }))
        }
        ("subscribe" | "unsubscribe", None) => {
            answer("400", "error", json!({ "message": "topics: is missing or not a list of texts" }))
        }
        _ => answer("400", "error", json!({ "message": "Unknown message" })),
    };
    state.post(conn, &text, now);
}

fn subscribe(state: &mut State, number: u32, names: &[String]) -> Result<(), String> {
    let user = state.platform.channels.at(number).and_then(|c| c.user);
    let checked = names.iter().map(|name| {
        let all = topics::check(state, user, name);
        all.map(|all| (name.clone(), all)).map_err(|why| format!("Topic {name}: {}", why.text()))
    });
    let good = checked.collect::<Result<Vec<_>, _>>()?;
    let added = state.platform.channels.at_mut(number).is_some_and(|c| c.add(good));
    if added { Ok(()) } else { Err(format!("A channel has at most {} topics", channels::TOPICS)) }
}

/// What the system tells of a channel, as the body of a notice. None where there is no such channel.
fn about(state: &State, number: u32, kind: &str, more: &Value) -> Option<(String, Value)> {
    let p = &state.platform;
    let (_, id, channel) = p.channels.iter().find(|(n, ..)| *n == number)?;
    let client = match channel.client {
        Client::Public => &state.me.pkce_client_id,
        Client::WithSecret => &state.me.client_id,
    };
    let user = channel.user.and_then(|n| p.at(n)).map(|u| u.id.as_str());
    let mut body = json!({
        "channelId": id, "systemTopicType": kind, "organizationId": state.me.organization_id, "userId": user,
        "oauthClientId": client,
    });
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    Some((format!("v2.system.{kind}.{id}"), body))
}

/// Tells the sockets of a channel what became of it.
pub(super) fn notice(state: &mut State, number: u32, kind: &str, more: &Value, now: Now) {
    let Some((topic, body)) = about(state, number, kind, more) else { return };
    let conns = state.platform.channels.at(number).map(|c| c.conns.clone()).unwrap_or_default();
    system(state, &conns, &topic, &body, now);
}

/// A notice of the system to the sockets of some channels.
pub(super) fn system(state: &mut State, conns: &[u32], topic: &str, body: &Value, now: Now) {
    let text = notify::frame(topic, &body.to_string());
    for conn in conns {
        state.post(*conn, &text, now);
    }
}

/// Closes a socket at `due`, or now where there is no room.
pub(super) fn close_later(state: &mut State, due: Instant, conn: u32, (code, why): (u16, &'static str), now: Now) {
    if !state.flows.later(due, Later::Close(conn, code, why)) {
        state.close_conn(conn, code, why, now);
    }
}

/// A user's token was revoked: its channels are told and gone. Assumed: a moment later than whoever did it.
pub(in crate::sandbox) fn token_revoked(state: &mut State, holder: Holder, value: &str, now: Now) {
    if !matches!(holder, Holder::User(_)) {
        return;
    }
    let channels = state.platform.channels.iter().filter(|(.., c)| &*c.token == value);
    let gone: Vec<(u32, Vec<u32>)> = channels.map(|(n, _, c)| (n, c.conns.clone())).collect();
    let more = json!({ "reason": "user_tokens_revoked", "message": "The access token of this channel was revoked" });
    for (number, conns) in gone {
        let Some((topic, body)) = about(state, number, "token_revoked", &more) else { continue };
        let text = notify::frame(&topic, &body.to_string());
        let due = Instant::now() + MOMENT;
        for conn in conns {
            if !state.flows.later(due, Later::Frame(conn, text.clone())) {
                state.post(conn, &text, now);
            }
            close_later(state, due, conn, (1000, "Token was revoked"), now);
        }
        // Kept: an upgrade is answered with 401, not 404.
        if let Some(channel) = state.platform.channels.at_mut(number) {
            channel.conns.clear();
        }
    }
}
