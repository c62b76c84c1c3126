//! A record in a line, for tables.

use super::{Line, agent, flow, web_messaging};
use crate::model::fact::{Audit, Delivery, Expiry, ExpiryEvent, SessionState, Summary};
use crate::model::record::{HttpRequest, HttpResponse, SessionStart};
use crate::model::{Fact, Kind, Record, Wall};

/// Characters of a preview.
const LONGEST: usize = 160;

/// See [`crate::dialect::line`].
pub fn line(record: &Record) -> Line {
    let (name, text) = match record.kind {
        // A frame tells by itself whose it is.
        Kind::Text => web_messaging::frame_line(record)
            .or_else(|| agent::frame_line(record))
            .or_else(|| flow::frame_line(record))
            .unwrap_or_else(|| ("text".to_owned(), record.text().unwrap_or_default().to_owned())),
        Kind::Binary => ("binary".to_owned(), format!("{} bytes", record.size)),
        Kind::Ping => ("ping".to_owned(), String::new()),
        Kind::Pong => ("pong".to_owned(), String::new()),
        Kind::Close => ("close".to_owned(), words([&record.code.to_string(), record.text().unwrap_or_default()])),
        Kind::HttpRequest | Kind::SocketOpening => match record.head_as::<HttpRequest>() {
            Some(r) => (format!("{} {}", r.method, path(&r.url)), r.purpose),
            None => (record.kind.word().to_owned(), String::new()),
        },
        Kind::HttpResponse | Kind::SocketOpen | Kind::SocketRefused => match record.head_as::<HttpResponse>() {
            Some(r) => {
                let took = (r.wait_us + r.receive_us) / 1000;
                (words([&r.status.to_string(), &r.reason]), format!("{took} ms"))
            }
            None => fact(record),
        },
        Kind::SessionStart => match record.head_as::<SessionStart>() {
            Some(s) => ("session".to_owned(), words([&s.name, "·", s.dialect.title(), "·", &s.environment])),
            None => ("session".to_owned(), String::new()),
        },
        Kind::HttpFailed
        | Kind::SocketLost
        | Kind::State
        | Kind::Expiry
        | Kind::Delivery
        | Kind::Fault
        | Kind::Skew
        | Kind::Note
        | Kind::Mark
        | Kind::LeftOut
        | Kind::Audit
        | Kind::Id
        | Kind::Waiting
        | Kind::Summary => fact(record),
    };
    Line { name: short(&name), text: short(&text) }
}

fn fact(record: &Record) -> (String, String) {
    let Some(fact) = record.fact() else { return (record.kind.word().to_owned(), String::new()) };
    match fact {
        Fact::State(s) => {
            let detail = match &s.to {
                SessionState::Ended(end) => end.sentence(),
                SessionState::Reconnecting { attempt, at } => format!("try {attempt} at {}", clock(*at)),
                _ => String::new(),
            };
            (s.to.word().to_owned(), words_with(" · ", [detail.as_str(), s.why.as_str()]))
        }
        Fact::Expiry(e) => (e.title.clone(), expiry(&e)),
        Fact::Delivery(d) => (delivery(&d.delivery).0.to_owned(), words([&delivery(&d.delivery).1, &d.tracing])),
        Fact::Fault(r) => (r.title, r.what),
        Fact::Skew(s) => {
            let secs = |us: i64| us as f64 / 1e6;
            let jump =
                if s.jump_us == 0 { String::new() } else { format!("; the clock jumped {:+.1} s", secs(s.jump_us)) };
            let text = format!("server {:+.2} s (± {:.2} s){jump}", secs(s.skew_us), secs(s.uncertainty_us));
            ("clock skew".to_owned(), text)
        }
        Fact::Note { text } => ("note".to_owned(), text),
        Fact::Mark { on } => (if on { "marked" } else { "mark taken away" }.to_owned(), String::new()),
        Fact::LeftOut { payloads, bytes } => {
            ("left out".to_owned(), format!("{payloads} payloads, {bytes} bytes: the disk could not keep up"))
        }
        Fact::Audit(a) => (a.action.clone(), audit(&a)),
        Fact::Id(id) => {
            let doubt = id.mismatch.map(|m| format!("does not match: {m}")).unwrap_or_default();
            (format!("{} id", id.name), words_with(" · ", [id.value, doubt]))
        }
        Fact::Waiting { why, millis } => ("waiting".to_owned(), format!("{millis} ms · {why}")),
        Fact::Summary(s) => ("final report".to_owned(), summary(&s)),
    }
}

fn audit(a: &Audit) -> String {
    let status = a.status.map(|s| s.to_string()).unwrap_or_default();
    let attempt = if a.attempt > 1 { format!("attempt {}", a.attempt) } else { String::new() };
    let took = format!("{} ms", a.latency_us / 1000);
    words_with(" · ", [a.outcome.word(), &status, &attempt, &took, a.error.as_deref().unwrap_or_default()])
}

fn summary(s: &Summary) -> String {
    let secs = s.duration_us as f64 / 1e6;
    format!(
        "{secs:.1} s · {} requests, {} failed, {} retried · {} sent, {} delivered · {} refreshes",
        s.requests, s.failures, s.retries, s.sent, s.delivered, s.refreshes
    )
}

fn expiry(e: &Expiry) -> String {
    let event = match e.event {
        ExpiryEvent::Started => "started",
        ExpiryEvent::Extended => "extended",
        ExpiryEvent::Refreshed => "refreshed",
        ExpiryEvent::Expired => "expired",
        ExpiryEvent::Refused => "refused",
        ExpiryEvent::Corrupted => "corrupted on purpose",
        ExpiryEvent::Forgotten => "forgotten",
    };
    // A time of day alone would be read as one of today.
    let far = |u: Wall| u.micros_since(e.from) >= 24 * 3600 * 1_000_000;
    let until = e.until.map(|u| match u.rfc3339().split_once('T') {
        Some((day, _)) if far(u) => format!("until {day} {}", clock(u)),
        _ => format!("until {}", clock(u)),
    });
    let until = until.unwrap_or_default();
    let assumed = if e.assumed { "(assumed)" } else { "" };
    words([event, "by", &e.by, &until, assumed])
}

fn delivery(d: &Delivery) -> (&'static str, String) {
    match d {
        Delivery::Sent => ("sent", String::new()),
        Delivery::Delivered => ("delivered", String::new()),
        Delivery::Retrying { at, attempt, why } => ("retrying", format!("try {attempt} at {} ({why})", clock(*at))),
        Delivery::Refused { code, text } => ("refused", format!("{code} {text}")),
        Delivery::NotSent { why } => ("not sent", why.clone()),
        Delivery::Unconfirmed { why } => ("unconfirmed", why.clone()),
    }
}

/// Path and query; the whole where it is no address.
fn path(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(u) => match u.query() {
            Some(q) => format!("{}?{q}", u.path()),
            None => u.path().to_owned(),
        },
        Err(_) => url.to_owned(),
    }
}

/// Time of day in UTC, whole seconds.
pub(super) fn clock(at: Wall) -> String {
    match at.timestamp() {
        Some(_) => at.rfc3339().chars().skip(11).take(8).chain("Z".chars()).collect(),
        None => "never".to_owned(),
    }
}

pub(super) fn words(all: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    words_with(" ", all)
}

pub(super) fn words_with(between: &str, all: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut out = String::new();
    for word in all {
        let word = word.as_ref();
        if !out.is_empty() && !word.is_empty() {
            out.push_str(between);
        }
        out.push_str(word);
    }
    out
}

/// One line, not too long.
fn short(text: &str) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut out: String = chars.by_ref().take(LONGEST).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}
