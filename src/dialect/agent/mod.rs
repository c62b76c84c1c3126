//! An agent's side of the vendor's Platform API: REST with a user's token, and one notification socket.
//!
//! [`Agent`] is the machine. Its parts live in files of their own, each with the piece of state that it owns: `begin`
//! (sign in, who am I, go on queue), `channel` (the notification channel and its socket), `topics` (what it is
//! subscribed to), `desk` (conversations and what is done in them), `lookups` (texts of messages, which no notification
//! has), `uploads` (files). `calls` makes requests, `wire` reads answers, `verdict` says what a refusal means.
//! [`read()`] tells records, and needs no machine.
//!
//! What a notification tells is a state, not a change; it may be old, and may come twice. So everything is folded by
//! [`Interaction::take`], and after each interruption all is read anew by REST: what was missed is not told again.

mod begin;
mod calls;
mod channel;
mod desk;
mod line;
mod lookups;
mod read;
#[cfg(test)]
mod tests;
mod topics;
mod uploads;
mod verdict;
mod wire;

pub use line::frame_line;
pub use read::{read, strange};
pub use wire::plain;

use std::collections::BTreeMap;
use std::time::Duration;

use super::cx::Cx;
use super::errands::{Done, Errands, Failure};
use super::flow::{self, millis};
use super::{Action, At, Bearer, BearerNews, Deed, DeskWish, Dialect, FlowWish, Input, Seen, Wish};
use crate::model::agents::{AgentForm, Agents};
use crate::model::desk::{Interaction, Named, Snapshot};
use crate::model::fact::{Delivery, End, SessionState, StateChange};
use crate::model::{Environment, Fact, Flags, Hosts, Mono, Report};
use calls::Job;

/// What a session is made of.
#[derive(Clone, Debug)]
pub struct Config {
    pub hosts: Hosts,
    pub environment: Environment,
    pub form: AgentForm,
    pub seed: u64,
}

/// Conversations that are remembered; the oldest that is over goes.
const CONVERSATIONS: usize = 500;

/// One agent.
pub struct Agent {
    hosts: Hosts,
    env: Environment,
    form: AgentForm,
    state: SessionState,
    errands: Errands<Job>,
    /// Id of the user, once it is known.
    me: Option<String>,
    /// Ids and system words of what one can be.
    presences: Vec<Named>,
    routing: String,
    begin: begin::Begin,
    channel: channel::Channel,
    desk: desk::Desk,
    lookups: lookups::Lookups,
    uploads: uploads::Uploads,
}

impl Agent {
    pub fn new(config: Config) -> Self {
        let Config { hosts, environment: env, form, seed } = config;
        let agents = &env.agents;
        Self {
            errands: Errands::new(seed),
            state: SessionState::New,
            me: None,
            presences: Vec::new(),
            routing: String::new(),
            begin: begin::Begin::default(),
            channel: channel::Channel::new(&env, seed),
            desk: desk::Desk::default(),
            lookups: lookups::Lookups::new(agents),
            uploads: uploads::Uploads::default(),
            hosts,
            env,
            form,
        }
    }

    fn settings(&self) -> &Agents {
        &self.env.agents
    }

    fn go(&mut self, cx: &mut Cx<'_>, to: SessionState, why: impl Into<String>) {
        self.state = to.clone();
        cx.state(Fact::State(StateChange { to, why: why.into() }));
    }

    /// Something worth a line while the state stays as it is.
    fn remark(&mut self, cx: &mut Cx<'_>, why: impl Into<String>) {
        self.go(cx, self.state.clone(), why);
    }

    fn is_ready(&self) -> bool {
        self.state == SessionState::Ready
    }

    fn wish(&mut self, cx: &mut Cx<'_>, wish: Wish) {
        match wish {
            Wish::Connect => self.connect(cx),
            Wish::Leave { code, reason } => self.leave(cx, code, reason),
            Wish::SetReconnect(on) => self.env.agents.reconnect = on,
            Wish::Clock { id, deed } => self.clock_deed(cx, &id, deed),
            Wish::Raw { text } => self.raw(cx, text),
            Wish::Flow(FlowWish::Request { method, path, body }) => {
                let call = (method.as_str(), path.as_str(), body.as_str());
                let me = self.me.clone().unwrap_or_default();
                let channel = self.channel.id().unwrap_or_default();
                let names = [("userId", me.as_str()), ("channelId", channel)];
                let errand = flow::request(&self.hosts.api, call, &names, cx.out);
                self.errands.begin(Job::Request, errand);
            }
            Wish::Desk(DeskWish::In { conversation, deed }) => self.deed(cx, &conversation, deed),
            Wish::Desk(DeskWish::Look { conversation }) => self.lookups.front = Some(conversation),
            Wish::Desk(wish) => self.desk_wish(cx, wish),
            other => flow::refuse(&other, "an agent speaks in one of the conversations of the desk", cx.out),
        }
    }

    fn desk_wish(&mut self, cx: &mut Cx<'_>, wish: DeskWish) {
        let Some(me) = self.me.clone() else { return flow::not_now("It is not known yet who is signed in", cx.out) };
        match wish {
            DeskWish::Presence { is } => self.be(cx, &me, &is),
            DeskWish::Routing { status } => {
                let job = Job::SetRouting;
                self.begin(job, calls::set_routing(&self.hosts, &me, &status));
            }
            DeskWish::Queue { id, joined } => {
                self.begin(Job::JoinQueue, calls::join_queue(&self.hosts, &me, &id, joined));
            }
            DeskWish::Reload => self.reload_all(cx),
            DeskWish::NewChannel => self.new_channel(cx),
            DeskWish::Subscribe { topics, by } => self.subscribe(cx, topics, by),
            DeskWish::Unsubscribe { topics } => self.unsubscribe(cx, &topics),
            DeskWish::Ping => self.ping(cx),
            DeskWish::CheckToken => self.begin(Job::CheckToken, calls::check_token(&self.hosts)),
            DeskWish::RevokeToken => self.begin(Job::RevokeToken, calls::revoke_token(&self.hosts)),
            DeskWish::Replies => self.begin(Job::Libraries, calls::libraries(&self.hosts)),
            DeskWish::FindUsers { text } => self.begin(Job::FindUsers, calls::find_users(&self.hosts, text.trim())),
            // Handled before.
            DeskWish::In { .. } | DeskWish::Look { .. } => {}
        }
    }

    fn begin(&mut self, job: Job, call: super::Call) {
        let tries = self.settings().tries.max(1);
        self.errands.begin(job.clone(), calls::errand(&job, call, tries));
    }

    fn answered(&mut self, cx: &mut Cx<'_>, done: Done<'_, Job>) {
        if self.state.is_ended() && !matches!(done.kind, Job::Goodbye) {
            return;
        }
        match done.result {
            Ok((_, body)) => self.succeeded(cx, done.kind, body),
            Err(failure) => self.failed(cx, done.kind, failure),
        }
    }

    fn succeeded(&mut self, cx: &mut Cx<'_>, job: Job, body: &[u8]) {
        // Most answers are objects; what is none is as good as empty.
        let json = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
        match job {
            Job::Me => self.known(cx, &json),
            Job::Presences => self.presences_known(cx, &json),
            Job::SetPresence => self.look_at_me_soon(cx),
            Job::SetRouting => self.routing_told(&json),
            Job::LookAtMe => {
                if let Some(status) = json.get("routingStatus") {
                    self.routing_told(status);
                }
            }
            Job::Queues | Job::JoinQueue | Job::Request | Job::Goodbye | Job::CheckToken | Job::Typing { .. } => {}
            Job::RevokeToken => self.revoked_by_us(cx),
            Job::Libraries => self.libraries_known(&json),
            // The records tell them.
            Job::Replies | Job::FindUsers => {}
            Job::NewChannel => self.channel_made(cx, &json),
            Job::Subscribe { ours } => self.subscribed(cx, ours, &json),
            Job::LookAtChannel => self.channel_lives(cx),
            Job::List { generic } => self.list_read(cx, generic, &json),
            Job::One { conversation, .. } => self.one_read(cx, &conversation, &json),
            Job::Texts { conversation, ids } => self.texts_read(cx, &conversation, ids, &json),
            Job::Say { conversation, tracing } => {
                if let Some(id) = flow::text_of(&json, "id") {
                    self.lookups.has(&conversation, &id);
                }
                cx.delivery(&tracing, Delivery::Delivered);
            }
            Job::Do { conversation, .. } => self.done_there(cx, &conversation),
            Job::Codes { .. } => {}
            Job::AskUpload { attachment, .. } => self.upload_granted(cx, &attachment, &json),
            Job::Upload { attachment } => self.uploaded(cx, &attachment),
            Job::LookAtUpload { attachment } => self.upload_state(cx, &attachment, &json),
        }
    }

    fn failed(&mut self, cx: &mut Cx<'_>, job: Job, failure: Failure) {
        match &job {
            Job::Me => self.not_known(cx, &failure),
            Job::NewChannel => self.channel_not_made(cx, &failure),
            Job::Subscribe { ours } => self.not_subscribed(cx, *ours, &failure),
            Job::LookAtChannel => self.channel_gone(cx, &failure),
            Job::List { .. } => self.list_not_read(cx, &failure),
            Job::One { conversation, .. } => self.one_not_read(cx, conversation, &failure),
            Job::Texts { conversation, ids } => self.texts_not_read(cx, conversation, ids.clone(), &failure),
            Job::Say { conversation, tracing } => {
                self.not_done_there(cx, conversation, &job, &failure);
                cx.delivery(tracing, failure.delivery());
            }
            Job::Typing { tracing } => cx.delivery(tracing, failure.delivery()),
            Job::Do { conversation, .. } => self.not_done_there(cx, conversation, &job, &failure),
            Job::AskUpload { attachment, .. } | Job::Upload { attachment } | Job::LookAtUpload { attachment } => {
                self.upload_failed(cx, attachment, verdict::report(&job, &failure));
            }
            Job::Goodbye => {}
            _ => cx.fault(verdict::report(&job, &failure)),
        }
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        self.tick_channel(cx);
        self.tick_begin(cx);
        self.tick_desk(cx);
        self.tick_lookups(cx);
        self.tick_uploads(cx);
    }

    /// Sends what may leave, and takes in what failed without an answer.
    fn finish(&mut self, cx: &mut Cx<'_>) {
        while let Some(done) = self.errands.go(cx.at, cx.out) {
            self.answered(cx, done);
        }
        self.tell_lookups(cx);
    }

    /// It cannot go on.
    fn end(&mut self, cx: &mut Cx<'_>, end: End) {
        if self.state.is_ended() {
            return;
        }
        self.channel.stop();
        if self.channel.is_open() {
            cx.act(Action::Close { conn: self.channel.conn(), code: 1000, reason: "ended".into() });
        }
        self.forget_clocks(cx);
        self.drop_held(cx);
        self.errands.end(cx.at, |job| matches!(job, Job::Goodbye), cx.out);
        self.go(cx, SessionState::Ended(end), "");
    }
}

impl Dialect for Agent {
    fn step(&mut self, at: At, input: Input<'_>, out: &mut Vec<Action>) -> Seen {
        let cx = &mut Cx { at, out };
        let mut seen = Seen::default();
        match input {
            Input::Wish(wish) => self.wish(cx, wish),
            Input::Opened { conn } => self.opened(cx, conn),
            Input::NotOpened { conn, status, report } => self.not_opened(cx, conn, status, &report),
            Input::Text { conn, text } => seen = self.frame(cx, conn, text),
            // The socket knows text frames only.
            Input::Bytes { .. } => seen.flags = Flags::MALFORMED,
            Input::Pong { .. } => seen.flags = Flags::HEARTBEAT,
            Input::Closed { conn, code, reason } => self.closed(cx, conn, &closed_words(code, reason)),
            Input::Lost { conn, why } => self.closed(cx, conn, why),
            Input::Bearer(news) => self.bearer(cx, news),
            Input::Answer { .. } | Input::CallFailed { .. } => {
                if let Some(done) = self.errands.ended(at, &input, cx.out) {
                    self.answered(cx, done);
                }
            }
            // An agent signs nothing.
            Input::Signed { .. } | Input::NotSigned { .. } => {}
            Input::Tick => self.tick(cx),
        }
        self.finish(cx);
        seen
    }

    fn wait(&self, at: At) -> Option<Duration> {
        let now = at.now.mono;
        let ended = self.state.is_ended();
        let own = [
            self.channel.wait(at).filter(|_| !ended),
            self.begin.wait(now).filter(|_| !ended),
            self.desk.wait(now).filter(|_| !ended),
            self.lookups.wait(now).filter(|_| !ended && self.is_ready()),
            self.uploads.wait(now).filter(|_| !ended),
            self.errands.wait(at),
        ];
        own.into_iter().flatten().min()
    }
}

fn closed_words(code: u16, reason: &str) -> String {
    if reason.is_empty() {
        format!("the server closed it with {code}, no reason given")
    } else {
        format!("the server closed it with {code}: {reason}")
    }
}
