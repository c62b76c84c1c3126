//! Calls of the sessions, and the server's answers.

use super::*;

impl World {
    pub(super) fn call(&mut self, n: usize, at: At, id: CallId, call: Call) {
        self.sessions[n].calls += 1;
        self.tally.calls += 1;
        // The one call that a token is good for until its very end.
        let with_margin = call.purpose != "refresh, messages path";
        for token in Self::tokens_of(&call) {
            self.check_token(n, at, &token, with_margin);
        }
        if self.sessions[n].id == DialectId::GuestResource {
            self.guest_calls.push_back(self.now);
            while self.guest_calls.front().is_some_and(|first| self.now - first >= 60 * SECOND) {
                self.guest_calls.pop_front();
            }
            if self.guest_calls.len() > self.limit as usize {
                self.broken.push(format!("{} calls of one client in a minute", self.guest_calls.len()));
            }
        }
        self.sessions[n].in_flight.insert(id, call.clone());
        let latency = self.latency();
        if self.server.fault(4) {
            // It may have arrived all the same.
            if self.chance.up_to(1) == 0 {
                let now = self.server_now();
                self.server.call(now, n, &call);
            }
            self.plan(5 * SECOND, Event::CallFailed(n, id));
        } else {
            self.plan(latency, Event::Call(n, id, call));
        }
    }

    pub(super) fn reaches_server(&mut self, n: usize, id: CallId, call: &Call) {
        let now = self.server_now();
        let Reply { status, after, body } = match call.purpose {
            "webhook" => Reply { status: 204, after: None, body: Value::Null },
            _ => self.server.call(now, n, call),
        };
        if status == 202 && call.purpose == "message" {
            let sent: Value = serde_json::from_slice(&call.body).unwrap_or_default();
            let id = body["id"].as_str().unwrap_or_default().to_owned();
            let after = 100_000 + self.chance.up_to(200_000);
            self.plan(after, Event::Commit(n, id, sent["text"].as_str().unwrap_or_default().to_owned()));
        }
        let latency = self.latency() / 2;
        self.plan(latency, Event::Answer(n, id, status, after, body));
    }

    pub(super) fn answered(&mut self, n: usize, id: CallId, status: u16, after: Option<u64>, body: &Value) {
        let call = self.sessions[n].in_flight.remove(&id);
        if self.sessions[n].learns {
            self.sessions[n].wrong = self.chance.up_to(SECOND) as i64 - SECOND as i64 / 2;
        }
        let text = body.to_string();
        let retry_after = after.map(Duration::from_secs);
        // What a 401 says of a session token does not hold for the bearer beside it.
        if status == 401
            && let Some(call) = call
        {
            let sent: Value = serde_json::from_slice(&call.body).unwrap_or_default();
            let refused = match Self::bearer_of(&call) {
                Some(_) if text.contains("Session token") => None,
                Some(bearer) => Some(bearer),
                None => sent["sessionToken"].as_str().map(str::to_owned),
            };
            self.sessions[n].dead.extend(refused);
        }
        self.step(n, Input::Answer { call: id, status, retry_after, body: text.as_bytes() });
        for name in ["sessionToken", "guestToken", "token"] {
            if let Some(token) = body[name].as_str().filter(|_| (200..300).contains(&status))
                && !self.sessions[n].learnt.contains(token)
            {
                self.broken.push(format!("session {n} was given a token that it did not learn: {token}"));
            }
        }
    }
}
