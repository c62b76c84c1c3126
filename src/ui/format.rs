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

/// A day as people say it: `Sunday, 1 February 2026`.
pub fn day(at: Wall, utc: bool) -> String {
    zoned(at, utc).map_or_else(|| at.rfc3339(), |z| z.strftime("%A, %-d %B %Y").to_string())
}

/// Hour and minute: `13:26`.
pub fn minute(at: Wall, utc: bool) -> String {
    zoned(at, utc).map_or_else(|| "??:??".into(), |z| z.strftime("%H:%M").to_string())
}

/// A day in UTC as it is typed: `2026-02-01`.
pub fn day_of(at: Wall) -> String {
    zoned(at, true).map_or_else(|| at.rfc3339(), |z| z.strftime("%Y-%m-%d").to_string())
}

/// A capture for a list: when it was begun, where its name tells that, else its name.
pub fn capture(file: &std::path::Path, utc: bool) -> String {
    let name = file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy();
    let begun = name.split_once('T').and_then(|(day, time)| {
        let time = time.split('.').next()?.replace('-', ":");
        format!("{day}T{time}Z").parse::<jiff::Timestamp>().ok()
    });
    begun.map_or_else(|| name.clone().into_owned(), |at| day_and_time(Wall(at.as_microsecond()), utc))
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

    #[test]
    fn a_capture_is_called_by_its_time_or_its_name() {
        let title = |file: &str| capture(std::path::Path::new(file), true);
        assert_eq!(title("/a/2026-11-20T10-07-17.123Z.sscope"), "2026-11-20 10:07");
        assert_eq!(title("/a/2026-11-20T10-07-17.123Z-2.sscope"), "2026-11-20 10:07");
        assert_eq!(title("/a/Ticket 12.sscope"), "Ticket 12");
        assert_eq!(title("/a/2026-99-20T10-07.sscope"), "2026-99-20T10-07");
    }
}
