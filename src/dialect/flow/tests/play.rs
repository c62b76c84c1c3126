use super::*;
use crate::dialect::Action;
use crate::model::Fact;
use crate::model::fact::{Delivery, SessionState};

/// An action in a line.
pub fn tell(action: &Action) -> Option<String> {
    Some(match action {
        Action::Open { conn, url, .. } => format!("open {conn} {url}"),
        Action::Text { text, .. } => format!("send {text}"),
        Action::Ping { .. } => "ping".into(),
        Action::Close { code, reason, .. } => format!("close {code} {reason}").trim_end().to_owned(),
        Action::Call { request, .. } => format!("{} {}", request.method, request.url),
        Action::Learn { .. } => return None,
        Action::NeedBearer => "needs a bearer".into(),
        Action::BearerRefused { number } => format!("bearer {number} was refused"),
        Action::BearerAccepted { number } => format!("bearer {number} was taken"),
        Action::Sign { claims } => format!("sign {}", Value::Object(claims.clone())),
        Action::Keep { key, value } => format!("{} {key}", if value.is_some() { "keep" } else { "unkeep" }),
        Action::State(Fact::State(s)) => {
            let state = match &s.to {
                SessionState::Ended(end) => format!("ended: {}", end.sentence()),
                other => other.word().to_owned(),
            };
            if s.why.is_empty() { state } else { format!("{state} ({})", s.why) }
        }
        Action::State(Fact::Expiry(e)) => format!("clock {} {:?} by {}", e.id, e.event, e.by),
        Action::State(Fact::Delivery(d)) => match &d.delivery {
            Delivery::Sent => format!("{} sent", d.tracing),
            Delivery::Delivered => format!("{} delivered", d.tracing),
            Delivery::Retrying { attempt, why, .. } => format!("{} retrying as try {attempt}: {why}", d.tracing),
            Delivery::Refused { code, text } => format!("{} refused {code} {text}", d.tracing),
            Delivery::NotSent { why } => format!("{} not sent: {why}", d.tracing),
            Delivery::Unconfirmed { why } => format!("{} unconfirmed: {why}", d.tracing),
        },
        Action::State(Fact::Fault(r)) => format!("fault {}: {}", r.code, r.what),
        Action::State(Fact::Id(id)) => {
            let doubt = id.mismatch.as_ref().map(|m| format!(", but {m}")).unwrap_or_default();
            format!("{} id {}{doubt}", id.name, id.value)
        }
        Action::State(Fact::Audit(a)) => {
            let status = a.status.map(|s| format!(" {s}")).unwrap_or_default();
            format!("audit {} {}{status}", a.action, a.outcome.word())
        }
        Action::State(Fact::Waiting { why, millis }) => format!("waits {millis} ms: {why}"),
        Action::State(Fact::Summary(_)) => "final report".into(),
        Action::State(other) => format!("{other:?}"),
    })
}
