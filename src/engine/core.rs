//! The engine's one loop: takes commands, owns the sessions, the sandbox, the sign-ins and the jobs.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::command::{Command, SessionSpec, Ticket};
use super::event::{Event, SandboxState};
use super::jobs::Jobs;
use super::log::Log;
use super::session::{FromSession, Session, ToSession};
use super::transport::client::Clients;
use super::{LazyVault, Parts, oauth, probe};
use crate::dialect::{Dialect, Wish, web_messaging};
use crate::model::environment::{ClientSecret, join_password, proxy_key, split_password, wants_password};
use crate::model::record::SessionStart;
use crate::model::{
    DialectId, Direction, Draft, Environment, Fact, Flags, Kind, Report, Secret, SecretKind, SessionId,
};
use crate::sandbox::{self, Sandbox};

/// Wishes that may wait for one session.
const WISHES: usize = 64;

/// Key of the sandbox's environment; there is one sandbox at most.
pub const SANDBOX_ID: &str = "sandbox";

struct Live {
    to: mpsc::Sender<ToSession>,
    environment_id: String,
    /// Last part of the key under which its token is kept; a resumed session goes on with its own.
    keep: String,
}

struct Core {
    parts: Parts,
    log: Log,
    events: mpsc::Sender<Event>,
    moved: Arc<Notify>,
    sessions: HashMap<SessionId, Live>,
    running: JoinSet<SessionId>,
    last_session: u32,
    from_sessions: mpsc::Sender<FromSession>,
    sandbox: Option<Sandbox>,
    sign_ins: HashMap<String, oauth::SignIn>,
    jobs: Jobs,
}

/// Runs until the command queue is closed; then says goodbye everywhere.
pub async fn run(parts: Parts, mut commands: mpsc::Receiver<Command>, events: mpsc::Sender<Event>) {
    let log = Log::new(parts.writer.clone(), parts.redactor.clone(), parts.clock.clone());
    let moved = Arc::new(Notify::new());
    let tell = moved.clone();
    parts.clock.on_move(Box::new(move || tell.notify_waiters()));
    let (from_sessions, mut asked) = mpsc::channel(WISHES);
    let jobs = Jobs::new(events.clone(), parts.wake.clone());
    let mut core = Core {
        parts,
        log,
        events,
        moved,
        sessions: HashMap::new(),
        running: JoinSet::new(),
        last_session: 0,
        from_sessions,
        sandbox: None,
        sign_ins: HashMap::new(),
        jobs,
    };
    core.tell_vault();
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(command) => core.take(command).await,
                None => break,
            },
            Some(from) = asked.recv() => core.asked(from),
            Some(Ok(id)) = core.running.join_next(), if !core.running.is_empty() => {
                core.sessions.remove(&id);
                core.emit(Event::SessionClosed { session: id }).await;
            }
        }
    }
    core.end(&mut asked).await;
}

impl Core {
    async fn emit(&self, event: Event) {
        // Nobody listens any more only when the program ends.
        let _ = self.events.send(self.redacted(event)).await;
        (self.parts.wake)();
    }

    fn redacted(&self, event: Event) -> Event {
        let r = &self.parts.redactor;
        let clean = |report: Report| redact(&report, |t| r.text(t).into_owned());
        match event {
            Event::SessionMade { ticket, result } => Event::SessionMade { ticket, result: result.map_err(clean) },
            Event::SecretKept { key, result } => Event::SecretKept { key, result: result.map_err(clean) },
            Event::Sandbox(SandboxState::Failed(report)) => Event::Sandbox(SandboxState::Failed(clean(report))),
            Event::JobDone { job, result } => Event::JobDone { job, result: result.map_err(clean) },
            Event::Probed { ticket, checks } => {
                Event::Probed { ticket, checks: checks.into_iter().map(|c| c.map_err(clean)).collect() }
            }
            Event::Fault(report) => Event::Fault(clean(report)),
            other => other,
        }
    }

    /// Opens the vault, which may take a while, and tells how it stands.
    fn tell_vault(&self) {
        let (vault, events, wake) = (self.parts.vault.clone(), self.events.clone(), self.parts.wake.clone());
        tokio::task::spawn_blocking(move || {
            let _ = events.blocking_send(Event::Vault(vault.status()));
            wake();
        });
    }

    async fn take(&mut self, command: Command) {
        match command {
            Command::OpenSession { ticket, spec, connect } => self.open(ticket, spec, connect).await,
            Command::Wish { session, wish } => self.wish(session, ToSession::Wish(wish)).await,
            Command::CloseSession { session } => self.wish(session, ToSession::End).await,
            Command::Note { session, on, text } => {
                let now = self.log.now();
                self.log.add(Draft::fact(now, session, &Fact::Note { text }).reply_to(on));
            }
            Command::Mark { on, set } => {
                let now = self.log.now();
                self.log.add(Draft::fact(now, SessionId::NONE, &Fact::Mark { on: set }).reply_to(on));
            }
            Command::StartSandbox { options } => self.start_sandbox(options).await,
            Command::StopSandbox => self.stop_sandbox().await,
            Command::Order { order } => self.order(order).await,
            Command::AskSandbox => self.tell_sandbox().await,
            Command::SignIn { environment } => self.sign_in(environment).await,
            Command::OauthClock { environment_id, deed } => match self.sign_ins.get(&environment_id) {
                Some(sign_in) => sign_in.order(oauth::Order::Deed(deed)),
                None => self.emit(Event::Fault(not_signed_in())).await,
            },
            Command::KeepSecret { key, value } => self.keep(key, Some(value)),
            Command::ForgetSecret { key } => self.keep(key, None),
            Command::SaveCapture { job, to } => self.jobs.save(job, &self.parts.writer, to),
            Command::Export { job, from, format, session, to } => {
                self.jobs.export(job, &self.parts.writer, from, format, session, to);
            }
            Command::CancelJob { job } => self.jobs.cancel(job),
            Command::Probe { ticket, environment } => {
                let (events, wake, log) = (self.events.clone(), self.parts.wake.clone(), self.log.clone());
                let vault = self.parts.vault.clone();
                tokio::spawn(async move {
                    let clean = |r: Report| redact(&r, |t| log.redactor().text(t).into_owned());
                    let checks = probe::run(&log, vault, environment).await;
                    let checks = checks.into_iter().map(|c| c.map_err(clean)).collect();
                    let _ = events.send(Event::Probed { ticket, checks }).await;
                    wake();
                });
            }
        }
    }

    async fn wish(&self, session: SessionId, what: ToSession) {
        let gone = Report::new("session-gone", "This session is closed", "It takes no more wishes; its records stay.")
            .remedy("Open a new session, or resume this one with its kept token.");
        let failed = match self.sessions.get(&session).map(|live| live.to.try_send(what)) {
            Some(Ok(())) => return,
            Some(Err(mpsc::error::TrySendError::Full(_))) => Report::new(
                "session-busy",
                "The session did not take this",
                "Too much waits for it already. Try again in a moment.",
            ),
            Some(Err(mpsc::error::TrySendError::Closed(_))) | None => gone,
        };
        self.emit(Event::Fault(failed)).await;
    }

    async fn open(&mut self, ticket: Ticket, spec: SessionSpec, connect: bool) {
        let result = self.make(spec, connect).await;
        self.emit(Event::SessionMade { ticket, result }).await;
    }

    async fn make(&mut self, spec: SessionSpec, connect: bool) -> Result<SessionId, Report> {
        let hosts = spec.environment.hosts()?;
        let environment = Arc::new(spec.environment);
        let clients = clients_of(&self.log, self.parts.vault.clone(), environment.clone()).await?;
        let keep = spec.kept.as_deref().and_then(|key| key.rsplit('/').next()).map(str::to_owned);
        let keep = keep.unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
        let (token, resumed) = match (spec.token, spec.kept) {
            (Some(token), _) => (token, true),
            (None, Some(key)) => (kept_token(self.parts.vault.clone(), key).await?, true),
            (None, None) => (Secret::new(uuid::Uuid::new_v4().to_string()), false),
        };
        self.log.learn(SecretKind::SessionToken, token.expose());
        self.last_session += 1;
        let id = SessionId(self.last_session);
        let dialect: Box<dyn Dialect> = match spec.dialect {
            DialectId::WebMessaging => Box::new(web_messaging::WebMessaging::new(web_messaging::Config {
                hosts: hosts.clone(),
                environment: (*environment).clone(),
                token,
                resumed,
                seed: uuid::Uuid::new_v4().as_u64_pair().0,
            })),
        };
        let start = SessionStart {
            name: spec.name,
            dialect: spec.dialect,
            environment: environment.name.clone(),
            hosts,
            deployment_id: environment.deployment_id.clone(),
            tls_unverified: !environment.verify_tls,
            limits: environment.limits.clone(),
        };
        self.log
            .add(Draft::new(self.log.now(), id, Kind::SessionStart, Direction::Local).head(&start).flags(Flags::STORY));
        let (to, commands) = mpsc::channel(WISHES);
        let live = Live { to, environment_id: environment.id.clone(), keep };
        let session = Session {
            id,
            dialect,
            log: self.log.clone(),
            environment,
            clients,
            commands,
            out: self.from_sessions.clone(),
            moved: self.moved.clone(),
        };
        if connect {
            // The queue is new and empty.
            let _ = live.to.try_send(ToSession::Wish(Wish::Connect));
        }
        self.sessions.insert(id, live);
        self.running.spawn(async move {
            session.run().await;
            id
        });
        Ok(id)
    }

    fn asked(&self, from: FromSession) {
        let FromSession::Keep { session, key, value } = from;
        let Some(live) = self.sessions.get(&session) else { return };
        let environment_id = live.environment_id.clone();
        let key = format!("{environment_id}/{key}/{}", live.keep);
        let (vault, log, events, wake) =
            (self.parts.vault.clone(), self.log.clone(), self.events.clone(), self.parts.wake.clone());
        tokio::task::spawn_blocking(move || {
            let kept = value.is_some();
            let result = match value {
                Some(value) => vault.set(&key, &value),
                None => vault.delete(&key),
            };
            match result {
                Ok(()) => {
                    let _ = events.blocking_send(Event::Kept { session, environment_id, key, kept });
                    wake();
                }
                Err(report) => {
                    log.fact(session, &Fact::Fault(report));
                }
            }
        });
    }

    fn keep(&mut self, key: String, value: Option<Secret<String>>) {
        match &value {
            Some(value) if key.ends_with("/proxy-password") => learn_password(&self.log, value),
            Some(value) => _ = self.log.learn(SecretKind::ClientSecret, value.expose()),
            None => {}
        }
        let (vault, events, wake) = (self.parts.vault.clone(), self.events.clone(), self.parts.wake.clone());
        tokio::task::spawn_blocking(move || {
            let result = match value {
                Some(value) => vault.set(&key, &value),
                None => vault.delete(&key),
            };
            let _ = events.blocking_send(Event::SecretKept { key, result });
            wake();
        });
    }

    async fn sign_in(&mut self, environment: Environment) {
        if let Some(sign_in) = self.sign_ins.get(&environment.id) {
            return sign_in.order(oauth::Order::Need);
        }
        let result =
            oauth::SignIn::start(&self.log, self.parts.vault.clone(), environment.clone(), self.moved.clone()).await;
        match result {
            Ok(sign_in) => {
                self.sign_ins.insert(environment.id, sign_in);
            }
            Err(report) => self.emit(Event::Fault(report)).await,
        }
    }

    async fn start_sandbox(&mut self, options: sandbox::Options) {
        if self.sandbox.is_none() {
            self.emit(Event::Sandbox(SandboxState::Starting)).await;
            match Sandbox::start(options, self.parts.clock.clone()).await {
                Ok(sandbox) => self.sandbox = Some(sandbox),
                Err(report) => return self.emit(Event::Sandbox(SandboxState::Failed(report))).await,
            }
        }
        if let Some(sandbox) = &self.sandbox {
            let ready = sandbox.ready();
            self.log.learn(SecretKind::ClientSecret, &ready.client_secret);
            let mut environment = sandbox.environment();
            environment.id = SANDBOX_ID.to_owned();
            environment.client_secret = Some(ClientSecret(Secret::new(ready.client_secret.clone())));
            let event = SandboxState::Running { environment: Box::new(environment), ready: Box::new(ready) };
            self.emit(Event::Sandbox(event)).await;
            self.tell_sandbox().await;
        }
    }

    async fn stop_sandbox(&mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            // A new one will have another secret.
            self.sign_ins.remove(SANDBOX_ID);
            sandbox.stop().await;
        }
        self.emit(Event::Sandbox(SandboxState::Stopped)).await;
    }

    async fn order(&mut self, order: sandbox::Order) {
        let result = match &self.sandbox {
            Some(sandbox) => sandbox.order(order),
            None => Err(Report::new("no-sandbox", "The sandbox is not running", "Nobody could take the order.")
                .remedy("Start the sandbox first.")),
        };
        match result {
            Ok(()) => self.tell_sandbox().await,
            Err(report) => self.emit(Event::Fault(report)).await,
        }
    }

    async fn tell_sandbox(&self) {
        if let Some(sandbox) = &self.sandbox {
            self.emit(Event::SandboxStatus(Box::new(sandbox.status()))).await;
        }
    }

    /// Ends sessions (each with its goodbye), then the rest.
    async fn end(mut self, asked: &mut mpsc::Receiver<FromSession>) {
        self.jobs.cancel_all();
        for live in self.sessions.values() {
            let _ = live.to.try_send(ToSession::End);
        }
        let limit = tokio::time::sleep(std::time::Duration::from_secs(3));
        tokio::pin!(limit);
        while !self.running.is_empty() {
            tokio::select! {
                _ = self.running.join_next() => {}
                Some(from) = asked.recv() => self.asked(from),
                () = &mut limit => break,
            }
        }
        self.sign_ins.clear();
        if let Some(sandbox) = self.sandbox.take() {
            let _ = tokio::time::timeout(std::time::Duration::from_secs(2), sandbox.stop()).await;
        }
    }
}

/// Builds clients off the loop: a CA file is read, and the vault is asked for the proxy's password.
pub async fn clients_of(log: &Log, vault: Arc<LazyVault>, environment: Arc<Environment>) -> Result<Clients, Report> {
    let log = log.clone();
    tokio::task::spawn_blocking(move || Clients::of(&with_proxy_password(&log, &vault, &environment)?))
        .await
        .unwrap_or_else(|e| Err(Report::new("http-client", "HTTP cannot be set up", e.to_string())))
}

/// The environment with the whole address of its proxy; the password is learnt before anything can tell it.
fn with_proxy_password(log: &Log, vault: &LazyVault, environment: &Environment) -> Result<Environment, Report> {
    let mut environment = environment.clone();
    let Some(address) = environment.proxy.as_deref() else { return Ok(environment) };
    let password = if wants_password(address) {
        vault.get(&proxy_key(&environment.id))?
    } else {
        split_password(address).map(|(_, password)| password)
    };
    if let Some(password) = password {
        learn_password(log, &password);
        environment.proxy = Some(join_password(address, password.expose()).unwrap_or_else(|| address.to_owned()));
    }
    Ok(environment)
}

/// A proxy's password as it is written in an address, and as it is meant.
fn learn_password(log: &Log, password: &Secret<String>) {
    log.learn(SecretKind::Password, password.expose());
    if let Ok(plain) = percent_encoding::percent_decode_str(password.expose()).decode_utf8() {
        log.learn(SecretKind::Password, &plain);
    }
}

async fn kept_token(vault: Arc<LazyVault>, key: String) -> Result<Secret<String>, Report> {
    let found = tokio::task::spawn_blocking(move || vault.get(&key))
        .await
        .unwrap_or_else(|e| Err(Report::new("vault", "The keyring could not be asked", e.to_string())))?;
    found.ok_or_else(|| {
        Report::new("no-kept-token", "The session token is not in the keyring any more", "There is nothing to resume.")
            .remedy("Open a new session.")
    })
}

fn not_signed_in() -> Report {
    Report::new("not-signed-in", "There is no OAuth token", "This environment is not signed in.")
        .remedy("Give it a client id and secret, then sign in.")
}

fn redact(report: &Report, clean: impl Fn(&str) -> String) -> Report {
    Report {
        code: report.code.clone(),
        title: clean(&report.title),
        what: clean(&report.what),
        remedies: report.remedies.iter().map(|t| clean(t)).collect(),
        details: report.details.iter().map(|t| clean(t)).collect(),
    }
}
