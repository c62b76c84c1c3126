//! `sessionscope run`: plays the scenarios of a script, one after the other, each in a session of its own.

use std::collections::HashSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::RunArgs;
use super::headless::{Headless, settings, usual_place, with_console};
use super::out::{Ended, Out, Outcome};
use super::script::{self, Script, Step};
use crate::capture::Opened;
use crate::engine::console::LogPlace;
use crate::engine::places::Places;
use crate::engine::stored::Stored;
use crate::model::environment::{join_password, proxy_key, wants_password};
use crate::model::fact::{Delivery, SessionState};
use crate::model::happening::Side;
use crate::model::{Environment, Report, SecretKind, SessionId};
use crate::projection::{Entry, EntryState, SessionView, What};
use crate::vault::Vault;

const CONNECT: Duration = Duration::from_secs(30);

/// Against what a script is played.
enum Target {
    Sandbox,
    Server(Box<Environment>),
}

pub fn run(out: &mut Out, args: &RunArgs) -> Outcome {
    let script = read(&args.file, script::parse_script)?;
    let places = Places::find()?;
    let target = target(args, &script, &places)?;
    let stored = settings(out, &places);
    let place = args.capture.clone().map_or_else(|| usual_place(&stored), LogPlace::File);
    let ((passed, all), kept) = with_console(out, places, place, stored.keep_days, |out, headless| {
        let environment = match target {
            Target::Sandbox => headless.start_sandbox()?,
            Target::Server(environment) => *environment,
        };
        if let Some(secret) = &environment.client_secret {
            headless.console.redactor.learn(SecretKind::ClientSecret, secret.0.expose());
        }
        play_all(out, headless, args, &script, &environment)
    })?;
    writeln!(out, "\n{passed} of {all} scenarios hold")?;
    match kept.opened {
        Opened::File(file) if kept.status.records > 0 => writeln!(out, "capture: {}", file.display())?,
        Opened::File(_) => writeln!(out, "capture: none, nothing happened")?,
        Opened::Memory(_) => {
            writeln!(out, "capture: none, private mode is on (--capture FILE writes one all the same)")?
        }
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
) -> Result<(usize, usize), Ended> {
    writeln!(out, "environment: {} ({})", environment.name, environment.hosts()?.guest_socket)?;
    let mut passed = 0;
    for (name, steps) in &script.scenarios.0 {
        writeln!(out, "\n{name}")?;
        match play(out, headless, environment, name, steps, Duration::from_secs(args.timeout.into())) {
            Ok(()) => passed += 1,
            Err(Ended::Failed(report)) => out.indented("    ", &report)?,
            Err(ended) => return Err(ended),
        }
    }
    Ok((passed, script.scenarios.0.len()))
}

fn read<T>(file: &Path, parse: fn(&str, &str) -> Result<T, Report>) -> Result<T, Report> {
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

fn play(
    out: &mut Out,
    headless: &mut Headless,
    environment: &Environment,
    name: &str,
    steps: &[Step],
    limit: Duration,
) -> Result<(), Ended> {
    let session = headless.open(name, environment)?;
    let result = headless.ready(session, CONNECT).map_err(Ended::from).and_then(|()| {
        writeln!(out, "  ok    session configured")?;
        let mut player = Player { headless, session, heard: HashSet::new(), limit };
        steps.iter().try_for_each(|step| player.step(out, step))
    });
    // Each scenario has its own session; a failed one is closed as well.
    headless.end(session)?;
    result
}

struct Player<'a> {
    headless: &'a Headless,
    session: SessionId,
    /// Keys of the replies that an earlier step took or passed over.
    heard: HashSet<String>,
    limit: Duration,
}

impl Player<'_> {
    fn step(&mut self, out: &mut Out, step: &Step) -> Result<(), Ended> {
        let start = Instant::now();
        let result = match step {
            Step::Say(text) => self.say(text),
            Step::Containing(part) => {
                let part = part.to_lowercase();
                self.hear(|text| text.to_lowercase().contains(&part))
            }
            Step::Matching(pattern) => self.hear(|text| pattern.matches(text)),
        };
        let word = if result.is_ok() { "ok   " } else { "FAILS" };
        writeln!(out, "  {word} {step}  ({} ms)", start.elapsed().as_millis())?;
        Ok(result?)
    }

    fn say(&self, text: &str) -> Result<(), Report> {
        let tracing = uuid::Uuid::new_v4().to_string();
        self.headless.say(self.session, tracing.clone(), text)?;
        let outcome = self.headless.until(self.limit.max(Duration::from_secs(1)), |h| {
            let view = h.view(self.session)?;
            let delivery = own_delivery(&view, &tracing);
            match delivery {
                Some(Delivery::Delivered) => Some(Ok(())),
                Some(Delivery::Refused { code, text }) => {
                    Some(Err(Report::new("refused", "The message was refused", format!("{code}: {text}"))))
                }
                Some(Delivery::NotSent { why }) => {
                    Some(Err(Report::new("not-sent", "The message was not sent", why.clone())))
                }
                Some(Delivery::Unconfirmed { why }) => {
                    Some(Err(Report::new("unconfirmed", "The message was not confirmed", why.clone())))
                }
                _ => self.ended(&view),
            }
        });
        outcome.unwrap_or_else(|| {
            Err(Report::new(
                "no-echo",
                "The server did not echo the message",
                format!("No echo within {} s.", self.limit.as_secs()),
            ))
        })
    }

    /// Waits for a reply after the last one that was taken. One that comes late but was said earlier counts too: the
    /// protocol does not promise an order.
    fn hear(&mut self, fits: impl Fn(&str) -> bool) -> Result<(), Report> {
        let outcome = self.headless.until(self.limit, |h| {
            let view = h.view(self.session)?;
            let all = replies(&view);
            let found = all.iter().position(|r| !self.heard.contains(&r.0) && fits(&r.1));
            match found {
                Some(at) => Some(Ok(all.into_iter().take(at + 1).map(|r| r.0).collect::<Vec<_>>())),
                None => self.ended(&view).map(|r| r.map(|()| Vec::new())),
            }
        });
        match outcome {
            Some(Ok(taken)) => {
                self.heard.extend(taken);
                Ok(())
            }
            Some(Err(report)) => Err(report),
            None => Err(self.nothing_fits()),
        }
    }

    fn nothing_fits(&self) -> Report {
        let others: Vec<String> = self
            .headless
            .view(self.session)
            .map(|v| replies(&v).into_iter().filter(|r| !self.heard.contains(&r.0)).map(|r| r.1).collect())
            .unwrap_or_default();
        let report = Report::new(
            "no-reply",
            "No such reply came",
            format!("Waited {} s; other replies meanwhile: {}.", self.limit.as_secs(), others.len()),
        );
        others.into_iter().fold(report, |report, text| report.detail(format!("received: {text}")))
    }

    fn ended(&self, view: &Arc<SessionView>) -> Option<Result<(), Report>> {
        match view.state.as_ref()? {
            SessionState::Ended(end) => Some(Err(Report::new("ended", "The session ended", end.sentence()))),
            _ => None,
        }
    }
}

/// Keys and texts of what the other side said, in the order of the conversation.
fn replies(view: &SessionView) -> Vec<(String, String)> {
    let reply = |entry: &Arc<Entry>| match &entry.what {
        What::Message(m) if m.side != Side::Guest => m.text.clone().map(|text| (m.key.clone(), text)),
        _ => None,
    };
    view.conversation.entries.iter().filter_map(reply).collect()
}

fn own_delivery(view: &SessionView, tracing: &str) -> Option<Delivery> {
    view.conversation.entries.iter().rev().find_map(|entry| match (&entry.what, &entry.state) {
        (What::Message(m), EntryState::Own(delivery, _)) if m.tracing.as_deref() == Some(tracing) => {
            Some(delivery.clone())
        }
        _ => None,
    })
}
