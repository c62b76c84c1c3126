//! The guest's socket: what each action does. Messages are in `speech`, files in `attach`.
//!
//! Assumed, since the sources do not say: neither a configure nor an `echo` puts the end of a session off; an expired
//! session is configured again only with `startNew`; an unknown deployment gets 404; events do not count as messages
//! towards the rate of a session; typing is sent back like everything else that a guest says; `startNew` on a live
//! session clears it and closes its other connections.

use serde_json::Value;

use super::attach;
use super::frame::{self, Envelope};
use super::limits::{MINUTE, SECOND, Window};
use super::members;
use super::platform;
use super::request::{self, Common};
use super::speech;
use super::state::State;
use crate::model::Now;

/// Why a request is not done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum No {
    /// Code and text of a `string` frame.
    Error(u16, String),
    /// Seconds until it would be done, and what was too much.
    TooMany(u32, &'static str),
    /// The session is over.
    Expired,
    /// An error about an attachment, in the form that the client asked for.
    Url { id: String, code: u16, text: String, json: bool },
}

impl No {
    pub(super) fn missing(name: &str) -> Self {
        Self::Error(4020, format!("Missing parameter: {name}"))
    }

    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::Error(400, text.into())
    }
}

/// A request with its sender.
pub(super) struct Request<'a> {
    pub(super) conn: u32,
    pub(super) token: Option<&'a str>,
    pub(super) tracing_id: Option<&'a str>,
    pub(super) value: &'a Value,
    pub(super) now: Now,
}

/// Takes in one message of a client and sends what answers it. The connection stays, whatever it is.
pub(super) fn take(state: &mut State, conn: u32, text: &[u8], now: Now) {
    let value: Value = match serde_json::from_slice(text) {
        Ok(value @ Value::Object(_)) => value,
        Ok(_) => return state.post(conn, &frame::error(400, "Request is not a JSON object", None), now),
        Err(e) => return state.post(conn, &frame::error(400, &format!("Request is not JSON: {e}"), None), now),
    };
    let common: Common = match request::read(&value) {
        Ok(common) => common,
        Err(text) => {
            let tracing_id = value.get("tracingId").and_then(Value::as_str);
            return state.post(conn, &frame::error(400, &text, tracing_id), now);
        }
    };
    let tracing_id = common.tracing_id.as_deref();
    let request = Request { conn, token: common.token.as_deref(), tracing_id, value: &value, now };
    let text = match act(state, common.action.as_deref(), &request) {
        Ok(()) => return,
        Err(No::Error(code, text)) => frame::error(code, &text, tracing_id),
        Err(No::TooMany(wait, what)) => frame::too_many(wait, what, tracing_id),
        Err(No::Expired) => frame::error(4006, "Session has expired", tracing_id),
        Err(No::Url { id, code, text, json: true }) => frame::url_error(&id, code, &text, tracing_id),
        Err(No::Url { code, text, .. }) => frame::error(code, &text, tracing_id),
    };
    state.post(conn, &text, now);
}

fn act(state: &mut State, action: Option<&str>, r: &Request) -> Result<(), No> {
    let limit = state.limits.requests_per_minute;
    let Some(conn) = state.conns.get_mut(&r.conn) else { return Ok(()) };
    conn.requests
        .take(limit, MINUTE, r.now.mono)
        .map_err(|wait| No::TooMany(wait, "Request rate too high for this connection"))?;
    match action {
        None => Err(No::missing("action")),
        Some("configureSession") => configure(state, r),
        Some("onMessage") => speech::take(state, r),
        Some("echo") => echo(state, r),
        Some("getJwt") => jwt(state, r),
        Some("getConfiguration") => configuration(state, r),
        Some("onAttachment") => attach::announce(state, r),
        Some("getAttachment") => attach::refresh(state, r),
        Some("deleteAttachment") => attach::delete(state, r),
        Some("closeSession") => close(state, r),
        Some("configureAuthenticatedSession") => members::configure(state, r),
        Some(other) => Err(No::bad(format!("Unknown action: {other}"))),
    }
}

/// The session that this connection has configured, if it still lives and the token is its own.
pub(super) fn session_of(state: &State, r: &Request) -> Result<u32, No> {
    let Some(token) = r.token.filter(|t| !t.is_empty()) else { return Err(No::missing("token")) };
    let own = state.conns.get(&r.conn).and_then(|c| c.session);
    let gone = || No::Error(4007, "session not found".to_owned());
    let id = own.ok_or_else(gone)?;
    let session = state.sessions.get(&id).ok_or_else(gone)?;
    if session.token.expose() != token {
        return Err(gone());
    }
    if session.expired {
        return Err(No::Expired);
    }
    Ok(id)
}

pub(super) fn deployment_of(state: &State, given: Option<&str>) -> Result<(), No> {
    match given {
        None | Some("") => Err(No::missing("deploymentId")),
        Some(id) if id == state.me.deployment_id && state.deployment.active => Ok(()),
        Some(_) => Err(No::Error(404, "Deployment not found or not active".to_owned())),
    }
}

fn configure(state: &mut State, r: &Request) -> Result<(), No> {
    let want: request::Configure = request::read(r.value).map_err(No::bad)?;
    let token = token_of(r)?;
    let known = state.find_session(token);
    if let Some(id) = known {
        count_configure(state, id, r.now)?;
    }
    if let Some(session) = known.and_then(|id| state.sessions.get(&id))
        && want.deployment_id.as_deref().is_some_and(|d| !d.is_empty() && d != session.deployment_id)
    {
        return Err(No::bad("The token belongs to a session of another deployment than deploymentId names"));
    }
    deployment_of(state, want.deployment_id.as_deref())?;
    if known.and_then(|id| state.sessions.get(&id)).is_some_and(|s| s.member.is_some()) {
        let text = "Cannot downgrade an authenticated session to a guest session";
        return Err(No::Error(4017, text.to_owned()));
    }
    let start_new = want.start_new.unwrap_or(false);
    let mut cleared = false;
    let (id, new_session) = match known {
        Some(id) if !start_new => {
            if state.sessions.get(&id).is_some_and(|s| s.expired) {
                return Err(No::Expired);
            }
            (id, false)
        }
        known => {
            let mut configures = Window::default();
            if let Some(id) = known {
                cleared = replace(state, id, r, &mut configures);
            } else {
                // The first one counts, too.
                let _ = configures.take(state.limits.configures_per_minute, MINUTE, r.now.mono);
            }
            let deployment = want.deployment_id.unwrap_or_default();
            (state.open_session(token, &deployment, configures, r.now), true)
        }
    };
    configured(state, id, new_session, cleared, r);
    Ok(())
}

/// The token that every configure needs.
pub(super) fn token_of<'a>(r: &Request<'a>) -> Result<&'a str, No> {
    let token = r.token.filter(|t| !t.is_empty()).ok_or_else(|| No::missing("token"))?;
    if token.len() > 256 {
        return Err(No::bad("token is longer than 256 bytes"));
    }
    Ok(token)
}

/// Counts a configure against the session's rate.
pub(super) fn count_configure(state: &mut State, id: u32, now: Now) -> Result<(), No> {
    let limit = state.limits.configures_per_minute;
    let Some(session) = state.sessions.get_mut(&id) else { return Ok(()) };
    session
        .configures
        .take(limit, MINUTE, now.mono)
        .map_err(|wait| No::TooMany(wait, "Configure rate too high for this session"))
}

/// Makes the connection one of the session's, and answers.
pub(super) fn configured(state: &mut State, id: u32, new_session: bool, cleared: bool, r: &Request) {
    attach_conn(state, r.conn, id, r.now);
    let Some(session) = state.sessions.get(&id) else { return };
    let body = frame::SessionResponse {
        connected: true,
        new_session,
        read_only: session.read_only,
        max_custom_data_bytes: state.limits.attribute_bytes,
        allowed_media: state.deployment.media(),
        blocked_extensions: state.deployment.blocked_extensions.clone(),
        cleared_existing_session: cleared,
        duration_seconds: state.deployment.session_secs,
        expiration_date: state.told_secs(session.ends()),
    };
    state.post_kind(r.conn, &frame::response("SessionResponse", body, r.tracing_id), true, r.now);
}

/// Ends a session whose token starts anew. True where it was alive. Its other connections are told and closed.
pub(super) fn replace(state: &mut State, id: u32, r: &Request, configures: &mut Window) -> bool {
    let Some(session) = state.sessions.get_mut(&id) else { return false };
    *configures = std::mem::take(&mut session.configures);
    let alive = !session.expired && !session.read_only && !session.closed;
    close_others(state, id, r);
    platform::left(state, id, "client", r.now);
    state.forget_session(id);
    alive
}

fn close_others(state: &mut State, id: u32, r: &Request) {
    for conn in state.conns_of(id) {
        if conn != r.conn {
            state.post(conn, &frame::connection_closed(), r.now);
            state.close_conn(conn, 1000, "Session was closed", r.now);
        }
    }
}

/// Makes a connection one of a session's. One too many closes the oldest.
fn attach_conn(state: &mut State, conn: u32, id: u32, now: Now) {
    if state.conns.get(&conn).is_some_and(|c| c.session == Some(id)) {
        return;
    }
    state.detach(conn);
    let most = state.limits.connections_per_session.max(1) as usize;
    let conns = state.conns_of(id);
    for oldest in conns.iter().take((conns.len() + 1).saturating_sub(most)) {
        state.post(*oldest, &frame::connection_closed(), now);
        state.close_conn(*oldest, 1000, "Too many connections of one session", now);
    }
    if let Some(c) = state.conns.get_mut(&conn) {
        c.session = Some(id);
    }
    if let Some(s) = state.sessions.get_mut(&id) {
        s.conns.push(conn);
    }
}

fn echo(state: &mut State, r: &Request) -> Result<(), No> {
    let id = match session_of(state, r) {
        Err(No::Expired) => {
            state.post(r.conn, &frame::session_expired(Envelope::Response, r.tracing_id), r.now);
            return Ok(());
        }
        other => other?,
    };
    let limit = state.limits.echoes_per_minute;
    if let Some(conn) = state.conns.get_mut(&r.conn) {
        conn.echoes
            .take(limit, MINUTE, r.now.mono)
            .map_err(|wait| No::TooMany(wait, "Health check rate too high for this connection"))?;
    }
    let want: request::Send = request::read(r.value).map_err(No::bad)?;
    let Some(message) = want.message else { return Err(No::missing("message")) };
    let Some(session) = state.sessions.get(&id) else { return Ok(()) };
    let body = frame::Structured {
        id: "echo_id".to_owned(),
        kind: "Text".to_owned(),
        text: message.text,
        direction: frame::Way::Inbound,
        originating_entity: None,
        channel: None,
        content: None,
        events: None,
        metadata: Some(
            [
                ("durationSeconds".to_owned(), state.deployment.session_secs.to_string()),
                ("expirationDate".to_owned(), state.told_secs(session.ends()).to_string()),
            ]
            .into(),
        ),
    };
    state.post(r.conn, &frame::response("StructuredMessage", body, r.tracing_id), r.now);
    Ok(())
}

fn jwt(state: &mut State, r: &Request) -> Result<(), No> {
    let id = session_of(state, r)?;
    let (jwt, exp) = state.tokens.issue_jwt(id, state.jwt_ttl_secs, state.faults.clock_skew_seconds, r.now);
    let body = serde_json::json!({ "jwt": jwt, "exp": exp });
    state.post(r.conn, &frame::response("JwtResponse", body, r.tracing_id), r.now);
    Ok(())
}

fn configuration(state: &mut State, r: &Request) -> Result<(), No> {
    let want: request::Configure = request::read(r.value).map_err(No::bad)?;
    deployment_of(state, want.deployment_id.as_deref())?;
    let body = state.deployment.configuration(&state.limits);
    state.post(r.conn, &frame::response("GetConfigurationResponse", body, r.tracing_id), r.now);
    Ok(())
}

fn close(state: &mut State, r: &Request) -> Result<(), No> {
    let id = session_of(state, r)?;
    let want: request::Close = request::read(r.value).map_err(No::bad)?;
    let Some(all) = want.close_all_connections else { return Err(No::missing("closeAllConnections")) };
    if let Some(s) = state.sessions.get_mut(&id) {
        s.read_only = true;
        s.closed = true;
    }
    platform::left(state, id, "client", r.now);
    if all {
        close_others(state, id, r);
    }
    let body = frame::SessionClosed { connected: false, new_session: false, read_only: true };
    state.post_kind(r.conn, &frame::response("SessionResponse", body, r.tracing_id), true, r.now);
    state.detach(r.conn);
    Ok(())
}

/// Counts a message against the session's rate.
pub(super) fn count_message(state: &mut State, id: u32, now: Now) -> Result<(), No> {
    let limit = state.limits.messages_per_second;
    match state.sessions.get_mut(&id) {
        Some(s) => s
            .messages
            .take(limit, SECOND, now.mono)
            .map_err(|wait| No::TooMany(wait, "Message rate too high for this session")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use tokio::sync::mpsc;

    use super::*;
    use crate::model::{Mono, Secret, Wall};
    use crate::sandbox::state::{Identity, Item, Out};

    fn state() -> State {
        let me = Identity {
            addr: ([127, 0, 0, 1], 8089).into(),
            secure: false,
            deployment_id: "d1".into(),
            organization_id: "o1".into(),
            client_id: "c1".into(),
            client_secret: Secret::from("x"),
            pkce_client_id: "p1".into(),
            queue_id: "q1".into(),
        };
        State::new(me, 100, 60, 900)
    }

    fn frames(items: &mut mpsc::Receiver<Item>) -> Vec<Value> {
        let mut all = Vec::new();
        while let Ok(item) = items.try_recv() {
            if let Out::Text(text) = item.out {
                all.push(serde_json::from_str(&text).unwrap());
            }
        }
        all
    }

    fn leaf() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z]{0,6}".prop_map(Value::from),
            prop::sample::select(vec!["Text", "Event", "Structured", "Typing", "Presence", "Join", "Clear", "t", "d1"])
                .prop_map(Value::from),
        ]
    }

    /// Values whose members bear the names that the rules look at.
    fn tree() -> impl Strategy<Value = Value> {
        const NAMES: [&str; 14] = [
            "type",
            "text",
            "content",
            "events",
            "eventType",
            "presence",
            "contentType",
            "attachment",
            "id",
            "buttonResponse",
            "channel",
            "metadata",
            "customAttributes",
            "form",
        ];
        leaf().prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(prop::sample::select(NAMES.to_vec()), inner, 0..5)
                    .prop_map(|m| m.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
            ]
        })
    }

    fn request() -> impl Strategy<Value = Value> {
        let actions = vec![
            "configureSession",
            "onMessage",
            "onMessage",
            "onMessage",
            "echo",
            "getJwt",
            "getConfiguration",
            "onAttachment",
            "getAttachment",
            "deleteAttachment",
            "closeSession",
            "resumeToken",
            "",
        ];
        const MEMBERS: [&str; 9] = [
            "message",
            "deploymentId",
            "channel",
            "attachmentId",
            "fileName",
            "fileSize",
            "startNew",
            "closeAllConnections",
            "time",
        ];
        let members = prop::collection::btree_map(prop::sample::select(MEMBERS.to_vec()), tree(), 0..6);
        (prop::sample::select(actions), members).prop_map(|(action, members)| {
            let mut request: serde_json::Map<String, Value> =
                members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
            request.insert("action".into(), action.into());
            request.insert("token".into(), "t".into());
            Value::Object(request)
        })
    }

    proptest! {
        #[test]
        fn whatever_comes_is_answered_and_the_session_goes_on(requests in prop::collection::vec(request(), 1..30)) {
            let mut state = state();
            state.limits.requests_per_minute = 1000;
            state.limits.messages_per_second = 1000;
            let at = |secs: u64| Now { wall: Wall::from_secs(secs as i64), mono: Mono(secs * 1_000_000) };
            let configure = json!({ "action": "configureSession", "deploymentId": "d1", "token": "t", "startNew": true });
            let (mut conn, mut items, _stop) = state.open_conn(None, None, None, at(0));
            take(&mut state, conn, configure.to_string().as_bytes(), at(0));
            prop_assert_eq!(frames(&mut items).len(), 1);
            for (k, mut request) in requests.into_iter().enumerate() {
                request["tracingId"] = k.to_string().into();
                take(&mut state, conn, request.to_string().as_bytes(), at(1));
                let answers = frames(&mut items);
                let own = answers.iter().filter(|f| f["tracingId"] == json!(k.to_string())).count();
                prop_assert_eq!(own, 1, "{} got {:?}", request, answers);
                if state.conns[&conn].closing {
                    // Cleared: a new connection takes its place.
                    (conn, items, _) = state.open_conn(None, None, None, at(1));
                }
                if state.conns[&conn].session.is_none() {
                    take(&mut state, conn, configure.to_string().as_bytes(), at(1));
                    prop_assert_eq!(&frames(&mut items)[0]["code"], 200);
                }
            }
        }

        #[test]
        fn any_bytes_are_answered_by_one_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut state = state();
            let (conn, mut items, _stop) = state.open_conn(None, None, None, Now::default());
            take(&mut state, conn, &bytes, Now::default());
            let answers = frames(&mut items);
            prop_assert_eq!(answers.len(), 1);
            prop_assert_eq!(&answers[0]["class"], "string");
        }
    }
}
