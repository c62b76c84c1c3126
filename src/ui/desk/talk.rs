//! The whole of a desk in a column: list, head, conversation, composer.

use egui::{CentralPanel, Frame, Margin, Panel, Rangef, RichText, Ui};

use super::{DeskPane, Face, ends, head, list, within};
use crate::dialect::{Deed, DeskWish, Wish};
use crate::model::desk::Stage;
use crate::model::environment::Limits;
use crate::projection::{Desk, SessionView};
use crate::ui::app::{Acts, Scene};
use crate::ui::composer::{self, Composer};
use crate::ui::conversation::{paint_session_head, paint_thread};
use crate::ui::theme::{radius, space, tokens};

/// Paints the desk of an agent's session. `composer` makes the composer of a conversation with its stored drafts.
#[expect(clippy::too_many_arguments, reason = "one column, all of it plain data")]
pub fn paint(
    ui: &mut Ui,
    pane: &mut DeskPane,
    view: &SessionView,
    limits: &Limits,
    want: bool,
    drafts: impl Fn(&str) -> Composer,
    scene: &Scene<'_>,
    acts: &mut Acts,
) {
    let t = tokens(ui);
    let nothing = Desk::default();
    let desk = view.desk.as_deref().unwrap_or(&nothing);
    paint_session_head(ui, view, scene, acts);
    choose_first(pane, desk);
    let width = ui.available_width();
    let side = Frame::new().inner_margin(Margin { right: 6, ..Margin::ZERO });
    Panel::left(("desk", view.id.0))
        .frame(side)
        .resizable(true)
        .default_size((width * 0.3).clamp(150.0, 230.0))
        .size_range(Rangef::new(130.0, (width * 0.45).max(140.0)))
        .show(ui, |ui| {
            list::head(ui, view, desk, head::can_work(view, scene), scene, acts);
            ui.add_space(space::TIGHT);
            let chosen = list::paint(ui, view, desk, pane.talk.as_deref(), scene, acts);
            if let Some(chosen) = chosen.filter(|c| pane.talk.as_ref() != Some(c)) {
                pane.talk = Some(chosen);
                pane.list = Default::default();
            }
        });
    let Some(talk) = pane.talk.as_deref().and_then(|id| desk.talk(id)) else {
        CentralPanel::default().frame(Frame::new().inner_margin(Margin::same(6))).show(ui, |ui| {
            ui.centered_and_justified(|ui| {
                ui.label(RichText::new("Choose a conversation at the left.").color(t.text.weak));
            });
        });
        return;
    };
    if scene.is_live(view.id) && pane.looked_at.as_deref() != Some(talk.id.as_str()) {
        pane.looked_at = Some(talk.id.clone());
        acts.wish(view.id, Wish::Desk(DeskWish::Look { conversation: talk.id.clone() }));
    }
    let stale = pane.face.as_ref().is_none_or(|f| !f.is_of(talk, view));
    if stale {
        pane.face = Some(Face::new(talk, view));
    }
    let Some(face) = &pane.face else { return };
    let speaks = matches!(desk.stage(talk), Stage::Connected | Stage::Parked);
    let live = scene.is_live(view.id);
    let composer = live.then(|| pane.composers.entry(talk.id.clone()).or_insert_with(|| drafts(&talk.id)));
    // What was written stays in view, though it cannot be said any more.
    if let Some(composer) = composer.filter(|c| speaks || c.has_draft()) {
        let frame = Frame::new()
            .fill(t.surface.raised)
            .corner_radius(radius::NORMAL)
            .inner_margin(Margin::same(8))
            .outer_margin(Margin { top: 6, ..Margin::ZERO });
        Panel::bottom(("desk-composer", view.id.0))
            .frame(frame)
            .resizable(false)
            .show_separator_line(false)
            .max_size(ui.available_height() * 0.6)
            .show(ui, |ui| {
                if !speaks {
                    let text = "You cannot speak here any more. What you wrote is kept.";
                    ui.label(RichText::new(text).small().color(t.amber.ink));
                }
                composer::paint(ui, composer, &face.view, limits, want, acts);
            });
        let told = composer.tells_typing(scene.now.mono) && scene.settings.tell_typing;
        // The platform takes none while it is parked.
        if told && desk.stage(talk) == Stage::Connected {
            let tracing = uuid::Uuid::new_v4().to_string();
            acts.wish(view.id, within(&talk.id, Deed::Typing { tracing }));
        }
    }
    let centre = Frame::new().inner_margin(Margin { left: 6, ..Margin::ZERO });
    CentralPanel::default().frame(centre).show(ui, |ui| {
        ui.shrink_clip_rect(ui.max_rect());
        head::paint(ui, view, desk, talk, &mut pane.form, &mut pane.ends, scene, acts);
        ui.add_space(space::TIGHT);
        match scene.board.ends.of(view.id, Some(&talk.id)).filter(|_| pane.ends) {
            Some(pair) => ends::paint(ui, &mut pane.pane, pair, scene, acts),
            None => paint_thread(ui, &mut pane.list, &face.view, scene, acts),
        }
    });
}

/// The conversation in front stays; where there is none, the newest that can be worked on is.
fn choose_first(pane: &mut DeskPane, desk: &Desk) {
    let known = pane.talk.as_deref().is_some_and(|id| desk.talk(id).is_some());
    if known {
        return;
    }
    let first = desk.talks.iter().rev().find(|t| desk.stage(t) != Stage::Ended).or(desk.talks.last());
    pane.talk = first.map(|t| t.id.clone());
    pane.list = Default::default();
}
