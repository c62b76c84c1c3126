//! Guests who sign in.

use serde_json::json;

use super::*;
use crate::dialect::web_messaging::Kept;
use crate::model::fact::{ClockDeed, End};
use crate::model::login::Login;
use crate::model::{Flags, SecretKind};

const EXCHANGE: &str = "call POST http://api/api/v2/webdeployments/token/oauthcodegrantjwtexchange";
const REFRESH: &str = "call POST http://api/api/v2/webdeployments/token/refresh";
const REVOKE: &str = "call DELETE http://api/api/v2/webdeployments/token/revoke";
const ACTION: &str = "configureAuthenticatedSession";

fn code() -> Login {
    Login::Code { code: Secret::from("the-code"), verifier: None, nonce: None }
}

/// A JWT with this end, in seconds from the start.
fn jwt(n: u32, ends: i64) -> String {
    use base64::Engine as _;
    let part = |v: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(v.to_string());
    format!("{}.{}.sig{n}", part(json!({"alg":"HS256"})), part(json!({"sub":"ada","exp":START + ends})))
}

fn given(p: &mut Play, n: u32, ends: i64) {
    p.http(200, json!({"jwt":jwt(n, ends),"refreshToken":format!("refresh-{n}")}));
}

fn configured(p: &mut Play, new: bool) {
    p.answer(
        ACTION,
        "SessionResponse",
        json!({"connected":true,"newSession":new,"readOnly":false,"durationSeconds":259200}),
    );
}

/// Opened, and the exchange is on its way.
fn opening(login: Login, change: impl FnOnce(&mut Environment)) -> Play {
    let mut p = Play::signing_in(Some(login), change);
    p.wish(Wish::Connect).opened();
    p
}

/// Signed in and ready.
fn ready(ends: i64) -> Play {
    let mut p = opening(code(), |_| {});
    given(&mut p, 1, ends);
    configured(&mut p, true);
    assert_eq!(*p.machine.state(), SessionState::Ready);
    p.actions.clear();
    p
}

fn sent_jwt(p: &Play) -> String {
    let text = p.actions.iter().rev().find_map(|a| match a {
        Action::Text { text, .. } if text.contains(ACTION) => Some(text.clone()),
        _ => None,
    });
    let v: Value = serde_json::from_str(&text.expect("no configureAuthenticatedSession")).unwrap();
    v["data"]["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_code_is_exchanged_and_the_jwt_configures_the_session() {
    let mut p = opening(code(), |e| {
        e.guest_auth.redirect_uri = "https://shop.example/back".into();
        e.guest_auth.nonce = Some("n".into());
        e.origin = Some("https://shop.example".into());
    });
    p.did(EXCHANGE);
    let oauth = json!({"code":"the-code","redirectUri":"https://shop.example/back","nonce":"n"});
    assert_eq!(p.body, json!({"deploymentId":"d1","oauth":oauth}));
    assert!(p.headers.iter().any(|(k, v)| k == "Origin" && v == "https://shop.example"));
    given(&mut p, 1, 900);
    assert_eq!(sent_jwt(&p), jwt(1, 900));
    p.did("clock guest-auth Started by server until +900");
    configured(&mut p, true);
    p.did("state ready");
}

#[test]
fn what_signs_in_is_kept_out_of_every_record() {
    let login =
        Login::Code { code: Secret::from("the-code"), verifier: Some(Secret::from("the-verifier")), nonce: None };
    let mut p = Play::ready();
    p.wish(Wish::SignIn(login));
    assert_eq!(p.body["oauth"]["codeVerifier"], "the-verifier");
    given(&mut p, 1, 900);
    let learnt = p.actions.iter().filter_map(|a| match a {
        Action::Learn { kind, value } => Some((*kind, value.expose().clone())),
        _ => None,
    });
    let learnt: Vec<_> = learnt.collect();
    for wanted in [
        (SecretKind::Other, "the-code".to_owned()),
        (SecretKind::Other, "the-verifier".to_owned()),
        (SecretKind::RefreshToken, "refresh-1".to_owned()),
        (SecretKind::AccessToken, jwt(1, 900)),
    ] {
        assert!(learnt.contains(&wanted), "{wanted:?}");
    }
    // Before the first call is made, and so before it is recorded.
    let first = p.actions.iter().position(|a| matches!(a, Action::Call { .. })).unwrap();
    assert!(p.actions[..first].iter().filter(|a| matches!(a, Action::Learn { .. })).count() >= 2);
}

#[test]
fn a_guests_session_is_stepped_up_on_its_socket() {
    let mut p = Play::ready();
    p.wish(Wish::SignIn(code()));
    p.did(EXCHANGE);
    given(&mut p, 1, 900);
    assert_eq!(sent_jwt(&p), jwt(1, 900));
    assert_eq!(*p.machine.state(), SessionState::Ready, "the conversation goes on meanwhile");
    p.actions.clear();
    p.answer(ACTION, "SessionResponse", json!({"connected":true,"newSession":false,"clearedExistingSession":true}));
    let ready = "state ready: the guest has signed in on this session; the session elsewhere was cleared";
    p.does(&["keep session-token", ready]);
    // Another sign-in goes the same way.
    p.wish(Wish::SignIn(Login::IdToken { token: Secret::from("e30.e30.id"), nonce: Some("m".into()) }));
    assert_eq!(p.body["oauth"], json!({"idToken":"e30.e30.id","nonce":"m"}));
}

#[test]
fn a_refused_step_up_leaves_the_session_a_guests() {
    let mut p = Play::ready();
    p.wish(Wish::SignIn(code()));
    given(&mut p, 1, 900);
    p.actions.clear();
    let tracing = p.last[ACTION].clone();
    p.refusal(&tracing, 403, "Session upgrade is not allowed").does(&["fault step-up-refused"]);
    assert_eq!(*p.machine.state(), SessionState::Ready);
    p.say("m1", "still here").did("m1 sent");
    // The next socket is a guest's again.
    p.actions.clear();
    p.wish(Wish::Configure { start_new: false }).did("send configureSession");
}

#[test]
fn a_401_is_answered_with_another_jwt_three_times_at_most() {
    let mut p = opening(code(), |_| {});
    given(&mut p, 1, 900);
    for n in 2..4 {
        p.actions.clear();
        let tracing = p.last[ACTION].clone();
        p.refusal(&tracing, 401, "User is unauthorized");
        p.did("clock guest-auth Refused by server until +900");
        assert_eq!(p.body, json!({"refreshToken":format!("refresh-{}", n - 1),"deploymentId":"d1"}));
        given(&mut p, n, 900);
        assert_eq!(sent_jwt(&p), jwt(n, 900));
    }
    p.actions.clear();
    let tracing = p.last[ACTION].clone();
    p.refusal(&tracing, 401, "User is unauthorized");
    p.did("state ended (configuring was refused with 401: User is unauthorized)");
}

#[test]
fn without_a_refresh_token_a_401_ends_it() {
    let mut p = opening(Login::IdToken { token: Secret::from("e30.e30.id"), nonce: None }, |_| {});
    p.http(200, json!({"jwt":jwt(1, 900)}));
    p.actions.clear();
    let tracing = p.last[ACTION].clone();
    p.refusal(&tracing, 401, "User is unauthorized").did("state ended (configuring was refused with 401");
    // Connecting again says what is missing.
    p.wish(Wish::Connect).opened();
    p.did("fault guest-must-sign-in");
    assert!(matches!(p.machine.state(), SessionState::Ended(End::Failed { why }) if why.contains("no refresh token")));
}

#[test]
fn a_403_that_asks_for_a_sign_in_is_obeyed_at_once() {
    for text in ["Session authentication failed: x", "Try to authenticate again"] {
        let mut p = opening(code(), |_| {});
        given(&mut p, 1, 900);
        p.actions.clear();
        let tracing = p.last[ACTION].clone();
        p.refusal(&tracing, 403, text);
        let told = p.done();
        assert!(told.iter().any(|t| t.starts_with("clock guest-auth Refused")), "{told:?}");
        assert!(!told.iter().any(|t| t.starts_with("call")), "no refresh is of use: {told:?}");
        assert!(p.machine.state().is_ended());
    }
    // In the middle of a session, too: its next socket needs another sign-in.
    let mut p = ready(900);
    p.say("m1", "x").actions.clear();
    p.refusal("m1", 403, "Try to authenticate again").did("clock guest-auth Refused");
    p.lost().actions.clear();
    p.wish(Wish::Connect).opened().did("fault guest-must-sign-in");
}

#[test]
fn the_jwt_is_refreshed_before_it_ends() {
    let mut p = ready(900);
    p.passes(839.0).did_not("call");
    p.passes(2.0).did(REFRESH);
    p.http(200, json!({"jwt":jwt(2, 1800)})).does(&["clock guest-auth Refreshed by server until +1800"]);
    // The old refresh token stays; a new one takes its place.
    p.passes(900.0).did(REFRESH);
    assert_eq!(p.body["refreshToken"], "refresh-1");
    given(&mut p, 3, 2700);
    p.actions.clear();
    p.wish(Wish::Clock { id: "guest-auth".into(), deed: ClockDeed::Refresh }).did(REFRESH);
    assert_eq!(p.body["refreshToken"], "refresh-3");
}

#[test]
fn a_jwt_without_refresh_dies_at_its_end() {
    let mut p = opening(Login::IdToken { token: Secret::from("e30.e30.id"), nonce: None }, |_| {});
    p.http(200, json!({"jwt":jwt(1, 900)}));
    configured(&mut p, true);
    p.actions.clear();
    p.passes(899.0).did_not("clock guest-auth");
    p.passes(2.0).did("clock guest-auth Expired by clock until +900");
    assert_eq!(*p.machine.state(), SessionState::Ready, "only the next socket needs it");
}

#[test]
fn a_refresh_that_fails_on_its_way_is_tried_again_and_one_that_is_refused_is_not() {
    let mut p = ready(900);
    p.passes(841.0).did(REFRESH);
    p.http_after(503, Some(2), json!({})).did_not(REFRESH);
    p.passes(15.0).did(REFRESH);
    p.http(401, json!({"message":"dead"})).does(&["keep session-token", "fault not-signed-in-guest"]);
    p.passes(100.0).did_not("call");
}

#[test]
fn a_code_is_not_shown_again_after_an_exchange_without_an_answer() {
    let mut p = opening(code(), |_| {});
    p.actions.clear();
    let (call, report) = (p.call, Report::new("timeout", "No answer", ""));
    p.step(Input::CallFailed { call, report });
    p.did("fault not-signed-in-guest");
    assert!(p.machine.state().is_ended());
    p.passes(60.0).did_not("call");
    // 429 says that nothing was taken.
    let mut p = opening(code(), |_| {});
    p.actions.clear();
    p.http_after(429, Some(3), json!({"message":"slow down"})).did_not("fault");
    p.passes(20.0).did(EXCHANGE);
    given(&mut p, 1, 900);
    assert_eq!(sent_jwt(&p), jwt(1, 900));
    assert!(!p.seen.flags.has(Flags::FAULT));
}

#[test]
fn a_refused_code_ends_the_session_with_its_reason() {
    let mut p = opening(code(), |_| {});
    p.actions.clear();
    p.http(400, json!({"message":"invalid_grant: the authorization code was used before"}));
    p.did("fault not-signed-in-guest");
    assert!(matches!(p.machine.state(), SessionState::Ended(End::Failed { why }) if why.contains("used before")));
    for body in [json!({"jwt":""}), json!([]), json!("x")] {
        let mut p = opening(code(), |_| {});
        p.http(200, body).did("fault not-signed-in-guest");
        assert!(p.machine.state().is_ended());
    }
}

#[test]
fn a_new_socket_is_configured_with_the_jwt_at_hand_or_a_fresh_one() {
    let mut p = ready(900);
    p.lost().wish(Wish::Connect).opened();
    assert_eq!(sent_jwt(&p), jwt(1, 900));
    configured(&mut p, false);
    p.lost().actions.clear();
    p.wish(Wish::Clock { id: "guest-auth".into(), deed: ClockDeed::Expire });
    p.wish(Wish::Connect).opened().did(REFRESH);
    given(&mut p, 2, 1800);
    assert_eq!(sent_jwt(&p), jwt(2, 1800));
}

#[test]
fn logging_out_revokes_and_forgets() {
    let mut p = ready(900);
    p.wish(Wish::SignOut).does(&[REVOKE]);
    assert!(p.headers.iter().any(|(k, v)| k == "Authorization" && *v == format!("bearer {}", jwt(1, 900))));
    p.http(200, Value::Null).did("clock guest-auth Forgotten by you");
    p.arrives(json!({"type":"message","class":"LogoutEvent","code":200,"body":{}}));
    p.did("state ended (logged out)");
    p.wish(Wish::SignOut).does(&["fault not-now"]);
    // What connects now is a guest again.
    p.wish(Wish::Connect).opened().did("send configureSession");
}

#[test]
fn a_logout_with_a_dead_jwt_refreshes_once() {
    let mut p = ready(900);
    p.wish(Wish::SignOut).does(&[REVOKE]);
    p.http(401, json!({})).does(&[REFRESH]);
    given(&mut p, 2, 900);
    p.did(REVOKE);
    p.http(401, json!({})).does(&["fault not-logged-out"]);
    // Refused for another reason, it is not repeated.
    let mut p = ready(900);
    p.wish(Wish::SignOut).http(500, json!({})).did("fault not-logged-out");
}

#[test]
fn a_logout_elsewhere_ends_the_sign_in() {
    let mut p = ready(900);
    p.arrives(json!({"type":"message","class":"LogoutEvent","code":200,"body":{}}));
    let told = p.done();
    assert!(told.iter().any(|t| t.starts_with("clock guest-auth Forgotten by server")), "{told:?}");
    p.passes(1000.0).did_not("call");
}

#[test]
fn signed_in_elsewhere_forgets_the_session_token() {
    let mut p = ready(900);
    p.arrives(json!({"type":"message","class":"ConnectionClosedEvent","code":200,"body":{"reason":"signedIn"}}));
    let told = p.done();
    assert!(told.contains(&"unkeep session-token".to_owned()) && p.machine.state().is_ended(), "{told:?}");
}

#[test]
fn a_session_that_was_signed_in_is_not_a_guests_any_more() {
    let mut p = Play::new();
    p.wish(Wish::Connect).opened().actions.clear();
    let tracing = p.last["configureSession"].clone();
    p.refusal(&tracing, 4017, "Cannot downgrade")
        .did("state ended (configuring was refused with 4017: Cannot downgrade)");
}

#[test]
fn the_sandboxes_identity_provider_is_asked_where_there_is_a_sandbox() {
    let login = |implicit| Login::Sandbox { person: "ada".into(), implicit };
    let mut p = opening(login(false), |_| {});
    p.did("fault not-signed-in-guest");
    for (implicit, kind, oauth) in [
        (false, "code", json!({"code":"c-1","redirectUri":"http://localhost/"})),
        (true, "id_token", json!({"idToken":"c-1"})),
    ] {
        let mut p = opening(login(implicit), |e| e.control = Some("http://api/control".into()));
        let told = p.done();
        let asked = told.iter().find(|t| t.starts_with("call GET http://api/idp/authorize?")).expect("no call");
        assert!(asked.contains(&format!("response_type={kind}&")) && asked.contains("login_hint=ada"), "{asked}");
        p.http(200, json!({kind:"c-1","redirect_uri":"http://localhost/"})).did(EXCHANGE);
        assert_eq!(p.body["oauth"], oauth);
    }
}

#[test]
fn a_person_damages_and_forgets_the_sign_in() {
    let deed = |deed| Wish::Clock { id: "guest-auth".into(), deed };
    let mut p = ready(900);
    p.wish(deed(ClockDeed::Corrupt)).does(&["clock guest-auth Corrupted by you until +900"]);
    p.lost().wish(Wish::Connect).opened();
    assert_ne!(sent_jwt(&p), jwt(1, 900));
    p.actions.clear();
    let tracing = p.last[ACTION].clone();
    p.refusal(&tracing, 401, "User is unauthorized").did(REFRESH);
    given(&mut p, 2, 900);
    configured(&mut p, false);
    p.actions.clear();
    p.wish(deed(ClockDeed::Forget)).does(&["keep session-token", "clock guest-auth Forgotten by you until +900"]);
    p.wish(deed(ClockDeed::Refresh)).does(&["fault no-such-clock"]);
}

fn ready_fact() -> crate::model::fact::Expiry {
    let mut p = opening(code(), |_| {});
    given(&mut p, 1, 900);
    let found = p.actions.into_iter().find_map(|a| match a {
        Action::State(Fact::Expiry(e)) if e.id == "guest-auth" => Some(e),
        _ => None,
    });
    found.unwrap()
}

#[test]
fn the_clock_shows_the_claims() {
    let fact = ready_fact();
    assert_eq!(fact.claims.unwrap()["claims"]["sub"], "ada");
    assert_eq!((fact.margin_secs, fact.assumed), (60, false));
}

/// What was given into the vault last: none where it was taken out.
fn kept(p: &Play) -> Option<Option<Kept>> {
    p.actions.iter().rev().find_map(|a| match a {
        Action::Keep { key: "session-token", value } => Some(value.as_ref().map(Kept::read)),
        _ => None,
    })
}

fn both(refresh: &str) -> Option<Option<Kept>> {
    let refresh = (!refresh.is_empty()).then(|| Secret::from(refresh));
    Some(Some(Kept { token: Secret::from(TOKEN), refresh }))
}

#[test]
fn the_refresh_token_is_kept_beside_the_session_token() {
    let mut p = opening(code(), |_| {});
    given(&mut p, 1, 900);
    assert_eq!(kept(&p), None, "nothing before the server has taken it");
    configured(&mut p, true);
    assert_eq!(kept(&p), both("refresh-1"));
    p.actions.clear();
    p.wish(Wish::Clock { id: "guest-auth".into(), deed: ClockDeed::Refresh });
    given(&mut p, 2, 900);
    assert_eq!(kept(&p), both("refresh-2"), "the newest");
    p.actions.clear();
    p.wish(Wish::Clock { id: "guest-auth".into(), deed: ClockDeed::Refresh });
    p.http(401, json!({"message":"The refresh token is dead"}));
    assert_eq!(kept(&p), both(""), "not one that was refused");
}

#[test]
fn a_guest_who_was_stepped_up_is_kept_as_one_who_has_signed_in_only_when_the_server_has_taken_it() {
    let mut p = Play::ready();
    p.wish(Wish::SignIn(code()));
    given(&mut p, 1, 900);
    assert_eq!(kept(&p), None);
    configured(&mut p, false);
    assert_eq!(kept(&p), both("refresh-1"));
}

#[test]
fn a_resumed_session_is_signed_in_again_without_a_person() {
    let mut p = Play::resumed_with("refresh-1");
    p.wish(Wish::Connect).opened();
    let learnt =
        |p: &Play| p.actions.iter().position(|a| matches!(a, Action::Learn { kind: SecretKind::RefreshToken, .. }));
    let call = p.actions.iter().position(|a| matches!(a, Action::Call { .. }));
    assert!(learnt(&p) < call, "before it stands in a record");
    p.did(REFRESH);
    assert_eq!(p.body["refreshToken"], "refresh-1");
    p.http(200, json!({"jwt":jwt(2, 900)}));
    assert_eq!(sent_jwt(&p), jwt(2, 900));
    configured(&mut p, false);
    assert_eq!(kept(&p), both("refresh-1"));
    assert_eq!(*p.machine.state(), SessionState::Ready);
}

#[test]
fn a_kept_refresh_token_that_is_dead_says_that_somebody_has_to_sign_in() {
    let mut p = Play::resumed_with("refresh-1");
    p.wish(Wish::Connect).opened();
    p.http(401, json!({"message":"The refresh token is dead"}));
    assert_eq!(kept(&p), both(""));
    assert!(matches!(p.machine.state(), SessionState::Ended(End::Failed { why }) if why.contains("not signed in")));
}

#[test]
fn a_logout_takes_both_out_of_the_vault() {
    let mut p = ready(900);
    p.wish(Wish::SignOut);
    p.http(200, json!({}));
    assert_eq!(kept(&p), both(""), "the refresh token at once");
    p.arrives(json!({"type":"message","class":"LogoutEvent","code":200,"body":{}}));
    assert_eq!(kept(&p), Some(None));
}

#[test]
fn forgetting_the_sign_in_takes_its_refresh_token_out() {
    let mut p = ready(900);
    p.wish(Wish::Clock { id: "guest-auth".into(), deed: ClockDeed::Forget });
    assert_eq!(kept(&p), both(""));
    // Whoever is about to sign in as somebody else is no longer the one before.
    let mut p = ready(900);
    p.wish(Wish::SignIn(code()));
    assert_eq!(kept(&p), both(""));
}
