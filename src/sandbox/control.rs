//! Orders and status over REST.

use std::sync::Arc;

use axum::extract::State as Shares;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::json;

use super::obey::obey;
use super::order::Order;
use super::server;
use super::shared::Shared;
use super::status::Status;

pub(super) async fn status(Shares(shared): Shares<Arc<Shared>>) -> Response {
    server::json(StatusCode::OK, &shared.act(|state, now| Status::of(state, now)))
}

/// Wants a JSON content type: a form of a foreign page cannot send that without asking first.
pub(super) async fn order(Shares(shared): Shares<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    let refuse = |status, text: &str| server::json(status, &json!({ "error": text }));
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "An order needs the content type application/json.");
    }
    let order = match Order::parse(&body) {
        Ok(order) => order,
        Err(why) => return refuse(StatusCode::BAD_REQUEST, &why),
    };
    let done = shared.act(|state, now| obey(state, order, now).map(|()| Status::of(state, now)));
    match done {
        Ok(status) => server::json(StatusCode::OK, &status),
        Err(why) => refuse(StatusCode::BAD_REQUEST, &why),
    }
}
