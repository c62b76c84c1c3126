//! The whole window by accessible label, with a backend that only listens.

use egui::accesskit::Role;
use egui::{Key, Modifiers, Theme};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use sessionscope::dialect::{Button, Wish};
use sessionscope::engine::{Command, Event};
use sessionscope::model::fact::{Delivery, SessionState};
use sessionscope::model::{Report, SessionId};
use sessionscope::ui::app::App;
use sessionscope::ui::commands::ALL;
use sessionscope::ui::settings::Store;

use crate::support::scene::{Desk, TOKEN, until};

pub const SIZE: [f32; 2] = [1440.0, 900.0];

pub fn open(desk: &Desk) -> Harness<'static, App> {
    let mut h = desk.harness(SIZE, Theme::Dark);
    h.run_ok();
    h
}

/// A window with one live session.
pub fn live(desk: &Desk) -> (Harness<'static, App>, SessionId) {
    let session = desk.session(1, "Guest 1", "Sandbox", SessionState::Ready);
    desk.writer.flush().unwrap();
    let mut h = desk.harness(SIZE, Theme::Dark);
    h.state_mut().adopt(session);
    until(&mut h, "the composer", |h| h.query_all_by_label("Message").next().is_some());
    (h, session)
}

pub fn sees(h: &Harness<'_, App>, label: &str) -> bool {
    h.query_all_by_label(label).next().is_some()
}

pub fn wishes(commands: Vec<Command>) -> Vec<Wish> {
    commands
        .into_iter()
        .filter_map(|c| match c {
            Command::Wish { wish, .. } => Some(wish),
            _ => None,
        })
        .collect()
}

pub fn write(h: &mut Harness<'_, App>, label: &str, text: &str) {
    h.get_by_role_and_label(Role::MultilineTextInput, label).focus();
    h.run_ok();
    h.get_by_role_and_label(Role::MultilineTextInput, label).type_text(text);
    h.run_ok();
}

pub fn fill(h: &mut Harness<'_, App>, label: &str, text: &str) {
    h.get_by_role_and_label(Role::TextInput, label).focus();
    h.run_ok();
    h.get_by_role_and_label(Role::TextInput, label).type_text(text);
    h.run_ok();
}

pub fn press(h: &mut Harness<'_, App>, label: &str) {
    h.get_by_role_and_label(Role::Button, label).click();
    h.run_ok();
}

pub fn keys(h: &mut Harness<'_, App>, modifiers: Modifiers, key: Key) {
    h.key_press_modifiers(modifiers, key);
    h.run_ok();
}

#[test]
fn the_first_button_starts_the_sandbox_and_then_a_session() {
    let desk = Desk::default();
    let mut h = open(&desk);
    press(&mut h, "Start a conversation in the sandbox");
    assert!(matches!(desk.listener.take()[..], [Command::StartSandbox { .. }]));
    let environment = desk.sandbox_running();
    h.run_ok();
    let commands = desk.listener.take();
    let [Command::OpenSession { ticket, spec, connect: true }] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((spec.name.as_str(), &spec.environment), ("Guest 1", &environment));
    let session = desk.session(1, "Guest 1", "Sandbox", SessionState::Ready);
    desk.writer.flush().unwrap();
    desk.listener.tell(Event::SessionMade { ticket: *ticket, result: Ok(session) });
    until(&mut h, "the composer", |h| h.query_all_by_label("Message").next().is_some());
    assert!(h.get_by_role_and_label(Role::MultilineTextInput, "Message").is_focused(), "one can write at once");
    assert!(h.query_all_by_label("Start a conversation in the sandbox").next().is_none());
    // With the sandbox its sessions are gone.
    desk.listener.tell(Event::Sandbox(sessionscope::engine::SandboxState::Stopped));
    let to = SessionState::Ended(sessionscope::model::fact::End::Lost);
    let change = sessionscope::model::fact::StateChange { to, why: String::new() };
    desk.fact(session, 60, sessionscope::model::Fact::State(change));
    desk.writer.flush().unwrap();
    until(&mut h, "the end", |h| h.query_all_by_label("Connect again").next().is_some());
    desk.listener.take();
    press(&mut h, "Connect again");
    assert!(sees(&h, "This session cannot be connected any more"));
    assert!(wishes(desk.listener.take()).is_empty());
}

#[test]
fn a_sandbox_that_fails_says_so_and_can_be_tried_again() {
    let desk = Desk::default();
    let mut h = open(&desk);
    press(&mut h, "Start a conversation in the sandbox");
    let report = Report::new("no-port", "The sandbox could not start", "No port was free.");
    desk.listener.tell(Event::Sandbox(sessionscope::engine::SandboxState::Failed(report)));
    h.run_ok();
    assert!(sees(&h, "The sandbox could not start"), "The sandbox could not start");
    desk.listener.take();
    press(&mut h, "Start a conversation in the sandbox");
    assert!(matches!(desk.listener.take()[..], [Command::StartSandbox { .. }]));
}

#[test]
fn the_composer_sends_by_button_and_by_key() {
    let desk = Desk::default();
    let (mut h, session) = live(&desk);
    write(&mut h, "Message", "Hello");
    press(&mut h, "Send");
    write(&mut h, "Message", "again");
    keys(&mut h, Modifiers::COMMAND, Key::Enter);
    let commands = desk.listener.take();
    assert!(commands.iter().all(|c| matches!(c, Command::Wish { session: s, .. } if *s == session)));
    let texts: Vec<String> = wishes(commands)
        .into_iter()
        .map(|w| match w {
            Wish::Text { text, .. } => text,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts, ["Hello", "again"]);
    assert_eq!(h.get_by_label("Message").value().unwrap_or_default(), "");
}

#[test]
fn a_draft_stays_when_it_was_refused_and_says_why() {
    let desk = Desk::default();
    let (mut h, _) = live(&desk);
    desk.listener.refuse(true);
    write(&mut h, "Message", "Hello");
    press(&mut h, "Send");
    assert!(sees(&h, "The engine is busy"), "The engine is busy");
    assert_eq!(h.get_by_label("Message").value().as_deref(), Some("Hello"));
    desk.listener.refuse(false);
    press(&mut h, "Send");
    assert_eq!(wishes(desk.listener.take()).len(), 1);
    assert!(h.query_all_by_label("The engine is busy").next().is_none());
}

#[test]
fn a_message_that_never_left_comes_back_into_the_composer() {
    let desk = Desk::default();
    let (mut h, session) = live(&desk);
    write(&mut h, "Message", "Hello");
    press(&mut h, "Send");
    let sent = wishes(desk.listener.take());
    let [Wish::Text { tracing, .. }] = &sent[..] else { panic!("{sent:?}") };
    let frame =
        format!(r#"{{"action":"onMessage","tracingId":"{tracing}","message":{{"type":"Text","text":"Hello"}}}}"#);
    desk.frame(session, 100, sessionscope::model::Direction::Sent, &frame);
    desk.delivered(session, 101, tracing, Delivery::NotSent { why: "the socket is closed".into() });
    desk.writer.flush().unwrap();
    until(&mut h, "the draft", |h| h.get_by_label("Message").value().as_deref() == Some("Hello"));
    assert!(sees(&h, "Not sent"), "Not sent");
}

#[test]
fn every_action_has_a_form_that_makes_its_wish() {
    let desk = Desk::default();
    let (mut h, _) = live(&desk);
    let choose = |h: &mut Harness<'_, App>, action: &str| {
        h.get_by_role_and_label(Role::ComboBox, "Action").click();
        h.run_ok();
        // The list may be longer than the window: the last ones are reached as a screen reader does.
        h.get_by_role_and_label(Role::Button, action).click_accesskit();
        h.run_ok();
    };
    for (action, verb) in [
        ("Typing", "Send"),
        ("Join", "Send"),
        ("Clear conversation", "Clear"),
        ("Echo (health check)", "Send"),
        ("Get JWT", "Get"),
        ("Read history", "Read"),
        ("Get configuration", "Get"),
        ("Configure session", "Configure"),
        ("Start new", "Start new"),
        ("Close session", "Close session"),
    ] {
        choose(&mut h, action);
        keys(&mut h, Modifiers::COMMAND, Key::Enter);
        assert!(h.query_all_by_label(verb).count() > 0, "{verb}");
    }
    let sent = wishes(desk.listener.take());
    assert_eq!(sent.len(), 10, "{sent:?}");
    assert!(matches!(sent[0], Wish::Typing { .. }) && matches!(sent[3], Wish::Echo));
    assert!(matches!(sent[9], Wish::CloseSession { all_connections: false }));
    choose(&mut h, "Raw frame");
    write(&mut h, "Raw frame", "{oops");
    assert!(h.query_all_by_label_contains("Not JSON").next().is_some());
    keys(&mut h, Modifiers::COMMAND, Key::Enter);
    assert_eq!(wishes(desk.listener.take()), [Wish::Raw { text: "{oops".into() }]);
}

#[test]
fn quick_replies_and_card_buttons_answer() {
    let desk = Desk::default();
    let session = desk.rich();
    let mut h = desk.harness([1440.0, 2200.0], Theme::Light);
    h.state_mut().adopt(session);
    until(&mut h, "the offers", |h| h.query_all_by_label("Pick large").next().is_some());
    press(&mut h, "Pick large");
    let sent = wishes(desk.listener.take());
    let [Wish::Answer { button: Button::Postback, text, payload, .. }] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((text.as_str(), payload.as_str()), ("Pick large", "l"));
}

#[test]
fn a_link_of_others_is_shown_before_it_is_opened() {
    let desk = Desk::default();
    let session = desk.rich();
    let mut h = desk.harness([1440.0, 2200.0], Theme::Light);
    h.state_mut().adopt(session);
    until(&mut h, "the link", |h| h.query_all_by_label("More").next().is_some());
    h.get_by_role_and_label(Role::Link, "More").click();
    h.run_ok();
    assert!(sees(&h, "https://example.invalid/small"), "https://example.invalid/small");
    press(&mut h, "Cancel");
    assert!(h.query_all_by_label("Open this address?").next().is_none());
}

#[test]
fn the_palette_runs_a_command() {
    let desk = Desk::default();
    let mut h = open(&desk);
    keys(&mut h, Modifiers::COMMAND, Key::K);
    fill(&mut h, "Find a command", "settings");
    keys(&mut h, Modifiers::NONE, Key::Enter);
    assert!(sees(&h, "Private mode"), "Private mode");
    assert!(h.query_all_by_label("Find a command").next().is_none());
    keys(&mut h, Modifiers::NONE, Key::Escape);
    assert!(h.query_all_by_label("Private mode").next().is_none());
}

#[test]
fn the_key_sheet_lists_all_keys() {
    let desk = Desk::default();
    let mut h = open(&desk);
    keys(&mut h, Modifiers::NONE, Key::Questionmark);
    for entry in ALL.iter().filter(|e| !e.keys.is_empty()) {
        assert!(h.query_all_by_label(entry.title).count() > 0, "{}", entry.title);
    }
}

#[test]
fn environments_are_created_edited_and_deleted() {
    let desk = Desk::default();
    let mut h = open(&desk);
    press(&mut h, "Connect to a deployment…");
    assert!(h.get_by_role_and_label(Role::Button, "Create").accesskit_node().is_disabled(), "not complete yet");
    fill(&mut h, "Name", "Staging");
    fill(&mut h, "Deployment id", "d1111111-2222-4333-8444-555555555555");
    h.get_by_role_and_label(Role::PasswordInput, "Client secret").focus();
    h.run_ok();
    h.get_by_role_and_label(Role::PasswordInput, "Client secret").type_text("hunter2");
    h.run_ok();
    press(&mut h, "Create");
    let commands = desk.listener.take();
    let [Command::KeepSecret { key, value }] = &commands[..] else { panic!("{commands:?}") };
    let made = h.state().settings().environments[0].clone();
    assert_eq!(*key, format!("{}/client-secret", made.id));
    assert_eq!(value.expose(), "hunter2");
    assert_eq!((made.name.as_str(), made.region.as_deref()), ("Staging", Some("mypurecloud.com")));
    assert!(!h.state().settings().to_json().contains("hunter2"));
    fill(&mut h, "Origin", "https://example.com");
    press(&mut h, "Save");
    assert_eq!(h.state().settings().environments[0].origin.as_deref(), Some("https://example.com"));
    press(&mut h, "Duplicate");
    press(&mut h, "Create");
    assert_eq!(h.state().settings().environments.len(), 2);
    assert_ne!(h.state().settings().environments[1].id, made.id);
    press(&mut h, "Delete…");
    press(&mut h, "Delete");
    assert_eq!(h.state().settings().environments.len(), 1);
    assert!(desk.listener.take().iter().any(|c| matches!(c, Command::ForgetSecret { .. })));
}

#[test]
fn testing_a_connection_lists_what_was_checked() {
    let desk = Desk::default();
    let mut h = open(&desk);
    press(&mut h, "Connect to a deployment…");
    fill(&mut h, "Name", "X");
    fill(&mut h, "Deployment id", "d");
    press(&mut h, "Test connection");
    let commands = desk.listener.take();
    let [Command::Probe { ticket, .. }] = &commands[..] else { panic!("{commands:?}") };
    h.run_steps(1);
    let bad = Report::new("dns", "The name is not known", "webmessaging.invalid has no address.");
    desk.listener.tell(Event::Probed { ticket: *ticket, checks: vec![Ok("TLS is fine".into()), Err(bad)] });
    h.run_ok();
    assert!(sees(&h, "TLS is fine"), "TLS is fine");
    assert!(sees(&h, "The name is not known"), "The name is not known");
}

#[test]
fn sessions_stand_side_by_side_and_are_chosen_by_number() {
    let desk = Desk::default();
    desk.session(1, "Guest 1", "Sandbox", SessionState::Ready);
    desk.session(2, "Guest 2", "Sandbox", SessionState::Ready);
    desk.writer.flush().unwrap();
    let mut h = desk.harness(SIZE, Theme::Dark);
    until(&mut h, "two rows", |h| h.query_all_by_label_contains("Session Guest 2").next().is_some());
    keys(&mut h, Modifiers::COMMAND, Key::Num2);
    assert_eq!(h.state().shown(), [Some(SessionId(2))]);
    keys(&mut h, Modifiers::COMMAND, Key::Backslash);
    assert_eq!(h.state().shown(), [Some(SessionId(2)), Some(SessionId(1))]);
}

#[test]
fn letters_go_into_a_text_field_and_are_commands_elsewhere() {
    let desk = Desk::default();
    let (mut h, _) = live(&desk);
    write(&mut h, "Message", "?n");
    assert!(h.query_all_by_label("Filter keys").next().is_none());
    assert_eq!(h.get_by_label("Message").value().as_deref(), Some("?n"));
}

#[test]
fn drafts_survive_a_restart_without_their_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk { store: Some(folder.path().to_owned()), ..Desk::default() };
    {
        let (mut h, _) = live(&desk);
        write(&mut h, "Message", &format!("my token is {TOKEN}"));
        drop(h);
    }
    let text = std::fs::read_to_string(folder.path().join("settings.json")).unwrap();
    assert!(!text.contains(TOKEN), "no token in the settings");
    desk.settings = Store::open(folder.path()).1;
    let again = Desk { settings: desk.settings.clone(), store: Some(folder.path().to_owned()), ..Desk::default() };
    let (h, _) = live(&again);
    assert_eq!(h.get_by_label("Message").value().as_deref(), Some("my token is [session-token#1]"));
}

#[test]
fn without_a_portal_a_path_field_takes_over() {
    let desk = Desk::default();
    let mut h = open(&desk);
    keys(&mut h, Modifiers::COMMAND, Key::S);
    assert!(sees(&h, "No portal in this test."), "No portal in this test.");
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("kept.capture");
    keys(&mut h, Modifiers::COMMAND, Key::A);
    fill(&mut h, "Path", &to.display().to_string());
    press(&mut h, "Save");
    let commands = desk.listener.take();
    let [Command::SaveCapture { to: asked, .. }] = &commands[..] else { panic!("{commands:?}") };
    assert!(asked.ends_with("kept.capture"), "{}", asked.display());
}

#[test]
fn a_clock_is_painted_again_when_it_changes_and_not_before() {
    let desk = Desk::default();
    let session = desk.session(1, "Guest 1", "Sandbox", SessionState::Ready);
    desk.clock_fact(session, "guest-jwt", "guest JWT", 60, 5, "next history call");
    desk.writer.flush().unwrap();
    let mut h = desk.harness(SIZE, Theme::Dark);
    h.state_mut().adopt(session);
    until(&mut h, "the clock", |h| h.query_all_by_label_contains("clock guest JWT, 01:00").next().is_some());
    let delay = h.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert!(delay > std::time::Duration::ZERO && delay <= std::time::Duration::from_secs(1), "{delay:?}");
    desk.clock.advance(std::time::Duration::from_secs(30));
    h.run_ok();
    h.get_by_label_contains("clock guest JWT, 00:30");
}

#[test]
fn orders_of_the_sandbox_are_given_from_its_panel() {
    let desk = Desk::default();
    let mut h = open(&desk);
    desk.sandbox_running();
    keys(&mut h, Modifiers::COMMAND, Key::B);
    assert!(matches!(desk.listener.take()[..], [Command::AskSandbox]), "the panel shows what is, not what was");
    press(&mut h, "Stale links");
    let commands = desk.listener.take();
    assert!(
        matches!(&commands[..], [Command::Order { order: sessionscope::sandbox::Order::StaleLinks }]),
        "{commands:?}"
    );
    let faults = sessionscope::sandbox::Faults { stall: true, ..Default::default() };
    desk.sandbox_status(faults);
    h.run_ok();
    assert!(sees(&h, "faults on"), "faults on");
}

#[test]
fn a_bubble_lights_its_records_and_a_record_its_bubble() {
    let desk = Desk::default();
    let session = desk.rich();
    let mut h = desk.harness([1440.0, 2200.0], Theme::Dark);
    h.state_mut().adopt(session);
    until(&mut h, "the bubble", |h| h.query_all_by_label_contains("Guest: Thank you!").next().is_some());
    h.get_by_role_and_label(Role::ListItem, "Guest: Thank you!, 13:26:19.174, sending").click();
    h.run_ok();
    let chosen = h.state().selected().to_vec();
    assert!(!chosen.is_empty());
    until(&mut h, "the inspector", |h| h.query_all_by_label_contains("onMessage").count() > 1);
    keys(&mut h, Modifiers::NONE, Key::Home);
    assert_ne!(h.state().selected(), chosen);
    keys(&mut h, Modifiers::COMMAND, Key::OpenBracket);
    assert_eq!(h.state().selected(), chosen, "back to the bubble");
}

#[test]
fn a_window_in_which_nothing_happens_asks_for_no_frame() {
    let desk = Desk::default();
    let mut h = open(&desk);
    h.step();
    let delay = h.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert!(delay > std::time::Duration::from_secs(3600), "{delay:?}");
    desk.session(1, "Guest 1", "Sandbox", SessionState::Ready);
    desk.writer.flush().unwrap();
    until(&mut h, "the session", |h| h.query_all_by_label_contains("Session Guest 1").next().is_some());
    h.step();
    let delay = h.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert!(delay > std::time::Duration::from_secs(3600), "{delay:?}");
}

#[test]
fn a_saved_capture_opens_and_leads_back_to_the_live_one() {
    let folder = tempfile::tempdir().unwrap();
    let saved = sessionscope::capture::Writer::create(folder.path()).unwrap();
    let sessionscope::capture::Opened::File(file) = saved.opened() else { panic!("in memory") };
    let old = Desk { writer: saved, ..Desk::default() };
    old.session(1, "Old guest", "Archive", SessionState::Ready);
    old.writer.close().unwrap();
    let desk = Desk { picker: sessionscope::ui::picker::Answer::Chosen(file.clone()), ..Desk::default() };
    let mut h = open(&desk);
    keys(&mut h, Modifiers::COMMAND, Key::O);
    until(&mut h, "the old session", |h| h.query_all_by_label_contains("Session Old guest").next().is_some());
    assert!(sees(&h, "saved capture"));
    assert!(h.query_by_label("Message").is_none(), "nothing can be said in it");
    // The picker of this test gives the same name for every question.
    keys(&mut h, Modifiers::COMMAND, Key::S);
    let commands = desk.listener.take();
    let save = commands.iter().find_map(|c| match c {
        Command::SaveCapture { from, to, .. } => Some((from.clone(), to.clone())),
        _ => None,
    });
    assert_eq!(save, Some((Some(file.clone()), file)), "the saved one is copied, not the live one");
    press(&mut h, "Back to live");
    assert!(sees(&h, "Start a conversation in the sandbox"));
}

#[test]
fn recent_captures_open_from_the_start_page_and_from_the_palette() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("2026-11-20T10-07-17.123Z.sscope");
    let old = Desk { writer: sessionscope::capture::Writer::create_at(&file).unwrap(), ..Desk::default() };
    old.session(1, "Old guest", "Archive", SessionState::Ready);
    old.writer.close().unwrap();
    let mut desk = Desk::default();
    desk.settings.utc = true;
    desk.settings.recent = (1..9).map(|n| folder.path().join(format!("gone {n}.sscope"))).collect();
    desk.settings.remember(file);
    let mut h = open(&desk);
    assert!(sees(&h, "gone 2") && !sees(&h, "gone 3"), "the start page lists three");
    let listed = |h: &Harness<'_, App>| h.state().settings().recent.iter().any(|f| f.ends_with("gone 1.sscope"));
    assert!(listed(&h));
    press(&mut h, "gone 1");
    until(&mut h, "a file that is gone is forgotten", |h| !listed(h));
    press(&mut h, "2026-11-20 10:07");
    until(&mut h, "the old session", |h| h.query_all_by_label_contains("Session Old guest").next().is_some());
    press(&mut h, "Back to live");
    keys(&mut h, Modifiers::COMMAND, Key::K);
    fill(&mut h, "Find a command", "2026-11-20 10:07");
    keys(&mut h, Modifiers::NONE, Key::Enter);
    until(&mut h, "the old session", |h| h.query_all_by_label_contains("Session Old guest").next().is_some());
}

#[test]
fn a_capture_whose_second_file_was_left_behind_is_not_taken_for_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, lone) = (folder.path().join("whole.sscope"), folder.path().join("lone.sscope"));
    let old = Desk { writer: sessionscope::capture::Writer::create_at(&whole).unwrap(), ..Desk::default() };
    old.session(1, "Old guest", "Archive", SessionState::Ready);
    old.writer.flush().unwrap();
    // What a person takes along of a capture whose program was killed.
    std::fs::copy(&whole, &lone).unwrap();
    let mut desk = Desk::default();
    desk.settings.remember(lone);
    let mut h = open(&desk);
    press(&mut h, "lone");
    until(&mut h, "what is wrong with it", |h| {
        h.query_all_by_label_contains("they lie in a second file").next().is_some()
    });
    old.writer.close().unwrap();
}

#[test]
fn five_thousand_entries_are_scrolled_without_laying_all_out() {
    let desk = Desk::default();
    let session = desk.session(1, "Guest 1", "Sandbox", SessionState::Ready);
    for n in 0..5000_i64 {
        let text = format!(
            r#"{{"type":"message","class":"StructuredMessage","code":200,"body":{{"id":"m{n}","type":"Text","text":"line {n} {}","direction":"Outbound","originatingEntity":"Bot","channel":{{"time":"2026-01-06T13:26:15.700Z","messageId":"c{n}"}}}}}}"#,
            "word ".repeat((n % 40) as usize)
        );
        desk.frame(session, n, sessionscope::model::Direction::Received, &text);
    }
    desk.writer.flush().unwrap();
    let mut h = desk.harness(SIZE, Theme::Dark);
    h.state_mut().adopt(session);
    until(&mut h, "the newest", |h| h.query_all_by_label_contains("Bot: line 4999").next().is_some());
    let shown = h.query_all_by_role(Role::ListItem).count();
    assert!(shown < 60, "{shown} entries are laid out");
}

#[test]
fn a_clock_shows_its_claims_and_obeys_its_menu() {
    let desk = Desk::default();
    let session = desk.session(1, "Guest 1", "Sandbox", SessionState::Ready);
    desk.clock_fact(session, "guest-jwt", "guest JWT", 60, 5, "next history call");
    desk.writer.flush().unwrap();
    let mut h = desk.harness(SIZE, Theme::Dark);
    h.state_mut().adopt(session);
    until(&mut h, "the clock", |h| h.query_all_by_label_contains("clock guest JWT").next().is_some());
    h.get_by_label_contains("clock guest JWT").click();
    h.run_ok();
    assert!(sees(&h, "Claims") && sees(&h, "History"));
    press(&mut h, "Treat as expired");
    let expected = Wish::Clock { id: "guest-jwt".into(), deed: sessionscope::model::fact::ClockDeed::Expire };
    assert_eq!(wishes(desk.listener.take()), [expected]);
    h.key_press(Key::Escape);
    h.run_ok();
    h.get_by_label_contains("clock guest JWT").click_secondary();
    h.run_ok();
    press(&mut h, "Refresh now");
    assert_eq!(wishes(desk.listener.take()).len(), 1);
}
