//! What is wrong with the record, and faults that stand in no conversation.

use egui::Theme;
use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT, Queryable};
use sessionscope::capture::{Opened, Writer};
use sessionscope::engine::Event;
use sessionscope::model::fact::SessionState;
use sessionscope::model::{Direction, Draft, Fact, Kind, Report, SessionId};
use sessionscope::ui::seams::LogStatus;

use crate::support::scene::{Desk, until};
use crate::support::tells;
use crate::ui_app::{SIZE, live, open, press, sees};

fn alert(h: &egui_kittest::Harness<'_, sessionscope::ui::app::App>, title: &str) -> bool {
    h.query_all_by_role(Role::Alert).any(|n| n.accesskit_node().label().as_deref() == Some(title))
}

#[cfg(unix)]
#[test]
fn a_capture_file_that_is_deleted_is_told_over_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk { writer: Writer::create(folder.path()).unwrap(), ..Desk::default() };
    let Opened::File(file) = desk.writer.opened() else { panic!("in memory") };
    let (mut h, session) = live(&desk);
    assert!(sees(&h, "recording") && !alert(&h, "The capture file is gone"));
    std::fs::remove_file(&file).unwrap();
    until(&mut h, "the banner", |h| {
        desk.fact(session, 50, Fact::Note { text: "x".into() });
        desk.writer.flush().unwrap();
        alert(h, "The capture file is gone")
    });
    assert!(sees(&h, "not recording"));
    assert!(tells(&h, &file.display().to_string()), "where");
    press(&mut h, "Save capture…");
    assert!(sees(&h, "No portal in this test."), "the way out is one click away");
}

#[test]
fn a_full_disk_and_what_it_cost_are_told_until_they_are_known() {
    let desk = Desk::default();
    let (mut h, _) = live(&desk);
    let full = Report::new("disk-full", "The capture could not be written", "There is no space left for /a/b.")
        .remedy("Free some space on that disk; writing goes on by itself.");
    let figures = LogStatus { records: 5, queued: 12, not_kept: 3, failed: Some(full), ..LogStatus::default() };
    *desk.figures.lock().unwrap() = Some(figures.clone());
    h.run_ok();
    assert!(alert(&h, "The capture could not be written") && sees(&h, "not recording"));
    assert!(tells(&h, "12 records wait in memory") && tells(&h, "3 records were not kept"));
    assert!(tells(&h, "Free some space"), "what to do stands there");
    assert!(sees(&h, "3 not kept"), "and the status bar counts");
    *desk.figures.lock().unwrap() = Some(LogStatus { failed: None, queued: 0, ..figures.clone() });
    until(&mut h, "the gap", |h| alert(h, "The capture has a gap"));
    assert!(!alert(&h, "The capture could not be written") && !sees(&h, "not recording"));
    press(&mut h, "I know");
    assert!(!alert(&h, "The capture has a gap") && sees(&h, "3 not kept"));
    *desk.figures.lock().unwrap() = Some(LogStatus { failed: None, not_kept: 4, ..figures });
    h.run_ok();
    assert!(alert(&h, "The capture has a gap"), "more were lost");
}

#[test]
fn views_that_stand_still_say_so() {
    let desk = Desk::default();
    let mut h = open(&desk);
    let report = Report::new("story-stuck", "The capture cannot be read on", "After record 7 nothing new comes.");
    *desk.figures.lock().unwrap() = Some(LogStatus { views: Some(report.into()), ..LogStatus::default() });
    h.run_ok();
    assert!(alert(&h, "The capture cannot be read on"));
}

#[test]
fn faults_outside_a_session_are_notices_until_they_are_dismissed() {
    let desk = Desk::default();
    let mut h = open(&desk);
    let report = |n: u32| Report::new("f", format!("Fault {n}"), "It failed.").remedy("Do this.");
    desk.listener.tell(Event::Fault(report(1)));
    let call = Draft::fact(desk.at(1), SessionId::NONE, &Fact::Fault(report(2)));
    desk.put(Draft { kind: Kind::HttpFailed, direction: Direction::Local, ..call });
    let seq = desk.fact(SessionId::NONE, 2, Fact::Fault(report(3)));
    desk.writer.flush().unwrap();
    until(&mut h, "the notices", |h| sees(h, "Fault 1") && sees(h, "Fault 3"));
    assert!(!sees(&h, "Fault 2"), "whoever called tells what it means");
    desk.clock.advance(std::time::Duration::from_secs(3600));
    h.run_ok();
    assert!(sees(&h, "Fault 1") && sees(&h, "Fault 3"), "they stay");
    press(&mut h, &format!("Go to record {seq}"));
    assert_eq!(h.state().selected(), [seq]);
    press(&mut h, "Dismiss all");
    assert!(!sees(&h, "Fault 1") && !sees(&h, "Dismiss all"), "what is left of them are their records");
}

#[test]
fn a_fault_of_a_session_stands_over_its_conversation_until_it_is_read() {
    let desk = Desk::default();
    let session = desk.session(1, "Guest 1", "Sandbox", SessionState::Ready);
    let mut h = desk.harness(SIZE, Theme::Light);
    let report = Report::new("no-history", "History was not read", "The server answered 503.").remedy("Try later.");
    let seq = desk.fact(session, 60, Fact::Fault(report));
    desk.writer.flush().unwrap();
    until(&mut h, "the fault", |h| tells(h, "History was not read: The server answered 503."));
    press(&mut h, "What to do");
    assert!(tells(&h, "Try later."));
    press(&mut h, "Close dialog");
    press(&mut h, "Show record");
    assert_eq!(h.state().selected(), [seq]);
    press(&mut h, "Dismiss fault");
    assert!(!tells(&h, "History was not read: The"));
}
