//! An embedded server on the loopback interface that speaks the server's side of every dialect, with faults on
//! demand. Written from the protocol facts alone: it never imports a dialect.
//!
//! One listener serves all: the guest's socket at `/v1`, the token endpoint, the page where people sign in, the API
//! with the sockets of its other flows, notification sockets at `/channels`, the deployment's public files, uploads
//! and downloads, a token broker (`/broker`), a CRM (`/crm`), and `/control`, where it takes [`Order`]s and tells its
//! [`Status`].
//!
//! Who reads this for the first time: `server` accepts and guards, `socket` turns a request into a connection,
//! `guest` does what clients of web messaging ask, `flows` holds what other clients do, `oauth` lets people in,
//! `platform` is what agents see, where a guest's conversation is led to one of them, `state` holds everything behind
//! one lock (in `shared`), `partner` answers where no agent does.

mod api;
mod attach;
mod change;
mod control;
mod deployment;
mod descriptors;
mod faults;
mod files;
mod flows;
mod frame;
mod guard;
mod guest;
mod ids;
mod limits;
mod oauth;
mod obey;
mod order;
mod outbound;
mod partner;
mod picture;
mod platform;
mod request;
mod server;
mod shared;
mod socket;
mod speech;
mod state;
mod status;
mod storage;
mod sweep;
mod tls;
mod tokens;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

pub use deployment::{Deployment, DeploymentChange, DisconnectMode, LimitChange, Partner};
pub use faults::{Faults, Refusal, Slow, Ways};
pub use flows::{
    ContactRule, ContactStatus, ConversationStatus, CrmEvent, FlowChange, FlowStatus, FlowSwitches, GuestTokenFlaw,
    LifetimeChange, Lifetimes, ResourceStatus, SendForm,
};
pub use oauth::{SignInChange, SignInSwitches};
pub use order::{MOST, MessageWay, Order};
pub use platform::{
    AgentConversationStatus, ChannelStatus, ParticipantStatus, PlatformChange, PlatformStatus, PlatformSwitches,
    UserStatus, WrapupPrompt,
};
pub use status::{ConnStatus, GuestStatus, Status, TokenStatus};

use crate::model::agents::Agents;
use crate::model::flows::{Flows, Webhook};
use crate::model::{Clock, Environment, Report, Secret};
use shared::Shared;
use state::{Identity, State};

/// How a sandbox begins.
#[derive(Clone, Debug)]
pub struct Options {
    /// Loopback only; port 0 for one of the system's choice.
    pub listen: SocketAddr,
    pub token_ttl_secs: u32,
    pub jwt_ttl_secs: u32,
    pub session_ttl_secs: u32,
    /// Web origins besides loopback ones that a browser may come from.
    pub allow_origins: Vec<String>,
    /// Speak TLS only, with a certificate authority of its own.
    pub tls: bool,
}

impl Default for Options {
    /// A port of the system's choice, tokens of 15 minutes, JWTs of one, sessions of 72 hours.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            token_ttl_secs: 15 * 60,
            jwt_ttl_secs: 60,
            session_ttl_secs: 72 * 3600,
            allow_origins: Vec::new(),
            tls: false,
        }
    }
}

/// The line that `sessionscope sandbox` prints when it is ready. The one place where the client secret is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    pub api: String,
    pub login: String,
    pub guest_socket: String,
    pub cdn: String,
    pub streaming: String,
    pub control: String,
    pub deployment_id: String,
    pub client_id: String,
    pub client_secret: String,
    pub queue_id: String,
    /// The client without a secret, by which people sign in (PKCE).
    #[serde(default)]
    pub pkce_client_id: String,
    /// Certificate of the authority to trust, where it speaks TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
    /// Who can sign in as an agent.
    #[serde(default)]
    pub agents: Vec<AgentUser>,
    #[serde(default)]
    pub queues: Vec<QueueName>,
}

/// A queue of the sandbox's organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueName {
    pub id: String,
    pub name: String,
}

/// A user of the sandbox's organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentUser {
    pub id: String,
    pub name: String,
    /// Signs in by it: `login_hint` of the authorization page.
    pub email: String,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready")
            .field("api", &self.api)
            .field("deployment_id", &self.deployment_id)
            .finish_non_exhaustive()
    }
}

/// A running sandbox. Dropping it stops it.
pub struct Sandbox {
    shared: Arc<Shared>,
    ready: Box<Ready>,
    ended: mpsc::Receiver<()>,
}

impl Sandbox {
    /// Binds and serves on the current tokio runtime.
    ///
    /// # Errors
    /// `sandbox-not-loopback` for an address that others could reach, `sandbox-not-bound` where the system refuses.
    pub async fn start(options: Options, clock: Arc<dyn Clock>) -> Result<Self, Report> {
        guard::check_listen(options.listen)?;
        let bound = async {
            let listener = TcpListener::bind(options.listen).await?;
            let addr = listener.local_addr()?;
            Ok((listener, addr))
        };
        let (listener, addr) = bound.await.map_err(|e: std::io::Error| {
            Report::new(
                "sandbox-not-bound",
                "The sandbox could not start",
                format!("Listening on {} failed: {e}.", options.listen),
            )
            .remedy("Choose another port, or 0 for any that is free.")
        })?;
        let tls = if options.tls { Some(tls::Tls::new()?) } else { None };
        let me = Identity {
            addr,
            secure: tls.is_some(),
            deployment_id: ids::uuid(),
            organization_id: ids::uuid(),
            client_id: ids::uuid(),
            client_secret: Secret::new(ids::opaque(2)),
            pkce_client_id: ids::uuid(),
            queue_id: ids::uuid(),
        };
        let http = me.http();
        let state = State::new(me, options.session_ttl_secs, options.jwt_ttl_secs, options.token_ttl_secs);
        let me = &state.me;
        let agents = state.platform.users.iter();
        let ready = Ready {
            api: http.clone(),
            login: http.clone(),
            guest_socket: format!("{}/v1", me.ws()),
            cdn: http.clone(),
            streaming: me.ws(),
            control: format!("{http}/control"),
            deployment_id: me.deployment_id.clone(),
            client_id: me.client_id.clone(),
            client_secret: me.client_secret.expose().clone(),
            queue_id: me.queue_id.clone(),
            pkce_client_id: me.pkce_client_id.clone(),
            ca_pem: tls.as_ref().map(|tls| tls.ca_pem.clone()),
            agents: agents
                .map(|u| AgentUser { id: u.id.clone(), name: u.name.to_owned(), email: u.email.to_owned() })
                .collect(),
            queues: state
                .platform
                .queues
                .iter()
                .map(|q| QueueName { id: q.id.clone(), name: q.name.to_owned() })
                .collect(),
        };
        let (shared, ended) = Shared::new(state, clock, options.allow_origins);
        shared.spawn(Arc::clone(&shared).sweep());
        shared.spawn(server::serve(listener, tls.map(|tls| tls.acceptor), Arc::clone(&shared)));
        Ok(Self { shared, ready: Box::new(ready), ended })
    }

    /// Where everything is. Holds the client secret.
    pub fn ready(&self) -> Ready {
        Ready::clone(&self.ready)
    }

    /// The environment that leads to it; its client secret apart.
    pub fn environment(&self) -> Environment {
        let r = self.ready();
        Environment {
            name: "Sandbox".to_owned(),
            api: Some(r.api),
            login: Some(r.login),
            guest_socket: Some(r.guest_socket),
            cdn: Some(r.cdn),
            streaming: Some(r.streaming),
            control: Some(r.control),
            deployment_id: r.deployment_id,
            client_id: Some(r.client_id),
            queue_id: Some(r.queue_id),
            ca_pem: r.ca_pem,
            agents: Agents { client_id: Some(r.pkce_client_id), ..Agents::default() },
            flows: Flows {
                webhook: Webhook { url: format!("{}/crm", self.ready.api), ..Webhook::default() },
                ..Flows::default()
            },
            // Its deployment starts conversations by itself.
            auto_join: true,
            ..Environment::default()
        }
    }

    /// Carries out an order at once.
    ///
    /// # Errors
    /// `sandbox-order` where it names what is not there or a value out of range.
    pub fn order(&self, order: Order) -> Result<(), Report> {
        self.shared
            .act(|state, now| obey::obey(state, order, now))
            .map_err(|why| Report::new("sandbox-order", "The sandbox cannot do that", why))
    }

    pub fn status(&self) -> Status {
        self.shared.act(|state, now| Status::of(state, now))
    }

    /// The short id (`s1`, `oauth-2`, `jwt-3`, `session-token-4`, `guest-token-5`) of what a secret belongs to: a session's token, an access token, a
    /// JWT. With it, an order can be about this one.
    pub fn find(&self, secret: &str) -> Option<String> {
        self.shared.act(|state, _| match state.find_session(secret) {
            Some(id) => Some(status::session_id(id)),
            None => state.tokens.id_of(secret),
        })
    }

    /// Closes all connections and waits until every task has ended.
    pub async fn stop(mut self) {
        self.shared.end();
        // Nothing is ever sent: this ends when the last task has dropped its sender.
        let _ = self.ended.recv().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.end();
    }
}
