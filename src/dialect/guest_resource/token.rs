//! The guest's token: what is checked before it is used, what is kept of it for the next start, and what is known of it
//! when a handshake fails.

use serde::{Deserialize, Serialize};

use super::*;
use crate::dialect::jwt::Jwt;
use crate::model::Wall;

/// What is kept between two runs.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptSession {
    pub guest_id: String,
    pub session_id: String,
    pub guest_token: String,
    pub created_at: Wall,
    pub expires_at: Wall,
}

impl GuestResource {
    pub(super) fn resume(&mut self, at: At, kept: KeptSession, out: &mut Vec<Action>) {
        let left = kept.expires_at.micros_since(at.server);
        let least = self.flow().resume_secs;
        if left < secs_micros(least) {
            let left = left.max(0) / 1_000_000;
            let why = format!("the kept session's token has {left} s left, less than {least} s: a new guest");
            self.shell.remark(at, &why, out);
            out.push(Action::Keep { key: KEPT, value: None });
            return self.create(at, out);
        }
        self.shell.remark(at, "the kept session is resumed", out);
        self.guest = kept.guest_id;
        self.session = kept.session_id;
        self.token.take(at, &kept.guest_token, Some(kept.expires_at), false, "the keyring", out);
        self.tell_ids(out);
        self.open(at, out);
    }

    /// What is known of the guest is of no use any more: connecting anew makes another one.
    pub(super) fn discard(&mut self, out: &mut Vec<Action>) {
        self.token.forget("server", out);
        out.push(Action::Keep { key: KEPT, value: None });
    }

    /// What is known about a handshake that was not answered.
    pub(super) fn handshake_report(&self, at: At, end: &End) -> Report {
        let until = self.token.held().and_then(|h| h.until);
        let token = match until.map(|u| u.micros_since(at.server)) {
            Some(left) if left <= 0 => {
                format!("by the server's clock the token had been dead for {} s", -left / 1_000_000)
            }
            Some(left) => format!("by the server's clock the token had {} s left", left / 1_000_000),
            None => "the token's end is not known".to_owned(),
        };
        let what = format!("The connection ended before the handshake was answered ({}); {token}.", end.sentence());
        Report::new("handshake-refused", "The handshake was not answered", what)
            .remedy("A token that lives points to the network, to a revoked token or to a missing scope webchat:send.")
            .remedy("Connect anew: a new guest gets a new token.")
    }
}

/// Three parts, an end that lies in the future, routing hints.
pub(super) fn check_token(token: &str, server: Wall) -> Result<Wall, String> {
    let parts = token.split('.').count();
    if parts != 3 {
        return Err(format!("guestToken has {parts} parts – a JWT has three"));
    }
    let jwt = Jwt::decode(token)
        .ok_or_else(|| invalid("guestToken", "unreadable", "header and claims are base64url JSON"))?;
    let until = jwt.expires().ok_or_else(|| invalid("guestToken.exp", "missing", "the token must say when it ends"))?;
    let dead = server.micros_since(until);
    if dead >= 0 {
        return Err(invalid("guestToken.exp", until.rfc3339(), &format!("it ended {} s ago", dead / 1_000_000)));
    }
    match jwt.claims.get("routing_hints") {
        None | Some(Value::Null) => Err(invalid("guestToken.routing_hints", "missing", "it must say where to route")),
        Some(Value::Object(map)) if !map.is_empty() => Ok(until),
        Some(Value::Object(_)) => Err(invalid("guestToken.routing_hints", "empty", "it must say where to route")),
        Some(_) => Err(invalid("guestToken.routing_hints", "not an object", "it must say where to route")),
    }
}
