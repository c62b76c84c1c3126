//! What an environment knows of the identity provider of its guests.

use egui::{CollapsingHeader, Ui};

use super::environment_form::{optional, warn};
use super::{field_of, text, under};
use crate::model::login::GuestAuth;

pub(super) fn paint(ui: &mut Ui, auth: &mut GuestAuth) {
    CollapsingHeader::new("Guests who sign in").show(ui, |ui| {
        text(ui, "Redirect URI", &mut auth.redirect_uri, "https://www.example.com/signed-in");
        let given = auth.redirect_uri.trim();
        if !given.is_empty() && url::Url::parse(given).is_err() {
            field_of(ui, |ui| warn(ui, "This is not an address; it must be the one that is registered."));
        }
        optional(ui, "Nonce", &mut auth.nonce, "where it is always the same");
        optional(ui, "Issuer", &mut auth.iss, "https://id.example.com, where the deployment asks for it");
        let mut age = auth.max_age.map(|n| n.to_string()).unwrap_or_default();
        if text(ui, "Largest age, seconds", &mut age, "where the deployment asks for it").changed() {
            auth.max_age = age.trim().parse().ok();
        }
        under(ui, "Sent with each code. The code, and the verifier of PKCE, are given with the sign-in.");
    });
}
