//! What stands where in the window: panes keep their size, nothing lies over something else.

use egui::Theme;
use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use sessionscope::ui::app::App;

use crate::support::scene::{Desk, until};
use crate::ui_app::SIZE;

/// How much of their room the panes take: rail, inspector, records; as their edges say.
fn pane_sizes(h: &Harness<'_, App>) -> Vec<f64> {
    h.query_all_by_role(Role::Splitter).filter_map(|n| n.accesskit_node().numeric_value()).collect()
}

#[test]
fn only_dragging_changes_the_size_of_a_pane() {
    let desk = Desk::default();
    let session = desk.rich();
    let long = "no-end-to-this-word".repeat(40);
    let expiry = desk.clock_fact(session, "long", &long, 4400, 5, &long);
    desk.clock_fact(session, "short", "x", 44, 5, "y");
    desk.writer.flush().unwrap();
    let mut h = desk.harness(SIZE, Theme::Dark);
    h.state_mut().adopt(session);
    until(&mut h, "the clock", |h| h.query_all_by_label_contains("clock x,").next().is_some());
    let (sizes, kept) = (pane_sizes(&h), h.state().settings().panes.clone());
    assert_eq!(sizes.len(), 3);
    for seq in [expiry, expiry + 1, expiry - 1, expiry - 3] {
        h.get_by_label_contains(&format!("record {seq},")).click();
        until(&mut h, "the record", |h| h.query_all_by_role(Role::Tab).next().is_some());
        for tab in ["Tree", "Text", "Hex", "Token", "Timing", "Diff"] {
            h.get_by_role_and_label(Role::Tab, tab).click();
            for _ in 0..4 {
                h.run_ok();
                assert_eq!(pane_sizes(&h), sizes, "{tab} of record {seq}");
            }
        }
    }
    assert_eq!(h.state().settings().panes, kept);
    let edge = h.query_all_by_role(Role::Splitter).nth(1).unwrap().rect().center();
    h.drag_at(edge);
    h.run_ok();
    h.hover_at(edge - egui::vec2(60.0, 0.0));
    h.run_ok();
    h.drop_at(edge - egui::vec2(60.0, 0.0));
    h.run_ok();
    let now = &h.state().settings().panes;
    assert!((now.inspector - kept.inspector - 60.0).abs() < 2.0, "{} {}", now.inspector, kept.inspector);
    assert_eq!((now.rail, now.records), (kept.rail, kept.records));
}
