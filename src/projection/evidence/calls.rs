//! HTTP calls: what is on its way, how often was called, and which limits were met.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use serde::Deserialize;

use super::tokens::{Moment, TokenRef};
use crate::model::{Mono, Now, Record};

/// So many calls on their way are remembered, the newest.
pub const CALLS_KEPT: usize = 32;
/// Longer bodies are not looked into.
pub const BODY_LONGEST: usize = 64 << 10;
/// Of all bodies on their way together, so much is held; beyond it the oldest are let go.
const BODIES_KEPT: usize = 128 << 10;
/// So many of the newest requests are counted by their path.
const PATHS_KEPT: usize = 200;
/// So many of the newest 429 answers, idempotency keys.
const LIMITED_KEPT: usize = 16;
const KEYS_KEPT: usize = 16;
const FAILING_KEPT: usize = 8;

const MINUTE: u64 = 60_000_000;

/// What stands in `Authorization`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    #[default]
    None,
    Bearer(TokenRef),
    Basic,
    /// A bearer that is no placeholder, or another scheme.
    Other,
}

#[derive(Clone, Debug)]
pub struct Call {
    pub sent: Moment,
    pub method: Box<str>,
    pub url: Box<str>,
    pub purpose: Box<str>,
    pub tracing: Option<Box<str>>,
    pub auth: Auth,
    /// In the body, or in the address.
    pub token: Option<TokenRef>,
    pub key: Option<Box<str>>,
    pub content_type: Option<Box<str>>,
    pub origin: Option<Box<str>>,
    pub size: u64,
    /// Empty where it was too long.
    pub body: Bytes,
    /// The guest's own token, as it stood when this was sent.
    pub guest: Option<TokenRef>,
}

/// The head of a request, read without copies.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(borrow, default)]
    headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(borrow, default)]
    purpose: Cow<'a, str>,
    #[serde(borrow, default)]
    tracing: Option<Cow<'a, str>>,
}

impl Call {
    pub fn read(record: &Record) -> Option<Self> {
        let head: Head<'_> = serde_json::from_str(&record.head).ok()?;
        let header = |name: &str| head.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| &**v);
        let auth = match header("authorization").and_then(|v| v.split_once(' ')) {
            None if header("authorization").is_none() => Auth::None,
            Some((scheme, value)) if scheme.eq_ignore_ascii_case("bearer") => {
                TokenRef::find(value.as_bytes()).map_or(Auth::Other, Auth::Bearer)
            }
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("basic") => Auth::Basic,
            _ => Auth::Other,
        };
        let body = if record.body.len() < BODY_LONGEST { record.body.clone() } else { Bytes::new() };
        let query = head.url.split_once('?').map_or("", |(_, q)| q);
        Some(Self {
            sent: Moment { seq: record.seq, at: record.at },
            token: TokenRef::find(query.as_bytes()).or_else(|| TokenRef::find(&body)),
            auth,
            key: header("idempotency-key").map(Into::into),
            content_type: header("content-type").map(Into::into),
            origin: header("origin").map(Into::into),
            method: head.method.into(),
            url: head.url.into(),
            purpose: head.purpose.into(),
            tracing: head.tracing.map(Into::into),
            size: record.size,
            body,
            guest: None,
        })
    }

    pub fn path(&self) -> &str {
        path_of(&self.url)
    }

    pub fn host(&self) -> &str {
        host_of(&self.url)
    }

    pub fn is_signin(&self) -> bool {
        self.purpose.starts_with("token") || self.path().ends_with("/oauth/token")
    }

    pub fn is_refresh(&self) -> bool {
        let named = self.purpose.contains("refresh") || self.purpose.contains("renew");
        named || (self.holds("\"expires_in\"") && !self.holds("\"text\""))
    }

    pub fn is_heartbeat(&self) -> bool {
        self.purpose.contains("heartbeat") || self.holds("\"heartbeatSequence\"")
    }

    /// A message of the guest.
    pub fn is_post(&self) -> bool {
        &*self.method == "POST"
            && !self.is_refresh()
            && (self.tracing.is_some() || self.purpose.starts_with("message") || self.path().ends_with("/messages"))
    }

    fn holds(&self, text: &str) -> bool {
        memchr::memmem::find(&self.body, text.as_bytes()).is_some()
    }

    fn weight(&self) -> usize {
        self.body.len()
    }
}

/// Without scheme, host and query.
pub fn path_of(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after.find('/').and_then(|n| after.get(n..)).unwrap_or("/");
    path.split(['?', '#']).next().unwrap_or(path)
}

pub fn host_of(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, rest)| rest);
    after.split(['/', '?', '#']).next().unwrap_or(after)
}

/// A 429, and how long it asked to wait.
#[derive(Clone, Debug)]
pub struct Limited {
    pub at: Moment,
    path: u64,
    pub retry_after: Option<f64>,
}

/// The first use of an idempotency key.
#[derive(Clone, Debug)]
pub struct Key {
    pub key: Box<str>,
    pub first: Moment,
    pub body: u64,
    pub uses: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Calls {
    open: Vec<Call>,
    paths: VecDeque<(u64, Mono)>,
    pub limited: VecDeque<Limited>,
    keys: VecDeque<Key>,
    /// Paths that failed last, and how often in a row.
    failing: VecDeque<(u64, u32)>,
    /// Calls that were forgotten before their answer, and bodies that were let go.
    pub dropped: u64,
}

impl Calls {
    pub fn begin(&mut self, call: Call) {
        self.paths.push_back((hash(call.path()), call.sent.at.mono));
        if self.paths.len() > PATHS_KEPT {
            self.paths.pop_front();
        }
        if let Some(key) = &call.key {
            match self.keys.iter_mut().find(|k| k.key == *key) {
                Some(known) => known.uses += 1,
                None => {
                    if self.keys.len() == KEYS_KEPT {
                        self.keys.pop_front();
                        self.dropped += 1;
                    }
                    self.keys.push_back(Key {
                        key: key.clone(),
                        first: call.sent,
                        body: hash(&call.body[..]),
                        uses: 1,
                    });
                }
            }
        }
        if self.open.len() == CALLS_KEPT {
            self.open.remove(0);
            self.dropped += 1;
        }
        self.open.push(call);
        let mut total: usize = self.open.iter().map(Call::weight).sum();
        for call in &mut self.open {
            if total <= BODIES_KEPT {
                break;
            }
            if !call.body.is_empty() {
                total -= call.weight();
                call.body = Bytes::new();
                self.dropped += 1;
            }
        }
    }

    /// The call that ends now.
    pub fn end(&mut self, request: u64) -> Option<Call> {
        let n = self.open.iter().rposition(|c| c.sent.seq == request)?;
        Some(self.open.remove(n))
    }

    /// A call failed, or did not.
    pub fn outcome(&mut self, call: &Call, failed: bool) {
        let path = hash(call.path());
        let known = self.failing.iter().position(|(p, _)| *p == path);
        match (known, failed) {
            (Some(n), true) => {
                if let Some((_, times)) = self.failing.get_mut(n) {
                    *times = times.saturating_add(1);
                }
            }
            (Some(n), false) => _ = self.failing.remove(n),
            (None, true) => {
                if self.failing.len() == FAILING_KEPT {
                    self.failing.pop_front();
                }
                self.failing.push_back((path, 1));
            }
            (None, false) => {}
        }
    }

    /// How often the call's path failed in a row.
    pub fn failures(&self, call: &Call) -> u32 {
        let path = hash(call.path());
        self.failing.iter().find(|(p, _)| *p == path).map_or(0, |(_, times)| *times)
    }

    /// The first use of a call's key, this one or an earlier.
    pub fn key(&self, call: &Call) -> Option<&Key> {
        let key = call.key.as_ref()?;
        self.keys.iter().find(|k| k.key == *key)
    }

    /// A 429 came for a call.
    pub fn limit(&mut self, call: &Call, at: Moment, retry_after: Option<f64>) {
        if self.limited.len() == LIMITED_KEPT {
            self.limited.pop_front();
        }
        self.limited.push_back(Limited { at, path: hash(call.path()), retry_after });
    }

    /// The newest 429 of the call's path before it was sent.
    pub fn limited_before(&self, call: &Call) -> Option<&Limited> {
        let path = hash(call.path());
        self.limited.iter().rev().find(|l| l.path == path && l.at.at.mono <= call.sent.at.mono)
    }

    /// Requests to the call's path in the minute that ends with it.
    pub fn on_path(&self, call: &Call) -> usize {
        let (path, now) = (hash(call.path()), call.sent.at.mono.0);
        self.paths.iter().filter(|(p, at)| *p == path && at.0 <= now && now - at.0 < MINUTE).count()
    }
}

pub fn hash(value: impl Hash) -> u64 {
    let mut h = DefaultHasher::new();
    value.hash(&mut h);
    h.finish()
}

/// A tenth of a second, in microseconds.
const BUCKET: u64 = 100_000;
const BUCKETS: usize = 600;
/// So many hosts are counted; later ones are not.
const HOSTS_KEPT: usize = 16;

/// Requests to each host within the last minute, of all sessions together.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    hosts: Vec<Rate>,
}

#[derive(Clone, Debug)]
struct Rate {
    host: Box<str>,
    /// By tenth of a second, as a ring.
    buckets: Box<[u16]>,
    /// Number of the newest bucket, counted from the clock's begin.
    newest: u64,
}

impl Rates {
    pub fn count(&mut self, host: &str, at: Now) {
        let bucket = at.mono.0 / BUCKET;
        let rate = match self.hosts.iter().position(|r| *r.host == *host) {
            Some(n) => self.hosts.get_mut(n),
            None if self.hosts.len() < HOSTS_KEPT => {
                let buckets = vec![0; BUCKETS].into_boxed_slice();
                self.hosts.push(Rate { host: host.into(), buckets, newest: bucket });
                self.hosts.last_mut()
            }
            None => None,
        };
        let Some(rate) = rate else { return };
        for passed in (rate.newest + 1..=bucket).rev().take(BUCKETS) {
            if let Some(b) = rate.buckets.get_mut((passed % BUCKETS as u64) as usize) {
                *b = 0;
            }
        }
        rate.newest = rate.newest.max(bucket);
        if rate.newest - bucket < BUCKETS as u64
            && let Some(b) = rate.buckets.get_mut((bucket % BUCKETS as u64) as usize)
        {
            *b = b.saturating_add(1);
        }
    }

    /// Requests within so many seconds, at most a minute, before an instant, to a tenth of a second.
    pub fn within(&self, host: &str, at: Now, secs: f64) -> Option<u64> {
        let rate = self.hosts.iter().find(|r| *r.host == *host)?;
        let last = at.mono.0 / BUCKET;
        let many = ((secs * 10.0).round().max(1.0) as u64).min(BUCKETS as u64);
        let first = last.saturating_sub(many - 1).max(rate.newest.saturating_sub(BUCKETS as u64 - 1));
        let sum = (first..=last.min(rate.newest))
            .filter_map(|b| rate.buckets.get((b % BUCKETS as u64) as usize))
            .map(|n| u64::from(*n))
            .sum();
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Wall;

    #[test]
    fn requests_are_counted_within_their_window() {
        let mut rates = Rates::default();
        let at = |ms: u64| Now { wall: Wall(0), mono: Mono(ms * 1000) };
        for n in 0..100 {
            rates.count("h", at(n * 100));
        }
        assert_eq!(rates.within("h", at(9_900), 1.0), Some(10));
        assert_eq!(rates.within("h", at(9_900), 60.0), Some(100));
        assert_eq!(rates.within("h", at(65_000), 60.0), Some(49), "those before have left");
        rates.count("h", at(500_000));
        assert_eq!(rates.within("h", at(500_000), 60.0), Some(1));
        rates.count("h", at(1));
        assert_eq!(rates.within("h", at(500_000), 60.0), Some(1), "one of long ago");
        assert_eq!(rates.within("other", at(0), 1.0), None);
        assert_eq!(rates.within("h", at(0), 1.0), Some(0));
    }

    #[test]
    fn paths_and_hosts_are_told_from_addresses() {
        assert_eq!(path_of("https://h:1/a/b?c#d"), "/a/b");
        assert_eq!(path_of("https://h"), "/");
        assert_eq!(host_of("https://h:1/a"), "h:1");
        assert_eq!(host_of("nonsense"), "nonsense");
    }
}
