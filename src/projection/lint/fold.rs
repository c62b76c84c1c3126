//! The fold: gathers the evidence of a record and holds it against the rules.

use super::channels::Channels;
use super::frames::{Frames, Tokens};
use super::parties::{Named, Parties};
use super::requests::Requests;
use super::{Lint, units};
use crate::model::fact::{Expiry, SessionState};
use crate::model::{DialectId, Direction, Fact, Flags, Kind, Record, Wall};
use crate::projection::evidence::Gathered;
use crate::projection::knowledge::Knowledge;
use crate::projection::knowledge::rule::Spot;
use crate::projection::session::SessionView;

/// What all sessions share: two of them may have one token, one channel, one conversation.
#[derive(Clone, Debug)]
pub struct Common {
    pub tokens: Tokens,
    pub channels: Channels,
    pub parties: Parties,
    found: Gathered,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            tokens: Tokens::default(),
            channels: Channels::default(),
            parties: Parties::default(),
            found: Gathered::new(),
        }
    }
}

/// A message that a live frame brought.
#[derive(Clone, Debug)]
pub struct Heard {
    pub key: Box<str>,
    /// `channel.time`.
    pub at: Option<Wall>,
}

/// What is at hand for one record, after the view has taken it.
pub struct Scene<'a> {
    pub common: &'a mut Common,
    pub knowledge: &'a Knowledge,
    pub view: &'a mut SessionView,
    pub record: &'a Record,
    pub fact: Option<&'a Fact>,
    pub heard: &'a [Heard],
    /// Parties of conversations that the record tells.
    pub named: &'a [Named],
}

/// What is remembered of one session.
#[derive(Clone, Debug, Default)]
pub struct LintFold {
    pub(super) frames: Frames,
    pub(super) requests: Requests,
}

impl LintFold {
    pub fn take(&mut self, scene: &mut Scene<'_>) {
        let dialect = scene.view.dialect();
        let record = scene.record;
        match (record.kind, record.direction) {
            (Kind::Text | Kind::Binary, Direction::Sent) => {
                scene.gather(Spot::Sent, dialect, |s, found| {
                    if dialect == DialectId::WebMessaging {
                        self.frames.sent(s, found);
                    }
                    if dialect == DialectId::Agent {
                        s.common.channels.sent(s.record, found);
                    }
                    odd(dialect, record, found);
                    self.requests.meters(s.view, record, found);
                });
            }
            (Kind::Text | Kind::Binary, _) => {
                let mut heard = scene.heard.iter();
                let mut one = heard.next();
                loop {
                    scene.gather(Spot::Received, dialect, |s, found| {
                        if let Some(message) = one {
                            self.frames.heard(record, message, found);
                        }
                        if dialect == DialectId::WebMessaging {
                            self.frames.received(s, found);
                        }
                        if record.flags.has(Flags::UNKNOWN) || record.flags.has(Flags::MALFORMED) {
                            odd(dialect, record, found);
                        }
                        units::body(record, found);
                    });
                    // A frame with several messages is looked at once for each.
                    one = heard.next();
                    if one.is_none() {
                        break;
                    }
                }
            }
            (Kind::SocketOpen, _) => self.frames.opened(record.conn),
            (Kind::Close | Kind::SocketLost, _) => {
                self.frames.closed(record.conn);
                scene.common.tokens.closed(record.session, record.conn);
            }
            (Kind::HttpRequest, _) => {
                scene.gather(Spot::Request, dialect, |s, found| self.requests.asked(s, found));
            }
            (Kind::HttpResponse, _) => {
                scene.gather(Spot::Answer, dialect, |s, found| {
                    s.common.channels.answered(s.record);
                    units::body(record, found);
                });
            }
            (Kind::State, _) if matches!(scene.view.state, Some(SessionState::Ready | SessionState::ReadOnly)) => {
                self.frames.ready();
            }
            (Kind::Expiry, _) => {
                if let Some(Fact::Expiry(Expiry { claims: Some(claims), .. })) = scene.fact {
                    scene.gather(Spot::Token, dialect, |_, found| units::claims(claims, record.seq, found));
                }
            }
            _ => {}
        }
        for named in scene.named {
            scene.common.parties.take(named, record.seq);
        }
        let forgotten = self.frames.forgotten + scene.common.channels.forgotten + scene.common.parties.forgotten;
        if forgotten != scene.view.lints.forgotten {
            scene.view.lints_mut().forgotten = forgotten;
        }
    }
}

impl Scene<'_> {
    /// Gathers evidence and tells which rules it breaks.
    fn gather(&mut self, spot: Spot, dialect: DialectId, fill: impl FnOnce(&mut Self, &mut Gathered)) {
        if !self.knowledge.rules.iter().any(|r| r.of.contains(&spot)) {
            return;
        }
        let mut found = std::mem::replace(&mut self.common.found, Gathered::bare());
        fill(self, &mut found);
        for rule in &self.knowledge.rules {
            if rule.is_broken(spot, dialect, &found) {
                let lint = Lint::of(rule, self.record, &found);
                self.view.lints_mut().add(lint);
            }
        }
        found.clear();
        self.common.found = found;
    }
}

/// What nobody describes.
fn odd(dialect: DialectId, record: &Record, found: &mut Gathered) {
    let strange = crate::dialect::strange(dialect, record);
    if !strange.names.is_empty() {
        found.list("strange.names", strange.names, record.seq);
        found.number("strange.more", f64::from(strange.more), record.seq);
    }
    if !strange.lacks.is_empty() {
        let lacks = strange.lacks.into_iter().map(str::to_owned).collect();
        found.list("sent.lacks", lacks, record.seq);
    }
}
