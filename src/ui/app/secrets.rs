//! Secrets that go into the keyring and out of it. Said to be done only when the engine says so.

use std::collections::HashSet;
use std::time::Duration;

use super::{App, Keeping};
use crate::engine::{Command, secret_key};
use crate::model::agents::USER_TOKEN;
use crate::model::environment::{pasted_key, proxy_key};
use crate::model::{Report, Secret, SessionId, Wall};
use crate::ui::settings::{KeptSession, SANDBOX};

/// So many are asked for at once: the engine's queue has other work.
const AT_ONCE: usize = 8;
/// When the engine had no room.
const AGAIN: Duration = Duration::from_millis(500);

/// Which of the keys in [`crate::ui::settings::Settings::forget`] the engine was asked to forget in this run.
#[derive(Debug, Default)]
pub struct Forgetting {
    asked: HashSet<String>,
    waiting: usize,
}

impl App {
    /// Wants what is kept under this key gone. The key stays in the settings until it is.
    pub(super) fn forget(&mut self, key: String) {
        self.book.secrets.remove(&key);
        self.settings.user_keys.remove(&key);
        self.forgetting.asked.remove(&key);
        if !self.settings.forget.contains(&key) {
            self.settings.forget.push(key);
        }
    }

    /// Asks for what shall be forgotten, a few at a time.
    pub(super) fn go_on_forgetting(&mut self, ctx: &egui::Context) {
        while self.forgetting.waiting < AT_ONCE {
            let next = self.settings.forget.iter().find(|key| !self.forgetting.asked.contains(*key));
            let Some(key) = next.cloned() else { return };
            if self.backend.send(Command::ForgetSecret { key: key.clone() }).is_err() {
                // It has too much to do. Nothing is lost: the key stays in the list.
                ctx.request_repaint_after(AGAIN);
                return;
            }
            self.forgetting.asked.insert(key);
            self.forgetting.waiting += 1;
        }
    }

    /// A session's token that can be resumed, or cannot any more.
    pub(super) fn token_kept(&mut self, session: SessionId, environment_id: String, key: String, kept: bool) {
        self.settings.kept.retain(|k| k.key != key);
        if !kept {
            return;
        }
        if environment_id != SANDBOX && self.settings.environment(&environment_id).is_none() {
            // Its environment was deleted meanwhile: nobody could find it again.
            self.forget(key);
            return;
        }
        self.settings.forget.retain(|k| *k != key);
        let board = self.live_log.board();
        let name = board.session(session).map_or_else(String::new, |view| self.book.live_name(view));
        let at: Wall = self.clock.now().wall;
        let name = self.mask.text(&name);
        self.settings.kept.push(KeptSession { environment_id, key, name, at });
        self.settings.bound_kept();
    }

    pub(super) fn keep_secret(&mut self, key: String, value: Secret<String>) {
        if self.send(Command::KeepSecret { key: key.clone(), value }) {
            self.settings.forget.retain(|k| *k != key);
            if key.contains(USER_TOKEN) {
                self.settings.user_keys.insert(key.clone());
            }
            self.book.secrets.insert(key, Keeping::Waiting);
        }
    }

    /// A user's token is in the keyring, or not any more.
    pub(super) fn user_kept(&mut self, environment_id: &str, key: String, kept: bool) {
        if !kept {
            self.settings.user_keys.remove(&key);
        } else if self.settings.environment(environment_id).is_some() {
            self.settings.forget.retain(|k| *k != key);
            self.settings.user_keys.insert(key);
        } else {
            // Its environment was deleted meanwhile: nobody could find it again.
            self.forget(key);
        }
    }

    pub(super) fn secret_told(&mut self, key: String, result: Result<(), Report>) {
        if self.book.secrets.get(&key) == Some(&Keeping::Waiting) {
            self.secret_kept(key, result);
            return;
        }
        if self.forgetting.asked.contains(&key) {
            self.forgetting.waiting = self.forgetting.waiting.saturating_sub(1);
        }
        match result {
            Ok(()) => {
                self.forgetting.asked.remove(&key);
                self.settings.forget.retain(|k| *k != key);
            }
            // One card, however many keys the same keyring holds on to.
            Err(report) => self.toasts.report(report.remedy("What is left is tried again at the next start.")),
        }
    }

    fn secret_kept(&mut self, key: String, result: Result<(), Report>) {
        let keeping = match result {
            Ok(()) => {
                let place = self.book.vault.as_ref().filter(|v| v.lasting).map(|v| v.place.clone());
                self.toasts.info(match place {
                    Some(place) => format!("The secret is in the keyring ({place})."),
                    None => "The secret is kept in memory, until the window closes.".to_owned(),
                });
                Keeping::Kept
            }
            Err(report) => {
                self.toasts.report(report.clone());
                Keeping::Failed(report)
            }
        };
        if let Some(dialog) = self.dialog.as_mut().filter(|_| keeping == Keeping::Kept) {
            dialog.secret_kept(&key);
        }
        self.book.secrets.insert(key, keeping);
    }

    /// Deletes an environment with all that the keyring holds for it.
    pub(super) fn delete_environment(&mut self, id: &str) {
        self.settings.environments.retain(|e| e.id != id);
        if self.settings.chosen == id {
            self.settings.chosen = SANDBOX.to_owned();
        }
        self.forget(secret_key(id));
        self.forget(proxy_key(id));
        self.forget(pasted_key(id));
        let prefix = format!("{id}/");
        let keys = self.settings.user_keys.iter().filter(|key| key.starts_with(&prefix)).cloned();
        for key in keys.collect::<Vec<_>>() {
            self.forget(key);
        }
        self.forget_kept(|k| k.environment_id == id);
    }

    /// The sandbox of an earlier run is gone, and so is what could be resumed in it.
    pub(super) fn forget_old_sandbox(&mut self) {
        self.forget_kept(|k| k.environment_id == SANDBOX);
    }

    /// Forgets the tokens of kept sessions.
    pub(super) fn forget_kept(&mut self, which: impl Fn(&KeptSession) -> bool) {
        let (gone, left): (Vec<_>, Vec<_>) = std::mem::take(&mut self.settings.kept).into_iter().partition(which);
        self.settings.kept = left;
        gone.into_iter().for_each(|kept| self.forget(kept.key));
    }
}
