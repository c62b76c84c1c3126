//! The agent's desk and both ends, by accessible label: real window, real engine, real sandbox.

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;

use sessionscope::engine::Command;

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

fn order(w: &Window, order: &str) {
    w.engine.send(Command::Order { order: serde_json::from_str(order).unwrap() }).unwrap();
}

/// What stands in the agent's field.
fn draft(w: &Window) -> Option<String> {
    w.h.query_by_role_and_label(Role::MultilineTextInput, "Message of the agent").and_then(|field| field.value())
}

/// Types without sending.
fn write(w: &mut Window, text: &str) {
    w.h.get_by_role_and_label(Role::MultilineTextInput, "Message of the agent").focus();
    w.h.run_ok();
    w.h.get_by_role_and_label(Role::MultilineTextInput, "Message of the agent").type_text(text);
    w.h.run_ok();
    assert_eq!(draft(w).as_deref(), Some(text));
}

#[test]
fn what_the_platform_refuses_is_back_in_the_agent_s_field() {
    let home = Home::default();
    let mut w = both(&home);
    let user = "agent1@sandbox.invalid";
    for (refuse, said, told) in [
        (
            format!(
                r#"{{"do":"set_permissions","user":"{user}","without":["conversation:message:create","conversation:webmessaging:create"]}}"#
            ),
            "without a permission",
            "refused it with 403",
        ),
        (r#"{"do":"set_platform","text_chars":5}"#.to_owned(), "longer than five", "refused it with 400"),
        (
            r#"{"do":"refuse_requests","count":9,"status":409,"path":"/communications/","text":"It is with Agent Two now"}"#
                .to_owned(),
            "too late",
            "refused it with 409",
        ),
    ] {
        order(&w, &refuse);
        say(&mut w, "Message of the agent", said);
        w.until("it is back", |w| w.sees(told) && draft(w).as_deref() == Some(said));
        order(&w, &format!(r#"{{"do":"set_permissions","user":"{user}","without":[]}}"#));
        order(&w, r#"{"do":"set_platform","text_chars":4000}"#);
        order(&w, r#"{"do":"refuse_requests","count":0,"status":409,"path":"/communications/"}"#);
        w.h.get_by_role_and_label(Role::MultilineTextInput, "Message of the agent").focus();
        w.h.run_ok();
        w.keys(Modifiers::COMMAND, Key::Enter);
        w.until("it is said", |w| draft(w).as_deref() == Some(""));
    }
    w.close();
}

/// An agent who answers by hand, behind a guest's conversation.
fn agent_behind(w: &mut Window) {
    w.converse();
    w.command("New session with options");
    w.h.get_by_role_and_label(Role::ComboBox, "Flow of the session").click();
    w.h.run_ok();
    w.h.get_by_label("Agent (Platform API and notifications)").click();
    w.h.run_ok();
    w.press("Open session");
    w.await_label("On queue. Conversations come here.");
    w.keys(Modifiers::COMMAND, Key::Num1);
    w.await_label("Message");
}

#[test]
fn what_rings_out_of_view_is_said_over_the_window_and_one_click_leads_there() {
    let home = Home::default();
    let mut w = home.open();
    agent_behind(&mut w);
    w.say("agent");
    w.await_label("Guest rings for Agent 2. Go there");
    w.await_label("Session Agent 2, rings");
    w.press("Guest rings for Agent 2. Go there");
    w.await_label("rings on for");
    assert!(!w.sees("Go there"), "there, the conversation says so itself");
    w.keys(Modifiers::COMMAND, Key::Num1);
    w.await_label("Guest rings for Agent 2. Go there");
    w.command("Go to the ringing conversation");
    let answer = |w: &Window| w.h.query_all_by_role_and_label(Role::Button, "Answer").count();
    w.until("it is in front", |w| answer(w) > 0);
    w.h.get_all_by_role_and_label(Role::Button, "Answer").next().unwrap().click_accesskit();
    w.until("nothing rings", |w| w.sees("Session Agent 2, ready") && w.sees("you answered"));
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
fn deeds_of_an_agent_stand_as_lines_that_lead_to_their_records() {
    let home = Home::default();
    let mut w = both(&home);
    w.press("Hold");
    w.await_label("you put it on hold");
    w.press("Take off hold");
    w.await_label("you took it off hold");
    w.press("Attributes");
    w.h.get_by_role_and_label(Role::MultilineTextInput, "Attributes").focus();
    w.h.run_ok();
    w.h.get_by_role_and_label(Role::MultilineTextInput, "Attributes").type_text("plan = gold");
    w.h.run_ok();
    w.press("Set attributes");
    w.await_label("attributes set: plan = gold");
    w.h.get_by_label("attributes set: plan = gold").click();
    w.until("its record", |w| w.h.state().selected().len() == 1);
    w.press("Disconnect");
    w.until("a code", |w| w.h.query_by_role_and_label(Role::Button, "Wrap up").is_some_and(|b| !is_disabled(&b)));
    w.press("Wrap up");
    w.await_label("you wrapped it up: ");
    w.close();
}

#[test]
fn a_draft_stays_when_its_conversation_is_gone_and_when_the_token_is() {
    let home = Home::default();
    let mut w = both(&home);
    write(&mut w, "not said yet");
    order(&w, r#"{"do":"revoke_user_tokens","user":"agent1@sandbox.invalid"}"#);
    w.await_label("The user's token was revoked");
    assert_eq!(draft(&w).as_deref(), Some("not said yet"));
    w.close();

    let home = Home::default();
    let mut w = both(&home);
    write(&mut w, "not said yet");
    order(&w, r#"{"do":"expire_session"}"#);
    w.await_label("you are out");
    w.await_label("What you wrote is kept.");
    assert_eq!(draft(&w).as_deref(), Some("not said yet"));
    w.close();
}

#[test]
fn legs_are_plotted_over_time_and_an_altered_text_shows_where_the_ends_differ() {
    let home = Home::default();
    let mut w = both(&home);
    say(&mut w, "Message", "Hello");
    w.until("both have it", |w| w.labels().iter().filter(|l| l.contains("Hello")).count() >= 2);
    say(&mut w, "Message of the agent", "What is your number?");
    w.until("the guest has it", |w| w.labels().iter().filter(|l| l.contains("your number?")).count() >= 2);
    order(&w, r#"{"do":"alter_text","count":1}"#);
    say(&mut w, "Message", "It is 4711, I think");
    w.until("it is altered", |w| w.sees("altered on its way"));
    w.h.get_all_by_role_and_label(Role::Button, "Both ends").next().unwrap().click_accesskit();
    w.h.run_ok();
    w.await_label("1 oddity");
    w.h.get_by_role_and_label(Role::DisclosureTriangle, "Latency per leg").click_accesskit();
    w.h.run_ok();
    let plot = w.await_label("Latency per leg over time.");
    for leg in ["guest send → agent notified: p50", "agent send → guest frame: p50"] {
        assert!(plot.contains(leg), "{plot}");
    }
    let row = w.labels().into_iter().find(|l| l.starts_with("guest: It is 4711")).unwrap();
    let is_told = |w: &Window| w.labels().iter().any(|l| l == "guest's end");
    assert!(!is_told(&w), "not before it is chosen");
    w.h.get_by_role_and_label(Role::ListItem, &row).click_accesskit();
    w.h.run_ok();
    w.until("it is told", is_told);
    let labels = w.labels();
    let at = |label: &str| labels.iter().position(|l| l == label);
    assert!(at("It is 4711, I think(nothing)").is_some(), "{labels:?}");
    assert!(at("It is 4711, I think (altered on its way)").is_some(), "{labels:?}");
    w.h.get_by_role_and_label(Role::ListItem, &row).click_accesskit();
    w.h.run_ok();
    assert!(!is_told(&w), "it can be put away");
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

#[test]
fn in_a_narrow_window_the_conversations_are_tabs_and_the_deeds_a_menu() {
    let home = Home::default();
    let mut w = both(&home);
    let fields = |w: &Window, name: &str| w.h.query_all_by_role_and_label(Role::MultilineTextInput, name).count();
    assert_eq!((fields(&w, "Message"), fields(&w, "Message of the agent")), (1, 1));
    w.h.set_size(egui::vec2(720.0, 450.0));
    w.until("one is in view", |w| (fields(w, "Message"), fields(w, "Message of the agent")) == (1, 0));
    w.h.get_by_role_and_label(Role::Tab, "Agent 1").click();
    w.until("the other is", |w| (fields(w, "Message"), fields(w, "Message of the agent")) == (0, 1));
    let field = w.h.get_by_role_and_label(Role::MultilineTextInput, "Message of the agent").rect();
    let send = w.h.get_by_role_and_label(Role::Button, "Send").rect();
    assert!(field.right() <= send.left() && send.bottom() < 450.0, "{field:?} {send:?}");
    w.command("Switch theme");
    w.await_label("Theme: ");
    let notice = w.h.get_by_role_and_label(Role::Button, "Dismiss message").rect();
    let send = w.h.get_by_role_and_label(Role::Button, "Send").rect();
    assert!(!notice.y_range().intersects(send.y_range()), "{notice:?} {send:?}");
    w.press("Deeds");
    w.press("Hold");
    w.await_label("on hold");
    w.h.set_size(egui::vec2(1024.0, 640.0));
    w.until("both are", |w| (fields(w, "Message"), fields(w, "Message of the agent")) == (1, 1));
    w.press("Take off hold");
    w.await_label("you took it off hold");
    w.close();
}
