//! An agent and a guest of this program in one sandbox: the dialect over real sockets and calls, and both ends joined.

use std::sync::Arc;

use sessionscope::dialect::{Deed, DeskWish, Wish};
use sessionscope::engine::{Command, SessionSpec, Ticket};
use sessionscope::model::agents::AgentForm;
use sessionscope::model::desk::Stage;
use sessionscope::model::fact::{End, ExpiryEvent, SessionState};
use sessionscope::model::{DialectId, SessionId};
use sessionscope::projection::ends::Leg;
use sessionscope::projection::{Pair, SessionView, Talk, What};

use crate::support::console::{Desk, LIMIT, texts};

/// Opens the session of an agent and waits until it is on queue.
pub fn agent(desk: &Desk, number: usize, change: impl FnOnce(&mut AgentForm)) -> SessionId {
    let mut form = AgentForm {
        user: format!("agent{number}@sandbox.invalid"),
        on_queue: true,
        auto_answer: true,
        ..AgentForm::default()
    };
    change(&mut form);
    let on_queue = form.on_queue;
    let before = desk.headless.board().sessions.len();
    let spec = SessionSpec {
        name: format!("Agent {number}"),
        dialect: DialectId::Agent,
        environment: desk.environment.clone(),
        agent: form,
        ..SessionSpec::default()
    };
    let open = Command::OpenSession { ticket: Ticket(900 + number as u64), spec: Box::new(spec), connect: true };
    desk.headless.console.engine.send(open).unwrap();
    let made = desk.headless.until(LIMIT, |h| h.board().sessions.get(before).map(|s| s.id)).unwrap();
    desk.until(made, "ready", |v| v.state == Some(SessionState::Ready));
    if on_queue {
        let is_on = |v: &SessionView| v.desk.as_ref().is_some_and(|d| d.presence == "OnQueue" && d.routing == "IDLE");
        let found = desk.headless.until(LIMIT, |h| h.view(made).filter(|v| is_on(v)));
        let known = || desk.headless.view(made).map(|v| v.desk.clone());
        let calls = || {
            desk.records()
                .iter()
                .filter(|r| !r.head.is_empty())
                .map(|r| format!("{} {:.300} {:.300}\n", r.seq, r.head, r.text().unwrap_or_default()))
                .collect::<String>()
        };
        assert!(found.is_some(), "never on queue: {:?}\n{}", known(), calls());
    }
    made
}

fn talk(view: &SessionView) -> Option<&Arc<Talk>> {
    view.desk.as_ref()?.talks.last()
}

/// Waits until the newest conversation of the desk is so far.
pub fn until_talk(desk: &Desk, agent: SessionId, what: &str, fits: impl Fn(&Talk, Stage) -> bool) -> Arc<Talk> {
    let fits = |v: &SessionView| {
        let stage = |t: &Talk| v.desk.as_ref().map_or(Stage::Unknown, |d| d.stage(t));
        talk(v).filter(|t| fits(t, stage(t))).cloned()
    };
    let found = desk.headless.until(LIMIT, |h| h.view(agent).and_then(|v| fits(&v)));
    found.unwrap_or_else(|| {
        let view = desk.headless.view(agent).unwrap();
        let entries: Vec<String> = talk(&view)
            .iter()
            .flat_map(|t| &t.conversation.entries)
            .map(|e| format!("{:?} {:?}", e.what, e.state))
            .collect();
        panic!("never {what}: {:?} {:?}\n{}", view.state, view.faults, entries.join("\n"))
    })
}

pub fn said(talk: &Talk) -> Vec<String> {
    let text = |w: &What| match w {
        What::Message(m) => m.text.clone(),
        _ => None,
    };
    talk.conversation.entries.iter().filter_map(|e| text(&e.what)).collect()
}

pub fn deed(desk: &Desk, agent: SessionId, conversation: &str, deed: Deed) {
    desk.wish(agent, Wish::Desk(DeskWish::In { conversation: conversation.to_owned(), deed }));
}

pub fn say(desk: &Desk, agent: SessionId, conversation: &str, text: &str) {
    let tracing = uuid::Uuid::new_v4().to_string();
    deed(desk, agent, conversation, Deed::Say { tracing, text: text.into(), files: Vec::new() });
}

fn pair(desk: &Desk, guest: SessionId, what: &str, fits: impl Fn(&Pair) -> bool) -> Arc<Pair> {
    let found = desk.headless.until(LIMIT, |h| h.board().ends.of(guest, None).filter(|p| fits(p)).cloned());
    found.unwrap_or_else(|| panic!("never {what}: {:#?}", desk.headless.board().ends))
}

#[test]
fn a_guest_and_an_agent_meet_and_both_ends_are_joined() {
    let mut desk = Desk::open();
    let agent = agent(&desk, 1, |_| {});
    let guest = desk.connect("Guest");
    desk.say(guest, "I cannot log in");
    let met = until_talk(&desk, agent, "answered", |t, stage| {
        stage == Stage::Connected && said(t).contains(&"I cannot log in".to_owned())
    });
    say(&desk, agent, &met.id, "Let me look");
    desk.until(guest, "hears the agent", |v| texts(v).contains(&"Let me look".to_owned()));
    until_talk(&desk, agent, "has both texts", |t, _| {
        said(t) == ["I cannot log in", "Let me look"] && t.without_text == 0
    });
    let pair = pair(&desk, guest, "two journeys", |p| {
        p.journeys.len() == 2 && Leg::ALL.iter().all(|leg| p.journeys.iter().any(|j| j.leg(*leg).is_some()))
    });
    assert!(pair.proof.is_certain(), "{}", pair.proof.sentence());
    assert_eq!((&pair.agents[..], pair.conversation.as_str()), (&[agent][..], met.id.as_str()));
    assert_eq!(pair.proof.same_ids, 2);
    let odd = pair.oddities(desk.headless.board().at.mono);
    assert!(odd.is_empty(), "{odd:?}");
    let faults = &desk.headless.view(agent).unwrap().faults;
    assert!(faults.is_empty(), "{faults:?}");
    // The scripted partner stays silent.
    assert_eq!(texts(&desk.headless.view(guest).unwrap()).len(), 2);
}

#[test]
fn a_conversation_from_its_alert_to_its_wrap_up() {
    let mut desk = Desk::open();
    let agent = agent(&desk, 1, |f| f.auto_answer = false);
    let guest = desk.connect("Guest");
    desk.say(guest, "Hello");
    let met = until_talk(&desk, agent, "alerted", |_, stage| stage == Stage::Alerting);
    let id = met.id.as_str();
    let view = desk.until(agent, "an alert's clock", |v| v.clocks.iter().any(|c| c.fact.id.starts_with("alert:")));
    let clock = view.clocks.iter().find(|c| c.fact.id.starts_with("alert:")).unwrap();
    assert_eq!((clock.fact.event, clock.fact.assumed), (ExpiryEvent::Started, false));
    deed(&desk, agent, id, Deed::Answer);
    until_talk(&desk, agent, "answered", |_, stage| stage == Stage::Connected);
    deed(&desk, agent, id, Deed::Typing { tracing: "typing".into() });
    desk.until(guest, "sees typing", |v| v.conversation.typing.is_some());
    deed(&desk, agent, id, Deed::Hold { on: true });
    until_talk(&desk, agent, "held", |t, _| {
        t.of_user(desk.headless.view(agent).unwrap().desk.as_ref().unwrap().me()).is_some_and(|p| p.held == Some(true))
    });
    deed(&desk, agent, id, Deed::Hold { on: false });
    deed(&desk, agent, id, Deed::Attributes { attributes: vec![("plan".into(), "gold".into())] });
    until_talk(&desk, agent, "attributes", |t, _| {
        t.customer().is_some_and(|c| c.attributes.iter().any(|(k, v)| k == "plan" && v == "gold"))
    });
    let bytes = bytes::Bytes::from_static(b"A file of the agent.\n");
    deed(
        &desk,
        agent,
        id,
        Deed::Attach { attachment: "f1".into(), name: "a.txt".into(), mime: "text/plain".into(), bytes },
    );
    let uploaded = |t: &Talk| t.conversation.entries.iter().any(|e| format!("{:?}", e.what).contains("Uploaded"));
    until_talk(&desk, agent, "uploaded", |t, _| uploaded(t));
    deed(
        &desk,
        agent,
        id,
        Deed::Say { tracing: "with-file".into(), text: "See this".into(), files: vec!["f1".into()] },
    );
    desk.until(guest, "gets the file", |v| {
        v.conversation.entries.iter().any(|e| format!("{:?}", e.what).contains("a.txt"))
    });
    deed(&desk, agent, id, Deed::WrapupCodes);
    let met = until_talk(&desk, agent, "codes", |t, _| !t.codes.is_empty());
    deed(&desk, agent, id, Deed::Disconnect);
    until_talk(&desk, agent, "out", |_, stage| stage == Stage::Ended);
    let code = met.codes[0].id.clone();
    deed(&desk, agent, id, Deed::WrapUp { code: Some(code.clone()), notes: "done".into() });
    until_talk(&desk, agent, "wrapped up", |t, _| t.people.iter().any(|p| p.wrapup.as_deref() == Some(code.as_str())));
    let faults = &desk.headless.view(agent).unwrap().faults;
    assert!(faults.is_empty(), "{faults:?}");
}

#[test]
fn what_was_missed_while_the_socket_was_down_is_read_by_rest() {
    use sessionscope::sandbox::Order;
    let mut desk = Desk::open();
    let agent = agent(&desk, 1, |_| {});
    let guest = desk.connect("Guest");
    desk.say(guest, "Hello");
    until_talk(&desk, agent, "answered", |t, stage| stage == Stage::Connected && said(t) == ["Hello"]);
    desk.order(Order::DropNotifications { count: 2 });
    desk.say(guest, "Nobody tells you this");
    desk.until(guest, "echo", |v| texts(v).contains(&"Nobody tells you this".to_owned()));
    desk.wish(agent, Wish::Desk(DeskWish::Reload));
    until_talk(&desk, agent, "read it", |t, _| said(t).contains(&"Nobody tells you this".to_owned()));
    let pair = pair(&desk, guest, "two journeys", |p| p.journeys.len() == 2);
    let odd: Vec<_> = pair.oddities(desk.headless.board().at.mono).into_iter().map(|o| o.odd.word()).collect();
    assert_eq!(odd, ["missed"]);
}

#[test]
fn a_revoked_token_ends_the_desk_with_a_report() {
    let desk = Desk::open();
    let agent = agent(&desk, 1, |_| {});
    desk.wish(agent, Wish::Desk(DeskWish::RevokeToken));
    desk.until(agent, "ended", |v| v.state == Some(SessionState::Ended(End::LoggedOut)));
}
