//! The record table, by accessible label.

use egui::{Key, Modifiers, Role, Theme};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use sessionscope::capture::{Reader, Rows, Writer};
use sessionscope::dialect::Line;
use sessionscope::model::{Flags, Kind, Record, Report};
use sessionscope::ui::table::{FilterBox, Follow, RecordSource, RecordTable, TableEvent};

use crate::support::records::{FakeLog, record};
use crate::support::{THEMES, builder, says};

pub struct Bench {
    pub table: RecordTable,
    pub log: FakeLog,
    pub filter: FilterBox,
    pub events: Vec<TableEvent>,
}

pub fn bench(records: u64) -> Bench {
    let mut table = RecordTable::default();
    table.zone = jiff::tz::TimeZone::UTC;
    Bench { table, log: FakeLog::new(records), filter: FilterBox::default(), events: Vec::new() }
}

pub fn show(ui: &mut egui::Ui, b: &mut Bench) {
    let rows = b.log.rows.clone();
    let total = rows.len().max(1000);
    b.events.extend(b.table.bar(ui, &mut |_| {}, &mut b.filter, &rows, (total, 12)));
    b.events.extend(b.table.show(ui, &mut b.log));
}

fn harness(records: u64) -> Harness<'static, Bench> {
    builder((900.0, 420.0), Theme::Dark).build_ui_state(show, bench(records))
}

fn row_y(h: &Harness<'_, Bench>, seq: u64) -> f32 {
    h.get_by_label_contains(&format!("record {seq},")).rect().top()
}

#[test]
fn the_last_of_ten_million_rows_is_found_and_read_alone() {
    let mut h = harness(10_000_000);
    h.run();
    // Following at first: the newest is there, and no more was read than what is around the view.
    let last = h.get_by_label_contains("record 10000000,");
    assert_eq!(last.accesskit_node().data().size_of_set(), Some(10_000_000));
    assert_eq!(last.accesskit_node().data().position_in_set(), Some(9_999_999));
    assert!(h.state().log.fetched < 200, "{} read", h.state().log.fetched);
    h.key_press(Key::Home);
    h.run();
    h.get_by_label_contains("record 1,");
    assert!(h.query_by_label_contains("record 10000000,").is_none());
    let rows = h.state().log.rows.clone();
    h.state_mut().table.select(9_999_999, &rows);
    h.run();
    let node = h.get_by_label_contains("record 9999999,");
    assert!(node.accesskit_node().data().is_selected().unwrap_or(false));
    assert!(h.state().log.fetched < 500, "{} read", h.state().log.fetched);
}

#[test]
fn scrolling_up_lets_go_of_the_tail_and_counts_what_comes() {
    let mut h = harness(1000);
    h.run();
    assert_eq!(h.state().table.follow(), Follow::Following);
    let y = row_y(&h, 1000);
    h.state_mut().log.rows = Rows::All(1005);
    h.run();
    assert_eq!(row_y(&h, 1005), y, "the tail is followed");
    h.get_by_label("Records").hover();
    h.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Line,
        delta: egui::vec2(0.0, 3.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    });
    h.run_steps(8);
    assert_eq!(h.state().table.follow(), Follow::Held { seen: 1005 });
    let seen = h.state().table.visible();
    h.state_mut().log.rows = Rows::All(1133);
    h.run();
    assert_eq!(h.state().table.visible(), seen, "held rows stay");
    h.get_by_label("128 new, follow").click();
    h.run();
    assert_eq!(h.state().table.follow(), Follow::Following);
    h.get_by_label_contains("record 1133,");
    assert!(h.query_by_label_contains(" new, follow").is_none());
}

#[test]
fn space_pauses_and_end_follows_again() {
    let mut h = harness(500);
    h.run();
    h.key_press(Key::Space);
    h.run();
    assert_eq!(h.state().table.follow(), Follow::Held { seen: 500 });
    h.key_press(Key::End);
    h.run();
    assert_eq!(h.state().table.follow(), Follow::Following);
}

#[test]
fn clearing_a_filter_keeps_the_selected_row_on_its_pixel() {
    let mut h = harness(100_000);
    h.run();
    h.state_mut().log.filter((0..100_000).step_by(50));
    let rows = h.state().log.rows.clone();
    h.state_mut().table.select(50_000, &rows);
    h.run();
    let y = row_y(&h, 50_000);
    h.state_mut().log.rows = Rows::All(100_000);
    h.run();
    assert_eq!(row_y(&h, 50_000), y);
    h.get_by_label_contains("record 50001,");
    // Also where a filter hid the row for a while.
    h.state_mut().log.filter([3, 5, 7, 49_999, 50_001]);
    h.run();
    assert!(h.query_by_label_contains("record 50000,").is_none());
    h.state_mut().log.rows = Rows::All(100_000);
    h.run();
    assert_eq!(row_y(&h, 50_000), y);
}

#[test]
fn keys_move_extend_and_ask() {
    let mut h = harness(300);
    h.run();
    h.key_press(Key::Home);
    h.key_press(Key::J);
    h.key_press(Key::ArrowDown);
    h.key_press(Key::K);
    h.run();
    assert_eq!(h.state().table.selection(), (Some(2), None));
    h.key_press_modifiers(Modifiers::SHIFT, Key::ArrowDown);
    h.key_press_modifiers(Modifiers::SHIFT, Key::ArrowDown);
    h.run();
    assert_eq!(h.state().table.selection(), (Some(2), Some(4)));
    assert_eq!(h.state().table.gap(), Some(74_000));
    assert!(says(&h, "gap +74 ms"));
    h.state_mut().events.clear();
    h.key_press(Key::D);
    h.key_press(Key::M);
    h.key_press(Key::N);
    h.key_press(Key::T);
    h.run();
    assert_eq!(
        h.state().events,
        [TableEvent::Diff(2, Some(4)), TableEvent::Mark(2), TableEvent::Note(2), TableEvent::TimeZero(Some(2))]
    );
    assert_eq!(h.state().table.time_zero(), Some(2));
    h.get_by_label_contains("record 2, sent text, onMessage, Hello 2,");
    h.get_by_label_contains("time zero");
}

#[test]
fn another_log_begins_anew() {
    let mut h = harness(300);
    h.run();
    h.get_by_label_contains("record 295,").click();
    h.run();
    h.key_press(Key::T);
    h.run();
    assert_eq!(h.state().table.time_zero(), Some(295));
    let fetched = h.state().log.fetched;
    h.state_mut().log.identity = 1;
    h.run();
    assert_eq!(h.state().table.time_zero(), None);
    assert!(h.state().log.fetched > fetched, "nothing of the other log is shown");
}

#[test]
fn a_click_selects_and_holds_and_a_second_makes_two() {
    let mut h = harness(300);
    h.run();
    h.get_by_label_contains("record 295,").click();
    h.run();
    assert_eq!(h.state().table.selection(), (Some(295), None));
    assert_eq!(h.state().table.follow(), Follow::Held { seen: 300 });
    h.get_by_label_contains("record 298,").click_modifiers(Modifiers::SHIFT);
    h.run();
    assert_eq!(h.state().table.selection(), (Some(295), Some(298)));
    h.get_by_label_contains("record 296,").click_secondary();
    h.run();
    h.state_mut().events.clear();
    h.get_by_label_contains("Mark").click();
    h.run();
    assert_eq!(h.state().events, [TableEvent::Mark(296)]);
}

#[test]
fn typing_in_the_filter_does_not_move_the_table_and_escape_clears_it() {
    let mut h = harness(300);
    h.run();
    h.get_by_label("Filter").focus();
    h.run();
    h.get_by_label("Filter").type_text("jk m");
    h.run();
    assert_eq!(h.state().filter.text, "jk m");
    assert!(h.state().events.contains(&TableEvent::FilterChanged));
    assert_eq!(h.state().table.selection(), (None, None));
    h.key_press(Key::Escape);
    h.run();
    assert_eq!(h.state().filter.text, "");
}

#[test]
fn lanes_and_noise_are_toggles() {
    let mut h = harness(300);
    h.run();
    h.get_by_label("HTTP").click();
    h.get_by_label("12 heartbeats, typing").click();
    h.run();
    let show = h.state().table.show;
    assert!(!show.http && show.socket && show.lifecycle && show.noise);
    assert!(h.state().events.contains(&TableEvent::ShowChanged));
}

#[test]
fn what_cannot_be_read_is_told_and_read_again_on_request() {
    let mut b = bench(300);
    b.log.broken = Some(Report::new("capture-gone", "The capture cannot be read", "Disk gone."));
    let mut h = builder((900.0, 420.0), Theme::Dark).build_ui_state(show, b);
    h.run();
    h.get_by_role_and_label(Role::Alert, "The capture cannot be read");
    h.state_mut().log.broken = None;
    h.get_by_label("Read again").click();
    h.run();
    h.get_by_label_contains("record 300,");
}

#[test]
fn the_scroll_bar_pages_and_drags() {
    let mut h = harness(10_000_000);
    h.run();
    let bar = h.get_by_label("Scroll records").rect();
    let at = |share: f32| egui::pos2(bar.center().x, bar.top() + bar.height() * share);
    h.drag_at(at(0.999));
    h.run();
    h.hover_at(at(0.5));
    h.run();
    let middle = h.state().table.visible().start;
    assert!((4_500_000..5_500_000).contains(&middle), "{middle}");
    h.drop_at(at(0.5));
    h.run();
    assert!(!h.state().table.follow().is_following());
    let before = h.state().table.visible().start;
    h.drag_at(at(0.9));
    h.drop_at(at(0.9));
    h.run();
    let after = h.state().table.visible().start;
    assert!((1..40).contains(&(after - before)), "one page: {before} to {after}");
}

#[test]
fn columns_can_be_hidden_and_widened() {
    use sessionscope::ui::table::Column;
    let mut h = harness(300);
    h.run();
    assert!(h.query_by_label("Bytes").is_some());
    h.get_by_label("Columns").click();
    h.run();
    h.get_by_role_and_label(Role::CheckBox, "Bytes").click();
    h.run();
    assert!(!h.state().table.columns.is_shown(Column::Bytes));
    let edge = h.get_by_role_and_label(Role::ColumnHeader, "Time").rect();
    let before = h.state().table.columns.width(Column::Time);
    h.key_press(Key::Escape);
    h.run();
    h.drag_at(edge.right_center());
    h.run();
    h.hover_at(edge.right_center() + egui::vec2(30.0, 0.0));
    h.run();
    h.drop_at(edge.right_center() + egui::vec2(30.0, 0.0));
    h.run();
    assert!((h.state().table.columns.width(Column::Time) - before - 30.0).abs() < 4.0);
}

#[test]
fn the_table_looks_as_it_did() {
    let mut pictures = egui_kittest::SnapshotResults::new();
    for (name, theme) in THEMES {
        let mut b = bench(300);
        b.log.marked.insert(297);
        let mut h = builder((900.0, 420.0), theme).build_ui_state(show, b);
        h.run();
        h.get_by_label_contains("record 295,").click();
        h.run();
        h.state_mut().log.rows = Rows::All(428);
        h.remove_cursor();
        h.run();
        h.snapshot(format!("table_{name}"));
        pictures.extend_harness(&mut h);
    }
}
#[test]
fn an_empty_table_says_what_to_do() {
    let mut h = harness(0);
    h.run();
    assert!(says(&h, "No records yet"));
    h.state_mut().log.rows = Rows::All(1);
    h.run();
    assert!(!says(&h, "No records yet"));
    h.get_by_label_contains("record 1,");
}

#[test]
fn the_full_date_stands_over_the_time() {
    let mut h = harness(300);
    h.run();
    let row = h.get_by_label_contains("record 295,").rect();
    let time = h.get_by_role_and_label(Role::ColumnHeader, "Time").rect();
    h.hover_at(egui::pos2(time.center().x, row.center().y));
    h.run_steps(8);
    assert!(says(&h, "Tuesday, 6 January 2026, 13:26:26.089000 +00:00\n2026-01-06T13:26:26.089000Z"));
}

/// A capture of this program as the source.
struct Captured {
    reader: sessionscope::capture::Reader,
}

impl RecordSource for Captured {
    fn rows(&self) -> Rows {
        self.reader.rows(None, false)
    }

    fn fetch(&mut self, seqs: &[u64]) -> Result<Vec<Record>, Report> {
        self.reader.records(seqs, 256)
    }

    fn line(&self, record: &Record) -> Line {
        Line { name: String::new(), text: record.text().unwrap_or_default().to_owned() }
    }
}

#[test]
fn a_real_capture_is_read_while_it_grows() {
    let writer = Writer::private().unwrap();
    let append = |range: std::ops::RangeInclusive<u64>| {
        for seq in range {
            let mut draft = record(seq).draft;
            draft.kind = Kind::Text;
            // Every tenth is a heartbeat and folded away.
            draft.flags = if seq % 10 == 0 { Flags::HEARTBEAT } else { Flags::NONE };
            writer.append(draft.body(format!("frame {seq}")));
        }
        writer.flush().unwrap();
    };
    append(1..=3000);
    let source = Captured { reader: Reader::attach(&writer.opened()).unwrap() };
    let state = (RecordTable::default(), source);
    let mut h = builder((900.0, 300.0), Theme::Light).build_ui_state(
        |ui, (table, source): &mut (RecordTable, Captured)| {
            table.show(ui, source);
        },
        state,
    );
    h.run();
    h.get_by_label_contains("record 2999,");
    h.get_by_label_contains("frame 2999");
    assert!(h.query_by_label_contains("record 3000,").is_none(), "folded");
    append(3001..=3005);
    h.run();
    h.get_by_label_contains("frame 3005");
    h.key_press(Key::Home);
    h.run();
    h.get_by_label_contains("frame 1,");
    writer.close().unwrap();
}
