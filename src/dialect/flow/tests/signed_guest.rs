//! S2, signed guest.

use super::play::*;
use super::*;
use crate::dialect::{Action, FlowWish};

fn signed(life: i64) -> String {
    jwt("sig", &json!({ "guestId": "anna", "iat": START, "exp": START + life }))
}

fn sign(p: &mut Play, token: String) -> &mut Play {
    p.step(Input::Signed { token: Secret::new(token), kid: "k1".into() })
}

/// The queue is known, and the token is awaited.
fn checked(change: impl FnOnce(&mut Config)) -> Play {
    let mut p = Play::with(DialectId::SignedGuest, change);
    p.connect().bearer(1, 3000).answer(200, json!({ "id": "queue-1", "name": "Sales" }));
    p
}

fn made(change: impl FnOnce(&mut Config)) -> Play {
    let mut p = checked(change);
    sign(&mut p, signed(300)).answer(201, json!({ "id": "contact1" }));
    p
}

#[test]
fn s2_1_the_oauth_token_is_asked_for_at_the_organisation_s_own_path_and_renewed_at_a_minute() {
    let flow = Environment::default().flows.signed_guest;
    assert_eq!((flow.oauth.path.as_str(), flow.oauth.early_secs), ("/api/v2/oauth/token", 60));
    assert_eq!(flow.oauth.scope, "externalcontacts:create conversations:messaging");
}

#[test]
fn s2_2_the_claims_hold_guest_times_of_five_minutes_and_extra_claims() {
    let mut p = checked(|c| c.form.attributes = vec![("tier".into(), "gold".into())]);
    let claims = p.actions.iter().find_map(|a| match a {
        Action::Sign { claims } => Some(Value::Object(claims.clone())),
        _ => None,
    });
    assert_eq!(claims, Some(json!({ "guestId": "anna", "tier": "gold", "iat": START, "exp": START + 300 })));
    sign(&mut p, signed(300)).did("key id k1");
}

#[test]
fn s2_2_a_token_of_another_guest_is_not_used() {
    let mut p = checked(|_| {});
    p.actions.clear();
    sign(&mut p, jwt("sig", &json!({ "guestId": "eve", "exp": START + 300 }))).sent_nothing();
    p.did("fault guest-mismatch: the signed token's guestId is eve, not anna");
}

#[test]
fn s2_2_where_nothing_can_be_signed_the_session_ends_and_says_why() {
    let mut p = checked(|_| {});
    p.actions.clear();
    p.step(Input::NotSigned { report: Report::new("no-key", "There is no key", "Make one.") }).sent_nothing();
    p.does(&["fault no-key: Make one.", "ended: There is no key", "final report"]);
}

#[test]
fn s2_3_an_unknown_queue_is_told_before_a_session_is_made() {
    let mut p = Play::new(DialectId::SignedGuest);
    p.connect().does(&["connecting", "guest id anna", "queue id queue-1", "needs a bearer"]);
    p.bearer(1, 3000).does(&["GET http://api/api/v2/routing/queues/queue-1"]);
    p.answer(404, json!({ "message": "not found" }));
    p.sent_nothing().did("fault unknown-queue: queueId: “queue-1” – the server knows no such queue");
    p.passes(60.0).sent_nothing();
}

#[test]
fn s2_3_the_queue_can_be_checked_without_a_session() {
    let mut p = Play::new(DialectId::SignedGuest);
    p.flow(FlowWish::CheckQueue).bearer(1, 3000).answer(200, json!({ "name": "Sales" }));
    p.does(&[
        "needs a bearer",
        "GET http://api/api/v2/routing/queues/queue-1",
        "bearer 1 was taken",
        "queue id queue-1",
    ]);
}

#[test]
fn s2_4_contact_and_conversation_are_made_each_with_its_own_idempotency_key() {
    let mut p = checked(|c| c.form.skill = "sales, german".into());
    sign(&mut p, signed(300));
    assert_eq!(p.call.url, "http://api/api/v2/externalcontacts/contacts");
    let contact = p.header("idempotency-key").unwrap().to_owned();
    assert!(contact.ends_with("-contact"), "{contact}");
    let token = signed(300);
    assert_eq!(
        p.body(),
        json!({ "type": "webchat", "address": "guest-anna", "externalContactId": "anna", "customAttributes": { "guestToken": token } })
    );
    p.answer(201, json!({ "id": "contact1" }));
    assert_eq!(p.call.url, "http://api/api/v2/conversations/messaging");
    assert_eq!(p.header("idempotency-key"), Some(contact.replace("-contact", "-conversation").as_str()));
    assert_eq!(
        p.body(),
        json!({
            "contactId": "contact1",
            "routingData": { "queueId": "queue-1", "skillRequirements": ["sales", "german"] },
            "customAttributes": { "sessionToken": token, "routingTarget": "queue-1" },
        })
    );
    p.actions.clear();
    p.answer(201, json!({ "id": "conv1" })).does(&["conversation id conv1", "ready"]);
}

#[test]
fn s2_4_the_key_stays_the_same_on_every_retry_of_the_step() {
    let mut p = checked(|_| {});
    sign(&mut p, signed(300));
    let key = p.header("idempotency-key").unwrap().to_owned();
    for _ in 0..3 {
        p.answer(503, json!({})).passes(5.0);
        assert_eq!(p.header("idempotency-key"), Some(key.as_str()));
    }
}

#[test]
fn s2_5_429_and_5xx_are_tried_three_times_more_after_one_to_five_seconds() {
    for status in [429, 503] {
        let mut p = checked(|_| {});
        sign(&mut p, signed(300)).actions.clear();
        for _ in 0..3 {
            p.answer(status, json!({ "message": "busy" })).passes(0.9);
            p.does(&[]).passes(4.2).does(&["POST http://api/api/v2/externalcontacts/contacts"]);
        }
        p.answer(status, json!({ "message": "busy" }));
        p.did(&format!("ended: {status} busy (after 4 tries)"));
    }
}

#[test]
fn s2_5_a_step_does_not_leave_any_more_when_its_token_died_while_it_waited() {
    let mut p = checked(|_| {});
    sign(&mut p, signed(10)).answer_after(429, Some(20), json!({})).actions.clear();
    p.passes(30.0).sent_nothing();
    p.did("ended: the signed token died before the contact was made, after 1 tries");
}

#[test]
fn s2_5_400_names_the_field_and_403_points_to_scope_or_queue() {
    for (status, text, remedy) in [(400, "from.id: empty", "the field"), (403, "not.authorized", "scopes")] {
        let mut p = checked(|_| {});
        sign(&mut p, signed(300)).answer(status, json!({ "message": text }));
        let report = p.actions.iter().find_map(|a| match a {
            Action::State(crate::model::Fact::Fault(r)) => Some(r.clone()),
            _ => None,
        });
        let report = report.unwrap();
        assert!(report.what.contains(text) && report.remedies[0].contains(remedy), "{report:?}");
    }
}

#[test]
fn s2_6_the_customer_system_is_told_within_three_seconds_and_its_failure_harms_nothing() {
    let mut p = made(|c| c.environment.flows.webhook.url = "http://crm/hook".into());
    p.actions.clear();
    p.answer(201, json!({ "id": "conv1" })).does(&["conversation id conv1", "ready", "POST http://crm/hook"]);
    let body = p.body();
    assert_eq!(body["event"], "webchat.session.created");
    assert_eq!(body["data"]["contactId"], "contact1");
    assert!(body["data"]["initializationLatencyMs"].is_u64() && body["timestamp"].is_string(), "{body}");
    assert_eq!((p.call.within, p.header("authorization")), (Some(Duration::from_secs(3)), None));
    p.no_answer().does(&[]);
}

#[test]
fn s2_7_every_attempt_has_an_audit_line_with_status_ids_and_error() {
    let mut p = checked(|_| {});
    sign(&mut p, signed(300)).answer(503, json!({ "message": "down" }));
    let audits = p.actions.iter().filter_map(|a| match a {
        Action::State(crate::model::Fact::Audit(a)) => Some(a.clone()),
        _ => None,
    });
    let last = audits.last().unwrap();
    assert_eq!(
        (last.action.as_str(), last.outcome.word(), last.status, last.attempt),
        ("contact.create", "retry", Some(503), 1)
    );
    assert_eq!((last.ids.guest.as_deref(), last.ids.queue.as_deref()), (Some("anna"), Some("queue-1")));
    assert!(last.error.is_some() && last.idempotency_key.is_some());
}

#[test]
fn what_is_missing_or_too_large_is_named_before_anything_is_sent() {
    let cases: [(Change, &str); 4] = [
        (|c| c.form.guest_id.clear(), "guestId: empty – the guest must be named"),
        (|c| c.environment.queue_id = None, "queueId: empty – a queue must be chosen"),
        (
            |c| c.form.attributes = vec![("exp".into(), "1".into())],
            "customAttributes: “exp” – this name is the token's own",
        ),
        (|c| c.form.guest_id = "  ".into(), "guestId: empty"),
    ];
    for (change, what) in cases {
        let mut p = Play::with(DialectId::SignedGuest, change);
        p.connect().sent_nothing().did(&format!("ended: not started: {what}"));
    }
    let mut p = checked(|c| c.form.attributes = vec![("big".into(), "x".repeat(10_240))]);
    p.actions.clear();
    sign(&mut p, signed(300)).sent_nothing();
    let told = p.done().join("\n");
    assert!(told.contains("customAttributes: 10") && told.contains("bytes – at most 10240 bytes of JSON"), "{told}");
}

#[test]
fn a_signature_that_an_earlier_session_had_asked_for_is_not_used_by_the_next() {
    let mut p = checked(|_| {});
    p.leave().connect().actions.clear();
    sign(&mut p, signed(300)).sent_nothing().does(&[]);
}
