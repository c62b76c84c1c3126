//! What lies outside the API: the deployment's public files, uploads and downloads.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, Request, State as Shares};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;

use super::attach;
use super::deployment::DisconnectMode;
use super::files::{PutRefused, Stage};
use super::frame;
use super::ids;
use super::server;
use super::shared::Shared;

/// Largest body that an upload may have, whatever the deployment says.
const LARGEST: usize = 64 << 20;

/// An error in the form of S3.
fn s3(status: StatusCode, code: &str, message: &str) -> Response {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{}</RequestId></Error>",
        ids::hex32()
    );
    (status, [(header::CONTENT_TYPE, "application/xml")], text).into_response()
}

fn denied() -> Response {
    s3(StatusCode::FORBIDDEN, "AccessDenied", "Access Denied")
}

pub(super) async fn config(Shares(shared): Shares<Arc<Shared>>, Path(id): Path<String>) -> Response {
    shared.act(|state, _| {
        if id != state.me.deployment_id {
            return denied();
        }
        let d = &state.deployment;
        let disconnect = match d.conversation_disconnect {
            DisconnectMode::Off => json!({ "enabled": false, "type": "Send" }),
            DisconnectMode::Send => json!({ "enabled": true, "type": "Send" }),
            DisconnectMode::ReadOnly => json!({ "enabled": true, "type": "ReadOnly" }),
        };
        let body = json!({
            "id": id,
            "version": "1",
            "languages": ["en-us"],
            "defaultLanguage": "en-us",
            "apiEndpoint": state.me.http(),
            "status": if d.active { "Active" } else { "Inactive" },
            "headlessMode": { "enabled": false },
            "auth": { "enabled": d.auth_enabled, "allowSessionUpgrade": d.auth_allow_session_upgrade },
            "journeyEvents": { "enabled": false },
            "messenger": {
                "enabled": true,
                "styles": { "primaryColor": "#2f6fa8" },
                "launcherButton": { "visibility": "On" },
                "fileUpload": {
                    "enableAttachments": d.file_upload,
                    "modes": if d.file_upload {
                        json!([{ "fileTypes": d.file_types, "maxFileSizeKB": d.max_file_size_kb }])
                    } else {
                        json!([])
                    },
                },
                "apps": { "conversations": {
                    "messagingEndpoint": state.me.ws(),
                    "sessionDurationSeconds": d.session_secs,
                    "showAgentTypingIndicator": true,
                    "showUserTypingIndicator": d.typing,
                    "autoStart": { "enabled": d.auto_start },
                    "conversationDisconnect": disconnect,
                    "conversationClear": { "enabled": d.conversation_clear },
                    "notifications": { "enabled": false },
                    "markdown": { "enabled": false },
                    "humanize": { "enabled": false },
                } },
            },
        });
        server::json(StatusCode::OK, &body)
    })
}

pub(super) async fn domains(Shares(shared): Shares<Arc<Shared>>, Path(id): Path<String>) -> Response {
    shared.act(|state, _| {
        if id != state.me.deployment_id {
            return denied();
        }
        let d = &state.deployment;
        let body = json!({ "allowAllDomains": d.allow_all_domains, "allowedDomains": d.allowed_domains });
        server::json(StatusCode::OK, &body)
    })
}

/// Takes the bytes of a file, and tells the session what came of it. The address and headers are S3's business,
/// what is in the file that of the scan behind it: that fails on the socket, not here. Assumed: the scan finds a file
/// of another size than announced invalid.
pub(super) async fn upload(
    Shares(shared): Shares<Arc<Shared>>,
    Path(key): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let signed: Vec<(String, String)> = head
        .headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-amz-"))
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let signature = query.get("X-Amz-Signature").map(String::as_str);
    let checked = shared.act(|state, now| state.files.upload(&key, signature, &signed, now).map(|_| ()));
    let refuse = |why| match why {
        PutRefused::Signature => {
            let text = "The address, its signature and the signed headers do not belong together.";
            s3(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", text)
        }
        PutRefused::Expired => s3(StatusCode::FORBIDDEN, "AccessDenied", "Request has expired"),
        PutRefused::Gone => denied(),
    };
    if let Err(why) = checked {
        return refuse(why);
    }
    let Ok(bytes) = axum::body::to_bytes(body, LARGEST).await else {
        return s3(StatusCode::BAD_REQUEST, "EntityTooLarge", "The upload broke off or is too large");
    };
    let stored = shared.act(|state, now| {
        let most = u64::from(state.deployment.max_file_size_kb) * 1024;
        let rejected = state.faults.reject_upload;
        let room = state.files.has_room(bytes.len() as u64);
        let allowed = kind.as_deref().is_none_or(|kind| state.deployment.allows_type(kind));
        let file = state.files.upload(&key, signature, &signed, now)?;
        let size = bytes.len() as u64;
        if file.any {
            file.size = size;
            file.mime = kind.unwrap_or_else(|| file.mime.clone());
        }
        let failure = match () {
            () if rejected != 0 => Some((rejected, "File was rejected by order")),
            () if size == 0 => Some((4102, "File is empty")),
            () if size > most || !room => Some((4002, "File is too large")),
            () if file.any && !allowed => Some((4001, "File type is not supported")),
            () if size != file.size => Some((4003, "File content is not of the announced size")),
            () => None,
        };
        file.stage = if failure.is_some() { Stage::Failed } else { Stage::Stored(bytes) };
        let (session, id) = (file.session, file.attachment_id.clone());
        if file.by_agent {
            return Ok(());
        }
        let timestamp = state.iso(now);
        let text = match failure {
            Some((code, text)) => {
                let body =
                    json!({ "attachmentId": id, "errorCode": code, "errorMessage": text, "timestamp": timestamp });
                frame::message("UploadFailureEvent", body, None)
            }
            None => {
                let url = attach::link(state, session, &id, now);
                let body = json!({ "attachmentId": id, "downloadUrl": url, "timestamp": timestamp });
                frame::message("UploadSuccessEvent", body, None)
            }
        };
        state.broadcast(session, &text, now);
        Ok(())
    });
    match stored {
        Ok(()) => (StatusCode::OK, [(header::ETAG, format!("\"{}\"", ids::hex32()))]).into_response(),
        Err(why) => refuse(why),
    }
}

pub(super) async fn download(Shares(shared): Shares<Arc<Shared>>, Path(key): Path<String>) -> Response {
    let found: Option<(String, String, Bytes)> = shared.act(|state, now| {
        let file = state.files.follow(&key, now)?;
        match &file.stage {
            Stage::Stored(bytes) => Some((file.name.clone(), file.mime.clone(), bytes.clone())),
            _ => None,
        }
    });
    let Some((name, mime, bytes)) = found else {
        return s3(StatusCode::NOT_FOUND, "NoSuchKey", "There is nothing at this address, or not any more");
    };
    // A guest named the file and its type: nothing of it may run in a browser as a page of ours.
    let quoted: String =
        name.chars().map(|c| if c.is_ascii_graphic() && c != '"' && c != '\\' { c } else { '_' }).collect();
    let response = Response::builder()
        .header(header::CONTENT_TYPE, mime)
        .header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{quoted}\""))
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(Body::from(bytes));
    response.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}
