//! One click: an agent and a guest in the sandbox, side by side, in one conversation.

use std::time::Duration;

use super::{App, Column};
use crate::engine::{SandboxState, SessionSpec, Ticket};
use crate::model::agents::AgentForm;
use crate::model::fact::SessionState;
use crate::model::{DialectId, Environment, Mono, Report, SessionId};
use crate::projection::Board;
use crate::ui::settings::SANDBOX;

/// While it waits, it looks again so often.
const AGAIN: Duration = Duration::from_millis(100);
/// A step that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// In a window narrower than this, two columns need the inspector's room.
const ROOMY: f32 = 1500.0;

/// How far it is.
#[derive(Debug)]
pub(super) struct Both {
    step: Step,
    since: Mono,
}

#[derive(Debug)]
enum Step {
    Sandbox,
    /// An agent was asked for.
    Agent(Ticket),
    /// It signs in and goes on queue.
    Queue(SessionId),
    /// A guest was asked for.
    Guest(SessionId, Ticket),
    /// The two have not met yet.
    Meet(SessionId, SessionId),
}

impl Step {
    fn waits_for(&self) -> &'static str {
        match self {
            Self::Sandbox => "the sandbox did not start",
            Self::Agent(_) => "the agent's session was not made",
            Self::Queue(_) => "the agent did not get on queue",
            Self::Guest(..) => "the guest's session was not made",
            Self::Meet(..) => "the guest's conversation did not reach the agent",
        }
    }
}

impl App {
    pub(super) fn begin_both_ends(&mut self, ctx: &egui::Context) {
        self.settings.chosen = SANDBOX.to_owned();
        self.back_to_live();
        if self.book.sandbox_environment().is_none() && !matches!(self.book.sandbox, SandboxState::Starting) {
            self.switch_sandbox(true);
        }
        if ctx.content_rect().width() < ROOMY {
            self.settings.panes.show_inspector = false;
        }
        self.both = Some(Both { step: Step::Sandbox, since: self.clock.now().mono });
    }

    pub(super) fn go_on_with_both_ends(&mut self, ctx: &egui::Context) {
        let Some(both) = self.both.take() else { return };
        let now = self.clock.now().mono;
        let board = self.live_log.board();
        let Both { step, since } = both;
        let waits_for = step.waits_for();
        let Some(next) = self.both_step(step, &board) else { return };
        let moved = next.1;
        if !moved && now.since(since) > PATIENCE {
            let report = Report::new("both-ends", "Both ends could not be opened", format!("In 30 s {waits_for}."))
                .remedy("Look at the sessions at the left: their records say what happened.");
            return self.toasts.report(report);
        }
        self.both = Some(Both { step: next.0, since: if moved { now } else { since } });
        ctx.request_repaint_after(AGAIN);
    }

    /// The step after this one, and whether it is another; none where all is done.
    fn both_step(&mut self, step: Step, board: &Board) -> Option<(Step, bool)> {
        match step {
            Step::Sandbox => match self.book.sandbox_environment().cloned() {
                Some(environment) => {
                    let user = self.book.sandbox_agents().first().map(|a| a.email.clone()).unwrap_or_default();
                    let ticket = self.open_agent(environment, user)?;
                    Some((Step::Agent(ticket), true))
                }
                None => match &self.book.sandbox {
                    // Its report was shown.
                    SandboxState::Failed(_) => None,
                    _ => Some((Step::Sandbox, false)),
                },
            },
            // The answer to the ticket moves these two on.
            step @ (Step::Agent(_) | Step::Guest(..)) => Some((step, false)),
            Step::Queue(agent) => {
                let view = board.session(agent);
                let on = view
                    .and_then(|v| v.desk.as_ref())
                    .is_some_and(|d| d.presence == "OnQueue" && matches!(d.routing.as_str(), "IDLE" | "INTERACTING"));
                if !on {
                    return Some((Step::Queue(agent), false));
                }
                let environment = self.book.sandbox_environment().cloned()?;
                let spec = SessionSpec { name: self.next_name(), environment, ..SessionSpec::default() };
                let ticket = self.open_spec(spec, true)?;
                Some((Step::Guest(agent, ticket), true))
            }
            Step::Meet(agent, guest) => {
                let met = board.session(agent).and_then(|v| v.desk.as_ref()).is_some_and(|d| !d.talks.is_empty());
                let ready = board.session(guest).is_some_and(|v| v.state == Some(SessionState::Ready));
                if !(met && ready) {
                    return Some((Step::Meet(agent, guest), false));
                }
                self.side_by_side(guest, agent);
                self.want_composer = true;
                None
            }
        }
    }

    fn open_agent(&mut self, environment: Environment, user: String) -> Option<Ticket> {
        let agent = AgentForm { user, on_queue: true, auto_answer: true, ..AgentForm::default() };
        let spec = SessionSpec {
            name: "Agent 1".to_owned(),
            dialect: DialectId::Agent,
            environment,
            agent,
            ..SessionSpec::default()
        };
        self.open_spec(spec, true)
    }

    fn side_by_side(&mut self, guest: SessionId, agent: SessionId) {
        self.settings.panes.split = true;
        self.columns = [guest, agent].map(|id| Column { session: Some(id), ..Column::default() }).into();
        self.focus = 0;
    }

    /// A session was made: it may be the one that is waited for.
    pub(super) fn both_session(&mut self, ticket: Ticket, result: &Result<SessionId, Report>) {
        let Some(both) = &mut self.both else { return };
        let step = match (&both.step, result) {
            (Step::Agent(t), Ok(id)) if *t == ticket => Step::Queue(*id),
            (Step::Guest(agent, t), Ok(id)) if *t == ticket => Step::Meet(*agent, *id),
            (Step::Agent(t) | Step::Guest(_, t), Err(_)) if *t == ticket => {
                // Its report is shown.
                self.both = None;
                return;
            }
            _ => return,
        };
        *both = Both { step, since: self.clock.now().mono };
    }
}
