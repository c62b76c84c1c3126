//! A whole window for tests: a backend that only listens, a capture that is written by hand, a clock that is held.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use egui_kittest::Harness;
use sessionscope::capture::{Reader, Writer};
use sessionscope::engine::{Command, Event, SandboxState};
use sessionscope::model::fact::{ClockDeed, Delivery, DeliveryChange, Expiry, ExpiryEvent, SessionState, StateChange};
use sessionscope::model::record::SessionStart;
use sessionscope::model::{
    Direction, Draft, Environment, Fact, Kind, ManualClock, Mono, Now, Report, Secret, SessionId, Wall,
};
use sessionscope::projection::{Board, Projector};
use sessionscope::sandbox::{Faults, GuestStatus, Ready, Status};
use sessionscope::ui::app::{App, Parts};
use sessionscope::ui::picker::{Answer, FilePicker, Question};
use sessionscope::ui::seams::{Audit, Backend, LiveLog, Log, LogStatus, Mask, SavedLog};
use sessionscope::ui::settings::{Settings, Store};
use sessionscope::vault::VaultStatus;

/// Keeps every command and says what it is told to say.
#[derive(Clone, Default)]
pub struct Listener(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    commands: Vec<Command>,
    events: VecDeque<Event>,
    refuse: bool,
}

impl Listener {
    /// Takes what came so far.
    pub fn take(&self) -> Vec<Command> {
        std::mem::take(&mut self.0.lock().unwrap().commands)
    }

    pub fn tell(&self, event: Event) {
        self.0.lock().unwrap().events.push_back(event);
    }

    /// From now on every command is refused, or taken again.
    pub fn refuse(&self, on: bool) {
        self.0.lock().unwrap().refuse = on;
    }
}

impl Backend for Listener {
    fn send(&self, command: Command) -> Result<(), Report> {
        let mut inner = self.0.lock().unwrap();
        if inner.refuse {
            return Err(Report::new("queue-full", "The engine is busy", "Its queue of commands is full."));
        }
        inner.commands.push(command);
        Ok(())
    }

    fn poll(&self) -> Option<Event> {
        self.0.lock().unwrap().events.pop_front()
    }
}

/// Replaces one known token.
struct OneToken;

pub const TOKEN: &str = "7f0c3a52-3a55-4f2e-9b6d-2a8f2b7c1d10";

impl Mask for OneToken {
    fn text(&self, text: &str) -> String {
        text.replace(TOKEN, "[session-token#1]")
    }

    fn reveal(&self, text: &str) -> Secret<String> {
        Secret::new(text.replace("[session-token#1]", TOKEN))
    }
}

/// Answers every question in the same way.
pub struct FixedPicker(pub Answer, pub Option<Question>);

impl FilePicker for FixedPicker {
    fn ask(&mut self, question: Question, _wake: Arc<dyn Fn() + Send + Sync>) {
        self.1 = Some(question);
    }

    fn poll(&mut self) -> Option<Answer> {
        self.1.take().map(|_| self.0.clone())
    }
}

/// A window, and all that stands behind it.
pub struct Desk {
    pub listener: Listener,
    pub writer: Writer,
    pub clock: Arc<ManualClock>,
    pub settings: Settings,
    pub picker: Answer,
    pub store: Option<PathBuf>,
    /// What the running capture says of itself, instead of the truth.
    pub figures: Arc<Mutex<Option<LogStatus>>>,
    pub audit: Option<Arc<dyn Audit>>,
}

/// The running capture, whose figures can be made up.
struct Claims(LiveLog, Arc<Mutex<Option<LogStatus>>>);

impl Log for Claims {
    fn board(&self) -> Arc<Board> {
        self.0.board()
    }

    fn behind(&self) -> Option<(u64, u64)> {
        self.0.behind()
    }

    fn status(&self) -> LogStatus {
        self.1.lock().unwrap().clone().unwrap_or_else(|| self.0.status())
    }

    fn reader(&self) -> Option<&Reader> {
        self.0.reader()
    }

    fn file(&self) -> Option<&Path> {
        self.0.file()
    }

    fn is_live(&self) -> bool {
        true
    }
}

pub const START: Wall = Wall(1_767_705_975_174_000);

impl Default for Desk {
    fn default() -> Self {
        let settings = Settings { utc: true, reduced_motion: true, ..Settings::default() };
        Self {
            listener: Listener::default(),
            writer: Writer::private().unwrap(),
            clock: ManualClock::starting_at(START),
            settings,
            picker: Answer::Nobody("No portal in this test.".into()),
            store: None,
            figures: Arc::default(),
            audit: None,
        }
    }
}

impl Desk {
    fn app_with(&self, settings: Settings) -> App {
        let store = match &self.store {
            Some(folder) => Store::open(folder).0,
            None => Store::nowhere(),
        };
        let projector = Projector::start(Reader::attach(&self.writer.opened()).unwrap(), Arc::new(|| {}));
        self.writer.on_commit(Box::new(projector.grown_call()));
        App::new(Parts {
            backend: Box::new(self.listener.clone()),
            clock: self.clock.clone(),
            log: Box::new(Claims(LiveLog::new(self.writer.clone(), projector).unwrap(), self.figures.clone())),
            open_log: Arc::new(|path| {
                SavedLog::open(path, sessionscope::projection::Knowledge::embedded(), Arc::new(|| {}))
                    .map(|l| Box::new(l) as Box<dyn Log>)
            }),
            mask: Arc::new(OneToken),
            audit: self.audit.clone(),
            settings,
            store,
            picker: Box::new(FixedPicker(self.picker.clone(), None)),
            vault: Some(VaultStatus { place: "Secret Service".into(), lasting: true, report: None }),
            captures: None,
            reports: Vec::new(),
            open: None,
        })
    }

    pub fn harness(&self, size: impl Into<egui::Vec2>, theme: egui::Theme) -> Harness<'static, App> {
        let choice = match theme {
            egui::Theme::Dark => sessionscope::ui::theme::Choice::Dark,
            egui::Theme::Light => sessionscope::ui::theme::Choice::Light,
        };
        let app = self.app_with(Settings { theme: choice, ..self.settings.clone() });
        super::builder(size, theme)
            .with_max_steps(40)
            .allow_missing_glyphs()
            .build_ui_state(|ui, app: &mut App| app.frame(ui), app)
    }

    /// At this many milliseconds after the start.
    pub fn at(&self, millis: i64) -> Now {
        Now { wall: START.plus_micros(millis * 1000), mono: Mono(1 + millis as u64 * 1000) }
    }

    pub fn put(&self, draft: Draft) -> u64 {
        self.writer.append(draft)
    }

    pub fn fact(&self, session: SessionId, millis: i64, fact: Fact) -> u64 {
        self.put(Draft::fact(self.at(millis), session, &fact))
    }

    pub fn frame(&self, session: SessionId, millis: i64, direction: Direction, text: &str) -> u64 {
        let flags = sessionscope::model::Flags::STORY;
        self.put(Draft::new(self.at(millis), session, Kind::Text, direction).conn(1).flags(flags).body(text.to_owned()))
    }

    /// A session in the log, in the state that it is in.
    pub fn session(&self, id: u32, name: &str, environment: &str, state: SessionState) -> SessionId {
        let session = SessionId(id);
        let start = SessionStart {
            name: name.into(),
            dialect: Default::default(),
            environment: environment.into(),
            hosts: Default::default(),
            deployment_id: "d1111111-2222-4333-8444-555555555555".into(),
            tls_unverified: false,
            limits: Default::default(),
        };
        let draft = Draft::new(self.at(0), session, Kind::SessionStart, Direction::Local);
        self.put(draft.head(&start).flags(sessionscope::model::Flags::STORY));
        self.fact(session, 5, Fact::State(StateChange { to: SessionState::Connecting, why: String::new() }));
        self.fact(session, 30, Fact::State(StateChange { to: state, why: String::new() }));
        session
    }

    pub fn clock_fact(&self, session: SessionId, id: &str, title: &str, secs: i64, margin: u32, breaks: &str) -> u64 {
        let fact = Expiry {
            id: id.into(),
            title: title.into(),
            event: ExpiryEvent::Started,
            by: "server".into(),
            from: START,
            until: Some(START.plus_micros(secs * 1_000_000)),
            margin_secs: margin,
            breaks: breaks.into(),
            assumed: false,
            token: Some("[jwt#1]".into()),
            scope: None,
            claims: Some(
                serde_json::json!({"header": {"alg": "HS256"}, "claims": {"exp": 1767706035, "sub": "guest"}}),
            ),
            can: vec![ClockDeed::Refresh, ClockDeed::Expire],
        };
        self.fact(session, 40, Fact::Expiry(fact))
    }

    pub fn delivered(&self, session: SessionId, millis: i64, tracing: &str, delivery: Delivery) {
        self.fact(session, millis, Fact::Delivery(DeliveryChange { tracing: tracing.into(), delivery }));
    }

    /// All that a conversation can show.
    pub fn rich(&self) -> SessionId {
        let s = self.session(1, "Guest 1", "Sandbox", SessionState::Ready);
        self.clock_fact(SessionId::NONE, "oauth", "OAuth", 23 * 60 + 41, 60, "next Platform API call");
        self.clock_fact(s, "guest-jwt", "guest JWT", 44, 5, "next history call");
        self.clock_fact(s, "session-idle", "session idle", 71 * 3600, 310, "the session");
        let (sent, got) = (Direction::Sent, Direction::Received);
        self.frame(s, 500, sent, r#"{"action":"onMessage","token":"[session-token#1]","tracingId":"a1","message":{"type":"Text","text":"Hello, I would like to change my plan.","channel":{"metadata":{"customAttributes":{"plan":"gold","page":"/account"}}}}}"#);
        self.frame(s, 584, got, r#"{"type":"message","class":"StructuredMessage","code":200,"body":{"id":"m1","type":"Text","text":"Hello, I would like to change my plan.","direction":"Inbound","channel":{"time":"2026-01-06T13:26:15.700Z","messageId":"c1"}},"tracingId":"a1"}"#);
        self.delivered(s, 585, "a1", Delivery::Delivered);
        self.frame(s, 900, got, r#"{"type":"message","class":"StructuredMessage","code":200,"body":{"id":"m2","type":"Structured","text":"Of course. What shall it be?","direction":"Outbound","originatingEntity":"Bot","channel":{"time":"2026-01-06T13:26:16.000Z","from":{"nickname":"Planner"}},"content":[{"contentType":"QuickReply","quickReply":{"text":"Upgrade","payload":"up","action":"Message"}},{"contentType":"QuickReply","quickReply":{"text":"Cancel it","payload":"no","action":"Message"}}]}}"#);
        self.frame(s, 1500, got, r#"{"type":"message","class":"StructuredMessage","code":200,"body":{"id":"m3","type":"Structured","text":"These are the offers","direction":"Outbound","originatingEntity":"Bot","channel":{"time":"2026-01-06T13:26:16.600Z"},"content":[{"contentType":"Carousel","carousel":{"cards":[{"title":"Small","description":"For one person","actions":[{"type":"Postback","text":"Pick small","payload":"s"},{"type":"Link","text":"More","url":"https://example.invalid/small"}]},{"title":"Large","description":"For the family, with everything","actions":[{"type":"Postback","text":"Pick large","payload":"l"}]}]}}]}}"#);
        self.frame(s, 2600, got, r#"{"type":"message","class":"StructuredMessage","code":200,"body":{"id":"m4","type":"Text","text":"I am Sam. The form is attached; \u202eodd\u202c text stays visible. 日本語 שלום 🙂","direction":"Outbound","originatingEntity":"Human","channel":{"time":"2026-01-06T13:26:17.700Z","from":{"nickname":"Sam"}},"content":[{"contentType":"Attachment","attachment":{"id":"b9","filename":"form.pdf","fileSize":20480,"mediaType":"File","mime":"application/pdf","url":"https://example.invalid/dl/b9?sig=[signature#1]"}}]}}"#);
        self.frame(s, 3100, sent, r#"{"action":"onMessage","token":"[session-token#1]","tracingId":"a2","message":{"type":"Text","text":"This one is far too long"}}"#);
        self.frame(s, 3150, got, r#"{"type":"response","class":"string","code":4011,"body":"Message length 5000 is larger than 4096","tracingId":"a2"}"#);
        self.delivered(
            s,
            3151,
            "a2",
            Delivery::Refused { code: 4011, text: "Message length 5000 is larger than 4096".into() },
        );
        self.frame(s, 4000, sent, r#"{"action":"onMessage","token":"[session-token#1]","tracingId":"a3","message":{"type":"Text","text":"Thank you!"}}"#);
        self.delivered(s, 4001, "a3", Delivery::Sent);
        self.fact(s, 4100, Fact::Note { text: "The carousel came before the greeting once.".into() });
        self.frame(s, 4200, got, r#"{"type":"message","class":"StructuredMessage","code":200,"body":{"id":"m5","type":"Event","direction":"Outbound","channel":{"time":"2026-01-06T13:26:19.300Z"},"events":[{"eventType":"Typing","typing":{"type":"On","duration":5000}}]}}"#);
        self.writer.flush().unwrap();
        self.clock.advance(Duration::from_millis(4500));
        s
    }

    pub fn sandbox_running(&self) -> Environment {
        let environment = Environment {
            id: "sandbox".into(),
            name: "Sandbox".into(),
            guest_socket: Some("ws://127.0.0.1:8089/v1".into()),
            deployment_id: "d1111111-2222-4333-8444-555555555555".into(),
            ..Environment::default()
        };
        let of = |s: &str| s.to_owned();
        let ready = Ready {
            api: of("http://127.0.0.1:8089"),
            login: of("http://127.0.0.1:8089"),
            guest_socket: of("ws://127.0.0.1:8089/v1"),
            cdn: of("http://127.0.0.1:8089"),
            streaming: of("ws://127.0.0.1:8089"),
            control: of("http://127.0.0.1:8089/control"),
            deployment_id: environment.deployment_id.clone(),
            client_id: of("sandbox-client"),
            client_secret: of("x"),
            queue_id: of("q"),
            pkce_client_id: of("sandbox-pkce"),
            agents: Vec::new(),
            queues: Vec::new(),
        };
        let environment_box = Box::new(environment.clone());
        self.listener
            .tell(Event::Sandbox(SandboxState::Running { environment: environment_box, ready: Box::new(ready) }));
        environment
    }

    pub fn sandbox_status(&self, faults: Faults) {
        let status = Status {
            sessions: vec![GuestStatus { id: "s1".into(), state: "live".into(), messages: 7, ..Default::default() }],
            faulty: faults.any(),
            faults,
            ..Status::default()
        };
        self.listener.tell(Event::SandboxStatus(Box::new(status)));
    }
}

/// Runs frames until `good`, or fails.
#[track_caller]
pub fn until(h: &mut Harness<'_, App>, what: &str, good: impl Fn(&Harness<'_, App>) -> bool) {
    for _ in 0..400 {
        h.run_ok();
        if good(h) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("never: {what}");
}
