//! A world of one seed: sessions of all five flows that share credentials, run as the engine runs them, a server that
//! is busy, slow, wrong or mute, clocks that differ and jump, sockets that break, and people who do what they like.

mod calls;
mod cast;
mod credentials;
mod sockets;
mod tally;
mod verdict;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use serde_json::{Map, Value, json};

pub use tally::Tally;

use super::server::{Reply, Server};
use super::*;
use crate::dialect::credential::{Credential, Deed, Shown, Source};
use crate::dialect::seeded::Seeded;
use crate::dialect::{Action, At, Bearer, BearerNews, Call, CallId, FlowWish, Input, Wish};
use crate::model::fact::{ClockDeed, Delivery, Expiry, ExpiryEvent, SessionState};
use crate::model::flows::{HandshakeToken, RefreshForm, RenewBy, SendForm};
use crate::model::{Fact, Mono, Now, Report, Secret, Wall};

const SECOND: u64 = 1_000_000;
const START: i64 = 1_767_705_900;
/// Faults end here.
const CALM: u64 = 60 * SECOND;
/// All leave.
const LAST: u64 = CALM + 40 * SECOND;
const END: u64 = LAST + 900 * SECOND;

#[derive(Clone, Debug)]
enum Order {
    Need(usize),
    Refused(usize, u64),
    Replace(usize, u64),
    Accepted(u64),
    Deed(ClockDeed),
    Change,
}

#[derive(Debug)]
enum Event {
    Wish(usize, Wish),
    /// What lies in the session's cell is looked at.
    News(usize),
    Tick(usize, u64),
    Call(usize, CallId, Call),
    Answer(usize, CallId, u16, Option<u64>, Value),
    CallFailed(usize, CallId),
    Upgrade(usize, u32, String),
    Opened(usize, u32),
    NotOpened(usize, u32, Option<u16>),
    Request(usize, u32, String),
    Frame(usize, u32, String),
    Closed(usize, u32, u16),
    Lost(usize, u32),
    Pong(usize, u32),
    Commit(usize, String, String),
    Signed(usize, Map<String, Value>),
    Order(usize, Order),
    Fetched(usize, Option<(u16, Option<u64>, Value)>),
    Read(usize, Option<String>),
    CredentialTick(usize, u64),
    /// The newest socket breaks, or is closed with this code.
    Break(usize, Option<u16>),
    KillTokens,
    ServerClock(i64),
    LocalClock(usize, i64),
    Calm,
}

struct Holder {
    machine: Credential,
    given: bool,
    /// Microseconds by which it is wrong about the server's clock.
    wrong: i64,
    /// Nothing else is done while it fetches.
    inline: bool,
    in_flight: bool,
    orders: VecDeque<Order>,
    fetches: u64,
    asked: u64,
    ticks: u64,
}

#[derive(Clone, Copy)]
struct Known {
    until: Option<Wall>,
    margin: Duration,
}

struct Session {
    id: DialectId,
    dialect: Box<dyn Dialect>,
    credential: usize,
    wrong: i64,
    learns: bool,
    local: i64,
    cell: Option<BearerNews>,
    planned: bool,
    /// Orders of one session arrive in their order.
    order_at: u64,
    ticks: u64,
    zero: (u64, u32),
    conn: u32,
    open: Option<u32>,
    wishes: u64,
    calls: u64,
    asks: u64,
    wished: BTreeSet<String>,
    finals: BTreeMap<String, u32>,
    state: SessionState,
    begun: u32,
    ended: u32,
    summaries: u32,
    learnt: BTreeSet<String>,
    last_learnt: String,
    known: HashMap<String, Known>,
    bearers: HashMap<u64, String>,
    /// Refused, as far as the session was told.
    dead: BTreeSet<String>,
    taken_back: BTreeSet<String>,
    /// Damaged by a person.
    on_purpose: BTreeSet<String>,
    /// The token of its newest handshake.
    shook: String,
    in_flight: HashMap<CallId, Call>,
}

pub struct World {
    chance: Seeded,
    now: u64,
    queue: BTreeMap<(u64, u64), Event>,
    counted: u64,
    server: Server,
    /// Microseconds by which the server's clock is ahead.
    ahead: i64,
    credentials: Vec<Holder>,
    sessions: Vec<Session>,
    shared: Shared,
    limit: u32,
    guest_calls: VecDeque<u64>,
    learnt: BTreeSet<String>,
    corrupting: bool,
    log: Option<Vec<String>>,
    tally: Tally,
    broken: Vec<String>,
}

impl World {
    pub fn new(seed: u64, sessions: usize, log: bool) -> Self {
        let mut chance = Seeded::new(seed);
        let server = Server::new(chance.number());
        let count = 1 + chance.up_to(3) as usize;
        let mut world = Self {
            ahead: [0, 1_800, -40, 7][chance.up_to(3) as usize] * SECOND as i64,
            limit: [200, 12, 2][chance.up_to(2) as usize],
            chance,
            now: 0,
            queue: BTreeMap::new(),
            counted: 0,
            server,
            credentials: Vec::new(),
            sessions: Vec::new(),
            shared: Shared::default(),
            guest_calls: VecDeque::new(),
            learnt: BTreeSet::new(),
            corrupting: false,
            log: log.then(Vec::new),
            tally: Tally::default(),
            broken: Vec::new(),
        };
        for n in 0..count {
            let shared = world.credential(n);
            world.credentials.push(shared);
        }
        for n in 0..sessions {
            let session = world.session(n, count);
            world.sessions.push(session);
            world.script(n, sessions);
        }
        for n in 0..count {
            for _ in 0..world.chance.up_to(4) {
                let after = world.chance.up_to(CALM);
                let order = match world.chance.up_to(5) {
                    0 => Order::Deed(ClockDeed::Refresh),
                    1 => Order::Deed(ClockDeed::Corrupt),
                    2 => Order::Deed(ClockDeed::Forget),
                    3 => Order::Change,
                    _ => Order::Deed(ClockDeed::Expire),
                };
                world.plan(after, Event::Order(n, order));
            }
        }
        if world.chance.up_to(3) == 0 {
            let (after, by) = (world.chance.up_to(CALM), world.chance.up_to(7200) as i64 - 3600);
            world.plan(after, Event::ServerClock(by * SECOND as i64));
        }
        if world.chance.up_to(3) == 0 {
            let after = world.chance.up_to(CALM);
            world.plan(after, Event::KillTokens);
        }
        world.plan(CALM, Event::Calm);
        world
    }

    fn plan(&mut self, after: u64, event: Event) {
        self.counted += 1;
        self.queue.insert((self.now + after, self.counted), event);
    }

    fn latency(&mut self) -> u64 {
        let usual = 2_000 + self.chance.up_to(80_000);
        if self.server.fault(4) { usual + self.chance.up_to(15 * SECOND) } else { usual }
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(log) = &mut self.log {
            log.push(format!("{:>10.3} {}", now as f64 / 1e6, what()));
        }
    }

    fn server_now(&self) -> Wall {
        Wall::from_secs(START).plus_micros(self.now as i64 + self.ahead)
    }

    fn at(&self, local: i64, wrong: i64) -> At {
        let wall = Wall::from_secs(START).plus_micros(self.now as i64 + local);
        At { now: Now { wall, mono: Mono(1 + self.now) }, server: self.server_now().plus_micros(wrong) }
    }

    fn at_of(&self, n: usize) -> At {
        self.at(self.sessions[n].local, self.sessions[n].wrong)
    }

    fn handle(&mut self, event: Event) {
        if !matches!(event, Event::Tick(..) | Event::CredentialTick(..)) {
            self.tell(|| format!("{event:?}"));
        }
        match event {
            Event::Wish(n, wish) => self.wish(n, wish),
            Event::News(n) => {
                self.sessions[n].planned = false;
                if let Some(news) = self.sessions[n].cell.take() {
                    self.hear(n, &news);
                    self.step(n, Input::Bearer(news));
                }
            }
            Event::Tick(n, ticks) if ticks == self.sessions[n].ticks => self.step(n, Input::Tick),
            Event::Call(n, id, call) => self.reaches_server(n, id, &call),
            Event::Answer(n, call, status, after, body) => self.answered(n, call, status, after, &body),
            Event::CallFailed(n, call) => {
                self.sessions[n].in_flight.remove(&call);
                self.step(
                    n,
                    Input::CallFailed { call, report: Report::new("timeout", "No answer", "It took too long.") },
                );
            }
            Event::Upgrade(n, conn, token) => self.upgrade(n, conn, &token),
            Event::Opened(n, conn) if conn == self.sessions[n].conn => {
                self.sessions[n].open = Some(conn);
                self.step(n, Input::Opened { conn });
            }
            Event::NotOpened(n, conn, status) if conn == self.sessions[n].conn => {
                if status == Some(401) {
                    let token = self.sessions[n].shook.clone();
                    self.sessions[n].dead.insert(token);
                }
                self.step(n, Input::NotOpened { conn, status, report: Report::new("not-opened", "Not opened", "") });
            }
            Event::Request(n, conn, text) if self.sessions[n].open == Some(conn) => self.request(n, conn, &text),
            Event::Frame(n, conn, text) => {
                let conn = if conn == 0 { self.sessions[n].conn } else { conn };
                if self.sessions[n].open == Some(conn) {
                    self.step(n, Input::Text { conn, text: &text });
                }
            }
            Event::Closed(n, conn, code) if self.sessions[n].open == Some(conn) => {
                self.sessions[n].open = None;
                self.server.socket_gone((n, conn));
                self.step(n, Input::Closed { conn, code, reason: "" });
            }
            Event::Lost(n, conn) if self.sessions[n].open == Some(conn) => {
                self.sessions[n].open = None;
                self.server.socket_gone((n, conn));
                self.step(n, Input::Lost { conn, why: "reset" });
            }
            Event::Pong(n, conn) if self.sessions[n].open == Some(conn) => self.step(n, Input::Pong { conn }),
            Event::Break(n, code) => {
                let conn = self.sessions[n].conn;
                self.handle(match code {
                    Some(code) if code != 1006 => Event::Closed(n, conn, code),
                    _ => Event::Lost(n, conn),
                });
            }
            Event::Commit(n, id, text) => self.commit(n, &id, &text),
            Event::Signed(n, claims) => {
                if self.server.fault(6) {
                    self.step(n, Input::NotSigned { report: Report::new("no-key", "No key", "There is none.") });
                } else {
                    self.counted += 1;
                    let token = jwt(&format!("signed{}", self.counted), &Value::Object(claims));
                    self.step(n, Input::Signed { token: Secret::new(token), kid: "k1".into() });
                }
            }
            Event::Order(c, order) => self.order(c, order),
            Event::Fetched(c, answer) => self.fetched(c, answer),
            Event::Read(c, found) => {
                self.credentials[c].in_flight = false;
                let found = if self.server.fault(5) {
                    Err(Report::new("keyring", "The keyring is locked", "It is locked."))
                } else {
                    Ok(found.map(Secret::new))
                };
                self.with(c, |credential, at, out| credential.given(at, found, out));
                self.drain(c);
            }
            Event::CredentialTick(c, ticks)
                if ticks == self.credentials[c].ticks
                    && !(self.credentials[c].inline && self.credentials[c].in_flight) =>
            {
                self.with(c, Credential::tick);
            }
            Event::KillTokens => {
                let now = self.server_now();
                self.server.kill_tokens(now);
            }
            Event::ServerClock(by) => {
                self.ahead += by;
                self.sessions.iter_mut().for_each(|s| s.wrong -= by);
                self.credentials.iter_mut().for_each(|c| c.wrong -= by);
            }
            Event::LocalClock(n, local) => self.sessions[n].local = local,
            Event::Calm => {
                self.server.faults = 0;
                self.server.lives = vec![3600];
                self.credentials.iter_mut().for_each(|c| c.wrong = 0);
                for n in 0..self.sessions.len() {
                    self.sessions[n].wrong = 0;
                    self.again(n);
                }
            }
            _ => {}
        }
    }

    fn wish(&mut self, n: usize, wish: Wish) {
        let session = &mut self.sessions[n];
        session.wishes += 1;
        if let Wish::Text { tracing, .. } | Wish::Flow(FlowWish::Say { tracing, .. }) = &wish {
            session.wished.insert(tracing.clone());
        }
        self.step(n, Input::Wish(wish));
    }

    fn step(&mut self, n: usize, input: Input<'_>) {
        let at = self.at_of(n);
        let mut out = Vec::new();
        self.sessions[n].dialect.step(at, input, &mut out);
        let pending = self.sessions[n].wished.len() - self.sessions[n].finals.len();
        if out.len() > 40 + 8 * pending {
            self.broken.push(format!("{} actions in one step", out.len()));
        }
        for action in out {
            self.act(n, at, action);
        }
        self.again(n);
    }

    /// Plans the next tick of a session.
    fn again(&mut self, n: usize) {
        let at = self.at_of(n);
        let (now, session) = (self.now, &mut self.sessions[n]);
        session.ticks += 1;
        let Some(wait) = session.dialect.wait(at) else { return };
        session.zero = match session.zero {
            (since, count) if since == now && wait.is_zero() => (since, count + 1),
            _ => (now, 0),
        };
        if session.zero.1 > 60 {
            self.broken.push(format!("session {n} does not let time go by"));
            return;
        }
        let ticks = session.ticks;
        self.plan(wait.as_micros() as u64, Event::Tick(n, ticks));
    }

    fn act(&mut self, n: usize, at: At, action: Action) {
        if self.log.is_some()
            && let Some(told) = super::play::tell(&action)
        {
            self.tell(|| format!("  session {n}: {told}"));
        }
        match action {
            Action::Learn { value, .. } => {
                self.sessions[n].last_learnt.clone_from(value.expose());
                self.sessions[n].learnt.insert(value.expose().clone());
            }
            Action::NeedBearer => self.ask(n, Order::Need(n)),
            Action::BearerRefused { number } => {
                let session = &mut self.sessions[n];
                session.dead.extend(session.bearers.get(&number).cloned());
                self.ask(n, Order::Refused(n, number));
            }
            Action::BearerReplace { number } => {
                let session = &mut self.sessions[n];
                session.dead.extend(session.bearers.get(&number).cloned());
                self.ask(n, Order::Replace(n, number));
            }
            Action::BearerAccepted { number } => self.ask(n, Order::Accepted(number)),
            Action::Call { call, request } => self.call(n, at, call, request),
            Action::Open { conn, url, headers } => self.open(n, at, conn, &url, &headers),
            Action::Text { conn, text, .. } => {
                if self.sessions[n].open != Some(conn) {
                    self.broken.push(format!("session {n} writes on a socket that is not open: {text}"));
                }
                if let Some(token) = serde_json::from_str::<Value>(&text).unwrap_or_default()["token"].as_str() {
                    self.check_token(n, at, token, true);
                }
                self.plan(3_000, Event::Request(n, conn, text));
            }
            Action::Ping { conn } => {
                let latency = self.latency();
                self.plan(latency, Event::Pong(n, conn));
            }
            Action::Close { conn, code, .. } => {
                let latency = self.latency();
                let event = if self.server.fault(20) { Event::Lost(n, conn) } else { Event::Closed(n, conn, code) };
                self.plan(latency, event);
            }
            Action::Sign { claims } => {
                let latency = self.latency();
                self.plan(latency, Event::Signed(n, claims));
            }
            Action::Keep { .. } => {}
            Action::State(fact) => self.state(n, at, fact),
        }
    }

    /// Runs to the end; what was broken, and the log where one was kept.
    pub fn run(mut self) -> Result<Tally, (String, String)> {
        let most = 40_000 + 4_000 * self.sessions.len() as u64;
        let mut steps = 0;
        while let Some(entry) = self.queue.first_entry() {
            let (at, _) = *entry.key();
            if at > END || !self.broken.is_empty() {
                break;
            }
            self.now = at;
            let event = entry.remove();
            self.handle(event);
            steps += 1;
            if steps > most {
                self.broken.push("no end".into());
            }
        }
        if self.broken.is_empty() {
            self.judge();
        }
        match self.broken.is_empty() {
            true => Ok(self.tally),
            false => Err((self.broken.join("\n"), self.log.unwrap_or_default().join("\n"))),
        }
    }
}
