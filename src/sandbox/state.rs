//! All that a sandbox knows, behind one lock. Nothing here waits; what is to be sent goes into bounded queues.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::deployment::Deployment;
use super::faults::{Faults, Held};
use super::files::Files;
use super::flows::Flows;
use super::frame::Structured;
use super::limits::Window;
use super::members::Members;
use super::oauth::SignIns;
use super::partner::Said;
use super::platform::{self, Platform};
use super::tokens::Tokens;
use crate::model::environment::Limits;
use crate::model::{Mono, Now, Secret, Wall};

/// Frames that may wait for one connection. A peer that reads so slowly that it is full is cut off.
pub(super) const QUEUE: usize = 1024;
/// What the partner has not answered yet, per session.
const UNANSWERED: usize = 64;
/// Sessions remembered; the oldest without a connection goes.
const SESSIONS: usize = 1000;
/// Messages remembered per session; the oldest goes.
const HISTORY: usize = 10_000;

/// Names made anew at each start.
pub(super) struct Identity {
    pub(super) addr: SocketAddr,
    /// It speaks TLS.
    pub(super) secure: bool,
    pub(super) deployment_id: String,
    pub(super) organization_id: String,
    pub(super) client_id: String,
    pub(super) client_secret: Secret<String>,
    /// The client without a secret.
    pub(super) pkce_client_id: String,
    pub(super) queue_id: String,
}

impl Identity {
    pub(super) fn http(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.addr)
    }

    pub(super) fn ws(&self) -> String {
        format!("{}://{}", if self.secure { "wss" } else { "ws" }, self.addr)
    }
}

pub(super) enum Out {
    Text(String),
    Close { code: u16, reason: String },
}

pub(super) struct Item {
    pub(super) due: Instant,
    pub(super) out: Out,
}

/// Orders to a connection's task that overtake its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Not,
    /// Answer the peer's close and end.
    PeerClosed(Option<u16>),
    /// End without a word.
    Now,
}

/// Who is at the other end of a flow's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// An external contact: `x1`.
    Contact(u32),
    /// A guest that is a resource: `g1`.
    Guest(u32),
    /// A notification channel of an agent: `n1`.
    Channel(u32),
}

/// A new connection: its number, what to write, and orders that overtake that.
pub(super) type Opened = (u32, mpsc::Receiver<Item>, watch::Receiver<Stop>);

pub(super) struct Conn {
    /// None for web messaging.
    pub(super) peer: Option<Peer>,
    /// A guest's handshake is awaited until then.
    pub(super) handshake_by: Option<Mono>,
    /// The session of web messaging that it has configured.
    pub(super) session: Option<u32>,
    pub(super) opened: Mono,
    /// When a frame last went either way.
    pub(super) active: Mono,
    pub(super) origin: Option<String>,
    pub(super) application: Option<String>,
    pub(super) requests: Window,
    pub(super) echoes: Window,
    /// A close frame is on its way.
    pub(super) closing: bool,
    queue: mpsc::Sender<Item>,
    stop: watch::Sender<Stop>,
}

pub(super) struct Session {
    /// The guest's identity.
    pub(super) token: Secret<String>,
    /// Who has signed in, by its number among the members.
    pub(super) member: Option<u32>,
    pub(super) deployment_id: String,
    pub(super) opened: Mono,
    pub(super) expires: Wall,
    /// Set by an order; no message moves it.
    pub(super) doom: Option<Wall>,
    pub(super) expired: bool,
    pub(super) read_only: bool,
    /// Ended by `closeSession`.
    pub(super) closed: bool,
    pub(super) greeted: bool,
    /// Oldest first.
    pub(super) conns: Vec<u32>,
    /// Oldest first.
    pub(super) history: VecDeque<Structured>,
    /// How many were pushed out of it.
    pub(super) forgotten: u64,
    pub(super) attributes: BTreeMap<String, Value>,
    pub(super) messages: Window,
    pub(super) configures: Window,
    pub(super) history_calls: Window,
    pub(super) partner: mpsc::Sender<Said>,
}

impl Session {
    pub(super) fn ends(&self) -> Wall {
        self.doom.map_or(self.expires, |d| d.min(self.expires))
    }
}

pub(super) struct State {
    pub(super) me: Identity,
    pub(super) deployment: Deployment,
    pub(super) limits: Limits,
    session_ttl_secs: u32,
    pub(super) jwt_ttl_secs: u32,
    pub(super) faults: Faults,
    held: Held,
    pub(super) sessions: BTreeMap<u32, Session>,
    /// Sessions by a hash of their token, which is kept once.
    by_token: HashMap<u64, Vec<u32>>,
    hasher: RandomState,
    pub(super) conns: BTreeMap<u32, Conn>,
    pub(super) files: Files,
    pub(super) tokens: Tokens,
    pub(super) flows: Flows,
    pub(super) sign_ins: SignIns,
    pub(super) platform: Platform,
    pub(super) members: Members,
    /// Sessions whose partner is not at work yet.
    pub(super) born: Vec<(u32, mpsc::Receiver<Said>)>,
    /// Connections cut off because they did not read.
    pub(super) cut_off: u64,
    pub(super) stalled: watch::Sender<bool>,
    /// Number of the newest session, contact or guest.
    last_number: u32,
    last_conn: u32,
    /// Nothing is over before one of the clocks gets here; none where nothing ends.
    pub(super) due: Option<Now>,
}

impl State {
    pub(super) fn new(me: Identity, session_ttl_secs: u32, jwt_ttl_secs: u32, oauth_secs: u32) -> Self {
        Self {
            platform: Platform::new(&me.queue_id),
            me,
            deployment: Deployment::new(session_ttl_secs),
            limits: Limits::default(),
            session_ttl_secs,
            jwt_ttl_secs,
            faults: Faults::default(),
            held: Held::default(),
            sessions: BTreeMap::new(),
            by_token: HashMap::new(),
            hasher: RandomState::new(),
            conns: BTreeMap::new(),
            files: Files::default(),
            tokens: Tokens::default(),
            flows: Flows::new(oauth_secs),
            members: Members::default(),
            sign_ins: SignIns::new(),
            born: Vec::new(),
            cut_off: 0,
            stalled: watch::Sender::new(false),
            last_number: 0,
            last_conn: 0,
            due: None,
        }
    }

    /// The server's clock, wrong by the skew that was ordered.
    pub(super) fn wall(&self, now: Now) -> Wall {
        now.wall.plus_micros(i64::from(self.faults.clock_skew_seconds) * 1_000_000)
    }

    /// As the server tells it of an instant of the true clock, in seconds since the epoch.
    pub(super) fn told_secs(&self, at: Wall) -> i64 {
        at.as_secs() + i64::from(self.faults.clock_skew_seconds)
    }

    pub(super) fn iso(&self, now: Now) -> String {
        let at = self.wall(now);
        at.timestamp().map_or_else(|| at.rfc3339(), |t| format!("{t:.3}"))
    }

    // Connections.

    /// Takes in a new connection.
    pub(super) fn open_conn(
        &mut self,
        peer: Option<Peer>,
        origin: Option<String>,
        application: Option<String>,
        now: Now,
    ) -> Opened {
        let (queue, items) = mpsc::channel(QUEUE);
        let (stop, stopped) = watch::channel(Stop::Not);
        self.last_conn += 1;
        let conn = Conn {
            peer,
            handshake_by: None,
            session: None,
            opened: now.mono,
            active: now.mono,
            origin,
            application,
            requests: Window::default(),
            echoes: Window::default(),
            closing: false,
            queue,
            stop,
        };
        self.conns.insert(self.last_conn, conn);
        if peer.is_none() {
            let (idle, life) = (self.deployment.idle_secs, self.deployment.connection_secs);
            self.ends_within(Duration::from_secs(idle.min(life).into()), now);
        }
        (self.last_conn, items, stopped)
    }

    pub(super) fn forget_conn(&mut self, id: u32) {
        self.detach(id);
        self.conns.remove(&id);
    }

    /// Takes a connection out of its session, or away from its peer.
    pub(super) fn detach(&mut self, id: u32) {
        match self.conns.get(&id).and_then(|c| c.peer) {
            Some(Peer::Contact(number)) => self.flows.contacts.remove(number),
            Some(Peer::Guest(number)) => {
                if let Some(guest) = self.flows.guests.at_mut(number) {
                    guest.conns.retain(|c| *c != id);
                }
            }
            Some(Peer::Channel(number)) => {
                if let Some(channel) = self.platform.channels.at_mut(number) {
                    channel.conns.retain(|c| *c != id);
                }
            }
            None => {}
        }
        let session = self.conns.get_mut(&id).and_then(|c| c.session.take());
        if let Some(s) = session.and_then(|session| self.sessions.get_mut(&session)) {
            s.conns.retain(|c| *c != id);
        }
    }

    /// Sends a frame through the faults.
    pub(super) fn post(&mut self, conn: u32, text: &str, now: Now) {
        self.post_kind(conn, text, false, now);
    }

    pub(super) fn post_kind(&mut self, conn: u32, text: &str, is_session_response: bool, now: Now) {
        for parcel in self.faults.outgoing(&mut self.held, conn, text, is_session_response) {
            self.put(parcel.conn, Out::Text(parcel.text), parcel.late, now);
        }
    }

    /// Sends what was held back to be reversed, late or not.
    pub(super) fn release_held(&mut self, now: Now) {
        for (conn, text) in self.held.release() {
            self.put(conn, Out::Text(text), Duration::ZERO, now);
        }
    }

    /// Closes a connection after what is queued for it.
    pub(super) fn close_conn(&mut self, id: u32, code: u16, reason: &str, now: Now) {
        if self.held.has(id) {
            self.faults.reorder = 0;
            self.release_held(now);
        }
        self.detach(id);
        let late = Duration::from_millis(u64::from(self.faults.delay_millis));
        self.put(id, Out::Close { code, reason: reason.to_owned() }, late, now);
    }

    /// Overtakes the queue.
    pub(super) fn stop_conn(&mut self, id: u32, stop: Stop) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.closing = true;
            conn.stop.send_replace(stop);
        }
        if stop == Stop::Now {
            self.detach(id);
        }
    }

    fn put(&mut self, id: u32, out: Out, late: Duration, now: Now) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.closing {
            return;
        }
        conn.active = now.mono;
        conn.closing = matches!(out, Out::Close { .. });
        if conn.queue.try_send(Item { due: Instant::now() + late, out }).is_err() {
            conn.closing = true;
            conn.stop.send_replace(Stop::Now);
            self.cut_off += 1;
        }
    }

    // Sessions.

    pub(super) fn find_session(&self, token: &str) -> Option<u32> {
        let ids = self.by_token.get(&self.hasher.hash_one(token))?;
        ids.iter().rev().find(|id| self.sessions.get(id).is_some_and(|s| s.token.expose() == token)).copied()
    }

    /// The number of a new session, contact or guest: the highest is the newest of them all.
    pub(super) fn next_number(&mut self) -> u32 {
        self.last_number += 1;
        self.last_number
    }

    pub(super) fn open_session(&mut self, token: &str, deployment_id: &str, configures: Window, now: Now) -> u32 {
        if self.sessions.len() >= SESSIONS
            && let Some(id) = self.sessions.iter().find(|(_, s)| s.conns.is_empty()).map(|(id, _)| *id)
        {
            platform::left(self, id, "system", now);
            self.forget_session(id);
        }
        let (partner, said) = mpsc::channel(UNANSWERED);
        let number = self.next_number();
        let life = Duration::from_secs(self.deployment.session_secs.into());
        let session = Session {
            token: Secret::from(token),
            member: None,
            deployment_id: deployment_id.to_owned(),
            opened: now.mono,
            expires: now.wall + life,
            doom: None,
            expired: false,
            read_only: false,
            closed: false,
            greeted: false,
            conns: Vec::new(),
            history: VecDeque::new(),
            forgotten: 0,
            attributes: BTreeMap::new(),
            messages: Window::default(),
            configures,
            history_calls: Window::default(),
            partner,
        };
        self.sessions.insert(number, session);
        self.by_token.entry(self.hasher.hash_one(token)).or_default().push(number);
        self.born.push((number, said));
        self.ends_within(life, now);
        number
    }

    /// Another session token leads to this session from now on.
    pub(super) fn rename_session(&mut self, id: u32, token: &str) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let old = std::mem::replace(&mut session.token, Secret::from(token));
        if let Some(ids) = self.by_token.get_mut(&self.hasher.hash_one(old.expose().as_str())) {
            ids.retain(|i| *i != id);
        }
        self.by_token.entry(self.hasher.hash_one(token)).or_default().push(id);
    }

    /// Forgets a session with its files and tokens. Its connections stay, without one.
    pub(super) fn forget_session(&mut self, id: u32) {
        if let Some(session) = self.sessions.remove(&id) {
            let hash = self.hasher.hash_one(session.token.expose().as_str());
            if let Some(ids) = self.by_token.get_mut(&hash) {
                ids.retain(|i| *i != id);
                if ids.is_empty() {
                    self.by_token.remove(&hash);
                }
            }
            for conn in session.conns {
                if let Some(c) = self.conns.get_mut(&conn) {
                    c.session = None;
                }
            }
        }
        platform::forgotten(self, id);
        self.files.forget_session(id);
        self.tokens.forget_session(id);
    }

    /// Any message either way puts the end of a session off.
    pub(super) fn slide(&mut self, id: u32, now: Now) {
        let life = Duration::from_secs(self.deployment.session_secs.into());
        if let Some(s) = self.sessions.get_mut(&id) {
            s.expires = now.wall + life;
            self.ends_within(life, now);
        }
    }

    /// Sends a frame to all connections of a session.
    pub(super) fn broadcast(&mut self, id: u32, text: &str, now: Now) {
        for conn in self.conns_of(id) {
            self.post(conn, text, now);
        }
    }

    /// Sends a frame to all connections of a peer.
    pub(super) fn tell(&mut self, peer: Peer, text: &str, now: Now) {
        for conn in self.conns_of_peer(peer) {
            self.post(conn, text, now);
        }
    }

    pub(super) fn conns_of_peer(&self, peer: Peer) -> Vec<u32> {
        match peer {
            Peer::Contact(number) => self.flows.contacts.at(number).map(|c| vec![c.conn]),
            Peer::Guest(number) => self.flows.guests.at(number).map(|g| g.conns.clone()),
            Peer::Channel(number) => self.platform.channels.at(number).map(|c| c.conns.clone()),
        }
        .unwrap_or_default()
    }

    pub(super) fn conns_of(&self, id: u32) -> Vec<u32> {
        self.sessions.get(&id).map(|s| s.conns.clone()).unwrap_or_default()
    }

    pub(super) fn remember(&mut self, id: u32, message: Structured) {
        if let Some(s) = self.sessions.get_mut(&id) {
            if s.history.len() >= HISTORY {
                s.history.pop_front();
                s.forgotten += 1;
            }
            s.history.push_back(message);
        }
    }

    /// As at the start, apart from the identity. Connections are closed.
    pub(super) fn reset(&mut self, now: Now) {
        self.faults = Faults::default();
        self.release_held(now);
        self.stalled.send_replace(false);
        for conn in self.conns.keys().copied().collect::<Vec<_>>() {
            self.close_conn(conn, 1001, "Sandbox was reset", now);
        }
        self.sessions.clear();
        self.by_token.clear();
        self.flows.reset();
        self.platform.reset();
        self.files = Files::default();
        self.tokens = Tokens::default();
        self.members = Members::default();
        self.sign_ins = SignIns::new();
        self.limits = Limits::default();
        self.deployment = Deployment::new(self.session_ttl_secs);
    }
}
