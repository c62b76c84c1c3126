//! Ends what is over: sessions, connections, handshakes, conversations.
//!
//! Everything is looked at only once something may be over. So whatever makes something new that ends must say within
//! which time; what is put off needs no word.

use std::time::Duration;

use super::flows;
use super::frame::{self, Envelope};
use super::platform;
use super::state::{State, Stop};
use crate::model::Now;

impl State {
    /// Something new ends within this time by one of the clocks, if nothing puts it off.
    pub(super) fn ends_within(&mut self, left: Duration, now: Now) {
        let due = self.due.get_or_insert(Now { wall: now.wall + left, mono: now.mono + left });
        due.wall = due.wall.min(now.wall + left);
        due.mono = due.mono.min(now.mono + left);
    }

    /// Ends what is over at `now`; the time until something may be over next, if any. Cheap before that time: this
    /// is called at every request.
    pub(super) fn sweep(&mut self, now: Now) -> Option<Duration> {
        let later = flows::run(self, now);
        let next = match self.due {
            Some(due) if due.wall <= now.wall || due.mono <= now.mono => self.sweep_all(now),
            Some(due) => {
                let by_wall = u64::try_from(due.wall.micros_since(now.wall)).unwrap_or_default();
                Some(due.mono.since(now.mono).min(Duration::from_micros(by_wall)))
            }
            None => None,
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
            platform::left(self, id, "session.expired", now);
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
        let of_platform = platform::sweep(self, now);
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
        let next = sessions.chain(conns).chain(handshakes).chain(of_flows).chain(of_platform).min();
        self.due = None;
        if let Some(left) = next {
            self.ends_within(left, now);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Mono, Secret, Wall};
    use crate::sandbox::state::{Identity, Peer};

    fn state() -> State {
        let me = Identity {
            addr: ([127, 0, 0, 1], 8089).into(),
            deployment_id: "d1".into(),
            organization_id: "o1".into(),
            client_id: "c1".into(),
            client_secret: Secret::from("x"),
            pkce_client_id: "p1".into(),
            queue_id: "q1".into(),
        };
        State::new(me, 100, 60, 900)
    }

    /// True where nothing is left that should have ended.
    fn is_swept(state: &State, now: Now) -> bool {
        let d = &state.deployment;
        let over = |from: Mono, secs: u32| now.mono.since(from) >= Duration::from_secs(secs.into());
        state.sessions.values().all(|s| s.expired || s.ends() > now.wall)
            && state.conns.values().all(|c| {
                let quiet = c.peer.is_none() && (over(c.active, d.idle_secs) || over(c.opened, d.connection_secs));
                c.closing || !(quiet || c.handshake_by.is_some_and(|by| by <= now.mono))
            })
    }

    proptest! {
        #[test]
        fn nothing_outlives_its_end_though_little_is_looked_at(
            deeds in prop::collection::vec((0..7_u8, 0..120_u64, prop::sample::select(vec![-90_i64, 0, 0, 0, 50])), 1..60),
        ) {
            let mut state = state();
            let mut now = Now { wall: Wall::from_secs(1_000_000), mono: Mono(1) };
            // Their ends stay open, or what is sent would cut the connections off.
            let mut ends = Vec::new();
            for (deed, secs, jump) in deeds {
                let went = Duration::from_secs(secs);
                now = Now { wall: (now.wall + went).plus_micros(jump * 1_000_000), mono: now.mono + went };
                let next = state.sweep(now);
                prop_assert!(is_swept(&state, now));
                prop_assert!(next != Some(Duration::ZERO));
                match deed {
                    0 => drop(state.open_session("t", "d1", Default::default(), now)),
                    1 => ends.push(state.open_conn(None, None, None, now)),
                    2 => {
                        ends.push(state.open_conn(Some(Peer::Guest(1)), None, None, now));
                        let conn = ends.last().map(|e| e.0).unwrap();
                        flows::guest_opened(&mut state, conn, now);
                    }
                    3 => {
                        let id = state.sessions.keys().next_back().copied().unwrap_or_default();
                        state.slide(id, now);
                    }
                    4 => state.deployment.session_secs = 10 + u32::try_from(secs).unwrap(),
                    5 => {
                        state.deployment.idle_secs = 1 + u32::try_from(secs).unwrap();
                        state.sweep_all(now);
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn a_quiet_moment_looks_at_nothing() {
        let mut state = state();
        let at = |secs: u64| Now { wall: Wall::from_secs(1000 + secs as i64), mono: Mono(secs * 1_000_000) };
        state.open_session("t", "d1", Default::default(), at(0));
        assert_eq!(state.sweep(at(0)), Some(Duration::from_secs(100)));
        let due = state.due;
        state.slide(1, at(50));
        assert_eq!(state.sweep(at(60)), Some(Duration::from_secs(40)), "what was put off is found out then");
        assert_eq!(state.due, due);
        assert_eq!(state.sweep(at(100)), Some(Duration::from_secs(50)));
        assert_eq!(state.sweep(at(150)), None);
        assert_eq!(state.due, None);
    }
}
