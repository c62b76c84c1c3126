//! An OAuth token that many sessions share: got from its source, handed to whoever asks, taken back when a server
//! refuses it. Keeps no more than one fetch in flight, whoever asks and however often.

mod code;

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use serde_json::Value;

use self::code::Code;
use super::backoff::Plan;
use super::errands::message_of;
use super::jwt::Jwt;
use super::keeper::{Keeper, Policy, Reason, Then, damaged};
use super::sign_in::Asking;
use super::{At, Bearer, BearerNews, Call};
use crate::model::fact::{ClockDeed, Expiry, ExpiryEvent};
use crate::model::{Fact, Report, Secret, SecretKind, Wall};

const RETRY: Plan = Plan {
    least: Duration::ZERO,
    first: Duration::from_millis(200),
    longest: Duration::from_secs(30),
    give_up: Duration::from_secs(300),
    // The flow says.
    tries: 0,
};

/// Where a token comes from, with what is needed to get it.
#[derive(Clone, Debug)]
pub enum Source {
    /// The token endpoint, by client credentials (RFC 6749, 4.4).
    Client { url: String, client_id: String, secret: Secret<String>, scope: String },
    /// `POST {url}` of a server that holds the client's secret: `{token, expires_in?}`.
    Broker { url: String },
    /// A person signs in, and the code that the browser brings is exchanged (RFC 6749, 4.1, with PKCE).
    Code {
        /// The token endpoint.
        url: String,
        asking: Asking,
    },
    /// Somebody put it into the keyring, and nobody can renew it.
    Given { place: String },
}

/// Who shares it, by a number of the owner's choice.
pub type Who = u32;
/// A person, who is told by the clock.
pub const PERSON: Who = 0;

/// What its owner shall do, in this order.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Make this call, then tell [`Credential::answered`] or [`Credential::unreachable`].
    Fetch(Call),
    /// Read the given token, or the refresh token that was kept, then tell [`Credential::given`].
    Read,
    /// Send a person to the login page, then tell [`Credential::came_back`].
    SignIn(Asking),
    /// Nobody waits any more for whom [`Deed::SignIn`] sent.
    StopSignIn,
    /// Keep the refresh token, or forget the one that was kept.
    Keep(Option<Secret<String>>),
    Tell {
        who: Who,
        news: BearerNews,
    },
    /// Keep this out of every record; the next clock names the last one of its kind.
    Learn(SecretKind, Secret<String>),
    State(Fact),
}

/// How it is shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Of the clock: `oauth:…`.
    pub id: String,
    pub title: String,
    /// What fails without it.
    pub breaks: String,
}

pub struct Credential {
    keeper: Keeper<String>,
    source: Source,
    shown: Shown,
    waiting: BTreeSet<Who>,
    holding: BTreeSet<Who>,
    scope: Option<String>,
    /// When the fetch that is under way began.
    asked: Option<At>,
    /// The source changed since: what that fetch brings is of no use any more.
    outdated: bool,
    /// On whose wish.
    by: &'static str,
    code: Code,
    early: Duration,
    clock: Option<Expiry>,
}

/// What the answer of a token endpoint or of a broker brings.
struct Granted {
    token: String,
    expires_in: Option<f64>,
    scope: Option<String>,
    refresh: Option<String>,
}

impl Granted {
    /// None where there is no token in it.
    fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let word = |name: &str| body.get(name).and_then(Value::as_str).map(str::trim).filter(|w| !w.is_empty());
        let expires_in = match body.get("expires_in") {
            Some(Value::Number(n)) => n.as_f64(),
            Some(Value::String(s)) => s.trim().parse().ok(),
            _ => None,
        };
        let token = word("access_token").or_else(|| word("token"))?.to_owned();
        let (scope, refresh) = (word("scope").map(str::to_owned), word("refresh_token").map(str::to_owned));
        Some(Self { token, expires_in, scope, refresh })
    }
}

/// The wait after a 429 that names none.
const UNNAMED: Duration = Duration::from_secs(2);
const KEEPER: &str = "token keeper";
const CHANGED: &str = "a changed secret";

impl Credential {
    /// `early`: how long before its end a token is renewed. `tries`: how often its source is asked in a row.
    pub fn new(source: Source, shown: Shown, early: Duration, tries: u32, seed: u64) -> Self {
        // What a person signs in for can be renewed only with a refresh token, which may come or not.
        let keep_alive = !matches!(source, Source::Given { .. } | Source::Code { .. });
        let retry = Plan { tries: tries.saturating_sub(1), ..RETRY };
        Self {
            keeper: Keeper::new(Policy { margin: early, keep_alive, retry }, seed),
            source,
            shown,
            waiting: BTreeSet::new(),
            holding: BTreeSet::new(),
            scope: None,
            asked: None,
            outdated: false,
            by: KEEPER,
            code: Code::default(),
            early,
            clock: None,
        }
    }

    /// Somebody needs a token.
    pub fn need(&mut self, at: At, who: Who, out: &mut Vec<Deed>) {
        self.waiting.insert(who);
        let then = self.keeper.need(at);
        self.follow(at, then, if who == PERSON { "you" } else { "a session" }, out);
    }

    /// The server refused the token of this number, sent by `who`, who needs another.
    pub fn refused(&mut self, at: At, who: Who, number: u64, out: &mut Vec<Deed>) {
        self.unwanted(at, who, number, (ExpiryEvent::Refused, "server"), "a session, after a refusal", out);
    }

    /// `who` needs another than the token of this number, though no server refused it. Nobody gets it any more.
    pub fn replace(&mut self, at: At, who: Who, number: u64, out: &mut Vec<Deed>) {
        let event = (ExpiryEvent::Forgotten, "a session, which wants a fresher one");
        self.unwanted(at, who, number, event, "a session", out);
    }

    fn unwanted(
        &mut self,
        at: At,
        who: Who,
        number: u64,
        (event, by): (ExpiryEvent, &str),
        asks: &'static str,
        out: &mut Vec<Deed>,
    ) {
        let held = self.keeper.held().map(|h| h.number);
        let then = self.keeper.refused(at, number);
        // It may have been got again since, under another number.
        if let Some(dropped) = held.filter(|held| self.keeper.held().is_none_or(|h| h.number != *held)) {
            self.tell_dead(dropped, out);
            self.state(event, by, out, |_| {});
        }
        self.waiting.insert(who);
        self.follow(at, then, asks, out);
    }

    /// The server took the token of this number.
    pub fn accepted(&mut self, number: u64) {
        self.keeper.accepted(number);
    }

    /// Whoever this was shares it no longer.
    pub fn leave(&mut self, who: Who) {
        self.waiting.remove(&who);
        self.holding.remove(&who);
    }

    /// What a person asks for.
    pub fn deed(&mut self, at: At, deed: ClockDeed, out: &mut Vec<Deed>) {
        let number = self.keeper.held().map(|h| h.number);
        match deed {
            ClockDeed::Refresh => {
                if self.is_idle() {
                    self.waiting.insert(PERSON);
                }
                if self.is_code() {
                    self.by_person();
                    if self.keeper.live(at).is_some() && self.code.refresh.is_none() {
                        // What is at hand stays, until the person is back.
                        return self.ask_person(false, out);
                    }
                }
                self.keeper.hurry();
                let then = self.keeper.renew();
                self.follow(at, then, "you", out);
            }
            ClockDeed::Expire => {
                if self.keeper.expire(at) {
                    number.into_iter().for_each(|n| self.tell_dead(n, out));
                    self.state(ExpiryEvent::Expired, "you", out, |e| e.until = Some(at.server));
                }
            }
            ClockDeed::Corrupt => {
                if self.keeper.damage(|token| damaged(token)) {
                    let held = self.keeper.held().map(|h| h.token.clone());
                    out.extend(held.map(|token| Deed::Learn(SecretKind::AccessToken, token)));
                    let holders: Vec<_> = self.holding.iter().copied().collect();
                    let news = self.news(at);
                    out.extend(holders.into_iter().map(|who| Deed::Tell { who, news: news.clone() }));
                    self.state(ExpiryEvent::Corrupted, "you", out, |e| e.token = None);
                }
            }
            ClockDeed::Forget => {
                self.forget_refresh(out);
                if self.keeper.forget() {
                    number.into_iter().for_each(|n| self.tell_dead(n, out));
                    self.state(ExpiryEvent::Forgotten, "you", out, |_| {});
                }
            }
        }
    }

    /// An HTTP answer to [`Deed::Fetch`].
    pub fn answered(&mut self, at: At, status: u16, retry_after: Option<Duration>, body: &[u8], out: &mut Vec<Deed>) {
        if self.is_outdated(at, out) {
            return;
        }
        if self.code_answered(at, status, body, out) {
            return;
        }
        if (200..300).contains(&status) {
            return match Granted::read(body) {
                Some(granted) => self.granted(at, granted, out),
                None => self.failed(at, "answered without a token", None, true, out),
            };
        }
        let for_good = matches!(status, 300..=428 | 430..=499);
        let after = retry_after.or((status == 429).then_some(UNNAMED));
        self.failed(at, &format!("answered {status}: {}", message_of(status, body)), after, for_good, out);
    }

    /// No answer came to [`Deed::Fetch`].
    pub fn unreachable(&mut self, at: At, report: &Report, out: &mut Vec<Deed>) {
        if !self.is_outdated(at, out) && !self.code_unanswered(at, report, out) {
            self.failed(at, &format!("did not answer: {report}"), None, false, out);
        }
    }

    /// What [`Deed::Read`] found.
    pub fn given(&mut self, at: At, found: Result<Option<Secret<String>>, Report>, out: &mut Vec<Deed>) {
        if self.is_outdated(at, out) {
            return;
        }
        if self.is_code() {
            return self.found(at, found, out);
        }
        match found {
            Ok(Some(token)) if !token.expose().trim().is_empty() => {
                let token = token.expose().trim().to_owned();
                let exp = Jwt::decode(&token).and_then(|jwt| jwt.expires());
                self.take(at, token, exp, None, out);
            }
            Ok(_) => self.failed(at, "holds no token", None, true, out),
            Err(report) => self.failed(at, &format!("cannot be read: {report}"), None, true, out),
        }
    }

    fn failed(&mut self, at: At, how: &str, after: Option<Duration>, for_good: bool, out: &mut Vec<Deed>) {
        let why = format!("{} {how}", self.place());
        let then = self.keeper.failed(at, &why, after, for_good);
        self.follow(at, then, KEEPER, out);
    }

    /// True where the source has changed since it was asked. The new one is asked then.
    fn is_outdated(&mut self, at: At, out: &mut Vec<Deed>) -> bool {
        let outdated = std::mem::take(&mut self.outdated);
        if outdated {
            self.keeper.stop();
            let then = self.keeper.need(at);
            self.follow(at, then, CHANGED, out);
        }
        outdated
    }

    pub fn tick(&mut self, at: At, out: &mut Vec<Deed>) {
        if self.is_idle() {
            return;
        }
        let then = self.keeper.tick(at);
        self.follow(at, then, KEEPER, out);
    }

    pub fn wait(&self, at: At) -> Option<Duration> {
        self.keeper.wait(at).filter(|_| !self.is_idle())
    }

    /// Nobody shares it: it is not renewed, nor asked for again.
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.holding.is_empty()
    }

    /// It comes from elsewhere from now on; what was got before is forgotten, and another got for those who had it.
    pub fn change(&mut self, at: At, source: Source, out: &mut Vec<Deed>) {
        self.source = source;
        let number = self.keeper.held().map(|h| h.number);
        if self.keeper.forget() {
            number.into_iter().for_each(|n| self.tell_dead(n, out));
            self.state(ExpiryEvent::Forgotten, CHANGED, out, |_| {});
        }
        self.outdated = self.keeper.is_fetching();
        self.keeper.hurry();
        let then = self.keeper.need(at);
        self.follow(at, then, CHANGED, out);
    }

    /// It ends: what it holds is forgotten.
    pub fn end(&mut self, why: &str, out: &mut Vec<Deed>) {
        self.stop_person(out);
        if self.keeper.forget() {
            self.state(ExpiryEvent::Forgotten, why, out, |_| {});
        }
    }

    fn granted(&mut self, at: At, granted: Granted, out: &mut Vec<Deed>) {
        // Counted from when it was asked for: it cannot live longer than that.
        let from = self.asked.map_or(at.server, |asked| asked.server);
        let secs = granted.expires_in.filter(|s| s.is_finite());
        let until = secs.map(|s| from.plus_micros((s * 1e6) as i64));
        self.take(at, granted.token, until, granted.scope, out);
    }

    fn take(&mut self, at: At, token: String, until: Option<Wall>, scope: Option<String>, out: &mut Vec<Deed>) {
        let fresh = self.clock.is_none();
        out.push(Deed::Learn(SecretKind::AccessToken, Secret::new(token.clone())));
        if !token.bytes().all(|b| b.is_ascii_graphic()) {
            return self.failed(
                at,
                "gave a token that no header can carry: it has blanks or other strange characters",
                None,
                true,
                out,
            );
        }
        let then = self.keeper.got(at, token, until);
        if then == Then::Ready {
            self.scope.clone_from(&scope);
            let event = if fresh { ExpiryEvent::Started } else { ExpiryEvent::Refreshed };
            self.clock = Some(Expiry {
                id: self.shown.id.clone(),
                title: self.shown.title.clone(),
                event,
                by: self.by.to_owned(),
                from: at.server,
                until,
                margin_secs: self.keeper.held().map_or(0, |h| h.margin.as_secs() as u32),
                breaks: self.shown.breaks.clone(),
                assumed: false,
                token: None,
                scope,
                claims: None,
                can: self.can(),
            });
            out.extend(self.clock.clone().map(|clock| Deed::State(Fact::Expiry(clock))));
            // Whoever had the old one goes on with the new one.
            self.waiting.extend(self.holding.iter().copied());
        }
        self.follow(at, then, KEEPER, out);
    }

    fn can(&self) -> Vec<ClockDeed> {
        match self.source {
            Source::Given { .. } => vec![ClockDeed::Expire, ClockDeed::Corrupt, ClockDeed::Forget],
            _ => vec![ClockDeed::Refresh, ClockDeed::Expire, ClockDeed::Corrupt, ClockDeed::Forget],
        }
    }

    fn follow(&mut self, at: At, then: Then, by: &'static str, out: &mut Vec<Deed>) {
        match then {
            Then::Wait => {}
            Then::Fetch => {
                self.asked = Some(at);
                self.by = by;
                if self.is_code() { self.fetch_by_code(at, out) } else { self.fetch(out) }
            }
            Then::Ready => {
                self.code.wished = false;
                let news = self.news(at);
                for who in std::mem::take(&mut self.waiting) {
                    self.holding.insert(who);
                    out.push(Deed::Tell { who, news: news.clone() });
                }
            }
            Then::GiveUp(reason) => self.give_up(&reason, out),
        }
    }

    fn fetch(&self, out: &mut Vec<Deed>) {
        let call = match &self.source {
            Source::Given { .. } | Source::Code { .. } => return out.push(Deed::Read),
            Source::Broker { url } => {
                Call { method: "POST", url: url.clone(), purpose: "token, by broker", ..Call::default() }
            }
            Source::Client { url, client_id, secret, scope } => {
                let basic = basic(client_id, secret);
                out.push(Deed::Learn(SecretKind::ClientSecret, Secret::new(basic.clone())));
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.append_pair("grant_type", "client_credentials");
                if !scope.trim().is_empty() {
                    form.append_pair("scope", scope.trim());
                }
                Call {
                    method: "POST",
                    url: url.clone(),
                    headers: vec![
                        ("authorization".into(), format!("Basic {basic}")),
                        ("content-type".into(), "application/x-www-form-urlencoded".into()),
                    ],
                    body: Bytes::from(form.finish()),
                    purpose: "token",
                    ..Call::default()
                }
            }
        };
        out.push(Deed::Fetch(call));
    }

    fn give_up(&mut self, reason: &Reason, out: &mut Vec<Deed>) {
        let place = self.place();
        let report = Report::new("sign-in-failed", "There is no OAuth token", told(&place, &reason.to_string()));
        let report = match &self.source {
            Source::Code { .. } => match self.code.why.take() {
                Some(report) => report,
                None => report.remedy("Sign in again."),
            },
            Source::Client { .. } => report
                .remedy("Check client id and secret, and that the client's grant type is “client credentials”.")
                .remedy("Check the region: clients live in one region only."),
            Source::Broker { .. } => {
                report.remedy("Check that the broker runs, and that its own client credentials are good.")
            }
            Source::Given { .. } => report.remedy("Give a token that lives: nobody can renew this one."),
        };
        out.push(Deed::State(Fact::Fault(report.clone())));
        for who in std::mem::take(&mut self.waiting) {
            out.push(Deed::Tell { who, news: BearerNews::Denied { report: report.clone() } });
        }
        // What a person signed in for stays on the strip: there one signs in again.
        let (event, told): (_, &[ExpiryEvent]) = if self.is_code() {
            (ExpiryEvent::Expired, &[ExpiryEvent::Refused, ExpiryEvent::Expired, ExpiryEvent::Forgotten])
        } else {
            (ExpiryEvent::Forgotten, &[ExpiryEvent::Refused])
        };
        if self.clock.as_ref().is_some_and(|c| !told.contains(&c.event)) {
            self.state(event, KEEPER, out, |_| {});
        }
    }

    fn place(&self) -> String {
        match &self.source {
            Source::Client { url, .. } | Source::Code { url, .. } => format!("the token endpoint {url}"),
            Source::Broker { url } => format!("the broker {url}"),
            Source::Given { place } => place.clone(),
        }
    }

    fn news(&self, at: At) -> BearerNews {
        self.keeper.live(at).map_or(BearerNews::None, |held| {
            BearerNews::Granted(Bearer {
                number: held.number,
                token: held.token.clone(),
                // A damaged one is sent once, whatever its age.
                until: held.until.filter(|_| !held.damaged),
                margin: held.margin,
                scope: self.scope.clone(),
            })
        })
    }

    fn tell_dead(&self, number: u64, out: &mut Vec<Deed>) {
        out.extend(self.holding.iter().map(|who| Deed::Tell { who: *who, news: BearerNews::Dead { number } }));
    }

    fn state(&mut self, event: ExpiryEvent, by: &str, out: &mut Vec<Deed>, change: impl FnOnce(&mut Expiry)) {
        if let Some(clock) = &mut self.clock {
            clock.event = event;
            clock.by = by.to_owned();
            change(clock);
            out.push(Deed::State(Fact::Expiry(clock.clone())));
        }
    }
}

/// `id:secret` as the header wants it.
pub fn basic(client_id: &str, secret: &Secret<String>) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("{client_id}:{}", secret.expose()))
}

/// A sentence about a source; the reason may begin with it already.
fn told(place: &str, reason: &str) -> String {
    let reason = reason.trim_end_matches('.');
    if reason.starts_with(place) { format!("{reason}.") } else { format!("{place}: {reason}.") }
}
