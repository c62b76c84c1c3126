//! Pictures of every part in both themes, to be looked at:
//! `GALLERY=folder cargo test --test it gallery`. Without `GALLERY` nothing is made.

use std::time::Duration;

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use sessionscope::model::{Flags, Report};
use sessionscope::projection::ClockPhase;
use sessionscope::ui::inspector::Tab;
use sessionscope::ui::widgets::{self, Icon, Tone, Weight};

use crate::support::{THEMES, builder};
use crate::{ui_inspector, ui_table};

fn save<S>(folder: &str, name: &str, mut harness: Harness<'_, S>) {
    std::fs::create_dir_all(folder).unwrap();
    harness.render().unwrap().save(format!("{folder}/{name}.png")).unwrap();
}

pub fn clocks(ui: &mut egui::Ui) {
    let clock = |title, secs, share, phase, breaks| widgets::RingClock {
        title,
        left: Some(Duration::from_secs(secs)),
        share,
        phase,
        breaks,
        assumed: false,
    };
    ui.horizontal_wrapped(|ui| {
        clock("OAuth", 1421, 0.7, ClockPhase::Fine, "next API call").show(ui);
        clock("guest JWT", 42, 0.3, ClockPhase::Margin, "next history call").show(ui);
        clock("guest JWT", 5, 0.07, ClockPhase::Last, "next history call").show(ui);
        clock("session idle", 0, 0.0, ClockPhase::Dead, "messages").show(ui);
        widgets::RingClock { left: None, ..clock("channel", 0, 0.0, ClockPhase::Open, "") }.show(ui);
        widgets::RingClock { assumed: true, ..clock("session idle", 259_000, 0.99, ClockPhase::Fine, "") }.show(ui);
    });
}

fn basics(ui: &mut egui::Ui) {
    ui.heading("Sessions and 0123456789 → ● ↑ ↓ ▶ ✓ × … µ Δ");
    ui.label("The quick brown fox jumps over the lazy dog. 00:42 11:11:11 — 12,402 records · 3.1 MB");
    ui.monospace("0O 1lI != -> === fi 2026-01-06T13:26:15.174Z {\"a\": [1, 2]} → ● ↑ ↓ ▶ ✓ × …");
    ui.weak("weak text: said once, read when looked for");
    ui.horizontal(|ui| {
        widgets::button(ui, Some(Icon::Plus), "New session", Weight::Primary);
        widgets::button(ui, Some(Icon::Search), "Find", Weight::Normal);
        widgets::button(ui, None, "Cancel", Weight::Quiet);
        widgets::button(ui, Some(Icon::Trash), "Delete", Weight::Danger);
        let _ = ui.button("Stock button");
        ui.checkbox(&mut true, "Reconnect");
    });
    ui.horizontal_wrapped(|ui| {
        for icon in Icon::ALL {
            widgets::icon_button(ui, icon, &format!("{icon:?}"));
        }
    });
    ui.horizontal(|ui| {
        widgets::badge(ui, Some(Icon::Check), "delivered", Tone::Ok);
        widgets::badge(ui, Some(Icon::Warning), "margin", Tone::Amber);
        widgets::badge(ui, Some(Icon::Cross), "refused 4011", Tone::Red);
        widgets::badge(ui, None, "ended", Tone::Dead);
        widgets::chip(ui, Some(Icon::Filter), "kind:text", Tone::Accent);
        widgets::placeholder_chip(ui, "[session-token#1]");
        widgets::key_caps(ui, "Ctrl+Shift+K");
    });
    ui.horizontal(|ui| {
        ui.text_edit_singleline(&mut String::from("text field")).accessible_name("field");
        widgets::segmented(ui, "Theme", &mut 0, &[(0, "System"), (1, "Light"), (2, "Dark")]);
        widgets::progress(ui, "Exporting HAR", 45, 100);
    });
    clocks(ui);
    let what = "The host answered 403 to the upgrade. The deployment may be inactive, or the origin is not among its \
                allowed domains.";
    let report = Report::new("upgrade-refused", "The server refused the socket", what)
        .remedy("Check that the deployment is active and belongs to this region.")
        .remedy("Set an origin that the deployment allows.")
        .detail("GET /v1?deploymentId=… 403 Forbidden");
    widgets::report_card(ui, &report, Tone::Red, Some(12), true);
    let keys = [("New session", "Ctrl+N"), ("Commands", "Ctrl+K")];
    widgets::empty_state(ui, Icon::Bubble, "No session yet", "Start the built-in sandbox and talk to it.", &keys);
}

#[test]
fn gallery() {
    let Ok(folder) = std::env::var("GALLERY") else { return };
    for (name, theme) in THEMES {
        for scale in [1.0, 2.0] {
            let at = format!("{name}_{scale}");
            let h = builder((980.0, 760.0), theme).with_pixels_per_point(scale).build_ui(basics);
            save(&folder, &format!("basics_{at}"), h);
            let mut b = ui_table::bench(3000);
            b.log.marked.insert(2997);
            let h = builder((860.0, 420.0), theme).with_pixels_per_point(scale).build_ui_state(ui_table::show, b);
            save(&folder, &format!("table_{at}"), h);
            let mut b = ui_table::bench(3000);
            b.filter.text = "kind:txt".to_owned();
            b.filter.error = Some("no kind has this name (at character 6)".to_owned());
            b.filter.busy = Some((120, 900));
            let mut h = builder((520.0, 300.0), theme).with_pixels_per_point(scale).build_ui_state(ui_table::show, b);
            h.get_by_label_contains("record 2995,").click();
            h.run();
            h.key_press(egui::Key::T);
            h.key_press_modifiers(egui::Modifiers::SHIFT, egui::Key::ArrowDown);
            h.key_press_modifiers(egui::Modifiers::SHIFT, egui::Key::ArrowDown);
            h.remove_cursor();
            h.run();
            save(&folder, &format!("table_narrow_{at}"), h);
            for (tab, tab_name) in Tab::ALL {
                let mut record = ui_inspector::text(9, ui_inspector::MESSAGE);
                record.draft.flags = Flags::REDACTED.with(Flags::UNKNOWN);
                record.draft.reply_to = 7;
                let mut b = ui_inspector::bench(record, tab);
                b.other = Some(ui_inspector::text(
                    7,
                    ui_inspector::MESSAGE.replace("Hello there", "Hello").replace("200", "201"),
                ));
                b.chain = ui_inspector::chain();
                let h =
                    builder((460.0, 460.0), theme).with_pixels_per_point(scale).build_ui_state(ui_inspector::show, b);
                save(&folder, &format!("inspector_{tab_name}_{at}"), h);
            }
            for (n, (record, tab)) in ui_inspector::samples().into_iter().enumerate() {
                let h = builder((460.0, 460.0), theme)
                    .with_pixels_per_point(scale)
                    .build_ui_state(ui_inspector::show, ui_inspector::bench(record, tab));
                save(&folder, &format!("inspector_sample{n}_{at}"), h);
            }
        }
    }
}
