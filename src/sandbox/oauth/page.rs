//! The authorization page. It runs no script, is never framed or kept, and shows nothing unescaped.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::super::platform::User;
use super::Client;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:30rem;margin:4rem auto;padding:0 1rem;\
background:#f6f7f9;color:#1d2430}main{background:#fff;border:1px solid #d5dae2;border-radius:8px;padding:1.5rem}\
h1{font-size:1.25rem;margin:0 0 .5rem}p{margin:.5rem 0;overflow-wrap:anywhere}form{margin:.5rem 0}\
button{font:inherit;width:100%;padding:.6rem 1rem;text-align:left;border:1px solid #b9c1cd;border-radius:6px;\
background:#fff;color:inherit;cursor:pointer}button:hover,button:focus{border-color:#2b62d9;outline:none}\
.hint{border-color:#2b62d9;font-weight:600}.quiet{color:#5b6675;font-size:.9rem}\
@media(prefers-color-scheme:dark){body{background:#14181f;color:#e4e8ee}main,button{background:#1d232c;\
border-color:#3a4452}.quiet{color:#a2adbb}}";

/// Who shall sign in? The hinted user comes first.
pub(super) fn who(ticket: &str, users: &[User], hint: Option<u32>, client: Client, back: &str) -> Response {
    let hint = hint.and_then(|n| usize::try_from(n).ok());
    let mut order: Vec<usize> = (0..users.len()).collect();
    order.sort_by_key(|n| Some(*n) != hint);
    let mut body = String::from("<h1>Sign in to the sandbox</h1>");
    let kind = match client {
        Client::WithSecret => "The client with a secret",
        Client::Public => "The public client",
    };
    let back = escaped(back);
    body.push_str(&format!("<p class=quiet>{kind} asks. The browser goes back to {back}</p>"));
    let form = |value: &str, text: &str, class: &str| {
        let (ticket, value, text) = (escaped(ticket), escaped(value), escaped(text));
        format!(
            "<form method=post action=/oauth/authorize><input type=hidden name=request value=\"{ticket}\">\
             <button name=user value=\"{value}\" class=\"{class}\">{text}</button></form>"
        )
    };
    for n in order {
        let Some(user) = users.get(n) else { continue };
        let class = if Some(n) == hint { "hint" } else { "" };
        body.push_str(&form(&user.id, &format!("Continue as {}", user.name), class));
    }
    body.push_str(&form("", "Deny", ""));
    html(StatusCode::OK, "Sign in to the sandbox", &body)
}

/// Nothing can be done here, and the browser is not sent anywhere.
pub(super) fn trouble(title: &str, text: &str) -> Response {
    let body = format!("<h1>{}</h1><p>{}</p>", escaped(title), escaped(text));
    html(StatusCode::BAD_REQUEST, title, &body)
}

fn html(status: StatusCode, title: &str, body: &str) -> Response {
    let text = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{}</title><style>{STYLE}</style><main>{body}</main></html>\n",
        escaped(title)
    );
    let mut response = (status, text).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        // No `form-action`: browsers hold it against where the answer to the form leads, too.
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With `no-referrer` the form would be posted with the origin “null”, which is kept out.
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
