//! What a refusal means, and what to do about it.

use serde_json::Value;

use super::calls::Job;
use crate::dialect::errands::Failure;
use crate::dialect::flow::text_of;
use crate::model::Report;

/// The report of a call that failed.
pub fn report(job: &Job, failure: &Failure) -> Report {
    if let Some(report) = permission(failure) {
        return report;
    }
    let (code, title) = named(job);
    match (job, failure.status()) {
        (Job::Do { deed: "conversation.wrapup" | "conversation.wrapup.skip", .. }, _) => wrap_up(failure),
        (Job::Say { .. }, Some(400 | 413)) if is_of_length(failure) => failure
            .report("message-too-long", "The message is too long for the platform")
            .remedy("Say it in several messages. The vendor's pages disagree: 4000 characters, or 2000.")
            .remedy("Set the environment's longest text of an agent to what the platform takes."),
        (_, Some(429)) => failure
            .report("agent-rate-limit", "The platform's limit of requests is reached")
            .detail(title)
            .remedy("A user's token has one allowance for everything, texts of messages included: lower the look-ups a minute, or close other programs that use it."),
        (_, Some(401)) => failure
            .report("user-token-dead", "The user's token is not taken any more")
            .detail(title)
            .remedy("Sign in again. Look who ended it: a log-out elsewhere, an administrator, or an idle time-out."),
        _ => failure.report(code, title),
    }
}

/// Code and title of what did not come off.
fn named(job: &Job) -> (&'static str, &'static str) {
    match job {
        Job::SetPresence => ("presence-not-set", "The presence was not set"),
        Job::SetRouting => ("routing-not-set", "The routing status was not set"),
        Job::JoinQueue => ("queue-not-joined", "The queue was not joined or left"),
        Job::NewChannel => ("no-channel", "There is no notification channel"),
        Job::Subscribe { .. } => ("not-subscribed", "Topics were not subscribed to"),
        Job::Say { .. } => ("not-sent", "The message was not sent"),
        Job::Texts { .. } => ("texts-not-read", "The texts of messages could not be read"),
        Job::AskUpload { .. } | Job::Upload { .. } | Job::LookAtUpload { .. } => {
            ("file-not-sent", "The file was not uploaded")
        }
        Job::CheckToken => ("token-refused", "The token does not live"),
        Job::RevokeToken => ("token-not-revoked", "The token was not revoked"),
        Job::Codes { .. } => ("no-wrapup-codes", "The wrap-up codes could not be read"),
        Job::Do { deed, .. } => {
            let title = match *deed {
                "conversation.answer" => "The conversation was not answered",
                "conversation.hold" => "The conversation was not put on hold or taken off it",
                "conversation.park" => "The conversation was not parked or taken back",
                "conversation.transfer" => "The conversation was not handed over",
                "conversation.attributes" => "The attributes were not set",
                "conversation.end" => "The conversation was not ended",
                _ => "That was not done",
            };
            ("not-done", title)
        }
        _ => ("call-failed", "A call failed"),
    }
}

/// No source names the platform's words for a text that is too long.
fn is_of_length(failure: &Failure) -> bool {
    let told = failure.sentence().to_ascii_lowercase();
    ["too long", "characters", "maximum length", "exceeds"].iter().any(|word| told.contains(word))
}

/// 403, with the permission by name.
fn permission(failure: &Failure) -> Option<Report> {
    let Failure::Refused { status: 403, text, code, .. } = failure else { return None };
    // The message names them in brackets: “… assigned: [conversation:webmessaging:create]”.
    let named = text.rsplit_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(names, _)| names.trim());
    let named = named.or_else(|| text.split_once("Missing required scope: ").map(|(_, rest)| rest.trim()));
    let told = code.starts_with("missing.") || named.is_some();
    told.then(|| {
        let names = named.filter(|n| !n.is_empty());
        let title = match names {
            Some(names) => format!("The permission {names} is missing"),
            None => "A permission is missing".to_owned(),
        };
        Report::new("missing-permission", title, format!("{}.", text.trim_end_matches('.')))
            .remedy("Give a role with this permission to the user, and for the divisions of the queue.")
            .remedy("Look at the OAuth client's scopes too: a scope that was not granted is refused in the same way.")
    })
}

fn wrap_up(failure: &Failure) -> Report {
    let required = failure.sentence().to_ascii_lowercase().contains("wrap");
    if required && matches!(failure.status(), Some(400 | 409)) {
        return failure
            .report("wrapup-required", "The wrap-up cannot be skipped")
            .remedy("Choose one of the queue's codes: this queue makes it mandatory.");
    }
    failure.report("not-wrapped-up", "The wrap-up was not taken")
}

/// Who is signed in could not be found out.
pub fn not_known(failure: &Failure, api: &str) -> Report {
    let sentence = failure.sentence();
    let lower = sentence.to_ascii_lowercase();
    let no_user = lower.contains("user context") || lower.contains("client credentials");
    match failure {
        Failure::NoBearer(report) => report.clone(),
        _ if no_user && matches!(failure.status(), Some(400 | 403 | 404)) => {
            let what = format!("{}.", sentence.trim_end_matches('.'));
            Report::new("no-user", "This token belongs to no user", what)
                .remedy("Sign in as a person: client credentials have no user and cannot act as an agent.")
        }
        _ if failure.status() == Some(401) => {
            let what = format!("{api} does not take a token that was just given: {}.", sentence.trim_end_matches('.'));
            Report::new("agent-wrong-region", "The API refuses the token", what)
                .remedy("Compare the regions: a token is good in the region that gave it, and nowhere else.")
                .remedy("If the region is right, the token was revoked or has ended: sign in again.")
        }
        _ => permission(failure)
            .unwrap_or_else(|| failure.report("not-signed-in", "It could not be found out who is signed in")),
    }
}

pub fn token_dead(failure: &Failure) -> Report {
    failure
        .report("user-token-dead", "The user's token is dead, and with it the notification channel")
        .remedy("Sign in again. A channel lives no longer than the token that made it.")
}

/// `v2.system.token_revoked`.
pub fn revoked(why: &str) -> Report {
    let what = match why {
        "" => "The platform says that the token was revoked.".to_owned(),
        why => format!("The platform says: {why}."),
    };
    Report::new("token-revoked", "The user's token was revoked", what)
        .remedy("Sign in again. Look who ended it: a log-out elsewhere, an administrator, or an idle time-out.")
}

/// `v2.system.no_longer_subscribed`.
pub fn evicted(why: &str) -> Report {
    let what = match why {
        "another_channel_subscribed" => "Another channel of the same user and client took its place.".to_owned(),
        "" => "The platform does not say why.".to_owned(),
        why => format!("The platform says: {why}."),
    };
    Report::new("channel-evicted", "The notification channel was dropped", what)
        .remedy("Close other programs with the same OAuth client and user: they share twenty channels.")
}

/// `v2.system.subscription_changed`.
pub fn topics_changed() -> Report {
    let what = "Somebody replaced what the channel is subscribed to: PUT drops every topic that it does not name.";
    Report::new("topics-changed", "The channel has lost topics", what)
        .remedy("Use POST, which adds, wherever several programs write to one channel.")
        .remedy("Make a new channel to hear everything again.")
}

/// The platform knows the channel no more.
pub fn channel_gone() -> Report {
    let what =
        "The platform knows it no more: it expired, its token ended, or it was the one used longest ago of twenty.";
    Report::new("channel-gone", "The notification channel is gone", what)
        .remedy("Nothing is to be done here: another is made, and what was missed is read by REST.")
        .remedy("Where it happens often, close other programs with the same OAuth client and user.")
}

/// A topic that was rejected, with what it would take.
pub fn rejected(topic: &str, entity: &Value) -> Report {
    let why = text_of(entity, "rejectionReason").unwrap_or_else(|| "no reason given".to_owned());
    let missing: Vec<&str> = entity
        .get("missingPermissions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let report = Report::new("topic-rejected", "A topic was rejected", format!("{topic}: {why}."));
    match missing.is_empty() {
        true => report.remedy("Look whether the topic exists, and whether it is only for the user whose it is."),
        false => report.remedy(format!("Give the user the permission {}.", missing.join(", "))),
    }
}

/// Somebody else has the conversation.
pub fn taken(by: Option<&str>) -> Report {
    let who = by.unwrap_or("another agent");
    Report::new("taken", "The conversation was taken by somebody else", format!("{who} is with the guest now."))
        .remedy("Nothing is to be done here. Look at alerting time-outs if this happens often.")
}
