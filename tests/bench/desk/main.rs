//! `cargo bench --bench desk`: what an agent costs who has 50 conversations at once.
//!
//! The agent and its guests are sessions of one process, with the sandbox that they talk to. In each conversation the
//! guest says something every second, and so does the agent. Half of the time the window has the desk in front, half
//! of it both ends of a conversation; it is laid out and tessellated whenever there is something new. In the end each
//! message must have been seen at the other end, with its text. The sandbox's work is part of all figures.
//!
//! An agent's token has 300 requests a minute, and 50 answers a second are ten times that: the sandbox is ordered to
//! let as many more through as the agent says. The budget of look-ups stays what it is, so texts wait for their turn.
//!
//! `DESK_CONVERSATIONS` (50) and `DESK_MINUTES` (10, at most 40: both ends keep so much) change the size. The baseline
//! that the ratio is against is one conversation, measured in the same run.

#[path = "../common/mod.rs"]
mod common;
mod tally;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use common::setting;
use world::{Figures, World};

fn main() -> ExitCode {
    // `cargo test --benches` only asks whether it builds and starts.
    if std::env::args().any(|a| a == "--test") {
        return ExitCode::SUCCESS;
    }
    let conversations = setting("DESK_CONVERSATIONS", 50).clamp(1, 200) as usize;
    let minutes = setting("DESK_MINUTES", 10).clamp(1, 40) as u32;
    println!("desk: {minutes} min, two messages a second in each conversation; figures include the sandbox");
    println!("  {}", Figures::head());
    let one = World::measure(1, Duration::from_secs(60));
    println!("  {}", one.line());
    let all = World::measure(conversations, Duration::from_secs(60) * minutes);
    println!("  {}", all.line());
    println!(
        "  ratio to one conversation: frame p99 {:.2}, with both ends {:.2}, memory {:.2}, CPU {:.1}",
        all.desk.p99 / one.desk.p99,
        all.ends.p99 / one.ends.p99,
        all.megabytes / one.megabytes,
        all.cpu / one.cpu.max(0.01)
    );
    for figures in [&one, &all] {
        println!("  {}", figures.checks());
    }
    if one.is_whole() && all.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
