//! Files of agents: where to upload to, and what became of it.
//!
//! Assumed of the deprecated way, whose answer names neither headers nor a type: the bytes bring their size and, in
//! their Content-Type, their type; such a file has no name of its own.

use serde_json::{Value, json};

use super::super::attach;
use super::super::flows::fields::{self, Fields};
use super::super::flows::{Answer, No};
use super::super::ids;
use super::call::{Call, no, not_found, ok};
use super::messages::{SEND, mine};

fn room(call: &Call) -> Result<(), No> {
    match call.state.files.is_full() {
        true => Err(no(503, "service.unavailable", "The sandbox holds too many files")),
        false => Ok(()),
    }
}

/// `POST …/communications/{id}/messages/media`, deprecated: no body, and no headers to upload with.
pub(super) fn announce(call: &mut Call) -> Answer {
    call.need(&SEND)?;
    let (.., session) = mine(call)?;
    room(call)?;
    let (id, base) = (ids::uuid(), call.state.me.http());
    let url = call.state.files.announce_any((session, &id), &base, call.now);
    ok(&json!({
        "id": id, "uploadUrl": url, "status": "uploading", "selfUri": format!("{}/{id}", path(call)),
    }))
}

/// `POST …/communications/{id}/messages/media/uploads`: where to upload a file to.
pub(super) fn upload(call: &mut Call) -> Answer {
    call.need(&SEND)?;
    let (.., session) = mine(call)?;
    let body = fields::object(call.body)?;
    let mut f = Fields::of(&body);
    let name = f.text("fileName").to_owned();
    let most = i64::from(call.state.deployment.max_file_size_kb) * 1024;
    let size = f.whole("contentLengthBytes", 1..=most);
    if name.contains(['/', '\\']) {
        f.fault("fileName", "has a slash in it");
    }
    f.done()?;
    let mime = mime_guess::from_path(&name).first_or_octet_stream().to_string();
    if !call.state.deployment.allows_type(&mime) {
        return Err(no(400, "media.type.not.allowed", &format!("Media type {mime} is not allowed")));
    }
    room(call)?;
    let (id, base, organization) = (ids::uuid(), call.state.me.http(), call.state.me.organization_id.clone());
    let size = size.and_then(|s| u64::try_from(s).ok()).unwrap_or_default();
    let files = &mut call.state.files;
    let ticket = files.announce((session, &id), (&name, &mime, size), (&base, &organization), call.now);
    if let Some(file) = files.get_mut(session, &id) {
        file.by_agent = true;
    }
    let headers: serde_json::Map<String, Value> = ticket.headers.into_iter().map(|(k, v)| (k, v.into())).collect();
    ok(&json!({
        "id": id, "name": name, "uploadUrl": ticket.url, "uploadHeaders": headers,
        "selfUri": format!("{}/{id}", path(call)),
    }))
}

fn path(call: &Call) -> String {
    let (c, communication) = (call.part("id"), call.part("communication"));
    format!("/api/v2/conversations/messages/{c}/communications/{communication}/messages/media")
}

/// `GET …/communications/{id}/messages/media/{id}`.
pub(super) fn one(call: &mut Call) -> Answer {
    let (.., session) = mine(call)?;
    let id = call.part("media").to_owned();
    let file = call.state.files.get(session, &id).ok_or_else(|| not_found("Media", &id))?;
    let status = file.stage.word();
    let mut told = json!({
        "id": id, "name": file.name, "mediaType": file.mime, "contentLengthBytes": file.size, "status": status,
        "conversationId": call.part("id"), "communicationId": call.part("communication"),
        "selfUri": format!("{}/{id}", path(call)),
    });
    if status == "valid" {
        told["url"] = attach::link(call.state, session, &id, call.now).into();
    }
    ok(&told)
}
