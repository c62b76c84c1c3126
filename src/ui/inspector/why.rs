//! Why it failed: the causes that the records show, what they rest on, and what to do.

use egui::{Label, RichText, ScrollArea, Ui};

use super::host::{InspectorEvent, Subject};
use crate::projection::{Doubt, Finding, Verdict};
use crate::ui::lint::{self, sign};
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{Icon, Tone, badge, chip, copy_button, empty_state};

/// Above every other tab: the first cause, what the record breaks, and the way to the rest.
pub fn banner(ui: &mut Ui, subject: &Subject<'_>) -> bool {
    let failed = subject.finding.is_some_and(|finding| of_failure(ui, finding));
    let seq = subject.record.seq;
    let lint = subject.lints.and_then(|lints| lints.about(seq).next());
    let of_lint = lint.is_some_and(|lint| {
        let (icon, tone) = sign(lint.rule.weight);
        chip(ui, Some(icon), &format!("Lint: {}", lint.rule.title), tone).on_hover_text("Open the tab Why").clicked()
    });
    failed || of_lint
}

fn of_failure(ui: &mut Ui, finding: &Finding) -> bool {
    let (text, tone) = match finding.verdicts.first() {
        Some(verdict) if finding.is_harmless() => (format!("Why: {}", verdict.title), Tone::Plain),
        Some(verdict) => (format!("Why: {}", verdict.title), Tone::Amber),
        None => ("Why: not decided by the records".to_owned(), Tone::Plain),
    };
    chip(ui, Some(Icon::Question), &text, tone).on_hover_text("Open the tab Why").clicked()
}

pub fn show(ui: &mut Ui, subject: &Subject<'_>, events: &mut Vec<InspectorEvent>) {
    let seq = subject.record.seq;
    let lints = subject.lints.filter(|lints| lints.weight(seq).is_some());
    if subject.finding.is_none() && lints.is_none() {
        let text = "A record that failed has its causes here, and what it breaks of the protocol.";
        empty_state(ui, Icon::Check, "Nothing failed here", text, &[]);
        return;
    }
    ScrollArea::vertical().id_salt("why").auto_shrink([false, false]).show(ui, |ui| {
        let t = tokens(ui);
        ui.spacing_mut().item_spacing.y = space::SMALL;
        if let Some(lints) = lints {
            lint::about(ui, lints, seq, |seq| events.push(InspectorEvent::GoTo(seq)));
        }
        let Some(finding) = subject.finding else { return };
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(format!("Record {}: {}", finding.seq, finding.subject.title())).color(t.text.weak));
            copy_button(ui, "Copy explanation", || finding.told());
        });
        for (n, verdict) in finding.verdicts.iter().enumerate() {
            ui.push_id(n, |ui| cause(ui, verdict, events));
            ui.add_space(space::NORMAL);
        }
        if finding.verdicts.is_empty() {
            let text = "The records do not decide it. It may have been one of these; each says what would decide it.";
            ui.add(Label::new(RichText::new(text).color(t.text.strong)).wrap());
        }
        for (n, doubt) in finding.undecided.iter().enumerate() {
            ui.push_id(("doubt", n), |ui| perhaps(ui, doubt));
        }
        if finding.is_empty() {
            ui.label("No known cause fits. A cause of your own can be added: see Help.");
        }
    });
}

fn cause(ui: &mut Ui, verdict: &Verdict, events: &mut Vec<InspectorEvent>) {
    let t = tokens(ui);
    ui.add(Label::new(RichText::new(&verdict.title).font(font::strong()).color(t.text.strong)).wrap());
    ui.add(Label::new(&verdict.says).wrap());
    if !verdict.fix.is_empty() {
        ui.label(RichText::new("What to do").small().color(t.text.weak));
        for fix in &verdict.fix {
            ui.horizontal_top(|ui| {
                ui.label(RichText::new("→").font(font::data()));
                ui.add(Label::new(fix).wrap());
            });
        }
    }
    if !verdict.evidence.is_empty() {
        ui.label(RichText::new("Evidence").small().color(t.text.weak));
        for (name, value) in &verdict.evidence {
            let mut job = egui::text::LayoutJob::default();
            job.append(&format!("{name}: "), 0.0, egui::TextFormat::simple(font::small(), t.text.weak));
            job.append(value, 0.0, egui::TextFormat::simple(font::small_data(), t.text.strong));
            ui.add(Label::new(job).wrap());
        }
    }
    ui.horizontal_wrapped(|ui| {
        for seq in &verdict.records {
            if chip(ui, None, &format!("record {seq}"), Tone::Plain).clicked() {
                events.push(InspectorEvent::GoTo(*seq));
            }
        }
    });
    let about = format!("{} · {}", verdict.cause, verdict.source);
    ui.add(Label::new(RichText::new(about).font(font::small()).color(t.text.weak)).wrap());
}

fn perhaps(ui: &mut Ui, doubt: &Doubt) {
    let t = tokens(ui);
    ui.horizontal_wrapped(|ui| {
        badge(ui, Some(Icon::Question), "perhaps", Tone::Plain);
        ui.label(RichText::new(&doubt.title).font(font::strong()));
    });
    ui.add(Label::new(&doubt.would_decide).wrap());
    if !doubt.missing.is_empty() {
        let text = format!("Not known: {}", doubt.missing.join(", "));
        ui.add(Label::new(RichText::new(text).font(font::small()).color(t.text.weak)).wrap());
    }
}
