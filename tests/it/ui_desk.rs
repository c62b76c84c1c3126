//! The agent's desk and both ends, by accessible label: real window, real engine, real sandbox.

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;

use crate::support::live::{Home, Window};

/// The sandbox's second agent.
const SECOND: &str = "Agent Two";

/// By the one button of a first start; waits until the two have met.
fn both(home: &Home) -> Window {
    let mut w = home.open();
    w.press("Both ends in the sandbox");
    w.until("they have met", |w| w.sees("Session Agent 1") && w.sees("Session Guest 1") && w.sees("you answered"));
    w.await_label("Conversation Guest, connected");
    w
}

/// Writes at one of the two ends, and sends by the keyboard.
fn say(w: &mut Window, field: &str, text: &str) {
    w.h.get_by_role_and_label(Role::MultilineTextInput, field).focus();
    w.h.run_ok();
    w.h.get_by_role_and_label(Role::MultilineTextInput, field).type_text(text);
    w.h.run_ok();
    w.keys(Modifiers::COMMAND, Key::Enter);
}

#[test]
fn one_click_opens_both_ends_and_a_person_types_at_either() {
    let home = Home::default();
    let mut w = both(&home);
    say(&mut w, "Message", "I cannot log in");
    w.until("both have it", |w| w.labels().iter().filter(|l| l.contains("I cannot log in")).count() >= 2);
    say(&mut w, "Message of the agent", "Let me look");
    w.until("both have the answer", |w| w.labels().iter().filter(|l| l.contains("Let me look")).count() >= 2);
    w.until("the other end is known", |w| w.sees("The other end is Agent 1."));
    // At the guest's end.
    w.h.get_all_by_role_and_label(Role::Button, "Both ends").next().unwrap().click_accesskit();
    w.h.run_ok();
    w.await_label("joined by ids");
    w.await_label("nothing odd");
    w.await_label("Joined because 2 messages have the same id at both ends.");
    // Rows of the timeline, not of the records.
    let row = |w: &Window| w.labels().into_iter().find(|l| l.starts_with("guest: I cannot log in"));
    w.until("its legs", |w| row(w).is_some_and(|r| r.contains("guest send → agent notified")));
    w.close();
}

#[test]
fn a_conversation_is_held_ended_and_wrapped_up_by_hand() {
    let home = Home::default();
    let mut w = both(&home);
    w.press("Hold");
    w.await_label("Conversation Guest, on hold");
    w.press("Take off hold");
    w.await_label("Conversation Guest, connected");
    w.press("Disconnect");
    w.await_label("you are out");
    w.await_label("Wrap-up code");
    w.until("a code", |w| w.h.query_by_role_and_label(Role::Button, "Wrap up").is_some_and(|b| !is_disabled(&b)));
    w.press("Wrap up");
    w.await_label("Conversation Guest, ended");
    w.close();
}

fn is_disabled(node: &egui_kittest::Node<'_>) -> bool {
    use egui_kittest::kittest::NodeT;
    node.accesskit_node().is_disabled()
}

#[test]
fn a_draft_of_a_conversation_is_still_there_after_a_restart() {
    let home = Home::default();
    let mut w = both(&home);
    w.h.get_by_role_and_label(Role::MultilineTextInput, "Message of the agent").focus();
    w.h.run_ok();
    w.h.get_by_role_and_label(Role::MultilineTextInput, "Message of the agent").type_text("not sent yet");
    w.h.run_ok();
    w.close();
    let stored = std::fs::read_dir(home.places().config).unwrap().flatten();
    let text: String = stored.filter_map(|f| std::fs::read_to_string(f.path()).ok()).collect();
    assert!(text.contains("not sent yet"), "{text}");
}

#[test]
fn the_palette_acts_on_the_pane_that_was_in_front() {
    let home = Home::default();
    let mut w = both(&home);
    w.h.get_by_role_and_label(Role::MultilineTextInput, "Message of the agent").focus();
    w.h.run_ok();
    w.command("Close session");
    w.until("the agent's is closed", |w| !w.sees("Session Agent 1") && w.sees("Session Guest 1"));
    // What is left is shown once.
    assert_eq!(w.h.query_all_by_role_and_label(Role::MultilineTextInput, "Message").count(), 1);
    w.close();
}

#[test]
fn a_file_of_the_agent_goes_with_a_message() {
    let home = Home::default();
    let mut w = both(&home);
    let file = home.path("note.txt");
    std::fs::write(&file, "A note of the agent.\n").unwrap();
    let actions: Vec<_> = w.h.get_all_by_role_and_label(Role::ComboBox, "Action").collect();
    actions[1].click();
    w.h.run_ok();
    w.h.get_by_role_and_label(Role::Button, "Attach a file").click_accesskit();
    w.h.run_ok();
    w.fill("Path of the file", &file.display().to_string());
    w.press("Upload");
    w.await_label("Agent · file");
    w.await_label("File note.txt");
    w.h.get_by_role_and_label(Role::CheckBox, "File note.txt").click();
    w.h.run_ok();
    say(&mut w, "Message of the agent", "See this");
    w.until("the guest has both", |w| {
        let labels = w.labels();
        labels.iter().filter(|l| l.contains("note.txt")).count() >= 2
            && labels.iter().filter(|l| l.contains("See this")).count() >= 2
    });
    w.close();
}

#[test]
fn a_guest_is_told_while_the_agent_types() {
    let home = Home::default();
    let mut w = both(&home);
    w.h.get_by_role_and_label(Role::MultilineTextInput, "Message of the agent").focus();
    w.h.run_ok();
    w.h.get_by_role_and_label(Role::MultilineTextInput, "Message of the agent").type_text("Let me");
    w.h.run_ok();
    w.await_label("agent is typing");
    w.close();
}

#[test]
fn a_conversation_is_handed_to_somebody_who_was_looked_for() {
    let home = Home::default();
    let mut w = both(&home);
    w.press("Transfer");
    w.h.get_by_role_and_label(Role::TextInput, "User").focus();
    w.h.run_ok();
    w.h.get_by_role_and_label(Role::TextInput, "User").type_text("agent2@");
    w.h.run_ok();
    w.press("Find users");
    w.await_label(SECOND);
    w.press(SECOND);
    // It reaches that user, who is not at work.
    w.await_label("The user cannot be transferred to: its presence is Offline");
    w.close();
}
