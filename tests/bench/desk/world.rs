//! The agent, its guests, and what they say.

use std::time::{Duration, Instant};

use egui::{Event, Modifiers, PointerButton, Pos2, pos2};
use sessionscope::dialect::{Deed, DeskWish, Wish};
use sessionscope::engine::{Command, SessionSpec, Ticket};
use sessionscope::model::agents::{AgentForm, Agents};
use sessionscope::model::desk::Stage as Part;
use sessionscope::model::fact::SessionState;
use sessionscope::model::{DialectId, SessionId};
use sessionscope::projection::ends::Leg;
use sessionscope::sandbox::{LimitChange, Options, Order, PlatformChange};
use sessionscope::ui::app::App;

use super::common::{FRAME, Stage, Times, megabytes};
use super::tally::{Facts, Messages, Tally};

/// The platform's limit of requests with one token.
const REQUESTS_PER_MINUTE: u32 = 300;
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The last texts may wait for a whole budget.
const COME_WITHIN: Duration = Duration::from_secs(120);

pub struct World {
    stage: Stage,
    agent: SessionId,
    /// With their conversations.
    guests: Vec<(SessionId, String)>,
    said: Messages,
}

/// What was measured.
pub struct Figures {
    pub conversations: usize,
    pub desk: Times,
    pub ends: Times,
    pub megabytes: f64,
    /// Per cent of one core.
    pub cpu: f64,
    records: u64,
    left_out: u64,
    said: Messages,
    seen: Messages,
    /// From the last word until everything was seen.
    rest: Duration,
    tally: Tally,
    facts: Facts,
}

impl Figures {
    pub fn head() -> String {
        "conversations  desk p50    p99     max   both ends p50    p99     max     memory      CPU    messages  seen"
            .to_owned()
    }

    pub fn line(&self) -> String {
        format!(
            "{:>13}  {:>5.2} ms  {:>5.2}  {:>6.2}  {:>10.2} ms  {:>5.2}  {:>6.2}  {:>6.0} MB  {:>5.1} %  {:>10}  {}",
            self.conversations,
            self.desk.p50,
            self.desk.p99,
            self.desk.max,
            self.ends.p50,
            self.ends.p99,
            self.ends.max,
            self.megabytes,
            self.cpu,
            self.said.all(),
            self.seen.all()
        )
    }

    pub fn checks(&self) -> String {
        let (t, f) = (&self.tally, &self.facts);
        let way = |leg: Leg| {
            let (median, longest) = t.leg(leg);
            format!("{median:.0} ms, longest {longest:.0} ms")
        };
        format!(
            "{}: guests' {} of {} seen, agent's {} of {} · lost {}, missed {}, late {}, otherwise odd {}, not delivered \
             {} · to the agent {} · its text {} ({} later than two seconds) · to the guest {} · look-ups {}, at most {} \
             in a minute of {} · refused with 429: {} · the last text {:.1} s after the last word · records {}, payloads \
             left out {}",
            self.conversations,
            self.seen.of_guests,
            self.said.of_guests,
            self.seen.of_agent,
            self.said.of_agent,
            t.lost,
            t.missed,
            t.late,
            t.other,
            f.not_delivered,
            way(Leg::ToAgent),
            way(Leg::Text),
            t.late_texts,
            way(Leg::ToGuest),
            f.lookups,
            f.lookups_a_minute,
            Agents::default().lookups_per_minute,
            f.too_many,
            self.rest.as_secs_f64(),
            self.records,
            self.left_out
        )
    }

    /// Nothing was missed, and the budget was kept.
    pub fn is_whole(&self) -> bool {
        self.seen == self.said
            && self.tally.lost == 0
            && self.tally.missed == 0
            && self.facts.too_many == 0
            && self.facts.lookups_a_minute <= u64::from(Agents::default().lookups_per_minute)
    }
}

impl World {
    pub fn measure(count: usize, time: Duration) -> Figures {
        let mut world = Self::open(count);
        world.stage.frames.clear();
        let first = world.talk(time / 2);
        let desk = Times::of(std::mem::take(&mut world.stage.frames));
        world.click("Both ends");
        world.stage.frames.clear();
        let second = world.talk(time / 2);
        let ends = Times::of(std::mem::take(&mut world.stage.frames));
        let guests: Vec<SessionId> = world.guests.iter().map(|(id, _)| *id).collect();
        let silent = Instant::now();
        let mut seen = Messages::default();
        while silent.elapsed() < COME_WITHIN {
            seen = Messages::seen(&world.stage.app.log().board(), &guests);
            if seen == world.said {
                break;
            }
            world.stage.run(Duration::from_millis(200), |_, _| FRAME);
        }
        let rest = silent.elapsed();
        let tally = Tally::of(&world.stage.app.log().board(), &guests);
        let facts = Facts::of(&world.stage.file());
        let status = world.stage.writer.status();
        let figures = Figures {
            conversations: count,
            desk,
            ends,
            megabytes: megabytes(),
            cpu: (first + second) / 2.0,
            records: status.records,
            left_out: status.left_out,
            said: world.said,
            seen,
            rest,
            tally,
            facts,
        };
        world.stage.close();
        figures
    }

    /// Everybody is there, and the agent has answered all of them.
    fn open(count: usize) -> Self {
        let mut stage = Stage::start(Options::default());
        let limits = LimitChange {
            // What the agent says comes on top of what it may ask for.
            requests_per_token_minute: Some(REQUESTS_PER_MINUTE + 60 * count as u32),
            // A message a second is the limit of a guest's connection, which has more to ask for.
            requests_per_minute: Some(120),
            ..LimitChange::default()
        };
        stage.order(Order::SetLimits(limits));
        stage.order(Order::SetPlatform(PlatformChange { capacity: Some(count as u32), ..PlatformChange::default() }));
        let environment = stage.environment.clone();
        let agent = AgentForm {
            user: "agent1@sandbox.invalid".into(),
            on_queue: true,
            auto_answer: true,
            ..AgentForm::default()
        };
        let spec = SessionSpec {
            name: "Agent".into(),
            dialect: DialectId::Agent,
            environment: environment.clone(),
            agent,
            ..SessionSpec::default()
        };
        stage.send(&Command::OpenSession { ticket: Ticket(1_000_000), spec: Box::new(spec), connect: true });
        let agent = stage.until(READY_WITHIN, |app| {
            let board = app.log().board();
            let ready = board.sessions.iter().find(|s| {
                let desk = s.desk.as_ref();
                s.state == Some(SessionState::Ready) && desk.is_some_and(|d| d.presence == "OnQueue")
            });
            ready.map(|s| s.id).ok_or_else(|| "the agent is not on queue".to_owned())
        });
        for n in 0..count {
            let spec = SessionSpec {
                name: format!("Guest {}", n + 1),
                environment: environment.clone(),
                ..SessionSpec::default()
            };
            let ticket = Ticket(1_000_001 + n as u64);
            stage.send(&Command::OpenSession { ticket, spec: Box::new(spec), connect: true });
        }
        let guests = stage.until(READY_WITHIN, |app| ready(app, agent, count));
        let mut said = Messages::default();
        for guest in guests {
            say_as_guest(&mut stage, &mut said, guest);
        }
        let guests = stage.until(READY_WITHIN, |app| met(app, agent, count));
        stage.app.adopt_in(agent, environment);
        Self { stage, agent, guests, said }
    }

    /// Both ends of each conversation say something every second; the per cent of a core that it takes.
    fn talk(&mut self, time: Duration) -> f64 {
        let Self { stage, agent, guests, said } = self;
        let every = Duration::from_secs(1) / (2 * guests.len() as u32);
        let (mut next, mut turn) = (Duration::ZERO, 0);
        stage.run_measured(time, |stage, elapsed| {
            while elapsed >= next {
                let (guest, conversation) = &guests[turn / 2 % guests.len()];
                match turn % 2 {
                    0 => say_as_guest(stage, said, *guest),
                    _ => say_as_agent(stage, said, *agent, conversation),
                }
                next += every;
                turn += 1;
            }
            next - elapsed
        })
    }

    /// Presses the button of this name.
    fn click(&mut self, name: &str) {
        self.stage.ctx.enable_accesskit();
        let tree = self.stage.paint().accesskit_update.expect("a tree");
        self.stage.ctx.disable_accesskit();
        let button = tree.nodes.iter().find_map(|(_, node)| {
            let is_button = format!("{:?}", node.role()) == "Button" && node.label() == Some(name);
            node.bounds().filter(|_| is_button)
        });
        let at = button.expect("the button is there");
        let at: Pos2 = pos2((at.x0 + at.x1) as f32 / 2.0, (at.y0 + at.y1) as f32 / 2.0);
        let press = |pressed| Event::PointerButton {
            pos: at,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        for event in [Event::PointerMoved(at), press(true), press(false), Event::PointerGone] {
            self.stage.input.push(event);
            self.stage.paint();
        }
    }
}

fn say_as_guest(stage: &mut Stage, said: &mut Messages, session: SessionId) {
    said.of_guests += 1;
    let text = format!("This is message {} of the guests, and it asks for an answer.", said.of_guests);
    let wish = Wish::Text { tracing: tracing(), text, attributes: Vec::new(), attachments: Vec::new() };
    stage.send(&Command::Wish { session, wish });
}

fn say_as_agent(stage: &mut Stage, said: &mut Messages, session: SessionId, conversation: &str) {
    said.of_agent += 1;
    let text = format!("This is answer {} of the agent, which says what a guest wants to hear.", said.of_agent);
    let deed = Deed::Say { tracing: tracing(), text, files: Vec::new() };
    let wish = Wish::Desk(DeskWish::In { conversation: conversation.to_owned(), deed });
    stage.send(&Command::Wish { session, wish });
}

fn tracing() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn ready(app: &App, agent: SessionId, count: usize) -> Result<Vec<SessionId>, String> {
    let board = app.log().board();
    let guests = board.sessions.iter().filter(|s| s.id != agent && s.state == Some(SessionState::Ready));
    let ready: Vec<SessionId> = guests.map(|s| s.id).collect();
    if ready.len() == count { Ok(ready) } else { Err(format!("only {} of {count} guests are ready", ready.len())) }
}

/// The guests with their conversations, once the agent is in all of them.
fn met(app: &App, agent: SessionId, count: usize) -> Result<Vec<(SessionId, String)>, String> {
    let board = app.log().board();
    let desk = board.session(agent).and_then(|s| s.desk.clone()).unwrap_or_default();
    let connected = |id: &str| desk.talk(id).is_some_and(|t| desk.stage(t) == Part::Connected);
    let pairs = board.ends.pairs.iter().filter(|p| connected(&p.conversation));
    let met: Vec<_> = pairs.map(|p| (p.guest, p.conversation.clone())).collect();
    let (are, faults) = (met.len(), board.session(agent).map(|s| s.faults.clone()));
    if are == count { Ok(met) } else { Err(format!("only {are} of {count} were answered: {faults:?}")) }
}
