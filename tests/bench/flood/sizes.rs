//! Part two: what captures of growing length cost the window. Each is measured in a process of its own, so that the
//! memory of one does not count for another.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use egui::{Event, Key, Modifiers, MouseWheelUnit, RawInput, Rect, Vec2, pos2, vec2};
use sessionscope::capture::{Filter, Reader, Writer};
use sessionscope::engine::{Command as EngineCommand, Event as EngineEvent};
use sessionscope::model::record::SessionStart;
use sessionscope::model::{
    DialectId, Direction, Draft, Environment, Flags, Hosts, Kind, Mono, Now, Report, SessionId, SystemClock, Wall,
};
use sessionscope::ui::app::{App, Parts};
use sessionscope::ui::picker::NoPicker;
use sessionscope::ui::seams::{Backend, SavedLog};
use sessionscope::ui::settings::{Settings, Store};
use sessionscope::vault::Redactor;

const FRAMES: usize = 400;
const SIZE: Vec2 = vec2(1440.0, 900.0);
/// Stands in one record of a hundred thousand.
const NEEDLE: &str = "needle-in-the-haystack";

pub fn run() {
    let sizes = std::env::var("FLOOD_SIZES").unwrap_or_else(|_| "10000,1000000,10000000".into());
    println!("sizes: the whole window at {} x {}, {FRAMES} frames, new rows in each; no GPU", SIZE.x, SIZE.y);
    println!(
        "  {:>10}  {:>9}  {:>8}  {:>8}  {:>8}  {:>8}  {:>10}  {:>9}  {:>10}",
        "records", "on disk", "open", "frame", "p99", "max", "first hit", "search", "memory"
    );
    let mut p99: Vec<f64> = Vec::new();
    for size in sizes.split(',').filter_map(|s| s.trim().replace('_', "").parse::<u64>().ok()) {
        // Beside the other build products: a temporary folder may lie in memory.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("folder");
        let file = folder.path().join("capture.sscope");
        fill(&file, size);
        let output = Command::new(std::env::current_exe().expect("this program"))
            .arg("--measure")
            .arg(&file)
            .output()
            .expect("run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().last().unwrap_or_default();
        let disk = std::fs::metadata(&file).map_or(0, |m| m.len());
        println!("  {size:>10}  {:>6} MB  {line}", disk / 1_000_000);
        if let Some(n) = line.split_whitespace().nth(4).and_then(|n| n.parse().ok()) {
            p99.push(n);
        }
    }
    if let (Some(first), Some(last)) = (p99.first(), p99.last()) {
        println!("  frame p99, longest capture to shortest: {:.2}\n", last / first);
    }
}

/// Writes a capture of one session: mostly frames of 200 bytes, some of them typing, some hundred messages.
fn fill(file: &Path, records: u64) {
    let writer = Writer::create_at(file).expect("created");
    let start = SessionStart {
        name: "Guest 1".into(),
        dialect: DialectId::WebMessaging,
        environment: "bench".into(),
        hosts: Hosts::default(),
        deployment_id: "d".into(),
        tls_unverified: false,
        limits: Environment::default().limits,
    };
    let at = |n: u64| Now { wall: Wall::from_secs(1_790_000_000).plus_micros(n as i64 * 900), mono: Mono(n * 900) };
    writer
        .append(Draft::new(at(0), SessionId(1), Kind::SessionStart, Direction::Local).head(&start).flags(Flags::STORY));
    for n in 2..=records {
        let message = n % (records / 500).max(1) == 0;
        let mut text = format!(
            r#"{{"type":"message","class":"StructuredMessage","code":200,"body":{{"id":"{n:016x}","type":"{}","text":"number {n} {}","direction":"Outbound""#,
            if message { "Text" } else { "Event" },
            if n % 100_000 == 77 { NEEDLE } else { "" },
        );
        let pad = 196usize.saturating_sub(text.len() + 8);
        text.push_str(&format!(r#","p":"{}"}}}}"#, "x".repeat(pad)));
        let flags = match n {
            _ if message => Flags::STORY,
            n if n % 10 == 0 => Flags::TYPING,
            _ => Flags::NONE,
        };
        let draft = Draft::new(at(n), SessionId(1), Kind::Text, Direction::Received).conn(1).code(200).flags(flags);
        writer.append(draft.body(Bytes::from(text)));
        while writer.is_pressed() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    writer.close().expect("closed");
}

struct NoEngine;

impl Backend for NoEngine {
    fn send(&self, _: EngineCommand) -> Result<(), Report> {
        Ok(())
    }

    fn poll(&self) -> Option<EngineEvent> {
        None
    }
}

/// The child: measures one capture and prints one line.
pub fn measure(file: &Path) {
    let began = Instant::now();
    let log = SavedLog::open(file, sessionscope::projection::Knowledge::embedded(), Arc::new(|| {})).expect("opened");
    let open = began.elapsed();
    let parts = Parts {
        backend: Box::new(NoEngine),
        clock: SystemClock::shared(),
        log: Box::new(log),
        open_log: Arc::new(|_| Err(Report::default())),
        mask: Arc::new(Redactor::default()),
        settings: Settings::default(),
        store: Store::nowhere(),
        picker: Box::new(NoPicker::default()),
        vault: None,
        audit: None,
        captures: None,
        reports: Vec::new(),
        open: None,
    };
    let mut app = App::new(parts);
    app.adopt(SessionId(1));
    let times = frames(&mut app);
    let (first_hit, search) = search(file);
    let rss = resident().map_or_else(|| "n/a".to_owned(), |kb| format!("{} MB", kb / 1000));
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    let at = |share: f64| ms(times[((times.len() - 1) as f64 * share) as usize]);
    println!(
        "{:>5.1} ms  {:>5.2} ms  {:>5.2} ms  {:>5.2} ms  {:>7.1} ms  {:>7.2} s  {rss:>10}",
        ms(open),
        at(0.5),
        at(0.99),
        at(1.0),
        ms(first_hit),
        search.as_secs_f64()
    );
}

/// Layout and tessellation of whole frames, sorted. Every frame shows other rows.
fn frames(app: &mut App) -> Vec<Duration> {
    let ctx = egui::Context::default();
    let mut times = Vec::with_capacity(FRAMES);
    let table = pos2(620.0, 780.0);
    for n in 0..FRAMES + 40 {
        let wheel = |y: f32| Event::MouseWheel {
            unit: MouseWheelUnit::Point,
            delta: vec2(0.0, y),
            phase: egui::TouchPhase::Move,
            modifiers: Modifiers::NONE,
            source: egui::MouseWheelSource::Wheel,
        };
        let key =
            |key| Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers: Modifiers::NONE };
        let mut events = vec![Event::PointerMoved(table)];
        match n % 50 {
            0 => events.push(key(Key::End)),
            25 => events.push(key(Key::Home)),
            k if k < 25 => events.push(wheel(700.0)),
            _ => events.push(wheel(-700.0)),
        }
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(egui::Pos2::ZERO, SIZE)),
            // Sixty frames a second, whatever the machine takes for one: the wheel's motion goes by this.
            time: Some(n as f64 / 60.0),
            predicted_dt: 1.0 / 60.0,
            events,
            ..RawInput::default()
        };
        let began = Instant::now();
        let output = ctx.run_ui(input, |ui| app.frame(ui));
        let primitives = ctx.tessellate(output.shapes, output.pixels_per_point);
        let took = began.elapsed();
        assert!(!primitives.is_empty());
        // The first frames load fonts and wait for the projections.
        if n >= 40 {
            times.push(took);
        } else {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    times.sort();
    times
}

fn search(file: &Path) -> (Duration, Duration) {
    let reader = Reader::open(file).expect("opened");
    let filter = Filter::parse(NEEDLE).expect("a filter");
    let began = Instant::now();
    let search = reader.search(filter, (None, true), Arc::new(|| {})).expect("started");
    let mut first = None;
    loop {
        let status = search.status();
        if first.is_none() && !status.rows.is_empty() {
            first = Some(began.elapsed());
        }
        if status.done >= status.total && status.total > 0 {
            return (first.unwrap_or_default(), began.elapsed());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Resident memory in kB, where the system tells it in a file.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}
