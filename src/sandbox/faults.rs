//! What goes wrong on purpose, and for how long still.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::order::MessageWay;

/// Faults at work. Serialised into the status: zero and false are nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Faults {
    pub refuse_sends: u32,
    pub refuse_code: u16,
    pub refuse_text: String,
    pub rate_limit_sends: u32,
    /// configureAuthenticatedSession is refused.
    pub refuse_guest_auth: u32,
    pub guest_auth_code: u16,
    pub guest_auth_text: String,
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
    pub request_text: Option<String>,
    pub request_after: bool,
    /// Refusals of requests to some paths only; the first that fits is spent.
    pub refusals: Vec<Refusal>,
    /// Requests that are answered late; the first that fits is spent.
    pub slow: Vec<Slow>,
    /// Messages to external contacts whose handshake's token dies before they are committed.
    pub expire_before_commit: u32,
    /// Handshakes of the flows' sockets that end without a close frame.
    pub break_handshakes: u32,
    /// New idempotency keys that somebody else has used before.
    pub use_keys: u32,
    /// People who will be denied when they sign in.
    pub deny_sign_in: u32,
    /// Session tokens are refused so many seconds after their issue, 0 for never before their end.
    pub refuse_session_tokens_after: u32,
    /// Error code of every upload, 0 for none.
    pub reject_upload: u16,
    pub clock_skew_seconds: i32,
    pub partner_paused: bool,
    /// Notifications that are lost on their way.
    pub drop_notifications: u32,
    /// Notifications still to be held back before they are sent in reverse.
    pub reorder_notifications: u32,
    /// States of conversations that are sent twice.
    pub repeat_snapshots: u32,
    /// States of conversations that come late, and how late.
    pub late_snapshots: u32,
    pub late_millis: u32,
    pub stop_heartbeats: bool,
    /// Messages of guests, and then of agents, that the other end never sees, reads otherwise, or sees twice.
    pub lose: Ways,
    pub alter: Ways,
    pub twice: Ways,
}

/// How often still, each way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ways {
    pub inbound: u32,
    pub outbound: u32,
}

impl Ways {
    pub(super) fn of(&mut self, way: MessageWay) -> &mut u32 {
        match way {
            MessageWay::Inbound => &mut self.inbound,
            MessageWay::Outbound => &mut self.outbound,
        }
    }

    fn any(&self) -> bool {
        self.inbound > 0 || self.outbound > 0
    }
}

/// A refusal of requests whose path contains a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refusal {
    pub path: String,
    pub count: u32,
    pub status: u16,
    pub retry_after: Option<u32>,
    pub text: Option<String>,
    /// The request is carried out all the same.
    pub after: bool,
}

/// Answers that come late, to all requests or to those whose path contains a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Slow {
    pub path: Option<String>,
    pub count: u32,
    pub millis: u32,
    /// The request itself is late, not only its answer.
    pub before: bool,
}

/// Frames held back until [`Faults::reorder`] is zero.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Connection and text, oldest first.
    frames: Vec<(u32, String)>,
}

impl Held {
    /// All of them, last one first.
    pub(super) fn release(&mut self) -> Vec<(u32, String)> {
        let mut frames = std::mem::take(&mut self.frames);
        frames.reverse();
        frames
    }

    pub(super) fn has(&self, conn: u32) -> bool {
        self.frames.iter().any(|(c, _)| *c == conn)
    }
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
    /// True where a client would notice anything. A silent partner is no fault.
    pub fn any(&self) -> bool {
        let counted = [
            self.refuse_sends,
            self.rate_limit_sends,
            self.refuse_guest_auth,
            self.duplicate,
            self.reorder,
            self.malformed,
            self.drop_echo,
            self.delay_millis,
            self.hold_session_response_millis,
            self.refuse_upgrades,
            self.refuse_requests,
            u32::from(self.reject_upload),
            self.expire_before_commit,
            self.break_handshakes,
            self.use_keys,
            self.deny_sign_in,
            self.refuse_session_tokens_after,
            self.drop_notifications,
            self.reorder_notifications,
            self.repeat_snapshots,
            self.late_snapshots,
        ];
        let listed = !self.refusals.is_empty() || !self.slow.is_empty();
        let switched = self.stop_pongs || self.stall || self.stop_heartbeats || self.clock_skew_seconds != 0;
        let meddled = [&self.lose, &self.alter, &self.twice].iter().any(|w| w.any());
        listed || switched || meddled || counted.iter().any(|n| *n > 0)
    }

    /// Takes one off a counter. True where there was one.
    pub(super) fn spend(counter: &mut u32) -> bool {
        let had = *counter > 0;
        *counter = counter.saturating_sub(1);
        had
    }

    /// Spends a refusal of a request to this path. One that is for all paths is for the API and the token endpoint.
    pub(super) fn refuse(&mut self, path: &str) -> Option<Refusal> {
        if let Some(k) = self.refusals.iter().position(|r| path.contains(&r.path)) {
            let refusal = self.refusals.get_mut(k)?;
            refusal.count = refusal.count.saturating_sub(1);
            let spent = refusal.clone();
            self.refusals.retain(|r| r.count > 0);
            return Some(spent);
        }
        let in_api = path.starts_with("/api/") || path.starts_with("/oauth/");
        (in_api && Self::spend(&mut self.refuse_requests)).then(|| Refusal {
            status: self.request_status,
            retry_after: self.request_retry_after,
            text: self.request_text.clone(),
            after: self.request_after,
            ..Refusal::default()
        })
    }

    /// Spends a delay of a request to this path, or of its answer: how long each of them takes.
    pub(super) fn slowness(&mut self, path: &str) -> (Duration, Duration) {
        let fits = |s: &Slow| s.path.as_ref().is_none_or(|p| path.contains(p));
        let Some(slow) = self.slow.iter_mut().find(|s| fits(s)) else { return Default::default() };
        slow.count = slow.count.saturating_sub(1);
        let late = Duration::from_millis(slow.millis.into());
        let both = if slow.before { (late, Duration::ZERO) } else { (Duration::ZERO, late) };
        self.slow.retain(|s| s.count > 0);
        both
    }

    /// What becomes of a frame: cut, doubled, held back, late.
    pub(super) fn outgoing(
        &mut self,
        held: &mut Held,
        conn: u32,
        text: &str,
        is_session_response: bool,
    ) -> Vec<Parcel> {
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
            held.frames.push((conn, text.clone()));
            self.reorder -= 1;
            if self.reorder == 0 {
                out.extend(held.release());
            }
        }
        let mut late = u64::from(self.delay_millis);
        if is_session_response {
            late += u64::from(self.hold_session_response_millis);
        }
        let late = Duration::from_millis(late);
        out.into_iter().map(|(conn, text)| Parcel { conn, text, late }).collect()
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
        let mut held = Held::default();
        let mut f = Faults { duplicate: 1, ..Faults::default() };
        assert_eq!(texts(f.outgoing(&mut held, 1, "abcd", false)), ["abcd", "abcd"]);
        assert_eq!(texts(f.outgoing(&mut held, 1, "abcd", false)), ["abcd"]);
        f.malformed = 1;
        assert_eq!(texts(f.outgoing(&mut held, 1, "äöüß", false)), ["äö"]);
        f.reorder = 3;
        assert!(f.outgoing(&mut held, 1, "one", false).is_empty());
        assert!(f.outgoing(&mut held, 2, "two", false).is_empty());
        assert_eq!(texts(f.outgoing(&mut held, 1, "three", false)), ["three", "two", "one"]);
        assert!(!f.any());
    }

    #[test]
    fn refusals_stand_side_by_side_each_for_its_path() {
        let refusal = |path: &str, count, status| Refusal { path: path.into(), count, status, ..Refusal::default() };
        let mut f = Faults { refuse_requests: 1, request_status: 503, ..Faults::default() };
        f.refusals = vec![refusal("/guests", 2, 429), refusal("refresh", 1, 401), refusal("/guests", 1, 500)];
        assert!(f.any());
        let mut status = |path: &str| f.refuse(path).map(|r| r.status);
        assert_eq!(status("/api/v2/guests/1/refresh"), Some(429), "the first that fits");
        assert_eq!(status("/crm"), None, "one for all paths is not for what lies outside the API");
        assert_eq!(status("/api/v2/x/refresh"), Some(401));
        assert_eq!(status("/api/v2/guests"), Some(429));
        assert_eq!(status("/api/v2/guests"), Some(500), "the next one of the path once that is spent");
        assert_eq!(status("/oauth/token"), Some(503));
        assert_eq!(status("/oauth/token"), None);
        assert!(!f.any());
    }

    #[test]
    fn answers_are_late_for_their_path() {
        let slow = |path: Option<&str>, millis, before| {
            let path = path.map(str::to_owned);
            Slow { path, count: 1, millis, before }
        };
        let mut f = Faults { slow: vec![slow(Some("/crm"), 7, true), slow(None, 9, false)], ..Faults::default() };
        let none = Duration::ZERO;
        assert_eq!(f.slowness("/api/v2/guests"), (none, Duration::from_millis(9)));
        assert_eq!(f.slowness("/api/v2/guests"), (none, none));
        assert_eq!(f.slowness("/crm"), (Duration::from_millis(7), none));
        assert!(!f.any());
    }

    #[test]
    fn what_is_spent_is_no_fault_any_more() {
        let mut f = Faults { refuse_sends: 1, refuse_code: 4011, partner_paused: true, ..Faults::default() };
        assert!(f.any());
        assert!(Faults::spend(&mut f.refuse_sends) && !Faults::spend(&mut f.refuse_sends));
        assert!(!f.any(), "its code stays, and means nothing");
    }

    #[test]
    fn only_a_session_response_is_held_longer() {
        let mut held = Held::default();
        let mut f = Faults { delay_millis: 5, hold_session_response_millis: 100, ..Faults::default() };
        assert_eq!(f.outgoing(&mut held, 1, "x", false)[0].late, Duration::from_millis(5));
        assert_eq!(f.outgoing(&mut held, 1, "x", true)[0].late, Duration::from_millis(105));
    }
}
