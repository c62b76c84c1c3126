//! One thread for all calls of the keyring: they may block on a prompt, and must not be made within async code.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Calls that may wait for their turn.
const QUEUE: usize = 16;

type Job = Box<dyn FnOnce() + Send>;

pub(super) struct Worker {
    jobs: SyncSender<Job>,
    /// A call was given up and still runs.
    stuck: Arc<AtomicBool>,
    limit: Duration,
}

/// Why a call gave no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// It did not come back in time. It may still take effect.
    TooLate,
    /// An earlier call has not come back, or too many wait.
    Busy,
    /// It panicked.
    Broken,
}

impl Worker {
    /// `limit` is how long a caller waits.
    pub fn start(limit: Duration) -> io::Result<Self> {
        let (jobs, queue) = sync_channel::<Job>(QUEUE);
        let stuck = Arc::new(AtomicBool::new(false));
        let done = stuck.clone();
        thread::Builder::new().name("keyring".into()).spawn(move || {
            for job in queue {
                // What it would have answered is dropped with it, which its caller sees.
                let _ = catch_unwind(AssertUnwindSafe(job));
                done.store(false, Ordering::Release);
            }
        })?;
        Ok(Self { jobs, stuck, limit })
    }

    /// Runs `job` on the thread and waits for it.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, NoAnswer> {
        if self.stuck.load(Ordering::Acquire) {
            return Err(NoAnswer::Busy);
        }
        let (answer, wait) = sync_channel(1);
        let job = Box::new(move || {
            // The caller may have gone.
            let _ = answer.send(job());
        });
        self.jobs.try_send(job).map_err(|_| NoAnswer::Busy)?;
        wait.recv_timeout(self.limit).map_err(|e| match e {
            RecvTimeoutError::Timeout => {
                self.stuck.store(true, Ordering::Release);
                NoAnswer::TooLate
            }
            RecvTimeoutError::Disconnected => NoAnswer::Broken,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_call_that_hangs_is_given_up_and_later_ones_do_not_wait_for_it() {
        let worker = Worker::start(Duration::from_millis(20)).unwrap();
        let (release, hang) = channel::<()>();
        let (tell, ended) = channel();
        let late = worker.run(move || {
            let _ = hang.recv();
            tell.send(()).unwrap();
        });
        assert_eq!(late, Err(NoAnswer::TooLate));
        assert_eq!(worker.run(|| 1), Err(NoAnswer::Busy));
        release.send(()).unwrap();
        ended.recv().unwrap();
        while worker.stuck.load(Ordering::Acquire) {
            thread::yield_now();
        }
        assert_eq!(worker.run(|| 2), Ok(2));
    }

    #[test]
    fn a_panic_in_a_call_does_not_end_the_thread() {
        let worker = Worker::start(Duration::from_secs(60)).unwrap();
        assert_eq!(worker.run(|| -> u8 { panic!("on purpose") }), Err(NoAnswer::Broken));
        assert_eq!(worker.run(|| 3), Ok(3));
    }
}
