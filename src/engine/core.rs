//! The engine's one loop: takes commands, owns the sessions, the sandbox, the sign-ins and the jobs.

mod own_sandbox;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::command::{Command, SessionSpec, Ticket};
use super::emitter::Emitter;
use super::event::{Event, SandboxState};
use super::jobs::Jobs;
use super::keys::{self, KeyOrder, SandboxKeys};
use super::log::Log;
use super::means::{self, Prepared};
use super::session::{Credentials, FromSession, Session, Signer};
use super::{Parts, dialects, oauth, probe};
use crate::dialect::{BearerNews, Dialect, Wish, flow};
use crate::model::environment::ClientSecret;
use crate::model::fact::ClockDeed;
use crate::model::record::SessionStart;
use crate::model::{
    DialectId, Direction, Draft, Environment, Fact, Flags, KeyInfo, Kind, Report, Secret, SecretKind, SessionId,
};
use crate::sandbox::{self, Sandbox};

/// Wishes that may wait for one session.
const WISHES: usize = 64;

/// Key of the sandbox's environment; there is one sandbox at most.
pub const SANDBOX_ID: &str = "sandbox";

/// Sessions have so long for their goodbyes when the engine ends, then the sandbox for its own.
const GOODBYES: Duration = Duration::from_secs(3);
const SANDBOX_END: Duration = Duration::from_secs(2);

struct Live {
    wishes: mpsc::Sender<Wish>,
    end: Arc<Notify>,
    environment_id: String,
    /// Last part of the key under which its token is kept; a resumed session goes on with its own.
    keep: String,
}

/// What tasks of the engine report back to its loop.
enum Done {
    /// What a session needs was found.
    Prepared {
        ticket: Ticket,
        connect: bool,
        result: Box<Result<Prepared, Report>>,
    },
    SandboxStarted(Box<Result<Sandbox, Report>>),
    SandboxStopped,
    SecretChanged {
        key: String,
    },
    Keys {
        environment_id: String,
        result: Result<(Vec<KeyInfo>, String), Report>,
        registered: Option<oneshot::Sender<()>>,
    },
}

#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    Starting,
    On(Sandbox),
    /// With the options of the next one, where one was asked for meanwhile.
    Stopping(Option<sandbox::Options>),
}

struct Core {
    parts: Parts,
    log: Log,
    emitter: Emitter,
    moved: Arc<Notify>,
    sessions: HashMap<SessionId, Live>,
    running: JoinSet<SessionId>,
    last_session: u32,
    from_sessions: mpsc::Sender<FromSession>,
    done: mpsc::Sender<Done>,
    sandbox: Slot,
    /// OAuth tokens that somebody wanted, by the id of their clocks.
    sign_ins: HashMap<String, Arc<oauth::Kept>>,
    shared: flow::Shared,
    sandbox_keys: SandboxKeys,
    jobs: Jobs,
    /// What sessions keep goes into the vault in their order: the newest of it.
    keeping: Option<JoinHandle<()>>,
}

/// Runs until the command queue is closed; then says goodbye everywhere.
///
/// The loop itself waits for nothing but room for an event: keyring, files and servers are waited for in tasks, which
/// report back.
pub async fn run(parts: Parts, mut commands: mpsc::Receiver<Command>, events: mpsc::Sender<Event>) {
    let log = Log::new(parts.writer.clone(), parts.redactor.clone(), parts.clock.clone()).audited(parts.audit.clone());
    let moved = Arc::new(Notify::new());
    let tell = moved.clone();
    parts.clock.on_move(Box::new(move || tell.notify_waiters()));
    let (from_sessions, mut asked) = mpsc::channel(WISHES);
    let (done, mut reports) = mpsc::channel(WISHES);
    let emitter = Emitter::new(events, parts.redactor.clone(), parts.wake.clone());
    let mut core = Core {
        jobs: Jobs::new(emitter.clone()),
        parts,
        log,
        emitter,
        moved,
        sessions: HashMap::new(),
        running: JoinSet::new(),
        last_session: 0,
        from_sessions,
        done,
        sandbox: Slot::default(),
        sign_ins: HashMap::new(),
        shared: flow::Shared::default(),
        sandbox_keys: SandboxKeys::default(),
        keeping: None,
    };
    core.tell_vault();
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(command) => core.take(command).await,
                None => break,
            },
            Some(from) = asked.recv() => core.asked(from),
            Some(done) = reports.recv() => core.done(done).await,
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
        self.emitter.emit(event).await;
    }

    /// Opens the vault, which may take a while, and tells how it stands.
    fn tell_vault(&self) {
        let (vault, emitter) = (self.parts.vault.clone(), self.emitter.clone());
        tokio::task::spawn_blocking(move || emitter.emit_blocking(Event::Vault(vault.status())));
    }

    async fn take(&mut self, command: Command) {
        match command {
            Command::OpenSession { ticket, spec, connect } => self.prepare(ticket, *spec, connect),
            Command::Wish { session, wish } => self.wish(session, wish).await,
            Command::CloseSession { session } => match self.sessions.get(&session) {
                Some(live) => live.end.notify_one(),
                None => self.emit(Event::Fault(session_gone())).await,
            },
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
            Command::SignIn { environment } => self.sign_in(oauth::Use::plain(environment)).await,
            Command::SignInUser { environment, person } => {
                self.sign_in(oauth::Use::of_person(*environment, &person)).await;
            }
            Command::CancelSignIn { id } => {
                if let Some(Err(report)) = self.sign_ins.get(&id).map(|kept| kept.order(oauth::Order::Cancel)) {
                    self.emit(Event::Fault(report)).await;
                }
            }
            Command::OauthClock { id, deed } => {
                let taken = match self.sign_ins.get(&id) {
                    Some(kept) => kept.order(oauth::Order::Deed(deed)),
                    None => Err(not_signed_in()),
                };
                if let Err(report) = taken {
                    self.emit(Event::Fault(report)).await;
                }
            }
            Command::Keys { environment, order } => self.order_keys(*environment, order),
            Command::KeepSecret { key, value } => self.keep(key, Some(value)),
            Command::ForgetSecret { key } => self.keep(key, None),
            Command::SaveCapture { job, from, to } => self.jobs.save(job, &self.parts.writer, from, to),
            Command::Export { job, from, format, session, to } => {
                self.jobs.export(job, &self.parts.writer, from, format, session, to);
            }
            Command::ExportAudit { job, to } => self.export_audit(job, to),
            Command::CancelJob { job } => self.jobs.cancel(job),
            Command::Probe { ticket, environment } => {
                let (emitter, log, vault) = (self.emitter.clone(), self.log.clone(), self.parts.vault.clone());
                tokio::spawn(async move {
                    let checks = probe::run(&log, vault, environment).await;
                    emitter.emit(Event::Probed { ticket, checks }).await;
                });
            }
        }
    }

    async fn done(&mut self, done: Done) {
        match done {
            Done::Prepared { ticket, connect, result } => {
                let result = result.map(|prepared| self.open(prepared, connect));
                self.emit(Event::SessionMade { ticket, result }).await;
            }
            Done::Keys { environment_id, result, registered } => {
                if environment_id == SANDBOX_ID {
                    self.register_keys();
                }
                // Whoever signs with a new key waits until the sandbox knows it.
                if let Some(told) = registered {
                    let _ = told.send(());
                }
                self.emit(Event::Keys { environment_id, result }).await;
            }
            Done::SandboxStarted(result) => self.sandbox_started(*result).await,
            Done::SandboxStopped => {
                if let Slot::Stopping(next) = std::mem::take(&mut self.sandbox) {
                    self.emit(Event::Sandbox(SandboxState::Stopped)).await;
                    if let Some(options) = next {
                        self.start_sandbox(options).await;
                    }
                }
            }
            Done::SecretChanged { key } => {
                // They go on with the new credentials, or end with the old ones.
                let orders = self.sign_ins.values().filter(|kept| kept.uses(&key));
                let refused: Vec<_> = orders.filter_map(|k| k.order(oauth::Order::SecretChanged).err()).collect();
                for report in refused {
                    self.emit(Event::Fault(report)).await;
                }
            }
        }
    }

    async fn wish(&self, session: SessionId, wish: Wish) {
        let Some(live) = self.sessions.get(&session) else { return self.emit(Event::Fault(session_gone())).await };
        let failed = match live.wishes.try_send(wish) {
            Ok(()) => return,
            Err(mpsc::error::TrySendError::Full(_)) => Report::new(
                "session-busy",
                "The session did not take this",
                "Too much waits for it already. Try again in a moment.",
            ),
            Err(mpsc::error::TrySendError::Closed(_)) => session_gone(),
        };
        self.emit(Event::Fault(failed)).await;
    }

    /// Finds what a session needs: its hosts, its clients, the token to resume with.
    fn prepare(&self, ticket: Ticket, spec: SessionSpec, connect: bool) {
        let (log, vault, done) = (self.log.clone(), self.parts.vault.clone(), self.done.clone());
        tokio::spawn(async move {
            let result = Box::new(means::prepared(&log, vault, spec).await);
            // The loop is gone only when the program ends.
            let _ = done.send(Done::Prepared { ticket, connect, result }).await;
        });
    }

    fn open(&mut self, prepared: Prepared, connect: bool) -> SessionId {
        let Prepared { spec, hosts, clients, token, refresh, bases } = prepared;
        let environment = Arc::new(spec.environment);
        let keep = spec.kept.as_deref().and_then(|key| key.rsplit('/').next()).map(str::to_owned);
        let keep = keep.unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
        if let Some(token) = &token {
            self.log.learn(SecretKind::SessionToken, token.expose());
        }
        if let Some(refresh) = &refresh {
            self.log.learn(SecretKind::RefreshToken, refresh.expose());
        }
        self.last_session += 1;
        let id = SessionId(self.last_session);
        let own = (*environment).clone();
        let of = match spec.dialect {
            DialectId::Agent => Some(oauth::Use::of_person(own, &spec.agent.user)),
            _ => dialects::oauth_use(spec.dialect, &environment).map(|oauth| oauth::Use {
                environment: own,
                oauth,
                person: None,
            }),
        };
        let oauth = of.map(|of| self.kept(of));
        let dialect: Box<dyn Dialect> = dialects::make(dialects::Making {
            id: spec.dialect,
            environment: (*environment).clone(),
            hosts: hosts.clone(),
            token,
            form: spec.form,
            login: spec.login,
            refresh,
            agent: spec.agent,
            shared: self.shared.clone(),
            bases,
        });
        let start = SessionStart {
            name: spec.name,
            dialect: spec.dialect,
            environment: environment.name.clone(),
            hosts,
            deployment_id: environment.deployment_id.clone(),
            tls_unverified: !environment.verify_tls,
            limits: dialects::limits(spec.dialect, &environment),
        };
        self.log
            .add(Draft::new(self.log.now(), id, Kind::SessionStart, Direction::Local).head(&start).flags(Flags::STORY));
        let (wishes, wishes_in) = mpsc::channel(WISHES);
        let end = Arc::new(Notify::new());
        let live = Live { wishes, end: end.clone(), environment_id: environment.id.clone(), keep };
        let (news, bearer) = watch::channel(BearerNews::None);
        let session = Session {
            credentials: oauth.map(|kept| Credentials::new(kept, id, news)),
            bearer,
            signer: self.signer(&environment),
            id,
            dialect,
            log: self.log.clone(),
            environment,
            clients,
            wishes: wishes_in,
            end,
            out: self.from_sessions.clone(),
            moved: self.moved.clone(),
        };
        if connect {
            // The queue is new and empty.
            let _ = live.wishes.try_send(Wish::Connect);
        }
        self.sessions.insert(id, live);
        self.running.spawn(async move {
            session.run().await;
            id
        });
        id
    }

    fn asked(&mut self, from: FromSession) {
        let FromSession::Keep { session, key, value } = from;
        let Some(live) = self.sessions.get(&session) else { return };
        if !self.parts.keep_tokens {
            return;
        }
        let environment_id = live.environment_id.clone();
        let key = format!("{environment_id}/{key}/{}", live.keep);
        let (vault, log, emitter) = (self.parts.vault.clone(), self.log.clone(), self.emitter.clone());
        let before = self.keeping.take();
        self.keeping = Some(tokio::spawn(async move {
            // However it went.
            if let Some(before) = before {
                let _ = before.await;
            }
            let done = tokio::task::spawn_blocking(move || {
                let kept = value.is_some();
                match means::change(&vault, &key, value) {
                    Ok(()) => emitter.emit_blocking(Event::Kept { session, environment_id, key, kept }),
                    Err(report) => {
                        log.fact(session, &Fact::Fault(report));
                    }
                }
            });
            let _ = done.await;
        }));
    }

    fn keep(&self, key: String, value: Option<Secret<String>>) {
        if let Some(value) = &value {
            means::learn(&self.log, &key, value);
        }
        let (vault, emitter, done) = (self.parts.vault.clone(), self.emitter.clone(), self.done.clone());
        tokio::task::spawn_blocking(move || {
            let result = means::change(&vault, &key, value);
            // Also after a failure: the secret is then in memory, and in use.
            let _ = done.blocking_send(Done::SecretChanged { key: key.clone() });
            emitter.emit_blocking(Event::SecretKept { key, result });
        });
    }

    /// Makes sure that there is this token.
    async fn sign_in(&mut self, of: oauth::Use) {
        let kept = self.kept(of);
        for order in [oauth::Order::ByPerson, oauth::Order::Need { who: oauth::PERSON }] {
            if let Err(report) = kept.order(order) {
                return self.emit(Event::Fault(report)).await;
            }
        }
    }

    /// The task that keeps this token, begun where there is none. One for another state of the same environment ends
    /// when the last session that uses it does.
    fn kept(&mut self, of: oauth::Use) -> Arc<oauth::Kept> {
        let id = of.id();
        if let Some(kept) = self.sign_ins.get(&id).filter(|kept| kept.is_of(&of)) {
            return kept.clone();
        }
        let around = oauth::Around {
            log: self.log.clone(),
            vault: self.parts.vault.clone(),
            emitter: self.emitter.clone(),
            open_url: self.parts.open_url.clone(),
            keep: self.parts.keep_tokens,
            moved: self.moved.clone(),
        };
        let kept = Arc::new(oauth::Kept::start(around, of));
        self.sign_ins.insert(id, kept.clone());
        kept
    }

    /// Signs with the key that the environment names as active.
    fn signer(&self, environment: &Arc<Environment>) -> Signer {
        let (environment, place, log) = (environment.clone(), self.key_place(&environment.id), self.log.clone());
        let done = self.done.clone();
        Arc::new(move |claims| {
            // The sandbox needs nothing prepared: its first key is made when one is needed.
            place.with_first_key(|| {
                let order = KeyOrder::Generate { kid: "sandbox-key-1".into(), overlap: None };
                let (keys, _) = keys::obey(&log, &place, &environment, order)?;
                let (told, heard) = oneshot::channel();
                let result = Ok((keys, String::new()));
                let news = Done::Keys { environment_id: environment.id.clone(), result, registered: Some(told) };
                if done.blocking_send(news).is_ok() {
                    let _ = heard.blocking_recv();
                }
                Ok(())
            })?;
            keys::sign(&log, &place, &environment, claims)
        })
    }

    fn export_audit(&self, job: super::JobId, to: std::path::PathBuf) {
        let (audit, emitter) = (self.parts.audit.clone(), self.emitter.clone());
        tokio::task::spawn_blocking(move || {
            let result = match audit {
                Some(audit) => {
                    audit.export(&to).map(|bytes| format!("{bytes} bytes were written to {}.", to.display()))
                }
                None => Err(Report::new("no-audit", "There is no audit log", "Private mode writes none.")),
            };
            emitter.emit_blocking(Event::JobDone { job, result });
        });
    }

    fn key_place(&self, environment_id: &str) -> keys::Place {
        match environment_id {
            SANDBOX_ID => keys::Place::Sandbox(self.sandbox_keys.clone()),
            _ => keys::Place::Kept(self.parts.vault.clone()),
        }
    }

    fn order_keys(&self, environment: Environment, order: KeyOrder) {
        let (place, log, done) = (self.key_place(&environment.id), self.log.clone(), self.done.clone());
        tokio::task::spawn_blocking(move || {
            let result = keys::obey(&log, &place, &environment, order);
            let _ = done.blocking_send(Done::Keys { environment_id: environment.id, result, registered: None });
        });
    }

    /// Ends sessions (each with its goodbye), then the rest.
    async fn end(mut self, asked: &mut mpsc::Receiver<FromSession>) {
        self.jobs.cancel_all();
        for live in self.sessions.values() {
            live.end.notify_one();
        }
        let limit = tokio::time::sleep(GOODBYES);
        tokio::pin!(limit);
        while !self.running.is_empty() {
            tokio::select! {
                _ = self.running.join_next() => {}
                Some(from) = asked.recv() => self.asked(from),
                () = &mut limit => break,
            }
        }
        self.sign_ins.clear();
        if let Slot::On(sandbox) = self.sandbox {
            let _ = tokio::time::timeout(SANDBOX_END, sandbox.stop()).await;
        }
    }
}

fn session_gone() -> Report {
    Report::new("session-gone", "This session is closed", "It takes no more wishes; its records stay.")
        .remedy("Open a new session, or resume this one with its kept token.")
}

fn not_signed_in() -> Report {
    Report::new("not-signed-in", "There is no OAuth token", "This environment is not signed in.")
        .remedy("Give it a client id and secret, then sign in.")
}
