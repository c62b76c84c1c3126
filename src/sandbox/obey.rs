//! Carries out orders.

use std::time::Duration;

use serde_json::Value;

use super::faults::{Refusal, Slow};
use super::flows::{self, Scopes};
use super::frame::Entity;
use super::order::Order;
use super::partner;
use super::platform;
use super::state::{Peer, State, Stop};
use super::tokens::Holder;
use crate::model::{Now, Wall};

/// Refusals, or delays, that may stand side by side.
const LISTED: usize = 16;

/// Does what was ordered, or says which field stands in the way.
pub(super) fn obey(state: &mut State, order: Order, now: Now) -> Result<(), String> {
    order.check()?;
    let f = &mut state.faults;
    match order {
        Order::Reset => state.reset(now),
        Order::ExpireToken { token, in_seconds } => {
            let at = later(in_seconds, now);
            let of_user = state.find_user(&token).map_or(0, |user| state.tokens.expire_held(Holder::User(user), at));
            if of_user + state.tokens.expire(&token, at) == 0 {
                return Err(format!("token: there is none of “{}”", shown(&token)));
            }
        }
        Order::ExpireSession { session, in_seconds } => {
            let at = later(in_seconds, now);
            for id in all(state, session.as_deref())? {
                if let Some(s) = state.sessions.get_mut(&id) {
                    s.doom = Some(at);
                }
            }
        }
        Order::RefuseSends { count, code, text } => {
            f.refuse_sends = count;
            f.refuse_code = code;
            f.refuse_text = text.unwrap_or_else(|| "Refused by order".to_owned());
        }
        Order::RefuseGuestAuth { count, code, text } => {
            f.refuse_guest_auth = count;
            f.guest_auth_code = code;
            f.guest_auth_text = text.unwrap_or_else(|| "Session authentication failed".to_owned());
        }
        Order::RateLimitSends { count, retry_after } => {
            f.rate_limit_sends = count;
            f.retry_after = retry_after;
        }
        Order::Close { session, conn, code, reason } => {
            for id in conns(state, session.as_deref(), conn.as_deref())? {
                state.close_conn(id, code, &reason, now);
            }
        }
        Order::Drop { session, conn } => {
            for id in conns(state, session.as_deref(), conn.as_deref())? {
                state.stop_conn(id, Stop::Now);
            }
        }
        Order::StopPongs { on } => f.stop_pongs = on,
        Order::Stall { on } => {
            f.stall = on;
            state.stalled.send_replace(on);
        }
        Order::Delay { millis } => f.delay_millis = millis,
        Order::Duplicate { count } => f.duplicate = count,
        Order::Reorder { count } => {
            f.reorder = count;
            state.release_held(now);
        }
        Order::SendFrame { session, frame } => {
            let text = match frame {
                Value::String(raw) => raw,
                value => value.to_string(),
            };
            match listener(state, session.as_deref())? {
                Listener::Session(id) => state.broadcast(id, &text, now),
                Listener::Peer(peer) => state.tell(peer, &text, now),
            }
        }
        Order::Say { session: Some(name), .. } | Order::Typing { session: Some(name) } if name.starts_with('n') => {
            return Err(format!("session: nobody talks on a notification channel such as {}", shown(&name)));
        }
        Order::Say { session, text } => match listener(state, session.as_deref())? {
            Listener::Session(id) => partner::say(state, id, &text, Entity::Human, now),
            Listener::Peer(peer) => flows::say(state, peer, &text, now),
        },
        Order::Typing { session } => match listener(state, session.as_deref())? {
            Listener::Session(id) => state.push_typing(id, now),
            Listener::Peer(peer) => flows::typing(state, peer, now),
        },
        Order::Disconnect { session, read_only } => {
            let id = newest(state, session.as_deref())?;
            state.push_disconnect(id, read_only, now);
        }
        Order::RefuseUpgrades { count, status } => {
            f.refuse_upgrades = count;
            f.upgrade_status = status;
        }
        Order::RefuseRequests { count, status, retry_after, path: None, text, after } => {
            f.refuse_requests = count;
            f.request_status = status;
            f.request_retry_after = retry_after;
            f.request_text = text;
            f.request_after = after;
        }
        Order::RefuseRequests { count: 0, path: Some(path), .. } => f.refusals.retain(|r| r.path != path),
        Order::RefuseRequests { count, status, retry_after, path: Some(path), text, after } => {
            room(f.refusals.len())?;
            f.refusals.push(Refusal { path, count, status, retry_after, text, after });
        }
        Order::SlowRequests { count: 0, path, .. } => f.slow.retain(|s| s.path != path),
        Order::SlowRequests { count, millis, before, path } => {
            room(f.slow.len())?;
            f.slow.push(Slow { path, count, millis, before });
        }
        Order::Malformed { count } => f.malformed = count,
        Order::HoldSessionResponse { millis } => f.hold_session_response_millis = millis,
        Order::DropEcho { count } => f.drop_echo = count,
        Order::StaleLinks => state.files.make_stale(),
        Order::RejectUpload { code } => f.reject_upload = code,
        Order::SetDeployment(change) => change.apply(&mut state.deployment),
        Order::SetLimits(change) => change.apply(&mut state.limits),
        Order::ClockSkew { seconds } => f.clock_skew_seconds = seconds,
        Order::PausePartner { on } => f.partner_paused = on,
        Order::SetClient { scopes } => {
            state.flows.client_scopes = Scopes::known(scopes.iter().map(String::as_str));
        }
        Order::SetLifetimes(change) => change.apply(&mut state.flows.lifetimes),
        Order::SetFlows(change) => change.apply(&mut state.flows.switches),
        Order::SpellConversationsId { on } => state.flows.switches.spell_conversations_id = on,
        Order::SetGuestKey { kid, public_key: Some(pem) } => state.flows.keys.set(&kid, &pem)?,
        Order::SetGuestKey { kid, public_key: None } => state.flows.keys.put_back(&kid)?,
        Order::RemoveGuestKey { kid } => state.flows.keys.remove(&kid)?,
        Order::ExpireBeforeCommit { count } => f.expire_before_commit = count,
        Order::RefuseSessionTokensAfter { seconds } => f.refuse_session_tokens_after = seconds,
        Order::BreakHandshakes { count } => f.break_handshakes = count,
        Order::ForgetGuests => state.flows.guests.clear(),
        Order::UseKeys { count } => f.use_keys = count,
        Order::SetQueue { queue, alerting_timeout_ms, wrapup_prompt } => {
            platform::set_queue(state, queue.as_deref(), alerting_timeout_ms, wrapup_prompt)?;
        }
        Order::SetPlatform(change) => change.apply(&mut state.platform.switches),
        Order::SocketClosing { seconds } => platform::socket_closing(state, seconds, now),
        Order::StopHeartbeats { on } => f.stop_heartbeats = on,
        Order::EvictChannel { channel, told } => platform::evict(state, channel.as_deref(), told, now)?,
        Order::RejectTopics { topics } => state.platform.rejected = topics,
        Order::DropNotifications { count } => f.drop_notifications = count,
        Order::ReorderNotifications { count } => {
            f.reorder_notifications = count;
            platform::release(state, now);
        }
        Order::RepeatSnapshots { count } => f.repeat_snapshots = count,
        Order::LateSnapshots { count, millis } => {
            f.late_snapshots = count;
            f.late_millis = millis;
        }
        Order::LoseMessage { count, way } => *f.lose.of(way) = count,
        Order::AlterText { count, way } => *f.alter.of(way) = count,
        Order::DuplicateMessage { count, way } => *f.twice.of(way) = count,
        Order::RevokeUserTokens { user } => {
            let user = user_number(state, &user)?;
            state.revoke_user(user, now);
        }
        Order::DenySignIn { count } => f.deny_sign_in = count,
        Order::SetSignIn(change) => change.apply(&mut state.sign_ins.switches),
        Order::SetPermissions { user, without } => {
            let user = user_number(state, &user)?;
            state.sign_ins.set_lacking(user, without);
        }
    }
    // What was made to end now has ended when the order is answered.
    state.sweep_all(now);
    Ok(())
}

/// Refuses one more of what is listed.
fn room(listed: usize) -> Result<(), String> {
    if listed < LISTED { Ok(()) } else { Err(format!("path: {LISTED} such orders stand already")) }
}

fn user_number(state: &State, name: &str) -> Result<u32, String> {
    state.find_user(name).ok_or_else(|| format!("user: there is no “{}”", shown(name)))
}

fn later(in_seconds: Option<u32>, now: Now) -> Wall {
    now.wall + Duration::from_secs(in_seconds.unwrap_or(0).into())
}

/// Enough of a name to know it again; it may be a secret.
fn shown(name: &str) -> String {
    name.chars().take(12).collect()
}

fn numbered(name: &str, letter: char, field: &str) -> Result<u32, String> {
    name.strip_prefix(letter)
        .and_then(|n| n.parse().ok())
        .ok_or_else(|| format!("{field}: “{}” is not an id such as {letter}1", shown(name)))
}

/// Who hears what is said by order.
enum Listener {
    Session(u32),
    Peer(Peer),
}

/// One session, contact or guest, or the newest that hears anything.
fn listener(state: &State, session: Option<&str>) -> Result<Listener, String> {
    if let Some(name) = session {
        return match peer(state, name)? {
            Some(peer) if state.conns_of_peer(peer).is_empty() => Err(format!("session: {name} has no open socket")),
            Some(peer) => Ok(Listener::Peer(peer)),
            None => newest(state, session).map(Listener::Session),
        };
    }
    let session = state.sessions.keys().next_back().map(|n| (*n, Listener::Session(*n)));
    let contact = state.flows.contacts.iter().next_back().map(|(n, _)| (n, Listener::Peer(Peer::Contact(n))));
    let guest = state.flows.guests.iter().rev().find(|(_, _, g)| !g.conns.is_empty());
    let guest = guest.map(|(n, ..)| (n, Listener::Peer(Peer::Guest(n))));
    let newest = [session, contact, guest].into_iter().flatten().max_by_key(|(n, _)| *n);
    newest.map(|(_, listener)| listener).ok_or_else(|| "session: there is none yet".to_owned())
}

/// The contact, guest or channel of a name such as `x1`, `g2` or `n3`; none for that of a session.
fn peer(state: &State, name: &str) -> Result<Option<Peer>, String> {
    let (peer, known) = match name.chars().next() {
        Some('x') => {
            let id = numbered(name, 'x', "session")?;
            (Peer::Contact(id), state.flows.contacts.at(id).is_some())
        }
        Some('g') => {
            let id = numbered(name, 'g', "session")?;
            (Peer::Guest(id), state.flows.guests.at(id).is_some())
        }
        Some('n') => {
            let id = numbered(name, 'n', "session")?;
            (Peer::Channel(id), state.platform.channels.at(id).is_some())
        }
        _ => return Ok(None),
    };
    if known { Ok(Some(peer)) } else { Err(format!("session: there is no {name}")) }
}

/// One session, or all.
fn all(state: &State, session: Option<&str>) -> Result<Vec<u32>, String> {
    match session {
        Some(_) => Ok(vec![newest(state, session)?]),
        None => Ok(state.sessions.keys().copied().collect()),
    }
}

/// One session, or the newest.
fn newest(state: &State, session: Option<&str>) -> Result<u32, String> {
    match session {
        Some(name) => {
            let id = numbered(name, 's', "session")?;
            state.sessions.contains_key(&id).then_some(id).ok_or_else(|| format!("session: there is no {name}"))
        }
        None => state.sessions.keys().next_back().copied().ok_or_else(|| "session: there is none yet".to_owned()),
    }
}

/// One connection, those of a session, or all.
fn conns(state: &State, session: Option<&str>, conn: Option<&str>) -> Result<Vec<u32>, String> {
    if let Some(name) = conn {
        let id = numbered(name, 'c', "conn")?;
        return match state.conns.contains_key(&id) {
            true => Ok(vec![id]),
            false => Err(format!("conn: there is no {name}")),
        };
    }
    match session {
        Some(name) => Ok(match peer(state, name)? {
            // With those whose handshake is still awaited.
            Some(peer) => state.conns.iter().filter(|(_, c)| c.peer == Some(peer)).map(|(id, _)| *id).collect(),
            None => state.conns_of(newest(state, session)?),
        }),
        None => Ok(state.conns.keys().copied().collect()),
    }
}
