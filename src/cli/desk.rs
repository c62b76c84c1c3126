//! The agent's side of a scenario: what an agent is told to do, what it must hear, and what both ends must come to.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, IgnoredAny, MapAccess, Visitor};

use super::headless::Headless;
use super::out::{Ended, Out};
use super::script::Text;
use super::step::Pairs;
use crate::dialect::{Deed, DeskWish, Target, Wish};
use crate::engine::{Command, SessionSpec};
use crate::model::agents::AgentForm;
use crate::model::desk::Stage;
use crate::model::fact::SessionState;
use crate::model::happening::Side;
use crate::model::{DialectId, Environment, Report, SessionId};
use crate::projection::ends::Odd;
use crate::projection::{Desk, Pair, SessionView, Talk, What};

/// What an agent of a scenario does, or what must become of it.
#[derive(Debug)]
pub enum AgentStep {
    Say(String),
    /// The guest said this, in the conversation in front.
    Hears(String),
    /// How far the agent is in it: `alerting`, `connected`, `parked`, `disconnected`.
    Is(Stage),
    Deed(Box<Deed>, String),
    /// To the other agent of the scenario, or to a queue by its id.
    Transfer(String),
    /// With the code of this name.
    WrapUp(String),
    /// Go on queue, or to another presence.
    Presence(String),
}

/// What both ends must come to.
#[derive(Debug)]
pub enum EndsStep {
    /// By ids.
    Joined,
    /// So many messages on the one timeline.
    Messages(usize),
    NothingOdd,
    /// At least one message is odd in this way.
    Odd(String),
}

const DEEDS: &str = "answer, hold, unhold, park, unpark, typing, disconnect, skip-wrapup, end, reload";
const KEYS: &str = "say, hears, is, transfer, wrapup, presence, attributes";
const ODD: [&str; 6] = ["lost", "missed", "late", "reordered", "duplicated", "altered"];

impl fmt::Display for AgentStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Say(text) => write!(f, "say: {text}"),
            Self::Hears(text) => write!(f, "hears: {text}"),
            Self::Is(stage) => write!(f, "is: {}", stage.word()),
            Self::Deed(_, name) => f.write_str(name),
            Self::Transfer(to) => write!(f, "transfer: {to}"),
            Self::WrapUp(code) => write!(f, "wrapup: {code}"),
            Self::Presence(is) => write!(f, "presence: {is}"),
        }
    }
}

impl fmt::Display for EndsStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined => f.write_str("joined"),
            Self::Messages(n) => write!(f, "{n} messages"),
            Self::NothingOdd => f.write_str("nothing odd"),
            Self::Odd(word) => f.write_str(word),
        }
    }
}

impl EndsStep {
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(n) = text.strip_suffix(" messages").or(text.strip_suffix(" message")) {
            return n.trim().parse().map(Self::Messages).map_err(|_| format!("ends: “{n}” is no number"));
        }
        Ok(match text {
            "joined" => Self::Joined,
            "nothing odd" => Self::NothingOdd,
            word if ODD.contains(&word) => Self::Odd(word.to_owned()),
            other => {
                let known = ODD.join(", ");
                return Err(format!("ends: “{other}” is none of joined, nothing odd, N messages, {known}"));
            }
        })
    }
}

impl<'de> Deserialize<'de> for AgentStep {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = AgentStep;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "one of {DEEDS}, or a map with one of {KEYS}")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<AgentStep, E> {
                deed(word).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AgentStep, A::Error> {
                let Some(Text(key)) = map.next_key()? else { return Err(de::Error::custom("an empty step")) };
                let step = if key == "attributes" {
                    let Pairs(attributes) = map.next_value()?;
                    AgentStep::Deed(Box::new(Deed::Attributes { attributes }), key)
                } else {
                    let Text(value) = map.next_value()?;
                    of_key(&key, value).map_err(de::Error::custom)?
                };
                match map.next_entry::<Text, IgnoredAny>()? {
                    Some(_) => Err(de::Error::custom("an agent does one thing at a time")),
                    None => Ok(step),
                }
            }
        }
        d.deserialize_any(V)
    }
}

fn deed(word: &str) -> Result<AgentStep, String> {
    let deed = match word.trim() {
        "answer" => Deed::Answer,
        "hold" => Deed::Hold { on: true },
        "unhold" => Deed::Hold { on: false },
        "park" => Deed::Park { on: true },
        "unpark" => Deed::Park { on: false },
        "typing" => Deed::Typing { tracing: uuid::Uuid::new_v4().to_string() },
        "disconnect" => Deed::Disconnect,
        "skip-wrapup" => Deed::WrapUp { code: None, notes: String::new() },
        "end" => Deed::End,
        "reload" => Deed::Reload,
        other => return Err(format!("agent: “{other}” is none of {DEEDS}; others are written as a map: {KEYS}")),
    };
    Ok(AgentStep::Deed(Box::new(deed), word.trim().to_owned()))
}

fn of_key(key: &str, value: String) -> Result<AgentStep, String> {
    Ok(match key {
        "say" => AgentStep::Say(value),
        "hears" => AgentStep::Hears(value),
        "is" => match Stage::of(&value) {
            Stage::Unknown => {
                return Err(format!("is: “{value}” is none of alerting, connected, parked, disconnected"));
            }
            stage => AgentStep::Is(stage),
        },
        "transfer" => AgentStep::Transfer(value),
        "wrapup" => AgentStep::WrapUp(value),
        "presence" => AgentStep::Presence(value),
        other => return Err(format!("agent: “{other}” is none of {KEYS}")),
    })
}

/// The form of a scenario's agent; who signs in is known where nobody is named.
pub fn form(number: usize, form: Option<&AgentForm>) -> AgentForm {
    let mut agent = form.cloned().unwrap_or_default();
    if agent.user.is_empty() {
        agent.user = format!("agent{number}@sandbox.invalid");
    }
    agent
}

/// Opens the session of an agent, and waits until it is on queue where it shall be.
pub fn open(
    out: &mut Out,
    headless: &mut Headless,
    environment: &Environment,
    (number, agent): (usize, &AgentForm),
    limit: Duration,
) -> Result<SessionId, Ended> {
    let agent = form(number, Some(agent));
    let on_queue = agent.on_queue;
    let spec = SessionSpec {
        name: format!("Agent {number}"),
        dialect: DialectId::Agent,
        environment: environment.clone(),
        agent,
        ..SessionSpec::default()
    };
    let session = headless.open(spec, true)?;
    let goes_on = |h: &Headless| {
        let state = h.view(session).and_then(|v| v.state.clone());
        state.is_none_or(|s| !s.is_ended() && s != SessionState::Ready)
    };
    let awaited = headless.until(limit, |h| match h.awaited() {
        None if goes_on(h) => None,
        awaited => Some(awaited),
    });
    if let Some(person) = awaited.flatten() {
        let secs = person.until.since(headless.console.clock.now().mono).as_secs();
        writeln!(out, "  wait  agent {number} signs in, within {secs} s, in a browser on this computer:")?;
        writeln!(out, "        {}", person.address)?;
        // Who does not come in time is told by the session, with what can be done.
        headless.until(Duration::from_secs(secs) + limit, |h| (h.awaited().is_none() || !goes_on(h)).then_some(()));
    }
    headless.ready(session, limit)?;
    let is_on = |v: &SessionView| {
        v.desk.as_ref().is_some_and(|d| d.presence == "OnQueue" && matches!(d.routing.as_str(), "IDLE" | "INTERACTING"))
    };
    if on_queue && headless.until(limit, |h| h.view(session).filter(|v| is_on(v))).is_none() {
        let what = format!("Agent {number} is not on queue after {} s.", limit.as_secs());
        return Err(Report::new("not-on-queue", "The agent did not get on queue", what).into());
    }
    Ok(session)
}

/// An agent of a scenario at work.
pub struct AtDesk<'a> {
    pub headless: &'a Headless,
    /// All agents of the scenario, and which of them acts.
    pub agents: &'a [SessionId],
    pub which: usize,
    pub limit: Duration,
}

impl AtDesk<'_> {
    fn session(&self) -> Result<SessionId, Report> {
        self.agents.get(self.which).copied().ok_or_else(|| {
            let what = format!("The scenario names no agent {}.", self.which + 1);
            Report::new("no-agent", "There is no such agent", what)
        })
    }

    /// The newest conversation, as soon as there is one that fits.
    fn until(&self, what: &str, fits: impl Fn(&Desk, &Talk) -> bool) -> Result<Arc<Talk>, Report> {
        let session = self.session()?;
        let look = |v: &SessionView| {
            let desk = v.desk.as_ref()?;
            desk.talks.last().filter(|t| fits(desk, t)).cloned()
        };
        self.headless.until(self.limit, |h| look(h.view(session)?.as_ref())).ok_or_else(|| self.never(session, what))
    }

    /// Why nothing fits, with what is there instead.
    fn never(&self, session: SessionId, what: &str) -> Report {
        let title = "The agent's side did not get there";
        let report = Report::new("agent-side", title, format!("Within {} s {what}.", self.limit.as_secs()));
        let Some(view) = self.headless.view(session) else { return report };
        let Some((desk, talk)) = view.desk.as_ref().and_then(|d| Some((d, d.talks.last()?))) else {
            return report.detail("the desk has no conversation");
        };
        let report = report.detail(format!("the agent is {} there", desk.stage(talk).word()));
        said(talk).fold(report, |r, text| r.detail(format!("said: {text}")))
    }

    pub fn take(&self, step: &AgentStep) -> Result<(), Report> {
        match step {
            AgentStep::Say(text) => {
                let tracing = uuid::Uuid::new_v4().to_string();
                self.deed(Deed::Say { tracing: tracing.clone(), text: text.clone(), files: Vec::new() })?;
                let mine = |talk: &Talk| said(talk).any(|t| t == *text);
                self.until("the message was not taken", |_, talk| mine(talk)).map(drop)
            }
            AgentStep::Hears(text) => {
                let wanted = text.to_lowercase();
                let heard = |talk: &Talk| {
                    let of_guest = talk.conversation.entries.iter().filter(|e| e.what.side() == Side::Guest);
                    of_guest.filter_map(|e| text_of(&e.what)).any(|t| t.to_lowercase().contains(&wanted))
                };
                self.until("no such message was heard", |_, talk| heard(talk)).map(drop)
            }
            AgentStep::Is(stage) => {
                let what = format!("the agent was not {}", stage.word());
                self.until(&what, |desk, talk| desk.stage(talk) == *stage).map(drop)
            }
            AgentStep::Deed(deed, _) => self.deed(deed.as_ref().clone()),
            AgentStep::Presence(is) => self.wish(Wish::Desk(DeskWish::Presence { is: is.clone() })),
            AgentStep::Transfer(to) => {
                let other = to.strip_prefix("agent").and_then(|n| if n.is_empty() { Some(1) } else { n.parse().ok() });
                let user = other
                    .and_then(|n: usize| self.agents.get(n.checked_sub(1)?))
                    .and_then(|id| self.headless.view(*id)?.desk.as_ref().map(|d| d.me().to_owned()));
                let to = match user {
                    Some(user) => Target::User(user),
                    None => Target::Queue(self.queue(to)?),
                };
                self.deed(Deed::Transfer { to })
            }
            AgentStep::WrapUp(name) => {
                self.until("there was nothing to wrap up", |_, _| true)?;
                self.deed(Deed::WrapupCodes)?;
                let talk = self.until("there were no wrap-up codes", |_, talk| !talk.codes.is_empty())?;
                let Some(code) = talk.codes.iter().find(|c| c.name.eq_ignore_ascii_case(name)) else {
                    let known: Vec<&str> = talk.codes.iter().map(|c| c.name.as_str()).collect();
                    let what = format!("“{name}” is none of {}.", known.join(", "));
                    return Err(Report::new("no-code", "There is no such wrap-up code", what));
                };
                let id = code.id.clone();
                self.deed(Deed::WrapUp { code: Some(id.clone()), notes: String::new() })?;
                let done = |talk: &Talk| talk.people.iter().any(|p| p.wrapup.as_deref() == Some(id.as_str()));
                self.until("the wrap-up was not taken", |_, talk| done(talk)).map(drop)
            }
        }
    }

    /// Id of a queue of this agent, by its id or name.
    fn queue(&self, wanted: &str) -> Result<String, Report> {
        let view = self.headless.view(self.session()?);
        let queues = view.as_ref().and_then(|v| v.desk.as_ref()).map_or(&[][..], |d| &d.queues);
        let found = queues.iter().find(|q| q.id == wanted || q.name.eq_ignore_ascii_case(wanted));
        found.map(|q| q.id.clone()).ok_or_else(|| {
            let known: Vec<&str> = queues.iter().map(|q| q.name.as_str()).collect();
            let what = format!("“{wanted}” is neither an agent of the scenario nor one of: {}.", known.join(", "));
            Report::new("no-target", "There is nobody to hand over to", what)
        })
    }

    fn deed(&self, deed: Deed) -> Result<(), Report> {
        let talk = self.until("no conversation came", |_, _| true)?;
        self.wish(Wish::Desk(DeskWish::In { conversation: talk.id.clone(), deed }))
    }

    fn wish(&self, wish: Wish) -> Result<(), Report> {
        let session = self.session()?;
        self.headless.console.engine.send(Command::Wish { session, wish })
    }
}

fn text_of(what: &What) -> Option<&str> {
    match what {
        What::Message(m) => m.text.as_deref(),
        _ => None,
    }
}

fn said(talk: &Talk) -> impl Iterator<Item = &str> {
    talk.conversation.entries.iter().filter_map(|e| text_of(&e.what))
}

/// Waits until both ends are as the step says. What is to stay away is looked for once all else is there.
pub fn ends(headless: &Headless, guest: SessionId, step: &EndsStep, limit: Duration) -> Result<(), Report> {
    let odd = |pair: &Pair| -> Vec<Odd> {
        let now = headless.console.clock.now().mono;
        pair.oddities(now).into_iter().map(|o| o.odd).collect()
    };
    let fits = |pair: &Pair| match step {
        EndsStep::Joined => pair.proof.is_certain(),
        EndsStep::Messages(n) => {
            pair.journeys.iter().filter(|j| j.guest.is_some() && !j.agents.is_empty()).count() == *n
        }
        EndsStep::NothingOdd => odd(pair).is_empty(),
        EndsStep::Odd(word) => odd(pair).iter().any(|o| o.word() == word),
    };
    let found = headless.until(limit, |h| h.board().ends.of(guest, None).filter(|p| fits(p)).map(|_| ()));
    found.ok_or_else(|| {
        let board = headless.board();
        let Some(pair) = board.ends.of(guest, None) else {
            let what = "No evidence joins this guest's session to a conversation of an agent.";
            return Report::new("not-joined", "The two ends are not joined", what);
        };
        let what = format!("Joined because {}; {} messages.", pair.proof.sentence(), pair.journeys.len());
        let report = Report::new("other-ends", "Both ends came to something else", what);
        odd(pair).iter().fold(report, |r, o| r.detail(o.sentence()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_can() {
        assert!(matches!(EndsStep::parse("3 messages"), Ok(EndsStep::Messages(3))));
        assert!(matches!(EndsStep::parse("nothing odd"), Ok(EndsStep::NothingOdd)));
        assert!(EndsStep::parse("fine").unwrap_err().contains("joined"));
        assert!(deed("dance").unwrap_err().contains("answer, hold"));
        assert!(of_key("is", "asleep".into()).unwrap_err().contains("alerting"));
        assert!(of_key("shout", "x".into()).unwrap_err().contains("hears"));
    }
}
