//! Frames of the client: written by the machine, and read back from records.

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

use super::inbound::ChannelMetadata;
use super::lenient::{Audit, Audited, Bool, Int, Raw, Str, Strangers, otherwise_wrong, shape};
use crate::model::rich::Choice;

/// Any request. Members that are none are left out.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    pub action: &'static str,
    pub token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_new: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Data<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close_all_connections: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors_as_json: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Say<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel<'a>>,
    pub tracing_id: &'a str,
}

impl Request<'_> {
    pub fn json(&self) -> String {
        // Strings, numbers and lists of them: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Of configureAuthenticatedSession. The `code` is the platform's JWT.
#[derive(Clone, Serialize)]
pub struct Data<'a> {
    pub code: &'a str,
}

impl fmt::Debug for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Data(…)")
    }
}

/// The `message` of onMessage and echo.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Say<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<Piece<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Occasion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata<'a>>,
}

/// The tracing id does not come back with history; the metadata does. Older clients of the vendor used this key.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata<'a> {
    pub custom_message_id: &'a str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent<'a>>,
}

/// Names the message that an answer is for.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Parent<'a> {
    pub parent_message_id: &'a str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "contentType")]
pub enum Piece<'a> {
    Attachment {
        attachment: Id<'a>,
    },
    #[serde(rename_all = "camelCase")]
    ButtonResponse {
        button_response: Pressed<'a>,
    },
    Form {
        form: FormAnswer<'a>,
    },
}

#[derive(Clone, Debug, Serialize)]
pub struct Id<'a> {
    pub id: &'a str,
}

#[derive(Clone, Debug, Serialize)]
pub struct Pressed<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub text: &'a str,
    pub payload: &'a str,
    /// The message that made the offer.
    #[serde(rename = "originatingMessageId", skip_serializing_if = "Option::is_none")]
    pub to: Option<&'a str>,
}

impl<'a> Pressed<'a> {
    pub fn new(kind: &'static str, text: &'a str, payload: &'a str) -> Self {
        Self { kind, text, payload, to: None }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FormAnswer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub originating_message_id: Option<&'a str>,
    pub canned_response_id: &'a str,
    pub response: Vec<FormValue<'a>>,
}

#[derive(Clone, Debug, Serialize)]
pub struct FormValue<'a> {
    pub id: &'a str,
    pub component: Valued<'a>,
}

/// The value of a field, in the form of a button.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Valued<'a> {
    content_type: &'static str,
    button_response: Pressed<'a>,
}

impl<'a> Valued<'a> {
    pub fn of(choice: &'a Choice) -> Self {
        let button_response = Pressed::new("Form", &choice.text, &choice.payload);
        Self { content_type: "ButtonResponse", button_response }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "eventType")]
pub enum Occasion {
    Typing { typing: Word },
    Presence { presence: Word },
}

#[derive(Clone, Debug, Serialize)]
pub struct Word {
    #[serde(rename = "type")]
    pub kind: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub struct Channel<'a> {
    pub metadata: Custom<'a>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Custom<'a> {
    #[serde(serialize_with = "as_map")]
    pub custom_attributes: &'a [(String, String)],
}

fn as_map<S: serde::Serializer>(pairs: &&[(String, String)], s: S) -> Result<S::Ok, S::Error> {
    s.collect_map(pairs.iter().map(|(k, v)| (k, v)))
}

shape! {
    /// A request as it stands in a record; also one that was written by hand.
    Asked {
        action: Str<'a> = "action",
        token: Str<'a> = "token",
        tracing: Str<'a> = "tracingId",
        deployment: Raw<'a> = "deploymentId",
        start_new: Bool = "startNew",
        close_all: Bool = "closeAllConnections",
        attachment: Str<'a> = "attachmentId",
        file_name: Str<'a> = "fileName",
        file_type: Str<'a> = "fileType",
        file_size: Int = "fileSize",
        data: Raw<'a> = "data",
        message: super::inbound::Message<'a> = "message",
        channel: AskedChannel<'a> = "channel",
        // Known to the schema; nothing here asks for them.
        journey: Raw<'a> = "journeyContext",
        resume: Raw<'a> = "resumeToken",
        errors_as_json: Raw<'a> = "errorsAsJson",
        file_md5: Raw<'a> = "fileMd5",
        time: Raw<'a> = "time",
    }

    AskedChannel {
        metadata: ChannelMetadata<'a> = "metadata",
    }
}
