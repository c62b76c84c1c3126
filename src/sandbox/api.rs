//! The platform's REST services: who may call them, the guest's history, and the form of errors.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State as Shares};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::attach;
use super::faults::Refusal;
use super::flows::Scopes;
use super::ids;
use super::limits::MINUTE;
use super::oauth::Client;
use super::server;
use super::shared::Shared;
use super::state::State;
use super::tokens::{Holder, Refused, Token};
use crate::model::Now;

/// Header with the id of an answer, on every answer of the API.
pub(super) const CORRELATION: &str = "inin-correlation-id";
/// Largest page of the history. Assumed: no source names one.
const PAGE: usize = 500;

/// What is wrong with a field.
pub(super) struct Fault {
    pub(super) field: String,
    pub(super) text: String,
}

/// An error in the platform's form. Its `contextId` is the correlation id.
pub(super) fn error(status: u16, code: &str, message: &str) -> Response {
    detailed(status, code, message, &[])
}

/// A 400 for these faults: the first in the message, all in the details.
pub(super) fn faulty(code: &str, faults: &[Fault]) -> Response {
    let message = faults.first().map(|f| format!("{}: {}", f.field, f.text)).unwrap_or_default();
    let details: Vec<Value> = faults
        .iter()
        .map(|f| json!({ "errorCode": code, "fieldName": f.field, "message": format!("{}: {}", f.field, f.text) }))
        .collect();
    detailed(400, code, &message, &details)
}

/// As [`faulty`], for values that no rule allows.
pub(super) fn invalid(faults: &[Fault]) -> Response {
    faulty("invalid.value", faults)
}

fn detailed(status: u16, code: &str, message: &str, details: &[Value]) -> Response {
    told(status, code, message, json!({ "details": details }))
}

/// As [`error`], with more members.
pub(super) fn told(status: u16, code: &str, message: &str, more: Value) -> Response {
    let context = ids::uuid();
    let mut body = json!({
        "message": message, "code": code, "status": status, "contextId": context, "details": [], "errors": [],
    });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    let mut response = server::json(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), &body);
    if let Ok(id) = HeaderValue::from_str(&context) {
        response.headers_mut().insert(CORRELATION, id);
    }
    response
}

pub(super) fn too_many(limit: u32, wait: u32) -> Response {
    let text = format!("Rate limit exceeded the maximum [{limit}] requests within [60] seconds");
    let more = json!({ "limit": { "key": "token.rate.per.minute", "namespace": "platform.api", "value": limit } });
    let mut response = told(429, "too.many.requests", &text, more);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
    response
}

pub(super) async fn not_found() -> Response {
    error(404, "not.found", "The requested resource was not found")
}

pub(super) async fn not_allowed() -> Response {
    error(405, "method.not.allowed", "The method is not allowed for this resource")
}

/// A refusal that was ordered.
pub(super) fn ordered(refusal: Refusal) -> Response {
    let Refusal { status, retry_after, text, .. } = refusal;
    let code = match status {
        401 => "bad.credentials",
        403 => "not.authorized",
        429 => "too.many.requests",
        503 => "service.unavailable",
        504 => "request.timeout",
        400..500 => "bad.request",
        _ => "internal.server.error",
    };
    let mut response = error(status, code, text.as_deref().unwrap_or("Refused by order"));
    if let Some(wait) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
    }
    response
}

/// The token of a request and how it stands with its rate.
pub(super) struct Bearer {
    pub(super) value: String,
    pub(super) holder: Holder,
    /// Through which it was got.
    pub(super) client: Client,
    pub(super) scopes: Scopes,
    /// Requests so far in its window, seconds until the window moves on, and how many are allowed.
    pub(super) level: (usize, u32, u32),
}

/// The token that a request bears.
pub(super) fn bearer_value(headers: &HeaderMap) -> Option<String> {
    let (scheme, value) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| value.trim().to_owned()).filter(|v| !v.is_empty())
}

/// Checks the bearer token and counts the request; the error is the whole answer.
pub(super) fn bearer(state: &mut State, headers: &HeaderMap, now: Now) -> Result<Bearer, Box<Response>> {
    let value = bearer_value(headers);
    let limit = state.limits.requests_per_token_minute;
    let token = authenticate(state, value.as_deref(), now)?;
    if let Err(wait) = token.requests.take(limit, MINUTE, now.mono) {
        let (count, reset) = token.requests.level(MINUTE, now.mono);
        return Err(Box::new(rated(too_many(limit, wait), (count, reset, limit))));
    }
    let (count, reset) = token.requests.level(MINUTE, now.mono);
    let level = (count, reset, limit);
    Ok(Bearer {
        holder: token.holder,
        client: token.client,
        scopes: token.scopes,
        level,
        value: value.unwrap_or_default(),
    })
}

/// The live token with this value; the error is the whole answer.
pub(super) fn authenticate<'a>(
    state: &'a mut State,
    value: Option<&str>,
    now: Now,
) -> Result<&'a mut Token, Box<Response>> {
    let Some(value) = value else {
        let text = "No authentication bearer token specified in authorization header.";
        return Err(Box::new(error(401, "authentication.required", text)));
    };
    match state.tokens.check(value, now) {
        Ok(token) => Ok(token),
        Err(Refused::Expired) => Err(Box::new(error(401, "credentials.expired", "The supplied token has expired"))),
        Err(Refused::Unknown) => Err(Box::new(error(401, "bad.credentials", "Invalid login credentials."))),
    }
}

/// Adds the rate headers to an answer.
pub(super) fn rated(mut response: Response, level: (usize, u32, u32)) -> Response {
    let headers = response.headers_mut();
    headers.insert("inin-ratelimit-count", HeaderValue::from(level.0));
    headers.insert("inin-ratelimit-allowed", HeaderValue::from(level.2));
    headers.insert("inin-ratelimit-reset", HeaderValue::from(level.1));
    response
}

/// `GET /api/v2/webmessaging/messages`: what was said in the session of a JWT, newest first.
pub(super) async fn history(
    Shares(shared): Shares<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    shared.act(|state, now| {
        let bearer = match bearer(state, &headers, now) {
            Ok(bearer) => bearer,
            Err(response) => return *response,
        };
        let Holder::Guest(id) = bearer.holder else {
            return error(403, "not.authorized", "Only a guest's token may do this");
        };
        let number = |name: &str, default: usize, most: usize| match query.get(name) {
            None => Ok(default),
            Some(text) => text
                .parse::<usize>()
                .ok()
                .filter(|n| (1..=most).contains(n))
                .ok_or_else(|| format!("{name} must be a number from 1 to {most}")),
        };
        let (size, page) = match (number("pageSize", 25, PAGE), number("pageNumber", 1, 1_000_000)) {
            (Ok(size), Ok(page)) => (size, page),
            (Err(why), _) | (_, Err(why)) => return error(400, "invalid.value", &why),
        };
        let limit = state.limits.history_per_minute;
        let Some(session) = state.sessions.get_mut(&id) else {
            return error(404, "not.found", "The session of this token is gone");
        };
        if let Err(wait) = session.history_calls.take(limit, MINUTE, now.mono) {
            return too_many(limit, wait);
        }
        let total = session.history.len();
        let chosen: Vec<_> = session.history.iter().rev().skip((page - 1) * size).take(size).cloned().collect();
        let entities: Vec<Value> =
            chosen.iter().map(|m| entity(state, id, serde_json::to_value(m).unwrap_or_default(), now)).collect();
        let body = json!({
            "entities": entities, "pageSize": size, "pageNumber": page,
            "total": total, "pageCount": total.div_ceil(size),
        });
        rated(server::json(StatusCode::OK, &body), bearer.level)
    })
}

/// A message as the history has it: with a content, and with fresh links to its files.
fn entity(state: &mut State, session: u32, mut message: Value, now: Now) -> Value {
    if message.get("content").is_none() {
        message["content"] = json!([]);
    }
    for part in message["content"].as_array_mut().into_iter().flatten() {
        if part["contentType"] != "Attachment" {
            continue;
        }
        if let Some(id) = part["attachment"]["id"].as_str().map(str::to_owned) {
            *part = attach::content(state, session, &id, now);
        }
    }
    message
}
