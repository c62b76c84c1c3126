//! The server's side of the protocol, as far as the schedules need it, written from its description alone.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::dialect::Call;
use crate::dialect::seeded::Seeded;
use crate::model::Wall;

/// A message that the server took or made.
#[derive(Clone, Debug)]
pub struct Stored {
    pub id: String,
    pub body: Value,
}

/// What comes of a request: frames to send, after which the connection may be closed.
#[derive(Default)]
pub struct Reaction {
    /// To this connection alone (none: to all that are configured).
    pub frames: Vec<(Option<u32>, Value)>,
}

pub struct Server {
    chance: Seeded,
    /// Faults happen, in so many of a hundred requests.
    pub faults: u64,
    pub stored: Vec<Stored>,
    /// How often each tracing id was taken as a message.
    pub taken: BTreeMap<String, u32>,
    pub configured: Vec<u32>,
    known: bool,
    read_only: bool,
    expires: Wall,
    pub life: i64,
    jwt_life: i64,
    jwts: BTreeMap<String, Wall>,
    pub refused_jwts: Vec<String>,
    keeps_metadata: bool,
    /// Lives of JWTs were cut short without a word.
    pub cut_short: bool,
    counted: u32,
}

impl Server {
    pub fn new(seed: u64) -> Self {
        let mut chance = Seeded::new(seed);
        let life = [20, 60, 400, 259_200][chance.up_to(3) as usize];
        let jwt_life = [3, 8, 60, 600][chance.up_to(3) as usize];
        let keeps_metadata = chance.up_to(1) == 0;
        Self {
            chance,
            faults: 10,
            stored: Vec::new(),
            taken: BTreeMap::new(),
            configured: Vec::new(),
            known: false,
            read_only: false,
            expires: Wall(0),
            life,
            jwt_life,
            jwts: BTreeMap::new(),
            refused_jwts: Vec::new(),
            keeps_metadata,
            cut_short: false,
            counted: 0,
        }
    }

    fn one_in_hundred(&mut self, n: u64) -> bool {
        self.faults > 0 && self.chance.up_to(99) < n
    }

    fn id(&mut self) -> String {
        self.counted += 1;
        format!("s{:04}", self.counted)
    }

    pub fn expire_session(&mut self, now: Wall) {
        self.expires = now;
    }

    pub fn expire_jwts(&mut self, now: Wall) {
        self.cut_short = true;
        for exp in self.jwts.values_mut() {
            *exp = now.min(*exp);
        }
    }

    /// When the JWT dies, none for one that this server did not give.
    pub fn jwt_dies(&self, jwt: &str) -> Option<Wall> {
        self.jwts.get(jwt).copied()
    }

    fn alive(&self, now: Wall) -> bool {
        self.known && now < self.expires
    }

    fn used(&mut self, now: Wall) {
        self.expires = Wall::from_secs(now.as_secs() + self.life);
    }

    pub fn request(&mut self, now: Wall, conn: u32, text: &str) -> Reaction {
        let mut out = Reaction::default();
        let Ok(v) = serde_json::from_str::<Value>(text) else {
            out.frames.push((Some(conn), error(400, "Request failed.", &Value::Null)));
            return out;
        };
        let tracing = &v["tracingId"];
        let action = v["action"].as_str().unwrap_or_default();
        let configured = self.configured.contains(&conn);
        if !configured && !matches!(action, "configureSession" | "getConfiguration") {
            out.frames.push((Some(conn), error(4007, "session not found", tracing)));
            return out;
        }
        if configured && !self.alive(now) && action != "configureSession" {
            out.frames.push((Some(conn), frame("response", "SessionExpiredEvent", json!({}), &Value::Null)));
            return out;
        }
        match action {
            "configureSession" => self.configure(now, conn, &v, &mut out),
            "closeSession" => {
                self.configured.retain(|c| *c != conn);
                let body = json!({"connected":false,"newSession":false,"readOnly":true});
                out.frames.push((Some(conn), frame("response", "SessionResponse", body, tracing)));
            }
            "getJwt" if self.one_in_hundred(8) => out.frames.push((Some(conn), too_many(2, tracing))),
            "getJwt" => {
                let jwt = format!("e30.e30.{}", self.id());
                let exp = now.as_secs() + self.jwt_life;
                self.jwts.insert(jwt.clone(), Wall::from_secs(exp));
                out.frames.push((Some(conn), frame("response", "JwtResponse", json!({"jwt":jwt,"exp":exp}), tracing)));
            }
            "echo" => {
                let metadata = json!({"durationSeconds":self.life.to_string(),"expirationDate":self.expires.as_secs().to_string()});
                let body =
                    json!({"id":"echo_id","type":"Text","text":"ping","direction":"Inbound","metadata":metadata});
                out.frames.push((Some(conn), frame("response", "StructuredMessage", body, tracing)));
            }
            "onAttachment" => {
                let body = json!({"attachmentId":v["attachmentId"],"url":"http://files/up","headers":{"x":"y"}});
                out.frames.push((Some(conn), frame("response", "PresignedUrlResponse", body, tracing)));
            }
            "getConfiguration" => {
                let body = json!({"maxCustomDataBytes":2048,"messageRoutingEnabled":true});
                out.frames.push((Some(conn), frame("response", "GetConfigurationResponse", body, tracing)));
            }
            "onMessage" => self.message(now, conn, &v, &mut out),
            _ => out.frames.push((Some(conn), error(400, "Request failed.", tracing))),
        }
        out
    }

    fn configure(&mut self, now: Wall, conn: u32, v: &Value, out: &mut Reaction) {
        let tracing = &v["tracingId"];
        if self.one_in_hundred(6) {
            out.frames.push((Some(conn), too_many(1, tracing)));
            return;
        }
        if self.one_in_hundred(2) {
            out.frames.push((Some(conn), error(401, "User is unauthorized", tracing)));
            return;
        }
        let new = !self.alive(now) || v["startNew"] == true;
        if new {
            self.read_only = false;
        }
        self.known = true;
        self.used(now);
        self.configured.retain(|c| *c != conn);
        self.configured.push(conn);
        let body = json!({"connected":true,"newSession":new,"readOnly":self.read_only,"maxCustomDataBytes":2048,
            "durationSeconds":self.life,"expirationDate":self.expires.as_secs()});
        out.frames.push((Some(conn), frame("response", "SessionResponse", body, tracing)));
    }

    fn message(&mut self, now: Wall, conn: u32, v: &Value, out: &mut Reaction) {
        let tracing = &v["tracingId"];
        let m = &v["message"];
        let event = &m["events"][0];
        if event["eventType"] == "Typing" {
            return;
        }
        if self.read_only && event.is_null() {
            out.frames.push((Some(conn), error(409, "read-only", tracing)));
            return;
        }
        if self.one_in_hundred(12) {
            let after = self.chance.up_to(4) as i64;
            out.frames.push((Some(conn), too_many(after, tracing)));
            return;
        }
        if self.one_in_hundred(4) {
            out.frames.push((Some(conn), error(4011, "too long", tracing)));
            return;
        }
        self.used(now);
        *self.taken.entry(tracing.as_str().unwrap_or_default().to_owned()).or_insert(0) += 1;
        let message_id = self.id();
        let mut body = json!({"type":m["type"].as_str().unwrap_or("Text"),"direction":"Inbound",
            "channel":{"time":now.rfc3339(),"messageId":message_id}});
        for member in ["text", "content", "events", "metadata"] {
            if !m[member].is_null() && (member != "metadata" || self.keeps_metadata) {
                body[member] = m[member].clone();
            }
        }
        let body = self.store(body, event.is_null());
        let mut echo = frame("message", "StructuredMessage", body, &Value::Null);
        echo["tracingId"] = tracing.clone();
        out.frames.push((None, echo));
        if event["presence"]["type"] == "Clear" {
            out.frames.push((None, frame("message", "SessionClearedEvent", json!({}), &Value::Null)));
            out.frames.push((None, frame("message", "ConnectionClosedEvent", json!({}), &Value::Null)));
            self.known = false;
            self.configured.clear();
            return;
        }
        for _ in 0..self.chance.up_to(2) {
            out.frames.push((None, self.says(now)));
        }
        if self.one_in_hundred(5) {
            self.read_only = true;
            let body = json!({"type":"Event","direction":"Outbound","channel":{"time":now.rfc3339()},
                "events":[{"eventType":"Presence","presence":{"type":"Disconnect"}}],"metadata":{"readOnly":"true"}});
            let body = self.store(body, false);
            out.frames.push((None, frame("message", "StructuredMessage", body, &Value::Null)));
        }
    }

    /// A message of the other side.
    pub fn says(&mut self, now: Wall) -> Value {
        if self.known {
            self.used(now);
        }
        let body = json!({"type":"Text","text":format!("reply {}", self.counted),"direction":"Outbound",
            "originatingEntity":"Bot","channel":{"time":now.rfc3339(),"type":"Private"}});
        let body = self.store(body, true);
        frame("message", "StructuredMessage", body, &Value::Null)
    }

    fn store(&mut self, mut body: Value, is_message: bool) -> Value {
        let id = self.id();
        body["id"] = json!(id);
        if is_message {
            self.stored.push(Stored { id, body: body.clone() });
        }
        body
    }

    /// Status, `Retry-After` in seconds, body, and whatever follows on the socket.
    pub fn call(&mut self, now: Wall, call: &Call) -> (u16, Option<u64>, Value, Option<Value>) {
        if call.method == "PUT" {
            if self.one_in_hundred(20) {
                return (403, None, json!(""), None);
            }
            let body = json!({"attachmentId":"file","downloadUrl":"http://files/dl","timestamp":now.rfc3339()});
            return (200, None, json!(""), Some(frame("message", "UploadSuccessEvent", body, &Value::Null)));
        }
        let jwt = call.headers.iter().find(|(k, _)| k == "Authorization").map(|(_, v)| v.trim_start_matches("bearer "));
        let jwt = jwt.unwrap_or_default().to_owned();
        if self.jwts.get(&jwt).is_none_or(|exp| now >= *exp) {
            self.refused_jwts.push(jwt);
            return (401, None, json!({"code":"authentication.required","status":401}), None);
        }
        if self.one_in_hundred(8) {
            return (429, Some(1 + self.chance.up_to(5)), json!({"status":429}), None);
        }
        if self.one_in_hundred(6) {
            return (503, None, json!("down"), None);
        }
        let query: BTreeMap<_, _> = url::Url::parse(&call.url).unwrap().query_pairs().into_owned().collect();
        let number = |k: &str| query[k].parse::<usize>().unwrap();
        let (page, size) = (number("pageNumber"), number("pageSize").min(10));
        let newest = self.stored.iter().rev().skip((page - 1) * size).take(size).map(|s| s.body.clone());
        let entities: Vec<_> = newest.collect();
        (200, None, json!({"entities":entities,"pageSize":size,"pageNumber":page,"total":self.stored.len()}), None)
    }
}

pub fn frame(kind: &str, class: &str, body: Value, tracing: &Value) -> Value {
    let mut v = json!({"type":kind,"class":class,"code":200,"body":body});
    if !tracing.is_null() {
        v["tracingId"] = tracing.clone();
    }
    v
}

fn error(code: i32, text: &str, tracing: &Value) -> Value {
    let mut v = frame("response", "string", json!(text), tracing);
    v["code"] = json!(code);
    v
}

fn too_many(after: i64, tracing: &Value) -> Value {
    let body = json!({"retryAfter":after,"errorCode":4029,"errorMessage":"too fast"});
    let mut v = frame("response", "TooManyRequestsErrorMessage", body, tracing);
    v["code"] = json!(429);
    v
}
