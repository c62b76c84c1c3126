//! What a deed needs to be told: whom to hand over to, which code to wrap up with, which attributes to set.

use egui::{ComboBox, RichText, TextEdit, Ui};

use super::within;
use crate::dialect::{Deed, DeskWish, Target, Wish};
use crate::model::desk::Participant;
use crate::projection::{Desk, SessionView, Talk};
use crate::ui::app::Acts;
use crate::ui::format;
use crate::ui::theme::{space, tokens};
use crate::ui::widgets::{Weight, button, button_width};

/// What is filled in for the conversation in front.
#[derive(Default)]
pub struct DeedForm {
    /// Of which conversation; another one begins anew.
    of: String,
    user: String,
    code: String,
    notes: String,
    attributes: String,
    /// The codes were asked for.
    asked: bool,
}

impl DeedForm {
    pub fn settle(&mut self, conversation: &str) {
        if self.of != conversation {
            *self = Self { of: conversation.to_owned(), ..Self::default() };
        }
    }

    /// In a menu: whom the conversation is handed to. True where it was.
    pub fn transfer(&mut self, ui: &mut Ui, view: &SessionView, desk: &Desk, talk: &Talk, acts: &mut Acts) -> bool {
        let t = tokens(ui);
        let mut done = false;
        let mut go = |to: Target, acts: &mut Acts| {
            acts.wish(view.id, within(&talk.id, Deed::Transfer { to }));
            done = true;
        };
        ui.set_min_width(230.0);
        ui.label(RichText::new("To a queue").small().color(t.text.weak));
        for queue in &desk.queues {
            let name = if queue.name.is_empty() { &queue.id } else { &queue.name };
            if ui.button(format::shown(name).as_ref()).clicked() {
                go(Target::Queue(queue.id.clone()), acts);
            }
        }
        ui.add_space(space::TIGHT);
        ui.label(RichText::new("To a user: a part of the name or address, or the id").small().color(t.text.weak));
        field(ui, TextEdit::singleline(&mut self.user).hint_text("name, address or id").desired_width(220.0), "User");
        let text = self.user.trim();
        let mut find = false;
        ui.horizontal(|ui| {
            find = button(ui, None, "Find users", Weight::Normal).clicked();
            let ready = !text.is_empty();
            let by_id = ui.add_enabled_ui(ready, |ui| button(ui, None, "Hand over to this id", Weight::Quiet)).inner;
            if by_id.clicked() {
                go(Target::User(text.to_owned()), acts);
            }
        });
        if find {
            acts.wish(view.id, Wish::Desk(DeskWish::FindUsers { text: text.to_owned() }));
        }
        let others = || desk.found.iter().flatten().filter(|user| user.id != desk.me());
        for user in others() {
            let name = if user.name.is_empty() { &user.id } else { &user.name };
            if ui.button(format::shown(name).as_ref()).on_hover_text(format::shown(&user.email).as_ref()).clicked() {
                go(Target::User(user.id.clone()), acts);
            }
        }
        if desk.found.is_some() && others().next().is_none() {
            ui.label(RichText::new("Nobody else was found.").small().color(t.text.weak));
        }
        done
    }

    /// In a menu: attributes of the guest, one per line. True where they were sent.
    pub fn attributes(&mut self, ui: &mut Ui, view: &SessionView, talk: &Talk, acts: &mut Acts) -> bool {
        let t = tokens(ui);
        ui.set_min_width(240.0);
        if let Some(known) = talk.customer().filter(|c| !c.attributes.is_empty()) {
            for (key, value) in known.attributes.iter().take(30) {
                let line = format!("{key} = {value}");
                ui.label(RichText::new(format::shown(&line).as_ref()).small().color(t.text.weak));
            }
        }
        ui.label(RichText::new("Of the guest, one on a line").small().color(t.text.weak));
        let edit = TextEdit::multiline(&mut self.attributes).desired_rows(3).hint_text("name = value");
        field(ui, edit.desired_width(230.0), "Attributes");
        let pairs = pairs(&self.attributes);
        let ready = !pairs.is_empty();
        if ui.add_enabled_ui(ready, |ui| button(ui, None, "Set attributes", Weight::Normal).clicked()).inner {
            acts.wish(view.id, within(&talk.id, Deed::Attributes { attributes: pairs }));
            self.attributes.clear();
            return true;
        }
        false
    }

    /// The wrap-up, in place: code, notes, and whether it may be skipped.
    pub fn wrap_up(
        &mut self,
        ui: &mut Ui,
        view: &SessionView,
        talk: &Talk,
        mine: &Participant,
        live: bool,
        acts: &mut Acts,
    ) {
        if live && talk.codes.is_empty() && !std::mem::replace(&mut self.asked, true) {
            acts.wish(view.id, within(&talk.id, Deed::WrapupCodes));
        }
        if self.code.is_empty() {
            self.code = talk.codes.first().map(|c| c.id.clone()).unwrap_or_default();
        }
        // One row, whatever the width: code and notes share what the buttons leave.
        let gaps = 3.0 * space::NORMAL + space::WIDE;
        let words = button_width(ui, false, "Wrap up") + button_width(ui, false, "Skip");
        let room = (ui.available_width() - words - gaps).max(120.0);
        ui.horizontal(|ui| {
            let chosen = talk.codes.iter().find(|c| c.id == self.code).map_or("no codes", |c| c.name.as_str());
            ComboBox::from_id_salt("wrapup-code")
                .selected_text(format::shown(chosen).as_ref())
                .width((room * 0.5).min(150.0))
                .truncate()
                .show_ui(ui, |ui| {
                    for code in &talk.codes {
                        ui.selectable_value(&mut self.code, code.id.clone(), format::shown(&code.name).as_ref());
                    }
                })
                .response
                .accessible_name("Wrap-up code");
            let notes = TextEdit::singleline(&mut self.notes).hint_text("notes");
            ui.add(notes.desired_width((room - (room * 0.5).min(150.0)).min(260.0) - space::NORMAL))
                .accessible_name("Wrap-up notes");
            let ready = live && !self.code.is_empty();
            if ui.add_enabled_ui(ready, |ui| button(ui, None, "Wrap up", Weight::Primary).clicked()).inner {
                let (code, notes) = (Some(self.code.clone()), self.notes.clone());
                acts.wish(view.id, within(&talk.id, Deed::WrapUp { code, notes }));
            }
            let required = mine.wrapup_prompt.as_deref().is_some_and(|p| p.eq_ignore_ascii_case("mandatory"));
            let skip = ui.add_enabled_ui(live, |ui| button(ui, None, "Skip", Weight::Quiet)).inner;
            let skip =
                if required { skip.on_hover_text("The queue makes it mandatory: this will be refused") } else { skip };
            if skip.clicked() {
                acts.wish(view.id, within(&talk.id, Deed::WrapUp { code: None, notes: String::new() }));
            }
        });
    }
}

/// A field in a menu, with the edge that fields have elsewhere.
fn field(ui: &mut Ui, edit: TextEdit<'_>, name: &str) {
    ui.scope(|ui| {
        ui.reset_style();
        ui.add(edit).accessible_name(name);
    });
}

/// `name = value` or `name: value` on each line.
fn pairs(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| line.split_once(['=', ':']))
        .map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned()))
        .filter(|(k, _)| !k.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_written_one_on_a_line() {
        assert_eq!(
            pairs("plan = gold\n tier: 2 \nnonsense\n=x\nempty="),
            [("plan", "gold"), ("tier", "2"), ("empty", "")].map(|(k, v)| (k.to_owned(), v.to_owned()))
        );
    }
}
