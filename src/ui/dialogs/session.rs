//! Small forms about a session: a new one with options, another name, a note.

use egui::{ComboBox, Key, Modifiers, TextEdit, Ui};

use super::flow_form::{self, FlowForm};
use super::login::LoginForm;
use super::{field, field_of, field_width, hint, text, under};
use crate::dialect::guest_resource::KEPT;
use crate::engine::Command;
use crate::model::agents::AgentForm;
use crate::model::{DialectId, Environment, Secret, SessionId};
use crate::ui::app::{Act, Acts, Scene};
use crate::ui::settings::{KeptSession, SANDBOX};
use crate::ui::theme::space;
use crate::ui::widgets::{Weight, button, segmented};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Fresh,
    Given,
    Kept,
}

#[derive(Debug)]
pub struct NewSession {
    name: String,
    environment: String,
    dialect: DialectId,
    flow: FlowForm,
    agent: AgentForm,
    token: Token,
    given: Masked,
    /// The guest signs in.
    authenticated: bool,
    login: LoginForm,
    /// Key of the kept session to resume.
    kept: String,
    connect: bool,
}

/// What is typed into a password field; wiped when it goes.
#[derive(Default)]
pub struct Masked(pub String);

impl std::fmt::Debug for Masked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masked(…)")
    }
}

impl Drop for Masked {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.0.zeroize();
    }
}

impl NewSession {
    pub fn new(environment: &str, name: String) -> Self {
        Self {
            name,
            environment: environment.to_owned(),
            dialect: DialectId::default(),
            flow: FlowForm::default(),
            agent: AgentForm { on_queue: true, ..AgentForm::default() },
            token: Token::Fresh,
            given: Masked::default(),
            authenticated: false,
            login: LoginForm::default(),
            kept: String::new(),
            connect: true,
        }
    }

    fn chosen<'a>(&self, scene: &'a Scene<'_>) -> Option<&'a Environment> {
        if self.environment == SANDBOX {
            scene.book.sandbox_environment()
        } else {
            scene.settings.environment(&self.environment)
        }
    }

    /// Lets choose among the sessions of the environment whose tokens the keyring holds.
    fn choose_kept(&mut self, ui: &mut Ui, scene: &Scene<'_>) {
        let of_flow = |k: &&KeptSession| k.key.contains(KEPT) == (self.dialect == DialectId::GuestResource);
        let mine: Vec<&KeptSession> =
            scene.settings.kept.iter().rev().filter(|k| k.environment_id == self.environment).filter(of_flow).collect();
        if !mine.iter().any(|k| k.key == self.kept) {
            self.kept = mine.first().map(|k| k.key.clone()).unwrap_or_default();
        }
        if mine.is_empty() {
            under(ui, "No session of this environment was kept.");
            return;
        }
        let title = |k: &KeptSession| {
            let when = crate::ui::format::day_and_time(k.at, scene.settings.utc);
            format!("{} · {when}", if k.name.is_empty() { "session" } else { &k.name })
        };
        field(ui, "Kept session", |ui| {
            let chosen = mine.iter().find(|k| k.key == self.kept).map(|k| title(k)).unwrap_or_default();
            ComboBox::from_id_salt("kept-session")
                .selected_text(chosen)
                .width(field_width(ui))
                .truncate()
                .show_ui(ui, |ui| {
                    for k in &mine {
                        ui.selectable_value(&mut self.kept, k.key.clone(), title(k));
                    }
                })
                .response
                .accessible_name("Kept session");
        });
        under(ui, "Resumes that session with the token that was kept.");
    }

    pub fn paint(&mut self, ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) -> bool {
        text(ui, "Name", &mut self.name, "Guest 1");
        field(ui, "Environment", |ui| {
            let name = scene.settings.environment(&self.environment).map_or("Sandbox", |e| e.name.as_str());
            ComboBox::from_id_salt("new-session-environment")
                .selected_text(name)
                .width(field_width(ui))
                .truncate()
                .show_ui(ui, |ui| {
                    ui.selectable_value(&mut self.environment, SANDBOX.to_owned(), "Sandbox");
                    for e in &scene.settings.environments {
                        ui.selectable_value(&mut self.environment, e.id.clone(), &e.name);
                    }
                })
                .response
                .accessible_name("Environment of the session");
        });
        field(ui, "Flow", |ui| {
            ComboBox::from_id_salt("new-session-dialect")
                .selected_text(self.dialect.title())
                .width(field_width(ui))
                .truncate()
                .show_ui(ui, |ui| {
                    for dialect in DialectId::ALL {
                        let title = match dialect.is_verified() {
                            true => dialect.title().to_owned(),
                            false => format!("{} · unverified", dialect.title()),
                        };
                        ui.selectable_value(&mut self.dialect, dialect, title);
                    }
                })
                .response
                .accessible_name("Flow of the session");
        });
        if self.chosen(scene).is_some_and(|e| self.lacks_deployment(e)) {
            under(
                ui,
                "Web Messaging needs the id of a deployment, and this environment has none. Choose another flow.",
            );
        }
        if self.dialect == DialectId::Agent {
            self.choose_agent(ui, scene);
        } else if self.dialect.is_verified() {
            self.choose_token(ui, scene);
            self.choose_guest(ui, scene);
        } else {
            flow_form::unverified(ui, self.dialect, acts);
            if let Some(environment) = self.chosen(scene).cloned() {
                self.flow.paint(ui, self.dialect, &environment, scene, acts);
            }
            if self.dialect == DialectId::GuestResource {
                self.choose_resume(ui, scene);
            }
        }
        field_of(ui, |ui| ui.checkbox(&mut self.connect, "Connect at once"));
        ui.add_space(space::NORMAL);
        self.finish(ui, scene, acts)
    }

    fn lacks_deployment(&self, environment: &Environment) -> bool {
        self.dialect == DialectId::WebMessaging && environment.deployment_id.trim().is_empty()
    }

    /// Who signs in, and what they do first.
    fn choose_agent(&mut self, ui: &mut Ui, scene: &Scene<'_>) {
        // What was suggested before an agent was chosen.
        if let Some(number) = self.name.strip_prefix("Guest ").filter(|n| n.parse::<u32>().is_ok()) {
            self.name = format!("Agent {number}");
        }
        if self.environment == SANDBOX && self.agent.user.is_empty() {
            self.agent.user = scene.book.sandbox_agents().first().map(|a| a.email.clone()).unwrap_or_default();
        }
        let agents = if self.environment == SANDBOX { scene.book.sandbox_agents() } else { &[] };
        if agents.is_empty() {
            text(ui, "User", &mut self.agent.user, "name@example.com");
            under(ui, "A hint for the login page. Sessions with the same user share one sign-in.");
        } else {
            field(ui, "User", |ui| {
                let shown = agents.iter().find(|a| a.email == self.agent.user);
                ComboBox::from_id_salt("new-session-agent")
                    .selected_text(shown.map_or("choose", |a| a.name.as_str()))
                    .width(field_width(ui))
                    .show_ui(ui, |ui| {
                        for a in agents {
                            ui.selectable_value(&mut self.agent.user, a.email.clone(), &a.name);
                        }
                    })
                    .response
                    .accessible_name("User");
            });
            under(ui, "The sandbox signs them in at once; elsewhere the browser opens.");
        }
        field_of(ui, |ui| ui.checkbox(&mut self.agent.on_queue, "Go on queue at once"));
        field_of(ui, |ui| ui.checkbox(&mut self.agent.auto_answer, "Answer every alert by itself"));
    }

    /// The token of a session of web messaging.
    fn choose_token(&mut self, ui: &mut Ui, scene: &Scene<'_>) {
        field(ui, "Session token", |ui| {
            let options = [(Token::Fresh, "fresh"), (Token::Given, "given"), (Token::Kept, "kept")];
            segmented(ui, "Session token", &mut self.token, &options);
        });
        match self.token {
            Token::Fresh => under(ui, "A new guest, unknown to the server."),
            Token::Given => {
                field(ui, "Token", |ui| {
                    let edit = TextEdit::singleline(&mut self.given.0).password(true).desired_width(field_width(ui));
                    ui.add(edit).accessible_name("Token");
                });
                under(ui, "Resumes the session of this token, as another device of the same guest would.");
            }
            Token::Kept => self.choose_kept(ui, scene),
        }
    }

    /// Who the guest is to the server.
    fn choose_guest(&mut self, ui: &mut Ui, scene: &Scene<'_>) {
        if self.dialect != DialectId::WebMessaging {
            return;
        }
        field(ui, "Guest", |ui| {
            segmented(ui, "Guest", &mut self.authenticated, &[(false, "anonymous"), (true, "authenticated")]);
        });
        if let Some(environment) = self.chosen(scene).filter(|_| self.authenticated) {
            self.login.paint(ui, environment);
        }
    }

    /// A guest resource goes on with the session that was kept, unless a new guest is wanted.
    fn choose_resume(&mut self, ui: &mut Ui, scene: &Scene<'_>) {
        field(ui, "Guest", |ui| {
            segmented(ui, "Guest", &mut self.token, &[(Token::Fresh, "new"), (Token::Kept, "kept")]);
        });
        match self.token {
            Token::Kept => self.choose_kept(ui, scene),
            _ => under(ui, "A new guest. Its token is kept in the keyring, so that a later session can resume it."),
        }
    }

    fn finish(&mut self, ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) -> bool {
        let environment = self.chosen(scene).cloned();
        let mut done = false;
        ui.horizontal(|ui| match environment {
            Some(environment) => {
                let ready = match self.token {
                    _ if self.lacks_deployment(&environment) => false,
                    Token::Fresh => true,
                    Token::Given => !self.given.0.trim().is_empty(),
                    Token::Kept => !self.kept.is_empty(),
                };
                let signs_in = self.authenticated && self.dialect == DialectId::WebMessaging;
                let ready = ready && (!signs_in || self.login.is_ready());
                ui.add_enabled_ui(ready, |ui| {
                    if button(ui, None, "Open session", Weight::Primary).clicked() {
                        let kept = self.kept.clone();
                        let (form, environment) = self.flow.finish(self.dialect, environment);
                        acts.push(Act::OpenSession {
                            dialect: self.dialect,
                            environment: Box::new(environment),
                            form: Box::new(form),
                            agent: Box::new(self.agent.clone()),
                            name: self.name.trim().to_owned(),
                            token: (self.token == Token::Given).then(|| Secret::from(self.given.0.trim())),
                            kept: (self.token == Token::Kept).then_some(kept),
                            login: signs_in.then(|| self.login.login()),
                            connect: self.connect,
                        });
                        done = true;
                    }
                });
                done |= button(ui, None, "Cancel", Weight::Normal).clicked();
            }
            None => {
                ui.label("The sandbox does not run.");
                if button(ui, None, "Start it", Weight::Primary).clicked() {
                    acts.push(Act::Sandbox(true));
                }
            }
        });
        done
    }
}

#[derive(Debug)]
pub struct Rename {
    pub session: SessionId,
    pub name: String,
}

impl Rename {
    pub fn paint(&mut self, ui: &mut Ui, acts: &mut Acts) -> bool {
        let response = text(ui, "Name", &mut self.name, "Guest 1");
        let enter = response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
        under(ui, "The name is used in this window; the records keep the one that the session was made with.");
        ui.add_space(space::NORMAL);
        let ready = !self.name.trim().is_empty();
        let pressed = ui.add_enabled_ui(ready, |ui| button(ui, None, "Rename", Weight::Primary).clicked()).inner;
        if ready && (pressed || enter) {
            acts.push(Act::Rename(self.session, self.name.trim().to_owned()));
            return true;
        }
        false
    }
}

#[derive(Debug)]
pub struct Note {
    pub session: SessionId,
    /// Record that it is about, zero for this moment.
    pub on: u64,
    pub text: String,
}

impl Note {
    pub fn paint(&mut self, ui: &mut Ui, acts: &mut Acts) -> bool {
        hint(
            ui,
            &if self.on > 0 {
                format!("On record {}. The note becomes a record of its own.", self.on)
            } else {
                "On this moment. The note becomes a record of its own.".to_owned()
            },
        );
        // Enter alone makes a line.
        let enter = ui.input_mut(|i| i.consume_key(Modifiers::COMMAND, Key::Enter));
        let edit = TextEdit::multiline(&mut self.text).desired_rows(4).desired_width(f32::INFINITY);
        let response = ui.add(edit.id_salt("note")).accessible_name("Text of the note");
        if self.text.is_empty() && !response.has_focus() {
            response.request_focus();
        }
        ui.add_space(space::NORMAL);
        let ready = !self.text.trim().is_empty();
        let pressed = ui.add_enabled_ui(ready, |ui| button(ui, None, "Keep note", Weight::Primary).clicked()).inner;
        let kept = ready && (pressed || enter);
        if kept {
            let text = self.text.trim().to_owned();
            acts.push(Act::Engine(Box::new(Command::Note { session: self.session, on: self.on, text })));
        }
        kept
    }
}
