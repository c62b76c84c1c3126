//! What the benchmarks of whole sessions share: a console with its sandbox, the window that looks at it, and the
//! figures of the process.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use egui::{RawInput, Rect, vec2};
use sessionscope::capture::{Opened, Writer};
use sessionscope::engine::console::{Console, ConsoleOptions};
use sessionscope::engine::places::Places;
use sessionscope::engine::{Command, Engine, Event, SandboxState};
use sessionscope::model::{Environment, Report};
use sessionscope::projection::Knowledge;
use sessionscope::sandbox;
use sessionscope::ui::app::{App, Parts};
use sessionscope::ui::picker::NoPicker;
use sessionscope::ui::seams::{LiveLog, Log, SavedLog};
use sessionscope::ui::settings::{Settings, Store};
use sessionscope::vault::Vault;

const SIZE: egui::Vec2 = vec2(1440.0, 900.0);
/// No more frames than a screen shows.
pub const FRAME: Duration = Duration::from_micros(16_667);
const COUNTDOWN: Duration = Duration::from_secs(1);

/// A console, its sandbox and its window.
pub struct Stage {
    pub engine: Arc<Engine>,
    pub app: App,
    pub environment: Environment,
    pub writer: Writer,
    pub ctx: egui::Context,
    /// How long each frame took.
    pub frames: Vec<Duration>,
    /// For the next frame.
    pub input: Vec<egui::Event>,
    awake: Arc<AtomicBool>,
    began: Instant,
    next_paint: Instant,
    /// Deleted with it.
    _folder: tempfile::TempDir,
}

impl Stage {
    pub fn start(options: sandbox::Options) -> Self {
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
        engine.send(Command::StartSandbox { options }).expect("sent");
        let environment = loop {
            match engine.poll() {
                Some(Event::Sandbox(SandboxState::Running { environment, .. })) => break *environment,
                Some(_) => {}
                None => thread::sleep(Duration::from_millis(1)),
            }
        };
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
        Self {
            engine,
            app,
            environment,
            writer,
            ctx: egui::Context::default(),
            frames: Vec::new(),
            input: Vec::new(),
            awake,
            began: now,
            next_paint: now,
            _folder: folder,
        }
    }

    pub fn order(&mut self, order: sandbox::Order) {
        self.send(&Command::Order { order });
    }

    /// Tries until the queue has room.
    pub fn send(&mut self, command: &Command) {
        while self.engine.send(command.clone()).is_err() {
            self.paint_if_due();
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Paints until it gives something; panics after `limit` with what `now` says.
    pub fn until<T>(&mut self, limit: Duration, wanted: impl Fn(&App) -> Result<T, String>) -> T {
        let end = Instant::now() + limit;
        loop {
            match wanted(&self.app) {
                Ok(found) => return found,
                Err(now) => assert!(Instant::now() < end, "{now}"),
            }
            self.paint_if_due();
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets time go by; paints whenever there is something new, as the window does. `each` says when it wants to be
    /// called again at the latest.
    pub fn run(&mut self, time: Duration, mut each: impl FnMut(&mut Self, Duration) -> Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            let again = each(self, began.elapsed());
            self.paint_if_due();
            thread::park_timeout(again.min(self.until_paint()).min(time.saturating_sub(began.elapsed())));
        }
    }

    /// The same, with the processor time that it took, in per cent of one core.
    pub fn run_measured(&mut self, time: Duration, each: impl FnMut(&mut Self, Duration) -> Duration) -> f64 {
        let (cpu, at) = (cpu_seconds(), Instant::now());
        self.run(time, each);
        100.0 * (cpu_seconds() - cpu) / at.elapsed().as_secs_f64()
    }

    /// A countdown changes once a second, whatever else happens.
    fn until_paint(&self) -> Duration {
        let due = self.next_paint + if self.awake.load(Ordering::Acquire) { Duration::ZERO } else { COUNTDOWN };
        due.saturating_duration_since(Instant::now())
    }

    fn paint_if_due(&mut self) {
        if self.until_paint().is_zero() {
            self.paint();
        }
    }

    pub fn paint(&mut self) -> egui::PlatformOutput {
        let now = Instant::now();
        self.awake.store(false, Ordering::Release);
        self.next_paint = now + FRAME;
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(egui::Pos2::ZERO, SIZE)),
            time: Some(self.began.elapsed().as_secs_f64()),
            events: std::mem::take(&mut self.input),
            ..RawInput::default()
        };
        let app = &mut self.app;
        let output = self.ctx.run_ui(input, |ui| app.frame(ui));
        let primitives = self.ctx.tessellate(output.shapes, output.pixels_per_point);
        assert!(!primitives.is_empty());
        self.frames.push(now.elapsed());
        output.platform_output
    }

    /// The capture, whole on disk.
    pub fn file(&self) -> PathBuf {
        self.writer.flush().expect("flushed");
        let Opened::File(file) = self.writer.opened() else { panic!("not a file") };
        file
    }

    pub fn close(self) {
        drop(self.app);
        self.engine.shutdown(Duration::from_secs(20));
        self.writer.close().expect("closed");
    }
}

/// A figure from the environment, else its default.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.replace('_', "").parse().ok()).unwrap_or(default)
}

/// In milliseconds: median, 99th percentile, longest.
#[derive(Clone, Copy, Default)]
pub struct Times {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Times {
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |share: f64| {
            times.get(((times.len().max(1) - 1) as f64 * share) as usize).map_or(0.0, |d| d.as_secs_f64() * 1e3)
        };
        Self { p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

/// Questions to a capture.
pub struct Records(rusqlite::Connection);

impl Records {
    pub fn open(file: &Path) -> Self {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        Self(rusqlite::Connection::open_with_flags(file, flags).expect("open"))
    }

    pub fn db(&self) -> &rusqlite::Connection {
        &self.0
    }

    pub fn count(&self, sql: &str) -> u64 {
        self.0.query_row(sql, [], |r| r.get::<_, i64>(0)).expect("count") as u64
    }

    /// Messages that met this fate.
    pub fn fate(&self, word: &str) -> u64 {
        self.count(&format!("SELECT count(*) FROM record WHERE kind = 33 AND head LIKE '%\"delivery\":\"{word}\"%'"))
    }

    /// Messages that were not delivered.
    pub fn not_delivered(&self) -> u64 {
        self.fate("refused") + self.fate("not-sent") + self.fate("unconfirmed")
    }

    pub fn answered_with(&self, status: u16) -> u64 {
        self.count(&format!("SELECT count(*) FROM record WHERE kind IN (2, 12) AND code = {status}"))
    }
}

/// Seconds of processor time of this process, where the system tells it in a file.
pub fn cpu_seconds() -> f64 {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return 0.0 };
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<f64>().ok()).unwrap_or_default();
    // User and system time, in hundredths of a second on Linux.
    (ticks(11) + ticks(12)) / 100.0
}

/// Resident memory at its highest, in MB, where the system tells it in a file.
pub fn megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default() / 1e3
}
