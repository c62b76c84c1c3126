//! Texts of messages: no notification has them, so they are looked up, many at once and within a budget, since the
//! token has one allowance for everything that it does.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::Value;

use super::*;
use crate::dialect::budget::Budget;

/// An id that is told but not yet stored is looked up so often.
const TRIES: u8 = 4;
/// The wait before the next look, which doubles.
const AGAIN: Duration = Duration::from_millis(500);
/// What a person looks at waits no longer than this where all wait for the budget.
const FRONT_AFTER: Duration = Duration::from_secs(2);
/// A look-up that is overdue by this is told to wait for its budget.
const OVERDUE: Duration = Duration::from_secs(2);
/// Ids that were looked up, or were our own: they are told again and again.
const KNOWN: usize = 20_000;

#[derive(Debug)]
pub(super) struct Lookups {
    waiting: BTreeMap<String, Waiting>,
    /// The conversation that a person looks at.
    pub front: Option<String>,
    budget: Budget,
    gather: Duration,
    size: usize,
    known: HashSet<String>,
    order: VecDeque<String>,
    /// Tries of ids that were not found.
    tries: HashMap<String, u8>,
    /// Conversations and ids of texts that were given up, the newest.
    given_up: VecDeque<(String, String)>,
    /// That look-ups wait for the budget was told.
    told: bool,
}

#[derive(Debug, Default)]
struct Waiting {
    ids: Vec<String>,
    /// It is looked up then.
    due: Mono,
    /// Since when the oldest waits.
    since: Mono,
    in_flight: bool,
}

impl Lookups {
    pub fn new(agents: &Agents) -> Self {
        Self {
            waiting: BTreeMap::new(),
            front: None,
            budget: Budget::new(agents.lookups_per_minute, Duration::from_secs(60)),
            gather: millis(agents.gather_millis),
            size: agents.lookup_size.clamp(1, 1_000) as usize,
            known: HashSet::new(),
            order: VecDeque::new(),
            tries: HashMap::new(),
            given_up: VecDeque::new(),
            told: false,
        }
    }

    /// This text is wanted, unless it was before.
    pub fn want(&mut self, conversation: &str, id: &str, now: Mono) {
        if self.know(id) {
            self.wait_for(conversation, id, now, self.gather);
        }
    }

    /// False where it was known already.
    fn know(&mut self, id: &str) -> bool {
        let fresh = self.known.insert(id.to_owned());
        if fresh {
            self.order.push_back(id.to_owned());
            if self.order.len() > KNOWN
                && let Some(old) = self.order.pop_front()
            {
                self.known.remove(&old);
            }
        }
        fresh
    }

    /// Our own, whose text the answer to its sending told.
    pub fn has(&mut self, conversation: &str, id: &str) {
        self.know(id);
        if let Some(w) = self.waiting.get_mut(conversation) {
            w.ids.retain(|waiting| waiting != id);
        }
    }

    /// All is read again: what was given up is looked up once more.
    pub fn hope_again(&mut self, now: Mono) {
        for (conversation, id) in std::mem::take(&mut self.given_up) {
            self.wait_for(&conversation, &id, now, self.gather);
        }
    }

    fn give_up(&mut self, conversation: &str, id: &str) {
        if self.given_up.len() == KNOWN {
            self.given_up.pop_front();
        }
        self.given_up.push_back((conversation.to_owned(), id.to_owned()));
    }

    fn wait_for(&mut self, conversation: &str, id: &str, now: Mono, wait: Duration) {
        let w = self.waiting.entry(conversation.to_owned()).or_default();
        if w.ids.is_empty() {
            (w.due, w.since) = (now + wait, now);
        }
        w.ids.push(id.to_owned());
    }

    pub fn wait(&self, now: Mono) -> Option<Duration> {
        let due =
            self.waiting.values().filter(|w| !w.in_flight && !w.ids.is_empty()).map(|w| w.due.since(now)).min()?;
        Some(due.max(self.budget.wait_in_turn(now)))
    }

    /// The next look-up, the one that has waited longest first; what is in front before it, but not each time.
    fn next(&mut self, now: Mono) -> Option<(String, Vec<String>)> {
        let ready = |w: &Waiting| !w.in_flight && !w.ids.is_empty() && w.due <= now;
        let front = |id: &String, w: &Waiting| Some(id) == self.front.as_ref() && now.since(w.since) >= FRONT_AFTER;
        let all = self.waiting.iter_mut().filter(|(_, w)| ready(w));
        let (id, w) = all.min_by_key(|(id, w)| (!front(id, w), w.since))?;
        if !self.budget.wait_in_turn(now).is_zero() {
            return None;
        }
        self.budget.spend(now);
        let rest = w.ids.split_off(w.ids.len().min(self.size));
        let ids = std::mem::replace(&mut w.ids, rest);
        w.in_flight = true;
        Some((id.clone(), ids))
    }
}

impl Agent {
    pub(super) fn tick_lookups(&mut self, cx: &mut Cx<'_>) {
        if self.state.is_ended() || !self.is_ready() {
            return;
        }
        while let Some((conversation, ids)) = self.lookups.next(cx.now()) {
            let call = calls::texts(&self.hosts, &conversation, &ids);
            self.begin(Job::Texts { conversation, ids }, call);
        }
    }

    /// Texts that wait for the budget: that is told once, until none waits any more.
    pub(super) fn tell_lookups(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let overdue = |w: &&Waiting| !w.in_flight && !w.ids.is_empty() && w.due <= now;
        let waiting = self.lookups.waiting.values().filter(overdue).count() as u32;
        if waiting == 0 {
            self.lookups.told = false;
        }
        let longest = self.lookups.waiting.values().filter(overdue).map(|w| now.since(w.due)).max();
        if self.lookups.told || longest.is_none_or(|longest| longest < OVERDUE) {
            return;
        }
        self.lookups.told = true;
        let most = self.lookups.budget.limit();
        // One after the other, each in its turn.
        let wait = self.lookups.budget.wait_in_turn(now) + Duration::from_secs(60) * (waiting - 1) / most.max(1);
        let of = if waiting == 1 { "a conversation".to_owned() } else { format!("{waiting} conversations") };
        let why = format!("texts of {of} share the budget of {most} look-ups a minute");
        cx.state(Fact::Waiting { why, millis: wait.as_millis() as u64 });
    }

    pub(super) fn texts_read(&mut self, cx: &mut Cx<'_>, conversation: &str, ids: Vec<String>, body: &Value) {
        let found: HashSet<String> = wire::entities(body).filter_map(|m| flow::text_of(m, "id")).collect();
        let mut lost = Vec::new();
        self.rest(conversation, cx.now());
        for id in ids {
            if found.contains(&id) {
                self.lookups.tries.remove(&id);
            } else {
                self.again(cx, conversation, id, &mut lost);
            }
        }
        if !lost.is_empty() {
            let what = format!("{} of conversation {conversation} were told of and never found.", lost.join(", "));
            cx.fault(Report::new("text-not-found", "Texts of messages are missing", what));
        }
    }

    /// An id may be told before its text is stored.
    fn again(&mut self, cx: &mut Cx<'_>, conversation: &str, id: String, lost: &mut Vec<String>) {
        let tries = self.lookups.tries.entry(id.clone()).or_insert(0);
        *tries += 1;
        if *tries >= TRIES {
            self.lookups.tries.remove(&id);
            self.lookups.give_up(conversation, &id);
            lost.push(id);
            return;
        }
        let wait = AGAIN * (1 << (*tries - 1));
        self.lookups.wait_for(conversation, &id, cx.now(), wait);
    }

    pub(super) fn texts_not_read(&mut self, cx: &mut Cx<'_>, conversation: &str, ids: Vec<String>, failure: &Failure) {
        let job = Job::Texts { conversation: conversation.to_owned(), ids: Vec::new() };
        self.rest(conversation, cx.now());
        let report = verdict::report(&job, failure);
        if failure.is_for_good() {
            ids.iter().for_each(|id| self.lookups.give_up(conversation, id));
            let what = format!("{} The texts of {} messages of {conversation} stay unknown.", report.what, ids.len());
            return cx.fault(Report { what, ..report });
        }
        let mut lost = Vec::new();
        for id in ids {
            self.again(cx, conversation, id, &mut lost);
        }
        let lost = if lost.is_empty() { String::new() } else { format!(" Given up: {}.", lost.join(", ")) };
        cx.fault(Report { what: format!("{}{lost}", report.what), ..report });
    }

    fn rest(&mut self, conversation: &str, now: Mono) {
        if let Some(w) = self.lookups.waiting.get_mut(conversation) {
            w.in_flight = false;
            w.since = now;
            if w.ids.is_empty() {
                self.lookups.waiting.remove(conversation);
            }
        }
    }
}
