//! What the channel is subscribed to: by REST, which tells of each topic whether it is permitted, or by frames.

use serde_json::{Value, json};

use super::channel::{After, Socket};
use super::*;
use crate::model::agents::SubscribeBy;

/// So many topics fit into a channel.
const MOST_TOPICS: usize = 1_000;

impl Agent {
    /// What an agent must hear of.
    pub(super) fn topics(&self) -> Vec<String> {
        let Some(me) = &self.me else { return Vec::new() };
        ["conversations", "conversations.messages", "conversations.inbound.typing.event", "presence", "routingStatus"]
            .map(|topic| format!("v2.users.{me}.{topic}"))
            .to_vec()
    }

    pub(super) fn subscribe(&mut self, cx: &mut Cx<'_>, topics: Vec<String>, by: SubscribeBy) {
        let Some(id) = self.channel.id.clone() else {
            return flow::not_now("There is no notification channel", cx.out);
        };
        let long = topics.iter().find(|t| t.len() > 200);
        let room = MOST_TOPICS.saturating_sub(self.channel.topics.len());
        if long.is_some() || topics.len() > room {
            let what = match long {
                Some(topic) => format!("topic: {} characters; at most 200 ({topic}).", topic.len()),
                None => format!("topics: {} more; a channel takes {MOST_TOPICS}.", topics.len()),
            };
            return cx.fault(Report::new("bad-topics", "Not subscribed", what));
        }
        if by == SubscribeBy::Socket {
            if !self.channel.is_open() {
                return flow::not_now("The notification socket is not open", cx.out);
            }
            return self.send_topics(cx, "subscribe", topics);
        }
        let replace = by == SubscribeBy::RestReplace;
        if replace {
            // Ours are among them, or they would be lost.
            let own = self.topics();
            let lost = own.iter().filter(|t| !topics.contains(t)).count();
            if lost > 0 && self.channel.is_open() {
                let what = format!("PUT replaces the list: {lost} topics that the desk needs are not in it.");
                cx.fault(Report::new("topics-replaced", "The desk loses topics", what).remedy("Use POST, which adds."));
            }
        }
        let call = calls::subscribe(&self.hosts, &id, &topics, replace);
        self.begin(Job::Subscribe { ours: false }, call);
    }

    pub(super) fn unsubscribe(&mut self, cx: &mut Cx<'_>, topics: &[String]) {
        if !self.channel.is_open() {
            return flow::not_now("The notification socket is not open", cx.out);
        }
        self.channel.topics.retain(|t| !topics.contains(t));
        self.send_topics(cx, "unsubscribe", topics.to_vec());
    }

    pub(super) fn send_topics(&mut self, cx: &mut Cx<'_>, message: &str, topics: Vec<String>) {
        self.channel.asked += 1;
        let correlation = format!("{message}-{}-{}", self.channel.conn, self.channel.asked);
        let frame = json!({ "message": message, "topics": topics, "correlationId": correlation });
        if message == "subscribe" {
            self.channel.topics.extend(topics);
        }
        self.send(cx, &frame, Flags::NONE, Some(correlation));
    }

    pub(super) fn send(&mut self, cx: &mut Cx<'_>, frame: &Value, flags: Flags, tracing: Option<String>) {
        cx.act(Action::Text { conn: self.channel.conn, text: frame.to_string(), flags, tracing });
    }

    /// The answer to a subscription by REST: each topic is permitted or rejected.
    pub(super) fn subscribed(&mut self, cx: &mut Cx<'_>, ours: bool, body: &Value) {
        for entity in wire::entities(body) {
            let id = flow::text_of(entity, "id").unwrap_or_default();
            if flow::text_of(entity, "state").is_some_and(|s| s.eq_ignore_ascii_case("rejected")) {
                cx.fault(verdict::rejected(&id, entity));
            } else if !self.channel.topics.contains(&id) && self.channel.topics.len() < MOST_TOPICS {
                self.channel.topics.push(id);
            }
        }
        if ours {
            self.heard_or_not(cx);
            match self.channel.socket {
                Socket::None => self.open_socket(cx),
                // The new channel is ready: the socket of the old one goes, and its end opens the new one.
                Socket::Open if self.channel.after == After::Look => {
                    self.reopen(cx, "a new channel takes the place of the old one");
                }
                // Its end is on its way.
                Socket::Open => self.channel.after = After::Open,
                Socket::Opening => {}
            }
        }
    }

    /// Without these topics the desk is blind.
    fn heard_or_not(&mut self, cx: &mut Cx<'_>) {
        let blind = !self.channel.topics.iter().any(|t| t.contains(".conversations"));
        if blind {
            let what = "Both conversation topics were rejected: the desk sees only what it reads by REST.";
            cx.fault(Report::new("blind", "No conversation event will come", what));
        }
    }

    pub(super) fn not_subscribed(&mut self, cx: &mut Cx<'_>, ours: bool, failure: &Failure) {
        cx.fault(verdict::report(&Job::Subscribe { ours }, failure));
        if !ours {
            return;
        }
        match failure.status() {
            // The channel went while it was being subscribed to.
            Some(404) => self.gone(cx),
            Some(_) if failure.is_for_good() => {
                let why = "the channel could not be subscribed to".to_owned();
                self.end(cx, End::Failed { why });
            }
            _ => self.look_again(cx, "not subscribed"),
        }
    }
}
