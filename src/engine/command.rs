//! What the window and the command line ask of the engine.
use std::path::PathBuf;

use crate::dialect::Wish;
use crate::model::agents::AgentForm;
use crate::model::flows::GuestForm;
use crate::model::login::Login;
use crate::model::{DialectId, Environment, Secret, SessionId};
use crate::sandbox;

/// Made by the asker, so that an answer finds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

/// Names a long job (export, save) for progress and cancelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobId(pub u64);

/// A session to make.
#[derive(Clone, Debug, Default)]
pub struct SessionSpec {
    pub name: String,
    pub dialect: DialectId,
    pub environment: Environment,
    /// Use this session token instead of a fresh one (resume).
    pub token: Option<Secret<String>>,
    /// Or the one that the vault kept under this key.
    pub kept: Option<String>,
    /// What an unverified flow is made with.
    pub form: GuestForm,
    /// The guest signs in with this.
    pub login: Option<Login>,
    /// What an agent's session is made with.
    pub agent: AgentForm,
}

#[derive(Clone, Debug)]
pub enum Command {
    /// Makes a session; [`super::Event::SessionMade`] tells its id. `connect` opens it at once.
    OpenSession {
        ticket: Ticket,
        spec: Box<SessionSpec>,
        connect: bool,
    },
    Wish {
        session: SessionId,
        wish: Wish,
    },
    /// Closes and forgets a session (its records stay).
    CloseSession {
        session: SessionId,
    },
    /// A note of the user on a record, or on the moment where `on` is zero.
    Note {
        session: SessionId,
        on: u64,
        text: String,
    },
    Mark {
        on: u64,
        set: bool,
    },
    StartSandbox {
        options: sandbox::Options,
    },
    StopSandbox,
    Order {
        order: sandbox::Order,
    },
    /// Asks for a [`super::Event::SandboxStatus`].
    AskSandbox,
    /// Gets an OAuth token by client credentials and keeps it alive; nothing where one lives already.
    SignIn {
        environment: Environment,
    },
    /// Lets a person sign in as an agent; nothing where the token lives already.
    SignInUser {
        environment: Box<Environment>,
        /// As in [`AgentForm::user`].
        person: String,
    },
    /// Waits no longer for a browser.
    CancelSignIn {
        /// Of the clock: `oauth:…`.
        id: String,
    },
    /// What a menu of an OAuth clock asks for.
    OauthClock {
        /// Of the clock: `oauth:…`.
        id: String,
        deed: crate::model::fact::ClockDeed,
    },
    /// Makes, imports or changes signing keys; [`super::Event::Keys`] tells how they stand then.
    Keys {
        environment: Box<Environment>,
        order: super::KeyOrder,
    },
    KeepSecret {
        key: String,
        value: Secret<String>,
    },
    ForgetSecret {
        key: String,
    },
    /// Copies a capture to a whole file: the running one, or the file `from`.
    SaveCapture {
        job: JobId,
        from: Option<PathBuf>,
        to: PathBuf,
    },
    /// Exports a capture: the running one, or the file `from`.
    Export {
        job: JobId,
        from: Option<PathBuf>,
        format: ExportFormat,
        session: Option<SessionId>,
        to: PathBuf,
    },
    /// Copies the whole audit log into a new file.
    ExportAudit {
        job: JobId,
        to: PathBuf,
    },
    CancelJob {
        job: JobId,
    },
    /// Looks at an environment: DNS, TLS, config.json, domains.json, clock skew.
    Probe {
        ticket: Ticket,
        environment: Environment,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    Har,
    JsonLines,
    Transcript,
}
