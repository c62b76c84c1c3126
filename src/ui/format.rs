//! Times, sizes and texts as the window writes them.

use std::borrow::Cow;
use std::time::Duration;

use crate::model::Wall;

/// Time of day with milliseconds: `13:26:15.174`.
pub fn time_of_day(at: Wall, utc: bool) -> String {
    zoned(at, utc).map_or_else(|| "??:??:??".into(), |z| z.strftime("%H:%M:%S.%3f").to_string())
}

/// Date, time and zone, for tooltips.
pub fn full_time(at: Wall, utc: bool) -> String {
    zoned(at, utc).map_or_else(|| at.rfc3339(), |z| z.strftime("%Y-%m-%d %H:%M:%S.%6f %Z").to_string())
}

fn zoned(at: Wall, utc: bool) -> Option<jiff::Zoned> {
    let zone = if utc { jiff::tz::TimeZone::UTC } else { jiff::tz::TimeZone::system() };
    at.timestamp().map(|t| t.to_zoned(zone))
}

/// Time left on a clock: `00:42`, `71:59:10`, `12 d 4 h`. A begun second counts, so that zero means over.
pub fn left(d: Duration) -> String {
    let secs = d.as_secs() + u64::from(d.subsec_nanos() > 0);
    let (h, m, s) = (secs / 3600, secs / 60 % 60, secs % 60);
    if h >= 100 {
        format!("{} d {} h", h / 24, h % 24)
    } else if h > 0 {
        format!("{h}:{m:02}:{s:02}")
    } else {
        format!("{m:02}:{s:02}")
    }
}

/// A short duration: `84 ms`, `1.2 s`, `3 min`.
pub fn span(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..10_000_000 => format!("{:.1} s", micros as f64 / 1e6),
        10_000_000..120_000_000 => format!("{} s", micros / 1_000_000),
        _ => format!("{} min", micros / 60_000_000),
    }
}

/// `3.1 MB`, in powers of ten as disks are sold.
pub fn bytes(n: u64) -> String {
    match n {
        0..1_000 => format!("{n} B"),
        1_000..1_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        _ => format!("{:.2} GB", n as f64 / 1e9),
    }
}

/// With a thin gap between thousands: `12,402`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// "1 file", "2 files".
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// Text of others, made safe to show: control characters and those that turn the direction of writing are shown
/// by name instead of obeyed.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| hidden(c).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match hidden(c) {
            Some(name) if name.is_empty() => out.push_str(&format!("‹U+{:04X}›", c as u32)),
            Some(name) => {
                out.push('‹');
                out.push_str(name);
                out.push('›');
            }
            None => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn hidden(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{061C}' => "ALM",
        '\u{200E}' => "LRM",
        '\u{200F}' => "RLM",
        '\u{202A}' => "LRE",
        '\u{202B}' => "RLE",
        '\u{202C}' => "PDF",
        '\u{202D}' => "LRO",
        '\u{202E}' => "RLO",
        '\u{2066}' => "LRI",
        '\u{2067}' => "RLI",
        '\u{2068}' => "FSI",
        '\u{2069}' => "PDI",
        '\u{200B}' => "ZWSP",
        '\u{2060}' => "WJ",
        '\u{FEFF}' => "BOM",
        '\n' | '\t' => return None,
        '\r' => "CR",
        c if c.is_control() => "",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countdowns_reach_zero_only_when_over() {
        assert_eq!(left(Duration::ZERO), "00:00");
        assert_eq!(left(Duration::from_millis(1)), "00:01");
        assert_eq!(left(Duration::from_secs(42)), "00:42");
        assert_eq!(left(Duration::from_secs(71 * 3600 + 59 * 60 + 10)), "71:59:10");
        assert_eq!(left(Duration::from_secs(300 * 3600)), "12 d 12 h");
    }

    #[test]
    fn sizes_and_spans_are_short() {
        assert_eq!((bytes(999), bytes(3_100_000)), ("999 B".into(), "3.1 MB".into()));
        assert_eq!((span(84_000), span(1_200_000), span(15_000_000)), ("84 ms".into(), "1.2 s".into(), "15 s".into()));
        assert_eq!((count(12402), count(7), count(1_000_000)), ("12,402".into(), "7".into(), "1,000,000".into()));
    }

    #[test]
    fn what_turns_or_hides_text_is_shown() {
        assert_eq!(shown("a\u{202E}b"), "a‹RLO›b");
        assert_eq!(shown("x\u{7}y"), "x‹U+0007›y");
        assert!(matches!(shown("plain שלום\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn times_of_day_have_milliseconds() {
        let at = Wall::parse_rfc3339("2026-01-06T13:26:15.174Z").unwrap();
        assert_eq!(time_of_day(at, true), "13:26:15.174");
        assert!(full_time(at, true).starts_with("2026-01-06 13:26:15.174000"));
        assert_eq!(time_of_day(Wall(i64::MAX), true), "??:??:??");
    }
}
