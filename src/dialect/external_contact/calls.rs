//! The handshake's token, where it comes from and how it is renewed; and what the guest says with it, from its POST to
//! the moment at which the server commits it, or loses it.

use serde_json::json;

use super::*;
use crate::dialect::errands::{Auth, Errand, Failure};
use crate::dialect::flow::{check_text, json_call, or};
use crate::dialect::{Bearer, BearerNews};

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
    /// Asks the credential for a token, another than the one at hand.
    pub(super) fn ask(&mut self, at: At, out: &mut Vec<Action>) {
        self.asking = true;
        // The credential may have a live one already, which the errands know.
        match self.errands.live(at).cloned() {
            Some(bearer) if Some(bearer.number) != self.bearer => self.take_bearer(at, &bearer, out),
            _ => out.push(Action::NeedBearer),
        }
    }

    /// Asks the credential for another token than the one at hand, which is told as refused or as not wanted.
    pub(super) fn ask_another(
        &mut self,
        at: At,
        tell: fn(&mut Errands<Kind>, u64, &mut Vec<Action>),
        out: &mut Vec<Action>,
    ) {
        match self.bearer {
            Some(number) => {
                self.asking = true;
                tell(&mut self.errands, number, out);
            }
            None => self.ask(at, out),
        }
    }

    pub(super) fn news(&mut self, at: At, news: BearerNews, out: &mut Vec<Action>) {
        self.errands.news(at, news.clone(), out);
        let asked = self.asking;
        match news {
            // Told before its refusal was heard of: better news follow.
            BearerNews::Granted(bearer) if self.errands.is_dead(bearer.number) => {}
            BearerNews::Granted(bearer) if asked && Some(bearer.number) != self.bearer => {
                self.take_bearer(at, &bearer, out);
            }
            BearerNews::Granted(bearer) if asked => {
                // The very token that is not wanted any more: from now on nobody uses it.
                self.token.forget("a renewal", out);
                self.errands.replace(bearer.number, out);
            }
            BearerNews::Denied { report } if asked => {
                self.give_up_waiting(&report.what, out);
                self.end(at, End::Failed { why: format!("no token for the socket: {}", report.what) }, out);
            }
            BearerNews::Dead { number } => {
                // Somebody else was refused with it, or a person took it back. It may have got a new number since.
                let dead = self.bearer.is_some_and(|bearer| bearer <= number);
                if let Some(held) = self.token.held().map(|h| h.number).filter(|_| dead) {
                    self.token.abandon(held, out);
                }
                // It may have taken the place of the news that were asked for.
                if asked {
                    out.push(Action::NeedBearer);
                }
            }
            _ => {}
        }
    }

    pub(super) fn take_bearer(&mut self, at: At, bearer: &Bearer, out: &mut Vec<Action>) {
        self.asking = false;
        let (token, until) = (bearer.token.expose(), bearer.until);
        let then = self.token.take(at, token, until, until.is_none(), "the credential", out);
        let taken = self.token.holds(token);
        if taken {
            self.bearer = Some(bearer.number);
        }
        if let Then::GiveUp(reason) = &then {
            return self.end(at, End::Failed { why: format!("the credential's token cannot be used: {reason}") }, out);
        }
        match self.socket {
            Socket::Token => self.open_with_token(at, out),
            Socket::Open { .. } if taken => self.open_another(at, out),
            _ => {}
        }
        self.follow(at, then, out);
    }

    /// A refusal may come when the session that had sent the token is over, and the next one has it at hand.
    pub(super) fn drop_refused(&mut self, out: &mut Vec<Action>) {
        let refused = self.token.held().filter(|held| self.errands.is_refused(&held.token)).map(|held| held.number);
        refused.into_iter().for_each(|number| self.token.abandon(number, out));
    }

    /// Does what the token's keeper wants.
    pub(super) fn follow(&mut self, at: At, then: Then, out: &mut Vec<Action>) {
        match then {
            Then::Wait => {}
            Then::Ready => self.send_waiting(at),
            Then::Fetch => self.renew(at, out),
            Then::GiveUp(reason) => {
                let why = format!("the handshake's token was not renewed: {reason}");
                flow::fault(Report::new("not-renewed", "The token was not renewed", format!("{reason}.")), out);
                self.give_up_waiting(&why, out);
            }
        }
    }

    pub(super) fn renew(&mut self, at: At, out: &mut Vec<Action>) {
        let alive = self.token.held().filter(|h| h.until.is_none_or(|u| at.server < u) && !h.expired);
        match (self.flow().renew_by, alive.map(|h| h.token.clone())) {
            (RenewBy::Messages, Some(token)) if !self.contact.is_empty() => {
                let url = address(&self.config.base, &self.flow().send_path, &self.names());
                let body = json!({ "expires_in": self.flow().expires_in_secs });
                let mut call = json_call("POST", url, &body, "refresh, messages path");
                call.headers.push(("authorization".into(), format!("Bearer {}", token.expose())));
                self.errands.begin(Kind::Renew, Errand { auth: Auth::None, ..Errand::new("token.refresh", call) });
            }
            (RenewBy::Nobody, _) if self.shell.is_ready() => {
                let then = self.token.failed(at, "nobody renews it in this environment", None, true);
                self.follow(at, then, out);
            }
            // A dead one cannot renew itself.
            _ => self.ask(at, out),
        }
    }

    pub(super) fn renewed(
        &mut self,
        at: At,
        result: Result<(u16, &[u8]), Failure>,
        after: Option<Duration>,
        out: &mut Vec<Action>,
    ) {
        let then = match result {
            Ok((_, body)) => {
                let body: Value = serde_json::from_slice(body).unwrap_or_default();
                let life = body.get("expires_in").and_then(Value::as_i64);
                let told = life.unwrap_or(i64::from(self.flow().expires_in_secs));
                let until = at.server.plus_micros(told.saturating_mul(1_000_000));
                // Without a token in the answer, the one at hand lives longer.
                let token = text_of(&body, "token").or_else(|| text_of(&body, "access_token"));
                let same = self.token.held().map(|h| h.token.expose().clone());
                match token.clone().or(same) {
                    Some(value) => {
                        self.shell.refreshes += 1;
                        let then = self.token.take(at, &value, Some(until), life.is_none(), "refresh", out);
                        // A late answer may not have been taken.
                        if token.is_some_and(|token| self.token.holds(&token)) {
                            self.bearer = None;
                        }
                        then
                    }
                    None => Then::Wait,
                }
            }
            Err(Failure::Refused { status: 401, text, .. }) => {
                let why = format!("the refresh was refused with 401: {text}");
                self.give_up_waiting(&why, out);
                // Connecting anew needs another one.
                self.bearer.into_iter().for_each(|number| self.errands.refuse(number, out));
                return self.end(at, End::Failed { why }, out);
            }
            Err(failure) => self.token.failed(at, &failure.sentence(), after, failure.is_for_good()),
        };
        self.follow(at, then, out);
    }

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
            let errand = Errand { auth: Auth::None, message: !m.again, ..Errand::new("message.send", call) };
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
            Err(failure) => failure.delivery(),
        };
        self.messages.remove(n);
        self.shell.deliver(tracing, delivery, out);
    }

    /// The token was refused: another one and one more try, where that was not done yet.
    pub(super) fn refused(&mut self, at: At, n: usize, text: String, out: &mut Vec<Action>) {
        let renewed = self.shell.is_ready() && self.flow().renew_by != RenewBy::Nobody;
        let Some(m) = self.messages.get_mut(n) else { return };
        let Stage::Posted { with } = m.stage else { return };
        let held = self.token.has(with);
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
        for m in self.messages.extract_if(.., |m| matches!(m.stage, Stage::Accepted { .. })) {
            self.shell.deliver(&m.tracing, Delivery::Unconfirmed { why: why.clone() }, out);
        }
    }

    pub(super) fn give_up_waiting(&mut self, why: &str, out: &mut Vec<Action>) {
        for m in self.messages.extract_if(.., |m| matches!(m.stage, Stage::Waiting)) {
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
        let open = self.is_open().then_some(self.conn);
        let settled = |m: &mut Message| matches!(m.stage, Stage::Accepted { until, .. } if until <= at.now.mono);
        for m in self.messages.extract_if(.., settled) {
            let delivery = match m.stage {
                Stage::Accepted { conn, .. } if open == Some(conn) => Delivery::Delivered,
                _ => Delivery::Unconfirmed {
                    why: "accepted, but the socket was replaced before it was committed".into(),
                },
            };
            self.shell.deliver(&m.tracing, delivery, out);
        }
    }
}

pub(super) fn closed_after_post(after: Duration) -> Report {
    let ms = after.as_millis();
    let what = format!("The close frame came {ms} ms after the POST was sent, without an error frame before it.");
    Report::new("closed-after-post", "The socket closed 1000 right after a message", what)
        .remedy("Renew the handshake's token before its end: the server checks it when it commits a message.")
        .remedy("Compare the contact id of the POST with the session id of the handshake.")
}

/// Between failed renewals.
pub(super) fn renewals() -> Plan {
    Plan {
        least: Duration::ZERO,
        first: Duration::from_millis(500),
        longest: Duration::from_secs(10),
        give_up: Duration::from_secs(60),
        tries: 3,
    }
}
