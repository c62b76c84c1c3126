//! How the time left on a clock is written. Digits keep their places, so that a strip in tabular figures stands still.
//!
//! Seconds are rounded up: `00:01` is shown until the very end, and a fresh 72 hours read `72:00:00`.

use std::fmt::Write;

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Up to this many seconds hours are counted, above it days. The longest default of a session is 72 hours.
const HOURS_UP_TO: u64 = 72 * 3_600;

/// Writes the time left: `00:42`, `23:41`, `1:02:03`, `71:59:10`, `3 d 04 h`.
pub(super) fn left(micros: u64, out: &mut String) {
    let secs = micros.div_ceil(SECOND);
    let (h, m, s) = (secs / 3_600, secs / 60 % 60, secs % 60);
    // Writing to a String cannot fail.
    let _ = if secs > HOURS_UP_TO {
        write!(out, "{} d {:02} h", h / 24, h % 24)
    } else if h > 0 {
        write!(out, "{h}:{m:02}:{s:02}")
    } else {
        write!(out, "{m:02}:{s:02}")
    };
}

/// How long until [`left`] writes something else, in microseconds. Never zero for a positive time.
pub(super) fn until_next_left(micros: u64) -> u64 {
    let secs = micros.div_ceil(SECOND);
    let next = if secs > HOURS_UP_TO {
        (secs / 3_600 * 3_600).saturating_sub(1).max(HOURS_UP_TO)
    } else {
        secs.saturating_sub(1)
    };
    micros.saturating_sub(next.saturating_mul(SECOND))
}

/// Writes how long ago it ended, and how (`word`), coarser with time so that a dead clock asks for few repaints: `expired 0:12 ago`,
/// `expired 7 min ago`, `expired 3 h ago`, `expired 2 d ago`.
pub(super) fn ago(word: &str, micros: u64, out: &mut String) {
    let (n, unit) = unit(micros);
    let _ = match unit {
        SECOND => write!(out, "{word} 0:{n:02} ago"),
        MINUTE => write!(out, "{word} {n} min ago"),
        HOUR => write!(out, "{word} {n} h ago"),
        _ => write!(out, "{word} {n} d ago"),
    };
}

/// How long until [`ago`] writes something else, in microseconds. Never zero.
pub(super) fn until_next_ago(micros: u64) -> u64 {
    let (_, unit) = unit(micros);
    unit - micros % unit
}

/// The largest unit that a time fills, and how often.
fn unit(micros: u64) -> (u64, u64) {
    let unit = [DAY, HOUR, MINUTE].into_iter().find(|unit| micros >= *unit).unwrap_or(SECOND);
    (micros / unit, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_left_read_as_on_a_clock() {
        let text = |micros| {
            let mut out = String::new();
            left(micros, &mut out);
            out
        };
        assert_eq!(text(1), "00:01");
        assert_eq!(text(42 * SECOND), "00:42");
        assert_eq!(text(23 * MINUTE + 41 * SECOND), "23:41");
        assert_eq!(text(71 * HOUR + 59 * MINUTE + 10 * SECOND), "71:59:10");
        assert_eq!(text(72 * HOUR), "72:00:00");
        assert_eq!(text(72 * HOUR + 1), "3 d 00 h");
        assert_eq!(text(5 * DAY + 3 * HOUR + 59 * MINUTE), "5 d 03 h");
    }

    #[test]
    fn the_past_is_told_in_ever_larger_units() {
        let text = |micros| {
            let mut out = String::new();
            ago("expired", micros, &mut out);
            out
        };
        assert_eq!(text(12 * SECOND + 5), "expired 0:12 ago");
        assert_eq!(text(7 * MINUTE), "expired 7 min ago");
        assert_eq!(text(3 * HOUR), "expired 3 h ago");
        assert_eq!(text(2 * DAY + 1), "expired 2 d ago");
    }
}
