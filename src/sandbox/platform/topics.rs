//! Names of what can be subscribed to.
//!
//! Assumed: what is of a user's own work and tokens is for that user only, presence and routing status for everybody; a
//! list with a topic that is not permitted is refused as a whole. What is told on some topics no source says: they are
//! taken, and nothing is told.

use serde_json::{Value, json};

use super::super::state::State;

/// Longest name, with several topics in one (`prefix?a&b`).
pub(super) const LONGEST: usize = 200;

/// Topics of a user: the end of the name, and whether only that user may hear it.
const OF_USER: [(&str, bool); 8] = [
    ("conversations", true),
    ("conversations.messages", true),
    ("conversations.inbound.typing.event", true),
    ("presence", false),
    ("routingStatus", false),
    ("activity", false),
    ("tokens", true),
    ("conversationsummary", true),
];
const OF_QUEUE: [&str; 2] = ["conversations.messages", "users"];
const NEED: &str = "routing:queue:view";
const DETAILS: &str = "v2.detail.events.conversation.";
const DEPLOYMENT: &str = "v2.webdeployments.deployments.";
const UNDELIVERED: &str = "undelivered.messages";

/// Why a topic is not given.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Unknown,
    TooLong(usize),
    /// For the user itself.
    NotYours,
    /// These permissions are missing.
    Lacks(&'static str),
    ByOrder,
}

impl Refused {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Unknown => "There is no such topic".to_owned(),
            Self::TooLong(length) => format!("The name has {length} characters; at most {LONGEST} are taken"),
            Self::NotYours => "Only the user itself may subscribe to this topic".to_owned(),
            Self::Lacks(permission) => format!("Missing permission: {permission}"),
            Self::ByOrder => "Rejected by order".to_owned(),
        }
    }

    pub(super) fn is_of_permission(&self) -> bool {
        matches!(self, Self::NotYours | Self::Lacks(_))
    }
}

/// The topics behind a name: `v2.users.u1?presence&routingStatus` are two.
pub(super) fn expand(name: &str) -> Vec<String> {
    match name.split_once('?') {
        Some((prefix, ends)) => ends.split('&').map(|end| format!("{prefix}.{end}")).collect(),
        None => vec![name.to_owned()],
    }
}

/// Checks a name for whoever asks; none for the client itself.
pub(super) fn check(state: &State, user: Option<u32>, name: &str) -> Result<Vec<String>, Refused> {
    let length = name.chars().count();
    if length > LONGEST {
        return Err(Refused::TooLong(length));
    }
    if state.platform.rejected.iter().any(|r| name.contains(r.as_str())) {
        return Err(Refused::ByOrder);
    }
    let topics = expand(name);
    topics.iter().try_for_each(|t| one(state, user, t))?;
    Ok(topics)
}

fn one(state: &State, user: Option<u32>, topic: &str) -> Result<(), Refused> {
    let p = &state.platform;
    let lacks = |permission| user.is_some_and(|n| !state.sign_ins.may(n, permission));
    let id_and_end = |prefix: &str| topic.strip_prefix(prefix).and_then(|rest| rest.split_once('.'));
    if let Some((id, end)) = id_and_end("v2.users.") {
        let known = p.user(id).ok_or(Refused::Unknown)?;
        let (_, own) = OF_USER.iter().find(|(e, _)| *e == end).ok_or(Refused::Unknown)?;
        return if *own && user != Some(known) { Err(Refused::NotYours) } else { Ok(()) };
    }
    if let Some((id, end)) = id_and_end("v2.routing.queues.") {
        return match p.queue(id) {
            Some(_) if !OF_QUEUE.contains(&end) => Err(Refused::Unknown),
            Some(_) if lacks(NEED) => Err(Refused::Lacks(NEED)),
            Some(_) => Ok(()),
            None => Err(Refused::Unknown),
        };
    }
    let conversation = match id_and_end("v2.conversations.") {
        Some((id, "transcription")) => Some(id),
        _ => id_and_end(DETAILS).filter(|(_, end)| !end.is_empty()).map(|(id, _)| id),
    };
    if let Some(id) = conversation {
        return p.conversations.number(id).map(|_| ()).ok_or(Refused::Unknown);
    }
    if let Some(id) = topic.strip_prefix(DEPLOYMENT) {
        return if id == state.me.deployment_id { Ok(()) } else { Err(Refused::Unknown) };
    }
    match id_and_end("v2.webmessaging.deployments.") {
        Some((id, UNDELIVERED)) if id == state.me.deployment_id => Ok(()),
        _ => Err(Refused::Unknown),
    }
}

/// All topics, as `availabletopics` tells them.
pub(super) fn available() -> Value {
    let topic = |id: String, own: bool, permissions: &[&str]| {
        json!({
            "id": id, "transports": ["All"], "visibility": "Public", "enforced": true, "requiresCurrentUser": own,
            "requiresPermissions": permissions, "topicParameters": ["id"],
        })
    };
    let users = OF_USER.iter().map(|(end, own)| topic(format!("v2.users.{{id}}.{end}"), *own, &[]));
    let queues = OF_QUEUE.map(|end| topic(format!("v2.routing.queues.{{id}}.{end}"), false, &[NEED]));
    let others = [
        "v2.conversations.{id}.transcription".to_owned(),
        format!("{DETAILS}{{id}}.*"),
        format!("v2.webmessaging.deployments.{{id}}.{UNDELIVERED}"),
        format!("{DEPLOYMENT}{{id}}"),
    ];
    let others = others.map(|id| topic(id, false, &[]));
    json!({ "entities": users.chain(queues).chain(others).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::sandbox::state::Identity;

    #[test]
    fn topics_are_told_from_what_only_looks_like_one() {
        let me = Identity {
            addr: ([127, 0, 0, 1], 8089).into(),
            secure: false,
            deployment_id: "d1".into(),
            organization_id: "o1".into(),
            client_id: "c1".into(),
            client_secret: Secret::from("x"),
            pkce_client_id: "c2".into(),
            queue_id: "q1".into(),
        };
        let mut state = State::new(me, 100, 60, 900);
        let me = state.platform.users[0].id.clone();
        let other = state.platform.users[1].id.clone();
        let check = |state: &State, name: &str| check(state, Some(0), name);
        assert_eq!(check(&state, &format!("v2.users.{me}?presence&routingStatus")).unwrap().len(), 2);
        for good in [
            format!("v2.users.{me}.conversations"),
            format!("v2.users.{me}.conversations.inbound.typing.event"),
            format!("v2.users.{other}.presence"),
            "v2.routing.queues.q1.conversations.messages".to_owned(),
            "v2.webmessaging.deployments.d1.undelivered.messages".to_owned(),
            "v2.webdeployments.deployments.d1".to_owned(),
            "v2.routing.queues.q1.users".to_owned(),
            format!("v2.users.{me}.tokens"),
        ] {
            assert_eq!(check(&state, &good), Ok(vec![good.clone()]));
        }
        assert_eq!(check(&state, &format!("v2.users.{other}.conversations")), Err(Refused::NotYours));
        assert_eq!(check(&state, &format!("v2.users.{me}?presence&nonsense")), Err(Refused::Unknown));
        for bad in ["", "v2.users", "v2.users.x.presence", "v2.conversations.c1.messages", "v2.routing.queues.q1.x"] {
            assert_eq!(check(&state, bad), Err(Refused::Unknown), "{bad}");
        }
        assert_eq!(check(&state, &"x".repeat(201)), Err(Refused::TooLong(201)));
        state.sign_ins.set_lacking(0, vec!["routing:queue:view".into()]);
        let queue = check(&state, "v2.routing.queues.q1.conversations.messages");
        assert_eq!(queue, Err(Refused::Lacks("routing:queue:view")));
        state.platform.rejected = vec![".presence".into()];
        assert_eq!(check(&state, &format!("v2.users.{me}.presence")), Err(Refused::ByOrder));
    }
}
