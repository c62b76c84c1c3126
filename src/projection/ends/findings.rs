//! What one end saw and the other did not, or saw otherwise.

use std::sync::Arc;
use std::time::Duration;

use super::{Journey, Leg, Pair};
use crate::model::Mono;
use crate::model::happening::Side;

/// What has not come by then counts as lost.
pub const LOST: Duration = Duration::from_secs(10);
/// A copy of a message is looked for among so many before and after it.
const AROUND: usize = 32;
/// A way that takes longer is told as late.
pub const LATE: Duration = Duration::from_secs(2);

/// Something that is not as it should be with a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Oddity {
    /// Number of the journey.
    pub journey: u64,
    pub odd: Odd,
    /// A record to look at.
    pub record: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Odd {
    /// The agent's end never saw it, for so long.
    LostToAgent(Duration),
    /// The guest's end never saw it, for so long.
    LostToGuest(Duration),
    /// It came by another way than it should: by REST or history only.
    Missed {
        by_agent: bool,
    },
    Late(Leg, Duration),
    /// It came before one that was said earlier; the number of that.
    Reordered {
        before: u64,
    },
    /// The guest's end got it so many times.
    Repeated(u32),
    /// Only the other end has it, beside a message with the same text; the number of that.
    Copied {
        of: u64,
    },
    /// The ends have different texts.
    Altered(Difference),
}

/// Where two texts part: common beginning, what one has, what the other has, common end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    pub before: String,
    pub at_guest: String,
    pub at_agent: String,
    pub after: String,
}

impl Odd {
    /// One word for a badge.
    pub fn word(&self) -> &'static str {
        match self {
            Self::LostToAgent(_) | Self::LostToGuest(_) => "lost",
            Self::Missed { .. } => "missed",
            Self::Late(..) => "late",
            Self::Reordered { .. } => "reordered",
            Self::Repeated(_) | Self::Copied { .. } => "duplicated",
            Self::Altered(_) => "altered",
        }
    }

    pub fn sentence(&self) -> String {
        match self {
            Self::LostToAgent(waited) => format!("the agent's end has not seen it for {}", seconds(*waited)),
            Self::LostToGuest(waited) => format!("the guest's end has not seen it for {}", seconds(*waited)),
            Self::Missed { by_agent: true } => "no notification told it: the agent's end found it by REST".to_owned(),
            Self::Missed { by_agent: false } => "no frame brought it: the guest's end found it in history".to_owned(),
            Self::Late(leg, took) => format!("late: {} took {} ms", leg.title(), took.as_millis()),
            Self::Reordered { before } => format!("it arrived after message {before}, which was said later"),
            Self::Repeated(times) => format!("the guest's end got it {times} times"),
            Self::Copied { of } => {
                format!("one end only has it, under an id of its own, beside message {of} with the same text")
            }
            Self::Altered(d) => format!("the guest's end has “{}” where the agent's has “{}”", d.at_guest, d.at_agent),
        }
    }
}

fn seconds(d: Duration) -> String {
    format!("{:.0} s", d.as_secs_f64())
}

impl Pair {
    /// What is odd at this instant, in the order of the journeys.
    pub fn oddities(&self, now: Mono) -> Vec<Oddity> {
        let mut all = Vec::new();
        let mut newest = [None::<(u64, u64)>; 2];
        for (n, j) in self.journeys.iter().enumerate() {
            let record = j.begin().map_or(0, |m| m.seq);
            let mut tell = |odd| all.push(Oddity { journey: j.number, odd, record });
            if let Some(odd) = self.copied(n).or_else(|| lost(j, now)) {
                tell(odd);
            }
            if let Some(guest) = &j.guest {
                // What was said before an end was there, it could not see.
                let there = j.agent().and_then(|a| a.taken.or(a.seen)).is_some_and(|m| m.seq > self.since.0);
                if guest.by_history && guest.sent.is_none() && there {
                    tell(Odd::Missed { by_agent: false });
                }
                if guest.again > 0 {
                    tell(Odd::Repeated(guest.again + 1));
                }
            }
            let there = j.guest.as_ref().and_then(|g| g.seen).is_some_and(|m| m.seq > self.since.1);
            let by_rest = !j.agents.is_empty() && j.agents.iter().all(|a| a.by_rest && a.sent.is_none());
            if there && by_rest {
                tell(Odd::Missed { by_agent: true });
            }
            for leg in Leg::ALL {
                if let Some(took) = j.leg(leg).filter(|took| *took > LATE) {
                    tell(Odd::Late(leg, took));
                }
            }
            if let Some(difference) = altered(j) {
                tell(Odd::Altered(difference));
            }
            // By when it was said, which is the order of the list, and when the other end saw it.
            let lane = usize::from(j.is_of_guest());
            let arrived = match j.is_of_guest() {
                true => j.agent().and_then(|a| a.seen),
                false => j.guest.as_ref().and_then(|g| g.seen),
            };
            if let Some(arrived) = arrived {
                match newest[lane] {
                    Some((_, later)) if arrived.seq > later => newest[lane] = Some((j.number, arrived.seq)),
                    // One that was said before this one came after it.
                    Some((number, later)) if arrived.seq < later => {
                        all.push(Oddity { journey: number, odd: Odd::Reordered { before: j.number }, record: later });
                    }
                    Some(_) => {}
                    None => newest[lane] = Some((j.number, arrived.seq)),
                }
            }
        }
        all
    }

    /// The message at this place is known to the other end only, and is like one of the few around it that was said.
    fn copied(&self, n: usize) -> Option<Odd> {
        let j = self.journeys.get(n)?;
        let text = j.text().filter(|_| !is_said(j) && j.side != Some(Side::Bot))?;
        let begin = j.begin()?.at.mono.0;
        let like = |other: &&Arc<Journey>| {
            let near = other.begin().is_some_and(|m| m.at.mono.0.abs_diff(begin) <= LOST.as_micros() as u64);
            near && is_said(other) && other.side == j.side && other.text() == Some(text)
        };
        let around = self.journeys.get(n.saturating_sub(AROUND)..(n + AROUND).min(self.journeys.len()))?;
        around.iter().find(like).map(|other| Odd::Copied { of: other.number })
    }
}

/// The end that says such messages has it.
fn is_said(j: &Journey) -> bool {
    match j.is_of_guest() {
        true => j.guest.is_some(),
        false => j.agents.iter().any(|a| a.sent.is_some() || a.taken.is_some() || a.seen.is_some()),
    }
}

fn lost(j: &Arc<Journey>, now: Mono) -> Option<Odd> {
    if j.failed {
        return None;
    }
    let waited = |since: Mono| Some(now.since(since)).filter(|w| *w > LOST);
    if j.is_of_guest() {
        let seen = j.guest.as_ref()?.seen?;
        let unseen = j.agents.iter().all(|a| a.seen.is_none() && a.fetched.is_none());
        return waited(seen.at.mono).filter(|_| unseen).map(Odd::LostToAgent);
    }
    let agent = j.agent()?;
    let since = agent.taken.or(agent.seen)?;
    waited(since.at.mono).filter(|_| j.guest.is_none()).map(Odd::LostToGuest)
}

fn altered(j: &Journey) -> Option<Difference> {
    let guest = j.guest.as_ref()?.text.as_ref()?;
    let agent = j.agents.iter().find_map(|a| a.text.as_ref())?;
    (guest != agent).then(|| difference(guest, agent))
}

/// The parts in which two texts differ.
fn difference(guest: &str, agent: &str) -> Difference {
    let (a, b): (Vec<char>, Vec<char>) = (guest.chars().collect(), agent.chars().collect());
    let before = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let rest = a.len().min(b.len()) - before;
    let after = a.iter().rev().zip(b.iter().rev()).take(rest).take_while(|(x, y)| x == y).count();
    let text = |chars: &[char]| chars.iter().collect::<String>();
    Difference {
        before: text(&a[..before]),
        at_guest: text(&a[before..a.len() - after]),
        at_agent: text(&b[before..b.len() - after]),
        after: text(&a[a.len() - after..]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_difference_puts_both_texts_together_again(a in "[ab]{0,8}ü?[ab]{0,4}", b in "[ab]{0,8}ü?[ab]{0,4}") {
            let d = difference(&a, &b);
            prop_assert_eq!(format!("{}{}{}", d.before, d.at_guest, d.after), a);
            prop_assert_eq!(format!("{}{}{}", d.before, d.at_agent, d.after), b);
        }
    }
}
