//! All that a sandbox knows, behind one lock. Nothing here waits; what is to be sent goes into bounded queues.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::deployment::{Deployment, DisconnectMode};
use super::faults::Faults;
use super::files::Files;
use super::frame::{self, Channel, Entity, Envelope, Structured, Way};
use super::limits::Window;
use super::partner::Said;
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
    pub(super) deployment_id: String,
    pub(super) organization_id: String,
    pub(super) client_id: String,
    pub(super) client_secret: Secret<String>,
    pub(super) queue_id: String,
}

impl Identity {
    pub(super) fn http(&self) -> String {
        format!("http://{}", self.addr)
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

pub(super) struct Conn {
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
    pub(super) history: Vec<Structured>,
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
    pub(super) sessions: BTreeMap<u32, Session>,
    pub(super) conns: BTreeMap<u32, Conn>,
    pub(super) files: Files,
    pub(super) tokens: Tokens,
    /// Sessions whose partner is not at work yet.
    pub(super) born: Vec<(u32, mpsc::Receiver<Said>)>,
    /// Connections cut off because they did not read.
    pub(super) cut_off: u64,
    pub(super) stalled: watch::Sender<bool>,
    last_session: u32,
    last_conn: u32,
}

impl State {
    pub(super) fn new(me: Identity, session_ttl_secs: u32, jwt_ttl_secs: u32) -> Self {
        Self {
            me,
            deployment: Deployment::new(session_ttl_secs),
            limits: Limits::default(),
            session_ttl_secs,
            jwt_ttl_secs,
            faults: Faults::default(),
            sessions: BTreeMap::new(),
            conns: BTreeMap::new(),
            files: Files::default(),
            tokens: Tokens::default(),
            born: Vec::new(),
            cut_off: 0,
            stalled: watch::Sender::new(false),
            last_session: 0,
            last_conn: 0,
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
        origin: Option<String>,
        application: Option<String>,
        now: Now,
    ) -> (u32, mpsc::Receiver<Item>, watch::Receiver<Stop>) {
        let (queue, items) = mpsc::channel(QUEUE);
        let (stop, stopped) = watch::channel(Stop::Not);
        self.last_conn += 1;
        let conn = Conn {
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
        (self.last_conn, items, stopped)
    }

    pub(super) fn forget_conn(&mut self, id: u32) {
        self.detach(id);
        self.conns.remove(&id);
    }

    /// Takes a connection out of its session.
    pub(super) fn detach(&mut self, id: u32) {
        if let Some(session) = self.conns.get_mut(&id).and_then(|c| c.session.take()) {
            if let Some(s) = self.sessions.get_mut(&session) {
                s.conns.retain(|c| *c != id);
            }
        }
    }

    /// Sends a frame through the faults.
    pub(super) fn post(&mut self, conn: u32, text: &str, now: Now) {
        self.post_kind(conn, text, false, now);
    }

    pub(super) fn post_kind(&mut self, conn: u32, text: &str, is_session_response: bool, now: Now) {
        for parcel in self.faults.outgoing(conn, text, is_session_response) {
            self.put(parcel.conn, Out::Text(parcel.text), parcel.late, now);
        }
    }

    /// Sends what was held back to be reversed, late or not.
    pub(super) fn release_held(&mut self, now: Now) {
        for (conn, text) in self.faults.release() {
            self.put(conn, Out::Text(text), Duration::ZERO, now);
        }
    }

    /// Closes a connection after what is queued for it.
    pub(super) fn close_conn(&mut self, id: u32, code: u16, reason: &str, now: Now) {
        if self.faults.held.iter().any(|(c, _)| *c == id) {
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
        // Few sessions: a walk is cheap, and the token is not kept twice.
        self.sessions.iter().rev().find(|(_, s)| s.token.expose() == token).map(|(id, _)| *id)
    }

    pub(super) fn open_session(&mut self, token: &str, deployment_id: &str, configures: Window, now: Now) -> u32 {
        if self.sessions.len() >= SESSIONS {
            if let Some(id) = self.sessions.iter().find(|(_, s)| s.conns.is_empty()).map(|(id, _)| *id) {
                self.forget_session(id);
            }
        }
        let (partner, said) = mpsc::channel(UNANSWERED);
        self.last_session += 1;
        let session = Session {
            token: Secret::from(token),
            deployment_id: deployment_id.to_owned(),
            opened: now.mono,
            expires: now.wall + Duration::from_secs(self.deployment.session_secs.into()),
            doom: None,
            expired: false,
            read_only: false,
            closed: false,
            greeted: false,
            conns: Vec::new(),
            history: Vec::new(),
            forgotten: 0,
            attributes: BTreeMap::new(),
            messages: Window::default(),
            configures,
            history_calls: Window::default(),
            partner,
        };
        self.sessions.insert(self.last_session, session);
        self.born.push((self.last_session, said));
        self.last_session
    }

    /// Forgets a session with its files and tokens. Its connections stay, without one.
    pub(super) fn forget_session(&mut self, id: u32) {
        if let Some(session) = self.sessions.remove(&id) {
            for conn in session.conns {
                if let Some(c) = self.conns.get_mut(&conn) {
                    c.session = None;
                }
            }
        }
        self.files.forget_session(id);
        self.tokens.forget_session(id);
    }

    /// Any message either way puts the end of a session off.
    pub(super) fn slide(&mut self, id: u32, now: Now) {
        let life = Duration::from_secs(self.deployment.session_secs.into());
        if let Some(s) = self.sessions.get_mut(&id) {
            s.expires = now.wall + life;
        }
    }

    /// Sends a frame to all connections of a session.
    pub(super) fn broadcast(&mut self, id: u32, text: &str, now: Now) {
        for conn in self.conns_of(id) {
            self.post(conn, text, now);
        }
    }

    pub(super) fn conns_of(&self, id: u32) -> Vec<u32> {
        self.sessions.get(&id).map(|s| s.conns.clone()).unwrap_or_default()
    }

    pub(super) fn remember(&mut self, id: u32, message: Structured) {
        if let Some(s) = self.sessions.get_mut(&id) {
            if s.history.len() >= HISTORY {
                s.history.remove(0);
                s.forgotten += 1;
            }
            s.history.push(message);
        }
    }

    /// Pushes a message of the guest's partner to the session and remembers it.
    pub(super) fn push_outbound(&mut self, id: u32, message: Structured, now: Now) {
        if !self.sessions.get(&id).is_some_and(|s| !s.expired) {
            return;
        }
        self.slide(id, now);
        let text = frame::message("StructuredMessage", &message, None);
        self.broadcast(id, &text, now);
        let passing = message.events.as_ref().is_some_and(|e| e.iter().all(|e| e["eventType"] == "Typing"));
        if !passing {
            self.remember(id, message);
        }
    }

    /// An outbound message to be filled in.
    pub(super) fn outbound(&self, kind: &str, now: Now) -> Structured {
        Structured {
            id: super::ids::hex32(),
            kind: kind.to_owned(),
            text: None,
            direction: Way::Outbound,
            originating_entity: Some(Entity::Bot),
            channel: Some(Channel {
                time: Some(self.iso(now)),
                kind: Some("Private"),
                from: Some(serde_json::json!({ "nickname": "Sandbox" })),
                to: Some(serde_json::json!({})),
                ..Channel::default()
            }),
            content: None,
            events: None,
            metadata: Some(super::ids::correlation()),
        }
    }

    /// Shows the agent typing.
    pub(super) fn push_typing(&mut self, id: u32, now: Now) {
        let event = serde_json::json!({ "eventType": "Typing", "typing": { "type": "On", "duration": 5000 } });
        let message = self.event(event, now);
        self.push_outbound(id, message, now);
    }

    /// Ends a conversation from the agent's side. `read_only` is as the deployment says where none.
    pub(super) fn push_disconnect(&mut self, id: u32, read_only: Option<bool>, now: Now) {
        let read_only = read_only.unwrap_or(self.deployment.conversation_disconnect == DisconnectMode::ReadOnly);
        let event = serde_json::json!({ "eventType": "Presence", "presence": { "type": "Disconnect" } });
        let mut message = self.event(event, now);
        message.metadata.get_or_insert_default().insert("readOnly".to_owned(), read_only.to_string());
        self.push_outbound(id, message, now);
        if let Some(s) = self.sessions.get_mut(&id) {
            s.read_only = read_only;
            s.greeted = false;
        }
    }

    fn event(&self, event: Value, now: Now) -> Structured {
        let mut message = self.outbound("Event", now);
        message.originating_entity = None;
        message.channel =
            Some(Channel { time: Some(self.iso(now)), message_id: Some(message.id.clone()), ..Channel::default() });
        message.events = Some(vec![event]);
        message
    }

    // Time.

    /// Ends what is over at `now`; the time until the next end, if any.
    pub(super) fn sweep(&mut self, now: Now) -> Option<Duration> {
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
            .filter(|(_, c)| !c.closing)
            .filter_map(|(id, c)| match () {
                () if now.mono.since(c.opened) >= life => Some((*id, "Maximum connection life reached")),
                () if now.mono.since(c.active) >= idle => Some((*id, "Idle for too long")),
                () => None,
            })
            .collect();
        for (id, reason) in old {
            self.close_conn(id, 1001, reason, now);
        }
        self.files.prune(now);
        self.tokens.prune(now);
        let sessions = self
            .sessions
            .values()
            .filter(|s| !s.expired)
            .map(|s| Duration::from_micros(s.ends().micros_since(now.wall).max(0) as u64));
        let conns = self.conns.values().filter(|c| !c.closing).map(|c| {
            let by_life = life.saturating_sub(now.mono.since(c.opened));
            by_life.min(idle.saturating_sub(now.mono.since(c.active)))
        });
        sessions.chain(conns).min()
    }

    /// As at the start, apart from the identity. Connections are closed.
    pub(super) fn reset(&mut self, now: Now) {
        let faults = std::mem::take(&mut self.faults);
        for (conn, text) in faults.held.into_iter().rev() {
            self.put(conn, Out::Text(text), Duration::ZERO, now);
        }
        self.stalled.send_replace(false);
        for conn in self.conns.keys().copied().collect::<Vec<_>>() {
            self.close_conn(conn, 1001, "Sandbox was reset", now);
        }
        self.sessions.clear();
        self.files = Files::default();
        self.tokens = Tokens::default();
        self.limits = Limits::default();
        self.deployment = Deployment::new(self.session_ttl_secs);
    }
}
