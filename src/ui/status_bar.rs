//! The bottom line: how much is recorded, limits, skew, keyring.

use egui::{Label, RichText, Sense, Ui};

use super::app::{Act, Acts, Scene};
use super::commands::Cmd;
use super::format;
use super::lint::sign;
use super::seams::LogStatus;
use super::theme::{font, space, tokens};
use super::widgets::{Icon, Tone, badge};
use crate::model::Now;
use crate::projection::{Lints, Meter};

pub fn paint(
    ui: &mut Ui,
    scene: &Scene<'_>,
    log: &LogStatus,
    not_kept: u64,
    behind: Option<(u64, u64)>,
    acts: &mut Acts,
) {
    let t = tokens(ui);
    let narrow = ui.available_width() < 900.0;
    ui.horizontal(|ui| {
        ui.set_height(22.0);
        ui.spacing_mut().item_spacing.x = space::WIDE;
        let text = |ui: &mut Ui, text: String, tip: &str| {
            ui.add(Label::new(RichText::new(text).font(font::small()).color(t.text.weak)).sense(Sense::hover()))
                .on_hover_text(tip);
        };
        text(ui, format::plural(log.records, "record", "records"), "Records in the capture that is shown.");
        let place = if scene.captures.is_some() || scene.situation.saved { "on disk" } else { "in memory" };
        text(ui, format!("{} {place}", format::bytes(log.bytes)), "Size of the capture.");
        if not_kept > 0 {
            badge(ui, Some(Icon::Warning), &format!("{} not kept", format::count(not_kept)), Tone::Red).on_hover_text(
                "Records that are missing in the running capture: nothing could be written for too long.",
            );
        }
        if log.left_out > 0 {
            badge(ui, Some(Icon::Warning), &format!("{} left out", format::count(log.left_out)), Tone::Amber)
                .on_hover_text("Payloads that were not stored because the disk could not keep up.");
        } else if !narrow {
            text(ui, "0 left out".into(), "Payloads that were not stored because the disk could not keep up.");
        }
        if let Some((done, total)) = behind {
            text(
                ui,
                format!("reading {} of {}", format::count(done), format::count(total)),
                "The views are being built from the records.",
            );
        }
        if let Some(view) = scene.session {
            lint(ui, &view.lints, acts);
            if !scene.situation.saved {
                meters(ui, &view.meters.meters, scene.now);
            }
            if let Some(skew) = view.skew {
                let secs = skew.skew_us as f64 / 1e6;
                let tip = format!(
                    "The server's clock is ahead of ours by {secs:.2} s, known to ± {:.2} s.",
                    skew.uncertainty_us as f64 / 1e6
                );
                // What lies within the uncertainty is no skew that anybody has seen.
                let shown = if skew.skew_us.abs() > skew.uncertainty_us {
                    format!("skew {secs:+.1} s")
                } else {
                    format!("skew 0 ± {:.1} s", skew.uncertainty_us as f64 / 1e6)
                };
                text(ui, shown, &tip);
            }
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            vault(ui, scene, acts);
        });
    });
}

/// How many records broke a rule of the protocol, and the way to them.
fn lint(ui: &mut Ui, lints: &Lints, acts: &mut Acts) {
    let Some(worst) = lints.worst() else { return };
    let (icon, tone) = sign(worst);
    let text = format!("lint {}", format::count(lints.told));
    let tip = "Records of this session that break rules of the protocol. Click for the list.";
    if super::widgets::chip(ui, Some(icon), &text, tone).on_hover_text(tip).clicked() {
        acts.run(Cmd::ShowLint);
    }
}

/// Room for what stands at the right of the meters: skew and keyring.
const BEHIND_METERS: f32 = 330.0;

/// Every limit has its place, used or not, so that nothing moves when one comes into use. Those that have no room are
/// told by the last place.
fn meters(ui: &mut Ui, meters: &[Meter], now: Now) {
    let t = tokens(ui);
    let mut room = ui.available_width() - BEHIND_METERS;
    let mut behind = Vec::new();
    for (n, meter) in meters.iter().enumerate() {
        let used = meter.used(now.mono);
        if used > 0 {
            // The count falls when the oldest use leaves the window.
            let oldest = meter.uses.iter().find(|u| now.mono.since(**u).as_secs() < u64::from(meter.window_secs));
            let left = oldest.map(|u| {
                std::time::Duration::from_secs(u64::from(meter.window_secs)).saturating_sub(now.mono.since(*u))
            });
            if let Some(left) = left {
                ui.ctx().request_repaint_after(left.max(std::time::Duration::from_millis(10)));
            }
        }
        // As wide as its longest count.
        let widest = ui.painter().layout_no_wrap(told(meter, meter.limit), font::small(), t.text.weak).size().x;
        room -= widest + ui.spacing().item_spacing.x;
        if n > 0 && (room < 0.0 || !behind.is_empty()) {
            behind.push((meter, used));
            continue;
        }
        let color = if used >= meter.limit { t.amber.ink } else { t.text.weak };
        let text = ui.painter().layout_no_wrap(told(meter, used), font::small(), color);
        let rest = (widest - text.size().x).max(0.0);
        ui.add(Label::new(text).sense(Sense::hover())).on_hover_text(safe(meter, now));
        ui.add_space(rest);
    }
    if behind.is_empty() {
        return;
    }
    let full = behind.iter().any(|(meter, used)| used >= &meter.limit);
    let color = if full { t.amber.ink } else { t.text.weak };
    let text = RichText::new(format!("+{} limits", behind.len())).font(font::small()).color(color);
    ui.add(Label::new(text).sense(Sense::hover())).on_hover_ui(|ui| {
        for (meter, used) in behind {
            ui.label(format!("{}: {}", told(meter, used), safe(meter, now)));
        }
    });
}

pub fn told(meter: &Meter, used: u32) -> String {
    let unit = match meter.window_secs {
        // Not a rate but how many there are now.
        0 => String::new(),
        1 => " per s".to_owned(),
        60 => " per min".to_owned(),
        n => format!(" per {n} s"),
    };
    format!("{} {used}/{}{unit}", meter.name, meter.limit)
}

fn safe(meter: &Meter, now: Now) -> String {
    match meter.wait(now.mono) {
        std::time::Duration::ZERO => "Within the limit: one more is safe now.".to_owned(),
        std::time::Duration::MAX => "At the limit.".to_owned(),
        wait => format!("At the limit: one more is safe in {:.1} s.", wait.as_secs_f64()),
    }
}

fn vault(ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) {
    let Some(vault) = &scene.book.vault else {
        ui.label(RichText::new("keyring: looking…").small());
        return;
    };
    let text = format!("keyring: {}", vault.place);
    if vault.lasting {
        ui.label(RichText::new(text).small()).on_hover_text("Secrets are kept here and outlive the program.");
        return;
    }
    let response = super::widgets::chip(ui, Some(Icon::Warning), &text, Tone::Amber)
        .on_hover_text("Secrets are kept in memory only and are gone when the window closes. Click for why.");
    if response.clicked() {
        if let Some(report) = &vault.report {
            acts.push(Act::Open(Box::new(super::dialogs::Dialog::Report(report.clone()))));
        } else {
            acts.push(Act::Info("Secrets are kept in memory only.".into()));
        }
    }
}
