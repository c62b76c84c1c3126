//! What a sighting adds to a journey's half.

use std::sync::Arc;

use super::{AgentHalf, GuestHalf, Journey, Moment};
use crate::model::SessionId;
use crate::model::happening::Source;

pub(super) fn earlier(a: Option<Moment>, b: Option<Moment>) -> Option<Moment> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.seq < a.seq { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// Both ends have told an id of it themselves: nothing was joined by likeness.
pub(super) fn same_id(j: &Journey) -> bool {
    !j.keys.is_empty() && j.guest.as_ref().is_some_and(|g| g.seen.is_some() || g.by_history)
}

pub(super) fn evidence(j: &Journey) -> (String, (u64, u64)) {
    let guest = j.guest.as_ref().and_then(|g| g.seen.or(g.sent)).map_or(0, |m| m.seq);
    let agent = j.agent().and_then(|a| a.seen.or(a.taken).or(a.sent)).map_or(0, |m| m.seq);
    (j.keys.first().cloned().unwrap_or_default(), (guest, agent))
}

pub(super) fn at_guest(j: &mut Journey, session: SessionId, moment: Moment, source: Source, text: Option<Arc<str>>) {
    let half = j.guest.get_or_insert_with(|| GuestHalf { session, ..GuestHalf::default() });
    match source {
        Source::Outgoing => half.sent = Some(half.sent.unwrap_or(moment)),
        Source::Live => {
            if half.seen.is_some() && !half.by_history {
                half.again += 1;
            }
            if half.seen.is_none() || half.by_history {
                half.seen = Some(moment);
            }
            half.by_history = false;
        }
        Source::History => {
            if half.seen.is_none() {
                half.seen = Some(moment);
                half.by_history = true;
            }
        }
    }
    // What the server says that it was wins over what we wished to say.
    if source != Source::Outgoing || half.text.is_none() {
        half.text = text.or(half.text.take());
    }
}

pub(super) fn at_agent(
    j: &mut Journey,
    session: SessionId,
    moment: Moment,
    source: Source,
    own: bool,
    text: Option<Arc<str>>,
) {
    let place = j.agents.iter().position(|a| a.session == session);
    let place = place.unwrap_or_else(|| {
        j.agents.push(AgentHalf { session, ..AgentHalf::default() });
        j.agents.len() - 1
    });
    let Some(half) = j.agents.get_mut(place) else { return };
    match source {
        Source::Outgoing => half.sent = Some(half.sent.unwrap_or(moment)),
        // The answer to its sending: the platform took it.
        Source::History if own => {
            half.taken = half.taken.or(Some(moment));
            half.fetched = half.fetched.or(Some(moment));
        }
        Source::Live => {
            if half.seen.is_none() || half.by_rest {
                half.seen = Some(half.seen.unwrap_or(moment));
            }
            half.by_rest = false;
        }
        Source::History => {
            if half.seen.is_none() {
                half.seen = Some(moment);
                half.by_rest = true;
            }
            if text.is_some() {
                half.fetched = half.fetched.or(Some(moment));
            }
        }
    }
    if source != Source::Outgoing || half.text.is_none() {
        half.text = text.or(half.text.take());
    }
}
