//! All sessions of a capture.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::ends::{Ends, EndsFold};
use super::evidence::{Common, Evidence, Scene};
use super::finding::Finding;
use super::knowledge::Knowledge;
use super::lint::{self, LintFold};
use super::metrics::{ALL_SAMPLES, Metrics};
use super::session::{SessionFold, SessionView, fact_of};
use crate::model::{Fact, Happening, Kind, Now, Record, SessionId};

/// What the window shows of a whole capture, and the fold that keeps it.
///
/// [`Board::snapshot`] is cheap: parts are shared until they change. A clone is a full copy that can be folded on.
#[derive(Clone, Debug)]
pub struct Board {
    /// In the order of their making.
    pub sessions: Vec<Arc<SessionView>>,
    /// Facts outside any session: OAuth, sandbox.
    pub general: Arc<SessionView>,
    /// The last record folded.
    pub seq: u64,
    /// When it was made.
    pub at: Now,
    /// Records marked by the user.
    pub marks: Arc<BTreeSet<u64>>,
    /// Notes of the user by the record that they are on; in each, the record of the note and its text.
    pub notes: Arc<BTreeMap<u64, Vec<(u64, String)>>>,
    /// Payloads and bytes that were not stored.
    pub left_out: (u64, u64),
    /// Of all sessions, and of what belongs to none.
    pub metrics: Arc<Metrics>,
    /// Conversations of which both ends are in this capture.
    pub ends: Arc<Ends>,
    fold: Fold,
}

/// What folding needs beside what is shown. A snapshot has none.
#[derive(Clone, Debug)]
enum Fold {
    Going {
        by_id: HashMap<SessionId, usize>,
        sessions: Vec<Folding>,
        general: Box<Folding>,
        ends: Box<EndsFold>,
        common: Box<Shared>,
        knowledge: Arc<Knowledge>,
        told: Vec<Happening>,
    },
    Snapshot,
}

#[derive(Clone, Debug, Default)]
struct Folding {
    session: SessionFold,
    evidence: Evidence,
    lint: LintFold,
}

/// What folds of all sessions share.
#[derive(Clone, Debug, Default)]
struct Shared {
    evidence: Common,
    lint: lint::Common,
}

impl Default for Board {
    fn default() -> Self {
        Self::knowing(Knowledge::embedded())
    }
}

impl Board {
    /// An empty board that explains failures by this.
    pub fn knowing(knowledge: Arc<Knowledge>) -> Self {
        Self {
            sessions: Vec::new(),
            general: Arc::new(SessionView::new(SessionId::NONE)),
            seq: 0,
            at: Now::default(),
            marks: Arc::default(),
            notes: Arc::default(),
            left_out: (0, 0),
            metrics: Arc::new(Metrics::keeping(ALL_SAMPLES)),
            ends: Arc::default(),
            fold: Fold::Going {
                by_id: HashMap::new(),
                sessions: Vec::new(),
                general: Box::default(),
                ends: Box::default(),
                common: Box::default(),
                knowledge,
                told: Vec::new(),
            },
        }
    }

    /// Takes the next record. Records must come in order; gaps are allowed (noise is not needed), and a record that
    /// was folded before is passed over.
    pub fn fold(&mut self, record: &Record) {
        if record.seq <= self.seq {
            return;
        }
        self.seq = record.seq;
        self.at = record.at;
        if matches!(record.kind, Kind::Mark | Kind::Note | Kind::LeftOut) {
            self.fold_whole(record);
        }
        self.with(record, true, |folding, common, knowledge, view, told| {
            let fact = fact_of(record);
            let Folding { session, evidence, lint } = folding;
            let shared = &mut common.evidence;
            evidence.take(&mut Scene { common: shared, knowledge, view, record }, fact.as_ref());
            let claims = fact.clone().filter(|_| record.kind == Kind::Expiry);
            session.take(view, record, fact, told);
            let (common, heard, named) = (&mut common.lint, &session.heard[..], &session.named[..]);
            lint.take(&mut lint::Scene { common, knowledge, view, record, fact: claims.as_ref(), heard, named });
        });
    }

    /// Takes what passes from one of the newest records that is no part of the story: who types. Such records may be
    /// read after later ones were folded.
    pub fn fold_live(&mut self, record: &Record) {
        self.with(record, false, |folding, _, _, view, told| folding.session.fold_live(view, record, told));
    }

    /// What is shown now, to be handed to another thread. It shares everything and cannot be folded on.
    pub fn snapshot(&self) -> Self {
        Self {
            sessions: self.sessions.clone(),
            general: Arc::clone(&self.general),
            seq: self.seq,
            at: self.at,
            marks: Arc::clone(&self.marks),
            notes: Arc::clone(&self.notes),
            left_out: self.left_out,
            metrics: Arc::clone(&self.metrics),
            ends: Arc::clone(&self.ends),
            fold: Fold::Snapshot,
        }
    }

    pub fn session(&self, id: SessionId) -> Option<&Arc<SessionView>> {
        // Sessions are counted from 1 and stand in the order of their making: mostly the place is known.
        let guess = (id.0 as usize).checked_sub(1).and_then(|n| self.sessions.get(n));
        guess.filter(|s| s.id == id).or_else(|| self.sessions.iter().find(|s| s.id == id))
    }

    /// The view of a session, or the general one for [`SessionId::NONE`].
    pub fn view(&self, id: SessionId) -> Option<&Arc<SessionView>> {
        if id == SessionId::NONE { Some(&self.general) } else { self.session(id) }
    }

    /// What explains a record of a session: a failure itself, its request, or a fact about it.
    pub fn finding(&self, session: SessionId, seq: u64) -> Option<&Arc<Finding>> {
        self.view(session)?.findings.about(seq)
    }

    fn fold_whole(&mut self, record: &Record) {
        let on = record.reply_to;
        match record.fact() {
            Some(Fact::Mark { on: true }) if on != 0 => {
                Arc::make_mut(&mut self.marks).insert(on);
            }
            Some(Fact::Mark { on: false }) => {
                Arc::make_mut(&mut self.marks).remove(&on);
            }
            Some(Fact::Note { text }) if on != 0 => {
                Arc::make_mut(&mut self.notes).entry(on).or_default().push((record.seq, text));
            }
            Some(Fact::LeftOut { payloads, bytes }) => {
                self.left_out.0 = self.left_out.0.saturating_add(payloads);
                self.left_out.1 = self.left_out.1.saturating_add(bytes);
            }
            _ => {}
        }
    }

    fn with(
        &mut self,
        record: &Record,
        make: bool,
        deed: impl FnOnce(&mut Folding, &mut Shared, &Knowledge, &mut SessionView, &mut Vec<Happening>),
    ) {
        let Fold::Going { by_id, sessions, general, ends, common, knowledge, told } = &mut self.fold else {
            debug_assert!(false, "a snapshot is for looking at");
            return;
        };
        let id = record.session;
        if id == SessionId::NONE {
            let view = Arc::make_mut(&mut self.general);
            deed(general, common, knowledge, view, told);
            return measure(&mut general.session, view, &mut self.metrics);
        }
        let place = match by_id.get(&id) {
            Some(place) => *place,
            None if !make => return,
            None => {
                by_id.insert(id, sessions.len());
                sessions.push(Folding::default());
                self.sessions.push(Arc::new(SessionView::new(id)));
                sessions.len() - 1
            }
        };
        if let (Some(fold), Some(view)) = (sessions.get_mut(place), self.sessions.get_mut(place)) {
            let view = Arc::make_mut(view);
            deed(fold, common, knowledge, view, told);
            measure(&mut fold.session, view, &mut self.metrics);
            for sighting in fold.session.sightings.drain(..) {
                ends.take(&mut self.ends, sighting);
            }
        }
    }
}

/// Counts what a record told, for the session and for all.
fn measure(fold: &mut SessionFold, view: &mut SessionView, all: &mut Arc<Metrics>) {
    for event in fold.metrics.events.drain(..) {
        if event.is_of_all() {
            Arc::make_mut(all).take(event.clone());
        }
        Arc::make_mut(&mut view.metrics).take(event);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::fact::{Delivery, DeliveryChange, End, SessionState, Skew, StateChange};
    use crate::model::{Direction, Draft, Flags, Mono, Now, Report, Wall};
    use crate::projection::What;

    fn record(seq: u64, session: u32, fact: &Fact) -> Record {
        let now = Now { wall: Wall(1_000_000 * seq as i64), mono: Mono(1_000_000 * seq) };
        Record { seq, draft: Draft::fact(now, SessionId(session), fact) }
    }

    fn state(to: SessionState, why: &str) -> Fact {
        Fact::State(StateChange { to, why: why.into() })
    }

    fn lines(view: &SessionView) -> Vec<String> {
        let line = |e: &Arc<crate::projection::Entry>| match &e.what {
            What::State(line) | What::Note(line) => line.clone(),
            other => format!("{other:?}"),
        };
        view.conversation.entries.iter().map(line).collect()
    }

    #[test]
    fn states_become_lines_and_a_remark_is_told_without_its_state() {
        let mut board = Board::default();
        let facts = [
            state(SessionState::Connecting, ""),
            state(SessionState::Configuring, ""),
            state(SessionState::Ready, "resumed"),
            state(SessionState::Ready, "the server took long"),
            state(SessionState::ReadOnly, ""),
            state(SessionState::Ended(End::Lost), ""),
        ];
        for (n, fact) in facts.iter().enumerate() {
            board.fold(&record(n as u64 + 1, 1, fact));
        }
        let view = board.session(SessionId(1)).unwrap();
        let expected = [
            "connecting",
            "configured (resumed)",
            "the server took long",
            "read-only",
            "ended: connection lost without a close frame",
        ];
        assert_eq!(lines(view), expected);
        assert!(view.conversation.read_only);
        assert_eq!(view.state_seq, 6);
    }

    #[test]
    fn what_was_never_sent_says_why() {
        let mut board = Board::default();
        let delivery = Delivery::NotSent { why: "the session is read-only".into() };
        board.fold(&record(1, 1, &Fact::Delivery(DeliveryChange { tracing: "t".into(), delivery })));
        assert_eq!(lines(&board.sessions[0]), ["not sent: the session is read-only"]);
    }

    #[test]
    fn marks_notes_and_losses_are_kept_for_the_whole_capture() {
        let mut board = Board::default();
        for (seq, on, fact) in [
            (1, 9, Fact::Mark { on: true }),
            (2, 8, Fact::Mark { on: true }),
            (3, 9, Fact::Mark { on: false }),
            (4, 8, Fact::Note { text: "look".into() }),
            (5, 0, Fact::LeftOut { payloads: 2, bytes: 10 }),
            (6, 0, Fact::LeftOut { payloads: 1, bytes: 5 }),
        ] {
            let mut r = record(seq, 0, &fact);
            r.draft.reply_to = on;
            board.fold(&r);
        }
        assert_eq!(board.marks.iter().copied().collect::<Vec<_>>(), [8]);
        assert_eq!(board.notes[&8], [(4, "look".to_owned())]);
        assert_eq!(board.left_out, (3, 15));
        assert_eq!(board.general.conversation.entries.len(), 3);
    }

    #[test]
    fn the_servers_clock_is_told_by_the_skew() {
        let mut board = Board::default();
        board.fold(&record(1, 1, &Fact::Skew(Skew { skew_us: 5_300_000, uncertainty_us: 1, jump_us: 0 })));
        let view = &board.sessions[0];
        let at = |wall, mono| view.server_now(Now { wall: Wall(wall), mono: Mono(mono) }).0;
        assert_eq!(at(3_000_000, 3_000_000), 8_300_000);
        assert_eq!(at(-9_000_000, 3_000_000), 8_300_000, "set back");
        assert_eq!(at(9_000_000, 3_000_000), 14_300_000, "slept");
    }

    #[test]
    fn a_snapshot_shares_what_did_not_change() {
        let mut board = Board::default();
        board.fold(&record(1, 1, &state(SessionState::Ready, "")));
        board.fold(&record(2, 2, &state(SessionState::Ready, "")));
        let before = board.snapshot();
        board.fold(&record(3, 2, &state(SessionState::ReadOnly, "")));
        let after = board.snapshot();
        assert!(Arc::ptr_eq(&before.sessions[0], &after.sessions[0]));
        assert_eq!(before.sessions[1].state, Some(SessionState::Ready));
        assert_eq!(after.sessions[1].state, Some(SessionState::ReadOnly));
    }

    #[test]
    fn faults_are_bounded_counted_and_not_told_twice() {
        let mut board = Board::default();
        for n in 0..300u64 {
            let fault = Fact::Fault(Report::new(&format!("f{}", n / 2), "It failed", "again"));
            board.fold(&record(n + 1, 1, &fault));
        }
        let view = &board.sessions[0];
        assert_eq!((view.faults.len(), view.faults_told), (100, 150));
        assert_eq!(view.faults.last().map(|(_, r)| r.code.as_str()), Some("f149"));
    }

    fn anything() -> impl Strategy<Value = Record> {
        let heads = prop::sample::select(vec![
            "",
            "{",
            "null",
            r#"{"fact":"state","to":{"state":"ready"}}"#,
            r#"{"fact":"state","to":{"state":"ended","end":"lost"}}"#,
            r#"{"fact":"delivery","tracing":"t","delivery":{"delivery":"sent"}}"#,
            r#"{"fact":"skew","skew_us":9223372036854775807,"uncertainty_us":-1}"#,
            r#"{"fact":"expiry","id":"x","title":"","event":"started","by":"","from":-9223372036854775808,"until":9223372036854775807,"margin_secs":4294967295,"breaks":""}"#,
            r#"{"fact":"expiry","id":"x","title":"","event":"forgotten","by":"","from":0,"until":null,"margin_secs":0,"breaks":""}"#,
            r#"{"fact":"note","text":"a line"}"#,
            r#"{"fact":"mark","on":true}"#,
            r#"{"fact":"left-out","payloads":18446744073709551615,"bytes":1}"#,
            r#"{"fact":"fault","code":"c","title":"t","what":"w"}"#,
        ]);
        let bodies = prop::sample::select(vec![
            "",
            "{",
            r#"{"action":"onMessage","tracingId":"t","message":{"type":"Text","text":"hi"}}"#,
            r#"{"action":"echo"}"#,
            r#"{"type":"message","class":"StructuredMessage","code":200,"tracingId":"t","body":{"id":"k","type":"Text","text":"hi","direction":"Inbound","channel":{"time":"2026-01-06T13:26:15.174Z"}}}"#,
            r#"{"type":"message","class":"StructuredMessage","code":200,"body":{"id":"d","type":"Event","direction":"Outbound","events":[{"eventType":"Presence","presence":{"type":"Disconnect"}}]}}"#,
            r#"{"type":"message","class":"SessionClearedEvent","code":200,"body":{}}"#,
            r#"{"entities":[{"id":"k","type":"Text","text":"hi","direction":"Inbound"}],"pageNumber":1}"#,
        ]);
        let kind = prop::sample::select(Kind::ALL.to_vec());
        (kind, 0u8..3, 0u32..4, any::<(i64, u64, u32, u64)>(), heads, bodies).prop_map(
            |(kind, direction, session, (wall, mono, conn, reply_to), head, body)| {
                let now = Now { wall: Wall(wall), mono: Mono(mono) };
                let draft = Draft::new(now, SessionId(session), kind, Direction::from_u8(direction))
                    .conn(conn)
                    .reply_to(reply_to)
                    .flags(Flags::STORY)
                    .body(body);
                Record { seq: 0, draft: Draft { head: head.into(), ..draft } }
            },
        )
    }

    proptest! {
        #[test]
        fn any_records_fold_without_panic_and_in_two_halves_as_in_one(
            records in prop::collection::vec(anything(), 0..60), half in any::<prop::sample::Index>(),
        ) {
            let (mut whole, mut halves) = (Board::default(), Board::default());
            let middle = half.index(records.len() + 1);
            for (n, mut r) in records.into_iter().enumerate() {
                r.seq = n as u64 + 1;
                whole.fold(&r);
                if n == middle {
                    // A snapshot in between, and going on from a copy, change nothing.
                    let _shown = halves.snapshot();
                    halves = halves.clone();
                }
                halves.fold(&r);
                halves.fold(&r);
            }
            prop_assert_eq!(format!("{:?}", whole.snapshot()), format!("{:?}", halves.snapshot()));
        }
    }
}
