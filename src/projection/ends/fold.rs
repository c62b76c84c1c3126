//! Folds what either end saw into journeys, and journeys into pairs.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::halves::{at_agent, at_guest, earlier, evidence, same_id};
use super::{Ends, Event, JOURNEYS, Journey, Moment, PAIRS, Pair, Proof};
use crate::model::happening::{Side, Source};
use crate::model::{Message, Now, SessionId, Wall};

/// Journeys that can still be joined; the oldest goes.
const OPEN: usize = 20_000;
/// Events of a lane that has no pair yet, and of a pair.
const EVENTS: usize = 500;

/// Something that one end saw.
#[derive(Clone, Debug)]
pub(in crate::projection) struct Sighting {
    pub session: SessionId,
    pub seq: u64,
    pub at: Now,
    /// The conversation, at an agent's end; none at a guest's.
    pub conversation: Option<String>,
    pub what: What,
}

#[derive(Clone, Debug)]
pub(in crate::projection) enum What {
    Said {
        keys: Vec<String>,
        tracing: Option<String>,
        side: Side,
        text: Option<Arc<str>>,
        told_at: Option<Wall>,
        source: Source,
    },
    Named {
        tracing: String,
        key: String,
    },
    /// It was refused, or never left.
    Failed {
        tracing: String,
    },
    /// The server told the guest's side the conversation's id.
    Told {
        conversation: String,
    },
    Event {
        text: String,
    },
}

impl What {
    pub fn said(message: &Message) -> Self {
        let mut keys = vec![message.key.clone()];
        keys.extend(message.also.iter().cloned());
        keys.retain(|k| !k.is_empty());
        Self::Said {
            keys,
            tracing: message.tracing.clone(),
            side: message.side,
            text: message.text.as_deref().map(|t| Arc::from(cut(t))),
            told_at: message.at,
            source: message.source,
        }
    }
}

/// Longer texts are compared by their beginning.
const LONGEST: usize = 8 << 10;

fn cut(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[derive(Clone, Debug, Default)]
pub(in crate::projection) struct EndsFold {
    pub(super) open: BTreeMap<u64, Open>,
    pub(super) by_key: HashMap<u64, u64>,
    pub(super) by_tracing: HashMap<(SessionId, u64), u64>,
    pub(super) by_text: HashMap<(bool, u64), VecDeque<u64>>,
    pub(super) next: u64,
    pub(super) guests: HashMap<SessionId, Lane>,
    pub(super) talks: HashMap<String, Lane>,
    /// Conversations whose id a guest's side was told.
    pub(super) told: HashMap<String, (SessionId, u64)>,
    /// Texts that were alike at two ends without a pair: by guest and conversation.
    pub(super) alike: HashMap<(SessionId, String), Vec<(u64, u64)>>,
    /// Pairs that are not shown any more: places are counted from the first there ever was.
    pub(super) dropped: usize,
    /// Journeys that were merged away, with the pair that shows them.
    pub(super) merged: Vec<(usize, u64)>,
}

/// One end of one conversation.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    pair: Option<usize>,
    /// The first record of it.
    since: u64,
    journeys: VecDeque<u64>,
    events: VecDeque<Event>,
}

#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) journey: Arc<Journey>,
    pub(super) conversation: Option<String>,
    pub(super) tracings: Vec<(SessionId, u64)>,
    /// What it is found by among equal texts.
    pub(super) texts: Vec<(bool, u64)>,
    pub(super) pair: Option<usize>,
    /// The pair among whose proofs it was counted.
    pub(super) counted: Option<usize>,
    /// Its halves were put together because they are alike.
    pub(super) alike: bool,
}

pub(super) fn hash(value: impl Hash) -> u64 {
    let mut h = DefaultHasher::new();
    value.hash(&mut h);
    h.finish()
}

impl EndsFold {
    pub fn take(&mut self, ends: &mut Arc<Ends>, s: Sighting) {
        self.sight(ends, s);
        for (place, number) in std::mem::take(&mut self.merged) {
            self.with(ends, place, |p| {
                if let Ok(n) = p.journeys.binary_search_by_key(&number, |j| j.number) {
                    p.journeys.remove(n);
                }
            });
        }
    }

    fn sight(&mut self, ends: &mut Arc<Ends>, s: Sighting) {
        let Sighting { session, seq, at, conversation, what } = s;
        let moment = Moment { seq, at };
        let lane = self.lane(session, conversation.as_deref());
        if lane.since == 0 {
            lane.since = seq;
            // The guest's side may have been told before anybody was at the other end.
            let told = conversation.as_ref().and_then(|c| Some((c.clone(), self.told.get(c)?.0)));
            if let Some((conversation, guest)) = told {
                self.pair(ends, guest, &conversation, at);
            }
        }
        match what {
            What::Event { text } => {
                let event = Event { at, seq, session, guest: conversation.is_none(), text };
                self.event(ends, session, conversation, event);
            }
            What::Told { conversation: told } => {
                self.told.insert(told.clone(), (session, seq));
                if self.talks.contains_key(&told) {
                    let place = self.pair(ends, session, &told, at);
                    self.with(ends, place, |p| p.proof.told = Some(seq));
                }
            }
            What::Named { tracing, key } => {
                let tracing = (session, hash(&tracing));
                let number = self.by_tracing.get(&tracing).copied();
                if let Some(number) = number {
                    self.key(number, &key);
                    let number = self.survivor(&[key], number);
                    self.settle(ends, number, at);
                }
            }
            What::Failed { tracing } => {
                if let Some(number) = self.by_tracing.get(&(session, hash(&tracing))).copied() {
                    self.change(number, |j| j.failed = true);
                    self.settle(ends, number, at);
                }
            }
            What::Said { keys, tracing, side, text, told_at, source } => {
                let tracing = tracing.map(|t| (session, hash(&t)));
                let number = self.find(&keys, tracing, side);
                if let Some(tracing) = tracing {
                    self.by_tracing.entry(tracing).or_insert(number);
                    if let Some(open) = self.open.get_mut(&number) {
                        open.tracings.push(tracing);
                    }
                }
                for key in &keys {
                    self.key(number, key);
                }
                let number = self.survivor(&keys, number);
                let own = tracing.is_some();
                self.change(number, |j| {
                    j.told_at = j.told_at.or(told_at);
                    match conversation.is_some() {
                        true => at_agent(j, session, moment, source, own, text.clone()),
                        false => at_guest(j, session, moment, source, text.clone()),
                    }
                });
                if let (Some(open), Some(conversation)) = (self.open.get_mut(&number), &conversation) {
                    open.conversation.get_or_insert_with(|| conversation.clone());
                }
                let lane = self.lane(session, conversation.as_deref());
                if lane.journeys.back() != Some(&number) {
                    lane.journeys.push_back(number);
                }
                if let Some(text) = text {
                    self.likeness(ends, number, &text, at);
                }
                self.settle(ends, number, at);
                self.shorten();
            }
        }
    }

    fn lane(&mut self, session: SessionId, conversation: Option<&str>) -> &mut Lane {
        match conversation {
            None => self.guests.entry(session).or_default(),
            Some(c) => self.talks.entry(c.to_owned()).or_default(),
        }
    }

    /// The journey that is known by one of these names, or a new one.
    fn find(&mut self, keys: &[String], tracing: Option<(SessionId, u64)>, side: Side) -> u64 {
        let by_key = keys.iter().find_map(|k| self.by_key.get(&hash(k)).copied());
        let by_tracing = tracing.and_then(|t| self.by_tracing.get(&t).copied());
        if let Some(number) = by_key.or(by_tracing).filter(|n| self.open.contains_key(n)) {
            if let (Some(a), Some(b)) = (by_key, by_tracing)
                && a != b
            {
                return self.merge(a, b);
            }
            return number;
        }
        self.next += 1;
        let journey = Journey { number: self.next, side: Some(side), ..Journey::default() };
        let open = Open {
            journey: Arc::new(journey),
            conversation: None,
            tracings: Vec::new(),
            texts: Vec::new(),
            pair: None,
            counted: None,
            alike: false,
        };
        self.open.insert(self.next, open);
        self.next
    }

    /// Gives a journey another name; whoever has it already is the same.
    fn key(&mut self, number: u64, key: &str) {
        if key.is_empty() {
            return;
        }
        match self.by_key.get(&hash(key)).copied() {
            Some(other) if other == number => {}
            Some(other) if self.open.contains_key(&other) => _ = self.merge(other, number),
            _ => {
                self.by_key.insert(hash(key), number);
                self.change(number, |j| {
                    if !j.keys.iter().any(|k| k == key) && j.keys.len() < 8 {
                        j.keys.push(key.to_owned());
                    }
                });
            }
        }
    }

    /// Where a journey went that was merged into another one.
    fn survivor(&self, keys: &[String], number: u64) -> u64 {
        if self.open.contains_key(&number) {
            return number;
        }
        keys.iter().find_map(|k| self.by_key.get(&hash(k)).copied()).unwrap_or(number)
    }

    fn change(&mut self, number: u64, change: impl FnOnce(&mut Journey)) {
        if let Some(open) = self.open.get_mut(&number) {
            change(Arc::make_mut(&mut open.journey));
        }
    }

    /// Two journeys turned out to be one: the one that began first goes on, so that the order of the numbers stays that
    /// of the messages. Gives its number.
    pub(super) fn merge(&mut self, a: u64, b: u64) -> u64 {
        let (kept, gone) = (a.min(b), a.max(b));
        let Some(other) = self.open.remove(&gone) else { return kept };
        self.merged.extend(other.pair.map(|place| (place, gone)));
        self.forget_texts(&other.texts, gone);
        let Some(open) = self.open.get_mut(&kept) else { return kept };
        let mut theirs = Arc::unwrap_or_clone(other.journey);
        let ours = Arc::make_mut(&mut open.journey);
        for key in theirs.keys.drain(..) {
            self.by_key.insert(hash(&key), kept);
            if !ours.keys.contains(&key) && ours.keys.len() < 8 {
                ours.keys.push(key);
            }
        }
        ours.told_at = ours.told_at.or(theirs.told_at);
        ours.failed |= theirs.failed;
        match (&mut ours.guest, theirs.guest) {
            (Some(mine), Some(theirs)) => {
                mine.sent = earlier(mine.sent, theirs.sent);
                mine.seen = earlier(mine.seen, theirs.seen);
                mine.text = mine.text.take().or(theirs.text);
                mine.by_history &= theirs.by_history;
            }
            (mine @ None, theirs) => *mine = theirs,
            (Some(_), None) => {}
        }
        for half in theirs.agents {
            match ours.agents.iter_mut().find(|a| a.session == half.session) {
                Some(mine) => {
                    mine.sent = earlier(mine.sent, half.sent);
                    mine.taken = earlier(mine.taken, half.taken);
                    mine.seen = earlier(mine.seen, half.seen);
                    mine.fetched = earlier(mine.fetched, half.fetched);
                    mine.text = mine.text.take().or(half.text);
                    mine.by_rest &= half.by_rest;
                }
                None => ours.agents.push(half),
            }
        }
        open.conversation = open.conversation.take().or(other.conversation);
        open.counted = open.counted.or(other.counted);
        for tracing in other.tracings {
            self.by_tracing.insert(tracing, kept);
            open.tracings.push(tracing);
        }
        kept
    }

    // Pairs.

    pub(super) fn place_of(&self, ends: &Ends, guest: SessionId, conversation: &str) -> Option<usize> {
        let found = ends.pairs.iter().rposition(|p| p.guest == guest && p.conversation == conversation)?;
        Some(found + self.dropped)
    }

    pub(super) fn at<'a>(&self, ends: &'a Ends, place: usize) -> Option<&'a Arc<Pair>> {
        place.checked_sub(self.dropped).and_then(|at| ends.pairs.get(at))
    }

    pub(super) fn with(&self, ends: &mut Arc<Ends>, place: usize, deed: impl FnOnce(&mut Pair)) {
        let Some(at) = place.checked_sub(self.dropped) else { return };
        if let Some(pair) = Arc::make_mut(ends).pairs.get_mut(at) {
            deed(Arc::make_mut(pair));
        }
    }

    /// The pair of these ends, made where there is none.
    pub(super) fn pair(&mut self, ends: &mut Arc<Ends>, guest: SessionId, conversation: &str, at: Now) -> usize {
        if let Some(place) = self.place_of(ends, guest, conversation) {
            return place;
        }
        let all = Arc::make_mut(ends);
        if all.pairs.len() >= PAIRS {
            all.pairs.remove(0);
            self.dropped += 1;
        }
        let told = self.told.get(conversation).filter(|(s, _)| *s == guest).map(|(_, seq)| *seq);
        all.pairs.push(Arc::new(Pair {
            guest,
            conversation: conversation.to_owned(),
            agents: Vec::new(),
            since: (
                self.guests.get(&guest).map_or(0, |l| l.since),
                self.talks.get(conversation).map_or(0, |l| l.since),
            ),
            proof: Proof { told, ..Proof::default() },
            journeys: Vec::new(),
            older: 0,
            events: Vec::new(),
            last: at,
        }));
        let place = all.pairs.len() - 1 + self.dropped;
        let before = self.guests.get(&guest).and_then(|l| l.pair);
        let mut lone: Vec<u64> = Vec::new();
        let mut events: Vec<Event> = Vec::new();
        for lane in [self.guests.entry(guest).or_default(), self.talks.entry(conversation.to_owned()).or_default()] {
            lane.pair = Some(place);
            lone.extend(lane.journeys.iter());
            events.extend(lane.events.drain(..));
        }
        // What the guest said last, before anybody of the new conversation heard it, belongs to the new one.
        if let Some(before) = before {
            let last = self.open.iter().filter(|(_, o)| o.pair == Some(before) && !o.journey.agents.is_empty());
            let last = last.map(|(number, _)| *number).max().unwrap_or(0);
            lone.retain(|n| {
                self.open.get(n).is_some_and(|o| match &o.conversation {
                    Some(other) => other == conversation,
                    None => *n > last,
                })
            });
            let moved = lone.clone();
            self.with(ends, before, |p| p.journeys.retain(|j| !moved.contains(&j.number)));
        }
        lone.sort_unstable();
        lone.dedup();
        for number in lone {
            let other =
                self.open.get(&number).and_then(|o| o.conversation.as_deref()).is_some_and(|c| c != conversation);
            let elsewhere =
                self.open.get(&number).and_then(|o| o.journey.guest.as_ref()).is_some_and(|g| g.session != guest);
            if !other && !elsewhere {
                if let Some(open) = self.open.get_mut(&number) {
                    open.pair = Some(place);
                }
                self.publish(ends, place, number);
            }
        }
        events.sort_by_key(|e| e.seq);
        self.with(ends, place, |p| p.events.extend(events));
        place
    }

    /// Puts a journey where it belongs, and shows it.
    pub(super) fn settle(&mut self, ends: &mut Arc<Ends>, number: u64, at: Now) {
        let Some(open) = self.open.get(&number) else { return };
        let guest = open.journey.guest.as_ref().map(|g| g.session);
        let conversation = open.conversation.clone();
        let joint = guest.zip(conversation.clone()).filter(|_| !open.journey.agents.is_empty());
        let place = match joint {
            Some((guest, conversation)) => {
                let (key, seqs) = evidence(&open.journey);
                let proves = !open.alike && same_id(&open.journey);
                let counted = open.counted;
                let place = self.pair(ends, guest, &conversation, at);
                if proves && counted != Some(place) {
                    if let Some(open) = self.open.get_mut(&number) {
                        open.counted = Some(place);
                    }
                    self.with(ends, place, |p| {
                        p.proof.same_ids += 1;
                        p.proof.first.get_or_insert((key, seqs.0, seqs.1));
                    });
                }
                Some(place)
            }
            None => open.pair.or_else(|| {
                let of_guest = guest.and_then(|g| self.guests.get(&g)).and_then(|l| l.pair);
                let of_talk = conversation.as_deref().and_then(|c| self.talks.get(c)).and_then(|l| l.pair);
                of_talk.or(of_guest)
            }),
        };
        let Some(place) = place else { return };
        if let Some(open) = self.open.get_mut(&number) {
            open.pair = Some(place);
        }
        self.publish(ends, place, number);
        self.with(ends, place, |p| p.last = at);
    }

    fn publish(&self, ends: &mut Arc<Ends>, place: usize, number: u64) {
        let Some(open) = self.open.get(&number) else { return };
        let journey = Arc::clone(&open.journey);
        self.with(ends, place, |p| {
            for half in &journey.agents {
                if !p.agents.contains(&half.session) {
                    p.agents.push(half.session);
                }
            }

            match p.journeys.binary_search_by_key(&number, |j| j.number) {
                Ok(n) => p.journeys[n] = journey,
                Err(n) => p.journeys.insert(n, journey),
            }
            if p.journeys.len() > JOURNEYS {
                let cut = p.journeys.len() - JOURNEYS;
                p.journeys.drain(..cut);
                p.older += cut as u64;
            }
        });
    }

    fn event(&mut self, ends: &mut Arc<Ends>, session: SessionId, conversation: Option<String>, event: Event) {
        let lane = self.lane(session, conversation.as_deref());
        match lane.pair {
            Some(place) => self.with(ends, place, |p| {
                if p.events.len() >= EVENTS {
                    p.events.remove(0);
                    p.older += 1;
                }
                p.events.push(event);
            }),
            None => {
                if lane.events.len() >= EVENTS {
                    lane.events.pop_front();
                }
                lane.events.push_back(event);
            }
        }
    }

    fn shorten(&mut self) {
        while self.open.len() > OPEN {
            let Some((number, old)) = self.open.pop_first() else { return };
            for key in &old.journey.keys {
                self.by_key.remove(&hash(key));
            }
            for tracing in &old.tracings {
                self.by_tracing.remove(tracing);
            }
            self.forget_texts(&old.texts, number);
            let first = self.open.keys().next().copied().unwrap_or(0);
            for lane in self.guests.values_mut().chain(self.talks.values_mut()) {
                while lane.journeys.front().is_some_and(|n| *n < first) {
                    lane.journeys.pop_front();
                }
            }
        }
    }

    /// A journey is not found by its texts any more.
    fn forget_texts(&mut self, texts: &[(bool, u64)], number: u64) {
        for text in texts {
            if let Some(list) = self.by_text.get_mut(text) {
                list.retain(|n| *n != number);
                if list.is_empty() {
                    self.by_text.remove(text);
                }
            }
        }
    }
}
