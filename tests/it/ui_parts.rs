//! Small parts of the window, by accessible label and as pictures.

use egui::Theme;
use egui_kittest::SnapshotResults;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use sessionscope::model::Report;
use sessionscope::ui::widgets::{self, ReportAction, Tone};

use crate::support::{THEMES, builder, says};
use crate::ui_gallery;

#[test]
fn the_phases_of_a_ring_clock_look_as_they_did() {
    let mut pictures = SnapshotResults::new();
    for (name, theme) in THEMES {
        let mut h = builder((760.0, 80.0), theme).build_ui(ui_gallery::clocks);
        h.run();
        h.snapshot(format!("clocks_{name}"));
        pictures.extend_harness(&mut h);
    }
}

#[test]
fn a_clock_says_its_time_its_phase_and_what_breaks() {
    let mut h = builder::<()>((760.0, 80.0), Theme::Dark).build_ui(ui_gallery::clocks);
    h.run();
    h.get_by_label("clock OAuth, 23:41 left, running, breaks: next API call");
    h.get_by_label("clock guest JWT, 00:05 left, last tenth, breaks: next history call");
    h.get_by_label("clock session idle, dead, breaks: messages");
    h.get_by_label("clock session idle, 71:56:40 left, running, length assumed");
}

#[test]
fn one_of_a_few_is_chosen_by_mouse_and_keyboard() {
    let options = [(1, "One"), (2, "Two"), (3, "Three")];
    let mut h = builder((300.0, 60.0), Theme::Light).build_ui_state(
        move |ui, value: &mut i32| {
            widgets::segmented(ui, "Number", value, &options);
        },
        1,
    );
    h.get_by_label("Two").click();
    h.run();
    assert_eq!(*h.state(), 2);
    h.get_by_label("Three").focus();
    h.run();
    h.key_press(egui::Key::Enter);
    h.run();
    assert_eq!(*h.state(), 3);
    let node = h.get_by_label("Three");
    assert_eq!(node.accesskit_node().toggled(), Some(egui::accesskit::Toggled::True));
}

#[test]
fn a_report_folds_its_details_and_leads_to_its_record() {
    let report = Report::new("x", "It failed", "For a reason.").remedy("Do this.").detail("errno 5");
    let mut h = builder((500.0, 260.0), Theme::Dark).build_ui_state(
        move |ui, action: &mut Vec<ReportAction>| {
            action.extend(widgets::report_card(ui, &report, Tone::Red, Some(42), true));
        },
        Vec::new(),
    );
    h.run();
    assert!(says(&h, "Do this.") && !says(&h, "errno 5"));
    h.get_by_label("Details").click();
    h.run();
    assert!(says(&h, "errno 5"));
    h.get_by_label("Go to record 42").click();
    h.run();
    h.get_by_label("Dismiss report").click();
    h.run();
    assert_eq!(*h.state(), [ReportAction::GoTo(42), ReportAction::Dismiss]);
}

#[test]
fn long_work_can_be_cancelled() {
    let mut h = builder((500.0, 60.0), Theme::Dark)
        .build_ui_state(|ui, cancelled: &mut bool| *cancelled |= widgets::progress(ui, "Exporting", 1, 4), false);
    h.run();
    assert!(says(&h, "25 %"));
    h.get_by_label("Cancel: Exporting").click();
    h.run();
    assert!(*h.state());
}

#[test]
fn the_buttons_of_a_report_stand_at_its_right_edge() {
    for title in ["Short", &"A title of many words that needs several lines ".repeat(4)] {
        let report = Report::new("x", title, "For a reason.");
        let mut h = builder((360.0, 260.0), Theme::Dark).build_ui_state(
            move |ui, card: &mut egui::Rect| {
                let shown = ui.scope(|ui| widgets::report_card(ui, &report, Tone::Red, None, true));
                *card = shown.response.rect;
            },
            egui::Rect::NOTHING,
        );
        h.run();
        let card = *h.state();
        let cross = h.get_by_label("Dismiss report").rect();
        let copy = h.get_by_label("Copy report").rect();
        assert!((card.right() - cross.right() - 13.0).abs() < 2.0, "{card:?} {cross:?}");
        assert!(copy.right() <= cross.left() && cross.left() - copy.right() < 8.0, "{copy:?} {cross:?}");
        assert_eq!(copy.top(), cross.top());
        assert!(cross.top() - card.top() < 14.0, "{card:?} {cross:?}");
    }
}
