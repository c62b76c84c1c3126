//! Ids of the parties of conversations, so that a communication that is named where a participant belongs is told, and
//! the other way round. The two are different ids of the same party.

use std::collections::VecDeque;

use serde_json::Value;

use crate::model::{DialectId, Record};
use crate::projection::evidence::Gathered;
use crate::projection::evidence::words;

/// So many conversations are remembered, the newest told.
const CONVERSATIONS: usize = 256;
/// Parties of each.
const PARTIES: usize = 64;
/// Communications of a party.
const COMMUNICATIONS: usize = 16;
/// Deeper values hold no conversation.
const DEEPEST: usize = 5;

#[derive(Clone, Debug, Default)]
pub struct Parties {
    list: VecDeque<(Box<str>, Vec<Party>)>,
    pub forgotten: u64,
}

#[derive(Clone, Debug, Default)]
struct Party {
    participant: Box<str>,
    communications: Vec<Box<str>>,
    seq: u64,
}

impl Parties {
    /// Takes the ids from a payload that tells conversations in the generic shape, the only one that has both.
    pub fn told(&mut self, dialect: DialectId, record: &Record) {
        let may = |word: &[u8]| memchr::memmem::find(&record.body, word).is_some();
        if dialect != DialectId::Agent || !may(b"\"participants\"") {
            return;
        }
        if let Some(json) = words::json(&record.body) {
            self.look(&json, DEEPEST, record.seq);
        }
    }

    fn look(&mut self, value: &Value, depth: usize, seq: u64) {
        let Some(depth) = depth.checked_sub(1) else { return };
        if let (Some(id), Some(participants)) =
            (value.get("id").and_then(Value::as_str), value.get("participants").and_then(Value::as_array))
        {
            participants.iter().for_each(|p| self.party(id, p, seq));
            return;
        }
        match value {
            Value::Array(items) => items.iter().for_each(|v| self.look(v, depth, seq)),
            Value::Object(members) => members.values().for_each(|v| self.look(v, depth, seq)),
            _ => {}
        }
    }

    fn party(&mut self, conversation: &str, participant: &Value, seq: u64) {
        let Some(id) = participant.get("id").and_then(Value::as_str) else { return };
        // In the media shape these are messages: they have no state of their own.
        let messages = participant.get("messages").and_then(Value::as_array).into_iter().flatten();
        let communications: Vec<Box<str>> = messages
            .filter(|m| m.get("state").is_some())
            .filter_map(|m| m.get("id").and_then(Value::as_str).map(Into::into))
            .collect();
        let place = match self.list.iter().position(|(c, _)| &**c == conversation) {
            Some(place) => place,
            None => {
                if self.list.len() == CONVERSATIONS {
                    self.list.pop_front();
                    self.forgotten += 1;
                }
                self.list.push_back((conversation.into(), Vec::new()));
                self.list.len() - 1
            }
        };
        let parties = &mut self.list[place].1;
        let is_full = parties.len() == PARTIES;
        match parties.iter_mut().find(|p| &*p.participant == id) {
            Some(known) if communications.iter().all(|c| known.communications.contains(c)) => {}
            Some(known) => {
                let room = COMMUNICATIONS.saturating_sub(known.communications.len());
                let new = communications.into_iter().filter(|c| !known.communications.contains(c)).take(room);
                let new: Vec<_> = new.collect();
                known.communications.extend(new);
            }
            None if !is_full => parties.push(Party { participant: id.into(), communications, seq }),
            None => {}
        }
    }

    /// Looks whether the ids of a path stand where they belong:
    /// `…/conversations/…/{conversation}/participants/{participant}/communications/{communication}/…`.
    pub fn asked(&self, path: &str, seq: u64, found: &mut Gathered) {
        if !path.contains("/conversations/") {
            return;
        }
        let parts: Vec<&str> = path.split('/').collect();
        let Some((_, parties)) = self.list.iter().find(|(c, _)| parts.contains(&&**c)) else { return };
        for pair in parts.windows(2) {
            let [place, id] = pair else { continue };
            let wrong = match *place {
                "participants" => parties
                    .iter()
                    .find(|p| p.communications.iter().any(|c| &**c == *id) && &*p.participant != *id)
                    .map(|p| ("a communication", "a participant", Some(&p.participant), p.seq)),
                "communications" => parties
                    .iter()
                    .find(|p| &*p.participant == *id && !p.communications.iter().any(|c| &**c == *id))
                    .map(|p| ("a participant", "a communication", p.communications.last(), p.seq)),
                _ => None,
            };
            if let Some((is, belongs, right, told)) = wrong {
                found.text("request.wrong_id", id, seq);
                found.text("request.wrong_is", is, told);
                found.text("request.wrong_place", belongs, seq);
                if let Some(right) = right {
                    found.text("request.right_id", right, told);
                }
                return;
            }
        }
    }
}
