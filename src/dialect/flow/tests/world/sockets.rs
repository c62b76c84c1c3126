//! Sockets between the sessions and the server.

use super::*;

impl World {
    pub(super) fn open(&mut self, n: usize, at: At, conn: u32, url: &str, headers: &[(String, String)]) {
        let query = url.split_once("token=").map(|(_, token)| token.to_owned());
        let header = headers.iter().find(|(name, _)| name == "authorization");
        let token = header.and_then(|(_, value)| value.strip_prefix("Bearer ")).map(str::to_owned).or(query);
        if let Some(token) = &token {
            self.check_token(n, at, token, true);
            self.sessions[n].shook.clone_from(token);
        }
        // An open socket is dropped for another.
        if let Some(old) = self.sessions[n].open.take() {
            self.server.socket_gone((n, old));
        }
        self.sessions[n].conn = conn;
        let latency = self.latency();
        let event = match self.chance.up_to(19) {
            0 if self.server.faults > 0 => Event::NotOpened(n, conn, None),
            1 if self.server.faults > 0 => Event::NotOpened(n, conn, Some(503)),
            2 if self.server.faults > 0 => Event::NotOpened(n, conn, Some(404)),
            _ => Event::Upgrade(n, conn, token.unwrap_or_default()),
        };
        self.plan(latency, event);
    }

    pub(super) fn upgrade(&mut self, n: usize, conn: u32, token: &str) {
        if conn != self.sessions[n].conn {
            return;
        }
        let latency = self.latency();
        if self.sessions[n].id == DialectId::GuestResource {
            return self.plan(latency, Event::Opened(n, conn));
        }
        match self.server.upgrade(self.server_now(), (n, conn), token) {
            Ok(greeting) => {
                self.plan(latency, Event::Opened(n, conn));
                if !self.server.fault(6) {
                    self.plan(latency + 5_000, Event::Frame(n, conn, greeting.to_string()));
                }
            }
            Err(status) => {
                self.plan(latency, Event::NotOpened(n, conn, Some(status)));
            }
        }
    }

    /// A frame of the guest reaches the server.
    pub(super) fn request(&mut self, n: usize, conn: u32, text: &str) {
        let frame: Value = serde_json::from_str(text).unwrap_or_default();
        let latency = 5_000;
        match frame["type"].as_str().unwrap_or_default() {
            "handshake" => {
                let good = self.server.handshake(self.server_now(), frame["token"].as_str().unwrap_or_default());
                let event = match good && !self.server.fault(6) {
                    true => Event::Frame(n, conn, json!({ "type": "connected", "payload": {} }).to_string()),
                    false => Event::Lost(n, conn),
                };
                self.plan(latency, event);
            }
            "message" if !self.server.fault(8) => {
                let payload = &frame["payload"];
                *self.server.taken.entry(payload["text"].as_str().unwrap_or_default().to_owned()).or_insert(0) += 1;
                let echo = json!({ "type": "message", "payload": { "clientId": payload["id"], "from": "guest" } });
                self.plan(latency, Event::Frame(n, conn, echo.to_string()));
            }
            _ => {}
        }
    }

    pub(super) fn commit(&mut self, n: usize, id: &str, text: &str) {
        match self.server.commit(self.server_now(), n) {
            Some((conn, true)) => {
                let frame = json!({ "type": "message", "id": id, "from": "guest", "text": text });
                let latency = if self.server.fault(20) { 10 * SECOND } else { 5_000 };
                self.plan(latency, Event::Frame(n, conn, frame.to_string()));
            }
            Some((conn, false)) => self.plan(5_000, Event::Closed(n, conn, 1000)),
            None => {}
        }
    }
}
