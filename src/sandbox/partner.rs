//! The scripted partner at the other end of a conversation: what it answers to what is said.
//!
//! It greets on a Join or the first message, types before it answers, and knows the words of [`HELP`].

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::attach;
use super::deployment::DisconnectMode;
use super::frame::Entity;
use super::picture;
use super::platform;
use super::rich::{self, Offer};
use super::state::State;
use crate::model::Now;

/// Between typing and the answer, by the computer's own clock.
pub(super) const PAUSE: Duration = Duration::from_millis(350);

/// Longest part of a guest's text that is said back, so that the answer is never refused for its length.
const QUOTE: usize = 3000;

const HELP: &str = "Words that do something here: quick (quick replies), card, carousel, date, list, form, file, \
                    attributes, agent (a person's message), bye (ends the conversation), help. Everything else is \
                    said back.";

/// What a guest said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Joined,
    Text(String),
    /// An answer to quick replies, a card or another rich message.
    Button {
        kind: String,
        text: String,
        payload: String,
    },
    /// Ids of files, without a text.
    Files(Vec<String>),
}

impl Said {
    pub(super) fn of(text: Option<&str>, content: &[Value]) -> Self {
        if let Some((kind, text, payload)) = rich::chosen(content) {
            return Self::Button { kind, text, payload };
        }
        match text {
            Some(text) => Self::Text(text.to_owned()),
            None => {
                Self::Files(content.iter().filter_map(|p| p["attachment"]["id"].as_str().map(str::to_owned)).collect())
            }
        }
    }
}

/// What the partner does, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Shows itself typing, then waits for [`PAUSE`].
    Type,
    Say(String),
    /// As a person instead of a bot.
    SayAsAgent(String),
    Rich {
        text: String,
        content: Vec<Value>,
    },
    /// A picker or a form.
    Offer(Offer),
    /// A picture and a text, both real.
    SendFile,
    /// Tells the custom attributes that it knows of.
    TellAttributes,
    Leave,
}

/// What is done about what was said. `first` where nothing was answered in this session yet.
pub(super) fn answer(said: &Said, first: bool) -> Vec<Step> {
    let mut steps = vec![Step::Type];
    if first {
        steps.push(Step::Say("Hello, this is the sandbox. Say “help” to see what it can do.".to_owned()));
        if *said == Said::Joined {
            return steps;
        }
        steps.push(Step::Type);
    }
    match said {
        Said::Joined => return Vec::new(),
        Said::Button { kind, text, payload } => {
            steps.push(Step::Say(format!("You chose: {} ({kind}, payload “{}”)", quote(text), quote(payload))));
        }
        Said::Files(ids) => steps.push(Step::Say(format!("You sent {} file(s).", ids.len()))),
        Said::Text(text) => match text.trim().to_lowercase().as_str() {
            "help" => steps.push(Step::Say(HELP.to_owned())),
            "quick" => steps.push(quick_replies()),
            "card" => steps.push(Step::Rich {
                text: "A card".to_owned(),
                content: vec![json!({ "contentType": "Card", "card": card("Card", "a") })],
            }),
            "carousel" => steps.push(Step::Rich {
                text: "A carousel".to_owned(),
                content: vec![json!({ "contentType": "Carousel", "carousel": { "cards": [
                    card("First card", "a"), card("Second card", "b"), card("Third card", "c"),
                ] } })],
            }),
            "date" => steps.push(Step::Offer(Offer::Date)),
            "list" => steps.push(Step::Offer(Offer::List)),
            "form" => steps.push(Step::Offer(Offer::Form)),
            "file" => steps.push(Step::SendFile),
            "attributes" => steps.push(Step::TellAttributes),
            "agent" => steps.push(Step::SayAsAgent("A person speaks now.".to_owned())),
            "bye" => {
                steps.push(Step::Say("Goodbye.".to_owned()));
                steps.push(Step::Leave);
            }
            _ => steps.push(Step::Say(format!("You said: {}", quote(text)))),
        },
    }
    steps
}

fn quote(text: &str) -> &str {
    let mut end = text.len().min(QUOTE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn quick_replies() -> Step {
    let reply = |text: &str, payload: &str| {
        json!({ "contentType": "QuickReply", "quickReply": {
        "text": text, "payload": payload, "action": "Message",
    } })
    };
    Step::Rich {
        text: "Which one?".to_owned(),
        content: vec![reply("Yes", "yes"), reply("No", "no"), reply("Perhaps", "perhaps")],
    }
}

fn card(title: &str, key: &str) -> Value {
    json!({
        "title": title,
        "description": "Press a button to send its payload back.",
        "actions": [
            { "type": "Postback", "text": "Pick", "payload": format!("pick-{key}") },
            { "type": "Link", "text": "More", "url": "https://example.invalid/" },
        ],
    })
}

/// Carries out a step.
pub(super) fn perform(state: &mut State, session: u32, step: &Step, now: Now) {
    // Led to people meanwhile: what it still had to say is left out.
    if !platform::is_with_partner(state, session) {
        return;
    }
    match step {
        Step::Type => state.push_typing(session, now),
        Step::Say(text) => say(state, session, text, Entity::Bot, now),
        Step::SayAsAgent(text) => say(state, session, text, Entity::Human, now),
        Step::Rich { text, content } => structured(state, session, text, content.clone(), now),
        Step::Offer(offer) => {
            let (text, content) = offer.message(state, now);
            structured(state, session, text, content, now);
        }
        Step::SendFile => {
            for (name, mime, bytes) in [
                ("sandbox.png", "image/png", Bytes::from(picture::png())),
                ("sandbox.txt", "text/plain", Bytes::from_static(b"A file from the sandbox.\n")),
            ] {
                let id = state.files.keep(session, name, mime, bytes);
                let content = attach::content(state, session, &id, now);
                let mut message = state.outbound("Text", now);
                message.text = Some(format!("Here is {name}."));
                message.content = Some(vec![content]);
                state.push_outbound(session, message, now);
            }
        }
        Step::TellAttributes => {
            let known = state.sessions.get(&session).map(|s| Value::from_iter(s.attributes.clone()));
            let text = format!("Attributes: {}", known.unwrap_or(Value::Null));
            say(state, session, quote(&text), Entity::Bot, now);
        }
        Step::Leave => {
            // With the switch off the guest is never told, as with the real one.
            if state.deployment.conversation_disconnect != DisconnectMode::Off {
                state.push_disconnect(session, None, now);
            } else {
                platform::over(state, session, now);
            }
        }
    }
}

fn structured(state: &mut State, session: u32, text: &str, content: Vec<Value>, now: Now) {
    let mut message = state.outbound("Structured", now);
    message.text = Some(text.to_owned());
    message.content = Some(content);
    state.push_outbound(session, message, now);
}

/// A text to the guest.
pub(super) fn say(state: &mut State, session: u32, text: &str, entity: Entity, now: Now) {
    let mut message = state.outbound("Text", now);
    message.text = Some(text.to_owned());
    message.originating_entity = Some(entity);
    message.content = Some(Vec::new());
    state.push_outbound(session, message, now);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Said {
        Said::Text(text.to_owned())
    }

    #[test]
    fn it_greets_once_and_types_before_it_answers() {
        let steps = answer(&Said::Joined, true);
        assert!(matches!(&steps[..], [Step::Type, Step::Say(_)]));
        assert!(answer(&Said::Joined, false).is_empty());
        let steps = answer(&said("Hello"), true);
        assert!(matches!(&steps[..], [Step::Type, Step::Say(_), Step::Type, Step::Say(t)] if t == "You said: Hello"));
        assert_eq!(answer(&said("x"), false), [Step::Type, Step::Say("You said: x".into())]);
    }

    #[test]
    fn every_word_of_the_help_does_something() {
        for word in ["quick", "card", "carousel", "date", "list", "form", "file", "attributes", "agent", "bye", "help"]
        {
            assert!(HELP.contains(word));
            let echo = Step::Say(format!("You said: {word}"));
            assert!(!answer(&said(&format!(" {} ", word.to_uppercase())), false).contains(&echo), "{word}");
        }
    }

    #[test]
    fn an_answer_to_a_button_is_known_whatever_wraps_it() {
        let content = [json!({ "contentType": "ButtonResponse",
            "buttonResponse": { "type": "QuickReply", "text": "Yes", "payload": "yes" } })];
        let button = Said::Button { kind: "QuickReply".into(), text: "Yes".into(), payload: "yes".into() };
        assert_eq!(Said::of(None, &content), button);
        assert_eq!(Said::of(Some("Yes"), &content), button);
        let file = [json!({ "contentType": "Attachment", "attachment": { "id": "b1" } })];
        assert_eq!(Said::of(None, &file), Said::Files(vec!["b1".into()]));
        assert_eq!(Said::of(Some("see"), &file), said("see"));
    }

    #[test]
    fn a_long_text_is_said_back_in_part() {
        let long = "ä".repeat(4000);
        let Some(Step::Say(text)) = answer(&said(&long), false).pop() else { panic!() };
        assert!(text.len() < 3100 && text.ends_with('ä'));
    }
}
