//! What must hold, whatever happens.

use super::*;

impl World {
    pub(super) fn state(&mut self, n: usize, at: At, fact: Fact) {
        let session = &mut self.sessions[n];
        match fact {
            Fact::Delivery(d) => match d.delivery {
                Delivery::Sent => {}
                Delivery::Retrying { .. } => self.tally.retried += 1,
                end => {
                    *session.finals.entry(d.tracing.clone()).or_insert(0) += 1;
                    match end {
                        Delivery::Delivered => self.tally.delivered += 1,
                        Delivery::Refused { .. } => self.tally.refused += 1,
                        Delivery::NotSent { .. } => self.tally.not_sent += 1,
                        _ => self.tally.unconfirmed += 1,
                    }
                }
            },
            Fact::State(change) => {
                match (&session.state, &change.to) {
                    (SessionState::New, _) => session.begun += 1,
                    (SessionState::Ended(_), SessionState::Connecting) => session.begun += 1,
                    (SessionState::Ended(_), to) => {
                        self.broken.push(format!("session {n} is {} after its end", to.word()));
                    }
                    (_, SessionState::Ended(_)) => session.ended += 1,
                    (_, SessionState::Reconnecting { .. }) => self.tally.reopened += 1,
                    _ => {}
                }
                session.state = change.to;
            }
            Fact::Summary(_) => {
                session.summaries += 1;
                self.tally.summaries += 1;
            }
            Fact::Waiting { .. } => self.tally.waits += 1,
            Fact::Expiry(expiry) => self.clock(n, at, &expiry),
            _ => {}
        }
    }

    /// What a session knows of its own token, as its clock tells it.
    pub(super) fn clock(&mut self, n: usize, at: At, expiry: &Expiry) {
        let session = &mut self.sessions[n];
        if !expiry.id.ends_with("-token") {
            return;
        }
        let token = session.last_learnt.clone();
        let margin = Duration::from_secs(expiry.margin_secs.into());
        match expiry.event {
            ExpiryEvent::Started | ExpiryEvent::Refreshed | ExpiryEvent::Extended => {
                session.known.insert(token, Known { until: expiry.until, margin });
            }
            ExpiryEvent::Corrupted => {
                // Damaged on purpose: it is sent, even where the same damage was refused before.
                session.on_purpose.insert(token.clone());
                session.known.insert(token, Known { until: None, margin });
            }
            ExpiryEvent::Expired => {
                session.known.insert(token, Known { until: Some(at.server), margin });
            }
            ExpiryEvent::Refused => drop(session.dead.insert(token)),
            ExpiryEvent::Forgotten => {}
        }
    }

    /// A token is about to leave.
    pub(super) fn check_token(&mut self, n: usize, at: At, token: &str, with_margin: bool) {
        let session = &self.sessions[n];
        if !session.learnt.contains(token) && !self.learnt.contains(token) {
            self.broken.push(format!("session {n} sends a token that nobody learnt: {token}"));
        }
        let dead = session.dead.contains(token) || session.taken_back.contains(token);
        if dead && !session.on_purpose.contains(token) {
            self.broken.push(format!("session {n} sends a token again that was refused or taken back: {token}"));
        }
        if let Some(Known { until: Some(until), margin }) = session.known.get(token).copied() {
            let until = if with_margin { until - margin } else { until };
            if at.server >= until {
                let late = at.server.micros_since(until);
                self.broken.push(format!("session {n} sends a token that is dead for {late} µs: {token}"));
            }
        }
    }

    pub(super) fn bearer_of(call: &Call) -> Option<String> {
        let header = call.headers.iter().find(|(name, _)| name == "authorization");
        header.and_then(|(_, value)| value.strip_prefix("Bearer ")).map(str::to_owned)
    }

    pub(super) fn tokens_of(call: &Call) -> Vec<String> {
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let inner = &body["customAttributes"];
        let members = [&body["sessionToken"], &inner["guestToken"], &inner["sessionToken"]];
        let in_body = members.into_iter().filter_map(Value::as_str).map(str::to_owned);
        Self::bearer_of(call).into_iter().chain(in_body).collect()
    }

    pub(super) fn judge(&mut self) {
        let mut broken = Vec::new();
        for (n, s) in self.sessions.iter().enumerate() {
            for tracing in &s.wished {
                let finals = s.finals.get(tracing).copied().unwrap_or(0);
                if finals != 1 {
                    broken.push(format!("message {tracing} of session {n} ended {finals} times"));
                }
            }
            if s.begun > 0 && !s.state.is_ended() {
                broken.push(format!("session {n} was left and is {}", s.state.word()));
            }
            if s.ended != s.begun || s.summaries != s.begun {
                let (begun, ended, summaries) = (s.begun, s.ended, s.summaries);
                broken.push(format!("session {n}: begun {begun}, ended {ended}, {summaries} final reports"));
            }
            let most = 200 + 25 * s.wishes;
            if s.calls > most {
                broken.push(format!("session {n} made {} calls of {} wishes", s.calls, s.wishes));
            }
            if s.asks > 200 + 40 * s.wishes {
                broken.push(format!("session {n} asked its credential {} times for {} wishes", s.asks, s.wishes));
            }
            if !s.in_flight.is_empty() {
                broken.push(format!("calls of session {n} were never answered: the world is wrong"));
            }
        }
        for (c, shared) in self.credentials.iter().enumerate() {
            let most = 400 + 4 * shared.asked;
            if shared.fetches > most {
                broken.push(format!("credential {c} was fetched {} times, asked {}", shared.fetches, shared.asked));
            }
        }
        for (text, times) in &self.server.taken {
            if *times > 1 {
                broken.push(format!("“{text}” was taken {times} times"));
            }
        }
        let managed = self.shared.managed.load(std::sync::atomic::Ordering::Relaxed);
        if managed != 0 {
            broken.push(format!("{managed} managed conversations are still counted"));
        }
        self.broken.extend(broken);
    }
}
