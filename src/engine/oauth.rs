//! A sign-in by client credentials: gets an OAuth token, keeps it alive, and shows it as a clock.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::sleep;

use super::LazyVault;
use super::log::Log;
use super::means::{clients_of, read};
use super::skew::SkewWatch;
use super::transport::http::{Answer, Caller};
use crate::dialect::backoff::Plan;
use crate::dialect::keeper::{Keeper, Policy, Then};
use crate::dialect::{At, Call};
use crate::model::environment::{Environment, proxy_key, secs};
use crate::model::fact::{ClockDeed, Expiry, ExpiryEvent};
use crate::model::{Fact, Report, Secret, SecretKind, SessionId, Wall};

const RETRY: Plan = Plan {
    first: Duration::from_millis(200),
    longest: Duration::from_secs(30),
    give_up: Duration::from_secs(300),
    tries: 5,
};
/// The wall clock is looked at again at least so often.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
const BREAKS: &str = "calls of the Platform API are refused with 401";

/// Key of an environment's client secret in the vault.
pub fn secret_key(environment_id: &str) -> String {
    format!("{environment_id}/client-secret")
}

/// A running sign-in. Dropping it ends it and forgets its token.
pub struct SignIn {
    environment: Environment,
    orders: mpsc::Sender<Order>,
    /// Never used: its end tells the task, whatever that waits for.
    _alive: oneshot::Sender<()>,
}

impl SignIn {
    /// Finds the client's secret and begins. The first token comes later and shows in the log; why there is none is
    /// told as a fault.
    pub fn start(log: Log, vault: Arc<LazyVault>, environment: Environment, moved: Arc<Notify>) -> Self {
        let (orders, orders_in) = mpsc::channel(ORDERS);
        let (alive, dropped) = oneshot::channel();
        let of = environment.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = sign_in(log, vault, of, orders_in, moved) => {}
                _ = dropped => {}
            }
        });
        Self { environment, orders, _alive: alive }
    }

    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// True where it depends on the secret under this key of the vault.
    pub fn uses(&self, key: &str) -> bool {
        key == secret_key(&self.environment.id) || key == proxy_key(&self.environment.id)
    }

    /// An error where it has ended, or where too much waits for it.
    pub fn order(&self, order: Order) -> Result<(), Report> {
        self.orders.try_send(order).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => {
                Report::new("sign-in-busy", "The sign-in did not take this", "Too much waits for it already.")
                    .remedy("Try again in a moment.")
            }
            mpsc::error::TrySendError::Closed(_) => {
                Report::new("not-signed-in", "There is no OAuth token", "The sign-in has failed.")
                    .remedy("Mend the environment, then sign in again.")
            }
        })
    }
}

/// What a sign-in can be asked for.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// A token is needed: get one where there is none.
    Need,
    Deed(ClockDeed),
}

/// Orders that may wait.
const ORDERS: usize = 16;

async fn sign_in(
    log: Log,
    vault: Arc<LazyVault>,
    environment: Environment,
    orders: mpsc::Receiver<Order>,
    moved: Arc<Notify>,
) {
    match Task::prepare(log.clone(), vault, environment).await {
        Ok(task) => task.run(orders, moved).await,
        Err(report) => {
            log.fact(SessionId::NONE, &Fact::Fault(report));
        }
    }
}

async fn client_secret(vault: Arc<LazyVault>, environment: &Environment) -> Result<Secret<String>, Report> {
    if let Some(secret) = &environment.client_secret {
        return Ok(secret.0.clone());
    }
    read(vault, secret_key(&environment.id)).await?.ok_or_else(|| {
        Report::new(
            "no-client-secret",
            "There is no client secret",
            format!("The keyring holds none for “{}”.", environment.name),
        )
        .remedy("Enter the secret in the environment.")
    })
}

struct Task {
    caller: Caller,
    url: String,
    client_id: String,
    secret: Secret<String>,
    keeper: Keeper<String>,
    skew: SkewWatch,
    /// The clock as last shown.
    shown: Option<Expiry>,
}

/// A token whose sign-in ends is known to nobody any more.
impl Drop for Task {
    fn drop(&mut self) {
        if self.keeper.forget() {
            self.tell(ExpiryEvent::Forgotten, "end of the sign-in", |_| {});
        }
    }
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: Option<f64>,
}

impl Task {
    async fn prepare(log: Log, vault: Arc<LazyVault>, environment: Environment) -> Result<Self, Report> {
        let Some(client_id) = environment.client_id.clone().filter(|c| !c.trim().is_empty()) else {
            let what = format!("“{}” names no client id.", environment.name);
            return Err(Report::new("no-client", "There is no OAuth client", what)
                .remedy("Give the environment a client id and a secret (grant: client credentials)."));
        };
        let hosts = environment.hosts()?;
        if hosts.login.is_empty() {
            let what = format!("“{}” names no login host.", environment.name);
            return Err(Report::new("no-login-host", "There is no token endpoint", what)
                .remedy("Choose a region, or give the login host's address (https://…)."));
        }
        let secret = client_secret(vault.clone(), &environment).await?;
        log.learn(SecretKind::ClientSecret, secret.expose());
        let environment = Arc::new(environment);
        let clients = clients_of(&log, vault, environment.clone()).await?;
        let policy = Policy { margin: secs(environment.timings.oauth_margin_secs), keep_alive: true, retry: RETRY };
        Ok(Self {
            url: format!("{}/oauth/token", hosts.login),
            client_id,
            secret,
            keeper: Keeper::new(policy, uuid::Uuid::new_v4().as_u64_pair().0),
            skew: SkewWatch::new(SessionId::NONE, log.now()),
            caller: Caller { log, session: SessionId::NONE, environment, clients },
            shown: None,
        })
    }

    async fn run(mut self, mut orders: mpsc::Receiver<Order>, moved: Arc<Notify>) {
        let first = self.keeper.need(self.at());
        self.follow(first, "you").await;
        loop {
            let notified = moved.notified();
            let wait = self.keeper.wait(self.at()).map(|w| w.clamp(Duration::from_millis(1), LONGEST_SLEEP));
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Need) => {
                        let then = self.keeper.need(self.at());
                        self.follow(then, "you").await;
                    }
                    Some(Order::Deed(deed)) => self.deed(deed).await,
                    None => return,
                },
                () = sleep(wait.unwrap_or(LONGEST_SLEEP)), if wait.is_some() => self.tick().await,
                () = notified => self.tick().await,
            }
        }
    }

    async fn tick(&mut self) {
        self.skew.look(&self.caller.log);
        let then = self.keeper.tick(self.at());
        self.follow(then, "token keeper").await;
    }

    async fn deed(&mut self, deed: ClockDeed) {
        match deed {
            ClockDeed::Refresh => {
                let then = self.keeper.renew();
                self.follow(then, "you").await;
            }
            ClockDeed::Expire => {
                if self.keeper.expire(self.at()) {
                    let at = self.at();
                    self.tell(ExpiryEvent::Expired, "you", |e| e.until = Some(at.server));
                }
            }
            // Not offered: nothing sends this token yet that could be refused for it.
            ClockDeed::Corrupt => {}
            ClockDeed::Forget => {
                self.keeper.forget();
                self.tell(ExpiryEvent::Forgotten, "you", |_| {});
            }
        }
    }

    async fn follow(&mut self, mut then: Then, by: &str) {
        loop {
            match then {
                Then::Fetch => then = self.fetch(by).await,
                Then::GiveUp(reason) => {
                    self.fault(Report::new("sign-in-failed", "There is no OAuth token", reason.to_string()));
                    return;
                }
                Then::Wait | Then::Ready => return,
            }
        }
    }

    async fn fetch(&mut self, by: &str) -> Then {
        let basic =
            base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", self.client_id, self.secret.expose()));
        self.caller.log.learn(SecretKind::ClientSecret, &basic);
        let call = Call {
            method: "POST",
            url: self.url.clone(),
            headers: vec![
                ("authorization".into(), format!("Basic {basic}")),
                ("content-type".into(), "application/x-www-form-urlencoded".into()),
            ],
            body: Bytes::from_static(b"grant_type=client_credentials"),
            purpose: "token",
        };
        let answer = match self.caller.call(&call).await {
            Ok(answer) => answer,
            Err(report) => return self.keeper.failed(self.at(), &report.to_string(), None, false),
        };
        if let Some(date) = answer.date() {
            self.skew.learn(&self.caller.log, date, answer.sent, answer.received);
        }
        self.granted(&answer, by)
    }

    fn granted(&mut self, answer: &Answer, by: &str) -> Then {
        let at = self.at();
        if answer.status != 200 {
            let for_good = matches!(answer.status, 400..=428);
            let body = String::from_utf8_lossy(&answer.body).chars().take(300).collect::<String>();
            let why = format!("the token endpoint answered {}: {body}", answer.status);
            return self.keeper.failed(at, &why, answer.retry_after(), for_good);
        }
        let granted: Granted = match serde_json::from_slice(&answer.body) {
            Ok(granted) => granted,
            Err(e) => {
                return self.keeper.failed(at, &format!("the token endpoint's answer cannot be read: {e}"), None, true);
            }
        };
        let placeholder = self.caller.log.learn(SecretKind::AccessToken, &granted.access_token);
        let until = granted.expires_in.filter(|s| s.is_finite()).map(|s| at.server.plus_micros((s * 1e6) as i64));
        let fresh = self.keeper.held().is_none() && self.shown.is_none();
        let then = self.keeper.got(at, granted.access_token, until);
        if then == Then::Ready {
            self.show(
                at.server,
                until,
                placeholder,
                if fresh { ExpiryEvent::Started } else { ExpiryEvent::Refreshed },
                by,
            );
        }
        then
    }

    fn show(&mut self, from: Wall, until: Option<Wall>, token: String, event: ExpiryEvent, by: &str) {
        let environment = &self.caller.environment;
        let margin = self.keeper.held().map_or(0, |h| h.margin.as_secs() as u32);
        self.shown = Some(Expiry {
            id: format!("oauth:{}", environment.id),
            title: format!("OAuth · {}", environment.name),
            event,
            by: by.to_owned(),
            from,
            until,
            margin_secs: margin,
            breaks: BREAKS.to_owned(),
            assumed: false,
            token: Some(token),
            claims: None,
            can: vec![ClockDeed::Refresh, ClockDeed::Expire, ClockDeed::Forget],
        });
        self.tell(event, by, |_| {});
    }

    fn tell(&mut self, event: ExpiryEvent, by: &str, change: impl FnOnce(&mut Expiry)) {
        if let Some(shown) = &mut self.shown {
            shown.event = event;
            shown.by = by.to_owned();
            change(shown);
            let fact = Fact::Expiry(shown.clone());
            self.caller.log.fact(SessionId::NONE, &fact);
        }
    }

    fn fault(&self, report: Report) {
        let report = report
            .remedy("Check client id and secret, and that the client's grant type is “client credentials”.")
            .remedy("Check the region: clients live in one region only.");
        self.caller.log.fact(SessionId::NONE, &Fact::Fault(report));
    }

    fn at(&self) -> At {
        let now = self.caller.log.now();
        At { now, server: self.skew.server_at(now) }
    }
}
