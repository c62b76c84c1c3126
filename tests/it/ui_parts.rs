//! The parts of the window, by accessible label, and a few pictures.
use egui::Vec2;
use sessionscope::ui::widgets::{self, Icon, Tone, Weight};

use crate::support::THEMES;

/// Pictures to look at, on demand: `LOOK=folder cargo test --test it look_`.
fn look(name: &str, harness: &mut egui_kittest::Harness<'_>) {
    if let Ok(folder) = std::env::var("LOOK") {
        std::fs::create_dir_all(&folder).unwrap();
        harness.render().unwrap().save(format!("{folder}/{name}.png")).unwrap();
    }
}

#[test]
fn look_basics() {
    for (name, theme) in THEMES {
        for scale in [1.0, 2.0] {
            let mut h =
                crate::support::builder(Vec2::new(720.0, 420.0), theme).with_pixels_per_point(scale).build_ui(|ui| {
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
                    ui.text_edit_singleline(&mut String::from("text field")).accessible_name("field");
                });
            look(&format!("basics_{name}_{scale}"), &mut h);
        }
    }
}

#[test]
fn look_cards() {
    use sessionscope::model::Report;
    use sessionscope::projection::ClockPhase;
    use std::time::Duration;
    for (name, theme) in THEMES {
        let mut h = crate::support::builder(Vec2::new(980.0, 560.0), theme).with_pixels_per_point(1.5).build_ui(|ui| {
            ui.horizontal_wrapped(|ui| {
                let clock = |title, secs, share, phase, breaks| widgets::RingClock {
                    title,
                    left: Some(Duration::from_secs(secs)),
                    share,
                    phase,
                    breaks,
                    assumed: false,
                };
                clock("OAuth", 1421, 0.7, ClockPhase::Fine, "next API call").show(ui);
                clock("guest JWT", 42, 0.3, ClockPhase::Margin, "next history call").show(ui);
                clock("guest JWT", 5, 0.07, ClockPhase::Last, "next history call").show(ui);
                clock("session idle", 0, 0.0, ClockPhase::Dead, "messages").show(ui);
                widgets::RingClock { left: None, ..clock("channel", 0, 0.0, ClockPhase::Open, "") }.show(ui);
                widgets::RingClock { assumed: true, ..clock("session idle", 259_000, 0.99, ClockPhase::Fine, "") }.show(ui);
            });
            ui.horizontal(|ui| {
                widgets::segmented(ui, "Theme", &mut 0, &[(0, "System"), (1, "Light"), (2, "Dark")]);
                let mut on = true;
                widgets::text_toggle(ui, Some(Icon::Mute), "12", &mut on);
                widgets::progress(ui, "Exporting HAR", 45, 100);
            });
            let report = Report::new("upgrade-refused", "The server refused the socket", "wss://webmessaging.mypurecloud.de answered 403 to the upgrade. The deployment may be inactive, or the origin is not among its allowed domains.")
                .remedy("Check that the deployment is active and belongs to this region.")
                .remedy("Set an origin that the deployment allows.")
                .detail("GET /v1?deploymentId=… 403 Forbidden");
            widgets::report_card(ui, &report, Tone::Red, Some(12), true);
            ui.add_space(8.0);
            let report = Report::new("late", "The token was refused once", "A fresh one was fetched.");
            widgets::report_card(ui, &report, Tone::Amber, None, false);
            widgets::empty_state(ui, Icon::Bubble, "No session yet", "Start the built-in sandbox and talk to it.", &[("New session", "Ctrl+N"), ("Commands", "Ctrl+K")]);
        });
        look(&format!("cards_{name}"), &mut h);
    }
}
