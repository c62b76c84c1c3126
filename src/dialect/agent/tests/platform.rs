//! A platform of paper: what it would answer, and what it would tell.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::world::START;
use crate::dialect::Call;
use crate::model::Wall;

pub const ME: &str = "u1";

#[derive(Clone, Debug)]
pub struct Party {
    pub id: String,
    pub purpose: &'static str,
    pub state: &'static str,
    pub user: Option<String>,
    pub connected: bool,
    pub held: bool,
    pub wrapup: Option<String>,
    pub skipped: bool,
    /// Message ids.
    pub messages: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Talk {
    pub parties: Vec<Party>,
    pub mandatory: bool,
}

#[derive(Clone, Debug)]
pub struct Stored {
    pub conversation: String,
    pub text: String,
    pub inbound: bool,
}

#[derive(Default)]
pub struct Platform {
    pub talks: BTreeMap<String, Talk>,
    pub store: BTreeMap<String, Stored>,
    pub channel: u32,
    pub channel_lives: bool,
    pub subscribed: bool,
    pub socket: bool,
    pub presence: String,
    pub last: u32,
    /// Told to nobody yet.
    pub untold: Vec<String>,
    /// Topics that are rejected.
    pub rejected: Vec<&'static str>,
    pub media: BTreeMap<String, u32>,
    /// Bulk look-ups, with their ids.
    pub looked_up: Vec<(u64, Vec<String>)>,
}

impl Platform {
    fn next(&mut self, kind: &str) -> String {
        self.last += 1;
        format!("{kind}{}", self.last)
    }

    /// A guest comes, and the agent is alerted.
    pub fn alert(&mut self, conversation: &str) {
        let customer = self.party("customer", "connected", None);
        let agent = self.party("agent", "alerting", Some(ME));
        self.talks.insert(conversation.into(), Talk { parties: vec![customer, agent], mandatory: false });
        self.untold.push(conversation.into());
    }

    pub fn party(&mut self, purpose: &'static str, state: &'static str, user: Option<&str>) -> Party {
        Party {
            id: self.next("p"),
            purpose,
            state,
            user: user.map(str::to_owned),
            connected: state == "connected",
            held: false,
            wrapup: None,
            skipped: false,
            messages: Vec::new(),
        }
    }

    pub fn change(&mut self, conversation: &str, change: impl FnOnce(&mut Talk)) {
        if let Some(talk) = self.talks.get_mut(conversation) {
            change(talk);
            self.untold.push(conversation.into());
        }
    }

    pub fn guest_says(&mut self, conversation: &str, text: &str) -> String {
        self.say(conversation, "customer", text)
    }

    fn say(&mut self, conversation: &str, who: &str, text: &str) -> String {
        let id = self.next("m");
        let inbound = who == "customer";
        let stored = Stored { conversation: conversation.into(), text: text.into(), inbound };
        self.store.insert(id.clone(), stored);
        let own = id.clone();
        self.change(conversation, |talk| {
            if let Some(p) = talk.parties.iter_mut().rfind(|p| p.purpose == who) {
                p.messages.push(own);
            }
        });
        id
    }

    pub fn media_shape(&self, id: &str) -> Value {
        let parties = self.talks[id].parties.iter().map(|p| {
            let messages: Vec<Value> = p
                .messages
                .iter()
                .map(|m| json!({ "message": { "id": m }, "messageStatus": "received", "messageMetadata": { "type": "Text" } }))
                .collect();
            let mut v = json!({ "id": p.id, "purpose": p.purpose, "state": p.state, "held": p.held,
                "messages": messages, "alertingTimeoutMs": 30000, "wrapupRequired": p.purpose == "agent",
                "wrapupSkipped": p.skipped, "name": if p.purpose == "agent" { "Agent" } else { "Guest" } });
            if let Some(user) = &p.user {
                v["user"] = json!({ "id": user });
            }
            if let Some(code) = &p.wrapup {
                v["wrapup"] = json!({ "code": code });
            }
            if p.connected {
                v["connectedTime"] = "2026-01-06T13:26:15.174Z".into();
            }
            v
        });
        json!({ "id": id, "participants": parties.collect::<Vec<_>>() })
    }

    pub fn generic_shape(&self, id: &str) -> Value {
        let parties = self.talks[id].parties.iter().map(|p| {
            let messages: Vec<Value> = p.messages.iter().map(|m| json!({ "messageId": m })).collect();
            json!({ "id": p.id, "purpose": p.purpose, "userId": p.user, "messages": [
                { "id": format!("comm-{}", p.id), "state": p.state, "held": p.held, "messages": messages } ] })
        });
        json!({ "id": id, "participants": parties.collect::<Vec<_>>() })
    }

    fn stored(&self, id: &str) -> Option<Value> {
        let m = self.store.get(id)?;
        let direction = if m.inbound { "inbound" } else { "outbound" };
        Some(json!({ "id": id, "textBody": m.text, "direction": direction, "conversationId": m.conversation }))
    }

    fn mine(&mut self, conversation: &str, participant: &str) -> Option<&mut Party> {
        self.talks.get_mut(conversation)?.parties.iter_mut().find(|p| p.id == participant)
    }

    /// Status and body.
    pub fn answer(&mut self, micros: u64, call: &Call) -> (u16, Value) {
        let (path, query) = call.url.split_once('?').unwrap_or((&call.url, ""));
        let path = path.split_once("/api/v2/").map_or(path, |(_, rest)| rest);
        let parts: Vec<&str> = path.split('/').collect();
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let ok = |v: Value| (200, v);
        match (call.method, &parts[..]) {
            ("GET", ["users", "me"]) => ok(json!({ "id": ME, "name": "Agent One", "email": "a@example.invalid",
                "presence": { "presenceDefinition": { "id": "pd-away", "systemPresence": "Away" } },
                "routingStatus": { "status": "OFF_QUEUE" } })),
            ("GET", ["presence", "definitions"]) => ok(json!({ "entities": [
                { "id": "pd-q", "systemPresence": "On Queue" }, { "id": "pd-away", "systemPresence": "AWAY" } ] })),
            ("GET", ["users", _, "queues"]) => ok(json!({ "entities": [{ "id": "q1", "name": "Q", "joined": true }] })),
            ("PATCH", ["users", _, "presences", "purecloud"]) => {
                self.presence = body["presenceDefinition"]["id"].as_str().unwrap_or_default().to_owned();
                ok(json!({ "presenceDefinition": { "id": self.presence, "systemPresence": "On Queue" } }))
            }
            ("PUT", ["users", _, "routingstatus"]) => ok(body),
            ("PATCH", ["users", _, "queues", _]) => ok(body),
            ("POST", ["notifications", "channels"]) => {
                self.channel += 1;
                (self.channel_lives, self.subscribed) = (true, false);
                ok(json!({ "id": format!("streaming-{}", self.channel),
                    "connectUri": format!("wss://streaming.example/channels/{}", self.channel),
                    "expires": Wall::from_secs(START + 86_400).plus_micros(micros as i64).rfc3339() }))
            }
            ("HEAD", ["notifications", "channels", id]) => {
                let same = *id == format!("streaming-{}", self.channel);
                (if self.channel_lives && same { 200 } else { 404 }, Value::Null)
            }
            (_, ["notifications", "channels", id, "subscriptions"]) => {
                if !self.channel_lives || *id != format!("streaming-{}", self.channel) {
                    return (404, json!({ "message": "no such channel", "code": "not.found" }));
                }
                self.subscribed = true;
                let all = body.as_array().cloned().unwrap_or_default();
                let told: Vec<Value> = all
                    .iter()
                    .map(|t| {
                        let id = t["id"].as_str().unwrap_or_default();
                        let no = self.rejected.iter().any(|end| id.ends_with(end));
                        json!({ "id": id, "state": if no { "Rejected" } else { "Permitted" },
                            "missingPermissions": if no { json!(["some:permission"]) } else { Value::Null } })
                    })
                    .collect();
                ok(json!({ "entities": told }))
            }
            ("GET", ["conversations", "messages"]) => {
                ok(json!({ "entities": self.live().iter().map(|id| self.media_shape(id)).collect::<Vec<_>>() }))
            }
            ("GET", ["conversations"]) => {
                ok(json!({ "entities": self.live().iter().map(|id| self.generic_shape(id)).collect::<Vec<_>>() }))
            }
            ("GET", ["conversations", "messages", id]) if self.talks.contains_key(*id) => ok(self.media_shape(id)),
            ("GET", ["conversations", id]) if self.talks.contains_key(*id) => ok(self.generic_shape(id)),
            ("POST", ["conversations", "messages", _, "messages", "bulk"]) => {
                assert!(query.contains("useNormalizedMessage"));
                let ids: Vec<String> =
                    body.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect();
                self.looked_up.push((micros, ids.clone()));
                ok(json!({ "entities": ids.iter().filter_map(|id| self.stored(id)).collect::<Vec<_>>() }))
            }
            ("PATCH", ["conversations", "messages", c, "participants", p]) => self.patch(c, p, &body),
            ("PATCH", ["conversations", "messages", c, "participants", p, "parkingstate"]) => {
                let state = if body["state"] == "parked" { "parked" } else { "connected" };
                self.set(c, p, |party| party.state = state)
            }
            ("POST", ["conversations", "messages", c, "participants", p, "replace"]) => {
                self.set(c, p, |party| party.state = "disconnected")
            }
            ("PATCH", ["conversations", "messages", _, "participants", _, "attributes"]) => ok(body),
            ("GET", ["conversations", "messages", _, "participants", _, "wrapupcodes"]) => {
                ok(json!([{ "id": "w1", "name": "Done" }]))
            }
            ("POST", ["conversations", "messages", c, "participants", p, "communications", _, "wrapup"]) => {
                let code = body["code"].as_str().unwrap_or_default().to_owned();
                self.set(c, p, |party| party.wrapup = Some(code))
            }
            ("POST", ["conversations", "messages", c, "communications", m, "messages"]) => {
                let speaks = self.talks.get(*c).is_some_and(|t| {
                    t.parties.iter().any(|p| format!("comm-{}", p.id) == *m && p.state == "connected")
                });
                if !speaks {
                    return (404, json!({ "message": "no such communication", "code": "not.found" }));
                }
                let id = self.say(c, "agent", body["textBody"].as_str().unwrap_or_default());
                ok(self.stored(&id).unwrap_or_default())
            }
            ("POST", ["conversations", "messages", _, "communications", _, "typing"]) => (202, Value::Null),
            ("POST", ["conversations", "messages", _, "communications", _, "messages", "media", "uploads"]) => {
                let id = self.next("f");
                self.media.insert(id.clone(), 0);
                ok(json!({ "id": id, "uploadUrl": format!("https://files.example/{id}?sig=secret"),
                    "uploadHeaders": { "X-Amz-Tagging": "a=b" } }))
            }
            ("GET", ["conversations", "messages", _, "communications", _, "messages", "media", id]) => {
                let looks = self.media.entry((*id).to_owned()).or_default();
                *looks += 1;
                ok(json!({ "id": id, "status": if *looks > 1 { "valid" } else { "uploading" } }))
            }
            ("PUT", _) if call.url.starts_with("https://files.example/") => (200, Value::Null),
            ("POST", ["conversations", c, "disconnect"]) => {
                self.change(c, |t| t.parties.iter_mut().for_each(|p| p.state = "disconnected"));
                ok(Value::Null)
            }
            _ => (404, json!({ "message": format!("{} {path}", call.method), "code": "not.found" })),
        }
    }

    fn live(&self) -> Vec<String> {
        let live = |t: &Talk| t.parties.iter().any(|p| p.user.as_deref() == Some(ME) && p.state != "disconnected");
        self.talks.iter().filter(|(_, t)| live(t)).map(|(id, _)| id.clone()).collect()
    }

    fn set(&mut self, c: &str, p: &str, change: impl FnOnce(&mut Party)) -> (u16, Value) {
        match self.mine(c, p) {
            Some(party) => {
                change(party);
                self.untold.push(c.to_owned());
                (202, Value::Null)
            }
            None => (404, json!({ "message": "no such participant", "code": "not.found" })),
        }
    }

    fn patch(&mut self, c: &str, p: &str, body: &Value) -> (u16, Value) {
        let mandatory = self.talks.get(c).is_some_and(|t| t.mandatory);
        let Some(party) = self.mine(c, p) else {
            return (404, json!({ "message": "no such participant", "code": "not.found" }));
        };
        match (body["state"].as_str(), party.state) {
            (Some("connected"), "alerting") => {
                party.state = "connected";
                party.connected = true;
            }
            (Some("connected"), _) => return (409, json!({ "message": "not alerting", "code": "conflict" })),
            (Some("disconnected"), _) => party.state = "disconnected",
            _ => {}
        }
        if let Some(held) = body["held"].as_bool() {
            party.held = held;
        }
        if body["wrapupSkipped"] == true {
            if mandatory {
                return (400, json!({ "message": "wrapup is required", "code": "bad.request" }));
            }
            party.skipped = true;
        }
        self.untold.push(c.to_owned());
        (202, Value::Null)
    }
}
