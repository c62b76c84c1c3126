//! What a first pass over the log finds: which exchanges and sockets there are.
use std::collections::HashMap;

use super::Rows;
use crate::capture::Reader;
use crate::model::record::Kind;
use crate::model::{Report, SessionId};

/// An entry of the export. 16 bytes for an exchange, some more for a socket: messages are not held.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    /// Request and answer by their `seq`; zero where one is missing.
    Http {
        request: u64,
        answer: u64,
    },
    Socket(Box<Socket>),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Socket {
    pub session: SessionId,
    pub conn: u32,
    /// The upgrade request; zero where the log does not have it.
    pub opening: u64,
    /// Its answer (open, refused), or the fault.
    pub answer: u64,
    /// The first and the last record of this socket.
    pub first: u64,
    pub last: u64,
    /// Its end: a close frame (the first from each side), or the loss.
    pub close: u64,
    pub lost: bool,
}

/// Finds all entries, in the order in which they began.
pub fn entries(
    reader: &Reader,
    rows: &Rows,
    mut after_batch: impl FnMut(u64) -> Result<(), Report>,
) -> Result<Vec<Entry>, Report> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut waiting: HashMap<u64, usize> = HashMap::new();
    let mut sockets: HashMap<(SessionId, u32), usize> = HashMap::new();
    let mut row = 0;
    loop {
        let seqs = rows.seqs(row, super::BATCH);
        let Some(last) = seqs.last().copied() else { break };
        for record in reader.records(&seqs, 0)? {
            let seq = record.seq;
            let key = (record.session, record.conn);
            match record.kind {
                Kind::HttpRequest => {
                    waiting.insert(seq, entries.len());
                    entries.push(Entry::Http { request: seq, answer: 0 });
                }
                Kind::HttpResponse | Kind::HttpFailed => {
                    let request = waiting.remove(&record.reply_to).and_then(|k| entries.get_mut(k));
                    match request {
                        Some(Entry::Http { answer, .. }) => *answer = seq,
                        _ => entries.push(Entry::Http { request: 0, answer: seq }),
                    }
                }
                kind if kind.lane() == crate::model::record::Lane::Socket => {
                    let known = sockets.get(&key).copied().filter(|_| kind != Kind::SocketOpening);
                    let at = known.unwrap_or_else(|| {
                        let (session, conn) = key;
                        entries.push(Entry::Socket(Box::new(Socket {
                            session,
                            conn,
                            first: seq,
                            ..Socket::default()
                        })));
                        sockets.insert(key, entries.len() - 1);
                        entries.len() - 1
                    });
                    if let Some(Entry::Socket(socket)) = entries.get_mut(at) {
                        socket.take(seq, kind);
                    }
                }
                _ => {}
            }
        }
        row = rows.row(last + 1);
        after_batch(seqs.len() as u64)?;
    }
    Ok(entries)
}

impl Socket {
    fn take(&mut self, seq: u64, kind: Kind) {
        self.last = seq;
        match kind {
            Kind::SocketOpening => self.opening = seq,
            Kind::SocketOpen | Kind::SocketRefused => self.answer = seq,
            Kind::Close if self.close == 0 && !self.lost => self.close = seq,
            Kind::SocketLost => self.lost = true,
            _ => {}
        }
    }
}
