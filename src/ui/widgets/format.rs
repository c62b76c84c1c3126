//! Numbers as people read them. All figures keep their width while they count.

pub use crate::projection::text::visible_controls;
use std::fmt::Write as _;
use std::time::Duration;

/// Time left on a clock: `00:42`, `23:41`, `71:59:10`, `12 d 04 h`.
pub fn countdown(left: Duration) -> String {
    let secs = left.as_secs();
    let (h, m, s) = (secs / 3600, secs / 60 % 60, secs % 60);
    match h {
        0 => format!("{m:02}:{s:02}"),
        1..100 => format!("{h}:{m:02}:{s:02}"),
        _ => format!("{} d {:02} h", h / 24, h % 24),
    }
}

/// A length of time in microseconds: `0.4 ms`, `84 ms`, `1.204 s`, `2:03.1`, `1:02:03`.
pub fn span(micros: u64) -> String {
    let mut out = String::new();
    write_span(&mut out, micros);
    out
}

/// The same with a sign: `+84 ms`.
pub fn signed_span(micros: i64) -> String {
    // What is shown as zero has no sign of its own.
    let mut out = String::from(if micros <= -50 { "−" } else { "+" });
    write_span(&mut out, micros.unsigned_abs());
    out
}

fn write_span(out: &mut String, micros: u64) {
    let _ = match micros {
        0 => write!(out, "0 ms"),
        1..10_000 => write!(out, "{:.1} ms", micros as f64 / 1e3),
        10_000..999_500 => write!(out, "{} ms", (micros + 500) / 1000),
        999_500..60_000_000 => write!(out, "{:.3} s", micros as f64 / 1e6),
        60_000_000..3_600_000_000 => {
            let tenths = micros / 100_000;
            write!(out, "{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
        }
        _ => {
            let secs = micros / 1_000_000;
            write!(out, "{}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60)
        }
    };
}

/// `812 B`, `64.0 KB`, `3.1 MB`, in steps of 1024.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `12,402`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (k, digit) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_keep_their_width() {
        let say = |secs| countdown(Duration::from_secs(secs));
        assert_eq!(say(42), "00:42");
        assert_eq!(say(23 * 60 + 41), "23:41");
        assert_eq!(say(71 * 3600 + 59 * 60 + 10), "71:59:10");
        assert_eq!(say(100 * 3600), "4 d 04 h");
    }

    #[test]
    fn spans_have_the_unit_that_fits() {
        assert_eq!(span(0), "0 ms");
        assert_eq!(span(400), "0.4 ms");
        assert_eq!(span(84_300), "84 ms");
        assert_eq!(span(999_499), "999 ms");
        assert_eq!(span(999_500), "1.000 s");
        assert_eq!(span(1_204_000), "1.204 s");
        assert_eq!(span(123_100_000), "2:03.1");
        assert_eq!(span(3_723_000_000), "1:02:03");
        assert_eq!(signed_span(-84_000), "−84 ms");
        assert_eq!(signed_span(i64::MIN).chars().next(), Some('−'));
    }

    #[test]
    fn sizes_and_counts() {
        assert_eq!(bytes(812), "812 B");
        assert_eq!(bytes(65_536), "64.0 KB");
        assert_eq!(bytes(1024 * 1024 - 1), "1.0 MB");
        assert_eq!(bytes(u64::MAX), "16777216.0 TB");
        assert_eq!(count(12_402), "12,402");
        assert_eq!(count(100), "100");
        assert_eq!(count(1_000_000), "1,000,000");
    }
}
