//! What is known of a conversation: its parties, what they said, how far each of them is.
//!
//! A guest who comes back after an end, or is routed to somebody else, makes new participants; none is used again.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::Value;

use super::super::frame::{Entity, Structured, Way};
use super::super::ids;
use super::super::limits::Window;
use super::queues::WrapupPrompt;
use crate::model::{Mono, Secret};

/// Messages remembered of one participant; the oldest goes.
const MESSAGES: usize = 10_000;

pub(super) struct Conversation {
    pub(super) id: String,
    /// The guest's session, as long as it is known.
    pub(super) session: Option<u32>,
    /// The guest's identity: who comes back with it comes back to this conversation.
    pub(super) token: Secret<String>,
    pub(super) started: String,
    pub(super) ended: Option<String>,
    pub(super) ended_mono: Option<Mono>,
    /// The guest had it forgotten: nobody comes back to it.
    pub(super) cleared: bool,
    /// The queue that it was last led to.
    pub(super) queue: usize,
    /// In the order in which they came.
    pub(super) participants: Vec<Participant>,
    /// Where a message is: its participant, and its number there.
    index: HashMap<String, (usize, usize)>,
    /// Typing of agents.
    pub(super) typing: Window,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Customer,
    /// The scripted partner.
    Workflow,
    /// The queue.
    Acd,
    Agent,
}

impl Purpose {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Workflow => "workflow",
            Self::Acd => "acd",
            Self::Agent => "agent",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Alerting,
    Connected,
    Disconnected,
}

pub(super) struct Participant {
    pub(super) id: String,
    /// Each has one communication, with an id of its own.
    pub(super) communication: String,
    pub(super) purpose: Purpose,
    pub(super) user: Option<u32>,
    pub(super) queue: Option<usize>,
    pub(super) stage: Stage,
    pub(super) parked: Option<String>,
    pub(super) held: Option<String>,
    pub(super) started: String,
    pub(super) connected: Option<String>,
    pub(super) ended: Option<String>,
    pub(super) disconnect_type: Option<&'static str>,
    pub(super) alerting_ms: u32,
    /// The alert is taken back then.
    pub(super) alert_by: Option<Mono>,
    pub(super) wrapup_prompt: WrapupPrompt,
    pub(super) wrapup: Option<Value>,
    pub(super) wrapup_skipped: bool,
    pub(super) acw_started: Option<String>,
    pub(super) acw_ended: Option<String>,
    pub(super) attributes: BTreeMap<String, String>,
    /// A guest who has signed in.
    pub(super) authenticated: bool,
    pub(super) messages: VecDeque<Message>,
    /// Number of the first of them.
    first: usize,
    /// Its end, or its wrap-up, is known to its user.
    pub(super) told: bool,
}

/// What was said, as agents read it.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) channel_message_id: Option<String>,
    pub(super) at: String,
    pub(super) inbound: bool,
    pub(super) kind: String,
    pub(super) text: Option<String>,
    pub(super) content: Vec<Value>,
    pub(super) events: Vec<Value>,
    pub(super) entity: &'static str,
    pub(super) status: &'static str,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) user: Option<u32>,
}

impl Message {
    /// What went over the guest's socket, or is about to.
    pub(super) fn of(said: &Structured, user: Option<u32>) -> Self {
        let inbound = said.direction == Way::Inbound;
        let channel = said.channel.as_ref();
        Self {
            id: said.id.clone(),
            channel_message_id: channel.and_then(|c| c.message_id.clone()),
            at: channel.and_then(|c| c.time.clone()).unwrap_or_default(),
            inbound,
            kind: said.kind.clone(),
            text: said.text.clone(),
            content: said.content.clone().unwrap_or_default(),
            events: said.events.clone().unwrap_or_default(),
            entity: match said.originating_entity {
                Some(Entity::Bot) => "Bot",
                _ => "Human",
            },
            status: if inbound { "received" } else { "sent" },
            metadata: said.metadata.clone().unwrap_or_default(),
            user,
        }
    }
}

impl Participant {
    pub(super) fn new(purpose: Purpose, stage: Stage, at: &str) -> Self {
        Self {
            id: ids::uuid(),
            communication: ids::uuid(),
            purpose,
            user: None,
            queue: None,
            stage,
            parked: None,
            held: None,
            started: at.to_owned(),
            connected: (stage == Stage::Connected).then(|| at.to_owned()),
            ended: None,
            disconnect_type: None,
            alerting_ms: 0,
            alert_by: None,
            wrapup_prompt: WrapupPrompt::Optional,
            wrapup: None,
            wrapup_skipped: false,
            acw_started: None,
            acw_ended: None,
            attributes: BTreeMap::new(),
            authenticated: false,
            messages: VecDeque::new(),
            first: 0,
            told: false,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.stage != Stage::Disconnected
    }

    pub(super) fn is_connected(&self) -> bool {
        self.stage == Stage::Connected
    }

    pub(super) fn is_agent(&self) -> bool {
        self.purpose == Purpose::Agent
    }

    pub(super) fn wrapup_required(&self) -> bool {
        self.is_agent() && self.wrapup_prompt == WrapupPrompt::Mandatory
    }

    /// It was in the conversation, and must still say what became of it.
    pub(super) fn owes_wrapup(&self) -> bool {
        !self.is_live() && self.connected.is_some() && self.wrapup_required() && self.wrapup.is_none()
    }

    /// Its user works on it, or must still wrap it up.
    pub(super) fn is_work(&self) -> bool {
        self.is_live() || self.owes_wrapup()
    }

    pub(super) fn end(&mut self, kind: &'static str, at: &str) {
        if !self.is_live() {
            return;
        }
        self.stage = Stage::Disconnected;
        self.ended = Some(at.to_owned());
        self.disconnect_type = Some(kind);
        self.alert_by = None;
        self.parked = None;
        self.held = None;
        if self.owes_wrapup() {
            self.acw_started = Some(at.to_owned());
        }
    }
}

impl Conversation {
    pub(super) fn new(session: u32, token: Secret<String>, queue: usize, at: &str) -> Self {
        Self {
            id: ids::uuid(),
            session: Some(session),
            token,
            started: at.to_owned(),
            ended: None,
            ended_mono: None,
            cleared: false,
            queue,
            participants: Vec::new(),
            index: HashMap::new(),
            typing: Window::default(),
        }
    }

    /// The place of the first participant that fits.
    pub(super) fn place(&self, fits: impl Fn(&Participant) -> bool) -> Option<usize> {
        self.participants.iter().position(fits)
    }

    /// The place of the party of this kind that is there now.
    pub(super) fn live(&self, purpose: Purpose) -> Option<usize> {
        self.participants.iter().rposition(|p| p.purpose == purpose && p.is_live())
    }

    /// The guest, as it is there now or was last.
    pub(super) fn customer(&self) -> Option<&Participant> {
        self.participants.iter().rfind(|p| p.purpose == Purpose::Customer)
    }

    /// Somebody has it: an agent is there, or is rung for.
    pub(super) fn has_agent(&self) -> bool {
        self.live(Purpose::Agent).is_some()
    }

    /// In a queue, and nobody is rung for.
    pub(super) fn waits(&self) -> bool {
        self.ended.is_none() && self.live(Purpose::Acd).is_some() && !self.has_agent()
    }

    /// Who had it last.
    pub(super) fn last_agent(&self) -> Option<u32> {
        self.participants.iter().rfind(|p| p.is_agent()).and_then(|p| p.user)
    }

    /// Adds what a participant said.
    pub(super) fn say(&mut self, place: usize, message: Message) {
        let Some(p) = self.participants.get_mut(place) else { return };
        if p.messages.len() >= MESSAGES
            && let Some(gone) = p.messages.pop_front()
        {
            p.first += 1;
            self.index.remove(&gone.id);
        }
        self.index.insert(message.id.clone(), (place, p.first + p.messages.len()));
        p.messages.push_back(message);
    }

    pub(super) fn message(&self, id: &str) -> Option<&Message> {
        let (place, number) = *self.index.get(id)?;
        let p = self.participants.get(place)?;
        p.messages.get(number.checked_sub(p.first)?)
    }

    pub(super) fn at_mut(&mut self, place: usize) -> Option<&mut Participant> {
        self.participants.get_mut(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: usize) -> Message {
        Message {
            id: format!("m{id}"),
            channel_message_id: None,
            at: String::new(),
            inbound: true,
            kind: "Text".into(),
            text: None,
            content: Vec::new(),
            events: Vec::new(),
            entity: "Human",
            status: "received",
            metadata: BTreeMap::new(),
            user: None,
        }
    }

    #[test]
    fn messages_are_found_by_their_id_also_after_the_oldest_went() {
        let mut c = Conversation::new(1, Secret::from("t"), 0, "now");
        c.participants.push(Participant::new(Purpose::Customer, Stage::Connected, "now"));
        for k in 0..MESSAGES + 3 {
            c.say(0, message(k));
        }
        assert!(c.message("m2").is_none());
        for k in [3, 4, MESSAGES, MESSAGES + 2] {
            assert_eq!(c.message(&format!("m{k}")).map(|m| m.id.clone()), Some(format!("m{k}")));
        }
        assert_eq!((c.participants[0].messages.len(), c.index.len()), (MESSAGES, MESSAGES));
    }

    #[test]
    fn an_end_is_an_end_and_only_who_was_there_owes_a_wrap_up() {
        let mut p = Participant::new(Purpose::Agent, Stage::Alerting, "a");
        p.wrapup_prompt = WrapupPrompt::Mandatory;
        p.end("timeout", "b");
        p.end("client", "c");
        assert_eq!((p.disconnect_type, p.ended.as_deref(), p.owes_wrapup()), (Some("timeout"), Some("b"), false));
        let mut p = Participant::new(Purpose::Agent, Stage::Connected, "a");
        p.wrapup_prompt = WrapupPrompt::Mandatory;
        p.end("client", "c");
        assert!(p.owes_wrapup() && p.acw_started.is_some());
    }
}
