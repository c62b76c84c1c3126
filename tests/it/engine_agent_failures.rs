//! What goes wrong for an agent against the sandbox, told as a report and explained, and what becomes of what was said.

use std::sync::Arc;

use sessionscope::dialect::{Deed, DeskWish, Wish};
use sessionscope::engine::{Command, SessionSpec, Ticket};
use sessionscope::model::agents::{AgentForm, SignIn, user_token_key};
use sessionscope::model::desk::Stage;
use sessionscope::model::fact::SessionState;
use sessionscope::model::{DialectId, Environment, Report, Secret, SessionId};
use sessionscope::projection::{Finding, SessionView};
use sessionscope::sandbox::Order;

use crate::engine_agent::{agent, until_talk};
use crate::support::console::{Desk, LIMIT};

/// Begins the session of an agent, whatever comes of it.
fn begin(desk: &Desk, environment: Environment) -> SessionId {
    let before = desk.headless.board().sessions.len();
    let spec = SessionSpec {
        name: "Agent".to_owned(),
        dialect: DialectId::Agent,
        environment,
        agent: AgentForm { user: "agent1@sandbox.invalid".to_owned(), ..AgentForm::default() },
        ..SessionSpec::default()
    };
    let open = Command::OpenSession { ticket: Ticket(900), spec: Box::new(spec), connect: true };
    desk.headless.console.engine.send(open).unwrap();
    desk.headless.until(LIMIT, |h| h.board().sessions.get(before).map(|s| s.id)).unwrap()
}

fn report(view: &SessionView, code: &str) -> Option<Report> {
    view.faults.iter().map(|(_, r)| r.as_ref().clone()).find(|r| r.code == code)
}

/// The report with this code, as soon as the failure is explained by this cause before all others.
fn explained(desk: &Desk, session: SessionId, code: &str, cause: &str) -> (Report, Arc<Finding>) {
    let found = desk.headless.until(LIMIT, |h| {
        let view = h.view(session)?;
        let named = |f: &&Arc<Finding>| f.verdicts.first().is_some_and(|v| v.cause == cause);
        Some((report(&view, code)?, view.findings.list.iter().rev().find(named)?.clone()))
    });
    found.unwrap_or_else(|| {
        let view = desk.headless.view(session).unwrap();
        let all: String = view.findings.list.iter().map(|f| f.told()).collect();
        panic!("never {code} and {cause}: {:?}\n{all}", view.faults)
    })
}

#[test]
fn a_token_of_another_region_is_named_as_that() {
    let (here, there) = (Desk::open(), Desk::open());
    let api = there.environment.hosts().unwrap().api;
    let session = begin(&here, Environment { api: Some(api), ..here.environment.clone() });
    let (report, finding) = explained(&here, session, "agent-wrong-region", "agent-wrong-region");
    assert!(report.remedies[0].contains("region"), "{report:?}");
    assert!(finding.verdicts[0].says.contains("which nobody had taken before"), "{}", finding.told());
    here.until(session, "ended", |v| v.state.as_ref().is_some_and(SessionState::is_ended));
}

#[test]
fn client_credentials_cannot_be_used_as_an_agent() {
    let desk = Desk::open();
    let mut environment = Environment { id: "e1".into(), ..desk.environment.clone() };
    let secret = environment.client_secret.as_ref().unwrap().0.clone();
    let client = environment.client_id.clone().unwrap();
    let url = format!("{}/oauth/token", environment.hosts().unwrap().login);
    let token = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http.post(url).basic_auth(client, Some(secret.expose()));
        let answer = request.form(&[("grant_type", "client_credentials")]).send().await.unwrap();
        let body: serde_json::Value = answer.json().await.unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    });
    environment.agents.sign_in = SignIn::Pasted;
    let keep = Command::KeepSecret { key: user_token_key("e1", ""), value: Secret::new(token) };
    desk.headless.console.engine.send(keep).unwrap();
    let session = begin(&desk, environment);
    let (report, _) = explained(&desk, session, "no-user", "agent-client-credentials");
    assert!(report.remedies[0].contains("Sign in as a person"), "{report:?}");
}

#[test]
fn a_message_that_the_desk_itself_finds_too_long_is_explained() {
    let mut desk = Desk::open();
    desk.environment.agents.text_chars = 20;
    let agent = agent(&desk, 1, |_| {});
    let guest = desk.connect("Guest");
    desk.say(guest, "Hello");
    let met = until_talk(&desk, agent, "answered", |_, stage| stage == Stage::Connected);
    let text = "This is longer than twenty characters".to_owned();
    let deed = Deed::Say { tracing: "long".into(), text, files: Vec::new() };
    desk.wish(agent, Wish::Desk(DeskWish::In { conversation: met.id.clone(), deed }));
    let view = desk.until(agent, "not sent", |v| v.not_sent.iter().any(|(tracing, _)| tracing == "long"));
    assert!(view.not_sent[0].1.contains("37 characters; at most 20"), "{:?}", view.not_sent);
    let named = |f: &Arc<Finding>| f.verdicts.first().is_some_and(|v| v.cause == "agent-message-too-long");
    desk.until(agent, "explained", |v| v.findings.list.iter().any(named));
}

/// The agent speaks to a conversation that was handed to somebody else, and was not told.
#[test]
fn a_message_into_a_conversation_that_another_took_says_who_has_it() {
    let mut desk = Desk::open();
    let first = agent(&desk, 1, |_| {});
    let guest = desk.connect("Guest");
    desk.say(guest, "Hello");
    let met = until_talk(&desk, first, "answered", |_, stage| stage == Stage::Connected);
    // Nothing tells the first agent of what comes.
    desk.order(Order::EvictChannel { channel: None, told: false });
    let second = agent(&desk, 2, |_| {});
    let to = desk.headless.view(second).unwrap().desk.as_ref().unwrap().me().to_owned();
    let mine = met.people.iter().find(|p| p.user.is_some()).unwrap().id.clone();
    let request = sessionscope::dialect::FlowWish::Request {
        method: "POST".into(),
        path: format!("/api/v2/conversations/messages/{}/participants/{mine}/replace", met.id),
        body: format!(r#"{{"userId":"{to}"}}"#),
    };
    desk.wish(first, Wish::Flow(request));
    until_talk(&desk, second, "answered", |_, stage| stage == Stage::Connected);
    let deed = Deed::Say { tracing: "late".into(), text: "Are you there?".into(), files: Vec::new() };
    desk.wish(first, Wish::Desk(DeskWish::In { conversation: met.id.clone(), deed }));
    let (report, _) = explained(&desk, first, "taken", "agent-conversation-taken");
    assert!(report.what.contains("Agent Two"), "{report:?}");
    until_talk(&desk, first, "is out", |_, stage| stage == Stage::Ended);
}
