//! The join of both ends, and what becomes of it when the conversation is cleared, left, handed over, broken off or
//! over: each by itself, and each with messages that come later.

use std::sync::Arc;

use sessionscope::dialect::{Deed, DeskWish, Target, Wish};
use sessionscope::model::SessionId;
use sessionscope::model::desk::Stage;
use sessionscope::model::fact::SessionState;
use sessionscope::projection::ends::Journey;
use sessionscope::projection::{Pair, SessionView};
use sessionscope::sandbox::Order;

use crate::engine_agent::{agent, deed, said, say, until_talk};
use crate::support::console::{Desk, texts};

/// A guest and the agent who answered it, in the conversation of this id; both have spoken, and are joined.
fn joined(desk: &mut Desk) -> (SessionId, SessionId, String) {
    let agent = agent(desk, 1, |_| {});
    let guest = desk.connect("Guest");
    desk.say(guest, "Hello");
    let met = until_talk(desk, agent, "answered", |t, stage| stage == Stage::Connected && said(t) == ["Hello"]);
    say(desk, agent, &met.id, "What is it?");
    whole(desk, &met.id, &["Hello", "What is it?"]);
    (agent, guest, met.id.clone())
}

fn pair_of(desk: &Desk, conversation: &str) -> Option<Arc<Pair>> {
    desk.headless.board().ends.pairs.iter().find(|p| p.conversation == conversation).cloned()
}

/// Both ends have it.
fn is_whole(journey: &Journey) -> bool {
    journey.guest.as_ref().is_some_and(|g| g.seen.is_some()) && journey.agents.iter().any(|a| a.fetched.is_some())
}

/// Waits until these texts, and no others, are the messages of a conversation, each seen at both ends.
fn whole(desk: &Desk, conversation: &str, wanted: &[&str]) -> Arc<Pair> {
    let told = |p: &Pair| -> Vec<String> {
        let whole = p.journeys.iter().filter(|j| is_whole(j));
        whole.filter_map(|j| j.text().map(|t| t.to_string())).collect()
    };
    let look = || pair_of(desk, conversation).filter(|p| told(p) == wanted && p.journeys.len() == wanted.len());
    let found = desk.headless.until(crate::support::console::LIMIT, |_| look());
    let pair = found.unwrap_or_else(|| panic!("never {wanted:?}: {:#?}", desk.headless.board().ends));
    assert!(pair.proof.is_certain(), "{}", pair.proof.sentence());
    pair
}

fn is_over(v: &SessionView) -> bool {
    v.state.as_ref().is_some_and(SessionState::is_ended)
}

/// Connects again and says something, as soon as that is possible.
fn back(desk: &Desk, guest: SessionId, text: &str) {
    desk.wish(guest, Wish::Connect);
    desk.until(guest, "ready again", |v| v.state == Some(SessionState::Ready));
    desk.say(guest, text);
}

#[test]
fn a_cleared_conversation_keeps_its_join_and_the_next_one_is_joined_by_itself() {
    let mut desk = Desk::open();
    let (agent, guest, first) = joined(&mut desk);
    desk.order(serde_json::from_str(r#"{"do":"set_deployment","conversation_clear":true}"#).unwrap());
    desk.wish(guest, Wish::Clear { tracing: "clear".into() });
    desk.until(guest, "cleared", is_over);
    until_talk(&desk, agent, "out", |_, stage| stage == Stage::Ended);
    back(&desk, guest, "Something else");
    let next = until_talk(&desk, agent, "answered", |t, stage| {
        t.id != first && stage == Stage::Connected && said(t).contains(&"Something else".to_owned())
    });
    say(&desk, agent, &next.id, "And what?");
    let pair = whole(&desk, &next.id, &["Something else", "And what?"]);
    assert_eq!((pair.guest, &pair.agents[..]), (guest, &[agent][..]));
    whole(&desk, &first, &["Hello", "What is it?"]);
}

#[test]
fn an_agent_who_leaves_takes_no_join_along_and_what_the_guest_says_next_is_of_the_same_conversation() {
    let mut desk = Desk::open();
    let (agent, guest, first) = joined(&mut desk);
    desk.order(serde_json::from_str(r#"{"do":"set_deployment","conversation_disconnect":"send"}"#).unwrap());
    deed(&desk, agent, &first, Deed::Disconnect);
    until_talk(&desk, agent, "out", |_, stage| stage == Stage::Ended);
    desk.say(guest, "One more thing");
    until_talk(&desk, agent, "answered again", |t, stage| t.id == first && stage == Stage::Connected);
    say(&desk, agent, &first, "Go on");
    let pair = whole(&desk, &first, &["Hello", "What is it?", "One more thing", "Go on"]);
    assert!(pair.events.iter().any(|e| !e.guest), "the end is on the timeline: {:?}", pair.events);
}

#[test]
fn a_read_only_conversation_stays_joined_and_the_new_session_of_the_guest_joins_it_again() {
    let mut desk = Desk::open();
    let (agent, guest, first) = joined(&mut desk);
    deed(&desk, agent, &first, Deed::Disconnect);
    desk.until(guest, "read-only", |v| v.state == Some(SessionState::ReadOnly));
    whole(&desk, &first, &["Hello", "What is it?"]);
    desk.wish(guest, Wish::StartNew);
    desk.until(guest, "anew", |v| v.state == Some(SessionState::Ready));
    desk.say(guest, "It is me again");
    // Within the threading window it is the same conversation.
    until_talk(&desk, agent, "answered again", |t, stage| t.id == first && stage == Stage::Connected);
    say(&desk, agent, &first, "Welcome back");
    whole(&desk, &first, &["Hello", "What is it?", "It is me again", "Welcome back"]);
}

#[test]
fn a_transfer_keeps_the_join_and_what_is_said_later_is_joined_with_the_second_agent() {
    let mut desk = Desk::open();
    let (first, guest, conversation) = joined(&mut desk);
    let second = agent(&desk, 2, |_| {});
    let to = desk.headless.view(second).unwrap().desk.as_ref().unwrap().me().to_owned();
    deed(&desk, first, &conversation, Deed::Transfer { to: Target::User(to) });
    until_talk(&desk, second, "answered", |_, stage| stage == Stage::Connected);
    say(&desk, second, &conversation, "I take over");
    desk.until(guest, "hears the second", |v| texts(v).contains(&"I take over".to_owned()));
    desk.say(guest, "Thank you");
    let pair = whole(&desk, &conversation, &["Hello", "What is it?", "I take over", "Thank you"]);
    assert_eq!(pair.agents, [first, second]);
    let last = pair.journeys.last().unwrap();
    assert!(last.agents.iter().any(|a| a.session == second && a.fetched.is_some()), "{last:?}");
}

#[test]
fn a_second_agent_to_whom_the_queue_leads_the_guest_joins_the_same_pair() {
    let mut desk = Desk::open();
    let (first, guest, conversation) = joined(&mut desk);
    desk.order(serde_json::from_str(r#"{"do":"set_deployment","conversation_disconnect":"send"}"#).unwrap());
    let second = agent(&desk, 2, |_| {});
    // The first goes off queue, and leaves the guest.
    desk.wish(first, Wish::Desk(DeskWish::Presence { is: "Busy".into() }));
    desk.until(first, "off queue", |v| v.desk.as_ref().is_some_and(|d| d.routing == "OFF_QUEUE"));
    deed(&desk, first, &conversation, Deed::Disconnect);
    until_talk(&desk, first, "out", |_, stage| stage == Stage::Ended);
    desk.say(guest, "Is anybody there?");
    until_talk(&desk, second, "answered", |t, stage| t.id == conversation && stage == Stage::Connected);
    say(&desk, second, &conversation, "I am");
    let pair = whole(&desk, &conversation, &["Hello", "What is it?", "Is anybody there?", "I am"]);
    assert_eq!((pair.guest, &pair.agents[..]), (guest, &[first, second][..]));
}

#[test]
fn a_guest_who_reconnects_stays_joined() {
    let mut desk = Desk::open();
    desk.environment.reconnect = true;
    let (agent, guest, conversation) = joined(&mut desk);
    let status = desk.headless.view(guest).unwrap().records;
    desk.order(Order::Drop { session: Some("s1".into()), conn: None });
    desk.until(guest, "ready again", |v| {
        let again = v.conversation.entries.iter().any(|e| format!("{:?}", e.what).contains("reconnecting"));
        v.records > status && again && v.state == Some(SessionState::Ready)
    });
    desk.say(guest, "The line was cut");
    until_talk(&desk, agent, "heard", |t, _| said(t).contains(&"The line was cut".to_owned()));
    say(&desk, agent, &conversation, "I hear you");
    let pair = whole(&desk, &conversation, &["Hello", "What is it?", "The line was cut", "I hear you"]);
    let odd = pair.oddities(desk.headless.board().at.mono);
    assert!(odd.is_empty(), "{odd:?}");
}

#[test]
fn a_session_that_expired_keeps_its_join_and_the_guest_s_next_session_is_joined_by_itself() {
    let mut desk = Desk::open();
    let (agent, guest, first) = joined(&mut desk);
    desk.order(Order::ExpireSession { session: None, in_seconds: None });
    desk.until(guest, "expired", is_over);
    until_talk(&desk, agent, "out", |_, stage| stage == Stage::Ended);
    whole(&desk, &first, &["Hello", "What is it?"]);
    // Its token is of no use any more.
    let again = desk.connect("Guest again");
    desk.say(again, "I was away");
    let next = until_talk(&desk, agent, "answered", |t, stage| {
        t.id != first && stage == Stage::Connected && said(t) == ["I was away"]
    });
    say(&desk, agent, &next.id, "No matter");
    let pair = whole(&desk, &next.id, &["I was away", "No matter"]);
    assert_eq!((pair.guest, &pair.agents[..]), (again, &[agent][..]));
    assert_eq!(whole(&desk, &first, &["Hello", "What is it?"]).guest, guest);
}
