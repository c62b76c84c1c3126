//! People who sign in as agents: the test is the browser.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use reqwest::redirect;
use sessionscope::engine::console::LogPlace;
use sessionscope::engine::{Command, Event, SignInWait};
use sessionscope::model::agents::{SignIn, user_token_key};
use sessionscope::model::fact::{ClockDeed, Expiry, ExpiryEvent};
use sessionscope::model::{Environment, ManualClock, Report, Secret, Wall};
use sessionscope::projection::Finding;
use url::Url;

use crate::support::console::{Desk, LIMIT};

const ONE: &str = "agent1@sandbox.invalid";

/// A console, and the browser that it opens.
struct Office {
    desk: Desk,
    /// The sandbox, as any other server.
    environment: Environment,
    opened: mpsc::Receiver<String>,
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
}

impl Office {
    fn open() -> Self {
        Self::with(true)
    }

    fn with(starts: bool) -> Self {
        let (tell, opened) = mpsc::sync_channel(8);
        let open_url = Arc::new(move |url: &str| {
            tell.send(url.to_owned()).unwrap();
            if starts { Ok(()) } else { Err("there is none".to_owned()) }
        });
        let clock = ManualClock::starting_at(Wall::from_secs(1_790_000_000));
        let desk = Desk::with_browser(Some(clock), LogPlace::Folder, open_url);
        let environment = Environment { id: "e1".into(), name: "Server".into(), ..desk.environment.clone() };
        let http = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
        Self { desk, environment, opened, runtime: tokio::runtime::Runtime::new().unwrap(), http }
    }

    fn send(&self, command: Command) {
        self.desk.headless.console.engine.send(command).unwrap();
    }

    fn order(&self, order: &str) {
        self.desk.order(serde_json::from_str(order).unwrap());
    }

    fn sign_in(&self, person: &str) {
        self.send(Command::SignInUser { environment: Box::new(self.environment.clone()), person: person.into() });
    }

    fn deed(&self, deed: ClockDeed) {
        self.send(Command::OauthClock { id: format!("oauth:e1:user:{ONE}"), deed });
    }

    /// The address that the browser is sent to.
    fn address(&self) -> Url {
        Url::parse(&self.opened.recv_timeout(LIMIT).expect("the browser is opened")).unwrap()
    }

    fn no_browser(&self) {
        assert!(self.opened.try_recv().is_err(), "a browser was opened");
    }

    /// Status, where it leads, and text.
    fn get(&self, url: &str) -> Result<(u16, Option<String>, String), reqwest::Error> {
        self.runtime.block_on(async {
            let answer = self.http.get(url).send().await?;
            let location = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
            Ok((answer.status().as_u16(), location, answer.text().await?))
        })
    }

    /// Signs in on the login page: where the browser shall go back to.
    fn login(&self, address: &Url, user: &str) -> Url {
        let mut page = address.clone();
        page.query_pairs_mut().append_pair("prompt", "none").append_pair("login_hint", user);
        let (status, location, text) = self.get(page.as_str()).unwrap();
        assert_eq!(status, 302, "{text}");
        Url::parse(&location.unwrap()).unwrap()
    }

    /// The whole of it.
    fn signs_in(&self) -> Url {
        let back = self.login(&self.address(), ONE);
        let (status, _, text) = self.get(back.as_str()).unwrap();
        assert_eq!(status, 200, "{text}");
        back
    }

    fn clock(&self, what: &str, fits: impl Fn(&Expiry) -> bool) -> Expiry {
        let found = self.desk.headless.until(LIMIT, |h| {
            let board = h.board();
            board.general.clocks.iter().map(|c| &c.fact).find(|f| f.id.contains(":user:") && fits(f)).cloned()
        });
        found.unwrap_or_else(|| panic!("never {what}: {:?}", self.desk.headless.board().general))
    }

    fn fault(&self, code: &str) -> Report {
        let found = self.desk.headless.until(LIMIT, |h| {
            let board = h.board();
            board.general.faults.iter().map(|(_, r)| r.as_ref().clone()).find(|r| r.code == code)
        });
        found.unwrap_or_else(|| panic!("never {code}: {:?}", self.desk.headless.board().general.faults))
    }

    /// Waits until a failure outside any session is explained by this cause.
    fn explained(&self, cause: &str) {
        let named = |f: &Finding| f.verdicts.first().is_some_and(|v| v.cause == cause && !v.fix.is_empty());
        let found =
            self.desk.headless.until(LIMIT, |h| h.board().general.findings.list.iter().any(|f| named(f)).then_some(()));
        let all = || self.desk.headless.board().general.findings.list.iter().map(|f| f.told()).collect::<String>();
        assert!(found.is_some(), "never {cause}: {}", all());
    }

    /// What the window is told of the next sign-in.
    fn told(&self) -> (String, Option<SignInWait>) {
        let told = self.desk.headless.until(LIMIT, |h| {
            while let Some(event) = h.console.engine.poll() {
                if let Event::SignIn { id, waiting } = event {
                    return Some((id, waiting.map(|w| *w)));
                }
            }
            None
        });
        told.expect("the window is told")
    }

    /// Neither in the capture nor in the audit log nor anywhere else.
    fn not_written(&self, secrets: &[&str]) {
        let written = self.desk.written();
        assert!(written.iter().any(|(file, _)| file.extension().is_some_and(|e| e == "sscope")), "{}", written.len());
        for (file, bytes) in written {
            for secret in secrets {
                assert!(memchr::memmem::find(&bytes, secret.as_bytes()).is_none(), "{} holds a secret", file.display());
            }
        }
    }

    fn is_closed(&self, back: &Url) {
        let end = std::time::Instant::now() + LIMIT;
        while self.get(back.as_str()).is_ok() {
            assert!(std::time::Instant::now() < end, "the listener stays open");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_person_signs_in_by_the_browser() {
    let office = Office::open();
    office.sign_in(ONE);
    let address = office.address();
    let words: std::collections::HashMap<_, _> = address.query_pairs().into_owned().collect();
    assert_eq!((words["response_type"].as_str(), words["code_challenge_method"].as_str()), ("code", "S256"));
    assert_eq!(words["login_hint"], ONE);
    assert!(words["redirect_uri"].starts_with("http://localhost:") && words["state"].len() == 43);
    let (id, waiting) = office.told();
    let waiting = waiting.unwrap();
    assert_eq!(id, format!("oauth:e1:user:{ONE}"));
    assert_eq!((waiting.person.as_str(), waiting.environment.as_str()), (ONE, "Server"));
    assert_eq!(waiting.address, address.as_str());
    let redactor = &office.desk.headless.console.redactor;
    assert_eq!(redactor.text(&waiting.address), waiting.address, "it can be copied");

    let back = office.login(&address, ONE);
    let (status, _, page) = office.get(back.as_str()).unwrap();
    assert!(status == 200 && page.contains("You can close this window"), "{page}");
    let clock = office.clock("signed in", |f| f.event == ExpiryEvent::Started);
    assert_eq!(clock.title, format!("OAuth · {ONE} · Server"));
    assert!(!clock.breaks.is_empty() && clock.can.contains(&ClockDeed::Refresh));
    assert_eq!(office.told(), (id, None));
    office.is_closed(&back);

    // Signed in already.
    office.sign_in(ONE);
    office.deed(ClockDeed::Corrupt);
    office.clock("corrupted", |f| f.event == ExpiryEvent::Corrupted);
    office.no_browser();

    let code = back.query_pairs().find(|(k, _)| k == "code").unwrap().1.into_owned();
    let mut exchanged = false;
    for record in office.desk.records() {
        let text = format!("{}{}", record.head, String::from_utf8_lossy(&record.body));
        assert!(!text.contains(&code), "{text}");
        if let Some((_, verifier)) = text.split_once("code_verifier=") {
            exchanged = true;
            assert!(verifier.starts_with('[') || verifier.starts_with("%5B"), "{text}");
        }
    }
    assert!(exchanged, "the exchange is on record");
    office.not_written(&[&code]);
}

#[test]
fn only_the_right_answer_ends_the_wait() {
    let office = Office::open();
    office.sign_in("");
    let address = office.address();
    assert!(!address.as_str().contains("login_hint"));
    let back = office.login(&address, ONE);
    let port = back.port().unwrap();
    let get = |rest: &str| office.get(&format!("http://localhost:{port}{rest}")).unwrap().0;
    assert_eq!(get("/favicon.ico"), 404);
    assert_eq!(get("/"), 400);
    assert_eq!(get("/?code=forged&state=guess"), 400);
    assert_eq!(get("/?error=access_denied&state=guess"), 400);
    assert_eq!(office.get(&format!("http://127.0.0.1:{port}/")).unwrap().0, 400, "by either address");
    assert_eq!(office.get(back.as_str()).unwrap().0, 200);
    let clock = office.clock("signed in", |f| f.event == ExpiryEvent::Started);
    assert_eq!((clock.id.as_str(), clock.title.as_str()), ("oauth:e1:user:", "OAuth · agent · Server"));
}

#[test]
fn a_denial_is_told_and_the_next_try_is_a_new_one() {
    let office = Office::open();
    office.order(r#"{"do":"deny_sign_in","count":1}"#);
    office.sign_in(ONE);
    let first = office.address();
    let back = office.login(&first, ONE);
    let (_, _, page) = office.get(back.as_str()).unwrap();
    assert!(page.contains("Not signed in"), "{page}");
    let report = office.fault("sign-in-denied");
    office.explained("agent-sign-in-denied");
    assert!(report.what.contains("access_denied") && !report.remedies.is_empty(), "{report:?}");
    office.is_closed(&back);
    office.sign_in(ONE);
    let second = office.address();
    let word = |url: &Url, name: &str| url.query_pairs().find(|(k, _)| k == name).unwrap().1.into_owned();
    for name in ["state", "code_challenge"] {
        assert_ne!(word(&first, name), word(&second, name), "{name}");
    }
    office.get(office.login(&second, ONE).as_str()).unwrap();
    office.clock("signed in", |f| f.event == ExpiryEvent::Started);
}

#[test]
fn a_browser_that_never_comes_back_is_given_up_with_the_uri_to_register() {
    let mut office = Office::open();
    office.order(r#"{"do":"set_sign_in","redirect_uris":["http://localhost:1/registered"]}"#);
    office.environment.agents.sign_in_secs = 120;
    office.sign_in(ONE);
    let address = office.address();
    let (status, _, page) = office.get(address.as_str()).unwrap();
    assert!(status == 400 && page.contains("does not match"), "{page}");
    let uri = address.query_pairs().find(|(k, _)| k == "redirect_uri").unwrap().1.into_owned();
    office.told().1.expect("it is waited for");
    office.desk.clock.as_ref().unwrap().advance(Duration::from_secs(119));
    assert_eq!(office.get(&uri).unwrap().0, 400, "still there");
    office.desk.clock.as_ref().unwrap().advance(Duration::from_secs(1));
    let report = office.fault("sign-in-timed-out");
    office.explained("agent-sign-in-timed-out");
    assert!(report.what.contains("120 s"), "{report:?}");
    assert!(report.remedies.iter().any(|r| r.contains(&uri)), "{report:?}");
    assert_eq!(office.told().1, None);
    office.is_closed(&Url::parse(&uri).unwrap());
}

#[test]
fn a_registered_redirect_uri_is_used_to_the_letter_and_its_port_must_be_free() {
    let mut office = Office::open();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let uri = format!("http://localhost:{port}/callback");
    office.order(&format!(r#"{{"do":"set_sign_in","redirect_uris":["{uri}"]}}"#));
    office.environment.agents.redirect_uri = Some(uri.clone());
    office.sign_in(ONE);
    let report = office.fault("sign-in-port");
    office.explained("agent-redirect-port-taken");
    assert!(report.what.contains(&uri) && report.what.contains(&port.to_string()), "{report:?}");
    office.no_browser();
    drop(taken);
    office.sign_in(ONE);
    let back = office.signs_in();
    assert!(back.as_str().starts_with(&uri), "{back}");
    office.clock("signed in", |f| f.event == ExpiryEvent::Started);

    let mut other = office.environment.clone();
    other.agents.redirect_uri = Some("https://example.com/callback".into());
    office.send(Command::SignInUser { environment: Box::new(other), person: "other".into() });
    office.fault("bad-redirect");
    office.explained("agent-redirect-unusable");
}

#[test]
fn a_code_that_somebody_used_before_is_told() {
    let office = Office::open();
    office.sign_in(ONE);
    let back = office.login(&office.address(), ONE);
    let code = back.query_pairs().find(|(k, _)| k == "code").unwrap().1.into_owned();
    let client = office.environment.agents.client_id.clone().unwrap();
    let url = format!("{}/oauth/token", office.environment.login.as_deref().unwrap());
    let form = [("grant_type", "authorization_code"), ("code", &code), ("client_id", &client), ("code_verifier", "x")];
    let stolen = office.runtime.block_on(async { office.http.post(url).form(&form).send().await.unwrap().status() });
    assert_eq!(stolen, 400);
    office.get(back.as_str()).unwrap();
    let report = office.fault("sign-in-code");
    office.explained("agent-code-refused");
    assert!(report.what.contains("used before") && !report.text().contains(&code), "{report:?}");
}

#[test]
fn a_refresh_token_renews_without_a_browser_until_it_is_revoked() {
    let office = Office::open();
    office.order(r#"{"do":"set_sign_in","refresh_tokens":true}"#);
    office.sign_in(ONE);
    office.signs_in();
    let first = office.clock("signed in", |f| f.event == ExpiryEvent::Started);
    assert!(first.margin_secs > 0, "renewed before its end");
    let key = format!("e1/user-refresh/{ONE}");
    let kept = || office.desk.headless.console.vault.get(&key).unwrap().map(|s| s.expose().clone());
    let old = office.desk.headless.until(LIMIT, |_| kept()).expect("it is in the keyring");
    office.deed(ClockDeed::Refresh);
    let second = office.clock("refreshed", |f| f.event == ExpiryEvent::Refreshed && f.token != first.token);
    office.no_browser();
    let new = office.desk.headless.until(LIMIT, |_| kept().filter(|k| *k != old)).expect("the new one is kept");
    office.order(&format!(r#"{{"do":"revoke_user_tokens","user":"{ONE}"}}"#));
    office.deed(ClockDeed::Refresh);
    office.signs_in();
    office.clock("signed in again", |f| f.event == ExpiryEvent::Refreshed && f.token != second.token);
    office.not_written(&[&old, &new]);
    office.deed(ClockDeed::Forget);
    assert!(office.desk.headless.until(LIMIT, |_| kept().is_none().then_some(())).is_some(), "out of the keyring");
}

#[test]
fn without_a_refresh_token_refreshing_is_signing_in_again() {
    let office = Office::open();
    office.sign_in(ONE);
    office.signs_in();
    let first = office.clock("signed in", |f| f.event == ExpiryEvent::Started);
    office.deed(ClockDeed::Refresh);
    office.signs_in();
    let second = office.clock("signed in again", |f| f.event == ExpiryEvent::Refreshed);
    assert_ne!(first.token, second.token);
    // Its end comes, and no browser by itself.
    office.desk.clock.as_ref().unwrap().advance(Duration::from_secs(3600));
    office.order(r#"{"do":"reset"}"#);
    office.no_browser();
}

#[test]
fn a_sign_in_can_be_cancelled() {
    let office = Office::open();
    office.sign_in(ONE);
    let address = office.address();
    let (id, waiting) = office.told();
    assert!(waiting.is_some());
    office.send(Command::CancelSignIn { id: id.clone() });
    office.fault("sign-in-cancelled");
    office.explained("agent-sign-in-cancelled");
    assert_eq!(office.told(), (id, None));
    office.is_closed(&office.login(&address, ONE));
}

#[test]
fn where_no_browser_starts_the_address_is_told_and_still_good() {
    let office = Office::with(false);
    office.sign_in(ONE);
    let told = office.desk.headless.until(LIMIT, |h| {
        std::iter::from_fn(|| h.console.engine.poll()).find_map(|e| match e {
            Event::Fault(report) if report.code == "sign-in-no-browser" => Some(report),
            _ => None,
        })
    });
    let report = told.unwrap();
    assert!(report.what.contains("there is none"), "{report:?}");
    let address = office.address();
    assert!(report.details.iter().any(|d| d == address.as_str()), "{report:?}");
    office.get(office.login(&address, ONE).as_str()).unwrap();
    office.clock("signed in", |f| f.event == ExpiryEvent::Started);
}

#[test]
fn in_its_own_sandbox_nobody_needs_to_look_at_a_page() {
    let mut office = Office::open();
    office.environment = office.desk.environment.clone();
    office.sign_in(ONE);
    let clock = office.clock("signed in", |f| f.event == ExpiryEvent::Started);
    assert_eq!(clock.id, format!("oauth:sandbox:user:{ONE}"));
    office.no_browser();
    let mut codes = 0;
    for record in office.desk.records() {
        let text = format!("{}{}", record.head, String::from_utf8_lossy(&record.body));
        for code in text.split(['?', '&', '"']).filter_map(|word| word.strip_prefix("code=")) {
            codes += 1;
            assert!(code.starts_with('[') || code.starts_with("%5B"), "{text}");
        }
    }
    assert_eq!(codes, 2, "where the browser was sent to, and the exchange");
    office.sign_in("nobody@sandbox.invalid");
    let report = office.fault("sign-in-refused");
    assert!(report.what.contains("login_required"), "{report:?}");
    office.order(r#"{"do":"set_sign_in","redirect_uris":["http://localhost:1/registered"]}"#);
    office.sign_in("agent2@sandbox.invalid");
    let report = office.fault("sign-in-redirect");
    assert!(report.remedies.iter().any(|r| r.contains("http://localhost:")), "{report:?}");
    // Whoever it is: by the page.
    office.order(r#"{"do":"set_sign_in","redirect_uris":[]}"#);
    office.sign_in("");
    office.address();
}

#[test]
fn a_pasted_token_is_a_person_s_own_or_everybody_s() {
    let mut office = Office::open();
    office.environment.agents.sign_in = SignIn::Pasted;
    office.sign_in(ONE);
    let report = office.fault("sign-in-failed");
    assert!(report.what.contains(ONE) && report.what.contains("holds no token"), "{report:?}");
    let keep = |person: &str, token: &str| {
        office.send(Command::KeepSecret { key: user_token_key("e1", person), value: Secret::from(token) });
    };
    keep("", "token-of-everybody-1");
    let everybody = office.clock("given", |f| f.event == ExpiryEvent::Started);
    keep(ONE, "token-of-agent-one-1");
    office.clock("their own", |f| f.event == ExpiryEvent::Refreshed && f.token != everybody.token);
    office.no_browser();
}

#[test]
fn without_a_client_nobody_is_sent_anywhere() {
    let mut office = Office::open();
    office.environment.agents.client_id = None;
    office.environment.client_id = None;
    office.sign_in(ONE);
    let report = office.fault("no-client");
    assert!(report.remedies.iter().any(|r| r.contains("PKCE")), "{report:?}");
    office.no_browser();
}
