//! Where the parts of the window stand.

use egui::{CentralPanel, Frame, Margin, Panel, Rangef, Rect, Ui, UiBuilder, pos2, vec2};

use super::keys::{Keyboard, take};
use super::{Act, Acts, App, Scene, notices};
use std::collections::HashMap;

use crate::model::agents::Agents;
use crate::model::environment::Limits;
use crate::model::{DialectId, SessionId};
use crate::projection::SessionView;
use crate::ui::composer;
use crate::ui::composer::Composer;
use crate::ui::conversation::{paint_column, paint_session_head, paint_thread};
use crate::ui::desk::{self, DeskPane};
use crate::ui::dialogs::{self, Dialog};
use crate::ui::settings::LowerPane;
use crate::ui::theme::{radius, space, tokens};
use crate::ui::trouble::Trouble;
use crate::ui::widgets::segmented;
use crate::ui::{clock_strip, first_run, rail, status_bar, toolbar};

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
            let panel = Panel::left("rail").frame(rail_frame).default_size(panes.rail.min(size.x * 0.24));
            let range = Rangef::new(130.0, (size.x * 0.3).max(140.0));
            pane(ui, panel, "rail", range, &mut panes.rail, |ui| rail::paint(ui, &scene, acts));
            if panes.show_inspector && !narrow {
                let frame = Frame::new().fill(t.surface.ground).inner_margin(Margin::same(8));
                let panel = Panel::right("inspector").frame(frame).default_size(panes.inspector.min(size.x * 0.28));
                let range = Rangef::new(220.0, (size.x * 0.5).max(240.0));
                pane(ui, panel, "inspector", range, &mut panes.inspector, |ui| {
                    self.inspector.paint(ui, log.reader(), &scene, acts);
                });
            }
            if panes.show_records {
                let frame = Frame::new().fill(t.surface.ground).inner_margin(Margin::symmetric(8, 6));
                let panel = Panel::bottom("records")
                    .frame(frame)
                    .resizable(true)
                    .default_size(panes.records.min((whole * if narrow { 0.43 } else { 0.31 }).round()));
                // The conversation keeps room for its composer and a few bubbles.
                let range = Rangef::new(90.0, (size.y * 0.7).min((size.y - 330.0).max(size.y * 0.5)).max(100.0));
                pane(ui, panel, "records", range, &mut panes.records, |ui| {
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
                let work = Work { composers: &mut self.composers, desks: &mut self.desks };
                columns(ui, &mut self.columns, work, self.focus, want, &scene, acts);
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
        notices::paint(&ctx, &mut self.toasts, &self.book.jobs, &scene, acts);
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

/// A pane whose size only its edge changes, never what is in it. `kept` is the size that was last dragged.
fn pane(ui: &mut Ui, panel: Panel, name: &str, range: Rangef, kept: &mut f32, add: impl FnOnce(&mut Ui)) {
    let axis = usize::from(name == "records");
    let id = ui.scope_id().with(("size of pane", name));
    let room = ui.available_size()[axis];
    let last = ui.data(|d| d.get_temp::<f32>(id));
    let shown = panel.size_range(range).show(ui, |ui| {
        // A panel grows and shrinks with what is laid out in it: this tells it nothing but the room it gave.
        let room = ui.available_rect_before_wrap();
        add(&mut ui.new_child(UiBuilder::new().max_rect(room)));
        ui.allocate_rect(room, egui::Sense::hover());
    });
    let size = shown.response.rect.size()[axis];
    // A window that became smaller makes the pane smaller too; that is nobody's wish.
    let undragged = last.map(|size| size.clamp(range.min, range.max).min(room));
    if undragged.is_some_and(|undragged| (size - undragged).abs() > 0.1) {
        *kept = size;
    }
    ui.data_mut(|d| d.insert_temp(id, size));
}

/// What the columns keep of their sessions.
struct Work<'a> {
    composers: &'a mut HashMap<SessionId, Composer>,
    desks: &'a mut HashMap<SessionId, DeskPane>,
}

/// One or two conversations, each with its composer.
fn columns(
    ui: &mut Ui,
    columns: &mut [super::Column],
    mut work: Work<'_>,
    focus: usize,
    want: bool,
    scene: &Scene<'_>,
    acts: &mut Acts,
) {
    let room = ui.available_rect_before_wrap();
    let count = columns.len().max(1) as f32;
    let gap = if columns.len() > 1 { space::ROOM } else { 0.0 };
    let width = (room.width() - gap * (count - 1.0)) / count;
    let several = columns.len() > 1;
    for (n, column) in columns.iter_mut().enumerate() {
        let left = room.left() + n as f32 * (width + gap);
        let rect = Rect::from_min_size(pos2(left, room.top()), vec2(width, room.height()));
        let mut inner = ui.new_child(UiBuilder::new().id_salt(("column", n)).max_rect(rect));
        inner.set_clip_rect(rect.expand(2.0).intersect(ui.clip_rect()));
        if several {
            let t = tokens(ui);
            if n == focus {
                let line = Rect::from_min_size(rect.left_top() - vec2(0.0, 5.0), vec2(width, 2.0));
                ui.painter().rect_filled(line, 0, t.accent);
            } else if (ui.input(|i| i.pointer.primary_pressed()) && ui.rect_contains_pointer(rect))
                || has_keyboard(ui, rect)
            {
                acts.push(Act::Focus(n));
            }
        }
        let Some(view) = column.session.and_then(|id| scene.board.session(id)) else {
            inner.centered_and_justified(|ui| ui.label("Choose a session at the left."));
            continue;
        };
        one(&mut inner, column, &mut work, view, want && n == focus, scene, acts);
    }
    ui.allocate_rect(room, egui::Sense::hover());
}

/// What has the keyboard lies in here.
fn has_keyboard(ui: &Ui, rect: Rect) -> bool {
    let focused = ui.memory(|m| m.focused()).and_then(|id| ui.ctx().read_response(id));
    // Dialogs and menus lie over the columns, in layers of their own.
    focused.is_some_and(|r| r.layer_id == ui.layer_id() && rect.contains(r.rect.center()))
}

fn one(
    ui: &mut Ui,
    column: &mut super::Column,
    work: &mut Work<'_>,
    view: &SessionView,
    want: bool,
    scene: &Scene<'_>,
    acts: &mut Acts,
) {
    let environment = scene.book.environments.get(&view.id);
    if view.dialect() == DialectId::Agent {
        let most = environment.map_or_else(|| Agents::default().text_chars, |e| e.agents.text_chars);
        let limits = Limits { message_bytes: most, ..Limits::default() };
        let pane = work.desks.entry(view.id).or_default();
        let drafts = |talk: &str| {
            composer::Composer::new(scene.settings.drafts.of(&super::deeds::talk_key(scene.book, view, talk)))
        };
        return desk::paint(ui, pane, view, &limits, want, drafts, scene, acts);
    }
    if scene.is_live(view.id) {
        let key = super::deeds::draft_key(scene.book, view);
        let composer =
            work.composers.entry(view.id).or_insert_with(|| composer::Composer::new(scene.settings.drafts.of(&key)));
        let limits = environment.map_or_else(Limits::default, |e| e.limits.clone());
        let t = tokens(ui);
        let frame = Frame::new()
            .fill(t.surface.raised)
            .corner_radius(radius::NORMAL)
            .inner_margin(Margin::same(8))
            .outer_margin(Margin { top: 6, ..Margin::ZERO });
        // In a low window the answer to a picker needs more than its share.
        let height = ui.available_height();
        let room = (height * 0.6).max((height - 24.0).min(140.0));
        Panel::bottom(("composer", view.id.0))
            .frame(frame)
            .resizable(false)
            .show_separator_line(false)
            .max_size(room)
            .show(ui, |ui| {
                composer.utc = scene.settings.utc;
                composer.room = room;
                composer::paint(ui, composer, view, &limits, want, acts);
            });
    }
    CentralPanel::default().frame(Frame::new()).show(ui, |ui| {
        // With hardly any room left it shall be cut off, not lie over the composer.
        ui.shrink_clip_rect(ui.max_rect());
        let Some(pair) = scene.board.ends.of(view.id, None) else {
            return paint_column(ui, &mut column.list, view, scene, acts);
        };
        let pane = work.desks.entry(view.id).or_default();
        paint_session_head(ui, view, scene, acts);
        desk::offer(ui, &mut pane.ends, pair, scene);
        ui.add_space(space::TIGHT);
        match pane.ends {
            true => desk::paint_ends(ui, &mut pane.pane, pair, scene, acts),
            false => paint_thread(ui, &mut column.list, view, scene, acts),
        }
    });
}
