//! Guided tours: a complaint is reproduced in the sandbox, explained from the evidence, mended, and shown to hold.
//!
//! A tour does nothing by itself: each step looks at what is, and says what shall be done. The application does it.

use std::time::Duration;

use egui::{Label, RichText, Ui};

use super::app::{Act, Acts};
use super::theme::{font, space, tokens};
use super::widgets::{Icon, Tone, Weight, badge, button, icon_button};
use crate::dialect::Wish;
use crate::engine::SandboxState;
use crate::model::fact::{Delivery, SessionState};
use crate::model::flows::{RenewBy, SendForm};
use crate::model::{DialectId, Environment, Mono, Now, Report, SessionId};
use crate::projection::{Board, EntryState, SessionView, What};
use crate::sandbox::{FlowChange, LifetimeChange, Order};

/// In a window that is not even so high, what can be done stands beside the steps.
const LOW: f32 = 700.0;

/// Which complaint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// A message is refused with 401 though its token is fresh.
    Refused401,
    /// The socket closes with 1000 right after a message.
    Closed1000,
}

impl Story {
    pub const ALL: [Self; 2] = [Self::Refused401, Self::Closed1000];

    pub fn title(self) -> &'static str {
        match self {
            Self::Refused401 => "Why was my message refused with 401?",
            Self::Closed1000 => "Why did my socket close with 1000?",
        }
    }

    fn complaint(self) -> &'static str {
        match self {
            Self::Refused401 => {
                "A custom chat page sends a message less than half a minute after the conversation was created. The \
                 session token says that it lives for 15 minutes, and yet the answer is 401, “Session token is \
                 invalid or expired”."
            }
            Self::Closed1000 => {
                "A message is accepted by REST, and a moment later the socket closes with 1000, without an error \
                 frame. Nobody knows whether the message arrived."
            }
        }
    }

    fn fix(self) -> &'static str {
        match self {
            Self::Refused401 => {
                "After a 401 the token is renewed once and the message sent once more. The refused token is never \
                 sent again."
            }
            Self::Closed1000 => {
                "The handshake's token is renewed before it can die between a message and its commit, instead of \
                 being left to end."
            }
        }
    }

    fn dialect(self) -> DialectId {
        match self {
            Self::Refused401 => DialectId::SessionToken,
            Self::Closed1000 => DialectId::ExternalContact,
        }
    }

    /// What the sandbox is told, so that it behaves as the complaint says.
    fn orders(self) -> Vec<Order> {
        match self {
            Self::Refused401 => vec![Order::RefuseSessionTokensAfter { seconds: 2 }],
            Self::Closed1000 => vec![
                Order::SetLifetimes(LifetimeChange { oauth_secs: Some(8), ..LifetimeChange::default() }),
                Order::SetFlows(FlowChange { commit_millis: Some(2500), ..FlowChange::default() }),
            ],
        }
    }

    /// The sandbox as it was.
    fn undo(self) -> Vec<Order> {
        match self {
            Self::Refused401 => vec![Order::RefuseSessionTokensAfter { seconds: 0 }],
            Self::Closed1000 => vec![
                Order::SetLifetimes(LifetimeChange { oauth_secs: Some(900), ..LifetimeChange::default() }),
                Order::SetFlows(FlowChange { commit_millis: Some(100), ..FlowChange::default() }),
            ],
        }
    }

    fn environment(self, mut environment: Environment, fixed: bool) -> Environment {
        let flows = &mut environment.flows;
        match self {
            Self::Refused401 => {
                flows.session_token.send_form = SendForm::TokenInBody;
                flows.session_token.refresh_after_401 = fixed;
            }
            Self::Closed1000 => {
                let flow = &mut flows.external_contact;
                flow.renew_by = if fixed { RenewBy::Messages } else { RenewBy::Nobody };
                flow.reconnect = fixed;
                flow.expires_in_secs = 8;
                flow.commit_millis = 4000;
            }
        }
        environment
    }
}

/// Messages that must be delivered before the fix counts as holding.
const ROUNDS: u32 = 2;
/// A step that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(40);

#[derive(Clone, Debug, PartialEq)]
enum Stage {
    Told,
    /// The sandbox is started.
    Sandbox {
        fixed: bool,
    },
    /// The session is made, and must become ready.
    Opening {
        fixed: bool,
        session: Option<SessionId>,
    },
    /// Until the moment at which the complaint shows.
    Waiting {
        fixed: bool,
        session: SessionId,
        since: Mono,
        round: u32,
    },
    Sent {
        fixed: bool,
        session: SessionId,
        tracing: String,
        round: u32,
    },
    /// The complaint is there, and its cause.
    Explained {
        says: String,
    },
    Holds,
    Failed {
        why: String,
    },
}

#[derive(Debug)]
pub struct Tour {
    pub story: Story,
    stage: Stage,
    /// When the stage began.
    since: Mono,
    /// The sandbox behaves as the complaint says.
    ordered: bool,
}

/// What a tour wants done.
#[derive(Debug)]
pub enum Deed {
    StartSandbox,
    Order(Order),
    Open {
        dialect: DialectId,
        name: String,
        environment: Box<Environment>,
    },
    Wish(SessionId, Wish),
    /// Bring this record into view, with its explanation.
    Explain(SessionId, u64),
}

impl Tour {
    pub fn new(story: Story) -> Self {
        Self { story, stage: Stage::Told, since: Mono::default(), ordered: false }
    }

    /// Something is under way that has to be looked at again soon.
    pub fn is_running(&self) -> bool {
        !matches!(self.stage, Stage::Told | Stage::Explained { .. } | Stage::Holds | Stage::Failed { .. })
    }

    pub fn reproduce(&mut self, now: Now) {
        self.enter(Stage::Sandbox { fixed: false }, now);
    }

    pub fn apply_fix(&mut self, now: Now) {
        self.enter(Stage::Sandbox { fixed: true }, now);
    }

    /// What puts the sandbox back.
    pub fn undo(&mut self) -> Vec<Deed> {
        let orders = if std::mem::take(&mut self.ordered) { self.story.undo() } else { Vec::new() };
        orders.into_iter().map(Deed::Order).collect()
    }

    /// The session that it asked for was made, or was not.
    pub fn made(&mut self, result: &Result<SessionId, Report>, now: Now) {
        if let Stage::Opening { fixed, session: None } = self.stage {
            match result {
                Ok(id) => self.enter(Stage::Opening { fixed, session: Some(*id) }, now),
                Err(report) => self.fail(&report.to_string(), now),
            }
        }
    }

    /// It waits for a session of its own.
    pub fn wants_session(&self) -> bool {
        matches!(self.stage, Stage::Opening { session: None, .. })
    }

    /// Looks at what is, and goes on.
    pub fn advance(&mut self, board: &Board, sandbox: &SandboxState, now: Now) -> Vec<Deed> {
        let mut deeds = Vec::new();
        if self.is_running() && now.mono.since(self.since) > PATIENCE {
            self.fail("it took too long", now);
        }
        match self.stage.clone() {
            Stage::Sandbox { fixed } => match sandbox {
                SandboxState::Running { environment, .. } => {
                    if !std::mem::replace(&mut self.ordered, true) {
                        deeds.extend(self.story.orders().into_iter().map(Deed::Order));
                    }
                    let environment = Box::new(self.story.environment((**environment).clone(), fixed));
                    let name = if fixed { "Tour, mended" } else { "Tour, as complained of" }.to_owned();
                    deeds.push(Deed::Open { dialect: self.story.dialect(), name, environment });
                    self.enter(Stage::Opening { fixed, session: None }, now);
                }
                SandboxState::Starting => {}
                SandboxState::Stopped => deeds.push(Deed::StartSandbox),
                SandboxState::Failed(report) => self.fail(&report.to_string(), now),
            },
            Stage::Opening { fixed, session: Some(session) } => {
                match board.session(session).and_then(|v| v.state.as_ref()) {
                    Some(SessionState::Ready) => {
                        self.enter(Stage::Waiting { fixed, session, since: now.mono, round: 1 }, now);
                    }
                    Some(SessionState::Ended(end)) => self.fail(&end.sentence(), now),
                    _ => {}
                }
            }
            Stage::Waiting { fixed, session, since, round } => {
                let Some(view) = board.session(session) else { return deeds };
                if self.is_due(view, now, since, fixed) {
                    let tracing = uuid::Uuid::new_v4().to_string();
                    let text = match (fixed, round) {
                        (false, _) => "Hello, I need help with my order.".to_owned(),
                        (true, n) => format!("Hello, I need help with my order. ({n} of {ROUNDS})"),
                    };
                    let (attributes, attachments) = (Vec::new(), Vec::new());
                    let wish = Wish::Text { tracing: tracing.clone(), text, attributes, attachments };
                    deeds.push(Deed::Wish(session, wish));
                    self.enter(Stage::Sent { fixed, session, tracing, round }, now);
                }
            }
            Stage::Sent { fixed: false, session, tracing, .. } => {
                let Some(view) = board.session(session) else { return deeds };
                if let Some(Delivery::Delivered) = fate(view, &tracing) {
                    self.fail("the message was delivered: the complaint did not show", now);
                } else if let Some((seq, says)) = explained(view) {
                    deeds.push(Deed::Explain(session, seq));
                    self.enter(Stage::Explained { says }, now);
                }
            }
            Stage::Sent { fixed: true, session, tracing, round } => {
                let Some(view) = board.session(session) else { return deeds };
                match fate(view, &tracing) {
                    Some(Delivery::Delivered) if round < ROUNDS => {
                        self.enter(Stage::Waiting { fixed: true, session, since: now.mono, round: round + 1 }, now);
                    }
                    Some(Delivery::Delivered) => self.enter(Stage::Holds, now),
                    None | Some(Delivery::Sent | Delivery::Retrying { .. }) => {}
                    Some(other) => self.fail(&format!("the message came to something else: {other:?}"), now),
                }
            }
            _ => {}
        }
        deeds
    }

    /// The moment at which the complaint shows, where nothing is done about it.
    fn is_due(&self, view: &SessionView, now: Now, since: Mono, fixed: bool) -> bool {
        let waited = now.mono.since(since);
        match self.story {
            Story::Refused401 => waited >= Duration::from_secs(3),
            // Alive when the message is posted, dead when it is committed.
            Story::Closed1000 if !fixed => {
                let until = view.clocks.iter().find(|c| c.fact.id == "handshake-token").and_then(|c| c.fact.until);
                until.is_some_and(|until| until.micros_since(view.server_now(now)) < 1_800_000)
            }
            Story::Closed1000 => waited >= Duration::from_secs(6),
        }
    }

    fn enter(&mut self, stage: Stage, now: Now) {
        self.stage = stage;
        self.since = now.mono;
    }

    fn fail(&mut self, why: &str, now: Now) {
        self.enter(Stage::Failed { why: why.to_owned() }, now);
    }

    /// Title, what happens now, and the one thing to do. True where it shall close.
    pub fn paint(&mut self, ui: &mut Ui, now: Now, acts: &mut Acts) -> bool {
        let t = tokens(ui);
        let mut close = false;
        ui.spacing_mut().item_spacing.y = space::TIGHT;
        ui.horizontal(|ui| {
            badge(ui, Some(Icon::Question), "Guided tour", Tone::Accent);
            ui.label(RichText::new(self.story.title()).font(font::strong()).color(t.text.strong));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                close |= icon_button(ui, Icon::Cross, "Close tour").clicked();
            });
        });
        let (step, text) = self.words();
        let low = ui.ctx().content_rect().height() < LOW;
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = space::WIDE;
            for (n, name) in ["Complaint", "Reproduced", "Explained", "Mended", "Holds"].into_iter().enumerate() {
                let color = if n == step { t.text.strong } else { t.text.weak };
                let font = if n == step { font::strong() } else { font::body() };
                let mark = if n < step { " ✓" } else { "" };
                ui.label(RichText::new(format!("{} {name}{mark}", n + 1)).font(font).color(color));
            }
            if low {
                close |= self.deeds(ui, now, acts);
            }
        });
        ui.add(Label::new(text).wrap());
        if !low {
            close |= ui.horizontal_wrapped(|ui| self.deeds(ui, now, acts)).inner;
        }
        close
    }

    /// What can be done at this stage. True where the tour shall close.
    fn deeds(&mut self, ui: &mut Ui, now: Now, acts: &mut Acts) -> bool {
        let mut close = false;
        match &self.stage {
            Stage::Told => {
                if button(ui, Some(Icon::Play), "Reproduce it in the sandbox", Weight::Primary).clicked() {
                    self.reproduce(now);
                }
            }
            Stage::Explained { .. } => {
                if button(ui, Some(Icon::Check), "Apply the fix", Weight::Primary).clicked() {
                    self.apply_fix(now);
                }
            }
            Stage::Holds | Stage::Failed { .. } => {
                if button(ui, None, "Once more", Weight::Normal).clicked() {
                    self.enter(Stage::Told, now);
                }
                if button(ui, None, "What is this flow?", Weight::Quiet).clicked() {
                    let page = super::dialogs::Dialog::help(self.story.dialect().key());
                    acts.push(Act::Open(Box::new(page)));
                }
                close |= button(ui, None, "Close the tour", Weight::Normal).clicked();
            }
            _ => {
                ui.spinner();
                ui.label(RichText::new(self.doing()).color(tokens(ui).text.weak));
            }
        }
        close
    }

    fn words(&self) -> (usize, String) {
        match &self.stage {
            Stage::Told => (0, self.story.complaint().to_owned()),
            Stage::Sandbox { fixed: false } | Stage::Opening { fixed: false, .. } => {
                (1, "The sandbox is told to behave as the complaint says, and a session is opened.".to_owned())
            }
            Stage::Waiting { fixed: false, .. } => {
                (1, "The session is there. The message is sent at the moment at which the complaint shows.".to_owned())
            }
            Stage::Sent { fixed: false, .. } => (1, "The message is on its way.".to_owned()),
            Stage::Explained { says } => (2, format!("{says} {}", self.story.fix())),
            Stage::Holds => (
                4,
                format!(
                    "{ROUNDS} messages were sent at the same moment as before, and all were delivered. Compare \
                         the two sessions in the list, and the renewals among the records."
                ),
            ),
            Stage::Failed { why } => (1, format!("The tour did not go on: {why}.")),
            _ => (3, "The same again in a session with the fix.".to_owned()),
        }
    }

    fn doing(&self) -> String {
        match &self.stage {
            Stage::Sandbox { .. } => "Starting the sandbox…".to_owned(),
            Stage::Opening { .. } => "Opening the session…".to_owned(),
            Stage::Waiting { round, fixed: true, .. } => format!("Waiting for the moment, {round} of {ROUNDS}…"),
            Stage::Waiting { .. } => "Waiting for the moment…".to_owned(),
            _ => "Waiting for what becomes of the message…".to_owned(),
        }
    }
}

/// What became of the message of this tracing id.
fn fate(view: &SessionView, tracing: &str) -> Option<Delivery> {
    let shown = view.conversation.entries.iter().rev().find_map(|e| match (&e.what, &e.state) {
        (What::Message(m), EntryState::Own(delivery, _)) if m.tracing.as_deref() == Some(tracing) => {
            Some(delivery.clone())
        }
        _ => None,
    });
    let never_left = || view.not_sent.iter().find(|(t, _)| t == tracing).map(|(_, why)| why.clone());
    shown.or_else(|| never_left().map(|why| Delivery::NotSent { why }))
}

/// The newest failure whose cause is known: its record, and what is said of it.
fn explained(view: &SessionView) -> Option<(u64, String)> {
    let finding = view.findings.list.iter().rev().find(|f| !f.verdicts.is_empty() && !f.is_harmless())?;
    let verdict = finding.verdicts.first()?;
    Some((finding.seq, verdict.says.clone()))
}
