//! Carries out commands.

use super::{App, Column, FilePurpose};
use crate::dialect::Wish;
use crate::engine::{Command, SandboxState, SessionSpec, Ticket};
use crate::model::{DialectId, Environment, Report, SessionId};
use crate::projection::Board;
use crate::ui::app::Pending;
use crate::ui::commands::Cmd;
use crate::ui::dialogs::{Dialog, sandbox_options};
use crate::ui::settings::{LowerPane, SANDBOX};
use crate::ui::tour::Story;

impl App {
    /// Runs a command, or says why it cannot be run now.
    pub(super) fn run(&mut self, cmd: Cmd, board: &Board, ctx: &egui::Context) {
        let situation = self.situation(board);
        if !cmd.entry().enabled(&situation) {
            self.toasts.info(format!("{}: {}", cmd.title(), cmd.entry().why_not(&situation)));
            return;
        }
        let session = self.focused_session().unwrap_or(SessionId::NONE);
        let lead = self.selection.lead();
        match cmd {
            Cmd::StartInSandbox => self.start_in_sandbox(),
            Cmd::BothEnds => self.begin_both_ends(ctx),
            Cmd::NewSession => self.new_session(),
            Cmd::NewSessionWith => {
                let name = self.next_name();
                self.dialog = Some(Dialog::new_session(&self.settings.chosen, name));
            }
            Cmd::CloseSession => self.close(session),
            Cmd::RenameSession => {
                if let Some(view) = board.session(session) {
                    self.dialog = Some(Dialog::rename(session, self.book.name(view)));
                }
            }
            Cmd::Session(n) => {
                if let Some(view) = self.book.listed(board).get(usize::from(n) - 1) {
                    self.show(view.id);
                }
            }
            Cmd::GoToRinging => self.go_to_ringing(),
            Cmd::Connect => self.wish(session, Wish::Connect),
            Cmd::Leave => self.wish(session, Wish::Leave { code: 1000, reason: "closed by the tester".into() }),
            Cmd::StartNew => self.wish(session, Wish::StartNew),
            Cmd::Reconnect => {
                let on = !self.book.reconnect.contains(&session);
                if self.send(Command::Wish { session, wish: Wish::SetReconnect(on) }) {
                    if on {
                        self.book.reconnect.insert(session);
                    } else {
                        self.book.reconnect.remove(&session);
                    }
                }
            }
            Cmd::Send => self.send_draft(session, ctx),
            Cmd::WriteMessage => self.want_composer = true,
            Cmd::TourRefused => self.begin_tour(Story::Refused401),
            Cmd::TourClosed => self.begin_tour(Story::Closed1000),
            Cmd::Help => self.dialog = Some(Dialog::help("index")),
            Cmd::History => self.wish(session, Wish::History { all: false }),
            Cmd::ClearConversation => {
                let tracing = uuid::Uuid::new_v4().to_string();
                self.wish(session, Wish::Clear { tracing });
            }
            Cmd::Note => self.dialog = Some(Dialog::note(session, lead.unwrap_or(0))),
            Cmd::OpenCapture => self.ask_file(FilePurpose::OpenCapture, ctx),
            Cmd::SaveCapture => self.ask_file(FilePurpose::SaveCapture, ctx),
            Cmd::Export => self.dialog = Some(Dialog::export(situation.session.then_some(session))),
            Cmd::BackToLive => {
                self.saved_log = None;
                self.other_log();
            }
            Cmd::Split => self.split(board),
            Cmd::ShowRecords => {
                let panes = &mut self.settings.panes;
                // Under another pane they are not in view, and nobody asks for less.
                panes.show_records = panes.lower != LowerPane::Records || !panes.show_records;
                panes.lower = LowerPane::Records;
            }
            Cmd::ShowMetrics => self.show_lower(LowerPane::Metrics),
            Cmd::ShowLint => self.show_lower(LowerPane::Lint),
            Cmd::FinalReport => self.dialog = Some(Dialog::final_report(session)),
            Cmd::AuditLog => self.dialog = Some(Dialog::audit_log()),
            Cmd::ShowInspector => self.settings.panes.show_inspector = !self.settings.panes.show_inspector,
            Cmd::Theme => {
                self.settings.theme = next_theme(self.settings.theme);
                self.toasts.info(format!("Theme: {}", self.settings.theme.word()));
            }
            Cmd::ZoomIn => self.zoom(0.1),
            Cmd::ZoomOut => self.zoom(-0.1),
            Cmd::ZoomReset => self.settings.scale = 1.0,
            Cmd::Palette => self.dialog = Some(Dialog::palette()),
            Cmd::Environments => self.open_dialog(Dialog::environments(&self.settings)),
            Cmd::Sandbox => self.sandbox.open = !self.sandbox.open,
            Cmd::Settings => {
                self.measure_folder(ctx);
                self.dialog = Some(Dialog::Settings);
            }
            Cmd::Keys => self.dialog = Some(Dialog::keys()),
            Cmd::About => self.dialog = Some(Dialog::about()),
            Cmd::Quit => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
            Cmd::Back => {
                self.selection.go_back();
                self.selection_changed();
            }
            Cmd::Forward => {
                self.selection.go_forward();
                self.selection_changed();
            }
            Cmd::Mark => {
                if let Some(on) = lead {
                    self.toggle_mark(on);
                }
            }
            Cmd::Find => {
                self.show_records();
                self.records.find();
            }
            Cmd::Noise => self.records.toggle_noise(),
            Cmd::Follow
            | Cmd::TimeZero
            | Cmd::Diff
            | Cmd::RowUp
            | Cmd::RowDown
            | Cmd::PageUp
            | Cmd::PageDown
            | Cmd::First
            | Cmd::Last => {
                if let Some(key) = cmd.entry().keys.first() {
                    self.show_records();
                    self.records.press(key.logical_key);
                }
            }
        }
    }

    /// Opens a dialog; environments that were not saved come first.
    pub(super) fn open_dialog(&mut self, dialog: Dialog) {
        let unsaved = matches!(dialog, Dialog::Environments(_)).then(|| self.unsaved.take()).flatten();
        self.dialog = Some(unsaved.unwrap_or(dialog));
    }

    /// Brings the record table into view.
    pub(super) fn show_records(&mut self) {
        self.settings.panes.show_records = true;
        self.settings.panes.lower = LowerPane::Records;
        self.lower_inspector = false;
    }

    fn zoom(&mut self, by: f32) {
        self.settings.scale = ((self.settings.scale + by) * 10.0).round() / 10.0;
        self.settings.scale = self.settings.scale.clamp(0.5, 3.0);
    }

    /// Starts the sandbox where it does not run, and opens a session in it as soon as it does.
    pub(super) fn start_in_sandbox(&mut self) {
        self.settings.chosen = SANDBOX.to_owned();
        self.back_to_live();
        match &self.book.sandbox {
            SandboxState::Running { environment, .. } => {
                let environment = environment.clone();
                self.open_session(*environment, None);
            }
            SandboxState::Starting => self.book.after_sandbox = true,
            SandboxState::Stopped | SandboxState::Failed(_) => {
                if self.send(Command::StartSandbox { options: sandbox_options() }) {
                    self.book.sandbox = SandboxState::Starting;
                    self.book.after_sandbox = true;
                }
            }
        }
    }

    fn new_session(&mut self) {
        if self.settings.chosen == SANDBOX {
            self.start_in_sandbox();
            return;
        }
        match self.settings.environment(&self.settings.chosen).cloned() {
            // Without a deployment there is no web messaging: which of the other flows, a person says.
            Some(environment) if environment.deployment_id.trim().is_empty() => {
                let name = self.next_name();
                self.dialog = Some(Dialog::new_session(&environment.id, name));
            }
            Some(environment) => {
                self.back_to_live();
                self.open_session(environment, None);
            }
            None => self.open_dialog(Dialog::environments(&self.settings)),
        }
    }

    /// A new session always lives in the running capture.
    pub(super) fn back_to_live(&mut self) {
        if self.saved_log.take().is_some() {
            self.other_log();
        }
    }

    /// "Guest 1", "Guest 2": the first number that no live session has.
    pub(super) fn next_name(&self) -> String {
        let board = self.live_log.board();
        let taken: Vec<String> = board.sessions.iter().map(|s| self.book.live_name(s)).collect();
        let waiting = self.book.pending.values().filter(|p| matches!(p, Pending::Session(_))).count();
        let mut n = 1 + waiting;
        while taken.contains(&format!("Guest {n}")) {
            n += 1;
        }
        format!("Guest {n}")
    }

    pub(super) fn open_session(&mut self, environment: Environment, name: Option<String>) {
        let name = name.unwrap_or_else(|| self.next_name());
        let spec = SessionSpec { name, environment, ..SessionSpec::default() };
        self.open_spec(spec, true);
    }

    pub(super) fn open_spec(&mut self, spec: SessionSpec, connect: bool) -> Option<Ticket> {
        let ticket = Ticket(self.book.number());
        let environment = Box::new(spec.environment.clone());
        let dialect = spec.dialect;
        if self.send(Command::OpenSession { ticket, spec: Box::new(spec), connect }) {
            // All others get the token that they need by themselves.
            if dialect == DialectId::WebMessaging
                && environment.client_id.as_deref().is_some_and(|c| !c.trim().is_empty())
            {
                self.send(Command::SignIn { environment: (*environment).clone() });
            }
            self.book.pending.insert(ticket, Pending::Session(environment));
            return Some(ticket);
        }
        None
    }

    pub(super) fn wish(&mut self, session: SessionId, wish: Wish) {
        if wish == Wish::Connect && self.book.is_orphan(session) {
            let what = "It was made in a sandbox that has stopped, and another sandbox knows nothing of it.";
            let report = Report::new("sandbox-gone", "This session cannot be connected any more", what)
                .remedy("Open a new session in the sandbox; the records of this one stay.");
            return self.toasts.report(report);
        }
        self.send(Command::Wish { session, wish });
    }

    /// Shows a session in the focused column.
    pub(super) fn show(&mut self, session: SessionId) {
        let focus = self.focus.min(self.columns.len().saturating_sub(1));
        if let Some(other) = self.columns.iter().position(|c| c.session == Some(session))
            && other != focus
        {
            self.focus = other;
            return;
        }
        if let Some(column) = self.columns.get_mut(focus)
            && column.session != Some(session)
        {
            *column = Column { session: Some(session), ..Column::default() };
        }
    }

    /// Shows a lower pane, or the records again where it is in view.
    fn show_lower(&mut self, pane: LowerPane) {
        let panes = &mut self.settings.panes;
        let in_view = panes.show_records && panes.lower == pane && !self.lower_inspector;
        panes.lower = if in_view { LowerPane::Records } else { pane };
        panes.show_records = true;
        self.lower_inspector = false;
    }

    /// Shows what rings out of view, or else what rings.
    fn go_to_ringing(&mut self) {
        let rings = self.ringing.iter().find(|r| !r.in_view).or(self.ringing.first());
        let Some((session, talk)) = rings.map(|r| (r.session, r.talk.clone())) else { return };
        self.show(session);
        let pane = self.desks.entry(session).or_default();
        pane.bring(talk);
        pane.ends = false;
    }

    fn split(&mut self, board: &Board) {
        if self.columns.len() == 2 {
            let keep = self.columns.swap_remove(self.focus.min(1));
            self.columns = vec![keep];
            self.focus = 0;
        } else {
            let shown = self.focused_session();
            let other = self.book.listed(board).into_iter().map(|s| s.id).find(|id| Some(*id) != shown);
            self.columns.push(Column { session: other, ..Column::default() });
        }
        self.settings.panes.split = self.columns.len() == 2;
    }
}

fn next_theme(theme: crate::ui::theme::Choice) -> crate::ui::theme::Choice {
    use crate::ui::theme::Choice;
    match theme {
        Choice::System => Choice::Light,
        Choice::Light => Choice::Dark,
        Choice::Dark => Choice::System,
    }
}
