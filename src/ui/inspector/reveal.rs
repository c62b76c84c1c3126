//! Text in which secrets were replaced: chips in their places, and the values once they were asked for.

use std::collections::HashMap;

use egui::{Color32, Label, RichText, Ui};

use super::host::{InspectorEvent, InspectorHost};
use super::placeholder;
use crate::model::Secret;
use crate::ui::theme::{font, tokens};
use crate::ui::widgets::{Icon, format, icon_button, placeholder_chip};

/// What was revealed. It goes with the selection.
#[derive(Default)]
pub(super) struct Revealed {
    values: HashMap<String, Secret<String>>,
}

/// What every tab that shows data needs: what was revealed, whom to ask for more, and where to say what was asked.
pub(super) struct Desk<'a> {
    pub revealed: &'a mut Revealed,
    pub host: &'a mut dyn InspectorHost,
    pub events: &'a mut Vec<InspectorEvent>,
}

impl Desk<'_> {
    /// One line of data with its placeholders as chips.
    pub fn line(&mut self, ui: &mut Ui, text: &str, ink: Color32) {
        let mut from = 0;
        for range in placeholder::find(text) {
            part(ui, &text[from..range.start], ink);
            self.stand_in(ui, &text[range.clone()]);
            from = range.end;
        }
        part(ui, &text[from..], ink);
    }

    fn stand_in(&mut self, ui: &mut Ui, name: &str) {
        let t = tokens(ui);
        if let Some(secret) = self.revealed.values.get(name) {
            let rich = RichText::new(secret.expose().as_str()).font(font::data()).color(t.placeholder.ink);
            ui.add(Label::new(rich).truncate().selectable(true));
            if icon_button(ui, Icon::Copy, &format!("Copy the value of {name}")).clicked() {
                self.events.push(InspectorEvent::CopySecret(name.to_owned()));
            }
            if icon_button(ui, Icon::Lock, &format!("Hide {name}")).clicked() {
                self.revealed.values.remove(name);
            }
            return;
        }
        let chip = placeholder_chip(ui, name).on_hover_text("A secret that was replaced. Right click for more");
        let mut ask = icon_button(ui, Icon::Eye, &format!("Reveal {name}")).clicked();
        chip.context_menu(|ui| {
            if ui.button("Reveal until something else is selected").clicked() {
                ask = true;
                ui.close();
            }
            if ui.button("Filter by this placeholder").clicked() {
                self.events.push(InspectorEvent::FilterBy(super::tree::quote(name)));
                ui.close();
            }
        });
        if ask && let Some(secret) = self.host.reveal(name) {
            self.revealed.values.insert(name.to_owned(), secret);
        }
    }
}

fn part(ui: &mut Ui, text: &str, ink: Color32) {
    if text.is_empty() {
        return;
    }
    let shown = format::visible_controls(text);
    let shown = if shown.contains('\n') { shown.replace('\n', " ↵ ") } else { shown.into() };
    ui.add(Label::new(RichText::new(shown).font(font::data()).color(ink)).truncate().selectable(true));
}
