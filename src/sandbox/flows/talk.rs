//! The scripted partner on the sockets of contacts and guests. Text only.

use std::collections::VecDeque;

use serde_json::json;
use tokio::time::Instant;

use super::super::ids;
use super::super::partner::{self, PAUSE, Said, Step};
use super::super::state::{Peer, State};
use super::agenda::Deed;
use crate::model::Now;

/// What the partner has not answered yet, per peer. What comes on top is left unanswered, as people do.
const UNANSWERED: usize = 64;

const HELP: &str = "Words that do something here: attributes, bye, help. Everything else is said back.";

/// How far the partner is with one peer.
pub(super) struct Talk {
    /// It speaks until then.
    busy: Instant,
    waiting: usize,
    pub(super) greeted: bool,
    /// Messages that went either way.
    pub(super) messages: u64,
}

impl Default for Talk {
    fn default() -> Self {
        Self { busy: Instant::now(), waiting: 0, greeted: false, messages: 0 }
    }
}

fn talk(state: &mut State, peer: Peer) -> Option<&mut Talk> {
    match peer {
        Peer::Contact(number) => state.flows.contacts.at_mut(number).map(|c| &mut c.talk),
        Peer::Guest(number) => state.flows.guests.at_mut(number).map(|g| &mut g.talk),
        Peer::Channel(_) => None,
    }
}

/// Lets the partner answer, after what it has still to say.
pub(super) fn hear(state: &mut State, peer: Peer, said: &Said, first: bool) {
    if state.faults.partner_paused {
        return;
    }
    let steps: VecDeque<Step> = match said {
        Said::Text(text) if text.trim().eq_ignore_ascii_case("help") => [Step::Type, Step::Say(HELP.to_owned())].into(),
        said => partner::answer(said, first).into(),
    };
    let pauses = steps.iter().filter(|s| **s == Step::Type).count();
    let Some(talk) = talk(state, peer).filter(|t| t.waiting < UNANSWERED) else { return };
    let start = talk.busy.max(Instant::now());
    talk.busy = start + PAUSE * u32::try_from(pauses).unwrap_or(1);
    talk.waiting += 1;
    if !state.flows.agenda.add(start, Deed::Speak(peer, steps)) {
        done(state, peer);
    }
}

fn done(state: &mut State, peer: Peer) {
    if let Some(talk) = talk(state, peer) {
        talk.waiting = talk.waiting.saturating_sub(1);
    }
}

/// Does the steps up to the next pause.
pub(super) fn speak(state: &mut State, peer: Peer, mut steps: VecDeque<Step>, now: Now) {
    while let Some(step) = steps.pop_front() {
        match step {
            Step::Type => {
                typing(state, peer, now);
                if !state.flows.agenda.add(Instant::now() + PAUSE, Deed::Speak(peer, steps)) {
                    done(state, peer);
                }
                return;
            }
            Step::Say(text) | Step::SayAsAgent(text) | Step::Rich { text, .. } => say(state, peer, &text, now),
            Step::Offer(_) => say(state, peer, "There are no pickers and forms on this socket.", now),
            Step::SendFile => say(state, peer, "There are no files on this socket.", now),
            Step::TellAttributes => {
                let known = match peer {
                    Peer::Guest(number) => state.flows.guests.at(number).map(|g| json!(g.attributes)),
                    Peer::Contact(_) | Peer::Channel(_) => None,
                };
                say(state, peer, &format!("Attributes: {}", known.unwrap_or(json!({}))), now);
            }
            // Neither socket has a word for the end of a conversation.
            Step::Leave => {}
        }
    }
    done(state, peer);
}

/// The agent's message.
pub(in crate::sandbox) fn say(state: &mut State, peer: Peer, text: &str, now: Now) {
    let id = ids::uuid();
    message(state, peer, &id, None, "agent", text, now);
}

/// A message to all connections of a peer; one of the guest comes back with the id that its client gave.
pub(super) fn message(
    state: &mut State,
    peer: Peer,
    id: &str,
    client_id: Option<&str>,
    from: &str,
    text: &str,
    now: Now,
) {
    let mut body = json!({ "id": id, "from": from, "text": text, "timestamp": state.iso(now) });
    let frame = match peer {
        // Nobody talks on a channel.
        Peer::Channel(_) => return,
        Peer::Contact(_) => {
            body["type"] = "message".into();
            body
        }
        Peer::Guest(_) => {
            if let Some(client_id) = client_id {
                body["clientId"] = client_id.into();
            }
            json!({ "type": "message", "payload": body })
        }
    };
    if let Some(talk) = talk(state, peer) {
        talk.messages += 1;
    }
    state.tell(peer, &frame.to_string(), now);
}

/// Shows the agent typing.
pub(in crate::sandbox) fn typing(state: &mut State, peer: Peer, now: Now) {
    let frame = match peer {
        Peer::Channel(_) => return,
        Peer::Contact(_) => json!({ "type": "typing", "from": "agent" }),
        Peer::Guest(_) => json!({ "type": "typing", "payload": { "from": "agent" } }),
    };
    state.tell(peer, &frame.to_string(), now);
}
