//! The evidence that a condition or a sentence may name, and how each is shown.
//!
//! Four groups speak of a token and have the same members: `token` (the one that the failure is about), `bearer` (in
//! the request's Authorization), `guest` (the guest's own: in the body, else the newest of the session), `handshake`
//! (with which the socket was opened).

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

/// What a piece of evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Seconds,
    /// So long after an end; below zero the end is still to come.
    Past,
    Millis,
    Bytes,
    /// A count, a status, a code.
    Plain,
    Text,
    List,
    Flag,
}

impl Sort {
    pub fn is_number(self) -> bool {
        matches!(self, Self::Seconds | Self::Past | Self::Millis | Self::Bytes | Self::Plain)
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds | Self::Past | Self::Millis | Self::Bytes | Self::Plain => "a number",
            Self::Text => "a text",
            Self::List => "a list",
            Self::Flag => "a yes or no",
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Number(f64),
    Text(String),
    List(Vec<String>),
    Flag(bool),
}

/// A name in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameId(u16);

impl NameId {
    pub fn place(self) -> usize {
        usize::from(self.0)
    }
}

/// A name with what it tells, for people.
#[derive(Clone, Debug)]
pub struct Name {
    pub key: String,
    pub sort: Sort,
    pub title: String,
}

const GROUPS: [(&str, &str); 4] = [
    ("token", "the token"),
    ("bearer", "the bearer"),
    ("guest", "the guest's token"),
    ("handshake", "the socket's token"),
];

use Sort::{Bytes, Flag, List, Millis, Past, Plain, Seconds, Text};

/// Members of each group of [`GROUPS`].
const OF_TOKEN: &[(&str, Sort, &str)] = &[
    ("name", Text, "as it stands in the records"),
    ("kind", Text, "what it is"),
    ("title", Text, "its name"),
    ("dead_by_s", Past, "dead when it was sent (below zero: alive for so long)"),
    ("left_s", Seconds, "left when it was sent"),
    ("dead_by_ours_s", Past, "dead when it was sent, by our own clock"),
    ("dead_at_end_s", Past, "dead when the answer or the end came"),
    ("fate", Text, "how it stood when it was sent, and after"),
    ("age_s", Seconds, "its age"),
    ("life_s", Seconds, "its whole life"),
    ("until", Text, "its end, on the server's clock"),
    ("assumed", Flag, "its end was assumed, not told"),
    ("by", Text, "who made the newest change to it"),
    ("corrupted", Flag, "damaged on purpose"),
    ("expired_by_hand", Flag, "treated as dead on somebody's wish"),
    ("forgotten", Flag, "forgotten here"),
    ("refused_before", Flag, "refused before it was sent now"),
    ("accepted_before", Flag, "accepted before"),
    ("replaced_before_s", Seconds, "replaced so long before it was sent (below zero: after)"),
    ("replaced_in_flight", Flag, "replaced while the request was on its way"),
    ("successor", Text, "what replaced it"),
    ("scope", List, "its scopes"),
    ("kid", Text, "the key it was signed with"),
    ("kid_accepted", Flag, "a token of the same key was accepted before"),
    ("guest_id", Text, "the guest that it names"),
    ("iat_ahead_s", Seconds, "issued so far in the server's future"),
];

const SINGLE: &[(&str, Sort, &str)] = &[
    ("answer.status", Plain, "status"),
    ("answer.code", Text, "code in the answer"),
    ("answer.text", Text, "what the answer says"),
    ("answer.field", Text, "field that the answer names"),
    ("answer.retry_after_s", Seconds, "Retry-After"),
    ("answer.wait_s", Seconds, "time until the answer"),
    ("dialect", Text, "dialect"),
    ("request.method", Text, "method"),
    ("request.path", Text, "path"),
    ("request.host", Text, "host"),
    ("request.purpose", Text, "what the request was for"),
    ("request.bytes", Bytes, "length of the request's body"),
    ("request.content_type", Text, "Content-Type"),
    ("request.origin", Text, "Origin"),
    ("request.auth", Text, "in Authorization"),
    ("request.failures", Plain, "failures of this path in a row, this one counted"),
    ("idempotency.key", Text, "Idempotency-Key"),
    ("idempotency.sent", Flag, "an Idempotency-Key was sent"),
    ("idempotency.uses", Plain, "requests with this key so far"),
    ("idempotency.age_s", Seconds, "since the key's first use"),
    ("idempotency.before", Text, "its earlier use"),
    ("idempotency.body_differs", Flag, "the key was used for another body before"),
    ("request.conversation", Text, "conversation in the request"),
    ("request.guest", Text, "guest in the request"),
    ("request.contact", Text, "contact in the request"),
    ("request.queue", Text, "queue in the request"),
    ("body.text_bytes", Bytes, "length of the text"),
    ("body.text_chars", Plain, "characters of an agent's text"),
    ("body.attributes_bytes", Bytes, "length of the attributes"),
    ("body.duration_s", Plain, "length of the session asked for, in seconds"),
    ("body.capabilities", List, "capabilities"),
    ("body.capabilities_missing", List, "capabilities missing"),
    ("ids.conversation", Text, "conversation, as told last"),
    ("ids.guest", Text, "guest, as told last"),
    ("ids.contact", Text, "contact, as told last"),
    ("ids.session", Text, "session, as told last"),
    ("ids.conversation_differs", Flag, "the request names another conversation than was told"),
    ("ids.conversation_stale", Flag, "the conversation's id is one of an earlier conversation"),
    ("ids.guest_differs", Flag, "the request names another guest than was told"),
    ("ids.mismatch", Text, "what does not match"),
    ("scope.granted", List, "scopes granted"),
    ("scope.asked", List, "scopes asked for"),
    ("scope.needed", List, "scopes needed"),
    ("scope.missing", List, "scopes missing"),
    ("scope.flow_missing", List, "scopes of the flow's description that were not granted"),
    ("skew_s", Seconds, "server's clock against ours"),
    ("clock.ours", Text, "clocks"),
    ("clock.jump_s", Seconds, "our clock jumped by"),
    ("clock.jump_ago_s", Seconds, "our clock jumped before this"),
    ("refresh.status", Plain, "status of the last refresh that failed"),
    ("refresh.failed_ago_s", Seconds, "since the last refresh that failed"),
    ("refresh.is_this", Flag, "this is a refresh"),
    ("signin.is_this", Flag, "this is a sign-in"),
    ("rate.second", Plain, "requests to this host in the last second"),
    ("rate.minute", Plain, "requests to this host in the last minute"),
    ("rate.path_minute", Plain, "requests of the session to this path in the last minute"),
    ("rate.limit", Plain, "limit that the answer names"),
    ("rate.window_s", Seconds, "window that the answer names"),
    ("rate.count", Plain, "requests in that window"),
    ("rate.refused_before", Plain, "429 answers before, in the last minute"),
    ("rate.obeyed", Flag, "the Retry-After before this was obeyed"),
    ("rate.early_s", Seconds, "sent before Retry-After was over by"),
    ("rate.frames", Plain, "messages in the window of the socket's limit"),
    ("rate.frames_limit", Plain, "limit of messages"),
    ("sessions.active", Plain, "sessions of this dialect that are under way"),
    ("sessions.limit", Plain, "limit of sessions at once"),
    ("close.code", Plain, "close code"),
    ("close.reason", Text, "close reason"),
    ("close.by_us", Flag, "we closed first"),
    ("socket.open_s", Seconds, "the socket was open for"),
    ("socket.idle_s", Seconds, "nothing was said for"),
    ("socket.hello_sent", Flag, "the handshake frame was sent"),
    ("socket.confirmed", Flag, "a frame came in answer to the handshake"),
    ("socket.last_frame", Text, "the last frame received"),
    ("socket.told", Text, "what the server said before the end"),
    ("socket.was_open", Flag, "the socket was open"),
    ("post.before_close_ms", Millis, "the last message by POST was before the end by"),
    ("post.status", Plain, "status of that POST"),
    ("post.confirmed", Flag, "a frame came after that POST"),
    ("others.lost", Plain, "other sockets lost in the same moment"),
    ("others.open", Plain, "other sockets that stay open"),
    ("others.calls_failed", Plain, "calls without an answer in the last ten seconds"),
    ("others.answered_ago_s", Seconds, "since the last answer of any server"),
    ("heartbeat.is_this", Flag, "this is a heartbeat"),
    ("heartbeat.failures", Plain, "heartbeats failed in a row"),
    ("heartbeat.gap_s", Seconds, "since the last heartbeat that was taken"),
    ("frame.code", Plain, "code of the frame"),
    ("frame.text", Text, "what the frame says"),
    ("frame.bytes", Bytes, "length of the frame that was refused"),
    ("limit.message_bytes", Bytes, "longest message"),
    ("limit.attribute_bytes", Bytes, "largest attributes"),
    ("sent.action", Text, "action of the frame"),
    ("sent.lacks", List, "members that it must have and lacks"),
    ("sent.text_bytes", Bytes, "length of the text, as UTF-8"),
    ("sent.attribute_bytes", Bytes, "length of all custom attributes, keys and values as UTF-8"),
    ("sent.before_configured", Flag, "the connection was not configured yet"),
    ("sent.join_again", Flag, "a Join, though the session is not new"),
    ("sent.deployment_before", Text, "deployment with which the same token was used before"),
    ("strange.names", List, "what no source describes, or is of the wrong type"),
    ("strange.more", Plain, "more of these"),
    ("meter.name", Text, "limit"),
    ("meter.used", Plain, "uses, this one counted; one more than the limit stands for all that are over it"),
    ("meter.limit", Plain, "uses that are allowed"),
    ("meter.window_s", Seconds, "in"),
    ("meter.wait_s", Seconds, "until one more is within the limit"),
    ("echo.since_s", Seconds, "since the health check before, on the same connection"),
    ("echo.every_s", Seconds, "cool-down of health checks"),
    ("typing.since_s", Seconds, "since the typing before, on the same connection"),
    ("typing.every_s", Seconds, "the vendor's own clients send typing once in"),
    ("typing.minute", Plain, "typing of an agent in the conversation in the last minute, this one counted"),
    ("connections.open", Plain, "connections of the session's token, this one counted"),
    ("connections.limit", Plain, "connections of a session at once"),
    ("message.key", Text, "id of the message"),
    ("message.behind_s", Seconds, "channel.time lies so far before that of a message that came earlier"),
    ("message.before", Text, "that earlier message"),
    ("message.repeats", Flag, "the connection brought a message with this id before"),
    ("message.twin", Text, "another message with the same channel.time"),
    ("message.time", Text, "channel.time"),
    ("units.member", Text, "member"),
    ("units.value", Text, "its value"),
    ("units.should", Text, "what it is told in"),
    ("units.seems", Text, "what it seems to be told in"),
    ("request.query", Text, "query of the address"),
    ("request.wrong_id", Text, "id at that place of the path"),
    ("request.wrong_is", Text, "what that id names"),
    ("request.wrong_place", Text, "what the path has there"),
    ("request.right_id", Text, "id that belongs there"),
    ("topics.lost", List, "topics of the channel that are not in the new list"),
    ("topics.count", Plain, "topics of the channel after this"),
    ("topics.longest", Plain, "characters of the longest topic"),
    ("channels.made", Plain, "channels made with this token in the last 24 h, this one counted"),
    ("body.ids", Plain, "ids asked for"),
    ("limit.message_chars", Plain, "longest text of an agent, in characters"),
    ("state.word", Text, "state of the session"),
    ("state.end", Text, "how the session ended"),
    ("fault.code", Text, "code of the fault"),
    ("fault.text", Text, "what the fault says"),
    ("refused.why", Text, "why it was not sent"),
    ("probe.fault", Text, "what the test of the connection found"),
];

struct Table {
    names: Vec<Name>,
    by_key: HashMap<String, NameId>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut names: Vec<Name> = Vec::new();
    for (group, whose) in GROUPS {
        names.extend(OF_TOKEN.iter().map(|(member, sort, title)| Name {
            key: format!("{group}.{member}"),
            sort: *sort,
            title: format!("{whose}: {title}"),
        }));
    }
    names.extend(SINGLE.iter().map(|(key, sort, title)| Name {
        key: (*key).to_owned(),
        sort: *sort,
        title: (*title).to_owned(),
    }));
    let by_key = names.iter().zip(0..).map(|(name, n)| (name.key.clone(), NameId(n))).collect();
    Table { names, by_key }
});

pub fn find(key: &str) -> Option<NameId> {
    TABLE.by_key.get(key).copied()
}

/// All names, in the order of their places.
pub fn all() -> &'static [Name] {
    &TABLE.names
}

pub fn of(id: NameId) -> Option<&'static Name> {
    TABLE.names.get(id.place())
}

pub fn sort(id: NameId) -> Sort {
    of(id).map_or(Sort::Text, |n| n.sort)
}

/// A value as people read it.
pub fn shown(sort: Sort, value: &Value) -> String {
    match value {
        Value::Number(n) => match sort {
            Seconds => seconds(*n),
            Past if *n <= 0.0 => format!("no, {} left", seconds(-n)),
            Past => seconds(*n),
            Millis => seconds(*n / 1e3),
            Bytes => format!("{n:.0} bytes"),
            _ => plain(*n),
        },
        Value::Text(t) if t.is_empty() => "(empty)".to_owned(),
        Value::Text(t) => t.clone(),
        Value::List(l) if l.is_empty() => "none".to_owned(),
        Value::List(l) => l.join(", "),
        Value::Flag(true) => "yes".to_owned(),
        Value::Flag(false) => "no".to_owned(),
    }
}

fn plain(n: f64) -> String {
    if n.fract() == 0.0 { format!("{n:.0}") } else { format!("{n:.2}") }
}

/// `12.4 s`, `3 min 05 s`, `15 min`, `26 h 10 min`.
pub fn seconds(n: f64) -> String {
    let sign = if n < 0.0 { "-" } else { "" };
    let n = n.abs();
    let whole = n.round() as u64;
    match n {
        _ if n < 1.0 => format!("{sign}{:.0} ms", n * 1e3),
        _ if n < 119.95 && (n - n.round()).abs() < 0.05 => format!("{sign}{whole} s"),
        _ if n < 119.95 => format!("{sign}{n:.1} s"),
        _ if whole < 3600 && whole.is_multiple_of(60) => format!("{sign}{} min", whole / 60),
        _ if whole % 3600 < 60 && whole >= 3600 => format!("{sign}{} h", whole / 3600),
        _ if whole < 3600 => format!("{sign}{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{sign}{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_once_and_is_found() {
        for (n, name) in all().iter().enumerate() {
            assert_eq!(find(&name.key).map(NameId::place), Some(n), "{} stands twice", name.key);
        }
        assert_eq!(find("token.colour"), None);
    }

    #[test]
    fn values_are_shown_as_people_read_them() {
        let shown = |sort, n| shown(sort, &Value::Number(n));
        assert_eq!(shown(Seconds, 12.44), "12.4 s");
        assert_eq!(shown(Seconds, -0.25), "-250 ms");
        assert_eq!(shown(Seconds, 1.01), "1 s");
        assert_eq!(shown(Seconds, 185.2), "3 min 05 s");
        assert_eq!(shown(Seconds, 899.6), "15 min");
        assert_eq!(shown(Seconds, 90_000.4), "25 h");
        assert_eq!(shown(Past, 12.44), "12.4 s");
        assert_eq!(shown(Past, -90.5), "no, 90.5 s left");
        assert_eq!(shown(Millis, 109.2), "109 ms");
        assert_eq!(shown(Millis, 3707.0), "3.7 s");
        assert_eq!(shown(Seconds, 94_200.0), "26 h 10 min");
        assert_eq!(shown(Bytes, 10_241.0), "10241 bytes");
        assert_eq!(shown(Plain, 429.0), "429");
        assert_eq!(super::shown(List, &Value::List(vec!["a".into(), "b".into()])), "a, b");
        assert_eq!(super::shown(Text, &Value::Text(String::new())), "(empty)");
    }
}
