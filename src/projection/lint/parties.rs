//! Ids of the parties of conversations, so that a communication that is named where a participant belongs is told, and
//! the other way round. The two are different ids of the same party.

use std::collections::VecDeque;

use crate::model::desk::Snapshot;
use crate::projection::evidence::Gathered;

/// So many conversations are remembered, the newest told.
const CONVERSATIONS: usize = 256;
/// Parties of each.
const PARTIES: usize = 64;
/// A longer id is none that anybody uses.
const LONGEST_ID: usize = 256;
/// Communications of a party.
const COMMUNICATIONS: usize = 16;

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

/// A party as a telling of its conversation names it. Only the generic shape has both ids.
#[derive(Clone, Debug)]
pub struct Named {
    pub conversation: Box<str>,
    pub participant: Box<str>,
    pub communication: Box<str>,
}

impl Named {
    /// Those of a telling that have both ids.
    pub fn all(snapshot: &Snapshot) -> impl Iterator<Item = Self> + '_ {
        let short = |id: &str| id.len() <= LONGEST_ID;
        snapshot.participants.iter().filter(move |p| short(&snapshot.conversation) && short(&p.id)).filter_map(
            move |p| {
                let communication = p.communication.as_deref().filter(|id| short(id))?.into();
                Some(Self {
                    conversation: snapshot.conversation.as_str().into(),
                    participant: p.id.as_str().into(),
                    communication,
                })
            },
        )
    }
}

impl Parties {
    /// `seq`: the record that tells it.
    pub fn take(&mut self, named: &Named, seq: u64) {
        let place = match self.list.iter().position(|(c, _)| *c == named.conversation) {
            Some(place) => place,
            None => {
                if self.list.len() == CONVERSATIONS {
                    self.list.pop_front();
                    self.forgotten += 1;
                }
                self.list.push_back((named.conversation.clone(), Vec::new()));
                self.list.len() - 1
            }
        };
        let parties = &mut self.list[place].1;
        let is_full = parties.len() == PARTIES;
        let communication = named.communication.clone();
        match parties.iter_mut().find(|p| p.participant == named.participant) {
            Some(known) if known.communications.contains(&communication) => {}
            Some(known) if known.communications.len() == COMMUNICATIONS => {}
            Some(known) => known.communications.push(communication),
            None if is_full => {}
            None => {
                let (participant, communications) = (named.participant.clone(), vec![communication]);
                parties.push(Party { participant, communications, seq });
            }
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
