//! Carries out what the painting wanted.

use super::{Act, App, Probe, entries};
use crate::engine::{Command, SandboxState, SessionSpec, Ticket};
use crate::model::{DialectId, SessionId};
use crate::projection::Board;
use crate::ui::app::Pending;
use crate::ui::composer::{Action, Composer, Outcome};
use crate::ui::desk::in_talk;
use crate::ui::dialogs::{Dialog, sandbox_options};
use crate::ui::drafts::session_key;

impl App {
    pub(super) fn perform(&mut self, acts: Vec<Act>, board: &Board, ctx: &egui::Context) {
        for act in std::mem::take(&mut self.pending_acts).into_iter().chain(acts) {
            self.act(act, board, ctx);
        }
        self.keep_drafts();
        if self.settings != self.stored {
            self.stored = self.settings.clone();
            self.store.put(self.settings.clone());
        }
    }

    fn act(&mut self, act: Act, board: &Board, ctx: &egui::Context) {
        match act {
            Act::Run(cmd) => self.run(cmd, board, ctx),
            Act::Engine(command) => self.engine(*command),
            Act::Wish(session, wish) => self.wish(session, wish),
            Act::SendDraft(session) => self.send_draft(session, ctx),
            Act::Pick { session, to, what } => self.composer(session).pick(&to, what),
            Act::Insert(text) => {
                if let Some(session) = self.focused_session() {
                    let form = self.composer(session).form_mut(Action::Text);
                    // What was written stays.
                    if !form.text.is_empty() && !form.text.ends_with('\n') {
                        form.text.push('\n');
                    }
                    form.text.push_str(&text);
                    self.want_composer = true;
                }
            }
            Act::Show(session) => self.show(session),
            Act::Focus(column) => self.focus = column.min(self.columns.len().saturating_sub(1)),
            Act::Close(session) => self.close(session),
            Act::Select(seqs) => {
                // The first record is what it is about; what came of it follows.
                let mut seqs = seqs;
                if !seqs.is_empty() {
                    seqs.rotate_left(1);
                }
                self.selection.set(seqs);
                self.selection_changed();
            }
            Act::SelectedInTable(seqs) => {
                if self.selection.set(seqs) {
                    self.reveal_bubble();
                }
            }
            Act::Inspect(seq) => {
                self.selection.set(vec![seq]);
                self.settings.panes.show_inspector = true;
                self.lower_inspector = true;
            }
            Act::Mark(seq) => self.toggle_mark(seq),
            Act::Diff(a, b) => self.compare(a, b),
            Act::Filter(text) => {
                self.show_records();
                self.records.set_filter(text);
            }
            Act::OpenSession { dialect, environment, form, agent, name, token, kept, login, connect } => {
                self.back_to_live();
                let name = if name.trim().is_empty() { self.next_name() } else { name };
                let spec = SessionSpec {
                    name,
                    dialect,
                    environment: *environment,
                    token,
                    kept,
                    form: *form,
                    login,
                    agent: *agent,
                };
                self.open_spec(spec, connect);
            }
            Act::ChooseEnvironment(id) => self.settings.chosen = id,
            Act::SaveEnvironment(environment) => {
                match self.settings.environments.iter_mut().find(|e| e.id == environment.id) {
                    Some(old) => *old = *environment,
                    None => {
                        self.settings.chosen.clone_from(&environment.id);
                        self.settings.environments.push(*environment);
                    }
                }
            }
            Act::DeleteEnvironment(id) => self.delete_environment(&id),
            Act::KeepSecret(key, value) => self.keep_secret(key, value),
            Act::ForgetSecret(key) => self.forget(key),
            Act::ForgetKept => self.forget_kept(|_| true),
            Act::ExpireJwt(session) => {
                if self.send(Command::AskSandbox) {
                    self.book.doomed_jwts.push(session);
                }
            }
            Act::Probe(environment) => {
                let ticket = Ticket(self.book.number());
                if self.send(Command::Probe { ticket, environment: *environment }) {
                    self.book.pending.insert(ticket, Pending::Probe);
                    self.book.probe = Probe::Running(ticket);
                }
            }
            Act::Open(dialog) => {
                // What is filled in there is still there afterwards.
                let below = self.dialog.take().filter(|_| dialog.stands_above());
                self.below.extend(below);
                self.open_dialog(*dialog);
            }
            Act::CloseDialog => self.dialog = self.below.pop(),
            Act::Ask(confirm) => self.confirm = Some(confirm),
            Act::AskFile(purpose) => self.ask_file(purpose, ctx),
            Act::File(purpose, path) => self.file_chosen(purpose, path, ctx),
            Act::OpenFile(path) => self.perform_open(path, Some(ctx)),
            Act::Copy(text) => ctx.copy_text(self.mask.text(&text)),
            Act::CopySecret(placeholder) => {
                let value = self.mask.reveal(&placeholder);
                if *value.expose() == placeholder {
                    self.toasts.info("The value is not known any more: it was forgotten when the program ended.");
                } else {
                    ctx.copy_text(value.expose().clone());
                }
            }
            Act::Link(url) => self.confirm = Some(crate::ui::dialogs::Confirm::link(url)),
            // An address of the conversation has placeholders where its signature was; the browser needs the real one.
            Act::OpenLink(url) => ctx.open_url(egui::OpenUrl::new_tab(self.mask.reveal(&url).expose())),
            Act::Rename(session, name) => {
                self.book.list_mut().names.insert(session, name);
            }
            Act::FaultRead(session, seq) => {
                self.book.list_mut().read_faults.insert(session, seq);
            }
            Act::Info(text) => self.toasts.info(text),
            Act::KnowLost(records) => self.known_lost = records,
            Act::Sandbox(on) => self.switch_sandbox(on),
        }
    }

    /// Says that a saved capture cannot be changed, where one is shown.
    fn is_read_only(&mut self) -> bool {
        let saved = self.saved_log.is_some();
        if saved {
            self.toasts.info(crate::ui::commands::SAVED);
        }
        saved
    }

    pub(super) fn engine(&mut self, command: Command) {
        if matches!(command, Command::Note { .. } | Command::Mark { .. }) && self.is_read_only() {
            return;
        }
        let order = match &command {
            Command::Order { order } => Some(crate::ui::dialogs::order_name(order)),
            _ => None,
        };
        self.book.keys_pending |= matches!(command, Command::Keys { .. });
        if self.send(command)
            && let Some(name) = order
        {
            self.toasts.info(format!("Ordered: {name}"));
        }
    }

    pub(super) fn switch_sandbox(&mut self, on: bool) {
        if on {
            if self.send(Command::StartSandbox { options: sandbox_options() }) {
                self.book.sandbox = SandboxState::Starting;
            }
        } else {
            self.send(Command::StopSandbox);
        }
    }

    pub(super) fn close(&mut self, session: SessionId) {
        if self.is_read_only() {
            return;
        }
        if self.book.live.contains(&session) && !self.send(Command::CloseSession { session }) {
            return;
        }
        self.book.list_mut().closed.insert(session);
        self.composers.remove(&session);
        self.desks.remove(&session);
        for column in &mut self.columns {
            if column.session == Some(session) {
                column.session = None;
            }
        }
    }

    /// The conversation of a desk that is in front, where the session is an agent's.
    pub(super) fn talk_of(&self, session: SessionId) -> Option<String> {
        let agent = self.live_log.board().session(session).is_some_and(|v| v.dialect() == DialectId::Agent);
        self.desks.get(&session).filter(|_| agent).and_then(|pane| pane.talk.clone())
    }

    /// The composer of a session, with the drafts that were stored for it; of an agent's, that of the conversation in
    /// front.
    pub(super) fn composer(&mut self, session: SessionId) -> &mut Composer {
        if let Some(talk) = self.talk_of(session) {
            let (log, book, settings) = (&self.live_log, &self.book, &self.settings);
            let pane = self.desks.entry(session).or_default();
            return pane.composers.entry(talk).or_insert_with_key(|talk| {
                let board = log.board();
                let stored = board.session(session).map(|view| settings.drafts.of(&talk_key(book, view, talk)));
                Composer::new(stored.unwrap_or_default())
            });
        }
        let (log, book, settings) = (&self.live_log, &self.book, &self.settings);
        self.composers.entry(session).or_insert_with(|| {
            let board = log.board();
            let stored = board.session(session).map(|view| settings.drafts.of(&draft_key(book, view)));
            Composer::new(stored.unwrap_or_default())
        })
    }

    pub(super) fn send_draft(&mut self, session: SessionId, ctx: &egui::Context) {
        let tracing = uuid::Uuid::new_v4().to_string();
        let talk = self.talk_of(session);
        let backend = &self.backend;
        let composer = match &talk {
            Some(talk) => self.desks.get_mut(&session).and_then(|pane| pane.composers.get_mut(talk)),
            None => self.composers.get_mut(&session),
        };
        let Some(composer) = composer else { return };
        let outcome = composer.send(tracing, |wish| {
            let wish = talk.iter().fold(wish, |wish, talk| in_talk(wish, talk));
            backend.send(Command::Wish { session, wish })
        });
        match outcome {
            Outcome::Read(path) => self.read_attachment(session, path, ctx),
            Outcome::Taken | Outcome::Refused => {}
        }
    }

    /// Puts unsent drafts into the settings, masked.
    pub(super) fn keep_drafts(&mut self) {
        let board = self.live_log.board();
        let mask = self.mask.clone();
        let guests = self.composers.iter_mut().map(|(id, c)| (*id, None, c));
        let agents = self
            .desks
            .iter_mut()
            .flat_map(|(id, pane)| pane.composers.iter_mut().map(|(talk, c)| (*id, Some(talk.as_str()), c)));
        for (id, talk, composer) in guests.chain(agents) {
            if !std::mem::take(&mut composer.touched) {
                continue;
            }
            let Some(view) = board.session(id) else { continue };
            let key = match talk {
                Some(talk) => talk_key(&self.book, view, talk),
                None => draft_key(&self.book, view),
            };
            for action in Action::ALL {
                self.settings.drafts.keep(&key, action, composer.unsent(action), &|t| mask.text(t));
            }
        }
    }

    /// Something was selected elsewhere than in the table: table and conversation follow.
    pub(super) fn selection_changed(&mut self) {
        self.records.select(self.selection.lead());
        self.reveal_bubble();
    }

    fn reveal_bubble(&mut self) {
        let board = self.log().board();
        for column in &mut self.columns {
            if let Some(view) = column.session.and_then(|id| board.session(id)) {
                column.list.reveal(view, self.selection.seqs());
                if let Some(pane) = self.desks.get_mut(&view.id) {
                    pane.reveal(self.selection.seqs());
                }
            }
        }
    }

    pub(super) fn toggle_mark(&mut self, seq: u64) {
        if self.is_read_only() {
            return;
        }
        let set = !self.log().board().marks.contains(&seq);
        self.send(Command::Mark { on: seq, set });
    }

    pub(super) fn compare(&mut self, a: u64, b: Option<u64>) {
        self.settings.panes.show_inspector = true;
        self.inspector.compare(b.is_none());
        self.selection.set(b.into_iter().chain([a]).collect());
    }

    /// What is in view counts as read.
    pub(super) fn mark_read(&mut self, board: &Board) {
        let in_view: Vec<_> = self.columns_in_view().filter_map(|c| board.session(c.session?)).collect();
        for view in in_view {
            self.book.list_mut().seen.insert(view.id, entries(view));
        }
    }

    /// Another capture is shown: what pointed into the old one means nothing now.
    pub(super) fn other_log(&mut self) {
        self.book.show(self.saved_log.is_some());
        self.selection.reset();
        if self.dialog.as_ref().is_some_and(Dialog::is_about_session) {
            self.dialog = None;
        }
        for column in &mut self.columns {
            *column = super::Column::default();
        }
        self.records.other_log();
        self.inspector.other_log();
    }
}

/// Drafts in a conversation of a desk.
pub(super) fn talk_key(book: &super::Book, view: &crate::projection::SessionView, talk: &str) -> String {
    format!("{}/{talk}", draft_key(book, view))
}

pub(super) fn draft_key(book: &super::Book, view: &crate::projection::SessionView) -> String {
    let environment = view.start.as_ref().map_or("", |s| s.environment.as_str());
    session_key(environment, &book.live_name(view))
}
