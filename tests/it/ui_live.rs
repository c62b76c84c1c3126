//! The whole program by accessible label: real window, real engine, real sandbox on loopback.

use std::path::Path;
use std::time::Duration;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use sessionscope::engine::Command;
use sessionscope::engine::console::LogPlace;
use sessionscope::ui::theme::Choice;

use crate::support::live::{Home, Window};

/// Exports the running capture through the dialog and the path field; gives what was written.
fn export(w: &mut Window, format: &str, to: &Path) -> String {
    w.keys(Modifiers::COMMAND, Key::E);
    w.choose(format);
    w.choose("The whole capture");
    w.press("Export…");
    w.await_label("This system offers no file dialog.");
    w.fill("Path", &to.display().to_string());
    w.press("Save");
    w.until("exported", |w| to.exists() && !w.sees("Exporting"));
    std::fs::read_to_string(to).unwrap()
}

/// Rows of the table that are in view.
fn rows(w: &Window) -> Vec<String> {
    w.h.query_all_by_role(Role::ListBoxOption).filter_map(|n| n.accesskit_node().label()).collect()
}

fn field(w: &Window, name: &str) -> String {
    let role = if name == "Message" { Role::MultilineTextInput } else { Role::TextInput };
    w.h.get_by_role_and_label(role, name).value().unwrap_or_default()
}

/// Seconds left on a clock, and its phase.
fn clock(w: &Window, title: &str) -> Option<(u32, String)> {
    let label = w.find(&format!("clock {title}"))?;
    let mut parts = label.split(", ").skip(1);
    let (first, second) = (parts.next()?, parts.next().unwrap_or_default());
    let Some(left) = first.strip_suffix(" left") else { return Some((0, first.to_owned())) };
    let secs = left.split(':').fold(0, |sum, part| sum * 60 + part.parse::<u32>().unwrap());
    Some((secs, second.to_owned()))
}

/// Waits until a clock has about so many seconds left: the server's clock is known to a second.
#[track_caller]
fn await_clock(w: &mut Window, title: &str, secs: u32, phase: &str) {
    let what = format!("{title} at {secs} s, {phase}");
    w.until(&what, |w| clock(w, title).is_some_and(|(left, p)| left <= secs && left + 1 >= secs && p == phase));
}

/// Lets time pass in which a ping is due, and waits for its pong: one that came too late would end the connection.
#[track_caller]
fn advance_answered(w: &mut Window, clock: &sessionscope::model::ManualClock, secs: u64) {
    let heartbeats = |w: &Window| -> u64 {
        let label = w.find(" heartbeats, typing").unwrap();
        label.split(' ').next().and_then(|n| n.parse().ok()).unwrap()
    };
    let before = heartbeats(w);
    clock.advance(Duration::from_secs(secs));
    w.until("a ping and its pong", |w| heartbeats(w) >= before + 2);
}

/// Does an action of the composer that needs no more than its button.
#[track_caller]
fn act(w: &mut Window, action: &str, button: &str) {
    w.h.get_by_role_and_label(Role::ComboBox, "Action").click();
    w.h.run_ok();
    w.h.get_by_role_and_label(Role::Button, action).click_accesskit();
    w.h.run_ok();
    w.press(button);
}

#[test]
fn the_first_button_leads_to_a_conversation_that_answers() {
    let home = Home::default();
    let mut w = home.open();
    w.converse();
    assert!(w.h.get_by_role_and_label(Role::MultilineTextInput, "Message").is_focused(), "one can write at once");
    let place = |part: &str| w.labels().iter().position(|l| l.starts_with(part)).unwrap_or_else(|| panic!("no {part}"));
    let story =
        ["connecting", "connected", "configured (new session", "guest joined", "Bot · Sandbox: Hello"].map(place);
    assert!(story.is_sorted(), "in the order in which it happened: {story:?} of {:?}", w.labels());
    w.say("Good morning");
    w.until("echoed", |w| w.find("Guest: Good morning").is_some_and(|l| l.contains("delivered")));
    w.await_label("Bot · Sandbox: You said: Good morning");
    assert_eq!(w.labels().iter().filter(|l| l.starts_with("Guest: Good morning")).count(), 1, "it stands once");
    assert_eq!(field(&w, "Message"), "", "the draft is gone");
    assert!(w.sees("Session Guest 1"));
    for clock in ["clock OAuth", "clock session idle"] {
        assert!(w.sees(clock), "{clock}: {:?}", w.labels());
    }
    w.close();
}

#[test]
fn a_clock_reaches_its_margin_and_is_refreshed() {
    let home = Home::with_paused_clock();
    let clock = home.clock.clone().unwrap();
    let mut w = home.open();
    w.converse();
    await_clock(&mut w, "OAuth", 15 * 60, "running");
    // The first attempt fails, so that the clock can be seen at its margin.
    let order = serde_json::from_str(r#"{"do":"refuse_requests","count":1,"status":503}"#).unwrap();
    w.engine.send(Command::Order { order }).unwrap();
    w.await_label("faults on");
    clock.advance(Duration::from_secs(13 * 60));
    await_clock(&mut w, "OAuth", 2 * 60, "running");
    clock.advance(Duration::from_secs(60));
    w.until("the refusal", |w| rows(w).iter().any(|r| r.contains("503")));
    await_clock(&mut w, "OAuth", 60, "last tenth");
    w.until("the fault is spent", |w| !w.sees("faults on"));
    // The next attempt comes a moment later, and succeeds.
    clock.advance(Duration::from_secs(1));
    await_clock(&mut w, "OAuth", 15 * 60, "running");
    w.close();
}

#[test]
fn a_guest_jwt_dies_with_its_clock_and_is_fetched_anew_when_it_is_needed() {
    let home = Home::with_paused_clock();
    let clock = home.clock.clone().unwrap();
    let mut w = home.open();
    w.converse();
    act(&mut w, "Get JWT", "Get");
    await_clock(&mut w, "guest JWT", 60, "running");
    advance_answered(&mut w, &clock, 30);
    await_clock(&mut w, "guest JWT", 30, "running");
    advance_answered(&mut w, &clock, 26);
    await_clock(&mut w, "guest JWT", 4, "last tenth");
    clock.advance(Duration::from_secs(5));
    await_clock(&mut w, "guest JWT", 0, "dead");
    act(&mut w, "Read history", "Read");
    await_clock(&mut w, "guest JWT", 60, "running");
    w.close();
}

#[test]
fn records_are_filtered_selected_and_exported() {
    let home = Home::default();
    let mut w = home.open();
    w.converse();
    w.say("Needle 4711");
    w.await_label("Bot · Sandbox: You said: Needle 4711");
    w.until("echoed", |w| w.find("Guest: Needle 4711").is_some_and(|l| l.contains("delivered")));

    w.keys(Modifiers::COMMAND, Key::F);
    w.fill("Filter", "kind:text needle");
    // What was sent, its echo, and the answer; the figures tell it too.
    w.until("filtered", |w| rows(w).len() == 3 && rows(w).iter().all(|r| r.contains("Needle 4711")));
    let total = w.writer.status().records;
    w.await_label(&format!("3 of {total}"));

    let sent = rows(&w).into_iter().find(|r| r.contains("sent")).unwrap();
    w.h.get_by_role_and_label(Role::ListBoxOption, &sent).click();
    w.h.run_ok();
    let [seq] = w.h.state().selected() else { panic!("{:?}", w.h.state().selected()) };
    let seq = *seq;
    assert!(sent.starts_with(&format!("record {seq},")), "{sent}");
    w.await_label(&format!("#{seq}"));
    assert!(w.sees("[session-token#1]"), "the inspector shows the frame: {:?}", w.labels());
    assert!(w.sees("redacted") && !w.sees("cut: "), "redacted is not cut: {:?}", w.find("cut: "));

    // The bubble lights what it came from: the frame that was just selected is among it.
    let bubble = w.find("Guest: Needle 4711").unwrap();
    w.h.get_by_role_and_label(Role::ListItem, &bubble).click();
    w.h.run_ok();
    let lit = w.h.state().selected().to_vec();
    assert!(lit.contains(&seq) && lit.len() > 1, "{lit:?} of {seq}");

    w.press("Clear filter");
    w.until("all again", |w| rows(w).len() > 3 && !w.sees("Clear filter"));

    let jsonl = export(&mut w, "JSON Lines", &home.path("a.jsonl"));
    let lines: Vec<serde_json::Value> = jsonl.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(lines.len() as u64 >= total);
    assert!((1u64..).zip(&lines).all(|(seq, line)| line["seq"] == seq), "{jsonl}");
    let har: serde_json::Value = serde_json::from_str(&export(&mut w, "HAR 1.2", &home.path("a.har"))).unwrap();
    let entries = har["log"]["entries"].as_array().unwrap();
    let socket = entries.iter().find(|e| e["_resourceType"] == "websocket").expect("the socket");
    let messages = socket["_webSocketMessages"].as_array().unwrap();
    let with = |kind: &str| {
        messages.iter().filter(|m| m["type"] == kind && m["data"].as_str().unwrap().contains("Needle 4711")).count()
    };
    assert_eq!((with("send"), with("receive")), (1, 2));
    assert!(entries.iter().any(|e| e["request"]["url"].as_str().unwrap().ends_with("/oauth/token")));
    let transcript = export(&mut w, "Transcript", &home.path("a.md"));
    let (asked, answered) = (transcript.find("Needle 4711"), transcript.find("You said: Needle 4711"));
    assert!(asked.is_some() && asked < answered, "{transcript}");
    w.close();
}

#[test]
fn a_capture_is_saved_and_opened_again_beside_the_live_one() {
    let home = Home::default();
    let file = home.path("kept.sscope");
    let mut w = home.open();
    w.converse();
    w.say("To be kept");
    w.await_label("Bot · Sandbox: You said: To be kept");
    w.keys(Modifiers::COMMAND, Key::S);
    w.fill("Path", &file.display().to_string());
    w.press("Save");
    w.until("saved", |w| file.exists() && !w.sees("Saving the capture"));
    w.say("Said later");
    w.await_label("Bot · Sandbox: You said: Said later");

    w.keys(Modifiers::COMMAND, Key::O);
    w.fill("Path", &file.display().to_string());
    w.press("Open");
    w.await_label("saved capture");
    w.await_label("Bot · Sandbox: You said: To be kept");
    assert!(!w.sees("Said later") && w.h.query_by_label("Message").is_none(), "{:?}", w.labels());
    w.press("Back to live");
    w.await_label("Bot · Sandbox: You said: Said later");
    w.close();
}

#[test]
fn what_the_sandbox_is_ordered_to_refuse_says_why_in_its_bubble() {
    let home = Home::default();
    let mut w = home.open();
    w.converse();
    w.keys(Modifiers::COMMAND, Key::B);
    order(&mut w, "Refuse messages");
    w.await_label("next 1 messages refused with 4011");
    w.say("Too long, they will say");
    let bubble = w.await_label("refused 4011");
    assert!(bubble.contains("4011"), "{bubble}");
    w.await_label("The server refused it with 4011");
    assert_eq!(field(&w, "Message"), "Too long, they will say", "the draft is back");

    order(&mut w, "Expire session");
    w.await_label("Ended: the session has expired");
    w.say("Anyone there?");
    w.await_label("not sent: the session is ended");
    w.until("the draft", |w| field(w, "Message") == "Anyone there?");
    w.close();
}

/// Opens the form of an order and gives it as it stands.
#[track_caller]
fn order(w: &mut Window, title: &str) {
    for _ in 0..2 {
        // Once opened, the button stands below the heading of the same name.
        w.h.get_all_by_label(title).last().unwrap().click_accesskit();
        w.h.run_ok();
    }
}

#[test]
fn drafts_theme_and_filter_survive_a_restart() {
    let home = Home { place: LogPlace::Folder, ..Home::default() };
    let mut w = home.open();
    w.converse();
    w.write("Not sent yet");
    w.fill("Filter", "kind:text");
    w.press("Theme: system. Switch");
    w.press("Theme: light. Switch");
    assert_eq!(w.h.state().settings().theme, Choice::Dark);
    w.close();
    let mut w = home.open();
    assert!(w.sees("Theme: dark. Switch"));
    w.converse();
    assert_eq!(field(&w, "Message"), "Not sent yet");
    assert_eq!(field(&w, "Filter"), "kind:text");
    w.until("filtered", |w| !rows(w).is_empty() && rows(w).iter().all(|r| r.contains("text")));
    w.close();
    // Both runs left their capture, each a single file.
    let files: Vec<_> = std::fs::read_dir(home.places().captures).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
}

#[test]
fn a_clock_that_is_set_back_lets_no_token_live_longer() {
    let home = Home::with_paused_clock();
    let time = home.clock.clone().unwrap();
    let mut w = home.open();
    w.converse();
    act(&mut w, "Get JWT", "Get");
    await_clock(&mut w, "guest JWT", 60, "running");
    time.shift_wall(-3600 * 1_000_000);
    w.h.step();
    // At once, and still when the engine has noticed and measured the skew against the other clock.
    let (left, phase) = clock(&w, "guest JWT").unwrap();
    assert!((59..=60).contains(&left) && phase == "running", "{left} s, {phase}");
    w.fill("Filter", "kind:skew");
    w.until("the jump on record", |w| rows(w).iter().any(|r| r.contains("jump")));
    let (left, phase) = clock(&w, "guest JWT").unwrap();
    assert!((59..=60).contains(&left) && phase == "running", "{left} s, {phase}");
    w.close();
}

#[test]
fn after_a_sleep_of_the_machine_dead_tokens_are_dead_at_the_next_paint() {
    let home = Home::with_paused_clock();
    let time = home.clock.clone().unwrap();
    let mut w = home.open();
    w.converse();
    act(&mut w, "Get JWT", "Get");
    await_clock(&mut w, "guest JWT", 60, "running");
    await_clock(&mut w, "OAuth", 15 * 60, "running");
    // An hour passes while the machine sleeps: only the wall clock goes on.
    time.shift_wall(3600 * 1_000_000);
    w.h.step();
    assert_eq!(clock(&w, "guest JWT"), Some((0, "dead".to_owned())));
    // The sign-in gets itself a new token; the old one is never sent again.
    await_clock(&mut w, "OAuth", 15 * 60, "running");
    w.fill("Filter", "oauth");
    w.until("the new token", |w| rows(w).iter().filter(|r| r.contains("POST /oauth/token")).count() == 2);
    w.close();
}
