//! `sessionscope doctor`: what works here, what does not, and how to mend it.

use std::io::Read;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::Window;
use super::out::{Ended, Out, Outcome};
use super::run::find_environment;
use crate::capture::Writer;
use crate::engine::LazyVault;
use crate::engine::log::Log;
use crate::engine::places::Places;
use crate::engine::probe;
use crate::engine::stored::Stored;
use crate::model::{Environment, Report, SecretKind, SystemClock};
use crate::vault::{Redactor, Vault};

/// A broken driver may hang.
const WINDOW_LIMIT: Duration = Duration::from_secs(20);
/// What a process printed is read for so long after its end: a process that it left behind may hold the pipe open.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// More than this is not kept of what it printed.
const MOST_PRINTED: u64 = 64 << 10;

type Check = Result<String, Report>;

pub fn run(out: &mut Out, window: &Window, environment: Option<&str>) -> Outcome {
    let redactor = Redactor::default();
    out.redact_by(&redactor);
    let mut tally = Tally { out, good: 0, bad: 0 };
    tally.tell("window", probe_window())?;
    tally.tell("file dialogs", (window.dialogs)())?;
    let vault = Vault::open().status();
    tally.tell(
        "keyring",
        match vault.report {
            Some(report) => Err(report),
            None => Ok(vault.place),
        },
    )?;
    let places = Places::find();
    tally.tell("captures", places.clone().and_then(|p| captures(&p)))?;
    match places.and_then(|p| environments(environment, &p)) {
        Ok(environments) if environments.is_empty() => tally.note(
            "clocks and reachability: not checked, no environment is stored. Make one in the window, or \
             give --environment FILE: two lines, region and deployment_id, will do (see the README).",
        )?,
        Ok(environments) => {
            for secret in environments.iter().filter_map(|e| e.client_secret.as_ref()) {
                redactor.learn(SecretKind::ClientSecret, secret.0.expose());
            }
            let names: Vec<String> = environments.iter().map(|e| e.name.clone()).collect();
            for (name, checks) in names.into_iter().zip(probe_all(&redactor, environments)?) {
                writeln!(tally.out, "environment {name}")?;
                for check in checks {
                    tally.tell("", check)?;
                }
            }
        }
        Err(report) => tally.tell("environment", Err(report))?,
    }
    let (good, bad) = (tally.good, tally.bad);
    writeln!(out, "\n{good} of {} checks are well", good + bad)?;
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Tally<'a> {
    out: &'a mut Out,
    good: u32,
    bad: u32,
}

impl Tally<'_> {
    fn tell(&mut self, what: &str, check: Check) -> Result<(), Ended> {
        let name = if what.is_empty() { String::new() } else { format!("{what}: ") };
        match check {
            Ok(text) if text.ends_with(probe::NOT_CHECKED) => self.note(&format!("{name}{text}")),
            Ok(text) => {
                self.good += 1;
                writeln!(self.out, "  well  {name}{text}")
            }
            Err(report) => {
                self.bad += 1;
                writeln!(self.out, "  BAD   {name}{}", report.title)?;
                let text = report.text();
                text.lines().skip(1).try_for_each(|line| writeln!(self.out, "      {line}"))
            }
        }
    }

    /// Neither well nor bad.
    fn note(&mut self, text: &str) -> Result<(), Ended> {
        writeln!(self.out, "  --    {text}")
    }
}

/// The environment that is named, else all that are stored.
fn environments(named: Option<&str>, places: &Places) -> Result<Vec<Environment>, Report> {
    match named {
        Some(name) => Ok(vec![find_environment(name, places)?]),
        None => Ok(Stored::read(places)?.environments),
    }
}

/// Makes a window in a process of its own, because a broken driver may crash or hang.
fn probe_window() -> Check {
    const MEND: &str = "Try LIBGL_ALWAYS_SOFTWARE=1 sessionscope: it draws without the graphics driver.";
    let failed = |what: String| Report::new("no-window", "No window can be shown", what).remedy(MEND);
    let program = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
    let printed = match run_within(Command::new(program).arg("probe-window"), WINDOW_LIMIT) {
        Ok(printed) => printed,
        Err(why) => return Err(failed(format!("The attempt to make one {why}."))),
    };
    if printed.good {
        return Ok(printed.out.trim().to_owned());
    }
    let mut lines = printed.err.lines().map(str::trim).filter(|l| !l.is_empty());
    let (Some(title), Some(what)) = (lines.next(), lines.next()) else {
        return Err(failed(format!("The attempt to make one {}: the display or its driver is broken.", printed.end)));
    };
    let mut report = Report::new("no-window", title, what);
    for line in lines {
        match line.strip_prefix("→ ") {
            Some(remedy) => report = report.remedy(remedy),
            None => report = report.detail(line),
        }
    }
    Err(if report.remedies.is_empty() { report.remedy(MEND) } else { report })
}

/// What a process printed, and how it ended.
struct Printed {
    good: bool,
    end: String,
    out: String,
    err: String,
}

/// Runs a process to its end, reading what it prints meanwhile: a full pipe would hold it up for ever.
fn run_within(command: &mut Command, limit: Duration) -> Result<Printed, String> {
    let said = |e: std::io::Error| format!("failed: {e}");
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(said)?;
    let (out, err) = (child.stdout.take().map(read_on), child.stderr.take().map(read_on));
    let status = match wait_within(&mut child, limit) {
        Ok(Some(status)) => status,
        Ok(None) => {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("did not end in {} s: the display or its driver hangs", limit.as_secs()));
        }
        Err(e) => return Err(said(e)),
    };
    let text = |from: Option<mpsc::Receiver<Vec<u8>>>| {
        let bytes = from.and_then(|from| from.recv_timeout(LAST_WORDS).ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Printed { good: status.success(), end: format!("ended with {status}"), out: text(out), err: text(err) })
}

fn wait_within(child: &mut Child, limit: Duration) -> std::io::Result<Option<std::process::ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        match child.try_wait()? {
            None if Instant::now() < end => std::thread::sleep(Duration::from_millis(20)),
            status => return Ok(status),
        }
    }
}

/// Reads a pipe to its end on a thread of its own. The beginning is kept, the rest let go.
fn read_on(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (tell, told) = mpsc::sync_channel(1);
    // Without the thread the channel closes, and nothing was printed.
    let _ = std::thread::Builder::new().name("pipe".into()).spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.by_ref().take(MOST_PRINTED).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        let _ = tell.send(bytes);
    });
    told
}

fn captures(places: &Places) -> Result<String, Report> {
    let kept = crate::capture::retention::list(&places.captures)?;
    let bytes: u64 = kept.iter().map(|c| c.bytes).sum();
    Ok(format!("{} in {} ({:.1} MB)", kept.len(), places.captures.display(), bytes as f64 / 1e6))
}

/// Asks all at once: each may take as long as its time limits allow.
fn probe_all(redactor: &Redactor, environments: Vec<Environment>) -> Result<Vec<Vec<Check>>, Report> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Report::new("runtime", "The check cannot start", e.to_string()))?;
    let log = Log::new(Writer::private()?, redactor.clone(), SystemClock::shared());
    Ok(runtime.block_on(async {
        let vault = Arc::new(LazyVault::new(Box::new(Vault::open)));
        let ask = |environment| {
            let (log, vault) = (log.clone(), vault.clone());
            tokio::spawn(async move { probe::run(&log, vault, environment).await })
        };
        let asked: Vec<_> = environments.into_iter().map(ask).collect();
        let mut all = Vec::with_capacity(asked.len());
        for checks in asked {
            let broken =
                |e: tokio::task::JoinError| vec![Err(Report::new("broken", "The check broke off", e.to_string()))];
            all.push(checks.await.unwrap_or_else(broken));
        }
        all
    }))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration) -> Result<Printed, String> {
        run_within(Command::new("sh").args(["-c", script]), limit)
    }

    #[test]
    fn a_process_that_prints_more_than_a_pipe_holds_comes_to_its_end() {
        let script = "head -c 1000000 /dev/zero >&2; echo done; exit 3";
        let printed = sh(script, Duration::from_secs(20)).unwrap();
        assert_eq!((printed.good, printed.out.trim(), printed.end.contains('3')), (false, "done", true));
        assert_eq!(printed.err.len() as u64, MOST_PRINTED);
    }

    #[test]
    fn a_process_that_hangs_is_ended_and_one_left_behind_is_not_waited_for() {
        let start = Instant::now();
        assert!(sh("exec sleep 60", Duration::from_millis(100)).is_err_and(|why| why.contains("did not end")));
        assert!(sh("sleep 5 & echo up", Duration::from_secs(20)).unwrap().good);
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}
