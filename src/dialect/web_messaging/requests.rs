//! Requests over the socket that are no messages: each awaits one answer, for a bounded time.

use std::time::Duration;

use super::wire::ECHO_TRACING;
use super::wire::outbound::{Request, Say};
use super::{Cx, Socket, WebMessaging};
use crate::dialect::At;
use crate::model::environment::secs;
use crate::model::{Flags, Mono, Report};

/// What was asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ask {
    /// `auth`: number of the JWT that it bears; `step_up`: on a session that is a guest's so far.
    Configure {
        start_new: bool,
        auth: Option<u64>,
        step_up: bool,
    },
    CloseSession {
        restart: bool,
    },
    Jwt,
    Configuration,
    Echo,
    Upload(String),
    Link(String),
    Delete(String),
}

impl Ask {
    pub fn action(&self) -> &'static str {
        match self {
            Self::Configure { auth: None, .. } => "configureSession",
            Self::Configure { .. } => "configureAuthenticatedSession",
            Self::CloseSession { .. } => "closeSession",
            Self::Jwt => "getJwt",
            Self::Configuration => "getConfiguration",
            Self::Echo => "echo",
            Self::Upload(_) => "onAttachment",
            Self::Link(_) => "getAttachment",
            Self::Delete(_) => "deleteAttachment",
        }
    }
}

#[derive(Debug)]
struct Open {
    tracing: String,
    ask: Ask,
    until: Mono,
}

/// Requests that await an answer, oldest first.
#[derive(Debug, Default)]
pub(super) struct Requests {
    open: Vec<Open>,
}

impl Requests {
    /// Takes the request that an answer belongs to: by its tracing id, or where the answer has none, the oldest one
    /// that `fits`.
    pub fn take(&mut self, tracing: Option<&str>, fits: impl Fn(&Ask) -> bool) -> Option<Ask> {
        let found = match tracing {
            Some(id) => self.open.iter().position(|o| o.tracing == id && fits(&o.ask)),
            None => self.open.iter().position(|o| fits(&o.ask)),
        };
        found.map(|i| self.open.remove(i).ask)
    }

    pub fn has(&self, fits: impl Fn(&Ask) -> bool) -> bool {
        self.open.iter().any(|o| fits(&o.ask))
    }

    /// Takes all: the socket is gone.
    pub fn take_all(&mut self) -> Vec<Ask> {
        self.open.drain(..).map(|o| o.ask).collect()
    }

    fn take_late(&mut self, now: Mono) -> Option<Ask> {
        let late = self.open.iter().position(|o| o.until <= now)?;
        Some(self.open.remove(late).ask)
    }

    pub fn wait(&self, at: At) -> Option<Duration> {
        self.open.iter().map(|o| o.until.since(at.now.mono)).min()
    }
}

impl WebMessaging {
    /// Sends a request. `beyond` holds the members that the action has beyond the common ones.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>, ask: Ask, beyond: Request<'_>) {
        let echo = ask == Ask::Echo;
        let tracing = if echo { ECHO_TRACING.to_owned() } else { self.chance.uuid() };
        let request = Request {
            action: ask.action(),
            token: self.token.expose(),
            deployment_id: match ask {
                Ask::Configure { .. } | Ask::Configuration => Some(&self.env.deployment_id),
                _ => None,
            },
            tracing_id: &tracing,
            ..beyond
        };
        let text = request.json();
        self.requests.open.push(Open {
            tracing: tracing.clone(),
            ask,
            until: cx.now() + secs(self.env.timings.echo_secs),
        });
        self.send(cx, text, if echo { Flags::HEARTBEAT } else { Flags::STORY }, Some(tracing));
    }

    /// Tells that something cannot be done without an open socket; true where there is one.
    pub(super) fn needs_socket(&mut self, cx: &mut Cx<'_>, what: &str) -> bool {
        let open = self.socket == Socket::Open;
        if !open {
            cx.fault(
                Report::new(
                    "not-connected",
                    format!("{what} was not sent"),
                    format!("There is no open socket: the session is {}.", self.state.word()),
                )
                .remedy("Connect first."),
            );
        }
        open
    }

    /// As [`Self::needs_socket`], for what the server answers only on a configured session.
    pub(super) fn needs_session(&mut self, cx: &mut Cx<'_>, what: &str) -> bool {
        if self.is_configured() || !self.needs_socket(cx, what) {
            return self.is_configured();
        }
        cx.fault(
            Report::new(
                "not-configured",
                format!("{what} was not sent"),
                format!("The session is {}, so the server does not know who asks.", self.state.word()),
            )
            .remedy("Configure the session first, or send it as a raw frame to see what the server says."),
        );
        false
    }

    pub(super) fn wish_configuration(&mut self, cx: &mut Cx<'_>) {
        if self.needs_socket(cx, "getConfiguration") {
            self.ask(cx, Ask::Configuration, Request::default());
        }
    }

    pub(super) fn ask_echo(&mut self, cx: &mut Cx<'_>) {
        let message = Some(Say { kind: Some("Text"), text: Some("ping"), ..Say::default() });
        self.ask(cx, Ask::Echo, Request { message, ..Request::default() });
    }

    pub(super) fn tick_requests(&mut self, cx: &mut Cx<'_>) {
        while let Some(ask) = self.requests.take_late(cx.now()) {
            let why = format!("no answer to {} for {} s", ask.action(), self.env.timings.echo_secs);
            cx.fault(Report::new(
                "unanswered",
                format!("The server did not answer {}", ask.action()),
                format!("{} was sent {} s ago.", ask.action(), self.env.timings.echo_secs),
            ));
            self.ask_failed(cx, ask, &why, None);
        }
    }

    /// A request came to nothing: unanswered, refused, or its socket is gone. `after` is the server's word on when to
    /// ask again. The fault itself was told.
    pub(super) fn ask_failed(&mut self, cx: &mut Cx<'_>, ask: Ask, why: &str, after: Option<Duration>) {
        match ask {
            Ask::Jwt => self.jwt_failed(cx, why, after),
            Ask::Upload(id) => self.upload_failed(cx, &id, why),
            Ask::CloseSession { restart: true } => self.restart_failed(cx, why),
            // A late answer is still welcome, so the state stays; but nothing hangs on it any longer.
            Ask::Configure { .. } => self.doubts_end(cx, why),
            Ask::Echo => self.idle.missed(),
            Ask::CloseSession { .. } | Ask::Configuration | Ask::Link(_) | Ask::Delete(_) => {}
        }
    }
}
