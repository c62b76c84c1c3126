//! What the agents' side tells of itself. Ids and counts, never a token.

use serde::{Deserialize, Serialize};

use super::super::state::State;
use super::super::status::{channel_id, session_id};
use super::conversation::{Purpose, Stage};
use super::{PlatformSwitches, channels, presence};
use crate::model::Now;

/// The agents' side at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlatformStatus {
    pub users: Vec<UserStatus>,
    /// Oldest first.
    pub conversations: Vec<AgentConversationStatus>,
    pub channels: Vec<ChannelStatus>,
    pub switches: PlatformSwitches,
    /// Parts of the names of topics that are rejected by order.
    pub rejected_topics: Vec<String>,
    /// Channels that had to go for newer ones, or by order.
    pub evicted: u64,
    /// Notifications that were lost by order.
    pub dropped: u64,
    /// Conversations that had to go for newer ones.
    pub forgotten: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UserStatus {
    pub id: String,
    pub name: String,
    /// `On Queue`.
    pub presence: String,
    /// `IDLE`.
    pub routing: String,
    /// Names of the queues that are joined.
    pub joined: Vec<String>,
    /// Permissions that were taken away.
    pub without: Vec<String>,
    /// Conversations that it is in, or is rung for.
    pub conversations: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentConversationStatus {
    pub id: String,
    /// `partner`, `waiting`, `alerting`, `agent` or `ended`.
    pub state: String,
    /// The guest's session: `s1`.
    pub session: Option<String>,
    pub participants: Vec<ParticipantStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ParticipantStatus {
    pub id: String,
    pub purpose: String,
    pub state: String,
    pub user: Option<String>,
    pub disconnect_type: Option<String>,
    pub messages: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChannelStatus {
    /// `n1`; the channel's own id would let anybody listen.
    pub id: String,
    pub user: Option<String>,
    pub topics: u64,
    /// Open sockets.
    pub connections: u64,
    /// Until it expires; negative once it has, or its token died.
    pub remaining_seconds: i64,
    pub live: bool,
}

impl PlatformStatus {
    pub(in crate::sandbox) fn of(state: &State, now: Now) -> Self {
        let p = &state.platform;
        let name = |n: u32| p.at(n).map(|u| u.name.to_owned());
        let users = p.users.iter().zip(0..).map(|(u, n)| UserStatus {
            id: u.id.clone(),
            name: u.name.to_owned(),
            presence: presence::label(p, n).to_owned(),
            routing: u.routing.word().to_owned(),
            joined: u.joined.iter().filter_map(|q| p.queues.get(*q)).map(|q| q.name.to_owned()).collect(),
            without: state.sign_ins.lacking(n).cloned().collect(),
            conversations: p.load(n) as u64,
        });
        let conversations = p.conversations.iter().map(|(_, id, c)| AgentConversationStatus {
            id: id.to_owned(),
            state: match () {
                () if c.ended.is_some() => "ended",
                () if c.participants.iter().any(|p| p.is_agent() && p.is_connected()) => "agent",
                () if c.has_agent() => "alerting",
                () if c.live(Purpose::Acd).is_some() => "waiting",
                () => "partner",
            }
            .to_owned(),
            session: c.session.map(session_id),
            participants: c
                .participants
                .iter()
                .map(|part| ParticipantStatus {
                    id: part.id.clone(),
                    purpose: part.purpose.word().to_owned(),
                    state: match part.stage {
                        Stage::Alerting => "alerting",
                        Stage::Connected if part.parked.is_some() => "parked",
                        Stage::Connected => "connected",
                        Stage::Disconnected => "disconnected",
                    }
                    .to_owned(),
                    user: part.user.and_then(name),
                    disconnect_type: part.disconnect_type.map(str::to_owned),
                    messages: part.messages.len() as u64,
                })
                .collect(),
        });
        let channels = p.channels.iter().map(|(n, _, c)| ChannelStatus {
            id: channel_id(n),
            user: c.user.and_then(name),
            topics: c.topics() as u64,
            connections: c.conns.len() as u64,
            remaining_seconds: c.expires.micros_since(now.wall).div_euclid(1_000_000),
            live: channels::alive(state, n, now),
        });
        Self {
            users: users.collect(),
            conversations: conversations.collect(),
            channels: channels.collect(),
            switches: p.switches.clone(),
            rejected_topics: p.rejected.clone(),
            evicted: p.evicted,
            dropped: p.dropped,
            forgotten: p.conversations.forgotten + p.channels.forgotten,
        }
    }
}
