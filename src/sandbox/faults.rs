//! What goes wrong on purpose, and for how long still.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Faults at work. Serialised into the status: zero and false are nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Faults {
    pub refuse_sends: u32,
    pub refuse_code: u16,
    pub refuse_text: String,
    pub rate_limit_sends: u32,
    pub retry_after: u32,
    pub duplicate: u32,
    /// Frames still to be held back before they are sent in reverse.
    pub reorder: u32,
    pub malformed: u32,
    pub drop_echo: u32,
    pub delay_millis: u32,
    pub hold_session_response_millis: u32,
    pub stop_pongs: bool,
    pub stall: bool,
    pub refuse_upgrades: u32,
    pub upgrade_status: u16,
    pub refuse_requests: u32,
    pub request_status: u16,
    pub request_retry_after: Option<u32>,
    /// Error code of every upload, 0 for none.
    pub reject_upload: u16,
    pub clock_skew_seconds: i32,
    pub partner_paused: bool,
    /// Held back until `reorder` is zero: connection and text, oldest first.
    #[serde(skip)]
    pub(super) held: Vec<(u32, String)>,
}

/// A frame on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parcel {
    pub(super) conn: u32,
    pub(super) text: String,
    /// To be sent so much later.
    pub(super) late: Duration,
}

impl Faults {
    /// True where anything differs from an ordinary day.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }

    /// Takes one off a counter. True where there was one.
    pub(super) fn spend(counter: &mut u32) -> bool {
        let had = *counter > 0;
        *counter = counter.saturating_sub(1);
        had
    }

    /// What becomes of a frame: cut, doubled, held back, late.
    pub(super) fn outgoing(&mut self, conn: u32, text: &str, is_session_response: bool) -> Vec<Parcel> {
        let mut text = text.to_owned();
        if Self::spend(&mut self.malformed) {
            let mut half = text.len() / 2;
            while !text.is_char_boundary(half) {
                half -= 1;
            }
            text.truncate(half);
        }
        let copies = if Self::spend(&mut self.duplicate) { 2 } else { 1 };
        let mut out = Vec::with_capacity(copies);
        for _ in 0..copies {
            if self.reorder == 0 {
                out.push((conn, text.clone()));
                continue;
            }
            self.held.push((conn, text.clone()));
            self.reorder -= 1;
            if self.reorder == 0 {
                out.extend(self.release());
            }
        }
        let mut late = u64::from(self.delay_millis);
        if is_session_response {
            late += u64::from(self.hold_session_response_millis);
        }
        let late = Duration::from_millis(late);
        out.into_iter().map(|(conn, text)| Parcel { conn, text, late }).collect()
    }

    /// What was held back, last one first.
    pub(super) fn release(&mut self) -> Vec<(u32, String)> {
        let mut held = std::mem::take(&mut self.held);
        held.reverse();
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(parcels: Vec<Parcel>) -> Vec<String> {
        parcels.into_iter().map(|p| p.text).collect()
    }

    #[test]
    fn frames_are_doubled_cut_and_reversed_and_then_it_is_over() {
        let mut f = Faults { duplicate: 1, ..Faults::default() };
        assert_eq!(texts(f.outgoing(1, "abcd", false)), ["abcd", "abcd"]);
        assert_eq!(texts(f.outgoing(1, "abcd", false)), ["abcd"]);
        f.malformed = 1;
        assert_eq!(texts(f.outgoing(1, "äöüß", false)), ["äö"]);
        f.reorder = 3;
        assert!(f.outgoing(1, "one", false).is_empty());
        assert!(f.outgoing(2, "two", false).is_empty());
        assert_eq!(texts(f.outgoing(1, "three", false)), ["three", "two", "one"]);
        assert!(!f.any());
    }

    #[test]
    fn only_a_session_response_is_held_longer() {
        let mut f = Faults { delay_millis: 5, hold_session_response_millis: 100, ..Faults::default() };
        assert_eq!(f.outgoing(1, "x", false)[0].late, Duration::from_millis(5));
        assert_eq!(f.outgoing(1, "x", true)[0].late, Duration::from_millis(105));
    }
}
