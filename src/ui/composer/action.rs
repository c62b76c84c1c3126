//! What the composer can do, and how a filled form becomes a wish.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dialect::{Button, FlowWish, Wish};
use crate::model::DialectId;
use crate::model::environment::Limits;
use crate::model::flows::{RefreshForm, SendForm};
use crate::model::rich;

/// One form of the composer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    #[default]
    Text,
    QuickReply,
    Postback,
    Pick,
    Typing,
    Join,
    Clear,
    Attach,
    Echo,
    GetJwt,
    History,
    GetConfiguration,
    CloseSession,
    StartNew,
    Configure,
    Raw,
    RefreshToken,
    CheckQueue,
    Heartbeat,
    SyncProfile,
    Request,
}

impl Action {
    pub const ALL: [Self; 21] = [
        Self::Text,
        Self::QuickReply,
        Self::Postback,
        Self::Pick,
        Self::Attach,
        Self::Typing,
        Self::Join,
        Self::Clear,
        Self::Echo,
        Self::GetJwt,
        Self::History,
        Self::GetConfiguration,
        Self::Configure,
        Self::StartNew,
        Self::CloseSession,
        Self::Raw,
        Self::RefreshToken,
        Self::CheckQueue,
        Self::Heartbeat,
        Self::SyncProfile,
        Self::Request,
    ];

    /// What a session of this dialect can do, the usual first.
    pub fn of(dialect: DialectId) -> &'static [Self] {
        match dialect {
            DialectId::WebMessaging => &[
                Self::Text,
                Self::QuickReply,
                Self::Postback,
                Self::Pick,
                Self::Attach,
                Self::Typing,
                Self::Join,
                Self::Clear,
                Self::Echo,
                Self::GetJwt,
                Self::History,
                Self::GetConfiguration,
                Self::Configure,
                Self::StartNew,
                Self::CloseSession,
                Self::Raw,
            ],
            DialectId::Agent => &[Self::Text, Self::Attach, Self::Typing, Self::Raw, Self::Request],
            DialectId::SessionToken => &[Self::Text, Self::RefreshToken, Self::Request],
            DialectId::ExternalContact => &[Self::Text, Self::RefreshToken, Self::Raw, Self::Request],
            DialectId::SignedGuest => &[Self::CheckQueue, Self::RefreshToken, Self::Request],
            DialectId::ManagedConversation => &[Self::Heartbeat, Self::Request],
            DialectId::GuestResource => &[Self::Text, Self::SyncProfile, Self::Raw, Self::Request],
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::QuickReply => "Quick reply",
            Self::Postback => "Button postback",
            Self::Pick => "Picker or form",
            Self::Typing => "Typing",
            Self::Join => "Join",
            Self::Clear => "Clear conversation",
            Self::Attach => "Attach a file",
            Self::Echo => "Echo (health check)",
            Self::GetJwt => "Get JWT",
            Self::History => "Read history",
            Self::GetConfiguration => "Get configuration",
            Self::CloseSession => "Close session",
            Self::StartNew => "Start new",
            Self::Configure => "Configure session",
            Self::Raw => "Raw frame",
            Self::RefreshToken => "Refresh token",
            Self::CheckQueue => "Check queue",
            Self::Heartbeat => "Heartbeat",
            Self::SyncProfile => "Profile",
            Self::Request => "Request",
        }
    }

    /// What will go over the wire, for the form's head and the menu.
    pub fn about(self) -> &'static str {
        match self {
            Self::Text => "onMessage with a text, attributes and uploaded files",
            Self::QuickReply => "onMessage with a ButtonResponse of type QuickReply",
            Self::Postback => "onMessage with a ButtonResponse of type Button, as a card's button sends it",
            Self::Pick => "onMessage with what was chosen of a date picker, a list picker or a form",
            Self::Typing => "onMessage with a Typing event; the server expects at most one in 5 seconds",
            Self::Join => "onMessage with a Presence Join event, as clients with auto-start send it",
            Self::Clear => "onMessage with a Presence Clear event; the server may refuse it with 403",
            Self::Attach => "onAttachment, then a PUT of the bytes to the address that the server gives",
            Self::Echo => "echo with the text “ping”; it also tells when the session will expire",
            Self::GetJwt => "getJwt: a short-lived token for the history call",
            Self::History => "GET /api/v2/webmessaging/messages with a JWT, merged into the conversation",
            Self::GetConfiguration => "getConfiguration: allowed files, limits and session length",
            Self::CloseSession => "closeSession on the open socket",
            Self::StartNew => "closeSession, then configureSession with startNew on the same socket",
            Self::Configure => "configureSession on the open socket, with the token that the session has",
            Self::Raw => "The text of one frame, sent as it stands; [placeholders] are not filled in",
            Self::RefreshToken => "A fresh token for the guest, now",
            Self::CheckQueue => "GET /api/v2/routing/queues/{queueId}: is the queue known?",
            Self::Heartbeat => "PATCH with a time and a growing sequence, now",
            Self::SyncProfile => "PUT …/guests/{guestId} with attributes; they are merged",
            Self::Request => "Any call with the session's OAuth bearer; {conversationId} and the like are filled in",
        }
    }

    /// As [`Action::about`], for a session of this dialect.
    pub fn about_in(self, dialect: DialectId) -> &'static str {
        match (self, dialect) {
            (Self::Text, DialectId::SessionToken) => "POST …/messages in one of the disputed forms",
            (Self::Text, DialectId::ExternalContact) => "POST …/contacts/{contactId}/messages with to and text",
            (Self::Text, DialectId::Agent) => "POST …/communications/{communicationId}/messages",
            (Self::Attach, DialectId::Agent) => "asks for an upload, PUTs the bytes, waits until the platform takes it",
            (Self::Typing, DialectId::Agent) => "POST …/communications/{communicationId}/typing, at most 12 a minute",
            (Self::Raw, DialectId::Agent) => "The text of one frame on the notification socket, sent as it stands",
            (Self::Request, DialectId::Agent) => {
                "Any call with the agent's token; {userId} and {channelId} are filled in"
            }
            (Self::Text, DialectId::GuestResource) => "a frame of type “message” on the socket",
            _ => self.about(),
        }
    }

    /// The word on the button.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Attach => "Upload",
            Self::Clear => "Clear",
            Self::CloseSession => "Close session",
            Self::StartNew => "Start new",
            Self::Configure => "Configure",
            Self::History => "Read",
            Self::GetJwt | Self::GetConfiguration => "Get",
            Self::RefreshToken => "Refresh",
            Self::CheckQueue => "Check",
            Self::SyncProfile => "Write",
            _ => "Send",
        }
    }

    /// The form has fields whose content is worth keeping.
    pub fn has_draft(self) -> bool {
        matches!(
            self,
            Self::Text | Self::QuickReply | Self::Postback | Self::Pick | Self::Attach | Self::Raw | Self::Request
        )
    }
}

/// What a person filled in for one action.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Form {
    /// Message, label of a button, or raw frame.
    pub text: String,
    pub payload: String,
    /// Quick reply as the mobile SDK sends it.
    pub as_text: bool,
    /// Configure with `startNew`.
    pub start_new: bool,
    /// All pages of history; all connections to close.
    pub all: bool,
    pub attributes: Vec<(String, String)>,
    /// Path of the file to attach, or of a request.
    pub path: String,
    /// Of a request; empty for GET.
    pub method: String,
    /// Instead of the environment's.
    pub send_form: Option<SendForm>,
    pub refresh_form: Option<RefreshForm>,
    /// What was chosen of pickers and forms and is not sent yet, by the id of the message that made the offer.
    pub picks: BTreeMap<String, rich::Draft>,
    /// The one that is being answered; the newest where none is named.
    pub pick: String,
    pub way: rich::Way,
    /// Ids of uploaded files to send with a text. They die with the session, so they are not stored.
    #[serde(skip)]
    pub attachments: Vec<String>,
}

impl Form {
    /// True where nothing would be lost.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
            && self.payload.is_empty()
            && self.path.is_empty()
            && self.picks.values().all(rich::Draft::is_empty)
            && self.attributes.iter().all(|(k, v)| k.is_empty() && v.is_empty())
    }

    /// Bytes of UTF-8 of all keys and values, as the server counts them.
    pub fn attribute_bytes(&self) -> usize {
        self.attributes.iter().map(|(k, v)| k.len() + v.len()).sum()
    }

    /// Bytes of all that was chosen.
    pub fn pick_bytes(&self) -> usize {
        let of = |d: &rich::Draft| {
            d.0.iter().map(|(f, all)| f.len() + all.iter().map(String::len).sum::<usize>()).sum::<usize>()
        };
        self.picks.iter().map(|(to, draft)| to.len() + of(draft)).sum()
    }

    /// Attributes that have a key. Rows without one are not sent.
    fn sent_attributes(&self) -> Vec<(String, String)> {
        self.attributes.iter().filter(|(k, _)| !k.is_empty()).cloned().collect()
    }

    /// The wish, or why there is none. Attaching is no wish yet: its file has to be read first.
    pub fn wish(&self, action: Action, tracing: String) -> Result<Wish, &'static str> {
        Ok(match action {
            Action::Text => {
                if self.text.is_empty() && self.attachments.is_empty() {
                    return Err("Write a text first, or choose an uploaded file.");
                }
                if let Some(form) = self.send_form {
                    return Ok(Wish::Flow(FlowWish::Say { tracing, text: self.text.clone(), form }));
                }
                Wish::Text {
                    tracing,
                    text: self.text.clone(),
                    attributes: self.sent_attributes(),
                    attachments: self.attachments.clone(),
                }
            }
            Action::QuickReply => {
                if self.payload.is_empty() && self.text.is_empty() {
                    return Err("Give the quick reply a label or a payload.");
                }
                let button = if self.as_text { Button::QuickReplyAsText } else { Button::QuickReply };
                Wish::Answer { tracing, button, text: self.text.clone(), payload: self.payload.clone() }
            }
            Action::Postback => {
                if self.payload.is_empty() && self.text.is_empty() {
                    return Err("Give the button a label or a payload.");
                }
                let (text, payload) = (self.text.clone(), self.payload.clone());
                Wish::Answer { tracing, button: Button::Postback, text, payload }
            }
            // Read together with the offer.
            Action::Pick => return Err("No picker and no form was offered yet."),
            Action::Typing => Wish::Typing { tracing },
            Action::Join => Wish::Join { tracing },
            Action::Clear => Wish::Clear { tracing },
            Action::Attach => return Err("Choose a file first."),
            Action::Echo => Wish::Echo,
            Action::GetJwt => Wish::GetJwt,
            Action::History => Wish::History { all: self.all },
            Action::GetConfiguration => Wish::GetConfiguration,
            Action::CloseSession => Wish::CloseSession { all_connections: self.all },
            Action::StartNew => Wish::StartNew,
            Action::Configure => Wish::Configure { start_new: self.start_new },
            Action::Raw => {
                if self.text.is_empty() {
                    return Err("Write the frame first.");
                }
                Wish::Raw { text: self.text.clone() }
            }
            Action::RefreshToken => Wish::Flow(FlowWish::Refresh { form: self.refresh_form }),
            Action::CheckQueue => Wish::Flow(FlowWish::CheckQueue),
            Action::Heartbeat => Wish::Flow(FlowWish::Heartbeat),
            Action::SyncProfile => {
                let attributes = self.sent_attributes();
                if attributes.is_empty() {
                    return Err("Give at least one attribute a name.");
                }
                Wish::Flow(FlowWish::SyncProfile { attributes })
            }
            Action::Request => {
                if self.path.trim().is_empty() {
                    return Err("Write the path first; it begins with /.");
                }
                let method = if self.method.is_empty() { "GET".to_owned() } else { self.method.clone() };
                let (path, body) = (self.path.trim().to_owned(), self.text.clone());
                Wish::Flow(FlowWish::Request { method, path, body })
            }
        })
    }

    /// What the server will probably say to this, though it can be sent.
    pub fn warnings(&self, action: Action, limits: &Limits) -> Vec<String> {
        let mut out = Vec::new();
        if action == Action::Text && self.text.len() > limits.message_bytes as usize {
            out.push(format!("Longer than {} bytes: the server refuses this with 4011.", limits.message_bytes));
        }
        if action == Action::Text && self.attribute_bytes() > limits.attribute_bytes as usize {
            out.push(format!(
                "The attributes have more than {} bytes: the server refuses this with 4013.",
                limits.attribute_bytes
            ));
        }
        if action == Action::Text && self.attributes.iter().any(|(k, v)| k.is_empty() && !v.is_empty()) {
            out.push("An attribute without a key is not sent.".to_owned());
        }
        if action == Action::Request
            && !self.text.trim().is_empty()
            && let Err(e) = serde_json::from_str::<serde_json::Value>(&self.text)
        {
            out.push(format!("The body is not JSON ({e}) and will not be sent."));
        }
        if action == Action::Raw && !self.text.is_empty() {
            match serde_json::from_str::<serde_json::Value>(&self.text) {
                Err(e) => out.push(format!("Not JSON ({e}). It will be sent as it stands.")),
                Ok(v) if !v.is_object() => out.push("JSON, but not an object. It will be sent as it stands.".into()),
                Ok(v) if v.get("action").is_none() => {
                    out.push(
                        "No “action”: the server will not know what this is. It will be sent as it stands.".into(),
                    );
                }
                Ok(_) => {}
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_stands_in_the_list_once_and_says_what_it_does() {
        let set: std::collections::HashSet<_> = Action::ALL.into_iter().collect();
        assert_eq!(set.len(), Action::ALL.len());
        for a in Action::ALL {
            assert!(!a.title().is_empty() && !a.about().is_empty() && !a.verb().is_empty());
        }
    }

    #[test]
    fn forms_become_the_wishes_they_name() {
        let t = || "t1".to_owned();
        let form = Form {
            text: "Yes".into(),
            payload: "yes".into(),
            attributes: vec![("plan".into(), "gold".into()), (String::new(), "x".into())],
            ..Form::default()
        };
        assert_eq!(
            form.wish(Action::Text, t()),
            Ok(Wish::Text {
                tracing: t(),
                text: "Yes".into(),
                attributes: vec![("plan".into(), "gold".into())],
                attachments: vec![],
            })
        );
        let answer = |button| Wish::Answer { tracing: t(), button, text: "Yes".into(), payload: "yes".into() };
        assert_eq!(form.wish(Action::QuickReply, t()), Ok(answer(Button::QuickReply)));
        let mobile = Form { as_text: true, ..form.clone() };
        assert_eq!(mobile.wish(Action::QuickReply, t()), Ok(answer(Button::QuickReplyAsText)));
        assert_eq!(form.wish(Action::Postback, t()), Ok(answer(Button::Postback)));
        assert_eq!(form.wish(Action::Raw, t()), Ok(Wish::Raw { text: "Yes".into() }));
        assert_eq!(form.wish(Action::Configure, t()), Ok(Wish::Configure { start_new: false }));
    }

    #[test]
    fn an_empty_form_is_no_wish() {
        let form = Form::default();
        for a in [Action::Text, Action::QuickReply, Action::Postback, Action::Raw, Action::Attach] {
            assert!(form.wish(a, String::new()).is_err(), "{a:?}");
        }
    }

    #[test]
    fn what_is_too_long_or_malformed_is_warned_of_and_can_be_sent() {
        let limits = Limits::default();
        let long = Form { text: "é".repeat(2049), ..Form::default() };
        assert!(long.warnings(Action::Text, &limits)[0].contains("4011"));
        assert!(long.wish(Action::Text, String::new()).is_ok());
        let exact = Form { text: "é".repeat(2048), ..Form::default() };
        assert!(exact.warnings(Action::Text, &limits).is_empty());
        let many = Form { attributes: vec![("k".into(), "v".repeat(2048))], text: "x".into(), ..Form::default() };
        assert!(many.warnings(Action::Text, &limits)[0].contains("4013"));
        let raw = |text: &str| Form { text: text.into(), ..Form::default() }.warnings(Action::Raw, &limits);
        assert!(raw("{oops")[0].contains("Not JSON"));
        assert!(raw("[1]")[0].contains("not an object"));
        assert!(raw("{}")[0].contains("action"));
        assert!(raw(r#"{"action":"echo"}"#).is_empty());
    }
}
