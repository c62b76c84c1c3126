//! The command line: what runs without a window, and what starts it.
//!
//! The window is handed in by `main`, so that this room and `ui` need not know each other.

mod answer;
mod desk;
mod doctor;
mod explain;
mod first_light;
mod has;
pub mod headless;
mod login;
mod open;
mod out;
mod play;
mod run;
mod sandbox;
pub mod script;
mod step;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use self::out::{Out, Outcome};
use crate::model::Report;

/// A test console for web-messaging sessions: token clocks, the conversation and every frame as one thing.
///
/// Without a command it opens the window; where there can be none, it says why and runs a first conversation in the
/// terminal.
#[derive(Debug, Parser)]
#[command(name = "sessionscope", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run the sandbox alone: prints one JSON line when it is ready, serves until it is interrupted.
    Sandbox(SandboxArgs),
    /// Open a saved capture in the window; without a display, tell what it holds.
    Open {
        /// The capture (.sscope).
        file: PathBuf,
    },
    /// Play the scenarios of a script; the exit status is 0 only if all hold.
    Run(RunArgs),
    /// Check display, GL, keyring, file dialogs, clocks and environments, and say how to mend each.
    Doctor {
        /// Name of a stored environment, or an environment file; without it, all stored ones are checked.
        #[arg(long, value_name = "NAME|FILE")]
        environment: Option<String>,
    },
    /// Make a window and end: the doctor runs it as a process of its own, because a broken driver may crash.
    #[command(hide = true)]
    ProbeWindow,
}

#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Loopback address to listen on; port 0 for a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_parser = address, value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Life of OAuth tokens, such as 90s, 15m, 72h.
    #[arg(long, default_value = "15m", value_parser = duration_secs, value_name = "TIME")]
    pub token_ttl: u32,
    /// Life of guest JWTs, which history needs.
    #[arg(long, default_value = "60s", value_parser = duration_secs, value_name = "TIME")]
    pub jwt_ttl: u32,
    /// Life of a guest session without activity.
    #[arg(long, default_value = "72h", value_parser = duration_secs, value_name = "TIME")]
    pub session_ttl: u32,
    /// A web origin besides loopback ones that a browser may come from; may be repeated.
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,
    /// Speak TLS, with a certificate authority of its own: its PEM is in the JSON line, under `ca_pem`.
    #[arg(long)]
    pub tls: bool,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// The script (YAML); see the README for its shape.
    pub file: PathBuf,
    /// Name of a stored environment, or an environment file; it wins over the script's own config.
    #[arg(long, value_name = "NAME|FILE")]
    pub environment: Option<String>,
    /// Play against the embedded sandbox.
    #[arg(long, conflicts_with = "environment")]
    pub sandbox: bool,
    /// Write the capture to this new file, whatever the settings say.
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,
    /// How long a reply may take, such as 10s or 2m.
    #[arg(long, default_value = "10s", value_parser = duration_secs, value_name = "TIME")]
    pub timeout: u32,
}

/// What the window can do for the command line.
pub struct Window {
    /// Shows the window, with a capture file opened in it or not, until it is closed.
    pub show: fn(Option<&Path>) -> Result<(), Report>,
    /// Makes a window and a drawing surface, and tells what draws.
    pub probe: fn() -> Result<String, Report>,
    /// Tells whether file dialogs can be shown, and by what.
    pub dialogs: fn() -> Result<String, Report>,
}

/// Reports of [`Window::show`] with these codes mean that there can be no window here.
pub const NO_WINDOW: [&str; 7] = [
    "no-display",
    "display-refused",
    "no-xkbcommon",
    "no-x-libraries",
    "no-wayland-libraries",
    "no-opengl",
    "no-window",
];

/// Reads the arguments, does the task, prints what failed.
pub fn main(window: &Window) -> ExitCode {
    let cli = Cli::parse();
    let mut out = Out::default();
    let outcome = perform(window, &cli, &mut out);
    out.end(outcome)
}

fn perform(window: &Window, cli: &Cli, out: &mut Out) -> Outcome {
    match &cli.command {
        None => match (window.show)(None) {
            Err(report) if NO_WINDOW.contains(&report.code.as_str()) => first_light::run(out, &report),
            shown => Ok(shown.map(|()| ExitCode::SUCCESS)?),
        },
        Some(Task::Open { file }) => match (window.show)(Some(file)) {
            Err(report) if NO_WINDOW.contains(&report.code.as_str()) => open::run(out, file, &report),
            shown => Ok(shown.map(|()| ExitCode::SUCCESS)?),
        },
        Some(Task::Sandbox(args)) => sandbox::run(out, args),
        Some(Task::Run(args)) => run::run(out, args),
        Some(Task::Doctor { environment }) => doctor::run(out, window, environment.as_deref()),
        Some(Task::ProbeWindow) => {
            writeln!(out, "{}", (window.probe)()?)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// An address with a port; `localhost` is understood.
fn address(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    let numeric = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    numeric.parse().map_err(|_| format!("“{text}” is not an address with a port, such as 127.0.0.1:0 or [::1]:8089"))
}

/// `90`, `90s`, `15m`, `72h`, `3d` in seconds.
fn duration_secs(text: &str) -> Result<u32, String> {
    let text = text.trim();
    let (number, unit) = match text.char_indices().last() {
        Some((at, c)) if c.is_ascii_alphabetic() => (&text[..at], c),
        _ => (text, 's'),
    };
    let n: u32 = number.trim().parse().map_err(|_| format!("“{text}” is not a time such as 90s, 15m or 72h"))?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        other => return Err(format!("unknown unit “{other}”; use s, m, h or d")),
    };
    match n.checked_mul(factor) {
        Some(0) | None => Err(format!("“{text}” is out of range")),
        Some(secs) => Ok(secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_read_in_four_units() {
        for (text, secs) in [("90", 90), ("60s", 60), ("15m", 900), ("72h", 259_200), ("2d", 172_800)] {
            assert_eq!(duration_secs(text), Ok(secs));
        }
        for text in ["", "x", "0s", "5w", "99999999h", "-1s", "1.5h"] {
            assert!(duration_secs(text).is_err(), "{text}");
        }
    }
}
