//! What a sandbox tells of itself. It bears short ids, never a token.

use serde::{Deserialize, Serialize};

use super::deployment::Deployment;
use super::faults::Faults;
use super::flows::FlowStatus;
use super::oauth::SignInSwitches;
use super::platform::PlatformStatus;
use super::state::{Peer, State};
use super::tokens::Holder;
use crate::model::Now;
use crate::model::environment::Limits;

/// A picture of the whole at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Where it listens: `127.0.0.1:8089`.
    pub address: String,
    pub deployment_id: String,
    pub sessions: Vec<GuestStatus>,
    pub connections: Vec<ConnStatus>,
    pub tokens: Vec<TokenStatus>,
    pub faults: Faults,
    /// True where any fault is at work.
    pub faulty: bool,
    pub deployment: Option<Deployment>,
    pub limits: Limits,
    /// Connections cut off because they did not read what was sent.
    pub cut_off: u64,
    #[serde(default)]
    pub flows: FlowStatus,
    #[serde(default)]
    pub platform: PlatformStatus,
    #[serde(default)]
    pub sign_in: SignInSwitches,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GuestStatus {
    /// `s1`, counted from the start.
    pub id: String,
    /// `live`, `read-only`, `closed` or `expired`.
    pub state: String,
    pub age_seconds: u64,
    /// Until it expires; negative once it has.
    pub remaining_seconds: i64,
    /// Ids of its connections, oldest first.
    pub connections: Vec<String>,
    /// Messages in its history.
    pub messages: u64,
    /// Names of its custom attributes.
    pub attributes: Vec<String>,
    /// Who has signed in, as the identity provider calls them.
    #[serde(default)]
    pub member: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConnStatus {
    /// `c1`, counted from the start.
    pub id: String,
    /// Its session, contact or guest; none before it configured one.
    pub session: Option<String>,
    pub age_seconds: u64,
    /// Since a frame went either way.
    pub quiet_seconds: u64,
    /// `open` or `closing`.
    pub state: String,
    pub origin: Option<String>,
    pub application: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenStatus {
    /// `oauth-1`, `jwt-2`.
    pub id: String,
    /// `oauth`, `jwt`, `session-token`, `guest-token`, `guest-auth` or `guest-refresh`.
    pub kind: String,
    /// The session of a JWT, the guest of a guest token.
    pub session: Option<String>,
    /// E-mail address of the user who got it by signing in.
    #[serde(default)]
    pub user: Option<String>,
    /// Until it expires; negative once it has.
    pub remaining_seconds: i64,
}

pub(super) fn session_id(id: u32) -> String {
    format!("s{id}")
}

pub(super) fn contact_id(id: u32) -> String {
    format!("x{id}")
}

pub(super) fn resource_id(id: u32) -> String {
    format!("g{id}")
}

pub(super) fn channel_id(id: u32) -> String {
    format!("n{id}")
}

pub(super) fn conn_id(id: u32) -> String {
    format!("c{id}")
}

impl Status {
    pub(super) fn of(state: &State, now: Now) -> Self {
        let left = |end: crate::model::Wall| end.micros_since(now.wall).div_euclid(1_000_000);
        let sessions = state.sessions.iter().map(|(id, s)| GuestStatus {
            id: session_id(*id),
            state: match () {
                () if s.expired => "expired",
                () if s.closed => "closed",
                () if s.read_only => "read-only",
                () => "live",
            }
            .to_owned(),
            age_seconds: now.mono.since(s.opened).as_secs(),
            remaining_seconds: left(s.ends()),
            connections: s.conns.iter().map(|c| conn_id(*c)).collect(),
            messages: s.history.len() as u64 + s.forgotten,
            attributes: s.attributes.keys().cloned().collect(),
            member: s.member.and_then(|n| state.members.get(n)).map(|m| m.subject.clone()),
        });
        let connections = state.conns.iter().map(|(id, c)| ConnStatus {
            id: conn_id(*id),
            session: match c.peer {
                None => c.session.map(session_id),
                Some(Peer::Contact(id)) => Some(contact_id(id)),
                Some(Peer::Guest(id)) => Some(resource_id(id)),
                Some(Peer::Channel(id)) => Some(channel_id(id)),
            },
            age_seconds: now.mono.since(c.opened).as_secs(),
            quiet_seconds: now.mono.since(c.active).as_secs(),
            state: if c.closing { "closing" } else { "open" }.to_owned(),
            origin: c.origin.clone(),
            application: c.application.clone(),
        });
        let tokens = state.tokens.list().map(|t| TokenStatus {
            id: t.id.clone(),
            kind: t.holder.kind().to_owned(),
            session: match t.holder {
                Holder::Client | Holder::User(_) | Holder::Conversation(_) => None,
                Holder::Member(member) | Holder::Renewal(member) => {
                    let own = state.sessions.iter().find(|(_, s)| s.member == Some(member));
                    own.map(|(id, _)| session_id(*id))
                }
                Holder::Resource(id) => Some(resource_id(id)),
                Holder::Guest(id) => Some(session_id(id)),
            },
            user: match t.holder {
                Holder::User(n) => state.platform.users.get(n as usize).map(|u| u.email.to_owned()),
                _ => None,
            },
            remaining_seconds: left(t.expires),
        });
        Self {
            address: state.me.addr.to_string(),
            deployment_id: state.me.deployment_id.clone(),
            sessions: sessions.collect(),
            connections: connections.collect(),
            tokens: tokens.collect(),
            faults: state.faults.clone(),
            faulty: state.faults.any(),
            deployment: Some(state.deployment.clone()),
            limits: state.limits.clone(),
            cut_off: state.cut_off,
            flows: FlowStatus::of(state, now),
            platform: PlatformStatus::of(state, now),
            sign_in: state.sign_ins.switches.clone(),
        }
    }
}
