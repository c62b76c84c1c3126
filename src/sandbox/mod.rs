//! An embedded server on the loopback interface that speaks the server's side of every dialect, with faults on
//! demand. Written from the protocol facts alone: it never imports a dialect.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{Clock, Environment, Report};

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
}

/// The line that `sessionscope sandbox` prints when it is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// What can be ordered, by REST under `control` and from the window alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Forget all faults and sessions.
    Reset,
}

/// What the sandbox tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub sessions: Vec<GuestStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GuestStatus {
    pub id: String,
}

/// A running sandbox. Dropping it stops it.
pub struct Sandbox {}

impl Sandbox {
    /// Binds and serves on the current tokio runtime.
    pub async fn start(_options: Options, _clock: Arc<dyn Clock>) -> Result<Self, Report> {
        todo!()
    }

    pub fn ready(&self) -> Ready {
        todo!()
    }

    /// The environment that leads to it; its client secret apart.
    pub fn environment(&self) -> Environment {
        todo!()
    }

    pub fn order(&self, _order: Order) -> Result<(), Report> {
        todo!()
    }

    pub fn status(&self) -> Status {
        todo!()
    }

    pub async fn stop(self) {
        todo!()
    }
}
