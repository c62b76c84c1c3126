//! The unverified flows by accessible label, with the real engine and sandbox: each is chosen, opened and used from the
//! window alone, with the values that the form fills in.

use egui::accesskit::Role;
use egui_kittest::kittest::Queryable;

use crate::support::live::{Home, Window};

/// Opens a session of a flow through the dialog, in the sandbox.
fn open(w: &mut Window, flow: &str) {
    w.command("New session with options");
    w.await_label("Flow of the session");
    if w.sees("The sandbox does not run.") {
        w.press("Start it");
        w.until("the sandbox runs", |w| !w.sees("The sandbox does not run."));
    }
    w.h.get_by_role_and_label(Role::ComboBox, "Flow of the session").click();
    w.h.run_ok();
    w.h.get_by_label(&format!("{flow} · unverified")).click();
    w.h.run_ok();
    assert!(w.sees("No primary vendor source documents this endpoint."), "{}", w.labels().join("\n"));
    w.press("Open session");
}

#[track_caller]
fn choose_action(w: &mut Window, action: &str) {
    w.h.get_by_role_and_label(Role::ComboBox, "Action").click();
    w.h.run_ok();
    w.h.get_by_role_and_label(Role::Button, action).click_accesskit();
    w.h.run_ok();
}

#[test]
fn a_session_token_conversation_talks_and_refreshes_its_token() {
    let mut w = Home::default().open();
    open(&mut w, "Conversation REST with session token");
    w.await_label("clock session token");
    w.say("hello by REST");
    w.await_label("delivered");
    choose_action(&mut w, "Refresh token");
    w.press("Refresh");
    w.until("refreshed", |w| w.sees("refreshed by"));
    w.close();
}

#[test]
fn an_external_contact_is_answered_on_its_socket() {
    let mut w = Home::default().open();
    open(&mut w, "External-contact socket");
    w.await_label("clock handshake token");
    w.say("hello contact");
    w.until("answered", |w| w.labels().iter().filter(|l| l.contains("hello contact")).count() > 1);
    w.close();
}

#[test]
fn a_signed_guest_needs_nothing_but_its_name_in_the_sandbox() {
    let mut w = Home::default().open();
    open(&mut w, "Signed guest (RS256)");
    w.await_label("clock signed guest token");
    choose_action(&mut w, "Check queue");
    w.press("Check");
    w.await_label("the queue is known");
    w.close();
}

#[test]
fn a_managed_conversation_beats_when_it_is_told_to() {
    let mut w = Home::default().open();
    open(&mut w, "Managed conversation (heartbeat)");
    w.await_label("clock session length");
    w.until("a heartbeat can be sent", |w| w.sees("PATCH with a time and a growing sequence"));
    w.press("Send");
    w.await_label("heartbeat");
    w.close();
}

#[test]
fn a_guest_resource_shakes_hands_and_is_answered() {
    let mut w = Home::default().open();
    open(&mut w, "Guest resource with handshake socket");
    w.await_label("clock guest token");
    w.await_label("Hello, this is the sandbox");
    w.say("hello guest");
    w.until("answered", |w| w.labels().iter().filter(|l| l.contains("hello guest")).count() > 1);
    w.close();
}

#[test]
fn signing_keys_are_made_rotated_and_retired_in_their_dialog() {
    let mut w = Home::default().open();
    w.command("New session with options");
    w.press("Start it");
    w.until("the sandbox runs", |w| !w.sees("The sandbox does not run."));
    w.h.get_by_role_and_label(Role::ComboBox, "Flow of the session").click();
    w.h.run_ok();
    w.h.get_by_label("Signed guest (RS256) · unverified").click();
    w.h.run_ok();
    w.fill("Guest id", "somebody");
    w.press("What is this flow?");
    w.await_label("What is doubtful");
    w.press("Close dialog");
    w.press("Keys…");
    w.await_label("There is no key yet.");
    w.fill("Key id (kid)", "first");
    w.press("Make a key");
    w.await_label("The key first was made and signs from now on.");
    w.fill("Key id (kid)", "second");
    w.press("Make a key");
    w.await_label("The key second was made and signs from now on.");
    w.until("both are good", |w| w.sees("still good") && w.sees("signs"));
    w.press("Retire");
    w.await_label("Nothing that the key first signed is believed any more.");
    w.fill("Key id (kid)", "not a kid!");
    w.press("Make a key");
    w.await_label("It holds");
    w.press("Close dialog");
    assert!(w.sees("somebody"), "what was filled in is still there: {}", w.labels().join("\n"));
    w.close();
}
