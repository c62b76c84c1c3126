//! What the server sends: the envelope and its classes, field by field as the vendor's clients expect them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

/// `type` of an envelope: the answer to this connection's request, or pushed.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Envelope {
    Response,
    Message,
}

#[derive(Serialize)]
struct Out<'a, B: Serialize> {
    #[serde(rename = "type")]
    envelope: Envelope,
    class: &'a str,
    code: u16,
    body: B,
    #[serde(rename = "tracingId", skip_serializing_if = "Option::is_none")]
    tracing_id: Option<&'a str>,
}

fn write<B: Serialize>(envelope: Envelope, class: &str, code: u16, body: B, tracing_id: Option<&str>) -> String {
    let out = Out { envelope, class, code, body, tracing_id };
    // Plain structs with string keys always serialise.
    serde_json::to_string(&out).unwrap_or_default()
}

/// An answer with status 200.
pub(super) fn response<B: Serialize>(class: &str, body: B, tracing_id: Option<&str>) -> String {
    write(Envelope::Response, class, 200, body, tracing_id)
}

/// Something pushed, with status 200.
pub(super) fn message<B: Serialize>(class: &str, body: B, tracing_id: Option<&str>) -> String {
    write(Envelope::Message, class, 200, body, tracing_id)
}

/// An error in its plain form: class `string`, the code in the envelope.
pub(super) fn error(code: u16, text: &str, tracing_id: Option<&str>) -> String {
    write(Envelope::Response, "string", code, text, tracing_id)
}

/// An error about an attachment, for clients that asked for `errorsAsJson`.
pub(super) fn url_error(attachment_id: &str, code: u16, text: &str, tracing_id: Option<&str>) -> String {
    let body = json!({ "attachmentId": attachment_id, "errorCode": code, "errorMessage": text });
    write(Envelope::Response, "GenerateUrlError", 400, body, tracing_id)
}

pub(super) fn too_many(retry_after: u32, text: &str, tracing_id: Option<&str>) -> String {
    let body = json!({ "retryAfter": retry_after, "errorCode": 4029, "errorMessage": text });
    write(Envelope::Response, "TooManyRequestsErrorMessage", 429, body, tracing_id)
}

pub(super) fn session_expired(envelope: Envelope, tracing_id: Option<&str>) -> String {
    write(envelope, "SessionExpiredEvent", 200, json!({}), tracing_id)
}

pub(super) fn connection_closed() -> String {
    message("ConnectionClosedEvent", json!({}), None)
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct AllowedMedia {
    pub(super) inbound: Inbound,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Inbound {
    pub(super) file_types: Vec<FileType>,
    #[serde(rename = "maxFileSizeKB")]
    pub(super) max_file_size_kb: u32,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct FileType {
    #[serde(rename = "type")]
    pub(super) kind: String,
}

/// Body of `SessionResponse` to a configure.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionResponse {
    pub(super) connected: bool,
    pub(super) new_session: bool,
    pub(super) read_only: bool,
    pub(super) max_custom_data_bytes: u32,
    pub(super) allowed_media: AllowedMedia,
    pub(super) blocked_extensions: Vec<String>,
    pub(super) cleared_existing_session: bool,
    pub(super) duration_seconds: u32,
    /// Seconds since the epoch.
    pub(super) expiration_date: i64,
}

/// Body of `SessionResponse` to a `closeSession`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionClosed {
    pub(super) connected: bool,
    pub(super) new_session: bool,
    pub(super) read_only: bool,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Configuration {
    pub(super) allowed_media: AllowedMedia,
    pub(super) blocked_extensions: Vec<String>,
    pub(super) max_custom_data_bytes: u32,
    pub(super) message_routing_enabled: bool,
    pub(super) session_duration_seconds: u32,
}

/// Body of `PresignedUrlResponse`, for an upload and for a fresh download link alike.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PresignedUrl {
    pub(super) attachment_id: String,
    pub(super) url: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) file_name: String,
    pub(super) file_size: u64,
    pub(super) file_type: String,
}

/// Who speaks in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Entity {
    Human,
    Bot,
}

/// From the platform's viewpoint: the guest speaks inbound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Way {
    Inbound,
    Outbound,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Channel {
    /// ISO 8601 in UTC with milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<Value>,
}

/// Body of `StructuredMessage`, live and in the history.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Structured {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    pub(super) direction: Way,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) originating_entity: Option<Entity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) channel: Option<Channel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) events: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<BTreeMap<String, String>>,
}
