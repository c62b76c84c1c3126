//! The calls of an agent, each with what it is for.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::dialect::Call;
use crate::dialect::backoff::Plan;
use crate::dialect::errands::{Auth, Errand, LONGEST_WAIT, Retry};
use crate::dialect::flow::json_call;
use crate::model::Hosts;
use crate::model::flows::fill;

/// What a call was made for.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    Me,
    /// Presence and routing status again.
    LookAtMe,
    Presences,
    SetPresence,
    SetRouting,
    Queues,
    JoinQueue,
    Libraries,
    Replies,
    FindUsers,
    NewChannel,
    /// `ours`: what the desk needs, before its socket is opened.
    Subscribe {
        ours: bool,
    },
    /// Whether the channel lives.
    LookAtChannel,
    List {
        generic: bool,
    },
    One {
        conversation: String,
        generic: bool,
    },
    Texts {
        conversation: String,
        ids: Vec<String>,
    },
    Say {
        conversation: String,
        tracing: String,
    },
    Typing {
        tracing: String,
    },
    /// Anything else in a conversation; `deed` in the words of an audit: `conversation.answer`.
    Do {
        conversation: String,
        deed: &'static str,
    },
    Codes {
        conversation: String,
    },
    AskUpload {
        attachment: String,
        conversation: String,
    },
    Upload {
        attachment: String,
    },
    LookAtUpload {
        attachment: String,
    },
    CheckToken,
    RevokeToken,
    Request,
    /// What is tidied up at the end.
    Goodbye,
}

impl Job {
    /// For the audit log.
    pub fn action(&self) -> &'static str {
        match self {
            Self::Me | Self::LookAtMe => "user.read",
            Self::Presences => "presence.list",
            Self::SetPresence => "presence.set",
            Self::SetRouting => "routing.set",
            Self::Queues => "queue.list",
            Self::JoinQueue => "queue.join",
            Self::Libraries | Self::Replies => "replies.read",
            Self::FindUsers => "user.search",
            Self::NewChannel => "channel.create",
            Self::Subscribe { .. } => "channel.subscribe",
            Self::LookAtChannel => "channel.check",
            Self::List { .. } => "conversation.list",
            Self::One { .. } => "conversation.read",
            Self::Texts { .. } => "message.read",
            Self::Say { .. } => "message.send",
            Self::Typing { .. } => "typing.send",
            Self::Do { deed, .. } => deed,
            Self::Codes { .. } => "wrapup.codes",
            Self::AskUpload { .. } => "media.create",
            Self::Upload { .. } => "media.upload",
            Self::LookAtUpload { .. } => "media.check",
            Self::CheckToken => "token.check",
            Self::RevokeToken => "token.revoke",
            Self::Request => "request",
            Self::Goodbye => "channel.delete",
        }
    }

    /// Doing it twice does what doing it once does.
    fn is_safe(&self) -> bool {
        !matches!(
            self,
            Self::Say { .. }
                | Self::Typing { .. }
                | Self::Do { .. }
                | Self::NewChannel
                | Self::AskUpload { .. }
                | Self::RevokeToken
                | Self::Request
                | Self::Goodbye
        )
    }
}

/// The call with its retries: after a 429 always, after a 5xx or no answer only where a second time does no harm.
pub fn errand(job: &Job, call: Call, tries: u32) -> Errand {
    let plan = Plan {
        least: Duration::from_millis(200),
        first: Duration::from_secs(1),
        longest: Duration::from_secs(20),
        give_up: LONGEST_WAIT,
        tries: tries.saturating_sub(1),
    };
    let safe = job.is_safe();
    let once = matches!(job, Job::Typing { .. } | Job::Goodbye | Job::Request);
    let retry =
        Retry { plan, rate_limited: true, server_error: safe, no_answer: safe, unnamed: Duration::from_secs(3) };
    Errand {
        action: job.action(),
        call,
        // The upload's address is signed, and is not the platform's.
        auth: if matches!(job, Job::Upload { .. }) { Auth::None } else { Auth::Oauth },
        retry: if once { Retry::NEVER } else { retry },
        message: matches!(job, Job::Say { .. }),
    }
}

fn get(url: String, purpose: &'static str) -> Call {
    Call { method: "GET", url, headers: vec![("accept".into(), "application/json".into())], purpose, ..Call::default() }
}

fn plain(method: &'static str, url: String, purpose: &'static str) -> Call {
    Call { method, url, purpose, ..Call::default() }
}

fn url(hosts: &Hosts, path: &str, values: &[(&str, &str)]) -> String {
    format!("{}{}", hosts.api, fill(path, values))
}

pub const ME: &str = "user";

pub fn me(hosts: &Hosts) -> Call {
    get(url(hosts, "/api/v2/users/me?expand=presence,routingStatus", &[]), ME)
}

pub const PRESENCES: &str = "presences";

pub fn presences(hosts: &Hosts) -> Call {
    get(url(hosts, "/api/v2/presence/definitions", &[]), PRESENCES)
}

pub const QUEUES: &str = "queues";

pub fn queues(hosts: &Hosts, me: &str) -> Call {
    get(url(hosts, "/api/v2/users/{me}/queues?pageSize=100", &[("me", me)]), QUEUES)
}

pub const JOIN: &str = "join queue";

pub fn join_queue(hosts: &Hosts, me: &str, queue: &str, joined: bool) -> Call {
    let at = url(hosts, "/api/v2/users/{me}/queues/{queue}", &[("me", me), ("queue", queue)]);
    json_call("PATCH", at, &json!({ "id": queue, "joined": joined }), JOIN)
}

pub const PRESENCE: &str = "presence";

pub fn set_presence(hosts: &Hosts, me: &str, definition: &str) -> Call {
    let at = url(hosts, "/api/v2/users/{me}/presences/purecloud", &[("me", me)]);
    json_call("PATCH", at, &json!({ "presenceDefinition": { "id": definition }, "primary": true }), PRESENCE)
}

pub const ROUTING: &str = "routing status";

pub fn set_routing(hosts: &Hosts, me: &str, status: &str) -> Call {
    let at = url(hosts, "/api/v2/users/{me}/routingstatus", &[("me", me)]);
    json_call("PUT", at, &json!({ "status": status }), ROUTING)
}

pub fn libraries(hosts: &Hosts) -> Call {
    get(url(hosts, "/api/v2/responsemanagement/libraries?pageSize=25", &[]), "reply libraries")
}

pub const REPLIES: &str = "replies";

pub fn replies(hosts: &Hosts, library: &str) -> Call {
    let path = "/api/v2/responsemanagement/responses?libraryId={library}&pageSize=100";
    get(url(hosts, path, &[("library", library)]), REPLIES)
}

pub const USERS: &str = "users";

/// Those that are active, by a part of their name or e-mail address; the first of all where none is given.
pub fn find_users(hosts: &Hosts, text: &str) -> Call {
    if text.is_empty() {
        return get(url(hosts, "/api/v2/users?pageSize=25&state=active", &[]), USERS);
    }
    let query = json!([{ "fields": ["name", "email"], "value": text, "type": "CONTAINS" }]);
    let body = json!({ "pageSize": 25, "pageNumber": 1, "query": query });
    json_call("POST", url(hosts, "/api/v2/users/search", &[]), &body, USERS)
}

pub fn check_token(hosts: &Hosts) -> Call {
    get(url(hosts, "/api/v2/tokens/me", &[]), "token check")
}

pub fn revoke_token(hosts: &Hosts) -> Call {
    plain("DELETE", url(hosts, "/api/v2/tokens/me", &[]), "token revoke")
}

// The notification channel.

pub fn new_channel(hosts: &Hosts) -> Call {
    json_call("POST", url(hosts, "/api/v2/notifications/channels", &[]), &json!({}), "channel")
}

pub fn look_at_channel(hosts: &Hosts, channel: &str) -> Call {
    plain("HEAD", url(hosts, "/api/v2/notifications/channels/{id}", &[("id", channel)]), "channel check")
}

/// `PUT` replaces the list, `POST` adds to it. Rejected topics are told beside the permitted ones.
pub fn subscribe(hosts: &Hosts, channel: &str, topics: &[String], replace: bool) -> Call {
    let path = "/api/v2/notifications/channels/{id}/subscriptions?ignoreErrors=true";
    let body: Value = topics.iter().map(|t| json!({ "id": t })).collect();
    let method = if replace { "PUT" } else { "POST" };
    json_call(method, url(hosts, path, &[("id", channel)]), &body, "subscribe")
}

pub fn unsubscribe_all(hosts: &Hosts, channel: &str) -> Call {
    let path = "/api/v2/notifications/channels/{id}/subscriptions";
    plain("DELETE", url(hosts, path, &[("id", channel)]), "unsubscribe")
}

// Conversations.

pub const CONVERSATIONS: &str = "conversations";

pub fn list(hosts: &Hosts, generic: bool) -> Call {
    let path = if generic { "/api/v2/conversations" } else { "/api/v2/conversations/messages" };
    get(url(hosts, path, &[]), CONVERSATIONS)
}

pub const CONVERSATION: &str = "conversation";

pub fn one(hosts: &Hosts, conversation: &str, generic: bool) -> Call {
    let path = if generic { "/api/v2/conversations/{c}" } else { "/api/v2/conversations/messages/{c}" };
    get(url(hosts, path, &[("c", conversation)]), CONVERSATION)
}

pub const TEXTS: &str = "message texts";

pub fn texts(hosts: &Hosts, conversation: &str, ids: &[String]) -> Call {
    let path = "/api/v2/conversations/messages/{c}/messages/bulk?useNormalizedMessage=true";
    json_call("POST", url(hosts, path, &[("c", conversation)]), &json!(ids), TEXTS)
}

/// A conversation with the agent's part in it.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    pub conversation: &'a str,
    pub participant: &'a str,
    pub communication: &'a str,
}

impl Part<'_> {
    fn url(&self, hosts: &Hosts, path: &str) -> String {
        let values = [("c", self.conversation), ("p", self.participant), ("m", self.communication)];
        url(hosts, &format!("/api/v2/conversations/messages/{{c}}{path}"), &values)
    }
}

/// `{"state"}`, `{"held"}` or `{"wrapupSkipped"}`.
pub fn change(hosts: &Hosts, part: Part<'_>, body: &Value, purpose: &'static str) -> Call {
    json_call("PATCH", part.url(hosts, "/participants/{p}"), body, purpose)
}

pub fn park(hosts: &Hosts, part: Part<'_>, on: bool) -> Call {
    let state = if on { "parked" } else { "connected" };
    json_call("PATCH", part.url(hosts, "/participants/{p}/parkingstate"), &json!({ "state": state }), "park")
}

pub fn replace(hosts: &Hosts, part: Part<'_>, body: &Value) -> Call {
    json_call("POST", part.url(hosts, "/participants/{p}/replace"), body, "transfer")
}

pub fn attributes(hosts: &Hosts, part: Part<'_>, attributes: &[(String, String)]) -> Call {
    let map: serde_json::Map<String, Value> =
        attributes.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect();
    json_call("PATCH", part.url(hosts, "/participants/{p}/attributes"), &json!({ "attributes": map }), "attributes")
}

pub const CODES: &str = "wrap-up codes";

pub fn codes(hosts: &Hosts, part: Part<'_>) -> Call {
    let call = get(part.url(hosts, "/participants/{p}/wrapupcodes"), CODES);
    // The answer does not say whose they are.
    Call { tracing: Some(part.conversation.to_owned()), ..call }
}

pub fn wrap_up(hosts: &Hosts, part: Part<'_>, code: &str, notes: &str) -> Call {
    let at = part.url(hosts, "/participants/{p}/communications/{m}/wrapup");
    json_call("POST", at, &json!({ "code": code, "notes": notes }), "wrap-up")
}

pub fn end(hosts: &Hosts, conversation: &str) -> Call {
    plain("POST", url(hosts, "/api/v2/conversations/{c}/disconnect", &[("c", conversation)]), "end")
}

pub const MESSAGE: &str = "message";

pub fn say(hosts: &Hosts, part: Part<'_>, text: &str, tracing: &str) -> Call {
    message(hosts, part, &json!({ "textBody": text }), tracing)
}

pub fn say_files(hosts: &Hosts, part: Part<'_>, media: &[String], tracing: &str) -> Call {
    message(hosts, part, &json!({ "mediaIds": media }), tracing)
}

fn message(hosts: &Hosts, part: Part<'_>, body: &Value, tracing: &str) -> Call {
    let at = part.url(hosts, "/communications/{m}/messages?useNormalizedMessage=true");
    let call = json_call("POST", at, body, MESSAGE);
    Call { tracing: Some(tracing.to_owned()), ..call }
}

pub fn typing(hosts: &Hosts, part: Part<'_>, tracing: &str) -> Call {
    let at = part.url(hosts, "/communications/{m}/typing");
    let call = json_call("POST", at, &json!({ "typing": { "type": "On" } }), "typing");
    Call { tracing: Some(tracing.to_owned()), ..call }
}

pub fn ask_upload(hosts: &Hosts, part: Part<'_>, name: &str, size: usize) -> Call {
    let at = part.url(hosts, "/communications/{m}/messages/media/uploads");
    json_call("POST", at, &json!({ "fileName": name, "contentLengthBytes": size }), "media")
}

/// With exactly the headers that were signed.
pub fn upload(url: &str, headers: Vec<(String, String)>, mime: &str, bytes: Bytes) -> Call {
    let mut headers = headers;
    if !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-type")) {
        headers.push(("content-type".into(), mime.to_owned()));
    }
    Call { method: "PUT", url: url.to_owned(), headers, body: bytes, purpose: "upload", ..Call::default() }
}

pub fn look_at_upload(hosts: &Hosts, part: Part<'_>, media: &str) -> Call {
    let at = part.url(hosts, "/communications/{m}/messages/media/{id}");
    get(fill(&at, &[("id", media)]), "media check")
}
