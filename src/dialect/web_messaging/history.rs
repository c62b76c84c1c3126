//! History by REST: page by page, within its limit, with a live JWT.

use std::time::Duration;

use super::messages::Found;
use super::wire::inbound::HistoryPage;
use super::wire::lenient::{Audit, Raw};
use super::{Cx, WebMessaging};
use crate::dialect::backoff::{Backoff, Plan};
use crate::dialect::budget::Budget;
use crate::dialect::keeper::Reason;
use crate::dialect::{Action, At, Call, CallId, Seen};
use crate::model::environment::secs;
use crate::model::fact::ExpiryEvent;
use crate::model::{Environment, Flags, Mono, Report};

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
    reading: Option<Reading>,
    next: Option<(Extent, bool)>,
    budget: Budget,
    backoff: Backoff,
    seen: std::collections::VecDeque<u64>,
}

impl History {
    pub fn new(env: &Environment, seed: u64) -> Self {
        let give_up = secs(env.timings.reconnect_give_up_secs);
        let plan = Plan { least: Duration::ZERO, first: secs(1), longest: secs(5), give_up, tries: u32::MAX };
        Self {
            reading: None,
            next: None,
            budget: Budget::new(env.limits.history_per_minute, MINUTE),
            backoff: Backoff::new(plan, seed),
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
        match self.reading.as_ref()?.step {
            Step::Later(then) => Some(then.since(at.now.mono)),
            Step::Jwt | Step::Calling(..) => None,
        }
    }
}

impl WebMessaging {
    pub(super) fn wish_history(&mut self, cx: &mut Cx<'_>, all: bool) {
        self.read_history(cx, if all { Extent::All } else { Extent::Newest }, false);
    }

    /// After a lost connection: reads what was said meanwhile, and learns what became of doubtful sends.
    pub(super) fn catch_up(&mut self, cx: &mut Cx<'_>) {
        // Where nothing was seen live, as with a resumed session, there is nothing to go back to.
        let extent = if self.history.seen.is_empty() { Extent::Newest } else { Extent::CatchUp };
        self.read_history(cx, extent, true);
    }

    fn read_history(&mut self, cx: &mut Cx<'_>, extent: Extent, settles: bool) {
        if self.history.reading.is_some() {
            let (e, s) = self.history.next.unwrap_or((extent, settles));
            self.history.next = Some((e.max(extent), s || settles));
            return;
        }
        if self.hosts.api.is_empty() {
            return self.no_history(cx, settles);
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

    /// Custom hosts need not name the one for REST. Only a person who asks is told so as a fault.
    fn no_history(&mut self, cx: &mut Cx<'_>, settles: bool) {
        if settles {
            self.doubts_end(cx, "history was not asked for after the connection was lost: no API host given");
            return;
        }
        let what = "The environment names a guest socket, but no API host to read history from.";
        cx.fault(Report::new("no-api-host", "No API host given", what).remedy("Add it to the environment (api)."));
    }

    /// Calls for the page that is next, as soon as the limit and a live JWT allow it.
    fn next_page(&mut self, cx: &mut Cx<'_>) {
        if self.is_over_limit(cx) {
            return;
        }
        if let Some(r) = &mut self.history.reading {
            r.step = Step::Jwt;
        }
        let then = self.jwt.keeper.need(cx.at);
        self.jwt_then(cx, then);
    }

    /// True where the limit of calls is used up; then the page waits for it.
    fn is_over_limit(&mut self, cx: &mut Cx<'_>) -> bool {
        let wait = self.history.budget.wait(cx.now());
        if !wait.is_zero() {
            let limit = self.history.budget.limit();
            let secs = wait.as_secs() + 1;
            self.later(cx, wait, format!("history waits {secs} s: {limit} calls a minute are allowed"));
        }
        !wait.is_zero()
    }

    /// A reading waits for a JWT.
    pub(super) fn awaits_jwt(&self) -> bool {
        self.history.reading.as_ref().is_some_and(|r| r.step == Step::Jwt)
    }

    fn later(&mut self, cx: &mut Cx<'_>, wait: Duration, why: String) {
        if let Some(r) = &mut self.history.reading {
            r.step = Step::Later(cx.now() + wait);
            self.remark(cx, why);
        }
    }

    /// A live JWT is at hand.
    pub(super) fn call_for_page(&mut self, cx: &mut Cx<'_>) {
        // The call that was refused counts as well.
        if self.is_over_limit(cx) {
            return;
        }
        let Some(held) = self.jwt.keeper.live(cx.at) else { return };
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
        let request = Call { method: "GET", url, headers, purpose: "history", ..Call::default() };
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
        if status != 401 {
            // Whatever else it says, the server knows who asked.
            self.jwt.keeper.accepted(number);
        }
        match status {
            200..=299 => {
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
        let until = self.jwt.keeper.held().and_then(|h| h.until);
        let fact = self.jwt_fact(cx.at, ExpiryEvent::Refused, "server", until);
        cx.expiry(fact);
        if let Some(r) = &mut self.history.reading {
            r.refusals += 1;
            r.step = Step::Jwt;
            if r.refusals > 1 {
                self.jwt.keeper.abandon(number);
                self.no_jwt(cx, &Reason::RefusedTwice);
                return;
            }
        }
        let then = self.jwt.keeper.refused(cx.at, number);
        self.jwt_then(cx, then);
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

    pub(super) fn reading_failed(&mut self, cx: &mut Cx<'_>, report: Report) {
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
        if let Some(Step::Later(then)) = self.history.reading.as_ref().map(|r| r.step)
            && then <= cx.now()
        {
            self.next_page(cx);
        }
    }
}

fn hash(key: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut h = DefaultHasher::new();
    key.hash(&mut h);
    h.finish()
}
