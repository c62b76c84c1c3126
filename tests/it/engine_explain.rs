//! Failures at the sandbox, explained from what the engine recorded of them.

use std::sync::Arc;

use sessionscope::dialect::Wish;
use sessionscope::engine::Command;
use sessionscope::model::{Environment, Kind, SessionId};
use sessionscope::projection::{Finding, Subject};

use crate::support::console::{Desk, LIMIT};

/// What was found last in a session, or outside any, as soon as something was that fits.
fn found(desk: &Desk, session: SessionId, what: &str, fits: impl Fn(&Finding) -> bool) -> Arc<Finding> {
    let found = desk.headless.until(LIMIT, |h| {
        let board = h.board();
        let view = board.view(session)?;
        view.findings.list.iter().rev().find(|f| fits(f)).cloned()
    });
    found.unwrap_or_else(|| {
        let board = desk.headless.board();
        let all = board.view(session).map(|v| v.findings.list.iter().map(|f| f.told()).collect::<Vec<_>>());
        panic!("never {what}: {all:#?}")
    })
}

fn named(finding: &Finding) -> &str {
    finding.verdicts.first().map_or("", |v| v.cause.as_str())
}

fn order(desk: &Desk, text: &str) {
    desk.order(serde_json::from_str(text).unwrap());
}

#[test]
fn a_refused_message_and_its_refusal_lead_to_the_cause() {
    let mut desk = Desk::open();
    let session = desk.connect("one");
    order(&desk, r#"{"do":"refuse_sends","count":1,"code":4011,"text":"Message length 9 is larger than 4"}"#);
    desk.say(session, "too long a text");
    let finding = found(&desk, session, "explained", |f| named(f) == "message-too-long");
    assert!(finding.verdicts[0].says.contains("Of text 4096 bytes are taken"), "{}", finding.told());
    let records = desk.records();
    let refusal = records.iter().find(|r| r.seq == finding.seq).unwrap();
    let board = desk.headless.board();
    let of_request = board.finding(session, refusal.reply_to).expect("the request leads to it");
    assert_eq!(of_request.seq, finding.seq);
    // And so does what is stated of the message.
    let stated = records.iter().find(|r| r.kind == Kind::Delivery && r.head.contains("refused")).unwrap();
    let by_fact = desk.headless.until(LIMIT, |h| h.board().finding(session, stated.seq).cloned());
    assert_eq!(by_fact.expect("the fact leads to it").seq, finding.seq);
}

#[test]
fn a_jwt_that_is_refused_though_it_lives_is_told_from_one_that_had_expired() {
    let mut desk = Desk::open();
    let session = desk.connect("one");
    order(&desk, r#"{"do":"refuse_requests","count":1,"status":401}"#);
    desk.wish(session, Wish::History { all: false });
    let finding = found(&desk, session, "explained", |f| named(f) == "guest-jwt-refused");
    let says = &finding.verdicts[0].says;
    assert!(says.contains("[jwt#") && says.contains("left"), "{says}");
    assert!(finding.verdicts[0].records.len() >= 3, "token, request and answer: {}", finding.told());
}

#[test]
fn a_socket_that_broke_is_told_from_one_that_we_closed() {
    let mut desk = Desk::open();
    let (one, two) = (desk.connect("one"), desk.connect("two"));
    desk.wish(one, Wish::Leave { code: 1000, reason: "done".into() });
    let goodbye = found(&desk, one, "explained", |f| named(f) == "close-by-us");
    assert!(goodbye.is_harmless());
    order(&desk, r#"{"do":"close","code":1001,"reason":"maintenance"}"#);
    let finding = found(&desk, two, "explained", |f| named(f) == "close-1001-going-away");
    assert!(!finding.is_harmless());
}

#[test]
fn a_connection_that_is_cut_is_not_blamed_on_the_handshake() {
    let mut desk = Desk::open();
    let session = desk.connect("one");
    order(&desk, r#"{"do":"drop"}"#);
    let finding = found(&desk, session, "explained", |f| f.subject == Subject::Lost);
    assert!(named(&finding).starts_with("lost-") && named(&finding) != "lost-at-handshake", "{}", finding.told());
}

#[test]
fn a_wrong_client_secret_is_named_and_the_fault_leads_there() {
    let desk = Desk::open();
    let mut environment: Environment = desk.environment.clone();
    environment.client_secret = None;
    let key = sessionscope::engine::secret_key(&environment.id);
    let keep = Command::KeepSecret { key, value: "wrong-secret-wrong".into() };
    desk.headless.console.engine.send(keep).unwrap();
    desk.headless.console.engine.send(Command::SignIn { environment }).unwrap();
    let finding = found(&desk, SessionId::NONE, "explained", |f| named(f) == "client-credentials-wrong");
    assert!(!finding.told().contains("wrong-secret-wrong"));
    let joined = |f: &Finding| named(f) == "client-credentials-wrong" && !f.about.is_empty();
    let finding = desk.headless.until(LIMIT, |h| {
        let all = h.board().general.findings.list.clone();
        all.into_iter().find(|f| joined(f) && f.about.len() >= 2)
    });
    let about = finding.expect("the fault of the sign-in is about it").about.clone();
    let records = desk.records();
    assert!(
        records.iter().any(|r| about.contains(&r.seq) && r.kind == Kind::Fault && r.head.contains("sign-in-failed"))
    );
}
