//! What the guest is sent by the other side: messages, typing, the end of a conversation.

use serde_json::{Value, json};

use super::deployment::DisconnectMode;
use super::frame::{self, Channel, Entity, Structured, Way};
use super::ids;
use super::platform;
use super::state::State;
use crate::model::Now;

/// True for a message that only says that somebody types. No history keeps it.
pub(super) fn is_typing(message: &Structured) -> bool {
    message.events.as_ref().is_some_and(|e| e.iter().all(|e| e["eventType"] == "Typing"))
}

impl State {
    /// Pushes a message of the guest's partner to the session and remembers it.
    pub(super) fn push_outbound(&mut self, id: u32, message: Structured, now: Now) {
        if self.sessions.get(&id).is_none_or(|s| s.expired) {
            return;
        }
        platform::answered(self, id, &message, now);
        self.push_as_agent(id, message, now);
    }

    /// As [`Self::push_outbound`], of an agent, who knows already what was said.
    pub(super) fn push_as_agent(&mut self, id: u32, message: Structured, now: Now) {
        if self.sessions.get(&id).is_none_or(|s| s.expired) {
            return;
        }
        self.slide(id, now);
        let text = frame::message("StructuredMessage", &message, None);
        self.broadcast(id, &text, now);
        if !is_typing(&message) {
            self.remember(id, message);
        }
    }

    /// An outbound message to be filled in.
    pub(super) fn outbound(&self, kind: &str, now: Now) -> Structured {
        Structured {
            id: ids::hex32(),
            kind: kind.to_owned(),
            text: None,
            direction: Way::Outbound,
            originating_entity: Some(Entity::Bot),
            channel: Some(Channel {
                time: Some(self.iso(now)),
                kind: Some("Private"),
                from: Some(json!({ "nickname": "Sandbox" })),
                to: Some(json!({})),
                ..Channel::default()
            }),
            content: None,
            events: None,
            metadata: Some(ids::correlation()),
        }
    }

    /// Shows the agent typing.
    pub(super) fn push_typing(&mut self, id: u32, now: Now) {
        let event = json!({ "eventType": "Typing", "typing": { "type": "On", "duration": 5000 } });
        let message = self.event(event, now);
        self.push_outbound(id, message, now);
    }

    /// Shows an agent with a name typing.
    pub(super) fn push_agent_typing(&mut self, id: u32, name: &str, duration: i64, now: Now) {
        let event = json!({ "eventType": "Typing", "typing": { "type": "On", "duration": duration } });
        let mut message = self.event(event, now);
        if let Some(channel) = &mut message.channel {
            channel.from = Some(json!({ "nickname": name }));
        }
        self.push_as_agent(id, message, now);
    }

    /// Ends a conversation from the agent's side. `read_only` is as the deployment says where none.
    pub(super) fn push_disconnect(&mut self, id: u32, read_only: Option<bool>, now: Now) {
        let read_only = read_only.unwrap_or(self.deployment.conversation_disconnect == DisconnectMode::ReadOnly);
        let event = json!({ "eventType": "Presence", "presence": { "type": "Disconnect" } });
        let mut message = self.event(event, now);
        message.metadata.get_or_insert_default().insert("readOnly".to_owned(), read_only.to_string());
        self.push_outbound(id, message, now);
        if let Some(s) = self.sessions.get_mut(&id) {
            s.read_only = read_only;
            s.greeted = false;
        }
        platform::over(self, id, now);
    }

    fn event(&self, event: Value, now: Now) -> Structured {
        let mut message = self.outbound("Event", now);
        message.originating_entity = None;
        message.channel =
            Some(Channel { time: Some(self.iso(now)), message_id: Some(message.id.clone()), ..Channel::default() });
        message.events = Some(vec![event]);
        message
    }
}
