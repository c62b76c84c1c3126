//! One session: a dialect, its socket and its calls, in one task with one loop.

mod deeds;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::log::{Log, MAX_STORED};
use super::oauth;
use super::skew::SkewWatch;
use super::transport::client::Clients;
use super::transport::frames::{ReadError, Wire};
use super::transport::http::{Answer, Caller};
use super::transport::socket::{NotOpened, Opening, Socket};
use crate::dialect::{Action, At, BearerNews, Call, CallId, Dialect, Input, Seen, Wish};
use crate::model::fact::Expiry;
use crate::model::{Direction, Draft, Environment, Fact, Flags, Kind, Now, Report, Secret, SecretKind, SessionId};

/// The local wall clock is looked at again at least so often, because waits are measured on a clock that may stand
/// still while the machine sleeps.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);
/// How long the server may take to answer a close frame.
const CLOSING: Duration = Duration::from_secs(5);
/// A session that is told to end has so long to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);
/// While the disk is behind, the socket is left unread for at most so long; then payloads are left out instead.
const PATIENCE: Duration = Duration::from_secs(5);
/// Messages handled in one go before anything else gets its turn.
const BURST: usize = 512;
/// Requests whose answers can still be joined to them.
const OPEN_REQUESTS: usize = 10_000;

/// What a session asks of the engine beyond its own means.
pub enum FromSession {
    /// Put a secret into the vault, or take it out.
    Keep { session: SessionId, key: &'static str, value: Option<Secret<String>> },
}

pub struct Session {
    pub id: SessionId,
    pub dialect: Box<dyn Dialect>,
    pub log: Log,
    pub environment: Arc<Environment>,
    pub clients: Clients,
    pub wishes: mpsc::Receiver<Wish>,
    /// Told once, when the session shall end: a full queue of wishes must not hold it up.
    pub end: Arc<Notify>,
    pub out: mpsc::Sender<FromSession>,
    /// Tells that a clock was moved by hand.
    pub moved: Arc<Notify>,
    /// The OAuth token that its dialect uses, none where it uses none.
    pub credentials: Option<Credentials>,
    /// How that token stands.
    pub bearer: watch::Receiver<BearerNews>,
    pub signer: Signer,
}

/// A signed token and the id of the key.
pub type Signed = (Secret<String>, String);

/// Signs claims with the environment's active key and verifies the result. May block.
pub type Signer = Arc<dyn Fn(&Map<String, Value>) -> Result<Signed, Report> + Send + Sync>;

/// A session's share in an OAuth token.
pub struct Credentials {
    kept: Arc<oauth::Kept>,
    who: u32,
    /// What is to be told to its keeper, oldest first.
    asks: VecDeque<oauth::Order>,
}

impl Credentials {
    pub fn new(kept: Arc<oauth::Kept>, session: SessionId, news: watch::Sender<BearerNews>) -> Self {
        let who = session.0;
        Self { kept, who, asks: VecDeque::from([oauth::Order::Join { who, news }]) }
    }
}

/// What the keeper of an OAuth token can be asked.
enum Ask {
    /// A person wishes what needs one.
    ByPerson,
    Need,
    Refused(u64),
    Replace(u64),
    Accepted(u64),
}

struct State {
    skew: SkewWatch,
    conn: u32,
    socket: Option<Socket>,
    /// We sent a close frame; the connection is dropped then.
    closing: Option<Instant>,
    opening: JoinSet<(u32, Result<Socket, NotOpened>)>,
    calls: JoinSet<(CallId, Result<Answer, Report>)>,
    signing: JoinSet<Result<Signed, Report>>,
    sent: SentRequests,
    tokens: Tokens,
    actions: Vec<Action>,
    pressed_since: Option<Instant>,
    ending: Option<Instant>,
}

/// Which record asked what, by tracing id.
#[derive(Default)]
struct SentRequests {
    by_tracing: HashMap<String, u64>,
    order: VecDeque<String>,
}

impl SentRequests {
    fn add(&mut self, tracing: String, seq: u64) {
        if self.by_tracing.insert(tracing.clone(), seq).is_none() {
            self.order.push_back(tracing);
        }
        if self.order.len() > OPEN_REQUESTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_tracing.remove(&oldest);
        }
    }

    fn seq(&self, tracing: Option<&str>) -> u64 {
        tracing.and_then(|t| self.by_tracing.get(t)).copied().unwrap_or(0)
    }
}

/// The placeholders under which the session's tokens stand in the log: the newest of each kind.
#[derive(Default)]
struct Tokens(HashMap<SecretKind, String>);

impl Tokens {
    fn learnt(&mut self, kind: SecretKind, placeholder: String) {
        self.0.insert(kind, placeholder);
    }

    /// A dialect knows its tokens, but not how they are called in the log.
    fn name(&self, expiry: &mut Expiry) {
        if expiry.token.is_none() {
            let kind = match expiry.id.as_str() {
                "guest-jwt" | "guest-token" | "signed-token" => SecretKind::Jwt,
                "session-idle" | "session-token" => SecretKind::SessionToken,
                // That of a guest who has signed in is told from the one for history.
                "handshake-token" | "guest-auth" => SecretKind::AccessToken,
                _ => return,
            };
            expiry.token = self.0.get(&kind).cloned();
        }
    }
}

enum Turn {
    Wish(Wish),
    Bearer,
    /// The keeper of the OAuth token has room for what it shall be told; none where it has ended.
    Room(Option<mpsc::OwnedPermit<oauth::Order>>),
    Signed(Result<Signed, Report>),
    End,
    Opened(u32, Result<Socket, NotOpened>),
    Answered(CallId, Result<Answer, Report>),
    Wire(Result<Option<Wire>, ReadError>),
    Woken,
}

impl Session {
    /// Runs until it is told to end.
    pub async fn run(mut self) {
        let now = self.log.now();
        let mut s = State {
            skew: SkewWatch::new(self.id, now),
            conn: 0,
            socket: None,
            closing: None,
            opening: JoinSet::new(),
            calls: JoinSet::new(),
            signing: JoinSet::new(),
            sent: SentRequests::default(),
            tokens: Tokens::default(),
            actions: Vec::new(),
            pressed_since: None,
            ending: None,
        };
        loop {
            let moved = self.moved.clone();
            let moved = moved.notified();
            if s.skew.look(&self.log) {
                self.step(&mut s, Input::Tick);
            }
            self.do_what_is_due(&mut s);
            let quiet = s.socket.is_none() && s.opening.is_empty() && s.calls.is_empty();
            if s.ending.is_some_and(|until| until <= Instant::now() || quiet) {
                return;
            }
            let turn = self.wait(&mut s, moved).await;
            self.take(&mut s, turn);
        }
    }

    /// Timers come first: a socket that never rests must not keep pings and time limits waiting.
    fn do_what_is_due(&mut self, s: &mut State) {
        if s.closing.is_some_and(|until| until <= Instant::now()) {
            self.lose(s, "the server did not answer our close frame");
        }
        if self.dialect.wait(self.at(s)).is_some_and(|w| w.is_zero()) {
            self.step(s, Input::Tick);
        }
    }

    async fn wait(&mut self, s: &mut State, moved: impl Future<Output = ()>) -> Turn {
        let at = self.at(s);
        let tick = self.dialect.wait(at).map(|w| w.clamp(SHORTEST_SLEEP, LONGEST_SLEEP));
        let tick = tick.or(s.socket.as_ref().map(|_| LONGEST_SLEEP));
        let pressed = self.is_pressed(s);
        let closing = s.closing;
        let ending = s.ending;
        let socket = &mut s.socket;
        let room = self.credentials.as_ref().filter(|c| !c.asks.is_empty()).map(|c| c.kept.orders.clone());
        let asking = room.is_some();
        tokio::select! {
            biased;
            permit = reserve(room), if asking => Turn::Room(permit),
            Ok(()) = self.bearer.changed() => Turn::Bearer,
            Some(Ok(signed)) = s.signing.join_next(), if !s.signing.is_empty() => Turn::Signed(signed),
            () = self.end.notified(), if ending.is_none() => Turn::End,
            Some(wish) = self.wishes.recv(), if ending.is_none() => Turn::Wish(wish),
            Some(Ok((conn, result))) = s.opening.join_next(), if !s.opening.is_empty() => Turn::Opened(conn, result),
            Some(Ok((call, result))) = s.calls.join_next(), if !s.calls.is_empty() => Turn::Answered(call, result),
            wire = next_wire(socket), if !pressed && socket.is_some() => Turn::Wire(wire),
            () = sleep(SHORTEST_SLEEP), if pressed => Turn::Woken,
            () = sleep_until(closing.unwrap_or_else(Instant::now)), if closing.is_some() => Turn::Woken,
            () = sleep_until(ending.unwrap_or_else(Instant::now)), if ending.is_some() => Turn::Woken,
            () = sleep(tick.unwrap_or(LONGEST_SLEEP)), if tick.is_some() => Turn::Woken,
            () = moved => Turn::Woken,
        }
    }

    /// True while the socket shall be left unread because the disk is behind. Not for so long that it dies of it.
    fn is_pressed(&self, s: &mut State) -> bool {
        if !self.log.is_pressed() {
            s.pressed_since = None;
            return false;
        }
        let since = *s.pressed_since.get_or_insert_with(Instant::now);
        since.elapsed() < PATIENCE
    }

    fn take(&mut self, s: &mut State, turn: Turn) {
        match turn {
            Turn::Wish(wish) => {
                if wish == Wish::Connect {
                    self.ask(Ask::ByPerson);
                }
                self.step(s, Input::Wish(wish));
            }
            Turn::Bearer => {
                let news = self.bearer.borrow_and_update().clone();
                self.step(s, Input::Bearer(news));
            }
            Turn::Room(permit) => {
                let ask = self.credentials.as_mut().and_then(|c| c.asks.pop_front());
                match (permit, ask) {
                    (Some(permit), Some(ask)) => drop(permit.send(ask)),
                    (None, _) => self.no_keeper(s),
                    _ => {}
                }
            }
            Turn::Signed(Ok((token, kid))) => self.step(s, Input::Signed { token, kid }),
            Turn::Signed(Err(report)) => self.step(s, Input::NotSigned { report }),
            Turn::End => {
                s.ending = Some(Instant::now() + GOODBYE);
                self.step(s, Input::Wish(Wish::Leave { code: 1000, reason: "closed by the user".into() }));
            }
            // An attempt that was overtaken by a newer one.
            Turn::Opened(conn, _) if conn != s.conn => {}
            Turn::Opened(conn, Ok(socket)) => {
                if let Some((date, sent, received)) = socket.date {
                    s.skew.learn(&self.log, date, sent, received);
                }
                s.socket = Some(socket);
                s.closing = None;
                self.step(s, Input::Opened { conn });
            }
            Turn::Opened(conn, Err(NotOpened { status, report })) => {
                self.step(s, Input::NotOpened { conn, status, report });
            }
            Turn::Answered(call, Ok(answer)) => {
                if let Some(date) = answer.date() {
                    s.skew.learn(&self.log, date, answer.sent, answer.received);
                }
                let retry_after = answer.retry_after();
                self.step(s, Input::Answer { call, status: answer.status, retry_after, body: &answer.body });
            }
            Turn::Answered(call, Err(report)) => {
                self.step(s, Input::CallFailed { call, report });
            }
            Turn::Wire(first) => self.take_burst(s, first),
            // What is due is done at the top of the loop.
            Turn::Woken => {}
        }
    }

    fn take_burst(&mut self, s: &mut State, first: Result<Option<Wire>, ReadError>) {
        // What was read in one go arrived together.
        let at = self.at(s);
        let mut next = first;
        for _ in 0..BURST {
            match next {
                Ok(Some(wire)) => self.take_wire(s, at, wire),
                Ok(None) => return self.lose(s, "the server ended the connection without a close frame"),
                Err(ReadError::Io(e)) => return self.lose(s, &e.to_string()),
                Err(ReadError::Violation(v)) => return self.violated(s, &v),
            }
            let Some(socket) = &mut s.socket else { return };
            next = match socket.reader.ready() {
                Ok(Some(wire)) => Ok(Some(wire)),
                Ok(None) => return,
                Err(v) => Err(ReadError::Violation(v)),
            };
        }
        if let Ok(Some(wire)) = next {
            self.take_wire(s, at, wire);
        }
    }

    fn take_wire(&mut self, s: &mut State, at: At, wire: Wire) {
        let conn = s.conn;
        match wire {
            Wire::Text(bytes) => {
                let seen = match std::str::from_utf8(&bytes) {
                    Ok(text) => self.dialect.step(at, Input::Text { conn, text }, &mut s.actions),
                    Err(_) => {
                        let mut seen = self.dialect.step(at, Input::Bytes { conn, bytes: &bytes }, &mut s.actions);
                        seen.flags = seen.flags.with(Flags::MALFORMED);
                        seen
                    }
                };
                self.learn(s);
                self.record_received(s, at.now, Kind::Text, &seen, bytes);
                self.act(s);
            }
            Wire::Binary(bytes) => {
                let seen = self.dialect.step(at, Input::Bytes { conn, bytes: &bytes }, &mut s.actions);
                self.record_received(s, at.now, Kind::Binary, &seen, bytes);
                self.act(s);
            }
            Wire::Ping(bytes) => {
                let beat = Seen { flags: Flags::HEARTBEAT, ..Seen::default() };
                self.record_received(s, at.now, Kind::Ping, &beat, bytes.clone());
                self.send(s, Wire::Pong(bytes), Flags::HEARTBEAT);
            }
            Wire::Pong(bytes) => {
                let mut seen = self.dialect.step(at, Input::Pong { conn }, &mut s.actions);
                seen.flags = seen.flags.with(Flags::HEARTBEAT);
                self.record_received(s, at.now, Kind::Pong, &seen, bytes);
                self.act(s);
            }
            Wire::Close { code, reason } => self.take_close(s, at.now, code, reason),
        }
    }

    fn take_close(&mut self, s: &mut State, now: Now, code: u16, reason: Bytes) {
        let flags = Seen { flags: Flags::STORY, code: i32::from(code), answers: None };
        self.record_received(s, now, Kind::Close, &flags, reason.clone());
        if s.closing.is_none() {
            self.send(s, Wire::Close { code, reason: Bytes::new() }, Flags::STORY);
        }
        s.socket = None;
        s.closing = None;
        let text = String::from_utf8_lossy(&reason).into_owned();
        self.step(s, Input::Closed { conn: s.conn, code, reason: &text });
    }

    fn record_received(&self, s: &State, at: Now, kind: Kind, seen: &Seen, mut bytes: Bytes) {
        let size = bytes.len() as u64;
        let mut draft = Draft::new(at, self.id, kind, Direction::Received)
            .conn(s.conn)
            .flags(seen.flags)
            .code(seen.code)
            .reply_to(s.sent.seq(seen.answers.as_deref()));
        if bytes.len() > MAX_STORED {
            bytes.truncate(MAX_STORED);
            draft = draft.flags(Flags::CUT);
        }
        // The lint tells what is odd about it. Not of typing and heartbeats, of which there may be a flood: those are
        // marked only.
        let odd = seen.flags.has(Flags::UNKNOWN) || seen.flags.has(Flags::MALFORMED);
        if odd && !seen.flags.is_noise() {
            draft = draft.flags(Flags::STORY);
        }
        draft.body = bytes;
        draft.size = size;
        self.log.add(draft);
    }

    /// The connection is gone, without a close frame.
    fn lose(&mut self, s: &mut State, why: &str) {
        s.socket = None;
        s.closing = None;
        let report = Report::new("connection-lost", "The connection was lost", format!("Socket {}: {why}.", s.conn))
            .remedy("Connect again with the same token, or switch reconnecting on for this session.");
        let mut draft = Draft::fact(self.log.now(), self.id, &Fact::Fault(report));
        draft.kind = Kind::SocketLost;
        draft.direction = Direction::Received;
        self.log.add(draft.conn(s.conn));
        self.step(s, Input::Lost { conn: s.conn, why });
    }

    /// The server broke the WebSocket protocol: say so, close as RFC 6455 wants, and treat the connection as lost.
    fn violated(&mut self, s: &mut State, v: &super::transport::frames::Violation) {
        let reason = Bytes::from(v.to_string());
        self.send(s, Wire::Close { code: v.close_code(), reason }, Flags::STORY.with(Flags::FAULT));
        self.lose(s, &format!("the server broke the WebSocket protocol: {v}"));
    }

    fn step(&mut self, s: &mut State, input: Input<'_>) {
        let at = self.at(s);
        self.dialect.step(at, input, &mut s.actions);
        self.act(s);
    }

    /// Makes secrets known that a message brought, before it is recorded.
    fn learn(&self, s: &mut State) {
        let tokens = &mut s.tokens;
        s.actions.retain(|action| match action {
            Action::Learn { kind, value } => {
                tokens.learnt(*kind, self.log.learn(*kind, value.expose()));
                false
            }
            _ => true,
        });
    }

    fn at(&self, s: &State) -> At {
        let now = self.log.now();
        At { now, server: s.skew.server_at(now) }
    }
}

async fn reserve(orders: Option<mpsc::Sender<oauth::Order>>) -> Option<mpsc::OwnedPermit<oauth::Order>> {
    match orders {
        Some(orders) => orders.reserve_owned().await.ok(),
        None => std::future::pending().await,
    }
}

async fn next_wire(socket: &mut Option<Socket>) -> Result<Option<Wire>, ReadError> {
    match socket {
        Some(socket) => socket.reader.next().await,
        None => std::future::pending().await,
    }
}
