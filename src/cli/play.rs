//! Plays one scenario: opens its session, takes its steps, says what each came to.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::answer::Answer;
use super::desk;
use super::explain::LintStep;
use super::headless::Headless;
use super::out::{Ended, Out};
use super::script::{Connect, Scenario};
use super::step::Step;
use crate::capture::{Filter, Reader, RowSet};
use crate::dialect::{FlowWish, Wish};
use crate::engine::{Command, SessionSpec};
use crate::model::agents::AgentForm;
use crate::model::fact::{Delivery, SessionState};
use crate::model::happening::Side;
use crate::model::rich;
use crate::model::{DialectId, Environment, Fact, Kind, Record, Report, SessionId, SteppedClock};
use crate::projection::{Entry, EntryState, SessionView, Verdict, What};

const CONNECT: Duration = Duration::from_secs(30);
/// Time passes in pieces of at most this, so that what is due in between happens in between.
const PIECE: Duration = Duration::from_secs(5);
/// After each piece, what is due is waited for: until nothing is under way and nothing was recorded for so long.
const QUIET: Duration = Duration::from_millis(6);
/// But no longer than this.
const PATIENCE: Duration = Duration::from_secs(2);
/// How far a long `pass` is, is told so often.
const TELL: Duration = Duration::from_secs(10);
/// What a wish leads to shows within this.
const ANSWER: Duration = Duration::from_millis(250);
/// Faults by which a session says that it will not do what a step asked for.
const REFUSALS: [&str; 3] = ["no-such-action", "not-now", "no-such-clock"];

/// What scenarios are played with.
pub struct Stage<'a> {
    pub headless: &'a mut Headless,
    pub environment: &'a Environment,
    /// Against the sandbox, time can be let pass.
    pub clock: Option<Arc<SteppedClock>>,
    pub limit: Duration,
}

impl Stage<'_> {
    pub fn play(&mut self, out: &mut Out, name: &str, scenario: &Scenario) -> Result<(), Ended> {
        let environment = self.environment_of(scenario)?;
        let mut form = scenario.form.clone();
        form.queue_id = form.queue_id.replace("{queue}", environment.queue_id.as_deref().unwrap_or_default());
        let from = self.headless.writer().status().records;
        let kept = if scenario.resume { self.headless.kept() } else { None };
        // An agent may be all there is.
        let alone = scenario.flow == DialectId::Agent;
        let spec = SessionSpec {
            name: name.to_owned(),
            dialect: scenario.flow,
            environment,
            token: None,
            kept,
            form,
            agent: if alone { desk::form(1, scenario.agent.as_ref()) } else { AgentForm::default() },
            login: scenario.login.clone().map(|l| l.0),
        };
        let reader = Reader::attach(&self.headless.writer().opened())?;
        let mut agents = Vec::new();
        let beside = [&scenario.agent, &scenario.agent2].into_iter().flatten().filter(|_| !alone);
        for (n, form) in beside.enumerate() {
            agents.push(desk::open(out, self.headless, &spec.environment, (n + 1, form), CONNECT)?);
            writeln!(out, "  ok    agent {} ready", n + 1)?;
        }
        let session = self.headless.open(spec, scenario.connect != Connect::No)?;
        let opened = self.opened(out, session, scenario.connect);
        if alone {
            agents.push(session);
        }
        let mut player = Player {
            headless: self.headless,
            clock: self.clock.clone(),
            session,
            agents: agents.clone(),
            heard: HashSet::new(),
            limit: self.limit,
            reader,
            from,
            seen: from,
            last: String::new(),
            settled: from,
            calls: 0,
            refused: None,
        };
        let result = opened.and_then(|()| scenario.steps.iter().try_for_each(|step| player.step(out, &step.value)));
        // Each scenario has its own session; a failed one is closed as well.
        player.headless.end(session)?;
        for agent in agents.into_iter().filter(|_| !alone) {
            player.headless.end(agent)?;
        }
        result?;
        // What was refused so late that no step has told it.
        player.look()?;
        Ok(player.refused.map_or(Ok(()), Err)?)
    }

    fn opened(&self, out: &mut Out, session: SessionId, connect: Connect) -> Result<(), Ended> {
        if connect == Connect::Ready {
            self.headless.ready(session, CONNECT)?;
            writeln!(out, "  ok    session ready")?;
        }
        Ok(())
    }

    /// The environment with the scenario's own settings.
    fn environment_of(&self, scenario: &Scenario) -> Result<Environment, Report> {
        let mut environment = self.environment.clone();
        let Some(settings) = &scenario.settings else { return Ok(environment) };
        let bad = |what: String| Report::new("bad-settings", "The scenario's settings cannot be used", what);
        let mut all = serde_json::to_value(&environment).map_err(|e| bad(e.to_string()))?;
        let mut settings = settings.clone();
        let api = environment.hosts()?.api;
        let queue = environment.queue_id.clone().unwrap_or_default();
        fill(&mut settings, &[("{api}", &api), ("{queue}", &queue)]);
        merge(&mut all, settings);
        let secret = environment.client_secret.take();
        let changed: Environment = serde_json::from_value(all).map_err(|e| bad(e.to_string()))?;
        Ok(Environment { client_secret: secret, ..changed })
    }
}

/// Puts values in for names in all texts.
fn fill(value: &mut Value, names: &[(&str, &str)]) {
    match value {
        Value::String(text) => {
            for (name, with) in names {
                *text = text.replace(name, with);
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|v| fill(v, names)),
        Value::Object(all) => all.values_mut().for_each(|v| fill(v, names)),
        _ => {}
    }
}

/// Members of `more` win, member by member.
fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

pub(super) struct Player<'a> {
    pub(super) headless: &'a Headless,
    clock: Option<Arc<SteppedClock>>,
    pub(super) session: SessionId,
    pub(super) agents: Vec<SessionId>,
    /// Keys of the replies that an earlier step took or passed over.
    heard: HashSet<String>,
    pub(super) limit: Duration,
    reader: Reader,
    /// The scenario's records come after this one.
    pub(super) from: u64,
    /// Records up to this one were passed by an earlier step.
    seen: u64,
    /// Tracing id of the last message.
    last: String,
    /// Records up to this one were looked at for calls, and how many calls are unanswered.
    settled: u64,
    calls: i64,
    /// What the session answered to a wish that it cannot fulfil, until a step has told it.
    refused: Option<Report>,
}

impl Player<'_> {
    fn step(&mut self, out: &mut Out, step: &Step) -> Result<(), Ended> {
        if let Step::Point(text) = step {
            return writeln!(out, "  -- {text}");
        }
        let start = Instant::now();
        if matches!(step, Step::Do(..)) {
            // What came before is no answer to this.
            self.look()?;
        }
        let result = match step {
            Step::Pass(time) => self.pass(out, *time)?,
            step => self.take(step),
        };
        let result = result.and_then(|()| self.not_refused(step));
        let word = if result.is_ok() { "ok   " } else { "FAILS" };
        writeln!(out, "  {word} {}  ({} ms)", step.to_string().trim_end(), start.elapsed().as_millis())?;
        if let (Step::Why(cause), Ok(())) = (step, &result)
            && let Some(finding) = self.explained(cause)
        {
            let verdict = finding.verdicts.first().into_iter();
            verdict.flat_map(Verdict::lines).try_for_each(|line| writeln!(out, "        {line}"))?;
        }
        if let (Step::Lint(LintStep::Broken(rule)), Ok(())) = (step, &result)
            && let Some(lint) = self.broken(rule)
        {
            writeln!(out, "        {}: {}", lint.rule.title, lint.says)?;
        }
        Ok(result?)
    }

    fn take(&mut self, step: &Step) -> Result<(), Report> {
        match step {
            Step::Say(text) => self.say(text),
            Step::Containing(part) => {
                let part = part.to_lowercase();
                self.hear(|text| text.to_lowercase().contains(&part))
            }
            Step::Matching(pattern) => self.hear(|text| pattern.matches(text)),
            Step::Send { text, form } => self.send(|tracing| match form {
                Some(form) => Wish::Flow(FlowWish::Say { tracing, text: text.clone(), form: *form }),
                None => Wish::Text { tracing, text: text.clone(), attributes: Vec::new(), attachments: Vec::new() },
            }),
            Step::Answer(answer) => self.answer(answer),
            Step::Fate { word, part } => self.fate(word, part),
            Step::Order(order) => self.headless.order(order),
            Step::Jump(time) => self.stepped().and_then(|clock| {
                clock.step(*time);
                self.settle()
            }),
            Step::Do(wish, _) => self.wish(wish.as_ref().clone()),
            Step::State { word, part } => self.state(word, part),
            Step::Record(filter) => self.record(filter),
            Step::Count(n, filter) => self.count(*n, filter),
            Step::Why(cause) => self.why(cause),
            Step::Lint(step) => self.lint(step),
            Step::Agent(which, step) => {
                let (headless, limit) = (self.headless, self.limit);
                desk::AtDesk { headless, agents: &self.agents, which: *which, limit }.take(step)
            }
            Step::Ends(step) => desk::ends(self.headless, self.session, step, self.limit),
            // Told by the caller.
            Step::Pass(_) | Step::Point(_) => Ok(()),
        }
    }

    /// Fails where the session refused a wish of this step; one that was refused late fails the next step.
    fn not_refused(&mut self, step: &Step) -> Result<(), Report> {
        let end = Instant::now() + ANSWER;
        let mut last = None;
        loop {
            if self.look()? {
                last = Some(Instant::now());
            }
            let calm = last.is_some_and(|last| last.elapsed() >= QUIET);
            if self.refused.is_some() || !matches!(step, Step::Do(..)) || calm || Instant::now() >= end {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.refused.take().map_or(Ok(()), Err)
    }

    fn wish(&self, wish: Wish) -> Result<(), Report> {
        self.headless.console.engine.send(Command::Wish { session: self.session, wish })
    }

    fn send(&mut self, wish: impl FnOnce(String) -> Wish) -> Result<(), Report> {
        self.last = uuid::Uuid::new_v4().to_string();
        self.wish(wish(self.last.clone()))
    }

    /// Says it; the server must take it.
    fn say(&mut self, text: &str) -> Result<(), Report> {
        let text = text.to_owned();
        self.send(|tracing| Wish::Text { tracing, text, attributes: Vec::new(), attachments: Vec::new() })?;
        self.delivered()
    }

    /// Answers the newest picker or form of its kind, as soon as one is offered; the server must take it.
    fn answer(&mut self, answer: &Answer) -> Result<(), Report> {
        let kind = answer.kind();
        let found = self.headless.until(self.limit, |h| {
            let view = h.view(self.session)?;
            let offered = |entry: &Arc<Entry>| match &entry.what {
                What::Message(m) if m.side != Side::Guest => {
                    let offer = rich::offer(m).filter(|o| o.word() == kind)?;
                    Some((rich::id_of(m).to_owned(), answer.to(&offer, entry.at)))
                }
                _ => None,
            };
            view.conversation.entries.iter().rev().find_map(offered)
        });
        let none = || Report::new("no-offer", format!("No {kind} was offered"), "There is nothing to answer.");
        match (found.ok_or_else(none)?, &answer.fails) {
            ((to, Ok(picked)), None) => {
                let way = answer.way();
                self.send(|tracing| Wish::Pick { tracing, to, way, picked: Box::new(picked) })?;
                self.delivered()
            }
            ((_, Ok(_)), Some(part)) => {
                let what = format!("It was to fail with “{part}”.");
                Err(Report::new("fits", "The answer fits the offer", what))
            }
            ((_, Err(faults)), Some(part)) if faults.iter().any(|f| f.contains(part.as_str())) => Ok(()),
            ((_, Err(faults)), _) => {
                let report = Report::new("not-offered", "The answer does not fit the offer", "Nothing was sent.");
                Err(faults.into_iter().fold(report, |report, fault| report.detail(fault)))
            }
        }
    }

    /// Waits until the server has the last message.
    fn delivered(&self) -> Result<(), Report> {
        match self.last_fate()? {
            Some(Delivery::Delivered) => Ok(()),
            Some(Delivery::Refused { code, text }) => {
                Err(Report::new("refused", "The message was refused", format!("{code}: {text}")))
            }
            Some(Delivery::NotSent { why }) => Err(Report::new("not-sent", "The message was not sent", why)),
            Some(Delivery::Unconfirmed { why }) => {
                Err(Report::new("unconfirmed", "The message was not confirmed", why))
            }
            _ => Err(Report::new(
                "no-echo",
                "The server did not echo the message",
                format!("No echo within {} s.", self.limit.as_secs()),
            )),
        }
    }

    /// What became of the last message, as soon as it is final; none where that takes too long.
    fn last_fate(&self) -> Result<Option<Delivery>, Report> {
        let found = self.headless.until(self.limit.max(Duration::from_secs(1)), |h| {
            let view = h.view(self.session)?;
            match own_delivery(&view, &self.last) {
                None | Some(Delivery::Sent | Delivery::Retrying { .. }) => self.ended(&view).map(|r| r.map(|()| None)),
                found => Some(Ok(found)),
            }
        });
        found.unwrap_or(Ok(None))
    }

    fn fate(&self, word: &str, part: &str) -> Result<(), Report> {
        let found = match self.last_fate() {
            Ok(found) => found,
            // The session may have ended for the same reason.
            Err(report) => {
                let view = self.headless.view(self.session);
                let found = view.and_then(|v| own_delivery(&v, &self.last));
                found.map(Some).ok_or(report)?
            }
        };
        let (is, why) = match &found {
            Some(Delivery::Delivered) => ("delivered", String::new()),
            Some(Delivery::Refused { code, text }) => ("refused", format!("{code} {text}")),
            Some(Delivery::NotSent { why }) => ("not-sent", why.clone()),
            Some(Delivery::Unconfirmed { why }) => ("unconfirmed", why.clone()),
            Some(Delivery::Sent | Delivery::Retrying { .. }) | None => ("open", String::new()),
        };
        if is == word && why.to_lowercase().contains(&part.to_lowercase()) {
            return Ok(());
        }
        Err(Report::new("other-fate", "The message came to something else", format!("It is {is}: {why}")))
    }

    fn stepped(&self) -> Result<Arc<SteppedClock>, Report> {
        self.clock.clone().ok_or_else(|| {
            Report::new("no-clock", "Time cannot be let pass here", "Only the sandbox shares our clock.")
                .remedy("Run the script with --sandbox.")
        })
    }

    /// Lets time pass, in pieces. Where that takes long, says how far it is.
    fn pass(&mut self, out: &mut Out, time: Duration) -> Result<Result<(), Report>, Ended> {
        let clock = match self.stepped() {
            Ok(clock) => clock,
            Err(report) => return Ok(Err(report)),
        };
        let mut told = Instant::now();
        let mut left = time;
        while !left.is_zero() && self.headless.stopped().is_none() {
            let step = left.min(PIECE);
            clock.step(step);
            left -= step;
            if let Err(report) = self.settle() {
                return Ok(Err(report));
            }
            if told.elapsed() >= TELL && !left.is_zero() {
                told = Instant::now();
                writeln!(out, "        {} of {} have passed", hours(time - left), hours(time))?;
            }
        }
        Ok(Ok(()))
    }

    /// Waits until all calls are answered and nothing happens any more.
    pub(super) fn settle(&mut self) -> Result<(), Report> {
        let until = Instant::now() + PATIENCE;
        let mut still = Instant::now();
        while Instant::now() < until && (self.calls > 0 || still.elapsed() < QUIET) {
            std::thread::sleep(Duration::from_millis(1));
            if self.look()? {
                still = Instant::now();
            }
        }
        Ok(())
    }

    /// Looks at the records that came: counts unanswered calls, notes refused wishes. Tells whether there were any.
    fn look(&mut self) -> Result<bool, Report> {
        self.headless.writer().flush()?;
        let before = self.settled;
        while self.settled < self.reader.len() {
            self.settled += 1;
            let Some(record) = self.reader.record(self.settled)? else { continue };
            match record.kind {
                Kind::HttpRequest => self.calls += 1,
                Kind::HttpResponse | Kind::HttpFailed => self.calls -= 1,
                Kind::Fault if record.session == self.session || self.agents.contains(&record.session) => {
                    if let Some(Fact::Fault(report)) = record.fact()
                        && REFUSALS.contains(&report.code.as_str())
                    {
                        self.refused = Some(report);
                    }
                }
                _ => {}
            }
        }
        Ok(self.settled > before)
    }

    fn state(&self, word: &str, part: &str) -> Result<(), Report> {
        let fits = |state: &SessionState| {
            let sentence = match state {
                SessionState::Ended(end) => end.sentence(),
                _ => String::new(),
            };
            state.word() == word && sentence.to_lowercase().contains(&part.to_lowercase())
        };
        let found =
            self.headless.until(self.limit, |h| h.view(self.session)?.state.as_ref().filter(|s| fits(s)).map(|_| ()));
        found.ok_or_else(|| {
            let view = self.headless.view(self.session);
            let state = view.as_ref().and_then(|v| v.state.clone());
            let told = state.map_or("unknown".into(), |s| match s {
                SessionState::Ended(end) => format!("ended: {}", end.sentence()),
                other => other.word().to_owned(),
            });
            Report::new("other-state", "The session is in another state", format!("It is {told}."))
        })
    }

    /// Waits for a record of this session, or of none, that the filter shows.
    fn record(&mut self, filter: &Filter) -> Result<(), Report> {
        let mut next = self.seen + 1;
        let mut failed = None;
        let found = self.headless.until(self.limit, |h| {
            let _ = h.writer().flush();
            while next <= self.reader.len() {
                match self.reader.record(next) {
                    Ok(Some(record)) if self.is_mine(&record) && filter.matches(&record, &RowSet::default()) => {
                        return Some(next);
                    }
                    Ok(_) => next += 1,
                    Err(report) => {
                        failed = Some(report);
                        return Some(0);
                    }
                }
            }
            None
        });
        match (found, failed) {
            (_, Some(report)) => Err(report),
            (Some(seq), None) => {
                self.seen = seq;
                Ok(())
            }
            (None, None) => Err(Report::new(
                "no-record",
                "No such record came",
                format!("Looked at records {} to {} for {} s.", self.seen + 1, self.reader.len(), self.limit.as_secs()),
            )),
        }
    }

    fn count(&self, wanted: usize, filter: &Filter) -> Result<(), Report> {
        self.headless.writer().flush()?;
        let mut found = Vec::new();
        for seq in self.from + 1..=self.reader.len() {
            if let Some(record) = self.reader.record(seq)?
                && self.is_mine(&record)
                && filter.matches(&record, &RowSet::default())
            {
                found.push(record);
            }
        }
        if found.len() == wanted {
            return Ok(());
        }
        let what = format!("There are {} of them, not {wanted}.", found.len());
        let report = Report::new("other-count", "Another number of records", what);
        Err(found.iter().take(10).fold(report, |report, record| {
            let line = crate::dialect::line(record);
            report.detail(format!("record {}: {} {}", record.seq, line.name, line.text))
        }))
    }

    fn is_mine(&self, record: &Record) -> bool {
        record.session == self.session || record.session == SessionId::NONE || self.agents.contains(&record.session)
    }

    /// Waits for a reply after the last one that was taken. One that comes late but was said earlier counts too: the
    /// protocol does not promise an order.
    fn hear(&mut self, fits: impl Fn(&str) -> bool) -> Result<(), Report> {
        let outcome = self.headless.until(self.limit, |h| {
            let view = h.view(self.session)?;
            let all = replies(&view);
            let found = all.iter().position(|r| !self.heard.contains(&r.0) && fits(&r.1));
            match found {
                Some(at) => Some(Ok(all.into_iter().take(at + 1).map(|r| r.0).collect::<Vec<_>>())),
                None => self.ended(&view).map(|r| r.map(|()| Vec::new())),
            }
        });
        match outcome {
            Some(Ok(taken)) => {
                self.heard.extend(taken);
                Ok(())
            }
            Some(Err(report)) => Err(report),
            None => Err(self.nothing_fits()),
        }
    }

    fn nothing_fits(&self) -> Report {
        let others: Vec<String> = self
            .headless
            .view(self.session)
            .map(|v| replies(&v).into_iter().filter(|r| !self.heard.contains(&r.0)).map(|r| r.1).collect())
            .unwrap_or_default();
        let report = Report::new(
            "no-reply",
            "No such reply came",
            format!("Waited {} s; other replies meanwhile: {}.", self.limit.as_secs(), others.len()),
        );
        others.into_iter().fold(report, |report, text| report.detail(format!("received: {text}")))
    }

    fn ended(&self, view: &Arc<SessionView>) -> Option<Result<(), Report>> {
        match view.state.as_ref()? {
            SessionState::Ended(end) => Some(Err(Report::new("ended", "The session ended", end.sentence()))),
            _ => None,
        }
    }
}

fn hours(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    format!("{} h {:02} min", minutes / 60, minutes % 60)
}

/// Keys and texts of what the other side said, in the order of the conversation.
fn replies(view: &SessionView) -> Vec<(String, String)> {
    let reply = |entry: &Arc<Entry>| match &entry.what {
        What::Message(m) if m.side != Side::Guest => m.text.clone().map(|text| (m.key.clone(), text)),
        _ => None,
    };
    view.conversation.entries.iter().filter_map(reply).collect()
}

fn own_delivery(view: &SessionView, tracing: &str) -> Option<Delivery> {
    let shown = view.conversation.entries.iter().rev().find_map(|entry| match (&entry.what, &entry.state) {
        (What::Message(m), EntryState::Own(delivery, _)) if m.tracing.as_deref() == Some(tracing) => {
            Some(delivery.clone())
        }
        _ => None,
    });
    // What never left has no frame to show.
    let never_left = || view.not_sent.iter().find(|(t, _)| t == tracing).map(|(_, why)| why.clone());
    shown.or_else(|| never_left().map(|why| Delivery::NotSent { why }))
}
