//! `sessionscope run`: plays the scenarios of a script, one after the other, each in a session of its own.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::RunArgs;
use super::headless::{Headless, settings, usual_place, with_console};
use super::out::{Ended, Out, Outcome};
use super::play::Stage;
use super::script::{self, Script};
use crate::capture::Opened;
use crate::engine::console::LogPlace;
use crate::engine::places::Places;
use crate::engine::stored::Stored;
use crate::model::environment::{join_password, proxy_key, wants_password};
use crate::model::{Clock, Environment, Report, SecretKind, SteppedClock, SystemClock};
use crate::projection::knowledge::Knowledge;
use crate::sandbox::Order;
use crate::vault::Vault;

/// Against what a script is played.
enum Target {
    Sandbox,
    Server(Box<Environment>),
}

pub fn run(out: &mut Out, args: &RunArgs) -> Outcome {
    let places = Places::find()?;
    let (knowledge, broken) = Knowledge::with_folder(&places.knowledge());
    let script =
        read(&args.file, |text, name| script::parse_script_knowing(text, name, &knowledge)).inspect_err(|_| {
            // A cause that is not known may stand in one of these; otherwise the console tells them.
            broken.iter().for_each(|report| out.complain(&report.text()));
        })?;
    let target = target(args, &script, &places)?;
    let stored = settings(out, &places);
    let place = args.capture.clone().map_or_else(|| usual_place(&stored), LogPlace::File);
    // Console and sandbox share a clock that a script can put forward.
    let clock = matches!(target, Target::Sandbox).then(SteppedClock::shared);
    let shared: Arc<dyn Clock> = match &clock {
        Some(clock) => clock.clone(),
        None => SystemClock::shared(),
    };
    let ((passed, all), kept) = with_console(out, places, (place, shared), stored.keep_days, |out, headless| {
        let environment = match target {
            Target::Sandbox => headless.start_sandbox()?,
            Target::Server(environment) => *environment,
        };
        if let Some(secret) = &environment.client_secret {
            headless.console.redactor.learn(SecretKind::ClientSecret, secret.0.expose());
        }
        play_all(out, headless, args, &script, &environment, clock)
    })?;
    match kept.stopped {
        Some(_) => writeln!(out, "\ninterrupted; {passed} of {all} scenarios held before that")?,
        None => writeln!(out, "\n{passed} of {all} scenarios hold")?,
    }
    match kept.opened {
        Opened::File(file) if kept.status.records > 0 => writeln!(out, "capture: {}", file.display())?,
        Opened::File(_) => writeln!(out, "capture: none, nothing happened")?,
        Opened::Memory(_) => {
            writeln!(out, "capture: none, private mode is on (--capture FILE writes one all the same)")?
        }
    }
    if let Some(status) = kept.stopped {
        return Ok(ExitCode::from(status));
    }
    Ok(if passed == all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Gives how many scenarios hold, and how many there are.
fn play_all(
    out: &mut Out,
    headless: &mut Headless,
    args: &RunArgs,
    script: &Script,
    environment: &Environment,
    clock: Option<Arc<SteppedClock>>,
) -> Result<(usize, usize), Ended> {
    let hosts = environment.hosts()?;
    let host = if hosts.guest_socket.is_empty() { hosts.api } else { hosts.guest_socket };
    writeln!(out, "environment: {} ({host})", environment.name)?;
    let mut passed = 0;
    let limit = Duration::from_secs(args.timeout.into());
    for (name, scenario) in &script.scenarios.0 {
        writeln!(out, "\n{name}")?;
        if clock.is_some() && !scenario.resume {
            // What an earlier scenario ordered is over, and what it made is gone.
            headless.order(&Order::Reset)?;
        }
        let mut stage = Stage { headless, environment, clock: clock.clone(), limit };
        match stage.play(out, name, scenario) {
            // What was waited for did not fail; nobody waited any longer.
            _ if headless.stopped().is_some() => break,
            Ok(()) => passed += 1,
            Err(Ended::Failed(report)) => out.indented("    ", &report)?,
            Err(ended) => return Err(ended),
        }
    }
    Ok((passed, script.scenarios.0.len()))
}

fn read<T>(file: &Path, parse: impl FnOnce(&str, &str) -> Result<T, Report>) -> Result<T, Report> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|e| {
        Report::new("no-file", "The file cannot be read", format!("{name}: {e}"))
            .remedy("Check the path, and that you may read it.")
    })?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let before = &e.as_bytes()[..at];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column =
            String::from_utf8_lossy(before.rsplit(|b| *b == b'\n').next().unwrap_or_default()).chars().count() + 1;
        Report::new(
            "not-utf8",
            "The file is not UTF-8 text",
            format!("{name}, line {line}, column {column}: a byte that is not UTF-8."),
        )
        .remedy("Save it as UTF-8.")
    })?;
    parse(&text, &name)
}

/// The sandbox, the environment that is named, or the one of the script.
fn target(args: &RunArgs, script: &Script, places: &Places) -> Result<Target, Report> {
    if args.sandbox {
        return Ok(Target::Sandbox);
    }
    if let Some(name) = &args.environment {
        let environment = with_proxy_password(find_environment(name, places)?)?;
        // A server of one's own may do without.
        if environment.region.is_some() && environment.deployment_id.trim().is_empty() {
            let what = format!("“{}” names a region of the vendor and no deployment_id.", environment.name);
            return Err(Report::new("no-deployment", "The deployment id is missing", what)
                .remedy("Copy the id from the messenger deployment's page in the vendor's administration."));
        }
        return Ok(Target::Server(Box::new(environment)));
    }
    let Some(config) = &script.config else {
        return Err(Report::new("no-environment", "Which server?", "The script has no config section.")
            .remedy("Add config: {deploymentId: …, region: …} to it, or give --environment or --sandbox."));
    };
    let environment = Environment {
        name: config.region.clone(),
        region: Some(config.region.clone()),
        deployment_id: config.deployment_id.clone(),
        origin: config.origin.clone(),
        ..Environment::default()
    };
    environment.hosts()?;
    Ok(Target::Server(Box::new(environment)))
}

/// A stored environment by its name, else a file.
pub fn find_environment(name: &str, places: &Places) -> Result<Environment, Report> {
    let stored = Stored::read(places)?.environments;
    if let Some(found) = stored.iter().find(|e| e.name == name) {
        return Ok(found.clone());
    }
    let file = Path::new(name);
    if !file.exists() {
        let names: Vec<_> = stored.iter().map(|e| e.name.as_str()).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(Report::new(
            "no-environment",
            "No such environment",
            format!("“{name}” is neither a stored environment nor a file. Stored: {known}."),
        )
        .remedy("Make it in the window (Environments), or write an environment file; see the README."));
    }
    let mut environment = read(file, script::parse_environment)?;
    if environment.name.is_empty() {
        environment.name = file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    }
    environment.hosts()?;
    Ok(environment)
}

/// Takes a stored proxy password out of the keyring: a run has a vault of its own, in memory.
fn with_proxy_password(mut environment: Environment) -> Result<Environment, Report> {
    if let Some(address) = environment.proxy.as_deref().filter(|a| wants_password(a))
        && !environment.id.is_empty()
        && let Some(password) = Vault::open().get(&proxy_key(&environment.id))?
    {
        environment.proxy = join_password(address, password.expose());
    }
    Ok(environment)
}
