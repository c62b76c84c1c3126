//! Where the parts of the window stand.

use egui::{CentralPanel, Frame, Margin, Panel, Rangef, Ui, UiBuilder};

use super::columns::{self, Work};
use super::keys::{Keyboard, take};
use super::{Acts, App, Scene, notices};
use crate::model::SessionId;
use crate::ui::dialogs::{self, Dialog};
use crate::ui::settings::LowerPane;
use crate::ui::theme::tokens;
use crate::ui::trouble::Trouble;
use crate::ui::widgets::segmented;
use crate::ui::{clock_strip, first_run, rail, status_bar, toolbar};

/// With less room under the clocks than this, the conversation needs it more than the records do.
const LOW: f32 = 420.0;
/// Height of that bar.
const FOLDED: f32 = 33.0;

/// What the lower pane can show.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lower {
    Of(LowerPane),
    /// In a narrow window, where it has no pane of its own.
    Inspector,
}

impl App {
    /// Paints the window and carries out what came of it.
    pub(super) fn paint(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        self.style(&ctx);
        let board = self.log().board();
        self.settle_columns(&board);
        let mut acts = Acts::default();
        let over = self.dialog.is_some() || self.confirm.is_some() || self.path.is_some();
        for cmd in take(&ctx, Keyboard::of(&ctx, over)) {
            acts.run(cmd);
        }
        self.remember_window(&ctx);
        self.mark_read(&board);
        self.listen(&board);
        self.window(ui, &board, over, &mut acts);
        self.perform(acts.0, &board, &ctx);
    }

    /// Columns show sessions that are there; the first one that is made is shown by itself.
    fn settle_columns(&mut self, board: &crate::projection::Board) {
        for column in &mut self.columns {
            if column.session.is_some_and(|id| self.book.list().closed.contains(&id)) {
                column.session = None;
            }
        }
        let others: Vec<SessionId> = self.columns.iter().skip(1).filter_map(|c| c.session).collect();
        let first = self.book.listed(board).iter().map(|s| s.id).find(|id| !others.contains(id));
        if let Some(column) = self.columns.first_mut()
            && column.session.is_none()
        {
            column.session = first;
        }
        // One session is shown once.
        if self.columns.len() > 1 && self.columns.first().is_some_and(|c| c.session.is_none()) && !others.is_empty() {
            self.columns.remove(0);
            self.settings.panes.split = self.columns.len() > 1;
        }
        self.focus = self.focus.min(self.columns.len().saturating_sub(1));
    }

    fn window(&mut self, ui: &mut Ui, board: &crate::projection::Board, over: bool, acts: &mut Acts) {
        let now = self.clock.now();
        let situation = self.situation(board);
        let log = self.saved_log.as_deref().unwrap_or(self.live_log.as_ref());
        let (status, behind) = (log.status(), log.behind());
        let live = if situation.saved { self.live_log.status() } else { status.clone() };
        self.book.capture_failed.clone_from(&live.failed);
        let mut panes = self.settings.panes.clone();
        let mut edited = matches!(self.dialog, Some(Dialog::Settings)).then(|| self.settings.clone());
        let session = self.columns.get(self.focus).and_then(|c| c.session).and_then(|id| board.session(id));
        if let Some(view) = session.filter(|_| !situation.saved) {
            self.book.learn_sandbox_name(view);
        }
        let scene = Scene {
            board,
            book: &self.book,
            settings: &self.settings,
            now,
            shown_at: if situation.saved { board.at } else { now },
            situation,
            session: session.map(AsRef::as_ref),
            selection: &self.selection,
            captures: self.captures.as_deref(),
            folder_size: self.folder_size,
            mask: self.mask.as_ref(),
            audit: self.audit.as_ref(),
            ringing: &self.ringing,
        };
        let t = tokens(ui);
        let bar = Frame::new().fill(t.surface.raised).inner_margin(Margin::symmetric(10, 3));
        Panel::top("toolbar").frame(bar).resizable(false).show(ui, |ui| {
            toolbar::paint(ui, &scene, self.live_log.file(), acts);
        });
        let audit = self.audit.as_ref().and_then(|a| a.trouble());
        let trouble = Trouble { live: &live, shown: &status, known: self.known_lost, audit };
        if trouble.is_any() {
            let frame = Frame::new().fill(t.surface.ground).inner_margin(Margin::symmetric(10, 4));
            Panel::top("trouble").frame(frame).resizable(false).show(ui, |ui| trouble.paint(ui, &scene, acts));
        }
        let mut tour_over = false;
        if let Some(tour) = &mut self.tour {
            let frame = Frame::new().fill(t.surface.raised).inner_margin(Margin::symmetric(10, 6));
            let panel = Panel::top("tour").frame(frame).resizable(false);
            panel.show(ui, |ui| tour_over = tour.paint(ui, now, acts));
        }
        let empty = self.book.listed(board).is_empty();
        self.composer_rects.clear();
        // Records of sessions that were closed, and of what belongs to none, stay in view.
        let bare = empty && status.records == 0;
        if !empty {
            let strip = Frame::new().fill(t.surface.ground).inner_margin(Margin::symmetric(10, 3));
            Panel::top("clocks").frame(strip).resizable(false).show(ui, |ui| clock_strip::paint(ui, &scene, acts));
        }
        let foot = Frame::new().fill(t.surface.raised).inner_margin(Margin::symmetric(10, 2));
        Panel::bottom("status").frame(foot).resizable(false).show(ui, |ui| {
            status_bar::paint(ui, &scene, &status, live.not_kept, behind, acts);
        });
        let ground = Frame::new().fill(t.surface.ground).inner_margin(Margin::same(10));
        if bare {
            CentralPanel::default().frame(ground).show(ui, |ui| first_run::paint(ui, &scene, acts));
        } else {
            let size = ui.available_size();
            // Of the window, not of what is left: the first frame may come before there is a session, and so before the
            // clocks.
            let whole = ui.ctx().content_rect().height();
            // Too narrow for three columns: records and inspector share the lower pane.
            let narrow = size.x < 900.0;
            let rail_frame = Frame::new().fill(t.surface.ground).inner_margin(Margin::symmetric(8, 8));
            let panel = Panel::left("rail").frame(rail_frame);
            let range = Rangef::new(130.0, (size.x * 0.3).max(140.0));
            let usual = panes.rail.min(size.x * 0.24);
            pane(ui, panel, "rail", range, (usual, &mut panes.rail), |ui| rail::paint(ui, &scene, acts));
            if panes.show_inspector && !narrow {
                let frame = Frame::new().fill(t.surface.ground).inner_margin(Margin::same(8));
                let panel = Panel::right("inspector").frame(frame);
                let range = Rangef::new(220.0, (size.x * 0.5).max(240.0));
                let usual = panes.inspector.min(size.x * 0.28);
                pane(ui, panel, "inspector", range, (usual, &mut panes.inspector), |ui| {
                    self.inspector.paint(ui, log.reader(), &scene, acts);
                });
            }
            if panes.show_records {
                // Two conversations, or a desk, need the room more than the records do: in a low window those fold to
                // their bar, from which they can be drawn up.
                let busy = self.columns.len() > 1 || session.is_some_and(|v| v.desk.is_some());
                let folded = busy && size.y < LOW;
                let mut unkept = panes.records;
                let frame = Frame::new().fill(t.surface.ground).inner_margin(Margin::symmetric(8, 6));
                let usual = panes.records.min((whole * if narrow && !busy { 0.43 } else { 0.31 }).round());
                let panel =
                    Panel::bottom(if folded { "records folded" } else { "records" }).frame(frame).resizable(true);
                let usual = if folded { FOLDED } else { usual };
                // The conversation keeps room for its composer and a few bubbles.
                let (room, share) = match (busy, size.y < LOW) {
                    (true, _) => (400.0, 0.25),
                    (false, true) => (330.0, 0.4),
                    (false, false) => (330.0, 0.5),
                };
                let most = (size.y * 0.7).min((size.y - room).max(size.y * share));
                let range = match folded {
                    true => Rangef::new(FOLDED, (size.y * 0.5).max(FOLDED)),
                    false => Rangef::new(90.0, most.max(100.0)),
                };
                let kept = if folded { &mut unkept } else { &mut panes.records };
                pane(ui, panel, "records", range, (usual, kept), |ui| {
                    let with_inspector = narrow && panes.show_inspector;
                    let mut lower = match self.lower_inspector && with_inspector {
                        true => Lower::Inspector,
                        false => Lower::Of(panes.lower),
                    };
                    let tabs = [
                        (Lower::Of(LowerPane::Records), "Records"),
                        (Lower::Of(LowerPane::Metrics), "Metrics"),
                        (Lower::Of(LowerPane::Lint), "Lint"),
                        (Lower::Inspector, "Inspector"),
                    ];
                    let tabs = if with_inspector { &tabs[..] } else { &tabs[..3] };
                    let shown = lower;
                    let mut choose = |ui: &mut Ui| _ = segmented(ui, "Lower pane", &mut lower, tabs);
                    match shown {
                        Lower::Of(LowerPane::Records) => {
                            self.records.paint(ui, &mut choose, log.reader(), &scene, over, acts);
                        }
                        Lower::Of(LowerPane::Metrics) => {
                            self.metrics.paint(ui, &mut choose, &mut panes.metrics_of_all, &scene, acts);
                        }
                        Lower::Of(LowerPane::Lint) => {
                            self.lint.paint(ui, &mut choose, &mut panes.lint_of_all, &scene, acts);
                        }
                        Lower::Inspector => {
                            choose(ui);
                            self.inspector.paint(ui, log.reader(), &scene, acts);
                        }
                    }
                    if lower != shown {
                        self.lower_inspector = lower == Lower::Inspector;
                        if let Lower::Of(pane) = lower {
                            panes.lower = pane;
                        }
                    }
                });
            }
            CentralPanel::default().frame(ground).show(ui, |ui| {
                if empty {
                    return first_run::paint(ui, &scene, acts);
                }
                let want = std::mem::take(&mut self.want_composer);
                let rects = &mut self.composer_rects;
                let work = Work { composers: &mut self.composers, desks: &mut self.desks, rects };
                self.one_column = columns::paint(ui, &mut self.columns, work, self.focus, want, &scene, acts);
            });
        }
        let ctx = ui.ctx().clone();
        if self.sandbox.open {
            self.sandbox.paint(&ctx, &scene, acts);
        }
        if let Some(dialog) = &mut self.dialog
            && dialogs::paint(&ctx, dialog, edited.as_mut(), &scene, acts)
        {
            let closed = std::mem::replace(&mut self.dialog, self.below.pop());
            if let Some(closed) = closed.filter(|closed| closed.is_unsaved(scene.settings)) {
                self.unsaved = Some(closed);
                self.toasts.info("The environment is not saved. What you typed is still there when you come back.");
            }
        }
        if let Some(confirm) = &self.confirm
            && dialogs::paint_confirm(&ctx, confirm, acts)
        {
            self.confirm = None;
        }
        if let Some(path) = &mut self.path
            && dialogs::paint_path(&ctx, path, acts)
        {
            self.path = None;
        }
        notices::paint(&ctx, &mut self.toasts, &self.book.jobs, &self.composer_rects, &scene, acts);
        if let Some(edited) = edited {
            self.settings = edited;
        }
        if tour_over {
            self.end_tour();
        }
        self.settings.panes = panes;
        self.settings.table = self.records.kept(&|text| self.mask.text(text));
    }

    fn remember_window(&mut self, ctx: &egui::Context) {
        let (size, maximised) = ctx.input(|i| (i.viewport().inner_rect.map(|r| r.size()), i.viewport().maximized));
        self.settings.maximised = maximised.unwrap_or(false);
        if let Some(size) = size.filter(|_| !self.settings.maximised) {
            self.settings.window = Some([size.x.round(), size.y.round()]);
        }
    }
}

/// What is remembered of a pane between two frames.
#[derive(Clone, Copy)]
struct Last {
    size: f32,
    window: egui::Vec2,
    /// Its edge was dragged since the start.
    dragged: bool,
}

/// A pane whose size only its edge changes, never what is in it. `usual` is its size at first, `kept` the one that was
/// last dragged.
fn pane(
    ui: &mut Ui,
    panel: Panel,
    name: &str,
    range: Rangef,
    (usual, kept): (f32, &mut f32),
    add: impl FnOnce(&mut Ui),
) {
    let axis = usize::from(name == "records");
    let id = ui.scope_id().with(("size of pane", name, usual == FOLDED));
    let room = ui.available_size()[axis];
    let window = ui.ctx().content_rect().size();
    let last = ui.data(|d| d.get_temp::<Last>(id));
    // In another window it is as at first: one that was small for a while must not leave it small.
    let moved = last.filter(|last| last.window != window);
    let asked = moved.map(|last| if last.dragged { *kept } else { usual }.clamp(range.min, range.max));
    let panel = panel.default_size(usual).size_range(asked.map_or(range, Rangef::point));
    let shown = panel.show(ui, |ui| {
        // A panel grows and shrinks with what is laid out in it: this tells it nothing but the room it gave.
        let room = ui.available_rect_before_wrap();
        add(&mut ui.new_child(UiBuilder::new().max_rect(room)));
        ui.allocate_rect(room, egui::Sense::hover());
    });
    let size = shown.response.rect.size()[axis];
    // A window that became smaller makes the pane smaller too; that is nobody's wish.
    let undragged = last.filter(|_| asked.is_none()).map(|last| last.size.clamp(range.min, range.max).min(room));
    let dragged = undragged.is_some_and(|undragged| (size - undragged).abs() > 0.1);
    if dragged {
        *kept = size;
    }
    let dragged = dragged || last.is_some_and(|last| last.dragged);
    ui.data_mut(|d| d.insert_temp(id, Last { size, window, dragged }));
}
