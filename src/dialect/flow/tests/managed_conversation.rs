//! S3, managed conversation.

use super::play::*;
use super::*;
use crate::dialect::FlowWish;

const ANY: &str = "PATCH http://api/api/v2/conversations/messaging/…";

fn with(change: impl FnOnce(&mut Config)) -> Play {
    let mut p = Play::with(DialectId::ManagedConversation, change);
    p.connect().bearer(1, 30_000).answer(201, json!({ "state": "connected" }));
    p.actions.clear();
    p
}

#[test]
fn s3_1_the_oauth_token_is_renewed_five_seconds_early() {
    let oauth = Environment::default().flows.managed_conversation.oauth;
    assert_eq!((oauth.path.as_str(), oauth.early_secs), ("/oauth/token", 5));
}

#[test]
fn s3_2_the_conversation_is_made_with_an_id_of_our_own_and_all_that_is_described() {
    let mut p = Play::with(DialectId::ManagedConversation, |c| c.form.duration_secs = Some(600));
    p.connect().bearer(1, 3000);
    let body = p.body();
    let id = body["id"].as_str().unwrap().to_owned();
    assert_eq!((p.call.method, p.call.url.as_str()), ("POST", "http://api/api/v2/conversations/messaging"));
    assert_eq!(id.len(), 36);
    assert_eq!(body["from"], json!({ "id": "anna", "name": "Guest", "type": "user" }));
    assert_eq!(body["to"], json!([{ "id": "queue-1", "type": "queue" }]));
    assert_eq!((&body["type"], &body["channelAddress"]), (&json!("messaging"), &json!("web")));
    assert_eq!(body["context"]["capabilities"], json!(["typing-indicator", "read-receipts"]));
    assert_eq!((&body["context"]["locale"], &body["context"]["userAgent"]), (&json!("en-US"), &json!("test")));
    assert_eq!(body["metadata"]["sessionDurationLimit"], 600);
    let token = body["metadata"]["guestIdToken"].as_str().unwrap();
    assert!(token.starts_with("jwt_") && !token.contains("anna"), "{token}");
    assert!(crate::model::Wall::parse_rfc3339(body["metadata"]["initiatedAt"].as_str().unwrap()).is_some());
    p.answer(201, json!({ "id": id, "state": "connected" })).did("ready");
}

#[test]
fn s3_3_each_failed_check_names_field_value_and_limit_and_nothing_is_sent() {
    let cases: [(Change, &str); 7] = [
        (|c| c.form.guest_id.clear(), "from.id: empty – the guest must be named"),
        (|c| c.environment.queue_id = None, "to[0].id: empty – a queue must be chosen"),
        (|c| c.form.duration_secs = Some(0), "metadata.sessionDurationLimit: 0 s – from 1 to 2700 seconds"),
        (|c| c.form.duration_secs = Some(2701), "metadata.sessionDurationLimit: 2701 s – from 1 to 2700 seconds"),
        (
            |c| c.form.capabilities = Some(vec!["read-receipts".into()]),
            "context.capabilities: read-receipts – must include typing-indicator",
        ),
        (
            |c| c.form.capabilities = Some(vec![]),
            "context.capabilities: none – must include typing-indicator, read-receipts",
        ),
        (|c| c.shared.managed.store(500, std::sync::atomic::Ordering::Relaxed), "sessions at once: 500 – at most 500"),
    ];
    for (change, what) in cases {
        let mut p = Play::with(DialectId::ManagedConversation, change);
        p.connect().sent_nothing();
        let fault = format!("fault invalid: {what}.");
        p.does(&["connecting", fault.as_str(), &format!("ended: not started: {what}"), "final report"]);
    }
}

#[test]
fn s3_3_the_five_hundredth_session_is_let_in_and_its_place_is_given_back() {
    let shared = Shared::default();
    shared.managed.store(499, std::sync::atomic::Ordering::Relaxed);
    let now = || shared.managed.load(std::sync::atomic::Ordering::Relaxed);
    let mut p = with(|c| c.shared = shared.clone());
    assert_eq!(now(), 500);
    p.leave().answer(200, json!({})).did("ended: closed by you");
    assert_eq!(now(), 499);
    drop(with(|c| c.shared = shared.clone()));
    assert_eq!(now(), 499, "a session that is dropped gives it back too");
}

#[test]
fn s3_4_429_is_tried_as_retry_after_says_or_after_a_doubling_wait_three_times_in_all() {
    let mut p = Play::new(DialectId::ManagedConversation);
    p.connect().bearer(1, 3000).actions.clear();
    p.answer_after(429, Some(7), json!({})).passes(6.9).does(&[]);
    p.passes(0.2).does(&["POST http://api/api/v2/conversations/messaging"]);
    p.answer(429, json!({ "message": "busy" })).passes(0.9).does(&[]);
    p.passes(1.2).does(&["POST http://api/api/v2/conversations/messaging"]);
    p.answer(429, json!({ "message": "busy" })).did("ended: 429 busy (after 3 tries)");
}

#[test]
fn s3_4_other_failures_are_told_apart_and_not_tried_again() {
    use crate::model::fact::ErrorCategory as E;
    for (status, category) in [(403, E::Auth), (400, E::Validation), (404, E::Conflict), (503, E::Server)] {
        let mut p = Play::new(DialectId::ManagedConversation);
        p.connect().bearer(1, 3000).actions.clear();
        p.answer(status, json!({ "message": "no" }));
        let audit = p.actions.iter().find_map(|a| match a {
            crate::dialect::Action::State(crate::model::Fact::Audit(a)) => a.category,
            _ => None,
        });
        assert_eq!(audit, Some(category));
        p.did(&format!("ended: {status} no"));
        p.passes(600.0).sent_nothing();
    }
}

#[test]
fn s3_4_a_401_is_answered_with_one_other_token_and_one_retry() {
    let mut p = Play::new(DialectId::ManagedConversation);
    p.connect().bearer(1, 3000).actions.clear();
    p.answer(401, json!({})).does(&["bearer 1 was refused"]);
    p.bearer(1, 3000).sent_nothing();
    p.bearer(2, 3000).does(&["POST http://api/api/v2/conversations/messaging"]);
    p.answer(401, json!({ "message": "no" })).did("bearer 2 was refused");
    p.bearer(3, 3000).passes(600.0).sent_nothing();
}

#[test]
fn s3_5_a_heartbeat_goes_out_every_thirty_seconds_or_tenth_part_whichever_is_shorter() {
    for (length, every) in [(2700, 30.0), (100, 10.0), (20, 2.0)] {
        let mut p = with(|c| c.form.duration_secs = Some(length));
        p.passes(every - 0.1).does(&[]);
        p.passes(0.2).does(&[ANY]);
        let first = p.body()["context"]["heartbeatSequence"].as_i64().unwrap();
        p.answer(200, json!({})).passes(every).does(&[ANY]);
        assert!(p.body()["context"]["heartbeatSequence"].as_i64().unwrap() > first);
        assert!(p.body()["context"]["lastActivityTimestamp"].is_string());
    }
}

#[test]
fn s3_5_three_failures_in_a_row_end_the_session_with_a_goodbye_and_a_success_begins_the_count_anew() {
    let mut p = with(|_| {});
    for status in [503, 503, 200, 503, 503] {
        p.passes(30.0).answer(status, json!({ "message": "x" }));
    }
    p.actions.clear();
    p.passes(30.0).answer(500, json!({ "message": "x" }));
    let told = p.done();
    assert!(
        told[1].contains("heartbeat failure 3 of 3: 500 x") && told[2].starts_with("fault heartbeats-failed"),
        "{told:?}"
    );
    assert_eq!(p.body(), json!({ "status": "disconnected" }));
    p.answer(200, json!({})).did("ended: 3 heartbeats in a row failed, the last with 500 x");
    p.passes(600.0).sent_nothing();
}

#[test]
fn s3_5_at_the_end_of_its_length_the_session_is_disconnected() {
    let mut p = with(|c| c.form.duration_secs = Some(2));
    for _ in 0..9 {
        p.passes(0.2).answer(200, json!({}));
    }
    p.actions.clear();
    p.passes(0.3);
    assert_eq!(p.body(), json!({ "status": "disconnected" }));
    p.answer(200, json!({})).did("ended: its length of 2 s is over");
}

#[test]
fn s3_5_leaving_twice_says_goodbye_once() {
    let mut p = with(|_| {});
    p.leave().does(&[ANY]);
    p.leave().sent_nothing().did("ended: closed by you");
    p.answer(200, json!({})).does(&[]);
}

#[test]
fn s3_5_a_conversation_that_is_made_after_it_was_left_is_disconnected() {
    let mut p = Play::new(DialectId::ManagedConversation);
    p.connect().bearer(1, 3000).leave().actions.clear();
    p.answer(201, json!({ "id": "late" }));
    p.does(&["bearer 1 was taken", "PATCH http://api/api/v2/conversations/messaging/late"]);
    assert_eq!(p.body(), json!({ "status": "disconnected" }));
}

#[test]
fn s3_6_state_changes_are_told_to_the_webhook() {
    let mut p =
        Play::with(DialectId::ManagedConversation, |c| c.environment.flows.webhook.url = "http://crm/hook".into());
    p.connect().bearer(1, 3000).answer(201, json!({ "id": "c1" }));
    assert_eq!((p.call.url.as_str(), &p.body()["state"]), ("http://crm/hook", &json!("connected")));
    p.no_answer().leave().answer(200, json!({}));
    assert_eq!((p.call.url.as_str(), &p.body()["state"]), ("http://crm/hook", &json!("terminated")));
    assert_eq!(p.body()["metadata"]["guestId"], "anna");
}

#[test]
fn s3_6_start_heartbeat_and_disconnection_have_audit_lines() {
    let mut p = Play::new(DialectId::ManagedConversation);
    p.connect().bearer(1, 3000).answer(201, json!({})).did("audit session.create success 201");
    p.flow(FlowWish::Heartbeat).answer(200, json!({})).did("audit heartbeat success 200");
    p.leave().answer(404, json!({})).did("audit session.disconnect failed 404");
}

#[test]
fn the_flow_knows_no_messages_and_says_so() {
    with(|_| {}).say("m1", "hi").sent_nothing().did("m1 not sent: this flow's description knows no way");
}

#[test]
fn a_token_that_is_dead_by_our_clock_is_asked_for_once_a_second_and_then_the_reason_is_told() {
    let mut p = Play::new(DialectId::ManagedConversation);
    p.connect().actions.clear();
    let mut asked = 0;
    for _ in 0..60 {
        p.bearer(1, -100).passes(1.0);
        let told = p.done();
        asked += told.iter().filter(|l| *l == "needs a bearer").count();
        if let Some(end) = told.iter().find(|l| l.starts_with("ended: ")) {
            assert!(
                end.contains("By this session's idea of the server's clock the token that it was given ended"),
                "{end}"
            );
            assert!((20..=31).contains(&asked), "{asked}");
            return;
        }
    }
    panic!("it waits for ever");
}
