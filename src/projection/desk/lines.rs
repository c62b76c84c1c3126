//! The lines between the bubbles for what the participants of a conversation did.

use crate::model::desk::{Named, Participant, Purpose, Stage};

/// Attributes that one line names; more are counted.
const NAMED: usize = 4;

/// What is told of a participant now and was not before. Of somebody who was not known, only how far they are: what
/// they brought along did not happen here.
pub(super) fn of(p: &Participant, was: Option<&Participant>, me: &str, codes: &[Named]) -> Vec<String> {
    let who = who(p, me);
    let mut out: Vec<String> = match was {
        Some(was) if was.state == p.state => None,
        _ => stage(p, was.map(|was| was.state), &who),
    }
    .into_iter()
    .collect();
    let Some(was) = was else { return out };
    if p.state != Stage::Ended && p.held != was.held {
        match (was.held, p.held) {
            (_, Some(true)) => out.push(format!("{who} put it on hold")),
            (Some(true), _) => out.push(format!("{who} took it off hold")),
            _ => {}
        }
    }
    out.extend(attributes(p, was));
    if let Some(code) = p.wrapup.as_ref().filter(|_| was.wrapup.is_none()) {
        let name = codes.iter().find(|c| c.id == *code).map_or(code, |c| &c.name);
        out.push(format!("{who} wrapped it up: {name}"));
    } else if p.wrapup_skipped == Some(true) && was.wrapup_skipped != Some(true) {
        out.push(format!("{who} skipped the wrap-up"));
    }
    out
}

fn who(p: &Participant, me: &str) -> String {
    let mine = p.purpose == Purpose::Agent && p.user.as_deref() == Some(me);
    match (&p.purpose, named(p)) {
        (Purpose::Agent, _) if mine => "you".to_owned(),
        (Purpose::Agent, Some(name)) => format!("agent {name}"),
        (purpose, _) => format!("the {}", purpose.word()),
    }
}

fn named(p: &Participant) -> Option<&str> {
    p.name.as_deref().filter(|n| !n.is_empty())
}

fn stage(p: &Participant, was: Option<Stage>, who: &str) -> Option<String> {
    let ended = p.disconnect_type.as_deref().filter(|w| !w.is_empty());
    let why = ended.map(|w| format!(" ({w})")).unwrap_or_default();
    let is = if who == "you" { "are" } else { "is" };
    Some(match (p.state, was) {
        (Stage::Alerting, _) => format!("{who} {is} alerted"),
        (Stage::Connected, Some(Stage::Parked)) => format!("{who} took it back from parking"),
        (Stage::Connected, _) if p.purpose == Purpose::Agent => format!("{who} answered"),
        (Stage::Connected, _) if p.purpose == Purpose::Queue => match named(p) {
            Some(queue) => format!("waiting in the queue {queue}"),
            None => "waiting in the queue".to_owned(),
        },
        (Stage::Parked, _) => format!("{who} parked it"),
        (Stage::Ended, Some(Stage::Alerting)) => format!("{who} did not answer{why}"),
        (Stage::Ended, Some(_)) if p.purpose == Purpose::Agent && ended == Some("transfer") => {
            format!("{who} handed it over")
        }
        (Stage::Ended, Some(_)) if p.purpose == Purpose::Agent || p.purpose == Purpose::Customer => {
            format!("{who} {is} out{why}")
        }
        _ => return None,
    })
}

/// What was set, as it is now.
fn attributes(p: &Participant, was: &Participant) -> Option<String> {
    if p.attributes == was.attributes {
        return None;
    }
    let mut set: Vec<String> = p
        .attributes
        .iter()
        .filter(|now| !was.attributes.contains(now))
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    let more = set.len().saturating_sub(NAMED);
    set.truncate(NAMED);
    if more > 0 {
        set.push(format!("{more} more"));
    }
    (!set.is_empty()).then(|| format!("attributes set: {}", set.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent() -> Participant {
        Participant {
            id: "a".into(),
            purpose: Purpose::Agent,
            user: Some("me".into()),
            state: Stage::Connected,
            ..Participant::default()
        }
    }

    fn told(was: &Participant, change: impl FnOnce(&mut Participant)) -> Vec<String> {
        let mut now = was.clone();
        change(&mut now);
        let codes = [Named { id: "w1".into(), name: "Solved".into() }];
        of(&now, Some(was), "me", &codes)
    }

    #[test]
    fn each_deed_of_an_agent_is_told_once() {
        let free = agent();
        assert_eq!(told(&free, |p| p.held = Some(true)), ["you put it on hold"]);
        assert!(told(&free, |p| p.held = Some(false)).is_empty(), "it was not held");
        let held = Participant { held: Some(true), ..agent() };
        assert!(told(&held, |_| {}).is_empty());
        assert_eq!(told(&held, |p| p.held = Some(false)), ["you took it off hold"]);
        let over = |p: &mut Participant| {
            p.state = Stage::Ended;
            p.disconnect_type = Some("transfer".into());
        };
        assert_eq!(told(&held, over), ["you handed it over"]);
        let ended = Participant { state: Stage::Ended, ..agent() };
        assert_eq!(told(&ended, |p| p.wrapup = Some("w1".into())), ["you wrapped it up: Solved"]);
        assert_eq!(told(&ended, |p| p.wrapup = Some("w9".into())), ["you wrapped it up: w9"]);
        assert_eq!(told(&ended, |p| p.wrapup_skipped = Some(true)), ["you skipped the wrap-up"]);
    }

    #[test]
    fn attributes_that_were_set_are_named_and_those_brought_along_are_not() {
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let guest = Participant { purpose: Purpose::Customer, attributes: vec![pair("plan", "gold")], ..agent() };
        assert!(of(&guest, None, "me", &[]).is_empty());
        let set = told(&guest, |p| p.attributes = vec![pair("plan", "lead"), pair("tier", "2")]);
        assert_eq!(set, ["attributes set: plan = lead, tier = 2"]);
        let many = told(&guest, |p| p.attributes.extend((0..6).map(|n| pair(&n.to_string(), "x"))));
        assert_eq!(many, ["attributes set: 0 = x, 1 = x, 2 = x, 3 = x, 2 more"]);
    }
}
