//! What a dialect asks for, done.

use super::*;

impl Session {
    /// Carries out what the dialect asked for, in its order.
    pub(super) fn act(&mut self, s: &mut State) {
        if s.actions.is_empty() {
            return;
        }
        let mut actions = std::mem::take(&mut s.actions);
        for action in actions.drain(..) {
            match action {
                Action::Open { conn, url, headers } => self.open(s, conn, url, headers),
                Action::Text { conn, text, flags, tracing } if conn == s.conn && s.socket.is_some() => {
                    let seq = self.send(s, Wire::Text(Bytes::from(text)), flags.with(Flags::STORY));
                    if let Some(tracing) = tracing {
                        s.sent.add(tracing, seq);
                    }
                }
                Action::Text { .. } => {
                    self.log.fact(
                        self.id,
                        &Fact::Fault(Report::new(
                            "no-socket",
                            "Not sent",
                            "The socket was gone before this could be written.",
                        )),
                    );
                }
                Action::Ping { .. } => {
                    self.send(s, Wire::Ping(Bytes::new()), Flags::HEARTBEAT);
                }
                Action::Close { code, reason, .. } => {
                    if s.socket.is_some() && s.closing.is_none() {
                        self.send(s, Wire::Close { code, reason: Bytes::from(reason) }, Flags::STORY);
                        s.closing = Some(Instant::now() + CLOSING);
                    }
                }
                Action::Call { call, request } => self.call(s, call, request),
                Action::NeedBearer => self.ask(Ask::Need),
                Action::BearerRefused { number } => self.ask(Ask::Refused(number)),
                Action::BearerReplace { number } => self.ask(Ask::Replace(number)),
                Action::BearerAccepted { number } => self.ask(Ask::Accepted(number)),
                Action::Sign { claims } => {
                    let signer = self.signer.clone();
                    s.signing.spawn_blocking(move || signer(&claims));
                }
                Action::Learn { kind, value } => {
                    s.tokens.learnt(kind, self.log.learn(kind, value.expose()));
                }
                Action::Keep { key, value } => {
                    if self.out.try_send(FromSession::Keep { session: self.id, key, value }).is_err() {
                        let what = "Too many secrets wait to be kept; this one stays in memory only.";
                        self.log.fact(self.id, &Fact::Fault(Report::new("vault-busy", "The keyring is busy", what)));
                    }
                }
                Action::State(mut fact) => {
                    if let Fact::Expiry(expiry) = &mut fact {
                        s.tokens.name(expiry);
                    }
                    self.log.fact(self.id, &fact);
                }
            }
        }
        s.actions = actions;
    }

    /// Tells the keeper of the OAuth token something, as soon as it has room.
    pub(super) fn ask(&mut self, ask: Ask) {
        if let Some(c) = &mut self.credentials {
            let who = c.who;
            c.asks.push_back(match ask {
                Ask::ByPerson => oauth::Order::ByPerson,
                Ask::Need => oauth::Order::Need { who },
                Ask::Refused(number) => oauth::Order::Refused { who, number },
                Ask::Replace(number) => oauth::Order::Replace { who, number },
                Ask::Accepted(number) => oauth::Order::Accepted { number },
            });
        }
    }

    /// The keeper of the OAuth token has ended, which only the program's end makes it do.
    pub(super) fn no_keeper(&mut self, s: &mut State) {
        if let Some(c) = &mut self.credentials {
            c.asks.clear();
        }
        let report = Report::new("not-signed-in", "There is no OAuth token", "Its keeper has ended.");
        self.step(s, Input::Bearer(BearerNews::Denied { report }));
    }

    fn open(&mut self, s: &mut State, conn: u32, url: String, headers: Vec<(String, String)>) {
        s.socket = None;
        s.closing = None;
        s.conn = conn;
        let opening = Opening {
            log: self.log.clone(),
            session: self.id,
            environment: self.environment.clone(),
            clients: self.clients.clone(),
            conn,
            url,
            headers,
        };
        s.opening.spawn(async move { (conn, opening.open().await) });
    }

    fn call(&mut self, s: &mut State, id: CallId, request: Call) {
        let caller = Caller {
            log: self.log.clone(),
            session: self.id,
            environment: self.environment.clone(),
            clients: self.clients.clone(),
        };
        s.calls.spawn(async move { (id, caller.call(&request).await) });
    }

    /// Records a message and hands it to the socket.
    pub(super) fn send(&mut self, s: &mut State, wire: Wire, flags: Flags) -> u64 {
        let (kind, code, body) = match &wire {
            Wire::Text(b) => (Kind::Text, 0, b.clone()),
            Wire::Binary(b) => (Kind::Binary, 0, b.clone()),
            Wire::Ping(b) => (Kind::Ping, 0, b.clone()),
            Wire::Pong(b) => (Kind::Pong, 0, b.clone()),
            Wire::Close { code, reason } => (Kind::Close, i32::from(*code), reason.clone()),
        };
        let draft =
            Draft::new(self.log.now(), self.id, kind, Direction::Sent).conn(s.conn).flags(flags).code(code).body(body);
        let seq = self.log.add(draft);
        if let Some(socket) = &s.socket
            && let Err(report) = socket.sender.send(wire)
        {
            self.log.fact(self.id, &Fact::Fault(report));
        }
        seq
    }
}
