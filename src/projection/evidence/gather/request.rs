//! The request that failed: what it carried, whom it named, and how often was called.

use serde_json::Value;

use super::super::calls::{self, Auth, Call};
use super::super::gathered::Gathered;
use super::super::tokens::Moment;
use super::super::{Evidence, Scene, words};
use super::secs_between;
use crate::model::flows::Flows;
use crate::projection::knowledge::names::seconds;

/// The request: its head, and of its body what the known causes ask for.
pub(super) fn request(g: &mut Gathered, own: &Evidence, scene: &Scene<'_>, call: &Call) {
    let seq = call.sent.seq;
    g.text("request.method", &call.method, seq);
    g.text("request.path", call.path(), seq);
    g.text("request.host", call.host(), seq);
    g.text("request.purpose", &call.purpose, seq);
    g.number("request.bytes", call.size as f64, seq);
    g.text("request.content_type", call.content_type.as_deref().unwrap_or_default(), seq);
    g.text("request.origin", call.origin.as_deref().unwrap_or_default(), seq);
    let auth = match call.auth {
        Auth::None => "none",
        Auth::Bearer(token) => token.kind.word(),
        Auth::Basic => "basic",
        Auth::Other => "other",
    };
    g.text("request.auth", auth, seq);
    g.flag("refresh.is_this", call.is_refresh(), seq);
    g.flag("signin.is_this", call.is_signin(), seq);
    g.flag("heartbeat.is_this", call.is_heartbeat(), seq);
    g.number("request.failures", f64::from(own.calls.failures(call)), seq);
    g.flag("idempotency.sent", call.key.is_some(), seq);
    if let (Some(text), Some(key)) = (&call.key, own.calls.key(call)) {
        g.text("idempotency.key", text, seq);
        g.number("idempotency.uses", f64::from(key.uses), key.first.seq);
        g.number("idempotency.age_s", secs_between(key.first.at, call.sent.at), key.first.seq);
        let differs = key.body != calls::hash(&call.body[..]);
        g.flag("idempotency.body_differs", differs, key.first.seq);
        let ago = seconds(secs_between(key.first.at, call.sent.at));
        let before = match (key.uses, differs) {
            (0 | 1, _) => "stands in no earlier request of this capture".to_owned(),
            (n, true) => format!("was used for another body {ago} before, and this is request {n} with it"),
            (n, false) => format!("was used for the same body {ago} before, and this is request {n} with it"),
        };
        g.text("idempotency.before", &before, key.first.seq);
    }
    let body = words::json(&call.body);
    if let Some(body) = &body {
        members(g, call, body);
    }
    named(g, own, scene, call, body.as_ref());
    g.number("limit.attribute_bytes", f64::from(Flows::default().guest_resource.attribute_bytes), 0);
}

fn members(g: &mut Gathered, call: &Call, body: &Value) {
    let seq = call.sent.seq;
    let at = |path: &str| path.split('.').try_fold(body, |v, name| v.get(name));
    let word = |path: &str| at(path).and_then(Value::as_str);
    if let Some(text) = word("text") {
        g.number("body.text_bytes", text.len() as f64, seq);
    }
    if let Some(text) = word("textBody") {
        g.number("body.text_chars", text.chars().count() as f64, seq);
    }
    if let Some(attributes) = at("customAttributes").or_else(|| at("attributes")) {
        // A placeholder is shorter than the token that stood there.
        let hidden = call.size.saturating_sub(call.body.len() as u64);
        g.number("body.attributes_bytes", attributes.to_string().len() as f64 + hidden as f64, seq);
    }
    if let Some(secs) = at("metadata.sessionDurationLimit").and_then(Value::as_f64) {
        g.number("body.duration_s", secs, seq);
    }
    if let Some(list) = at("context.capabilities").and_then(Value::as_array) {
        let given: Vec<String> = list.iter().filter_map(|c| c.as_str().map(str::to_owned)).collect();
        let needed = Flows::default().managed_conversation.required_capabilities;
        let missing = needed.into_iter().filter(|n| !given.contains(n)).collect();
        g.list("body.capabilities", given, seq);
        g.list("body.capabilities_missing", missing, seq);
    }
}

/// The ids that a request names, in its path or its body, and whether they are those that were told.
fn named(g: &mut Gathered, own: &Evidence, scene: &Scene<'_>, call: &Call, body: Option<&Value>) {
    let seq = call.sent.seq;
    let path = words::path_ids(call.path());
    let in_body = words::body_ids(body);
    let told = |name: &str| scene.view.ids.iter().find(|i| i.name == name).map(|i| i.value.as_str());
    for (name, in_path, in_body) in [
        ("conversation", path.conversation, in_body.conversation),
        ("guest", path.guest, in_body.guest),
        ("contact", path.contact, in_body.contact),
        ("queue", path.queue, in_body.queue),
    ] {
        let known = told(name);
        let differs = |id: &&str| known.is_some_and(|known| known != *id);
        let ids = [in_path, in_body].into_iter().flatten();
        let Some(id) = ids.clone().find(differs).or_else(|| ids.clone().next()) else { continue };
        g.text(&format!("request.{name}"), id, seq);
        if known.is_some() && matches!(name, "conversation" | "guest") {
            g.flag(&format!("ids.{name}_differs"), differs(&id), seq);
        }
        if name == "conversation" {
            let before = own.ids_before.iter().any(|(n, value)| &**n == name && &**value == id);
            g.flag("ids.conversation_stale", before && differs(&id), seq);
        }
    }
}

/// How often was called, and what the limits are.
pub(super) fn limits(g: &mut Gathered, own: &Evidence, scene: &Scene<'_>, call: &Call, text: &str) {
    let (host, at) = (call.host(), call.sent.at);
    let rates = &scene.common.rates;
    for (name, secs) in [("rate.second", 1.0), ("rate.minute", 60.0)] {
        if let Some(n) = rates.within(host, at, secs) {
            g.number(name, n as f64, 0);
        }
    }
    g.number("rate.path_minute", own.calls.on_path(call) as f64, 0);
    let seq = scene.record.seq;
    match words::numbers(text)[..] {
        [limit, window, ..] if text.to_lowercase().contains("within") => {
            g.number("rate.limit", limit, seq);
            g.number("rate.window_s", window, seq);
            if let Some(n) = rates.within(host, at, window) {
                g.number("rate.count", n as f64, 0);
            }
        }
        [_, limit, ..] if text.to_lowercase().contains("concurrent") => g.number("sessions.limit", limit, seq),
        _ => {}
    }
    let minute = |at: Moment| secs_between(at.at, call.sent.at) < 60.0;
    let before = own.calls.limited.iter().filter(|l| minute(l.at) && l.at.at.mono <= call.sent.at.mono).count();
    g.number("rate.refused_before", before as f64, 0);
    if let Some(limited) = own.calls.limited_before(call)
        && let Some(secs) = limited.retry_after
    {
        let early = secs - secs_between(limited.at.at, call.sent.at);
        // A hundredth is the work of clocks.
        g.flag("rate.obeyed", early <= 0.01, limited.at.seq);
        g.number("rate.early_s", early, limited.at.seq);
    }
}
