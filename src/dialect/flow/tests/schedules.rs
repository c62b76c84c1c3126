//! Ten thousand worlds. One that breaks prints its seed; `SCHEDULE_SEED=… cargo test one_schedule -- --nocapture`
//! tells it from the beginning. `SCHEDULES=100000` runs more of them.

use super::world::{Tally, World};

/// So many at least.
const SCHEDULES: u64 = 10_000;

/// Most worlds are small, some are crowded, a few are as full as the flows allow.
fn sessions(seed: u64) -> usize {
    match seed {
        _ if seed % 2_000 == 77 => 500,
        _ if seed % 250 == 13 => 30,
        _ => 1 + (seed % 4) as usize,
    }
}

fn run(seed: u64, log: bool) -> Result<Tally, (String, String)> {
    World::new(seed, sessions(seed), log).run()
}

#[test]
fn one_schedule() {
    let seed = std::env::var("SCHEDULE_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    if let Err((what, log)) = run(seed, true) {
        panic!("{log}\nseed {seed}: {what}");
    }
}

#[test]
fn in_ten_thousand_random_schedules_no_dead_token_leaves_and_every_message_ends_once() {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let more = std::env::var("SCHEDULES").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let run = |first: u64| {
        let mut sum = Tally::default();
        for seed in (first..SCHEDULES.max(more)).step_by(threads as usize) {
            match run(seed, false) {
                Ok(tally) => sum.add(&tally),
                Err((what, _)) => panic!("seed {seed}: {what}"),
            }
        }
        sum
    };
    let mut sum = Tally::default();
    std::thread::scope(|s| {
        let all: Vec<_> = (0..threads).map(|t| s.spawn(move || run(t))).collect();
        for thread in all {
            sum.add(&thread.join().unwrap_or_else(|e| std::panic::resume_unwind(e)));
        }
    });
    let met = [
        sum.delivered,
        sum.refused,
        sum.not_sent,
        sum.unconfirmed,
        sum.retried,
        sum.dead_news,
        sum.denied,
        sum.fetches,
        sum.reopened,
        sum.waits,
        sum.summaries,
    ];
    assert!(met.iter().all(|n| *n > SCHEDULES / 20), "the schedules hardly met it: {sum:?}");
}
