//! The forms in the dialogs, filled in as a person would: one key after the other.

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
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
