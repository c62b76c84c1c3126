//! The lint in the whole window, against the sandbox: told as it happens, with the way to its records.

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use sessionscope::engine::Command;
use sessionscope::ui::settings::LowerPane;

use crate::support::live::{Home, Window};

fn order(w: &Window, json: &str) {
    let order = serde_json::from_str(json).unwrap();
    w.engine.send(Command::Order { order }).unwrap();
}

fn items(w: &Window) -> Vec<String> {
    w.h.query_all_by_role(Role::ListItem).filter_map(|n| n.accesskit_node().label()).collect()
}

#[test]
fn what_breaks_a_rule_is_told_on_its_row_in_the_status_bar_and_in_its_pane() {
    let home = Home::default();
    let mut w = home.open();
    w.converse();
    w.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::P);
    w.await_label("Nothing was broken");
    order(&w, r#"{"do":"duplicate","count":1}"#);
    w.say("Good morning");
    w.await_label("lint 1");
    order(&w, r#"{"do":"send_frame","frame":{"type":"message","class":"Surprise","code":200,"body":{}}}"#);
    w.until("both rules", |w| items(w).iter().filter(|i| i.starts_with("warning, 1 times")).count() == 2);
    let twice = items(&w).into_iter().find(|i| i.contains("The same message twice")).unwrap();
    assert!(twice.contains("A client that appends shows it twice"), "{twice}");
    assert!(w.h.query_by_role_and_label(Role::Button, "The same message twice").is_some(), "the bubble says it");
    // Its records, and what to do.
    w.h.get_by_role_and_label(Role::ListItem, &twice).click_accesskit();
    w.h.run_ok();
    assert!(w.sees("→ Keep messages by channel.messageId"), "{:?}", w.labels());
    let record = items(&w).into_iter().find(|i| i.starts_with("record ")).unwrap();
    w.h.get_by_role_and_label(Role::ListItem, &record).click_accesskit();
    w.h.run_ok();
    w.press("Lint: The same message twice");
    w.await_label("vendor facts, 1.6 and 1.8");
    // The rows say it too.
    w.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::P);
    assert_eq!(w.h.state().settings().panes.lower, LowerPane::Records);
    let rows = w.h.query_all_by_role(Role::ListBoxOption).filter_map(|n| n.accesskit_node().label());
    let told: Vec<String> = rows.filter(|r| r.contains("lint warning")).collect();
    assert!(matches!(&told[..], [row] if row.contains("guest: Good morning")), "the selected row is in view: {told:?}");
    w.press("lint 2");
    assert_eq!(w.h.state().settings().panes.lower, LowerPane::Lint, "the status bar leads there");
    w.close();
}
