//! A person signs in: the code, the refresh token where one is given, and when a browser may be opened.
//!
//! A browser is opened only on a person's wish: by signing in, by connecting a session, by the menu of the clock.
//! Where a token dies later, its refresh token renews it; without one, it is said that somebody has to sign in again.

use super::*;
use crate::dialect::sign_in::Back;

/// How far it is.
#[derive(Debug, Default)]
pub(super) struct Code {
    stage: Stage,
    /// A person wants a token, and may be asked for it.
    pub(super) wished: bool,
    /// It was looked whether a refresh token is kept.
    looked: bool,
    pub(super) refresh: Option<Secret<String>>,
    /// Why there will be no token, where more is known than the keeper knows.
    pub(super) why: Option<Report>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    #[default]
    Idle,
    /// For a refresh token that was kept.
    Looking,
    Renewing,
    /// A person is at the login page. `keeper`: it waits for the outcome; otherwise the token at hand stays till then.
    Asking {
        keeper: bool,
    },
    Exchanging {
        keeper: bool,
    },
}

impl Credential {
    pub(super) fn is_code(&self) -> bool {
        matches!(self.source, Source::Code { .. })
    }

    /// A person wants a token: where nothing else helps, the login page may be shown, once.
    pub fn by_person(&mut self) {
        self.code.wished = true;
    }

    /// There is a token that may be sent now.
    pub fn is_live(&self, at: At) -> bool {
        self.keeper.live(at).is_some()
    }

    /// What came of [`Deed::SignIn`].
    pub fn came_back(&mut self, at: At, result: Result<Back, Report>, out: &mut Vec<Deed>) {
        let Stage::Asking { keeper } = self.code.stage else { return };
        match result {
            Ok(back) => {
                self.code.stage = Stage::Exchanging { keeper };
                (self.asked, self.by) = (Some(at), "you");
                out.push(Deed::Learn(SecretKind::Other, back.code.clone()));
                out.push(Deed::Learn(SecretKind::Other, back.verifier.clone()));
                out.extend(self.form(&[
                    ("grant_type", "authorization_code"),
                    ("code", back.code.expose()),
                    ("code_verifier", back.verifier.expose()),
                    ("redirect_uri", &back.redirect_uri),
                ]));
            }
            Err(report) => {
                self.code.stage = Stage::Idle;
                self.gone_wrong(at, keeper, report, out);
            }
        }
    }

    /// The keeper wants a token.
    pub(super) fn fetch_by_code(&mut self, at: At, out: &mut Vec<Deed>) {
        match &mut self.code.stage {
            Stage::Asking { keeper } | Stage::Exchanging { keeper } => *keeper = true,
            Stage::Looking | Stage::Renewing => {}
            Stage::Idle if self.code.refresh.is_some() => {
                self.code.stage = Stage::Renewing;
                let token = self.code.refresh.clone().unwrap_or_else(|| Secret::from(""));
                out.extend(self.form(&[("grant_type", "refresh_token"), ("refresh_token", token.expose())]));
            }
            Stage::Idle if !self.code.looked => {
                self.code.looked = true;
                self.code.stage = Stage::Looking;
                out.push(Deed::Read);
            }
            Stage::Idle if self.code.wished => self.ask_person(true, out),
            Stage::Idle => {
                let what = match self.clock {
                    Some(_) => "cannot be renewed by itself: no refresh token was given for it.",
                    None => "can be got only by a person.",
                };
                let report = self.again(what);
                self.gone_wrong(at, true, report, out);
            }
        }
    }

    fn again(&self, what: &str) -> Report {
        Report::new("sign-in-again", "Somebody has to sign in", format!("The token “{}” {what}", self.shown.title))
            .remedy("Connect the session again, or choose “Refresh now” in the menu of the token's clock.")
    }

    /// Sends a person to the login page, unless one is there already.
    pub(super) fn ask_person(&mut self, keeper: bool, out: &mut Vec<Deed>) {
        self.code.wished = false;
        if let Stage::Idle = self.code.stage
            && let Source::Code { asking, .. } = &self.source
        {
            self.code.stage = Stage::Asking { keeper };
            out.push(Deed::SignIn(asking.clone()));
        }
    }

    pub(super) fn stop_person(&mut self, out: &mut Vec<Deed>) {
        if matches!(self.code.stage, Stage::Asking { .. }) {
            out.push(Deed::StopSignIn);
        }
        self.code.stage = Stage::Idle;
    }

    fn gone_wrong(&mut self, at: At, keeper: bool, report: Report, out: &mut Vec<Deed>) {
        if !keeper {
            // What is at hand is as good as before.
            self.waiting.remove(&PERSON);
            return out.push(Deed::State(Fact::Fault(report)));
        }
        self.code.why = Some(report);
        let then = self.keeper.failed(at, "nobody signed in", None, true);
        self.follow(at, then, KEEPER, out);
    }

    /// What was found where refresh tokens are kept.
    pub(super) fn found(&mut self, at: At, found: Result<Option<Secret<String>>, Report>, out: &mut Vec<Deed>) {
        self.code.stage = Stage::Idle;
        match found {
            Ok(Some(token)) if !token.expose().trim().is_empty() => {
                let token = Secret::new(token.expose().trim().to_owned());
                out.push(Deed::Learn(SecretKind::RefreshToken, token.clone()));
                self.code.refresh = Some(token);
            }
            Ok(_) => {}
            // A person can sign in all the same.
            Err(report) => out.push(Deed::State(Fact::Fault(report))),
        }
        self.fetch_by_code(at, out);
    }

    /// The token endpoint has answered. True where nothing is left to do.
    pub(super) fn code_answered(&mut self, at: At, status: u16, body: &[u8], out: &mut Vec<Deed>) -> bool {
        let stage = std::mem::take(&mut self.code.stage);
        let good = (200..300).contains(&status);
        match stage {
            Stage::Exchanging { keeper } => {
                match Granted::read(body).filter(|_| good) {
                    Some(granted) => {
                        if !keeper {
                            // Another than the one at hand was wished for.
                            self.keeper.forget();
                        }
                        self.renewable(granted.refresh.as_deref(), true, out);
                        self.granted(at, granted, out);
                    }
                    None => {
                        let report = self.code_refused(status, body);
                        self.gone_wrong(at, keeper, report, out);
                    }
                }
                true
            }
            Stage::Renewing if good => {
                if let Some(granted) = Granted::read(body) {
                    self.renewable(granted.refresh.as_deref(), false, out);
                }
                false
            }
            Stage::Renewing if matches!(status, 400 | 401) => {
                self.forget_refresh(out);
                if self.code.wished {
                    self.ask_person(true, out);
                } else {
                    let told = message_of(status, body);
                    let report =
                        self.again(&format!("was not renewed: the refresh token was refused with {status} ({told})."));
                    self.gone_wrong(at, true, report, out);
                }
                true
            }
            _ => false,
        }
    }

    fn code_refused(&self, status: u16, body: &[u8]) -> Report {
        let what = match status {
            200..300 => format!("{} answered without a token.", self.place()),
            _ => format!("{} answered {status}: {}.", self.place(), message_of(status, body).trim_end_matches('.')),
        };
        match status {
            400..=428 => Report::new("sign-in-code", "The token endpoint refused the code of the sign-in", what)
                .remedy("Sign in again: a code is good once, and not for long.")
                .remedy("Check that the client's grant type is “code authorization (PKCE)”, and its redirect URI.")
                .remedy("Check the region: clients live in one region only."),
            _ => Report::new("sign-in-failed", "There is no OAuth token", what).remedy("Sign in again in a moment."),
        }
    }

    /// No answer came. True where nothing is left to do.
    pub(super) fn code_unanswered(&mut self, at: At, report: &Report, out: &mut Vec<Deed>) -> bool {
        let Stage::Exchanging { keeper } = std::mem::take(&mut self.code.stage) else { return false };
        // Whether the code was used is not known.
        let what = format!("{} did not answer: {report}", self.place());
        let report = Report::new("sign-in-failed", "There is no OAuth token", what).remedy("Sign in again.");
        self.gone_wrong(at, keeper, report, out);
        true
    }

    /// A token came; with a refresh token it can be renewed. The one at hand goes on where renewing gave none.
    fn renewable(&mut self, refresh: Option<&str>, anew: bool, out: &mut Vec<Deed>) {
        self.code.looked = true;
        if let Some(refresh) = refresh {
            let refresh = Secret::from(refresh);
            out.push(Deed::Learn(SecretKind::RefreshToken, refresh.clone()));
            out.push(Deed::Keep(Some(refresh.clone())));
            self.code.refresh = Some(refresh);
        } else if anew {
            self.forget_refresh(out);
        }
        let renews = self.code.refresh.is_some();
        self.keeper.set_policy(if renews { self.early } else { Duration::ZERO }, renews);
    }

    /// Also the one that an earlier run has kept.
    pub(super) fn forget_refresh(&mut self, out: &mut Vec<Deed>) {
        if self.is_code() && (self.code.refresh.take().is_some() || !std::mem::replace(&mut self.code.looked, true)) {
            out.push(Deed::Keep(None));
        }
    }

    /// A call of the token endpoint by the client without a secret.
    fn form(&self, words: &[(&str, &str)]) -> Option<Deed> {
        let Source::Code { url, asking } = &self.source else { return None };
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(words).append_pair("client_id", &asking.client_id);
        Some(Deed::Fetch(Call {
            method: "POST",
            url: url.clone(),
            headers: vec![("content-type".into(), "application/x-www-form-urlencoded".into())],
            body: Bytes::from(form.finish()),
            purpose: "token, by code",
            ..Call::default()
        }))
    }
}

#[cfg(test)]
mod tests;
