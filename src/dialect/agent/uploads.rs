//! Files of the agent: an address is asked for, the bytes go there, and the file counts once the platform has looked
//! at it.

use bytes::Bytes;
use serde_json::Value;

use super::calls::Part;
use super::*;
use crate::model::{Secret, SecretKind};

/// The platform is asked again so often …
const LOOK: Duration = Duration::from_secs(1);
/// … and so many times, before a file counts as lost.
const LOOKS: u32 = 30;

#[derive(Debug, Default)]
pub(super) struct Uploads {
    all: BTreeMap<String, Upload>,
    /// Messages that wait for their files.
    pub held: Vec<(String, Deed)>,
}

#[derive(Debug)]
struct Upload {
    conversation: String,
    participant: String,
    communication: String,
    name: String,
    mime: String,
    bytes: Bytes,
    /// The platform's id.
    media: Option<String>,
    valid: bool,
    failed: Option<String>,
    look: Option<Mono>,
    looks: u32,
}

impl Uploads {
    /// The platform's id of a file that can be sent, none while it is on its way, or why it cannot be sent.
    pub fn media(&self, attachment: &str) -> Result<Option<String>, String> {
        let Some(upload) = self.all.get(attachment) else { return Err(format!("file {attachment} is not known")) };
        match (&upload.media, &upload.failed) {
            (_, Some(why)) => Err(format!("{} was not uploaded: {why}", upload.name)),
            (Some(media), None) if upload.valid => Ok(Some(media.clone())),
            _ => Ok(None),
        }
    }

    pub fn wait(&self, now: Mono) -> Option<Duration> {
        self.all.values().filter_map(|u| u.look).min().map(|due| due.since(now))
    }
}

impl Agent {
    pub(super) fn attach(
        &mut self,
        cx: &mut Cx<'_>,
        (conversation, participant, communication): (&str, &str, &str),
        (attachment, name, mime, bytes): (String, String, String, Bytes),
    ) {
        if communication.is_empty() {
            return flow::not_now("The conversation was not answered yet", cx.out);
        }
        let part = Part { conversation, participant, communication };
        let call = calls::ask_upload(&self.hosts, part, &name, bytes.len());
        let upload = Upload {
            conversation: conversation.to_owned(),
            participant: participant.to_owned(),
            communication: communication.to_owned(),
            name,
            mime,
            bytes,
            media: None,
            valid: false,
            failed: None,
            look: None,
            looks: 0,
        };
        self.uploads.all.insert(attachment.clone(), upload);
        let job = Job::AskUpload { attachment: attachment.clone(), conversation: conversation.to_owned() };
        let call = crate::dialect::Call { tracing: Some(attachment), ..call };
        self.begin(job, call);
    }

    pub(super) fn drop_file(&mut self, cx: &mut Cx<'_>, attachment: &str) {
        if self.uploads.all.remove(attachment).is_none() {
            flow::not_now("There is no such file", cx.out);
        }
        self.say_held(cx);
    }

    pub(super) fn upload_granted(&mut self, cx: &mut Cx<'_>, attachment: &str, body: &Value) {
        let Some(upload) = self.uploads.all.get_mut(attachment) else { return };
        let (Some(id), Some(url)) = (flow::text_of(body, "id"), flow::text_of(body, "uploadUrl")) else {
            let report = Report::new("file-not-sent", "The file was not uploaded", "The answer names no address.");
            return self.upload_failed(cx, attachment, report);
        };
        let headers = body.get("uploadHeaders").and_then(Value::as_object).into_iter().flatten();
        let headers: Vec<(String, String)> =
            headers.filter_map(|(k, v)| Some((k.to_ascii_lowercase(), v.as_str()?.to_owned()))).collect();
        // Whoever has the query of the address can put something there.
        if let Some((_, query)) = url.split_once('?') {
            cx.out.push(Action::Learn { kind: SecretKind::Signature, value: Secret::from(query) });
        }
        upload.media = Some(id);
        let call = calls::upload(&url, headers, &upload.mime, upload.bytes.clone());
        let call = crate::dialect::Call { tracing: Some(attachment.to_owned()), ..call };
        self.begin(Job::Upload { attachment: attachment.to_owned() }, call);
    }

    pub(super) fn uploaded(&mut self, cx: &mut Cx<'_>, attachment: &str) {
        if let Some(upload) = self.uploads.all.get_mut(attachment) {
            upload.bytes = Bytes::new();
            upload.look = Some(cx.now());
        }
        self.tick_uploads(cx);
    }

    pub(super) fn tick_uploads(&mut self, cx: &mut Cx<'_>) {
        if self.state.is_ended() {
            return;
        }
        let now = cx.now();
        let due: Vec<String> = self
            .uploads
            .all
            .iter()
            .filter(|(_, u)| u.look.is_some_and(|due| due <= now))
            .map(|(id, _)| id.clone())
            .collect();
        for attachment in due {
            let Some(upload) = self.uploads.all.get_mut(&attachment) else { continue };
            upload.look = None;
            upload.looks += 1;
            let part = Part {
                conversation: &upload.conversation,
                participant: &upload.participant,
                communication: &upload.communication,
            };
            let call = calls::look_at_upload(&self.hosts, part, upload.media.as_deref().unwrap_or_default());
            let call = crate::dialect::Call { tracing: Some(attachment.clone()), ..call };
            self.begin(Job::LookAtUpload { attachment }, call);
        }
    }

    pub(super) fn upload_state(&mut self, cx: &mut Cx<'_>, attachment: &str, body: &Value) {
        let status = flow::text_of(body, "status").unwrap_or_default();
        let Some(upload) = self.uploads.all.get_mut(attachment) else { return };
        match status.to_ascii_lowercase().as_str() {
            "valid" => {
                upload.valid = true;
                self.say_held(cx);
            }
            "invalid" => {
                let what = format!("{}: the platform says “{status}”.", upload.name);
                let report = Report::new("file-not-sent", "The platform refuses the file", what)
                    .remedy("Look at the file types and sizes that the organisation allows.");
                self.upload_failed(cx, attachment, report);
            }
            _ if upload.looks < LOOKS => upload.look = Some(cx.now() + LOOK),
            _ => {
                let what = format!("{}: still “{status}” after {LOOKS} looks.", upload.name);
                self.upload_failed(
                    cx,
                    attachment,
                    Report::new("file-not-sent", "The file was not accepted in time", what),
                );
            }
        }
    }

    pub(super) fn upload_failed(&mut self, cx: &mut Cx<'_>, attachment: &str, report: Report) {
        if let Some(upload) = self.uploads.all.get_mut(attachment) {
            upload.failed = Some(report.what.clone());
            upload.look = None;
        }
        cx.fault(report);
        self.say_held(cx);
    }

    /// What waited for its files when the session ended.
    pub(super) fn drop_held(&mut self, cx: &mut Cx<'_>) {
        for (_, deed) in std::mem::take(&mut self.uploads.held) {
            if let Deed::Say { tracing, .. } = deed {
                cx.delivery(
                    &tracing,
                    Delivery::NotSent { why: "the session ended before its file was uploaded".into() },
                );
            }
        }
    }

    /// Says what waited for a file, or waits on.
    fn say_held(&mut self, cx: &mut Cx<'_>) {
        for (conversation, deed) in std::mem::take(&mut self.uploads.held) {
            self.deed(cx, &conversation, deed);
        }
    }
}
