//! The whole of a desk in a column: list, head, conversation, composer.

use egui::{CentralPanel, Frame, Margin, Panel, Rangef, Rect, RichText, Ui};

use super::{DeskPane, Face, ends, head, list, status, within};
use crate::dialect::{Deed, DeskWish, Wish};
use crate::model::desk::Stage;
use crate::model::environment::Limits;
use crate::projection::{Desk, SessionView};
use crate::ui::app::{Acts, Scene};
use crate::ui::composer::{self, Composer};
use crate::ui::conversation::{paint_session_head, paint_slim_head, paint_thread};
use crate::ui::theme::{radius, space, tokens};

/// Narrower than this, the conversations stand behind a button instead of at the left.
const NARROW: f32 = 480.0;
/// Lower than this, all that can be done stands behind a button too.
const LOW: f32 = 300.0;

/// Paints the desk of an agent's session. `drafts` makes the composer of a conversation with its stored drafts. Gives
/// where the composer lies.
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
) -> Option<Rect> {
    let t = tokens(ui);
    let nothing = Desk::default();
    let desk = view.desk.as_deref().unwrap_or(&nothing);
    choose_first(pane, desk);
    let (width, height) = (ui.available_width(), ui.available_height());
    let low = height < LOW;
    // Where it is low, a list at the left would leave its room unused.
    let narrow = width < if low { NARROW + 120.0 } else { NARROW };
    let can_work = head::can_work(view, scene);
    if narrow {
        paint_slim_head(ui, view, scene, acts, |ui, acts| status::slim(ui, view, desk, can_work, acts));
    } else {
        paint_session_head(ui, view, scene, acts);
        let side = Frame::new().inner_margin(Margin { right: 6, ..Margin::ZERO });
        Panel::left(("desk", view.id.0))
            .frame(side)
            .resizable(true)
            .default_size((width * 0.3).clamp(150.0, 230.0))
            .size_range(Rangef::new(130.0, (width * 0.45).max(140.0)))
            .show(ui, |ui| {
                status::paint(ui, view, desk, can_work, scene.shown_at.mono, acts);
                ui.add_space(space::TIGHT);
                if let Some(chosen) = list::paint(ui, view, desk, pane.talk.as_deref(), scene, acts) {
                    pane.bring(chosen);
                }
            });
    }
    let Some(talk) = pane.talk.as_deref().and_then(|id| desk.talk(id)) else {
        CentralPanel::default().frame(Frame::new().inner_margin(Margin::same(6))).show(ui, |ui| {
            ui.centered_and_justified(|ui| {
                let text = match (narrow, desk.talks.is_empty()) {
                    (true, _) => list::nothing(desk),
                    (false, true) => "No conversation yet.",
                    (false, false) => "Choose a conversation at the left.",
                };
                ui.label(RichText::new(text).color(t.text.weak));
            });
        });
        return None;
    };
    if scene.is_live(view.id) && pane.looked_at.as_deref() != Some(talk.id.as_str()) {
        pane.looked_at = Some(talk.id.clone());
        acts.wish(view.id, Wish::Desk(DeskWish::Look { conversation: talk.id.clone() }));
    }
    let stale = pane.face.as_ref().is_none_or(|f| !f.is_of(talk, view));
    if stale {
        pane.face = Some(Face::new(talk, view));
    }
    let face = pane.face.as_ref()?;
    let mut at = None;
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
        let panel = Panel::bottom(("desk-composer", view.id.0))
            .frame(frame)
            .resizable(false)
            .show_separator_line(false)
            .max_size(composer::most(height))
            .show(ui, |ui| {
                if !speaks {
                    let text = "You cannot speak here any more. What you wrote is kept.";
                    ui.label(RichText::new(text).small().color(t.amber.ink));
                }
                composer.utc = scene.settings.utc;
                composer.room = composer::most(height);
                composer::paint(ui, composer, &face.view, limits, want, acts);
            });
        at = Some(panel.response.rect);
        let told = composer.tells_typing(scene.now.mono) && scene.settings.tell_typing;
        // The platform takes none while it is parked.
        if told && desk.stage(talk) == Stage::Connected {
            let tracing = uuid::Uuid::new_v4().to_string();
            acts.wish(view.id, within(&talk.id, Deed::Typing { tracing }));
        }
    }
    let centre = Frame::new().inner_margin(Margin { left: if narrow { 0 } else { 6 }, ..Margin::ZERO });
    let mut chosen = None;
    CentralPanel::default().frame(centre).show(ui, |ui| {
        ui.shrink_clip_rect(ui.max_rect());
        let front = head::Front { view, desk, talk, scene, narrow, low };
        chosen = head::paint(ui, &front, &mut pane.form, &mut pane.ends, acts);
        ui.add_space(space::TIGHT);
        match scene.board.ends.of(view.id, Some(&talk.id)).filter(|_| pane.ends) {
            Some(pair) => ends::paint(ui, &mut pane.pane, pair, scene, acts),
            None => paint_thread(ui, &mut pane.list, &face.view, scene, acts),
        }
    });
    if let Some(chosen) = chosen {
        pane.bring(chosen);
    }
    at
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
