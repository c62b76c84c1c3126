//! What the command line prints: each line redacted, and quiet where nobody reads it any more.

use std::fmt;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use crate::model::Report;
use crate::vault::Redactor;

/// What a shell tells of a program that was ended by SIGPIPE: 128 and the number of the signal.
const SIGPIPE_STATUS: u8 = 141;

/// Why a task ended before its end.
#[derive(Debug)]
pub enum Ended {
    Failed(Report),
    /// The reader of standard output is gone, as in `sessionscope run … | head -1`.
    NobodyReads,
    /// The system asked for the end, and this is the status to end with. It was told.
    Interrupted(u8),
}

impl From<Report> for Ended {
    fn from(report: Report) -> Self {
        Self::Failed(report)
    }
}

/// How a task of the command line ends.
pub type Outcome = Result<ExitCode, Ended>;

/// Standard output and standard error. `writeln!` works on it and writes to standard output.
#[derive(Default)]
pub struct Out {
    redactor: Redactor,
}

impl Out {
    /// From now on everything goes through the redactor of this console, which knows its secrets.
    pub fn redact_by(&mut self, redactor: &Redactor) {
        self.redactor = redactor.clone();
    }

    /// What `writeln!` calls. Standard output is not locked in between, so that nobody waits for it.
    pub fn write_fmt(&mut self, args: fmt::Arguments<'_>) -> Result<(), Ended> {
        self.plain(&self.redactor.text(&args.to_string()))
    }

    /// Text that must stand there as it is, such as the sandbox's ready line.
    pub fn plain(&self, text: &str) -> Result<(), Ended> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| match e.kind() {
            ErrorKind::BrokenPipe => Ended::NobodyReads,
            _ => Report::new("not-printed", "Standard output cannot be written", e.to_string())
                .remedy("Check where the output is sent to, and whether its disk is full.")
                .into(),
        })
    }

    /// A report, with this before each line.
    pub fn indented(&mut self, indent: &str, report: &Report) -> Result<(), Ended> {
        report.text().lines().try_for_each(|line| writeln!(self, "{indent}{line}"))
    }

    /// To standard error. Where that cannot be written either, there is nobody left to tell.
    pub fn complain(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{}", self.redactor.text(text.trim_end()));
    }

    /// Tells a failure, and gives the status of the program.
    pub fn end(&self, outcome: Outcome) -> ExitCode {
        match outcome {
            Ok(code) => code,
            Err(Ended::NobodyReads) => ExitCode::from(SIGPIPE_STATUS),
            Err(Ended::Interrupted(status)) => ExitCode::from(status),
            Err(Ended::Failed(report)) => {
                self.complain(&report.text());
                ExitCode::FAILURE
            }
        }
    }
}
