//! Where OAuth tokens of an environment come from.

use egui::{ComboBox, DragValue, Ui};

use super::environment_form::warn;
use super::secret_field::SecretField;
use super::{field, field_of, field_width, text, under};
use crate::model::Environment;
use crate::model::environment::{TokenSource, pasted_key};
use crate::ui::app::Scene;

/// Titles of the sources, with the value that stands for each when it is chosen.
fn sources() -> [(&'static str, TokenSource); 4] {
    [
        ("Client credentials", TokenSource::ClientCredentials),
        ("Token broker", TokenSource::Broker { url: String::new(), early_secs: 300 }),
        ("Pasted token", TokenSource::Pasted),
        ("Entry of the keyring", TokenSource::Keyring { service: String::new(), user: String::new() }),
    ]
}

fn is_same_kind(a: &TokenSource, b: &TokenSource) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// Why no token can be got this way.
pub fn problem(source: &TokenSource) -> Option<&'static str> {
    match source {
        TokenSource::ClientCredentials | TokenSource::Pasted => None,
        TokenSource::Broker { url, .. } => {
            let good =
                url::Url::parse(url.trim()).is_ok_and(|u| matches!(u.scheme(), "http" | "https") && u.has_host());
            (!good).then_some("Token broker: its address must begin with http:// or https:// and name a host.")
        }
        TokenSource::Keyring { service, user } => (service.trim().is_empty() || user.trim().is_empty())
            .then_some("Entry of the keyring: give its service and its user."),
    }
}

pub fn paint(ui: &mut Ui, e: &mut Environment, secret: &mut SecretField, pasted: &mut SecretField, scene: &Scene<'_>) {
    let all = sources();
    let title = all.iter().find(|(_, s)| is_same_kind(s, &e.token_source)).map_or("", |(title, _)| title);
    field(ui, "OAuth token from", |ui| {
        ComboBox::from_id_salt("token-source")
            .selected_text(title)
            .width(field_width(ui))
            .show_ui(ui, |ui| {
                for (title, source) in all {
                    let chosen = is_same_kind(&source, &e.token_source);
                    if ui.selectable_label(chosen, title).clicked() && !chosen {
                        e.token_source = source;
                    }
                }
            })
            .response
            .accessible_name("OAuth token from");
    });
    let stored = scene.settings.environment(&e.id).is_some();
    match &mut e.token_source {
        TokenSource::ClientCredentials => {
            super::environment_form::optional(
                ui,
                "OAuth client id",
                &mut e.client_id,
                "only for calls of the Platform API",
            );
            secret.paint(ui, "Client secret", &crate::engine::secret_key(&e.id), stored, scene);
        }
        TokenSource::Broker { url, early_secs } => {
            text(ui, "Broker", url, "https://broker.example.com");
            under(ui, "A server of your own that holds the client's secret: POST /api/genesys/refresh gives a token.");
            field(ui, "Renewed early", |ui| {
                let drag = DragValue::new(early_secs).suffix(" s").range(0..=86_400);
                ui.add(drag).accessible_name("Renewed early");
            });
        }
        TokenSource::Pasted => {
            pasted.paint(ui, "OAuth token", &pasted_key(&e.id), stored, scene);
            under(ui, "It is used as it is and cannot be renewed.");
        }
        TokenSource::Keyring { service, user } => {
            text(ui, "Service", service, "name of the program that keeps it");
            text(ui, "User", user, "name of the entry");
            under(ui, "Read at each need, never written.");
        }
    }
    if let Some(problem) = problem(&e.token_source) {
        field_of(ui, |ui| warn(ui, problem));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_source_lacks_is_said() {
        let broker = |url: &str| TokenSource::Broker { url: url.into(), early_secs: 300 };
        for bad in ["", "broker.example.com", "ftp://broker", "http://"] {
            assert!(problem(&broker(bad)).unwrap().contains("http://"), "{bad}");
        }
        assert_eq!(problem(&broker(" https://broker.example.com ")), None);
        let entry = |service: &str, user: &str| TokenSource::Keyring { service: service.into(), user: user.into() };
        assert!(problem(&entry("s", " ")).is_some() && problem(&entry("", "u")).is_some());
        assert_eq!(problem(&entry("s", "u")), None);
        assert!(sources().iter().filter(|(_, s)| problem(s).is_none()).count() == 2);
    }
}
