//! Conversations as an agent's side sees them: one shape, whichever of the vendor's two they came in.

use serde::{Deserialize, Serialize};

use super::happening::Attachment;
use super::time::Wall;

/// One telling of a conversation. Tellings are states, not changes: they repeat, come late and out of order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub conversation: String,
    pub shape: Shape,
    /// Asked for, and so at least as new as the question. One that was pushed may be older than anything known.
    pub asked: bool,
    pub participants: Vec<Participant>,
}

/// The vendor has two shapes of a conversation; each knows something that the other lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// `/conversations/messages/{id}` and its topics: no communication ids.
    #[default]
    Media,
    /// `/conversations/{id}` and its topic: communications with their ids.
    Generic,
}

/// A party of a conversation. Whoever is routed to again is a new one, with another id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Participant {
    pub id: String,
    pub purpose: Purpose,
    pub name: Option<String>,
    pub state: Stage,
    pub user: Option<String>,
    pub queue: Option<String>,
    /// Only the generic shape tells it.
    pub communication: Option<String>,
    /// Only while it alerts.
    pub alerting_timeout_ms: Option<u64>,
    pub started: Option<Wall>,
    pub connected: Option<Wall>,
    pub ended: Option<Wall>,
    pub disconnect_type: Option<String>,
    pub held: Option<bool>,
    pub wrapup_required: Option<bool>,
    /// `mandatory`, `optional`, `timeout` …: how much it is required.
    pub wrapup_prompt: Option<String>,
    pub wrapup_timeout_ms: Option<u64>,
    pub wrapup_skipped: Option<bool>,
    /// After-call work began.
    pub acw_started: Option<Wall>,
    /// Code of the wrap-up that was made.
    pub wrapup: Option<String>,
    pub attributes: Vec<(String, String)>,
    pub authenticated: Option<bool>,
    pub messages: Vec<MessageRef>,
}

/// What a participant is for. The vendor's word where it is another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    Customer,
    /// `agent` or `user`.
    Agent,
    /// `acd`: the queue.
    Queue,
    /// `workflow`, `ivr` or `botflow`.
    Flow,
    Other(String),
    #[default]
    Unknown,
}

impl Purpose {
    pub fn of(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "customer" | "external" => Self::Customer,
            "agent" | "user" => Self::Agent,
            "acd" => Self::Queue,
            "workflow" | "ivr" | "botflow" | "bot" => Self::Flow,
            "" => Self::Unknown,
            _ => Self::Other(word.to_owned()),
        }
    }

    pub fn word(&self) -> &str {
        match self {
            Self::Customer => "customer",
            Self::Agent => "agent",
            Self::Queue => "queue",
            Self::Flow => "flow",
            Self::Other(word) => word,
            Self::Unknown => "participant",
        }
    }
}

/// How far a participant is. Ordered: nobody goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Not told, or a word that is not known.
    #[default]
    Unknown,
    /// `dialing`, `contacting`, `offering`, `scheduled`, `converting`.
    Coming,
    Alerting,
    Connected,
    /// Of the generic shape; the media shape says `connected`. Goes back to it.
    Parked,
    /// `disconnected` or `terminated`.
    Ended,
}

impl Stage {
    pub fn of(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "alerting" => Self::Alerting,
            "connected" | "uploading" | "transmitting" => Self::Connected,
            "parked" => Self::Parked,
            "disconnected" | "terminated" => Self::Ended,
            "dialing" | "contacting" | "offering" | "scheduled" | "converting" => Self::Coming,
            _ => Self::Unknown,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Coming => "coming",
            Self::Alerting => "alerting",
            Self::Connected => "connected",
            Self::Parked => "parked",
            Self::Ended => "disconnected",
        }
    }
}

/// A message in a telling: its text must be fetched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MessageRef {
    pub id: String,
    pub at: Option<Wall>,
    pub status: Status,
    /// `Text`, `Structured`, `Event` …, where told.
    pub kind: Option<String>,
    pub files: Vec<Attachment>,
    /// Why it failed, where it did.
    pub error: Option<String>,
}

impl MessageRef {
    /// An event has no text to fetch.
    pub fn has_text(&self) -> bool {
        !self.id.is_empty() && !matches!(self.kind.as_deref(), Some("Event" | "Receipt"))
    }
}

/// What became of a message on its way. Ordered: no later telling takes one back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    #[default]
    Unknown,
    Queued,
    Sent,
    /// Of a guest's message: it came in.
    Received,
    Published,
    Delivered,
    Read,
    Failed,
    Removed,
}

impl Status {
    pub fn of(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "queued" => Self::Queued,
            "sent" => Self::Sent,
            "received" => Self::Received,
            "published" => Self::Published,
            "delivery-success" | "delivered" => Self::Delivered,
            "read" => Self::Read,
            "failed" | "delivery-failed" => Self::Failed,
            "removed" => Self::Removed,
            _ => Self::Unknown,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Published => "published",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Removed => "removed",
        }
    }
}

/// A conversation, from all that was told of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interaction {
    pub id: String,
    /// In the order in which they were first told.
    pub participants: Vec<Participant>,
}

/// Participants and messages that are remembered of one conversation: a hostile server must not pile up more.
pub const MOST_PARTICIPANTS: usize = 100;
pub const MOST_MESSAGES: usize = 10_000;

impl Interaction {
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), participants: Vec::new() }
    }

    /// Takes in a telling. What is older than what is known changes nothing: stages and statuses only go on, and what
    /// one shape does not tell stays. The ids of messages that were not known before.
    pub fn take(&mut self, told: &Snapshot) -> Vec<String> {
        let mut fresh = Vec::new();
        for p in told.participants.iter().filter(|p| !p.id.is_empty()) {
            let room = self.participants.len() < MOST_PARTICIPANTS;
            match self.participants.iter_mut().find(|known| known.id == p.id) {
                Some(known) => known.take(p, (told.shape, told.asked), &mut fresh),
                None if room => {
                    fresh.extend(p.messages.iter().map(|m| m.id.clone()));
                    self.participants.push(p.clone());
                }
                None => {}
            }
        }
        fresh
    }

    pub fn participant(&self, id: &str) -> Option<&Participant> {
        self.participants.iter().find(|p| p.id == id)
    }

    pub fn customer(&self) -> Option<&Participant> {
        customer(&self.participants)
    }

    /// See [`of_user`].
    pub fn of_user(&self, user: &str) -> Option<&Participant> {
        of_user(&self.participants, user)
    }

    /// Somebody else among the agents who is with the guest now.
    pub fn other_agent(&self, user: &str) -> Option<&Participant> {
        self.participants.iter().rfind(|p| {
            p.purpose == Purpose::Agent
                && p.user.as_deref() != Some(user)
                && matches!(p.state, Stage::Connected | Stage::Parked)
        })
    }

    /// The guest is gone, or everybody is.
    pub fn is_over(&self) -> bool {
        !self.participants.is_empty()
            && (self.customer().is_some_and(|c| c.state == Stage::Ended)
                || self.participants.iter().all(|p| p.state == Stage::Ended))
    }
}

/// The guest: whoever came back after an end is a new participant.
pub fn customer(people: &[Participant]) -> Option<&Participant> {
    people.iter().rfind(|p| p.purpose == Purpose::Customer)
}

/// The part that this user plays: the one that is active, not the first. After a new routing there are several.
pub fn of_user<'a>(people: &'a [Participant], user: &str) -> Option<&'a Participant> {
    let mine = || people.iter().filter(|p| p.purpose == Purpose::Agent && p.user.as_deref() == Some(user));
    mine().rfind(|p| p.stage_is_live()).or_else(|| mine().next_back())
}

impl Participant {
    pub fn stage_is_live(&self) -> bool {
        matches!(self.state, Stage::Coming | Stage::Alerting | Stage::Connected | Stage::Parked)
    }

    /// It ended, and a wrap-up can still be made of it.
    pub fn can_wrap_up(&self) -> bool {
        self.state == Stage::Ended
            && self.connected.is_some()
            && self.wrapup.is_none()
            && self.wrapup_skipped != Some(true)
    }

    /// It ended, owes a wrap-up and has none.
    pub fn owes_wrapup(&self) -> bool {
        self.can_wrap_up() && self.wrapup_required == Some(true)
    }

    /// A copy of it without what it said: that may be thousands of messages, and is not even cloned.
    pub fn without_messages(&self) -> Self {
        Self {
            id: self.id.clone(),
            purpose: self.purpose.clone(),
            name: self.name.clone(),
            user: self.user.clone(),
            queue: self.queue.clone(),
            communication: self.communication.clone(),
            disconnect_type: self.disconnect_type.clone(),
            wrapup_prompt: self.wrapup_prompt.clone(),
            wrapup: self.wrapup.clone(),
            attributes: self.attributes.clone(),
            messages: Vec::new(),
            state: self.state,
            alerting_timeout_ms: self.alerting_timeout_ms,
            started: self.started,
            connected: self.connected,
            ended: self.ended,
            held: self.held,
            wrapup_required: self.wrapup_required,
            wrapup_timeout_ms: self.wrapup_timeout_ms,
            wrapup_skipped: self.wrapup_skipped,
            acw_started: self.acw_started,
            authenticated: self.authenticated,
        }
    }

    fn take(&mut self, told: &Self, (shape, asked): (Shape, bool), fresh: &mut Vec<String>) {
        let late = told.state < self.state && !(self.state == Stage::Parked && told.state == Stage::Connected);
        // The media shape says “connected” of what is parked; a pushed telling of the other may be old.
        let unparks = self.state == Stage::Parked && told.state == Stage::Connected;
        let decides = asked && shape == Shape::Generic;
        if told.state > self.state || (!late && (!unparks || decides) && asked) {
            self.state = told.state;
        }
        if self.purpose == Purpose::Unknown {
            self.purpose = told.purpose.clone();
        }
        // Of a telling that is late, only what was not known is of use.
        set(&mut self.name, &told.name, late);
        set(&mut self.user, &told.user, late);
        set(&mut self.queue, &told.queue, late);
        set(&mut self.communication, &told.communication, late);
        set(&mut self.alerting_timeout_ms, &told.alerting_timeout_ms, late);
        set(&mut self.started, &told.started, late);
        set(&mut self.connected, &told.connected, late);
        set(&mut self.ended, &told.ended, late);
        set(&mut self.disconnect_type, &told.disconnect_type, late);
        set(&mut self.held, &told.held, late);
        set(&mut self.wrapup_required, &told.wrapup_required, late);
        set(&mut self.wrapup_prompt, &told.wrapup_prompt, late);
        set(&mut self.wrapup_timeout_ms, &told.wrapup_timeout_ms, late);
        set(&mut self.wrapup_skipped, &told.wrapup_skipped, late);
        set(&mut self.acw_started, &told.acw_started, late);
        set(&mut self.wrapup, &told.wrapup, late);
        set(&mut self.authenticated, &told.authenticated, late);
        for (key, value) in &told.attributes {
            match self.attributes.iter_mut().find(|(k, _)| k == key) {
                Some(known) if !late => known.1.clone_from(value),
                Some(_) => {}
                None => self.attributes.push((key.clone(), value.clone())),
            }
        }
        for m in told.messages.iter().filter(|m| !m.id.is_empty()) {
            // The newest are told most often.
            let room = self.messages.len() < MOST_MESSAGES;
            match self.messages.iter_mut().rev().find(|known| known.id == m.id) {
                Some(known) => known.take(m),
                None if room => {
                    fresh.push(m.id.clone());
                    self.messages.push(m.clone());
                }
                None => {}
            }
        }
    }
}

impl MessageRef {
    fn take(&mut self, told: &Self) {
        self.status = self.status.max(told.status);
        set(&mut self.at, &told.at, true);
        set(&mut self.kind, &told.kind, true);
        set(&mut self.error, &told.error, true);
        if self.files.len() < told.files.len() {
            self.files.clone_from(&told.files);
        }
    }
}

fn set<T: Clone>(known: &mut Option<T>, told: &Option<T>, only_new: bool) {
    if told.is_some() && (known.is_none() || !only_new) {
        known.clone_from(told);
    }
}

/// What is told of the user that is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserNews {
    Me {
        id: String,
        name: String,
        email: String,
    },
    /// `Available`, `On Queue`, `Away` …: id of its definition and the vendor's word.
    Presence {
        id: String,
        word: String,
    },
    /// `OFF_QUEUE`, `IDLE`, `INTERACTING`, `NOT_RESPONDING`, `COMMUNICATING`.
    Routing {
        word: String,
    },
    /// What one can choose to be: id, system presence, label.
    Presences(Vec<Named>),
    /// Queues of the user.
    Queues(Vec<QueueOf>),
    /// Wrap-up codes that this conversation takes.
    WrapupCodes {
        conversation: String,
        codes: Vec<Named>,
    },
    /// Ready-made answers: id, name, text.
    CannedReplies(Vec<CannedReply>),
    /// Users that were looked for.
    Found(Vec<Colleague>),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub id: String,
    pub name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueOf {
    pub id: String,
    pub name: String,
    pub joined: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CannedReply {
    pub id: String,
    pub name: String,
    pub text: String,
}

/// Somebody whom a conversation can be handed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Colleague {
    pub id: String,
    pub name: String,
    pub email: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(id: &str, state: Stage) -> Participant {
        Participant { id: id.into(), purpose: Purpose::Agent, user: Some("u".into()), state, ..Participant::default() }
    }

    fn told(participants: Vec<Participant>) -> Snapshot {
        Snapshot { conversation: "c".into(), participants, ..Snapshot::default() }
    }

    #[test]
    fn a_late_telling_takes_nothing_back() {
        let mut c = Interaction::new("c");
        let mut alerting = part("a", Stage::Alerting);
        alerting.alerting_timeout_ms = Some(30_000);
        c.take(&told(vec![alerting.clone()]));
        let mut connected = part("a", Stage::Connected);
        connected.held = Some(true);
        connected.communication = Some("comm".into());
        c.take(&told(vec![connected]));
        alerting.held = Some(false);
        c.take(&told(vec![alerting]));
        let p = c.participant("a").unwrap();
        assert_eq!((p.state, p.held, p.communication.as_deref()), (Stage::Connected, Some(true), Some("comm")));
    }

    #[test]
    fn after_a_new_routing_the_active_part_counts() {
        let mut c = Interaction::new("c");
        c.take(&told(vec![part("a1", Stage::Ended), part("a2", Stage::Alerting)]));
        assert_eq!(c.of_user("u").map(|p| p.id.as_str()), Some("a2"));
        c.take(&told(vec![part("a2", Stage::Ended)]));
        assert_eq!(c.of_user("u").map(|p| p.id.as_str()), Some("a2"), "the last where none is active");
        assert!(c.of_user("other").is_none());
    }

    #[test]
    fn what_was_asked_for_may_unpark_but_not_revive() {
        let mut c = Interaction::new("c");
        c.take(&told(vec![part("a", Stage::Parked)]));
        c.take(&told(vec![part("a", Stage::Connected)]));
        assert_eq!(c.participants[0].state, Stage::Parked, "a pushed one may be old");
        c.take(&Snapshot { asked: true, ..told(vec![part("a", Stage::Connected)]) });
        assert_eq!(c.participants[0].state, Stage::Parked, "the media shape says so of what is parked, too");
        let generic = |p| Snapshot { asked: true, shape: Shape::Generic, ..told(vec![p]) };
        c.take(&generic(part("a", Stage::Connected)));
        assert_eq!(c.participants[0].state, Stage::Connected);
        c.take(&told(vec![part("a", Stage::Ended)]));
        c.take(&Snapshot { asked: true, ..told(vec![part("a", Stage::Connected)]) });
        assert_eq!(c.participants[0].state, Stage::Ended);
    }

    fn anything() -> impl Strategy<Value = Snapshot> {
        let message = (0u8..4, 0u8..9).prop_map(|(id, status)| MessageRef {
            id: format!("m{id}"),
            status: [
                Status::Unknown,
                Status::Queued,
                Status::Sent,
                Status::Received,
                Status::Published,
                Status::Delivered,
                Status::Read,
                Status::Failed,
                Status::Removed,
            ][usize::from(status)],
            ..MessageRef::default()
        });
        let stage = prop::sample::select(vec![Stage::Alerting, Stage::Connected, Stage::Ended]);
        let participant = (0u8..3, stage, prop::collection::vec(message, 0..4))
            .prop_map(|(id, state, messages)| Participant { messages, ..part(&format!("p{id}"), state) });
        prop::collection::vec(participant, 0..3).prop_map(told)
    }

    proptest! {
        #[test]
        fn the_order_and_the_number_of_tellings_do_not_matter(
            all in prop::collection::vec(anything(), 1..8), seed in any::<u64>(),
        ) {
            let fold = |list: &[Snapshot]| {
                let mut c = Interaction::new("c");
                let mut fresh: Vec<String> = list.iter().flat_map(|s| c.take(s)).collect();
                fresh.sort();
                let mut state: Vec<_> = c.participants.iter().map(|p| {
                    let mut messages: Vec<_> = p.messages.iter().map(|m| (m.id.clone(), m.status)).collect();
                    messages.sort();
                    messages.dedup_by(|a, b| a.0 == b.0);
                    (p.id.clone(), p.state, messages.len())
                }).collect();
                state.sort();
                (state, fresh.into_iter().collect::<std::collections::BTreeSet<_>>())
            };
            let mut other = all.clone();
            other.extend(all.iter().cloned());
            let n = other.len();
            other.rotate_left((seed % n as u64) as usize);
            other.reverse();
            prop_assert_eq!(fold(&all), fold(&other));
        }
    }
}
