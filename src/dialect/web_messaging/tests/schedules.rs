//! Random schedules: a script of wishes against a server and a network that drop, delay, double, reorder, expire,
//! refuse, garble, close and break. Whatever happens, nothing is lost, doubled or endless.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::mock::Server;
use super::verdict::Tally;
use super::*;
use crate::dialect::seeded::Seeded;
use crate::dialect::{Button, Call};
use crate::model::fact::ClockDeed;
use crate::model::{Direction, Kind};

const SCHEDULES: u64 = 10_000;
pub const SECOND: u64 = 1_000_000;
/// Faults end here.
const CALM: u64 = 90 * SECOND;
/// Here the last reading of history begins.
const LAST: u64 = CALM + 500 * SECOND;
const END: u64 = LAST + 300 * SECOND;

#[derive(Debug)]
enum Event {
    Wish(Wish),
    Opened(u32),
    NotOpened(u32, Option<u16>),
    /// Reaches the server.
    Request(u32, String),
    /// Reaches the client.
    Frame(u32, String),
    Pong(u32),
    Closed(u32, u16),
    Lost(u32),
    Call(CallId, Call),
    Answer(CallId, u16, Option<u64>, String),
    CallFailed(CallId),
    ExpireSession,
    ExpireJwts,
    ServerSays,
    /// The newest connection breaks, or is closed with this code.
    Break(Option<u16>),
    Garbage(String),
    /// Connect, where the session has ended.
    Again,
    /// Connect again, for what follows.
    Mend,
}

pub struct Run {
    pub machine: WebMessaging,
    pub server: Server,
    pub chance: Seeded,
    pub now: u64,
    queue: BTreeMap<(u64, u64), Event>,
    pub counted: u64,
    pub open: BTreeSet<u32>,
    pub conn: u32,
    pub mute: bool,
    pub log: Option<Vec<String>>,
    /// Frames and answers as records would hold them.
    pub frames: Vec<(Kind, Direction, String)>,
    pub wished: BTreeSet<String>,
    pub corrupted: bool,
    pub ends: BTreeMap<String, Delivery>,
    pub sends: BTreeMap<String, u32>,
    pub opens: u32,
    pub calls: u32,
    pub history_limit: usize,
    pub history_calls: Vec<u64>,
    pub last_wish: u64,
    pub broken: Vec<String>,
}

impl Run {
    fn new(seed: u64, log: bool) -> Self {
        let mut chance = Seeded::new(seed);
        let mut env = environment();
        env.reconnect = chance.up_to(2) > 0;
        env.retry_after_429 = chance.up_to(3) > 0;
        env.timings.ping_secs = [0, 15, 60][chance.up_to(2) as usize];
        env.timings.reconnect_give_up_secs = [20, 300][chance.up_to(1) as usize];
        let history_limit = [3, 10][chance.up_to(1) as usize];
        env.limits.history_per_minute = history_limit as u32;
        let config = Config {
            hosts: hosts(),
            environment: env,
            token: Secret::from(TOKEN),
            resumed: chance.up_to(5) == 0,
            login: None,
            refresh: None,
            seed: chance.number(),
        };
        Self {
            machine: WebMessaging::new(config),
            server: Server::new(chance.number()),
            mute: chance.up_to(9) == 0,
            chance,
            now: 0,
            queue: BTreeMap::new(),
            counted: 0,
            open: BTreeSet::new(),
            conn: 0,
            log: log.then(Vec::new),
            frames: Vec::new(),
            wished: BTreeSet::new(),
            corrupted: false,
            ends: BTreeMap::new(),
            sends: BTreeMap::new(),
            opens: 0,
            calls: 0,
            history_limit,
            history_calls: Vec::new(),
            last_wish: 0,
            broken: Vec::new(),
        }
    }

    fn chaos(&self) -> bool {
        self.now < CALM
    }

    fn fault(&mut self, percent: u64) -> bool {
        self.chaos() && self.chance.up_to(99) < percent
    }

    fn plan(&mut self, after: u64, event: Event) {
        self.counted += 1;
        self.queue.insert((self.now + after, self.counted), event);
    }

    fn latency(&mut self) -> u64 {
        let usual = 5_000 + self.chance.up_to(60_000);
        if self.fault(5) { usual + self.chance.up_to(15 * SECOND) } else { usual }
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(log) = &mut self.log {
            log.push(format!("{:>10.3} {}", now as f64 / 1e6, what()));
        }
    }

    fn script(&mut self) {
        self.plan(0, Event::Wish(Wish::Connect));
        for n in 0..5 + self.chance.up_to(20) {
            let after = self.chance.up_to(CALM);
            let tracing = format!("w{n}");
            let text = format!("text {n}");
            let clock = |id: &str, deed| Wish::Clock { id: id.into(), deed };
            let event = match self.chance.up_to(25) {
                0..=8 => Event::Wish(Wish::Text { tracing, text, attributes: Vec::new(), attachments: Vec::new() }),
                9 => Event::Wish(Wish::Answer { tracing, button: Button::QuickReply, text, payload: "p".into() }),
                10 => Event::Wish(Wish::Typing { tracing }),
                11 => Event::Wish(Wish::Join { tracing }),
                12 => Event::Wish(Wish::History { all: self.chance.up_to(1) == 0 }),
                13 => Event::Wish(Wish::GetJwt),
                14 => Event::Wish(clock(
                    "guest-jwt",
                    [ClockDeed::Expire, ClockDeed::Corrupt, ClockDeed::Forget, ClockDeed::Refresh]
                        [self.chance.up_to(3) as usize],
                )),
                15 => Event::Wish(clock("session-idle", ClockDeed::Expire)),
                16 => Event::Wish(Wish::StartNew),
                17 => Event::Wish(if self.chance.up_to(2) == 0 { Wish::Clear { tracing } } else { Wish::Echo }),
                18 => Event::Wish(Wish::Attach {
                    attachment: "file".into(),
                    name: "f.txt".into(),
                    mime: "text/plain".into(),
                    bytes: "x".into(),
                }),
                19 => Event::Wish(Wish::Connect),
                20 => Event::Wish(
                    [
                        Wish::SetReconnect(true),
                        Wish::CloseSession { all_connections: false },
                        Wish::GetConfiguration,
                        Wish::Configure { start_new: false },
                        Wish::Leave { code: 1000, reason: "x".into() },
                    ][self.chance.up_to(4) as usize]
                        .clone(),
                ),
                21 => Event::ExpireSession,
                22 => Event::ExpireJwts,
                23 => Event::ServerSays,
                24 => Event::Break([None, None, Some(1001), Some(1011), Some(1000)][self.chance.up_to(4) as usize]),
                _ => Event::Garbage(self.garbage()),
            };
            self.plan(after, event);
        }
        // A tester who connects again, and one who reads history after having done something to the JWT.
        for n in 1..9 {
            let after = n * 10 * SECOND + self.chance.up_to(5 * SECOND);
            if self.chance.up_to(3) > 0 {
                self.plan(after, Event::Again);
            }
            if self.chance.up_to(9) == 0 {
                let event = if self.chance.up_to(1) == 0 {
                    Event::ExpireJwts
                } else {
                    Event::Wish(Wish::Clock { id: "guest-jwt".into(), deed: ClockDeed::Corrupt })
                };
                self.plan(after, Event::Wish(Wish::GetJwt));
                self.plan(after + SECOND / 2, event);
                self.plan(after + SECOND, Event::Wish(Wish::History { all: false }));
            }
        }
        for at in [CALM, LAST - SECOND] {
            self.plan(at, Event::Mend);
        }
        self.plan(LAST, Event::Wish(Wish::History { all: true }));
    }

    fn garbage(&mut self) -> String {
        let all = [
            "{",
            "[]",
            "null",
            r#"{"type":"message","class":"StructuredMessage","code":200,"body":null}"#,
            r#"{"type":"message","class":"SessionResponse","code":"many","body":{"connected":"maybe"}}"#,
            r#"{"type":"message","class":"Surprise","code":777,"body":[1],"tracingId":"w1x"}"#,
            r#"{"class":"string","code":1e99,"body":{}}"#,
            r#"{"type":"response","class":"JwtResponse","code":200,"body":{}}"#,
        ];
        all[self.chance.up_to(all.len() as u64 - 1) as usize].to_owned()
    }

    fn handle(&mut self, event: Event) {
        self.tell(|| format!("{event:?}"));
        let at = at(self.now);
        match event {
            Event::Wish(wish) => self.wish(wish),
            Event::Again if self.machine.state().is_ended() => self.wish(Wish::Connect),
            Event::Again => {}
            Event::Mend => {
                self.server.life = 259_200;
                self.judge_ended();
                if self.now > CALM {
                    // Whatever it was in the middle of: leave it, and begin again.
                    self.wish(Wish::Leave { code: 1000, reason: String::new() });
                    self.wish(Wish::Connect);
                } else if self.machine.state().is_ended() {
                    self.wish(Wish::Connect);
                }
            }
            Event::Opened(conn) => {
                self.open.insert(conn);
                self.step(Input::Opened { conn });
            }
            Event::NotOpened(conn, status) => {
                self.step(Input::NotOpened { conn, status, report: Report::new("not-opened", "No", "") });
            }
            Event::Request(conn, text) if self.open.contains(&conn) => {
                self.server.faults = u64::from(self.chaos());
                for (to, frame) in self.server.request(at.server, conn, &text).frames {
                    self.deliver(to, &frame);
                }
            }
            Event::Frame(conn, text) if self.open.contains(&conn) => {
                self.frames.push((Kind::Text, Direction::Received, text.clone()));
                self.step(Input::Text { conn, text: &text });
            }
            Event::Request(..) | Event::Frame(..) => {}
            Event::Pong(conn) => self.step(Input::Pong { conn }),
            Event::Closed(conn, code) => {
                if self.open.remove(&conn) {
                    self.server.configured.retain(|c| *c != conn);
                    self.step(Input::Closed { conn, code, reason: "" });
                }
            }
            Event::Lost(conn) => {
                if self.open.remove(&conn) {
                    self.server.configured.retain(|c| *c != conn);
                    self.step(Input::Lost { conn, why: "reset" });
                }
            }
            Event::Call(id, call) => {
                self.server.faults = u64::from(self.chaos());
                let (status, after, body, push) = self.server.call(at.server, &call);
                let latency = self.latency();
                self.plan(latency, Event::Answer(id, status, after, body.to_string()));
                if let Some(push) = push {
                    self.deliver(None, &push);
                }
            }
            Event::Answer(call, status, after, body) => {
                if status == 200 {
                    self.frames.push((Kind::HttpResponse, Direction::Received, body.clone()));
                }
                let retry_after = after.map(Duration::from_secs);
                self.step(Input::Answer { call, status, retry_after, body: body.as_bytes() });
            }
            Event::CallFailed(call) => self.step(Input::CallFailed { call, report: Report::new("timeout", "No", "") }),
            Event::ExpireSession => self.server.expire_session(at.server),
            Event::ExpireJwts => self.server.expire_jwts(at.server),
            Event::ServerSays => {
                let frame = self.server.says(at.server);
                self.deliver(None, &frame);
            }
            Event::Break(code) => {
                let conn = self.conn;
                self.handle(code.map_or(Event::Lost(conn), |c| Event::Closed(conn, c)));
            }
            Event::Garbage(text) => self.handle(Event::Frame(self.conn, text)),
        }
    }

    /// A frame goes to the client, through a network that does what it likes.
    fn deliver(&mut self, to: Option<u32>, frame: &Value) {
        let text = frame.to_string();
        let all = to.map_or_else(|| self.server.configured.clone(), |c| vec![c]);
        for conn in all {
            if self.fault(4) {
                self.tell(|| format!("dropped: {text}"));
                continue;
            }
            let latency = self.latency();
            self.plan(latency, Event::Frame(conn, text.clone()));
            // Nobody says 429 twice to one request; pushes may come by two routes.
            if frame["code"] == 200 && self.fault(4) {
                let latency = self.latency();
                self.plan(latency, Event::Frame(conn, text.clone()));
            }
        }
        if frame["class"] == "ConnectionClosedEvent"
            && let Some(conn) = self.open.last().copied()
        {
            self.plan(2 * SECOND, Event::Closed(conn, 1000));
        }
    }

    fn wish(&mut self, wish: Wish) {
        self.last_wish = self.now;
        match &wish {
            Wish::Text { tracing, .. }
            | Wish::Answer { tracing, .. }
            | Wish::Join { tracing }
            | Wish::Clear { tracing } => drop(self.wished.insert(tracing.clone())),
            Wish::Clock { deed: ClockDeed::Corrupt, .. } => self.corrupted = true,
            _ => {}
        }
        self.step(Input::Wish(wish));
    }

    fn step(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.machine.step(at(self.now), input, &mut out);
        for action in out {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        if let Some(told) = tell(&action) {
            self.tell(|| format!("  → {told}"));
        }
        match action {
            Action::Open { conn, .. } => {
                self.opens += 1;
                self.conn = conn;
                let latency = self.latency();
                let event = match self.chance.up_to(99) {
                    0..=2 if self.chaos() => Event::NotOpened(conn, Some(403)),
                    3..=12 if self.chaos() => Event::NotOpened(conn, Some(503)),
                    13..=17 if self.chaos() => Event::NotOpened(conn, None),
                    _ => Event::Opened(conn),
                };
                self.plan(latency, event);
            }
            Action::Text { conn, text, tracing, .. } => {
                if conn != self.conn || !self.open.contains(&conn) {
                    self.broken.push(format!("sent on a connection that is not open: {text}"));
                }
                *self.sends.entry(tracing.unwrap_or_default()).or_insert(0) += 1;
                self.frames.push((Kind::Text, Direction::Sent, text.clone()));
                if self.fault(2) {
                    self.tell(|| "dropped on the way".into());
                } else {
                    // What one side sends arrives in order.
                    self.plan(10_000, Event::Request(conn, text));
                }
            }
            Action::Ping { .. } if self.mute && self.chaos() => {}
            Action::Ping { conn } => {
                let latency = self.latency();
                self.plan(latency, Event::Pong(conn));
            }
            Action::Close { conn, code, .. } => {
                let latency = self.latency();
                let event = if self.fault(20) { Event::Lost(conn) } else { Event::Closed(conn, code) };
                self.plan(latency, event);
            }
            Action::Call { call, request } => self.call(call, request),
            Action::State(Fact::Delivery(d)) => drop(self.ends.insert(d.tracing, d.delivery)),
            _ => {}
        }
    }

    fn call(&mut self, call: CallId, request: Call) {
        self.calls += 1;
        if request.purpose == "history" {
            self.history_calls.push(self.now);
            let within = self.history_calls.iter().filter(|t| self.now - **t < 60 * SECOND).count();
            if within > self.history_limit {
                self.broken.push(format!("{within} history calls in a minute"));
            }
            let bearer = request.headers.iter().find(|(k, _)| k == "Authorization").map(|(_, v)| v.clone());
            let jwt = bearer.unwrap_or_default().trim_start_matches("bearer ").to_owned();
            let now = at(self.now).server;
            match self.server.jwt_dies(&jwt) {
                None if self.corrupted => {}
                None => self.broken.push(format!("sent a JWT that nobody gave: {jwt}")),
                // The server may have cut its life short without a word; then it was alive as far as told.
                Some(dies) if now >= dies && !self.server.cut_short => {
                    self.broken.push(format!("sent a dead JWT: {jwt}"));
                }
                Some(_) => {}
            }
            if self.server.refused_jwts.contains(&jwt) {
                self.broken.push(format!("sent a JWT again that was refused: {jwt}"));
            }
        }
        if self.fault(5) {
            self.plan(5 * SECOND, Event::CallFailed(call));
        } else {
            let latency = self.latency();
            self.plan(latency.min(100_000), Event::Call(call, request));
        }
    }

    fn run(mut self) -> Result<Tally, (String, Vec<String>)> {
        self.script();
        let mut still = 0;
        let mut steps = 0u32;
        loop {
            steps += 1;
            if steps > 20_000 {
                self.broken.push("no end".into());
                break;
            }
            let tick = self.machine.wait(at(self.now)).map(|w| self.now + w.as_micros() as u64);
            let event = self.queue.first_key_value().map(|((t, _), _)| *t);
            let next = tick.into_iter().chain(event).min().filter(|t| *t <= END);
            let Some(next) = next else { break };
            still = if next == self.now { still + 1 } else { 0 };
            if still > 60 {
                self.broken.push("busy: it does not let time go by".into());
                break;
            }
            self.now = next;
            match self.queue.first_entry() {
                Some(entry) if entry.key().0 <= next => {
                    let event = entry.remove();
                    self.handle(event);
                }
                _ => self.step(Input::Tick),
            }
        }
        self.judge();
        match self.broken.is_empty() {
            true => Ok(self.tally()),
            false => Err((self.broken.join("\n"), self.log.unwrap_or_default())),
        }
    }
}

#[test]
fn ten_thousand_random_schedules_lose_and_double_nothing() {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let run = |first: u64| {
        let mut sum = Tally::default();
        for seed in (first..SCHEDULES).step_by(threads as usize) {
            let t = match Run::new(seed, false).run() {
                Ok(t) => t,
                Err((what, _)) => {
                    let log = Run::new(seed, true).run().err().map(|(_, log)| log.join("\n")).unwrap_or_default();
                    panic!("seed {seed}: {what}\n{log}\nseed {seed}: {what}");
                }
            };
            sum.delivered += t.delivered;
            sum.refused += t.refused;
            sum.not_sent += t.not_sent;
            sum.unconfirmed += t.unconfirmed;
            sum.reconnects += t.reconnects;
            sum.refused_jwts += t.refused_jwts;
            sum.stored += t.stored;
        }
        sum
    };
    let tallies: Vec<Tally> = std::thread::scope(|s| {
        let all: Vec<_> = (0..threads).map(|t| s.spawn(move || run(t))).collect();
        all.into_iter().map(|t| t.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    });
    for pick in [
        |t: &Tally| t.delivered,
        |t: &Tally| t.refused,
        |t: &Tally| t.not_sent,
        |t: &Tally| t.unconfirmed,
        |t: &Tally| t.reconnects,
        |t: &Tally| t.refused_jwts,
        |t: &Tally| t.stored,
    ] {
        let sum: u64 = tallies.iter().map(pick).sum();
        assert!(sum > SCHEDULES / 20, "the schedules hardly met it: {tallies:?}");
    }
}
