//! What the guest says, from its POST to the moment at which the server commits it, or loses it.

use super::*;

pub(super) struct Message {
    pub tracing: String,
    pub text: String,
    pub stage: Stage,
    /// It was refused for its token, and is sent once more.
    pub again: bool,
}

pub(super) enum Stage {
    /// It waits for a token that lives.
    Waiting,
    /// On its way, with the token of this number.
    Posted { with: u64 },
    /// Accepted under this id while this connection was open; until then the server may still lose it.
    Accepted { id: String, conn: u32, until: Mono },
}

impl ExternalContact {
    pub(super) fn say(&mut self, at: At, tracing: String, text: String, out: &mut Vec<Action>) {
        if !self.shell.is_ready() || !self.is_open() {
            return flow::not_sent(&tracing, "the socket is not open", out);
        }
        if let Err(why) = check_text(&text, &self.config.environment.limits) {
            return flow::not_sent(&tracing, why, out);
        }
        if self.flow().renew_by == RenewBy::Nobody && self.token.live(at).is_none() {
            return flow::not_sent(&tracing, "the handshake's token is dead, and nobody renews it", out);
        }
        self.messages.push(Message { tracing, text, stage: Stage::Waiting, again: false });
        let then = self.token.need(at);
        self.follow(at, then, out);
    }

    pub(super) fn send_waiting(&mut self, at: At) {
        if !self.shell.is_ready() {
            return;
        }
        let Some((with, token)) = self.token.live(at).map(|h| (h.number, h.token.clone())) else { return };
        let url = address(&self.config.base, &self.flow().send_path, &self.names());
        let to = or(&self.config.form.to, "agent");
        for m in self.messages.iter_mut().filter(|m| matches!(m.stage, Stage::Waiting)) {
            m.stage = Stage::Posted { with };
            let mut call = json_call("POST", url.clone(), &json!({ "to": to, "text": m.text }), "message");
            call.headers.push(("authorization".into(), format!("Bearer {}", token.expose())));
            call.tracing = Some(m.tracing.clone());
            self.posted_at = Some(at.now.mono);
            let (auth, retry, message) = (Auth::None, Retry::NEVER, !m.again);
            let errand = Errand { action: "message.send", call, auth, retry, message };
            self.errands.begin(Kind::Message(m.tracing.clone()), errand);
        }
    }

    pub(super) fn answered(
        &mut self,
        at: At,
        tracing: &str,
        result: Result<(u16, &[u8]), Failure>,
        out: &mut Vec<Action>,
    ) {
        let until = at.now.mono + millis(self.flow().commit_millis);
        let (open, conn) = (self.is_open(), self.conn);
        let Some(n) = self.messages.iter().position(|m| m.tracing == tracing) else { return };
        let delivery = match result {
            Ok((_, body)) => {
                let body: Value = serde_json::from_slice(body).unwrap_or_default();
                let id = text_of(&body, "id").unwrap_or_default();
                let early = self.early.iter().position(|e| *e == id).and_then(|n| self.early.remove(n));
                if early.is_some() {
                    Delivery::Delivered
                } else if open {
                    if let Some(m) = self.messages.get_mut(n) {
                        m.stage = Stage::Accepted { id, conn, until };
                    }
                    return;
                } else {
                    Delivery::Unconfirmed { why: "accepted, but the socket had closed before it was committed".into() }
                }
            }
            Err(Failure::Refused { status: 401, text, .. }) => return self.refused(at, n, text, out),
            Err(Failure::Refused { status, text, .. }) => Delivery::Refused { code: i32::from(status), text },
            Err(failure @ Failure::NoBearer(_)) => Delivery::NotSent { why: failure.sentence() },
            Err(Failure::NoAnswer(report)) => Delivery::Unconfirmed { why: report.to_string() },
        };
        self.messages.remove(n);
        self.shell.deliver(tracing, delivery, out);
    }

    /// The token was refused: another one and one more try, where that was not done yet.
    pub(super) fn refused(&mut self, at: At, n: usize, text: String, out: &mut Vec<Action>) {
        let renewed = self.shell.is_ready() && self.flow().renew_by != RenewBy::Nobody;
        let Some(m) = self.messages.get_mut(n) else { return };
        let Stage::Posted { with } = m.stage else { return };
        let held = self.token.held().is_some_and(|h| h.number == with);
        if m.again || !renewed {
            let m = self.messages.remove(n);
            self.shell.deliver(&m.tracing, Delivery::Refused { code: 401, text }, out);
            if held {
                self.token.abandon(with, out);
                self.bearer.into_iter().for_each(|number| self.errands.refuse(number, out));
            }
            return;
        }
        (m.again, m.stage) = (true, Stage::Waiting);
        let (tracing, why) = (m.tracing.clone(), format!("401 {text}"));
        self.shell.deliver(&tracing, Delivery::Retrying { at: at.now.wall, attempt: 2, why }, out);
        match self.token.refused(at, with, out) {
            Then::Fetch => self.ask_another(at, Errands::refuse, out),
            then => self.follow(at, then, out),
        }
    }

    /// The server told a message on the socket: it was committed.
    pub(super) fn committed(&mut self, id: &str, out: &mut Vec<Action>) {
        let fits = |m: &Message| matches!(&m.stage, Stage::Accepted { id: known, .. } if known == id);
        match self.messages.iter().position(fits) {
            Some(n) => {
                let m = self.messages.remove(n);
                self.shell.deliver(&m.tracing, Delivery::Delivered, out);
            }
            // Perhaps the answer to its POST comes later.
            None => {
                self.early.push_back(id.to_owned());
                if self.early.len() > EARLY {
                    self.early.pop_front();
                }
            }
        }
    }

    pub(super) fn lose_accepted(&mut self, at: At, code: Option<u16>, out: &mut Vec<Action>) {
        let since = self.posted_at.map_or(0, |p| at.now.mono.since(p).as_millis());
        let how = code.map_or("was lost".to_owned(), |code| format!("closed {code}"));
        let why = format!("accepted, but the socket {how} {since} ms after the POST, before it was committed");
        let (gone, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.messages).into_iter().partition(|m| matches!(m.stage, Stage::Accepted { .. }));
        self.messages = rest;
        for m in gone {
            self.shell.deliver(&m.tracing, Delivery::Unconfirmed { why: why.clone() }, out);
        }
    }

    pub(super) fn give_up_waiting(&mut self, why: &str, out: &mut Vec<Action>) {
        let (gone, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.messages).into_iter().partition(|m| matches!(m.stage, Stage::Waiting));
        self.messages = rest;
        for m in gone {
            // One that left before was refused, and that is what became of it.
            let delivery = match m.again {
                true => Delivery::Refused { code: 401, text: why.to_owned() },
                false => Delivery::NotSent { why: why.to_owned() },
            };
            self.shell.deliver(&m.tracing, delivery, out);
        }
    }

    /// Still there after the time in which the server would have closed.
    pub(super) fn settle_accepted(&mut self, at: At, out: &mut Vec<Action>) {
        let (kept, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.messages)
            .into_iter()
            .partition(|m| matches!(m.stage, Stage::Accepted { until, .. } if until <= at.now.mono));
        self.messages = rest;
        for m in kept {
            let delivery = match m.stage {
                Stage::Accepted { conn, .. } if conn == self.conn && self.is_open() => Delivery::Delivered,
                _ => Delivery::Unconfirmed {
                    why: "accepted, but the socket was replaced before it was committed".into(),
                },
            };
            self.shell.deliver(&m.tracing, delivery, out);
        }
    }
}
