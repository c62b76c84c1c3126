//! Where no window can be shown: says what is missing, and runs the first conversation in the terminal.

use std::collections::HashSet;
use std::process::ExitCode;
use std::time::Duration;

use super::headless::{Headless, Kept, settings, usual_place, with_console};
use super::out::{Ended, Out, Outcome};
use crate::capture::Opened;
use crate::dialect::Wish;
use crate::engine::Command;
use crate::engine::places::Places;
use crate::model::fact::{Delivery, SessionState};
use crate::model::happening::{Part, Side};
use crate::model::{Message, Report, SessionId, SystemClock};
use crate::projection::{ClockView, Entry, EntryState, SessionView, What};

const LIMIT: Duration = Duration::from_secs(15);

pub fn run(out: &mut Out, missing: &Report) -> Outcome {
    out.complain(&format!("There is no window here. {}", missing.text()));
    let places = Places::find()?;
    let stored = settings(out, &places);
    let ((), kept) =
        with_console(out, places, (usual_place(&stored), SystemClock::shared()), stored.keep_days, converse)?;
    tell_capture(out, &kept)?;
    Ok(ExitCode::SUCCESS)
}

fn converse(out: &mut Out, headless: &mut Headless) -> Result<(), Ended> {
    writeln!(out, "First conversation, in the terminal, against the embedded sandbox:\n")?;
    let environment = headless.start_sandbox()?;
    writeln!(out, "sandbox    {}", environment.hosts()?.guest_socket)?;
    headless.console.engine.send(Command::SignIn { environment: environment.clone() })?;
    let session = headless.open_guest("First light", &environment)?;
    headless.ready(session, LIMIT)?;
    writeln!(out, "session    configured\n")?;
    let mut talk = Talk { headless, session, printed: HashSet::new() };
    talk.follow(out, "the greeting", |m| m.text.is_some())?;
    talk.say(out, "hello", |m| m.text.as_ref().is_some_and(|t| t.contains("hello")))?;
    talk.say(out, "quick", |m| m.parts.iter().any(|p| matches!(p, Part::QuickReply { .. })))?;
    talk.say(out, "card", |m| m.parts.iter().any(|p| matches!(p, Part::Card(_))))?;
    talk.clocks(out)?;
    talk.headless.end(session)?;
    Ok(())
}

/// The conversation, printed message by message in its order.
struct Talk<'a> {
    headless: &'a Headless,
    session: SessionId,
    /// Keys of the messages that were printed. Places would not do: a line that is no message may come before what
    /// stands there, by a clock that is known better by then.
    printed: HashSet<String>,
}

impl Talk<'_> {
    /// Says it, and waits for its answer.
    fn say(&mut self, out: &mut Out, text: &str, answers: impl Fn(&Message) -> bool) -> Result<(), Ended> {
        self.headless.say(self.session, uuid::Uuid::new_v4().to_string(), text)?;
        self.follow(out, &format!("an answer to “{text}”"), answers)
    }

    /// Prints what is new until the other side has said what is awaited.
    fn follow(&mut self, out: &mut Out, what: &str, awaited: impl Fn(&Message) -> bool) -> Result<(), Ended> {
        let (headless, session) = (self.headless, self.session);
        let outcome = headless.until(LIMIT, |h| {
            let view = h.view(session)?;
            let found = self.print(out, &view, &awaited);
            match (found, &view.state) {
                (Ok(true), _) => Some(Ok(())),
                (Err(ended), _) => Some(Err(ended)),
                (_, Some(SessionState::Ended(end))) => {
                    Some(Err(Report::new("ended", "The session ended", end.sentence()).into()))
                }
                _ => None,
            }
        });
        outcome.unwrap_or_else(|| Err(too_late(what)))
    }

    /// Prints what is settled and new. True where what is awaited was among it.
    fn print(&mut self, out: &mut Out, view: &SessionView, awaited: impl Fn(&Message) -> bool) -> Result<bool, Ended> {
        let mut found = false;
        for entry in &view.conversation.entries {
            let What::Message(message) = &entry.what else { continue };
            if matches!(entry.state, EntryState::Own(Delivery::Sent | Delivery::Retrying { .. }, _)) {
                // The echo will tell how long it took, and may move it.
                break;
            }
            if self.printed.insert(message.key.clone()) {
                writeln!(out, "{}", line(entry, message))?;
                found |= message.side != Side::Guest && awaited(message);
            }
        }
        Ok(found)
    }

    /// The JWT's clock is the most instructive one: it lives for a minute. The sign-in has its own.
    fn clocks(&self, out: &mut Out) -> Result<(), Ended> {
        self.headless.console.engine.send(Command::Wish { session: self.session, wish: Wish::GetJwt })?;
        let both = self.headless.until(LIMIT, |h| {
            let board = h.board();
            let jwt = board.session(self.session)?.clocks.iter().any(|c| c.fact.id == "guest-jwt");
            (jwt && !board.general.clocks.is_empty()).then_some(board)
        });
        let board = both.ok_or_else(|| too_late("the clocks of both tokens"))?;
        let now = self.headless.console.clock.now();
        writeln!(out, "\nclocks")?;
        for view in [Some(&board.general), board.session(self.session)].into_iter().flatten() {
            let server_now = view.server_now(now);
            for clock in &view.clocks {
                writeln!(out, "  {}", clock_line(clock, clock.left(server_now)))?;
            }
        }
        Ok(())
    }
}

fn too_late(what: &str) -> Ended {
    Report::new("too-late", "The sandbox did not answer in time", format!("Waited {} s for {what}.", LIMIT.as_secs()))
        .remedy("Try again when this computer is less busy.")
        .into()
}

fn tell_capture(out: &mut Out, kept: &Kept) -> Result<(), Ended> {
    let status = &kept.status;
    let place = if matches!(kept.opened, Opened::File(_)) { "on disk" } else { "in memory" };
    writeln!(
        out,
        "\nrecords    {} ({} bytes {place}, {} payloads left out)",
        status.records, status.bytes, status.left_out
    )?;
    match &kept.opened {
        Opened::File(file) => {
            writeln!(out, "capture    {}", file.display())?;
            writeln!(out, "           look at it again with: sessionscope open {}", file.display())
        }
        Opened::Memory(_) => writeln!(out, "capture    none: private mode is on, it was in memory only"),
    }
}

fn line(entry: &Entry, m: &Message) -> String {
    let time = entry.at.timestamp().map(|t| t.strftime("%H:%M:%S%.3f").to_string()).unwrap_or_default();
    let mut text = m.text.clone().unwrap_or_default();
    for part in &m.parts {
        match part {
            Part::QuickReply { text: t, .. } => text.push_str(&format!("  [{t}]")),
            Part::Card(card) => text.push_str(&format!("  [card: {}]", card.title)),
            Part::Carousel(cards) => text.push_str(&format!("  [carousel of {} cards]", cards.len())),
            Part::Attachment(a) => text.push_str(&format!("  [file: {}]", a.name)),
            Part::Answer { text: t, .. } => text.push_str(&format!("  ({t})")),
            Part::Date(date) => text.push_str(&format!("  [date picker of {} times]", date.slots.len())),
            Part::List(list) => text.push_str(&format!("  [list picker: {}]", list.prompt.title)),
            Part::Form(form) => text.push_str(&format!("  [form: {}]", form.prompt.title)),
            Part::Chosen(chosen) => {
                chosen.choices.iter().for_each(|(_, c)| text.push_str(&format!("  ({})", c.text)));
            }
            Part::Other { kind, .. } => text.push_str(&format!("  [{kind}]")),
        }
    }
    let mark = match &entry.state {
        EntryState::Received => String::new(),
        EntryState::Own(Delivery::Delivered, Some(us)) => format!("   ({} ms)", us / 1000),
        EntryState::Own(delivery, _) => format!("   ({delivery:?})"),
    };
    format!("{time}  {:<6} {text}{mark}", m.side.word())
}

fn clock_line(clock: &ClockView, left: Option<Duration>) -> String {
    let left = left.map_or_else(
        || "no end known".to_owned(),
        |d| {
            let s = d.as_secs();
            format!("{:>3}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
        },
    );
    let assumed = if clock.fact.assumed { " (assumed)" } else { "" };
    format!("{:<22} {left}{assumed}  then: {}", clock.fact.title, clock.fact.breaks)
}
