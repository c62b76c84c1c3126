//! What a session of an unverified flow is made with: only what the flow needs, with usual values filled in.

use egui::{ComboBox, DragValue, TextEdit, Ui};

use super::{field, field_width, hint, text, under};
use crate::model::flows::{GuestForm, RefreshForm, RenewBy, SendForm};
use crate::model::{DialectId, Environment, KeyInfo, KeyState, UNVERIFIED};
use crate::ui::app::{Act, Acts, Scene};
use crate::ui::dialogs::Dialog;
use crate::ui::settings::SANDBOX;
use crate::ui::widgets::{Icon, Tone, Weight, badge, button};

/// Longest session that the managed flow's description allows; the environment may name another limit.
const USUAL_LENGTH: u32 = 1800;

#[derive(Debug, Default)]
pub struct FlowForm {
    form: GuestForm,
    capabilities: String,
    attributes: String,
    /// Overrides the environment's for this session.
    send_form: Option<SendForm>,
    refresh_form: Option<RefreshForm>,
    renew_by: Option<RenewBy>,
    /// The environment whose values were filled in.
    filled: Option<(DialectId, String)>,
}

impl FlowForm {
    /// The form of the session, and its environment with what was chosen for this session.
    pub fn finish(&self, dialect: DialectId, mut environment: Environment) -> (GuestForm, Environment) {
        let mut form = self.form.clone();
        form.attributes = pairs(&self.attributes);
        if dialect == DialectId::ManagedConversation {
            form.capabilities = Some(list(&self.capabilities));
        }
        let flows = &mut environment.flows;
        if let Some(chosen) = self.send_form {
            flows.session_token.send_form = chosen;
        }
        if let Some(chosen) = self.refresh_form {
            flows.session_token.refresh_form = chosen;
        }
        if let Some(chosen) = self.renew_by {
            flows.external_contact.renew_by = chosen;
        }
        (form, environment)
    }

    /// Fills in what is usual, once for each flow and environment.
    fn fill(&mut self, dialect: DialectId, environment: &Environment) {
        let now = (dialect, environment.id.clone());
        if self.filled.as_ref() == Some(&now) {
            return;
        }
        self.filled = Some(now);
        let sandbox = environment.id == SANDBOX;
        let form = &mut self.form;
        form.queue_id = environment.queue_id.clone().unwrap_or_default();
        if form.guest_id.is_empty() {
            form.guest_id = "guest-1".to_owned();
        }
        if sandbox && form.skill.is_empty() {
            form.skill = "support".to_owned();
        }
        self.capabilities = environment.flows.managed_conversation.required_capabilities.join(", ");
    }

    pub fn paint(
        &mut self,
        ui: &mut Ui,
        dialect: DialectId,
        environment: &Environment,
        scene: &Scene<'_>,
        acts: &mut Acts,
    ) {
        self.fill(dialect, environment);
        let form = &mut self.form;
        match dialect {
            DialectId::WebMessaging | DialectId::Agent => {}
            DialectId::SessionToken => {
                let flow = &environment.flows.session_token;
                let titles = SendForm::ALL.map(|f| (f, f.title()));
                choice(ui, "Message form", &mut self.send_form, flow.send_form, &titles);
                let titles = RefreshForm::ALL.map(|f| (f, f.title()));
                choice(ui, "Token refresh", &mut self.refresh_form, flow.refresh_form, &titles);
                under(ui, "Both are in dispute. The composer can choose another form for each message.");
            }
            DialectId::ExternalContact => {
                text(ui, "Contact id", &mut form.contact_id, "as the greeting tells it");
                under(ui, "One that differs from the handshake's session id is marked.");
                text(ui, "To", &mut form.to, "agent");
                let flow = &environment.flows.external_contact;
                let titles = RenewBy::ALL.map(|f| (f, f.title()));
                choice(ui, "Token renewed by", &mut self.renew_by, flow.renew_by, &titles);
            }
            DialectId::SignedGuest => {
                text(ui, "Guest id", &mut form.guest_id, "user-1");
                queue(ui, form);
                text(ui, "Skills", &mut form.skill, "none; several with commas");
                lines(ui, "Claims", &mut self.attributes);
                signing_key(ui, environment, scene, acts);
            }
            DialectId::ManagedConversation => {
                text(ui, "Guest id", &mut form.guest_id, "user-1");
                text(ui, "Guest name", &mut form.name, "Guest");
                queue(ui, form);
                field(ui, "Session length", |ui| {
                    let mut secs = form.duration_secs.unwrap_or(USUAL_LENGTH);
                    let drag = DragValue::new(&mut secs).suffix(" s").range(0..=1_000_000);
                    if ui.add(drag).accessible_name("Session length").changed() {
                        form.duration_secs = Some(secs);
                    }
                });
                text(ui, "Locale", &mut form.locale, "en-US");
                text(ui, "Capabilities", &mut self.capabilities, "with commas");
            }
            DialectId::GuestResource => {
                text(ui, "Guest name", &mut form.name, "Web Guest");
                queue(ui, form);
                text(ui, "Skill", &mut form.skill, "id of the skill");
                text(ui, "Language", &mut form.language, "en-US");
                lines(ui, "Attributes", &mut self.attributes);
            }
        }
    }
}

/// Says what an unverified flow is, and where its page is.
pub fn unverified(ui: &mut Ui, dialect: DialectId, acts: &mut Acts) {
    field(ui, "Source", |ui| {
        ui.horizontal(|ui| {
            badge(ui, Some(Icon::Warning), "unverified", Tone::Amber);
            if button(ui, None, "What is this flow?", Weight::Quiet).clicked() {
                acts.push(Act::Open(Box::new(Dialog::help(dialect.key()))));
            }
        });
        hint(ui, UNVERIFIED);
    });
}

fn queue(ui: &mut Ui, form: &mut GuestForm) {
    text(ui, "Queue id", &mut form.queue_id, "id of the queue");
}

/// A choice that the environment has made, and this session may make otherwise.
fn choice<T: Copy + PartialEq>(ui: &mut Ui, name: &str, chosen: &mut Option<T>, usual: T, all: &[(T, &'static str)]) {
    let title = |of: T| all.iter().find(|(value, _)| *value == of).map_or("", |(_, title)| title);
    field(ui, name, |ui| {
        ComboBox::from_id_salt(name)
            .selected_text(title(chosen.unwrap_or(usual)))
            .width(field_width(ui))
            .truncate()
            .show_ui(ui, |ui| {
                for (value, title) in all {
                    if ui.selectable_label(chosen.unwrap_or(usual) == *value, *title).clicked() {
                        *chosen = Some(*value).filter(|v| *v != usual);
                    }
                }
            })
            .response
            .accessible_name(name);
    });
}

fn lines(ui: &mut Ui, name: &str, value: &mut String) {
    field(ui, name, |ui| {
        let edit = TextEdit::multiline(value).hint_text("name = value, one per line").desired_rows(2);
        ui.add(edit.desired_width(field_width(ui))).accessible_name(name);
    });
    let broken = value.lines().filter(|l| !l.trim().is_empty() && pair(l).is_none()).count();
    if broken > 0 {
        under(ui, "A line without “name = value” is not sent.");
    }
}

fn signing_key(ui: &mut Ui, environment: &Environment, scene: &Scene<'_>, acts: &mut Acts) {
    let keys: &[KeyInfo] = if environment.id == SANDBOX { &scene.book.sandbox_keys } else { &environment.signing_keys };
    let active = keys.iter().rev().find(|k| k.state == KeyState::Active);
    field(ui, "Signing key", |ui| {
        ui.horizontal_wrapped(|ui| {
            match active {
                Some(key) => ui.label(&key.kid),
                None => ui.label("none yet"),
            };
            if button(ui, None, "Keys…", Weight::Normal).clicked() {
                acts.push(Act::Open(Box::new(Dialog::signing_keys(environment.clone()))));
            }
        });
    });
}

fn pair(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    (!name.is_empty()).then(|| (name.to_owned(), value.trim().to_owned()))
}

fn pairs(text: &str) -> Vec<(String, String)> {
    text.lines().filter_map(pair).collect()
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_lists_are_read_as_they_are_meant() {
        assert_eq!(pairs("a = 1\n\n b=x=y \n=z\nno"), [("a".into(), "1".into()), ("b".into(), "x=y".into())]);
        assert_eq!(list(" a, b ,,c "), ["a", "b", "c"]);
    }

    #[test]
    fn what_is_chosen_here_overrides_the_environment_for_this_session_only() {
        let environment = Environment { queue_id: Some("q".into()), ..Environment::default() };
        let mut f = FlowForm { send_form: Some(SendForm::TokenInBody), ..FlowForm::default() };
        f.fill(DialectId::SessionToken, &environment);
        let (form, changed) = f.finish(DialectId::SessionToken, environment.clone());
        assert_eq!(form.queue_id, "q");
        assert_eq!(changed.flows.session_token.send_form, SendForm::TokenInBody);
        assert_ne!(environment.flows, changed.flows);
        let (form, _) = f.finish(DialectId::ManagedConversation, environment);
        assert_eq!(form.capabilities.unwrap(), ["typing-indicator", "read-receipts"]);
    }
}
