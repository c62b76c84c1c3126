//! `sessionscope doctor`: what works here, what does not, and how to mend it.

use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::run::find_environment;
use super::{Outcome, Window};
use crate::capture::Writer;
use crate::engine::LazyVault;
use crate::engine::log::Log;
use crate::engine::places::Places;
use crate::engine::probe;
use crate::model::{Report, SystemClock};
use crate::vault::{Redactor, Vault};

/// A broken driver may hang.
const WINDOW_LIMIT: Duration = Duration::from_secs(20);

pub fn run(window: &Window, environment: Option<&str>) -> Outcome {
    let mut tally = Tally::default();
    tally.tell("window", probe_window());
    tally.tell("file dialogs", (window.dialogs)());
    let vault = Vault::open().status();
    tally.tell(
        "keyring",
        match vault.report {
            Some(report) => Err(report),
            None => Ok(vault.place),
        },
    );
    let places = Places::find();
    tally.tell("captures", places.clone().and_then(|p| captures(&p)));
    if let Some(name) = environment {
        match places.and_then(|p| find_environment(name, &p)) {
            Ok(environment) => {
                println!("environment {}", environment.name);
                for check in probe_environment(environment)? {
                    tally.tell("", check);
                }
            }
            Err(report) => tally.tell("environment", Err(report)),
        }
    } else {
        println!("  (give --environment NAME or FILE to check a deployment and the clocks)");
    }
    println!("\n{} of {} checks are well", tally.good, tally.good + tally.bad);
    Ok(if tally.bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Default)]
struct Tally {
    good: u32,
    bad: u32,
}

impl Tally {
    fn tell(&mut self, what: &str, check: Result<String, Report>) {
        let name = if what.is_empty() { String::new() } else { format!("{what}: ") };
        match check {
            Ok(text) => {
                self.good += 1;
                println!("  well  {name}{text}");
            }
            Err(report) => {
                self.bad += 1;
                println!("  BAD   {name}{}", report.title);
                for line in report.text().lines().skip(1) {
                    println!("      {line}");
                }
            }
        }
    }
}

/// Makes a window in a process of its own, because a broken driver may crash or hang.
fn probe_window() -> Result<String, Report> {
    let failed = |what: String| Report::new("no-window", "No window can be shown", what);
    let program = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
    let mut child = Command::new(program)
        .arg("probe-window")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| failed(e.to_string()))?;
    let end = Instant::now() + WINDOW_LIMIT;
    loop {
        match child.try_wait() {
            Ok(Some(_)) => break,
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed("Making a window did not end in 20 s: the display or its driver hangs.".into()));
            }
            Err(e) => return Err(failed(e.to_string())),
        }
    }
    let output = child.wait_with_output().map_err(|e| failed(e.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let mut report = Report::new(
        "no-window",
        lines.next().unwrap_or("No window can be shown"),
        lines.next().unwrap_or("The attempt failed."),
    );
    for line in lines {
        match line.strip_prefix("→ ") {
            Some(remedy) => report = report.remedy(remedy),
            None => report = report.detail(line),
        }
    }
    Err(report)
}

fn captures(places: &Places) -> Result<String, Report> {
    let kept = crate::capture::retention::list(&places.captures)?;
    let bytes: u64 = kept.iter().map(|c| c.bytes).sum();
    Ok(format!("{} in {} ({:.1} MB)", kept.len(), places.captures.display(), bytes as f64 / 1e6))
}

fn probe_environment(environment: crate::model::Environment) -> Result<Vec<Result<String, Report>>, Report> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Report::new("runtime", "The check cannot start", e.to_string()))?;
    let log = Log::new(Writer::private()?, Redactor::default(), SystemClock::shared());
    let vault = Arc::new(LazyVault::new(Box::new(Vault::open)));
    Ok(runtime.block_on(probe::run(&log, vault, environment)))
}
