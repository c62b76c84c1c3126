//! The conversations of the desk, and what is done in them.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::calls::Part;
use super::*;
use crate::dialect::Target;
use crate::dialect::budget::Budget;
use crate::model::Wall;
use crate::model::desk::{Participant, Purpose, Shape, Stage};
use crate::model::fact::{Expiry, ExpiryEvent};

/// What was done must show within this, or the conversation is read again.
const CONFIRM: Duration = Duration::from_secs(3);
/// Typing indications of one conversation in a minute. Source: the vendor's limits page.
const TYPING_PER_MINUTE: u32 = 12;
/// An alert that does not say how long it lasts. Assumed.
const ALERT_MILLIS: u64 = 30_000;

#[derive(Default)]
pub(super) struct Desk {
    cases: BTreeMap<String, Case>,
    /// Conversations so far.
    count: u64,
    /// Goes on queue as soon as the presences are known.
    pub wants_queue: bool,
}

/// A conversation and what is under way in it.
struct Case {
    told: Interaction,
    /// Its place in the order of arrival.
    number: u64,
    /// The generic shape is being read.
    reading: bool,
    /// It is read again then, unless something is told of it before.
    confirm: Option<Mono>,
    /// When a change of it was told last.
    moved: Option<Mono>,
    /// Participant whose alert has a clock, and the one whose wrap-up has.
    alert: Option<String>,
    wrap: Option<String>,
    /// Participant that was answered by itself.
    answered: Option<String>,
    /// Answering failed: what the conversation says decides why.
    refused: Option<Report>,
    /// Wrap-ups that wait for their pause.
    wraps: VecDeque<(Mono, Option<String>, String)>,
    typing: Budget,
}

impl Case {
    fn new(id: &str, number: u64) -> Self {
        Self {
            told: Interaction::new(id),
            number,
            reading: false,
            confirm: None,
            moved: None,
            alert: None,
            wrap: None,
            answered: None,
            refused: None,
            wraps: VecDeque::new(),
            typing: Budget::new(TYPING_PER_MINUTE, Duration::from_secs(60)),
        }
    }
}

impl Desk {
    /// Conversations that this desk believes to go on, but for these.
    pub fn live_but(&self, listed: &[&str]) -> Vec<String> {
        let live = |c: &Case| !c.told.participants.iter().all(|p| p.state == Stage::Ended);
        self.cases
            .iter()
            .filter(|(id, c)| live(c) && !listed.contains(&id.as_str()))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Conversations in which this user still owes a wrap-up.
    pub fn owing(&self, me: &str) -> Vec<&str> {
        let owes = |c: &Case| c.told.participants.iter().any(|p| p.user.as_deref() == Some(me) && p.owes_wrapup());
        self.cases.iter().filter(|(_, c)| owes(c)).map(|(id, _)| id.as_str()).collect()
    }

    pub fn wait(&self, now: Mono) -> Option<Duration> {
        let due = self.cases.values().flat_map(|c| c.confirm.into_iter().chain(c.wraps.front().map(|w| w.0)));
        due.min().map(|due| due.since(now))
    }

    fn case(&mut self, id: &str) -> &mut Case {
        if !self.cases.contains_key(id) {
            self.make_room();
            self.count += 1;
        }
        let number = self.count;
        self.cases.entry(id.to_owned()).or_insert_with(|| Case::new(id, number))
    }

    /// The oldest that is over goes, the oldest of all where none is.
    fn make_room(&mut self) {
        if self.cases.len() < CONVERSATIONS {
            return;
        }
        let oldest = self.cases.iter().min_by_key(|(_, c)| (!c.told.is_over(), c.number)).map(|(id, _)| id.clone());
        if let Some(id) = oldest {
            self.cases.remove(&id);
        }
    }
}

impl Agent {
    fn me(&self) -> &str {
        self.me.as_deref().unwrap_or_default()
    }

    /// Takes in a telling of a conversation, and does what follows from it.
    pub(super) fn take(&mut self, cx: &mut Cx<'_>, told: &Snapshot) {
        let me = self.me().to_owned();
        let known: Vec<Option<Stage>> = {
            let case = self.desk.case(&told.conversation);
            told.participants.iter().map(|p| case.told.participant(&p.id).map(|k| k.state)).collect()
        };
        let case = self.desk.case(&told.conversation);
        // A pushed telling may be old: whether it is still parked, the conversation itself says.
        let parked = |p: &Participant| case.told.participant(&p.id).is_some_and(|k| k.state == Stage::Parked);
        let unparked = !told.asked
            && told.shape == Shape::Generic
            && told.participants.iter().any(|p| p.state == Stage::Connected && parked(p));
        let fresh = case.told.take(told);
        let moved = told
            .participants
            .iter()
            .zip(known)
            .any(|(p, before)| case.told.participant(&p.id).map(|k| k.state) != before);
        if told.asked || moved {
            case.confirm = None;
        }
        if moved {
            case.moved = Some(cx.now());
        }
        for message in told.participants.iter().flat_map(|p| &p.messages) {
            if message.has_text() && fresh.contains(&message.id) {
                self.lookups.want(&told.conversation, &message.id, cx.now());
            }
        }
        let case = self.desk.case(&told.conversation);
        let mine = case.told.of_user(&me).map(Participant::without_messages);
        let lacks = mine.as_ref().is_some_and(|p| p.stage_is_live() && p.communication.is_none());
        if (lacks || unparked) && !case.reading {
            self.read_one(&told.conversation, true);
        }
        self.clocks(cx, &told.conversation, mine.as_ref());
        if let Some(mine) = mine
            && mine.state == Stage::Alerting
            && self.form.auto_answer
            && self.desk.case(&told.conversation).answered.replace(mine.id.clone()) != Some(mine.id.clone())
        {
            self.deed(cx, &told.conversation, Deed::Answer);
        }
    }

    pub(super) fn read_one(&mut self, conversation: &str, generic: bool) {
        if generic {
            self.desk.case(conversation).reading = true;
        }
        let job = Job::One { conversation: conversation.to_owned(), generic };
        self.begin(job, calls::one(&self.hosts, conversation, generic));
    }

    pub(super) fn one_read(&mut self, cx: &mut Cx<'_>, conversation: &str, body: &Value) {
        self.desk.case(conversation).reading = false;
        match wire::snapshot(body, true) {
            Some(told) => self.take(cx, &told),
            None => {
                let what = format!("The answer about {conversation} is no conversation.");
                cx.fault(Report::new("odd-conversation", "A conversation could not be read", what));
            }
        }
        self.judge(cx, conversation);
    }

    pub(super) fn one_not_read(&mut self, cx: &mut Cx<'_>, conversation: &str, failure: &Failure) {
        self.desk.case(conversation).reading = false;
        cx.fault(failure.report("conversation-not-read", "A conversation could not be read"));
        self.judge(cx, conversation);
    }

    // Clocks: an alert that will be routed away, and a wrap-up that will be made by the platform.

    fn clocks(&mut self, cx: &mut Cx<'_>, conversation: &str, mine: Option<&Participant>) {
        let Some(case) = self.desk.cases.get_mut(conversation) else { return };
        let guest = case.told.customer().and_then(|c| c.name.clone()).unwrap_or_else(|| "guest".to_owned());
        let alerting = mine.filter(|p| p.state == Stage::Alerting);
        let (id, title) = (format!("alert:{conversation}"), format!("alert of {guest}"));
        match (&case.alert, alerting) {
            (Some(of), Some(p)) if *of == p.id => {}
            (None, None) => {}
            (_, Some(p)) => {
                case.alert = Some(p.id.clone());
                let from = p.started.unwrap_or(cx.at.server);
                let life = Duration::from_millis(p.alerting_timeout_ms.unwrap_or(ALERT_MILLIS));
                let breaks = "the agent counts as not responding, and the conversation goes to somebody else";
                cx.state(Fact::Expiry(Expiry {
                    assumed: p.alerting_timeout_ms.is_none(),
                    ..clock(id, title, ExpiryEvent::Started, from, Some(from + life), breaks)
                }));
            }
            (Some(_), None) => {
                case.alert = None;
                let event = match mine {
                    Some(p) if p.state == Stage::Ended && p.connected.is_none() => ExpiryEvent::Expired,
                    _ => ExpiryEvent::Forgotten,
                };
                cx.state(Fact::Expiry(clock(id, title, event, cx.at.server, None, "")));
            }
        }
        let owing = mine.filter(|p| p.owes_wrapup() && p.wrapup_timeout_ms.is_some());
        let (id, title) = (format!("wrapup:{conversation}"), format!("wrap-up of {guest}"));
        match (&case.wrap, owing) {
            (Some(of), Some(p)) if *of == p.id => {}
            (None, None) => {}
            (_, Some(p)) => {
                case.wrap = Some(p.id.clone());
                let from = p.acw_started.or(p.ended).unwrap_or(cx.at.server);
                let until = from + Duration::from_millis(p.wrapup_timeout_ms.unwrap_or_default());
                let breaks = "the platform closes the conversation without a code of yours";
                cx.state(Fact::Expiry(clock(id, title, ExpiryEvent::Started, from, Some(until), breaks)));
            }
            (Some(_), None) => {
                case.wrap = None;
                cx.state(Fact::Expiry(clock(id, title, ExpiryEvent::Forgotten, cx.at.server, None, "")));
            }
        }
    }

    pub(super) fn forget_desk_clocks(&mut self, cx: &mut Cx<'_>) {
        for (id, case) in &mut self.desk.cases {
            for (of, name) in [(case.alert.take(), "alert"), (case.wrap.take(), "wrapup")] {
                if of.is_some() {
                    let id = format!("{name}:{id}");
                    cx.state(Fact::Expiry(clock(id, name.to_owned(), ExpiryEvent::Forgotten, cx.at.server, None, "")));
                }
            }
        }
    }

    // Deeds.

    pub(super) fn deed(&mut self, cx: &mut Cx<'_>, conversation: &str, deed: Deed) {
        if self.state.is_ended() || self.me.is_none() {
            return self.refuse(cx, &deed, "the agent is not signed in");
        }
        if matches!(deed, Deed::Reload) {
            self.lookups.hope_again(cx.now());
        }
        let Some(case) = self.desk.cases.get(conversation) else {
            return self.refuse(cx, &deed, &format!("the desk knows no conversation {conversation}"));
        };
        let me = self.me();
        let Some(mine) = case.told.of_user(me) else {
            if matches!(deed, Deed::Reload) {
                return self.read_one(conversation, true);
            }
            return self.refuse(cx, &deed, "this agent has no part in the conversation");
        };
        let mine = mine.without_messages();
        let customer = case.told.customer().map(|c| c.id.clone());
        match deed {
            Deed::Answer => self.answer(cx, conversation, &mine),
            Deed::Say { tracing, text, files } => self.say(cx, conversation, &mine, (tracing, text, files)),
            Deed::Attach { attachment, name, mime, bytes } => {
                let at = (conversation, mine.id.as_str(), mine.communication.as_deref().unwrap_or_default());
                self.attach(cx, at, (attachment, name, mime, bytes));
            }
            Deed::DropFile { attachment } => self.drop_file(cx, &attachment),
            Deed::Typing { tracing } => self.typing(cx, conversation, &mine, tracing),
            Deed::Hold { on } => self.change(conversation, &mine, "conversation.hold", &json!({ "held": on }), "hold"),
            Deed::Park { on } => {
                let call = calls::park(&self.hosts, part(conversation, &mine), on);
                self.begin(job(conversation, "conversation.park"), call);
            }
            Deed::Transfer { to } => {
                let body = match to {
                    Target::Queue(id) => json!({ "queueId": id }),
                    Target::User(id) => json!({ "userId": id }),
                };
                let call = calls::replace(&self.hosts, part(conversation, &mine), &body);
                self.begin(job(conversation, "conversation.transfer"), call);
            }
            Deed::Attributes { attributes } => {
                // They are the guest's: whoever the conversation goes to finds them there.
                let whose = Participant { id: customer.unwrap_or(mine.id), ..Participant::default() };
                let call = calls::attributes(&self.hosts, part(conversation, &whose), &attributes);
                self.begin(job(conversation, "conversation.attributes"), call);
            }
            Deed::Disconnect => {
                self.change(
                    conversation,
                    &mine,
                    "conversation.disconnect",
                    &json!({ "state": "disconnected" }),
                    "end part",
                );
            }
            Deed::WrapupCodes => {
                let call = calls::codes(&self.hosts, part(conversation, &mine));
                self.begin(Job::Codes { conversation: conversation.to_owned() }, call);
            }
            Deed::WrapUp { code, notes } => self.wrap_up(cx, conversation, &mine, code, notes),
            Deed::End => {
                self.begin(job(conversation, "conversation.end"), calls::end(&self.hosts, conversation));
            }
            Deed::Reload => {
                self.read_one(conversation, true);
                self.read_one(conversation, false);
            }
        }
    }

    fn refuse(&self, cx: &mut Cx<'_>, deed: &Deed, why: &str) {
        match deed {
            Deed::Say { tracing, .. } | Deed::Typing { tracing } => {
                cx.delivery(tracing, Delivery::NotSent { why: why.to_owned() });
            }
            _ => flow::not_now(&capital(why), cx.out),
        }
    }

    fn change(
        &mut self,
        conversation: &str,
        mine: &Participant,
        deed: &'static str,
        body: &Value,
        purpose: &'static str,
    ) {
        let call = calls::change(&self.hosts, part(conversation, mine), body, purpose);
        self.begin(job(conversation, deed), call);
    }

    fn answer(&mut self, cx: &mut Cx<'_>, conversation: &str, mine: &Participant) {
        match mine.state {
            Stage::Connected | Stage::Parked => flow::not_now("The conversation was answered already", cx.out),
            Stage::Ended => {
                let other = self.desk.cases.get(conversation).and_then(|c| c.told.other_agent(self.me()));
                match other {
                    Some(other) => cx.fault(verdict::taken(other.name.as_deref())),
                    None => flow::not_now("The alert is over: it was not answered in time", cx.out),
                }
            }
            Stage::Unknown | Stage::Coming | Stage::Alerting => {
                self.change(conversation, mine, "conversation.answer", &json!({ "state": "connected" }), "answer");
            }
        }
    }

    fn say(
        &mut self,
        cx: &mut Cx<'_>,
        conversation: &str,
        mine: &Participant,
        (tracing, text, files): (String, String, Vec<String>),
    ) {
        let not = |cx: &mut Cx<'_>, why: String| cx.delivery(&tracing, Delivery::NotSent { why });
        let most = self.settings().text_chars as usize;
        let long = text.chars().count();
        if text.trim().is_empty() && files.is_empty() {
            return not(cx, "text: empty; a message says something or bears a file".into());
        }
        if most > 0 && long > most {
            return not(cx, format!("text: {long} characters; at most {most}"));
        }
        match (mine.state, &mine.communication) {
            (Stage::Connected | Stage::Parked, Some(_)) => {}
            (Stage::Connected | Stage::Parked, None) => {
                self.read_one(conversation, true);
                return not(cx, "the communication's id is not known yet: it is being read, try again".into());
            }
            (Stage::Ended, _) => return not(cx, "this agent's part in the conversation has ended".into()),
            _ => return not(cx, "the conversation was not answered yet".into()),
        }
        let mut media = Vec::new();
        for file in &files {
            match self.uploads.media(file) {
                Ok(Some(id)) => media.push(id),
                Ok(None) => {
                    // It leaves with its files, or is told as not sent with the first that fails.
                    let held = (conversation.to_owned(), Deed::Say { tracing, text, files });
                    return self.uploads.held.push(held);
                }
                Err(why) => return not(cx, why),
            }
        }
        // One request takes a text or files, not both: the files go first, under a name of their own.
        let (files, text) = (!media.is_empty(), (!text.trim().is_empty()).then_some(text));
        if files {
            let tracing = if text.is_some() { format!("{tracing}-files") } else { tracing.clone() };
            let call = calls::say_files(&self.hosts, part(conversation, mine), &media, &tracing);
            self.begin(Job::Say { conversation: conversation.to_owned(), tracing }, call);
        }
        if let Some(text) = text {
            let call = calls::say(&self.hosts, part(conversation, mine), &text, &tracing);
            self.begin(Job::Say { conversation: conversation.to_owned(), tracing }, call);
        }
    }

    fn typing(&mut self, cx: &mut Cx<'_>, conversation: &str, mine: &Participant, tracing: String) {
        let now = cx.now();
        if mine.state != Stage::Connected || mine.communication.is_none() {
            return self.refuse(cx, &Deed::Typing { tracing }, "the conversation was not answered yet");
        }
        if let Err(wait) = self.desk.case(conversation).typing.try_spend(now) {
            let why =
                format!("the limit of {TYPING_PER_MINUTE} a minute is reached; again in {} s", wait.as_secs() + 1);
            return self.refuse(cx, &Deed::Typing { tracing }, &why);
        }
        let call = calls::typing(&self.hosts, part(conversation, mine), &tracing);
        self.begin(Job::Typing { tracing }, call);
    }

    /// With a pause after the end: the platform needs a moment before it takes a wrap-up.
    fn wrap_up(
        &mut self,
        cx: &mut Cx<'_>,
        conversation: &str,
        mine: &Participant,
        code: Option<String>,
        notes: String,
    ) {
        if mine.connected.is_none() && mine.state == Stage::Ended {
            return flow::not_now("Nothing is to be wrapped up: the conversation was never answered", cx.out);
        }
        if matches!(mine.state, Stage::Alerting | Stage::Coming) {
            return flow::not_now("The conversation was not answered yet", cx.out);
        }
        // A code can be chosen while the conversation goes on, too.
        let over = mine.state == Stage::Ended;
        let pause = if over { millis(self.settings().wrapup_pause_millis) } else { Duration::ZERO };
        let since = mine.ended.map_or(Duration::ZERO, |ended| {
            Duration::from_micros(u64::try_from(cx.at.server.micros_since(ended)).unwrap_or(0))
        });
        let due = cx.now() + pause.saturating_sub(since);
        self.desk.case(conversation).wraps.push_back((due, code, notes));
        self.tick_desk(cx);
    }

    pub(super) fn tick_desk(&mut self, cx: &mut Cx<'_>) {
        if self.state.is_ended() {
            return;
        }
        let now = cx.now();
        let (mut again, mut wraps) = (Vec::new(), Vec::new());
        for (id, case) in &mut self.desk.cases {
            if case.confirm.is_some_and(|due| due <= now) {
                case.confirm = None;
                again.push(id.clone());
            }
            while case.wraps.front().is_some_and(|w| w.0 <= now) {
                wraps.extend(case.wraps.pop_front().map(|(_, code, notes)| (id.clone(), code, notes)));
            }
        }
        for id in again {
            self.read_one(&id, true);
        }
        for (id, code, notes) in wraps {
            let told = self.desk.cases.get(&id).and_then(|c| c.told.of_user(self.me()));
            let Some(mine) = told.map(Participant::without_messages) else { continue };
            match code {
                Some(code) => {
                    let call = calls::wrap_up(&self.hosts, part(&id, &mine), &code, &notes);
                    self.begin(job(&id, "conversation.wrapup"), call);
                }
                None => {
                    let body = json!({ "wrapupSkipped": true });
                    self.change(&id, &mine, "conversation.wrapup.skip", &body, "skip wrap-up");
                }
            }
        }
    }

    /// The platform took it; a notification must follow.
    pub(super) fn done_there(&mut self, cx: &mut Cx<'_>, conversation: &str) {
        let case = self.desk.case(conversation);
        // The notification may overtake the answer.
        if case.moved.is_none_or(|at| cx.now().since(at) > CONFIRM) {
            case.confirm = Some(cx.now() + CONFIRM);
        }
    }

    /// What the conversation says now tells why it was refused.
    pub(super) fn not_done_there(&mut self, cx: &mut Cx<'_>, conversation: &str, job: &Job, failure: &Failure) {
        let report = verdict::report(job, failure);
        // A message is refused with 400 for what it says.
        let decides = match job {
            Job::Say { .. } => matches!(failure.status(), Some(404 | 409)),
            _ => matches!(failure.status(), Some(400 | 404 | 409)) && job.action() != "conversation.wrapup",
        };
        if !decides || self.state.is_ended() {
            return cx.fault(report);
        }
        self.desk.case(conversation).refused = Some(report);
        self.read_one(conversation, true);
    }

    fn judge(&mut self, cx: &mut Cx<'_>, conversation: &str) {
        let Some(report) = self.desk.cases.get_mut(conversation).and_then(|c| c.refused.take()) else { return };
        let case = self.desk.cases.get(conversation);
        let other = case.and_then(|c| c.told.other_agent(self.me()));
        let mine = case.and_then(|c| c.told.of_user(self.me()));
        let lost = mine.is_none_or(|p| !matches!(p.state, Stage::Connected | Stage::Parked));
        match other.filter(|p| lost && p.purpose == Purpose::Agent) {
            Some(other) => {
                let taken = verdict::taken(other.name.as_deref());
                cx.fault(taken.detail(report.text()));
            }
            None => cx.fault(report),
        }
    }
}

fn part<'a>(conversation: &'a str, mine: &'a Participant) -> Part<'a> {
    Part { conversation, participant: &mine.id, communication: mine.communication.as_deref().unwrap_or_default() }
}

fn job(conversation: &str, deed: &'static str) -> Job {
    Job::Do { conversation: conversation.to_owned(), deed }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}

fn clock(id: String, title: String, event: ExpiryEvent, from: Wall, until: Option<Wall>, breaks: &str) -> Expiry {
    Expiry {
        id,
        title,
        event,
        by: "server".into(),
        from,
        until,
        margin_secs: 0,
        breaks: breaks.into(),
        assumed: false,
        token: None,
        scope: None,
        claims: None,
        can: Vec::new(),
    }
}
