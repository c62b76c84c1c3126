//! Conversations that ring for an agent and stand in no column: said in the bar over everything, one click away.

use std::time::Duration;

use egui::accesskit::Live;
use egui::{Rect, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::app::{Acts, Scene};
use super::commands::Cmd;
use super::format;
use super::theme::{font, radius, space, tokens};
use super::widgets::{format as figures, paint_ring};
use crate::model::SessionId;
use crate::model::desk::Stage;
use crate::projection::{Board, ClockPhase, ClockView, SessionView};

/// Longest name of a guest in the bar.
const NAME: usize = 18;

/// A conversation that rings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ringing {
    pub session: SessionId,
    pub talk: String,
    pub guest: String,
    /// It stands in a column; there, its head says so.
    pub in_view: bool,
}

/// What rings, the longest first. `in_view` says of a conversation that it stands in a column.
pub fn ringing(
    board: &Board,
    is_live: impl Fn(SessionId) -> bool,
    in_view: impl Fn(SessionId, &str) -> bool,
) -> Vec<Ringing> {
    let desks = board.sessions.iter().filter(|s| is_live(s.id)).filter_map(|s| Some((s.id, s.desk.as_ref()?)));
    desks
        .flat_map(|(session, desk)| {
            let rings = desk.talks.iter().filter(|talk| desk.stage(talk) == Stage::Alerting);
            rings.map(move |talk| (session, talk))
        })
        .map(|(session, talk)| Ringing {
            session,
            talk: talk.id.clone(),
            guest: talk.title().to_owned(),
            in_view: in_view(session, &talk.id),
        })
        .collect()
}

/// The clock of an alert.
pub fn clock<'a>(view: &'a SessionView, talk: &str) -> Option<&'a ClockView> {
    view.clocks.iter().find(|c| c.fact.id.strip_prefix("alert:") == Some(talk))
}

/// Paints what rings out of view; nothing where nothing does.
pub fn paint(ui: &mut Ui, scene: &Scene<'_>, narrow: bool, acts: &mut Acts) {
    let mut out = scene.ringing.iter().filter(|r| !r.in_view);
    let Some(first) = out.next() else { return };
    let more = out.count();
    let Some(view) = scene.board.session(first.session) else { return };
    let guest: String = format::shown(&first.guest).chars().take(NAME).collect();
    let agent = scene.book.name(view);
    let name = match more {
        0 => format!("{guest} rings for {agent}. Go there"),
        _ => format!("{guest} rings for {agent}, and {more} more. Go there"),
    };
    let word = match (more, narrow) {
        (0, true) => "rings".to_owned(),
        (0, false) => format!("{guest} rings"),
        (_, true) => format!("{} ring", more + 1),
        _ => format!("{} conversations ring", more + 1),
    };
    if chip(ui, view, clock(view, &first.talk), &word, &name, scene).clicked() {
        acts.run(Cmd::GoToRinging);
    }
}

fn chip(
    ui: &mut Ui,
    view: &SessionView,
    clock: Option<&ClockView>,
    word: &str,
    name: &str,
    scene: &Scene<'_>,
) -> egui::Response {
    let t = tokens(ui);
    let server = view.server_now(scene.shown_at);
    let left = clock.and_then(|c| c.left(server)).map_or_else(String::new, figures::countdown);
    let ink = t.amber.ink;
    let word = ui.painter().layout_no_wrap(word.to_owned(), font::strong(), ink);
    let left = ui.painter().layout_no_wrap(left, font::data(), ink);
    let ring = 16.0;
    let width = 2.0 * space::NORMAL + ring + 2.0 * space::SMALL + word.size().x + left.size().x;
    let (rect, response) = ui.allocate_exact_size(vec2(width, space::CONTROL), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name));
    // Said at once, whatever has the keyboard.
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_live(Live::Assertive));
    ui.ctx().request_repaint_after(Duration::from_millis(500));
    let painter = ui.painter();
    let edge = if response.hovered() { t.line.strong } else { ink };
    painter.rect(rect, radius::ROUND, t.amber.tint, (1.0, edge), StrokeKind::Inside);
    if response.has_focus() {
        painter.rect_stroke(rect, radius::ROUND, (2.0, t.focus), StrokeKind::Inside);
    }
    let mid = rect.center().y;
    let mut x = rect.left() + space::NORMAL;
    let spot = Rect::from_center_size(pos2(x + ring / 2.0, mid), Vec2::splat(ring));
    let (share, phase) = clock.map_or((1.0, ClockPhase::Fine), |c| (c.share(server), c.phase(server)));
    paint_ring(painter, spot, share, phase, Stroke::new(2.5, t.line.normal), ink);
    x += ring + space::SMALL;
    for galley in [word, left] {
        let size = galley.size();
        painter.galley(pos2(x, mid - size.y / 2.0), galley, ink);
        x += size.x + space::SMALL;
    }
    response.on_hover_text(format!("{name}.\n{}", Cmd::GoToRinging.entry().tooltip(ui.ctx())))
}
