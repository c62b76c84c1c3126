//! Tokens: what a record tells of one, what its parts say, and how long it lives.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use egui::{Grid, RichText, ScrollArea, TextEdit, Ui};
use serde_json::Value;
use zeroize::Zeroize as _;

use super::host::{InspectorHost, Subject};
use super::placeholder;
use crate::model::fact::{Expiry, ExpiryEvent, Fact};
use crate::model::{Record, Wall};
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{Icon, Tone, badge, format, placeholder_chip};

/// The token tab.
#[derive(Default)]
pub(super) struct TokenView {
    pasted: String,
    decoded: Option<Result<Value, &'static str>>,
}

impl TokenView {
    pub fn show(&mut self, ui: &mut Ui, subject: &Subject<'_>, host: &mut dyn InspectorHost) {
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            let now = host.server_now();
            let mut seen = Vec::new();
            if let Some(Fact::Expiry(expiry)) = subject.record.fact() {
                expiry_block(ui, &expiry, now, &host.zone());
                seen.extend(expiry.token.clone());
                if let Some(claims) = &expiry.claims {
                    claims_block(ui, &expiry.title, claims, now, &host.zone());
                }
            }
            for name in stand_ins(subject.record) {
                if seen.contains(&name) {
                    continue;
                }
                let claims = host.claims(&name);
                ui.horizontal(|ui| {
                    placeholder_chip(ui, &name);
                    if claims.is_none() {
                        ui.label(RichText::new("opaque: there is nothing in it to decode").color(tokens(ui).text.weak));
                    }
                });
                if let Some(claims) = claims {
                    claims_block(ui, &name, &claims, now, &host.zone());
                }
                seen.push(name);
            }
            if seen.is_empty() {
                ui.add_space(space::NORMAL);
                ui.label(RichText::new("This record holds no token.").color(tokens(ui).text.weak));
            }
            ui.add_space(space::WIDE);
            self.paste(ui, now, &host.zone());
        });
    }

    /// A field that takes a token, decodes it and forgets it.
    fn paste(&mut self, ui: &mut Ui, now: Wall, zone: &jiff::tz::TimeZone) {
        ui.label(RichText::new("Decode another token").font(font::strong()));
        let edit = TextEdit::singleline(&mut self.pasted).password(true).hint_text("Paste a JWT").desired_width(320.0);
        let changed = ui.add(edit).accessible_name("Token to decode").changed();
        if changed && !self.pasted.trim().is_empty() {
            self.decoded = Some(decode(self.pasted.trim()));
            self.pasted.zeroize();
        }
        ui.label(
            RichText::new("It is decoded here, not checked, and not kept.")
                .font(font::small())
                .color(tokens(ui).text.weak),
        );
        match &self.decoded {
            Some(Ok(claims)) => claims_block(ui, "pasted token", claims, now, zone),
            Some(Err(why)) => {
                badge(ui, Some(Icon::Cross), why, Tone::Red);
            }
            None => {}
        }
    }
}

impl Drop for TokenView {
    fn drop(&mut self) {
        self.pasted.zeroize();
    }
}

/// Placeholders in head and payload, each once. Only the beginning of large payloads is looked at.
fn stand_ins(record: &Record) -> Vec<String> {
    let mut names = Vec::new();
    let body = String::from_utf8_lossy(&record.body[..record.body.len().min(256 * 1024)]);
    for text in [record.head.as_str(), &body] {
        for range in placeholder::find(text) {
            let name = &text[range];
            if !names.iter().any(|n| n == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// Header and claims of a JWT, without its signature.
pub(super) fn decode(token: &str) -> Result<Value, &'static str> {
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err("not a JWT: three parts with dots between them are needed");
    };
    let part = |text: &str| -> Option<Value> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?).ok()
    };
    let header = part(header).ok_or("the header of the JWT cannot be read")?;
    let claims = part(claims).ok_or("the claims of the JWT cannot be read")?;
    Ok(serde_json::json!({ "header": header, "claims": claims }))
}

fn event_word(event: ExpiryEvent) -> &'static str {
    match event {
        ExpiryEvent::Started => "started",
        ExpiryEvent::Extended => "extended",
        ExpiryEvent::Refreshed => "refreshed",
        ExpiryEvent::Expired => "expired",
        ExpiryEvent::Refused => "refused by the server",
        ExpiryEvent::Corrupted => "corrupted on purpose",
        ExpiryEvent::Forgotten => "forgotten",
    }
}

fn expiry_block(ui: &mut Ui, expiry: &Expiry, now: Wall, zone: &jiff::tz::TimeZone) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(&expiry.title).font(font::title()));
        badge(ui, None, event_word(expiry.event), Tone::Plain);
        left_badge(ui, expiry.until, now);
    });
    Grid::new("expiry").num_columns(2).min_row_height(20.0).spacing([space::WIDE, 0.0]).show(ui, |ui| {
        row(ui, "By", &expiry.by);
        row(ui, "From", &time(expiry.from, zone));
        row(ui, "Until", &expiry.until.map_or_else(|| "not known".to_owned(), |u| time(u, zone)));
        row(ui, "Treated as dead", &format!("{} s early", expiry.margin_secs));
        row(ui, "Breaks then", &expiry.breaks);
        if expiry.assumed {
            row(ui, "Length", "assumed; the server does not tell it");
        }
    });
    if let Some(token) = &expiry.token {
        ui.horizontal(|ui| placeholder_chip(ui, token));
    }
}

fn left_badge(ui: &mut Ui, until: Option<Wall>, now: Wall) {
    let Some(until) = until else { return };
    let left = until.micros_since(now);
    if left <= 0 {
        let ago = format::span(left.unsigned_abs());
        badge(ui, Some(Icon::Cross), &format!("over for {ago}"), Tone::Dead);
        return;
    }
    let left = Duration::from_micros(left as u64);
    badge(ui, Some(Icon::Clock), &format!("{} left", format::countdown(left)), Tone::Ok);
    // The figure changes with the next whole second.
    let next = Duration::from_micros(u64::from(left.subsec_micros()).max(1_000));
    ui.ctx().request_repaint_after(next);
}

fn claims_block(ui: &mut Ui, name: &str, value: &Value, now: Wall, zone: &jiff::tz::TimeZone) {
    let parts = match (value.get("header"), value.get("claims")) {
        (None, None) => vec![("Claims", value)],
        (header, claims) => [("Header", header), ("Claims", claims)]
            .into_iter()
            .filter_map(|(title, part)| part.map(|part| (title, part)))
            .collect(),
    };
    for (title, part) in parts {
        ui.add_space(space::SMALL);
        ui.horizontal(|ui| {
            ui.label(RichText::new(title).font(font::strong()));
            if title == "Claims" {
                left_badge(ui, part.get("exp").and_then(Value::as_i64).map(Wall::from_secs), now);
            }
        });
        Grid::new((name, title)).num_columns(2).min_row_height(20.0).spacing([space::WIDE, 0.0]).show(ui, |ui| {
            let Some(members) = part.as_object() else { return row(ui, "", &part.to_string()) };
            for (key, value) in members {
                let mut text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                if let (true, Some(secs)) = (is_instant(key), value.as_i64()) {
                    text = format!("{text}   {}", time(Wall::from_secs(secs), zone));
                }
                let label = match explain(key) {
                    Some(what) => format!("{key}  ({what})"),
                    None => key.clone(),
                };
                row(ui, &label, &text);
            }
        });
    }
}

fn row(ui: &mut Ui, key: &str, value: &str) {
    let t = tokens(ui);
    ui.label(RichText::new(format::visible_controls(key)).color(t.text.weak));
    ui.label(RichText::new(format::visible_controls(value)).font(font::data()).color(t.text.normal));
    ui.end_row();
}

fn is_instant(key: &str) -> bool {
    matches!(key, "exp" | "iat" | "nbf" | "auth_time")
}

/// The registered names (RFC 7519, section 4.1, and RFC 7515, section 4.1).
fn explain(key: &str) -> Option<&'static str> {
    Some(match key {
        "exp" => "expires",
        "iat" => "issued",
        "nbf" => "not before",
        "iss" => "issuer",
        "sub" => "subject",
        "aud" => "audience",
        "jti" => "token id",
        "alg" => "algorithm",
        "kid" => "key id",
        "typ" => "type",
        _ => return None,
    })
}

fn time(at: Wall, zone: &jiff::tz::TimeZone) -> String {
    at.timestamp()
        .map_or_else(|| at.rfc3339(), |t| t.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jwt_is_decoded_without_its_signature() {
        let enc = |s: &str| URL_SAFE_NO_PAD.encode(s);
        let token = format!("{}.{}.c2lnbmF0dXJl", enc(r#"{"alg":"RS256"}"#), enc(r#"{"exp":1767705975}"#));
        let value = decode(&token).unwrap();
        assert_eq!(value["header"]["alg"], "RS256");
        assert_eq!(value["claims"]["exp"], 1_767_705_975);
        assert!(!value.to_string().contains("c2ln"));
        assert!(decode("a.b").is_err() && decode("!.!.!").is_err() && decode("a.b.c.d").is_err());
    }
}
