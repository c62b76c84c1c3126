//! OAuth tokens that sessions share, by source.

use super::*;
use crate::dialect::credential::{Credential, Deed, Shown, Source};
use crate::dialect::{At, BearerNews};
use crate::model::fact::ClockDeed;
use crate::model::{Fact, Mono, Now, Report, Secret, Wall};
use std::time::Duration;

fn at(secs: u64) -> At {
    let wall = Wall::from_secs(secs as i64);
    At { now: Now { wall, mono: Mono(secs * 1_000_000) }, server: wall + Duration::from_secs(1_000_000) }
}

struct Play {
    machine: Credential,
    out: Vec<Deed>,
}

impl Play {
    fn new(source: Source) -> Self {
        let shown = Shown { id: "oauth:e".into(), title: "OAuth".into(), breaks: "calls".into() };
        Self { machine: Credential::new(source, shown, Duration::from_secs(60), 6, 1), out: Vec::new() }
    }

    fn client() -> Self {
        Self::new(client("http://login/oauth/token", "a b"))
    }

    fn need(&mut self, t: u64, who: u32) -> &mut Self {
        self.machine.need(at(t), who, &mut self.out);
        self
    }

    fn refused(&mut self, t: u64, who: u32, number: u64) -> &mut Self {
        self.machine.refused(at(t), who, number, &mut self.out);
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

    fn answer(&mut self, t: u64, status: u16, body: Value) -> &mut Self {
        self.machine.answered(at(t), status, None, body.to_string().as_bytes(), &mut self.out);
        self
    }

    fn given(&mut self, t: u64, found: Option<&str>) -> &mut Self {
        self.machine.given(at(t), Ok(found.map(Secret::from)), &mut self.out);
        self
    }

    fn done(&mut self) -> Vec<String> {
        self.out.drain(..).filter_map(|d| tell(&d)).collect()
    }

    #[track_caller]
    fn does(&mut self, wanted: &[&str]) -> &mut Self {
        let told = self.done();
        let same = |t: &String, w: &&str| w.strip_suffix('…').map_or(t == w, |start| t.starts_with(start));
        let all = told.len() == wanted.len() && told.iter().zip(wanted).all(|(t, w)| same(t, w));
        assert!(all, "done:\n  {}\nwanted:\n  {}", told.join("\n  "), wanted.join("\n  "));
        self
    }
}

fn tell(deed: &Deed) -> Option<String> {
    Some(match deed {
        Deed::Fetch(call) => {
            format!("fetch {} {}", call.url, String::from_utf8_lossy(&call.body)).trim_end().to_owned()
        }
        Deed::Read => "read".into(),
        Deed::SignIn(_) | Deed::StopSignIn | Deed::Keep(_) => unreachable!("nobody signs in here"),
        Deed::Tell { who, news: BearerNews::Granted(b) } => {
            format!("{who} is granted {} {}", b.number, b.token.expose())
        }
        Deed::Tell { who, news: BearerNews::Dead { number } } => format!("{who} hears that {number} is dead"),
        Deed::Tell { who, news: BearerNews::Denied { report } } => format!("{who} is denied: {}", report.what),
        Deed::Tell { who, .. } => format!("{who} hears nothing"),
        Deed::Learn(..) | Deed::State(Fact::Fault(_)) => return None,
        Deed::State(Fact::Expiry(e)) => format!("clock {:?} by {}", e.event, e.by),
        Deed::State(other) => format!("{other:?}"),
    })
}

fn client(url: &str, scope: &str) -> Source {
    let (client_id, secret) = ("id".into(), Secret::from("hush"));
    Source::Client { url: url.into(), client_id, secret, scope: scope.into() }
}

fn token(name: &str, life: i64) -> Value {
    json!({ "access_token": name, "expires_in": life, "scope": "a" })
}

#[test]
fn client_credentials_ask_for_the_scope_on_either_path() {
    for url in ["http://login/oauth/token", "http://api/api/v2/oauth/token"] {
        let mut p = Play::new(client(url, "guest:create guest:read"));
        p.need(0, 1);
        let basic = p.out.iter().find_map(|d| match d {
            Deed::Fetch(call) => Some(call.headers[0].1.clone()),
            _ => None,
        });
        assert_eq!(basic.as_deref(), Some("Basic aWQ6aHVzaA=="));
        p.does(&[&format!("fetch {url} grant_type=client_credentials&scope=guest%3Acreate+guest%3Aread")]);
        p.answer(1, 200, token("t1", 3600)).does(&["clock Started by a session", "1 is granted 1 t1"]);
    }
}

#[test]
fn a_broker_gives_a_token_with_or_without_its_life() {
    for (body, until) in [(json!({ "token": "t", "expires_in": 600 }), true), (json!({ "token": "t" }), false)] {
        let mut p = Play::new(Source::Broker { url: "http://broker/api/genesys/refresh".into() });
        p.need(0, 1).does(&["fetch http://broker/api/genesys/refresh"]);
        p.answer(0, 200, body);
        let told = p
            .out
            .iter()
            .any(|d| matches!(d, Deed::Tell { news: BearerNews::Granted(b), .. } if b.until.is_some() == until));
        assert!(told);
        assert_eq!(p.machine.wait(at(0)).is_some(), until);
    }
}

#[test]
fn a_given_token_is_read_and_its_end_is_its_own() {
    let mut p = Play::new(Source::Given { place: "the pasted token".into() });
    p.need(0, 1).does(&["read"]);
    let signed = jwt("s", &json!({ "exp": at(600).server.as_secs() }));
    p.given(0, Some(&format!(" {signed}\n")));
    let until = p.out.iter().find_map(|d| match d {
        Deed::Tell { news: BearerNews::Granted(b), .. } => b.until,
        _ => None,
    });
    assert_eq!(until, Some(at(600).server));
    let mut p = Play::new(Source::Given { place: "the pasted token".into() });
    p.need(0, 1).given(0, Some("opaque")).does(&["read", "clock Started by a session", "1 is granted 1 opaque"]);
    // Refused, it is not handed out again, and nobody can renew it.
    p.refused(1, 1, 1).given(1, Some("opaque"));
    p.does(&[
        "1 hears that 1 is dead",
        "clock Refused by server",
        "read",
        "1 is denied: the pasted token: the server gave the very token again that it had refused.",
    ]);
}

#[test]
fn a_given_token_that_is_missing_empty_or_broken_is_told() {
    for (found, what) in
        [(None, "holds no token"), (Some("  "), "holds no token"), (Some("two words"), "no header can carry")]
    {
        let mut p = Play::new(Source::Given { place: "the keyring's entry".into() });
        p.need(0, 1).given(0, found);
        let told = p.done().join("\n");
        assert!(told.contains("1 is denied: the keyring's entry") && told.contains(what), "{told}");
        assert!(!told.contains("two words"));
    }
}

#[test]
fn one_fetch_serves_all_who_need_it_and_all_who_have_it_get_the_next() {
    let mut p = Play::client();
    p.need(0, 1).need(0, 2).need(1, 3).does(&["fetch…"]);
    p.answer(2, 200, token("t1", 100));
    p.does(&["clock Started by a session", "1 is granted 1 t1", "2 is granted 1 t1", "3 is granted 1 t1"]);
    p.tick(49).does(&[]).tick(51).does(&["fetch…"]);
    p.answer(52, 200, token("t2", 100));
    p.does(&["clock Refreshed by token keeper", "1 is granted 2 t2", "2 is granted 2 t2", "3 is granted 2 t2"]);
}

#[test]
fn life_is_counted_from_when_the_token_was_asked_for() {
    let mut p = Play::client();
    p.need(0, 1).answer(90, 200, token("slow", 100));
    let until = p.out.iter().find_map(|d| match d {
        Deed::Tell { news: BearerNews::Granted(b), .. } => b.until,
        _ => None,
    });
    assert_eq!(until, Some(at(100).server));
    let mut p = Play::client();
    p.need(0, 1).answer(100, 200, token("too slow", 100));
    assert!(p.done().join("\n").contains("1 is denied"));
}

#[test]
fn a_refused_token_is_told_to_all_replaced_once_and_never_handed_out_again() {
    let mut p = Play::client();
    p.need(0, 1).need(0, 2).answer(0, 200, token("t1", 3600)).out.clear();
    p.refused(1, 1, 1).refused(1, 2, 1);
    p.does(&["1 hears that 1 is dead", "2 hears that 1 is dead", "clock Refused by server", "fetch…"]);
    p.answer(2, 200, token("t1", 3600));
    let told = p.done();
    assert!(
        told.iter().filter(|l| l.contains("is denied") && l.contains("the very token again")).count() == 2,
        "{told:?}"
    );
    p.need(3, 1).answer(3, 200, token("t2", 3600)).out.clear();
    p.refused(4, 1, 2).does(&["1 hears that 2 is dead", "2 hears that 2 is dead", "clock Refused by server", "fetch…"]);
    p.answer(4, 200, token("t3", 3600)).out.clear();
    p.refused(5, 1, 3);
    assert!(
        p.done()
            .join("\n")
            .contains("1 is denied: the token endpoint http://login/oauth/token: a fresh token was refused as well")
    );
}

#[test]
fn busy_endpoints_are_asked_again_as_they_say_and_a_bounded_number_of_times() {
    let mut p = Play::client();
    p.need(0, 1).out.clear();
    p.machine.answered(at(0), 429, Some(Duration::from_secs(30)), b"{}", &mut p.out);
    assert_eq!(p.machine.wait(at(0)), Some(Duration::from_secs(30)));
    p.tick(29).does(&[]).tick(30).does(&["fetch…"]);
    p.answer(30, 429, json!({}));
    assert_eq!(p.machine.wait(at(30)), Some(Duration::from_secs(2)), "two seconds where it names none");
    let mut fetches = 0;
    for t in 32..400 {
        p.tick(t);
        if p.done().iter().any(|l| l.starts_with("fetch")) {
            fetches += 1;
            p.machine.unreachable(at(t), &Report::new("x", "No answer", "It is down."), &mut p.out);
        }
    }
    assert!(fetches <= 5, "{fetches}");
    let mut p = Play::client();
    p.need(0, 1).out.clear();
    p.machine.answered(at(0), 429, Some(Duration::from_secs(3600)), b"{}", &mut p.out);
    assert!(p.done().join("\n").contains("at most 300 s are waited"), "a wait that is too long is told");
}

#[test]
fn a_401_of_the_token_endpoint_is_told_at_once_to_all_who_wait() {
    let mut p = Play::client();
    p.need(0, 1).need(0, 2).out.clear();
    p.answer(0, 401, json!({ "error": "invalid_client" }));
    let what = "is denied: the token endpoint http://login/oauth/token answered 401: invalid_client.";
    p.does(&[&format!("1 {what}"), &format!("2 {what}")]);
    assert_eq!(p.machine.wait(at(0)), None);
}

#[test]
fn strange_lives_and_answers_are_taken_for_what_they_are() {
    for (life, alive) in [
        (json!(0), false),
        (json!(-5), false),
        (json!(1e300), true),
        (json!(0.5), true),
        (json!("3600"), true),
        (Value::Null, true),
        (json!({}), true),
    ] {
        let mut p = Play::client();
        p.need(0, 1).answer(0, 200, json!({ "access_token": "t", "expires_in": life }));
        let told = p.done().join("\n");
        assert_eq!(told.contains("1 is granted 1 t"), alive, "{life}: {told}");
        assert_eq!(told.contains("1 is denied"), !alive, "{life}: {told}");
    }
    for body in [
        "",
        "[]",
        "[\"tok\", \"secret\"]",
        "{\"access_token\":7}",
        "{\"access_token\":\"\"}",
        "{\"expires_in\":\"secret\"}",
    ] {
        let mut p = Play::client();
        p.need(0, 1);
        p.machine.answered(at(0), 200, None, body.as_bytes(), &mut p.out);
        let told = format!("{:?}", p.out);
        assert!(told.contains("answered without a token") && !told.contains("\"secret"), "{body}: {told}");
    }
}

#[test]
fn deeds_of_a_tester_are_told_to_all_who_have_the_token() {
    let mut p = Play::client();
    p.need(0, 1).answer(0, 200, token("token1", 3600)).out.clear();
    p.deed(1, ClockDeed::Corrupt).does(&["1 is granted 2 tokAn1", "clock Corrupted by you"]);
    p.refused(2, 1, 2).answer(2, 200, token("token2", 3600)).out.clear();
    p.deed(3, ClockDeed::Expire).does(&["1 hears that 3 is dead", "clock Expired by you"]);
    p.tick(3000).does(&[]);
    p.need(3001, 1).does(&["fetch…"]).answer(3001, 200, token("token2", 3600));
    p.does(&["clock Refreshed by a session", "1 is granted 4 token2"]);
    p.deed(3002, ClockDeed::Forget).does(&["1 hears that 4 is dead", "clock Forgotten by you"]);
    p.deed(3003, ClockDeed::Refresh).does(&["fetch…"]);
    p.answer(3003, 200, token("token3", 3600)).does(&["clock Refreshed by you", "1 is granted 5 token3"]);
}

#[test]
fn what_was_fetched_with_the_old_secret_is_not_used_after_it_changed() {
    let mut p = Play::client();
    p.need(0, 1).out.clear();
    p.machine.change(at(1), client("http://login/oauth/token", "other"), &mut p.out);
    p.does(&[]).answer(2, 200, token("old", 3600));
    p.does(&["fetch http://login/oauth/token grant_type=client_credentials&scope=other"]);
    p.answer(3, 200, token("new", 3600)).does(&["clock Started by a changed secret", "1 is granted 1 new"]);
}

#[test]
fn a_changed_secret_is_tried_at_once_though_the_old_one_had_to_wait() {
    let mut p = Play::client();
    p.need(0, 1).out.clear();
    p.machine.answered(at(0), 503, Some(Duration::from_secs(200)), b"", &mut p.out);
    p.machine.change(at(1), client("http://login/oauth/token", ""), &mut p.out);
    p.does(&["fetch http://login/oauth/token grant_type=client_credentials"]);
}
