//! Web Messaging, the vendor's Guest API over one socket.
//!
//! [`WebMessaging`] is the machine; its parts live in files of their own, each with the piece of state that it owns:
//! `session` (open, configure, end, reconnect), `frames` (what arrives), `messages` (what the guest says and what
//! becomes of it), `requests` (everything else that is asked over the socket), `guest_jwt`, `history`, `attachments`,
//! `idle` (clocks of the session and of the connection), `kept` (what a later run goes on with),
//! `auth` (guests who sign in), `offers` (pickers and forms), `deeds` (what a person does to a clock).
//! [`read()`] and [`line()`] tell records, and need no machine.

mod attachments;
mod auth;
mod content;
mod deeds;
mod frames;
mod guest_jwt;
mod history;
mod idle;
mod kept;
mod line;
mod messages;
mod offers;
mod read;
mod requests;
mod session;
#[cfg(test)]
mod tests;
pub mod wire;

pub use content::parts_of;
pub use kept::Kept;
pub use line::frame_line;
pub use read::{read, strange};

use std::time::Duration;

use super::cx::Cx;
use super::flow;
use super::heartbeat::{Beat, Heartbeat};
use super::seeded::Seeded;
use super::{Action, At, CallId, Dialect, Input, Seen, Wish};
use crate::model::environment::secs;
use crate::model::fact::{End, SessionState, StateChange};
use crate::model::login::Login;
use crate::model::{Environment, Fact, Flags, Hosts, Secret, Wall};

/// What a session is made of.
#[derive(Clone, Debug)]
pub struct Config {
    pub hosts: Hosts,
    pub environment: Environment,
    /// The guest's identity: a UUID made by the client.
    pub token: Secret<String>,
    /// The token was used before: the server is expected to know it.
    pub resumed: bool,
    /// The guest signs in with this as the session is opened.
    pub login: Option<Login>,
    /// Or by this one, which an earlier run kept: no person is needed.
    pub refresh: Option<Secret<String>>,
    /// For tracing ids and for the jitter of waits.
    pub seed: u64,
}

/// One guest session.
pub struct WebMessaging {
    hosts: Hosts,
    env: Environment,
    token: Secret<String>,
    chance: Seeded,
    state: SessionState,
    socket: Socket,
    /// Number of the newest socket.
    conn: u32,
    calls: u64,
    heartbeat: Heartbeat,
    session: session::Session,
    requests: requests::Requests,
    outbox: messages::Outbox,
    jwt: guest_jwt::GuestJwt,
    history: history::History,
    attachments: attachments::Attachments,
    idle: idle::Idle,
    auth: auth::Auth,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Socket {
    None,
    Opening,
    Open,
}

impl WebMessaging {
    pub fn new(config: Config) -> Self {
        let Config { hosts, environment: env, token, resumed, login, refresh, seed } = config;
        let mut chance = Seeded::new(seed);
        let timings = &env.timings;
        // A bare token may have come from elsewhere.
        let kept = refresh.as_ref().map(|r| Kept { token: token.clone(), refresh: Some(r.clone()) });
        Self {
            heartbeat: Heartbeat::new(secs(timings.ping_secs), secs(timings.pong_secs)),
            session: session::Session::new(&env, resumed, kept, chance.number()),
            requests: requests::Requests::default(),
            outbox: messages::Outbox::new(&env),
            jwt: guest_jwt::GuestJwt::new(&env, chance.number()),
            history: history::History::new(&env, chance.number()),
            attachments: attachments::Attachments::default(),
            idle: idle::Idle::new(&env),
            auth: auth::Auth::new(&env, login, refresh, chance.number()),
            state: SessionState::New,
            socket: Socket::None,
            conn: 0,
            calls: 0,
            hosts,
            env,
            token,
            chance,
        }
    }

    /// Where the session is, as last stated.
    pub fn state(&self) -> &SessionState {
        &self.state
    }

    fn go(&mut self, cx: &mut Cx<'_>, to: SessionState, why: impl Into<String>) {
        self.state = to.clone();
        cx.act(Action::State(Fact::State(StateChange { to, why: why.into() })));
    }

    /// Something worth a line while the state stays as it is.
    fn remark(&mut self, cx: &mut Cx<'_>, why: impl Into<String>) {
        self.go(cx, self.state.clone(), why);
    }

    /// The server knows who we are on the open socket.
    fn is_configured(&self) -> bool {
        self.socket == Socket::Open && matches!(self.state, SessionState::Ready | SessionState::ReadOnly)
    }

    fn send(&mut self, cx: &mut Cx<'_>, text: String, flags: Flags, tracing: Option<String>) {
        self.idle.traffic(cx);
        cx.act(Action::Text { conn: self.conn, text, flags, tracing });
    }

    fn next_call(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }

    fn wish(&mut self, cx: &mut Cx<'_>, wish: Wish) {
        match wish {
            Wish::Connect => self.connect(cx),
            Wish::Configure { start_new } => self.wish_configure(cx, start_new),
            Wish::StartNew => self.start_new(cx),
            Wish::Leave { code, reason } => self.leave(cx, code, reason),
            Wish::CloseSession { all_connections } => self.close_session(cx, all_connections, false),
            Wish::SignIn(login) => self.sign_in(cx, login),
            Wish::SignOut => self.sign_out(cx),
            Wish::SetReconnect(on) => self.set_reconnect(cx, on),
            Wish::Text { .. }
            | Wish::Answer { .. }
            | Wish::Pick { .. }
            | Wish::Typing { .. }
            | Wish::Join { .. }
            | Wish::Clear { .. } => self.wish_to_say(cx, wish),
            Wish::Raw { text } => self.raw(cx, text),
            Wish::Echo => self.wish_echo(cx),
            Wish::GetJwt => self.wish_jwt(cx),
            Wish::History { all } => self.wish_history(cx, all),
            Wish::GetConfiguration => self.wish_configuration(cx),
            Wish::Attach { attachment, name, mime, bytes } => self.attach(cx, attachment, name, mime, bytes),
            Wish::RefreshLink { attachment } => self.refresh_link(cx, attachment),
            Wish::DeleteAttachment { attachment } => self.delete_attachment(cx, attachment),
            Wish::Clock { id, deed } => self.clock_deed(cx, &id, deed),
            Wish::Flow(wish) => flow::not_mine(&wish, cx.out),
            Wish::Desk(_) => flow::refuse(&wish, "a guest has no desk", cx.out),
        }
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        match self.heartbeat.tick(cx.now()) {
            Beat::Ping => cx.act(Action::Ping { conn: self.conn }),
            Beat::Lost => self.no_pong(cx),
            Beat::Nothing => {}
        }
        self.tick_requests(cx);
        self.tick_session(cx);
        self.tick_outbox(cx);
        self.tick_jwt(cx);
        self.tick_history(cx);
        self.tick_attachments(cx);
        self.tick_idle(cx);
        self.tick_auth(cx);
    }
}

impl Dialect for WebMessaging {
    fn step(&mut self, at: At, input: Input<'_>, out: &mut Vec<Action>) -> Seen {
        let cx = &mut Cx { at, out };
        match input {
            Input::Wish(wish) => self.wish(cx, wish),
            Input::Opened { conn } => self.opened(cx, conn),
            Input::NotOpened { conn, status, report } => self.not_opened(cx, conn, status, &report),
            Input::Text { conn, text } => return self.frame(cx, conn, text),
            // The protocol knows text frames only.
            Input::Bytes { .. } => return Seen { flags: Flags::MALFORMED, ..Seen::default() },
            Input::Pong { conn } => {
                if conn == self.conn {
                    self.heartbeat.pong(cx.now());
                }
                return Seen { flags: Flags::HEARTBEAT, ..Seen::default() };
            }
            Input::Closed { conn, code, reason } => {
                self.closed(cx, conn, End::ByServer { code, reason: reason.to_owned() });
            }
            Input::Lost { conn, .. } => self.lost(cx, conn),
            Input::Answer { call, status, retry_after, body } => {
                if let Some(seen) = self.auth_answer(cx, call, status, retry_after, body) {
                    return seen;
                }
                return self.answer(cx, call, status, retry_after, body);
            }
            Input::CallFailed { call, report } => {
                if !self.auth_call_failed(cx, call, &report) {
                    self.call_failed(cx, call, &report);
                }
            }
            Input::Tick => self.tick(cx),
            // Neither is asked for.
            Input::Bearer(_) | Input::Signed { .. } | Input::NotSigned { .. } => {}
        }
        Seen::default()
    }

    fn wait(&self, at: At) -> Option<Duration> {
        [
            self.heartbeat.wait(at.now.mono),
            self.requests.wait(at),
            self.session.wait(at),
            self.outbox.wait(at, self.can_retry()),
            self.jwt.wait(at),
            self.history.wait(at),
            self.attachments.wait(at),
            self.idle.wait(at, self.can_check()),
            self.auth.wait(at),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// Time until an instant on the server's clock. That clock may be set or jump after a sleep, so that nobody waits for
/// longer than a minute without looking again.
fn until(at: At, instant: Wall) -> Duration {
    Duration::from_micros(instant.micros_since(at.server).max(0) as u64).min(Duration::from_secs(60))
}
