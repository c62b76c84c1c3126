//! Paints the composer: action, form, send.

use egui::{ComboBox, Key, KeyboardShortcut, Label, Modifiers, RichText, ScrollArea, Ui};

use super::forms;
use super::{Action, Composer};
use crate::model::environment::Limits;
use crate::model::{DialectId, Report};
use crate::projection::SessionView;
use crate::ui::app::{Act, Acts};
use crate::ui::commands::Cmd;
use crate::ui::dialogs::Dialog;
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{
    Icon, ReportAction, Tone, Weight, button, button_width, icon_button, report_card, report_line,
};

/// Of the frame around the composer.
const MARGINS: f32 = 22.0;
/// Least height of a form.
const LEAST: f32 = 32.0;

/// Enter makes a line; sending is Ctrl+Enter.
pub(super) const NEWLINE: KeyboardShortcut = KeyboardShortcut::new(Modifiers::NONE, Key::Enter);

/// Paints the composer of a session. `focus` puts the keyboard into its first field.
pub fn paint(ui: &mut Ui, composer: &mut Composer, view: &SessionView, limits: &Limits, focus: bool, acts: &mut Acts) {
    composer.settle(view);
    composer.top = ui.cursor().top();
    if composer.action == Action::Pick {
        composer.target = super::pick::target(composer, view);
    }
    let dialect = view.start.as_ref().map(|s| s.dialect).unwrap_or_default();
    let actions = Action::of(dialect);
    if !actions.contains(&composer.action) {
        composer.action = actions.first().copied().unwrap_or_default();
    }
    ui.spacing_mut().item_spacing.y = space::SMALL;
    if let Some(report) = composer.failed.clone()
        && failure(ui, &report, composer.is_low(), acts)
    {
        composer.failed = None;
    }
    ui.horizontal(|ui| {
        choose(ui, composer, actions);
        let form = composer.form(composer.action);
        let tight = ui.available_width() < 260.0;
        let text = match composer.action {
            Action::Text if dialect == DialectId::Agent => {
                let (count, word) = (form.text.chars().count(), if tight { "" } else { " characters" });
                let of = if tight { "/" } else { " of " };
                format!("{count}{of}{}{word}", limits.message_bytes)
            }
            Action::Text if tight => format!("{}/{}", form.text.len(), limits.message_bytes),
            Action::Text => format!("{} of {} bytes", form.text.len(), limits.message_bytes),
            Action::Raw => format!("{} bytes", form.text.len()),
            _ => String::new(),
        };
        let length = if dialect == DialectId::Agent { form.text.chars().count() } else { form.text.len() };
        let over = composer.action == Action::Text && length > limits.message_bytes as usize;
        let t = tokens(ui);
        let color = if over { t.red.ink } else { t.text.weak };
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if !text.is_empty() {
                ui.label(RichText::new(text).font(font::small_data()).color(color));
            }
            if composer.action == Action::Text && dialect == DialectId::WebMessaging {
                forms::attributes_toggle(ui, composer, limits);
            }
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                if ui.available_width() < 80.0 {
                    return;
                }
                if composer.is_restored(composer.action) {
                    ui.label(RichText::new("Unsent before").small().color(t.amber.ink))
                        .on_hover_text("This draft was written in an earlier session and not sent.");
                    if button(ui, None, "Discard", Weight::Quiet).clicked() {
                        composer.discard(composer.action);
                    }
                    return;
                }
                ui.add(
                    Label::new(RichText::new(composer.action.about_in(dialect)).small().color(t.text.weak)).truncate(),
                );
            });
        });
    });
    let left = composer.room - (ui.cursor().top() - composer.top) - MARGINS;
    if composer.room > 0.0 {
        // What is higher than its room is scrolled: it must not lie over the conversation.
        let left = left.max(LEAST);
        let area = ScrollArea::vertical().id_salt("form").max_height(left).min_scrolled_height(left);
        area.auto_shrink([false, true]).show(ui, |ui| forms::paint(ui, composer, view, limits, focus, acts));
    } else {
        forms::paint(ui, composer, view, limits, focus, acts);
    }
    for warning in composer.form(composer.action).warnings(composer.action, limits) {
        let t = tokens(ui);
        ui.horizontal_wrapped(|ui| {
            let (rect, _) = ui.allocate_exact_size(egui::vec2(13.0, 13.0), egui::Sense::hover());
            Icon::Warning.paint(ui.painter(), rect, t.amber.ink);
            ui.label(RichText::new(warning).small().color(t.amber.ink));
        });
    }
}

/// Why the last attempt failed; in one line where there is little room. True where it was dismissed.
fn failure(ui: &mut Ui, report: &Report, low: bool, acts: &mut Acts) -> bool {
    if !low {
        return report_card(ui, report, Tone::Red, None, true) == Some(ReportAction::Dismiss);
    }
    let mut gone = false;
    report_line(ui, report, |ui| {
        gone = icon_button(ui, Icon::Cross, "Dismiss report").clicked();
        if button(ui, None, "What to do", Weight::Quiet).clicked() {
            acts.push(Act::Open(Box::new(Dialog::Report(report.clone()))));
        }
    });
    gone
}

fn choose(ui: &mut Ui, composer: &mut Composer, actions: &[Action]) {
    let before = composer.action;
    ComboBox::new("action", "")
        .selected_text(composer.action.title())
        .width(if ui.available_width() < 420.0 { 96.0 } else { 150.0 })
        .truncate()
        .height(560.0)
        .show_ui(ui, |ui| {
            for action in actions.iter().copied() {
                let item = ui.selectable_value(&mut composer.action, action, action.title());
                if item.on_hover_text(action.about()).clicked() {
                    ui.close();
                }
            }
        })
        .response
        .accessible_name("Action");
    if composer.action != before {
        composer.failed = None;
    }
}

/// Room that [`send_button`] takes, with the gap before it.
pub(super) fn send_width(ui: &Ui, composer: &Composer) -> f32 {
    let words = if composer.reading { 150.0 } else { button_width(ui, true, composer.action.verb()) };
    words + ui.spacing().item_spacing.x
}

/// The button at the right of a form.
pub(super) fn send_button(ui: &mut Ui, composer: &Composer, session: crate::model::SessionId, acts: &mut Acts) {
    if composer.reading {
        ui.spinner();
        ui.label("Reading the file…");
        return;
    }
    let response = button(ui, Some(Icon::Send), composer.action.verb(), Weight::Primary);
    if response.on_hover_text(Cmd::Send.entry().tooltip(ui.ctx())).clicked() {
        acts.push(Act::SendDraft(session));
    }
}
