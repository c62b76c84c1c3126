//! Requests and responses as HAR 1.2 has them.
use serde_json::{Value, json};

use super::base64;
use crate::model::record::{Headers, HttpRequest, HttpResponse, Record};

/// The `request` object; `body` is the record that carries the payload.
pub fn request(head: &HttpRequest, record: &Record) -> Value {
    let mut object = json!({
        "method": head.method,
        "url": head.url,
        "httpVersion": version(&head.version),
        "cookies": request_cookies(&head.headers),
        "headers": headers(&head.headers),
        "queryString": query(&head.url),
        "headersSize": -1,
        "bodySize": record.size,
    });
    if record.size > 0 || !record.body.is_empty() {
        let mime = header(&head.headers, "content-type").unwrap_or("application/octet-stream");
        let data = match record.text() {
            Some(text) => json!({ "mimeType": mime, "text": text }),
            // HAR has no encoding here: the bytes stand in the private field.
            None => json!({ "mimeType": mime, "text": "", "comment": "binary, in _sessionscope.requestBase64" }),
        };
        if let Some(o) = object.as_object_mut() {
            o.insert("postData".into(), data);
        }
    }
    object
}

/// The payload of a request that [`request`] cannot hold.
pub fn binary_request(record: &Record) -> Option<String> {
    record.text().is_none().then(|| base64(&record.body))
}

/// The `response` object, of an answer with its payload.
pub fn response(head: &HttpResponse, record: &Record) -> Value {
    let mime = header(&head.headers, "content-type").unwrap_or("x-unknown");
    let mut content = json!({ "size": record.size, "mimeType": mime });
    if let (Some(o), false) = (content.as_object_mut(), record.body.is_empty()) {
        match record.text() {
            Some(text) => {
                o.insert("text".into(), text.into());
            }
            None => {
                o.insert("text".into(), base64(&record.body).into());
                o.insert("encoding".into(), "base64".into());
            }
        }
    }
    json!({
        "status": head.status,
        "statusText": head.reason,
        "httpVersion": version(&head.version),
        "cookies": response_cookies(&head.headers),
        "headers": headers(&head.headers),
        "content": content,
        "redirectURL": header(&head.headers, "location").unwrap_or(""),
        "headersSize": -1,
        "bodySize": record.size,
    })
}

/// The `response` object where none came: status 0, as browsers write it.
pub fn no_response(why: &str) -> Value {
    json!({
        "status": 0,
        "statusText": "",
        "httpVersion": "",
        "cookies": [],
        "headers": [],
        "content": { "size": 0, "mimeType": "x-unknown" },
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": -1,
        "_error": why,
    })
}

/// Milliseconds; what is not known apart is -1, what must be there is zero.
pub fn timings(wait_us: u64, receive_us: u64) -> Value {
    json!({
        "blocked": -1, "dns": -1, "connect": -1, "ssl": -1,
        "send": 0, "wait": millis(wait_us), "receive": millis(receive_us),
    })
}

pub fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

fn version(version: &str) -> &str {
    if version.is_empty() { "HTTP/1.1" } else { version }
}

fn headers(list: &Headers) -> Value {
    list.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

pub fn header<'a>(list: &'a Headers, name: &str) -> Option<&'a str> {
    list.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn query(url: &str) -> Value {
    let Ok(url) = url::Url::parse(url) else { return json!([]) };
    url.query_pairs().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

fn request_cookies(list: &Headers) -> Value {
    let lines = list.iter().filter(|(n, _)| n.eq_ignore_ascii_case("cookie"));
    lines
        .flat_map(|(_, line)| line.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| json!({ "name": name.trim(), "value": value.trim() }))
        .collect()
}

fn response_cookies(list: &Headers) -> Value {
    let lines = list.iter().filter(|(n, _)| n.eq_ignore_ascii_case("set-cookie"));
    lines.filter_map(|(_, line)| set_cookie(line)).collect()
}

fn set_cookie(line: &str) -> Option<Value> {
    let mut parts = line.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let mut cookie = serde_json::Map::new();
    cookie.insert("name".into(), name.trim().into());
    cookie.insert("value".into(), value.trim().into());
    cookie.insert("httpOnly".into(), false.into());
    cookie.insert("secure".into(), false.into());
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "path" => cookie.insert("path".into(), value.into()),
            "domain" => cookie.insert("domain".into(), value.into()),
            "httponly" => cookie.insert("httpOnly".into(), true.into()),
            "secure" => cookie.insert("secure".into(), true.into()),
            "samesite" => cookie.insert("sameSite".into(), value.into()),
            // HAR wants ISO 8601 here.
            "expires" => match crate::model::Wall::parse_http_date(&value.replace('-', " ")) {
                Some(at) => cookie.insert("expires".into(), at.rfc3339().into()),
                None => None,
            },
            _ => None,
        };
    }
    Some(cookie.into())
}
