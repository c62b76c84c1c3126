//! Instants. Wall time is what a server speaks of; monotonic time is what a wait is measured with.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall(pub i64);

/// Microseconds on a clock that never goes back, from an arbitrary start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mono(pub u64);

impl Wall {
    /// From whole seconds since the epoch, the unit of `exp` and `expirationDate`. Saturates.
    pub fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    pub fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Whole seconds since the epoch, rounded down.
    pub fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Seconds since the epoch with their fraction, the unit of HAR socket messages.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Signed microseconds from `earlier` to `self`.
    pub fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    pub fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// The instant for formatting; none where it lies outside the calendar of [`jiff`].
    pub fn timestamp(self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::from_microsecond(self.0).ok()
    }

    /// RFC 3339 in UTC with microseconds, or the bare number where no calendar holds it.
    pub fn rfc3339(self) -> String {
        self.timestamp().map_or_else(|| format!("{}us", self.0), |t| format!("{t:.6}"))
    }

    /// Parses RFC 3339 (`2026-01-06T13:26:15.174Z`).
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_microsecond()))
    }

    /// Parses an HTTP `Date` header (`Tue, 06 Jan 2026 13:26:15 GMT`).
    pub fn parse_http_date(text: &str) -> Option<Self> {
        jiff::fmt::rfc2822::parse(text).ok().map(|z| Self(z.timestamp().as_microsecond()))
    }
}

impl Add<Duration> for Wall {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        self.plus_micros(micros(d))
    }
}

impl Sub<Duration> for Wall {
    type Output = Self;
    fn sub(self, d: Duration) -> Self {
        self.plus_micros(-micros(d))
    }
}

impl Mono {
    /// Time from `earlier` to `self`, zero where `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(d.as_micros().min(u128::from(u64::MAX)) as u64))
    }
}

fn micros(d: Duration) -> i64 {
    i64::try_from(d.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_two_spellings_of_servers() {
        let iso = Wall::parse_rfc3339("2026-01-06T13:26:15.174Z").unwrap();
        let http = Wall::parse_http_date("Tue, 06 Jan 2026 13:26:15 GMT").unwrap();
        assert_eq!(iso.micros_since(http), 174_000);
        assert_eq!(iso.rfc3339(), "2026-01-06T13:26:15.174000Z");
    }

    #[test]
    fn absurd_instants_do_not_panic() {
        assert_eq!(Wall::from_secs(i64::MAX).0, i64::MAX);
        assert!(Wall(i64::MAX).rfc3339().ends_with("us"));
        assert_eq!((Wall(5) - Duration::MAX).0, 5 - i64::MAX);
    }
}
