//! Ends what is over: sessions, connections, handshakes, conversations.
//!
//! Everything is looked at only once something may be over. So whatever makes something new that ends must say within
//! which time; what is put off needs no word.

use std::time::Duration;

use super::flows;
use super::frame::{self, Envelope};
use super::state::{State, Stop};
use crate::model::Now;

impl State {
    /// Something new ends within this time, if nothing puts it off.
    pub(super) fn ends_within(&mut self, left: Duration, now: Now) {
        let since = self.since_swept(now).unwrap_or_default();
        self.quiet = Some(self.quiet.map_or(since + left, |q| q.min(since + left)));
    }

    /// How far the clocks are since all was looked at: the one that went further. None where one was set back.
    fn since_swept(&self, now: Now) -> Option<Duration> {
        let wall = u64::try_from(now.wall.micros_since(self.swept.wall)).ok()?;
        Some(Duration::from_micros(wall).max(now.mono.since(self.swept.mono)))
    }

    /// Ends what is over at `now`; the time until something may be over next, if any. Cheap before that time: this
    /// is called at every request.
    pub(super) fn sweep(&mut self, now: Now) -> Option<Duration> {
        let later = flows::run(self, now);
        let left = match (self.since_swept(now), self.quiet) {
            (Some(since), Some(quiet)) => Some(quiet.saturating_sub(since)),
            (Some(_), None) => None,
            (None, _) => Some(Duration::ZERO),
        };
        let next = match left {
            Some(Duration::ZERO) => self.sweep_all(now),
            other => other,
        };
        [later, next].into_iter().flatten().min()
    }

    /// As [`Self::sweep`], whatever was said to end when.
    pub(super) fn sweep_all(&mut self, now: Now) -> Option<Duration> {
        let ended: Vec<u32> =
            self.sessions.iter().filter(|(_, s)| !s.expired && s.ends() <= now.wall).map(|(id, _)| *id).collect();
        for id in ended {
            if let Some(s) = self.sessions.get_mut(&id) {
                s.expired = true;
            }
            self.broadcast(id, &frame::session_expired(Envelope::Message, None), now);
        }
        let idle = Duration::from_secs(self.deployment.idle_secs.into());
        let life = Duration::from_secs(self.deployment.connection_secs.into());
        let old: Vec<(u32, &'static str)> = self
            .conns
            .iter()
            .filter(|(_, c)| !c.closing && c.peer.is_none())
            .filter_map(|(id, c)| match () {
                () if now.mono.since(c.opened) >= life => Some((*id, "Maximum connection life reached")),
                () if now.mono.since(c.active) >= idle => Some((*id, "Idle for too long")),
                () => None,
            })
            .collect();
        for (id, reason) in old {
            self.close_conn(id, 1001, reason, now);
        }
        let mute: Vec<u32> = self
            .conns
            .iter()
            .filter(|(_, c)| !c.closing && c.handshake_by.is_some_and(|by| by <= now.mono))
            .map(|(id, _)| *id)
            .collect();
        for id in mute {
            self.stop_conn(id, Stop::Now);
        }
        self.files.prune(now);
        self.tokens.prune(now);
        let of_flows = self.flows.sweep(now);
        let sessions = self
            .sessions
            .values()
            .filter(|s| !s.expired)
            .map(|s| Duration::from_micros(s.ends().micros_since(now.wall).max(0) as u64));
        let handshakes =
            self.conns.values().filter(|c| !c.closing).filter_map(|c| c.handshake_by.map(|by| by.since(now.mono)));
        let conns = self.conns.values().filter(|c| !c.closing && c.peer.is_none()).map(|c| {
            let by_life = life.saturating_sub(now.mono.since(c.opened));
            by_life.min(idle.saturating_sub(now.mono.since(c.active)))
        });
        let next = sessions.chain(conns).chain(handshakes).chain(of_flows).min();
        self.swept = now;
        self.quiet = next;
        next
    }
}
