//! Sessions, their sandbox, and the window that looks at them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use egui::{RawInput, Rect, vec2};
use sessionscope::capture::Opened;
use sessionscope::dialect::Wish;
use sessionscope::engine::console::{Console, ConsoleOptions};
use sessionscope::engine::places::Places;
use sessionscope::engine::{Command, Engine, Event, SandboxState, SessionSpec, Ticket};
use sessionscope::model::fact::SessionState;
use sessionscope::model::flows::GuestForm;
use sessionscope::model::{DialectId, Environment, Report, SessionId};
use sessionscope::projection::Knowledge;
use sessionscope::sandbox;
use sessionscope::ui::app::{App, Parts};
use sessionscope::ui::picker::NoPicker;
use sessionscope::ui::seams::{LiveLog, Log, SavedLog};
use sessionscope::ui::settings::{Settings, Store};
use sessionscope::vault::Vault;

const SIZE: egui::Vec2 = vec2(1440.0, 900.0);
/// Life of all tokens.
const TOKEN_SECS: u32 = 120;
/// Each session that can talk says something this often.
const TALK_EVERY: Duration = Duration::from_secs(20);
/// Sessions whose time is over are opened again; looked for this often.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// No more frames than a screen shows.
const FRAME: Duration = Duration::from_micros(16_667);
const COUNTDOWN: Duration = Duration::from_secs(1);
const READY_WITHIN: Duration = Duration::from_secs(120);

pub struct World {
    console_engine: Arc<Engine>,
    app: App,
    ctx: egui::Context,
    awake: Arc<AtomicBool>,
    environment: Environment,
    sessions: Vec<(SessionId, DialectId)>,
    frames: Vec<Duration>,
    began: Instant,
    next_paint: Instant,
}

/// What was measured.
pub struct Figures {
    pub sessions: usize,
    pub frame_p50: f64,
    pub frame_p99: f64,
    pub frame_max: f64,
    pub megabytes: f64,
    /// Per cent of one core.
    pub talk_cpu: f64,
    pub idle_cpu: f64,
    pub records: u64,
    facts: Facts,
}

/// What the capture says at the end.
#[derive(Default)]
struct Facts {
    heartbeats: u64,
    heartbeats_failed: u64,
    longest_gap: f64,
    refused: u64,
    token_calls: u64,
    refreshes: u64,
    delivered: u64,
    not_delivered: u64,
    ended: u64,
    left_out: u64,
}

impl Figures {
    pub fn head() -> String {
        "sessions   frame p50    p99     max      memory   CPU talking   CPU idle    records".to_owned()
    }

    pub fn line(&self) -> String {
        format!(
            "{:>8}   {:>6.2} ms  {:>5.2} ms  {:>5.2} ms  {:>5.0} MB   {:>8.1} %   {:>8.2} %  {:>9}",
            self.sessions,
            self.frame_p50,
            self.frame_p99,
            self.frame_max,
            self.megabytes,
            self.talk_cpu,
            self.idle_cpu,
            self.records
        )
    }

    pub fn checks(&self) -> String {
        let f = &self.facts;
        format!(
            "heartbeats: {} taken, {} failed, longest gap {:.1} s · refused with 401: {} · token calls: {}, refreshes: {} · \
             messages: {} delivered, {} not · sessions ended: {} · payloads left out: {}",
            f.heartbeats,
            f.heartbeats_failed,
            f.longest_gap,
            f.refused,
            f.token_calls,
            f.refreshes,
            f.delivered,
            f.not_delivered,
            f.ended,
            f.left_out
        )
    }
}

impl World {
    pub fn measure(count: usize, talk: Duration, idle: Duration) -> Figures {
        let folder = tempfile::tempdir().expect("folder");
        let awake = Arc::new(AtomicBool::new(true));
        let (ring, painter): (_, Thread) = (awake.clone(), thread::current());
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
            ring.store(true, Ordering::Release);
            painter.unpark();
        });
        let console = Console::start(ConsoleOptions {
            vault: Some(Vault::in_memory()),
            places: Some(Places { config: folder.path().join("config"), captures: folder.path().join("captures") }),
            wake: wake.clone(),
            ..ConsoleOptions::default()
        })
        .expect("console");
        let Console { engine, projector, writer, redactor, clock, .. } = console;
        let engine = Arc::new(engine);
        let options = sandbox::Options { token_ttl_secs: TOKEN_SECS, ..sandbox::Options::default() };
        engine.send(Command::StartSandbox { options }).expect("sent");
        let environment = loop {
            match engine.poll() {
                Some(Event::Sandbox(SandboxState::Running { environment, .. })) => break *environment,
                Some(_) => {}
                None => thread::sleep(Duration::from_millis(1)),
            }
        };
        let lives =
            sandbox::LifetimeChange { session_token_secs: Some(TOKEN_SECS), ..sandbox::LifetimeChange::default() };
        engine.send(Command::Order { order: sandbox::Order::SetLifetimes(lives) }).expect("sent");
        let app = App::new(Parts {
            backend: Box::new(engine.clone()),
            clock,
            log: Box::new(LiveLog::new(writer.clone(), projector).expect("log")),
            open_log: Arc::new(move |file: &Path| {
                let log = SavedLog::open(file, Knowledge::embedded(), wake.clone())?;
                Ok::<_, Report>(Box::new(log) as Box<dyn Log>)
            }),
            mask: Arc::new(redactor),
            settings: Settings::default(),
            store: Store::nowhere(),
            picker: Box::new(NoPicker::default()),
            vault: None,
            audit: None,
            captures: None,
            reports: Vec::new(),
            open: None,
        });
        let now = Instant::now();
        let mut world = Self {
            console_engine: engine,
            app,
            ctx: egui::Context::default(),
            awake,
            environment,
            sessions: Vec::new(),
            frames: Vec::new(),
            began: now,
            next_paint: now,
        };
        world.open(count);
        world.frames.clear();
        let (cpu, at) = (cpu_seconds(), Instant::now());
        world.talk(talk);
        let talk_cpu = 100.0 * (cpu_seconds() - cpu) / at.elapsed().as_secs_f64();
        let mut frames = std::mem::take(&mut world.frames);
        let (cpu, at) = (cpu_seconds(), Instant::now());
        world.idle(idle);
        let idle_cpu = 100.0 * (cpu_seconds() - cpu) / at.elapsed().as_secs_f64();
        let megabytes = resident().unwrap_or_default() as f64 / 1e3;
        frames.sort();
        let at = |share: f64| {
            frames.get(((frames.len().max(1) - 1) as f64 * share) as usize).map_or(0.0, |d| d.as_secs_f64() * 1e3)
        };
        let left_out = writer.status().left_out;
        writer.flush().expect("flushed");
        let opened = writer.opened();
        let Opened::File(file) = opened else { panic!("not a file") };
        let mut facts = facts(&file, count);
        facts.left_out = left_out;
        let records = writer.status().records;
        drop(world.app);
        world.console_engine.shutdown(Duration::from_secs(20));
        writer.close().expect("closed");
        Figures {
            sessions: count,
            frame_p50: at(0.5),
            frame_p99: at(0.99),
            frame_max: at(1.0),
            megabytes,
            talk_cpu,
            idle_cpu,
            records,
            facts,
        }
    }

    /// Opens so many sessions: two of five are kept alive by heartbeats, the others are shared by the rest.
    fn open(&mut self, count: usize) {
        const MIX: [DialectId; 10] = [
            DialectId::ManagedConversation,
            DialectId::SessionToken,
            DialectId::ManagedConversation,
            DialectId::ExternalContact,
            DialectId::ManagedConversation,
            DialectId::GuestResource,
            DialectId::SignedGuest,
            DialectId::ManagedConversation,
            DialectId::SessionToken,
            DialectId::ExternalContact,
        ];
        let end = Instant::now() + READY_WITHIN;
        for n in 0..count {
            let dialect = MIX[n % MIX.len()];
            let mut environment = self.environment.clone();
            // The description's limit of 200 requests a minute is for one client; here it would only make them wait.
            environment.flows.guest_resource.requests_per_minute = 0;
            let form = GuestForm {
                guest_id: format!("guest-{n}"),
                skill: "support".into(),
                duration_secs: Some(2700),
                ..GuestForm::default()
            };
            let spec = SessionSpec { name: format!("Guest {n}"), dialect, environment, form, ..SessionSpec::default() };
            let ticket = Ticket(1_000_000 + n as u64);
            while self
                .console_engine
                .send(Command::OpenSession { ticket, spec: Box::new(spec.clone()), connect: true })
                .is_err()
            {
                self.paint_if_due();
                thread::sleep(Duration::from_millis(1));
            }
            self.sessions.push((SessionId(n as u32 + 1), dialect));
        }
        loop {
            let board = self.app.log().board();
            let ready = board.sessions.iter().filter(|s| s.state == Some(SessionState::Ready)).count();
            if ready == count {
                return;
            }
            let states: Vec<_> = board
                .sessions
                .iter()
                .filter(|s| s.state != Some(SessionState::Ready))
                .map(|s| (s.start.as_ref().map(|s| s.dialect), s.state.clone()))
                .take(5)
                .collect();
            assert!(Instant::now() < end, "only {ready} of {count} became ready: {states:?}");
            self.paint_if_due();
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn talk(&mut self, time: Duration) {
        // The ids that the engine gave, whatever the order of their making was.
        let board = self.app.log().board();
        let dialects: Vec<_> = board.sessions.iter().filter_map(|s| Some((s.id, s.start.as_ref()?.dialect))).collect();
        let talks = |d: &DialectId| {
            matches!(d, DialectId::SessionToken | DialectId::ExternalContact | DialectId::GuestResource)
        };
        let talkers: Vec<SessionId> = dialects.iter().filter(|(_, d)| talks(d)).map(|(id, _)| *id).collect();
        let Some(every) = TALK_EVERY.checked_div(talkers.len() as u32) else { return self.run(time, |_, _| FRAME) };
        let mut next = Duration::ZERO;
        let mut n = 0;
        self.run(time, |world, elapsed| {
            while elapsed >= next {
                next += every;
                let session = talkers[n % talkers.len()];
                n += 1;
                let wish = Wish::Text {
                    tracing: uuid::Uuid::new_v4().to_string(),
                    text: format!("message {n}"),
                    attributes: Vec::new(),
                    attachments: Vec::new(),
                };
                let _ = world.console_engine.send(Command::Wish { session, wish });
            }
            next - elapsed
        });
    }

    /// Nobody says anything. A managed conversation ends after 45 minutes; then the next one is begun.
    fn idle(&mut self, time: Duration) {
        self.run(time, |world, _| {
            let board = world.app.log().board();
            let over = board.sessions.iter().filter(|s| s.state.as_ref().is_some_and(SessionState::is_ended));
            for session in over.map(|s| s.id) {
                let _ = world.console_engine.send(Command::Wish { session, wish: Wish::Connect });
            }
            RENEW_EVERY
        });
    }

    /// Lets time go by; paints whenever there is something new, as the window does. `each` says when it wants to be
    /// called again at the latest.
    fn run(&mut self, time: Duration, mut each: impl FnMut(&mut Self, Duration) -> Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            let again = each(self, began.elapsed());
            self.paint_if_due();
            thread::park_timeout(again.min(self.until_paint()).min(time.saturating_sub(began.elapsed())));
        }
    }

    /// A countdown changes once a second, whatever else happens.
    fn until_paint(&self) -> Duration {
        let due = self.next_paint + if self.awake.load(Ordering::Acquire) { Duration::ZERO } else { COUNTDOWN };
        due.saturating_duration_since(Instant::now())
    }

    fn paint_if_due(&mut self) {
        if !self.until_paint().is_zero() {
            return;
        }
        let now = Instant::now();
        self.awake.store(false, Ordering::Release);
        self.next_paint = now + FRAME;
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(egui::Pos2::ZERO, SIZE)),
            time: Some(self.began.elapsed().as_secs_f64()),
            ..RawInput::default()
        };
        let app = &mut self.app;
        let output = self.ctx.run_ui(input, |ui| app.frame(ui));
        let primitives = self.ctx.tessellate(output.shapes, output.pixels_per_point);
        assert!(!primitives.is_empty());
        self.frames.push(now.elapsed());
    }
}

/// What the records say.
fn facts(file: &PathBuf, sessions: usize) -> Facts {
    let db = rusqlite::Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).expect("open");
    let count = |sql: &str| db.query_row(sql, [], |r| r.get::<_, i64>(0)).expect("count") as u64;
    let audit = |action: &str, outcome: &str| {
        count(&format!(
            "SELECT count(*) FROM record WHERE kind = 39 AND head LIKE '%\"action\":\"{action}\"%' AND head LIKE '%\"outcome\":\"{outcome}\"%'"
        ))
    };
    let fate = |word: &str| {
        count(&format!("SELECT count(*) FROM record WHERE kind = 33 AND head LIKE '%\"delivery\":\"{word}\"%'"))
    };
    // Between two of the same conversation: when that ends, the next one begins its own count.
    let mut gaps = db
        .prepare(
            "SELECT max(gap) FROM
             (SELECT kind, mono - lag(mono) OVER story AS gap, lag(kind) OVER story AS before FROM record
              WHERE (kind = 39 AND head LIKE '%\"action\":\"heartbeat\"%')
                 OR (kind = 31 AND head LIKE '%\"state\":\"ended\"%')
              WINDOW story AS (PARTITION BY session ORDER BY seq))
             WHERE kind = 39 AND before = 39",
        )
        .expect("sql");
    let longest = gaps.query_row([], |r| r.get::<_, Option<i64>>(0)).expect("gap").unwrap_or_default();
    let live = count("SELECT count(DISTINCT session) FROM record WHERE kind = 30");
    assert_eq!(live as usize, sessions, "sessions in the capture");
    Facts {
        heartbeats: audit("heartbeat", "success"),
        heartbeats_failed: audit("heartbeat", "failed"),
        longest_gap: longest as f64 / 1e6,
        refused: count("SELECT count(*) FROM record WHERE kind IN (2, 12) AND code = 401"),
        token_calls: count(
            "SELECT count(*) FROM record WHERE kind = 1 AND session = 0 AND head LIKE '%\"purpose\":\"token\"%'",
        ),
        refreshes: audit("token.refresh", "success"),
        delivered: fate("delivered"),
        not_delivered: fate("refused") + fate("not-sent") + fate("unconfirmed"),
        ended: count("SELECT count(*) FROM record WHERE kind = 31 AND head LIKE '%\"state\":\"ended\"%'"),
        left_out: 0,
    }
}

/// Seconds of processor time of this process, where the system tells it in a file.
fn cpu_seconds() -> f64 {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return 0.0 };
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<f64>().ok()).unwrap_or_default();
    // User and system time, in hundredths of a second on Linux.
    (ticks(11) + ticks(12)) / 100.0
}

/// Resident memory at its highest, in kB, where the system tells it in a file.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}
