//! What arrives on the socket: what it is, and whom it concerns.

use std::time::Duration;

use super::messages::What;
use super::requests::Ask;
use super::wire::body::{self, Body};
use super::wire::inbound::{ErrorBody, Event, Frame, Message};
use super::wire::lenient::{Audit, Audited, Str};
use super::wire::outbound::Asked;
use super::wire::{ECHO_TRACING, is_known_code};
use super::{Cx, Socket, WebMessaging};
use crate::dialect::{Action, Seen};
use crate::model::fact::End;
use crate::model::{Flags, Report, Secret, SecretKind};

/// A 429 that does not say how long to wait.
const ASSUMED_PATIENCE: Duration = Duration::from_secs(1);

/// Marks of a request of ours, or of one that was written by hand.
pub(super) fn sent_flags(asked: &Asked<'_>) -> Flags {
    match asked.action.or_empty() {
        "echo" => Flags::HEARTBEAT,
        "onMessage" if is_typing_only(&asked.message) => Flags::TYPING,
        _ => Flags::STORY,
    }
}

/// True where a message is typing and nothing else.
fn is_typing_only(m: &Message<'_>) -> bool {
    let events = &m.events.items;
    let more = m.content.text().is_some_and(|t| t != "[]") || !m.text.or_empty().is_empty();
    !events.is_empty() && !more && all_typing(events)
}

fn all_typing(events: &[Event<'_>]) -> bool {
    events.iter().all(|e| e.kind.or_empty() == "Typing")
}

/// True where the frame answers a health check. The constant is ours; a check written by hand has another tracing id,
/// and its answer is of type `response`, which echoes of messages are not.
pub(super) fn is_echo_reply(frame: &Frame<'_>, m: &Message<'_>) -> bool {
    frame.tracing.or_empty() == ECHO_TRACING
        || (frame.kind.or_empty() == "response" && m.is_inbound() && m.text.or_empty() == "ping")
}

/// What an error frame says, be its body a plain string or an object.
pub(super) struct Refusal {
    pub code: i32,
    pub text: String,
    /// Seconds.
    pub retry_after: Option<i64>,
}

pub(super) fn error_of(frame: &Frame<'_>, audit: &mut Audit) -> Refusal {
    let mut own = Audit::default();
    let plain: Str<'_> = frame.body.read(&mut own);
    if let Some(text) = plain.get() {
        return Refusal { code: frame.code(), text: text.to_owned(), retry_after: None };
    }
    let body: ErrorBody<'_> = frame.body.read(audit);
    let inner = body.error_code.value.and_then(|c| i32::try_from(c).ok());
    let code = if frame.code() >= 400 { frame.code() } else { inner.unwrap_or(frame.code()) };
    Refusal { code, text: body.error_message.or_empty().to_owned(), retry_after: body.retry_after.value }
}

impl WebMessaging {
    pub(super) fn frame(&mut self, cx: &mut Cx<'_>, conn: u32, text: &str) -> Seen {
        let current = conn == self.conn && self.socket == Socket::Open;
        if current {
            self.idle.traffic(cx);
        }
        let (frame, message) = match Frame::parse_early(text) {
            Ok((frame, message)) if frame.present => (frame, message),
            _ => return Seen { flags: Flags::MALFORMED, ..Seen::default() },
        };
        let mut audit = Audit::default();
        body::audit_envelope(&frame, &mut audit);
        let class = frame.class.or_empty();
        let mut flags = match class {
            "StructuredMessage" => {
                let message = match message {
                    Some(message) => {
                        message.audit(&mut audit);
                        message
                    }
                    None => Box::new(frame.body.read(&mut audit)),
                };
                self.message(cx, current, &frame, &message, &mut audit)
            }
            _ => self.other(cx, current, &frame, class, &mut audit),
        };
        if audit.wrong > 0 {
            flags = flags.with(Flags::MALFORMED);
        }
        if audit.unknown > 0 {
            flags = flags.with(Flags::UNKNOWN);
        }
        if frame.code() >= 400 {
            flags = flags.with(Flags::FAULT);
        }
        Seen { flags, code: frame.code(), answers: frame.tracing.filled() }
    }

    /// Echoes, pushes and events. Nearly all traffic comes through here.
    fn message(
        &mut self,
        cx: &mut Cx<'_>,
        current: bool,
        frame: &Frame<'_>,
        m: &Message<'_>,
        audit: &mut Audit,
    ) -> Flags {
        if !m.present {
            audit.wrong_if(true, || "body of StructuredMessage (missing)".to_owned());
            return Flags::NONE;
        }
        if is_echo_reply(frame, m) {
            self.echo_answered(cx, current, frame, m);
            return Flags::HEARTBEAT.with(Flags::STORY);
        }
        if m.is_inbound() {
            self.echo(cx, frame, m);
        }
        let events = &m.events.items;
        let pieces = m.content(audit);
        body::audit_message(m, &pieces, audit);
        if !events.is_empty() && pieces.is_empty() && m.text.or_empty().is_empty() && all_typing(events) {
            return Flags::TYPING;
        }
        // Plain text is only noted: looking it up would cost more than all the rest.
        let first = (events.is_empty() && pieces.is_empty()) || !self.history.has_seen(m.key());
        self.note_keys(m);
        for e in events {
            let presence = e.presence.kind.or_empty();
            if presence == "Disconnect" && !m.is_inbound() && current && first && m.metadata.read_only.is_true() {
                self.read_only(cx, "the other side ended the conversation");
            }
        }
        for (_, piece) in pieces {
            if piece.attachment.present && first {
                let file = &piece.attachment;
                self.link_came(cx, file.id.or_empty(), file.name.or_empty(), file.url.or_empty());
            }
        }
        if current {
            self.idle.said(cx);
        }
        Flags::STORY
    }

    fn note_keys(&mut self, m: &Message<'_>) {
        let (key, id) = (m.key(), m.id.or_empty());
        if !key.is_empty() {
            self.history.saw(key);
        }
        if id != key && !id.is_empty() {
            self.history.saw(id);
        }
    }

    fn echo(&mut self, cx: &mut Cx<'_>, frame: &Frame<'_>, m: &Message<'_>) {
        let known = frame.tracing.get().is_some_and(|t| self.delivered(cx, t));
        if let Some(id) = m.metadata.custom_message_id.get().filter(|_| !known) {
            self.delivered(cx, id);
        }
    }

    fn echo_answered(&mut self, cx: &mut Cx<'_>, current: bool, frame: &Frame<'_>, m: &Message<'_>) {
        if let Some(tracing) = frame.tracing.get() {
            self.answered(cx, tracing);
        }
        if current {
            self.requests.take(None, |a| *a == Ask::Echo);
            self.idle.checked(cx, m.metadata.duration_seconds.value, m.metadata.expiration_date.value);
        }
    }

    fn other(&mut self, cx: &mut Cx<'_>, current: bool, frame: &Frame<'_>, class: &str, audit: &mut Audit) -> Flags {
        let tracing = frame.tracing.get();
        let live = current && !self.state.is_ended();
        if body::is_error(frame) {
            return self.error(cx, live, frame, audit);
        }
        if let Some(t) = tracing {
            self.answered(cx, t);
        }
        match Body::read(frame, audit) {
            Body::Session(r) => {
                if live && r.present {
                    self.session_response(cx, tracing, &r);
                }
                Flags::STORY
            }
            Body::Configuration(r) => {
                if live {
                    self.configuration(tracing, &r);
                }
                Flags::STORY
            }
            Body::Jwt(r) => {
                self.jwt_arrived(cx, tracing, &r);
                Flags::STORY
            }
            Body::ResumeToken(r) => {
                if let Some(token) = r.resume_token.filled() {
                    cx.act(Action::Learn { kind: SecretKind::Other, value: Secret::new(token) });
                }
                Flags::STORY
            }
            Body::PresignedUrl(r) => {
                self.presigned(cx, tracing, &r);
                Flags::STORY
            }
            Body::Attachment(e) => {
                match class {
                    "UploadSuccessEvent" => self.uploaded(cx, &e),
                    "AttachmentDeletedResponse" => self.attachment_deleted(cx, tracing, &e),
                    _ => self.attachment_refused(cx, tracing, &e),
                }
                let wrong = matches!(class, "UploadFailureEvent" | "GenerateUrlError");
                if wrong { Flags::STORY.with(Flags::FAULT) } else { Flags::STORY }
            }
            Body::Bare => {
                match class {
                    _ if !live => {}
                    "SessionExpiredEvent" => self.end(cx, End::Expired, ""),
                    "SessionClearedEvent" => self.session_cleared(cx),
                    _ => self.end(cx, End::LoggedOut, ""),
                }
                Flags::STORY
            }
            Body::Closed(e) => {
                if live {
                    self.connection_closed(cx, e.reason.or_empty());
                }
                Flags::STORY
            }
            // An error whatever its code; a string without an error code is just words.
            Body::Words if class == "TooManyRequestsErrorMessage" => self.error(cx, live, frame, audit),
            Body::Words | Body::Unknown => Flags::NONE,
        }
    }

    fn error(&mut self, cx: &mut Cx<'_>, live: bool, frame: &Frame<'_>, audit: &mut Audit) -> Flags {
        let flags = Flags::STORY.with(Flags::FAULT);
        let Refusal { code, text, retry_after } = error_of(frame, audit);
        audit.unknown_if(!is_known_code(i64::from(code)), || format!("code {code}"));
        let tracing = frame.tracing.get();
        let too_many = matches!(code, 429 | 4029) || frame.class.or_empty() == "TooManyRequestsErrorMessage";
        if too_many {
            let after = retry_after.and_then(|s| u64::try_from(s).ok()).filter(|s| *s > 0);
            let after = after.map_or(ASSUMED_PATIENCE, Duration::from_secs);
            self.too_many_requests(cx, live, tracing, after, &text);
            return flags;
        }
        let what = tracing.and_then(|t| self.refused(cx, t, code, &text));
        // An error without a tracing id while we configure can mean nothing else.
        let asked = match tracing {
            Some(_) => self.requests.take(tracing, |_| true),
            None => self.requests.take(None, |a| matches!(a, Ask::Configure { .. })),
        };
        if let Some(Ask::Configure { auth: Some(number), start_new, step_up }) = asked
            && live
            && self.auth_refused(cx, (code, &text), number, (start_new, step_up))
        {
            return flags;
        }
        if live && needs_login(code, &text) {
            self.sign_in_is_over(cx);
        }
        let configuring = matches!(asked, Some(Ask::Configure { .. }));
        if live && self.refused_for_good(cx, code, &text, configuring) {
            if let Some(ask) = asked {
                self.ask_failed(cx, ask, &format!("{code}: {text}"), None);
            }
            return flags;
        }
        if code == 409 && live {
            self.read_only(cx, "the server says that the conversation is read-only (409)");
        }
        match (&what, &asked) {
            // The message tells it itself; 403 on typing or clear is a switched-off feature.
            (Some(_), _) if code != 401 && !needs_login(code, &text) => {}
            _ => cx.fault(refusal(code, &text, what, asked.as_ref())),
        }
        if let Some(ask) = asked {
            self.ask_failed(cx, ask, &format!("{code}: {text}"), None);
        }
        flags
    }

    fn too_many_requests(&mut self, cx: &mut Cx<'_>, live: bool, tracing: Option<&str>, after: Duration, text: &str) {
        if tracing.is_some_and(|t| self.too_many(cx, t, after, text)) {
            return;
        }
        match tracing.and_then(|t| self.requests.take(Some(t), |_| true)) {
            Some(Ask::Configure { start_new, step_up: false, .. }) if live => {
                self.configure_later(cx, start_new, after, text);
            }
            asked => {
                let secs = after.as_secs();
                let what = match &asked {
                    Some(a) => {
                        format!("{} was refused with 429: {text}. The server asks to wait {secs} s.", a.action())
                    }
                    None => format!("The server sent 429: {text}. It asks to wait {secs} s."),
                };
                cx.fault(Report::new("too-many-requests", "Too many requests", what));
                if let Some(ask) = asked {
                    self.ask_failed(cx, ask, &format!("429: {text}"), Some(after));
                }
            }
        }
    }
}

/// The server wants a new sign-in, rather than saying that a feature is off. Its words are the only sign.
pub(super) fn needs_login(code: i32, text: &str) -> bool {
    code == 403 && (text.starts_with("Session authentication failed") || text.starts_with("Try to authenticate again"))
}

fn refusal(code: i32, text: &str, what: Option<What>, asked: Option<&Ask>) -> Report {
    let request = match (what, asked) {
        (_, Some(ask)) => ask.action(),
        (Some(_), None) => "onMessage",
        (None, None) => "A request without a tracing id, or one that is no longer awaited,",
    };
    let report =
        Report::new("refused", format!("The server answered with {code}"), format!("{request}: {code} {text}"));
    match code {
        401 => report.remedy("The server does not know who asks: configure the session again."),
        _ if needs_login(code, text) => report.remedy("Sign in again, or begin with a new token."),
        4000 => report.remedy("The deployment does not allow it (file upload is off)."),
        _ => report,
    }
}
