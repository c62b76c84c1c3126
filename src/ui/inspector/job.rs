//! Work that is too long for a frame, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

/// A running piece of work. Dropping it stops it.
pub(super) struct Job<T> {
    result: Receiver<T>,
    shared: Arc<Shared>,
    pub total: u64,
}

/// What the work sees of its owner.
#[derive(Default)]
pub(super) struct Shared {
    done: AtomicU64,
    stop: AtomicBool,
}

impl Shared {
    /// Tells how far it is; false when it shall stop.
    pub fn progress(&self, done: u64) -> bool {
        self.done.store(done, Ordering::Relaxed);
        !self.stop.load(Ordering::Relaxed)
    }
}

impl<T: Send + 'static> Job<T> {
    /// Starts it; `ctx` is painted again when it is done.
    pub fn start(ctx: &egui::Context, total: u64, work: impl FnOnce(&Shared) -> T + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let (send, result) = sync_channel(1);
        let (theirs, ctx) = (Arc::clone(&shared), ctx.clone());
        let body = move || {
            let _ = send.send(work(&theirs));
            ctx.request_repaint();
        };
        // Where no thread can be had, the channel closes and the caller sees a job that came to nothing.
        let _ = std::thread::Builder::new().name("inspector".to_owned()).spawn(body);
        Self { result, shared, total }
    }

    /// The result, once it is there.
    pub fn poll(&self) -> Poll<T> {
        match self.result.try_recv() {
            Ok(result) => Poll::Done(result),
            Err(TryRecvError::Empty) => Poll::Running(self.shared.done.load(Ordering::Relaxed)),
            Err(TryRecvError::Disconnected) => Poll::Lost,
        }
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

pub(super) enum Poll<T> {
    Running(u64),
    Done(T),
    /// The thread could not start or died.
    Lost,
}
