//! Files: an upload address, the bytes put there, the event that says whether they were taken; and download links,
//! which go stale.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::requests::Ask;
use super::wire::inbound::{AttachmentEvent, PresignedUrl};
use super::wire::outbound::Request;
use super::{Cx, WebMessaging};
use crate::dialect::{Action, At, Call, CallId, Seen};
use crate::model::environment::secs;
use crate::model::fact::{ClockDeed, Expiry, ExpiryEvent};
use crate::model::{Flags, Mono, Report, Secret, SecretKind, Wall};

/// Prefix of the clock of a download link.
pub(super) const LINK: &str = "link:";
/// Links whose clock is kept; the oldest are forgotten first.
const REMEMBERED: usize = 256;

#[derive(Debug)]
struct Upload {
    name: String,
    mime: String,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Waits for the address.
    Asked(Bytes),
    Putting(CallId),
    /// The bytes are there; the server looks at them until then.
    Awaiting(Mono),
}

#[derive(Debug, Default)]
pub(super) struct Attachments {
    /// By the client's id of the attachment.
    uploads: BTreeMap<String, Upload>,
    links: Vec<Link>,
}

/// A download link that lives.
#[derive(Debug)]
struct Link {
    id: String,
    /// Name of the file; empty where it was not told.
    name: String,
}

impl Attachments {
    fn by_call(&self, call: CallId) -> Option<String> {
        let fits = |u: &Upload| matches!(u.stage, Stage::Putting(c) if c == call);
        self.uploads.iter().find(|(_, u)| fits(u)).map(|(id, _)| id.clone())
    }

    pub fn wait(&self, at: At) -> Option<Duration> {
        let due = |u: &Upload| match u.stage {
            Stage::Awaiting(until) => Some(until.since(at.now.mono)),
            _ => None,
        };
        self.uploads.values().filter_map(due).min()
    }
}

impl WebMessaging {
    pub(super) fn attach(&mut self, cx: &mut Cx<'_>, id: String, name: String, mime: String, bytes: Bytes) {
        if !self.needs_session(cx, "onAttachment") {
            return;
        }
        if self.attachments.uploads.contains_key(&id) {
            cx.fault(Report::new(
                "upload-running",
                "The file was not uploaded",
                format!("Attachment {id} is on its way."),
            ));
            return;
        }
        let beyond = Request {
            attachment_id: Some(&id),
            file_name: Some(&name),
            file_type: Some(&mime),
            file_size: Some(bytes.len()),
            errors_as_json: Some(true),
            ..Request::default()
        };
        self.ask(cx, Ask::Upload(id.clone()), beyond);
        self.attachments.uploads.insert(id, Upload { name, mime, stage: Stage::Asked(bytes) });
    }

    pub(super) fn refresh_link(&mut self, cx: &mut Cx<'_>, id: String) {
        if self.needs_session(cx, "getAttachment") {
            let beyond = Request { attachment_id: Some(&id), ..Request::default() };
            self.ask(cx, Ask::Link(id.clone()), beyond);
        }
    }

    pub(super) fn delete_attachment(&mut self, cx: &mut Cx<'_>, id: String) {
        if self.needs_session(cx, "deleteAttachment") {
            let beyond = Request { attachment_id: Some(&id), ..Request::default() };
            self.ask(cx, Ask::Delete(id.clone()), beyond);
        }
    }

    /// An address: to put an upload, or to get what was uploaded.
    pub(super) fn presigned(&mut self, cx: &mut Cx<'_>, tracing: Option<&str>, r: &PresignedUrl<'_>) {
        let url = r.url.or_empty();
        self.learn_signature(cx, url);
        let told = r.attachment.or_empty();
        let asked = self.requests.take(tracing, |a| match a {
            Ask::Upload(id) | Ask::Link(id) => tracing.is_some() || id == told,
            _ => false,
        });
        match asked {
            Some(Ask::Upload(id)) => self.put(cx, id, url, &r.headers.items),
            Some(Ask::Link(id)) if !url.is_empty() => self.link_lives(cx, &id, "", ExpiryEvent::Refreshed, "server"),
            _ => {}
        }
    }

    fn put(&mut self, cx: &mut Cx<'_>, id: String, url: &str, given: &[(impl AsRef<str>, impl AsRef<str>)]) {
        if url.is_empty() {
            self.upload_over(cx, &id, "no-upload-address", "The PresignedUrlResponse holds no url.");
            return;
        }
        let call = self.next_call();
        let Some(upload) = self.attachments.uploads.get_mut(&id) else { return };
        let Stage::Asked(bytes) = &mut upload.stage else { return };
        let body = std::mem::take(bytes);
        // The signature covers the headers: they go out exactly as given.
        let mut headers: Vec<_> = given.iter().map(|(k, v)| (k.as_ref().to_owned(), v.as_ref().to_owned())).collect();
        if !headers.iter().any(|(k, _)| k.eq_ignore_ascii_case("content-type")) {
            headers.push(("Content-Type".to_owned(), upload.mime.clone()));
        }
        upload.stage = Stage::Putting(call);
        let request = Call { method: "PUT", url: url.to_owned(), headers, body, purpose: "upload", ..Call::default() };
        cx.act(Action::Call { call, request });
    }

    pub(super) fn upload_answered(&mut self, cx: &mut Cx<'_>, call: CallId, status: u16) -> Seen {
        let mut seen = Seen { code: i32::from(status), ..Seen::default() };
        let Some(id) = self.attachments.by_call(call) else { return seen };
        if (200..300).contains(&status) {
            let until = cx.now() + secs(self.env.timings.http_timeout_secs);
            if let Some(upload) = self.attachments.uploads.get_mut(&id) {
                upload.stage = Stage::Awaiting(until);
            }
        } else {
            seen.flags = Flags::FAULT;
            let what = format!("The storage answered the PUT with {status}.");
            self.upload_over(cx, &id, "upload-refused", &what);
        }
        seen
    }

    pub(super) fn call_failed(&mut self, cx: &mut Cx<'_>, call: CallId, report: &Report) {
        if self.history_call_failed(cx, call, report) {
            return;
        }
        if let Some(id) = self.attachments.by_call(call) {
            let what = format!("The PUT was not answered: {}", report.title);
            self.upload_over(cx, &id, "upload-failed", &what);
        }
    }

    /// The request for an address came to nothing. The fault itself was told.
    pub(super) fn upload_failed(&mut self, cx: &mut Cx<'_>, id: &str, why: &str) {
        let what = format!("No upload address was given: {why}.");
        self.upload_over(cx, id, "no-upload-address", &what);
    }

    fn upload_over(&mut self, cx: &mut Cx<'_>, id: &str, code: &str, what: &str) {
        let Some(upload) = self.attachments.uploads.remove(id) else { return };
        let mut report =
            Report::new(code, format!("“{}” was not uploaded", upload.name), what).detail(format!("attachment {id}"));
        if code == "upload-refused" {
            report = report
                .remedy("403 means that the address is stale or that a header differs from those given with it.")
                .remedy("Attach the file again: each try gets a new address.");
        }
        cx.fault(report);
    }

    pub(super) fn uploaded(&mut self, cx: &mut Cx<'_>, e: &AttachmentEvent<'_>) {
        let id = e.attachment.or_empty();
        let name = self.attachments.uploads.remove(id).map(|u| u.name).unwrap_or_default();
        self.learn_signature(cx, e.download_url.or_empty());
        self.link_lives(cx, id, &name, ExpiryEvent::Started, "server");
    }

    /// UploadFailureEvent or GenerateUrlError.
    pub(super) fn attachment_refused(&mut self, cx: &mut Cx<'_>, tracing: Option<&str>, e: &AttachmentEvent<'_>) {
        let told = e.attachment.or_empty();
        let code = e.error_code.value.unwrap_or_default();
        let text = e.error_message.or_empty();
        let asked = self.requests.take(tracing, |a| match a {
            Ask::Upload(id) | Ask::Link(id) | Ask::Delete(id) => tracing.is_some() || id == told,
            _ => false,
        });
        let id = match &asked {
            Some(Ask::Upload(id)) => id.as_str(),
            _ => told,
        };
        let what = format!("The server refused it with {code}: {text}");
        if self.attachments.uploads.contains_key(id) {
            self.upload_over(cx, id, "attachment-refused", &what);
        } else {
            cx.fault(
                Report::new("attachment-refused", "The attachment was refused", what)
                    .detail(format!("attachment {told}")),
            );
        }
    }

    pub(super) fn attachment_deleted(&mut self, cx: &mut Cx<'_>, tracing: Option<&str>, e: &AttachmentEvent<'_>) {
        let told = e.attachment.or_empty();
        self.requests.take(tracing, |a| matches!(a, Ask::Delete(id) if tracing.is_some() || id == told));
        self.attachments.uploads.remove(told);
        self.forget_link(cx, told, "server");
    }

    /// A link came with a message.
    pub(super) fn link_came(&mut self, cx: &mut Cx<'_>, id: &str, name: &str, url: &str) {
        self.learn_signature(cx, url);
        if !id.is_empty() && !url.is_empty() {
            self.link_lives(cx, id, name, ExpiryEvent::Started, "server");
        }
    }

    fn link_lives(&mut self, cx: &mut Cx<'_>, id: &str, name: &str, event: ExpiryEvent, by: &str) {
        let until = cx.server() + secs(self.env.timings.link_secs);
        if let Some(link) = self.attachments.links.iter_mut().find(|l| l.id == id) {
            if !name.is_empty() {
                name.clone_into(&mut link.name);
            }
            cx.expiry(link_fact(cx.at, link, ExpiryEvent::Refreshed, by, Some(until)));
        } else {
            let link = Link { id: id.to_owned(), name: name.to_owned() };
            cx.expiry(link_fact(cx.at, &link, event, by, Some(until)));
            self.attachments.links.push(link);
        }
        if self.attachments.links.len() > REMEMBERED {
            let oldest = self.attachments.links.remove(0);
            cx.expiry(link_fact(cx.at, &oldest, ExpiryEvent::Forgotten, "this program, for want of room", None));
        }
    }

    /// False where there is no such link.
    pub(super) fn forget_link(&mut self, cx: &mut Cx<'_>, id: &str, by: &str) -> bool {
        let Some(i) = self.attachments.links.iter().position(|l| l.id == id) else { return false };
        let link = self.attachments.links.remove(i);
        cx.expiry(link_fact(cx.at, &link, ExpiryEvent::Forgotten, by, None));
        true
    }

    pub(super) fn tick_attachments(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let late = |u: &Upload| matches!(u.stage, Stage::Awaiting(until) if until <= now);
        let late: Vec<_> = self.attachments.uploads.iter().filter(|(_, u)| late(u)).map(|(id, _)| id.clone()).collect();
        for id in late {
            let what = "The bytes were put, but neither UploadSuccessEvent nor UploadFailureEvent came.";
            self.upload_over(cx, &id, "upload-unconfirmed", what);
        }
    }

    /// What signs an address is a secret: with it, anybody can use the address while it lives.
    fn learn_signature(&mut self, cx: &mut Cx<'_>, url: &str) {
        let Ok(url) = url::Url::parse(url) else { return };
        for (key, value) in url.query_pairs() {
            let key = key.to_ascii_lowercase();
            let signs = ["signature", "security-token", "credential", "sig"].iter().any(|w| key.ends_with(w));
            if signs && value.len() >= 8 {
                cx.act(Action::Learn { kind: SecretKind::Signature, value: Secret::new(value.into_owned()) });
            }
        }
    }
}

/// Says which file it leads to. Of a long name start and end, where its kind stands.
fn link_title(name: &str) -> String {
    const MOST: usize = 24;
    let chars = name.chars().count();
    match chars {
        0 => "download link".to_owned(),
        1..=MOST => format!("link {name}"),
        _ => {
            let start: String = name.chars().take(MOST / 2).collect();
            let end: String = name.chars().skip(chars - MOST / 2 + 1).collect();
            format!("link {start}…{end}")
        }
    }
}

fn link_fact(at: At, link: &Link, event: ExpiryEvent, by: &str, until: Option<Wall>) -> Expiry {
    Expiry {
        id: format!("{LINK}{}", link.id),
        title: link_title(&link.name),
        event,
        by: by.into(),
        from: at.server,
        until,
        margin_secs: 0,
        breaks: "downloading; a new link can be asked for".into(),
        assumed: true,
        token: None,
        scope: None,
        claims: None,
        can: vec![ClockDeed::Refresh, ClockDeed::Forget],
    }
}
