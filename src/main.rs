//! The program: hands the window to the command line.

use std::process::ExitCode;

use sessionscope::{cli, ui, vault};

fn main() -> ExitCode {
    vault::harden();
    cli::main(&cli::Window { show: ui::show, probe: ui::probe, dialogs: ui::dialogs })
}
