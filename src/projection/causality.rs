//! What led to a record and what came of it: request and answer, an upload from its asking to its end.
//!
//! Back to its request a record knows the way (`reply_to`). Forward, the log is searched, and so it is for the other
//! records of an upload, which share only the attachment's id. Both searches are bounded; a result says where its
//! search ended early, so that "no answer" and "no answer found" are told apart.

use std::time::Duration;

use crate::capture::Reader;
use crate::dialect;
use crate::model::happening::Part;
use crate::model::record::HttpRequest;
use crate::model::{DialectId, Direction, Happening, Kind, Record, Report};

/// So many records after the first of a chain are looked at.
pub const LOOK_AHEAD: u64 = 20_000;

/// So many records before a record of an upload.
pub const LOOK_BACK: u64 = 4_000;

/// After the first answer so many more are looked at: the same answer comes on each connection.
const LOOK_AFTER_ANSWER: u64 = 512;

const SLICE: u64 = 512;

/// Enough of a payload to tell an attachment's id.
const BYTES: usize = 4_096;

/// Longer chains do not occur; a loop in a damaged file must end.
const MOST: usize = 64;

/// A record in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Related {
    pub seq: u64,
    pub role: Role,
    /// The record that it answers, and how long that took.
    pub answers: Option<(u64, Duration)>,
    /// Since the first record of the chain.
    pub after: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Request,
    Answer,
    /// The bytes of an upload on their way.
    Upload,
    /// Told without having been asked: the end of an upload, what became of a message.
    Event,
}

impl Role {
    pub fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Answer => "answer",
            Self::Upload => "upload",
            Self::Event => "event",
        }
    }
}

/// The chain of a record, itself included, in the order of the log. Empty where it stands alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    pub records: Vec<Related>,
    /// The search was given up before this record: more may follow.
    pub searched_to: Option<u64>,
}

/// Finds the chain that a record belongs to. Reads at most [`LOOK_AHEAD`] and [`LOOK_BACK`] records in slices: some
/// tens of milliseconds at worst, so call it when the selection changes, not at each paint.
pub fn related(reader: &Reader, dialect: DialectId, record: &Record) -> Result<Chain, Report> {
    let mut search = Search { dialect, chain: vec![record.clone()], file: None, told: Vec::new() };
    search.note_file(record);
    search.climb(reader)?;
    if search.file.is_some() {
        search.back(reader)?;
    }
    let searched_to = search.ahead(reader)?;
    Ok(search.finish(searched_to))
}

struct Search {
    dialect: DialectId,
    /// Ascending.
    chain: Vec<Record>,
    /// The attachment that it is about.
    file: Option<String>,
    told: Vec<Happening>,
}

impl Search {
    fn climb(&mut self, reader: &Reader) -> Result<(), Report> {
        while let Some(first) = self.chain.first()
            && first.reply_to != 0
            && first.reply_to < first.seq
            && self.chain.len() < MOST
            && let Some(request) = reader.record(first.reply_to)?
        {
            self.note_file(&request);
            self.chain.insert(0, request);
        }
        Ok(())
    }

    fn back(&mut self, reader: &Reader) -> Result<(), Report> {
        let Some(end) = self.chain.first().map(|r| r.seq) else { return Ok(()) };
        let begin = end.saturating_sub(LOOK_BACK).max(1);
        let mut before = end;
        while before > begin && self.chain.len() < MOST {
            let from = before.saturating_sub(SLICE).max(begin);
            let seqs: Vec<u64> = (from..before).collect();
            for record in reader.records(&seqs, BYTES)?.into_iter().rev() {
                if self.is_of_file(&record) || self.chain.iter().any(|r| r.reply_to == record.seq) {
                    self.add(record);
                }
            }
            before = from;
        }
        Ok(())
    }

    /// Gives the record before which the search was given up.
    fn ahead(&mut self, reader: &Reader) -> Result<Option<u64>, Report> {
        let Some(root) = self.chain.first().map(|r| r.seq) else { return Ok(None) };
        let len = reader.len();
        let bytes = if self.file.is_some() { BYTES } else { 0 };
        let mut end = len.min(root.saturating_add(LOOK_AHEAD));
        let mut next = root + 1;
        while next <= end && self.chain.len() < MOST {
            let to = end.min(next + SLICE - 1);
            let seqs = match self.file {
                Some(_) => (next..=to).collect(),
                // Only answers matter, to the chain's first record or to a later one.
                None => reader.answering((root, to), (next, to))?,
            };
            for record in reader.records(&seqs, bytes)? {
                let answers = record.reply_to != 0 && self.chain.iter().any(|r| r.seq == record.reply_to);
                if (answers && !matches!(record.kind, Kind::Mark | Kind::Note)) || self.is_of_file(&record) {
                    if self.file.is_none() {
                        end = end.min(record.seq.saturating_add(LOOK_AFTER_ANSWER));
                    }
                    self.add(record);
                }
            }
            next = to + 1;
        }
        let unanswered = self.chain.len() == 1 || self.file.is_some();
        Ok((next <= len && (unanswered || self.chain.len() >= MOST)).then_some(next))
    }

    fn add(&mut self, record: Record) {
        let same = |r: &Record| r.session == record.session;
        if self.chain.len() < MOST
            && self.chain.first().is_some_and(same)
            && let Err(at) = self.chain.binary_search_by_key(&record.seq, |r| r.seq)
        {
            self.chain.insert(at, record);
        }
    }

    fn note_file(&mut self, record: &Record) {
        if self.file.is_some() {
            return;
        }
        self.told.clear();
        dialect::read(self.dialect, record, &mut self.told);
        // A message with a file stands on its own; only the upload's own records make a chain.
        self.file = self.told.iter().find_map(|h| match h {
            Happening::Attachment { id, .. } if !id.is_empty() => Some(id.clone()),
            _ => None,
        });
    }

    fn is_of_file(&mut self, record: &Record) -> bool {
        let Some(file) = &self.file else { return false };
        let mentions = |bytes: &[u8]| memchr::memmem::find(bytes, file.as_bytes()).is_some();
        if record.kind == Kind::HttpRequest {
            return is_upload(record) && mentions(record.head.as_bytes());
        }
        if !mentions(&record.body) {
            return false;
        }
        self.told.clear();
        dialect::read(self.dialect, record, &mut self.told);
        self.told.iter().any(|h| match h {
            Happening::Attachment { id, .. } => id == file,
            Happening::Said(m) => m.parts.iter().any(|p| matches!(p, Part::Attachment(a) if a.id == *file)),
            _ => false,
        })
    }

    fn finish(self, searched_to: Option<u64>) -> Chain {
        let Some(first) = self.chain.first().map(|r| r.at.mono) else { return Chain::default() };
        if self.chain.len() == 1 {
            return Chain { records: Vec::new(), searched_to };
        }
        let of = |record: &Record| {
            let request = self.chain.iter().find(|r| r.seq == record.reply_to);
            let role = match record.kind {
                Kind::HttpRequest if is_upload(record) => Role::Upload,
                Kind::Delivery => Role::Event,
                _ if request.is_some() && record.direction != Direction::Sent => Role::Answer,
                _ if record.direction == Direction::Sent => Role::Request,
                _ => Role::Event,
            };
            let answers = request.map(|r| (r.seq, record.at.mono.since(r.at.mono)));
            Related { seq: record.seq, role, answers, after: record.at.mono.since(first) }
        };
        Chain { records: self.chain.iter().map(of).collect(), searched_to }
    }
}

fn is_upload(record: &Record) -> bool {
    record.head_as::<HttpRequest>().is_some_and(|h| h.purpose == "upload")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Writer;
    use crate::model::record::HttpResponse;
    use crate::model::{Draft, Fact, Mono, Now, SessionId, Wall};

    fn at(millis: u64) -> Now {
        Now { wall: Wall(0), mono: Mono(millis * 1_000) }
    }

    fn frame(millis: u64, direction: Direction) -> Draft {
        Draft::new(at(millis), SessionId(1), Kind::Text, direction).conn(1).body("{}")
    }

    /// Writes the drafts and gives a reader of them.
    fn log(drafts: Vec<Draft>) -> (Writer, Reader) {
        let writer = Writer::private().unwrap();
        for draft in drafts {
            writer.append(draft);
        }
        writer.flush().unwrap();
        let reader = Reader::attach(&writer.opened()).unwrap();
        (writer, reader)
    }

    fn chain(reader: &Reader, seq: u64) -> Chain {
        related(reader, DialectId::WebMessaging, &reader.record(seq).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn request_and_answers_are_found_from_either_end() {
        let note = Fact::Note { text: "look".into() };
        let (_writer, reader) = log(vec![
            frame(0, Direction::Sent),
            frame(10, Direction::Received),
            frame(84, Direction::Received).reply_to(1),
            Draft::fact(at(85), SessionId(1), &note).reply_to(1),
            frame(90, Direction::Received).conn(2).reply_to(1),
        ]);
        let expected = [(1, Role::Request, None), (3, Role::Answer, Some(84)), (5, Role::Answer, Some(90))];
        for from in [1, 3, 5] {
            let chain = chain(&reader, from);
            let got: Vec<_> = chain
                .records
                .iter()
                .map(|r| (r.seq, r.role, r.answers.map(|(_, took)| took.as_millis() as u64)))
                .collect();
            assert_eq!(got, expected, "from {from}");
            assert_eq!(chain.searched_to, None);
        }
        assert_eq!(chain(&reader, 2), Chain::default(), "it stands alone");
    }

    #[test]
    fn an_http_call_is_a_chain() {
        let request = HttpRequest { purpose: "history".into(), ..HttpRequest::default() };
        let (_writer, reader) = log(vec![
            Draft::new(at(0), SessionId(1), Kind::HttpRequest, Direction::Sent).head(&request),
            Draft::new(at(7), SessionId(1), Kind::HttpResponse, Direction::Received)
                .head(&HttpResponse::default())
                .reply_to(1),
        ]);
        let roles: Vec<_> = chain(&reader, 2).records.iter().map(|r| (r.role, r.after.as_millis())).collect();
        assert_eq!(roles, [(Role::Request, 0), (Role::Answer, 7)]);
    }

    #[test]
    fn no_answer_found_is_told_from_no_answer() {
        let mut drafts = vec![frame(0, Direction::Sent)];
        drafts.extend((0..LOOK_AHEAD + 10).map(|n| frame(n, Direction::Received)));
        let last = drafts.len() as u64;
        let (_writer, reader) = log(drafts);
        let found = chain(&reader, 1);
        assert_eq!((found.records.len(), found.searched_to), (0, Some(LOOK_AHEAD + 2)));
        assert_eq!(chain(&reader, last).searched_to, None);
    }

    #[test]
    fn a_loop_in_a_damaged_file_ends() {
        let drafts = (0..200).map(|n| frame(n, Direction::Received).reply_to(n)).collect();
        let (_writer, reader) = log(drafts);
        assert_eq!(chain(&reader, 200).records.len(), MOST);
        assert_eq!(chain(&reader, 1).records.len(), MOST);
    }
}
