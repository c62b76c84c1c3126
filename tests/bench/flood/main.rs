//! `cargo bench --bench flood`: how fast frames become records, and what a capture costs the window.
//!
//! Part one: a loopback server floods one socket with 200-byte text frames. Measured in one run on the same cores:
//! ours (redacted, stored, readable), (a) a bare tokio-tungstenite loop that only counts, (b) a loop that only
//! inserts the same rows in the same batches.
//! Part two: opening, painting, memory and searching with captures of 10 thousand, 1 million and 10 million records,
//! each in a process of its own.
//!
//! `FLOOD_FRAMES` (default 3,000,000), `FLOOD_ROUNDS` (3) and `FLOOD_SIZES` (10000,1000000,10000000) change the size.

mod frames;
mod sizes;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|a| a == "--measure") {
        let file = args.get(at + 1).map(std::path::PathBuf::from).expect("--measure FILE");
        sizes::measure(&file);
        return;
    }
    // `cargo test --benches` only asks whether it builds and starts.
    if args.iter().any(|a| a == "--test") {
        return;
    }
    frames::run();
    sizes::run();
}

/// A figure from the environment, else its default.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.replace('_', "").parse().ok()).unwrap_or(default)
}
