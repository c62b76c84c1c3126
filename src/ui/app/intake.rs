//! Takes in what the engine and our own threads tell, under a time budget.

use std::time::{Duration, Instant};

use super::{App, Pending, Probe};
use crate::engine::{Command, Event, SandboxState};
use crate::model::{KeyInfo, Kind, Report};
use crate::sandbox::{Order, Status};

/// Events are handled for at most this long before a frame.
const BUDGET: Duration = Duration::from_millis(2);

impl App {
    /// Everything that came since the last frame, or as much as fits into the budget.
    pub(super) fn take_in(&mut self, ctx: &egui::Context) {
        let start = Instant::now();
        self.take_files(ctx);
        self.take_faults();
        self.toasts.settle(&self.live_log.board(), self.clock.now());
        self.ask_sandbox();
        while let Some(event) = self.backend.poll() {
            self.event(event);
            if start.elapsed() > BUDGET {
                ctx.request_repaint();
                break;
            }
        }
        self.go_on_forgetting(ctx);
        self.go_on_touring(ctx);
        self.go_on_with_both_ends(ctx);
    }

    /// Faults that belong to no session stand in no conversation: they become notices.
    fn take_faults(&mut self) {
        let board = self.live_log.board();
        let general = &board.general;
        let new = general.faults_told.saturating_sub(self.faults_shown).min(general.faults.len() as u64) as usize;
        self.faults_shown = general.faults_told;
        for (seq, report) in &general.faults[general.faults.len() - new..] {
            // Of a call that failed, whoever made it tells what that means.
            let own = |record: crate::model::Record| record.kind == Kind::Fault;
            let read = self.live_log.reader().and_then(|r| r.record(*seq).ok().flatten());
            if read.is_none_or(own) {
                self.toasts.fault(report.as_ref().clone(), *seq);
            }
        }
    }

    fn sandbox_told(&mut self, status: Status) {
        for session in std::mem::take(&mut self.book.doomed_jwts) {
            let mine = status.tokens.iter().filter(|t| t.kind == "jwt" && t.session.as_ref() == Some(&session));
            for token in mine.filter(|t| t.remaining_seconds >= 0) {
                self.send(Command::Order { order: Order::ExpireToken { token: token.id.clone(), in_seconds: None } });
            }
        }
        self.book.sandbox_asked = false;
        self.book.sandbox_status = Some(status);
    }

    /// Faults that count down and the sessions of the sandbox change with the traffic: while they are in view, they are
    /// asked for whenever there is more on record. One question at a time.
    fn ask_sandbox(&mut self) {
        let book = &self.book;
        let in_view = self.sandbox.open || book.sandbox_status.as_ref().is_some_and(|s| s.faulty);
        let records = self.live_log.status().records;
        if in_view
            && matches!(book.sandbox, SandboxState::Running { .. })
            && !book.sandbox_asked
            && book.sandbox_seen != records
            // Where the queue is full, the next frame asks.
            && self.backend.send(Command::AskSandbox).is_ok()
        {
            (self.book.sandbox_asked, self.book.sandbox_seen) = (true, records);
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::SessionMade { ticket, result } => {
                let pending = self.book.pending.remove(&ticket);
                self.tour_session(ticket, &result);
                self.both_session(ticket, &result);
                match (result, pending) {
                    (Ok(id), pending) => {
                        self.book.live.insert(id);
                        if pending.as_ref().is_some_and(Pending::is_in_sandbox) {
                            self.toasts.sandbox_works();
                        }
                        if let Some(Pending::Session(environment)) = pending {
                            if environment.reconnect {
                                self.book.reconnect.insert(id);
                            }
                            self.book.environments.insert(id, *environment);
                        }
                        // Made meanwhile: the running capture shows it as soon as it is in view again.
                        if self.saved_log.is_none() {
                            self.show(id);
                            self.want_composer = true;
                        }
                    }
                    (Err(report), _) => self.toasts.report(report),
                }
            }
            Event::SessionClosed { session } => {
                self.book.live.remove(&session);
            }
            Event::Sandbox(state) => self.sandbox_changed(state),
            Event::SandboxStatus(status) => self.sandbox_told(*status),
            Event::Vault(status) => self.book.vault = Some(status),
            Event::Job { job, done, total } => {
                if let Some(row) = self.book.jobs.iter_mut().find(|j| j.id == job) {
                    (row.done, row.total) = (done, total);
                }
            }
            Event::JobDone { job, result } => {
                self.book.jobs.retain(|j| j.id != job);
                match result {
                    Ok(text) => self.toasts.info(text),
                    Err(report) => self.toasts.report(report),
                }
            }
            Event::Probed { ticket, checks } => {
                self.book.pending.remove(&ticket);
                if matches!(self.book.probe, Probe::Running(t) if t == ticket) {
                    self.book.probe = Probe::Done(checks);
                }
            }
            Event::UserKept { environment_id, key, kept } => self.user_kept(&environment_id, key, kept),
            Event::SignIn { id, waiting: Some(waiting) } => drop(self.book.sign_ins.insert(id, *waiting)),
            Event::SignIn { id, waiting: None } => drop(self.book.sign_ins.remove(&id)),
            Event::Fault(report) => self.toasts.report(report),
            Event::Keys { environment_id, result } => self.keys_told(&environment_id, result),
            Event::SecretKept { key, result } => self.secret_told(key, result),
            Event::Kept { session, environment_id, key, kept } => {
                self.token_kept(session, environment_id, key, kept);
            }
        }
    }

    /// The keys of an environment changed: they are stored with it.
    fn keys_told(&mut self, environment_id: &str, result: Result<(Vec<KeyInfo>, String), Report>) {
        self.book.keys_pending = false;
        match result {
            Ok((keys, text)) => {
                match self.settings.environments.iter_mut().find(|e| e.id == environment_id) {
                    Some(environment) => environment.signing_keys = keys,
                    None => self.book.sandbox_keys = keys,
                }
                if !text.is_empty() {
                    self.toasts.info(text);
                }
            }
            Err(report) => self.toasts.report(report),
        }
    }

    fn sandbox_changed(&mut self, state: SandboxState) {
        if matches!(state, SandboxState::Running { .. }) {
            self.toasts.sandbox_works();
        }
        match &state {
            SandboxState::Running { environment, .. } if self.book.after_sandbox => {
                self.book.after_sandbox = false;
                let environment = environment.clone();
                self.book.sandbox = state;
                self.open_session(*environment, None);
                return;
            }
            SandboxState::Failed(report) => {
                self.book.after_sandbox = false;
                self.toasts.report(report.clone());
            }
            SandboxState::Stopped => {
                self.book.after_sandbox = false;
                self.book.sandbox_status = None;
                // A question that came too late has no answer.
                self.book.sandbox_asked = false;
            }
            _ => {}
        }
        self.book.sandbox = state;
    }

    /// Hands a command to the engine; a refusal is shown. True where it was taken.
    pub(super) fn send(&mut self, command: crate::engine::Command) -> bool {
        match self.backend.send(command) {
            Ok(()) => true,
            Err(report) => {
                self.toasts.report(report);
                false
            }
        }
    }

    pub(super) fn fail(&mut self, code: &str, title: &str, what: impl Into<String>) {
        self.toasts.report(Report::new(code, title, what));
    }
}
