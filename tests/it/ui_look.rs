//! Pictures of the whole window to look at, on demand: `LOOK=folder cargo test --test it ui_look`.

use egui_kittest::kittest::Queryable;
use sessionscope::model::fact::SessionState;
use sessionscope::sandbox::Faults;

use crate::support::THEMES;
use crate::support::scene::{Desk, until};

const SIZES: [(&str, [f32; 2], f32); 2] = [("wide", [1440.0, 900.0], 1.0), ("small", [1024.0, 640.0], 1.0)];

fn save(h: &mut egui_kittest::Harness<'_, sessionscope::ui::app::App>, name: &str) {
    if let Ok(folder) = std::env::var("LOOK") {
        std::fs::create_dir_all(&folder).unwrap();
        h.render().unwrap().save(format!("{folder}/{name}.png")).unwrap();
    }
}

/// Without `LOOK` one picture's worth of each is laid out still: nothing may panic at any size.
fn wanted() -> bool {
    std::env::var("LOOK").is_ok()
}

#[test]
fn look_first_run() {
    for (theme_name, theme) in THEMES {
        for (size_name, size, _) in SIZES {
            let desk = Desk::default();
            let mut h = desk.harness(size, theme);
            h.run_ok();
            save(&mut h, &format!("first_{theme_name}_{size_name}"));
        }
    }
}

#[test]
fn look_conversation() {
    for (theme_name, theme) in THEMES {
        for (size_name, size, _) in SIZES {
            let desk = Desk::default();
            let session = desk.rich();
            desk.session(2, "Guest 2", "Sandbox", SessionState::ReadOnly);
            desk.session(3, "Impatient customer", "Staging deployment", SessionState::Connecting);
            desk.writer.flush().unwrap();
            let mut h = desk.harness(size, theme);
            h.state_mut().adopt(session);
            until(&mut h, "the conversation", |h| h.query_all_by_label_contains("Thank you!").next().is_some());
            h.run_ok();
            save(&mut h, &format!("live_{theme_name}_{size_name}"));
            h.get_by_role_and_label(egui::Role::ListItem, "Guest: Thank you!, 13:26:19.174, sending").click();
            h.run_ok();
            std::thread::sleep(std::time::Duration::from_millis(60));
            h.run_ok();
            save(&mut h, &format!("selected_{theme_name}_{size_name}"));
        }
        if !wanted() {
            return;
        }
    }
}

#[test]
fn look_split_and_scaled() {
    if !wanted() {
        return;
    }
    let desk = Desk::default();
    let session = desk.rich();
    desk.session(2, "Guest 2", "Sandbox", SessionState::ReadOnly);
    desk.writer.flush().unwrap();
    let mut h = desk.harness([1440.0, 900.0], egui::Theme::Dark);
    h.state_mut().adopt(session);
    until(&mut h, "the conversation", |h| h.query_all_by_label_contains("Thank you!").next().is_some());
    h.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Backslash);
    h.run_ok();
    save(&mut h, "split_dark");
    let mut settings = desk.settings.clone();
    settings.scale = 2.0;
    let desk = Desk { settings, ..desk };
    let mut h = desk.harness([1440.0, 900.0], egui::Theme::Light);
    h.state_mut().adopt(session);
    until(&mut h, "the conversation", |h| h.query_all_by_label_contains("Thank you!").next().is_some());
    save(&mut h, "scaled_light");
}

/// Name, size of the window and scale.
const DIALOG_SIZES: [(&str, [f32; 2], f32); 3] =
    [("wide", [1440.0, 900.0], 1.0), ("small", [1024.0, 640.0], 1.0), ("double", [1440.0, 900.0], 2.0)];

#[test]
fn look_dialogs() {
    for (theme_name, theme) in THEMES {
        for (size_name, size, scale) in DIALOG_SIZES {
            dialogs(&format!("{theme_name}_{size_name}"), theme, size, scale);
            if !wanted() {
                break;
            }
        }
    }
}

fn dialogs(name: &str, theme: egui::Theme, size: [f32; 2], scale: f32) {
    use egui::{Key, Modifiers};
    let mut desk = Desk::default();
    desk.settings.scale = scale;
    let session = desk.rich();
    desk.sandbox_running();
    let mut faults = Faults::default();
    (faults.delay_millis, faults.stop_pongs) = (1500, true);
    desk.sandbox_status(faults);
    let mut h = desk.harness(size, theme);
    h.state_mut().adopt(session);
    until(&mut h, "the conversation", |h| h.query_all_by_label("Message").next().is_some());
    let press = |h: &mut egui_kittest::Harness<'_, sessionscope::ui::app::App>, label: &str| {
        // Also where it has to be scrolled to.
        h.get_by_label(label).click_accesskit();
        h.run_ok();
    };
    let both = Modifiers::COMMAND | Modifiers::SHIFT;
    for (dialog, modifiers, key) in [
        ("palette", Modifiers::COMMAND, Key::K),
        ("keys", Modifiers::NONE, Key::F1),
        ("settings", Modifiers::COMMAND, Key::Comma),
        ("rename", Modifiers::NONE, Key::F2),
        ("save", Modifiers::COMMAND, Key::S),
        ("export", Modifiers::COMMAND, Key::E),
        ("environments", both, Key::E),
    ] {
        h.key_press_modifiers(modifiers, key);
        h.run_ok();
        if dialog == "environments" {
            press(&mut h, "New environment");
        }
        save(&mut h, &format!("dialog_{dialog}_{name}"));
        if dialog == "environments" {
            press(&mut h, "Own addresses, instead of the region's");
            press(&mut h, "Verify certificates");
            save(&mut h, &format!("dialog_environments_own_{name}"));
            h.get_by_role_and_label(egui::Role::TextInput, "OAuth client id").scroll_to_me();
            h.run_ok();
            save(&mut h, &format!("dialog_environments_lower_{name}"));
        }
        h.key_press(Key::Escape);
        h.run_ok();
    }
    for (token, label) in [("fresh", "fresh"), ("given", "given"), ("kept", "kept")] {
        h.key_press_modifiers(Modifiers::COMMAND, Key::K);
        h.run_ok();
        h.get_by_label("Find a command").type_text("options");
        h.run_ok();
        h.key_press(Key::Enter);
        h.run_ok();
        press(&mut h, label);
        save(&mut h, &format!("dialog_session_{token}_{name}"));
        h.key_press(Key::Escape);
        h.run_ok();
    }
    h.key_press_modifiers(Modifiers::COMMAND, Key::B);
    h.run_ok();
    save(&mut h, &format!("dialog_sandbox_{name}"));
}

#[test]
fn look_details() {
    use egui::accesskit::Role;
    if !wanted() {
        return;
    }
    for (theme_name, theme) in THEMES {
        let desk = Desk::default();
        let session = desk.rich();
        let mut h = desk.harness([1440.0, 1300.0], theme);
        h.state_mut().adopt(session);
        until(&mut h, "the conversation", |h| h.query_all_by_label_contains("Thank you!").next().is_some());
        save(&mut h, &format!("tall_{theme_name}"));
        h.get_by_label_contains("clock guest JWT").click();
        h.run_ok();
        save(&mut h, &format!("clock_{theme_name}"));
        h.key_press(egui::Key::Escape);
        h.run_ok();
        h.get_by_role_and_label(Role::Button, "Menu").click();
        h.run_ok();
        h.get_by_role_and_label(Role::Button, "Session").hover();
        h.run_ok();
        save(&mut h, &format!("menu_{theme_name}"));
        h.key_press(egui::Key::Escape);
        h.run_ok();
        h.get_by_role_and_label(Role::DisclosureTriangle, "Attributes").click();
        h.run_ok();
        desk.listener.refuse(true);
        h.get_by_role_and_label(Role::MultilineTextInput, "Message").focus();
        h.run_ok();
        h.get_by_role_and_label(Role::MultilineTextInput, "Message").type_text(&"long ".repeat(900));
        h.run_ok();
        h.get_by_role_and_label(Role::Button, "Send").click();
        h.run_ok();
        let report =
            sessionscope::model::Report::new("dns", "The name webmessaging.invalid is not known", "No address.")
                .remedy("Check the region.")
                .detail("NXDOMAIN");
        desk.listener.tell(sessionscope::engine::Event::Fault(report.clone()));
        h.run_ok();
        save(&mut h, &format!("trouble_{theme_name}"));
        log_trouble(&desk, session, theme, theme_name, report);
    }
}

/// What is wrong with the record, in a small window.
fn log_trouble(
    desk: &Desk,
    session: sessionscope::model::SessionId,
    theme: egui::Theme,
    name: &str,
    report: sessionscope::model::Report,
) {
    use sessionscope::model::Report;
    let full = Report::new("disk-full", "The capture could not be written", "There is no space left for /home/a/b.")
        .remedy("Free some space on that disk; writing goes on by itself.");
    let mut figures = sessionscope::ui::seams::LogStatus { records: 5, queued: 12, not_kept: 3, ..Default::default() };
    figures.failed = Some(full);
    figures.views =
        Some(Report::new("story-stuck", "The capture cannot be read on", "After record 7 it stops.").into());
    *desk.figures.lock().unwrap() = Some(figures);
    desk.fact(session, 4600, sessionscope::model::Fact::Fault(report));
    desk.writer.flush().unwrap();
    let mut h = desk.harness([1024.0, 640.0], theme);
    h.state_mut().adopt(session);
    until(&mut h, "the conversation", |h| h.query_all_by_label("Message").next().is_some());
    save(&mut h, &format!("log_trouble_{name}"));
}
