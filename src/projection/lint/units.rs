//! Seconds versus milliseconds. The protocol tells most instants and lengths in seconds, some in milliseconds, and its
//! own documents confuse them at times.

use aho_corasick::AhoCorasick;
use serde_json::Value;
use std::sync::LazyLock;

use crate::model::Record;
use crate::projection::evidence::Gathered;
use crate::projection::evidence::words;

/// How a member is told, and between which values it can be so.
struct Unit {
    member: &'static str,
    /// Of this object only, where the same word means something else elsewhere.
    within: Option<&'static str>,
    should: &'static str,
    seems: &'static str,
    /// Below or above this it can hardly be what it should be; zero is always allowed.
    is_off: fn(f64) -> bool,
}

const SECONDS: &str = "seconds";
const MILLIS: &str = "milliseconds";
const EPOCH: &str = "seconds since 1970";
const EPOCH_MILLIS: &str = "milliseconds since 1970";

/// An instant after the year 5000 in seconds is one of our days in milliseconds.
fn epoch(n: f64) -> bool {
    n > 1e11
}

/// Members, from the vendor's own clients: genesys-messenger-transport-mobile-sdk (`SessionResponse`, `JwtResponse`,
/// `Const`, `EventHandlerImpl`), web-messaging-sdk-java (`*.md`), platform-client-sdk-javascript (`ApiClient`).
const UNITS: [Unit; 10] = [
    Unit { member: "expirationDate", within: None, should: EPOCH, seems: EPOCH_MILLIS, is_off: epoch },
    Unit { member: "exp", within: None, should: EPOCH, seems: EPOCH_MILLIS, is_off: epoch },
    Unit { member: "iat", within: None, should: EPOCH, seems: EPOCH_MILLIS, is_off: epoch },
    Unit { member: "nbf", within: None, should: EPOCH, seems: EPOCH_MILLIS, is_off: epoch },
    // Sessions live for up to 18 months, tokens for up to 48 h.
    Unit { member: "durationSeconds", within: None, should: SECONDS, seems: MILLIS, is_off: |n| n > 6e7 },
    Unit { member: "sessionDurationSeconds", within: None, should: SECONDS, seems: MILLIS, is_off: |n| n > 6e7 },
    Unit { member: "expires_in", within: None, should: SECONDS, seems: MILLIS, is_off: |n| n > 2e6 },
    Unit { member: "retryAfter", within: None, should: SECONDS, seems: MILLIS, is_off: |n| n >= 1e3 },
    Unit {
        member: "duration",
        within: Some("typing"),
        should: MILLIS,
        seems: SECONDS,
        is_off: |n| n > 0.0 && n < 100.0,
    },
    Unit { member: "alertingTimeoutMs", within: None, should: MILLIS, seems: SECONDS, is_off: |n| n > 0.0 && n < 1e3 },
];

/// Quoted members, to pass over payloads that have none of them.
static MEMBERS: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::new(UNITS.map(|u| format!("\"{}\"", u.member))).ok());

/// Deeper values are not looked at.
const DEEPEST: usize = 24;

pub fn body(record: &Record, found: &mut Gathered) {
    if !MEMBERS.as_ref().is_some_and(|members| members.is_match(&record.body[..])) {
        return;
    }
    if let Some(json) = words::json(&record.body) {
        look(&json, "", DEEPEST, record.seq, found);
    }
}

pub fn claims(claims: &Value, seq: u64, found: &mut Gathered) {
    look(claims, "", DEEPEST, seq, found);
}

/// True where one was found: the first is told.
fn look(value: &Value, within: &str, depth: usize, seq: u64, found: &mut Gathered) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| {
            let of = UNITS.iter().find(|u| u.member == name && u.within.is_none_or(|w| w == within));
            // Metadata has its numbers as strings.
            let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
            if let (Some(unit), Some(n)) = (of, number)
                && (unit.is_off)(n)
            {
                found.text("units.member", name, seq);
                found.text("units.value", &value.to_string(), seq);
                found.text("units.should", unit.should, seq);
                found.text("units.seems", unit.seems, seq);
                return true;
            }
            look(value, name, depth, seq, found)
        }),
        Value::Array(items) => items.iter().any(|v| look(v, within, depth, seq, found)),
        _ => false,
    }
}
