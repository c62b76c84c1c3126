//! Rows of the timeline, ready to paint.

use std::sync::Arc;

use crate::model::happening::Side;
use crate::projection::ends::{Difference, Event, Journey, Leg, Odd, Oddity};
use crate::ui::format;
use crate::ui::widgets::format as figures;

pub(super) struct Row {
    pub seqs: Vec<u64>,
    /// Left lane, right lane, what lies between, all ready to paint.
    pub guest: String,
    pub agent: String,
    pub between: String,
    /// The leg that follows at the other end.
    pub then: String,
    pub side: Option<Side>,
    /// A word, and sentences.
    pub odd: Option<(String, String)>,
    /// Where the texts of the two ends part.
    pub differs: Option<Difference>,
    pub label: String,
    pub event: bool,
}

/// `odd`: what is odd with this journey.
pub(super) fn of_journey(j: &Journey, odd: &[Oddity]) -> Row {
    let text = j.text().map_or("(no text yet)", |t| t);
    let shown = format::shown(text.lines().next().unwrap_or_default()).into_owned();
    let of_guest = j.is_of_guest();
    let at_guest = j.guest.is_some();
    let at_agent = j.agents.iter().any(|a| a.sent.is_some() || a.seen.is_some() || a.taken.is_some());
    let leg = |l: Leg| j.leg(l).map(|d| figures::span(d.as_micros() as u64));
    let (main, second) = if of_guest { (Leg::ToAgent, Leg::Text) } else { (Leg::ToGuest, Leg::AgentTaken) };
    let between = leg(main).unwrap_or_default();
    let word = if of_guest { "text" } else { "taken" };
    let then = leg(second).map(|took| format!("{word} {took}")).unwrap_or_default();
    let differs = odd.iter().find_map(|o| match &o.odd {
        Odd::Altered(difference) => Some(difference.clone()),
        _ => None,
    });
    let odd = odd.first().map(|o| {
        let sentences: Vec<String> = odd.iter().map(|o| o.odd.sentence()).collect();
        (o.odd.word().to_owned(), sentences.join("\n"))
    });
    let legs: Vec<String> = [Leg::GuestEcho, main, second]
        .into_iter()
        .filter_map(|l| leg(l).map(|took| format!("{}: {took}", l.title())))
        .collect();
    let who = if of_guest { "guest" } else { "agent" };
    let strange = odd.as_ref().map(|(_, s)| format!(", {s}")).unwrap_or_default();
    let label = format!("{who}: {shown}{strange}\n{}", legs.join("\n"));
    let guest = j.guest.iter().flat_map(|g| [g.sent, g.seen]);
    let agents = j.agents.iter().flat_map(|a| [a.sent, a.taken, a.seen, a.fetched]);
    let mut seqs: Vec<u64> = guest.chain(agents).flatten().map(|m| m.seq).collect();
    seqs.sort_unstable();
    seqs.dedup();
    let lane = |there: bool, half: Option<&Arc<str>>| match there {
        true => {
            half.map_or_else(|| shown.clone(), |t| format::shown(t.lines().next().unwrap_or_default()).into_owned())
        }
        false => String::new(),
    };
    Row {
        seqs,
        guest: lane(at_guest, j.guest.as_ref().and_then(|g| g.text.as_ref())),
        agent: lane(at_agent, j.agents.iter().find_map(|a| a.text.as_ref())),
        between,
        then,
        side: j.side,
        odd,
        differs,
        label,
        event: false,
    }
}

pub(super) fn of_event(e: &Event) -> Row {
    let text = format::shown(&e.text).into_owned();
    Row {
        seqs: vec![e.seq],
        guest: if e.guest { text.clone() } else { String::new() },
        agent: if e.guest { String::new() } else { text.clone() },
        between: String::new(),
        then: String::new(),
        side: None,
        odd: None,
        differs: None,
        label: text,
        event: true,
    }
}
