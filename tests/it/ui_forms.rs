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
