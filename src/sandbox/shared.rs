//! The state behind its lock, and the two kinds of task that work on it by themselves: the sweeper, which ends
//! what is over, and a partner for each session.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};

use super::partner::{self, PAUSE, Said, Step};
use super::state::State;
use crate::model::{Clock, Now};

pub(super) struct Shared {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
    /// Wakes the sweeper: something may end earlier than it thought.
    rearm: Arc<Notify>,
    runtime: Handle,
    /// True once all shall end.
    pub(super) stop: watch::Sender<bool>,
    /// A clone in each task; when all are gone, all have ended.
    alive: Mutex<Option<mpsc::Sender<()>>>,
    pub(super) port: u16,
    /// It speaks TLS.
    pub(super) secure: bool,
    pub(super) allow_origins: Vec<String>,
}

impl Shared {
    /// The second value is closed once all tasks have ended after a stop.
    pub(super) fn new(
        state: State,
        clock: Arc<dyn Clock>,
        allow_origins: Vec<String>,
    ) -> (Arc<Self>, mpsc::Receiver<()>) {
        let (alive, ended) = mpsc::channel(1);
        let rearm = Arc::new(Notify::new());
        let bell = Arc::clone(&rearm);
        clock.on_move(Box::new(move || bell.notify_one()));
        let shared = Arc::new(Self {
            port: state.me.addr.port(),
            secure: state.me.secure,
            state: Mutex::new(state),
            clock,
            rearm,
            runtime: Handle::current(),
            stop: watch::Sender::new(false),
            alive: Mutex::new(Some(alive)),
            allow_origins,
        });
        (shared, ended)
    }

    /// Does something with the state, at one moment. Never waits for anything but the lock.
    pub(super) fn act<T>(self: &Arc<Self>, deed: impl FnOnce(&mut State, Now) -> T) -> T {
        let (result, born) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let now = self.clock.now();
            state.sweep(now);
            let result = deed(&mut state, now);
            (result, std::mem::take(&mut state.born))
        };
        for (session, said) in born {
            self.spawn(Arc::clone(self).play(session, said));
        }
        self.rearm.notify_one();
        result
    }

    /// Starts a task that [`Self::end`] waits for. It must watch `stop`.
    pub(super) fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // None once all shall end: nothing new begins then.
        if let Some(alive) = alive {
            self.runtime.spawn(async move {
                task.await;
                drop(alive);
            });
        }
    }

    /// Tells all tasks to end.
    pub(super) fn end(&self) {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.stop.send_replace(true);
    }

    /// Waits until all shall end.
    pub(super) async fn ended(&self) {
        // An error would mean that the sender, a part of us, is gone.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Ends what is over, when it is over.
    pub(super) async fn sweep(self: Arc<Self>) {
        loop {
            let next = {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.sweep(self.clock.now())
            };
            // A clock that is moved by hand rings; at most a computer's suspend makes the sleep too long.
            let wait =
                next.unwrap_or(Duration::from_secs(3600)).clamp(Duration::from_millis(5), Duration::from_secs(30));
            tokio::select! {
                () = self.ended() => return,
                () = self.rearm.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// The partner of one session, until the session is forgotten.
    async fn play(self: Arc<Self>, session: u32, mut said: mpsc::Receiver<Said>) {
        loop {
            let said = tokio::select! {
                () = self.ended() => return,
                said = said.recv() => match said {
                    Some(said) => said,
                    None => return,
                },
            };
            let first = self.act(|state, _| {
                state.sessions.get_mut(&session).is_some_and(|s| !std::mem::replace(&mut s.greeted, true))
            });
            for step in partner::answer(&said, first) {
                self.act(|state, now| partner::perform(state, session, &step, now));
                if step == Step::Type {
                    tokio::select! {
                        () = self.ended() => return,
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
            }
        }
    }
}
