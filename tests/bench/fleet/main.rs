//! `cargo bench --bench fleet`: what 500 sessions at once cost, with live tokens, heartbeats and sockets.
//!
//! Sessions of all five unverified flows share the credentials of one environment and talk to the sandbox of this
//! process. Tokens live two minutes, so that each is renewed several times. First everybody talks, then nobody does,
//! while tokens, heartbeats and pings go on. While they talk, frames of the window are laid out and tessellated as in
//! the flood benchmark, whenever there is something new; the sandbox's work is part of all figures.
//!
//! `FLEET_SESSIONS` (500), `FLEET_MINUTES` (10) and `FLEET_IDLE_MINUTES` (5) change the size. The baseline that the
//! ratio is against is one session, measured in the same run.

#[path = "../common/mod.rs"]
mod common;
mod world;

use std::time::Duration;

use common::setting;
use world::{Figures, World};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    // `cargo test --benches` only asks whether it builds and starts.
    if args.iter().any(|a| a == "--test") {
        return;
    }
    let sessions = setting("FLEET_SESSIONS", 500) as usize;
    let minutes = setting("FLEET_MINUTES", 10);
    let idle = setting("FLEET_IDLE_MINUTES", 5);
    let minute = Duration::from_secs(60);
    println!("fleet: {minutes} min of talk and {idle} min of silence; figures include the sandbox");
    println!("  {}", Figures::head());
    let one = World::measure(1, minute / 2, minute / 2);
    println!("  {}", one.line());
    let all = World::measure(sessions, minute * minutes as u32, minute * idle as u32);
    println!("  {}", all.line());
    println!(
        "  ratio to one session: frame p99 {:.2}, memory {:.2}, idle CPU {:.1}",
        all.frame.p99 / one.frame.p99,
        all.megabytes / one.megabytes,
        all.idle_cpu / one.idle_cpu.max(0.01)
    );
    println!("  {}", all.checks());
}
