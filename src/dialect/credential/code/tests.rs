use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::model::{Mono, Now};

fn at(secs: u64) -> At {
    let wall = Wall::from_secs(secs as i64);
    At { now: Now { wall, mono: Mono(secs * 1_000_000) }, server: wall }
}

struct Play {
    machine: Credential,
    out: Vec<Deed>,
}

impl Play {
    /// Of which no refresh token was kept.
    fn new() -> Self {
        Self::with(None)
    }

    fn with(kept: Option<&str>) -> Self {
        let asking = Asking { url: "http://login/oauth/authorize".into(), client_id: "me".into(), ..Asking::default() };
        let shown = Shown { id: "oauth:e:user:a".into(), title: "OAuth · a · e".into(), breaks: "all".into() };
        let source = Source::Code { url: "http://login/oauth/token".into(), asking };
        let mut play = Self { machine: Credential::new(source, shown, Duration::from_secs(60), 3, 1), out: Vec::new() };
        play.machine.by_person();
        play.need(0, 1).does(&["look"]);
        play.machine.given(at(0), Ok(kept.map(Secret::from)), &mut play.out);
        play
    }

    /// Signed in for an hour.
    fn signed_in(refresh: Option<&str>) -> Self {
        let mut play = Self::new();
        play.does(&["ask"]).back(1).out.clear();
        play.answer(2, 200, token("t1", refresh)).out.clear();
        play
    }

    fn need(&mut self, t: u64, who: u32) -> &mut Self {
        self.machine.need(at(t), who, &mut self.out);
        self
    }

    fn back(&mut self, t: u64) -> &mut Self {
        let back = Back { code: "c".into(), verifier: "v".into(), redirect_uri: "http://localhost:1/".into() };
        self.machine.came_back(at(t), Ok(back), &mut self.out);
        self
    }

    fn nobody(&mut self, t: u64) -> &mut Self {
        self.machine.came_back(at(t), Err(Report::new("gone", "Gone", "")), &mut self.out);
        self
    }

    fn answer(&mut self, t: u64, status: u16, body: Value) -> &mut Self {
        self.machine.answered(at(t), status, None, body.to_string().as_bytes(), &mut self.out);
        self
    }

    fn tick(&mut self, t: u64) -> &mut Self {
        self.machine.tick(at(t), &mut self.out);
        self
    }

    fn deed(&mut self, t: u64, deed: ClockDeed) -> &mut Self {
        self.machine.deed(at(t), deed, &mut self.out);
        self
    }

    #[track_caller]
    fn does(&mut self, wanted: &[&str]) -> &mut Self {
        let told: Vec<String> = self.out.drain(..).filter_map(tell).collect();
        assert_eq!(told, wanted);
        self
    }
}

fn tell(deed: Deed) -> Option<String> {
    Some(match deed {
        Deed::Fetch(call) => format!("fetch {}", String::from_utf8_lossy(&call.body)),
        Deed::Read => "look".into(),
        Deed::SignIn(_) => "ask".into(),
        Deed::StopSignIn => "stop".into(),
        Deed::Keep(Some(token)) => format!("keep {}", token.expose()),
        Deed::Keep(None) => "forget".into(),
        Deed::Tell { who, news: BearerNews::Granted(b) } => format!("{who} has {}", b.token.expose()),
        Deed::Tell { who, news: BearerNews::Denied { report } } => format!("{who} is denied: {}", report.code),
        Deed::Tell { who, .. } => format!("{who} hears"),
        Deed::State(Fact::Fault(report)) => format!("fault {}", report.code),
        Deed::State(Fact::Expiry(e)) => format!("clock {:?} by {}", e.event, e.by),
        Deed::Learn(..) | Deed::State(_) => return None,
    })
}

fn token(name: &str, refresh: Option<&str>) -> Value {
    let mut body = json!({ "access_token": name, "token_type": "bearer", "expires_in": 3600 });
    if let Some(refresh) = refresh {
        body["refresh_token"] = refresh.into();
    }
    body
}

const EXCHANGE: &str = "fetch grant_type=authorization_code&code=c&code_verifier=v\
                        &redirect_uri=http%3A%2F%2Flocalhost%3A1%2F&client_id=me";

#[test]
fn a_person_signs_in_and_the_code_is_exchanged_for_all_who_wait() {
    let mut p = Play::new();
    p.does(&["ask"]).need(1, 2).does(&[]);
    p.back(2).does(&[EXCHANGE]);
    p.back(2).does(&[]);
    p.answer(3, 200, token("t1", None)).does(&["clock Started by you", "1 has t1", "2 has t1"]);
    assert_eq!(p.machine.wait(at(3)), None, "nothing to be renewed");
    p.tick(3595).does(&[]);
}

#[test]
fn no_browser_opens_by_itself() {
    // At first, where no person wishes it.
    let mut p = Play::new();
    p.does(&["ask"]).nobody(1).does(&["fault gone", "1 is denied: gone"]);
    p.need(2, 1).does(&["fault sign-in-again", "1 is denied: sign-in-again"]);
    p.machine.by_person();
    p.need(3, 1).does(&["ask"]);
    // And where a token has died.
    let mut p = Play::signed_in(None);
    p.need(3601, 1).does(&["fault sign-in-again", "1 is denied: sign-in-again", "clock Expired by token keeper"]);
    p.need(3602, 1).does(&["fault sign-in-again", "1 is denied: sign-in-again"]);
    p.deed(3603, ClockDeed::Refresh).does(&["ask"]);
    p.back(3604).answer(3605, 200, token("t2", None));
    p.does(&[EXCHANGE, "clock Refreshed by you", "1 has t2"]);
    // And where the server revoked it.
    p.machine.refused(at(3606), 1, 2, &mut p.out);
    p.does(&["1 hears", "clock Refused by server", "fault sign-in-again", "1 is denied: sign-in-again"]);
}

#[test]
fn a_wish_that_was_fulfilled_opens_no_browser_later() {
    let mut p = Play::signed_in(None);
    p.machine.by_person();
    p.need(10, 1).does(&["1 has t1"]);
    p.need(3601, 1).does(&["fault sign-in-again", "1 is denied: sign-in-again", "clock Expired by token keeper"]);
}

#[test]
fn signing_in_anew_leaves_the_token_at_hand_until_the_person_is_back() {
    let mut p = Play::signed_in(None);
    p.deed(10, ClockDeed::Refresh).does(&["ask"]);
    p.deed(11, ClockDeed::Refresh).does(&[]);
    p.nobody(12).does(&["fault gone"]);
    p.need(13, 1).does(&["1 has t1"]);
    p.deed(14, ClockDeed::Refresh).back(15).answer(16, 400, json!({ "error": "invalid_grant" }));
    p.does(&["ask", EXCHANGE, "fault sign-in-code"]).need(17, 1).does(&["1 has t1"]);
    p.deed(18, ClockDeed::Refresh).back(19).answer(20, 200, token("t2", None));
    p.does(&["ask", EXCHANGE, "clock Refreshed by you", "1 has t2"]);
    // Where it dies meanwhile, those who need one wait for the person.
    p.deed(30, ClockDeed::Refresh).does(&["ask"]).need(4000, 1).does(&[]);
    p.nobody(4001).does(&["fault gone", "1 is denied: gone", "clock Expired by token keeper"]);
}

#[test]
fn refresh_tokens_renew_and_rotate() {
    let mut p = Play::signed_in(Some("r1"));
    assert_eq!(p.machine.wait(at(2)), Some(Duration::from_secs(3539)), "a minute before its end");
    p.tick(3541).does(&["fetch grant_type=refresh_token&refresh_token=r1&client_id=me"]);
    p.answer(3542, 200, token("t2", Some("r2")));
    p.does(&["keep r2", "clock Refreshed by token keeper", "1 has t2"]);
    p.deed(3600, ClockDeed::Refresh).does(&["fetch grant_type=refresh_token&refresh_token=r2&client_id=me"]);
    p.answer(3601, 200, token("t3", None)).does(&["clock Refreshed by you", "1 has t3"]);
    p.deed(3602, ClockDeed::Refresh).does(&["fetch grant_type=refresh_token&refresh_token=r2&client_id=me"]);
    // A server that is busy is asked again.
    p.answer(3603, 503, json!({}))
        .does(&[])
        .tick(3700)
        .does(&["fetch grant_type=refresh_token&refresh_token=r2&client_id=me"]);
}

#[test]
fn a_refused_refresh_token_is_forgotten_and_a_person_is_asked_only_if_one_wished() {
    let mut p = Play::signed_in(Some("r1"));
    p.need(3700, 1).answer(3701, 400, json!({ "error": "invalid_grant" }));
    p.does(&[
        "fetch grant_type=refresh_token&refresh_token=r1&client_id=me",
        "forget",
        "fault sign-in-again",
        "1 is denied: sign-in-again",
        "clock Expired by token keeper",
    ]);
    let mut p = Play::signed_in(Some("r1"));
    p.deed(10, ClockDeed::Refresh).answer(11, 400, json!({ "error": "invalid_grant" }));
    p.does(&["fetch grant_type=refresh_token&refresh_token=r1&client_id=me", "forget", "ask"]);
    p.back(12).answer(13, 200, token("t2", Some("r2")));
    p.does(&[EXCHANGE, "keep r2", "clock Refreshed by you", "1 has t2"]);
}

#[test]
fn a_kept_refresh_token_makes_the_browser_needless() {
    let mut p = Play::with(Some(" r1\n"));
    p.does(&["fetch grant_type=refresh_token&refresh_token=r1&client_id=me"]);
    p.answer(1, 200, token("t1", Some("r2"))).does(&["keep r2", "clock Started by a session", "1 has t1"]);
    let mut p = Play::with(Some("old"));
    p.answer(1, 400, json!({})).does(&[
        "fetch grant_type=refresh_token&refresh_token=old&client_id=me",
        "forget",
        "ask",
    ]);
    p.deed(2, ClockDeed::Forget).does(&[]);
    p.machine.end("end", &mut p.out);
    p.does(&["stop"]);
}

#[test]
fn what_a_person_forgets_is_forgotten_everywhere() {
    let mut p = Play::signed_in(Some("r1"));
    p.deed(10, ClockDeed::Forget).does(&["forget", "1 hears", "clock Forgotten by you"]);
    p.need(11, 1).does(&["fault sign-in-again", "1 is denied: sign-in-again"]);
}

#[test]
fn a_code_that_is_not_taken_is_told_as_such() {
    for (status, code) in
        [(400, "sign-in-code"), (401, "sign-in-code"), (200, "sign-in-failed"), (502, "sign-in-failed")]
    {
        let mut p = Play::new();
        p.back(1).answer(2, status, json!({ "error": "invalid_grant", "error_description": "used" }));
        p.does(&["ask", EXCHANGE, &format!("fault {code}"), &format!("1 is denied: {code}")]);
    }
    let mut p = Play::new();
    p.back(1).out.clear();
    p.machine.unreachable(at(2), &Report::new("x", "Gone", "no route"), &mut p.out);
    p.does(&["fault sign-in-failed", "1 is denied: sign-in-failed"]);
}
