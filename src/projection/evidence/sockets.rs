//! Sockets: with which token each was opened, what passed last, and how many ended in the same moment.

use std::collections::VecDeque;

use bytes::Bytes;

use super::tokens::{Moment, TokenRef};
use crate::model::{Direction, Kind, Mono, Now, Record, SessionId};

/// So many sockets of a session are remembered, the newest.
const SOCKETS_KEPT: usize = 4;
/// So many of the newest frames that were sent, to know their length when they are refused.
const SENT_KEPT: usize = 16;
/// A last frame of at most so many bytes is held until the socket ends.
const FRAME_LONGEST: usize = 2_048;

#[derive(Clone, Debug)]
pub struct Socket {
    pub conn: u32,
    pub opening: Moment,
    pub opened: Option<Moment>,
    /// With which it was opened: in the upgrade, else in one of the first frames.
    pub token: Option<(TokenRef, Moment)>,
    /// A frame with a token was sent as handshake.
    pub hello: Option<Moment>,
    /// The first frame received after the handshake.
    pub confirmed: Option<Moment>,
    pub sent: u32,
    pub last_received: Option<Moment>,
    pub last_sent: Option<Moment>,
    /// Empty where it was too long.
    pub last_frame: Bytes,
    /// The newest error frame.
    pub error: Option<(Moment, Box<str>)>,
    pub closed_by_us: Option<Moment>,
    pub ended: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Sockets {
    list: Vec<Socket>,
    sent: VecDeque<(u64, u64)>,
}

impl Sockets {
    pub fn opening(&mut self, record: &Record, token: Option<TokenRef>) {
        let now = Moment { seq: record.seq, at: record.at };
        self.list.retain(|s| s.conn != record.conn);
        if self.list.len() == SOCKETS_KEPT {
            self.list.remove(0);
        }
        self.list.push(Socket {
            conn: record.conn,
            opening: now,
            opened: None,
            token: token.map(|t| (t, now)),
            hello: None,
            confirmed: None,
            sent: 0,
            last_received: None,
            last_sent: None,
            last_frame: Bytes::new(),
            error: None,
            closed_by_us: None,
            ended: false,
        });
    }

    pub fn get(&self, conn: u32) -> Option<&Socket> {
        self.list.iter().rev().find(|s| s.conn == conn)
    }

    pub fn get_mut(&mut self, conn: u32) -> Option<&mut Socket> {
        self.list.iter_mut().rev().find(|s| s.conn == conn)
    }

    pub fn open(&self) -> usize {
        self.list.iter().filter(|s| s.opened.is_some() && !s.ended).count()
    }

    /// The open sockets go on with another token.
    pub fn give_token(&mut self, token: TokenRef, now: Moment) {
        for socket in self.list.iter_mut().filter(|s| !s.ended && s.token.is_some()) {
            socket.token = Some((token, now));
        }
    }

    /// The session is ready, so the newest socket's handshake was taken.
    pub fn confirm(&mut self, now: Moment) {
        if let Some(socket) = self.list.last_mut().filter(|s| s.opened.is_some() && !s.ended) {
            socket.confirmed = socket.confirmed.or(Some(now));
        }
    }

    /// A frame passed. Looks only into the first ones that are sent, for the token of a handshake.
    pub fn frame(&mut self, record: &Record) {
        let now = Moment { seq: record.seq, at: record.at };
        if record.direction == Direction::Sent && record.kind == Kind::Text {
            if self.sent.len() == SENT_KEPT {
                self.sent.pop_front();
            }
            self.sent.push_back((record.seq, record.size));
        }
        let Some(socket) = self.get_mut(record.conn) else { return };
        match record.direction {
            Direction::Sent => {
                socket.sent = socket.sent.saturating_add(1);
                socket.last_sent = Some(now);
                if socket.sent <= 2
                    && socket.hello.is_none()
                    && let Some(token) = TokenRef::find(&record.body)
                {
                    socket.hello = Some(now);
                    socket.token = Some((token, now));
                }
            }
            _ => {
                socket.last_received = Some(now);
                if socket.confirmed.is_none() && (socket.hello.is_some() || socket.sent == 0) {
                    socket.confirmed = Some(now);
                }
                socket.last_frame = if record.body.len() <= FRAME_LONGEST { record.body.clone() } else { Bytes::new() };
            }
        }
    }

    /// Length of a frame that was sent.
    pub fn size_of(&self, seq: u64) -> Option<u64> {
        self.sent.iter().rev().find(|(s, _)| *s == seq).map(|(_, size)| *size)
    }
}

/// So many of the newest losses and failed calls of all sessions are remembered.
const LOST_KEPT: usize = 64;
/// Losses this close to each other, in microseconds, are of the same moment.
const SAME_MOMENT: u64 = 3_000_000;

/// What befell all sessions lately.
#[derive(Clone, Debug, Default)]
pub struct Around {
    open: usize,
    lost: VecDeque<(SessionId, Mono)>,
    failed: VecDeque<Mono>,
    pub answered: Option<Moment>,
}

impl Around {
    pub fn opened(&mut self) {
        self.open += 1;
    }

    pub fn ended(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    pub fn lost(&mut self, session: SessionId, at: Now) {
        if self.lost.len() == LOST_KEPT {
            self.lost.pop_front();
        }
        self.lost.push_back((session, at.mono));
    }

    pub fn call_failed(&mut self, at: Now) {
        if self.failed.len() == LOST_KEPT {
            self.failed.pop_front();
        }
        self.failed.push_back(at.mono);
    }

    /// Sockets that are open beside those of a session.
    pub fn open_beside(&self, own: usize) -> usize {
        self.open.saturating_sub(own)
    }

    /// Sockets of others that were lost in the same moment.
    pub fn lost_beside(&self, session: SessionId, at: Now) -> usize {
        let near = |m: &Mono| at.mono.0.abs_diff(m.0) <= SAME_MOMENT;
        self.lost.iter().filter(|(s, m)| *s != session && near(m)).count()
    }

    pub fn calls_failed(&self, at: Now) -> usize {
        self.failed.iter().filter(|m| at.mono.0.abs_diff(m.0) <= 10_000_000).count()
    }
}
