//! The head of the conversation in front: whose it is, how far it is, and what can be done.

use egui::{Label, Popup, PopupCloseBehavior, RichText, Ui};

use super::form::DeedForm;
use super::list::{small_clock, stage_mark};
use super::within;
use crate::dialect::Deed;
use crate::model::desk::Stage;
use crate::model::fact::SessionState;
use crate::projection::{Desk, LOOKED_UP_WITHIN, SessionView, Talk};
use crate::ui::app::{Act, Acts, Scene};
use crate::ui::format;
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{Icon, Weight, badge, button, icon_button};

/// Deeds reach the platform: the session is live and not over.
pub fn can_work(view: &SessionView, scene: &Scene<'_>) -> bool {
    scene.is_live(view.id) && !view.state.as_ref().is_some_and(SessionState::is_ended)
}

/// The conversation in front, and how much room there is for it.
pub struct Front<'a> {
    pub view: &'a SessionView,
    pub desk: &'a Desk,
    pub talk: &'a Talk,
    pub scene: &'a Scene<'a>,
    /// The list of conversations stands behind a button.
    pub narrow: bool,
    /// What can be done stands behind a button.
    pub low: bool,
}

impl Front<'_> {
    fn deed(&self, acts: &mut Acts, deed: Deed) {
        acts.wish(self.view.id, within(&self.talk.id, deed));
    }
}

/// Gives the conversation that was chosen instead.
pub fn paint(ui: &mut Ui, front: &Front<'_>, form: &mut DeedForm, ends: &mut bool, acts: &mut Acts) -> Option<String> {
    let Front { view, desk, talk, scene, .. } = *front;
    let live = can_work(view, scene);
    form.settle(&talk.id);
    let mine = talk.of_user(desk.me());
    let stage = mine.map_or(Stage::Unknown, |p| p.state);
    let speaks = matches!(stage, Stage::Connected | Stage::Parked);
    let mut chosen = None;
    ui.horizontal(|ui| {
        ui.set_height(space::CONTROL);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            more(ui, view, talk, live, acts);
            super::ends::toggle(ui, ends, scene.board.ends.of(view.id, Some(&talk.id)).is_some());
            if front.low && speaks {
                let response = button(ui, Some(Icon::ChevronDown), "Deeds", Weight::Normal);
                let response = response.on_hover_text("Hold, park, transfer, attributes, disconnect");
                menu(&response, |ui| all_deeds(ui, front, form, live, acts));
            }
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                let room = (ui.available_width() - 120.0).max(40.0);
                if front.narrow {
                    chosen = super::list::chooser(ui, view, desk, talk, room, scene, acts);
                } else {
                    ui.scope(|ui| {
                        ui.set_max_width(room);
                        let title = format::shown(talk.title());
                        ui.add(Label::new(RichText::new(title.as_ref()).font(font::title())).truncate());
                    });
                }
                let (icon, word, tone) = stage_mark(desk, talk);
                badge(ui, Some(icon), word, tone);
            });
        });
    });
    if talk.is_kept_waiting(scene.shown_at.mono) {
        let text = format!("{} still without text: look-ups wait for their budget", talk.without_text);
        ui.label(RichText::new(text).small().color(tokens(ui).text.weak));
    } else if talk.without_text > 0 {
        ui.ctx().request_repaint_after(LOOKED_UP_WITHIN);
    }
    let clock = |name: &str| view.clocks.iter().find(|c| c.fact.id.strip_prefix(name) == Some(talk.id.as_str()));
    match stage {
        Stage::Alerting | Stage::Coming => {
            ui.horizontal_wrapped(|ui| {
                if ui
                    .add_enabled_ui(live, |ui| button(ui, Some(Icon::Check), "Answer", Weight::Primary))
                    .inner
                    .clicked()
                {
                    front.deed(acts, Deed::Answer);
                }
                if let Some(clock) = clock("alert:") {
                    small_clock(ui, clock, view, scene, "rings on for");
                }
            });
        }
        Stage::Connected | Stage::Parked if front.low => {}
        Stage::Connected | Stage::Parked => {
            // One row, also with the longer words of what is undone.
            let usual = stage == Stage::Connected && mine.is_none_or(|p| p.held != Some(true));
            let icon = (usual && !front.narrow).then_some(Icon::ChevronDown);
            ui.add_enabled_ui(live, |ui| {
                ui.horizontal_wrapped(|ui| {
                    ui.spacing_mut().item_spacing.x = space::TIGHT;
                    hold_and_park(ui, front, acts);
                    let response = button(ui, icon, "Transfer", Weight::Normal);
                    menu(&response, |ui| form.transfer(ui, view, desk, talk, acts));
                    let response = button(ui, icon, "Attributes", Weight::Normal);
                    menu(&response, |ui| form.attributes(ui, view, talk, acts));
                    if !desk.replies.is_empty() {
                        let response = button(ui, icon, "Replies", Weight::Normal);
                        Popup::menu(&response).show(|ui| replies(ui, desk, acts));
                    }
                    if button(ui, None, "Disconnect", Weight::Normal).clicked() {
                        front.deed(acts, Deed::Disconnect);
                    }
                });
            });
        }
        Stage::Ended => {
            if let Some(mine) = mine.filter(|p| p.can_wrap_up()) {
                if let Some(clock) = clock("wrapup:") {
                    ui.horizontal(|ui| small_clock(ui, clock, view, scene, "wrap-up is made in"));
                }
                form.wrap_up(ui, view, talk, mine, live, acts);
            }
        }
        Stage::Unknown => {}
    }
    chosen
}

fn hold_and_park(ui: &mut Ui, front: &Front<'_>, acts: &mut Acts) {
    let mine = front.talk.of_user(front.desk.me());
    let held = mine.is_some_and(|p| p.held == Some(true));
    let parked = mine.is_some_and(|p| p.state == Stage::Parked);
    if button(ui, None, if held { "Take off hold" } else { "Hold" }, Weight::Normal).clicked() {
        front.deed(acts, Deed::Hold { on: !held });
    }
    if button(ui, None, if parked { "Take back" } else { "Park" }, Weight::Normal).clicked() {
        front.deed(acts, Deed::Park { on: !parked });
    }
}

/// In a menu, where there is no room for a row of buttons. True where one of them was done.
fn all_deeds(ui: &mut Ui, front: &Front<'_>, form: &mut DeedForm, live: bool, acts: &mut Acts) -> bool {
    let Front { view, desk, talk, .. } = *front;
    let before = acts.0.len();
    let t = tokens(ui);
    let head = |ui: &mut Ui, text: &str| ui.label(RichText::new(text).font(font::small_strong()).color(t.text.weak));
    ui.set_min_width(250.0);
    ui.add_enabled_ui(live, |ui| {
        ui.horizontal(|ui| {
            hold_and_park(ui, front, acts);
            if button(ui, None, "Disconnect", Weight::Normal).clicked() {
                front.deed(acts, Deed::Disconnect);
            }
        });
        egui::ScrollArea::vertical().max_height(230.0).show(ui, |ui| {
            head(ui, "Transfer");
            form.transfer(ui, view, desk, talk, acts);
            head(ui, "Attributes");
            form.attributes(ui, view, talk, acts);
            if !desk.replies.is_empty() {
                head(ui, "Replies");
                replies(ui, desk, acts);
            }
        });
    });
    acts.0.len() > before
}

/// A menu that stays open while something is typed into it.
fn menu(response: &egui::Response, add: impl FnOnce(&mut Ui) -> bool) {
    Popup::menu(response).close_behavior(PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
        if add(ui) {
            ui.close();
        }
    });
}

fn replies(ui: &mut Ui, desk: &Desk, acts: &mut Acts) {
    ui.set_min_width(220.0);
    for reply in &desk.replies {
        let entry = ui.button(format::shown(&reply.name).as_ref()).on_hover_text(format::shown(&reply.text).as_ref());
        if entry.clicked() {
            acts.push(Act::Insert(reply.text.clone()));
            ui.close();
        }
    }
}

fn more(ui: &mut Ui, view: &SessionView, talk: &Talk, live: bool, acts: &mut Acts) {
    let response = icon_button(ui, Icon::More, "More about this conversation");
    Popup::menu(&response).show(|ui| {
        ui.set_min_width(210.0);
        if ui.add_enabled(live, egui::Button::new("Read it again by REST")).clicked() {
            acts.wish(view.id, within(&talk.id, Deed::Reload));
        }
        if ui.button("Copy the conversation's id").clicked() {
            acts.push(Act::Copy(talk.id.clone()));
        }
        if ui.button("Filter the records by it").clicked() {
            acts.push(Act::Filter(format!("\"{}\"", talk.id)));
        }
        if ui.add_enabled(live, egui::Button::new("End it for everybody")).clicked() {
            acts.wish(view.id, within(&talk.id, Deed::End));
        }
    });
}
