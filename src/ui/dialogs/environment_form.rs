//! The form of one environment, checked while it is filled in.

use egui::{CollapsingHeader, ComboBox, DragValue, Label, RichText, TextEdit, Ui};

use super::environment_agents::{self, AgentsForm};
use super::environment_ca::CaFile;
use super::environment_flows::{self, FlowsForm};
use super::secret_field::SecretField;
use super::{Dialog, environment_guest, environment_token, field, field_of, text, under};
use crate::model::environment::pasted_key;
use crate::model::hosts::REGIONS;
use crate::model::{Environment, KeyState, Region, Report};
use crate::ui::app::{Act, Acts, FilePurpose, Scene};
use crate::ui::settings::Settings;
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{Icon, Tone, Weight, badge, button};

#[derive(Debug)]
pub struct Form {
    pub environment: Environment,
    secret: SecretField,
    pasted: SecretField,
    agents: AgentsForm,
    flows: FlowsForm,
    own_hosts: bool,
    ca_file: CaFile,
}

impl Form {
    pub fn of(environment: Environment) -> Self {
        let own_hosts = environment.region.is_none();
        Self {
            environment,
            secret: SecretField::default(),
            pasted: SecretField::default(),
            agents: AgentsForm::default(),
            flows: FlowsForm::default(),
            own_hosts,
            ca_file: CaFile::default(),
        }
    }

    /// The keyring has what was typed for this key.
    pub fn secret_kept(&mut self, key: &str) {
        if crate::engine::secret_key(&self.environment.id) == key {
            self.secret.kept();
        } else if pasted_key(&self.environment.id) == key {
            self.pasted.kept();
        } else {
            self.agents.secret_kept(&self.environment.id, key);
        }
    }

    /// Hands what was typed to the keyring. True where something is on its way there.
    pub fn save_secrets(&mut self, acts: &mut Acts) -> bool {
        let id = &self.environment.id;
        let secret = self.secret.save(crate::engine::secret_key(id), acts);
        let pasted = self.pasted.save(pasted_key(id), acts);
        self.agents.save(id, acts) || pasted || secret
    }

    pub fn has_unsaved_secrets(&self) -> bool {
        self.secret.is_unsaved() || self.pasted.is_unsaved() || self.agents.is_unsaved()
    }

    /// Why it cannot be saved.
    pub fn problem(&self, settings: &Settings) -> Option<Report> {
        let e = &self.environment;
        let missing = |what: &str| Report::new("incomplete", "Not complete", what);
        if e.name.trim().is_empty() {
            return Some(missing("Give the environment a name."));
        }
        if settings.environments.iter().any(|o| o.name == e.name && o.id != e.id) {
            return Some(missing("Another environment has this name."));
        }
        let source = environment_token::problem(&e.token_source);
        if let Some(what) = source.or(environment_flows::problem(&e.flows.webhook)) {
            return Some(missing(what));
        }
        environment_agents::problem(&e.agents).or_else(|| e.hosts().and_then(|_| e.org_base()).err())
    }

    pub fn paint(&mut self, ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) {
        ui.spacing_mut().item_spacing.y = space::SMALL;
        let e = &mut self.environment;
        text(ui, "Name", &mut e.name, "Test deployment");
        self.hosts(ui);
        let e = &mut self.environment;
        text(ui, "Deployment id", &mut e.deployment_id, "00000000-0000-0000-0000-000000000000");
        if !e.deployment_id.is_empty() && uuid::Uuid::parse_str(e.deployment_id.trim()).is_err() {
            field_of(ui, |ui| warn(ui, "This is not a UUID. Real deployments have one."));
        }
        if e.deployment_id.is_empty() {
            under(ui, "Only Web Messaging needs it.");
        }
        optional(ui, "Organisation", &mut e.org, "acme, where the flow's host is acme.mypurecloud.com");
        if let Some(report) = e.org_base().err().filter(|r| r.code == "bad-org") {
            field_of(ui, |ui| warn(ui, &format!("{}: {}", report.title, report.what)));
        }
        optional(ui, "Origin", &mut e.origin, "https://www.example.com");
        if let Err(report) = e.check_origin() {
            field_of(ui, |ui| warn(ui, &report.what));
        }
        under(ui, "Needed only where the deployment has a list of allowed domains.");
        optional(ui, "Proxy", &mut e.proxy, "http://host:port or socks5://host:port");
        if let Err(report) = e.check_proxy() {
            field_of(ui, |ui| warn(ui, &report.what));
        }
        field(ui, "Own CA file", |ui| {
            ui.horizontal(|ui| {
                let mut path = e.ca_file.clone().unwrap_or_default();
                let edit = TextEdit::singleline(&mut path).hint_text("PEM file").desired_width(beside(ui, 110.0));
                if ui.add(edit).accessible_name("Own CA file").changed() {
                    e.ca_file = Some(path).filter(|p| !p.trim().is_empty());
                }
                if button(ui, Some(Icon::Folder), "Choose…", Weight::Normal).clicked() {
                    acts.push(Act::AskFile(FilePurpose::CaFile));
                }
            });
        });
        if let Some(problem) = self.ca_file.problem(e.ca_file.as_deref().unwrap_or_default(), ui.ctx()) {
            field_of(ui, |ui| warn(ui, problem));
        }
        if e.ca_pem.is_some() {
            field_of(ui, |ui| {
                ui.horizontal_wrapped(|ui| {
                    ui.label("Certificates that came with the environment are trusted as well.");
                    if button(ui, None, "Forget them", Weight::Quiet).clicked() {
                        e.ca_pem = None;
                    }
                });
            });
        }
        field(ui, "TLS", |ui| {
            ui.checkbox(&mut e.verify_tls, "Verify certificates");
            if !e.verify_tls {
                warn(ui, "Anybody between you and the server can read and change everything, secrets included.");
            }
        });
        environment_token::paint(ui, e, &mut self.secret, &mut self.pasted, scene);
        self.agents.paint(ui, e, scene);
        self.keys(ui, scene, acts);
        self.behaviour(ui);
        environment_guest::paint(ui, &mut self.environment.guest_auth);
        self.flows.paint(ui, &mut self.environment.flows);
        self.numbers(ui);
        if let Some(report) = self.problem(scene.settings).filter(|_| !self.environment.name.is_empty()) {
            let t = tokens(ui);
            ui.label(RichText::new(report.what).color(t.amber.ink));
        }
    }

    fn hosts(&mut self, ui: &mut Ui) {
        let e = &mut self.environment;
        field(ui, "Servers", |ui| {
            ui.horizontal(|ui| {
                let title = match &e.region {
                    None => "Own hosts".to_owned(),
                    Some(name) => {
                        Region::find(name).map_or_else(|| name.clone(), |r| format!("{} · {}", r.title, r.domain))
                    }
                };
                ComboBox::from_id_salt("region")
                    .selected_text(title)
                    .width(super::field_width(ui))
                    .truncate()
                    .height(360.0)
                    .show_ui(ui, |ui| {
                        for r in REGIONS {
                            let text = format!("{} · {}", r.title, r.domain);
                            let chosen = e.region.as_deref() == Some(r.domain);
                            if ui.selectable_label(chosen, text).clicked() {
                                e.region = Some(r.domain.to_owned());
                            }
                        }
                        if ui.selectable_label(e.region.is_none(), "Own hosts").clicked() {
                            e.region = None;
                            self.own_hosts = true;
                        }
                    })
                    .response
                    .accessible_name("Region");
            });
            ui.checkbox(&mut self.own_hosts, "Own addresses, instead of the region's");
        });
        if self.own_hosts {
            let base = e.region.as_deref().and_then(Region::find).map(|r| crate::model::Hosts::of_domain(r.domain));
            let base = base.unwrap_or_default();
            let of = |s: &str, example: &str| if s.is_empty() { example.to_owned() } else { s.to_owned() };
            optional(ui, "Guest socket", &mut e.guest_socket, &of(&base.guest_socket, "wss://host/v1"));
            optional(ui, "API", &mut e.api, &of(&base.api, "https://host"));
            optional(ui, "Login", &mut e.login, &of(&base.login, "https://host"));
            optional(ui, "CDN", &mut e.cdn, &of(&base.cdn, "https://host"));
            optional(ui, "Streaming", &mut e.streaming, &of(&base.streaming, "wss://host"));
        }
        match e.hosts() {
            Ok(hosts) if hosts.guest_socket.is_empty() => under(ui, &format!("API: {}", hosts.api)),
            Ok(hosts) => under(ui, &format!("Guest socket: {}", hosts.guest_socket)),
            // That is said at its own field.
            Err(report) if report.code == "bad-proxy" => {}
            Err(report) => {
                field_of(ui, |ui| warn(ui, &report.what));
                for remedy in &report.remedies {
                    under(ui, remedy);
                }
            }
        }
    }

    /// The keys that sign guest tokens. They are made for an environment as it is stored.
    fn keys(&self, ui: &mut Ui, scene: &Scene<'_>, acts: &mut Acts) {
        let e = &self.environment;
        field(ui, "Signing keys", |ui| {
            ui.horizontal_wrapped(|ui| {
                let active = e.signing_keys.iter().rev().find(|k| k.state == KeyState::Active);
                ui.label(active.map_or("none", |k| k.kid.as_str()));
                let stored = scene.settings.environment(&e.id) == Some(e);
                ui.add_enabled_ui(stored, |ui| {
                    let response = button(ui, None, "Keys…", Weight::Normal);
                    if response.on_disabled_hover_text("Save the environment first.").clicked() {
                        acts.push(Act::Open(Box::new(Dialog::signing_keys(e.clone()))));
                    }
                });
            });
        });
    }

    fn behaviour(&mut self, ui: &mut Ui) {
        let e = &mut self.environment;
        field(ui, "Behaviour", |ui| {
            ui.checkbox(&mut e.reconnect, "Reconnect by itself with the same token")
                .on_hover_text("Off at first: it hides what a tester wants to see.");
            ui.checkbox(&mut e.retry_after_429, "Send again after 429, when retryAfter is over");
            ui.checkbox(&mut e.auto_join, "Join as soon as a new session is configured")
                .on_hover_text("As the vendor's clients do where the deployment starts conversations by itself.");
            ui.checkbox(&mut e.attributes_at_top, "Custom attributes in the top-level channel")
                .on_hover_text("Off: in message.channel. The schema has both places.");
        });
    }

    fn numbers(&mut self, ui: &mut Ui) {
        let e = &mut self.environment;
        CollapsingHeader::new("Limits and timings").show(ui, |ui| {
            text(ui, "Application", &mut e.application, "name-version");
            let l = &mut e.limits;
            for (name, value) in [
                ("Messages per second", &mut l.messages_per_second),
                ("Requests per minute", &mut l.requests_per_minute),
                ("Configures per minute", &mut l.configures_per_minute),
                ("History calls per minute", &mut l.history_per_minute),
                ("Echoes per minute", &mut l.echoes_per_minute),
                ("Connections per session", &mut l.connections_per_session),
                ("Bytes of a message", &mut l.message_bytes),
                ("Bytes of attributes", &mut l.attribute_bytes),
            ] {
                number(ui, name, value, "");
            }
            let s = &mut e.timings;
            for (name, value) in [
                ("Ping every", &mut s.ping_secs),
                ("Pong within", &mut s.pong_secs),
                ("Echo within", &mut s.echo_secs),
                ("JWT margin", &mut s.jwt_margin_secs),
                ("OAuth margin", &mut s.oauth_margin_secs),
                ("Idle check before end", &mut s.idle_check_secs),
                ("First reconnect after", &mut s.reconnect_first_secs),
                ("Longest reconnect wait", &mut s.reconnect_longest_secs),
                ("Give up reconnecting", &mut s.reconnect_give_up_secs),
                ("Life of a link", &mut s.link_secs),
                ("Connect timeout", &mut s.connect_timeout_secs),
                ("HTTP timeout", &mut s.http_timeout_secs),
            ] {
                number(ui, name, value, " s");
            }
        });
    }
}

fn number(ui: &mut Ui, name: &str, value: &mut u32, unit: &str) {
    field(ui, name, |ui| {
        ui.add(DragValue::new(value).suffix(unit).range(0..=1_000_000)).accessible_name(name);
    });
}

pub(super) fn optional(ui: &mut Ui, name: &str, value: &mut Option<String>, hint: &str) {
    let mut now = value.clone().unwrap_or_default();
    if text(ui, name, &mut now, hint).changed() {
        *value = Some(now).filter(|n| !n.is_empty());
    }
}

/// Width of a field with something of this width at its right; all of it where too little would be left.
pub(super) fn beside(ui: &Ui, other: f32) -> f32 {
    let room = ui.available_width();
    if room - other < 140.0 { room - 8.0 } else { (room - other).min(260.0) }
}

/// In the column of the fields already.
pub(super) fn warn(ui: &mut Ui, text: &str) {
    ui.horizontal_top(|ui| {
        badge(ui, Some(Icon::Warning), "", Tone::Amber);
        let t = tokens(ui);
        ui.add(Label::new(RichText::new(text).font(font::small()).color(t.amber.ink)).wrap());
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::environment::TokenSource;

    #[test]
    fn a_form_says_what_is_missing() {
        let settings = Settings::default();
        let mut form =
            Form::of(Environment { id: "1".into(), region: Some("mypurecloud.ie".into()), ..Environment::default() });
        let what = |f: &Form, s: &Settings| f.problem(s).map(|r| r.what).unwrap_or_default();
        assert!(what(&form, &settings).contains("name"));
        form.environment.name = "Test".into();
        assert_eq!(what(&form, &settings), "", "only web messaging needs a deployment");
        form.environment.token_source = TokenSource::Keyring { service: "s".into(), user: String::new() };
        assert!(what(&form, &settings).contains("keyring"));
        form.environment.token_source = TokenSource::Pasted;
        form.environment.flows.webhook.url = "nowhere".into();
        assert!(what(&form, &settings).contains("Webhook"));
        form.environment.flows.webhook.url = String::new();
        form.environment.org = Some("a b".into());
        assert_eq!(form.problem(&settings).unwrap().code, "bad-org");
        form.environment.org = None;
        form.environment.region = Some("prod-euw1".into());
        assert_eq!(form.problem(&settings).unwrap().code, "unknown-region");
        form.environment.region = Some("mypurecloud.ie".into());
        let mut other = Settings::default();
        other.environments.push(Environment { id: "2".into(), name: "Test".into(), ..Environment::default() });
        assert!(what(&form, &other).contains("Another"));
        other.environments[0].id = "1".into();
        assert_eq!(what(&form, &other), "", "it is itself");
    }
}
