//! Looking at an environment before a session is made.

use sessionscope::engine::{Command, Event, Ticket};
use sessionscope::model::{Direction, Environment, Kind, Record, Report, SessionId};

use crate::support::console::{Desk, LIMIT};

fn probe(desk: &Desk, environment: Environment) -> Vec<Result<String, Report>> {
    desk.headless.console.engine.send(Command::Probe { ticket: Ticket(7), environment }).unwrap();
    let probed = desk.headless.until(LIMIT, |h| {
        std::iter::from_fn(|| h.console.engine.poll()).find_map(|event| match event {
            Event::Probed { ticket: Ticket(7), checks } => Some(checks),
            _ => None,
        })
    });
    probed.expect("the checks come to an end")
}

/// Kinds and directions of the socket records of no session, each connection on its own.
fn sockets(records: &[Record]) -> Vec<Vec<(Kind, Direction)>> {
    let mut numbers: Vec<u32> = Vec::new();
    let mut all: Vec<Vec<(Kind, Direction)>> = Vec::new();
    for r in records.iter().filter(|r| r.session == SessionId::NONE && r.conn != 0) {
        let at = numbers.iter().position(|n| *n == r.conn).unwrap_or_else(|| {
            numbers.push(r.conn);
            all.push(Vec::new());
            all.len() - 1
        });
        all[at].push((r.kind, r.direction));
    }
    all
}

#[test]
fn the_socket_that_was_opened_to_see_is_closed_and_all_of_it_is_on_record() {
    let desk = Desk::open();
    for _ in 0..2 {
        let checks = probe(&desk, desk.environment.clone());
        assert!(checks.iter().all(Result::is_ok), "{checks:?}");
        assert_eq!(checks.len(), 6, "{checks:?}");
    }
    let one = vec![
        (Kind::SocketOpening, Direction::Sent),
        (Kind::SocketOpen, Direction::Received),
        (Kind::Close, Direction::Sent),
        (Kind::Close, Direction::Received),
    ];
    assert_eq!(sockets(&desk.records()), [one.clone(), one]);
}

#[test]
fn what_the_environment_does_not_name_is_not_checked() {
    let desk = Desk::open();
    let environment = Environment {
        guest_socket: desk.environment.guest_socket.clone(),
        deployment_id: desk.environment.deployment_id.clone(),
        ..Environment::default()
    };
    let checks = probe(&desk, environment);
    let lines: Vec<&str> = checks.iter().map(|c| c.as_deref().unwrap()).collect();
    assert!(lines[0].contains("no CDN host given, not checked"), "{lines:?}");
    assert!(lines[1].contains("no API host given") && lines[1].ends_with("not checked"), "{lines:?}");
    assert!(lines[2].contains("opens"), "{lines:?}");
    // The answer to the upgrade tells the time.
    assert!(lines[3].contains("clocks: the server is"), "{lines:?}");
    assert_eq!(lines.len(), 4);
    assert!(!desk.records().iter().any(|r| r.kind == Kind::HttpRequest), "nothing was asked for in vain");
}

#[test]
fn how_agents_would_sign_in_is_looked_at_without_a_person() {
    let desk = Desk::open();
    let told = |environment: &Environment| {
        let checks = probe(&desk, environment.clone());
        checks.into_iter().find(|c| match c {
            Ok(line) => line.starts_with("agents' sign-in"),
            Err(report) => matches!(report.code.as_str(), "login-page" | "sign-in-port" | "bad-redirect"),
        })
    };
    let good = desk.environment.clone();
    let line = told(&good).unwrap().unwrap();
    assert!(line.contains("knows the client and sends browsers back to http://localhost:"), "{line}");
    let mut wrong = good.clone();
    wrong.agents.client_id = Some("guess".into());
    assert_eq!(told(&wrong).unwrap().unwrap_err().code, "login-page");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut port = good.clone();
    port.agents.redirect_port = taken.local_addr().unwrap().port();
    assert_eq!(told(&port).unwrap().unwrap_err().code, "sign-in-port");
    let mut far = good.clone();
    far.agents.redirect_uri = Some("https://example.com/".into());
    assert_eq!(told(&far).unwrap().unwrap_err().code, "bad-redirect");
    let mut pasted = good.clone();
    pasted.agents.sign_in = sessionscope::model::agents::SignIn::Pasted;
    assert!(told(&pasted).unwrap().unwrap().ends_with("not checked"));
    let none = Environment { agents: Default::default(), ..good };
    assert!(told(&none).is_none(), "nothing is set, so nothing is said");
}
