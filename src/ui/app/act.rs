//! What the parts of the window want done. They paint from what is, and collect acts; the app carries them out after
//! painting, so that nothing changes under the brush.

use std::path::PathBuf;
use std::time::Duration;

use crate::dialect::Wish;
use crate::engine::{Command, ExportFormat};
use crate::model::agents::AgentForm;
use crate::model::flows::GuestForm;
use crate::model::{DialectId, Environment, SessionId};
use crate::ui::commands::Cmd;
use crate::ui::dialogs::{Confirm, Dialog};

#[derive(Debug)]
pub enum Act {
    Run(Cmd),
    /// Send this to the engine; a refusal becomes a toast.
    Engine(Box<Command>),
    Wish(SessionId, Wish),
    /// Send what the composer of this session holds.
    SendDraft(SessionId),
    /// Answer the offer of this message in the composer.
    Pick {
        session: SessionId,
        to: String,
        what: crate::ui::composer::Pick,
    },
    /// Put this text into the draft of the conversation in front.
    Insert(String),
    /// Show a session in the column that has the focus.
    Show(SessionId),
    /// Give a column the focus.
    Focus(usize),
    Close(SessionId),
    /// Select these records everywhere, and bring them into view.
    Select(Vec<u64>),
    /// The table selected these; it shows them already.
    SelectedInTable(Vec<u64>),
    /// Show a record in the inspector.
    Inspect(u64),
    /// Set or take away a mark.
    Mark(u64),
    /// Compare two records, or one with the one before of its kind.
    Diff(u64, Option<u64>),
    /// Put this into the filter of the records.
    Filter(String),
    OpenSession {
        dialect: DialectId,
        environment: Box<Environment>,
        form: Box<GuestForm>,
        agent: Box<AgentForm>,
        name: String,
        token: Option<crate::model::Secret<String>>,
        kept: Option<String>,
        login: Option<crate::model::login::Login>,
        connect: bool,
    },
    ChooseEnvironment(String),
    SaveEnvironment(Box<Environment>),
    DeleteEnvironment(String),
    /// Put a secret into the keyring under this key, or out of it.
    KeepSecret(String, crate::model::Secret<String>),
    ForgetSecret(String),
    /// Forget the tokens of all kept sessions.
    ForgetKept,
    /// Let the JWTs of this session of the sandbox die at the server.
    ExpireJwt(String),
    Probe(Box<Environment>),
    Open(Box<Dialog>),
    CloseDialog,
    Ask(Confirm),
    AskFile(FilePurpose),
    /// A file was chosen, by the system's dialog or by our path field.
    File(FilePurpose, PathBuf),
    OpenFile(PathBuf),
    /// Redacted, then put into the clipboard.
    Copy(String),
    /// Put the value behind a placeholder into the clipboard. The user asked for it by a button of its own.
    CopySecret(String),
    /// Ask before opening an address.
    Link(String),
    OpenLink(String),
    Rename(SessionId, String),
    Info(String),
    /// This fault of a session was read, and all before it.
    FaultRead(SessionId, u64),
    /// So many records that were not kept are known now.
    KnowLost(u64),
    Sandbox(bool),
}

/// What a file is chosen for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilePurpose {
    OpenCapture,
    SaveCapture,
    Export {
        format: ExportFormat,
        session: Option<SessionId>,
    },
    Attach(SessionId),
    CaFile,
    /// A private key in PEM, for the environment of this id.
    ImportKey {
        environment: String,
        kid: String,
        overlap: Option<Duration>,
    },
    ExportKey {
        environment: String,
        kid: String,
        private: bool,
    },
    ExportAudit,
    /// The final report of a session.
    ExportReport(SessionId),
}

/// Acts in the order in which they were wanted.
#[derive(Default)]
pub struct Acts(pub Vec<Act>);

impl Acts {
    pub fn push(&mut self, act: Act) {
        self.0.push(act);
    }

    pub fn run(&mut self, cmd: Cmd) {
        self.0.push(Act::Run(cmd));
    }

    pub fn wish(&mut self, session: SessionId, wish: Wish) {
        self.0.push(Act::Wish(session, wish));
    }
}
