//! OAuth tokens of environments: a task for each, which drives a [`Credential`] and is shared by all sessions that
//! need the same token.

mod user;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::sleep;

use self::user::back;
use super::emitter::Emitter;
use super::event::Event;
use super::log::Log;
use super::means::{clients_of, foreign, read};
use super::sign_in::{OpenUrl, Waiting, cancelled};
use super::skew::SkewWatch;
use super::transport::http::Caller;
use super::{LazyVault, dialects};
pub use crate::dialect::credential::PERSON;
use crate::dialect::credential::{Credential, Deed, Shown, Source, Who};
use crate::dialect::{At, BearerNews};
use crate::model::agents::{Agents, user_token_key};
use crate::model::environment::{Environment, TokenSource, pasted_key, proxy_key};
use crate::model::fact::ClockDeed;
use crate::model::flows::OauthUse;
use crate::model::{DialectId, Fact, Report, Secret, SecretKind, SessionId};

/// The wall clock is looked at again at least so often.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
const BREAKS: &str = "calls with this OAuth token are refused with 401";
const USER_BREAKS: &str = "every call of this agent is refused with 401, and no new notification socket opens";
/// Orders that may wait; whoever has one more waits with it.
const ORDERS: usize = 1024;

/// Key of an environment's client secret in the vault.
pub fn secret_key(environment_id: &str) -> String {
    format!("{environment_id}/client-secret")
}

/// Which token: of which environment, got how, for what.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    pub environment: Environment,
    pub oauth: OauthUse,
    /// Whose it is; none for the client's own.
    pub person: Option<String>,
}

impl Use {
    /// The environment's own token, for no flow in particular.
    pub fn plain(environment: Environment) -> Self {
        let early_secs = environment.timings.oauth_margin_secs;
        Self { environment, oauth: OauthUse { early_secs, ..OauthUse::default() }, person: None }
    }

    /// The token of a person who signs in as an agent.
    pub fn of_person(environment: Environment, person: &str) -> Self {
        let Agents { early_secs, tries, .. } = environment.agents;
        let oauth = OauthUse { early_secs, tries, ..OauthUse::default() };
        Self { environment, oauth, person: Some(person.trim().to_owned()) }
    }

    /// Of its clock. The same for the same token, whatever else of the environment changes.
    pub fn id(&self) -> String {
        match &self.person {
            Some(person) => format!("{}{person}", user_clocks(&self.environment)),
            None => clock_id(&self.environment, &self.oauth),
        }
    }

    fn title(&self) -> String {
        let name = &self.environment.name;
        match self.person.as_deref() {
            Some("") => return format!("OAuth · agent · {name}"),
            Some(person) => return format!("OAuth · {person} · {name}"),
            None => {}
        }
        match &self.environment.token_source {
            // Several tokens of one environment are told apart by what they are for.
            TokenSource::ClientCredentials => match self.oauth.scope.split([':', ' ']).next().unwrap_or_default() {
                "" => format!("OAuth · {name}"),
                first => format!("OAuth {first} · {name}"),
            },
            TokenSource::Broker { .. } => format!("OAuth by broker · {name}"),
            TokenSource::Pasted => format!("OAuth, pasted · {name}"),
            TokenSource::Keyring { .. } => format!("OAuth of the keyring · {name}"),
        }
    }

    /// The token endpoint. One that begins with `/api/` is the API's, others the login host's.
    fn url(&self) -> Result<String, Report> {
        let path = self.oauth.path.trim();
        if path.contains("://") {
            return Ok(path.to_owned());
        }
        let base =
            if path.starts_with("/api/") { self.environment.org_base()? } else { self.environment.hosts()?.login };
        if base.is_empty() {
            let what = format!("“{}” names no login host.", self.environment.name);
            return Err(Report::new("no-login-host", "There is no token endpoint", what)
                .remedy("Choose a region, or give the login host's address (https://…)."));
        }
        Ok(format!("{base}{path}"))
    }
}

/// Whether a flow uses the OAuth token of this clock in an environment.
pub fn uses_clock(dialect: DialectId, environment: &Environment, clock: &str) -> bool {
    match dialect {
        DialectId::Agent => clock.starts_with(&user_clocks(environment)),
        _ => dialects::oauth_use(dialect, environment).is_some_and(|oauth| clock_id(environment, &oauth) == clock),
    }
}

/// How the ids of the clocks of an environment's people begin.
fn user_clocks(environment: &Environment) -> String {
    format!("oauth:{}:user:", environment.id)
}

fn clock_id(environment: &Environment, oauth: &OauthUse) -> String {
    let env = &environment.id;
    match (&environment.token_source, oauth.path.as_str(), oauth.scope.as_str()) {
        (TokenSource::ClientCredentials, path, scope) if path != OauthUse::default().path || !scope.is_empty() => {
            format!("oauth:{env}:{path} {scope}").trim_end().to_owned()
        }
        // Only client credentials can be asked for a scope.
        _ => format!("oauth:{env}"),
    }
}

/// What a token's task can be asked for.
#[derive(Debug)]
pub enum Order {
    /// News go there from now on.
    Join {
        who: Who,
        news: watch::Sender<BearerNews>,
    },
    Need {
        who: Who,
    },
    Refused {
        who: Who,
        number: u64,
    },
    /// Another is needed than that of this number.
    Replace {
        who: Who,
        number: u64,
    },
    Accepted {
        number: u64,
    },
    Deed(ClockDeed),
    /// A person wishes that there is one, and may be sent to the login page.
    ByPerson,
    /// The browser is not waited for any longer.
    Cancel,
    /// A secret was changed: what was got with the old one is forgotten.
    SecretChanged,
}

/// A token that is kept alive. Dropping it ends that and forgets the token.
pub struct Kept {
    of: Use,
    pub orders: mpsc::Sender<Order>,
    /// Never used: its end tells the task, whatever that waits for.
    _alive: oneshot::Sender<()>,
}

impl Kept {
    /// Begins. Nothing is got before somebody needs it.
    pub fn start(around: Around, of: Use) -> Self {
        let (orders, orders_in) = mpsc::channel(ORDERS);
        let (alive, dropped) = oneshot::channel();
        let Around { log, vault, emitter, open_url, keep, moved } = around;
        let task = Task {
            skew: SkewWatch::new(SessionId::NONE, log.now()),
            of: of.clone(),
            log,
            vault,
            emitter,
            open_url,
            keep,
            waiting: None,
            by_person: false,
            ready: None,
            listeners: HashMap::new(),
            placeholder: None,
            missed: false,
        };
        tokio::spawn(async move {
            tokio::select! {
                () = task.run(orders_in, moved) => {}
                _ = dropped => {}
            }
        });
        Self { of, orders, _alive: alive }
    }

    pub fn is_of(&self, of: &Use) -> bool {
        self.of == *of
    }

    /// True where it is a token of this environment.
    pub fn is_at(&self, environment_id: &str) -> bool {
        self.of.environment.id == environment_id
    }

    /// True where it depends on the secret under this key of the vault.
    pub fn uses(&self, key: &str) -> bool {
        let id = &self.of.environment.id;
        if let Some(person) = &self.of.person {
            let pasted = [person.as_str(), ""].iter().any(|person| key == user_token_key(id, person));
            return pasted || key == proxy_key(id);
        }
        key == secret_key(id) || key == proxy_key(id) || key == pasted_key(id)
    }

    /// An error where too much waits for it.
    pub fn order(&self, order: Order) -> Result<(), Report> {
        self.orders.try_send(order).map_err(|_| {
            Report::new("sign-in-busy", "The sign-in did not take this", "Too much waits for it already.")
                .remedy("Try again in a moment.")
        })
    }
}

/// What the task of a token works with.
#[derive(Clone)]
pub struct Around {
    pub log: Log,
    pub vault: Arc<LazyVault>,
    pub emitter: Emitter,
    pub open_url: OpenUrl,
    /// Refresh tokens go into the vault.
    pub keep: bool,
    pub moved: Arc<Notify>,
}

struct Task {
    of: Use,
    log: Log,
    vault: Arc<LazyVault>,
    emitter: Emitter,
    open_url: OpenUrl,
    keep: bool,
    /// A person is awaited from the browser.
    waiting: Option<Waiting>,
    /// A person wishes for a token.
    by_person: bool,
    skew: SkewWatch,
    /// None until the secrets were found.
    ready: Option<Ready>,
    listeners: HashMap<Who, watch::Sender<BearerNews>>,
    /// Of the newest token.
    placeholder: Option<String>,
    /// Somebody needed a token before there was what it takes to get one.
    missed: bool,
}

struct Ready {
    caller: Caller,
    credential: Credential,
}

/// A token whose task ends is known to nobody any more.
impl Drop for Task {
    fn drop(&mut self) {
        if self.waiting.take().is_some() {
            self.emitter.try_emit(Event::SignIn { id: self.of.id(), waiting: None });
        }
        if let Some(ready) = &mut self.ready {
            let mut deeds = Vec::new();
            ready.credential.end("end of the sign-in", &mut deeds);
            for deed in deeds {
                if let Deed::State(fact) = deed {
                    self.state(fact);
                }
            }
        }
    }
}

impl Task {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>, moved: Arc<Notify>) {
        loop {
            let notified = moved.notified();
            let wait = self.ready.as_ref().and_then(|r| r.credential.wait(self.at()));
            let late = self.waiting.as_ref().map(|w| w.until.since(self.log.now().mono));
            let wait =
                [wait, late].into_iter().flatten().min().map(|w| w.clamp(Duration::from_millis(1), LONGEST_SLEEP));
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.take(order).await,
                    None => return,
                },
                result = back(&mut self.waiting), if self.waiting.is_some() => self.came_back(result).await,
                () = sleep(wait.unwrap_or(LONGEST_SLEEP)), if wait.is_some() => self.tick().await,
                () = notified => self.tick().await,
            }
        }
    }

    async fn tick(&mut self) {
        self.skew.look(&self.log);
        self.part();
        if let Some(late) = self.waiting.as_ref().filter(|w| w.until <= self.log.now().mono).map(Waiting::late) {
            self.came_back(Err(late)).await;
        }
        self.with(|credential, at, deeds| credential.tick(at, deeds)).await;
    }

    /// Those who are gone share the token no longer.
    fn part(&mut self) {
        let Some(ready) = &mut self.ready else { return };
        self.listeners.retain(|who, news| {
            if news.is_closed() {
                ready.credential.leave(*who);
            }
            !news.is_closed()
        });
    }

    async fn take(&mut self, order: Order) {
        match order {
            Order::Join { who, news } => {
                self.listeners.insert(who, news);
            }
            Order::Need { who } => {
                if self.ready.is_none()
                    && let Err(report) = self.prepare().await
                {
                    self.missed = true;
                    self.state(Fact::Fault(report.clone()));
                    return self.tell(who, BearerNews::Denied { report });
                }
                self.missed = false;
                let by_person = std::mem::take(&mut self.by_person);
                self.with(|credential, at, deeds| {
                    if by_person {
                        credential.by_person();
                    }
                    credential.need(at, who, deeds);
                })
                .await;
            }
            // Where a token lives, nothing is wished for.
            Order::ByPerson => self.by_person = self.ready.as_ref().is_none_or(|r| !r.credential.is_live(self.at())),
            Order::Cancel if self.waiting.is_some() => self.came_back(Err(cancelled())).await,
            Order::Cancel => {}
            Order::Refused { who, number } => {
                self.with(|credential, at, deeds| credential.refused(at, who, number, deeds)).await;
            }
            Order::Replace { who, number } => {
                self.with(|credential, at, deeds| credential.replace(at, who, number, deeds)).await;
            }
            Order::Accepted { number } => {
                if let Some(ready) = &mut self.ready {
                    ready.credential.accepted(number);
                }
            }
            Order::Deed(deed) => self.with(|credential, at, deeds| credential.deed(at, deed, deeds)).await,
            Order::SecretChanged => {
                if self.ready.is_none() {
                    // Somebody wanted a token and got none for want of a secret.
                    if self.missed {
                        Box::pin(self.take(Order::Need { who: PERSON })).await;
                    }
                    return;
                }
                match self.source().await {
                    Ok((source, caller)) => {
                        if let Some(ready) = &mut self.ready {
                            ready.caller = caller;
                        }
                        // What a person signed in for does not depend on it.
                        if matches!(source, Source::Code { .. }) {
                            return;
                        }
                        self.with(|credential, at, deeds| credential.change(at, source, deeds)).await;
                    }
                    Err(report) => self.state(Fact::Fault(report)),
                }
            }
        }
    }

    /// Lets the credential do something, and does what follows, until nothing does.
    async fn with(&mut self, deed: impl FnOnce(&mut Credential, At, &mut Vec<Deed>)) {
        let at = self.at();
        let mut deeds = Vec::new();
        if let Some(ready) = &mut self.ready {
            deed(&mut ready.credential, at, &mut deeds);
        }
        let mut todo = std::collections::VecDeque::from(deeds);
        while let Some(deed) = todo.pop_front() {
            let mut more = Vec::new();
            match deed {
                Deed::Learn(SecretKind::AccessToken, value) => {
                    self.placeholder = Some(self.log.learn(SecretKind::AccessToken, value.expose()));
                }
                Deed::Learn(kind, value) => {
                    self.log.learn(kind, value.expose());
                }
                Deed::State(fact) => self.state(fact),
                Deed::Tell { who, news } => self.tell(who, news),
                Deed::Fetch(call) => {
                    let Some(caller) = self.ready.as_ref().map(|r| r.caller.clone()) else { return };
                    let answer = caller.call(&call).await;
                    if let Ok(answer) = &answer
                        && let Some(date) = answer.date()
                    {
                        self.skew.learn(&self.log, date, answer.sent, answer.received);
                    }
                    let at = self.at();
                    let Some(ready) = &mut self.ready else { return };
                    match answer {
                        Ok(a) => ready.credential.answered(at, a.status, a.retry_after(), &a.body, &mut more),
                        Err(report) => ready.credential.unreachable(at, &report, &mut more),
                    }
                }
                Deed::SignIn(asking) => {
                    if let Err(report) = self.ask(asking).await {
                        let at = self.at();
                        let Some(ready) = &mut self.ready else { return };
                        ready.credential.came_back(at, Err(report), &mut more);
                    }
                }
                Deed::StopSignIn => self.stop_waiting().await,
                Deed::Keep(value) => self.keep_refresh(value),
                Deed::Read => {
                    let found = self.given().await;
                    let at = self.at();
                    let Some(ready) = &mut self.ready else { return };
                    ready.credential.given(at, found, &mut more);
                }
            }
            todo.extend(more);
        }
    }

    async fn prepare(&mut self) -> Result<(), Report> {
        let (source, caller) = self.source().await?;
        let breaks = if self.of.person.is_some() { USER_BREAKS } else { BREAKS };
        let shown = Shown { id: self.of.id(), title: self.of.title(), breaks: breaks.to_owned() };
        let early_secs = match &self.of.environment.token_source {
            TokenSource::Broker { early_secs, .. } => *early_secs,
            _ => self.of.oauth.early_secs,
        };
        let seed = uuid::Uuid::new_v4().as_u64_pair().0;
        let early = Duration::from_secs(early_secs.into());
        let credential = Credential::new(source, shown, early, self.of.oauth.tries, seed);
        self.ready = Some(Ready { caller, credential });
        Ok(())
    }

    async fn source(&self) -> Result<(Source, Caller), Report> {
        let environment = &self.of.environment;
        let source = match &environment.token_source {
            _ if self.of.person.is_some() => self.of.of_user()?,
            TokenSource::ClientCredentials => {
                let Some(client_id) = environment.client_id.clone().filter(|c| !c.trim().is_empty()) else {
                    let what = format!("“{}” names no client id.", environment.name);
                    return Err(Report::new("no-client", "There is no OAuth client", what)
                        .remedy("Give the environment a client id and a secret (grant: client credentials)."));
                };
                let url = self.of.url()?;
                let secret = self.client_secret().await?;
                self.log.learn(SecretKind::ClientSecret, secret.expose());
                Source::Client { url, client_id, secret, scope: self.of.oauth.scope.clone() }
            }
            TokenSource::Broker { url, .. } => {
                let url = url.trim().trim_end_matches('/');
                if !(url.starts_with("https://") || url.starts_with("http://")) {
                    let what = format!("“{}” names no usable address of its token broker.", environment.name);
                    return Err(Report::new("no-broker", "There is no token broker", what)
                        .remedy("Give its address: https://host, before /api/genesys/refresh."));
                }
                Source::Broker { url: format!("{url}/api/genesys/refresh") }
            }
            TokenSource::Pasted => Source::Given { place: format!("the pasted token of “{}”", environment.name) },
            TokenSource::Keyring { service, user } => {
                Source::Given { place: format!("the keyring's entry “{user}” of “{service}”") }
            }
        };
        let environment = Arc::new(environment.clone());
        let clients = clients_of(&self.log, self.vault.clone(), environment.clone()).await?;
        let caller = Caller { log: self.log.clone(), session: SessionId::NONE, environment, clients };
        Ok((source, caller))
    }

    async fn client_secret(&self) -> Result<Secret<String>, Report> {
        let environment = &self.of.environment;
        if let Some(secret) = &environment.client_secret {
            return Ok(secret.0.clone());
        }
        read(self.vault.clone(), secret_key(&environment.id)).await?.ok_or_else(|| {
            let what = format!("The keyring holds none for “{}”.", environment.name);
            Report::new("no-client-secret", "There is no client secret", what)
                .remedy("Enter the secret in the environment.")
        })
    }

    /// The token that somebody put into the keyring.
    async fn given(&self) -> Result<Option<Secret<String>>, Report> {
        let environment = &self.of.environment;
        if let Some(person) = &self.of.person {
            return self.given_by(person).await;
        }
        match &environment.token_source {
            TokenSource::Keyring { service, user } => foreign(service.clone(), user.clone()).await,
            _ => read(self.vault.clone(), pasted_key(&environment.id)).await,
        }
    }

    fn tell(&self, who: Who, news: BearerNews) {
        if let Some(listener) = self.listeners.get(&who) {
            listener.send_replace(news);
        }
    }

    fn state(&self, mut fact: Fact) {
        if let Fact::Expiry(expiry) = &mut fact {
            expiry.token.clone_from(&self.placeholder);
        }
        self.log.fact(SessionId::NONE, &fact);
    }

    fn at(&self) -> At {
        let now = self.log.now();
        At { now, server: self.skew.server_at(now) }
    }
}
