//! The application: takes in events, paints, and carries out what the painting wanted.

mod act;
mod book;
mod both;
mod columns;
mod deeds;
mod files;
mod intake;
mod keys;
mod layout;
mod notices;
mod run;
mod secrets;
mod selection;
mod toasts;
mod tours;

pub use act::{Act, Acts, FilePurpose};
pub use book::{Book, Job, Keeping, Pending, Probe, entries};
pub use files::Done;
pub use selection::Selection;
pub use toasts::{Failed, Toast, Toasts};

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::commands::Situation;
use super::composer::Composer;
use super::conversation::ConversationList;
use super::desk::DeskPane;
use super::dialogs::{Confirm, Dialog, PathDialog, SandboxPanel};
use super::inspector_pane::InspectorPane;
use super::lint::LintPane;
use super::metrics::MetricsPane;
use super::picker::FilePicker;
use super::records::RecordsPane;
use super::ringing::{Ringing, ringing};
use super::seams::{Audit, Backend, Log, Mask, OpenLog};
use super::settings::{Settings, Store};
use super::tour::Tour;
use crate::engine::Ticket;
use crate::model::{Clock, Environment, Now, Report, SessionId};
use crate::projection::{Board, SessionView};
use crate::vault::VaultStatus;

/// What the window works with.
pub struct Parts {
    pub backend: Box<dyn Backend>,
    pub clock: Arc<dyn Clock>,
    /// The running capture.
    pub log: Box<dyn Log>,
    pub open_log: OpenLog,
    pub mask: Arc<dyn Mask>,
    /// None in private mode.
    pub audit: Option<Arc<dyn Audit>>,
    pub settings: Settings,
    pub store: Store,
    pub picker: Box<dyn FilePicker>,
    pub vault: Option<VaultStatus>,
    /// Folder of the captures, where they are kept.
    pub captures: Option<PathBuf>,
    /// What went wrong before the window opened.
    pub reports: Vec<Report>,
    /// A saved capture to show first.
    pub open: Option<PathBuf>,
}

/// A conversation in view.
#[derive(Default)]
pub struct Column {
    pub session: Option<SessionId>,
    pub list: ConversationList,
}

pub struct App {
    backend: Box<dyn Backend>,
    clock: Arc<dyn Clock>,
    live_log: Box<dyn Log>,
    /// Shown instead of the live one.
    saved_log: Option<Box<dyn Log>>,
    open_log: OpenLog,
    mask: Arc<dyn Mask>,
    audit: Option<Arc<dyn Audit>>,
    pub(super) settings: Settings,
    /// As they were handed to the store last.
    stored: Settings,
    store: Store,
    picker: Box<dyn FilePicker>,
    asked: Option<FilePurpose>,
    captures: Option<PathBuf>,
    folder_size: Option<(u64, u64)>,
    pub(super) book: Book,
    pub(super) columns: Vec<Column>,
    pub(super) focus: usize,
    composers: HashMap<SessionId, Composer>,
    /// Of agents, and of guests whose other end is in view.
    desks: HashMap<SessionId, DeskPane>,
    pub(super) selection: Selection,
    pub(super) dialog: Option<Dialog>,
    /// Dialogs under it, the last one next.
    below: Vec<Dialog>,
    /// Environments that were closed before they were saved: they are there when they are opened again.
    unsaved: Option<Dialog>,
    confirm: Option<Confirm>,
    path: Option<PathDialog>,
    sandbox: SandboxPanel,
    records: RecordsPane,
    inspector: InspectorPane,
    metrics: MetricsPane,
    lint: LintPane,
    toasts: Toasts,
    forgetting: secrets::Forgetting,
    /// Faults outside any session that were shown so far.
    faults_shown: u64,
    sender: SyncSender<Done>,
    done: Receiver<Done>,
    styled: bool,
    /// Records that were not kept, as far as somebody has read it.
    known_lost: u64,
    /// Which of the two the lower pane shows in a narrow window.
    lower_inspector: bool,
    /// Put the keyboard into the composer of the focused column at the next paint.
    want_composer: bool,
    tour: Option<Tour>,
    tour_ticket: Option<Ticket>,
    both: Option<both::Both>,
    /// Wanted outside painting; carried out with what the next painting wants.
    pending_acts: Vec<Act>,
    /// Where the composers lay in the last frame: notices keep clear of them.
    composer_rects: Vec<egui::Rect>,
    /// What rings for an agent, as of this frame.
    ringing: Vec<Ringing>,
    /// Only the focused column is in view: there is no room for two.
    one_column: bool,
}

/// What everything that paints may look at.
pub struct Scene<'a> {
    pub board: &'a Board,
    pub book: &'a Book,
    pub settings: &'a Settings,
    pub now: Now,
    /// The instant that is shown: now, or the end of a saved capture, whose clocks stand still.
    pub shown_at: Now,
    pub situation: Situation,
    /// The session in the column with the focus.
    pub session: Option<&'a SessionView>,
    pub selection: &'a Selection,
    pub captures: Option<&'a std::path::Path>,
    pub folder_size: Option<(u64, u64)>,
    pub mask: &'a dyn Mask,
    pub audit: Option<&'a Arc<dyn Audit>>,
    pub ringing: &'a [Ringing],
}

impl Scene<'_> {
    /// Wishes reach this session.
    pub fn is_live(&self, session: SessionId) -> bool {
        !self.situation.saved && self.book.live.contains(&session)
    }
}

impl App {
    pub fn new(parts: Parts) -> Self {
        let (sender, done) = sync_channel(64);
        let mut toasts = Toasts::default();
        for report in parts.reports {
            toasts.report(report);
        }
        let mut book = Book::default();
        book.vault = parts.vault;
        let columns = if parts.settings.panes.split { 2 } else { 1 };
        let mut app = Self {
            backend: parts.backend,
            clock: parts.clock,
            live_log: parts.log,
            saved_log: None,
            open_log: parts.open_log,
            mask: parts.mask,
            audit: parts.audit,
            stored: parts.settings.clone(),
            store: parts.store,
            picker: parts.picker,
            asked: None,
            captures: parts.captures,
            folder_size: None,
            book,
            columns: (0..columns).map(|_| Column::default()).collect(),
            focus: 0,
            composers: HashMap::new(),
            desks: HashMap::new(),
            selection: Selection::default(),
            dialog: None,
            below: Vec::new(),
            unsaved: None,
            confirm: None,
            path: None,
            sandbox: SandboxPanel::default(),
            records: RecordsPane::restored(&parts.settings.table),
            inspector: InspectorPane::default(),
            metrics: MetricsPane::default(),
            lint: LintPane::default(),
            settings: parts.settings,
            toasts,
            forgetting: secrets::Forgetting::default(),
            faults_shown: 0,
            sender,
            done,
            styled: false,
            known_lost: 0,
            lower_inspector: false,
            want_composer: false,
            tour: None,
            tour_ticket: None,
            both: None,
            pending_acts: Vec::new(),
            composer_rects: Vec::new(),
            ringing: Vec::new(),
            one_column: false,
        };
        app.forget_old_sandbox();
        if let Some(file) = parts.open {
            app.perform_open(file, None);
        }
        app
    }

    /// The capture that is shown.
    pub fn log(&self) -> &dyn Log {
        self.saved_log.as_deref().unwrap_or(self.live_log.as_ref())
    }

    fn focused_session(&self) -> Option<SessionId> {
        self.columns.get(self.focus).and_then(|c| c.session)
    }

    /// The columns that are painted.
    fn columns_in_view(&self) -> impl Iterator<Item = &Column> {
        let hidden = |n: usize| self.one_column && n != self.focus;
        self.columns.iter().enumerate().filter(move |(n, _)| !hidden(*n)).map(|(_, column)| column)
    }

    /// Looks what rings.
    fn listen(&mut self, board: &Board) {
        let in_view = |session: SessionId, talk: &str| {
            self.columns_in_view().any(|c| c.session == Some(session))
                && self.desks.get(&session).is_some_and(|pane| pane.talk.as_deref() == Some(talk))
        };
        let live = |session: SessionId| self.saved_log.is_none() && self.book.live.contains(&session);
        let rings = ringing(board, live, in_view);
        self.ringing = rings;
    }

    fn situation(&self, board: &Board) -> Situation {
        let saved = self.saved_log.is_some();
        let session = self.focused_session().filter(|id| board.session(*id).is_some());
        Situation {
            sessions: self.book.listed(board).len(),
            session: session.is_some(),
            live: !saved && session.is_some_and(|id| self.book.live.contains(&id)),
            selected: self.selection.seqs().len(),
            saved,
            back: self.selection.can_go_back(),
            forward: self.selection.can_go_forward(),
            ringing: !self.ringing.is_empty(),
        }
    }

    /// Gives theme, size and motion to egui where they changed.
    fn style(&mut self, ctx: &egui::Context) {
        if !self.styled {
            self.styled = true;
            super::theme::install(ctx);
            ctx.options_mut(|o| o.zoom_with_keyboard = false);
        }
        super::theme::choose(ctx, self.settings.theme);
        if (ctx.zoom_factor() - self.settings.scale).abs() > 0.001 {
            ctx.set_zoom_factor(self.settings.scale);
        }
        if self.settings.reduced_motion && ctx.global_style().animation_time > 0.0 {
            ctx.all_styles_mut(|s| {
                s.animation_time = 0.0;
                s.scroll_animation = egui::style::ScrollAnimation::none();
            });
        }
    }

    /// As they are now.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The session of each column.
    pub fn shown(&self) -> Vec<Option<SessionId>> {
        self.columns.iter().map(|c| c.session).collect()
    }

    /// The selected records.
    pub fn selected(&self) -> &[u64] {
        self.selection.seqs()
    }

    /// Takes a session as live and shows it, as if the engine had just made it.
    pub fn adopt(&mut self, session: SessionId) {
        self.book.live.insert(session);
        self.show(session);
    }

    /// The same, of a session that was made with this environment.
    pub fn adopt_in(&mut self, session: SessionId, environment: Environment) {
        self.book.environments.insert(session, environment);
        self.adopt(session);
    }

    /// One frame without eframe: what a test calls.
    pub fn frame(&mut self, ui: &mut egui::Ui) {
        let ctx = ui.ctx().clone();
        self.take_in(&ctx);
        self.paint(ui);
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.take_in(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.paint(ui);
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        self.keep_drafts();
        if let Some(file) = self.live_log.file().filter(|_| self.live_log.status().records > 0) {
            self.settings.remember(file.to_owned());
        }
        self.store.put(self.settings.clone());
    }
}
