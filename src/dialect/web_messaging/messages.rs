//! What the guest says, and what becomes of it.
//!
//! Every send has an end: delivered (an echo, or history has it), refused, not sent, or unconfirmed. What may have
//! been delivered is never sent again; only a 429 is, since it says that nothing was taken.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::offers;
use super::wire::inbound::Message;
use super::wire::outbound::{Asked, Channel, Custom, Id, Metadata, Occasion, Piece, Pressed, Request, Say, Word};
use super::{Cx, Socket, WebMessaging};
use crate::dialect::budget::Budget;
use crate::dialect::{At, Button, Wish};
use crate::model::environment::secs;
use crate::model::fact::{Delivery, SessionState};
use crate::model::{Environment, Flags, Mono, Report, Secret, SecretKind, Wall};

/// Times that a message is sent, at most, when 429 asks for patience.
const TRIES: u32 = 3;
/// A server that asks for more patience than this is taken to refuse.
const LONGEST_PATIENCE: Duration = Duration::from_secs(600);
/// Unconfirmed sends that are remembered for a late echo.
const REMEMBERED: usize = 512;
/// The vendor's clients send a typing indication at most this often.
const TYPING_EVERY: Duration = Duration::from_secs(5);
/// By how much the server's time of a message may lie before our time of sending, as far as the clocks are known.
const SLACK: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Message,
    Typing,
    Clear,
    /// Presence Join.
    Join,
    /// Written by hand: any answer will do.
    Raw,
}

// No `Debug`: the frame holds the session token.
struct Sent {
    tracing: String,
    what: What,
    frame: String,
    flags: Flags,
    text: Option<String>,
    /// The server's clock when it was sent first.
    at: Wall,
    tries: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// On the wire; the echo is awaited until then.
    Flying(Mono),
    /// Refused with 429; to be sent again then.
    Retrying(Mono),
    /// Its connection broke. What is read after reconnecting will tell.
    Doubtful,
    /// No echo came. A late one is still welcome.
    Unconfirmed,
}

/// The sends whose end is not known, in the order of sending.
pub(super) struct Outbox {
    open: BTreeMap<u64, Sent>,
    unconfirmed: BTreeMap<u64, Sent>,
    by_tracing: HashMap<String, u64>,
    counted: u64,
    typing: Budget,
    /// Bytes allowed in custom attributes, as the server said last.
    pub attribute_bytes: usize,
}

impl Outbox {
    pub fn new(env: &Environment) -> Self {
        Self {
            open: BTreeMap::new(),
            unconfirmed: BTreeMap::new(),
            by_tracing: HashMap::new(),
            counted: 0,
            typing: Budget::new(1, TYPING_EVERY),
            attribute_bytes: env.limits.attribute_bytes as usize,
        }
    }

    fn add(&mut self, sent: Sent) {
        self.counted += 1;
        self.by_tracing.insert(sent.tracing.clone(), self.counted);
        self.open.insert(self.counted, sent);
    }

    fn get(&mut self, tracing: &str) -> Option<(u64, &mut Sent)> {
        let n = *self.by_tracing.get(tracing)?;
        self.open.get_mut(&n).or_else(|| self.unconfirmed.get_mut(&n)).map(|s| (n, s))
    }

    fn remove(&mut self, n: u64) -> Option<Sent> {
        let sent = self.open.remove(&n).or_else(|| self.unconfirmed.remove(&n))?;
        self.by_tracing.remove(&sent.tracing);
        Some(sent)
    }

    fn take(&mut self, tracing: &str) -> Option<Sent> {
        let n = *self.by_tracing.get(tracing)?;
        self.remove(n)
    }

    /// Puts a send among the unconfirmed, and forgets the oldest of those where there are too many.
    fn give_up_on(&mut self, n: u64) -> Option<String> {
        let mut sent = self.open.remove(&n)?;
        sent.stage = Stage::Unconfirmed;
        let tracing = sent.tracing.clone();
        self.unconfirmed.insert(n, sent);
        if self.unconfirmed.len() > REMEMBERED
            && let Some((_, old)) = self.unconfirmed.pop_first()
        {
            self.by_tracing.remove(&old.tracing);
        }
        Some(tracing)
    }

    /// The connection broke and another will be opened.
    pub fn doubt_all(&mut self) {
        for sent in self.open.values_mut() {
            if let Stage::Flying(_) = sent.stage {
                sent.stage = Stage::Doubtful;
            }
        }
    }

    fn numbers(&self, fits: impl Fn(&Sent) -> bool) -> Vec<u64> {
        self.open.iter().filter(|(_, s)| fits(s)).map(|(n, _)| *n).collect()
    }

    pub fn wait(&self, at: At, can_retry: bool) -> Option<Duration> {
        let due = |s: &Sent| match s.stage {
            Stage::Flying(until) => Some(until),
            Stage::Retrying(then) if can_retry => Some(then),
            _ => None,
        };
        self.open.values().filter_map(due).min().map(|t| t.since(at.now.mono))
    }
}

/// How a send was recognised in history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    ById,
    /// Equal text, not before the time of sending.
    ByText,
}

impl WebMessaging {
    pub(super) fn wish_to_say(&mut self, cx: &mut Cx<'_>, wish: Wish) {
        match wish {
            Wish::Text { tracing, text, attributes, attachments } => {
                let content: Vec<_> =
                    attachments.iter().map(|id| Piece::Attachment { attachment: Id { id } }).collect();
                let only_files = text.is_empty() && !content.is_empty();
                let say = Say {
                    kind: (!only_files).then_some("Text"),
                    text: (!only_files).then_some(text.as_str()),
                    content,
                    ..Say::default()
                };
                self.say(cx, What::Message, &tracing, say, &attributes);
            }
            Wish::Answer { tracing, button, text, payload } => {
                let (kind, shown, pressed) = match button {
                    Button::QuickReply => ("Structured", text.as_str(), "QuickReply"),
                    Button::QuickReplyAsText => ("Text", "", "QuickReply"),
                    Button::Postback => ("Structured", text.as_str(), "Button"),
                };
                let pressed = Pressed::new(pressed, &text, &payload);
                let say = Say {
                    kind: Some(kind),
                    text: Some(shown),
                    content: vec![Piece::ButtonResponse { button_response: pressed }],
                    ..Say::default()
                };
                self.say(cx, What::Message, &tracing, say, &[]);
            }
            Wish::Pick { ref tracing, .. } => {
                if let Some((mut say, parent)) = offers::say(&wish) {
                    say.metadata = parent.map(|p| Metadata { custom_message_id: tracing, parent: Some(p) });
                    self.say(cx, What::Message, tracing, say, &[]);
                }
            }
            Wish::Typing { tracing } => {
                let typing = Occasion::Typing { typing: Word { kind: "On" } };
                self.say(cx, What::Typing, &tracing, event(typing), &[]);
            }
            Wish::Join { tracing } => self.join(cx, &tracing),
            Wish::Clear { tracing } => {
                let clear = Occasion::Presence { presence: Word { kind: "Clear" } };
                self.say(cx, What::Clear, &tracing, event(clear), &[]);
            }
            _ => {}
        }
    }

    pub(super) fn join(&mut self, cx: &mut Cx<'_>, tracing: &str) {
        let join = Occasion::Presence { presence: Word { kind: "Join" } };
        self.say(cx, What::Join, tracing, event(join), &[]);
    }

    fn say<'a>(
        &mut self,
        cx: &mut Cx<'_>,
        what: What,
        tracing: &'a str,
        mut say: Say<'a>,
        attributes: &'a [(String, String)],
    ) {
        if self.outbox.by_tracing.contains_key(tracing) {
            cx.fault(Report::new(
                "tracing-in-use",
                "The message was not sent",
                format!("The tracing id {tracing} belongs to a message whose end is not known yet."),
            ));
            return;
        }
        if let Err(why) = self.may_say(cx.now(), what, say.text, attributes) {
            cx.delivery(tracing, Delivery::NotSent { why });
            return;
        }
        let custom = (!attributes.is_empty()).then_some(Channel { metadata: Custom { custom_attributes: attributes } });
        let mut request =
            Request { action: "onMessage", token: self.token.expose(), tracing_id: tracing, ..Request::default() };
        if self.env.attributes_at_top {
            request.channel = custom;
        } else {
            say.channel = custom;
        }
        let text = say.text.filter(|t| !t.is_empty()).map(str::to_owned);
        if what == What::Message {
            say.metadata.get_or_insert(Metadata { custom_message_id: tracing, parent: None });
        }
        request.message = Some(say);
        let frame = request.json();
        if what == What::Clear {
            self.clear_asked(true);
        }
        let flags = if what == What::Typing { Flags::TYPING } else { Flags::STORY };
        self.launch(cx, what, tracing.to_owned(), frame, flags, text);
    }

    fn launch(
        &mut self,
        cx: &mut Cx<'_>,
        what: What,
        tracing: String,
        frame: String,
        flags: Flags,
        text: Option<String>,
    ) {
        self.send(cx, frame.clone(), flags, Some(tracing.clone()));
        cx.delivery(&tracing, Delivery::Sent);
        let stage = Stage::Flying(cx.now() + secs(self.env.timings.echo_secs));
        self.outbox.add(Sent { tracing, what, frame, flags, text, at: cx.server(), tries: 1, stage });
    }

    fn may_say(
        &mut self,
        now: Mono,
        what: What,
        text: Option<&str>,
        attributes: &[(String, String)],
    ) -> Result<(), String> {
        if !self.is_configured() {
            return Err(format!("the session is {}", self.state.word()));
        }
        // Clearing is a way out of a read-only conversation; the server will say whether it allows it.
        if self.state == SessionState::ReadOnly && what != What::Clear {
            return Err("the conversation is read-only: start a new session first".into());
        }
        let limit = self.env.limits.message_bytes as usize;
        if let Some(len) = text.map(str::len).filter(|len| *len > limit) {
            return Err(format!("text has {len} bytes of UTF-8; the limit is {limit}"));
        }
        let len: usize = attributes.iter().map(|(k, v)| k.len() + v.len()).sum();
        let limit = self.outbox.attribute_bytes;
        if len > limit {
            return Err(format!("custom attributes have {len} bytes of UTF-8; the limit is {limit}"));
        }
        if what == What::Typing
            && let Err(wait) = self.outbox.typing.try_spend(now)
        {
            let millis = wait.as_millis();
            return Err(format!("typing is sent at most once in {} s; {millis} ms to go", TYPING_EVERY.as_secs()));
        }
        Ok(())
    }

    /// Sends a text as it is, and follows it where it carries a tracing id.
    pub(super) fn raw(&mut self, cx: &mut Cx<'_>, text: String) {
        let asked: Asked<'_> = serde_json::from_str(&text).unwrap_or_default();
        let tracing = asked.tracing.filled();
        if self.socket != Socket::Open {
            match &tracing {
                Some(id) => {
                    let why = format!("there is no open socket: the session is {}", self.state.word());
                    cx.delivery(id, Delivery::NotSent { why });
                }
                None => drop(self.needs_socket(cx, "The raw frame")),
            }
            return;
        }
        // Another guest's identity in a raw frame is as secret as our own.
        if let Some(token) = asked.token.get().filter(|t| t.len() >= 8 && t != self.token.expose()) {
            cx.act(super::Action::Learn { kind: SecretKind::SessionToken, value: Secret::from(token) });
        }
        let flags = super::frames::sent_flags(&asked);
        match tracing {
            Some(id) if !self.outbox.by_tracing.contains_key(&id) => {
                let text_said = asked.message.text.filled();
                drop(asked);
                self.launch(cx, What::Raw, id, text, flags, text_said);
            }
            tracing => {
                drop(asked);
                self.send(cx, text, flags, tracing);
            }
        }
    }

    /// An answer or echo under this tracing id: the server has it. False where nobody waits for it.
    pub(super) fn delivered(&mut self, cx: &mut Cx<'_>, tracing: &str) -> bool {
        let Some(sent) = self.outbox.take(tracing) else { return false };
        cx.delivery(&sent.tracing, Delivery::Delivered);
        true
    }

    /// As [`Self::delivered`], for raw frames only: any answer will do.
    pub(super) fn answered(&mut self, cx: &mut Cx<'_>, tracing: &str) {
        if self.outbox.get(tracing).is_some_and(|(_, s)| s.what == What::Raw) {
            self.delivered(cx, tracing);
        }
    }

    /// The server refused the send of this tracing id. None where there is none.
    pub(super) fn refused(&mut self, cx: &mut Cx<'_>, tracing: &str, code: i32, text: &str) -> Option<What> {
        let sent = self.outbox.take(tracing)?;
        if sent.what == What::Clear {
            self.clear_asked(false);
        }
        cx.delivery(&sent.tracing, Delivery::Refused { code, text: text.to_owned() });
        Some(sent.what)
    }

    /// 429 for the send of this tracing id. False where there is none.
    pub(super) fn too_many(&mut self, cx: &mut Cx<'_>, tracing: &str, after: Duration, text: &str) -> bool {
        let again = self.env.retry_after_429 && after <= LONGEST_PATIENCE;
        let Some((_, sent)) = self.outbox.get(tracing) else { return false };
        match sent.stage {
            // Said twice.
            Stage::Retrying(_) => return true,
            // A raw frame is the tester's own; typing is stale by then.
            Stage::Flying(_) if again && sent.tries < TRIES && !matches!(sent.what, What::Raw | What::Typing) => {
                sent.stage = Stage::Retrying(cx.now() + after);
                let attempt = sent.tries + 1;
                let at = cx.wall_in(after);
                cx.delivery(tracing, Delivery::Retrying { at, attempt, why: format!("429: {text}") });
            }
            _ => drop(self.refused(cx, tracing, 429, text)),
        }
        true
    }

    pub(super) fn can_retry(&self) -> bool {
        self.is_configured()
    }

    pub(super) fn tick_outbox(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let patience = self.env.timings.echo_secs;
        for n in self.outbox.numbers(|s| matches!(s.stage, Stage::Flying(t) if t <= now)) {
            // A server need not echo typing.
            if self.outbox.open.get(&n).is_some_and(|s| s.what == What::Typing) {
                self.outbox.remove(n);
            } else if let Some(tracing) = self.outbox.give_up_on(n) {
                cx.delivery(&tracing, Delivery::Unconfirmed { why: format!("no echo for {patience} s") });
            }
        }
        if !self.can_retry() {
            return;
        }
        for n in self.outbox.numbers(|s| matches!(s.stage, Stage::Retrying(t) if t <= now)) {
            if self.state == SessionState::ReadOnly {
                self.refuse_retry(cx, n, "the conversation became read-only before the next try");
                continue;
            }
            let Some(sent) = self.outbox.open.get_mut(&n) else { continue };
            sent.tries += 1;
            sent.stage = Stage::Flying(now + secs(patience));
            let (frame, tracing, flags) = (sent.frame.clone(), sent.tracing.clone(), sent.flags);
            self.send(cx, frame, flags, Some(tracing.clone()));
            cx.delivery(&tracing, Delivery::Sent);
        }
    }

    fn refuse_retry(&mut self, cx: &mut Cx<'_>, n: u64, why: &str) {
        if let Some(sent) = self.outbox.remove(n) {
            cx.delivery(&sent.tracing, Delivery::Refused { code: 429, text: why.to_owned() });
        }
    }

    /// No reconnecting: what has no echo now is unconfirmed, what was to be sent again is refused.
    pub(super) fn session_over(&mut self, cx: &mut Cx<'_>, why: &str) {
        for n in self.outbox.numbers(|s| matches!(s.stage, Stage::Retrying(_))) {
            self.refuse_retry(cx, n, &format!("{why}, before the next try"));
        }
        for n in self.outbox.numbers(|_| true) {
            if let Some(tracing) = self.outbox.give_up_on(n) {
                cx.delivery(&tracing, Delivery::Unconfirmed { why: format!("{why}, before an echo") });
            }
        }
    }

    /// What was doubtful after a lost connection stays unconfirmed.
    pub(super) fn doubts_end(&mut self, cx: &mut Cx<'_>, why: &str) {
        for n in self.outbox.numbers(|s| s.stage == Stage::Doubtful) {
            if let Some(tracing) = self.outbox.give_up_on(n) {
                cx.delivery(&tracing, Delivery::Unconfirmed { why: why.to_owned() });
            }
        }
    }

    /// A message of history that was not seen live: is it one whose end is not known?
    pub(super) fn find_sent(&mut self, cx: &mut Cx<'_>, m: &Message<'_>) -> Option<Found> {
        if let Some(id) = m.metadata.custom_message_id.get()
            && self.delivered(cx, id)
        {
            return Some(Found::ById);
        }
        let text = m.text.get().filter(|t| !t.is_empty())?;
        let time = Wall::parse_rfc3339(m.channel.time.get()?)?;
        let open = self.outbox.open.iter().filter(|(_, s)| s.stage == Stage::Doubtful);
        let (n, _) = self
            .outbox
            .unconfirmed
            .iter()
            .chain(open)
            .filter(|(_, s)| s.text.as_deref() == Some(text) && time + SLACK >= s.at)
            .max_by_key(|(n, _)| **n)?;
        let sent = self.outbox.remove(*n)?;
        cx.delivery(&sent.tracing, Delivery::Delivered);
        Some(Found::ByText)
    }
}

fn event<'a>(occasion: Occasion) -> Say<'a> {
    Say { kind: Some("Event"), events: vec![occasion], ..Say::default() }
}
