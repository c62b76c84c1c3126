//! What waits for the disk: bounded by bytes, filled by many, emptied by the writer's thread.
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::model::record::{Draft, Flags};
use crate::model::{Fact, Now, SessionId};

/// From here on sockets should be read more slowly.
pub const PRESSED: u64 = 32 << 20;
/// From here on payloads are left out.
pub const FULL: u64 = 128 << 20;
/// From here on records are not kept at all; only reached when nothing can be written for long.
pub const BURST: u64 = 192 << 20;
/// The thread starts to write when this many wait…
pub const BATCH: usize = 512;
/// …or the first of them has waited this long.
pub const PATIENCE: Duration = Duration::from_millis(5);
/// SQLite refuses values near a thousand million bytes; no payload comes near this one.
const LONGEST: usize = 256 << 20;

#[derive(Debug, Default)]
struct State {
    drafts: Vec<Draft>,
    bytes: u64,
    /// Taken by the thread and not yet committed.
    taken: u64,
    taken_bytes: u64,
    /// `seq` of the last record accepted.
    last: u64,
    committed: u64,
    left_out: u64,
    /// Left out since the last record that told so.
    untold: (u64, u64),
    dropped: u64,
    last_at: Now,
    first_at: Option<Instant>,
    waiting: bool,
    closing: bool,
    ended: bool,
    /// Counts failed tries, so that a flush notices a new one.
    failures: u64,
}

/// Figures for [`super::WriterStatus`].
pub struct Figures {
    pub committed: u64,
    pub queued: u64,
    pub queued_bytes: u64,
    pub left_out: u64,
    pub dropped: u64,
}

/// How waiting for a commit ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Waited {
    Committed,
    Failed,
    Ended,
}

#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    work: Condvar,
    progress: Condvar,
}

/// Memory that a draft holds, roughly.
fn weight(draft: &Draft) -> u64 {
    (std::mem::size_of::<Draft>() + draft.head.len() + draft.body.len()) as u64
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts a draft and gives its place; zero where it could not be kept.
    pub fn push(&self, mut draft: Draft) -> u64 {
        let mut state = self.lock();
        let held = state.bytes + state.taken_bytes;
        if state.ended || held >= BURST {
            state.dropped += 1;
            return 0;
        }
        if !draft.body.is_empty() && (held + weight(&draft) > FULL || draft.body.len() > LONGEST) {
            state.left_out += 1;
            state.untold.0 += 1;
            state.untold.1 += draft.body.len() as u64;
            draft.body = Bytes::new();
            draft.flags = draft.flags.with(Flags::LEFT_OUT);
        }
        state.last_at = draft.at;
        let seq = state.push(draft);
        if state.waiting && (state.drafts.len() == 1 || state.drafts.len() == BATCH) {
            self.work.notify_one();
        }
        seq
    }

    pub fn is_pressed(&self) -> bool {
        let state = self.lock();
        state.bytes + state.taken_bytes >= PRESSED
    }

    /// Waits for a batch and takes all that waits into `into`, which must be empty. Gives the first `seq`, none when
    /// closed and empty.
    pub fn take(&self, into: &mut Vec<Draft>) -> Option<u64> {
        let mut state = self.lock();
        loop {
            let patience = match state.first_at {
                Some(at) => PATIENCE.saturating_sub(at.elapsed()),
                None => Duration::MAX,
            };
            if state.drafts.len() >= BATCH || patience.is_zero() || state.closing {
                break;
            }
            state.waiting = true;
            state = if patience == Duration::MAX {
                self.work.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.work.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0
            };
            state.waiting = false;
        }
        if state.drafts.is_empty() && state.untold.0 == 0 {
            state.ended = true;
            return None;
        }
        state.tell_left_out();
        std::mem::swap(&mut state.drafts, into);
        state.first_at = None;
        state.taken = into.len() as u64;
        state.taken_bytes = std::mem::take(&mut state.bytes);
        Some(state.last + 1 - state.taken)
    }

    /// Notes that the first `count` of what was taken, weighing `bytes`, is committed.
    pub fn committed(&self, count: u64, drafts: &[Draft]) {
        let bytes: u64 = drafts.iter().map(weight).sum();
        let mut state = self.lock();
        state.taken -= count.min(state.taken);
        state.taken_bytes -= bytes.min(state.taken_bytes);
        if state.taken == 0 {
            state.taken_bytes = 0;
        }
        state.committed += count;
        drop(state);
        self.progress.notify_all();
    }

    /// Notes a failed try and waits before the next one. True where the queue is closing: no further try.
    pub fn failed(&self, wait: Duration) -> bool {
        let mut state = self.lock();
        state.failures += 1;
        self.progress.notify_all();
        if !state.closing {
            let until = Instant::now() + wait;
            while !state.closing {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            return false;
        }
        true
    }

    /// Waits until all that was accepted before is committed, or writing fails.
    pub fn wait_committed(&self) -> Waited {
        let mut state = self.lock();
        let (want, failures) = (state.last, state.failures);
        loop {
            if state.committed >= want {
                return Waited::Committed;
            }
            if state.ended {
                return Waited::Ended;
            }
            if state.failures != failures {
                return Waited::Failed;
            }
            // Waiting for the patience of a batch would only cost time.
            state.first_at = state.first_at.and_then(|at| at.checked_sub(PATIENCE)).or(state.first_at);
            self.work.notify_one();
            state = self.progress.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub fn close(&self) {
        self.lock().closing = true;
        self.work.notify_all();
    }

    /// Nothing is taken any more; what still waits counts as not kept.
    pub fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        state.dropped += state.taken + state.drafts.len() as u64;
        state.drafts = Vec::new();
        (state.bytes, state.taken, state.taken_bytes, state.first_at) = (0, 0, 0, None);
        drop(state);
        self.progress.notify_all();
    }

    pub fn figures(&self) -> Figures {
        let state = self.lock();
        Figures {
            committed: state.committed,
            queued: state.drafts.len() as u64 + state.taken,
            queued_bytes: state.bytes + state.taken_bytes,
            left_out: state.left_out,
            dropped: state.dropped,
        }
    }
}

impl State {
    fn push(&mut self, draft: Draft) -> u64 {
        if self.first_at.is_none() {
            self.first_at = Some(Instant::now());
        }
        self.bytes += weight(&draft);
        self.drafts.push(draft);
        self.last += 1;
        self.last
    }

    fn tell_left_out(&mut self) {
        let (payloads, bytes) = std::mem::take(&mut self.untold);
        if payloads > 0 {
            let fact = Fact::LeftOut { payloads, bytes };
            self.push(Draft::fact(self.last_at, SessionId::NONE, &fact));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::{Direction, Kind};

    fn draft(body: usize) -> Draft {
        Draft::new(Now::default(), SessionId(1), Kind::Text, Direction::Received).body(vec![b'x'; body])
    }

    #[test]
    fn a_full_queue_leaves_payloads_out_and_says_so_in_a_record() {
        let queue = Queue::default();
        let big = draft(1 << 20);
        for _ in 0..200 {
            assert_ne!(queue.push(big.clone()), 0);
        }
        let figures = queue.figures();
        assert!(figures.left_out > 50 && figures.left_out < 100, "{}", figures.left_out);
        assert!(figures.queued_bytes <= FULL + (1 << 20));
        assert!(queue.is_pressed());
        let mut taken = Vec::new();
        assert_eq!(queue.take(&mut taken), Some(1));
        let last = taken.last().unwrap();
        assert_eq!((last.kind, taken.len()), (Kind::LeftOut, 201));
        let fact = Fact::LeftOut { payloads: figures.left_out, bytes: figures.left_out << 20 };
        assert_eq!(serde_json::from_str::<Fact>(&last.head).unwrap(), fact);
        let left = taken.iter().find(|d| d.flags.has(Flags::LEFT_OUT)).unwrap();
        assert_eq!((left.size, left.body.len()), (1 << 20, 0));
        // What is being written counts too.
        assert!(queue.is_pressed());
        queue.committed(201, &taken);
        assert!(!queue.is_pressed());
    }

    #[test]
    fn beyond_all_bounds_records_are_counted_and_not_given_a_place() {
        let queue = Queue::default();
        let mut heavy = draft(0);
        heavy.head = "h".repeat(1 << 20);
        let places: Vec<u64> = (0..300).map(|_| queue.push(heavy.clone())).collect();
        let kept = places.iter().filter(|p| **p != 0).count() as u64;
        assert!(kept < 200);
        assert_eq!(queue.figures().dropped, 300 - kept);
        assert!(places[..kept as usize].iter().enumerate().all(|(k, p)| *p == k as u64 + 1));
    }

    #[test]
    fn few_records_wait_for_company_and_then_go() {
        let queue = Queue::default();
        queue.push(draft(1));
        let mut taken = Vec::new();
        let start = Instant::now();
        assert_eq!(queue.take(&mut taken), Some(1));
        assert!(start.elapsed() < Duration::from_secs(2));
        queue.close();
        taken.clear();
        assert_eq!(queue.take(&mut taken), None);
        assert_eq!(queue.push(draft(1)), 0);
    }
}
