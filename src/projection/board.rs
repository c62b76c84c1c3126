//! All sessions of a capture.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::session::{SessionFold, SessionView};
use crate::model::{Fact, Happening, Kind, Record, SessionId};

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
    /// Records marked by the user.
    pub marks: Arc<BTreeSet<u64>>,
    /// Notes of the user by the record that they are on; in each, the record of the note and its text.
    pub notes: Arc<BTreeMap<u64, Vec<(u64, String)>>>,
    /// Payloads and bytes that were not stored.
    pub left_out: (u64, u64),
    fold: Fold,
}

/// What folding needs beside what is shown. A snapshot has none.
#[derive(Clone, Debug)]
enum Fold {
    Going {
        by_id: HashMap<SessionId, usize>,
        sessions: Vec<SessionFold>,
        general: Box<SessionFold>,
        told: Vec<Happening>,
    },
    Snapshot,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            sessions: Vec::new(),
            general: Arc::new(SessionView::new(SessionId::NONE)),
            seq: 0,
            marks: Arc::default(),
            notes: Arc::default(),
            left_out: (0, 0),
            fold: Fold::Going {
                by_id: HashMap::new(),
                sessions: Vec::new(),
                general: Box::default(),
                told: Vec::new(),
            },
        }
    }
}

impl Board {
    /// Takes the next record. Records must come in order; gaps are allowed (noise is not needed), and a record that
    /// was folded before is passed over.
    pub fn fold(&mut self, record: &Record) {
        if record.seq <= self.seq {
            return;
        }
        self.seq = record.seq;
        if matches!(record.kind, Kind::Mark | Kind::Note | Kind::LeftOut) {
            self.fold_whole(record);
        }
        self.with(record, true, SessionFold::fold);
    }

    /// Takes what passes from one of the newest records that is no part of the story: who types. Such records may be
    /// read after later ones were folded.
    pub fn fold_live(&mut self, record: &Record) {
        self.with(record, false, SessionFold::fold_live);
    }

    /// What is shown now, to be handed to another thread. It shares everything and cannot be folded on.
    pub fn snapshot(&self) -> Self {
        Self {
            sessions: self.sessions.clone(),
            general: Arc::clone(&self.general),
            seq: self.seq,
            marks: Arc::clone(&self.marks),
            notes: Arc::clone(&self.notes),
            left_out: self.left_out,
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
        deed: impl FnOnce(&mut SessionFold, &mut SessionView, &Record, &mut Vec<Happening>),
    ) {
        let Fold::Going { by_id, sessions, general, told } = &mut self.fold else {
            debug_assert!(false, "a snapshot is for looking at");
            return;
        };
        let id = record.session;
        if id == SessionId::NONE {
            return deed(general, Arc::make_mut(&mut self.general), record, told);
        }
        let place = match by_id.get(&id) {
            Some(place) => *place,
            None if !make => return,
            None => {
                by_id.insert(id, sessions.len());
                sessions.push(SessionFold::default());
                self.sessions.push(Arc::new(SessionView::new(id)));
                sessions.len() - 1
            }
        };
        if let (Some(fold), Some(view)) = (sessions.get_mut(place), self.sessions.get_mut(place)) {
            deed(fold, Arc::make_mut(view), record, told);
        }
    }
}
