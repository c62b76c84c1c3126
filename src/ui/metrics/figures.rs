//! The figures as text that is laid out. Made anew when they change, not for each frame.

use std::sync::Arc;

use egui::text::{LayoutJob, TextFormat};
use egui::{Color32, FontId, Galley, Painter};

use crate::model::Wall;
use crate::model::fact::ErrorCategory;
use crate::projection::metrics::{ActionFigures, Histogram, Metrics, OTHERS};
use crate::ui::format;
use crate::ui::plot::{Mark, Series};
use crate::ui::theme::{Tokens, font};

/// Heads of the table of actions. The first is at the left, numbers are at the right.
pub const HEADS: [&str; 10] =
    ["Action", "Attempts", "Errors", "Retries", "Average", "p50", "p90", "p95", "p99", "Longest"];

/// Of a row, what a screen reader says.
pub struct Row {
    pub cells: [Arc<Galley>; HEADS.len()],
    pub spoken: String,
}

/// A figure with its name.
pub struct Tile {
    pub name: Arc<Galley>,
    pub value: Arc<Galley>,
    pub spoken: String,
    pub help: &'static str,
}

pub struct Laid {
    pub tiles: Vec<Tile>,
    pub errors: Vec<Arc<Galley>>,
    pub heads: [Arc<Galley>; HEADS.len()],
    pub rows: Vec<Row>,
    pub widths: [f32; HEADS.len()],
    /// Changes of state, newest first.
    pub activity: Vec<Arc<Galley>>,
    /// Successes and failures over time.
    pub series: [Series; 2],
    pub caption: Arc<Galley>,
    /// What a screen reader says of the plot.
    pub plot: String,
}

/// What of a session is told beside its metrics.
pub struct About {
    /// How long it has gone on, or went on; none for all sessions together.
    pub duration_us: Option<u64>,
    pub utc: bool,
    /// Longer lines are broken.
    pub width: f32,
}

pub fn lay_out(metrics: &Metrics, about: &About, painter: &Painter, t: &'static Tokens) -> Laid {
    let text = |text: String, id: FontId, ink: Color32| painter.layout_no_wrap(text, id, ink);
    let heads = HEADS.map(|head| text(head.to_owned(), font::small_strong(), t.text.weak));
    let rows: Vec<Row> = metrics.actions.iter().map(|a| row(a, painter, t)).collect();
    let mut widths = heads.each_ref().map(|g| g.size().x);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = width.max(cell.size().x);
        }
    }
    let mut good = Series::new("good", Mark::Circle, 2.5, |t| t.accent);
    let mut bad = Series::new("failed", Mark::Cross, 4.0, |t| t.red.ink);
    for s in &metrics.samples {
        let name = metrics.actions.get(usize::from(s.action)).map_or_else(|| OTHERS.into(), |a| a.name.clone());
        match s.good {
            true => good.add(s.at, s.micros, name),
            false => bad.add(s.at, s.micros, format!("{name}, failed").into()),
        }
    }
    Laid {
        tiles: tiles(metrics, about, painter, t),
        errors: errors(metrics, painter, t),
        caption: text("Latency over time, × failed".to_owned(), font::small(), t.text.weak),
        plot: spoken_plot(metrics),
        activity: activity(metrics, about, painter, t),
        heads,
        rows,
        widths,
        series: [good, bad],
    }
}

fn cells(a: &ActionFigures) -> [String; HEADS.len()] {
    let span = |us: Option<u64>| us.map_or_else(|| "–".to_owned(), format::span);
    let l: &Histogram = &a.latency;
    [
        a.name.to_string(),
        format::count(a.attempts),
        format::count(a.errors),
        format::count(a.retries),
        span(l.average_us()),
        span(l.percentile_us(50)),
        span(l.percentile_us(90)),
        span(l.percentile_us(95)),
        span(l.percentile_us(99)),
        span((l.count > 0).then_some(l.most_us)),
    ]
}

fn row(a: &ActionFigures, painter: &Painter, t: &Tokens) -> Row {
    let cells = cells(a);
    let spoken: Vec<String> = HEADS.iter().zip(&cells).skip(1).map(|(h, c)| format!("{h} {c}")).collect();
    let spoken = format!("{}: {}", a.name, spoken.join(", "));
    let mut n = 0;
    let cells = cells.map(|cell| {
        let ink = match n {
            0 => t.text.strong,
            2 if a.errors > 0 => t.red.ink,
            3 if a.retries > 0 => t.amber.ink,
            _ => t.text.normal,
        };
        let id = if n == 0 { font::body() } else { font::small_data() };
        n += 1;
        painter.layout_no_wrap(cell, id, ink)
    });
    Row { cells, spoken }
}

/// A share of something, as people read it.
fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |s| format!("{:.1} %", s * 100.0))
}

/// Name, value and meaning of the figures at the top.
fn headline(m: &Metrics, duration_us: Option<u64>) -> Vec<(&'static str, String, &'static str)> {
    let count = format::count;
    let mut out = vec![
        ("Attempts", count(m.attempts()), "Calls, openings of sockets, and messages that an echo confirms."),
        ("Errors", count(m.total_errors()), "Attempts that failed, also those that were made again."),
        ("Retries", count(m.retries()), "Attempts that failed and were made again."),
        ("Average", m.all.average_us().map_or_else(|| "–".into(), format::span), "Average latency of all attempts."),
        (
            "Token checks failed",
            percent(m.validation_failure_rate()),
            "Errors in the validation of tokens, among all errors.",
        ),
        ("Disconnections", count(m.disconnections), "Connections that ended while they were up, and not by you."),
    ];
    if m.waits > 0 {
        let waited = format!("{} in {}", format::span(m.waited_ms.saturating_mul(1_000)), count(m.waits));
        out.push(("Waited", waited, "Calls that waited until a limit allowed them: how long in all, and how often."));
    }
    match duration_us {
        Some(duration) => {
            out.push(("Duration", clock(duration), "From the session's first record to its end, or to now."))
        }
        None => {
            out.push(("Disconnection rate", percent(m.disconnection_rate()), "Disconnections for each session."));
            out.insert(0, ("Sessions", count(m.sessions), "Sessions of this capture, those that ended included."));
        }
    }
    out
}

/// To the second, so that it need not be laid out more often.
fn clock(micros: u64) -> String {
    format::countdown(std::time::Duration::from_micros(micros))
}

fn tiles(m: &Metrics, about: &About, painter: &Painter, t: &Tokens) -> Vec<Tile> {
    let tile = |(name, value, help): (&'static str, String, &'static str)| Tile {
        spoken: format!("{name}: {value}"),
        name: painter.layout_no_wrap(name.to_owned(), font::small(), t.text.weak),
        value: painter.layout_no_wrap(value, font::strong(), t.text.strong),
        help,
    };
    headline(m, about.duration_us).into_iter().map(tile).collect()
}

/// Every category with its count, those that occurred in red. Apart, so that a line does not break within one.
fn errors(m: &Metrics, painter: &Painter, t: &Tokens) -> Vec<Arc<Galley>> {
    let lay = |text: String, ink| painter.layout_no_wrap(text, font::small(), ink);
    let one = |category: ErrorCategory| {
        let n = m.errors_of(category);
        lay(format!("{} {}", category.word(), format::count(n)), if n > 0 { t.red.ink } else { t.text.weak })
    };
    let title = lay("Errors by kind:".to_owned(), t.text.weak);
    std::iter::once(title).chain(ErrorCategory::ALL.into_iter().map(one)).collect()
}

fn activity(m: &Metrics, about: &About, painter: &Painter, t: &Tokens) -> Vec<Arc<Galley>> {
    let mut until: Option<Wall> = None;
    let mut out = Vec::with_capacity(m.activity.len());
    for a in m.activity.iter().rev() {
        let mut job = LayoutJob::default();
        job.wrap.max_width = about.width;
        let data = TextFormat::simple(font::small_data(), t.text.weak);
        job.append(&format::time_of_day(a.at, about.utc), 0.0, data.clone());
        job.append(a.state, 10.0, TextFormat::simple(font::small_strong(), t.text.normal));
        if !a.why.is_empty() {
            let why = format::shown(&a.why);
            job.append(&why, 6.0, TextFormat::simple(font::small(), t.text.normal));
        }
        if let Some(until) = until {
            let lasted = until.micros_since(a.at).max(0) as u64;
            job.append(&format!("for {}", format::span(lasted)), 10.0, data);
        }
        until = Some(a.at);
        out.push(painter.layout_job(job));
    }
    out
}

fn spoken_plot(m: &Metrics) -> String {
    let bad = m.samples.iter().filter(|s| !s.good).count();
    format!(
        "Latency over time: {} of the newest attempts, {bad} of them failed, longest {}",
        m.samples.len(),
        m.samples.iter().map(|s| s.micros).max().map_or_else(|| "–".into(), format::span)
    )
}
