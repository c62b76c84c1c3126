//! Playbooks: this arrives, so that must be done. Each action is told in a short line, see [`tell`].

mod auth;
mod clocks;
mod fixture;
mod history;
mod hostile;
mod mock;
mod reading;
mod saying;
mod schedules;
mod session;
mod uploads;
mod verdict;

use std::time::Duration;

use serde_json::{Value, json};

use super::{Config, WebMessaging};
use crate::dialect::{Action, At, CallId, Dialect, Input, Seen, Wish};
use crate::model::fact::{Delivery, SessionState};
use crate::model::login::Login;
use crate::model::{Environment, Fact, Hosts, Mono, Now, Report, Secret, Wall};

/// When every playbook begins: seconds since the epoch on the server's clock, which is half an hour ahead of ours.
pub const START: i64 = 1_767_705_900;
pub const TOKEN: &str = "7f0c3a52-3a55-4f2e-9b6d-2a8f2b7c1d10";

pub fn hosts() -> Hosts {
    Hosts {
        api: "http://api".into(),
        login: "http://login".into(),
        guest_socket: "ws://guest/v1".into(),
        cdn: "http://cdn".into(),
        streaming: "ws://streaming".into(),
    }
}

pub fn environment() -> Environment {
    Environment { deployment_id: "d1".into(), application: "test".into(), ..Environment::default() }
}

/// The instant so many microseconds after the start.
pub fn at(micros: u64) -> At {
    let server = Wall::from_secs(START).plus_micros(micros as i64);
    At { now: Now { wall: server - Duration::from_secs(1800), mono: Mono(1 + micros) }, server }
}

pub struct Play {
    pub machine: WebMessaging,
    micros: u64,
    /// Everything that was done since the last look.
    pub actions: Vec<Action>,
    /// The tracing id of the newest request of each action.
    pub last: std::collections::HashMap<String, String>,
    pub call: CallId,
    pub headers: Vec<(String, String)>,
    /// Of the newest call, where it is JSON.
    pub body: Value,
    pub seen: Seen,
    /// Pings are answered at once and not told.
    pub pongs: bool,
    conn: u32,
}

impl Play {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Environment)) -> Self {
        Self::made(false, change)
    }

    pub fn made(resumed: bool, change: impl FnOnce(&mut Environment)) -> Self {
        Self::built((resumed, None), None, change)
    }

    /// A guest who signs in with this.
    pub fn signing_in(login: Option<Login>, change: impl FnOnce(&mut Environment)) -> Self {
        Self::built((false, None), login, change)
    }

    /// A guest who had signed in, with what an earlier run kept.
    pub fn resumed_with(refresh: &str) -> Self {
        Self::built((true, Some(Secret::from(refresh))), None, |_| {})
    }

    fn built(
        (resumed, refresh): (bool, Option<Secret<String>>),
        login: Option<Login>,
        change: impl FnOnce(&mut Environment),
    ) -> Self {
        let mut environment = environment();
        change(&mut environment);
        let config =
            Config { hosts: hosts(), environment, token: Secret::from(TOKEN), resumed, login, refresh, seed: 1 };
        Self {
            machine: WebMessaging::new(config),
            micros: 0,
            actions: Vec::new(),
            last: Default::default(),
            call: CallId(0),
            headers: Vec::new(),
            body: Value::Null,
            seen: Seen::default(),
            pongs: true,
            conn: 0,
        }
    }

    /// Connected and configured, with nothing to look at.
    pub fn ready() -> Self {
        Self::ready_with(|_| {})
    }

    pub fn ready_with(change: impl FnOnce(&mut Environment)) -> Self {
        let mut p = Self::with(change);
        p.wish(Wish::Connect);
        p.opened();
        p.answer(
            "configureSession",
            "SessionResponse",
            json!({"connected":true,"newSession":true,"readOnly":false,"maxCustomDataBytes":2048,"durationSeconds":259200}),
        );
        assert_eq!(*p.machine.state(), SessionState::Ready);
        p.actions.clear();
        p
    }

    pub fn at(&self) -> At {
        at(self.micros)
    }

    pub fn step(&mut self, input: Input<'_>) -> &mut Self {
        let before = self.actions.len();
        self.seen = self.machine.step(at(self.micros), input, &mut self.actions);
        for action in &self.actions[before..] {
            match action {
                Action::Text { text, tracing: Some(tracing), .. } => {
                    let v: Value = serde_json::from_str(text).unwrap();
                    self.last.insert(v["action"].as_str().unwrap_or_default().to_owned(), tracing.clone());
                }
                Action::Call { call, request } => {
                    self.call = *call;
                    self.headers.clone_from(&request.headers);
                    self.body = serde_json::from_slice(&request.body).unwrap_or_default();
                }
                Action::Open { conn, .. } => self.conn = *conn,
                _ => {}
            }
        }
        self
    }

    pub fn wish(&mut self, wish: Wish) -> &mut Self {
        self.step(Input::Wish(wish))
    }

    pub fn say(&mut self, tracing: &str, text: &str) -> &mut Self {
        self.wish(Wish::Text {
            tracing: tracing.into(),
            text: text.into(),
            attributes: Vec::new(),
            attachments: Vec::new(),
        })
    }

    pub fn opened(&mut self) -> &mut Self {
        let conn = self.conn;
        self.step(Input::Opened { conn })
    }

    pub fn not_opened(&mut self, status: Option<u16>) -> &mut Self {
        let report = Report::new("upgrade-refused", "The upgrade was refused", "");
        let conn = self.conn;
        self.step(Input::NotOpened { conn, status, report })
    }

    pub fn lost(&mut self) -> &mut Self {
        let conn = self.conn;
        self.step(Input::Lost { conn, why: "reset" })
    }

    pub fn closed(&mut self, code: u16) -> &mut Self {
        let conn = self.conn;
        self.step(Input::Closed { conn, code, reason: "bye" })
    }

    pub fn arrives(&mut self, frame: Value) -> &mut Self {
        let conn = self.conn;
        let text = frame.to_string();
        self.step(Input::Text { conn, text: &text })
    }

    /// The answer to the newest request of this action.
    pub fn answer(&mut self, action: &str, class: &str, body: Value) -> &mut Self {
        self.answer_with(action, "response", class, 200, body)
    }

    pub fn answer_with(&mut self, action: &str, kind: &str, class: &str, code: i32, body: Value) -> &mut Self {
        let tracing = self.last[action].clone();
        self.arrives(json!({"type":kind,"class":class,"code":code,"body":body,"tracingId":tracing}))
    }

    pub fn refusal(&mut self, tracing: &str, code: i32, text: &str) -> &mut Self {
        self.arrives(json!({"type":"response","class":"string","code":code,"body":text,"tracingId":tracing}))
    }

    /// The echo of a message of ours.
    pub fn echo(&mut self, tracing: &str, key: &str, text: &str) -> &mut Self {
        self.arrives(json!({"type":"message","class":"StructuredMessage","code":200,"tracingId":tracing,"body":{
            "id":format!("i-{key}"),"type":"Text","text":text,"direction":"Inbound",
            "channel":{"time":"2026-01-06T13:26:15.174Z","messageId":key}}}))
    }

    pub fn jwt(&mut self, value: &str, lives: i64) -> &mut Self {
        let exp = self.at().server.as_secs() + lives;
        self.answer("getJwt", "JwtResponse", json!({"jwt":value,"exp":exp}))
    }

    pub fn http(&mut self, status: u16, body: Value) -> &mut Self {
        self.http_after(status, None, body)
    }

    pub fn http_after(&mut self, status: u16, after: Option<u64>, body: Value) -> &mut Self {
        let body = body.to_string();
        let call = self.call;
        let retry_after = after.map(Duration::from_secs);
        self.step(Input::Answer { call, status, retry_after, body: body.as_bytes() })
    }

    /// Time goes by, and the machine is ticked whenever it wants to be.
    pub fn passes(&mut self, secs: f64) -> &mut Self {
        let end = self.micros + (secs * 1e6) as u64;
        let mut still = 0;
        while let Some(wait) = self.machine.wait(at(self.micros)) {
            let due = self.micros + wait.as_micros() as u64;
            if due > end {
                break;
            }
            still = if due == self.micros { still + 1 } else { 0 };
            assert!(still < 20, "busy: it wants a tick for ever");
            self.micros = due;
            self.step(Input::Tick);
            if self.pongs && self.actions.iter().any(|a| matches!(a, Action::Ping { .. })) {
                self.actions.retain(|a| !matches!(a, Action::Ping { .. }));
                let conn = self.conn;
                self.step(Input::Pong { conn });
            }
        }
        self.micros = end;
        self
    }

    /// Exactly these were done since the last look. `…` at the end of a line stands for anything.
    #[track_caller]
    pub fn does(&mut self, wanted: &[&str]) -> &mut Self {
        let told: Vec<_> = self.actions.drain(..).filter_map(|a| tell(&a)).collect();
        let same = |t: &String, w: &&str| match w.strip_suffix('…') {
            Some(start) => t.starts_with(start),
            None => t == w,
        };
        let all = told.len() == wanted.len() && told.iter().zip(wanted).all(|(t, w)| same(t, w));
        assert!(all, "done:\n  {}\nwanted:\n  {}", told.join("\n  "), wanted.join("\n  "));
        self
    }

    /// What was done since the last look.
    pub fn done(&mut self) -> Vec<String> {
        self.actions.drain(..).filter_map(|a| tell(&a)).collect()
    }

    /// Among what was done since the last look is a line that begins so.
    #[track_caller]
    pub fn did(&mut self, start: &str) -> &mut Self {
        let told = self.done();
        assert!(told.iter().any(|t| t.starts_with(start)), "no “{start}” in:\n  {}", told.join("\n  "));
        self
    }

    #[track_caller]
    pub fn did_not(&mut self, start: &str) -> &mut Self {
        let told = self.done();
        assert!(!told.iter().any(|t| t.starts_with(start)), "“{start}” in:\n  {}", told.join("\n  "));
        self
    }
}

/// An action in a line. The assumed clocks of the connection, and what the redactor learns, are left out: they have
/// tests of their own.
pub fn tell(action: &Action) -> Option<String> {
    Some(match action {
        Action::Open { conn, url, headers } => format!("open {conn} {url}{}", lines(headers)),
        Action::Text { text, .. } => sent(text),
        Action::Ping { .. } => "ping".into(),
        Action::Close { code, reason, .. } => format!("close {code} {reason}"),
        Action::Call { request, .. } => format!("call {} {}", request.method, request.url),
        Action::Learn { .. } => return None,
        Action::NeedBearer
        | Action::BearerRefused { .. }
        | Action::BearerReplace { .. }
        | Action::BearerAccepted { .. }
        | Action::Sign { .. } => format!("{action:?}"),
        Action::Keep { key, value } => format!("{} {key}", if value.is_some() { "keep" } else { "unkeep" }),
        Action::State(Fact::State(s)) if s.why.is_empty() => format!("state {}", state(&s.to)),
        Action::State(Fact::State(s)) => format!("state {}: {}", state(&s.to), s.why),
        Action::State(Fact::Expiry(e)) if e.id.starts_with("connection-") => return None,
        Action::State(Fact::Expiry(e)) => {
            let until = e.until.map(|u| format!(" until {:+}", u.as_secs() - START)).unwrap_or_default();
            format!("clock {} {:?} by {}{until}", e.id, e.event, e.by)
        }
        Action::State(Fact::Delivery(d)) => match &d.delivery {
            Delivery::Sent => format!("{} sent", d.tracing),
            Delivery::Delivered => format!("{} delivered", d.tracing),
            Delivery::Retrying { attempt, .. } => format!("{} retrying as try {attempt}", d.tracing),
            Delivery::Refused { code, text } => format!("{} refused {code} {text}", d.tracing),
            Delivery::NotSent { why } => format!("{} not sent: {why}", d.tracing),
            Delivery::Unconfirmed { why } => format!("{} unconfirmed: {why}", d.tracing),
        },
        Action::State(Fact::Fault(r)) => format!("fault {}", r.code),
        Action::State(other) => format!("{other:?}"),
    })
}

fn state(s: &SessionState) -> String {
    match s {
        SessionState::Ended(end) => format!("ended ({})", end.sentence()),
        other => other.word().to_owned(),
    }
}

/// A frame without what every frame has.
fn sent(text: &str) -> String {
    let Ok(Value::Object(mut o)) = serde_json::from_str::<Value>(text) else { return format!("send {text}") };
    let action = o.remove("action").unwrap_or_default();
    assert!(o.remove("tracingId").is_some(), "{text}");
    if o.remove("token") != Some(json!(TOKEN)) {
        return format!("send {text}");
    }
    // Its own test looks at it.
    if let Some(m) = o.get_mut("message").and_then(Value::as_object_mut) {
        m.remove("metadata");
    }
    let rest = if o.is_empty() { String::new() } else { format!(" {}", Value::Object(o)) };
    format!("send {}{rest}", action.as_str().unwrap_or_default())
}

fn lines(headers: &[(String, String)]) -> String {
    headers.iter().map(|(k, v)| format!(" {k}: {v}")).collect()
}
