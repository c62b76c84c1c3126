//! The weakest evidence: texts that two ends saw at about the same time, and nobody else did.

use std::sync::Arc;
use std::time::Duration;

use super::Ends;
use super::fold::{EndsFold, hash};
use crate::model::{Now, SessionId};

/// Equal texts at both ends count as one message where they were seen within this.
const NEAR: Duration = Duration::from_secs(10);
/// So many different texts make a pair likely.
const LIKELY: usize = 2;
/// Ends that are remembered as alike without being a pair.
const MOST_ALIKE: usize = 500;
/// Journeys of one text that are looked at.
const SAME_TEXTS: usize = 8;

impl EndsFold {
    fn merge_alike(&mut self, a: u64, b: u64) {
        if let Some(open) = self.open.get_mut(&a.min(b)) {
            open.alike = true;
        }
        self.merge(a, b);
    }

    /// Equal texts at two ends, for servers that name a message differently at each.
    pub(super) fn likeness(&mut self, ends: &mut Arc<Ends>, number: u64, text: &str, at: Now) {
        let Some(open) = self.open.get_mut(&number) else { return };
        let (guest, agent) = (open.journey.guest.is_some(), !open.journey.agents.is_empty());
        let slot = (open.journey.is_of_guest(), hash(text));
        if !open.texts.contains(&slot) {
            open.texts.push(slot);
        }
        let others: Vec<u64> = self.by_text.get(&slot).map(|q| q.iter().copied().collect()).unwrap_or_default();
        let list = self.by_text.entry(slot).or_default();
        if !list.contains(&number) {
            list.push_back(number);
            if list.len() > SAME_TEXTS {
                list.pop_front();
            }
        }
        if guest == agent {
            return;
        }
        let Some(open) = self.open.get(&number) else { return };
        // Of all who said or heard the same lately: one at the other end, nobody else at this one.
        let near = |other: &u64| {
            let open = self.open.get(other).filter(|_| *other != number)?;
            open.journey.end().filter(|end| at.mono.since(*end) <= NEAR)?;
            let lane = (open.journey.guest.as_ref().map(|g| g.session), open.conversation.clone());
            let opposite = lane.0.is_some() == agent && open.journey.agents.is_empty() == agent;
            Some((*other, opposite, lane))
        };
        let near: Vec<_> = others.iter().filter_map(near).collect();
        let mine = (open.journey.guest.as_ref().map(|g| g.session), open.conversation.clone());
        let mut opposite = near.iter().filter(|(_, opposite, _)| *opposite);
        let counterpart = opposite.next().filter(|(_, _, lane)| {
            near.iter().all(|(_, is_opposite, other)| if *is_opposite { other == lane } else { *other == mine })
        });
        let counterpart = counterpart.map(|(other, ..)| *other);
        let Some(other) = counterpart else { return };
        let (of_guest, of_agent) = if guest { (number, other) } else { (other, number) };
        let session = self.open.get(&of_guest).and_then(|o| o.journey.guest.as_ref()).map(|g| g.session);
        let conversation = self.open.get(&of_agent).and_then(|o| o.conversation.clone());
        let (Some(session), Some(conversation)) = (session, conversation) else { return };
        let paired = self.place_of(ends, session, &conversation);
        if let Some(place) = paired {
            // Where ids join the two, the id of this one comes, too.
            if self.at(ends, place).is_some_and(|p| p.proof.is_certain()) {
                return;
            }
            self.merge_alike(of_guest, of_agent);
            return self.with(ends, place, |p| p.proof.same_texts += 1);
        }
        if self.alike.len() >= MOST_ALIKE {
            // What was alike long ago says nothing of now.
            self.alike.clear();
        }
        let rival = |(s, c): &(SessionId, String)| (*s == session) != (*c == conversation);
        if self.alike.keys().any(rival) {
            // Somebody else said or heard the same: likeness proves nothing.
            return;
        }
        let alike = self.alike.entry((session, conversation.clone())).or_default();
        alike.push((of_guest, of_agent));
        if alike.len() < LIKELY {
            return;
        }
        let alike = std::mem::take(alike);
        let place = self.pair(ends, session, &conversation, at);
        let count = alike.len() as u32;
        for (a, b) in alike {
            self.merge_alike(a, b);
            self.settle(ends, a.min(b), at);
        }
        self.with(ends, place, |p| p.proof.same_texts += count);
    }
}
