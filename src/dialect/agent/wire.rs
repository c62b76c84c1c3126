//! What the platform tells, in its own shapes, made into ours. Takes what comes: a field of the wrong type is read as
//! missing. Sources: the platform's published models, see [`crate::model::desk`] for what the two shapes share.

use serde_json::Value;

use crate::dialect::flow::text_of;
use crate::dialect::web_messaging::parts_of;
use crate::model::desk::{
    CannedReply, Colleague, MessageRef, Named, Participant, Purpose, QueueOf, Shape, Snapshot, Stage, Status,
};
use crate::model::happening::{Attachment, Side, Source};
use crate::model::{Message, Wall};

/// A frame of the notification socket.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    Heartbeat,
    Pong,
    /// `v2.system.socket_closing`: what it says.
    Closing(String),
    /// `v2.system.no_longer_subscribed…`: why.
    Evicted(String),
    /// `v2.system.token_revoked…`: why.
    Revoked(String),
    /// `v2.system.subscription_changed…`.
    Changed,
    /// The answer to a frame of ours: `200`, `400`, `404`.
    Result {
        code: String,
        status: String,
        correlation: Option<String>,
    },
    /// A topic with its body.
    Event {
        topic: String,
        body: Value,
    },
}

/// None where it is no notification at all.
pub fn notice(text: &str) -> Option<Notice> {
    let mut frame: Value = serde_json::from_str(text).ok()?;
    if let Some(code) = text_of(&frame, "result") {
        let status = text_of(&frame, "status").unwrap_or_default();
        return Some(Notice::Result { code, status, correlation: text_of(&frame, "correlationId") });
    }
    let topic = text_of(&frame, "topicName")?;
    let body = frame.get_mut("eventBody").map(Value::take).unwrap_or_default();
    let message = text_of(&body, "message").unwrap_or_default();
    if topic.eq_ignore_ascii_case("channel.metadata") {
        return Some(if message.eq_ignore_ascii_case("pong") { Notice::Pong } else { Notice::Heartbeat });
    }
    let why = || text_of(&body, "reason").unwrap_or_else(|| message.clone());
    let kind = text_of(&body, "systemTopicType").unwrap_or_default();
    let system = topic.strip_prefix("v2.system.");
    Some(match system {
        Some(rest) if rest.starts_with("socket_closing") => Notice::Closing(message),
        Some(rest) if rest.starts_with("no_longer_subscribed") || kind == "no_longer_subscribed" => {
            Notice::Evicted(why())
        }
        Some(rest) if rest.starts_with("subscription_changed") || kind == "subscription_changed" => Notice::Changed,
        Some(rest) if rest.starts_with("token_revoked") || kind == "token_revoked" => Notice::Revoked(why()),
        _ => Notice::Event { topic, body },
    })
}

/// A conversation in either shape; none where it has no id or no participants.
pub fn snapshot(body: &Value, asked: bool) -> Option<Snapshot> {
    let conversation = text_of(body, "id")?;
    let list = body.get("participants")?.as_array()?;
    // In the generic shape, media stand under each participant, and its messages are communications with a state.
    let generic = list.iter().any(|p| {
        p.get("state").is_none()
            && (p.get("userId").is_some() || p.get("queueId").is_some() || communications(p).next().is_some())
    });
    let shape = if generic { Shape::Generic } else { Shape::Media };
    let participants = list.iter().filter_map(|p| participant(p, shape)).collect();
    Some(Snapshot { conversation, shape, asked, participants })
}

/// All conversations of a list.
pub fn snapshots(body: &Value) -> impl Iterator<Item = Snapshot> {
    entities(body).filter_map(|c| snapshot(c, true))
}

/// A search calls them results.
pub fn entities(body: &Value) -> impl Iterator<Item = &Value> {
    let list =
        body.get("entities").or_else(|| body.get("results")).and_then(Value::as_array).or_else(|| body.as_array());
    list.into_iter().flatten()
}

fn communications(p: &Value) -> impl Iterator<Item = &Value> {
    p.get("messages").and_then(Value::as_array).into_iter().flatten().filter(|m| m.get("state").is_some())
}

fn participant(p: &Value, shape: Shape) -> Option<Participant> {
    let id = text_of(p, "id")?;
    // The newest communication is the one that can still be spoken in.
    let communication = (shape == Shape::Generic).then(|| communications(p).last()).flatten();
    let of = communication.unwrap_or(p);
    let state = text_of(of, "state").map_or(Stage::Unknown, |w| Stage::of(&w));
    let refs = of.get("messages").and_then(Value::as_array).into_iter().flatten();
    let time = |v: &Value, name: &str| text_of(v, name).and_then(|t| Wall::parse_rfc3339(&t));
    let linked = |name: &str| p.get(name).and_then(|r| text_of(r, "id"));
    let truth = |v: &Value, name: &str| v.get(name).and_then(Value::as_bool);
    let acw = communication.and_then(|c| c.get("afterCallWork"));
    let wrapup = of.get("wrapup").or_else(|| p.get("wrapup"));
    Some(Participant {
        id,
        purpose: Purpose::of(&text_of(p, "purpose").unwrap_or_default()),
        name: text_of(p, "name"),
        state,
        user: linked("user").or_else(|| text_of(p, "userId")),
        queue: linked("queue").or_else(|| text_of(p, "queueId")),
        communication: communication.and_then(|c| text_of(c, "id")),
        alerting_timeout_ms: p.get("alertingTimeoutMs").and_then(Value::as_u64),
        started: time(of, "startAlertingTime").or_else(|| time(p, "startTime")),
        connected: time(of, "connectedTime").or_else(|| time(p, "connectedTime")),
        ended: time(of, "disconnectedTime").or_else(|| time(p, "endTime")),
        disconnect_type: text_of(of, "disconnectType"),
        held: truth(of, "held"),
        wrapup_required: truth(p, "wrapupRequired").or_else(|| truth(of, "afterCallWorkRequired")),
        wrapup_prompt: text_of(p, "wrapupPrompt"),
        wrapup_timeout_ms: p.get("wrapupTimeoutMs").and_then(Value::as_u64),
        wrapup_skipped: truth(p, "wrapupSkipped"),
        acw_started: time(p, "startAcwTime").or_else(|| acw.and_then(|a| time(a, "startTime"))),
        wrapup: wrapup.and_then(|w| text_of(w, "code")),
        attributes: pairs(p.get("attributes")),
        authenticated: truth(of, "authenticated"),
        messages: refs.filter_map(message_ref).collect(),
    })
}

fn pairs(value: Option<&Value>) -> Vec<(String, String)> {
    let members = value.and_then(Value::as_object).into_iter().flatten();
    members.map(|(k, v)| (k.clone(), v.as_str().map_or_else(|| v.to_string(), str::to_owned))).collect()
}

/// In notifications the id stands in `message.id`, in REST answers in `messageId`.
fn message_ref(m: &Value) -> Option<MessageRef> {
    let id = m.get("message").and_then(|r| text_of(r, "id")).or_else(|| text_of(m, "messageId"))?;
    let error = m.get("errorInfo").and_then(|e| text_of(e, "message").or_else(|| text_of(e, "code")));
    Some(MessageRef {
        id,
        at: text_of(m, "messageTime").and_then(|t| Wall::parse_rfc3339(&t)),
        status: text_of(m, "messageStatus").map_or(Status::Unknown, |w| Status::of(&w)),
        kind: m.get("messageMetadata").and_then(|d| text_of(d, "type")),
        files: m.get("media").and_then(Value::as_array).into_iter().flatten().filter_map(file).collect(),
        error,
    })
}

fn file(m: &Value) -> Option<Attachment> {
    Some(Attachment {
        id: text_of(m, "id")?,
        name: text_of(m, "name").unwrap_or_default(),
        mime: text_of(m, "mediaType").unwrap_or_default(),
        size: m.get("contentLengthBytes").and_then(Value::as_u64),
        url: text_of(m, "url"),
        media_type: String::new(),
    })
}

/// A stored message with its text (`MessageData`), and the conversation that it belongs to. The text stands in
/// `textBody` or in the normalised message; newer versions of the API have the latter only.
pub fn message(m: &Value) -> Option<(Option<String>, Message)> {
    let key = text_of(m, "id")?;
    let normal = m.get("normalizedMessage").unwrap_or(&Value::Null);
    let word = |name: &str| text_of(m, name).or_else(|| text_of(normal, name)).unwrap_or_default();
    let bot = word("originatingEntity").eq_ignore_ascii_case("bot");
    let side = match word("direction").to_ascii_lowercase().as_str() {
        "inbound" => Side::Guest,
        _ if bot => Side::Bot,
        _ => Side::Agent,
    };
    let text = text_of(m, "textBody").or_else(|| text_of(normal, "text"));
    let mut parts = normal.get("content").map(parts_of).unwrap_or_default();
    if parts.is_empty() {
        let files = m.get("media").and_then(Value::as_array).into_iter().flatten().filter_map(file);
        parts.extend(files.map(crate::model::happening::Part::Attachment));
    }
    let also = text_of(normal, "id").into_iter().filter(|id| *id != key).collect();
    let said = Message {
        key,
        also,
        tracing: None,
        side,
        source: Source::History,
        at: text_of(m, "timestamp").and_then(|t| Wall::parse_rfc3339(&t)),
        from: m.get("createdBy").and_then(|u| text_of(u, "name")),
        text,
        parts,
        authenticated: false,
        attributes: Vec::new(),
    };
    Some((text_of(m, "conversationId"), said))
}

/// A list of things with an id and a name.
pub fn named(body: &Value) -> Vec<Named> {
    entities(body)
        .filter_map(|e| Some(Named { id: text_of(e, "id")?, name: text_of(e, "name").unwrap_or_default() }))
        .collect()
}

/// Presence definitions: the name is the system presence, without blanks, since the vendor spells it both ways.
pub fn presences(body: &Value) -> Vec<Named> {
    entities(body)
        .filter(|e| e.get("deactivated").and_then(Value::as_bool) != Some(true))
        .filter_map(|e| Some(Named { id: text_of(e, "id")?, name: plain(&text_of(e, "systemPresence")?) }))
        .collect()
}

/// `On Queue`, `ON_QUEUE` and `OnQueue` are the same.
pub fn plain(word: &str) -> String {
    let joined: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
    match joined.to_ascii_lowercase().as_str() {
        "onqueue" => "OnQueue".to_owned(),
        lower => {
            let mut chars = lower.chars();
            chars.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(chars).collect()
        }
    }
}

/// Queues of a user; `joined` of one stands beside its name, or under its membership.
pub fn queues(body: &Value) -> Vec<QueueOf> {
    entities(body)
        .filter_map(|e| {
            let joined = e.get("joined").and_then(Value::as_bool).unwrap_or(false);
            Some(QueueOf { id: text_of(e, "id")?, name: text_of(e, "name").unwrap_or_default(), joined })
        })
        .collect()
}

/// Users of a list or of a search.
pub fn users(body: &Value) -> Vec<Colleague> {
    let word = |e: &Value, name: &str| text_of(e, name).unwrap_or_default();
    entities(body)
        .filter_map(|e| Some(Colleague { id: text_of(e, "id")?, name: word(e, "name"), email: word(e, "email") }))
        .collect()
}

/// Ready-made answers, those that have a text.
pub fn replies(body: &Value) -> Vec<CannedReply> {
    entities(body)
        .filter_map(|e| {
            let mut texts = e.get("texts").and_then(Value::as_array).into_iter().flatten();
            let text = texts.find_map(|t| text_of(t, "content"))?;
            Some(CannedReply { id: text_of(e, "id")?, name: text_of(e, "name").unwrap_or_default(), text })
        })
        .collect()
}

/// Id of the definition and system presence of a user's presence.
pub fn presence_of(body: &Value) -> Option<(String, String)> {
    let definition = body.get("presenceDefinition")?;
    let word = text_of(definition, "systemPresence").unwrap_or_default();
    Some((text_of(definition, "id").unwrap_or_default(), plain(&word)))
}

/// Routing status: at the top, or under `routingStatus`.
pub fn routing_of(body: &Value) -> Option<String> {
    let status = body.get("routingStatus").unwrap_or(body);
    text_of(status, "status").or_else(|| status.as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_shapes_tell_the_same_people() {
        let media = json!({ "id": "c", "participants": [
            { "id": "pc", "purpose": "customer", "state": "connected", "attributes": { "context.plan": "gold" },
              "messages": [{ "message": { "id": "m10" }, "messageTime": "2026-01-06T13:26:15.174Z",
                             "messageStatus": "received", "messageMetadata": { "type": "Text" } }] },
            { "id": "pa", "purpose": "agent", "state": "alerting", "user": { "id": "u1" }, "queue": { "id": "q1" },
              "alertingTimeoutMs": 30000, "wrapupRequired": true, "messages": [] }] });
        let generic = json!({ "id": "c", "participants": [
            { "id": "pa", "purpose": "agent", "userId": "u1", "queueId": "q1",
              "messages": [{ "id": "comm-a", "state": "alerting", "held": false, "messages": [] }] },
            { "id": "pc", "purpose": "customer", "messages": [{ "id": "comm-c", "state": "connected",
              "messages": [{ "messageId": "m10", "messageStatus": "received" }] }] }] });
        let (m, g) = (snapshot(&media, false).unwrap(), snapshot(&generic, true).unwrap());
        assert_eq!((m.shape, g.shape), (Shape::Media, Shape::Generic));
        let find = |s: &Snapshot, id: &str| s.participants.iter().find(|p| p.id == id).cloned().unwrap();
        for s in [&m, &g] {
            let a = find(s, "pa");
            assert_eq!((a.state, a.user.as_deref(), a.queue.as_deref()), (Stage::Alerting, Some("u1"), Some("q1")));
            assert_eq!(find(s, "pc").messages[0].id, "m10");
        }
        assert_eq!(find(&g, "pa").communication.as_deref(), Some("comm-a"));
        assert_eq!(find(&m, "pa").alerting_timeout_ms, Some(30_000));
        assert_eq!(find(&m, "pc").attributes, [("context.plan".to_owned(), "gold".to_owned())]);
    }

    #[test]
    fn notices_are_told_apart() {
        let n = |v: Value| notice(&v.to_string()).unwrap();
        let meta = |m: &str| json!({ "topicName": "channel.metadata", "eventBody": { "message": m } });
        assert_eq!(n(meta("WebSocket Heartbeat")), Notice::Heartbeat);
        assert_eq!(n(meta("pong")), Notice::Pong);
        let closing = json!({ "topicName": "v2.system.socket_closing", "eventBody": { "message": "closing" } });
        assert_eq!(n(closing), Notice::Closing("closing".into()));
        let revoked = json!({ "topicName": "v2.system.token_revoked.t1",
            "eventBody": { "systemTopicType": "token_revoked", "reason": "user_tokens_revoked" } });
        assert_eq!(n(revoked), Notice::Revoked("user_tokens_revoked".into()));
        let evicted = json!({ "topicName": "v2.system.no_longer_subscribed.x",
            "eventBody": { "reason": "another_channel_subscribed" } });
        assert_eq!(n(evicted), Notice::Evicted("another_channel_subscribed".into()));
        let changed = json!({ "topicName": "v2.system.x", "eventBody": { "systemTopicType": "subscription_changed" } });
        assert_eq!(n(changed), Notice::Changed);
        assert!(matches!(n(json!({ "result": "404" })), Notice::Result { code, .. } if code == "404"));
        assert!(notice("[1]").is_none() && notice("nonsense").is_none());
    }

    #[test]
    fn a_text_is_found_where_either_version_of_the_api_has_it() {
        let old = json!({ "id": "m", "textBody": "Hello", "direction": "inbound", "conversationId": "c" });
        let new = json!({ "id": "m", "direction": "outbound", "normalizedMessage":
            { "id": "m", "type": "Text", "text": "Hello", "originatingEntity": "Human" } });
        let (c, m) = message(&old).unwrap();
        assert_eq!((c.as_deref(), m.text.as_deref(), m.side), (Some("c"), Some("Hello"), Side::Guest));
        let (_, m) = message(&new).unwrap();
        assert_eq!((m.text.as_deref(), m.side, m.also.is_empty()), (Some("Hello"), Side::Agent, true));
    }

    #[test]
    fn presences_have_one_spelling() {
        for (word, told) in [("On Queue", "OnQueue"), ("ON_QUEUE", "OnQueue"), ("AVAILABLE", "Available"), ("", "")] {
            assert_eq!(plain(word), told);
        }
    }
}
