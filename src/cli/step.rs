//! The steps of a script, and how each is read.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::answer::Answer;
use super::desk::{AgentStep, EndsStep};
use super::duration_secs;
use super::explain::LintStep;
use super::login::AnyLogin;
use super::script::{Pattern, Text};
use crate::capture::Filter;
use crate::dialect::{FlowWish, Wish};
use crate::model::fact::ClockDeed;
use crate::model::flows::SendForm;
use crate::sandbox::Order;

/// One step. The first three are those of other testers' scripts.
#[derive(Debug)]
pub enum Step {
    Say(String),
    /// The next reply that contains this, whatever the case.
    Containing(String),
    /// The next reply that matches.
    Matching(Pattern),
    /// A message whose fate is asked for by [`Step::Fate`], in a form of its own where one is named.
    Send {
        text: String,
        form: Option<SendForm>,
    },
    /// An answer to the newest picker or form; the server must take it.
    Answer(Answer),
    /// What becomes of the last message: `delivered`, `refused`, `not-sent`, `unconfirmed`, and a part of why.
    Fate {
        word: String,
        part: String,
    },
    /// What the sandbox shall do.
    Order(Box<Order>),
    /// Let so much time pass, for console and sandbox alike; whatever is due meanwhile happens.
    Pass(Duration),
    /// Move the clock at once; what was due meanwhile is due now.
    Jump(Duration),
    /// What the guest wants beside talking.
    Do(Box<Wish>, String),
    /// A state of the session, and a part of why it ended.
    State {
        word: String,
        part: String,
    },
    /// A record that this filter shows, after the last one that was found.
    Record(Box<Filter>),
    /// So many records of the scenario so far are shown by this filter.
    Count(usize, Box<Filter>),
    /// Something that failed is explained by this cause, before all others. The explanation is printed.
    Why(String),
    /// What the records break of the protocol, or do not.
    Lint(LintStep),
    /// What an agent of the scenario does or hears: its place, and what.
    Agent(usize, AgentStep),
    /// What both ends of the guest's conversation must come to.
    Ends(EndsStep),
    /// Printed, to tell what follows.
    Point(String),
}

/// What a session can be; a test holds that these are the words of the model.
const STATES: [&str; 8] =
    ["new", "connecting", "connected", "configuring", "ready", "read-only", "reconnecting", "ended"];

/// The longest time that is played in pieces: that of the longest session.
const LONGEST_PASS: Duration = Duration::from_secs(72 * 3600);

/// Names of all steps, for whoever mistypes one.
const KNOWN: &str = "say, waitForReplyContaining, waitForReplyMatching, send, answer, sign-in, fate, order, pass, \
                     jump, do, profile, request, raw, clock, state, record, count, why, lint, agent, \
                     agent2, ends, point";

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Say(text) => write!(f, "say: {text}"),
            Self::Containing(text) => write!(f, "waitForReplyContaining: {text}"),
            Self::Matching(pattern) => write!(f, "waitForReplyMatching: {}", pattern.source),
            Self::Send { text, form: None } => write!(f, "send: {text}"),
            Self::Send { text, form: Some(form) } => write!(f, "send: {text}, {}", form.title()),
            Self::Answer(answer) => write!(f, "answer: {}", answer.kind()),
            Self::Fate { word, part } => write!(f, "fate: {word} {part}"),
            Self::Order(order) => write!(f, "order: {}", order_text(order)),
            Self::Agent(0, step) => write!(f, "agent: {step}"),
            Self::Agent(n, step) => write!(f, "agent{}: {step}", n + 1),
            Self::Ends(step) => write!(f, "ends: {step}"),
            Self::Pass(time) => write!(f, "pass: {} s", time.as_secs()),
            Self::Jump(time) => write!(f, "jump: {} s", time.as_secs()),
            Self::Do(_, name) => write!(f, "do: {name}"),
            Self::State { word, part } => write!(f, "state: {word} {part}"),
            Self::Record(filter) => write!(f, "record: {}", filter.text()),
            Self::Count(n, filter) => write!(f, "count: {n} {}", filter.text()),
            Self::Why(cause) => write!(f, "why: {cause}"),
            Self::Lint(step) => write!(f, "lint: {step}"),
            Self::Point(text) => f.write_str(text),
        }
    }
}

/// As it is written in a script. A member of JSON by the name of a token would be taken for one, and be replaced.
fn order_text(order: &Order) -> String {
    let all = serde_json::to_value(order).unwrap_or_default();
    let members = all.as_object().into_iter().flatten().filter(|(_, v)| !v.is_null());
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let mut parts: Vec<String> = members.map(|(name, v)| format!("{name} {}", text(v))).collect();
    parts.sort_by_key(|p| !p.starts_with("do "));
    parts.join(", ")
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Step;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a step: {KNOWN}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Step, A::Error> {
                let Some(Text(key)) = map.next_key()? else { return Err(de::Error::custom("an empty step")) };
                let step = match key.as_str() {
                    "send" => {
                        let Send { text: Text(text), form } = map.next_value()?;
                        Step::Send { text, form }
                    }
                    "answer" => {
                        let answer: Answer = map.next_value()?;
                        Step::Answer(answer.check()?)
                    }
                    "sign-in" => {
                        let AnyLogin(login) = map.next_value()?;
                        Step::Do(Box::new(Wish::SignIn(login)), "sign-in".into())
                    }
                    "order" => {
                        let order: Value = map.next_value()?;
                        let order = Order::parse(&order.to_string());
                        Step::Order(Box::new(order.map_err(|e| de::Error::custom(format!("order: {e}")))?))
                    }
                    "agent" => Step::Agent(0, map.next_value()?),
                    "agent2" => Step::Agent(1, map.next_value()?),
                    "profile" => {
                        let Pairs(attributes) = map.next_value()?;
                        Step::Do(Box::new(Wish::Flow(FlowWish::SyncProfile { attributes })), "profile".into())
                    }
                    "request" => {
                        let Request { method, path, body } = map.next_value()?;
                        let body = body.map(|b| b.to_string()).unwrap_or_default();
                        let name = format!("{method} {path}");
                        Step::Do(Box::new(Wish::Flow(FlowWish::Request { method, path, body })), name)
                    }
                    other => {
                        let Text(value) = map.next_value()?;
                        of_text(other, value).map_err(de::Error::custom)?
                    }
                };
                if map.next_entry::<Text, IgnoredAny>()?.is_some() {
                    return Err(de::Error::custom("a step has one key; begin each step with a dash"));
                }
                Ok(step)
            }
        }
        d.deserialize_map(V)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendMap {
    text: Text,
    #[serde(default)]
    form: Option<SendForm>,
}

/// A text, or a map with a text and its form.
struct Send {
    text: Text,
    form: Option<SendForm>,
}

impl<'de> Deserialize<'de> for Send {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Send;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a map of text and form")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Send, E> {
                Ok(Send { text: Text(text.to_owned()), form: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Send, A::Error> {
                let SendMap { text, form } = SendMap::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Send { text, form })
            }
        }
        d.deserialize_any(V)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    method: String,
    path: String,
    #[serde(default)]
    body: Option<Value>,
}

/// A map of texts, in its order.
pub struct Pairs(pub Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names with their values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut all = Vec::new();
                while let Some((Text(name), Text(value))) = map.next_entry()? {
                    all.push((name, value));
                }
                Ok(Pairs(all))
            }
        }
        d.deserialize_map(V)
    }
}

fn of_text(key: &str, value: String) -> Result<Step, String> {
    let (word, part) = match value.trim().split_once(' ') {
        Some((word, part)) => (word.to_owned(), part.trim().to_owned()),
        None => (value.trim().to_owned(), String::new()),
    };
    let time = || duration_secs(&value).map(|s| Duration::from_secs(s.into())).map_err(|e| format!("{key}: {e}"));
    let filter = || Filter::parse(&value).map(Box::new).map_err(|e| format!("{key}: {e}"));
    Ok(match key {
        "say" if value.is_empty() => return Err("say: the text is empty".into()),
        "say" => Step::Say(value),
        "waitForReplyContaining" => Step::Containing(value),
        "waitForReplyMatching" => Step::Matching(
            Pattern::new(value)
                .map_err(|e| format!("waitForReplyMatching: not a JavaScript regular expression: {e}"))?,
        ),
        "fate" if !matches!(word.as_str(), "delivered" | "refused" | "not-sent" | "unconfirmed") => {
            return Err(format!("fate: “{word}” is none of delivered, refused, not-sent, unconfirmed"));
        }
        "fate" => Step::Fate { word, part },
        "state" if !STATES.contains(&word.as_str()) => {
            return Err(format!("state: “{word}” is none of {}", STATES.join(", ")));
        }
        "state" if word != "ended" && !part.is_empty() => {
            return Err(format!("state: only “ended” has a reason to look for; “{part}” stands after {word}"));
        }
        "state" => Step::State { word, part },
        "pass" => match time()? {
            time if time > LONGEST_PASS => {
                let most = LONGEST_PASS.as_secs() / 3600;
                return Err(format!("pass: {} is more than {most}h; “jump: {0}” goes there at once", value.trim()));
            }
            time => Step::Pass(time),
        },
        "jump" => Step::Jump(time()?),
        "do" => Step::Do(Box::new(wish(&value)?), value),
        "clock" => Step::Do(Box::new(clock(&word, &part)?), format!("clock {value}")),
        "raw" if value.trim().is_empty() => return Err("raw: the frame is empty".into()),
        "raw" => Step::Do(Box::new(Wish::Raw { text: value }), "raw".into()),
        "record" => Step::Record(filter()?),
        "count" => {
            let n = word.parse().map_err(|_| format!("count: “{word}” is no number; write a number, then a filter"))?;
            Step::Count(n, Filter::parse(&part).map(Box::new).map_err(|e| format!("count: {e}"))?)
        }
        "why" => Step::Why(value.trim().to_owned()),
        "lint" => Step::Lint(LintStep::parse(&value)?),
        "ends" => Step::Ends(EndsStep::parse(&value)?),
        "point" => Step::Point(value),
        other => return Err(format!("unknown step “{other}”; known are {KNOWN}")),
    })
}

fn wish(name: &str) -> Result<Wish, String> {
    Ok(match name.trim() {
        "connect" => Wish::Connect,
        "leave" => Wish::Leave { code: 1000, reason: "closed by the user".into() },
        "history" => Wish::History { all: true },
        "start-new" => Wish::StartNew,
        "sign-out" => Wish::SignOut,
        "refresh" => Wish::Flow(FlowWish::Refresh { form: None }),
        "heartbeat" => Wish::Flow(FlowWish::Heartbeat),
        "check-queue" => Wish::Flow(FlowWish::CheckQueue),
        other => {
            let known = "connect, leave, history, start-new, sign-out, refresh, heartbeat, check-queue";
            return Err(format!("do: “{other}” is none of {known}"));
        }
    })
}

const DEEDS: &str = "refresh, expire, corrupt, forget";

fn clock(id: &str, deed: &str) -> Result<Wish, String> {
    let deed = match deed {
        "refresh" => ClockDeed::Refresh,
        "expire" => ClockDeed::Expire,
        "corrupt" => ClockDeed::Corrupt,
        "forget" => ClockDeed::Forget,
        "" => return Err(format!("clock: what shall “{id}” do? Write its id, then {DEEDS}")),
        other => return Err(format!("clock: “{other}” is none of {DEEDS}")),
    };
    Ok(Wish::Clock { id: id.to_owned(), deed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Wall;
    use crate::model::fact::{End, SessionState};

    #[test]
    fn each_state_of_a_session_has_its_word_here() {
        let all = [
            SessionState::New,
            SessionState::Connecting,
            SessionState::Connected,
            SessionState::Configuring,
            SessionState::Ready,
            SessionState::ReadOnly,
            SessionState::Reconnecting { attempt: 1, at: Wall(0) },
            SessionState::Ended(End::ByUser),
        ];
        assert_eq!(all.map(|s| s.word()), STATES);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (key, value, part) in [
            ("state", "endde", "endde"),
            ("state", "ready at once", "only “ended”"),
            ("pass", "999999h", "jump: 999999h"),
            ("pass", "73h", "more than 72h"),
            ("clock", "guest-jwt", "guest-jwt"),
            ("clock", "guest-jwt explode", "explode"),
            ("do", "nothing", "nothing"),
        ] {
            let error = of_text(key, value.to_owned()).unwrap_err();
            assert!(error.starts_with(key) && error.contains(part), "{error}");
        }
        assert!(matches!(of_text("pass", "72h".into()), Ok(Step::Pass(_))));
        assert!(matches!(of_text("jump", "73h".into()), Ok(Step::Jump(_))));
        assert!(matches!(of_text("state", "ended 401".into()), Ok(Step::State { .. })));
    }
}
