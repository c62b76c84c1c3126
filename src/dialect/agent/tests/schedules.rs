//! Ten thousand random days: frames lost, repeated and out of order, sockets that break, channels that vanish, calls
//! that fail.

use super::world::{Trouble, World};
use crate::dialect::seeded::Seeded;
use crate::dialect::{Deed, DeskWish, Target, Wish};
use crate::model::fact::{Delivery, SessionState};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn day(seed: u64) {
    let mut chance = Seeded::new(seed ^ 0x5eed);
    let budget = 5 + chance.up_to(40) as u32;
    let mut w = World::new(seed, |c| {
        c.environment.agents.lookups_per_minute = budget;
        c.environment.agents.gather_millis = 50;
        c.environment.timings.reconnect_give_up_secs = 100_000;
        c.form.auto_answer = seed.is_multiple_of(3);
    });
    let bad = chance.up_to(15);
    w.trouble = Trouble {
        lost_frames: bad,
        repeated_frames: chance.up_to(30),
        no_answer: bad / 4,
        server_error: bad / 4,
        rate_limited: bad / 3,
        slow_millis: 1 + chance.up_to(400),
    };
    w.wish(Wish::Connect);
    w.run(5.0);
    let talks = 1 + chance.up_to(4);
    let mut said = 0;
    for n in 0..talks {
        w.platform.alert(&format!("c{n}"));
    }
    for _ in 0..16 {
        let c = format!("c{}", chance.up_to(talks - 1));
        match chance.up_to(13) {
            0..=4 => drop(w.platform.guest_says(&c, "text")),
            5..=7 => {
                said += 1;
                w.say(&c, &format!("t{said}"), "answer");
            }
            8 => w.deed(&c, Deed::Answer),
            9 => w.lose_socket(),
            10 => {
                w.platform.channel_lives = false;
                w.lose_socket();
            }
            11 => w.token += 1,
            12 if chance.up_to(3) == 0 => w.deed(&c, Deed::Transfer { to: Target::Queue("q2".into()) }),
            _ => w.deed(&c, Deed::Hold { on: chance.up_to(1) == 0 }),
        }
        w.run(chance.up_to(3_000) as f64 / 1000.0);
    }
    // All is well again; whoever gave up begins anew.
    w.trouble = Trouble { slow_millis: 20, ..Trouble::default() };
    w.run(40.0);
    if w.agent.state.is_ended() {
        w.wish(Wish::Connect);
    }
    w.run(60.0);
    w.wish(Wish::Desk(DeskWish::Reload));
    w.run(150.0);
    assert_eq!(w.agent.state, SessionState::Ready, "seed {seed}: {:?}", w.faults());
    for (id, stored) in &w.platform.store {
        let mine = w.platform.talks[&stored.conversation]
            .parties
            .iter()
            .any(|p| p.user.as_deref() == Some("u1") && p.state != "disconnected");
        // Whatever the report is called.
        let given_up = w.faults().contains(&"text-not-found") || w.tells("stay unknown") || w.tells("Given up:");
        let known = w.texts.contains(id) || !stored.inbound;
        assert!(known || !mine || given_up, "seed {seed}: the text of {id} is not known");
    }
    for n in 1..=said {
        let all = &w.deliveries[&format!("t{n}")];
        let ends = all.iter().filter(|d| !matches!(d, Delivery::Sent | Delivery::Retrying { .. })).count();
        assert_eq!(ends, 1, "seed {seed}: t{n} {all:?}");
    }
    let times: Vec<u64> = w.platform.looked_up.iter().map(|(t, _)| *t).collect();
    for (n, t) in times.iter().enumerate() {
        let within = times[n..].iter().take_while(|u| **u - t < 59_000_000).count();
        // Those that were refused or lost are retried beside the budget, which counts what was meant.
        assert!(within <= budget as usize + 8, "seed {seed}: {within} look-ups within a minute, budget {budget}");
    }
}

#[test]
fn in_ten_thousand_random_days_of_an_agent_nothing_is_missed() {
    for seed in 0..number("SCHEDULES").unwrap_or(10_000) {
        day(seed);
    }
}

#[test]
fn one_random_day_of_an_agent() {
    day(number("SCHEDULE_SEED").unwrap_or(7));
}
