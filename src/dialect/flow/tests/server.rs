//! The server's side of the five flows and of the OAuth tokens, as far as the schedules need it, written from the
//! flows' descriptions alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::jwt;
use crate::dialect::Call;
use crate::dialect::seeded::Seeded;
use crate::model::Wall;

/// What comes of a call.
pub struct Reply {
    pub status: u16,
    /// Seconds.
    pub after: Option<u64>,
    pub body: Value,
}

fn reply(status: u16, body: Value) -> Reply {
    Reply { status, after: None, body }
}

fn no(status: u16, text: &str) -> Reply {
    reply(status, json!({ "message": text, "status": status }))
}

/// A socket that is open, with the token of its handshake.
struct Socket {
    token: String,
}

pub struct Server {
    pub chance: Seeded,
    /// Faults happen, in so many of a hundred calls.
    pub faults: u64,
    /// Lives of tokens, in seconds.
    pub lives: Vec<i64>,
    counted: u64,
    /// OAuth tokens and when they die.
    oauth: BTreeMap<String, Wall>,
    /// Session tokens: when they die, and of which conversation.
    sessions: BTreeMap<String, (Wall, String)>,
    /// The one that each conversation takes, and its guest.
    conversations: BTreeMap<String, (String, String)>,
    guests: BTreeMap<String, Wall>,
    contacts: BTreeSet<String>,
    managed: BTreeSet<String>,
    sockets: BTreeMap<(usize, u32), Socket>,
    /// How often each text was taken as a message.
    pub taken: BTreeMap<String, u32>,
    /// The token of an answer to give again.
    last: BTreeMap<usize, String>,
}

impl Server {
    pub fn new(seed: u64) -> Self {
        let mut chance = Seeded::new(seed);
        let lives = [vec![4, 8], vec![10, 20, 40], vec![90, 200], vec![900]][chance.up_to(3) as usize].clone();
        Self {
            faults: [4, 8, 15][chance.up_to(2) as usize],
            chance,
            lives,
            counted: 0,
            oauth: BTreeMap::new(),
            sessions: BTreeMap::new(),
            conversations: BTreeMap::new(),
            guests: BTreeMap::new(),
            contacts: BTreeSet::new(),
            managed: BTreeSet::new(),
            sockets: BTreeMap::new(),
            taken: BTreeMap::new(),
            last: BTreeMap::new(),
        }
    }

    pub fn fault(&mut self, percent: u64) -> bool {
        self.faults > 0 && self.chance.up_to(99) < percent
    }

    fn id(&mut self, what: &str) -> String {
        self.counted += 1;
        format!("{what}-{}", self.counted)
    }

    fn life(&mut self) -> i64 {
        let n = self.chance.up_to(self.lives.len() as u64 - 1) as usize;
        self.lives[n]
    }

    /// All tokens die early, without a word.
    pub fn kill_tokens(&mut self, now: Wall) {
        self.oauth.values_mut().chain(self.guests.values_mut()).for_each(|dies| *dies = now.min(*dies));
        self.sessions.values_mut().for_each(|(dies, _)| *dies = now.min(*dies));
    }

    fn oauth_token(&mut self, now: Wall, life: i64) -> String {
        let token = self.id("oauth");
        self.oauth.insert(token.clone(), now.plus_micros(life * 1_000_000));
        token
    }

    /// A token that somebody pasted: a signed one that tells its end, or one that tells nothing.
    pub fn pasted(&mut self, now: Wall) -> String {
        let life = self.life();
        let plain = self.oauth_token(now, life);
        if self.chance.up_to(1) == 0 {
            return plain;
        }
        let token = jwt(&plain, &json!({ "exp": now.as_secs() + life }));
        self.oauth.insert(token.clone(), now.plus_micros(life * 1_000_000));
        token
    }

    /// The token endpoint, or the broker.
    pub fn token_call(&mut self, now: Wall, credential: usize, call: &Call) -> Reply {
        if self.fault(self.faults * 2) {
            let after = (self.chance.up_to(1) == 0).then(|| self.chance.up_to(12));
            return match self.chance.up_to(6) {
                0 => Reply { after, ..no(429, "too many") },
                1 => Reply { after: Some(400), ..no(429, "too many for long") },
                2 => no(401, "invalid_client"),
                3 => reply(200, json!({ "surprise": 1 })),
                _ => Reply { after, ..no(503, "down") },
            };
        }
        if self.fault(2)
            && let Some(token) = self.last.get(&credential)
        {
            return reply(200, json!({ "access_token": token, "expires_in": 30 }));
        }
        let life = self.life();
        let token = self.oauth_token(now, life);
        self.last.insert(credential, token.clone());
        let name = if call.url.contains("broker") { "token" } else { "access_token" };
        let told = match self.chance.up_to(29) {
            0 if self.faults > 0 => json!(0),
            1 if self.faults > 0 => json!(-5),
            2 if self.faults > 0 => Value::Null,
            3 => json!(life as f64 + 0.5),
            4 => json!(life.to_string()),
            5 if self.faults > 0 => json!(1e300),
            _ => json!(life),
        };
        reply(200, json!({ name: token, "expires_in": told, "scope": "all" }))
    }

    fn bearer(call: &Call) -> Option<&str> {
        let header = call.headers.iter().find(|(name, _)| name == "authorization");
        header.and_then(|(_, value)| value.strip_prefix("Bearer "))
    }

    pub fn is_alive(&self, token: &str, now: Wall) -> bool {
        self.oauth.get(token).is_some_and(|dies| now < *dies)
    }

    pub fn call(&mut self, now: Wall, who: usize, call: &Call) -> Reply {
        if self.fault(self.faults) {
            let after = (self.chance.up_to(2) == 0).then(|| [0, 1, 3, 20, 400][self.chance.up_to(4) as usize]);
            return match self.chance.up_to(5) {
                0..=2 => Reply { after, ..no(429, "too many") },
                3 => no(401, "the clerk did not like it"),
                _ => Reply { after, ..no(503, "down") },
            };
        }
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let word = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let path = call.url.strip_prefix("http://api").unwrap_or_default().to_owned();
        let parts: Vec<&str> = path.split('/').skip(3).collect();
        let in_body = parts.last() == Some(&"messages") && !word("sessionToken").is_empty();
        if !in_body {
            let bearer = Self::bearer(call).unwrap_or_default();
            if self.sessions.contains_key(bearer) {
                return no(400, "this is no OAuth token");
            }
            if !self.is_alive(bearer, now) {
                return no(401, "the OAuth token is not known, or dead");
            }
        }
        match (call.method, parts.as_slice()) {
            ("POST", ["webmessaging", "conversations"]) => {
                let (conversation, guest) = (self.id("conversation"), self.id("guest"));
                let token = self.session_token(now, &conversation);
                self.conversations.insert(conversation.clone(), (token.clone(), guest.clone()));
                let name = if self.fault(10) { "conversationsId" } else { "conversationId" };
                let guest_token = self.id("guesttoken");
                reply(
                    200,
                    json!({ name: conversation, "sessionToken": token, "guestId": guest, "guestToken": guest_token }),
                )
            }
            ("POST", ["webmessaging", "conversations", conversation, "messages"]) => {
                let known = self.conversations.get(*conversation).map(|(token, _)| token.clone());
                let fits = known.as_ref().is_some_and(|known| {
                    (!in_body || *known == word("sessionToken"))
                        && self.sessions.get(known).is_some_and(|(dies, _)| now < *dies)
                });
                if !fits {
                    return no(401, "Session token is invalid or expired");
                }
                self.take(&word("text"));
                reply(200, json!({ "id": self.id("message") }))
            }
            ("POST", ["webmessaging", "conversations", conversation, ..]) => {
                if self.fault(10) {
                    return no(401, "Session token is invalid or expired");
                }
                let Some((_, guest)) = self.conversations.get(*conversation).cloned() else {
                    return no(404, "no such conversation");
                };
                let token = self.session_token(now, conversation);
                self.conversations.insert((*conversation).to_owned(), (token.clone(), guest));
                reply(200, json!({ "sessionToken": token }))
            }
            ("POST", ["conversations", "messaging", "external", ..]) if !body["expires_in"].is_null() => {
                if self.fault(6) {
                    return no(401, "no refresh for you");
                }
                let life = self.life();
                let token = self.oauth_token(now, life);
                let socket = self.sockets.iter_mut().rfind(|((owner, _), _)| *owner == who);
                socket.into_iter().for_each(|(_, socket)| socket.token.clone_from(&token));
                reply(200, json!({ "token": token, "expires_in": life }))
            }
            ("POST", ["conversations", "messaging", "external", ..]) => {
                self.take(&word("text"));
                reply(202, json!({ "id": self.id("message"), "status": "queued" }))
            }
            ("GET", ["routing", "queues", "queue-1"]) => reply(200, json!({ "id": "queue-1", "name": "Sales" })),
            ("POST", ["externalcontacts", "contacts"]) => {
                let contact = self.id("contact");
                self.contacts.insert(contact.clone());
                reply(201, json!({ "id": contact }))
            }
            ("POST", ["conversations", "messaging"]) if body["from"].is_null() => {
                if self.contacts.contains(&word("contactId")) {
                    reply(201, json!({ "id": self.id("conversation") }))
                } else {
                    no(400, "contactId: unknown")
                }
            }
            ("POST", ["conversations", "messaging"]) => {
                self.managed.insert(word("id"));
                reply(201, json!({ "id": word("id"), "state": "connected" }))
            }
            ("PATCH", ["conversations", "messaging", id]) => {
                let there = self.managed.contains(*id);
                if word("status") == "disconnected" {
                    self.managed.remove(*id);
                }
                if there { reply(200, json!({ "id": id })) } else { no(404, "it has ended") }
            }
            ("POST", ["guests"]) => {
                let (guest, life) = (self.id("guest"), self.life());
                let claims = json!({ "exp": now.as_secs() + life, "routing_hints": { "queue": "queue-1" } });
                let token = jwt(&self.id("guesttoken"), &claims);
                self.guests.insert(token.clone(), now.plus_micros(life * 1_000_000));
                reply(201, json!({ "id": guest, "guestToken": token, "sessions": [{ "id": "s" }], "attributes": {} }))
            }
            ("PUT", ["guests", ..]) => {
                if self.fault(5) {
                    no(404, "Guest not found")
                } else {
                    reply(200, json!({}))
                }
            }
            _ => no(404, &format!("no such path: {path}")),
        }
    }

    fn session_token(&mut self, now: Wall, conversation: &str) -> String {
        let life = self.life();
        let token = jwt(&self.id("sessiontoken"), &json!({ "exp": now.as_secs() + life }));
        self.sessions.insert(token.clone(), (now.plus_micros(life * 1_000_000), conversation.to_owned()));
        token
    }

    fn take(&mut self, text: &str) {
        *self.taken.entry(text.to_owned()).or_insert(0) += 1;
    }

    /// The upgrade of an external contact's socket: its greeting, or a status.
    pub fn upgrade(&mut self, now: Wall, key: (usize, u32), token: &str) -> Result<Value, u16> {
        if !self.is_alive(token, now) {
            return Err(401);
        }
        self.sockets.insert(key, Socket { token: token.to_owned() });
        let left = self.oauth.get(token).map_or(0, |dies| dies.micros_since(now) / 1_000_000);
        let session = self.id("session");
        Ok(json!({ "type": "greeting", "sessionId": session, "contactId": session, "expires_in": left }))
    }

    pub fn socket_gone(&mut self, key: (usize, u32)) {
        self.sockets.remove(&key);
    }

    /// A message is committed: on this connection, or the connection is closed for its token.
    pub fn commit(&self, now: Wall, who: usize) -> Option<(u32, bool)> {
        let ((_, conn), socket) = self.sockets.iter().rfind(|((owner, _), _)| *owner == who)?;
        Some((*conn, self.is_alive(&socket.token, now)))
    }

    /// The first frame of a guest's socket.
    pub fn handshake(&self, now: Wall, token: &str) -> bool {
        self.guests.get(token).is_some_and(|dies| now < *dies)
    }
}
