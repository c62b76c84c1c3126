//! The guided tours by accessible label, with the real engine and sandbox: each complaint shows, is explained from the
//! evidence, and does not show any more once the fix is applied.

use std::time::{Duration, Instant};

use crate::support::live::{Home, Window};

/// Paints until something is in view. A tour goes by the real clock: when a token dies while a message is on its way is
/// what it is about.
fn await_step(w: &mut Window, part: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        w.h.run_ok();
        if w.sees(part) {
            return;
        }
        let gone = w.sees("The tour did not go on") || Instant::now() > end;
        assert!(!gone, "never: {part}\n{}", w.labels().join("\n"));
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn tour(title: &str, cause: &str) {
    let mut w = Home::default().open();
    w.press(title);
    w.press("Reproduce it in the sandbox");
    await_step(&mut w, "Apply the fix");
    // The explanation stands in the inspector, with its evidence.
    w.await_label(cause);
    assert!(w.sees("Evidence") && w.sees("What to do"), "{}", w.labels().join("\n"));
    w.press("Apply the fix");
    await_step(&mut w, "2 messages were sent at the same moment as before");
    w.press("Close the tour");
    assert!(!w.sees("Guided tour, "));
    w.until("the sandbox behaves again", |w| !w.sees("faults on"));
    w.close();
}

#[test]
fn the_tour_of_the_401_reproduces_explains_and_mends_it() {
    tour("Tour: why was my message refused with 401?", "The session token was refused though it should have lived");
}

#[test]
fn the_tour_of_the_close_with_1000_reproduces_explains_and_mends_it() {
    tour("Tour: why did my socket close with 1000?", "The handshake's token died before the message was committed");
}
