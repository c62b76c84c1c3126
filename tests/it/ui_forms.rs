//! The forms in the dialogs, filled in as a person would: one key after the other.

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable};
use sessionscope::engine::{Command, Event};
use sessionscope::model::{Environment, Report};
use sessionscope::ui::app::App;
use sessionscope::ui::settings::Settings;
use sessionscope::vault::VaultStatus;

use crate::support::scene::{Desk, until};
use crate::support::tells;
use crate::ui_app::{fill, keys, open, press, sees};

const DEPLOYMENT: &str = "d1111111-2222-4333-8444-555555555555";
const ANOTHER: &str = "Another environment has this name.";

fn stored() -> Desk {
    let mut settings = Settings { chosen: "e1".into(), reduced_motion: true, ..Settings::default() };
    settings.environments.push(Environment {
        id: "e1".into(),
        name: "Staging".into(),
        region: Some("mypurecloud.ie".into()),
        deployment_id: DEPLOYMENT.into(),
        ..Environment::default()
    });
    Desk { settings, ..Desk::default() }
}

fn environments(desk: &Desk) -> Harness<'static, App> {
    let mut h = open(desk);
    keys(&mut h, Modifiers::COMMAND | Modifiers::SHIFT, Key::E);
    h
}

/// Types where the keyboard is, with frames in between.
fn type_keys(h: &mut Harness<'_, App>, text: &str) {
    for c in text.chars() {
        h.event(egui::Event::Text(c.to_string()));
        h.run_ok();
    }
}

fn type_into(h: &mut Harness<'_, App>, label: &str, text: &str) {
    h.get_by_role_and_label(Role::TextInput, label).focus();
    h.run_ok();
    type_keys(h, text);
}

fn value(h: &Harness<'_, App>, label: &str) -> String {
    h.get_by_role_and_label(Role::TextInput, label).value().unwrap_or_default()
}

#[test]
fn a_field_keeps_the_keyboard_while_warnings_come_and_go_above_it() {
    let mut h = environments(&stored());
    type_into(&mut h, "Proxy", "http://127.0.0.1:9");
    assert_eq!(value(&h, "Proxy"), "http://127.0.0.1:9");
    type_into(&mut h, "Deployment id", "x");
    type_into(&mut h, "Own CA file", "/no/such/file.pem");
    assert_eq!(value(&h, "Own CA file"), "/no/such/file.pem");
    press(&mut h, "New environment");
    for (label, text) in [("Name", "Staging"), ("Deployment id", DEPLOYMENT), ("Origin", "https://example.com")] {
        type_into(&mut h, label, text);
        assert_eq!(value(&h, label), text);
    }
}

#[test]
fn a_bad_proxy_is_told_at_its_own_field() {
    let mut h = environments(&stored());
    type_into(&mut h, "Proxy", "joe:hunter2@nowhere");
    let what = "Proxy: must begin with http://, https:// or socks5://, then host:port.";
    let told: Vec<_> = h.query_all_by_label(what).map(|n| n.rect()).collect();
    let field = h.get_by_role_and_label(Role::TextInput, "Proxy").rect();
    assert!(told.iter().any(|r| r.top() >= field.bottom() && r.top() < field.bottom() + 12.0), "{told:?} {field:?}");
    assert!(told.iter().all(|r| r.top() >= field.bottom()), "not at the servers");
    assert!(!tells(&h, "hunter2"));
    assert!(h.get_by_role_and_label(Role::Button, "Save").accesskit_node().is_disabled());
}

#[test]
fn a_new_environment_is_not_taken_for_another_one() {
    let desk = Desk::default();
    let mut h = environments(&desk);
    press(&mut h, "New environment");
    type_into(&mut h, "Name", "Staging");
    type_into(&mut h, "Deployment id", DEPLOYMENT);
    press(&mut h, "Create");
    assert_eq!(h.state().settings().environments.len(), 1);
    assert!(!sees(&h, ANOTHER) && sees(&h, "Save"));
    press(&mut h, "Save");
    assert_eq!(h.state().settings().environments.len(), 1);
    press(&mut h, "Delete…");
    press(&mut h, "Delete");
    assert!(sees(&h, "Choose an environment at the left, or make a new one."), "what is deleted is shown no more");
}

#[test]
fn a_name_that_another_environment_has_is_told() {
    let mut h = environments(&stored());
    press(&mut h, "New environment");
    type_into(&mut h, "Name", "Staging");
    assert!(sees(&h, ANOTHER));
}

#[test]
fn the_result_of_a_test_comes_into_view() {
    let desk = stored();
    let mut h = environments(&desk);
    press(&mut h, "Test connection");
    let buttons = h.get_by_role_and_label(Role::Button, "Test connection").rect();
    let in_view = |h: &Harness<'_, App>, label: &str| {
        // What is out of view has no bounds.
        h.query_all_by_label(label)
            .any(|n| n.accesskit_node().bounding_box().is_some_and(|r| r.y1 <= f64::from(buttons.top())))
    };
    assert!(in_view(&h, "Testing the connection…"));
    let ticket = desk.listener.take().into_iter().find_map(|c| match c {
        Command::Probe { ticket, .. } => Some(ticket),
        _ => None,
    });
    let bad = Report::new("dns", "The host is not known", "No address was found.").remedy("Check the region.");
    let good = ["The deployment is active", "One", "Two", "Three", "Four"];
    let checks = good.into_iter().map(|text| Ok(text.to_owned())).chain([Err(bad)]).collect();
    desk.listener.tell(Event::Probed { ticket: ticket.unwrap(), checks });
    h.run_ok();
    for label in ["Last test", "The deployment is active", "The host is not known"] {
        assert!(in_view(&h, label), "{label}");
    }
    // It is scrolled to once; then the form is the user's again.
    h.hover_at(buttons.center_top() - egui::vec2(0.0, 60.0));
    h.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, 2000.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    });
    for _ in 0..20 {
        h.run_ok();
    }
    assert!(!in_view(&h, "The host is not known"));
}

/// The window says where the secret is, and in what words its field is empty.
fn secret(h: &Harness<'_, App>) -> String {
    h.get_by_role_and_label(Role::PasswordInput, "Client secret")
        .accesskit_node()
        .placeholder()
        .unwrap_or_default()
        .into()
}

#[test]
fn without_a_keyring_nothing_is_said_to_be_in_one() {
    let desk = stored();
    let memory = VaultStatus { place: "memory only".into(), lasting: false, report: None };
    desk.listener.tell(Event::Vault(memory));
    let mut h = environments(&desk);
    // What an earlier run held in memory is lost.
    assert_eq!(secret(&h), "none kept");
    assert!(!sees(&h, "Forget the kept one") && !tells(&h, "goes to the keyring"));
    assert!(tells(&h, "a secret is kept in memory until the window closes"));
    h.get_by_role_and_label(Role::PasswordInput, "Client secret").focus();
    h.run_ok();
    type_keys(&mut h, "hunter2");
    press(&mut h, "Save");
    assert!(!tells(&h, "on the way to the keyring"));
    desk.listener.tell(Event::SecretKept { key: "e1/client-secret".into(), result: Ok(()) });
    h.run_ok();
    assert!(sees(&h, "The secret is kept in memory until the window closes."));
    assert_eq!(secret(&h), "unchanged");
    assert!(sees(&h, "Forget the kept one"));
}

#[test]
fn a_new_environment_has_no_secret_to_forget() {
    let mut h = environments(&stored());
    assert_eq!(secret(&h), "unchanged");
    assert!(sees(&h, "Forget the kept one"));
    press(&mut h, "New environment");
    assert_eq!(secret(&h), "none kept");
    assert!(!sees(&h, "Forget the kept one"));
}

#[test]
fn a_ca_file_that_is_not_there_is_told_at_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let mut h = environments(&stored());
    let path = folder.path().join("ca.pem").display().to_string();
    fill(&mut h, "Own CA file", &path);
    until(&mut h, "the warning", |h| sees(h, "There is no such file."));
    std::fs::write(format!("{path}2"), "x").unwrap();
    type_into(&mut h, "Own CA file", "2");
    until(&mut h, "no warning", |h| !sees(h, "There is no such file."));
}

fn choose(h: &mut Harness<'_, App>, label: &str, option: &str) {
    h.get_by_role_and_label(Role::ComboBox, label).click_accesskit();
    h.run_ok();
    h.get_by_role_and_label(Role::Button, option).click_accesskit();
    h.run_ok();
}

/// Presses what may have to be scrolled to.
fn press_far(h: &mut Harness<'_, App>, label: &str) {
    h.get_by_label(label).click_accesskit();
    h.run_ok();
}

fn saved(h: &mut Harness<'_, App>) -> Environment {
    press(h, "Save");
    h.state().settings().environments[0].clone()
}

#[test]
fn a_token_can_come_from_a_broker_from_the_keyring_or_be_pasted() {
    use sessionscope::model::environment::TokenSource;
    let desk = stored();
    let mut h = environments(&desk);
    choose(&mut h, "OAuth token from", "Token broker");
    assert!(tells(&h, "must begin with http:// or https://"));
    assert!(h.get_by_role_and_label(Role::Button, "Save").accesskit_node().is_disabled());
    type_into(&mut h, "Broker", "https://broker.example.com");
    let url = "https://broker.example.com".to_owned();
    assert_eq!(saved(&mut h).token_source, TokenSource::Broker { url, early_secs: 300 });
    choose(&mut h, "OAuth token from", "Entry of the keyring");
    type_into(&mut h, "Service", "other-program");
    assert!(h.get_by_role_and_label(Role::Button, "Save").accesskit_node().is_disabled(), "the user is missing");
    type_into(&mut h, "User", "me");
    let (service, user) = ("other-program".to_owned(), "me".to_owned());
    assert_eq!(saved(&mut h).token_source, TokenSource::Keyring { service, user });
    choose(&mut h, "OAuth token from", "Pasted token");
    desk.listener.take();
    h.get_by_role_and_label(Role::PasswordInput, "OAuth token").focus();
    h.run_ok();
    type_keys(&mut h, "abc-def");
    assert_eq!(saved(&mut h).token_source, TokenSource::Pasted);
    let kept = desk.listener.take().into_iter().find_map(|c| match c {
        Command::KeepSecret { key, value } => Some((key, value.expose().clone())),
        _ => None,
    });
    assert_eq!(kept, Some(("e1/oauth-token".to_owned(), "abc-def".to_owned())));
    let json = h.state().settings().to_json();
    assert!(!json.contains("abc-def"), "never in a file");
    desk.listener.tell(Event::SecretKept { key: "e1/oauth-token".into(), result: Ok(()) });
    h.run_ok();
    assert!(sees(&h, "The secret is kept."));
    assert_eq!(h.get_by_role_and_label(Role::PasswordInput, "OAuth token").value().unwrap_or_default(), "");
}

#[test]
fn values_of_the_flows_are_overridden_and_set_back() {
    let desk = stored();
    let mut h = environments(&desk);
    press_far(&mut h, "Unverified flows");
    assert!(tells(&h, sessionscope::model::UNVERIFIED));
    type_into(&mut h, "Webhook", "nowhere");
    assert!(tells(&h, "Webhook: its address must begin with http:// or https://."));
    keys(&mut h, Modifiers::COMMAND, Key::A);
    type_keys(&mut h, "https://crm.example.com/events");
    press_far(&mut h, "Conversation REST with session token");
    let flow = "Conversation REST with session token";
    choose(&mut h, &format!("{flow}: Message form"), "(a) text and sessionToken in the body");
    h.get_by_role_and_label(Role::TextInput, &format!("{flow}: Create path")).focus();
    h.run_ok();
    keys(&mut h, Modifiers::COMMAND, Key::A);
    type_keys(&mut h, "/gateway/conversations");
    let flows = saved(&mut h).flows;
    assert_eq!(flows.webhook.url, "https://crm.example.com/events");
    assert_eq!(flows.session_token.send_form, sessionscope::model::flows::SendForm::TokenInBody);
    assert_eq!(flows.session_token.create_path, "/gateway/conversations");
    assert!(sees(&h, "Unverified flows · changed") && sees(&h, &format!("{flow} · changed")));
    press_far(&mut h, &format!("Reset {flow}: Create path"));
    press_far(&mut h, &format!("Reset {flow}: Message form"));
    let flows = saved(&mut h).flows;
    assert_eq!(flows.session_token, Default::default());
    assert!(!sees(&h, &format!("{flow} · changed")));
}

#[test]
fn an_environment_without_a_deployment_is_good_for_the_other_flows_only() {
    let desk = Desk::default();
    let mut h = environments(&desk);
    press(&mut h, "New environment");
    type_into(&mut h, "Name", "Gateway");
    assert!(tells(&h, "Only Web Messaging needs it."));
    press(&mut h, "Create");
    keys(&mut h, Modifiers::NONE, Key::Escape);
    desk.listener.take();
    keys(&mut h, Modifiers::COMMAND, Key::N);
    assert!(tells(&h, "Web Messaging needs the id of a deployment"));
    assert!(h.get_by_role_and_label(Role::Button, "Open session").accesskit_node().is_disabled());
    choose(&mut h, "Flow of the session", "Conversation REST with session token · unverified");
    press(&mut h, "Open session");
    let dialect = desk.listener.take().into_iter().find_map(|c| match c {
        Command::OpenSession { spec, .. } => Some(spec.dialect),
        _ => None,
    });
    assert_eq!(dialect, Some(sessionscope::model::DialectId::SessionToken));
}

#[test]
fn signing_keys_are_made_for_an_environment_as_it_is_stored() {
    let desk = stored();
    let mut h = environments(&desk);
    let disabled = |h: &Harness<'_, App>| h.get_by_role_and_label(Role::Button, "Keys…").accesskit_node().is_disabled();
    assert!(!disabled(&h));
    type_into(&mut h, "Name", "x");
    assert!(disabled(&h), "what was typed would be lost");
    press(&mut h, "Save");
    press_far(&mut h, "Keys…");
    assert!(sees(&h, "Signing keys") && sees(&h, "Make a key"));
}

/// Presses and lets go within one frame, as a quick finger or a slow machine does.
fn tap(h: &mut Harness<'_, App>, at: egui::Pos2) {
    h.hover_at(at);
    h.run_ok();
    for pressed in [true, false] {
        let button = egui::PointerButton::Primary;
        let event = egui::Event::PointerButton { pos: at, button, pressed, modifiers: Modifiers::NONE };
        h.input_mut().events.push(event);
    }
    h.step();
    h.run_ok();
}

#[test]
fn a_list_that_a_quick_click_opened_lies_above_its_dialog() {
    let desk = stored();
    let mut h = open(&desk);
    // Both times: the second dialog stands above where the list of the first one was.
    for flow in ["External-contact socket", "Signed guest (RS256)"] {
        keys(&mut h, Modifiers::COMMAND, Key::K);
        fill(&mut h, "Find a command", "New session with options");
        keys(&mut h, Modifiers::NONE, Key::Enter);
        let list = h.get_by_role_and_label(Role::ComboBox, "Flow of the session").rect().center();
        tap(&mut h, list);
        let choice = h.get_by_label(&format!("{flow} · unverified")).rect().center();
        tap(&mut h, choice);
        let shown = h.get_by_role_and_label(Role::ComboBox, "Flow of the session").value();
        assert_eq!(shown.as_deref(), Some(flow));
        keys(&mut h, Modifiers::NONE, Key::Escape);
    }
}

#[test]
fn what_was_filled_in_is_still_there_after_escape_and_after_a_look_at_another_environment() {
    let mut h = environments(&stored());
    press(&mut h, "New environment");
    type_into(&mut h, "Name", "Production");
    let tells = |h: &Harness<'_, App>, part: &str| h.query_all_by_label_contains(part).next().is_some();
    keys(&mut h, Modifiers::NONE, Key::Escape);
    assert!(tells(&h, "The environment is not saved"));
    keys(&mut h, Modifiers::COMMAND | Modifiers::SHIFT, Key::E);
    assert_eq!(value(&h, "Name"), "Production");
    press(&mut h, "Staging");
    type_into(&mut h, "Origin", "shop.example");
    assert!(tells(&h, "An origin is a scheme and a host"));
    press(&mut h, "Production · not saved");
    assert_eq!((value(&h, "Name"), value(&h, "Origin")), ("Production".into(), String::new()));
    press(&mut h, "Staging · not saved");
    assert_eq!(value(&h, "Origin"), "shop.example");
    press(&mut h, "Production · not saved");
    press(&mut h, "Create");
    press(&mut h, "Staging · not saved");
    press(&mut h, "Save");
    press(&mut h, "Close dialog");
    assert!(h.state().settings().environments.iter().any(|e| e.origin.as_deref() == Some("shop.example")));
    keys(&mut h, Modifiers::COMMAND | Modifiers::SHIFT, Key::E);
    assert!(!tells(&h, "· not saved"), "nothing is left to be saved");
}

#[test]
fn how_agents_sign_in_is_filled_in_and_checked() {
    use sessionscope::model::agents::SignIn;
    let desk = stored();
    let mut h = environments(&desk);
    press_far(&mut h, "Agents");
    fill(&mut h, "Client id for agents", "pkce-client");
    fill(&mut h, "Redirect URI", "https://example.com/callback");
    assert!(tells(&h, "must begin with http://"));
    let save = h.get_by_label("Save");
    assert!(save.accesskit_node().is_disabled(), "nobody could come back");
    keys(&mut h, Modifiers::COMMAND, Key::A);
    keys(&mut h, Modifiers::NONE, Key::Backspace);
    fill(&mut h, "Redirect URI", "http://localhost:8400/callback");
    let e = saved(&mut h);
    assert_eq!(e.agents.client_id.as_deref(), Some("pkce-client"));
    assert_eq!(e.agents.redirect_uri.as_deref(), Some("http://localhost:8400/callback"));
    choose(&mut h, "Users sign in", "By a pasted token");
    fill(&mut h, "Token of", "agent@example.com");
    h.get_by_role_and_label(Role::PasswordInput, "User's token").focus();
    h.run_ok();
    type_keys(&mut h, "a-pasted-token");
    desk.listener.take();
    let e = saved(&mut h);
    assert_eq!(e.agents.sign_in, SignIn::Pasted);
    let key = format!("{}/user-token/agent@example.com", e.id);
    let kept = desk.listener.take().into_iter().any(|c| matches!(c, Command::KeepSecret { key: k, .. } if k == key));
    assert!(kept, "it goes to the keyring");
    let text = h.state().settings().to_json();
    assert!(!text.contains("a-pasted-token") && text.contains(&key), "its key is known, so that it can be forgotten");
}

#[test]
fn somebody_who_is_awaited_from_the_browser_is_told_and_can_be_given_up() {
    use sessionscope::engine::SignInWait;
    use sessionscope::model::Clock as _;
    let desk = stored();
    let mut h = open(&desk);
    let waiting = SignInWait {
        person: "agent@example.com".into(),
        environment: "Test".into(),
        address: "https://login.example/oauth/authorize?state=x".into(),
        until: desk.clock.now().mono + std::time::Duration::from_secs(125),
    };
    let id = "oauth:e1:user:agent@example.com".to_owned();
    desk.listener.tell(Event::SignIn { id: id.clone(), waiting: Some(Box::new(waiting)) });
    h.step();
    h.step();
    assert!(sees(&h, "Waiting for the browser") && tells(&h, "agent@example.com shall sign in to “Test”. 2:05 left."));
    press(&mut h, "Copy address");
    desk.listener.take();
    press(&mut h, "Cancel");
    assert!(matches!(&desk.listener.take()[..], [Command::CancelSignIn { id: told }] if *told == id));
    desk.listener.tell(Event::SignIn { id, waiting: None });
    h.step();
    h.step();
    assert!(!sees(&h, "Waiting for the browser"));
}
