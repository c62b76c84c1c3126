//! What a keeper must hold to.

use super::*;
use crate::model::Now;
use proptest::prelude::*;

fn at(secs: u64) -> At {
    // The server is an hour ahead.
    let wall = Wall::from_secs(secs as i64);
    At { now: Now { wall, mono: Mono(secs * 1_000_000) }, server: wall + Duration::from_secs(3600) }
}

fn server(secs: u64) -> Option<Wall> {
    Some(at(secs).server)
}

fn keeper(keep_alive: bool) -> Keeper<String> {
    let retry = Plan {
        least: Duration::ZERO,
        first: Duration::from_secs(1),
        longest: Duration::from_secs(10),
        give_up: Duration::from_secs(60),
        tries: 2,
    };
    Keeper::new(Policy { margin: Duration::from_secs(5), keep_alive, retry }, 1)
}

#[test]
fn one_fetch_serves_all_who_wait() {
    let mut k = keeper(false);
    assert_eq!(k.need(at(0)), Then::Fetch);
    assert_eq!(k.need(at(0)), Then::Wait);
    assert_eq!(k.got(at(1), "a".into(), server(61)), Then::Ready);
    assert_eq!(k.need(at(55)), Then::Ready);
    assert!(k.live(at(56)).is_none(), "inside the margin");
    assert_eq!(k.need(at(56)), Then::Fetch);
}

#[test]
fn a_refused_token_is_replaced_once_and_then_given_up() {
    let mut k = keeper(false);
    k.need(at(0));
    k.got(at(0), "a".into(), server(60));
    assert_eq!(k.refused(at(1), 1), Then::Fetch);
    assert_eq!(k.refused(at(1), 1), Then::Wait, "another who had used it waits for the same fetch");
    k.got(at(2), "b".into(), server(60));
    assert_eq!(k.refused(at(2), 1), Then::Ready, "a late refusal of the old one does not harm the new one");
    assert_eq!(k.refused(at(3), 2), Then::GiveUp(Reason::RefusedTwice));
    assert!(k.held().is_none());
    // One that is on its way already is waited for, and its refusal is the last.
    k.need(at(3));
    k.got(at(3), "y".into(), server(60));
    k.refused(at(3), 3);
    k.got(at(3), "z".into(), server(60));
    assert_eq!(k.renew(), Then::Fetch);
    assert_eq!(k.refused(at(4), 4), Then::Wait);
    assert!(k.is_fetching());
    k.got(at(4), "w".into(), server(60));
    assert_eq!(k.refused(at(4), 5), Then::GiveUp(Reason::RefusedTwice));
    // Nobody waits: it is gone, nothing is fetched, and the next refusal is a first one.
    k.need(at(3));
    k.got(at(3), "x".into(), server(60));
    k.abandon(6);
    assert!(k.held().is_none() && !k.is_fetching());
    // Accepted in between, a later refusal is a first one again.
    k.need(at(4));
    k.got(at(4), "c".into(), server(60));
    k.accepted(7);
    assert_eq!(k.refused(at(5), 7), Then::Fetch);
    k.got(at(5), "d".into(), server(60));
    k.accepted(8);
    assert_eq!(k.refused(at(6), 8), Then::Fetch);
}

#[test]
fn a_token_told_twice_is_one_token() {
    let mut k = keeper(false);
    k.need(at(0));
    k.got(at(0), "a".into(), server(60));
    k.refused(at(1), 1);
    k.got(at(1), "b".into(), server(60));
    k.got(at(1), "b".into(), server(60));
    k.accepted(2);
    assert_eq!(k.refused(at(2), 2), Then::Fetch);
}

#[test]
fn the_same_token_again_is_not_taken() {
    let mut k = keeper(false);
    k.need(at(0));
    k.got(at(0), "a".into(), None);
    k.refused(at(1), 1);
    assert_eq!(k.got(at(2), "a".into(), None), Then::GiveUp(Reason::SameAgain));
    assert!(k.live(at(2)).is_none());
}

#[test]
fn a_token_that_lives_shorter_than_the_margin_is_still_used() {
    let mut k = keeper(false);
    k.need(at(0));
    assert_eq!(k.got(at(0), "a".into(), server(4)), Then::Ready);
    assert!(k.live(at(1)).is_some() && k.live(at(2)).is_none());
    k.need(at(3));
    assert_eq!(k.got(at(3), "b".into(), server(3)), Then::GiveUp(Reason::DeadOnArrival));
}

#[test]
fn failed_fetches_are_repeated_with_bounds_and_obey_the_server() {
    let mut k = keeper(false);
    k.need(at(0));
    assert_eq!(k.failed(at(0), "503", Some(Duration::from_secs(30)), false), Then::Wait);
    assert_eq!(k.wait(at(0)), Some(Duration::from_secs(30)));
    assert_eq!(k.need(at(1)), Then::Wait);
    assert_eq!(k.tick(at(29)), Then::Wait);
    assert_eq!(k.tick(at(30)), Then::Fetch);
    k.failed(at(30), "503", None, false);
    assert_eq!(k.tick(at(32)), Then::Fetch);
    assert_eq!(k.failed(at(32), "503", None, false), Then::GiveUp(Reason::Failed("503".into())));
    k.need(at(40));
    assert_eq!(k.failed(at(40), "no such client", None, true), Then::GiveUp(Reason::Failed("no such client".into())));
}

#[test]
fn kept_alive_it_fetches_at_the_margin_and_goes_on_with_the_old_one_meanwhile() {
    let mut k = keeper(true);
    k.need(at(0));
    k.got(at(0), "a".into(), server(60));
    assert_eq!(k.wait(at(0)), Some(Duration::from_secs(55)));
    assert_eq!(k.tick(at(55)), Then::Fetch);
    assert_eq!(k.tick(at(55)), Then::Wait);
    assert_eq!(k.wait(at(55)), None);
}

#[test]
fn a_late_refusal_is_of_the_value_whatever_its_number_is_by_now() {
    let mut k = keeper(false);
    k.need(at(0));
    k.got(at(0), "a".into(), server(60));
    k.forget();
    assert_eq!(k.refused(at(1), 1), Then::Fetch, "nothing is at hand");
    assert_eq!(k.got(at(1), "a".into(), server(60)), Then::GiveUp(Reason::SameAgain));
    k.need(at(2));
    k.got(at(2), "b".into(), server(60));
    k.forget();
    k.need(at(3));
    k.got(at(3), "b".into(), server(60));
    assert!(k.has(2) && !k.has(9));
    assert_eq!(k.refused(at(4), 2), Then::Fetch, "it is at hand again under another number");
    assert!(!k.has(2));
    assert!(k.held().is_none());
}

#[test]
fn a_wait_that_the_server_wants_is_not_waited_for_without_end() {
    let mut k = keeper(false);
    k.need(at(0));
    let then = k.failed(at(0), "429", Some(Duration::from_secs(301)), false);
    assert!(matches!(&then, Then::GiveUp(Reason::Failed(why)) if why.contains("301 s")), "{then:?}");
    assert_eq!((k.wait(at(0)), k.is_fetching()), (None, false));
}

#[test]
fn a_shorter_end_that_the_server_tells_later_counts_and_disturbs_no_fetch() {
    let mut k = keeper(true);
    k.need(at(0));
    k.got(at(0), "a".into(), server(600));
    assert_eq!(k.renew(), Then::Fetch);
    k.lasts(at(0), at(20).server);
    assert!(k.is_fetching());
    assert!(k.live(at(14)).is_some() && k.live(at(15)).is_none());
    k.lasts(at(14), at(13).server);
    assert!(k.live(at(13)).is_none(), "an end in the past");
}

#[test]
fn once_stopped_nothing_is_awaited_or_tried_again() {
    let mut k = keeper(true);
    k.need(at(0));
    k.failed(at(0), "503", None, false);
    k.stop();
    assert_eq!((k.wait(at(0)), k.tick(at(100))), (None, Then::Wait));
    assert_eq!(k.need(at(100)), Then::Fetch);
}

#[test]
fn a_damaged_token_differs_in_one_character_of_its_signature() {
    assert_eq!(damaged("aa.bb.cccc"), "aa.bb.ccAc");
    assert_eq!(damaged("AAA"), "ABA");
    assert_eq!(damaged("äöü"), "äöA");
    assert_eq!(damaged(""), "");
}

#[test]
fn deeds_of_a_tester() {
    let mut k = keeper(false);
    assert!(!k.expire(at(0)) && !k.forget() && !k.damage(Clone::clone));
    k.need(at(0));
    k.got(at(0), "a".into(), server(60));
    assert!(k.damage(|t| format!("{t}x")));
    assert_eq!(k.live(at(90)).unwrap().token.expose(), "ax", "a damaged one is sent whatever its age");
    assert_eq!(k.refused(at(90), 1), Then::Ready, "a late refusal of the good one says nothing of it");
    assert_eq!(k.refused(at(90), 2), Then::Fetch);
    k.got(at(91), "b".into(), server(150));
    assert!(k.expire(at(92)));
    assert!(k.live(at(92)).is_none());
    assert!(k.forget() && k.held().is_none());
    assert!(!format!("{k:?}").contains("\"b\""));
}

#[test]
fn what_a_tester_expired_stays_dead_until_somebody_needs_it() {
    let mut k = keeper(true);
    k.need(at(0));
    k.got(at(0), "a".into(), server(60));
    assert!(k.expire(at(1)));
    assert_eq!(k.tick(at(2)), Then::Wait);
    assert_eq!(k.wait(at(2)), None);
    let back = At { server: at(0).server - Duration::from_secs(60), ..at(2) };
    assert!(k.live(back).is_none(), "whatever the clock says later");
    assert_eq!(k.need(at(3)), Then::Fetch);
    k.got(at(3), "b".into(), server(63));
    assert_eq!(k.tick(at(60)), Then::Fetch, "the next one is kept alive again");
}

#[derive(Clone, Debug)]
enum Step {
    Need,
    Got(u8, u8),
    Refused,
    Failed,
    Expire,
    Forget,
    Pass(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Need),
        (0..6u8, 0..80u8).prop_map(|(t, l)| Step::Got(t, l)),
        Just(Step::Refused),
        Just(Step::Failed),
        Just(Step::Expire),
        Just(Step::Forget),
        (0..30u8).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn never_hands_out_a_dead_or_refused_token_and_never_fetches_twice_at_once(
        steps in proptest::collection::vec(step(), 1..60),
        keep_alive: bool,
    ) {
        let mut k = keeper(keep_alive);
        let mut t = 0;
        let mut refused = Vec::new();
        let mut fetching = false;
        for s in steps {
            let then = match s {
                Step::Need => k.need(at(t)),
                Step::Got(token, life) => {
                    fetching = false;
                    k.got(at(t), token.to_string(), server(t + u64::from(life)))
                }
                Step::Refused => match k.live(at(t)).map(|h| (h.token.expose().clone(), h.number)) {
                    Some((token, number)) => {
                        refused.push(token);
                        k.refused(at(t), number)
                    }
                    None => continue,
                },
                Step::Failed => {
                    fetching = false;
                    k.failed(at(t), "no", None, false)
                }
                Step::Expire => { k.expire(at(t)); Then::Wait }
                Step::Forget => { k.forget(); Then::Wait }
                Step::Pass(n) => { t += u64::from(n); k.tick(at(t)) }
            };
            match then {
                Then::Fetch => {
                    prop_assert!(!fetching, "two fetches at once");
                    fetching = true;
                }
                Then::GiveUp(_) => fetching = false,
                _ => {}
            }
            if let Some(held) = k.live(at(t)) {
                prop_assert!(held.until.is_none_or(|u| at(t).server < u));
                prop_assert!(refused.len() > REMEMBERED || !refused.contains(held.token.expose()));
            }
        }
    }
}
