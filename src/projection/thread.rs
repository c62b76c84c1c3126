//! Folds what was said into a [`Conversation`]: each message once, in the server's order.
//!
//! A message is told many times: by our own frame, by the echo on each connection, by history, by a replay after a
//! reconnect. The tellings are joined by the names that they share. A tracing id joins only what is not known to be
//! two: a frame sent twice by hand under one id comes back under two keys and is two messages.
//!
//! Order: the server's time, then arrival. What has no server time stands where it arrived, by the local clock
//! corrected by the skew known then, and never above what had come in before. The guest's own messages that still
//! wait for an echo stand at the end.

mod content;
mod order;

use std::collections::HashMap;
use std::sync::Arc;

use content::{can_be_cleared, follows, join_content, word};

use super::conversation::{Conversation, Entry, EntryState, KEPT, KEPT_BYTES, LONGEST_TEXT, What};
use super::identity::{Known, Name};
use super::merge::rank;
use super::weight;
use crate::model::fact::Delivery;
use crate::model::happening::{AttachmentState, Part, Presence, Side, Source};
use crate::model::{Message, Mono, Now, Wall};

/// Names of entries that fell out of the bound, so that history does not count them twice: about four megabytes.
/// What is older still may be counted again in [`Conversation::older`], and is not shown again.
const NAMES_KEPT: usize = 1 << 17;

/// The server's reasons are shown up to so many bytes.
const LONGEST_REASON: usize = 4 << 10;

/// The server's time of a message may lie before our own sending by less than this: clocks differ.
const LATE_MICROS: i64 = 60 * 1_000_000;

/// A server time that runs ahead of our clock by more than this does not draw local lines behind it.
const BELIEVABLE_MICROS: i64 = 24 * 3600 * 1_000_000;

/// Where and when something was told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    pub seq: u64,
    /// Place within its record.
    pub n: u32,
    pub now: Now,
    /// What the server's clock said then, as far as known.
    pub server: Wall,
    pub source: Option<Source>,
}

/// Where an entry stands. Ordered; unique by its last field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    in_flight: bool,
    micros: i64,
    arrival: (u64, u32),
    id: u64,
}

/// What the fold knows of an entry beside what is shown.
#[derive(Clone, Debug)]
struct Slot {
    place: Place,
    names: Vec<Name>,
    /// One of the names is the server's.
    keyed: bool,
    rank: u8,
    /// The server's time, and how much the teller is believed.
    server_at: Option<(Wall, u8)>,
    local_at: Wall,
    arrival: (u64, u32),
    /// The newest frame of ours that carried it, and the first live echo.
    sent: Option<Mono>,
    echoed: Option<(u64, Mono)>,
    delivery: Option<Delivery>,
    /// Its delivery was told: whoever sent it waits for its fate, and will tell it.
    followed: bool,
    own: bool,
    measured: bool,
    /// Bytes, about.
    weight: usize,
}

/// One telling of one thing.
struct Telling {
    keys: Vec<Name>,
    tracing: Option<Name>,
    at: Option<Wall>,
    source: Source,
    own: bool,
    /// Taken by whoever makes an entry of it.
    what: Option<What>,
}

/// Entries that fell out of the bound.
#[derive(Clone, Debug, Default)]
pub(super) struct Cut {
    /// In their order, which goes on from the cut before.
    pub in_order: Vec<Arc<Entry>>,
    /// Those that belong before what was cut already.
    pub too_late: Vec<Arc<Entry>>,
}

#[derive(Clone, Debug)]
pub(super) struct Thread {
    /// Parallel to the entries of the conversation, ascending.
    places: Vec<Place>,
    slots: HashMap<u64, Slot>,
    names: HashMap<Name, u64>,
    gone: Known,
    next: u64,
    kept: usize,
    kept_bytes: usize,
    longest_text: usize,
    /// Sum over the slots.
    weight: usize,
    /// Whose messages are our own.
    pub own: Side,
    /// The last place that fell out of the bound: nothing is put before it any more.
    floor: Option<Place>,
    /// The latest server time that came in live.
    last_live: Option<Wall>,
    /// What the server had said by then was said before the guest cleared.
    cleared_to: Option<Wall>,
    /// Records of the last word of the guest and of everybody else, which ends their typing.
    spoke: [u64; 2],
    /// Keeps what falls out, for the transcript.
    pub cut: Option<Cut>,
}

impl Default for Thread {
    fn default() -> Self {
        Self::keeping(KEPT, KEPT_BYTES, LONGEST_TEXT)
    }
}

impl Thread {
    pub fn keeping(kept: usize, kept_bytes: usize, longest_text: usize) -> Self {
        Self {
            places: Vec::new(),
            slots: HashMap::new(),
            names: HashMap::new(),
            gone: Known::new(NAMES_KEPT),
            next: 0,
            kept,
            kept_bytes,
            longest_text,
            weight: 0,
            own: Side::Guest,
            floor: None,
            last_live: None,
            cleared_to: None,
            spoke: [0; 2],
            cut: None,
        }
    }

    /// Takes one telling of a message. Gives the latency in microseconds where this completed an own message.
    pub fn said(&mut self, conv: &mut Conversation, told: Told, mut message: Message) -> Option<(u64, u64)> {
        let source = message.source;
        weight::cut(&mut message, self.longest_text);
        message.also.retain(|k| !k.is_empty() && *k != message.key);
        message.also.sort();
        message.also.dedup();
        let mut keys: Vec<Name> = message.also.iter().map(|k| Name::key(k)).collect();
        if !message.key.is_empty() {
            keys.push(Name::key(&message.key));
        }
        if source == Source::Live {
            self.stop_typing(conv, message.side, told.seq);
        }
        let files: Vec<Name> = message
            .parts
            .iter()
            .filter_map(|p| match p {
                Part::Attachment(a) if !a.id.is_empty() => Some(Name::attachment(&a.id)),
                _ => None,
            })
            .collect();
        let telling = Telling {
            keys,
            tracing: message.tracing.as_deref().filter(|t| !t.is_empty()).map(Name::tracing),
            at: message.at,
            source,
            own: message.side == self.own,
            what: Some(What::Message(message)),
        };
        let (id, latency) = self.tell(conv, told, telling);
        if let Some(id) = id {
            for file in files {
                self.take_upload(conv, id, file);
            }
        }
        self.shorten(conv);
        latency
    }

    /// The server calls a message of ours by this key. It may have told it under that one before.
    pub fn named(&mut self, conv: &mut Conversation, told: Told, tracing: &str, key: &str) {
        let key = Name::key(key);
        let Some(id) = self.names.get(&Name::tracing(tracing)).copied() else { return };
        match self.names.get(&key).copied() {
            Some(other) if other != id => self.join(conv, id, other),
            Some(_) => {}
            None => {
                self.names.insert(key, id);
                if let Some(slot) = self.slots.get_mut(&id) {
                    slot.names.push(key);
                }
            }
        }
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.keyed = true;
        }
        if let Some(entry) = self.position(id).and_then(|at| conv.entries.get_mut(at)) {
            Arc::make_mut(entry).add_record(told.seq);
        }
        self.settle(conv, id);
    }

    pub fn presence(
        &mut self,
        conv: &mut Conversation,
        told: Told,
        (side, what): (Side, Presence),
        (key, at, tracing): (Option<String>, Option<Wall>, Option<String>),
    ) {
        let source = told.source.unwrap_or(Source::Live);
        if let (Presence::Disconnected { read_only: Some(read_only) }, Source::Live) = (&what, source) {
            conv.read_only = *read_only;
        }
        if source == Source::Live {
            self.stop_typing(conv, side, told.seq);
        }
        // One frame may tell several events under its one key.
        let kind = format!("{} {}", side.word(), word(&what));
        let mut keys: Vec<Name> = key.iter().filter(|k| !k.is_empty()).map(|k| Name::event(k, &kind)).collect();
        keys.extend(at.map(|at| Name::moment(&kind, at.0)));
        let tracing = tracing.as_deref().filter(|t| !t.is_empty()).map(Name::tracing);
        let own = side == self.own;
        self.tell(conv, told, Telling { keys, tracing, at, source, own, what: Some(What::Presence(side, what)) });
        self.shorten(conv);
    }

    pub fn attachment(&mut self, conv: &mut Conversation, told: Told, id: String, mut state: AttachmentState) {
        let name = Name::attachment(&id);
        if let AttachmentState::Failed { text, .. } = &mut state {
            weight::cut_text(text, LONGEST_REASON);
        }
        if id.is_empty() {
            // An error that names no file.
            if let AttachmentState::Failed { code, text } = state {
                self.line(conv, told, What::State(format!("upload failed with {code}: {text}")));
            }
            return;
        }
        if let Some(owner) = self.names.get(&name).copied() {
            return self.upload_news(conv, told, owner, state);
        }
        let (file, size) = match &state {
            AttachmentState::Asked { name, size } => (name.clone(), *size),
            _ => (String::new(), 0),
        };
        let what = Some(What::Upload { id, name: file, size, state });
        let telling = Telling { keys: vec![name], tracing: None, at: None, source: Source::Live, own: false, what };
        self.tell(conv, told, telling);
        self.shorten(conv);
    }

    /// News of a file that an entry is about: its own, or the message's that refers to it.
    fn upload_news(&mut self, conv: &mut Conversation, told: Told, owner: u64, state: AttachmentState) {
        let Some(at) = self.position(owner) else { return };
        let (Some(slot), Some(entry)) = (self.slots.get_mut(&owner), conv.entries.get_mut(at)) else { return };
        let entry = Arc::make_mut(entry);
        entry.add_record(told.seq);
        if let What::Upload { name, size, state: now, .. } = &mut entry.what {
            if let AttachmentState::Asked { name: asked, size: bytes } = &state {
                name.clone_from(asked);
                *size = *bytes;
            }
            if follows(now, &state) {
                *now = state;
            }
        }
        weigh(&mut self.weight, slot, entry);
    }

    /// A line between the bubbles, at the moment of its record.
    pub fn line(&mut self, conv: &mut Conversation, told: Told, mut what: What) {
        if let What::State(text) | What::Note(text) = &mut what {
            weight::cut_text(text, self.longest_text);
        }
        let what = Some(what);
        let telling = Telling { keys: Vec::new(), tracing: None, at: None, source: Source::Live, own: false, what };
        self.tell(conv, told, telling);
        self.shorten(conv);
    }

    /// What became of a message. False where no entry has this tracing id: it is of another
    /// request, or its frame never left.
    pub fn deliver(&mut self, conv: &mut Conversation, told: Told, tracing: &str, mut delivery: Delivery) -> bool {
        if let Delivery::Refused { text: why, .. }
        | Delivery::Retrying { why, .. }
        | Delivery::NotSent { why }
        | Delivery::Unconfirmed { why } = &mut delivery
        {
            weight::cut_text(why, LONGEST_REASON);
        }
        let name = Name::tracing(tracing);
        let Some(id) = self.names.get(&name).copied() else { return false };
        let by_text = delivery == Delivery::Delivered && self.slots.get(&id).is_some_and(|s| s.rank == 0);
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.delivery = Some(delivery);
            slot.followed = true;
        }
        if let Some(other) = by_text.then(|| self.same_in_history(conv, id)).flatten() {
            self.join(conv, id, other);
        }
        if let Some(entry) = self.position(id).and_then(|at| conv.entries.get_mut(at)) {
            Arc::make_mut(entry).add_record(told.seq);
        }
        self.settle(conv, id);
        true
    }

    /// The session is over: what was sent by hand, whose fate nobody follows, gets no echo any more.
    pub fn ended(&mut self, conv: &mut Conversation) {
        let waiting: Vec<u64> = self.places.iter().rev().take_while(|p| p.in_flight).map(|p| p.id).collect();
        for id in waiting {
            if let Some(slot) = self.slots.get_mut(&id).filter(|s| !s.followed) {
                slot.delivery = Some(Delivery::Unconfirmed { why: "the session ended before an echo came".into() });
                self.settle(conv, id);
            }
        }
    }

    /// A delivery without an echo was recognised in history, which does not tell our tracing id: the newest message of
    /// the guest that only history told, with the same text, and not from before it was sent.
    fn same_in_history(&self, conv: &Conversation, id: u64) -> Option<u64> {
        let text = |at: usize| match &conv.entries.get(at)?.what {
            What::Message(m) if m.side == self.own => m.text.as_deref(),
            _ => None,
        };
        let (own, sent_at) = (text(self.position(id)?)?, self.slots.get(&id)?.local_at);
        let same = |at: usize, slot: &Slot| {
            let told_by_history_only = slot.rank == rank(Source::History) && slot.sent.is_none();
            let after = slot.server_at.is_none_or(|(at, _)| sent_at.micros_since(at) < LATE_MICROS);
            told_by_history_only && after && text(at) == Some(own)
        };
        let of = |at: usize| self.places.get(at).and_then(|p| Some((at, p.id, self.slots.get(&p.id)?)));
        (0..self.places.len()).rev().filter_map(of).find(|(at, _, slot)| same(*at, slot)).map(|(_, id, _)| id)
    }

    /// All that was said so far was said before the guest cleared, and so was what the server told of that time.
    pub fn cleared(&mut self, conv: &mut Conversation) {
        self.cleared_to = self.last_live;
        for entry in &mut conv.entries {
            if !entry.cleared && can_be_cleared(&entry.what) {
                Arc::make_mut(entry).cleared = true;
            }
        }
    }

    pub fn typing(&mut self, conv: &mut Conversation, told: Told, side: Side, millis: u64) {
        // A message ends the typing of its party, also where the typing record is read after it.
        if told.seq > self.spoke[party(side)] {
            let until = Mono(told.now.mono.0.saturating_add(millis.saturating_mul(1_000)));
            conv.typing = Some((side, until));
        }
    }

    fn stop_typing(&mut self, conv: &mut Conversation, side: Side, seq: u64) {
        let last = &mut self.spoke[party(side)];
        *last = (*last).max(seq);
        if conv.typing.is_some_and(|(who, _)| party(who) == party(side)) {
            conv.typing = None;
        }
    }

    /// Joins a telling to what is known, or makes a new entry. None where it is known and fell out of the bound.
    fn tell(&mut self, conv: &mut Conversation, told: Told, mut telling: Telling) -> (Option<u64>, Option<(u64, u64)>) {
        let live = telling.source == Source::Live && !matches!(telling.what, Some(What::State(_) | What::Note(_)));
        if let Some(at) = telling.at.filter(|at| live && at.micros_since(told.server) < BELIEVABLE_MICROS) {
            self.last_live = self.last_live.max(Some(at));
        }
        let mut found = self.find(&telling);
        found.sort_by_key(|id| self.slots.get(id).map(|s| s.arrival));
        let id = match found.first() {
            Some(&id) => id,
            None if self.is_gone(&telling) => return (None, None),
            None => self.enter(conv, told, &mut telling),
        };
        for other in found.into_iter().skip(1) {
            self.join(conv, id, other);
        }
        self.absorb(conv, told, id, telling);
        (Some(id), self.settle(conv, id))
    }

    fn find(&self, telling: &Telling) -> Vec<u64> {
        let mut found: Vec<u64> = telling.keys.iter().filter_map(|k| self.names.get(k).copied()).collect();
        if let Some(id) = telling.tracing.and_then(|t| self.names.get(&t).copied()) {
            let two = !telling.keys.is_empty() && self.slots.get(&id).is_some_and(|s| s.keyed);
            if !two {
                found.push(id);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn is_gone(&self, telling: &Telling) -> bool {
        let by_key = telling.keys.iter().any(|k| self.gone.contains(*k));
        by_key || (telling.keys.is_empty() && telling.tracing.is_some_and(|t| self.gone.contains(t)))
    }

    fn enter(&mut self, conv: &mut Conversation, told: Told, telling: &mut Telling) -> u64 {
        let id = self.next;
        self.next += 1;
        let local_at = self.last_live.map_or(told.server, |live| live.max(told.server));
        let arrival = (told.seq, told.n);
        let place = Place { in_flight: false, micros: local_at.0, arrival, id };
        let slot = Slot {
            place,
            names: Vec::new(),
            keyed: false,
            rank: rank(telling.source),
            server_at: None,
            local_at,
            arrival,
            sent: None,
            echoed: None,
            delivery: None,
            followed: false,
            own: telling.own,
            measured: false,
            weight: 0,
        };
        let entry = Entry {
            what: telling.what.take().unwrap_or_else(|| What::State(String::new())),
            state: EntryState::Received,
            at: local_at,
            records: vec![told.seq],
            cleared: false,
        };
        self.slots.insert(id, slot);
        self.put(conv, place, Arc::new(entry));
        id
    }

    /// Takes what a telling adds into an entry.
    fn absorb(&mut self, conv: &mut Conversation, told: Told, id: u64, telling: Telling) {
        let Some(at) = self.position(id) else { return };
        let (Some(slot), Some(entry)) = (self.slots.get_mut(&id), conv.entries.get_mut(at)) else { return };
        let entry = Arc::make_mut(entry);
        entry.add_record(told.seq);
        let rank = rank(telling.source);
        slot.own |= telling.own;
        if let Some(at) = telling.at
            && slot.server_at.is_none_or(|(_, known)| rank > known)
        {
            slot.server_at = Some((at, rank));
        }
        match telling.source {
            Source::Outgoing => {
                // The same frame sent again after its echo has no part in how long that took.
                if slot.echoed.is_none_or(|(_, echoed)| told.now.mono <= echoed) {
                    slot.sent = slot.sent.max(Some(told.now.mono));
                }
                slot.delivery = Some(Delivery::Sent);
            }
            Source::Live if slot.echoed.is_none() => slot.echoed = Some((told.seq, told.now.mono)),
            Source::Live | Source::History => {}
        }
        slot.rank = slot.rank.max(rank);
        slot.keyed |= !telling.keys.is_empty();
        for name in telling.keys.into_iter().chain(telling.tracing) {
            // A name keeps its first owner: a tracing id used twice stays with the first message.
            self.names.entry(name).or_insert_with(|| {
                slot.names.push(name);
                id
            });
        }
        if let Some(new) = telling.what {
            join_content(&mut entry.what, new);
        }
        weigh(&mut self.weight, slot, entry);
    }

    /// Makes one entry of two that turned out to be the same.
    fn join(&mut self, conv: &mut Conversation, id: u64, other: u64) {
        let Some((gone, slot)) = self.take(conv, other) else { return };
        for name in &slot.names {
            self.names.insert(*name, id);
        }
        let Some(at) = self.position(id) else { return };
        let (Some(kept), Some(entry)) = (self.slots.get_mut(&id), conv.entries.get_mut(at)) else { return };
        kept.keyed |= slot.keyed;
        kept.rank = kept.rank.max(slot.rank);
        kept.own |= slot.own;
        kept.arrival = kept.arrival.min(slot.arrival);
        kept.local_at = kept.local_at.min(slot.local_at);
        kept.sent = kept.sent.max(slot.sent);
        kept.echoed = kept.echoed.into_iter().chain(slot.echoed).min();
        kept.measured |= slot.measured;
        kept.delivery = kept.delivery.take().or(slot.delivery);
        kept.followed |= slot.followed;
        if let Some((at, rank)) = slot.server_at
            && kept.server_at.is_none_or(|(_, known)| rank > known)
        {
            kept.server_at = Some((at, rank));
        }
        kept.names.extend(slot.names);
        let entry = Arc::make_mut(entry);
        let gone = Arc::unwrap_or_clone(gone);
        gone.records.iter().for_each(|seq| entry.add_record(*seq));
        entry.cleared |= gone.cleared;
        join_content(&mut entry.what, gone.what);
        weigh(&mut self.weight, kept, entry);
    }

    /// The message `id` refers to this file: an entry of its upload has had its day.
    fn take_upload(&mut self, conv: &mut Conversation, id: u64, file: Name) {
        match self.names.get(&file).copied() {
            Some(owner) if owner == id => return,
            Some(owner) => {
                let is_upload = self
                    .position(owner)
                    .and_then(|at| conv.entries.get(at))
                    .is_some_and(|e| matches!(e.what, What::Upload { .. }));
                if !is_upload {
                    return;
                }
                if let (Some((upload, _)), Some(at)) = (self.take(conv, owner), self.position(id))
                    && let Some(entry) = conv.entries.get_mut(at)
                {
                    let entry = Arc::make_mut(entry);
                    upload.records.iter().for_each(|seq| entry.add_record(*seq));
                }
            }
            None => {}
        }
        self.names.insert(file, id);
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.names.push(file);
        }
        self.settle(conv, id);
    }

    /// Brings state and place of an entry in line with what is known. Gives a latency that was measured now.
    fn settle(&mut self, conv: &mut Conversation, id: u64) -> Option<(u64, u64)> {
        let at = self.position(id)?;
        let slot = self.slots.get_mut(&id)?;
        let shown = conv.entries.get(at)?;
        let latency = match (slot.sent, slot.echoed) {
            (Some(sent), Some((seq, echoed))) if slot.own && sent <= echoed => {
                Some((seq, echoed.since(sent).as_micros() as u64))
            }
            _ => None,
        };
        let state = if !slot.own {
            EntryState::Received
        } else if slot.rank > 0 {
            EntryState::Own(Delivery::Delivered, latency.map(|(_, micros)| micros))
        } else {
            EntryState::Own(slot.delivery.clone().unwrap_or(Delivery::Sent), None)
        };
        let in_flight =
            slot.server_at.is_none() && matches!(state, EntryState::Own(Delivery::Sent | Delivery::Retrying { .. }, _));
        let when = slot.server_at.map_or(slot.local_at, |(at, _)| at);
        let cleared = shown.cleared
            || (can_be_cleared(&shown.what)
                && slot.server_at.is_some_and(|(at, _)| self.cleared_to.is_some_and(|to| at <= to)));
        if shown.state != state || shown.at != when || shown.cleared != cleared {
            let entry = Arc::make_mut(&mut conv.entries[at]);
            entry.state = state;
            entry.at = when;
            entry.cleared = cleared;
        }
        let place = Place { in_flight, micros: when.0, arrival: slot.arrival, id };
        let fresh = latency.filter(|_| !slot.measured);
        slot.measured |= fresh.is_some();
        if place != slot.place {
            slot.place = place;
            self.places.remove(at);
            let entry = conv.entries.remove(at);
            self.put(conv, place, entry);
        }
        fresh
    }
}

/// Takes what an entry weighs now into the sum.
fn weigh(sum: &mut usize, slot: &mut Slot, entry: &Entry) {
    let weight = weight::of(&entry.what);
    *sum = *sum + weight - std::mem::replace(&mut slot.weight, weight);
}

/// A typing event does not tell whether an agent or a bot types, so that the guest faces one party.
fn party(side: Side) -> usize {
    usize::from(side != Side::Guest)
}

#[cfg(test)]
mod tests;
