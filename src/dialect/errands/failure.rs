//! Why an errand failed, and the words for it.

use crate::model::Report;
use crate::model::fact::{Delivery, ErrorCategory};

/// Why an errand failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// There is no OAuth token to be had.
    NoBearer(Report),
    /// The server refused it, for the last time.
    Refused { status: u16, text: String, code: String, attempts: u32 },
    /// No answer came, for the last time.
    NoAnswer(Report),
}

impl Failure {
    /// A sentence for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::NoBearer(report) => format!("no OAuth token – {}", report.what),
            Self::Refused { status, text, attempts: 1, .. } => format!("{status} {text}"),
            Self::Refused { status, text, attempts, .. } => format!("{status} {text} (after {attempts} tries)"),
            Self::NoAnswer(report) => report.to_string(),
        }
    }

    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// As a report, with what usually helps against it.
    pub fn report(&self, code: &str, title: &str) -> Report {
        let report = Report::new(code, title, format!("{}.", self.sentence().trim_end_matches('.')));
        match (self, self.status()) {
            (Self::NoBearer(why) | Self::NoAnswer(why), _) => {
                why.remedies.iter().fold(report, |report, remedy| report.remedy(remedy.clone()))
            }
            (_, Some(400)) => report.remedy("Look at the field that the answer names."),
            (_, Some(401)) => report.remedy("Look at the token of the call: whose it is, and when it ended."),
            (_, Some(403)) => report.remedy("Compare the scopes that were granted with what the call needs, and look whether the client may use the queue."),
            (_, Some(404)) => report.remedy("Look at the ids in the address: the server does not know one of them."),
            (_, Some(429)) => report.remedy("Wait, or spread the calls: the limit was still reached after the last try."),
            (_, Some(500..)) => report.remedy("The server failed. Try again later, and quote the answer's contextId to whoever runs it."),
            _ => report,
        }
    }

    /// What became of a message of the guest whose call failed so.
    pub fn delivery(self) -> Delivery {
        match self {
            Self::Refused { status, text, .. } => Delivery::Refused { code: i32::from(status), text },
            Self::NoBearer(_) => Delivery::NotSent { why: self.sentence() },
            Self::NoAnswer(report) => Delivery::Unconfirmed { why: report.to_string() },
        }
    }

    /// Trying again is of no use.
    pub fn is_for_good(&self) -> bool {
        !matches!(self.status(), None | Some(429 | 500..))
    }

    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::NoBearer(_) => ErrorCategory::Auth,
            Self::Refused { status, .. } => ErrorCategory::of_status(*status).unwrap_or(ErrorCategory::Server),
            Self::NoAnswer(_) => ErrorCategory::Network,
        }
    }
}

/// The platform's own word for an error (`missing.permissions`), empty where the body has none.
pub fn code_of(body: &[u8]) -> String {
    let json = serde_json::from_slice::<serde_json::Value>(body).ok();
    let code = json.as_ref().and_then(|v| v.get("code")).and_then(|v| v.as_str());
    code.unwrap_or_default().chars().take(100).collect()
}

/// What an error's body says, in few words.
pub fn message_of(status: u16, body: &[u8]) -> String {
    let json = serde_json::from_slice::<serde_json::Value>(body).ok();
    let member = |name: &str| json.as_ref().and_then(|v| v.get(name)).and_then(|v| v.as_str());
    let told = member("message").or_else(|| member("error_description")).or_else(|| member("error"));
    let text = match told {
        Some(text) => text.to_owned(),
        None => String::from_utf8_lossy(body).into_owned(),
    };
    let text: String = text.trim().chars().take(300).collect();
    if text.is_empty() { format!("(no text with the {status})") } else { text }
}
