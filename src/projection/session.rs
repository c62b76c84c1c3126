//! One session: folds its records into what the window shows of it.

use std::sync::Arc;

use super::clocks::{self, ClockView};
use super::conversation::{Conversation, What};
use super::desk::{Desk, DeskFold};
use super::ends::{self, Sighting};
use super::finding::{Finding, Findings};
use super::latency::Latencies;
use super::lint::{Heard, Lints, Named};
use super::meters::Meters;
use super::metrics::{Metrics, Reading};
use super::thread::{Thread, Told};
use crate::model::clock::jump;
use crate::model::environment::Limits;
use crate::model::fact::{Delivery, NamedId, SessionState, Skew, StateChange, Summary};
use crate::model::happening::{Presence, Source};
use crate::model::record::{Lane, SessionStart};
use crate::model::{DialectId, Direction, Fact, Happening, Kind, Now, Record, Report, SessionId, Wall};

/// So many of the newest faults are kept with a session; all stay in the log.
pub const FAULTS_KEPT: usize = 100;

/// What the window shows of one session.
#[derive(Clone, Debug, Default)]
pub struct SessionView {
    pub id: SessionId,
    pub start: Option<SessionStart>,
    pub started: Now,
    pub state: Option<SessionState>,
    /// Record of the last state change.
    pub state_seq: u64,
    pub conversation: Conversation,
    /// Record by which the newest message of ours was known to have arrived.
    pub delivered_seq: u64,
    /// In the order in which they will break; dead ones last. For the order at an instant see [`clocks::in_order`].
    pub clocks: Vec<ClockView>,
    pub meters: Meters,
    pub latencies: Latencies,
    pub skew: Option<Skew>,
    /// Local instant at which `skew` was learnt.
    pub skew_at: Now,
    /// The newest [`FAULTS_KEPT`], newest last, with the record that told them.
    pub faults: Vec<(u64, Arc<Report>)>,
    /// All faults there ever were.
    pub faults_told: u64,
    /// What explains its failures.
    pub findings: Arc<Findings>,
    /// What its records break of the protocol.
    pub lints: Arc<Lints>,
    /// Tracing ids of messages that never left, and why: they have no frame to show. The newest few.
    pub not_sent: Vec<(String, String)>,
    /// Names by which servers know it, the newest of each.
    pub ids: Vec<NamedId>,
    /// The final report, once it has ended.
    pub summary: Option<Arc<Summary>>,
    pub metrics: Arc<Metrics>,
    /// Of an agent's session.
    pub desk: Option<Arc<Desk>>,
    /// Records that told something (those that the projections need).
    pub records: u64,
}

impl SessionView {
    pub(super) fn new(id: SessionId) -> Self {
        Self { id, meters: Meters::of(DialectId::WebMessaging, &Limits::default()), ..Self::default() }
    }

    pub(super) fn findings_mut(&mut self) -> &mut Findings {
        Arc::make_mut(&mut self.findings)
    }

    pub(super) fn lints_mut(&mut self) -> &mut Lints {
        Arc::make_mut(&mut self.lints)
    }

    /// A record speaks of the newest finding that is meant; false where there is none.
    pub(super) fn join(&mut self, record: &Record, meant: impl Fn(&Finding) -> bool) -> bool {
        // Looked for first: what stays as it is stays shared.
        self.findings.list.iter().any(|f| meant(f)) && self.findings_mut().join(record, meant)
    }

    pub fn dialect(&self) -> DialectId {
        self.start.as_ref().map(|s| s.dialect).unwrap_or_default()
    }

    /// The server's clock at a local instant: the local wall clock where no skew is known. As in
    /// [`crate::model::ServerTime::at`], neither a clock set back nor a sleep of the machine revives a token.
    pub fn server_now(&self, now: Now) -> Wall {
        let Some(skew) = self.skew else { return now.wall };
        let behind = jump(self.skew_at, now).min(0).saturating_neg();
        now.wall.plus_micros(behind).plus_micros(skew.skew_us)
    }

    /// When something happened here, by the server's clock: of all that its answers allow, what is nearest to our own
    /// clock. A skew within its uncertainty is none, so that lines of ours do not slip behind what was said later; for
    /// the same reason it is told in milliseconds, as servers do.
    fn told_at(&self, now: Now) -> Wall {
        let slack =
            self.skew.map_or(0, |s| s.uncertainty_us.max(0).min(s.skew_us.saturating_abs()) * s.skew_us.signum());
        let at = self.server_now(now).plus_micros(-slack);
        at.plus_micros(-at.0.rem_euclid(1_000))
    }
}

/// So many of a session's messages that never left are kept.
const NOT_SENT_KEPT: usize = 16;

/// What the fold of a session remembers beside the view.
#[derive(Clone, Debug, Default)]
pub(super) struct SessionFold {
    pub thread: Thread,
    /// Numbers of the open connections, in the order of their opening.
    open: Vec<u32>,
    pub metrics: Reading,
    desk: DeskFold,
    /// What was seen of messages at this end, in the record at hand.
    pub sightings: Vec<Sighting>,
    /// Messages that the record at hand brought by the socket of a guest.
    pub heard: Vec<Heard>,
    /// Parties of conversations that it told an agent.
    pub named: Vec<Named>,
}

impl SessionFold {
    /// Keeps what falls out of a window of so many entries and bytes, for the transcript.
    pub fn windowed(kept: usize, kept_bytes: usize) -> Self {
        let mut thread = Thread::keeping(kept, kept_bytes, usize::MAX);
        thread.cut = Some(Default::default());
        Self { thread, ..Self::default() }
    }

    /// Folds one record of this session. `told` is a buffer.
    pub fn fold(&mut self, view: &mut SessionView, record: &Record, told: &mut Vec<Happening>) {
        self.take(view, record, fact_of(record), told);
    }

    /// The same, of a record whose fact was read already.
    pub fn take(&mut self, view: &mut SessionView, record: &Record, fact: Option<Fact>, told: &mut Vec<Happening>) {
        self.metrics.events.clear();
        // Whoever does not look for the other end takes none.
        self.sightings.clear();
        self.heard.clear();
        self.named.clear();
        view.records += 1;
        if view.records == 1 {
            view.started = record.at;
        }
        match record.kind {
            Kind::SessionStart => {
                view.started = record.at;
                view.start = record.head_as::<SessionStart>();
                if let Some(start) = &view.start {
                    view.meters = Meters::of(start.dialect, &start.limits);
                }
                self.metrics.record(view.dialect(), record);
            }
            Kind::State
            | Kind::Expiry
            | Kind::Delivery
            | Kind::Fault
            | Kind::Skew
            | Kind::Note
            | Kind::Mark
            | Kind::LeftOut
            | Kind::Audit
            | Kind::Id
            | Kind::Waiting
            | Kind::Summary => {
                if let Some(fact) = fact {
                    self.fact(view, record, fact);
                }
            }
            _ => {
                if let Some(Fact::Fault(report)) = fact {
                    fault(view, record.seq, report);
                }
                view.meters.count(record, &mut self.open);
                self.metrics.record(view.dialect(), record);
                self.read(view, record, told, false);
            }
        }
    }

    /// Takes from a record that is no part of the story what is of interest for a moment: who types.
    pub fn fold_live(&mut self, view: &mut SessionView, record: &Record, told: &mut Vec<Happening>) {
        self.read(view, record, told, true);
    }

    fn read(&mut self, view: &mut SessionView, record: &Record, told: &mut Vec<Happening>, typing_only: bool) {
        told.clear();
        crate::dialect::read(view.dialect(), record, told);
        let mut at = self.at(view, record);
        for happening in told.drain(..) {
            if !typing_only || matches!(happening, Happening::Typing { .. }) {
                self.happening(view, at, happening);
            }
            at.n = at.n.saturating_add(1);
        }
        self.sight_desk(view.id, at);
    }

    fn at(&self, view: &SessionView, record: &Record) -> Told {
        let source = match (record.direction, record.kind.lane()) {
            (Direction::Sent, _) => Source::Outgoing,
            (_, Lane::Http) => Source::History,
            _ => Source::Live,
        };
        Told { seq: record.seq, n: 0, now: record.at, server: view.told_at(record.at), source: Some(source) }
    }

    pub fn happening(&mut self, view: &mut SessionView, at: Told, happening: Happening) {
        let dialect = view.dialect();
        self.sight(view.id, dialect, at, &happening);
        let conv = &mut view.conversation;
        match happening {
            Happening::Said(message) => {
                if at.source == Some(Source::Live) && dialect == DialectId::WebMessaging {
                    self.heard.push(Heard { key: message.key.as_str().into(), at: message.at });
                }
                if let Some((seq, micros)) = self.thread.said(conv, at, *message) {
                    view.latencies.add(seq, micros);
                    view.delivered_seq = at.seq;
                    self.metrics.echo(view.dialect(), at.now.wall, micros);
                }
            }
            // Our own typing is no news.
            Happening::Typing { side, millis } if at.source != Some(Source::Outgoing) => {
                self.thread.typing(conv, at, side, millis);
            }
            Happening::Typing { .. } | Happening::HistoryRead { .. } => {}
            Happening::Presence { side, what, key, at: when, tracing } => {
                self.thread.presence(conv, at, (side, what), (key, when, tracing));
            }
            Happening::Named { tracing, key } => self.thread.named(conv, at, &tracing, &key),
            Happening::Refused { tracing, code, text } => {
                let refused = Delivery::Refused { code, text };
                self.deliver(view, at, &tracing, refused);
            }
            Happening::Attachment { id, state } => match self.desk.conversation_of(&id) {
                Some(talk) => {
                    let desk = desk_of(&mut view.desk);
                    self.desk.in_thread(desk, &talk, at, |t, c| t.attachment(c, at, id, state));
                }
                None => self.thread.attachment(conv, at, id, state),
            },
            Happening::Cleared => self.thread.cleared(conv),
            Happening::Snapshot(snapshot) => {
                self.named.extend(Named::all(&snapshot));
                self.desk.snapshot(desk_of(&mut view.desk), at, &snapshot);
            }
            Happening::In { conversation, what } => {
                let desk = desk_of(&mut view.desk);
                if let Some((seq, micros)) = self.desk.within(desk, at, &conversation, *what) {
                    view.latencies.add(seq, micros);
                    view.delivered_seq = at.seq;
                    self.metrics.echo(dialect, at.now.wall, micros);
                }
            }
            Happening::User(news) => DeskFold::user(desk_of(&mut view.desk), news),
        }
    }

    /// Notes what a guest's end saw; an agent's is noted by its desk.
    fn sight(&mut self, session: SessionId, dialect: DialectId, at: Told, happening: &Happening) {
        let what = match happening {
            Happening::Said(message) => ends::What::said(message),
            Happening::Named { tracing, key } => ends::What::Named { tracing: tracing.clone(), key: key.clone() },
            Happening::Refused { tracing, .. } => ends::What::Failed { tracing: tracing.clone() },
            Happening::Presence { what: Presence::Disconnected { read_only }, .. } => {
                let text = match read_only {
                    Some(true) => "told that the conversation is over and read-only",
                    _ => "told that the agent's side has ended",
                };
                ends::What::Event { text: text.to_owned() }
            }
            Happening::Cleared => ends::What::Event { text: "the conversation was cleared".to_owned() },
            _ => return,
        };
        if dialect != DialectId::Agent {
            self.sightings.push(Sighting { session, seq: at.seq, at: at.now, conversation: None, what });
        }
    }

    /// Hands over what the desk saw of this record.
    fn sight_desk(&mut self, session: SessionId, at: Told) {
        let seen = self.desk.seen.drain(..).map(|(conversation, what)| Sighting {
            session,
            seq: at.seq,
            at: at.now,
            conversation: Some(conversation),
            what,
        });
        self.sightings.extend(seen);
    }

    /// What became of a message, in the conversation in which it was sent. False where nothing is known of it.
    fn deliver(&mut self, view: &mut SessionView, at: Told, tracing: &str, delivery: Delivery) -> bool {
        match self.desk.conversation_of(tracing) {
            Some(talk) => {
                let desk = desk_of(&mut view.desk);
                self.desk.in_thread(desk, &talk, at, |t, c| t.deliver(c, at, tracing, delivery))
            }
            None => self.thread.deliver(&mut view.conversation, at, tracing, delivery),
        }
    }

    fn fact(&mut self, view: &mut SessionView, record: &Record, fact: Fact) {
        self.metrics.fact(view.dialect(), record.at.wall, &fact);
        let at = self.at(view, record);
        match fact {
            Fact::State(change) => {
                view.conversation.read_only = match change.to {
                    SessionState::ReadOnly => true,
                    SessionState::Ready => false,
                    _ => view.conversation.read_only,
                };
                if change.to.is_ended() {
                    view.conversation.typing = None;
                    self.thread.ended(&mut view.conversation);
                }
                let remark = view.state.as_ref() == Some(&change.to) && !change.why.is_empty();
                let line = if remark { Some(change.why.clone()) } else { line_of(view.dialect(), &change) };
                if let Some(line) = line {
                    self.thread.line(&mut view.conversation, at, What::State(line));
                }
                if let Some(text) = event_of(view.state.as_ref(), &change.to)
                    && view.dialect() != DialectId::Agent
                {
                    let what = ends::What::Event { text };
                    let sighting = Sighting { session: view.id, seq: at.seq, at: at.now, conversation: None, what };
                    self.sightings.push(sighting);
                }
                view.state = Some(change.to);
                view.state_seq = record.seq;
            }
            Fact::Expiry(expiry) => {
                let server = view.server_now(record.at);
                clocks::take(&mut view.clocks, expiry, record, server);
            }
            Fact::Delivery(change) => {
                let never_left = match &change.delivery {
                    Delivery::NotSent { why } => Some(why.clone()),
                    _ => None,
                };
                let known = self.deliver(view, at, &change.tracing, change.delivery);
                // What never left has no frame to show: its reason must still be seen.
                if let (false, Some(why)) = (known, never_left) {
                    if view.not_sent.len() == NOT_SENT_KEPT {
                        view.not_sent.remove(0);
                    }
                    view.not_sent.push((change.tracing, why.clone()));
                    self.thread.line(&mut view.conversation, at, What::State(format!("not sent: {why}")));
                }
            }
            Fact::Fault(report) => fault(view, record.seq, report),
            Fact::Skew(skew) => {
                view.skew = Some(skew);
                view.skew_at = record.at;
            }
            Fact::Note { text } => self.thread.line(&mut view.conversation, at, What::Note(text)),
            Fact::LeftOut { payloads, .. } => {
                let line = format!("{payloads} payloads were not stored: the conversation may have gaps here");
                self.thread.line(&mut view.conversation, at, What::State(line));
            }
            Fact::Id(id) => {
                if id.name == "conversation" && view.dialect() != DialectId::Agent {
                    let what = ends::What::Told { conversation: id.value.clone() };
                    let sighting = Sighting { session: view.id, seq: at.seq, at: at.now, conversation: None, what };
                    self.sightings.push(sighting);
                }
                view.ids.retain(|known| known.name != id.name);
                view.ids.push(id);
            }
            Fact::Waiting { why, millis } => {
                let line = format!("waiting {:.1} s: {why}", millis as f64 / 1e3);
                self.thread.line(&mut view.conversation, at, What::State(line));
            }
            Fact::Summary(summary) => view.summary = Some(Arc::new(summary)),
            Fact::Mark { .. } | Fact::Audit(_) => {}
        }
    }
}

/// What of a guest's state belongs on the timeline of both ends.
fn event_of(before: Option<&SessionState>, now: &SessionState) -> Option<String> {
    Some(match now {
        SessionState::Reconnecting { .. } if !matches!(before, Some(SessionState::Reconnecting { .. })) => {
            "the guest's connection was lost".to_owned()
        }
        SessionState::Ready if matches!(before, Some(SessionState::Configuring | SessionState::Connected)) => {
            "the guest is connected".to_owned()
        }
        SessionState::ReadOnly => "the guest may not write any more".to_owned(),
        SessionState::Ended(end) => format!("the guest's session ended: {}", end.sentence()),
        _ => return None,
    })
}

fn desk_of(desk: &mut Option<Arc<Desk>>) -> &mut Desk {
    Arc::make_mut(desk.get_or_insert_default())
}

/// What a record states, where its kind states something.
pub(super) fn fact_of(record: &Record) -> Option<Fact> {
    match record.kind {
        Kind::HttpFailed | Kind::SocketRefused | Kind::SocketLost => record.fact(),
        Kind::SessionStart => None,
        kind if kind.lane() == Lane::Lifecycle => record.fact(),
        _ => None,
    }
}

fn fault(view: &mut SessionView, seq: u64, report: Report) {
    // A socket's or call's own record and the dialect may tell the same one.
    if view.faults.last().is_some_and(|(_, last)| **last == report) {
        return;
    }
    if view.faults.len() == FAULTS_KEPT {
        view.faults.remove(0);
    }
    view.faults.push((seq, Arc::new(report)));
    view.faults_told += 1;
}

/// The line between the bubbles for a change of state, none for steps that a person need not see.
fn line_of(dialect: DialectId, change: &StateChange) -> Option<String> {
    let line = match &change.to {
        SessionState::New | SessionState::Configuring => return None,
        SessionState::Connecting => "connecting".to_owned(),
        SessionState::Connected => "connected".to_owned(),
        // The vendor's own word for it.
        SessionState::Ready if dialect == DialectId::WebMessaging => "configured".to_owned(),
        SessionState::Ready => "ready".to_owned(),
        SessionState::ReadOnly => "read-only".to_owned(),
        SessionState::Reconnecting { attempt, .. } => format!("reconnecting, try {attempt}"),
        SessionState::Ended(end) => format!("ended: {}", end.sentence()),
    };
    Some(if change.why.is_empty() { line } else { format!("{line} ({})", change.why) })
}
