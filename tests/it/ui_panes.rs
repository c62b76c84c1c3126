//! What stands where in the window: panes keep their size, nothing lies over something else.

use egui::Theme;
use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use sessionscope::capture::{Opened, Writer};
use sessionscope::model::fact::SessionState;
use sessionscope::model::{Direction, Environment, Fact, SessionId};
use sessionscope::sandbox::Faults;
use sessionscope::ui::app::App;
use sessionscope::ui::picker::Answer;

use crate::support::scene::{Desk, until};
use crate::ui_app::{SIZE, keys, live, write};

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
    for shown in [true, false] {
        keys(&mut h, egui::Modifiers::COMMAND | egui::Modifiers::SHIFT, egui::Key::M);
        for _ in 0..4 {
            h.run_ok();
            assert_eq!(pane_sizes(&h), sizes, "metrics {shown}");
        }
    }
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

#[test]
fn in_a_narrow_toolbar_nothing_lies_over_something_else() {
    for (size, scale) in [(SIZE, 2.0), (SIZE, 1.5), (SIZE, 1.0), ([1024.0, 640.0], 1.0)] {
        let folder = tempfile::tempdir().unwrap();
        let saved = Writer::create(folder.path()).unwrap();
        let Opened::File(file) = saved.opened() else { panic!("in memory") };
        let old = Desk { writer: saved, ..Desk::default() };
        old.session(1, "Old guest", "Archive", SessionState::Ready);
        old.writer.close().unwrap();
        let mut desk = Desk { picker: Answer::Chosen(file), ..Desk::default() };
        desk.settings.scale = scale;
        desk.sandbox_running();
        desk.sandbox_status(Faults { delay_millis: 1, ..Faults::default() });
        let mut h = desk.harness(size, Theme::Dark);
        keys(&mut h, egui::Modifiers::COMMAND, egui::Key::O);
        until(&mut h, "the old session", |h| h.query_all_by_label_contains("Session Old guest").next().is_some());
        let foot = h.get_by_label("Back to live").rect().bottom();
        let mut parts: Vec<egui::Rect> =
            h.query_all_by_role(Role::Button).map(|n| n.rect()).filter(|r| r.top() < foot && r.width() > 0.0).collect();
        assert!(parts.len() >= 8, "{parts:?}");
        parts.sort_by(|a, b| a.left().total_cmp(&b.left()));
        for pair in parts.windows(2) {
            assert!(pair[0].right() <= pair[1].left(), "{pair:?} at {scale}");
        }
    }
}

#[test]
fn the_status_bar_keeps_a_place_for_every_limit() {
    let desk = Desk::default();
    let (mut h, session) = live(&desk);
    let labels = |h: &Harness<'_, App>, text: &str| -> Vec<egui::Rect> {
        h.query_all_by_role(Role::Label)
            .filter(|n| n.accesskit_node().value().is_some_and(|v| v.starts_with(text)))
            .map(|n| n.rect())
            .collect()
    };
    let lefts = |h: &Harness<'_, App>| -> Vec<f32> {
        ["messages ", "requests ", "history "].iter().map(|name| labels(h, name)[0].left()).collect()
    };
    let before = lefts(&h);
    desk.frame(session, 100, Direction::Sent, r#"{"action":"onMessage","message":{"type":"Text","text":"x"}}"#);
    desk.writer.flush().unwrap();
    until(&mut h, "the use", |h| !labels(h, "requests 1/").is_empty());
    let after = lefts(&h);
    assert!(before.windows(2).all(|w| w[0] < w[1]));
    assert!(((before[2] - before[0]) - (after[2] - after[0])).abs() < 0.5, "{before:?} {after:?}");
}

#[test]
fn the_edge_of_the_composer_stays_when_it_scrolls() {
    let desk = Desk::default();
    let (mut h, _) = live(&desk);
    write(&mut h, "Message", &"line\n".repeat(60));
    h.run_ok();
    let send = h.get_by_role_and_label(Role::Button, "Send").rect();
    let image = h.render().unwrap();
    let field = h.get_by_label("Message").rect();
    let (x, top) = (field.left() as u32 + 40, send.top().round() as u32);
    // Beside the button begins the field: surface, edge, field. Where the edge scrolls away, only two are left.
    let mut column: Vec<_> = (top - 5..top + 6).map(|y| image.get_pixel(x, y).0).collect();
    column.dedup();
    assert_eq!(column.len(), 3, "{column:?} at {send:?}");
}

#[test]
fn the_panes_are_as_high_whatever_was_known_at_the_first_frame() {
    // Before the first session is folded there are records, and no clocks stand above the panes.
    let heights: Vec<f64> = [false, true]
        .map(|early| {
            let desk = Desk::default();
            let note = Fact::Note { text: "of no session".into() };
            desk.fact(SessionId::NONE, 0, note);
            let begin = || {
                desk.session(1, "Guest 1", "Sandbox", SessionState::Ready);
                desk.writer.flush().unwrap();
            };
            desk.writer.flush().unwrap();
            if early {
                begin();
            }
            let mut h = desk.harness(SIZE, Theme::Dark);
            until(&mut h, "the panes", |h| pane_sizes(h).len() == 3);
            if !early {
                begin();
            }
            until(&mut h, "the session", |h| h.query_all_by_label_contains("Session Guest 1").next().is_some());
            *pane_sizes(&h).last().unwrap()
        })
        .into();
    assert_eq!(heights[0], heights[1]);
}

/// A window with so many sessions, the first of them in front.
fn crowd(desk: &Desk, count: u32) -> Harness<'static, App> {
    for n in 1..=count {
        let environment = if n <= count / 2 { "Sandbox" } else { "Staging" };
        desk.session(n, &format!("Guest {n}"), environment, SessionState::Ready);
    }
    desk.writer.flush().unwrap();
    let mut h = desk.harness(SIZE, Theme::Dark);
    h.state_mut().adopt(SessionId(1));
    until(&mut h, "the sessions", |h| h.query_by_label("Session Guest 1, ready").is_some());
    h
}

/// The row of a session, where it is painted and lies within the list.
fn row_in_view(h: &Harness<'_, App>, n: u32) -> bool {
    let view = h.query_all_by_role(Role::Splitter).next().unwrap().rect().y_range();
    let row = h.query_by_label_contains(&format!("Session Guest {n}, ready")).map(|row| row.rect().y_range());
    row.is_some_and(|row| view.contains(row.min) && view.contains(row.max))
}

#[test]
fn the_row_of_the_session_in_front_comes_into_view_among_sixty() {
    let desk = Desk::default();
    let mut h = crowd(&desk, 60);
    assert!(row_in_view(&h, 1) && !row_in_view(&h, 58));
    let painted = h.query_all_by_label_contains("Session Guest ").count();
    assert!((10..30).contains(&painted), "{painted} rows are painted");
    for (title, n) in [("Guest 58", 58), ("Guest 31", 31), ("Guest 60", 60)] {
        keys(&mut h, egui::Modifiers::COMMAND, egui::Key::K);
        crate::ui_app::fill(&mut h, "Find a command", title);
        keys(&mut h, egui::Modifiers::NONE, egui::Key::Enter);
        until(&mut h, "its row", |h| row_in_view(h, n));
    }
    keys(&mut h, egui::Modifiers::COMMAND, egui::Key::Num3);
    until(&mut h, "the third row", |h| row_in_view(h, 3) && !row_in_view(h, 60));
}

#[test]
fn the_keyboard_reaches_every_row_of_a_long_list_and_comes_back() {
    let desk = Desk::default();
    let mut h = crowd(&desk, 60);
    h.get_by_label("Session Guest 1, ready").focus();
    h.run_ok();
    let focused = |h: &Harness<'_, App>, n: u32| {
        h.query_by_label_contains(&format!("Session Guest {n}, ready")).is_some_and(|row| row.is_focused())
    };
    for n in 2..=60 {
        keys(&mut h, egui::Modifiers::NONE, egui::Key::Tab);
        assert!(focused(&h, n) && row_in_view(&h, n), "row {n} on the way down");
    }
    for n in (1..60).rev() {
        keys(&mut h, egui::Modifiers::SHIFT, egui::Key::Tab);
        assert!(focused(&h, n) && row_in_view(&h, n), "row {n} on the way up");
    }
}

#[test]
fn clocks_stand_as_they_break_but_for_tokens_of_which_the_session_has_no_need() {
    let desk = Desk::default();
    let session = desk.rich();
    let mut h = desk.harness(SIZE, Theme::Dark);
    h.state_mut().adopt(session);
    until(&mut h, "the clocks", |h| h.query_all_by_label_contains("clock OAuth,").next().is_some());
    let order = |h: &Harness<'_, App>| -> Vec<String> {
        let clocks = h.query_all_by_label_contains("clock ");
        let mut clocks: Vec<_> = clocks.map(|n| (n.rect().left(), n.accesskit_node().label())).collect();
        clocks.sort_by(|a, b| a.0.total_cmp(&b.0));
        let title = |label: String| label.strip_prefix("clock ")?.split(',').next().map(str::to_owned);
        clocks.into_iter().filter_map(|(_, label)| title(label?)).collect()
    };
    // A session whose environment is not known may need any of them.
    assert_eq!(order(&h), ["guest JWT", "OAuth", "session idle"]);
    h.state_mut().adopt_in(session, Environment::default());
    h.run_ok();
    assert_eq!(order(&h), ["guest JWT", "session idle", "OAuth"]);
    desk.clock_fact(SessionId::NONE, "broker", "broker token", 30, 60, "the next call");
    desk.writer.flush().unwrap();
    until(&mut h, "the broker's", |h| h.query_all_by_label_contains("clock broker token,").next().is_some());
    assert_eq!(order(&h), ["broker token", "guest JWT", "session idle", "OAuth"]);
}
