//! What is wrong with the record itself: nothing else is worth as much. It stands over everything until it is right
//! again.

use std::time::Duration;

use egui::{Frame, Label, Margin, RichText, Role, Ui, UiBuilder};

use super::app::{Act, Acts, FilePurpose, Scene};
use super::commands::Cmd;
use super::dialogs::Dialog;
use super::format;
use super::seams::LogStatus;
use super::theme::{font, radius, space, tokens};
use super::widgets::{Icon, Tone, Weight, button};
use crate::model::Report;

/// While something is wrong its figures are looked at so often.
const LOOK: Duration = Duration::from_millis(500);

/// Where a copy elsewhere is the way out.
const SAVING_HELPS: [&str; 2] = ["capture-gone", "memory-full"];

/// What the figures of the running capture and of the one in view tell.
pub struct Trouble<'a> {
    pub live: &'a LogStatus,
    pub shown: &'a LogStatus,
    /// Records that were not kept, as far as somebody has read it.
    pub known: u64,
    /// Why the audit log is not written.
    pub audit: Option<Report>,
}

impl Trouble<'_> {
    pub fn is_any(&self) -> bool {
        self.live.failed.is_some()
            || self.live.not_kept > self.known
            || self.shown.views.is_some()
            || self.audit.is_some()
    }

    pub fn paint(&self, ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) {
        ui.spacing_mut().item_spacing.y = space::SMALL;
        if let Some(report) = &self.live.failed {
            ui.ctx().request_repaint_after(LOOK);
            let what = format!("{} {}", report.what, counts(self.live));
            strip(ui, report, what.trim_end(), |ui| {
                let helps = SAVING_HELPS.contains(&report.code.as_str());
                if helps && button(ui, None, Cmd::SaveCapture.title(), Weight::Normal).clicked() {
                    if scene.situation.saved {
                        acts.run(Cmd::BackToLive);
                    }
                    acts.push(Act::AskFile(FilePurpose::SaveCapture));
                }
                if button(ui, None, "What to do", Weight::Quiet).clicked() {
                    acts.push(Act::Open(Box::new(Dialog::Report(report.clone()))));
                }
            });
        } else if self.live.not_kept > self.known {
            strip(ui, &lost(), counts(self.live).trim_end(), |ui| {
                if button(ui, None, "I know", Weight::Normal).clicked() {
                    acts.push(Act::KnowLost(self.live.not_kept));
                }
            });
        }
        if let Some(report) = &self.audit {
            ui.ctx().request_repaint_after(LOOK);
            strip(ui, report, &report.what, |ui| {
                if button(ui, None, Cmd::AuditLog.title(), Weight::Quiet).clicked() {
                    acts.run(Cmd::AuditLog);
                }
            });
        }
        if let Some(report) = &self.shown.views {
            ui.ctx().request_repaint_after(LOOK);
            strip(ui, report, &report.what, |ui| {
                if button(ui, None, "Details", Weight::Quiet).clicked() {
                    acts.push(Act::Open(Box::new(Dialog::Report(report.as_ref().clone()))));
                }
            });
        }
    }
}

fn lost() -> Report {
    Report::new("records-not-kept", "The capture has a gap", "")
        .remedy("It is written again. What is missing cannot be had back: note when it was, and repeat what matters.")
}

/// "12 records wait. 3 records were not kept."
fn counts(status: &LogStatus) -> String {
    let mut out = String::new();
    if status.queued > 0 && status.failed.is_some() {
        out.push_str(&format!("{} wait in memory. ", format::plural(status.queued, "record", "records")));
    }
    if status.not_kept > 0 {
        let records = format::plural(status.not_kept, "record was", "records were");
        out.push_str(&format!("{records} not kept: nothing could be written for too long."));
    }
    out
}

fn strip(ui: &mut Ui, report: &Report, what: &str, buttons: impl FnOnce(&mut Ui)) {
    let t = tokens(ui);
    let (ink, tint) = (Tone::Red.ink(ui), Tone::Red.tint(ui));
    let builder = UiBuilder::new().accessibility_role(Role::Alert).accessibility_label(report.title.as_str());
    ui.scope_builder(builder, |ui| {
        let margin = Margin::symmetric(10, 6);
        Frame::new().fill(tint).stroke((1.0, ink)).corner_radius(radius::NORMAL).inner_margin(margin).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal(|ui| {
                let (rect, _) = ui.allocate_exact_size(egui::Vec2::splat(16.0), egui::Sense::hover());
                Icon::Warning.paint(ui.painter(), rect, ink);
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    buttons(ui);
                    ui.vertical(|ui| {
                        ui.spacing_mut().item_spacing.y = space::HAIR;
                        ui.add(Label::new(RichText::new(&report.title).font(font::strong()).color(ink)).wrap());
                        ui.add(Label::new(RichText::new(what).color(t.text.strong)).wrap());
                        for remedy in report.remedies.iter().take(1) {
                            ui.add(Label::new(RichText::new(format!("→ {remedy}")).color(t.text.strong)).wrap());
                        }
                    });
                });
            });
        });
    });
}
