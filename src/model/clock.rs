//! Where "now" comes from, and what the server's clock says.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::time::{Mono, Wall};

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    pub wall: Wall,
    pub mono: Mono,
}

/// A source of [`Now`]. The program has one; a test may hold its hand.
pub trait Clock: Send + Sync {
    fn now(&self) -> Now;

    /// Registers a call to make whenever the clock was moved by hand, so that waits can be measured anew.
    /// A real clock never calls it.
    fn on_move(&self, _call: Box<dyn Fn() + Send + Sync>) {}
}

/// The clocks of this computer.
#[derive(Clone, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    pub fn shared() -> Arc<dyn Clock> {
        Arc::new(Self { start: Instant::now() })
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let wall = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(d) => d.as_micros().min(i64::MAX as u128) as i64,
            Err(e) => -(e.duration().as_micros().min(i64::MAX as u128) as i64),
        };
        Now { wall: Wall(wall), mono: Mono(self.start.elapsed().as_micros() as u64) }
    }
}

/// Who wants to know that a clock was moved by hand.
#[derive(Default)]
struct Listeners(Mutex<Vec<Arc<dyn Fn() + Send + Sync>>>);

impl Listeners {
    fn add(&self, call: Box<dyn Fn() + Send + Sync>) {
        lock(&self.0).push(call.into());
    }

    /// Calls each, without the lock: a call may look at the clock, and add another one.
    fn tell(&self) {
        let calls = lock(&self.0).clone();
        for call in calls {
            call();
        }
    }
}

/// The clocks of this computer, put forward by hand: what waits for a quarter of an hour can be seen at once.
pub struct SteppedClock {
    system: SystemClock,
    ahead: Mutex<Duration>,
    listeners: Listeners,
}

impl SteppedClock {
    pub fn shared() -> Arc<Self> {
        let system = SystemClock { start: Instant::now() };
        Arc::new(Self { system, ahead: Mutex::default(), listeners: Listeners::default() })
    }

    /// Puts both clocks forward together. What is due by then is due at once.
    pub fn step(&self, d: Duration) {
        {
            let mut ahead = lock(&self.ahead);
            *ahead = ahead.saturating_add(d);
        }
        self.listeners.tell();
    }

    /// By how much the computer's clocks were put forward so far.
    pub fn ahead(&self) -> Duration {
        *lock(&self.ahead)
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Now {
        // Under the lock: of two readings one after the other, the second is never earlier.
        let ahead = lock(&self.ahead);
        let now = self.system.now();
        Now { wall: now.wall + *ahead, mono: now.mono + *ahead }
    }

    fn on_move(&self, call: Box<dyn Fn() + Send + Sync>) {
        self.listeners.add(call);
    }
}

/// A clock that stands still until it is moved. For tests.
#[derive(Default)]
pub struct ManualClock {
    now: Mutex<Now>,
    listeners: Listeners,
}

impl ManualClock {
    pub fn starting_at(wall: Wall) -> Arc<Self> {
        let clock = Self::default();
        *lock(&clock.now) = Now { wall, mono: Mono(1) };
        Arc::new(clock)
    }

    /// Both clocks go on together, as they do in an ordinary second.
    pub fn advance(&self, d: Duration) {
        {
            let mut now = lock(&self.now);
            now.wall = now.wall + d;
            now.mono = now.mono + d;
        }
        self.listeners.tell();
    }

    /// Only the wall clock moves: somebody set it, or the machine slept.
    pub fn shift_wall(&self, micros: i64) {
        {
            let mut now = lock(&self.now);
            now.wall = now.wall.plus_micros(micros);
        }
        self.listeners.tell();
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        *lock(&self.now)
    }

    fn on_move(&self, call: Box<dyn Fn() + Send + Sync>) {
        self.listeners.add(call);
    }
}

fn lock<T>(m: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the server's clock says, learnt from the `Date` header of its answers.
///
/// A `Date` has whole seconds, so one answer bounds the offset (server minus local wall) to an interval of a
/// second plus the round trip. Intervals of several answers are intersected.
///
/// Between answers the server's clock goes on by the larger of what the local wall clock and the monotonic clock
/// say: after a suspend the first is right, after the clock was set back the second. A clock set forward makes
/// tokens look dead too early until the next answer, never alive too long.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerTime {
    anchor: Option<Anchor>,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    /// Bounds of server minus local wall, in microseconds.
    low: i64,
    high: i64,
    /// When they were last confirmed.
    at: Now,
}

impl ServerTime {
    /// Takes in the `Date` of an answer to a request sent at `sent` and received at `received`.
    pub fn observe(&mut self, date: Wall, sent: Now, received: Now) {
        let low = date.micros_since(received.wall);
        let high = date.plus_micros(1_000_000).micros_since(sent.wall).max(low);
        let fresh = Anchor { low, high, at: received };
        let drifted = self.anchor.is_some_and(|a| jump(a.at, received).abs() > 1_000_000);
        self.anchor = Some(match self.anchor {
            Some(old) if !drifted && old.low.max(low) <= old.high.min(high) => {
                Anchor { low: old.low.max(low), high: old.high.min(high), at: received }
            }
            _ => fresh,
        });
    }

    /// Server minus local wall in microseconds, none before the first answer.
    pub fn skew_micros(&self) -> Option<i64> {
        self.anchor.map(|a| a.low + (a.high - a.low) / 2)
    }

    /// Half the width of what is known of the skew, in microseconds.
    pub fn uncertainty_micros(&self) -> Option<i64> {
        self.anchor.map(|a| (a.high - a.low) / 2)
    }

    /// The server's wall clock at `now`.
    pub fn at(&self, now: Now) -> Wall {
        let Some(a) = self.anchor else { return now.wall };
        let skew = a.low + (a.high - a.low) / 2;
        let by_wall = now.wall.micros_since(a.at.wall);
        let by_mono = now.mono.since(a.at.mono).as_micros() as i64;
        a.at.wall.plus_micros(skew).plus_micros(by_wall.max(by_mono))
    }
}

/// By how many microseconds the wall clock ran ahead of the monotonic one between two readings: about zero in
/// ordinary life, the length of a sleep after a suspend, negative after the clock was set back.
pub fn jump(from: Now, to: Now) -> i64 {
    to.wall.micros_since(from.wall).saturating_sub(to.mono.since(from.mono).as_micros() as i64)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    fn at(wall: i64, mono: u64) -> Now {
        Now { wall: Wall(wall), mono: Mono(mono) }
    }

    const QUARTER: Duration = Duration::from_secs(15 * 60);

    #[test]
    fn a_step_puts_both_clocks_forward_and_they_go_on() {
        let clock = SteppedClock::shared();
        let before = clock.now();
        clock.step(QUARTER);
        clock.step(QUARTER);
        let after = clock.now();
        assert_eq!(clock.ahead(), QUARTER * 2);
        let by_mono = after.mono.since(before.mono);
        assert!((QUARTER * 2..QUARTER * 2 + Duration::from_secs(60)).contains(&by_mono), "{by_mono:?}");
        assert!(jump(before, after).abs() < 1_000_000, "no suspend is seen: {}", jump(before, after));
        let system = SystemClock { start: Instant::now() }.now().wall + clock.ahead();
        assert!(system.micros_since(after.wall) < 60_000_000);
        thread::sleep(Duration::from_millis(2));
        assert!(clock.now().mono.since(after.mono) >= Duration::from_millis(2));
    }

    #[test]
    fn no_step_is_too_long() {
        let clock = SteppedClock::shared();
        for _ in 0..3 {
            clock.step(Duration::MAX);
        }
        let now = clock.now();
        assert_eq!((now.wall, now.mono), (Wall(i64::MAX), Mono(u64::MAX)));
    }

    #[test]
    fn whoever_waits_is_told_after_the_step_and_may_look_at_the_clock() {
        let clock = SteppedClock::shared();
        let start = clock.now();
        let seen = Arc::new(Mutex::new(Vec::new()));
        for _ in 0..2 {
            let (clock_in, seen) = (clock.clone(), seen.clone());
            clock.on_move(Box::new(move || {
                lock(&seen).push(clock_in.now().mono.since(start.mono) >= QUARTER);
                // Somebody else begins to wait meanwhile.
                clock_in.on_move(Box::new(|| {}));
            }));
        }
        assert!(lock(&seen).is_empty());
        clock.step(QUARTER);
        assert_eq!(*lock(&seen), [true, true]);
    }

    #[test]
    fn readings_never_go_back_while_others_step() {
        let clock = SteppedClock::shared();
        let told = Arc::new(AtomicUsize::new(0));
        let count = told.clone();
        clock.on_move(Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        }));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..200).for_each(|_| clock.step(Duration::from_secs(1))));
                scope.spawn(|| {
                    let mut last = clock.now();
                    for _ in 0..2000 {
                        let now = clock.now();
                        assert!(now.mono >= last.mono);
                        last = now;
                    }
                });
            }
        });
        assert_eq!(clock.ahead(), Duration::from_secs(600));
        assert_eq!(told.load(Ordering::Relaxed), 600);
    }

    #[test]
    fn answers_narrow_the_skew() {
        let mut server = ServerTime::default();
        // The server is 5.3 s ahead; each answer takes 20 ms.
        for k in 0..20 {
            let sent = at(1_000_000_000 + k * 137_000, k as u64 * 137_000);
            let received = at(sent.wall.0 + 20_000, sent.mono.0 + 20_000);
            let truth = sent.wall.0 + 10_000 + 5_300_000;
            server.observe(Wall::from_secs(truth.div_euclid(1_000_000)), sent, received);
        }
        let skew = server.skew_micros().unwrap();
        assert!((skew - 5_300_000).abs() < 150_000, "skew {skew}");
        assert!(server.uncertainty_micros().unwrap() < 150_000);
    }

    #[test]
    fn set_back_and_suspended_clocks_do_not_revive_a_token() {
        let mut server = ServerTime::default();
        server.observe(Wall::from_secs(1000), at(1_000_000_000, 0), at(1_000_000_000, 0));
        let start = server.at(at(1_000_000_000, 0));
        // Set back by an hour, ten seconds later.
        let back = server.at(at(1_000_000_000 - 3_600_000_000 + 10_000_000, 10_000_000));
        assert_eq!(back.micros_since(start), 10_000_000);
        // Suspended for an hour: the monotonic clock stood still.
        let slept = server.at(at(1_000_000_000 + 3_600_000_000, 5));
        assert_eq!(slept.micros_since(start), 3_600_000_000);
    }

    #[test]
    fn a_contradicting_answer_replaces_what_was_known() {
        let mut server = ServerTime::default();
        server.observe(Wall::from_secs(1000), at(1_000_000_000, 0), at(1_000_000_000, 0));
        server.observe(Wall::from_secs(2000), at(1_001_000_000, 1_000_000), at(1_001_000_000, 1_000_000));
        assert!(server.skew_micros().unwrap() > 900_000_000);
    }
}
