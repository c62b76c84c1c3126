//! A request of an agent: who asks, how often, with which permissions.

use std::sync::Arc;

use axum::extract::{RawPathParams, RawQuery, State as Shares};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, on};
use bytes::Bytes;
use serde_json::{Value, json};

use super::super::api;
use super::super::flows::{Answer, No, fields};
use super::super::oauth::Client;
use super::super::server;
use super::super::shared::Shared;
use super::super::state::State;
use super::super::tokens::Holder;
use super::presence;
use crate::model::Now;

/// Largest page, as the vendor's own lists have it.
const PAGE: usize = 100;

/// A request whose token is good.
pub(super) struct Call<'a> {
    pub(super) state: &'a mut State,
    pub(super) now: Now,
    /// None for the client itself, which has nobody behind it.
    pub(super) user: Option<u32>,
    pub(super) token: Arc<str>,
    pub(super) client: Client,
    path: Vec<(String, String)>,
    query: Vec<(String, String)>,
    pub(super) body: &'a [u8],
}

pub(super) type Deed = fn(&mut Call) -> Answer;

/// A route for one method: checks the token, counts the request, does it.
pub(super) fn call(method: MethodFilter, deed: Deed) -> MethodRouter<Arc<Shared>> {
    on(
        method,
        move |Shares(shared): Shares<Arc<Shared>>,
              params: RawPathParams,
              RawQuery(query): RawQuery,
              headers: HeaderMap,
              body: Bytes| async move {
            let path = params.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            let query = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
            shared.act(|state, now| {
                let bearer = match api::bearer(state, &headers, now) {
                    Ok(bearer) => bearer,
                    Err(no) => return *no,
                };
                let user = match bearer.holder {
                    Holder::User(n) => Some(n),
                    Holder::Client => None,
                    _ => return api::error(403, "not.authorized", "A guest's token may not do this"),
                };
                if let Some(n) = user {
                    presence::seen(state, n, now);
                }
                let token = Arc::from(bearer.value.as_str());
                let client = bearer.client;
                let mut call = Call { state, now, user, token, client, path, query, body: &body };
                let response = deed(&mut call).unwrap_or_else(|no| *no);
                api::rated(response, bearer.level)
            })
        },
    )
}

impl Call<'_> {
    /// The user who asks.
    pub(super) fn me(&self) -> Result<u32, No> {
        self.user.ok_or_else(|| {
            let text = "This request requires a user context. Client credentials cannot be used for requests to this \
                        resource.";
            api::error(400, "bad.request", text).into()
        })
    }

    /// Refuses with 403 where the user has none of these permissions. A client has its role's, which are all.
    pub(super) fn need(&self, any_of: &[&str]) -> Result<(), No> {
        let lacks = |n| !any_of.iter().any(|p| self.state.sign_ins.may(n, p));
        if self.user.is_some_and(lacks) { Err(lacking(any_of)) } else { Ok(()) }
    }

    /// Part of the path.
    pub(super) fn part(&self, name: &str) -> &str {
        self.path.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str()).unwrap_or_default()
    }

    /// First value of a query's member.
    pub(super) fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// True where a list in the query has the word: `expand=a&expand=b` or `expand=a,b`.
    pub(super) fn lists(&self, name: &str, word: &str) -> bool {
        self.query.iter().filter(|(k, _)| k == name).any(|(_, v)| v.split(',').any(|w| w.trim() == word))
    }

    /// One page of a list, in the vendor's form.
    pub(super) fn page(&self, path: &str, all: Vec<Value>) -> Answer {
        let number = |name: &str, default: usize, most: usize| match self.asked(name) {
            None => Ok(default),
            Some(text) => text.parse::<usize>().ok().filter(|n| (1..=most).contains(n)).ok_or_else(|| {
                let text = format!("{name} must be a number from 1 to {most}");
                No::from(api::error(400, "invalid.value", &text))
            }),
        };
        let (size, page) = (number("pageSize", 25, PAGE)?, number("pageNumber", 1, 1_000_000)?);
        let total = all.len();
        let entities: Vec<Value> = all.into_iter().skip((page - 1) * size).take(size).collect();
        ok(&json!({
            "entities": entities, "pageSize": size, "pageNumber": page, "total": total,
            "pageCount": total.div_ceil(size),
            "selfUri": format!("{path}?pageSize={size}&pageNumber={page}"),
        }))
    }
}

pub(super) fn ok(body: &Value) -> Answer {
    Ok(server::json(StatusCode::OK, body))
}

/// 202, as for what goes on behind the answer; no body.
pub(super) fn accepted() -> Answer {
    Ok(StatusCode::ACCEPTED.into_response())
}

pub(super) fn no(status: u16, code: &str, text: &str) -> No {
    api::error(status, code, text).into()
}

pub(super) fn not_found(what: &str, id: &str) -> No {
    no(404, "not.found", &format!("{what} {} not found", fields::told(id)))
}

fn lacking(any_of: &[&str]) -> No {
    let names = format!("[{}]", any_of.join(", "));
    let (code, text) = match any_of {
        [_] => (
            "missing.permissions",
            format!("Unable to perform the requested action. You are missing the following permission(s): {names}"),
        ),
        _ => (
            "missing.any.permissions",
            format!(
                "Unable to perform the requested action. You must have at least one of the following permissions assigned: {names}"
            ),
        ),
    };
    api::told(403, code, &text, json!({ "messageParams": { "permissions": names } })).into()
}
