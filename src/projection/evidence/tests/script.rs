//! Short scripts of records, as the engine writes them.

use serde_json::{Value, json};

use crate::model::environment::Limits;
use crate::model::fact::{Delivery, DeliveryChange, Expiry, ExpiryEvent, NamedId, SessionState, Skew, StateChange};
use crate::model::record::{HttpRequest, HttpResponse, SessionStart};
use crate::model::{DialectId, Direction, Draft, Fact, Flags, Hosts, Kind, Mono, Now, Record, Report, SessionId, Wall};
use crate::projection::{Board, Finding};

/// 2026-01-06T13:26:15Z
pub const START: i64 = 1_767_705_975;
pub const API: &str = "https://api.example";

pub struct Script {
    pub dialect: DialectId,
    pub drafts: Vec<Draft>,
    session: u32,
    millis: i64,
    request: u64,
}

impl Script {
    pub fn new(dialect: DialectId) -> Self {
        let mut s = Self { dialect, drafts: Vec::new(), session: 0, millis: 0, request: 0 };
        s.session(1);
        s
    }

    /// Goes on with another session.
    pub fn session(&mut self, id: u32) -> &mut Self {
        self.session = id;
        if id != 0 && !self.drafts.iter().any(|d| d.session.0 == id) {
            let start = SessionStart {
                name: format!("session {id}"),
                dialect: self.dialect,
                environment: "test".into(),
                hosts: Hosts::default(),
                deployment_id: String::new(),
                tls_unverified: false,
                limits: Limits::default(),
            };
            let draft = self.draft(Kind::SessionStart, Direction::Local).head(&start);
            self.add(draft);
        }
        self
    }

    pub fn wait(&mut self, millis: i64) -> &mut Self {
        self.millis += millis;
        self
    }

    fn now(&self) -> Now {
        Now { wall: Wall::from_millis(START * 1000 + self.millis), mono: Mono(self.millis as u64 * 1000 + 1) }
    }

    fn draft(&self, kind: Kind, direction: Direction) -> Draft {
        Draft::new(self.now(), SessionId(self.session), kind, direction).flags(Flags::STORY)
    }

    pub fn add(&mut self, draft: Draft) -> u64 {
        self.drafts.push(draft);
        self.millis += 1;
        self.drafts.len() as u64
    }

    pub fn fact(&mut self, fact: &Fact) -> &mut Self {
        self.add(Draft::fact(self.now(), SessionId(self.session), fact));
        self
    }

    pub fn state(&mut self, to: SessionState) -> &mut Self {
        self.fact(&Fact::State(StateChange { to, why: String::new() }))
    }

    /// The server's clock runs so many seconds before ours.
    pub fn skew(&mut self, secs: i64) -> &mut Self {
        self.fact(&Fact::Skew(Skew { skew_us: secs * 1_000_000, uncertainty_us: 300_000, jump_us: 0 }))
    }

    pub fn id(&mut self, name: &str, value: &str) -> &mut Self {
        self.fact(&Fact::Id(NamedId { name: name.into(), value: value.into(), mismatch: None }))
    }

    /// An OAuth token, told outside any session, that lives for so long from now.
    pub fn oauth(&mut self, token: &str, life: i64, scope: &str) -> &mut Self {
        let session = std::mem::replace(&mut self.session, 0);
        let mut fact = self.expiry("oauth:env", token, ExpiryEvent::Started, life);
        fact.scope = Some(scope.to_owned()).filter(|s| !s.is_empty());
        self.fact(&Fact::Expiry(fact));
        self.session = session;
        self
    }

    pub fn token(&mut self, clock: &str, token: &str, event: ExpiryEvent, life: i64) -> &mut Self {
        let fact = self.expiry(clock, token, event, life);
        self.fact(&Fact::Expiry(fact))
    }

    /// A token that was signed here.
    pub fn signed(&mut self, token: &str, kid: &str, guest: &str, iat: i64, life: i64) -> &mut Self {
        let mut fact = self.expiry("signed-token", token, ExpiryEvent::Started, life);
        fact.claims = Some(json!({
            "header": {"alg": "RS256", "kid": kid},
            "claims": {"guestId": guest, "iat": START + iat, "exp": START + iat + life},
        }));
        self.fact(&Fact::Expiry(fact))
    }

    fn expiry(&self, clock: &str, token: &str, event: ExpiryEvent, life: i64) -> Expiry {
        let now = self.now().wall;
        Expiry {
            id: clock.into(),
            title: clock.into(),
            event,
            by: if event == ExpiryEvent::Expired || event == ExpiryEvent::Corrupted { "you" } else { "server" }.into(),
            from: now,
            until: Some(now.plus_micros(life * 1_000_000)),
            margin_secs: 60,
            breaks: String::new(),
            assumed: false,
            token: Some(token.into()),
            scope: None,
            claims: None,
            can: Vec::new(),
        }
    }

    pub fn call(&mut self, method: &str, path: &str, auth: &str, body: Value) -> &mut Self {
        self.request_with(method, path, &[("authorization", auth)], body, "request")
    }

    pub fn request_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
        purpose: &str,
    ) -> &mut Self {
        let url = if path.contains("://") { path.to_owned() } else { format!("{API}{path}") };
        let shown = headers.iter().filter(|(_, v)| !v.is_empty()).map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let head = HttpRequest {
            method: method.into(),
            url,
            headers: shown.collect(),
            purpose: purpose.into(),
            tracing: purpose.starts_with("message").then(|| "t1".to_owned()),
            ..HttpRequest::default()
        };
        let text = match body {
            Value::Null => String::new(),
            Value::String(form) => form,
            other => other.to_string(),
        };
        let draft = self.draft(Kind::HttpRequest, Direction::Sent).head(&head).body(text);
        self.request = self.add(draft);
        self
    }

    pub fn answer(&mut self, status: u16, body: Value) -> &mut Self {
        self.answer_with(status, &[], body)
    }

    pub fn answer_with(&mut self, status: u16, headers: &[(&str, &str)], body: Value) -> &mut Self {
        let head = HttpResponse {
            status,
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            wait_us: 80_000,
            ..HttpResponse::default()
        };
        let of = self.request;
        let draft = self.draft(Kind::HttpResponse, Direction::Received).head(&head).code(i32::from(status));
        self.add(draft.reply_to(of).body(body.to_string()));
        self
    }

    /// An error in the platform's form.
    pub fn error(&mut self, status: u16, code: &str, message: &str) -> &mut Self {
        self.answer(status, json!({"message": message, "code": code, "status": status, "details": []}))
    }

    /// A 400 that names a field.
    pub fn field(&mut self, field: &str, text: &str) -> &mut Self {
        let message = format!("{field}: {text}");
        let details = json!([{"errorCode": "invalid.value", "fieldName": field}]);
        self.answer(400, json!({"message": message, "code": "invalid.value", "status": 400, "details": details}))
    }

    pub fn no_answer(&mut self, code: &str) -> &mut Self {
        let of = self.request;
        let report = Report::new(code, "No answer", "The time limit passed without an answer.");
        let mut draft = Draft::fact(self.now(), SessionId(self.session), &Fact::Fault(report)).reply_to(of);
        draft.kind = Kind::HttpFailed;
        self.add(draft);
        self
    }

    /// Asks for a socket.
    pub fn opening(&mut self, path: &str, auth: &str) -> &mut Self {
        let head = HttpRequest {
            method: "GET".into(),
            url: format!("wss://api.example{path}"),
            headers: if auth.is_empty() { Vec::new() } else { vec![("authorization".into(), auth.into())] },
            purpose: "socket".into(),
            ..HttpRequest::default()
        };
        let draft = self.draft(Kind::SocketOpening, Direction::Sent).conn(1).head(&head);
        self.request = self.add(draft);
        self
    }

    pub fn open(&mut self, path: &str, auth: &str) -> &mut Self {
        self.opening(path, auth);
        let of = self.request;
        let head = HttpResponse { status: 101, ..HttpResponse::default() };
        let draft = self.draft(Kind::SocketOpen, Direction::Received).conn(1).head(&head).code(101).reply_to(of);
        self.add(draft);
        self
    }

    pub fn refused(&mut self, status: u16, message: &str) -> &mut Self {
        let of = self.request;
        let head = HttpResponse { status, ..HttpResponse::default() };
        let body = json!({"message": message}).to_string();
        let draft = self.draft(Kind::SocketRefused, Direction::Received).conn(1).head(&head).body(body);
        self.add(draft.code(i32::from(status)).reply_to(of));
        self
    }

    pub fn sent(&mut self, frame: Value) -> &mut Self {
        let draft = self.draft(Kind::Text, Direction::Sent).conn(1).body(frame.to_string());
        self.request = self.add(draft);
        self
    }

    pub fn received(&mut self, frame: Value) -> &mut Self {
        let draft = self.draft(Kind::Text, Direction::Received).conn(1).body(frame.to_string());
        self.add(draft);
        self
    }

    /// A frame in answer to the newest one of ours, with the code that its dialect read from it.
    pub fn coded(&mut self, code: i32, frame: Value) -> &mut Self {
        let of = self.request;
        let draft = self.draft(Kind::Text, Direction::Received).conn(1).code(code).reply_to(of);
        self.add(draft.body(frame.to_string()));
        self
    }

    /// An error frame of the vendor's socket, marked as its dialect marks it.
    pub fn frame_error(&mut self, code: i32, text: &str) -> &mut Self {
        let of = self.request;
        let body = json!({"type": "response", "class": "string", "code": code, "body": text});
        let draft = self.draft(Kind::Text, Direction::Received).conn(1).code(code).reply_to(of);
        self.add(draft.flags(Flags::FAULT).body(body.to_string()));
        self
    }

    pub fn close(&mut self, direction: Direction, code: i32, reason: &str) -> &mut Self {
        let draft = self.draft(Kind::Close, direction).conn(1).code(code).body(reason.to_owned());
        self.add(draft);
        self
    }

    pub fn lost(&mut self) -> &mut Self {
        let report = Report::new("connection-lost", "The connection was lost", "Socket 1: end of stream.");
        let mut draft = Draft::fact(self.now(), SessionId(self.session), &Fact::Fault(report)).conn(1);
        draft.kind = Kind::SocketLost;
        self.add(draft);
        self
    }

    pub fn fault(&mut self, code: &str, what: &str) -> &mut Self {
        self.fact(&Fact::Fault(Report::new(code, "It failed", what)))
    }

    pub fn delivery(&mut self, delivery: Delivery) -> &mut Self {
        self.fact(&Fact::Delivery(DeliveryChange { tracing: "t1".into(), delivery }))
    }

    pub fn last(&self) -> u64 {
        self.drafts.len() as u64
    }

    pub fn fold(&self) -> Board {
        let mut board = Board::default();
        for (n, draft) in self.drafts.iter().enumerate() {
            board.fold(&Record { seq: n as u64 + 1, draft: draft.clone() });
        }
        board
    }

    /// What explains the last record.
    pub fn finding(&self) -> Finding {
        let session = self.drafts.last().map(|d| d.session).unwrap_or_default();
        let board = self.fold();
        let found = board.finding(session, self.last()).map(|f| f.as_ref().clone());
        found.unwrap_or_else(|| panic!("the last record is not explained: {:?}", self.drafts.last()))
    }
}
