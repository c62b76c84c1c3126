//! What each flow has of the things that a script can ask for. A step that its flow does not have is refused when the
//! file is read; played, it would do nothing.

use super::script::Scenario;
use super::step::Step;
use crate::dialect::{FlowWish, Wish};
use crate::model::DialectId;
use crate::model::fact::ClockDeed::{self, Corrupt, Expire, Forget, Refresh};

/// A clock's id and what can be done to it. An id that ends with a colon begins many.
type Clock = (&'static str, &'static [ClockDeed]);

const EACH: &[ClockDeed] = &[Refresh, Expire, Corrupt, Forget];

/// What a flow has beside messages, as it is written in a script.
fn deeds(flow: DialectId) -> &'static [&'static str] {
    match flow {
        DialectId::WebMessaging => {
            &["connect", "leave", "history", "start-new", "sign-in", "sign-out", "raw", "answer"]
        }
        DialectId::Agent => &["connect", "leave", "request", "raw"],
        DialectId::SessionToken => &["connect", "leave", "refresh", "request", "form"],
        DialectId::ExternalContact => &["connect", "leave", "refresh", "request", "raw"],
        DialectId::SignedGuest => &["connect", "leave", "check-queue", "refresh", "request"],
        DialectId::ManagedConversation => &["connect", "leave", "heartbeat", "request"],
        DialectId::GuestResource => &["connect", "leave", "profile", "request", "raw"],
    }
}

fn clocks(flow: DialectId) -> &'static [Clock] {
    match flow {
        DialectId::WebMessaging => &[
            ("guest-jwt", EACH),
            ("guest-auth", EACH),
            ("session-idle", &[Refresh, Expire, Forget]),
            ("link:", &[Refresh, Forget]),
        ],
        DialectId::SessionToken => &[("session-token", EACH)],
        DialectId::ExternalContact => &[("handshake-token", EACH)],
        DialectId::SignedGuest => &[("signed-token", &[Refresh, Expire, Forget])],
        DialectId::Agent => &[("channel", &[Refresh, Expire])],
        DialectId::ManagedConversation => &[],
        DialectId::GuestResource => &[("guest-token", &[Expire, Corrupt, Forget])],
    }
}

/// Refuses a sign-in of a guest where the flow has none.
pub fn login(scenario: &Scenario) -> Result<(), String> {
    if scenario.login.is_some() && scenario.flow != DialectId::WebMessaging {
        return Err(format!("login: guests of the flow {} do not sign in", scenario.flow.key()));
    }
    Ok(())
}

/// Refuses a step that the flow does not have.
pub fn check(flow: DialectId, step: &Step) -> Result<(), String> {
    let deed = match step {
        Step::Send { form: Some(_), .. } => "form",
        Step::Answer(_) => "answer",
        Step::Do(wish, _) => match wish.as_ref() {
            Wish::Clock { id, deed } => return check_clock(flow, id, *deed),
            wish => deed_of(wish),
        },
        _ => return Ok(()),
    };
    let has = deeds(flow);
    if has.contains(&deed) {
        return Ok(());
    }
    Err(format!("the flow {} has no “{deed}”; beside messages it has {}", flow.key(), has.join(", ")))
}

fn deed_of(wish: &Wish) -> &'static str {
    match wish {
        Wish::Connect => "connect",
        Wish::Leave { .. } => "leave",
        Wish::History { .. } => "history",
        Wish::StartNew => "start-new",
        Wish::SignIn(_) => "sign-in",
        Wish::SignOut => "sign-out",
        Wish::Raw { .. } => "raw",
        Wish::Flow(FlowWish::Refresh { .. }) => "refresh",
        Wish::Flow(FlowWish::Heartbeat) => "heartbeat",
        Wish::Flow(FlowWish::CheckQueue) => "check-queue",
        Wish::Flow(FlowWish::SyncProfile { .. }) => "profile",
        Wish::Flow(FlowWish::Request { .. }) => "request",
        // No step makes any other.
        _ => "such action",
    }
}

fn check_clock(flow: DialectId, id: &str, deed: ClockDeed) -> Result<(), String> {
    let all = clocks(flow);
    let is_it = |known: &str| match known.strip_suffix(':') {
        Some(_) => id.len() > known.len() && id.starts_with(known),
        None => id == known,
    };
    let Some((_, can)) = all.iter().find(|(known, _)| is_it(known)) else {
        let known: Vec<String> =
            all.iter().map(|(k, _)| if k.ends_with(':') { format!("{k}ID") } else { (*k).to_owned() }).collect();
        let known = if known.is_empty() { "none of its own".to_owned() } else { known.join(", ") };
        return Err(format!("clock: the flow {} has no clock “{id}”; it has {known}", flow.key()));
    };
    if can.contains(&deed) {
        return Ok(());
    }
    let can: Vec<&str> = can.iter().map(|d| word(*d)).collect();
    Err(format!("clock: {id} cannot {}; it can {}", word(deed), can.join(", ")))
}

fn word(deed: ClockDeed) -> &'static str {
    match deed {
        Refresh => "refresh",
        Expire => "expire",
        Corrupt => "corrupt",
        Forget => "forget",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::flow::Shared;
    use crate::dialect::{Action, At, Dialect, Input};
    use crate::engine::dialects::{self, Bases, Making};
    use crate::model::flows::{GuestForm, SendForm};
    use crate::model::login::Login;
    use crate::model::{Environment, Fact};

    const NO: [&str; 2] = ["no-such-action", "no-such-clock"];

    fn fresh(flow: DialectId) -> Box<dyn Dialect> {
        let environment = Environment { guest_socket: Some("ws://127.0.0.1:1/v1".into()), ..Environment::default() };
        dialects::make(Making {
            id: flow,
            hosts: environment.hosts().unwrap(),
            environment,
            token: None,
            form: GuestForm::default(),
            login: None,
            refresh: None,
            agent: Default::default(),
            shared: Shared::default(),
            bases: Bases { calls: "http://127.0.0.1:1".into(), socket: "ws://127.0.0.1:1".into() },
        })
    }

    /// Whether the dialect itself says that it has no such thing.
    fn is_unknown(flow: DialectId, wish: Wish) -> bool {
        let mut out = Vec::new();
        fresh(flow).step(At::default(), Input::Wish(wish), &mut out);
        out.iter().any(|action| matches!(action, Action::State(Fact::Fault(r)) if NO.contains(&r.code.as_str())))
    }

    #[test]
    fn the_table_of_deeds_is_that_of_the_dialects() {
        let deeds = |flow: DialectId| {
            let mut all = vec![
                Wish::Connect,
                Wish::Leave { code: 1000, reason: String::new() },
                Wish::History { all: true },
                Wish::StartNew,
                Wish::SignIn(Login::Sandbox { person: String::new(), implicit: false }),
                Wish::SignOut,
                Wish::Raw { text: "{}".into() },
                Wish::Flow(FlowWish::Refresh { form: None }),
                Wish::Flow(FlowWish::Heartbeat),
                Wish::Flow(FlowWish::CheckQueue),
                Wish::Flow(FlowWish::SyncProfile { attributes: Vec::new() }),
                Wish::Flow(FlowWish::Request { method: "GET".into(), path: "/x".into(), body: String::new() }),
            ];
            all.retain(|wish| !is_unknown(flow, wish.clone()));
            all
        };
        for flow in DialectId::ALL {
            let known: Vec<&str> = deeds(flow).iter().map(deed_of).collect();
            let told: Vec<&str> =
                super::deeds(flow).iter().copied().filter(|d| !matches!(*d, "form" | "answer")).collect();
            assert!(told.iter().all(|d| known.contains(d)), "{flow:?} does {known:?}, the table says {told:?}");
            assert_eq!(told.len(), known.len(), "{flow:?} does {known:?}, the table says {told:?}");
        }
    }

    #[test]
    fn only_clocks_that_a_dialect_knows_pass() {
        for flow in DialectId::ALL {
            let clock = |id: &str| Wish::Clock { id: id.to_owned(), deed: Forget };
            assert!(is_unknown(flow, clock("nosuch")), "{flow:?}");
            assert!(check_clock(flow, "nosuch", Forget).is_err(), "{flow:?}");
            for (id, can) in clocks(flow) {
                let id = if id.ends_with(':') { format!("{id}1") } else { (*id).to_owned() };
                // A web-messaging session that holds no such thing yet says the same as of an unknown one.
                assert!(flow.is_verified() || !is_unknown(flow, clock(&id)), "{flow:?} {id}");
                for deed in EACH {
                    assert_eq!(check_clock(flow, &id, *deed).is_ok(), can.contains(deed), "{flow:?} {id} {deed:?}");
                }
            }
        }
        assert!(check_clock(DialectId::WebMessaging, "link:", Refresh).is_err(), "which link?");
    }

    #[test]
    fn forms_of_messages_are_those_of_one_flow() {
        let send = Step::Send { text: "x".into(), form: Some(SendForm::TokenInBody) };
        for flow in DialectId::ALL {
            assert_eq!(check(flow, &send).is_ok(), flow == DialectId::SessionToken, "{flow:?}");
        }
        let plain = Step::Send { text: "x".into(), form: None };
        assert!(DialectId::ALL.iter().all(|flow| check(*flow, &plain).is_ok()));
    }
}
