use proptest::prelude::*;

use super::*;
use crate::model::happening::Attachment;
use crate::projection::merge::tests::message;

const START: i64 = 1_767_705_975_000_000;

fn told(seq: u64) -> Told {
    let now = Now { wall: Wall(START + seq as i64 * 1_000), mono: Mono(seq * 1_000) };
    Told { seq, n: 0, now, server: now.wall, source: Some(Source::Live) }
}

#[derive(Default)]
struct Play {
    thread: Thread,
    conv: Conversation,
    seq: u64,
}

impl Play {
    fn next(&mut self) -> Told {
        self.seq += 1;
        told(self.seq)
    }

    fn say(&mut self, m: Message) -> Option<(u64, u64)> {
        let at = self.next();
        self.thread.said(&mut self.conv, at, m)
    }

    fn deliver(&mut self, tracing: &str, d: Delivery) -> bool {
        let at = self.next();
        self.thread.deliver(&mut self.conv, at, tracing, d)
    }

    fn keys(&self) -> Vec<String> {
        self.conv
            .entries
            .iter()
            .map(|e| match &e.what {
                What::Message(m) if m.key.is_empty() => m.tracing.clone().unwrap_or_default(),
                What::Message(m) => m.key.clone(),
                What::State(line) => line.clone(),
                other => format!("{other:?}"),
            })
            .collect()
    }

    /// The fold's own books agree with what is shown.
    fn check(&self) {
        let (places, entries) = (&self.thread.places, &self.conv.entries);
        assert_eq!(places.len(), entries.len());
        assert!(places.windows(2).all(|w| w[0] < w[1]), "places ascend");
        assert_eq!(places.len(), self.thread.slots.len());
        for (place, entry) in places.iter().zip(entries) {
            assert_eq!(self.thread.slots[&place.id].place, *place);
            assert_eq!(entry.at.0, place.micros);
        }
        let weights = entries.iter().map(|e| weight::of(&e.what)).sum::<usize>();
        assert_eq!(self.thread.weight, weights);
        assert!(self.thread.names.values().all(|id| self.thread.slots.contains_key(id)));
    }
}

fn outgoing(tracing: &str) -> Message {
    message("", Some(tracing), Source::Outgoing, None)
}

fn echo(key: &str, tracing: &str, at: i64) -> Message {
    message(key, Some(tracing), Source::Live, Some(START + at))
}

fn agent(key: &str, at: i64) -> Message {
    Message { side: Side::Agent, ..message(key, None, Source::Live, Some(START + at)) }
}

#[test]
fn an_own_message_waits_at_the_end_and_takes_its_place_with_the_echo() {
    let mut p = Play::default();
    p.say(outgoing("t1"));
    assert_eq!(p.conv.entries[0].state, EntryState::Own(Delivery::Sent, None));
    p.say(agent("a1", 50_000));
    assert_eq!(p.keys(), ["a1", "t1"], "what is on its way stands last");
    assert_eq!(p.say(echo("m1", "t1", 10_000)), Some((3, 2_000)));
    assert_eq!(p.keys(), ["m1", "a1"]);
    assert_eq!(p.conv.entries[0].state, EntryState::Own(Delivery::Delivered, Some(2_000)));
    assert_eq!(p.conv.entries[0].records, [1, 3]);
    assert_eq!(p.say(echo("m1", "t1", 10_000)), None, "a latency is measured once");
    assert_eq!(p.keys(), ["m1", "a1"]);
    p.check();
}

#[test]
fn a_key_that_the_answer_to_a_post_tells_joins_the_frame_that_comes_back_in_either_order() {
    for frame_first in [false, true] {
        let mut p = Play::default();
        p.say(outgoing("t1"));
        let named = |p: &mut Play| {
            let at = p.next();
            p.thread.named(&mut p.conv, at, "t1", "m1");
        };
        let frame = |p: &mut Play| p.say(message("m1", None, Source::Live, None));
        if frame_first {
            frame(&mut p);
            assert_eq!(p.conv.entries.len(), 2, "nothing tells yet that they are one");
            named(&mut p);
        } else {
            named(&mut p);
            frame(&mut p);
        }
        assert_eq!(p.keys(), ["m1"]);
        assert_eq!(p.conv.entries[0].records, [1, 2, 3]);
        // Neither name is anybody else's.
        let at = p.next();
        p.thread.named(&mut p.conv, at, "never said", "m1");
        assert_eq!(p.keys(), ["m1"]);
        p.check();
    }
}

#[test]
fn history_and_echo_meet_though_history_came_first() {
    let mut p = Play::default();
    p.say(outgoing("t1"));
    p.say(message("m1", None, Source::History, Some(START)));
    assert_eq!(p.conv.entries.len(), 2, "nothing tells yet that they are one");
    p.say(echo("m1", "t1", 0));
    assert_eq!(p.keys(), ["m1"]);
    assert_eq!(p.conv.entries[0].records, [1, 2, 3]);
    p.check();
}

#[test]
fn equal_times_and_equal_texts_are_still_two_messages() {
    let mut p = Play::default();
    for t in ["t1", "t2"] {
        p.say(outgoing(t));
    }
    p.say(echo("m2", "t2", 5));
    p.say(echo("m1", "t1", 5));
    assert_eq!(p.keys(), ["m1", "m2"], "a tie is decided by arrival, and t1 was sent first");
    p.check();
}

#[test]
fn a_frame_sent_twice_by_hand_under_one_tracing_id_is_two_messages() {
    let mut p = Play::default();
    p.say(outgoing("t"));
    p.say(echo("m1", "t", 1));
    p.say(outgoing("t"));
    p.say(echo("m2", "t", 2));
    assert_eq!(p.keys(), ["m1", "m2"]);
    p.check();
}

#[test]
fn what_nobody_follows_is_unconfirmed_when_the_session_ends() {
    let mut p = Play::default();
    p.say(outgoing("by hand"));
    p.say(outgoing("followed"));
    p.deliver("followed", Delivery::Sent);
    p.thread.ended(&mut p.conv);
    let states: Vec<_> = p.conv.entries.iter().map(|e| e.state.clone()).collect();
    assert!(matches!(&states[0], EntryState::Own(Delivery::Unconfirmed { .. }, None)), "{states:?}");
    assert_eq!(states[1], EntryState::Own(Delivery::Sent, None), "its own fate is still to come");
    // A late echo is believed all the same.
    p.say(echo("k", "by hand", 5));
    assert!(p.conv.entries.iter().any(|e| matches!(e.state, EntryState::Own(Delivery::Delivered, _))));
    p.check();
}

#[test]
fn a_refused_message_that_is_sent_again_is_one_message() {
    let mut p = Play::default();
    p.say(outgoing("t"));
    assert!(p.deliver("t", Delivery::Refused { code: 429, text: "slow down".into() }));
    let retrying = Delivery::Retrying { at: Wall(0), attempt: 1, why: "429".into() };
    assert!(p.deliver("t", retrying.clone()));
    assert_eq!(p.conv.entries[0].state, EntryState::Own(retrying, None));
    p.say(outgoing("t"));
    assert_eq!(p.conv.entries[0].state, EntryState::Own(Delivery::Sent, None));
    assert_eq!(p.say(echo("m", "t", 9)), Some((5, 1_000)), "measured from the frame that got through");
    assert!(p.deliver("t", Delivery::Unconfirmed { why: "lost".into() }));
    assert!(matches!(p.conv.entries[0].state, EntryState::Own(Delivery::Delivered, _)), "the echo is the proof");
    p.check();
}

#[test]
fn a_message_without_echo_that_history_has_is_one_message() {
    let mut p = Play::default();
    let history = |key: &str, at| message(key, None, Source::History, Some(START + at));
    p.say(history("before", -90_000_000));
    for t in ["t1", "t2"] {
        p.say(outgoing(t));
        assert!(p.deliver(t, Delivery::Unconfirmed { why: "lost".into() }));
    }
    p.say(history("m1", 10_000));
    p.say(history("m2", 20_000));
    assert_eq!(p.conv.entries.len(), 5, "nothing tells yet which is which");
    // Newest first, as history is read.
    assert!(p.deliver("t2", Delivery::Delivered) && p.deliver("t1", Delivery::Delivered));
    assert_eq!(p.keys(), ["before", "m1", "m2"]);
    assert_eq!(p.conv.entries[2].records, [4, 5, 7, 8]);
    assert!(p.conv.entries.iter().all(|e| e.state == EntryState::Own(Delivery::Delivered, None)));
    p.say(history("m1", 10_000));
    assert_eq!(p.conv.entries.len(), 3);
    p.check();
}

#[test]
fn what_was_not_sent_and_is_sent_after_all_is_sent() {
    let mut p = Play::default();
    assert!(!p.deliver("t", Delivery::NotSent { why: "not connected".into() }), "there is nothing to show it on");
    p.say(outgoing("t"));
    assert_eq!(p.conv.entries[0].state, EntryState::Own(Delivery::Sent, None));
    assert!(p.deliver("t", Delivery::NotSent { why: "the socket broke".into() }));
    assert_eq!(p.conv.entries[0].state, EntryState::Own(Delivery::NotSent { why: "the socket broke".into() }, None));
    p.check();
}

#[test]
fn a_disconnect_that_reappears_in_history_is_shown_once() {
    let mut p = Play::default();
    let gone = |read_only| Presence::Disconnected { read_only };
    for (key, read_only) in [(Some("d1"), Some(true)), (Some("d1"), None), (None, None)] {
        let at = p.next();
        let facts = (key.map(Into::into), Some(Wall(START)), None);
        p.thread.presence(&mut p.conv, at, (Side::Agent, gone(read_only)), facts);
    }
    assert_eq!(p.conv.entries.len(), 1);
    assert_eq!(p.conv.entries[0].what, What::Presence(Side::Agent, gone(Some(true))));
    assert!(p.conv.read_only);
    p.check();
}

#[test]
fn clearing_marks_what_was_said_before_and_what_is_told_of_that_time() {
    let mut p = Play::default();
    p.say(agent("a1", 10));
    p.say(agent("a2", 20));
    p.thread.cleared(&mut p.conv);
    p.say(agent("late", 15));
    p.say(agent("new", 30));
    let marks: Vec<bool> = p.conv.entries.iter().map(|e| e.cleared).collect();
    assert_eq!(p.keys(), ["a1", "late", "a2", "new"]);
    assert_eq!(marks, [true, true, true, false]);
}

#[test]
fn an_upload_is_replaced_by_the_message_that_refers_to_it() {
    let mut p = Play::default();
    let states = [
        AttachmentState::Asked { name: "foo.png".into(), size: 42 },
        AttachmentState::Granted,
        AttachmentState::Uploaded,
        AttachmentState::Granted,
    ];
    for state in states {
        let at = p.next();
        p.thread.attachment(&mut p.conv, at, "b1".into(), state);
    }
    assert!(matches!(
        &p.conv.entries[0].what,
        What::Upload { name, size: 42, state: AttachmentState::Uploaded, .. } if name == "foo.png"
    ));
    let mut m = echo("m1", "t1", 7);
    m.parts = vec![Part::Attachment(Attachment { id: "b1".into(), ..Attachment::default() })];
    p.say(m);
    assert_eq!(p.keys(), ["m1"]);
    assert_eq!(p.conv.entries[0].records, [1, 2, 3, 4, 5]);
    let at = p.next();
    p.thread.attachment(&mut p.conv, at, "b1".into(), AttachmentState::LinkRefreshed);
    assert_eq!(p.conv.entries.len(), 1, "news of the file belongs to the message");
    assert_eq!(p.conv.entries[0].records.last(), Some(&6));
    p.check();
}

#[test]
fn lines_stand_where_they_happened_though_the_server_is_ahead() {
    let mut p = Play::default();
    p.say(agent("a1", 3_600_000_000));
    let at = p.next();
    p.thread.line(&mut p.conv, at, What::State("lost".into()));
    p.say(agent("a2", 3_600_000_500));
    assert_eq!(p.keys(), ["a1", "lost", "a2"]);
}

#[test]
fn a_message_ends_the_typing_of_its_side_also_when_read_first() {
    let mut p = Play::default();
    let (typed, said) = (p.next(), p.next());
    p.thread.typing(&mut p.conv, typed, Side::Agent, 5_000);
    assert_eq!(p.conv.typing_now(Mono(4_000)), Some(Side::Agent));
    assert_eq!(p.conv.typing_now(Mono(5_001_000)), None);
    p.thread.said(&mut p.conv, said, agent("a", 1));
    assert_eq!(p.conv.typing, None);
    p.thread.typing(&mut p.conv, typed, Side::Agent, 5_000);
    assert_eq!(p.conv.typing, None);
}

#[test]
fn the_newest_are_kept_the_rest_counted_and_never_counted_twice() {
    let mut p = Play { thread: Thread::keeping(10, KEPT_BYTES, LONGEST_TEXT), ..Play::default() };
    (0..=11).for_each(|n| _ = p.say(agent(&format!("m{n}"), n)));
    assert_eq!((p.conv.entries.len(), p.conv.older), (10, 2));
    // A page of history tells the old ones again, and one that was never heard of.
    for n in 0..5 {
        p.say(message(&format!("m{n}"), None, Source::History, Some(START + n)));
    }
    p.say(message("unheard", None, Source::History, Some(START - 1)));
    assert_eq!((p.conv.entries.len(), p.conv.older), (10, 3));
    p.check();
}

#[test]
fn heavy_messages_are_kept_in_smaller_number() {
    let mut p = Play { thread: Thread::keeping(1_000, 100_000, 20_000), ..Play::default() };
    for n in 0..100 {
        let mut m = agent(&format!("m{n}"), n);
        m.text = Some("x".repeat(50_000));
        p.say(m);
    }
    assert!(p.thread.weight <= 110_000);
    assert!((4..=5).contains(&p.conv.entries.len()), "{}", p.conv.entries.len());
    assert_eq!(p.conv.older + p.conv.entries.len() as u64, 100);
    p.check();
}

#[test]
fn unsent_messages_that_fall_out_do_not_bar_the_way_for_others() {
    let mut p = Play { thread: Thread::keeping(10, KEPT_BYTES, LONGEST_TEXT), ..Play::default() };
    (0..30).for_each(|n| _ = p.say(outgoing(&format!("t{n}"))));
    p.say(agent("a", 1));
    assert_eq!(p.keys().first().map(String::as_str), Some("a"));
    p.check();
}

#[test]
fn a_message_repeated_without_end_does_not_grow_without_end() {
    let mut p = Play::default();
    (0..200).for_each(|_| _ = p.say(agent("a", 1)));
    let records = &p.conv.entries[0].records;
    assert_eq!((records.len(), records[0], records.last()), (32, 1, Some(&200)));
}

/// A message of a little world, told in many ways.
#[derive(Clone, Debug)]
enum Telling {
    Own(usize),
    Echo(usize, bool),
    Page(Vec<usize>),
}

fn tell(p: &mut Play, telling: &Telling) {
    let own = |n: usize| n.is_multiple_of(2);
    let build = |n: usize, source| {
        let tracing = (own(n) && source != Source::History).then(|| format!("t{n}"));
        let (key, at) = match source {
            Source::Outgoing => (String::new(), None),
            _ => (format!("m{n}"), Some(START + n as i64 * 1_000)),
        };
        let mut m = message(&key, tracing.as_deref(), source, at);
        m.side = if own(n) { Side::Guest } else { Side::Bot };
        m.text = Some("the same for all".into());
        m
    };
    match telling {
        Telling::Own(n) => _ = p.say(build(*n, Source::Outgoing)),
        Telling::Echo(n, by_id) => {
            let mut m = build(*n, Source::Live);
            m.also = vec![format!("i{n}")];
            if *by_id {
                std::mem::swap(&mut m.key, &mut m.also[0]);
            }
            p.say(m);
        }
        Telling::Page(of) => {
            let mut at = p.next();
            for n in of {
                at.n += 1;
                p.thread.said(&mut p.conv, at, build(*n, Source::History));
            }
        }
    }
}

/// Which message, how far delivered, when, and under which names.
fn seen(p: &Play) -> Vec<(i64, Side, bool, Vec<String>)> {
    let of = |e: &Arc<Entry>| {
        let What::Message(m) = &e.what else { panic!("only messages were told") };
        let mut names = m.also.clone();
        names.push(m.key.clone());
        names.sort();
        (e.at.0, m.side, matches!(e.state, EntryState::Own(Delivery::Delivered, _)), names)
    };
    p.conv.entries.iter().map(of).collect()
}

proptest! {
    #[test]
    fn any_order_and_any_repetition_fold_to_the_same_conversation(
        count in 1usize..12,
        order in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..60),
        pages in prop::collection::vec(prop::collection::vec(0usize..12, 0..8), 0..6),
        shuffle in prop::collection::vec(any::<u32>(), 200),
    ) {
        // Each message is told plainly once; then all tellings and more of them in any order.
        let mut plain = Vec::new();
        for n in 0..count {
            if n.is_multiple_of(2) {
                plain.push(Telling::Own(n));
            }
            plain.push(Telling::Echo(n, false));
        }
        let mut mixed = plain.clone();
        mixed.extend(order.iter().map(|(n, by_id)| Telling::Echo(n.index(count), *by_id)));
        mixed.extend(pages.into_iter().map(|p| Telling::Page(p.into_iter().filter(|n| *n < count).collect())));
        let mut keyed: Vec<_> = mixed.into_iter().zip(shuffle.into_iter().cycle()).collect();
        keyed.sort_by_key(|(_, k)| *k);

        let (mut expected, mut got) = (Play::default(), Play::default());
        plain.iter().for_each(|t| tell(&mut expected, t));
        keyed.iter().for_each(|(t, _)| tell(&mut got, t));
        got.check();
        prop_assert_eq!(seen(&expected), seen(&got));
        prop_assert_eq!(expected.conv.entries.len(), count);
    }
}

/// Anything that can be told of a few messages and files, in an order that no server would choose.
#[derive(Clone, Debug)]
enum Event {
    Say { key: u8, also: u8, tracing: u8, source: u8, at: Option<i64>, side: u8, file: u8 },
    Presence { key: u8, tracing: u8, source: u8, at: Option<i64>, guest: bool },
    File(u8, u8),
    Deliver(u8, u8),
    Line,
    Clear,
}

fn event() -> impl Strategy<Value = Event> {
    let at = || prop::option::of(prop_oneof![0i64..50, any::<i64>()]);
    prop_oneof![
        6 => (0u8..6, 0u8..6, 0u8..6, 0u8..3, at(), 0u8..4, 0u8..8)
            .prop_map(|(key, also, tracing, source, at, side, file)| Event::Say { key, also, tracing, source, at, side, file }),
        2 => (0u8..6, 0u8..6, 0u8..3, at(), any::<bool>())
            .prop_map(|(key, tracing, source, at, guest)| Event::Presence { key, tracing, source, at, guest }),
        2 => (0u8..3, 0u8..6).prop_map(|(id, state)| Event::File(id, state)),
        2 => (0u8..6, 0u8..6).prop_map(|(tracing, delivery)| Event::Deliver(tracing, delivery)),
        1 => Just(Event::Line),
        1 => Just(Event::Clear),
    ]
}

fn play(p: &mut Play, event: Event) {
    let name = |n: u8| (n > 0).then(|| n.to_string());
    let source = |n: u8| [Source::Outgoing, Source::Live, Source::History][usize::from(n)];
    let mut told = p.next();
    match event {
        Event::Say { key, also, tracing, source: from, at, side, file } => {
            let mut m = message(&name(key).unwrap_or_default(), name(tracing).as_deref(), source(from), None);
            m.also = name(also).into_iter().collect();
            m.at = at.map(Wall);
            m.side = [Side::Guest, Side::Agent, Side::Bot, Side::System][usize::from(side)];
            if file < 3 {
                m.parts = vec![Part::Attachment(Attachment { id: file.to_string(), ..Attachment::default() })];
            }
            p.thread.said(&mut p.conv, told, m);
        }
        Event::Presence { key, tracing, source: from, at, guest } => {
            told.source = Some(source(from));
            let side = if guest { Side::Guest } else { Side::Agent };
            p.thread.presence(&mut p.conv, told, (side, Presence::Joined), (name(key), at.map(Wall), name(tracing)));
        }
        Event::File(id, state) => {
            let state = match state {
                0 => AttachmentState::Asked { name: "a longer name".into(), size: 1 },
                1 => AttachmentState::Granted,
                2 => AttachmentState::Uploaded,
                3 => AttachmentState::Failed { code: 1, text: "no".into() },
                4 => AttachmentState::LinkRefreshed,
                _ => AttachmentState::Deleted,
            };
            p.thread.attachment(&mut p.conv, told, id.to_string(), state);
        }
        Event::Deliver(tracing, delivery) => {
            let why = String::from("why");
            let delivery = match delivery {
                0 => Delivery::Sent,
                1 => Delivery::Retrying { at: Wall(0), attempt: 1, why },
                2 => Delivery::Refused { code: 1, text: why },
                3 => Delivery::NotSent { why },
                4 => Delivery::Delivered,
                _ => Delivery::Unconfirmed { why },
            };
            p.thread.deliver(&mut p.conv, told, &tracing.to_string(), delivery);
        }
        Event::Line => p.thread.line(&mut p.conv, told, What::State("line".into())),
        Event::Clear => p.thread.cleared(&mut p.conv),
    }
}

proptest! {
    #[test]
    fn whatever_is_told_the_books_stay_in_order(
        events in prop::collection::vec(event(), 0..120), kept in 1usize..40,
    ) {
        let mut p = Play { thread: Thread::keeping(kept, KEPT_BYTES, LONGEST_TEXT), ..Play::default() };
        for event in events {
            play(&mut p, event);
            p.check();
            prop_assert!(p.conv.entries.len() <= kept + kept / 10);
        }
    }
}
