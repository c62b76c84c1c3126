//! An agent's desk: who is signed in, and the conversations, each with its thread.

mod lines;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::conversation::{Conversation, What};
use super::ends;
use super::thread::{Thread, Told};
use crate::model::desk::{
    self, CannedReply, Colleague, Interaction, MOST_MESSAGES, Named, Participant, Purpose, QueueOf, Snapshot, Stage,
    Status, UserNews,
};
use crate::model::happening::{Side, Source};
use crate::model::{Happening, Message, Mono, Now};

/// Conversations that are shown; the oldest that is over goes, and is counted.
const TALKS: usize = 500;
/// Entries and bytes of one conversation on a desk: there are many of them.
const KEPT: usize = 2_000;
const KEPT_BYTES: usize = 8 << 20;
const LONGEST_TEXT: usize = 64 << 10;
/// A text that comes sooner needs no word.
pub const LOOKED_UP_WITHIN: Duration = Duration::from_secs(2);
/// Messages whose conversation is remembered by what we called them.
const TRACINGS: usize = 10_000;

/// What the window shows of a desk.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    /// Id, name and e-mail address of who is signed in.
    pub user: Option<(String, String, String)>,
    /// `OnQueue`, `Available` …; empty before it is known.
    pub presence: String,
    /// `IDLE`, `NOT_RESPONDING` …
    pub routing: String,
    pub presences: Vec<Named>,
    pub queues: Vec<QueueOf>,
    pub replies: Vec<CannedReply>,
    /// Users that were looked for last; none before anybody was.
    pub found: Option<Vec<Colleague>>,
    /// In the order in which they came.
    pub talks: Vec<Arc<Talk>>,
    /// Conversations that are not shown any more.
    pub gone: u64,
}

/// One conversation of a desk.
#[derive(Clone, Debug, Default)]
pub struct Talk {
    pub id: String,
    /// Their messages are in the thread.
    pub people: Vec<Participant>,
    pub conversation: Conversation,
    /// Codes to wrap up with, once they were asked for.
    pub codes: Vec<Named>,
    pub first: Now,
    /// The newest record that spoke of it.
    pub seq: u64,
    /// Messages that were told of and whose text is not here yet.
    pub without_text: u32,
    /// Since when the oldest of them waits.
    pub waits_since: Option<Mono>,
}

impl Talk {
    /// See [`desk::of_user`].
    pub fn of_user(&self, user: &str) -> Option<&Participant> {
        desk::of_user(&self.people, user)
    }

    pub fn customer(&self) -> Option<&Participant> {
        desk::customer(&self.people)
    }

    /// A text has been waited for longer than a look-up takes.
    pub fn is_kept_waiting(&self, now: Mono) -> bool {
        self.waits_since.is_some_and(|since| now.since(since) >= LOOKED_UP_WITHIN)
    }

    /// Name of the guest, or the beginning of the conversation's id.
    pub fn title(&self) -> &str {
        let named = self.customer().and_then(|c| c.name.as_deref()).filter(|n| !n.is_empty());
        named.unwrap_or_else(|| self.id.get(..8).unwrap_or(&self.id))
    }
}

impl Desk {
    pub fn talk(&self, id: &str) -> Option<&Arc<Talk>> {
        self.talks.iter().find(|t| t.id == id)
    }

    /// Id of who is signed in, empty before it is known.
    pub fn me(&self) -> &str {
        self.user.as_ref().map_or("", |(id, ..)| id)
    }

    /// How far this user is in a conversation.
    pub fn stage(&self, talk: &Talk) -> Stage {
        talk.of_user(self.me()).map_or(Stage::Unknown, |p| p.state)
    }
}

/// What the fold of a desk remembers beside the view.
#[derive(Clone, Debug, Default)]
pub(super) struct DeskFold {
    talks: HashMap<String, TalkFold>,
    /// Conversation by what we called a message or a file.
    by_tracing: HashMap<String, String>,
    order: VecDeque<String>,
    /// What both ends may be joined by, of the record at hand: the conversation, and what was seen of it.
    pub seen: Vec<(String, ends::What)>,
}

#[derive(Clone, Debug)]
struct TalkFold {
    interaction: Interaction,
    thread: Thread,
    /// Messages that have no text yet, and all that had none, the oldest first, with when they were told of.
    bare: HashSet<String>,
    told: VecDeque<(Mono, String)>,
    /// Messages whose text is here: it may come before any notification of them.
    texts: HashSet<String>,
    /// Failures that were told.
    failed: HashSet<String>,
}

impl TalkFold {
    fn new(id: &str) -> Self {
        let mut thread = Thread::keeping(KEPT, KEPT_BYTES, LONGEST_TEXT);
        thread.own = Side::Agent;
        Self {
            interaction: Interaction::new(id),
            thread,
            bare: HashSet::new(),
            told: VecDeque::new(),
            texts: HashSet::new(),
            failed: Default::default(),
        }
    }
}

impl TalkFold {
    fn count_bare(&mut self, talk: &mut Talk) {
        while self.told.front().is_some_and(|(_, id)| !self.bare.contains(id)) {
            self.told.pop_front();
        }
        talk.without_text = self.bare.len() as u32;
        talk.waits_since = self.told.front().map(|(since, _)| *since);
    }
}

impl DeskFold {
    /// The conversation in which we sent this.
    pub fn conversation_of(&self, tracing: &str) -> Option<String> {
        self.by_tracing.get(tracing).cloned()
    }

    fn remember(&mut self, tracing: &str, conversation: &str) {
        if self.by_tracing.insert(tracing.to_owned(), conversation.to_owned()).is_none() {
            self.order.push_back(tracing.to_owned());
        }
        if self.order.len() > TRACINGS
            && let Some(old) = self.order.pop_front()
        {
            self.by_tracing.remove(&old);
        }
    }

    /// Does something with the thread of a conversation.
    pub fn in_thread<T>(
        &mut self,
        desk: &mut Desk,
        id: &str,
        told: Told,
        deed: impl FnOnce(&mut Thread, &mut Conversation) -> T,
    ) -> T {
        let (fold, talk) = self.talk(desk, id, told);
        talk.seq = talk.seq.max(told.seq);
        deed(&mut fold.thread, &mut talk.conversation)
    }

    fn talk<'a>(&'a mut self, desk: &'a mut Desk, id: &str, told: Told) -> (&'a mut TalkFold, &'a mut Talk) {
        let known = desk.talks.iter().position(|t| t.id == id);
        let place = known.unwrap_or_else(|| {
            if desk.talks.len() >= TALKS {
                let over = |t: &Arc<Talk>| t.people.iter().all(|p| p.state == Stage::Ended);
                let old = desk.talks.iter().position(over).unwrap_or(0);
                self.talks.remove(&desk.talks.remove(old).id);
                desk.gone += 1;
            }
            desk.talks.push(Arc::new(Talk { id: id.to_owned(), first: told.now, ..Talk::default() }));
            desk.talks.len() - 1
        });
        let fold = self.talks.entry(id.to_owned()).or_insert_with(|| TalkFold::new(id));
        (fold, Arc::make_mut(&mut desk.talks[place]))
    }

    pub fn user(desk: &mut Desk, news: UserNews) {
        match news {
            UserNews::Me { id, name, email } => desk.user = Some((id, name, email)),
            UserNews::Presence { word, .. } => desk.presence = word,
            UserNews::Routing { word } => desk.routing = word,
            UserNews::Presences(all) => desk.presences = all,
            UserNews::Queues(all) => {
                for queue in all {
                    match desk.queues.iter_mut().find(|q| q.id == queue.id) {
                        Some(known) => {
                            let name = if queue.name.is_empty() { std::mem::take(&mut known.name) } else { queue.name };
                            *known = QueueOf { name, ..queue };
                        }
                        None => desk.queues.push(queue),
                    }
                }
            }
            UserNews::WrapupCodes { conversation, codes } => {
                if let Some(talk) = desk.talks.iter_mut().find(|t| t.id == conversation) {
                    Arc::make_mut(talk).codes = codes;
                }
            }
            UserNews::Found(all) => desk.found = Some(all),
            UserNews::CannedReplies(all) => {
                for reply in all {
                    desk.replies.retain(|known| known.id != reply.id);
                    desk.replies.push(reply);
                }
            }
        }
    }

    /// A telling of a conversation: who is in it, and which messages there are.
    pub fn snapshot(&mut self, desk: &mut Desk, told: Told, snapshot: &Snapshot) {
        let me = desk.me().to_owned();
        let mut seen = std::mem::take(&mut self.seen);
        let (fold, talk) = self.talk(desk, &snapshot.conversation, told);
        talk.seq = talk.seq.max(told.seq);
        let before = std::mem::take(&mut talk.people);
        let fresh: HashSet<String> = fold.interaction.take(snapshot).into_iter().collect();
        talk.people.extend(fold.interaction.participants.iter().map(Participant::without_messages));
        for p in &talk.people {
            let was = before.iter().find(|was| was.id == p.id);
            for line in lines::of(p, was, &me, &talk.codes) {
                seen.push((snapshot.conversation.clone(), ends::What::Event { text: line.clone() }));
                fold.thread.line(&mut talk.conversation, told, What::State(line));
            }
        }
        for p in &snapshot.participants {
            let purpose = fold.interaction.participant(&p.id).map_or(&p.purpose, |known| &known.purpose);
            let side = side_of(purpose);
            for m in &p.messages {
                if m.status == Status::Failed && fold.failed.insert(m.id.clone()) {
                    let why = m.error.as_deref().unwrap_or("no reason given");
                    let line = What::State(format!("a message was not delivered: {why}"));
                    fold.thread.line(&mut talk.conversation, told, line);
                }
                if !fresh.contains(&m.id) || !m.has_text() {
                    continue;
                }
                if !fold.texts.contains(&m.id) {
                    fold.bare.insert(m.id.clone());
                    fold.told.push_back((told.now.mono, m.id.clone()));
                }
                let message = Message {
                    key: m.id.clone(),
                    also: Vec::new(),
                    tracing: None,
                    side,
                    source: if snapshot.asked { Source::History } else { Source::Live },
                    at: m.at,
                    from: None,
                    text: None,
                    parts: m.files.iter().cloned().map(crate::model::happening::Part::Attachment).collect(),
                    authenticated: false,
                    attributes: Vec::new(),
                };
                seen.push((snapshot.conversation.clone(), ends::What::said(&message)));
                fold.thread.said(&mut talk.conversation, told, message);
            }
        }
        fold.count_bare(talk);
        self.seen = seen;
    }

    /// What happened in one conversation. Gives the latency where it completed a message of ours.
    pub fn within(&mut self, desk: &mut Desk, told: Told, conversation: &str, what: Happening) -> Option<(u64, u64)> {
        match what {
            Happening::Said(message) => {
                if let (Some(tracing), Source::Outgoing) = (&message.tracing, message.source) {
                    self.remember(tracing, conversation);
                }
                self.seen.push((conversation.to_owned(), ends::What::said(&message)));
                let (fold, talk) = self.talk(desk, conversation, told);
                talk.seq = talk.seq.max(told.seq);
                if message.text.is_some() || !message.parts.is_empty() {
                    fold.bare.remove(&message.key);
                    if !message.key.is_empty() && fold.texts.len() < MOST_MESSAGES {
                        fold.texts.insert(message.key.clone());
                    }
                    fold.count_bare(talk);
                }
                fold.thread.said(&mut talk.conversation, told, *message)
            }
            Happening::Typing { side, millis } if side != Side::Agent => {
                self.in_thread(desk, conversation, told, |t, c| t.typing(c, told, side, millis));
                None
            }
            Happening::Attachment { id, state } => {
                self.remember(&id, conversation);
                self.in_thread(desk, conversation, told, |t, c| t.attachment(c, told, id, state));
                None
            }
            _ => None,
        }
    }
}

fn side_of(purpose: &Purpose) -> Side {
    match purpose {
        Purpose::Customer => Side::Guest,
        Purpose::Agent => Side::Agent,
        Purpose::Flow => Side::Bot,
        Purpose::Queue | Purpose::Other(_) | Purpose::Unknown => Side::System,
    }
}
