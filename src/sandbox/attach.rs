//! Files at the socket: a place to upload to, fresh links, deletion, and references in messages.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::files::{File, Stage};
use super::frame::{self, PresignedUrl};
use super::guest::{No, Request, session_of};
use super::ids;
use super::request::{self, Attach};
use super::state::State;
use crate::model::Now;

/// Longest name of a file in characters, exclusive.
const NAME: usize = 1024;

pub(super) fn announce(state: &mut State, r: &Request) -> Result<(), No> {
    let session = session_of(state, r)?;
    let want: Attach = request::read(r.value).map_err(No::bad)?;
    let id = want.attachment_id.clone().filter(|id| !id.is_empty()).unwrap_or_else(ids::uuid);
    let json = want.errors_as_json.unwrap_or(false);
    let refuse = |code, text: String| No::Url { id: id.clone(), code, text, json };
    if !state.deployment.file_upload {
        return Err(refuse(4000, "File upload is not available".to_owned()));
    }
    let Some(name) = want.file_name else { return Err(No::missing("fileName")) };
    let Some(mime) = want.file_type else { return Err(No::missing("fileType")) };
    let Some(size) = want.file_size else { return Err(No::missing("fileSize")) };
    let extension = Path::new(&name).extension().and_then(|e| e.to_str()).unwrap_or_default();
    if name.chars().count() >= NAME {
        return Err(refuse(4005, format!("File name is not shorter than {NAME} characters")));
    }
    if extension.is_empty() || name.contains(['/', '\\']) {
        return Err(refuse(4004, "File name is empty or without an extension".to_owned()));
    }
    let dotted = format!(".{extension}");
    if state.deployment.blocked_extensions.iter().any(|b| b.eq_ignore_ascii_case(&dotted)) {
        return Err(refuse(4001, format!("File extension {dotted} not supported")));
    }
    if !state.deployment.allows_type(&mime) {
        return Err(refuse(4001, format!("File type {mime} not supported")));
    }
    if size == 0 {
        return Err(refuse(4102, "File is empty".to_owned()));
    }
    let most = state.deployment.max_file_size_kb;
    if size > u64::from(most) * 1024 {
        return Err(refuse(4002, format!("File size {size} is larger than {most} KB")));
    }
    if state.files.get(session, &id).is_some() {
        return Err(refuse(400, "attachmentId is in use".to_owned()));
    }
    let (base, organization) = (state.me.http(), state.me.organization_id.clone());
    let ticket = state.files.announce((session, &id), (&name, &mime, size), (&base, &organization), r.now);
    let body = PresignedUrl {
        attachment_id: id,
        url: ticket.url,
        headers: ticket.headers.into_iter().collect(),
        file_name: name,
        file_size: size,
        file_type: mime,
    };
    state.post(r.conn, &frame::response("PresignedUrlResponse", body, r.tracing_id), r.now);
    Ok(())
}

/// The id that a request names and the file that it leads to.
fn find<'a>(state: &'a State, session: u32, r: &Request) -> Result<(String, bool, &'a File), No> {
    let want: Attach = request::read(r.value).map_err(No::bad)?;
    let json = want.errors_as_json.unwrap_or(false);
    let Some(id) = want.attachment_id.filter(|id| !id.is_empty()) else { return Err(No::missing("attachmentId")) };
    match state.files.get(session, &id) {
        Some(file) => Ok((id, json, file)),
        None => Err(No::Url { id, code: 4009, text: "Attachment not found".to_owned(), json }),
    }
}

pub(super) fn refresh(state: &mut State, r: &Request) -> Result<(), No> {
    let session = session_of(state, r)?;
    let (id, json, file) = find(state, session, r)?;
    if !matches!(file.stage, Stage::Stored(_)) {
        return Err(No::Url { id, code: 4010, text: "Attachment was not uploaded".to_owned(), json });
    }
    let (file_name, file_size, file_type) = (file.name.clone(), file.size, file.mime.clone());
    let url = link(state, session, &id, r.now);
    let body = PresignedUrl { attachment_id: id, url, headers: Default::default(), file_name, file_size, file_type };
    state.post(r.conn, &frame::response("PresignedUrlResponse", body, r.tracing_id), r.now);
    Ok(())
}

pub(super) fn delete(state: &mut State, r: &Request) -> Result<(), No> {
    let session = session_of(state, r)?;
    let (id, json, file) = find(state, session, r)?;
    if file.sent {
        let text = "Attachment was sent and can no longer be deleted".to_owned();
        return Err(No::Url { id, code: 400, text, json });
    }
    state.files.delete(session, &id);
    let text = frame::message("AttachmentDeletedResponse", json!({ "attachmentId": id }), r.tracing_id);
    state.post(r.conn, &text, r.now);
    Ok(())
}

/// Fills in a reference in a guest's message, as it is sent back.
pub(super) fn refer(state: &mut State, session: u32, part: &mut Value, now: Now) -> Result<(), No> {
    let Some(id) = part["attachment"]["id"].as_str().map(str::to_owned) else {
        return Err(No::missing("message.content.attachment.id"));
    };
    let Some(file) = state.files.get_mut(session, &id) else {
        return Err(No::Error(4009, "Attachment not found".to_owned()));
    };
    if !matches!(file.stage, Stage::Stored(_)) {
        return Err(No::Error(4010, "Attachment was not successfully uploaded".to_owned()));
    }
    file.sent = true;
    *part = content(state, session, &id, now);
    Ok(())
}

/// Content of a message that bears a stored file, with a fresh link.
pub(super) fn content(state: &mut State, session: u32, id: &str, now: Now) -> Value {
    let url = link(state, session, id, now);
    let Some(file) = state.files.get(session, id) else { return json!({ "contentType": "Attachment" }) };
    let media_type = match file.mime.split('/').next() {
        Some("image") => "Image",
        Some("video") => "Video",
        Some("audio") => "Audio",
        _ => "File",
    };
    json!({ "contentType": "Attachment", "attachment": {
        "id": id, "filename": file.name, "fileSize": file.size, "mediaType": media_type, "mime": file.mime, "url": url,
    } })
}

pub(super) fn link(state: &mut State, session: u32, id: &str, now: Now) -> String {
    let until = now.wall + Duration::from_secs(state.deployment.link_secs.into());
    let base = state.me.http();
    state.files.link(&base, session, id, until)
}
