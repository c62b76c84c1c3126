//! Pickers, forms and sign-ins from the window alone, with the real engine and sandbox.

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};

use crate::support::live::{Home, Window};

/// Says a word of the partner's, and opens what it offers in the composer.
#[track_caller]
fn offered(w: &mut Window, word: &str, title: &str) {
    w.say(word);
    w.await_label(title);
    // The newest stands last.
    let all: Vec<_> = w.h.query_all_by_role_and_label(Role::Button, "Answer…").collect();
    all.last().expect("nothing to answer").click();
    w.h.run_ok();
    w.await_label("Offer to answer");
}

#[test]
fn a_time_is_chosen_in_the_bubble_and_sent_by_the_composer() {
    let mut w = Home::default().open();
    w.converse();
    w.say("date");
    w.await_label("A time for the visit");
    assert!(w.sees("Each takes half an hour.") && w.sees("from "), "{}", w.labels().join("\n"));
    // Slots stand in the order of their times, though the server sent them in another.
    let times: Vec<String> = w.labels().into_iter().filter(|l| l.len() == 5 && l.as_bytes()[2] == b':').collect();
    assert_eq!(times, ["10:00", "10:30", "23:30", "14:00", "09:00"]);
    w.press("10:30");
    w.await_label("Offer to answer");
    w.keys(Modifiers::COMMAND, Key::Enter);
    w.await_label("You chose:");
    assert!(w.sees("10:30 (DatePicker"), "{}", w.labels().join("\n"));
    w.await_label("answered");
    w.press("Answer again…");
    // What was sent is no draft any more.
    w.press("Send");
    w.await_label("No time is chosen.");
    w.close();
}

#[test]
fn a_list_says_what_it_lacks_and_keeps_what_was_chosen() {
    let mut w = Home::default().open();
    w.converse();
    offered(&mut w, "list", "What shall it be?");
    w.press("Send");
    w.await_label("Nothing is chosen: the list wants one item at least.");
    for colour in ["Red", "Blue"] {
        w.choose(colour);
    }
    for extra in ["Gift wrap", "A card"] {
        w.h.get_by_role_and_label(Role::CheckBox, extra).click();
        w.h.run_ok();
    }
    // Another action comes between; the draft stays.
    w.h.get_by_role_and_label(Role::ComboBox, "Action").click();
    w.h.run_ok();
    w.h.get_by_role_and_label(Role::Button, "Text").click_accesskit();
    w.h.run_ok();
    w.say("one moment");
    w.await_label("You said: one moment");
    w.press("Answer…");
    let ticked = |w: &Window, role, name: &str| {
        w.h.get_by_role_and_label(role, name).accesskit_node().toggled() == Some(egui::accesskit::Toggled::True)
    };
    assert!(ticked(&w, Role::RadioButton, "Blue") && !ticked(&w, Role::RadioButton, "Red"));
    assert!(ticked(&w, Role::CheckBox, "Gift wrap"));
    w.press("Send");
    w.await_label("You chose: Blue, Gift wrap, A card (ListPicker");
    w.close();
}

#[test]
fn a_form_is_filled_in_by_the_keyboard() {
    let mut w = Home::default().open();
    w.converse();
    offered(&mut w, "form", "Tell us about the visit");
    w.press("Send");
    w.await_label("“Name” is required.");
    assert!(w.sees("“Day” is required."), "all that it lacks is named at once");
    w.fill("Name", "Ada");
    w.fill("Day", "soon");
    w.press("Send");
    w.await_label("is no day");
    let tomorrow = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().tomorrow().unwrap();
    w.fill("Day", &tomorrow.to_string());
    w.keys(Modifiers::COMMAND, Key::Enter);
    w.await_label("answered");
    // The records follow again, and show how the server read it.
    let follow = w.labels().into_iter().find(|l| l.ends_with(" new, follow"));
    w.press(&follow.expect("the records follow"));
    w.await_label("bot: You chose: name = Ada, day =");
    w.close();
}

#[test]
fn a_guest_signs_in_with_a_new_session_and_logs_out() {
    let mut w = Home::default().open();
    w.command("New session with options");
    w.await_label("Flow of the session");
    w.press("Start it");
    w.until("the sandbox runs", |w| !w.sees("The sandbox does not run."));
    w.choose("authenticated");
    w.await_label("The sandbox's identity provider gives a code at once");
    w.press("Open session");
    w.await_label("clock guest sign-in");
    w.say("hello");
    w.await_label("signed in");
    w.press("Session menu");
    w.press("Log the guest out");
    w.await_label("Ended: logged out.");
    w.until("the clock is gone", |w| !w.sees("clock guest sign-in"));
    w.close();
}

#[test]
fn a_guest_is_stepped_up_from_the_menu() {
    let mut w = Home::default().open();
    w.converse();
    w.press("Session menu");
    w.press("Sign the guest in…");
    w.await_label("The session is stepped up on its socket");
    w.choose("code");
    assert!(w.sees("The environment has no redirect URI."), "{}", w.labels().join("\n"));
    w.choose("sandbox");
    w.fill("Person", "grace.hopper");
    w.press("Sign in");
    w.await_label("guest signed in as Grace Hopper");
    w.await_label("clock guest sign-in");
    w.close();
}
