//! How people sign in as agents of an environment.

use egui::{CollapsingHeader, ComboBox, DragValue, Ui};

use super::environment_form::{optional, warn};
use super::secret_field::SecretField;
use super::{field, field_of, field_width, text, under};
use crate::model::agents::{Agents, SignIn, user_token_key};
use crate::model::{Environment, Report};
use crate::ui::app::{Acts, Scene};

/// What is typed and does not belong to the environment.
#[derive(Debug, Default)]
pub struct AgentsForm {
    /// Whose token is pasted.
    person: String,
    token: SecretField,
}

impl AgentsForm {
    fn key(&self, environment_id: &str) -> String {
        user_token_key(environment_id, self.person.trim())
    }

    pub fn secret_kept(&mut self, environment_id: &str, key: &str) {
        if self.key(environment_id) == key {
            self.token.kept();
        }
    }

    pub fn save(&mut self, environment_id: &str, acts: &mut Acts) -> bool {
        let key = self.key(environment_id);
        self.token.save(key, acts)
    }

    pub fn is_unsaved(&self) -> bool {
        self.token.is_unsaved()
    }

    pub fn paint(&mut self, ui: &mut Ui, e: &mut Environment, scene: &Scene<'_>) {
        let changed = e.agents != Agents::default();
        let title = if changed { "Agents · changed" } else { "Agents" };
        CollapsingHeader::new(title).id_salt("agents").show(ui, |ui| {
            let mut way = e.agents.sign_in;
            field(ui, "Users sign in", |ui| {
                ComboBox::from_id_salt("agents-sign-in")
                    .selected_text(name(way))
                    .width(field_width(ui))
                    .show_ui(ui, |ui| {
                        for one in [SignIn::Browser, SignIn::Pasted] {
                            ui.selectable_value(&mut way, one, name(one));
                        }
                    })
                    .response
                    .accessible_name("Users sign in");
            });
            e.agents.sign_in = way;
            match way {
                SignIn::Browser => browser(ui, e),
                SignIn::Pasted => self.pasted(ui, e, scene),
            }
        });
    }

    fn pasted(&mut self, ui: &mut Ui, e: &Environment, scene: &Scene<'_>) {
        text(ui, "Token of", &mut self.person, "agent@example.com; empty for everybody");
        let key = self.key(&e.id);
        let stored = scene.settings.environment(&e.id).is_some();
        self.token.paint(ui, "User's token", &key, stored, scene);
        under(ui, "It is used as it is and cannot be renewed. Client credentials have no user and will not do.");
    }
}

fn browser(ui: &mut Ui, e: &mut Environment) {
    let own = e.client_id.clone().filter(|c| !c.trim().is_empty());
    let a = &mut e.agents;
    optional(ui, "Client id for agents", &mut a.client_id, own.as_deref().unwrap_or("of an OAuth client with PKCE"));
    under(ui, "Its grant type is “code authorization (PKCE)”; it needs no secret.");
    optional(ui, "Redirect URI", &mut a.redirect_uri, "http://localhost:8400/callback");
    match a.redirect() {
        Err(report) => field_of(ui, |ui| warn(ui, &report.what)),
        Ok(_) if a.redirect_uri.is_some() => under(ui, "Registered with the client, to the letter."),
        Ok(redirect) => {
            number(ui, "Redirect port", &mut a.redirect_port, "");
            match redirect.port {
                0 => under(ui, "0: any free port. Most clients want one that is registered."),
                port => under(ui, &format!("Register {} with the client.", redirect.uri(port))),
            }
        }
    }
    number(ui, "Browser within", &mut a.sign_in_secs, " s");
    optional(ui, "Login organisation", &mut a.login_org, "acme, where the login page shall not ask for it");
    optional(ui, "Identity provider", &mut a.provider, "okta, adfs …, together with the organisation");
    text(ui, "Scope", &mut a.scope, "all that the client has");
    number(ui, "Token renewed early", &mut a.early_secs, " s");
}

fn name(way: SignIn) -> &'static str {
    match way {
        SignIn::Browser => "By the browser (code with PKCE)",
        SignIn::Pasted => "By a pasted token",
    }
}

fn number<N: egui::emath::Numeric>(ui: &mut Ui, name: &str, value: &mut N, unit: &str) {
    field(ui, name, |ui| {
        let most = if N::MAX.to_f64() > 86_400.0 { N::from_f64(86_400.0) } else { N::MAX };
        ui.add(DragValue::new(value).suffix(unit).range(N::from_f64(0.0)..=most)).accessible_name(name);
    });
}

/// Why nobody could sign in so.
pub fn problem(agents: &Agents) -> Option<Report> {
    agents.redirect().err().filter(|_| agents.sign_in == SignIn::Browser)
}
