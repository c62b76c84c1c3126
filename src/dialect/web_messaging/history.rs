//! The guest JWT, and history by REST, which needs a live one.

use std::time::Duration;

use super::messages::Found;
use super::requests::Ask;
use super::session::epoch;
use super::wire::inbound::{HistoryPage, JwtResponse};
use super::wire::lenient::{Audit, Raw};
use super::wire::outbound::Request;
use super::{Cx, WebMessaging, until};
use crate::dialect::backoff::{Backoff, Plan};
use crate::dialect::budget::Budget;
use crate::dialect::jwt::Jwt;
use crate::dialect::keeper::{Keeper, Policy, Reason, Then};
use crate::dialect::{Action, At, Call, CallId, Seen};
use crate::model::environment::secs;
use crate::model::fact::{ClockDeed, Expiry, ExpiryEvent};
use crate::model::{Environment, Flags, Mono, Report, Secret, SecretKind, Wall};

pub(super) const GUEST_JWT: &str = "guest-jwt";
/// What the vendor's page says of a JWT that does not say it itself.
const ASSUMED_LIFE: Duration = Duration::from_secs(60);
const MINUTE: Duration = Duration::from_secs(60);
/// Defaults of the vendor's clients: one page for a look, large ones for all.
const PAGE: u32 = 25;
const LARGE_PAGE: u32 = 100;
/// Pages read at most: on a wish, and by ourselves after reconnecting.
const MOST_PAGES: u32 = 100;
const MOST_CATCH_UP: u32 = 8;
/// Tries of one page where the server or the network fails.
const TRIES: u32 = 3;
const LONGEST_PATIENCE: Duration = Duration::from_secs(600);
/// Keys of messages seen live that are remembered, to know where history meets them.
const REMEMBERED: usize = 512;

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Extent {
    /// The newest page.
    Newest,
    /// Back to what was seen live: after a lost connection.
    CatchUp,
    All,
}

#[derive(Debug)]
struct Reading {
    extent: Extent,
    /// What was doubtful ends with this reading.
    settles: bool,
    page: u32,
    messages: i64,
    step: Step,
    /// Failures of this page.
    tries: u32,
    refusals: u32,
    by_id: u32,
    by_text: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    /// Waits for a JWT that the keeper fetches.
    Jwt,
    /// Goes on then.
    Later(Mono),
    /// Waits for the answer; the JWT of this number was sent.
    Calling(CallId, u64),
}

#[derive(Debug)]
pub(super) struct History {
    pub jwt: Keeper<String>,
    /// A person asked for a JWT: a failure is worth a fault of its own.
    wished: bool,
    told_dead: u64,
    reading: Option<Reading>,
    next: Option<(Extent, bool)>,
    budget: Budget,
    backoff: Backoff,
    seen: std::collections::VecDeque<u64>,
}

impl History {
    pub fn new(env: &Environment, seed: u64) -> Self {
        let retry =
            Plan { first: secs(1), longest: secs(5), give_up: secs(env.timings.reconnect_give_up_secs), tries: TRIES };
        let margin = secs(env.timings.jwt_margin_secs);
        Self {
            jwt: Keeper::new(Policy { margin, keep_alive: false, retry }, seed),
            wished: false,
            told_dead: 0,
            reading: None,
            next: None,
            budget: Budget::new(env.limits.history_per_minute, MINUTE),
            backoff: Backoff::new(Plan { tries: u32::MAX, ..retry }, seed.wrapping_add(1)),
            seen: std::collections::VecDeque::new(),
        }
    }

    /// A message was seen live.
    pub fn saw(&mut self, key: &str) {
        if self.seen.len() >= REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(hash(key));
    }

    pub fn has_seen(&self, key: &str) -> bool {
        self.seen.contains(&hash(key))
    }

    pub fn wait(&self, at: At) -> Option<Duration> {
        let later = match self.reading.as_ref().map(|r| r.step) {
            Some(Step::Later(then)) => Some(then.since(at.now.mono)),
            _ => None,
        };
        let dead = self.jwt.held().filter(|h| h.number > self.told_dead && !h.damaged).and_then(|h| h.until);
        [later, self.jwt.wait(at), dead.map(|d| until(at, d))].into_iter().flatten().min()
    }
}

impl WebMessaging {
    pub(super) fn wish_jwt(&mut self, cx: &mut Cx<'_>) {
        self.history.wished = true;
        let then = self.history.jwt.renew();
        self.jwt_then(cx, then);
    }

    pub(super) fn wish_history(&mut self, cx: &mut Cx<'_>, all: bool) {
        self.read_history(cx, if all { Extent::All } else { Extent::Newest }, false);
    }

    /// After a lost connection: reads what was said meanwhile, and learns what became of doubtful sends.
    pub(super) fn catch_up(&mut self, cx: &mut Cx<'_>) {
        self.read_history(cx, Extent::CatchUp, true);
    }

    fn read_history(&mut self, cx: &mut Cx<'_>, extent: Extent, settles: bool) {
        if self.history.reading.is_some() {
            let (e, s) = self.history.next.unwrap_or((extent, settles));
            self.history.next = Some((e.max(extent), s || settles));
            return;
        }
        self.history.reading = Some(Reading {
            extent,
            settles,
            page: 1,
            messages: 0,
            step: Step::Jwt,
            tries: 0,
            refusals: 0,
            by_id: 0,
            by_text: 0,
        });
        self.next_page(cx);
    }

    /// Calls for the page that is next, as soon as the limit and a live JWT allow it.
    fn next_page(&mut self, cx: &mut Cx<'_>) {
        let wait = self.history.budget.wait(cx.now());
        if !wait.is_zero() {
            let why = format!(
                "history waits {} s: {} calls a minute are allowed",
                wait.as_secs() + 1,
                self.history.budget.limit()
            );
            self.later(cx, wait, why);
            return;
        }
        if let Some(r) = &mut self.history.reading {
            r.step = Step::Jwt;
        }
        let then = self.history.jwt.need(cx.at);
        self.jwt_then(cx, then);
    }

    fn later(&mut self, cx: &mut Cx<'_>, wait: Duration, why: String) {
        if let Some(r) = &mut self.history.reading {
            r.step = Step::Later(cx.now() + wait);
            self.remark(cx, why);
        }
    }

    fn jwt_then(&mut self, cx: &mut Cx<'_>, then: Then) {
        match then {
            Then::Wait => {}
            Then::Fetch if self.is_configured() => self.ask(cx, Ask::Jwt, Request::default()),
            Then::Fetch => {
                let why = format!("getJwt needs a configured session on an open socket; it is {}", self.state.word());
                let then = self.history.jwt.failed(cx.at, &why, None, true);
                self.jwt_then(cx, then);
            }
            Then::Ready => {
                self.history.wished = false;
                if self.history.reading.as_ref().is_some_and(|r| r.step == Step::Jwt) {
                    self.call(cx);
                }
            }
            Then::GiveUp(reason) => self.no_jwt(cx, &reason),
        }
    }

    fn no_jwt(&mut self, cx: &mut Cx<'_>, reason: &Reason) {
        let report = Report::new("no-jwt", "There is no usable guest JWT", format!("{reason}."));
        let report = match reason {
            Reason::RefusedTwice | Reason::SameAgain => report
                .remedy("Check that the API host belongs to the same region as the socket: tokens are regional.")
                .remedy("Check the skew of the clocks in the status line."),
            Reason::DeadOnArrival => report.remedy("Check the skew of the clocks in the status line."),
            Reason::Failed(_) => report.remedy("Connect and configure the session, then ask again."),
        };
        let wished = std::mem::take(&mut self.history.wished);
        if self.history.reading.as_ref().is_some_and(|r| r.step == Step::Jwt) {
            self.reading_failed(cx, report);
        } else if wished {
            cx.fault(report);
        }
    }

    pub(super) fn jwt_failed(&mut self, cx: &mut Cx<'_>, why: &str, after: Option<Duration>) {
        let for_good = !self.is_configured();
        let then = self.history.jwt.failed(cx.at, why, after, for_good);
        self.jwt_then(cx, then);
    }

    pub(super) fn jwt_arrived(&mut self, cx: &mut Cx<'_>, tracing: Option<&str>, r: &JwtResponse<'_>) {
        self.requests.take(tracing, |a| *a == Ask::Jwt);
        let Some(jwt) = r.jwt.filled() else {
            self.jwt_failed(cx, "the JwtResponse holds no jwt", None);
            return;
        };
        cx.act(Action::Learn { kind: SecretKind::Jwt, value: Secret::from(jwt.as_str()) });
        let decoded = Jwt::decode(&jwt);
        let told = epoch(r.exp.value).or_else(|| decoded.as_ref().and_then(Jwt::expires));
        let until = told.unwrap_or(cx.server() + ASSUMED_LIFE);
        let event = if self.history.jwt.held().is_some() { ExpiryEvent::Refreshed } else { ExpiryEvent::Started };
        let then = self.history.jwt.got(cx.at, jwt, Some(until));
        let mut fact = self.jwt_fact(cx.at, event, "server", Some(until));
        fact.claims = decoded.map(|d| d.view());
        fact.assumed = told.is_none();
        cx.expiry(fact);
        self.jwt_then(cx, then);
    }

    pub(super) fn jwt_fact(&self, at: At, event: ExpiryEvent, by: &str, until: Option<Wall>) -> Expiry {
        let margin = self.history.jwt.held().map(|h| h.margin).unwrap_or_default();
        Expiry {
            id: GUEST_JWT.into(),
            title: "guest JWT".into(),
            event,
            by: by.into(),
            from: at.server,
            until,
            margin_secs: u32::try_from(margin.as_secs()).unwrap_or(u32::MAX),
            breaks: "next history call fetches a new one".into(),
            assumed: false,
            token: None,
            claims: None,
            can: vec![ClockDeed::Refresh, ClockDeed::Expire, ClockDeed::Corrupt, ClockDeed::Forget],
        }
    }

    fn call(&mut self, cx: &mut Cx<'_>) {
        let Some(held) = self.history.jwt.live(cx.at) else { return };
        let number = held.number;
        let mut headers = vec![
            ("Authorization".to_owned(), format!("bearer {}", held.token.expose())),
            ("Accept".to_owned(), "application/json".to_owned()),
        ];
        headers.extend(self.origin());
        let call = self.next_call();
        let Some(r) = &mut self.history.reading else { return };
        r.step = Step::Calling(call, number);
        let size = if r.extent == Extent::All { LARGE_PAGE } else { PAGE };
        let url = format!("{}/api/v2/webmessaging/messages?pageNumber={}&pageSize={size}", self.hosts.api, r.page);
        self.history.budget.spend(cx.now());
        let request = Call { method: "GET", url, headers, body: bytes::Bytes::new(), purpose: "history" };
        cx.act(Action::Call { call, request });
    }

    pub(super) fn answer(
        &mut self,
        cx: &mut Cx<'_>,
        call: CallId,
        status: u16,
        retry_after: Option<Duration>,
        body: &[u8],
    ) -> Seen {
        let number = match self.history.reading.as_ref().map(|r| r.step) {
            Some(Step::Calling(c, number)) if c == call => number,
            _ => return self.upload_answered(cx, call, status),
        };
        let fault = Seen { flags: Flags::FAULT, code: i32::from(status), ..Seen::default() };
        match status {
            200..=299 => {
                self.history.jwt.accepted(number);
                return self.page(cx, status, body);
            }
            401 => self.jwt_refused(cx, number),
            408 | 429 | 500..=599 => self.page_failed(cx, retry_after, format!("history was answered with {status}")),
            _ => {
                let text: String = String::from_utf8_lossy(body).chars().take(300).collect();
                let report = Report::new(
                    "history-refused",
                    format!("History was refused with {status}"),
                    format!("The server answered {status}: {text}"),
                );
                self.reading_failed(cx, report);
            }
        }
        fault
    }

    fn jwt_refused(&mut self, cx: &mut Cx<'_>, number: u64) {
        let until = self.history.jwt.held().and_then(|h| h.until);
        let fact = self.jwt_fact(cx.at, ExpiryEvent::Refused, "server", until);
        cx.expiry(fact);
        if let Some(r) = &mut self.history.reading {
            r.refusals += 1;
            r.step = Step::Jwt;
            if r.refusals > 1 {
                self.history.jwt.refused(cx.at, number);
                self.no_jwt(cx, &Reason::RefusedTwice);
                return;
            }
        }
        let then = self.history.jwt.refused(cx.at, number);
        if then == Then::Ready {
            // A newer one is at hand; the limit counts the retry as well.
            self.next_page(cx);
        } else {
            self.jwt_then(cx, then);
        }
    }

    /// True where the call was one for history.
    pub(super) fn history_call_failed(&mut self, cx: &mut Cx<'_>, call: CallId, report: &Report) -> bool {
        let ours = matches!(self.history.reading.as_ref().map(|r| r.step), Some(Step::Calling(c, _)) if c == call);
        if ours {
            self.page_failed(cx, None, format!("history was not answered ({})", report.title));
        }
        ours
    }

    fn page_failed(&mut self, cx: &mut Cx<'_>, after: Option<Duration>, why: String) {
        let Some(r) = &mut self.history.reading else { return };
        r.tries += 1;
        let after = after.unwrap_or_default();
        let wait = self.history.backoff.next(cx.now()).map(|w| w.max(after));
        match wait {
            Some(wait) if r.tries < TRIES && after <= LONGEST_PATIENCE => {
                let next = r.tries + 1;
                self.later(cx, wait, format!("{why}; try {next} of {TRIES} in {:.1} s", wait.as_secs_f32()));
            }
            _ => {
                let report = Report::new("history-failed", "History could not be read", format!("{why}."))
                    .remedy("Ask for history again in a while.");
                self.reading_failed(cx, report);
            }
        }
    }

    fn page(&mut self, cx: &mut Cx<'_>, status: u16, body: &[u8]) -> Seen {
        let mut seen = Seen { flags: Flags::STORY, code: i32::from(status), answers: None };
        let mut audit = Audit::default();
        let page: HistoryPage<'_> = match serde_json::from_slice::<&serde_json::value::RawValue>(body) {
            Ok(raw) => Raw(Some(raw)).read(&mut audit),
            Err(_) => HistoryPage::default(),
        };
        if audit.unknown > 0 {
            seen.flags = seen.flags.with(Flags::UNKNOWN);
        }
        if audit.wrong > 0 || !page.entities.present {
            seen.flags = seen.flags.with(Flags::MALFORMED);
        }
        if !page.entities.present {
            let report = Report::new(
                "history-malformed",
                "The history cannot be read",
                "The answer is no JSON object with a list of entities.",
            );
            self.reading_failed(cx, report);
            return seen;
        }
        let mut known = false;
        for m in &page.entities.items {
            if self.history.has_seen(m.key()) || self.history.has_seen(m.id.or_empty()) {
                known = true;
                continue;
            }
            if !m.is_inbound() {
                continue;
            }
            let found = self.find_sent(cx, m);
            if let Some(r) = &mut self.history.reading {
                r.by_id += u32::from(found == Some(Found::ById));
                r.by_text += u32::from(found == Some(Found::ByText));
            }
        }
        let count = page.entities.items.len();
        let Some(r) = &mut self.history.reading else { return seen };
        r.messages += i64::try_from(count).unwrap_or(i64::MAX);
        let last = count == 0
            || page.total.value.is_some_and(|t| r.messages >= t)
            || page.page_count.value.is_some_and(|p| i64::from(r.page) >= p);
        let (enough, most) = match r.extent {
            Extent::Newest => (true, 1),
            Extent::CatchUp => (last || known, MOST_CATCH_UP),
            Extent::All => (last, MOST_PAGES),
        };
        if enough || r.page >= most {
            let cut = (!enough).then(|| format!("history goes on beyond {most} pages, which were read"));
            self.reading_done(cx, cut, "history does not have it after the connection was lost");
            return seen;
        }
        r.page += 1;
        r.tries = 0;
        r.refusals = 0;
        self.history.backoff.reset();
        self.next_page(cx);
        seen
    }

    fn reading_failed(&mut self, cx: &mut Cx<'_>, report: Report) {
        let why = format!("history could not be read after the connection was lost: {}", report.title);
        cx.fault(report);
        self.reading_done(cx, None, &why);
    }

    fn reading_done(&mut self, cx: &mut Cx<'_>, cut: Option<String>, doubts: &str) {
        let Some(r) = self.history.reading.take() else { return };
        self.history.backoff.reset();
        if r.settles {
            self.doubts_end(cx, doubts);
        }
        let found = match (r.by_id, r.by_text) {
            (0, 0) => None,
            (id, 0) => Some(format!("{id} of your messages found in history by id")),
            (0, text) => Some(format!(
                "{text} of your messages found in history by equal text after the time of sending, which is a guess"
            )),
            (id, text) => Some(format!(
                "{} of your messages found in history: {id} by id, {text} by equal text after the time of sending, \
                 which is a guess",
                id + text
            )),
        };
        for why in [found, cut].into_iter().flatten() {
            self.remark(cx, why);
        }
        if let Some((extent, settles)) = self.history.next.take() {
            self.read_history(cx, extent, settles);
        }
    }

    pub(super) fn tick_history(&mut self, cx: &mut Cx<'_>) {
        if let Some(h) = self.history.jwt.held()
            && let Some(until) = h.until.filter(|u| cx.server() >= *u)
            && h.number > self.history.told_dead
            && !h.damaged
        {
            self.history.told_dead = h.number;
            let fact = self.jwt_fact(cx.at, ExpiryEvent::Expired, "clock", Some(until));
            cx.expiry(fact);
        }
        let then = self.history.jwt.tick(cx.at);
        self.jwt_then(cx, then);
        if let Some(Step::Later(then)) = self.history.reading.as_ref().map(|r| r.step)
            && then <= cx.now()
        {
            self.next_page(cx);
        }
    }

    /// What a person does to the guest JWT.
    pub(super) fn jwt_deed(&mut self, cx: &mut Cx<'_>, deed: ClockDeed) -> bool {
        let until = self.history.jwt.held().and_then(|h| h.until);
        let number = self.history.jwt.held().map(|h| h.number);
        let (done, event) = match deed {
            ClockDeed::Refresh => {
                self.wish_jwt(cx);
                return true;
            }
            ClockDeed::Expire => {
                // It is told here and now, and need not be told again.
                self.history.told_dead = number.unwrap_or(self.history.told_dead);
                (self.history.jwt.expire(cx.at), ExpiryEvent::Expired)
            }
            ClockDeed::Corrupt => (self.history.jwt.damage(damaged), ExpiryEvent::Corrupted),
            ClockDeed::Forget => (self.history.jwt.forget(), ExpiryEvent::Forgotten),
        };
        if !done {
            return false;
        }
        if event == ExpiryEvent::Corrupted
            && let Some(held) = self.history.jwt.held()
        {
            cx.act(Action::Learn { kind: SecretKind::Jwt, value: held.token.clone() });
        }
        let until = if event == ExpiryEvent::Expired { until.map(|u| u.min(cx.server())) } else { until };
        let fact = self.jwt_fact(cx.at, event, "you", until);
        cx.expiry(fact);
        true
    }
}

/// Changes one character of the signature, in its middle: the last one may hold bits that nobody reads.
fn damaged(token: &String) -> String {
    let signature = token.rfind('.').map_or(0, |dot| dot + 1);
    let middle = signature + (token.len() - signature) / 2;
    token
        .char_indices()
        .map(|(i, c)| match c {
            'A' if i == middle => 'B',
            _ if i == middle => 'A',
            c => c,
        })
        .collect()
}

fn hash(key: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut h = DefaultHasher::new();
    key.hash(&mut h);
    h.finish()
}
