//! How a guest signs in: for a new session, and for one that is under way.

use egui::{Label, RichText, TextEdit, Ui};

use super::session::Masked;
use super::{field, field_of, field_width, text, under};
use crate::dialect::Wish;
use crate::model::login::Login;
use crate::model::{Environment, Secret, SessionId};
use crate::ui::app::{Acts, Scene};
use crate::ui::theme::{space, tokens};
use crate::ui::widgets::{Weight, button, segmented};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum With {
    Code,
    IdToken,
    Sandbox,
}

/// What is filled in. Codes and tokens are wiped when it goes.
#[derive(Debug)]
pub struct LoginForm {
    with: With,
    code: Masked,
    verifier: Masked,
    token: Masked,
    nonce: String,
    person: String,
    implicit: bool,
}

impl Default for LoginForm {
    fn default() -> Self {
        Self {
            with: With::Sandbox,
            code: Masked::default(),
            verifier: Masked::default(),
            token: Masked::default(),
            nonce: String::new(),
            person: "ada.lovelace@example.invalid".to_owned(),
            implicit: false,
        }
    }
}

impl LoginForm {
    pub fn paint(&mut self, ui: &mut Ui, environment: &Environment) {
        let own = environment.control.is_some();
        if !own && self.with == With::Sandbox {
            self.with = With::Code;
        }
        field(ui, "Signs in with", |ui| {
            let all = [(With::Sandbox, "sandbox"), (With::Code, "code"), (With::IdToken, "id token")];
            let options = if own { &all[..] } else { &all[1..] };
            segmented(ui, "Signs in with", &mut self.with, options);
        });
        let auth = &environment.guest_auth;
        match self.with {
            With::Sandbox => {
                text(ui, "Person", &mut self.person, "name or e-mail");
                field_of(ui, |ui| ui.checkbox(&mut self.implicit, "Id token instead of a code (no refresh)"));
                under(ui, "The sandbox's identity provider gives a code at once, to whoever is named.");
            }
            With::Code => {
                masked(ui, "Code", &mut self.code.0, "of the identity provider, one use");
                masked(ui, "Code verifier", &mut self.verifier.0, "of PKCE, where it was used");
                self.nonce(ui, auth.nonce.as_deref());
                let redirect = auth.redirect_uri.trim();
                if redirect.is_empty() {
                    field_of(ui, |ui| {
                        let what =
                            "The environment has no redirect URI. It must be the one that the code was made for.";
                        ui.add(Label::new(RichText::new(what).small().color(tokens(ui).amber.ink)).wrap());
                    });
                } else {
                    under(ui, &format!("Redirect URI: {redirect}"));
                }
            }
            With::IdToken => {
                masked(ui, "Id token", &mut self.token.0, "eyJ…");
                self.nonce(ui, auth.nonce.as_deref());
                under(ui, "There is no refresh: when its JWT ends, the guest signs in again.");
            }
        }
    }

    fn nonce(&mut self, ui: &mut Ui, usual: Option<&str>) {
        text(ui, "Nonce", &mut self.nonce, usual.unwrap_or("of the authorization request, where it had one"));
    }

    pub fn is_ready(&self) -> bool {
        match self.with {
            With::Sandbox => true,
            With::Code => !self.code.0.trim().is_empty(),
            With::IdToken => !self.token.0.trim().is_empty(),
        }
    }

    pub fn login(&self) -> Login {
        let secret = |m: &Masked| Secret::from(m.0.trim());
        let nonce = Some(self.nonce.trim().to_owned()).filter(|n| !n.is_empty());
        match self.with {
            With::Sandbox => Login::Sandbox { person: self.person.trim().to_owned(), implicit: self.implicit },
            With::Code => {
                let verifier = (!self.verifier.0.trim().is_empty()).then(|| secret(&self.verifier));
                Login::Code { code: secret(&self.code), verifier, nonce }
            }
            With::IdToken => Login::IdToken { token: secret(&self.token), nonce },
        }
    }
}

fn masked(ui: &mut Ui, name: &str, value: &mut String, hint: &str) {
    field(ui, name, |ui| {
        let edit = TextEdit::singleline(value).password(true).hint_text(hint).desired_width(field_width(ui));
        ui.add(edit).accessible_name(name);
    });
}

/// Signs the guest of a session in that is there already.
#[derive(Debug)]
pub struct SignIn {
    session: SessionId,
    form: LoginForm,
}

impl SignIn {
    pub fn new(session: SessionId) -> Self {
        Self { session, form: LoginForm::default() }
    }

    pub fn paint(&mut self, ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) -> bool {
        let usual = Environment::default();
        self.form.paint(ui, scene.book.environments.get(&self.session).unwrap_or(&usual));
        let view = scene.board.session(self.session);
        let open = view.and_then(|v| v.state.as_ref()).is_some_and(|s| s.word() == "ready");
        under(
            ui,
            match open {
                true => "The session is stepped up on its socket; what was said stays.",
                false => "The session is opened with it.",
            },
        );
        ui.add_space(space::NORMAL);
        let ready = self.form.is_ready();
        let mut done = false;
        ui.horizontal(|ui| {
            ui.add_enabled_ui(ready, |ui| {
                if button(ui, None, "Sign in", Weight::Primary).clicked() {
                    acts.wish(self.session, Wish::SignIn(self.form.login()));
                    done = true;
                }
            });
            done |= button(ui, None, "Cancel", Weight::Normal).clicked();
        });
        done
    }
}
