//! Times as the window writes them, beside the sizes and spans of [`super::widgets::format`].

pub use super::widgets::format::{bytes, count, countdown, span, visible_controls as shown};
use crate::model::Wall;

/// Time of day with milliseconds: `13:26:15.174`.
pub fn time_of_day(at: Wall, utc: bool) -> String {
    zoned(at, utc).map_or_else(|| "??:??:??".into(), |z| z.strftime("%H:%M:%S.%3f").to_string())
}

/// Day and minute: `2026-01-06 13:26`.
pub fn day_and_time(at: Wall, utc: bool) -> String {
    zoned(at, utc).map_or_else(|| at.rfc3339(), |z| z.strftime("%Y-%m-%d %H:%M").to_string())
}

/// Date, time and zone, for tooltips.
pub fn full_time(at: Wall, utc: bool) -> String {
    zoned(at, utc).map_or_else(|| at.rfc3339(), |z| z.strftime("%Y-%m-%d %H:%M:%S.%6f %Z").to_string())
}

fn zoned(at: Wall, utc: bool) -> Option<jiff::Zoned> {
    let zone = if utc { jiff::tz::TimeZone::UTC } else { jiff::tz::TimeZone::system() };
    at.timestamp().map(|t| t.to_zoned(zone))
}

/// "1 file", "2 files".
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_have_milliseconds() {
        let at = Wall::parse_rfc3339("2026-01-06T13:26:15.174Z").unwrap();
        assert_eq!(time_of_day(at, true), "13:26:15.174");
        assert!(full_time(at, true).starts_with("2026-01-06 13:26:15.174000"));
        assert_eq!(time_of_day(Wall(i64::MAX), true), "??:??:??");
    }
}
