//! Which OAuth token the errands of a session may carry: none that is dead by the server's clock, was taken back, or was
//! refused, by its number or by its value.

use super::*;

/// A token that is dead by our clock, though its keeper thinks that it lives, is asked for again so often …
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// … and for so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Refused values remembered.
const REMEMBERED: usize = 8;

/// The bearer that was given is dead by our clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stale {
    pub since: Mono,
    pub again: Mono,
}

impl<K: Clone> Errands<K> {
    /// The OAuth token at hand, where it may be sent now.
    pub fn live(&self, at: At) -> Option<&Bearer> {
        self.bearer.as_ref().filter(|b| b.is_alive(at.server))
    }

    /// The server refused the bearer of this number for something that is no errand.
    pub fn refuse(&mut self, number: u64, out: &mut Vec<Action>) {
        self.bury(number);
        out.push(Action::BearerRefused { number });
    }

    /// The server refused this very token, which may be the bearer at hand: then its number is given.
    pub fn spurn(&mut self, token: &Secret<String>) -> Option<u64> {
        if !self.is_refused(token) {
            self.refused.push_back(token.clone());
            if self.refused.len() > REMEMBERED {
                self.refused.pop_front();
            }
        }
        let number = self.bearer.as_ref().filter(|b| b.token == *token)?.number;
        self.bury(number);
        Some(number)
    }

    /// Another bearer than that of this number is needed, though nobody refused it.
    pub fn replace(&mut self, number: u64, out: &mut Vec<Action>) {
        self.bury(number);
        out.push(Action::BearerReplace { number });
    }

    /// The bearer of this number was refused or taken back.
    pub fn is_dead(&self, number: u64) -> bool {
        number <= self.dead
    }

    /// A server refused this very token.
    pub fn is_refused(&self, token: &Secret<String>) -> bool {
        self.refused.contains(token)
    }

    /// News of the OAuth token.
    pub fn news(&mut self, at: At, news: BearerNews, out: &mut Vec<Action>) {
        match news {
            BearerNews::None => {}
            // Told before its refusal was heard of: better news follow.
            BearerNews::Granted(bearer) if self.is_dead(bearer.number) => {}
            BearerNews::Granted(bearer) if self.is_refused(&bearer.token) => self.refuse(bearer.number, out),
            BearerNews::Granted(bearer) => {
                self.asked = false;
                self.stale = (!bearer.is_alive(at.server)).then(|| Stale {
                    since: self.stale.map_or(at.now.mono, |stale| stale.since),
                    again: at.now.mono + ASK_AGAIN,
                });
                self.bearer = Some(bearer);
            }
            BearerNews::Dead { number } => {
                self.bury(number);
                // It may have taken the place of the news that were asked for.
                self.asked = false;
            }
            BearerNews::Denied { report } => {
                self.asked = false;
                self.fail_waiting(at, &report, out);
            }
        }
    }

    /// The bearer of this number, and all before it, must not be sent any more.
    fn bury(&mut self, number: u64) {
        self.dead = self.dead.max(number);
        self.bearer = self.bearer.take().filter(|b| b.number > self.dead);
    }

    pub(super) fn fail_waiting(&mut self, at: At, report: &Report, out: &mut Vec<Action>) {
        let gone: Vec<_> = self.open.extract_if(.., |o| waits_for_bearer(o)).collect();
        for mut open in gone {
            let attempts = open.attempts;
            let failure = match open.last.take() {
                Some((status, text, code)) => {
                    let text =
                        format!("{text} – and then there was no OAuth token ({})", report.what.trim_end_matches('.'));
                    Failure::Refused { status, text, code, attempts }
                }
                None => Failure::NoBearer(report.clone()),
            };
            let done = self.failed(at, open, failure, Duration::ZERO, out);
            self.fallen.push_back(done);
        }
    }

    pub(super) fn clocks_differ(&self, at: At, stale: Stale) -> Report {
        let until = self.bearer.as_ref().and_then(|b| b.until);
        let dead = until.map_or(0, |until| at.server.micros_since(until) / 1_000_000);
        let asked = at.now.mono.since(stale.since).as_secs();
        let end = match dead {
            0.. => format!("ended {dead} s ago"),
            _ => format!("has {} s left, less than is kept in reserve", -dead),
        };
        let what =
            format!("By this session's idea of the server's clock the token that it was given {end}, for {asked} s.");
        Report::new("token-stale", "The OAuth token is dead by this session's clock", what).remedy(
            "Look at the skew of the clocks: the server that gives tokens and the one that takes them may differ.",
        )
    }

    /// After a 401: the credential is told, and the call waits for another token, once.
    pub(super) fn another_bearer(
        &mut self,
        open: &mut Open<K>,
        (number, token): &Carried,
        body: &[u8],
        out: &mut Vec<Action>,
    ) -> bool {
        if !is_about_bearer(body) {
            return false;
        }
        // The very same may be at hand under another number by now.
        let again = self.spurn(token);
        self.refuse(again.unwrap_or(*number), out);
        // The news of a token will come for this too.
        self.asked = true;
        !std::mem::replace(&mut open.refused, true)
    }

    /// After a 401 for a token that the flow put into the call itself: it may be the OAuth token.
    pub(super) fn own_token_refused(&mut self, open: &Open<K>, body: &[u8], out: &mut Vec<Action>) {
        let headers = &open.errand.call.headers;
        let bearer = headers.iter().filter(|(name, _)| name == "authorization");
        let Some(token) = bearer.filter_map(|(_, value)| value.strip_prefix("Bearer ")).next() else { return };
        if !is_about_bearer(body) {
            return;
        }
        let number = self.spurn(&Secret::from(token));
        // What follows for a session that lives, its flow knows.
        out.extend(number.filter(|_| open.orphan).map(|number| Action::BearerRefused { number }));
    }
}

/// A 401 may be about a token in the body instead; the known text says so.
fn is_about_bearer(body: &[u8]) -> bool {
    !String::from_utf8_lossy(body).to_ascii_lowercase().contains("session token")
}
