//! Two ends of paper.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::happening::{Side, Source};
use crate::model::{Mono, Now, Wall};

const GUEST: SessionId = SessionId(1);
const AGENT: SessionId = SessionId(2);
const OTHER: SessionId = SessionId(3);

#[derive(Default)]
struct Both {
    fold: EndsFold,
    ends: Arc<Ends>,
    millis: u64,
    seq: u64,
}

impl Both {
    fn see(&mut self, session: SessionId, conversation: Option<&str>, what: What) -> &mut Self {
        self.seq += 1;
        let at = Now { wall: Wall(self.millis as i64 * 1_000), mono: Mono(self.millis * 1_000) };
        let conversation = conversation.map(str::to_owned);
        self.fold.take(&mut self.ends, Sighting { session, seq: self.seq, at, conversation, what });
        self
    }

    fn after(&mut self, millis: u64) -> &mut Self {
        self.millis += millis;
        self
    }

    fn guest(&mut self, key: &str, tracing: Option<&str>, side: Side, source: Source, text: &str) -> &mut Self {
        self.see(GUEST, None, said(key, tracing, side, source, Some(text)))
    }

    /// A guest's message that both ends see under one id.
    fn whole(&mut self, key: &str, text: &str, conversation: &str) -> &mut Self {
        self.guest("", Some(key), Side::Guest, Source::Outgoing, text).after(20);
        self.guest(key, Some(key), Side::Guest, Source::Live, text).after(30);
        self.told(key, Side::Guest, conversation).after(40);
        self.fetched(key, Side::Guest, text, conversation).after(100)
    }

    fn told(&mut self, key: &str, side: Side, conversation: &str) -> &mut Self {
        self.see(AGENT, Some(conversation), said(key, None, side, Source::Live, None))
    }

    fn fetched(&mut self, key: &str, side: Side, text: &str, conversation: &str) -> &mut Self {
        self.see(AGENT, Some(conversation), said(key, None, side, Source::History, Some(text)))
    }

    /// An agent's message that the guest gets, too.
    fn answer(&mut self, key: &str, text: &str, conversation: &str) -> &mut Self {
        let tracing = format!("t{key}");
        self.see(AGENT, Some(conversation), said("", Some(&tracing), Side::Agent, Source::Outgoing, Some(text)))
            .after(15);
        self.see(AGENT, Some(conversation), said(key, Some(&tracing), Side::Agent, Source::History, Some(text)))
            .after(10);
        self.guest(key, None, Side::Agent, Source::Live, text).after(100)
    }

    fn pair(&self) -> &Pair {
        assert_eq!(self.ends.pairs.len(), 1, "{:#?}", self.ends.pairs);
        &self.ends.pairs[0]
    }

    fn odd(&self) -> Vec<(u64, &'static str)> {
        self.pair().oddities(Mono(self.millis * 1_000)).iter().map(|o| (o.journey, o.odd.word())).collect()
    }
}

fn said(key: &str, tracing: Option<&str>, side: Side, source: Source, text: Option<&str>) -> What {
    What::Said {
        keys: [key].into_iter().filter(|k| !k.is_empty()).map(str::to_owned).collect(),
        tracing: tracing.map(str::to_owned),
        side,
        text: text.map(Arc::from),
        told_at: None,
        source,
    }
}

#[test]
fn one_id_at_both_ends_joins_them_and_says_so() {
    let mut b = Both::default();
    b.whole("m1", "Hello", "c");
    let pair = b.pair();
    assert_eq!((pair.guest, pair.conversation.as_str(), &pair.agents[..]), (GUEST, "c", &[AGENT][..]));
    assert!(pair.proof.is_certain());
    assert_eq!(pair.proof.first, Some(("m1".into(), 2, 3)), "with the records at both ends");
    assert_eq!(pair.proof.sentence(), "one message has the same id at both ends");
    let j = &pair.journeys[0];
    let millis = |leg| j.leg(leg).map(|d| d.as_millis());
    assert_eq!((millis(Leg::GuestEcho), millis(Leg::ToAgent), millis(Leg::Text)), (Some(20), Some(50), Some(40)));
    assert_eq!((millis(Leg::AgentTaken), millis(Leg::ToGuest)), (None, None));
    assert!(b.odd().is_empty());
}

#[test]
fn each_message_is_one_journey_whoever_says_it() {
    let mut b = Both::default();
    b.whole("m1", "Hello", "c").answer("m2", "Hi", "c").whole("m3", "Bye", "c");
    let pair = b.pair();
    assert_eq!(pair.journeys.len(), 3);
    assert_eq!(pair.proof.same_ids, 3);
    let answer = &pair.journeys[1];
    assert_eq!(answer.side, Some(Side::Agent));
    assert_eq!(answer.leg(Leg::AgentTaken), Some(Duration::from_millis(15)));
    assert_eq!(answer.leg(Leg::ToGuest), Some(Duration::from_millis(25)));
    let legs = Legs::of(&pair.journeys, Leg::ToAgent).unwrap();
    assert_eq!((legs.count, legs.p50), (2, Duration::from_millis(50)));
}

#[test]
fn an_answer_whose_frame_overtakes_its_own_answer_is_one_journey_all_the_same() {
    let mut b = Both::default();
    b.whole("m1", "Hello", "c");
    b.see(AGENT, Some("c"), said("", Some("t"), Side::Agent, Source::Outgoing, Some("Hi"))).after(5);
    b.guest("m2", None, Side::Agent, Source::Live, "Hi").after(5);
    b.told("m2", Side::Agent, "c").after(5);
    b.see(AGENT, Some("c"), said("m2", Some("t"), Side::Agent, Source::History, Some("Hi")));
    let pair = b.pair();
    assert_eq!(pair.journeys.len(), 2, "{:#?}", pair.journeys);
    let j = pair.journeys.last().unwrap();
    assert_eq!(j.leg(Leg::ToGuest), Some(Duration::from_millis(5)));
    assert_eq!(j.leg(Leg::AgentTaken), Some(Duration::from_millis(15)));
}

/// An agent may be notified before the guest's echo is there: the message stays where it was said.
#[test]
fn a_message_whose_notification_overtakes_its_echo_keeps_its_place() {
    let mut b = Both::default();
    b.whole("g0", "Hi", "c");
    b.guest("", Some("t1"), Side::Guest, Source::Outgoing, "first").after(5);
    b.guest("", Some("t2"), Side::Guest, Source::Outgoing, "second").after(5);
    b.told("g1", Side::Guest, "c").after(5);
    b.guest("g1", Some("t1"), Side::Guest, Source::Live, "first").after(5);
    b.guest("g2", Some("t2"), Side::Guest, Source::Live, "second").after(5);
    b.told("g2", Side::Guest, "c").after(5);
    b.fetched("g1", Side::Guest, "first", "c").fetched("g2", Side::Guest, "second", "c");
    let texts: Vec<_> = b.pair().journeys.iter().filter_map(|j| j.text().map(|t| t.to_string())).collect();
    assert_eq!(texts, ["Hi", "first", "second"]);
    assert_eq!(b.pair().proof.same_ids, 3, "each is counted once");
    assert_eq!(b.odd(), []);
}

#[test]
fn a_conversation_id_that_the_guest_was_told_joins_them() {
    let mut b = Both::default();
    b.see(GUEST, None, What::Told { conversation: "c".into() });
    b.guest("g1", Some("t"), Side::Guest, Source::Live, "Hello");
    assert!(b.ends.pairs.is_empty());
    b.told("a1", Side::Guest, "c");
    assert!(b.pair().proof.told.is_some() && b.pair().proof.is_certain());
}

#[test]
fn likeness_alone_takes_two_texts_and_no_rival() {
    let mut b = Both::default();
    let like = |b: &mut Both, n: &str, text: &str| {
        b.guest(&format!("g{n}"), None, Side::Guest, Source::Live, text).after(20);
        b.told(&format!("a{n}"), Side::Guest, "c").after(20);
        b.fetched(&format!("a{n}"), Side::Guest, text, "c").after(50);
    };
    like(&mut b, "1", "I cannot log in");
    assert!(b.ends.pairs.is_empty(), "one is a guess");
    like(&mut b, "2", "My number is 4711");
    let pair = b.pair();
    assert!(!pair.proof.is_certain());
    assert_eq!((pair.proof.same_texts, pair.journeys.len()), (2, 2));
    like(&mut b, "3", "Are you there?");
    assert_eq!((b.pair().proof.same_texts, b.pair().journeys.len()), (3, 3));
}

#[test]
fn what_two_guests_say_alike_proves_nothing() {
    let mut b = Both::default();
    for n in 0..3 {
        let text = format!("text {n}");
        b.see(GUEST, None, said(&format!("g{n}"), None, Side::Guest, Source::Live, Some(&text)));
        b.see(OTHER, None, said(&format!("o{n}"), None, Side::Guest, Source::Live, Some(&text)));
        b.fetched(&format!("a{n}"), Side::Guest, &text, "c");
        b.fetched(&format!("b{n}"), Side::Guest, &text, "d");
        b.after(100);
    }
    assert!(b.ends.pairs.iter().all(|p| p.proof.same_texts == 0), "{:#?}", b.ends.pairs);
}

#[test]
fn equal_texts_far_apart_are_not_alike() {
    let mut b = Both::default();
    for n in 0..3 {
        b.guest(&format!("g{n}"), None, Side::Guest, Source::Live, &format!("t{n}")).after(20_000);
        b.fetched(&format!("a{n}"), Side::Guest, &format!("t{n}"), "c").after(20_000);
    }
    assert!(b.ends.pairs.is_empty());
}

#[test]
fn what_one_end_lacks_is_lost_after_a_while() {
    let mut b = Both::default();
    b.whole("m1", "Hello", "c");
    b.guest("m2", Some("t2"), Side::Guest, Source::Live, "Lost on the way");
    b.see(AGENT, Some("c"), said("", Some("x"), Side::Agent, Source::Outgoing, Some("Into the void")));
    b.see(AGENT, Some("c"), said("m3", Some("x"), Side::Agent, Source::History, Some("Into the void")));
    b.after(9_000);
    assert!(b.odd().is_empty(), "it may still come");
    b.after(2_000);
    assert_eq!(b.odd(), [(2, "lost"), (3, "lost")]);
    // It was late, not lost.
    b.told("m2", Side::Guest, "c");
    assert_eq!(b.odd(), [(2, "late"), (3, "lost")]);
}

#[test]
fn a_message_that_was_refused_is_not_lost() {
    let mut b = Both::default();
    b.whole("m1", "Hello", "c");
    b.guest("", Some("t2"), Side::Guest, Source::Outgoing, "too much");
    b.see(GUEST, None, What::Failed { tracing: "t2".into() });
    b.after(60_000);
    assert!(b.odd().is_empty());
}

#[test]
fn order_repetition_and_text_are_compared() {
    let mut b = Both::default();
    b.whole("m1", "Hello", "c");
    b.guest("m2", Some("t2"), Side::Guest, Source::Live, "first").after(10);
    b.guest("m3", Some("t3"), Side::Guest, Source::Live, "second").after(10);
    b.told("m3", Side::Guest, "c").told("m2", Side::Guest, "c");
    assert_eq!(b.odd(), [(2, "reordered")]);
    b.guest("m1", None, Side::Guest, Source::Live, "Hello");
    b.fetched("m3", Side::Guest, "sec0nd", "c");
    assert_eq!(b.odd(), [(1, "duplicated"), (3, "altered"), (2, "reordered")]);
    let all = b.pair().oddities(Mono(b.millis * 1_000));
    let difference = all
        .iter()
        .find_map(|o| match &o.odd {
            Odd::Altered(d) => Some(d.clone()),
            _ => None,
        })
        .unwrap();
    assert_eq!((difference.at_guest.as_str(), difference.at_agent.as_str()), ("o", "0"));
}

/// Under two ids the other end has two messages where one was said.
#[test]
fn a_message_that_became_two_on_its_way_is_duplicated() {
    let mut b = Both::default();
    b.whole("g1", "Hi", "c");
    b.told("g1-copy", Side::Guest, "c").fetched("g1-copy", Side::Guest, "Hi", "c").after(50);
    assert_eq!(b.odd(), [(2, "duplicated")]);
    b.answer("a1", "Hello", "c");
    b.guest("a1-copy", None, Side::Agent, Source::Live, "Hello").after(50);
    let odd: Vec<&str> = b.odd().iter().map(|(_, word)| *word).collect();
    assert_eq!(odd, ["duplicated", "duplicated"]);
    // A bot is heard by the guest alone, and may say the same again.
    b.guest("b1", None, Side::Bot, Source::Live, "Hello").after(50);
    assert_eq!(b.odd().len(), 2);
}

#[test]
fn what_was_found_by_rest_was_missed() {
    let mut b = Both::default();
    b.whole("m1", "Hello", "c");
    b.guest("m2", Some("t2"), Side::Guest, Source::Live, "while you were away").after(100);
    b.see(AGENT, Some("c"), said("m2", None, Side::Guest, Source::History, None));
    assert_eq!(b.odd(), [(2, "missed")]);
    // A notification that comes after all makes it good.
    b.told("m2", Side::Guest, "c");
    assert!(b.odd().is_empty());
}

#[test]
fn a_second_agent_joins_the_same_pair() {
    let mut b = Both::default();
    b.whole("m1", "Hello", "c");
    b.see(OTHER, Some("c"), said("m1", None, Side::Guest, Source::History, Some("Hello")));
    b.see(OTHER, Some("c"), What::Event { text: "you answered".into() });
    b.guest("m2", Some("t2"), Side::Guest, Source::Live, "And you are?");
    b.see(OTHER, Some("c"), said("m2", None, Side::Guest, Source::Live, None));
    let pair = b.pair();
    assert_eq!((pair.agents.len(), pair.journeys.len(), pair.events.len()), (2, 2, 1));
    assert!(b.odd().is_empty());
}

#[test]
fn after_a_clear_a_new_conversation_is_a_new_pair() {
    let mut b = Both::default();
    b.whole("m1", "Hello", "c");
    b.see(GUEST, None, What::Event { text: "the conversation was cleared".into() });
    // Said before anybody of the new conversation has heard it.
    b.guest("m2", Some("t2"), Side::Guest, Source::Live, "Again").after(20);
    b.told("m2", Side::Guest, "d").fetched("m2", Side::Guest, "Again", "d");
    b.answer("m3", "Hi again", "d");
    assert_eq!(b.ends.pairs.len(), 2);
    let texts = |p: &Pair| p.journeys.iter().filter_map(|j| j.text().map(|t| t.to_string())).collect::<Vec<_>>();
    assert_eq!(texts(&b.ends.pairs[0]), ["Hello"]);
    assert_eq!(texts(&b.ends.pairs[1]), ["Again", "Hi again"]);
    assert_eq!(b.ends.of(GUEST, None).map(|p| p.conversation.as_str()), Some("d"), "the newest");
    assert_eq!(b.ends.of(AGENT, Some("c")).map(|p| p.conversation.as_str()), Some("c"));
}

#[test]
fn a_guest_that_reconnects_and_reads_history_stays_joined() {
    let mut b = Both::default();
    b.whole("m1", "Hello", "c");
    b.see(GUEST, None, What::Event { text: "the guest's connection was lost".into() });
    b.see(AGENT, Some("c"), said("", Some("x"), Side::Agent, Source::Outgoing, Some("Are you there?")));
    b.see(AGENT, Some("c"), said("m2", Some("x"), Side::Agent, Source::History, Some("Are you there?")));
    b.after(3_000);
    b.guest("m1", None, Side::Guest, Source::History, "Hello");
    b.guest("m2", None, Side::Agent, Source::History, "Are you there?");
    b.whole("m3", "Yes", "c");
    assert_eq!((b.pair().journeys.len(), b.pair().events.len()), (3, 1));
    assert_eq!(b.odd(), [(2, "missed")]);
}

#[test]
fn an_end_that_came_first_brings_what_it_saw() {
    let mut b = Both::default();
    b.guest("m0", Some("t0"), Side::Guest, Source::Live, "Is anybody there?").after(5_000);
    b.see(AGENT, Some("c"), What::Event { text: "you are alerted".into() });
    b.see(AGENT, Some("c"), said("m0", None, Side::Guest, Source::History, None)).after(10);
    b.fetched("m0", Side::Guest, "Is anybody there?", "c");
    assert_eq!((b.pair().journeys.len(), b.pair().events.len()), (1, 1));
}

#[test]
fn what_is_kept_is_bounded_and_counted() {
    let mut b = Both::default();
    for n in 0..JOURNEYS + 10 {
        let key = format!("m{n}");
        b.guest(&key, None, Side::Guest, Source::Live, "x");
        b.told(&key, Side::Guest, "c");
    }
    assert_eq!((b.pair().journeys.len(), b.pair().older), (JOURNEYS, 10));
}

#[test]
fn what_can_be_joined_no_more_is_found_by_its_text_no_more() {
    let mut b = Both::default();
    for n in 0..20_500 {
        b.guest("", Some(&format!("t{n}")), Side::Guest, Source::Outgoing, &format!("text {n}")).after(1);
        b.guest(&format!("k{n}"), Some(&format!("t{n}")), Side::Guest, Source::Live, &format!("text {n}")).after(1);
    }
    assert_eq!((b.fold.open.len(), b.fold.by_text.len()), (20_000, 20_000));
    assert!(b.fold.by_key.len() <= 20_000 && b.fold.by_tracing.len() <= 20_000);
}
