//! What a frame's class says of its body, and what is odd about the two: the one place that knows which members a
//! class must have. Classes: MyPureCloud/web-messaging-sdk-java, `MessageDataType`.

use super::inbound::{
    AttachmentEvent, CONTENT_KINDS, ConnectionClosed, Content, EVENT_KINDS, Empty, ErrorBody, Frame,
    GetConfigurationResponse, JwtResponse, Message, PRESENCE_KINDS, PresignedUrl, ResumeTokenResponse, SessionResponse,
};
use super::is_known_code;
use super::lenient::{Audit, Audited, Str};
use super::outbound::Asked;

/// The body of a frame that is neither a message nor an error.
pub enum Body<'a> {
    Session(SessionResponse<'a>),
    Configuration(GetConfigurationResponse<'a>),
    Jwt(JwtResponse<'a>),
    ResumeToken(ResumeTokenResponse<'a>),
    PresignedUrl(PresignedUrl<'a>),
    Attachment(AttachmentEvent<'a>),
    Closed(ConnectionClosed<'a>),
    /// SessionExpiredEvent, SessionClearedEvent, LogoutEvent.
    Bare,
    /// `string`, `Unknown` and TooManyRequestsErrorMessage without an error's code.
    Words,
    Unknown,
}

impl<'a> Body<'a> {
    pub fn read(frame: &Frame<'a>, audit: &mut Audit) -> Self {
        match frame.class.or_empty() {
            "SessionResponse" => {
                let r: SessionResponse<'_> = frame.body.read(audit);
                missing(audit, "SessionResponse", &[("connected", r.connected.value.is_some())]);
                Self::Session(r)
            }
            "GetConfigurationResponse" => {
                let r: GetConfigurationResponse<'_> = frame.body.read(audit);
                missing(audit, "GetConfigurationResponse", &[("body", r.present)]);
                Self::Configuration(r)
            }
            "JwtResponse" => {
                let r: JwtResponse<'_> = frame.body.read(audit);
                missing(audit, "JwtResponse", &[("jwt", r.jwt.get().is_some()), ("exp", r.exp.value.is_some())]);
                Self::Jwt(r)
            }
            "ResumeTokenResponse" => Self::ResumeToken(frame.body.read(audit)),
            "PresignedUrlResponse" => {
                let r: PresignedUrl<'_> = frame.body.read(audit);
                let there = [("url", r.url.get().is_some()), ("attachmentId", r.attachment.get().is_some())];
                missing(audit, "PresignedUrlResponse", &there);
                Self::PresignedUrl(r)
            }
            class
            @ ("UploadSuccessEvent" | "UploadFailureEvent" | "AttachmentDeletedResponse" | "GenerateUrlError") => {
                let e: AttachmentEvent<'_> = frame.body.read(audit);
                // A GenerateUrlError may come without the id: its name may have been what was wrong.
                let there = e.attachment.get().is_some() || class == "GenerateUrlError";
                missing(audit, class, &[("attachmentId", there)]);
                Self::Attachment(e)
            }
            "SessionExpiredEvent" | "SessionClearedEvent" | "LogoutEvent" => {
                let _: Empty<'_> = frame.body.read(audit);
                Self::Bare
            }
            "ConnectionClosedEvent" => Self::Closed(frame.body.read(audit)),
            // Told by the schema, never seen with anything to act on.
            "string" | "Unknown" | "TooManyRequestsErrorMessage" => Self::Words,
            class => {
                audit.unknown_if(true, || format!("class {class}"));
                Self::Unknown
            }
        }
    }
}

fn missing(audit: &mut Audit, of: &str, members: &[(&str, bool)]) {
    for (member, there) in members {
        audit.wrong_if(!there, || format!("{member} of {of} (missing)"));
    }
}

/// True for a frame that says that something failed, whatever its class.
pub fn is_error(frame: &Frame<'_>) -> bool {
    let class = frame.class.or_empty();
    (frame.code() >= 400 && class != "GenerateUrlError") || matches!(class, "Error" | "ErrorMessage")
}

pub fn audit_envelope(frame: &Frame<'_>, audit: &mut Audit) {
    frame.audit(audit);
    missing(
        audit,
        "the frame",
        &[
            ("class", !frame.class.or_empty().is_empty()),
            ("code", frame.code.value.is_some()),
            ("type", frame.kind.get().is_some()),
        ],
    );
    let kind = frame.kind.get().unwrap_or("message");
    audit.unknown_if(!matches!(kind, "response" | "message"), || format!("type {kind}"));
    let code = frame.code.value.unwrap_or(200);
    audit.unknown_if(!is_known_code(code), || format!("code {code}"));
}

/// What is odd about a message beside what its shape tells.
pub fn audit_message(m: &Message<'_>, pieces: &[(&str, Content<'_>)], audit: &mut Audit) {
    missing(audit, "StructuredMessage", &[("direction", m.direction.get().is_some()), ("id", !m.key().is_empty())]);
    for e in &m.events.items {
        let (kind, presence) = (e.kind.or_empty(), e.presence.kind.or_empty());
        audit.unknown_if(!EVENT_KINDS.contains(&kind), || format!("event {kind}"));
        let strange = kind == "Presence" && !PRESENCE_KINDS.contains(&presence);
        audit.unknown_if(strange, || format!("presence {presence}"));
    }
    for (_, piece) in pieces {
        let kind = piece.kind.or_empty();
        audit.unknown_if(!CONTENT_KINDS.contains(&kind), || format!("content {kind}"));
    }
}

/// What is odd about a frame of the server: the names of what no source describes and of what is missing or of the
/// wrong type, and how many more there are. Text that is no JSON object has one name that says so.
pub fn oddities(text: &str) -> (Vec<String>, u32) {
    let mut audit = Audit::naming();
    let frame = match Frame::parse(text) {
        Ok(frame) if frame.present => frame,
        Ok(_) => return (vec!["JSON, but no object".to_owned()], 0),
        Err(e) => return (vec![format!("no JSON ({e})")], 0),
    };
    audit_envelope(&frame, &mut audit);
    if frame.class.or_empty() == "StructuredMessage" {
        let m: Message<'_> = frame.body.read(&mut audit);
        let pieces = m.content(&mut audit);
        audit_message(&m, &pieces, &mut audit);
    } else if is_error(&frame) {
        let plain: Str<'_> = frame.body.read(&mut Audit::default());
        if plain.get().is_none() {
            let _: ErrorBody<'_> = frame.body.read(&mut audit);
        }
    } else {
        Body::read(&frame, &mut audit);
    }
    audit.names()
}

/// The same of a request, written by hand most likely.
pub fn oddities_asked(asked: &Asked<'_>) -> (Vec<String>, u32) {
    let mut audit = Audit::naming();
    asked.audit(&mut audit);
    let action = asked.action.or_empty();
    audit.unknown_if(!action.is_empty() && !ACTIONS.contains(&action), || format!("action {action}"));
    let pieces = asked.message.content(&mut audit);
    for (_, piece) in pieces {
        let kind = piece.kind.or_empty();
        audit.unknown_if(!CONTENT_KINDS.contains(&kind), || format!("content {kind}"));
    }
    let (mut names, more) = audit.names();
    // The shape has another name here than people know.
    names.iter_mut().for_each(|n| *n = n.replace(" of Asked", " of the request"));
    (names, more)
}

/// What a request must have. Schema: MyPureCloud/web-messaging-sdk-java, `*Request`; where the vendor's own clients
/// leave out a member that it calls required (`time`, `fileMd5`), that member is not asked for.
pub fn asked_without(asked: &Asked<'_>) -> Vec<&'static str> {
    let deployment = ("deploymentId", asked.deployment.text().is_some());
    let attachment = ("attachmentId", asked.attachment.get().is_some());
    let own: &[(&'static str, bool)] = match asked.action.or_empty() {
        "configureSession" | "getConfiguration" => &[deployment],
        "configureAuthenticatedSession" => &[deployment, ("data", asked.data.text().is_some())],
        "onMessage" => &[("message", asked.message.present)],
        "onAttachment" => &[
            ("fileName", asked.file_name.get().is_some()),
            ("fileType", asked.file_type.get().is_some()),
            ("fileSize", asked.file_size.value.is_some()),
        ],
        "getAttachment" | "deleteAttachment" => &[attachment],
        "closeSession" => &[("closeAllConnections", asked.close_all.value.is_some())],
        _ => &[],
    };
    let all = [("action", asked.action.get().is_some()), ("token", asked.token.get().is_some())];
    all.iter().chain(own).filter(|(_, there)| !there).map(|(name, _)| *name).collect()
}

/// Actions of the schema's `RequestType`. The last two have no request anywhere.
pub const ACTIONS: [&str; 12] = [
    "configureSession",
    "configureAuthenticatedSession",
    "onMessage",
    "echo",
    "onAttachment",
    "getAttachment",
    "deleteAttachment",
    "getJwt",
    "closeSession",
    "getConfiguration",
    "resumeToken",
    "disconnectCustomer",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        oddities(text).0
    }

    #[test]
    fn what_nobody_describes_is_named_and_what_is_missing_too() {
        let ok = r#"{"type":"message","class":"StructuredMessage","code":200,"body":{"id":"a","type":"Text","text":"x","direction":"Inbound"}}"#;
        assert_eq!(names(ok), [""; 0]);
        let strange = r#"{"type":"message","class":"StructuredMessage","code":200,"shard":7,"body":{"id":"a","direction":"Inbound","mood":1,"text":5,"events":[{"eventType":"Dance"}],"content":[{"contentType":"Hologram"}]}}"#;
        let expected = [
            "member shard of Frame",
            "member mood of Message",
            "text of Message (its type)",
            "event Dance",
            "content Hologram",
        ];
        assert_eq!(names(strange), expected);
        let class = r#"{"type":"push","class":"Surprise","code":250,"body":{}}"#;
        assert_eq!(names(class), ["type push", "code 250", "class Surprise"]);
        let bare = r#"{"type":"response","class":"JwtResponse","code":200,"body":{"exp":"soon"}}"#;
        assert_eq!(
            names(bare),
            ["exp of JwtResponse (its type)", "jwt of JwtResponse (missing)", "exp of JwtResponse (missing)"]
        );
        assert_eq!(names("[1]"), ["JSON, but no object"]);
        assert!(names("nonsense")[0].starts_with("no JSON"));
        let error = r#"{"type":"response","class":"string","code":4011,"body":"too long"}"#;
        assert_eq!(names(error), [""; 0]);
    }

    #[test]
    fn only_the_first_oddities_are_named_and_the_rest_is_counted() {
        let members: Vec<String> = (0..20).map(|n| format!("\"m{n}\":{n}")).collect();
        let text =
            format!(r#"{{"type":"message","class":"LogoutEvent","code":200,"body":{{}},{}}}"#, members.join(","));
        let (named, more) = oddities(&text);
        assert_eq!((named.len(), more), (8, 12));
    }

    #[test]
    fn requests_that_lack_a_member_are_told() {
        let lacks = |text: &str| asked_without(&serde_json::from_str::<Asked<'_>>(text).unwrap());
        assert_eq!(lacks(r#"{"action":"closeSession","token":"t"}"#), ["closeAllConnections"]);
        assert_eq!(lacks(r#"{"action":"configureSession"}"#), ["token", "deploymentId"]);
        assert_eq!(lacks(r#"{"action":"echo","token":"t","message":{"type":"Text","text":"ping"}}"#), [""; 0]);
    }
}
