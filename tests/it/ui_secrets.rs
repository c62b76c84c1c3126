//! What the window puts into the keyring, takes out of it, and never writes into its settings.

use egui::Modifiers;
use egui::accesskit::Role;
use egui::{Key, Theme};
use egui_kittest::kittest::Queryable;
use sessionscope::engine::{Command, Event};
use sessionscope::model::{Environment, Report, SessionId, Wall};
use sessionscope::ui::settings::{KEPT, KeptSession, Settings, Store};

use crate::support::scene::{Desk, TOKEN};
use crate::ui_app::{SIZE, fill, keys, live, open, press, sees};

fn kept(environment_id: &str, n: usize) -> KeptSession {
    let key = format!("{environment_id}/session-token/{n}");
    KeptSession { environment_id: environment_id.into(), key, name: "Guest".into(), at: Wall(0) }
}

fn forgets(commands: Vec<Command>) -> Vec<String> {
    commands
        .into_iter()
        .filter_map(|c| match c {
            Command::ForgetSecret { key } => Some(key),
            _ => None,
        })
        .collect()
}

fn told(desk: &Desk, key: &str, ok: bool) {
    let result = if ok { Ok(()) } else { Err(Report::new("keyring", "The keyring did not answer", "It is locked.")) };
    desk.listener.tell(Event::SecretKept { key: key.into(), result });
}

fn environment(id: &str) -> Environment {
    Environment {
        id: id.into(),
        name: "Staging".into(),
        region: Some("mypurecloud.ie".into()),
        deployment_id: "d1111111-2222-4333-8444-555555555555".into(),
        ..Environment::default()
    }
}

#[test]
fn a_secret_in_the_filter_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk { store: Some(folder.path().to_owned()), ..Desk::default() };
    {
        let (mut h, _) = live(&desk);
        keys(&mut h, Modifiers::COMMAND, Key::F);
        fill(&mut h, "Filter", TOKEN);
        assert!(!h.state().settings().to_json().contains(TOKEN));
    }
    let text = std::fs::read_to_string(folder.path().join("settings.json")).unwrap();
    assert!(text.contains("[session-token#1]") && !text.contains(TOKEN));
    assert!(Store::open(folder.path()).2.is_none());
}

#[test]
fn deleting_an_environment_forgets_all_that_the_keyring_holds_for_it() {
    let mut settings = Settings { chosen: "e1".into(), ..Settings::default() };
    settings.environments.push(environment("e1"));
    settings.kept = (0..20).map(|n| kept("e1", n)).chain([kept("e2", 0)]).collect();
    let desk = Desk { settings, ..Desk::default() };
    let mut h = open(&desk);
    keys(&mut h, Modifiers::COMMAND | Modifiers::SHIFT, Key::E);
    press(&mut h, "Delete…");
    assert!(crate::support::tells(&h, "20 kept sessions"), "what will be gone is said");
    press(&mut h, "Delete");
    assert_eq!(h.state().settings().kept.len(), 1, "nothing of it can be resumed");
    let mut gone = Vec::new();
    for _ in 0..40 {
        let asked = forgets(desk.listener.take());
        assert!(asked.len() <= 8, "the engine's queue has other work");
        asked.iter().for_each(|key| told(&desk, key, true));
        gone.extend(asked);
        h.run_ok();
    }
    assert_eq!(gone.len(), 23);
    assert!(gone.contains(&"e1/oauth-token".to_owned()));
    assert!(gone.contains(&"e1/proxy-password".to_owned()));
    assert!(gone.contains(&"e1/client-secret".to_owned()) && gone.contains(&"e1/session-token/19".to_owned()));
    assert!(h.state().settings().forget.is_empty());
}

#[test]
fn a_key_is_dropped_only_when_the_keyring_has_let_go_of_it() {
    let old = || Settings { kept: vec![kept("sandbox", 1), kept("sandbox", 2)], ..Settings::default() };
    let desk = Desk { settings: old(), ..Desk::default() };
    let mut h = open(&desk);
    let asked = forgets(desk.listener.take());
    assert_eq!(asked.len(), 2);
    assert_eq!(h.state().settings().forget.len(), 2, "not yet");
    told(&desk, &asked[0], true);
    told(&desk, &asked[1], false);
    h.run_ok();
    assert!(sees(&h, "The keyring did not answer"));
    assert_eq!(h.state().settings().forget, [asked[1].clone()]);
    assert!(desk.listener.take().is_empty(), "no loop");
    // A refusal of the engine loses nothing either.
    let desk = Desk { settings: h.state().settings().clone(), ..Desk::default() };
    desk.listener.refuse(true);
    let mut h = open(&desk);
    assert_eq!(h.state().settings().forget, [asked[1].clone()]);
    desk.listener.refuse(false);
    h.run_ok();
    assert_eq!(forgets(desk.listener.take()), [asked[1].clone()]);
}

#[test]
fn kept_sessions_are_bounded_and_counted_in_the_settings() {
    let mut settings = Settings::default();
    settings.environments.push(environment("e1"));
    settings.kept = (0..KEPT).map(|n| kept("e1", n)).collect();
    let desk = Desk { settings, ..Desk::default() };
    let mut h = open(&desk);
    let kept = |key: &str, environment_id: &str| Event::Kept {
        session: SessionId(1),
        environment_id: environment_id.into(),
        key: key.into(),
        kept: true,
    };
    desk.listener.tell(kept("e1/session-token/new", "e1"));
    h.run_ok();
    assert_eq!(h.state().settings().kept.len(), KEPT);
    assert_eq!(forgets(desk.listener.take()), ["e1/session-token/0"]);
    desk.listener.tell(kept("gone/session-token/1", "gone"));
    h.run_ok();
    assert_eq!(forgets(desk.listener.take()), ["gone/session-token/1"], "nobody could find it again");
    keys(&mut h, Modifiers::COMMAND, Key::Comma);
    assert!(sees(&h, &format!("{KEPT} of at most {KEPT}")));
    press(&mut h, "Forget all");
    assert!(h.state().settings().kept.is_empty());
    assert!(sees(&h, &format!("0 of at most {KEPT}")));
}

#[test]
fn a_client_secret_is_said_to_be_kept_only_when_it_is() {
    let mut settings = Settings { chosen: "e1".into(), ..Settings::default() };
    settings.environments.push(environment("e1"));
    let desk = Desk { settings, ..Desk::default() };
    let mut h = desk.harness(SIZE, Theme::Dark);
    keys(&mut h, Modifiers::COMMAND | Modifiers::SHIFT, Key::E);
    let field = |h: &egui_kittest::Harness<'_, sessionscope::ui::app::App>| {
        h.get_by_role_and_label(Role::PasswordInput, "Client secret").value().unwrap_or_default().chars().count()
    };
    h.get_by_role_and_label(Role::PasswordInput, "Client secret").focus();
    h.run_ok();
    h.get_by_role_and_label(Role::PasswordInput, "Client secret").type_text("hunter2");
    h.run_ok();
    press(&mut h, "Save");
    let kept = |h: &egui_kittest::Harness<'_, sessionscope::ui::app::App>| {
        crate::support::tells(h, "The secret is in the keyring") || sees(h, "The secret is kept.")
    };
    assert!(!kept(&h) && sees(&h, "The keyring is asked to keep it…"));
    told(&desk, "e1/client-secret", false);
    h.run_ok();
    assert!(!kept(&h) && crate::support::tells(&h, "The keyring did not answer: It is locked."));
    assert_eq!(field(&h), 7, "it need not be typed again");
    press(&mut h, "Save");
    told(&desk, "e1/client-secret", true);
    h.run_ok();
    assert!(kept(&h));
    assert_eq!(field(&h), 0, "it does not stay in the window");
    assert_eq!(desk.listener.take().iter().filter(|c| matches!(c, Command::KeepSecret { .. })).count(), 2);
}
