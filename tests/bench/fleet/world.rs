//! Sessions, their sandbox, and the window that looks at them.

use std::path::Path;
use std::time::Duration;

use sessionscope::dialect::Wish;
use sessionscope::engine::{Command, SessionSpec, Ticket};
use sessionscope::model::fact::SessionState;
use sessionscope::model::flows::GuestForm;
use sessionscope::model::{DialectId, SessionId};
use sessionscope::sandbox;

use super::common::{FRAME, Records, Stage, Times, megabytes};

/// Life of all tokens.
const TOKEN_SECS: u32 = 120;
/// Each session that can talk says something this often.
const TALK_EVERY: Duration = Duration::from_secs(20);
/// Sessions whose time is over are opened again; looked for this often.
const RENEW_EVERY: Duration = Duration::from_secs(10);
const READY_WITHIN: Duration = Duration::from_secs(120);

pub struct World {
    stage: Stage,
}

/// What was measured.
pub struct Figures {
    pub sessions: usize,
    pub frame: Times,
    pub megabytes: f64,
    /// Per cent of one core.
    pub talk_cpu: f64,
    pub idle_cpu: f64,
    pub records: u64,
    facts: Facts,
}

/// What the capture says at the end.
#[derive(Default)]
struct Facts {
    heartbeats: u64,
    heartbeats_failed: u64,
    longest_gap: f64,
    refused: u64,
    token_calls: u64,
    refreshes: u64,
    delivered: u64,
    not_delivered: u64,
    ended: u64,
    left_out: u64,
}

impl Figures {
    pub fn head() -> String {
        "sessions   frame p50    p99     max      memory   CPU talking   CPU idle    records".to_owned()
    }

    pub fn line(&self) -> String {
        format!(
            "{:>8}   {:>6.2} ms  {:>5.2} ms  {:>5.2} ms  {:>5.0} MB   {:>8.1} %   {:>8.2} %  {:>9}",
            self.sessions,
            self.frame.p50,
            self.frame.p99,
            self.frame.max,
            self.megabytes,
            self.talk_cpu,
            self.idle_cpu,
            self.records
        )
    }

    pub fn checks(&self) -> String {
        let f = &self.facts;
        format!(
            "heartbeats: {} taken, {} failed, longest gap {:.1} s · refused with 401: {} · token calls: {}, refreshes: {} · \
             messages: {} delivered, {} not · sessions ended: {} · payloads left out: {}",
            f.heartbeats,
            f.heartbeats_failed,
            f.longest_gap,
            f.refused,
            f.token_calls,
            f.refreshes,
            f.delivered,
            f.not_delivered,
            f.ended,
            f.left_out
        )
    }
}

impl World {
    pub fn measure(count: usize, talk: Duration, idle: Duration) -> Figures {
        let options = sandbox::Options { token_ttl_secs: TOKEN_SECS, ..sandbox::Options::default() };
        let mut world = Self { stage: Stage::start(options) };
        let lives =
            sandbox::LifetimeChange { session_token_secs: Some(TOKEN_SECS), ..sandbox::LifetimeChange::default() };
        world.stage.order(sandbox::Order::SetLifetimes(lives));
        world.open(count);
        world.stage.frames.clear();
        let talk_cpu = world.talk(talk);
        let frames = std::mem::take(&mut world.stage.frames);
        let idle_cpu = world.idle(idle);
        let megabytes = megabytes();
        let left_out = world.stage.writer.status().left_out;
        let mut facts = facts(&world.stage.file(), count);
        facts.left_out = left_out;
        let records = world.stage.writer.status().records;
        world.stage.close();
        Figures { sessions: count, frame: Times::of(frames), megabytes, talk_cpu, idle_cpu, records, facts }
    }

    /// Opens so many sessions: two of five are kept alive by heartbeats, the others are shared by the rest.
    fn open(&mut self, count: usize) {
        const MIX: [DialectId; 10] = [
            DialectId::ManagedConversation,
            DialectId::SessionToken,
            DialectId::ManagedConversation,
            DialectId::ExternalContact,
            DialectId::ManagedConversation,
            DialectId::GuestResource,
            DialectId::SignedGuest,
            DialectId::ManagedConversation,
            DialectId::SessionToken,
            DialectId::ExternalContact,
        ];
        for n in 0..count {
            let dialect = MIX[n % MIX.len()];
            let mut environment = self.stage.environment.clone();
            // The description's limit of 200 requests a minute is for one client; here it would only make them wait.
            environment.flows.guest_resource.requests_per_minute = 0;
            let form = GuestForm {
                guest_id: format!("guest-{n}"),
                skill: "support".into(),
                duration_secs: Some(2700),
                ..GuestForm::default()
            };
            let spec = SessionSpec { name: format!("Guest {n}"), dialect, environment, form, ..SessionSpec::default() };
            let ticket = Ticket(1_000_000 + n as u64);
            self.stage.send(&Command::OpenSession { ticket, spec: Box::new(spec), connect: true });
        }
        self.stage.until(READY_WITHIN, |app| {
            let board = app.log().board();
            let not: Vec<_> = board.sessions.iter().filter(|s| s.state != Some(SessionState::Ready)).collect();
            let ready = board.sessions.len() - not.len();
            let states: Vec<_> =
                not.iter().map(|s| (s.start.as_ref().map(|s| s.dialect), s.state.clone())).take(5).collect();
            if ready == count { Ok(()) } else { Err(format!("only {ready} of {count} became ready: {states:?}")) }
        });
    }

    fn talk(&mut self, time: Duration) -> f64 {
        // The ids that the engine gave, whatever the order of their making was.
        let board = self.stage.app.log().board();
        let dialects: Vec<_> = board.sessions.iter().filter_map(|s| Some((s.id, s.start.as_ref()?.dialect))).collect();
        let talks = |d: &DialectId| {
            matches!(d, DialectId::SessionToken | DialectId::ExternalContact | DialectId::GuestResource)
        };
        let talkers: Vec<SessionId> = dialects.iter().filter(|(_, d)| talks(d)).map(|(id, _)| *id).collect();
        let Some(every) = TALK_EVERY.checked_div(talkers.len() as u32) else {
            return self.stage.run_measured(time, |_, _| FRAME);
        };
        let mut next = Duration::ZERO;
        let mut n = 0;
        self.stage.run_measured(time, |stage, elapsed| {
            while elapsed >= next {
                next += every;
                let session = talkers[n % talkers.len()];
                n += 1;
                let wish = Wish::Text {
                    tracing: uuid::Uuid::new_v4().to_string(),
                    text: format!("message {n}"),
                    attributes: Vec::new(),
                    attachments: Vec::new(),
                };
                let _ = stage.engine.send(Command::Wish { session, wish });
            }
            next - elapsed
        })
    }

    /// Nobody says anything. A managed conversation ends after 45 minutes; then the next one is begun.
    fn idle(&mut self, time: Duration) -> f64 {
        self.stage.run_measured(time, |stage, _| {
            let board = stage.app.log().board();
            let over = board.sessions.iter().filter(|s| s.state.as_ref().is_some_and(SessionState::is_ended));
            for session in over.map(|s| s.id) {
                let _ = stage.engine.send(Command::Wish { session, wish: Wish::Connect });
            }
            RENEW_EVERY
        })
    }
}

/// What the records say.
fn facts(file: &Path, sessions: usize) -> Facts {
    let records = Records::open(file);
    let count = |sql: &str| records.count(sql);
    let audit = |action: &str, outcome: &str| {
        count(&format!(
            "SELECT count(*) FROM record WHERE kind = 39 AND head LIKE '%\"action\":\"{action}\"%' AND head LIKE '%\"outcome\":\"{outcome}\"%'"
        ))
    };
    // Between two of the same conversation: when that ends, the next one begins its own count.
    let mut gaps = records
        .db()
        .prepare(
            "SELECT max(gap) FROM
             (SELECT kind, mono - lag(mono) OVER story AS gap, lag(kind) OVER story AS before FROM record
              WHERE (kind = 39 AND head LIKE '%\"action\":\"heartbeat\"%')
                 OR (kind = 31 AND head LIKE '%\"state\":\"ended\"%')
              WINDOW story AS (PARTITION BY session ORDER BY seq))
             WHERE kind = 39 AND before = 39",
        )
        .expect("sql");
    let longest = gaps.query_row([], |r| r.get::<_, Option<i64>>(0)).expect("gap").unwrap_or_default();
    let live = count("SELECT count(DISTINCT session) FROM record WHERE kind = 30");
    assert_eq!(live as usize, sessions, "sessions in the capture");
    Facts {
        heartbeats: audit("heartbeat", "success"),
        heartbeats_failed: audit("heartbeat", "failed"),
        longest_gap: longest as f64 / 1e6,
        refused: records.answered_with(401),
        token_calls: count(
            "SELECT count(*) FROM record WHERE kind = 1 AND session = 0 AND head LIKE '%\"purpose\":\"token\"%'",
        ),
        refreshes: audit("token.refresh", "success"),
        delivered: records.fate("delivered"),
        not_delivered: records.not_delivered(),
        ended: count("SELECT count(*) FROM record WHERE kind = 31 AND head LIKE '%\"state\":\"ended\"%'"),
        left_out: 0,
    }
}
