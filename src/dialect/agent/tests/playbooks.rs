//! An agent's day, step by step.

use bytes::Bytes;
use serde_json::json;

use super::world::World;
use crate::dialect::{Deed, DeskWish, Dialect, Target, Wish};
use crate::model::agents::SubscribeBy;
use crate::model::fact::{ClockDeed, Delivery, ExpiryEvent, SessionState};

/// A conversation that was answered.
fn answered(w: &mut World) {
    w.platform.alert("c1");
    w.run(0.5);
    w.deed("c1", Deed::Answer);
    w.run(0.5);
}

#[test]
fn it_finds_out_who_it_is_makes_a_channel_and_reads_what_is_at_hand() {
    let w = World::ready();
    for (method, end) in [
        ("GET", "/users/me"),
        ("GET", "/presence/definitions"),
        ("GET", "/users/u1/queues"),
        ("POST", "/notifications/channels"),
        ("POST", "/subscriptions"),
        ("GET", "/conversations"),
        ("GET", "/conversations/messages"),
    ] {
        assert_eq!(w.called(method, end), 1, "{method} {end}");
    }
    let channel = w.clock("channel").unwrap();
    assert_eq!((channel.event, channel.until.is_some()), (ExpiryEvent::Started, true));
    assert!(w.faults().is_empty(), "{:?}", w.faults());
}

#[test]
fn topics_can_be_replaced_or_asked_for_by_a_frame() {
    let w = World::ready_with(|c| c.environment.agents.subscribe_by = SubscribeBy::RestReplace);
    assert_eq!(w.called("PUT", "/subscriptions"), 1);
    let w = World::ready_with(|c| c.environment.agents.subscribe_by = SubscribeBy::Socket);
    assert_eq!(w.called("POST", "/subscriptions") + w.called("PUT", "/subscriptions"), 0);
    assert!(w.platform.subscribed);
}

#[test]
fn on_queue_it_joins_and_takes_the_presence_by_whatever_spelling() {
    let mut w = World::new(1, |c| {
        c.form.on_queue = true;
        c.form.queues = vec!["q9".into()];
    });
    w.wish(Wish::Connect);
    w.run(2.0);
    assert_eq!(w.called("PATCH", "/queues/q9"), 1);
    assert_eq!(w.platform.presence, "pd-q");
}

#[test]
fn an_alert_has_a_clock_until_it_is_answered() {
    let mut w = World::ready();
    w.platform.alert("c1");
    w.run(0.5);
    let alert = w.clock("alert:c1").unwrap();
    assert_eq!((alert.event, alert.assumed), (ExpiryEvent::Started, false));
    w.deed("c1", Deed::Answer);
    w.run(0.5);
    assert_eq!(w.clock("alert:c1").map(|c| c.event), Some(ExpiryEvent::Forgotten));
}

#[test]
fn an_alert_that_nobody_answers_is_told_as_expired() {
    let mut w = World::ready();
    w.platform.alert("c1");
    w.run(0.5);
    w.platform.change("c1", |t| t.parties[1].state = "disconnected");
    w.run(0.5);
    assert_eq!(w.clock("alert:c1").map(|c| c.event), Some(ExpiryEvent::Expired));
}

#[test]
fn it_answers_by_itself_once_where_it_shall() {
    let mut w = World::ready_with(|c| c.form.auto_answer = true);
    w.platform.alert("c1");
    w.run(1.0);
    assert_eq!(w.platform.talks["c1"].parties[1].state, "connected");
    assert_eq!(w.calls.iter().filter(|c| c.purpose == "answer").count(), 1);
}

#[test]
fn what_the_guest_says_is_looked_up_together() {
    let mut w = World::ready();
    answered(&mut w);
    for n in 0..20 {
        w.platform.guest_says("c1", &format!("text {n}"));
    }
    w.run(1.0);
    assert_eq!(w.texts.len(), 20);
    assert!(w.called("POST", "/bulk") <= 2, "{}", w.called("POST", "/bulk"));
}

#[test]
fn what_it_says_is_delivered_and_not_looked_up() {
    let mut w = World::ready();
    answered(&mut w);
    w.say("c1", "t1", "Hello");
    assert_eq!(w.delivery("t1"), Some(&Delivery::Sent));
    w.run(1.0);
    assert_eq!(w.delivery("t1"), Some(&Delivery::Delivered));
    assert_eq!(w.called("POST", "/bulk"), 0);
}

#[test]
fn the_whole_of_a_conversation() {
    let mut w = World::ready();
    answered(&mut w);
    let step = |w: &mut World, deed: Deed| {
        w.deed("c1", deed);
        w.run(0.5);
    };
    step(&mut w, Deed::Typing { tracing: "ty".into() });
    assert_eq!(w.called("POST", "/typing"), 1);
    step(&mut w, Deed::Hold { on: true });
    assert!(w.platform.talks["c1"].parties[1].held);
    step(&mut w, Deed::Hold { on: false });
    step(&mut w, Deed::Park { on: true });
    assert_eq!(w.platform.talks["c1"].parties[1].state, "parked");
    step(&mut w, Deed::Park { on: false });
    assert_eq!(w.platform.talks["c1"].parties[1].state, "connected");
    step(&mut w, Deed::Attributes { attributes: vec![("plan".into(), "gold".into())] });
    let customer = w.platform.talks["c1"].parties[0].id.clone();
    assert_eq!(w.called("PATCH", &format!("/participants/{customer}/attributes")), 1, "they are the guest's");
    step(&mut w, Deed::WrapupCodes);
    assert_eq!(w.called("GET", "/wrapupcodes"), 1);
    step(&mut w, Deed::Disconnect);
    w.deed("c1", Deed::WrapUp { code: Some("w1".into()), notes: "n".into() });
    w.run(10.0);
    assert_eq!(w.platform.talks["c1"].parties[1].wrapup.as_deref(), Some("w1"));
    assert!(w.faults().is_empty(), "{:?}", w.faults());
}

#[test]
fn a_wrap_up_waits_for_its_pause() {
    let mut w = World::ready();
    answered(&mut w);
    w.deed("c1", Deed::Disconnect);
    w.run(0.5);
    w.deed("c1", Deed::WrapUp { code: Some("w1".into()), notes: String::new() });
    w.run(1.0);
    assert_eq!(w.called("POST", "/wrapup"), 0);
    w.run(2.0);
    assert_eq!(w.called("POST", "/wrapup"), 1);
}

#[test]
fn it_hands_over_and_ends() {
    let mut w = World::ready();
    answered(&mut w);
    w.deed("c1", Deed::Transfer { to: Target::Queue("q2".into()) });
    w.run(0.5);
    let call = w.calls.iter().find(|c| c.url.ends_with("/replace")).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&call.body).unwrap(), json!({ "queueId": "q2" }));
    w.deed("c1", Deed::End);
    w.run(0.5);
    assert_eq!(w.called("POST", "/conversations/c1/disconnect"), 1);
}

#[test]
fn a_file_is_announced_put_looked_at_and_sent() {
    let mut w = World::ready();
    answered(&mut w);
    let bytes = Bytes::from_static(b"abc");
    w.deed("c1", Deed::Attach { attachment: "a1".into(), name: "a.txt".into(), mime: "text/plain".into(), bytes });
    w.deed("c1", Deed::Say { tracing: "early".into(), text: "see".into(), files: vec!["a1".into()] });
    assert_eq!(w.delivery("early"), None, "it waits for its file");
    w.run(5.0);
    assert_eq!(w.delivery("early"), Some(&Delivery::Delivered));
    let put = w.calls.iter().find(|c| c.method == "PUT").unwrap();
    assert!(put.headers.contains(&("x-amz-tagging".into(), "a=b".into())), "exactly the headers that were signed");
    w.deed("c1", Deed::Say { tracing: "t".into(), text: "see".into(), files: vec!["a1".into()] });
    w.run(0.5);
    let bodies = w.calls.iter().filter(|c| c.url.contains("/messages?"));
    let bodies: Vec<serde_json::Value> = bodies.map(|c| serde_json::from_slice(&c.body).unwrap()).collect();
    let [files, text] = &bodies[bodies.len() - 2..] else { panic!() };
    assert_eq!(files["mediaIds"].as_array().map(Vec::len), Some(1), "one request takes a text or files, not both");
    assert_eq!(text, &json!({ "textBody": "see" }));
    assert_eq!((w.delivery("t"), w.delivery("t-files")), (Some(&Delivery::Delivered), Some(&Delivery::Delivered)));
}

#[test]
fn a_lost_socket_is_opened_again_and_what_was_missed_is_read() {
    let mut w = World::ready();
    answered(&mut w);
    w.lose_socket();
    assert!(matches!(w.agent.state, SessionState::Reconnecting { .. }));
    w.platform.guest_says("c1", "while you were away");
    w.run(5.0);
    assert_eq!(w.agent.state, SessionState::Ready);
    assert_eq!((w.platform.channel, w.texts.len()), (1, 1), "the same channel, nothing missed");
}

#[test]
fn a_channel_that_is_gone_is_made_anew() {
    let mut w = World::ready();
    answered(&mut w);
    w.platform.channel_lives = false;
    w.lose_socket();
    w.run(8.0);
    assert_eq!((w.agent.state.clone(), w.platform.channel), (SessionState::Ready, 2));
    w.platform.guest_says("c1", "x");
    w.run(1.0);
    assert_eq!(w.texts.len(), 1);
}

#[test]
fn a_notice_of_closing_moves_it_to_another_socket_at_once() {
    let mut w = World::ready();
    w.frame(&json!({ "topicName": "v2.system.socket_closing", "version": "2", "eventBody": { "message": "bye" } }));
    w.run(1.0);
    assert_eq!((w.agent.state.clone(), w.platform.channel), (SessionState::Ready, 1));
    assert_eq!(w.called("GET", "/conversations"), 2, "read again");
}

#[test]
fn an_eviction_is_told_and_made_good() {
    let mut w = World::ready();
    w.frame(&json!({ "topicName": "v2.system.no_longer_subscribed.x", "eventBody":
        { "systemTopicType": "no_longer_subscribed", "reason": "another_channel_subscribed" } }));
    w.run(2.0);
    assert!(w.report("channel-evicted").what.contains("Another channel"));
    assert_eq!((w.agent.state.clone(), w.platform.channel), (SessionState::Ready, 2));
}

#[test]
fn silence_is_asked_and_then_means_death() {
    let mut w = World::ready();
    w.run(60.0);
    assert_eq!(w.agent.state, SessionState::Ready, "pongs keep it");
    // The line is cut without a word.
    w.platform.socket = false;
    w.run(60.0);
    assert_eq!(w.faults(), ["no-heartbeat"]);
    assert_eq!(w.agent.state, SessionState::Ready, "and opened again");
}

#[test]
fn a_channel_is_replaced_before_it_ends() {
    let mut w = World::ready();
    w.run(86_400.0 - 400.0);
    assert_eq!(w.platform.channel, 1);
    w.run(200.0);
    assert_eq!((w.platform.channel, w.agent.state.clone()), (2, SessionState::Ready));
    assert_eq!(w.clock("channel").map(|c| c.event), Some(ExpiryEvent::Refreshed));
}

#[test]
fn a_person_can_make_the_channel_anew() {
    let mut w = World::ready();
    w.wish(Wish::Clock { id: "channel".into(), deed: ClockDeed::Expire });
    w.run(2.0);
    assert_eq!((w.platform.channel, w.agent.state.clone()), (2, SessionState::Ready));
    w.wish(Wish::Clock { id: "nonsense".into(), deed: ClockDeed::Expire });
    assert_eq!(w.faults(), ["no-such-clock"]);
}

#[test]
fn it_tidies_up_when_it_leaves() {
    let mut w = World::ready();
    answered(&mut w);
    w.deed("c1", Deed::Disconnect);
    w.run(1.0);
    w.wish(Wish::Leave { code: 1000, reason: "bye".into() });
    w.run(1.0);
    assert!(w.agent.state.is_ended());
    assert_eq!(w.called("DELETE", "/subscriptions"), 1);
    assert!(w.report("wrapup-owed").what.contains("c1"), "what is owed is said");
    assert_eq!(w.clock("channel").map(|c| c.event), Some(ExpiryEvent::Forgotten));
    assert_eq!(w.agent.wait(w.at()), None);
}

#[test]
fn a_look_up_never_breaks_its_budget() {
    let mut w = World::ready_with(|c| c.environment.agents.lookups_per_minute = 10);
    answered(&mut w);
    for n in 0..600 {
        w.platform.guest_says("c1", &format!("{n}"));
        w.run(0.2);
    }
    w.run(60.0);
    assert_eq!(w.texts.len(), 600);
    let times: Vec<u64> = w.platform.looked_up.iter().map(|(t, _)| *t).collect();
    for (n, t) in times.iter().enumerate() {
        // Calls are timed where they arrive, up to 20 ms later than they leave.
        let within = times[n..].iter().take_while(|u| **u - t < 59_900_000).count();
        assert!(within <= 10, "{within} within a minute");
    }
    assert!(w.facts.iter().any(|f| matches!(f, crate::model::Fact::Waiting { .. })), "the wait is told");
}

/// Fifty conversations in each of which a guest says something every second.
fn busy(w: &mut World, seconds: u32) {
    let ids: Vec<String> = (0..50).map(|n| format!("c{n}")).collect();
    for id in ids.iter().filter(|id| !w.platform.talks.contains_key(*id)).collect::<Vec<_>>() {
        w.platform.alert(id);
        w.run(0.1);
        w.deed(id, Deed::Answer);
    }
    w.run(60.0);
    w.platform.looked_up.clear();
    for second in 0..seconds {
        for id in &ids {
            w.platform.guest_says(id, &format!("{second}"));
        }
        w.run(1.0);
    }
    w.run(60.0);
}

/// The longest time between two look-ups of a conversation, in seconds.
fn longest_gap(w: &World, id: &str) -> u64 {
    let own = |ids: &[String]| ids.iter().any(|m| w.platform.store[m].conversation == id);
    let times: Vec<u64> = w.platform.looked_up.iter().filter(|(_, ids)| own(ids)).map(|(t, _)| *t).collect();
    times.windows(2).map(|w| w[1] - w[0]).max().unwrap_or_default() / 1_000_000
}

#[test]
fn conversations_take_turns_where_all_have_texts_to_fetch() {
    let mut w = World::ready();
    busy(&mut w, 120);
    assert_eq!(w.texts.len(), 50 * 120);
    let longest = (0..50).map(|n| longest_gap(&w, &format!("c{n}"))).max();
    assert!(longest < Some(35), "{longest:?}");
    let told = w.facts.iter().filter(|f| matches!(f, crate::model::Fact::Waiting { .. })).count();
    assert!((1..=3).contains(&told), "told {told} times");
}

#[test]
fn the_conversation_that_a_person_looks_at_does_not_wait_for_all_others() {
    let mut w = World::ready();
    w.wish(Wish::Desk(DeskWish::Look { conversation: "c7".into() }));
    busy(&mut w, 120);
    assert_eq!(w.texts.len(), 50 * 120);
    assert!(longest_gap(&w, "c7") < 5, "{}", longest_gap(&w, "c7"));
    let longest = (0..50).map(|n| longest_gap(&w, &format!("c{n}"))).max();
    assert!(longest < Some(45), "{longest:?}");
}
