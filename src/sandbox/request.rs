//! What clients send. Members that no rule needs are let through unread: newer clients send more of them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What every request may carry. Bears the session's token, so it has no `Debug`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Common {
    pub(super) action: Option<String>,
    pub(super) token: Option<String>,
    pub(super) tracing_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Configure {
    pub(super) deployment_id: Option<String>,
    pub(super) start_new: Option<bool>,
}

/// Bears a token, so it has no `Debug`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ConfigureAuthenticated {
    pub(super) deployment_id: Option<String>,
    pub(super) start_new: Option<bool>,
    pub(super) data: Option<SignIn>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SignIn {
    /// The platform's JWT, not the identity provider's code.
    pub(super) code: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Send {
    pub(super) message: Option<GuestMessage>,
    /// Where one of the vendor's clients puts the custom attributes.
    pub(super) channel: Option<GuestChannel>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GuestMessage {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) text: Option<String>,
    pub(super) content: Option<Vec<Value>>,
    pub(super) events: Option<Vec<Value>>,
    pub(super) metadata: Option<BTreeMap<String, String>>,
    /// Where the other of them puts the custom attributes.
    pub(super) channel: Option<GuestChannel>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GuestChannel {
    pub(super) metadata: Option<ChannelMetadata>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ChannelMetadata {
    pub(super) custom_attributes: Option<BTreeMap<String, Value>>,
}

impl GuestChannel {
    pub(super) fn attributes(self) -> BTreeMap<String, Value> {
        self.metadata.and_then(|m| m.custom_attributes).unwrap_or_default()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Attach {
    pub(super) attachment_id: Option<String>,
    pub(super) file_name: Option<String>,
    pub(super) file_type: Option<String>,
    pub(super) file_size: Option<u64>,
    pub(super) errors_as_json: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Close {
    pub(super) close_all_connections: Option<bool>,
}

/// Reads a request's members, or says what is wrong with them.
pub(super) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    T::deserialize(value).map_err(|e| format!("Request is not valid: {e}"))
}
