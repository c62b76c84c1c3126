//! An agent, the platform, and what lies between them: time, lost frames, refusals.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::platform::{ME, Platform};
use crate::dialect::agent::{Agent, Config};
use crate::dialect::seeded::Seeded;
use crate::dialect::{Action, At, Bearer, BearerNews, Call, CallId, Deed, DeskWish, Dialect, Input, Wish};
use crate::model::fact::{Delivery, Expiry, SessionState};
use crate::model::{Environment, Fact, Hosts, Mono, Now, Report, Secret, Wall};

pub const START: i64 = 1_767_705_975;

/// What goes wrong, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trouble {
    pub lost_frames: u64,
    pub repeated_frames: u64,
    pub no_answer: u64,
    pub server_error: u64,
    pub rate_limited: u64,
    /// Longest way of a frame or an answer, in milliseconds.
    pub slow_millis: u64,
}

enum Coming {
    Answer(CallId, Call),
    Frame(u32, String),
    Opened(u32, String),
    Closed(u32),
    Bearer(u64),
}

pub struct World {
    pub agent: Agent,
    pub platform: Platform,
    pub trouble: Trouble,
    pub chance: Seeded,
    pub micros: u64,
    coming: BTreeMap<(u64, u64), Coming>,
    order: u64,
    pub facts: Vec<Fact>,
    pub calls: Vec<Call>,
    conn: u32,
    /// Number of the token that is good; it is the newest.
    pub token: u64,
    /// Ids whose text came back.
    pub texts: HashSet<String>,
    pub deliveries: BTreeMap<String, Vec<Delivery>>,
    /// Statuses that the next calls of this path get.
    pub refuse: Vec<(&'static str, u16, Value)>,
    pub denied: bool,
    told: BTreeSet<String>,
}

impl World {
    pub fn new(seed: u64, change: impl FnOnce(&mut Config)) -> Self {
        let environment = Environment { region: Some("mypurecloud.ie".into()), ..Environment::default() };
        let hosts = Hosts::of_domain("mypurecloud.ie");
        let mut config = Config { hosts, environment, form: Default::default(), seed };
        change(&mut config);
        Self {
            agent: Agent::new(config),
            platform: Platform::default(),
            trouble: Trouble { slow_millis: 20, ..Trouble::default() },
            chance: Seeded::new(seed),
            micros: 0,
            coming: BTreeMap::new(),
            order: 0,
            facts: Vec::new(),
            calls: Vec::new(),
            conn: 0,
            token: 1,
            texts: HashSet::new(),
            deliveries: BTreeMap::new(),
            refuse: Vec::new(),
            denied: false,
            told: BTreeSet::new(),
        }
    }

    /// Signed in, listening, and ready.
    pub fn ready() -> Self {
        Self::ready_with(|_| {})
    }

    pub fn ready_with(change: impl FnOnce(&mut Config)) -> Self {
        let mut w = Self::new(1, change);
        w.wish(Wish::Connect);
        w.run(2.0);
        assert_eq!(w.agent.state, SessionState::Ready, "{:?}", w.facts);
        w
    }

    pub fn at(&self) -> At {
        let server = Wall::from_secs(START).plus_micros(self.micros as i64);
        At { now: Now { wall: server, mono: Mono(1 + self.micros) }, server }
    }

    pub fn wish(&mut self, wish: Wish) {
        self.step(Input::Wish(wish));
    }

    pub fn deed(&mut self, conversation: &str, deed: Deed) {
        self.wish(Wish::Desk(DeskWish::In { conversation: conversation.into(), deed }));
    }

    pub fn say(&mut self, conversation: &str, tracing: &str, text: &str) {
        self.deed(conversation, Deed::Say { tracing: tracing.into(), text: text.into(), files: Vec::new() });
    }

    fn percent(&mut self, n: u64) -> bool {
        self.chance.up_to(99) < n
    }

    fn delay(&mut self) -> u64 {
        1_000 + self.chance.up_to(self.trouble.slow_millis.max(1) * 1_000)
    }

    fn come(&mut self, micros: u64, what: Coming) {
        self.order += 1;
        self.coming.insert((micros, self.order), what);
    }

    pub fn step(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.agent.step(self.at(), input, &mut out);
        for action in out {
            self.act(action);
        }
        self.tell();
    }

    fn act(&mut self, action: Action) {
        let (now, delay) = (self.micros, self.delay());
        match action {
            Action::Open { conn, url, .. } => {
                self.platform.socket = false;
                self.conn = conn;
                self.come(now + delay, Coming::Opened(conn, url));
            }
            Action::Text { conn, text, .. } => {
                let frame: Value = serde_json::from_str(&text).unwrap();
                let answer = match frame["message"].as_str() {
                    Some("ping") => json!({ "topicName": "channel.metadata", "eventBody": { "message": "pong" } }),
                    Some(_) => {
                        self.platform.subscribed = true;
                        json!({ "result": "200", "status": "subscribed", "correlationId": frame["correlationId"] })
                    }
                    None => return,
                };
                if self.platform.socket && conn == self.conn {
                    self.come(now + delay, Coming::Frame(conn, answer.to_string()));
                }
            }
            Action::Close { conn, .. } => self.come(now + delay, Coming::Closed(conn)),
            Action::Call { call, request } => {
                let bearer = request.headers.iter().find(|(n, _)| n == "authorization").map(|(_, v)| v.as_str());
                if request.url.contains("mypurecloud.ie") {
                    assert!(bearer.is_some_and(|b| b.starts_with("Bearer token")), "{request:?}");
                } else {
                    assert_eq!(bearer, None, "a bearer goes to a stranger: {request:?}");
                }
                self.calls.push(request.clone());
                self.come(now + delay, Coming::Answer(call, request));
            }
            Action::NeedBearer | Action::BearerReplace { .. } => self.come(now + delay, Coming::Bearer(self.token)),
            Action::BearerRefused { number } => {
                if number == self.token {
                    self.token += 1;
                }
                self.come(now + delay, Coming::Bearer(self.token));
            }
            Action::State(Fact::Delivery(change)) => {
                self.deliveries.entry(change.tracing).or_default().push(change.delivery);
            }
            Action::State(Fact::Audit(_)) => {}
            Action::State(fact) => self.facts.push(fact),
            _ => {}
        }
    }

    /// Notifications of what changed, in both shapes.
    fn tell(&mut self) {
        for id in std::mem::take(&mut self.platform.untold) {
            self.told.insert(id.clone());
            if !(self.platform.socket && self.platform.subscribed && self.platform.channel_lives) {
                continue;
            }
            let shapes = [
                (format!("v2.users.{ME}.conversations"), self.platform.generic_shape(&id)),
                (format!("v2.users.{ME}.conversations.messages"), self.platform.media_shape(&id)),
            ];
            for (topic, body) in shapes {
                if self.percent(self.trouble.lost_frames) {
                    continue;
                }
                let times = 1 + u64::from(self.percent(self.trouble.repeated_frames));
                let frame = json!({ "topicName": topic, "version": "2", "eventBody": body }).to_string();
                for _ in 0..times {
                    let due = self.micros + self.delay();
                    self.come(due, Coming::Frame(self.conn, frame.clone()));
                }
            }
        }
    }

    pub fn frame(&mut self, frame: &Value) {
        let (conn, text) = (self.conn, frame.to_string());
        self.step(Input::Text { conn, text: &text });
    }

    pub fn lose_socket(&mut self) {
        self.platform.socket = false;
        let conn = self.conn;
        self.step(Input::Lost { conn, why: "reset" });
    }

    fn arrive(&mut self, what: Coming) {
        match what {
            Coming::Answer(call, request) => self.answer(call, &request),
            Coming::Frame(conn, text) => {
                if self.platform.socket && conn == self.conn {
                    self.step(Input::Text { conn, text: &text });
                }
            }
            Coming::Opened(conn, url) => {
                if conn != self.conn {
                    return;
                }
                let right = url.ends_with(&format!("/channels/{}", self.platform.channel));
                if self.platform.channel_lives && right {
                    self.platform.socket = true;
                    self.step(Input::Opened { conn });
                } else {
                    let report = Report::new("upgrade", "The upgrade was refused", "404");
                    self.step(Input::NotOpened { conn, status: Some(404), report });
                }
            }
            Coming::Closed(conn) => {
                if conn == self.conn {
                    self.platform.socket = false;
                }
                self.step(Input::Closed { conn, code: 1000, reason: "" });
            }
            Coming::Bearer(number) => {
                let report = Report::new("sign-in-denied", "Nobody signed in", "The sign-in was denied.");
                let news = match self.denied {
                    true => BearerNews::Denied { report },
                    false => BearerNews::Granted(Bearer {
                        number,
                        token: Secret::new(format!("token{number}")),
                        until: None,
                        margin: Duration::ZERO,
                        scope: None,
                    }),
                };
                self.step(Input::Bearer(news));
            }
        }
    }

    fn answer(&mut self, call: CallId, request: &Call) {
        if self.percent(self.trouble.no_answer) {
            let report = Report::new("timeout", "No answer", "It took too long.");
            return self.step(Input::CallFailed { call, report });
        }
        let good = format!("Bearer token{}", self.token);
        let dead = request.headers.iter().any(|(n, v)| n == "authorization" && *v != good);
        let ordered = self.refuse.iter().position(|(path, ..)| request.url.contains(path));
        let (status, body) = if dead {
            (401, json!({ "message": "bad token", "code": "bad.credentials" }))
        } else if let Some(n) = ordered {
            let (_, status, body) = self.refuse.remove(n);
            (status, body)
        } else if self.percent(self.trouble.rate_limited) {
            (429, json!({ "message": "too many", "code": "too.many.requests" }))
        } else if self.percent(self.trouble.server_error) {
            (503, json!({ "message": "down", "code": "service.unavailable" }))
        } else {
            self.platform.answer(self.micros, request)
        };
        if request.url.contains("/bulk") && status == 200 {
            self.texts.extend(
                body["entities"].as_array().into_iter().flatten().filter_map(|m| m["id"].as_str().map(str::to_owned)),
            );
        }
        let (retry_after, text) = ((status == 429).then_some(Duration::from_secs(1)), body.to_string());
        self.step(Input::Answer { call, status, retry_after, body: text.as_bytes() });
    }

    /// Time goes by.
    pub fn run(&mut self, secs: f64) {
        let end = self.micros + (secs * 1e6) as u64;
        self.tell();
        let mut still = 0;
        loop {
            let tick = self.agent.wait(self.at()).map(|w| self.micros + w.as_micros() as u64);
            let coming = self.coming.keys().next().map(|(due, _)| *due);
            let Some(due) = tick.into_iter().chain(coming).min().filter(|due| *due <= end) else { break };
            still = if due <= self.micros { still + 1 } else { 0 };
            assert!(still < 10_000, "it wants a tick for ever: {:?}", self.agent.state);
            self.micros = self.micros.max(due);
            match self.coming.first_key_value().map(|(key, _)| *key).filter(|(d, _)| *d <= self.micros) {
                Some(key) => {
                    if let Some(what) = self.coming.remove(&key) {
                        self.arrive(what);
                    }
                }
                None => self.step(Input::Tick),
            }
        }
        self.micros = end;
    }

    // Looks.

    pub fn faults(&self) -> Vec<&str> {
        self.facts
            .iter()
            .filter_map(|f| match f {
                Fact::Fault(r) => Some(r.code.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Some report says this.
    pub fn tells(&self, part: &str) -> bool {
        self.facts.iter().any(|f| matches!(f, Fact::Fault(r) if r.what.contains(part)))
    }

    pub fn report(&self, code: &str) -> &Report {
        let found = self.facts.iter().find_map(|f| match f {
            Fact::Fault(r) if r.code == code => Some(r),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no {code} among {:?}", self.faults()))
    }

    pub fn clock(&self, id: &str) -> Option<&Expiry> {
        self.facts.iter().rev().find_map(|f| match f {
            Fact::Expiry(e) if e.id == id => Some(e),
            _ => None,
        })
    }

    /// Calls whose method and path are these.
    pub fn called(&self, method: &str, end: &str) -> usize {
        let path = |c: &Call| c.url.split('?').next().unwrap_or_default().to_owned();
        self.calls.iter().filter(|c| c.method == method && path(c).ends_with(end)).count()
    }

    pub fn delivery(&self, tracing: &str) -> Option<&Delivery> {
        self.deliveries.get(tracing).and_then(|all| all.last())
    }
}
