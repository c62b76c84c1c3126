//! Carries out orders.

use std::time::Duration;

use serde_json::Value;

use super::frame::Entity;
use super::order::Order;
use super::partner;
use super::state::{State, Stop};
use crate::model::{Now, Wall};

/// Does what was ordered, or says which field stands in the way.
pub(super) fn obey(state: &mut State, order: Order, now: Now) -> Result<(), String> {
    order.check()?;
    let f = &mut state.faults;
    match order {
        Order::Reset => state.reset(now),
        Order::ExpireToken { token, in_seconds } => {
            if state.tokens.expire(&token, later(in_seconds, now)) == 0 {
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
            let id = newest(state, session.as_deref())?;
            let text = match frame {
                Value::String(raw) => raw,
                value => value.to_string(),
            };
            state.broadcast(id, &text, now);
        }
        Order::Say { session, text } => {
            let id = newest(state, session.as_deref())?;
            partner::say(state, id, &text, Entity::Human, now);
        }
        Order::Typing { session } => {
            let id = newest(state, session.as_deref())?;
            state.push_typing(id, now);
        }
        Order::Disconnect { session, read_only } => {
            let id = newest(state, session.as_deref())?;
            state.push_disconnect(id, read_only, now);
        }
        Order::RefuseUpgrades { count, status } => {
            f.refuse_upgrades = count;
            f.upgrade_status = status;
        }
        Order::RefuseRequests { count, status, retry_after } => {
            f.refuse_requests = count;
            f.request_status = status;
            f.request_retry_after = retry_after;
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
    }
    Ok(())
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
        Some(_) => Ok(state.conns_of(newest(state, session)?)),
        None => Ok(state.conns.keys().copied().collect()),
    }
}
