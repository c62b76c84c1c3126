//! Runs the fold behind a capture.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};

use super::{Board, Knowledge};
use crate::capture::Reader;
use crate::model::{Direction, Flags, Report};

/// Records read from the log in one go.
const SLICE: usize = 256;

/// Between two published boards lies at least this long: a snapshot copies some tens of kilobytes, and no screen
/// shows more pictures.
const PUBLISH_EVERY: Duration = Duration::from_millis(10);

/// So many of the newest records are looked at for typing, which is not part of the story; their payloads up to
/// [`TYPING_BYTES`].
const TYPING_WITHIN: u64 = 64;

const TYPING_BYTES: usize = 4_096;

/// A gap shorter than this is ordinary life and not worth a progress bar.
const WORTH_TELLING: u64 = 20_000;

/// A thread that folds what is new and publishes the board.
pub struct Projector {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    board: ArcSwap<Board>,
    failed: ArcSwapOption<Report>,
    /// Records folded (or passed over), and records that there are.
    folded: AtomicU64,
    total: AtomicU64,
    signal: Mutex<Signal>,
    wakeup: Condvar,
}

#[derive(Default)]
struct Signal {
    grown: bool,
    stop: bool,
}

impl Shared {
    fn signal(&self) -> MutexGuard<'_, Signal> {
        self.signal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.signal().stop
    }
}

impl Projector {
    /// `wake` is called after a new board was published, from the projector's thread.
    pub fn start(reader: Reader, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self::knowing(Knowledge::embedded(), reader, wake)
    }

    /// The same, with causes of a tester's own.
    pub fn knowing(knowledge: Arc<Knowledge>, reader: Reader, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        let shared = Arc::new(Shared {
            board: ArcSwap::from_pointee(Board::default().snapshot()),
            failed: ArcSwapOption::empty(),
            folded: AtomicU64::new(0),
            total: AtomicU64::new(reader.len()),
            signal: Mutex::new(Signal { grown: true, stop: false }),
            wakeup: Condvar::new(),
        });
        let worker = Worker::new(Arc::clone(&shared), knowledge, reader, wake);
        let spawned = std::thread::Builder::new().name("projector".into()).spawn(move || worker.run());
        let thread = match spawned {
            Ok(thread) => Some(thread),
            Err(e) => {
                let report = Report::new(
                    "projector-not-started",
                    "The views cannot be kept up to date",
                    "The system gave no thread for them. Records are still written.",
                );
                shared.failed.store(Some(Arc::new(report.detail(e.to_string()))));
                None
            }
        };
        Self { shared, thread }
    }

    /// Tells that the capture has grown. Cheap; called by the writer after each commit.
    pub fn grown(&self) {
        self.shared.signal().grown = true;
        self.shared.wakeup.notify_one();
    }

    /// A closure that does what [`Projector::grown`] does, to be given to the writer. It keeps nothing running.
    pub fn grown_call(&self) -> impl Fn() + Send + Sync + 'static {
        let shared = Arc::downgrade(&self.shared);
        move || {
            if let Some(shared) = shared.upgrade() {
                shared.signal().grown = true;
                shared.wakeup.notify_one();
            }
        }
    }

    pub fn board(&self) -> Arc<Board> {
        self.shared.board.load_full()
    }

    /// Records folded and to fold, while it is far behind: a large capture is being opened, or a flood.
    pub fn behind(&self) -> Option<(u64, u64)> {
        let total = self.shared.total.load(Ordering::Relaxed);
        let folded = self.shared.folded.load(Ordering::Relaxed).min(total);
        (total - folded >= WORTH_TELLING).then_some((folded, total))
    }

    /// Why the log could not be read the last time it was tried.
    pub fn failed(&self) -> Option<Arc<Report>> {
        self.shared.failed.load_full()
    }
}

impl Drop for Projector {
    fn drop(&mut self) {
        self.shared.signal().stop = true;
        self.shared.wakeup.notify_one();
        if let Some(thread) = self.thread.take() {
            // It folds at most a slice more. A panic there was reported where it happened.
            let _ = thread.join();
        }
    }
}

struct Worker {
    shared: Arc<Shared>,
    reader: Reader,
    wake: Arc<dyn Fn() + Send + Sync>,
    board: Board,
    /// The last record that was looked at for typing.
    looked_at: u64,
    published: Option<Instant>,
    changed: bool,
}

impl Worker {
    fn new(shared: Arc<Shared>, knowledge: Arc<Knowledge>, reader: Reader, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        let looked_at = reader.len();
        Self { shared, reader, wake, board: Board::knowing(knowledge), looked_at, published: None, changed: false }
    }

    fn run(mut self) {
        while self.wait() {
            let outcome = self.catch_up();
            if let Err(report) = &outcome {
                self.shared.failed.store(Some(Arc::new(report.clone())));
                self.changed = true;
            } else if self.shared.failed.load().is_some() {
                self.shared.failed.store(None);
            }
            self.publish();
        }
    }

    /// Waits for news, and until the last board has stood long enough. False when it shall end.
    fn wait(&self) -> bool {
        let mut signal = self.shared.signal();
        loop {
            if signal.stop {
                return false;
            }
            let early = self.published.and_then(|at| PUBLISH_EVERY.checked_sub(at.elapsed()));
            signal = match (signal.grown, early) {
                (true, None) => break,
                (true, Some(rest)) => {
                    self.shared.wakeup.wait_timeout(signal, rest).unwrap_or_else(PoisonError::into_inner).0
                }
                (false, _) => self.shared.wakeup.wait(signal).unwrap_or_else(PoisonError::into_inner),
            };
        }
        signal.grown = false;
        true
    }

    fn catch_up(&mut self) -> Result<(), Report> {
        loop {
            let total = self.reader.len();
            self.shared.total.store(total, Ordering::Relaxed);
            let before = self.board.seq;
            let slice = self.reader.story(before, SLICE)?;
            for record in &slice {
                self.board.fold(record);
            }
            if self.board.seq == before && !slice.is_empty() {
                // A damaged file must not hold us here for ever.
                return Err(Report::new(
                    "story-stuck",
                    "The capture cannot be read on",
                    format!("After record {before} the file gives records that it gave before. It is damaged."),
                ));
            }
            self.changed |= !slice.is_empty();
            let done = slice.len() < SLICE;
            // After a short slice all that could be read before it is folded or no part of the story.
            let folded = if done { total.max(self.board.seq) } else { self.board.seq };
            self.shared.folded.store(folded, Ordering::Relaxed);
            if done || self.shared.is_stopped() {
                break;
            }
            if self.published.is_none_or(|at| at.elapsed() >= PUBLISH_EVERY) {
                self.publish();
            }
        }
        self.look_for_typing()
    }

    fn look_for_typing(&mut self) -> Result<(), Report> {
        let len = self.reader.len();
        if !self.reader.is_running() {
            // Who typed in a saved capture types no more.
            return Ok(());
        }
        let first = (self.looked_at + 1).max((len + 1).saturating_sub(TYPING_WITHIN));
        self.looked_at = len.max(self.looked_at);
        if first > len {
            return Ok(());
        }
        let seqs: Vec<u64> = (first..=len).collect();
        for record in self.reader.records(&seqs, TYPING_BYTES)? {
            let typing = record.flags.has(Flags::TYPING) && !record.flags.has(Flags::STORY);
            if typing && record.direction == Direction::Received {
                self.board.fold_live(&record);
                self.changed = true;
            }
        }
        Ok(())
    }

    fn publish(&mut self) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        self.shared.board.store(Arc::new(self.board.snapshot()));
        self.published = Some(Instant::now());
        (self.wake)();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::capture::Writer;
    use crate::model::fact::{SessionState, StateChange};
    use crate::model::record::SessionStart;
    use crate::model::{Draft, Fact, Hosts, Kind, Mono, Now, SessionId, Wall};

    fn now(n: i64) -> Now {
        Now { wall: Wall(1_767_705_975_000_000 + n), mono: Mono(n as u64 + 1) }
    }

    fn start(session: u32) -> Draft {
        let start = SessionStart {
            name: format!("session {session}"),
            dialect: Default::default(),
            environment: "test".into(),
            hosts: Hosts::default(),
            deployment_id: "d".into(),
            tls_unverified: false,
            limits: crate::model::environment::Limits::default(),
        };
        let draft = Draft::new(now(0), SessionId(session), Kind::SessionStart, Direction::Local);
        draft.flags(Flags::STORY).head(&start)
    }

    fn state(session: u32, to: SessionState) -> Draft {
        Draft::fact(now(5), SessionId(session), &Fact::State(StateChange { to, why: String::new() }))
    }

    /// Waits on the projector's own calls until a board satisfies.
    fn until(p: &Projector, calls: &mpsc::Receiver<()>, ok: impl Fn(&Board) -> bool) -> Arc<Board> {
        loop {
            let board = p.board();
            if ok(&board) {
                return board;
            }
            calls.recv_timeout(Duration::from_secs(10)).expect("a new board within ten seconds");
        }
    }

    fn run(reader: Reader) -> (Projector, mpsc::Receiver<()>) {
        let (tell, calls) = mpsc::channel();
        (Projector::start(reader, Arc::new(move || _ = tell.send(()))), calls)
    }

    #[test]
    fn what_is_written_appears_on_the_board_and_a_saved_capture_folds_to_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::create(folder.path()).unwrap();
        let (live, calls) = run(Reader::attach(&writer.opened()).unwrap());
        writer.on_commit(Box::new(live.grown_call()));
        writer.append(start(1));
        writer.append(state(1, SessionState::Connecting));
        let first = until(&live, &calls, |b| b.seq == 2);
        assert_eq!(first.sessions[0].state, Some(SessionState::Connecting));
        for n in 0..1_000 {
            writer.append(Draft::fact(now(n), SessionId(2), &Fact::Note { text: format!("note {n}") }));
        }
        let marked = writer.append(Draft::fact(now(7), SessionId(1), &Fact::Mark { on: true }).reply_to(2));
        let seen = until(&live, &calls, |b| b.seq == marked);
        assert_eq!(first.sessions.len(), 1, "a published board stands still");
        assert_eq!(live.behind(), None);
        let crate::capture::Opened::File(path) = writer.opened() else { panic!("a file was asked for") };
        drop(live);
        writer.close().unwrap();

        let (saved, calls) = run(Reader::open(&path).unwrap());
        let again = until(&saved, &calls, |b| b.seq == marked);
        let shown = |b: &Board| {
            let of = |s: &crate::projection::SessionView| (s.conversation.entries.clone(), s.state.clone(), s.records);
            (b.sessions.iter().map(|s| of(s)).collect::<Vec<_>>(), b.marks.clone(), b.notes.clone())
        };
        assert_eq!(shown(&seen), shown(&again));
        assert_eq!(again.sessions[1].conversation.entries.len(), 1_000);
        assert!(again.marks.contains(&2));
    }

    #[test]
    fn dropping_it_ends_its_thread_and_later_calls_do_nothing() {
        let writer = Writer::private().unwrap();
        let (projector, _calls) = run(Reader::attach(&writer.opened()).unwrap());
        let (grown, shared) = (projector.grown_call(), Arc::downgrade(&projector.shared));
        drop(projector);
        assert_eq!(shared.strong_count(), 0);
        grown();
        writer.close().unwrap();
    }
}
