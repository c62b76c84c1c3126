//! Credentials, run as the engine runs them: orders arrive late, and news lie in a cell where the latest wins.

use super::*;
use crate::dialect::credential::Who;

/// Sessions by their number, after the person.
fn who(n: usize) -> Who {
    n as u32 + 1
}

impl World {
    /// What a session knows from the news that it hears.
    pub(super) fn hear(&mut self, n: usize, news: &BearerNews) {
        let session = &mut self.sessions[n];
        match news {
            BearerNews::Granted(Bearer { number, token, until, margin, .. }) => {
                session.bearers.insert(*number, token.expose().clone());
                // The server may give one again that somebody took back here.
                session.taken_back.remove(token.expose());
                let known = Known { until: *until, margin: *margin };
                match session.id {
                    // It keeps a margin of its own.
                    DialectId::ExternalContact => drop(session.known.entry(token.expose().clone()).or_insert(known)),
                    _ => drop(session.known.insert(token.expose().clone(), known)),
                }
            }
            BearerNews::Dead { number } => {
                self.tally.dead_news += 1;
                session.taken_back.extend(session.bearers.get(number).cloned());
            }
            BearerNews::Denied { .. } => self.tally.denied += 1,
            BearerNews::None => {}
        }
    }

    pub(super) fn ask(&mut self, n: usize, order: Order) {
        let latency = self.chance.up_to(20_000);
        let due = (self.now + latency).max(self.sessions[n].order_at + 1);
        self.sessions[n].order_at = due;
        self.sessions[n].asks += 1;
        let c = self.sessions[n].credential;
        self.credentials[c].asked += 1;
        self.plan(due - self.now, Event::Order(c, order));
    }

    pub(super) fn order(&mut self, c: usize, order: Order) {
        let shared = &mut self.credentials[c];
        if shared.inline && shared.in_flight {
            return shared.orders.push_back(order);
        }
        match order {
            Order::Need(n) => self.with(c, |credential, at, out| credential.need(at, who(n), out)),
            Order::Refused(n, number) => {
                self.with(c, |credential, at, out| credential.refused(at, who(n), number, out))
            }
            Order::Replace(n, number) => {
                self.with(c, |credential, at, out| credential.replace(at, who(n), number, out))
            }
            Order::Accepted(number) => self.credentials[c].machine.accepted(number),
            Order::Deed(deed) => {
                self.corrupting = deed == ClockDeed::Corrupt;
                self.with(c, |credential, at, out| credential.deed(at, deed, out));
                self.corrupting = false;
            }
            Order::Change => {
                let source = self.source(c);
                self.credentials[c].given = matches!(source, Source::Given { .. });
                self.with(c, |credential, at, out| credential.change(at, source, out));
            }
        }
    }

    pub(super) fn drain(&mut self, c: usize) {
        while !(self.credentials[c].inline && self.credentials[c].in_flight) {
            let Some(order) = self.credentials[c].orders.pop_front() else { break };
            self.order(c, order);
        }
    }

    pub(super) fn fetched(&mut self, c: usize, answer: Option<(u16, Option<u64>, Value)>) {
        self.credentials[c].in_flight = false;
        if self.credentials[c].machine.wait(self.at(0, 0)).is_none() && self.chance.up_to(3) == 0 {
            self.credentials[c].wrong = 0;
        }
        self.with(c, |credential, at, out| match answer {
            Some((status, after, body)) => {
                credential.answered(at, status, after.map(Duration::from_secs), body.to_string().as_bytes(), out);
            }
            None => credential.unreachable(at, &Report::new("timeout", "No answer", "It took too long."), out),
        });
        self.drain(c);
    }

    pub(super) fn with(&mut self, c: usize, deed: impl FnOnce(&mut Credential, At, &mut Vec<Deed>)) {
        let at = self.at(0, self.credentials[c].wrong);
        let mut deeds = Vec::new();
        deed(&mut self.credentials[c].machine, at, &mut deeds);
        for deed in deeds {
            match deed {
                Deed::Learn(_, value) => {
                    if !self.learnt.insert(value.expose().clone()) && self.corrupting {
                        // Damaged on purpose in the very way of an earlier time.
                        let value = value.expose();
                        for s in self.sessions.iter_mut().filter(|s| s.credential == c) {
                            s.dead.remove(value);
                        }
                    }
                }
                Deed::State(_) => {}
                Deed::Tell { who, news } => {
                    self.tell(|| format!("  credential {c} tells {who}: {news:?}"));
                    // Nobody looks at what a person is told.
                    let Some(n) = who.checked_sub(1).map(|n| n as usize) else { continue };
                    self.sessions[n].cell = Some(news);
                    if !std::mem::replace(&mut self.sessions[n].planned, true) {
                        let latency = self.chance.up_to(30_000);
                        self.plan(latency, Event::News(n));
                    }
                }
                Deed::Fetch(call) => {
                    self.fetch(c);
                    let latency = self.latency();
                    let event = if self.server.fault(4) {
                        Event::Fetched(c, None)
                    } else {
                        let now = self.server_now();
                        let Reply { status, after, body } = self.server.token_call(now, c, &call);
                        Event::Fetched(c, Some((status, after, body)))
                    };
                    self.plan(latency, event);
                }
                Deed::SignIn(_) | Deed::StopSignIn | Deed::Keep(_) => unreachable!("nobody signs in here"),
                Deed::Read => {
                    self.fetch(c);
                    let now = self.server_now();
                    let found = (self.chance.up_to(9) > 0).then(|| self.server.pasted(now));
                    let latency = self.latency();
                    self.plan(latency, Event::Read(c, found));
                }
            }
        }
        let wait = self.credentials[c].machine.wait(self.at(0, self.credentials[c].wrong));
        self.credentials[c].ticks += 1;
        if let Some(wait) = wait {
            // As the engine: never sooner than a millisecond, and looked at again at least every five seconds.
            let wait = (wait.as_micros() as u64).clamp(1_000, 5 * SECOND);
            let ticks = self.credentials[c].ticks;
            self.plan(wait, Event::CredentialTick(c, ticks));
        }
    }

    pub(super) fn fetch(&mut self, c: usize) {
        self.credentials[c].fetches += 1;
        self.tally.fetches += 1;
        if std::mem::replace(&mut self.credentials[c].in_flight, true) {
            self.broken.push(format!("two fetches of credential {c} at once"));
        }
    }
}
