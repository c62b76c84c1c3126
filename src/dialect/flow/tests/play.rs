//! Playbooks: this arrives, so that must be done. Each action is told in a short line, see [`tell`].

use std::time::Duration;

use super::*;
use crate::dialect::{Action, At, Bearer, BearerNews, Call, CallId, Dialect, FlowWish, Input, Wish};
use crate::model::fact::{ClockDeed, Delivery, SessionState};
use crate::model::{Fact, Mono, Now, Report, Secret, Wall};

/// An action in a line.
pub fn tell(action: &Action) -> Option<String> {
    Some(match action {
        Action::Open { conn, url, .. } => format!("open {conn} {url}"),
        Action::Text { text, .. } => format!("send {text}"),
        Action::Ping { .. } => "ping".into(),
        Action::Close { code, reason, .. } => format!("close {code} {reason}").trim_end().to_owned(),
        Action::Call { request, .. } => format!("{} {}", request.method, request.url),
        Action::Learn { .. } => return None,
        Action::NeedBearer => "needs a bearer".into(),
        Action::BearerRefused { number } => format!("bearer {number} was refused"),
        Action::BearerReplace { number } => format!("another bearer than {number} is wanted"),
        Action::BearerAccepted { number } => format!("bearer {number} was taken"),
        Action::Sign { claims } => format!("sign {}", Value::Object(claims.clone())),
        Action::Keep { key, value } => format!("{} {key}", if value.is_some() { "keep" } else { "unkeep" }),
        Action::State(Fact::State(s)) => {
            let state = match &s.to {
                SessionState::Ended(end) => format!("ended: {}", end.sentence()),
                other => other.word().to_owned(),
            };
            if s.why.is_empty() { state } else { format!("{state} ({})", s.why) }
        }
        Action::State(Fact::Expiry(e)) => format!("clock {} {:?} by {}", e.id, e.event, e.by),
        Action::State(Fact::Delivery(d)) => match &d.delivery {
            Delivery::Sent => format!("{} sent", d.tracing),
            Delivery::Delivered => format!("{} delivered", d.tracing),
            Delivery::Retrying { attempt, why, .. } => format!("{} retrying as try {attempt}: {why}", d.tracing),
            Delivery::Refused { code, text } => format!("{} refused {code} {text}", d.tracing),
            Delivery::NotSent { why } => format!("{} not sent: {why}", d.tracing),
            Delivery::Unconfirmed { why } => format!("{} unconfirmed: {why}", d.tracing),
        },
        Action::State(Fact::Fault(r)) => format!("fault {}: {}", r.code, r.what),
        Action::State(Fact::Id(id)) => {
            let doubt = id.mismatch.as_ref().map(|m| format!(", but {m}")).unwrap_or_default();
            format!("{} id {}{doubt}", id.name, id.value)
        }
        Action::State(Fact::Audit(a)) => {
            let status = a.status.map(|s| format!(" {s}")).unwrap_or_default();
            format!("audit {} {}{status}", a.action, a.outcome.word())
        }
        Action::State(Fact::Waiting { why, millis }) => format!("waits {millis} ms: {why}"),
        Action::State(Fact::Summary(_)) => "final report".into(),
        Action::State(other) => format!("{other:?}"),
    })
}

/// When every playbook begins, on the server's clock, which is half an hour ahead of ours.
pub const START: i64 = 1_767_705_900;

/// One session that is told what arrives, and looked at for what it does.
pub struct Play {
    machine: Box<dyn Dialect>,
    micros: u64,
    /// What was done since the last look.
    pub actions: Vec<Action>,
    /// The newest call.
    pub call: Call,
    id: CallId,
    conn: u32,
}

impl Play {
    pub fn new(id: DialectId) -> Self {
        Self::with(id, |_| {})
    }

    pub fn with(id: DialectId, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(1);
        change(&mut config);
        let machine = make(id, config);
        Self { machine, micros: 0, actions: Vec::new(), call: Call::default(), id: CallId(0), conn: 0 }
    }

    pub fn at(&self) -> At {
        let server = Wall::from_secs(START).plus_micros(self.micros as i64);
        At { now: Now { wall: server - Duration::from_secs(1800), mono: Mono(1 + self.micros) }, server }
    }

    pub fn step(&mut self, input: Input<'_>) -> &mut Self {
        let before = self.actions.len();
        self.machine.step(self.at(), input, &mut self.actions);
        for action in &self.actions[before..] {
            match action {
                Action::Call { call, request } => (self.id, self.call) = (*call, request.clone()),
                Action::Open { conn, .. } => self.conn = *conn,
                _ => {}
            }
        }
        self
    }

    pub fn wish(&mut self, wish: Wish) -> &mut Self {
        self.step(Input::Wish(wish))
    }

    pub fn flow(&mut self, wish: FlowWish) -> &mut Self {
        self.wish(Wish::Flow(wish))
    }

    pub fn connect(&mut self) -> &mut Self {
        self.wish(Wish::Connect)
    }

    pub fn leave(&mut self) -> &mut Self {
        self.wish(Wish::Leave { code: 1000, reason: "bye".into() })
    }

    pub fn say(&mut self, tracing: &str, text: &str) -> &mut Self {
        let (tracing, text) = (tracing.to_owned(), text.to_owned());
        self.wish(Wish::Text { tracing, text, attributes: Vec::new(), attachments: Vec::new() })
    }

    pub fn deed(&mut self, id: &str, deed: ClockDeed) -> &mut Self {
        self.wish(Wish::Clock { id: id.into(), deed })
    }

    /// The credential gives the token of this number, which lives so many seconds.
    pub fn bearer(&mut self, number: u64, secs: i64) -> &mut Self {
        self.granted(number, &format!("oauth{number}"), secs)
    }

    pub fn granted(&mut self, number: u64, token: &str, secs: i64) -> &mut Self {
        let until = Some(self.at().server.plus_micros(secs * 1_000_000));
        let token = Secret::from(token);
        let margin = Duration::from_secs(5);
        self.step(Input::Bearer(BearerNews::Granted(Bearer { number, token, until, margin, scope: None })))
    }

    pub fn denied(&mut self) -> &mut Self {
        let report = Report::new("sign-in-failed", "There is no OAuth token", "wrong secret.");
        self.step(Input::Bearer(BearerNews::Denied { report }))
    }

    /// The answer to the newest call.
    pub fn answer(&mut self, status: u16, body: Value) -> &mut Self {
        self.answer_after(status, None, body)
    }

    pub fn answer_after(&mut self, status: u16, after: Option<u64>, body: Value) -> &mut Self {
        let (call, body, retry_after) = (self.id, body.to_string(), after.map(Duration::from_secs));
        self.step(Input::Answer { call, status, retry_after, body: body.as_bytes() })
    }

    pub fn no_answer(&mut self) -> &mut Self {
        let call = self.id;
        self.step(Input::CallFailed { call, report: Report::new("timeout", "No answer", "It took too long.") })
    }

    pub fn opened(&mut self) -> &mut Self {
        let conn = self.conn;
        self.step(Input::Opened { conn })
    }

    pub fn not_opened(&mut self, status: Option<u16>) -> &mut Self {
        let conn = self.conn;
        self.step(Input::NotOpened { conn, status, report: Report::new("upgrade", "The upgrade was refused", "") })
    }

    pub fn frame(&mut self, frame: Value) -> &mut Self {
        let (conn, text) = (self.conn, frame.to_string());
        self.step(Input::Text { conn, text: &text })
    }

    pub fn closed(&mut self, code: u16) -> &mut Self {
        let conn = self.conn;
        self.step(Input::Closed { conn, code, reason: "" })
    }

    pub fn lost(&mut self) -> &mut Self {
        let conn = self.conn;
        self.step(Input::Lost { conn, why: "reset" })
    }

    /// Time goes by, pings are answered, and the machine is ticked whenever it wants to be.
    pub fn passes(&mut self, secs: f64) -> &mut Self {
        let end = self.micros + (secs * 1e6) as u64;
        let mut still = 0;
        while let Some(wait) = self.machine.wait(self.at()) {
            let due = self.micros + wait.as_micros() as u64;
            if due > end {
                break;
            }
            still = if due == self.micros { still + 1 } else { 0 };
            assert!(still < 20, "it wants a tick for ever");
            self.micros = due;
            self.step(Input::Tick);
            if self.actions.iter().any(|a| matches!(a, Action::Ping { .. })) {
                self.actions.retain(|a| !matches!(a, Action::Ping { .. }));
                let conn = self.conn;
                self.step(Input::Pong { conn });
            }
        }
        self.micros = end;
        self
    }

    /// What was done since the last look, without audit lines.
    pub fn done(&mut self) -> Vec<String> {
        self.actions.drain(..).filter_map(|a| tell(&a)).filter(|line| !line.starts_with("audit ")).collect()
    }

    /// Exactly these were done since the last look; `…` at a line's end stands for anything.
    #[track_caller]
    pub fn does(&mut self, wanted: &[&str]) -> &mut Self {
        let told = self.done();
        let same = |t: &String, w: &&str| w.strip_suffix('…').map_or(t == w, |start| t.starts_with(start));
        let all = told.len() == wanted.len() && told.iter().zip(wanted).all(|(t, w)| same(t, w));
        assert!(all, "done:\n  {}\nwanted:\n  {}", told.join("\n  "), wanted.join("\n  "));
        self
    }

    /// Among what was done since the last look is a line that begins so.
    #[track_caller]
    pub fn did(&mut self, start: &str) -> &mut Self {
        let told: Vec<_> = self.actions.drain(..).filter_map(|a| tell(&a)).collect();
        assert!(told.iter().any(|t| t.starts_with(start)), "no “{start}” in:\n  {}", told.join("\n  "));
        self
    }

    /// Nothing was sent since the last look: no call, no frame, no socket, and no token was asked for.
    #[track_caller]
    pub fn sent_nothing(&mut self) -> &mut Self {
        let sent = |a: &Action| {
            matches!(
                a,
                Action::Call { .. }
                    | Action::Text { .. }
                    | Action::Open { .. }
                    | Action::NeedBearer
                    | Action::Sign { .. }
            )
        };
        let told: Vec<_> = self.actions.iter().filter(|a| sent(a)).filter_map(tell).collect();
        assert!(told.is_empty(), "sent: {told:?}");
        self
    }

    pub fn body(&self) -> Value {
        serde_json::from_slice(&self.call.body).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.call.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}
