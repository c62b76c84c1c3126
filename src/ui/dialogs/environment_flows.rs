//! Paths, thresholds and forms of the unverified flows: each has a usual value that an environment may override.

use egui::{CollapsingHeader, ComboBox, DragValue, RichText, TextEdit, Ui};

use super::{field, hint, text, under};
use crate::model::flows::{
    ExternalContactFlow, Flows, GuestResourceFlow, HandshakeToken, ManagedConversationFlow, OauthUse, RefreshForm,
    RenewBy, SendForm, SessionTokenFlow, SignedGuestFlow, Webhook,
};
use crate::model::{DialectId, UNVERIFIED};
use crate::ui::theme::tokens;
use crate::ui::widgets::{Icon, Tone, badge, icon_button};

/// What is being typed and is no value yet.
#[derive(Debug, Default)]
pub struct FlowsForm {
    /// Capabilities, with commas; none before they are edited.
    capabilities: Option<String>,
}

/// Why a webhook cannot be told anything.
pub fn problem(hook: &Webhook) -> Option<&'static str> {
    let url = hook.url.trim();
    let good = url.is_empty() || url::Url::parse(url).is_ok_and(|u| matches!(u.scheme(), "http" | "https"));
    (!good).then_some("Webhook: its address must begin with http:// or https://.")
}

impl FlowsForm {
    pub fn paint(&mut self, ui: &mut Ui, flows: &mut Flows) {
        let changed = *flows != Flows::default();
        let title = if changed { "Unverified flows · changed" } else { "Unverified flows" };
        CollapsingHeader::new(title).id_salt("flows").show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                badge(ui, Some(Icon::Warning), "unverified", Tone::Amber);
                hint(ui, UNVERIFIED);
            });
            hint(ui, "Each value is what the flow's description says. Names in braces are filled in.");
            text(ui, "Webhook", &mut flows.webhook.url, "https://crm.example.com/events; empty for none");
            under(ui, "Told of sessions that were made and that ended. What becomes of it never harms the session.");
            if let Some(problem) = problem(&flows.webhook) {
                super::field_of(ui, |ui| super::environment_form::warn(ui, problem));
            }
            let usual = Webhook::default();
            Rows { ui, flow: "Webhook" }.number(
                "Given up after",
                &mut flows.webhook.within_millis,
                usual.within_millis,
                "ms",
            );
            group(ui, DialectId::SessionToken, &mut flows.session_token, session_token);
            group(ui, DialectId::ExternalContact, &mut flows.external_contact, external_contact);
            group(ui, DialectId::SignedGuest, &mut flows.signed_guest, signed_guest);
            let capabilities = &mut self.capabilities;
            group(ui, DialectId::ManagedConversation, &mut flows.managed_conversation, |rows, f, usual| {
                managed(rows, f, usual, capabilities);
            });
            group(ui, DialectId::GuestResource, &mut flows.guest_resource, guest_resource);
        });
    }
}

/// The values of one flow behind a fold.
fn group<T: Default + PartialEq>(
    ui: &mut Ui,
    dialect: DialectId,
    flow: &mut T,
    rows: impl FnOnce(&mut Rows<'_>, &mut T, &T),
) {
    let usual = T::default();
    let title = dialect.title();
    let shown = if *flow == usual { title.to_owned() } else { format!("{title} · changed") };
    CollapsingHeader::new(shown).id_salt(dialect.key()).show(ui, |ui| {
        rows(&mut Rows { ui, flow: title }, flow, &usual);
    });
}

fn session_token(r: &mut Rows<'_>, f: &mut SessionTokenFlow, usual: &SessionTokenFlow) {
    r.choice("Message form", &mut f.send_form, usual.send_form, &SendForm::ALL.map(|v| (v, v.title())));
    r.choice("Token refresh", &mut f.refresh_form, usual.refresh_form, &RefreshForm::ALL.map(|v| (v, v.title())));
    r.check("Renew and send again after a 401", &mut f.refresh_after_401, usual.refresh_after_401);
    r.number("Renewed before a message", &mut f.preflight_secs, usual.preflight_secs, "s left");
    r.number("Life of a token", &mut f.token_life_secs, usual.token_life_secs, "s, where it tells none");
    r.number("First wait", &mut f.backoff_first_millis, usual.backoff_first_millis, "ms");
    r.number("Longest wait", &mut f.backoff_longest_millis, usual.backoff_longest_millis, "ms");
    r.number("Further tries", &mut f.retries, usual.retries, "");
    r.path("Create path", &mut f.create_path, &usual.create_path);
    r.path("Send path", &mut f.send_path, &usual.send_path);
    r.path("Refresh path", &mut f.refresh_path, &usual.refresh_path);
    r.path("Guest-token path", &mut f.guest_token_path, &usual.guest_token_path);
    r.oauth(&mut f.oauth, &usual.oauth);
}

fn external_contact(r: &mut Rows<'_>, f: &mut ExternalContactFlow, usual: &ExternalContactFlow) {
    let places = [(HandshakeToken::Header, "Authorization header"), (HandshakeToken::Query, "?token= in the address")];
    r.choice("Handshake's token", &mut f.handshake_token, usual.handshake_token, &places);
    r.choice("Token renewed by", &mut f.renew_by, usual.renew_by, &RenewBy::ALL.map(|v| (v, v.title())));
    r.number("Renewed early", &mut f.early_secs, usual.early_secs, "s");
    r.number("Life asked for", &mut f.expires_in_secs, usual.expires_in_secs, "s");
    r.number("A message is lost when closed within", &mut f.commit_millis, usual.commit_millis, "ms");
    r.check("Open a lost socket again", &mut f.reconnect, usual.reconnect);
    r.path("Socket path", &mut f.socket_path, &usual.socket_path);
    r.path("Send path", &mut f.send_path, &usual.send_path);
    r.oauth(&mut f.oauth, &usual.oauth);
}

fn signed_guest(r: &mut Rows<'_>, f: &mut SignedGuestFlow, usual: &SignedGuestFlow) {
    r.number("Life of a signed token", &mut f.token_life_secs, usual.token_life_secs, "s");
    r.number("Largest attributes", &mut f.attribute_bytes, usual.attribute_bytes, "bytes");
    r.number("Further tries", &mut f.retries, usual.retries, "");
    r.number("First wait", &mut f.retry_first_millis, usual.retry_first_millis, "ms");
    r.number("Longest wait", &mut f.retry_longest_millis, usual.retry_longest_millis, "ms");
    r.path("Queue path", &mut f.queue_path, &usual.queue_path);
    r.path("Contact path", &mut f.contact_path, &usual.contact_path);
    r.path("Conversation path", &mut f.conversation_path, &usual.conversation_path);
    r.oauth(&mut f.oauth, &usual.oauth);
}

fn managed(
    r: &mut Rows<'_>,
    f: &mut ManagedConversationFlow,
    usual: &ManagedConversationFlow,
    typed: &mut Option<String>,
) {
    r.number("Sessions at once", &mut f.most_sessions, usual.most_sessions, "at most");
    r.number("Longest session", &mut f.longest_secs, usual.longest_secs, "s");
    r.list("Needed capabilities", &mut f.required_capabilities, &usual.required_capabilities, typed);
    r.number("Heartbeat every", &mut f.heartbeat_secs, usual.heartbeat_secs, "s");
    r.number("Or every part of the length", &mut f.heartbeat_parts, usual.heartbeat_parts, "parts");
    r.number("Failed heartbeats that end it", &mut f.heartbeat_failures, usual.heartbeat_failures, "in a row");
    r.number("Further tries", &mut f.retries, usual.retries, "");
    r.number("First wait", &mut f.retry_first_millis, usual.retry_first_millis, "ms");
    r.path("Create path", &mut f.create_path, &usual.create_path);
    r.path("Conversation path", &mut f.conversation_path, &usual.conversation_path);
    r.oauth(&mut f.oauth, &usual.oauth);
}

fn guest_resource(r: &mut Rows<'_>, f: &mut GuestResourceFlow, usual: &GuestResourceFlow) {
    r.number("Largest attributes", &mut f.attribute_bytes, usual.attribute_bytes, "bytes");
    r.number("Resumed where more is left than", &mut f.resume_secs, usual.resume_secs, "s");
    r.number("Requests per minute", &mut f.requests_per_minute, usual.requests_per_minute, "");
    r.number("Wait after 429", &mut f.retry_after_secs, usual.retry_after_secs, "s, where it names none");
    r.number("Further tries", &mut f.retries, usual.retries, "");
    r.words("Reason of the goodbye", &mut f.close_reason, &usual.close_reason);
    r.path("Create path", &mut f.create_path, &usual.create_path);
    r.path("Guest path", &mut f.guest_path, &usual.guest_path);
    r.path("Socket path", &mut f.socket_path, &usual.socket_path);
    r.oauth(&mut f.oauth, &usual.oauth);
}

/// Rows of a flow: name, value, and the way back to what is usual.
struct Rows<'a> {
    ui: &'a mut Ui,
    flow: &'static str,
}

impl Rows<'_> {
    /// `add` is given the accessible name: two flows have rows of one name.
    fn row<T: Clone + PartialEq>(
        &mut self,
        name: &str,
        value: &mut T,
        usual: &T,
        add: impl FnOnce(&mut Ui, &str, &mut T),
    ) {
        let spoken = format!("{}: {name}", self.flow);
        field(self.ui, name, |ui| {
            ui.horizontal(|ui| {
                add(ui, &spoken, value);
                if value != usual && icon_button(ui, Icon::Refresh, &format!("Reset {spoken}")).clicked() {
                    value.clone_from(usual);
                }
            });
        });
    }

    fn number(&mut self, name: &str, value: &mut u32, usual: u32, unit: &str) {
        self.row(name, value, &usual, |ui, spoken, value| {
            ui.add(DragValue::new(value).range(0..=10_000_000)).accessible_name(spoken);
            let t = tokens(ui);
            let comma = if unit.is_empty() { "" } else { " · " };
            ui.label(RichText::new(format!("{unit}{comma}usual {usual}")).small().color(t.text.weak));
        });
    }

    /// A path without which the flow cannot do: emptied, it is the usual one.
    fn path(&mut self, name: &str, value: &mut String, usual: &String) {
        self.line(name, value, usual, true);
    }

    /// A text that may be empty.
    fn words(&mut self, name: &str, value: &mut String, usual: &String) {
        self.line(name, value, usual, false);
    }

    fn line(&mut self, name: &str, value: &mut String, usual: &String, needed: bool) {
        self.row(name, value, usual, |ui, spoken, value| {
            let width = (ui.available_width() - 34.0).clamp(120.0, 420.0);
            let usual_or_none = if needed { usual.as_str() } else { "none" };
            let edit = TextEdit::singleline(value).hint_text(usual_or_none).desired_width(width);
            let response = ui.add(edit).accessible_name(spoken);
            if needed && response.lost_focus() && value.trim().is_empty() {
                value.clone_from(usual);
            }
            response.on_hover_text(format!("Usual: {}", if usual.is_empty() { "none" } else { usual }));
        });
    }

    fn list(&mut self, name: &str, value: &mut Vec<String>, usual: &Vec<String>, typed: &mut Option<String>) {
        let spoken = format!("{}: {name}", self.flow);
        field(self.ui, name, |ui| {
            ui.horizontal(|ui| {
                let mut line = typed.clone().unwrap_or_else(|| value.join(", "));
                let width = (ui.available_width() - 34.0).clamp(120.0, 420.0);
                let edit = TextEdit::singleline(&mut line).hint_text("none; several with commas").desired_width(width);
                if ui.add(edit).accessible_name(spoken.as_str()).changed() {
                    *value = line.split(',').map(str::trim).filter(|w| !w.is_empty()).map(str::to_owned).collect();
                    *typed = Some(line);
                }
                if value != usual && icon_button(ui, Icon::Refresh, &format!("Reset {spoken}")).clicked() {
                    value.clone_from(usual);
                    *typed = None;
                }
            });
        });
    }

    fn check(&mut self, name: &str, value: &mut bool, usual: bool) {
        self.row(name, value, &usual, |ui, spoken, value| {
            ui.checkbox(value, if usual { "usual: on" } else { "usual: off" }).accessible_name(spoken);
        });
    }

    fn choice<T: Copy + PartialEq>(&mut self, name: &str, value: &mut T, usual: T, all: &[(T, &str)]) {
        let title = |of: T| all.iter().find(|(v, _)| *v == of).map_or("", |(_, title)| *title);
        self.row(name, value, &usual, |ui, spoken, value| {
            ComboBox::new(spoken, "")
                .selected_text(title(*value))
                .width((ui.available_width() - 34.0).clamp(120.0, 300.0))
                .truncate()
                .show_ui(ui, |ui| {
                    for (v, title) in all {
                        ui.selectable_value(value, *v, *title);
                    }
                })
                .response
                .on_hover_text(format!("Usual: {}", title(usual)))
                .accessible_name(spoken);
        });
    }

    fn oauth(&mut self, value: &mut OauthUse, usual: &OauthUse) {
        self.path("OAuth token path", &mut value.path, &usual.path);
        self.words("OAuth scope", &mut value.scope, &usual.scope);
        self.number("OAuth renewed early", &mut value.early_secs, usual.early_secs, "s");
        self.number("OAuth tries", &mut value.tries, usual.tries, "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_nowhere_or_on_the_web() {
        let hook = |url: &str| problem(&Webhook { url: url.into(), ..Webhook::default() });
        assert_eq!((hook(""), hook(" https://crm.example.com/x ")), (None, None));
        assert!(hook("crm.example.com").is_some() && hook("file:///etc").is_some());
    }
}
