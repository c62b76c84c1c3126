//! One conversation in view: its head, its banners, the list.

use egui::{Frame, Label, Margin, RichText, Ui};

use super::{ConversationList, names};
use crate::dialect::Wish;
use crate::model::UNVERIFIED;
use crate::model::fact::{End, SessionState};
use crate::projection::SessionView;
use crate::ui::app::{Act, Acts, Scene};
use crate::ui::commands::Cmd;
use crate::ui::dialogs::Dialog;
use crate::ui::format;
use crate::ui::rail::{session_menu, state_mark};
use crate::ui::theme::{font, radius, space, tokens};
use crate::ui::widgets::{Icon, Tone, Weight, badge, button, icon_button};

/// In a column narrower than this, a fault is told by its title.
const NARROW: f32 = 480.0;

/// Head and list of a session; the composer is painted apart.
pub fn paint(ui: &mut Ui, list: &mut ConversationList, view: &SessionView, scene: &Scene<'_>, acts: &mut Acts) {
    session_head(ui, view, scene, acts);
    ui.add_space(space::TIGHT);
    thread(ui, list, view, scene, acts);
}

/// Name, state, ids and what stops the session.
pub fn session_head(ui: &mut Ui, view: &SessionView, scene: &Scene<'_>, acts: &mut Acts) {
    head(ui, view, scene, acts, |ui, _| environment(ui, view));
    names::paint(ui, view, scene, acts);
    banner(ui, view, scene, acts);
    fault(ui, view, scene, acts);
}

/// The same in one line, with `more` beside the name. The ids stand in the final report.
pub fn slim_head(
    ui: &mut Ui,
    view: &SessionView,
    scene: &Scene<'_>,
    acts: &mut Acts,
    more: impl FnOnce(&mut Ui, &mut Acts),
) {
    head(ui, view, scene, acts, more);
    banner(ui, view, scene, acts);
    fault(ui, view, scene, acts);
}

/// The bubbles.
pub fn thread(ui: &mut Ui, list: &mut ConversationList, view: &SessionView, scene: &Scene<'_>, acts: &mut Acts) {
    if view.conversation.entries.is_empty() && view.conversation.older == 0 {
        ui.centered_and_justified(|ui| {
            let t = tokens(ui);
            let text = match &view.state {
                None | Some(SessionState::New) => "Not connected yet.",
                Some(SessionState::Ready) => "Connected. Write the first message below.",
                Some(SessionState::Ended(_)) => "Nothing was said.",
                _ => "Connecting…",
            };
            ui.label(RichText::new(text).color(t.text.weak));
        });
        return;
    }
    list.paint(ui, view, scene, acts);
}

fn head(ui: &mut Ui, view: &SessionView, scene: &Scene<'_>, acts: &mut Acts, more: impl FnOnce(&mut Ui, &mut Acts)) {
    ui.horizontal(|ui| {
        ui.set_height(space::CONTROL);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            session_menu(ui, view, scene, acts);
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                let (icon, word, tone) = state_mark(view, scene.situation.saved);
                let name = scene.book.name(view);
                let badges = if view.dialect().is_verified() { 100.0 } else { 190.0 };
                let room = (ui.available_width() - badges).max(40.0);
                ui.scope(|ui| {
                    ui.set_max_width(room);
                    ui.add(Label::new(RichText::new(format::shown(&name)).font(font::title())).truncate());
                });
                badge(ui, Some(icon), word, tone);
                if !view.dialect().is_verified() {
                    badge(ui, Some(Icon::Warning), "unverified", Tone::Amber)
                        .on_hover_text(format!("{}: {UNVERIFIED}", view.dialect().title()));
                }
                more(ui, acts);
            });
        });
    });
}

fn environment(ui: &mut Ui, view: &SessionView) {
    if let Some(start) = view.start.as_ref().filter(|_| ui.available_width() > 60.0) {
        let t = tokens(ui);
        ui.add(Label::new(RichText::new(&start.environment).small().color(t.text.weak)).truncate());
    }
}

/// What stops the guest from writing, and the way out.
fn banner(ui: &mut Ui, view: &SessionView, scene: &Scene<'_>, acts: &mut Acts) {
    let live = scene.is_live(view.id);
    if let Some(SessionState::Ended(end)) = &view.state {
        strip(ui, Icon::Unplug, &format!("Ended: {}.", end.sentence()), Tone::Dead, |ui| {
            // With an expired token the server would only refuse again.
            let dead = *end == End::Expired;
            if live && dead && button(ui, Some(Icon::Plus), "New session", Weight::Normal).clicked() {
                acts.run(Cmd::NewSession);
            }
            if live && !dead && button(ui, Some(Icon::Plug), "Connect again", Weight::Normal).clicked() {
                acts.wish(view.id, Wish::Connect);
            }
            if view.state_seq > 0 && button(ui, None, "Show record", Weight::Quiet).clicked() {
                acts.push(Act::Select(vec![view.state_seq]));
            }
        });
    } else if view.conversation.read_only || view.state == Some(SessionState::ReadOnly) {
        strip(ui, Icon::Lock, "Read-only: the server refuses messages in this conversation.", Tone::Amber, |ui| {
            if live && button(ui, None, "Start new", Weight::Primary).clicked() {
                acts.wish(view.id, Wish::StartNew);
            }
        });
    } else if let Some(SessionState::Reconnecting { attempt, at }) = &view.state {
        let left = at.micros_since(scene.now.wall).max(0) as u64;
        let next = if left > 0 { left % 1_000_000 + 1_000 } else { 1_000_000 };
        ui.ctx().request_repaint_after(std::time::Duration::from_micros(next));
        let text = format!("Connection lost. Try {attempt} in {} s.", left.div_ceil(1_000_000));
        strip(ui, Icon::Refresh, &text, Tone::Amber, |_| {});
    }
}

/// The newest fault that nobody has read, unless the session has got over it: it came to another state, or a message
/// arrived after it.
fn fault(ui: &mut Ui, view: &SessionView, scene: &Scene<'_>, acts: &mut Acts) {
    let Some((seq, report)) = view.faults.last() else { return };
    let ended = view.state.as_ref().is_some_and(SessionState::is_ended);
    let read = scene.book.list().read_faults.get(&view.id).is_some_and(|read| read >= seq);
    if read || (!ended && (*seq < view.state_seq || view.delivered_seq > *seq)) {
        return;
    }
    ui.add_space(space::HAIR);
    // Beside the buttons a whole sentence would become a tower; they lead to it.
    let text = match ui.available_width() < NARROW {
        true => report.title.clone(),
        false => format!("{}: {}", report.title, report.what),
    };
    strip(ui, Icon::Warning, &text, Tone::Red, |ui| {
        if icon_button(ui, Icon::Cross, "Dismiss fault").clicked() {
            acts.push(Act::FaultRead(view.id, *seq));
        }
        if button(ui, None, "Show record", Weight::Quiet).clicked() {
            acts.push(Act::Select(vec![*seq]));
        }
        if button(ui, None, "What to do", Weight::Quiet).clicked() {
            acts.push(Act::Open(Box::new(Dialog::Report(report.as_ref().clone()))));
        }
    });
}

fn strip(ui: &mut Ui, icon: Icon, text: &str, tone: Tone, buttons: impl FnOnce(&mut Ui)) {
    let (ink, tint) = (tone.ink(ui), tone.tint(ui));
    Frame::new().fill(tint).corner_radius(radius::NORMAL).inner_margin(Margin::symmetric(8, 4)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal(|ui| {
            super::lines::mark(ui, icon, ink);
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                buttons(ui);
                ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                    ui.add(Label::new(RichText::new(text).color(ink)).wrap());
                });
            });
        });
    });
}
